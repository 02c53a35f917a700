/* SPDX-License-Identifier: Apache-2.0
 * QuantileTransformer: a column's distribution becomes uniform or normal. Definition: scikit-learn,
 * preprocessing/_data.py. Quantiles are exact, of all rows or of those that are drawn.
 *
 * quantiles_ is a matrix, a row for each of references_ and a column for each input column. */
#include <float.h>
#include <math.h>

#include "host/core/checked.h"
#include "host/estimators/estimator.h"
#include "kernels/bins.h"
#include "kernels/functions.h"

static const struct qn_param PARAMS[] = {
    {"n_quantiles", QN_PARAM_INT, "1000", NULL, 1, 16777216,
     "knots of the map; no more than rows are taken"},
    {"output_distribution", QN_PARAM_CHOICE, "\"uniform\"", "uniform|normal", 0, 0,
     "what the values are distributed like afterwards"},
    {"subsample", QN_PARAM_COUNT, "10000", NULL, 0, 0,
     "fits of more rows learn from so many, drawn without replacement; null: from all"},
    {"random_state", QN_PARAM_SEED, "null", NULL, 0, 0,
     "the seed of the draw, as of NumPy's RandomState; null: 0, or the table's generator"},
};

/* Values nearer to an end of the range than this are at the end (output "normal"). */
static const double BOUND = 1e-7;

/* ---- fit ---- */

/* numpy.linspace(0, 1, n). */
static void references(double *out, uint32_t n)
{
    double step = 1.0 / (double)(n > 1 ? n - 1 : 1);
    for (uint32_t k = 0; k < n; k++) out[k] = (double)k * step;
    if (n > 1) out[n - 1] = 1.0;
}

static uint32_t count_of(const struct qn_stage *stage, uint64_t rows)
{
    double n = qn_param_f64(stage->estimator, "n_quantiles");
    return n > (double)rows ? (uint32_t)rows : (uint32_t)n;
}

/* As in scikit-learn, whatever the number of rows is. */
static quern_status quantile_check(const struct qn_estimator *e)
{
    const json_t *subsample = qn_param(e, "subsample");
    double n = qn_param_f64(e, "n_quantiles");
    if (json_is_null(subsample) || n <= json_number_value(subsample)) return QUERN_OK;
    return qn_error(
        QUERN_INVALID,
        "QuantileTransformer: n_quantiles is %.0f, more than the %.0f rows of subsample", n,
        json_number_value(subsample));
}

/* Of a sparse table each column draws from its entries. Columns of a dense one that an encoder made sparse
 * have no entries yet: what is learned of these is learned of all rows. */
static struct qn_draw draw_of(const struct qn_stage *stage)
{
    for (uint32_t i = 0; i < stage->n_in && !stage->sparse; i++)
        if (stage->in[i].sparse) return (struct qn_draw){0};
    return qn_param_draw(stage->estimator, stage->rows);
}

static quern_status quantile_need(struct qn_stage *stage)
{
    quern_type dtype;
    stage->draw = draw_of(stage);
    uint32_t flags =
        QN_NEED_QUANTILES | QN_NEED_EXTREMES | (stage->draw.n != 0 ? QN_NEED_DRAWN : 0);
    uint32_t n = count_of(stage, stage->rows);
    double *percent = qn_arena_alloc(stage->arena, n, sizeof *percent);
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (percent == NULL) return qn_stage_memory(stage);
    references(percent, n);
    for (uint32_t k = 0; k < n; k++) percent[k] *= 100.0;
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i] = (struct qn_need){
            .flags = flags, .n_quantiles = n, .percent = percent, .as_f32 = dtype == QUERN_FLOAT32};
    return QUERN_OK;
}

static quern_status quantile_learn(struct qn_stage *stage)
{
    uint32_t n = count_of(stage, stage->found[0].rows);
    size_t cells;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_extremes *e = &stage->found[i].extremes;
        if (stage->found[i].count != 0 && (isinf(e->min) || isinf(e->max)))
            return qn_error(QUERN_INVALID, "QuantileTransformer: column \"%s\" has infinite values",
                            stage->in[i].name);
        if (stage->in[i].sparse && e->min < 0)
            return qn_error(QUERN_INVALID,
                            "QuantileTransformer: column \"%s\" is sparse and has negative values",
                            stage->in[i].name);
    }
    if (qn_mul_size(n, stage->n_in, &cells) || cells > UINT32_MAX)
        return qn_error(QUERN_INVALID, "QuantileTransformer: %u quantiles of %u columns", n,
                        stage->n_in);
    double *knots = qn_attrs_f64(stage->attrs, "references_", n);
    double *quantiles = qn_attrs_f64(stage->attrs, "quantiles_", (uint32_t)cells);
    if (knots == NULL || quantiles == NULL) return qn_stage_memory(stage);
    references(knots, n);
    for (uint32_t i = 0; i < stage->n_in; i++)
        for (uint32_t k = 0; k < n; k++)
            quantiles[(size_t)k * stage->n_in + i] = stage->found[i].quantile[k];
    return QUERN_OK;
}

/* ---- the map's table (kernels/bins.h) ---- */

struct map {
    const struct qn_attr *quantiles, *references;
    uint32_t n; /* knots */
};

static quern_status open_map(const struct qn_stage *stage, struct map *m)
{
    m->quantiles = qn_attrs_find(stage->attrs, "quantiles_");
    m->references = qn_attrs_find(stage->attrs, "references_");
    m->n = m->references->n;
    if (m->n == 0 || (uint64_t)m->n * stage->n_in != m->quantiles->n || m->n > UINT32_MAX / 8)
        return qn_error(QUERN_INVALID,
                        "QuantileTransformer: quantiles_ has %u values for %u references_ and %u "
                        "columns",
                        m->quantiles->n, m->n, stage->n_in);
    return QUERN_OK;
}

/* x - BOUND and x + BOUND, in the dtype that NumPy would reckon in. */
static double moved(double x, double by, int f32)
{
    return f32 ? (double)((float)x + (float)by) : x + by;
}

static double next(double x, int up, int f32)
{
    double to = up ? (double)INFINITY : -(double)INFINITY;
    return f32 ? (double)nextafterf((float)x, (float)to) : nextafter(x, to);
}

/* The least x of the dtype with x - BOUND >= end: what is below becomes the lower end. */
static double lower_bound(double end, int f32)
{
    double x = f32 ? (double)(float)(end + BOUND) : end + BOUND;
    if (!(fabs(end) <= DBL_MAX) || isinf(x)) return end;
    while (moved(x, -BOUND, f32) < end) x = next(x, 1, f32);
    while (moved(next(x, 0, f32), -BOUND, f32) >= end) x = next(x, 0, f32);
    return x;
}

/* The greatest x with x + BOUND <= end. */
static double upper_bound(double end, int f32)
{
    return -lower_bound(-end, f32);
}

/* f32: bounds are reckoned in float32. mean: the map is taken from both sides. */
static const uint64_t *map_table(struct qn_stage *stage, const double *x, const double *y,
                                 uint32_t n, int f32, int mean)
{
    uint64_t *table = qn_arena_alloc(stage->arena, QN_INTERP_HEAD + 4 * (size_t)n, sizeof *table);
    int normal = qn_param_is(stage->estimator, "output_distribution", "normal");
    if (table == NULL) return NULL;
    uint64_t *knots = table + QN_INTERP_HEAD, *values = knots + n, *slopes = values + n,
             *same = slopes + n;
    double first = x[0], last = x[n - 1];
    /* "uniform": what equals an end is at the end, so the next value is the first that is not. */
    table[0] = qn_word_f64(normal ? lower_bound(first, f32) : nextafter(first, (double)INFINITY));
    table[1] = qn_word_f64(normal ? upper_bound(last, f32) : nextafter(last, -(double)INFINITY));
    table[2] = qn_word_f64(mean ? 0.0 : y[0]);
    table[3] = qn_word_f64(mean && (normal || n > 1) ? 1.0 : y[n - 1]);
    uint32_t begin = 0; /* of the knots that equal this one */
    for (uint32_t k = 0; k < n; k++) {
        if (x[k] != x[begin]) begin = k;
        knots[k] = qn_word_f64(x[k]);
        values[k] = qn_word_f64(y[k]);
        slopes[k] = qn_word_f64(k + 1 < n ? (y[k + 1] - y[k]) / (x[k + 1] - x[k]) : 0.0);
        same[k] = qn_word_f64(mean ? 0.5 * (y[k] + y[begin]) : y[k]);
    }
    return table;
}

/* Column i's quantiles. */
static double *column_of(struct qn_stage *stage, const struct map *m, uint32_t i)
{
    double *out = qn_arena_alloc(stage->arena, m->n, sizeof *out);
    for (uint32_t k = 0; out != NULL && k < m->n; k++)
        out[k] = m->quantiles->f64[(size_t)k * stage->n_in + i];
    return out;
}

static quern_status add_map(struct qn_stage *stage, const struct map *m, uint32_t i, int back,
                            struct qn_port *port)
{
    const double *column = column_of(stage, m, i), *knots = m->references->f64;
    uint32_t work = port->chain->work, words = QN_INTERP_HEAD + 4 * m->n;
    if (column == NULL) return qn_stage_memory(stage);
    const uint64_t *table = map_table(stage, back ? knots : column, back ? column : knots, m->n,
                                      work == QN_W_F32, !back);
    if (table == NULL) return qn_stage_memory(stage);
    port->chain = qn_chain_add_table(stage->arena, port->chain,
                                     back ? QN_OP_INTERP : QN_OP_INTERP_MEAN, table, words, work);
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* ---- transform ---- */

static quern_status begin(struct qn_stage *stage, struct map *m)
{
    quern_type dtype;
    QN_TRY(open_map(stage, m));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &stage->out[i]));
        stage->out[i].known = NULL;
    }
    return QUERN_OK;
}

static quern_status add_op(struct qn_stage *stage, struct qn_port *port, uint32_t code, double p0,
                           double p1)
{
    port->chain = qn_chain_add(stage->arena, port->chain, code, qn_word_f64(p0), qn_word_f64(p1),
                               port->chain->work);
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* "normal" is limited to what stays within BOUND of the ends on the way back. */
static quern_status quantile_emit(struct qn_stage *stage)
{
    struct map m;
    int normal = qn_param_is(stage->estimator, "output_distribution", "normal");
    double end = BOUND - DBL_EPSILON;
    double low = qn_nquantile(end), high = qn_nquantile(1.0 - end);
    QN_TRY(begin(stage, &m));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        int f32 = port->chain->work == QN_W_F32;
        QN_TRY(add_map(stage, &m, i, 0, port));
        if (!normal) continue;
        QN_TRY(add_op(stage, port, QN_OP_NQUANTILE, 0, 0));
        QN_TRY(add_op(stage, port, QN_OP_CLIP, f32 ? (double)(float)low : low,
                      f32 ? (double)(float)high : high));
    }
    return QUERN_OK;
}

/* SciPy's distribution function gives float64, whatever it is given. */
static quern_status quantile_invert(struct qn_stage *stage)
{
    struct map m;
    int normal = qn_param_is(stage->estimator, "output_distribution", "normal");
    QN_TRY(begin(stage, &m));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i], wide;
        quern_type type = port->type;
        if (normal) {
            QN_TRY(qn_port_convert_op(stage, port, QUERN_FLOAT64, &wide));
            QN_TRY(add_op(stage, &wide, QN_OP_NCDF, 0, 0));
            *port = wide;
        }
        QN_TRY(add_map(stage, &m, i, 1, port));
        if (!normal) continue;
        wide = *port;
        QN_TRY(qn_port_convert_op(stage, &wide, type, port));
    }
    return QUERN_OK;
}

static const char *quantile_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "quantiles_ references_";
}

const struct qn_estimator_type qn_quantile_transformer = {
    .name = "QuantileTransformer",
    .doc = "Map each column's distribution to a uniform or a normal one.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "quantiles_ references_",
    .lists = "quantiles_ references_",
    .input = "number",
    .depends_on = quantile_depends_on,
    .check = quantile_check,
    .need = quantile_need,
    .learn = quantile_learn,
    .emit = quantile_emit,
    .invert = quantile_invert,
};
