/* SPDX-License-Identifier: Apache-2.0
 * Tables that lie on a device: copies of host tables, and views of what other libraries of the process
 * put there. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/data/resident.h"
#include "host/data/sparse.h"

enum { ALIGN = 256 };

struct owner {
    struct qn_arena arena; /* names and the places of columns */
    struct qn_resident resident;
    struct qn_raw *adopted; /* somebody else's memory; NULL: resident.span */
    uint64_t *offsets, *strides, *bits;
};

static void release(void *memory)
{
    struct owner *o = memory;
    struct qn_device *d = o->resident.device;
    if (o->adopted != NULL) d->driver->raw_free(d->dev, o->adopted);
    if (o->resident.span.view.raw != NULL)
        qn_pool_give(d->pool, d->queue_numbers[0], &o->resident.span);
    qn_arena_free(&o->arena);
    qn_free(o);
}

static uint64_t up(uint64_t bytes)
{
    return (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static void place(struct owner *o, uint32_t i, uint64_t offset, uint64_t stride)
{
    o->offsets[i] = offset;
    o->strides[i] = stride;
    o->bits[i] = QN_NO_VALIDITY;
}

/* ---- bytes on their way to the device: from the host, or from somebody else's memory there ---- */

typedef quern_status bring_fn(struct qn_device *, struct qn_view to, const void *from,
                              uint64_t rows, uint64_t bytes, int64_t stride);

static quern_status upload(struct qn_device *d, struct qn_view to, const void *from, uint64_t rows,
                           uint64_t bytes, int64_t stride)
{
    return qn_device_upload(d, 0, to, from, rows, bytes, stride, QN_TRAFFIC_INPUT);
}

/* Packed rows only. */
static quern_status gather(struct qn_device *d, struct qn_view to, const void *from, uint64_t rows,
                           uint64_t bytes, int64_t stride)
{
    struct qn_raw *raw;
    (void)stride;
    QN_TRY(d->driver->raw_adopt(d->dev, (uint64_t)(uintptr_t)from, rows * bytes, &raw));
    struct qn_view source = {raw, 0, rows * bytes};
    quern_status status = d->driver->copy(d->queues[0], to, source);
    d->driver->raw_free(d->dev, raw); /* ends the use; the copy goes on */
    qn_pool_submitted(d->pool, d->queue_numbers[0]);
    if (status == QUERN_OK) d->ledger.on_device += source.size;
    return status;
}

/* A row-major matrix as it is. */
static quern_status bring_matrix(struct qn_device *d, const quern_table *from, struct owner *o)
{
    uint64_t value = qn_type_bytes(from->columns[0].type), row = from->n_columns * value;
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[0], up(from->rows * row) + ALIGN,
                        &o->resident.span));
    o->resident.base = o->resident.span.view;
    for (uint32_t i = 0; i < from->n_columns; i++) place(o, i, i * value, row);
    if (from->rows == 0) return QUERN_OK;
    struct qn_view to = o->resident.base;
    to.size = from->rows * row;
    return upload(d, to, from->columns[0].data, from->rows, row, from->columns[0].stride);
}

/* Column behind column, each with its bitmap. */
static quern_status bring_columns(struct qn_device *d, const quern_table *from, bring_fn *bring,
                                  struct owner *o)
{
    uint64_t total = 0, at = 0;
    for (uint32_t i = 0; i < from->n_columns; i++)
        total += up(from->rows * qn_type_bytes(from->columns[i].type)) + up(from->rows / 8 + 2);
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[0], total, &o->resident.span));
    struct qn_view base = o->resident.base = o->resident.span.view;
    for (uint32_t i = 0; i < from->n_columns; i++) {
        const quern_column *c = &from->columns[i];
        uint64_t bytes = qn_type_bytes(c->type);
        place(o, i, at, bytes);
        if (from->rows == 0) continue;
        struct qn_view to = {base.raw, base.offset + at, from->rows * bytes};
        QN_TRY(bring(d, to, c->data, from->rows, bytes, c->stride));
        at += up(from->rows * bytes);
        if (c->validity == NULL) continue;
        uint64_t first = (uint64_t)c->validity_offset >> 3;
        uint64_t n = (((uint64_t)c->validity_offset + from->rows + 7) >> 3) - first;
        to = (struct qn_view){base.raw, base.offset + at, n};
        QN_TRY(bring(d, to, c->validity + first, 1, n, (int64_t)n));
        o->bits[i] = at * 8 + ((uint64_t)c->validity_offset & 7);
        at += up(n);
    }
    return QUERN_OK;
}

/* ---- the table ---- */

static quern_status refuse_types(const quern_table *table)
{
    for (uint32_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].type == QUERN_STRING || table->columns[i].type == QUERN_DATETIME)
            return qn_error(QUERN_UNSUPPORTED, "column %u is of type %s, which stays on the host",
                            i, qn_type_name(table->columns[i].type));
    return QUERN_OK;
}

/* A table without values yet, with the names of `from`. On failure too it is freed as a table. */
static quern_status new_resident(struct qn_device *d, const quern_table *from, quern_table **out)
{
    quern_table *t = qn_zalloc(1, sizeof *t);
    struct owner *o = qn_zalloc(1, sizeof *o);
    quern_column *columns = qn_zalloc(from->n_columns, sizeof *columns);
    if (t == NULL || o == NULL || columns == NULL) {
        qn_free(t);
        qn_free(o);
        qn_free(columns);
        return qn_error_memory("table", 0);
    }
    *t = (quern_table){.rows = from->rows,
                       .n_columns = from->n_columns,
                       .columns = columns,
                       .has_names = from->has_names,
                       .is_matrix = from->is_matrix,
                       .weights = from->weights,
                       .random = from->random,
                       .target = from->target,
                       .has_target = from->has_target,
                       .owner = o,
                       .release = release,
                       .resident = &o->resident};
    *out = t;
    o->resident.device = d;
    o->offsets = qn_arena_alloc(&o->arena, from->n_columns, sizeof *o->offsets);
    o->strides = qn_arena_alloc(&o->arena, from->n_columns, sizeof *o->strides);
    o->bits = qn_arena_alloc(&o->arena, from->n_columns, sizeof *o->bits);
    if (o->offsets == NULL || o->strides == NULL || o->bits == NULL)
        return qn_error_memory("table", 0);
    o->resident.offsets = o->offsets;
    o->resident.strides = o->strides;
    o->resident.valid_bits = o->bits;
    for (uint32_t i = 0; i < from->n_columns; i++) {
        columns[i].type = from->columns[i].type;
        if (from->columns[i].name == NULL) continue;
        columns[i].name = qn_arena_strdup(&o->arena, from->columns[i].name);
        if (columns[i].name == NULL) return qn_error_memory("table", 0);
    }
    return QUERN_OK;
}

/* The end of both ways: strides as they are on the device, and all work done. */
static quern_status finish(struct qn_device *d, quern_status status, quern_table *t,
                           quern_table **out)
{
    if (status == QUERN_OK) status = qn_device_finish(d, 0);
    if (status != QUERN_OK) {
        qn_table_free(t);
        return status;
    }
    const struct owner *o = t->owner;
    for (uint32_t i = 0; i < t->n_columns; i++) t->columns[i].stride = (int64_t)o->strides[i];
    *out = t;
    return QUERN_OK;
}

quern_status quern_table_upload(quern_context *context, const quern_table *table, quern_table **out)
{
    quern_table *t = NULL;
    if (context == NULL || table == NULL || out == NULL)
        return qn_null_argument("quern_table_upload");
    *out = NULL;
    QN_TRY(qn_refuse_sparse(table, "quern_table_upload"));
    if (table->resident != NULL)
        return qn_error(QUERN_UNSUPPORTED, "the table lies on %s already",
                        table->resident->device->id);
    struct qn_device *d = context->device;
    if (d == NULL) {
        quern_table *view = NULL;
        QN_TRY(quern_table_create(table->columns, table->n_columns, table->rows, &view));
        if (view != NULL) {
            view->weights = table->weights;
            view->random = table->random;
            view->target = table->target;
            view->has_target = table->has_target;
        }
        *out = view;
        return QUERN_OK;
    }
    QN_TRY(refuse_types(table));
    quern_status status = new_resident(d, table, &t);
    if (status == QUERN_OK)
        status = table->is_matrix ? bring_matrix(d, table, t->owner)
                                  : bring_columns(d, table, upload, t->owner);
    return finish(d, status, t, out);
}

/* ---- somebody else's memory ---- */

static uint64_t address_of(const quern_column *c)
{
    return (uint64_t)(uintptr_t)c->data;
}

/* Columns that must be one array, and not several that only look like one: rows of side by side values,
 * or columns without a gap between them. */
static int is_array(const quern_table *t)
{
    const quern_column *c = t->columns;
    if (t->n_columns == 0) return 1;
    uint64_t n = t->n_columns, bytes = qn_type_bytes(c[0].type), column;
    uint64_t stride = (uint64_t)c[0].stride;
    uint64_t step = n > 1 ? address_of(&c[1]) - address_of(&c[0]) : bytes;
    for (uint32_t i = 0; i < n; i++)
        if (c[i].validity != NULL || c[i].type != c[0].type || c[i].stride != c[0].stride ||
            address_of(&c[i]) != address_of(&c[0]) + i * step)
            return 0;
    if (step <= stride / n && (n - 1) * step + bytes <= stride) return 1;
    return !qn_mul_u64(t->rows, stride, &column) && column == step;
}

static quern_status check_places(const quern_table *t, int array)
{
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const quern_column *c = &t->columns[i];
        int64_t bytes = (int64_t)qn_type_bytes(c->type);
        if (address_of(c) % (uint64_t)bytes != 0 || c->stride < bytes || c->stride % bytes != 0)
            return qn_error(QUERN_UNSUPPORTED,
                            "column %u: device memory is read at multiples of a value's %lld bytes",
                            i, (long long)bytes);
        if (!array && c->stride != bytes)
            return qn_error(QUERN_UNSUPPORTED,
                            "column %u: separate columns in device memory must be packed", i);
    }
    return QUERN_OK;
}

/* Blocks begin where the pool's would: kernels know nothing of other alignments. */
static quern_status adopt(struct qn_device *d, const quern_table *from, struct owner *o)
{
    const quern_column *first = &from->columns[0], *last = &from->columns[from->n_columns - 1];
    uint64_t base = address_of(first) & ~(uint64_t)(ALIGN - 1), column, end;
    if (qn_mul_u64(from->rows - 1, (uint64_t)first->stride, &column) ||
        qn_add_u64(column, qn_type_bytes(first->type), &column) ||
        qn_add_u64(address_of(last), column, &end))
        return qn_error(QUERN_INVALID, "an array that leaves the address space");
    QN_TRY(d->driver->raw_adopt(d->dev, base, end - base, &o->adopted));
    o->resident.base = (struct qn_view){o->adopted, 0, end - base};
    for (uint32_t i = 0; i < from->n_columns; i++)
        place(o, i, address_of(&from->columns[i]) - base, (uint64_t)first->stride);
    return QUERN_OK;
}

static quern_status from_device(struct qn_device *d, const quern_table *from, uint64_t stream,
                                void *event, quern_table **out)
{
    quern_table *t = NULL;
    int array = is_array(from);
    QN_TRY(refuse_types(from));
    if (from->rows != 0) QN_TRY(check_places(from, array));
    QN_TRY(d->driver->foreign_wait(d->dev, stream, event));
    quern_status status = new_resident(d, from, &t);
    if (status == QUERN_OK)
        status = array && from->rows != 0 ? adopt(d, from, t->owner)
                                          : bring_columns(d, from, gather, t->owner);
    return finish(d, status, t, out);
}

quern_status quern_table_from_device(quern_context *context, const quern_column *columns,
                                     uint32_t n_columns, uint64_t rows, uint64_t stream,
                                     void *event, quern_table **out)
{
    quern_table *from = NULL;
    if (context == NULL || columns == NULL || out == NULL)
        return qn_null_argument("quern_table_from_device");
    *out = NULL;
    struct qn_device *d = context->device;
    if (d == NULL || !QN_HAS(d->driver, raw_adopt) || !QN_HAS(d->driver, foreign_wait))
        return qn_error(QUERN_UNSUPPORTED,
                        "the context works on %s, which cannot read what other libraries have in a "
                        "device's memory; CUDA can",
                        context->device_id);
    QN_TRY(quern_table_create(columns, n_columns, rows, &from));
    quern_status status = from_device(d, from, stream, event, out);
    quern_table_free(from);
    return status;
}
