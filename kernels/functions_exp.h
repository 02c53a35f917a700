/* SPDX-License-Identifier: Apache-2.0
 * exp and expm1 in float64, and what the other functions share. Here and in the other functions_*.h:
 * the same bits on every device, since there is nothing but +, -, *, /, square roots, QN_FMA and integer
 * operations in them; no branches in the common path, so that a loop over them becomes vectors; NaNs
 * of any payload. docs/numbers.md has the methods and the measured errors, scripts/derive-functions
 * the coefficients. */
#ifndef QN_FUNCTIONS_EXP_H
#define QN_FUNCTIONS_EXP_H

#include "kernels/dialect.h"
#include "kernels/program.h"

/* Inlined also where that is worth a vector rather than a call. */
#if defined(QN_HOST) && defined(__GNUC__)
#define QN_MATH static inline __attribute__((always_inline))
#else
#define QN_MATH QN_FN
#endif

#define QN_INFINITY QN_F64(0x7ff0000000000000u)
#define QN_NOT_A_NUMBER QN_F64(0x7ff8000000000000u)

/* 1.5 * 2^52: adding it rounds to a whole number, which then lies in the low bits. */
#define QN_ROUNDER 6755399441055744.0
#define QN_SMALLEST_NORMAL 2.2250738585072014e-308

/* ln 2 in two parts; the first times any exponent is exact. */
#define QN_LN2 0.6931471805598903
#define QN_LN2_LOW 5.497923018708371e-14

QN_MATH double qn_magnitude(double x)
{
    return QN_F64(QN_BITS64(x) & 0x7fffffffffffffffu);
}

/* x, which has no sign, with the sign of `of`. */
QN_MATH double qn_signed_as(double x, double of)
{
    return QN_F64(QN_BITS64(x) | (QN_BITS64(of) & 0x8000000000000000u));
}

/* 2^n for a whole n of -1022 ... 1023. */
QN_MATH double qn_two_to(double n)
{
    return QN_F64(QN_BITS64(n + (QN_ROUNDER + 1023.0)) << 52);
}

/* x 2^n in two steps, of which the first is exact: one rounding where the result is subnormal. */
QN_MATH double qn_scaled(double x, double n)
{
    double half_ = (n * 0.5 + QN_ROUNDER) - QN_ROUNDER;
    return x * qn_two_to(half_) * qn_two_to(n - half_);
}

/* exp(x + low) = 2^n (1 + r + rest), |r| <= ln 2 / 2. */
struct qn_exp_parts {
    double n, r, rest;
};

/* |x| < 1100 and low beside it; a NaN stays one. */
QN_MATH struct qn_exp_parts qn_exp_parts_of(double x, double low)
{
    struct qn_exp_parts e;
    e.n = QN_FMA(x, 1.4426950408889634, QN_ROUNDER) - QN_ROUNDER;
    double far_ = QN_FMA(-e.n, QN_LN2, x); /* exact */
    double near_ = QN_FMA(-e.n, QN_LN2_LOW, low);
    e.r = far_ + near_;
    double lost = near_ - (e.r - far_);
    double p = 2.0875275594133834e-09;
    p = QN_FMA(p, e.r, 2.5108977647767407e-08);
    p = QN_FMA(p, e.r, 2.755740280583584e-07);
    p = QN_FMA(p, e.r, 2.755724437764411e-06);
    p = QN_FMA(p, e.r, 2.4801587172371843e-05);
    p = QN_FMA(p, e.r, 0.00019841269885962688);
    p = QN_FMA(p, e.r, 0.0013888888888962435);
    p = QN_FMA(p, e.r, 0.008333333333321693);
    p = QN_FMA(p, e.r, 0.04166666666666651);
    p = QN_FMA(p, e.r, 0.16666666666666677);
    p = QN_FMA(p, e.r, 0.5);
    e.rest = QN_FMA(e.r * e.r, p, QN_FMA(e.r, lost, lost));
    return e;
}

/* No further from 0 than where the results are 0 and infinite. */
QN_MATH double qn_exp_limited(double x)
{
    x = x > 710.0 ? 710.0 : x;
    return x < -746.0 ? -746.0 : x;
}

QN_MATH double qn_exp_of_parts(struct qn_exp_parts e)
{
    double sum = 1.0 + e.r;
    return qn_scaled(sum + ((e.r - (sum - 1.0)) + e.rest), e.n);
}

QN_MATH double qn_exp(double x)
{
    return qn_exp_of_parts(qn_exp_parts_of(qn_exp_limited(x), 0.0));
}

/* expm1(x + beside): (2^n - 1) + 2^n (r + rest), each sum with what its rounding lost. n = 1024 is done at
 * half the size. */
QN_MATH double qn_expm1_with(double x, double beside)
{
    double limited = x > 710.0 ? 710.0 : x;
    limited = limited < -40.0 ? -40.0 : limited;
    struct qn_exp_parts e = qn_exp_parts_of(limited, limited == x ? beside : 0.0);
    double times = e.n > 1023.0 ? 2.0 : 1.0;
    double scale = qn_two_to(e.n > 1023.0 ? 1023.0 : e.n);
    double fine = e.r + e.rest, fine_low = e.rest - (fine - e.r);
    double whole = scale - 1.0, back = whole - scale;
    double whole_low = (scale - (whole - back)) + (-1.0 - back);
    double add = scale * fine, sum = whole + add;
    double low = (add - (sum - whole)) + (scale * fine_low + whole_low);
    return x == 0.0 ? x : (sum + low) * times;
}

QN_MATH double qn_expm1(double x)
{
    return qn_expm1_with(x, 0.0);
}

#endif
