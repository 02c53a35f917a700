/* SPDX-License-Identifier: Apache-2.0
 * What driver.h promises, asked of every driver of the build and every device that it finds. The
 * null driver takes part: what other tests conclude from it is only worth something if it keeps the
 * same promises. */
#include "tests/conformance/driver_rig.h"

/* ---- discovery ---- */

static void capabilities_are_complete(void **state)
{
    struct rig *rig = rig_of(state);
    const struct qn_caps *c = &rig->caps;
    assert_int_not_equal(c->base_align, 0);
    assert_int_equal(c->base_align & (c->base_align - 1), 0);
    assert_true(c->memory_total > 0);
    assert_true(c->max_alloc > 0 && c->max_alloc <= c->memory_total);
    assert_true(c->compute_units > 0);
    assert_true(c->max_group > 0);
    assert_true(c->name[0] != '\0' && c->uid[0] != '\0' && c->driver[0] != '\0');
    assert_non_null(memchr(c->name, '\0', sizeof c->name));
    assert_non_null(memchr(c->uid, '\0', sizeof c->uid));
    assert_non_null(memchr(c->driver, '\0', sizeof c->driver));
    int compiles = QN_HAS(rig->driver, compile);
    if ((c->features & QN_FEATURE_KERNELS) != 0) assert_true(compiles);
    if ((c->features & QN_FEATURE_WRAP) != 0) assert_true(QN_HAS(rig->driver, raw_wrap));
    if ((c->features & QN_FEATURE_PINNED) != 0) assert_true(QN_HAS(rig->driver, pinned_alloc));
    if ((c->features & QN_FEATURE_HOST_MEMORY) != 0) assert_true(QN_HAS(rig->driver, raw_pointer));
}

static void discovery_repeats_itself(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_caps again;
    uint32_t first = 0, second = 0;
    const char *reason;
    OK(rig->driver->count(&first, &reason));
    OK(rig->driver->count(&second, &reason));
    assert_int_equal(first, second);
    assert_true(first > rig->subject->index);
    OK(rig->driver->caps(rig->subject->index, &again));
    assert_string_equal(again.uid, rig->caps.uid);
    assert_string_equal(again.driver, rig->caps.driver);
    assert_int_equal(again.features, rig->caps.features);
}

static void an_index_beyond_the_last_is_refused(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_caps caps;
    struct qn_dev *dev = NULL;
    uint32_t count = 0;
    const char *reason;
    OK(rig->driver->count(&count, &reason));
    REFUSED(rig->driver->caps(count, &caps));
    assert_int_equal(rig->driver->open(count, &dev), QUERN_NO_DEVICE);
    assert_null(dev);
    rig->driver->close(NULL);
}

static void a_device_can_be_opened_twice(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_dev *other = NULL;
    struct qn_queue *queue = NULL;
    struct qn_raw *raw = NULL;
    uint32_t word = 7, back = 0;
    OK(rig->driver->open(rig->subject->index, &other));
    OK(rig->driver->queue_open(other, &queue));
    OK(rig->driver->raw_alloc(other, 4096, &raw));
    OK(rig->driver->upload(queue, whole(raw, 4), &word, QN_WAIT));
    OK(rig->driver->download(queue, &back, whole(raw, 4), QN_WAIT));
    assert_int_equal(back, 7);
    rig->driver->raw_free(other, raw);
    rig->driver->queue_close(other, queue);
    rig->driver->close(other);
}

/* ---- queues and events ---- */

static void an_event_that_was_never_recorded_holds_nobody(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_event *event = NULL;
    int done = 0;
    OK(rig->driver->event_open(rig->dev, &event));
    OK(rig->driver->event_done(event, &done));
    assert_int_equal(done, 1);
    OK(rig->driver->event_wait(event));
    OK(rig->driver->queue_wait(rig->queues[0], event));
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->event_close(rig->dev, event);
    rig->driver->event_close(rig->dev, NULL);
}

/* Queue 1 copies what queue 0 writes, many times, held together by events alone; each round ends
 * with queue 0 waiting for queue 1, so a lost wait in either direction shows as old data. */
static void events_order_two_queues(void **state)
{
    struct rig *rig = rig_of(state);
    enum { ROUNDS = 50, SIZE = 1 << 16 };
    struct qn_raw *a = NULL, *b = NULL;
    struct qn_event *written = NULL, *read = NULL;
    static uint32_t back[ROUNDS][16];
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &a));
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &b));
    OK(rig->driver->event_open(rig->dev, &written));
    OK(rig->driver->event_open(rig->dev, &read));
    memset(back, 0xff, sizeof back);
    for (uint32_t r = 0; r < ROUNDS; r++) {
        OK(rig->driver->queue_wait(rig->queues[0], read));
        OK(rig->driver->fill(rig->queues[0], whole(a, SIZE), r));
        OK(rig->driver->event_record(rig->queues[0], written));
        OK(rig->driver->queue_wait(rig->queues[1], written));
        OK(rig->driver->copy(rig->queues[1], whole(b, SIZE), whole(a, SIZE)));
        OK(rig->driver->event_record(rig->queues[1], read));
        OK(rig->driver->download(rig->queues[1], back[r],
                                 (struct qn_view){b, SIZE - sizeof back[r], sizeof back[r]},
                                 QN_NO_WAIT));
    }
    OK(rig->driver->finish(rig->queues[1]));
    OK(rig->driver->finish(rig->queues[0]));
    for (uint32_t r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < 16; i++) assert_int_equal(back[r][i], r);
    rig->driver->event_close(rig->dev, read);
    rig->driver->event_close(rig->dev, written);
    rig->driver->raw_free(rig->dev, a);
    rig->driver->raw_free(rig->dev, b);
}

static void an_event_is_done_once_its_queue_got_there(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 1 << 20 };
    struct qn_raw *raw = NULL;
    struct qn_event *event = NULL;
    int done = 0;
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &raw));
    OK(rig->driver->event_open(rig->dev, &event));
    OK(rig->driver->fill(rig->queues[0], whole(raw, SIZE), 1));
    OK(rig->driver->event_record(rig->queues[0], event));
    OK(rig->driver->event_wait(event));
    OK(rig->driver->event_done(event, &done));
    assert_int_equal(done, 1);
    /* A poll alone gets there too: recording starts the work. */
    OK(rig->driver->fill(rig->queues[0], whole(raw, SIZE), 2));
    OK(rig->driver->event_record(rig->queues[0], event));
    uint64_t patience = qn_clock_ns() + 10000000000u;
    for (done = 0; !done && qn_clock_ns() < patience;) OK(rig->driver->event_done(event, &done));
    assert_int_equal(done, 1);
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->event_close(rig->dev, event);
    rig->driver->raw_free(rig->dev, raw);
}

static void elapsed_time_is_plausible(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 1 << 22 };
    struct qn_raw *raw = NULL;
    struct qn_event *from = NULL, *to = NULL;
    uint64_t ns = 0, start = qn_clock_ns();
    if (!QN_HAS(rig->driver, event_elapsed)) {
        (void)fprintf(stderr, "%s offers no device times\n", rig->subject->id);
        skip();
    }
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &raw));
    OK(rig->driver->event_open(rig->dev, &from));
    OK(rig->driver->event_open(rig->dev, &to));
    OK(rig->driver->event_record(rig->queues[0], from));
    for (uint32_t i = 0; i < 4; i++) OK(rig->driver->fill(rig->queues[0], whole(raw, SIZE), i));
    OK(rig->driver->event_record(rig->queues[0], to));
    OK(rig->driver->event_wait(to));
    OK(rig->driver->event_elapsed(from, to, &ns));
    assert_true(ns > 0);
    if (rig->driver != &qn_driver_null) assert_true(ns <= qn_clock_ns() - start);
    rig->driver->event_close(rig->dev, to);
    rig->driver->event_close(rig->dev, from);
    rig->driver->raw_free(rig->dev, raw);
}

static void flush_starts_work_and_waits_for_none(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_raw *raw = NULL;
    uint32_t word = 0;
    OK(rig->driver->raw_alloc(rig->dev, 4096, &raw));
    OK(rig->driver->fill(rig->queues[0], whole(raw, 4096), 77));
    if (QN_HAS(rig->driver, flush)) OK(rig->driver->flush(rig->queues[0]));
    get(rig, &word, whole(raw, 4));
    assert_int_equal(word, 77);
    rig->driver->raw_free(rig->dev, raw);
}

/* ---- every test on every device; for a backend that is not here, that alone ---- */

static void the_backend_is_here(void **state)
{
    (void)rig_of(state);
}

#define OWN_TESTS(X)                                                                               \
    X(capabilities_are_complete)                                                                   \
    X(discovery_repeats_itself)                                                                    \
    X(an_index_beyond_the_last_is_refused)                                                         \
    X(a_device_can_be_opened_twice)                                                                \
    X(an_event_that_was_never_recorded_holds_nobody)                                               \
    X(events_order_two_queues)                                                                     \
    X(an_event_is_done_once_its_queue_got_there)                                                   \
    X(elapsed_time_is_plausible)                                                                   \
    X(flush_starts_work_and_waits_for_none)

struct named_test {
    const char *name;
    CMUnitTestFunction run;
};

int main(void)
{
    static const struct named_test tests[] = {
#define ENTRY(name) {#name, name},
        OWN_TESTS(ENTRY) MEMORY_TESTS(ENTRY) KERNEL_TESTS(ENTRY)
#undef ENTRY
    };
    enum { N_TESTS = sizeof tests / sizeof tests[0] };
    static struct qn_subject subjects[QN_TEST_SUBJECTS];
    static struct CMUnitTest all[QN_TEST_SUBJECTS * N_TESTS];
    static char names[QN_TEST_SUBJECTS * N_TESTS][96];
    uint32_t n_subjects = qn_test_subjects(subjects, QN_TEST_SUBJECTS);
    size_t n = 0;
    for (uint32_t s = 0; s < n_subjects; s++) {
        size_t n_tests = subjects[s].present ? N_TESTS : 1;
        for (size_t t = 0; t < n_tests; t++, n++) {
            struct named_test test = tests[t];
            if (!subjects[s].present) test = (struct named_test){"is here", the_backend_is_here};
            (void)snprintf(names[n], sizeof names[n], "%s %s", subjects[s].id, test.name);
            all[n] =
                (struct CMUnitTest){names[n], test.run, rig_set_up, rig_tear_down, &subjects[s]};
        }
    }
    return _cmocka_run_group_tests("driver", all, n, NULL, NULL);
}
