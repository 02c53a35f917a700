/* SPDX-License-Identifier: Apache-2.0
 * Moments of columns, above the operation: the operation gives one node per column and group of 64
 * blocks, here the groups become one node per column, along the perfect binary tree over block
 * numbers (docs/numbers.md). So the result depends on the rows and their order alone, whatever the
 * chunks, threads and device. */
#ifndef QN_MOMENTS_H
#define QN_MOMENTS_H

#include "host/core/status.h"
#include "host/ops/requests.h"

/* merge(a, b), a before b; an empty side returns the other unchanged. */
struct qn_node qn_node_merge(struct qn_node a, struct qn_node b);

/* The moments of a column whose missing values are replaced by `value`: the node of the values that
 * are there, then `missing` equal ones. A scaler after an imputer needs no pass of its own. */
struct qn_node qn_node_impute(struct qn_node node, uint64_t missing, double value);

/* What StandardScaler learns from a node. No values: mean, var and scale are NaN. The variance is the
 * population's. scale is sqrt(var), or 1 where the column cannot be told from a constant one:
 * var <= n eps var + (n mean eps)^2. */
struct qn_standard {
    double count, mean, var, scale;
};
struct qn_standard qn_node_standard(struct qn_node node);

/* ---- streaming ---- */

/* Nodes that wait for their sibling, for `lanes` columns at once. */
struct qn_moments;

/* first_row: where the data of this state begins, a multiple of QN_GROUP_ROWS. */
quern_status qn_moments_open(uint32_t lanes, uint64_t first_row, struct qn_moments **out);
void qn_moments_free(struct qn_moments *);
/* The nodes of the next `rows` rows, [group * lanes + lane]. Only the last push may have a number of
 * rows that is not a multiple of QN_GROUP_ROWS. */
quern_status qn_moments_push(struct qn_moments *, const struct qn_node *nodes, uint64_t rows);
/* `next` begins where `into` ends, at a multiple of QN_GROUP_ROWS: the same bits as if all had been
 * pushed into one. */
quern_status qn_moments_append(struct qn_moments *into, const struct qn_moments *next);
/* The column's node so far. Nothing changes: more may be pushed. */
struct qn_node qn_moments_result(const struct qn_moments *, uint32_t lane);
/* The same when a block that is not full yet follows, whose node is `open`. */
struct qn_node qn_moments_result_with(const struct qn_moments *, uint32_t lane,
                                      struct qn_node open);
uint64_t qn_moments_rows(const struct qn_moments *);

/* ---- rows that come as they come ---- */

/* One node per lane over the next 2^level whole blocks (level <= 6). The rows so far are a multiple of as
 * many, so the subtree is one of the perfect tree's. Not mixed with qn_moments_push, but where the rows
 * so far are a multiple of QN_GROUP_ROWS. */
quern_status qn_moments_push_blocks(struct qn_moments *, const struct qn_node *nodes,
                                    uint32_t level);
/* What a state of whole blocks from row 0 on consists of: qn_moments_depth(rows) rows of nodes,
 * [depth][lane]. Restoring puts them into a state that is new. */
uint32_t qn_moments_depth(uint64_t rows);
const struct qn_node *qn_moments_nodes(const struct qn_moments *);
quern_status qn_moments_restore(struct qn_moments *, uint64_t rows, const struct qn_node *nodes);

#endif
