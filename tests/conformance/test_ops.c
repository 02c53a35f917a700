/* SPDX-License-Identifier: Apache-2.0
 * Every operation, on every device that is present and in both shapes of the kernels, over types,
 * layouts, chains and sizes, compared bit for bit with the reference and with the CPU. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/ops/layout.h"
#include "tests/conformance/ops_fixture.h"
#include "tests/unit/reference.h"
#include "tests/unit/run_oracle.h"

enum { DEVICES = 16 };
static struct ops_device devices[DEVICES];
static uint32_t n_devices;
static struct ops_batch batch;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != QUERN_OK) fail_msg("%s: %s", #call, qn_error_text());                        \
    } while (0)

static const uint32_t float32[] = {QN_T_F32}, float64[] = {QN_T_F64};
static const uint32_t every_type[] = {QN_T_F64, QN_T_F32, QN_T_BOOL, QN_T_I8,  QN_T_I16, QN_T_I32,
                                      QN_T_I64, QN_T_U8,  QN_T_U16,  QN_T_U32, QN_T_U64};

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
    struct qn_extremes_request rq = {batch.device, got}, host = {batch.host, cpu};
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

static void on_every_device(void (*body)(struct ops_device *, uint32_t), uint32_t n)
{
    if (n_devices == 0) skip();
    /* A simulator gets a part of the many. */
    uint32_t step = getenv("QUERN_TEST_SMALL") == NULL || n < SHAPES ? 1 : n == SHAPES ? 2 : 7;
    const char *only = getenv("QUERN_TEST_CASE"); /* by hand: one case */
    for (uint32_t i = 0; i < n_devices; i++) {
        ops_device_shape(&devices[i]);
        for (uint32_t k = 0; k < n; k += step)
            if (only == NULL || (uint32_t)atoi(only) == k) body(&devices[i], k);
    }
}

static void moments_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(moments_shape, SHAPES);
}

static void weighted_moments_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(weighted_shape, SHAPES);
}

static void extremes_equal_the_reference(void **state)
{
    (void)state;
    on_every_device(extremes_shape, SHAPES);
}

static void selected_ranks_are_those_of_the_sorted_column(void **state)
{
    (void)state;
    on_every_device(select_shape, SHAPES);
}

static void histograms_count_every_key_once(void **state)
{
    (void)state;
    on_every_device(histogram_shape, SHAPES);
}

/* ---- programs ---- */

enum out_layout { OUT_ROWS, OUT_COLUMNS, OUT_WIDE_ROWS };

struct program {
    struct qn_slot slots[4096];
    struct qn_norm_desc norms[3];
    uint32_t n_slots, n_norms;
    uint64_t out_bytes;
};
static struct program program;

static void lay_out_slots(enum out_layout layout)
{
    uint64_t row = 0, at = 0, rows = batch.host.rows;
    for (uint32_t s = 0; s < program.n_slots; s++) {
        uint64_t size = qn_value_bytes(program.slots[s].type);
        row = (row + size - 1) / size * size;
        program.slots[s].offset = layout == OUT_COLUMNS ? at : row;
        row += size;
        at = (at + rows * size + 7) / 8 * 8;
    }
    row = (row + 7) / 8 * 8 + (layout == OUT_WIDE_ROWS ? 24 : 0);
    if (layout == OUT_ROWS && program.n_slots != 0) {
        /* One type: packed rows. */
        uint64_t size = qn_value_bytes(program.slots[0].type);
        int same = 1;
        for (uint32_t s = 0; s < program.n_slots; s++)
            same &= qn_value_bytes(program.slots[s].type) == size;
        if (same) row = size * program.n_slots;
    }
    for (uint32_t s = 0; s < program.n_slots; s++)
        program.slots[s].stride =
            layout == OUT_COLUMNS ? qn_value_bytes(program.slots[s].type) : row;
    program.out_bytes = layout == OUT_COLUMNS ? at : rows * row;
    program.out_bytes = (program.out_bytes + 7) / 8 * 8;
}

static void add_slot(uint32_t lane, uint32_t type, uint32_t match)
{
    program.slots[program.n_slots++] = (struct qn_slot){.type = type, .lane = lane, .match = match};
}

/* Runs batch and program on the device and by the oracle; every byte must agree. */
static void run_and_compare(struct ops_device *d, const char *what, const char *implementation)
{
    uint32_t want_seen[OPS_LANES] = {0}, got_seen[OPS_LANES] = {0};
    unsigned char *want = malloc(program.out_bytes + 8), *got = malloc(program.out_bytes + 8);
    struct qn_span span;
    struct qn_outcome outcome;
    assert_true(want != NULL && got != NULL);
    memset(want, 0xcd, program.out_bytes + 8);
    OK(qn_pool_take(d->device->pool, d->device->queue_numbers[0], program.out_bytes, &span));
    struct qn_view out = span.view;
    out.size = program.out_bytes;
    OK(qn_device_put(d->device, 0, out, want));
    struct qn_run_request rq = {.batch = batch.device,
                                .slots = program.slots,
                                .n_slots = program.n_slots,
                                .norms = program.norms,
                                .n_norms = program.n_norms,
                                .out_base = out,
                                .seen = got_seen};
    OK(qn_op_run(d->device, NULL, 0, &rq, &outcome));
    if (implementation != NULL && strcmp(implementation, outcome.implementation) != 0)
        fail_msg("%s: %s ran by %s (%s)", d->name, what, outcome.implementation, outcome.reasons);
    OK(qn_device_get(d->device, 0, got, out));
    rq.batch = batch.host;
    oracle_run(&rq, want, want_seen);
    for (uint64_t i = 0; i < program.out_bytes; i++)
        if (want[i] != got[i])
            fail_msg("%s: %s (%s): byte %llu of %llu is %02x, not %02x", d->name, what,
                     outcome.implementation, (unsigned long long)i,
                     (unsigned long long)program.out_bytes, got[i], want[i]);
    for (uint32_t i = 0; i < batch.host.n_lanes; i++)
        if (want_seen[i] != got_seen[i])
            fail_msg("%s: %s (%s): lane %u saw %u, not %u", d->name, what, outcome.implementation,
                     i, got_seen[i], want_seen[i]);
    rq.out_base = (struct qn_view){NULL, 0, 0};
    rq.out_host = want;
    memset(want, 0xcd, program.out_bytes);
    OK(qn_op_run(NULL, NULL, 0, &rq, NULL));
    if (memcmp(want, got, program.out_bytes) != 0)
        fail_msg("%s: %s: the device and the CPU differ", d->name, what);
    qn_pool_give(d->device->pool, d->device->queue_numbers[0], &span);
    free(want);
    free(got);
}

static const uint32_t out_types[] = {QN_T_F32, QN_T_F64, QN_T_I64, QN_T_I32, QN_T_I16, QN_T_I8,
                                     QN_T_U8,  QN_T_U16, QN_T_U32, QN_T_U64, QN_T_BOOL};

/* A bit of everything: chains of all working types, one-hot blocks, all stored types. */
static void mixed_chains(uint64_t seed)
{
    uint64_t s = seed * 77777777u + 1;
    uint64_t sorted[12], remap[14], value[14];
    for (uint32_t i = 0; i < batch.host.n_lanes; i++) {
        uint32_t work = batch.lanes[i].work, type = out_types[ops_random(&s) % 11], k = 12;
        for (uint32_t j = 0; j < k; j++)
            sorted[j] = work == QN_W_I64 ? (uint64_t)((int64_t)j - 2) : ops_word((double)j - 2.0);
        for (uint32_t j = 0; j < k + 2; j++) {
            remap[j] = ops_random(&s) % 5;
            value[j] = ops_word((double)j * 0.37 - 1);
        }
        switch (i % 5) {
        case 0:
            if (work == QN_W_I64) {
                ops_push_i64(&batch, i, QN_OP_FILL_EQ, 3, -7);
                ops_push_i64(&batch, i, QN_OP_MUL, INT64_MAX, 0);
                ops_push_i64(&batch, i, QN_OP_GREATER, 2, 0);
                break;
            }
            ops_push(&batch, i, QN_OP_FILL, work, 0.1, 0);
            ops_push(&batch, i, QN_OP_CLIP, work, -3.3, 2.7);
            ops_push(&batch, i, QN_OP_SUB, work, 0.3, 0);
            ops_push(&batch, i, QN_OP_DIV, work, 1.7, 0);
            ops_push(&batch, i, QN_OP_MUL, work, 0.7, 0);
            ops_push(&batch, i, QN_OP_ADD, work, -0.1, 0);
            break;
        case 1:
        case 2:
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, k);
            if (i % 2) ops_push_table(&batch, i, QN_OP_REMAP, QN_W_CODE, remap, k + 2);
            for (uint32_t m = i % 3; m < 9; m++) add_slot(i, type, m);
            if (i % 4 == 1) continue;
            break;
        case 3:
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, k);
            ops_push_table(&batch, i, QN_OP_VALUE, QN_W_CODE, value, k + 2);
            break;
        default:
            if (work == QN_W_I64) {
                ops_push(&batch, i, QN_OP_TO_F32, work, 0, 0);
                ops_push(&batch, i, QN_OP_MUL, QN_W_F32, 0.1, 0);
                break;
            }
            ops_push(&batch, i, i % 2 ? QN_OP_MISSING : QN_OP_EQUAL, work, 1.0, 0);
            ops_push(&batch, i, work == QN_W_F32 ? QN_OP_TO_F64 : QN_OP_TO_F32, work, 0, 0);
            break;
        }
        add_slot(i, type, QN_MATCH_VALUE);
    }
}

static void mixed_program(struct ops_device *d, uint32_t k)
{
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 7, 700 + 333 * (k % 3), 22 + k, every_type, 11,
                   k % 2 ? OPS_RECORDS : OPS_COLUMNS, 12, 1, 1);
    mixed_chains(k + 1);
    lay_out_slots(k % 3 == 0 ? OUT_ROWS : k % 3 == 1 ? OUT_COLUMNS : OUT_WIDE_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "mixed program %u", k);
    run_and_compare(d, what, "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void any_program_gives_the_oracles_bytes(void **state)
{
    (void)state;
    on_every_device(mixed_program, 6);
}

/* Norms: two groups and lanes without, after an op each. */
static void norm_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t widths[] = {1, 3, 8, 13, 16, 64, 150, 270};
    uint32_t width = widths[k / 6], kind = 1 + k % 3, order = k / 3 % 2;
    const uint32_t *types = k % 2 ? float64 : float32;
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 900, 70, width + 3, types, 1, k % 4 ? OPS_ROWS : OPS_COLUMNS,
                   k % 5 == 0 ? 8 : 0, 0, 0);
    for (uint32_t i = 0; i < width + 3; i++) {
        uint32_t work = batch.lanes[i].work;
        if (k % 5 == 0 && i % 2) ops_push(&batch, i, QN_OP_FILL, work, 0, 0);
        if (i >= 1 && i < width + 1) ops_push_norm(&batch, i, work, 0);
        if (i >= width + 1) ops_push_norm(&batch, i, work, 1);
        if (i % 4 == 0) ops_push(&batch, i, QN_OP_MUL, work, 3.1, 0);
        add_slot(i, types[0], QN_MATCH_VALUE);
    }
    program.norms[0] = (struct qn_norm_desc){1, width, kind, order};
    program.norms[1] = (struct qn_norm_desc){width + 1, 2, 1 + (kind + 1) % 3, 1 - order};
    program.n_norms = 2;
    lay_out_slots(OUT_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "norm program %u", k);
    run_and_compare(d, what, "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void norms_divide_by_the_rows_sum_in_its_order(void **state)
{
    (void)state;
    on_every_device(norm_program, 48);
}

/* One chain for all columns: what the generator makes a kernel for. */
struct uniform {
    const uint32_t *types;
    uint32_t n_lanes, out_type;
    uint64_t rows;
    enum ops_layout in;
    enum out_layout out;
    uint32_t chain;
    int validity;
};
static const struct uniform uniforms[] = {
    {float32, 16, QN_T_F32, 3000, OPS_ROWS, OUT_ROWS, 0, 0},
    {float32, 50, QN_T_F32, 1111, OPS_ROWS, OUT_ROWS, 1, 0},
    {float32, 1, QN_T_F32, 5001, OPS_COLUMNS, OUT_COLUMNS, 1, 0},
    {float32, 7, QN_T_F32, 2049, OPS_COLUMNS, OUT_COLUMNS, 2, 0},
    {float32, 300, QN_T_F32, 70, OPS_ROWS, OUT_ROWS, 0, 0},
    {float32, 37, QN_T_F64, 555, OPS_COLUMNS, OUT_ROWS, 2, 0},
    {float32, 37, QN_T_F32, 555, OPS_ROWS, OUT_COLUMNS, 1, 0},
    {float64, 16, QN_T_F64, 1000, OPS_ROWS, OUT_ROWS, 3, 0},
    {float64, 5, QN_T_F32, 1001, OPS_WIDE_ROWS, OUT_ROWS, 2, 0},
    {float64, 45, QN_T_F64, 1003, OPS_COLUMNS, OUT_ROWS, 3, 1},
    {float32, 20, QN_T_F32, 1003, OPS_ROWS, OUT_WIDE_ROWS, 3, 1},
    {float32, 3, QN_T_F32, 1, OPS_ROWS, OUT_ROWS, 0, 0},
};

static void uniform_program(struct ops_device *d, uint32_t k)
{
    const struct uniform *u = &uniforms[k];
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 50, u->rows, u->n_lanes, u->types, 1, u->in, k % 3 ? 10 : 0,
                   k % 4 == 1, 0);
    for (uint32_t i = 0; i < u->n_lanes; i++) {
        uint32_t work = batch.lanes[i].work;
        if (u->chain >= 2) ops_push(&batch, i, QN_OP_FILL, work, 0.1 * i, 0);
        if (u->chain == 3) ops_push(&batch, i, QN_OP_CLIP, work, -2.0 - i, 1.5);
        ops_push(&batch, i, QN_OP_SUB, work, 0.3 + i, 0);
        ops_push(&batch, i, QN_OP_DIV, work, 1.7 + 0.1 * i, 0);
        if (u->chain == 1) {
            ops_push(&batch, i, QN_OP_MUL, work, 0.7, 0);
            ops_push(&batch, i, QN_OP_ADD, work, 0.1 * i, 0);
        }
        if (u->chain == 3) {
            ops_push(&batch, i, work == QN_W_F32 ? QN_OP_TO_F64 : QN_OP_TO_F32, work, 0, 0);
            ops_push(&batch, i, QN_OP_GREATER, work == QN_W_F32 ? QN_W_F64 : QN_W_F32, -0.2, 0);
        }
        add_slot(i, u->out_type, QN_MATCH_VALUE);
    }
    lay_out_slots(u->out);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "uniform program %u", k);
    run_and_compare(d, what, "device:generated");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void one_chain_for_all_columns_runs_generated(void **state)
{
    (void)state;
    on_every_device(uniform_program, sizeof uniforms / sizeof uniforms[0]);
}

/* ---- CSR ---- */

static void csr_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I64};
    uint32_t type = types[k % 3], size = qn_value_bytes(type);
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 500, 1 + 1300 * k, 15, every_type, 11, OPS_COLUMNS, 12, k == 3, 1);
    mixed_chains(k + 40);
    for (uint32_t s = 0; s < program.n_slots; s++) program.slots[s].type = type;
    lay_out_slots(OUT_ROWS);
    ops_batch_upload(&batch, d->device);

    uint64_t rows = batch.host.rows, nnz = 0;
    uint32_t seen[OPS_LANES] = {0}, want_seen[OPS_LANES] = {0};
    unsigned char *dense = malloc(program.out_bytes + 8);
    uint32_t *row_nnz = malloc(rows * sizeof *row_nnz);
    int64_t *indptr = malloc((rows + 1) * sizeof *indptr);
    struct qn_run_request oracle = {
        .batch = batch.host, .slots = program.slots, .n_slots = program.n_slots};
    oracle_run(&oracle, dense, want_seen);
    struct qn_csr_request rq = {.batch = batch.device,
                                .slots = program.slots,
                                .n_slots = program.n_slots,
                                .row_nnz = row_nnz,
                                .seen = seen};
    OK(qn_op_csr(d->device, NULL, 0, &rq, NULL));
    indptr[0] = 5; /* a batch in the middle of the data */
    for (uint64_t r = 0; r < rows; r++) indptr[r + 1] = indptr[r] + row_nnz[r];
    nnz = (uint64_t)indptr[rows];
    int32_t *indices = calloc(nnz + 1, sizeof *indices);
    unsigned char *data = calloc(nnz + 1, size);
    rq.indptr = indptr;
    rq.indices = indices;
    rq.data = data;
    OK(qn_op_csr(d->device, NULL, 0, &rq, NULL));
    uint64_t at = 5;
    for (uint64_t r = 0; r < rows; r++)
        for (uint32_t s = 0; s < program.n_slots; s++) {
            const unsigned char *cell = dense + r * size * program.n_slots + s * size;
            float f;
            double x;
            int64_t i;
            memcpy(&i, cell, size);
            memcpy(&f, cell, sizeof f);
            memcpy(&x, cell, size);
            int zero = type == QN_T_F32 ? f == 0.0f : type == QN_T_F64 ? x == 0.0 : i == 0;
            if (zero) continue;
            if (at >= nnz || indices[at] != (int32_t)s || memcmp(data + at * size, cell, size) != 0)
                fail_msg("%s: csr %u: row %llu column %u is not element %llu", d->name, k,
                         (unsigned long long)r, s, (unsigned long long)at);
            at++;
        }
    assert_int_equal(at, nnz);
    assert_memory_equal(seen, want_seen, sizeof seen);
    free(dense);
    free(row_nnz);
    free(indptr);
    free(indices);
    free(data);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void sparse_rows_hold_what_the_dense_ones_do(void **state)
{
    (void)state;
    on_every_device(csr_program, 5);
}

/* ---- refusals ---- */

static void a_batch_where_it_should_not_be_is_refused_with_sentences(void **state)
{
    struct qn_extremes got[2] = {{0, 0, 0}};
    struct qn_outcome outcome;
    (void)state;
    if (n_devices == 0) skip();
    ops_batch_make(&batch, 1, 10, 2, float32, 1, OPS_ROWS, 0, 0, 0);
    ops_batch_upload(&batch, devices[0].device);
    struct qn_extremes_request rq = {batch.device, got};
    assert_int_equal(qn_op_extremes(NULL, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_null(outcome.implementation);
    assert_non_null(strstr(outcome.reasons, "no device is open"));
    assert_non_null(strstr(outcome.reasons, "the rows lie on the device"));
    batch.device.base.size = 60;
    rq.batch = batch.device;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "reaches outside"));
    batch.device.base.size = batch.bytes;
    rq.batch = batch.device;
    batch.lanes[1].offset++;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "not aligned"));
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void a_malformed_program_is_an_error_that_names_the_lane(void **state)
{
    struct qn_extremes got[2] = {{0, 0, 0}};
    (void)state;
    if (n_devices == 0) skip();
    ops_batch_make(&batch, 1, 10, 2, float32, 1, OPS_ROWS, 0, 0, 0);
    ops_push(&batch, 1, QN_OP_SUB, QN_W_F32, 1, 1);
    ops_batch_upload(&batch, devices[0].device);
    struct qn_extremes_request rq = {batch.device, got};
    batch.ops[0].arg = 99;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    assert_non_null(strstr(qn_error_text(), "lane 1"));
    batch.ops[0] = (struct qn_op){QN_OP_FIND, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.ops[0] = (struct qn_op){QN_OP_REMAP, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.ops[0] = (struct qn_op){99, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

#if defined(QN_TEST_FIBERS)
extern const struct qn_driver qn_driver_fibers;
#define ONLY_DRIVER (&qn_driver_fibers)
#else
#define ONLY_DRIVER NULL
#endif

static int open_devices(void **state)
{
    (void)state;
    n_devices = ops_devices_open(ONLY_DRIVER, devices, DEVICES);
    for (uint32_t i = 0; i < n_devices; i++) print_message("on %s\n", devices[i].name);
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    ops_devices_close(devices, n_devices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_equal_the_reference),
        cmocka_unit_test(weighted_moments_equal_the_reference),
        cmocka_unit_test(extremes_equal_the_reference),
        cmocka_unit_test(selected_ranks_are_those_of_the_sorted_column),
        cmocka_unit_test(histograms_count_every_key_once),
        cmocka_unit_test(any_program_gives_the_oracles_bytes),
        cmocka_unit_test(norms_divide_by_the_rows_sum_in_its_order),
        cmocka_unit_test(one_chain_for_all_columns_runs_generated),
        cmocka_unit_test(sparse_rows_hold_what_the_dense_ones_do),
        cmocka_unit_test(a_batch_where_it_should_not_be_is_refused_with_sentences),
        cmocka_unit_test(a_malformed_program_is_an_error_that_names_the_lane),
    };
    if (getenv("QUERN_TEST") != NULL) cmocka_set_test_filter(getenv("QUERN_TEST"));
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
