/* SPDX-License-Identifier: Apache-2.0
 * What crosses between host and device: each input byte once, each output byte once, nothing when the
 * data is already there or can be used where it lies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

enum { ROWS = 70001, LARGE = 400001, COLUMNS = 7 };

static const char SCALE[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                            "[{\"SimpleImputer\": {\"strategy\": \"median\"}}, "
                            "\"StandardScaler\"]}]}";

static quern_ledger ledger_of(quern_context *context)
{
    quern_ledger ledger = {.struct_size = sizeof ledger};
    quern_context_ledger(context, &ledger);
    return ledger;
}

/* A device, a matrix, a pipeline: what each test has. */
struct rig {
    quern_context *context;
    quern_pipeline *pipeline;
    float *data;
    quern_table *table;
    quern_matrix out;
    uint64_t bytes; /* of the matrix, and of the result */
};

static void open_rig(struct rig *r, quern_context *context, const char *spec, uint64_t rows,
                     uint32_t missing)
{
    *r = (struct rig){.context = context,
                      .pipeline = fixture_pipeline(spec),
                      .data = fixture_f32(rows, COLUMNS, missing, rows),
                      .bytes = rows * COLUMNS * sizeof(float)};
    OK(quern_table_from_matrix(r->data, QUERN_FLOAT32, rows, COLUMNS, 0, NULL, &r->table));
}

static void close_rig(struct rig *r)
{
    quern_matrix_free(&r->out);
    quern_table_free(r->table);
    quern_pipeline_free(r->pipeline);
    free(r->data);
    OK(quern_context_close(r->context));
}

/* A pool too small for the LARGE table. */
static quern_context *little_context(const char *device)
{
    quern_context_config config = {.no_zero_copy = 1, .device_memory = 8u << 20};
    return fixture_context_with(device, &config);
}

static void each_byte_crosses_once(const char *device)
{
    struct rig r;
    open_rig(&r, fixture_context(device, 0), SCALE, ROWS, 100);
    OK(quern_pipeline_fit_transform(r.context, r.pipeline, r.table, &r.out, NULL, NULL));
    quern_ledger l = ledger_of(r.context);
    assert_int_equal(l.input_to_device, r.bytes);
    assert_int_equal(l.output_from_device, r.bytes);
    assert_int_equal(l.wrapped, 0);
    assert_true(l.launches >= 3); /* extremes, selection, the program */
    close_rig(&r);
}

static void mixed_columns_cross_once_and_strings_as_codes(const char *device)
{
    struct rig r;
    struct fixture_mixed m;
    open_rig(&r, fixture_context(device, 0), fixture_mixed_spec, 1, 0);
    fixture_mixed(&m, ROWS, 3);
    OK(quern_pipeline_fit_transform(r.context, r.pipeline, m.table, &r.out, NULL, NULL));
    quern_ledger l = ledger_of(r.context);
    /* two float64, one int64, and one byte of code for each string */
    assert_int_equal(l.input_to_device, (uint64_t)ROWS * (3 * 8 + 1));
    assert_int_equal(l.output_from_device, (uint64_t)ROWS * r.out.columns * 8);
    fixture_mixed_free(&m);
    close_rig(&r);
}

static void resident_data_does_not_cross(const char *device)
{
    struct rig r;
    quern_table *there;
    quern_model *model;
    quern_buffer *buffer;
    open_rig(&r, fixture_context(device, 0), SCALE, ROWS, 100);
    float *back = malloc(r.bytes);
    assert_non_null(back);
    OK(quern_table_upload(r.context, r.table, &there));
    OK(quern_buffer_alloc(r.context, r.bytes, &buffer));
    quern_context_reset(r.context);
    OK(quern_pipeline_fit(r.context, r.pipeline, there, &model));
    OK(quern_model_transform_to(r.context, model, there, buffer));
    quern_ledger l = ledger_of(r.context);
    assert_int_equal(l.input_to_device, 0);
    assert_int_equal(l.output_from_device, 0);
    assert_true(l.launches > 0);
    OK(quern_buffer_download(buffer, 0, back, r.bytes));
    OK(quern_model_transform(r.context, model, r.table, &r.out, NULL));
    assert_memory_equal(back, r.out.data, r.bytes);
    quern_buffer_free(buffer);
    quern_table_free(there);
    quern_model_free(model);
    free(back);
    close_rig(&r);
}

/* What lies on one context's device is nobody else's, and no work of the host. */
static void resident_data_stays_with_its_device(const char *device)
{
    static const char CODES[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"OrdinalEncoder\"]}]}";
    struct rig r;
    quern_table *there, *again = NULL;
    quern_model *model, *none = NULL;
    open_rig(&r, fixture_context(device, 0), SCALE, ROWS, 100);
    quern_context *others[] = {fixture_context("cpu", 0), fixture_context(device, 0)};
    quern_pipeline *codes = fixture_pipeline(CODES);
    OK(quern_table_upload(r.context, r.table, &there));
    OK(quern_pipeline_fit(r.context, r.pipeline, there, &model));
    assert_int_equal(quern_table_upload(r.context, there, &again), QUERN_UNSUPPORTED);
    assert_int_equal(quern_pipeline_fit(r.context, codes, there, &none), QUERN_UNSUPPORTED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(quern_pipeline_fit(others[i], r.pipeline, there, &none),
                         QUERN_UNSUPPORTED);
        assert_non_null(strstr(quern_last_error(), "in another context"));
        assert_int_equal(quern_model_transform(others[i], model, there, &r.out, NULL),
                         QUERN_UNSUPPORTED);
        OK(quern_context_close(others[i]));
    }
    assert_null(none);
    assert_null(again);
    quern_table_free(there);
    quern_model_free(model);
    quern_pipeline_free(codes);
    close_rig(&r);
}

static void peaks_begin_anew(const char *device)
{
    struct rig r;
    quern_pool_stats s = {.struct_size = sizeof s};
    open_rig(&r, fixture_context(device, 0), SCALE, ROWS, 100);
    OK(quern_pipeline_fit_transform(r.context, r.pipeline, r.table, &r.out, NULL, NULL));
    quern_context_pool(r.context, &s);
    assert_true(s.used_peak >= r.bytes && s.used == 0);
    quern_context_reset_peaks(r.context);
    quern_context_pool(r.context, &s);
    assert_int_equal(s.used_peak, 0);
    assert_int_equal(s.held_peak, s.held);
    close_rig(&r);
}

static int uses_memory_in_place(quern_context *context, const char *device)
{
    quern_device_info infos[32];
    uint32_t n;
    for (uint32_t i = 0; i < 32; i++) infos[i].struct_size = sizeof infos[i];
    OK(quern_context_devices(context, infos, 32, &n));
    for (uint32_t i = 0; i < n && i < 32; i++)
        if (strcmp(infos[i].id, device) == 0) return infos[i].zero_copy != 0;
    return 0;
}

static void in_place_data_does_not_cross(const char *device)
{
    struct rig r;
    open_rig(&r, fixture_context(device, 1), SCALE, ROWS, 100);
    int in_place = uses_memory_in_place(r.context, device);
    OK(quern_pipeline_fit_transform(r.context, r.pipeline, r.table, &r.out, NULL, NULL));
    quern_ledger l = ledger_of(r.context);
    assert_int_equal(l.input_to_device, in_place ? 0 : r.bytes);
    assert_int_equal(l.output_from_device, in_place ? 0 : r.bytes);
    if (in_place) assert_int_equal(l.wrapped, 2 * r.bytes);
    close_rig(&r);
}

/* Chunks: each byte still once per planned pass. */
static void chunks_cross_once_per_pass(const char *device)
{
    struct rig r, cpu;
    static const char spec[] =
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\"]}]}";
    open_rig(&r, little_context(device), spec, LARGE, 0);
    open_rig(&cpu, fixture_context("cpu", 1), spec, LARGE, 0);
    OK(quern_pipeline_fit_transform(r.context, r.pipeline, r.table, &r.out, NULL, NULL));
    OK(quern_pipeline_fit_transform(cpu.context, cpu.pipeline, cpu.table, &cpu.out, NULL, NULL));
    quern_ledger l = ledger_of(r.context);
    assert_int_equal(l.passes, 2);
    assert_int_equal(l.input_to_device, 2 * r.bytes);
    assert_int_equal(l.output_from_device, r.bytes);
    assert_memory_equal(r.out.data, cpu.out.data, r.bytes);
    close_rig(&r);
    close_rig(&cpu);
}

/* What a chunk saw is looked at when it has landed; the message is the one that the CPU gives. */
static void infinities_are_found_in_every_chunk(const char *device)
{
    enum { WHERE = 300007 * COLUMNS + 2 };
    struct rig r;
    quern_model *model;
    open_rig(&r, little_context(device),
             "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MaxAbsScaler\"]}]}",
             LARGE, 0);
    OK(quern_pipeline_fit(r.context, r.pipeline, r.table, &model));
    r.data[WHERE] = (float)HUGE_VAL;
    assert_int_equal(quern_model_transform(r.context, model, r.table, &r.out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 300007"));
    r.data[WHERE] = 1;
    OK(quern_model_transform(r.context, model, r.table, &r.out, NULL));
    quern_model_free(model);
    close_rig(&r);
}

#define ON_EACH(X)                                                                                 \
    X(each_byte_crosses_once)                                                                      \
    X(mixed_columns_cross_once_and_strings_as_codes)                                               \
    X(resident_data_does_not_cross)                                                                \
    X(resident_data_stays_with_its_device)                                                         \
    X(peaks_begin_anew)                                                                            \
    X(in_place_data_does_not_cross)                                                                \
    X(chunks_cross_once_per_pass)                                                                  \
    X(infinities_are_found_in_every_chunk)
#define TWO(name)                                                                                  \
    static void name##_opencl(void **state)                                                        \
    {                                                                                              \
        (void)state;                                                                               \
        name("opencl:0");                                                                          \
    }                                                                                              \
    static void name##_cuda(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        name("cuda:0");                                                                            \
    }
ON_EACH(TWO)

int main(void)
{
#define LISTED(name) cmocka_unit_test(name##_opencl), cmocka_unit_test(name##_cuda),
    const struct CMUnitTest tests[] = {ON_EACH(LISTED)};
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
