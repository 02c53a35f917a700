/* SPDX-License-Identifier: Apache-2.0
 * An open device over the null driver: what is counted, what is compiled once, what is kept on disk,
 * what the self test finds. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/device/device.h"
#include "host/device/selftest.h"
#include "kernels/arith.h"
#include "tests/unit/null_gpu.h"

static const struct qn_source text = {.name = "text", .text = "kernel", .bytes = 6, .options = ""};
static const struct qn_device_config untested = {.no_self_test = 1};

static struct qn_device *open_with(const struct qn_null_config *null,
                                   const struct qn_device_config *config)
{
    struct qn_device *device;
    qn_null_reset(null);
    assert_int_equal(qn_device_open(&qn_driver_null, 0, config, &device), QUERN_OK);
    return device;
}

static void close_clean(struct qn_device *device)
{
    const char *misuse;
    assert_int_equal(qn_device_close(device), QUERN_OK);
    assert_int_equal(qn_null_live(), 0);
    if (qn_null_misuse(&misuse) != 0) fail_msg("%s", misuse);
}

static quern_status launch(struct qn_device *device, uint32_t queue)
{
    struct qn_kernel *kernel;
    struct qn_grid grid = {{1, 1}, 1};
    QN_TRY(qn_device_kernel(device, &text, "k", &kernel));
    return qn_device_launch(device, queue, kernel, &grid, NULL, 0);
}

static void everything_is_counted_where_it_happens(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    struct qn_span span;
    unsigned char bytes[4096] = {1, 2, 3}, back[4096];
    (void)state;
    assert_int_equal(qn_pool_take(device->pool, device->queue_numbers[0], sizeof bytes, &span),
                     QUERN_OK);
    assert_int_equal(qn_device_upload(device, 0, span.view, bytes, 1, sizeof bytes, sizeof bytes,
                                      QN_TRAFFIC_INPUT),
                     QUERN_OK);
    assert_int_equal(launch(device, 0), QUERN_OK);
    assert_int_equal(launch(device, 0), QUERN_OK);
    assert_int_equal(qn_device_download(device, 0, back, 2, 1000, 2000,
                                        (struct qn_view){span.view.raw, span.view.offset, 2000},
                                        QN_TRAFFIC_OUTPUT),
                     QUERN_OK);
    struct qn_view small = {span.view.raw, span.view.offset, 100};
    assert_int_equal(qn_device_put(device, 0, small, back), QUERN_OK);
    assert_int_equal(qn_device_get(device, 0, back, small), QUERN_OK);
    assert_int_equal(qn_device_finish(device, 0), QUERN_OK);
    const struct qn_ledger *l = &device->ledger;
    assert_int_equal(l->to_device[QN_TRAFFIC_INPUT], 4096);
    assert_int_equal(l->from_device[QN_TRAFFIC_OUTPUT], 2000);
    assert_int_equal(l->to_device[QN_TRAFFIC_CONTROL], 100);
    assert_int_equal(l->from_device[QN_TRAFFIC_CONTROL], 100);
    assert_int_equal(l->to_device[QN_TRAFFIC_OUTPUT] + l->from_device[QN_TRAFFIC_INPUT], 0);
    assert_int_equal(l->launches, 2);
    assert_int_equal(l->compiles, 1);
    assert_int_equal(l->cache_hits, 0);
    assert_int_equal(l->kernel_ns, 0);
    assert_int_equal(qn_null_bytes_of(QN_NULL_UPLOAD), 4196); /* the driver saw the same */
    assert_int_equal(qn_null_bytes_of(QN_NULL_DOWNLOAD), 2100);
    qn_pool_give(device->pool, device->queue_numbers[0], &span);
    close_clean(device);
}

static void times_are_measured_when_asked_for(void **state)
{
    struct qn_device_config config = {.no_self_test = 1, .times = 1};
    struct qn_device *device = open_with(NULL, &config);
    (void)state;
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(launch(device, i % 2), QUERN_OK);
    assert_int_equal(qn_device_finish(device, 0), QUERN_OK);
    assert_int_equal(qn_device_finish(device, 1), QUERN_OK);
    assert_true(device->ledger.kernel_ns >= 100 * 1000); /* a null launch takes 1000 ns */
    close_clean(device);
}

static void put_and_launch(struct qn_device *device)
{
    struct qn_span span;
    uint32_t word = 7, back = 0;
    assert_int_equal(qn_pool_take(device->pool, device->queue_numbers[1], 4, &span), QUERN_OK);
    assert_int_equal(launch(device, 1), QUERN_OK);
    assert_int_equal(qn_device_put(device, 1, span.view, &word), QUERN_OK);
    word = 9; /* ours again */
    assert_int_equal(launch(device, 1), QUERN_OK);
    assert_true(qn_null_pending() >= 3);
    assert_int_equal(qn_device_get(device, 1, &back, span.view), QUERN_OK);
    assert_int_equal(back, 7);
    assert_int_equal(qn_device_fill(device, 1, span.view, 0x55), QUERN_OK);
    assert_int_equal(qn_device_get(device, 1, &back, span.view), QUERN_OK);
    assert_int_equal(back, 0x55);
    qn_pool_give(device->pool, device->queue_numbers[1], &span);
    close_clean(device);
}

static void parameters_do_not_wait_for_kernels(void **state)
{
    const uint32_t least = QN_FEATURE_KERNELS | QN_FEATURE_ASYNC;
    const uint32_t more[] = {0, QN_FEATURE_PINNED, QN_FEATURE_HOST_MEMORY};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct qn_null_config late = {.hold = 1, .caps = {.features = least | more[i]}};
        put_and_launch(open_with(&late, &untested));
    }
    (void)state;
}

static void one_queue_can_follow_the_other(void **state)
{
    static const struct qn_null_config late = {.hold = 1};
    struct qn_device *device = open_with(&late, &untested);
    (void)state;
    assert_int_equal(launch(device, 0), QUERN_OK);
    assert_int_equal(qn_device_order(device, 1, 0), QUERN_OK);
    assert_int_equal(qn_device_order(device, 1, 1), QUERN_OK);
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_WAIT), 1);
    assert_int_equal(launch(device, 1), QUERN_OK);
    assert_int_equal(qn_device_finish(device, 1), QUERN_OK);
    assert_int_equal(qn_null_pending(), 0);
    assert_int_equal(qn_device_order(device, 2, 0), QUERN_INVALID);
    close_clean(device);
}

static void a_lost_device_is_not_asked_again(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    struct qn_kernel *kernel;
    (void)state;
    assert_int_equal(launch(device, 0), QUERN_OK);
    qn_null_lose();
    assert_int_equal(launch(device, 0), QUERN_DEVICE_LOST);
    assert_int_equal(device->lost, 1);
    uint64_t calls = qn_null_calls_of(QN_NULL_ANY);
    assert_int_equal(launch(device, 0), QUERN_DEVICE_LOST);
    assert_int_equal(qn_device_finish(device, 1), QUERN_DEVICE_LOST);
    assert_int_equal(qn_device_kernel(device, &text, "other", &kernel), QUERN_DEVICE_LOST);
    assert_int_equal(qn_null_calls_of(QN_NULL_ANY), calls);
    assert_non_null(strstr(qn_error_text(), "null:0"));
    close_clean(device);
}

static void an_unknown_queue_is_refused(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    (void)state;
    assert_int_equal(launch(device, 2), QUERN_INVALID);
    assert_int_equal(qn_device_finish(device, 99), QUERN_INVALID);
    close_clean(device);
}

static void a_device_with_blocks_out_stays_open(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    struct qn_span span;
    (void)state;
    assert_int_equal(qn_pool_take(device->pool, device->queue_numbers[0], 4, &span), QUERN_OK);
    assert_int_equal(qn_device_close(device), QUERN_BUSY);
    assert_int_equal(launch(device, 0), QUERN_OK);
    qn_pool_give(device->pool, device->queue_numbers[0], &span);
    close_clean(device);
    assert_int_equal(qn_device_close(NULL), QUERN_OK);
}

/* Opening, one launch and closing, with each driver call failing in turn. */
static void every_failure_of_the_driver_is_cleaned_up(void **state)
{
    static const quern_status codes[] = {QUERN_OUT_OF_MEMORY, QUERN_DEVICE_LOST, QUERN_INTERNAL};
    static const struct qn_null_config computing = {.kernel = null_gpu_kernel, .lazy = 1};
    struct qn_device_config config = {.times = 1};
    (void)state;
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        int failed = 1;
        for (uint64_t k = 1; failed; k++) {
            struct qn_device *device = NULL;
            qn_self_test_forget();
            qn_null_reset(&computing);
            qn_null_fail(QN_NULL_ANY, k, codes[c]);
            quern_status status = qn_device_open(&qn_driver_null, 0, &config, &device);
            assert_int_equal(status == QUERN_OK, device != NULL);
            if (status == QUERN_OK) status = launch(device, 0);
            failed = qn_null_failed();
            qn_null_fail(QN_NULL_ANY, 0, QUERN_OK);
            /* The self test turns a refusal into a lost feature, which then refuses the launch. */
            if (status != QUERN_OK)
                assert_true(status == codes[c] ||
                            (status == QUERN_UNSUPPORTED && codes[c] == QUERN_INTERNAL));
            if (device != NULL)
                close_clean(device);
            else
                assert_int_equal(qn_null_live(), 0);
            assert_true(k < 500);
        }
    }
    qn_self_test_forget();
}

static void every_failure_of_memory_is_cleaned_up(void **state)
{
    (void)state;
    for (uint64_t k = 1, made = k; made >= k; k++) {
        struct qn_device *device = NULL;
        qn_null_reset(NULL);
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_device_open(&qn_driver_null, 0, &untested, &device);
        if (status == QUERN_OK) status = launch(device, 0);
        made = qn_alloc_fail_at(0);
        if (status != QUERN_OK) assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        if (device != NULL)
            close_clean(device);
        else
            assert_int_equal(qn_null_live(), 0);
        assert_true(k < 500);
    }
}

/* ---- kernels ---- */

static void a_source_is_compiled_once_per_options(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    struct qn_source other = text, named = text, made = text, fixed = text;
    struct qn_kernel *a, *b, *c;
    (void)state;
    assert_int_equal(qn_device_kernel(device, &text, "k", &a), QUERN_OK);
    assert_int_equal(qn_device_kernel(device, &text, "k", &b), QUERN_OK);
    assert_ptr_equal(a, b);
    assert_int_equal(qn_null_calls_of(QN_NULL_COMPILE), 1);
    assert_int_equal(qn_null_calls_of(QN_NULL_KERNEL_GET), 1);
    assert_int_equal(qn_device_kernel(device, &text, "l", &c), QUERN_OK);
    assert_ptr_not_equal(a, c);
    assert_int_equal(qn_null_calls_of(QN_NULL_COMPILE), 1);
    other.options = "-DX=1";
    assert_int_equal(qn_device_kernel(device, &other, "k", &b), QUERN_OK);
    assert_ptr_not_equal(a, b);
    named.name = "other";
    assert_int_equal(qn_device_kernel(device, &named, "k", &b), QUERN_OK);
    made.text = "KERNEL"; /* text made at run time, under a name that is known */
    assert_int_equal(qn_device_kernel(device, &made, "k", &b), QUERN_OK);
    assert_ptr_not_equal(a, b);
    assert_int_equal(qn_null_calls_of(QN_NULL_COMPILE), 4);
    fixed.options = NULL;
    assert_int_equal(qn_device_kernel(device, &fixed, "k", &b), QUERN_OK);
    assert_ptr_equal(a, b);
    assert_int_equal(device->ledger.compiles, 4);
    close_clean(device);
}

static void compile_failures_name_the_kernel_and_are_not_kept(void **state)
{
    struct qn_device *device = open_with(NULL, &untested);
    struct qn_kernel *kernel;
    (void)state;
    qn_null_fail(QN_NULL_COMPILE, 1, QUERN_COMPILE);
    assert_int_equal(qn_device_kernel(device, &text, "k", &kernel), QUERN_COMPILE);
    assert_null(kernel);
    assert_non_null(strstr(qn_error_text(), "null:0: kernel k of text"));
    qn_null_fail(QN_NULL_KERNEL_GET, 1, QUERN_INTERNAL);
    assert_int_equal(qn_device_kernel(device, &text, "k", &kernel), QUERN_INTERNAL);
    assert_int_equal(qn_device_kernel(device, &text, "k", &kernel), QUERN_OK);
    close_clean(device);
}

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/quern-device-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* Opens a device, makes one kernel, closes; what that cost. */
static struct qn_ledger one_kernel(const struct qn_null_config *null,
                                   const struct qn_source *source)
{
    struct qn_device_config config = {.no_self_test = 1, .cache_dir = folder};
    struct qn_device *device = open_with(null, &config);
    struct qn_kernel *kernel;
    assert_int_equal(qn_device_kernel(device, source, "k", &kernel), QUERN_OK);
    struct qn_ledger ledger = device->ledger;
    close_clean(device);
    return ledger;
}

static void images_are_kept_on_disk(void **state)
{
    static const struct qn_null_config newer = {.caps = {.driver = "another version"}};
    struct qn_source other = text;
    (void)state;
    struct qn_ledger l = one_kernel(NULL, &text);
    assert_int_equal(l.compiles, 1);
    assert_int_equal(l.cache_hits, 0);
    l = one_kernel(NULL, &text);
    assert_int_equal(l.compiles, 0);
    assert_int_equal(l.cache_hits, 1);
    other.options = "-DY";
    assert_int_equal(one_kernel(NULL, &other).compiles, 1);
    other.text = "KERNEL";
    assert_int_equal(one_kernel(NULL, &other).compiles, 1);
    assert_int_equal(one_kernel(NULL, &other).compiles, 0);
    assert_int_equal(one_kernel(&newer, &text).compiles, 1); /* a new driver compiles anew */
}

static void an_image_that_the_driver_refuses_is_a_miss(void **state)
{
    struct qn_device_config config = {.no_self_test = 1, .cache_dir = folder};
    struct qn_kernel *kernel;
    (void)state;
    assert_int_equal(one_kernel(NULL, &text).compiles, 1);
    struct qn_device *device = open_with(NULL, &config);
    qn_null_fail(QN_NULL_IMAGE_LOAD, 1, QUERN_CORRUPT);
    assert_int_equal(qn_device_kernel(device, &text, "k", &kernel), QUERN_OK);
    assert_int_equal(device->ledger.compiles, 1);
    close_clean(device);
    assert_int_equal(one_kernel(NULL, &text).cache_hits, 1); /* and was written again */
}

/* ---- the self test ---- */

static uint64_t spoil_op;

static uint64_t spoil(uint32_t op, uint64_t right)
{
    return op == spoil_op && right != 0 ? right ^ 1 : right;
}

static uint64_t flush32(uint32_t op, uint64_t right)
{
    return op <= QN_ARITH_MULADD32 && (right & 0x7f800000u) == 0 ? right & 0x80000000u : right;
}

static uint64_t flush64(uint32_t op, uint64_t right)
{
    int f64 = op >= QN_ARITH_ADD64 && op != QN_ARITH_LESS64;
    return f64 && (right & 0x7ff0000000000000u) == 0 ? right & 0x8000000000000000u : right;
}

/* The features that a device with this flaw is left with. */
static uint32_t features_left(null_flaw_fn *flaw, struct qn_null_config null, char words[256])
{
    struct null_flaw f = {flaw};
    struct qn_device *device;
    null.kernel = null_gpu_kernel;
    null.user = &f;
    qn_self_test_forget();
    qn_null_reset(&null);
    assert_int_equal(qn_device_open(&qn_driver_null, 0, NULL, &device), QUERN_OK);
    uint32_t features = device->caps.features;
    memcpy(words, device->limits, 256);
    assert_int_equal(device->ledger.launches, 0); /* the test is not the user's work */
    close_clean(device);
    return features;
}

static void a_right_device_keeps_its_features(void **state)
{
    char words[256];
    (void)state;
    uint32_t left = features_left(NULL, (struct qn_null_config){0}, words);
    assert_true((left & QN_FEATURE_KERNELS) && (left & QN_FEATURE_F64) &&
                (left & QN_FEATURE_EXACT_DIV));
    assert_string_equal(words, "");
}

static void each_wrong_operation_costs_its_feature(void **state)
{
    char words[256];
    (void)state;
    for (spoil_op = 0; spoil_op < QN_ARITH_OPS; spoil_op++) {
        uint32_t left = features_left(spoil, (struct qn_null_config){0}, words);
        int division = spoil_op == QN_ARITH_DIV32 || spoil_op == QN_ARITH_SQRT32;
        assert_int_equal((left & QN_FEATURE_EXACT_DIV) != 0, !division);
        assert_int_equal((left & QN_FEATURE_KERNELS) != 0, division);
        assert_int_equal((left & QN_FEATURE_F64) != 0, spoil_op < QN_ARITH_ADD64);
        assert_non_null(strstr(words, "is wrong"));
    }
}

static void flushing_is_found_out(void **state)
{
    char words[256];
    (void)state;
    uint32_t left = features_left(flush32, (struct qn_null_config){0}, words);
    assert_int_equal(left & QN_FEATURE_KERNELS, 0);
    assert_non_null(strstr(words, "float32 addition"));
    left = features_left(flush64, (struct qn_null_config){0}, words);
    assert_int_equal(left & (QN_FEATURE_KERNELS | QN_FEATURE_F64), 0);
    assert_non_null(strstr(words, "float64 addition"));
}

static void the_self_test_leaves_no_trace(void **state)
{
    static const struct qn_null_config computing = {.kernel = null_gpu_kernel};
    struct qn_device_config config = {.pool = {.limit = 4096}}; /* too little for the test itself */
    struct qn_pool_stats stats;
    (void)state;
    qn_self_test_forget();
    struct qn_device *device = open_with(&computing, &config);
    qn_pool_stats(device->pool, &stats);
    assert_int_equal(qn_null_calls_of(QN_NULL_LAUNCH), 1);
    assert_int_equal(stats.takes + stats.grows + stats.held.total, 0);
    assert_int_equal(device->ledger.launches + device->ledger.compiles, 0);
    close_clean(device);
    qn_self_test_forget();
}

static void a_device_without_double_runs_no_kernels(void **state)
{
    char words[256];
    (void)state;
    uint32_t left = features_left(NULL, (struct qn_null_config){.without = QN_FEATURE_F64}, words);
    assert_int_equal(left & QN_FEATURE_KERNELS, 0);
    assert_non_null(strstr(words, "double"));
}

static void a_broken_compiler_costs_the_kernels(void **state)
{
    struct qn_device *device;
    struct qn_kernel *kernel;
    (void)state;
    qn_self_test_forget();
    qn_null_reset(NULL);
    qn_null_fail(QN_NULL_COMPILE, 1, QUERN_COMPILE);
    assert_int_equal(qn_device_open(&qn_driver_null, 0, NULL, &device), QUERN_OK);
    assert_int_equal(device->caps.features & QN_FEATURE_KERNELS, 0);
    assert_int_equal(qn_device_kernel(device, &text, "k", &kernel), QUERN_UNSUPPORTED);
    assert_non_null(strstr(qn_error_text(), "the self test failed"));
    close_clean(device);
    qn_self_test_forget();
}

static void the_self_test_runs_once_per_process(void **state)
{
    static const struct qn_null_config computing = {.kernel = null_gpu_kernel};
    (void)state;
    qn_self_test_forget();
    close_clean(open_with(&computing, NULL));
    assert_int_equal(qn_null_calls_of(QN_NULL_LAUNCH), 1);
    close_clean(open_with(&computing, NULL));
    assert_int_equal(qn_null_calls_of(QN_NULL_LAUNCH), 0);
    spoil_op = QN_ARITH_DIV32; /* what was found is found again */
    struct null_flaw flaw = {spoil};
    struct qn_null_config wrong = {.kernel = null_gpu_kernel, .user = &flaw};
    qn_self_test_forget();
    for (int i = 0; i < 2; i++) {
        struct qn_device *device = open_with(&wrong, NULL);
        assert_int_equal(device->caps.features & QN_FEATURE_EXACT_DIV, 0);
        assert_non_null(strstr(device->limits, "float32 division"));
        close_clean(device);
    }
    qn_self_test_forget();
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_counted_where_it_happens),
        cmocka_unit_test(times_are_measured_when_asked_for),
        cmocka_unit_test(parameters_do_not_wait_for_kernels),
        cmocka_unit_test(one_queue_can_follow_the_other),
        cmocka_unit_test(a_lost_device_is_not_asked_again),
        cmocka_unit_test(an_unknown_queue_is_refused),
        cmocka_unit_test(a_device_with_blocks_out_stays_open),
        cmocka_unit_test(every_failure_of_the_driver_is_cleaned_up),
        cmocka_unit_test(every_failure_of_memory_is_cleaned_up),
        cmocka_unit_test(a_source_is_compiled_once_per_options),
        cmocka_unit_test(compile_failures_name_the_kernel_and_are_not_kept),
        IN_FOLDER(images_are_kept_on_disk),
        IN_FOLDER(an_image_that_the_driver_refuses_is_a_miss),
        cmocka_unit_test(a_right_device_keeps_its_features),
        cmocka_unit_test(each_wrong_operation_costs_its_feature),
        cmocka_unit_test(flushing_is_found_out),
        cmocka_unit_test(the_self_test_leaves_no_trace),
        cmocka_unit_test(a_device_without_double_runs_no_kernels),
        cmocka_unit_test(a_broken_compiler_costs_the_kernels),
        cmocka_unit_test(the_self_test_runs_once_per_process),
    };
    null_gpu_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
