/* SPDX-License-Identifier: Apache-2.0
 * A program of nothing but splines: blocks of QN_WIDTH neighbouring columns that are the first functions of one
 * SPLINE table each, at the values of one input column. An item finds the stretch of a value and computes the
 * functions that are not 0 there, once; then the group stores all functions of its values, so that stores
 * follow the output's layout.
 *
 * Compiled for a shape; what host/ops/splines.c defines:
 *   QN_IN_TYPE, QN_WORK, QN_OUT_TYPE   stored, working and output type (F32 or F64 both)
 *   QN_DEGREE, QN_WIDTH, QN_MODE       of all tables alike; QN_MODE is one of QN_SPLINE_*
 *   QN_WATCH                           what the run saw is wanted
 *   QN_BY_COLUMNS                      neighbouring rows of an output column are neighbours in memory
 *
 * at[0 … n) are the places of the input columns, at[n … 2n) those of the tables among the words, and what
 * follows those of the output columns. */
#include "kernels/chain.k.h"

#if defined(QN_WIDTH)

/* In the place of the number of a stretch: all functions are 0; or each is computed by itself. */
#define QN_NOTHING 0xffffffffu
#define QN_ALONE 0xfffffffeu

/* The stretch of x, and into h the functions there. x may become what is inside of a period. */
QN_FN qn_u32 qn_splines_at(QN_GLOBAL const qn_u64 *table, double x, double *h, qn_u32 *seen)
{
    qn_u32 b = (qn_u32)table[1], mode = QN_MODE;
    QN_GLOBAL const qn_u64 *t = table + QN_SPLINE_HEAD + QN_DEGREE;
    double first = QN_F64(t[0]), last = QN_F64(t[b - 1u]);
    if (x != x) return QN_NOTHING;
    if (mode == QN_SPLINE_PERIODIC) x = qn_spline_wrap(first, last, x);
    int inside = first <= x && x <= last;
    if (!inside && (mode == QN_SPLINE_CONSTANT || mode == QN_SPLINE_LINEAR)) return QN_ALONE;
    if (!inside && mode == QN_SPLINE_ERROR) {
        *seen |= QN_SEEN_UNKNOWN;
        return QN_NOTHING;
    }
    qn_u32 at = qn_spline_stretch(t, b, QN_F64(table[3]), x);
    qn_spline_basis(t + at, QN_DEGREE, x, h);
    if (inside && (table[2] & QN_SPLINE_SAFE) != 0u) return at;
    for (qn_u32 a = 0u; a <= QN_DEGREE; a++)
        if (!(h[a] - h[a] == 0.0)) return QN_ALONE;
    return at;
}

/* A double as the working type's bits. */
QN_FN qn_u64 qn_splines_bits(double y)
{
    return QN_WORK == QN_W_F32 ? (qn_u64)QN_BITS32((float)y) : QN_BITS64(y);
}

QN_FN double qn_splines_value(qn_u64 bits)
{
    return QN_WORK == QN_W_F32 ? (double)QN_F32((qn_u32)bits) : QN_F64(bits);
}

/* Which of the functions that are not 0 is number j; more than QN_DEGREE: none. */
QN_FN qn_u32 qn_splines_which(QN_GLOBAL const qn_u64 *table, qn_u32 at, qn_u32 j)
{
    qn_u32 a = j - at, mode = QN_MODE;
    if (mode == QN_SPLINE_PERIODIC && a > QN_DEGREE) a += (qn_u32)table[1] - 1u;
    return a;
}

#if !defined(QN_CPU_SHAPE)

/* Group y: `wide` columns; x: `steps` times 256 / wide rows. */
QN_KERNEL qn_splines(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT places, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u32 wide, qn_u32 steps,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    QN_SHARED qn_u32 at[QN_ITEMS];
    QN_SHARED qn_u64 value[QN_ITEMS];
    QN_SHARED qn_u64 h[(QN_DEGREE + 1u) * QN_ITEMS];
    QN_SHARED qn_u32 flags[QN_ITEMS];
    qn_u32 item = QN_ITEM(), first = QN_GROUP_Y() * wide, deep = QN_ITEMS / wide;
    qn_u32 columns = n - first < wide ? n - first : wide, pairs = deep * columns;
    qn_u32 r = item / columns, c = item - r * columns;
    if (QN_BY_COLUMNS) {
        c = item / deep;
        r = item - c * deep;
    }
    flags[item] = 0u;
    QN_BARRIER();
    for (qn_u32 step = 0u; step < steps; step++) {
        qn_u64 row = ((qn_u64)QN_GROUP() * steps + step) * deep;
        if (item < pairs && row + r < rows) {
            double own[QN_DEGREE + 1u] = {0.0};
            qn_u32 seen = 0u;
            qn_u64 x =
                qn_load(in + (places[first + c] + (row + r) * in_stride), QN_IN_TYPE, QN_WORK);
            if (QN_WATCH) seen = qn_seen_bits(x, QN_WORK);
            value[item] = x;
            at[item] =
                qn_splines_at(words + places[n + first + c], qn_splines_value(x), own, &seen);
            for (qn_u32 a = 0u; a <= QN_DEGREE; a++)
                h[a * QN_ITEMS + item] = qn_splines_bits(own[a] + 0.0);
            if (seen != 0u) QN_OR_LOCAL(&flags[c], seen);
        }
        QN_BARRIER();
        for (qn_u32 i = item; i < pairs * QN_WIDTH; i += QN_ITEMS) {
            qn_u32 pair, j, k, q;
            if (QN_BY_COLUMNS) { /* column, function, row */
                q = i / deep;
                k = i - q * deep;
                pair = q / QN_WIDTH;
                j = q - pair * QN_WIDTH;
                q = pair;
                pair = q * deep + k;
            } else { /* row, column, function */
                pair = i / QN_WIDTH;
                j = i - pair * QN_WIDTH;
                k = pair / columns;
                q = pair - k * columns;
            }
            if (row + k < rows) {
                QN_GLOBAL const qn_u64 *table = words + places[n + first + q];
                qn_u64 bits = 0u;
                qn_u32 seen = 0u, a = qn_splines_which(table, at[pair], j);
                if (at[pair] == QN_ALONE)
                    bits =
                        qn_splines_bits(qn_spline(table, j, qn_splines_value(value[pair]), &seen));
                else if (at[pair] != QN_NOTHING && a <= QN_DEGREE)
                    bits = h[a * QN_ITEMS + pair];
                qn_store(out +
                             (places[2u * n + (first + q) * QN_WIDTH + j] + (row + k) * out_stride),
                         QN_OUT_TYPE, qn_store_bits(bits, QN_WORK, QN_OUT_TYPE));
            }
        }
        QN_BARRIER();
    }
    for (qn_u32 i = item; i < columns * QN_WIDTH; i += QN_ITEMS)
        if (flags[i / QN_WIDTH] != 0u)
            QN_OR_GLOBAL(&seen_out[first * QN_WIDTH + i], flags[i / QN_WIDTH]);
}

#else /* QN_CPU_SHAPE */

/* Item x: rows [x * chunk, …), all columns. */
QN_KERNEL qn_splines(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT places, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u64 chunk,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u64 row = from; row < to; row++)
        for (qn_u32 c = 0u; c < n; c++) {
            QN_GLOBAL const qn_u64 *table = words + places[n + c];
            double h[QN_DEGREE + 1u];
            qn_u32 seen = 0u, ignored = 0u;
            qn_u64 x = qn_load(in + (places[c] + row * in_stride), QN_IN_TYPE, QN_WORK);
            if (QN_WATCH) seen = qn_seen_bits(x, QN_WORK);
            qn_u32 at = qn_splines_at(table, qn_splines_value(x), h, &seen);
            for (qn_u32 j = 0u; j < QN_WIDTH; j++) {
                qn_u32 a = qn_splines_which(table, at, j);
                double y = 0.0;
                if (at == QN_ALONE)
                    y = qn_spline(table, j, qn_splines_value(x), &ignored);
                else if (at != QN_NOTHING && a <= QN_DEGREE)
                    y = h[a] + 0.0;
                qn_store(out + (places[2u * n + c * QN_WIDTH + j] + row * out_stride), QN_OUT_TYPE,
                         qn_store_bits(qn_splines_bits(y), QN_WORK, QN_OUT_TYPE));
                if (seen != 0u) QN_OR_GLOBAL(&seen_out[c * QN_WIDTH + j], seen);
            }
        }
}

#endif

#endif
