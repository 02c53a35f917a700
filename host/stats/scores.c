/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/scores.h"

#include <math.h>

#include "host/stats/moments.h"
#include "host/stats/tails.h"

/* The classes as one: m2 is the sum of squares of their means about the mean of all, each counted as
 * often as it has rows. */
static struct qn_node between(const struct qn_node *classes, uint32_t n)
{
    struct qn_node all = {0.0, 0.0, 0.0, 0.0};
    for (uint32_t k = 0; k < n; k++) {
        struct qn_node mean = classes[k];
        mean.m2 = 0.0;
        all = qn_node_merge(all, mean);
    }
    return all;
}

/* Sums that add up what each addition lost. */
static double within(const struct qn_node *classes, uint32_t n)
{
    double sum = 0.0, lost = 0.0;
    for (uint32_t k = 0; k < n; k++) {
        double m2 = classes[k].m2, next = sum + m2, part = next - sum;
        lost += (sum - (next - part)) + (m2 - part);
        sum = next;
    }
    return sum + lost;
}

static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

struct qn_score qn_score_f_classif(const struct qn_node *classes, uint32_t n)
{
    struct qn_node all = between(classes, n);
    double d1 = (double)n - 1.0, d2 = all.n - (double)n;
    double f = (all.m2 / d1) / (within(classes, n) / d2);
    return (struct qn_score){canonical(f), qn_f_tail(d1, d2, f)};
}

/* sum (o - e)^2 / e, where o = rows x mean of a class and e = rows x mean of all. */
struct qn_score qn_score_chi2(const struct qn_node *classes, uint32_t n)
{
    struct qn_node all = between(classes, n);
    double mean = all.hi + all.lo, chi2 = n > 1 ? all.m2 / mean : (double)NAN;
    return (struct qn_score){canonical(chi2), qn_chi2_tail((double)n - 1.0, chi2)};
}

/* ---- lines ---- */

/* Sums of squares and products, brought near 1 by powers of two: r does not change by that, and no square
 * of them leaves the range. */
struct line {
    double xx, yy, xy;
};

/* x in [1, 4) times 4^half. */
static double reduced(double x, int *half)
{
    int e;
    (void)frexp(x, &e);
    *half = (e - 1) / 2 - ((e - 1) % 2 < 0);
    return ldexp(x, -2 * *half);
}

static struct line line_of(const struct qn_pair *p, int centered)
{
    double n = p->value.n, x = p->value.hi + p->value.lo, y = p->target.hi + p->target.lo;
    struct line l = {p->value.m2, p->target.m2, p->product};
    int half_x, half_y;
    if (!centered) {
        l.xx = fma(n * x, x, l.xx);
        l.yy = fma(n * y, y, l.yy);
        l.xy = fma(n * x, y, l.xy);
    }
    if (!(l.xx > 0 && l.yy > 0)) return (struct line){(double)NAN, (double)NAN, (double)NAN};
    l.xx = reduced(l.xx, &half_x);
    l.yy = reduced(l.yy, &half_y);
    l.xy = ldexp(ldexp(l.xy, -half_x), -half_y);
    return l;
}

struct qn_score qn_score_r_regression(const struct qn_pair *p, int centered)
{
    struct line l = line_of(p, centered);
    return (struct qn_score){canonical(l.xy / sqrt(l.xx * l.yy)), (double)NAN};
}

/* r^2 / (1 - r^2), the difference without what the products' rounding would take from it. */
struct qn_score qn_score_f_regression(const struct qn_pair *p, int centered)
{
    struct line l = line_of(p, centered);
    double free_rows = p->value.n - (centered ? 2.0 : 1.0);
    double all = l.xx * l.yy, fit = l.xy * l.xy;
    double rest = (all - fit) + (fma(l.xx, l.yy, -all) - fma(l.xy, l.xy, -fit));
    double f = fit / (rest > 0 ? rest : 0.0) * free_rows;
    return (struct qn_score){canonical(f), isinf(f) ? 0.0 : qn_f_tail(1.0, free_rows, f)};
}
