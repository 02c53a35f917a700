/* SPDX-License-Identifier: Apache-2.0
 * Reductions: which nodes a result needs (kernels/reduce.h, or the moments of docs/numbers.md for
 * variances), and how it is made of them. */
#include <math.h>
#include <string.h>

#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/data/table.h"
#include "host/ops/reductions.h"
#include "host/stats/moments.h"

/* Lines at a time; of lanes of long lines. */
enum { WAVE = 1 << 16, LANES_WAVE = 1 << 12 };

struct reduction {
    struct qn_lines in;
    quern_reduction what;
    int skip;
    double ddof;
    struct qn_array_made *out;
};

static int is_float(uint32_t type)
{
    return type == QN_T_F32 || type == QN_T_F64;
}

static int is_unsigned(uint32_t type)
{
    return type >= QN_T_U8 && type <= QN_T_U64;
}

static quern_type result_type(quern_reduction what, quern_type x)
{
    switch (what) {
    case QUERN_REDUCE_SUM:
    case QUERN_REDUCE_PRODUCT:
        if (is_float(x)) return x;
        return is_unsigned(x) ? QUERN_UINT64 : QUERN_INT64;
    case QUERN_REDUCE_MEAN:
    case QUERN_REDUCE_VAR:
    case QUERN_REDUCE_STD: return x == QUERN_FLOAT32 ? QUERN_FLOAT32 : QUERN_FLOAT64;
    case QUERN_REDUCE_MIN:
    case QUERN_REDUCE_MAX:
    case QUERN_REDUCE_PTP: return x;
    case QUERN_REDUCE_ANY:
    case QUERN_REDUCE_ALL: return QUERN_BOOL;
    default: return QUERN_INT64;
    }
}

static uint32_t kind_of(quern_reduction what, uint32_t type)
{
    switch (what) {
    case QUERN_REDUCE_SUM: return is_float(type) ? QN_REDUCE_SUM : QN_REDUCE_SUM_INT;
    case QUERN_REDUCE_PRODUCT: return is_float(type) ? QN_REDUCE_PRODUCT : QN_REDUCE_PRODUCT_INT;
    case QUERN_REDUCE_MEAN: return QN_REDUCE_SUM;
    case QUERN_REDUCE_MIN:
    case QUERN_REDUCE_PTP:
    case QUERN_REDUCE_ARGMIN: return QN_REDUCE_MIN;
    case QUERN_REDUCE_MAX:
    case QUERN_REDUCE_ARGMAX: return QN_REDUCE_MAX;
    default: return QN_REDUCE_COUNT;
    }
}

/* ---- from nodes to results ---- */

/* A sum that is infinite has lost NaN for its roundings. */
static double sum_of(const struct qn_reduced *r)
{
    double s = QN_F64(r->a), sum = s + QN_F64(r->b);
    return sum == sum ? sum : s;
}

/* The float of an extreme's key. */
static double float_of(uint32_t kind, uint64_t key)
{
    if (kind == QN_REDUCE_MAX && key != 0) key = ~key;
    if (key == 0 || key == UINT64_MAX) return (double)NAN;
    return QN_F64(key >> 63 ? key ^ QN_REDUCE_TOP : ~key);
}

static uint64_t integer_of(uint32_t kind, uint32_t type, uint64_t key)
{
    if (kind == QN_REDUCE_MAX) key = ~key;
    return type == QN_T_BOOL || is_unsigned(type) ? key : key ^ QN_REDUCE_TOP;
}

static void store_extreme(const struct reduction *q, const struct qn_reduced *r, char *at)
{
    uint32_t kind = kind_of(q->what, q->in.type);
    if (is_float(q->in.type))
        qn_array_store((quern_type)q->in.type, float_of(kind, r->a), at);
    else
        qn_array_store_integer((quern_type)q->in.type, integer_of(kind, q->in.type, r->a), at);
}

/* The difference is made in the array's own type. */
static void store_range(const struct reduction *q, const struct qn_reduced *low,
                        const struct qn_reduced *high, char *at)
{
    uint32_t type = q->in.type;
    if (is_float(type)) {
        double a = float_of(QN_REDUCE_MIN, low->a), b = float_of(QN_REDUCE_MAX, high->a);
        double difference = type == QN_T_F32 ? (double)((float)b - (float)a) : b - a;
        qn_array_store((quern_type)type, difference, at);
        return;
    }
    qn_array_store_integer(
        (quern_type)type,
        integer_of(QN_REDUCE_MAX, type, high->a) - integer_of(QN_REDUCE_MIN, type, low->a), at);
}

static void store(const struct reduction *q, const struct qn_reduced *r, char *at)
{
    uint64_t n = q->in.n;
    switch (q->what) {
    case QUERN_REDUCE_SUM:
    case QUERN_REDUCE_PRODUCT:
        if (is_float(q->in.type))
            qn_array_store((quern_type)q->in.type,
                           q->what == QUERN_REDUCE_SUM ? sum_of(r) : QN_F64(r->a), at);
        else
            qn_array_store_integer(QUERN_INT64, r->a, at);
        break;
    case QUERN_REDUCE_MEAN:
        qn_array_store(result_type(q->what, (quern_type)q->in.type),
                       sum_of(r) / (double)(n - r->missing), at);
        break;
    case QUERN_REDUCE_MIN:
    case QUERN_REDUCE_MAX: store_extreme(q, r, at); break;
    case QUERN_REDUCE_ARGMIN:
    case QUERN_REDUCE_ARGMAX: qn_array_store_integer(QUERN_INT64, r->place, at); break;
    case QUERN_REDUCE_COUNT: qn_array_store_integer(QUERN_INT64, n - r->missing, at); break;
    case QUERN_REDUCE_ANY: qn_array_store_integer(QUERN_BOOL, r->a != 0, at); break;
    case QUERN_REDUCE_ALL: qn_array_store_integer(QUERN_BOOL, r->a == n, at); break;
    default: qn_array_store_integer(QUERN_INT64, r->a, at); break;
    }
}

static quern_status check_places(const struct reduction *q, const struct qn_reduced *r,
                                 uint64_t lines)
{
    if (q->what != QUERN_REDUCE_ARGMIN && q->what != QUERN_REDUCE_ARGMAX) return QUERN_OK;
    for (uint64_t i = 0; i < lines; i++)
        if (r[i].place == UINT64_MAX)
            return qn_error(QUERN_INVALID,
                            "quern_array_reduce: a line has no value but NaN, so its "
                            "extreme has no place");
    return QUERN_OK;
}

static quern_status run_nodes(struct qn_device *device, struct qn_threads *threads,
                              const void *request, struct qn_outcome *outcome)
{
    const struct reduction *q = request;
    int range = q->what == QUERN_REDUCE_PTP;
    uint64_t wave = q->in.lines < WAVE ? q->in.lines : (uint64_t)WAVE;
    struct qn_reduce_request rq = {.kind = kind_of(q->what, q->in.type), .skip = q->skip != 0};
    struct qn_reduced *nodes = qn_alloc((size_t)(2 * wave), sizeof *nodes);
    quern_status status = QUERN_OK;
    rq.places = q->what == QUERN_REDUCE_ARGMIN || q->what == QUERN_REDUCE_ARGMAX;
    if (nodes == NULL) return qn_error_memory("a reduction", 2 * wave * sizeof *nodes);
    for (uint64_t first = 0, lines = wave; first < q->in.lines; first += lines) {
        if (q->in.lines - first < lines) lines = q->in.lines - first;
        rq.in = qn_lines_from(&q->in, first, lines);
        rq.out = nodes;
        QN_GO(qn_op_reduce(device, threads, 0, &rq, outcome));
        struct qn_reduce_request high = rq;
        high.kind = QN_REDUCE_MAX;
        high.out = nodes + wave;
        if (range) QN_GO(qn_op_reduce(device, threads, 0, &high, outcome));
        QN_GO(check_places(q, nodes, lines));
        for (uint64_t i = 0; i < lines; i++) {
            char *at = qn_array_made_at(q->out, 0, first + i);
            if (range)
                store_range(q, &nodes[i], &nodes[wave + i], at);
            else
                store(q, &nodes[i], at);
        }
    }
cleanup:
    qn_free(nodes);
    return status;
}

/* ---- variances ---- */

static void store_variance(const struct reduction *q, struct qn_node node, char *at)
{
    double n = q->skip ? node.n : (double)q->in.n, divisor = n - q->ddof, value;
    int infinite = !(node.hi - node.hi == 0.0);
    if (node.n < n || n == 0.0 || infinite || (q->skip && divisor <= 0.0))
        value = (double)NAN;
    else
        value = node.m2 / (divisor > 0.0 ? divisor : 0.0);
    if (q->what == QUERN_REDUCE_STD) value = sqrt(value);
    qn_array_store(result_type(q->what, (quern_type)q->in.type), value, at);
}

static void make_lanes(const struct qn_lines *in, uint64_t first, uint32_t n, struct qn_lane *lanes)
{
    for (uint32_t i = 0; i < n; i++) {
        struct qn_lines line = qn_lines_from(in, first + i, 1);
        lanes[i] = (struct qn_lane){.data = line.data,
                                    .stride = in->stride,
                                    .offset = line.offset,
                                    .valid_bit = QN_NO_VALIDITY,
                                    .type = in->type,
                                    .work = (uint32_t)(in->type == QN_T_F32 ? QN_W_F32 : QN_W_F64)};
    }
}

/* Lines that are no columns of a packed matrix would each cost a lane. */
static int is_short(const struct qn_device *device, const struct qn_lines *in)
{
    return device == NULL && in->n <= QN_BLOCK_ROWS && in->lines > 1;
}

static quern_status some_variances(struct qn_device *device, struct qn_threads *threads,
                                   const struct reduction *q, uint64_t first, uint32_t n,
                                   struct qn_lane *lanes, struct qn_node *nodes,
                                   struct qn_outcome *outcome)
{
    struct qn_moments *moments = NULL;
    struct qn_moments_request rq = {
        .batch = {.rows = q->in.n, .lanes = lanes, .n_lanes = n, .base = q->in.base},
        .nodes = nodes};
    quern_status status = QUERN_OK;
    if (is_short(device, &q->in)) {
        struct qn_lines some = qn_lines_from(&q->in, first, n);
        qn_cpu_moments_lines(threads, &some, nodes);
        for (uint32_t i = 0; i < n; i++)
            store_variance(q, nodes[i], qn_array_made_at(q->out, 0, first + i));
        return QUERN_OK;
    }
    make_lanes(&q->in, first, n, lanes);
    QN_GO(qn_op_moments(device, threads, 0, &rq, outcome));
    QN_GO(qn_moments_open(n, 0, &moments));
    QN_GO(qn_moments_push(moments, nodes, q->in.n));
    for (uint32_t i = 0; i < n; i++)
        store_variance(q, qn_moments_result(moments, i), qn_array_made_at(q->out, 0, first + i));
cleanup:
    qn_moments_free(moments);
    return status;
}

static quern_status run_moments(struct qn_device *device, struct qn_threads *threads,
                                const void *request, struct qn_outcome *outcome)
{
    const struct reduction *q = request;
    uint64_t groups = q->in.n / QN_GROUP_ROWS + 1,
             wave = is_short(device, &q->in) ? WAVE : LANES_WAVE;
    if (wave > q->in.lines) wave = q->in.lines;
    struct qn_lane *lanes = qn_alloc((size_t)wave, sizeof *lanes);
    struct qn_node *nodes = qn_zalloc((size_t)(wave * groups), sizeof *nodes);
    quern_status status = QUERN_OK;
    if (lanes == NULL || nodes == NULL)
        QN_GO(qn_error_memory("a variance", wave * (sizeof *lanes + groups * sizeof *nodes)));
    outcome->implementation = "cpu"; /* of short lines; the operation has its own */
    for (uint64_t first = 0; first < q->in.lines; first += wave) {
        uint64_t left = q->in.lines - first, n = left < wave ? left : wave;
        QN_GO(some_variances(device, threads, q, first, (uint32_t)n, lanes, nodes, outcome));
    }
cleanup:
    qn_free(nodes);
    qn_free(lanes);
    return status;
}

/* ---- the call ---- */

static int has_place(quern_reduction what)
{
    return what == QUERN_REDUCE_ARGMIN || what == QUERN_REDUCE_ARGMAX;
}

/* Results of these do not depend on the order of all values. */
static int is_free_of_order(quern_reduction what, quern_type type)
{
    if (what == QUERN_REDUCE_SUM || what == QUERN_REDUCE_PRODUCT) return !is_float(type);
    return !has_place(what) && what != QUERN_REDUCE_MEAN && what != QUERN_REDUCE_VAR &&
           what != QUERN_REDUCE_STD;
}

static quern_status check(const struct reduction *q, const quern_array *x, uint32_t axis)
{
    static const char what[] = "quern_array_reduce";
    uint64_t n = x->ndim == 1 ? x->shape[1] : x->shape[axis];
    int extreme = has_place(q->what) || q->what == QUERN_REDUCE_MIN ||
                  q->what == QUERN_REDUCE_MAX || q->what == QUERN_REDUCE_PTP;
    if (q->what == QUERN_REDUCE_PTP && x->type == QUERN_BOOL)
        return qn_error(QUERN_INVALID, "%s: booleans have no range", what);
    if (extreme && n == 0 && (x->ndim == 1 || x->shape[1 - axis] != 0))
        return qn_error(QUERN_INVALID, "%s: an extreme of no values", what);
    return QUERN_OK;
}

static quern_status read_options(const quern_reduce_options *options, struct reduction *q)
{
    quern_reduce_options given = {0};
    if (options != NULL && options->struct_size < sizeof given)
        return qn_error(QUERN_INVALID,
                        "quern_array_reduce: struct_size is %u; set it to "
                        "sizeof(quern_reduce_options)",
                        options->struct_size);
    if (options != NULL) given = *options;
    if (!(given.ddof - given.ddof == 0.0))
        return qn_error(QUERN_INVALID, "quern_array_reduce: ddof is not a finite number");
    q->skip = given.skip_nan != 0;
    q->ddof = given.ddof;
    return QUERN_OK;
}

static quern_status read_view(const struct reduction *q, const quern_array *given, int axis,
                              quern_array *x, uint32_t *along, void **copy)
{
    static const char what[] = "quern_array_reduce";
    QN_TRY(qn_array_read(what, given, x));
    if (axis != QUERN_AXIS_ALL) return qn_array_axis(x, axis, along);
    *along = 0;
    if (x->ndim == 2 && !qn_array_is_packed(x) && is_free_of_order(q->what, x->type)) {
        quern_array turned = *x;
        for (int i = 0; i < 2; i++) {
            turned.shape[i] = x->shape[1 - i];
            turned.strides[i] = x->strides[1 - i];
        }
        if (qn_array_is_packed(&turned)) *x = turned;
    }
    return qn_array_flatten(what, x, copy);
}

quern_status quern_array_reduce(quern_context *context, quern_reduction what,
                                const quern_array *given, int axis,
                                const quern_reduce_options *options, quern_array *out)
{
    static const char function[] = "quern_array_reduce";
    struct qn_array_made made;
    struct reduction q = {.what = what, .out = &made};
    struct qn_array_call call = {
        .name = "reduce", .refuse = qn_array_needs_f64, .run = run_nodes, .request = &q};
    quern_array x;
    uint32_t along;
    void *copy = NULL;
    quern_status status;
    if (context == NULL || given == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if ((uint32_t)what > QUERN_REDUCE_ALL)
        return qn_error(QUERN_INVALID, "%s: there is no reduction %u", function, (uint32_t)what);
    QN_TRY(read_options(options, &q));
    memset(&made, 0, sizeof made);
    QN_GO(read_view(&q, given, axis, &x, &along, &copy));
    QN_GO(check(&q, &x, along));
    uint64_t lines = x.ndim == 1 ? 1 : x.shape[1 - along];
    QN_GO(qn_array_made_open(function, out, result_type(what, x.type), 1, &lines, &made));
    if (what == QUERN_REDUCE_VAR || what == QUERN_REDUCE_STD) call.run = run_moments;
    call.places[call.n_places++] = (struct qn_array_place){&x, along, 0, &q.in};
    QN_GO(qn_array_run(context, &call));
cleanup:
    qn_free(copy);
    return qn_array_made_close(context, status, &made, out);
}
