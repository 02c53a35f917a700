/* SPDX-License-Identifier: Apache-2.0
 * Opening a plan: the steps of a spec, their columns and ports. */
#include "host/pipeline/plan_inside.h"

#include <string.h>

#include "host/core/checked.h"

static quern_status first_layer(struct qn_plan *plan)
{
    uint32_t n = plan->schema->n_columns;
    quern_type *types = qn_arena_alloc(&plan->arena, n, sizeof *types);
    plan->layers = qn_zalloc(4, sizeof *plan->layers);
    plan->used = qn_arena_alloc(&plan->arena, n, 1);
    if (types == NULL || plan->layers == NULL || plan->used == NULL)
        return qn_error_memory_while("planning");
    plan->room_layers = 4;
    plan->n_layers = 1;
    for (uint32_t i = 0; i < n; i++) types[i] = plan->schema->columns[i].type;
    plan->layers[0].n_inputs = n;
    plan->layers[0].input_types = types;
    return QUERN_OK;
}

quern_status qn_plan_port(struct qn_plan *plan, uint32_t column, struct qn_port *port)
{
    const quern_column *c = &plan->schema->columns[column];
    *port = (struct qn_port){.type = c->type,
                             .source = column,
                             .column = column,
                             .sparse = plan->schema->is_sparse,
                             .match = QN_MATCH_VALUE,
                             .raw = c->type == QUERN_STRING || c->type == QUERN_DATETIME,
                             .may_nan = !qn_type_is_integer(c->type)};
    port->name = qn_table_name(&plan->arena, plan->schema, column);
    if (port->name == NULL) return qn_error_memory_while("planning");
    plan->used[column] = 1;
    if (port->raw) return QUERN_OK;
    /* bool columns with missing cells need a NaN, so they are loaded as doubles */
    uint32_t work = c->type == QUERN_BOOL ? QN_W_F64 : qn_work_of(c->type);
    port->chain = qn_chain_source(&plan->arena, column, work);
    return port->chain != NULL ? QUERN_OK : qn_error_memory_while("planning");
}

static quern_status make_ports(struct qn_plan *plan, struct qn_plan_step *step)
{
    step->ports = qn_arena_alloc(&plan->arena, step->n_columns, sizeof *step->ports);
    if (step->ports == NULL) return qn_error_memory_while("planning");
    step->n_ports = step->n_columns;
    for (uint32_t i = 0; i < step->n_columns; i++) {
        QN_TRY(qn_plan_port(plan, step->columns[i], &step->ports[i]));
        step->object |= step->ports[i].type == QUERN_STRING;
    }
    return QUERN_OK;
}

quern_status qn_plan_make_attrs(struct qn_plan *plan, struct qn_plan_step *step)
{
    step->attrs = qn_arena_alloc(&plan->arena, step->n_apply, sizeof *step->attrs);
    step->learned = qn_arena_alloc(&plan->arena, step->n_apply, sizeof *step->learned);
    if (step->attrs == NULL || step->learned == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < step->n_apply; i++) step->attrs[i].arena = &plan->arena;
    return QUERN_OK;
}

/* The remainder: columns that no step takes and that are neither target nor weight. */
static quern_status make_remainder(struct qn_plan *plan, struct qn_plan_step *step)
{
    uint32_t n = plan->schema->n_columns;
    const char *target = plan->spec->target, *weight = plan->spec->weight;
    step->where = "remainder";
    step->columns = qn_arena_alloc(&plan->arena, n, sizeof *step->columns);
    if (step->columns == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < n; i++) {
        if (plan->used[i]) continue;
        if (target != NULL && qn_table_find(plan->schema, target) == (int64_t)i) continue;
        if (weight != NULL && qn_table_find(plan->schema, weight) == (int64_t)i) continue;
        step->columns[step->n_columns++] = i;
    }
    return make_ports(plan, step);
}

static quern_status open_step(struct qn_plan *plan, const struct qn_spec_step *from,
                              struct qn_plan_step *step)
{
    uint32_t *columns;
    step->name = from->name;
    step->where = from->where;
    step->apply = from->apply;
    step->n_apply = from->n_apply;
    QN_TRY(qn_select_columns(&from->select, from->where, plan->schema, plan->spec->target,
                             plan->spec->weight, &columns, &step->n_columns));
    step->columns = qn_arena_alloc(&plan->arena, step->n_columns, sizeof *step->columns);
    if (step->columns != NULL)
        memcpy(step->columns, columns, step->n_columns * sizeof *step->columns);
    qn_free(columns);
    if (step->columns == NULL) return qn_error_memory_while("planning");
    /* A slice of C-ordered rows stays C-ordered; a list of columns lays them one after another. */
    step->rows_order = plan->schema->is_matrix && from->select.kind == QN_SELECT_ALL
                           ? (int)QN_ORDER_ROWS
                           : (int)QN_ORDER_COLUMNS;
    QN_TRY(make_ports(plan, step));
    return qn_plan_make_attrs(plan, step);
}

static quern_status check_names(const struct qn_plan *plan)
{
    const struct qn_spec *spec = plan->spec;
    if (spec->weight != NULL && qn_table_find(plan->schema, spec->weight) < 0)
        return qn_table_lacks(plan->schema, "weight", spec->weight);
    if (spec->target != NULL && qn_table_find(plan->schema, spec->target) < 0 &&
        plan->schema->has_names && plan->rows != UINT64_MAX)
        return qn_table_lacks(plan->schema, "target", spec->target);
    return QUERN_OK;
}

quern_status qn_plan_open(const struct qn_spec *spec, struct quern_table *schema,
                          struct qn_plan **out)
{
    quern_status status = QUERN_OK;
    *out = NULL;
    struct qn_plan *plan = qn_zalloc(1, sizeof *plan);
    if (plan == NULL) return qn_error_memory("plan", sizeof *plan);
    plan->spec = spec;
    plan->schema = schema;
    QN_GO(check_names(plan));
    QN_GO(first_layer(plan));
    plan->steps = qn_arena_alloc(&plan->arena, (size_t)spec->n_steps + 2, sizeof *plan->steps);
    if (plan->steps == NULL) {
        status = qn_error_memory_while("planning");
        goto cleanup;
    }
    for (uint32_t i = 0; i < spec->n_steps; i++)
        QN_GO(open_step(plan, &spec->steps[i], &plan->steps[i]));
    plan->n_blocks = spec->n_steps;
    if (spec->passthrough_remainder) QN_GO(make_remainder(plan, &plan->steps[plan->n_blocks++]));
    plan->n_steps = plan->n_blocks;
    *out = plan;
    return QUERN_OK;
cleanup:
    qn_plan_close(plan);
    return spec->file != NULL ? qn_error_context(status, "%s", spec->file) : status;
}

/* The attributes live in the other plan's arena. */
static quern_status copy_attributes(void *user, struct qn_plan *plan, struct qn_plan_step *step)
{
    const struct qn_plan *learned = user;
    const struct qn_attrs *from = &learned->steps[step - plan->steps].attrs[step->at];
    step->attrs[step->at].first = from->first;
    step->attrs[step->at].last = from->last;
    return QUERN_OK;
}

quern_status qn_plan_again(const struct qn_plan *learned, struct quern_table *schema,
                           int decided_sparse, struct qn_plan **out)
{
    struct qn_plan *plan, *from = (struct qn_plan *)(uintptr_t)learned;
    int pending;
    QN_TRY(qn_plan_open(learned->spec, schema, out));
    plan = *out;
    plan->rows = UINT64_MAX; /* not known, not needed */
    plan->decided_sparse = decided_sparse;
    plan->attributes = copy_attributes;
    plan->attributes_user = from;
    quern_status status = qn_plan_round(plan, 1, &pending);
    plan->attributes = NULL;
    if (status == QUERN_OK) return QUERN_OK;
    qn_plan_close(plan);
    *out = NULL;
    return status;
}

quern_status qn_plan_bare(struct quern_table *schema, struct qn_plan **out)
{
    *out = NULL;
    struct qn_plan *plan = qn_zalloc(1, sizeof *plan);
    if (plan == NULL) return qn_error_memory("plan", sizeof *plan);
    plan->schema = schema;
    quern_status status = first_layer(plan);
    if (status != QUERN_OK) {
        qn_plan_close(plan);
        return status;
    }
    *out = plan;
    return QUERN_OK;
}

void qn_plan_close(struct qn_plan *plan)
{
    if (plan == NULL) return;
    for (uint32_t i = 0; i < plan->n_layers; i++) {
        struct qn_layer *layer = &plan->layers[i];
        for (uint32_t k = 0; k < layer->n_encodings; k++)
            qn_categories_free(layer->encodings[k].lookup);
        qn_free(layer->encodings);
        qn_free(layer->norms);
    }
    qn_free(plan->layers);
    qn_arena_free(&plan->arena);
    qn_free(plan);
}
