/* SPDX-License-Identifier: Apache-2.0
 * Sums and products on the way along an axis. */
#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/ops/reductions.h"

static quern_status run(struct qn_device *device, struct qn_threads *threads, const void *request,
                        struct qn_outcome *outcome)
{
    return qn_op_accumulate(device, threads, 0, request, outcome);
}

static quern_type result_type(quern_type x)
{
    if (x == QUERN_FLOAT32 || x == QUERN_FLOAT64) return x;
    return x >= QUERN_UINT8 && x <= QUERN_UINT64 ? QUERN_UINT64 : QUERN_INT64;
}

quern_status quern_array_accumulate(quern_context *context, quern_accumulation what,
                                    const quern_array *given, int axis, int skip_nan,
                                    quern_array *out)
{
    static const char function[] = "quern_array_accumulate";
    struct qn_accumulate_request rq = {.product = what == QUERN_ACCUMULATE_PRODUCT,
                                       .skip = skip_nan != 0};
    struct qn_array_call call = {
        .name = "accumulate", .refuse = qn_array_needs_f64, .run = run, .request = &rq};
    quern_array x, made = {0};
    uint32_t along = 0;
    void *copy = NULL;
    quern_status status;
    if (context == NULL || given == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if ((uint32_t)what > QUERN_ACCUMULATE_PRODUCT)
        return qn_error(QUERN_INVALID, "%s: there is no accumulation %u", function, (uint32_t)what);
    QN_GO(qn_array_read(function, given, &x));
    if (axis == QUERN_AXIS_ALL)
        QN_GO(qn_array_flatten(function, &x, &copy));
    else
        QN_GO(qn_array_axis(&x, axis, &along));
    uint64_t shape[2] = {x.ndim == 1 ? x.shape[1] : x.shape[0], x.shape[1]};
    QN_GO(qn_array_result(function, out, result_type(x.type), x.ndim, shape, &made));
    call.places[call.n_places++] = (struct qn_array_place){&x, along, 0, &rq.in};
    call.places[call.n_places++] = (struct qn_array_place){&made, along, 1, &rq.out};
    QN_GO(qn_array_run(context, &call));
    qn_array_give(&made, out);
    made.owned = 0;
cleanup:
    qn_array_drop(out, &made);
    qn_free(copy);
    return status;
}
