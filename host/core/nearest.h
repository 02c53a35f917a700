/* SPDX-License-Identifier: Apache-2.0
 * The nearest valid word for a misspelt one, by edit distance with transpositions (Damerau 1964,
 * the restricted form); for error messages. */
#ifndef QN_NEAREST_H
#define QN_NEAREST_H

#include <stddef.h>

/* words[i] for i in [0, n): the nearest to `word` within a third of its length (at least 2 edits),
 * or NULL. Case differences cost nothing. */
const char *qn_nearest(const char *word, const char *const *words, size_t n);

/* The tail of a message: "; did you mean \"x\"?" or "" written to out. */
const char *qn_did_you_mean(char *out, size_t size, const char *word, const char *const *words,
                            size_t n);

#endif
