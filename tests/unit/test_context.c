/* SPDX-License-Identifier: Apache-2.0
 * Discovery, the choice of a device and the record of decisions. The null driver plays every
 * backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/device/context.h"
#include "host/device/selftest.h"
#include "tests/unit/null_gpu.h"

static const struct qn_driver *const both[] = {&null_cuda, &null_opencl, &null_cpu};
static const struct qn_driver *const only_opencl[] = {&null_opencl, &null_cpu};
static const struct qn_driver *const no_gpu[] = {&null_absent, &null_cpu};

static const struct qn_null_config gpu = {
    .kernel = null_gpu_kernel,
    .devices = 2,
    .caps = {.name = "Example GPU 9", .driver = "Portable Example 1.0", .uid = "0000:01:00.0"}};

static void reset(const struct qn_null_config *config)
{
    qn_self_test_forget();
    qn_null_reset(config);
    (void)unsetenv("QUERN_DEVICE");
}

/* ---- the list ---- */

static void absent_backends_keep_their_reason(void **state)
{
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    assert_int_equal(qn_device_list_make(no_gpu, 2, &list), QUERN_OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.entries[0].id, "opencl");
    assert_false(list.entries[0].present);
    assert_string_equal(list.entries[0].why, "libNothing.so.1: cannot open shared object file");
    assert_string_equal(list.entries[1].id, "cpu");
    assert_true(list.entries[1].present);
    qn_device_list_free(&list);
    assert_int_equal(list.count, 0);
}

static void say_reason(uint32_t index, char *text, size_t size)
{
    (void)index;
    (void)snprintf(text, size, "libNothing.so.1: cannot open shared object file");
}

static void say_two_lines(uint32_t index, char *text, size_t size)
{
    (void)snprintf(text, size, "device %u\nlibOther 1.2", (unsigned)index);
}

static void notes_are_the_drivers_and_do_not_repeat_the_reason(void **state)
{
    struct qn_driver absent = null_absent, present = null_cuda;
    const struct qn_driver *const drivers[] = {&absent, &present, &null_cpu};
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    absent.notes = say_reason;
    present.notes = say_two_lines;
    assert_int_equal(qn_device_list_make(drivers, 3, &list), QUERN_OK);
    assert_int_equal(list.count, 5);
    for (uint32_t i = 0; i < list.count; i++) assert_string_equal(list.entries[i].notes, "");
    qn_device_list_ask_notes(&list);
    assert_string_equal(list.entries[0].notes, "");
    assert_string_equal(list.entries[1].notes, "device 0\nlibOther 1.2");
    assert_string_equal(list.entries[2].notes, "device 1\nlibOther 1.2");
    assert_string_equal(list.entries[3].notes, "");
    absent.notes = say_two_lines; /* more than the reason */
    qn_device_list_ask_notes(&list);
    assert_string_equal(list.entries[0].notes, "device 0\nlibOther 1.2");
    qn_device_list_free(&list);
}

static void a_device_that_cannot_be_described_hides_no_other(void **state)
{
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    qn_null_fail(QN_NULL_CAPS, 1, QUERN_INTERNAL);
    assert_int_equal(qn_device_list_make(both, 1, &list), QUERN_OK);
    assert_int_equal(list.count, 2);
    assert_false(list.entries[0].present);
    assert_true(list.entries[0].why[0] != '\0');
    assert_true(list.entries[1].present);
    assert_null(qn_device_list_find(&list, "cuda:0")); /* with the device's own reason */
    assert_non_null(strstr(qn_error_text(), list.entries[0].why));
    assert_ptr_equal(qn_device_list_find(&list, "cuda:1"), &list.entries[1]);
    qn_device_list_free(&list);
    qn_null_fail(QN_NULL_COUNT, 1, QUERN_INTERNAL);
    assert_int_equal(qn_device_list_make(both, 3, &list), QUERN_OK);
    assert_string_equal(list.entries[0].id, "cuda");
    assert_false(list.entries[0].present);
    qn_device_list_free(&list);
}

static void the_same_hardware_is_marked(void **state)
{
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    assert_int_equal(qn_device_list_make(both, 2, &list), QUERN_OK);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.entries[0].same_as, "");
    assert_string_equal(list.entries[1].same_as, ""); /* within one driver they are distinct */
    assert_string_equal(list.entries[2].same_as, "cuda:0");
    qn_device_list_free(&list);
}

static void devices_are_found_by_name(void **state)
{
    static const struct {
        const char *name, *id;
    } table[] = {
        {"cpu", "cpu"},
        {"cuda", "cuda:0"},
        {"cuda:1", "cuda:1"},
        {"cuda:2", NULL},
        {"opencl:portable", "opencl:0"},
        {"opencl:EXAMPLE gpu", "opencl:0"},
        {"opencl:0000:01:00", "opencl:0"},
        {"opencl:nvidia", NULL},
        {"opencl:", NULL},
        {"openc", NULL},
        {"cudax", NULL},
        {"", NULL},
        {"cuda:99999999999999999999", NULL},
    };
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    assert_int_equal(qn_device_list_make(both, 3, &list), QUERN_OK);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct qn_device_entry *entry = qn_device_list_find(&list, table[i].name);
        if (table[i].id == NULL) {
            assert_null(entry);
            assert_non_null(strstr(qn_error_text(), "present: cuda:0, cuda:1, opencl:0"));
        } else {
            assert_non_null(entry);
            assert_string_equal(entry->id, table[i].id);
        }
    }
    qn_device_list_free(&list);
}

static void a_list_without_memory_fails_cleanly(void **state)
{
    struct qn_device_list list;
    (void)state;
    reset(&gpu);
    for (uint64_t k = 1; k <= 3; k++) {
        (void)qn_alloc_fail_at(k);
        assert_int_equal(qn_device_list_make(both, 3, &list), QUERN_OUT_OF_MEMORY);
        (void)qn_alloc_fail_at(0);
        assert_int_equal(list.count, 0);
        assert_null(list.entries);
    }
}

static void the_registry_prefers_gpus(void **state)
{
    uint32_t n;
    (void)state;
    const struct qn_driver *const *drivers = qn_drivers(&n);
    assert_int_equal(n, 3);
    assert_string_equal(drivers[0]->name, "cuda");
    assert_string_equal(drivers[1]->name, "opencl");
    assert_string_equal(drivers[2]->name, "cpu");
}

/* ---- the choice ---- */

#define CPU_LIKE                                                                                   \
    {                                                                                              \
        .kernel = null_gpu_kernel, .caps = {                                                       \
            .name = "A CPU",                                                                       \
            .features =                                                                            \
                QN_FEATURE_F64 | QN_FEATURE_KERNELS | QN_FEATURE_CPU_SHAPE | QN_FEATURE_EXACT_DIV  \
        }                                                                                          \
    }

static const struct {
    const char *what, *asked, *environment;
    const struct qn_driver *const *drivers;
    uint32_t n;
    struct qn_null_config null;
    quern_status status;
    const char *id;       /* chosen */
    const char *sentence; /* part of cx->why, or of the error */
} choices[] = {
    {"auto takes cuda",
     NULL,
     NULL,
     both,
     3,
     {.kernel = null_gpu_kernel},
     QUERN_OK,
     "cuda:0",
     "auto: cuda:0 is the first GPU"},
    {"auto takes an OpenCL GPU",
     "auto",
     NULL,
     only_opencl,
     2,
     {.kernel = null_gpu_kernel},
     QUERN_OK,
     "opencl:0",
     "opencl:0"},
    {"auto never takes a CPU in disguise", NULL, NULL, only_opencl, 2, CPU_LIKE, QUERN_OK, "cpu",
     "opencl:0 (A CPU) is the CPU itself; so the CPU"},
    {"but it can be named", "opencl:0", NULL, only_opencl, 2, CPU_LIKE, QUERN_OK, "opencl:0",
     "asked for"},
    {"auto tells why there is no GPU",
     NULL,
     NULL,
     no_gpu,
     2,
     {0},
     QUERN_OK,
     "cpu",
     "libNothing.so.1"},
    {"auto passes over what fails the self test",
     NULL,
     NULL,
     both,
     3,
     {.kernel = NULL},
     QUERN_OK,
     "cpu",
     "is wrong"},
    {"cpu asks nobody", "cpu", NULL, both, 3, {0}, QUERN_OK, "cpu", "asked for"},
    {"by part of a name",
     "cuda:example",
     NULL,
     both,
     3,
     {.kernel = null_gpu_kernel, .caps = {.name = "An Example"}},
     QUERN_OK,
     "cuda:0",
     "asked for"},
    {"the environment",
     NULL,
     "opencl:0",
     both,
     3,
     {.kernel = null_gpu_kernel},
     QUERN_OK,
     "opencl:0",
     "by QUERN_DEVICE"},
    {"the environment's auto",
     NULL,
     "auto",
     both,
     3,
     {.kernel = null_gpu_kernel},
     QUERN_OK,
     "cuda:0",
     "auto (QUERN_DEVICE)"},
    {"the argument beats the environment",
     "cpu",
     "opencl:0",
     both,
     3,
     {0},
     QUERN_OK,
     "cpu",
     "asked for"},
    {"a named one that is absent",
     "opencl:0",
     NULL,
     no_gpu,
     2,
     {0},
     QUERN_NO_DEVICE,
     NULL,
     "libNothing.so.1: cannot open"},
    {"a number too high", "cuda:7", NULL, both, 3, {0}, QUERN_NO_DEVICE, NULL, "present: cuda:0"},
    {"absent, by the environment",
     NULL,
     "opencl:0",
     no_gpu,
     2,
     {0},
     QUERN_NO_DEVICE,
     NULL,
     "environment variable QUERN_DEVICE"},
    {"a driver that is not in this build",
     "cuda",
     NULL,
     no_gpu,
     2,
     {0},
     QUERN_INVALID,
     NULL,
     "expected auto, cpu"},
    {"nonsense", "gpu0", NULL, both, 3, {0}, QUERN_INVALID, NULL, "\"gpu0\""},
};

static void devices_are_chosen_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        struct quern_context *cx;
        const char *misuse;
        struct qn_context_config config = {.device = choices[i].asked,
                                           .threads = 2,
                                           .cache_dir = "off",
                                           .drivers = choices[i].drivers,
                                           .n_drivers = choices[i].n};
        reset(&choices[i].null);
        if (choices[i].environment != NULL) (void)setenv("QUERN_DEVICE", choices[i].environment, 1);
        quern_status status = qn_context_open(&config, &cx);
        if (status != choices[i].status)
            fail_msg("%s: status %s, %s", choices[i].what, quern_status_name(status),
                     qn_error_text());
        const char *words = status == QUERN_OK ? cx->why : qn_error_text();
        if (strstr(words, choices[i].sentence) == NULL) fail_msg("%s: %s", choices[i].what, words);
        if (status == QUERN_OK) {
            assert_string_equal(cx->device_id, choices[i].id);
            assert_int_equal(cx->device == NULL, strcmp(choices[i].id, "cpu") == 0);
        } else {
            assert_null(cx);
        }
        if (choices[i].asked != NULL && strcmp(choices[i].asked, "cpu") == 0)
            assert_int_equal(qn_null_calls_of(QN_NULL_ANY), 0); /* no library was touched */
        assert_int_equal(qn_context_close(cx), QUERN_OK);
        assert_int_equal(qn_null_live(), 0);
        if (qn_null_misuse(&misuse) != 0) fail_msg("%s", misuse);
    }
    (void)unsetenv("QUERN_DEVICE");
}

static void auto_passes_over_what_does_not_open(void **state)
{
    struct qn_context_config config = {.cache_dir = "off", .drivers = both, .n_drivers = 3};
    struct quern_context *cx;
    (void)state;
    reset(&gpu);
    qn_null_fail(QN_NULL_OPEN, 1, QUERN_INTERNAL);
    assert_int_equal(qn_context_open(&config, &cx), QUERN_OK);
    assert_string_equal(cx->device_id, "cuda:1");
    assert_non_null(strstr(cx->why, "cuda:0: "));
    assert_int_equal(qn_context_close(cx), QUERN_OK);
    config.device = "cuda:0"; /* a named one must open */
    qn_null_fail(QN_NULL_OPEN, 1, QUERN_INTERNAL);
    assert_int_equal(qn_context_open(&config, &cx), QUERN_INTERNAL);
    assert_int_equal(qn_null_live(), 0);
}

static void a_context_without_memory_fails_cleanly(void **state)
{
    struct qn_context_config config = {.cache_dir = "/tmp/quern-none",
                                       .drivers = both,
                                       .n_drivers = 3,
                                       .device = "cuda:0",
                                       .no_self_test = 1};
    (void)state;
    for (uint64_t k = 1, made = k; made >= k; k++) {
        struct quern_context *cx;
        reset(&gpu);
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_context_open(&config, &cx);
        made = qn_alloc_fail_at(0);
        assert_int_equal(status == QUERN_OK, cx != NULL);
        if (status != QUERN_OK) assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_int_equal(qn_context_close(cx), QUERN_OK);
        assert_int_equal(qn_null_live(), 0);
        assert_true(k < 200);
    }
}

/* ---- decisions ---- */

struct heard {
    int lines, warnings;
    char last[512];
    uint64_t done, total;
    int stop;
};

static void hear(void *user, enum qn_log_level level, const char *line)
{
    struct heard *h = user;
    h->lines++;
    h->warnings += level == QN_LOG_WARNING;
    (void)snprintf(h->last, sizeof h->last, "%s", line);
}

static void hear_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    struct heard *h = user;
    (void)snprintf(h->last, sizeof h->last, "%s", stage);
    h->done = done;
    h->total = total;
}

static int hear_cancel(void *user)
{
    return ((struct heard *)user)->stop;
}

static struct quern_context *open_cx(const char *device, enum qn_fallback fallback, struct heard *h)
{
    struct quern_context *cx;
    struct qn_context_config config = {.device = device,
                                       .threads = 2,
                                       .fallback = fallback,
                                       .max_memory = 12345,
                                       .cache_dir = "off",
                                       .log = hear,
                                       .progress = hear_progress,
                                       .cancel = hear_cancel,
                                       .user = h,
                                       .drivers = both,
                                       .n_drivers = 3};
    reset(&gpu);
    assert_int_equal(qn_context_open(&config, &cx), QUERN_OK);
    memset(h, 0, sizeof *h);
    return cx;
}

static void equal_decisions_are_counted(void **state)
{
    struct heard h;
    struct quern_context *cx = open_cx("cuda:0", QN_FALLBACK_REPORT, &h);
    (void)state;
    for (int i = 0; i < 100; i++) {
        char step[32];
        (void)snprintf(step, sizeof step, "step %d", i % 25);
        assert_int_equal(qn_context_decide(cx, step, "run", NULL, "device:flat", NULL), QUERN_OK);
    }
    assert_int_equal(cx->n_decisions, 25);
    assert_int_equal(h.lines, 25); /* each is told once */
    assert_string_equal(h.last, "step 24: run runs on cuda:0 as device:flat");
    for (uint32_t i = 0; i < 25; i++) assert_int_equal(cx->decisions[i].count, 4);
    assert_string_equal(cx->decisions[3].step, "step 3");
    assert_string_equal(cx->decisions[3].operation, "run");
    assert_string_equal(cx->decisions[3].device, "cuda:0");
    assert_string_equal(cx->decisions[3].implementation, "device:flat");
    assert_string_equal(cx->decisions[3].reason, "");
    assert_int_equal(qn_context_decide(cx, "step 3", "run", "cpu", "device:flat", NULL), QUERN_OK);
    assert_int_equal(cx->n_decisions, 26); /* one text differs */
    (void)qn_alloc_fail_at(1);
    assert_int_equal(qn_context_decide(cx, "new", "run", NULL, "x", NULL), QUERN_OUT_OF_MEMORY);
    (void)qn_alloc_fail_at(0);
    assert_int_equal(cx->n_decisions, 26);
    qn_context_ledger(cx)->launches = 5;
    assert_ptr_equal(qn_context_ledger(cx), &cx->device->ledger);
    qn_context_reset(cx);
    assert_int_equal(cx->n_decisions, 0);
    assert_int_equal(qn_context_ledger(cx)->launches, 0);
    assert_int_equal(qn_context_close(cx), QUERN_OK);
}

/* As in the rehearsal of a run over a file. */
static void a_decision_that_nobody_heard_is_told_later(void **state)
{
    struct heard h;
    struct quern_context *cx = open_cx("cpu", QN_FALLBACK_REPORT, &h);
    (void)state;
    cx->log = NULL;
    assert_int_equal(qn_context_decide(cx, "fit", "moments", NULL, "cpu", "why"), QUERN_OK);
    cx->log = hear;
    assert_int_equal(h.lines, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(qn_context_decide(cx, "fit", "moments", NULL, "cpu", "why"), QUERN_OK);
    assert_int_equal(h.lines, 1);
    assert_string_equal(h.last, "fit: moments runs on cpu as cpu: why");
    assert_int_equal(qn_context_close(cx), QUERN_OK);
}

static void falling_back_follows_the_policy(void **state)
{
    static const struct {
        const char *device;
        enum qn_fallback fallback;
        quern_status status;
        int warnings;
    } table[] = {
        {"cuda:0", QN_FALLBACK_REPORT, QUERN_OK, 1},
        {"cuda:0", QN_FALLBACK_QUIET, QUERN_OK, 0},
        {"cuda:0", QN_FALLBACK_NEVER, QUERN_UNSUPPORTED, 0},
        {"cpu", QN_FALLBACK_REPORT, QUERN_OK, 0},
        {"cpu", QN_FALLBACK_NEVER, QUERN_OK, 0}, /* the CPU is no fallback there */
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct heard h;
        struct quern_context *cx = open_cx(table[i].device, table[i].fallback, &h);
        assert_int_equal(qn_context_fall_back(cx, "num", "select", "cpu:avx2", "too many ranks"),
                         table[i].status);
        assert_int_equal(h.warnings, table[i].warnings);
        if (table[i].warnings) assert_non_null(strstr(h.last, "too many ranks"));
        if (table[i].status == QUERN_OK) {
            assert_int_equal(cx->n_decisions, 1);
            assert_string_equal(cx->decisions[0].device, "cpu");
            assert_string_equal(cx->decisions[0].reason, "too many ranks");
        } else {
            assert_int_equal(cx->n_decisions, 0);
            assert_non_null(strstr(qn_error_text(), "num: select cannot run on cuda:0"));
        }
        assert_int_equal(qn_context_close(cx), QUERN_OK);
    }
}

static void callbacks_are_called(void **state)
{
    struct heard h;
    struct quern_context *cx = open_cx("cpu", QN_FALLBACK_REPORT, &h);
    (void)state;
    assert_int_equal(cx->max_memory, 12345);
    assert_int_equal(qn_threads_size(cx->threads), 2);
    qn_context_progress(cx, "reading", 5, 10);
    assert_string_equal(h.last, "reading");
    assert_int_equal(h.done, 5);
    assert_int_equal(h.total, 10);
    qn_context_log(cx, QN_LOG_WARNING, "%d things", 3);
    assert_string_equal(h.last, "3 things");
    assert_false(qn_context_cancelled(cx));
    h.stop = 1;
    assert_true(qn_context_cancelled(cx));
    assert_int_equal(qn_context_stopped("the fit"), QUERN_CANCELLED);
    assert_non_null(strstr(qn_error_text(), "the fit"));
    assert_ptr_equal(qn_context_ledger(cx), &cx->ledger);
    const struct qn_device_list *list;
    assert_int_equal(qn_context_devices(cx, &list), QUERN_OK);
    assert_int_equal(list->count, 6);
    uint64_t calls = qn_null_calls_of(QN_NULL_ANY);
    assert_int_equal(qn_context_devices(cx, &list), QUERN_OK);
    assert_int_equal(qn_null_calls_of(QN_NULL_ANY), calls);
    assert_int_equal(qn_context_close(cx), QUERN_OK);
    assert_int_equal(qn_context_close(NULL), QUERN_OK);
}

static void a_context_with_blocks_out_stays_open(void **state)
{
    struct heard h;
    struct quern_context *cx = open_cx("cuda:0", QN_FALLBACK_REPORT, &h);
    struct qn_span span;
    (void)state;
    assert_int_equal(qn_pool_take(cx->device->pool, cx->device->queue_numbers[0], 10, &span),
                     QUERN_OK);
    assert_int_equal(qn_context_close(cx), QUERN_BUSY);
    qn_pool_give(cx->device->pool, cx->device->queue_numbers[0], &span);
    assert_int_equal(qn_context_close(cx), QUERN_OK);
    assert_int_equal(qn_null_live(), 0);
}

static void a_wrong_policy_is_refused(void **state)
{
    struct quern_context *cx;
    struct qn_context_config config = {.device = "cpu", .fallback = (enum qn_fallback)7};
    (void)state;
    assert_int_equal(qn_context_open(&config, &cx), QUERN_INVALID);
    assert_null(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_backends_keep_their_reason),
        cmocka_unit_test(notes_are_the_drivers_and_do_not_repeat_the_reason),
        cmocka_unit_test(a_device_that_cannot_be_described_hides_no_other),
        cmocka_unit_test(the_same_hardware_is_marked),
        cmocka_unit_test(devices_are_found_by_name),
        cmocka_unit_test(a_list_without_memory_fails_cleanly),
        cmocka_unit_test(the_registry_prefers_gpus),
        cmocka_unit_test(devices_are_chosen_by_the_rules),
        cmocka_unit_test(auto_passes_over_what_does_not_open),
        cmocka_unit_test(a_context_without_memory_fails_cleanly),
        cmocka_unit_test(equal_decisions_are_counted),
        cmocka_unit_test(a_decision_that_nobody_heard_is_told_later),
        cmocka_unit_test(falling_back_follows_the_policy),
        cmocka_unit_test(callbacks_are_called),
        cmocka_unit_test(a_context_with_blocks_out_stays_open),
        cmocka_unit_test(a_wrong_policy_is_refused),
    };
    null_gpu_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
