/* SPDX-License-Identifier: Apache-2.0
 * PowerTransformer: the likeliest lambda, the same bits on every device and for any chunks, the way
 * back, and what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/estimators/valley.h"
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

/* ---- the search alone ---- */

/* Convex, skew, and straight far out, as a likelihood is; least at `at`. */
static double bowl(double x, double at, double scale)
{
    double d = (x - at) / scale;
    return sqrt(1 + (d + 1) * (d + 1)) - d * sqrt(0.5);
}

static enum qn_valley_news turn(struct qn_valley *v, double at, double scale)
{
    double values[QN_FAN];
    for (uint32_t i = 0; i < v->n; i++) values[i] = bowl(qn_valley_point(v, i), at, scale);
    return qn_valley_take(v, values);
}

static void a_search_finds_the_minimum_wherever_it_is(void **state)
{
    static const double places[] = {-300, -7, -0.3, 0, 1, 1.7, 5, 60};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct qn_valley v;
        int rounds = 0;
        qn_valley_open(&v, -1000, 1000, 2);
        while (turn(&v, places[i], 2) == QN_VALLEY_GO_ON) assert_true(++rounds < 20);
        qn_valley_refine(&v, 1e4, 0);
        while (turn(&v, places[i] + 0.01, 2) == QN_VALLEY_GO_ON) assert_true(++rounds < 24);
        assert_true(fabs(qn_valley_found(&v) - places[i] - 0.01) < 2e-7);
    }
}

static void a_search_ends_at_a_bound(void **state)
{
    struct qn_valley v;
    (void)state;
    qn_valley_open(&v, -2, 3, 2);
    for (int i = 0; i < 40 && turn(&v, 10, 2) == QN_VALLEY_GO_ON; i++) {
    }
    qn_valley_refine(&v, 100, 0);
    for (int i = 0; i < 40 && turn(&v, 10, 2) == QN_VALLEY_GO_ON; i++) {
    }
    assert_true(fabs(qn_valley_found(&v) - 3) < 1e-2);
}

static void a_sample_that_misleads_is_noticed(void **state)
{
    struct qn_valley v;
    (void)state;
    qn_valley_open(&v, -100, 100, 2);
    while (turn(&v, 0, 2) == QN_VALLEY_GO_ON) {
    }
    qn_valley_refine(&v, 8192, 0);
    assert_int_equal(turn(&v, 3, 2), QN_VALLEY_LOST);
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
        cmocka_unit_test(a_search_finds_the_minimum_wherever_it_is),
        cmocka_unit_test(a_search_ends_at_a_bound),
        cmocka_unit_test(a_sample_that_misleads_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
