/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/fit.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/core/fp.h"
#include "host/pipeline/plan_passes.h"
#include "host/pipeline/sparse.h"

/* ---- schema ---- */

struct schema_memory {
    struct qn_arena arena;
};

static void schema_release(void *owner)
{
    struct schema_memory *m = owner;
    qn_arena_free(&m->arena);
    qn_free(m);
}

static int has_nulls(const quern_column *c, uint64_t rows)
{
    if (c->validity == NULL) return 0;
    for (uint64_t r = 0; r < rows; r++)
        if (!qn_column_valid(c, r)) return 1;
    return 0;
}

quern_status qn_schema_copy(const struct quern_table *from, struct quern_table **out)
{
    *out = NULL;
    struct quern_table *t = qn_zalloc(1, sizeof *t);
    struct schema_memory *m = qn_zalloc(1, sizeof *m);
    quern_column *columns = qn_zalloc(from->n_columns, sizeof *columns);
    if (t == NULL || m == NULL || columns == NULL) {
        qn_free(t);
        qn_free(m);
        qn_free(columns);
        return qn_error_memory_while("fitting");
    }
    *t = (struct quern_table){.n_columns = from->n_columns,
                              .columns = columns,
                              .has_names = from->has_names,
                              .is_matrix = from->is_matrix || from->is_sparse,
                              .is_sparse = from->is_sparse,
                              .owner = m,
                              .release = schema_release};
    for (uint32_t i = 0; i < from->n_columns; i++) {
        const quern_column *c = &from->columns[i];
        columns[i].type = c->type;
        /* integers with missing cells are float64, as pandas has them */
        if (qn_type_is_integer(c->type) && has_nulls(c, from->rows))
            columns[i].type = QUERN_FLOAT64;
        if (c->name == NULL) continue;
        columns[i].name = qn_arena_strdup(&m->arena, c->name);
        if (columns[i].name == NULL) {
            qn_table_free(t);
            return qn_error_memory_while("fitting");
        }
    }
    *out = t;
    return QUERN_OK;
}

/* ---- model ---- */

void qn_model_free(struct quern_model *model)
{
    if (model == NULL) return;
    qn_plan_close(model->plan);
    qn_plan_close(model->learned);
    qn_table_free(model->schema);
    qn_spec_free(model->spec);
    qn_free(model);
}

/* Truth values that may be missing have no place in a matrix of truth values or integers: a missing one is
 * an error there. Beside text they are written as doubles, which the sink turns back. */
static quern_status finish_bools(struct quern_model *model, quern_type *types)
{
    struct qn_layer *layer = qn_plan_layer(model->plan);
    struct qn_port *ports = qn_arena_alloc(&model->plan->arena, layer->n_outputs, sizeof *ports);
    if (ports == NULL) return qn_error_memory_while("fitting");
    for (uint32_t i = 0; i < layer->n_outputs; i++) {
        struct qn_port *port = &ports[i];
        *port = layer->outputs[i];
        if (port->type != QUERN_BOOL || !port->may_nan || qn_type_is_float(types[i])) continue;
        if (model->dtype == QUERN_STRING) {
            types[i] = QUERN_FLOAT64;
            continue;
        }
        struct qn_chain *chain = qn_chain_copy(&model->plan->arena, port->chain);
        if (chain == NULL) return qn_error_memory_while("fitting");
        if (!chain->refuse_nan) chain->blame = "an output of truth values or integers";
        chain->refuse_nan = 1;
        port->chain = chain;
    }
    layer->outputs = ports;
    return QUERN_OK;
}

quern_status qn_model_finish(struct quern_model *model)
{
    struct qn_plan *plan = model->plan;
    struct qn_layer *layer = qn_plan_layer(plan);
    model->dtype = plan->dtype;
    if (plan->has_raw) model->dtype = QUERN_STRING;
    if (model->spec->has_dtype) {
        if (plan->has_raw)
            return qn_error(QUERN_INVALID,
                            "output.dtype: string columns pass through and have no number type");
        model->dtype = model->spec->dtype;
    }
    quern_type *types = qn_arena_alloc(&plan->arena, layer->n_outputs, sizeof *types);
    if (types == NULL) return qn_error_memory_while("fitting");
    for (uint32_t i = 0; i < layer->n_outputs; i++)
        types[i] = model->dtype == QUERN_STRING ? layer->outputs[i].type : model->dtype;
    QN_TRY(finish_bools(model, types));
    return qn_program_make(&plan->arena, layer, layer->outputs, layer->n_outputs, types,
                           &model->program);
}

/* What was learned of a sparse table serves any; the model's own program is the one for dense rows, as
 * that of a loaded model is. */
static quern_status forget_sparse(struct quern_model *model)
{
    model->learned = model->plan;
    model->plan = NULL;
    model->schema->is_sparse = 0;
    QN_TRY(qn_plan_again(model->learned, model->schema, model->sparse, &model->plan));
    qn_plan_share_passes(model->learned, model->plan);
    return QUERN_OK;
}

static void keep_warning(void *user, const char *text)
{
    struct quern_model *model = user;
    for (uint32_t i = 0; i < model->n_warnings; i++)
        if (strcmp(model->warnings[i], text) == 0) return;
    const char **more =
        qn_arena_alloc(&model->plan->arena, (size_t)model->n_warnings + 1, sizeof *more);
    if (more == NULL) return; /* a lost warning is better than a lost fit */
    if (model->n_warnings != 0) memcpy(more, model->warnings, model->n_warnings * sizeof *more);
    more[model->n_warnings++] = text;
    model->warnings = more;
}

/* ---- fit ---- */

void qn_fit_rest_free(struct quern_context *cx, struct qn_fit_rest *rest)
{
    struct qn_exec x = {.cx = cx, .device = cx->device};
    if (rest->has_frame) qn_frame_free(&x, &rest->frame);
    for (uint32_t i = 0; rest->raw != NULL && i < rest->n_raw; i++) {
        qn_free(rest->raw[i].codes);
        qn_categories_free(rest->raw[i].set);
    }
    qn_free(rest->raw);
    memset(rest, 0, sizeof *rest);
}

static void close_state(struct qn_fit_state *s)
{
    if (s->has_later) qn_frame_free(&s->x, &s->later);
    /* the sets that `raw` points to are needed as long as its codes are */
    for (uint32_t i = 0; s->sets != NULL && i < s->n_columns; i++)
        if (s->rest->raw == NULL || s->rest->raw[i].set != s->sets[i])
            qn_categories_free(s->sets[i]);
    for (uint32_t i = 0; i < s->n_derived; i++) qn_categories_free(s->derived[i]);
    qn_free(s->sets);
    qn_free(s->derived);
    qn_labels_free(&s->labels);
    qn_free(s->codes);
    qn_free(s->numbers);
    qn_free(s->weights);
    if (s->rest == &s->own) qn_fit_rest_free(s->x.cx, &s->own);
}

quern_status qn_fit_frame(struct qn_fit_state *s, const struct quern_table *table,
                          uint64_t first_row, struct qn_frame **out, struct qn_frame *scratch)
{
    uint32_t layer = s->plan->n_layers - 1;
    struct qn_fit_rest *rest = s->rest;
    memset(scratch, 0, sizeof *scratch);
    if (!s->whole) {
        *out = scratch;
        return qn_frame_make(&s->x, table, first_row, layer, 0, scratch);
    }
    if (!rest->has_frame) {
        QN_TRY(qn_frame_first(&s->x, table, 0, 0, &rest->frame));
        rest->has_frame = 1;
    }
    *out = &rest->frame;
    if (layer == 0) return qn_frame_extend(&s->x, table, 0, &rest->frame);
    if (s->has_later && s->later_layer == layer) {
        *out = &s->later;
        return qn_frame_extend(&s->x, table, layer, &s->later);
    }
    struct qn_frame at = rest->frame;
    uint32_t from = 0;
    if (s->has_later) {
        at = s->later;
        from = s->later_layer;
        s->has_later = 0;
    } else {
        QN_TRY(qn_frame_extend(&s->x, table, 0, &rest->frame));
        at = rest->frame;
    }
    for (uint32_t k = from + 1; k <= layer; k++) {
        struct qn_frame next;
        quern_status status = qn_frame_next(&s->x, table, &at, k, &next);
        if (k > 1) qn_frame_free(&s->x, &at);
        QN_TRY(status);
        at = next;
    }
    s->later = at;
    s->later_layer = layer;
    s->has_later = 1;
    *out = &s->later;
    return QUERN_OK;
}

static quern_status open_state(struct qn_fit_state *s)
{
    s->n_columns = s->plan->schema->n_columns;
    s->sets = qn_zalloc(s->n_columns, sizeof(struct qn_categories *));
    if (s->sets == NULL) return qn_error_memory_while("fitting");
    if (!s->whole) return QUERN_OK;
    s->rest->n_raw = s->n_columns;
    s->rest->raw = qn_zalloc(s->n_columns, sizeof *s->rest->raw);
    if (s->rest->raw == NULL) return qn_error_memory_while("fitting");
    s->x.raw = s->rest->raw;
    return QUERN_OK;
}

/* An unfitted model; takes the spec, also on failure. */
static quern_status open_model(struct qn_spec *spec, const struct quern_table *schema,
                               uint64_t rows, int weighted, struct quern_model **out)
{
    quern_status status = QUERN_OK;
    struct quern_model *model = qn_zalloc(1, sizeof *model);
    *out = NULL;
    if (model == NULL) {
        qn_spec_free(spec);
        return qn_error_memory_while("fitting");
    }
    model->spec = spec;
    if (rows == 0)
        QN_GO(qn_error(QUERN_INVALID, "the table has no rows; a fit needs at least one"));
    QN_GO(qn_schema_copy(schema, &model->schema));
    QN_GO(qn_plan_open(spec, model->schema, &model->plan));
    model->plan->rows = rows;
    model->plan->weighted = weighted;
    model->plan->warn = keep_warning;
    model->plan->user = model;
    *out = model;
    return QUERN_OK;
cleanup:
    qn_model_free(model);
    return status;
}

/* All has been learned. */
static quern_status close_model(struct quern_context *cx, struct quern_model *model)
{
    model->sparse = model->plan->decided_sparse;
    model->plan->passes_known = 1;
    if (model->schema->is_sparse) QN_TRY(forget_sparse(model));
    QN_TRY(qn_model_finish(model));
    for (uint32_t i = 0; i < model->n_warnings; i++)
        qn_context_log(cx, QN_LOG_WARNING, "%s", model->warnings[i]);
    return QUERN_OK;
}

static quern_status go_on(void *context)
{
    return qn_context_cancelled(context) ? qn_context_stopped("the fit") : QUERN_OK;
}

static quern_status run_rounds(struct qn_fit_state *s, int sparse)
{
    for (;;) {
        int pending;
        QN_TRY(qn_plan_round(s->plan, 0, &pending));
        if (!pending) return QUERN_OK;
        QN_TRY(go_on(s->x.cx));
        quern_status status = sparse ? qn_sparse_pass(s) : qn_fit_pass(s);
        if (status == QUERN_OK) status = qn_plan_learn(s->plan);
        qn_fit_rows_end(s);
        qn_draws_end(s);
        QN_TRY(status);
    }
}

quern_status qn_fit(struct quern_context *cx, struct qn_spec *spec,
                    const struct quern_table *schema, struct qn_feed *feed,
                    struct qn_fit_rest *rest, struct quern_model **out)
{
    quern_status status = QUERN_OK;
    struct qn_fit_state s = {.feed = feed};
    struct quern_model *model = NULL;
    struct qn_fp fp = qn_fp_enter(); /* finishing a fit computes in the caller's thread */
    *out = NULL;
    if (rest != NULL) memset(rest, 0, sizeof *rest);
    s.rest = rest != NULL ? rest : &s.own;
    s.x = (struct qn_exec){.cx = cx, .step = "fit", .device = cx->device};
    QN_GO(open_model(spec, schema, feed->rows, qn_weights_given(spec, feed->table), &model));
    s.plan = s.x.plan = model->plan;
    s.plan->threads = cx->threads;
    s.plan->go_on = go_on;
    s.plan->context = cx;
    s.plan->supervised = qn_labels_given(model->spec, feed->table);
    if (schema->sparse != NULL) QN_GO(qn_sparse_count(&s, schema));
    s.whole =
        feed->table != NULL && !feed->stepwise && (feed->chunk == 0 || feed->chunk >= feed->rows);
    QN_GO(open_state(&s));
    QN_GO(run_rounds(&s, schema->sparse != NULL));
    s.plan->threads = NULL;
    s.plan->go_on = NULL;
    QN_GO(close_model(cx, model));
    *out = model;
    model = NULL;
cleanup:
    close_state(&s);
    if (status != QUERN_OK && rest != NULL) qn_fit_rest_free(cx, rest);
    qn_model_free(model);
    qn_fp_leave(fp);
    return status;
}

quern_status qn_fit_known(struct quern_context *cx, struct qn_spec *spec,
                          const struct quern_table *schema, uint64_t rows, int weighted,
                          qn_known_fn *known, void *user, struct quern_model **out)
{
    quern_status status = QUERN_OK;
    struct quern_model *model = NULL;
    struct qn_fp fp = qn_fp_enter();
    int pending;
    *out = NULL;
    QN_GO(open_model(spec, schema, rows, weighted, &model));
    QN_GO(qn_plan_round(model->plan, 0, &pending));
    if (pending) {
        known(user, model->plan);
        QN_GO(qn_plan_learn(model->plan));
        QN_GO(qn_plan_round(model->plan, 0, &pending));
        if (pending) QN_GO(qn_error(QUERN_INTERNAL, "a mergeable fit wants a second pass"));
    }
    QN_GO(close_model(cx, model));
    *out = model;
    model = NULL;
cleanup:
    qn_model_free(model);
    qn_fp_leave(fp);
    return status;
}
