/* SPDX-License-Identifier: Apache-2.0
 * Whole rows: operations over them between two layers, and the matrices that a fit gathers for
 * estimators that learn from all rows together. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/fit.h"

/* ---- between two layers ---- */

/* Where an operation finds and leaves its columns: the frame's own memory, or, for a frame on a device,
 * copies on the host. */
struct desk {
    struct qn_row_column *in;
    void **out;
    char *copies;
    uint64_t *in_at, *out_at; /* on a device: where in the frame's base */
};

static quern_status open_desk(const struct qn_rows_op *op, struct qn_arena *arena, struct desk *d)
{
    d->in = qn_arena_alloc(arena, op->n_in, sizeof *d->in);
    d->out = qn_arena_alloc(arena, op->n_out, sizeof *d->out);
    d->in_at = qn_arena_alloc(arena, op->n_in, sizeof *d->in_at);
    d->out_at = qn_arena_alloc(arena, op->n_out, sizeof *d->out_at);
    return d->in != NULL && d->out != NULL && d->in_at != NULL && d->out_at != NULL
               ? QUERN_OK
               : qn_error_memory_while("running an operation over rows");
}

static void use_host(const struct qn_layer_rows *lr, const struct qn_frame *f, struct desk *d)
{
    for (uint32_t i = 0; i < lr->op->n_in; i++) {
        const struct qn_cells *c = &f->cells[lr->first_in + i];
        d->in[i] = (struct qn_row_column){c->data, c->stride};
    }
    for (uint32_t i = 0; i < lr->op->n_out; i++) /* the frame's own memory, made for this */
        d->out[i] = (void *)(uintptr_t)f->cells[lr->first_out + i].data;
}

static struct qn_view device_column(const struct qn_frame *f, uint32_t column, uint64_t bytes)
{
    return (struct qn_view){f->base.raw, f->base.offset + f->cells[column].offset, bytes};
}

static quern_status download(struct qn_exec *x, const struct qn_layer_rows *lr,
                             const struct qn_frame *f, struct desk *d)
{
    const struct qn_rows_op *op = lr->op;
    uint64_t value = qn_type_bytes((quern_type)op->type), bytes = f->rows * value;
    size_t total;
    if (qn_mul_size((size_t)op->n_in + op->n_out, (size_t)bytes, &total))
        return qn_error_memory_while("running an operation over rows");
    d->copies = qn_alloc_aligned(total, 1);
    if (d->copies == NULL) return qn_error_memory("an operation over rows", total);
    for (uint32_t i = 0; i < op->n_in; i++) {
        char *to = d->copies + i * bytes;
        d->in[i] = (struct qn_row_column){to, (int64_t)value};
        QN_TRY(qn_device_download(x->device, f->queue, to, 1, bytes, (int64_t)bytes,
                                  device_column(f, lr->first_in + i, bytes), QN_TRAFFIC_OUTPUT));
    }
    for (uint32_t i = 0; i < op->n_out; i++) d->out[i] = d->copies + (op->n_in + i) * bytes;
    return qn_device_finish(x->device, f->queue);
}

static quern_status upload(struct qn_exec *x, const struct qn_layer_rows *lr,
                           const struct qn_frame *f, const struct desk *d)
{
    uint64_t bytes = f->rows * qn_type_bytes((quern_type)lr->op->type);
    for (uint32_t i = 0; i < lr->op->n_out; i++)
        QN_TRY(qn_device_upload(x->device, f->queue, device_column(f, lr->first_out + i, bytes),
                                d->out[i], 1, bytes, (int64_t)bytes, QN_TRAFFIC_INPUT));
    return qn_device_finish(x->device, f->queue); /* the copies die here */
}

static quern_status go_on(void *user)
{
    const struct qn_exec *x = user;
    return qn_context_cancelled(x->cx) ? qn_context_stopped(x->step) : QUERN_OK;
}

/* On the device, where the columns are. */
static quern_status run_there(struct qn_exec *x, const struct qn_frame *f,
                              const struct qn_rows_request *rq)
{
    struct qn_outcome outcome = {0};
    QN_TRY(qn_op_rows(x->device, x->cx->threads, f->queue, rq, &outcome));
    return qn_exec_note(x, "rows", &outcome);
}

static quern_status run_rows(struct qn_exec *x, const struct qn_layer_rows *lr, struct qn_frame *f)
{
    quern_status status = QUERN_OK;
    struct qn_arena arena = {0};
    struct desk d = {0};
    struct qn_outcome outcome = {0};
    QN_GO(open_desk(lr->op, &arena, &d));
    struct qn_rows_request rq = {.op = lr->op,
                                 .rows = f->rows,
                                 .base = f->base,
                                 .in_at = d.in_at,
                                 .out_at = d.out_at,
                                 .go_on = go_on,
                                 .user = x};
    for (uint32_t i = 0; i < lr->op->n_in; i++) d.in_at[i] = f->cells[lr->first_in + i].offset;
    for (uint32_t i = 0; i < lr->op->n_out; i++) d.out_at[i] = f->cells[lr->first_out + i].offset;
    if (f->base.raw != NULL && qn_rows_stay(x->device, &rq)) {
        status = run_there(x, f, &rq);
        goto cleanup;
    }
    if (f->base.raw != NULL)
        QN_GO(download(x, lr, f, &d));
    else
        use_host(lr, f, &d);
    rq.in = d.in;
    rq.out = d.out;
    QN_GO(qn_op_rows(x->device, x->cx->threads, f->queue, &rq, &outcome));
    if (f->base.raw != NULL) QN_GO(upload(x, lr, f, &d));
    status =
        qn_context_decide(x->cx, x->step, "rows", "cpu", outcome.implementation, outcome.reasons);
cleanup:
    qn_free(d.copies);
    qn_arena_free(&arena);
    return status;
}

quern_status qn_frame_rows(struct qn_exec *x, const struct qn_layer *layer, struct qn_frame *f)
{
    if (f->rows == 0) return QUERN_OK;
    for (uint32_t i = 0; i < layer->n_rows; i++) {
        if (qn_context_cancelled(x->cx)) return qn_context_stopped(x->step);
        QN_TRY(run_rows(x, &layer->rows[i], f));
    }
    return QUERN_OK;
}

/* ---- the matrices of a fit ---- */

struct gathering {
    struct qn_fit_state *s;
    struct qn_arena arena;
    struct qn_plan_step *step;
    struct qn_program program;
    struct qn_lane *lanes;
    struct qn_slot *slots;
    uint32_t *seen;
    struct qn_weights weights; /* of the chunk at hand */
};

static int wants_matrix(const struct qn_plan_step *step)
{
    return step->needs != NULL && step->n_ports != 0 &&
           (step->needs[0].flags & (QN_NEED_MATRIX | QN_NEED_DRAWN)) == QN_NEED_MATRIX;
}

static quern_status open_gathering(struct gathering *g)
{
    uint32_t n = g->step->n_ports;
    size_t cells;
    struct qn_port *ports = qn_arena_alloc(&g->arena, n, sizeof *ports);
    g->slots = qn_arena_alloc(&g->arena, n, sizeof *g->slots);
    if (ports == NULL || g->slots == NULL) return qn_error_memory_while("gathering rows");
    for (uint32_t i = 0; i < n; i++)
        QN_TRY(qn_float_port(&g->arena, &g->step->probes[i], &ports[i]));
    QN_TRY(qn_program_make(&g->arena, qn_plan_layer(g->s->plan), ports, n, NULL, &g->program));
    size_t values = (size_t)g->program.n_lanes + g->program.n_operands;
    g->lanes = qn_arena_alloc(&g->arena, values, sizeof *g->lanes);
    g->seen = qn_arena_alloc(&g->arena, values, sizeof *g->seen);
    if (g->lanes == NULL || g->seen == NULL) return qn_error_memory_while("gathering rows");
    for (uint32_t i = 0; i < n; i++)
        g->slots[i] = (struct qn_slot){.offset = i * sizeof(double),
                                       .stride = n * sizeof(double),
                                       .lane = g->program.slots[i].lane,
                                       .match = QN_MATCH_VALUE,
                                       .type = QN_T_F64};
    int weighted = g->s->plan->weighted;
    if (!qn_mul_size((size_t)g->s->plan->rows, (size_t)n + (size_t)weighted, &cells))
        g->step->matrix = qn_alloc_aligned(cells, sizeof(double));
    if (g->step->matrix == NULL)
        return qn_error_memory("the rows that a fit keeps", g->s->plan->rows * n * 8);
    if (weighted) g->step->weights = g->step->matrix + g->s->plan->rows * n;
    return QUERN_OK;
}

/* The weights of a chunk's rows to where they belong. */
static quern_status gather_weights(struct gathering *g, const struct quern_table *table,
                                   uint64_t first_row)
{
    if (g->step->weights == NULL || table->rows == 0) return QUERN_OK;
    QN_TRY(qn_weights_of(g->s->plan->spec, table, first_row, &g->weights));
    memcpy(g->step->weights + first_row, g->weights.values, table->rows * sizeof(double));
    return QUERN_OK;
}

/* The frame's rows to where they belong in the matrix. */
static quern_status gather_frame(struct gathering *g, const struct quern_table *table,
                                 const struct qn_frame *f)
{
    struct qn_exec *x = &g->s->x;
    struct qn_run_request rq = {0};
    struct qn_outcome outcome = {0};
    struct qn_span span = {0};
    quern_status status = QUERN_OK;
    uint32_t n = g->step->n_ports;
    uint64_t row = n * sizeof(double);
    double *to = g->step->matrix + f->first_row * n;
    memset(g->seen, 0, ((size_t)g->program.n_lanes + g->program.n_operands) * sizeof *g->seen);
    qn_frame_batch(f, &g->program, g->lanes, &rq.batch);
    rq.slots = g->slots;
    rq.n_slots = n;
    rq.seen = g->seen;
    if (f->base.raw != NULL) {
        QN_TRY(qn_pool_take(x->device->pool, x->device->queue_numbers[f->queue], f->rows * row,
                            &span));
        rq.out_base = span.view;
    } else {
        rq.out_host = to;
    }
    QN_GO(qn_op_run(x->device, x->cx->threads, f->queue, &rq, &outcome));
    if (f->base.raw != NULL) {
        struct qn_view from = {span.view.raw, span.view.offset, f->rows * row};
        QN_GO(qn_device_download(x->device, f->queue, to, f->rows, row, (int64_t)row, from,
                                 QN_TRAFFIC_OUTPUT));
        QN_GO(qn_device_finish(x->device, f->queue));
    }
    QN_GO(qn_exec_note(x, "run", &outcome));
    status = qn_frame_check(x, table, f, g->s->plan->n_layers - 1, &g->program, g->seen);
cleanup:
    if (span.view.raw != NULL)
        qn_pool_give(x->device->pool, x->device->queue_numbers[f->queue], &span);
    return status;
}

static quern_status walk(struct gathering *g)
{
    struct qn_feed *feed = g->s->feed;
    struct quern_context *cx = g->s->x.cx;
    qn_context_ledger(cx)->passes++;
    QN_TRY(qn_feed_rewind(feed));
    for (;;) {
        const struct quern_table *table;
        struct qn_frame scratch, *f;
        uint64_t first_row;
        QN_TRY(qn_feed_next(feed, &table, &first_row));
        if (table == NULL)
            return g->step->weights != NULL ? qn_weights_check(&g->weights) : QUERN_OK;
        if (qn_context_cancelled(cx)) return qn_context_stopped("the fit");
        QN_TRY(gather_weights(g, table, first_row));
        quern_status status = qn_fit_frame(g->s, table, first_row, &f, &scratch);
        if (status == QUERN_OK && f->rows != 0) status = gather_frame(g, table, f);
        qn_frame_free(&g->s->x, &scratch);
        QN_TRY(status);
        qn_context_progress(cx, "fit", first_row + table->rows, feed->rows);
    }
}

quern_status qn_fit_matrices(struct qn_fit_state *s)
{
    for (uint32_t i = 0; i < s->plan->n_steps; i++) {
        if (!wants_matrix(&s->plan->steps[i])) continue;
        struct gathering g = {.s = s, .step = &s->plan->steps[i]};
        quern_status status = open_gathering(&g);
        if (status == QUERN_OK) status = walk(&g);
        qn_weights_free(&g.weights);
        qn_arena_free(&g.arena);
        QN_TRY(status);
    }
    return QUERN_OK;
}
