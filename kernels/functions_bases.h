/* SPDX-License-Identifier: Apache-2.0
 * log2 and log10 in float64: the logarithm in two words times 1 / ln b in two words, rounded once; so
 * the powers of the base give whole numbers. */
#ifndef QN_FUNCTIONS_BASES_H
#define QN_FUNCTIONS_BASES_H

#include "kernels/functions_pow.h"

/* log(x) times `high + low`. */
QN_MATH double qn_log_times(double x, double high, double low)
{
    int tiny = x < QN_SMALLEST_NORMAL;
    struct qn_two_words l, inverse;
    qn_log_precise(tiny ? x * 18014398509481984.0 : x, tiny ? -54.0 : 0.0, &l);
    inverse.high = high;
    inverse.low = low;
    l = qn_product(l, inverse);
    return qn_log_settled(x, l.high + l.low);
}

QN_MATH double qn_log2(double x)
{
    return qn_log_times(x, 1.4426950408889634, 2.0355273740931033e-17);
}

QN_MATH double qn_log10(double x)
{
    return qn_log_times(x, 0.4342944819032518, 1.098319650216765e-17);
}

#endif
