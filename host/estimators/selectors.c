/* SPDX-License-Identifier: Apache-2.0
 * VarianceThreshold: columns that hardly vary are left out. Definition: scikit-learn,
 * feature_selection/_variance_threshold.py. What stays keeps its values and dtype. */
#include <float.h>
#include <math.h>

#include "host/estimators/estimator.h"

static const struct qn_param VARIANCE_THRESHOLD[] = {
    {"threshold", QN_PARAM_FLOAT, "0.0", NULL, 0, DBL_MAX,
     "columns whose variance is not greater are left out"},
};

static quern_status threshold_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 0, &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++)
        stage->need[i].flags = QN_NEED_MOMENTS | QN_NEED_EXTREMES;
    return QUERN_OK;
}

/* The variance. For a threshold of 0, the range where that is less: the range of equal values is 0
 * however their mean was rounded. NumPy's range of a column with missing values is none. */
static double variance_of(const struct qn_found *f, double threshold)
{
    double var = qn_node_standard(f->moments).var, range = f->extremes.max - f->extremes.min;
    if (threshold == 0 && f->count == f->rows && range < var) return range;
    return var;
}

static int is_kept(double variance, double threshold)
{
    return variance > threshold; /* not NaN */
}

static quern_status threshold_learn(struct qn_stage *stage)
{
    double threshold = qn_param_f64(stage->estimator, "threshold");
    double *var = qn_attrs_f64(stage->attrs, "variances_", stage->n_in);
    uint32_t kept = 0;
    if (var == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        if (f->count != 0 && (isinf(f->extremes.min) || isinf(f->extremes.max)))
            return qn_error(QUERN_INVALID, "VarianceThreshold: column \"%s\" has infinite values",
                            stage->in[i].name);
        var[i] = variance_of(f, threshold);
        kept += (uint32_t)is_kept(var[i], threshold);
    }
    if (kept != 0) return QUERN_OK;
    return qn_error(QUERN_INVALID,
                    "VarianceThreshold: no column's variance is greater than the threshold %g%s",
                    threshold, stage->found[0].rows == 1 ? " (there is only one row)" : "");
}

static quern_status threshold_emit(struct qn_stage *stage)
{
    const struct qn_attr *var = qn_attrs_find(stage->attrs, "variances_");
    double threshold = qn_param_f64(stage->estimator, "threshold");
    quern_type dtype;
    uint32_t n = 0;
    QN_TRY(qn_stage_dtype(stage, 0, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (is_kept(var->f64[i], threshold))
            QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &stage->out[n++]));
    stage->n_out = n;
    return QUERN_OK;
}

static const char *threshold_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "variances_";
}

const struct qn_estimator_type qn_variance_threshold = {
    .name = "VarianceThreshold",
    .doc = "Leave out columns whose variance is not greater than a threshold.",
    .params = VARIANCE_THRESHOLD,
    .n_params = sizeof VARIANCE_THRESHOLD / sizeof *VARIANCE_THRESHOLD,
    .attributes = "variances_",
    .input = "number",
    .depends_on = threshold_depends_on,
    .need = threshold_need,
    .learn = threshold_learn,
    .emit = threshold_emit,
};
