/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/mergeable.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/append.h"

/* ---- which specs ---- */

static int has(const struct qn_estimator_type *type, uint32_t trait)
{
    return (type->traits & trait) != 0;
}

static int merges(const struct qn_estimator *e)
{
    return has(e->type, QN_TRAIT_MERGES) || (e->type->merges != NULL && e->type->merges(e));
}

const char *qn_mergeable_blame(const struct qn_spec *spec)
{
    for (uint32_t i = 0; i < spec->n_steps; i++) {
        int raw = 1; /* the table's own values still */
        for (uint32_t k = 0; k < spec->steps[i].n_apply; k++) {
            const struct qn_estimator *e = &spec->steps[i].apply[k];
            const struct qn_estimator_type *type = e->type;
            if (!has(type, QN_TRAIT_STATELESS) && !(raw && merges(e))) return type->name;
            raw &= type == &qn_passthrough;
        }
    }
    for (uint32_t k = 0; k < spec->n_then; k++)
        if (!has(spec->then[k].type, QN_TRAIT_STATELESS)) return spec->then[k].type->name;
    return NULL;
}

/* ---- opening ---- */

static uint8_t kinds_of(uint32_t flags)
{
    return (uint8_t)((flags & QN_NEED_MOMENTS ? QN_RUN_MOMENTS : 0) |
                     (flags & QN_NEED_WEIGHTED ? QN_RUN_WEIGHTED : 0) |
                     (flags & QN_NEED_EXTREMES ? QN_RUN_EXTREMES : 0));
}

/* What is wanted of which column, from the first round of a plan. Types decide nothing here: a column
 * that turns out to have missing cells wants the same. */
static quern_status find_kinds(const struct qn_spec *spec, struct quern_table *schema, int weighted,
                               uint8_t *kinds)
{
    quern_status status = QUERN_OK;
    struct qn_plan *plan;
    int pending;
    QN_TRY(qn_plan_open(spec, schema, &plan));
    plan->weighted = weighted;
    QN_GO(qn_plan_round(plan, 0, &pending));
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            const struct qn_port *port = &step->probes[k];
            if (port->raw || port->chain->n_ops != 0 || port->chain->source >= schema->n_columns)
                QN_GO(
                    qn_error(QUERN_INTERNAL, "%s: statistics of more than a column", step->where));
            kinds[port->chain->source] |= kinds_of(step->needs[k].flags);
        }
    }
cleanup:
    qn_plan_close(plan);
    return status;
}

quern_status qn_mergeable_open(const struct qn_spec *spec, const struct quern_table *schema,
                               int weighted, struct qn_mergeable **out)
{
    quern_status status = QUERN_OK;
    struct quern_table empty = *schema;
    uint8_t *kinds = qn_zalloc(schema->n_columns, 1);
    struct qn_mergeable *m = qn_zalloc(1, sizeof *m);
    *out = NULL;
    empty.rows = 0;
    if (m != NULL) m->nulls = qn_zalloc(schema->n_columns, 1);
    if (m == NULL || kinds == NULL || m->nulls == NULL)
        QN_GO(qn_error_memory("fit", schema->n_columns));
    m->weighted = weighted;
    QN_GO(qn_schema_copy(&empty, &m->schema));
    QN_GO(find_kinds(spec, m->schema, weighted, kinds));
    for (uint32_t i = 0; i < schema->n_columns; i++) m->weighs |= (kinds[i] & QN_RUN_WEIGHTED) != 0;
    QN_GO(qn_running_open(schema->n_columns, kinds, &m->stats));
    *out = m;
    m = NULL;
cleanup:
    qn_mergeable_free(m);
    qn_free(kinds);
    return status;
}

void qn_mergeable_free(struct qn_mergeable *m)
{
    if (m == NULL) return;
    qn_weights_free(&m->weights);
    qn_running_free(m->stats);
    qn_table_free(m->schema);
    qn_free(m->nulls);
    qn_free(m);
}

/* ---- pushing ---- */

static int has_nulls(const quern_column *c, uint64_t rows)
{
    for (uint64_t row = 0; c->validity != NULL && row < rows; row++)
        if (!qn_column_valid(c, row)) return 1;
    return 0;
}

quern_status qn_mergeable_push(struct qn_mergeable *m, const struct qn_spec *spec,
                               struct qn_threads *threads, const struct quern_table *chunk)
{
    uint64_t before = qn_running_rows(m->stats);
    QN_TRY(qn_append_same(m->schema, chunk));
    if (!m->weighted && chunk->weights != NULL)
        return qn_error(QUERN_INVALID, "rows with weights follow rows without weights");
    if (m->weighs) QN_TRY(qn_weights_of(spec, chunk, before, &m->weights));
    QN_TRY(qn_running_push(m->stats, threads, chunk->columns, chunk->rows, m->weights.values));
    for (uint32_t i = 0; i < chunk->n_columns; i++)
        if (!m->nulls[i] && qn_type_is_integer(chunk->columns[i].type))
            m->nulls[i] = (uint8_t)has_nulls(&chunk->columns[i], chunk->rows);
    m->schema->is_matrix &= chunk->is_matrix;
    return QUERN_OK;
}

/* ---- the model ---- */

static void fill_in(void *user, struct qn_plan *plan)
{
    const struct qn_running_result *results = user;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            const struct qn_running_result *r = &results[step->probes[k].chain->source];
            struct qn_found *found = &step->found[k];
            uint32_t flags = step->needs[k].flags;
            found->has_moments = (flags & (QN_NEED_MOMENTS | QN_NEED_WEIGHTED)) != 0;
            found->moments = flags & QN_NEED_WEIGHTED ? r->weighted : r->moments;
            found->has_extremes = (flags & QN_NEED_EXTREMES) != 0;
            found->extremes = r->extremes;
            found->count = flags & QN_NEED_EXTREMES ? r->extremes.count : (uint64_t)r->moments.n;
        }
    }
}

quern_status qn_mergeable_model(const struct qn_mergeable *m, struct quern_context *cx,
                                struct qn_spec *spec, struct quern_model **out)
{
    quern_status status = QUERN_OK;
    struct quern_table *schema = NULL;
    uint64_t rows = qn_running_rows(m->stats);
    struct qn_running_result *results = qn_alloc(m->schema->n_columns, sizeof *results);
    *out = NULL;
    if (results == NULL) QN_GO(qn_error_memory("fit", m->schema->n_columns * sizeof *results));
    if (m->weighs && rows != 0) QN_GO(qn_weights_check(&m->weights));
    QN_GO(qn_running_result(m->stats, cx->threads, results));
    QN_GO(qn_schema_copy(m->schema, &schema));
    for (uint32_t i = 0; i < schema->n_columns; i++) /* as pandas has them */
        if (m->nulls[i]) schema->columns[i].type = QUERN_FLOAT64;
    status = qn_fit_known(cx, spec, schema, rows, m->weighted, fill_in, results, out);
    spec = NULL;
    if (status == QUERN_OK)
        status = qn_context_decide(cx, "fit", "statistics", "cpu", "cpu:running",
                                   "pushed rows are summed where they are, on the CPU");
    if (status != QUERN_OK) {
        qn_model_free(*out);
        *out = NULL;
    }
cleanup:
    qn_spec_free(spec);
    qn_table_free(schema);
    qn_free(results);
    return status;
}
