/* SPDX-License-Identifier: Apache-2.0
 * KBinsDiscretizer and QuantileTransformer in C: what they give on every device, what their models hold,
 * what is refused. tests/parity compares them with scikit-learn. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 1000 };
#define SPEC(estimator)                                                                            \
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [" estimator "]}]}"
static const char bins_spec[] =
    SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 4, \"encode\": \"ordinal\"}}");
static const char onehot_spec[] = SPEC("{\"KBinsDiscretizer\": {\"n_bins\": [2, 3]}}");
static const char map_spec[] = SPEC("{\"QuantileTransformer\": {\"n_quantiles\": 5}}");
static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};

/* Two columns: 0 … ROWS - 1 in another order, and half of that, backwards. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, 2, 0, 3);
    for (int i = 0; i < ROWS; i++) {
        x[2 * i] = i * 7 % ROWS;
        x[2 * i + 1] = (ROWS - 1 - i) / 2.0;
    }
    return x;
}

static double cell(const quern_matrix *m, int row, int column)
{
    return ((const double *)((const char *)m->data + row * m->row_stride))[column];
}

static void values_get_the_numbers_of_their_bins(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = sample();
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, bins_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 2);
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < 2; c++) {
            double edge[] = {249.5, 499.5, 749.5}, v = x[2 * i + c] * (c + 1), bin = 0;
            for (int k = 0; k < 3; k++) bin += v >= edge[k];
            assert_true(cell(&out, i, c) == bin);
        }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

/* Two heaps and one value far off: three clusters, whose borders are halfway between their means. */
static void edges_of_k_means_are_halfway_between_the_centers(void **state)
{
    static const char spec[] =
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 3, \"encode\": \"ordinal\", "
             "\"strategy\": \"kmeans\"}}");
    static const double x[] = {1, 2, 3, 11, 12, 13, 14, 100};
    static const double want[] = {0, 0, 0, 1, 1, 1, 1, 2};
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 8, 1, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int i = 0; i < 8; i++) assert_true(cell(&out, i, 0) == want[i]);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* A row of weight 3 is three rows, one of weight 0 is none. */
static void rows_count_with_their_weights(void **state)
{
    static const double x[] = {1, 2, 3, 10, 20, 30}, weights[] = {0, 1, 3, 0, 2, 1};
    static const double same[] = {2, 3, 3, 3, 20, 20, 30};
    static const char *const specs[] = {
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 4, \"strategy\": \"uniform\"}}"),
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 2, \"strategy\": \"kmeans\"}}"),
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 2}}"),
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 3, \"quantile_method\": \"inverted_cdf\"}}")};
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    quern_table *table, *plain;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 6, 1, 0, NULL, &table));
    OK(quern_table_set_weights(table, weights));
    OK(quern_table_from_matrix(same, QUERN_FLOAT64, 7, 1, 0, NULL, &plain));
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++) {
        quern_model *model = fixture_fit(cx, specs[k], table),
                    *want = fixture_fit(cx, specs[k], plain);
        char *a, *b;
        OK(quern_model_inspect(model, &a));
        OK(quern_model_inspect(want, &b));
        const char *from = strstr(a, "\"bin_edges_\""), *to = strstr(b, "\"bin_edges_\"");
        assert_true(from != NULL && to != NULL);
        size_t n = strcspn(to, "]");
        if (strncmp(from, to, n) != 0) fail_msg("%zu: %.200s, not %.200s", k, from, to);
        quern_free(a);
        quern_free(b);
        quern_model_free(model);
        quern_model_free(want);
    }
    quern_table_free(table);
    quern_table_free(plain);
    OK(quern_context_close(cx));
}

static void methods_that_know_no_weights_say_so(void **state)
{
    static const double x[] = {1, 2, 3, 10}, weights[] = {0, 1, 3, 0};
    quern_context *cx = fixture_context("cpu", 1);
    quern_pipeline *pipeline = fixture_pipeline(
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 2, \"quantile_method\": \"linear\"}}"));
    quern_table *table;
    quern_model *model;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 4, 1, 0, NULL, &table));
    OK(quern_table_set_weights(table, weights));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "quantile_method"));
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* k-means of fewer rows than bins is an error; of fewer different values it has fewer bins. */
static void k_means_of_few_values(void **state)
{
    static const char spec[] =
        SPEC("{\"KBinsDiscretizer\": {\"n_bins\": 4, \"encode\": \"ordinal\", "
             "\"strategy\": \"kmeans\"}}");
    static const double x[] = {5, 1, 1, 5, 5, 1};
    quern_context *cx = fixture_context("cpu", 1);
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_table *table;
    quern_model *model;
    quern_matrix out = {0};
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3, 1, 0, NULL, &table));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "4 bins by k-means of 3 rows"));
    quern_table_free(table);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 6, 1, 0, NULL, &table));
    OK(quern_pipeline_fit(cx, pipeline, table, &model));
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 6; k++)
            assert_int_equal(cell(&out, i, 0) == cell(&out, k, 0), x[i] == x[k]);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(cx));
}

static void each_bin_has_a_column_with_its_name(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = sample();
    quern_table *table;
    quern_csr out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, onehot_spec, table);
    OK(quern_model_transform(cx, model, table, NULL, &out));
    assert_int_equal(out.columns, 5);
    assert_int_equal(out.nnz, 2 * ROWS);
    assert_string_equal(quern_model_output_name(model, 1), "x0_1.0");
    assert_string_equal(quern_model_output_name(model, 4), "x1_2.0");
    quern_csr_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void a_map_and_its_way_back(void **state)
{
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = sample();
    quern_table *table, *mapped;
    quern_matrix out = {0}, back = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, map_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int i = 0; i < ROWS; i++)
        assert_true(fabs(cell(&out, i, 0) - x[2 * i] / (ROWS - 1)) < 1e-12);
    OK(quern_table_from_matrix(out.data, QUERN_FLOAT64, ROWS, 2, out.row_stride, NULL, &mapped));
    OK(quern_model_inverse_transform(cx, model, mapped, &back));
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < 2; c++) assert_true(fabs(cell(&back, i, c) - x[2 * i + c]) < 1e-9);
    quern_matrix_free(&out);
    quern_matrix_free(&back);
    quern_model_free(model);
    quern_table_free(mapped);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void missing_values_and_lists_of_another_length_are_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double holes[] = {1, 2, (double)NAN, 4}, three[] = {1, 2, 3, 4, 5, 6};
    quern_pipeline *bins = fixture_pipeline(bins_spec), *onehot = fixture_pipeline(onehot_spec);
    quern_table *table;
    quern_model *model;
    (void)state;
    OK(quern_table_from_matrix(holes, QUERN_FLOAT64, 4, 1, 0, NULL, &table));
    assert_int_equal(quern_pipeline_fit(cx, bins, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "missing values"));
    quern_table_free(table);
    OK(quern_table_from_matrix(three, QUERN_FLOAT64, 2, 3, 0, NULL, &table));
    assert_int_equal(quern_pipeline_fit(cx, onehot, table, &model), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "n_bins has 2 numbers for 3 columns"));
    quern_table_free(table);
    quern_pipeline_free(bins);
    quern_pipeline_free(onehot);
    OK(quern_context_close(cx));
}

/* The bytes of a model, with the 8 that begin with `number` (an int64 or a double's bits) changed. */
static void a_file_whose_lists_do_not_agree_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *table;
    quern_model *other;
    unsigned char *bytes;
    void *made;
    size_t size;
    const int64_t four = 4, wrong[] = {3, 5, -1, 0, INT64_MAX};
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, bins_spec, table);
    OK(quern_model_to_bytes(model, &made, &size));
    OK(quern_model_from_bytes("whole", made, size, &other));
    fixture_same_model(model, other, __func__);
    quern_model_free(other);
    bytes = made;
    for (size_t at = 0; at + 8 <= size; at++) {
        if (memcmp(bytes + at, &four, 8) != 0) continue;
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            memcpy(bytes + at, &wrong[k], 8);
            assert_int_not_equal(quern_model_from_bytes("broken", made, size, &other), QUERN_OK);
        }
        memcpy(bytes + at, &four, 8);
    }
    quern_free(made);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

#define ON_DEVICES(test)                                                                           \
    {#test "@cpu", test, NULL, NULL, (void *)0}, {#test "@opencl:0", test, NULL, NULL, (void *)1}, \
    {                                                                                              \
#test "@cuda:0", test, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DEVICES(values_get_the_numbers_of_their_bins),
        ON_DEVICES(each_bin_has_a_column_with_its_name),
        ON_DEVICES(a_map_and_its_way_back),
        ON_DEVICES(edges_of_k_means_are_halfway_between_the_centers),
        cmocka_unit_test(k_means_of_few_values),
        ON_DEVICES(rows_count_with_their_weights),
        cmocka_unit_test(methods_that_know_no_weights_say_so),
        cmocka_unit_test(missing_values_and_lists_of_another_length_are_refused),
        cmocka_unit_test(a_file_whose_lists_do_not_agree_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
