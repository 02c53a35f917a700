/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the CUDA driver share: the stand-in's controls, a small kernel in both languages,
 * a device with two queues. */
#ifndef QN_CUDA_TEST_H
#define QN_CUDA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/device/driver.h"

struct standin_live {
    unsigned blocks, pinned, streams, events, modules, contexts;
};
/* The stand-in's own controls and a few driver calls, found by dlsym. */
struct standin_control {
    void (*standin_fail)(const char *symbol, unsigned nth, int code, int sticky);
    void (*standin_reset)(void);
    unsigned (*standin_calls)(const char *symbol);
    void (*standin_live)(struct standin_live *out);
    int (*standin_fired)(const char **symbol);
    int (*cuCtxPushCurrent_v2)(void *context);
    int (*cuCtxPopCurrent_v2)(void **context);
    int (*cuCtxGetCurrent)(void **context);
    int (*cuDevicePrimaryCtxRetain)(void **context, int device);
    int (*cuDevicePrimaryCtxRelease_v2)(int device);
};
extern struct standin_control on;
extern const struct qn_driver *const cuda;

/* Kernels "scale" and "reverse", for NVRTC and for the OpenCL device behind the stand-in. */
extern const struct qn_source probe_source;

/* 0 when the stand-in is there with a device; else the exit code: 77, or 1 where it is required. */
int find_standin(void);

#define OK(expression)                                                                             \
    do {                                                                                           \
        quern_status got_ = (expression);                                                          \
        if (got_ != QUERN_OK) fail_msg("%s: %s", #expression, qn_error_text());                    \
    } while (0)

/* Before and after each test: no faults armed; nothing left on the device. */
int calm(void **state);
int checked(void **state);
void assert_nothing_live(void);
#define TEST(name) cmocka_unit_test_setup_teardown(name, calm, checked)

struct bench {
    struct qn_dev *dev;
    struct qn_queue *a, *b;
};
void set_up(struct bench *t);
void tear_down(struct bench *t);

struct qn_view view(struct qn_raw *raw, uint64_t offset, uint64_t size);
struct qn_arg arg_view(struct qn_raw *raw, uint64_t offset, uint64_t size);
/* Launches out[i] = in[skip + i] * 3 + 0.5 for 1000 values, through interior addresses. */
quern_status run_scale(struct qn_queue *queue, struct qn_kernel *kernel, struct qn_raw *raw,
                       uint64_t out_at, uint64_t in_at);

#endif
