/* SPDX-License-Identifier: Apache-2.0
 * Segregated-fit allocator of offsets (two-level size classes, two bitmap scans; constant time, as
 * in TLSF: Masmano et al., 2004). Pure bookkeeping: it never touches the memory it hands out.
 * Offsets and lengths count units of the pool's alignment. */
#ifndef QN_RANGE_H
#define QN_RANGE_H

#include "host/core/status.h"

/* When and by which queue a block was last used. epoch 0: never. */
struct qn_stamp {
    uint32_t queue; /* QN_STAMP_MANY: several queues; wait for all to be idle */
    uint64_t epoch;
};
#define QN_STAMP_MANY UINT32_MAX
#define QN_RANGE_NONE UINT32_MAX

struct qn_range;

/* What a take may use: returns 1 if a free block with this stamp may be taken at once. NULL: any. */
typedef int qn_range_ready_fn(void *user, struct qn_stamp stamp);

quern_status qn_range_open(uint32_t units, struct qn_range **out);
void qn_range_close(struct qn_range *);
/* A block of at least `units`, or QN_RANGE_NONE. Looks at a bounded number of candidates. */
uint32_t qn_range_take(struct qn_range *, uint32_t units, qn_range_ready_fn *ready, void *user,
                       struct qn_stamp *stamp);
void qn_range_give(struct qn_range *, uint32_t block, struct qn_stamp stamp);
uint32_t qn_range_offset(const struct qn_range *, uint32_t block);
uint32_t qn_range_length(const struct qn_range *, uint32_t block);
uint32_t qn_range_largest(const struct qn_range *);
int qn_range_idle(const struct qn_range *, struct qn_stamp *stamp); /* 1: nothing taken */
typedef void qn_range_walk_fn(void *user, uint32_t offset, uint32_t length, int used);
void qn_range_walk(const struct qn_range *, qn_range_walk_fn *, void *user);
int qn_range_check(const struct qn_range *); /* tests: 1 when every invariant holds */

#endif
