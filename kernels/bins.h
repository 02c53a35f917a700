/* SPDX-License-Identifier: Apache-2.0
 * Places among sorted edges, and piecewise linear maps: BIN, INTERP, INTERP_MEAN (kernels/program.h).
 *
 * The maps are numpy.interp's, in its order of operations, with its slopes computed beforehand. Their table:
 *
 *   word 0, 1   x_low, x_high: a value below the one or above the other becomes …
 *   word 2, 3   … y_low or y_high
 *   then k each of: knots x (ascending), values y, slopes (of the stretch after a knot; 0 after the last),
 *                   and what a value that equals a knot becomes (the last of equal knots counts)
 *
 * INTERP_MEAN is the mean of the map and of the map taken from the other side, as scikit-learn's
 * QuantileTransformer has it (preprocessing/_data.py): among equal knots the two differ. */
#ifndef QN_BINS_H
#define QN_BINS_H

#include "kernels/dialect.h"
#include "kernels/program.h"

#define QN_INTERP_HEAD 4u
#define QN_INTERP_KNOTS(words) (((words)-QN_INTERP_HEAD) / 4u)
#define QN_INTERP_LEAST 8u /* words of the shortest table */

/* How many of the k sorted doubles are not above x; NaN: k. */
QN_FN qn_u32 qn_bin(QN_GLOBAL const qn_u64 *words, qn_u64 k, double x)
{
    qn_u64 at = 0, left = k;
    if (k == 0u) return 0u;
    while (left > 1u) {
        qn_u64 half_ = left >> 1;
        at += x < QN_F64(words[at + half_ - 1u]) ? 0u : half_;
        left -= half_;
    }
    return (qn_u32)at + (x < QN_F64(words[at]) ? 0u : 1u);
}

/* A stretch's value as reckoned from one end, or from the other if that is no number. */
QN_FN double qn_interp_number(double y, double other, double y0, double y1)
{
    if (y != y) y = other;
    return y != y && y0 == y1 ? y0 : y;
}

QN_FN double qn_interp(QN_GLOBAL const qn_u64 *words, qn_u64 n, double x, qn_u32 mean)
{
    qn_u64 k = QN_INTERP_KNOTS(n);
    QN_GLOBAL const qn_u64 *knots = words + QN_INTERP_HEAD;
    if (x != x) return x;
    if (x < QN_F64(words[0])) return QN_F64(words[2]);
    if (x > QN_F64(words[1])) return QN_F64(words[3]);
    qn_u64 at = qn_bin(knots, k, x);
    if (at != 0u) at--;
    double x0 = QN_F64(knots[at]), y0 = QN_F64(knots[k + at]), slope = QN_F64(knots[2u * k + at]);
    if (x == x0) return QN_F64(knots[3u * k + at]);
    qn_u64 next = at + 1u < k ? at + 1u : at;
    double x1 = QN_F64(knots[next]), y1 = QN_F64(knots[k + next]);
    double left = slope * (x - x0) + y0, right = slope * (x - x1) + y1;
    double y = qn_interp_number(left, right, y0, y1);
    return mean ? 0.5 * (y + qn_interp_number(right, left, y0, y1)) : y;
}

#endif
