/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments (docs/numbers.md): a node per block of 1024 rows and lane, then the tree over 64
 * blocks. Two shapes, the same bits.
 *
 * GPU: 256 items are 16 canonical lanes times up to 16 (block, column) pairs. `by_rows` says which
 * of the two runs fastest over the items, so that both row-major and column layouts are read in
 * whole cache lines. CPU: an item takes whole blocks and runs over positions (row mod 16, column),
 * which are contiguous in a packed matrix; a column is a matrix of one column. */
#include "kernels/node.h"

#if !defined(QN_CPU_SHAPE)

QN_FN void qn_moments_group(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                            QN_GLOBAL const qn_u64 *table, qn_u64 rows, qn_u32 blocks,
                            qn_u32 by_rows, QN_GLOBAL struct qn_moments_node *nodes,
                            QN_LOCAL double *sum1, QN_LOCAL double *sum2, QN_LOCAL qn_u32 *count)
{
    struct qn_moments_item m = qn_moments_item_at(in, table, rows, blocks, by_rows);
    qn_u32 item = QN_ITEM(), part = m.part, hop = m.hop, n = m.n;
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
    double pivot = first < n ? VALUE(first) : 0.0;
    QN_BARRIER();

    /* Once, and once more where the mean is the better pivot; the other pairs keep their sums. */
    qn_u32 root = item - part * hop;
    int wanted = m.on;
    for (qn_u32 again = 0u; again < 2u; again++) {
        if (again == 1u) {
            double better =
                m.on ? qn_node_pivot((double)count[root], pivot, sum1[root], sum2[root]) : pivot;
            wanted = better != pivot;
            pivot = better;
            QN_BARRIER();
        }
        double s1 = 0.0, s2 = 0.0;
        qn_u32 seen = 0u, i = wanted ? part : n;
        if (kind != QN_KIND_ANY) {
            for (; i + 112u < n; i += 128u) {
                double v[8];
                for (qn_u32 j = 0u; j < 8u; j++) v[j] = VALUE(i + 16u * j);
                for (qn_u32 j = 0u; j < 8u; j++) {
                    int ok = v[j] == v[j];
                    double t = ok ? v[j] - pivot : 0.0;
                    seen += ok ? 1u : 0u;
                    s1 += t;
                    s2 = QN_FMA(t, t, s2);
                }
            }
        }
        for (; i < n; i += 16u) {
            double v = VALUE(i);
            int ok = v == v;
            double t = ok ? v - pivot : 0.0;
            seen += ok ? 1u : 0u;
            s1 += t;
            s2 = QN_FMA(t, t, s2);
        }
        if (wanted) {
            sum1[item] = s1;
            sum2[item] = s2;
            count[item] = seen;
        }
        QN_BARRIER();
        for (qn_u32 h = 8u; h > 0u; h >>= 1) {
            if (wanted && part < h) {
                sum1[item] += sum1[item + h * hop];
                sum2[item] += sum2[item + h * hop];
                count[item] += count[item + h * hop];
            }
            QN_BARRIER();
        }
    }
#undef VALUE
    if (m.on && part == 0u)
        nodes[(qn_u64)m.block * QN_HEAD(table)->n_lanes + m.lane] =
            qn_node_finish((double)count[item], pivot, sum1[item], sum2[item]);
}

#define QN_MOMENTS_KERNEL(NAME, KIND)                                                              \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u32 blocks,          \
                   qn_u32 by_rows, QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes)            \
    {                                                                                              \
        QN_SHARED double sum1[QN_ITEMS];                                                           \
        QN_SHARED double sum2[QN_ITEMS];                                                           \
        QN_SHARED qn_u32 count[QN_ITEMS];                                                          \
        qn_moments_group(KIND, in, table, rows, blocks, by_rows, nodes, sum1, sum2, count);        \
    }
QN_MOMENTS_KERNEL(qn_moments_f32, QN_KIND_F32)
QN_MOMENTS_KERNEL(qn_moments_f64, QN_KIND_F64)
QN_MOMENTS_KERNEL(qn_moments_any, QN_KIND_ANY)

/* The tree over the 64 blocks of a group, four lanes per work-group. Blocks past the end are empty
 * nodes, which is how a node without a sibling passes up unchanged. */
QN_KERNEL qn_moments_merge(QN_GLOBAL const struct qn_moments_node *QN_RESTRICT nodes, qn_u32 blocks,
                           qn_u32 n_lanes, QN_GLOBAL struct qn_moments_node *QN_RESTRICT out)
{
    QN_SHARED double n[QN_ITEMS];
    QN_SHARED double hi[QN_ITEMS];
    QN_SHARED double lo[QN_ITEMS];
    QN_SHARED double m2[QN_ITEMS];
    qn_u32 item = QN_ITEM(), at = item >> 2, lane = QN_GROUP_Y() * 4u + (item & 3u);
    qn_u64 block = (qn_u64)QN_GROUP() * QN_GROUP_BLOCKS + at;
    struct qn_moments_node mine = {0.0, 0.0, 0.0, 0.0};

    if (block < blocks && lane < n_lanes) mine = nodes[block * n_lanes + lane];
    for (qn_u32 level = 0u; level < 7u; level++) {
        n[item] = mine.n;
        hi[item] = mine.hi;
        lo[item] = mine.lo;
        m2[item] = mine.m2;
        QN_BARRIER();
        qn_u32 width = 1u << level;
        if (level < 6u && (at & (2u * width - 1u)) == 0u) {
            qn_u32 other = item + 4u * width;
            struct qn_moments_node right = {n[other], hi[other], lo[other], m2[other]};
            mine = qn_node_merge(mine, right);
        }
        QN_BARRIER();
    }
    if (at == 0u && lane < n_lanes) out[(qn_u64)QN_GROUP() * n_lanes + lane] = mine;
}

#else /* QN_CPU_SHAPE */

/* A strip is a packed row-major matrix of T with d columns. A position is (row mod 16, column): the
 * loops over positions are contiguous and vectorise; their sums live in scratch. */
#define QN_STRIP_POSITIONS 1024u
#define QN_STRIP_ONE(x, p, s1, s2)                                                                 \
    {                                                                                              \
        double t = (double)(x) - (p);                                                              \
        s1 += t;                                                                                   \
        s2 = QN_FMA(t, t, s2);                                                                     \
    }
/* Eight rows of a lane, in order, while its sums are in registers. */
#define QN_STRIP_EIGHT(z, w, p, s1, s2)                                                            \
    {                                                                                              \
        double pivot_ = (p), sum1 = (s1), sum2 = (s2);                                             \
        QN_STRIP_ONE((z)[0], pivot_, sum1, sum2)                                                   \
        QN_STRIP_ONE((z)[w], pivot_, sum1, sum2)                                                   \
        QN_STRIP_ONE((z)[2u * (w)], pivot_, sum1, sum2)                                            \
        QN_STRIP_ONE((z)[3u * (w)], pivot_, sum1, sum2)                                            \
        QN_STRIP_ONE((z)[4u * (w)], pivot_, sum1, sum2)                                            \
        QN_STRIP_ONE((z)[5u * (w)], pivot_, sum1, sum2)                                            \
        QN_STRIP_ONE((z)[6u * (w)], pivot_, sum1, sum2)                                            \
        QN_STRIP_ONE((z)[7u * (w)], pivot_, sum1, sum2)                                            \
        s1 = sum1;                                                                                 \
        s2 = sum2;                                                                                 \
    }
#define QN_STRIP_KERNEL(NAME, T)                                                                   \
    QN_FN void NAME##_pivots(QN_GLOBAL const T *QN_RESTRICT y, qn_u32 n, qn_u32 d,                 \
                             QN_GLOBAL double *QN_RESTRICT pivot)                                  \
    {                                                                                              \
        for (qn_u32 c = 0u; c < d; c++) {                                                          \
            qn_u32 i = 0u;                                                                         \
            T v = y[c];                                                                            \
            while (v != v && ++i < n) v = y[(qn_u64)i * d + c];                                    \
            pivot[c] = v == v ? (double)v : 0.0;                                                   \
        }                                                                                          \
    }                                                                                              \
    /* Sums as if nothing were missing. */                                                         \
    QN_FN void NAME##_sums(QN_GLOBAL const T *QN_RESTRICT y, qn_u32 from, qn_u32 n, qn_u32 steps,  \
                           qn_u32 w, QN_GLOBAL const double *QN_RESTRICT pivot,                    \
                           QN_GLOBAL double *QN_RESTRICT s1, QN_GLOBAL double *QN_RESTRICT s2)     \
    {                                                                                              \
        qn_u32 j = 0u;                                                                             \
        for (; j + 8u <= steps; j += 8u) {                                                         \
            QN_GLOBAL const T *QN_RESTRICT z = y + ((qn_u64)j * w + from);                         \
            qn_u32 i = 0u;                                                                         \
            for (; i + 16u <= n; i += 16u) {                                                       \
                for (qn_u32 k = 0u; k < 8u; k++) QN_ASK(z + i + (k + 8u) * w);                     \
                for (qn_u32 k = i; k < i + 16u; k++)                                               \
                    QN_STRIP_EIGHT(z + k, w, pivot[k], s1[k], s2[k])                               \
            }                                                                                      \
            for (; i < n; i++) QN_STRIP_EIGHT(z + i, w, pivot[i], s1[i], s2[i])                    \
        }                                                                                          \
        for (; j < steps; j++) {                                                                   \
            QN_GLOBAL const T *QN_RESTRICT z = y + ((qn_u64)j * w + from);                         \
            for (qn_u32 i = 0u; i < n; i++) QN_STRIP_ONE(z[i], pivot[i], s1[i], s2[i])             \
        }                                                                                          \
    }                                                                                              \
    /* The same with missing values as no-ops, and their count. */                                 \
    QN_FN void NAME##_masked(QN_GLOBAL const T *QN_RESTRICT y, qn_u32 from, qn_u32 n,              \
                             qn_u32 steps, qn_u32 w, QN_GLOBAL const double *QN_RESTRICT pivot,    \
                             QN_GLOBAL double *QN_RESTRICT s1, QN_GLOBAL double *QN_RESTRICT s2,   \
                             QN_GLOBAL double *QN_RESTRICT count)                                  \
    {                                                                                              \
        for (qn_u32 j = 0u; j < steps; j++) {                                                      \
            QN_GLOBAL const T *QN_RESTRICT z = y + ((qn_u64)j * w + from);                         \
            for (qn_u32 i = 0u; i < n; i++) {                                                      \
                double v = (double)z[i], t = v == v ? v - pivot[i] : 0.0;                          \
                s1[i] += t;                                                                        \
                s2[i] = QN_FMA(t, t, s2[i]);                                                       \
                count[i] += v == v ? 1.0 : 0.0;                                                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    /* The sums of a block, lanes folded. Scratch: pivots, s1, s2 and counts of w positions. */    \
    QN_FN void NAME##_fill(QN_GLOBAL const T *QN_RESTRICT y, qn_u32 n, qn_u32 d, int masked,       \
                           QN_GLOBAL double *QN_RESTRICT scratch)                                  \
    {                                                                                              \
        qn_u32 w = QN_BLOCK_LANES * d, steps = n / QN_BLOCK_LANES, rest = n * d - steps * w;       \
        QN_GLOBAL double *pivot = scratch, *s1 = scratch + w, *s2 = s1 + w, *count = s2 + w;       \
        QN_GLOBAL const T *tail = y + (qn_u64)steps * w;                                           \
        for (qn_u32 i = d; i < w; i++) pivot[i] = pivot[i - d];                                    \
        for (qn_u32 i = 0u; i < 2u * w; i++) s1[i] = 0.0;                                          \
        for (qn_u32 i = 0u; masked && i < w; i++) count[i] = 0.0;                                  \
        for (qn_u32 q = 0u; q < w; q += QN_STRIP_POSITIONS) {                                      \
            qn_u32 some = w - q < QN_STRIP_POSITIONS ? w - q : QN_STRIP_POSITIONS;                 \
            qn_u32 left = rest > q ? (rest - q < some ? rest - q : some) : 0u;                     \
            if (masked) {                                                                          \
                NAME##_masked(y, q, some, steps, w, pivot + q, s1 + q, s2 + q, count + q);         \
                NAME##_masked(tail, q, left, 1u, w, pivot + q, s1 + q, s2 + q, count + q);         \
            } else {                                                                               \
                NAME##_sums(y, q, some, steps, w, pivot + q, s1 + q, s2 + q);                      \
                NAME##_sums(tail, q, left, 1u, w, pivot + q, s1 + q, s2 + q);                      \
            }                                                                                      \
        }                                                                                          \
        for (qn_u32 h = QN_BLOCK_LANES / 2u; h > 0u; h >>= 1) {                                    \
            for (qn_u32 i = 0u; i < h * d; i++) {                                                  \
                s1[i] += s1[i + h * d];                                                            \
                s2[i] += s2[i + h * d];                                                            \
            }                                                                                      \
            for (qn_u32 i = 0u; masked && i < h * d; i++) count[i] += count[i + h * d];            \
        }                                                                                          \
    }                                                                                              \
    QN_FN void NAME##_block(QN_GLOBAL const T *QN_RESTRICT y, qn_u32 n, qn_u32 d,                  \
                            QN_GLOBAL double *QN_RESTRICT scratch,                                 \
                            QN_GLOBAL struct qn_moments_node *QN_RESTRICT out)                     \
    {                                                                                              \
        qn_u32 w = QN_BLOCK_LANES * d;                                                             \
        QN_GLOBAL double *pivot = scratch, *s1 = scratch + w, *s2 = s1 + w, *count = s2 + w;       \
        int missing = 0, again = 0;                                                                \
        NAME##_pivots(y, n, d, pivot);                                                             \
        NAME##_fill(y, n, d, 0, scratch);                                                          \
        for (qn_u32 c = 0u; c < d; c++) missing |= s1[c] != s1[c];                                 \
        if (missing) NAME##_fill(y, n, d, 1, scratch);                                             \
        for (qn_u32 c = 0u; c < d; c++) {                                                          \
            double p = qn_node_pivot(missing ? count[c] : (double)n, pivot[c], s1[c], s2[c]);      \
            again |= p != pivot[c];                                                                \
            pivot[c] = p;                                                                          \
        }                                                                                          \
        /* columns that keep their pivot get the same sums */                                      \
        if (again) NAME##_fill(y, n, d, missing, scratch);                                         \
        for (qn_u32 c = 0u; c < d; c++)                                                            \
            out[c] = qn_node_finish(missing ? count[c] : (double)n, pivot[c], s1[c], s2[c]);       \
    }                                                                                              \
    /* Item x: blocks [x * per_item, …) of strip y, columns [y * d, (y + 1) * d). */             \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u32 blocks,          \
                   qn_u32 per_item, qn_u32 d, qn_u32 items, QN_GLOBAL double *QN_RESTRICT scratch, \
                   QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes)                            \
    {                                                                                              \
        qn_u32 first = QN_GROUP_Y() * d;                                                           \
        QN_GLOBAL const T *y =                                                                     \
            (QN_GLOBAL const T *)(in + QN_PART(struct qn_lane_desc, table, lanes)[first].offset);  \
        QN_GLOBAL double *mine = scratch + ((qn_u64)QN_GROUP_Y() * items + QN_GROUP()) * 64u * d;  \
        for (qn_u32 k = 0u; k < per_item; k++) {                                                   \
            qn_u64 block = (qn_u64)QN_GROUP() * per_item + k, row = block * QN_BLOCK_ROWS;         \
            if (block >= blocks) return;                                                           \
            NAME##_block(y + row * d,                                                              \
                         rows - row < QN_BLOCK_ROWS ? (qn_u32)(rows - row) : QN_BLOCK_ROWS, d,     \
                         mine, nodes + (block * QN_HEAD(table)->n_lanes + first));                 \
        }                                                                                          \
    }

QN_STRIP_KERNEL(qn_moments_strip_f32, float)
QN_STRIP_KERNEL(qn_moments_strip_f64, double)

/* Item x: blocks [x * per_item, …) of lane y, of any type and with any chain. */
QN_KERNEL qn_moments_each(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                          QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u32 blocks,
                          qn_u32 per_item, QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes)
{
    qn_u32 lane = QN_GROUP_Y();
    for (qn_u32 k = 0u; k < per_item; k++) {
        qn_u64 block = (qn_u64)QN_GROUP() * per_item + k, row = block * QN_BLOCK_ROWS;
        if (block >= blocks) return;
        qn_u32 n = rows - row < QN_BLOCK_ROWS ? (qn_u32)(rows - row) : QN_BLOCK_ROWS;
        double s1[QN_BLOCK_LANES], s2[QN_BLOCK_LANES], count[QN_BLOCK_LANES], pivot = 0.0;
        for (qn_u32 again = 0u; again < 2u; again++) {
            double better = again == 1u ? qn_node_pivot(count[0], pivot, s1[0], s2[0]) : pivot;
            int any = again == 1u;
            if (any && better == pivot) break;
            pivot = better;
            for (qn_u32 i = 0u; i < QN_BLOCK_LANES; i++) s1[i] = s2[i] = count[i] = 0.0;
            for (qn_u32 i = 0u; i < n; i++) {
                double v = qn_lane_value(in, table, lane, row + i);
                if (v != v) continue;
                if (!any) pivot = v;
                any = 1;
                double t = v - pivot;
                qn_u32 at = i % QN_BLOCK_LANES;
                s1[at] += t;
                s2[at] = QN_FMA(t, t, s2[at]);
                count[at] += 1.0;
            }
            for (qn_u32 h = QN_BLOCK_LANES / 2u; h > 0u; h >>= 1)
                for (qn_u32 i = 0u; i < h; i++) {
                    s1[i] += s1[i + h];
                    s2[i] += s2[i + h];
                    count[i] += count[i + h];
                }
        }
        nodes[block * QN_HEAD(table)->n_lanes + lane] =
            qn_node_finish(count[0], pivot, s1[0], s2[0]);
    }
}

/* Item: lane y of group x; the tree level by level, in place. */
QN_KERNEL qn_moments_fold(QN_GLOBAL struct qn_moments_node *QN_RESTRICT nodes, qn_u32 blocks,
                          qn_u32 n_lanes, QN_GLOBAL struct qn_moments_node *QN_RESTRICT out)
{
    qn_u64 first = (qn_u64)QN_GROUP() * QN_GROUP_BLOCKS;
    qn_u32 count = blocks - first < QN_GROUP_BLOCKS ? (qn_u32)(blocks - first) : QN_GROUP_BLOCKS;
    for (qn_u32 lane = 0u; lane < n_lanes; lane++) {
        QN_GLOBAL struct qn_moments_node *n = nodes + (first * n_lanes + lane);
        for (qn_u32 width = 1u; width < count; width *= 2u)
            for (qn_u32 i = 0u; i + width < count; i += 2u * width)
                n[(qn_u64)i * n_lanes] =
                    qn_node_merge(n[(qn_u64)i * n_lanes], n[(qn_u64)(i + width) * n_lanes]);
        out[(qn_u64)QN_GROUP() * n_lanes + lane] = n[0];
    }
}

#endif
