/* SPDX-License-Identifier: Apache-2.0
 * PowerTransformer: each column through the power transform whose lambda makes it likest to normal
 * numbers, then mean 0 and variance 1. Definition: scikit-learn, preprocessing/_data.py, and the
 * likelihoods of scipy.stats.boxcox_llf and yeojohnson_llf.
 *
 * The negative log-likelihood of a lambda, over n and without constants, is
 *
 *     log(variance of the transformed column) / 2 - (lambda - 1) (mean of the logarithms)
 *
 * which is convex in lambda (Kouider and Chen, Concavity of Box-Cox log-likelihood function, 1995;
 * Marchand et al., SRATTA and federated Yeo-Johnson, 2022), so any search that encloses its minimum finds what
 * scikit-learn's finds. The fit asks for the curves of powers of the columns (kernels/powers.h), first of the
 * first rows (QN_SAMPLE_ROWS), where they are cheap, then of all, where one is mostly enough (descent.h). */
#include <float.h>
#include <math.h>

#include "host/estimators/descent.h"
#include "host/estimators/estimator.h"
#include "kernels/functions.h"

static const struct qn_param POWER[] = {
    {"method", QN_PARAM_CHOICE, "\"yeo-johnson\"", "yeo-johnson|box-cox", 0, 0,
     "the power transform; box-cox is for positive numbers alone"},
    {"standardize", QN_PARAM_BOOL, "true", NULL, 0, 0,
     "give the transformed columns mean 0 and variance 1"},
};

static const char NO_ZEROS[] = "make the input dense; zeros do not stay zeros";

enum sign { POSITIVE, NEGATIVE, BOTH };
enum phase { SAMPLE, ALL, SCALE };

struct column {
    enum sign sign;
    int constant, settled;
    int no_guide;  /* the sample tells nothing of the column */
    double lambda; /* NEGATIVE: 2 - lambda, of the column turned over, while it is looked for */
    struct qn_descent descent;
    uint32_t probe;
};

/* What a fit remembers from one pass to the next. */
struct power_fit {
    enum phase phase;
    int box_cox, standardize;
    quern_type dtype;
    struct column *columns;
};

static int is_box_cox(const struct qn_stage *stage)
{
    return qn_param_is(stage->estimator, "method", "box-cox");
}

static double in_dtype(double value, quern_type dtype)
{
    return dtype == QUERN_FLOAT32 ? (double)(float)value : value;
}

static quern_status add_op(struct qn_stage *stage, struct qn_port *port, uint32_t code, double p0,
                           double p1)
{
    port->chain = qn_chain_add(stage->arena, port->chain, code, qn_word_f64(p0), qn_word_f64(p1),
                               port->chain->work);
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* ---- the first look ---- */

static double log_of(const struct power_fit *fit, double x)
{
    return fit->box_cox ? qn_log(x) : qn_log1p(x);
}

/* scikit-learn's rule, with the moments of all rows. */
static int is_constant(const struct qn_found *f)
{
    struct qn_standard s = qn_node_standard(f->moments);
    double lost = s.count * s.mean * DBL_EPSILON;
    return s.var <= s.count * DBL_EPSILON * s.var + lost * lost ||
           f->extremes.min == f->extremes.max;
}

/* The lambda from which on x^lambda / lambda passes the largest number, for x = exp(log_), log_ > 0:
 * what scipy.stats.boxcox_normmax keeps below. */
static double largest_box_cox(double log_, double log_most)
{
    double lambda = log_most / log_;
    for (int i = 0; i < 40; i++) lambda = (log_most + qn_log(lambda)) / log_;
    return lambda;
}

/* Where the transformed values and their variance neither overflow nor vanish: Yeo-Johnson's bounds are
 * those of scipy.stats.yeojohnson_normmax, and a quarter of the digits at least must survive the 1 that is
 * subtracted: far below 0 all large values become -1 / lambda. */
static void bounds_of(const struct power_fit *fit, const struct column *c, double low_log,
                      double high_log, double most, double *low, double *high)
{
    int narrow = fit->dtype == QUERN_FLOAT32;
    double log_most = qn_log(narrow ? (double)FLT_MAX : DBL_MAX);
    if (fit->box_cox) {
        log_most = fit->standardize && !narrow ? log_most / 2 : log_most;
        log_most -= qn_log(10000.0);
        *high = high_log > 0 ? largest_box_cox(high_log, log_most) : 1e6;
        *low = low_log < 0 ? -largest_box_cox(-low_log, log_most) : -1e6;
        if (*high > 1e6) *high = 1e6;
        if (*low < -1e6) *low = -1e6;
        return;
    }
    double log_eps = qn_log(narrow ? (double)FLT_EPSILON : DBL_EPSILON);
    double log_tiny = qn_log(narrow ? (double)FLT_MIN : DBL_MIN), log_x = qn_log1p(20 * most);
    *low = (log_tiny - log_eps) / 2 / log_x;
    *high = (log_most + log_eps) / 2 / log_x;
    if (c->sign != BOTH) {
        if (*low * low_log < 0.75 * log_eps) *low = 0.75 * log_eps / low_log;
        return;
    }
    double low_too = 2 - *high, high_too = 2 - *low;
    if (low_too > *low) *low = low_too;
    if (high_too < *high) *high = high_too;
}

static quern_status no_column(const struct qn_stage *stage, uint32_t i, const char *what)
{
    return qn_error(QUERN_INVALID, "PowerTransformer: column \"%s\" %s", stage->in[i].name, what);
}

static quern_status look_at(const struct qn_stage *stage, struct power_fit *fit, uint32_t i)
{
    const struct qn_found *f = &stage->found[i];
    const struct qn_extremes *e = &f->extremes;
    struct column *c = &fit->columns[i];
    if (e->count == 0) return no_column(stage, i, "has no value; leave it out");
    if (isinf(e->min) || isinf(e->max)) return no_column(stage, i, "has infinite values");
    if (fit->box_cox && e->min <= 0)
        return no_column(stage, i,
                         "has values that are not positive, which method \"box-cox\" cannot "
                         "transform; use \"yeo-johnson\"");
    if (fit->box_cox && e->min == e->max)
        return no_column(stage, i, "has equal values alone, which have no best lambda");
    if (!fit->box_cox && is_constant(f)) {
        c->lambda = 1; /* it stays as it is */
        c->constant = c->settled = 1;
        return QUERN_OK;
    }
    double low, high, low_log, high_log, most = fmax(fabs(e->min), fabs(e->max));
    c->sign = e->min >= 0 ? POSITIVE : e->max < 0 ? NEGATIVE : BOTH;
    low_log = c->sign == BOTH ? -log_of(fit, -e->min)
                              : log_of(fit, c->sign == NEGATIVE ? -e->max : e->min);
    high_log = log_of(fit, c->sign == NEGATIVE ? -e->min : e->max);
    bounds_of(fit, c, low_log, high_log, most, &low, &high);
    if (!(low < high))
        return no_column(stage, i,
                         "has values so large that no power of them is sure to fit their "
                         "dtype; scale it first, or use float64");
    qn_descent_open(&c->descent, low, high, low_log, high_log, c->sign == BOTH);
    return QUERN_OK;
}

static quern_status look(struct qn_stage *stage)
{
    struct power_fit *fit = qn_arena_alloc(stage->arena, 1, sizeof *fit);
    if (fit == NULL) return qn_stage_memory(stage);
    fit->columns = qn_arena_alloc(stage->arena, stage->n_in, sizeof *fit->columns);
    if (fit->columns == NULL) return qn_stage_memory(stage);
    fit->phase = SAMPLE;
    fit->box_cox = is_box_cox(stage);
    fit->standardize = qn_param_bool(stage->estimator, "standardize");
    QN_TRY(qn_stage_dtype(stage, 1, &fit->dtype));
    for (uint32_t i = 0; i < stage->n_in; i++) QN_TRY(look_at(stage, fit, i));
    stage->memory = fit;
    return QUERN_OK;
}

/* ---- probes ---- */

/* The column as float64, turned over where all of it is negative. */
static quern_status curve_probe(struct qn_stage *stage, const struct power_fit *fit, uint32_t i,
                                struct qn_port *port)
{
    struct qn_port own;
    QN_TRY(qn_port_convert(stage, &stage->in[i], fit->dtype, &own));
    QN_TRY(qn_port_convert(stage, &own, QUERN_FLOAT64, port));
    port->known = NULL;
    port->match = QN_MATCH_VALUE;
    return fit->columns[i].sign == NEGATIVE ? add_op(stage, port, QN_OP_MUL, -1.0, 0) : QUERN_OK;
}

static quern_status need_curves(struct qn_stage *stage, struct power_fit *fit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) n += !fit->columns[i].settled;
    QN_TRY(qn_stage_probes(stage, n));
    n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct column *c = &fit->columns[i];
        if (c->settled) continue;
        c->probe = n++;
        struct qn_need *need = &stage->need[c->probe];
        need->flags = fit->phase == SAMPLE ? QN_NEED_SAMPLE : QN_NEED_POWERS;
        need->powers = qn_descent_ask(&c->descent, fit->box_cox);
        QN_TRY(curve_probe(stage, fit, i, &stage->out[c->probe]));
    }
    return QUERN_OK;
}

static quern_status transformed(struct qn_stage *stage, const struct qn_port *in, quern_type dtype,
                                double lambda, struct qn_port *out)
{
    uint32_t code = is_box_cox(stage) ? QN_OP_BOX_COX : QN_OP_YEO_JOHNSON;
    QN_TRY(qn_port_convert(stage, in, dtype, out));
    out->known = NULL;
    return add_op(stage, out, code, in_dtype(lambda, dtype), 0);
}

/* The moments of the columns as they come out, for the scaler. */
static quern_status need_scales(struct qn_stage *stage, const struct power_fit *fit)
{
    QN_TRY(qn_stage_probes(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        stage->need[i].flags = QN_NEED_MOMENTS;
        QN_TRY(
            transformed(stage, &stage->in[i], fit->dtype, fit->columns[i].lambda, &stage->out[i]));
    }
    return QUERN_OK;
}

static quern_status power_need(struct qn_stage *stage)
{
    struct power_fit *fit = stage->memory;
    if (fit != NULL) return fit->phase == SCALE ? need_scales(stage, fit) : need_curves(stage, fit);
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, NO_ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i].flags = QN_NEED_MOMENTS | QN_NEED_EXTREMES;
    return QUERN_OK;
}

/* ---- learning ---- */

/* What all rows do not tell stays as it is: no lambda is better than another. */
static void take_curve(const struct qn_stage *stage, const struct power_fit *fit, struct column *c)
{
    if (c->settled) return;
    int rough = fit->phase == SAMPLE && stage->rows > QN_SAMPLE_ROWS;
    enum qn_descent_news news = qn_descent_take(&c->descent, &stage->found[c->probe].powers, rough);
    c->settled = news != QN_DESCENT_GO_ON;
    c->no_guide = rough && news == QN_DESCENT_LOST;
    c->lambda = qn_descent_lambda(&c->descent);
}

static void begin_all(const struct qn_stage *stage, struct power_fit *fit)
{
    fit->phase = ALL;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct column *c = &fit->columns[i];
        if (c->constant || stage->rows <= QN_SAMPLE_ROWS) continue; /* the sample was all */
        if (c->no_guide)
            qn_descent_again(&c->descent);
        else
            qn_descent_on(&c->descent);
        c->settled = 0;
    }
}

static int all_settled(const struct qn_stage *stage, const struct power_fit *fit)
{
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (!fit->columns[i].settled) return 0;
    return 1;
}

static quern_status store_lambdas(struct qn_stage *stage, struct power_fit *fit)
{
    double *lambdas = qn_attrs_f64(stage->attrs, "lambdas_", stage->n_in);
    if (lambdas == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct column *c = &fit->columns[i];
        if (!c->constant && c->sign == NEGATIVE) c->lambda = 2 - c->lambda;
        lambdas[i] = c->lambda = in_dtype(c->lambda, fit->dtype);
    }
    fit->phase = SCALE;
    stage->again = fit->standardize;
    return QUERN_OK;
}

static quern_status store_scales(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    double *mean = qn_attrs_f64(stage->attrs, "mean_", n);
    double *var = qn_attrs_f64(stage->attrs, "var_", n);
    double *scale = qn_attrs_f64(stage->attrs, "scale_", n);
    int64_t *seen = qn_attrs_i64(stage->attrs, "n_samples_seen_", n);
    if (mean == NULL || var == NULL || scale == NULL || seen == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < n; i++) {
        struct qn_standard learned = qn_node_standard(stage->found[i].moments);
        if (!isfinite(learned.mean) || !isfinite(learned.var))
            return no_column(stage, i, "has values that are too large once they are transformed");
        mean[i] = learned.mean;
        var[i] = learned.var;
        scale[i] = learned.scale;
        seen[i] = (int64_t)learned.count;
    }
    return QUERN_OK;
}

static quern_status power_learn(struct qn_stage *stage)
{
    struct power_fit *fit = stage->memory;
    if (fit == NULL)
        QN_TRY(look(stage));
    else if (fit->phase == SCALE)
        return store_scales(stage);
    else
        for (uint32_t i = 0; i < stage->n_in; i++) take_curve(stage, fit, &fit->columns[i]);
    fit = stage->memory;
    stage->again = 1;
    if (!all_settled(stage, fit)) return QUERN_OK;
    if (fit->phase == SAMPLE) begin_all(stage, fit);
    return all_settled(stage, fit) ? store_lambdas(stage, fit) : QUERN_OK;
}

/* ---- transforming ---- */

static quern_status power_emit(struct qn_stage *stage)
{
    const struct qn_attr *lambdas = qn_attrs_find(stage->attrs, "lambdas_");
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    int standardize = qn_param_bool(stage->estimator, "standardize");
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, NO_ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(transformed(stage, &stage->in[i], dtype, lambdas->f64[i], port));
        if (!standardize) continue;
        QN_TRY(add_op(stage, port, QN_OP_SUB, in_dtype(mean->f64[i], dtype), 0));
        QN_TRY(add_op(stage, port, QN_OP_DIV, in_dtype(scale->f64[i], dtype), 0));
    }
    return QUERN_OK;
}

static quern_status power_invert(struct qn_stage *stage)
{
    const struct qn_attr *lambdas = qn_attrs_find(stage->attrs, "lambdas_");
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    int standardize = qn_param_bool(stage->estimator, "standardize");
    uint32_t code = is_box_cox(stage) ? QN_OP_BOX_COX_BACK : QN_OP_YEO_JOHNSON_BACK;
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
        port->known = NULL;
        if (standardize) {
            QN_TRY(add_op(stage, port, QN_OP_MUL, in_dtype(scale->f64[i], dtype), 0));
            QN_TRY(add_op(stage, port, QN_OP_ADD, in_dtype(mean->f64[i], dtype), 0));
        }
        QN_TRY(add_op(stage, port, code, in_dtype(lambdas->f64[i], dtype), 0));
    }
    return QUERN_OK;
}

static const char *power_depends_on(const struct qn_estimator *e)
{
    return qn_param_bool(e, "standardize") ? "lambdas_ mean_ scale_" : "lambdas_";
}

const struct qn_estimator_type qn_power_transformer = {
    .name = "PowerTransformer",
    .doc =
        "Make columns likest to normal numbers by a power transform, Yeo-Johnson's or Box-Cox's.",
    .params = POWER,
    .n_params = sizeof POWER / sizeof *POWER,
    .attributes = "lambdas_ mean_ var_ scale_ n_samples_seen_",
    .input = "number",
    .depends_on = power_depends_on,
    .need = power_need,
    .learn = power_learn,
    .emit = power_emit,
    .invert = power_invert,
};
