/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments of weighted rows (docs/numbers.md): a node per block of 1024 rows and lane; the
 * tree over them is that of kernels/moments.k.h. The weights are packed doubles, one per row, finite
 * and not negative. A row is missing when its value is NaN or its weight 0. The pivot is the value of
 * the first row of the largest weight among those that are not missing.
 *
 * GPU: the items are those of the kernels without weights. CPU: an item takes whole blocks of one
 * lane. */
#include "kernels/node.h"

/* The moments of a class are those of rows that weigh 1 where they have its code and 0 elsewhere. */
QN_KERNEL qn_class_weights(QN_GLOBAL const qn_u32 *QN_RESTRICT codes, qn_u64 rows, qn_u32 code,
                           qn_u32 per_item, QN_GLOBAL double *QN_RESTRICT weights)
{
#if defined(QN_CPU_SHAPE)
    qn_u64 row = (qn_u64)QN_GROUP() * per_item;
#else
    qn_u64 row = ((qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM()) * per_item;
#endif
    for (qn_u32 i = 0u; i < per_item && row + i < rows; i++)
        weights[row + i] = codes[row + i] == code ? 1.0 : 0.0;
}

#if !defined(QN_CPU_SHAPE)

QN_FN void qn_weighted_group(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                             QN_GLOBAL const qn_u64 *table, QN_GLOBAL const double *weights,
                             qn_u64 rows, qn_u32 blocks, qn_u32 by_rows,
                             QN_GLOBAL struct qn_moments_node *nodes, QN_LOCAL double *sum0,
                             QN_LOCAL double *sum1, QN_LOCAL double *sum2, QN_LOCAL qn_u32 *place)
{
    struct qn_moments_item m = qn_moments_item_at(in, table, rows, blocks, by_rows);
    qn_u32 item = QN_ITEM(), part = m.part, hop = m.hop, n = m.n;
#define VALUE(i) qn_moments_value(kind, in, table, m.lane, m.base, m.stride, m.first_row + (i))

    /* The pivot: a lane's own rows first, then the larger weight of two lanes, the earlier row of
     * equal ones. */
    qn_u32 at = QN_BLOCK_ROWS;
    double heaviest = 0.0;
    for (qn_u32 i = part; i < n; i += 16u) {
        double v = VALUE(i), w = weights[m.first_row + i];
        if (v == v && w > heaviest) {
            heaviest = w;
            at = i;
        }
    }
    sum0[item] = heaviest;
    place[item] = at;
    QN_BARRIER();
    for (qn_u32 h = 8u; h > 0u; h >>= 1) {
        if (m.on && part < h) {
            qn_u32 other = item + h * hop;
            if (sum0[other] > sum0[item] ||
                (sum0[other] == sum0[item] && place[other] < place[item])) {
                sum0[item] = sum0[other];
                place[item] = place[other];
            }
        }
        QN_BARRIER();
    }
    at = m.on ? place[item - part * hop] : QN_BLOCK_ROWS;
    double pivot = at < n ? VALUE(at) : 0.0;
    QN_BARRIER();

    /* Once, and once more where the mean is the better pivot; the other pairs keep their sums. */
    qn_u32 root = item - part * hop;
    int wanted = m.on;
    for (qn_u32 again = 0u; again < 2u; again++) {
        if (again == 1u) {
            double better = m.on ? qn_node_pivot(sum0[root], pivot, sum1[root], sum2[root]) : pivot;
            wanted = better != pivot;
            pivot = better;
            QN_BARRIER();
        }
        double s0 = 0.0, s1 = 0.0, s2 = 0.0;
        for (qn_u32 i = wanted ? part : n; i < n; i += 16u) {
            double v = VALUE(i), w = weights[m.first_row + i];
            int ok = v == v && w > 0.0;
            double t = ok ? v - pivot : 0.0, g = ok ? w * t : 0.0;
            s0 += ok ? w : 0.0;
            s1 += g;
            s2 = QN_FMA(g, t, s2);
        }
        if (wanted) {
            sum0[item] = s0;
            sum1[item] = s1;
            sum2[item] = s2;
        }
        QN_BARRIER();
        for (qn_u32 h = 8u; h > 0u; h >>= 1) {
            if (wanted && part < h) {
                sum0[item] += sum0[item + h * hop];
                sum1[item] += sum1[item + h * hop];
                sum2[item] += sum2[item + h * hop];
            }
            QN_BARRIER();
        }
    }
#undef VALUE
    if (m.on && part == 0u)
        nodes[(qn_u64)m.block * QN_HEAD(table)->n_lanes + m.lane] =
            qn_node_finish(sum0[item], pivot, sum1[item], sum2[item]);
}

#define QN_WEIGHTED_KERNEL(NAME, KIND)                                                             \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table,                                      \
                   QN_GLOBAL const double *QN_RESTRICT weights, qn_u64 rows, qn_u32 blocks,        \
                   qn_u32 by_rows, QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes)            \
    {                                                                                              \
        QN_SHARED double sum0[QN_ITEMS];                                                           \
        QN_SHARED double sum1[QN_ITEMS];                                                           \
        QN_SHARED double sum2[QN_ITEMS];                                                           \
        QN_SHARED qn_u32 place[QN_ITEMS];                                                          \
        qn_weighted_group(KIND, in, table, weights, rows, blocks, by_rows, nodes, sum0, sum1,      \
                          sum2, place);                                                            \
    }

#else /* QN_CPU_SHAPE */

QN_FN struct qn_moments_node qn_weighted_block(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                                               QN_GLOBAL const qn_u64 *table,
                                               QN_GLOBAL const double *weights, qn_u32 lane,
                                               qn_u64 row, qn_u32 n)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    QN_GLOBAL const unsigned char *base = in + l->offset;
    qn_u64 stride = l->stride;
    double s0[QN_BLOCK_LANES], s1[QN_BLOCK_LANES], s2[QN_BLOCK_LANES];
    double pivot = 0.0, heaviest = 0.0;
#define VALUE(i) qn_moments_value(kind, in, table, lane, base, stride, row + (i))
    for (qn_u32 i = 0u; i < n; i++) {
        double w = weights[row + i];
        if (!(w > heaviest)) continue;
        double v = VALUE(i);
        if (v != v) continue;
        heaviest = w;
        pivot = v;
    }
    for (qn_u32 again = 0u; again < 2u; again++) {
        double better = again == 1u ? qn_node_pivot(s0[0], pivot, s1[0], s2[0]) : pivot;
        if (again == 1u && better == pivot) break;
        pivot = better;
        for (qn_u32 i = 0u; i < QN_BLOCK_LANES; i++) s0[i] = s1[i] = s2[i] = 0.0;
        for (qn_u32 i = 0u; i < n; i++) {
            double v = VALUE(i), w = weights[row + i];
            int ok = v == v && w > 0.0;
            double t = ok ? v - pivot : 0.0, g = ok ? w * t : 0.0;
            qn_u32 at = i % QN_BLOCK_LANES;
            s0[at] += ok ? w : 0.0;
            s1[at] += g;
            s2[at] = QN_FMA(g, t, s2[at]);
        }
        for (qn_u32 h = QN_BLOCK_LANES / 2u; h > 0u; h >>= 1)
            for (qn_u32 i = 0u; i < h; i++) {
                s0[i] += s0[i + h];
                s1[i] += s1[i + h];
                s2[i] += s2[i + h];
            }
    }
#undef VALUE
    return qn_node_finish(s0[0], pivot, s1[0], s2[0]);
}

/* Item x: blocks [x * per_item, …) of lane y. */
#define QN_WEIGHTED_KERNEL(NAME, KIND)                                                             \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table,                                      \
                   QN_GLOBAL const double *QN_RESTRICT weights, qn_u64 rows, qn_u32 blocks,        \
                   qn_u32 per_item, QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes)           \
    {                                                                                              \
        qn_u32 lane = QN_GROUP_Y();                                                                \
        for (qn_u32 k = 0u; k < per_item; k++) {                                                   \
            qn_u64 block = (qn_u64)QN_GROUP() * per_item + k, row = block * QN_BLOCK_ROWS;         \
            if (block >= blocks) return;                                                           \
            qn_u32 n = rows - row < QN_BLOCK_ROWS ? (qn_u32)(rows - row) : QN_BLOCK_ROWS;          \
            nodes[block * QN_HEAD(table)->n_lanes + lane] =                                        \
                qn_weighted_block(KIND, in, table, weights, lane, row, n);                         \
        }                                                                                          \
    }

#endif

QN_WEIGHTED_KERNEL(qn_weighted_f32, QN_KIND_F32)
QN_WEIGHTED_KERNEL(qn_weighted_f64, QN_KIND_F64)
QN_WEIGHTED_KERNEL(qn_weighted_any, QN_KIND_ANY)
