/* SPDX-License-Identifier: Apache-2.0
 * A chain of float ops over a stretch of values in registers: the flat path's kernel, offered to the
 * tiles for single columns too. */
#ifndef QN_CPU_RUN_FLAT_H
#define QN_CPU_RUN_FLAT_H

#include <stddef.h>

#include "host/ops/requests.h"

enum { QN_FLAT_MAX_OPS = 16 };

struct qn_flat_op {
    uint32_t code, edges; /* BIN: edges of a column, at most */
    uint32_t cells;       /* BIN: 0, or by cells (run_flat_bins.h) */
    uint32_t limits;      /* LOG1P: a CLIP comes first, whose p0 and p1 are at the third */
    uint32_t scales;      /* LOG1P: less p0, by the second's p0, whose p1 are the reciprocals */
    size_t second, third; /* as first */
    size_t first;         /* element of p0 in the parameters; p1 lies `extended` further.
                     BIN: the number of edges, then each edge, `extended` apart; by cells low, scale, and
                     where the column's cells begin in what follows: all columns' edges, then what is
                     before them */
};

struct qn_flat_chain {
    uint32_t n_ops;
    uint32_t goes_on; /* the values are not as they were loaded: only LOOK marks them */
    uint32_t is_last; /* they are stored: NaNs become canonical */
    uint32_t no_nans; /* none is left where they are stored */
    size_t columns, period, extended; /* in values; a column has one value a parameter */
    const void *params;
    const struct qn_flat_chain *plain; /* of a fused one (run_flat_fuse.h), as the program has it */
    struct qn_flat_op ops[QN_FLAT_MAX_OPS];
};

struct qn_flat_column {
    struct qn_flat_chain chain;
    union {
        float f32[2 * QN_FLAT_MAX_OPS];
        double f64[2 * QN_FLAT_MAX_OPS];
    } params;
    uint32_t is_f64;
};

/* 0: an op or a working type that the kernel does not know. */
int qn_flat_column_open(struct qn_flat_column *, const struct qn_batch *, uint32_t first_op,
                        uint32_t n_ops, uint32_t work);
/* n packed, aligned values of the working type from `in` to `out` (which may be `in`); NaNs come out
 * canonical. Returns QN_SEEN_* of the values as they came if `marked`. */
uint32_t qn_flat_column_run(const struct qn_flat_column *, const void *in, void *out, size_t n,
                            int marked);

#endif
