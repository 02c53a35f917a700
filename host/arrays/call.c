/* SPDX-License-Identifier: Apache-2.0
 * A call: arrays in host memory go to the context's device, the operation runs there, and results come
 * back; what the device cannot do, the CPU does where the policy allows. Values cross packed, once. */
#include <string.h>

#include "host/arrays/arrays.h"
#include "host/core/checked.h"
#include "host/data/buffer.h"
#include "host/data/table.h"

/* What an array has on the device during a call. */
struct there {
    struct qn_span span; /* of the pool; view.raw NULL: a buffer of the caller's */
    quern_array packed;  /* how values lie there */
    int by_columns;      /* columns follow each other, not rows */
    void *turned;        /* host memory, where the caller's strides cannot cross; NULL: they can */
};

void qn_array_lines(const quern_array *a, uint32_t axis, struct qn_lines *lines)
{
    uint32_t along = a->ndim == 1 ? 1 : axis, across = 1 - along;
    *lines = (struct qn_lines){.data = a->data,
                               .lines = a->shape[across],
                               .n = a->shape[along],
                               .line_stride = a->strides[across],
                               .stride = a->strides[along],
                               .type = (uint32_t)a->type};
}

const char *qn_array_needs_f64(const struct qn_device *device, const void *request)
{
    (void)request;
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0) return "the device runs no kernels";
    if ((device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    return NULL;
}

/* ---- the way there and back ---- */

/* Packed as `a` is best read: its rows, or its columns. 0: neither can cross as it is. */
static int pack(const quern_array *a, quern_array *packed, int *by_columns)
{
    int64_t bytes = (int64_t)qn_type_bytes(a->type);
    int rows = (a->shape[1] <= 1 || a->strides[1] == bytes) &&
               (a->shape[0] <= 1 || a->strides[0] >= (int64_t)a->shape[1] * bytes);
    int columns = (a->shape[0] <= 1 || a->strides[0] == bytes) &&
                  (a->shape[1] <= 1 || a->strides[1] >= (int64_t)a->shape[0] * bytes);
    *packed = *a;
    packed->strides[1] = bytes;
    packed->strides[0] = (int64_t)a->shape[1] * bytes;
    *by_columns = !rows && columns;
    if (!*by_columns) return rows;
    packed->strides[0] = bytes;
    packed->strides[1] = (int64_t)a->shape[0] * bytes;
    return 1;
}

/* Pieces that cross: rows of `a`, or its columns, or all of it. */
static void pieces(const quern_array *a, int by_columns, uint64_t *n, uint64_t *bytes,
                   int64_t *stride)
{
    int outer = by_columns ? 1 : 0;
    *n = a->shape[outer];
    *bytes = a->shape[1 - outer] * qn_type_bytes(a->type);
    *stride = a->strides[outer];
    if (*n <= 1 || *stride == (int64_t)*bytes) {
        *bytes *= *n;
        *n = 1;
        *stride = (int64_t)*bytes;
    }
}

static quern_status transfer(struct qn_device *d, const quern_array *host, const struct there *t,
                             int back)
{
    uint64_t n, bytes;
    int64_t stride;
    pieces(host, t->by_columns, &n, &bytes, &stride);
    struct qn_view view = t->span.view;
    view.size = n * bytes;
    if (back)
        return qn_device_download(d, 0, host->data, n, bytes, stride, view, QN_TRAFFIC_OUTPUT);
    return qn_device_upload(d, 0, view, host->data, n, bytes, stride, QN_TRAFFIC_INPUT);
}

/* The array in host memory as it crosses. */
static quern_array crossing(const quern_array *a, const struct there *t)
{
    quern_array turned = t->packed;
    turned.data = t->turned;
    return t->turned != NULL ? turned : *a;
}

static quern_status bring(struct qn_device *d, const struct qn_array_place *p, struct there *t)
{
    const quern_array *a = p->array;
    uint64_t bytes = qn_array_count(a) * qn_type_bytes(a->type);
    qn_array_lines(a, p->axis, p->lines);
    p->lines->data = NULL;
    if (a->buffer != NULL) {
        p->lines->base = a->buffer->span.view;
        p->lines->base.size = a->buffer->bytes;
        p->lines->offset = a->buffer_offset;
        return QUERN_OK;
    }
    if (!pack(a, &t->packed, &t->by_columns) && bytes != 0) {
        t->turned = qn_alloc((size_t)bytes, 1);
        if (t->turned == NULL) return qn_error_memory("an array, packed", bytes);
    }
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[0], bytes < 4 ? 4 : bytes, &t->span));
    quern_array host = crossing(a, t);
    qn_array_lines(&t->packed, p->axis, p->lines);
    p->lines->data = NULL;
    p->lines->base = t->span.view;
    if (p->is_result || bytes == 0) return QUERN_OK;
    if (t->turned != NULL) qn_array_copy(a, &host);
    return transfer(d, &host, t, 0);
}

static quern_status fetch(struct qn_device *d, const struct qn_array_place *p,
                          const struct there *t)
{
    if (!p->is_result || p->array->buffer != NULL || qn_array_count(p->array) == 0) return QUERN_OK;
    quern_array host = crossing(p->array, t);
    QN_TRY(transfer(d, &host, t, 1));
    if (t->turned != NULL) qn_array_copy(&host, p->array);
    return QUERN_OK;
}

static quern_status on_device(quern_context *cx, const struct qn_array_call *call,
                              struct qn_outcome *outcome)
{
    struct qn_device *d = cx->device;
    struct there there[QN_ARRAY_PLACES];
    quern_status status = QUERN_OK;
    memset(there, 0, sizeof there);
    if (d->lost) return qn_error(QUERN_DEVICE_LOST, "%s: the device was lost", d->id);
    const char *why = call->refuse != NULL ? call->refuse(d, call->request) : NULL;
    if (why != NULL) return qn_error(QUERN_UNSUPPORTED, "%s: device: %s", call->name, why);
    for (uint32_t i = 0; i < call->n_places; i++) QN_GO(bring(d, &call->places[i], &there[i]));
    if (qn_context_cancelled(cx)) QN_GO(qn_context_stopped(call->name));
    QN_GO(call->run(d, cx->threads, call->request, outcome));
    if (qn_context_cancelled(cx)) QN_GO(qn_context_stopped(call->name));
    for (uint32_t i = 0; i < call->n_places; i++) QN_GO(fetch(d, &call->places[i], &there[i]));
    status = qn_device_finish(d, 0);
cleanup:
    for (uint32_t i = 0; i < call->n_places; i++) {
        if (there[i].span.view.raw != NULL)
            qn_pool_give(d->pool, d->queue_numbers[0], &there[i].span);
        qn_free(there[i].turned);
    }
    return status;
}

/* ---- on the host ---- */

static quern_status on_host(quern_context *cx, const struct qn_array_call *call,
                            struct qn_outcome *outcome)
{
    for (uint32_t i = 0; i < call->n_places; i++) {
        const quern_array *a = call->places[i].array;
        qn_array_lines(a, call->places[i].axis, call->places[i].lines);
        if (a->buffer != NULL) call->places[i].lines->data = a->buffer->host + a->buffer_offset;
    }
    return call->run(NULL, cx->threads, call->request, outcome);
}

static quern_status check_buffers(quern_context *cx, const struct qn_array_call *call, int *any)
{
    *any = 0;
    for (uint32_t i = 0; i < call->n_places; i++) {
        const quern_buffer *buffer = call->places[i].array->buffer;
        if (buffer == NULL) continue;
        if (buffer->context != cx)
            return qn_error(QUERN_INVALID, "%s: a buffer of another context", call->name);
        *any = 1;
    }
    return QUERN_OK;
}

/* The CPU can do it instead; it did not go wrong for a reason of the caller's. */
static int can_fall_back(quern_status status)
{
    return status == QUERN_UNSUPPORTED || status == QUERN_DEVICE_LOST ||
           status == QUERN_OUT_OF_MEMORY || status == QUERN_COMPILE;
}

/* The failure itself, where falling back is forbidden. */
static quern_status fall_back_after(quern_context *cx, const struct qn_array_call *call,
                                    quern_status failure)
{
    struct qn_failure why;
    qn_error_take(&why, failure);
    if (failure == QUERN_DEVICE_LOST) cx->device->lost = 1;
    quern_status status = qn_context_fall_back(cx, call->name, call->name, "cpu", why.text);
    return status == QUERN_OK ? QUERN_OK : qn_error_put(&why);
}

quern_status qn_array_run(quern_context *cx, struct qn_array_call *call)
{
    struct qn_outcome outcome = {0};
    int buffers;
    QN_TRY(check_buffers(cx, call, &buffers));
    if (qn_context_cancelled(cx)) return qn_context_stopped(call->name);
    qn_context_progress(cx, call->name, 0, 1);
    if (cx->device != NULL) {
        quern_status status = on_device(cx, call, &outcome);
        if (status == QUERN_OK)
            status = qn_context_decide(cx, call->name, call->name, NULL, outcome.implementation,
                                       outcome.reasons);
        else if (can_fall_back(status) && !buffers) {
            QN_TRY(fall_back_after(cx, call, status));
            status = on_host(cx, call, &outcome);
        }
        QN_TRY(status);
    } else {
        QN_TRY(on_host(cx, call, &outcome));
        QN_TRY(qn_context_decide(cx, call->name, call->name, NULL, outcome.implementation,
                                 outcome.reasons));
    }
    qn_context_progress(cx, call->name, 1, 1);
    return QUERN_OK;
}
