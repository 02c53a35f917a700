/* SPDX-License-Identifier: Apache-2.0
 * Fits by pushes: any cut of the rows gives the model of one fit of all of them, also through bytes in
 * between; what the bytes must be, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "host/core/checked.h"
#include "tests/pipeline/fixture.h"

static quern_context *cpu;

static int open_cpu(void **state)
{
    (void)state;
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 2};
    return quern_context_open(&config, &cpu) == QUERN_OK ? 0 : -1;
}

static int close_cpu(void **state)
{
    (void)state;
    return quern_context_close(cpu) == QUERN_OK ? 0 : -1;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- tables of every kind of column ---- */

enum { TYPES = 7 };
static const quern_type types[TYPES] = {QUERN_FLOAT64, QUERN_FLOAT32, QUERN_INT64, QUERN_UINT64,
                                        QUERN_INT16,   QUERN_BOOL,    QUERN_UINT8};
static const size_t widths[TYPES] = {8, 4, 8, 8, 2, 1, 1};

struct rows {
    uint64_t n;
    char *data[TYPES];
    uint8_t *valid; /* of columns 2, 4 and 5 */
    double *weights;
};

static void make_rows(struct rows *r, uint64_t n, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    r->n = n;
    for (int c = 0; c < TYPES; c++) {
        r->data[c] = malloc(n * widths[c] + 1);
        assert_non_null(r->data[c]);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t bits = next(&state);
            double real = next(&state) % 20 == 0 ? (double)NAN : (double)(bits >> 20) * 0x1p-30;
            float small = (float)real;
            uint8_t flag = bits & 1;
            if (c == 0) memcpy(r->data[c] + i * 8, &real, 8);
            if (c == 1) memcpy(r->data[c] + i * 4, &small, 4);
            if (c == 5) memcpy(r->data[c] + i, &flag, 1);
            if (c > 1 && c != 5) memcpy(r->data[c] + i * widths[c], &bits, widths[c]);
        }
    }
    r->valid = malloc(n / 8 + 1);
    r->weights = malloc(n * sizeof(double) + 1);
    assert_true(r->valid != NULL && r->weights != NULL);
    for (uint64_t i = 0; i <= n / 8; i++) {
        uint64_t bits = next(&state);
        r->valid[i] = (uint8_t)(bits | bits >> 20); /* three of four */
    }
    for (uint64_t i = 0; i < n; i++)
        r->weights[i] = next(&state) % 4 == 0 ? 0 : (double)(next(&state) % 1000) / 64;
}

static void free_rows(struct rows *r)
{
    for (int c = 0; c < TYPES; c++) free(r->data[c]);
    free(r->valid);
    free(r->weights);
}

/* Rows [from, from + n) as a view. nulls: the bitmaps are there. */
static quern_table *view(const struct rows *r, uint64_t from, uint64_t n, int nulls, int weighted)
{
    static const char *const names[TYPES] = {"f64", "f32", "i64", "u64", "i16", "bool", "u8"};
    quern_column columns[TYPES] = {{0}};
    quern_table *table;
    for (int c = 0; c < TYPES; c++) {
        columns[c].name = names[c];
        columns[c].type = types[c];
        columns[c].data = r->data[c] + from * widths[c];
        if (!nulls || (c != 2 && c != 4 && c != 5)) continue;
        columns[c].validity = r->valid;
        columns[c].validity_offset = (int64_t)from;
    }
    OK(quern_table_create(columns, TYPES, n, &table));
    if (weighted) OK(quern_table_set_weights(table, r->weights + from));
    return table;
}

/* ---- comparing ---- */

static void assert_bytes(const void *a, size_t n, const void *b, size_t m, const char *what)
{
    if (n != m || memcmp(a, b, n) != 0) fail_msg("%s: %zu and %zu bytes that differ", what, n, m);
}

static quern_model *one_fit(const quern_pipeline *pipeline, const struct rows *r, uint64_t n,
                            int nulls, int weighted)
{
    quern_table *table = view(r, 0, n, nulls, weighted);
    quern_model *model;
    OK(quern_pipeline_fit(cpu, pipeline, table, &model));
    quern_table_free(table);
    return model;
}

/* Saves the fit and goes on with what is read back, which is saved to the same bytes. */
static quern_fit *through_bytes(quern_fit *fit)
{
    void *bytes, *again;
    size_t size, other;
    OK(quern_fit_to_bytes(fit, &bytes, &size));
    quern_fit_cancel(fit);
    OK(quern_fit_from_bytes(cpu, "state", bytes, size, &fit));
    OK(quern_fit_to_bytes(fit, &again, &other));
    assert_bytes(bytes, size, again, other, "a state read and written");
    quern_free(bytes);
    quern_free(again);
    return fit;
}

static void push_view(quern_fit *fit, const struct rows *r, uint64_t from, uint64_t n, int nulls,
                      int weighted)
{
    quern_table *chunk = view(r, from, n, nulls, weighted);
    OK(quern_fit_push(fit, chunk));
    quern_table_free(chunk);
}

static const char *const specs[] = {
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": \"StandardScaler\"}]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": \"MinMaxScaler\"}]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": [\"f64\", \"i16\"], \"apply\": [\"passthrough\", "
    "{\"StandardScaler\": {\"with_mean\": false, \"with_std\": false}}, \"Binarizer\"]}, "
    "{\"name\": \"a\", \"columns\": [\"u8\", \"f64\", \"bool\"], \"apply\": \"MaxAbsScaler\"}, "
    "{\"name\": \"b\", \"columns\": [\"f64\", \"f32\"], \"apply\": \"StandardScaler\"}, "
    "{\"name\": \"c\", \"columns\": [\"u64\"], \"apply\": [\"MinMaxScaler\", \"Normalizer\"]}], "
    "\"remainder\": \"passthrough\", \"then\": [\"Binarizer\"]}",
    "{\"quern\": 1, \"steps\": [{\"columns\": [\"u8\", \"f32\"], \"apply\": \"passthrough\"}]}",
    ("{\"quern\": 1, \"steps\": [{\"columns\": [\"u8\", \"i16\"], \"apply\": [\"StandardScaler\", "
     "\"PolynomialFeatures\"]}], \"then\": [\"Normalizer\"]}"),
};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* ---- tests ---- */

static void any_cut_gives_the_model_of_one_fit(void **state)
{
    enum { MANY = 150000 };
    struct rows r;
    uint64_t seed = 77;
    char what[80];
    (void)state;
    make_rows(&r, MANY, 3);
    for (int s = 0; s < SPECS; s++) {
        quern_pipeline *pipeline = fixture_pipeline(specs[s]);
        for (int trial = 0; trial < 12; trial++) {
            int nulls = trial & 1, weighted = (trial >> 1) & 1;
            uint64_t n = trial < 8 ? 1 + next(&seed) % 9000 : MANY - next(&seed) % 20000, at = 0;
            uint64_t most = trial % 3 == 0 ? 5000 : trial % 3 == 1 ? 70 : 140000;
            quern_fit *fit;
            quern_model *got, *want = one_fit(pipeline, &r, n, nulls, weighted);
            OK(quern_fit_begin(cpu, pipeline, &fit));
            while (at < n) {
                uint64_t take = next(&seed) % most;
                if (take > n - at) take = n - at;
                push_view(fit, &r, at, take, nulls, weighted);
                at += take;
                if (next(&seed) % 8 == 0) fit = through_bytes(fit);
            }
            OK(quern_fit_finish(fit, &got));
            (void)snprintf(what, sizeof what, "spec %d, trial %d, %llu rows", s, trial,
                           (unsigned long long)n);
            fixture_same_model(want, got, what);
            quern_model_free(want);
            quern_model_free(got);
        }
        quern_pipeline_free(pipeline);
    }
    free_rows(&r);
}

/* One row at a time, with a look at the model and the bytes on the way. Equal rows give equal bytes,
 * whatever the cut. */
static void rows_pushed_one_by_one_are_all_that_counts(void **state)
{
    enum { MANY = 3300 };
    struct rows r;
    (void)state;
    make_rows(&r, MANY, 5);
    for (int s = 0; s < SPECS; s++)
        for (int weighted = 0; weighted < 2; weighted++) {
            quern_pipeline *pipeline = fixture_pipeline(specs[s]);
            quern_fit *fit, *whole;
            OK(quern_fit_begin(cpu, pipeline, &fit));
            for (uint64_t i = 0; i < MANY; i++) {
                push_view(fit, &r, i, 1, 1, weighted);
                if (i != 700 && i != 1023 && i != 1024 && i != MANY - 1) continue;
                void *a, *b;
                size_t n, m;
                quern_model *now, *want = one_fit(pipeline, &r, i + 1, 1, weighted);
                OK(quern_fit_snapshot(fit, &now));
                fixture_same_model(want, now, "a snapshot");
                OK(quern_fit_begin(cpu, pipeline, &whole));
                push_view(whole, &r, 0, i + 1, 1, weighted);
                OK(quern_fit_to_bytes(fit, &a, &n));
                OK(quern_fit_to_bytes(whole, &b, &m));
                assert_bytes(a, n, b, m, "states of equal rows");
                quern_free(a);
                quern_free(b);
                quern_fit_cancel(whole);
                quern_model_free(now);
                quern_model_free(want);
            }
            quern_fit_cancel(fit);
            quern_pipeline_free(pipeline);
        }
    free_rows(&r);
}

static void matrices_are_pushed_too(void **state)
{
    enum { MANY = 5000, D = 20 };
    float *x = fixture_f32(MANY, D, 20, 8);
    quern_pipeline *pipeline = fixture_pipeline(specs[0]);
    quern_table *table;
    quern_model *want, *got;
    quern_fit *fit;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT32, MANY, D, 0, NULL, &table));
    OK(quern_pipeline_fit(cpu, pipeline, table, &want));
    quern_table_free(table);
    OK(quern_fit_begin(cpu, pipeline, &fit));
    for (uint64_t at = 0; at < MANY; at += 500) {
        OK(quern_table_from_matrix(x + at * D, QUERN_FLOAT32, 500, D, 0, NULL, &table));
        OK(quern_fit_push(fit, table));
        quern_table_free(table);
    }
    OK(quern_fit_finish(fit, &got));
    fixture_same_model(want, got, "a matrix");
    quern_model_free(want);
    quern_model_free(got);
    quern_pipeline_free(pipeline);
    free(x);
}

/* A million rows leave no more behind than the few rows that the open block may have. */
static void the_state_does_not_grow_with_the_rows(void **state)
{
    enum { CHUNK = 10000, D = 4 };
    double *x = fixture_f64(CHUNK, D, 0, 8);
    quern_pipeline *pipeline = fixture_pipeline(specs[0]);
    quern_table *chunk;
    quern_fit *fit;
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, CHUNK, D, 0, NULL, &chunk));
    OK(quern_fit_begin(cpu, pipeline, &fit));
    for (int i = 0; i < 100; i++) OK(quern_fit_push(fit, chunk));
    OK(quern_fit_to_bytes(fit, &bytes, &size));
    assert_in_range(size, 1, 1024 * D * 8 + 20 * D * 32 + 1000);
    quern_free(bytes);
    quern_fit_cancel(fit);
    quern_table_free(chunk);
    quern_pipeline_free(pipeline);
    free(x);
}

static void other_pipelines_keep_their_rows(void **state)
{
    static const struct {
        const char *apply, *then, *blame;
    } cases[] = {
        {"\"RobustScaler\"", "\"passthrough\"", "RobustScaler"},
        {"[\"Binarizer\", \"StandardScaler\"]", "\"passthrough\"", "StandardScaler"},
        {"[\"StandardScaler\", \"MinMaxScaler\"]", "\"passthrough\"", "MinMaxScaler"},
        {"[\"SimpleImputer\", \"StandardScaler\"]", "\"passthrough\"", "SimpleImputer"},
        {"\"StandardScaler\"", "\"MaxAbsScaler\"", "MaxAbsScaler"},
    };
    struct rows r;
    (void)state;
    make_rows(&r, 2500, 6);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char spec[300];
        (void)snprintf(spec, sizeof spec,
                       "{\"quern\": 1, \"steps\": [{\"columns\": [\"f64\", \"f32\"], \"apply\": "
                       "%s}], \"then\": [%s]}",
                       cases[i].apply, cases[i].then);
        quern_pipeline *pipeline = fixture_pipeline(spec);
        quern_model *want, *got;
        quern_fit *fit;
        void *bytes;
        size_t size;
        OK(quern_fit_begin(cpu, pipeline, &fit));
        push_view(fit, &r, 0, 1000, 0, 1);
        assert_int_equal(quern_fit_to_bytes(fit, &bytes, &size), QUERN_UNSUPPORTED);
        assert_non_null(strstr(quern_last_error(), cases[i].blame));
        OK(quern_fit_snapshot(fit, &got));
        want = one_fit(pipeline, &r, 1000, 0, 1);
        fixture_same_model(want, got, "a snapshot of rows");
        quern_model_free(want);
        quern_model_free(got);
        push_view(fit, &r, 1000, 1500, 0, 1);
        OK(quern_fit_finish(fit, &got));
        want = one_fit(pipeline, &r, 2500, 0, 1);
        fixture_same_model(want, got, "rows");
        quern_model_free(want);
        quern_model_free(got);
        quern_pipeline_free(pipeline);
    }
    free_rows(&r);
}

static void assert_refused(quern_status status, const char *sentence)
{
    if (status != QUERN_INVALID || strstr(quern_last_error(), sentence) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", quern_status_name(status), quern_last_error(),
                 sentence);
}

static void a_push_that_is_refused_changes_nothing(void **state)
{
    struct rows r;
    quern_pipeline *pipeline = fixture_pipeline(specs[0]);
    quern_model *want, *got;
    quern_fit *fit;
    quern_table *table;
    double bad[3] = {1, 2, -1};
    quern_column other = {.name = "f64", .type = QUERN_FLOAT64, .data = bad};
    (void)state;
    make_rows(&r, 2000, 6);
    OK(quern_fit_begin(cpu, pipeline, &fit));
    assert_refused(quern_fit_snapshot(fit, &got), "no rows");
    push_view(fit, &r, 0, 0, 0, 1);
    assert_refused(quern_fit_snapshot(fit, &got), "no rows");
    push_view(fit, &r, 0, 1000, 0, 1);
    OK(quern_table_create(&other, 1, 3, &table));
    assert_refused(quern_fit_push(fit, table), "1 columns; the first had 7");
    quern_table_free(table);
    table = view(&r, 1000, 1000, 0, 0);
    assert_refused(quern_fit_push(fit, table), "rows without weights");
    OK(quern_table_set_weights(table, r.weights + 1000));
    double weight = r.weights[1500];
    r.weights[1500] = -1; /* after it was looked at */
    assert_refused(quern_fit_push(fit, table), "row 1500: the weight is -1");
    quern_table_free(table);
    r.weights[1500] = weight;
    push_view(fit, &r, 1000, 1000, 0, 1);
    OK(quern_fit_finish(fit, &got));
    want = one_fit(pipeline, &r, 2000, 0, 1);
    fixture_same_model(want, got, "after refusals");
    quern_model_free(want);
    quern_model_free(got);
    /* the first chunk says that there are no weights */
    OK(quern_fit_begin(cpu, pipeline, &fit));
    push_view(fit, &r, 0, 10, 0, 0);
    table = view(&r, 10, 10, 0, 1);
    assert_refused(quern_fit_push(fit, table), "rows with weights follow");
    quern_table_free(table);
    OK(quern_fit_finish(fit, &got));
    want = one_fit(pipeline, &r, 10, 0, 0);
    fixture_same_model(want, got, "after refusals");
    quern_model_free(want);
    quern_model_free(got);
    quern_pipeline_free(pipeline);
    free_rows(&r);
}

/* ---- bytes ---- */

/* Every byte changed in turn, with the checksum made good, and every length: refused as corrupt with a
 * reason, or a fit that can be used. */
static void broken_states_are_refused_or_harmless(void **state)
{
    struct rows r;
    (void)state;
    make_rows(&r, 1030, 6);
    for (int s = 0; s < SPECS; s++) {
        quern_pipeline *pipeline = fixture_pipeline(specs[s]);
        quern_fit *fit, *again;
        void *bytes;
        size_t size, refused = 0;
        OK(quern_fit_begin(cpu, pipeline, &fit));
        push_view(fit, &r, 0, 1030, 1, 1);
        OK(quern_fit_to_bytes(fit, &bytes, &size));
        quern_fit_cancel(fit);
        for (size_t cut = 0; cut < size; cut++) {
            void *exact = malloc(cut + 1);
            memcpy(exact, bytes, cut);
            assert_int_equal(quern_fit_from_bytes(cpu, "state", exact, cut, &again), QUERN_CORRUPT);
            free(exact);
        }
        for (size_t at = 0; at + 8 < size; at++)
            for (int k = 0; k < 3; k++) {
                uint8_t *copy = malloc(size);
                assert_non_null(copy);
                memcpy(copy, bytes, size);
                copy[at] = (uint8_t)(k == 0 ? copy[at] ^ 1 : k == 1 ? copy[at] ^ 0x80 : 0xff);
                assert_true(at < 8 || memcmp(copy, bytes, size) == 0 ||
                            quern_fit_from_bytes(cpu, "state", copy, size, &again) ==
                                QUERN_CORRUPT);
                uint64_t sum = XXH3_64bits(copy, size - 8);
                for (int i = 0; i < 8; i++) copy[size - 8 + (size_t)i] = (uint8_t)(sum >> (8 * i));
                quern_status status = quern_fit_from_bytes(cpu, "state", copy, size, &again);
                if (status == QUERN_OK) {
                    quern_model *model;
                    if (quern_fit_snapshot(again, &model) == QUERN_OK) quern_model_free(model);
                    quern_fit_cancel(again);
                } else {
                    assert_int_equal(status, QUERN_CORRUPT);
                    assert_null(again);
                    refused++;
                }
                free(copy);
            }
        assert_in_range(refused, 300, SIZE_MAX);
        quern_free(bytes);
        quern_pipeline_free(pipeline);
    }
    free_rows(&r);
}

static void a_fit_that_has_not_begun_is_kept_too(void **state)
{
    struct rows r;
    quern_pipeline *pipeline = fixture_pipeline(specs[0]);
    quern_fit *fit;
    quern_model *want, *got;
    (void)state;
    make_rows(&r, 100, 6);
    OK(quern_fit_begin(cpu, pipeline, &fit));
    fit = through_bytes(fit);
    push_view(fit, &r, 0, 100, 0, 0);
    OK(quern_fit_finish(fit, &got));
    want = one_fit(pipeline, &r, 100, 0, 0);
    fixture_same_model(want, got, "a fit kept before its first push");
    quern_model_free(want);
    quern_model_free(got);
    quern_pipeline_free(pipeline);
    free_rows(&r);
}

static quern_status everything(const quern_pipeline *pipeline, const quern_table *table)
{
    quern_fit *fit = NULL, *again = NULL;
    quern_model *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    quern_status status = quern_fit_begin(cpu, pipeline, &fit);
    if (status == QUERN_OK) status = quern_fit_push(fit, table);
    if (status == QUERN_OK) status = quern_fit_push(fit, table);
    if (status == QUERN_OK) status = quern_fit_to_bytes(fit, &bytes, &size);
    if (status == QUERN_OK) status = quern_fit_from_bytes(cpu, "state", bytes, size, &again);
    if (status == QUERN_OK) status = quern_fit_snapshot(again, &model);
    quern_free(bytes);
    quern_model_free(model);
    quern_fit_cancel(fit);
    quern_fit_cancel(again);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    struct rows r;
    quern_pipeline *pipeline = fixture_pipeline(specs[2]);
    (void)state;
    make_rows(&r, 1500, 6);
    quern_table *table = view(&r, 0, 1500, 1, 1);
    OK(everything(pipeline, table));
    for (uint64_t k = 1;; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = everything(pipeline, table);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) break;
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_model_of_one_fit),
        cmocka_unit_test(rows_pushed_one_by_one_are_all_that_counts),
        cmocka_unit_test(matrices_are_pushed_too),
        cmocka_unit_test(the_state_does_not_grow_with_the_rows),
        cmocka_unit_test(other_pipelines_keep_their_rows),
        cmocka_unit_test(a_push_that_is_refused_changes_nothing),
        cmocka_unit_test(broken_states_are_refused_or_harmless),
        cmocka_unit_test(a_fit_that_has_not_begun_is_kept_too),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_cpu, close_cpu);
}
