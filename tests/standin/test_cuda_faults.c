/* SPDX-License-Identifier: Apache-2.0
 * Every call that the CUDA driver makes fails in turn, with every kind of code; every allocation
 * fails in turn; a device is lost. Nothing crashes, nothing leaks, and the error says what failed. */
#include <stdio.h>
#include <string.h>

#include "tests/standin/cuda_test.h"

struct saved {
    void *bytes;
    size_t size;
};

/* A life with every entry in it; ends at the first failure, giving back what it got. The image comes
 * ready made: compilers are faulted elsewhere. */
static quern_status life(const struct saved *image)
{
    quern_status status = QUERN_OK;
    struct qn_dev *dev = NULL;
    struct qn_queue *a = NULL, *b = NULL;
    struct qn_raw *raw = NULL;
    struct qn_event *from = NULL, *to = NULL;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_caps caps;
    void *pinned = NULL;
    int done = 0;
    uint64_t ns;
    QN_GO(cuda->caps(0, &caps));
    QN_GO(cuda->open(0, &dev));
    QN_GO(cuda->queue_open(dev, &a));
    QN_GO(cuda->queue_open(dev, &b));
    QN_GO(cuda->event_open(dev, &from));
    QN_GO(cuda->event_open(dev, &to));
    QN_GO(cuda->raw_alloc(dev, 32768, &raw));
    QN_GO(cuda->pinned_alloc(dev, 4096, &pinned));
    memset(pinned, 0, 4096);
    if (image != NULL)
        QN_GO(cuda->image_load(dev, &probe_source, image->bytes, image->size, &module));
    else
        QN_GO(cuda->compile(dev, &probe_source, &module));
    QN_GO(cuda->kernel_get(module, "scale", &kernel));
    QN_GO(cuda->event_record(a, from));
    QN_GO(cuda->fill(a, view(raw, 0, 32768), 0));
    QN_GO(cuda->upload(a, view(raw, 0, 4096), pinned, QN_NO_WAIT));
    QN_GO(run_scale(a, kernel, raw, 16384, 0));
    QN_GO(cuda->event_record(a, to));
    QN_GO(cuda->queue_wait(b, to));
    QN_GO(cuda->copy(b, view(raw, 0, 4096), view(raw, 16384, 4096)));
    QN_GO(cuda->download(b, pinned, view(raw, 0, 4096), QN_WAIT));
    QN_GO(cuda->event_done(to, &done));
    QN_GO(cuda->event_wait(to));
    QN_GO(cuda->event_elapsed(from, to, &ns));
    QN_GO(cuda->finish(a));
cleanup:
    cuda->module_free(dev, module);
    if (dev != NULL) {
        cuda->raw_free(dev, raw);
        cuda->pinned_free(dev, pinned);
        cuda->event_close(dev, from);
        cuda->event_close(dev, to);
        cuda->queue_close(dev, a);
        cuda->queue_close(dev, b);
    }
    cuda->close(dev);
    return status;
}

static void make_image(struct saved *image)
{
    struct qn_dev *dev = NULL;
    struct qn_module *module = NULL;
    OK(cuda->open(0, &dev));
    OK(cuda->compile(dev, &probe_source, &module));
    OK(cuda->image_save(module, &image->bytes, &image->size));
    cuda->module_free(dev, module);
    cuda->close(dev);
}

/* Calls that only give back or put back: their failure is nobody's error. */
static int is_release(const char *symbol)
{
    static const char *const known[] = {
        "cuMemFree_v2",       "cuMemFreeHost",   "cuStreamDestroy_v2",
        "cuEventDestroy_v2",  "cuModuleUnload",  "cuDevicePrimaryCtxRelease_v2",
        "cuCtxPopCurrent_v2", "cuMemGetInfo_v2", "cuDevicePrimaryCtxGetState",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(symbol, known[i]) == 0) return 1;
    return 0;
}

/* What a failed release left, put right by force: contexts on the thread and the rest stay counted,
 * so a sweep compares before and after. */
static unsigned total_live(void)
{
    struct standin_live live;
    on.standin_live(&live);
    return live.blocks + live.pinned + live.streams + live.events + live.modules + live.contexts;
}

static void drop_contexts(void)
{
    void *context = NULL;
    while (on.cuCtxGetCurrent(&context) == 0 && context != NULL)
        (void)on.cuCtxPopCurrent_v2(&context);
}

static void every_driver_call_may_fail_with_every_code(void **state)
{
    (void)state;
    static const struct {
        int code;
        quern_status status;
    } codes[] = {
        {1, QUERN_INTERNAL},      {2, QUERN_OUT_OF_MEMORY}, {46, QUERN_DEVICE_LOST},
        {101, QUERN_NO_DEVICE},   {201, QUERN_DEVICE_LOST}, {214, QUERN_DEVICE_LOST},
        {700, QUERN_DEVICE_LOST}, {702, QUERN_DEVICE_LOST}, {709, QUERN_DEVICE_LOST},
        {719, QUERN_DEVICE_LOST}, {801, QUERN_UNSUPPORTED}, {999, QUERN_DEVICE_LOST},
        {4711, QUERN_INTERNAL},
    };
    struct saved image;
    make_image(&image);
    OK(life(&image));
    on.standin_reset();
    OK(life(&image));
    unsigned calls = on.standin_calls("*");
    assert_in_range(calls, 60, 200);
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++)
        for (unsigned k = 1; k <= calls; k++) {
            const char *symbol;
            char number[16];
            unsigned before = total_live();
            on.standin_reset();
            on.standin_fail("*", k, codes[c].code, 0);
            qn_error_clear();
            quern_status status = life(&image);
            int code = on.standin_fired(&symbol);
            on.standin_reset();
            drop_contexts();
            (void)snprintf(number, sizeof number, "(%d)", codes[c].code);
            int quiet = is_release(symbol) || strcmp(symbol, "cuCtxPushCurrent_v2") == 0 ||
                        strcmp(symbol, "cuDevicePrimaryCtxRetain") == 0;
            if (code != codes[c].code) fail_msg("call %u of %u never came", k, calls);
            if (status == QUERN_OK && !quiet)
                fail_msg("call %u (%s) gave %d and nobody said so", k, symbol, code);
            if (status != QUERN_OK &&
                (status != codes[c].status || strstr(qn_error_text(), number) == NULL))
                fail_msg("call %u (%s) gave %d, which became %s: %s", k, symbol, code,
                         quern_status_name(status), qn_error_text());
            /* A release that failed keeps its object: one, or what lay in its shadow. */
            if (!quiet && total_live() != before)
                fail_msg("call %u (%s) gave %d and left something behind", k, symbol, code);
        }
    qn_free(image.bytes);
}

static void a_lost_device_stays_lost_and_can_be_closed(void **state)
{
    (void)state;
    struct bench t;
    struct qn_raw *raw = NULL, *more = NULL;
    struct qn_queue *third = NULL;
    char bytes[64] = "";
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, sizeof bytes, &raw));
    on.standin_fail("cuStreamSynchronize", 1, 700, 1);
    assert_int_equal(cuda->finish(t.a), QUERN_DEVICE_LOST);
    assert_non_null(strstr(qn_error_text(), "CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
    assert_int_equal(cuda->upload(t.a, view(raw, 0, 64), bytes, QN_WAIT), QUERN_DEVICE_LOST);
    assert_int_equal(cuda->raw_alloc(t.dev, 64, &more), QUERN_DEVICE_LOST);
    assert_int_equal(cuda->queue_open(t.dev, &third), QUERN_DEVICE_LOST);
    assert_null(more);
    assert_null(third);
    on.standin_reset(); /* so that this process may give the objects back */
    cuda->raw_free(t.dev, raw);
    tear_down(&t);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct saved image;
    make_image(&image);
    const struct saved *ways[] = {&image, NULL};
    for (size_t w = 0; w < 2; w++) {
        (void)qn_alloc_fail_at(UINT64_MAX); /* counts without failing */
        OK(life(ways[w]));
        uint64_t count = qn_alloc_fail_at(0);
        assert_in_range(count, 8, 40);
        for (uint64_t k = 1; k <= count; k++) {
            (void)qn_alloc_fail_at(k);
            quern_status status = life(ways[w]);
            (void)qn_alloc_fail_at(0);
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
            assert_nothing_live();
        }
    }
    qn_free(image.bytes);
}

int main(void)
{
    int absent = find_standin();
    if (absent) return absent;
    const struct CMUnitTest tests[] = {
        TEST(a_lost_device_stays_lost_and_can_be_closed),
        TEST(every_allocation_may_fail),
        cmocka_unit_test_setup(every_driver_call_may_fail_with_every_code, calm),
    };
    return cmocka_run_group_tests_name("cuda driver, faults", tests, NULL, NULL);
}
