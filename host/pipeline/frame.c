/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/frame.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/data/resident.h"
#include "host/stats/categories_derive.h"

quern_status qn_exec_note(struct qn_exec *x, const char *operation,
                          const struct qn_outcome *outcome)
{
    return qn_context_decide(x->cx, x->step, operation, NULL, outcome->implementation,
                             outcome->reasons);
}

int qn_device_failed(quern_status status)
{
    return status == QUERN_UNSUPPORTED || status == QUERN_DEVICE_LOST ||
           status == QUERN_OUT_OF_MEMORY || status == QUERN_COMPILE;
}

quern_status qn_fall_back_after(struct quern_context *cx, const char *step, const char *operation,
                                quern_status failure)
{
    struct qn_failure why;
    qn_error_take(&why, failure);
    if (failure == QUERN_DEVICE_LOST) cx->device->lost = 1;
    quern_status status = qn_context_fall_back(cx, step, operation, "cpu", why.text);
    return status == QUERN_OK ? QUERN_OK : qn_error_put(&why);
}

quern_status qn_refuse_elsewhere(const struct quern_context *cx, const struct quern_table *table)
{
    const struct qn_resident *r = qn_table_resident(table);
    if (r == NULL || r->device == cx->device) return QUERN_OK;
    return qn_error(QUERN_UNSUPPORTED,
                    "the table lies on %s, in another context than this one, which works on %s",
                    r->device->id, cx->device_id);
}

static quern_status own(struct qn_frame *f, void *memory)
{
    void **more = qn_realloc(f->owned, (size_t)f->n_owned + 1, sizeof *more);
    if (more == NULL) {
        qn_free(memory);
        return qn_error_memory("pipeline", 0);
    }
    f->owned = more;
    f->owned[f->n_owned++] = memory;
    return QUERN_OK;
}

static void device_free(struct qn_exec *x, struct qn_frame *f)
{
    if (x->device == NULL) return;
    if (f->wrapped != NULL) {
        (void)qn_device_finish(x->device, f->queue);
        x->device->driver->raw_free(x->device->dev, f->wrapped);
    }
    if (f->span.view.raw != NULL)
        qn_pool_give(x->device->pool, x->device->queue_numbers[f->queue], &f->span);
    f->wrapped = NULL;
}

void qn_frame_free(struct qn_exec *x, struct qn_frame *f)
{
    device_free(x, f);
    for (uint32_t i = 0; i < f->n_owned; i++) qn_free(f->owned[i]);
    qn_free(f->owned);
    qn_free(f->cells);
    memset(f, 0, sizeof *f);
}

/* ---- code columns ---- */

/* What final code of the fit's set means in the lookup set. */
static quern_status code_map(const struct qn_categories *from, const struct qn_categories *lookup,
                             uint32_t **out)
{
    uint32_t n = qn_categories_count(from);
    uint32_t *map = qn_alloc((size_t)n + 1, sizeof *map);
    if (map == NULL) return qn_error_memory("pipeline", n);
    for (uint32_t i = 0; i < n; i++) {
        if (qn_categories_type(from) == QUERN_STRING) {
            uint64_t bytes;
            const char *text = qn_categories_string(from, i, &bytes);
            map[i] = qn_categories_find_string(lookup, text, bytes);
        } else {
            map[i] = qn_categories_find_i64(lookup, qn_categories_i64(from, i));
        }
    }
    map[n] = qn_categories_count(lookup);
    *out = map;
    return QUERN_OK;
}

/* The codes of one encoding for the frame's rows, on the host. */
static quern_status encode(struct qn_exec *x, const struct quern_table *table,
                           const struct qn_frame *f, const struct qn_encoding *e,
                           struct qn_cells *cells, void *out)
{
    const struct qn_raw_codes *raw = x->raw != NULL ? &x->raw[e->source] : NULL;
    if (raw == NULL || raw->codes == NULL)
        return qn_categories_encode(e->lookup, x->cx->threads, &table->columns[e->source], f->rows,
                                    out, e->type, &cells->unknown, &cells->first_unknown);
    uint32_t *map = NULL;
    QN_TRY(code_map(raw->set, e->lookup, &map));
    quern_status status = qn_categories_recode(raw->set, x->cx->threads, raw->codes + f->first_row,
                                               f->rows, map, out, e->type);
    qn_free(map);
    return status;
}

static quern_status host_codes(struct qn_exec *x, const struct quern_table *table,
                               const struct qn_layer *layer, struct qn_frame *f)
{
    for (uint32_t i = f->n_encoded; i < layer->n_encodings; i++) {
        const struct qn_encoding *e = &layer->encodings[i];
        size_t bytes = qn_type_bytes(e->type);
        void *codes = qn_alloc_aligned((size_t)f->rows, bytes);
        if (codes == NULL) return qn_error_memory("pipeline", f->rows * bytes);
        QN_TRY(own(f, codes));
        struct qn_cells *cells = &f->cells[f->n_inputs + i];
        *cells = (struct qn_cells){.data = codes,
                                   .stride = (int64_t)bytes,
                                   .valid_bit = QN_NO_VALIDITY,
                                   .type = e->type,
                                   .table_column = e->source,
                                   .missing_code = qn_categories_count(e->lookup)};
        QN_TRY(encode(x, table, f, e, cells, codes));
        f->n_encoded = i + 1;
    }
    return QUERN_OK;
}

static quern_status grow_cells(struct qn_frame *f, const struct qn_layer *layer)
{
    uint32_t n = layer->n_inputs + layer->n_encodings;
    if (n <= f->n_cells) return QUERN_OK;
    struct qn_cells *more = qn_realloc(f->cells, n, sizeof *more);
    if (more == NULL) return qn_error_memory("pipeline", n);
    memset(more + f->n_cells, 0, (n - f->n_cells) * sizeof *more);
    f->cells = more;
    f->n_cells = n;
    return QUERN_OK;
}

/* ---- device memory ---- */

static uint64_t up(uint64_t bytes)
{
    return (bytes + 255) & ~(uint64_t)255;
}

static quern_status take(struct qn_exec *x, struct qn_frame *f, uint64_t bytes)
{
    struct qn_device *d = x->device;
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[f->queue], bytes != 0 ? bytes : 4, &f->span));
    f->base = f->span.view;
    return QUERN_OK;
}

/* Codes made on the host go behind what is on the device; the base grows by a copy inside the device,
 * which crosses no bus. */
static quern_status device_codes(struct qn_exec *x, const struct qn_layer *layer,
                                 struct qn_frame *f, uint32_t from)
{
    struct qn_device *d = x->device;
    uint64_t at = up(f->base_used), total = at;
    for (uint32_t i = from; i < layer->n_encodings; i++)
        total += up(f->rows * qn_type_bytes(layer->encodings[i].type));
    if (from == layer->n_encodings) return QUERN_OK;
    if (f->base.raw == NULL || f->wrapped != NULL || f->resident || total > f->span.granted) {
        struct qn_frame old = *f;
        f->wrapped = NULL;
        f->resident = 0;
        memset(&f->span, 0, sizeof f->span);
        quern_status status = take(x, f, total);
        if (status == QUERN_OK && old.base_used != 0) {
            struct qn_view to = {f->base.raw, f->base.offset, old.base_used};
            struct qn_view source = {old.base.raw, old.base.offset, old.base_used};
            status = d->driver->copy(d->queues[f->queue], to, source);
            d->ledger.on_device += old.base_used;
        }
        qn_pool_submitted(d->pool, d->queue_numbers[f->queue]);
        device_free(x, &old);
        QN_TRY(status);
    }
    for (uint32_t i = from; i < layer->n_encodings; i++) {
        struct qn_cells *c = &f->cells[f->n_inputs + i];
        uint64_t bytes = qn_type_bytes(layer->encodings[i].type);
        c->offset = at;
        c->device_stride = bytes;
        struct qn_view to = {f->base.raw, f->base.offset + at, f->rows * bytes};
        if (f->rows != 0)
            QN_TRY(qn_device_upload(d, f->queue, to, c->data, f->rows, bytes, (int64_t)bytes,
                                    QN_TRAFFIC_INPUT));
        at += up(f->rows * bytes);
    }
    f->base_used = at;
    return QUERN_OK;
}

/* A row-major table that the device can use where it lies. */
static quern_status wrap_matrix(struct qn_exec *x, const struct quern_table *table,
                                struct qn_frame *f)
{
    struct qn_device *d = x->device;
    const quern_column *c = &table->columns[0];
    if (!table->is_matrix || !d->zero_copy || !QN_HAS(d->driver, raw_wrap) || f->rows == 0)
        return QUERN_UNSUPPORTED;
    size_t value = qn_type_bytes(c->type);
    uint64_t bytes = (f->rows - 1) * (uint64_t)c->stride + table->n_columns * value;
    void *memory;
    memcpy(&memory, &c->data, sizeof memory);
    quern_status status = d->driver->raw_wrap(d->dev, memory, bytes, 0, &f->wrapped);
    if (status != QUERN_OK) return QUERN_UNSUPPORTED;
    f->base = (struct qn_view){f->wrapped, 0, bytes};
    f->base_used = bytes;
    for (uint32_t i = 0; i < table->n_columns; i++) {
        f->cells[i].offset = i * value;
        f->cells[i].device_stride = (uint64_t)c->stride;
        f->cells[i].valid_bit = QN_NO_VALIDITY;
    }
    d->ledger.wrapped += bytes;
    return QUERN_OK;
}

static int on_device_column(const struct qn_exec *x, const struct quern_table *table, uint32_t i)
{
    return x->plan->used[i] && table->columns[i].type != QUERN_STRING &&
           table->columns[i].type != QUERN_DATETIME;
}

uint64_t qn_frame_bytes(const struct qn_exec *x, const struct quern_table *table, uint64_t rows)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < table->n_columns; i++) {
        if (!x->plan->used[i]) continue;
        size_t bytes = qn_type_bytes(table->columns[i].type);
        total += up(rows * (bytes != 0 ? bytes : 4));
        if (table->columns[i].validity != NULL) total += up(rows / 8 + 2);
    }
    return total;
}

/* The whole row-major table as one run of bytes, when most of it is used. */
static quern_status upload_matrix(struct qn_exec *x, const struct quern_table *table,
                                  struct qn_frame *f, int *done)
{
    const quern_column *c = &table->columns[0];
    size_t value = qn_type_bytes(c->type);
    uint64_t row = table->n_columns * value;
    uint32_t used = 0;
    for (uint32_t i = 0; i < table->n_columns; i++) used += x->plan->used[i] != 0;
    *done = table->is_matrix && used == table->n_columns;
    if (!*done) return QUERN_OK;
    QN_TRY(take(x, f, f->rows * row));
    struct qn_view to = {f->base.raw, f->base.offset, f->rows * row};
    if (f->rows != 0)
        QN_TRY(qn_device_upload(x->device, f->queue, to, c->data, f->rows, row, c->stride,
                                QN_TRAFFIC_INPUT));
    for (uint32_t i = 0; i < table->n_columns; i++) {
        f->cells[i].offset = i * value;
        f->cells[i].device_stride = row;
        f->cells[i].valid_bit = QN_NO_VALIDITY;
    }
    f->base_used = f->rows * row;
    return QUERN_OK;
}

static quern_status upload_columns(struct qn_exec *x, const struct quern_table *table,
                                   struct qn_frame *f)
{
    uint64_t at = 0;
    QN_TRY(take(x, f, qn_frame_bytes(x, table, f->rows)));
    for (uint32_t i = 0; i < table->n_columns; i++) {
        struct qn_cells *cell = &f->cells[i];
        if (!on_device_column(x, table, i)) continue;
        uint64_t bytes = qn_type_bytes(cell->type);
        cell->offset = at;
        cell->device_stride = bytes;
        cell->valid_bit = QN_NO_VALIDITY;
        struct qn_view to = {f->base.raw, f->base.offset + at, f->rows * bytes};
        if (f->rows == 0) continue;
        QN_TRY(qn_device_upload(x->device, f->queue, to, cell->data, f->rows, bytes, cell->stride,
                                QN_TRAFFIC_INPUT));
        at += up(f->rows * bytes);
        if (cell->validity == NULL) continue;
        uint64_t first = (uint64_t)cell->validity_offset >> 3;
        uint64_t last = ((uint64_t)cell->validity_offset + f->rows + 7) >> 3;
        to = (struct qn_view){f->base.raw, f->base.offset + at, last - first};
        QN_TRY(qn_device_upload(x->device, f->queue, to, cell->validity + first, 1, last - first,
                                (int64_t)(last - first), QN_TRAFFIC_INPUT));
        cell->valid_bit = at * 8 + ((uint64_t)cell->validity_offset & 7);
        at += up(last - first);
    }
    f->base_used = at;
    return QUERN_OK;
}

/* A table that was uploaded before (quern_table_upload): its own memory is the base. */
static void use_resident(const struct quern_table *table, struct qn_frame *f)
{
    const struct qn_resident *r = qn_table_resident(table);
    f->base = r->base;
    f->base_used = r->base.size;
    f->resident = 1;
    for (uint32_t i = 0; i < table->n_columns; i++) {
        f->cells[i].offset = r->offsets[i] + f->first_row * r->strides[i];
        f->cells[i].device_stride = r->strides[i];
        f->cells[i].valid_bit =
            r->valid_bits[i] == QN_NO_VALIDITY ? QN_NO_VALIDITY : r->valid_bits[i] + f->first_row;
        f->cells[i].data = NULL;
    }
}

static quern_status place_on_device(struct qn_exec *x, const struct quern_table *table,
                                    struct qn_frame *f)
{
    int done;
    const struct qn_resident *resident = qn_table_resident(table);
    if (resident != NULL && resident->device == x->device) {
        use_resident(table, f);
        return QUERN_OK;
    }
    if (wrap_matrix(x, table, f) == QUERN_OK) return QUERN_OK;
    QN_TRY(upload_matrix(x, table, f, &done));
    return done ? QUERN_OK : upload_columns(x, table, f);
}

/* ---- frames ---- */

static quern_status first_frame(struct qn_exec *x, const struct quern_table *table,
                                uint64_t first_row, struct qn_frame *f)
{
    f->rows = table->rows;
    f->first_row = first_row;
    f->n_inputs = table->n_columns;
    f->cells = qn_zalloc(table->n_columns, sizeof *f->cells);
    if (f->cells == NULL) return qn_error_memory("pipeline", table->n_columns);
    f->n_cells = table->n_columns;
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const quern_column *c = &table->columns[i];
        f->cells[i] = (struct qn_cells){
            .data = c->data,
            .stride = c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type),
            .validity = c->validity,
            .validity_offset = c->validity_offset,
            .valid_bit = QN_NO_VALIDITY,
            .type = c->type,
            .table_column = i,
        };
    }
    return x->device != NULL ? place_on_device(x, table, f) : QUERN_OK;
}

/* The inputs of a later layer one after the other; returns the bytes that they take. */
static uint64_t place_cells(const struct qn_layer *to, uint64_t rows, struct qn_cells *cells)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < to->n_inputs; i++) {
        uint64_t bytes = qn_type_bytes(to->input_types[i]);
        cells[i] = (struct qn_cells){.stride = (int64_t)bytes,
                                     .offset = at,
                                     .device_stride = bytes,
                                     .valid_bit = QN_NO_VALIDITY,
                                     .type = to->input_types[i]};
        at += up(rows * bytes);
    }
    return at;
}

/* Runs `program` of the layer before into packed columns: the inputs of the next. */
static quern_status next_frame(struct qn_exec *x, const struct quern_table *table,
                               const struct qn_frame *before, uint32_t layer, struct qn_frame *f)
{
    quern_status status = QUERN_OK;
    const struct qn_layer *from = &x->plan->layers[layer - 1], *to = from + 1;
    struct qn_arena arena = {0};
    struct qn_program program;
    struct qn_run_request rq = {0};
    struct qn_outcome outcome = {0};
    uint64_t at = 0;
    f->rows = before->rows;
    f->first_row = before->first_row;
    f->queue = before->queue;
    f->n_inputs = f->n_cells = to->n_inputs;
    f->cells = qn_zalloc(to->n_inputs, sizeof *f->cells);
    if (f->cells == NULL) return qn_error_memory("pipeline", to->n_inputs);
    QN_GO(qn_program_make(&arena, from, from->outputs, from->n_outputs, NULL, &program));
    struct qn_slot *slots = qn_arena_alloc(&arena, from->n_outputs, sizeof *slots);
    struct qn_lane *lanes =
        qn_arena_alloc(&arena, (size_t)program.n_lanes + program.n_operands, sizeof *lanes);
    uint32_t *seen = qn_arena_alloc(&arena, program.n_lanes, sizeof *seen);
    if (slots == NULL || lanes == NULL || seen == NULL) {
        status = qn_error_memory("pipeline", from->n_outputs);
        goto cleanup;
    }
    for (uint32_t i = 0; i < from->n_outputs; i++) {
        uint64_t bytes = qn_type_bytes(from->outputs[i].type);
        slots[i] = (struct qn_slot){.offset = at,
                                    .stride = bytes,
                                    .lane = program.slots[i].lane,
                                    .match = program.slots[i].match,
                                    .type = (uint32_t)program.slots[i].type};
        at += up(before->rows * bytes);
    }
    at = place_cells(to, before->rows, f->cells);
    if (x->device != NULL) {
        QN_GO(take(x, f, at));
        f->base_used = at;
        rq.out_base = f->base;
    } else {
        char *memory = qn_alloc_aligned((size_t)at, 1);
        if (memory == NULL) {
            status = qn_error_memory("pipeline", at);
            goto cleanup;
        }
        QN_GO(own(f, memory));
        for (uint32_t i = 0; i < to->n_inputs; i++) f->cells[i].data = memory + f->cells[i].offset;
        rq.out_host = memory;
    }
    qn_frame_batch(before, &program, lanes, &rq.batch);
    rq.slots = slots;
    rq.n_slots = from->n_outputs;
    rq.norms = program.norms;
    rq.n_norms = program.n_norms;
    rq.seen = seen;
    QN_GO(qn_op_run(x->device, x->cx->threads, f->queue, &rq, &outcome));
    QN_GO(qn_exec_note(x, "run", &outcome));
    QN_GO(qn_frame_check(x, table, before, layer - 1, &program, seen));
    status = qn_frame_rows(x, to, f);
cleanup:
    qn_arena_free(&arena);
    return status;
}

quern_status qn_frame_extend(struct qn_exec *x, const struct quern_table *table, uint32_t layer,
                             struct qn_frame *f)
{
    const struct qn_layer *l = &x->plan->layers[layer];
    uint32_t from = f->n_encoded;
    QN_TRY(grow_cells(f, l));
    QN_TRY(host_codes(x, table, l, f));
    return x->device != NULL ? device_codes(x, l, f, from) : QUERN_OK;
}

quern_status qn_frame_first(struct qn_exec *x, const struct quern_table *table, uint64_t first_row,
                            uint32_t queue, struct qn_frame *out)
{
    *out = (struct qn_frame){.queue = queue};
    quern_status status = first_frame(x, table, first_row, out);
    if (status == QUERN_OK) status = qn_frame_extend(x, table, 0, out);
    if (status != QUERN_OK) qn_frame_free(x, out);
    return status;
}

quern_status qn_frame_next(struct qn_exec *x, const struct quern_table *table,
                           const struct qn_frame *before, uint32_t layer, struct qn_frame *out)
{
    *out = (struct qn_frame){.queue = before->queue};
    quern_status status = next_frame(x, table, before, layer, out);
    if (status == QUERN_OK) status = qn_frame_extend(x, table, layer, out);
    if (status != QUERN_OK) qn_frame_free(x, out);
    return status;
}

quern_status qn_frame_make(struct qn_exec *x, const struct quern_table *table, uint64_t first_row,
                           uint32_t layer, uint32_t queue, struct qn_frame *out)
{
    QN_TRY(qn_frame_first(x, table, first_row, queue, out));
    for (uint32_t k = 1; k <= layer; k++) {
        struct qn_frame before = *out;
        quern_status status = qn_frame_next(x, table, &before, k, out);
        qn_frame_free(x, &before);
        if (status != QUERN_OK) return status;
    }
    return QUERN_OK;
}

void qn_frame_batch(const struct qn_frame *f, const struct qn_program *p, struct qn_lane *lanes,
                    struct qn_batch *out)
{
    for (uint32_t i = 0; i < p->n_lanes + p->n_operands; i++) {
        const struct qn_program_lane *from = &p->lanes[i];
        const struct qn_cells *c = &f->cells[from->source];
        lanes[i] = (struct qn_lane){
            .data = c->data,
            .stride = f->base.raw != NULL ? (int64_t)c->device_stride : c->stride,
            .validity = c->validity,
            .validity_offset = c->validity_offset,
            .offset = c->offset,
            .valid_bit = c->valid_bit,
            .type = (uint32_t)c->type,
            .work = from->work,
            .first_op = from->first_op,
            .n_ops = from->n_ops,
        };
    }
    *out = (struct qn_batch){.first_row = f->first_row,
                             .rows = f->rows,
                             .lanes = lanes,
                             .n_lanes = p->n_lanes,
                             .ops = p->ops,
                             .n_ops = p->n_ops,
                             .words = p->words,
                             .n_words = p->n_words,
                             .operands = lanes + p->n_lanes,
                             .n_operands = p->n_operands,
                             .base = f->base};
}
