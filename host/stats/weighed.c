/* SPDX-License-Identifier: Apache-2.0
 * Sorting is by radix, least significant digit first (D. E. Knuth, The Art of Computer Programming 3,
 * 5.2.5), of keys that are ordered as the values are. */
#include "host/stats/weighed.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/key.h"

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS };

/* ---- sorting ---- */

/* Keys and what goes with them, in two places, of which one is written while the other is read. */
struct pile {
    uint64_t *keys[2];
    double *with[2];
    uint64_t *counts; /* [DIGITS][BUCKETS] */
    uint64_t n;
};

/* NaN, of whatever sign, is the last of all. */
static uint64_t key_of(double value)
{
    return value != value ? UINT64_MAX : key_of_f64(value);
}

static double value_of(uint64_t key)
{
    return key == UINT64_MAX ? (double)NAN : f64_of_key(key);
}

static uint32_t digit_of(uint64_t key, uint32_t digit)
{
    return (uint32_t)(key >> (digit * DIGIT_BITS)) & (BUCKETS - 1);
}

/* Where each bucket begins. 0: all keys have the same digit. */
static int begins(uint64_t *counts, uint64_t n)
{
    uint64_t before = 0;
    for (uint32_t b = 0; b < BUCKETS; b++) {
        uint64_t count = counts[b];
        if (count == n) return 0;
        counts[b] = before;
        before += count;
    }
    return 1;
}

/* Returns which of the two places has the sorted keys. */
static uint32_t sort_keys(struct pile *p)
{
    uint32_t at = 0;
    for (uint64_t i = 0; i < p->n; i++)
        for (uint32_t d = 0; d < DIGITS; d++) p->counts[d * BUCKETS + digit_of(p->keys[0][i], d)]++;
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint64_t *place = p->counts + (size_t)d * BUCKETS;
        const uint64_t *from = p->keys[at];
        uint64_t *to = p->keys[1 - at];
        if (!begins(place, p->n)) continue;
        for (uint64_t i = 0; i < p->n; i++) {
            uint64_t k = place[digit_of(from[i], d)]++;
            to[k] = from[i];
            if (p->with[0] != NULL) p->with[1 - at][k] = p->with[at][i];
        }
        at = 1 - at;
    }
    return at;
}

quern_status qn_sort_doubles(double *values, double *with, uint64_t n)
{
    quern_status status = QUERN_OK;
    struct pile p = {.with = {with}, .n = n};
    if (with != NULL) p.with[1] = qn_alloc((size_t)n, sizeof *with);
    p.keys[0] = qn_alloc((size_t)n, sizeof **p.keys);
    p.keys[1] = qn_alloc((size_t)n, sizeof **p.keys);
    p.counts = qn_zalloc((size_t)DIGITS * BUCKETS, sizeof *p.counts);
    if (p.keys[0] == NULL || p.keys[1] == NULL || p.counts == NULL ||
        (with != NULL && p.with[1] == NULL))
        QN_GO(qn_error_memory("sorting", n * (with != NULL ? 24 : 16)));
    for (uint64_t i = 0; i < n; i++) p.keys[0][i] = key_of(values[i]);
    uint32_t at = sort_keys(&p);
    for (uint64_t i = 0; i < n; i++) values[i] = value_of(p.keys[at][i]);
    if (with != NULL && at != 0) memcpy(with, p.with[1], (size_t)n * sizeof *with);
cleanup:
    qn_free(p.with[1]);
    qn_free(p.keys[0]);
    qn_free(p.keys[1]);
    qn_free(p.counts);
    return status;
}

/* ---- values and weights ---- */

quern_status qn_weighed_open(struct qn_weighed *w, uint64_t n, const char *what)
{
    *w = (struct qn_weighed){.n = n};
    w->values = qn_alloc((size_t)n, sizeof *w->values);
    w->weights = qn_alloc((size_t)n, sizeof *w->weights);
    w->up_to = qn_alloc((size_t)n, sizeof *w->up_to);
    if (w->values != NULL && w->weights != NULL && w->up_to != NULL) return QUERN_OK;
    qn_weighed_free(w);
    return qn_error_memory_while(what);
}

void qn_weighed_free(struct qn_weighed *w)
{
    qn_free(w->values);
    qn_free(w->weights);
    qn_free(w->up_to);
    w->values = w->weights = w->up_to = NULL;
}

quern_status qn_weighed_sort(struct qn_weighed *w)
{
    return qn_sort_doubles(w->values, w->weights, w->n);
}

void qn_weighed_sum(struct qn_weighed *w)
{
    double sum = 0;
    for (uint64_t k = 0; k < w->n; k++) {
        if (w->values[k] != w->values[k]) w->weights[k] = 0;
        w->up_to[k] = sum += w->weights[k];
    }
}

/* The first place from which on the weights are `least` or (beyond) more; n where they never are. */
static uint64_t search(const struct qn_weighed *w, double least, int beyond)
{
    uint64_t from = 0, to = w->n;
    while (from < to) {
        uint64_t middle = from + (to - from) / 2;
        if (w->up_to[middle] < least || (beyond && w->up_to[middle] <= least))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

double qn_weighed_percentile(const struct qn_weighed *w, double percent, int average, int f32)
{
    uint64_t last = w->n - 1;
    double wanted = percent / 100 * w->up_to[last];
    if (wanted == 0) wanted = nextafter(0, 1); /* leading weights of 0 */
    uint64_t at = search(w, wanted, 0);
    if (at > last) at = last;
    if (!average || w->up_to[at] - wanted > DBL_EPSILON) return w->values[at];
    uint64_t next = at < last ? at + 1 : last;
    if (w->weights[next] == 0) next = search(w, w->up_to[at], 1);
    if (next > last) next = at;
    if (f32) return (double)(((float)w->values[at] + (float)w->values[next]) / 2);
    return (w->values[at] + w->values[next]) / 2;
}
