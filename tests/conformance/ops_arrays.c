/* SPDX-License-Identifier: Apache-2.0
 * Sorting, distinct values and searches over types, strides and sizes: places against an oracle that
 * compares values two by two, and every byte of the device's results against the CPU's. */
#include "tests/conformance/ops_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/arrays.h"
#include "host/ops/layout.h"

/* Lines, values a line, how they lie, what is kept of a line, flags. */
struct array_shape {
    uint64_t lines, n;
    int columns, apart, backwards;
    uint64_t keep;
    uint32_t flags;
};
static const struct array_shape array_shapes[] = {
    {1, 1, 0, 1, 0, 1, 0},         {1, 2, 0, 1, 0, 2, 0},       {1, 1000, 0, 1, 0, 1000, 0},
    {1, 70000, 0, 1, 0, 70000, 0}, {1, 5000, 0, 3, 1, 5000, 1}, {1, 2049, 0, 1, 0, 7, 1},
    {7, 300, 0, 1, 0, 300, 0},     {300, 7, 1, 1, 0, 7, 0},     {33, 129, 1, 2, 1, 5, 1},
    {600, 2, 0, 1, 0, 1, 0},       {3, 4097, 1, 1, 0, 4097, 1},
};
enum { ARRAY_SHAPES = sizeof array_shapes / sizeof array_shapes[0] };

/* Fills lines that lie as the shape says, in a block on both sides. */
static struct block lines_make(struct qn_device *d, const struct array_shape *s, uint32_t type,
                               uint64_t seed, struct qn_lines *lines)
{
    int64_t bytes = (int64_t)qn_value_bytes(type), apart = s->apart * bytes;
    uint64_t count = s->lines * s->n;
    struct block b = block_make(d, count * (uint64_t)apart);
    *lines = (struct qn_lines){.lines = s->lines, .n = s->n, .type = type};
    lines->stride = s->columns ? (int64_t)s->lines * apart : apart;
    lines->line_stride = s->columns ? apart : (int64_t)s->n * apart;
    if (s->backwards) {
        lines->offset = (s->n - 1) * (uint64_t)lines->stride;
        lines->stride = -lines->stride;
    }
    for (uint64_t i = 0; i < count; i++) lines_fill(&seed, type, b.memory + i * (uint64_t)apart);
    block_upload(d, &b);
    lines->data = b.memory + lines->offset;
    return b;
}

/* ---- the oracle ---- */

static const struct qn_lines *seen;
static uint64_t seen_line;
static uint32_t seen_flags;

/* -1, 0, 1; NaN after everything, whichever way. */
static int compare(uint32_t type, const void *a, const void *b, int down)
{
    int order;
    if (type == QN_T_I64) {
        int64_t x, y;
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        order = (x > y) - (x < y);
    } else if (type == QN_T_U64) {
        uint64_t x, y;
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        order = (x > y) - (x < y);
    } else {
        double x = lines_double(type, a), y = lines_double(type, b);
        if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
        order = (x > y) - (x < y);
    }
    return down ? -order : order;
}

static int by_value_then_place(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order =
        compare(seen->type, lines_at(seen, seen_line, (uint64_t)x),
                lines_at(seen, seen_line, (uint64_t)y), (seen_flags & QN_SORT_DESCENDING) != 0);
    return order != 0 ? order : (x > y) - (x < y);
}

static int64_t *places_of(const struct qn_lines *lines, uint64_t line, uint32_t flags)
{
    int64_t *places = malloc((lines->n + 1) * sizeof *places);
    assert_non_null(places);
    for (uint64_t i = 0; i < lines->n; i++) places[i] = (int64_t)i;
    seen = lines;
    seen_line = line;
    seen_flags = flags;
    qsort(places, lines->n, sizeof *places, by_value_then_place);
    return places;
}

/* ---- tests ---- */

/* Case k: the shapes in turn, each with other types every time. A simulator takes a second for each four bits of
 * a sort; keys of 64 bits are sorted there with orders (ops_moves.c). */
static struct array_shape shape_of(uint32_t k, uint32_t *type)
{
    struct array_shape s = array_shapes[k % ARRAY_SHAPES];
    uint64_t most = UINT64_MAX;
    *type = every_type[(k + k / ARRAY_SHAPES) % EVERY_TYPE];
#if defined(QN_TEST_FIBERS)
    most = 2100; /* more than a group's share */
#endif
    if (getenv("QUERN_TEST_SMALL") != NULL) {
        s = array_shapes[(k + 2) % ARRAY_SHAPES]; /* not first a line of one value */
        most = s.lines == 1 ? 70 : 10;
        if (s.lines > 7) s.lines = 7;
        if (*type == QN_T_F64) *type = QN_T_F32;
    }
    if (s.keep > most || s.keep == s.n) s.keep = s.n < most ? s.n : most;
    if (s.n > most) s.n = most;
    return s;
}

static struct qn_lines result_lines(const struct array_shape *s, uint32_t type, struct block *b)
{
    int64_t bytes = (int64_t)qn_value_bytes(type);
    return (struct qn_lines){.data = b->memory,
                             .lines = s->lines,
                             .n = s->keep,
                             .line_stride = (int64_t)s->keep * bytes,
                             .stride = bytes,
                             .type = type};
}

static void check_places(const struct qn_lines *in, const struct qn_lines *order, uint32_t flags,
                         const char *what)
{
    for (uint64_t line = 0; line < in->lines; line++) {
        int64_t *want = places_of(in, line, flags);
        if (memcmp(want, lines_at(order, line, 0), order->n * sizeof *want) != 0)
            fail_msg("%s: line %llu", what, (unsigned long long)line);
        free(want);
    }
}

static void sort_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    uint32_t type;
    struct array_shape s = shape_of(k, &type);
    char what[160];
    (void)snprintf(what, sizeof what, "%s: sort %u: type %u, %llu lines of %llu", od->name, k, type,
                   (unsigned long long)s.lines, (unsigned long long)s.n);
    struct qn_sort_request rq = {.flags = s.flags};
    struct block in = lines_make(d, &s, type, k + 1, &rq.in);
    struct block values = block_make(d, s.lines * s.keep * qn_value_bytes(type));
    struct block order = block_make(d, s.lines * s.keep * 8);
    int first_form = getenv("QUERN_TEST_SMALL") != NULL ? 2 : 0;
    for (int form = first_form; form < 3; form++) { /* values, places, both */
        rq.values = rq.order = (struct qn_lines){0};
        memset(values.memory, 0, values.bytes);
        if (form != 1) rq.values = result_lines(&s, type, &values);
        if (form != 0) rq.order = result_lines(&s, QN_T_I64, &order);
        OK(qn_op_sort(NULL, NULL, 0, &rq, NULL));
        struct qn_sort_request there = rq;
        there.in = lines_there(&rq.in, &in);
        if (form != 1) there.values = lines_there(&rq.values, &values);
        if (form != 0) there.order = lines_there(&rq.order, &order);
        OK(qn_device_fill(d, 0, values.span.view, 0));
        OK(qn_op_sort(d, NULL, 0, &there, NULL));
        if (form != 1) block_check(d, &values, values.memory, what);
        if (form != 0) block_check(d, &order, order.memory, what);
        if (form != 0) check_places(&rq.in, &rq.order, s.flags, what);
    }
    block_free(d, &order);
    block_free(d, &values);
    block_free(d, &in);
}

void lines_are_sorted_with_their_places(void **state)
{
    (void)state;
    on_every_device(sort_case, 4 * ARRAY_SHAPES, 17);
}

/* Against the sorted line itself: what differs from its left neighbour begins a run. */
static void unique_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    uint32_t type;
    struct array_shape s = shape_of(k, &type);
    s.n *= s.lines;
    s.lines = 1;
    uint64_t n_host = 0, n_there = 0, n = s.n, bytes = qn_value_bytes(type), runs = 0;
    struct qn_unique_request rq = {.n_values = &n_host};
    struct block in = lines_make(d, &s, type, k + 1, &rq.in);
    unsigned char *values = calloc(2 * n, bytes);
    int64_t *numbers = calloc(6 * n, sizeof *numbers);
    assert_true(values != NULL && numbers != NULL);
    rq.values = values;
    rq.first = numbers;
    rq.inverse = numbers + n;
    rq.counts = numbers + 2 * n;
    OK(qn_op_unique(NULL, NULL, 0, &rq, NULL));
    struct qn_unique_request there = rq;
    there.in = lines_there(&rq.in, &in);
    there.values = values + n * bytes;
    there.first = numbers + 3 * n;
    there.inverse = numbers + 4 * n;
    there.counts = numbers + 5 * n;
    there.n_values = &n_there;
    OK(qn_op_unique(d, NULL, 0, &there, NULL));
    assert_int_equal(n_host, n_there);
    assert_memory_equal(values, values + n * bytes, n_host * bytes);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(numbers + (uint64_t)i * n, numbers + (3 + (uint64_t)i) * n,
                            (i == 1 ? n : n_host) * sizeof *numbers);
    int64_t *places = places_of(&rq.in, 0, 0);
    for (uint64_t i = 0, begin = 0; i < n; i++) {
        const void *value = lines_at(&rq.in, 0, (uint64_t)places[i]);
        if (i == 0 || compare(type, value, lines_at(&rq.in, 0, (uint64_t)places[i - 1]), 0) != 0) {
            assert_int_equal(rq.first[runs], places[i]);
            assert_int_equal(compare(type, value, values + runs * bytes, 0), 0);
            if (runs != 0) assert_int_equal(rq.counts[runs - 1], i - begin);
            begin = i;
            runs++;
        }
        assert_int_equal(rq.inverse[places[i]], runs - 1);
    }
    assert_int_equal(runs, n_host);
    if (getenv("QUERN_TEST_SMALL") == NULL || bytes == 1) { /* without places */
        there.first = there.inverse = NULL;
        OK(qn_op_unique(d, NULL, 0, &there, NULL));
        assert_memory_equal(values, values + n * bytes, n_host * bytes);
    }
    free(places);
    free(numbers);
    free(values);
    block_free(d, &in);
}

void distinct_values_are_the_runs_of_the_sorted_line(void **state)
{
    (void)state;
    on_every_device(unique_case, 2 * ARRAY_SHAPES, 13);
}

static void search_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    uint32_t type, right = k % 2, flip = k / 2 % 2;
    struct array_shape s = shape_of(k, &type), one = {1, 1 + k * 37 % 500, 0, 1, 0, 0, 0};
    one.keep = one.n;
    s.keep = s.n;
    struct qn_lines raw;
    struct qn_search_request rq = {.right = right, .flip = flip};
    struct block unsorted = lines_make(d, &one, type, k + 9, &raw);
    struct block sorted = block_make(d, one.n * qn_value_bytes(type));
    struct block in = lines_make(d, &s, type, k + 1, &rq.in);
    struct block out = block_make(d, s.lines * s.n * 8);
    struct qn_sort_request sort = {.in = raw, .values = result_lines(&one, type, &sorted)};
    OK(qn_op_sort(NULL, NULL, 0, &sort, NULL));
    block_upload(d, &sorted);
    rq.sorted = sort.values;
    rq.out = result_lines(&s, QN_T_I64, &out);
    OK(qn_op_search(NULL, NULL, 0, &rq, NULL));
    struct qn_search_request there = {lines_there(&rq.sorted, &sorted), lines_there(&rq.in, &in),
                                      lines_there(&rq.out, &out), right, flip};
    OK(qn_op_search(d, NULL, 0, &there, NULL));
    block_check(d, &out, out.memory, od->name);
    for (uint64_t line = 0; line < s.lines; line++)
        for (uint64_t i = 0; i < s.n; i += 1 + s.n / 50) {
            int64_t want = 0, got;
            for (uint64_t j = 0; j < one.n; j++) {
                int order = compare(type, lines_at(&rq.sorted, 0, j), lines_at(&rq.in, line, i), 0);
                want += order < 0 || (right && order == 0);
            }
            memcpy(&got, lines_at(&rq.out, line, i), sizeof got);
            assert_int_equal(got, flip ? (int64_t)one.n - want : want);
        }
    block_free(d, &out);
    block_free(d, &in);
    block_free(d, &sorted);
    block_free(d, &unsorted);
}

void places_in_a_sorted_line_count_what_is_smaller(void **state)
{
    (void)state;
    on_every_device(search_case, 2 * ARRAY_SHAPES, 13);
}

void lines_where_they_should_not_be_are_refused_with_sentences(void **state)
{
    float x[4] = {3, 1, 2, 0};
    struct qn_outcome outcome;
    struct qn_sort_request rq = {
        .in = {.data = x, .lines = 1, .n = 4, .stride = 4, .type = QN_T_F32},
        .values = {.data = x, .lines = 1, .n = 4, .stride = 4, .type = QN_T_F32}};
    (void)state;
    if (n_devices == 0) skip();
    struct qn_device *d = devices[0].device;
    struct block b = block_make(d, sizeof x);
    OK(qn_op_sort(d, NULL, 0, &rq, &outcome));
    assert_non_null(strstr(outcome.reasons, "the values lie in host memory"));
    rq.in = rq.values = lines_there(&rq.in, &b);
    assert_int_equal(qn_op_sort(NULL, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "no device is open"));
    assert_non_null(strstr(outcome.reasons, "the values lie on the device"));
    rq.in.stride = 6;
    assert_int_equal(qn_op_sort(d, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "not aligned"));
    rq.in.stride = 1 << 20;
    assert_int_equal(qn_op_sort(d, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "outside of their memory"));
    rq.in.n = (uint64_t)1 << 33;
    assert_int_equal(qn_op_sort(d, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "more than 4294967295 values"));
    block_free(d, &b);
}
