/* SPDX-License-Identifier: Apache-2.0
 * The null driver under the names that the registry and the context know, with a self-test kernel
 * that computes. */
#ifndef NULL_GPU_H
#define NULL_GPU_H

#include "backends/null/null.h"

/* Tables of the null driver named "cuda" and "opencl", an absent "opencl", and a "cpu". */
extern struct qn_driver null_cuda, null_opencl, null_absent, null_cpu;
void null_gpu_init(void);

/* Computes qn_selftest; `user`, if not NULL, is a flaw: op and right result to result. */
typedef uint64_t null_flaw_fn(uint32_t op, uint64_t right);
struct null_flaw {
    null_flaw_fn *spoil;
};
void null_gpu_kernel(void *user, const char *kernel, const struct qn_grid *grid,
                     const struct qn_arg *args, uint32_t n_args);

#endif
