/* SPDX-License-Identifier: Apache-2.0
 * The CPU as a device: what the driver's interface promises, on host memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "host/ops/requests.h"

static const struct qn_driver *const cpu = &qn_driver_cpu;
static struct qn_dev *dev;
static struct qn_queue *queue;

static int open_device(void **state)
{
    (void)state;
    return cpu->open(0, &dev) != QUERN_OK || cpu->queue_open(dev, &queue) != QUERN_OK;
}

static int close_device(void **state)
{
    (void)state;
    cpu->queue_close(dev, queue);
    cpu->close(dev);
    cpu->close(NULL);
    return 0;
}

static void there_is_one_cpu_and_it_says_what_it_is(void **unused)
{
    uint32_t count = 0;
    const char *reason = "";
    struct qn_caps caps;
    struct qn_dev *none;
    (void)unused;
    assert_int_equal(cpu->count(&count, &reason), QUERN_OK);
    assert_int_equal(count, 1);
    assert_int_equal(cpu->caps(0, &caps), QUERN_OK);
    assert_int_equal(caps.features, QN_FEATURE_F64 | QN_FEATURE_HOST_MEMORY | QN_FEATURE_WRAP |
                                        QN_FEATURE_EXACT_DIV | QN_FEATURE_CPU_SHAPE);
    assert_true(caps.base_align >= 64 && caps.memory_total > 0 && caps.compute_units >= 1);
    assert_true(strlen(caps.name) > 0 && strstr(caps.driver, qn_cpu_isa()) != NULL);
    assert_int_equal(cpu->caps(1, &caps), QUERN_NO_DEVICE);
    assert_int_equal(cpu->open(1, &none), QUERN_NO_DEVICE);
    assert_null(none);
    assert_false(QN_HAS(cpu, compile));
    assert_false(QN_HAS(cpu, launch));
    assert_true(QN_HAS(cpu, raw_pointer));
}

static void bytes_come_back_as_they_went(void **unused)
{
    static const uint64_t sizes[] = {64, 1000, 5u << 20}; /* heap and pages */
    (void)unused;
    for (int k = 0; k < 3; k++) {
        struct qn_raw *a, *b;
        unsigned char from[200], to[200] = {0};
        uint64_t n = sizes[k] < 200 ? sizes[k] : 200, at = sizes[k] - n;
        for (uint64_t i = 0; i < n; i++) from[i] = (unsigned char)(i * 7 + (unsigned)k);
        assert_int_equal(cpu->raw_alloc(dev, sizes[k], &a), QUERN_OK);
        assert_int_equal(cpu->raw_alloc(dev, sizes[k], &b), QUERN_OK);
        assert_int_equal((uintptr_t)cpu->raw_pointer(a) % 64, 0);
        assert_int_equal(cpu->fill(queue, (struct qn_view){b, 0, sizes[k] / 4 * 4}, 0x01020304u),
                         QUERN_OK);
        assert_memory_equal(cpu->raw_pointer(b), (&(uint32_t){0x01020304u}), 4);
        assert_int_equal(cpu->upload(queue, (struct qn_view){a, at, n}, from, QN_NO_WAIT),
                         QUERN_OK);
        assert_int_equal(cpu->copy(queue, (struct qn_view){b, at, n}, (struct qn_view){a, at, n}),
                         QUERN_OK);
        assert_int_equal(cpu->download(queue, to, (struct qn_view){b, at, n}, QN_WAIT), QUERN_OK);
        assert_int_equal(cpu->finish(queue), QUERN_OK);
        assert_memory_equal(from, to, n);
        cpu->raw_free(dev, a);
        cpu->raw_free(dev, b);
    }
}

static void a_view_outside_its_block_is_refused(void **unused)
{
    struct qn_raw *a;
    char bytes[128] = {0};
    (void)unused;
    assert_int_equal(cpu->raw_alloc(dev, 100, &a), QUERN_OK);
    assert_int_equal(cpu->upload(queue, (struct qn_view){a, 90, 11}, bytes, QN_WAIT),
                     QUERN_INTERNAL);
    assert_int_equal(cpu->download(queue, bytes, (struct qn_view){a, UINT64_MAX, 2}, QN_WAIT),
                     QUERN_INTERNAL);
    assert_int_equal(cpu->fill(queue, (struct qn_view){a, 0, 6}, 1), QUERN_INTERNAL);
    assert_int_equal(cpu->copy(queue, (struct qn_view){a, 0, 6}, (struct qn_view){a, 0, 7}),
                     QUERN_INTERNAL);
    cpu->raw_free(dev, a);
}

static void wrapped_memory_is_used_in_place_and_outlives_the_wrap(void **unused)
{
    char bytes[64] = "before";
    struct qn_raw *raw;
    (void)unused;
    assert_int_equal(cpu->raw_wrap(dev, bytes, sizeof bytes, 1, &raw), QUERN_OK);
    assert_ptr_equal(cpu->raw_pointer(raw), bytes);
    assert_int_equal(cpu->upload(queue, (struct qn_view){raw, 0, 6}, "after", QN_WAIT), QUERN_OK);
    cpu->raw_free(dev, raw);
    assert_string_equal(bytes, "after");
}

static void events_are_done_and_measure_time(void **unused)
{
    struct qn_event *a, *b;
    int done = 0;
    uint64_t ns = UINT64_MAX;
    (void)unused;
    assert_int_equal(cpu->event_open(dev, &a), QUERN_OK);
    assert_int_equal(cpu->event_open(dev, &b), QUERN_OK);
    assert_int_equal(cpu->event_record(queue, a), QUERN_OK);
    assert_int_equal(cpu->event_record(queue, b), QUERN_OK);
    assert_int_equal(cpu->event_done(b, &done), QUERN_OK);
    assert_int_equal(done, 1);
    assert_int_equal(cpu->event_wait(b), QUERN_OK);
    assert_int_equal(cpu->queue_wait(queue, b), QUERN_OK);
    assert_int_equal(cpu->event_elapsed(a, b, &ns), QUERN_OK);
    assert_true(ns < 1000000000u);
    cpu->event_close(dev, a);
    cpu->event_close(dev, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_cpu_and_it_says_what_it_is),
        cmocka_unit_test(bytes_come_back_as_they_went),
        cmocka_unit_test(a_view_outside_its_block_is_refused),
        cmocka_unit_test(wrapped_memory_is_used_in_place_and_outlives_the_wrap),
        cmocka_unit_test(events_are_done_and_measure_time),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
