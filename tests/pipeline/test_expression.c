/* SPDX-License-Identifier: Apache-2.0
 * FunctionTransformer end to end: expressions have the bits of plain C on every device, in a row that is served,
 * and where a scaler learns from them; infinities pass, and what is refused says where. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 9001 }; /* enough for kernels that are generated */
static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};

static quern_model *fit(quern_context *cx, const char *apply, const quern_table *table)
{
    char spec[1024];
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [%s]}]}", apply);
    return fixture_fit(cx, spec, table);
}

static void columns_are_computed_of_others(void **state)
{
    static const char apply[] =
        "{\"FunctionTransformer\": {\"expression\": {\"ratio\": \"x0 / (x1 + 1) - x2\", \"top\": "
        "\"where(x0 > x1 and x2 >= 0, max(x0, x2), -2 * x1)\", \"deep\": \"(x0 + x1) * (x1 - x2) / "
        "((x0 - x2) * (x2 + x1) + 0.5)\"}}}";
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double *x = fixture_f64(ROWS, 3, 50, 5);
    quern_table *table;
    quern_matrix out = {0};
    quern_server *server;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, ROWS, 3, 0, NULL, &table));
    quern_model *model = fit(cx, apply, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_server_open(model, &server));
    assert_int_equal(out.columns, 3);
    assert_string_equal(quern_model_output_name(model, 1), "top");
    for (uint64_t r = 0; r < ROWS; r++) {
        double a = x[3 * r], b = x[3 * r + 1], c = x[3 * r + 2], served[3];
        double most = a > c || a != a ? a : c;
        double want[3] = {a / (b + 1) - c, a > b && c >= 0 ? most : -2 * b,
                          (a + b) * (b - c) / ((a - c) * (c + b) + 0.5)};
        const quern_cell cells[3] = {{.number = a}, {.number = b}, {.number = c}};
        const double *got = (const void *)((const char *)out.data + r * (size_t)out.row_stride);
        OK(quern_server_row(server, cells, served));
        assert_memory_equal(got, served, sizeof served);
        for (int i = 0; i < 3; i++)
            if (!(isnan(want[i]) && isnan(got[i]))) assert_memory_equal(&got[i], &want[i], 8);
    }
    quern_server_close(server);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

/* Filled, computed, scaled, and computed again of what joined: the same model and bits as on the CPU. */
static void a_chain_goes_through_expressions(void **state)
{
    static const char apply[] =
        "\"SimpleImputer\", {\"FunctionTransformer\": {\"expression\": \"log1p(abs(x)) / (1 + "
        "square(x1))\"}}, \"StandardScaler\", {\"FunctionTransformer\": {\"expression\": [\"x\", "
        "\"x0 * x2\"]}}, \"Normalizer\"";
    quern_context *cx = fixture_context(devices[(size_t)*state], 1); /* skips where there is none */
    quern_context *cpu = fixture_context("cpu", 1);
    float *x = fixture_f32(ROWS, 3, 30, 8);
    quern_table *table;
    quern_matrix out = {0}, other = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT32, ROWS, 3, 0, NULL, &table));
    quern_model *model = fit(cx, apply, table), *same = fit(cpu, apply, table);
    fixture_same_model(model, same, __func__);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_model_transform(cpu, model, table, &other, NULL));
    assert_int_equal(out.columns, 4);
    assert_int_equal(out.type, QUERN_FLOAT32);
    for (uint64_t r = 0; r < ROWS; r++)
        assert_memory_equal((const char *)out.data + r * (size_t)out.row_stride,
                            (const char *)other.data + r * (size_t)other.row_stride, 16);
    quern_matrix_free(&out);
    quern_matrix_free(&other);
    quern_model_free(model);
    quern_model_free(same);
    quern_table_free(table);
    OK(quern_context_close(cx));
    OK(quern_context_close(cpu));
    free(x);
}

static void infinities_pass_and_are_made(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double x[4] = {INFINITY, 0, -1, 4};
    const double want[4] = {0, INFINITY, -1, 0.25};
    quern_table *table;
    quern_matrix out = {0};
    quern_pipeline *pipeline;
    quern_model *model;
    static const char scaled[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                 "[{\"FunctionTransformer\": {\"expression\": \"1 / x\"}}, "
                                 "\"StandardScaler\"]}]}";
    (void)state;
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 4, 1, 0, NULL, &table));
    model = fit(cx, "{\"FunctionTransformer\": {\"expression\": \"1 / x\"}}", table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_memory_equal(out.data, want, sizeof want);
    quern_matrix_free(&out);
    quern_model_free(model);
    OK(quern_pipeline_from_spec("spec", scaled, strlen(scaled), &pipeline));
    assert_int_equal(quern_pipeline_fit(cx, pipeline, table, &model), QUERN_INVALID);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void the_inverse_undoes_each_column(void **state)
{
    static const char apply[] = "{\"FunctionTransformer\": {\"expression\": \"x * 4 + 1\", "
                                "\"inverse\": \"(x - 1) / 4\"}}";
    quern_context *cx = fixture_context(devices[(size_t)*state], 1);
    double x[6] = {1, 2, 3, 4, -5, 0.5};
    quern_table *table, *made;
    quern_matrix out = {0}, back = {0};
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3, 2, 0, NULL, &table));
    quern_model *model = fit(cx, apply, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    OK(quern_table_from_matrix(out.data, QUERN_FLOAT64, 3, 2, 0, NULL, &made));
    OK(quern_model_inverse_transform(cx, model, made, &back));
    assert_memory_equal(back.data, x, sizeof x);
    quern_matrix_free(&back);
    quern_model_free(model);
    model = fit(cx, "{\"FunctionTransformer\": {\"expression\": \"x0 + x1\"}}", table);
    assert_int_equal(quern_model_inverse_transform(cx, model, made, &back), QUERN_UNSUPPORTED);
    quern_table_free(made);
    OK(quern_table_from_matrix(x, QUERN_FLOAT64, 3, 1, 0, NULL, &made));
    assert_int_equal(quern_model_inverse_transform(cx, model, made, &back), QUERN_UNSUPPORTED);
    quern_model_free(model);
    quern_matrix_free(&out);
    quern_table_free(table);
    quern_table_free(made);
    OK(quern_context_close(cx));
}

static void refuse(quern_context *cx, const char *parameters, const char *part)
{
    char spec[8192];
    double x[4] = {1, 2, 3, 4};
    int64_t n[2] = {1, 2};
    const quern_column columns[] = {{.name = "price", .type = QUERN_FLOAT64, .data = x},
                                    {.name = "rooms", .type = QUERN_INT64, .data = n}};
    quern_pipeline *p = NULL;
    quern_model *model = NULL;
    quern_table *table;
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                   "[{\"FunctionTransformer\": %s}]}]}",
                   parameters);
    OK(quern_table_create(columns, 2, 2, &table));
    quern_status got = quern_pipeline_from_spec("spec", spec, strlen(spec), &p);
    if (got == QUERN_OK) got = quern_pipeline_fit(cx, p, table, &model);
    assert_int_not_equal(got, QUERN_OK);
    if (strstr(quern_last_error(), part) == NULL) fail_msg("%s", quern_last_error());
    quern_pipeline_free(p);
    quern_table_free(table);
}

/* A hundred of `open`, a column, a hundred of `close`. */
static void refuse_nested(quern_context *cx, const char *open, const char *close)
{
    char text[4096] = "{\"expression\": \"";
    size_t n = strlen(text);
    for (int i = 0; i < 100; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%s", open);
    n += (size_t)snprintf(text + n, sizeof text - n, "price");
    for (int i = 0; i < 100; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%s", close);
    (void)snprintf(text + n, sizeof text - n, "\"}");
    refuse(cx, text, "nested more than 64 times");
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    (void)state;
    refuse(cx, "{\"expression\": \"lgo1p(price)\"}", "character 1");
    refuse(cx, "{\"expression\": \"1 + lgo1p(price)\"}", "did you mean \"log1p\"");
    refuse(cx, "{\"expression\": \"2 * prise\"}", "did you mean \"price\"");
    refuse(cx, "{\"expression\": \"price + x\", \"each\": false}", "each: true");
    refuse(cx, "{\"expression\": \"log(price, 2)\"}", "log takes 1 argument");
    refuse(cx, "{\"expression\": \"(price\"}", "a closing parenthesis is missing");
    refuse(cx, "{\"expression\": \"price ^ 2\"}", "**");
    refuse(cx, "{\"expression\": \"price rooms\"}", "character 7");
    refuse(cx, "{\"expression\": [\"price\", \"1 <\"]}", "missing");
    refuse(cx, "{\"expression\": []}", "an expression");
    refuse(cx, "{\"expression\": {\"a\": 1}}", "an expression");
    refuse(cx, "{\"expression\": \"price\", \"inverse\": \"price\"}", "in x");
    refuse(cx, "{\"expression\": \"rooms ** 17\"}", "17.0");
    refuse(cx, "{\"expression\": \"((rooms ** 16) ** 16) ** 16\"}", "more than 1024 operations");
    refuse(cx, "{\"expression\": \"rooms ** rooms\"}", "float64");
    refuse_nested(cx, "(", ")");
    refuse_nested(cx, "-", "");
    refuse_nested(cx, "2**", "");
    refuse_nested(cx, "log(", ")");
    refuse_nested(cx, "not ", "");
    OK(quern_context_close(cx));
}

#define ON_ALL(TEST)                                                                               \
    {#TEST "@cpu", TEST, NULL, NULL, (void *)0}, {#TEST "@opencl:0", TEST, NULL, NULL, (void *)1}, \
    {                                                                                              \
#TEST "@cuda:0", TEST, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(columns_are_computed_of_others),
        ON_ALL(a_chain_goes_through_expressions),
        ON_ALL(the_inverse_undoes_each_column),
        cmocka_unit_test(infinities_pass_and_are_made),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
    };
    return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
