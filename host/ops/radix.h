/* SPDX-License-Identifier: Apache-2.0
 * One radix pass over resident data, for the histogram and the selection. */
#ifndef QN_RADIX_H
#define QN_RADIX_H

#include "host/ops/job.h"

struct qn_radix_pass {
    const struct qn_batch *batch;
    struct qn_view table;
    uint32_t n_targets, shift, bits;
    const uint64_t *prefix; /* [lane * n_targets + t], UINT64_MAX: not wanted */
    uint64_t *counts;       /* added to: [(lane * n_targets + t) << bits]     */
};

enum { QN_RADIX_LOCAL_BINS = 4096 }; /* as kernels/histogram.k.h */

quern_status qn_radix_run(struct qn_device *, uint32_t queue, const struct qn_radix_pass *);

/* Why these lanes have no keys; NULL: they have. */
const char *qn_radix_refuse(const struct qn_device *, const struct qn_batch *);
uint32_t qn_radix_key_bits(const struct qn_batch *); /* 32 or 64, by the first lane */

#endif
