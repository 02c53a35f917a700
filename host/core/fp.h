/* SPDX-License-Identifier: Apache-2.0
 * The arithmetic that quern's numbers assume: round to nearest, subnormals kept, no traps. A thread
 * inherits its mode from whoever made it, and a caller may have set flush-to-zero (many ML libraries
 * do), so code that computes runs between qn_fp_enter and qn_fp_leave. qn_threads_run does so around
 * every task; what computes outside of it does so itself.
 *
 * The control register is written directly where the compiler offers that: a few nanoseconds, where
 * fegetenv and fesetenv take about a hundred. */
#ifndef QN_FP_H
#define QN_FP_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>

struct qn_fp {
    unsigned saved;
};

static inline struct qn_fp qn_fp_enter(void)
{
    struct qn_fp fp = {_mm_getcsr()};
    _mm_setcsr(0x1f80); /* all exceptions masked, nearest, FTZ and DAZ off */
    return fp;
}

static inline void qn_fp_leave(struct qn_fp fp)
{
    _mm_setcsr(fp.saved);
}

#elif defined(__aarch64__) && defined(__GNUC__)

struct qn_fp {
    uint64_t saved;
};

static inline struct qn_fp qn_fp_enter(void)
{
    struct qn_fp fp;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fp.saved));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
    return fp;
}

static inline void qn_fp_leave(struct qn_fp fp)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(fp.saved) : "memory");
}

#else
#include <fenv.h>

struct qn_fp {
    fenv_t saved;
};

static inline struct qn_fp qn_fp_enter(void)
{
    struct qn_fp fp;
    (void)fegetenv(&fp.saved);
    (void)fesetenv(FE_DFL_ENV);
    return fp;
}

static inline void qn_fp_leave(struct qn_fp fp)
{
    (void)fesetenv(&fp.saved);
}

#endif
#endif
