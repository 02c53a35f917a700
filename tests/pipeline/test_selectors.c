/* SPDX-License-Identifier: Apache-2.0
 * Columns that are left out by what was learned of them: which stay, on every device, in every dtype;
 * what is refused; a model that lacks what its columns are chosen by. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 5000, COLUMNS = 5 };
static const char select_spec[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                  "[{\"VarianceThreshold\": {\"threshold\": 0.5}}]}]}";

/* Columns: varies; constant; hardly varies; varies, with missing cells; missing altogether. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 3);
    for (int i = 0; i < ROWS; i++) {
        double *row = x + (size_t)i * COLUMNS;
        row[0] = i % 7;
        row[1] = 0.1;
        row[2] = 1e6 + (double)(i % 2);
        row[3] = i % 5 == 0 ? (double)NAN : i % 11;
        row[4] = (double)NAN;
    }
    return x;
}

static void only_columns_that_vary_stay(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    const char *device = devices[(size_t)*state];
    quern_context *cx = fixture_context(device, 1);
    double *x = sample();
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, select_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 2);
    assert_int_equal(out.type, QUERN_FLOAT64);
    assert_string_equal(quern_model_output_name(model, 0), "x0");
    assert_string_equal(quern_model_output_name(model, 1), "x3");
    for (int i = 0; i < ROWS; i++) {
        const double *got = (const double *)((const char *)out.data + i * out.row_stride);
        assert_true(got[0] == i % 7);
        assert_true(i % 5 == 0 ? isnan(got[1]) : got[1] == i % 11);
    }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void integers_stay_integers(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    int16_t x[6] = {1, 5, 2, 5, 3, 5};
    quern_table *table;
    quern_matrix out = {0};
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_INT16, 3, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, select_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.type, QUERN_INT16);
    assert_int_equal(out.columns, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(((const int16_t *)out.data)[i * (out.row_stride / 2)], i + 1);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void a_table_in_which_nothing_varies_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double same[] = {2, 2, 2, 2}, endless[] = {1, (double)INFINITY};
    quern_pipeline *pipeline = fixture_pipeline(select_spec);
    quern_table *table;
    quern_model *model;
    (void)state;
    OK(quern_table_from_matrix(same, QUERN_FLOAT64, 2, 2, 0, NULL, &table));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "no column's variance is greater than"));
    quern_table_free(table);
    OK(quern_table_from_matrix(endless, QUERN_FLOAT64, 2, 1, 0, NULL, &table));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "infinite"));
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
}

static void a_model_without_its_variances_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *table;
    quern_model *other;
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, select_spec, table);
    OK(quern_model_to_bytes(model, &bytes, &size));
    OK(quern_model_from_bytes("whole", bytes, size, &other));
    fixture_same_model(model, other, __func__);
    quern_model_free(other);
    int renamed = 0;
    for (char *at = bytes; at + 10 < (char *)bytes + size; at++)
        if (memcmp(at, "variances_", 10) == 0) {
            *at = 'V';
            renamed = 1;
        }
    assert_true(renamed);
    assert_int_not_equal(quern_model_from_bytes("broken", bytes, size, &other), QUERN_OK);
    quern_free(bytes);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"only_columns_that_vary_stay@cpu", only_columns_that_vary_stay, NULL, NULL, (void *)0},
        {"only_columns_that_vary_stay@opencl:0", only_columns_that_vary_stay, NULL, NULL,
         (void *)1},
        {"only_columns_that_vary_stay@cuda:0", only_columns_that_vary_stay, NULL, NULL, (void *)2},
        cmocka_unit_test(integers_stay_integers),
        cmocka_unit_test(a_table_in_which_nothing_varies_is_refused),
        cmocka_unit_test(a_model_without_its_variances_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
