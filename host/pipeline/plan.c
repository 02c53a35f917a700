/* SPDX-License-Identifier: Apache-2.0
 * Rounds: every step proceeds until it wants statistics, or a layer of its own. */
#include "host/core/checked.h"
#include "host/ops/ops.h"
#include "host/pipeline/plan_inside.h"
#include "host/pipeline/plan_passes.h"

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

static quern_status information(void *user, const struct qn_information *request)
{
    return qn_op_information(((struct qn_plan *)user)->threads, request);
}

static void warn(void *user, const char *text)
{
    struct qn_plan *plan = user;
    if (plan->warn != NULL) plan->warn(plan->user, text);
}

static quern_status go_on(void *user)
{
    const struct qn_plan *plan = user;
    return plan->go_on != NULL ? plan->go_on(plan->context) : QUERN_OK;
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
        .draw = step->draw,
        .sparse = plan->schema->is_sparse,
        .memory = step->memory,
        .supervised = plan->supervised,
        .plan = plan,
        .add_encoding = add_encoding,
        .add_norm = add_norm,
        .add_rows = add_rows,
        .source = step->source,
        .weights = step->weights,
        .codes = step->codes,
        .n_classes = step->n_classes,
        .numbers = step->numbers,
        .workers = plan->threads != NULL ? qn_threads_size(plan->threads) : 1,
        .gram = gram,
        .predict = predict,
        .information = information,
        .warn = warn,
        .go_on = go_on,
    };
}

/* ---- rounds ---- */

/* 1 when a value can be missing although the one that was loaded is not, or the other way round: after
 * fills, functions (the logarithm of -1), and behind encoders. Runs notice missing values where they are loaded. */
static int changes_missing(const struct qn_chain *chain, uint32_t n_inputs)
{
    if (chain->source >= n_inputs || chain->joins || chain->computed) return 1;
    for (uint32_t i = 0; i < chain->n_ops; i++)
        if (chain->ops[i].code == QN_OP_FILL || chain->ops[i].code == QN_OP_VALUE ||
            QN_OP_IS_FUNCTION(chain->ops[i].code))
            return 1;
    return 0;
}

static int has_find(const struct qn_chain *chain)
{
    for (uint32_t i = 0; i < chain->n_ops; i++)
        if (chain->ops[i].code == QN_OP_FIND) return 1;
    return 0;
}

/* 1 when the estimator cannot work on these ports inside the present layer. */
static int needs_new_layer(const struct qn_plan *plan, const struct qn_plan_step *step)
{
    const struct qn_estimator *e = &step->apply[step->at];
    const struct qn_estimator_type *type = e->type;
    uint32_t n_inputs = plan->layers[plan->n_layers - 1].n_inputs;
    int counts = (type->traits & QN_TRAIT_COUNTS) != 0;
    int refuses = type->refuses_missing != NULL && type->refuses_missing(e);
    if (type == &qn_passthrough) return 0;
    for (uint32_t i = 0; i < step->n_ports; i++) {
        const struct qn_port *p = &step->ports[i];
        if (p->raw) continue;
        if (p->match != QN_MATCH_VALUE) return 1;
        if (p->chain->has_norm && !(type->traits & QN_TRAIT_AFTER_NORM)) return 1;
        if (p->chain->joins && type == &qn_normalizer) return 1; /* no chain does both */
        if (counts && p->chain->source >= n_inputs) return 1;    /* values of a code column */
        if (p->chain->joins && (counts || type->joins || p->sparse)) return 1;
        if (p->constant) return 1;
        if ((type->traits & QN_TRAIT_FINDS) && has_find(p->chain)) return 1;
        if (p->may_nan && refuses && changes_missing(p->chain, n_inputs)) return 1;
    }
    return 0;
}

/* Estimators refuse infinities, except those that take any value. What expressions made of finite numbers is
 * looked at where such a one begins. */
static quern_status look(struct qn_plan *plan, struct qn_plan_step *step)
{
    const struct qn_estimator_type *type = step->apply[step->at].type;
    if (type == &qn_passthrough || type == &qn_function_transformer) return QUERN_OK;
    for (uint32_t i = 0; i < step->n_ports; i++) {
        struct qn_port *p = &step->ports[i];
        if (p->raw || !p->chain->unseen || p->chain->work > QN_W_F64) continue;
        const struct qn_chain *seen =
            qn_chain_add(&plan->arena, p->chain, QN_OP_LOOK, 0, 0, p->chain->work);
        struct qn_chain *own = seen != NULL ? qn_chain_copy(&plan->arena, seen) : NULL;
        if (own == NULL) return qn_error_memory_while("planning");
        own->unseen = 0;
        own->looker = type->name;
        p->chain = own;
    }
    return QUERN_OK;
}

/* The dtype of an array that an encoder or an imputer left without columns: what it was told, or its
 * input's. */
static quern_status note_empty(struct qn_plan_step *step)
{
    const struct qn_estimator *e = &step->apply[step->at];
    step->emptied = 0;
    for (uint32_t i = 0; i < e->type->n_params; i++) {
        if (e->type->params[i].kind != QN_PARAM_DTYPE) continue;
        step->emptied = 1;
        return qn_dtype_parse(qn_param_text(e, e->type->params[i].name), &step->empty_type);
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

/* The error with its place before it: the step, and the file that tells of it. */
static quern_status in_step(const struct qn_plan *plan, const struct qn_plan_step *step,
                            quern_status status)
{
    status = qn_error_context(status, "%s", step->where);
    return plan->spec->file != NULL ? qn_error_context(status, "%s", plan->spec->file) : status;
}

static quern_status emit(struct qn_plan *plan, struct qn_plan_step *step)
{
    struct qn_stage stage;
    step->learned[step->at] = learned_dtype(step);
    stage_of(plan, step, &stage);
    plan->emitting = step;
    quern_status status = stage.estimator->type->emit(&stage);
    plan->emitting = NULL;
    if (status != QUERN_OK) return in_step(plan, step, status);
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
 * moments do not, nor plain ones in their place: which weights the missing rows have is not known. */
static void look_ahead(const struct qn_plan *plan, const struct qn_plan_step *step,
                       struct qn_need *needs)
{
    if (!step->apply[step->at].type->tells_known || step->at + 1 >= step->n_apply) return;
    uint32_t flags = step->apply[step->at + 1].type->ahead;
    if (plan->weighted) flags &= ~(uint32_t)QN_NEED_MOMENTS;
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
    if (status != QUERN_OK) return in_step(plan, step, status);
    step->needs = stage.need;
    step->draw = stage.draw;
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
    if (status != QUERN_OK) return in_step(plan, step, status);
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
                return in_step(plan, step,
                               qn_error(QUERN_INVALID, "no column is left for %s",
                                        step->apply[step->at].type->name));
            step->at++;
            continue;
        }
        if (needs_new_layer(plan, step)) {
            *blocked = 1;
            return QUERN_OK;
        }
        QN_TRY(look(plan, step));
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
    QN_TRY(qn_plan_note_passes(plan));
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        int again = 0;
        if (step->needs == NULL) continue;
        QN_TRY(learn(plan, step, &again));
        if (!again) QN_TRY(emit(plan, step));
    }
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
            QN_TRY(qn_plan_new_layer(plan));
            continue;
        }
        if (!done) return qn_error(QUERN_INTERNAL, "the plan does not proceed");
        if (from == 0 && plan->n_steps == plan->n_blocks) {
            if (!attributes_known) qn_plan_decide_sparse(plan);
            QN_TRY(qn_plan_join(plan));
            if (plan->spec->n_then != 0) {
                QN_TRY(qn_plan_open_then(plan));
                continue;
            }
        }
        return qn_plan_finish(plan);
    }
}
