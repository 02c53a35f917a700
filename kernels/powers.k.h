/* SPDX-License-Identifier: Apache-2.0
 * Curves of powers (kernels/powers.h): a node per block of 1024 rows and lane, then the tree over 64
 * blocks. A missing value counts as the block's first one, whose terms less themselves are 0.
 *
 * GPU: the items are those of the kernels of moments. CPU: an item takes whole blocks of one lane. */
#include "kernels/node.h"
#include "kernels/powers_sums.h"

/* Called, not inlined, as qn_function is. */
QN_CALLED void qn_powers_terms_at(double x, QN_GLOBAL const struct qn_powers_at *at,
                                  struct qn_powers_terms *t)
{
    double s = at->box_cox != 0.0 ? qn_powers_log_box_cox(x, at->shift, at->scale)
                                  : qn_powers_log(x, at->shift, at->scale);
    double e = qn_powers_exp(s, at->up, at->down);
    qn_powers_of(s, e, s < 0.0 ? at->down_inverse : at->up_inverse, t);
}

QN_FN void qn_powers_none(struct qn_powers_terms *t)
{
    t->s = 0.0;
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) t->a[k] = 0.0;
}

#if !defined(QN_CPU_SHAPE)

QN_FN void qn_powers_group(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                           QN_GLOBAL const qn_u64 *table, QN_GLOBAL const struct qn_powers_at *at,
                           qn_u64 rows, qn_u32 blocks, qn_u32 by_rows,
                           QN_GLOBAL struct qn_powers_node *nodes, QN_LOCAL double *shared,
                           QN_LOCAL qn_u32 *count)
{
    struct qn_moments_item m = qn_moments_item_at(in, table, rows, blocks, by_rows);
    qn_u32 item = QN_ITEM(), part = m.part, hop = m.hop, n = m.n, seen = 0u;
    double sums[QN_POWERS_SUMS];
    struct qn_powers_terms pivot, t;
#define VALUE(i) qn_moments_value(kind, in, table, m.lane, m.base, m.stride, m.first_row + (i))

    /* The pivot: the block's first value that is not missing. */
    qn_u32 first = QN_BLOCK_ROWS;
    for (qn_u32 i = part; i < n && first == QN_BLOCK_ROWS; i += 16u) {
        double v = VALUE(i);
        if (v == v) first = i;
    }
    count[item] = first;
    QN_BARRIER();
    for (qn_u32 h = 8u; h > 0u; h >>= 1) {
        if (m.on && part < h && count[item + h * hop] < count[item])
            count[item] = count[item + h * hop];
        QN_BARRIER();
    }
    first = m.on ? count[item - part * hop] : QN_BLOCK_ROWS;
    QN_BARRIER();

    qn_powers_none(&pivot);
    for (qn_u32 k = 0u; k < QN_POWERS_SUMS; k++) sums[k] = 0.0;
    if (first < n) {
        double p = VALUE(first);
        qn_powers_terms_at(p, at + m.lane, &pivot);
        for (qn_u32 i = part; i < n; i += 16u) {
            double v = VALUE(i);
            seen += v == v ? 1u : 0u;
            qn_powers_terms_at(v == v ? v : p, at + m.lane, &t);
            qn_powers_less(&t, &pivot);
            qn_powers_add(&t, 1u, sums);
        }
    }
#undef VALUE
    for (qn_u32 k = 0u; k < QN_POWERS_SUMS; k++) shared[item + k * QN_ITEMS] = sums[k];
    count[item] = seen;
    QN_BARRIER();
    for (qn_u32 h = 8u; h > 0u; h >>= 1) {
        if (m.on && part < h) {
            for (qn_u32 k = 0u; k < QN_POWERS_SUMS; k++)
                shared[item + k * QN_ITEMS] += shared[item + h * hop + k * QN_ITEMS];
            count[item] += count[item + h * hop];
        }
        QN_BARRIER();
    }
    if (m.on && part == 0u) {
        for (qn_u32 k = 0u; k < QN_POWERS_SUMS; k++) sums[k] = shared[item + k * QN_ITEMS];
        qn_powers_finish(&nodes[(qn_u64)m.block * QN_HEAD(table)->n_lanes + m.lane],
                         (double)count[item], &pivot, sums);
    }
}

#define QN_POWERS_KERNEL(NAME, KIND)                                                               \
    QN_KERNEL NAME(                                                                                \
        QN_GLOBAL const unsigned char *QN_RESTRICT in, QN_GLOBAL const qn_u64 *QN_RESTRICT table,  \
        QN_GLOBAL const struct qn_powers_at *QN_RESTRICT at, qn_u64 rows, qn_u32 blocks,           \
        qn_u32 by_rows, QN_GLOBAL struct qn_powers_node *QN_RESTRICT nodes)                        \
    {                                                                                              \
        QN_SHARED double shared[QN_POWERS_SUMS * QN_ITEMS];                                        \
        QN_SHARED qn_u32 count[QN_ITEMS];                                                          \
        qn_powers_group(KIND, in, table, at, rows, blocks, by_rows, nodes, shared, count);         \
    }

/* Items take lanes of a group of blocks each, and its tree level by level, in place. */
#define QN_POWERS_LANE() (QN_GROUP_Y() * QN_ITEMS + QN_ITEM())

#else /* QN_CPU_SHAPE */

QN_FN void qn_powers_block(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                           QN_GLOBAL const qn_u64 *table, QN_GLOBAL const struct qn_powers_at *at,
                           qn_u32 lane, qn_u64 row, qn_u32 n, QN_GLOBAL struct qn_powers_node *out)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    QN_GLOBAL const unsigned char *base = in + l->offset;
    double lanes[QN_POWERS_SUMS * QN_BLOCK_LANES], sums[QN_POWERS_SUMS];
    struct qn_powers_terms pivot, t;
    qn_u32 seen = 0u;
    qn_powers_none(&pivot);
    for (qn_u32 i = 0u; i < QN_POWERS_SUMS * QN_BLOCK_LANES; i++) lanes[i] = 0.0;
    for (qn_u32 i = 0u; i < n; i++) {
        double v = qn_moments_value(kind, in, table, lane, base, l->stride, row + i);
        if (v != v) continue;
        qn_powers_terms_at(v, at + lane, &t);
        if (seen == 0u) pivot = t;
        seen++;
        qn_powers_less(&t, &pivot);
        qn_powers_add(&t, QN_BLOCK_LANES, lanes + i % QN_BLOCK_LANES);
    }
    for (qn_u32 k = 0u; k < QN_POWERS_SUMS; k++) {
        double *of = lanes + k * QN_BLOCK_LANES;
        for (qn_u32 h = QN_BLOCK_LANES / 2u; h > 0u; h >>= 1)
            for (qn_u32 i = 0u; i < h; i++) of[i] += of[i + h];
        sums[k] = of[0];
    }
    qn_powers_finish(out, (double)seen, &pivot, sums);
}

/* Item x: blocks [x * per_item, …) of lane y. */
#define QN_POWERS_KERNEL(NAME, KIND)                                                               \
    QN_KERNEL NAME(                                                                                \
        QN_GLOBAL const unsigned char *QN_RESTRICT in, QN_GLOBAL const qn_u64 *QN_RESTRICT table,  \
        QN_GLOBAL const struct qn_powers_at *QN_RESTRICT at, qn_u64 rows, qn_u32 blocks,           \
        qn_u32 per_item, QN_GLOBAL struct qn_powers_node *QN_RESTRICT nodes)                       \
    {                                                                                              \
        qn_u32 lane = QN_GROUP_Y();                                                                \
        for (qn_u32 k = 0u; k < per_item; k++) {                                                   \
            qn_u64 block = (qn_u64)QN_GROUP() * per_item + k, row = block * QN_BLOCK_ROWS;         \
            if (block >= blocks) return;                                                           \
            qn_u32 n = rows - row < QN_BLOCK_ROWS ? (qn_u32)(rows - row) : QN_BLOCK_ROWS;          \
            qn_powers_block(KIND, in, table, at, lane, row, n,                                     \
                            &nodes[block * QN_HEAD(table)->n_lanes + lane]);                       \
        }                                                                                          \
    }

#define QN_POWERS_LANE() QN_GROUP_Y()

#endif

QN_POWERS_KERNEL(qn_powers_f32, QN_KIND_F32)
QN_POWERS_KERNEL(qn_powers_f64, QN_KIND_F64)
QN_POWERS_KERNEL(qn_powers_any, QN_KIND_ANY)

/* An item folds one lane of a group of 64 blocks: the tree level by level, in place. */
QN_KERNEL qn_powers_fold(QN_GLOBAL struct qn_powers_node *QN_RESTRICT nodes, qn_u32 blocks,
                         qn_u32 n_lanes, QN_GLOBAL struct qn_powers_node *QN_RESTRICT out)
{
    qn_u64 first = (qn_u64)QN_GROUP() * QN_GROUP_BLOCKS;
    qn_u32 count = blocks - first < QN_GROUP_BLOCKS ? (qn_u32)(blocks - first) : QN_GROUP_BLOCKS;
    qn_u32 lane = QN_POWERS_LANE();
    if (lane >= n_lanes) return;
    QN_GLOBAL struct qn_powers_node *n = nodes + (first * n_lanes + lane);
    for (qn_u32 width = 1u; width < count; width *= 2u)
        for (qn_u32 i = 0u; i + width < count; i += 2u * width)
            qn_powers_join(&n[(qn_u64)i * n_lanes], &n[(qn_u64)(i + width) * n_lanes]);
    out[(qn_u64)QN_GROUP() * n_lanes + lane] = n[0];
}
