/* SPDX-License-Identifier: Apache-2.0
 * Fits with sample weights: from the caller and from a column, on every device, in passes over a file,
 * against plain sums; what is refused. */
#define _DEFAULT_SOURCE 1 /* mkstemps */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 70001, COLUMNS = 3 };
static const char standard[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": \"StandardScaler\"}]}";
static const char named[] = "{\"quern\": 1, \"weight\": \"w\", \"steps\": [{\"columns\": \"*\", "
                            "\"apply\": \"StandardScaler\"}]}";

static double *weights_of(uint64_t rows, uint64_t seed)
{
    double *w = fixture_f64(rows, 1, 0, seed);
    for (uint64_t i = 0; i < rows; i++) w[i] = i % 5 == 0 ? 0 : fabs(w[i]) * 4;
    return w;
}

static void weights_enter_means_and_variances(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = fixture_f64(ROWS, COLUMNS, 30, 4), *w = weights_of(ROWS, 9);
    quern_table *table;
    quern_matrix out = {0};
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_table_set_weights(table, w));
    quern_model *model = fixture_fit(cx, standard, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int c = 0; c < COLUMNS; c++) {
        double n = 0, mean = 0, m2 = 0;
        for (int i = 0; i < ROWS; i++) {
            double v = x[i * COLUMNS + c];
            if (isnan(v)) continue;
            n += w[i];
            mean += w[i] * v;
        }
        mean /= n;
        for (int i = 0; i < ROWS; i++) {
            double v = x[i * COLUMNS + c] - mean;
            if (!isnan(v)) m2 += w[i] * v * v;
        }
        for (int i = 0; i < ROWS; i += 997) {
            double want = (x[i * COLUMNS + c] - mean) / sqrt(m2 / n);
            double got = ((double *)out.data)[i * COLUMNS + c];
            if (isnan(want))
                assert_true(isnan(got));
            else
                assert_true(fabs(got - want) < 1e-10);
        }
    }
    /* without them, it is another model; so is one of equal weights, but only by its counts */
    OK(quern_table_set_weights(table, NULL));
    quern_matrix plain = {0};
    quern_model *unweighted = fixture_fit(cx, standard, table);
    OK(quern_model_transform(cx, unweighted, table, &plain, NULL));
    assert_memory_not_equal(plain.data, out.data, ROWS * COLUMNS * sizeof(double));
    quern_matrix_free(&plain);
    quern_matrix_free(&out);
    quern_model_free(unweighted);
    quern_model_free(model);
    quern_table_free(table);
    free(x);
    free(w);
    OK(quern_context_close(cx));
}

#define BOTH(table, estimator)                                                                     \
    "{\"quern\": 1, " table                                                                        \
    "\"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\", " estimator "]}]}"
/* What learns with weights, with them in the table and in its column. */
static const struct {
    const char *plain, *named;
} learners[] = {
#define LEARNER(estimator)                                                                         \
    {                                                                                              \
        BOTH("", estimator), BOTH("\"weight\": \"w\", ", estimator)                                \
    }
    LEARNER("\"passthrough\""),
    LEARNER("{\"KBinsDiscretizer\": {\"strategy\": \"uniform\", \"n_bins\": 7}}"),
    LEARNER("{\"KBinsDiscretizer\": {\"n_bins\": 9}}"),
    LEARNER("{\"KBinsDiscretizer\": {\"strategy\": \"kmeans\", \"n_bins\": 4}}"),
    LEARNER("{\"SplineTransformer\": {\"degree\": 2}}"),
    LEARNER("{\"SplineTransformer\": {\"knots\": \"quantile\", \"n_knots\": 8}}"),
};
enum { LEARNERS = sizeof learners / sizeof *learners };

/* A table of named columns a, b, c and w; the last with the weights. */
static quern_table *with_column(const double *x, const double *w, uint64_t rows)
{
    quern_column columns[] = {
        {.name = "a", .type = QUERN_FLOAT64, .data = x, .stride = 24},
        {.name = "w", .type = QUERN_FLOAT64, .data = w},
        {.name = "b", .type = QUERN_FLOAT64, .data = x + 1, .stride = 24},
        {.name = "c", .type = QUERN_FLOAT64, .data = x + 2, .stride = 24},
    };
    quern_table *table;
    OK(quern_table_create(columns, 4, rows, &table));
    return table;
}

/* From a column, from the caller, and of a table that lies on the device. */
static void same_on(quern_context *cx, quern_context *cpu, quern_table *table, quern_table *matrix,
                    quern_table *there)
{
    for (int k = 0; k < LEARNERS; k++) {
        quern_model *want = fixture_fit(cpu, learners[k].named, table),
                    *got = fixture_fit(cx, learners[k].named, table);
        fixture_same_model(want, got, learners[k].named);
        quern_model_free(want);
        quern_model_free(got);
        want = fixture_fit(cpu, learners[k].plain, matrix);
        got = fixture_fit(cx, learners[k].plain, matrix);
        fixture_same_model(want, got, learners[k].plain);
        quern_model_free(got);
        got = fixture_fit(cx, learners[k].plain, there);
        fixture_same_model(want, got, learners[k].plain);
        quern_model_free(got);
        quern_model_free(want);
    }
}

static void every_device_gives_the_same_model(void **state)
{
    quern_context *cx = fixture_context(*state, 0); /* may skip: before anything is open */
    quern_context *cpu = fixture_context("cpu", 1);
    double *x = fixture_f64(ROWS, COLUMNS, 0, 4), *w = weights_of(ROWS, 9);
    quern_table *table = with_column(x, w, ROWS), *matrix, *there;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &matrix));
    OK(quern_table_set_weights(matrix, w));
    OK(quern_table_upload(cx, matrix, &there));
    same_on(cx, cpu, table, matrix, there);
    quern_table_free(there);
    quern_table_free(matrix);
    quern_table_free(table);
    free(x);
    free(w);
    OK(quern_context_close(cx));
    OK(quern_context_close(cpu));
}

/* A row of weight 0 is as if it was not there, whatever is in it but infinities and what is missing. */
static void rows_of_weight_0_teach_nothing(void **state)
{
    enum { FEW = 2000 };
    quern_context *cx = fixture_context("cpu", 3);
    double *x = fixture_f64(FEW, COLUMNS, 0, 4), *w = weights_of(FEW, 9), *kept, *theirs;
    quern_table *all, *some;
    uint64_t rows = 0;
    (void)state;
    kept = malloc(FEW * COLUMNS * sizeof *kept);
    theirs = malloc(FEW * sizeof *theirs);
    assert_true(kept != NULL && theirs != NULL);
    for (uint64_t i = 0; i < FEW; i++) {
        if (w[i] == 0) {
            for (int c = 0; c < COLUMNS; c++) x[i * COLUMNS + (uint64_t)c] *= 1e6;
            continue;
        }
        memcpy(kept + rows * COLUMNS, x + i * COLUMNS, COLUMNS * sizeof *x);
        theirs[rows++] = w[i];
    }
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, FEW, COLUMNS, 0, NULL, &all));
    OK(quern_table_from_matrix(kept, QUERN_FLOAT64, rows, COLUMNS, 0, NULL, &some));
    OK(quern_table_set_weights(all, w));
    OK(quern_table_set_weights(some, theirs));
    static const char *const specs[] = {
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
        "{\"SplineTransformer\": {\"knots\": \"uniform\"}}}]}",
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
        "{\"SplineTransformer\": {\"knots\": \"quantile\", \"n_knots\": 12}}}]}",
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
        "{\"KBinsDiscretizer\": {\"strategy\": \"uniform\"}}}]}"};
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        quern_model *a = fixture_fit(cx, specs[k], all), *b = fixture_fit(cx, specs[k], some);
        fixture_same_model(a, b, specs[k]);
        quern_model_free(a);
        quern_model_free(b);
    }
    quern_table_free(all);
    quern_table_free(some);
    free(x);
    free(w);
    free(kept);
    free(theirs);
    OK(quern_context_close(cx));
}

static void passes_over_a_file_give_the_model_of_the_table(void **state)
{
    enum { MANY = 400000 };
    char path[] = "/tmp/quern-weights-XXXXXX.csv";
    int fd = mkstemps(path, 4);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    quern_context *cpu = fixture_context("cpu", 1);
    quern_context_config config = {.max_memory = 24 << 20};
    quern_context *small = fixture_context_with("cpu", &config);
    quern_pipeline *pipeline = fixture_pipeline(named);
    quern_job job = {.struct_size = sizeof job, .input = path, .no_transform = 1};
    quern_job_info info = {.struct_size = sizeof info};
    quern_model *want, *got;
    (void)state;
    assert_non_null(file);
    fprintf(file, "a,w,b\n");
    for (int i = 0; i < MANY; i++) fprintf(file, "%d.25,%d.5,%d\n", i % 977, i % 4, (i * 7) % 1009);
    assert_int_equal(fclose(file), 0);
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
    (void)unlink(path);
}

/* An imputer before the scaler, and scalers that do not look at weights. */
static void other_estimators_do_not_look_at_weights(void **state)
{
    static const char *const others[] = {"MinMaxScaler", "MaxAbsScaler", "RobustScaler",
                                         "SimpleImputer"};
    quern_context *cx = fixture_context("cpu", 1);
    double *x = fixture_f64(3000, COLUMNS, 30, 4), *w = weights_of(3000, 9);
    quern_table *table;
    char spec[160];
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3000, COLUMNS, 0, NULL, &table));
    for (int i = 0; i < 4; i++) {
        (void)snprintf(spec, sizeof spec,
                       "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": \"%s\"}]}",
                       others[i]);
        OK(quern_table_set_weights(table, NULL));
        quern_model *plain = fixture_fit(cx, spec, table);
        OK(quern_table_set_weights(table, w));
        quern_model *weighted = fixture_fit(cx, spec, table);
        fixture_same_model(plain, weighted, __func__);
        quern_model_free(plain);
        quern_model_free(weighted);
    }
    /* imputed rows have their own weights: the mean of what the imputer gives, not of what was there */
    quern_model *model =
        fixture_fit(cx,
                    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                    "[{\"SimpleImputer\": {\"strategy\": \"constant\", \"fill_value\": "
                    "100}}, \"StandardScaler\"]}]}",
                    table);
    quern_matrix out = {0};
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int c = 0; c < COLUMNS; c++) {
        double n = 0, mean = 0;
        for (int i = 0; i < 3000; i++) {
            n += w[i];
            mean += w[i] * ((double *)out.data)[i * COLUMNS + c];
        }
        assert_true(fabs(mean / n) < 1e-12);
    }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    free(x);
    free(w);
    OK(quern_context_close(cx));
}

static void assert_refused(quern_status status, const char *sentence)
{
    if (status != QUERN_INVALID || strstr(quern_last_error(), sentence) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", quern_status_name(status), quern_last_error(),
                 sentence);
}

static void wrong_weights(quern_context *cx, const char *spec, const quern_table *table, double *w)
{
    static const struct {
        double weight;
        const char *sentence;
    } wrong[] = {{-1, "row 2: the weight is -1"},
                 {(double)NAN, "row 2: the weight is missing"},
                 {(double)INFINITY, "row 2: the weight is inf"}};
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_model *model;
    for (int i = 0; i < 4; i++) w[i] = i + 1;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        w[2] = wrong[k].weight;
        assert_refused(quern_pipeline_fit(cx, pipeline, table, &model), wrong[k].sentence);
    }
    memset(w, 0, 4 * sizeof *w);
    assert_refused(quern_pipeline_fit(cx, pipeline, table, &model), "weights of all rows are 0");
    quern_pipeline_free(pipeline);
}

static void wrong_weights_are_explained(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, w[4] = {1, 2, 3, 4};
    quern_table *table = with_column(x, w, 4), *matrix;
    quern_pipeline *pipeline = fixture_pipeline(named), *plain = fixture_pipeline(standard);
    quern_model *model;
    (void)state;
    for (int k = 0; k < LEARNERS; k++) wrong_weights(cx, learners[k].named, table, w);
    w[2] = INFINITY;
    assert_refused(quern_table_set_weights(table, w), "row 2: the weight is inf");
    memset(w, 0, sizeof w);
    OK(quern_table_set_weights(table, w));
    assert_refused(quern_pipeline_fit(cx, pipeline, table, &model), "has other weights");
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 4, 3, 0, NULL, &matrix));
    assert_refused(quern_pipeline_fit(cx, pipeline, matrix, &model), "no column \"w\"");
    /* weights that turn bad after they were set are found at the fit */
    w[1] = 2;
    OK(quern_table_set_weights(matrix, w));
    w[3] = -3;
    assert_refused(quern_pipeline_fit(cx, plain, matrix, &model), "row 3: the weight is -3");
    quern_table_free(matrix);
    quern_table_free(table);
    quern_pipeline_free(plain);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
}

static void a_weighted_model_is_saved_and_loaded(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = fixture_f64(500, COLUMNS, 30, 4), *w = weights_of(500, 2);
    quern_table *table;
    quern_model *again;
    void *bytes;
    size_t size;
    char *json;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 500, COLUMNS, 0, NULL, &table));
    OK(quern_table_set_weights(table, w));
    quern_model *model = fixture_fit(cx, standard, table);
    OK(quern_model_to_bytes(model, &bytes, &size));
    OK(quern_model_from_bytes("again", bytes, size, &again));
    fixture_same_model(model, again, __func__);
    OK(quern_model_inspect(again, &json));
    assert_non_null(strstr(json, "n_samples_seen_"));
    quern_free(json);
    quern_free(bytes);
    quern_model_free(again);
    quern_model_free(model);
    quern_table_free(table);
    free(x);
    free(w);
    OK(quern_context_close(cx));
}

int main(void)
{
    static char opencl[] = "opencl:0", cuda[] = "cuda:0";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_enter_means_and_variances),
        {"every_device_gives_the_same_model: opencl", every_device_gives_the_same_model, NULL, NULL,
         opencl},
        {"every_device_gives_the_same_model: cuda", every_device_gives_the_same_model, NULL, NULL,
         cuda},
        cmocka_unit_test(rows_of_weight_0_teach_nothing),
        cmocka_unit_test(passes_over_a_file_give_the_model_of_the_table),
        cmocka_unit_test(other_estimators_do_not_look_at_weights),
        cmocka_unit_test(wrong_weights_are_explained),
        cmocka_unit_test(a_weighted_model_is_saved_and_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
