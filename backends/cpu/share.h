/* SPDX-License-Identifier: Apache-2.0
 * Lanes that look at one column and begin alike: what they have in common is evaluated once for a tile.
 * And lanes that look at neighbouring columns of a matrix: their values are turned into columns together, since
 * each cache line has some of all of them. The bits are those of each lane alone. */
#ifndef QN_CPU_SHARE_H
#define QN_CPU_SHARE_H

#include "backends/cpu/chain.h"

enum { QN_TOGETHER_BYTES = 64 << 10, QN_TOGETHER_COLUMNS = 16 };

/* Neighbouring columns of a matrix of floats, as columns. */
struct qn_together {
    const char *base; /* the first column's row 0 */
    int64_t stride;
    uint32_t type, count; /* QN_T_F32 or QN_T_F64; columns, 0: there are none */
    _Alignas(64) char values[QN_TOGETHER_BYTES];
};

/* What the lane before left for the next. */
struct qn_share {
    const struct qn_lane *lane; /* NULL: nothing */
    uint32_t n_ops, work;       /* ops of it that `tile` has been through, and what it holds */
    union qn_tile tile;
    struct qn_together together;
};

/* Before other rows. */
void qn_share_forget(struct qn_share *);
/* qn_chain_eval of lanes[at] of n, whose rows [row, row + rows) `share` may have a part of, and gets the part
 * that lanes[at + 1] goes on with. */
uint32_t qn_share_eval(const struct qn_batch *batch, const struct qn_lane *lanes, uint32_t at,
                       uint32_t n, uint64_t row, uint32_t rows, struct qn_share *share,
                       union qn_tile *tile);

#endif
