/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/model_file.h"

/* A growing list of tensors: header entries and data, in the same order. */
struct writer {
    json_t *header;
    char *data;
    size_t used, room;
};

static quern_status append(struct writer *w, const void *bytes, size_t size)
{
    size_t wanted;
    if (qn_add_size(w->used, size, &wanted)) return qn_error_memory_while("writing a model");
    if (wanted > w->room) {
        size_t room = w->room * 2 > wanted ? w->room * 2 : wanted + 4096;
        char *more = qn_realloc(w->data, room, 1);
        if (more == NULL) return qn_error_memory_while("writing a model");
        w->data = more;
        w->room = room;
    }
    if (size != 0) memcpy(w->data + w->used, bytes, size);
    w->used = wanted;
    return QUERN_OK;
}

/* Tensors start at multiples of 8, so a mapped file can be read in place. */
static quern_status add_tensor(struct writer *w, const char *name, const char *dtype, size_t count,
                               size_t value, const void *bytes)
{
    static const char zeros[8];
    if (w->used % 8 != 0) QN_TRY(append(w, zeros, 8 - w->used % 8));
    size_t first = w->used, size;
    if (qn_mul_size(count, value, &size)) return qn_error_memory_while("writing a model");
    QN_TRY(append(w, bytes, size));
    json_t *entry = json_pack("{s:s, s:[I], s:[I, I]}", "dtype", dtype, "shape", (json_int_t)count,
                              "data_offsets", (json_int_t)first, (json_int_t)w->used);
    if (entry == NULL || json_object_set_new(w->header, name, entry) != 0)
        return qn_error_memory_while("writing a model");
    return QUERN_OK;
}

static quern_status add_text(struct writer *w, struct qn_arena *arena, const char *name,
                             const struct qn_attr *a)
{
    int64_t *offsets = qn_arena_alloc(arena, (size_t)a->n + 1, sizeof *offsets);
    uint8_t *valid = qn_arena_alloc(arena, a->n, 1);
    if (offsets == NULL || valid == NULL) return qn_error_memory_while("writing a model");
    for (uint32_t i = 0; i < a->n; i++) {
        valid[i] = a->text[i] != NULL;
        offsets[i + 1] = offsets[i] + (a->text[i] != NULL ? (int64_t)strlen(a->text[i]) : 0);
    }
    char *text = qn_arena_alloc(arena, (size_t)offsets[a->n], 1);
    if (text == NULL) return qn_error_memory_while("writing a model");
    for (uint32_t i = 0; i < a->n; i++)
        if (a->text[i] != NULL) memcpy(text + offsets[i], a->text[i], strlen(a->text[i]));
    char *part = qn_arena_printf(arena, "%s/offsets", name);
    char *bytes = qn_arena_printf(arena, "%s/bytes", name);
    char *present = qn_arena_printf(arena, "%s/present", name);
    if (part == NULL || bytes == NULL || present == NULL)
        return qn_error_memory_while("writing a model");
    QN_TRY(add_tensor(w, part, "I64", (size_t)a->n + 1, 8, offsets));
    QN_TRY(add_tensor(w, bytes, "U8", (size_t)offsets[a->n], 1, text));
    return add_tensor(w, present, "U8", a->n, 1, valid);
}

static quern_status add_values(struct writer *w, struct qn_arena *arena, const char *name,
                               const struct qn_values *v)
{
    char *part = qn_arena_printf(arena, "%s/values", name);
    char *kind = qn_arena_printf(arena, "%s/kind", name);
    int64_t about[2] = {(int64_t)v->type, v->missing};
    if (part == NULL || kind == NULL) return qn_error_memory_while("writing a model");
    QN_TRY(add_tensor(w, kind, "I64", 2, 8, about));
    if (v->type == QUERN_STRING) {
        char *bytes = qn_arena_printf(arena, "%s/bytes", name);
        if (bytes == NULL) return qn_error_memory_while("writing a model");
        QN_TRY(add_tensor(w, part, "I64", (size_t)v->count + 1, 8, v->offsets));
        return add_tensor(w, bytes, "U8", (size_t)v->offsets[v->count], 1, v->text);
    }
    if (qn_type_is_float(v->type)) return add_tensor(w, part, "F64", v->count, 8, v->f64);
    return add_tensor(w, part, "I64", v->count, 8, v->i64);
}

static quern_status add_attr(struct writer *w, struct qn_arena *arena, const char *place,
                             const struct qn_attr *a)
{
    char *name = qn_arena_printf(arena, "%s/%s", place, a->name);
    if (name == NULL) return qn_error_memory_while("writing a model");
    switch (a->kind) {
    case QN_ATTR_F64: return add_tensor(w, name, "F64", a->n, 8, a->f64);
    case QN_ATTR_I64: return add_tensor(w, name, "I64", a->n, 8, a->i64);
    case QN_ATTR_TEXT: return add_text(w, arena, name, a);
    case QN_ATTR_VALUES: break;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        char *one = qn_arena_printf(arena, "%s/%u", name, i);
        if (one == NULL) return qn_error_memory_while("writing a model");
        QN_TRY(add_values(w, arena, one, &a->values[i]));
    }
    return QUERN_OK;
}

static json_t *schema_json(const struct quern_model *m)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < m->schema->n_columns; i++) {
        const quern_column *c = &m->schema->columns[i];
        json_t *one = json_pack("{s:s?, s:s, s:b}", "name", c->name, "dtype", qn_type_name(c->type),
                                "used", m->plan->used[i]);
        if (one == NULL || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* safetensors wants metadata to be strings. */
static quern_status add_metadata(struct writer *w, const struct quern_model *m)
{
    quern_status status = QUERN_OK;
    json_t *schema = schema_json(m);
    char *spec = json_dumps(m->spec->json, JSON_COMPACT);
    char *columns = schema != NULL ? json_dumps(schema, JSON_COMPACT) : NULL;
    json_t *meta = NULL;
    if (spec != NULL && columns != NULL)
        meta = json_pack("{s:s, s:s, s:s, s:s, s:s}", "quern_model", "1", "spec", spec, "input",
                         columns, "matrix", m->schema->is_matrix ? "1" : "0", "sparse",
                         m->sparse ? "1" : "0");
    if (meta == NULL || json_object_set_new(w->header, "__metadata__", meta) != 0)
        status = qn_error_memory_while("writing a model");
    json_decref(schema);
    qn_free(spec);
    qn_free(columns);
    return status;
}

/* The attribute that follows `after` in the order of names; NULL: the first, or none is left. */
static const struct qn_attr *next_by_name(const struct qn_attrs *attrs, const struct qn_attr *after)
{
    const struct qn_attr *best = NULL;
    for (const struct qn_attr *a = attrs->first; a != NULL; a = a->next)
        if ((after == NULL || strcmp(a->name, after->name) > 0) &&
            (best == NULL || strcmp(a->name, best->name) < 0))
            best = a;
    return best;
}

static quern_status add_steps(struct writer *w, struct qn_arena *arena, const struct quern_model *m)
{
    for (uint32_t i = 0; i < m->plan->n_steps; i++) {
        const struct qn_plan_step *step = &m->plan->steps[i];
        for (uint32_t k = 0; k < step->n_apply; k++) {
            char *place = i < m->plan->n_blocks ? qn_arena_printf(arena, "steps/%u/%u", i, k)
                                                : qn_arena_printf(arena, "then/%u", k);
            if (place == NULL) return qn_error_memory_while("writing a model");
            /* by name, so that a loaded model is written as it was read */
            for (const struct qn_attr *a = next_by_name(&step->attrs[k], NULL); a != NULL;
                 a = next_by_name(&step->attrs[k], a))
                QN_TRY(add_attr(w, arena, place, a));
        }
    }
    return QUERN_OK;
}

static quern_status assemble(struct writer *w, void **bytes, size_t *size)
{
    char *header = json_dumps(w->header, JSON_COMPACT);
    if (header == NULL) return qn_error_memory_while("writing a model");
    size_t text = strlen(header), padded = (text + 7) & ~(size_t)7, total;
    char *out = NULL;
    if (!qn_add_size(8 + padded, w->used, &total)) out = qn_alloc(total, 1);
    if (out == NULL) {
        qn_free(header);
        return qn_error_memory_while("writing a model");
    }
    for (int i = 0; i < 8; i++) out[i] = (char)(unsigned char)((uint64_t)padded >> (8 * i));
    memcpy(out + 8, header, text);
    memset(out + 8 + text, ' ', padded - text);
    if (w->used != 0) memcpy(out + 8 + padded, w->data, w->used);
    qn_free(header);
    *bytes = out;
    *size = total;
    return QUERN_OK;
}

quern_status qn_model_bytes(const struct quern_model *model, void **bytes, size_t *size)
{
    quern_status status = QUERN_OK;
    struct qn_arena arena = {0};
    struct writer w = {.header = json_object()};
    *bytes = NULL;
    *size = 0;
    if (w.header == NULL) return qn_error_memory_while("writing a model");
    QN_GO(add_metadata(&w, model));
    QN_GO(add_steps(&w, &arena, model));
    QN_GO(assemble(&w, bytes, size));
cleanup:
    json_decref(w.header);
    qn_free(w.data);
    qn_arena_free(&arena);
    return status;
}

quern_status qn_model_save(const struct quern_model *model, const char *path)
{
    void *bytes;
    size_t size;
    struct qn_outfile *file = NULL;
    QN_TRY(qn_model_bytes(model, &bytes, &size));
    quern_status status = qn_outfile_open(path, &file);
    if (status == QUERN_OK) status = qn_outfile_write(file, bytes, size);
    if (status == QUERN_OK)
        status = qn_outfile_commit(file);
    else
        qn_outfile_discard(file);
    qn_free(bytes);
    return status;
}
