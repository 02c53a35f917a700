/* SPDX-License-Identifier: Apache-2.0
 * How errors travel inside quern: a function returns a quern_status, and the one that noticed the
 * failure writes the sentence, once, into this thread's error text with qn_error(). A caller that
 * knows more (the column, the file, the device) puts it in front with qn_error_context(). Work done
 * on pool threads carries its error home by qn_error_take()/qn_error_put(). */
#ifndef QN_STATUS_H
#define QN_STATUS_H

#include "host/core/compiler.h"
#include "quern/quern.h"

enum { QN_ERROR_TEXT = 768 };

/* Writes the sentence and returns `status`, so that failing reads `return qn_error(...)`. */
quern_status qn_error(quern_status status, const char *format, ...) QN_PRINTF(2, 3) QN_COLD;

/* Puts "context: " in front of the present sentence and returns `status` unchanged. */
quern_status qn_error_context(quern_status status, const char *format, ...) QN_PRINTF(2, 3) QN_COLD;

/* An allocation of `bytes` failed while doing `what`. */
quern_status qn_error_memory(const char *what, uint64_t bytes) QN_COLD;
/* The same where the size says nothing: one of many small ones. */
quern_status qn_error_memory_while(const char *doing) QN_COLD;

/* clang-tidy sees one source at a time: it is told here what these return, and so does not follow a
 * failure on as if it had been a success. */
#if defined(__clang_analyzer__) && !defined(QN_STATUS_C)
#define qn_error(status, ...) ((void)qn_error((status), __VA_ARGS__), (status))
#define qn_error_context(status, ...) ((void)qn_error_context((status), __VA_ARGS__), (status))
#define qn_error_memory(what, bytes) ((void)qn_error_memory((what), (bytes)), QUERN_OUT_OF_MEMORY)
#define qn_error_memory_while(doing) ((void)qn_error_memory_while(doing), QUERN_OUT_OF_MEMORY)
#endif

const char *qn_error_text(void);
void qn_error_clear(void);

/* A failure on its way from one thread to another. */
struct qn_failure {
    quern_status status;
    char text[QN_ERROR_TEXT];
};
void qn_error_take(struct qn_failure *out, quern_status status); /* this thread's error -> out   */
quern_status qn_error_put(const struct qn_failure *failure);     /* out -> this thread's error   */

#define QN_TRY(expression)                                                                         \
    do {                                                                                           \
        quern_status qn_try_status_ = (expression);                                                \
        if (QN_UNLIKELY(qn_try_status_ != QUERN_OK)) return qn_try_status_;                        \
    } while (0)

/* The same inside a function whose exit is `cleanup:` and whose result is `status`. */
#define QN_GO(expression)                                                                          \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (QN_UNLIKELY(status != QUERN_OK)) goto cleanup;                                         \
    } while (0)

#endif
