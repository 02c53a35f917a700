/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/row_imputer.h"

#include "host/estimators/missing.h"

quern_status qn_row_imputer_check(const struct qn_estimator *e)
{
    double marker;
    if (qn_json_number(qn_param(e, "missing_values"), &marker)) return QUERN_OK;
    return qn_error(QUERN_INVALID,
                    "%s.missing_values: it fills numbers; the marker is null or a number",
                    e->type->name);
}

/* In float work, so that marked cells can be NaN. */
static quern_status float_port(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                               struct qn_port *out)
{
    QN_TRY(qn_port_convert(stage, in, type, out));
    struct qn_chain *chain = qn_chain_copy(stage->arena, out->chain);
    if (chain == NULL) return qn_stage_memory(stage);
    chain->refuse_infinite = 1;
    out->chain = chain;
    out->known = NULL;
    return QUERN_OK;
}

quern_status qn_row_imputer_port(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                                 struct qn_port *out)
{
    struct qn_port given;
    QN_TRY(float_port(stage, in, type, &given));
    QN_TRY(qn_marker_port(stage, &given, type, out));
    if (!qn_marker_of(stage->estimator).is_nan) out->may_nan = 1;
    return QUERN_OK;
}

quern_status qn_row_imputer_indicator(struct qn_stage *stage, const struct qn_port *in,
                                      quern_type type, struct qn_port *out)
{
    QN_TRY(float_port(stage, in, type, out));
    QN_TRY(qn_marker_test(stage, out));
    out->may_nan = 0;
    out->name = qn_arena_printf(stage->arena, "missingindicator_%s", in->name);
    return out->name != NULL ? QUERN_OK : qn_stage_memory(stage);
}

void qn_row_imputer_output(const struct qn_port *in, quern_type type, struct qn_port *out)
{
    *out = *in;
    out->type = type;
    out->chain = NULL;
    out->known = NULL;
    out->match = QN_MATCH_VALUE;
    out->may_nan = 0;
}

quern_status qn_row_imputer_left_out(struct qn_stage *stage, uint32_t column)
{
    char *line = qn_arena_printf(stage->arena, "%s: column \"%s\" has no value and is left out",
                                 stage->estimator->type->name, stage->in[column].name);
    if (line == NULL) return qn_stage_memory(stage);
    stage->warn(stage->plan, line);
    return QUERN_OK;
}
