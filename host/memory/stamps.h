/* SPDX-License-Identifier: Apache-2.0
 * Who used a block last, and is it over? One clock counts submissions to all queues of a device; a
 * stamp is (queue, time of its latest submission). Because the clock is common, a stamp that covers
 * several queues needs one number too: it is over when every queue has passed it.
 *
 * Events are made only when a crossing between queues is looked at, never per submission. What a
 * queue was told to wait for is remembered, so that it is not told twice. Not locked: the pool is. */
#ifndef QN_STAMPS_H
#define QN_STAMPS_H

#include "host/device/driver.h"
#include "host/memory/range.h"

enum { QN_STAMPS_QUEUES = 8, QN_STAMPS_MARKS = 4 };

struct qn_mark { /* an event that ends everything submitted up to `epoch` */
    struct qn_event *event;
    uint64_t epoch; /* 0: not recorded */
};

struct qn_stamp_queue {
    struct qn_queue *queue;
    uint64_t submitted, done;         /* clock values */
    uint64_t known[QN_STAMPS_QUEUES]; /* this queue runs after those of the others */
    struct qn_mark marks[QN_STAMPS_MARKS];
};

struct qn_stamps {
    const struct qn_driver *driver;
    struct qn_dev *dev;
    int immediate; /* the driver's queues never run behind the host */
    uint64_t clock;
    uint32_t n_queues;
    struct qn_stamp_queue queues[QN_STAMPS_QUEUES];
};

void qn_stamps_open(struct qn_stamps *, const struct qn_driver *, struct qn_dev *,
                    const struct qn_caps *);
void qn_stamps_close(struct qn_stamps *);
quern_status qn_stamps_queue(struct qn_stamps *, struct qn_queue *, uint32_t *number);
void qn_stamps_submitted(struct qn_stamps *, uint32_t queue);
void qn_stamps_finished(struct qn_stamps *, uint32_t queue);
/* The stamp of a block that `queue` used until now. */
struct qn_stamp qn_stamps_now(const struct qn_stamps *, uint32_t queue);

/* 1: `queue` may use a block with this stamp at once. queue QN_STAMP_MANY: anybody may, its last use is over. */
int qn_stamps_ready(const struct qn_stamps *, uint32_t queue, struct qn_stamp);
/* Looks, without waiting, how far the queues are; 1 when one has moved. */
quern_status qn_stamps_poll(struct qn_stamps *, int *moved);
/* Makes `queue` wait for a stamp's users; the host does not. */
quern_status qn_stamps_wait(struct qn_stamps *, uint32_t queue, struct qn_stamp);
/* The host waits until every queue is idle; a queue that fails does not keep the others. */
quern_status qn_stamps_settle(struct qn_stamps *);

#endif
