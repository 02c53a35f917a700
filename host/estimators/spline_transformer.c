/* SPDX-License-Identifier: Apache-2.0
 * SplineTransformer: columns of B-spline basis functions. Definition: scikit-learn,
 * preprocessing/_polynomial.py, and scipy.interpolate.BSpline, whose operations are done in their order.
 *
 * knots_ is a matrix, a row for each knot and a column for each input column: the base knots, with `degree`
 * more below and above them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/estimators/columns.h"
#include "host/stats/weighed.h"
#include "kernels/spline.h"

enum { MOST_KNOTS = 1 << 24 };

static const struct qn_param PARAMS[] = {
    {"n_knots", QN_PARAM_INT, "5", NULL, 2, MOST_KNOTS, "base knots, if `knots` is a word"},
    {"degree", QN_PARAM_INT, "3", NULL, 0, QN_SPLINE_DEGREE, "of the polynomials"},
    {"knots", QN_PARAM_KNOTS, "\"uniform\"", "uniform|quantile", 0, 0,
     "equally spaced, at quantiles, or the base knots themselves: a list for each, a number for "
     "each "
     "column"},
    {"extrapolation", QN_PARAM_CHOICE, "\"constant\"", "error|constant|linear|continue|periodic", 0,
     0, "what becomes of values outside of the base knots"},
    {"include_bias", QN_PARAM_BOOL, "true", NULL, 0, 0, "with the last function of each column"},
    {"handle_missing", QN_PARAM_CHOICE, "\"error\"", "error|zeros", 0, 0,
     "a missing value is an error, or all its functions are 0"},
    {"sparse_output", QN_PARAM_BOOL, "false", NULL, 0, 0, "a sparse output, of float64"},
};

static uint32_t degree_of(const struct qn_stage *stage)
{
    return (uint32_t)qn_param_f64(stage->estimator, "degree");
}

static int says(const struct qn_stage *stage, const char *name, const char *word)
{
    return qn_param_is(stage->estimator, name, word);
}

/* Base knots of a fit. */
static uint32_t base_of(const struct qn_stage *stage)
{
    const json_t *given = qn_param(stage->estimator, "knots");
    return json_is_array(given) ? (uint32_t)json_array_size(given)
                                : (uint32_t)qn_param_f64(stage->estimator, "n_knots");
}

static quern_status spline_check(const struct qn_estimator *e)
{
    const json_t *given = qn_param(e, "knots");
    size_t n = json_is_array(given) ? json_array_size(given) : (size_t)qn_param_f64(e, "n_knots");
    size_t width = json_is_array(given) ? json_array_size(json_array_get(given, 0)) : 0;
    if (n < 2 || n > MOST_KNOTS)
        return qn_error(QUERN_INVALID, "SplineTransformer: %zu knots; give from 2 to %d", n,
                        MOST_KNOTS);
    for (size_t i = 0; i < n && json_is_array(given); i++) {
        if (json_array_size(json_array_get(given, i)) != width)
            return qn_error(QUERN_INVALID, "SplineTransformer: knots differ in their numbers");
        for (size_t c = 0; c < width && i > 0; c++)
            if (!(json_number_value(json_array_get(json_array_get(given, i), c)) >
                  json_number_value(json_array_get(json_array_get(given, i - 1), c))))
                return qn_error(QUERN_INVALID,
                                "SplineTransformer: knots must be sorted without duplicates");
    }
    if (qn_param_is(e, "extrapolation", "periodic") && (double)n <= qn_param_f64(e, "degree"))
        return qn_error(QUERN_INVALID,
                        "SplineTransformer: periodic splines need more knots than their degree; "
                        "there are %zu knots and the degree is %g",
                        n, qn_param_f64(e, "degree"));
    return QUERN_OK;
}

/* ---- fit ---- */

/* Whether a fit looks at the weights of rows: not where the knots are given. */
static int weighs(const struct qn_stage *stage)
{
    return stage->weighted && !json_is_array(qn_param(stage->estimator, "knots"));
}

/* numpy.linspace(0, 1, n) * 100. */
static double *levels(struct qn_arena *arena, uint32_t n)
{
    double *percent = qn_arena_alloc(arena, n, sizeof *percent), step = 1.0 / (double)(n - 1);
    for (uint32_t k = 0; percent != NULL && k < n; k++)
        percent[k] = 100.0 * (k + 1 < n ? (double)k * step : 1.0);
    return percent;
}

static quern_status spline_need(struct qn_stage *stage)
{
    quern_type dtype;
    const double *percent = NULL;
    int quantile = says(stage, "knots", "quantile") && !weighs(stage);
    uint32_t n = base_of(stage);
    QN_TRY(qn_stage_refuse_sparse(stage, "make it dense first"));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (stage->rows < 2)
        return qn_error(QUERN_INVALID, "SplineTransformer needs 2 rows or more to learn from");
    if (quantile) {
        percent = levels(stage->arena, n);
        if (percent == NULL) return qn_stage_memory(stage);
    }
    uint32_t more = (quantile ? QN_NEED_QUANTILES : 0u) | (weighs(stage) ? QN_NEED_ROWS : 0u);
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i] = (struct qn_need){.flags = QN_NEED_EXTREMES | more,
                                          .n_quantiles = quantile ? n : 0,
                                          .percent = percent,
                                          .as_f32 = dtype == QUERN_FLOAT32};
    return QUERN_OK;
}

static quern_status check_values(const struct qn_stage *stage, uint32_t i)
{
    const struct qn_found *f = &stage->found[i];
    if (f->count != f->rows && says(stage, "handle_missing", "error"))
        return qn_error(QUERN_INVALID,
                        "column \"%s\" has a missing value, which SplineTransformer cannot take; "
                        "set handle_missing to \"zeros\", or impute before",
                        stage->in[i].name);
    if (f->count != 0 && (isinf(f->extremes.min) || isinf(f->extremes.max)))
        return qn_error(QUERN_INVALID, "SplineTransformer: column \"%s\" has infinite values",
                        stage->in[i].name);
    return QUERN_OK;
}

/* numpy.linspace of a column of ends each, into rows `from` ... of t. One step of 0 among the columns
 * changes how NumPy reckons all of them. */
static void linspace(double *t, uint32_t width, uint32_t n, const double *start, const double *stop)
{
    int zero = 0;
    double parts = (double)n - 1;
    for (uint32_t c = 0; c < width && n > 1; c++) zero |= (stop[c] - start[c]) / parts == 0;
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t c = 0; c < width; c++) {
            double delta = stop[c] - start[c], at = (double)k;
            at = n == 1 ? at * delta : zero ? at / parts * delta : at * (delta / parts);
            t[(size_t)k * width + c] = k + 1 == n && n > 1 ? stop[c] : at + start[c];
        }
}

/* The ends of column c: of rows that weigh something, where rows have weights and the column is given. 0
 * without a value. */
static void ends_of(const struct qn_stage *stage, uint32_t c, const double *column, double *start,
                    double *stop)
{
    const struct qn_found *f = &stage->found[c];
    double min = INFINITY, max = -INFINITY;
    for (uint64_t row = 0; column != NULL && row < f->rows; row++) {
        double value = column[row] + 0.0;
        if (stage->weights[row] == 0) continue;
        if (value < min) min = value;
        if (value > max) max = value;
    }
    if (column == NULL && f->count != 0) {
        min = f->extremes.min;
        max = f->extremes.max;
    }
    *start = min <= max ? min : 0;
    *stop = min <= max ? max : 0;
}

/* Knots of column c at quantiles: of values, or of what they weigh. */
static quern_status quantile_knots(const struct qn_stage *stage, uint32_t c, const double *column,
                                   double *base, uint32_t n)
{
    const struct qn_found *f = &stage->found[c];
    quern_status status = QUERN_OK;
    struct qn_weighed w = {0};
    uint32_t width = stage->n_in;
    if (column == NULL) {
        for (uint32_t k = 0; k < n; k++) base[(size_t)k * width + c] = f->quantile[k];
        return QUERN_OK;
    }
    const double *percent = levels(stage->arena, n);
    if (percent == NULL) return qn_stage_memory(stage);
    QN_TRY(stage->go_on(stage->plan));
    QN_GO(qn_weighed_open(&w, f->rows, "fitting SplineTransformer"));
    memcpy(w.values, column, f->rows * sizeof *w.values);
    memcpy(w.weights, stage->weights, f->rows * sizeof *w.weights);
    QN_GO(qn_weighed_sort(&w));
    qn_weighed_sum(&w);
    for (uint32_t k = 0; k < n; k++)
        base[(size_t)k * width + c] = qn_weighed_percentile(&w, percent[k], 0, 0);
cleanup:
    qn_weighed_free(&w);
    return status;
}

/* The base knots of all columns: rows degree ... of t. ends: room for two rows. */
static quern_status base_knots(const struct qn_stage *stage, double *base, uint32_t n, double *ends)
{
    uint32_t width = stage->n_in;
    const json_t *given = qn_param(stage->estimator, "knots");
    quern_status status = QUERN_OK;
    struct qn_columns columns = {0};
    const double *column = NULL;
    if (stage->source != NULL) QN_TRY(qn_columns_open(&columns, stage, 1));
    for (uint32_t c = 0; c < width; c++) {
        QN_GO(check_values(stage, c));
        if (stage->source != NULL) QN_GO(qn_columns_take(&columns, c, &column));
        ends_of(stage, c, column, &ends[c], &ends[width + c]);
        if (says(stage, "knots", "quantile")) QN_GO(quantile_knots(stage, c, column, base, n));
        for (uint32_t k = 0; k < n && json_is_array(given); k++)
            base[(size_t)k * width + c] =
                json_number_value(json_array_get(json_array_get(given, k), c));
    }
    if (says(stage, "knots", "uniform")) linspace(base, width, n, ends, ends + width);
cleanup:
    qn_columns_free(&columns);
    return status;
}

/* The knots beyond: as far apart as the first two and the last two, or those of the next period. */
static void outer_knots(double *t, uint32_t width, uint32_t n, uint32_t k, int periodic,
                        double *ends)
{
    double *base = t + (size_t)k * width, *last = base + (size_t)(n - 1) * width;
    double *above = last + width, *start = ends, *stop = ends + width;
    for (uint32_t j = 0; j < k && periodic; j++)
        for (uint32_t c = 0; c < width; c++) {
            double period = last[c] - base[c];
            t[(size_t)j * width + c] = base[(size_t)(n - 1 - k + j) * width + c] - period;
            above[(size_t)j * width + c] = base[(size_t)(1 + j) * width + c] + period;
        }
    if (periodic || k == 0) return;
    for (uint32_t c = 0; c < width; c++) {
        double apart = base[width + c] - base[c];
        start[c] = base[c] - (double)k * apart;
        stop[c] = base[c] - apart;
    }
    linspace(t, width, k, start, stop);
    for (uint32_t c = 0; c < width; c++) {
        double apart = last[c] - *(last + c - width);
        start[c] = last[c] + apart;
        stop[c] = last[c] + (double)k * apart;
    }
    linspace(above, width, k, start, stop);
}

static quern_status spline_learn(struct qn_stage *stage)
{
    uint32_t n = base_of(stage), k = degree_of(stage), width = stage->n_in;
    const json_t *given = qn_param(stage->estimator, "knots");
    size_t cells;
    if (json_is_array(given) && json_array_size(json_array_get(given, 0)) != width)
        return qn_error(QUERN_INVALID, "SplineTransformer: knots of %zu columns for %u",
                        json_array_size(json_array_get(given, 0)), width);
    if (qn_mul_size((size_t)n + 2 * k, width, &cells) || cells > UINT32_MAX)
        return qn_error(QUERN_INVALID, "SplineTransformer: %u knots of %u columns", n, width);
    double *t = qn_attrs_f64(stage->attrs, "knots_", (uint32_t)cells);
    double *ends = qn_arena_alloc(stage->arena, 2 * (size_t)width, sizeof *ends);
    if (t == NULL || ends == NULL) return qn_stage_memory(stage);
    QN_TRY(base_knots(stage, t + (size_t)k * width, n, ends));
    outer_knots(t, width, n, k, says(stage, "extrapolation", "periodic"), ends);
    return QUERN_OK;
}

/* ---- the table of a column (kernels/spline.h) ---- */

static uint64_t mode_of(const struct qn_stage *stage)
{
    static const char *const words[] = {"continue", "error", "constant", "linear"};
    for (uint32_t i = 0; i < 4; i++)
        if (says(stage, "extrapolation", words[i])) return i;
    return QN_SPLINE_PERIODIC;
}

/* Whether all is far from overflow between the base knots. */
static int is_safe(const double *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        double apart = i > 0 ? t[i] - t[i - 1] : 0;
        if (!(fabs(t[i]) < 0x1p1000) || !(apart == 0 || apart > 0x1p-1000)) return 0;
    }
    return 1;
}

/* Knots per unit; 0 where a place that is reckoned with it might be off by more than one. */
static double per_unit(const double *base, uint32_t n)
{
    double per = ((double)n - 1) / (base[n - 1] - base[0]);
    if (!(per > 0 && per <= DBL_MAX)) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (!(fabs((base[i] - base[0]) * per - (double)i) < 0.25)) return 0;
    return per;
}

/* The derivatives of the k + 1 functions on the stretch that begins at knot t: scipy's BSpline with nu = 1. */
static void slopes(const uint64_t *t, uint32_t k, double x, double *h)
{
    double carry = 0;
    h[0] = 0;
    if (k == 0) return;
    qn_spline_basis(t, k - 1, x, h);
    for (uint32_t n = 0; n < k; n++) {
        double xb = qn_f64_word(t[n + 1]), xa = qn_f64_word(*(t + n + 1 - k)), old = h[n];
        h[n] = carry;
        carry = 0;
        if (xb == xa) continue;
        carry = (double)k * old / (xb - xa);
        h[n] -= carry;
    }
    h[k] = carry;
}

/* Values and slopes of all n functions at the ends of the base knots. */
static void write_ends(uint64_t *table, uint32_t k, uint32_t b, int linear)
{
    uint64_t *t = table + QN_SPLINE_HEAD + k, *out = t + b + k;
    uint32_t n = b + k - 1;
    double h[QN_SPLINE_DEGREE + 1];
    for (uint32_t end = 0; end < 2; end++) {
        double x = qn_f64_word(t[end ? b - 1 : 0]);
        uint32_t at = qn_spline_stretch(t, b, 0, x);
        for (uint32_t part = 0; part < (linear ? 2u : 1u); part++) {
            uint64_t *row = out + (size_t)(2 * part + end) * n;
            for (uint32_t j = 0; j < n; j++) row[j] = qn_word_f64(0);
            if (part == 0)
                qn_spline_basis(t + at, k, x, h);
            else
                slopes(t + at, k, x, h);
            for (uint32_t i = 0; i <= k; i++) row[at + i] = qn_word_f64(h[i]);
        }
    }
}

static const uint64_t *table_of(struct qn_stage *stage, const struct qn_attr *knots, uint32_t c,
                                uint32_t b, uint32_t *words)
{
    uint32_t k = degree_of(stage), n = b + 2 * k;
    uint64_t mode = mode_of(stage);
    *words = (uint32_t)qn_spline_words(k, b, mode);
    uint64_t *table = qn_arena_alloc(stage->arena, *words, sizeof *table);
    double *t = qn_arena_alloc(stage->arena, n, sizeof *t);
    if (table == NULL || t == NULL) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        t[i] = knots->f64[(size_t)i * stage->n_in + c];
        table[QN_SPLINE_HEAD + i] = qn_word_f64(t[i]);
    }
    table[0] = k;
    table[1] = b;
    table[2] = mode | (is_safe(t, n) ? QN_SPLINE_SAFE : 0u);
    table[3] = qn_word_f64(per_unit(t + k, b));
    if (mode == QN_SPLINE_CONSTANT || mode == QN_SPLINE_LINEAR)
        write_ends(table, k, b, mode == QN_SPLINE_LINEAR);
    return table;
}

/* ---- transform ---- */

/* Base knots that the attribute has, and the functions that they make. */
static quern_status shape_of(const struct qn_stage *stage, const struct qn_attr *knots,
                             uint32_t *base, uint32_t *functions)
{
    uint32_t k = degree_of(stage), all = knots->n / (stage->n_in != 0 ? stage->n_in : 1);
    int periodic = says(stage, "extrapolation", "periodic");
    if ((uint64_t)all * stage->n_in != knots->n || all < 2 + 2 * k || all > MOST_KNOTS + 2 * k ||
        (periodic && all - 2 * k <= k))
        return qn_error(QUERN_INVALID,
                        "SplineTransformer: knots_ has %u values for %u columns and the degree %u",
                        knots->n, stage->n_in, k);
    *base = all - 2 * k;
    *functions = *base - 1 + (periodic ? 0 : k);
    if (!qn_param_bool(stage->estimator, "include_bias")) *functions -= 1;
    if ((uint64_t)*functions * stage->n_in > UINT32_MAX / 2)
        return qn_error(QUERN_INVALID, "SplineTransformer: %llu output columns",
                        (unsigned long long)*functions * stage->n_in);
    return QUERN_OK;
}

/* The columns of input column i. */
static quern_status emit_column(struct qn_stage *stage, const struct qn_attr *knots, uint32_t i,
                                quern_type dtype, uint32_t base, uint32_t functions)
{
    struct qn_port port;
    uint32_t words;
    const uint64_t *table = table_of(stage, knots, i, base, &words);
    struct qn_port *out = stage->out + (size_t)i * functions;
    if (table == NULL) return qn_stage_memory(stage);
    QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &port));
    if (says(stage, "handle_missing", "error")) QN_TRY(qn_port_refuse_nan(stage, &port));
    if (says(stage, "extrapolation", "error")) {
        struct qn_chain *own = qn_chain_copy(stage->arena, port.chain);
        if (own == NULL) return qn_stage_memory(stage);
        own->unknown = "a value beyond the limits of the knots";
        own->blame = stage->estimator->type->name;
        port.chain = own;
    }
    port.known = NULL;
    port.may_nan = !(table[2] & QN_SPLINE_SAFE) || mode_of(stage) == QN_SPLINE_CONTINUE;
    port.sparse = qn_param_bool(stage->estimator, "sparse_output");
    for (uint32_t j = 0; j < functions; j++) {
        out[j] = port;
        out[j].chain = qn_chain_add_spline(stage->arena, port.chain, table, words, j);
        out[j].name = qn_arena_printf(stage->arena, "%s_sp_%u", stage->in[i].name, j);
        if (out[j].chain == NULL || out[j].name == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

static quern_status spline_emit(struct qn_stage *stage)
{
    const struct qn_attr *knots = qn_attrs_find(stage->attrs, "knots_");
    uint32_t base = 0, functions = 0;
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, "make it dense first"));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(shape_of(stage, knots, &base, &functions));
    if (qn_param_bool(stage->estimator, "sparse_output")) dtype = QUERN_FLOAT64;
    QN_TRY(qn_stage_outputs(stage, functions * stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++)
        QN_TRY(emit_column(stage, knots, i, dtype, base, functions));
    return QUERN_OK;
}

/* degree + 1 functions of each value, as many as SciPy stores. */
static double stored_values(const struct qn_estimator *e, const struct qn_attrs *attrs,
                            uint64_t rows, uint32_t columns)
{
    const struct qn_attr *knots = qn_attrs_find(attrs, "knots_");
    double k = qn_param_f64(e, "degree");
    double fewer = k + 1 + (qn_param_is(e, "extrapolation", "periodic") ? k : 0);
    if (!qn_param_bool(e, "include_bias")) fewer++;
    return (double)rows * (k + 1) * ((double)knots->n - columns) / fewer;
}

static int refuses_missing(const struct qn_estimator *e)
{
    return qn_param_is(e, "handle_missing", "error");
}

static const char *spline_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "knots_";
}

const struct qn_estimator_type qn_spline_transformer = {
    .name = "SplineTransformer",
    .doc = "B-spline basis functions of each column.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "knots_",
    .lists = "knots_",
    .input = "number",
    .refuses_missing = refuses_missing,
    .stored = stored_values,
    .depends_on = spline_depends_on,
    .check = spline_check,
    .need = spline_need,
    .learn = spline_learn,
    .emit = spline_emit,
};
