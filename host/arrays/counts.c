/* SPDX-License-Identifier: Apache-2.0
 * Histograms and counts of integers. */
#include <string.h>

#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/data/table.h"
#include "host/ops/counts.h"
#include "host/ops/reductions.h"

/* A call: what is counted, and for integers how many there must be. */
struct counting {
    struct qn_lines in;
    const double *edges, *weights;
    uint64_t n_bins, least;
    const quern_array *given; /* the result as the caller has it */
    struct qn_array_made *out;
    const char *function;
};

static quern_type result_type(const struct counting *c)
{
    return c->weights != NULL ? QUERN_FLOAT64 : QUERN_INT64;
}

/* ---- integers: how many bins ---- */

static quern_status extreme(struct qn_device *device, struct qn_threads *threads,
                            const struct counting *c, uint32_t kind, uint64_t *key)
{
    struct qn_reduce_request rq = {.in = c->in, .kind = kind};
    quern_status status;
    rq.out = qn_alloc((size_t)c->in.lines, sizeof *rq.out);
    if (rq.out == NULL) return qn_error_memory("counts", c->in.lines * sizeof *rq.out);
    status = qn_op_reduce(device, threads, 0, &rq, NULL);
    *key = UINT64_MAX;
    for (uint64_t i = 0; status == QUERN_OK && i < c->in.lines; i++)
        if (rq.out[i].a < *key) *key = rq.out[i].a;
    qn_free(rq.out);
    return status;
}

static quern_status find_bins(struct qn_device *device, struct qn_threads *threads,
                              struct counting *c)
{
    uint64_t low, high;
    int is_signed = c->in.type >= QN_T_I8 && c->in.type <= QN_T_I64;
    c->n_bins = c->least;
    if (c->in.lines == 0 || c->in.n == 0) return QUERN_OK;
    QN_TRY(extreme(device, threads, c, QN_REDUCE_MIN, &low));
    QN_TRY(extreme(device, threads, c, QN_REDUCE_MAX, &high));
    high = ~high;
    if (is_signed && low < QN_REDUCE_TOP)
        return qn_error(QUERN_INVALID, "%s: a value is negative", c->function);
    if (is_signed) high ^= QN_REDUCE_TOP;
    if (high >= INT64_MAX / 8)
        return qn_error(QUERN_INVALID, "%s: the value %llu needs too many counts", c->function,
                        (unsigned long long)high);
    if (high + 1 > c->n_bins) c->n_bins = high + 1;
    return QUERN_OK;
}

/* ---- the call ---- */

static const char *refuse(const struct qn_device *device, const void *request)
{
    const struct counting *c = *(struct counting *const *)request;
    if (c->weights != NULL) return "weights are added up in their order, by the processor";
    return qn_array_needs_f64(device, request);
}

static quern_status run(struct qn_device *device, struct qn_threads *threads, const void *request,
                        struct qn_outcome *outcome)
{
    struct counting *c = *(struct counting *const *)request;
    struct qn_counts_request rq = {.in = c->in, .edges = c->edges, .weights = c->weights};
    char *results;
    quern_status status = QUERN_OK;
    if (c->edges == NULL) QN_TRY(find_bins(device, threads, c));
    results = qn_zalloc((size_t)c->n_bins, 8);
    if (results == NULL) return qn_error_memory("counts", c->n_bins * 8);
    rq.n_bins = c->n_bins;
    rq.counts = (int64_t *)(void *)results;
    if (c->weights != NULL) rq.sums = (double *)(void *)results;
    QN_GO(qn_op_counts(device, threads, 0, &rq, outcome));
    QN_GO(qn_array_made_open(c->function, c->given, result_type(c), 1, &c->n_bins, c->out));
    for (uint64_t i = 0; i < c->n_bins; i++)
        memcpy(qn_array_made_at(c->out, 0, i), results + i * 8, 8);
cleanup:
    qn_free(results);
    return status;
}

/* float64 in host memory, packed: where it lies, or a copy. */
static quern_status read_packed(const char *what, const quern_array *given, quern_array *a,
                                void **copy)
{
    QN_TRY(qn_array_read(what, given, a));
    if (a->type != QUERN_FLOAT64 || a->buffer != NULL)
        return qn_error(QUERN_INVALID, "%s: edges and weights must be float64, in host memory",
                        what);
    if (qn_array_is_packed(a) || qn_array_count(a) == 0) return QUERN_OK;
    quern_array packed = *a;
    packed.strides[1] = 8;
    packed.strides[0] = (int64_t)a->shape[1] * 8;
    *copy = packed.data = qn_alloc((size_t)qn_array_count(a), 8);
    if (*copy == NULL) return qn_error_memory(what, qn_array_count(a) * 8);
    qn_array_copy(a, &packed);
    *a = packed;
    return QUERN_OK;
}

static quern_status count(quern_context *cx, struct counting *c, const quern_array *given,
                          const quern_array *weights, quern_array *out)
{
    struct qn_array_call call = {.name = "counts", .refuse = refuse, .run = run, .request = &c};
    struct qn_array_made made;
    quern_array x, w;
    void *copy = NULL;
    quern_status status;
    memset(&made, 0, sizeof made);
    c->given = out;
    c->out = &made;
    QN_GO(qn_array_read(c->function, given, &x));
    int is_float = x.type == QUERN_FLOAT32 || x.type == QUERN_FLOAT64;
    if (c->edges == NULL && is_float)
        QN_GO(qn_error(QUERN_INVALID, "%s: values of %s; integers are counted", c->function,
                       qn_type_name(x.type)));
    if (weights != NULL) {
        QN_GO(read_packed(c->function, weights, &w, &copy));
        if (w.ndim != x.ndim || w.shape[0] != x.shape[0] || w.shape[1] != x.shape[1])
            QN_GO(qn_error(QUERN_INVALID, "%s: weights must have the array's shape", c->function));
        static const double none;
        c->weights = w.data != NULL ? w.data : &none;
    }
    /* Places along the last axis: rows are lines. */
    call.places[call.n_places++] = (struct qn_array_place){&x, x.ndim - 1, 0, &c->in};
    QN_GO(qn_array_run(cx, &call));
cleanup:
    qn_free(copy);
    c->out = NULL;
    return qn_array_made_close(cx, status, &made, out);
}

quern_status quern_array_histogram(quern_context *context, const quern_array *x,
                                   const quern_array *edges, const quern_array *weights,
                                   quern_array *out)
{
    static const char function[] = "quern_array_histogram";
    struct counting c = {.function = function};
    quern_array e;
    void *copy = NULL;
    quern_status status;
    if (context == NULL || x == NULL || edges == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    QN_GO(read_packed(function, edges, &e, &copy));
    if (e.ndim != 1 || e.shape[1] < 2)
        QN_GO(qn_error(QUERN_INVALID, "%s: edges must have one dimension, and be two at least",
                       function));
    c.edges = e.data;
    c.n_bins = e.shape[1] - 1;
    for (uint64_t i = 0; i < c.n_bins; i++)
        if (!(c.edges[i] <= c.edges[i + 1]))
            QN_GO(qn_error(QUERN_INVALID, "%s: edges must ascend, without NaN", function));
    status = count(context, &c, x, weights, out);
cleanup:
    qn_free(copy);
    return status;
}

quern_status quern_array_bincount(quern_context *context, const quern_array *x,
                                  const quern_array *weights, uint64_t least, quern_array *out)
{
    static const char function[] = "quern_array_bincount";
    struct counting c = {.function = function, .least = least};
    if (context == NULL || x == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if (least >= INT64_MAX / 8) return qn_error(QUERN_INVALID, "%s: too many counts", function);
    return count(context, &c, x, weights, out);
}
