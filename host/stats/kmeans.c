/* SPDX-License-Identifier: Apache-2.0
 * Of sorted values each cluster is a run, so that a round needs a search for each border and a difference
 * of two running sums for each center, however many values there are. */
#include "host/stats/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/weighed.h"

enum { MOST_ROUNDS = 300 };
static const double TOLERANCE = 1e-4; /* of the variance: how far centers may still move */

/* A cluster: its run is values [border of the one before, border). Clusters keep their number when their
 * centers change places. */
struct cluster {
    double center, next; /* next: of the next round */
    double sum, weight;  /* of its values, each times what it weighs */
    int empty;           /* its values weigh nothing, or it has none */
    uint32_t number;
    uint64_t border;
    uint64_t left, right; /* its values that no empty cluster has taken: [left, right) */
};

/* [n + 1] the sum of what is before each, in two parts. */
struct sums {
    double *high, *low;
};

struct line {
    const double *values, *weights; /* weights: NULL if each value counts once */
    uint64_t n;
    uint32_t k;
    double mean;               /* without weights */
    struct sums sums, weighed; /* of the values, each times its weight; of the weights, if any */
    struct cluster *now;       /* by center */
    struct cluster *before;    /* as the round before left them */
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_center(const void *a, const void *b)
{
    const struct cluster *x = a, *y = b;
    if (x->center != y->center) return x->center < y->center ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* A sum with what its additions lost (D. E. Knuth's two-sum). */
struct exact {
    double sum, lost;
};

static void add(struct exact *e, double value)
{
    double next = e->sum + value, part = next - e->sum;
    e->lost += (e->sum - (next - part)) + (value - part);
    e->sum = next;
}

static quern_status open_sums(struct sums *s, uint64_t n)
{
    size_t count;
    if (qn_add_size((size_t)n, 1, &count)) return qn_error_memory_while("k-means");
    s->high = qn_alloc(count, sizeof *s->high);
    s->low = qn_alloc(count, sizeof *s->low);
    if (s->high == NULL || s->low == NULL) return qn_error_memory_while("k-means");
    s->high[0] = s->low[0] = 0;
    return QUERN_OK;
}

static void close_sums(struct sums *s)
{
    qn_free(s->high);
    qn_free(s->low);
}

/* What is before value i + 1. */
static void note(struct sums *s, uint64_t i, const struct exact *e)
{
    s->high[i + 1] = e->sum;
    s->low[i + 1] = e->lost;
}

static void sum_up(struct line *l)
{
    struct exact sum = {0, 0}, weight = {0, 0}, plain = {0, 0};
    for (uint64_t i = 0; i < l->n; i++) {
        add(&plain, l->values[i]);
        if (l->weights == NULL) {
            note(&l->sums, i, &plain);
            continue;
        }
        double product = l->weights[i] * l->values[i];
        add(&sum, product);
        sum.lost += fma(l->weights[i], l->values[i], -product);
        add(&weight, l->weights[i]);
        note(&l->sums, i, &sum);
        note(&l->weighed, i, &weight);
    }
    l->mean = (plain.sum + plain.lost) / (double)l->n;
}

static double between(const struct sums *s, uint64_t from, uint64_t to)
{
    return (s->high[to] - s->high[from]) + (s->low[to] - s->low[from]);
}

static double weight_of(const struct line *l, uint64_t from, uint64_t to)
{
    return l->weights == NULL ? (double)(to - from) : between(&l->weighed, from, to);
}

/* How many values are not above x. */
static uint64_t up_to(const struct line *l, double x)
{
    uint64_t from = 0, to = l->n;
    while (from < to) {
        uint64_t middle = from + (to - from) / 2;
        if (l->values[middle] <= x)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Every value to the nearest center; of two equally near ones to the lower, of equal ones to that of the
 * least number. */
static void assign(struct line *l)
{
    qsort(l->now, l->k, sizeof *l->now, by_center);
    l->now[l->k - 1].border = l->n;
    for (uint32_t i = l->k - 1; i-- > 0;) {
        const struct cluster *next = &l->now[i + 1];
        double center = l->now[i].center;
        l->now[i].border = next->center == center
                               ? next->border
                               : up_to(l, center + 0.5 * (next->center - center));
    }
}

static uint64_t begin_of(const struct line *l, uint32_t i)
{
    return i != 0 ? l->now[i - 1].border : 0;
}

/* The cluster with the value that is farthest from its center: one of a run's ends. */
static struct cluster *farthest(struct line *l, double *distance, int *at_left)
{
    struct cluster *found = NULL;
    *distance = 0;
    for (uint32_t i = 0; i < l->k; i++) {
        struct cluster *c = &l->now[i];
        if (c->left >= c->right) continue;
        double left = fabs(l->values[c->left] - c->center);
        double right = fabs(l->values[c->right - 1] - c->center);
        double most = left > right ? left : right;
        if (found != NULL && most <= *distance) continue;
        found = c;
        *distance = most;
        *at_left = left > right;
    }
    return found;
}

/* A cluster that weighs nothing takes the value that is farthest from its center, whose cluster loses it.
 * 0: there are more clusters than different values. */
static int relocate(struct line *l)
{
    for (uint32_t i = 0; i < l->k; i++) {
        double distance;
        int at_left = 0;
        struct cluster *empty = &l->now[i];
        if (!empty->empty) continue;
        struct cluster *from = farthest(l, &distance, &at_left);
        if (from == NULL || distance == 0) return 0;
        uint64_t at = at_left ? from->left++ : --from->right;
        double weight = l->weights != NULL ? l->weights[at] : 1;
        if (weight != 0) {
            from->sum -= weight * l->values[at];
            from->weight = weight_of(l, from->left, from->right);
        }
        empty->sum = weight * l->values[at];
        empty->weight = weight;
    }
    return 1;
}

/* Of equally large ones that of the least number. */
static const struct cluster *largest_of(const struct line *l)
{
    const struct cluster *largest = &l->now[0];
    for (uint32_t i = 1; i < l->k; i++) {
        const struct cluster *c = &l->now[i];
        if (c->weight > largest->weight ||
            (c->weight == largest->weight && c->number < largest->number))
            largest = c;
    }
    return largest;
}

/* Where scikit-learn puts a cluster that is still empty: to the largest one's center, if that has been
 * made of its sum already, which goes by number; else to the sum itself, of values less their mean. Where
 * there are not enough different values its rounding errors decide, and here it is always the center. */
static double place_without_values(const struct line *l, const struct cluster *c,
                                   const struct cluster *largest, int enough)
{
    if (largest->number < c->number || !enough) return largest->sum / largest->weight;
    return largest->sum - largest->weight * l->mean + l->mean;
}

/* The centers of the next round; returns the squares of how far they go. */
static double move(struct line *l)
{
    double shift = 0;
    for (uint32_t i = 0; i < l->k; i++) {
        struct cluster *c = &l->now[i];
        c->left = begin_of(l, i);
        c->right = c->border;
        c->sum = between(&l->sums, c->left, c->right);
        c->weight = weight_of(l, c->left, c->right);
        c->empty = !(c->weight > 0);
    }
    int enough = relocate(l);
    const struct cluster *largest = largest_of(l);
    for (uint32_t i = 0; i < l->k; i++) {
        struct cluster *c = &l->now[i];
        c->next = c->weight > 0 ? c->sum / c->weight : place_without_values(l, c, largest, enough);
        shift += (c->next - c->center) * (c->next - c->center);
    }
    return shift;
}

static int same_runs(const struct line *l)
{
    for (uint32_t i = 0; i < l->k; i++) {
        if (l->now[i].border != l->before[i].border) return 0;
        if (l->now[i].number != l->before[i].number && l->now[i].border != begin_of(l, i)) return 0;
    }
    return 1;
}

static void all_rounds(struct line *l, double least)
{
    for (int round = 0; round < MOST_ROUNDS; round++) {
        assign(l);
        double shift = move(l);
        int done = round > 0 && same_runs(l);
        memcpy(l->before, l->now, l->k * sizeof *l->now);
        for (uint32_t i = 0; i < l->k; i++) l->now[i].center = l->now[i].next;
        if (done || shift <= least) return;
    }
}

/* The variance, as NumPy reckons it: of the squares of what the mean leaves. */
static double variance(const struct line *l)
{
    struct exact sum = {0, 0};
    for (uint64_t i = 0; i < l->n; i++) {
        double d = l->values[i] - l->mean;
        add(&sum, d * d);
    }
    return (sum.sum + sum.lost) / (double)l->n;
}

quern_status qn_kmeans_line(double *values, double *weights, uint64_t n, double *centers,
                            uint32_t k)
{
    quern_status status = QUERN_OK;
    struct line l = {.values = values, .weights = weights, .n = n, .k = k};
    l.now = qn_zalloc(k, sizeof *l.now);
    l.before = qn_zalloc(k, sizeof *l.before);
    if (l.now == NULL || l.before == NULL) QN_GO(qn_error_memory_while("k-means"));
    QN_GO(open_sums(&l.sums, n));
    if (weights != NULL) QN_GO(open_sums(&l.weighed, n));
    QN_GO(qn_sort_doubles(values, weights, n));
    sum_up(&l);
    for (uint32_t i = 0; i < k; i++) l.now[i] = (struct cluster){.center = centers[i], .number = i};
    all_rounds(&l, variance(&l) * TOLERANCE);
    for (uint32_t i = 0; i < k; i++) centers[i] = l.now[i].center;
    qsort(centers, k, sizeof *centers, by_value);
cleanup:
    close_sums(&l.sums);
    close_sums(&l.weighed);
    qn_free(l.now);
    qn_free(l.before);
    return status;
}
