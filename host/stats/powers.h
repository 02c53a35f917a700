/* SPDX-License-Identifier: Apache-2.0
 * Curves of powers above the operation: what moments.h is for moments. */
#ifndef QN_STATS_POWERS_H
#define QN_STATS_POWERS_H

#include "host/core/status.h"
#include "host/stats/tree.h"
#include "kernels/powers.h"

/* A tree of qn_powers_node: qn_tree_push takes what the operation gives. */
quern_status qn_powers_open(uint32_t lanes, struct qn_tree *);
/* The column's node so far. */
struct qn_powers_node qn_powers_result(const struct qn_tree *, uint32_t lane);

#endif
