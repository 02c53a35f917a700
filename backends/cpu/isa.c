/* SPDX-License-Identifier: Apache-2.0
 * The run-time choice of the instruction set. It is made once and kept in an atomic: two threads that
 * come first together compute the same answer. */
#include "backends/cpu/isa.h"

#include <stdatomic.h>
#include <string.h>

#include "host/core/os.h"
#include "host/ops/requests.h"

static _Atomic int chosen = -1; /* -1: not yet */

static int available(int level)
{
    if (level == QN_ISA_BASELINE) return 1;
#if QN_X86
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
               __builtin_cpu_supports("popcnt");
    if (level == QN_ISA_AVX2) return avx2;
    if (level == QN_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    return 0;
}

static int from_environment(void)
{
    const char *text = qn_env("QUERN_CPU_ISA");
    if (text == NULL) return -1;
    if (strcmp(text, "avx512") == 0) return QN_ISA_AVX512;
    if (strcmp(text, "avx2") == 0) return QN_ISA_AVX2;
    if (strcmp(text, "baseline") == 0 || strcmp(text, "neon") == 0) return QN_ISA_BASELINE;
    return -1;
}

enum qn_isa qn_cpu_isa_level(void)
{
    int level = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (level >= 0) return (enum qn_isa)level;
    level = from_environment();
    if (level < 0 || !available(level)) {
        level = QN_ISA_AVX512;
        while (!available(level)) level--;
    }
    atomic_store_explicit(&chosen, level, memory_order_relaxed);
    return (enum qn_isa)level;
}

int qn_cpu_isa_force(int level)
{
    if (level >= QN_ISA_COUNT || (level >= 0 && !available(level))) return 0;
    atomic_store(&chosen, level < 0 ? -1 : level);
    return 1;
}

const char *qn_cpu_isa(void)
{
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return "avx512";
    case QN_ISA_AVX2: return "avx2";
    default: break;
    }
#if defined(__aarch64__)
    return "neon";
#else
    return "baseline";
#endif
}
