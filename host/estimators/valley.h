/* SPDX-License-Identifier: Apache-2.0
 * The minimum of a smooth convex function of one number, whose values are dear and cheaper by the handful:
 * each pass over the data gives it at a fan of points, equally far from each other, and the parabola through
 * the lowest three says where the next fan lies (the step of Brent's method; there is no need of his golden
 * section, as the likelihoods in question are convex). */
#ifndef QN_VALLEY_H
#define QN_VALLEY_H

#include <stdint.h>

enum { QN_FAN_WIDE = 7, QN_FAN_NARROW = 3 };

struct qn_valley {
    double low, high;    /* where the minimum is looked for */
    double bend;         /* how large the third derivative may be beside the second */
    double center, step; /* of the next fan */
    uint32_t n;          /* points of the next fan */
    double curvature;    /* the second derivative, once it is known */
    uint32_t rounds;
};

/* The first fan is wide and lies about 1. */
void qn_valley_open(struct qn_valley *, double low, double high, double bend);
/* Point i < n of the next fan. */
double qn_valley_point(const struct qn_valley *, uint32_t i);
/* Takes the values at the fan's points. 1: the minimum is `center` now, to about half the third power of the
 * step of `coarse` or, for coarse = 0, to 1e-7 or so; 0: another fan is wanted. */
int qn_valley_take(struct qn_valley *, const double *values, double coarse);
/* The minimum of a sample of n rows is known; that of all rows lies near. */
void qn_valley_refine(struct qn_valley *, double n, int same_rows);

#endif
