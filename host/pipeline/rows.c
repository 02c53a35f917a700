/* SPDX-License-Identifier: Apache-2.0
 * The rows that a fit learns from, for estimators that look at each (struct qn_rows_source): their values are
 * computed, some rows at a time, as often as an estimator reads them. What reads whole columns gets few
 * at a time, so that a fit takes little memory beside its table. */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/fit.h"

enum {
    RUN_BYTES = 4 << 20,     /* of values at a time */
    WHOLE_BYTES = 16 << 20,  /* of columns that are held, of a table in memory, */
    CHUNKS_BYTES = 256 << 20 /* of one that comes in chunks: each reading may parse a file */
};

struct qn_rows_read {
    struct qn_rows_source source;
    struct qn_fit_state *s;
    struct qn_plan_step *step;
    const struct qn_frame *drawn; /* its rows are few and on the host; NULL: all */
    int walked;
};

static int wants_rows(const struct qn_fit_state *s, const struct qn_plan_step *step)
{
    uint32_t flags = 0;
    for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++)
        flags |= step->needs[k].flags;
    return (flags & QN_NEED_ROWS) != 0 || (s->whole && (flags & QN_NEED_MODE) != 0);
}

/* ---- weights ---- */

quern_status qn_fit_weights(struct qn_fit_state *s)
{
    struct qn_feed *feed = s->feed;
    struct qn_weights w = {0};
    quern_status status = QUERN_OK;
    if (s->weights != NULL) return QUERN_OK;
    s->weights = qn_alloc((size_t)feed->rows, sizeof *s->weights);
    if (s->weights == NULL)
        return qn_error_memory("weights of rows", feed->rows * sizeof *s->weights);
    if (!s->whole) qn_context_ledger(s->x.cx)->passes++;
    QN_GO(qn_feed_rewind(feed));
    for (;;) {
        const struct quern_table *table;
        uint64_t first_row;
        QN_GO(qn_feed_next(feed, &table, &first_row));
        if (table == NULL) break;
        QN_GO(qn_weights_of(s->plan->spec, table, first_row, &w));
        memcpy(s->weights + first_row, w.values, (size_t)table->rows * sizeof *s->weights);
    }
    status = qn_weights_check(&w);
cleanup:
    qn_weights_free(&w);
    return status;
}

/* ---- one reading ---- */

struct reading {
    struct qn_exec x; /* device NULL: the host's */
    struct qn_rows_read *r;
    qn_rows_fn *body;
    void *user;
    uint32_t n;
    uint64_t room; /* rows of a run */
    struct qn_arena arena;
    struct qn_program program;
    struct qn_lane *lanes, *run_lanes;
    struct qn_slot *slots;
    uint32_t *seen;
    double *values;      /* [room][n] */
    struct qn_span span; /* the same on the device */
    uint32_t queue;
};

static quern_status open_reading(struct reading *g, uint32_t first)
{
    uint64_t row = g->n * sizeof(double);
    struct qn_port *ports = qn_arena_alloc(&g->arena, g->n, sizeof *ports);
    g->slots = qn_arena_alloc(&g->arena, g->n, sizeof *g->slots);
    if (ports == NULL || g->slots == NULL) return qn_error_memory_while("reading rows");
    for (uint32_t i = 0; i < g->n; i++)
        QN_TRY(qn_float_port(&g->arena, &g->r->step->probes[first + i], &ports[i]));
    QN_TRY(qn_program_make(&g->arena, qn_plan_layer(g->x.plan), ports, g->n, NULL, &g->program));
    size_t values = (size_t)g->program.n_lanes + g->program.n_operands;
    g->lanes = qn_arena_alloc(&g->arena, values, sizeof *g->lanes);
    g->run_lanes = qn_arena_alloc(&g->arena, values, sizeof *g->run_lanes);
    g->seen = qn_arena_alloc(&g->arena, values, sizeof *g->seen);
    g->room = row < RUN_BYTES ? RUN_BYTES / row : 1;
    if (g->room > g->r->source.rows) g->room = g->r->source.rows;
    g->values = qn_alloc_aligned((size_t)(g->room * g->n), sizeof *g->values);
    if (g->lanes == NULL || g->run_lanes == NULL || g->seen == NULL || g->values == NULL)
        return qn_error_memory_while("reading rows");
    for (uint32_t i = 0; i < g->n; i++)
        g->slots[i] = (struct qn_slot){.offset = i * sizeof(double),
                                       .stride = row,
                                       .lane = g->program.slots[i].lane,
                                       .match = QN_MATCH_VALUE,
                                       .type = QN_T_F64};
    return QUERN_OK;
}

static void close_reading(struct reading *g)
{
    if (g->span.view.raw != NULL)
        qn_pool_give(g->x.device->pool, g->x.device->queue_numbers[g->queue], &g->span);
    qn_free(g->values);
    qn_arena_free(&g->arena);
}

/* Rows [from, from + n) of the lanes. */
static void cut(const struct reading *g, uint64_t from, uint64_t n, struct qn_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_lanes + batch->n_operands; i++) {
        struct qn_lane *lane = &g->run_lanes[i];
        *lane = g->lanes[i];
        if (lane->data != NULL)
            lane->data = (const char *)lane->data + (int64_t)from * lane->stride;
        lane->offset += from * (uint64_t)lane->stride;
        lane->validity_offset += (int64_t)from;
        if (lane->valid_bit != QN_NO_VALIDITY) lane->valid_bit += from;
    }
    batch->lanes = g->run_lanes;
    batch->operands = g->run_lanes + batch->n_lanes;
    batch->first_row += from;
    batch->rows = n;
}

static quern_status run_on_device(struct reading *g, struct qn_run_request *rq,
                                  struct qn_outcome *outcome)
{
    struct qn_device *device = g->x.device;
    uint64_t row = g->n * sizeof(double), bytes = rq->batch.rows * row;
    if (g->span.view.raw == NULL)
        QN_TRY(
            qn_pool_take(device->pool, device->queue_numbers[g->queue], g->room * row, &g->span));
    rq->out_base = g->span.view;
    QN_TRY(qn_op_run(device, g->x.cx->threads, g->queue, rq, outcome));
    struct qn_view from = {g->span.view.raw, g->span.view.offset, bytes};
    QN_TRY(qn_device_download(device, g->queue, g->values, rq->batch.rows, row, (int64_t)row, from,
                              QN_TRAFFIC_OUTPUT));
    return qn_device_finish(device, g->queue);
}

/* The frame's rows, run by run. table NULL: drawn rows, which have been looked at. */
static quern_status read_frame(struct reading *g, const struct quern_table *table,
                               const struct qn_frame *f)
{
    struct qn_run_request rq = {
        .slots = g->slots, .n_slots = g->n, .seen = table != NULL ? g->seen : NULL};
    struct qn_batch all;
    struct qn_outcome outcome = {0};
    g->queue = f->queue;
    qn_frame_batch(f, &g->program, g->lanes, &all);
    memset(g->seen, 0, ((size_t)all.n_lanes + all.n_operands) * sizeof *g->seen);
    for (uint64_t from = 0, n; from < f->rows; from += n) {
        n = f->rows - from < g->room ? f->rows - from : g->room;
        if (qn_context_cancelled(g->x.cx)) return qn_context_stopped("the fit");
        rq.batch = all;
        cut(g, from, n, &rq.batch);
        if (f->base.raw != NULL) {
            QN_TRY(run_on_device(g, &rq, &outcome));
        } else {
            rq.out_host = g->values;
            QN_TRY(qn_op_run(g->x.device, g->x.cx->threads, f->queue, &rq, &outcome));
        }
        if (table != NULL)
            QN_TRY(qn_frame_check(&g->x, table, f, g->x.plan->n_layers - 1, &g->program, g->seen));
        QN_TRY(g->body(g->user, g->values, f->first_row + from, n));
    }
    return table != NULL ? qn_exec_note(&g->x, "run", &outcome) : QUERN_OK;
}

static quern_status read_all(struct reading *g)
{
    struct qn_fit_state *s = g->r->s;
    QN_TRY(qn_feed_rewind(s->feed));
    for (;;) {
        const struct quern_table *table;
        struct qn_frame scratch, *f;
        uint64_t first_row;
        QN_TRY(qn_feed_next(s->feed, &table, &first_row));
        if (table == NULL) return QUERN_OK;
        if (qn_context_cancelled(s->x.cx)) return qn_context_stopped("the fit");
        quern_status status = qn_fit_frame(s, table, first_row, &f, &scratch);
        if (status == QUERN_OK && f->rows != 0) status = read_frame(g, table, f);
        qn_frame_free(&s->x, &scratch);
        QN_TRY(status);
        qn_context_progress(s->x.cx, "fit", first_row + table->rows, s->feed->rows);
    }
}

static quern_status walk(void *user, uint32_t first, uint32_t n_ports, qn_rows_fn *body,
                         void *body_user)
{
    struct qn_rows_read *r = user;
    struct reading g = {.x = r->s->x, .r = r, .body = body, .user = body_user, .n = n_ports};
    quern_status status;
    if (r->drawn != NULL) g.x.device = NULL;
    /* columns one after the other are one pass, of a table in memory */
    if (r->drawn == NULL && (!r->walked || !r->s->whole)) qn_context_ledger(g.x.cx)->passes++;
    r->walked = 1;
    QN_GO(open_reading(&g, first));
    status = r->drawn != NULL ? read_frame(&g, NULL, r->drawn) : read_all(&g);
cleanup:
    close_reading(&g);
    return status;
}

/* ---- where they lie ---- */

/* What a chain makes of a cell that is not missing is the cell. */
static int keeps_cells(const struct qn_chain *chain, quern_type type)
{
    int exact_f32 = type == QUERN_FLOAT32 || type == QUERN_INT8 || type == QUERN_INT16 ||
                    type == QUERN_UINT8 || type == QUERN_UINT16;
    if (type == QUERN_BOOL || type == QUERN_UINT64 || !qn_type_is_number(type)) return 0;
    if (chain->load_work != chain->work || chain->has_norm || chain->joins) return 0;
    if (chain->work != QN_W_F64 && (chain->work != QN_W_F32 || !exact_f32)) return 0;
    for (uint32_t i = 0; i < chain->n_ops; i++)
        if (chain->ops[i].code != QN_OP_FILL_EQ || !isnan(qn_f64_word(chain->ops[i].words[1])))
            return 0;
    return 1;
}

static int in_place(void *user, struct qn_filled_column *out)
{
    const struct qn_rows_read *r = user;
    const struct quern_table *table = r->s->feed->table;
    if (table == NULL || table->resident != NULL || table->sparse != NULL || r->drawn != NULL ||
        r->s->plan->n_layers != 1)
        return 0;
    for (uint32_t i = 0; i < r->step->n_probes; i++) {
        const struct qn_port *port = &r->step->probes[i];
        if (port->raw || port->match != QN_MATCH_VALUE || port->chain->source >= table->n_columns)
            return 0;
        const quern_column *c = &table->columns[port->chain->source];
        if (!keeps_cells(port->chain, c->type)) return 0;
        out[i].data = c->data;
        out[i].stride = c->stride;
        out[i].type = (uint32_t)c->type;
    }
    return 1;
}

/* ---- all steps' ---- */

static quern_status open_step(struct qn_fit_state *s, struct qn_plan_step *step,
                              struct qn_rows_read *r)
{
    int drawn = (step->needs[0].flags & QN_NEED_DRAWN) != 0;
    uint64_t rows = drawn ? step->draw.n : s->feed->rows,
             held = s->whole ? WHOLE_BYTES : CHUNKS_BYTES;
    uint64_t columns = held / sizeof(double) / (rows != 0 ? rows : 1);
    if (columns > step->n_probes) columns = step->n_probes;
    *r = (struct qn_rows_read){.source = {.user = r,
                                          .rows = rows,
                                          .at_once = columns != 0 ? (uint32_t)columns : 1,
                                          .walk = walk,
                                          .in_place = in_place},
                               .s = s,
                               .step = step,
                               .drawn = drawn ? qn_drawn_frame(s, step) : NULL};
    step->source = &r->source;
    if (s->plan->weighted && !drawn && (step->needs[0].flags & QN_NEED_ROWS))
        QN_TRY(qn_fit_weights(s));
    step->weights = drawn ? NULL : s->weights;
    return QUERN_OK;
}

quern_status qn_fit_rows_begin(struct qn_fit_state *s)
{
    if (s->reads == NULL) s->reads = qn_zalloc(s->plan->n_steps, sizeof *s->reads);
    if (s->reads == NULL) return qn_error_memory_while("fitting");
    for (uint32_t i = 0; i < s->plan->n_steps; i++)
        if (wants_rows(s, &s->plan->steps[i]))
            QN_TRY(open_step(s, &s->plan->steps[i], &s->reads[i]));
    return QUERN_OK;
}

void qn_fit_rows_end(struct qn_fit_state *s)
{
    for (uint32_t i = 0; s->reads != NULL && i < s->plan->n_steps; i++) {
        s->plan->steps[i].source = NULL;
        s->plan->steps[i].weights = NULL;
    }
    qn_free(s->reads);
    s->reads = NULL;
}
