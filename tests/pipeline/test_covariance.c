/* SPDX-License-Identifier: Apache-2.0
 * Covariances through the public interface: of either axis, on devices, of the observations that are there, and
 * what is refused. What is computed is checked by the conformance suite of the operations too. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/device/context.h"
#include "tests/pipeline/array_fixture.h"

enum { ROWS = 500, COLUMNS = 40 };

/* Three variables of four observations, the second twice the first, the third constant. */
static void covariances_of_either_axis(void **state)
{
    double data[12] = {1, 2, 3, 4, 2, 4, 6, 8, 5, 5, 5, 5}, turned[12], weights[4] = {1, 2, 0, 1};
    const double want[9] = {5.0 / 3, 10.0 / 3, 0, 10.0 / 3, 20.0 / 3, 0, 0, 0, 0};
    quern_covariance_options options = {.struct_size = sizeof options, .correlation = 1};
    quern_array w = vector_of(QUERN_FLOAT64, weights, 4);
    (void)state;
    for (int i = 0; i < 12; i++) turned[i % 4 * 3 + i / 4] = data[i];
    quern_context *context = fixture_context("cpu", 1);
    quern_array rows = matrix_of(QUERN_FLOAT64, data, 3, 4),
                columns = matrix_of(QUERN_FLOAT64, turned, 4, 3), a = none, b = none;
    OK(quern_array_covariance(context, &rows, 1, NULL, &a));
    OK(quern_array_covariance(context, &columns, 0, NULL, &b));
    assert_true(a.type == QUERN_FLOAT64 && a.shape[0] == 3 && a.shape[1] == 3);
    assert_memory_equal(a.data, want, sizeof want);
    assert_memory_equal(a.data, b.data, sizeof want);
    quern_array_free(&b);
    options.narrow = 1;
    options.weights = NULL;
    OK(quern_array_covariance(context, &rows, 1, &options, &b));
    assert_true(b.type == QUERN_FLOAT32 && fabsf(((float *)b.data)[1] - 1.0f) < 1e-6f);
    assert_true(isnan(((float *)b.data)[8]) && isnan(((float *)b.data)[2]));
    quern_array_free(&b);
    options = (quern_covariance_options){.struct_size = sizeof options, .weights = &w};
    OK(quern_array_covariance(context, &rows, 1, &options, &a)); /* of 1, 2, 2 and 4 */
    assert_true(fabs(((double *)a.data)[0] - 4.75 / 4) < 1e-15);
    quern_array_free(&a);
    OK(quern_context_close(context));
}

/* A device's bytes are the processor's; values in a buffer stay there. */
static void covariances_on(const char *device)
{
    quern_context *there = fixture_context(device, 1), *here = fixture_context("cpu", 1);
    float *data = fixture_f32(ROWS, COLUMNS, 0, 7);
    quern_array x = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS), a = none, b = none, c = none;
    quern_covariance_options options = {.struct_size = sizeof options, .correlation = 1, .ddof = 1};
    quern_decision decision = {.struct_size = sizeof decision};
    quern_buffer *buffer = NULL;
    OK(quern_array_covariance(here, &x, 0, &options, &a));
    OK(quern_array_covariance(there, &x, 0, &options, &b));
    OK(quern_context_decision(there, 0, &decision));
    assert_string_equal(decision.implementation, "device");
    OK(quern_buffer_alloc(there, ROWS * COLUMNS * sizeof *data, &buffer));
    OK(quern_buffer_upload(buffer, 0, data, ROWS * COLUMNS * sizeof *data));
    x.data = NULL;
    x.buffer = buffer;
    OK(quern_array_covariance(there, &x, 0, &options, &c));
    assert_memory_equal(a.data, b.data, COLUMNS * COLUMNS * sizeof(double));
    assert_memory_equal(a.data, c.data, COLUMNS * COLUMNS * sizeof(double));
    quern_array_free(&a);
    quern_array_free(&b);
    quern_array_free(&c);
    quern_buffer_free(buffer);
    free(data);
    OK(quern_context_close(there));
    OK(quern_context_close(here));
}
static void covariances_on_opencl(void **state)
{
    (void)state;
    covariances_on("opencl:0");
}
static void covariances_on_cuda(void **state)
{
    (void)state;
    covariances_on("cuda:0");
}

/* What a device cannot compute does not cross to it. */
static void nothing_crosses_to_a_device_without_float64(void **state)
{
    float data[6] = {3, 1, 2, 0, 5, 4};
    quern_context_config config = {
        .struct_size = sizeof config, .device = "opencl:0", .fallback = QUERN_FALLBACK_NEVER};
    quern_context *context = fixture_context("opencl:0", 1); /* skips where there is none */
    const quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 3);
    quern_array out = none;
    quern_ledger ledger = {.struct_size = sizeof ledger};
    (void)state;
    OK(quern_context_close(context));
    OK(quern_context_open(&config, &context));
    context->device->caps.features &= ~(uint32_t)QN_FEATURE_F64;
    assert_int_equal(quern_array_covariance(context, &x, 0, NULL, &out), QUERN_UNSUPPORTED);
    assert_non_null(strstr(quern_last_error(), "no float64 arithmetic"));
    assert_int_equal(quern_array_reduce(context, QUERN_REDUCE_SUM, &x, 0, NULL, &out),
                     QUERN_UNSUPPORTED);
    quern_context_ledger(context, &ledger);
    assert_int_equal(ledger.input_to_device, 0);
    OK(quern_context_close(context));
}

/* The second variable lacks one of four observations, the third all. */
static void covariances_of_what_is_there(void **state)
{
    const double no = (double)NAN, want[9] = {5.0 / 3, 2, no, 2, 4, no, no, no, no};
    double data[12] = {1, 2, 3, 4, 2, 4, 6, no, no, no, no, no};
    quern_covariance_options options = {.struct_size = sizeof options, .ddof = 1, .skip_nan = 1};
    quern_context *context = fixture_context("cpu", 1);
    quern_array x = matrix_of(QUERN_FLOAT64, data, 3, 4), out = none;
    (void)state;
    OK(quern_array_covariance(context, &x, 1, &options, &out));
    for (int i = 0; i < 9; i++) {
        double v = ((double *)out.data)[i];
        assert_true(isnan(want[i]) ? isnan(v) : v == want[i]);
    }
    options.min_periods = 4;
    OK(quern_array_covariance(context, &x, 1, &options, &out));
    assert_true(isnan(((double *)out.data)[1]) && ((double *)out.data)[0] == want[0]);
    quern_array_free(&out);
    OK(quern_context_close(context));
}

static void covariances_that_make_no_sense_are_refused(void **state)
{
    double data[4] = {1, 2, 3, 4}, bad[2] = {1, -1}, zero[2] = {0, 0};
    quern_context *context = fixture_context("cpu", 1);
    const quern_array x = matrix_of(QUERN_FLOAT64, data, 2, 2),
                      few = vector_of(QUERN_FLOAT64, data, 1),
                      negative = vector_of(QUERN_FLOAT64, bad, 2),
                      nothing = vector_of(QUERN_FLOAT64, zero, 2);
    quern_covariance_options options = {.struct_size = 4};
    quern_array out = none;
    (void)state;
    REFUSED(quern_array_covariance(context, &x, 2, NULL, &out), "axis 2");
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "struct_size");
    options.struct_size = sizeof options;
    options.ddof = (double)INFINITY;
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "ddof");
    options.ddof = 1;
    options.weights = &few;
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "one for each of 2");
    options.weights = &negative;
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "weight 1 is negative");
    options.weights = &nothing;
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "not a positive number");
    options.skip_nan = 1;
    REFUSED(quern_array_covariance(context, &x, 0, &options, &out), "do not go with skip_nan");
    OK(quern_context_close(context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covariances_of_either_axis),
        cmocka_unit_test(covariances_of_what_is_there),
        cmocka_unit_test(covariances_on_opencl),
        cmocka_unit_test(covariances_on_cuda),
        cmocka_unit_test(nothing_crosses_to_a_device_without_float64),
        cmocka_unit_test(covariances_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
