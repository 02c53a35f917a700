/* SPDX-License-Identifier: Apache-2.0
 * Rows of a packed matrix divided by their norms, with fused multiply-add and vectors of 32 or 64 bytes. */
#ifndef QN_CPU_RUN_NORM_WIDE_H
#define QN_CPU_RUN_NORM_WIDE_H

#include <stddef.h>
#include <stdint.h>

struct qn_norm_rows {
    const void *in;
    void *out; /* may be `in` */
    size_t rows, columns;
    uint32_t kind;
    int stream;     /* past the caches; a fence ends it */
    uint32_t *seen; /* of each column, or NULL */
};

typedef void qn_norm_rows_fn(const struct qn_norm_rows *);

/* For QN_W_F32 or QN_W_F64 and the present instruction set; NULL where that has no such vectors. */
qn_norm_rows_fn *qn_norm_wide(uint32_t work);

#endif
