/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/inverse.h"

#include "host/core/checked.h"

/* ---- may it be done at all ---- */

static quern_status check_step(const struct qn_plan_step *step)
{
    for (uint32_t k = 0; k < step->n_apply && step->n_columns != 0; k++)
        if (step->apply[k].type->invert == NULL)
            return qn_error(QUERN_UNSUPPORTED, "%s: %s has no inverse transform", step->where,
                            step->apply[k].type->name);
    return QUERN_OK;
}

static quern_status check_then(const struct qn_plan *plan)
{
    for (uint32_t k = 0; k < plan->spec->n_then; k++)
        if (plan->spec->then[k].type->invert == NULL)
            return qn_error(QUERN_UNSUPPORTED, "then: %s has no inverse transform",
                            plan->spec->then[k].type->name);
    return QUERN_OK;
}

/* Each block gives back as many columns as it took. */
static quern_status check_widths(const struct qn_plan *plan)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < plan->n_blocks; i++) n += plan->steps[i].n_columns;
    if (n == plan->n_outputs) return QUERN_OK;
    return qn_error(QUERN_UNSUPPORTED,
                    "inverse transform: the model gives %u columns of %llu, which do not tell them",
                    plan->n_outputs, (unsigned long long)n);
}

/* No input column may have two outputs: they could disagree. */
static quern_status check_disjoint(const struct qn_plan *plan, uint8_t *taken)
{
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        for (uint32_t k = 0; k < plan->steps[i].n_columns; k++) {
            uint32_t column = plan->steps[i].columns[k];
            const char *name = plan->schema->columns[column].name;
            if (taken[column]++ == 0) continue;
            return qn_error(QUERN_UNSUPPORTED,
                            "inverse transform: two steps take input column %u%s%s%s", column,
                            name != NULL ? " (\"" : "", name != NULL ? name : "",
                            name != NULL ? "\")" : "");
        }
    return QUERN_OK;
}

static quern_status check_table(const struct quern_model *m, const struct quern_table *table)
{
    if (m->plan->has_raw)
        return qn_error(QUERN_UNSUPPORTED,
                        "inverse transform: string columns pass through, so there is no matrix");
    if (table->n_columns != m->plan->n_outputs)
        return qn_error(QUERN_INVALID, "the table has %u columns; the model gives %u",
                        table->n_columns, m->plan->n_outputs);
    for (uint32_t i = 0; i < table->n_columns; i++) {
        quern_type type = table->columns[i].type;
        if (type == QUERN_STRING || type == QUERN_DATETIME)
            return qn_error(QUERN_INVALID, "column %u is of type %s; the model gives numbers", i,
                            qn_type_name(type));
    }
    return QUERN_OK;
}

static quern_status check(const struct quern_model *m, const struct quern_table *table)
{
    const struct qn_plan *plan = m->plan;
    for (uint32_t i = 0; i < plan->n_blocks; i++) QN_TRY(check_step(&plan->steps[i]));
    QN_TRY(check_then(plan));
    QN_TRY(check_widths(plan));
    QN_TRY(check_table(m, table));
    uint8_t *taken = qn_zalloc(plan->schema->n_columns, sizeof *taken);
    if (taken == NULL) return qn_error_memory_while("inverting a model");
    quern_status status = check_disjoint(plan, taken);
    qn_free(taken);
    return status;
}

/* ---- the chains ---- */

/* Replaces the ports by what they were before the step's estimators. */
static quern_status undo(struct qn_arena *arena, const struct qn_plan_step *step,
                         struct qn_port *ports, uint32_t n)
{
    struct qn_stage stage = {.arena = arena, .in = ports, .n_in = n};
    for (uint32_t k = step->n_apply; n != 0 && k-- > 0;) {
        stage.estimator = &step->apply[k];
        stage.attrs = &step->attrs[k];
        stage.learned = step->learned[k];
        quern_status status = stage.estimator->type->invert(&stage);
        if (status != QUERN_OK) return qn_error_context(status, "%s", step->where);
        stage.in = stage.out;
    }
    for (uint32_t i = 0; i < n && step->n_apply != 0; i++) ports[i] = stage.in[i];
    return QUERN_OK;
}

/* The outputs' ports in the order of the model's output, undone. */
static quern_status undo_all(const struct qn_plan *plan, struct qn_plan *back,
                             struct qn_port *ports)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < plan->n_outputs; i++) QN_TRY(qn_plan_port(back, i, &ports[i]));
    for (uint32_t i = plan->n_blocks; i < plan->n_steps; i++)
        QN_TRY(undo(&back->arena, &plan->steps[i], ports, plan->n_outputs));
    for (uint32_t i = 0; i < plan->n_blocks; i++) {
        QN_TRY(undo(&back->arena, &plan->steps[i], ports + at, plan->steps[i].n_columns));
        at += plan->steps[i].n_columns;
    }
    return QUERN_OK;
}

/* The ports in the order of the model's input. */
static quern_status arrange(const struct qn_plan *plan, struct qn_plan *back,
                            const struct qn_port *ports)
{
    uint32_t n = plan->schema->n_columns, at = 0;
    const struct qn_port **of_column = qn_arena_alloc(&back->arena, n, sizeof *of_column);
    back->outputs = qn_arena_alloc(&back->arena, plan->n_outputs, sizeof *back->outputs);
    if (of_column == NULL || back->outputs == NULL)
        return qn_error_memory_while("inverting a model");
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        for (uint32_t k = 0; k < plan->steps[i].n_columns; k++)
            of_column[plan->steps[i].columns[k]] = &ports[at++];
    for (uint32_t i = 0; i < n; i++)
        if (of_column[i] != NULL) back->outputs[back->n_outputs++] = *of_column[i];
    for (uint32_t i = 0; i < back->n_outputs; i++)
        back->dtype =
            i == 0 ? back->outputs[0].type : qn_result_type(back->dtype, back->outputs[i].type);
    return QUERN_OK;
}

static quern_status fill(const struct quern_model *m, struct quern_model *back)
{
    struct qn_plan *plan = back->plan;
    struct qn_port *ports = qn_arena_alloc(&plan->arena, m->plan->n_outputs, sizeof *ports);
    quern_type *types = qn_arena_alloc(&plan->arena, m->plan->n_outputs, sizeof *types);
    if (ports == NULL || types == NULL) return qn_error_memory_while("inverting a model");
    QN_TRY(undo_all(m->plan, plan, ports));
    QN_TRY(arrange(m->plan, plan, ports));
    struct qn_layer *layer = qn_plan_layer(plan);
    layer->outputs = plan->outputs;
    layer->n_outputs = plan->n_outputs;
    back->dtype = plan->dtype;
    for (uint32_t i = 0; i < plan->n_outputs; i++) types[i] = plan->dtype;
    return qn_program_make(&plan->arena, layer, plan->outputs, plan->n_outputs, types,
                           &back->program);
}

quern_status qn_inverse_make(const struct quern_model *m, const struct quern_table *table,
                             struct quern_model **out)
{
    quern_status status = QUERN_OK;
    *out = NULL;
    QN_TRY(check(m, table));
    struct quern_model *back = qn_zalloc(1, sizeof *back);
    if (back == NULL) return qn_error_memory_while("inverting a model");
    QN_GO(qn_schema_copy(table, &back->schema));
    QN_GO(qn_plan_bare(back->schema, &back->plan));
    QN_GO(fill(m, back));
    *out = back;
    back = NULL;
cleanup:
    qn_model_free(back);
    return status;
}
