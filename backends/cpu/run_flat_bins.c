/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/run_flat_bins.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/starts.h"

enum {
    LEAST_EDGES_ALONE = 6, /* below, comparisons are sooner done than one look at a cell ...     */
    LEAST_EDGES = 12,      /* ... and than two                                                   */
    MOST_CELLS = 1024,
    MOST_BYTES = 1 << 16 /* of all columns' cells                                              */
};

uint64_t qn_flat_edges(const struct qn_batch *b, const struct qn_lane *lane, uint32_t op)
{
    return b->words[b->ops[lane->first_op + op].arg + 1];
}

double qn_flat_edge(const struct qn_batch *b, const struct qn_lane *lane, uint32_t op, uint64_t k)
{
    double edge;
    memcpy(&edge, &b->words[b->words[b->ops[lane->first_op + op].arg] + k], sizeof edge);
    return lane->work == QN_W_F32 ? (double)qn_edge_f32(edge) : edge;
}

/* The kernel's arithmetic (run_flat_body.h). Never falls as x grows. */
static uint32_t cell_of(const struct qn_flat_cut *cut, double x, uint32_t cells, int f32)
{
    double t = (x - cut->low) * cut->scale, last = (double)(cells - 1);
    if (f32) t = (double)(((float)x - (float)cut->low) * (float)cut->scale);
    t = t < last ? t : last;
    return t > 0 ? (uint32_t)t : 0;
}

/* The first edge in the middle of the first cell, the last one in that of the last. */
static struct qn_flat_cut cut_at(double first, double last, uint32_t cells, int f32)
{
    double scale = last > first ? (double)(cells - 1) / (last - first) : 1.0;
    struct qn_flat_cut cut = {first - 0.5 / scale, scale};
    if (f32) cut = (struct qn_flat_cut){(double)(float)cut.low, (double)(float)cut.scale};
    return cut;
}

static struct qn_flat_cut cut_of(const struct qn_batch *b, const struct qn_lane *lane, uint32_t op,
                                 uint32_t cells)
{
    const uint64_t k = qn_flat_edges(b, lane, op);
    if (k == 0) return (struct qn_flat_cut){0, 1};
    return cut_at(qn_flat_edge(b, lane, op, 0), qn_flat_edge(b, lane, op, k - 1), cells,
                  lane->work == QN_W_F32);
}

/* Whether each edge has a cell of its own; alone: of its number. */
static int separates(const struct qn_batch *b, const struct qn_lane *lane, uint32_t op,
                     uint32_t cells, int alone)
{
    const struct qn_flat_cut cut = cut_of(b, lane, op, cells);
    const uint64_t k = qn_flat_edges(b, lane, op);
    uint32_t before = 0;
    if (!isfinite(cut.low) || !isfinite(cut.scale) || !(cut.scale > 0) || (alone && k != cells))
        return 0;
    for (uint64_t i = 0; i < k; i++) {
        double edge = qn_flat_edge(b, lane, op, i);
        if (!isfinite(edge)) return 0;
        uint32_t cell = cell_of(&cut, edge, cells, lane->work == QN_W_F32);
        if (alone ? cell != i : i > 0 && cell <= before) return 0;
        before = cell;
    }
    return 1;
}

static int all_separate(const struct qn_batch *b, uint32_t op, uint32_t cells, int alone)
{
    for (uint32_t j = 0; j < b->n_lanes; j++)
        if (!separates(b, &b->lanes[j], op, cells, alone)) return 0;
    return 1;
}

uint32_t qn_flat_cells(const struct qn_batch *b, uint32_t op, uint32_t most_edges)
{
    uint64_t size = b->lanes[0].work == QN_W_F32 ? 4 : 8;
    if (most_edges >= LEAST_EDGES_ALONE && most_edges * size * b->n_lanes <= MOST_BYTES &&
        all_separate(b, op, most_edges, 1))
        return most_edges;
    uint32_t cells = 2;
    while (cells <= most_edges) cells *= 2;
    for (; most_edges >= LEAST_EDGES && cells <= MOST_CELLS &&
           2 * cells * size * b->n_lanes <= MOST_BYTES;
         cells *= 2)
        if (all_separate(b, op, cells, 0)) return cells;
    return 0;
}

struct qn_flat_cut qn_flat_fill_cells(const struct qn_batch *b, const struct qn_lane *lane,
                                      uint32_t op, uint32_t cells, double *edges, double *before)
{
    const struct qn_flat_cut cut = cut_of(b, lane, op, cells);
    const uint64_t k = qn_flat_edges(b, lane, op);
    uint64_t i = 0;
    for (uint32_t cell = 0; cell < cells; cell++) {
        double edge = i < k ? qn_flat_edge(b, lane, op, i) : 0;
        int own = i < k && cell_of(&cut, edge, cells, lane->work == QN_W_F32) == cell;
        edges[cell] = own ? edge : (double)NAN;
        before[cell] = own ? (double)i : (double)i - 1;
        i += (uint64_t)own;
    }
    return cut;
}
