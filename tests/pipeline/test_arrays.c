/* SPDX-License-Identifier: Apache-2.0
 * Arrays through the public interface: who owns results, buffers of the device, what crosses, what is
 * refused, and what is left when something fails. What is computed is checked by the conformance suite
 * of the operations and, beside NumPy, by the Python package's tests. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/device/context.h"
#include "tests/pipeline/array_fixture.h"

enum { ROWS = 500, COLUMNS = 40, MANY = 200000 };

static void ascends(const float *x, uint64_t n, int64_t step)
{
    for (uint64_t i = 1; i < n; i++)
        assert_true(x[(int64_t)(i - 1) * step] <= x[(int64_t)i * step]);
}

/* ---- results ---- */

static void the_library_makes_results_that_it_frees(void **state)
{
    quern_context *context = fixture_context("cpu", 1);
    float *data = fixture_f32(ROWS, COLUMNS, 0, 1);
    quern_array x = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS), out = none, places = none;
    (void)state;
    OK(quern_array_sort(context, &x, 0, 0, &out));
    assert_int_equal(out.owned, 1);
    assert_int_equal(out.type, QUERN_FLOAT32);
    assert_int_equal(out.shape[0] * out.shape[1], ROWS * COLUMNS);
    for (uint64_t c = 0; c < COLUMNS; c++) ascends((float *)out.data + c, ROWS, COLUMNS);
    OK(quern_array_topk(context, &x, 3, -1, 1, NULL, &places));
    assert_int_equal(places.type, QUERN_INT64);
    assert_int_equal(places.shape[1], 3);
    quern_array_free(&out);
    assert_null(out.data);
    quern_array_free(&out); /* twice does no harm */
    quern_array_free(&places);
    quern_array_free(NULL);
    free(data);
    OK(quern_context_close(context));
}

static void a_result_may_be_what_was_given(void **state)
{
    (void)state;
    for (uint64_t n = 30; n <= MANY; n *= 80) {
        quern_context *context = fixture_context("cpu", 1);
        float *data = fixture_f32(n, 1, 0, 2);
        quern_array x = vector_of(QUERN_FLOAT32, data, n), out = x;
        OK(quern_array_sort(context, &x, 0, 0, &out));
        ascends(data, n, 1);
        free(data);
        OK(quern_context_close(context));
    }
}

static void results_of_any_strides_are_written_where_they_belong(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float *data = fixture_f32(ROWS, COLUMNS, 0, 3),
          *wide = calloc(4 * ROWS * COLUMNS, sizeof *wide);
    quern_array x = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS), out = x;
    assert_non_null(wide);
    /* backwards along both dimensions, every second */
    out.strides[0] = -(int64_t)(2 * COLUMNS * sizeof *wide);
    out.strides[1] = -(int64_t)(2 * sizeof *wide);
    float *first = wide + 2 * (ROWS * COLUMNS - 1) + 1;
    out.data = first;
    OK(quern_array_sort(context, &x, 1, 0, &out));
    for (uint64_t r = 0; r < ROWS; r++) ascends(first - r * 2 * COLUMNS, COLUMNS, -2);
    for (uint64_t i = 0; i < (uint64_t)ROWS * COLUMNS; i++) assert_true(wide[2 * i] == 0.0f);
    free(wide);
    free(data);
    OK(quern_context_close(context));
}

static void strides_on_cpu(void **state)
{
    (void)state;
    results_of_any_strides_are_written_where_they_belong("cpu");
}
static void strides_on_opencl(void **state)
{
    (void)state;
    results_of_any_strides_are_written_where_they_belong("opencl:0");
}
static void strides_on_cuda(void **state)
{
    (void)state;
    results_of_any_strides_are_written_where_they_belong("cuda:0");
}

/* ---- devices ---- */

static void buffers_stay_where_they_are(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float *data = fixture_f32(MANY, 1, 3, 4), *back = malloc(MANY * sizeof *back);
    quern_buffer *in = NULL, *out = NULL;
    quern_ledger before = {.struct_size = sizeof before}, after = before;
    assert_non_null(back);
    OK(quern_buffer_alloc(context, 2 * MANY * sizeof *data, &in));
    OK(quern_buffer_alloc(context, MANY * sizeof *data, &out));
    OK(quern_buffer_upload(in, MANY * sizeof *data, data, MANY * sizeof *data));
    quern_array x = vector_of(QUERN_FLOAT32, NULL, MANY), y = x, host = none;
    x.buffer = in;
    x.buffer_offset = MANY * sizeof *data;
    y.buffer = out;
    quern_context_ledger(context, &before);
    OK(quern_array_sort(context, &x, 0, QUERN_SORT_DESCENDING, &y));
    quern_context_ledger(context, &after);
    assert_int_equal(before.input_to_device, after.input_to_device);
    assert_int_equal(before.output_from_device, after.output_from_device);
    OK(quern_buffer_download(out, 0, back, MANY * sizeof *back));
    quern_array given = vector_of(QUERN_FLOAT32, data, MANY);
    OK(quern_array_sort(context, &given, 0, QUERN_SORT_DESCENDING, &host));
    assert_memory_equal(back, host.data, MANY * sizeof *back);
    y.buffer_offset = 4;
    assert_int_equal(quern_array_sort(context, &x, 0, 0, &y), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "outside of a buffer"));
    quern_array_free(&host);
    quern_buffer_free(in);
    quern_buffer_free(out);
    free(back);
    free(data);
    OK(quern_context_close(context));
}

static void buffers_on_cpu(void **state)
{
    (void)state;
    buffers_stay_where_they_are("cpu");
}
static void buffers_on_opencl(void **state)
{
    (void)state;
    buffers_stay_where_they_are("opencl:0");
}
static void buffers_on_cuda(void **state)
{
    (void)state;
    buffers_stay_where_they_are("cuda:0");
}

static void what_does_not_fit_a_device_is_done_by_the_cpu(const char *device, int never)
{
    quern_context_config config = {.struct_size = sizeof config,
                                   .device = device,
                                   .device_memory = 1 << 20,
                                   .fallback = never ? QUERN_FALLBACK_NEVER : QUERN_FALLBACK_QUIET};
    quern_context *context = fixture_context(device, 1); /* skips where there is none */
    OK(quern_context_close(context));
    OK(quern_context_open(&config, &context));
    float *data = fixture_f32(MANY, 8, 0, 5);
    quern_array x = vector_of(QUERN_FLOAT32, data, 8 * MANY), out = none;
    quern_decision decision = {.struct_size = sizeof decision};
    if (never) {
        assert_int_equal(quern_array_sort(context, &x, 0, 0, &out), QUERN_OUT_OF_MEMORY);
        assert_null(out.data);
    } else {
        OK(quern_array_sort(context, &x, 0, 0, &out));
        ascends(out.data, 8 * MANY, 1);
        OK(quern_context_decision(context, 0, &decision));
        assert_string_equal(decision.device, "cpu");
        assert_true(decision.reason[0] != '\0');
        quern_array_free(&out);
    }
    free(data);
    OK(quern_context_close(context));
}

static void little_memory_on_opencl(void **state)
{
    (void)state;
    what_does_not_fit_a_device_is_done_by_the_cpu("opencl:0", 0);
    what_does_not_fit_a_device_is_done_by_the_cpu("opencl:0", 1);
}

static int stop(void *user)
{
    (void)user;
    return 1;
}

static void a_call_can_be_cancelled(void **state)
{
    float data[3] = {3, 1, 2};
    quern_array x = vector_of(QUERN_FLOAT32, data, 3), out = none;
    quern_context *context = fixture_context("cpu", 1);
    (void)state;
    quern_context_callbacks(context, NULL, NULL, stop, NULL);
    assert_int_equal(quern_array_sort(context, &x, 0, 0, &out), QUERN_CANCELLED);
    assert_null(out.data);
    OK(quern_context_close(context));
}

/* ---- refusals ---- */

static void arguments_that_make_no_sense_are_refused_with_a_sentence(void **state)
{
    float data[6] = {3, 1, 2, 0, 5, 4};
    int64_t numbers[6] = {0};
    quern_context *context = fixture_context("cpu", 1);
    const quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 3);
    quern_array bad = x, out = none;
    (void)state;
    REFUSED(quern_array_sort(NULL, &x, 0, 0, &out), "NULL");
    REFUSED(quern_array_sort(context, &x, 2, 0, &out), "axis 2");
    REFUSED(quern_array_sort(context, &x, -3, 0, &out), "axis -3");
    REFUSED(quern_array_sort(context, &x, 0, 6, &out), "flags");
    REFUSED(quern_array_topk(context, &x, 4, 1, 1, &out, NULL), "k is 4");
    REFUSED(quern_array_topk(context, &x, 1, 1, 1, NULL, NULL), "NULL");
    bad.struct_size = 0;
    REFUSED(quern_array_sort(context, &bad, 0, 0, &out), "struct_size");
    bad = x;
    bad.ndim = 3;
    REFUSED(quern_array_sort(context, &bad, 0, 0, &out), "3 dimensions");
    bad = x;
    bad.type = QUERN_STRING;
    REFUSED(quern_array_sort(context, &bad, 0, 0, &out), "type string");
    bad = x;
    bad.data = NULL;
    REFUSED(quern_array_sort(context, &bad, 0, 0, &out), "no memory");
    bad = x;
    bad.shape[0] = bad.shape[1] = UINT64_MAX / 2;
    REFUSED(quern_array_sort(context, &bad, 0, 0, &out), "values");
    quern_array other = matrix_of(QUERN_INT64, numbers, 2, 2);
    assert_int_equal(quern_array_argsort(context, &x, 0, 0, &other), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "the result is int64 of 2 x 3"));
    quern_array line = vector_of(QUERN_FLOAT32, data, 3),
                longs = vector_of(QUERN_INT64, numbers, 3);
    REFUSED(quern_array_searchsorted(context, &x, &line, 0, &out), "2 dimensions");
    REFUSED(quern_array_searchsorted(context, &line, &longs, 0, &out), "one type");
    REFUSED(quern_array_digitize(context, &x, &line, 0, &out), "ascending or descending");
    REFUSED(quern_array_unique(context, &x, &longs, NULL, NULL, NULL), "without memory");
    OK(quern_context_close(context));
}

/* ---- reductions ---- */

static void reductions_have_their_types_and_places(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float data[6] = {3, 1, 2, 0, 5, 4};
    int8_t small[6] = {100, 100, -100, 1, 2, 3};
    quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 3), out = none;
    quern_array bytes = matrix_of(QUERN_INT8, small, 2, 3);
    quern_reduce_options options = {.struct_size = sizeof options, .ddof = 1};
    (void)context;
    OK(quern_array_reduce(context, QUERN_REDUCE_SUM, &x, 1, NULL, &out));
    assert_int_equal(out.ndim, 1);
    assert_int_equal(out.shape[0], 2);
    assert_int_equal(out.type, QUERN_FLOAT32);
    assert_true(((float *)out.data)[0] == 6.0f && ((float *)out.data)[1] == 9.0f);
    quern_array_free(&out);
    OK(quern_array_reduce(context, QUERN_REDUCE_VAR, &x, 1, &options, &out));
    assert_true(((float *)out.data)[0] == 1.0f && ((float *)out.data)[1] == 7.0f);
    quern_array_free(&out);
    OK(quern_array_reduce(context, QUERN_REDUCE_ARGMAX, &x, QUERN_AXIS_ALL, NULL, &out));
    assert_int_equal(out.type, QUERN_INT64);
    assert_int_equal(*(int64_t *)out.data, 4);
    quern_array_free(&out);
    OK(quern_array_reduce(context, QUERN_REDUCE_SUM, &bytes, 0, NULL, &out));
    assert_int_equal(((int64_t *)out.data)[1], 102);
    quern_array_free(&out);
    OK(quern_array_reduce(context, QUERN_REDUCE_PTP, &bytes, -1, NULL, &out));
    assert_int_equal(((int8_t *)out.data)[0], (int8_t)200);
    quern_array_free(&out);
    OK(quern_context_close(context));
}

static void reductions_on_cpu(void **state)
{
    (void)state;
    reductions_have_their_types_and_places("cpu");
}
static void reductions_on_opencl(void **state)
{
    (void)state;
    reductions_have_their_types_and_places("opencl:0");
}
static void reductions_on_cuda(void **state)
{
    (void)state;
    reductions_have_their_types_and_places("cuda:0");
}

/* From a buffer to a buffer, at an offset. */
static void reductions_go_to_buffers(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float *data = fixture_f32(ROWS, COLUMNS, 3, 4), back[COLUMNS];
    quern_buffer *in = NULL, *out = NULL;
    OK(quern_buffer_alloc(context, ROWS * COLUMNS * sizeof *data, &in));
    OK(quern_buffer_alloc(context, 2 * sizeof back, &out));
    OK(quern_buffer_upload(in, 0, data, ROWS * COLUMNS * sizeof *data));
    quern_array x = matrix_of(QUERN_FLOAT32, NULL, ROWS, COLUMNS), host = none;
    quern_array y = vector_of(QUERN_FLOAT32, NULL, COLUMNS);
    quern_array given = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS);
    quern_reduce_options options = {.struct_size = sizeof options, .skip_nan = 1};
    x.buffer = in;
    y.buffer = out;
    y.buffer_offset = sizeof back;
    OK(quern_array_reduce(context, QUERN_REDUCE_MEAN, &x, 0, &options, &y));
    OK(quern_buffer_download(out, sizeof back, back, sizeof back));
    OK(quern_array_reduce(context, QUERN_REDUCE_MEAN, &given, 0, &options, &host));
    assert_memory_equal(back, host.data, sizeof back);
    y.strides[0] = -4;
    y.buffer_offset += sizeof back - 4;
    assert_int_equal(quern_array_reduce(context, QUERN_REDUCE_MEAN, &x, 0, &options, &y),
                     QUERN_UNSUPPORTED);
    assert_non_null(strstr(quern_last_error(), "must be packed"));
    quern_array_free(&host);
    quern_buffer_free(in);
    quern_buffer_free(out);
    free(data);
    OK(quern_context_close(context));
}

static void reduced_buffers_on_cpu(void **state)
{
    (void)state;
    reductions_go_to_buffers("cpu");
}
static void reduced_buffers_on_opencl(void **state)
{
    (void)state;
    reductions_go_to_buffers("opencl:0");
}
static void reduced_buffers_on_cuda(void **state)
{
    (void)state;
    reductions_go_to_buffers("cuda:0");
}

static void quantiles_are_rows_of_lines(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float data[8] = {3, 1, 2, 4, 0, 5, 4, 9};
    const double fractions[3] = {0.5, 0.0, 1.0};
    quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 4), out = none;
    quern_quantile_options options = {.struct_size = sizeof options,
                                      .method = QUERN_QUANTILE_INVERTED_CDF};
    OK(quern_array_quantile(context, &x, 1, fractions, 3, NULL, &out));
    assert_int_equal(out.type, QUERN_FLOAT64);
    assert_true(out.shape[0] == 3 && out.shape[1] == 2);
    const double *q = out.data;
    assert_true(q[0] == 2.5 && q[1] == 4.5 && q[2] == 1.0 && q[3] == 0.0 && q[4] == 4.0 &&
                q[5] == 9.0);
    quern_array_free(&out);
    OK(quern_array_quantile(context, &x, QUERN_AXIS_ALL, fractions, 1, &options, &out));
    assert_int_equal(out.type, QUERN_FLOAT32);
    assert_true(*(float *)out.data == 3.0f);
    quern_array_free(&out);
    OK(quern_context_close(context));
}

static void quantiles_on_cpu(void **state)
{
    (void)state;
    quantiles_are_rows_of_lines("cpu");
}
static void quantiles_on_opencl(void **state)
{
    (void)state;
    quantiles_are_rows_of_lines("opencl:0");
}
static void quantiles_on_cuda(void **state)
{
    (void)state;
    quantiles_are_rows_of_lines("cuda:0");
}

static void weights_belong_to_one_method(void **state)
{
    float data[3] = {3, 1, 2};
    double w[3] = {0, 1, 3}, half = 0.5, bad = 2.0;
    quern_context *context = fixture_context("cpu", 1);
    quern_array x = vector_of(QUERN_FLOAT32, data, 3), weights = vector_of(QUERN_FLOAT64, w, 3),
                out = none;
    quern_quantile_options options = {
        .struct_size = sizeof options, .method = QUERN_QUANTILE_INVERTED_CDF, .weights = &weights};
    (void)state;
    OK(quern_array_quantile(context, &x, 0, &half, 1, &options, &out));
    assert_true(*(float *)out.data == 2.0f);
    quern_array_free(&out);
    options.method = QUERN_QUANTILE_HAZEN;
    REFUSED(quern_array_quantile(context, &x, 0, &half, 1, &options, &out), "inverted_cdf");
    options.method = QUERN_QUANTILE_INVERTED_CDF;
    REFUSED(quern_array_quantile(context, &x, 0, &bad, 1, &options, &out), "from 0 to 1");
    w[1] = -1.0;
    REFUSED(quern_array_quantile(context, &x, 0, &half, 1, &options, &out), "not negative");
    OK(quern_context_close(context));
}

static void counts_and_their_edges(const char *device)
{
    quern_context *context = fixture_context(device, 1);
    float data[6] = {0, 1, 2, 3, 4, 9};
    uint16_t numbers[4] = {3, 0, 3, 1};
    double edges_[4] = {0, 1, 3, 4}, bad_[2] = {2, 1};
    quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 3), k = vector_of(QUERN_UINT16, numbers, 4),
                edges = vector_of(QUERN_FLOAT64, edges_, 4),
                bad = vector_of(QUERN_FLOAT64, bad_, 2), out = none;
    OK(quern_array_histogram(context, &x, &edges, NULL, &out));
    assert_true(out.type == QUERN_INT64 && out.ndim == 1 && out.shape[0] == 3);
    const int64_t *counts = out.data;
    assert_true(counts[0] == 1 && counts[1] == 2 && counts[2] == 2);
    quern_array_free(&out);
    OK(quern_array_bincount(context, &k, NULL, 5, &out));
    counts = out.data;
    assert_true(out.shape[0] == 5 && counts[0] == 1 && counts[1] == 1 && counts[2] == 0 &&
                counts[3] == 2 && counts[4] == 0);
    quern_array_free(&out);
    REFUSED(quern_array_histogram(context, &x, &bad, NULL, &out), "must ascend");
    REFUSED(quern_array_histogram(context, &x, &x, NULL, &out), "must be float64");
    REFUSED(quern_array_bincount(context, &x, NULL, 0, &out), "integers are counted");
    OK(quern_context_close(context));
}

static void counts_on_cpu(void **state)
{
    (void)state;
    counts_and_their_edges("cpu");
}
static void counts_on_opencl(void **state)
{
    (void)state;
    counts_and_their_edges("opencl:0");
}
static void counts_on_cuda(void **state)
{
    (void)state;
    counts_and_their_edges("cuda:0");
}

static void reductions_that_make_no_sense_are_refused(void **state)
{
    float data[6] = {3, 1, 2, 0, 5, 4}, nan[1] = {NAN};
    uint8_t truth[1] = {1};
    quern_context *context = fixture_context("cpu", 1);
    const quern_array x = matrix_of(QUERN_FLOAT32, data, 2, 3),
                      no = vector_of(QUERN_FLOAT32, data, 0);
    const quern_array b = vector_of(QUERN_BOOL, truth, 1), m = vector_of(QUERN_FLOAT32, nan, 1);
    quern_array out = none;
    quern_reduce_options skip = {.struct_size = sizeof skip, .skip_nan = 1}, bad = skip;
    (void)state;
    bad.struct_size = 4;
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_SUM, &x, 2, NULL, &out), "axis 2");
    REFUSED(quern_array_reduce(context, (quern_reduction)99, &x, 0, NULL, &out), "no reduction 99");
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_SUM, &x, 0, &bad, &out), "struct_size");
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_MIN, &no, 0, NULL, &out), "no values");
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_PTP, &b, 0, NULL, &out), "booleans");
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_ARGMIN, &m, 0, &skip, &out), "no place");
    bad = skip;
    bad.ddof = (double)NAN;
    REFUSED(quern_array_reduce(context, QUERN_REDUCE_VAR, &x, 0, &bad, &out), "ddof");
    OK(quern_context_close(context));
}

/* ---- failures of memory ---- */

struct work {
    quern_context *context;
    float *data;
};

static quern_status everything(const struct work *w, uint64_t n)
{
    quern_array x = vector_of(QUERN_FLOAT32, w->data, n), out[17];
    quern_status status = QUERN_OK;
    for (int i = 0; i < 17; i++) out[i] = none;
    if (status == QUERN_OK) status = quern_array_sort(w->context, &x, 0, 0, &out[0]);
    if (status == QUERN_OK) status = quern_array_argsort(w->context, &x, 0, 0, &out[1]);
    if (status == QUERN_OK) status = quern_array_topk(w->context, &x, 5, 0, 1, &out[2], &out[3]);
    if (status == QUERN_OK)
        status = quern_array_unique(w->context, &x, &out[4], &out[5], &out[6], &out[7]);
    if (status == QUERN_OK) status = quern_array_searchsorted(w->context, &out[0], &x, 0, &out[8]);
    if (status == QUERN_OK)
        status = quern_array_reduce(w->context, QUERN_REDUCE_SUM, &x, 0, NULL, &out[9]);
    if (status == QUERN_OK)
        status = quern_array_reduce(w->context, QUERN_REDUCE_STD, &x, 0, NULL, &out[10]);
    const double fractions[2] = {0.25, 0.75};
    if (status == QUERN_OK)
        status = quern_array_quantile(w->context, &x, 0, fractions, 2, NULL, &out[11]);
    if (status == QUERN_OK)
        status = quern_array_accumulate(w->context, QUERN_ACCUMULATE_SUM, &x, 0, 0, &out[12]);
    const double edges_[4] = {-1.0, 0.0, 0.5, 1.0};
    quern_array edges = vector_of(QUERN_FLOAT64, (void *)(uintptr_t)edges_, 4);
    if (status == QUERN_OK) status = quern_array_histogram(w->context, &x, &edges, NULL, &out[13]);
    if (status == QUERN_OK) status = quern_array_bincount(w->context, &out[13], NULL, 0, &out[14]);
    double ones[100];
    for (int i = 0; i < 100; i++) ones[i] = 1.0;
    quern_array head = vector_of(QUERN_FLOAT32, w->data, 100),
                weights = vector_of(QUERN_FLOAT64, ones, 100);
    quern_covariance_options weighted = {.struct_size = sizeof weighted, .weights = &weights};
    if (status == QUERN_OK)
        status = quern_array_covariance(w->context, &head, 0, &weighted, &out[15]);
    quern_covariance_options pairs = {.struct_size = sizeof pairs, .correlation = 1, .skip_nan = 1};
    double holed[4] = {1.0, (double)NAN, 2.0, 4.0};
    quern_array some = matrix_of(QUERN_FLOAT64, holed, 2, 2);
    if (status == QUERN_OK) status = quern_array_covariance(w->context, &some, 0, &pairs, &out[16]);
    for (int i = 0; i < 17; i++) {
        if (status == QUERN_OK) assert_non_null(out[i].data);
        quern_array_free(&out[i]);
    }
    return status;
}

/* Leaks are the sanitizer's to find. */
static void every_allocation_may_fail(void **state)
{
    struct work w = {fixture_context("cpu", 1), fixture_f32(MANY, 1, 10, 6)};
    (void)state;
    for (uint64_t n = 100; n <= MANY; n += MANY - 100) {
        OK(everything(&w, n));
        for (uint64_t k = 1;; k++) {
            (void)qn_alloc_fail_at(k);
            quern_status status = everything(&w, n);
            uint64_t made = qn_alloc_fail_at(0);
            assert_true(status == QUERN_OK || status == QUERN_OUT_OF_MEMORY);
            if (status != QUERN_OK) assert_true(quern_last_error()[0] != '\0');
            if (made < k) break;
        }
        OK(everything(&w, n));
    }
    free(w.data);
    OK(quern_context_close(w.context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_makes_results_that_it_frees),
        cmocka_unit_test(a_result_may_be_what_was_given),
        cmocka_unit_test(strides_on_cpu),
        cmocka_unit_test(strides_on_opencl),
        cmocka_unit_test(strides_on_cuda),
        cmocka_unit_test(buffers_on_cpu),
        cmocka_unit_test(buffers_on_opencl),
        cmocka_unit_test(buffers_on_cuda),
        cmocka_unit_test(little_memory_on_opencl),
        cmocka_unit_test(a_call_can_be_cancelled),
        cmocka_unit_test(arguments_that_make_no_sense_are_refused_with_a_sentence),
        cmocka_unit_test(reductions_on_cpu),
        cmocka_unit_test(reductions_on_opencl),
        cmocka_unit_test(reductions_on_cuda),
        cmocka_unit_test(reduced_buffers_on_cpu),
        cmocka_unit_test(reduced_buffers_on_opencl),
        cmocka_unit_test(reduced_buffers_on_cuda),
        cmocka_unit_test(quantiles_on_cpu),
        cmocka_unit_test(quantiles_on_opencl),
        cmocka_unit_test(quantiles_on_cuda),
        cmocka_unit_test(weights_belong_to_one_method),
        cmocka_unit_test(counts_on_cpu),
        cmocka_unit_test(counts_on_opencl),
        cmocka_unit_test(counts_on_cuda),
        cmocka_unit_test(reductions_that_make_no_sense_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
