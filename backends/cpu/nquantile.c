/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), as functions.c is. */
#include "backends/cpu/nquantile.h"

#include "backends/cpu/isa.h"
#include "kernels/functions.h"

enum { TOGETHER = 1024, VECTOR = 16 };

#define QN_BODY "backends/cpu/nquantile_body.h"
#include "backends/cpu/isa_each.h"

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
