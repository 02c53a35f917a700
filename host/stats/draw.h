/* SPDX-License-Identifier: Apache-2.0
 * Rows drawn as numpy.random.RandomState draws them, so that a seed means the same rows as in scikit-learn.
 * RandomState's numbers and what it makes of them are frozen (NEP 19): MT19937 (M. Matsumoto, T. Nishimura,
 * Mersenne Twister, ACM TOMACS 8, 1998), numbers below a bound by masks and rejection.
 *
 * What is learned of rows does not depend on their order, so that draws give rows in ascending order. */
#ifndef QN_DRAW_H
#define QN_DRAW_H

#include <stdint.h>

#include "host/core/status.h"

enum { QN_TWISTER_WORDS = 624, QN_TWISTER_STATE = QN_TWISTER_WORDS + 1 };

/* at: how many of the words have been used. */
struct qn_twister {
    uint32_t key[QN_TWISTER_WORDS];
    uint32_t at;
};

void qn_twister_seed(struct qn_twister *, uint32_t seed); /* RandomState(seed) */

/* Each writes n of the rows [0, rows), ascending, and moves the generator on as far as NumPy does. OUT_OF_MEMORY.
 * rows <= QN_DRAW_MOST. */
#define QN_DRAW_MOST 0x7fffffffu
/* The first n places of RandomState.shuffle(arange(rows)); n <= rows. */
quern_status qn_draw_without(struct qn_twister *, uint32_t rows, uint32_t n, uint32_t *drawn);
/* RandomState.choice(rows, n); rows != 0. */
quern_status qn_draw_with(struct qn_twister *, uint32_t rows, uint32_t n, uint32_t *drawn);
/* RandomState.choice(rows, n, p=weights / weights.sum()); weights are finite, 0 or more, and not all 0. */
quern_status qn_draw_weighted(struct qn_twister *, const double *weights, uint32_t rows, uint32_t n,
                              uint32_t *drawn);

#endif
