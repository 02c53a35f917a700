/* SPDX-License-Identifier: Apache-2.0
 * CSV out, as Python's csv module writes it with its default quoting: a cell is quoted if it holds
 * a comma, a quote or a newline, and if it is empty and alone in its row. */
#include <string.h>

#include "host/core/checked.h"
#include "host/data/npy.h"

enum { ROOM = 256 << 10, CELL_MAX = 64 };

struct out {
    struct qn_outfile *file;
    char *text;
    size_t used;
};

static quern_status out_open(struct out *o, struct qn_outfile *file)
{
    o->file = file;
    o->used = 0;
    o->text = qn_alloc(ROOM, 1);
    return o->text != NULL ? QUERN_OK : qn_error_memory("CSV buffer", ROOM);
}

static quern_status flush(struct out *o)
{
    quern_status status = qn_outfile_write(o->file, o->text, o->used);
    o->used = 0;
    return status;
}

/* Makes room for a short cell. */
static quern_status need(struct out *o, size_t bytes)
{
    return ROOM - o->used < bytes ? flush(o) : QUERN_OK;
}

static quern_status put_raw(struct out *o, const char *text, uint64_t size)
{
    while (size > 0) {
        QN_TRY(need(o, 1));
        size_t n = size < ROOM - o->used ? (size_t)size : ROOM - o->used;
        memcpy(o->text + o->used, text, n);
        o->used += n;
        text += n;
        size -= n;
    }
    return QUERN_OK;
}

static quern_status put_string(struct out *o, const char *text, uint64_t size, int alone)
{
    int quote = size == 0 && alone;
    for (uint64_t i = 0; i < size && !quote; i++)
        quote = text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (!quote) return put_raw(o, text, size);
    QN_TRY(put_raw(o, "\"", 1));
    while (size > 0) {
        const char *mark = memchr(text, '"', size);
        uint64_t n = mark != NULL ? (uint64_t)(mark - text) + 1 : size;
        QN_TRY(put_raw(o, text, n));
        if (mark != NULL) QN_TRY(put_raw(o, "\"", 1));
        text += n;
        size -= n;
    }
    return put_raw(o, "\"", 1);
}

#define LOAD(type)                                                                                 \
    type value;                                                                                    \
    memcpy(&value, at, sizeof value)

/* The value's text; 0 bytes: missing. */
static size_t format_cell(char *out, const quern_column *c, const char *at)
{
    switch (c->type) {
    case QUERN_BOOL: memcpy(out, *at ? "True" : "False", 5); return *at ? 4 : 5;
    case QUERN_INT8: {
        LOAD(int8_t);
        return qn_format_i64(out, value);
    }
    case QUERN_INT16: {
        LOAD(int16_t);
        return qn_format_i64(out, value);
    }
    case QUERN_INT32: {
        LOAD(int32_t);
        return qn_format_i64(out, value);
    }
    case QUERN_INT64: {
        LOAD(int64_t);
        return qn_format_i64(out, value);
    }
    case QUERN_UINT8: {
        LOAD(uint8_t);
        return qn_format_u64(out, value);
    }
    case QUERN_UINT16: {
        LOAD(uint16_t);
        return qn_format_u64(out, value);
    }
    case QUERN_UINT32: {
        LOAD(uint32_t);
        return qn_format_u64(out, value);
    }
    case QUERN_UINT64: {
        LOAD(uint64_t);
        return qn_format_u64(out, value);
    }
    case QUERN_FLOAT32: {
        LOAD(float);
        return value != value ? 0 : qn_format_f32(out, value);
    }
    case QUERN_FLOAT64: {
        LOAD(double);
        return value != value ? 0 : qn_format_f64(out, value);
    }
    case QUERN_DATETIME: {
        LOAD(int64_t);
        return qn_format_datetime(out, value);
    }
    case QUERN_STRING: break;
    }
    return 0;
}

static quern_status put_cell(struct out *o, const quern_column *c, uint64_t row, int alone)
{
    int there = qn_column_valid(c, row);
    if (c->type == QUERN_STRING) {
        uint64_t size = 0;
        const char *text = there ? qn_column_string(c, row, &size) : "";
        return put_string(o, text, size, alone);
    }
    QN_TRY(need(o, CELL_MAX));
    int64_t stride = c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type);
    const char *at = (const char *)c->data + (int64_t)row * stride;
    size_t n = there ? format_cell(o->text + o->used, c, at) : 0;
    o->used += n;
    return n == 0 && alone ? put_raw(o, "\"\"", 2) : QUERN_OK;
}

quern_status qn_csv_write_header(struct qn_outfile *file, const char *const *names, uint32_t n)
{
    quern_status status = QUERN_OK;
    struct out o;
    QN_TRY(out_open(&o, file));
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) QN_GO(put_raw(&o, ",", 1));
        QN_GO(put_string(&o, names[i], strlen(names[i]), n == 1));
    }
    QN_GO(put_raw(&o, "\n", 1));
    QN_GO(flush(&o));
cleanup:
    qn_free(o.text);
    return status;
}

quern_status qn_csv_write_rows(struct qn_outfile *file, const quern_column *columns, uint32_t n,
                               uint64_t rows)
{
    quern_status status = QUERN_OK;
    struct out o;
    QN_TRY(out_open(&o, file));
    for (uint64_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0) QN_GO(put_raw(&o, ",", 1));
            QN_GO(put_cell(&o, &columns[i], row, n == 1));
        }
        QN_GO(put_raw(&o, "\n", 1));
    }
    QN_GO(flush(&o));
cleanup:
    qn_free(o.text);
    return status;
}
