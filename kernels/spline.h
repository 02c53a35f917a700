/* SPDX-License-Identifier: Apache-2.0
 * Values of B-spline basis functions: the op SPLINE (kernels/program.h).
 *
 * The recursion is de Boor's ("On calculating with B-splines", Journal of Approximation Theory 6, 1972), with
 * the operations of scipy.interpolate.BSpline in their order, so that the bits are scikit-learn's
 * SplineTransformer's (preprocessing/_polynomial.py). Its table:
 *
 *   word 0   the degree k
 *   word 1   b: base knots, at least 2
 *   word 2   what a value outside of the base knots becomes (QN_SPLINE_*), and QN_SPLINE_SAFE
 *   word 3   base knots per unit where they are equally spaced, else 0: where a search may begin
 *   then b + 2 k knots: k, the base knots (ascending), k
 *   CONSTANT, LINEAR: for each of the b + k - 1 functions its value at the first base knot, then at the
 *            last; LINEAR: then its slopes there
 *
 * Of b + k - 1 functions k + 1 are not 0 between two base knots: those from the number of the stretch on.
 * PERIODIC has b - 1 functions; the last k of b + k - 1 are the first ones once more. */
#ifndef QN_SPLINE_H
#define QN_SPLINE_H

#include "kernels/dialect.h"
#include "kernels/program.h"

#define QN_SPLINE_CONTINUE 0u /* the polynomials of the first and last stretch go on */
#define QN_SPLINE_ERROR 1u    /* QN_SEEN_UNKNOWN */
#define QN_SPLINE_CONSTANT 2u
#define QN_SPLINE_LINEAR 3u
#define QN_SPLINE_PERIODIC 4u
#define QN_SPLINE_MODE 7u
/* Between the base knots nothing overflows: functions elsewhere are 0 there, whatever those here are. */
#define QN_SPLINE_SAFE 8u

#define QN_SPLINE_HEAD 4u
#define QN_SPLINE_DEGREE 31u /* the greatest */
#define QN_SPLINE_LEAST 6u   /* words of the shortest table */

/* Words of a table. */
QN_FN qn_u64 qn_spline_words(qn_u64 degree, qn_u64 base, qn_u64 mode)
{
    qn_u64 ends = mode == QN_SPLINE_CONSTANT ? 2u : mode == QN_SPLINE_LINEAR ? 4u : 0u;
    return QN_SPLINE_HEAD + base + 2u * degree + ends * (base + degree - 1u);
}

/* Whether `count` words are a table that has function j. */
QN_FN int qn_spline_fits(QN_GLOBAL const qn_u64 *table, qn_u64 count, qn_u64 j)
{
    if (count < QN_SPLINE_LEAST || table[0] > QN_SPLINE_DEGREE || table[1] < 2u) return 0;
    qn_u64 k = table[0], b = table[1], mode = table[2] & QN_SPLINE_MODE;
    if (b > count || mode > QN_SPLINE_PERIODIC || (mode == QN_SPLINE_PERIODIC && b <= k)) return 0;
    return qn_spline_words(k, b, mode) == count &&
           j < b - 1u + (mode == QN_SPLINE_PERIODIC ? 0u : k);
}

/* How many functions there are. */
QN_FN qn_u64 qn_spline_functions(QN_GLOBAL const qn_u64 *table)
{
    qn_u64 mode = table[2] & QN_SPLINE_MODE;
    return table[1] - 1u + (mode == QN_SPLINE_PERIODIC ? 0u : table[0]);
}

/* The stretch of the b base knots that x is in: how many of the inner ones are not above it. */
QN_FN qn_u32 qn_spline_stretch(QN_GLOBAL const qn_u64 *base, qn_u32 b, double per_unit, double x)
{
    qn_u32 last = b - 2u, at = 0u, left = last;
    if (per_unit > 0.0) { /* a guess, and steps from it */
        double guess = (x - QN_F64(base[0])) * per_unit;
        at = guess >= (double)last ? last : guess >= 1.0 ? (qn_u32)guess : 0u;
        while (at > 0u && !(QN_F64(base[at]) <= x)) at--;
        while (at < last && QN_F64(base[at + 1u]) <= x) at++;
        return at;
    }
    while (left > 0u) {
        qn_u32 half_ = (left + 1u) >> 1;
        if (QN_F64(base[at + half_]) <= x) {
            at += half_;
            left -= half_;
        } else
            left = half_ - 1u;
    }
    return at;
}

/* The k + 1 functions that are not 0 on the stretch that begins at knot `t`: their values at x. */
QN_FN void qn_spline_basis(QN_GLOBAL const qn_u64 *t, qn_u32 k, double x, double *h)
{
    h[0] = 1.0;
    for (qn_u32 j = 1u; j <= k; j++) {
        double carry = 0.0;
        QN_GLOBAL const qn_u64 *above = t + 1, *below = t + 1 - (qn_i64)j;
        for (qn_u32 n = 0u; n < j; n++) {
            double xb = QN_F64(above[n]), xa = QN_F64(below[n]), w = h[n];
            h[n] = carry;
            carry = 0.0;
            if (xb != xa) {
                w = w / (xb - xa);
                h[n] += w * (xb - x);
                carry = w * (x - xa);
            }
        }
        h[j] = carry;
    }
}

/* a modulo b > 0 as numpy.remainder has it: the exact remainder, plus b where a is below 0. Multiples of
 * b with fewer than 53 bits are taken away, whole numbers of times each, so that nothing is rounded. */
QN_FN double qn_modulo(double a, double b)
{
    double r = a < 0.0 ? -a : a;
    if (!(r - r == 0.0)) return r - r;
    while (r >= b) {
        double step = b;
        while (r / step >= 4503599627370496.0) step *= 1125899906842624.0; /* 2^52, 2^50 */
        double times = (double)(qn_i64)(r / step);
        r = QN_FMA(-times, step, r);
        if (r < 0.0) r += step;
    }
    return a < 0.0 && r != 0.0 ? b - r : r;
}

/* x inside of the period; 0 where there is none. */
QN_FN double qn_spline_wrap(double first, double last, double x)
{
    double period = last - first;
    return period > 0.0 ? first + qn_modulo(x - first, period) : 0.0;
}

/* What function j of n is at an x below the first or above the last base knot. */
QN_FN double qn_spline_outside(QN_GLOBAL const qn_u64 *table, qn_u64 n, qn_u64 j, double x)
{
    qn_u64 k = table[0], linear = (table[2] & QN_SPLINE_MODE) == QN_SPLINE_LINEAR;
    QN_GLOBAL const qn_u64 *t = table + QN_SPLINE_HEAD + k, *ends = t + table[1] + k;
    double first = QN_F64(t[0]), last = QN_F64(t[table[1] - 1u]);
    qn_u64 some = linear && k <= 1u ? k + 1u : k, above = x > last ? 1u : 0u;
    if (!(x < first) && above == 0u) return 0.0;
    if (above ? j + some < n : j >= some) return 0.0;
    double value = QN_F64(ends[above * n + j]);
    if (!linear) return value;
    return value + (x - (above ? last : first)) * QN_F64(ends[(2u + above) * n + j]);
}

/* Function j at x; NaN: 0. */
QN_FN double qn_spline(QN_GLOBAL const qn_u64 *table, qn_u64 j, double x, qn_u32 *seen)
{
    double h[QN_SPLINE_DEGREE + 1u];
    qn_u32 k = (qn_u32)table[0], b = (qn_u32)table[1], mode = (qn_u32)table[2] & QN_SPLINE_MODE;
    QN_GLOBAL const qn_u64 *t = table + QN_SPLINE_HEAD + k;
    double first = QN_F64(t[0]), last = QN_F64(t[b - 1u]);
    if (x != x) return 0.0;
    if (mode == QN_SPLINE_PERIODIC) x = qn_spline_wrap(first, last, x);
    int inside = first <= x && x <= last;
    if (!inside && (mode == QN_SPLINE_CONSTANT || mode == QN_SPLINE_LINEAR))
        return qn_spline_outside(table, qn_spline_functions(table), j, x);
    if (!inside && mode == QN_SPLINE_ERROR) {
        *seen |= QN_SEEN_UNKNOWN;
        return 0.0;
    }
    qn_u32 at = qn_spline_stretch(t, b, QN_F64(table[3]), x);
    qn_u64 again = mode == QN_SPLINE_PERIODIC ? j + b - 1u : j; /* its number the second time */
    if ((table[2] & QN_SPLINE_SAFE) != 0u && inside && (j < at || j > at + k) &&
        (again < at || again > at + k))
        return 0.0;
    qn_spline_basis(t + at, k, x, h);
    /* The row of ones and zeros that SciPy multiplies with: an overflow spoils the others too. */
    double y = 0.0;
    for (qn_u32 i = 0u; i <= k; i++) y += at + i == j || at + i == again ? h[i] : 0.0 * h[i];
    return y;
}

#endif
