/* SPDX-License-Identifier: Apache-2.0
 * Pipelines of the public interface: from a spec or by calls, fit and fit_transform. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/core/utf8.h"
#include "host/data/sparse.h"

quern_status qn_pipeline_spec(const struct quern_pipeline *p, struct qn_spec **out)
{
    char *text = json_dumps(p->json, JSON_COMPACT);
    if (text == NULL) return qn_error_memory_while("making a pipeline");
    quern_status status = qn_spec_parse(p->name, text, strlen(text), out);
    qn_free(text);
    if (status == QUERN_OK && p->from_file)
        (*out)->file = qn_arena_strdup(&(*out)->arena, p->name); /* none: a shorter message */
    return status;
}

quern_status quern_pipeline_from_spec(const char *name, const char *json, size_t bytes,
                                      quern_pipeline **out)
{
    if (json == NULL || out == NULL) return qn_null_argument("quern_pipeline_from_spec");
    *out = NULL;
    struct quern_pipeline *p = qn_zalloc(1, sizeof *p);
    if (p == NULL) return qn_error_memory_while("making a pipeline");
    p->name = qn_strdup(name != NULL ? name : "spec");
    quern_status status = p->name != NULL ? QUERN_OK : qn_error_memory_while("making a pipeline");
    if (status == QUERN_OK) status = qn_spec_parse(p->name, json, bytes, &p->spec);
    if (status != QUERN_OK) {
        quern_pipeline_free(p);
        return status;
    }
    p->json = json_incref(p->spec->json);
    *out = p;
    return QUERN_OK;
}

quern_status quern_pipeline_from_file(const char *path, quern_pipeline **out)
{
    struct qn_mapping file;
    if (path == NULL || out == NULL) return qn_null_argument("quern_pipeline_from_file");
    *out = NULL;
    QN_TRY(qn_map_file(path, &file));
    quern_status status = quern_pipeline_from_spec(
        path, file.data != NULL ? (const char *)file.data : "", file.size, out);
    qn_unmap_file(&file);
    if (status == QUERN_OK) (*out)->from_file = 1;
    return status;
}

quern_status quern_pipeline_create(quern_pipeline **out)
{
    if (out == NULL) return qn_null_argument("quern_pipeline_create");
    *out = NULL;
    struct quern_pipeline *p = qn_zalloc(1, sizeof *p);
    if (p == NULL) return qn_error_memory_while("making a pipeline");
    p->name = qn_strdup("pipeline");
    p->json = json_pack("{s:i, s:[]}", "quern", 1, "steps");
    if (p->name == NULL || p->json == NULL) {
        quern_pipeline_free(p);
        return qn_error_memory_while("making a pipeline");
    }
    *out = p;
    return QUERN_OK;
}

/* A spec is JSON, which holds no other text. */
static quern_status check_utf8(const char *what, const char *text)
{
    if (text == NULL || qn_utf8_valid(text, strlen(text))) return QUERN_OK;
    return qn_error(QUERN_INVALID, "%s is not UTF-8", what);
}

/* The pipeline with `json` instead of its own, if that is a valid spec. */
static quern_status replace(struct quern_pipeline *p, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    struct qn_spec *spec = NULL;
    quern_status status = text != NULL ? qn_spec_parse(p->name, text, strlen(text), &spec)
                                       : qn_error_memory_while("making a pipeline");
    qn_free(text);
    if (status != QUERN_OK) {
        json_decref(json);
        return status;
    }
    qn_spec_free(p->spec);
    json_decref(p->json);
    p->spec = spec;
    p->json = json;
    return QUERN_OK;
}

static quern_status make_chain(const char *const *apply, uint32_t n, json_t **out)
{
    json_t *chain = json_array();
    *out = NULL;
    for (uint32_t i = 0; chain != NULL && i < n; i++) {
        const char *name = apply[2 * i], *params = apply[2 * i + 1];
        json_error_t where;
        json_t *one = NULL;
        if (name == NULL || check_utf8("an estimator's name", name) != QUERN_OK) {
            json_decref(chain);
            return name != NULL ? QUERN_INVALID
                                : qn_error(QUERN_INVALID, "estimator %u has no name", i);
        }
        if (params == NULL || params[0] == '\0') {
            one = json_string(name);
        } else {
            json_t *object = json_loads(params, JSON_REJECT_DUPLICATES, &where);
            if (object == NULL) {
                json_decref(chain);
                return qn_error(QUERN_INVALID, "parameters of %s: column %d: %s", name,
                                where.column, where.text);
            }
            one = json_pack("{s:o}", name, object);
        }
        if (one == NULL || json_array_append_new(chain, one) != 0) {
            json_decref(chain);
            return qn_error_memory_while("making a pipeline");
        }
    }
    *out = chain;
    return chain != NULL ? QUERN_OK : qn_error_memory_while("making a pipeline");
}

static json_t *make_columns(const char *const *columns, uint32_t n)
{
    if (columns == NULL) return json_string("*");
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < n; i++)
        if (json_array_append_new(list, json_string(columns[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

quern_status quern_pipeline_add(quern_pipeline *p, const char *step_name,
                                const char *const *columns, uint32_t n_columns,
                                const char *const *apply, uint32_t n_apply)
{
    json_t *chain, *json = NULL, *step = NULL;
    if (p == NULL || apply == NULL) return qn_null_argument("quern_pipeline_add");
    QN_TRY(check_utf8("the step's name", step_name));
    for (uint32_t i = 0; columns != NULL && i < n_columns; i++)
        QN_TRY(check_utf8("a column's name", columns[i]));
    QN_TRY(make_chain(apply, n_apply, &chain));
    json_t *list = make_columns(columns, n_columns);
    if (list != NULL) json = json_deep_copy(p->json);
    if (json != NULL) step = json_pack("{s:O, s:O}", "columns", list, "apply", chain);
    json_decref(list);
    json_decref(chain);
    if (step == NULL ||
        (step_name != NULL && json_object_set_new(step, "name", json_string(step_name)) != 0) ||
        json_array_append_new(json_object_get(json, "steps"), step) != 0) {
        json_decref(json);
        return qn_error_memory_while("making a pipeline");
    }
    return replace(p, json);
}

quern_status quern_pipeline_options(quern_pipeline *p, const char *remainder,
                                    const char *output_dtype)
{
    if (p == NULL) return qn_null_argument("quern_pipeline_options");
    QN_TRY(check_utf8("remainder", remainder));
    QN_TRY(check_utf8("output_dtype", output_dtype));
    json_t *json = json_deep_copy(p->json);
    int failed = json == NULL;
    if (!failed && remainder != NULL)
        failed |= json_object_set_new(json, "remainder", json_string(remainder)) != 0;
    if (!failed && output_dtype != NULL)
        failed |=
            json_object_set_new(json, "output", json_pack("{s:s}", "dtype", output_dtype)) != 0;
    if (failed) {
        json_decref(json);
        return qn_error_memory_while("making a pipeline");
    }
    return replace(p, json);
}

quern_status quern_pipeline_spec(const quern_pipeline *p, char **json)
{
    if (p == NULL || json == NULL) return qn_null_argument("quern_pipeline_spec");
    *json = json_dumps(p->json, JSON_INDENT(1));
    return *json != NULL ? QUERN_OK : qn_error_memory_while("making a pipeline");
}

void quern_pipeline_free(quern_pipeline *p)
{
    if (p == NULL) return;
    qn_spec_free(p->spec);
    json_decref(p->json);
    qn_free(p->name);
    qn_free(p);
}

/* ---- fit ---- */

/* Fits fit in one piece where the data fits into device memory; else in chunks. */
static uint64_t fit_chunk(const quern_context *context, const quern_table *table)
{
    const struct qn_device *d = context->device;
    if (d == NULL || table->rows == 0 || table->resident != NULL || table->sparse != NULL) return 0;
    struct qn_pool_stats stats;
    uint64_t bytes = 0, row;
    qn_pool_stats(d->pool, &stats);
    uint64_t room = d->caps.memory_free != UINT64_MAX ? d->caps.memory_free : d->caps.memory_total;
    if (stats.limit != 0 && stats.limit < room) room = stats.limit;
    room = room / 10 * 7;
    if (d->caps.max_alloc < room) room = d->caps.max_alloc;
    for (uint32_t i = 0; i < table->n_columns; i++) {
        size_t value = qn_type_bytes(table->columns[i].type);
        bytes += value != 0 ? value + 1 : 5;
    }
    if (bytes == 0 || table->rows <= room / bytes) return 0;
    row = room / 2 / bytes / QN_GROUP_ROWS * QN_GROUP_ROWS;
    return row != 0 ? row : QN_GROUP_ROWS;
}

static quern_status fit_on(quern_context *context, const quern_pipeline *p,
                           const quern_table *table, struct qn_fit_rest *rest, quern_model **out)
{
    struct qn_spec *spec;
    struct qn_feed feed = {.table = table, .rows = table->rows, .chunk = fit_chunk(context, table)};
    if (p->spec == NULL) return qn_error(QUERN_INVALID, "the pipeline has no step");
    QN_TRY(qn_pipeline_spec(p, &spec));
    quern_status status = qn_fit(context, spec, table, &feed, rest, out);
    qn_feed_close(&feed);
    return status;
}

quern_status qn_pipeline_fit(quern_context *context, const quern_pipeline *p,
                             const quern_table *table, struct qn_fit_rest *rest, quern_model **out)
{
    QN_TRY(qn_refuse_elsewhere(context, table));
    quern_status status = fit_on(context, p, table, rest, out);
    if (context->device == NULL || !qn_device_failed(status) || table->resident != NULL)
        return status;
    /* the device cannot do some of it, or is gone: the policy says whether the CPU may */
    QN_TRY(qn_fall_back_after(context, "fit", "statistics", status));
    struct qn_device *device = context->device;
    context->device = NULL;
    status = fit_on(context, p, table, NULL, out);
    context->device = device;
    return status;
}

quern_status quern_pipeline_fit(quern_context *context, const quern_pipeline *p,
                                const quern_table *table, quern_model **out)
{
    if (context == NULL || p == NULL || table == NULL || out == NULL)
        return qn_null_argument("quern_pipeline_fit");
    return qn_pipeline_fit(context, p, table, NULL, out);
}

quern_status quern_pipeline_fit_transform(quern_context *context, const quern_pipeline *p,
                                          const quern_table *table, quern_matrix *out,
                                          quern_csr *csr, quern_model **model)
{
    struct qn_fit_rest rest;
    quern_model *fitted = NULL;
    if (context == NULL || p == NULL || table == NULL || (out == NULL) == (csr == NULL))
        return qn_null_argument("quern_pipeline_fit_transform");
    memset(&rest, 0, sizeof rest);
    quern_status status = qn_pipeline_fit(context, p, table, &rest, &fitted);
    if (status == QUERN_OK) status = qn_model_apply(context, fitted, table, &rest, out, csr);
    qn_fit_rest_free(context, &rest);
    if (status == QUERN_OK && model != NULL)
        *model = fitted;
    else
        quern_model_free(fitted);
    return status;
}
