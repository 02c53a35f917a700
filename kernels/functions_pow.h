/* SPDX-License-Identifier: Apache-2.0
 * pow in float64: exp(y log x) with the logarithm in two words, to 2^-68. */
#ifndef QN_FUNCTIONS_POW_H
#define QN_FUNCTIONS_POW_H

#include "kernels/functions_log.h"

/* high + low, where |low| is at most half a unit in the last place of high. */
struct qn_two_words {
    double high, low;
};

/* a b, each in two words. */
QN_MATH struct qn_two_words qn_product(struct qn_two_words a, struct qn_two_words b)
{
    struct qn_two_words r;
    r.high = a.high * b.high;
    r.low = QN_FMA(a.high, b.high, -r.high) + QN_FMA(a.high, b.low, a.low * b.high);
    return r;
}

/* a + a_low + b, |a| > |b|. */
QN_MATH struct qn_two_words qn_sum(double a, double a_low, struct qn_two_words b)
{
    struct qn_two_words r;
    r.high = a + b.high;
    r.low = (b.high - (r.high - a)) + (b.low + a_low);
    return r;
}

/* log(2^more u): with s = f / (2 + f) and z = s s it is k ln 2 + s (2 + z (2/3 + z (2/5 + z q(z)))). The result
 * goes through a pointer, as Oclgrind does not know what LLVM makes of a struct here. */
QN_MATH void qn_log_precise(double u, double more, struct qn_two_words *log_)
{
    struct qn_log_cut cut = qn_log_cut_of(u);
    double k = cut.k + more, f = cut.f;
    double d = 2.0 + f, d_low = f - (d - 2.0), inverse = 1.0 / d;
    struct qn_two_words s, z, r;
    s.high = f * inverse;
    s.low = inverse * (QN_FMA(-s.high, d, f) - s.high * d_low);
    z = qn_product(s, s);
    double q = 0.1191068233252152;
    q = QN_FMA(q, z.high, 0.11685076791007556);
    q = QN_FMA(q, z.high, 0.13335761422185463);
    q = QN_FMA(q, z.high, 0.1538457294111324);
    q = QN_FMA(q, z.high, 0.18181818604877564);
    q = QN_FMA(q, z.high, 0.22222222220016227);
    q = QN_FMA(q, z.high, 0.2857142857143315);
    r.high = z.high * q;
    r.low = 0.0;
    r = qn_product(z, qn_sum(0.4, -2.2204460492503132e-17, r));
    r = qn_product(z, qn_sum(0.6666666666666666, 3.700743415417188e-17, r));
    r = qn_product(s, qn_sum(2.0, 0.0, r));
    r = qn_sum(k * QN_LN2, k * QN_LN2_LOW, r);
    log_->high = r.high + r.low;
    log_->low = r.low - (log_->high - r.high);
}

/* y >= 0 rounded to a whole number. */
QN_MATH double qn_whole_near(double y)
{
    double near_ = (y + 4503599627370496.0) - 4503599627370496.0;
    return y < 4503599627370496.0 ? near_ : y;
}

QN_MATH double qn_pow(double x, double y)
{
    double a = qn_magnitude(x), b = qn_magnitude(y);
    int tiny = a < QN_SMALLEST_NORMAL;
    struct qn_two_words l;
    qn_log_precise(tiny ? a * 18014398509481984.0 : a, tiny ? -54.0 : 0.0, &l);
    l.high = a == 0.0 ? -QN_INFINITY : l.high;
    l.high = a == QN_INFINITY ? a : l.high;
    double high = y * l.high, low = QN_FMA(y, l.high, -high) + y * l.low;
    double limited = qn_exp_limited(high);
    double r = qn_exp_of_parts(qn_exp_parts_of(limited, limited == high ? low : 0.0));
    r = a == 1.0 ? 1.0 : r;
    /* A negative x: nothing for a y that is not whole, the sign of x for an odd one. */
    double signed_ = qn_signed_as(r, qn_whole_near(b * 0.5) == b * 0.5 ? 1.0 : x);
    double other = a == 0.0 ? r : a == QN_INFINITY ? r : x < 0.0 ? QN_NOT_A_NUMBER : r;
    r = qn_whole_near(b) == b ? signed_ : other;
    r = x != x ? x : r;
    r = y != y ? y : r;
    r = x == 1.0 ? 1.0 : r;
    return y == 0.0 ? 1.0 : r;
}

#endif
