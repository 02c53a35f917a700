/* SPDX-License-Identifier: Apache-2.0
 * Sorting on the processor, with every instruction set: values and places against a comparison sort. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/arrays.h"
#include "tests/unit/isa_groups.h"

enum { MOST = 200000 };

static uint64_t state = 1;

static uint64_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 20;
}

/* Values that every type of the table holds exactly. */
static double anything(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return (double)(int32_t)(next() << 8);
}
static double equal(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return -3;
}
static double ascending(uint64_t i, uint64_t n)
{
    (void)n;
    return (double)i;
}
static double descending(uint64_t i, uint64_t n)
{
    return (double)n - (double)i;
}
static double few(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return (double)(next() % 5) - 2;
}
static double dense(uint64_t i, uint64_t n)
{
    (void)i;
    return (double)(next() % n);
}
/* More of one value than a count of 16 bits holds, among others. */
static double mostly_one(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return next() % 8 != 0 ? 7 : (double)(next() % 1000);
}
/* A value in most places, and a dense crowd around another far away. */
static double far_apart(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return next() % 3 == 0 ? -1e6 : 1e6 + (double)(next() % 4096);
}
static double special(uint64_t i, uint64_t n)
{
    static const double all[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-40, -1e-40, 1.0};
    (void)i, (void)n;
    return all[next() % (sizeof all / sizeof *all)];
}

static const struct {
    const char *name;
    double (*at)(uint64_t i, uint64_t n);
    int floats_alone;
} kinds[] = {
    {"anything", anything, 0},
    {"equal", equal, 0},
    {"ascending", ascending, 0},
    {"descending", descending, 0},
    {"few", few, 0},
    {"dense", dense, 0},
    {"mostly one", mostly_one, 0},
    {"far apart", far_apart, 0},
    {"special", special, 1},
};

struct item {
    double value;
    int64_t place;
};

/* NaN last; equal values by place. */
static int by_value(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value)) return isnan(x->value) ? 1 : -1;
    if (x->value < y->value || x->value > y->value) return x->value < y->value ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static void put(uint32_t type, void *to, uint64_t i, double x)
{
    if (type == QN_T_F32) ((float *)to)[i] = (float)x;
    if (type == QN_T_F64) ((double *)to)[i] = x;
    if (type == QN_T_I32) ((int32_t *)to)[i] = (int32_t)x;
    if (type == QN_T_I64) ((int64_t *)to)[i] = (int64_t)x;
}

static double get(uint32_t type, const void *from, uint64_t i)
{
    if (type == QN_T_F32) return (double)((const float *)from)[i];
    if (type == QN_T_F64) return ((const double *)from)[i];
    if (type == QN_T_I32) return ((const int32_t *)from)[i];
    return (double)((const int64_t *)from)[i];
}

struct room {
    struct qn_threads *threads;
    struct item items[MOST];
    double in[MOST], out[MOST]; /* of whichever type */
    int64_t order[MOST];
};

static struct qn_lines line_of(void *data, uint64_t n, uint32_t type)
{
    int64_t bytes = type == QN_T_F32 || type == QN_T_I32 ? 4 : 8;
    return (struct qn_lines){.data = data, .lines = 1, .n = n, .stride = bytes, .type = type};
}

static void check(struct room *r, uint32_t kind, uint32_t type, uint64_t n)
{
    struct qn_sort_request rq = {.in = line_of(r->in, n, type), .values = line_of(r->out, n, type)};
    for (uint64_t i = 0; i < n; i++) {
        put(type, r->in, i, kinds[kind].at(i, n));
        r->items[i] = (struct item){get(type, r->in, i), (int64_t)i};
    }
    qsort(r->items, n, sizeof *r->items, by_value);
    assert_int_equal(qn_cpu_sort(r->threads, &rq), QUERN_OK);
    uint64_t minus = 0;
    for (uint64_t i = 0; i < n; i++) {
        double got = get(type, r->out, i), want = r->items[i].value;
        if (isnan(want) ? !isnan(got) : !(got == want))
            fail_msg("%s: type %u, %u values: the %u-th is %g, not %g", kinds[kind].name, type,
                     (unsigned)n, (unsigned)i, got, want);
        if (want == 0 && i > 0 && got == 0 && signbit(got) && r->items[i - 1].value == 0)
            assert_true(signbit(get(type, r->out, i - 1))); /* -0 before +0 */
        minus += signbit(got) && !isnan(got) ? 1 : 0;
    }
    for (uint64_t i = 0; i < n; i++)
        minus -= signbit(r->items[i].value) && !isnan(r->items[i].value) ? 1 : 0;
    assert_int_equal(minus, 0);
    rq.order = line_of(r->order, n, QN_T_I64);
    rq.values = (struct qn_lines){0};
    assert_int_equal(qn_cpu_sort(r->threads, &rq), QUERN_OK);
    for (uint64_t i = 0; i < n; i++)
        if (r->order[i] != r->items[i].place)
            fail_msg("%s: type %u, %u values: place %u", kinds[kind].name, type, (unsigned)n,
                     (unsigned)i);
}

static void lines_are_sorted_whatever_is_in_them(void **unused)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I32, QN_T_I64};
    static const uint64_t sizes[] = {1, 2, 24, 25, 4000, 120000, MOST};
    struct room *r = malloc(sizeof *r);
    (void)unused;
    assert_non_null(r);
    assert_int_equal(qn_threads_open(3, &r->threads), QUERN_OK);
    for (uint32_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (uint32_t t = 0; t < (kinds[kind].floats_alone ? 2 : 4); t++)
            for (uint32_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                check(r, kind, types[t], sizes[s]);
    qn_threads_close(r->threads);
    free(r);
}

/* ---- long lines of keys alone, whose buckets have rooms by a sample ---- */

enum { LONG = 700000 };

static double normal(uint64_t i, uint64_t n)
{
    double sum = 0;
    (void)i, (void)n;
    for (int k = 0; k < 12; k++) sum += (double)(next() & 0xffffffffu) / 4294967296.0;
    return sum - 6;
}
/* Neighbours are alike, so that a sample of neighbours says little. */
static double clusters(uint64_t i, uint64_t n)
{
    static double base;
    (void)n;
    if (i % 3000 == 0) base = (double)(next() % 100000);
    return base + (double)(next() % 1024) / 1024;
}
/* Where the sample looks (sort_team_body.h) values lie apart; all others lie close together, some more than
 * 65535 times. */
static double deceiving(uint64_t i, uint64_t n)
{
    static uint64_t seed, run, place;
    uint64_t runs = n / 4096 > 4096 ? n / 4096 : n / 1024 < 4096 ? n / 1024 : 4096, step = n / runs;
    if (i == 0) {
        seed = 88172645463325252u;
        run = 0;
    }
    if (i == run * step && run < runs) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        place = run * step + seed % (step - 16);
        run++;
    }
    if (i >= place && i < place + 16) return (double)(next() % 1000000) - 500000;
    return (double)(next() % 64) / 64;
}
/* A bucket that is too large to be held, of few keys. */
static double mostly_zero(uint64_t i, uint64_t n)
{
    return next() % 8 != 0 ? 0 : normal(i, n);
}
static double thousands(uint64_t i, uint64_t n)
{
    (void)i, (void)n;
    return (double)(next() % 1000);
}

static const struct {
    const char *name;
    double (*at)(uint64_t i, uint64_t n);
} long_kinds[] = {{"normal", normal},
                  {"anything", anything},
                  {"ascending", ascending},
                  {"descending", descending},
                  {"clusters", clusters},
                  {"deceiving", deceiving},
                  {"mostly zero", mostly_zero},
                  {"thousands", thousands},
                  {"few", few},
                  {"dense", dense}};

/* How the result lies: packed, at an address that no cache line begins at, in the line itself, strided. */
enum layout { PACKED, SHIFTED, IN_PLACE, STRIDED, LAYOUTS };

static uint64_t bits_of_value(uint32_t type, const void *from, uint64_t i)
{
    uint32_t word;
    uint64_t wide;
    int narrow = type == QN_T_F32 || type == QN_T_I32;
    memcpy(&word, (const char *)from + i * 4, narrow ? 4 : 0);
    memcpy(&wide, (const char *)from + i * 8, narrow ? 0 : 8);
    return narrow ? word : wide;
}

/* Two sums over values, in any order: what was sorted holds the same values as before. */
static void add_value(uint64_t sums[2], uint64_t bits)
{
    uint64_t mixed = (bits + 1) * UINT64_C(0x9e3779b97f4a7c15);
    sums[0] += bits;
    sums[1] += mixed ^ mixed >> 29;
}

static void check_long(struct qn_threads *threads, double *in, double *out, uint32_t kind,
                       uint32_t type, enum layout layout)
{
    uint64_t before[2] = {0, 0}, after[2] = {0, 0}, n = LONG, step = layout == STRIDED ? 2 : 1;
    uint64_t bytes = type == QN_T_F32 || type == QN_T_I32 ? 4 : 8;
    char *to = layout == IN_PLACE ? (char *)in : (char *)out + (layout == SHIFTED ? bytes : 0);
    struct qn_sort_request rq = {.in = line_of(in, n, type), .values = line_of(to, n, type)};
    rq.values.stride = (int64_t)(bytes * step);
    for (uint64_t i = 0; i < n; i++) {
        put(type, in, i, long_kinds[kind].at(i, n));
        add_value(before, bits_of_value(type, in, i));
    }
    assert_int_equal(qn_cpu_sort(threads, &rq), QUERN_OK);
    for (uint64_t i = 0; i < n; i++) {
        add_value(after, bits_of_value(type, to, i * step));
        if (i > 0 && get(type, to, i * step) < get(type, to, (i - 1) * step))
            fail_msg("%s: type %u, layout %d: the %u-th value is less than the one before",
                     long_kinds[kind].name, type, (int)layout, (unsigned)i);
    }
    if (before[0] != after[0] || before[1] != after[1])
        fail_msg("%s: type %u, layout %d: other values than before", long_kinds[kind].name, type,
                 (int)layout);
}

static void long_lines_of_values_alone_are_sorted(void **unused)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I32, QN_T_I64};
    double *in = malloc(LONG * sizeof *in), *out = malloc((2 * LONG + 1) * sizeof *out);
    (void)unused;
    assert_non_null(in);
    assert_non_null(out);
    for (uint32_t size = 1; size <= 7; size += 3) {
        struct qn_threads *threads;
        assert_int_equal(qn_threads_open(size, &threads), QUERN_OK);
        for (uint32_t kind = 0; kind < sizeof long_kinds / sizeof *long_kinds; kind++)
            for (uint32_t t = 0; t < 4; t++)
                check_long(threads, in, out, kind, types[t],
                           (enum layout)((kind + t + size) % LAYOUTS));
        qn_threads_close(threads);
    }
    free(out);
    free(in);
}

/* Rooms take more memory than counting does, so without it counting serves; where that fails too, the call
 * does, and says so. */
static void a_long_line_is_sorted_with_less_memory_or_refused(void **unused)
{
    enum { N = 300000 };
    uint32_t refused = 0, sorted = 0;
    float *in = malloc(N * sizeof *in), *out = malloc(N * sizeof *out);
    struct qn_threads *threads;
    (void)unused;
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(qn_threads_open(2, &threads), QUERN_OK);
    for (uint64_t i = 0; i < N; i++) in[i] = (float)normal(i, N);
    for (uint64_t k = 1;; k++) {
        struct qn_sort_request rq = {.in = line_of(in, N, QN_T_F32),
                                     .values = line_of(out, N, QN_T_F32)};
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_cpu_sort(threads, &rq);
        uint64_t made = qn_alloc_fail_at(0);
        if (status == QUERN_OK)
            for (uint64_t i = 1; i < N; i++) assert_true(out[i - 1] <= out[i]);
        else
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        if (made < k) break;
        refused += status != QUERN_OK;
        sorted += status == QUERN_OK;
    }
    assert_in_range(refused, 5, 10);
    assert_in_range(sorted, 5, 12);
    qn_threads_close(threads);
    free(out);
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_sorted_whatever_is_in_them),
        cmocka_unit_test(long_lines_of_values_alone_are_sorted),
        cmocka_unit_test(a_long_line_is_sorted_with_less_memory_or_refused)};
    return RUN_PER_ISA(tests);
}
