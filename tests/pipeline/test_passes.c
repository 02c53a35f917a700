/* SPDX-License-Identifier: Apache-2.0
 * The passes over the rows that a plan, a model and `quern inspect` tell are those that are made: by the
 * ledger for tables in memory, by the reader's own count for files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "host/api/api.h"
#include "host/data/csv.h"
#include "tests/pipeline/fixture.h"

enum { ROWS = 3000 };

struct rows {
    double a[ROWS], b[ROWS];
    float f[ROWS];
    int64_t whole[ROWS], y[ROWS];
    int32_t offsets[ROWS + 1];
    char text[ROWS];
};

static quern_table *make(struct rows *r)
{
    quern_table *table;
    double *a = fixture_f64(ROWS, 1, 50, 3), *b = fixture_f64(ROWS, 1, 0, 4);
    float *f = fixture_f32(ROWS, 1, 30, 5);
    memcpy(r->a, a, sizeof r->a);
    memcpy(r->b, b, sizeof r->b);
    memcpy(r->f, f, sizeof r->f);
    free(a);
    free(b);
    free(f);
    for (int i = 0; i < ROWS; i++) {
        r->whole[i] = i * 7919 % 40;
        r->y[i] = i % 3;
        r->text[i] = (char)('a' + i % 5);
        r->offsets[i + 1] = i + 1;
    }
    const quern_column columns[] = {
        {.name = "a", .type = QUERN_FLOAT64, .data = r->a, .stride = 8},
        {.name = "b", .type = QUERN_FLOAT64, .data = r->b, .stride = 8},
        {.name = "f", .type = QUERN_FLOAT32, .data = r->f, .stride = 4},
        {.name = "whole", .type = QUERN_INT64, .data = r->whole, .stride = 8},
        {.name = "word",
         .type = QUERN_STRING,
         .data = r->text,
         .offsets = r->offsets,
         .offset_bits = 32},
        {.name = "y", .type = QUERN_INT64, .data = r->y, .stride = 8},
    };
    OK(quern_table_create(columns, 6, ROWS, &table));
    return table;
}

#define STEP(columns, apply)                                                                       \
    "{\"quern\": 1, \"target\": \"y\", \"steps\": [{\"columns\": " columns ", \"apply\": [" apply  \
    "]}]}"
#define IMPUTE "{\"SimpleImputer\": {\"strategy\": \"median\"}}"

static const struct {
    const char *spec;
    uint32_t fit;
    const char *takes; /* of the first pass; NULL: there is none */
} cases[] = {
    {STEP("[\"a\", \"f\"]", "\"StandardScaler\""), 1, "moments"},
    {STEP("[\"a\", \"b\"]", "\"SimpleImputer\", \"StandardScaler\""), 1, "moments"},
    {STEP("[\"a\", \"b\"]", IMPUTE ", \"StandardScaler\""), 2, "moments"},
    {STEP("[\"a\"]", "\"RobustScaler\", \"RobustScaler\""), 4, "extremes"},
    {STEP("[\"b\", \"whole\"]", "\"Normalizer\", \"Binarizer\""), 0, NULL},
    {STEP("[\"b\", \"whole\"]", "\"Normalizer\", \"StandardScaler\""), 1, "moments"},
    {STEP("[\"word\", \"whole\"]", "\"OneHotEncoder\""), 1, "categories"},
    {"{\"quern\": 1, \"steps\": [{\"name\": \"p\", \"columns\": [\"word\"], \"apply\": "
     "\"OneHotEncoder\"}, {\"name\": \"q\", \"columns\": [\"word\", \"whole\"], \"apply\": "
     "\"OrdinalEncoder\"}, {\"name\": \"r\", \"columns\": [\"f\", \"a\"], \"apply\": [" IMPUTE
     "]}, "
     "{\"name\": \"s\", \"columns\": [\"f\"], \"apply\": [" IMPUTE ", \"StandardScaler\"]}], "
     "\"then\": [\"MinMaxScaler\"]}",
     4, "moments"},
    {STEP("[\"a\", \"b\", \"f\"]", "{\"KNNImputer\": {}}, \"StandardScaler\""), 2, "rows"},
    {STEP("[\"a\", \"b\", \"f\"]", "{\"IterativeImputer\": {\"max_iter\": 2}}"), 2, "moments"},
    {STEP("[\"b\", \"whole\"]", "{\"SelectKBest\": {\"k\": 1}}"), 2, "target_classes"},
    {STEP("[\"b\", \"whole\"]", "\"PolynomialFeatures\", \"MaxAbsScaler\""), 1, "extremes"},
    {STEP("[\"b\"]", "{\"KBinsDiscretizer\": {\"encode\": \"ordinal\"}}"), 2, "extremes"},
    {STEP("[\"b\"]", "\"PowerTransformer\""), 0, "extremes"},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static json_t *inspect(const quern_model *model)
{
    char *text;
    OK(quern_model_inspect(model, &text));
    json_t *root = json_loads(text, 0, NULL);
    quern_free(text);
    assert_non_null(root);
    return root;
}

/* What is told of the model: as many as were made, and the first takes what it should. */
static void compare(const quern_model *model, uint64_t made, uint32_t k)
{
    quern_passes p = {.struct_size = sizeof p};
    OK(quern_model_passes(model, &p));
    json_t *root = inspect(model), *told = json_object_get(root, "passes");
    json_t *takes = json_object_get(told, "takes"), *first = json_array_get(takes, 0), *kind;
    size_t i, found = 0;
    if (!p.fit_known || p.fit != made)
        fail_msg("case %u: %u passes are told, %llu were made", k, p.fit, (unsigned long long)made);
    assert_int_equal(json_integer_value(json_object_get(told, "fit")), made);
    assert_int_equal(json_array_size(takes), made);
    json_array_foreach(first, i, kind) found |=
        cases[k].takes != NULL && strcmp(json_string_value(kind), cases[k].takes) == 0;
    if (cases[k].takes != NULL && !found) fail_msg("case %u: no %s", k, cases[k].takes);
    json_decref(root);
}

static uint64_t passes_of(quern_context *cx)
{
    quern_ledger l = {.struct_size = sizeof l};
    quern_context_ledger(cx, &l);
    return l.passes;
}

static void the_passes_that_are_told_are_made(void **state)
{
    static struct rows rows;
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table = make(&rows);
    (void)state;
    for (uint32_t k = 0; k < CASES; k++) {
        uint64_t before = passes_of(cx);
        quern_model *again, *model = fixture_fit(cx, cases[k].spec, table);
        uint64_t made = passes_of(cx) - before;
        if (cases[k].fit != 0 || cases[k].takes == NULL)
            if (made != cases[k].fit) fail_msg("case %u made %llu", k, (unsigned long long)made);
        compare(model, made, k);
        void *bytes;
        size_t size;
        OK(quern_model_to_bytes(model, &bytes, &size));
        OK(quern_model_from_bytes("m", bytes, size, &again));
        compare(again, made, k); /* the file says it too */
        quern_free(bytes);
        quern_matrix matrix = {0};
        before = passes_of(cx);
        OK(quern_model_transform(cx, again, table, &matrix, NULL));
        assert_int_equal(passes_of(cx) - before, 1);
        quern_matrix_free(&matrix);
        quern_model_free(again);
        quern_model_free(model);
    }
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* A sparse table's statistics are taken in one walk a round; its model has the dense one's bytes. */
static void a_sparse_fit_tells_the_dense_ones_passes(void **state)
{
    enum { ENTRIES = 900, COLUMNS = 3 };
    static int64_t start[ENTRIES / 2 + 1];
    static int64_t column[ENTRIES];
    static double value[ENTRIES];
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"RobustScaler\": "
        "{\"with_centering\": false}}, \"MaxAbsScaler\"]}]}";
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table;
    (void)state;
    for (int i = 0; i < ENTRIES; i++) {
        column[i] = i % 2 + i / 2 % 2;
        value[i] = i * 31 % 17 - 8;
        start[i / 2 + 1] = i + 1;
    }
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, ENTRIES / 2, COLUMNS, start, column, 64, value,
                               QUERN_FLOAT64, NULL, &table));
    uint64_t before = passes_of(cx);
    quern_model *model = fixture_fit(cx, spec, table);
    quern_passes p = {.struct_size = sizeof p};
    OK(quern_model_passes(model, &p));
    assert_int_equal(passes_of(cx) - before, 2);
    assert_int_equal(p.fit, 3);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* ---- files ---- */

enum { LINES = 140000 };

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "a,b,word\n");
    for (int i = 0; i < LINES; i++) {
        if (i % 11 == 0)
            (void)fprintf(file, ",");
        else
            (void)fprintf(file, "%d.%d,", i * 7919 % 1000, i % 10);
        (void)fprintf(file, "%d.5,%c\n", i % 977, 'a' + i % 7);
    }
    assert_int_equal(fclose(file), 0);
}

static const char file_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": [\"a\", \"b\"], \"apply\": [" IMPUTE
    ", \"StandardScaler\"]}, {\"columns\": [\"word\"], \"apply\": \"OneHotEncoder\"}], \"then\": "
    "[\"MaxAbsScaler\"]}";

static json_t *plan(quern_context *cx, const quern_pipeline *pipeline, const char *path)
{
    char *text;
    OK(quern_pipeline_plan(cx, pipeline, path, &text));
    json_t *root = json_loads(text, 0, NULL);
    quern_free(text);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "rows")), LINES);
    return root;
}

static json_int_t told(const json_t *root, const char *what)
{
    return json_integer_value(json_object_get(json_object_get(root, "passes"), what));
}

/* The reader counts how often it goes through the file for a fit in chunks. */
static uint32_t passes_over(quern_context *cx, const quern_pipeline *pipeline, const char *path)
{
    struct qn_csv_options options = {.max_memory = 1 << 20};
    struct qn_csv_stream *stream;
    struct qn_spec *spec;
    quern_model *model;
    OK(qn_csv_open(path, &options, cx->threads, &stream));
    uint32_t inferring = qn_csv_passes(stream);
    const struct quern_table *schema = qn_csv_schema(stream);
    struct qn_feed feed = {.stream = stream, .chunk = QN_GROUP_ROWS, .rows = schema->rows};
    OK(qn_pipeline_spec(pipeline, &spec));
    OK(qn_fit(cx, spec, schema, &feed, NULL, &model));
    uint32_t made = qn_csv_passes(stream) - inferring;
    quern_model_free(model);
    qn_feed_close(&feed);
    qn_csv_close(stream);
    return made;
}

static void a_plan_tells_the_passes_over_a_file(void **state)
{
    char folder[] = "/tmp/quern-passes-XXXXXX", path[64], out[64];
    quern_context_config config = {.struct_size = sizeof config, .max_memory = 6 << 20};
    quern_context *small = fixture_context_with("cpu", &config), *large = fixture_context("cpu", 1);
    quern_pipeline *pipeline = fixture_pipeline(file_spec);
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rows.csv", folder);
    (void)snprintf(out, sizeof out, "%s/out.csv", folder);
    write_file(path);

    json_t *root = plan(large, pipeline, path);
    assert_true(json_is_false(json_object_get(root, "streamed")));
    uint64_t before = passes_of(large);
    quern_job job = {.struct_size = sizeof job, .input = path, .output = out};
    OK(quern_run(large, pipeline, &job, NULL, NULL));
    assert_int_equal(passes_of(large) - before, told(root, "fit") + told(root, "transform"));
    json_decref(root);

    root = plan(small, pipeline, path);
    assert_true(json_is_true(json_object_get(root, "streamed")));
    assert_int_equal(told(root, "fit"), passes_over(small, pipeline, path));
    quern_job_info info = {.struct_size = sizeof info};
    OK(quern_run(small, pipeline, &job, &info, NULL));
    assert_true(info.streamed);
    assert_int_equal(info.passes, told(root, "read") + told(root, "fit") + told(root, "transform"));
    json_decref(root);

    quern_pipeline_free(pipeline);
    OK(quern_context_close(small));
    OK(quern_context_close(large));
    (void)unlink(path);
    (void)unlink(out);
    (void)rmdir(folder);
}

/* Files of before had none, and a wrong one is no model. */
static void a_model_may_not_know_its_fits_passes(void **state)
{
    static struct rows rows;
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table = make(&rows);
    quern_model *model = fixture_fit(cx, cases[2].spec, table), *again;
    quern_passes p = {.struct_size = sizeof p};
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_model_to_bytes(model, &bytes, &size));
    char *copy = malloc(size), *at = NULL;
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    for (size_t i = 0; i + 8 < size && at == NULL; i++)
        if (memcmp(copy + i, "\"passes\"", 8) == 0) at = copy + i;
    assert_non_null(at);
    at[1] = 'q'; /* a key that nobody reads */
    OK(quern_model_from_bytes("m", copy, size, &again));
    OK(quern_model_passes(again, &p));
    assert_false(p.fit_known);
    assert_int_equal(p.transform, 1);
    json_t *root = inspect(again);
    assert_true(json_is_null(json_object_get(json_object_get(root, "passes"), "fit")));
    json_decref(root);
    quern_model_free(again);
    at[1] = 'p';
    at[16] ^= 1;
    assert_int_equal(quern_model_from_bytes("m", copy, size, &again), QUERN_CORRUPT);
    free(copy);
    quern_free(bytes);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_passes_that_are_told_are_made),
        cmocka_unit_test(a_sparse_fit_tells_the_dense_ones_passes),
        cmocka_unit_test(a_plan_tells_the_passes_over_a_file),
        cmocka_unit_test(a_model_may_not_know_its_fits_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
