/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/quantiles.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"

/* ---- ranks and values ---- */

/* Where between the order statistics a quantile lies, 0-based: NumPy 2.4's table of methods. */
static double virtual_index(enum qn_quantile_method method, double n, double q)
{
    double alpha, beta;
    switch (method) {
    case QN_QUANTILE_INVERTED_CDF:
    case QN_QUANTILE_AVERAGED_INVERTED_CDF: return n * q - 1.0;
    case QN_QUANTILE_CLOSEST_OBSERVATION: return n * q - 1.0 - 0.5;
    case QN_QUANTILE_INTERPOLATED_INVERTED_CDF: alpha = 0.0, beta = 1.0; break;
    case QN_QUANTILE_HAZEN: alpha = beta = 0.5; break;
    case QN_QUANTILE_WEIBULL: alpha = beta = 0.0; break;
    case QN_QUANTILE_MEDIAN_UNBIASED: alpha = beta = 1.0 / 3.0; break;
    case QN_QUANTILE_NORMAL_UNBIASED: alpha = beta = 3.0 / 8.0; break;
    default: return (n - 1.0) * q;
    }
    return n * q + (alpha + q * (1.0 - alpha - beta)) - 1.0;
}

/* The methods that take one of the values: the one before the index or the one after it. */
static struct qn_quantile one_of(enum qn_quantile_method method, uint64_t count, double at)
{
    double before = floor(at), rest = at - before;
    int stays = rest == 0.0 && (method == QN_QUANTILE_INVERTED_CDF || fmod(before, 2.0) == 1.0 ||
                                fmod(before, 2.0) == -1.0);
    double rank = stays ? before : before + 1.0;
    struct qn_quantile q = {0, 0, 0.0};
    if (rank > 0.0) q.low = rank < (double)(count - 1) ? (uint64_t)rank : count - 1;
    q.high = q.low;
    return q;
}

/* NumPy 2.4, _quantile: at or beyond the last value both neighbours are the last one, called -1, which
 * also enters the weight (and cancels, unless it is infinite); before the first both are the first. */
struct qn_quantile qn_quantile_ranks_at(enum qn_quantile_method method, uint64_t count,
                                        double fraction)
{
    struct qn_quantile q = {UINT64_MAX, UINT64_MAX, 0.0};
    if (count == 0) return q;
    double at = virtual_index(method, (double)count, fraction), from = floor(at);
    if (method == QN_QUANTILE_INVERTED_CDF || method == QN_QUANTILE_CLOSEST_OBSERVATION)
        return one_of(method, count, at);
    if (at < 0.0) {
        q.low = q.high = 0;
        from = 0.0;
    } else if (at >= (double)(count - 1)) {
        q.low = q.high = count - 1;
        from = -1.0;
    } else {
        q.low = (uint64_t)from;
        q.high = q.low + 1;
    }
    q.t = at - from;
    if (method == QN_QUANTILE_AVERAGED_INVERTED_CDF) q.t = q.t == 0.0 ? 0.5 : 1.0;
    return q;
}

struct qn_quantile qn_quantile_ranks_by(enum qn_quantile_method method, uint64_t count,
                                        double percent)
{
    return qn_quantile_ranks_at(method, count, percent / 100.0);
}

struct qn_quantile qn_quantile_ranks(uint64_t count, double percent)
{
    return qn_quantile_ranks_by(QN_QUANTILE_LINEAR, count, percent);
}

/* NumPy's _lerp. */
double qn_quantile_value(struct qn_quantile q, double low, double high, int f32)
{
    if (q.low == UINT64_MAX) return (double)NAN;
    double difference = f32 ? (double)((float)high - (float)low) : high - low;
    double value = q.t >= 0.5 ? high - difference * (1.0 - q.t) : low + difference * q.t;
    return value == value ? value : (double)NAN;
}

struct qn_quantile qn_median_ranks(uint64_t count)
{
    struct qn_quantile q = {UINT64_MAX, UINT64_MAX, 0.5};
    if (count == 0) return q;
    q.low = (count - 1) / 2;
    q.high = count / 2;
    return q;
}

double qn_median_value(struct qn_quantile q, double low, double high, int f32,
                       enum qn_median_style style)
{
    if (q.low == UINT64_MAX) return (double)NAN;
    if (q.low == q.high && style == QN_MEDIAN_PLAIN) return low;
    double value = f32 ? (double)(((float)low + (float)high) / 2.0f) : (low + high) / 2.0;
    return value == value ? value : (double)NAN;
}

/* ---- selection from histograms ---- */

enum { BITS_MAX = 16, BITS_MIN = 4 };

struct qn_selector {
    uint32_t lanes, n_ranks, width; /* width: bits of a key */
    uint32_t digit;                 /* bits of a pass's digit */
    uint32_t done;                  /* bits known so far */
    uint64_t *rank;                 /* [lane][j] within the prefix; UINT64_MAX: not wanted */
    uint64_t *prefix;               /* [lane][j] */
    uint64_t *target;               /* [lane][j] prefix to count, or UINT64_MAX: as another does */
    uint64_t *counts;               /* [lane][j] << digit */
    uint32_t *shared;               /* [lane][j]: the j whose counts are used */
};

static size_t cells(const struct qn_selector *s)
{
    return (size_t)s->lanes * s->n_ranks;
}

static uint32_t pass_bits(const struct qn_selector *s)
{
    uint32_t left = s->width - s->done;
    return left < s->digit ? left : s->digit;
}

/* Ranks of one prefix are counted once; counts of the new pass start at 0. */
static void begin_pass(struct qn_selector *s)
{
    for (size_t base = 0; base < cells(s); base += s->n_ranks) {
        for (uint32_t j = 0; j < s->n_ranks; j++) {
            uint32_t first = 0;
            while (first < j && (s->target[base + first] == UINT64_MAX ||
                                 s->prefix[base + first] != s->prefix[base + j]))
                first++;
            s->shared[base + j] = first;
            s->target[base + j] =
                first == j && s->rank[base + j] != UINT64_MAX ? s->prefix[base + j] : UINT64_MAX;
        }
    }
    memset(s->counts, 0, (cells(s) << pass_bits(s)) * sizeof *s->counts);
}

quern_status qn_selector_open(uint32_t lanes, uint32_t n_ranks, const uint64_t *ranks, int wide,
                              uint64_t memory, struct qn_selector **out)
{
    size_t total, room;
    *out = NULL;
    if (qn_mul_size(lanes, n_ranks, &total)) return qn_error_memory("quantiles", UINT64_MAX);
    struct qn_selector *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory("quantiles", sizeof *s);
    s->lanes = lanes;
    s->n_ranks = n_ranks;
    s->width = wide ? 64 : 32;
    s->digit = BITS_MAX;
    while (s->digit > BITS_MIN && (uint64_t)total > (memory >> s->digit) / sizeof *s->counts)
        s->digit--;
    while (s->digit > BITS_MIN &&
           (s->width + s->digit - 1) / s->digit == (s->width + s->digit - 2) / (s->digit - 1))
        s->digit--; /* no more passes with less */
    s->rank = qn_alloc(total, sizeof *s->rank);
    s->prefix = qn_zalloc(total, sizeof *s->prefix);
    s->target = qn_alloc(total, sizeof *s->target);
    s->shared = qn_alloc(total, sizeof *s->shared);
    s->counts =
        qn_mul_size(total, (size_t)1 << s->digit, &room) ? NULL : qn_alloc(room, sizeof *s->counts);
    if (s->rank == NULL || s->prefix == NULL || s->target == NULL || s->shared == NULL ||
        s->counts == NULL) {
        uint32_t digit = s->digit;
        qn_selector_free(s);
        return qn_error_memory("quantiles", ((uint64_t)total << digit) * sizeof *s->counts);
    }
    if (total != 0) memcpy(s->rank, ranks, total * sizeof *ranks);
    begin_pass(s);
    *out = s;
    return QUERN_OK;
}

void qn_selector_free(struct qn_selector *s)
{
    if (s == NULL) return;
    qn_free(s->rank);
    qn_free(s->prefix);
    qn_free(s->target);
    qn_free(s->shared);
    qn_free(s->counts);
    qn_free(s);
}

uint32_t qn_selector_passes(const struct qn_selector *s)
{
    return (s->width + s->digit - 1) / s->digit;
}

int qn_selector_needs_pass(const struct qn_selector *s)
{
    return s->done < s->width;
}

void qn_selector_request(struct qn_selector *s, struct qn_histogram_request *r)
{
    r->n_targets = s->n_ranks;
    r->bits = pass_bits(s);
    r->shift = s->width - s->done - r->bits;
    r->prefix = s->target;
    r->counts = s->counts;
}

quern_status qn_selector_add(struct qn_selector *into, const struct qn_selector *from)
{
    if (into->lanes != from->lanes || into->n_ranks != from->n_ranks ||
        into->width != from->width || into->digit != from->digit || into->done != from->done ||
        memcmp(into->target, from->target, cells(into) * sizeof *into->target) != 0)
        return qn_error(QUERN_INTERNAL, "quantiles: histograms of different passes");
    size_t n = cells(into) << pass_bits(into);
    for (size_t i = 0; i < n; i++) into->counts[i] += from->counts[i];
    return QUERN_OK;
}

quern_status qn_selector_end_pass(struct qn_selector *s)
{
    uint32_t bits = pass_bits(s);
    for (size_t i = 0; i < cells(s); i++) {
        if (s->rank[i] == UINT64_MAX) continue;
        size_t base = i / s->n_ranks * s->n_ranks + s->shared[i];
        const uint64_t *counts = s->counts + (base << bits);
        uint64_t digit = 0, digits = (uint64_t)1 << bits;
        while (digit < digits && counts[digit] <= s->rank[i]) s->rank[i] -= counts[digit++];
        if (digit == digits)
            return qn_error(QUERN_CORRUPT, "quantiles: the data changed between two passes");
        s->prefix[i] = s->prefix[i] << bits | digit;
    }
    s->done += bits;
    if (qn_selector_needs_pass(s)) begin_pass(s);
    return QUERN_OK;
}

double qn_selector_value(const struct qn_selector *s, uint32_t lane, uint32_t j)
{
    size_t i = (size_t)lane * s->n_ranks + j;
    if (s->rank[i] == UINT64_MAX) return (double)NAN;
    uint64_t key = s->prefix[i];
    if (s->width == 64) {
        uint64_t bits = key >> 63 != 0 ? key ^ (uint64_t)1 << 63 : ~key;
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint32_t half = (uint32_t)key, bits = half >> 31 != 0 ? half ^ (uint32_t)1 << 31 : ~half;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}
