/* SPDX-License-Identifier: Apache-2.0
 * Moments of pairs above the operation: what moments.h is for one column, of each column and the target
 * together. */
#ifndef QN_PAIRS_H
#define QN_PAIRS_H

#include "host/core/status.h"
#include "host/ops/requests.h"
#include "host/stats/tree.h"

/* merge(a, b), a before b; an empty side returns the other unchanged. */
struct qn_pair qn_pair_merge(struct qn_pair a, struct qn_pair b);
/* With so many rows whose value is 0, of which only the whole of the targets is known, `all`. */
struct qn_pair qn_pair_zeros(struct qn_pair stored, struct qn_node all, uint64_t zeros);

/* A tree of them: qn_tree_push takes what the operation gives. */
quern_status qn_pairs_open(uint32_t lanes, struct qn_tree *);
/* The column's pair so far. */
struct qn_pair qn_pairs_result(const struct qn_tree *, uint32_t lane);

#endif
