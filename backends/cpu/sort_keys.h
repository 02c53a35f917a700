/* SPDX-License-Identifier: Apache-2.0
 * Values as integers that have their order, a block of a line at a time, and back. */
#ifndef QN_CPU_SORT_KEYS_H
#define QN_CPU_SORT_KEYS_H

#include "host/ops/arrays.h"

/* Types of up to four bytes have 32-bit keys, the others 64-bit ones. */
int qn_sort_is_wide(uint32_t type);

/* Keys of `count` values of a line from its first-th on. flags: QN_SORT_*. */
void qn_sort_keys32(const struct qn_lines *, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint32_t *keys);
void qn_sort_keys64(const struct qn_lines *, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint64_t *keys);
/* The values of keys, to the same place. NaN is stored in canonical form. */
void qn_sort_values32(const struct qn_lines *, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint32_t *keys);
void qn_sort_values64(const struct qn_lines *, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint64_t *keys);

static inline char *qn_lines_at(const struct qn_lines *lines, uint64_t line, uint64_t i)
{
    return (char *)lines->data + (int64_t)line * lines->line_stride + (int64_t)i * lines->stride;
}

#endif
