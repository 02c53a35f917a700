/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/model_file.h"
#include "host/pipeline/plan_passes.h"

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
static quern_status add_tensor(void *user, const quern_tensor *t)
{
    static const char zeros[8];
    struct writer *w = user;
    const char *dtype = t->type == QUERN_FLOAT64 ? "F64" : t->type == QUERN_INT64 ? "I64" : "U8";
    if (w->used % 8 != 0) QN_TRY(append(w, zeros, 8 - w->used % 8));
    size_t first = w->used, size;
    if (qn_mul_size((size_t)t->count, qn_type_bytes(t->type), &size))
        return qn_error_memory_while("writing a model");
    QN_TRY(append(w, t->data, size));
    json_int_t columns = (json_int_t)t->columns, count = (json_int_t)t->count;
    json_t *shape =
        columns != 0 ? json_pack("[I, I]", count / columns, columns) : json_pack("[I]", count);
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape,
                              "data_offsets", (json_int_t)first, (json_int_t)w->used);
    if (entry == NULL || json_object_set_new(w->header, t->name, entry) != 0)
        return qn_error_memory_while("writing a model");
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
    json_t *meta = NULL, *passes = m->plan->passes_known ? qn_passes_json(m->plan) : NULL;
    char *walks = passes != NULL ? json_dumps(passes, JSON_COMPACT) : NULL;
    if (spec != NULL && columns != NULL)
        meta = json_pack("{s:s, s:s, s:s, s:s, s:s}", "quern_model", "1", "spec", spec, "input",
                         columns, "matrix", m->schema->is_matrix ? "1" : "0", "sparse",
                         m->sparse ? "1" : "0");
    if (walks != NULL && meta != NULL)
        (void)json_object_set_new(meta, "passes", json_string(walks));
    if (meta == NULL || json_object_set_new(w->header, "__metadata__", meta) != 0)
        status = qn_error_memory_while("writing a model");
    json_decref(schema);
    json_decref(passes);
    qn_free(walks);
    qn_free(spec);
    qn_free(columns);
    return status;
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
    struct writer w = {.header = json_object()};
    *bytes = NULL;
    *size = 0;
    if (w.header == NULL) return qn_error_memory_while("writing a model");
    QN_GO(add_metadata(&w, model));
    QN_GO(qn_model_tensors(model, add_tensor, &w));
    QN_GO(assemble(&w, bytes, size));
cleanup:
    json_decref(w.header);
    qn_free(w.data);
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
