/* SPDX-License-Identifier: Apache-2.0
 * Reductions of lines, as plain data. Backends see this file. */
#ifndef QN_REDUCTIONS_H
#define QN_REDUCTIONS_H

#include "host/ops/arrays.h"
#include "host/ops/requests.h"
#include "kernels/reduce.h"

/* A node for each line (kernels/reduce.h). Sums and products of integers as floats are of the values
 * converted to float64; PRODUCT_INT and SUM_INT take integers. out is host memory. */
struct qn_reduce_request {
    struct qn_lines in;
    uint32_t kind, skip; /* QN_REDUCE_*; skip: NaN is left out */
    uint32_t places;     /* whether places of extremes are wanted */
    struct qn_reduced *out;
};

/* All sums or products on the way along each line, in the type of `out`: F32, F64, or I64 and U64, which
 * are one. */
struct qn_accumulate_request {
    struct qn_lines in, out;
    uint32_t product, skip;
};

/* Sums of products of each two lines' differences from their means, in the order that docs/arrays.md
 * has; with weights, one for each value of a line, `weight` their sum. out: lines x lines, host memory, as
 * weights are. */
struct qn_covariance_request {
    struct qn_lines in;
    const double *weights; /* NULL: all the same */
    double weight;
    double *out;
    /* Of each two lines the values that both have, weights being NULL: how many (counts), and the sums of squares
     * of the row's line over them (squares; NULL: not wanted), both as out. */
    uint32_t skip;
    double *counts, *squares;
    uint64_t scratch; /* bytes of sums that are held at a time; 0: a good number of them */
};

/* Over the values that two lines have in common, for `pairs` pairs of panels of QN_PAIR_PANEL_LINES lines from
 * (first, second) on, in rows of the triangle: three planes of sums for each. t and w are the differences from
 * the means, less the pair's shifts. products: t * w, t * t, w * w; else t, w, 1. */
enum { QN_PAIR_PANEL_LINES = 32 };
struct qn_pair_sums {
    struct qn_lines in;
    const double *means;  /* first words, then second words */
    const double *shifts; /* [pair][2][lines of the first][lines of the second] */
    uint32_t products, panels, first, second, pairs;
    double *totals; /* [pair][3][…][…] */
};

/* A line's mean in two words, of its sum's node and n. */
static inline void qn_covariance_mean(const struct qn_reduced *node, double n, double *hi,
                                      double *lo)
{
    double sum = QN_F64(node->a), lost = QN_F64(node->b);
    *hi = (sum + lost) / n;
    if (sum + lost != sum + lost)
        *hi = sum / n; /* an infinite sum has lost NaN for its roundings */
    *lo = *hi - *hi == 0.0 ? (QN_FMA(-*hi, n, sum) + lost) / n : 0.0;
}
/* … and moved, by the sum of its values' weighted differences from it. */
static inline void qn_covariance_shift(double sum, double weight, double *hi, double *lo)
{
    double move = sum / weight + *lo, mean = *hi + move;
    *lo = mean - mean == 0.0 ? move - (mean - *hi) : 0.0;
    *hi = mean;
}

quern_status qn_op_covariance(struct qn_device *, struct qn_threads *, uint32_t queue,
                              const struct qn_covariance_request *, struct qn_outcome *);
quern_status qn_op_accumulate(struct qn_device *, struct qn_threads *, uint32_t queue,
                              const struct qn_accumulate_request *, struct qn_outcome *);
quern_status qn_op_reduce(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_reduce_request *, struct qn_outcome *);
/* The nodes of a line's blocks, joined in their order, with canonical NaN. Inline, for backends link no
 * operations. */
static inline struct qn_reduced qn_reduce_fold(uint32_t kind, const struct qn_reduced *blocks,
                                               uint64_t n, uint64_t step)
{
    const uint64_t nan = 0x7ff8000000000000u;
    struct qn_reduced r = qn_reduce_empty(kind);
    for (uint64_t i = 0; i < n; i++) r = qn_reduce_merge(kind, r, blocks[i * step]);
    if (kind == QN_REDUCE_SUM || kind == QN_REDUCE_PRODUCT) {
        if (QN_F64(r.a) != QN_F64(r.a)) r.a = nan;
        if (QN_F64(r.b) != QN_F64(r.b)) r.b = nan;
    }
    return r;
}

/* What the CPU backend offers, for lines in host memory. */
quern_status qn_cpu_reduce(struct qn_threads *, const struct qn_reduce_request *);
quern_status qn_cpu_covariance(struct qn_threads *, const struct qn_covariance_request *);
quern_status qn_cpu_pair_sums(struct qn_threads *, const struct qn_pair_sums *);
quern_status qn_cpu_accumulate(struct qn_threads *, const struct qn_accumulate_request *);
/* Moments of lines of at most QN_BLOCK_ROWS values, as of columns: a node for each. */
void qn_cpu_moments_lines(struct qn_threads *, const struct qn_lines *, struct qn_node *nodes);

#endif
