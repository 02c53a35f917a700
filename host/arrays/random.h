/* SPDX-License-Identifier: Apache-2.0
 * Random orders, for splits. */
#ifndef QN_ARRAYS_RANDOM_H
#define QN_ARRAYS_RANDOM_H

#include "quern/random.h"

/* quern_random_permutation, with arguments that are known to be right. */
quern_status qn_random_order(quern_context *, const char *function, uint64_t seed, uint64_t stream,
                             uint64_t n, uint64_t k, quern_array *out);

#endif
