/* SPDX-License-Identifier: Apache-2.0
 * Whether cells of two tables are the same, to the byte. */
#ifndef TEST_TABLE_SAME_H
#define TEST_TABLE_SAME_H

#include <string.h>

#include "host/data/table.h"

static inline int same_cell(const quern_column *a, uint64_t i, const quern_column *b, uint64_t j)
{
    uint64_t m, n;
    if (a->type != b->type || qn_column_valid(a, i) != qn_column_valid(b, j)) return 0;
    if (!qn_column_valid(a, i)) return 1;
    if (a->type == QUERN_STRING) {
        const char *p = qn_column_string(a, i, &m), *q = qn_column_string(b, j, &n);
        return m == n && (m == 0 || memcmp(p, q, m) == 0);
    }
    size_t bytes = qn_type_bytes(a->type);
    return memcmp((const char *)a->data + i * bytes, (const char *)b->data + j * bytes, bytes) == 0;
}

#endif
