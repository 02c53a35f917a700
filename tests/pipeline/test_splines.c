/* SPDX-License-Identifier: Apache-2.0
 * SplineTransformer end to end: the same bytes on every device, in a row that is served, from a model file, and
 * sparse; a scaler learns from splines; what is refused names the column that it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 3001, COLUMNS = 3 };
static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
static const char *const specs[] = {
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"SplineTransformer\"]}]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SplineTransformer\": "
    "{\"knots\": "
    "\"quantile\", \"n_knots\": 40, \"degree\": 2, \"extrapolation\": \"linear\", "
    "\"handle_missing\": \"zeros\"}}]}]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\", "
    "{\"SplineTransformer\": {\"extrapolation\": \"periodic\", \"include_bias\": false}}, "
    "\"MinMaxScaler\"]}]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SplineTransformer\": "
    "{\"knots\": "
    "[[-1, -2, -3], [0, 0.5, 1], [2, 3, 4]], \"extrapolation\": \"continue\"}}]}]}"};
enum { SPECS = sizeof specs / sizeof *specs };

/* Rows of which a third lies outside of what the first half has. */
static double *make(int holes)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 5);
    for (uint64_t i = 0; i < ROWS * COLUMNS; i++) {
        if (i > ROWS && i % 3 == 0) x[i] *= 4;
        if (holes && i % 11 == 5) x[i] = (double)NAN;
    }
    return x;
}

/* A cubic with five knots from 0 to 4: what textbooks say. */
static void functions_are_the_textbooks(void **state)
{
    static const double want[3][7] = {{1.0 / 6, 4.0 / 6, 1.0 / 6, 0, 0, 0, 0},
                                      {0, 1.0 / 48, 23.0 / 48, 23.0 / 48, 1.0 / 48, 0, 0},
                                      {0, 0, 0, 0, 1.0 / 6, 4.0 / 6, 1.0 / 6}};
    static const double x[] = {0, 1.5, 4};
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3, 1, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, specs[0], table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 7);
    assert_string_equal(quern_model_output_name(model, 3), "x0_sp_3");
    for (uint64_t row = 0; row < 3; row++)
        for (uint32_t c = 0; c < 7; c++)
            assert_true(fabs(((const double *)(const void *)((const char *)out.data +
                                                             row * (size_t)out.row_stride))[c] -
                             want[row][c]) < 1e-15);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void devices_and_servers_agree(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 1); /* skips where there is none */
    quern_context *cpu = fixture_context("cpu", 2);
    for (uint32_t s = 0; s < SPECS; s++) {
        double *x = make(s == 1), *row = malloc(512 * sizeof *row);
        quern_table *table;
        quern_matrix out = {0}, other = {0};
        quern_server *server;
        quern_cell cells[COLUMNS] = {{0}};
        assert_non_null(row);
        OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
        quern_model *model = fixture_fit(cx, specs[s], table),
                    *same = fixture_fit(cpu, specs[s], table);
        fixture_same_model(model, same, specs[s]);
        OK(quern_model_transform(cx, model, table, &out, NULL));
        OK(quern_model_transform(cpu, model, table, &other, NULL));
        OK(quern_server_open(model, &server));
        for (uint64_t r = 0; r < ROWS; r++) {
            const char *got = (const char *)out.data + r * (size_t)out.row_stride;
            size_t bytes = out.columns * sizeof *row;
            assert_memory_equal(got, (const char *)other.data + r * (size_t)other.row_stride,
                                bytes);
            for (int c = 0; c < COLUMNS; c++) cells[c].number = x[r * COLUMNS + (uint64_t)c];
            OK(quern_server_row(server, cells, row));
            assert_memory_equal(got, row, bytes);
        }
        quern_server_close(server);
        quern_matrix_free(&out);
        quern_matrix_free(&other);
        quern_model_free(model);
        quern_model_free(same);
        quern_table_free(table);
        free(x);
        free(row);
    }
    OK(quern_context_close(cx));
    OK(quern_context_close(cpu));
}

static void values_beyond_the_knots_are_refused_by_name(void **state)
{
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SplineTransformer\": "
        "{\"extrapolation\": \"error\"}}]}]}";
    static const double x[] = {0, 10, 1, 11, 2, 12}, beyond[] = {1, 11, 1, 12.5};
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    quern_table *table, *other;
    quern_matrix out = {0};
    quern_server *server;
    quern_cell cells[2] = {{0}};
    double row[14];
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3, 2, 0, NULL, &table));
    OK(quern_table_from_matrix(beyond, QUERN_FLOAT64, 2, 2, 0, NULL, &other));
    quern_model *model = fixture_fit(cx, spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    quern_matrix_free(&out);
    memset(&out, 0, sizeof out);
    assert_int_equal(quern_model_transform(cx, model, other, &out, NULL), QUERN_INVALID);
    assert_string_equal(quern_last_error(),
                        "row 1: SplineTransformer: column \"x1\" has a value beyond the limits of "
                        "the knots");
    OK(quern_server_open(model, &server));
    cells[1].number = 9.5;
    assert_int_equal(quern_server_row(server, cells, row), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "beyond the limits of the knots"));
    quern_server_close(server);
    quern_model_free(model);
    quern_table_free(table);
    quern_table_free(other);
    OK(quern_context_close(cx));
}

static void refuse(const char *parameters, const double *x, uint64_t rows, quern_status wanted,
                   const char *part)
{
    char spec[400];
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table;
    quern_pipeline *pipeline = NULL;
    quern_model *model = NULL;
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                   "[{\"SplineTransformer\": %s}]}]}",
                   parameters);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, rows, 1, 0, NULL, &table));
    quern_status status = quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline);
    if (status == QUERN_OK) status = quern_pipeline_fit(cx, pipeline, table, &model);
    assert_int_equal(status, wanted);
    if (strstr(quern_last_error(), part) == NULL)
        fail_msg("%s: \"%s\" has no \"%s\"", parameters, quern_last_error(), part);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void what_no_fit_can_use_is_refused(void **state)
{
    static const double x[] = {1, 2, 3};
    double hole[] = {1, (double)NAN, 3}, infinite[] = {1, (double)INFINITY, 3};
    (void)state;
    refuse("{\"n_knots\": 1}", x, 3, QUERN_INVALID, "n_knots");
    refuse("{\"degree\": 32}", x, 3, QUERN_INVALID, "degree");
    refuse("{\"knots\": \"even\"}", x, 3, QUERN_INVALID, "knots");
    refuse("{\"knots\": [[1], [1]]}", x, 3, QUERN_INVALID, "sorted without duplicates");
    refuse("{\"knots\": [[1, 2], [3]]}", x, 3, QUERN_INVALID, "knots differ");
    refuse("{\"knots\": [[1, 2], [3, 4]]}", x, 3, QUERN_INVALID, "2 columns for 1");
    refuse("{\"extrapolation\": \"periodic\", \"degree\": 5}", x, 3, QUERN_INVALID,
           "more knots than their degree");
    refuse("{}", x, 1, QUERN_INVALID, "2 rows");
    refuse("{}", hole, 3, QUERN_INVALID, "missing value");
    refuse("{\"handle_missing\": \"zeros\"}", infinite, 3, QUERN_INVALID, "infinite");
}

#define ON_ALL(TEST)                                                                               \
    {#TEST "@cpu", TEST, NULL, NULL, (void *)0}, {#TEST "@opencl:0", TEST, NULL, NULL, (void *)1}, \
    {                                                                                              \
#TEST "@cuda:0", TEST, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(functions_are_the_textbooks),
        ON_ALL(devices_and_servers_agree),
        ON_ALL(values_beyond_the_knots_are_refused_by_name),
        cmocka_unit_test(what_no_fit_can_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
