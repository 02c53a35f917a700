/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/transform.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/memory/output.h"

/* Host memory that the layers of a chunk may take before the chunk is made smaller, to no fewer rows than that. */
enum { LAYER_BYTES = 64 << 20, LEAST_ROWS = 1024, LARGE_OUTPUT = 8 << 20 };

struct run {
    struct qn_exec x;
    const struct quern_model *model;
    const struct qn_target *target;
    struct qn_arena arena;
    struct qn_lane *lanes;
    struct qn_slot *slots;
    uint32_t *seen;
    uint64_t row_bytes; /* of the output */
};

/* The type in which sparse values are computed: processors store three, the others are narrowed. */
static quern_type sparse_type(quern_type type)
{
    return qn_type_is_float(type) ? type : QUERN_INT64;
}

static quern_status open_run(struct run *r)
{
    const struct qn_program *p = &r->model->program;
    r->lanes = qn_arena_alloc(&r->arena, (size_t)p->n_lanes + p->n_operands, sizeof *r->lanes);
    r->slots = qn_arena_alloc(&r->arena, p->n_slots, sizeof *r->slots);
    r->seen = qn_arena_alloc(&r->arena, p->n_lanes, sizeof *r->seen);
    if (r->lanes == NULL || r->slots == NULL || r->seen == NULL)
        return qn_error_memory("transform", p->n_slots);
    uint64_t at = 0;
    for (uint32_t i = 0; i < p->n_slots; i++) {
        quern_type type =
            r->target->kind == QN_TARGET_CSR ? sparse_type(p->slots[i].type) : p->slots[i].type;
        r->slots[i] = (struct qn_slot){.offset = at,
                                       .type = (uint32_t)type,
                                       .lane = p->slots[i].lane,
                                       .match = p->slots[i].match};
        at += qn_type_bytes(type);
    }
    r->row_bytes = at;
    return QUERN_OK;
}

static void begin_request(struct run *r, const struct qn_frame *f, struct qn_run_request *rq)
{
    const struct qn_program *p = &r->model->program;
    qn_frame_batch(f, p, r->lanes, &rq->batch);
    rq->slots = r->slots;
    rq->n_slots = p->n_slots;
    rq->norms = p->norms;
    rq->n_norms = p->n_norms;
    rq->seen = r->seen;
    rq->stream = f->rows * r->row_bytes > LARGE_OUTPUT;
}

/* ---- host ---- */

/* Packed columns anywhere in memory: slots count from the lowest of them, which is returned. */
static void *column_slots(struct run *r, uint64_t first_row)
{
    uint32_t n = r->model->program.n_slots;
    char *base = n != 0 ? r->target->columns[0] : NULL;
    for (uint32_t i = 1; i < n; i++)
        if ((uintptr_t)r->target->columns[i] < (uintptr_t)base) base = r->target->columns[i];
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bytes = qn_type_bytes((quern_type)r->slots[i].type);
        r->slots[i].offset =
            (uint64_t)((uintptr_t)r->target->columns[i] - (uintptr_t)base) + first_row * bytes;
        r->slots[i].stride = bytes;
    }
    return base;
}

static quern_status host_dense(struct run *r, uint64_t first_row, const struct qn_frame *f)
{
    struct qn_run_request rq = {0};
    struct qn_outcome outcome = {0};
    begin_request(r, f, &rq);
    if (r->target->kind == QN_TARGET_COLUMNS) {
        rq.out_host = column_slots(r, first_row);
    } else {
        for (uint32_t i = 0; i < rq.n_slots; i++)
            r->slots[i].stride = (uint64_t)r->target->row_stride;
        rq.out_host = (char *)r->target->data + (int64_t)first_row * r->target->row_stride;
    }
    QN_TRY(qn_op_run(NULL, r->x.cx->threads, 0, &rq, &outcome));
    return qn_exec_note(&r->x, "run", &outcome);
}

static quern_status csr_room(struct qn_csr *csr, uint64_t rows, uint64_t nnz, size_t value)
{
    if (rows + 1 > csr->room_rows) {
        int64_t *more = qn_output_realloc(csr->indptr, (size_t)rows + 1, sizeof *more);
        if (more == NULL) return qn_error_memory("transform", rows * 8);
        csr->indptr = more;
        csr->room_rows = rows + 1;
    }
    if (nnz <= csr->room_nnz) return QUERN_OK;
    uint64_t room = csr->room_nnz + csr->room_nnz / 2;
    if (room < nnz) room = nnz;
    int32_t *indices = qn_output_realloc(csr->indices, (size_t)room, sizeof *indices);
    if (indices == NULL) return qn_error_memory("transform", room * 4);
    csr->indices = indices;
    char *data = qn_output_realloc(csr->data, (size_t)room, value);
    if (data == NULL) return qn_error_memory("transform", room * value);
    csr->data = data;
    csr->room_nnz = room;
    return QUERN_OK;
}

void qn_csr_free(struct qn_csr *csr)
{
    qn_output_free(csr->indptr);
    qn_output_free(csr->indices);
    qn_output_free(csr->data);
    memset(csr, 0, sizeof *csr);
}

void qn_csr_narrow(struct qn_csr *csr, quern_type type)
{
    size_t bytes = qn_type_bytes(type);
    uint64_t kept = 0, at = 0;
    if (csr->type == type || bytes == sizeof(int64_t)) return;
    for (uint64_t row = 0; row < csr->rows; row++) {
        for (uint64_t end = (uint64_t)csr->indptr[row + 1]; at < end; at++) {
            int64_t value;
            memcpy(&value, (const char *)csr->data + at * sizeof value, sizeof value);
            uint64_t bits = (uint64_t)value & (UINT64_MAX >> (64 - 8 * bytes));
            if (bits == 0) continue; /* it was a multiple of the type's range */
            memcpy((char *)csr->data + kept * bytes, &bits, bytes); /* little-endian hosts only */
            csr->indices[kept++] = csr->indices[at];
        }
        csr->indptr[row + 1] = (int64_t)kept;
    }
    csr->nnz = kept;
    csr->type = type;
}

/* Counts, then fills; on the device or the host, as the frame lies. */
static quern_status append_csr(struct run *r, const struct qn_frame *f)
{
    const struct qn_program *p = &r->model->program;
    struct qn_csr *csr = r->target->csr;
    csr->type = sparse_type(r->model->dtype);
    size_t value = qn_type_bytes(csr->type);
    struct qn_csr_request rq = {.slots = r->slots,
                                .n_slots = p->n_slots,
                                .norms = p->norms,
                                .n_norms = p->n_norms,
                                .seen = r->seen};
    struct qn_outcome outcome = {0};
    quern_status status = QUERN_OK;
    QN_TRY(csr_room(csr, csr->rows + f->rows, 0, value));
    if (csr->rows == 0) csr->indptr[0] = 0;
    rq.row_nnz = qn_alloc((size_t)f->rows, sizeof *rq.row_nnz);
    if (rq.row_nnz == NULL) return qn_error_memory("transform", f->rows * 4);
    qn_frame_batch(f, p, r->lanes, &rq.batch);
    QN_GO(qn_op_csr(r->x.device, r->x.cx->threads, f->queue, &rq, &outcome));
    int64_t *indptr = csr->indptr + csr->rows;
    for (uint64_t i = 0; i < f->rows; i++) indptr[i + 1] = indptr[i] + rq.row_nnz[i];
    QN_GO(csr_room(csr, csr->rows + f->rows, (uint64_t)indptr[f->rows], value));
    if (csr->indices != NULL) {
        rq.indptr = indptr;
        rq.indices = csr->indices;
        rq.data = csr->data;
        QN_GO(qn_op_csr(r->x.device, r->x.cx->threads, f->queue, &rq, &outcome));
    }
    csr->nnz = (uint64_t)indptr[f->rows];
    csr->rows += f->rows;
    status = qn_exec_note(&r->x, "csr", &outcome);
cleanup:
    qn_free(rq.row_nnz);
    return status;
}

/* The frame of the last layer, starting from the frame of layer 0. */
static quern_status last_frame(struct run *r, const struct quern_table *table,
                               const struct qn_frame *first, struct qn_frame *out)
{
    uint32_t last = r->x.plan->n_layers - 1;
    struct qn_frame at = *first;
    for (uint32_t k = 1; k <= last; k++) {
        struct qn_frame next;
        quern_status status = qn_frame_next(&r->x, table, &at, k, &next);
        if (k > 1) qn_frame_free(&r->x, &at);
        QN_TRY(status);
        at = next;
    }
    *out = at;
    return QUERN_OK;
}

static quern_status host_chunk(struct run *r, const struct quern_table *table, uint64_t first_row,
                               const struct qn_frame *first)
{
    struct qn_frame f;
    QN_TRY(last_frame(r, table, first, &f));
    memset(r->seen, 0, r->model->program.n_lanes * sizeof *r->seen);
    quern_status status =
        r->target->kind == QN_TARGET_CSR ? append_csr(r, &f) : host_dense(r, first_row, &f);
    if (status == QUERN_OK)
        status =
            qn_frame_check(&r->x, table, &f, r->x.plan->n_layers - 1, &r->model->program, r->seen);
    if (r->x.plan->n_layers > 1) qn_frame_free(&r->x, &f);
    return status;
}

static uint64_t host_chunk_rows(const struct run *r)
{
    uint64_t widest = 0;
    if (r->x.plan->n_layers == 1) return 0;
    for (uint32_t k = 0; k + 1 < r->x.plan->n_layers; k++)
        if (r->x.plan->layers[k + 1].n_inputs > widest) widest = r->x.plan->layers[k + 1].n_inputs;
    uint64_t rows = LAYER_BYTES / (8 * (widest != 0 ? widest : 1));
    return rows < LEAST_ROWS ? LEAST_ROWS : rows / LEAST_ROWS * LEAST_ROWS;
}

static quern_status on_host(struct run *r, const struct quern_table *table,
                            struct qn_fit_rest *rest)
{
    struct qn_feed feed = {.table = table, .rows = table->rows, .chunk = host_chunk_rows(r)};
    quern_status status = QUERN_OK;
    for (;;) {
        const struct quern_table *chunk;
        struct qn_frame frame, *first = &frame;
        uint64_t first_row;
        QN_GO(qn_feed_next(&feed, &chunk, &first_row));
        if (chunk == NULL) break;
        if (qn_context_cancelled(r->x.cx)) {
            status = qn_context_stopped("the transform");
            break;
        }
        int kept =
            rest != NULL && rest->has_frame && rest->frame.base.raw == NULL && chunk == table;
        if (kept) {
            first = &rest->frame;
            QN_GO(qn_frame_extend(&r->x, table, 0, first));
        } else {
            QN_GO(qn_frame_first(&r->x, chunk, first_row, 0, &frame));
        }
        status = host_chunk(r, chunk, first_row, first);
        if (!kept) qn_frame_free(&r->x, &frame);
        if (status != QUERN_OK) break;
        qn_context_progress(r->x.cx, "transform", first_row + chunk->rows, table->rows);
    }
cleanup:
    qn_feed_close(&feed);
    return status;
}

/* ---- device ---- */

/* One chunk on its way through the device. */
struct flight {
    struct quern_table *table; /* slice, or NULL: nothing in flight */
    uint64_t first_row;
    struct qn_frame first, last;
    int kept; /* `first` is the fit's */
    struct qn_span out, seen;
    struct qn_raw *wrapped;
};

static void land(struct run *r, struct flight *fl)
{
    struct qn_device *d = r->x.device;
    uint32_t queue = fl->first.queue;
    if (fl->wrapped != NULL) {
        (void)qn_device_finish(d, queue);
        d->driver->raw_free(d->dev, fl->wrapped);
        fl->wrapped = NULL;
    }
    if (fl->out.view.raw != NULL) qn_pool_give(d->pool, d->queue_numbers[queue], &fl->out);
    if (fl->seen.view.raw != NULL) qn_pool_give(d->pool, d->queue_numbers[queue], &fl->seen);
    if (r->x.plan->n_layers > 1) qn_frame_free(&r->x, &fl->last);
    if (!fl->kept) qn_frame_free(&r->x, &fl->first);
    qn_table_free(fl->table);
    memset(fl, 0, sizeof *fl);
}

/* The output's place: the caller's device memory, the caller's host memory used in place, or a block
 * of the pool that is downloaded when the chunk lands. */
static quern_status place_output(struct run *r, struct flight *fl, struct qn_view *out)
{
    struct qn_device *d = r->x.device;
    const struct qn_target *t = r->target;
    uint64_t stride = (uint64_t)t->row_stride, rows = fl->table->rows;
    if (t->device.raw != NULL) {
        *out = t->device;
        out->offset += fl->first_row * stride;
        out->size -= fl->first_row * stride;
        return QUERN_OK;
    }
    if (t->kind == QN_TARGET_MATRIX && d->zero_copy && QN_HAS(d->driver, raw_wrap) && rows != 0) {
        uint64_t bytes = (rows - 1) * stride + r->row_bytes;
        void *memory = (char *)t->data + fl->first_row * stride;
        if (d->driver->raw_wrap(d->dev, memory, bytes, 1, &fl->wrapped) == QUERN_OK) {
            *out = (struct qn_view){fl->wrapped, 0, bytes};
            d->ledger.wrapped += bytes;
            return QUERN_OK;
        }
    }
    uint64_t bytes = rows * r->row_bytes;
    if (t->kind == QN_TARGET_COLUMNS) bytes += 256 * (uint64_t)r->model->program.n_slots;
    QN_TRY(
        qn_pool_take(d->pool, d->queue_numbers[fl->first.queue], bytes != 0 ? bytes : 4, &fl->out));
    *out = fl->out.view;
    return QUERN_OK;
}

static void device_slots(struct run *r, const struct flight *fl)
{
    uint64_t at = 0;
    int in_place = fl->wrapped != NULL || r->target->device.raw != NULL;
    for (uint32_t i = 0; i < r->model->program.n_slots; i++) {
        uint64_t bytes = qn_type_bytes((quern_type)r->slots[i].type);
        r->slots[i].offset = at;
        if (r->target->kind == QN_TARGET_COLUMNS) {
            r->slots[i].stride = bytes;
            at += (fl->table->rows * bytes + 255) & ~(uint64_t)255;
        } else {
            r->slots[i].stride = in_place ? (uint64_t)r->target->row_stride : r->row_bytes;
            at += bytes;
        }
    }
}

static quern_status place_flags(struct run *r, struct flight *fl)
{
    struct qn_device *d = r->x.device;
    uint64_t bytes = r->model->program.n_lanes * sizeof(uint32_t);
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[fl->first.queue], bytes, &fl->seen));
    fl->seen.view.size = bytes;
    return qn_device_fill(d, fl->first.queue, fl->seen.view, 0);
}

static quern_status launch_chunk(struct run *r, struct flight *fl)
{
    struct qn_run_request rq = {0};
    struct qn_outcome outcome = {0};
    QN_TRY(last_frame(r, fl->table, &fl->first, &fl->last));
    if (r->target->kind == QN_TARGET_CSR) return append_csr(r, &fl->last);
    QN_TRY(place_output(r, fl, &rq.out_base));
    struct qn_view out = rq.out_base;
    begin_request(r, &fl->last, &rq);
    device_slots(r, fl);
    rq.out_base = out;
    QN_TRY(place_flags(r, fl));
    rq.seen = NULL; /* fetched when the chunk lands: waiting here would stop the next upload */
    rq.seen_base = fl->seen.view;
    QN_TRY(qn_op_run(r->x.device, r->x.cx->threads, fl->first.queue, &rq, &outcome));
    return qn_exec_note(&r->x, "run", &outcome);
}

static quern_status download(struct run *r, struct flight *fl)
{
    struct qn_device *d = r->x.device;
    const struct qn_target *t = r->target;
    uint64_t rows = fl->table->rows;
    if (fl->out.view.raw == NULL || rows == 0) return QUERN_OK;
    if (t->kind == QN_TARGET_MATRIX) {
        struct qn_view from = fl->out.view;
        from.size = rows * r->row_bytes;
        return qn_device_download(d, fl->first.queue,
                                  (char *)t->data + (int64_t)fl->first_row * t->row_stride, rows,
                                  r->row_bytes, t->row_stride, from, QN_TRAFFIC_OUTPUT);
    }
    device_slots(r, fl);
    for (uint32_t i = 0; i < r->model->program.n_slots; i++) {
        uint64_t bytes = qn_type_bytes((quern_type)r->slots[i].type);
        struct qn_view from = {fl->out.view.raw, fl->out.view.offset + r->slots[i].offset,
                               rows * bytes};
        QN_TRY(qn_device_download(d, fl->first.queue, (char *)t->columns[i] + fl->first_row * bytes,
                                  rows, bytes, (int64_t)bytes, from, QN_TRAFFIC_OUTPUT));
    }
    return QUERN_OK;
}

/* Waits for a chunk, checks what it saw and fetches its output. */
static quern_status finish_chunk(struct run *r, struct flight *fl)
{
    if (fl->table == NULL) return QUERN_OK;
    quern_status status = download(r, fl);
    int flags = fl->seen.view.raw != NULL;
    if (status == QUERN_OK && flags)
        status = qn_device_get(r->x.device, fl->first.queue, r->seen, fl->seen.view);
    if (status == QUERN_OK) status = qn_device_finish(r->x.device, fl->first.queue);
    if (status == QUERN_OK && flags)
        status = qn_frame_check(&r->x, fl->table, &fl->last, r->x.plan->n_layers - 1,
                                &r->model->program, r->seen);
    land(r, fl);
    return status;
}

static quern_status start_chunk(struct run *r, const struct quern_table *table, uint64_t first_row,
                                uint64_t rows, uint32_t queue, struct qn_fit_rest *rest,
                                struct flight *fl)
{
    QN_TRY(qn_table_slice(table, first_row, rows, &fl->table));
    fl->first_row = first_row;
    if (rest != NULL && rest->has_frame && rest->frame.base.raw != NULL && rows == table->rows) {
        fl->kept = 1;
        QN_TRY(qn_frame_extend(&r->x, table, 0, &rest->frame));
        fl->first = rest->frame;
    } else {
        QN_TRY(qn_frame_first(&r->x, fl->table, first_row, queue, &fl->first));
    }
    memset(r->seen, 0, r->model->program.n_lanes * sizeof *r->seen);
    QN_TRY(launch_chunk(r, fl));
    if (r->target->kind != QN_TARGET_CSR) return QUERN_OK; /* checked when it lands */
    return qn_frame_check(&r->x, fl->table, &fl->last, r->x.plan->n_layers - 1, &r->model->program,
                          r->seen);
}

/* Rows per chunk so that two chunks, inputs and outputs, fit. */
static uint64_t device_chunk_rows(const struct run *r, const struct quern_table *table)
{
    const struct qn_device *d = r->x.device;
    struct qn_pool_stats stats;
    qn_pool_stats(d->pool, &stats);
    uint64_t room = d->caps.memory_free != UINT64_MAX ? d->caps.memory_free : d->caps.memory_total;
    if (stats.limit != 0 && stats.limit < room) room = stats.limit;
    room = room / 10 * 8;
    uint64_t sample = 1 << 16, in = qn_frame_bytes(&r->x, table, sample);
    uint64_t out = r->row_bytes * sample, later = 0;
    for (uint32_t k = 0; k + 1 < r->x.plan->n_layers; k++)
        later += (uint64_t)r->x.plan->layers[k + 1].n_inputs * 8 * sample;
    uint64_t both = in + out + later, one = in > out ? in : out;
    if (both == 0) return table->rows;
    double per_row = (double)both / (double)sample, widest = (double)one / (double)sample;
    if (per_row * (double)table->rows <= (double)room &&
        widest * (double)table->rows <= (double)d->caps.max_alloc)
        return table->rows;
    double rows = (double)room / (2.5 * per_row), most = (double)d->caps.max_alloc / widest;
    if (most < rows) rows = most;
    uint64_t whole = (uint64_t)rows / QN_GROUP_ROWS * QN_GROUP_ROWS;
    return whole != 0 ? whole : QN_GROUP_ROWS;
}

static quern_status on_device(struct run *r, const struct quern_table *table,
                              struct qn_fit_rest *rest)
{
    struct flight flights[2] = {0};
    quern_status status = QUERN_OK;
    uint64_t chunk = device_chunk_rows(r, table), first_row = 0;
    uint32_t turn = 0;
    if (chunk == 0) chunk = QN_GROUP_ROWS;
    do { /* while one chunk computes, the next is uploaded and the one before downloaded */
        uint64_t rows = table->rows - first_row < chunk ? table->rows - first_row : chunk;
        struct flight *now = &flights[turn & 1], *before = &flights[(turn + 1) & 1];
        if (qn_context_cancelled(r->x.cx)) {
            status = qn_context_stopped("the transform");
            goto cleanup;
        }
        QN_GO(start_chunk(r, table, first_row, rows, turn & 1, rest, now));
        QN_GO(finish_chunk(r, before));
        first_row += rows;
        turn++;
        qn_context_progress(r->x.cx, "transform", first_row, table->rows);
    } while (first_row < table->rows);
    status = finish_chunk(r, &flights[(turn + 1) & 1]);
cleanup:
    for (uint32_t i = 0; i < 2; i++)
        if (flights[i].table != NULL) {
            (void)qn_device_finish(r->x.device, i);
            land(r, &flights[i]);
        }
    return status;
}

quern_status qn_transform(struct quern_context *cx, const struct quern_model *model,
                          const struct quern_table *table, struct qn_fit_rest *rest,
                          const struct qn_target *target)
{
    struct run r = {.model = model, .target = target};
    const char *step = target->step != NULL ? target->step : "transform";
    r.x = (struct qn_exec){.cx = cx,
                           .plan = model->plan,
                           .step = step,
                           .device = cx->device,
                           .raw = rest != NULL ? rest->raw : NULL};
    uint64_t rows_before = target->csr != NULL ? target->csr->rows : 0;
    uint64_t nnz_before = target->csr != NULL ? target->csr->nnz : 0;
    QN_TRY(qn_refuse_elsewhere(cx, table));
    quern_status status = open_run(&r);
    if (status == QUERN_OK) {
        qn_context_ledger(cx)->passes += !target->continues;
        status = cx->device != NULL ? on_device(&r, table, rest) : on_host(&r, table, rest);
    }
    if (cx->device != NULL && qn_device_failed(status) && table->resident == NULL) {
        status = qn_fall_back_after(cx, step, "run", status);
        if (status == QUERN_OK) {
            r.x.device = NULL;
            if (target->csr != NULL) { /* what earlier chunks appended stays */
                target->csr->rows = rows_before;
                target->csr->nnz = nnz_before;
            }
            status = on_host(&r, table, NULL);
        }
    }
    qn_arena_free(&r.arena);
    return status;
}
