/* SPDX-License-Identifier: Apache-2.0
 * Memory of results: what is given back is handed out again, within its limits. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/memory/output.h"

#define MB ((size_t)1 << 20)

static struct qn_output_stats stats(void)
{
    struct qn_output_stats s;
    qn_output_stats(&s);
    return s;
}

/* Nothing kept, and room for a peak of 64 MB. */
static int setup(void **state)
{
    (void)state;
    (void)qn_output_limit(256 * MB);
    void *peak = qn_output_alloc(64 * MB, 1);
    assert_non_null(peak);
    qn_output_free(peak);
    (void)qn_output_trim(0);
    return 0;
}

static void a_block_is_reused_where_it_is_filled(void **state)
{
    (void)state;
    static const struct {
        size_t first, second;
        int again;
    } cases[] = {
        {8 * MB, 8 * MB, 1}, {8 * MB, 6 * MB, 1}, {8 * MB, 6 * MB - 1, 0}, {8 * MB, 8 * MB + 1, 0},
        {8 * MB, 2 * MB, 0}, {MB, MB, 1},         {4 * MB, MB, 0},         {5 * MB + 3, 5 * MB, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *first = qn_output_alloc(cases[i].first, 1);
        assert_non_null(first);
        assert_int_equal((uintptr_t)first % 64, 0);
        memset(first, 1, cases[i].first);
        qn_output_free(first);
        struct qn_output_stats before = stats();
        assert_int_equal(before.kept, cases[i].first);
        void *second = qn_output_alloc(cases[i].second, 1);
        assert_non_null(second);
        memset(second, 2, cases[i].second);
        struct qn_output_stats after = stats();
        assert_int_equal(after.reuses - before.reuses, cases[i].again);
        if (cases[i].again) assert_ptr_equal(first, second);
        assert_int_equal(after.used, cases[i].again ? cases[i].first : cases[i].second);
        qn_output_free(second);
        (void)qn_output_trim(0);
        assert_int_equal(stats().kept, 0);
    }
}

static void small_blocks_are_the_heaps(void **state)
{
    (void)state;
    struct qn_output_stats before = stats();
    void *small = qn_output_alloc(QN_OUTPUT_LARGE - 1, 1);
    assert_non_null(small);
    qn_output_free(small);
    void *none = qn_output_alloc(0, 8);
    assert_non_null(none);
    qn_output_free(none);
    qn_output_free(NULL);
    struct qn_output_stats after = stats();
    assert_int_equal(after.makes, before.makes);
    assert_int_equal(after.kept, 0);
}

static void the_best_of_several_is_taken(void **state)
{
    (void)state;
    void *a = qn_output_alloc(10 * MB, 1), *b = qn_output_alloc(9 * MB, 1);
    qn_output_free(a);
    qn_output_free(b);
    void *c = qn_output_alloc(8 * MB, 1);
    assert_ptr_equal(c, b);
    qn_output_free(c);
}

static void the_limit_is_kept(void **state)
{
    (void)state;
    void *blocks[4];
    assert_int_equal(qn_output_limit(20 * MB), 256 * MB);
    for (int i = 0; i < 4; i++) blocks[i] = qn_output_alloc(8 * MB, 1);
    for (int i = 0; i < 4; i++) {
        qn_output_free(blocks[i]);
        assert_true(stats().kept <= 20 * MB);
    }
    assert_int_equal(stats().kept_blocks, 2);
    void *last = qn_output_alloc(30 * MB, 1); /* larger than the limit */
    qn_output_free(last);
    assert_true(stats().kept <= 20 * MB);
    (void)qn_output_limit(10 * MB);
    assert_true(stats().kept <= 10 * MB);
    (void)qn_output_limit(0);
    assert_int_equal(stats().kept, 0);
    void *off = qn_output_alloc(8 * MB, 1);
    assert_int_equal(stats().used, 0);
    qn_output_free(off);
    assert_int_equal(stats().kept, 0);
    assert_int_equal(qn_output_limit(QN_OUTPUT_DEFAULT), 0);
    assert_in_range(stats().limit, 1, (uint64_t)1 << 30);
}

/* Used and kept together stay below what was once in use at a time. */
static void what_is_kept_adds_nothing_to_the_peak(void **state)
{
    (void)state;
    uint64_t peak = stats().used_peak;
    void *a = qn_output_alloc(40 * MB, 1);
    qn_output_free(a);
    void *b = qn_output_alloc(20 * MB, 1); /* 60 of 64: both fit */
    assert_int_equal(stats().kept, 40 * MB);
    void *c = qn_output_alloc(10 * MB, 1);
    assert_int_equal(stats().kept, 0);
    assert_int_equal(stats().used, 30 * MB);
    assert_int_equal(stats().used_peak, peak);
    qn_output_free(b);
    qn_output_free(c);
}

static void trimming_frees_the_oldest(void **state)
{
    (void)state;
    void *a = qn_output_alloc(10 * MB, 1), *b = qn_output_alloc(20 * MB, 1);
    qn_output_free(a);
    qn_output_free(b);
    assert_int_equal(qn_output_trim(25 * MB), 10 * MB);
    assert_int_equal(qn_output_trim(25 * MB), 0);
    void *c = qn_output_alloc(20 * MB, 1);
    assert_ptr_equal(c, b);
    qn_output_free(c);
    assert_int_equal(qn_output_trim(0), 20 * MB);
}

static void the_end_of_a_block_is_given_back(void **state)
{
    (void)state;
    unsigned char *a = qn_output_alloc(16 * MB, 1);
    memset(a, 7, 16 * MB);
    a = qn_output_realloc(a, 4 * MB, 1);
    assert_non_null(a);
    for (size_t i = 0; i < 4 * MB; i += 4095) assert_int_equal(a[i], 7);
    a = qn_output_realloc(a, 24 * MB, 1);
    assert_non_null(a);
    for (size_t i = 0; i < 4 * MB; i += 4095) assert_int_equal(a[i], 7);
    a = qn_output_realloc(a, 1000, 1);
    assert_non_null(a);
    assert_int_equal(a[999], 7);
    assert_int_equal(stats().used, 0);
    qn_output_free(a);
    assert_int_equal(stats().kept, 0);
    a = qn_output_realloc(NULL, 2 * MB, 1);
    assert_non_null(a);
    qn_output_free(a);
    assert_null(qn_output_realloc(NULL, SIZE_MAX, 2));
}

static void blocks_of_the_heap_are_freed(void **state)
{
    (void)state;
    void *plain = qn_alloc(8 * MB, 1);
    assert_non_null(plain);
    qn_output_free(plain);
    assert_int_equal(stats().kept, 0);
}

/* The allocation that fails is tried again without what is kept. */
static void when_memory_runs_out_what_is_kept_goes(void **state)
{
    (void)state;
    void *a = qn_output_alloc(8 * MB, 1);
    qn_output_free(a);
    assert_int_equal(stats().kept, 8 * MB);
    (void)qn_alloc_fail_at(1);
    void *b = qn_output_alloc(2 * MB, 1);
    (void)qn_alloc_fail_at(0);
    assert_non_null(b);
    assert_int_equal(stats().kept, 0);
    (void)qn_alloc_fail_at(1); /* nothing is kept: there is no second try */
    assert_null(qn_output_alloc(2 * MB, 1));
    (void)qn_alloc_fail_at(0);
    qn_output_free(b);
    assert_int_equal(stats().used, 0);
    assert_null(qn_output_alloc(SIZE_MAX / 2, 4));
    assert_null(qn_output_alloc(SIZE_MAX / 2, 1));
}

static void poison_is_in_new_and_in_kept_blocks(void **state)
{
    (void)state;
    qn_output_poison(1);
    for (int round = 0; round < 2; round++) {
        unsigned char *a = qn_output_alloc(2 * MB, 1);
        for (size_t i = 0; i < 2 * MB; i++) assert_int_equal(a[i], 0xA5);
        memset(a, 1, 2 * MB);
        qn_output_free(a);
    }
    qn_output_poison(0);
}

/* ---- many blocks, many threads, processes ---- */

static void hundreds_of_blocks_are_told_apart(void **state)
{
    enum { N = 300 };
    static unsigned char *blocks[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        blocks[i] = qn_output_alloc(MB, 1);
        assert_non_null(blocks[i]);
        blocks[i][0] = (unsigned char)i;
    }
    assert_int_equal(stats().used, N * MB);
    for (int i = 0; i < N; i++) { /* not in the order in which they came */
        int k = i * 7 % N;
        assert_int_equal(blocks[k][0], (unsigned char)k);
        qn_output_free(blocks[k]);
    }
    assert_int_equal(stats().used, 0);
    assert_true(stats().kept_blocks <= 32);
}

static void work(void *user, uint32_t worker, uint64_t task)
{
    _Atomic int *wrong = user;
    size_t bytes = MB + (size_t)(task % 5) * MB / 2;
    (void)worker;
    unsigned char *a = qn_output_alloc(bytes, 1);
    if (a == NULL) {
        *wrong = 1;
        return;
    }
    memset(a, (int)(task & 255), bytes);
    for (size_t i = 0; i < bytes; i += 4096)
        if (a[i] != (task & 255)) *wrong = 1; /* somebody else has it too */
    qn_output_free(a);
}

static void threads_never_share_a_block(void **state)
{
    struct qn_threads *threads;
    _Atomic int wrong = 0;
    (void)state;
    assert_int_equal(qn_threads_open(4, &threads), QUERN_OK);
    qn_threads_run(threads, 400, work, &wrong);
    qn_threads_close(threads);
    assert_int_equal(wrong, 0);
    assert_int_equal(stats().used, 0);
    assert_true(stats().reuses > 0);
}

static void a_child_begins_with_nothing_kept(void **state)
{
    (void)state;
    unsigned char *live = qn_output_alloc(2 * MB, 1), *a = qn_output_alloc(8 * MB, 1);
    live[5] = 9;
    qn_output_free(a);
    pid_t child = fork();
    if (child == 0) {
        int good = stats().kept == 0 && live[5] == 9;
        void *b = qn_output_alloc(8 * MB, 1);
        good = good && b != NULL;
        qn_output_free(b);
        qn_output_free(live);
        good = good && stats().kept == 10 * MB && stats().used == 0;
        (void)qn_output_trim(0);
        _exit(good ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stats().kept, 8 * MB);
    qn_output_free(live);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        FRESH(a_block_is_reused_where_it_is_filled),   FRESH(small_blocks_are_the_heaps),
        FRESH(the_best_of_several_is_taken),           FRESH(the_limit_is_kept),
        FRESH(what_is_kept_adds_nothing_to_the_peak),  FRESH(trimming_frees_the_oldest),
        FRESH(the_end_of_a_block_is_given_back),       FRESH(blocks_of_the_heap_are_freed),
        FRESH(when_memory_runs_out_what_is_kept_goes), FRESH(poison_is_in_new_and_in_kept_blocks),
        FRESH(hundreds_of_blocks_are_told_apart),      FRESH(threads_never_share_a_block),
        FRESH(a_child_begins_with_nothing_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
