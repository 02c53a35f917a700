/* SPDX-License-Identifier: Apache-2.0
 * The tile evaluator against the scalar reference: every stored type into every working type, every
 * op on every working type, validity, strides, odd lengths, on every instruction set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/chain.h"
#include "kernels/spline.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"

enum { ROWS = 1500, VALUES = 40 };

static uint64_t word(double v)
{
    uint64_t w;
    memcpy(&w, &v, sizeof w);
    return w;
}

static double special(uint64_t i, uint64_t *state)
{
    static const double list[] = {0.0,    -0.0,     1.0,      -1.0,     2.5,      -7.75,
                                  100.0,  0x1p-149, 1e-310,   3.4e38,   -3.4e38,  1e300,
                                  -1e300, 0x1p63,   -0x1p63,  0x1p53,   16777217, 0x1.fp-127,
                                  1e10,   NAN,      INFINITY, -INFINITY};
    uint64_t n = sizeof list / sizeof *list;
    return i % 3 == 0 ? list[ref_random(state) % n] : 10.0 * ref_normal(state);
}

/* A stored column of random bytes (integers) or of special numbers (floats). */
static void fill(char *memory, uint32_t type, uint32_t stride, uint64_t seed)
{
    uint64_t state = seed * 977 + 4242424243u;
    for (uint64_t i = 0; i < ROWS; i++) {
        uint64_t bits = ref_random(&state);
        double v = special(i, &state);
        float f = (float)v;
        char *p = memory + i * stride;
        if (i % 4 == 1) bits = bits >> 58; /* small numbers too */
        if (type == QN_T_F32)
            memcpy(p, &f, 4);
        else if (type == QN_T_F64)
            memcpy(p, &v, 8);
        else if (type == QN_T_BOOL)
            *p = (char)(bits & 1);
        else
            memcpy(p, &bits,
                   type == QN_T_I8 || type == QN_T_U8     ? 1
                   : type == QN_T_I16 || type == QN_T_U16 ? 2
                   : type == QN_T_I32 || type == QN_T_U32 ? 4
                                                          : 8);
    }
}

static int same(const union qn_tile *tile, uint32_t work, uint32_t i, struct ref_value want)
{
    if (want.work != work) return 0;
    switch (work) {
    case QN_W_F32: return ref_same_bits((double)tile->f32[i], (double)want.f32);
    case QN_W_F64: return ref_same_bits(tile->f64[i], want.f64);
    case QN_W_I64: return tile->i64[i] == want.i64;
    default: return tile->code[i] == want.code;
    }
}

/* The lane's rows in tiles of awkward lengths. */
static void check_lane(const struct qn_batch *batch, const struct qn_lane *lane, const char *what)
{
    static union qn_tile tile;
    static const uint32_t lengths[] = {1, 7, 64, 1, 1024, 33, 0};
    uint64_t row = 0;
    for (uint32_t k = 0; row < batch->rows; k++) {
        uint32_t n = lengths[k % 7], seen = 0, want_seen = 0, work;
        if (row + n > batch->rows) n = (uint32_t)(batch->rows - row);
        work = qn_chain_eval(batch, lane, row, n, &tile, &seen);
        assert_int_equal(work, qn_chain_final_work(batch, lane));
        for (uint32_t i = 0; i < n; i++) {
            struct ref_value want = ref_eval(batch, lane, row + i, &want_seen);
            if (!same(&tile, work, i, want))
                fail_msg("%s, %s: row %llu: %a instead of %a", qn_cpu_isa(), what,
                         (unsigned long long)(row + i),
                         work == QN_W_F32 ? (double)tile.f32[i] : tile.f64[i], ref_double(want));
        }
        if (seen != want_seen)
            fail_msg("%s, %s: saw %u instead of %u", qn_cpu_isa(), what, seen, want_seen);
        row += n;
    }
}

static void every_type_loads_as_every_working_type(void **unused)
{
    static char memory[ROWS * 24 + 64];
    uint8_t validity[ROWS / 8 + 8];
    uint64_t state = 99;
    (void)unused;
    for (size_t i = 0; i < sizeof validity; i++)
        validity[i] = i % 3 == 0 ? 0xff : (uint8_t)(ref_random(&state) >> 40);
    for (uint32_t type = QN_T_BOOL; type <= QN_T_F64; type++) {
        static const uint32_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
        for (uint32_t work = QN_W_F32; work <= QN_W_CODE; work++) {
            for (uint32_t layout = 0; layout < 4; layout++) {
                char what[96];
                uint32_t stride = layout == 0 ? sizes[type] : layout == 1 ? sizes[type] * 3 : 21;
                char *data = memory + (layout == 3 ? 1 : 0); /* 21 bytes: aligned nowhere */
                struct qn_lane lane = {.data = data, .stride = stride, .type = type, .work = work};
                struct qn_batch batch = {.rows = ROWS, .lanes = &lane, .n_lanes = 1};
                if (work == QN_W_CODE && type != QN_T_U8 && type != QN_T_U16 && type != QN_T_U32)
                    continue;
                fill(data, type, stride, type * 31 + work);
                (void)snprintf(what, sizeof what, "type %u as work %u, stride %u", type, work,
                               stride);
                check_lane(&batch, &lane, what);
                lane.validity = validity;
                lane.validity_offset = layout * 5;
                check_lane(&batch, &lane, what);
                if (layout == 1) { /* rows backwards */
                    lane.validity = NULL;
                    lane.data = data + (ROWS - 1) * stride;
                    lane.stride = -(int64_t)stride;
                    check_lane(&batch, &lane, what);
                }
            }
        }
    }
}

/* Knots at places that the data meets, two of them equal. */
static void interp_table(uint64_t *words, uint32_t n)
{
    uint32_t k = (n - 4) / 4;
    words[0] = word(-9);
    words[1] = word(11);
    words[2] = word(0.25);
    words[3] = word(7.5);
    for (uint32_t i = 0; i < k; i++) {
        words[4 + i] = word(-7.75 + 3.25 * (i > 1 ? i - 1 : i));
        words[4 + k + i] = word(0.1 * i * i);
        words[4 + 2 * k + i] = word(i + 1 < k ? 0.3 / (i + 1) : 0);
        words[4 + 3 * k + i] = word(0.7 * i);
    }
}

/* Four base knots of a degree, with numbers for what is outside of them. */
static void spline_table(uint64_t *table, uint32_t degree, uint64_t *count)
{
    static const uint32_t modes[] = {QN_SPLINE_LINEAR, QN_SPLINE_CONSTANT, QN_SPLINE_PERIODIC,
                                     QN_SPLINE_LINEAR};
    *count = qn_spline_words(degree, 4, modes[degree]);
    for (uint64_t i = 0; i < *count; i++) table[i] = word(-7.75 + 2.25 * (double)i);
    table[0] = degree;
    table[1] = 4;
    table[2] = modes[degree] | QN_SPLINE_SAFE;
    table[3] = word(0);
}

/* Every op on every working type it can act on, with parameters that meet the data. */
static void every_op_equals_the_reference(void **unused)
{
    static char memory[ROWS * 8 + 64];
    uint64_t words[64] = {0};
    (void)unused;
    for (uint32_t work = QN_W_F32; work <= QN_W_CODE; work++) {
        static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I64, QN_T_U8};
        uint32_t type = types[work], stride = type == QN_T_F32 ? 4 : type == QN_T_U8 ? 1 : 8;
        fill(memory, type, stride, work + 7);
        for (uint32_t code = QN_OP_FILL; code <= QN_OP_LAST; code++) {
            if (code == QN_OP_NORM || (code >= QN_OP_EXP && code <= QN_OP_LOOK && work > QN_W_F64))
                continue;
            if (code == QN_OP_FIND && work == QN_W_CODE) continue;
            if (QN_OP_IS_BIN(code) && work > QN_W_F64) continue;
            if ((code == QN_OP_REMAP || code == QN_OP_VALUE) && work != QN_W_CODE) continue;
            for (uint32_t variant = 0; variant < 4; variant++) {
                static const double p0[] = {1.0, -0.5, 0.0, 2.5}, p1[] = {1.0, 2.75, 0.0, 100.0};
                char what[96];
                struct qn_op op = {code, work, 2, 0};
                struct qn_lane lane = {
                    .data = memory, .stride = stride, .type = type, .work = work, .n_ops = 1};
                struct qn_batch batch = {ROWS, ROWS,  &lane, 1, 1,   64,
                                         &op,  words, NULL,  0, {0}, NULL};
                batch.first_row = 0;
                if (work == QN_W_F32 || work == QN_W_F64) {
                    words[2] = word(p0[variant]);
                    words[3] = word(p1[variant]);
                } else {
                    words[2] = variant == 3 ? (uint64_t)-1 : variant;
                    words[3] = variant * 20;
                }
                if (code >= QN_OP_FIND) {
                    uint32_t k = variant * 5 + (code == QN_OP_FIND || code == QN_OP_BIN ? 0 : 1);
                    if (code > QN_OP_BIN) k = 8 + 12 * variant;
                    words[2] = 10;
                    words[3] = k;
                    for (uint32_t i = 0; i < k; i++)
                        words[10 + i] = code == QN_OP_REMAP ? 1000u - i
                                        : work == QN_W_I64  ? i * 3u
                                                            : word(-7.75 + 2.5 * i * (i % 2 + 1));
                    if (code == QN_OP_BIN) /* some equal */
                        for (uint32_t i = 0; i < k; i++) {
                            uint32_t step = i / 2;
                            words[10 + i] = word(-7.75 + 3.25 * step);
                        }
                    if (code == QN_OP_SPLINE)
                        spline_table(words + 10, variant, &words[3]);
                    else if (code > QN_OP_BIN)
                        interp_table(words + 10, k);
                    words[4] = code == QN_OP_SPLINE ? variant / 2 : 0;
                    if (code == QN_OP_FIND &&
                        work != QN_W_I64) /* sorted, with values to be found */
                        for (uint32_t i = 0; i < k; i++) words[10 + i] = word(-7.75 + 3.25 * i);
                }
                (void)snprintf(what, sizeof what, "op %u on work %u, variant %u", code, work,
                               variant);
                check_lane(&batch, &lane, what);
            }
        }
    }
}

static void a_long_chain_equals_the_reference(void **unused)
{
    static char memory[ROWS * 4];
    static const double numbers[] = {4.5, 0, 0.3, 0, 3.7, 0, -2.0, 2.0, 0.1};
    uint64_t words[32];
    struct qn_op ops[] = {{QN_OP_FILL, QN_W_F32, 0, 0},    {QN_OP_SUB, QN_W_F32, 2, 0},
                          {QN_OP_DIV, QN_W_F32, 4, 0},     {QN_OP_CLIP, QN_W_F32, 6, 0},
                          {QN_OP_TO_F64, QN_W_F32, 0, 0},  {QN_OP_MUL, QN_W_F64, 8, 0},
                          {QN_OP_TO_I64, QN_W_F64, 0, 0},  {QN_OP_FIND, QN_W_I64, 10, 0},
                          {QN_OP_REMAP, QN_W_CODE, 12, 0}, {QN_OP_VALUE, QN_W_CODE, 14, 0},
                          {QN_OP_TO_F32, QN_W_F64, 0, 0}};
    struct qn_lane lane = {.data = memory, .stride = 4, .type = QN_T_F32, .work = QN_W_F32};
    struct qn_batch batch = {0, ROWS, &lane, 1, 11, 32, ops, words, NULL, 0, {0}, NULL};
    (void)unused;
    for (int i = 0; i < 32; i++) words[i] = i < 9 ? word(numbers[i]) : 0;
    words[10] = 16, words[11] = 2, words[12] = 18, words[13] = 4, words[14] = 24, words[15] = 3;
    words[16] = 0, words[17] = 1;
    words[18] = 2, words[19] = 1, words[20] = 0, words[21] = 1;
    for (int i = 0; i < 3; i++) words[24 + i] = word(0.1 + i);
    fill(memory, QN_T_F32, 4, 5);
    for (lane.n_ops = 0; lane.n_ops <= 11; lane.n_ops++) check_lane(&batch, &lane, "long chain");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_loads_as_every_working_type),
        cmocka_unit_test(every_op_equals_the_reference),
        cmocka_unit_test(a_long_chain_equals_the_reference),
    };
    return RUN_PER_ISA(tests);
}
