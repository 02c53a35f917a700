/* SPDX-License-Identifier: Apache-2.0
 * What sort.c and its bodies for four kinds of elements (sort_body.h) share. */
#ifndef QN_CPU_SORT_H
#define QN_CPU_SORT_H

#include "backends/cpu/sort_keys.h"

/* A key with the place that it came from. */
struct qn_pair64 {
    uint64_t key, place;
};

/* The four kinds: keys of 32 and of 64 bits, alone or with places. A 32-bit key and its place are one
 * word, the key above. */
quern_status qn_sort_lines_k32(struct qn_threads *, const struct qn_sort_request *);
quern_status qn_sort_lines_k64(struct qn_threads *, const struct qn_sort_request *);
quern_status qn_sort_lines_p32(struct qn_threads *, const struct qn_sort_request *);
quern_status qn_sort_lines_p64(struct qn_threads *, const struct qn_sort_request *);

/* Sorts the columns of n rows of QN_SORT_ABREAST words, n > 0. */
void qn_sort_network_32(uint32_t *words, uint64_t n);
void qn_sort_network_64(uint64_t *words, uint64_t n);

enum {
    QN_SORT_ABREAST = 16,  /* short lines that a network sorts together */
    QN_SORT_NETWORK = 256, /* values that such a line has, at most */
    QN_SORT_BLOCK = 1024,  /* values that are converted at a time */
    QN_SORT_TEAM = 1 << 17 /* lines of so many values are sorted by all threads together */
};

#endif
