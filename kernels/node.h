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

/* The pivot with which a block's sums are to be made. Where p lies so far from the mean that the squares
 * lose six bits or more in qn_node_finish, that is the mean, and the sums are made once more. */
QN_FN double qn_node_pivot(double n, double p, double s1, double s2)
{
    if (n == 0.0) return p;
    double m = s1 / n, mean = p + m, q = QN_FMA(-m, s1, s2);
    int far_off = m * s1 > 64.0 * (q > 0.0 ? q : 0.0);
    return far_off && mean - mean == 0.0 ? mean : p;
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

#if !defined(QN_CPU_SHAPE)

/* What an item of a group does: lane `part` of 16 of one block and column, whose other parts are `hop`
 * items apart. Groups y: 16 columns; x: as many blocks as fit. by_rows says whether neighbouring items
 * are neighbouring columns or neighbouring rows. */
struct qn_moments_item {
    int on;                           /* 0: there is no such block */
    qn_u32 part, hop, block, lane, n; /* n: rows of the block */
    qn_u64 first_row, stride;
    QN_GLOBAL const unsigned char *base;
};

QN_FN struct qn_moments_item qn_moments_item_at(QN_GLOBAL const unsigned char *in,
                                                QN_GLOBAL const qn_u64 *table, qn_u64 rows,
                                                qn_u32 blocks, qn_u32 by_rows)
{
    qn_u32 item = QN_ITEM(), n_lanes = QN_HEAD(table)->n_lanes, tile = QN_GROUP_Y() * 16u;
    qn_u32 width = n_lanes - tile < 16u ? n_lanes - tile : 16u;
    qn_u32 pairs = 16u * width, per_group = QN_ITEMS / pairs, k = item / pairs,
           q = item - k * pairs;
    struct qn_moments_item m;
    m.part = by_rows ? q / width : q & 15u;
    m.hop = by_rows ? width : 1u;
    m.lane = tile + (by_rows ? q - m.part * width : q >> 4);
    m.block = QN_GROUP() * per_group + k;
    m.on = k < per_group && m.block < blocks;
    m.first_row = (qn_u64)m.block * QN_BLOCK_ROWS;
    m.n = 0u;
    m.base = in;
    m.stride = 0u;
    if (m.on) {
        QN_GLOBAL const struct qn_lane_desc *l =
            QN_PART(struct qn_lane_desc, table, lanes) + m.lane;
        m.n = rows - m.first_row < QN_BLOCK_ROWS ? (qn_u32)(rows - m.first_row) : QN_BLOCK_ROWS;
        m.base = in + l->offset;
        m.stride = l->stride;
    }
    return m;
}

#endif

#endif
