/* SPDX-License-Identifier: Apache-2.0
 * PolynomialFeatures end to end: products have the bits of plain multiplication, on every device, in a row
 * that is served, and where a scaler learns from them; what is refused names the column that it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 3001, COLUMNS = 3, OUT = 10 };
static const char products_spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"PolynomialFeatures\"]}]}";
static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};

/* 1, the columns, then each pair: the second factor is the one that comes first. */
static void by_hand(const double *x, double *out)
{
    uint32_t at = COLUMNS + 1;
    out[0] = 1;
    memcpy(out + 1, x, COLUMNS * sizeof *x);
    for (int i = 0; i < COLUMNS; i++)
        for (int j = i; j < COLUMNS; j++) out[at++] = x[j] * x[i];
}

static void products_have_the_bits_of_multiplications(void **state)
{
    static const char *const names[OUT] = {"1",     "x0",    "x1",   "x2",    "x0^2",
                                           "x0 x1", "x0 x2", "x1^2", "x1 x2", "x2^2"};
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = fixture_f64(ROWS, COLUMNS, 0, 5), want[OUT];
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, products_spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, OUT);
    for (uint32_t i = 0; i < OUT; i++)
        assert_string_equal(quern_model_output_name(model, i), names[i]);
    for (uint64_t row = 0; row < ROWS; row++) {
        by_hand(x + row * COLUMNS, want);
        assert_memory_equal((const char *)out.data + row * (size_t)out.row_stride, want,
                            sizeof want);
    }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

/* Scaled columns, their products of two and three, and those scaled again. */
static void a_scaler_learns_from_products(void **state)
{
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\", "
        "{\"PolynomialFeatures\": {\"degree\": [2, 3], \"include_bias\": false}}, "
        "\"MinMaxScaler\", {\"RobustScaler\": {\"with_centering\": false}}]}]}";
    quern_context *cx = fixture_context(devices[(size_t)*state], 1); /* skips where there is none */
    quern_context *cpu = fixture_context("cpu", 1);
    double *x = fixture_f64(ROWS, COLUMNS, 0, 9);
    quern_table *table;
    quern_matrix out = {0}, other = {0};
    quern_server *server;
    quern_cell cells[COLUMNS] = {{0}};
    double row[16];
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, COLUMNS, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table), *same = fixture_fit(cpu, spec, table);
    fixture_same_model(model, same, __func__);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_model_transform(cpu, model, table, &other, NULL));
    assert_int_equal(out.columns, 16);
    OK(quern_server_open(model, &server));
    for (uint64_t r = 0; r < ROWS; r++) {
        const char *got = (const char *)out.data + r * (size_t)out.row_stride;
        assert_memory_equal(got, (const char *)other.data + r * (size_t)other.row_stride,
                            sizeof row);
        for (int c = 0; c < COLUMNS; c++) cells[c].number = x[r * COLUMNS + (uint64_t)c];
        OK(quern_server_row(server, cells, row));
        assert_memory_equal(got, row, sizeof row);
    }
    quern_server_close(server);
    quern_matrix_free(&out);
    quern_matrix_free(&other);
    quern_model_free(model);
    quern_model_free(same);
    quern_table_free(table);
    OK(quern_context_close(cx));
    OK(quern_context_close(cpu));
    free(x);
}

/* Products of rows' shares, and products of products: each needs the layer before it. */
static void products_follow_norms_and_products(void **state)
{
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"Normalizer\": {\"norm\": "
        "\"max\"}}, {\"PolynomialFeatures\": {\"include_bias\": false}}, {\"PolynomialFeatures\": "
        "{\"degree\": [2, 2], \"interaction_only\": true, \"include_bias\": false}}]}]}";
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    float *x = fixture_f32(ROWS, 2, 0, 21);
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT32, ROWS, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 10);
    assert_int_equal(out.type, QUERN_FLOAT32);
    for (uint64_t r = 0; r < ROWS; r++) {
        float a = x[2 * r], b = x[2 * r + 1], p[5], want[10];
        float norm = fabsf(a) > fabsf(b) ? fabsf(a) : fabsf(b);
        if (norm < 10 * 1.1920928955078125e-07f) norm = 1;
        p[0] = a / norm, p[1] = b / norm;
        p[2] = p[0] * p[0], p[3] = p[1] * p[0], p[4] = p[1] * p[1];
        for (int i = 0, at = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) want[at++] = p[j] * p[i];
        assert_memory_equal((const char *)out.data + r * (size_t)out.row_stride, want, sizeof want);
    }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

/* Only products are put out, so the second column is seen by way of the first one's chain. */
static void a_missing_factor_is_refused_by_name(void **state)
{
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"PolynomialFeatures\": "
        "{\"degree\": [2, 2], \"interaction_only\": true, \"include_bias\": false}}]}]}";
    quern_context *cx = fixture_context("cpu", 1);
    double x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    quern_table *table;
    quern_matrix out = {0};
    quern_server *server;
    quern_cell cells[2] = {{.number = (double)NAN}, {.number = 1}};
    double row;
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 4, 2, 0, NULL, &table));
    quern_model *model = fixture_fit(cx, spec, table);
    OK(quern_server_open(model, &server));
    for (int column = 0; column < 2; column++)
        for (int infinite = 0; infinite < 2; infinite++) {
            char name[8];
            (void)snprintf(name, sizeof name, "\"x%d\"", column);
            x[4 + column] = infinite ? (double)INFINITY : (double)NAN;
            assert_int_equal(quern_model_transform(cx, model, table, &out, NULL), QUERN_INVALID);
            assert_non_null(strstr(quern_last_error(), name));
            assert_non_null(strstr(quern_last_error(), "row 2"));
            x[4 + column] = 5;
            cells[column].number = infinite ? (double)INFINITY : (double)NAN;
            cells[1 - column].number = 1;
            assert_int_equal(quern_server_row(server, cells, &row), QUERN_INVALID);
        }
    quern_server_close(server);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void refuse(const char *parameters, quern_status status, const char *part)
{
    char spec[256];
    double x[2000];
    quern_pipeline *p = NULL;
    quern_model *model = NULL;
    quern_table *table;
    quern_context *cx = fixture_context("cpu", 1);
    for (int i = 0; i < 2000; i++) x[i] = i;
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                   "[{\"PolynomialFeatures\": %s}]}]}",
                   parameters);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 2, 1000, 0, NULL, &table));
    quern_status got = quern_pipeline_from_spec("spec", spec, strlen(spec), &p);
    if (got == QUERN_OK) got = quern_pipeline_fit(cx, p, table, &model);
    assert_int_equal(got, status);
    if (strstr(quern_last_error(), part) == NULL) fail_msg("%s", quern_last_error());
    quern_pipeline_free(p);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

/* ---- sparse rows ---- */

enum { SPARSE_ROWS = 700, SPARSE_COLUMNS = 4 };

struct csr {
    int64_t ptr[SPARSE_ROWS + 1], index[SPARSE_ROWS * SPARSE_COLUMNS];
    double values[SPARSE_ROWS * SPARSE_COLUMNS], dense[SPARSE_ROWS * SPARSE_COLUMNS];
};

/* Small whole numbers, so that products are exact in any order; column 3 is hardly ever there. */
static quern_table *make_csr(struct csr *c, double odd_one)
{
    quern_table *table;
    int64_t n = 0;
    memset(c, 0, sizeof *c);
    for (int i = 0; i < SPARSE_ROWS * SPARSE_COLUMNS; i++) {
        int column = i % SPARSE_COLUMNS, row = i / SPARSE_COLUMNS;
        if (i * 7919 % 11 < (column == 3 ? 1 : 5)) {
            c->dense[i] = i * 31 % 9 - 4.5;
            if (n == 100) c->dense[i] = odd_one;
            c->index[n] = column;
            c->values[n++] = c->dense[i];
        }
        c->ptr[row + 1] = n;
    }
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, SPARSE_ROWS, SPARSE_COLUMNS, c->ptr, c->index, 64,
                               c->values, QUERN_FLOAT64, NULL, &table));
    return table;
}

#define SPARSE_SPEC(apply)                                                                         \
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [" apply                           \
    "]}], \"output\": {\"sparse\": true}}"

/* Every entry of the result against the dense table's, and that no other is stored but the ones. */
static void compare_with_dense(const char *spec)
{
    static struct csr c;
    quern_context *cx = fixture_context("cpu", 1);
    quern_table *table = make_csr(&c, 2.5), *dense;
    quern_csr out = {0};
    quern_matrix want = {0};
    OK(quern_table_from_matrix(c.dense, QUERN_FLOAT64, SPARSE_ROWS, SPARSE_COLUMNS, 0, NULL,
                               &dense));
    quern_model *model = fixture_fit(cx, spec, table), *other = fixture_fit(cx, spec, dense);
    fixture_same_model(model, other, spec);
    OK(quern_model_transform(cx, model, table, NULL, &out));
    OK(quern_model_transform(cx, other, dense, &want, NULL));
    assert_int_equal(out.columns, want.columns);
    for (uint64_t row = 0; row < SPARSE_ROWS; row++) {
        const double *w =
            (const double *)((const char *)want.data + (int64_t)row * want.row_stride);
        int64_t at = out.indptr[row];
        for (uint32_t k = 0; k < out.columns; k++) {
            int stored = at < out.indptr[row + 1] && out.indices[at] == (int32_t)k;
            double got = stored ? ((const double *)out.data)[at++] : 0.0;
            assert_int_equal(stored, w[k] != 0);
            assert_true(fabs(got - w[k]) <= 1e-15 * fabs(w[k]));
        }
        assert_int_equal(at, out.indptr[row + 1]);
    }
    quern_csr_free(&out);
    quern_matrix_free(&want);
    quern_model_free(model);
    quern_model_free(other);
    quern_table_free(table);
    quern_table_free(dense);
    OK(quern_context_close(cx));
}

static void products_of_sparse_columns_are_stored_where_all_are(void **state)
{
    (void)state;
    compare_with_dense(SPARSE_SPEC("\"PolynomialFeatures\""));
    compare_with_dense(SPARSE_SPEC("{\"PolynomialFeatures\": {\"degree\": 4}}"));
    compare_with_dense(SPARSE_SPEC("{\"PolynomialFeatures\": {\"degree\": [2, 3], "
                                   "\"interaction_only\": true, \"include_bias\": false}}"));
    compare_with_dense(SPARSE_SPEC("{\"PolynomialFeatures\": {\"degree\": 0}}"));
    compare_with_dense(SPARSE_SPEC("\"PolynomialFeatures\", \"MaxAbsScaler\""));
    compare_with_dense(
        SPARSE_SPEC("\"MaxAbsScaler\", {\"PolynomialFeatures\": {\"degree\": 1}}, "
                    "{\"PolynomialFeatures\": {\"degree\": [2, 2], \"include_bias\": false}}"));
}

static void sparse_factors_that_cannot_be_are_refused_by_name(void **state)
{
    static struct csr c;
    static const double odd[] = {NAN, INFINITY};
    static const char *const words[] = {"missing value, which PolynomialFeatures cannot take",
                                        "infinite value"};
    quern_context *cx = fixture_context("cpu", 1);
    (void)state;
    for (int k = 0; k < 2; k++) {
        quern_csr out = {0};
        quern_table *good = make_csr(&c, 1);
        quern_model *model = fixture_fit(cx, SPARSE_SPEC("\"PolynomialFeatures\""), good);
        quern_table_free(good);
        quern_table *table = make_csr(&c, odd[k]);
        assert_int_equal(quern_model_transform(cx, model, table, NULL, &out), QUERN_INVALID);
        assert_non_null(strstr(quern_last_error(), words[k]));
        assert_non_null(strstr(quern_last_error(), "column \"x"));
        quern_table_free(table);
        quern_model_free(model);
    }
    OK(quern_context_close(cx));
}

static void bad_degrees_are_refused(void **state)
{
    (void)state;
    refuse("{\"degree\": -1}", QUERN_INVALID, "degree");
    refuse("{\"degree\": [3, 2]}", QUERN_INVALID, "least");
    refuse("{\"degree\": [1, 2, 3]}", QUERN_INVALID, "degree");
    refuse("{\"degree\": 0, \"include_bias\": false}", QUERN_INVALID, "no column");
    refuse("{\"degree\": 65535}", QUERN_UNSUPPORTED, "too many");
    refuse("{\"degree\": 4}", QUERN_UNSUPPORTED, "too many");
}

#define ON_ALL(TEST)                                                                               \
    {#TEST "@cpu", TEST, NULL, NULL, (void *)0}, {#TEST "@opencl:0", TEST, NULL, NULL, (void *)1}, \
    {                                                                                              \
#TEST "@cuda:0", TEST, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(products_have_the_bits_of_multiplications),
        ON_ALL(a_scaler_learns_from_products),
        ON_ALL(products_follow_norms_and_products),
        cmocka_unit_test(a_missing_factor_is_refused_by_name),
        cmocka_unit_test(products_of_sparse_columns_are_stored_where_all_are),
        cmocka_unit_test(sparse_factors_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(bad_degrees_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
