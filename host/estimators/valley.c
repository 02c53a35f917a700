/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/valley.h"

#include <math.h>

enum { MOST_ROUNDS = 60 };
static const double ENOUGH = 3e-8;

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Sets the next fan, moved or narrowed so that it lies between the bounds. */
static void aim(struct qn_valley *v, double center, double step, uint32_t n)
{
    uint32_t beside = n / 2; /* points on either side; of two, one */
    double half = (double)beside, room = (v->high - v->low) / (2 * half);
    v->n = n;
    v->step = step < room ? step : room;
    v->center = within(center, v->low + half * v->step, v->high - half * v->step);
}

void qn_valley_open(struct qn_valley *v, double low, double high, double range)
{
    double unit = range < 1 ? 1 / range : 1;
    *v = (struct qn_valley){
        .low = low / unit, .high = high / unit, .unit = unit, .bend = range > 1 ? range : 1};
    qn_valley_again(v);
}

void qn_valley_again(struct qn_valley *v)
{
    v->rounds = 0;
    aim(v, 1 / v->unit, 1, 7);
}

double qn_valley_found(const struct qn_valley *v)
{
    return v->center * v->unit;
}

/* In units. */
static double place_of(const struct qn_valley *v, uint32_t i)
{
    uint32_t beside = v->n / 2;
    double place = v->n == 2        ? 2.0 * i - 1
                   : v->n == QN_NET ? (double)i - 0.5 * (QN_NET - 1)
                                    : (double)i - (double)beside;
    return within(v->center + place * v->step, v->low, v->high);
}

double qn_valley_point(const struct qn_valley *v, uint32_t i)
{
    return place_of(v, i) * v->unit;
}

static uint32_t lowest_of(const double *values, uint32_t n)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < n; i++)
        if (values[i] < values[at]) at = i;
    return at;
}

/* The step from which on the higher derivatives can be told. */
static double coarse(const struct qn_valley *v)
{
    return 1.0 / 64 / (v->bend > 8 ? v->bend / 8 : 1);
}

static enum qn_valley_news take_fan(struct qn_valley *v, const double *values)
{
    uint32_t at = lowest_of(values, v->n), last = v->n - 1;
    uint32_t middle = at == 0 ? 1 : at == last ? last - 1 : at;
    double lowest = place_of(v, at), x = place_of(v, middle), h = v->step;
    int at_bound = (at == 0 && lowest <= v->low) || (at == last && lowest >= v->high);
    double a = values[middle - 1], b = values[middle], c = values[middle + 1];
    double second = (a - b) + (c - b), to = x + 0.5 * h * (a - c) / second;
    if (!(second > 0) || !isfinite(second) ||
        !isfinite(to)) { /* flat, or beyond what can be told */
        aim(v, lowest, 4 * h, 7);
        return QN_VALLEY_GO_ON;
    }
    if ((at == 0 || at == last) && fabs(to - x) > 2 * h &&
        !at_bound) { /* further out, how far is guesswork */
        aim(v, lowest + (at == last ? 3 * h : -3 * h), 2 * h, 5);
        return QN_VALLEY_GO_ON;
    }
    to = within(to, v->low, v->high);
    v->second = second / (h * h);
    if (h > coarse(v) || v->n != 5 || (fabs(to - x) > 2 * h && to != lowest)) {
        aim(v, to, (at == 0 || at == last) && !at_bound ? h : h / 8, 5);
        return QN_VALLEY_GO_ON;
    }
    v->third = ((values[4] - values[0]) - 2 * (values[3] - values[1])) / (2 * h * h * h);
    v->third = isfinite(v->third) ? v->third : 0;
    if (v->second + v->third * (to - x) > 0) v->second += v->third * (to - x);
    v->center = to;
    return QN_VALLEY_FOUND;
}

/* The smallest step that is worth while: its square is far above rounding errors. */
static double finest(const struct qn_valley *v)
{
    return 1e-3 / sqrt(v->bend);
}

void qn_valley_refine(struct qn_valley *v, double n, int same)
{
    double off = 1 / sqrt(n * v->second); /* how far a likelihood of n rows leads astray */
    v->rounds = 0;
    v->has_slope = 0;
    v->doubt = same ? 0.01 : 4 / sqrt(n);
    if (!same && off > finest(v) && off * v->bend < 0.4 && off * QN_NET < v->high - v->low)
        aim(v, v->center, off, QN_NET);
    else
        aim(v, v->center, finest(v), 2);
}

/* The derivative at t and its derivative, of the polynomial in Newton's form through the values at the places
 * 0, 1, ..., whose divided differences are d. */
static double slope_of(const double *d, double t, double *bend)
{
    double p = 0, p1 = 0, p2 = 0; /* the sum as far as it is, and its derivatives */
    for (int k = QN_NET - 1; k >= 0; k--) {
        p2 = p2 * (t - k) + 2 * p1;
        p1 = p1 * (t - k) + p;
        p = p * (t - k) + d[k];
    }
    *bend = p2;
    return p1;
}

/* Where the polynomial through the values is lowest; in doubt, pairs go on from there. */
static enum qn_valley_news take_net(struct qn_valley *v, const double *values)
{
    double d[QN_NET], h = v->step, second = 0, slope = 0, t = 0.5 * (QN_NET - 1), first = v->center;
    for (int i = 0; i < QN_NET; i++) d[i] = values[i] - values[2]; /* near 0: nothing is lost */
    for (int k = 1; k < QN_NET; k++)
        for (int i = QN_NET - 1; i >= k; i--) d[i] = (d[i] - d[i - 1]) / k;
    for (int round = 0; round < 8; round++) {
        slope = slope_of(d, t, &second);
        if (!(second > 0) || !isfinite(slope)) break;
        t = within(t - slope / second, -1, QN_NET);
    }
    if (!(second > 0) || !isfinite(slope) || !(t > -1 && t < QN_NET)) {
        double way = -slope_of(d, 0.5 * (QN_NET - 1), &second) * h / second;
        if (!(second > 0) || !(fabs(way) < 0.25)) return QN_VALLEY_LOST;
        aim(v, first + way, finest(v), 2);
        return QN_VALLEY_GO_ON;
    }
    /* What is left out is the next term: its difference is the last one times h bend / 6 at most, and the
     * slope of its product of distances is 12 at most between the inner points, 120 at most elsewhere. */
    double slopes = t >= 1 && t <= QN_NET - 2 ? 12 : 120;
    double error = h * (fabs(d[QN_NET - 1]) * (h * v->bend / 6) * slopes + 1e-15) / second;
    double enough = fmax(ENOUGH / v->unit, 1e-4 * ENOUGH);
    v->second = second / (h * h);
    v->doubt = 1e-4;
    v->center = within(first + (t - 0.5 * (QN_NET - 1)) * h, v->low, v->high);
    if (error <= enough && v->center > v->low && v->center < v->high) return QN_VALLEY_FOUND;
    aim(v, v->center, finest(v), 2);
    return QN_VALLEY_GO_ON;
}

/* The second derivative by the secant between this slope and the one before. */
static void learn_second(struct qn_valley *v, double slope)
{
    double way = v->center - v->slope_at;
    if (v->has_slope && fabs(way) > 1e-5) {
        double second = (slope - v->slope) / way + 0.5 * v->third * way;
        if (second > 0) {
            v->second = second;
            v->doubt = 1e-4 + 0.05 * v->bend * fabs(way);
        }
    }
    v->slope = slope;
    v->slope_at = v->center;
    v->has_slope = 1;
}

static enum qn_valley_news take_slope(struct qn_valley *v, const double *values)
{
    double h = v->step, slope = (values[1] - values[0]) / (2 * h) - v->third * h * h / 6;
    if (!isfinite(slope)) return QN_VALLEY_LOST;
    learn_second(v, slope);
    double plain = -slope / v->second;
    double step = -(slope + 0.5 * v->third * plain * plain) / v->second;
    double to = within(v->center + step, v->low, v->high), moved = fabs(to - v->center);
    int at_bound = (to == v->low || to == v->high) && moved <= 2 * h;
    if (!(fabs(step) < 0.25) && !at_bound) return QN_VALLEY_LOST;
    double error = moved * (v->doubt + 0.05 * v->bend * moved);
    double enough = fmax(ENOUGH / v->unit, 1e-4 * ENOUGH);
    if (error <= enough || at_bound) {
        v->center = to;
        return QN_VALLEY_FOUND;
    }
    aim(v, to, finest(v), 2);
    return QN_VALLEY_GO_ON;
}

enum qn_valley_news qn_valley_take(struct qn_valley *v, const double *values)
{
    if (!(v->step > 0)) { /* the bounds meet */
        v->second = 1;
        return QN_VALLEY_FOUND;
    }
    if (++v->rounds > MOST_ROUNDS) { /* as near as the values allow */
        v->center = place_of(v, lowest_of(values, v->n));
        v->second = v->second > 0 ? v->second : 1;
        return QN_VALLEY_FOUND;
    }
    return v->n == 2        ? take_slope(v, values)
           : v->n == QN_NET ? take_net(v, values)
                            : take_fan(v, values);
}
