/* SPDX-License-Identifier: Apache-2.0
 * The minimum of a smooth convex function of one number, whose values are means over many rows: dear, and
 * cheaper by the handful. So each pass over the rows gives it at a fan of points, equally far apart.
 *
 * First, on some of the rows, fans close in on the minimum, each about the vertex of the parabola through the
 * lowest points of the last; the second and third derivatives come from the last fan. Then, on all
 * rows, a net of six points, as wide as the minimum may be away, is enough in most cases: the polynomial through
 * them tells where the minimum is. Where it does not do, pairs of points give the slope, and Newton's steps with
 * those derivatives, after the first step with the secant's, find where it is 0. */
#ifndef QN_VALLEY_H
#define QN_VALLEY_H

#include <stdint.h>

enum {
    QN_FAN = 7, /* the most points of a fan */
    QN_NET = 6
};

enum qn_valley_news { QN_VALLEY_GO_ON, QN_VALLEY_FOUND, QN_VALLEY_LOST };

struct qn_valley {
    double low, high;    /* where the minimum is looked for; this and all below in units */
    double unit;         /* how far one must go for the function to change its shape: >= 1 */
    double bend;         /* how large the third derivative may be beside the second, in units */
    double center, step; /* of the next fan */
    uint32_t n;          /* its points: 7, 5; QN_NET or 2 once the minimum is nearly known */
    uint32_t rounds;
    double second, third; /* derivatives */
    double doubt;         /* relative, of the second */
    double slope, slope_at;
    int has_slope;
};

/* The first fan lies about 1. The function's derivatives are about as large as range, its square, its cube. */
void qn_valley_open(struct qn_valley *, double low, double high, double range);
/* As it was opened. */
void qn_valley_again(struct qn_valley *);
/* The minimum, once it is FOUND. */
double qn_valley_found(const struct qn_valley *);
/* The minimum of a sample of n rows was found; that of all rows lies near. same: they are all. */
void qn_valley_refine(struct qn_valley *, double n, int same);
/* Point i < n of the next fan. */
double qn_valley_point(const struct qn_valley *, uint32_t i);
/* Takes the values there. FOUND: to 1e-7 or 1e-11 / range after qn_valley_refine. LOST: it is
 * nowhere near, the sample was no guide; begin again. */
enum qn_valley_news qn_valley_take(struct qn_valley *, const double *values);

#endif
