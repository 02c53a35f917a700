/* SPDX-License-Identifier: Apache-2.0
 * Loops over the words that elements begin with, for one instruction set (QN_SUFFIX) and type (WORD,
 * of BITS; PREFIX). */

#define NAME(name) QN_PASTE(QN_PASTE(name, BITS), QN_SUFFIX)

static inline void NAME(prefix_loop)(const WORD *words, uint64_t step, uint64_t n, WORD low,
                                     uint32_t shift, uint32_t most, PREFIX *prefixes)
{
    for (uint64_t i = 0; i < n; i++) {
        WORD word = words[i * step], prefix = ((word < low ? low : word) - low) >> shift;
        prefixes[i] = (PREFIX)(prefix < most ? prefix : most);
    }
}

static void NAME(prefixes)(const WORD *words, uint64_t step, uint64_t n, WORD low, uint32_t shift,
                           uint32_t most, PREFIX *prefixes)
{
    if (step == 1)
        NAME(prefix_loop)(words, 1, n, low, shift, most, prefixes);
    else
        NAME(prefix_loop)(words, step, n, low, shift, most, prefixes);
}

static inline int NAME(range_loop)(const WORD *words, uint64_t step, uint64_t n, WORD range[2])
{
    WORD low = words[0], high = low, descends = 0;
    for (uint64_t i = 1; i < n; i++) {
        WORD word = words[i * step];
        low = word < low ? word : low;
        high = word > high ? word : high;
        descends |= word < words[(i - 1) * step];
    }
    range[0] = low;
    range[1] = high;
    return descends != 0;
}

static int NAME(range)(const WORD *words, uint64_t step, uint64_t n, WORD range[2])
{
    return step == 1 ? NAME(range_loop)(words, 1, n, range)
                     : NAME(range_loop)(words, step, n, range);
}

/* Runs are mostly short: a vector of copies is written for each, and the next begins where it ends. */
static int NAME(counting)(WORD *words, uint64_t n, WORD low, uint64_t span, uint16_t *counts)
{
    enum { COPIES = 8 };
    uint32_t wrapped = 0;
    memset(counts, 0, span * sizeof *counts);
    for (uint64_t i = 0; i < n; i++) wrapped |= ++counts[words[i] - low] == 0;
    if (wrapped) return 0;
    for (uint64_t at = 0, k = 0; k < span; k++) {
        uint64_t count = counts[k];
        WORD word = low + (WORD)k;
        if (count <= COPIES && n - at >= COPIES)
            for (uint64_t i = 0; i < COPIES; i++) words[at + i] = word;
        else
            for (uint64_t i = 0; i < count; i++) words[at + i] = word;
        at += count;
    }
    return 1;
}

static int NAME(tally)(const WORD *words, uint64_t n, WORD low, uint8_t *counts)
{
    enum { LINE = 64 / sizeof(WORD), SOON = 2048 }; /* bytes that are asked for ahead */
    uint32_t wrapped = 0;
    uint64_t i = 0;
    for (; i + LINE <= n; i += LINE) {
        QN_PREFETCH((const void *)((uintptr_t)(words + i) + SOON));
        for (uint64_t k = 0; k < LINE; k++) wrapped |= ++counts[words[i + k] - low] == 0;
    }
    for (; i < n; i++) wrapped |= ++counts[words[i] - low] == 0;
    return wrapped != 0;
}

/* Four counts of each key, so that the same key four times in a row does not wait for itself. */
static void NAME(tally_many)(const WORD *words, uint64_t n, WORD low, uint64_t span,
                             uint32_t *counts)
{
    uint64_t i = 0;
    for (; i + QN_SORT_TALLIES <= n; i += QN_SORT_TALLIES)
        for (uint64_t k = 0; k < QN_SORT_TALLIES; k++) counts[k * span + (words[i + k] - low)]++;
    for (; i < n; i++) counts[words[i] - low]++;
}

/* `copies` of each key, and the next one's begin where they end. */
static inline uint64_t NAME(spread_copies)(const uint8_t *counts, uint64_t *from, uint64_t span,
                                           WORD low, WORD *words, uint64_t copies)
{
    uint64_t at = 0, k = *from, most = QN_SORT_SPREAD - 255 - copies;
    for (; k < span && at < most; k++) {
        uint64_t count = counts[k];
        WORD word = low + (WORD)k;
        for (uint64_t i = 0; i < copies; i++) words[at + i] = word;
        for (uint64_t i = copies; i < count; i++) words[at + i] = word;
        at += count;
    }
    *from = k;
    return at;
}

/* As many copies as most keys need. */
static uint64_t NAME(spread_runs)(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                                  WORD low, WORD *words)
{
    return n / 9 < span / 2 ? NAME(spread_copies)(counts, from, span, low, words, 8)
                            : NAME(spread_copies)(counts, from, span, low, words, 16);
}

#if QN_LEVEL == 2 && BITS == 32
#define COPIES 2
#define GROUP uint64_t
#include "backends/cpu/sort_spread_body.h"
#define COPIES 4
#define GROUP uint32_t
#include "backends/cpu/sort_spread_body.h"

/* By how many elements a key has: where keys without any, or with one, are as many as others, what comes
 * next cannot be predicted, and several keys are done at once. Measured. */
static uint64_t NAME(spread)(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                             WORD low, WORD *words)
{
    if (span % 8 != 0) return NAME(spread_runs)(counts, from, span, n, low, words);
    if (n < span / 3) return spread_groups_2(counts, from, span, low, words);
    if (n < span + span / 4) return spread_groups_4(counts, from, span, low, words);
    return NAME(spread_runs)(counts, from, span, n, low, words);
}
#else
static uint64_t NAME(spread)(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                             WORD low, WORD *words)
{
    return NAME(spread_runs)(counts, from, span, n, low, words);
}
#endif

#undef NAME
