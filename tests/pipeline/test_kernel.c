/* SPDX-License-Identifier: Apache-2.0
 * Centred kernels: the kernel of centred features, on every device and with any number of threads, in
 * batches and one row at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 300, FEATURES = 4 };
static const char spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"KernelCenterer\"]}]}";

/* Products of features, of which each has its mean taken away. */
static double *products(const double *features, int centred)
{
    double mean[FEATURES] = {0}, *k = calloc((size_t)ROWS * ROWS, sizeof *k);
    for (int i = 0; centred && i < ROWS * FEATURES; i++)
        mean[i % FEATURES] += features[i] / (double)ROWS;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++)
            for (int f = 0; f < FEATURES; f++)
                k[i * ROWS + j] +=
                    (features[i * FEATURES + f] - mean[f]) * (features[j * FEATURES + f] - mean[f]);
    return k;
}

static quern_table *table_of(const double *k, uint64_t rows)
{
    quern_table *table;
    OK(quern_table_from_matrix(k, QUERN_FLOAT64, rows, ROWS, 0, NULL, &table));
    return table;
}

static void the_kernel_of_centred_features_comes_out(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    const char *device = devices[(size_t)*state];
    quern_context *cx = fixture_context(device, 3), *one = fixture_context("cpu", 1);
    double *features = fixture_f64(ROWS, FEATURES, 0, 3), *k = products(features, 0),
           *want = products(features, 1);
    quern_table *table = table_of(k, ROWS);
    quern_model *model = fixture_fit(cx, spec, table), *again = fixture_fit(one, spec, table);
    quern_matrix out = {0}, same = {0};
    fixture_same_model(model, again, device);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_model_transform(one, again, table, &same, NULL));
    for (int i = 0; i < ROWS; i++) {
        const double *row = (const double *)((const char *)out.data + i * out.row_stride);
        assert_memory_equal(row, (const char *)same.data + i * same.row_stride, ROWS * sizeof *row);
        for (int j = 0; j < ROWS; j++)
            if (fabs(row[j] - want[i * ROWS + j]) > 1e-11)
                fail_msg("%s: row %d, column %d: %g, not %g", device, i, j, row[j],
                         want[i * ROWS + j]);
    }
    assert_string_equal(quern_model_output_name(model, 7), "kernelcenterer7");
    quern_matrix_free(&out);
    quern_matrix_free(&same);
    quern_model_free(model);
    quern_model_free(again);
    quern_table_free(table);
    OK(quern_context_close(cx));
    OK(quern_context_close(one));
    free(features);
    free(k);
    free(want);
}

static void single_rows_are_served_as_in_batches(void **state)
{
    quern_context *cx = fixture_context("cpu", 2);
    double *features = fixture_f64(ROWS, FEATURES, 0, 4), *k = products(features, 0);
    double *row = calloc(ROWS, sizeof *row);
    quern_cell *cells = calloc(ROWS, sizeof *cells);
    quern_table *table = table_of(k, ROWS);
    quern_model *model = fixture_fit(cx, spec, table);
    quern_matrix out = {0};
    quern_server *server;
    (void)state;
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_server_open(model, &server));
    for (int i = 0; i < ROWS; i += 37) {
        for (int j = 0; j < ROWS; j++) cells[j].number = k[i * ROWS + j];
        OK(quern_server_row(server, cells, row));
        assert_memory_equal(row, (const char *)out.data + i * out.row_stride, ROWS * sizeof *row);
    }
    quern_server_close(server);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(features);
    free(k);
    free(row);
    free(cells);
}

static void what_is_no_kernel_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *features = fixture_f64(ROWS, FEATURES, 0, 5), *k = products(features, 0);
    quern_table *table = table_of(k, ROWS - 1);
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_model *model = NULL;
    (void)state;
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "square; this one has 299 rows and 300 columns"));
    quern_table_free(table);
    table = table_of(k, ROWS);
    k[5 * ROWS + 2] = (double)NAN;
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "column \"x2\" has missing values"));
    k[5 * ROWS + 2] = (double)INFINITY;
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "column \"x2\" has infinite values"));
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
    free(features);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the_kernel_of_centred_features_comes_out@cpu", the_kernel_of_centred_features_comes_out,
         NULL, NULL, (void *)0},
        {"the_kernel_of_centred_features_comes_out@opencl:0",
         the_kernel_of_centred_features_comes_out, NULL, NULL, (void *)1},
        {"the_kernel_of_centred_features_comes_out@cuda:0",
         the_kernel_of_centred_features_comes_out, NULL, NULL, (void *)2},
        cmocka_unit_test(single_rows_are_served_as_in_batches),
        cmocka_unit_test(what_is_no_kernel_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
