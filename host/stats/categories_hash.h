/* SPDX-License-Identifier: Apache-2.0
 * Hashes and string words of the category tables. Hashes never leave the process and never decide a
 * result, so they may differ between byte orders.
 *
 * A short string is read as four words, zeros behind its end; the length tells "a" from "a\0". The
 * words are enough to compare with, and to hash with five multiplications; longer strings take XXH3. */
#ifndef QN_CATEGORIES_HASH_H
#define QN_CATEGORIES_HASH_H

#include <string.h>

#include "host/stats/categories_internal.h"

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline uint64_t hash_finish(uint64_t h)
{
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static inline uint64_t hash_number(uint64_t key)
{
    uint64_t h = key * 0xd6e8feb86659fd93u;
    return hash_finish(h ^ h >> 32);
}

static inline uint64_t hash_fold(uint64_t word, uint64_t factor)
{
    uint64_t x = word * factor;
    return x ^ x >> 32;
}

/* Words 2 and 3 being 0 add nothing: a block of strings of at most 16 bytes may leave them out. */
static inline uint64_t hash_words2(const uint64_t w[2], uint64_t length)
{
    uint64_t h = hash_fold(w[0] + length * 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
    return h + rotate(hash_fold(w[1], 0x8ebc6af09c88c6e3u), 23);
}

static inline uint64_t hash_words4(const uint64_t w[4], uint64_t length)
{
    uint64_t h = hash_words2(w, length);
    h += rotate(hash_fold(w[2], 0x589965cc75374cc3u), 41);
    return h + rotate(hash_fold(w[3], 0x1d8e4e27c47d124fu), 11);
}

/* 32 ones, then 32 zeros: a load at 32 - length masks a string's words. */
extern const unsigned char qn_string_mask[2 * SHORT_BYTES];

static inline uint64_t word_at(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The first n words of a string of at most 8 n bytes that has 8 n readable bytes. */
static inline void string_words(uint64_t *w, const char *text, uint64_t length, const int n)
{
    const unsigned char *mask = qn_string_mask + SHORT_BYTES - length;
    w[0] = word_at(text) & word_at(mask);
    w[1] = word_at(text + 8) & word_at(mask + 8);
    if (n <= 2) return;
    w[2] = word_at(text + 16) & word_at(mask + 16);
    w[3] = word_at(text + 24) & word_at(mask + 24);
}

/* The same with nothing readable behind the string. */
static inline void string_words_tail(uint64_t w[4], const char *text, uint64_t length)
{
    memset(w, 0, SHORT_BYTES);
    if (length > 0) memcpy(w, text, (size_t)length);
}

uint64_t qn_hash_long(const char *text, uint64_t length);

static inline uint64_t hash_string(const char *text, uint64_t length)
{
    uint64_t w[4];
    if (length > SHORT_BYTES) return qn_hash_long(text, length);
    string_words_tail(w, text, length);
    return hash_finish(hash_words4(w, length));
}

/* The line of a short string, or the free one where it would be. */
static inline struct line *line_find(struct line *lines, uint32_t mask, uint64_t hash,
                                     const uint64_t w[4], uint64_t length, const int n)
{
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        struct line *line = &lines[at];
        uint64_t differ = (line->length ^ length) | (line->word[0] ^ w[0]) | (line->word[1] ^ w[1]);
        if (n > 2) differ |= (line->word[2] ^ w[2]) | (line->word[3] ^ w[3]);
        if (QN_LIKELY(differ == 0)) return line;
        if (line->length == UINT64_MAX) return line;
    }
}

static inline const char *line_text(const struct line *line)
{
    return (const char *)(uintptr_t)line->word[1];
}

/* The same for a long one. */
static inline struct line *line_find_long(struct line *lines, uint32_t mask, uint64_t hash,
                                          const char *text, uint64_t length)
{
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        struct line *line = &lines[at];
        if (line->length == length && line->word[0] == hash &&
            memcmp(line_text(line), text, (size_t)length) == 0)
            return line;
        if (line->length == UINT64_MAX) return line;
    }
}

static inline void line_fill(struct line *line, const char *text, uint64_t length, uint64_t hash,
                             const char *lasting)
{
    if (length <= SHORT_BYTES) {
        string_words_tail(line->word, text, length);
    } else {
        line->word[0] = hash;
        line->word[1] = (uint64_t)(uintptr_t)lasting;
        line->word[2] = line->word[3] = 0;
    }
    line->length = length;
    line->count = 0;
}

static inline void lines_clear(struct line *lines, uint64_t n)
{
    memset(lines, 0, (size_t)n * sizeof *lines);
    for (uint64_t i = 0; i < n; i++) {
        lines[i].length = UINT64_MAX;
        lines[i].code = NO_CODE;
    }
}

#endif
