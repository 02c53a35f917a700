/* SPDX-License-Identifier: Apache-2.0
 * Staging, byte by byte, over the null driver: work runs late there, so memory that is used again
 * too early shows as wrong bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/null/null.h"
#include "host/memory/staging.h"

static const struct qn_driver *const driver = &qn_driver_null;
static struct qn_dev *dev;
static struct qn_queue *queue;
static struct qn_staging *staging;
static struct qn_threads *threads;
static struct qn_ledger ledger;
enum { DEVICE_BYTES = 1 << 20, BLOCK = 4096, DEPTH = 3 };

static void up(const struct qn_null_config *device, uint64_t block)
{
    struct qn_caps caps;
    memset(&ledger, 0, sizeof ledger);
    qn_null_reset(device);
    assert_int_equal(driver->caps(0, &caps), QUERN_OK);
    assert_int_equal(driver->open(0, &dev), QUERN_OK);
    assert_int_equal(driver->queue_open(dev, &queue), QUERN_OK);
    assert_int_equal(qn_threads_open(3, &threads), QUERN_OK);
    assert_int_equal(qn_staging_open(driver, dev, &caps, block, DEPTH, &staging), QUERN_OK);
}

static void down(void)
{
    const char *misuse;
    qn_staging_close(staging);
    (void)driver->finish(queue);
    driver->queue_close(dev, queue);
    driver->close(dev);
    qn_threads_close(threads);
    assert_int_equal(qn_null_live(), 0);
    if (qn_null_misuse(&misuse) != 0) fail_msg("%s", misuse);
}

static const struct {
    const char *name;
    struct qn_null_config device;
} devices[] = {
    {"all features", {0}},
    {"work runs late", {.hold = 1}},
    {"no pinned memory", {.without = QN_FEATURE_PINNED}},
    {"no pinned memory, late", {.without = QN_FEATURE_PINNED, .hold = 1}},
    {"synchronous", {.without = QN_FEATURE_ASYNC}},
    {"host memory", {.caps = {.features = QN_FEATURE_HOST_MEMORY | QN_FEATURE_ASYNC}, .hold = 1}},
    {"host memory, synchronous", {.caps = {.features = QN_FEATURE_HOST_MEMORY}}},
};

static const struct {
    uint64_t rows, bytes;
    int64_t stride;
} shapes[] = {
    {0, 4, 4},         {1, 1, 1},    {1, 100000, 100000}, {1000, 4, 4},      {1000, 4, 12},
    {1000, 8, -8},     {999, 1, 7},  {3000, 2, 6},        {777, 24, 40},     {5, 10000, 20000},
    {100, 4096, 5000}, {4097, 3, 3}, {4096, 16, 16},      {33, 4095, -4100},
};

/* Memory in which the pieces of a shape lie, with room around. */
struct arena {
    unsigned char *memory, *base;
    size_t size;
};

static struct arena arena_new(uint64_t rows, uint64_t bytes, int64_t stride, unsigned seed)
{
    struct arena a;
    uint64_t step = (uint64_t)(stride < 0 ? -stride : stride);
    a.size = (size_t)(rows * step + bytes + 64);
    a.memory = malloc(a.size);
    assert_non_null(a.memory);
    for (size_t i = 0; i < a.size; i++) {
        seed = seed * 1664525u + 1013904223u;
        a.memory[i] = (unsigned char)(seed >> 24);
    }
    a.base = stride < 0 && rows > 0 ? a.memory + (rows - 1) * step : a.memory;
    return a;
}

static void bytes_arrive_and_come_back(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof devices / sizeof devices[0]; d++) {
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            uint64_t rows = shapes[s].rows, bytes = shapes[s].bytes, total = rows * bytes;
            struct qn_raw *raw;
            up(&devices[d].device, BLOCK);
            assert_int_equal(driver->raw_alloc(dev, DEVICE_BYTES, &raw), QUERN_OK);
            struct qn_view view = {raw, 512, total};
            struct arena from = arena_new(rows, bytes, shapes[s].stride, 1);
            struct arena to = arena_new(rows, bytes, shapes[s].stride, 2);
            struct arena before = arena_new(rows, bytes, shapes[s].stride, 2);
            unsigned char *packed = malloc((size_t)total + 1);
            for (uint64_t r = 0; r < rows; r++)
                memcpy(packed + r * bytes, from.base + (int64_t)r * shapes[s].stride, bytes);
            assert_int_equal(qn_staging_upload(staging, threads, queue, view, from.base, rows,
                                               bytes, shapes[s].stride, &ledger, QN_TRAFFIC_INPUT),
                             QUERN_OK);
            memset(from.memory, 0, from.size); /* the caller's memory is the caller's again */
            assert_int_equal(qn_staging_download(staging, threads, queue, to.base, rows, bytes,
                                                 shapes[s].stride, view, &ledger,
                                                 QN_TRAFFIC_OUTPUT),
                             QUERN_OK);
            for (uint64_t r = 0; r < rows; r++) {
                unsigned char *piece = to.base + (int64_t)r * shapes[s].stride;
                if (memcmp(piece, packed + r * bytes, bytes) != 0)
                    fail_msg("%s, shape %zu, row %u", devices[d].name, s, (unsigned)r);
                memcpy(before.base + (piece - to.base), piece, bytes);
            }
            assert_memory_equal(to.memory, before.memory, to.size); /* nothing beside the pieces */
            assert_int_equal(ledger.to_device[QN_TRAFFIC_INPUT], total);
            assert_int_equal(ledger.from_device[QN_TRAFFIC_OUTPUT], total);
            assert_int_equal(ledger.to_device[QN_TRAFFIC_CONTROL], 0);
            free(packed);
            free(from.memory);
            free(to.memory);
            free(before.memory);
            (void)driver->finish(queue);
            driver->raw_free(dev, raw);
            down();
        }
    }
}

static void an_upload_returns_before_the_device_is_done(void **state)
{
    static const struct qn_null_config late = {.hold = 1};
    static unsigned char data[BLOCK * DEPTH];
    struct qn_raw *raw;
    (void)state;
    up(&late, BLOCK);
    assert_int_equal(driver->raw_alloc(dev, DEVICE_BYTES, &raw), QUERN_OK);
    struct qn_view view = {raw, 0, sizeof data};
    assert_int_equal(qn_staging_upload(staging, threads, queue, view, data, 1, sizeof data,
                                       sizeof data, &ledger, QN_TRAFFIC_INPUT),
                     QUERN_OK);
    assert_int_equal(qn_null_calls_of(QN_NULL_EVENT_WAIT), 0);
    assert_int_equal(qn_null_calls_of(QN_NULL_UPLOAD), DEPTH);
    assert_true(qn_null_pending() >= DEPTH);
    /* The ring is full: one more block waits for the first, not for all. */
    view.size = 1;
    assert_int_equal(
        qn_staging_upload(staging, threads, queue, view, data, 1, 1, 1, &ledger, QN_TRAFFIC_INPUT),
        QUERN_OK);
    assert_int_equal(qn_null_calls_of(QN_NULL_EVENT_WAIT), 1);
    assert_true(qn_null_pending() > 0);
    assert_true(ledger.wait_ns > 0);
    (void)driver->finish(queue);
    driver->raw_free(dev, raw);
    down();
}

/* Copying straight into host memory must not overtake the work that still uses it. */
static void host_memory_waits_for_its_turn(void **state)
{
    static const struct qn_null_config late = {
        .caps = {.features = QN_FEATURE_HOST_MEMORY | QN_FEATURE_ASYNC}, .hold = 1};
    uint32_t words[4] = {1, 2, 3, 4}, back[4] = {0};
    struct qn_raw *raw;
    (void)state;
    up(&late, BLOCK);
    assert_int_equal(driver->raw_alloc(dev, DEVICE_BYTES, &raw), QUERN_OK);
    struct qn_view view = {raw, 0, sizeof words};
    assert_int_equal(driver->fill(queue, view, 0x77777777), QUERN_OK);
    assert_int_equal(qn_staging_upload(staging, threads, queue, view, words, 1, sizeof words,
                                       sizeof words, &ledger, QN_TRAFFIC_INPUT),
                     QUERN_OK);
    assert_int_equal(driver->finish(queue), QUERN_OK);
    assert_int_equal(driver->download(queue, back, view, QN_WAIT), QUERN_OK);
    assert_memory_equal(back, words, sizeof words);
    assert_int_equal(driver->fill(queue, view, 0x88888888), QUERN_OK);
    assert_int_equal(qn_staging_download(staging, threads, queue, back, 1, sizeof back, sizeof back,
                                         view, &ledger, QN_TRAFFIC_OUTPUT),
                     QUERN_OK);
    assert_int_equal(back[3], 0x88888888);
    driver->raw_free(dev, raw);
    down();
}

static void downloads_are_asked_for_ahead(void **state)
{
    static const struct qn_null_config late = {.hold = 1};
    static unsigned char data[BLOCK * 8];
    struct qn_raw *raw;
    (void)state;
    up(&late, BLOCK);
    assert_int_equal(driver->raw_alloc(dev, DEVICE_BYTES, &raw), QUERN_OK);
    struct qn_view view = {raw, 0, sizeof data};
    assert_int_equal(qn_staging_download(staging, threads, queue, data, 1, sizeof data, sizeof data,
                                         view, &ledger, QN_TRAFFIC_OUTPUT),
                     QUERN_OK);
    size_t n;
    const struct qn_null_call *calls = qn_null_calls(&n);
    uint32_t ahead = 0;
    for (size_t i = 0; i < n && calls[i].op != QN_NULL_EVENT_WAIT; i++)
        ahead += calls[i].op == QN_NULL_DOWNLOAD;
    assert_int_equal(ahead, DEPTH);
    (void)driver->finish(queue);
    driver->raw_free(dev, raw);
    down();
}

static void nothing_is_pinned_before_it_is_needed(void **state)
{
    (void)state;
    up(NULL, 0);
    assert_int_equal(qn_null_calls_of(QN_NULL_PINNED_ALLOC), 0);
    down();
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct {
        uint64_t rows, bytes;
    } table[] = {{2, 51}, {1, 101}, {UINT64_MAX, 2}, {1ull << 33, 1ull << 33}};
    unsigned char data[4];
    (void)state;
    up(NULL, BLOCK);
    struct qn_view view = {NULL, 0, 100};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(qn_staging_upload(staging, threads, queue, view, data, table[i].rows,
                                           table[i].bytes, 4, &ledger, QN_TRAFFIC_INPUT),
                         QUERN_INVALID);
        assert_int_equal(qn_staging_download(staging, threads, queue, data, table[i].rows,
                                             table[i].bytes, 4, view, &ledger, QN_TRAFFIC_INPUT),
                         QUERN_INVALID);
    }
    struct qn_staging *none;
    struct qn_caps caps;
    assert_int_equal(driver->caps(0, &caps), QUERN_OK);
    assert_int_equal(qn_staging_open(driver, dev, &caps, 0, 65, &none), QUERN_INVALID);
    down();
}

static void every_driver_failure_is_told(void **state)
{
    static unsigned char data[BLOCK * 5 + 100];
    static const struct qn_null_config late = {.hold = 1};
    (void)state;
    int failed = 1;
    for (uint64_t k = 1; failed; k++) {
        struct qn_raw *raw;
        up(&late, BLOCK);
        assert_int_equal(driver->raw_alloc(dev, DEVICE_BYTES, &raw), QUERN_OK);
        struct qn_view view = {raw, 0, sizeof data};
        qn_null_fail(QN_NULL_ANY, k, QUERN_INTERNAL);
        quern_status status = qn_staging_upload(staging, threads, queue, view, data, 1, sizeof data,
                                                sizeof data, &ledger, QN_TRAFFIC_INPUT);
        if (status == QUERN_OK)
            status = qn_staging_download(staging, threads, queue, data, 1, sizeof data, sizeof data,
                                         view, &ledger, QN_TRAFFIC_OUTPUT);
        failed = qn_null_failed();
        assert_int_equal(status, failed ? QUERN_INTERNAL : QUERN_OK);
        qn_null_fail(QN_NULL_ANY, 0, QUERN_OK);
        /* It works again afterwards, with the same rings. */
        assert_int_equal(qn_staging_upload(staging, threads, queue, view, data, 1, sizeof data,
                                           sizeof data, &ledger, QN_TRAFFIC_INPUT),
                         QUERN_OK);
        (void)driver->finish(queue);
        driver->raw_free(dev, raw);
        down();
        assert_true(k < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_and_come_back),
        cmocka_unit_test(an_upload_returns_before_the_device_is_done),
        cmocka_unit_test(host_memory_waits_for_its_turn),
        cmocka_unit_test(downloads_are_asked_for_ahead),
        cmocka_unit_test(nothing_is_pinned_before_it_is_needed),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(every_driver_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
