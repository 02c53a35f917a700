/* SPDX-License-Identifier: Apache-2.0
 * Results that are made on the host, whatever device their values came from, and what reductions share. */
#ifndef QN_ARRAYS_RESULTS_H
#define QN_ARRAYS_RESULTS_H

#include "host/arrays/arrays.h"

/* A result: where the host writes, and the caller's buffer that it goes to. */
struct qn_array_made {
    quern_array host, buffer;
};
/* Checks what the caller gave, or makes it. A buffer must be packed row by row. */
quern_status qn_array_made_open(const char *what, const quern_array *given, quern_type type,
                                uint32_t ndim, const uint64_t *shape, struct qn_array_made *out);
/* Brings the values to where they belong if `status` is OK, hands over or frees what was made, and
 * returns the status. */
quern_status qn_array_made_close(quern_context *, quern_status, struct qn_array_made *,
                                 quern_array *given);
static inline char *qn_array_made_at(const struct qn_array_made *m, uint64_t row, uint64_t column)
{
    return (char *)m->host.data + (int64_t)row * m->host.strides[0] +
           (int64_t)column * m->host.strides[1];
}

/* All of x as one line: where it lies, or a packed copy, which the caller frees. */
quern_status qn_array_flatten(const char *what, quern_array *x, void **copy);
/* The lines from `first` on. */
struct qn_lines qn_lines_from(const struct qn_lines *, uint64_t first, uint64_t lines);
/* Values become the type and go to memory; NaN in one form. */
void qn_array_store(quern_type, double value, char *at);
void qn_array_store_integer(quern_type, uint64_t value, char *at);

#endif
