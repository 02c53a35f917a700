/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), as functions.c is. */
#include "backends/cpu/nquantile.h"

#include "backends/cpu/isa.h"
#include "kernels/functions.h"

enum { TOGETHER = 1024, VECTOR = 16 };

#define QN_SUFFIX baseline
#define STEP(p, z, a)                                                                              \
    ((p) * (z) + (a)) /* a fused one is a call, and the error is not of rounding */
#include "backends/cpu/nquantile_body.h"
#undef QN_SUFFIX
#undef STEP
#if QN_X86
#define STEP(p, z, a) QN_FMA(p, z, a)
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#include "backends/cpu/nquantile_body.h"
#undef QN_SUFFIX
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#include "backends/cpu/nquantile_body.h"
#undef QN_SUFFIX
QN_TARGET_END
#undef STEP
#endif

typedef void part_fn(uint32_t n, float *x);

static part_fn *choose(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return part_avx512;
    case QN_ISA_AVX2: return part_avx2;
    default: break;
    }
#endif
    return part_baseline;
}

void qn_nquantiles_f32(uint32_t n, float *x)
{
    part_fn *part = choose();
    for (uint32_t at = 0; at < n; at += TOGETHER)
        part(n - at < TOGETHER ? n - at : TOGETHER, x + at);
}
