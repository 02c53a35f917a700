/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/sort_words.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "host/core/compiler.h"

#if QN_X86
#include <immintrin.h>
#endif

#define WORD uint32_t
#define BITS 32
#define PREFIX uint16_t
#define QN_BODY "backends/cpu/sort_words_body.h"
#include "backends/cpu/isa_each.h"
#undef WORD
#undef BITS
#undef PREFIX
#define WORD uint64_t
#define BITS 64
#define PREFIX uint32_t
#define QN_BODY "backends/cpu/sort_words_body.h"
#include "backends/cpu/isa_each.h"
#undef WORD
#undef BITS
#undef PREFIX

void qn_sort_prefixes_32(const uint32_t *words, uint64_t step, uint64_t n, uint32_t low,
                         uint32_t shift, uint32_t most, uint16_t *prefixes)
{
    QN_BEST(prefixes_32)(words, step, n, low, shift, most, prefixes);
}

void qn_sort_prefixes_64(const uint64_t *words, uint64_t step, uint64_t n, uint64_t low,
                         uint32_t shift, uint32_t most, uint32_t *prefixes)
{
    QN_BEST(prefixes_64)(words, step, n, low, shift, most, prefixes);
}

int qn_sort_range_32(const uint32_t *words, uint64_t step, uint64_t n, uint32_t range[2])
{
    return QN_BEST(range_32)(words, step, n, range);
}

int qn_sort_range_64(const uint64_t *words, uint64_t step, uint64_t n, uint64_t range[2])
{
    return QN_BEST(range_64)(words, step, n, range);
}

int qn_sort_counting_32(uint32_t *words, uint64_t n, uint32_t low, uint64_t span, uint16_t *counts)
{
    return QN_BEST(counting_32)(words, n, low, span, counts);
}

int qn_sort_counting_64(uint64_t *words, uint64_t n, uint64_t low, uint64_t span, uint16_t *counts)
{
    return QN_BEST(counting_64)(words, n, low, span, counts);
}

int qn_sort_tally_32(const uint32_t *words, uint64_t n, uint32_t low, uint8_t *counts)
{
    return QN_BEST(tally_32)(words, n, low, counts);
}

void qn_sort_tally_many_32(const uint32_t *words, uint64_t n, uint32_t low, uint64_t span,
                           uint32_t *counts)
{
    QN_BEST(tally_many_32)(words, n, low, span, counts);
}

uint64_t qn_sort_spread_32(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                           uint32_t low, uint32_t *words)
{
    return QN_BEST(spread_32)(counts, from, span, n, low, words);
}

int qn_sort_tally_64(const uint64_t *words, uint64_t n, uint64_t low, uint8_t *counts)
{
    return QN_BEST(tally_64)(words, n, low, counts);
}

void qn_sort_tally_many_64(const uint64_t *words, uint64_t n, uint64_t low, uint64_t span,
                           uint32_t *counts)
{
    QN_BEST(tally_many_64)(words, n, low, span, counts);
}

uint64_t qn_sort_spread_64(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                           uint64_t low, uint64_t *words)
{
    return QN_BEST(spread_64)(counts, from, span, n, low, words);
}

uint64_t qn_sort_spread_keys(void)
{
    return qn_cpu_isa_level() == QN_ISA_AVX512 ? 5 : 2;
}
