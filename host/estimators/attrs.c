/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/attrs.h"

#include <inttypes.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/data/npy.h"

static struct qn_attr *add(struct qn_attrs *attrs, const char *name, enum qn_attr_kind kind,
                           uint32_t n)
{
    struct qn_attr *a = qn_arena_alloc(attrs->arena, 1, sizeof *a);
    if (a == NULL) return NULL;
    a->name = name;
    a->kind = kind;
    a->n = n;
    if (attrs->last != NULL)
        attrs->last->next = a;
    else
        attrs->first = a;
    attrs->last = a;
    return a;
}

double *qn_attrs_f64(struct qn_attrs *attrs, const char *name, uint32_t n)
{
    double *values = qn_arena_alloc(attrs->arena, n, sizeof *values);
    struct qn_attr *a = values != NULL ? add(attrs, name, QN_ATTR_F64, n) : NULL;
    if (a == NULL) return NULL;
    a->f64 = values;
    return values;
}

double *qn_attrs_matrix(struct qn_attrs *attrs, const char *name, uint64_t rows, uint32_t columns)
{
    size_t cells;
    if (qn_mul_size((size_t)rows, columns, &cells)) return NULL;
    double *values = qn_arena_alloc(attrs->arena, cells, sizeof *values);
    struct qn_attr *a = values != NULL ? add(attrs, name, QN_ATTR_MATRIX, columns) : NULL;
    if (a == NULL) return NULL;
    a->rows = rows;
    a->f64 = values;
    return values;
}

int64_t *qn_attrs_i64(struct qn_attrs *attrs, const char *name, uint32_t n)
{
    int64_t *values = qn_arena_alloc(attrs->arena, n, sizeof *values);
    struct qn_attr *a = values != NULL ? add(attrs, name, QN_ATTR_I64, n) : NULL;
    if (a == NULL) return NULL;
    a->i64 = values;
    return values;
}

const char **qn_attrs_text(struct qn_attrs *attrs, const char *name, uint32_t n)
{
    const char **values = qn_arena_alloc(attrs->arena, n, sizeof *values);
    struct qn_attr *a = values != NULL ? add(attrs, name, QN_ATTR_TEXT, n) : NULL;
    if (a == NULL) return NULL;
    a->text = values;
    return values;
}

struct qn_values *qn_attrs_values(struct qn_attrs *attrs, const char *name, uint32_t n)
{
    struct qn_values *values = qn_arena_alloc(attrs->arena, n, sizeof *values);
    struct qn_attr *a = values != NULL ? add(attrs, name, QN_ATTR_VALUES, n) : NULL;
    if (a == NULL) return NULL;
    a->values = values;
    return values;
}

const struct qn_attr *qn_attrs_find(const struct qn_attrs *attrs, const char *name)
{
    for (const struct qn_attr *a = attrs->first; a != NULL; a = a->next)
        if (strcmp(a->name, name) == 0) return a;
    return NULL;
}

static quern_status copy_strings(struct qn_arena *arena, const struct qn_categories *set,
                                 struct qn_values *out)
{
    size_t total = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        uint64_t bytes;
        (void)qn_categories_string(set, i, &bytes);
        total += (size_t)bytes;
    }
    int64_t *offsets = qn_arena_alloc(arena, (size_t)out->count + 1, sizeof *offsets);
    char *text = qn_arena_alloc(arena, total, 1);
    if (offsets == NULL || text == NULL) return qn_error_memory("categories", total);
    size_t at = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        uint64_t bytes;
        const char *s = qn_categories_string(set, i, &bytes);
        if (bytes != 0) memcpy(text + at, s, (size_t)bytes);
        at += (size_t)bytes;
        offsets[i + 1] = (int64_t)at;
    }
    out->offsets = offsets;
    out->text = text;
    return QUERN_OK;
}

quern_status qn_values_from(struct qn_arena *arena, const struct qn_categories *set,
                            struct qn_values *out)
{
    quern_type type = qn_categories_type(set);
    uint32_t n = qn_categories_count(set);
    memset(out, 0, sizeof *out);
    out->type = qn_type_is_integer(type) ? QUERN_INT64 : type;
    out->count = n;
    out->missing = qn_categories_missing(set) != 0;
    int64_t *rows = qn_arena_alloc(arena, (size_t)n + 1, sizeof *rows);
    if (rows == NULL) return qn_error_memory("categories", n);
    for (uint32_t i = 0; i < n; i++) rows[i] = (int64_t)qn_categories_rows(set, i);
    rows[n] = (int64_t)qn_categories_missing(set);
    out->rows = rows;
    if (out->type == QUERN_STRING) return copy_strings(arena, set, out);
    if (qn_type_is_float(type)) {
        double *f64 = qn_arena_alloc(arena, n, sizeof *f64);
        if (f64 == NULL) return qn_error_memory("categories", n);
        for (uint32_t i = 0; i < n; i++) f64[i] = qn_categories_f64(set, i);
        out->f64 = f64;
    } else {
        int64_t *i64 = qn_arena_alloc(arena, n, sizeof *i64);
        if (i64 == NULL) return qn_error_memory("categories", n);
        for (uint32_t i = 0; i < n; i++) i64[i] = qn_categories_i64(set, i);
        out->i64 = i64;
    }
    return QUERN_OK;
}

quern_status qn_values_set(const struct qn_values *values, struct qn_categories **out)
{
    if (values->type == QUERN_STRING)
        return qn_categories_from(QUERN_STRING, values->count, values->text, values->offsets, out);
    if (qn_type_is_float(values->type))
        return qn_categories_from(QUERN_FLOAT64, values->count, values->f64, NULL, out);
    /* bool and datetime values are kept as int64, which orders them alike */
    quern_type type = values->type == QUERN_DATETIME ? QUERN_DATETIME : QUERN_INT64;
    return qn_categories_from(type, values->count, values->i64, NULL, out);
}

/* Python's datetime: a space, and a fraction only when there is one. */
static char *format_datetime(struct qn_arena *arena, int64_t value, int objects)
{
    char text[64];
    size_t n = qn_format_datetime(text, value);
    if (objects) {
        char *t = memchr(text, 'T', n);
        if (t != NULL) *t = ' ';
        if (value % 1000000 == 0 && n > 7) n -= 7;
    }
    return qn_arena_strndup(arena, text, n);
}

char *qn_values_format(struct qn_arena *arena, const struct qn_values *v, uint32_t code,
                       int objects)
{
    char text[64];
    if (code >= v->count) return qn_arena_strdup(arena, v->type == QUERN_DATETIME ? "NaT" : "nan");
    switch (v->type) {
    case QUERN_STRING:
        return qn_arena_strndup(arena, v->text + v->offsets[code],
                                (size_t)(v->offsets[code + 1] - v->offsets[code]));
    case QUERN_FLOAT64: return qn_arena_strndup(arena, text, qn_format_f64(text, v->f64[code]));
    case QUERN_FLOAT32:
        return qn_arena_strndup(arena, text,
                                objects ? qn_format_f64(text, v->f64[code])
                                        : qn_format_f32(text, (float)v->f64[code]));
    case QUERN_BOOL: return qn_arena_strdup(arena, v->i64[code] ? "True" : "False");
    case QUERN_DATETIME: return format_datetime(arena, v->i64[code], objects);
    default: return qn_arena_printf(arena, "%" PRId64, v->i64[code]);
    }
}
