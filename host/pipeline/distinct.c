/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/distinct.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_derive.h"

struct qn_distinct {
    struct qn_fit_state *s;
    uint32_t layer;
    uint8_t *wanted; /* per input column of the layer: rows are to be pushed in this pass */
    struct qn_categories **sets; /* of the present layer; layer 0: the fit's, kept */
    uint32_t n;
    int any;
};

/* Modes of a table in memory are found by sorting (host/pipeline/modes.c). */
static int asks(const struct qn_fit_state *s, const struct qn_plan_step *step, uint32_t k)
{
    uint32_t flags = QN_NEED_CATEGORIES | (s->whole ? 0u : QN_NEED_MODE);
    return step->needs != NULL && (step->needs[k].flags & flags) != 0;
}

/* The column whose rows tell a port's values, or UINT32_MAX (code columns: their table column). */
static uint32_t column_of(const struct qn_fit_state *s, const struct qn_port *port)
{
    if (port->raw) return port->source;
    return port->chain->source < s->plan->layers[s->plan->n_layers - 1].n_inputs
               ? port->chain->source
               : UINT32_MAX;
}

static quern_status mark(struct qn_distinct *d, struct qn_categories **sets, uint32_t column,
                         quern_type type)
{
    if (sets[column] != NULL) return QUERN_OK;
    QN_TRY(qn_categories_open(type, &sets[column]));
    if (d->s->x.cx->max_memory != 0) qn_categories_limit(sets[column], d->s->x.cx->max_memory / 4);
    d->any = 1;
    return QUERN_OK;
}

quern_status qn_distinct_open(struct qn_fit_state *s, struct qn_distinct **out)
{
    quern_status status = QUERN_OK;
    struct qn_plan *plan = s->plan;
    struct qn_distinct *d = qn_zalloc(1, sizeof *d);
    *out = d;
    if (d == NULL) return qn_error_memory_while("counting categories");
    d->s = s;
    d->layer = plan->n_layers - 1;
    const struct qn_layer *layer = qn_plan_layer(plan);
    uint32_t n = layer->n_inputs > s->n_columns ? layer->n_inputs : s->n_columns;
    d->n = layer->n_inputs;
    d->wanted = qn_zalloc((size_t)n * 2, 1);
    if (d->layer != 0) d->sets = qn_zalloc(n, sizeof(struct qn_categories *));
    if (d->wanted == NULL || (d->layer != 0 && d->sets == NULL))
        return qn_error_memory_while("counting categories");
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            if (!asks(s, step, k)) continue;
            const struct qn_port *port = &step->probes[k];
            uint32_t column = column_of(s, port);
            if (column == UINT32_MAX)
                return qn_error(QUERN_UNSUPPORTED,
                                "%s: categories of encoded column \"%s\" are not supported",
                                step->where, port->name);
            int base = d->layer == 0 || port->raw;
            struct qn_categories **sets = base ? s->sets : d->sets;
            int fresh = sets[column] == NULL;
            quern_type type =
                base ? plan->schema->columns[column].type : layer->input_types[column];
            QN_GO(mark(d, sets, column, type));
            if (fresh) d->wanted[base ? column : n + column] = 1;
        }
    }
cleanup:
    return status;
}

int qn_distinct_wanted(const struct qn_distinct *d)
{
    return d->any;
}

/* Rows of a table column; in whole mode the provisional codes of raw columns are kept. */
static quern_status push_column(struct qn_distinct *d, const struct quern_table *table,
                                uint32_t column)
{
    struct qn_fit_state *s = d->s;
    const quern_column *c = &table->columns[column];
    uint32_t *codes = NULL;
    int raw = c->type == QUERN_STRING || c->type == QUERN_DATETIME;
    if (s->whole && raw) {
        codes = qn_alloc((size_t)table->rows, sizeof *codes);
        if (codes == NULL) return qn_error_memory_while("counting categories");
    }
    quern_status status =
        qn_categories_push(s->sets[column], s->x.cx->threads, c, table->rows, codes);
    if (status != QUERN_OK) {
        qn_free(codes);
        return qn_error_context(status, "column \"%s\"", c->name != NULL ? c->name : "?");
    }
    if (codes != NULL) {
        s->rest->raw[column].set = s->sets[column];
        s->rest->raw[column].codes = codes;
    }
    return QUERN_OK;
}

/* Columns of a later layer: its frame, made on the host. */
static quern_status push_later(struct qn_distinct *d, const struct quern_table *table,
                               uint64_t first_row, uint32_t n)
{
    struct qn_exec x = d->s->x;
    struct qn_frame f;
    int any = 0;
    for (uint32_t i = 0; i < d->n; i++) any |= d->wanted[n + i];
    if (!any) return QUERN_OK;
    x.device = NULL; /* counting is host work, so its input is made where it is needed */
    QN_TRY(qn_frame_make(&x, table, first_row, d->layer, 0, &f));
    quern_status status = QUERN_OK;
    for (uint32_t i = 0; i < d->n && status == QUERN_OK; i++) {
        if (!d->wanted[n + i]) continue;
        quern_column c = {
            .type = f.cells[i].type, .data = f.cells[i].data, .stride = f.cells[i].stride};
        status = qn_categories_push(d->sets[i], x.cx->threads, &c, f.rows, NULL);
    }
    qn_frame_free(&x, &f);
    return status;
}

/* A column of many categories takes seconds, and a table in memory is one chunk: asked between columns. */
static quern_status go_on(const struct qn_distinct *d)
{
    return qn_context_cancelled(d->s->x.cx) ? qn_context_stopped("the fit") : QUERN_OK;
}

quern_status qn_distinct_chunk(struct qn_distinct *d, const struct quern_table *table,
                               uint64_t first_row)
{
    uint32_t n = d->n > d->s->n_columns ? d->n : d->s->n_columns;
    if (!d->any) return QUERN_OK;
    if (table->resident != NULL)
        return qn_error(QUERN_UNSUPPORTED,
                        "categories are counted on the host, and the table lies on a device");
    for (uint32_t i = 0; i < d->s->n_columns; i++) {
        if (!d->wanted[i]) continue;
        QN_TRY(go_on(d));
        QN_TRY(push_column(d, table, i));
    }
    if (d->layer != 0) QN_TRY(push_later(d, table, first_row, n));
    return qn_context_decide(d->s->x.cx, d->s->x.step, "distinct", "host", "host", "");
}

static quern_status keep(struct qn_fit_state *s, struct qn_categories *set)
{
    if (s->n_derived == s->room_derived) {
        uint32_t room = s->room_derived ? 2 * s->room_derived : 16;
        struct qn_categories **more = qn_realloc(s->derived, room, sizeof(struct qn_categories *));
        if (more == NULL) {
            qn_categories_free(set);
            return qn_error_memory_while("counting categories");
        }
        s->derived = more;
        s->room_derived = room;
    }
    s->derived[s->n_derived++] = set;
    return QUERN_OK;
}

/* ---- what fills make of a raw column's values ---- */

static quern_status derive_raw(struct qn_fit_state *s, const struct qn_port *port,
                               const struct qn_categories *from, const struct qn_categories **out)
{
    quern_status status = QUERN_OK;
    uint32_t n = qn_categories_count(from);
    struct qn_arena arena = {0};
    struct qn_categories *set = NULL;
    uint64_t total = 0;
    *out = from;
    if (port->fill == NULL) return QUERN_OK;
    for (uint32_t i = 0; i <= n; i++) {
        uint64_t bytes = 0;
        const char *text = i < n ? qn_categories_string(from, i, &bytes) : NULL;
        qn_raw_fill_apply(port->fill, &text, &bytes);
        total += bytes;
    }
    int64_t *offsets = qn_arena_alloc(&arena, (size_t)n + 2, sizeof *offsets);
    char *bytes_of = qn_arena_alloc(&arena, (size_t)total, 1);
    uint8_t *valid = qn_arena_alloc(&arena, (size_t)n / 8 + 1, 1);
    uint64_t *counts = qn_arena_alloc(&arena, (size_t)n + 1, sizeof *counts);
    if (offsets == NULL || bytes_of == NULL || valid == NULL || counts == NULL) {
        status = qn_error_memory_while("counting categories");
        goto cleanup;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i <= n; i++) {
        uint64_t bytes = 0,
                 rows = i < n ? qn_categories_rows(from, i) : qn_categories_missing(from);
        const char *text = i < n ? qn_categories_string(from, i, &bytes) : NULL;
        if (rows == 0) continue; /* no missing cell: nothing becomes the fill */
        qn_raw_fill_apply(port->fill, &text, &bytes);
        if (text != NULL && bytes != 0) memcpy(bytes_of + offsets[used], text, bytes);
        if (text != NULL) valid[used >> 3] = (uint8_t)(valid[used >> 3] | (1u << (used & 7)));
        counts[used] = rows;
        offsets[used + 1] = offsets[used] + (int64_t)bytes;
        used++;
    }
    quern_column c = {.type = QUERN_STRING,
                      .offset_bits = 64,
                      .data = bytes_of,
                      .offsets = offsets,
                      .validity = valid};
    QN_GO(qn_categories_counted(&c, used, counts, &set));
    QN_GO(keep(s, set));
    *out = set;
cleanup:
    qn_arena_free(&arena);
    return status;
}

/* ---- what a chain makes of a number column's values ---- */

static quern_status derive_number(struct qn_fit_state *s, const struct qn_port *port,
                                  const struct qn_categories *from,
                                  const struct qn_categories **out)
{
    quern_status status = QUERN_OK;
    quern_type source = qn_categories_type(from);
    uint32_t n = qn_categories_count(from), total = n + (qn_categories_missing(from) != 0);
    int reals = qn_type_is_float(source) || source == QUERN_BOOL || total != n;
    uint32_t work = port->chain->work;
    struct qn_arena arena = {0};
    struct qn_program program;
    struct qn_categories *set = NULL;
    *out = from;
    /* a load may convert: integers that a scaler without effect has made floats */
    if (port->chain->n_ops == 0 && qn_type_is_float(port->type) == qn_type_is_float(source))
        return QUERN_OK;
    struct qn_layer layer = {.n_inputs = port->chain->source + 1};
    double *in = qn_arena_alloc(&arena, total, sizeof *in);
    double *values = qn_arena_alloc(&arena, total, sizeof *values);
    uint64_t *counts = qn_arena_alloc(&arena, total, sizeof *counts);
    if (in == NULL || values == NULL || counts == NULL) {
        status = qn_error_memory_while("counting categories");
        goto cleanup;
    }
    for (uint32_t i = 0; i < total; i++) {
        double real = i == n                     ? NAN
                      : qn_type_is_float(source) ? qn_categories_f64(from, i)
                                                 : (double)qn_categories_i64(from, i);
        int64_t whole = !reals ? qn_categories_i64(from, i) : 0;
        if (reals)
            in[i] = real;
        else
            memcpy(&in[i], &whole, sizeof whole);
        counts[i] = i < n ? qn_categories_rows(from, i) : qn_categories_missing(from);
    }
    QN_GO(qn_program_make(&arena, &layer, port, 1, NULL, &program));
    struct qn_lane lane = {.data = in,
                           .stride = sizeof *in,
                           .valid_bit = QN_NO_VALIDITY,
                           .type = reals ? QN_T_F64 : QN_T_I64,
                           .work = program.lanes[0].work,
                           .n_ops = program.n_ops};
    uint32_t type = work == QN_W_I64 ? QN_T_I64 : QN_T_F64;
    struct qn_slot slot = {.stride = sizeof *values, .type = type, .match = QN_MATCH_VALUE};
    struct qn_run_request rq = {.batch = {.rows = total,
                                          .lanes = &lane,
                                          .n_lanes = 1,
                                          .ops = program.ops,
                                          .n_ops = program.n_ops,
                                          .words = program.words,
                                          .n_words = program.n_words},
                                .slots = &slot,
                                .n_slots = 1,
                                .out_host = values};
    QN_GO(qn_op_run(NULL, NULL, 0, &rq, NULL));
    quern_column c = {.type = work == QN_W_I64 ? QUERN_INT64 : QUERN_FLOAT64, .data = values};
    QN_GO(qn_categories_counted(&c, total, counts, &set));
    QN_GO(keep(s, set));
    *out = set;
cleanup:
    qn_arena_free(&arena);
    return status;
}

static quern_status finish_sets(struct qn_distinct *d, struct qn_categories **sets, uint32_t from,
                                uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!d->wanted[from + i]) continue;
        QN_TRY(go_on(d));
        QN_TRY(qn_categories_finish(sets[i]));
    }
    return QUERN_OK;
}

static double mode_of(const struct qn_categories *set)
{
    uint64_t most = 0;
    double mode = NAN;
    for (uint32_t i = 0; i < qn_categories_count(set); i++)
        if (qn_categories_rows(set, i) > most) {
            most = qn_categories_rows(set, i);
            mode = qn_type_is_float(qn_categories_type(set)) ? qn_categories_f64(set, i)
                                                             : (double)qn_categories_i64(set, i);
        }
    return mode;
}

quern_status qn_distinct_finish(struct qn_distinct *d)
{
    struct qn_fit_state *s = d->s;
    uint32_t n = d->n > s->n_columns ? d->n : s->n_columns;
    QN_TRY(finish_sets(d, s->sets, 0, s->n_columns));
    if (d->layer != 0) QN_TRY(finish_sets(d, d->sets, n, d->n));
    for (uint32_t i = 0; i < s->plan->n_steps; i++) {
        struct qn_plan_step *step = &s->plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            if (!asks(s, step, k)) continue;
            const struct qn_port *port = &step->probes[k];
            uint32_t column = column_of(s, port);
            struct qn_categories *set =
                d->layer == 0 || port->raw ? s->sets[column] : d->sets[column];
            struct qn_found *f = &step->found[k];
            QN_TRY(port->raw ? derive_raw(s, port, set, &f->categories)
                             : derive_number(s, port, set, &f->categories));
            if (step->needs[k].flags & QN_NEED_MODE) f->mode = mode_of(f->categories);
            if (!f->has_moments && !f->has_extremes)
                f->count = s->plan->rows - qn_categories_missing(f->categories);
        }
    }
    if (d->layer != 0) { /* they are needed until the estimators have learned */
        for (uint32_t i = 0; i < d->n; i++) {
            if (d->sets[i] == NULL) continue;
            struct qn_categories *set = d->sets[i];
            d->sets[i] = NULL;
            QN_TRY(keep(s, set));
        }
    }
    return QUERN_OK;
}

void qn_distinct_close(struct qn_distinct *d)
{
    if (d == NULL) return;
    for (uint32_t i = 0; d->sets != NULL && i < d->n; i++) qn_categories_free(d->sets[i]);
    qn_free(d->sets);
    qn_free(d->wanted);
    qn_free(d);
}
