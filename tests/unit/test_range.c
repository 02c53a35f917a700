/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/memory/range.h"

static const struct qn_stamp never = {0, 0};

static uint32_t take(struct qn_range *r, uint32_t units)
{
    return qn_range_take(r, units, NULL, NULL, NULL);
}

static void opens_only_with_units(void **state)
{
    struct qn_range *r;
    (void)state;
    assert_int_equal(qn_range_open(0, &r), QUERN_INVALID);
    assert_null(r);
    static const uint32_t sizes[] = {1, 31, 32, 33, 1000, 1u << 20, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(qn_range_open(sizes[i], &r), QUERN_OK);
        assert_int_equal(qn_range_largest(r), sizes[i]);
        assert_true(qn_range_check(r));
        uint32_t all = take(r, sizes[i]);
        assert_int_not_equal(all, QN_RANGE_NONE);
        assert_int_equal(qn_range_largest(r), 0);
        assert_int_equal(take(r, 1), QN_RANGE_NONE);
        qn_range_give(r, all, never);
        assert_true(qn_range_check(r));
        qn_range_close(r);
    }
}

static void too_much_is_refused(void **state)
{
    struct qn_range *r;
    (void)state;
    assert_int_equal(qn_range_open(100, &r), QUERN_OK);
    assert_int_equal(take(r, 101), QN_RANGE_NONE);
    assert_int_equal(take(r, UINT32_MAX), QN_RANGE_NONE);
    uint32_t one = take(r, 0); /* nothing is asked for, something is given */
    assert_int_equal(qn_range_length(r, one), 1);
    qn_range_close(r);
}

static void a_given_block_is_an_exact_fit_again(void **state)
{
    struct qn_range *r;
    (void)state;
    assert_int_equal(qn_range_open(100000, &r), QUERN_OK);
    uint32_t a = take(r, 1003), wall = take(r, 5);
    uint32_t offset = qn_range_offset(r, a);
    (void)wall;
    qn_range_give(r, a, never);
    uint32_t b = take(r, 1003);
    assert_int_equal(qn_range_offset(r, b), offset);
    assert_int_equal(qn_range_length(r, b), 1003);
    qn_range_close(r);
}

static void neighbours_merge(void **state)
{
    struct qn_range *r;
    uint32_t b[5];
    (void)state;
    assert_int_equal(qn_range_open(50, &r), QUERN_OK);
    for (int i = 0; i < 5; i++) b[i] = take(r, 10);
    qn_range_give(r, b[1], never);
    qn_range_give(r, b[3], never);
    assert_int_equal(qn_range_largest(r), 10);
    qn_range_give(r, b[2], never);
    assert_int_equal(qn_range_largest(r), 30);
    qn_range_give(r, b[0], never);
    qn_range_give(r, b[4], never);
    assert_int_equal(qn_range_largest(r), 50);
    assert_true(qn_range_check(r));
    assert_true(qn_range_idle(r, NULL));
    qn_range_close(r);
}

static void a_second_give_changes_nothing(void **state)
{
    struct qn_range *r;
    (void)state;
    assert_int_equal(qn_range_open(50, &r), QUERN_OK);
    uint32_t a = take(r, 10), b = take(r, 10);
    qn_range_give(r, b, never);
    qn_range_give(r, b, never);
    qn_range_give(r, QN_RANGE_NONE, never);
    assert_true(qn_range_check(r));
    assert_false(qn_range_idle(r, NULL));
    qn_range_give(r, a, never);
    qn_range_give(r, a, never);
    assert_true(qn_range_idle(r, NULL));
    assert_true(qn_range_check(r));
    qn_range_close(r);
}

static void stamps_join_when_blocks_merge(void **state)
{
    static const struct {
        struct qn_stamp a, b, joined;
    } table[] = {
        {{0, 0}, {0, 0}, {0, 0}},
        {{1, 5}, {0, 0}, {1, 5}},
        {{0, 0}, {1, 5}, {1, 5}},
        {{1, 5}, {1, 9}, {1, 9}},
        {{1, 9}, {1, 5}, {1, 9}},
        {{0, 4}, {1, 9}, {QN_STAMP_MANY, 9}},
        {{QN_STAMP_MANY, 4}, {1, 9}, {QN_STAMP_MANY, 9}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct qn_range *r;
        struct qn_stamp stamp;
        assert_int_equal(qn_range_open(20, &r), QUERN_OK);
        uint32_t a = take(r, 10), b = take(r, 10);
        qn_range_give(r, a, table[i].a);
        qn_range_give(r, b, table[i].b);
        assert_true(qn_range_idle(r, &stamp));
        assert_int_equal(stamp.epoch, table[i].joined.epoch);
        if (stamp.epoch != 0) assert_int_equal(stamp.queue, table[i].joined.queue);
        struct qn_stamp taken;
        uint32_t c = qn_range_take(r, 20, NULL, NULL, &taken);
        assert_int_equal(qn_range_length(r, c), 20);
        assert_int_equal(taken.epoch, table[i].joined.epoch);
        qn_range_close(r);
    }
}

static int only_old(void *user, struct qn_stamp stamp)
{
    return stamp.epoch <= *(const uint64_t *)user;
}

static void busy_blocks_are_passed_over(void **state)
{
    struct qn_range *r;
    uint32_t b[8];
    uint64_t done = 3;
    (void)state;
    assert_int_equal(qn_range_open(160, &r), QUERN_OK);
    for (uint32_t i = 0; i < 8; i++) {
        b[i] = take(r, 10);
        (void)take(r, 10); /* a wall against merging */
    }
    for (uint32_t i = 0; i < 8; i++) qn_range_give(r, b[i], (struct qn_stamp){0, i + 1});
    for (uint32_t i = 0; i < 3; i++) {
        struct qn_stamp stamp;
        assert_int_not_equal(qn_range_take(r, 10, only_old, &done, &stamp), QN_RANGE_NONE);
        assert_true(stamp.epoch <= 3);
    }
    assert_int_equal(qn_range_take(r, 10, only_old, &done, NULL), QN_RANGE_NONE);
    assert_int_not_equal(take(r, 10), QN_RANGE_NONE);
    qn_range_close(r);
}

struct painted {
    uint32_t block, offset, length;
};

static void random_work_keeps_every_invariant(void **state)
{
    enum { UNITS = 4096, LIVE = 200, ROUNDS = 20000 };
    static unsigned char owner[UNITS];
    static struct painted live[LIVE];
    struct qn_range *r;
    uint32_t n = 0, seed = 1, failures = 0;
    (void)state;
    assert_int_equal(qn_range_open(UNITS, &r), QUERN_OK);
    memset(owner, 0, sizeof owner);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525u + 1013904223u;
        if (n < LIVE && (seed >> 16) % 5 < 3) {
            uint32_t want = 1u + (seed >> 8) % (1u << ((seed >> 24) % 8));
            uint32_t block = take(r, want);
            if (block == QN_RANGE_NONE) {
                failures++;
                continue;
            }
            uint32_t offset = qn_range_offset(r, block), length = qn_range_length(r, block);
            assert_true(length >= want && offset + length <= UNITS);
            for (uint32_t u = 0; u < length; u++) assert_int_equal(owner[offset + u]++, 0);
            live[n++] = (struct painted){block, offset, length};
        } else if (n > 0) {
            uint32_t i = (seed >> 4) % n;
            for (uint32_t u = 0; u < live[i].length; u++) owner[live[i].offset + u]--;
            qn_range_give(r, live[i].block, (struct qn_stamp){seed % 3, round + 1});
            live[i] = live[--n];
        }
        if (round % 64 == 0) assert_true(qn_range_check(r));
    }
    while (n > 0) qn_range_give(r, live[--n].block, never);
    assert_true(qn_range_check(r));
    assert_int_equal(qn_range_largest(r), UNITS);
    assert_true(failures < ROUNDS / 10);
    qn_range_close(r);
}

struct sum {
    uint32_t used, all, at;
};

static void add_up(void *user, uint32_t offset, uint32_t length, int used)
{
    struct sum *s = user;
    assert_int_equal(offset, s->at);
    s->at += length;
    s->all += length;
    if (used) s->used += length;
}

static void the_walk_sees_everything_in_order(void **state)
{
    struct qn_range *r;
    struct sum s = {0};
    (void)state;
    assert_int_equal(qn_range_open(100, &r), QUERN_OK);
    uint32_t a = take(r, 30);
    (void)take(r, 20);
    qn_range_give(r, a, never);
    qn_range_walk(r, add_up, &s);
    assert_int_equal(s.all, 100);
    assert_int_equal(s.used, 20);
    qn_range_close(r);
}

static void it_works_on_without_host_memory(void **state)
{
    struct qn_range *r;
    uint32_t n = 0;
    (void)state;
    assert_int_equal(qn_range_open(100000, &r), QUERN_OK);
    (void)qn_alloc_fail_at(1); /* the node table cannot grow */
    while (take(r, 2) != QN_RANGE_NONE) {
        (void)qn_alloc_fail_at(1);
        n++;
    }
    (void)qn_alloc_fail_at(0);
    assert_true(n >= 63); /* the last block is larger than asked for */
    assert_true(qn_range_check(r));
    qn_range_close(r);
    (void)qn_alloc_fail_at(1);
    assert_int_equal(qn_range_open(10, &r), QUERN_OUT_OF_MEMORY);
    (void)qn_alloc_fail_at(2);
    assert_int_equal(qn_range_open(10, &r), QUERN_OUT_OF_MEMORY);
    (void)qn_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_only_with_units),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(a_given_block_is_an_exact_fit_again),
        cmocka_unit_test(neighbours_merge),
        cmocka_unit_test(a_second_give_changes_nothing),
        cmocka_unit_test(stamps_join_when_blocks_merge),
        cmocka_unit_test(busy_blocks_are_passed_over),
        cmocka_unit_test(random_work_keeps_every_invariant),
        cmocka_unit_test(the_walk_sees_everything_in_order),
        cmocka_unit_test(it_works_on_without_host_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
