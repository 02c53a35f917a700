/* SPDX-License-Identifier: Apache-2.0
 * For suites that run over every driver of the build: which devices there are, and what to do about
 * a backend that is not there. A skip says why; QUERN_REQUIRE (a list such as "opencl,cuda") turns
 * the skip of those backends into a failure, so that a job that means to test them cannot pass
 * without them. */
#ifndef QN_TEST_DRIVERS_H
#define QN_TEST_DRIVERS_H

#include "host/device/driver.h"

enum { QN_TEST_SUBJECTS = 32 };

/* One device of one backend, or a backend that has none. */
struct qn_subject {
    const struct qn_driver *driver;
    uint32_t index;
    int present;
    char id[48];      /* "opencl:0" */
    char reason[512]; /* why it is absent */
};

/* Every driver of the build, absent ones included; the null driver last. */
uint32_t qn_test_subjects(struct qn_subject *out, uint32_t room);
/* Skips the running test (cmocka) with the reason on standard error, or fails it if QUERN_REQUIRE
 * names the backend. Returns when the subject is present. */
void qn_test_need(const struct qn_subject *subject);
int qn_test_required(const char *backend);

/* A prelude that gives one source to OpenCL C and CUDA C++ without the kernels' own dialect. */
extern const char qn_test_prelude[];

#endif
