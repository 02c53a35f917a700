/* SPDX-License-Identifier: Apache-2.0
 * Some rows of a frame, wherever it lies, packed in host memory: what a fit learns from that draws rows. */
#include <string.h>

#include "host/core/checked.h"
#include "host/ops/moves.h"
#include "host/pipeline/frame.h"

/* Cells that lie side by side in both frames: the columns of a row-major matrix are one run. */
struct run {
    const char *from;
    int64_t stride;
    char *to;
    size_t bytes;
};

struct taking {
    const struct qn_frame *from;
    const uint32_t *rows;
    struct run *runs;
    uint32_t n_runs;
    uint64_t n, stride; /* of the rows taken */
};

enum { TASK_ROWS = 256 };

static void copy(const struct run *run, const struct taking *t, uint64_t first, uint64_t last)
{
    char *to = run->to + first * t->stride;
    for (uint64_t k = first; k < last; k++, to += t->stride) {
        const char *from = run->from + (int64_t)t->rows[k] * run->stride;
        switch (run->bytes) { /* most columns of tables: no call for these */
        case 4: memcpy(to, from, 4); break;
        case 8: memcpy(to, from, 8); break;
        default: memcpy(to, from, run->bytes);
        }
    }
}

static void take_task(void *user, uint32_t worker, uint64_t task)
{
    const struct taking *t = user;
    uint64_t first = task * TASK_ROWS;
    uint64_t last = t->n - first < TASK_ROWS ? t->n : first + TASK_ROWS;
    (void)worker;
    for (uint32_t i = 0; i < t->n_runs; i++) copy(&t->runs[i], t, first, last);
}

static char *place_of(const struct qn_frame *to, uint32_t cell, uint64_t at)
{
    return (char *)(uintptr_t)to->cells[cell].data + at * (uint64_t)to->cells[cell].stride;
}

static int follows(const struct run *run, const char *from, int64_t stride, const char *to)
{
    return from == run->from + run->bytes && to == run->to + run->bytes && stride == run->stride;
}

static quern_status take_host(struct qn_exec *x, const struct qn_frame *from, const uint32_t *rows,
                              uint64_t n, uint64_t at, struct qn_frame *to)
{
    struct taking t = {.from = from, .rows = rows, .n = n};
    t.runs = qn_alloc((size_t)from->n_cells + 1, sizeof *t.runs);
    if (t.runs == NULL) return qn_error_memory_while("drawing rows");
    for (uint32_t i = 0; i < from->n_cells; i++) {
        const struct qn_cells *c = &from->cells[i];
        if (to->cells[i].data == NULL || c->data == NULL) continue;
        char *place = place_of(to, i, at);
        size_t bytes = qn_type_bytes(c->type);
        t.stride = (uint64_t)to->cells[i].stride;
        if (t.n_runs != 0 && follows(&t.runs[t.n_runs - 1], c->data, c->stride, place))
            t.runs[t.n_runs - 1].bytes += bytes;
        else
            t.runs[t.n_runs++] = (struct run){c->data, c->stride, place, bytes};
    }
    if (t.n_runs != 0)
        qn_threads_run(x->cx->threads, (n + TASK_ROWS - 1) / TASK_ROWS, take_task, &t);
    qn_free(t.runs);
    return QUERN_OK;
}

/* ---- from a device ---- */

/* One column that is only there; span: room for the rows' numbers and the values. */
static quern_status take_column(struct qn_exec *x, const struct qn_frame *from, uint32_t cell,
                                uint64_t n, const struct qn_span *span, char *to, int64_t stride)
{
    const struct qn_cells *c = &from->cells[cell];
    uint64_t bytes = qn_type_bytes(c->type), at = n * sizeof(uint32_t);
    struct qn_outcome outcome = {0};
    at = (at + 7) / 8 * 8;
    struct qn_view values = {span->view.raw, span->view.offset + at, n * bytes};
    struct qn_take_request rq = {
        .in = {.base = from->base,
               .offset = c->offset,
               .lines = 1,
               .n = from->rows,
               .stride = (int64_t)c->device_stride,
               .type = (uint32_t)c->type},
        .index = {.base = span->view, .lines = 1, .n = n, .stride = 4, .type = QN_T_U32},
        .out = {.base = span->view, /* devices want views to begin at round places */
                .offset = at,
                .lines = 1,
                .n = n,
                .stride = (int64_t)bytes,
                .type = (uint32_t)c->type},
        .mode = QN_TAKE_CLIP};
    QN_TRY(qn_op_take(x->device, x->cx->threads, from->queue, &rq, &outcome));
    QN_TRY(qn_exec_note(x, "take", &outcome));
    return qn_device_download(x->device, from->queue, to, n, bytes, stride, values,
                              QN_TRAFFIC_OUTPUT);
}

static quern_status take_device(struct qn_exec *x, const struct qn_frame *from,
                                const uint32_t *rows, uint64_t n, uint64_t at, struct qn_frame *to)
{
    struct qn_device *d = x->device;
    struct qn_span span = {0};
    quern_status status = QUERN_OK;
    uint64_t bytes = n * sizeof *rows;
    for (uint32_t i = 0; i < from->n_cells; i++) {
        if (to->cells[i].data == NULL || from->cells[i].data != NULL) continue;
        if (span.view.raw == NULL) {
            QN_GO(qn_pool_take(d->pool, d->queue_numbers[from->queue], bytes + 8 + 8 * n, &span));
            struct qn_view index = {span.view.raw, span.view.offset, bytes};
            QN_GO(qn_device_upload(d, from->queue, index, rows, 1, bytes, (int64_t)bytes,
                                   QN_TRAFFIC_CONTROL));
        }
        QN_GO(take_column(x, from, i, n, &span, place_of(to, i, at), to->cells[i].stride));
    }
    if (span.view.raw != NULL) status = qn_device_finish(d, from->queue);
cleanup:
    if (span.view.raw != NULL) qn_pool_give(d->pool, d->queue_numbers[from->queue], &span);
    return status;
}

/* ---- which cells are there ---- */

static quern_status keep(struct qn_frame *f, void *memory)
{
    if (memory == NULL) return qn_error_memory_while("drawing rows");
    f->owned[f->n_owned++] = memory;
    return QUERN_OK;
}

static quern_status take_validity(struct qn_exec *x, const struct qn_frame *from, uint32_t cell,
                                  const uint32_t *rows, uint64_t n, uint64_t at,
                                  struct qn_frame *to)
{
    const struct qn_cells *c = &from->cells[cell];
    struct qn_cells *out = &to->cells[cell];
    int there = from->base.raw != NULL && c->data == NULL;
    uint64_t first = there ? c->valid_bit : (uint64_t)c->validity_offset;
    const uint8_t *bits = there ? NULL : c->validity;
    uint8_t *copies = NULL;
    quern_status status = QUERN_OK;
    if (there ? c->valid_bit == QN_NO_VALIDITY : bits == NULL) return QUERN_OK;
    if (there) {
        uint64_t bytes = (first % 8 + from->rows + 7) / 8;
        struct qn_view view = {from->base.raw, from->base.offset + first / 8, bytes};
        bits = copies = qn_alloc((size_t)bytes, 1);
        if (copies == NULL) return qn_error_memory_while("drawing rows");
        QN_GO(qn_device_download(x->device, from->queue, copies, 1, bytes, (int64_t)bytes, view,
                                 QN_TRAFFIC_OUTPUT));
        QN_GO(qn_device_finish(x->device, from->queue));
        first %= 8;
    }
    if (out->validity == NULL) { /* what was taken before is all there */
        uint8_t *all = qn_alloc((size_t)(to->rows / 8 + 1), 1);
        QN_GO(keep(to, all));
        memset(all, 0xff, (size_t)(to->rows / 8 + 1));
        out->validity = all;
    }
    uint8_t *valid = (uint8_t *)(uintptr_t)out->validity;
    for (uint64_t k = 0; k < n; k++) {
        uint64_t bit = first + rows[k];
        if (!(bits[bit / 8] >> bit % 8 & 1)) valid[(at + k) / 8] &= (uint8_t) ~(1u << (at + k) % 8);
    }
cleanup:
    qn_free(copies);
    return status;
}

quern_status qn_frame_open_taken(const struct qn_frame *like, const uint8_t *wanted, uint64_t rows,
                                 struct qn_frame *out)
{
    size_t at = 0, bytes;
    *out = (struct qn_frame){.rows = rows, .n_cells = like->n_cells, .n_inputs = like->n_inputs};
    out->cells = qn_zalloc((size_t)like->n_cells + 1, sizeof *out->cells);
    out->owned = qn_zalloc((size_t)like->n_cells + 1, sizeof *out->owned);
    if (out->cells == NULL || out->owned == NULL) return qn_error_memory_while("drawing rows");
    for (uint32_t i = 0; i < like->n_cells; i++) {
        size_t size = wanted[i] ? qn_type_bytes(like->cells[i].type) : 0;
        out->cells[i] = (struct qn_cells){.type = like->cells[i].type,
                                          .valid_bit = QN_NO_VALIDITY,
                                          .table_column = like->cells[i].table_column,
                                          .missing_code = like->cells[i].missing_code};
        if (size == 0) continue;
        at = (at + size - 1) / size * size;
        out->cells[i].offset = at;
        at += size;
    }
    size_t stride = (at + 7) / 8 * 8;
    int plain = 1; /* rows of float32 alone are packed */
    for (uint32_t i = 0; i < like->n_cells; i++)
        plain &= !wanted[i] || qn_type_bytes(like->cells[i].type) == 4;
    if (plain) stride = at;
    if (qn_mul_size((size_t)rows, stride, &bytes)) return qn_error_memory_while("drawing rows");
    char *values = qn_alloc_aligned(bytes + 1, 1);
    QN_TRY(keep(out, values));
    for (uint32_t i = 0; i < like->n_cells; i++) {
        if (!wanted[i]) continue;
        out->cells[i].data = values + out->cells[i].offset;
        out->cells[i].stride = (int64_t)stride;
        out->cells[i].offset = 0;
    }
    return QUERN_OK;
}

quern_status qn_frame_take(struct qn_exec *x, const struct qn_frame *from, const uint32_t *rows,
                           uint64_t n, uint64_t at, struct qn_frame *to)
{
    if (n == 0) return QUERN_OK;
    QN_TRY(take_host(x, from, rows, n, at, to));
    for (uint32_t i = 0; i < from->n_cells; i++)
        if (to->cells[i].data != NULL) QN_TRY(take_validity(x, from, i, rows, n, at, to));
    return from->base.raw != NULL ? take_device(x, from, rows, n, at, to) : QUERN_OK;
}
