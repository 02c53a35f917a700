/* SPDX-License-Identifier: Apache-2.0
 * A search that begins at a start table (backends/cpu/starts.h) ends where one without it does. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/starts.h"
#include "kernels/bins.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"

enum { MOST = 1500, ENOUGH_ROWS = 1 << 20 };

enum shape { EVEN, NORMAL, LONG_TAILS, TIES, ALL_EQUAL, WHOLE_RANGE, ONE_LUMP, SHAPES };

static double unit(uint64_t *state)
{
    return ((double)(ref_random(state) >> 11) + 0.5) * 0x1p-53;
}

static double drawn(enum shape shape, uint64_t *state)
{
    double sum = 0, u = unit(state);
    switch (shape) {
    case EVEN: return 20 * u - 3;
    case LONG_TAILS: return tan(3.14159 * (u - 0.5));
    case TIES: return floor(40 * u);
    case ALL_EQUAL: return 2.5;
    case WHOLE_RANGE: return (u - 0.5) * ldexp(1, (int)(250 * unit(state)) - 125);
    case ONE_LUMP: return u < 0.01 ? 1e30 * u : 1 + 1e-6 * u;
    default:
        for (int i = 0; i < 12; i++) sum += unit(state);
        return sum - 6;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One lane, one op, and the table behind the op's two words. */
struct program {
    struct qn_lane lane;
    struct qn_op op;
    uint64_t words[2 + QN_INTERP_HEAD + 4 * MOST];
    struct qn_batch batch;
};

static void put(struct program *p, uint32_t at, double value)
{
    memcpy(&p->words[2 + at], &value, sizeof value);
}

static void make(struct program *p, uint32_t code, uint32_t work, const double *numbers, uint32_t k,
                 int even)
{
    uint32_t head = code == QN_OP_BIN ? 0 : QN_INTERP_HEAD;
    p->lane = (struct qn_lane){.work = work, .n_ops = 1, .stride = 8};
    p->op = (struct qn_op){.code = code, .work = work};
    p->words[0] = 2;
    p->words[1] = code == QN_OP_BIN ? k : head + 4 * k;
    p->batch = (struct qn_batch){.rows = ENOUGH_ROWS,
                                 .lanes = &p->lane,
                                 .n_lanes = 1,
                                 .n_ops = 1,
                                 .ops = &p->op,
                                 .words = p->words,
                                 .n_words = (uint32_t)(2 + p->words[1])};
    for (uint32_t i = 0; i < k; i++) put(p, head + i, numbers[i]);
    if (code == QN_OP_BIN) return;
    double step = 1.0 / (k > 1 ? k - 1 : 1), last = even ? 1.0 : 2.0;
    put(p, 0, numbers[0]);
    put(p, 1, numbers[k - 1]);
    put(p, 2, 0);
    put(p, 3, last);
    for (uint32_t i = 0; i < k; i++) {
        double y = i + 1 == k ? last : even ? i * step : sqrt(i * step);
        double next = i + 2 >= k ? last : even ? (i + 1) * step : sqrt((i + 1) * step);
        put(p, head + k + i, y);
        put(p, head + 2 * k + i, i + 1 < k ? (next - y) / (numbers[i + 1] - numbers[i]) : 0);
        put(p, head + 3 * k + i, y + 0.25 * step);
    }
}

static double argument(const double *numbers, uint32_t k, enum shape shape, uint64_t *state)
{
    static const double places[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, DBL_MAX, -1e-320, 1e300};
    uint64_t kind = ref_random(state) % 8;
    double knot = numbers[ref_random(state) % k];
    if (kind == 0) return places[ref_random(state) % (sizeof places / sizeof *places)];
    if (kind == 1) return knot;
    if (kind == 2) return nextafter(knot, ref_random(state) % 2 ? (double)INFINITY : -1e308);
    return drawn(shape, state);
}

static void compare(const struct program *p, const double *numbers, uint32_t k, enum shape shape,
                    struct qn_starts *starts, uint64_t *state)
{
    static union qn_tile with, without;
    struct qn_batch batch = p->batch;
    uint32_t work = p->lane.work, n = QN_TILE_ROWS - (uint32_t)(ref_random(state) % 40);
    for (uint32_t i = 0; i < n; i++) {
        double x = argument(numbers, k, shape, state);
        if (work == QN_W_F32)
            with.f32[i] = (float)x;
        else
            with.f64[i] = x;
    }
    without = with;
    uint32_t after = qn_chain_apply(&batch, 0, 1, work, n, &without, NULL);
    batch.starts = starts;
    assert_int_equal(qn_chain_apply(&batch, 0, 1, work, n, &with, NULL), after);
    for (uint32_t i = 0; i < n; i++) {
        if (after == QN_W_CODE)
            assert_int_equal(with.code[i], without.code[i]);
        else if (after == QN_W_F32)
            assert_true(ref_same_bits((double)with.f32[i], (double)without.f32[i]));
        else
            assert_true(ref_same_bits(with.f64[i], without.f64[i]));
    }
}

static void a_start_table_leads_to_the_same_place(void **context)
{
    static const uint32_t counts[] = {25, 64, 100, 999, 1000, 1500};
    static const uint32_t codes[] = {QN_OP_BIN, QN_OP_INTERP, QN_OP_INTERP_MEAN};
    static struct program p;
    static double numbers[MOST];
    uint64_t state = 12;
    uint32_t found = 0;
    (void)context;
    for (int shape = 0; shape < SHAPES; shape++)
        for (uint32_t c = 0; c < 6 * 3 * 2 * 2; c++) {
            uint32_t k = counts[c % 6], code = codes[c / 6 % 3];
            uint32_t work = c / 18 % 2 ? QN_W_F64 : QN_W_F32;
            for (uint32_t i = 0; i < k; i++) {
                numbers[i] = drawn((enum shape)shape, &state);
                if (work == QN_W_F32 && c / 36) numbers[i] = (double)(float)numbers[i];
            }
            qsort(numbers, k, sizeof *numbers, by_size);
            make(&p, code, work, numbers, k, (int)(c / 36));
            struct qn_starts *starts;
            assert_int_equal(qn_starts_open(&p.batch, &starts), QUERN_OK);
            assert_non_null(starts);
            found += starts->first != NULL;
            for (int round = 0; round < 4; round++)
                compare(&p, numbers, k, (enum shape)shape, starts, &state);
            qn_starts_close(starts, 1);
        }
    assert_true(found > 4 * 6 * 3 * 2 * 2 / 2); /* most of four shapes have one */
}

static void tables_that_are_not_sorted_are_searched_as_they_are(void **context)
{
    static struct program p;
    double numbers[64];
    struct qn_starts *starts;
    (void)context;
    for (int wrong = 0; wrong < 3; wrong++) {
        for (int i = 0; i < 64; i++) numbers[i] = i;
        numbers[40] = wrong == 0 ? 3 : wrong == 1 ? (double)NAN : (double)INFINITY;
        make(&p, QN_OP_BIN, QN_W_F64, numbers, 64, 0);
        assert_int_equal(qn_starts_open(&p.batch, &starts), QUERN_OK);
        assert_null(starts->first);
        qn_starts_close(starts, 1);
    }
}

static void few_rows_or_edges_have_none(void **context)
{
    static struct program p;
    double numbers[24];
    struct qn_starts *starts;
    (void)context;
    for (int i = 0; i < 24; i++) numbers[i] = i;
    make(&p, QN_OP_BIN, QN_W_F64, numbers, 24, 0);
    assert_int_equal(qn_starts_open(&p.batch, &starts), QUERN_OK);
    assert_null(starts->first);
    qn_starts_close(starts, 1);
    p.batch.rows = 100;
    assert_int_equal(qn_starts_open(&p.batch, &starts), QUERN_OK);
    assert_null(starts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_table_leads_to_the_same_place),
        cmocka_unit_test(tables_that_are_not_sorted_are_searched_as_they_are),
        cmocka_unit_test(few_rows_or_edges_have_none)};
    return RUN_PER_ISA(tests);
}
