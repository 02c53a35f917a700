/* SPDX-License-Identifier: Apache-2.0
 * Supervised fits: the target as a column of the table or beside it, as numbers or text, in memory, in
 * chunks, from a sparse table and on every device. They all learn the same bits. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 150003, COLUMNS = 4 };
static const char beside_spec[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                  "[{\"SelectKBest\": {\"k\": 2}}]}]}";
static const char line_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
    "[{\"SelectKBest\": {\"score_func\": \"f_regression\", \"k\": 2}}]}]}";
static const char column_line_spec[] =
    "{\"quern\": 1, \"target\": \"x3\", \"steps\": [{\"columns\": \"*\", \"apply\": "
    "[{\"SelectKBest\": {\"score_func\": \"f_regression\", \"k\": 2}}]}]}";
static const char column_spec[] = "{\"quern\": 1, \"target\": \"x3\", \"steps\": [{\"columns\": "
                                  "\"*\", \"apply\": [{\"SelectKBest\": {\"k\": 2}}]}]}";

/* Three columns, the second of which tells the class that the last one is. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 7);
    for (int i = 0; i < ROWS; i++) {
        double *row = x + (size_t)i * COLUMNS;
        row[3] = (double)(i * 7 % 3);
        row[1] += 0.125 * row[3];
    }
    return x;
}

static quern_table *table_of(const double *x, uint64_t rows, uint32_t columns)
{
    static const char *const names[] = {"x0", "x1", "x2", "x3"};
    quern_table *table;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, rows, columns, COLUMNS * sizeof *x, names,
                               &table));
    return table;
}

static quern_column target_of(const double *x)
{
    return (quern_column){
        .type = QUERN_FLOAT64, .data = x + 3, .stride = COLUMNS * (int64_t)sizeof *x};
}

/* The first two scores of a model. */
static void scores_of(const quern_model *model, double *out)
{
    char *text, *at;
    OK(quern_model_inspect(model, &text));
    at = strstr(text, "scores_");
    assert_non_null(at);
    at = strchr(at, '[');
    assert_non_null(at);
    out[0] = strtod(at + 1, &at);
    out[1] = strtod(at + 1, &at);
    quern_free(text);
}

static void same_scores(const quern_model *a, const quern_model *b, double most, const char *what)
{
    double x[2], y[2];
    scores_of(a, x);
    scores_of(b, y);
    for (int i = 0; i < 2; i++)
        if (!(fabs(x[i] - y[i]) <= most * fabs(y[i])))
            fail_msg("%s: %.17g, not %.17g", what, x[i], y[i]);
}

static void every_way_learns_the_same(const char *device, const char *beside_text,
                                      const char *column_text)
{
    quern_context *cx = fixture_context(device, 1); /* skips where there is none */
    quern_context *cpu = fixture_context("cpu", 1);
    quern_context_config config = {.max_memory = 4 << 20};
    quern_context *small = fixture_context_with("cpu", &config);
    double *x = sample();
    quern_column target = target_of(x);
    quern_table *beside = table_of(x, ROWS, 3), *all = table_of(x, ROWS, COLUMNS);
    OK(quern_table_set_target(beside, &target));
    quern_model *want = fixture_fit(cpu, beside_text, beside);
    quern_model *got = fixture_fit(cx, beside_text, beside);
    fixture_same_model(want, got, "a target beside the table");
    assert_int_equal(quern_model_outputs(got), 2);
    quern_model_free(got);
    got = fixture_fit(small, beside_text, beside);
    fixture_same_model(want, got, "in chunks");
    quern_model_free(got);
    got = fixture_fit(cx, column_text, all);
    same_scores(want, got, 0, "a target in a column");
    quern_model_free(got);
    quern_model_free(want);
    quern_table_free(beside);
    quern_table_free(all);
    OK(quern_context_close(cpu));
    OK(quern_context_close(cx));
    OK(quern_context_close(small));
    free(x);
}

static void every_way_to_a_target_learns_the_same(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    every_way_learns_the_same(devices[(size_t)*state], beside_spec, column_spec);
}

static const char near_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SelectKBest\": "
    "{\"score_func\": {\"mutual_info_classif\": {\"random_state\": 3}}, \"k\": 2}}]}]}";
static const char column_near_spec[] =
    "{\"quern\": 1, \"target\": \"x3\", \"steps\": [{\"columns\": \"*\", \"apply\": "
    "[{\"SelectKBest\": {\"score_func\": {\"mutual_info_classif\": {\"random_state\": 3}}, "
    "\"k\": 2}}]}]}";

static void every_way_to_a_target_learns_the_same_information(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    every_way_learns_the_same(devices[(size_t)*state], near_spec, column_near_spec);
}

static void every_way_to_a_targets_numbers_learns_the_same(void **state)
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    every_way_learns_the_same(devices[(size_t)*state], line_spec, column_line_spec);
}

/* A column that is the target, one that is its negative, one that does not vary. */
static void a_perfect_fit_has_the_largest_score_and_none_the_least(void **state)
{
    static const double rows[] = {1, -1, 7, 3, -3, 7, 8, -8, 7, 4, -4, 7};
    static const struct {
        const char *score;
        double want[2];
    } cases[] = {{"\"f_regression\"", {DBL_MAX, DBL_MAX}},
                 {"\"r_regression\"", {1, -1}},
                 {"{\"r_regression\": {\"center\": false}}", {1, -1}}};
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table = NULL;
    quern_column target = {.type = QUERN_FLOAT64, .data = rows, .stride = 3 * sizeof *rows};
    (void)state;
    OK(quern_table_from_matrix(rows, QUERN_FLOAT64, 4, 3, 0, NULL, &table));
    OK(quern_table_set_target(table, &target));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[256];
        double got[2];
        (void)snprintf(spec, sizeof spec,
                       "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                       "[{\"SelectKBest\": {\"score_func\": %s, \"k\": 1}}]}]}",
                       cases[i].score);
        quern_model *model = fixture_fit(cx, spec, table);
        scores_of(model, got);
        for (int k = 0; k < 2; k++)
            if (got[k] != cases[i].want[k])
                fail_msg("%s: %.17g, not %.17g", cases[i].score, got[k], cases[i].want[k]);
        quern_model_free(model);
    }
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void the_target_need_not_be_there_for_a_transform(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *all = table_of(x, 1000, COLUMNS), *rest = table_of(x, 1000, 3);
    quern_matrix out = {0};
    (void)state;
    quern_model *model = fixture_fit(cx, column_spec, all);
    OK(quern_model_transform(cx, model, rest, &out, NULL));
    assert_int_equal(out.columns, 2);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(all);
    quern_table_free(rest);
    OK(quern_context_close(cx));
    free(x);
}

static void words_are_classes_too(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    int32_t offsets[1001] = {0};
    char text[3000];
    quern_table *numbers = table_of(x, 1000, 3), *words = table_of(x, 1000, 3);
    quern_column as_numbers = target_of(x);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        offsets[i + 1] = (i + 1) * 3;
        memcpy(text + i * 3,
               x[i * COLUMNS + 3] == 0   ? "cat"
               : x[i * COLUMNS + 3] == 1 ? "dog"
                                         : "eel",
               3);
    }
    quern_column as_words = {
        .type = QUERN_STRING, .data = text, .offsets = offsets, .offset_bits = 32};
    OK(quern_table_set_target(numbers, &as_numbers));
    OK(quern_table_set_target(words, &as_words));
    quern_model *a = fixture_fit(cx, beside_spec, numbers),
                *b = fixture_fit(cx, beside_spec, words);
    fixture_same_model(a, b, "words");
    quern_model_free(a);
    quern_model_free(b);
    quern_table_free(numbers);
    quern_table_free(words);
    OK(quern_context_close(cx));
    free(x);
}

static void stored_zeros_or_not_score_like_the_dense_rows(void **state)
{
    static const int64_t indptr[] = {0, 2, 3, 5, 6, 6, 8};
    static const int64_t indices[] = {0, 1, 0, 0, 1, 1, 0, 1};
    static const double data[] = {1, 4, 2, 3, 5, 6, 7, 0};
    static const double rows[] = {1, 4, 2, 0, 3, 5, 0, 6, 0, 0, 7, 0};
    static const int32_t codes[] = {0, 0, 1, 1, 1, 0};
    static const char *const specs[] = {
        beside_spec, line_spec,
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SelectKBest\": "
        "{\"score_func\": \"chi2\", \"k\": 2}}]}]}"};
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *sparse, *dense;
    quern_column target = {.type = QUERN_INT32, .data = codes};
    (void)state;
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, 6, 2, indptr, indices, 64, data, QUERN_FLOAT64,
                               NULL, &sparse));
    OK(quern_table_from_matrix(rows, QUERN_FLOAT64, 6, 2, 0, NULL, &dense));
    OK(quern_table_set_target(sparse, &target));
    OK(quern_table_set_target(dense, &target));
    for (int i = 0; i < 3; i++) {
        quern_model *a = fixture_fit(cx, specs[i], sparse), *b = fixture_fit(cx, specs[i], dense);
        same_scores(a, b, 1e-14, specs[i]);
        quern_model_free(a);
        quern_model_free(b);
    }
    quern_table_free(sparse);
    quern_table_free(dense);
    OK(quern_context_close(cx));
}

static void refuse(quern_context *cx, const char *spec, const quern_table *table, const char *why)
{
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_model *model = NULL;
    assert_int_not_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_OK);
    if (strstr(quern_last_error(), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", quern_last_error(), why);
    quern_pipeline_free(pipeline);
}

static void what_cannot_be_learned_is_refused_with_the_place(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample(), *w = malloc(ROWS * sizeof *w);
    quern_table *table = table_of(x, 1000, 3);
    quern_column target = target_of(x);
    (void)state;
    refuse(cx, beside_spec, table, "against a target");
    OK(quern_table_set_target(table, &target));
    x[5 * COLUMNS + 3] = (double)NAN;
    refuse(cx, beside_spec, table, "row 5: the target is missing");
    refuse(cx, line_spec, table, "row 5: the target is missing");
    x[5 * COLUMNS + 3] = (double)INFINITY;
    refuse(cx, line_spec, table, "row 5: the target is infinite");
    x[5 * COLUMNS + 3] = 1;
    x[8 * COLUMNS + 1] = (double)NAN;
    refuse(cx, beside_spec, table, "column \"x1\" has missing values");
    refuse(cx, line_spec, table, "column \"x1\" has missing values");
    x[8 * COLUMNS + 1] = (double)INFINITY;
    refuse(cx, beside_spec, table, "column \"x1\" has infinite values");
    x[8 * COLUMNS + 1] = -1;
    refuse(cx,
           "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"SelectFpr\": "
           "{\"score_func\": \"chi2\"}}]}]}",
           table, "has negative values");
    refuse(cx,
           "{\"quern\": 1, \"target\": \"x1\", \"steps\": [{\"columns\": [0], \"apply\": "
           "[\"SelectFpr\"]}]}",
           table, "has another target");
    for (int i = 0; i < ROWS; i++) w[i] = 1;
    OK(quern_table_set_weights(table, w));
    refuse(cx, beside_spec, table, "no weights");
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
    free(w);
}

static void options_that_a_score_does_not_have_are_refused(void **state)
{
    static const struct {
        const char *select, *why;
    } cases[] = {
        {"\"SelectKBest\": {\"score_func\": \"f_regresion\"}", "one of f_classif"},
        {"\"SelectKBest\": {\"score_func\": {\"f_regression\": {\"centre\": true}}}",
         "no option \"centre\"; did you mean \"center\"?"},
        {"\"SelectKBest\": {\"score_func\": {\"chi2\": {\"center\": true}}}", "chi2 has no option"},
        {"\"SelectKBest\": {\"score_func\": {\"r_regression\": {\"center\": 1}}}",
         "center of r_regression must be true or false"},
        {"\"SelectFpr\": {\"score_func\": \"r_regression\"}", "selects by p-values"},
        {"\"SelectFwe\": {\"score_func\": \"mutual_info_classif\"}", "selects by p-values"},
        {"\"SelectKBest\": {\"score_func\": {\"mutual_info_classif\": {\"n_neighbors\": 0}}}",
         "n_neighbors of mutual_info_classif must be an integer >= 1"},
        {"\"SelectKBest\": {\"score_func\": {\"mutual_info_regression\": "
         "{\"discrete_features\": [\"a\"]}}}",
         "must be \"auto\", true, false or a list of positions"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[400];
        quern_pipeline *pipeline = NULL;
        (void)snprintf(spec, sizeof spec,
                       "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{%s}]}]}",
                       cases[i].select);
        assert_int_equal(quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline),
                         QUERN_INVALID);
        if (strstr(quern_last_error(), cases[i].why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", quern_last_error(), cases[i].why);
    }
}

static void a_model_without_scores_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *table = table_of(x, 1000, COLUMNS);
    quern_model *other;
    void *bytes;
    size_t size;
    (void)state;
    quern_model *model = fixture_fit(cx, column_spec, table);
    OK(quern_model_to_bytes(model, &bytes, &size));
    OK(quern_model_from_bytes("whole", bytes, size, &other));
    fixture_same_model(model, other, __func__);
    quern_model_free(other);
    for (char *at = bytes; at + 8 < (char *)bytes + size; at++)
        if (memcmp(at, "/scores_", 8) == 0) at[1] = 'S';
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
        {"every_way_to_a_target_learns_the_same@cpu", every_way_to_a_target_learns_the_same, NULL,
         NULL, (void *)0},
        {"every_way_to_a_target_learns_the_same@opencl:0", every_way_to_a_target_learns_the_same,
         NULL, NULL, (void *)1},
        {"every_way_to_a_target_learns_the_same@cuda:0", every_way_to_a_target_learns_the_same,
         NULL, NULL, (void *)2},
        {"every_way_to_a_targets_numbers_learns_the_same@cpu",
         every_way_to_a_targets_numbers_learns_the_same, NULL, NULL, (void *)0},
        {"every_way_to_a_targets_numbers_learns_the_same@opencl:0",
         every_way_to_a_targets_numbers_learns_the_same, NULL, NULL, (void *)1},
        {"every_way_to_a_targets_numbers_learns_the_same@cuda:0",
         every_way_to_a_targets_numbers_learns_the_same, NULL, NULL, (void *)2},
        {"every_way_to_a_target_learns_the_same_information@cpu",
         every_way_to_a_target_learns_the_same_information, NULL, NULL, (void *)0},
        {"every_way_to_a_target_learns_the_same_information@opencl:0",
         every_way_to_a_target_learns_the_same_information, NULL, NULL, (void *)1},
        {"every_way_to_a_target_learns_the_same_information@cuda:0",
         every_way_to_a_target_learns_the_same_information, NULL, NULL, (void *)2},
        cmocka_unit_test(a_perfect_fit_has_the_largest_score_and_none_the_least),
        cmocka_unit_test(the_target_need_not_be_there_for_a_transform),
        cmocka_unit_test(words_are_classes_too),
        cmocka_unit_test(stored_zeros_or_not_score_like_the_dense_rows),
        cmocka_unit_test(what_cannot_be_learned_is_refused_with_the_place),
        cmocka_unit_test(options_that_a_score_does_not_have_are_refused),
        cmocka_unit_test(a_model_without_scores_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
