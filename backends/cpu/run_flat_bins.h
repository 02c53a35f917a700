/* SPDX-License-Identifier: Apache-2.0
 * Bins of the flat path without a comparison for every edge: a column's range is cut into cells of equal width
 * with one edge in each at most, so that a value's cell leaves one edge to compare with. */
#ifndef QN_CPU_RUN_FLAT_BINS_H
#define QN_CPU_RUN_FLAT_BINS_H

#include "host/ops/requests.h"

enum { QN_FLAT_LINES = 16 }; /* edges that are compared with one after the other, at most */

/* How a column is cut: the cell is (x - low) * scale, cut to [0, cells - 1] and to a whole number. */
struct qn_flat_cut {
    double low, scale;
};

/* Op number `op` of all lanes is BIN: the cells for all of them. 0: there are none, or they take longer than
 * comparisons; as many as edges: cell number i has edge number i.. */
uint32_t qn_flat_cells(const struct qn_batch *, uint32_t op, uint32_t most_edges);

/* For `cells` that were found: a lane's cut, the edge of each cell and the number of edges before it. A cell without
 * an edge has NaN, and one edge less before it. */
struct qn_flat_cut qn_flat_fill_cells(const struct qn_batch *, const struct qn_lane *, uint32_t op,
                                      uint32_t cells, double *edges, double *before);

/* Edge k of a lane's BIN, as its working type has it. */
double qn_flat_edge(const struct qn_batch *, const struct qn_lane *, uint32_t op, uint64_t k);
uint64_t qn_flat_edges(const struct qn_batch *, const struct qn_lane *, uint32_t op);

#endif
