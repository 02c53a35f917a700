/* SPDX-License-Identifier: Apache-2.0
 * The pool's promises and an open device's, on every device of this machine. A backend that is not
 * here skips with its reason, unless QUERN_REQUIRE names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/device/context.h"
#include "tests/unit/pool_battery.h"

static struct qn_device_list list;

/* The driver's present devices are visited; absent ones are told. */
static void each_present(void (*visit)(const struct qn_device_entry *))
{
    const char *require = getenv("QUERN_REQUIRE");
    for (uint32_t i = 0; i < list.count; i++) {
        const struct qn_device_entry *entry = &list.entries[i];
        if (entry->present)
            visit(entry);
        else if (require != NULL && strstr(require, entry->driver->name) != NULL)
            fail_msg("%s is required: %s", entry->id, entry->why);
        else
            print_message("%s is skipped: %s\n", entry->id, entry->why);
    }
}

static void battery(const struct qn_device_entry *entry)
{
    print_message("%s: %s\n", entry->id, entry->caps.name);
    pool_battery(entry->driver, entry->index);
}

static void the_pool_keeps_its_promises(void **state)
{
    (void)state;
    each_present(battery);
}

/* 300,000 rows of 3 floats out of rows of 5, there and back, through both queues. */
static void round_trip(const struct qn_device_entry *entry)
{
    enum { ROWS = 300000, WIDTH = 5, USED = 3 };
    struct qn_threads *threads;
    struct qn_device *device;
    struct qn_span span;
    float *table = malloc(sizeof(float) * ROWS * WIDTH),
          *back = malloc(sizeof(float) * ROWS * USED);
    uint64_t total = (uint64_t)sizeof(float) * ROWS * USED;
    assert_true(table != NULL && back != NULL);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++) table[i] = (float)i;
    assert_int_equal(qn_threads_open(2, &threads), QUERN_OK);
    struct qn_device_config config = {.threads = threads};
    assert_int_equal(qn_device_open(entry->driver, entry->index, &config, &device), QUERN_OK);
    print_message("%s: %s\n", device->id, device->limits[0] != '\0' ? device->limits : "whole");
    for (uint32_t q = 0; q < QN_DEVICE_QUEUES; q++) {
        memset(back, 0, (size_t)total);
        assert_int_equal(qn_pool_take(device->pool, device->queue_numbers[q], total, &span),
                         QUERN_OK);
        assert_int_equal(qn_device_upload(device, q, span.view, table, ROWS, USED * sizeof(float),
                                          WIDTH * sizeof(float), QN_TRAFFIC_INPUT),
                         QUERN_OK);
        assert_int_equal(qn_device_download(device, q, back, ROWS, USED * sizeof(float),
                                            USED * sizeof(float), span.view, QN_TRAFFIC_OUTPUT),
                         QUERN_OK);
        for (size_t r = 0; r < ROWS; r++)
            assert_memory_equal(back + r * USED, table + r * WIDTH, USED * sizeof(float));
        qn_pool_give(device->pool, device->queue_numbers[q], &span);
    }
    assert_int_equal(device->ledger.to_device[QN_TRAFFIC_INPUT], 2 * total);
    assert_int_equal(device->ledger.from_device[QN_TRAFFIC_OUTPUT], 2 * total);
    assert_int_equal(qn_device_close(device), QUERN_OK);
    qn_threads_close(threads);
    free(table);
    free(back);
}

static void tables_come_back_as_they_went(void **state)
{
    (void)state;
    each_present(round_trip);
}

/* A device that runs kernels here has passed the self test: the conformance of operations rests on
 * that. */
static void self_tested(const struct qn_device_entry *entry)
{
    struct qn_device *device;
    if ((entry->caps.features & QN_FEATURE_KERNELS) == 0) return;
    assert_int_equal(qn_device_open(entry->driver, entry->index, NULL, &device), QUERN_OK);
    assert_string_equal(device->limits, "");
    assert_int_equal(device->caps.features, entry->caps.features);
    assert_int_equal(qn_device_close(device), QUERN_OK);
}

static void devices_with_kernels_pass_the_self_test(void **state)
{
    (void)state;
    each_present(self_tested);
}

static void a_context_opens_by_default(void **state)
{
    struct quern_context *cx;
    (void)state;
    assert_int_equal(qn_context_open(NULL, &cx), QUERN_OK);
    print_message("%s: %s\n", cx->device_id, cx->why);
    assert_true(cx->why[0] != '\0');
    assert_int_equal(qn_context_close(cx), QUERN_OK);
}

static int make_list(void **state)
{
    uint32_t n;
    (void)state;
    const struct qn_driver *const *drivers = qn_drivers(&n);
    return qn_device_list_make(drivers, n, &list) == QUERN_OK ? 0 : -1;
}

static int free_list(void **state)
{
    (void)state;
    qn_device_list_free(&list);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pool_keeps_its_promises),
        cmocka_unit_test(tables_come_back_as_they_went),
        cmocka_unit_test(devices_with_kernels_pass_the_self_test),
        cmocka_unit_test(a_context_opens_by_default),
    };
    return cmocka_run_group_tests(tests, make_list, free_list);
}
