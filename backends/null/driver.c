/* SPDX-License-Identifier: Apache-2.0
 * The null driver's table: every entry records the call, fails if told to, and does on host memory
 * what a device would. */
#include <stdio.h>
#include <string.h>

#include "backends/null/state.h"

static struct qn_null_state *const st = &qn_null;

/* ---- discovery ---- */

static quern_status device_count(uint32_t *count, const char **reason)
{
    quern_status status = qn_null_enter(QN_NULL_COUNT, 0, NULL, NULL);
    const char *why =
        st->config.reason != NULL ? st->config.reason : "no null device was asked for";
    *count = status == QUERN_OK && !st->config.absent ? st->config.devices : 0;
    if (reason != NULL) *reason = st->config.absent ? why : NULL;
    return qn_null_done(status);
}

static quern_status known(uint32_t index)
{
    uint32_t devices = st->config.absent ? 0 : st->config.devices;
    if (index < devices) return QUERN_OK;
    return qn_error(QUERN_NO_DEVICE, "null: there is no device %u, only %u", index, devices);
}

static quern_status device_caps(uint32_t index, struct qn_caps *out)
{
    quern_status status = qn_null_enter(QN_NULL_CAPS, 0, NULL, NULL);
    if (status == QUERN_OK) status = known(index);
    if (status == QUERN_OK) *out = st->config.caps;
    return qn_null_done(status);
}

static quern_status device_open(uint32_t index, struct qn_dev **out)
{
    quern_status status = qn_null_enter(QN_NULL_OPEN, 0, NULL, NULL);
    *out = NULL;
    if (status == QUERN_OK) status = known(index);
    if (status == QUERN_OK) {
        *out = qn_zalloc(1, sizeof **out);
        if (*out == NULL) status = qn_error_memory("null: a device", sizeof **out);
    }
    if (*out != NULL) {
        (*out)->index = index;
        st->live++;
    }
    return qn_null_done(status);
}

static void device_close(struct qn_dev *dev)
{
    if (dev == NULL) return;
    (void)qn_null_enter(QN_NULL_CLOSE, 0, NULL, NULL);
    if (dev->children != 0)
        qn_null_blame("close: %u objects of the device are still there", dev->children);
    st->live--;
    qn_free(dev);
    (void)qn_null_done(QUERN_OK);
}

/* ---- memory ---- */

void qn_null_adopt(struct qn_dev *dev)
{
    dev->children++;
    st->live++;
}

void qn_null_disown(struct qn_dev *dev)
{
    dev->children--;
    st->live--;
}

/* New blocks hold a pattern, not zeros, so that reading them before writing shows. Large ones are
 * marked at their ends only. */
static void soil(unsigned char *memory, uint64_t bytes)
{
    const size_t edge = 65536;
    if (bytes <= 2 * edge) {
        memset(memory, 0xCD, (size_t)bytes);
        return;
    }
    memset(memory, 0xCD, edge);
    memset(memory + bytes - edge, 0xCD, edge);
}

static quern_status give_memory(struct qn_raw *raw, uint64_t bytes)
{
    size_t align = st->config.caps.base_align, room;
    if (st->config.phantom || raw->missing) return QUERN_OK;
    if (bytes > SIZE_MAX || qn_add_size((size_t)bytes, align, &room) ||
        (raw->owned = qn_alloc(room, 1)) == NULL)
        return qn_error_memory("null: a block", bytes);
    uintptr_t start = ((uintptr_t)raw->owned + align - 1) & ~(uintptr_t)(align - 1);
    raw->memory = (unsigned char *)raw->owned + (start - (uintptr_t)raw->owned);
    soil(raw->memory, bytes);
    return QUERN_OK;
}

static quern_status make_block(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    int beyond = bytes > st->config.memory || st->live_bytes > st->config.memory - bytes;
    if (bytes == 0) return qn_error(QUERN_INVALID, "null: a block of 0 bytes was asked for");
    if (bytes > st->config.caps.max_alloc || (beyond && !st->config.lazy))
        return qn_error(QUERN_OUT_OF_MEMORY,
                        "null: a block of %llu bytes was asked for, of %llu bytes %llu are in use",
                        (unsigned long long)bytes, (unsigned long long)st->config.memory,
                        (unsigned long long)st->live_bytes);
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("null: a block's description", sizeof *raw);
    raw->dev = dev;
    raw->size = bytes;
    raw->missing = beyond;
    quern_status status = give_memory(raw, bytes);
    if (status != QUERN_OK) {
        qn_free(raw);
        return status;
    }
    qn_null_adopt(dev);
    st->live_bytes += bytes;
    *out = raw;
    return QUERN_OK;
}

static quern_status raw_alloc(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    quern_status status = qn_null_enter(QN_NULL_RAW_ALLOC, bytes, NULL, NULL);
    *out = NULL;
    if (status == QUERN_OK) status = make_block(dev, bytes, out);
    return qn_null_done(status);
}

static void raw_free(struct qn_dev *dev, struct qn_raw *raw)
{
    if (raw == NULL) return;
    (void)qn_null_enter(QN_NULL_RAW_FREE, raw->size, NULL, NULL);
    if (raw->users != 0) {
        qn_null_blame("raw_free: %llu queued pieces of work still use the block",
                      (unsigned long long)raw->users);
        for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++)
            if (st->queues[i] != NULL) qn_null_drain(st->queues[i], st->queues[i]->submitted);
    }
    if (raw->dev != dev) qn_null_blame("raw_free: a block of another device");
    if (raw->owned != NULL || raw->memory == NULL) st->live_bytes -= raw->size;
    qn_null_disown(raw->dev);
    qn_free(raw->owned);
    qn_free(raw);
    (void)qn_null_done(QUERN_OK);
}

static quern_status raw_wrap(struct qn_dev *dev, void *memory, uint64_t bytes, int write,
                             struct qn_raw **out)
{
    (void)write;
    quern_status status = qn_null_enter(QN_NULL_RAW_WRAP, bytes, NULL, NULL);
    *out = NULL;
    if (status != QUERN_OK) return qn_null_done(status);
    if (memory == NULL || bytes == 0)
        return qn_null_done(qn_error(QUERN_INVALID, "null: wrapping needs memory and a size"));
    if ((st->config.caps.features & QN_FEATURE_WRAP) == 0)
        return qn_null_done(qn_error(QUERN_UNSUPPORTED, "null: the device wraps no memory"));
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL)
        return qn_null_done(qn_error_memory("null: a block's description", sizeof *raw));
    raw->dev = dev;
    raw->size = bytes;
    raw->memory = memory;
    qn_null_adopt(dev);
    *out = raw;
    return qn_null_done(QUERN_OK);
}

static quern_status pinned_alloc(struct qn_dev *dev, uint64_t bytes, void **out)
{
    quern_status status = qn_null_enter(QN_NULL_PINNED_ALLOC, bytes, NULL, NULL);
    *out = NULL;
    if (status == QUERN_OK && (bytes == 0 || bytes > SIZE_MAX))
        status = qn_error(QUERN_INVALID, "null: %llu bytes of pinned memory were asked for",
                          (unsigned long long)bytes);
    if (status == QUERN_OK) {
        *out = qn_alloc_aligned((size_t)bytes, 1);
        if (*out == NULL)
            status = qn_error_memory("null: pinned memory", bytes);
        else
            qn_null_adopt(dev);
    }
    return qn_null_done(status);
}

static void pinned_free(struct qn_dev *dev, void *memory)
{
    if (memory == NULL) return;
    (void)qn_null_enter(QN_NULL_PINNED_FREE, 0, NULL, NULL);
    qn_null_disown(dev);
    qn_free(memory);
    (void)qn_null_done(QUERN_OK);
}

static void *raw_pointer(struct qn_raw *raw)
{
    return (st->config.caps.features & QN_FEATURE_HOST_MEMORY) != 0 ? raw->memory : NULL;
}

/* ---- queues ---- */

static quern_status make_queue(struct qn_dev *dev, struct qn_queue **out)
{
    uint32_t number = 0;
    while (number < QN_NULL_MAX_QUEUES && st->queues[number] != NULL) number++;
    if (number == QN_NULL_MAX_QUEUES)
        return qn_error(QUERN_OUT_OF_MEMORY, "null: %d queues are open", QN_NULL_MAX_QUEUES);
    struct qn_queue *queue = qn_zalloc(1, sizeof *queue);
    if (queue == NULL) return qn_error_memory("null: a queue", sizeof *queue);
    queue->dev = dev;
    queue->number = number;
    queue->last = &queue->first;
    st->queues[number] = queue;
    qn_null_adopt(dev);
    *out = queue;
    return QUERN_OK;
}

static quern_status queue_open(struct qn_dev *dev, struct qn_queue **out)
{
    quern_status status = qn_null_enter(QN_NULL_QUEUE_OPEN, 0, NULL, NULL);
    *out = NULL;
    if (status == QUERN_OK) status = make_queue(dev, out);
    return qn_null_done(status);
}

/* Events and waits that name the queue count as done from here on. */
static void settle(const struct qn_queue *queue)
{
    for (struct qn_event *e = st->events; e != NULL; e = e->next)
        if (e->queue == queue) e->queue = NULL;
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++) {
        if (st->queues[i] == NULL) continue;
        for (struct qn_work *w = st->queues[i]->first; w != NULL; w = w->next)
            if (w->after_queue == queue) w->after_queue = NULL;
    }
}

static void queue_close(struct qn_dev *dev, struct qn_queue *queue)
{
    if (queue == NULL) return;
    (void)qn_null_enter(QN_NULL_QUEUE_CLOSE, 0, queue, NULL);
    if (queue->first != NULL) qn_null_blame("queue_close: the queue still has work");
    qn_null_drain(queue, queue->submitted);
    settle(queue);
    st->queues[queue->number] = NULL;
    qn_null_disown(dev);
    qn_free(queue);
    (void)qn_null_done(QUERN_OK);
}

/* Submits, and with QN_WAIT empties the queue and tells what failed. */
static quern_status submit(struct qn_queue *queue, const struct qn_work *work, enum qn_wait wait)
{
    QN_TRY(qn_null_submit(queue, work));
    if (wait != QN_WAIT) return QUERN_OK;
    qn_null_drain(queue, queue->submitted);
    return qn_null_outcome(queue);
}

static quern_status upload(struct qn_queue *queue, struct qn_view to, const void *from,
                           enum qn_wait wait)
{
    quern_status status = qn_null_enter(QN_NULL_UPLOAD, to.size, queue, NULL);
    struct qn_work work = {.op = QN_NULL_UPLOAD, .to = to, .host_from = from};
    if (status == QUERN_OK && to.size != 0) status = qn_null_view_check("upload", to);
    if (status == QUERN_OK && to.size != 0) status = submit(queue, &work, wait);
    return qn_null_done(status);
}

static quern_status download(struct qn_queue *queue, void *to, struct qn_view from,
                             enum qn_wait wait)
{
    quern_status status = qn_null_enter(QN_NULL_DOWNLOAD, from.size, queue, NULL);
    struct qn_work work = {.op = QN_NULL_DOWNLOAD, .from = from, .host_to = to};
    if (status == QUERN_OK && from.size != 0) status = qn_null_view_check("download", from);
    if (status == QUERN_OK && from.size != 0) status = submit(queue, &work, wait);
    return qn_null_done(status);
}

static quern_status check_copy(struct qn_view to, struct qn_view from)
{
    if (to.size != from.size)
        return qn_error(QUERN_INVALID, "null: a copy of %llu bytes into %llu",
                        (unsigned long long)from.size, (unsigned long long)to.size);
    if (to.size == 0) return QUERN_OK;
    QN_TRY(qn_null_view_check("copy, source", from));
    QN_TRY(qn_null_view_check("copy, target", to));
    if (to.raw == from.raw && to.offset < from.offset + from.size &&
        from.offset < to.offset + to.size)
        return qn_error(QUERN_INVALID, "null: a copy of %llu bytes onto itself",
                        (unsigned long long)to.size);
    return QUERN_OK;
}

static quern_status copy(struct qn_queue *queue, struct qn_view to, struct qn_view from)
{
    quern_status status = qn_null_enter(QN_NULL_COPY, to.size, queue, NULL);
    struct qn_work work = {.op = QN_NULL_COPY, .to = to, .from = from};
    if (status == QUERN_OK) status = check_copy(to, from);
    if (status == QUERN_OK && to.size != 0) status = submit(queue, &work, QN_NO_WAIT);
    return qn_null_done(status);
}

static quern_status fill(struct qn_queue *queue, struct qn_view to, uint32_t pattern)
{
    quern_status status = qn_null_enter(QN_NULL_FILL, to.size, queue, NULL);
    struct qn_work work = {.op = QN_NULL_FILL, .to = to, .pattern = pattern};
    if (status == QUERN_OK && (to.size % 4 != 0 || to.offset % 4 != 0))
        status = qn_error(QUERN_INVALID, "null: a fill of %llu bytes at %llu is not whole words",
                          (unsigned long long)to.size, (unsigned long long)to.offset);
    if (status == QUERN_OK && to.size != 0) status = qn_null_view_check("fill", to);
    if (status == QUERN_OK && to.size != 0) status = submit(queue, &work, QN_NO_WAIT);
    return qn_null_done(status);
}

static quern_status flush(struct qn_queue *queue)
{
    return qn_null_done(qn_null_enter(QN_NULL_FLUSH, 0, queue, NULL));
}

static quern_status finish(struct qn_queue *queue)
{
    quern_status status = qn_null_enter(QN_NULL_FINISH, 0, queue, NULL);
    if (status == QUERN_OK) {
        qn_null_drain(queue, queue->submitted);
        status = qn_null_outcome(queue);
    }
    return qn_null_done(status);
}

/* ---- events ---- */

static quern_status event_open(struct qn_dev *dev, struct qn_event **out)
{
    quern_status status = qn_null_enter(QN_NULL_EVENT_OPEN, 0, NULL, NULL);
    *out = NULL;
    if (status != QUERN_OK) return qn_null_done(status);
    struct qn_event *event = qn_zalloc(1, sizeof *event);
    if (event == NULL) return qn_null_done(qn_error_memory("null: an event", sizeof *event));
    event->dev = dev;
    event->next = st->events;
    st->events = event;
    qn_null_adopt(dev);
    *out = event;
    return qn_null_done(QUERN_OK);
}

static void event_close(struct qn_dev *dev, struct qn_event *event)
{
    if (event == NULL) return;
    (void)qn_null_enter(QN_NULL_EVENT_CLOSE, 0, event->queue, NULL);
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++) {
        if (st->queues[i] == NULL) continue;
        for (struct qn_work *w = st->queues[i]->first; w != NULL; w = w->next)
            if (w->event == event) w->event = NULL;
    }
    for (struct qn_event **at = &st->events; *at != NULL; at = &(*at)->next) {
        if (*at == event) {
            *at = event->next;
            break;
        }
    }
    qn_null_disown(dev);
    qn_free(event);
    (void)qn_null_done(QUERN_OK);
}

static quern_status event_record(struct qn_queue *queue, struct qn_event *event)
{
    quern_status status = qn_null_enter(QN_NULL_EVENT_RECORD, 0, queue, NULL);
    struct qn_work work = {.op = QN_NULL_EVENT_RECORD, .event = event};
    if (status == QUERN_OK) {
        event->queue = queue;
        event->at = queue->submitted + 1;
        event->recorded = 1;
        status = submit(queue, &work, QN_NO_WAIT);
    }
    return qn_null_done(status);
}

static quern_status event_done(struct qn_event *event, int *done)
{
    quern_status status = qn_null_enter(QN_NULL_EVENT_DONE, 0, event->queue, NULL);
    *done = status == QUERN_OK && qn_null_reached(event->queue, event->at);
    return qn_null_done(status);
}

static quern_status event_wait(struct qn_event *event)
{
    quern_status status = qn_null_enter(QN_NULL_EVENT_WAIT, 0, event->queue, NULL);
    if (status == QUERN_OK && event->queue != NULL) {
        qn_null_drain(event->queue, event->at);
        status = qn_null_outcome(event->queue);
    }
    return qn_null_done(status);
}

static quern_status queue_wait(struct qn_queue *queue, struct qn_event *event)
{
    quern_status status = qn_null_enter(QN_NULL_QUEUE_WAIT, 0, queue, NULL);
    struct qn_work work = {
        .op = QN_NULL_QUEUE_WAIT, .after_queue = event->queue, .after = event->at};
    if (status == QUERN_OK && event->queue != NULL) status = submit(queue, &work, QN_NO_WAIT);
    return qn_null_done(status);
}

static quern_status event_elapsed(struct qn_event *from, struct qn_event *to, uint64_t *ns)
{
    quern_status status = qn_null_enter(QN_NULL_EVENT_ELAPSED, 0, NULL, NULL);
    *ns = 0;
    if (status == QUERN_OK &&
        (!from->recorded || !to->recorded || !qn_null_reached(from->queue, from->at) ||
         !qn_null_reached(to->queue, to->at)))
        status = qn_error(QUERN_INVALID, "null: the time of an event that is not done");
    if (status == QUERN_OK) *ns = to->ns > from->ns ? to->ns - from->ns : 0;
    return qn_null_done(status);
}

const struct qn_driver qn_driver_null = {
    .struct_size = sizeof(struct qn_driver),
    .abi = QN_DRIVER_ABI,
    .name = "null",
    .count = device_count,
    .caps = device_caps,
    .open = device_open,
    .close = device_close,
    .raw_alloc = raw_alloc,
    .raw_free = raw_free,
    .pinned_alloc = pinned_alloc,
    .pinned_free = pinned_free,
    .raw_wrap = raw_wrap,
    .queue_open = queue_open,
    .queue_close = queue_close,
    .upload = upload,
    .download = download,
    .copy = copy,
    .fill = fill,
    .flush = flush,
    .finish = finish,
    .event_open = event_open,
    .event_close = event_close,
    .event_record = event_record,
    .event_done = event_done,
    .event_wait = event_wait,
    .queue_wait = queue_wait,
    .event_elapsed = event_elapsed,
    .compile = qn_null_compile,
    .module_free = qn_null_module_free,
    .image_save = qn_null_image_save,
    .image_load = qn_null_image_load,
    .kernel_get = qn_null_kernel_get,
    .launch = qn_null_launch,
    .raw_pointer = raw_pointer,
};
