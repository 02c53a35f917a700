/* SPDX-License-Identifier: Apache-2.0
 * Random values and orders, as plain data (kernels/philox.h has the generator), and the operations.
 * Backends see this file. */
#ifndef QN_OPS_RANDOM_H
#define QN_OPS_RANDOM_H

#include "host/ops/arrays.h"
#include "kernels/philox.h"

/* One line: BITS in UINT32 or UINT64; UNIFORM in FLOAT32 (a word's upper 24 bits times 2^-24) or FLOAT64 (a
 * number's upper 53 times 2^-53); INTEGERS in INT64: low and the upper half of number times range. Value i
 * is made of word, or number, first + i. */
struct qn_random_request {
    struct qn_lines out;
    uint64_t seed, stream, first, low, range;
    uint32_t kind; /* QN_RANDOM_* */
};

/* One line of INT64: the first out.n places of 0 … n - 1 in the order of the stream's numbers 0 … n - 1; of
 * equal ones the lower place. */
struct qn_permutation_request {
    struct qn_lines out;
    uint64_t seed, stream, n;
};

quern_status qn_op_random(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_random_request *, struct qn_outcome *);
quern_status qn_op_permutation(struct qn_device *, struct qn_threads *, uint32_t queue,
                               const struct qn_permutation_request *, struct qn_outcome *);

/* What the CPU backend offers, for lines in host memory. */
quern_status qn_cpu_random(struct qn_threads *, const struct qn_random_request *);
quern_status qn_cpu_permutation(struct qn_threads *, const struct qn_permutation_request *);

#endif
