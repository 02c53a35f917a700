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
 * Marchand et al., SRATTA and federated Yeo-Johnson, 2022), so any bracketing search finds what scikit-learn's
 * finds. It needs no statistic of its own: the fit asks for the moments of the column seen through chains
 * of ops, several lambdas at a time, and so it learns the same bits on every device and any chunks. The
 * search begins on the first rows (QN_SAMPLE_ROWS) and ends with two or three passes over all.
 *
 * Where all values have one sign, the variance is that of exp(lambda (log - c)), times a factor that is
 * known: nothing overflows, and the variance of 1990, 2003, 2009 to the power of -50 does not drown in the constant
 * beside it. */
#include <float.h>
#include <math.h>

#include "host/estimators/estimator.h"
#include "host/estimators/valley.h"
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
    int settled;
    double lambda; /* NEGATIVE: 2 - lambda, of the column turned over, while it is looked for */
    double low_log, high_log; /* of the logarithms; for BOTH with the values' signs */
    double mean_log;          /* of the rows of the phase */
    int has_mean, no_guide, restarts;
    struct qn_valley valley;
    uint32_t first, n_logs, n_lambdas; /* its probes */
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
static void bounds_of(const struct power_fit *fit, const struct column *c, double most, double *low,
                      double *high)
{
    int narrow = fit->dtype == QUERN_FLOAT32;
    double log_most = qn_log(narrow ? (double)FLT_MAX : DBL_MAX);
    if (fit->box_cox) {
        log_most = fit->standardize && !narrow ? log_most / 2 : log_most;
        log_most -= qn_log(10000.0);
        *high = c->high_log > 0 ? largest_box_cox(c->high_log, log_most) : 1e6;
        *low = c->low_log < 0 ? -largest_box_cox(-c->low_log, log_most) : -1e6;
        if (*high > 1e6) *high = 1e6;
        if (*low < -1e6) *low = -1e6;
        return;
    }
    double log_eps = qn_log(narrow ? (double)FLT_EPSILON : DBL_EPSILON);
    double log_tiny = qn_log(narrow ? (double)FLT_MIN : DBL_MIN), log_x = qn_log1p(20 * most);
    *low = (log_tiny - log_eps) / 2 / log_x;
    *high = (log_most + log_eps) / 2 / log_x;
    if (c->sign != BOTH) {
        if (*low * c->low_log < 0.75 * log_eps) *low = 0.75 * log_eps / c->low_log;
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
        c->settled = 1;
        return QUERN_OK;
    }
    double low, high, most = fmax(fabs(e->min), fabs(e->max));
    c->sign = e->min >= 0 ? POSITIVE : e->max < 0 ? NEGATIVE : BOTH;
    c->low_log = c->sign == BOTH ? -log_of(fit, -e->min)
                                 : log_of(fit, c->sign == NEGATIVE ? -e->max : e->min);
    c->high_log = log_of(fit, c->sign == NEGATIVE ? -e->min : e->max);
    bounds_of(fit, c, most, &low, &high);
    if (!(low < high))
        return no_column(stage, i,
                         "has values so large that no power of them is sure to fit their "
                         "dtype; scale it first, or use float64");
    qn_valley_open(&c->valley, low, high, c->high_log - c->low_log);
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
static quern_status begin_probe(struct qn_stage *stage, const struct power_fit *fit, uint32_t i,
                                struct qn_port *port)
{
    struct qn_port own;
    QN_TRY(qn_port_convert(stage, &stage->in[i], fit->dtype, &own));
    QN_TRY(qn_port_convert(stage, &own, QUERN_FLOAT64, port));
    port->known = NULL;
    port->match = QN_MATCH_VALUE;
    return fit->columns[i].sign == NEGATIVE ? add_op(stage, port, QN_OP_MUL, -1.0, 0) : QUERN_OK;
}

/* What is subtracted from the logarithms before lambda goes to work on them: their middle, or the end
 * at which the powers are largest, so that none overflows. */
static double shift_of(const struct column *c, double lambda)
{
    double half = 0.5 * (c->high_log - c->low_log);
    if (fabs(lambda) * half < 300) return c->low_log + half;
    return lambda > 0 ? c->high_log : c->low_log;
}

/* No lambda is 0: the difference is none, and there is one formula less. */
static double not_zero(double lambda)
{
    return fabs(lambda) < 1e-100 ? 1e-100 : lambda;
}

static quern_status lambda_probe(struct qn_stage *stage, const struct power_fit *fit, uint32_t i,
                                 double lambda, struct qn_port *port)
{
    const struct column *c = &fit->columns[i];
    QN_TRY(begin_probe(stage, fit, i, port));
    if (c->sign == BOTH) return add_op(stage, port, QN_OP_YEO_JOHNSON, lambda, 0);
    QN_TRY(add_op(stage, port, fit->box_cox ? QN_OP_LOG : QN_OP_LOG1P, 0, 0));
    QN_TRY(add_op(stage, port, QN_OP_SUB, shift_of(c, lambda), 0));
    QN_TRY(add_op(stage, port, QN_OP_MUL, not_zero(lambda), 0));
    return add_op(stage, port, QN_OP_EXPM1, 0, 0);
}

/* The logarithms; of a column with both signs, those of the positive (0) or the negative (1) values, the
 * others as 0. */
static quern_status log_probe(struct qn_stage *stage, const struct power_fit *fit, uint32_t i,
                              uint32_t which, struct qn_port *port)
{
    QN_TRY(begin_probe(stage, fit, i, port));
    if (fit->columns[i].sign == BOTH) {
        if (which == 1) QN_TRY(add_op(stage, port, QN_OP_MUL, -1.0, 0));
        QN_TRY(add_op(stage, port, QN_OP_CLIP, 0, DBL_MAX));
    }
    return add_op(stage, port, fit->box_cox ? QN_OP_LOG : QN_OP_LOG1P, 0, 0);
}

static uint32_t count_probes(const struct qn_stage *stage, struct power_fit *fit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct column *c = &fit->columns[i];
        c->first = n;
        c->n_logs = c->settled || c->has_mean ? 0 : c->sign == BOTH ? 2 : 1;
        c->n_lambdas = c->settled ? 0 : c->valley.n;
        n += c->n_logs + c->n_lambdas;
    }
    return n;
}

static quern_status need_likelihoods(struct qn_stage *stage, struct power_fit *fit)
{
    uint32_t flag = fit->phase == SAMPLE ? QN_NEED_SAMPLE : QN_NEED_MOMENTS;
    uint32_t n = count_probes(stage, fit);
    QN_TRY(qn_stage_probes(stage, n));
    for (uint32_t k = 0; k < n; k++) stage->need[k].flags = flag;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct column *c = &fit->columns[i];
        struct qn_port *port = stage->out + c->first;
        for (uint32_t k = 0; k < c->n_logs; k++) QN_TRY(log_probe(stage, fit, i, k, port++));
        for (uint32_t k = 0; k < c->n_lambdas; k++)
            QN_TRY(lambda_probe(stage, fit, i, qn_valley_point(&c->valley, k), port++));
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
    if (fit != NULL)
        return fit->phase == SCALE ? need_scales(stage, fit) : need_likelihoods(stage, fit);
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, NO_ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i].flags = QN_NEED_MOMENTS | QN_NEED_EXTREMES;
    return QUERN_OK;
}

/* ---- learning ---- */

static double mean_of(const struct qn_found *f)
{
    return f->moments.hi + f->moments.lo;
}

/* The negative log-likelihood over n. */
static double value_of(const struct column *c, const struct qn_found *f, double lambda)
{
    double log_variance = qn_log(f->moments.m2 / f->moments.n);
    if (c->sign != BOTH)
        log_variance +=
            2 * (not_zero(lambda) * shift_of(c, lambda) - qn_log(fabs(not_zero(lambda))));
    double value = 0.5 * log_variance - (lambda - 1) * c->mean_log;
    return isfinite(value) ? value : INFINITY; /* a variance that vanished tells nothing */
}

/* The search begins anew, on all rows. */
static void search_all(struct column *c)
{
    qn_valley_again(&c->valley);
}

/* The values at the fan's points. */
static void take_likelihoods(const struct qn_stage *stage, const struct power_fit *fit,
                             struct column *c)
{
    const struct qn_found *f = stage->found + c->first;
    double values[QN_FAN];
    if (c->n_logs != 0) {
        c->mean_log = c->n_logs == 2 ? mean_of(&f[0]) - mean_of(&f[1]) : mean_of(&f[0]);
        c->has_mean = 1;
        f += c->n_logs;
    }
    if (fit->phase == SAMPLE && f->moments.n < 2) { /* the sample tells nothing of the column */
        c->settled = 1;
        c->no_guide = 1;
        return;
    }
    for (uint32_t k = 0; k < c->n_lambdas; k++)
        values[k] = value_of(c, &f[k], qn_valley_point(&c->valley, k));
    int fine = c->valley.n == 2 || c->valley.n == QN_NET;
    enum qn_valley_news news = qn_valley_take(&c->valley, values);
    if (news == QN_VALLEY_LOST && c->restarts++ < 2)
        search_all(c);
    else if (news == QN_VALLEY_LOST)
        news =
            QN_VALLEY_FOUND; /* its likelihood is not what it should be; this is as good as it gets */
    if (news == QN_VALLEY_FOUND && fit->phase == ALL && !fine)
        qn_valley_refine(&c->valley, (double)stage->rows, 1);
    else
        c->settled = news == QN_VALLEY_FOUND;
    c->lambda = qn_valley_found(&c->valley);
}

/* From the sample to all rows. Constant columns have no valley. */
static void begin_all(const struct qn_stage *stage, struct power_fit *fit)
{
    fit->phase = ALL;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct column *c = &fit->columns[i];
        if (c->valley.n == 0) continue;
        if (c->no_guide)
            search_all(c);
        else
            qn_valley_refine(&c->valley, QN_SAMPLE_ROWS, stage->rows <= QN_SAMPLE_ROWS);
        c->settled = 0;
        c->has_mean = stage->rows <= QN_SAMPLE_ROWS;
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
        if (c->valley.n != 0 && c->sign == NEGATIVE) c->lambda = 2 - c->lambda;
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
        for (uint32_t i = 0; i < stage->n_in; i++)
            if (!fit->columns[i].settled) take_likelihoods(stage, fit, &fit->columns[i]);
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
