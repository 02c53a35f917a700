/* SPDX-License-Identifier: Apache-2.0
 * Pinned staging: a ring of page-locked blocks per direction through which pageable memory goes to
 * and from a device, so that copying in, the bus and kernels overlap. Without pinned memory
 * (drivers that lack it) blocks are ordinary; with host-memory devices the ring is skipped. */
#ifndef QN_STAGING_H
#define QN_STAGING_H

#include "host/memory/ledger.h"
#include "host/memory/pool.h"

struct qn_staging;

/* blocks of `block` bytes (0: 8 MiB), `depth` of them (0: 3). */
quern_status qn_staging_open(const struct qn_driver *, struct qn_dev *, const struct qn_caps *,
                             uint64_t block, uint32_t depth, struct qn_staging **out);
void qn_staging_close(struct qn_staging *);

/* Copies `rows` pieces of `bytes` each, `from_stride` apart on the host (bytes == from_stride: one
 * run), packed into `to`. Returns when the host memory may change; the device may still be busy. */
quern_status qn_staging_upload(struct qn_staging *, struct qn_threads *, struct qn_queue *,
                               struct qn_view to, const void *from, uint64_t rows, uint64_t bytes,
                               int64_t from_stride, struct qn_ledger *, enum qn_traffic);
/* The reverse; returns when the bytes have arrived. */
quern_status qn_staging_download(struct qn_staging *, struct qn_threads *, struct qn_queue *,
                                 void *to, uint64_t rows, uint64_t bytes, int64_t to_stride,
                                 struct qn_view from, struct qn_ledger *, enum qn_traffic);

#endif
