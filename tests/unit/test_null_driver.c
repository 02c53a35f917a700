/* SPDX-License-Identifier: Apache-2.0
 * The null driver's own gifts: what it records, how it fails, how it holds work back. (That it keeps
 * a driver's promises is the conformance suite's business.) */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/faults.h"

static const struct qn_driver *const drv = &qn_driver_null;

struct rig {
    struct qn_dev *dev;
    struct qn_queue *queues[2];
    struct qn_raw *raw;
    struct qn_event *event;
};

static struct rig rig_open(const struct qn_null_config *config)
{
    struct rig rig;
    qn_null_reset(config);
    assert_int_equal(drv->open(0, &rig.dev), QUERN_OK);
    assert_int_equal(drv->queue_open(rig.dev, &rig.queues[0]), QUERN_OK);
    assert_int_equal(drv->queue_open(rig.dev, &rig.queues[1]), QUERN_OK);
    assert_int_equal(drv->raw_alloc(rig.dev, 4096, &rig.raw), QUERN_OK);
    assert_int_equal(drv->event_open(rig.dev, &rig.event), QUERN_OK);
    return rig;
}

static void rig_close(struct rig *rig)
{
    drv->event_close(rig->dev, rig->event);
    drv->raw_free(rig->dev, rig->raw);
    drv->queue_close(rig->dev, rig->queues[1]);
    drv->queue_close(rig->dev, rig->queues[0]);
    drv->close(rig->dev);
    assert_int_equal(qn_null_live(), 0);
}

static void assert_no_misuse(void)
{
    const char *first = "";
    if (qn_null_misuse(&first) != 0) fail_msg("%s", first);
}

static struct qn_view whole(struct qn_raw *raw)
{
    return (struct qn_view){raw, 0, 4096};
}

static void calls_are_recorded_in_order(void **state)
{
    (void)state;
    static const struct {
        enum qn_null_op op;
        uint64_t bytes;
        uint32_t queue;
    } expected[] = {
        {QN_NULL_OPEN, 0, QN_NULL_NO_QUEUE},
        {QN_NULL_QUEUE_OPEN, 0, QN_NULL_NO_QUEUE},
        {QN_NULL_QUEUE_OPEN, 0, QN_NULL_NO_QUEUE},
        {QN_NULL_RAW_ALLOC, 4096, QN_NULL_NO_QUEUE},
        {QN_NULL_EVENT_OPEN, 0, QN_NULL_NO_QUEUE},
        {QN_NULL_FILL, 4096, 1},
        {QN_NULL_EVENT_RECORD, 0, 1},
        {QN_NULL_QUEUE_WAIT, 0, 0},
        {QN_NULL_DOWNLOAD, 8, 0},
    };
    struct rig rig = rig_open(NULL);
    unsigned char bytes[8];
    assert_int_equal(drv->fill(rig.queues[1], whole(rig.raw), 0), QUERN_OK);
    assert_int_equal(drv->event_record(rig.queues[1], rig.event), QUERN_OK);
    assert_int_equal(drv->queue_wait(rig.queues[0], rig.event), QUERN_OK);
    assert_int_equal(drv->download(rig.queues[0], bytes, (struct qn_view){rig.raw, 0, 8}, QN_WAIT),
                     QUERN_OK);
    size_t n = 0;
    const struct qn_null_call *calls = qn_null_calls(&n);
    assert_int_equal(n, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(qn_null_op_name(calls[i].op), qn_null_op_name(expected[i].op));
        assert_int_equal(calls[i].bytes, expected[i].bytes);
        assert_int_equal(calls[i].queue, expected[i].queue);
        assert_int_equal(calls[i].status, QUERN_OK);
    }
    assert_int_equal(qn_null_calls_of(QN_NULL_QUEUE_OPEN), 2);
    assert_int_equal(qn_null_bytes_of(QN_NULL_FILL), 4096);
    rig_close(&rig);
    assert_no_misuse();
}

static void the_nth_call_fails_once(void **state)
{
    (void)state;
    struct rig rig = rig_open(NULL);
    qn_null_fail(QN_NULL_FILL, 2, QUERN_INTERNAL);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 1), QUERN_OK);
    assert_int_equal(drv->finish(rig.queues[0]), QUERN_OK); /* another kind does not count */
    assert_int_equal(qn_null_failed(), 0);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 2), QUERN_INTERNAL);
    assert_non_null(strstr(qn_error_text(), "fill"));
    assert_int_equal(qn_null_failed(), 1);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 3), QUERN_OK);
    qn_null_fail(QN_NULL_ANY, 1, QUERN_DEVICE_LOST);
    assert_int_equal(drv->flush(rig.queues[0]), QUERN_DEVICE_LOST);
    rig_close(&rig);
}

static void a_lost_device_stays_lost_but_can_be_given_back(void **state)
{
    (void)state;
    struct rig rig = rig_open(NULL);
    struct qn_raw *raw = NULL;
    int done = 1;
    qn_null_lose();
    assert_int_equal(drv->finish(rig.queues[0]), QUERN_DEVICE_LOST);
    assert_int_equal(drv->raw_alloc(rig.dev, 64, &raw), QUERN_DEVICE_LOST);
    assert_null(raw);
    assert_int_equal(drv->event_done(rig.event, &done), QUERN_DEVICE_LOST);
    rig_close(&rig);
    assert_no_misuse();
}

static void capabilities_are_the_tests(void **state)
{
    (void)state;
    struct qn_null_config config = {.without = QN_FEATURE_F64 | QN_FEATURE_WRAP};
    config.caps.base_align = 4096;
    config.caps.max_alloc = 8192;
    struct qn_caps caps;
    struct rig rig = rig_open(&config);
    assert_int_equal(drv->caps(0, &caps), QUERN_OK);
    assert_int_equal(caps.features & (QN_FEATURE_F64 | QN_FEATURE_WRAP), 0);
    assert_int_not_equal(caps.features & QN_FEATURE_KERNELS, 0);
    assert_int_equal(caps.base_align, 4096);
    struct qn_raw *raw = NULL;
    char memory[64];
    assert_int_equal(drv->raw_alloc(rig.dev, 8193, &raw), QUERN_OUT_OF_MEMORY);
    assert_int_equal(drv->raw_wrap(rig.dev, memory, sizeof memory, 0, &raw), QUERN_UNSUPPORTED);
    assert_int_equal(drv->raw_alloc(rig.dev, 8192, &raw), QUERN_OK);
    assert_int_equal((uintptr_t)qn_null_memory(whole(raw)) % 4096, 0);
    drv->raw_free(rig.dev, raw);
    rig_close(&rig);
}

static void an_absent_device_has_a_reason(void **state)
{
    (void)state;
    const struct qn_null_config config = {.absent = 1, .reason = "the cat sits on it"};
    uint32_t count = 7;
    const char *reason = NULL;
    struct qn_dev *dev = NULL;
    qn_null_reset(&config);
    assert_int_equal(drv->count(&count, &reason), QUERN_OK);
    assert_int_equal(count, 0);
    assert_string_equal(reason, "the cat sits on it");
    assert_int_equal(drv->open(0, &dev), QUERN_NO_DEVICE);
}

static void memory_runs_out_and_comes_back(void **state)
{
    (void)state;
    struct qn_null_config config = {.memory = 10000};
    struct rig rig = rig_open(&config); /* holds 4096 */
    struct qn_raw *raw = NULL;
    assert_int_equal(drv->raw_alloc(rig.dev, 6000, &raw), QUERN_OUT_OF_MEMORY);
    assert_int_equal(drv->raw_alloc(rig.dev, 5904, &raw), QUERN_OK);
    assert_int_equal(qn_null_live_bytes(), 10000);
    drv->raw_free(rig.dev, raw);
    assert_int_equal(drv->raw_alloc(rig.dev, 5000, &raw), QUERN_OK);
    drv->raw_free(rig.dev, raw);
    rig_close(&rig);
}

static void lazy_memory_fails_at_its_first_use(void **state)
{
    (void)state;
    struct qn_null_config config = {.memory = 10000, .lazy = 1};
    struct rig rig = rig_open(&config);
    struct qn_raw *raw = NULL;
    struct qn_caps caps;
    assert_int_equal(drv->caps(0, &caps), QUERN_OK);
    assert_int_not_equal(caps.features & QN_FEATURE_LAZY_ALLOC, 0);
    assert_int_equal(drv->raw_alloc(rig.dev, 6000, &raw), QUERN_OK);
    assert_int_equal(drv->fill(rig.queues[0], (struct qn_view){raw, 0, 4}, 0), QUERN_OUT_OF_MEMORY);
    drv->raw_free(rig.dev, raw);
    rig_close(&rig);
    assert_no_misuse();
}

static void phantom_blocks_may_be_huge(void **state)
{
    (void)state;
    struct qn_null_config config = {.phantom = 1};
    config.caps.memory_total = config.caps.max_alloc = (uint64_t)80 << 30;
    struct rig rig = rig_open(&config);
    struct qn_raw *raw = NULL;
    assert_int_equal(drv->raw_alloc(rig.dev, (uint64_t)70 << 30, &raw), QUERN_OK);
    assert_null(qn_null_memory(whole(raw)));
    const struct qn_view far_away = {raw, (uint64_t)60 << 30, (uint64_t)1 << 30};
    assert_int_equal(drv->fill(rig.queues[0], far_away, 1), QUERN_OK);
    drv->raw_free(rig.dev, raw);
    rig_close(&rig);
    assert_int_equal(qn_null_live_bytes(), 0);
}

static void held_work_completes_when_told(void **state)
{
    (void)state;
    const struct qn_null_config config = {.hold = 1};
    struct rig rig = rig_open(&config);
    uint32_t word = 1, back = 0;
    const struct qn_view view = {rig.raw, 0, 4};
    int done = 1;
    assert_int_equal(drv->upload(rig.queues[0], view, &word, QN_NO_WAIT), QUERN_OK);
    assert_int_equal(drv->download(rig.queues[0], &back, view, QN_NO_WAIT), QUERN_OK);
    assert_int_equal(drv->event_record(rig.queues[0], rig.event), QUERN_OK);
    word = 2; /* too early, and it shows */
    assert_int_equal(drv->event_done(rig.event, &done), QUERN_OK);
    assert_int_equal(done, 0);
    assert_int_equal(back, 0);
    assert_int_equal(qn_null_pending(), 3);
    assert_int_equal(qn_null_release(2), 2);
    assert_int_equal(back, 2);
    assert_int_equal(drv->event_done(rig.event, &done), QUERN_OK);
    assert_int_equal(done, 0);
    assert_int_equal(qn_null_release(UINT64_MAX), 1);
    assert_int_equal(drv->event_done(rig.event, &done), QUERN_OK);
    assert_int_equal(done, 1);
    rig_close(&rig);
    assert_no_misuse();
}

static void a_waiting_queue_is_released_after_what_it_waits_for(void **state)
{
    (void)state;
    const struct qn_null_config config = {.hold = 1};
    struct rig rig = rig_open(&config);
    uint32_t back = 0;
    const struct qn_view view = {rig.raw, 0, 4};
    /* queue 0 waits for queue 1, which comes later in the order of release */
    assert_int_equal(drv->fill(rig.queues[1], view, 5), QUERN_OK);
    assert_int_equal(drv->event_record(rig.queues[1], rig.event), QUERN_OK);
    assert_int_equal(drv->queue_wait(rig.queues[0], rig.event), QUERN_OK);
    assert_int_equal(drv->download(rig.queues[0], &back, view, QN_NO_WAIT), QUERN_OK);
    assert_int_equal(qn_null_release(1), 1);
    assert_int_equal(back, 0);
    assert_int_equal(drv->finish(rig.queues[0]), QUERN_OK); /* pulls queue 1 along */
    assert_int_equal(back, 5);
    assert_int_equal(qn_null_pending(), 0);
    rig_close(&rig);
}

static void failed_work_is_told_by_the_wait(void **state)
{
    (void)state;
    const struct qn_null_config config = {.hold = 1};
    struct rig rig = rig_open(&config);
    qn_null_fail_work(2, QUERN_DEVICE_LOST);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 1), QUERN_OK);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 2), QUERN_OK);
    assert_int_equal(drv->finish(rig.queues[0]), QUERN_DEVICE_LOST);
    assert_non_null(strstr(qn_error_text(), "fill"));
    assert_int_equal(drv->finish(rig.queues[0]), QUERN_OK);
    assert_int_equal(*(uint32_t *)qn_null_memory(whole(rig.raw)), 1);
    rig_close(&rig);
}

static void a_block_freed_under_queued_work_is_misuse(void **state)
{
    (void)state;
    const struct qn_null_config config = {.hold = 1};
    struct rig rig = rig_open(&config);
    const char *first = "";
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 1), QUERN_OK);
    drv->raw_free(rig.dev, rig.raw);
    rig.raw = NULL;
    assert_int_equal(qn_null_misuse(&first), 1);
    assert_non_null(strstr(first, "raw_free"));
    rig_close(&rig);
}

static void doubling(void *user, const char *kernel, const struct qn_grid *grid,
                     const struct qn_arg *args, uint32_t n_args)
{
    uint32_t *words = qn_null_memory(args[0].u.view);
    assert_string_equal(kernel, "twice");
    assert_int_equal(n_args, 1);
    for (uint32_t i = 0; i < grid->groups[0] * grid->items; i++) words[i] *= 2;
    ++*(int *)user;
}

static void launches_call_the_tests_function(void **state)
{
    (void)state;
    int launches = 0;
    const struct qn_null_config config = {.kernel = doubling, .user = &launches};
    struct rig rig = rig_open(&config);
    const struct qn_source source = {"doubling", "text", 4, "", NULL};
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    assert_int_equal(drv->compile(rig.dev, &source, &module), QUERN_OK);
    assert_int_equal(drv->kernel_get(module, "twice", &kernel), QUERN_OK);
    assert_int_equal(drv->fill(rig.queues[0], whole(rig.raw), 21), QUERN_OK);
    const struct qn_arg arg = {QN_ARG_VIEW, {.view = {rig.raw, 256, 64}}};
    assert_int_equal(drv->launch(rig.queues[0], kernel, &(struct qn_grid){{2, 1}, 8}, &arg, 1),
                     QUERN_OK);
    const uint32_t *words = qn_null_memory(whole(rig.raw));
    for (uint32_t i = 0; i < 1024; i++) assert_int_equal(words[i], i >= 64 && i < 80 ? 42 : 21);
    assert_int_equal(launches, 1);
    const struct qn_arg crooked = {QN_ARG_VIEW, {.view = {rig.raw, 64, 64}}};
    assert_int_equal(drv->launch(rig.queues[0], kernel, &(struct qn_grid){{1, 1}, 1}, &crooked, 1),
                     QUERN_INVALID);
    assert_int_equal(qn_null_misuse(NULL), 1);
    drv->module_free(rig.dev, module);
    rig_close(&rig);
}

/* ---- the sweep itself: it must find what it is for ---- */

struct body {
    int forgive; /* takes a failure for a success */
};

/* Opens a device and a block and gives both back, unless told to behave badly. */
static quern_status open_and_close(void *user)
{
    const struct body *body = user;
    struct qn_dev *dev = NULL;
    struct qn_raw *raw = NULL;
    void *pinned = NULL;
    quern_status status = drv->open(0, &dev);
    if (status != QUERN_OK) return status;
    status = drv->raw_alloc(dev, 4096, &raw);
    if (status == QUERN_OK) status = drv->pinned_alloc(dev, 64, &pinned);
    if (status != QUERN_OK && body->forgive) status = QUERN_OK;
    drv->pinned_free(dev, pinned);
    drv->raw_free(dev, raw);
    drv->close(dev);
    return status;
}

static void a_sweep_meets_every_call_and_allocation(void **state)
{
    (void)state;
    struct body body = {0};
    qn_null_reset(NULL);
    struct qn_sweep sweep = qn_sweep_driver(open_and_close, &body, QUERN_DEVICE_LOST);
    assert_int_equal(sweep.runs, 3);
    assert_int_equal(sweep.recovered, 0);
    sweep = qn_sweep_allocations(open_and_close, &body);
    assert_int_equal(sweep.runs, 4); /* device, block's description, block, pinned memory */
    body.forgive = 1;
    sweep = qn_sweep_driver(open_and_close, &body, QUERN_DEVICE_LOST);
    assert_int_equal(sweep.runs, 3);
    assert_int_equal(sweep.recovered, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_recorded_in_order),
        cmocka_unit_test(the_nth_call_fails_once),
        cmocka_unit_test(a_lost_device_stays_lost_but_can_be_given_back),
        cmocka_unit_test(capabilities_are_the_tests),
        cmocka_unit_test(an_absent_device_has_a_reason),
        cmocka_unit_test(memory_runs_out_and_comes_back),
        cmocka_unit_test(lazy_memory_fails_at_its_first_use),
        cmocka_unit_test(phantom_blocks_may_be_huge),
        cmocka_unit_test(held_work_completes_when_told),
        cmocka_unit_test(a_waiting_queue_is_released_after_what_it_waits_for),
        cmocka_unit_test(failed_work_is_told_by_the_wait),
        cmocka_unit_test(a_block_freed_under_queued_work_is_misuse),
        cmocka_unit_test(launches_call_the_tests_function),
        cmocka_unit_test(a_sweep_meets_every_call_and_allocation),
    };
    return cmocka_run_group_tests_name("null_driver", tests, NULL, NULL);
}
