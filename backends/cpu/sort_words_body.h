/* SPDX-License-Identifier: Apache-2.0
 * Loops over the words that elements begin with, for one instruction set (QN_SUFFIX) and type (WORD,
 * of BITS). */

#define NAME(name) QN_PASTE(QN_PASTE(name, BITS), QN_SUFFIX)

static inline void NAME(prefix_loop)(const WORD *words, uint64_t step, uint64_t n, WORD low,
                                     uint32_t shift, uint16_t *prefixes)
{
    for (uint64_t i = 0; i < n; i++) {
        WORD word = words[i * step], prefix = ((word < low ? low : word) - low) >> shift;
        prefixes[i] = (uint16_t)(prefix < UINT16_MAX ? prefix : UINT16_MAX);
    }
}

static void NAME(prefixes)(const WORD *words, uint64_t step, uint64_t n, WORD low, uint32_t shift,
                           uint16_t *prefixes)
{
    if (step == 1)
        NAME(prefix_loop)(words, 1, n, low, shift, prefixes);
    else
        NAME(prefix_loop)(words, step, n, low, shift, prefixes);
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

#undef NAME
