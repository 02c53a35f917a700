/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/arrays/arrays.h"
#include "host/core/checked.h"
#include "host/data/buffer.h"
#include "host/data/table.h"
#include "host/memory/output.h"

/* ---- shapes ---- */

uint64_t qn_array_count(const quern_array *a)
{
    return a->shape[0] * a->shape[1]; /* checked when it was read */
}

int qn_array_is_packed(const quern_array *a)
{
    int64_t bytes = (int64_t)qn_type_bytes(a->type);
    return (a->shape[1] <= 1 || a->strides[1] == bytes) &&
           (a->shape[0] <= 1 || a->strides[0] == (int64_t)a->shape[1] * bytes);
}

quern_status qn_array_axis(const quern_array *a, int axis, uint32_t *out)
{
    int ndim = (int)a->ndim, from_start = axis < 0 ? axis + ndim : axis;
    if (from_start < 0 || from_start >= ndim)
        return qn_error(QUERN_INVALID, "axis %d of an array of %d dimension%s", axis, ndim,
                        ndim == 1 ? "" : "s");
    *out = (uint32_t)from_start;
    return QUERN_OK;
}

/* Inside, a vector is a row: shape and strides have two entries, the first of which is 1 and 0. */
static void as_matrix(quern_array *a)
{
    if (a->ndim != 1) return;
    a->shape[1] = a->shape[0];
    a->strides[1] = a->strides[0];
    a->shape[0] = 1;
    a->strides[0] = 0;
}

static quern_status check_size(const char *what, const quern_array *a, uint64_t *bytes)
{
    if (qn_mul_u64(a->shape[0], a->shape[1], bytes) ||
        qn_mul_u64(*bytes, qn_type_bytes(a->type), bytes) || *bytes > INT64_MAX)
        return qn_error(QUERN_INVALID, "%s: %llu x %llu values", what,
                        (unsigned long long)a->shape[0], (unsigned long long)a->shape[1]);
    return QUERN_OK;
}

/* The values lie inside the buffer. */
static quern_status check_buffer(const char *what, const quern_array *a)
{
    uint64_t low = a->buffer_offset, high = low, bytes = qn_type_bytes(a->type);
    for (int i = 0; i < 2; i++) {
        uint64_t reach,
            step = a->strides[i] < 0 ? 0 - (uint64_t)a->strides[i] : (uint64_t)a->strides[i];
        int out = qn_mul_u64(a->shape[i] - 1, step, &reach);
        if (!out && a->strides[i] < 0) {
            out = reach > low;
            low -= reach;
        } else if (!out) {
            out = qn_add_u64(high, reach, &high);
        }
        if (out) high = UINT64_MAX;
        if (out) break;
    }
    if (qn_add_u64(high, bytes, &high) || high > a->buffer->bytes)
        return qn_error(QUERN_INVALID, "%s: values outside of a buffer of %llu bytes", what,
                        (unsigned long long)a->buffer->bytes);
    return QUERN_OK;
}

/* ---- arrays ---- */

quern_status qn_array_read(const char *what, const quern_array *given, quern_array *out)
{
    uint64_t bytes;
    *out = (quern_array){0};
    if (given->struct_size < sizeof *given)
        return qn_error(QUERN_INVALID, "%s: struct_size is %u; set it to sizeof(quern_array)", what,
                        given->struct_size);
    memcpy(out, given, sizeof *out);
    if (out->ndim != 1 && out->ndim != 2)
        return qn_error(QUERN_INVALID, "%s: %u dimensions; arrays have 1 or 2", what, out->ndim);
    if ((uint32_t)out->type > QUERN_FLOAT64)
        return qn_error(QUERN_INVALID,
                        "%s: values of type %s; arrays are of bool, integers, "
                        "float32 and float64",
                        what,
                        (uint32_t)out->type <= QUERN_DATETIME ? qn_type_name(out->type) : "?");
    if (out->ndim == 1) out->strides[1] = 0;
    int packed = out->strides[0] == 0 && out->strides[1] == 0;
    as_matrix(out);
    QN_TRY(check_size(what, out, &bytes));
    if (packed) {
        out->strides[1] = (int64_t)qn_type_bytes(out->type);
        out->strides[0] = out->ndim == 1 ? 0 : (int64_t)out->shape[1] * out->strides[1];
    }
    if (bytes == 0) return QUERN_OK;
    if ((out->data == NULL) == (out->buffer == NULL))
        return qn_error(QUERN_INVALID, "%s: %s", what,
                        out->data == NULL ? "no memory" : "both host memory and a buffer");
    return out->buffer != NULL ? check_buffer(what, out) : QUERN_OK;
}

static quern_status make(const char *what, quern_type type, uint32_t ndim, const uint64_t *shape,
                         quern_array *out)
{
    uint64_t bytes;
    *out = (quern_array){.struct_size = sizeof *out, .type = type, .ndim = ndim, .owned = 1};
    out->shape[0] = shape[0];
    out->shape[1] = ndim == 2 ? shape[1] : 0;
    as_matrix(out);
    out->strides[1] = (int64_t)qn_type_bytes(type);
    out->strides[0] = ndim == 1 ? 0 : (int64_t)out->shape[1] * out->strides[1];
    QN_TRY(check_size(what, out, &bytes));
    out->data = qn_output_alloc((size_t)bytes, 1);
    if (out->data == NULL) return qn_error_memory(what, bytes);
    return QUERN_OK;
}

quern_status qn_array_result(const char *what, const quern_array *given, quern_type type,
                             uint32_t ndim, const uint64_t *shape, quern_array *out)
{
    *out = (quern_array){0};
    if (given->struct_size < sizeof *given)
        return qn_error(QUERN_INVALID, "%s: struct_size is %u; set it to sizeof(quern_array)", what,
                        given->struct_size);
    if (given->data == NULL && given->buffer == NULL) return make(what, type, ndim, shape, out);
    QN_TRY(qn_array_read(what, given, out));
    out->owned = 0;
    if (given->type != type || given->ndim != ndim || given->shape[0] != shape[0] ||
        (ndim == 2 && given->shape[1] != shape[1]))
        return qn_error(QUERN_INVALID,
                        "%s: %s of %llu x %llu was given; the result is %s of %llu x %llu, with %u "
                        "dimension%s",
                        what, qn_type_name(out->type), (unsigned long long)out->shape[0],
                        (unsigned long long)out->shape[1], qn_type_name(type),
                        (unsigned long long)(ndim == 2 ? shape[0] : 1),
                        (unsigned long long)shape[ndim - 1], ndim, ndim == 1 ? "" : "s");
    return QUERN_OK;
}

/* The public form of a vector again. */
void qn_array_give(const quern_array *made, quern_array *to)
{
    if (!made->owned) return;
    *to = *made;
    if (made->ndim != 1) return;
    to->shape[0] = made->shape[1];
    to->strides[0] = made->strides[1];
    to->shape[1] = 0;
    to->strides[1] = 0;
}

void qn_array_drop(const quern_array *given, quern_array *made)
{
    if (given == NULL || !made->owned) return;
    qn_output_free(made->data);
    *made = (quern_array){0};
}

void quern_array_free(quern_array *array)
{
    if (array == NULL || !array->owned) return;
    qn_output_free(array->data);
    *array = (quern_array){.struct_size = array->struct_size};
}

void qn_array_copy(const quern_array *from, const quern_array *to)
{
    size_t bytes = qn_type_bytes(from->type);
    for (uint64_t r = 0; r < from->shape[0]; r++) {
        const char *f = (const char *)from->data + (int64_t)r * from->strides[0];
        char *t = (char *)to->data + (int64_t)r * to->strides[0];
        for (uint64_t c = 0; c < from->shape[1]; c++)
            memcpy(t + (int64_t)c * to->strides[1], f + (int64_t)c * from->strides[1], bytes);
    }
}
