/* SPDX-License-Identifier: Apache-2.0
 * What crosses between host and device: each input byte once, each output byte once, nothing when the
 * data is already there or can be used where it lies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

static const char *const DEVICES[] = {"opencl:0", "cuda:0"};
enum { ROWS = 70001, COLUMNS = 7 };

static const char SCALE[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                            "[{\"SimpleImputer\": {\"strategy\": \"median\"}}, "
                            "\"StandardScaler\"]}]}";

static quern_ledger ledger_of(quern_context *context)
{
    quern_ledger ledger = {.struct_size = sizeof ledger};
    quern_context_ledger(context, &ledger);
    return ledger;
}

static void each_byte_crosses_once(const char *device)
{
    quern_context *context = fixture_context(device, 0);
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    float *data = fixture_f32(ROWS, COLUMNS, 100, 1);
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(data, QUERN_FLOAT32, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_pipeline_fit_transform(context, pipeline, table, &out, NULL, NULL));
    quern_ledger l = ledger_of(context);
    assert_int_equal(l.input_to_device, (uint64_t)ROWS * COLUMNS * 4);
    assert_int_equal(l.output_from_device, (uint64_t)ROWS * COLUMNS * 4);
    assert_int_equal(l.wrapped, 0);
    assert_true(l.launches >= 3); /* extremes, selection, the program */
    quern_matrix_free(&out);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free(data);
    OK(quern_context_close(context));
}

static void mixed_columns_cross_once_and_strings_as_codes(const char *device)
{
    quern_context *context = fixture_context(device, 0);
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    struct fixture_mixed m;
    quern_matrix out = {0};
    fixture_mixed(&m, ROWS, 3);
    OK(quern_pipeline_fit_transform(context, pipeline, m.table, &out, NULL, NULL));
    quern_ledger l = ledger_of(context);
    /* two float64, one int64, and one byte of code for each string */
    assert_int_equal(l.input_to_device, (uint64_t)ROWS * (3 * 8 + 1));
    assert_int_equal(l.output_from_device, (uint64_t)ROWS * out.columns * 8);
    quern_matrix_free(&out);
    fixture_mixed_free(&m);
    quern_pipeline_free(pipeline);
    OK(quern_context_close(context));
}

static void resident_data_does_not_cross(const char *device)
{
    quern_context *context = fixture_context(device, 0);
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    float *data = fixture_f32(ROWS, COLUMNS, 100, 2),
          *back = malloc(sizeof(float) * ROWS * COLUMNS);
    quern_table *table, *there;
    quern_model *model;
    quern_buffer *buffer;
    quern_matrix expected = {0};
    assert_non_null(back);
    OK(quern_table_from_matrix(data, QUERN_FLOAT32, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_table_upload(context, table, &there));
    OK(quern_buffer_alloc(context, (uint64_t)ROWS * COLUMNS * 4, &buffer));
    quern_context_reset(context);
    OK(quern_pipeline_fit(context, pipeline, there, &model));
    OK(quern_model_transform_to(context, model, there, buffer));
    quern_ledger l = ledger_of(context);
    assert_int_equal(l.input_to_device, 0);
    assert_int_equal(l.output_from_device, 0);
    assert_true(l.launches > 0);
    OK(quern_buffer_download(buffer, 0, back, (uint64_t)ROWS * COLUMNS * 4));
    OK(quern_model_transform(context, model, table, &expected, NULL));
    assert_memory_equal(back, expected.data, sizeof(float) * ROWS * COLUMNS);
    quern_matrix_free(&expected);
    quern_buffer_free(buffer);
    quern_table_free(there);
    quern_table_free(table);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    free(data);
    free(back);
    OK(quern_context_close(context));
}

static void in_place_data_does_not_cross(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    quern_device_info infos[32];
    uint32_t n, zero_copy = 0;
    for (uint32_t i = 0; i < 32; i++) infos[i].struct_size = sizeof infos[i];
    OK(quern_context_devices(context, infos, 32, &n));
    for (uint32_t i = 0; i < n && i < 32; i++)
        if (strcmp(infos[i].id, device) == 0) zero_copy = infos[i].zero_copy != 0;
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    float *data = fixture_f32(ROWS, COLUMNS, 100, 4);
    quern_table *table;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(data, QUERN_FLOAT32, ROWS, COLUMNS, 0, NULL, &table));
    OK(quern_pipeline_fit_transform(context, pipeline, table, &out, NULL, NULL));
    quern_ledger l = ledger_of(context);
    uint64_t bytes = (uint64_t)ROWS * COLUMNS * 4;
    assert_int_equal(l.input_to_device, zero_copy ? 0 : bytes);
    assert_int_equal(l.output_from_device, zero_copy ? 0 : bytes);
    if (zero_copy) assert_int_equal(l.wrapped, 2 * bytes);
    quern_matrix_free(&out);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free(data);
    OK(quern_context_close(context));
}

/* A pool too small for the table: chunks, each byte still once per planned pass. */
static void chunks_cross_once_per_pass(const char *device)
{
    enum { LARGE = 400001 };
    quern_context_config config = {.no_zero_copy = 1, .device_memory = 8u << 20};
    quern_context *context = fixture_context_with(device, &config);
    quern_context *cpu = fixture_context("cpu", 1);
    quern_pipeline *pipeline = fixture_pipeline(
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\"]}]}");
    float *data = fixture_f32(LARGE, COLUMNS, 0, 5);
    quern_table *table;
    quern_matrix out = {0}, expected = {0};
    OK(quern_table_from_matrix(data, QUERN_FLOAT32, LARGE, COLUMNS, 0, NULL, &table));
    OK(quern_pipeline_fit_transform(context, pipeline, table, &out, NULL, NULL));
    OK(quern_pipeline_fit_transform(cpu, pipeline, table, &expected, NULL, NULL));
    quern_ledger l = ledger_of(context);
    uint64_t bytes = (uint64_t)LARGE * COLUMNS * 4;
    assert_int_equal(l.passes, 2);
    assert_int_equal(l.input_to_device, 2 * bytes);
    assert_int_equal(l.output_from_device, bytes);
    assert_memory_equal(out.data, expected.data, bytes);
    quern_matrix_free(&out);
    quern_matrix_free(&expected);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free(data);
    OK(quern_context_close(context));
    OK(quern_context_close(cpu));
}

/* What a chunk saw is looked at when it has landed; the message is the one that the CPU gives. */
static void infinities_are_found_in_every_chunk(const char *device)
{
    enum { LARGE = 400001, WHERE = 300007 };
    quern_context_config config = {.no_zero_copy = 1, .device_memory = 8u << 20};
    quern_context *context = fixture_context_with(device, &config);
    quern_pipeline *pipeline = fixture_pipeline(
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MaxAbsScaler\"]}]}");
    float *data = fixture_f32(LARGE, COLUMNS, 0, 6);
    quern_table *table;
    quern_model *model;
    quern_matrix out = {0};
    OK(quern_table_from_matrix(data, QUERN_FLOAT32, LARGE, COLUMNS, 0, NULL, &table));
    OK(quern_pipeline_fit(context, pipeline, table, &model));
    data[(uint64_t)WHERE * COLUMNS + 2] = (float)HUGE_VAL;
    assert_int_equal(quern_model_transform(context, model, table, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 300007"));
    data[(uint64_t)WHERE * COLUMNS + 2] = 1;
    OK(quern_model_transform(context, model, table, &out, NULL));
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free(data);
    OK(quern_context_close(context));
}

#define ON_EACH(name)                                                                              \
    static void name##_opencl(void **state)                                                        \
    {                                                                                              \
        (void)state;                                                                               \
        name(DEVICES[0]);                                                                          \
    }                                                                                              \
    static void name##_cuda(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        name(DEVICES[1]);                                                                          \
    }
ON_EACH(each_byte_crosses_once)
ON_EACH(mixed_columns_cross_once_and_strings_as_codes)
ON_EACH(resident_data_does_not_cross)
ON_EACH(in_place_data_does_not_cross)
ON_EACH(chunks_cross_once_per_pass)
ON_EACH(infinities_are_found_in_every_chunk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_crosses_once_opencl),
        cmocka_unit_test(each_byte_crosses_once_cuda),
        cmocka_unit_test(mixed_columns_cross_once_and_strings_as_codes_opencl),
        cmocka_unit_test(mixed_columns_cross_once_and_strings_as_codes_cuda),
        cmocka_unit_test(resident_data_does_not_cross_opencl),
        cmocka_unit_test(resident_data_does_not_cross_cuda),
        cmocka_unit_test(in_place_data_does_not_cross_opencl),
        cmocka_unit_test(in_place_data_does_not_cross_cuda),
        cmocka_unit_test(chunks_cross_once_per_pass_opencl),
        cmocka_unit_test(chunks_cross_once_per_pass_cuda),
        cmocka_unit_test(infinities_are_found_in_every_chunk_opencl),
        cmocka_unit_test(infinities_are_found_in_every_chunk_cuda),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
