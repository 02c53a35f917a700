/* SPDX-License-Identifier: Apache-2.0
 * Casts, copies, and values chosen by places or by a mask. */
#include "host/ops/moves.h"
#include "host/arrays/arrays.h"
#include "host/core/checked.h"
#include "host/data/buffer.h"
#include "host/data/table.h"

static quern_status null_argument(const char *function)
{
    return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
}

/* An array as lines of host memory, if that is where it is. 0: it is not. */
static int host_lines(const quern_array *a, uint32_t axis, struct qn_lines *lines)
{
    qn_array_lines(a, axis, lines);
    if (a->buffer != NULL)
        lines->data = a->buffer->host != NULL ? a->buffer->host + a->buffer_offset : NULL;
    return lines->data != NULL;
}

/* Runs the call and gives its result away, or drops it. */
static quern_status finish(quern_context *cx, struct qn_array_call *call, quern_status status,
                           quern_array *made, quern_array *out)
{
    if (status == QUERN_OK) status = qn_array_run(cx, call);
    if (status == QUERN_OK)
        qn_array_give(made, out);
    else
        qn_array_drop(out, made);
    return status;
}

/* ---- casts and copies ---- */

static quern_status run_cast(struct qn_device *device, struct qn_threads *threads,
                             const void *request, struct qn_outcome *outcome)
{
    const struct qn_cast_request *rq = request;
    QN_TRY(qn_op_cast(device, threads, 0, rq, outcome));
    if (rq->check && *rq->unfit)
        return qn_error(QUERN_INVALID, "a value does not fit %s", qn_type_name(rq->out.type));
    return QUERN_OK;
}

/* The sentence that names the value, where it can be looked for. */
static quern_status unfit_value(const char *function, const quern_array *x, quern_type type)
{
    struct qn_lines in;
    uint64_t line, place;
    if (!host_lines(x, x->ndim - 1, &in) || !qn_cpu_cast_unfit(&in, (uint32_t)type, &line, &place))
        return qn_error(QUERN_INVALID, "%s: a value does not fit %s", function, qn_type_name(type));
    if (x->ndim == 1)
        return qn_error(QUERN_INVALID, "%s: the value at %llu does not fit %s", function,
                        (unsigned long long)place, qn_type_name(type));
    return qn_error(QUERN_INVALID, "%s: the value at row %llu, column %llu does not fit %s",
                    function, (unsigned long long)line, (unsigned long long)place,
                    qn_type_name(type));
}

static quern_status cast(quern_context *cx, const char *function, const char *name,
                         const quern_array *x, const uint64_t *shape, quern_type type, int check,
                         quern_array *out)
{
    quern_array made = {0};
    uint32_t unfit = 0, axis = x->ndim - 1;
    struct qn_cast_request rq = {.check = (uint32_t)check, .unfit = &unfit};
    struct qn_array_call call = {.name = name, .run = run_cast, .request = &rq};
    quern_status status = qn_array_result(function, out, type, x->ndim, shape, &made);
    call.places[call.n_places++] = (struct qn_array_place){x, axis, 0, &rq.in};
    call.places[call.n_places++] = (struct qn_array_place){&made, axis, 1, &rq.out};
    status = finish(cx, &call, status, &made, out);
    return unfit ? unfit_value(function, x, type) : status;
}

quern_status quern_array_cast(quern_context *context, const quern_array *x, quern_type type,
                              uint32_t flags, quern_array *out)
{
    static const char function[] = "quern_array_cast";
    quern_array from;
    if (context == NULL || x == NULL || out == NULL) return null_argument(function);
    if ((flags & ~(uint32_t)QUERN_CAST_CHECKED) != 0)
        return qn_error(QUERN_INVALID, "%s: unknown flags %x", function, flags);
    if ((uint32_t)type > QUERN_FLOAT64)
        return qn_error(QUERN_INVALID, "%s: arrays are of bool, integers, float32 and float64",
                        function);
    QN_TRY(qn_array_read(function, x, &from));
    return cast(context, function, "cast", &from, x->shape, type, flags != 0, out);
}

quern_status quern_array_copy(quern_context *context, const quern_array *x, quern_array *out)
{
    static const char function[] = "quern_array_copy";
    quern_array from;
    if (context == NULL || x == NULL || out == NULL) return null_argument(function);
    QN_TRY(qn_array_read(function, x, &from));
    return cast(context, function, "copy", &from, x->shape, from.type, 0, out);
}

quern_status quern_array_transpose(quern_context *context, const quern_array *x, quern_array *out)
{
    static const char function[] = "quern_array_transpose";
    quern_array from, turned;
    if (context == NULL || x == NULL || out == NULL) return null_argument(function);
    QN_TRY(qn_array_read(function, x, &from));
    if (from.ndim != 2)
        return qn_error(QUERN_INVALID, "%s: an array of 1 dimension is its own transpose",
                        function);
    turned = from;
    for (int i = 0; i < 2; i++) {
        turned.shape[i] = from.shape[1 - i];
        turned.strides[i] = from.strides[1 - i];
    }
    return cast(context, function, "transpose", &turned, turned.shape, turned.type, 0, out);
}

/* ---- places ---- */

static quern_status run_take(struct qn_device *device, struct qn_threads *threads,
                             const void *request, struct qn_outcome *outcome)
{
    const struct qn_take_request *rq = request;
    QN_TRY(qn_op_take(device, threads, 0, rq, outcome));
    if (rq->mode == QN_TAKE_RAISE && *rq->outside)
        return qn_error(QUERN_INVALID, "an index is out of bounds");
    return QUERN_OK;
}

static quern_status read_indices(const char *function, const quern_array *given, quern_array *out)
{
    QN_TRY(qn_array_read(function, given, out));
    if (out->ndim != 1)
        return qn_error(QUERN_INVALID, "%s: indices have %u dimensions, not 1", function,
                        out->ndim);
    if (out->type == QUERN_BOOL || out->type == QUERN_UINT64 || out->type >= QUERN_FLOAT32)
        return qn_error(QUERN_INVALID, "%s: indices of %s; they are integers, and not uint64",
                        function, qn_type_name(out->type));
    return QUERN_OK;
}

/* The sentence that names the index, where it can be looked for. */
static quern_status outside(const char *function, const quern_array *indices, uint64_t n)
{
    struct qn_lines index;
    uint64_t place;
    int64_t value;
    if (!host_lines(indices, 0, &index) || !qn_cpu_take_outside(&index, n, &place, &value))
        return qn_error(QUERN_INVALID, "%s: an index is out of bounds for an axis of %llu values",
                        function, (unsigned long long)n);
    return qn_error(QUERN_INVALID,
                    "%s: index %lld, at %llu, is out of bounds for an axis of %llu values",
                    function, (long long)value, (unsigned long long)place, (unsigned long long)n);
}

quern_status quern_array_take(quern_context *context, const quern_array *x,
                              const quern_array *indices, int axis, quern_index_mode mode,
                              quern_array *out)
{
    static const char function[] = "quern_array_take";
    quern_array from, at, made = {0};
    uint32_t along, bad = 0;
    struct qn_take_request rq = {.mode = (uint32_t)mode, .outside = &bad};
    struct qn_array_call call = {.name = "take", .run = run_take, .request = &rq};
    if (context == NULL || x == NULL || indices == NULL || out == NULL)
        return null_argument(function);
    if ((uint32_t)mode > QUERN_INDEX_CLIP)
        return qn_error(QUERN_INVALID, "%s: unknown mode %u", function, (uint32_t)mode);
    QN_TRY(qn_array_read(function, x, &from));
    QN_TRY(qn_array_axis(&from, axis, &along));
    QN_TRY(read_indices(function, indices, &at));
    uint64_t shape[2] = {x->shape[0], x->shape[1]};
    uint64_t length = shape[along];
    if (length == 0 && at.shape[1] != 0)
        return qn_error(QUERN_INVALID, "%s: there is nothing to take along an axis of 0 values",
                        function);
    shape[along] = at.shape[1];
    quern_status status = qn_array_result(function, out, from.type, from.ndim, shape, &made);
    call.places[call.n_places++] = (struct qn_array_place){&from, along, 0, &rq.in};
    call.places[call.n_places++] = (struct qn_array_place){&at, 0, 0, &rq.index};
    call.places[call.n_places++] = (struct qn_array_place){&made, along, 1, &rq.out};
    status = finish(context, &call, status, &made, out);
    return bad ? outside(function, &at, length) : status;
}

/* ---- masks ---- */

static quern_status run_compress(struct qn_device *device, struct qn_threads *threads,
                                 const void *request, struct qn_outcome *outcome)
{
    return qn_op_compress(device, threads, 0, request, outcome);
}

/* How many values of the mask are not 0. Counted where it lies: it is not brought to a device for that. */
static quern_status count(quern_context *cx, const quern_array *mask, uint64_t *n)
{
    struct qn_compress_request rq = {.count = n};
    struct qn_array_call call = {.name = "count", .run = run_compress, .request = &rq};
    if (host_lines(mask, mask->ndim - 1, &rq.mask)) return qn_cpu_compress(cx->threads, &rq);
    call.places[call.n_places++] = (struct qn_array_place){mask, mask->ndim - 1, 0, &rq.mask};
    return qn_array_run(cx, &call);
}

quern_status quern_array_compress(quern_context *context, const quern_array *mask,
                                  const quern_array *x, int axis, quern_array *out)
{
    static const char function[] = "quern_array_compress";
    quern_array which, from, made = {0};
    uint32_t along;
    struct qn_compress_request rq = {.count = NULL};
    struct qn_array_call call = {.name = "compress", .run = run_compress, .request = &rq};
    if (context == NULL || mask == NULL || x == NULL || out == NULL) return null_argument(function);
    QN_TRY(qn_array_read(function, mask, &which));
    QN_TRY(qn_array_read(function, x, &from));
    QN_TRY(qn_array_axis(&from, axis, &along));
    uint64_t shape[2] = {x->shape[0], x->shape[1]};
    if (which.ndim != 1 || which.shape[1] > shape[along])
        return qn_error(QUERN_INVALID,
                        "%s: a mask of %u dimensions and %llu values, for %llu along the axis",
                        function, which.ndim, (unsigned long long)which.shape[1],
                        (unsigned long long)shape[along]);
    from.shape[from.ndim == 1 ? 1 : along] = which.shape[1]; /* what lies beyond is not kept */
    QN_TRY(count(context, &which, &shape[along]));
    quern_status status = qn_array_result(function, out, from.type, from.ndim, shape, &made);
    call.places[call.n_places++] = (struct qn_array_place){&which, 0, 0, &rq.mask};
    call.places[call.n_places++] = (struct qn_array_place){&from, along, 0, &rq.in};
    call.places[call.n_places++] = (struct qn_array_place){&made, along, 1, &rq.out};
    return finish(context, &call, status, &made, out);
}

quern_status quern_array_flatnonzero(quern_context *context, const quern_array *x, quern_array *out)
{
    static const char function[] = "quern_array_flatnonzero";
    quern_array mask, made = {0};
    struct qn_compress_request rq = {.count = NULL};
    struct qn_array_call call = {.name = "flatnonzero", .run = run_compress, .request = &rq};
    uint64_t shape[2] = {0, 0};
    if (context == NULL || x == NULL || out == NULL) return null_argument(function);
    QN_TRY(qn_array_read(function, x, &mask));
    QN_TRY(count(context, &mask, &shape[0]));
    quern_status status = qn_array_result(function, out, QUERN_INT64, 1, shape, &made);
    call.places[call.n_places++] = (struct qn_array_place){&mask, mask.ndim - 1, 0, &rq.mask};
    call.places[call.n_places++] = (struct qn_array_place){&made, 0, 1, &rq.out};
    return finish(context, &call, status, &made, out);
}

/* ---- where ---- */

static quern_status run_where(struct qn_device *device, struct qn_threads *threads,
                              const void *request, struct qn_outcome *outcome)
{
    return qn_op_where(device, threads, 0, request, outcome);
}

/* The shape in which all meet, each being a matrix: a vector is a row. */
static quern_status meet(const char *function, const quern_array *all, uint32_t *ndim,
                         uint64_t *shape)
{
    shape[0] = shape[1] = 1;
    *ndim = 1;
    for (int k = 0; k < 3; k++) {
        if (all[k].ndim > *ndim) *ndim = all[k].ndim;
        for (int i = 0; i < 2; i++) {
            if (all[k].shape[i] == 1 || all[k].shape[i] == shape[i]) continue;
            if (shape[i] != 1)
                return qn_error(
                    QUERN_INVALID, "%s: %llu and %llu values along one dimension do not meet",
                    function, (unsigned long long)shape[i], (unsigned long long)all[k].shape[i]);
            shape[i] = all[k].shape[i];
        }
    }
    if (*ndim == 1) shape[0] = shape[1];
    return QUERN_OK;
}

quern_status quern_array_where(quern_context *context, const quern_array *mask,
                               const quern_array *a, const quern_array *b, quern_array *out)
{
    static const char function[] = "quern_array_where";
    const quern_array *const given[3] = {mask, a, b};
    quern_array all[3], made = {0};
    struct qn_where_request rq = {0};
    struct qn_lines *const lines[3] = {&rq.mask, &rq.a, &rq.b};
    struct qn_array_call call = {.name = "where", .run = run_where, .request = &rq};
    uint64_t shape[2];
    uint32_t ndim;
    if (context == NULL || mask == NULL || a == NULL || b == NULL || out == NULL)
        return null_argument(function);
    for (int k = 0; k < 3; k++) QN_TRY(qn_array_read(function, given[k], &all[k]));
    if (all[1].type != all[2].type)
        return qn_error(QUERN_INVALID, "%s: values of %s and of %s; both must have one type",
                        function, qn_type_name(all[1].type), qn_type_name(all[2].type));
    QN_TRY(meet(function, all, &ndim, shape));
    quern_status status = qn_array_result(function, out, all[1].type, ndim, shape, &made);
    for (int k = 0; k < 3; k++)
        call.places[call.n_places++] =
            (struct qn_array_place){&all[k], all[k].ndim - 1, 0, lines[k]};
    call.places[call.n_places++] = (struct qn_array_place){&made, ndim - 1, 1, &rq.out};
    return finish(context, &call, status, &made, out);
}
