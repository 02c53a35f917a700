/* SPDX-License-Identifier: Apache-2.0
 * Programs: chains of all kinds, norms, one chain for all columns, sparse rows; every byte is compared with
 * the oracle. */
#include "tests/conformance/ops_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/layout.h"
#include "kernels/spline.h"
#include "tests/unit/reference.h"
#include "tests/unit/run_oracle.h"

static struct ops_batch batch;

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

/* Runs batch and program on the device and by the oracle; every byte must agree. stream: the caller says
 * that the output is larger than the caches. */
static void run_and_compare_as(struct ops_device *d, const char *what, const char *implementation,
                               uint32_t stream)
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
                                .seen = got_seen,
                                .stream = stream};
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

static void run_and_compare(struct ops_device *d, const char *what, const char *implementation)
{
    run_and_compare_as(d, what, implementation, 0);
    if (implementation != NULL && strcmp(implementation, "device:generated") == 0)
        run_and_compare_as(d, what, implementation, 1);
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

void any_program_gives_the_oracles_bytes(void **state)
{
    (void)state;
    on_every_device(mixed_program, 6, 1);
}

/* Chains that take in other columns: all ways to join up to three, and some that set four aside. */
static void joined_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t depths[] = {QN_OP_JOIN_SUB, QN_OP_JOIN_RDIV, QN_OP_JOIN_MAX,
                                      QN_OP_JOIN_ADD},
                          choice[] = {QN_OP_JOIN_POW, QN_OP_JOIN_LESS, QN_OP_JOIN_WHERE};
    const uint32_t *types = k % 2 ? float64 : float32, n_operands = 6, n = 40;
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 300, 500 + 77 * k, n_operands + n, types, 1,
                   k % 3 ? OPS_ROWS : OPS_COLUMNS, k % 4 == 0 ? 12 : 0, k % 2, k % 4 == 1);
    for (uint32_t i = 0; i < n_operands; i++)
        if (i % 2) ops_push(&batch, i, QN_OP_ADD, batch.lanes[i].work, 0.3 * i, 0);
    for (uint32_t i = n_operands; i < n_operands + n; i++) {
        uint32_t work = batch.lanes[i].work, deep = i % 5 == 0;
        for (uint32_t j = 0; j <= i % 3 || (deep && j < QN_ASIDE); j++) {
            ops_push_take(&batch, i, work, (i + 5 * j) % n_operands);
            if (!deep) ops_push(&batch, i, QN_OP_JOIN_ADD + (i + j) % 14, work, 0, 0);
        }
        for (uint32_t j = 0; deep && i % 2 && j < QN_ASIDE; j++)
            ops_push(&batch, i, depths[j], work, 0, 0);
        for (uint32_t j = 0; deep && i % 2 == 0 && j < 3; j++)
            ops_push(&batch, i, choice[j], work, 0, 0);
        if (i % 4 == 0) ops_push(&batch, i, QN_OP_SUB, work, 0.25, 0);
        add_slot(i - n_operands, types[0], QN_MATCH_VALUE);
    }
    ops_batch_operands(&batch, n_operands);
    lay_out_slots(k % 2 ? OUT_ROWS : OUT_COLUMNS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "joined program %u", k);
    run_and_compare(d, what, "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

/* Enough rows for a kernel of its own: joins of both widths beside lanes that join nothing, codes and
 * one-hot blocks of a joined value, operands with chains that find and look up, columns with bitmaps. */
static void joined_chains(uint32_t n_operands, uint32_t n, uint32_t k)
{
    static const uint32_t functions[] = {QN_OP_LOG1P, QN_OP_SQRT, QN_OP_EXP, QN_OP_ASINH};
    uint64_t sorted[6], value[8];
    for (uint32_t j = 0; j < 6; j++) sorted[j] = ops_word((double)j - 2);
    for (uint32_t j = 0; j < 8; j++) value[j] = ops_word((double)j * 0.37 - 1);
    for (uint32_t i = 0; i < n_operands; i++) {
        uint32_t work = batch.lanes[i].work;
        if (i % 3 == 1) ops_push(&batch, i, QN_OP_DIV, work, 0.3 * i, 0);
        if (i % 3 == 2 && work == QN_W_F64) {
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, 6);
            ops_push_table(&batch, i, QN_OP_VALUE, QN_W_CODE, value, 8);
        }
    }
    for (uint32_t i = n_operands; i < n_operands + n; i++) {
        uint32_t work = batch.lanes[i].work, lane = i - n_operands;
        if (work <= QN_W_F64 && i % 4 != 3)
            for (uint32_t j = 0; j <= i % 3; j++) { /* operands of even number are float32 */
                ops_push_take(&batch, i, work, 2 * ((i + j) % (n_operands / 2)) + work);
                ops_push(&batch, i, QN_OP_JOIN_ADD + (i + j + k) % 14, work, 0, 0);
            }
        if (work == QN_W_I64) ops_push_i64(&batch, i, QN_OP_GREATER, 2, 0);
        if (i % 5 == 0 && work <= QN_W_F64) ops_push(&batch, i, functions[i % 4], work, 0, 0);
        uint32_t before = program.n_slots;
        if (i % 6 == 0 && work <= QN_W_F64) {
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, 6);
            for (uint32_t m = 0; m < 7; m++) add_slot(lane, k % 2 ? QN_T_F64 : QN_T_F32, m);
        }
        if (i % 7 != 0 || before == program.n_slots)
            add_slot(lane, k % 2 ? QN_T_F64 : QN_T_F32, QN_MATCH_VALUE);
    }
}

static void joined_kernel(struct ops_device *d, uint32_t k)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_F32, QN_T_F64, QN_T_I16, QN_T_F64};
    uint32_t n_operands = 4, n = 20, plain = k < 2;
    uint64_t rows = 8192 + 77 * k;
    char what[64];
    if (ops_rows(rows, n_operands + n) != rows) return; /* a simulator */
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 4000, rows, n_operands + n, types, 6,
                   k % 2 ? OPS_RECORDS : OPS_COLUMNS, 12, k % 2, k == 3);
    joined_chains(n_operands, n, k);
    for (uint32_t s = 0; !plain && s < program.n_slots; s += 3)
        program.slots[s].type = out_types[s % 11];
    ops_batch_operands(&batch, n_operands);
    lay_out_slots(k % 3 == 0 ? OUT_ROWS : k % 3 == 1 ? OUT_COLUMNS : OUT_WIDE_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "joined kernel %u", k);
    run_and_compare_as(d, what, "device:generated", 0);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

/* Integers, and values of one type set aside while those of another are joined. */
static void mixed_joins_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t types[] = {QN_T_I64, QN_T_F32, QN_T_F64}, n_operands = 6, n = 24;
    static const uint32_t to[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
    static const uint32_t whole[] = {
        QN_OP_JOIN_ADD,     QN_OP_JOIN_SUB,           QN_OP_JOIN_RSUB, QN_OP_JOIN_MUL,
        QN_OP_JOIN_MIN,     QN_OP_JOIN_MAX,           QN_OP_JOIN_LESS, QN_OP_JOIN_LESS_EQUAL,
        QN_OP_JOIN_GREATER, QN_OP_JOIN_GREATER_EQUAL, QN_OP_JOIN_EQUAL};
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 700, 600, n_operands + n, types, 3, OPS_RECORDS, 0, 0, 0);
    for (uint32_t i = n_operands; i < n_operands + n; i++) {
        uint32_t work = batch.lanes[i].work, o = (i + k) % n_operands;
        uint32_t taken = batch.lanes[o].work, same = o < 3 ? o + 3 : o - 3;
        ops_push_take(&batch, i, work, o);
        ops_push_take(&batch, i, taken, same);
        ops_push(&batch, i, whole[i % 11], taken, 0, 0);
        if (taken != work) ops_push(&batch, i, to[work], taken, 0, 0);
        if (i % 3 == 0) ops_push_take(&batch, i, work, i % n_operands);
        if (i % 3 == 0 && batch.lanes[i % n_operands].work != work)
            ops_push(&batch, i, to[work], batch.lanes[i % n_operands].work, 0, 0);
        ops_push(&batch, i, i % 3 ? whole[i % 7] : QN_OP_JOIN_WHERE, work, 0, 0);
        add_slot(i - n_operands, batch.lanes[i].type, QN_MATCH_VALUE);
    }
    ops_batch_operands(&batch, n_operands);
    lay_out_slots(OUT_COLUMNS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "mixed joins %u", k);
    run_and_compare(d, what, "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void columns_are_joined_with_the_cpus_bits(void **state)
{
    (void)state;
    on_every_device(joined_program, 8, 3);
    on_every_device(joined_kernel, 6, 5);
    on_every_device(mixed_joins_program, 4, 1);
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

void norms_divide_by_the_rows_sum_in_its_order(void **state)
{
    (void)state;
    on_every_device(norm_program, 48, 7);
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

void one_chain_for_all_columns_runs_generated(void **state)
{
    (void)state;
    on_every_device(uniform_program, sizeof uniforms / sizeof uniforms[0], 1);
}

/* ---- functions ---- */

/* An argument for functions: any bits, sizes that they do not saturate at, places where they turn. */
static double argument(uint64_t *s)
{
    static const double places[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    0.5,
                                    0.25,
                                    0.75,
                                    5e-324,
                                    -1e-310,
                                    709.78271,
                                    -745.1,
                                    1e22,
                                    -3e38,
                                    1e300,
                                    HUGE_VAL,
                                    -HUGE_VAL,
                                    1.5707963267948966,
                                    3.0,
                                    268435456.0,
                                    -38.4};
    uint64_t r = ops_random(s);
    double x, unit = (double)(ops_random(s) >> 11) * 0x1p-53;
    switch (r >> 40 & 7) {
    case 0: memcpy(&x, &r, sizeof x); return x;
    case 1: return places[(r >> 44) % (sizeof places / sizeof places[0])];
    case 2: return unit;
    case 3: return ldexp(unit - 0.5, (int)(r >> 44 & 127) - 60);
    default: return (unit - 0.5) * 40;
    }
}

static void fill_arguments(uint64_t seed)
{
    uint64_t s = seed * 99991 + 7;
    for (uint32_t i = 0; i < batch.host.n_lanes; i++)
        for (uint64_t row = 0; row < batch.host.rows; row++) {
            unsigned char *at =
                batch.memory + batch.lanes[i].offset + row * (uint64_t)batch.lanes[i].stride;
            double x = argument(&s);
            float narrow = (float)x;
            if (batch.lanes[i].type == QN_T_F32)
                memcpy(at, &narrow, sizeof narrow);
            else
                memcpy(at, &x, sizeof x);
        }
}

static const double exponents[] = {0.5, -1.5, 2.0, 3.0, -0.0, 1e-3, -HUGE_VAL, 17.25};
enum { FUNCTIONS = QN_OP_LOOK - QN_OP_EXP + 1 }; /* LOOK, too */

/* All of them side by side, and a difference before each third. */
static void functions_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t both[] = {QN_T_F64, QN_T_F32};
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k, 3000, 3 * FUNCTIONS, both, 2, k ? OPS_RECORDS : OPS_COLUMNS, 0, 0, 0);
    fill_arguments(k);
    for (uint32_t i = 0; i < 3 * FUNCTIONS; i++) {
        uint32_t code = QN_OP_EXP + i / 3, work = batch.lanes[i].work;
        if (i % 3 == 2) ops_push(&batch, i, QN_OP_SUB, work, 0.25, 0);
        ops_push(&batch, i, code, work, exponents[i % 8], 0);
        add_slot(i, k ? QN_T_F64 : batch.lanes[i].type, QN_MATCH_VALUE);
    }
    lay_out_slots(OUT_COLUMNS);
    ops_batch_upload(&batch, d->device);
    run_and_compare(d, "functions", "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

/* One of them for all columns. */
static void function_program(struct ops_device *d, uint32_t k)
{
    const uint32_t code = QN_OP_EXP + k / 2, type = k % 2 ? QN_T_F32 : QN_T_F64;
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k, 1500, 8, &type, 1, OPS_ROWS, 0, 0, 0);
    fill_arguments(k + 50);
    for (uint32_t i = 0; i < 8; i++) {
        ops_push(&batch, i, code, batch.lanes[i].work, exponents[i], 0);
        add_slot(i, type, QN_MATCH_VALUE);
    }
    lay_out_slots(OUT_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "function %u of type %u", code, type);
    run_and_compare_as(d, what, "device:generated", 0);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void functions_give_the_oracles_bytes(void **state)
{
    (void)state;
    on_every_device(functions_program, 2, 1);
    on_every_device(function_program, 2 * FUNCTIONS, 7);
}

/* ---- bins and maps ---- */

enum { KNOTS = 30 };

/* A table of BIN (of k edges) or of a map (of k knots), some equal: lane i's own. */
static uint32_t bin_table(uint32_t code, uint32_t i, uint32_t k, uint64_t *words)
{
    uint32_t n = 0;
    if (code != QN_OP_BIN) {
        words[n++] = ops_word(-1.9);
        words[n++] = ops_word(2.1);
        words[n++] = ops_word(-0.25);
        words[n++] = ops_word(8.5);
    }
    for (uint32_t j = 0; j < k; j++) {
        uint32_t steps = j / 3 * 2 + j % 3 / 2;
        words[n++] = ops_word(0.25 * steps - 2);
    }
    if (code == QN_OP_BIN) return n;
    for (uint32_t j = 0; j < k; j++) words[n++] = ops_word(0.1 * j);
    for (uint32_t j = 0; j < k; j++) words[n++] = ops_word(0.3 / (j + i + 1));
    for (uint32_t j = 0; j < k; j++) words[n++] = ops_word(0.7 * j);
    return n;
}

/* The three ops, for all columns or side by side. */
static void bins_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t both[] = {QN_T_F64, QN_T_F32};
    const uint32_t generated = k < 6, *types = generated ? &both[k % 2] : both;
    uint64_t words[4 + 4 * KNOTS];
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k, 1500, 6, types, generated ? 1 : 2, generated ? OPS_ROWS : OPS_RECORDS,
                   20, 0, 0);
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t code = QN_OP_BIN + (generated ? k / 2 : i % 3);
        uint32_t n = bin_table(code, i, generated ? KNOTS - i : 1 + 5 * i, words);
        ops_push_table(&batch, i, code, batch.lanes[i].work, words, n);
        add_slot(i, generated ? types[0] : QN_T_F64, QN_MATCH_VALUE);
    }
    lay_out_slots(OUT_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "bins %u", k);
    if (generated)
        run_and_compare_as(d, what, "device:generated", 0);
    else
        run_and_compare(d, what, "device:interpreter");
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void bins_give_the_oracles_bytes(void **state)
{
    (void)state;
    on_every_device(bins_program, 8, 1);
}

/* ---- splines ---- */

/* A table with b base knots between -2 and 2, some of them equal. */
static uint32_t spline_table(uint32_t k, uint32_t b, uint32_t mode, uint32_t column,
                             uint64_t *words)
{
    uint32_t n = (uint32_t)qn_spline_words(k, b, mode), at = 4, even = column % 2;
    words[0] = k;
    words[1] = b;
    words[2] = mode | QN_SPLINE_SAFE;
    words[3] = ops_word(even ? 2.0 : 0.0);
    for (uint32_t i = 0; i < b + 2 * k; i++) {
        uint32_t pair = i - i % 2;
        double step = even ? (double)i : (double)pair + 0.25 * column;
        words[at++] = ops_word((step - (double)k) * 0.5 - 2);
    }
    while (at < n) words[at] = ops_word(0.125 * at), at++;
    return n;
}

/* Columns of splines side by side; beyond the tenth, with an op before and one after. */
static void splines_program(struct ops_device *d, uint32_t k)
{
    enum { COLUMNS = 5 };
    static const uint32_t both[] = {QN_T_F64, QN_T_F32};
    const uint32_t degree = k % 4, mode = k % 5, b = k % 3 ? 7 : 30, type = both[k / 5 % 2];
    const uint32_t width = k % 2 ? b - 1 : b - 1 + (mode == QN_SPLINE_PERIODIC ? 0 : degree);
    uint64_t table[256];
    char what[64];
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k, 700, COLUMNS * width, &type, 1, k % 4 ? OPS_ROWS : OPS_COLUMNS, 20,
                   k % 7 == 3, 0);
    for (uint32_t i = 0; i < COLUMNS * width; i++) {
        const struct qn_lane *head = &batch.lanes[i - i % width];
        uint32_t column = i / width;
        uint32_t n = spline_table(degree, b, mode, column, table);
        batch.lanes[i].offset = head->offset;
        batch.lanes[i].data = head->data;
        if (k >= 10) ops_push(&batch, i, QN_OP_SUB, head->work, 0.25 * column, 0);
        ops_push_spline(&batch, i, head->work, table, n, i % width, i % width != 0);
        if (k >= 10) ops_push(&batch, i, QN_OP_MUL, head->work, 1.5 + i, 0);
        add_slot(i, k % 6 == 5 ? QN_T_F64 : type, QN_MATCH_VALUE);
    }
    lay_out_slots(k % 3 == 2 ? OUT_COLUMNS : k % 3 ? OUT_WIDE_ROWS : OUT_ROWS);
    ops_batch_upload(&batch, d->device);
    (void)snprintf(what, sizeof what, "splines %u", k);
    run_and_compare_as(d, what, k < 10 ? "device:splines" : NULL, k % 2);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void splines_give_the_oracles_bytes(void **state)
{
    (void)state;
    on_every_device(splines_program, 15, 1);
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

void sparse_rows_hold_what_the_dense_ones_do(void **state)
{
    (void)state;
    on_every_device(csr_program, 5, 1);
}
