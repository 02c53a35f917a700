/* SPDX-License-Identifier: Apache-2.0
 * The device-memory pool: slabs from the driver, a segregated-fit range allocator on the host, and
 * (queue, epoch) stamps so that a block is reused without waiting. Handles, never addresses, so one
 * pool serves CUdeviceptr, cl_mem and host memory alike.
 *
 * Taking a block, in order: a fitting block that this queue used last or whose user is known to be
 * done; a new slab while the limit permits (halved on failure down to the request); a block whose
 * last user is still busy, after making this queue wait for it; idle slabs handed back and tried
 * again; the caller's on_full, once; QUERN_OUT_OF_MEMORY with wanted, used, held, limit, largest
 * free block and slabs in the sentence. Requests above half a slab get a slab of their own; no slab
 * exceeds the device's largest allocation.
 *
 * Thread class: one mutex per pool; any thread. */
#ifndef QN_POOL_H
#define QN_POOL_H

#include "host/device/driver.h"

struct qn_pool;

struct qn_pool_config { /* zero: the default                                                  */
    uint64_t limit;     /* never hold more than this; 0: no limit                             */
    uint64_t slab;      /* growth step, 64 MiB; clipped to caps.max_alloc                      */
    uint64_t keep;      /* trim leaves this much cached                                        */
    uint32_t poison;    /* 1: released blocks are filled with 0xA5                              */
    uint64_t fail_at;   /* tests: the n-th take fails                                          */
    int (*on_full)(void *user, uint64_t wanted); /* nonzero: something was freed, try again      */
    void *user;
};

struct qn_span {
    struct qn_view view; /* offset is a multiple of the pool's alignment (max(256, base_align)) */
    uint64_t granted;    /* rounded size                                                        */
    uint32_t slab, block, generation; /* a stale handle is refused, not obeyed                   */
};

struct qn_gauge {
    uint64_t now, peak, total;
};
struct qn_pool_stats {
    struct qn_gauge held;  /* bytes obtained from the driver                                    */
    struct qn_gauge used;  /* bytes granted                                                     */
    struct qn_gauge asked; /* bytes asked for                                                   */
    uint64_t largest_free, limit;
    uint64_t slabs, takes, fresh, same_queue, other_queue_done, other_queue_wait;
    uint64_t grows, trims, retries, failures;
    uint64_t refused; /* gives of a span that is not out: a second give, a stale copy            */
};

/* queue ids are small numbers given by the caller per driver queue (0 … 7), see qn_pool_queue. */
quern_status qn_pool_open(const struct qn_driver *, struct qn_dev *, const struct qn_caps *,
                          const struct qn_pool_config *, struct qn_pool **out);
quern_status qn_pool_close(struct qn_pool *); /* QUERN_BUSY with the count when blocks are out */
/* Makes a queue known: its number is what take and give name. */
quern_status qn_pool_queue(struct qn_pool *, struct qn_queue *, uint32_t *number);
/* The caller tells after each batch of work submitted to a queue. */
void qn_pool_submitted(struct qn_pool *, uint32_t queue);
/* After qn_driver.finish on a queue: everything stamped so far is done. */
void qn_pool_finished(struct qn_pool *, uint32_t queue);

/* Makes `queue` run after everything submitted to `other`; remembered, so that blocks that `other`
 * gave back before are `queue`'s to take at once. */
quern_status qn_pool_order(struct qn_pool *, uint32_t queue, uint32_t other);

quern_status qn_pool_take(struct qn_pool *, uint32_t queue, uint64_t size, struct qn_span *out);
void qn_pool_give(struct qn_pool *, uint32_t queue, struct qn_span *span); /* clears the span */
uint64_t qn_pool_trim(struct qn_pool *, uint64_t keep);                    /* bytes handed back */
void qn_pool_stats(struct qn_pool *, struct qn_pool_stats *out);
void qn_pool_reset_peaks(struct qn_pool *);
/* A walk over every range: the dump. */
typedef void qn_pool_walk_fn(void *user, uint32_t slab, uint64_t offset, uint64_t size, int used);
void qn_pool_walk(struct qn_pool *, qn_pool_walk_fn *, void *user);

#endif
