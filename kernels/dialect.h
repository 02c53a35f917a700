/* SPDX-License-Identifier: Apache-2.0
 * The portable dialect: one C subset that is OpenCL C 1.2, CUDA C++ and plain C (run by the tests on
 * fibers, one per work-item) at the same time. A kernel names nothing of a vendor's: no vectors, no
 * sub-groups, no printf, no float atomics.
 *
 * What every kernel keeps to:
 *   - every pointer says QN_GLOBAL or QN_LOCAL; local memory is declared at the top of the kernel;
 *   - arguments are buffers and fixed-width scalars; columns are one buffer and offsets;
 *   - every item of a group reaches every barrier: no return before one;
 *   - fma only where written. OpenCL is told by the pragma below; CUDA compilers are given
 *     --fmad=false and host compilers -ffp-contract=off by whoever runs them;
 *   - x / y and x % y of the same pair are written as q = x / y and x - q * y, which the simulator of
 *     the tests understands;
 *   - NaN is tested by x != x and stored in canonical form; extremes by comparison, never fmin.
 *
 * Words that a driver or an operation may define with -D:
 *   QN_EXACT_DIV=1      OpenCL: float division and sqrt are correctly rounded on this device
 *   QN_INDEX_BITS=32    generated programs: all byte offsets of a batch fit 32 bits
 *   QN_CPU_SHAPE=1      few work-items with long contiguous loops: the CPU forms of the kernels */
#ifndef QN_DIALECT_H
#define QN_DIALECT_H

#if defined(__OPENCL_VERSION__)
#define QN_OPENCL 1
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define QN_CUDA 1
#else
#define QN_HOST 1
#endif

#if defined(QN_OPENCL)

#if __OPENCL_C_VERSION__ < 120
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#pragma OPENCL FP_CONTRACT OFF
#define QN_KERNEL __kernel void
#define QN_FN static inline
#define QN_GLOBAL __global
#define QN_LOCAL __local
#define QN_SHARED __local
#define QN_RESTRICT restrict
#define QN_ITEM() ((uint)get_local_id(0))
#define QN_GROUP() ((uint)get_group_id(0))
#define QN_GROUP_Y() ((uint)get_group_id(1))
#define QN_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define QN_ADD_LOCAL(p, v) ((void)atomic_add((volatile __local uint *)(p), (v)))
#define QN_ADD_GLOBAL(p, v) ((void)atomic_add((volatile __global uint *)(p), (v)))
#define QN_OR_LOCAL(p, v) ((void)atomic_or((volatile __local uint *)(p), (v)))
#define QN_OR_GLOBAL(p, v) ((void)atomic_or((volatile __global uint *)(p), (v)))
#define QN_FMA(a, b, c) fma((a), (b), (c))
#define QN_FMA_F32(a, b, c) fma((a), (b), (c))
#define QN_BITS32(f) as_uint(f)
#define QN_F32(u) as_float(u)
#define QN_BITS64(f) as_ulong(f)
#define QN_F64(u) as_double(u)
#if defined(QN_EXACT_DIV)
#define QN_SQRT_F32(x) sqrt(x)
#define QN_DIV_F32(a, b) ((a) / (b))
#else
/* Twice 24 bits and two fit 53: rounding the double result once more changes nothing. */
#define QN_SQRT_F32(x) ((float)sqrt((double)(x)))
#define QN_DIV_F32(a, b) ((float)((double)(a) / (double)(b)))
#endif
#define QN_SQRT_F64(x) sqrt(x)
/* What the standard lacks and OpenCL compilers for processors are made of: stores past the caches, a
 * line at a time, and requests for memory. */
#if defined(QN_CPU_SHAPE) && defined(__clang__)
#define QN_LINE 64u
#define QN_AHEAD 2048u
#define QN_ADDRESS(p) ((qn_u32)(size_t)(p))
#define QN_ASK(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#define QN_STORE_STREAM(to, from)                                                                  \
    do {                                                                                           \
        __builtin_nontemporal_store(((const ulong4 *)(from))[0], (__global ulong4 *)(to));         \
        __builtin_nontemporal_store(((const ulong4 *)(from))[1], (__global ulong4 *)(to) + 1);     \
    } while (0)
#else
#define QN_ASK(p) ((void)(p))
#endif

#elif defined(QN_CUDA)

#pragma nv_diag_suppress 177 /* a helper that this text does not use */
#define QN_KERNEL extern "C" __global__ void
#define QN_FN static __device__ __forceinline__
#define QN_GLOBAL
#define QN_LOCAL
#define QN_SHARED __shared__
#define QN_RESTRICT __restrict__
#define QN_ITEM() (threadIdx.x)
#define QN_GROUP() (blockIdx.x)
#define QN_GROUP_Y() (blockIdx.y)
#define QN_BARRIER() __syncthreads()
#define QN_ADD_LOCAL(p, v) ((void)atomicAdd((p), (v)))
#define QN_ADD_GLOBAL(p, v) ((void)atomicAdd((p), (v)))
#define QN_OR_LOCAL(p, v) ((void)atomicOr((p), (v)))
#define QN_OR_GLOBAL(p, v) ((void)atomicOr((p), (v)))
#define QN_FMA(a, b, c) __fma_rn((a), (b), (c))
#define QN_FMA_F32(a, b, c) __fmaf_rn((a), (b), (c))
#define QN_BITS32(f) __float_as_uint(f)
#define QN_F32(u) __uint_as_float(u)
#define QN_BITS64(f) ((qn_u64)__double_as_longlong(f))
#define QN_F64(u) __longlong_as_double((qn_i64)(u))
#define QN_SQRT_F32(x) __fsqrt_rn(x)
#define QN_SQRT_F64(x) __dsqrt_rn(x)
#define QN_DIV_F32(a, b) __fdiv_rn((a), (b))
#define QN_ASK(p) ((void)(p))

#else

#include <math.h>
#include <stdint.h>
#include <string.h>

#define QN_KERNEL void
#define QN_FN static inline
#define QN_GLOBAL
#define QN_LOCAL
#define QN_SHARED static _Thread_local
#define QN_RESTRICT restrict
/* Provided by the fiber runner (tests/kernels/fibers.c). */
struct qn_fiber_item {
    uint32_t item, group, group_y;
};
extern _Thread_local struct qn_fiber_item qn_fiber_self;
void qn_fiber_barrier(void);
#define QN_ITEM() (qn_fiber_self.item)
#define QN_GROUP() (qn_fiber_self.group)
#define QN_GROUP_Y() (qn_fiber_self.group_y)
#define QN_BARRIER() qn_fiber_barrier()
/* Fibers of one launch take turns on one thread, so plain arithmetic is atomic. */
#define QN_ADD_LOCAL(p, v) ((void)(*(p) += (v)))
#define QN_ADD_GLOBAL(p, v) ((void)(*(p) += (v)))
#define QN_OR_LOCAL(p, v) ((void)(*(p) |= (v)))
#define QN_OR_GLOBAL(p, v) ((void)(*(p) |= (v)))
#define QN_FMA(a, b, c) fma((a), (b), (c))
#define QN_FMA_F32(a, b, c) fmaf((a), (b), (c))
static inline uint32_t qn_bits32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline float qn_from_bits32(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
static inline uint64_t qn_bits64(double f)
{
    uint64_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline double qn_from_bits64(uint64_t u)
{
    double f;
    memcpy(&f, &u, sizeof f);
    return f;
}
#define QN_BITS32(f) qn_bits32(f)
#define QN_F32(u) qn_from_bits32(u)
#define QN_BITS64(f) qn_bits64(f)
#define QN_F64(u) qn_from_bits64(u)
#define QN_SQRT_F32(x) sqrtf(x)
#define QN_SQRT_F64(x) sqrt(x)
#define QN_DIV_F32(a, b) ((a) / (b))
#define QN_ASK(p) ((void)(p))

#endif

#endif
