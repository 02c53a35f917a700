/* SPDX-License-Identifier: Apache-2.0
 * The border between two layers: what one gives becomes columns of the next. */
#include "host/pipeline/plan_inside.h"

#include <string.h>

#include "host/core/checked.h"

/* What a new layer is made of: the old one's outputs, then what operations over rows make of them. */
struct border {
    struct qn_port *outputs;
    quern_type *types;
    struct qn_layer_rows *rows;
    uint32_t packed, inputs, n_rows;
};

static quern_status open_border(struct qn_plan *plan, struct border *b)
{
    uint32_t n = 0, n_rows = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        n += step->n_ports;
        if (step->op == NULL) continue;
        n += step->op->n_in;
        n_rows++;
    }
    b->outputs = qn_arena_alloc(&plan->arena, n, sizeof *b->outputs);
    b->types = qn_arena_alloc(&plan->arena, n, sizeof *b->types);
    b->rows = qn_arena_alloc(&plan->arena, n_rows, sizeof *b->rows);
    return b->outputs != NULL && b->types != NULL && b->rows != NULL
               ? QUERN_OK
               : qn_error_memory_while("planning");
}

/* The port's chain begins anew, at an input of the new layer. */
static quern_status restart(struct qn_plan *plan, struct qn_port *port, uint32_t input,
                            quern_type type)
{
    uint32_t work = type == QUERN_BOOL ? QN_W_F64 : qn_work_of(type);
    port->match = QN_MATCH_VALUE;
    port->constant = 0;
    port->chain = qn_chain_source(&plan->arena, input, work);
    return port->chain != NULL ? QUERN_OK : qn_error_memory_while("planning");
}

static quern_status pack_step(struct qn_plan *plan, struct qn_plan_step *step, struct border *b)
{
    struct qn_port *ports = qn_arena_alloc(&plan->arena, step->n_ports, sizeof *ports);
    if (ports == NULL) return qn_error_memory_while("planning");
    for (uint32_t k = 0; k < step->n_ports; k++) {
        ports[k] = step->ports[k];
        if (ports[k].raw || ports[k].chain == NULL) continue;
        uint32_t at = b->packed++;
        b->outputs[at] = step->ports[k];
        b->types[at] = step->ports[k].type;
        int wide = ports[k].may_nan && !qn_type_is_float(b->types[at]) &&
                   (b->types[at] == QUERN_BOOL || ports[k].chain->work == QN_W_F64);
        if (wide)
            b->outputs[at].type = b->types[at] = QUERN_FLOAT64; /* a missing one stays missing */
        QN_TRY(restart(plan, &ports[k], at, b->types[at]));
    }
    step->ports = ports;
    if (step->op == NULL) return QUERN_OK;
    b->rows[b->n_rows++] = (struct qn_layer_rows){.op = step->op, .first_in = b->packed};
    for (uint32_t k = 0; k < step->op->n_in; k++) {
        b->outputs[b->packed] = step->op_in[k];
        b->types[b->packed++] = step->op_in[k].type;
    }
    return QUERN_OK;
}

/* What the operations make follows all that is packed. */
static quern_status place_rows(struct qn_plan *plan, struct border *b)
{
    uint32_t n_rows = 0;
    b->inputs = b->packed;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        if (step->op == NULL) continue;
        b->rows[n_rows++].first_out = b->inputs;
        for (uint32_t k = 0; k < step->n_ports; k++) {
            if (step->ports[k].raw || step->ports[k].chain != NULL) continue;
            b->types[b->inputs] = step->ports[k].type;
            QN_TRY(restart(plan, &step->ports[k], b->inputs, step->ports[k].type));
            b->inputs++;
        }
        step->op = NULL;
    }
    return QUERN_OK;
}

/* Ends the layer: every number port becomes a packed column of its type, the input of the next. */
quern_status qn_plan_new_layer(struct qn_plan *plan)
{
    struct border b = {0};
    QN_TRY(open_border(plan, &b));
    for (uint32_t i = 0; i < plan->n_steps; i++) QN_TRY(pack_step(plan, &plan->steps[i], &b));
    QN_TRY(place_rows(plan, &b));
    struct qn_layer *old = qn_plan_layer(plan);
    old->outputs = b.outputs;
    old->n_outputs = b.packed;
    if (plan->n_layers == plan->room_layers) {
        struct qn_layer *more =
            qn_realloc(plan->layers, (size_t)plan->room_layers * 2, sizeof *more);
        if (more == NULL) return qn_error_memory_while("planning");
        memset(more + plan->room_layers, 0, plan->room_layers * sizeof *more);
        plan->layers = more;
        plan->room_layers *= 2;
    }
    plan->n_layers++;
    struct qn_layer *layer = qn_plan_layer(plan);
    layer->n_inputs = b.inputs;
    layer->input_types = b.types;
    layer->rows = b.rows;
    layer->n_rows = b.n_rows;
    return QUERN_OK;
}
