/* SPDX-License-Identifier: Apache-2.0
 * A table as one line of text, so that tests can state what they expect: name:type[cells], missing
 * cells as '-'. */
#ifndef TEST_TABLE_TEXT_H
#define TEST_TABLE_TEXT_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/data/npy.h"
#include "host/data/table.h"

enum { TABLE_TEXT = 4096 };

static inline size_t cell_text(char *out, const quern_column *c, uint64_t row)
{
    int64_t stride = c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type);
    const char *at = (const char *)c->data + (int64_t)row * stride;
    uint64_t size;
    double f64;
    float f32;
    int64_t i64;
    if (!qn_column_valid(c, row)) return (size_t)sprintf(out, "-");
    switch (c->type) {
    case QUERN_STRING: {
        const char *text = qn_column_string(c, row, &size);
        return (size_t)sprintf(out, "'%.*s'", (int)size, text);
    }
    case QUERN_FLOAT64: memcpy(&f64, at, 8); return qn_format_f64(out, f64);
    case QUERN_FLOAT32: memcpy(&f32, at, 4); return qn_format_f32(out, f32);
    case QUERN_DATETIME: memcpy(&i64, at, 8); return qn_format_datetime(out, i64);
    case QUERN_BOOL: return (size_t)sprintf(out, "%c", *at ? 'T' : 'F');
    case QUERN_INT8: return (size_t)sprintf(out, "%d", *(const int8_t *)at);
    case QUERN_INT16: return (size_t)sprintf(out, "%d", *(const int16_t *)(const void *)at);
    case QUERN_INT32: return (size_t)sprintf(out, "%d", *(const int32_t *)(const void *)at);
    case QUERN_UINT8: return (size_t)sprintf(out, "%u", *(const uint8_t *)at);
    case QUERN_UINT16: return (size_t)sprintf(out, "%u", *(const uint16_t *)(const void *)at);
    case QUERN_UINT32: return (size_t)sprintf(out, "%u", *(const uint32_t *)(const void *)at);
    case QUERN_UINT64: memcpy(&i64, at, 8); return (size_t)sprintf(out, "%" PRIu64, (uint64_t)i64);
    case QUERN_INT64: memcpy(&i64, at, 8); return (size_t)sprintf(out, "%" PRId64, i64);
    }
    return 0;
}

static inline void table_text(char *out, const struct quern_table *table)
{
    size_t n = 0;
    for (uint32_t c = 0; c < table->n_columns; c++) {
        const quern_column *column = &table->columns[c];
        n += (size_t)sprintf(out + n, "%s%s:%s[", c > 0 ? " " : "",
                             column->name != NULL ? column->name : "", qn_type_name(column->type));
        for (uint64_t r = 0; r < table->rows && n < TABLE_TEXT - 200; r++) {
            if (r > 0) out[n++] = ' ';
            n += cell_text(out + n, column, r);
        }
        out[n++] = ']';
    }
    out[n] = '\0';
}

#endif
