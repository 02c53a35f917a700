/* SPDX-License-Identifier: Apache-2.0
 * Sorting, and what stands on it. */
#include "host/arrays/arrays.h"
#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/data/table.h"
#include "host/memory/output.h"

static quern_status null_argument(const char *function)
{
    return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
}

static quern_status run_sort(struct qn_device *device, struct qn_threads *threads,
                             const void *request, struct qn_outcome *outcome)
{
    return qn_op_sort(device, threads, 0, request, outcome);
}

/* The first k of every line: values, places, or both. */
struct wanted {
    const char *name, *function;
    const quern_array *x;
    uint64_t k; /* UINT64_MAX: all */
    int axis;
    uint32_t flags;
    quern_array *values, *order; /* NULL: not wanted */
};

static quern_status sort_wanted(quern_context *cx, const struct wanted *w)
{
    quern_array x, values = {0}, order = {0};
    struct qn_sort_request rq = {.flags = w->flags};
    struct qn_array_call call = {.name = w->name, .run = run_sort, .request = &rq};
    uint32_t axis;
    quern_status status = QUERN_OK;
    if ((w->flags & ~(uint32_t)QUERN_SORT_DESCENDING) != 0)
        return qn_error(QUERN_INVALID, "%s: unknown flags %x", w->function, w->flags);
    QN_TRY(qn_array_read(w->function, w->x, &x));
    QN_TRY(qn_array_axis(&x, w->axis, &axis));
    uint64_t shape[2] = {w->x->shape[0], w->x->shape[1]};
    if (w->k != UINT64_MAX && w->k > shape[axis])
        return qn_error(QUERN_INVALID, "%s: k is %llu, and a line has %llu values", w->function,
                        (unsigned long long)w->k, (unsigned long long)shape[axis]);
    if (w->k != UINT64_MAX) shape[axis] = w->k;
    call.places[call.n_places++] = (struct qn_array_place){&x, axis, 0, &rq.in};
    if (w->values != NULL) {
        QN_GO(qn_array_result(w->function, w->values, x.type, x.ndim, shape, &values));
        call.places[call.n_places++] = (struct qn_array_place){&values, axis, 1, &rq.values};
    }
    if (w->order != NULL) {
        QN_GO(qn_array_result(w->function, w->order, QUERN_INT64, x.ndim, shape, &order));
        call.places[call.n_places++] = (struct qn_array_place){&order, axis, 1, &rq.order};
    }
    QN_GO(qn_array_run(cx, &call));
    if (w->values != NULL) qn_array_give(&values, w->values);
    if (w->order != NULL) qn_array_give(&order, w->order);
    return QUERN_OK;
cleanup:
    qn_array_drop(w->values, &values);
    qn_array_drop(w->order, &order);
    return status;
}

quern_status quern_array_sort(quern_context *context, const quern_array *x, int axis,
                              uint32_t flags, quern_array *out)
{
    if (context == NULL || x == NULL || out == NULL) return null_argument("quern_array_sort");
    struct wanted w = {"sort", "quern_array_sort", x, UINT64_MAX, axis, flags, out, NULL};
    return sort_wanted(context, &w);
}

quern_status quern_array_argsort(quern_context *context, const quern_array *x, int axis,
                                 uint32_t flags, quern_array *out)
{
    if (context == NULL || x == NULL || out == NULL) return null_argument("quern_array_argsort");
    struct wanted w = {"argsort", "quern_array_argsort", x, UINT64_MAX, axis, flags, NULL, out};
    return sort_wanted(context, &w);
}

/* Places are always found, so that which of equal values is taken does not depend on what is asked for. */
quern_status quern_array_topk(quern_context *context, const quern_array *x, uint64_t k, int axis,
                              int largest, quern_array *values, quern_array *places)
{
    uint32_t flags = largest ? QUERN_SORT_DESCENDING : 0u;
    quern_array unwanted = {.struct_size = sizeof unwanted};
    if (context == NULL || x == NULL || (values == NULL && places == NULL))
        return null_argument("quern_array_topk");
    struct wanted w = {"topk", "quern_array_topk", x, k, axis, flags, values, places};
    if (places == NULL) w.order = &unwanted;
    quern_status status = sort_wanted(context, &w);
    quern_array_free(&unwanted);
    return status;
}

/* ---- distinct values ---- */

static quern_status run_unique(struct qn_device *device, struct qn_threads *threads,
                               const void *request, struct qn_outcome *outcome)
{
    return qn_op_unique(device, threads, 0, request, outcome);
}

static quern_status refuse_memory(const quern_array *given)
{
    if (given == NULL) return QUERN_OK;
    if (given->struct_size < sizeof *given)
        return qn_error(QUERN_INVALID,
                        "quern_array_unique: struct_size is %u; set it to sizeof(quern_array)",
                        given->struct_size);
    if (given->data != NULL || given->buffer != NULL)
        return qn_error(QUERN_INVALID,
                        "quern_array_unique: results are made here; give arrays without memory");
    return QUERN_OK;
}

/* Room for as many as there may be is cut to what there is. */
static void cut(quern_array *a, uint64_t n)
{
    size_t bytes = (size_t)n * qn_type_bytes(a->type);
    void *less = qn_output_realloc(a->data, bytes != 0 ? bytes : 1, 1);
    if (less != NULL) a->data = less;
    a->shape[1] = n;
}

quern_status quern_array_unique(quern_context *context, const quern_array *given,
                                quern_array *values, quern_array *index, quern_array *inverse,
                                quern_array *counts)
{
    static const char what[] = "quern_array_unique";
    quern_array *const asked[4] = {values, index, inverse, counts};
    quern_array x, made[4] = {{0}};
    struct qn_unique_request rq = {0};
    struct qn_array_call call = {.name = "unique", .run = run_unique, .request = &rq};
    uint64_t n = 0;
    void *copy = NULL;
    quern_status status = QUERN_OK;
    if (context == NULL || given == NULL || values == NULL) return null_argument(what);
    for (int i = 0; i < 4; i++) QN_TRY(refuse_memory(asked[i]));
    QN_TRY(qn_array_read(what, given, &x));
    uint64_t all[2] = {qn_array_count(&x), 0};
    for (int i = 0; i < 4; i++) {
        quern_type type = i == 0 ? x.type : QUERN_INT64;
        if (asked[i] == NULL) continue;
        if (i == 2)
            QN_GO(qn_array_result(what, asked[i], type, x.ndim, given->shape, &made[i]));
        else
            QN_GO(qn_array_result(what, asked[i], type, 1, all, &made[i]));
    }
    QN_GO(qn_array_flatten("quern_array_unique", &x, &copy));
    rq.values = made[0].data;
    rq.first = made[1].data;
    rq.inverse = made[2].data;
    rq.counts = made[3].data;
    rq.n_values = &n;
    call.places[call.n_places++] = (struct qn_array_place){&x, 0, 0, &rq.in};
    QN_GO(qn_array_run(context, &call));
    for (int i = 0; i < 4; i++) {
        if (asked[i] == NULL) continue;
        if (i != 2) cut(&made[i], n);
        qn_array_give(&made[i], asked[i]);
        made[i].owned = 0;
    }
cleanup:
    for (int i = 0; i < 4; i++) qn_array_drop(asked[i], &made[i]);
    qn_free(copy);
    return status;
}
