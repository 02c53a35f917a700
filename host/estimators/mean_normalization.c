/* SPDX-License-Identifier: Apache-2.0
 * MeanNormalizationScaler: (x - mean) / (max - min). Definition: feature-engine's class of that name
 * (scaling/mean_normalization.py). It refuses constant columns; here they become 0, as scikit-learn's
 * scalers have it. Means and ranges are rounded to the working dtype, and so is each operation. */
#include <math.h>

#include "host/estimators/floats.h"

static const char NO_MEAN[] = "use MaxAbsScaler, or make the input dense";

static quern_status mean_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, NO_MEAN));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (stage->weighted)
        return qn_error(QUERN_UNSUPPORTED, "MeanNormalizationScaler learns without weights here");
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i].flags = QN_NEED_MOMENTS | QN_NEED_EXTREMES;
    return QUERN_OK;
}

static quern_status mean_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    double *mean = qn_attrs_f64(stage->attrs, "mean_", n);
    double *range = qn_attrs_f64(stage->attrs, "range_", n);
    double *least = qn_attrs_f64(stage->attrs, "data_min_", n);
    double *most = qn_attrs_f64(stage->attrs, "data_max_", n);
    int64_t *seen = qn_attrs_i64(stage->attrs, "n_samples_seen_", n);
    if (mean == NULL || range == NULL || least == NULL || most == NULL || seen == NULL)
        return qn_stage_memory(stage);
    QN_TRY(qn_stage_refuse_infinity(stage));
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_extremes *e = &stage->found[i].extremes;
        mean[i] = qn_node_standard(stage->found[i].moments).mean;
        least[i] = e->count != 0 ? e->min : (double)NAN;
        most[i] = e->count != 0 ? e->max : (double)NAN;
        range[i] = most[i] - least[i];
        seen[i] = (int64_t)e->count;
        if (e->count != 0 && (!isfinite(mean[i]) || !isfinite(range[i])))
            return qn_error(QUERN_INVALID,
                            "MeanNormalizationScaler: column \"%s\" has values that are too large",
                            stage->in[i].name);
    }
    return QUERN_OK;
}

static double divisor(const struct qn_attr *range, uint32_t i)
{
    return range->f64[i] == 0 ? 1.0 : range->f64[i];
}

static quern_status mean_emit(struct qn_stage *stage)
{
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *range = qn_attrs_find(stage->attrs, "range_");
    QN_TRY(qn_stage_refuse_sparse(stage, NO_MEAN));
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_port_add(stage, &stage->out[i], QN_OP_SUB, mean->f64[i], 0));
        QN_TRY(qn_port_add(stage, &stage->out[i], QN_OP_DIV, divisor(range, i), 0));
    }
    return QUERN_OK;
}

static quern_status mean_invert(struct qn_stage *stage)
{
    const struct qn_attr *mean = qn_attrs_find(stage->attrs, "mean_");
    const struct qn_attr *range = qn_attrs_find(stage->attrs, "range_");
    QN_TRY(qn_stage_floats(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_port_add(stage, &stage->out[i], QN_OP_MUL, divisor(range, i), 0));
        QN_TRY(qn_port_add(stage, &stage->out[i], QN_OP_ADD, mean->f64[i], 0));
    }
    return QUERN_OK;
}

static const char *mean_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "mean_ range_";
}

const struct qn_estimator_type qn_mean_normalization_scaler = {
    .name = "MeanNormalizationScaler",
    .doc = "Subtract the mean and divide by the range, per column.",
    .params = NULL,
    .n_params = 0,
    .attributes = "mean_ range_ data_min_ data_max_ n_samples_seen_",
    .input = "number",
    .traits = QN_TRAIT_MERGES,
    .ahead = QN_NEED_MOMENTS | QN_NEED_EXTREMES,
    .depends_on = mean_depends_on,
    .need = mean_need,
    .learn = mean_learn,
    .emit = mean_emit,
    .invert = mean_invert,
};
