/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/valley.h"

#include <math.h>

enum { MOST_ROUNDS = 60 };
static const double ENOUGH = 3e-8;

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Moves or narrows the fan so that it lies between the bounds. */
static void fit_in(struct qn_valley *v)
{
    double half = (double)(v->n / 2);
    if (v->step * 2 * half > v->high - v->low) v->step = (v->high - v->low) / (2 * half);
    v->center = within(v->center, v->low + half * v->step, v->high - half * v->step);
}

void qn_valley_open(struct qn_valley *v, double low, double high, double bend)
{
    *v = (struct qn_valley){.low = low,
                            .high = high,
                            .bend = bend > 1 ? bend : 1,
                            .center = 1,
                            .step = 1,
                            .n = QN_FAN_WIDE};
    fit_in(v);
}

double qn_valley_point(const struct qn_valley *v, uint32_t i)
{
    double x = v->center + ((double)i - (double)(v->n / 2)) * v->step;
    return within(x, v->low, v->high);
}

/* The finest step that is worth while: its cube is beyond notice, its square far above rounding errors. */
static double finest(const struct qn_valley *v)
{
    return sqrt(1e-8 / v->bend);
}

static void go_on(struct qn_valley *v, double center, double step)
{
    v->center = center;
    v->step = step;
    v->n = QN_FAN_NARROW;
    fit_in(v);
}

/* Nothing to see from here: the fan is moved to the lowest value and opened. */
static int lost(struct qn_valley *v, double lowest)
{
    double step = v->step * 4;
    go_on(v, lowest, step);
    v->center = within(lowest, v->low, v->high);
    fit_in(v);
    return v->rounds >= MOST_ROUNDS;
}

int qn_valley_take(struct qn_valley *v, const double *values, double coarse)
{
    uint32_t at = 0, last = v->n - 1;
    for (uint32_t i = 1; i < v->n; i++)
        if (values[i] < values[at] || values[at] != values[at]) at = i;
    double lowest = qn_valley_point(v, at), h = v->step;
    int at_bound = (at == 0 && lowest <= v->low) || (at == last && lowest >= v->high);
    uint32_t middle = at == 0 ? 1 : at == last ? last - 1 : at;
    double a = values[middle - 1], b = values[middle], c = values[middle + 1];
    double second = (a - b) + (c - b), x = qn_valley_point(v, middle);
    v->rounds++;
    if (!(h > 0)) { /* the bounds meet */
        v->center = lowest;
        return 1;
    }
    if (!(second > 0) || !isfinite(second)) return lost(v, lowest);
    double to = x + 0.5 * h * (a - c) / second, moved = fabs(to - x);
    v->curvature = second / (h * h);
    if (v->rounds >= MOST_ROUNDS) {
        v->center = within(to, v->low, v->high);
        return 1;
    }
    if (moved > 4 * h && !at_bound) { /* too far outside to be believed */
        go_on(v, x + (to > x ? 4 * h : -4 * h), 2 * h);
        return 0;
    }
    to = within(to, v->low, v->high);
    int done = coarse > 0 ? h <= coarse && moved <= 2 * h
                          : v->bend * (h * h / 6 + moved * moved / 2) <= ENOUGH;
    if (at_bound && to == lowest && h <= (coarse > 0 ? coarse : 1e-3)) done = 1;
    if (done)
        v->center = to;
    else
        go_on(v, to, fmax(moved > h ? h : h / 8, finest(v)));
    return done;
}

void qn_valley_refine(struct qn_valley *v, double n, int same_rows)
{
    double deviation = same_rows ? 0 : 2 / sqrt(n * v->curvature);
    double step = deviation < 0.5 ? deviation : 0.5;
    v->rounds = 0;
    go_on(v, v->center, fmax(step, finest(v)));
}
