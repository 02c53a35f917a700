/* SPDX-License-Identifier: Apache-2.0
 * Counted keys in order, 16 / COPIES at a time: a vector has every key COPIES times, and those that there
 * are move together. GROUP: an unsigned type with a byte for each key; span is a multiple of their number. For AVX-512 alone; part of
 * sort_words_body.h, forgets COPIES and GROUP. */

static uint64_t QN_PASTE(spread_groups, COPIES)(const uint8_t *counts, uint64_t *from,
                                                uint64_t span, uint32_t low, uint32_t *words)
{
    enum { KEYS = 16 / COPIES, MOST = QN_SORT_SPREAD - 255 * KEYS - 16 };
    const GROUP more = (GROUP)(UINT64_C(0x0101010101010101) * (127 - COPIES));
    const GROUP tops = (GROUP)UINT64_C(0x8080808080808080);
    uint8_t key_of[16], copy_of[16];
    for (uint8_t i = 0; i < 16; i++) {
        key_of[i] = i / COPIES;
        copy_of[i] = i % COPIES;
    }
    __m128i lanes = _mm_loadu_si128((const void *)key_of);
    __m128i copies = _mm_loadu_si128((const void *)copy_of);
    __m512i keys = _mm512_cvtepu8_epi32(lanes);
    uint64_t at = 0, k = *from;
    for (; k < span && at < MOST; k += KEYS) {
        GROUP group;
        memcpy(&group, counts + k, sizeof group);
        if ((((group + more) | group) & tops) == 0) { /* none more than COPIES times */
            __m128i all = sizeof group == 8 ? _mm_set1_epi64x((long long)group)
                                            : _mm_set1_epi32((int)(uint32_t)group);
            __mmask16 there = _mm_cmpgt_epu8_mask(_mm_shuffle_epi8(all, lanes), copies);
            __m512i moved = _mm512_add_epi32(keys, _mm512_set1_epi32((int)(low + (uint32_t)k)));
            _mm512_storeu_si512(words + at, _mm512_maskz_compress_epi32(there, moved));
            at += (uint64_t)_mm_popcnt_u32(there);
            continue;
        }
        for (uint32_t j = 0; j < KEYS; j++) {
            uint64_t count = (uint8_t)(group >> (8 * j));
            uint32_t word = low + (uint32_t)k + j;
            for (uint64_t i = 0; i < 4; i++) words[at + i] = word;
            for (uint64_t i = 4; i < count; i++) words[at + i] = word;
            at += count;
        }
    }
    *from = k;
    return at;
}

#undef COPIES
#undef GROUP
