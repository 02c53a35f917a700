/* SPDX-License-Identifier: Apache-2.0 */
#include "host/arrays/results.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/data/buffer.h"
#include "host/data/table.h"

/* ---- results ---- */

quern_status qn_array_made_open(const char *what, const quern_array *given, quern_type type,
                                uint32_t ndim, const uint64_t *shape, struct qn_array_made *out)
{
    quern_array none = {.struct_size = sizeof none};
    memset(out, 0, sizeof *out);
    QN_TRY(qn_array_result(what, given, type, ndim, shape, &out->host));
    if (out->host.buffer == NULL) return QUERN_OK;
    out->buffer = out->host;
    if (!qn_array_is_packed(&out->buffer))
        return qn_error(QUERN_UNSUPPORTED, "%s: a result in a buffer must be packed, row by row",
                        what);
    return qn_array_result(what, &none, type, ndim, shape, &out->host);
}

static quern_status to_buffer(quern_context *cx, const struct qn_array_made *m)
{
    quern_buffer *buffer = m->buffer.buffer;
    uint64_t bytes = qn_array_count(&m->buffer) * qn_type_bytes(m->buffer.type);
    if (buffer->context != cx) return qn_error(QUERN_INVALID, "a buffer of another context");
    if (bytes == 0) return QUERN_OK;
    if (buffer->host != NULL) {
        memcpy(buffer->host + m->buffer.buffer_offset, m->host.data, (size_t)bytes);
        return QUERN_OK;
    }
    struct qn_view view = buffer->span.view;
    view.offset += m->buffer.buffer_offset;
    view.size = bytes;
    QN_TRY(qn_device_upload(cx->device, 0, view, m->host.data, 1, bytes, (int64_t)bytes,
                            QN_TRAFFIC_OUTPUT));
    return qn_device_finish(cx->device, 0);
}

quern_status qn_array_made_close(quern_context *cx, quern_status status, struct qn_array_made *m,
                                 quern_array *given)
{
    if (m->buffer.buffer != NULL) {
        if (status == QUERN_OK) status = to_buffer(cx, m);
        qn_array_drop(given, &m->host);
    } else if (status == QUERN_OK) {
        qn_array_give(&m->host, given);
    } else {
        qn_array_drop(given, &m->host);
    }
    return status;
}

void qn_array_store(quern_type type, double value, char *at)
{
    float narrow = (float)value;
    if (value != value) {
        value = (double)NAN;
        narrow = NAN;
    }
    if (type == QUERN_FLOAT32)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &value, sizeof value);
}

void qn_array_store_integer(quern_type type, uint64_t value, char *at)
{
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    switch (qn_type_bytes(type)) {
    case 1: memcpy(at, &u8, sizeof u8); break;
    case 2: memcpy(at, &u16, sizeof u16); break;
    case 4: memcpy(at, &u32, sizeof u32); break;
    default: memcpy(at, &value, sizeof value); break;
    }
}

/* ---- views ---- */

quern_status qn_array_flatten(const char *what, quern_array *x, void **copy)
{
    uint64_t n = qn_array_count(x), bytes = n * qn_type_bytes(x->type);
    int64_t size = (int64_t)qn_type_bytes(x->type);
    if (x->ndim == 1) return QUERN_OK;
    if (!qn_array_is_packed(x) && n != 0) {
        quern_array packed = *x;
        if (x->buffer != NULL)
            return qn_error(QUERN_UNSUPPORTED,
                            "%s: a matrix in a buffer must be packed, row by row", what);
        *copy = packed.data = qn_alloc((size_t)bytes, 1);
        if (*copy == NULL) return qn_error_memory(what, bytes);
        packed.strides[1] = size;
        packed.strides[0] = (int64_t)x->shape[1] * size;
        qn_array_copy(x, &packed);
        *x = packed;
    }
    x->ndim = 1;
    x->shape[0] = 1;
    x->shape[1] = n;
    x->strides[0] = 0;
    x->strides[1] = size;
    return QUERN_OK;
}

struct qn_lines qn_lines_from(const struct qn_lines *all, uint64_t first, uint64_t lines)
{
    struct qn_lines some = *all;
    some.lines = lines;
    if (some.data != NULL) some.data = (char *)all->data + (int64_t)first * all->line_stride;
    some.offset += first * (uint64_t)all->line_stride;
    return some;
}
