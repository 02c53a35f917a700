/* SPDX-License-Identifier: Apache-2.0
 * Operations over whole rows, between two layers. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/fit.h"

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
