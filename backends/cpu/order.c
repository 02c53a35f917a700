/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/order.h"

#include "backends/cpu/isa.h"

enum {
    SMALL = 48,      /* sorted by insertion */
    BUCKETS = 2048,  /* of a histogram */
    WANTED = 64,     /* ranks, hence buckets, looked at in one go; with more, sorting is faster */
    SHORT_DIGIT = 8, /* bits that a sort looks at in a pass; their counts, and where values go, */
    LONG_DIGIT =
        11, /* … fit the caches: fewer passes where there are enough values for the counts */
    LONG_DIGITS_FROM = 4096,
    LONG_DIGITS_TO = 65536
};

/* A bucket that holds wanted ranks: its keys at spare[first .. at), how many keys are smaller, and
 * which ranks. */
struct wanted {
    size_t first, at;
    uint64_t below;
    size_t first_rank, n_ranks;
};

#define QN_SUFFIX u32
#define KEY uint32_t
#include "backends/cpu/order_body.h"
#undef QN_SUFFIX
#undef KEY
#define QN_SUFFIX u64
#define KEY uint64_t
#include "backends/cpu/order_body.h"
#undef QN_SUFFIX
#undef KEY
