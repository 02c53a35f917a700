/* SPDX-License-Identifier: Apache-2.0
 * The variants of run_norm_wide_body.h, and why its quotients are those of a division.
 *
 * A vector division takes as long as ten multiplications, and one divisor serves a whole row. So
 *     r = RN(1 / n),  q = RN(x r),  e = RN(q n - x),  y = RN(q - e r)
 * is used for x / n (Markstein, IBM J. Res. Dev. 34, 1990); y = RN(x / n), because of the following.
 *
 * Let a float have p bits, u = 2^-p, and x, n be scaled to [1, 2). For n = 1 all is exact. Else r lies in
 * (1/2, 1), |r - 1/n| <= u/2 and |1 - n r| <= n u/2.
 *   D = |q - x/n| is at most x u/2 and half a place of q: below one place for x >= n, below 3/2 for x < n.
 *   e is exact: it is a multiple of 2u (the place of n) times the place of q, and fits p bits where D is
 *   at most a place. (For x = n, q may be 1 - u, and e = -u n.)
 *   The last step rounds z = x/n + (q - x/n) (1 - n r). It could differ from RN(x/n) only if a midpoint m
 *   of two floats lay between z and x/n. A quotient is never a midpoint, as n m has more than p bits: with
 *   h half a place of the quotient, |x/n - m| >= 2 u h / n. And |z - x/n| <= D n u/2. If m is the midpoint
 *   next to q, D <= h (1 + u + ...), so n^2 (1 + u + ...) >= 4, which no n <= 2 - 2u satisfies.
 *   The midpoint after that, at 3 h, is reached only for x < n and D >= 3 h - O(u^2), so (x + 1) u/2 >=
 *   3/2 u - O(u^2), so x is 2 - 4u or 2 - 6u and n is 2 - 2u or 2 - 4u: there D is u + u^2, u + 2 u^2 and
 *   2 u^2, far from 3/2 u. The same bound leaves no case where D exceeds a place and the rounding of e,
 *   at most 2 u^2, could matter.
 * -0 stays -0, since e is then +0 and y is -0 less that. Scaling is harmless while nothing underflows:
 * values below SMALL and norms above LARGE are divided. */
#include "backends/cpu/run_norm_wide.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/store.h"
#include "kernels/norm.h"

#if QN_X86
#include <immintrin.h>

enum { GROUP = 64, GROUP_BYTES = 2048, QUAD = 4, AHEAD = 4096 /* bytes asked for ahead */ };

/* SMALL / LARGE is a normal number, and the place of SMALL two words further down a subnormal one. */
#define SMALL_F32 0x1p-64f
#define LARGE_F32 0x1p60f
#define SMALL_F64 0x1p-500
#define LARGE_F64 0x1p500

/* A window of 4 or 8 of these begins with so many ones as one likes. */
static const int32_t first_32[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
/* The same from the other side. */
static const int32_t from_32[16] = {[8] = -1, -1, -1, -1, -1, -1, -1, -1};
static const int64_t from_64[8] = {[4] = -1, -1, -1, -1};

/* A value: how many are before it, how many of them in its row, and the place of the row's norm. */
struct place {
    size_t done, phase, row;
};

static inline void step(struct place *at, size_t n, size_t columns)
{
    at->done += n;
    at->phase += n;
    for (; at->phase >= columns; at->phase -= columns) at->row++;
}

QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define QN_LEVEL 1
#define NORM_F64 0
#include "backends/cpu/run_norm_wide_body.h"
#define NORM_F64 1
#include "backends/cpu/run_norm_wide_body.h"
#undef QN_SUFFIX
#undef QN_LEVEL
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#define QN_LEVEL 2
#define NORM_F64 0
#include "backends/cpu/run_norm_wide_body.h"
#define NORM_F64 1
#include "backends/cpu/run_norm_wide_body.h"
#undef QN_SUFFIX
#undef QN_LEVEL
QN_TARGET_END

qn_norm_rows_fn *qn_norm_wide(uint32_t work)
{
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return work == QN_W_F64 ? rows_f64_avx512 : rows_f32_avx512;
    case QN_ISA_AVX2: return work == QN_W_F64 ? rows_f64_avx2 : rows_f32_avx2;
    default: return NULL;
    }
}
#else
qn_norm_rows_fn *qn_norm_wide(uint32_t work)
{
    (void)work;
    return NULL;
}
#endif
