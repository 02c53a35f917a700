/* SPDX-License-Identifier: Apache-2.0
 * Random numbers, orders and splits that depend on a seed alone: not on the device, nor on the number of
 * threads, nor on the machine. docs/random.md says what they are made of.
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3;
 * SC '11): a function of a counter and a key. A seed is the key, low word first; a stream is the counter's
 * upper half, and the number of a block of four 32-bit words is its lower half. So there are 2^64 seeds, each
 * with 2^64 streams of 2^66 words, of which any can be had at once: nothing here has a state.
 *
 * Results are arrays as in quern/array.h: written where they name memory, made where they name none. */
#ifndef QUERN_RANDOM_H
#define QUERN_RANDOM_H

#include "quern/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The four words of one block. Any thread. */
QUERN_API void quern_random_philox(const uint32_t key[2], const uint32_t counter[4],
                                   uint32_t out[4]);

/* n words (UINT32) or numbers of 64 bits (UINT64; words 2 i and 2 i + 1, low first) of a stream, from the
 * first-th on. */
QUERN_API quern_status quern_random_bits(quern_context *context, uint64_t seed, uint64_t stream,
                                         uint64_t first, uint64_t n, quern_type type,
                                         quern_array *out);
/* n values of 0 <= x < 1: FLOAT64, the upper 53 bits of numbers, or FLOAT32, the upper 24 of words. */
QUERN_API quern_status quern_random_uniform(quern_context *context, uint64_t seed, uint64_t stream,
                                            uint64_t first, uint64_t n, quern_type type,
                                            quern_array *out);
/* n values of low <= x < high, INT64: low + the upper half of a number times (high - low), which favours no
 * value by more than (high - low) / 2^64. */
QUERN_API quern_status quern_random_integers(quern_context *context, uint64_t seed, uint64_t stream,
                                             uint64_t first, uint64_t n, int64_t low, int64_t high,
                                             quern_array *out);
/* The first k of 0 … n - 1 in random order, INT64: places sorted by the stream's first n numbers. */
QUERN_API quern_status quern_random_permutation(quern_context *context, uint64_t seed,
                                                uint64_t stream, uint64_t n, uint64_t k,
                                                quern_array *out);

/* The rows of a training and of a test set, INT64, each in random order, of n rows; n_train + n_test <= n.
 * labels: NULL, or an array of n values in host memory, in whose classes' proportions both sets are drawn.
 * Then every class needs two rows, and each set as many rows as there are classes. */
QUERN_API quern_status quern_random_split(quern_context *context, uint64_t seed, uint64_t n,
                                          uint64_t n_train, uint64_t n_test,
                                          const quern_array *labels, quern_array *train,
                                          quern_array *test);

#ifdef __cplusplus
}
#endif
#endif
