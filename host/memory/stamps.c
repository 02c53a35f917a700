/* SPDX-License-Identifier: Apache-2.0 */
#include "host/memory/stamps.h"

#include <string.h>

void qn_stamps_open(struct qn_stamps *s, const struct qn_driver *driver, struct qn_dev *dev,
                    const struct qn_caps *caps)
{
    memset(s, 0, sizeof *s);
    s->driver = driver;
    s->dev = dev;
    s->immediate = (caps->features & QN_FEATURE_ASYNC) == 0;
}

void qn_stamps_close(struct qn_stamps *s)
{
    for (uint32_t q = 0; q < s->n_queues; q++) {
        for (uint32_t m = 0; m < QN_STAMPS_MARKS; m++)
            if (s->queues[q].marks[m].event != NULL)
                s->driver->event_close(s->dev, s->queues[q].marks[m].event);
    }
    s->n_queues = 0;
}

quern_status qn_stamps_queue(struct qn_stamps *s, struct qn_queue *queue, uint32_t *number)
{
    if (s->n_queues == QN_STAMPS_QUEUES)
        return qn_error(QUERN_UNSUPPORTED, "a pool serves at most %d queues", QN_STAMPS_QUEUES);
    memset(&s->queues[s->n_queues], 0, sizeof s->queues[0]);
    s->queues[s->n_queues].queue = queue;
    *number = s->n_queues++;
    return QUERN_OK;
}

void qn_stamps_submitted(struct qn_stamps *s, uint32_t queue)
{
    s->queues[queue].submitted = ++s->clock;
    if (s->immediate) s->queues[queue].done = s->clock;
}

void qn_stamps_finished(struct qn_stamps *s, uint32_t queue)
{
    s->queues[queue].done = s->queues[queue].submitted;
}

struct qn_stamp qn_stamps_now(const struct qn_stamps *s, uint32_t queue)
{
    return (struct qn_stamp){queue, s->queues[queue].submitted};
}

/* How far queue `q` must be for the stamp to be over on it; 0: it took no part. */
static uint64_t goal(const struct qn_stamps *s, uint32_t q, struct qn_stamp stamp)
{
    if (stamp.queue != QN_STAMP_MANY) return stamp.queue == q ? stamp.epoch : 0;
    uint64_t submitted = s->queues[q].submitted;
    return submitted < stamp.epoch ? submitted : stamp.epoch;
}

int qn_stamps_ready(const struct qn_stamps *s, uint32_t queue, struct qn_stamp stamp)
{
    if (stamp.epoch == 0) return 1;
    for (uint32_t q = 0; q < s->n_queues; q++) {
        uint64_t must = goal(s, q, stamp);
        if (s->queues[q].done >= must) continue;
        if (q == queue) continue; /* in order behind it */
        if (queue == QN_STAMP_MANY || s->queues[queue].known[q] < must) return 0;
    }
    return 1;
}

/* A place for a new mark: one that has served, or NULL when all are still ahead. */
static struct qn_mark *vacant(struct qn_stamp_queue *queue)
{
    for (uint32_t m = 0; m < QN_STAMPS_MARKS; m++)
        if (queue->marks[m].epoch <= queue->done) return &queue->marks[m];
    return NULL;
}

static quern_status record(struct qn_stamps *s, struct qn_stamp_queue *queue, struct qn_mark *mark)
{
    mark->epoch = 0;
    if (mark->event == NULL) QN_TRY(s->driver->event_open(s->dev, &mark->event));
    QN_TRY(s->driver->event_record(queue->queue, mark->event));
    if (QN_HAS(s->driver, flush)) QN_TRY(s->driver->flush(queue->queue));
    mark->epoch = queue->submitted;
    return QUERN_OK;
}

/* The earliest mark at or behind `epoch`, made if there is none. With no vacant place the newest
 * mark moves on: the older ones still tell how far the queue has come. */
static quern_status mark_behind(struct qn_stamps *s, struct qn_stamp_queue *queue, uint64_t epoch,
                                struct qn_mark **out)
{
    struct qn_mark *best = NULL, *newest = &queue->marks[0];
    for (uint32_t m = 0; m < QN_STAMPS_MARKS; m++) {
        struct qn_mark *mark = &queue->marks[m];
        if (mark->epoch >= epoch && (best == NULL || mark->epoch < best->epoch)) best = mark;
        if (mark->epoch > newest->epoch) newest = mark;
    }
    if (best == NULL) {
        best = vacant(queue);
        if (best == NULL) best = newest;
        QN_TRY(record(s, queue, best));
    }
    *out = best;
    return QUERN_OK;
}

static quern_status poll_queue(struct qn_stamps *s, struct qn_stamp_queue *queue, int *moved)
{
    struct qn_mark *place = vacant(queue);
    uint64_t newest = 0;
    for (uint32_t m = 0; m < QN_STAMPS_MARKS; m++)
        if (queue->marks[m].epoch > newest) newest = queue->marks[m].epoch;
    if (newest < queue->submitted && place != NULL) QN_TRY(record(s, queue, place));
    for (uint32_t m = 0; m < QN_STAMPS_MARKS; m++) {
        int done = 0;
        if (queue->marks[m].epoch <= queue->done) continue;
        QN_TRY(s->driver->event_done(queue->marks[m].event, &done));
        if (!done) continue;
        queue->done = queue->marks[m].epoch;
        *moved = 1;
    }
    return QUERN_OK;
}

quern_status qn_stamps_poll(struct qn_stamps *s, int *moved)
{
    *moved = 0;
    for (uint32_t q = 0; q < s->n_queues; q++) {
        if (s->queues[q].done < s->queues[q].submitted) QN_TRY(poll_queue(s, &s->queues[q], moved));
    }
    return QUERN_OK;
}

quern_status qn_stamps_wait(struct qn_stamps *s, uint32_t queue, struct qn_stamp stamp)
{
    struct qn_stamp_queue *mine = &s->queues[queue];
    for (uint32_t q = 0; q < s->n_queues; q++) {
        uint64_t must = goal(s, q, stamp);
        struct qn_mark *behind;
        if (q == queue || s->queues[q].done >= must || mine->known[q] >= must) continue;
        QN_TRY(mark_behind(s, &s->queues[q], must, &behind));
        QN_TRY(s->driver->queue_wait(mine->queue, behind->event));
        mine->known[q] = behind->epoch;
    }
    return QUERN_OK;
}

quern_status qn_stamps_settle(struct qn_stamps *s)
{
    struct qn_failure first = {.status = QUERN_OK};
    for (uint32_t q = 0; q < s->n_queues; q++) {
        if (s->queues[q].done == s->queues[q].submitted) continue;
        quern_status status = s->driver->finish(s->queues[q].queue);
        if (status == QUERN_OK)
            qn_stamps_finished(s, q);
        else if (first.status == QUERN_OK)
            qn_error_take(&first, status);
    }
    return first.status == QUERN_OK ? QUERN_OK : qn_error_put(&first);
}
