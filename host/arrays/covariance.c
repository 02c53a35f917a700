/* SPDX-License-Identifier: Apache-2.0
 * Covariances and correlations, of the sums of products of differences from means. */
#include <math.h>
#include <string.h>

#include "host/arrays/results.h"
#include "host/core/checked.h"
#include "host/ops/reductions.h"

static const char function[] = "quern_array_covariance";

struct covariance {
    struct qn_covariance_request rq;
    double divisor, ddof;
    uint64_t least; /* observations that two variables must have in common */
    int correlation;
    struct qn_array_made *out;
};

/* NumPy's order of divisions, so that the diagonal is its own too. */
static void correlate(double *c, size_t d)
{
    /* The diagonal is read before it is written: row r needs the variances of all columns. */
    for (size_t r = 0; r < d; r++)
        for (size_t k = r + 1; k < d; k++) {
            double a = sqrt(c[r * d + r]), b = sqrt(c[k * d + k]), v = c[r * d + k];
            c[r * d + k] = v / a / b;
            c[k * d + r] = v / b / a;
        }
    for (size_t r = 0; r < d; r++) {
        double v = c[r * d + r], a = sqrt(v);
        c[r * d + r] = d == 1 ? v / v : v / a / a;
    }
    for (size_t i = 0; i < d * d; i++) {
        if (c[i] > 1.0) c[i] = 1.0;
        if (c[i] < -1.0) c[i] = -1.0;
    }
}

/* Each two variables have a number of observations, and correlations deviations, of their own. */
static void finish_pairs(const struct covariance *q, const struct qn_covariance_request *rq)
{
    size_t d = (size_t)rq->in.lines;
    for (size_t r = 0; r < d; r++)
        for (size_t c = r; c < d; c++) {
            double n = rq->counts[r * d + c], divisor = n - q->ddof > 0.0 ? n - q->ddof : 0.0;
            double v = rq->out[r * d + c] / divisor, up = v, down = v;
            if (q->correlation) {
                double a = sqrt(rq->squares[r * d + c] / divisor),
                       b = sqrt(rq->squares[c * d + r] / divisor);
                up = d == 1 ? v / v : v / a / b;
                down = d == 1 ? up : v / b / a;
                up = up > 1.0 ? 1.0 : up < -1.0 ? -1.0 : up;
                down = down > 1.0 ? 1.0 : down < -1.0 ? -1.0 : down;
            }
            if (n < (double)q->least) up = down = (double)NAN;
            rq->out[c * d + r] = down;
            rq->out[r * d + c] = up;
        }
}

static quern_status run(struct qn_device *device, struct qn_threads *threads, const void *request,
                        struct qn_outcome *outcome)
{
    const struct covariance *q = request;
    size_t d = (size_t)q->rq.in.lines, cells;
    struct qn_covariance_request rq = q->rq;
    quern_status status = QUERN_OK;
    rq.out = qn_mul_size(d, d, &cells) ? NULL : qn_alloc(cells, sizeof *rq.out);
    if (rq.out == NULL) return qn_error_memory("covariances", (uint64_t)d * d * sizeof *rq.out);
    if (rq.skip) {
        rq.counts = qn_alloc(cells, sizeof *rq.counts);
        if (q->correlation) rq.squares = qn_alloc(cells, sizeof *rq.squares);
        if (rq.counts == NULL || (q->correlation && rq.squares == NULL))
            QN_GO(qn_error_memory("covariances", (uint64_t)cells * sizeof *rq.out));
    }
    QN_GO(qn_op_covariance(device, threads, 0, &rq, outcome));
    double divisor = q->divisor > 0.0 ? q->divisor : 0.0;
    for (size_t i = 0; !rq.skip && i < cells; i++) rq.out[i] /= divisor;
    if (rq.skip)
        finish_pairs(q, &rq);
    else if (q->correlation)
        correlate(rq.out, d);
    for (size_t r = 0; r < d; r++)
        for (size_t c = 0; c < d; c++)
            qn_array_store(q->out->host.type, rq.out[r * d + c], qn_array_made_at(q->out, r, c));
cleanup:
    qn_free(rq.out);
    qn_free(rq.counts);
    qn_free(rq.squares);
    return status;
}

/* Packed weights, and their sum; *copy is the caller's to free. */
static quern_status take_weights(const quern_array *given, uint64_t n, double **copy, double *sum)
{
    quern_array w;
    QN_TRY(qn_array_read(function, given, &w));
    if (w.type != QUERN_FLOAT64 || w.ndim != 1 || w.shape[1] != n || w.buffer != NULL)
        return qn_error(QUERN_INVALID,
                        "%s: weights must be float64 in host memory, one for each of %llu "
                        "observations",
                        function, (unsigned long long)n);
    *copy = qn_alloc((size_t)n, sizeof **copy);
    if (*copy == NULL) return qn_error_memory("weights", n * sizeof **copy);
    *sum = 0.0;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(*copy + i, (const char *)w.data + (int64_t)i * w.strides[1], sizeof **copy);
        if (!((*copy)[i] >= 0.0 && (*copy)[i] - (*copy)[i] == 0.0))
            return qn_error(QUERN_INVALID, "%s: weight %llu is negative or not finite", function,
                            (unsigned long long)i);
        *sum += (*copy)[i];
    }
    if (!(*sum > 0.0 && *sum - *sum == 0.0))
        return qn_error(QUERN_INVALID, "%s: the weights' sum is not a positive number", function);
    return QUERN_OK;
}

static quern_status read_options(const quern_covariance_options *given,
                                 quern_covariance_options *options)
{
    *options = (quern_covariance_options){.struct_size = sizeof *options, .ddof = 1.0};
    if (given == NULL) return QUERN_OK;
    if (given->struct_size < sizeof *given)
        return qn_error(QUERN_INVALID,
                        "%s: struct_size is %u; set it to sizeof(quern_covariance_options)",
                        function, given->struct_size);
    *options = *given;
    if (!(options->ddof - options->ddof == 0.0))
        return qn_error(QUERN_INVALID, "%s: ddof is not a finite number", function);
    if (options->skip_nan && options->weights != NULL)
        return qn_error(QUERN_INVALID, "%s: weights do not go with skip_nan", function);
    return QUERN_OK;
}

quern_status quern_array_covariance(quern_context *context, const quern_array *given, int axis,
                                    const quern_covariance_options *options_given, quern_array *out)
{
    struct covariance q = {.correlation = 0};
    struct qn_array_call call = {
        .name = "covariance", .refuse = qn_array_needs_f64, .run = run, .request = &q};
    struct qn_array_made made = {0};
    quern_covariance_options options;
    quern_array x;
    uint32_t along = 0;
    double *weights = NULL;
    quern_status status;
    if (context == NULL || given == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    QN_GO(read_options(options_given, &options));
    QN_GO(qn_array_read(function, given, &x));
    QN_GO(qn_array_axis(&x, axis, &along));
    uint64_t n = x.ndim == 1 ? x.shape[1] : x.shape[along],
             d = x.ndim == 1 ? 1 : x.shape[1 - along];
    q.rq.weight = (double)n;
    if (options.weights != NULL) QN_GO(take_weights(options.weights, n, &weights, &q.rq.weight));
    q.rq.weights = weights;
    q.divisor = q.rq.weight - options.ddof;
    q.correlation = options.correlation != 0;
    q.ddof = options.ddof;
    q.least = options.min_periods > 1 ? options.min_periods : 1;
    q.rq.skip = options.skip_nan != 0;
    q.out = &made;
    QN_GO(qn_array_made_open(function, out, options.narrow ? QUERN_FLOAT32 : QUERN_FLOAT64, 2,
                             (uint64_t[2]){d, d}, &made));
    call.places[call.n_places++] = (struct qn_array_place){&x, along, 0, &q.rq.in};
    status = qn_array_run(context, &call);
    status = qn_array_made_close(context, status, &made, out);
cleanup:
    qn_free(weights);
    return status;
}
