/* SPDX-License-Identifier: Apache-2.0
 * Sixteen short lines side by side: word i of line l is words[i * 16 + l], and a sorting network, which
 * does the same whatever the values are, compares and exchanges whole rows of words. */
#include "backends/cpu/isa.h"
#include "backends/cpu/sort.h"

#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define WORD uint32_t
#define QN_SUFFIX 32_avx512
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX
#define WORD uint64_t
#define QN_SUFFIX 64_avx512
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define WORD uint32_t
#define QN_SUFFIX 32_avx2
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX
#define WORD uint64_t
#define QN_SUFFIX 64_avx2
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX
QN_TARGET_END
#endif
#define WORD uint32_t
#define QN_SUFFIX 32_baseline
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX
#define WORD uint64_t
#define QN_SUFFIX 64_baseline
#include "backends/cpu/sort_network_body.h"
#undef WORD
#undef QN_SUFFIX

void qn_sort_network_32(uint32_t *words, uint64_t n)
{
    switch (qn_cpu_isa_level()) {
#if QN_X86
    case QN_ISA_AVX512: network_32_avx512(words, n); return;
    case QN_ISA_AVX2: network_32_avx2(words, n); return;
#endif
    default: network_32_baseline(words, n);
    }
}

void qn_sort_network_64(uint64_t *words, uint64_t n)
{
    switch (qn_cpu_isa_level()) {
#if QN_X86
    case QN_ISA_AVX512: network_64_avx512(words, n); return;
    case QN_ISA_AVX2: network_64_avx2(words, n); return;
#endif
    default: network_64_baseline(words, n);
    }
}
