/* SPDX-License-Identifier: Apache-2.0
 * What the files of the driver suite share: a device with two queues for each test, refusals and
 * successes as one-liners, and the lists of tests. */
#ifndef QN_DRIVER_RIG_H
#define QN_DRIVER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/null/null.h"
#include "tests/conformance/drivers.h"

struct rig {
    const struct qn_subject *subject;
    const struct qn_driver *driver;
    struct qn_caps caps;
    struct qn_dev *dev;
    struct qn_queue *queues[2];
};

#define OK(call)                                                                                   \
    do {                                                                                           \
        quern_status ok_status_ = (call);                                                          \
        if (ok_status_ != QUERN_OK)                                                                \
            fail_msg("%s: %s: %s", #call, quern_status_name(ok_status_), qn_error_text());         \
    } while (0)

/* A refusal has a sentence. */
#define REFUSED(call)                                                                              \
    do {                                                                                           \
        qn_error_clear();                                                                          \
        if ((call) == QUERN_OK) fail_msg("%s was accepted", #call);                                \
        if (qn_error_text()[0] == '\0') fail_msg("%s was refused without a sentence", #call);      \
    } while (0)

/* cmocka's fixtures: the state is a qn_subject before, a rig after. */
int rig_set_up(void **state);
int rig_tear_down(void **state);
/* The rig, if the device is here; else the test ends as skipped, or failed where it is required. */
struct rig *rig_of(void **state);
void need_feature(const struct rig *rig, uint32_t feature, const char *what);

struct qn_view whole(struct qn_raw *raw, uint64_t size);
uint64_t aligned(const struct rig *rig, uint64_t offset);
void pattern(unsigned char *to, size_t size, unsigned seed);
void get(struct rig *rig, void *to, struct qn_view from);

/* The suite's kernels, done in C for the null driver (driver_kernels.c). */
qn_null_kernel_fn kernels_of_null;

#define MEMORY_TESTS(X)                                                                            \
    X(bytes_come_back_as_they_went)                                                                \
    X(transfers_reach_any_offset)                                                                  \
    X(transfers_of_nothing_do_nothing)                                                             \
    X(work_that_was_not_waited_for_is_done_at_finish)                                              \
    X(fill_writes_the_word_and_no_more)                                                            \
    X(copy_moves_between_and_within_blocks)                                                        \
    X(views_outside_their_block_are_refused)                                                       \
    X(too_large_a_block_is_out_of_memory_and_harmless)                                             \
    X(staging_memory_is_ordinary_memory_to_the_host)                                               \
    X(wrapped_memory_is_used_in_place)                                                             \
    X(wrapping_odd_addresses_works_or_is_refused)                                                  \
    X(host_memory_has_an_address)

#define KERNEL_TESTS(X)                                                                            \
    X(a_kernel_compiles_and_runs)                                                                  \
    X(no_memory_is_a_null_pointer)                                                                 \
    X(many_views_of_one_block_stay_apart)                                                          \
    X(two_queues_run_kernels_in_the_order_of_events)                                               \
    X(a_kernel_works_on_wrapped_memory)                                                            \
    X(doubles_round_as_they_should)                                                                \
    X(floats_round_as_they_should)                                                                 \
    X(an_image_makes_the_same_kernels)                                                             \
    X(a_rejected_source_keeps_the_compilers_words)                                                 \
    X(an_unknown_kernel_is_named)                                                                  \
    X(impossible_launches_are_refused)                                                             \
    X(every_allocation_may_fail)

#define DECLARE(name) void name(void **state);
MEMORY_TESTS(DECLARE)
KERNEL_TESTS(DECLARE)
#undef DECLARE

#endif
