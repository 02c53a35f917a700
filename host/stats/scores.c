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
