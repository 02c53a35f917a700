/* SPDX-License-Identifier: Apache-2.0
 * Fits that draw rows: the same model wherever and however the rows lie, seeds, generators, refusals. Which
 * rows are drawn, tests/unit/test_draw.c says; tests/parity and python/tests compare with scikit-learn. */
#define _DEFAULT_SOURCE 1 /* mkstemps */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 3000, COLUMNS = 3 };
#define SPEC(apply)                                                                                \
    "{\"quern\": 1, \"steps\": [{\"columns\": [\"x0\", \"x1\", \"x2\"], \"apply\": [" apply "]}]}"
#define MAP(words) "{\"QuantileTransformer\": {\"n_quantiles\": 40, \"subsample\": 200" words "}}"
#define BINS(words)                                                                                \
    "{\"KBinsDiscretizer\": {\"n_bins\": 7, \"encode\": \"ordinal\", \"subsample\": 200" words "}" \
    "}"
#define IMPUTE "{\"SimpleImputer\": {}}"
static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};

static const char *const specs[] = {
    SPEC(MAP("")),
    SPEC(IMPUTE ", " MAP(", \"random_state\": 7")),
    SPEC(IMPUTE ", " BINS("")),
    SPEC(IMPUTE ", " BINS(", \"strategy\": \"uniform\", \"random_state\": 1")),
    SPEC(IMPUTE ", " BINS(", \"strategy\": \"kmeans\"")),
    SPEC(IMPUTE ", \"Normalizer\", " MAP(", \"random_state\": 2")), /* rows of a later layer */
};
enum { SPECS = sizeof specs / sizeof specs[0] };

static quern_model *fit_matrix(quern_context *cx, const char *spec, quern_type type, const void *x)
{
    quern_table *table;
    OK(quern_table_from_matrix(x, type, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    quern_table_free(table);
    return model;
}

/* The same numbers by columns, missing cells by bitmaps. */
static quern_model *fit_columns(quern_context *cx, const char *spec, const double *x)
{
    static const char *const names[] = {"x0", "x1", "x2"};
    quern_column columns[COLUMNS] = {0};
    double *values = malloc(ROWS * COLUMNS * sizeof *values);
    uint8_t *valid = calloc(COLUMNS, ROWS / 8 + 2);
    quern_table *table;
    if (values == NULL || valid == NULL) abort();
    for (int c = 0; c < COLUMNS; c++) {
        uint8_t *bits = valid + c * (ROWS / 8 + 2);
        columns[c] = (quern_column){.name = names[c],
                                    .type = QUERN_FLOAT64,
                                    .data = values + c * ROWS,
                                    .validity = bits,
                                    .validity_offset = 3};
        for (int i = 0; i < ROWS; i++) {
            double v = x[i * COLUMNS + c];
            values[c * ROWS + i] = v == v ? v : 77;
            if (v == v) bits[(i + 3) / 8] |= (uint8_t)(1u << (i + 3) % 8);
        }
    }
    OK(quern_table_create(columns, COLUMNS, ROWS, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    quern_table_free(table);
    free(values);
    free(valid);
    return model;
}

static quern_model *fit_uploaded(quern_context *cx, const char *spec, const double *x)
{
    quern_table *table, *there;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_table_upload(cx, table, &there));
    quern_model *model = fixture_fit(cx, spec, there);
    quern_table_free(there);
    quern_table_free(table);
    return model;
}

/* What was learned, without the spec and the input's types. */
static void same_numbers(const quern_model *a, const quern_model *b, const char *attribute,
                         const char *where)
{
    char *x, *y;
    OK(quern_model_inspect(a, &x));
    OK(quern_model_inspect(b, &y));
    const char *from = strstr(x, attribute), *to = strstr(y, attribute);
    assert_true(from != NULL && to != NULL);
    if (strncmp(from, to, strcspn(to, "]")) != 0) fail_msg("%s: other %s", where, attribute);
    quern_free(x);
    quern_free(y);
}

static void places_and_layouts_draw_the_same_rows(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 0);
    quern_context *cpu = fixture_context("cpu", 1);
    double *x = fixture_f64(ROWS, COLUMNS, 20, 3);
    float *f = fixture_f32(ROWS, COLUMNS, 20, 3);
    for (size_t k = 0; k < SPECS; k++) {
        const char *attribute =
            strstr(specs[k], "KBins") != NULL ? "\"bin_edges_\"" : "\"quantiles_\"";
        quern_model *want = fit_matrix(cpu, specs[k], QUERN_FLOAT64, x);
        quern_model *got = fit_matrix(cx, specs[k], QUERN_FLOAT64, x);
        fixture_same_model(want, got, specs[k]);
        quern_model_free(got);
        got = fit_columns(cx, specs[k], x);
        if (strstr(specs[k], "Normalizer") == NULL) same_numbers(want, got, attribute, specs[k]);
        quern_model_free(got);
        if (*state != NULL) {
            got = fit_uploaded(cx, specs[k], x);
            fixture_same_model(want, got, specs[k]);
            quern_model_free(got);
        }
        quern_model_free(want);
        want = fit_matrix(cpu, specs[k], QUERN_FLOAT32, f);
        got = fit_matrix(cx, specs[k], QUERN_FLOAT32, f);
        fixture_same_model(want, got, specs[k]);
        quern_model_free(want);
        quern_model_free(got);
    }
    free(x);
    free(f);
    OK(quern_context_close(cx));
    OK(quern_context_close(cpu));
}

/* A file that is read in chunks, with and without weights. */
static void chunks_draw_the_same_rows(void **state)
{
    enum { MANY = 300000 };
    static const char *const many[] = {
        SPEC(MAP(", \"random_state\": 4")),
        "{\"quern\": 1, \"weight\": \"x2\", \"steps\": [{\"columns\": [\"x0\", \"x1\"], \"apply\": "
        "[" BINS("") "]}]}"};
    char path[] = "/tmp/quern-draw-XXXXXX.csv";
    int fd = mkstemps(path, 4);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    quern_context_config config = {.max_memory = 20 << 20};
    (void)state;
    assert_non_null(file);
    fprintf(file, "x0,x1,x2\n");
    for (int i = 0; i < MANY; i++)
        fprintf(file, "%d.25,%d,%d.5\n", i % 977, (i * 7) % 10009, i % 4);
    assert_int_equal(fclose(file), 0);
    for (size_t k = 0; k < 2; k++) {
        quern_context *cpu = fixture_context("cpu", 1),
                      *small = fixture_context_with("cpu", &config);
        quern_pipeline *pipeline = fixture_pipeline(many[k]);
        quern_job job = {.struct_size = sizeof job, .input = path, .no_transform = 1};
        quern_job_info info = {.struct_size = sizeof info};
        quern_model *want, *got;
        OK(quern_run(cpu, pipeline, &job, &info, &want));
        assert_int_equal(info.streamed, 0);
        OK(quern_run(small, pipeline, &job, &info, &got));
        assert_int_equal(info.streamed, 1);
        fixture_same_model(want, got, many[k]);
        quern_model_free(want);
        quern_model_free(got);
        quern_pipeline_free(pipeline);
        OK(quern_context_close(small));
        OK(quern_context_close(cpu));
    }
    (void)unlink(path);
}

/* As many rows as there are, or more, draw nothing; an infinity is found in any row. */
static void all_rows_count_where_nothing_is_drawn_and_for_infinities(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = fixture_f64(ROWS, COLUMNS, 0, 5);
    quern_model *all =
        fit_matrix(cx, SPEC("{\"QuantileTransformer\": {\"subsample\": null}}"), QUERN_FLOAT64, x);
    quern_model *same =
        fit_matrix(cx, SPEC("{\"QuantileTransformer\": {\"subsample\": 3000}}"), QUERN_FLOAT64, x);
    same_numbers(all, same, "\"quantiles_\"", __func__);
    quern_pipeline *pipeline = fixture_pipeline(specs[0]);
    quern_table *table;
    quern_model *model;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    for (int i = 0; i < ROWS * COLUMNS; i += 1201) {
        double before = x[i];
        x[i] = -HUGE_VAL;
        assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
        assert_non_null(strstr(quern_last_error(), "has infinite values"));
        x[i] = before;
    }
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    quern_model_free(all);
    quern_model_free(same);
    OK(quern_context_close(cx));
    free(x);
}

/* Null is the seed 0, or the table's generator, which moves on; a seed leaves that alone. */
static void seeds_and_the_tables_generator(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = fixture_f64(ROWS, COLUMNS, 0, 6);
    uint32_t words[625], before[625];
    quern_table *table;
    (void)state;
    for (uint32_t i = 0, seed = 0; i < 624; i++) { /* RandomState(0) */
        words[i] = seed;
        seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
    }
    words[624] = 624;
    memcpy(before, words, sizeof words);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *null = fixture_fit(cx, specs[0], table);
    quern_model *zero = fixture_fit(cx, SPEC(MAP(", \"random_state\": 0")), table);
    same_numbers(null, zero, "\"quantiles_\"", "null");
    OK(quern_table_set_random_state(table, words));
    quern_model *first = fixture_fit(cx, specs[0], table);
    same_numbers(null, first, "\"quantiles_\"", "the table's generator");
    assert_memory_not_equal(words, before, sizeof words);
    memcpy(before, words, sizeof words);
    quern_model *seeded = fixture_fit(cx, SPEC(MAP(", \"random_state\": 0")), table);
    assert_memory_equal(words, before, sizeof words);
    words[624] = 625;
    assert_int_equal(quern_table_set_random_state(table, words), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "position is 625"));
    quern_model_free(null);
    quern_model_free(zero);
    quern_model_free(first);
    quern_model_free(seeded);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void what_a_draw_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *spec, *says;
    } cases[] = {
        {SPEC("{\"QuantileTransformer\": {\"n_quantiles\": 300, \"subsample\": 200}}"),
         "n_quantiles is 300, more than the 200 rows of subsample"},
        {SPEC("{\"QuantileTransformer\": {\"subsample\": 0}}"), "null or an integer >= 1"},
        {SPEC("{\"KBinsDiscretizer\": {\"subsample\": 2.5}}"), "null or an integer >= 1"},
        {SPEC("{\"KBinsDiscretizer\": {\"random_state\": 4294967296}}"),
         "null or an integer from 0 to 4294967295"},
        {SPEC("{\"KBinsDiscretizer\": {\"random_state\": -1}}"),
         "null or an integer from 0 to 4294967295"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        quern_pipeline *pipeline;
        assert_int_equal(
            quern_pipeline_from_spec("spec", cases[k].spec, strlen(cases[k].spec), &pipeline),
            QUERN_INVALID);
        if (strstr(quern_last_error(), cases[k].says) == NULL)
            fail_msg("%s: %s", cases[k].spec, quern_last_error());
    }
}

#define ON_DEVICES(test)                                                                           \
    {#test "@cpu", test, NULL, NULL, (void *)0}, {#test "@opencl:0", test, NULL, NULL, (void *)1}, \
    {                                                                                              \
#test "@cuda:0", test, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DEVICES(places_and_layouts_draw_the_same_rows),
        cmocka_unit_test(chunks_draw_the_same_rows),
        ON_DEVICES(all_rows_count_where_nothing_is_drawn_and_for_infinities),
        cmocka_unit_test(seeds_and_the_tables_generator),
        cmocka_unit_test(what_a_draw_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
