/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/times.h"

enum { PAIRS = 32 };

struct pair {
    struct qn_event *from, *to;
    int running;
};

struct qn_times {
    struct pair pairs[PAIRS];
    uint32_t next;
};

quern_status qn_times_open(const struct qn_driver *driver, struct qn_times **out)
{
    *out = NULL;
    if (!QN_HAS(driver, event_elapsed)) return QUERN_OK;
    *out = qn_zalloc(1, sizeof **out);
    return *out != NULL ? QUERN_OK : qn_error_memory("launch times", sizeof **out);
}

void qn_times_close(struct qn_times *times, const struct qn_driver *driver, struct qn_dev *dev)
{
    if (times == NULL) return;
    for (uint32_t i = 0; i < PAIRS; i++) {
        if (times->pairs[i].from != NULL) driver->event_close(dev, times->pairs[i].from);
        if (times->pairs[i].to != NULL) driver->event_close(dev, times->pairs[i].to);
    }
    qn_free(times);
}

/* Adds one pair's time; `wait`: even if that has to be waited for. */
static quern_status collect(struct pair *pair, struct qn_device *device, int wait)
{
    int done = 1;
    uint64_t ns = 0;
    if (!pair->running) return QUERN_OK;
    if (wait)
        QN_TRY(device->driver->event_wait(pair->to));
    else
        QN_TRY(device->driver->event_done(pair->to, &done));
    if (!done) return QUERN_OK;
    QN_TRY(device->driver->event_elapsed(pair->from, pair->to, &ns));
    device->ledger.kernel_ns += ns;
    pair->running = 0;
    return QUERN_OK;
}

quern_status qn_times_before(struct qn_times *times, struct qn_device *device,
                             struct qn_queue *queue)
{
    struct pair *pair = &times->pairs[times->next];
    QN_TRY(collect(pair, device, 1));
    if (pair->from == NULL) QN_TRY(device->driver->event_open(device->dev, &pair->from));
    if (pair->to == NULL) QN_TRY(device->driver->event_open(device->dev, &pair->to));
    return device->driver->event_record(queue, pair->from);
}

quern_status qn_times_after(struct qn_times *times, struct qn_device *device,
                            struct qn_queue *queue)
{
    struct pair *pair = &times->pairs[times->next];
    QN_TRY(device->driver->event_record(queue, pair->to));
    pair->running = 1;
    times->next = (times->next + 1) % PAIRS;
    return QUERN_OK;
}

quern_status qn_times_collect(struct qn_times *times, struct qn_device *device)
{
    for (uint32_t i = 0; i < PAIRS; i++) QN_TRY(collect(&times->pairs[i], device, 0));
    return QUERN_OK;
}
