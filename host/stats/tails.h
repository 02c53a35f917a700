/* SPDX-License-Identifier: Apache-2.0
 * Upper tails of the distributions that tests of significance ask: how likely a statistic of this size
 * is where there is nothing to be found. Full double accuracy out to the smallest probabilities; a
 * function of the arguments' bits alone on every machine (docs/numbers.md). */
#ifndef QN_TAILS_H
#define QN_TAILS_H

/* P(F > f) of Fisher's distribution with d1 and d2 degrees of freedom, whole numbers. NaN for an f that
 * is NaN and where one of them is less than 1. */
double qn_f_tail(double d1, double d2, double f);
/* P(X > x) of the chi-squared distribution with df degrees of freedom, a whole number. */
double qn_chi2_tail(double df, double x);

#endif
