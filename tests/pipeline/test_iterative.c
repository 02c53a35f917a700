/* SPDX-License-Identifier: Apache-2.0
 * IterativeImputer end to end: columns that follow from the others are restored; devices, threads,
 * instruction sets, batches and single rows agree; broken models are refused. And the eigenvectors that its
 * regressions are made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/stats/symmetric.h"
#include "tests/pipeline/runs.h"

enum { ROWS = 6000, COLUMNS = 5 }; /* more than one run of QN_GRAM_ROWS */
static const char plain_spec[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                 "[\"IterativeImputer\"]}]}";
static const char scaled_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\", "
    "{\"IterativeImputer\": {\"max_iter\": 3, \"add_indicator\": true, \"initial_strategy\": "
    "\"median\", "
    "\"imputation_order\": \"descending\", \"max_value\": 2}}, \"MinMaxScaler\"]}]}";

/* ---- eigenvectors ---- */

static void check_eigen(uint32_t n, const double *given)
{
    static double a[70 * 70], values[70], z[70 * 70];
    double largest = 0;
    memcpy(a, given, sizeof(double) * n * n);
    OK(qn_symmetric_eigen(n, a, values, z));
    for (uint32_t i = 0; i < n; i++) largest = fmax(largest, fabs(values[i]));
    for (uint32_t r = 0; r < n; r++)
        for (uint32_t c = 0; c < n; c++) {
            double sum = 0, dot = 0;
            for (uint32_t i = 0; i < n; i++) {
                sum += z[i * n + r] * values[i] * z[i * n + c];
                dot += z[r * n + i] * z[c * n + i];
            }
            assert_true(fabs(sum - given[r * n + c]) <= 1e-14 * n * largest);
            assert_true(fabs(dot - (r == c)) <= 1e-14 * n);
        }
}

static void a_symmetric_matrix_is_its_eigenvectors_and_values(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 20; n++) {
        double a[20 * 20] = {0}, *x = fixture_f64(20, 20, 0, n);
        for (uint32_t rank = 0; rank <= n; rank += n > 4 ? 4 : 1) { /* products of `rank` columns */
            for (uint32_t r = 0; r < n; r++)
                for (uint32_t c = 0; c < n; c++) {
                    a[r * n + c] = 0;
                    for (uint32_t k = 0; k < rank; k++)
                        a[r * n + c] += x[r * 20 + k] * x[c * 20 + k];
                }
            check_eigen(n, a);
        }
        for (uint32_t i = 0; i < n * n; i++)
            a[i] = i % (n + 1) == 0 ? (double)i : 0; /* a diagonal */
        check_eigen(n, a);
        free(x);
    }
}

/* Products of 70 columns over 16 rows: all but 16 eigenvalues are rounding errors. */
static void more_columns_than_rows_have_eigenvectors_too(void **state)
{
    static double a[70 * 70];
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        double *x = fixture_f64(16, 70, 0, seed);
        for (uint32_t r = 0; r < 70; r++)
            for (uint32_t c = 0; c < 70; c++) {
                a[r * 70 + c] = 0;
                for (uint32_t k = 0; k < 16; k++) a[r * 70 + c] += x[k * 70 + r] * x[k * 70 + c];
            }
        check_eigen(70, a);
        free(x);
    }
}

/* ---- the imputer ---- */

/* Columns 2 and 3 follow from 0 and 1, column 4 does not; a tenth is missing, row 7 altogether. */
static double *sample(double *whole)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 11), *holes = fixture_f64(ROWS, COLUMNS, 100, 12);
    for (int i = 0; i < ROWS; i++) {
        double *row = x + (size_t)i * COLUMNS;
        row[2] = 3 * row[0] - row[1] + 1000;
        row[3] = row[0] + 0.5 * row[1] - 7;
    }
    memcpy(whole, x, sizeof(double) * ROWS * COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        if (isnan(holes[i]) || i / COLUMNS == 7) x[i] = (double)NAN;
    free(holes);
    return x;
}

static void columns_that_follow_from_others_are_restored(void **state)
{
    quern_context *cx = runs_context("cpu", 2);
    double *whole = malloc(sizeof(double) * ROWS * COLUMNS), *x;
    quern_table *table;
    quern_matrix out = {0};
    int restored = 0;
    (void)state;
    assert_non_null(whole);
    x = sample(whole);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, plain_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, COLUMNS);
    for (int i = 0; i < ROWS; i++) {
        const double *got = (const double *)((const char *)out.data + i * out.row_stride);
        const double *row = &x[i * COLUMNS], *is = &whole[i * COLUMNS];
        for (int c = 0; c < COLUMNS; c++) {
            assert_true(got[c] == got[c]); /* not missing */
            if (!isnan(row[c])) assert_true(got[c] == row[c]);
        }
        if (isnan(row[0]) || isnan(row[1]) || !isnan(row[2]) || isnan(row[3])) continue;
        assert_true(fabs(got[2] - is[2]) < 1e-3); /* a ridge: not quite */
        restored++;
    }
    assert_true(restored > 100);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(whole);
    free(x);
}

static double *sample_alone(void)
{
    double *whole = malloc(sizeof(double) * ROWS * COLUMNS);
    assert_non_null(whole);
    double *x = sample(whole);
    free(whole);
    return x;
}

static struct runs make(void)
{
    return (struct runs){scaled_spec, sample_alone(), ROWS, COLUMNS};
}

static struct runs make_plain(void)
{
    return (struct runs){plain_spec, sample_alone(), ROWS, COLUMNS};
}

static void drop(struct runs *r)
{
    free((void *)(uintptr_t)r->x);
}

static void devices_and_threads_agree(void **state)
{
    runs_devices_agree((size_t)*state, make, drop);
    runs_devices_agree((size_t)*state, make_plain, drop);
}

static void instruction_sets_agree(void **state)
{
    struct runs r = make();
    (void)state;
    runs_instruction_sets_agree(&r);
    drop(&r);
}

/* ---- where the cells lie ---- */

enum place { MATRIX, WIDER_MATRIX, COLUMNS_OF_IT, BITMAPS, BEHIND_A_STEP, MARKED, PUSHED, PLACES };
static const double MARKER = -999;

/* One value of a matrix, and what its memory is. */
struct cells {
    quern_type type;
    size_t bytes;
    char *memory;
    uint8_t *valid; /* [column][ROWS / 8 + 1] */
    int64_t row, column;
    quern_table *table;
};

static void put(const struct cells *c, int i, double value)
{
    char *at = c->memory + i / COLUMNS * c->row + i % COLUMNS * c->column;
    float f32 = (float)value;
    memcpy(at, c->bytes == 4 ? (const void *)&f32 : (const void *)&value, c->bytes);
}

static struct cells lay_out(const double *x, quern_type type, enum place place)
{
    struct cells c = {.type = type, .bytes = type == QUERN_FLOAT32 ? 4 : 8};
    int apart = place == COLUMNS_OF_IT || place == BITMAPS;
    c.memory = calloc((size_t)ROWS * (COLUMNS + 2), c.bytes);
    c.valid = calloc(COLUMNS, ROWS / 8 + 1);
    assert_non_null(c.memory);
    assert_non_null(c.valid);
    c.row = (int64_t)c.bytes * (apart ? 1 : place == WIDER_MATRIX ? COLUMNS + 2 : COLUMNS);
    c.column = (int64_t)c.bytes * (apart ? ROWS : 1);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        double missing = place == MARKED ? MARKER : place == BITMAPS ? 12345 : (double)NAN;
        put(&c, i, isnan(x[i]) ? missing : x[i]);
        if (!isnan(x[i]))
            c.valid[i % COLUMNS * (ROWS / 8 + 1) + i / COLUMNS / 8] |=
                (uint8_t)(1u << i / COLUMNS % 8);
    }
    if (!apart) {
        OK(quern_table_from_matrix(c.memory, type, ROWS, COLUMNS, c.row, NULL, &c.table));
        return c;
    }
    quern_column columns[COLUMNS] = {{0}};
    for (int k = 0; k < COLUMNS; k++) {
        columns[k].type = type;
        columns[k].data = c.memory + k * c.column;
        if (place == BITMAPS) columns[k].validity = c.valid + k * (ROWS / 8 + 1);
    }
    OK(quern_table_create(columns, COLUMNS, ROWS, &c.table));
    return c;
}

static quern_model *fit_there(quern_context *cx, const struct cells *c, enum place place)
{
    static const char *const specs[] = {"\"IterativeImputer\"",
                                        "{\"Clipper\": {\"lower\": -1e9}}, \"IterativeImputer\"",
                                        "{\"IterativeImputer\": {\"missing_values\": -999}}"};
    char spec[256];
    quern_pipeline *pipeline;
    quern_model *model;
    quern_fit *fit;
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [%s]}]}",
                   specs[place == BEHIND_A_STEP ? 1
                         : place == MARKED      ? 2
                                                : 0]);
    pipeline = fixture_pipeline(spec);
    if (place != PUSHED) {
        OK(quern_pipeline_fit(cx, pipeline, c->table, &model));
    } else {
        OK(quern_fit_begin(cx, pipeline, &fit));
        OK(quern_fit_push(fit, c->table));
        OK(quern_fit_finish(fit, &model));
    }
    quern_pipeline_free(pipeline);
    return model;
}

/* A table in the caller's memory is read there, what a step made of it is kept: nobody can tell. */
static void where_the_cells_lie_cannot_be_seen(void **state)
{
    quern_type type = *(const quern_type *)*state;
    double *x = sample_alone();
    for (int i = 0; i < ROWS * COLUMNS && type == QUERN_FLOAT32; i++) x[i] = (double)(float)x[i];
    quern_context *cx = runs_context("cpu", 3);
    quern_matrix want = {0};
    for (enum place place = MATRIX; place < PLACES; place++) {
        struct cells c = lay_out(x, type, place);
        quern_model *model = fit_there(cx, &c, place);
        quern_matrix got = {0};
        OK(quern_model_transform(cx, model, c.table, &got, NULL));
        for (uint64_t i = 0; i < ROWS && place != MATRIX; i++)
            assert_memory_equal((const char *)got.data + (int64_t)i * got.row_stride,
                                (const char *)want.data + (int64_t)i * want.row_stride,
                                COLUMNS * c.bytes);
        if (place == MATRIX)
            want = got;
        else
            quern_matrix_free(&got);
        quern_model_free(model);
        quern_table_free(c.table);
        free(c.memory);
        free(c.valid);
    }
    quern_matrix_free(&want);
    OK(quern_context_close(cx));
    free(x);
}

/* ---- */

static void single_rows_are_served_as_in_batches(void **state)
{
    struct runs r = make();
    (void)state;
    runs_rows_alone_agree(&r, 200);
    drop(&r);
}

static void a_sequence_that_names_no_column_is_refused(void **state)
{
    struct runs given = make();
    struct runs_result r = runs_once(&given, "cpu", 2);
    quern_model *other;
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_model_to_bytes(r.model, &bytes, &size));
    /* the first number of the first regression is its target; it is what follows the tensor's begin */
    char *entry = strstr((char *)bytes + 8, "/sequence_\"");
    assert_non_null(entry);
    char *offsets = strstr(entry, "data_offsets\":[");
    assert_non_null(offsets);
    uint64_t header = 0;
    memcpy(&header, bytes, sizeof header);
    double wrong = 77;
    memcpy((char *)bytes + 8 + header + strtoull(offsets + 15, NULL, 10), &wrong, sizeof wrong);
    assert_int_equal(quern_model_from_bytes("broken", bytes, size, &other), QUERN_CORRUPT);
    assert_non_null(strstr(quern_last_error(), "names a column that is not there"));
    quern_free(bytes);
    runs_drop(&r);
    drop(&given);
}

struct patience {
    int asked, most; /* stops when it was asked more often */
};

static int stop(void *user)
{
    struct patience *p = user;
    return ++p->asked > p->most;
}

/* Asked before every regression: none of them keeps a caller who has had enough. */
static void a_fit_can_be_cancelled_between_regressions(void **state)
{
    struct patience p = {.most = 1000000};
    double *x = sample_alone();
    quern_context *cx = runs_context("cpu", 2);
    quern_pipeline *pipeline = fixture_pipeline(plain_spec);
    quern_table *table;
    quern_model *model;
    (void)state;
    quern_context_callbacks(cx, NULL, NULL, stop, &p);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_pipeline_fit(cx, pipeline, table, &model));
    quern_model_free(model);
    int all = p.asked;
    assert_true(all > 2 * COLUMNS); /* two rounds at least */
    for (int most = 0; most < all; most += 3) {
        p = (struct patience){.most = most};
        model = NULL;
        assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_CANCELLED);
        assert_null(model);
        assert_int_equal(p.asked, most + 1); /* and not once more */
    }
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
    free(x);
}

static void bounds_that_contradict_each_other_are_refused(void **state)
{
    quern_pipeline *pipeline;
    (void)state;
    const char *spec = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                       "[{\"IterativeImputer\": {\"min_value\": 1, \"max_value\": 1}}]}]}";
    assert_int_equal(quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline),
                     QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "min_value must be less than max_value"));
}

int main(void)
{
    static quern_type f32 = QUERN_FLOAT32, f64 = QUERN_FLOAT64;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symmetric_matrix_is_its_eigenvectors_and_values),
        cmocka_unit_test(more_columns_than_rows_have_eigenvectors_too),
        cmocka_unit_test(columns_that_follow_from_others_are_restored),
        {"devices_and_threads_agree@cpu", devices_and_threads_agree, NULL, NULL, (void *)0},
        {"devices_and_threads_agree@opencl:0", devices_and_threads_agree, NULL, NULL, (void *)1},
        {"devices_and_threads_agree@cuda:0", devices_and_threads_agree, NULL, NULL, (void *)2},
        cmocka_unit_test(instruction_sets_agree),
        {"where_the_cells_lie_cannot_be_seen: float32", where_the_cells_lie_cannot_be_seen, NULL,
         NULL, &f32},
        {"where_the_cells_lie_cannot_be_seen: float64", where_the_cells_lie_cannot_be_seen, NULL,
         NULL, &f64},
        cmocka_unit_test(single_rows_are_served_as_in_batches),
        cmocka_unit_test(a_fit_can_be_cancelled_between_regressions),
        cmocka_unit_test(a_sequence_that_names_no_column_is_refused),
        cmocka_unit_test(bounds_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
