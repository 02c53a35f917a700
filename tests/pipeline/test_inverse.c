/* SPDX-License-Identifier: Apache-2.0
 * The way back through a fitted pipeline: the order of columns, memory that input and output share,
 * what has no way back, devices. scikit-learn's bits are in tests/parity. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "tests/pipeline/fixture.h"

enum { ROWS = 2500, COLUMNS = 4 };

static quern_context *cpu;

/* Steps take the columns in another order than the table has them; column 3 is dropped. */
static const char CROSSED[] =
    "{\"quern\": 1, \"steps\": [{\"columns\": [2], \"apply\": [\"StandardScaler\", "
    "\"MinMaxScaler\"]}, {\"columns\": [1, 0], \"apply\": [\"RobustScaler\"]}]}";

static quern_table *matrix(const void *data, quern_type type, uint64_t rows, uint32_t columns)
{
    quern_table *table;
    OK(quern_table_from_matrix(data, type, rows, columns, 0, NULL, &table));
    return table;
}

static quern_model *fitted(const char *spec, const double *data)
{
    quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_model *model = fixture_fit(cpu, spec, table);
    quern_table_free(table);
    return model;
}

static void columns_come_back_to_their_places(void **state)
{
    double *data = fixture_f64(ROWS, COLUMNS, 30, 3);
    quern_model *model = fitted(CROSSED, data);
    quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_matrix there = {0}, back = {0};
    (void)state;
    OK(quern_model_transform(cpu, model, table, &there, NULL));
    assert_int_equal(there.columns, 3);
    quern_table *scaled = matrix(there.data, QUERN_FLOAT64, ROWS, 3);
    OK(quern_model_inverse_transform(cpu, model, scaled, &back));
    assert_int_equal(back.columns, 3); /* the dropped column has nothing to come back from */
    for (uint64_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < 3; c++) {
            double before = data[r * COLUMNS + c], after = ((double *)back.data)[r * 3 + c];
            if (isnan(before))
                assert_true(isnan(after));
            else
                assert_true(fabs(before - after) <= 1e-12 * (1 + fabs(before)));
        }
    quern_matrix_free(&there);
    quern_matrix_free(&back);
    quern_table_free(scaled);
    quern_table_free(table);
    quern_model_free(model);
    free(data);
}

/* Into the memory of the input: cell by cell where places agree, and where columns change places. */
static void output_may_be_the_input(void **state)
{
    static const char *const specs[] = {
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\"]}]}",
        "{\"quern\": 1, \"steps\": [{\"columns\": [3, 1], \"apply\": [\"StandardScaler\"]}, "
        "{\"columns\": [0, 2], \"apply\": [\"MaxAbsScaler\"]}]}"};
    double *data = fixture_f64(ROWS, COLUMNS, 30, 4);
    double *own = malloc(sizeof *own * ROWS * COLUMNS);
    (void)state;
    assert_non_null(own);
    for (int i = 0; i < 2; i++) {
        quern_model *model = fitted(specs[i], data);
        quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, COLUMNS);
        quern_table *shared = matrix(own, QUERN_FLOAT64, ROWS, COLUMNS);
        quern_matrix apart = {0}, same = {.data = own,
                                          .type = QUERN_FLOAT64,
                                          .rows = ROWS,
                                          .columns = COLUMNS,
                                          .row_stride = COLUMNS * 8};
        OK(quern_model_inverse_transform(cpu, model, table, &apart));
        memcpy(own, data, sizeof *own * ROWS * COLUMNS);
        OK(quern_model_inverse_transform(cpu, model, shared, &same));
        assert_memory_equal(own, apart.data, sizeof *own * ROWS * COLUMNS);
        quern_matrix_free(&apart);
        quern_table_free(table);
        quern_table_free(shared);
        quern_model_free(model);
    }
    free(data);
    free(own);
}

/* Rows that move within one piece of memory. */
static void output_may_overlap_the_input(void **state)
{
    double *data = fixture_f64(ROWS, COLUMNS, 0, 8);
    double *own = malloc(sizeof *own * (ROWS + 3) * COLUMNS);
    quern_model *model = fitted(
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MinMaxScaler\"]}]}", data);
    quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_table *shared = matrix(own, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_matrix apart = {0}, later = {.data = own + 3 * COLUMNS,
                                       .type = QUERN_FLOAT64,
                                       .rows = ROWS,
                                       .columns = COLUMNS,
                                       .row_stride = COLUMNS * 8};
    (void)state;
    assert_non_null(own);
    memcpy(own, data, sizeof *own * ROWS * COLUMNS);
    OK(quern_model_inverse_transform(cpu, model, table, &apart));
    OK(quern_model_inverse_transform(cpu, model, shared, &later));
    assert_memory_equal(later.data, apart.data, sizeof *own * ROWS * COLUMNS);
    quern_matrix_free(&apart);
    quern_table_free(table);
    quern_table_free(shared);
    quern_model_free(model);
    free(data);
    free(own);
}

static void a_chain_over_the_joined_output_is_undone_first(void **state)
{
    double *data = fixture_f64(ROWS, COLUMNS, 0, 12);
    quern_model *model =
        fitted("{\"quern\": 1, \"steps\": [{\"columns\": [1, 3], \"apply\": [\"RobustScaler\"]}], "
               "\"remainder\": \"passthrough\", \"then\": [\"StandardScaler\"]}",
               data);
    quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, COLUMNS);
    quern_matrix there = {0}, back = {0};
    (void)state;
    OK(quern_model_transform(cpu, model, table, &there, NULL));
    quern_table *scaled = matrix(there.data, QUERN_FLOAT64, ROWS, COLUMNS);
    OK(quern_model_inverse_transform(cpu, model, scaled, &back));
    for (uint64_t i = 0; i < (uint64_t)ROWS * COLUMNS; i++)
        assert_true(fabs(((double *)back.data)[i] - data[i]) <= 1e-12 * (1 + fabs(data[i])));
    quern_matrix_free(&there);
    quern_matrix_free(&back);
    quern_table_free(scaled);
    quern_table_free(table);
    quern_model_free(model);
    free(data);
}

static void what_has_no_way_back_is_named(void **state)
{
    static const struct {
        const char *steps, *words;
    } cases[] = {
        {"[{\"columns\": [0], \"apply\": [\"SimpleImputer\", \"StandardScaler\"]}]",
         "SimpleImputer has no inverse"},
        {"[{\"columns\": [0, 1], \"apply\": [\"Normalizer\"]}]", "Normalizer has no inverse"},
        {"[{\"columns\": [0], \"apply\": [\"Binarizer\"]}]", "Binarizer has no inverse"},
        {"[{\"columns\": [0], \"apply\": [\"OrdinalEncoder\"]}]", "OrdinalEncoder has no inverse"},
        {"[{\"columns\": [0], \"apply\": [\"OneHotEncoder\"]}]", "OneHotEncoder has no inverse"},
        {"[{\"columns\": [0], \"apply\": [\"MaxAbsScaler\"]}], \"then\": [\"Normalizer\"]",
         "then: Normalizer has no inverse"},
        {"[{\"name\": \"a\", \"columns\": [0], \"apply\": [\"MaxAbsScaler\"]}, {\"name\": \"b\", "
         "\"columns\": [0], \"apply\": [\"MaxAbsScaler\"]}]",
         "two steps take input column 0"},
    };
    double *data = fixture_f64(ROWS, COLUMNS, 0, 1);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[400];
        quern_matrix back = {0};
        (void)snprintf(spec, sizeof spec, "{\"quern\": 1, \"steps\": %s}", cases[i].steps);
        quern_model *model = fitted(spec, data);
        quern_table *table = matrix(data, QUERN_FLOAT64, 1, quern_model_outputs(model));
        assert_int_equal(quern_model_inverse_transform(cpu, model, table, &back),
                         QUERN_UNSUPPORTED);
        assert_null(back.data);
        if (strstr(quern_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, quern_last_error(), cases[i].words);
        quern_table_free(table);
        quern_model_free(model);
    }
    free(data);
}

static void wrong_tables_and_outputs_are_refused(void **state)
{
    double *data = fixture_f64(ROWS, COLUMNS, 0, 1);
    quern_model *model = fitted(CROSSED, data);
    quern_matrix back = {0}, narrow = {.data = data,
                                       .type = QUERN_FLOAT32,
                                       .rows = ROWS,
                                       .columns = 3,
                                       .row_stride = 12};
    quern_table *four = matrix(data, QUERN_FLOAT64, ROWS, 4), *three;
    (void)state;
    assert_int_equal(quern_model_inverse_transform(cpu, model, four, &back), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "4 columns; the model gives 3"));
    three = matrix(data, QUERN_FLOAT64, ROWS, 3);
    assert_int_equal(quern_model_inverse_transform(cpu, model, three, &narrow), QUERN_INVALID);
    data[5] = INFINITY;
    assert_int_equal(quern_model_inverse_transform(cpu, model, three, &back), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 1: column \"x2\" has an infinite value"));
    assert_int_equal(quern_model_inverse_transform(cpu, NULL, three, &back), QUERN_INVALID);
    assert_null(back.data);
    quern_table_free(four);
    quern_table_free(three);
    quern_model_free(model);
    free(data);
}

static void devices_give_the_bits_of_the_cpu(void **state, const char *device)
{
    quern_context *context = fixture_context(device, 0);
    double *data = fixture_f64(ROWS, COLUMNS, 30, 17);
    float *small = fixture_f32(ROWS, 3, 30, 18);
    quern_model *model = fitted(CROSSED, data);
    quern_table *table = matrix(small, QUERN_FLOAT32, ROWS, 3);
    quern_matrix here = {0}, there = {0};
    quern_decision decision = {.struct_size = sizeof decision};
    (void)state;
    OK(quern_model_inverse_transform(cpu, model, table, &here));
    OK(quern_model_inverse_transform(context, model, table, &there));
    assert_int_equal(here.type, QUERN_FLOAT32);
    assert_memory_equal(here.data, there.data, sizeof *small * ROWS * 3);
    assert_int_equal(quern_context_decisions(context), 1);
    OK(quern_context_decision(context, 0, &decision));
    assert_string_equal(decision.step, "inverse");
    assert_string_equal(decision.device, device);
    quern_ledger ledger = {.struct_size = sizeof ledger};
    quern_context_ledger(context, &ledger);
    assert_int_equal(ledger.input_to_device, sizeof *small * ROWS * 3);
    assert_int_equal(ledger.output_from_device, sizeof *small * ROWS * 3);
    /* and into the input's own memory, which this device uses where it lies */
    quern_context *wrapping = fixture_context(device, 1);
    quern_matrix same = {
        .data = small, .type = QUERN_FLOAT32, .rows = ROWS, .columns = 3, .row_stride = 12};
    OK(quern_model_inverse_transform(wrapping, model, table, &same));
    assert_memory_equal(here.data, small, sizeof *small * ROWS * 3);
    OK(quern_context_close(wrapping));
    quern_matrix_free(&here);
    quern_matrix_free(&there);
    quern_table_free(table);
    quern_model_free(model);
    free(small);
    free(data);
    OK(quern_context_close(context));
}

static void opencl_gives_the_bits_of_the_cpu(void **state)
{
    devices_give_the_bits_of_the_cpu(state, "opencl:0");
}

static void cuda_gives_the_bits_of_the_cpu(void **state)
{
    devices_give_the_bits_of_the_cpu(state, "cuda:0");
}

/* The k-th allocation fails, for every k. */
static void every_allocation_may_fail(void **state)
{
    double *data = fixture_f64(ROWS, COLUMNS, 0, 1);
    quern_context *context;
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 1};
    quern_model *model = fitted(CROSSED, data);
    quern_table *table = matrix(data, QUERN_FLOAT64, ROWS, 3);
    (void)state;
    OK(quern_context_open(&config, &context));
    for (uint64_t k = 1;; k++) {
        quern_matrix back = {0};
        (void)qn_alloc_fail_at(k);
        quern_status status = quern_model_inverse_transform(context, model, table, &back);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            quern_matrix_free(&back);
            assert_true(k > 5);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_null(back.data);
    }
    OK(quern_context_close(context));
    quern_table_free(table);
    quern_model_free(model);
    free(data);
}

static int open_cpu(void **state)
{
    (void)state;
    cpu = fixture_context("cpu", 1);
    return 0;
}

static int close_cpu(void **state)
{
    (void)state;
    return quern_context_close(cpu) == QUERN_OK ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_come_back_to_their_places),
        cmocka_unit_test(output_may_be_the_input),
        cmocka_unit_test(output_may_overlap_the_input),
        cmocka_unit_test(a_chain_over_the_joined_output_is_undone_first),
        cmocka_unit_test(what_has_no_way_back_is_named),
        cmocka_unit_test(wrong_tables_and_outputs_are_refused),
        cmocka_unit_test(opencl_gives_the_bits_of_the_cpu),
        cmocka_unit_test(cuda_gives_the_bits_of_the_cpu),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("inverse", tests, open_cpu, close_cpu);
}
