/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/null_gpu.h"

#include <string.h>

#include "kernels/arith.h"

struct qn_driver null_cuda, null_opencl, null_absent, null_cpu;

static quern_status no_devices(uint32_t *count, const char **reason)
{
    *count = 0;
    *reason = "libNothing.so.1: cannot open shared object file";
    return QUERN_OK;
}

void null_gpu_init(void)
{
    null_cuda = null_opencl = null_absent = null_cpu = qn_driver_null;
    null_cuda.name = "cuda";
    null_opencl.name = "opencl";
    null_absent.name = "opencl";
    null_absent.count = no_devices;
    null_cpu.name = "cpu";
}

void null_gpu_kernel(void *user, const char *kernel, const struct qn_grid *grid,
                     const struct qn_arg *args, uint32_t n_args)
{
    const struct null_flaw *flaw = user;
    if (strcmp(kernel, "qn_selftest") != 0 || n_args != 4) return;
    const unsigned char *cases = qn_null_memory(args[0].u.view);
    unsigned char *out = qn_null_memory(args[1].u.view);
    uint32_t n = args[2].u.u32, items = args[3].u.u32;
    for (uint32_t i = 0; i < n && i < grid->groups[0] * items; i++) {
        uint64_t w[4];
        memcpy(w, cases + (size_t)i * sizeof w, sizeof w);
        uint64_t result = qn_arith((uint32_t)w[0], w[1], w[2], w[3]);
        if (flaw != NULL && flaw->spoil != NULL) result = flaw->spoil((uint32_t)w[0], result);
        memcpy(out + (size_t)i * sizeof result, &result, sizeof result);
    }
}
