/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/descent.h"

#include <math.h>

enum { MOST_ROUNDS = 60, MOST_STEPS = 12 };
static const double ENOUGH = 3e-8, LEAST_RANGE = 1e-4;
/* Of a sample: beside how far it leads astray. */
static const double ENOUGH_OF_SAMPLE = 0.25;
/* Over the logarithms' reach: how far a curve is looked at, and the first step beyond. */
static const double TRUSTED = 2, STRIDE = 4;
/* Squares of exponentials of what is larger could overflow. */
static const double LARGEST = 300;
/* Exponents nearer to 0 leave too little of the coefficients, which are divided by powers of them. */
static const double SMALLEST = 1.0 / 32;

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

void qn_descent_open(struct qn_descent *d, double low, double high, double low_log, double high_log,
                     int both_signs)
{
    double range = high_log > low_log ? high_log - low_log : 1;
    *d = (struct qn_descent){.low_log = low_log,
                             .high_log = high_log,
                             .range = range,
                             .two = both_signs ? 2 * range : 0,
                             .low = low * range,
                             .high = high * range};
    qn_descent_again(d);
}

void qn_descent_again(struct qn_descent *d)
{
    d->at = within(d->range, d->low, d->high);
    qn_descent_on(d);
}

void qn_descent_on(struct qn_descent *d)
{
    d->left = -INFINITY;
    d->right = INFINITY;
    d->stride = 0;
    d->rounds = 0;
}

double qn_descent_lambda(const struct qn_descent *d)
{
    return d->at / d->range;
}

/* x, or the nearer end of the gap if it is in that. */
static double beside(double x, double low, double high)
{
    if (x <= low || x >= high) return x;
    return x - low < high - x ? low : high;
}

/* Where the next curve is of: near `at`, with no exponent near 0. */
static double place(const struct qn_descent *d)
{
    double two = d->two;
    if (two <= 2 * SMALLEST) return beside(d->at, -SMALLEST, two + SMALLEST);
    return beside(beside(d->at, -SMALLEST, SMALLEST), two - SMALLEST, two + SMALLEST);
}

/* What is subtracted from the logarithms: nothing where both signs occur, whose bounds keep their powers finite;
 * else their middle, or the end at which the powers are largest. */
static double shift_at(const struct qn_descent *d, double r)
{
    if (d->two != 0) return 0;
    if (fabs(r) < 2 * LARGEST) return d->low_log + 0.5 * (d->high_log - d->low_log);
    return r > 0 ? d->high_log : d->low_log;
}

/* How far from 0 the logarithms lie at most, shifted and divided. */
static double reach_at(const struct qn_descent *d, double r)
{
    double shift = shift_at(d, r);
    return fmax(d->high_log - shift, shift - d->low_log) / d->range;
}

struct qn_powers_at qn_descent_ask(const struct qn_descent *d, int box_cox)
{
    double up = place(d), down = up - d->two;
    return (struct qn_powers_at){.box_cox = box_cox,
                                 .shift = shift_at(d, up),
                                 .scale = 1 / d->range,
                                 .up = up,
                                 .down = down,
                                 .up_inverse = 1 / up,
                                 .down_inverse = 1 / down};
}

/* The slope and the bend of the negative log-likelihood over n, t from where the curve is of. */
static double slope_of(const struct qn_powers_node *node, double t, double *bend)
{
    double v0 = 0, v1 = 0, v2 = 0; /* the variance, times a number, and its derivatives */
    for (int k = QN_POWERS_ORDER; k >= 0; k--) {
        v2 = fma(t, v2, 2 * v1);
        v1 = fma(t, v1, v0);
        v0 = fma(t, v0, node->part[k]);
    }
    double ratio = v1 / v0;
    *bend = v0 > 0 ? 0.5 * (v2 / v0 - ratio * ratio) : -1;
    return 0.5 * ratio - node->log_;
}

/* Where the curve is least, if that is near. */
static int least_near(const struct qn_powers_node *node, double near_, double *t, double *bend)
{
    *t = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        double slope = slope_of(node, *t, bend), to = *t - slope / *bend;
        if (!(*bend > 0) || !(fabs(to) <= near_)) return 0;
        int done = fabs(to - *t) <= 1e-14 * near_;
        *t = to;
        if (done) break;
    }
    return 1;
}

/* How far off the next coefficient could put the minimum. No coefficient is more than the one before times twice
 * the reach over its number, but for what cancels in them; so two are looked at. */
static double doubt_of(const struct qn_powers_node *node, double reach, double t, double bend)
{
    double twice = 2 * reach, square = t * t;
    double next = fmax(fabs(node->part[6]) / 7, fabs(node->part[5]) * twice / 42) * twice;
    return 3.5 * next * square * square * square / (node->part[0] * bend);
}

/* The next r, between what is known of the minimum. It is found where it would be asked again. */
static enum qn_descent_news go_to(struct qn_descent *d, double from, double to)
{
    if (!(to > d->left && to < d->right)) to = 0.5 * d->left + 0.5 * d->right;
    d->at = within(to, d->low, d->high);
    if (place(d) == from) return QN_DESCENT_FOUND;
    return ++d->rounds <= MOST_ROUNDS ? QN_DESCENT_GO_ON : QN_DESCENT_LOST;
}

static int tells(const struct qn_powers_node *node)
{
    double sum = node->log_;
    for (int k = 0; k < QN_POWERS_TERMS; k++) sum += node->part[k];
    return node->n >= 2 && isfinite(sum) && node->part[0] > 0;
}

enum qn_descent_news qn_descent_take(struct qn_descent *d, const struct qn_powers_node *node,
                                     int rough)
{
    double from = place(d), reach = reach_at(d, from), t, bend;
    if (!tells(node)) return QN_DESCENT_LOST;
    int to_the_right = slope_of(node, 0, &bend) < 0;
    if (to_the_right)
        d->left = from;
    else
        d->right = from;
    if (!least_near(node, TRUSTED / reach, &t, &bend)) {
        d->stride = fmax(2 * d->stride, STRIDE / reach);
        return go_to(d, from, from + (to_the_right ? d->stride : -d->stride));
    }
    double enough =
        rough ? ENOUGH_OF_SAMPLE / sqrt(node->n * bend) : ENOUGH * fmax(d->range, LEAST_RANGE);
    if (doubt_of(node, reach, t, bend) > enough) return go_to(d, from, from + t);
    d->at = within(from + t, d->low, d->high);
    return QN_DESCENT_FOUND;
}
