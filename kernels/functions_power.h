/* SPDX-License-Identifier: Apache-2.0
 * The power transforms of Box and Cox (1964) and of Yeo and Johnson (2000) and their ways back, in float64.
 * (x^l - 1) / l is expm1(l log x) / l here, as in SciPy, with the logarithm and the product in two words:
 * nothing cancels near l = 0 or x = 1, and a large l log x costs no digits. */
#ifndef QN_FUNCTIONS_POWER_H
#define QN_FUNCTIONS_POWER_H

#include "kernels/functions_pow.h"

/* Products this small have lost digits, or are 0; the limit for l -> 0 is the result then. */
#define QN_POWER_TINY 1e-290

/* log(u + c) as it is for u = 0 and for what has none. */
QN_MATH struct qn_two_words qn_power_log(double u, double c, double more, double of)
{
    struct qn_log_parts parts = qn_log_parts_of(u, c, more);
    struct qn_two_words l;
    l.high = qn_log_settled(of, parts.high + parts.low);
    l.low = parts.low - (l.high - parts.high);
    return l;
}

/* log(1 + x + low) */
QN_MATH struct qn_two_words qn_power_log1p(double x, double low)
{
    double u = 1.0 + x, back = u - 1.0, c = ((1.0 - (u - back)) + (x - back)) + low;
    c = u == QN_INFINITY ? 0.0 : c;
    double sum = u + c; /* where 1 + x is next to nothing, low is all there is */
    return qn_power_log(sum, c - (sum - u), 0.0, sum);
}

/* expm1(p l) / p */
QN_MATH double qn_power_of_log(struct qn_two_words l, double p)
{
    double y = p * l.high, y_low = QN_FMA(p, l.high, -y) + p * l.low;
    double r = qn_expm1_with(y, y_low) / p;
    return p == 0.0 || qn_magnitude(y) < QN_POWER_TINY ? l.high : r;
}

/* log(1 + p y) / p */
QN_MATH struct qn_two_words qn_log_of_power(double y, double p)
{
    double t = p * y;
    int tiny = p == 0.0 || qn_magnitude(t) < QN_POWER_TINY;
    struct qn_two_words l = qn_power_log1p(t, QN_FMA(p, y, -t)), r;
    double q = l.high / p;
    r.high = tiny ? y : q;
    r.low = tiny ? 0.0 : (QN_FMA(-q, p, l.high) + l.low) / p;
    return r;
}

/* What both transforms need of x, whatever lambda is. */
QN_MATH struct qn_two_words qn_box_cox_log(double x)
{
    int tiny = x < QN_SMALLEST_NORMAL;
    return qn_power_log(tiny ? x * 18014398509481984.0 : x, 0.0, tiny ? -54.0 : 0.0, x);
}

QN_MATH struct qn_two_words qn_yeo_johnson_log(double x)
{
    return qn_power_log1p(qn_magnitude(x), 0.0);
}

QN_MATH double qn_box_cox(double x, double lambda)
{
    return qn_power_of_log(qn_box_cox_log(x), lambda);
}

QN_MATH double qn_box_cox_back(double y, double lambda)
{
    struct qn_two_words q = qn_log_of_power(y, lambda);
    double limited = qn_exp_limited(q.high);
    return qn_exp_of_parts(qn_exp_parts_of(limited, limited == q.high ? q.low : 0.0));
}

/* Below 0 it is the same of |x| with 2 - lambda, turned over. */
QN_MATH double qn_yeo_johnson_of_log(double x, struct qn_two_words l, double lambda)
{
    double a = qn_magnitude(x), p = x < 0.0 ? 2.0 - lambda : lambda;
    double r = qn_magnitude(qn_power_of_log(l, p));
    r = a == 0.0 ? a : r;
    return x != x ? x : qn_signed_as(r, x);
}

QN_MATH double qn_yeo_johnson(double x, double lambda)
{
    return qn_yeo_johnson_of_log(x, qn_yeo_johnson_log(x), lambda);
}

QN_MATH double qn_yeo_johnson_back(double y, double lambda)
{
    double a = qn_magnitude(y), p = y < 0.0 ? 2.0 - lambda : lambda;
    struct qn_two_words q = qn_log_of_power(a, p);
    double r = qn_magnitude(qn_expm1_with(q.high, q.low));
    r = a == 0.0 ? a : r;
    return y != y ? y : qn_signed_as(r, y);
}

#endif
