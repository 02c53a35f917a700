/* SPDX-License-Identifier: Apache-2.0
 * Winsorizer: values beyond learned caps become the caps. Definition: feature-engine's class of that name
 * (outliers/base_outlier.py):
 *
 *   gaussian    mean -+ fold * standard deviation (of the population)
 *   iqr         quartiles -+ fold * their distance
 *   mad         median -+ fold * median of the absolute deviations from it / 0.67449
 *   quantiles   the quantiles fold and 1 - fold
 *
 * It refuses columns without spread; here, where all values are equal, they stay, and a column that has
 * no spread by the method although it varies is capped with a warning. Quantiles and medians are exact.
 *
 * "mad" takes two rounds: the median, and then that of max(x - median, median - x). */
#include <math.h>

#include "host/estimators/floats.h"

static const struct qn_param PARAMS[] = {
    {"capping_method", QN_PARAM_CHOICE, "\"gaussian\"", "gaussian|iqr|mad|quantiles", 0, 0,
     "what the caps are learned from"},
    {"tail", QN_PARAM_CHOICE, "\"right\"", "right|left|both", 0, 0, "the side that is capped"},
    {"fold", QN_PARAM_AUTO_FLOAT, "\"auto\"", NULL, 5e-324, 1e300,
     "how far out the caps lie; \"auto\": 3, 1.5, 3.29 or, for quantiles, 0.05"},
    {"add_indicators", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "append a column of 0 and 1 for each tail that is capped"},
    {"missing_values", QN_PARAM_CHOICE, "\"raise\"", "raise|ignore", 0, 0,
     "whether missing values are an error, or stay"},
};

/* What makes the median of absolute deviations of normal numbers their standard deviation, rounded as
 * feature-engine has it. */
static const double NORMAL_MAD = 0.67449;
static const char ZEROS[] = "make the input dense";

enum method { GAUSSIAN, IQR, MAD, QUANTILES };

static enum method method_of(const struct qn_estimator *e)
{
    if (qn_param_is(e, "capping_method", "gaussian")) return GAUSSIAN;
    if (qn_param_is(e, "capping_method", "iqr")) return IQR;
    return qn_param_is(e, "capping_method", "mad") ? MAD : QUANTILES;
}

static double fold_of(const struct qn_estimator *e)
{
    static const double usual[] = {[GAUSSIAN] = 3.0, [IQR] = 1.5, [MAD] = 3.29, [QUANTILES] = 0.05};
    const json_t *fold = qn_param(e, "fold");
    return json_is_number(fold) ? json_number_value(fold) : usual[method_of(e)];
}

static int caps_left(const struct qn_estimator *e)
{
    return !qn_param_is(e, "tail", "right");
}

static int caps_right(const struct qn_estimator *e)
{
    return !qn_param_is(e, "tail", "left");
}

static int raises(const struct qn_estimator *e)
{
    return qn_param_is(e, "missing_values", "raise");
}

static quern_status winsorizer_check(const struct qn_estimator *e)
{
    if (method_of(e) != QUANTILES || fold_of(e) < 0.5) return QUERN_OK;
    return qn_error(QUERN_INVALID,
                    "Winsorizer.fold is %g; with capping_method \"quantiles\" it must be below 0.5",
                    fold_of(e));
}

/* What a fit of "mad" remembers from the first round to the second. */
struct winsorizer_fit {
    double *median;
    int *varies;
};

/* ---- what is asked for ---- */

static quern_status need_quantiles(struct qn_stage *stage, quern_type dtype)
{
    int quartiles = method_of(stage->estimator) == IQR;
    double fold = fold_of(stage->estimator);
    double *percent = qn_arena_alloc(stage->arena, 2, sizeof *percent);
    if (percent == NULL) return qn_stage_memory(stage);
    percent[0] = quartiles ? 25.0 : 100.0 * fold;
    percent[1] = quartiles ? 75.0 : 100.0 * (1.0 - fold);
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i] = (struct qn_need){.flags = QN_NEED_QUANTILES | QN_NEED_EXTREMES,
                                          .n_quantiles = 2,
                                          .percent = percent,
                                          .as_f32 = dtype == QUERN_FLOAT32};
    return QUERN_OK;
}

static void need_medians(struct qn_stage *stage, quern_type dtype)
{
    static const double half[] = {50.0};
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i] = (struct qn_need){.flags = QN_NEED_QUANTILES | QN_NEED_EXTREMES,
                                          .n_quantiles = 1,
                                          .percent = half,
                                          .median = 1,
                                          .as_f32 = dtype == QUERN_FLOAT32};
}

/* The absolute deviations from the medians, as columns of the step's dtype. */
static quern_status need_deviations(struct qn_stage *stage, quern_type dtype)
{
    const struct winsorizer_fit *fit = stage->memory;
    QN_TRY(qn_stage_floats(stage));
    need_medians(stage, dtype);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i], back;
        QN_TRY(qn_port_add(stage, port, QN_OP_SUB, fit->median[i], 0));
        back = *port;
        QN_TRY(qn_port_add(stage, &back, QN_OP_MUL, -1.0, 0));
        port->chain = qn_chain_add_join(stage->arena, port->chain, QN_OP_JOIN_MAX, back.chain);
        if (port->chain == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

static quern_status winsorizer_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (stage->weighted)
        return qn_error(QUERN_UNSUPPORTED, "Winsorizer learns without weights here");
    if (stage->memory != NULL) return need_deviations(stage, dtype);
    switch (method_of(stage->estimator)) {
    case GAUSSIAN:
        for (uint32_t i = 0; i < stage->n_in; i++)
            stage->need[i].flags = QN_NEED_MOMENTS | QN_NEED_EXTREMES;
        return QUERN_OK;
    case MAD: need_medians(stage, dtype); return QUERN_OK;
    default: return need_quantiles(stage, dtype);
    }
}

/* ---- learning ---- */

static quern_status check_values(const struct qn_stage *stage)
{
    int raise = raises(stage->estimator);
    QN_TRY(qn_stage_refuse_infinity(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        if (raise && f->extremes.count != f->rows)
            return qn_error(
                QUERN_INVALID,
                "Winsorizer: column \"%s\" has missing values; impute them first, or set "
                "missing_values to \"ignore\"",
                stage->in[i].name);
    }
    return QUERN_OK;
}

static int varies(const struct qn_found *f)
{
    return f->extremes.count != 0 && f->extremes.min != f->extremes.max;
}

/* Column i's caps are low - reach and high + reach; spread: 0 where the method sees none. */
static quern_status set_caps(struct qn_stage *stage, uint32_t i, int is_varied, double low,
                             double high, double reach, double spread)
{
    const struct qn_attr *left = qn_attrs_find(stage->attrs, "left_tail_caps_");
    const struct qn_attr *right = qn_attrs_find(stage->attrs, "right_tail_caps_");
    double *to_left = (double *)(uintptr_t)left->f64, *to_right = (double *)(uintptr_t)right->f64;
    to_left[i] = caps_left(stage->estimator) ? low - reach : -(double)INFINITY;
    to_right[i] = caps_right(stage->estimator) ? high + reach : (double)INFINITY;
    if (spread != 0 || !is_varied) return QUERN_OK;
    char *line = qn_arena_printf(
        stage->arena,
        "Winsorizer: column \"%s\" has no spread by its capping_method, although it varies; the "
        "values beyond %g become that",
        stage->in[i].name, caps_right(stage->estimator) ? high : low);
    if (line == NULL) return qn_stage_memory(stage);
    stage->warn(stage->plan, line);
    return QUERN_OK;
}

static quern_status open_caps(struct qn_stage *stage)
{
    double *left = qn_attrs_f64(stage->attrs, "left_tail_caps_", stage->n_in);
    double *right = qn_attrs_f64(stage->attrs, "right_tail_caps_", stage->n_in);
    return left != NULL && right != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status remember_medians(struct qn_stage *stage)
{
    struct winsorizer_fit *fit = qn_arena_alloc(stage->arena, 1, sizeof *fit);
    if (fit == NULL) return qn_stage_memory(stage);
    fit->median = qn_arena_alloc(stage->arena, stage->n_in, sizeof *fit->median);
    fit->varies = qn_arena_alloc(stage->arena, stage->n_in, sizeof *fit->varies);
    if (fit->median == NULL || fit->varies == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        fit->median[i] = stage->found[i].quantile[0];
        fit->varies[i] = varies(&stage->found[i]);
    }
    stage->memory = fit;
    stage->again = 1;
    return QUERN_OK;
}

static quern_status learn_deviations(struct qn_stage *stage, double fold)
{
    const struct winsorizer_fit *fit = stage->memory;
    QN_TRY(open_caps(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        double spread = stage->found[i].quantile[0] / NORMAL_MAD, middle = fit->median[i];
        QN_TRY(set_caps(stage, i, fit->varies[i], middle, middle, fold * spread, spread));
    }
    return QUERN_OK;
}

static quern_status winsorizer_learn(struct qn_stage *stage)
{
    enum method method = method_of(stage->estimator);
    double fold = fold_of(stage->estimator);
    if (stage->memory != NULL) return learn_deviations(stage, fold);
    QN_TRY(check_values(stage));
    if (method == MAD) return remember_medians(stage);
    QN_TRY(open_caps(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        double low, high, spread, reach = 0;
        if (method == GAUSSIAN) {
            struct qn_standard s = qn_node_standard(f->moments);
            low = high = s.mean;
            spread = sqrt(s.var);
            reach = fold * spread;
            if (f->extremes.count != 0 && !isfinite(reach))
                return qn_error(QUERN_INVALID,
                                "Winsorizer: column \"%s\" has values that are too large",
                                stage->in[i].name);
        } else {
            low = f->quantile[0];
            high = f->quantile[1];
            spread = high - low;
            if (method == IQR) reach = fold * spread;
        }
        QN_TRY(set_caps(stage, i, varies(f), low, high, reach, spread));
    }
    return QUERN_OK;
}

/* ---- transforming ---- */

static quern_status add_indicator(struct qn_stage *stage, const struct qn_port *in, int left,
                                  double cap, struct qn_port *out)
{
    *out = *in;
    if (left) { /* x < cap is -x > -cap */
        QN_TRY(qn_port_add(stage, out, QN_OP_MUL, -1.0, 0));
        cap = -cap;
    }
    QN_TRY(qn_port_add(stage, out, QN_OP_GREATER, cap, 0));
    out->may_nan = 0;
    out->name = qn_arena_printf(stage->arena, "%s_%s", in->name, left ? "left" : "right");
    return out->name != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status winsorizer_emit(struct qn_stage *stage)
{
    const struct qn_attr *left = qn_attrs_find(stage->attrs, "left_tail_caps_");
    const struct qn_attr *right = qn_attrs_find(stage->attrs, "right_tail_caps_");
    int indicators = qn_param_bool(stage->estimator, "add_indicators");
    int raise = raises(stage->estimator);
    uint32_t n = stage->n_in, at = n;
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (n > UINT32_MAX / 3)
        return qn_error(QUERN_INVALID, "Winsorizer: %u columns are too many", n);
    QN_TRY(qn_stage_outputs(stage, indicators ? 3 * n : n));
    for (uint32_t i = 0; i < n; i++) {
        struct qn_port port;
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &port));
        if (raise) QN_TRY(qn_port_refuse_nan(stage, &port));
        port.known = NULL;
        stage->out[i] = port;
        QN_TRY(qn_port_add(stage, &stage->out[i], QN_OP_CLIP, left->f64[i], right->f64[i]));
        if (indicators && caps_left(stage->estimator))
            QN_TRY(add_indicator(stage, &port, 1, left->f64[i], &stage->out[at++]));
        if (indicators && caps_right(stage->estimator))
            QN_TRY(add_indicator(stage, &port, 0, right->f64[i], &stage->out[at++]));
    }
    stage->n_out = at;
    return QUERN_OK;
}

static const char *winsorizer_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "left_tail_caps_ right_tail_caps_";
}

static int is_gaussian(const struct qn_estimator *e)
{
    return method_of(e) == GAUSSIAN;
}

const struct qn_estimator_type qn_winsorizer = {
    .name = "Winsorizer",
    .doc = "Limit columns to caps that are learned of their spread.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "left_tail_caps_ right_tail_caps_",
    .input = "number",
    .joins = 1,
    .merges = is_gaussian,
    .refuses_missing = raises,
    .depends_on = winsorizer_depends_on,
    .check = winsorizer_check,
    .need = winsorizer_need,
    .learn = winsorizer_learn,
    .emit = winsorizer_emit,
};
