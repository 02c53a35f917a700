/* SPDX-License-Identifier: Apache-2.0
 * Kernels that make a node of each block of rows of each lane, and then of each group of 64 blocks: how
 * they are launched. kernels/paired.k.h and kernels/powers.k.h have this form, and the first half of it
 * kernels/weighted.k.h. */
#ifndef QN_OPS_BLOCKS_H
#define QN_OPS_BLOCKS_H

#include "host/ops/job.h"
#include "host/ops/requests.h"

struct qn_block_kernels {
    const char *text, *blocks[3], *fold; /* blocks: of any types, of f32, of f64 */
};

/* Nodes of `blocks` blocks, by lane, at `nodes`. own: what the kernels have beside the rows. */
quern_status qn_blocks_nodes(struct qn_job *, const struct qn_block_kernels *,
                             const struct qn_batch *, struct qn_view table, struct qn_view own,
                             uint32_t blocks, struct qn_view nodes);

/* Nodes of groups of QN_GROUP_BLOCKS of them, by lane, at `out`; `nodes` are used up. */
quern_status qn_blocks_fold(struct qn_job *, const struct qn_block_kernels *, uint32_t blocks,
                            uint32_t n_lanes, struct qn_view nodes, struct qn_view out);

#endif
