/* SPDX-License-Identifier: Apache-2.0
 * What sorting does with all elements in turn. Elements are words, or begin with one; `step` words lie
 * from an element to the next: 1 or 2. */
#ifndef QN_CPU_SORT_WORDS_H
#define QN_CPU_SORT_WORDS_H

#include <stdint.h>

/* prefixes[i] = (word - low) >> shift, but 0 for words below low, `most` where it is more. */
void qn_sort_prefixes_32(const uint32_t *words, uint64_t step, uint64_t n, uint32_t low,
                         uint32_t shift, uint32_t most, uint16_t *prefixes);
void qn_sort_prefixes_64(const uint64_t *words, uint64_t step, uint64_t n, uint64_t low,
                         uint32_t shift, uint32_t most, uint32_t *prefixes);

/* The least and the greatest of n words, n > 0; whether some word is less than the one before it. */
int qn_sort_range_32(const uint32_t *words, uint64_t step, uint64_t n, uint32_t range[2]);
int qn_sort_range_64(const uint64_t *words, uint64_t step, uint64_t n, uint64_t range[2]);

/* Sorts words in [low, low + span) by counting each. counts: room for span. 0: there were more than
 * 65535 of one, and nothing is changed. */
int qn_sort_counting_32(uint32_t *words, uint64_t n, uint32_t low, uint64_t span, uint16_t *counts);
int qn_sort_counting_64(uint64_t *words, uint64_t n, uint64_t low, uint64_t span, uint16_t *counts);

/* The same in two steps, for words in several pieces: adds to the counts, span of them, zero at first
 * (1: one went past 255, and all are of no use); then writes words in order from the from-th key on, at most
 * QN_SORT_SPREAD, until *from is span. words has room for QN_SORT_SPREAD; what is beyond the number
 * returned is undefined. */
enum { QN_SORT_SPREAD = 4096 };
int qn_sort_tally_32(const uint32_t *words, uint64_t n, uint32_t low, uint8_t *counts);
int qn_sort_tally_64(const uint64_t *words, uint64_t n, uint64_t low, uint8_t *counts);
uint64_t qn_sort_spread_32(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                           uint32_t low, uint32_t *words);
uint64_t qn_sort_spread_64(const uint8_t *counts, uint64_t *from, uint64_t span, uint64_t n,
                           uint64_t low, uint64_t *words);
/* Where most keys occur more often than that: counts has QN_SORT_TALLIES times span, to be added up. n in
 * all pieces is less than 2^32. */
enum { QN_SORT_TALLIES = 4 };
void qn_sort_tally_many_32(const uint32_t *words, uint64_t n, uint32_t low, uint64_t span,
                           uint32_t *counts);
void qn_sort_tally_many_64(const uint64_t *words, uint64_t n, uint64_t low, uint64_t span,
                           uint32_t *counts);
/* How many keys there may be to an element for this to be worth while. */
uint64_t qn_sort_spread_keys(void);

#endif
