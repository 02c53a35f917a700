/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/null/null.h"
#include "host/memory/pool.h"
#include "tests/unit/pool_battery.h"

static const struct qn_driver *const driver = &qn_driver_null;

/* A device with three queues and a pool. */
static struct qn_dev *dev;
static struct qn_queue *queues[3];
static uint32_t q[3];
static struct qn_pool *pool;

static quern_status try_up(const struct qn_null_config *device, const struct qn_pool_config *config)
{
    struct qn_caps caps;
    qn_null_reset(device);
    assert_int_equal(driver->caps(0, &caps), QUERN_OK);
    assert_int_equal(driver->open(0, &dev), QUERN_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(driver->queue_open(dev, &queues[i]), QUERN_OK);
    quern_status status = qn_pool_open(driver, dev, &caps, config, &pool);
    for (uint32_t i = 0; i < 3 && status == QUERN_OK; i++)
        status = qn_pool_queue(pool, queues[i], &q[i]);
    return status;
}

static void up(const struct qn_null_config *device, const struct qn_pool_config *config)
{
    assert_int_equal(try_up(device, config), QUERN_OK);
}

static void down(void)
{
    const char *misuse;
    assert_int_equal(qn_pool_close(pool), QUERN_OK);
    for (int i = 0; i < 3; i++) {
        (void)driver->finish(queues[i]);
        driver->queue_close(dev, queues[i]);
    }
    driver->close(dev);
    assert_int_equal(qn_null_live(), 0);
    if (qn_null_misuse(&misuse) != 0) fail_msg("%s", misuse);
}

static struct qn_span take(uint32_t queue, uint64_t size)
{
    struct qn_span span;
    assert_int_equal(qn_pool_take(pool, q[queue], size, &span), QUERN_OK);
    return span;
}

/* Work that uses the block, still running when this returns if work is held. */
static void use(uint32_t queue, const struct qn_span *span)
{
    assert_int_equal(driver->fill(queues[queue], span->view, 1), QUERN_OK);
    qn_pool_submitted(pool, q[queue]);
}

static struct qn_pool_stats stats(void)
{
    struct qn_pool_stats s;
    qn_pool_stats(pool, &s);
    return s;
}

static void the_battery_holds(void **state)
{
    static const struct qn_null_config devices[] = {
        {.reason = "all features"},
        {.reason = "queues wait for the host", .hold = 1},
        {.reason = "synchronous", .without = QN_FEATURE_ASYNC},
        {.reason = "lazy", .lazy = 1},
        {.reason = "coarse", .caps = {.base_align = 4096}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        const char *misuse;
        qn_null_reset(&devices[i]);
        pool_battery(driver, 0);
        assert_int_equal(qn_null_live(), 0);
        if (qn_null_misuse(&misuse) != 0) fail_msg("%s: %s", devices[i].reason, misuse);
    }
}

static const struct qn_null_config held = {.hold = 1};
static const struct qn_pool_config small_pool = {.slab = 64 << 10, .limit = 64 << 10};
enum { WHOLE = 64 << 10 };

static void one_queue_reuses_without_waiting(void **state)
{
    (void)state;
    up(&held, &small_pool);
    for (int i = 0; i < 10; i++) {
        struct qn_span span = take(0, WHOLE);
        use(0, &span);
        qn_pool_give(pool, q[0], &span);
    }
    assert_int_equal(stats().fresh, 1);
    assert_int_equal(stats().same_queue, 9);
    assert_int_equal(qn_null_calls_of(QN_NULL_FINISH), 0);
    assert_int_equal(qn_null_calls_of(QN_NULL_EVENT_WAIT), 0);
    assert_int_equal(qn_null_calls_of(QN_NULL_EVENT_RECORD), 0);
    down();
}

static void another_queue_takes_what_is_done(void **state)
{
    (void)state;
    up(&held, &small_pool);
    struct qn_span span = take(0, WHOLE);
    use(0, &span);
    qn_pool_give(pool, q[0], &span);
    (void)driver->finish(queues[0]);
    qn_pool_finished(pool, q[0]); /* told so */
    span = take(1, WHOLE);
    assert_int_equal(stats().other_queue_done, 1);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 0);
    use(1, &span);
    qn_pool_give(pool, q[1], &span);
    (void)qn_pool_trim(pool, 0); /* looks, and leaves a mark behind the work */
    (void)qn_null_release(UINT64_MAX);
    span = take(0, WHOLE);
    assert_int_equal(stats().other_queue_done, 2);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 0);
    qn_pool_give(pool, q[0], &span);
    down();
}

static void another_queue_grows_rather_than_waits(void **state)
{
    static const struct qn_pool_config roomy = {.slab = 64 << 10};
    (void)state;
    up(&held, &roomy);
    struct qn_span a = take(0, WHOLE);
    use(0, &a);
    qn_pool_give(pool, q[0], &a);
    struct qn_span b = take(1, WHOLE);
    assert_int_equal(stats().slabs, 2);
    assert_int_equal(stats().other_queue_wait, 0);
    qn_pool_give(pool, q[1], &b);
    down();
}

static void a_busy_block_makes_the_queue_wait_and_not_the_host(void **state)
{
    uint32_t seen[2] = {0, 0};
    (void)state;
    up(&held, &small_pool);
    struct qn_span a = take(0, WHOLE);
    assert_int_equal(driver->fill(queues[0], a.view, 0x11111111), QUERN_OK);
    struct qn_view head = {a.view.raw, a.view.offset, sizeof seen};
    assert_int_equal(driver->download(queues[0], seen, head, QN_NO_WAIT), QUERN_OK);
    qn_pool_submitted(pool, q[0]);
    qn_pool_give(pool, q[0], &a);
    struct qn_span b = take(1, WHOLE);
    assert_int_equal(stats().other_queue_wait, 1);
    assert_true(qn_null_pending() > 0); /* nothing has run */
    assert_int_equal(driver->fill(queues[1], b.view, 0x22222222), QUERN_OK);
    qn_pool_submitted(pool, q[1]);
    assert_int_equal(driver->finish(queues[1]), QUERN_OK);
    qn_pool_finished(pool, q[1]);
    assert_int_equal(seen[0], 0x11111111); /* queue 0 came first */
    qn_pool_give(pool, q[1], &b);
    down();
}

static void a_wait_is_not_repeated(void **state)
{
    (void)state;
    up(&held, &small_pool);
    struct qn_span a = take(0, WHOLE / 4), b = take(0, WHOLE / 4), c = take(0, WHOLE / 2);
    use(0, &a);
    qn_pool_give(pool, q[0], &a);
    qn_pool_give(pool, q[0], &c);
    struct qn_span d = take(1, WHOLE / 4);
    uint64_t waits = qn_null_calls_of(QN_NULL_QUEUE_WAIT);
    assert_int_equal(waits, 1);
    struct qn_span e = take(1, WHOLE / 2); /* given before that wait: already covered */
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), waits);
    qn_pool_give(pool, q[1], &d);
    qn_pool_give(pool, q[1], &e);
    qn_pool_give(pool, q[0], &b);
    down();
}

static void a_merged_block_waits_for_all_its_users(void **state)
{
    (void)state;
    up(&held, &small_pool);
    struct qn_span a = take(0, WHOLE / 2), b = take(1, WHOLE / 2);
    use(0, &a);
    use(1, &b);
    qn_pool_give(pool, q[0], &a);
    qn_pool_give(pool, q[1], &b);
    struct qn_span c = take(2, WHOLE);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 2);
    use(2, &c);
    uint64_t pending = qn_null_pending();
    assert_int_equal(driver->finish(queues[2]), QUERN_OK);
    assert_true(pending > 4);
    assert_int_equal(qn_null_pending(), 0); /* it took the other two with it */
    qn_pool_finished(pool, q[2]);
    qn_pool_give(pool, q[2], &c);
    /* Merged and done: no further waiting. */
    c = take(0, WHOLE);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 2);
    qn_pool_give(pool, q[0], &c);
    down();
}

static void an_order_between_queues_frees_blocks(void **state)
{
    (void)state;
    up(&held, &small_pool);
    struct qn_span a = take(0, WHOLE);
    use(0, &a);
    qn_pool_give(pool, q[0], &a);
    assert_int_equal(qn_pool_order(pool, q[1], q[0]), QUERN_OK);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 1);
    assert_int_equal(qn_pool_order(pool, q[1], q[0]), QUERN_OK); /* known already */
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 1);
    struct qn_span b = take(1, WHOLE);
    assert_int_equal(stats().other_queue_done, 1);
    assert_int_equal(stats().other_queue_wait, 0);
    assert_int_equal(qn_pool_order(pool, q[1], 9), QUERN_INVALID);
    qn_pool_give(pool, q[1], &b);
    down();
}

static void many_marks_still_tell_progress(void **state)
{
    (void)state;
    up(&held, &small_pool);
    struct qn_span keep = take(0, WHOLE);
    for (int i = 0; i < 12; i++) { /* each look finds queue 0 further and busy */
        struct qn_span none;
        use(0, &keep);
        assert_int_equal(qn_pool_take(pool, q[1], WHOLE, &none), QUERN_OUT_OF_MEMORY);
    }
    qn_pool_give(pool, q[0], &keep);
    (void)driver->finish(queues[0]);
    struct qn_span b = take(1, WHOLE);
    assert_int_equal(stats().other_queue_done + stats().other_queue_wait, 1);
    qn_pool_give(pool, q[1], &b);
    down();
}

static void the_driver_refusing_halves_the_slab(void **state)
{
    static const struct qn_null_config tight = {.memory = 3 << 20};
    static const struct qn_pool_config config = {.slab = 16 << 20};
    (void)state;
    up(&tight, &config);
    struct qn_span a = take(0, 1000);
    assert_int_equal(stats().held.now, 2 << 20);
    struct qn_span b = take(0, 2 << 20 >> 1), none;
    assert_int_equal(qn_pool_take(pool, q[0], 3 << 20, &none), QUERN_OUT_OF_MEMORY);
    assert_non_null(strstr(qn_error_text(), "the driver: null"));
    qn_pool_give(pool, q[0], &a);
    qn_pool_give(pool, q[0], &b);
    /* Idle slabs make room for one of another size. */
    a = take(0, 3 << 20);
    assert_int_equal(stats().slabs, 1);
    assert_int_equal(stats().retries, 1);
    qn_pool_give(pool, q[0], &a);
    down();
}

static void a_lazy_refusal_comes_at_the_take(void **state)
{
    static const struct qn_null_config lazy = {.memory = 2 << 20, .lazy = 1};
    static const struct qn_pool_config config = {.slab = 1 << 20};
    struct qn_span none;
    (void)state;
    up(&lazy, &config);
    struct qn_span a = take(0, 1 << 20), b = take(0, 1 << 20);
    assert_int_equal(qn_pool_take(pool, q[0], 1 << 20, &none), QUERN_OUT_OF_MEMORY);
    qn_pool_give(pool, q[0], &a);
    a = take(0, 1 << 20);
    qn_pool_give(pool, q[0], &a);
    qn_pool_give(pool, q[0], &b);
    down();
}

static struct qn_span cushion;
static int asked_to_free;

static int give_cushion(void *user, uint64_t wanted)
{
    (void)user;
    assert_int_equal(wanted, WHOLE);
    asked_to_free++;
    if (cushion.view.raw == NULL) return 0;
    qn_pool_give(pool, q[0], &cushion);
    return 1;
}

static void a_full_pool_asks_its_owner_once(void **state)
{
    struct qn_pool_config config = small_pool;
    struct qn_span none;
    (void)state;
    config.on_full = give_cushion;
    asked_to_free = 0;
    up(NULL, &config);
    cushion = take(0, WHOLE);
    struct qn_span a = take(0, WHOLE);
    assert_int_equal(asked_to_free, 1);
    assert_int_equal(stats().failures, 0);
    assert_int_equal(qn_pool_take(pool, q[0], WHOLE, &none), QUERN_OUT_OF_MEMORY);
    assert_int_equal(asked_to_free, 2);
    assert_int_equal(stats().failures, 1);
    qn_pool_give(pool, q[0], &a);
    down();
}

static void released_blocks_are_poisoned(void **state)
{
    struct qn_pool_config config = small_pool;
    uint32_t words[64];
    (void)state;
    config.poison = 1;
    up(NULL, &config);
    struct qn_span a = take(0, sizeof words);
    use(0, &a);
    qn_pool_give(pool, q[0], &a);
    a = take(0, sizeof words);
    assert_int_equal(driver->download(queues[0], words, a.view, QN_WAIT), QUERN_OK);
    for (int i = 0; i < 64; i++) assert_int_equal(words[i], 0xA5A5A5A5u);
    qn_pool_give(pool, q[0], &a);
    down();
}

static void small_requests_do_not_pin_large_slabs(void **state)
{
    static const struct qn_pool_config config = {.slab = 1 << 20};
    (void)state;
    up(NULL, &config);
    struct qn_span large = take(0, 8 << 20);
    qn_pool_give(pool, q[0], &large);
    struct qn_span small = take(0, 100);
    assert_int_equal(stats().slabs, 2);
    large = take(0, (8 << 20) - 5000); /* nearly the same size: the same slab */
    assert_int_equal(stats().slabs, 2);
    qn_pool_give(pool, q[0], &large);
    qn_pool_give(pool, q[0], &small);
    down();
}

static void asked_failures_come_in_order(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 4; k++) {
        struct qn_pool_config config = {.fail_at = k};
        struct qn_span spans[4];
        up(NULL, &config);
        for (uint64_t i = 1; i <= 4; i++)
            assert_int_equal(qn_pool_take(pool, q[0], 100, &spans[i - 1]),
                             i == k ? QUERN_OUT_OF_MEMORY : QUERN_OK);
        for (uint64_t i = 1; i <= 4; i++) qn_pool_give(pool, q[0], &spans[i - 1]);
        down();
    }
}

/* What a pipeline does to a pool: takes and gives on two queues under pressure. */
static quern_status scenario(void)
{
    quern_status status = QUERN_OK;
    struct qn_span spans[6] = {{{0}, 0, 0, 0, 0}};
    for (uint32_t round = 0; round < 3 && status == QUERN_OK; round++) {
        for (uint32_t i = 0; i < 6 && status == QUERN_OK; i++) {
            status = qn_pool_take(pool, q[i % 2], 20000 + 9000 * i, &spans[i]);
            if (status == QUERN_OK) status = driver->fill(queues[i % 2], spans[i].view, i);
            if (status == QUERN_OK) qn_pool_submitted(pool, q[i % 2]);
        }
        for (uint32_t i = 0; i < 6; i++) qn_pool_give(pool, q[i % 2], &spans[i]);
        if (status == QUERN_OK && round == 1) (void)qn_pool_trim(pool, 0);
    }
    return status;
}

static void every_driver_failure_is_survived(void **state)
{
    static const struct qn_pool_config config = {.slab = 64 << 10, .limit = 384 << 10};
    static const quern_status codes[] = {QUERN_OUT_OF_MEMORY, QUERN_DEVICE_LOST, QUERN_INTERNAL};
    static const struct qn_null_config device = {.hold = 1, .lazy = 1};
    (void)state;
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        int failed = 1;
        for (uint64_t k = 1; failed; k++) {
            up(&device, &config);
            qn_null_fail(QN_NULL_ANY, k, codes[c]);
            quern_status status = scenario();
            failed = qn_null_failed();
            qn_null_fail(QN_NULL_ANY, 0, QUERN_OK);
            /* Running out of memory may be worked around; anything else is told. */
            if (status != QUERN_OK) assert_int_equal(status, codes[c]);
            assert_int_equal(stats().used.now, 0);
            assert_int_equal(scenario(), QUERN_OK);
            down();
            assert_true(k < 500);
        }
    }
}

static void every_allocation_failure_is_survived(void **state)
{
    static const struct qn_pool_config config = {.slab = 64 << 10};
    (void)state;
    for (uint64_t k = 1, made = k; made >= k; k++) {
        (void)qn_alloc_fail_at(0);
        qn_null_reset(NULL);
        struct qn_caps caps;
        assert_int_equal(driver->caps(0, &caps), QUERN_OK);
        assert_int_equal(driver->open(0, &dev), QUERN_OK);
        for (int i = 0; i < 3; i++) assert_int_equal(driver->queue_open(dev, &queues[i]), QUERN_OK);
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_pool_open(driver, dev, &caps, &config, &pool);
        if (status == QUERN_OK) {
            for (uint32_t i = 0; i < 3; i++) (void)qn_pool_queue(pool, queues[i], &q[i]);
            status = scenario();
        }
        made = qn_alloc_fail_at(0);
        if (status != QUERN_OK) assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        down();
        pool = NULL;
        assert_true(k < 500);
    }
}

struct sum {
    uint64_t used, all;
};

static void add_up(void *user, uint32_t slab, uint64_t offset, uint64_t size, int used)
{
    struct sum *s = user;
    (void)slab;
    (void)offset;
    s->all += size;
    if (used) s->used += size;
}

static void the_walk_agrees_with_the_statistics(void **state)
{
    static const struct qn_pool_config config = {.slab = 1 << 20};
    struct sum s = {0, 0};
    (void)state;
    up(NULL, &config);
    struct qn_span a = take(0, 5000), b = take(0, 2 << 20), c = take(0, 70000);
    qn_pool_give(pool, q[0], &a);
    qn_pool_walk(pool, add_up, &s);
    assert_int_equal(s.all, stats().held.now);
    assert_int_equal(s.used, stats().used.now);
    qn_pool_give(pool, q[0], &b);
    qn_pool_give(pool, q[0], &c);
    down();
}

static void *taker(void *user)
{
    uint32_t queue = *(const uint32_t *)user;
    struct qn_span spans[8];
    for (int round = 0; round < 300; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            if (qn_pool_take(pool, queue, 100 + 777 * i, &spans[i]) != QUERN_OK) return user;
            qn_pool_submitted(pool, queue);
        }
        for (uint32_t i = 0; i < 8; i++) qn_pool_give(pool, queue, &spans[i]);
        if (round % 50 == 0) (void)qn_pool_trim(pool, 1 << 16);
    }
    return NULL;
}

static void two_threads_share_a_pool(void **state)
{
    static const struct qn_pool_config config = {.slab = 64 << 10};
    pthread_t threads[2];
    (void)state;
    up(NULL, &config);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, taker, &q[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(stats().used.now, 0);
    assert_int_equal(stats().takes, 2 * 300 * 8);
    down();
}

static void a_ninth_queue_is_refused(void **state)
{
    uint32_t number;
    (void)state;
    up(NULL, NULL);
    for (int i = 3; i < 8; i++) assert_int_equal(qn_pool_queue(pool, queues[0], &number), QUERN_OK);
    assert_int_equal(qn_pool_queue(pool, queues[0], &number), QUERN_UNSUPPORTED);
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_battery_holds),
        cmocka_unit_test(one_queue_reuses_without_waiting),
        cmocka_unit_test(another_queue_takes_what_is_done),
        cmocka_unit_test(another_queue_grows_rather_than_waits),
        cmocka_unit_test(a_busy_block_makes_the_queue_wait_and_not_the_host),
        cmocka_unit_test(a_wait_is_not_repeated),
        cmocka_unit_test(a_merged_block_waits_for_all_its_users),
        cmocka_unit_test(an_order_between_queues_frees_blocks),
        cmocka_unit_test(many_marks_still_tell_progress),
        cmocka_unit_test(the_driver_refusing_halves_the_slab),
        cmocka_unit_test(a_lazy_refusal_comes_at_the_take),
        cmocka_unit_test(a_full_pool_asks_its_owner_once),
        cmocka_unit_test(released_blocks_are_poisoned),
        cmocka_unit_test(small_requests_do_not_pin_large_slabs),
        cmocka_unit_test(asked_failures_come_in_order),
        cmocka_unit_test(every_driver_failure_is_survived),
        cmocka_unit_test(every_allocation_failure_is_survived),
        cmocka_unit_test(the_walk_agrees_with_the_statistics),
        cmocka_unit_test(two_threads_share_a_pool),
        cmocka_unit_test(a_ninth_queue_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
