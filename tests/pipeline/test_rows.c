/* SPDX-License-Identifier: Apache-2.0
 * Operations over whole rows between two layers: cells filled from the nearest training rows are those
 * of a search that tries every row, on every device, with any number of threads and any instruction
 * set, in batches and one row at a time, before and after a model went through its bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/runs.h"

enum { ROWS = 700, COLUMNS = 7 };
static const char uniform_spec[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                   "[\"KNNImputer\"]}]}";
static const char distance_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"KNNImputer\": {\"weights\": "
    "\"distance\", \"n_neighbors\": 40, \"keep_empty_features\": true}}]}]}";
static const char scaled_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": [0, 1, 2, 3], \"apply\": [\"StandardScaler\", "
    "{\"KNNImputer\": {\"add_indicator\": true}}, \"MinMaxScaler\"]}, {\"name\": \"b\", "
    "\"columns\": "
    "[4, 5], \"apply\": [{\"KNNImputer\": {\"n_neighbors\": 2}}]}], \"then\": [\"KNNImputer\", "
    "\"Normalizer\"]}";

/* A fifth is missing; column 6 has nothing, row 3 has nothing, rows 10 and 11 are twins. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, COLUMNS, 200, 5);
    for (int i = 0; i < ROWS; i++) x[i * COLUMNS + 6] = (double)NAN;
    for (int i = 0; i < COLUMNS; i++) {
        x[3 * COLUMNS + i] = (double)NAN;
        x[11 * COLUMNS + i] = x[10 * COLUMNS + i];
    }
    x[10 * COLUMNS] = (double)NAN;
    x[11 * COLUMNS] = 0.25;
    return x;
}

/* ---- the search that tries every row ---- */

struct found {
    double distance, value;
    int row;
};

static int nearer(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return x->row - y->row;
}

static int look(const double *x, int row, int column, struct found *all)
{
    int n = 0;
    for (int i = 0; i < ROWS; i++) {
        int common = 0;
        double sum = 0;
        if (isnan(x[i * COLUMNS + column])) continue;
        for (int k = 0; k < COLUMNS; k++) {
            double t = x[i * COLUMNS + k] - x[row * COLUMNS + k];
            if (isnan(t)) continue;
            sum += t * t;
            common++;
        }
        if (common != 0)
            all[n++] = (struct found){sum / common * COLUMNS, x[i * COLUMNS + column], i};
    }
    qsort(all, (size_t)n, sizeof *all, nearer);
    return n;
}

static double mean_of(const double *x, int column)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < ROWS; i++) {
        if (isnan(x[i * COLUMNS + column])) continue;
        sum += x[i * COLUMNS + column];
        n++;
    }
    return sum / n;
}

static double expected(const double *x, int row, int column, int k, int by_distance)
{
    struct found all[ROWS];
    double sum = 0, weights = 0;
    if (!isnan(x[row * COLUMNS + column])) return x[row * COLUMNS + column];
    int n = look(x, row, column, all);
    if (n == 0) return mean_of(x, column);
    for (int i = 0; i < n && i < k; i++) {
        double weight = 1;
        if (by_distance && all[0].distance == 0)
            weight = all[i].distance == 0;
        else if (by_distance)
            weight = 1 / sqrt(all[i].distance);
        sum += weight * all[i].value;
        weights += weight;
    }
    return sum / weights;
}

/* ---- tests ---- */

static quern_model *fit(quern_context *cx, const char *spec, const double *x, quern_table **table)
{
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, table));
    return fixture_fit(cx, spec, *table);
}

static void check_all_rows(const double *x, const quern_matrix *out, int k, int by_distance)
{
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < 6; c++) {
            const double *got = (const double *)((const char *)out->data + i * out->row_stride);
            double want = expected(x, i, c, k, by_distance);
            assert_true(fabs(got[c] - want) <= 1e-12 * fabs(want));
        }
}

static void cells_are_filled_from_the_nearest_rows(void **state)
{
    quern_context *cx = runs_context("cpu", 2);
    double *x = sample();
    quern_table *table;
    quern_matrix out = {0};
    (void)state;
    quern_model *model = fit(cx, uniform_spec, x, &table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 6); /* the one without any value is left out */
    check_all_rows(x, &out, 5, 0);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    model = fit(cx, distance_spec, x, &table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, COLUMNS); /* here it is kept */
    assert_true(((const double *)out.data)[6] == 0);
    check_all_rows(x, &out, 40, 1);
    assert_true(((const double *)((const char *)out.data + 10 * out.row_stride))[0] == 0.25);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void float32_rows_are_searched_in_float64(void **state)
{
    quern_context *cx = runs_context("cpu", 1);
    double *x = sample();
    float *narrow = malloc(sizeof(float) * ROWS * COLUMNS);
    quern_table *table;
    quern_matrix out = {0};
    (void)state;
    assert_non_null(narrow);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        narrow[i] = (float)x[i];
        x[i] = (double)narrow[i];
    }
    OK(quern_table_from_matrix(narrow, QUERN_FLOAT32, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, uniform_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.type, QUERN_FLOAT32);
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < 6; c++) {
            const float *got = (const float *)((const char *)out.data + i * out.row_stride);
            double want = expected(x, i, c, 5, 0);
            assert_true(fabs((double)got[c] - want) <= 1e-7 * fabs(want));
        }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(narrow);
    free(x);
}

static struct runs make(void)
{
    return (struct runs){scaled_spec, sample(), ROWS, COLUMNS};
}

static void drop(struct runs *r)
{
    free((void *)(uintptr_t)r->x);
}

static void devices_and_threads_agree(void **state)
{
    runs_devices_agree((size_t)*state, make, drop);
}

/* The search is the device's, and the decision says so. */
static void neighbours_are_found_where_the_columns_lie(void **state)
{
    quern_context *cx = runs_context((size_t)*state == 1 ? "opencl:0" : "cuda:0", 1);
    double *x = sample();
    quern_table *table;
    quern_matrix out = {0};
    uint32_t found = 0;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, uniform_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (uint32_t i = 0; i < quern_context_decisions(cx); i++) {
        quern_decision d = {.struct_size = sizeof d};
        OK(quern_context_decision(cx, i, &d));
        if (strcmp(d.operation, "rows") != 0) continue;
        assert_string_not_equal(d.device, "cpu");
        assert_string_equal(d.implementation, "device");
        found++;
    }
    assert_int_not_equal(found, 0);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void instruction_sets_agree(void **state)
{
    struct runs r = make();
    (void)state;
    runs_instruction_sets_agree(&r);
    drop(&r);
}

static void single_rows_are_served_as_in_batches(void **state)
{
    struct runs r = make();
    (void)state;
    runs_rows_alone_agree(&r, ROWS);
    drop(&r);
}

static void infinite_values_are_refused(void **state)
{
    quern_context *cx = runs_context("cpu", 1);
    double good[] = {1, 2, 3, 4}, bad[] = {1, 2, (double)INFINITY, 4};
    quern_pipeline *pipeline = fixture_pipeline(uniform_spec);
    quern_table *table, *endless;
    quern_matrix out = {0};
    quern_model *model;
    (void)state;
    OK(quern_table_from_matrix(good, QUERN_FLOAT64, 2, 2, 0, NULL, &table));
    OK(quern_table_from_matrix(bad, QUERN_FLOAT64, 2, 2, 0, NULL, &endless));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, endless, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "infinite"));
    OK(quern_pipeline_fit(cx, pipeline, table, &model));
    assert_int_equal(quern_model_transform(cx, model, endless, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "infinite"));
    quern_model_free(model);
    quern_table_free(table);
    quern_table_free(endless);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
}

static void a_model_whose_matrix_has_another_width_is_refused(void **state)
{
    quern_context *cx = runs_context("cpu", 1);
    double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    quern_table *table;
    quern_model *other;
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 4, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, uniform_spec, table);
    OK(quern_model_to_bytes(model, &bytes, &size));
    int changed = 0;
    for (char *at = bytes; at + 5 < (char *)bytes + size; at++)
        if (memcmp(at, "[4,2]", 5) == 0) {
            memcpy(at, "[2,4]", 5);
            changed = 1;
        }
    assert_true(changed);
    assert_int_equal(quern_model_from_bytes("broken", bytes, size, &other), QUERN_CORRUPT);
    assert_non_null(strstr(quern_last_error(), "fit_X_"));
    quern_free(bytes);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_filled_from_the_nearest_rows),
        cmocka_unit_test(float32_rows_are_searched_in_float64),
        {"devices_and_threads_agree@cpu", devices_and_threads_agree, NULL, NULL, (void *)0},
        {"devices_and_threads_agree@opencl:0", devices_and_threads_agree, NULL, NULL, (void *)1},
        {"devices_and_threads_agree@cuda:0", devices_and_threads_agree, NULL, NULL, (void *)2},
        {"neighbours_are_found_where_the_columns_lie@opencl:0",
         neighbours_are_found_where_the_columns_lie, NULL, NULL, (void *)1},
        {"neighbours_are_found_where_the_columns_lie@cuda:0",
         neighbours_are_found_where_the_columns_lie, NULL, NULL, (void *)2},
        cmocka_unit_test(instruction_sets_agree),
        cmocka_unit_test(single_rows_are_served_as_in_batches),
        cmocka_unit_test(infinite_values_are_refused),
        cmocka_unit_test(a_model_whose_matrix_has_another_width_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
