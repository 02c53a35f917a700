/* SPDX-License-Identifier: Apache-2.0
 * Programs: chains of all kinds, over one column or several, norms, one chain for all columns; every byte is compared
 * with the oracle. */
#include "tests/conformance/ops_program.h"

#include <stdio.h>
#include <string.h>

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
