/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/floats.h"

#include <math.h>

double qn_in_dtype(double value, quern_type dtype)
{
    return dtype == QUERN_FLOAT32 ? (double)(float)value : value;
}

quern_status qn_port_add(struct qn_stage *stage, struct qn_port *port, uint32_t code, double p0,
                         double p1)
{
    port->chain =
        qn_chain_add(stage->arena, port->chain, code, qn_word_f64(qn_in_dtype(p0, port->type)),
                     qn_word_f64(qn_in_dtype(p1, port->type)), port->chain->work);
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

quern_status qn_stage_floats(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &stage->out[i]));
        stage->out[i].known = NULL;
    }
    return QUERN_OK;
}

quern_status qn_stage_refuse_infinity(const struct qn_stage *stage)
{
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_extremes *e = &stage->found[i].extremes;
        if (e->count != 0 && (isinf(e->min) || isinf(e->max)))
            return qn_error(QUERN_INVALID, "%s: column \"%s\" has infinite values",
                            stage->estimator->type->name, stage->in[i].name);
    }
    return QUERN_OK;
}

quern_status qn_stage_per_column(const struct qn_stage *stage, const char *param)
{
    const json_t *given = qn_param(stage->estimator, param);
    if (!json_is_array(given) || json_array_size(given) == stage->n_in) return QUERN_OK;
    return qn_error(QUERN_INVALID, "%s.%s has %zu numbers for %u columns",
                    stage->estimator->type->name, param, json_array_size(given), stage->n_in);
}

double qn_param_number(const struct qn_estimator *e, const char *param, uint32_t i,
                       double otherwise)
{
    const json_t *given = qn_param(e, param);
    if (json_is_array(given)) given = json_array_get(given, i);
    return json_is_number(given) ? json_number_value(given) : otherwise;
}
