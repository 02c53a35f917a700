/* SPDX-License-Identifier: Apache-2.0
 * MissingIndicator end to end: which cells are marked, on every device, of numbers and of text; missing
 * cells in columns that had none are noticed although they have no output; models with broken features_. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 3000, COLUMNS = 5 };
static const char *const DEVICES[] = {"cpu", "opencl:0", "cuda:0"};
static const char spec[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MissingIndicator\"]}]}";

static int is_missing(int row, int column)
{
    return (column == 1 && row % 3 == 0) || (column == 3 && row % 7 == 2);
}

/* Columns 1 and 3 have missing cells. */
static double *sample(void)
{
    double *x = fixture_f64(ROWS, COLUMNS, 0, 5);
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < COLUMNS; k++)
            if (is_missing(i, k)) x[i * COLUMNS + k] = (double)NAN;
    return x;
}

static quern_table *table_of(const void *x, quern_type type, uint64_t rows, uint32_t columns)
{
    quern_table *table;
    OK(quern_table_from_matrix(x, type, rows, columns, 0, NULL, &table));
    return table;
}

static void missing_cells_are_marked(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    double *x = sample();
    quern_table *table = table_of(x, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_matrix out = {0};
    quern_model *model = fixture_fit(cx, spec, table);
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 2);
    assert_int_equal(out.type, QUERN_BOOL);
    assert_string_equal(quern_model_output_name(model, 0), "missingindicator_x1");
    assert_string_equal(quern_model_output_name(model, 1), "missingindicator_x3");
    for (int i = 0; i < ROWS; i++) {
        const uint8_t *got = (const uint8_t *)out.data + i * out.row_stride;
        assert_int_equal(got[0], is_missing(i, 1));
        assert_int_equal(got[1], is_missing(i, 3));
    }
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void a_missing_cell_where_there_was_none_is_refused(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    double *x = sample();
    uint8_t flags[2];
    quern_table *table = table_of(x, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_model *model = fixture_fit(cx, spec, table);
    quern_matrix out = {0};
    quern_server *server;
    x[(size_t)2111 * COLUMNS + 4] = (double)NAN;
    assert_int_equal(quern_model_transform(cx, model, table, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 2111"));
    assert_non_null(strstr(quern_last_error(), "\"x4\" has a missing value, and had none"));
    OK(quern_server_open(model, &server));
    quern_cell cells[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) cells[k] = (quern_cell){.number = k == 1 ? (double)NAN : 1.5};
    OK(quern_server_row(server, cells, flags));
    assert_true(flags[0] == 1 && flags[1] == 0);
    cells[2].number = (double)NAN;
    assert_int_equal(quern_server_row(server, cells, flags), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "had none at the fit"));
    quern_server_close(server);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void new_missing_cells_pass_where_that_is_asked_for(void **state)
{
    static const char lenient[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                  "[{\"MissingIndicator\": {\"error_on_new\": false}}]}]}";
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *table = table_of(x, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_model *model = fixture_fit(cx, lenient, table);
    quern_matrix out = {0};
    (void)state;
    x[0] = (double)NAN;
    OK(quern_model_transform(cx, model, table, &out, NULL));
    assert_int_equal(out.columns, 2);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

static void integers_have_the_marker_that_is_given(void **state)
{
    static const char marked[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"MissingIndicator\": "
        "{\"missing_values\": -1, \"features\": \"all\"}}]}]}";
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    int32_t x[6] = {1, -1, 2, 5, -1, 7};
    static const uint8_t expected[6] = {0, 1, 0, 0, 1, 0};
    quern_table *table = table_of(x, QUERN_INT32, 3, 2);
    quern_model *model = fixture_fit(cx, marked, table);
    quern_matrix out = {0};
    OK(quern_model_transform(cx, model, table, &out, NULL));
    for (int i = 0; i < 6; i++)
        assert_int_equal(((const uint8_t *)out.data)[i / 2 * out.row_stride + i % 2], expected[i]);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
}

static void text_beside_numbers_is_marked_and_watched(void **state)
{
    quern_context *cx = fixture_context(DEVICES[(size_t)*state], 1);
    struct fixture_mixed m;
    quern_matrix out = {0};
    fixture_mixed(&m, 700, 4);
    quern_model *model = fixture_fit(cx, spec, m.table);
    OK(quern_model_transform(cx, model, m.table, &out, NULL));
    uint32_t text = out.columns - 1; /* the last output is the string column's */
    assert_non_null(strstr(quern_model_output_name(model, text), "missingindicator_"));
    for (uint64_t i = 0; i < m.rows; i++)
        assert_int_equal(((const uint8_t *)out.data)[(int64_t)i * out.row_stride + text],
                         !(m.valid[i / 8] >> (i % 8) & 1));
    m.a[5] = m.b[5] = (double)NAN; /* one of them had none */
    assert_int_equal(quern_model_transform(cx, model, m.table, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "had none at the fit"));
    quern_matrix_free(&out);
    quern_model_free(model);
    fixture_mixed_free(&m);
    OK(quern_context_close(cx));
}

/* What an encoder does not know is no missing value: they are told apart. */
static void categories_that_an_encoder_does_not_know_are_not_missing(void **state)
{
    static const char encoded[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"OrdinalEncoder\": "
        "{\"handle_unknown\": \"use_encoded_value\", \"unknown_value\": -1}}, "
        "\"MissingIndicator\"]}]}";
    quern_context *cx = fixture_context("cpu", 1);
    double fitted[6] = {1, 2, (double)NAN, 3, 4, 3}, other[4] = {9, 9, (double)NAN, 2};
    quern_table *a = table_of(fitted, QUERN_FLOAT64, 3, 2),
                *b = table_of(other, QUERN_FLOAT64, 2, 2);
    quern_model *model = fixture_fit(cx, encoded, a);
    quern_matrix out = {0};
    (void)state;
    OK(quern_model_transform(cx, model, b, &out, NULL));
    assert_int_equal(out.columns, 1);
    assert_int_equal(((const uint8_t *)out.data)[0], 0);
    assert_int_equal(((const uint8_t *)out.data)[out.row_stride], 1);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(a);
    quern_table_free(b);
    OK(quern_context_close(cx));
}

static void a_model_with_features_that_are_not_there_is_refused(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    double *x = sample();
    quern_table *table = table_of(x, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_model *model = fixture_fit(cx, spec, table), *other;
    void *bytes;
    size_t size;
    (void)state;
    OK(quern_model_to_bytes(model, &bytes, &size));
    OK(quern_model_from_bytes("whole", bytes, size, &other));
    fixture_same_model(model, other, __func__);
    quern_model_free(other);
    int changed = 0;
    for (char *at = bytes; at + 16 <= (char *)bytes + size; at++) {
        int64_t pair[2];
        memcpy(pair, at, sizeof pair);
        if (pair[0] != 1 || pair[1] != 3) continue;
        pair[1] = 1; /* twice the same */
        memcpy(at, pair, sizeof pair);
        changed = 1;
    }
    assert_true(changed);
    assert_int_not_equal(quern_model_from_bytes("broken", bytes, size, &other), QUERN_OK);
    assert_non_null(strstr(quern_last_error(), "features_"));
    quern_free(bytes);
    quern_model_free(model);
    quern_table_free(table);
    OK(quern_context_close(cx));
    free(x);
}

#define ON_EACH(test)                                                                              \
    {#test "@cpu", test, NULL, NULL, (void *)0}, {#test "@opencl:0", test, NULL, NULL, (void *)1}, \
    {                                                                                              \
#test "@cuda:0", test, NULL, NULL, (void *)2                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(missing_cells_are_marked),
        ON_EACH(a_missing_cell_where_there_was_none_is_refused),
        ON_EACH(integers_have_the_marker_that_is_given),
        ON_EACH(text_beside_numbers_is_marked_and_watched),
        cmocka_unit_test(new_missing_cells_pass_where_that_is_asked_for),
        cmocka_unit_test(categories_that_an_encoder_does_not_know_are_not_missing),
        cmocka_unit_test(a_model_with_features_that_are_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
