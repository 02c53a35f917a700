/* SPDX-License-Identifier: Apache-2.0
 * KBinsDiscretizer: the number of the bin that a value falls in. Definition: scikit-learn,
 * preprocessing/_discretization.py. Quantiles are exact; these, k-means and the ends of bins of equal width
 * are of all rows or of those that are drawn.
 *
 * bin_edges_ holds the columns' edges one after another: n_bins_[i] + 1 of column i. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/estimators/columns.h"
#include "host/stats/kmeans.h"
#include "host/stats/weighed.h"

static const struct qn_param PARAMS[] = {
    {"n_bins", QN_PARAM_INTS, "5", NULL, 2, 0, "how many bins: one number, or one per column"},
    {"encode", QN_PARAM_CHOICE, "\"onehot\"", "onehot|onehot-dense|ordinal", 0, 0,
     "a column of 0 and 1 for each bin (sparse or not), or the bin's number"},
    {"strategy", QN_PARAM_CHOICE, "\"quantile\"", "uniform|quantile|kmeans", 0, 0,
     "bins of equal width, of equally many values, or around the centers that k-means finds"},
    {"quantile_method", QN_PARAM_CHOICE, "\"averaged_inverted_cdf\"",
     "inverted_cdf|averaged_inverted_cdf|closest_observation|interpolated_inverted_cdf|hazen|"
     "weibull|linear|median_unbiased|normal_unbiased",
     0, 0, "NumPy's name for how a quantile lies between two values"},
    {"dtype", QN_PARAM_FLOATS, "null", NULL, 0, 0, "of the output; null: the input's"},
    {"subsample", QN_PARAM_COUNT, "200000", NULL, 0, 0,
     "fits of more rows learn from so many, drawn with replacement; null: from all"},
    {"random_state", QN_PARAM_SEED, "null", NULL, 0, 0,
     "the seed of the draw, as of NumPy's RandomState; null: 0, or the table's generator"},
};

/* Bins that are not wider are joined with the next. */
static const double LEAST_WIDTH = 1e-8;

static enum qn_quantile_method method_of(const struct qn_estimator *e)
{
    static const struct {
        const char *name;
        enum qn_quantile_method method;
    } methods[] = {
        {"inverted_cdf", QN_QUANTILE_INVERTED_CDF},
        {"averaged_inverted_cdf", QN_QUANTILE_AVERAGED_INVERTED_CDF},
        {"closest_observation", QN_QUANTILE_CLOSEST_OBSERVATION},
        {"interpolated_inverted_cdf", QN_QUANTILE_INTERPOLATED_INVERTED_CDF},
        {"hazen", QN_QUANTILE_HAZEN},
        {"weibull", QN_QUANTILE_WEIBULL},
        {"median_unbiased", QN_QUANTILE_MEDIAN_UNBIASED},
        {"normal_unbiased", QN_QUANTILE_NORMAL_UNBIASED},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (qn_param_is(e, "quantile_method", methods[i].name)) return methods[i].method;
    return QN_QUANTILE_LINEAR;
}

/* The bins that are wanted of column i. */
static quern_status wanted_bins(const struct qn_stage *stage, uint32_t i, uint32_t *out)
{
    const json_t *n = qn_param(stage->estimator, "n_bins");
    if (json_is_array(n) && json_array_size(n) != stage->n_in)
        return qn_error(QUERN_INVALID, "KBinsDiscretizer.n_bins has %zu numbers for %u columns",
                        json_array_size(n), stage->n_in);
    double bins = json_number_value(json_is_array(n) ? json_array_get(n, i) : n);
    if (bins > (double)(INT_MAX / 8))
        return qn_error(QUERN_INVALID, "KBinsDiscretizer.n_bins is %g; that is too many", bins);
    *out = (uint32_t)bins;
    return QUERN_OK;
}

/* ---- fit ---- */

/* numpy.linspace(0, 100, n + 1) without its ends, which are the extremes whatever the method. */
static double *inner_levels(struct qn_arena *arena, uint32_t n)
{
    double *percent = qn_arena_alloc(arena, n, sizeof *percent);
    double step = 100.0 / (double)n;
    for (uint32_t k = 1; percent != NULL && k < n; k++) percent[k - 1] = (double)k * step;
    return percent;
}

/* As in scikit-learn. */
static quern_status check_weighable(const struct qn_stage *stage)
{
    enum qn_quantile_method method = method_of(stage->estimator);
    if (qn_param_is(stage->estimator, "strategy", "quantile") &&
        method != QN_QUANTILE_INVERTED_CDF && method != QN_QUANTILE_AVERAGED_INVERTED_CDF)
        return qn_error(
            QUERN_INVALID,
            "KBinsDiscretizer: with weights of rows, quantile_method is \"inverted_cdf\" or "
            "\"averaged_inverted_cdf\"");
    return QUERN_OK;
}

static quern_status bins_need(struct qn_stage *stage)
{
    quern_type dtype;
    int quantile = qn_param_is(stage->estimator, "strategy", "quantile");
    int kmeans = qn_param_is(stage->estimator, "strategy", "kmeans");
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    stage->draw = qn_param_draw(stage->estimator, stage->rows);
    stage->draw.replace = 1;
    int drawn = stage->draw.n != 0, weighted = stage->weighted && !drawn; /* it goes by them */
    if (weighted) QN_TRY(check_weighable(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        uint32_t n;
        QN_TRY(wanted_bins(stage, i, &n));
        stage->need[i].flags = QN_NEED_EXTREMES | (kmeans || weighted ? QN_NEED_ROWS : 0) |
                               (drawn ? QN_NEED_DRAWN : 0);
        if (!quantile || weighted) continue;
        stage->need[i].flags |= QN_NEED_QUANTILES;
        stage->need[i].n_quantiles = n - 1;
        stage->need[i].percent = inner_levels(stage->arena, n);
        stage->need[i].method = method_of(stage->estimator);
        stage->need[i].as_f32 = dtype == QUERN_FLOAT32;
        if (stage->need[i].percent == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

/* numpy.linspace, in the dtype of its ends. */
static void uniform_edges(double min, double max, uint32_t n, int f32, double *edges)
{
    if (f32) {
        float low = (float)min, step = ((float)max - low) / (float)n, range = (float)max - low;
        for (uint32_t k = 0; k < n; k++) {
            float along = step == 0.0f ? (float)k / (float)n * range : (float)k * step;
            edges[k] = (double)(along + low);
        }
    } else {
        double range = max - min, step = range / (double)n;
        for (uint32_t k = 0; k < n; k++)
            edges[k] = (step == 0.0 ? (double)k / (double)n * range : (double)k * step) + min;
    }
    edges[n] = max;
}

/* Leaves out edges that lie too close to the one before; returns how many bins remain. */
static uint32_t without_narrow(double *edges, uint32_t n)
{
    uint32_t kept = 1;
    double before = edges[0];
    for (uint32_t k = 1; k <= n; k++) {
        double edge = edges[k];
        if (edge - before > LEAST_WIDTH) edges[kept++] = edge;
        before = edge;
    }
    return kept - 1;
}

static quern_status warn(struct qn_stage *stage, const char *text, uint32_t i)
{
    char *line = qn_arena_printf(stage->arena, text, stage->in[i].name);
    if (line == NULL) return qn_stage_memory(stage);
    stage->warn(stage->plan, line);
    return QUERN_OK;
}

static quern_status check_values(const struct qn_stage *stage, uint32_t i)
{
    const struct qn_found *f = &stage->found[i];
    if (f->count != f->rows)
        return qn_error(QUERN_INVALID,
                        "KBinsDiscretizer: column \"%s\" has missing values; impute them first",
                        stage->in[i].name);
    if (isinf(f->extremes.min) || isinf(f->extremes.max))
        return qn_error(QUERN_INVALID, "KBinsDiscretizer: column \"%s\" has infinite values",
                        stage->in[i].name);
    return QUERN_OK;
}

/* Of the rows that are learned from. */
static const struct qn_extremes *ends_of(const struct qn_stage *stage, uint32_t i)
{
    return stage->draw.n != 0 ? &stage->found[i].drawn : &stage->found[i].extremes;
}

static uint64_t rows_of(const struct qn_stage *stage, uint32_t i)
{
    return stage->draw.n != 0 ? stage->draw.n : stage->found[i].rows;
}

/* ---- columns of rows that a fit keeps ---- */

/* Column i with the weights of its rows, or none; the caller frees it. */
static quern_status take_column(const struct qn_stage *stage, struct qn_columns *columns,
                                uint32_t i, struct qn_weighed *w)
{
    uint64_t rows = rows_of(stage, i);
    const double *column;
    QN_TRY(qn_columns_take(columns, i, &column));
    QN_TRY(qn_weighed_open(w, rows, "fitting KBinsDiscretizer"));
    memcpy(w->values, column, rows * sizeof *w->values);
    if (stage->weights != NULL) memcpy(w->weights, stage->weights, rows * sizeof *w->weights);
    return QUERN_OK;
}

/* The inner edges: halfway between the centers of k-means, which begins in the middles of bins of equal
 * width. */
static quern_status between_centers(struct qn_stage *stage, struct qn_columns *columns, uint32_t i,
                                    uint32_t wanted, int f32, double *edges)
{
    uint64_t rows = rows_of(stage, i);
    quern_status status = QUERN_OK;
    struct qn_weighed w = {0};
    if (rows < wanted)
        return qn_error(QUERN_INVALID, "KBinsDiscretizer: %u bins by k-means of %llu rows", wanted,
                        (unsigned long long)rows);
    QN_TRY(stage->go_on(stage->plan));
    double *uniform = qn_alloc((size_t)wanted + 1, sizeof *uniform);
    double *centers = qn_alloc(wanted, sizeof *centers);
    if (uniform == NULL || centers == NULL)
        QN_GO(qn_error_memory_while("fitting KBinsDiscretizer"));
    QN_GO(take_column(stage, columns, i, &w));
    uniform_edges(edges[0], edges[wanted], wanted, f32, uniform);
    for (uint32_t k = 0; k < wanted; k++) centers[k] = (uniform[k + 1] + uniform[k]) * 0.5;
    QN_GO(
        qn_kmeans_line(w.values, stage->weights != NULL ? w.weights : NULL, rows, centers, wanted));
    for (uint32_t k = 1; k < wanted; k++) edges[k] = (centers[k] + centers[k - 1]) * 0.5;
cleanup:
    qn_weighed_free(&w);
    qn_free(uniform);
    qn_free(centers);
    return status;
}

/* The ends of the column: of rows that weigh something, but for quantiles of all. */
static quern_status weighted_ends(const struct qn_stage *stage, struct qn_columns *columns,
                                  uint32_t i, double *min, double *max)
{
    const double *column;
    if (qn_param_is(stage->estimator, "strategy", "quantile")) return QUERN_OK;
    QN_TRY(qn_columns_take(columns, i, &column));
    *min = INFINITY;
    *max = -INFINITY;
    for (uint64_t row = 0; row < stage->found[i].rows; row++) {
        double value = column[row] + 0.0;
        if (stage->weights[row] == 0) continue;
        if (value < *min) *min = value;
        if (value > *max) *max = value;
    }
    return QUERN_OK;
}

static quern_status weighted_edges(struct qn_stage *stage, struct qn_columns *columns, uint32_t i,
                                   uint32_t wanted, int f32, double *edges)
{
    int average = method_of(stage->estimator) == QN_QUANTILE_AVERAGED_INVERTED_CDF;
    double step = 100.0 / (double)wanted;
    quern_status status = QUERN_OK;
    struct qn_weighed w = {0};
    QN_TRY(stage->go_on(stage->plan));
    QN_GO(take_column(stage, columns, i, &w));
    QN_GO(qn_weighed_sort(&w));
    qn_weighed_sum(&w);
    for (uint32_t k = 0; k <= wanted; k++)
        edges[k] = qn_weighed_percentile(&w, k == wanted ? 100.0 : (double)k * step, average, f32);
cleanup:
    qn_weighed_free(&w);
    return status;
}

/* Writes column i's edges (room for the wanted bins and one), and how many bins they make. */
static quern_status learn_column(struct qn_stage *stage, struct qn_columns *columns, uint32_t i,
                                 uint32_t wanted, int f32, double *edges, int64_t *n_bins)
{
    const struct qn_found *f = &stage->found[i];
    double min = ends_of(stage, i)->min, max = ends_of(stage, i)->max;
    QN_TRY(check_values(stage, i));
    if (stage->weights != NULL) QN_TRY(weighted_ends(stage, columns, i, &min, &max));
    *n_bins = wanted;
    if (min == max) {
        edges[0] = -(double)INFINITY;
        edges[1] = (double)INFINITY;
        *n_bins = 1;
        return warn(stage, "KBinsDiscretizer: column \"%s\" is constant and becomes 0", i);
    }
    if (qn_param_is(stage->estimator, "strategy", "uniform")) {
        uniform_edges(min, max, wanted, f32, edges);
        return QUERN_OK;
    }
    edges[0] = min;
    edges[wanted] = max;
    if (qn_param_is(stage->estimator, "strategy", "kmeans"))
        QN_TRY(between_centers(stage, columns, i, wanted, f32, edges));
    else if (stage->weights != NULL)
        QN_TRY(weighted_edges(stage, columns, i, wanted, f32, edges));
    else
        for (uint32_t k = 1; k < wanted; k++) edges[k] = f->quantile[k - 1];
    *n_bins = without_narrow(edges, wanted);
    if (*n_bins == wanted) return QUERN_OK;
    return warn(stage,
                "KBinsDiscretizer: bins of column \"%s\" that are not wider than 1e-8 are joined; "
                "it has fewer than n_bins",
                i);
}

static quern_status learn_columns(struct qn_stage *stage, int f32, double *edges, int64_t *n_bins,
                                  size_t *at)
{
    quern_status status = QUERN_OK;
    struct qn_columns columns = {0};
    uint32_t wanted = 0;
    if (stage->source != NULL) QN_TRY(qn_columns_open(&columns, stage, 1));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_GO(wanted_bins(stage, i, &wanted));
        QN_GO(learn_column(stage, &columns, i, wanted, f32, edges + *at, &n_bins[i]));
        *at += (size_t)n_bins[i] + 1;
    }
cleanup:
    qn_columns_free(&columns);
    return status;
}

static quern_status bins_learn(struct qn_stage *stage)
{
    quern_type dtype;
    size_t room = 0, at = 0;
    uint32_t wanted = 0;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(wanted_bins(stage, i, &wanted));
        if (qn_add_size(room, (size_t)wanted + 1, &room)) return qn_stage_memory(stage);
    }
    double *edges = qn_arena_alloc(stage->arena, room, sizeof *edges);
    int64_t *n_bins = qn_attrs_i64(stage->attrs, "n_bins_", stage->n_in);
    if (edges == NULL || n_bins == NULL || room > UINT32_MAX) return qn_stage_memory(stage);
    QN_TRY(learn_columns(stage, dtype == QUERN_FLOAT32, edges, n_bins, &at));
    double *all = qn_attrs_f64(stage->attrs, "bin_edges_", (uint32_t)at);
    if (all == NULL) return qn_stage_memory(stage);
    memcpy(all, edges, at * sizeof *all);
    return QUERN_OK;
}

/* ---- transform ---- */

/* The dtype of the output. */
static quern_status output_dtype(const struct qn_stage *stage, quern_type *out)
{
    const char *given = qn_param_text(stage->estimator, "dtype");
    QN_TRY(qn_stage_dtype(stage, 1, out));
    return given != NULL ? qn_dtype_parse(given, out) : QUERN_OK;
}

/* Attributes from a file: as many edges as the bins say. */
static quern_status check_attributes(const struct qn_stage *stage, const struct qn_attr *edges,
                                     const struct qn_attr *n_bins, size_t *columns)
{
    uint64_t total = 0;
    *columns = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        int64_t n = n_bins->i64[i];
        if (n < 0 || n > UINT32_MAX / 2 ||
            (n == 0 && !qn_param_is(stage->estimator, "encode", "ordinal")))
            return qn_error(QUERN_INVALID, "KBinsDiscretizer: column \"%s\" has %lld bins",
                            stage->in[i].name, (long long)n);
        total += (uint64_t)n + 1;
        *columns += (size_t)n;
    }
    if (total != edges->n)
        return qn_error(QUERN_INVALID, "KBinsDiscretizer: bin_edges_ has %u values instead of %llu",
                        edges->n, (unsigned long long)total);
    return QUERN_OK;
}

/* The least number of the working type that is not below the edge: what float32 values are compared with,
 * so that comparing them needs no doubles. */
static double edge_for(double edge, quern_type dtype)
{
    if (dtype != QUERN_FLOAT32) return edge;
    float f = (float)edge;
    return (double)f < edge ? (double)nextafterf(f, INFINITY) : (double)f;
}

/* The chain that gives column i's bin, from a value in the output's dtype. */
static quern_status bin_chain(struct qn_stage *stage, uint32_t i, quern_type dtype,
                              const double *edges, uint32_t n_bins, struct qn_port *port)
{
    uint32_t inner = n_bins > 1 ? n_bins - 1 : 0;
    uint64_t *table = qn_arena_alloc(stage->arena, inner, sizeof *table);
    if (table == NULL) return qn_stage_memory(stage);
    for (uint32_t k = 0; k < inner; k++) table[k] = qn_word_f64(edge_for(edges[k + 1], dtype));
    QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
    QN_TRY(qn_port_refuse_nan(stage, port));
    port->chain = qn_chain_add_table(stage->arena, port->chain, QN_OP_BIN, table, inner, QN_W_CODE);
    port->known = NULL;
    port->may_nan = 0;
    port->sparse = 0;
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status emit_number(struct qn_stage *stage, quern_type dtype, struct qn_port *port)
{
    uint32_t code = dtype == QUERN_FLOAT32 ? QN_OP_TO_F32 : QN_OP_TO_F64;
    port->chain = qn_chain_add(stage->arena, port->chain, code, 0, 0, qn_work_of(dtype));
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* Names are those of OneHotEncoder over bins that are doubles. */
static quern_status emit_block(struct qn_stage *stage, uint32_t i, const struct qn_port *code,
                               uint32_t n_bins, struct qn_port *out)
{
    for (uint32_t k = 0; k < n_bins; k++) {
        out[k] = *code;
        out[k].match = k;
        out[k].sparse = qn_param_is(stage->estimator, "encode", "onehot");
        out[k].name = qn_arena_printf(stage->arena, "%s_%u.0", stage->in[i].name, k);
        if (out[k].name == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

static quern_status bins_emit(struct qn_stage *stage)
{
    const struct qn_attr *edges = qn_attrs_find(stage->attrs, "bin_edges_");
    const struct qn_attr *n_bins = qn_attrs_find(stage->attrs, "n_bins_");
    int ordinal = qn_param_is(stage->estimator, "encode", "ordinal");
    quern_type dtype;
    size_t columns, from = 0;
    uint32_t n = 0;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(output_dtype(stage, &dtype));
    QN_TRY(check_attributes(stage, edges, n_bins, &columns));
    if (columns > UINT32_MAX / 2)
        return qn_error(QUERN_INVALID, "KBinsDiscretizer: %zu output columns", columns);
    QN_TRY(qn_stage_outputs(stage, ordinal ? stage->n_in : (uint32_t)columns));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        uint32_t bins = (uint32_t)n_bins->i64[i];
        struct qn_port code = {0};
        QN_TRY(bin_chain(stage, i, dtype, edges->f64 + from, bins, &code));
        from += (size_t)bins + 1;
        if (ordinal) {
            QN_TRY(emit_number(stage, dtype, &code));
            stage->out[n++] = code;
            continue;
        }
        QN_TRY(emit_block(stage, i, &code, bins, stage->out + n));
        n += bins;
    }
    return QUERN_OK;
}

static const char *bins_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "bin_edges_ n_bins_";
}

/* One for each row and input column. */
static double stored_values(const struct qn_estimator *e, const struct qn_attrs *attrs,
                            uint64_t rows, uint32_t columns)
{
    (void)e;
    (void)columns;
    return (double)rows * (double)qn_attrs_find(attrs, "n_bins_")->n;
}

const struct qn_estimator_type qn_k_bins_discretizer = {
    .name = "KBinsDiscretizer",
    .doc = "The bin that each value falls in, as its number or as columns of 0 and 1.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "bin_edges_ n_bins_",
    .whole = "n_bins_",
    .lists = "bin_edges_",
    .input = "number",
    .refuses_missing = qn_refuses_missing,
    .stored = stored_values,
    .depends_on = bins_depends_on,
    .need = bins_need,
    .learn = bins_learn,
    .emit = bins_emit,
};
