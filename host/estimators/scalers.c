/* SPDX-License-Identifier: Apache-2.0
 * StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler: per column, a learned shift and scale.
 * Definitions: scikit-learn, preprocessing/_data.py. Each applies the same operations in the same
 * order, rounded to the working dtype after each one, so equal attributes give equal bits. */
#include <float.h>
#include <math.h>

#include "host/estimators/floats.h"
#include "host/stats/normal.h"

/* What to do with sparse input, which stays sparse only if 0 stays 0. */
static const char NO_MEAN[] = "set with_mean to false";
static const char NO_CENTER[] = "set with_centering to false";
static const char NO_RANGE[] = "use MaxAbsScaler, or make the input dense";

/* scikit-learn replaces a scale below ten times the spacing of 1.0 in the scale's dtype by 1. */
static double zero_is_one(double scale, quern_type dtype)
{
    double eps = dtype == QUERN_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    return scale < 10.0 * eps ? 1.0 : scale;
}

/* array op= attribute, as NumPy does it in place: a float32 array with a float64 attribute is
 * computed in float64, and the result is rounded. */
static quern_status in_place_op(struct qn_stage *stage, struct qn_port *port, uint32_t code,
                                double value, quern_type attribute)
{
    quern_type type = port->type;
    struct qn_port wide;
    if (attribute == type || type == QUERN_FLOAT64) return qn_port_add(stage, port, code, value, 0);
    QN_TRY(qn_port_convert_op(stage, port, QUERN_FLOAT64, &wide));
    QN_TRY(qn_port_add(stage, &wide, code, value, 0));
    return qn_port_convert_op(stage, &wide, type, port);
}

/* The dtype of an array that holds the value, and perhaps others: attributes learned of float64 meet
 * float32 input where somebody transforms other data than were fitted. Where a float32 holds it, both
 * ways of in_place_op give the same, and the narrow one is faster. */
static quern_type dtype_of(double value, quern_type input)
{
    return isnan(value) || qn_in_dtype(value, input) == value ? input : QUERN_FLOAT64;
}

static quern_status apply_op(struct qn_stage *stage, struct qn_port *port, uint32_t code,
                             double value)
{
    return in_place_op(stage, port, code, value, dtype_of(value, port->type));
}

/* scikit-learn multiplies the stored values of a sparse array by 1 / scale, an array of its own. */
static quern_status divide(struct qn_stage *stage, struct qn_port *port, double scale,
                           quern_type attribute)
{
    double share = attribute == QUERN_FLOAT32 ? (double)(1.0F / (float)scale) : 1.0 / scale;
    return in_place_op(stage, port, QN_OP_MUL, share, attribute);
}

static quern_status need_extremes(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++) stage->need[i].flags = QN_NEED_EXTREMES;
    return QUERN_OK;
}

/* ---- StandardScaler ---- */

static const struct qn_param STANDARD[] = {
    {"with_mean", QN_PARAM_BOOL, "true", NULL, 0, 0, "subtract the mean"},
    {"with_std", QN_PARAM_BOOL, "true", NULL, 0, 0, "divide by the standard deviation"},
};

static quern_status standard_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    int with_mean = qn_param_bool(stage->estimator, "with_mean");
    int with_std = qn_param_bool(stage->estimator, "with_std");
    if (with_mean) QN_TRY(qn_stage_refuse_sparse(stage, NO_MEAN));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        /* a dense column of which only the rows are counted is counted without weights there */
        int weigh = stage->weighted && (with_mean || with_std || stage->in[i].sparse);
        stage->need[i].flags = weigh ? QN_NEED_WEIGHTED : QN_NEED_MOMENTS;
    }
    return QUERN_OK;
}

/* n_samples_seen_: rows, or the sum of their weights. */
static int standard_seen(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    double *sums = stage->weighted ? qn_attrs_f64(stage->attrs, "n_samples_seen_", n) : NULL;
    int64_t *rows = stage->weighted ? NULL : qn_attrs_i64(stage->attrs, "n_samples_seen_", n);
    for (uint32_t i = 0; i < n; i++) {
        if (sums != NULL) sums[i] = stage->found[i].moments.n;
        if (rows != NULL) rows[i] = (int64_t)stage->found[i].moments.n;
    }
    return sums != NULL || rows != NULL;
}

static quern_status standard_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    int with_mean = qn_param_bool(stage->estimator, "with_mean");
    int with_std = qn_param_bool(stage->estimator, "with_std");
    double *mean = NULL, *var = NULL, *scale = NULL;
    if (with_mean || with_std) mean = qn_attrs_f64(stage->attrs, "mean_", n);
    if (with_std) var = qn_attrs_f64(stage->attrs, "var_", n);
    if (with_std) scale = qn_attrs_f64(stage->attrs, "scale_", n);
    if (!standard_seen(stage) || ((with_mean || with_std) && mean == NULL) ||
        (with_std && (var == NULL || scale == NULL)))
        return qn_stage_memory(stage);
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_node *node = &stage->found[i].moments;
        struct qn_standard learned = qn_node_standard(*node);
        if (node->n != 0 && !isfinite(learned.mean))
            return qn_error(QUERN_INVALID,
                            "StandardScaler: column \"%s\" has infinite values, or too large ones",
                            stage->in[i].name);
        if (mean != NULL) mean[i] = learned.mean;
        if (var != NULL) var[i] = learned.var;
        if (scale != NULL) scale[i] = learned.scale;
    }
    return QUERN_OK;
}

static quern_status standard_emit(struct qn_stage *stage)
{
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    int with_mean = qn_param_bool(stage->estimator, "with_mean");
    if (with_mean) QN_TRY(qn_stage_refuse_sparse(stage, NO_MEAN));
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        if (with_mean && mean != NULL) QN_TRY(qn_port_add(stage, port, QN_OP_SUB, mean->f64[i], 0));
        if (scale != NULL && port->sparse)
            QN_TRY(divide(stage, port, scale->f64[i], QUERN_FLOAT64));
        else if (scale != NULL)
            QN_TRY(qn_port_add(stage, port, QN_OP_DIV, scale->f64[i], 0));
    }
    return QUERN_OK;
}

/* The attributes are cast to the array's dtype, both ways. */
static quern_status standard_invert(struct qn_stage *stage)
{
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    int with_mean = qn_param_bool(stage->estimator, "with_mean");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        if (scale != NULL) QN_TRY(qn_port_add(stage, port, QN_OP_MUL, scale->f64[i], 0));
        if (with_mean && mean != NULL) QN_TRY(qn_port_add(stage, port, QN_OP_ADD, mean->f64[i], 0));
    }
    return QUERN_OK;
}

static const char *standard_depends_on(const struct qn_estimator *e)
{
    int with_mean = qn_param_bool(e, "with_mean"), with_std = qn_param_bool(e, "with_std");
    return with_mean && with_std ? "mean_ scale_" : with_mean ? "mean_" : with_std ? "scale_" : "";
}

const struct qn_estimator_type qn_standard_scaler = {
    .name = "StandardScaler",
    .doc = "Subtract the mean and divide by the standard deviation, per column.",
    .params = STANDARD,
    .n_params = sizeof STANDARD / sizeof *STANDARD,
    .attributes = "mean_ var_ scale_ n_samples_seen_",
    .input = "number",
    .traits = QN_TRAIT_MERGES,
    .ahead = QN_NEED_MOMENTS,
    .depends_on = standard_depends_on,
    .need = standard_need,
    .learn = standard_learn,
    .emit = standard_emit,
    .invert = standard_invert,
};

/* ---- MinMaxScaler ---- */

static const struct qn_param MIN_MAX[] = {
    {"feature_range", QN_PARAM_PAIR, "[0, 1]", NULL, 0, 0, "where the column's range is mapped to"},
    {"clip", QN_PARAM_BOOL, "false", NULL, 0, 0, "limit transformed values to feature_range"},
};

static void feature_range(const struct qn_estimator *e, double *lo, double *hi)
{
    const json_t *pair = qn_param(e, "feature_range");
    *lo = json_number_value(json_array_get(pair, 0));
    *hi = json_number_value(json_array_get(pair, 1));
}

static quern_status min_max_check(const struct qn_estimator *e)
{
    double lo, hi;
    feature_range(e, &lo, &hi);
    if (lo < hi) return QUERN_OK;
    return qn_error(QUERN_INVALID, "MinMaxScaler.feature_range: %g must be less than %g", lo, hi);
}

static quern_status min_max_need(struct qn_stage *stage)
{
    QN_TRY(qn_stage_refuse_sparse(stage, NO_RANGE));
    return need_extremes(stage);
}

static quern_status min_max_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    quern_type dtype;
    double lo, hi;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_refuse_infinity(stage));
    feature_range(stage->estimator, &lo, &hi);
    double *data_min = qn_attrs_f64(stage->attrs, "data_min_", n);
    double *data_max = qn_attrs_f64(stage->attrs, "data_max_", n);
    double *range = qn_attrs_f64(stage->attrs, "data_range_", n);
    double *scale = qn_attrs_f64(stage->attrs, "scale_", n);
    double *min = qn_attrs_f64(stage->attrs, "min_", n);
    int64_t *seen = qn_attrs_i64(stage->attrs, "n_samples_seen_", 1);
    if (data_min == NULL || data_max == NULL || range == NULL || scale == NULL || min == NULL ||
        seen == NULL)
        return qn_stage_memory(stage);
    seen[0] = (int64_t)stage->found[0].rows;
    double width = qn_in_dtype(qn_in_dtype(hi, dtype) - qn_in_dtype(lo, dtype), dtype);
    for (uint32_t i = 0; i < n; i++) { /* every step is rounded to the dtype, as arrays of it are */
        const struct qn_extremes *e = &stage->found[i].extremes;
        data_min[i] = e->count != 0 ? e->min : NAN;
        data_max[i] = e->count != 0 ? e->max : NAN;
        range[i] = qn_in_dtype(data_max[i] - data_min[i], dtype);
        scale[i] = qn_in_dtype(width / zero_is_one(range[i], dtype), dtype);
        min[i] =
            qn_in_dtype(qn_in_dtype(lo, dtype) - qn_in_dtype(data_min[i] * scale[i], dtype), dtype);
    }
    return QUERN_OK;
}

static quern_status min_max_emit(struct qn_stage *stage)
{
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    const struct qn_attr *min = qn_attrs_find(stage->attrs, "min_");
    double lo, hi;
    feature_range(stage->estimator, &lo, &hi);
    QN_TRY(qn_stage_refuse_sparse(stage, NO_RANGE));
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(apply_op(stage, port, QN_OP_MUL, scale->f64[i]));
        QN_TRY(apply_op(stage, port, QN_OP_ADD, min->f64[i]));
        if (qn_param_bool(stage->estimator, "clip"))
            QN_TRY(qn_port_add(stage, port, QN_OP_CLIP, lo, hi));
    }
    return QUERN_OK;
}

/* What clip cut off is lost, here as there. */
static quern_status min_max_invert(struct qn_stage *stage)
{
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    const struct qn_attr *min = qn_attrs_find(stage->attrs, "min_");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(in_place_op(stage, port, QN_OP_SUB, min->f64[i], stage->learned));
        QN_TRY(in_place_op(stage, port, QN_OP_DIV, scale->f64[i], stage->learned));
    }
    return QUERN_OK;
}

static const char *min_max_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "scale_ min_";
}

const struct qn_estimator_type qn_min_max_scaler = {
    .name = "MinMaxScaler",
    .doc = "Map each column's range to feature_range.",
    .params = MIN_MAX,
    .n_params = sizeof MIN_MAX / sizeof *MIN_MAX,
    .attributes = "min_ scale_ data_min_ data_max_ data_range_ n_samples_seen_",
    .input = "number",
    .traits = QN_TRAIT_MERGES,
    .ahead = QN_NEED_EXTREMES,
    .depends_on = min_max_depends_on,
    .check = min_max_check,
    .need = min_max_need,
    .learn = min_max_learn,
    .emit = min_max_emit,
    .invert = min_max_invert,
};

/* ---- MaxAbsScaler ---- */

static const struct qn_param MAX_ABS[] = {
    {"clip", QN_PARAM_BOOL, "false", NULL, 0, 0, "limit transformed values to [-1, 1]"},
};

static quern_status max_abs_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_refuse_infinity(stage));
    double *max_abs = qn_attrs_f64(stage->attrs, "max_abs_", n);
    double *scale = qn_attrs_f64(stage->attrs, "scale_", n);
    int64_t *seen = qn_attrs_i64(stage->attrs, "n_samples_seen_", 1);
    if (max_abs == NULL || scale == NULL || seen == NULL) return qn_stage_memory(stage);
    seen[0] = (int64_t)stage->found[0].rows;
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_extremes *e = &stage->found[i].extremes;
        double a = fabs(e->min), b = fabs(e->max);
        max_abs[i] = e->count != 0 ? (a > b ? a : b) : NAN;
        scale[i] = zero_is_one(max_abs[i], dtype);
    }
    return QUERN_OK;
}

static quern_status max_abs_emit(struct qn_stage *stage)
{
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(port->sparse ? divide(stage, port, scale->f64[i], stage->learned)
                            : apply_op(stage, port, QN_OP_DIV, scale->f64[i]));
        if (qn_param_bool(stage->estimator, "clip"))
            QN_TRY(qn_port_add(stage, port, QN_OP_CLIP, -1.0, 1.0));
    }
    return QUERN_OK;
}

static quern_status max_abs_invert(struct qn_stage *stage)
{
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++)
        QN_TRY(in_place_op(stage, &stage->out[i], QN_OP_MUL, scale->f64[i], stage->learned));
    return QUERN_OK;
}

static const char *max_abs_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "scale_";
}

const struct qn_estimator_type qn_max_abs_scaler = {
    .name = "MaxAbsScaler",
    .doc = "Divide each column by its largest absolute value.",
    .params = MAX_ABS,
    .n_params = sizeof MAX_ABS / sizeof *MAX_ABS,
    .attributes = "max_abs_ scale_ n_samples_seen_",
    .input = "number",
    .traits = QN_TRAIT_MERGES,
    .ahead = QN_NEED_EXTREMES,
    .depends_on = max_abs_depends_on,
    .need = need_extremes,
    .learn = max_abs_learn,
    .emit = max_abs_emit,
    .invert = max_abs_invert,
};

/* ---- RobustScaler ---- */

static const struct qn_param ROBUST[] = {
    {"with_centering", QN_PARAM_BOOL, "true", NULL, 0, 0, "subtract the median"},
    {"with_scaling", QN_PARAM_BOOL, "true", NULL, 0, 0, "divide by the range between quantiles"},
    {"quantile_range", QN_PARAM_PAIR, "[25.0, 75.0]", NULL, 0, 0, "the two percentages"},
    {"unit_variance", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "scale so that normal data gets variance 1"},
};

static void quantile_range(const struct qn_estimator *e, double *lo, double *hi)
{
    const json_t *pair = qn_param(e, "quantile_range");
    *lo = json_number_value(json_array_get(pair, 0));
    *hi = json_number_value(json_array_get(pair, 1));
}

static quern_status robust_check(const struct qn_estimator *e)
{
    double lo, hi;
    quantile_range(e, &lo, &hi);
    if (0 <= lo && lo <= hi && hi <= 100) return QUERN_OK;
    return qn_error(QUERN_INVALID, "RobustScaler.quantile_range: [%g, %g] is not within 0 … 100",
                    lo, hi);
}

static quern_status robust_need(struct qn_stage *stage)
{
    quern_type dtype;
    double lo, hi;
    quantile_range(stage->estimator, &lo, &hi);
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (qn_param_bool(stage->estimator, "with_centering"))
        QN_TRY(qn_stage_refuse_sparse(stage, NO_CENTER));
    double *percent = qn_arena_alloc(stage->arena, 3, sizeof *percent);
    if (percent == NULL) return qn_stage_memory(stage);
    percent[0] = 50.0;
    percent[1] = lo;
    percent[2] = hi;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        stage->need[i] = (struct qn_need){
            .flags = QN_NEED_QUANTILES | QN_NEED_EXTREMES,
            .n_quantiles = 3,
            .percent = percent,
            .median = 1,
            .as_f32 = dtype == QUERN_FLOAT32,
        };
    }
    return QUERN_OK;
}

static quern_status robust_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    double lo, hi, adjust = 1.0;
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_refuse_infinity(stage));
    quantile_range(stage->estimator, &lo, &hi);
    if (qn_param_bool(stage->estimator, "unit_variance"))
        adjust = qn_normal_quantile(hi / 100.0) - qn_normal_quantile(lo / 100.0);
    if (qn_param_bool(stage->estimator, "with_centering")) {
        double *center = qn_attrs_f64(stage->attrs, "center_", n);
        if (center == NULL) return qn_stage_memory(stage);
        for (uint32_t i = 0; i < n; i++) center[i] = stage->found[i].quantile[0];
    }
    if (qn_param_bool(stage->estimator, "with_scaling")) {
        double *scale = qn_attrs_f64(stage->attrs, "scale_", n);
        if (scale == NULL) return qn_stage_memory(stage);
        for (uint32_t i = 0; i < n; i++) {
            double range = stage->found[i].quantile[2] - stage->found[i].quantile[1];
            scale[i] = zero_is_one(range, QUERN_FLOAT64) / adjust;
        }
    }
    return QUERN_OK;
}

static quern_status robust_emit(struct qn_stage *stage)
{
    const struct qn_attr *center = qn_attrs_find(stage->attrs, "center_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    if (center != NULL) QN_TRY(qn_stage_refuse_sparse(stage, NO_CENTER));
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        if (center != NULL) QN_TRY(apply_op(stage, port, QN_OP_SUB, center->f64[i]));
        if (scale == NULL) continue; /* float64 whatever the input is */
        QN_TRY(port->sparse ? divide(stage, port, scale->f64[i], QUERN_FLOAT64)
                            : in_place_op(stage, port, QN_OP_DIV, scale->f64[i], QUERN_FLOAT64));
    }
    return QUERN_OK;
}

static quern_status robust_invert(struct qn_stage *stage)
{
    const struct qn_attr *center = qn_attrs_find(stage->attrs, "center_");
    const struct qn_attr *scale = qn_attrs_find(stage->attrs, "scale_");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        if (scale != NULL)
            QN_TRY(in_place_op(stage, port, QN_OP_MUL, scale->f64[i], QUERN_FLOAT64));
        if (center != NULL)
            QN_TRY(in_place_op(stage, port, QN_OP_ADD, center->f64[i], stage->learned));
    }
    return QUERN_OK;
}

const struct qn_estimator_type qn_robust_scaler = {
    .name = "RobustScaler",
    .doc = "Subtract the median and divide by the range between two quantiles, per column.",
    .params = ROBUST,
    .n_params = sizeof ROBUST / sizeof *ROBUST,
    .attributes = "center_ scale_",
    .input = "number",
    .check = robust_check,
    .need = robust_need,
    .learn = robust_learn,
    .emit = robust_emit,
    .invert = robust_invert,
};
