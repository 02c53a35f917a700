/* SPDX-License-Identifier: Apache-2.0
 * CyclicalFeatures, Bucketizer, Winsorizer, Clipper and MeanNormalizationScaler end to end: the values of small
 * columns on every device, one row at a time too; fits in pieces; what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

static const char *const DEVICES[] = {"cpu", "opencl:0", "cuda:0"};
#define NONE ((double)NAN)

static quern_table *table_of(const void *x, quern_type type, uint64_t rows, uint32_t columns)
{
    quern_table *table;
    OK(quern_table_from_matrix(x, type, rows, columns, 0, NULL, &table));
    return table;
}

static char *spec_of(char *out, size_t size, const char *apply)
{
    int n = snprintf(out, size,
                     "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [%s]}]}", apply);
    assert_true(n > 0 && (size_t)n < size);
    return out;
}

/* A column becomes `columns` others: of float64, of float32, and through a server. */
struct example {
    const char *apply;
    double x[8];
    int rows, columns;
    double wanted[8][6];
};

static const struct example EXAMPLES[] = {
    {"\"MeanNormalizationScaler\"", {0, 2, 10, 4}, 4, 1, {{-0.4}, {-0.2}, {0.6}, {0}}},
    {"\"MeanNormalizationScaler\"", {3, NONE, 3}, 3, 1, {{0}, {NONE}, {0}}},
    {"{\"Clipper\": {\"lower\": [1], \"upper\": 3}}",
     {0, 2, NONE, 7},
     4,
     1,
     {{1}, {2}, {NONE}, {3}}},
    {"{\"Clipper\": {\"upper\": 1.5}}", {-9, 2}, 2, 1, {{-9}, {1.5}}},
    {"{\"Winsorizer\": {\"capping_method\": \"iqr\", \"fold\": 1}}",
     {1, 2, 3, 4, 100},
     5,
     1,
     {{1}, {2}, {3}, {4}, {6}}},
    {"{\"Winsorizer\": {\"capping_method\": \"quantiles\", \"fold\": 0.25, \"tail\": \"both\", "
     "\"add_indicators\": true}}",
     {1, 2, 3, 4, 5},
     5,
     3,
     {{2, 1, 0}, {2, 0, 0}, {3, 0, 0}, {4, 0, 0}, {4, 0, 1}}},
    {"{\"Winsorizer\": {\"capping_method\": \"mad\", \"fold\": 0.67449, \"tail\": \"left\", "
     "\"missing_values\": \"ignore\"}}",
     {-50, 1, 2, NONE, 3, 4},
     6,
     1,
     {{1}, {1}, {2}, {NONE}, {3}, {4}}},
    {"{\"Winsorizer\": {\"fold\": 1, \"tail\": \"both\"}}",
     {-1, 1, -1, 1},
     4,
     1,
     {{-1}, {1}, {-1}, {1}}},
    {"{\"CyclicalFeatures\": {\"drop_original\": true, \"max_values\": 4}}",
     {0, 4, NONE},
     3,
     2,
     {{0, 1}, {-2.4492935982947064e-16, 1}, {NONE, NONE}}},
    {"\"CyclicalFeatures\"", {0, 8}, 2, 3, {{0, 0, 1}, {8, -2.4492935982947064e-16, 1}}},
    {"{\"Bucketizer\": {\"edges\": [0, 1, 2.5]}}", {0, 0.5, 1, 2.5}, 4, 1, {{0}, {0}, {1}, {1}}},
    {"{\"Bucketizer\": {\"edges\": [0, 1, 2.5], \"closed\": \"right\"}}",
     {0, 0.5, 1, 2.5},
     4,
     1,
     {{0}, {0}, {0}, {1}}},
    {"{\"Bucketizer\": {\"edges\": [0, 1, 2], \"outside\": \"clip\", \"handle_missing\": "
     "\"keep\"}}",
     {-7, 7, NONE},
     3,
     1,
     {{0}, {1}, {NONE}}},
    {"{\"Bucketizer\": {\"edges\": [null, 1, null], \"encode\": \"onehot-dense\", "
     "\"handle_missing\": \"keep\"}}",
     {-7, 7, NONE},
     3,
     2,
     {{1, 0}, {0, 1}, {0, 0}}},
    {"{\"Bucketizer\": {\"edges\": [0, 1], \"encode\": \"onehot-dense\", \"outside\": \"keep\"}}",
     {-7, 0.5, 7},
     3,
     3,
     {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
};

static int same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void check_row(const struct example *e, const void *got, int is_f32, int row)
{
    for (int k = 0; k < e->columns; k++) {
        double wanted = is_f32 ? (double)(float)e->wanted[row][k] : e->wanted[row][k];
        double found = is_f32 ? (double)((const float *)got)[k] : ((const double *)got)[k];
        if (!same(found, wanted))
            fail_msg("%s: row %d, output %d is %.17g, not %.17g", e->apply, row, k, found, wanted);
    }
}

static void check_example(quern_context *cx, const struct example *e, int is_f32)
{
    char spec[400];
    float narrow[8];
    double row[6];
    quern_matrix out = {0};
    quern_server *server;
    for (int i = 0; i < e->rows; i++) narrow[i] = (float)e->x[i];
    quern_table *table = table_of(is_f32 ? (const void *)narrow : e->x,
                                  is_f32 ? QUERN_FLOAT32 : QUERN_FLOAT64, (uint64_t)e->rows, 1);
    quern_model *model = fixture_fit(cx, spec_of(spec, sizeof spec, e->apply), table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, e->columns);
    assert_int_equal(out.type, is_f32 ? QUERN_FLOAT32 : QUERN_FLOAT64);
    OK(quern_server_open(model, &server));
    for (int i = 0; i < e->rows; i++) {
        quern_cell cell = {.number = e->x[i]};
        check_row(e, (const char *)out.data + i * out.row_stride, is_f32, i);
        OK(quern_server_row(server, &cell, row));
        check_row(e, row, is_f32, i);
    }
    quern_server_close(server);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
}

static void small_columns_become_what_is_written_here(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    for (size_t k = 0; k < sizeof EXAMPLES / sizeof *EXAMPLES; k++)
        for (int is_f32 = 0; is_f32 < 2; is_f32++) check_example(cx, &EXAMPLES[k], is_f32);
    OK(quern_context_close(cx));
}

static void integers_are_clipped_as_integers(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    const int64_t x[4] = {-5, 3, 9007199254740993, 4};
    char spec[200];
    quern_table *table = table_of(x, QUERN_INT64, 4, 1);
    quern_matrix out = {0};
    quern_model *model =
        fixture_fit(cx, spec_of(spec, sizeof spec, "{\"Clipper\": {\"lower\": 0}}"), table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.type, QUERN_INT64);
    const int64_t *got = out.data;
    assert_true(got[0] == 0 && got[1] == 3 && got[2] == 9007199254740993 && got[3] == 4);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* float32 values are compared with an edge that no float32 is, as it is. */
static void edges_between_two_floats_are_not_rounded(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    const float x[3] = {nextafterf(0.1F, 0), 0.1F, nextafterf(0.1F, 1)}; /* 0.1F is above 0.1 */
    char spec[200];
    quern_table *table = table_of(x, QUERN_FLOAT32, 3, 1);
    static const char *const sides[] = {"left", "right"};
    for (int side = 0; side < 2; side++) {
        char apply[120];
        quern_matrix out = {0};
        (void)snprintf(apply, sizeof apply,
                       "{\"Bucketizer\": {\"edges\": [0, 0.1, 1], \"closed\": \"%s\"}}",
                       sides[side]);
        quern_model *model = fixture_fit(cx, spec_of(spec, sizeof spec, apply), table);
        OK(quern_model_transform(cx, model, table, &out, NULL));
        const float *got = out.data;
        assert_true(got[0] == 0 && got[1] == 1 && got[2] == 1);
        quern_matrix_free(&out);
        quern_model_free(model);
    }
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void a_value_outside_of_the_edges_is_named(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    double *x = fixture_f64(2000, 3, 0, 9), cell_of[3] = {0, 1, 1e6};
    char spec[200];
    quern_cell cells[3];
    double row[3];
    quern_server *server;
    quern_table *table = table_of(x, QUERN_FLOAT64, 2000, 3);
    quern_matrix out = {0};
    quern_model *model = fixture_fit(
        cx, spec_of(spec, sizeof spec, "{\"Bucketizer\": {\"edges\": [-1e5, 0, 1e5]}}"), table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    quern_matrix_free(&out);
    x[1500 * 3 + 1] = 1e6;
    assert_int_equal(quern_model_transform(cx, model, table, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 1500"));
    assert_non_null(strstr(quern_last_error(), "\"x1\" has a value outside of the edges"));
    OK(quern_server_open(model, &server));
    for (int k = 0; k < 3; k++) cells[k] = (quern_cell){.number = cell_of[k]};
    assert_int_equal(quern_server_row(server, cells, row), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "outside of the edges"));
    quern_server_close(server);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void fits_in_pieces_learn_what_one_fit_learns(void **state)
{
    static const char *const merge[] = {
        "\"MeanNormalizationScaler\"", "\"CyclicalFeatures\"",
        "{\"Winsorizer\": {\"tail\": \"both\"}}",
        "{\"Clipper\": {\"lower\": 0}}, \"MeanNormalizationScaler\"",
        "{\"Winsorizer\": {\"capping_method\": \"mad\"}}"};
    quern_context *cx = fixture_context("cpu", 1);
    enum { ROWS = 5000, PIECE = 700 };
    double *x = fixture_f64(ROWS, 4, 0, 11);
    char spec[300];
    (void)state;
    quern_table *table = table_of(x, QUERN_FLOAT64, ROWS, 4);
    for (size_t k = 0; k < sizeof merge / sizeof *merge; k++) {
        quern_pipeline *pipeline = fixture_pipeline(spec_of(spec, sizeof spec, merge[k]));
        quern_model *whole = fixture_fit(cx, spec, table), *pieces;
        quern_fit *fit;
        OK(quern_fit_begin(cx, pipeline, &fit));
        for (uint64_t from = 0; from < ROWS; from += PIECE) {
            uint64_t n = ROWS - from < PIECE ? ROWS - from : PIECE;
            quern_table *piece = table_of(x + from * 4, QUERN_FLOAT64, n, 4);
            OK(quern_fit_push(fit, piece));
            quern_table_free(piece);
        }
        OK(quern_fit_finish(fit, &pieces));
        fixture_same_model(whole, pieces, merge[k]);
        quern_model_free(whole);
        quern_model_free(pieces);
        quern_pipeline_free(pipeline);
    }
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

/* The way back of what has one; the products of PolynomialFeatures in front of a second round. */
static void chains_go_on_and_back(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    double x[8] = {0, 1, 2, 5, 10, 2, 4, 4};
    char spec[300];
    quern_table *table = table_of(x, QUERN_FLOAT64, 4, 2), *back;
    quern_matrix out = {0}, again = {0};
    quern_model *model =
        fixture_fit(cx, spec_of(spec, sizeof spec, "\"MeanNormalizationScaler\""), table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    back = table_of(out.data, QUERN_FLOAT64, 4, 2);
    OK(quern_model_inverse_transform(cx, model, back, &again));
    for (int i = 0; i < 8; i++) assert_true(fabs(((const double *)again.data)[i] - x[i]) < 1e-14);
    quern_matrix_free(&out);
    quern_matrix_free(&again);
    quern_table_free(back);
    quern_model_free(model);
    model =
        fixture_fit(cx,
                    spec_of(spec, sizeof spec,
                            "{\"PolynomialFeatures\": {\"include_bias\": false}}, "
                            "{\"Winsorizer\": {\"capping_method\": \"mad\", \"tail\": \"both\"}}, "
                            "\"MeanNormalizationScaler\""),
                    table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 5);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void what_means_nothing_is_refused(void **state)
{
    static const struct {
        const char *apply, *said;
    } cases[] = {
        {"\"Bucketizer\"", "at least two edges"},
        {"{\"Bucketizer\": {\"edges\": [1, 1]}}", "must ascend"},
        {"{\"Bucketizer\": {\"edges\": [0, null, 1]}}", "only the first and the last"},
        {"{\"Bucketizer\": {\"edges\": [[0, 1]]}}", "1 lists for 2 columns"},
        {"{\"Clipper\": {\"lower\": 2, \"upper\": 1}}", "the one is greater"},
        {"{\"Clipper\": {\"lower\": [1, 2, 3]}}", "3 numbers for 2 columns"},
        {"{\"Clipper\": {\"lower\": [1, 2, 3], \"upper\": [1, 2]}}",
         "lower has 3 numbers and upper 2"},
        {"{\"CyclicalFeatures\": {\"max_values\": 0}}", "cannot be 0"},
        {"\"CyclicalFeatures\"", "the greatest value 0"},
        {"{\"Winsorizer\": {\"capping_method\": \"quantiles\", \"fold\": 0.5}}", "below 0.5"},
        {"{\"Winsorizer\": {\"fold\": \"far\"}}", "\"auto\" or a number"},
    };
    quern_context *cx = fixture_context("cpu", 1);
    double x[4] = {-1, -2, 0, -3};
    quern_table *table = table_of(x, QUERN_FLOAT64, 2, 2);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char spec[300];
        quern_pipeline *pipeline = NULL;
        quern_model *model = NULL;
        spec_of(spec, sizeof spec, cases[k].apply);
        quern_status status = quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline);
        if (status == QUERN_OK) status = quern_pipeline_fit(cx, pipeline, table, &model);
        assert_int_equal(status, QUERN_INVALID);
        if (strstr(quern_last_error(), cases[k].said) == NULL)
            fail_msg("%s: %s", cases[k].apply, quern_last_error());
        quern_pipeline_free(pipeline);
    }
    quern_table_free(table);
    OK(quern_context_close(cx));
}

#define ON_EACH(test)                                                                              \
    {#test "@cpu", test, NULL, NULL, (void *)0}, {#test "@opencl:0", test, NULL, NULL, (void *)1}, \
    {                                                                                              \
#test "@cuda:0", test, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(small_columns_become_what_is_written_here),
        ON_EACH(integers_are_clipped_as_integers),
        ON_EACH(edges_between_two_floats_are_not_rounded),
        ON_EACH(a_value_outside_of_the_edges_is_named),
        ON_EACH(chains_go_on_and_back),
        cmocka_unit_test(fits_in_pieces_learn_what_one_fit_learns),
        cmocka_unit_test(what_means_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
