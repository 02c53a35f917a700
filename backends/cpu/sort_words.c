/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/sort_words.h"

#include <string.h>

#include "backends/cpu/isa.h"

#define WORD uint32_t
#define BITS 32
#define QN_BODY "backends/cpu/sort_words_body.h"
#include "backends/cpu/isa_each.h"
#undef WORD
#undef BITS
#define WORD uint64_t
#define BITS 64
#define QN_BODY "backends/cpu/sort_words_body.h"
#include "backends/cpu/isa_each.h"
#undef WORD
#undef BITS

void qn_sort_prefixes_32(const uint32_t *words, uint64_t step, uint64_t n, uint32_t low,
                         uint32_t shift, uint16_t *prefixes)
{
    QN_BEST(prefixes_32)(words, step, n, low, shift, prefixes);
}

void qn_sort_prefixes_64(const uint64_t *words, uint64_t step, uint64_t n, uint64_t low,
                         uint32_t shift, uint16_t *prefixes)
{
    QN_BEST(prefixes_64)(words, step, n, low, shift, prefixes);
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
