/* SPDX-License-Identifier: Apache-2.0
 * Functions, bins, maps and splines in programs; every byte is compared with the oracle. */
#include "tests/conformance/ops_program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/spline.h"

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
