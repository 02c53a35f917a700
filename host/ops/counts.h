/* SPDX-License-Identifier: Apache-2.0
 * Values counted in bins, as plain data. Backends see this file. */
#ifndef QN_COUNTS_H
#define QN_COUNTS_H

#include "host/ops/arrays.h"

enum { QN_COUNTS_BLOCK = 1 << 16 }; /* values, and bins, up to which weights are added by blocks */

/* All values of `in`, line by line. With edges (n_bins + 1, ascending, host) in bin i where
 * edges[i] <= x < edges[i + 1], the last edge included; without, integers, of which x is in bin x. Other
 * values count nowhere. counts: ADDED to. sums: not NULL: of weights, instead of counts. */
struct qn_counts_request {
    struct qn_lines in;
    const double *edges;
    uint64_t n_bins;
    int64_t *counts;
    const double *weights; /* host, packed */
    double *sums;
};

quern_status qn_op_counts(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_counts_request *, struct qn_outcome *);
quern_status qn_cpu_counts(struct qn_threads *, const struct qn_counts_request *);

#endif
