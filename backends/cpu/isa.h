/* SPDX-License-Identifier: Apache-2.0
 * Which instruction set this process uses. The hot loops are written once, in *_body.h, and compiled
 * once per instruction set with the compiler's target pragmas (isa_each.h); every variant gives the same bits,
 * so the choice is about speed alone. On aarch64 the baseline is NEON. */
#ifndef QN_CPU_ISA_H
#define QN_CPU_ISA_H

enum qn_isa { QN_ISA_BASELINE = 0, QN_ISA_AVX2 = 1, QN_ISA_AVX512 = 2, QN_ISA_COUNT = 3 };

/* The process's choice: the best that the processor has, or what QUERN_CPU_ISA names (avx512, avx2,
 * baseline) if the processor has that. Any thread. */
enum qn_isa qn_cpu_isa_level(void);

/* Tests: use this level from now on; -1 returns to the process's own choice. 0 if the processor does
 * not have it (nothing changes), else 1. */
int qn_cpu_isa_force(int level);

/* The variants that this build and this compiler can make. */
#if defined(__x86_64__) && defined(__GNUC__)
#define QN_X86 1
#else
#define QN_X86 0
#endif

#define QN_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define QN_TARGET_BEGIN(features)                                                                  \
    QN_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define QN_TARGET_END QN_PRAGMA(clang attribute pop)
#else
#define QN_TARGET_BEGIN(features)                                                                  \
    QN_PRAGMA(GCC push_options)                                                                    \
    QN_PRAGMA(GCC target(features))
#define QN_TARGET_END QN_PRAGMA(GCC pop_options)
#endif
#define QN_FEATURES_AVX2 "avx,avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c"
#define QN_FEATURES_AVX512                                                                         \
    "avx,avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c,avx512f,avx512dq,avx512bw,avx512vl"

/* The variant of a body's function for the process's instruction set. */
#if QN_X86
#define QN_BEST(name)                                                                              \
    (qn_cpu_isa_level() == QN_ISA_AVX512 ? name##_avx512                                           \
     : qn_cpu_isa_level() == QN_ISA_AVX2 ? name##_avx2                                             \
                                         : name##_baseline)
#else
#define QN_BEST(name) name##_baseline
#endif

/* name_suffix, for a body that is compiled several times. */
#define QN_PASTE2(name, suffix) name##_##suffix
#define QN_PASTE(name, suffix) QN_PASTE2(name, suffix)

#endif
