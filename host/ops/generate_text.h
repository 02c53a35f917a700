/* SPDX-License-Identifier: Apache-2.0
 * What the generators of programs write with. */
#ifndef QN_GENERATE_TEXT_H
#define QN_GENERATE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* A text that grows; begins as zeros. failed: memory ran out, the text is not whole. */
struct qn_writer {
    char *text; /* qn_free */
    size_t used, room;
    int failed;
};
void qn_write_text(struct qn_writer *, const char *text, size_t bytes);
void qn_write_line(struct qn_writer *, const char *format, va_list);
/* "v<k + 1> = op(v<k>);" for all ops but TAKE, JOIN_* and NORM; p: the number of its first parameter's
 * variable. FIND needs a variable `seen`, a pointer. */
void qn_write_op(struct qn_writer *, uint32_t k, uint32_t code, uint32_t work, uint32_t p);

uint32_t qn_op_words(uint32_t code);                       /* parameter words of an op */
const char *qn_op_word_type(uint32_t code, uint32_t work); /* what they are read as */
const char *qn_work_name(uint32_t work);                   /* "float", … */

#endif
