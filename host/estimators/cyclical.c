/* SPDX-License-Identifier: Apache-2.0
 * CyclicalFeatures: the sine and the cosine of 2 pi x / max_value, so that the last hour of a day lies beside
 * the first. Definition: feature-engine's class of that name (creation/cyclical_features.py): x is multiplied
 * by 2 pi / max_value. Both are computed in float64 and rounded once, for float32 too. Missing values stay. */
#include <math.h>

#include "host/estimators/floats.h"

static const struct qn_param PARAMS[] = {
    {"max_values", QN_PARAM_NUMBERS, "null", NULL, 0, 0,
     "the period: one number, or one (or null) per column; null: the column's greatest value"},
    {"drop_original", QN_PARAM_BOOL, "false", NULL, 0, 0, "leave the columns themselves out"},
};

static const char ZEROS[] = "cosines of zeros are ones; make the input dense";
static const double TWO_PI = 6.283185307179586;

static int is_given(const struct qn_estimator *e, uint32_t i)
{
    return !isnan(qn_param_number(e, "max_values", i, (double)NAN));
}

static quern_status cyclical_check(const struct qn_estimator *e)
{
    const json_t *given = qn_param(e, "max_values");
    size_t n = json_is_array(given) ? json_array_size(given) : 1;
    for (uint32_t i = 0; i < n; i++)
        if (qn_param_number(e, "max_values", i, 1.0) == 0)
            return qn_error(QUERN_INVALID, "CyclicalFeatures.max_values: a period cannot be 0");
    return QUERN_OK;
}

static quern_status cyclical_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_per_column(stage, "max_values"));
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (!is_given(stage->estimator, i)) stage->need[i].flags = QN_NEED_EXTREMES;
    return QUERN_OK;
}

static quern_status cyclical_learn(struct qn_stage *stage)
{
    double *most = qn_attrs_f64(stage->attrs, "max_values_", stage->n_in);
    if (most == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_extremes *e = &stage->found[i].extremes;
        most[i] = qn_param_number(stage->estimator, "max_values", i, e->max);
        if (is_given(stage->estimator, i)) continue;
        if (e->count != 0 && (isinf(e->min) || isinf(e->max)))
            return qn_error(QUERN_INVALID, "CyclicalFeatures: column \"%s\" has infinite values",
                            stage->in[i].name);
        if (e->count == 0 || e->max == 0)
            return qn_error(QUERN_INVALID,
                            "CyclicalFeatures: column \"%s\" has %s; give its period by max_values",
                            stage->in[i].name, e->count == 0 ? "no value" : "the greatest value 0");
    }
    return QUERN_OK;
}

static quern_status add_wave(struct qn_stage *stage, const struct qn_port *in, double factor,
                             uint32_t code, const char *suffix, struct qn_port *out)
{
    struct qn_port wide;
    QN_TRY(qn_port_convert(stage, in, QUERN_FLOAT64, &wide));
    QN_TRY(qn_port_add(stage, &wide, QN_OP_MUL, factor, 0));
    QN_TRY(qn_port_add(stage, &wide, code, 0, 0));
    QN_TRY(qn_port_convert_op(stage, &wide, in->type, out));
    out->known = NULL;
    out->name = qn_arena_printf(stage->arena, "%s_%s", in->name, suffix);
    return out->name != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status cyclical_emit(struct qn_stage *stage)
{
    const struct qn_attr *most = qn_attrs_find(stage->attrs, "max_values_");
    uint32_t n = stage->n_in, at = 0;
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    if (n > UINT32_MAX / 3)
        return qn_error(QUERN_INVALID, "CyclicalFeatures: %u columns are too many", n);
    QN_TRY(qn_stage_outputs(stage, 3 * n));
    struct qn_port *ports = qn_arena_alloc(stage->arena, n, sizeof *ports);
    if (ports == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < n; i++) {
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &ports[i]));
        if (!qn_param_bool(stage->estimator, "drop_original")) stage->out[at++] = ports[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        double factor = TWO_PI / most->f64[i];
        QN_TRY(add_wave(stage, &ports[i], factor, QN_OP_SIN, "sin", &stage->out[at++]));
        QN_TRY(add_wave(stage, &ports[i], factor, QN_OP_COS, "cos", &stage->out[at++]));
    }
    stage->n_out = at;
    return QUERN_OK;
}

static const char *cyclical_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "max_values_";
}

const struct qn_estimator_type qn_cyclical_features = {
    .name = "CyclicalFeatures",
    .doc = "The sine and the cosine of columns that repeat: hours, months, angles.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "max_values_",
    .input = "number",
    .traits = QN_TRAIT_MERGES,
    .depends_on = cyclical_depends_on,
    .check = cyclical_check,
    .need = cyclical_need,
    .learn = cyclical_learn,
    .emit = cyclical_emit,
};
