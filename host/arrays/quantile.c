/* SPDX-License-Identifier: Apache-2.0
 * Quantiles of lines: long lines by selection of the wanted ranks, short ones and those of 64-bit
 * integers, which float64 does not hold, from the sorted line. Both give the order statistics
 * themselves, so which it was does not show. */
#include <math.h>
#include <string.h>

#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/data/table.h"
#include "host/ops/reductions.h"
#include "host/stats/quantiles.h"

enum {
    SORTED = 1024,          /* values of a line that is sorted, at most */
    SORTED_BYTES = 1 << 23, /* lines that are sorted together */
    LANES_WAVE = 256,
    RANKS_WAVE = 4096, /* ranks of lanes that are selected together */
    MOST = 1 << 16     /* quantiles of a call */
};

struct quantiles {
    struct qn_lines in, weights;
    const double *fractions;
    uint32_t n;
    quern_quantile_method method;
    int skip;
    quern_type type; /* of results */
    struct qn_array_made *out;
};

static int is_float(uint32_t type)
{
    return type == QN_T_F32 || type == QN_T_F64;
}

static int takes_values(quern_quantile_method method)
{
    return method == QUERN_QUANTILE_INVERTED_CDF || method == QUERN_QUANTILE_CLOSEST_OBSERVATION;
}

/* ---- ranks and values ---- */

static struct qn_quantile ranks_of(const struct quantiles *q, uint32_t j, uint64_t count)
{
    if (q->method == QUERN_QUANTILE_MEDIAN) return qn_median_ranks(count);
    return qn_quantile_ranks_at((enum qn_quantile_method)q->method, count, q->fractions[j]);
}

/* The number of values that count: 0 where NaN makes the result NaN. */
static uint64_t count_of(const struct quantiles *q, uint64_t missing)
{
    return missing != 0 && !q->skip ? 0 : q->in.n - missing;
}

static void store_value(const struct quantiles *q, double value, char *at)
{
    if (is_float(q->type))
        qn_array_store(q->type, value, at);
    else
        qn_array_store_integer(q->type, value < 0.0 ? (uint64_t)(int64_t)value : (uint64_t)value,
                               at);
}

/* From the two order statistics. */
static void store(const struct quantiles *q, struct qn_quantile rank, double low, double high,
                  char *at)
{
    int f32 = q->in.type == QN_T_F32;
    if (rank.low == UINT64_MAX)
        store_value(q, (double)NAN, at);
    else if (q->method == QUERN_QUANTILE_MEDIAN)
        store_value(q, qn_median_value(rank, low, high, f32, QN_MEDIAN_PLAIN), at);
    else if (takes_values(q->method))
        store_value(q, low, at);
    else
        store_value(q, qn_quantile_value(rank, low, high, f32), at);
}

/* ---- by selection ---- */

/* Some lanes, and for each lane and quantile two ranks. */
struct selection {
    struct qn_lane lanes[LANES_WAVE];
    struct qn_reduced nodes[LANES_WAVE];
    uint64_t counts[LANES_WAVE];
    uint64_t *ranks;
    double *values;
};

static quern_status select_some(struct qn_device *device, struct qn_threads *threads,
                                const struct quantiles *q, uint64_t first, uint32_t n,
                                struct selection *s, struct qn_outcome *outcome)
{
    struct qn_reduce_request missing = {
        .in = qn_lines_from(&q->in, first, n), .kind = QN_REDUCE_COUNT, .out = s->nodes};
    struct qn_select_request rq = {
        .batch = {.rows = q->in.n, .lanes = s->lanes, .n_lanes = n, .base = q->in.base},
        .n_ranks = 2 * q->n,
        .ranks = s->ranks,
        .counts = s->counts,
        .values = s->values};
    QN_TRY(qn_op_reduce(device, threads, 0, &missing, NULL));
    for (uint32_t i = 0; i < n; i++) {
        struct qn_lines line = qn_lines_from(&q->in, first + i, 1);
        s->lanes[i] =
            (struct qn_lane){.data = line.data,
                             .stride = q->in.stride,
                             .offset = line.offset,
                             .valid_bit = QN_NO_VALIDITY,
                             .type = q->in.type,
                             .work = (uint32_t)(q->in.type == QN_T_F32 ? QN_W_F32 : QN_W_F64)};
        s->counts[i] = q->in.n - s->nodes[i].missing;
        for (uint32_t j = 0; j < q->n; j++) {
            struct qn_quantile rank = ranks_of(q, j, count_of(q, s->nodes[i].missing));
            s->ranks[(i * q->n + j) * 2] = rank.low;
            s->ranks[(i * q->n + j) * 2 + 1] = rank.high;
        }
    }
    QN_TRY(qn_op_select(device, threads, 0, &rq, outcome));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < q->n; j++) {
            const double *v = &s->values[(i * q->n + j) * 2];
            store(q, ranks_of(q, j, count_of(q, s->nodes[i].missing)), v[0], v[1],
                  qn_array_made_at(q->out, j, first + i));
        }
    return QUERN_OK;
}

static quern_status run_selection(struct qn_device *device, struct qn_threads *threads,
                                  const struct quantiles *q, struct qn_outcome *outcome)
{
    uint64_t wave = RANKS_WAVE / (2 * q->n) + 1;
    if (wave > LANES_WAVE) wave = LANES_WAVE;
    struct selection *s = qn_alloc(1, sizeof *s);
    quern_status status = QUERN_OK;
    if (s == NULL) return qn_error_memory("quantiles", sizeof *s);
    s->ranks = qn_alloc((size_t)(wave * 2 * q->n), sizeof *s->ranks);
    s->values = qn_alloc((size_t)(wave * 2 * q->n), sizeof *s->values);
    if (s->ranks == NULL || s->values == NULL)
        QN_GO(qn_error_memory("quantiles", wave * 2 * q->n * 16));
    for (uint64_t first = 0; first < q->in.lines; first += wave) {
        uint64_t left = q->in.lines - first, n = left < wave ? left : wave;
        QN_GO(select_some(device, threads, q, first, (uint32_t)n, s, outcome));
    }
cleanup:
    qn_free(s->ranks);
    qn_free(s->values);
    qn_free(s);
    return status;
}

/* ---- from sorted lines, on the host ---- */

static double value_at(uint32_t type, const void *at)
{
    union {
        float f32;
        double f64;
        uint64_t u64;
        uint32_t u32;
        uint16_t u16;
        uint8_t u8;
    } v;
    memcpy(&v, at, qn_type_bytes((quern_type)type));
    switch (type) {
    case QN_T_F32: return (double)v.f32;
    case QN_T_F64: return v.f64;
    case QN_T_U64: return (double)v.u64;
    case QN_T_I64: return (double)(int64_t)v.u64;
    case QN_T_U32: return v.u32;
    case QN_T_I32: return (int32_t)v.u32;
    case QN_T_U16: return v.u16;
    case QN_T_I16: return (int16_t)v.u16;
    case QN_T_I8: return (int8_t)v.u8;
    default: return v.u8;
    }
}

/* NaN is last. */
static uint64_t missing_at_end(uint32_t type, const char *line, uint64_t n)
{
    uint64_t low = 0, high = n;
    size_t bytes = qn_type_bytes((quern_type)type);
    if (!is_float(type)) return 0;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        double x = value_at(type, line + mid * bytes);
        if (x == x)
            low = mid + 1;
        else
            high = mid;
    }
    return n - low;
}

/* Between 64-bit integers, whose difference is made before it is rounded, as NumPy does. */
static double between(struct qn_quantile rank, uint32_t type, const char *low, const char *high)
{
    uint64_t a, b;
    double x = value_at(type, low), y = value_at(type, high);
    memcpy(&a, low, sizeof a);
    memcpy(&b, high, sizeof b);
    double difference = (double)(b - a);
    return rank.t >= 0.5 ? y - difference * (1.0 - rank.t) : x + difference * rank.t;
}

static void store_sorted(const struct quantiles *q, const char *line, uint64_t number)
{
    size_t bytes = qn_type_bytes((quern_type)q->in.type);
    uint64_t count = count_of(q, missing_at_end(q->in.type, line, q->in.n));
    for (uint32_t j = 0; j < q->n; j++) {
        struct qn_quantile rank = ranks_of(q, j, count);
        char *at = qn_array_made_at(q->out, j, number);
        if (rank.low == UINT64_MAX) {
            store(q, rank, 0.0, 0.0, at);
            continue;
        }
        const char *low = line + rank.low * bytes, *high = line + rank.high * bytes;
        if (takes_values(q->method) && !is_float(q->in.type))
            memcpy(at, low, bytes);
        else if (bytes == 8 && !is_float(q->in.type) && q->method != QUERN_QUANTILE_MEDIAN)
            store_value(q, between(rank, q->in.type, low, high), at);
        else
            store(q, rank, value_at(q->in.type, low), value_at(q->in.type, high), at);
    }
}

struct sorted_lines {
    const struct quantiles *q;
    const char *values;
    uint64_t first;
};

static void sorted_task(void *user, uint32_t worker, uint64_t line)
{
    const struct sorted_lines *s = user;
    size_t bytes = qn_type_bytes((quern_type)s->q->in.type);
    (void)worker;
    store_sorted(s->q, s->values + line * s->q->in.n * bytes, s->first + line);
}

static quern_status run_sorted(struct qn_threads *threads, const struct quantiles *q,
                               struct qn_outcome *outcome)
{
    size_t bytes = qn_type_bytes((quern_type)q->in.type);
    uint64_t wave = SORTED_BYTES / (q->in.n * bytes) + 1;
    if (wave > q->in.lines) wave = q->in.lines;
    char *values = qn_alloc((size_t)(wave * q->in.n), bytes);
    quern_status status = QUERN_OK;
    if (values == NULL) return qn_error_memory("quantiles", wave * q->in.n * bytes);
    for (uint64_t first = 0; first < q->in.lines; first += wave) {
        uint64_t left = q->in.lines - first, lines = left < wave ? left : wave;
        struct sorted_lines sorted = {q, values, first};
        struct qn_sort_request rq = {.in = qn_lines_from(&q->in, first, lines),
                                     .flags = QN_SORT_PLUS_ZERO};
        rq.values = (struct qn_lines){.data = values,
                                      .lines = lines,
                                      .n = q->in.n,
                                      .line_stride = (int64_t)(q->in.n * bytes),
                                      .stride = (int64_t)bytes,
                                      .type = q->in.type};
        QN_GO(qn_op_sort(NULL, threads, 0, &rq, outcome));
        qn_threads_run(threads, lines, sorted_task, &sorted);
    }
cleanup:
    qn_free(values);
    return status;
}

/* ---- with weights, on the host ---- */

static double weight_at(const struct quantiles *q, uint64_t line, int64_t place)
{
    double w;
    memcpy(&w,
           (const char *)q->weights.data + (int64_t)line * q->weights.line_stride +
               place * q->weights.stride,
           sizeof w);
    return w;
}

/* NumPy's definition: the first value whose share of the weights, with those before it, is not less than
 * the fraction; values in their order, places in theirs where they are equal. */
static quern_status store_weighted(const struct quantiles *q, uint64_t line, const int64_t *order,
                                   double *shares)
{
    struct qn_lines values = qn_lines_from(&q->in, line, 1);
    uint64_t count = q->in.n, missing = 0;
    double total = 0.0;
#define VALUE(i) ((const char *)values.data + order[i] * values.stride)
    for (; missing < count && is_float(q->in.type); missing++) {
        double x = value_at(q->in.type, VALUE(count - 1 - missing));
        if (x == x) break;
    }
    int none = missing != 0 && (!q->skip || missing == count);
    count -= missing;
    for (uint64_t i = 0; i < count; i++) {
        double w = weight_at(q, line, order[i]);
        if (!(w >= 0.0) || w - w != 0.0)
            return qn_error(QUERN_INVALID,
                            "quern_array_quantile: weights must be finite numbers, not negative");
        total += w;
        shares[i] = total;
    }
    if (!none && (total == 0.0 || total - total != 0.0))
        return qn_error(
            QUERN_INVALID,
            "quern_array_quantile: the weights of a line are all 0, or their sum is infinite");
    for (uint32_t j = 0; j < q->n; j++) {
        uint64_t low = 0, high = count;
        char *at = qn_array_made_at(q->out, j, line);
        if (none) {
            store_value(q, (double)NAN, at);
            continue;
        }
        while (low < high) {
            uint64_t mid = low + (high - low) / 2;
            double share = shares[mid] / total;
            if (share == 0.0 || share < q->fractions[j]) /* what weighs nothing comes not first */
                low = mid + 1;
            else
                high = mid;
        }
        if (low == count) low = count - 1;
        if (is_float(q->in.type))
            qn_array_store(q->type, value_at(q->in.type, VALUE(low)) + 0.0, at);
        else
            memcpy(at, VALUE(low), qn_type_bytes(q->type));
    }
#undef VALUE
    return QUERN_OK;
}

static quern_status run_weighted(struct qn_threads *threads, const struct quantiles *q,
                                 struct qn_outcome *outcome)
{
    int64_t *order = qn_alloc((size_t)q->in.n, sizeof *order);
    double *shares = qn_alloc((size_t)q->in.n, sizeof *shares);
    quern_status status = QUERN_OK;
    if (order == NULL || shares == NULL) QN_GO(qn_error_memory("weighted quantiles", q->in.n * 16));
    for (uint64_t line = 0; line < q->in.lines; line++) {
        struct qn_sort_request rq = {.in = qn_lines_from(&q->in, line, 1)};
        rq.order = (struct qn_lines){
            .data = order, .lines = 1, .n = q->in.n, .stride = sizeof *order, .type = QN_T_I64};
        QN_GO(qn_op_sort(NULL, threads, 0, &rq, outcome));
        QN_GO(store_weighted(q, line, order, shares));
    }
cleanup:
    qn_free(shares);
    qn_free(order);
    return status;
}

/* ---- the call ---- */

static quern_status run(struct qn_device *device, struct qn_threads *threads, const void *request,
                        struct qn_outcome *outcome)
{
    const struct quantiles *q = request;
    int wide = q->in.type == QN_T_I64 || q->in.type == QN_T_U64, weighted = q->weights.data != NULL;
    if (device != NULL && weighted)
        return qn_error(QUERN_UNSUPPORTED, "weighted quantiles are found by the processor");
    if (device != NULL && wide)
        return qn_error(QUERN_UNSUPPORTED,
                        "64-bit integers are not selected by devices: float64 does not hold them");
    if (q->in.lines == 0 || q->n == 0) return QUERN_OK;
    if (q->in.n == 0) {
        for (uint64_t i = 0; i < q->in.lines * q->n; i++)
            store_value(q, (double)NAN, qn_array_made_at(q->out, i % q->n, i / q->n));
        return QUERN_OK;
    }
    if (weighted) return run_weighted(threads, q, outcome);
    if (device == NULL && (wide || q->in.n <= SORTED)) return run_sorted(threads, q, outcome);
    return run_selection(device, threads, q, outcome);
}

static quern_status read_weights(const quern_array *given, const quern_array *x, uint32_t along,
                                 struct quantiles *q, quern_array *weights)
{
    static const char what[] = "quern_array_quantile";
    if (given == NULL) return QUERN_OK;
    QN_TRY(qn_array_read(what, given, weights));
    uint32_t axis = x->ndim == 1 ? 1 : along;
    int one = weights->ndim == 1 && weights->shape[1] == x->shape[axis];
    int each = weights->ndim == x->ndim && weights->shape[0] == x->shape[0] &&
               weights->shape[1] == x->shape[1];
    if (weights->type != QUERN_FLOAT64 || weights->buffer != NULL)
        return qn_error(QUERN_INVALID, "%s: weights must be float64, in host memory", what);
    if (!one && !each)
        return qn_error(QUERN_INVALID, "%s: weights must be one line's, or of the array's shape",
                        what);
    if (q->method != QUERN_QUANTILE_INVERTED_CDF)
        return qn_error(QUERN_INVALID, "%s: only the method inverted_cdf takes weights", what);
    q->weights =
        (struct qn_lines){.data = weights->data,
                          .line_stride = each && x->ndim == 2 ? weights->strides[1 - axis] : 0,
                          .stride = weights->strides[each ? axis : 1],
                          .type = QN_T_F64};
    return QUERN_OK;
}

static quern_status check(struct quantiles *q, const quern_array *x, uint32_t along)
{
    static const char what[] = "quern_array_quantile";
    uint64_t n = x->ndim == 1 ? x->shape[1] : x->shape[along];
    int median = q->method == QUERN_QUANTILE_MEDIAN;
    if ((uint32_t)q->method > QUERN_QUANTILE_MEDIAN)
        return qn_error(QUERN_INVALID, "%s: there is no method %u", what, (uint32_t)q->method);
    if (q->n > MOST) return qn_error(QUERN_INVALID, "%s: more than %d quantiles", what, (int)MOST);
    for (uint32_t j = 0; !median && j < q->n; j++)
        if (!(q->fractions[j] >= 0.0 && q->fractions[j] <= 1.0))
            return qn_error(QUERN_INVALID, "%s: a fraction is not from 0 to 1", what);
    if (x->type == QUERN_BOOL && !median && !takes_values(q->method))
        return qn_error(QUERN_INVALID, "%s: between booleans there are no values", what);
    int nan = median || (q->skip && !takes_values(q->method)) || (q->skip && is_float(x->type));
    if (n == 0 && !nan && (x->ndim == 1 || x->shape[1 - along] != 0))
        return qn_error(QUERN_INVALID, "%s: quantiles of no values", what);
    q->type = takes_values(q->method) || (median && is_float(x->type)) ? x->type : QUERN_FLOAT64;
    return QUERN_OK;
}

quern_status quern_array_quantile(quern_context *context, const quern_array *given, int axis,
                                  const double *fractions, uint32_t n,
                                  const quern_quantile_options *options, quern_array *out)
{
    static const char function[] = "quern_array_quantile";
    quern_quantile_options o = {0};
    struct qn_array_made made;
    struct quantiles q = {.fractions = fractions, .n = n, .out = &made};
    struct qn_array_call call = {.name = "quantile", .run = run, .request = &q};
    quern_array x, weights;
    uint32_t along = 0;
    void *copy = NULL;
    quern_status status;
    if (context == NULL || given == NULL || out == NULL || (fractions == NULL && n != 0))
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if (options != NULL && options->struct_size < sizeof o)
        return qn_error(QUERN_INVALID,
                        "%s: struct_size is %u; set it to sizeof(quern_quantile_options)", function,
                        options->struct_size);
    if (options != NULL) o = *options;
    q.method = o.method;
    q.skip = o.skip_nan != 0;
    memset(&made, 0, sizeof made);
    QN_GO(qn_array_read(function, given, &x));
    if (axis == QUERN_AXIS_ALL && o.weights != NULL && x.ndim != 1)
        QN_GO(qn_error(QUERN_INVALID, "%s: weights need an axis", function));
    if (axis == QUERN_AXIS_ALL)
        QN_GO(qn_array_flatten(function, &x, &copy));
    else
        QN_GO(qn_array_axis(&x, axis, &along));
    QN_GO(check(&q, &x, along));
    QN_GO(read_weights(o.weights, &x, along, &q, &weights));
    uint64_t shape[2] = {n, x.ndim == 1 ? 1 : x.shape[1 - along]};
    QN_GO(qn_array_made_open(function, out, q.type, 2, shape, &made));
    call.places[call.n_places++] = (struct qn_array_place){&x, along, 0, &q.in};
    QN_GO(qn_array_run(context, &call));
cleanup:
    qn_free(copy);
    return qn_array_made_close(context, status, &made, out);
}
