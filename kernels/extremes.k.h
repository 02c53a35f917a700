/* SPDX-License-Identifier: Apache-2.0
 * Smallest and largest value and count per lane; missing values are skipped. Extremes do not depend
 * on any order, so chunks of rows are reduced as suits the device and the host merges a few partial
 * results. By comparison, never fmin: a NaN compares false and stays out. */
#include "kernels/chain.k.h"

struct qn_extremes_part {
    double min, max;
    qn_u64 count;
};

#define QN_KIND_F32 0u
#define QN_KIND_F64 1u
#define QN_KIND_ANY 2u

#if !defined(QN_CPU_SHAPE)

QN_FN double qn_extremes_value(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                               QN_GLOBAL const qn_u64 *table, qn_u32 lane,
                               QN_GLOBAL const unsigned char *column, qn_u64 stride, qn_u64 row)
{
    if (kind == QN_KIND_F32) return (double)*(QN_GLOBAL const float *)(column + row * stride);
    if (kind == QN_KIND_F64) return *(QN_GLOBAL const double *)(column + row * stride);
    return qn_lane_value(in, table, lane, row);
}

/* Group x: rows [x * chunk, …); y: sixteen lanes. */
QN_FN void qn_extremes_group(qn_u32 kind, QN_GLOBAL const unsigned char *in,
                             QN_GLOBAL const qn_u64 *table, qn_u64 rows, qn_u64 chunk,
                             qn_u32 by_rows, QN_GLOBAL struct qn_extremes_part *parts_out,
                             QN_LOCAL double *low, QN_LOCAL double *high, QN_LOCAL qn_u32 *count)
{
    qn_u32 item = QN_ITEM(), n_lanes = QN_HEAD(table)->n_lanes, tile = QN_GROUP_Y() * 16u;
    qn_u32 width = n_lanes - tile < 16u ? n_lanes - tile : 16u, parts = QN_ITEMS / width;
    qn_u32 side = by_rows ? width : parts, high_part = item / side,
           low_part = item - high_part * side;
    qn_u32 column = by_rows ? low_part : high_part, part = by_rows ? high_part : low_part;
    qn_u32 hop = by_rows ? width : 1u;
    int on = column < width && part < parts;
    qn_u32 lane = tile + column, seen = 0u;
    double mn = QN_F64(0x7ff0000000000000u), mx = -mn;

    if (on) {
        QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
        QN_GLOBAL const unsigned char *base = in + l->offset;
        qn_u64 stride = l->stride, from = (qn_u64)QN_GROUP() * chunk;
        qn_u64 to = rows - from < chunk ? rows : from + chunk;
        for (qn_u64 row = from + part; row < to; row += parts) {
            double v = qn_extremes_value(kind, in, table, lane, base, stride, row);
            mn = v < mn ? v : mn;
            mx = v > mx ? v : mx;
            seen += v == v ? 1u : 0u;
        }
    }
    low[item] = mn;
    high[item] = mx;
    count[item] = seen;
    QN_BARRIER();
    for (qn_u32 h = QN_ITEMS / 2u; h > 0u; h >>= 1) {
        if (on && part < h && part + h < parts) {
            qn_u32 other = item + h * hop;
            low[item] = low[other] < low[item] ? low[other] : low[item];
            high[item] = high[other] > high[item] ? high[other] : high[item];
            count[item] += count[other];
        }
        QN_BARRIER();
    }
    if (on && part == 0u) {
        struct qn_extremes_part out = {low[item], high[item], count[item]};
        parts_out[(qn_u64)QN_GROUP() * n_lanes + lane] = out;
    }
}

#define QN_EXTREMES_KERNEL(NAME, KIND)                                                             \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,           \
                   qn_u32 by_rows, QN_GLOBAL struct qn_extremes_part *QN_RESTRICT parts)           \
    {                                                                                              \
        QN_SHARED double low[QN_ITEMS];                                                            \
        QN_SHARED double high[QN_ITEMS];                                                           \
        QN_SHARED qn_u32 count[QN_ITEMS];                                                          \
        qn_extremes_group(KIND, in, table, rows, chunk, by_rows, parts, low, high, count);         \
    }
QN_EXTREMES_KERNEL(qn_extremes_f32, QN_KIND_F32)
QN_EXTREMES_KERNEL(qn_extremes_f64, QN_KIND_F64)
QN_EXTREMES_KERNEL(qn_extremes_any, QN_KIND_ANY)

/* Group x: all `n` partial results of lane x into the first of `out`. */
QN_KERNEL qn_extremes_merge(QN_GLOBAL const struct qn_extremes_part *QN_RESTRICT parts, qn_u32 n,
                            qn_u32 n_lanes, QN_GLOBAL struct qn_extremes_part *QN_RESTRICT out)
{
    QN_SHARED double low[QN_ITEMS];
    QN_SHARED double high[QN_ITEMS];
    QN_SHARED qn_u64 count[QN_ITEMS];
    qn_u32 item = QN_ITEM();
    double mn = QN_F64(0x7ff0000000000000u), mx = -mn;
    qn_u64 seen = 0u;
    for (qn_u32 i = item; i < n; i += QN_ITEMS) {
        QN_GLOBAL const struct qn_extremes_part *p = parts + ((qn_u64)i * n_lanes + QN_GROUP());
        mn = p->min < mn ? p->min : mn;
        mx = p->max > mx ? p->max : mx;
        seen += p->count;
    }
    low[item] = mn;
    high[item] = mx;
    count[item] = seen;
    QN_BARRIER();
    for (qn_u32 h = QN_ITEMS / 2u; h > 0u; h >>= 1) {
        if (item < h) {
            low[item] = low[item + h] < low[item] ? low[item + h] : low[item];
            high[item] = high[item + h] > high[item] ? high[item + h] : high[item];
            count[item] += count[item + h];
        }
        QN_BARRIER();
    }
    if (item == 0u) {
        struct qn_extremes_part r = {low[0], high[0], count[0]};
        out[QN_GROUP()] = r;
    }
}

#else /* QN_CPU_SHAPE */

/* Item x: rows [x * chunk, …) of strip y: a packed matrix of T with d columns, seen as rows of w
 * values, w a multiple of d, so that the loop over positions is long whatever d is. */
#define QN_EXTREMES_STRIP(NAME, T, INF)                                                            \
    QN_FN void NAME##_run(QN_GLOBAL const T *QN_RESTRICT z, qn_u32 n, QN_GLOBAL T *QN_RESTRICT lo, \
                          QN_GLOBAL T *QN_RESTRICT hi, QN_GLOBAL qn_u32 *QN_RESTRICT count)        \
    {                                                                                              \
        for (qn_u32 i = 0u; i < n; i++) {                                                          \
            T v = z[i];                                                                            \
            lo[i] = v < lo[i] ? v : lo[i];                                                         \
            hi[i] = v > hi[i] ? v : hi[i];                                                         \
            count[i] += v == v ? 1u : 0u;                                                          \
        }                                                                                          \
    }                                                                                              \
    QN_KERNEL NAME(QN_GLOBAL const unsigned char *QN_RESTRICT in,                                  \
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk, qn_u32 d, \
                   qn_u32 w, qn_u32 items, QN_GLOBAL T *QN_RESTRICT bounds,                        \
                   QN_GLOBAL qn_u32 *QN_RESTRICT counts,                                           \
                   QN_GLOBAL struct qn_extremes_part *QN_RESTRICT parts)                           \
    {                                                                                              \
        qn_u32 first = QN_GROUP_Y() * d;                                                           \
        qn_u64 mine = ((qn_u64)QN_GROUP_Y() * items + QN_GROUP()) * w;                             \
        QN_GLOBAL T *lo = bounds + 2u * mine, *hi = lo + w;                                        \
        QN_GLOBAL qn_u32 *count = counts + mine;                                                   \
        qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;  \
        QN_GLOBAL const T *y =                                                                     \
            (QN_GLOBAL const T *)(in + QN_PART(struct qn_lane_desc, table, lanes)[first].offset) + \
            from * d;                                                                              \
        qn_u64 left = (to - from) * d;                                                             \
        for (qn_u32 i = 0u; i < w; i++) {                                                          \
            lo[i] = INF;                                                                           \
            hi[i] = -INF;                                                                          \
            count[i] = 0u;                                                                         \
        }                                                                                          \
        for (; left >= w; left -= w, y += w) NAME##_run(y, w, lo, hi, count);                      \
        NAME##_run(y, (qn_u32)left, lo, hi, count);                                                \
        for (qn_u32 i = d; i < w; i++) {                                                           \
            lo[i % d] = lo[i] < lo[i % d] ? lo[i] : lo[i % d];                                     \
            hi[i % d] = hi[i] > hi[i % d] ? hi[i] : hi[i % d];                                     \
            count[i % d] += count[i];                                                              \
        }                                                                                          \
        for (qn_u32 c = 0u; c < d; c++) {                                                          \
            struct qn_extremes_part r = {(double)lo[c], (double)hi[c], count[c]};                  \
            parts[(qn_u64)QN_GROUP() * QN_HEAD(table)->n_lanes + first + c] = r;                   \
        }                                                                                          \
    }
QN_EXTREMES_STRIP(qn_extremes_strip_f32, float, QN_F32(0x7f800000u))
QN_EXTREMES_STRIP(qn_extremes_strip_f64, double, QN_F64(0x7ff0000000000000u))

/* Item x: rows [x * chunk, …) of lane y, of any type and with any chain. */
QN_KERNEL qn_extremes_each(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                           QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                           QN_GLOBAL struct qn_extremes_part *QN_RESTRICT parts)
{
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    struct qn_extremes_part r = {QN_F64(0x7ff0000000000000u), QN_F64(0xfff0000000000000u), 0u};
    for (qn_u64 row = from; row < to; row++) {
        double v = qn_lane_value(in, table, QN_GROUP_Y(), row);
        r.min = v < r.min ? v : r.min;
        r.max = v > r.max ? v : r.max;
        r.count += v == v ? 1u : 0u;
    }
    parts[(qn_u64)QN_GROUP() * QN_HEAD(table)->n_lanes + QN_GROUP_Y()] = r;
}

#endif
