/* SPDX-License-Identifier: Apache-2.0
 * Places of values among sorted ones, and bins. */
#include <string.h>

#include "host/arrays/arrays.h"
#include "host/data/table.h"

static quern_status run_search(struct qn_device *device, struct qn_threads *threads,
                               const void *request, struct qn_outcome *outcome)
{
    return qn_op_search(device, threads, 0, request, outcome);
}

static quern_status search(quern_context *cx, const char *function, const char *name,
                           const quern_array *sorted, const quern_array *v, uint32_t right,
                           uint32_t flip, quern_array *out)
{
    quern_array values, made = {0};
    struct qn_search_request rq = {.right = right, .flip = flip};
    struct qn_array_call call = {.name = name, .run = run_search, .request = &rq};
    QN_TRY(qn_array_read(function, v, &values));
    if (values.type != sorted->type)
        return qn_error(QUERN_INVALID,
                        "%s: values of %s among values of %s; both must have one type", function,
                        qn_type_name(values.type), qn_type_name(sorted->type));
    QN_TRY(qn_array_result(function, out, QUERN_INT64, values.ndim, v->shape, &made));
    uint32_t axis = values.ndim - 1;
    call.places[call.n_places++] = (struct qn_array_place){sorted, 0, 0, &rq.sorted};
    call.places[call.n_places++] = (struct qn_array_place){&values, axis, 0, &rq.in};
    call.places[call.n_places++] = (struct qn_array_place){&made, axis, 1, &rq.out};
    quern_status status = qn_array_run(cx, &call);
    if (status == QUERN_OK)
        qn_array_give(&made, out);
    else
        qn_array_drop(out, &made);
    return status;
}

static quern_status read_line(const char *function, const quern_array *given, quern_array *out)
{
    QN_TRY(qn_array_read(function, given, out));
    if (out->ndim != 1)
        return qn_error(QUERN_INVALID, "%s: what is searched has %u dimensions, not 1", function,
                        out->ndim);
    return QUERN_OK;
}

quern_status quern_array_searchsorted(quern_context *context, const quern_array *sorted,
                                      const quern_array *v, int right, quern_array *out)
{
    static const char function[] = "quern_array_searchsorted";
    quern_array line;
    if (context == NULL || sorted == NULL || v == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    QN_TRY(read_line(function, sorted, &line));
    return search(context, function, "searchsorted", &line, v, right != 0, 0, out);
}

/* ---- bins ---- */

/* Whether some value is larger (smaller) than the one after it. NaN is neither. */
static void directions(const quern_array *bins, int *falls, int *rises)
{
#define WALK(TYPE)                                                                                 \
    for (uint64_t i = 0; i + 1 < bins->shape[1]; i++) {                                            \
        const char *at = (const char *)bins->data + (int64_t)i * bins->strides[1];                 \
        TYPE a, b;                                                                                 \
        memcpy(&a, at, sizeof a);                                                                  \
        memcpy(&b, at + bins->strides[1], sizeof b);                                               \
        *falls |= a > b;                                                                           \
        *rises |= a < b;                                                                           \
    }                                                                                              \
    break
    *falls = *rises = 0;
    switch (bins->type) {
    case QUERN_BOOL:
    case QUERN_UINT8: WALK(uint8_t);
    case QUERN_UINT16: WALK(uint16_t);
    case QUERN_UINT32: WALK(uint32_t);
    case QUERN_UINT64: WALK(uint64_t);
    case QUERN_INT8: WALK(int8_t);
    case QUERN_INT16: WALK(int16_t);
    case QUERN_INT32: WALK(int32_t);
    case QUERN_INT64: WALK(int64_t);
    case QUERN_FLOAT32: WALK(float);
    default: WALK(double);
    }
#undef WALK
}

/* Descending bins are searched from their end: what lies before is then what lies behind. */
quern_status quern_array_digitize(quern_context *context, const quern_array *x,
                                  const quern_array *bins, int right, quern_array *out)
{
    static const char function[] = "quern_array_digitize";
    quern_array line;
    int falls, rises;
    if (context == NULL || x == NULL || bins == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    QN_TRY(read_line(function, bins, &line));
    if (line.buffer != NULL)
        return qn_error(QUERN_UNSUPPORTED, "%s: bins must be in host memory", function);
    directions(&line, &falls, &rises);
    if (falls && rises)
        return qn_error(QUERN_INVALID, "%s: bins must be ascending or descending", function);
    if (falls) {
        line.data = (char *)line.data + (int64_t)(line.shape[1] - 1) * line.strides[1];
        line.strides[1] = -line.strides[1];
    }
    return search(context, function, "digitize", &line, x, right == 0, (uint32_t)falls, out);
}
