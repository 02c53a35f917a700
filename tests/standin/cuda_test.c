/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/standin/cuda_test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct standin_control on;
const struct qn_driver *const cuda = &qn_driver_cuda;

static const char text[] =
    "#if defined(__OPENCL_VERSION__)\n"
    "#define KERNEL __kernel void\n"
    "#define GLOBAL __global\n"
    "#define SHARED __local\n"
    "#define INDEX (get_group_id(1) * get_num_groups(0) + get_group_id(0)) * ITEMS + ITEM\n"
    "#define ITEM get_local_id(0)\n"
    "#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)\n"
    "typedef ulong u64;\n"
    "#else\n"
    "#define KERNEL extern \"C\" __global__ void\n"
    "#define GLOBAL\n"
    "#define SHARED __shared__\n"
    "#define INDEX (blockIdx.y * gridDim.x + blockIdx.x) * ITEMS + ITEM\n"
    "#define ITEM threadIdx.x\n"
    "#define BARRIER __syncthreads()\n"
    "typedef unsigned long long u64;\n"
    "#endif\n"
    "typedef unsigned int u32;\n"
    "KERNEL scale(GLOBAL double *out, GLOBAL const double *in, u32 n, u64 skip, double by)\n"
    "{\n"
    "    u32 i = (u32)(INDEX);\n"
    "    if (i < n) out[i] = in[skip + i] * by + SHIFT;\n"
    "}\n"
    "KERNEL reverse(GLOBAL u32 *values)\n"
    "{\n"
    "    SHARED u32 seen[ITEMS];\n"
    "    seen[ITEM] = values[INDEX];\n"
    "    BARRIER;\n"
    "    values[INDEX] = seen[ITEMS - 1 - ITEM];\n"
    "}\n";

const struct qn_source probe_source = {
    .name = "probe", .text = text, .bytes = sizeof text - 1, .options = "-DITEMS=64 -DSHIFT=0.5"};

void assert_nothing_live(void)
{
    struct standin_live live;
    on.standin_live(&live);
    assert_int_equal(live.blocks, 0);
    assert_int_equal(live.pinned, 0);
    assert_int_equal(live.streams, 0);
    assert_int_equal(live.events, 0);
    assert_int_equal(live.modules, 0);
    assert_int_equal(live.contexts, 0);
}

int calm(void **state)
{
    (void)state;
    on.standin_reset();
    (void)qn_alloc_fail_at(0);
    return 0;
}

int checked(void **state)
{
    (void)state;
    assert_nothing_live();
    return 0;
}

void set_up(struct bench *t)
{
    OK(cuda->open(0, &t->dev));
    OK(cuda->queue_open(t->dev, &t->a));
    OK(cuda->queue_open(t->dev, &t->b));
}

void tear_down(struct bench *t)
{
    cuda->queue_close(t->dev, t->b);
    cuda->queue_close(t->dev, t->a);
    cuda->close(t->dev);
}

struct qn_view view(struct qn_raw *raw, uint64_t offset, uint64_t size)
{
    return (struct qn_view){raw, offset, size};
}

struct qn_arg arg_view(struct qn_raw *raw, uint64_t offset, uint64_t size)
{
    return (struct qn_arg){.kind = QN_ARG_VIEW, .u.view = view(raw, offset, size)};
}

quern_status run_scale(struct qn_queue *queue, struct qn_kernel *kernel, struct qn_raw *raw,
                       uint64_t out_at, uint64_t in_at)
{
    struct qn_arg args[5] = {arg_view(raw, out_at, 8000), arg_view(raw, in_at, 8024)};
    args[2] = (struct qn_arg){.kind = QN_ARG_U32, .u.u32 = 1000};
    args[3] = (struct qn_arg){.kind = QN_ARG_U64, .u.u64 = 3};
    args[4] = (struct qn_arg){.kind = QN_ARG_F64, .u.f64 = 3.0};
    struct qn_grid grid = {{4, 4}, 64};
    return cuda->launch(queue, kernel, &grid, args, 5);
}

int find_standin(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const char *reason = "no stand-in", *required = getenv("QUERN_REQUIRE");
    const int absent = required != NULL && strstr(required, "cuda") != NULL ? 1 : 77;
    uint32_t count = 0;
#define FIND(symbol)                                                                               \
    do {                                                                                           \
        void *address = library != NULL ? dlsym(library, #symbol) : NULL;                          \
        if (address == NULL) {                                                                     \
            (void)fputs("libcuda.so.1 here is not the stand-in\n", stderr);                        \
            return absent;                                                                         \
        }                                                                                          \
        memcpy(&on.symbol, &address, sizeof address);                                              \
    } while (0)
    FIND(standin_fail);
    FIND(standin_reset);
    FIND(standin_calls);
    FIND(standin_live);
    FIND(standin_fired);
    FIND(cuCtxPushCurrent_v2);
    FIND(cuCtxPopCurrent_v2);
    FIND(cuCtxGetCurrent);
    FIND(cuDevicePrimaryCtxRetain);
    FIND(cuDevicePrimaryCtxRelease_v2);
    if (cuda->count(&count, &reason) == QUERN_OK && count > 0) return 0;
    (void)fprintf(stderr, "the stand-in has no device: %s\n", reason);
    return absent;
}
