/* SPDX-License-Identifier: Apache-2.0
 * The node of canonical moments: how a block's sums become one, and how two neighbours merge
 * (docs/numbers.md). */
#ifndef QN_NODE_H
#define QN_NODE_H

#include "kernels/chain.k.h"

struct qn_moments_node {
    double n, hi, lo, m2;
};

QN_FN struct qn_moments_node qn_node_finish(double n, double p, double s1, double s2)
{
    struct qn_moments_node r = {0.0, 0.0, 0.0, 0.0};
    if (n == 0.0) return r;
    double m = s1 / n;
    r.n = n;
    r.hi = p + m;
    double z = r.hi - p;
    r.lo = (p - (r.hi - z)) + (m - z);
    double q = QN_FMA(-m, s1, s2);
    r.m2 = q > 0.0 ? q : 0.0;
    return r;
}

/* a before b; an empty side returns the other unchanged. */
QN_FN struct qn_moments_node qn_node_merge(struct qn_moments_node a, struct qn_moments_node b)
{
    if (b.n == 0.0) return a;
    if (a.n == 0.0) return b;
    struct qn_moments_node r;
    r.n = a.n + b.n;
    double delta = (b.hi - a.hi) + (b.lo - a.lo), share = b.n / r.n;
    double s = QN_FMA(delta, share, a.lo);
    r.hi = a.hi + s;
    double z = r.hi - a.hi;
    r.lo = (a.hi - (r.hi - z)) + (s - z);
    r.m2 = QN_FMA(delta * delta, a.n * share, a.m2 + b.m2);
    return r;
}

#define QN_KIND_F32 0u
#define QN_KIND_F64 1u
#define QN_KIND_ANY 2u

/* The value of a lane at a row; `kind` is a constant wherever this is called. */
QN_FN double qn_moments_value(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                              QN_GLOBAL const qn_u64 *table, qn_u32 lane,
                              QN_GLOBAL const unsigned char *column, qn_u64 stride, qn_u64 row)
{
    if (kind == QN_KIND_F32) return (double)*(QN_GLOBAL const float *)(column + row * stride);
    if (kind == QN_KIND_F64) return *(QN_GLOBAL const double *)(column + row * stride);
    return qn_lane_value(in, table, lane, row);
}

#endif
