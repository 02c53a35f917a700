/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments of pairs (docs/numbers.md): of each lane's value and the row's target, and of their
 * product about both means; a node per block of 1024 rows and lane, then the tree over 64 blocks. The
 * targets are packed finite doubles, one per row. A pair is missing when the lane's value is.
 *
 * GPU: the items are those of the kernels without targets. CPU: an item takes whole blocks of one
 * lane. */
#include "kernels/node.h"

struct qn_paired_node {
    struct qn_moments_node value;
    double target_hi, target_lo, target_m2, product;
};

/* To memory, not as a result: what is returned that large comes with hints that simulators do not know. */
QN_FN void qn_paired_finish(QN_GLOBAL struct qn_paired_node *r, double n, double p, double q,
                            double s1, double s2, double t1, double t2, double product)
{
    struct qn_moments_node target = qn_node_finish(n, q, t1, t2);
    r->value = qn_node_finish(n, p, s1, s2);
    r->target_hi = target.hi;
    r->target_lo = target.lo;
    r->target_m2 = target.m2;
    r->product = n == 0.0 ? 0.0 : QN_FMA(-(s1 / n), t1, product);
}

/* a becomes both, a before b. Both sides as qn_node_merge has them; the product like m2. */
QN_FN void qn_paired_join(QN_GLOBAL struct qn_paired_node *a,
                          QN_GLOBAL const struct qn_paired_node *b)
{
    if (b->value.n == 0.0) return;
    if (a->value.n == 0.0) {
        *a = *b;
        return;
    }
    struct qn_moments_node left = {a->value.n, a->target_hi, a->target_lo, a->target_m2};
    struct qn_moments_node right = {b->value.n, b->target_hi, b->target_lo, b->target_m2};
    struct qn_moments_node target = qn_node_merge(left, right);
    struct qn_moments_node value = qn_node_merge(a->value, b->value);
    double value_step = (b->value.hi - a->value.hi) + (b->value.lo - a->value.lo);
    double target_step = (b->target_hi - a->target_hi) + (b->target_lo - a->target_lo);
    a->product = QN_FMA(value_step * target_step, a->value.n * (b->value.n / value.n),
                        a->product + b->product);
    a->value = value;
    a->target_hi = target.hi;
    a->target_lo = target.lo;
    a->target_m2 = target.m2;
}

#if !defined(QN_CPU_SHAPE)

QN_FN void qn_paired_group(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                           QN_GLOBAL const qn_u64 *table, QN_GLOBAL const double *targets,
                           qn_u64 rows, qn_u32 blocks, qn_u32 by_rows,
                           QN_GLOBAL struct qn_paired_node *nodes, QN_LOCAL double *sums,
                           QN_LOCAL qn_u32 *count)
{
    struct qn_moments_item m = qn_moments_item_at(in, table, rows, blocks, by_rows);
    qn_u32 item = QN_ITEM(), part = m.part, hop = m.hop, n = m.n;
#define VALUE(i) qn_moments_value(kind, in, table, m.lane, m.base, m.stride, m.first_row + (i))

    /* The pivots: the block's first pair that is not missing. */
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
    qn_u32 root = item - part * hop;
    first = m.on ? count[root] : QN_BLOCK_ROWS;
    double p = first < n ? VALUE(first) : 0.0, q = first < n ? targets[m.first_row + first] : 0.0;
    QN_BARRIER();

    /* Once, and once more where a mean is the better pivot; the other lanes keep their sums. */
    int wanted = m.on;
    for (qn_u32 again = 0u; again < 2u; again++) {
        if (again == 1u) {
            QN_LOCAL const double *s = sums + root;
            double seen = m.on ? (double)count[root] : 0.0;
            double p2 = qn_node_pivot(seen, p, s[0], s[QN_ITEMS]);
            double q2 = qn_node_pivot(seen, q, s[2u * QN_ITEMS], s[3u * QN_ITEMS]);
            wanted = m.on && (p2 != p || q2 != q);
            p = p2;
            q = q2;
            QN_BARRIER();
        }
        double s1 = 0.0, s2 = 0.0, t1 = 0.0, t2 = 0.0, product = 0.0;
        qn_u32 seen = 0u;
        for (qn_u32 i = wanted ? part : n; i < n; i += 16u) {
            double v = VALUE(i);
            int ok = v == v;
            double t = ok ? v - p : 0.0, u = ok ? targets[m.first_row + i] - q : 0.0;
            seen += ok ? 1u : 0u;
            s1 += t;
            s2 = QN_FMA(t, t, s2);
            t1 += u;
            t2 = QN_FMA(u, u, t2);
            product = QN_FMA(t, u, product);
        }
        if (wanted) {
            sums[item] = s1;
            sums[item + QN_ITEMS] = s2;
            sums[item + 2u * QN_ITEMS] = t1;
            sums[item + 3u * QN_ITEMS] = t2;
            sums[item + 4u * QN_ITEMS] = product;
            count[item] = seen;
        } else if (again == 0u) {
            for (qn_u32 k = 0u; k < 5u; k++) sums[item + k * QN_ITEMS] = 0.0;
            count[item] = 0u;
        }
        QN_BARRIER();
        for (qn_u32 h = 8u; h > 0u; h >>= 1) {
            if (wanted && part < h) {
                for (qn_u32 k = 0u; k < 5u; k++)
                    sums[item + k * QN_ITEMS] += sums[item + h * hop + k * QN_ITEMS];
                count[item] += count[item + h * hop];
            }
            QN_BARRIER();
        }
    }
#undef VALUE
    if (m.on && part == 0u)
        qn_paired_finish(&nodes[(qn_u64)m.block * QN_HEAD(table)->n_lanes + m.lane],
                         (double)count[item], p, q, sums[item], sums[item + QN_ITEMS],
                         sums[item + 2u * QN_ITEMS], sums[item + 3u * QN_ITEMS],
                         sums[item + 4u * QN_ITEMS]);
}

#define QN_PAIRED_KERNEL(NAME, KIND)                                                               \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table,                                      \
                   QN_GLOBAL const double *QN_RESTRICT targets, qn_u64 rows, qn_u32 blocks,        \
                   qn_u32 by_rows, QN_GLOBAL struct qn_paired_node *QN_RESTRICT nodes)             \
    {                                                                                              \
        QN_SHARED double sums[5 * QN_ITEMS];                                                       \
        QN_SHARED qn_u32 count[QN_ITEMS];                                                          \
        qn_paired_group(KIND, in, table, targets, rows, blocks, by_rows, nodes, sums, count);      \
    }

/* Items take lanes of a group of blocks each, and its tree level by level, in place. */
#define QN_PAIRED_LANE() (QN_GROUP_Y() * QN_ITEMS + QN_ITEM())

#else /* QN_CPU_SHAPE */

struct qn_paired_sums {
    double n[QN_BLOCK_LANES], s1[QN_BLOCK_LANES], s2[QN_BLOCK_LANES];
    double t1[QN_BLOCK_LANES], t2[QN_BLOCK_LANES], product[QN_BLOCK_LANES];
};

QN_FN void qn_paired_block(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                           QN_GLOBAL const qn_u64 *table, QN_GLOBAL const double *targets,
                           qn_u32 lane, qn_u64 row, qn_u32 n, QN_GLOBAL struct qn_paired_node *out)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    QN_GLOBAL const unsigned char *base = in + l->offset;
    qn_u64 stride = l->stride;
    struct qn_paired_sums s;
    double p = 0.0, q = 0.0;
    for (qn_u32 again = 0u; again < 2u; again++) {
        int any = again == 1u;
        if (any) {
            double p2 = qn_node_pivot(s.n[0], p, s.s1[0], s.s2[0]);
            double q2 = qn_node_pivot(s.n[0], q, s.t1[0], s.t2[0]);
            if (p2 == p && q2 == q) break;
            p = p2;
            q = q2;
        }
        for (qn_u32 i = 0u; i < QN_BLOCK_LANES; i++)
            s.n[i] = s.s1[i] = s.s2[i] = s.t1[i] = s.t2[i] = s.product[i] = 0.0;
        for (qn_u32 i = 0u; i < n; i++) {
            double v = qn_moments_value(kind, in, table, lane, base, stride, row + i);
            double y = targets[row + i];
            if (v != v) continue;
            if (!any) {
                p = v;
                q = y;
            }
            any = 1;
            double t = v - p, u = y - q;
            qn_u32 at = i % QN_BLOCK_LANES;
            s.n[at] += 1.0;
            s.s1[at] += t;
            s.s2[at] = QN_FMA(t, t, s.s2[at]);
            s.t1[at] += u;
            s.t2[at] = QN_FMA(u, u, s.t2[at]);
            s.product[at] = QN_FMA(t, u, s.product[at]);
        }
        for (qn_u32 h = QN_BLOCK_LANES / 2u; h > 0u; h >>= 1)
            for (qn_u32 i = 0u; i < h; i++) {
                s.n[i] += s.n[i + h];
                s.s1[i] += s.s1[i + h];
                s.s2[i] += s.s2[i + h];
                s.t1[i] += s.t1[i + h];
                s.t2[i] += s.t2[i + h];
                s.product[i] += s.product[i + h];
            }
    }
    qn_paired_finish(out, s.n[0], p, q, s.s1[0], s.s2[0], s.t1[0], s.t2[0], s.product[0]);
}

/* Item x: blocks [x * per_item, …) of lane y. */
#define QN_PAIRED_KERNEL(NAME, KIND)                                                               \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table,                                      \
                   QN_GLOBAL const double *QN_RESTRICT targets, qn_u64 rows, qn_u32 blocks,        \
                   qn_u32 per_item, QN_GLOBAL struct qn_paired_node *QN_RESTRICT nodes)            \
    {                                                                                              \
        qn_u32 lane = QN_GROUP_Y();                                                                \
        for (qn_u32 k = 0u; k < per_item; k++) {                                                   \
            qn_u64 block = (qn_u64)QN_GROUP() * per_item + k, row = block * QN_BLOCK_ROWS;         \
            if (block >= blocks) return;                                                           \
            qn_u32 n = rows - row < QN_BLOCK_ROWS ? (qn_u32)(rows - row) : QN_BLOCK_ROWS;          \
            qn_paired_block(KIND, in, table, targets, lane, row, n,                                \
                            &nodes[block * QN_HEAD(table)->n_lanes + lane]);                       \
        }                                                                                          \
    }

#define QN_PAIRED_LANE() QN_GROUP_Y()

#endif

QN_PAIRED_KERNEL(qn_paired_f32, QN_KIND_F32)
QN_PAIRED_KERNEL(qn_paired_f64, QN_KIND_F64)
QN_PAIRED_KERNEL(qn_paired_any, QN_KIND_ANY)

/* An item folds one lane of a group of 64 blocks: the tree level by level, in place. */
QN_KERNEL qn_paired_fold(QN_GLOBAL struct qn_paired_node *QN_RESTRICT nodes, qn_u32 blocks,
                         qn_u32 n_lanes, QN_GLOBAL struct qn_paired_node *QN_RESTRICT out)
{
    qn_u64 first = (qn_u64)QN_GROUP() * QN_GROUP_BLOCKS;
    qn_u32 count = blocks - first < QN_GROUP_BLOCKS ? (qn_u32)(blocks - first) : QN_GROUP_BLOCKS;
    qn_u32 lane = QN_PAIRED_LANE();
    if (lane >= n_lanes) return;
    QN_GLOBAL struct qn_paired_node *n = nodes + (first * n_lanes + lane);
    for (qn_u32 width = 1u; width < count; width *= 2u)
        for (qn_u32 i = 0u; i + width < count; i += 2u * width)
            qn_paired_join(&n[(qn_u64)i * n_lanes], &n[(qn_u64)(i + width) * n_lanes]);
    out[(qn_u64)QN_GROUP() * n_lanes + lane] = n[0];
}
