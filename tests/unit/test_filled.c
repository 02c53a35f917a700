/* SPDX-License-Identifier: Apache-2.0
 * Rows with stand-ins for missing cells: sums of products and predictions over them are those of a matrix
 * that is written out, wherever the cells lie. All numbers are whole, so that sums are exact in any order. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/threads.h"
#include "host/ops/requests.h"
#include "host/stats/stand_ins.h"

enum { MOST_ROWS = 70000, SIZE = sizeof(double) };

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 40;
}

/* A matrix as it is meant, which of its cells are missing, and the same as it lies. */
struct sample {
    uint32_t columns, rows;
    double *meant;          /* [rows][columns], moved, missing cells as they stand in */
    unsigned char *missing; /* … */
    char *memory;
    struct qn_filled_column *column;
    struct qn_stand_ins stand_ins;
    struct qn_filled filled;
};

enum layout { MATRIX_F32, MATRIX_F64, UNALIGNED, WIDE_ROWS, TURNED, TYPES, N_LAYOUTS };

static const struct {
    uint32_t type, bytes;
} types[] = {{QN_T_F64, 8}, {QN_T_F32, 4}, {QN_T_I8, 1},  {QN_T_I16, 2}, {QN_T_I32, 4},
             {QN_T_I64, 8}, {QN_T_U8, 1},  {QN_T_U16, 2}, {QN_T_U32, 4}};

static void put(char *at, uint32_t type, int value)
{
    const double f64 = value;
    const float f32 = (float)value;
    const int64_t whole = value; /* its first bytes are those of the smaller ones */
    memcpy(at,
           type == QN_T_F64   ? (const void *)&f64
           : type == QN_T_F32 ? (const void *)&f32
                              : (const void *)&whole,
           type == QN_T_F64   ? 8
           : type == QN_T_F32 ? 4
                              : (type == QN_T_I64                       ? 8
                                 : type == QN_T_I32 || type == QN_T_U32 ? 4
                                 : type == QN_T_I16 || type == QN_T_U16 ? 2
                                                                        : 1));
}

static void lay_out(struct sample *s, enum layout layout)
{
    size_t cells = (size_t)s->rows * s->columns;
    s->memory = calloc(cells + 64, 2 * SIZE);
    s->column = calloc(s->columns, sizeof *s->column);
    assert_non_null(s->memory);
    assert_non_null(s->column);
    for (uint32_t k = 0; k < s->columns; k++) {
        struct qn_filled_column *c = &s->column[k];
        uint32_t which = layout == TYPES ? k % 9 : layout == MATRIX_F32 || layout == UNALIGNED;
        size_t bytes = types[which].bytes, wide = layout == WIDE_ROWS ? 3 : 0;
        c->type = types[which].type;
        c->shift = (double)(k % 5) - 2;
        c->stride = (int64_t)((s->columns + wide) * bytes);
        c->data = s->memory + k * bytes + (layout == UNALIGNED ? 2 : 0);
        if (layout == TURNED || layout == TYPES) { /* columns, backwards in TURNED */
            c->stride = layout == TURNED ? -(int64_t)bytes : (int64_t)bytes;
            c->data = s->memory + (size_t)k * s->rows * SIZE +
                      (layout == TURNED ? (size_t)(s->rows - 1) * bytes : 0);
        }
    }
}

static void fill(struct sample *s, uint32_t missing_of_a_hundred, uint64_t seed)
{
    uint64_t *counts = calloc(s->columns, sizeof *counts);
    double *initial = calloc(s->columns, sizeof *initial);
    assert_non_null(counts);
    assert_non_null(initial);
    for (size_t i = 0; i < (size_t)s->rows * s->columns; i++) {
        uint32_t k = (uint32_t)(i % s->columns);
        struct qn_filled_column *c = &s->column[k];
        int value = (int)(next(&seed) % 100);
        s->missing[i] = k % 7 != 3 && next(&seed) % 100 < missing_of_a_hundred;
        if (k % 11 == 10) c->data = NULL, s->missing[i] = 0; /* a column without values */
        counts[k] += s->missing[i];
        initial[k] = k;
        s->meant[i] = c->data == NULL ? 0 : s->missing[i] ? k : value - c->shift;
        if (c->data == NULL) continue;
        put((char *)(uintptr_t)c->data + (int64_t)(i / s->columns) * c->stride, c->type, value);
    }
    assert_int_equal(qn_stand_ins_open(&s->stand_ins, s->rows, s->columns, counts), QUERN_OK);
    for (uint32_t row = 0; row < s->rows; row++) {
        qn_stand_ins_row(&s->stand_ins, row);
        for (uint32_t k = 0; k < s->columns; k++)
            if (s->missing[(size_t)row * s->columns + k])
                assert_true(qn_stand_ins_add(&s->stand_ins, row, k));
    }
    qn_stand_ins_row(&s->stand_ins, s->rows);
    assert_true(qn_stand_ins_end(&s->stand_ins, initial));
    s->filled = qn_stand_ins_over(&s->stand_ins, s->column);
    free(counts);
    free(initial);
}

static struct sample make(uint32_t rows, uint32_t columns, enum layout layout, uint32_t missing)
{
    struct sample s = {.rows = rows, .columns = columns};
    s.meant = malloc((size_t)rows * columns * SIZE);
    s.missing = malloc((size_t)rows * columns);
    assert_non_null(s.meant);
    assert_non_null(s.missing);
    lay_out(&s, layout);
    fill(&s, missing, rows + columns);
    return s;
}

static void drop(struct sample *s)
{
    qn_stand_ins_free(&s->stand_ins);
    free(s->meant);
    free(s->missing);
    free(s->memory);
    free(s->column);
}

/* Sums over the rows where `column` is missing, or, UINT32_MAX, over all. */
static void check_gram(const struct sample *s, struct qn_threads *threads, uint32_t column)
{
    uint32_t n = s->columns;
    double *got = malloc((size_t)n * n * SIZE), *sums = malloc(n * SIZE),
           *want = calloc((size_t)n * (n + 1), SIZE);
    struct qn_gram q = {
        .filled = &s->filled, .rows = {.n = s->rows}, .products = got, .sums = sums};
    assert_true(got != NULL && sums != NULL && want != NULL);
    if (column != UINT32_MAX) q.rows = qn_stand_ins_rows(&s->stand_ins, column);
    for (uint32_t row = 0; row < s->rows; row++) {
        const double *x = s->meant + (size_t)row * n;
        if (column != UINT32_MAX && !s->missing[(size_t)row * n + column]) continue;
        for (uint32_t k = 0; k < n; k++) {
            want[(size_t)n * n + k] += x[k];
            for (uint32_t l = 0; l < n; l++) want[(size_t)k * n + l] += x[k] * x[l];
        }
    }
    assert_int_equal(qn_cpu_gram(threads, &q), QUERN_OK);
    assert_memory_equal(sums, want + (size_t)n * n, n * SIZE);
    for (size_t i = 0; i < (size_t)n * n; i++) assert_true(got[i] == want[i]);
    free(got);
    free(sums);
    free(want);
}

/* Predictions of a column: into its missing cells, clipped, with what they change by. */
static void check_prediction(struct sample *s, struct qn_threads *threads, uint32_t target)
{
    uint32_t n = s->columns;
    double *coefficients = malloc(n * SIZE), *changes = calloc(s->rows, SIZE),
           *products = malloc(n * SIZE), *want = calloc(n, SIZE), sum, want_sum = 0;
    assert_true(coefficients && changes && products && want);
    for (uint32_t k = 0; k < n; k++) coefficients[k] = k == target ? 0 : (double)(k % 3) - 1;
    struct qn_prediction q = {.filled = &s->filled,
                              .rows = qn_stand_ins_rows(&s->stand_ins, target),
                              .target = target,
                              .coefficients = coefficients,
                              .intercept = 5,
                              .least = -60,
                              .most = 90,
                              .changes = changes,
                              .products = products,
                              .sum = &sum};
    assert_int_equal(qn_cpu_predict(threads, &q), QUERN_OK);
    for (uint32_t row = 0; row < s->rows; row++) {
        double *x = s->meant + (size_t)row * n, now = 5, old = x[target];
        if (!s->missing[(size_t)row * n + target]) {
            assert_true(changes[row] == 0);
            continue;
        }
        for (uint32_t k = 0; k < n; k++) now += coefficients[k] * x[k];
        now = now < -60 ? -60 : now > 90 ? 90 : now;
        x[target] = now;
        assert_true(changes[row] == fabs(now - old));
        for (uint32_t k = 0; k < n; k++) want[k] += now * x[k];
        want_sum += now;
    }
    assert_true(sum == want_sum);
    for (uint32_t k = 0; k < n; k++) assert_true(products[k] == want[k]);
    free(coefficients);
    free(changes);
    free(products);
    free(want);
}

static void sums_and_predictions_are_those_of_the_matrix(void **state)
{
    static const uint32_t shapes[][3] = {/* rows, columns, missing of a hundred */
                                         {1, 2, 100}, {7, 3, 50},     {70, 9, 20},
                                         {513, 8, 2}, {9001, 17, 60}, {66000, 5, 97}};
    enum layout layout = *(const enum layout *)*state;
    for (uint32_t several = 0; several < 2; several++) {
        struct qn_threads *threads;
        assert_int_equal(qn_threads_open(several ? 3 : 1, &threads), QUERN_OK);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            struct sample s = make(shapes[i][0], shapes[i][1], layout, shapes[i][2]);
            check_gram(&s, threads, UINT32_MAX);
            for (uint32_t k = 0; k < s.columns; k++) {
                if (s.stand_ins.missing[k] == 0) continue;
                check_gram(&s, threads, k);
                check_prediction(&s, threads, k);
                check_gram(&s, threads, k); /* of what stands in now */
            }
            drop(&s);
        }
        qn_threads_close(threads);
    }
}

/* Numbers of columns then take two bytes. */
static void there_may_be_more_than_256_columns(void **state)
{
    struct sample s = make(300, 600, MATRIX_F64, 5);
    (void)state;
    assert_non_null(s.stand_ins.high);
    check_gram(&s, NULL, UINT32_MAX);
    for (uint32_t k = 255; k < 259; k++) check_gram(&s, NULL, k);
    check_prediction(&s, NULL, 599);
    drop(&s);
}

static void what_was_not_said_to_be_missing_is_noticed(void **state)
{
    static const uint64_t missing[2] = {1, 2};
    static const double initial[2] = {0, 0};
    struct qn_stand_ins s;
    (void)state;
    assert_int_equal(qn_stand_ins_open(&s, 3, 2, missing), QUERN_OK);
    qn_stand_ins_row(&s, 0);
    assert_true(qn_stand_ins_add(&s, 0, 0));
    assert_true(qn_stand_ins_add(&s, 0, 1));
    qn_stand_ins_row(&s, 1);
    assert_false(qn_stand_ins_add(&s, 1, 0)); /* one more than was said */
    qn_stand_ins_row(&s, 2);
    qn_stand_ins_row(&s, 3);
    assert_false(qn_stand_ins_end(&s, initial)); /* one less */
    qn_stand_ins_free(&s);
    assert_int_equal(qn_stand_ins_open(&s, (uint64_t)UINT32_MAX + 1, 1, missing),
                     QUERN_UNSUPPORTED);
    assert_int_equal(qn_stand_ins_open(&s, 1, 65537, missing), QUERN_UNSUPPORTED);
}

int main(void)
{
    static enum layout layouts[N_LAYOUTS] = {MATRIX_F32, MATRIX_F64, UNALIGNED,
                                             WIDE_ROWS,  TURNED,     TYPES};
#define LAYOUT(name, at)                                                                           \
    {                                                                                              \
        "sums_and_predictions_are_those_of_the_matrix: " name,                                     \
            sums_and_predictions_are_those_of_the_matrix, NULL, NULL, &layouts[at]                 \
    }
    const struct CMUnitTest tests[] = {
        LAYOUT("float rows", 0),
        LAYOUT("double rows", 1),
        LAYOUT("unaligned rows", 2),
        LAYOUT("rows of a wider matrix", 3),
        LAYOUT("columns backwards", 4),
        LAYOUT("columns of all types", 5),
        cmocka_unit_test(there_may_be_more_than_256_columns),
        cmocka_unit_test(what_was_not_said_to_be_missing_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
