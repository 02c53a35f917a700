/* SPDX-License-Identifier: Apache-2.0
 * In-order queues, transfers and events. clFinish says that a queue is empty, not that its commands
 * succeeded, so a queue keeps the events of its latest commands and looks at them before it forgets
 * them and when it is waited for. */
#include <string.h>

#include "backends/opencl/opencl.h"

/* ---- queues ---- */

quern_status qn_cl_queue_open(struct qn_dev *dev, struct qn_queue **out)
{
    cl_int code = CL_SUCCESS;
    *out = NULL;
    struct qn_queue *queue = qn_zalloc(1, sizeof *queue);
    if (queue == NULL) return qn_error_memory("opencl: a queue", sizeof *queue);
    queue->dev = dev;
    queue->queue =
        qn_cl.clCreateCommandQueue(dev->context, dev->device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (queue->queue == NULL || code != CL_SUCCESS) {
        qn_free(queue);
        return qn_cl_fail(QN_CL_ASKING, code, "clCreateCommandQueue", "a queue on %s",
                          dev->device->caps.name);
    }
    queue->next = dev->queues;
    dev->queues = queue;
    *out = queue;
    return QUERN_OK;
}

/* The command's code if it failed, else 0. A running command has not failed yet. */
static cl_int failure_of(cl_event event)
{
    cl_int state = CL_COMPLETE;
    cl_int code =
        qn_cl.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (code != CL_SUCCESS) return code;
    return state < 0 ? state : CL_SUCCESS;
}

static void forget_oldest(struct qn_queue *queue)
{
    cl_event event = queue->recent[queue->oldest];
    cl_int code = failure_of(event);
    if (queue->failed == CL_SUCCESS) queue->failed = code;
    (void)qn_cl.clReleaseEvent(event);
    queue->oldest = (queue->oldest + 1) % QN_CL_RECENT;
    queue->n_recent--;
}

void qn_cl_queue_keep(struct qn_queue *queue, cl_event event)
{
    if (event == NULL) return;
    if (queue->n_recent == QN_CL_RECENT) forget_oldest(queue);
    queue->recent[(queue->oldest + queue->n_recent) % QN_CL_RECENT] = event;
    queue->n_recent++;
}

void qn_cl_queue_close(struct qn_dev *dev, struct qn_queue *queue)
{
    if (queue == NULL) return;
    (void)qn_cl.clFinish(queue->queue);
    while (queue->n_recent != 0) forget_oldest(queue);
    for (struct qn_queue **at = &dev->queues; *at != NULL; at = &(*at)->next) {
        if (*at == queue) {
            *at = queue->next;
            break;
        }
    }
    (void)qn_cl.clReleaseCommandQueue(queue->queue);
    qn_free(queue);
}

quern_status qn_cl_flush(struct qn_queue *queue)
{
    cl_int code = qn_cl.clFlush(queue->queue);
    if (code == CL_SUCCESS) return QUERN_OK;
    return qn_cl_fail(QN_CL_WAITING, code, "clFlush", "starting a queue's work");
}

quern_status qn_cl_finish(struct qn_queue *queue)
{
    cl_int code = qn_cl.clFinish(queue->queue);
    while (queue->n_recent != 0) forget_oldest(queue);
    cl_int failed = queue->failed;
    queue->failed = CL_SUCCESS;
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_WAITING, code, "clFinish", "waiting for a queue");
    if (failed != CL_SUCCESS)
        return qn_cl_fail(QN_CL_WAITING, failed, "a queued command", "waiting for a queue on %s",
                          queue->dev->device->caps.name);
    return QUERN_OK;
}

/* ---- transfers ---- */

/* After a blocking command everything before it is done too; what failed there must not wait for
 * the next finish to be told. */
static quern_status enqueued(struct qn_queue *queue, cl_int code, cl_event event, int waited,
                             const char *call, const char *what, uint64_t bytes)
{
    if (code == CL_SUCCESS) qn_cl_queue_keep(queue, event);
    if (code == CL_SUCCESS && waited) {
        while (queue->n_recent != 0) forget_oldest(queue);
        code = queue->failed;
        queue->failed = CL_SUCCESS;
    }
    if (code == CL_SUCCESS) return QUERN_OK;
    return qn_cl_fail(waited ? QN_CL_WAITING : QN_CL_ASKING, code, call, "%s %llu bytes", what,
                      (unsigned long long)bytes);
}

quern_status qn_cl_upload(struct qn_queue *queue, struct qn_view to, const void *from,
                          enum qn_wait wait)
{
    if (to.size == 0) return wait == QN_WAIT ? qn_cl_finish(queue) : QUERN_OK;
    QN_TRY(qn_cl_view_check("an upload", to));
    cl_event event = NULL;
    cl_int code =
        qn_cl.clEnqueueWriteBuffer(queue->queue, to.raw->mem, wait == QN_WAIT, (size_t)to.offset,
                                   (size_t)to.size, from, 0, NULL, &event);
    return enqueued(queue, code, event, wait == QN_WAIT, "clEnqueueWriteBuffer", "uploading",
                    to.size);
}

quern_status qn_cl_download(struct qn_queue *queue, void *to, struct qn_view from,
                            enum qn_wait wait)
{
    if (from.size == 0) return wait == QN_WAIT ? qn_cl_finish(queue) : QUERN_OK;
    QN_TRY(qn_cl_view_check("a download", from));
    cl_event event = NULL;
    cl_int code =
        qn_cl.clEnqueueReadBuffer(queue->queue, from.raw->mem, wait == QN_WAIT, (size_t)from.offset,
                                  (size_t)from.size, to, 0, NULL, &event);
    return enqueued(queue, code, event, wait == QN_WAIT, "clEnqueueReadBuffer", "downloading",
                    from.size);
}

quern_status qn_cl_copy(struct qn_queue *queue, struct qn_view to, struct qn_view from)
{
    if (to.size != from.size)
        return qn_error(QUERN_INVALID, "opencl: a copy of %llu bytes into %llu",
                        (unsigned long long)from.size, (unsigned long long)to.size);
    if (to.size == 0) return QUERN_OK;
    QN_TRY(qn_cl_view_check("a copy's source", from));
    QN_TRY(qn_cl_view_check("a copy's target", to));
    if (to.raw == from.raw && to.offset < from.offset + from.size &&
        from.offset < to.offset + to.size)
        return qn_error(QUERN_INVALID,
                        "opencl: a copy of %llu bytes onto itself, from %llu to %llu",
                        (unsigned long long)to.size, (unsigned long long)from.offset,
                        (unsigned long long)to.offset);
    cl_event event = NULL;
    cl_int code =
        qn_cl.clEnqueueCopyBuffer(queue->queue, from.raw->mem, to.raw->mem, (size_t)from.offset,
                                  (size_t)to.offset, (size_t)to.size, 0, NULL, &event);
    return enqueued(queue, code, event, 0, "clEnqueueCopyBuffer", "copying", to.size);
}

quern_status qn_cl_fill(struct qn_queue *queue, struct qn_view to, uint32_t pattern)
{
    if (to.size % 4 != 0 || to.offset % 4 != 0)
        return qn_error(QUERN_INVALID, "opencl: a fill of %llu bytes at %llu is not whole words",
                        (unsigned long long)to.size, (unsigned long long)to.offset);
    if (to.size == 0) return QUERN_OK;
    QN_TRY(qn_cl_view_check("a fill", to));
    cl_event event = NULL;
    cl_int code = qn_cl.clEnqueueFillBuffer(queue->queue, to.raw->mem, &pattern, sizeof pattern,
                                            (size_t)to.offset, (size_t)to.size, 0, NULL, &event);
    return enqueued(queue, code, event, 0, "clEnqueueFillBuffer", "filling", to.size);
}

/* ---- events ---- */

quern_status qn_cl_event_open(struct qn_dev *dev, struct qn_event **out)
{
    *out = qn_zalloc(1, sizeof **out);
    if (*out == NULL) return qn_error_memory("opencl: an event", sizeof **out);
    (*out)->dev = dev;
    return QUERN_OK;
}

void qn_cl_event_close(struct qn_dev *dev, struct qn_event *event)
{
    (void)dev;
    if (event == NULL) return;
    if (event->event != NULL) (void)qn_cl.clReleaseEvent(event->event);
    qn_free(event);
}

quern_status qn_cl_event_record(struct qn_queue *queue, struct qn_event *event)
{
    cl_event marker = NULL;
    cl_int code = qn_cl.clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, &marker);
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clEnqueueMarkerWithWaitList", "recording an event");
    if (event->event != NULL) (void)qn_cl.clReleaseEvent(event->event);
    event->event = marker;
    /* Another queue, or a poll, may only see a marker that was submitted. */
    return qn_cl_flush(queue);
}

quern_status qn_cl_event_done(struct qn_event *event, int *done)
{
    cl_int state = CL_COMPLETE;
    *done = 1;
    if (event->event == NULL) return QUERN_OK;
    cl_int code = qn_cl.clGetEventInfo(event->event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                       sizeof state, &state, NULL);
    if (code == CL_SUCCESS && state < 0) code = state;
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_WAITING, code, "clGetEventInfo", "asking for an event");
    *done = state == CL_COMPLETE;
    return QUERN_OK;
}

quern_status qn_cl_event_wait(struct qn_event *event)
{
    if (event->event == NULL) return QUERN_OK;
    cl_int code = qn_cl.clWaitForEvents(1, &event->event);
    cl_int failed = failure_of(event->event);
    if (failed != CL_SUCCESS) code = failed;
    if (code == CL_SUCCESS) return QUERN_OK;
    return qn_cl_fail(QN_CL_WAITING, code, "clWaitForEvents", "waiting for an event");
}

quern_status qn_cl_queue_wait(struct qn_queue *queue, struct qn_event *event)
{
    if (event->event == NULL) return QUERN_OK;
    cl_event barrier = NULL;
    cl_int code = qn_cl.clEnqueueBarrierWithWaitList(queue->queue, 1, &event->event, &barrier);
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clEnqueueBarrierWithWaitList",
                          "making a queue wait for an event");
    qn_cl_queue_keep(queue, barrier);
    return QUERN_OK;
}

static quern_status time_of(const struct qn_event *event, cl_ulong *ns)
{
    if (event->event == NULL)
        return qn_error(QUERN_INVALID, "opencl: the time of an event that was never recorded");
    cl_int code =
        qn_cl.clGetEventProfilingInfo(event->event, CL_PROFILING_COMMAND_END, sizeof *ns, ns, NULL);
    if (code == CL_SUCCESS) return QUERN_OK;
    if (code == CL_PROFILING_INFO_NOT_AVAILABLE)
        return qn_error(QUERN_INVALID, "opencl: the time of an event that is not done");
    return qn_cl_fail(QN_CL_ASKING, code, "clGetEventProfilingInfo", "the time of an event");
}

quern_status qn_cl_event_elapsed(struct qn_event *from, struct qn_event *to, uint64_t *ns)
{
    cl_ulong first = 0, last = 0;
    *ns = 0;
    QN_TRY(time_of(from, &first));
    QN_TRY(time_of(to, &last));
    *ns = last > first ? last - first : 0;
    return QUERN_OK;
}
