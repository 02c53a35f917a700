/* SPDX-License-Identifier: Apache-2.0
 * PowerTransformer: the likeliest lambda, the same bits on every device and for any chunks, the way
 * back, and what is refused. */
#define _DEFAULT_SOURCE 1 /* mkstemps */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/core/checked.h"
#include "tests/pipeline/fixture.h"

enum { ROWS = 150000, COLUMNS = 4 };
static const char yeo_johnson[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"PowerTransformer\"]}]}";
static const char box_cox[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                              "[{\"PowerTransformer\": {\"method\": \"box-cox\"}}]}]}";

/* Columns: both signs, with missing cells; positive; negative; constant. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 3);
    for (int i = 0; i < ROWS; i++) {
        double *row = x + (size_t)i * COLUMNS;
        double u = (i * 7919 % 100003 + 0.5) / 100003;
        row[0] = i % 13 == 0 ? (double)NAN : exp(2 * u) - 2;
        row[1] = u * u * 100 + 1e-3;
        row[2] = -exp(3 * u);
        row[3] = 0.1;
    }
    return x;
}

static quern_model *fit(quern_context *cx, const char *spec, const double *x)
{
    quern_table *table;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    quern_table_free(table);
    return model;
}

static void every_device_learns_the_same_lambdas(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    quern_context *cx = fixture_context(devices[(size_t)*state], 3); /* skips where there is none */
    quern_context *one = fixture_context("cpu", 1);
    double *x = sample();
    quern_model *first = fit(one, yeo_johnson, x);
    quern_model *model = fit(cx, yeo_johnson, x);
    fixture_same_model(first, model, __func__);
    quern_model_free(first);
    quern_model_free(model);
    OK(quern_context_close(one));
    OK(quern_context_close(cx));
    free(x);
}

static double error_of(const quern_matrix *out, const double *x, int column)
{
    double worst = 0;
    for (int i = 0; i < ROWS; i++) {
        double got = ((const double *)((const char *)out->data + i * out->row_stride))[column];
        double want = x[i * COLUMNS + column];
        if (isnan(want) != isnan(got)) return (double)INFINITY;
        if (!isnan(want)) worst = fmax(worst, fabs(got - want) / fmax(1, fabs(want)));
    }
    return worst;
}

static void the_way_back_leads_to_the_rows(void **state)
{
    double *x = sample();
    quern_context *cx = fixture_context("cpu", 2);
    quern_model *model = fit(cx, yeo_johnson, x);
    quern_table *table;
    quern_matrix out = {0}, back = {0};
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_model_transform(cx, model, table, &out, NULL));
    double sum = 0, squares = 0;
    for (int i = 0; i < ROWS; i++) {
        double v = ((const double *)((const char *)out.data + i * out.row_stride))[1];
        sum += v;
        squares += v * v;
    }
    assert_true(fabs(sum) < 1e-6 * ROWS && fabs(squares / ROWS - 1) < 1e-6);
    quern_table_free(table);
    OK(quern_table_from_matrix(out.data, QUERN_FLOAT64, ROWS, COLUMNS, out.row_stride, NULL,
                               &table));
    OK(quern_model_inverse_transform(cx, model, table, &back));
    for (int c = 0; c < COLUMNS; c++) assert_true(error_of(&back, x, c) < 1e-11);
    quern_matrix_free(&out);
    quern_matrix_free(&back);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void columns_without_a_likeliest_lambda_are_refused(void **state)
{
    static const struct {
        const char *spec, *says;
        double x[2];
    } cases[] = {
        {box_cox, "not positive", {0, 1}},         {box_cox, "equal values", {2, 2}},
        {box_cox, "no value", {NAN, NAN}},         {yeo_johnson, "no value", {NAN, NAN}},
        {yeo_johnson, "infinite", {1, -INFINITY}},
    };
    quern_context *cx = fixture_context("cpu", 1);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        quern_pipeline *pipeline = fixture_pipeline(cases[i].spec);
        quern_table *table;
        quern_model *model;
        OK(quern_table_from_matrix(cases[i].x, QUERN_FLOAT64, 2, 1, 0, NULL, &table));
        assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
        assert_non_null(strstr(quern_last_error(), cases[i].says));
        assert_non_null(strstr(quern_last_error(), "\"x0\""));
        quern_table_free(table);
        quern_pipeline_free(pipeline);
    }
    OK(quern_context_close(cx));
}

/* A file that is read in chunks. */
static void chunks_give_the_same_lambdas(void **state)
{
    char path[] = "/tmp/quern-power-XXXXXX.csv";
    int fd = mkstemps(path, 4);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    quern_context_config config = {.max_memory = 20 << 20};
    double *x = sample();
    (void)state;
    assert_non_null(file);
    fprintf(file, "a,b,c\n");
    for (int k = 0; k < 2; k++) /* so that it does not fit */
        for (int i = 0; i < ROWS; i++) {
            const double *row = x + (size_t)i * COLUMNS;
            if (!isnan(row[0])) fprintf(file, "%.17g", row[0]);
            fprintf(file, ",%.17g,%.17g\n", row[1], row[2]);
        }
    assert_int_equal(fclose(file), 0);
    quern_context *cpu = fixture_context("cpu", 1), *small = fixture_context_with("cpu", &config);
    quern_pipeline *pipeline = fixture_pipeline(yeo_johnson);
    quern_job job = {.struct_size = sizeof job, .input = path, .no_transform = 1};
    quern_job_info info = {.struct_size = sizeof info};
    quern_model *want, *got;
    OK(quern_run(cpu, pipeline, &job, &info, &want));
    assert_int_equal(info.streamed, 0);
    OK(quern_run(small, pipeline, &job, &info, &got));
    assert_int_equal(info.streamed, 1);
    fixture_same_model(want, got, __func__);
    quern_model_free(want);
    quern_model_free(got);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(small));
    OK(quern_context_close(cpu));
    free(x);
    (void)unlink(path);
}

/* The k-th allocation fails, for every k. */
static void every_allocation_of_a_fit_may_fail(void **state)
{
    static const double x[] = {1, -2, 4, 3, 8, -1, 2, 2, 5, -9, 7, 1};
    quern_context *cx = fixture_context("cpu", 1);
    quern_pipeline *pipeline = fixture_pipeline(yeo_johnson);
    quern_table *table;
    uint64_t failed = 0;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 6, 2, 0, NULL, &table));
    for (quern_status status = QUERN_OUT_OF_MEMORY; status != QUERN_OK; failed++) {
        quern_model *model = NULL;
        (void)qn_alloc_fail_at(failed + 1);
        status = quern_pipeline_fit(cx, pipeline, table, &model);
        (void)qn_alloc_fail_at(0);
        if (status != QUERN_OK) {
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
            assert_null(model);
        }
        quern_model_free(model);
    }
    assert_true(failed > 20);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"every_device_learns_the_same_lambdas@cpu", every_device_learns_the_same_lambdas, NULL,
         NULL, (void *)0},
        {"every_device_learns_the_same_lambdas@opencl:0", every_device_learns_the_same_lambdas,
         NULL, NULL, (void *)1},
        {"every_device_learns_the_same_lambdas@cuda:0", every_device_learns_the_same_lambdas, NULL,
         NULL, (void *)2},
        cmocka_unit_test(the_way_back_leads_to_the_rows),
        cmocka_unit_test(columns_without_a_likeliest_lambda_are_refused),
        cmocka_unit_test(chunks_give_the_same_lambdas),
        cmocka_unit_test(every_allocation_of_a_fit_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
