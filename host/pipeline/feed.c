/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/feed.h"

#include <string.h>

#include "host/core/checked.h"

/* The column from row `first` on. */
static quern_column column_from(quern_column c, uint64_t first)
{
    if (c.type == QUERN_STRING) {
        c.offsets = (const char *)c.offsets + first * (c.offset_bits / 8);
    } else if (c.data != NULL) {
        int64_t stride = c.stride != 0 ? c.stride : (int64_t)qn_type_bytes(c.type);
        c.data = (const char *)c.data + (int64_t)first * stride;
    }
    if (c.validity != NULL) c.validity_offset += (int64_t)first;
    return c;
}

quern_status qn_table_slice(const struct quern_table *from, uint64_t first, uint64_t rows,
                            struct quern_table **out)
{
    *out = NULL;
    struct quern_table *t = qn_alloc(1, sizeof *t);
    quern_column *columns = qn_alloc(from->n_columns, sizeof *columns);
    if (t == NULL || columns == NULL) {
        qn_free(t);
        qn_free(columns);
        return qn_error_memory("table slice", from->n_columns * sizeof *columns);
    }
    *t = *from;
    t->rows = rows;
    t->columns = columns;
    t->release = NULL;
    t->first_row = from->first_row + first;
    if (from->weights != NULL) t->weights = from->weights + first;
    if (from->has_target) t->target = column_from(from->target, first);
    for (uint32_t i = 0; i < from->n_columns; i++)
        columns[i] = column_from(from->columns[i], first);
    *out = t;
    return QUERN_OK;
}

static void drop_chunk(struct qn_feed *f)
{
    qn_table_free(f->slice);
    f->slice = NULL;
    qn_table_free(f->current);
    f->current = NULL;
}

quern_status qn_feed_rewind(struct qn_feed *f)
{
    drop_chunk(f);
    f->at = 0;
    return f->stream != NULL ? qn_csv_rewind(f->stream) : QUERN_OK;
}

quern_status qn_feed_next(struct qn_feed *f, const struct quern_table **out, uint64_t *first_row)
{
    drop_chunk(f);
    *out = NULL;
    *first_row = f->at;
    if (f->stream != NULL) {
        QN_TRY(qn_csv_next(f->stream, f->chunk, &f->current));
        if (f->current == NULL) return QUERN_OK;
        f->at += f->current->rows;
        *out = f->current;
        return QUERN_OK;
    }
    if (f->at >= f->table->rows && !(f->at == 0 && f->table->rows == 0)) return QUERN_OK;
    if (f->chunk == 0 || f->chunk >= f->table->rows) {
        f->at = f->table->rows != 0 ? f->table->rows : 1;
        *out = f->table;
        return QUERN_OK;
    }
    uint64_t rows = f->table->rows - f->at < f->chunk ? f->table->rows - f->at : f->chunk;
    QN_TRY(qn_table_slice(f->table, f->at, rows, &f->slice));
    f->at += rows;
    *out = f->slice;
    return QUERN_OK;
}

void qn_feed_close(struct qn_feed *f)
{
    drop_chunk(f);
}
