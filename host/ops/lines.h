/* SPDX-License-Identifier: Apache-2.0
 * What the operations on arrays share: reasons against lines, and the keys of lines, sorted on a device. */
#ifndef QN_OPS_LINES_H
#define QN_OPS_LINES_H

#include "host/ops/arrays.h"
#include "host/ops/impl.h"
#include "host/ops/job.h"

const char *qn_refuse_host_lines(const struct qn_lines *);
const char *qn_refuse_device_lines(const struct qn_device *, const struct qn_lines *);

/* Elements as kernels/sort.k.h has them, on a device. */
struct qn_planes {
    struct qn_view words; /* plane p begins at word p * pitch */
    uint64_t pitch, n;
    uint32_t n_planes, place; /* place: the plane of places; 0: there is none */
};
/* How many groups a launch over n elements has, and how many elements each. */
uint64_t qn_lines_groups(const struct qn_device *, uint64_t n, uint64_t *chunk);
/* Keys of all lines, sorted line by line; flags as QN_SORT_*. Takes memory of the job, in which it
 * stays. n != 0. */
quern_status qn_lines_sort(struct qn_job *, const struct qn_lines *, uint32_t flags, int places,
                           struct qn_planes *out);
/* starts[i] becomes the sum of counts[0 … i). sums has room for a count per 1024. */
quern_status qn_lines_scan(struct qn_job *, struct qn_view counts, uint64_t n, struct qn_view sums,
                           struct qn_view starts);
uint64_t qn_lines_scan_sums(uint64_t n); /* bytes of sums */

#endif
