/* SPDX-License-Identifier: Apache-2.0
 * Moved and random arrays through the public interface: buffers of the device, what is refused and in which
 * words, splits, known answers, and what is left when something fails. What is moved is checked by the
 * conformance suite of the operations and, beside NumPy, by the Python package's tests. */
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "quern/random.h"
#include "tests/pipeline/array_fixture.h"

enum { ROWS = 600, COLUMNS = 40, CLASSES = 3 };

/* ---- devices ---- */

static quern_buffer *upload(quern_context *cx, const void *data, uint64_t bytes)
{
    quern_buffer *buffer = NULL;
    OK(quern_buffer_alloc(cx, bytes, &buffer));
    OK(quern_buffer_upload(buffer, 0, data, bytes));
    return buffer;
}

/* Rows of a matrix in a buffer, taken, masked and turned there, are those of the matrix in host memory. */
static void buffers_are_moved_where_they_are(const char *device)
{
    quern_context *cx = fixture_context(device, 1);
    float *data = fixture_f32(ROWS, COLUMNS, 3, 1);
    int64_t *places = malloc(ROWS * sizeof *places);
    uint8_t *kept = malloc(ROWS);
    assert_true(places != NULL && kept != NULL);
    for (int64_t i = 0; i < ROWS; i++) {
        places[i] = i * 7 % ROWS - (i % 2 ? ROWS : 0);
        kept[i] = i % 3 == 0;
    }
    quern_array x = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS);
    quern_array at = vector_of(QUERN_INT64, places, ROWS), mask = vector_of(QUERN_BOOL, kept, ROWS);
    quern_buffer *in = upload(cx, data, sizeof(float) * ROWS * COLUMNS);
    quern_buffer *indices = upload(cx, places, sizeof *places * ROWS),
                 *bools = upload(cx, kept, ROWS);
    quern_array bx = x, bat = at, bmask = mask;
    bx.data = bat.data = bmask.data = NULL;
    bx.buffer = in;
    bat.buffer = indices;
    bmask.buffer = bools;
    for (int k = 0; k < 4; k++) {
        quern_array host = none, there = none;
        if (k == 0) OK(quern_array_take(cx, &x, &at, 0, QUERN_INDEX_RAISE, &host));
        if (k == 0) OK(quern_array_take(cx, &bx, &bat, 0, QUERN_INDEX_RAISE, &there));
        if (k == 1) OK(quern_array_compress(cx, &mask, &x, 0, &host));
        if (k == 1) OK(quern_array_compress(cx, &bmask, &bx, 0, &there));
        if (k == 2) OK(quern_array_transpose(cx, &x, &host));
        if (k == 2) OK(quern_array_transpose(cx, &bx, &there));
        if (k == 3) OK(quern_array_flatnonzero(cx, &mask, &host));
        if (k == 3) OK(quern_array_flatnonzero(cx, &bmask, &there));
        uint64_t n = host.shape[0] * (host.ndim == 2 ? host.shape[1] : 1);
        assert_int_equal(host.shape[0], there.shape[0]);
        assert_memory_equal(host.data, there.data, n * (host.type == QUERN_INT64 ? 8 : 4));
        quern_array_free(&host);
        quern_array_free(&there);
    }
    places[5] = ROWS;
    OK(quern_buffer_upload(indices, 0, places, sizeof *places * ROWS));
    quern_array out = none;
    assert_int_equal(quern_array_take(cx, &bx, &bat, 0, QUERN_INDEX_RAISE, &out), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "out of bounds for an axis of 600 values"));
    assert_null(out.data);
    quern_buffer_free(in);
    quern_buffer_free(indices);
    quern_buffer_free(bools);
    free(kept);
    free(places);
    free(data);
    OK(quern_context_close(cx));
}

static void buffers_on_cpu(void **state)
{
    (void)state;
    buffers_are_moved_where_they_are("cpu");
}
static void buffers_on_opencl(void **state)
{
    (void)state;
    buffers_are_moved_where_they_are("opencl:0");
}
static void buffers_on_cuda(void **state)
{
    (void)state;
    buffers_are_moved_where_they_are("cuda:0");
}

/* ---- refusals ---- */

static void arguments_that_make_no_sense_are_refused_with_a_sentence(void **state)
{
    double data[6] = {3, 1, 2, 0, 5, 1e300};
    int64_t numbers[3] = {0, 1, -3};
    uint64_t large[1] = {0};
    quern_context *context = fixture_context("cpu", 1);
    const quern_array x = matrix_of(QUERN_FLOAT64, data, 2, 3),
                      line = vector_of(QUERN_FLOAT64, data, 4);
    quern_array at = vector_of(QUERN_INT64, numbers, 3), out = none;
    (void)state;
    REFUSED(quern_array_cast(context, &x, QUERN_INT8, 2, &out), "flags");
    REFUSED(quern_array_cast(context, &x, QUERN_STRING, 0, &out), "arrays are of");
    REFUSED(quern_array_cast(context, &x, QUERN_FLOAT32, QUERN_CAST_CHECKED, &out),
            "row 1, column 2 does not fit float32");
    REFUSED(quern_array_copy(context, NULL, &out), "NULL");
    REFUSED(quern_array_transpose(context, &line, &out), "its own transpose");
    REFUSED(quern_array_take(context, &x, &at, 0, QUERN_INDEX_RAISE, &out),
            "index -3, at 2, is out of bounds for an axis of 2 values");
    REFUSED(quern_array_take(context, &x, &at, 2, QUERN_INDEX_RAISE, &out), "axis 2");
    REFUSED(quern_array_take(context, &x, &line, 0, QUERN_INDEX_RAISE, &out), "integers");
    REFUSED(quern_array_take(context, &x, &x, 0, QUERN_INDEX_RAISE, &out), "dimensions");
    REFUSED(quern_array_take(context, &x, &at, 0, (quern_index_mode)7, &out), "mode 7");
    at = vector_of(QUERN_UINT64, large, 1);
    REFUSED(quern_array_take(context, &x, &at, 0, QUERN_INDEX_RAISE, &out), "not uint64");
    REFUSED(quern_array_compress(context, &line, &x, 0, &out), "4 values, for 2 along the axis");
    REFUSED(quern_array_where(context, &x, &x, &at, &out), "one type");
    REFUSED(quern_array_where(context, &line, &x, &x, &out), "do not meet");
    REFUSED(quern_random_bits(context, 0, 0, 0, 3, QUERN_INT64, &out), "uint32 or uint64");
    REFUSED(quern_random_uniform(context, 0, 0, 0, 3, QUERN_INT64, &out), "float32 or float64");
    REFUSED(quern_random_uniform(context, 0, 0, UINT64_MAX, 3, QUERN_FLOAT64, &out), "from");
    REFUSED(quern_random_integers(context, 0, 0, 0, 3, 5, 5, &out), "from 5 on and below 5");
    REFUSED(quern_random_permutation(context, 0, 0, 3, 4, &out), "the first 4 of 3");
    OK(quern_context_close(context));
}

/* ---- random numbers ---- */

/* The vectors that the authors publish with their implementation (Random123, kat_vectors). */
static void the_generator_gives_the_published_words(void **state)
{
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    uint32_t out[4];
    (void)state;
    for (int i = 0; i < 3; i++) {
        quern_random_philox(known[i] + 4, known[i], out);
        assert_memory_equal(out, known[i] + 6, sizeof out);
    }
}

/* Whatever part of a stream is asked for, in whatever strides: its blocks are the generator's. */
static void parts_of_a_stream_are_those_of_the_whole(const char *device)
{
    enum { N = 5000 };
    const uint64_t seed = 0x0123456789abcdef, stream = 0xfedcba9876543210;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    quern_context *cx = fixture_context(device, 1);
    quern_array all = none;
    OK(quern_random_bits(cx, seed, stream, 0, N, QUERN_UINT32, &all));
    for (uint32_t block = 0; block < N / 4; block++) {
        const uint32_t counter[4] = {block, 0, (uint32_t)stream, (uint32_t)(stream >> 32)};
        uint32_t words[4];
        quern_random_philox(key, counter, words);
        assert_memory_equal(words, (uint32_t *)all.data + (size_t)4 * block, sizeof words);
    }
    for (uint64_t first = 0; first < 600; first = first * 2 + 1) {
        uint64_t n = (N - 2 * first) / 2, *numbers = calloc(2 * n, sizeof *numbers);
        quern_array part = none, wide = vector_of(QUERN_UINT64, numbers + 2 * n - 2, n);
        assert_non_null(numbers);
        wide.strides[0] = -16;
        OK(quern_random_bits(cx, seed, stream, first, n, QUERN_UINT32, &part));
        assert_memory_equal(part.data, (uint32_t *)all.data + first, n * 4);
        OK(quern_random_bits(cx, seed, stream, first, n, QUERN_UINT64, &wide));
        for (uint64_t i = 0; i < n; i++)
            assert_memory_equal(&numbers[2 * (n - 1 - i)], (uint32_t *)all.data + 2 * (first + i),
                                8);
        quern_array_free(&part);
        free(numbers);
    }
    quern_array_free(&all);
    OK(quern_context_close(cx));
}

static void streams_on_cpu(void **state)
{
    (void)state;
    parts_of_a_stream_are_those_of_the_whole("cpu");
}
static void streams_on_opencl(void **state)
{
    (void)state;
    parts_of_a_stream_are_those_of_the_whole("opencl:0");
}
static void streams_on_cuda(void **state)
{
    (void)state;
    parts_of_a_stream_are_those_of_the_whole("cuda:0");
}

/* ---- splits ---- */

static int64_t *rows_of(const quern_array *set)
{
    return set->data;
}

static void a_split_has_every_row_once_and_each_class_its_share(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    int32_t labels[ROWS];
    int seen[ROWS] = {0}, share[2][CLASSES] = {{0}};
    quern_array y = vector_of(QUERN_INT32, labels, ROWS), train = none, test = none, again = none;
    (void)state;
    for (int i = 0; i < ROWS; i++) labels[i] = i < 60 ? -7 : i < 200 ? 0 : 900; /* 60, 140, 400 */
    OK(quern_random_split(cx, 5, ROWS, 390, 60, &y, &train, &test));
    assert_int_equal(train.shape[0], 390);
    assert_int_equal(test.shape[0], 60);
    for (int s = 0; s < 2; s++) {
        const quern_array *set = s ? &test : &train;
        for (uint64_t i = 0; i < set->shape[0]; i++) {
            int64_t row = rows_of(set)[i];
            assert_in_range(row, 0, ROWS - 1);
            seen[row]++;
            share[s][row < 60 ? 0 : row < 200 ? 1 : 2]++;
        }
    }
    for (int i = 0; i < ROWS; i++) assert_true(seen[i] <= 1);
    assert_int_equal(share[0][0], 39);
    assert_int_equal(share[0][1], 91);
    assert_int_equal(share[0][2], 260);
    assert_int_equal(share[1][0], 6);
    assert_int_equal(share[1][1], 14);
    assert_int_equal(share[1][2], 40);
    quern_array_free(&train);
    quern_array_free(&test);
    OK(quern_random_split(cx, 5, ROWS, 390, 60, NULL, &train, &test));
    OK(quern_random_permutation(cx, 5, 0, ROWS, 450, &again));
    assert_memory_equal(again.data, test.data, 60 * sizeof(int64_t));
    assert_memory_equal((int64_t *)again.data + 60, train.data, 390 * sizeof(int64_t));
    quern_array_free(&again);
    quern_array_free(&train);
    quern_array_free(&test);
    OK(quern_context_close(cx));
}

static void splits_that_cannot_be_are_refused(void **state)
{
    quern_context *context = fixture_context("cpu", 1);
    int8_t labels[6] = {1, 1, 2, 2, 3, 3};
    quern_array y = vector_of(QUERN_INT8, labels, 6), out = none, test = none;
    (void)state;
    REFUSED(quern_random_split(context, 0, 6, 5, 2, NULL, &out, &test),
            "5 training rows and 2 test rows of 6");
    REFUSED(quern_random_split(context, 0, 6, UINT64_MAX, 2, NULL, &out, &test), "training rows");
    REFUSED(quern_random_split(context, 0, 6, 4, 2, &y, &out, &test), "for 3 classes");
    labels[5] = 4;
    REFUSED(quern_random_split(context, 0, 6, 3, 3, &y, &out, &test), "only one row");
    y.shape[0] = 5;
    REFUSED(quern_random_split(context, 0, 6, 3, 3, &y, &out, &test),
            "one value for each of 6 rows");
    OK(quern_context_close(context));
}

/* ---- failures of memory ---- */

static quern_status everything(quern_context *cx, const quern_array *x, const quern_array *line)
{
    quern_array out[8], labels = none, train = none, test = none;
    quern_status status = QUERN_OK;
    for (int i = 0; i < 8; i++) out[i] = none;
#define THEN(call)                                                                                 \
    if (status == QUERN_OK) status = call
    THEN(quern_array_cast(cx, x, QUERN_FLOAT64, 0, &out[0]));
    THEN(quern_array_transpose(cx, x, &out[1]));
    THEN(quern_random_permutation(cx, 1, 2, COLUMNS, COLUMNS, &out[2]));
    THEN(quern_array_take(cx, x, &out[2], 1, QUERN_INDEX_RAISE, &out[3]));
    THEN(quern_array_compress(cx, line, x, 0, &out[4]));
    THEN(quern_array_flatnonzero(cx, x, &out[5]));
    THEN(quern_array_where(cx, x, x, x, &out[6]));
    THEN(quern_random_integers(cx, 1, 0, 0, ROWS, 0, CLASSES, &labels));
    THEN(quern_random_split(cx, 1, ROWS, ROWS / 2, ROWS / 3, &labels, &train, &test));
    for (int i = 0; i < 8; i++) quern_array_free(&out[i]);
    quern_array_free(&labels);
    quern_array_free(&train);
    quern_array_free(&test);
    return status;
}

/* Leaks are the sanitizer's to find. */
static void every_allocation_may_fail(void **state)
{
    quern_context *cx = fixture_context("cpu", 1);
    float *data = fixture_f32(ROWS, COLUMNS, 0, 6);
    quern_array x = matrix_of(QUERN_FLOAT32, data, ROWS, COLUMNS);
    quern_array line = vector_of(QUERN_FLOAT32, data, ROWS);
    (void)state;
    OK(everything(cx, &x, &line));
    for (uint64_t k = 1;; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = everything(cx, &x, &line);
        uint64_t made = qn_alloc_fail_at(0);
        assert_true(status == QUERN_OK || status == QUERN_OUT_OF_MEMORY);
        if (status != QUERN_OK) assert_true(quern_last_error()[0] != '\0');
        if (made < k) break;
    }
    free(data);
    OK(quern_context_close(cx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_on_cpu),
        cmocka_unit_test(buffers_on_opencl),
        cmocka_unit_test(buffers_on_cuda),
        cmocka_unit_test(arguments_that_make_no_sense_are_refused_with_a_sentence),
        cmocka_unit_test(the_generator_gives_the_published_words),
        cmocka_unit_test(streams_on_cpu),
        cmocka_unit_test(streams_on_opencl),
        cmocka_unit_test(streams_on_cuda),
        cmocka_unit_test(a_split_has_every_row_once_and_each_class_its_share),
        cmocka_unit_test(splits_that_cannot_be_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
