/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/run_store.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/store.h"

#if QN_X86
#include <immintrin.h>
#endif

#define QN_BODY "backends/cpu/run_store_body.h"
#include "backends/cpu/isa_each.h"

const struct qn_store *qn_store(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &loops_avx512;
    case QN_ISA_AVX2: return &loops_avx2;
    default: break;
    }
#endif
    return &loops_baseline;
}

void qn_store_fence(void)
{
#if QN_X86
    _mm_sfence();
#endif
}
