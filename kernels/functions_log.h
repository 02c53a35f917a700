/* SPDX-License-Identifier: Apache-2.0
 * log, log1p and asinh in float64. */
#ifndef QN_FUNCTIONS_LOG_H
#define QN_FUNCTIONS_LOG_H

#include "kernels/functions_exp.h"

/* u = 2^k (1 + f), 1 + f between sqrt(1/2) and sqrt(2); shrink = 2^(1 - k). */
struct qn_log_cut {
    double k, f, shrink;
};

/* u: normal and positive; any other gives some numbers that are not used. */
QN_MATH struct qn_log_cut qn_log_cut_of(double u)
{
    struct qn_log_cut c;
    /* Bits of 1 less those of sqrt(1/2): the exponent's bits change where the mantissa passes sqrt(2). */
    qn_u64 moved = QN_BITS64(u) + 0x00095f619980c433u;
    qn_u64 field = moved >> 52;
    c.k = QN_F64(field | 0x4330000000000000u) - (4503599627370496.0 + 1023.0);
    c.f = QN_F64((moved & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    c.shrink = QN_F64((2047u - field) << 52);
    return c;
}

/* The sum of both is the logarithm; high alone is near it. */
struct qn_log_parts {
    double high, low;
};

/* log(2^more (u + c)), c of about u's rounding error. */
QN_MATH struct qn_log_parts qn_log_parts_of(double u, double c, double more)
{
    struct qn_log_cut cut = qn_log_cut_of(u);
    double k = cut.k + more, f = cut.f;
    double s = f / (2.0 + f), z = s * s;
    double q = 0.14795797049445925;
    q = QN_FMA(q, z, 0.15314068592478625);
    q = QN_FMA(q, z, 0.1818356350546727);
    q = QN_FMA(q, z, 0.22222198591345652);
    q = QN_FMA(q, z, 0.28571428742185984);
    q = QN_FMA(q, z, 0.39999999999415703);
    q = QN_FMA(q, z, 0.6666666666666734);
    double half_ = 0.5 * f * f, rest = s * QN_FMA(z, q, half_);
    /* c / (1 + f) = c - c t, t = 2 s / (1 + s) to ten bits. */
    double add = c * cut.shrink * 0.5, t = 2.0 * s * ((1.0 - s) * (1.0 + z));
    struct qn_log_parts l;
    double whole = k * QN_LN2;
    l.high = whole + f;
    l.low = (f - (l.high - whole)) + (add - (QN_FMA(add, t, half_) - QN_FMA(k, QN_LN2_LOW, rest)));
    return l;
}

/* r, or what the logarithm of an x that is no positive number is. */
QN_MATH double qn_log_settled(double x, double r)
{
    double other = x == 0.0 ? -QN_INFINITY : QN_NOT_A_NUMBER;
    r = x == QN_INFINITY ? x : r;
    return x > 0.0 ? r : other;
}

QN_MATH double qn_log(double x)
{
    int tiny = x < QN_SMALLEST_NORMAL;
    struct qn_log_parts l =
        qn_log_parts_of(tiny ? x * 18014398509481984.0 : x, 0.0, tiny ? -54.0 : 0.0);
    return qn_log_settled(x, l.high + l.low);
}

/* log(u + c), where u + c is 1 + x without rounding. */
QN_MATH double qn_log1p(double x)
{
    double u = 1.0 + x, back = u - 1.0, c = (1.0 - (u - back)) + (x - back);
    struct qn_log_parts l = qn_log_parts_of(u, c, 0.0);
    double r = qn_log_settled(u, l.high + l.low);
    return x == 0.0 ? x : r;
}

/* log(a + sqrt(a a + 1)) for a = |x|, the sum in two words; log(2 a) for large a. */
QN_MATH double qn_asinh(double x)
{
    double a = qn_magnitude(x), square = a * a, square_low = QN_FMA(a, a, -square);
    double t = 1.0 + square, back = t - 1.0;
    double t_low = ((1.0 - (t - back)) + (square - back)) + square_low;
    double root = QN_SQRT_F64(t);
    double root_low = (QN_FMA(-root, root, t) + t_low) * (0.5 / root);
    double u = root + a, c = (a - (u - root)) + root_low;
    int large = a > 1073741824.0;
    struct qn_log_parts l = qn_log_parts_of(large ? a : u, large ? 0.0 : c, large ? 1.0 : 0.0);
    double r = l.high + l.low;
    r = a == QN_INFINITY ? a : r;
    return qn_signed_as(r, x);
}

#endif
