/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of differences from means over types, strides, sizes and weights: the CPU's against the
 * definition of docs/arrays.md, value by value, and every device's against the CPU's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/layout.h"
#include "host/ops/reductions.h"
#include "tests/conformance/ops_lines.h"

/* scratch: as many bytes make several rounds. */
static const struct shape {
    uint64_t lines, n;
    int columns, apart, backwards, weighted, scratch;
} shapes[] = {
    {1, 1, 0, 1, 0, 0, 0},        {5, 40, 0, 1, 0, 1, 0},        {3, 300, 1, 3, 1, 0, 0},
    {17, 257, 1, 1, 0, 1, 1},     {70, 30, 0, 2, 1, 0, 1},       {130, 20, 1, 1, 0, 1, 0},
    {2, 33000, 0, 1, 0, 0, 1},    {3, 16640, 1, 1, 0, 1, 0},     {33, 513, 0, 1, 0, 0, 0},
    {200, 3, 0, 1, 0, 0, 100000}, {2, 50000, 1, 1, 1, 1, 70000},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, BLOCK = 256, GROUP = 64 * BLOCK };

struct problem {
    struct shape shape;
    struct qn_lines host, there;
    struct block block;
    double *weights, *want, *got;
    struct qn_covariance_request rq;
};

static struct problem make(struct qn_device *d, uint32_t k)
{
    struct problem p = {.shape = shapes[k % SHAPES]};
    struct shape *s = &p.shape;
    uint32_t type = every_type[(k + k / SHAPES) % EVERY_TYPE];
    uint64_t seed = k + 1;
    int64_t apart = s->apart * (int64_t)qn_value_bytes(type);
    if (getenv("QUERN_TEST_SMALL") != NULL) {
        s->n = s->n > 20 ? 20 : s->n;
        s->lines = s->lines > 33 ? 66 : s->lines;
    }
    uint64_t count = s->lines * s->n;
    p.block = block_make(d, count * (uint64_t)apart);
    for (uint64_t i = 0; i < count; i++)
        lines_fill(&seed, type, p.block.memory + i * (uint64_t)apart);
    block_upload(d, &p.block);
    p.host = (struct qn_lines){.lines = s->lines, .n = s->n, .type = type};
    p.host.stride = s->columns ? (int64_t)s->lines * apart : apart;
    p.host.line_stride = s->columns ? apart : (int64_t)s->n * apart;
    if (s->backwards) {
        p.host.offset = (s->n - 1) * (uint64_t)p.host.stride;
        p.host.stride = -p.host.stride;
    }
    p.host.data = p.block.memory + p.host.offset;
    p.there = lines_there(&p.host, &p.block);
    p.want = calloc(s->lines * s->lines, sizeof *p.want);
    p.got = calloc(s->lines * s->lines, sizeof *p.got);
    p.weights = calloc(s->n, sizeof *p.weights);
    assert_true(p.want != NULL && p.got != NULL && p.weights != NULL);
    p.rq = (struct qn_covariance_request){
        .in = p.host, .out = p.got, .weight = (double)s->n, .scratch = (uint64_t)s->scratch};
    if (!s->weighted) return p;
    p.rq.weights = p.weights;
    p.rq.weight = 0.0;
    for (uint64_t i = 0; i < s->n; i++) {
        p.weights[i] = (double)(ops_random(&seed) >> 40 & 1023) / 64.0;
        p.rq.weight += p.weights[i];
    }
    return p;
}

static void drop(struct qn_device *d, struct problem *p)
{
    block_free(d, &p->block);
    free(p->want);
    free(p->got);
    free(p->weights);
}

/* ---- the definition ---- */

static double value(const struct qn_lines *l, uint64_t line, uint64_t i)
{
    const void *at = lines_at(l, line, i);
    int64_t i64;
    uint64_t u64;
    if (l->type == QN_T_I64) return memcpy(&i64, at, 8), (double)i64;
    if (l->type == QN_T_U64) return memcpy(&u64, at, 8), (double)u64;
    return lines_double(l->type, at);
}

struct mean {
    double hi, lo;
};

static double difference(const struct qn_lines *l, uint64_t line, uint64_t i, struct mean m)
{
    return (value(l, line, i) - m.hi) - m.lo;
}

static struct mean mean_of(const struct problem *p, uint64_t line)
{
    struct qn_lines one = p->host;
    struct qn_reduced node;
    struct mean m;
    double total = 0.0;
    one.data = (char *)one.data + (int64_t)line * one.line_stride;
    one.lines = 1;
    struct qn_reduce_request rq = {.in = one, .kind = QN_REDUCE_SUM, .out = &node};
    OK(qn_op_reduce(NULL, NULL, 0, &rq, NULL));
    qn_covariance_mean(&node, (double)one.n, &m.hi, &m.lo);
    for (uint64_t at = 0; p->rq.weights != NULL && at < one.n; at += BLOCK) {
        double sum = 0.0;
        for (uint64_t i = at; i < one.n && i < at + BLOCK; i++)
            sum = fma(p->weights[i], difference(&one, 0, i, m), sum);
        total += sum;
    }
    if (p->rq.weights != NULL) qn_covariance_shift(total, p->rq.weight, &m.hi, &m.lo);
    return m;
}

static double product_of(const struct problem *p, uint64_t a, struct mean ma, uint64_t b,
                         struct mean mb)
{
    double total = 0.0;
    for (uint64_t group = 0; group < p->host.n; group += GROUP) {
        double sum = 0.0;
        for (uint64_t at = group; at < p->host.n && at < group + GROUP; at += BLOCK) {
            double block = 0.0;
            for (uint64_t i = at; i < p->host.n && i < at + BLOCK; i++) {
                double x = difference(&p->host, a, i, ma);
                if (p->rq.weights != NULL) x = p->weights[i] * x;
                block = fma(x, difference(&p->host, b, i, mb), block);
            }
            sum += block;
        }
        total += sum;
    }
    return total;
}

static void define(struct problem *p)
{
    uint64_t d = p->host.lines;
    struct mean *means = calloc(d, sizeof *means);
    assert_non_null(means);
    for (uint64_t c = 0; c < d; c++) means[c] = mean_of(p, c);
    for (uint64_t a = 0; a < d; a++)
        for (uint64_t b = a; b < d; b++)
            p->want[a * d + b] = p->want[b * d + a] = product_of(p, a, means[a], b, means[b]);
    free(means);
}

/* ---- the values that two lines have in common ---- */

/* A line's mean of its values, and how many they are. */
static struct mean present_mean(const struct problem *p, uint64_t line, double *n)
{
    struct qn_lines one = p->host;
    struct qn_reduced node;
    struct mean m;
    one.data = (char *)one.data + (int64_t)line * one.line_stride;
    one.lines = 1;
    struct qn_reduce_request rq = {.in = one, .kind = QN_REDUCE_SUM, .skip = 1, .out = &node};
    OK(qn_op_reduce(NULL, NULL, 0, &rq, NULL));
    *n = (double)(one.n - node.missing);
    qn_covariance_mean(&node, *n, &m.hi, &m.lo);
    return m;
}

struct common {
    double n, x, y, xy, xx, yy;
};

/* Sums of differences less the shifts, and of their products, in groups of blocks. */
static struct common common_of(const struct problem *p, const uint64_t line[2],
                               const struct mean mean[2], const double shift[2])
{
    double total[6] = {0}, group[6], block[6];
    for (uint64_t i = 0; i < p->host.n; i++) {
        if (i % GROUP == 0) memset(group, 0, sizeof group);
        if (i % BLOCK == 0) memset(block, 0, sizeof block);
        double a = value(&p->host, line[0], i), b = value(&p->host, line[1], i);
        if (a == a && b == b) {
            a = ((a - mean[0].hi) - mean[0].lo) - shift[0];
            b = ((b - mean[1].hi) - mean[1].lo) - shift[1];
            block[0] += 1.0;
            block[1] += a;
            block[2] += b;
            block[3] = fma(a, b, block[3]);
            block[4] = fma(a, a, block[4]);
            block[5] = fma(b, b, block[5]);
        }
        int last = i + 1 == p->host.n;
        for (int k = 0; k < 6 && (last || (i + 1) % BLOCK == 0); k++) group[k] += block[k];
        for (int k = 0; k < 6 && (last || (i + 1) % GROUP == 0); k++) total[k] += group[k];
    }
    return (struct common){total[0], total[1], total[2], total[3], total[4], total[5]};
}

/* want: sums of products, counts and squares, one after the other. */
static void define_pairs(struct problem *p, double *want)
{
    uint64_t d = p->host.lines;
    for (uint64_t r = 0; r < d; r++)
        for (uint64_t c = r; c < d; c++) {
            double n[2], shift[2] = {0, 0};
            const uint64_t line[2] = {r, c};
            const struct mean mean[2] = {present_mean(p, r, &n[0]), present_mean(p, c, &n[1])};
            struct common s;
            for (int round = 0; round < 2; round++) {
                s = common_of(p, line, mean, shift);
                shift[0] = s.n == n[0] || s.n == 0.0 ? 0.0 : shift[0] + s.x / s.n;
                shift[1] = s.n == n[1] || s.n == 0.0 ? 0.0 : shift[1] + s.y / s.n;
            }
            s = common_of(p, line, mean, shift);
            want[r * d + c] = want[c * d + r] = s.xy;
            want[d * d + r * d + c] = want[d * d + c * d + r] = s.n;
            want[2 * d * d + c * d + r] = s.yy;
            want[2 * d * d + r * d + c] = s.xx;
        }
}

static void same_pairs(const struct problem *p, const double *want, const double *got,
                       const char *what, uint32_t k)
{
    uint64_t cells = p->host.lines * p->host.lines;
    for (uint64_t i = 0; i < 3 * cells; i++)
        if (want[i] != got[i] && !(isnan(want[i]) && isnan(got[i])))
            fail_msg("%s: case %u, type %u: plane %llu, cell %llu of %llu: %a, not %a", what, k,
                     p->host.type, (unsigned long long)(i / cells), (unsigned long long)(i % cells),
                     (unsigned long long)cells, got[i], want[i]);
}

static void pairs_case(struct ops_device *entry, uint32_t k)
{
    struct problem p = make(entry->device, k);
    uint64_t cells = p.host.lines * p.host.lines;
    double *want = calloc(3 * cells, sizeof *want), *got = calloc(3 * cells, sizeof *got);
    struct qn_outcome outcome;
    assert_true(want != NULL && got != NULL);
    define_pairs(&p, want);
    p.rq.weights = NULL;
    p.rq.skip = 1;
    p.rq.out = got;
    p.rq.counts = got + cells;
    p.rq.squares = got + 2 * cells;
    OK(qn_op_covariance(NULL, NULL, 0, &p.rq, &outcome));
    same_pairs(&p, want, got, outcome.implementation, k);
    p.rq.in = p.there;
    memset(got, 0xff, 3 * cells * sizeof *got);
    OK(qn_op_covariance(entry->device, NULL, 0, &p.rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    same_pairs(&p, want, got, entry->name, k);
    free(want);
    free(got);
    drop(entry->device, &p);
}

/* ---- tests ---- */

static void same(const struct problem *p, const char *what, uint32_t k)
{
    uint64_t d = p->host.lines;
    for (uint64_t i = 0; i < d * d; i++)
        if (memcmp(&p->want[i], &p->got[i], 8) != 0 && !(isnan(p->want[i]) && isnan(p->got[i])))
            fail_msg("%s: case %u, type %u: lines %llu and %llu of %llu: %a, not %a", what, k,
                     p->host.type, (unsigned long long)(i / d), (unsigned long long)(i % d),
                     (unsigned long long)d, p->got[i], p->want[i]);
}

static void covariance_case(struct ops_device *entry, uint32_t k)
{
    struct problem p = make(entry->device, k);
    struct qn_outcome outcome;
    define(&p);
    OK(qn_op_covariance(NULL, NULL, 0, &p.rq, &outcome));
    same(&p, outcome.implementation, k);
    p.rq.in = p.there;
    memset(p.got, 0xff, p.host.lines * p.host.lines * sizeof *p.got);
    OK(qn_op_covariance(entry->device, NULL, 0, &p.rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    same(&p, entry->name, k);
    drop(entry->device, &p);
}

void products_of_differences_are_added_in_the_order_of_the_definition(void **state)
{
    (void)state;
    on_every_device(covariance_case, SHAPES * EVERY_TYPE, 13);
}

void each_two_lines_have_the_values_in_common(void **state)
{
    (void)state;
    on_every_device(pairs_case, 2 * SHAPES, 7);
}

void covariances_are_refused_with_sentences(void **state)
{
    struct qn_outcome outcome;
    (void)state;
    if (n_devices == 0) skip();
    struct qn_device *d = devices[0].device;
    struct problem p = make(d, 1);
    struct qn_caps caps = d->caps;
    p.rq.in = p.there;
    d->caps.features &= ~(uint32_t)QN_FEATURE_F64;
    assert_int_equal(qn_op_covariance(d, NULL, 0, &p.rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "no float64 arithmetic"));
    d->caps = caps;
    p.rq.in.base.size -= 32;
    assert_int_equal(qn_op_covariance(d, NULL, 0, &p.rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "reach outside"));
    assert_int_equal(qn_op_covariance(NULL, NULL, 0, &p.rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "no device is open"));
    drop(d, &p);
}
