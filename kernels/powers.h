/* SPDX-License-Identifier: Apache-2.0
 * How the variance of a power transform depends on its lambda, about one lambda and to the sixth order
 * (docs/numbers.md, "Curves of powers").
 *
 * With s the logarithm of a value, signed like it, the transform is y(r) = (e^(r s) - 1) / r, where r is lambda,
 * or lambda - 2 for the negative values of Yeo and Johnson's. Its coefficients in y(r + d) = a0 + a1 d + ...
 * follow from one exponential: a_k = (s^k e^(r s) / k! - a_(k-1)) / r. */
#ifndef QN_POWERS_H
#define QN_POWERS_H

#include "kernels/program.h"

/* What a lane is asked. s = scale (log(x) - shift), or of log(1 + |x|) with the sign of x; r is `up` for s >= 0 and
 * `down` for s < 0, neither of them 0, and their inverses. All doubles, so that it is one thing on every device. */
struct qn_powers_at {
    double box_cox; /* 1: log(x); 0: log(1 + |x|) */
    double shift, scale;
    double up, down, up_inverse, down_inverse;
};

enum { QN_POWERS_ORDER = 6, QN_POWERS_TERMS = QN_POWERS_ORDER + 1 };

/* Of a block, or of more: how many values, the means of s and of each a_k, and the coefficients of
 * sum (y(r + d) - mean of y(r + d))^2 as a polynomial in d. */
struct qn_powers_node {
    double n, log_;
    double mean[QN_POWERS_TERMS], part[QN_POWERS_TERMS];
};

#endif
