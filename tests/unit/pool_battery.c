/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pool_battery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/memory/pool.h"

struct bench {
    const struct qn_driver *driver;
    struct qn_caps caps;
    struct qn_dev *dev;
    struct qn_queue *queue;
    struct qn_pool *pool;
    uint32_t number;
};

static void open_bench(struct bench *b, const struct qn_driver *driver, uint32_t index,
                       const struct qn_pool_config *config)
{
    b->driver = driver;
    assert_int_equal(driver->caps(index, &b->caps), QUERN_OK);
    assert_int_equal(driver->open(index, &b->dev), QUERN_OK);
    assert_int_equal(driver->queue_open(b->dev, &b->queue), QUERN_OK);
    assert_int_equal(qn_pool_open(driver, b->dev, &b->caps, config, &b->pool), QUERN_OK);
    assert_int_equal(qn_pool_queue(b->pool, b->queue, &b->number), QUERN_OK);
}

static void close_bench(struct bench *b)
{
    assert_int_equal(qn_pool_close(b->pool), QUERN_OK);
    b->driver->queue_close(b->dev, b->queue);
    b->driver->close(b->dev);
}

static void paint(struct bench *b, const struct qn_span *span, uint32_t colour)
{
    struct qn_view all = {span->view.raw, span->view.offset, span->granted};
    assert_int_equal(b->driver->fill(b->queue, all, colour), QUERN_OK);
    qn_pool_submitted(b->pool, b->number);
}

static void check_paint(struct bench *b, const struct qn_span *span, uint32_t colour)
{
    struct qn_view all = {span->view.raw, span->view.offset, span->granted};
    uint32_t *words = malloc((size_t)span->granted);
    assert_non_null(words);
    assert_int_equal(b->driver->download(b->queue, words, all, QN_WAIT), QUERN_OK);
    for (uint64_t i = 0; i < span->granted / 4; i++) assert_int_equal(words[i], colour);
    free(words);
}

/* Alignment, sizes, and that no two blocks share a byte. */
static void blocks_do_not_overlap(const struct qn_driver *driver, uint32_t index)
{
    enum { LIVE = 40, ROUNDS = 400 };
    static const uint64_t sizes[] = {1, 4, 255, 256, 257, 4096, 100000, 600000, 3000000};
    struct qn_pool_config config = {.slab = 1 << 20};
    struct qn_span live[LIVE];
    uint32_t colours[LIVE], n = 0, seed = 7;
    struct bench b;
    open_bench(&b, driver, index, &config);
    uint64_t align = b.caps.base_align > 256 ? b.caps.base_align : 256;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525u + 1013904223u;
        if (n < LIVE && (seed >> 20) % 5 < 3) {
            uint64_t size = sizes[(seed >> 8) % (sizeof sizes / sizeof sizes[0])];
            assert_int_equal(qn_pool_take(b.pool, b.number, size, &live[n]), QUERN_OK);
            assert_int_equal(live[n].view.offset % align, 0);
            assert_int_equal(live[n].view.size, size);
            assert_true(live[n].granted >= size && live[n].granted < size + 2 * align);
            colours[n] = 0x01010101u * (1 + round % 200);
            paint(&b, &live[n], colours[n]);
            n++;
        } else if (n > 0) {
            uint32_t i = (seed >> 4) % n;
            check_paint(&b, &live[i], colours[i]);
            qn_pool_give(b.pool, b.number, &live[i]);
            assert_null(live[i].view.raw);
            live[i] = live[--n];
            colours[i] = colours[n];
        }
    }
    for (uint32_t i = 0; i < n; i++) check_paint(&b, &live[i], colours[i]);
    while (n > 0) qn_pool_give(b.pool, b.number, &live[--n]);
    close_bench(&b);
}

static void statistics_add_up(const struct qn_driver *driver, uint32_t index)
{
    struct qn_pool_config config = {.slab = 1 << 20};
    struct qn_pool_stats s;
    struct qn_span a, c;
    struct bench b;
    open_bench(&b, driver, index, &config);
    assert_int_equal(qn_pool_take(b.pool, b.number, 1000, &a), QUERN_OK);
    assert_int_equal(qn_pool_take(b.pool, b.number, 2000, &c), QUERN_OK);
    uint64_t granted = a.granted + c.granted, second = c.granted;
    qn_pool_stats(b.pool, &s);
    assert_int_equal(s.used.now, granted);
    assert_int_equal(s.asked.now, 3000);
    assert_int_equal(s.held.now, 1 << 20);
    assert_int_equal(s.slabs, 1);
    assert_int_equal(s.takes, 2);
    assert_int_equal(s.grows, 1);
    assert_int_equal(s.largest_free, (1 << 20) - granted);
    qn_pool_give(b.pool, b.number, &c);
    qn_pool_reset_peaks(b.pool);
    qn_pool_stats(b.pool, &s);
    assert_int_equal(s.used.peak, granted - second);
    assert_int_equal(s.used.total, granted);
    assert_int_equal(s.asked.now, 1000);
    qn_pool_give(b.pool, b.number, &a);
    close_bench(&b);
}

static void trimming_hands_slabs_back(const struct qn_driver *driver, uint32_t index)
{
    struct qn_pool_config config = {.slab = 1 << 20};
    struct qn_pool_stats s;
    struct qn_span big, small;
    struct bench b;
    open_bench(&b, driver, index, &config);
    assert_int_equal(qn_pool_take(b.pool, b.number, 1000, &small), QUERN_OK);
    assert_int_equal(qn_pool_take(b.pool, b.number, 3 << 20, &big), QUERN_OK);
    assert_int_equal(qn_pool_trim(b.pool, 0), 0);
    qn_pool_give(b.pool, b.number, &big);
    assert_int_equal(qn_pool_trim(b.pool, UINT64_MAX), 0);
    assert_true(qn_pool_trim(b.pool, 0) >= 3 << 20);
    qn_pool_stats(b.pool, &s);
    assert_int_equal(s.slabs, 1);
    assert_int_equal(s.held.now, 1 << 20);
    qn_pool_give(b.pool, b.number, &small);
    assert_int_equal(qn_pool_trim(b.pool, 0), 1 << 20);
    qn_pool_stats(b.pool, &s);
    assert_int_equal(s.held.now, 0);
    assert_int_equal(qn_pool_take(b.pool, b.number, 1000, &small), QUERN_OK); /* and grows again */
    qn_pool_give(b.pool, b.number, &small);
    close_bench(&b);
}

static void the_limit_holds(const struct qn_driver *driver, uint32_t index)
{
    struct qn_pool_config config = {.slab = 1 << 20, .limit = (3 << 20) - 512};
    struct qn_pool_stats s;
    struct qn_span spans[4096], none;
    uint32_t n = 0;
    struct bench b;
    open_bench(&b, driver, index, &config);
    assert_int_equal(qn_pool_take(b.pool, b.number, 4 << 20, &none), QUERN_OUT_OF_MEMORY);
    assert_null(none.view.raw);
    while (qn_pool_take(b.pool, b.number, 10000, &spans[n]) == QUERN_OK) n++;
    qn_pool_stats(b.pool, &s);
    assert_true(s.held.peak <= config.limit);
    assert_true(s.used.now + 3 * 10240 > config.limit); /* and can be reached */
    assert_int_equal(s.failures, 2);
    assert_non_null(strstr(qn_error_text(), "wanted 10000"));
    assert_non_null(strstr(qn_error_text(), "limit 3145216"));
    while (n > 0) qn_pool_give(b.pool, b.number, &spans[--n]);
    /* All of it is idle slabs now; one request of nearly the limit must still be possible. */
    assert_int_equal(qn_pool_take(b.pool, b.number, (3 << 20) - 4096, &none), QUERN_OK);
    qn_pool_give(b.pool, b.number, &none);
    close_bench(&b);
}

static void stale_spans_are_refused(const struct qn_driver *driver, uint32_t index)
{
    struct qn_pool_stats s;
    struct qn_span a, copy, other;
    struct bench b;
    open_bench(&b, driver, index, NULL);
    assert_int_equal(qn_pool_take(b.pool, b.number, 1000, &a), QUERN_OK);
    copy = a;
    qn_pool_give(b.pool, b.number, &a);
    qn_pool_give(b.pool, b.number, &a); /* cleared: nothing to give */
    struct qn_span again = copy;
    qn_pool_give(b.pool, b.number, &again); /* a copy of what was given */
    assert_int_equal(qn_pool_take(b.pool, b.number, 1000, &other), QUERN_OK);
    again = copy;
    qn_pool_give(b.pool, b.number, &again); /* the same place, another generation */
    again = other;
    again.slab = 77;
    qn_pool_give(b.pool, b.number, &again);
    again = other;
    qn_pool_give(b.pool, 5, &again); /* no such queue */
    qn_pool_stats(b.pool, &s);
    assert_int_equal(s.refused, 4);
    assert_int_equal(s.used.now, other.granted);
    assert_int_equal(qn_pool_close(b.pool), QUERN_BUSY);
    assert_non_null(strstr(qn_error_text(), "1 blocks"));
    qn_pool_give(b.pool, b.number, &other);
    close_bench(&b);
}

static void too_large_says_so(const struct qn_driver *driver, uint32_t index)
{
    struct qn_span span;
    struct bench b;
    open_bench(&b, driver, index, NULL);
    assert_int_equal(qn_pool_take(b.pool, b.number, UINT64_MAX, &span), QUERN_OUT_OF_MEMORY);
    assert_int_equal(qn_pool_take(b.pool, b.number, b.caps.max_alloc + 1, &span),
                     QUERN_OUT_OF_MEMORY);
    assert_non_null(strstr(qn_error_text(), "largest allocation"));
    assert_int_equal(qn_pool_take(b.pool, 3, 10, &span), QUERN_INVALID);
    close_bench(&b);
}

void pool_battery(const struct qn_driver *driver, uint32_t index)
{
    blocks_do_not_overlap(driver, index);
    statistics_add_up(driver, index);
    trimming_hands_slabs_back(driver, index);
    the_limit_holds(driver, index);
    stale_spans_are_refused(driver, index);
    too_large_says_so(driver, index);
}
