/* SPDX-License-Identifier: Apache-2.0
 * Moments, extremes, selection and histograms over types, layouts and sizes, compared bit for bit with the
 * reference and with the CPU. */
#include "tests/conformance/ops_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/reference.h"
#include "tests/unit/reference_powers.h"

static struct ops_batch batch;

/* Types, layouts and sizes that statistics are tried on. */
struct shape {
    const uint32_t *types;
    uint32_t n_types, n_lanes;
    uint64_t rows;
    enum ops_layout layout;
    uint32_t nan_in_256;
    int odd, validity, chain;
};
static const struct shape shapes[] = {
    {float32, 1, 16, 5000, OPS_ROWS, 0, 0, 0, 0},
    {float32, 1, 16, 5000, OPS_ROWS, 26, 0, 0, 0},
    {float32, 1, 1, 70001, OPS_ROWS, 1, 0, 0, 0},
    {float32, 1, 5, 66000, OPS_ROWS, 3, 1, 0, 0},
    {float32, 1, 50, 3001, OPS_ROWS, 0, 0, 0, 0},
    {float32, 1, 50, 2100, OPS_WIDE_ROWS, 30, 0, 0, 0},
    {float32, 1, 7, 9000, OPS_COLUMNS, 4, 0, 0, 0},
    {float32, 1, 33, 1500, OPS_COLUMNS, 200, 0, 1, 0},
    {float32, 1, 3, 4100, OPS_COLUMNS, 256, 0, 0, 0},
    {float32, 1, 11, 3000, OPS_ROWS, 20, 0, 0, 1},
    {float64, 1, 16, 5000, OPS_ROWS, 2, 0, 0, 0},
    {float64, 1, 50, 1025, OPS_ROWS, 0, 0, 0, 0},
    {float64, 1, 9, 70001, OPS_COLUMNS, 1, 0, 1, 0},
    {float64, 1, 17, 1023, OPS_COLUMNS, 0, 0, 0, 0},
    {float64, 1, 300, 130, OPS_ROWS, 5, 0, 0, 0},
    {every_type, 11, 44, 1500, OPS_RECORDS, 9, 0, 1, 0},
    {every_type, 11, 22, 2500, OPS_COLUMNS, 9, 0, 0, 1},
    {float32, 1, 4, 1, OPS_ROWS, 0, 0, 0, 0},
    {float32, 1, 4, 15, OPS_ROWS, 40, 0, 0, 0},
    {float64, 1, 2, 1024, OPS_COLUMNS, 0, 0, 0, 0},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void make(const struct shape *s, uint64_t seed)
{
    ops_batch_make(&batch, seed, s->rows, s->n_lanes, s->types, s->n_types, s->layout,
                   s->nan_in_256, s->odd, s->validity);
    for (uint32_t i = 0; s->chain && i < s->n_lanes; i++) {
        struct qn_lane *lane = &batch.lanes[i];
        uint32_t work = lane->work;
        if (work == QN_W_I64) {
            ops_push_i64(&batch, i, QN_OP_CLIP, -5, 1000);
            ops_push(&batch, i, QN_OP_TO_F64, QN_W_I64, 0, 0);
            work = QN_W_F64;
        }
        if (i % 2) ops_push(&batch, i, QN_OP_FILL, work, 0.25 * i, 0);
        ops_push(&batch, i, QN_OP_SUB, work, 0.3 + i, 0);
        ops_push(&batch, i, QN_OP_DIV, work, 1.7, 0);
    }
}

static void label(const struct ops_device *d, uint32_t k, char *out, size_t room)
{
    const struct shape *s = &shapes[k];
    (void)snprintf(out, room, "%s: shape %u (type %u, %u lanes, %llu rows, %s)", d->name, k,
                   s->types[0], s->n_lanes, (unsigned long long)s->rows,
                   ops_layout_names[s->layout]);
}

/* Column `lane` of the batch, as doubles. */
static double *values_of(const struct ops_batch *b, uint32_t lane)
{
    double *x = malloc((b->host.rows + 1) * sizeof *x);
    assert_non_null(x);
    for (uint64_t r = 0; r < b->host.rows; r++)
        x[r] = ref_double(ref_eval(&b->host, &b->lanes[lane], r, NULL));
    return x;
}

/* ---- statistics ---- */

static void by_classes(struct ops_device *d, uint32_t k)
{
    enum { CLASSES = 3 };
    char where[160];
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 7);
    ops_batch_upload(&batch, d->device);
    uint64_t rows = batch.host.rows, groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    uint64_t seed = k + 11;
    size_t n = (size_t)groups * batch.host.n_lanes * CLASSES;
    struct qn_node *got = calloc(n, sizeof *got), *cpu = calloc(n, sizeof *cpu);
    uint32_t *codes = malloc(rows * sizeof *codes);
    for (uint64_t i = 0; i < rows; i++) codes[i] = (uint32_t)(ref_random(&seed) % (CLASSES + 1));
    struct qn_moments_request rq = {.batch = batch.device, .nodes = got, .n_classes = CLASSES};
    struct qn_moments_request host = {
        .batch = batch.host, .nodes = cpu, .codes = codes, .n_classes = CLASSES};
    struct qn_span span = {0};
    struct qn_outcome outcome;
    OK(qn_pool_take(d->device->pool, d->device->queue_numbers[0], rows * sizeof *codes, &span));
    rq.codes_base = (struct qn_view){span.view.raw, span.view.offset, rows * sizeof *codes};
    OK(qn_device_put(d->device, 0, rq.codes_base, codes));
    OK(qn_op_moments(d->device, NULL, 0, &rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    OK(qn_op_moments(NULL, NULL, 0, &host, &outcome));
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &cpu[i], sizeof *got) != 0)
            fail_msg("%s: node %zu: %a %a %a %a on the device, %a %a %a %a on the CPU", where, i,
                     got[i].n, got[i].hi, got[i].lo, got[i].m2, cpu[i].n, cpu[i].hi, cpu[i].lo,
                     cpu[i].m2);
    qn_pool_give(d->device->pool, d->device->queue_numbers[0], &span);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(codes);
    free(got);
    free(cpu);
}

static void pairs_of(struct ops_device *d, uint32_t k)
{
    char where[160];
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 5);
    ops_batch_upload(&batch, d->device);
    uint64_t rows = batch.host.rows, groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    uint32_t n = batch.host.n_lanes;
    struct qn_pair *got = calloc(groups * n, sizeof *got), *cpu = calloc(groups * n, sizeof *cpu);
    double *y = ref_targets(rows, k + 9);
    struct qn_moments_request rq = {.batch = batch.device, .pairs = got};
    struct qn_moments_request host = {.batch = batch.host, .pairs = cpu, .targets = y};
    struct qn_span span = {0};
    struct qn_outcome outcome;
    OK(qn_pool_take(d->device->pool, d->device->queue_numbers[0], rows * sizeof *y, &span));
    rq.targets_base = (struct qn_view){span.view.raw, span.view.offset, rows * sizeof *y};
    OK(qn_device_put(d->device, 0, rq.targets_base, y));
    OK(qn_op_moments(d->device, NULL, 0, &rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    OK(qn_op_moments(NULL, NULL, 0, &host, &outcome));
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t from = g * QN_GROUP_ROWS, left = rows - from;
            struct qn_pair have = got[g * n + i];
            struct qn_pair want =
                ref_pairs(x + from, y + from, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS);
            if (!ref_same_pair(want, have))
                fail_msg("%s: lane %u group %llu: product %a of %a rows, not %a of %a", where, i,
                         (unsigned long long)g, have.product, have.value.n, want.product,
                         want.value.n);
            if (memcmp(&cpu[g * n + i], &have, sizeof have) != 0)
                fail_msg("%s: lane %u: the device and the CPU differ", where, i);
        }
        free(x);
    }
    qn_pool_give(d->device->pool, d->device->queue_numbers[0], &span);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(y);
    free(got);
    free(cpu);
}

/* Logarithms of values that have them not are among the cases, but not all of them. */
static void make_powers(uint32_t k, struct qn_powers_at *at)
{
    make(&shapes[k], k + 13);
    for (uint32_t i = 0; i < batch.host.n_lanes; i++) {
        uint32_t work = batch.lanes[i].work;
        at[i] = ref_powers_place(i);
        if (at[i].box_cox != 0 && !shapes[k].chain && (work == QN_W_F32 || work == QN_W_F64))
            ops_push(&batch, i, QN_OP_ABS, work, 0, 0);
    }
}

static void powers_of(struct ops_device *d, uint32_t k)
{
    char where[160];
    label(d, k, where, sizeof where);
    struct qn_powers_at *at = calloc(shapes[k].n_lanes, sizeof *at);
    make_powers(k, at);
    ops_batch_upload(&batch, d->device);
    uint64_t rows = batch.host.rows, groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    uint32_t n = batch.host.n_lanes;
    struct qn_powers_node *got = calloc(groups * n, sizeof *got),
                          *cpu = calloc(groups * n, sizeof *cpu);
    struct qn_powers_request rq = {.batch = batch.device, .at = at, .nodes = got};
    struct qn_powers_request host = {.batch = batch.host, .at = at, .nodes = cpu};
    struct qn_outcome outcome;
    OK(qn_op_powers(d->device, NULL, 0, &rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    OK(qn_op_powers(NULL, NULL, 0, &host, &outcome));
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t from = g * QN_GROUP_ROWS, left = rows - from;
            struct qn_powers_node want =
                ref_powers(x + from, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS, &at[i]);
            const struct qn_powers_node *have = &got[g * n + i];
            if (!ref_same_powers(&want, have))
                fail_msg("%s: lane %u group %llu: %a, %a of %a rows, not %a, %a of %a", where, i,
                         (unsigned long long)g, have->log_, have->part[6], have->n, want.log_,
                         want.part[6], want.n);
            if (memcmp(&cpu[g * n + i], have, sizeof *have) != 0)
                fail_msg("%s: lane %u: the device and the CPU differ", where, i);
        }
        free(x);
    }
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(at);
    free(got);
    free(cpu);
}

static void moments_of(struct ops_device *d, uint32_t k, int weighted)
{
    char where[160];
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 1);
    ops_batch_upload(&batch, d->device);
    uint64_t rows = batch.host.rows, groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    uint32_t n = batch.host.n_lanes;
    struct qn_node *got = calloc(groups * n, sizeof *got), *cpu = calloc(groups * n, sizeof *cpu);
    struct qn_moments_request rq = {.batch = batch.device, .nodes = got};
    struct qn_moments_request host = {.batch = batch.host, .nodes = cpu};
    struct qn_outcome outcome;
    struct qn_span span = {0};
    double *w = NULL;
    if (weighted) {
        host.weights = w = ref_weights(rows, k + 3);
        OK(qn_pool_take(d->device->pool, d->device->queue_numbers[0], rows * sizeof *w, &span));
        rq.weights_base = (struct qn_view){span.view.raw, span.view.offset, rows * sizeof *w};
        OK(qn_device_put(d->device, 0, rq.weights_base, w));
    }
    OK(qn_op_moments(d->device, NULL, 0, &rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    OK(qn_op_moments(NULL, NULL, 0, &host, &outcome));
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t from = g * QN_GROUP_ROWS;
            struct qn_node want =
                ref_weighted_moments(x + from, w != NULL ? w + from : NULL,
                                     rows - from < QN_GROUP_ROWS ? rows - from : QN_GROUP_ROWS);
            struct qn_node have = got[g * n + i];
            if (!ref_same_node(want, have))
                fail_msg("%s: lane %u group %llu: %a %a %a %a, not %a %a %a %a", where, i,
                         (unsigned long long)g, have.n, have.hi, have.lo, have.m2, want.n, want.hi,
                         want.lo, want.m2);
            if (memcmp(&cpu[g * n + i], &have, sizeof have) != 0)
                fail_msg("%s: lane %u: the device and the CPU differ", where, i);
        }
        free(x);
    }
    if (weighted) qn_pool_give(d->device->pool, d->device->queue_numbers[0], &span);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(w);
    free(got);
    free(cpu);
}

static void moments_shape(struct ops_device *d, uint32_t k)
{
    moments_of(d, k, 0);
}

static void weighted_shape(struct ops_device *d, uint32_t k)
{
    moments_of(d, k, 1);
}

static void extremes_shape(struct ops_device *d, uint32_t k)
{
    char where[160];
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 100);
    ops_batch_upload(&batch, d->device);
    uint32_t n = batch.host.n_lanes;
    struct qn_extremes *got = calloc(n, sizeof *got), *cpu = calloc(n, sizeof *cpu);
    for (uint32_t i = 0; i < n; i++) got[i] = cpu[i] = (struct qn_extremes){HUGE_VAL, -HUGE_VAL, 0};
    struct qn_extremes_request rq = {.batch = batch.device, .out = got},
                               host = {.batch = batch.host, .out = cpu};
    OK(qn_op_extremes(d->device, NULL, 0, &rq, NULL));
    OK(qn_op_extremes(NULL, NULL, 0, &host, NULL));
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        uint64_t count = ref_sort(x, batch.host.rows);
        double low = count ? x[0] + 0.0 : HUGE_VAL, high = count ? x[count - 1] + 0.0 : -HUGE_VAL;
        if (got[i].count != count || !ref_same_bits(got[i].min, low) ||
            !ref_same_bits(got[i].max, high))
            fail_msg("%s: lane %u: %a … %a of %llu, not %a … %a of %llu", where, i, got[i].min,
                     got[i].max, (unsigned long long)got[i].count, low, high,
                     (unsigned long long)count);
        if (memcmp(&got[i], &cpu[i], sizeof got[i]) != 0)
            fail_msg("%s: lane %u: the device and the CPU differ", where, i);
        free(x);
    }
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(got);
    free(cpu);
}

static int has_keys(const struct shape *s)
{
    return s->n_types == 1;
}

static void select_shape(struct ops_device *d, uint32_t k)
{
    enum { RANKS = 6 };
    char where[160];
    if (!has_keys(&shapes[k])) return;
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 200);
    ops_batch_upload(&batch, d->device);
    uint32_t n = batch.host.n_lanes;
    uint64_t *ranks = calloc((size_t)n * RANKS, 8), *counts = calloc(n, 8);
    double *got = calloc((size_t)n * RANKS, sizeof *got);
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        uint64_t count = ref_sort(x, batch.host.rows);
        counts[i] = count;
        for (uint32_t j = 0; j < RANKS; j++)
            ranks[i * RANKS + j] = count == 0 || (i + j) % 5 == 4 ? UINT64_MAX
                                   : j == 0                       ? 0
                                   : j == 1                       ? count - 1
                                                                  : (count - 1) * j / RANKS;
        free(x);
    }
    struct qn_select_request rq = {batch.device, RANKS, ranks, counts, got};
    double *cpu = calloc((size_t)n * RANKS, sizeof *cpu);
    struct qn_select_request host = {batch.host, RANKS, ranks, counts, cpu};
    OK(qn_op_select(d->device, NULL, 0, &rq, NULL));
    OK(qn_op_select(NULL, NULL, 0, &host, NULL));
    for (uint32_t i = 0; i < n * RANKS; i++)
        if (ranks[i] != UINT64_MAX && memcmp(&cpu[i], &got[i], sizeof *cpu) != 0)
            fail_msg("%s: lane %u: the device and the CPU differ", where, i / RANKS);
    free(cpu);
    for (uint32_t i = 0; i < n; i++) {
        double *x = values_of(&batch, i);
        (void)ref_sort(x, batch.host.rows);
        for (uint32_t j = 0; j < RANKS; j++) {
            uint64_t rank = ranks[i * RANKS + j];
            if (rank != UINT64_MAX && !ref_same_bits(x[rank] + 0.0, got[i * RANKS + j]))
                fail_msg("%s: lane %u rank %llu: %a, not %a", where, i, (unsigned long long)rank,
                         got[i * RANKS + j], x[rank]);
        }
        free(x);
    }
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
    free(ranks);
    free(counts);
    free(got);
}

static uint64_t key_of(double x, uint32_t bits)
{
    x += 0.0;
    if (bits == 32) {
        float f = (float)x;
        uint32_t u;
        memcpy(&u, &f, 4);
        return u >> 31 ? ~u : u | 0x80000000u;
    }
    uint64_t u;
    memcpy(&u, &x, 8);
    return u >> 63 ? ~u : u | 0x8000000000000000u;
}

static void histogram_shape(struct ops_device *d, uint32_t k)
{
    static const struct {
        uint32_t shift_from_top, bits, targets;
    } passes[] = {{0, 11, 1}, {11, 10, 3}, {8, 16, 2}, {11, 5, 4}, {0, 1, 1}};
    char where[160];
    if (!has_keys(&shapes[k])) return;
    label(d, k, where, sizeof where);
    make(&shapes[k], k + 300);
    ops_batch_upload(&batch, d->device);
    uint32_t n = batch.host.n_lanes, key = shapes[k].types == float32 ? 32 : 64;
    for (uint32_t p = getenv("QUERN_TEST_SMALL") != NULL ? 3 : 0;
         p < sizeof passes / sizeof passes[0]; p++) {
        uint32_t bits = passes[p].bits, targets = passes[p].targets;
        uint32_t shift = key - passes[p].shift_from_top - bits;
        size_t bins = (size_t)n * targets << bits;
        uint64_t *got = calloc(bins, 8), *want = calloc(bins, 8);
        uint64_t *prefix = calloc((size_t)n * targets, 8);
        for (size_t i = 0; i < bins; i++) got[i] = want[i] = i % 3;
        for (uint32_t i = 0; i < n; i++) {
            double *x = values_of(&batch, i);
            for (uint32_t t = 0; t < targets; t++) {
                uint64_t sample = key_of(x[t * 7 % batch.host.rows], key);
                prefix[i * targets + t] = t == 3                ? UINT64_MAX
                                          : shift + bits == key ? 0
                                                                : sample >> (shift + bits);
            }
            for (uint64_t r = 0; r < batch.host.rows; r++)
                for (uint32_t t = 0; t < targets && x[r] == x[r]; t++) {
                    uint64_t v = key_of(x[r], key),
                             above = shift + bits < 64 ? v >> (shift + bits) : 0;
                    if (prefix[i * targets + t] == above)
                        want[((size_t)(i * targets + t) << bits) +
                             (v >> shift & (((uint64_t)1 << bits) - 1))]++;
                }
            free(x);
        }
        struct qn_histogram_request rq = {batch.device, targets, shift, bits, prefix, got};
        OK(qn_op_histogram(d->device, NULL, 0, &rq, NULL));
        if (memcmp(got, want, bins * 8) != 0) fail_msg("%s: pass %u differs", where, p);
        rq.batch = batch.host;
        for (size_t i = 0; i < bins; i++) got[i] = i % 3;
        OK(qn_op_histogram(NULL, NULL, 0, &rq, NULL));
        if (memcmp(got, want, bins * 8) != 0)
            fail_msg("%s: pass %u: the device and the CPU differ", where, p);
        free(got);
        free(want);
        free(prefix);
    }
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void moments_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(moments_shape, SHAPES, 2);
}

void weighted_moments_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(weighted_shape, SHAPES, 2);
}

void moments_of_classes_equal_those_of_the_cpu(void **state)
{
    (void)state;
    on_every_device(by_classes, SHAPES, 2);
}

void moments_of_pairs_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(pairs_of, SHAPES, 2);
}

void curves_of_powers_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(powers_of, SHAPES, 2);
}

void extremes_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(extremes_shape, SHAPES, 2);
}

void selected_ranks_are_those_of_the_sorted_column(void **state)
{
    (void)state;
    on_every_device(select_shape, SHAPES, 4);
}

void histograms_count_every_key_once(void **state)
{
    (void)state;
    on_every_device(histogram_shape, SHAPES, 2);
}
