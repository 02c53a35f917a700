/* SPDX-License-Identifier: Apache-2.0
 * Tables of the public interface: views; buffers, and transforms into them. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/core/utf8.h"
#include "host/data/buffer.h"
#include "host/data/sparse.h"
#include "host/stats/draw.h"

struct names {
    struct qn_arena arena;
};

static void names_release(void *owner)
{
    struct names *n = owner;
    qn_arena_free(&n->arena);
    qn_free(n);
}

/* An empty table whose names it owns. */
static quern_status new_table(uint32_t n_columns, uint64_t rows, quern_table **out,
                              struct names **names)
{
    quern_table *t = qn_zalloc(1, sizeof *t);
    *names = qn_zalloc(1, sizeof **names);
    quern_column *columns = qn_zalloc(n_columns, sizeof *columns);
    if (t == NULL || *names == NULL || columns == NULL) {
        qn_free(t);
        qn_free(*names);
        qn_free(columns);
        return qn_error_memory("table", n_columns * sizeof *columns);
    }
    *t = (quern_table){.rows = rows,
                       .n_columns = n_columns,
                       .columns = columns,
                       .owner = *names,
                       .release = names_release};
    *out = t;
    return QUERN_OK;
}

static quern_status check_column(const quern_column *c, uint32_t i, uint64_t rows)
{
    if ((unsigned)c->type > QUERN_DATETIME)
        return qn_error(QUERN_INVALID, "column %u: unknown type %d", i, (int)c->type);
    if (rows != 0 && c->data == NULL && c->type != QUERN_STRING)
        return qn_error(QUERN_INVALID, "column %u: data is NULL", i);
    if (c->type == QUERN_STRING) {
        if (c->offset_bits != 32 && c->offset_bits != 64)
            return qn_error(QUERN_INVALID, "column %u: offset_bits is %u, not 32 or 64", i,
                            c->offset_bits);
        if (c->offsets == NULL) return qn_error(QUERN_INVALID, "column %u: offsets is NULL", i);
    }
    if (c->name != NULL && !qn_utf8_valid(c->name, strlen(c->name)))
        return qn_error(QUERN_INVALID, "column %u: the name is not UTF-8", i);
    if (c->validity != NULL && c->validity_offset < 0)
        return qn_error(QUERN_INVALID, "column %u: validity_offset is negative", i);
    return QUERN_OK;
}

/* Columns that are the columns of one row-major matrix, in order. */
static int is_matrix(const quern_column *columns, uint32_t n)
{
    size_t bytes = n != 0 ? qn_type_bytes(columns[0].type) : 0;
    if (bytes == 0 || columns[0].type == QUERN_DATETIME) return 0;
    for (uint32_t i = 0; i < n; i++) {
        const quern_column *c = &columns[i];
        if (c->type != columns[0].type || c->stride != columns[0].stride || c->validity != NULL ||
            (uintptr_t)c->data != (uintptr_t)columns[0].data + i * bytes) /* NULL without rows */
            return 0;
    }
    return columns[0].stride >= (int64_t)(n * bytes);
}

quern_status quern_table_create(const quern_column *columns, uint32_t n_columns, uint64_t rows,
                                quern_table **out)
{
    quern_table *t = NULL;
    struct names *names;
    if (out == NULL || columns == NULL) return qn_null_argument("quern_table_create");
    *out = NULL;
    if (n_columns == 0) return qn_error(QUERN_INVALID, "a table needs at least one column");
    for (uint32_t i = 0; i < n_columns; i++) {
        QN_TRY(check_column(&columns[i], i, rows));
        if ((columns[i].name == NULL) != (columns[0].name == NULL))
            return qn_error(QUERN_INVALID, "column %u: names are given for all columns or none", i);
    }
    QN_TRY(new_table(n_columns, rows, &t, &names));
    t->has_names = columns[0].name != NULL;
    for (uint32_t i = 0; i < n_columns; i++) {
        t->columns[i] = columns[i];
        if (columns[i].stride == 0) t->columns[i].stride = (int64_t)qn_type_bytes(columns[i].type);
        if (columns[i].name == NULL) continue;
        t->columns[i].name = qn_arena_strdup(&names->arena, columns[i].name);
        if (t->columns[i].name == NULL) {
            qn_table_free(t);
            return qn_error_memory("table", 0);
        }
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(t->columns[k].name, t->columns[i].name) == 0) {
                qn_table_free(t);
                return qn_error(QUERN_INVALID, "two columns are called \"%s\"", columns[i].name);
            }
    }
    t->is_matrix = is_matrix(t->columns, n_columns);
    *out = t;
    return QUERN_OK;
}

quern_status quern_table_from_matrix(const void *data, quern_type type, uint64_t rows,
                                     uint32_t columns, int64_t row_stride, const char *const *names,
                                     quern_table **out)
{
    size_t value = qn_type_bytes(type), row;
    if (out == NULL || (data == NULL && rows != 0))
        return qn_null_argument("quern_table_from_matrix");
    *out = NULL;
    if (value == 0 || type == QUERN_DATETIME)
        return qn_error(QUERN_INVALID, "a matrix holds numbers, not %s", qn_type_name(type));
    if (columns == 0 || qn_mul_size(columns, value, &row) || row > INT32_MAX * (size_t)1024)
        return qn_error(QUERN_INVALID, "a matrix of %u columns", columns);
    if (row_stride == 0) row_stride = (int64_t)row;
    if (row_stride < (int64_t)row)
        return qn_error(QUERN_INVALID, "row_stride %lld is less than a row's %zu bytes",
                        (long long)row_stride, row);
    quern_column *views = qn_zalloc(columns, sizeof *views);
    if (views == NULL) return qn_error_memory("table", columns * sizeof *views);
    for (uint32_t i = 0; i < columns; i++) {
        views[i] = (quern_column){.name = names != NULL ? names[i] : NULL,
                                  .type = type,
                                  .data = data != NULL ? (const char *)data + i * value : NULL,
                                  .stride = row_stride};
    }
    quern_status status = quern_table_create(views, columns, rows, out);
    qn_free(views);
    return status;
}

quern_status quern_table_set_weights(quern_table *table, const double *weights)
{
    if (table == NULL) return qn_null_argument("quern_table_set_weights");
    for (uint64_t row = 0; weights != NULL && row < table->rows; row++)
        if (!qn_weight_good(weights[row]))
            return qn_error(QUERN_INVALID,
                            "row %llu: the weight is %g; weights are finite numbers, 0 or more",
                            (unsigned long long)row, weights[row]);
    table->weights = weights;
    return QUERN_OK;
}

quern_status quern_table_set_random_state(quern_table *table, uint32_t *state)
{
    if (table == NULL) return qn_null_argument("quern_table_set_random_state");
    if (state != NULL && state[QN_TWISTER_WORDS] > QN_TWISTER_WORDS)
        return qn_error(QUERN_INVALID, "the random state's position is %u, beyond its %d words",
                        state[QN_TWISTER_WORDS], QN_TWISTER_WORDS);
    table->random = state;
    return QUERN_OK;
}

quern_status quern_table_set_target(quern_table *table, const quern_column *target)
{
    if (table == NULL) return qn_null_argument("quern_table_set_target");
    if (target != NULL) QN_TRY(check_column(target, 0, table->rows));
    table->has_target = target != NULL;
    if (target != NULL) table->target = *target;
    return QUERN_OK;
}

void quern_table_free(quern_table *table)
{
    qn_table_free(table);
}

uint64_t quern_table_rows(const quern_table *table)
{
    return table->rows;
}

uint32_t quern_table_columns(const quern_table *table)
{
    return table->n_columns;
}

const quern_column *quern_table_column(const quern_table *table, uint32_t i)
{
    return i < table->n_columns ? &table->columns[i] : NULL;
}

/* ---- buffers ---- */

quern_status quern_buffer_alloc(quern_context *context, uint64_t bytes, quern_buffer **out)
{
    if (context == NULL || out == NULL) return qn_null_argument("quern_buffer_alloc");
    *out = NULL;
    quern_buffer *b = qn_zalloc(1, sizeof *b);
    if (b == NULL) return qn_error_memory("buffer", sizeof *b);
    b->context = context;
    b->bytes = bytes;
    quern_status status = QUERN_OK;
    struct qn_device *d = context->device;
    if (d != NULL) {
        status = qn_pool_take(d->pool, d->queue_numbers[0], bytes != 0 ? bytes : 4, &b->span);
    } else {
        b->host = qn_alloc_aligned((size_t)bytes, 1);
        if (b->host == NULL) status = qn_error_memory("buffer", bytes);
    }
    if (status != QUERN_OK) {
        qn_free(b);
        return status;
    }
    *out = b;
    return QUERN_OK;
}

static quern_status check_range(const quern_buffer *b, uint64_t offset, uint64_t bytes)
{
    if (offset <= b->bytes && bytes <= b->bytes - offset) return QUERN_OK;
    return qn_error(QUERN_INVALID, "bytes %llu … +%llu are outside a buffer of %llu",
                    (unsigned long long)offset, (unsigned long long)bytes,
                    (unsigned long long)b->bytes);
}

quern_status quern_buffer_upload(quern_buffer *b, uint64_t offset, const void *from, uint64_t bytes)
{
    QN_TRY(check_range(b, offset, bytes));
    if (bytes == 0) return QUERN_OK;
    if (b->host != NULL) {
        memcpy(b->host + offset, from, (size_t)bytes);
        return QUERN_OK;
    }
    struct qn_view to = {b->span.view.raw, b->span.view.offset + offset, bytes};
    QN_TRY(qn_device_upload(b->context->device, 0, to, from, 1, bytes, (int64_t)bytes,
                            QN_TRAFFIC_INPUT));
    return qn_device_finish(b->context->device, 0);
}

quern_status quern_buffer_download(const quern_buffer *b, uint64_t offset, void *to, uint64_t bytes)
{
    QN_TRY(check_range(b, offset, bytes));
    if (bytes == 0) return QUERN_OK;
    if (b->host != NULL) {
        memcpy(to, b->host + offset, (size_t)bytes);
        return QUERN_OK;
    }
    struct qn_view from = {b->span.view.raw, b->span.view.offset + offset, bytes};
    return qn_device_download(b->context->device, 0, to, 1, bytes, (int64_t)bytes, from,
                              QN_TRAFFIC_OUTPUT);
}

void quern_buffer_free(quern_buffer *b)
{
    if (b == NULL) return;
    if (b->host == NULL)
        qn_pool_give(b->context->device->pool, b->context->device->queue_numbers[0], &b->span);
    qn_free(b->host);
    qn_free(b);
}

/* ---- into device memory ---- */

quern_status quern_model_transform_to(quern_context *context, const quern_model *model,
                                      const quern_table *table, quern_buffer *buffer)
{
    quern_table *bound;
    if (context == NULL || model == NULL || table == NULL || buffer == NULL)
        return qn_null_argument("quern_model_transform_to");
    QN_TRY(qn_refuse_sparse(table, "quern_model_transform_to"));
    if (model->dtype == QUERN_STRING)
        return qn_error(QUERN_UNSUPPORTED, "string columns pass through; there is no matrix");
    uint64_t row = model->program.n_slots * qn_type_bytes(model->dtype), bytes;
    if (qn_mul_u64(row, table->rows, &bytes) || bytes > buffer->bytes)
        return qn_error(QUERN_INVALID, "the buffer has %llu bytes; %llu are needed",
                        (unsigned long long)buffer->bytes, (unsigned long long)bytes);
    QN_TRY(qn_model_bind(model, table, &bound));
    struct qn_target target = {.kind = QN_TARGET_MATRIX,
                               .data = buffer->host,
                               .row_stride = (int64_t)row,
                               .device = buffer->span.view};
    quern_status status = qn_transform(context, model, bound, NULL, &target);
    qn_table_free(bound);
    return status;
}
