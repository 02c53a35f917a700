/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/plan.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/ops/ops.h"

struct qn_layer *qn_plan_layer(struct qn_plan *plan)
{
    return &plan->layers[plan->n_layers - 1];
}

/* ---- what estimators may ask of the plan ---- */

static quern_status add_encoding(void *user, uint32_t source, struct qn_categories *lookup,
                                 const struct qn_chain **out)
{
    struct qn_plan *plan = user;
    struct qn_layer *layer = qn_plan_layer(plan);
    if (layer->n_encodings == layer->room_encodings) {
        uint32_t room = layer->room_encodings ? 2 * layer->room_encodings : 8;
        struct qn_encoding *more = qn_realloc(layer->encodings, room, sizeof *more);
        if (more == NULL) {
            qn_categories_free(lookup);
            return qn_error_memory_while("planning");
        }
        layer->encodings = more;
        layer->room_encodings = room;
    }
    uint64_t codes = (uint64_t)qn_categories_count(lookup) + 2;
    struct qn_encoding *e = &layer->encodings[layer->n_encodings];
    e->source = source;
    e->lookup = lookup;
    e->type = codes <= 256 ? QUERN_UINT8 : codes <= 65536 ? QUERN_UINT16 : QUERN_UINT32;
    *out = qn_chain_source(&plan->arena, layer->n_inputs + layer->n_encodings, QN_W_CODE);
    layer->n_encodings++;
    return *out != NULL ? QUERN_OK : qn_error_memory_while("planning");
}

static quern_status add_norm(void *user, uint32_t kind, uint32_t order, int64_t *out)
{
    struct qn_layer *layer = qn_plan_layer(user);
    if (layer->n_norms == layer->room_norms) {
        uint32_t room = layer->room_norms ? 2 * layer->room_norms : 4;
        struct qn_norm_desc *more = qn_realloc(layer->norms, room, sizeof *more);
        if (more == NULL) return qn_error_memory_while("planning");
        layer->norms = more;
        layer->room_norms = room;
    }
    layer->norms[layer->n_norms] = (struct qn_norm_desc){.kind = kind, .order = order};
    *out = (int64_t)layer->n_norms++;
    return QUERN_OK;
}

static quern_status add_rows(void *user, const struct qn_rows_op *op, const struct qn_port *in)
{
    struct qn_plan_step *step = ((struct qn_plan *)user)->emitting;
    if (step == NULL || step->op != NULL)
        return qn_error(QUERN_INTERNAL, "an operation over rows comes where none is expected");
    step->op = op;
    step->op_in = in;
    return QUERN_OK;
}

static quern_status gram(void *user, const struct qn_gram *request)
{
    return qn_op_gram(((struct qn_plan *)user)->threads, request);
}

static quern_status predict(void *user, const struct qn_prediction *request)
{
    return qn_op_predict(((struct qn_plan *)user)->threads, request);
}

static void warn(void *user, const char *text)
{
    struct qn_plan *plan = user;
    if (plan->warn != NULL) plan->warn(plan->user, text);
}

static void stage_of(struct qn_plan *plan, struct qn_plan_step *step, struct qn_stage *stage)
{
    *stage = (struct qn_stage){
        .arena = &plan->arena,
        .estimator = &step->apply[step->at],
        .attrs = &step->attrs[step->at],
        .learned = step->learned[step->at],
        .in = step->ports,
        .n_in = step->n_ports,
        .found = step->found,
        .rows_in_memory_order = step->rows_order,
        .object = step->object,
        .weighted = plan->weighted,
        .rows = plan->rows,
        .memory = step->memory,
        .supervised = plan->supervised,
        .plan = plan,
        .add_encoding = add_encoding,
        .add_norm = add_norm,
        .add_rows = add_rows,
        .matrix = step->matrix,
        .gram = gram,
        .predict = predict,
        .warn = warn,
    };
}

/* ---- opening ---- */

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

static quern_status make_attrs(struct qn_plan *plan, struct qn_plan_step *step)
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
    return make_attrs(plan, step);
}

static quern_status check_names(const struct qn_plan *plan)
{
    const struct qn_spec *spec = plan->spec;
    if (spec->weight != NULL && qn_table_find(plan->schema, spec->weight) < 0)
        return qn_error(QUERN_INVALID, "weight: the table has no column \"%s\"", spec->weight);
    if (spec->target != NULL && qn_table_find(plan->schema, spec->target) < 0 &&
        plan->schema->has_names && plan->rows != UINT64_MAX)
        return qn_error(QUERN_INVALID, "target: the table has no column \"%s\"", spec->target);
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
    return status;
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
    for (uint32_t i = 0; i < plan->n_steps; i++) qn_free(plan->steps[i].matrix);
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

/* ---- rounds ---- */

/* 1 when a value can be missing although the one that was loaded is not, or the other way round: after
 * fills, functions (the logarithm of -1), and behind encoders. Runs notice missing values where they are loaded. */
static int changes_missing(const struct qn_chain *chain, uint32_t n_inputs)
{
    if (chain->source >= n_inputs || chain->joins) return 1;
    for (uint32_t i = 0; i < chain->n_ops; i++)
        if (chain->ops[i].code == QN_OP_FILL || chain->ops[i].code == QN_OP_VALUE ||
            QN_OP_IS_FUNCTION(chain->ops[i].code))
            return 1;
    return 0;
}

/* 1 when missing values that reach the estimator are an error. */
static int refuses_missing(const struct qn_estimator *e)
{
    double marker;
    if (e->type == &qn_binarizer || e->type == &qn_normalizer ||
        e->type == &qn_polynomial_features || e->type == &qn_k_bins_discretizer)
        return 1;
    if (e->type != &qn_simple_imputer) return 0;
    return !qn_json_number(qn_param(e, "missing_values"), &marker) || marker == marker;
}

/* 1 when the estimator cannot work on these ports inside the present layer. */
static int needs_new_layer(const struct qn_plan *plan, const struct qn_plan_step *step)
{
    const struct qn_estimator_type *type = step->apply[step->at].type;
    uint32_t n_inputs = plan->layers[plan->n_layers - 1].n_inputs;
    int counts_values = type == &qn_one_hot_encoder || type == &qn_ordinal_encoder ||
                        type == &qn_simple_imputer || type == &qn_iterative_imputer;
    if (type == &qn_passthrough) return 0;
    for (uint32_t i = 0; i < step->n_ports; i++) {
        const struct qn_port *p = &step->ports[i];
        if (p->raw) continue;
        if (p->match != QN_MATCH_VALUE) return 1;
        if (p->chain->has_norm && type != &qn_binarizer) return 1;
        if (counts_values && p->chain->source >= n_inputs) return 1; /* values of a code column */
        if (p->chain->joins && (counts_values || type->joins)) return 1;
        if (p->may_nan && refuses_missing(&step->apply[step->at]) &&
            changes_missing(p->chain, n_inputs))
            return 1;
    }
    return 0;
}

/* The dtype of an array that an encoder or an imputer left without columns. */
static quern_status note_empty(struct qn_plan_step *step)
{
    const struct qn_estimator *e = &step->apply[step->at];
    step->emptied = 0;
    if (e->type == &qn_one_hot_encoder) {
        step->emptied = 1;
        return qn_dtype_parse(qn_param_text(e, "dtype"), &step->empty_type);
    }
    for (uint32_t i = 0; i < step->n_ports; i++) {
        const struct qn_port *p = &step->ports[i];
        if (p->raw) continue;
        step->empty_type = step->emptied ? qn_result_type(step->empty_type, p->type) : p->type;
        step->emptied = 1;
    }
    return QUERN_OK;
}

/* scikit-learn keeps what it learned of a float32 array in float32 arrays, of others in float64. */
static quern_type learned_dtype(const struct qn_plan_step *step)
{
    quern_type type = QUERN_FLOAT32;
    for (uint32_t i = 0; i < step->n_ports; i++)
        type = i == 0 ? step->ports[i].type : qn_result_type(type, step->ports[i].type);
    return type == QUERN_FLOAT32 ? QUERN_FLOAT32 : QUERN_FLOAT64;
}

static quern_status emit(struct qn_plan *plan, struct qn_plan_step *step)
{
    struct qn_stage stage;
    step->learned[step->at] = learned_dtype(step);
    stage_of(plan, step, &stage);
    plan->emitting = step;
    quern_status status = stage.estimator->type->emit(&stage);
    plan->emitting = NULL;
    if (status != QUERN_OK) return qn_error_context(status, "%s", step->where);
    if (stage.n_out == 0) QN_TRY(note_empty(step));
    step->ports = stage.out;
    step->n_ports = stage.n_out;
    step->needs = NULL;
    step->found = NULL;
    step->memory = NULL;
    step->at++;
    return QUERN_OK;
}

/* An imputer followed by a scaler: what the scaler needs rides along in the imputer's pass. Weighted
 * moments do not: which weights the missing rows have is not known from theirs. */
static void look_ahead(const struct qn_plan *plan, const struct qn_plan_step *step,
                       struct qn_need *needs)
{
    if (step->apply[step->at].type != &qn_simple_imputer || step->at + 1 >= step->n_apply) return;
    const struct qn_estimator_type *next = step->apply[step->at + 1].type;
    uint32_t flags = 0;
    if (next == &qn_standard_scaler && !plan->weighted) flags = QN_NEED_MOMENTS;
    if (next == &qn_min_max_scaler || next == &qn_max_abs_scaler) flags = QN_NEED_EXTREMES;
    for (uint32_t i = 0; i < step->n_ports; i++)
        if (!step->ports[i].raw) needs[i].flags |= flags;
}

/* Statistics that follow from what is known already need no pass. */
static void use_known(struct qn_plan_step *step)
{
    for (uint32_t i = 0; i < step->n_ports; i++) {
        const struct qn_known *known = step->ports[i].known;
        if (known == NULL) continue;
        if (known->has_moments && (step->needs[i].flags & QN_NEED_MOMENTS)) {
            step->found[i].moments = known->moments;
            step->found[i].count = (uint64_t)known->moments.n;
            step->found[i].has_moments = 1;
            step->needs[i].flags &= ~(uint32_t)QN_NEED_MOMENTS;
        }
        if (known->has_extremes && (step->needs[i].flags & QN_NEED_EXTREMES) &&
            !(step->needs[i].flags & QN_NEED_QUANTILES)) {
            step->found[i].extremes = known->extremes;
            step->found[i].count = known->extremes.count;
            step->found[i].has_extremes = 1;
            step->needs[i].flags &= ~(uint32_t)QN_NEED_EXTREMES;
        }
    }
}

static quern_status ask(struct qn_plan *plan, struct qn_plan_step *step, int *wanted)
{
    struct qn_stage stage;
    stage_of(plan, step, &stage);
    stage.need = qn_arena_alloc(&plan->arena, step->n_ports, sizeof *step->needs);
    if (stage.need == NULL) return qn_error_memory_while("planning");
    quern_status status = stage.estimator->type->need(&stage);
    if (status != QUERN_OK) return qn_error_context(status, "%s", step->where);
    step->needs = stage.need;
    step->memory = stage.memory;
    step->probes = stage.out != NULL ? stage.out : step->ports;
    step->n_probes = stage.n_probes != 0 ? stage.n_probes : step->n_ports;
    step->found = qn_arena_alloc(&plan->arena, step->n_probes, sizeof *step->found);
    if (step->found == NULL) return qn_error_memory_while("planning");
    if (stage.n_probes == 0) {
        look_ahead(plan, step, step->needs);
        use_known(step);
    }
    *wanted = 0;
    for (uint32_t i = 0; i < step->n_probes; i++) *wanted |= step->needs[i].flags != 0;
    return QUERN_OK;
}

/* Learns; *again: the estimator asks for more before it emits. */
static quern_status learn(struct qn_plan *plan, struct qn_plan_step *step, int *again)
{
    struct qn_stage stage;
    for (uint32_t i = 0; i < step->n_probes; i++) step->found[i].rows = plan->rows;
    stage_of(plan, step, &stage);
    quern_status status = stage.estimator->type->learn(&stage);
    qn_free(step->matrix);
    step->matrix = NULL;
    if (status != QUERN_OK) return qn_error_context(status, "%s", step->where);
    step->memory = stage.memory;
    *again = stage.again;
    if (*again) step->needs = NULL;
    return QUERN_OK;
}

/* Proceeds as far as the present layer and the known statistics allow.
 * *blocked: the next estimator needs a new layer. */
static quern_status proceed(struct qn_plan *plan, struct qn_plan_step *step, int attributes_known,
                            int *pending, int *blocked)
{
    if (step->op != NULL) { /* its outputs are columns of the next layer */
        *blocked = 1;
        return QUERN_OK;
    }
    while (step->at < step->n_apply) {
        int wanted = 0, again = 0;
        if (step->n_ports == 0) { /* no columns: nothing to learn, nothing to give */
            if (step->at > 0 && step->n_columns != 0 &&
                step->apply[step->at].type != &qn_passthrough)
                return qn_error(QUERN_INVALID, "%s: no column is left for %s", step->where,
                                step->apply[step->at].type->name);
            step->at++;
            continue;
        }
        if (needs_new_layer(plan, step)) {
            *blocked = 1;
            return QUERN_OK;
        }
        if (!attributes_known) {
            if (step->needs == NULL) QN_TRY(ask(plan, step, &wanted));
            if (wanted) {
                *pending = 1;
                return QUERN_OK;
            }
            QN_TRY(learn(plan, step, &again));
            if (again) continue;
        } else {
            QN_TRY(plan->attributes(plan->attributes_user, plan, step));
        }
        QN_TRY(emit(plan, step));
        if (step->op == NULL) continue;
        *blocked = 1;
        return QUERN_OK;
    }
    return QUERN_OK;
}

quern_status qn_plan_learn(struct qn_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        int again = 0;
        if (step->needs == NULL) continue;
        QN_TRY(learn(plan, step, &again));
        if (!again) QN_TRY(emit(plan, step));
    }
    return QUERN_OK;
}

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
static quern_status new_layer(struct qn_plan *plan)
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

/* ---- joining the blocks ---- */

/* Stored elements of a step's block, as ColumnTransformer counts them: all of a dense one, the ones of
 * a sparse one, whatever scalers do to them afterwards. */
static double stored_elements(const struct qn_plan *plan, const struct qn_plan_step *step)
{
    const struct qn_attr *lost = NULL;
    double stored = 0;
    if (plan->stored != NULL) {
        for (uint32_t i = 0; i < step->n_ports; i++)
            stored += step->ports[i].sparse ? (double)plan->stored[step->ports[i].column]
                                            : (double)plan->rows;
        return stored;
    }
    if (step->n_ports != 0 && step->ports[0].sparse)
        for (uint32_t k = 0; k < step->n_apply; k++)
            if (step->apply[k].type == &qn_one_hot_encoder)
                lost = qn_attrs_find(&step->attrs[k], "n_without_column_");
    if (lost == NULL && step->n_ports != 0 && step->ports[0].sparse && step->n_apply != 0 &&
        step->apply[step->n_apply - 1].type == &qn_k_bins_discretizer) /* one for each column */
        return (double)plan->rows *
               (double)qn_attrs_find(&step->attrs[step->n_apply - 1], "n_bins_")->n;
    if (lost == NULL) return (double)plan->rows * step->n_ports;
    for (uint32_t i = 0; i < lost->n; i++) stored += (double)plan->rows - (double)lost->i64[i];
    return stored;
}

static void decide_sparse(struct qn_plan *plan)
{
    double stored = 0, all = 0;
    int any = 0;
    for (uint32_t i = 0; i < plan->n_blocks; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        stored += stored_elements(plan, step);
        all += (double)plan->rows * step->n_ports;
        for (uint32_t k = 0; k < step->n_ports; k++) any |= step->ports[k].sparse;
    }
    enum qn_sparse wish = plan->spec->sparse;
    double threshold = wish == QN_SPARSE_AUTO  ? plan->spec->sparse_threshold
                       : wish == QN_SPARSE_YES ? 1.0
                                               : 0.0;
    plan->joined_sparse = any && all > 0 && stored / all < threshold;
    plan->decided_sparse = wish == QN_SPARSE_AUTO ? plan->joined_sparse : wish == QN_SPARSE_YES;
}

static quern_status prefix_names(struct qn_plan *plan, struct qn_plan_step *step)
{
    if (step->name == NULL) return QUERN_OK;
    for (uint32_t i = 0; i < step->n_ports; i++) {
        step->ports[i].name =
            qn_arena_printf(&plan->arena, "%s__%s", step->name, step->ports[i].name);
        if (step->ports[i].name == NULL) return qn_error_memory_while("planning");
    }
    return QUERN_OK;
}

/* All blocks' ports in one list, and the dtype that NumPy would give the joined array. */
static quern_status join(struct qn_plan *plan)
{
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < plan->n_blocks; i++) {
        QN_TRY(prefix_names(plan, &plan->steps[i]));
        n += plan->steps[i].n_ports;
    }
    plan->outputs = qn_arena_alloc(&plan->arena, n, sizeof *plan->outputs);
    if (plan->outputs == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        for (uint32_t k = 0; k < plan->steps[i].n_ports; k++)
            plan->outputs[at++] = plan->steps[i].ports[k];
    plan->n_outputs = at;
    plan->dtype = QUERN_FLOAT64;
    for (uint32_t i = 0; i < at; i++) {
        const struct qn_port *p = &plan->outputs[i];
        plan->has_raw |= p->raw;
        /* a bool column with missing cells is an object array there; here it is float64 */
        plan->dtype = i == 0 ? p->type : qn_result_type(plan->dtype, p->type);
    }
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        if (plan->steps[i].n_ports == 0 && plan->steps[i].emptied)
            plan->dtype = qn_result_type(plan->dtype, plan->steps[i].empty_type);
    return QUERN_OK;
}

static quern_status open_then(struct qn_plan *plan)
{
    struct qn_plan_step *step = &plan->steps[plan->n_blocks];
    int c_order = 0;
    step->where = "then";
    if (plan->schema->is_sparse && !plan->decided_sparse)
        return qn_error(QUERN_UNSUPPORTED, "then: the joined output of the sparse table is dense; "
                                           "set output.sparse to true");
    step->apply = plan->spec->then;
    step->n_apply = plan->spec->n_then;
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        struct qn_port *p = &plan->outputs[i];
        if (p->raw)
            return qn_error(QUERN_UNSUPPORTED, "then: column \"%s\" is of type %s", p->name,
                            qn_type_name(p->type));
        c_order |= p->match != QN_MATCH_VALUE;
        p->sparse = plan->joined_sparse;
        p->type = plan->dtype; /* one array: values take the joined dtype as they are used */
    }
    step->rows_order = c_order ? (int)QN_ORDER_ROWS : (int)QN_ORDER_COLUMNS;
    step->ports = plan->outputs;
    step->n_ports = plan->n_outputs;
    QN_TRY(make_attrs(plan, step));
    plan->n_steps = plan->n_blocks + 1;
    /* the blocks are done; only `then` has ports from here on */
    for (uint32_t i = 0; i < plan->n_blocks; i++) plan->steps[i].n_ports = 0;
    return QUERN_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct qn_port *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static quern_status check_output_names(const struct qn_plan *plan)
{
    const struct qn_port **sorted = qn_alloc(plan->n_outputs, sizeof *sorted);
    quern_status status = QUERN_OK;
    if (sorted == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_outputs; i++) sorted[i] = &plan->outputs[i];
    qsort(sorted, plan->n_outputs, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < plan->n_outputs && status == QUERN_OK; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            status = qn_error(QUERN_INVALID,
                              "two output columns are called \"%s\"; give the steps a \"name\", "
                              "which becomes a prefix",
                              sorted[i]->name);
    qn_free(sorted);
    return status;
}

static quern_status finish(struct qn_plan *plan)
{
    uint32_t n = 0;
    if (plan->n_steps > plan->n_blocks) {
        struct qn_plan_step *then = &plan->steps[plan->n_blocks];
        plan->outputs = then->ports;
        plan->n_outputs = then->n_ports;
        for (uint32_t i = 0; i < plan->n_outputs; i++)
            plan->dtype =
                i == 0 ? plan->outputs[0].type : qn_result_type(plan->dtype, plan->outputs[i].type);
    }
    if (plan->n_outputs == 0)
        return qn_error(QUERN_INVALID, "the pipeline gives no column: its steps select none");
    QN_TRY(check_output_names(plan));
    struct qn_layer *layer = qn_plan_layer(plan);
    struct qn_port *numbers = qn_arena_alloc(&plan->arena, plan->n_outputs, sizeof *numbers);
    if (numbers == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        if (!plan->outputs[i].raw) numbers[n++] = plan->outputs[i];
    layer->outputs = numbers;
    layer->n_outputs = n;
    return QUERN_OK;
}

quern_status qn_plan_round(struct qn_plan *plan, int attributes_known, int *pending)
{
    for (;;) {
        int blocked = 0, done = 1;
        *pending = 0;
        uint32_t from = plan->n_steps > plan->n_blocks ? plan->n_blocks : 0;
        for (uint32_t i = from; i < plan->n_steps; i++) {
            QN_TRY(proceed(plan, &plan->steps[i], attributes_known, pending, &blocked));
            done &= plan->steps[i].at >= plan->steps[i].n_apply;
        }
        if (*pending) return QUERN_OK;
        if (blocked) {
            QN_TRY(new_layer(plan));
            continue;
        }
        if (!done) return qn_error(QUERN_INTERNAL, "the plan does not proceed");
        if (from == 0 && plan->n_steps == plan->n_blocks) {
            if (!attributes_known) decide_sparse(plan);
            QN_TRY(join(plan));
            if (plan->spec->n_then != 0) {
                QN_TRY(open_then(plan));
                continue;
            }
        }
        return finish(plan);
    }
}
