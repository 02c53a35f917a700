/* SPDX-License-Identifier: Apache-2.0
 * A model, and the table of estimators, as JSON. NaN is null there. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/core/utf8.h"
#include "host/pipeline/plan_passes.h"

static json_t *number(double value)
{
    if (isnan(value)) return json_null();
    if (isinf(value)) return json_string(value > 0 ? "inf" : "-inf");
    return json_real(value);
}

static json_t *f64_list(const struct qn_attr *a)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < a->n; i++)
        json_array_append_new(list, number(a->f64[i]));
    return list;
}

/* A matrix as a list of rows; of a large one its shape, for nobody reads a million numbers here. */
static json_t *matrix_json(const struct qn_attr *a)
{
    enum { MOST_CELLS = 10000 };
    if (a->rows > MOST_CELLS / (a->n != 0 ? a->n : 1))
        return json_pack("{s:[I, I]}", "shape", (json_int_t)a->rows, (json_int_t)a->n);
    json_t *list = json_array();
    for (uint64_t row = 0; list != NULL && row < a->rows; row++) {
        struct qn_attr one = {.n = a->n, .f64 = a->f64 + row * a->n};
        json_array_append_new(list, f64_list(&one));
    }
    return list;
}

static json_t *i64_list(const struct qn_attr *a)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < a->n; i++)
        json_array_append_new(list, json_integer((json_int_t)a->i64[i]));
    return list;
}

json_t *qn_json_text(const char *bytes, size_t n)
{
    size_t size;
    json_t *value = json_stringn(bytes, n);
    if (value != NULL) return value;
    char *utf8 = qn_utf8_from_latin1(bytes, n, &size);
    if (utf8 != NULL) value = json_stringn(utf8, size);
    qn_free(utf8);
    return value != NULL ? value : json_null();
}

static json_t *values_list(const struct qn_values *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < v->count; i++) {
        json_t *one;
        if (v->type == QUERN_STRING)
            one =
                qn_json_text(v->text + v->offsets[i], (size_t)(v->offsets[i + 1] - v->offsets[i]));
        else if (qn_type_is_float(v->type))
            one = number(v->f64[i]);
        else if (v->type == QUERN_BOOL)
            one = json_boolean(v->i64[i]);
        else
            one = json_integer((json_int_t)v->i64[i]);
        json_array_append_new(list, one);
    }
    if (list != NULL && v->missing) json_array_append_new(list, json_null());
    return list;
}

static json_t *categories_list(const struct qn_attr *a)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < a->n; i++)
        json_array_append_new(list, values_list(&a->values[i]));
    return list;
}

/* statistics_ of an imputer over strings and numbers: one list, as scikit-learn has it. */
static json_t *mixed_statistics(const struct qn_attrs *attrs)
{
    const struct qn_attr *f64 = qn_attrs_find(attrs, "statistics_");
    const struct qn_attr *words = qn_attrs_find(attrs, "statistics_text_");
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < f64->n; i++)
        json_array_append_new(list, words->text[i] != NULL
                                        ? qn_json_text(words->text[i], strlen(words->text[i]))
                                        : number(f64->f64[i]));
    return list;
}

/* Names that begin with a letter and end with _ are scikit-learn's; n_missing_ and the like are the
 * model's own bookkeeping and are left out. */
static int is_internal(const char *name)
{
    return strcmp(name, "n_missing_") == 0 || strcmp(name, "n_without_column_") == 0 ||
           strcmp(name, "infrequent_") == 0 || strcmp(name, "statistics_text_") == 0;
}

static json_t *infrequent_list(const struct qn_attrs *attrs)
{
    const struct qn_attr *marks = qn_attrs_find(attrs, "infrequent_");
    const struct qn_attr *cats = qn_attrs_find(attrs, "categories_");
    json_t *list = json_array();
    uint32_t at = 0;
    for (uint32_t i = 0; list != NULL && i < cats->n; i++) {
        json_t *all = values_list(&cats->values[i]), *some = json_array();
        for (size_t k = 0; k < json_array_size(all); k++, at++)
            if (marks->i64[at]) json_array_append(some, json_array_get(all, k));
        json_array_append_new(list, json_array_size(some) != 0 ? json_incref(some) : json_null());
        json_decref(some);
        json_decref(all);
    }
    return list;
}

static json_t *attributes(const struct qn_attrs *attrs)
{
    json_t *object = json_object();
    for (const struct qn_attr *a = attrs->first; object != NULL && a != NULL; a = a->next) {
        if (is_internal(a->name)) continue;
        json_t *value = a->kind == QN_ATTR_F64      ? f64_list(a)
                        : a->kind == QN_ATTR_I64    ? i64_list(a)
                        : a->kind == QN_ATTR_VALUES ? categories_list(a)
                        : a->kind == QN_ATTR_MATRIX ? matrix_json(a)
                                                    : json_null();
        if (strcmp(a->name, "statistics_") == 0 &&
            qn_attrs_find(attrs, "statistics_text_") != NULL) {
            json_decref(value);
            value = mixed_statistics(attrs);
        }
        json_object_set_new(object, a->name, value);
    }
    if (object != NULL && qn_attrs_find(attrs, "infrequent_") != NULL)
        json_object_set_new(object, "infrequent_categories_", infrequent_list(attrs));
    return object;
}

static json_t *chain_json(const struct qn_plan_step *step)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < step->n_apply; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:O, s:o}", "estimator", step->apply[i].type->name, "params",
                            step->apply[i].params, "attributes", attributes(&step->attrs[i])));
    return list;
}

static json_t *step_json(const struct quern_model *m, const struct qn_plan_step *step)
{
    json_t *columns = json_array();
    for (uint32_t i = 0; columns != NULL && i < step->n_columns; i++) {
        struct qn_arena arena = {0};
        const char *name = qn_table_name(&arena, m->schema, step->columns[i]);
        json_array_append_new(columns, json_string(name != NULL ? name : "?"));
        qn_arena_free(&arena);
    }
    return json_pack("{s:s?, s:o, s:o}", "name", step->name, "columns", columns, "apply",
                     chain_json(step));
}

static json_t *input_json(const struct quern_model *m)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < m->schema->n_columns; i++) {
        struct qn_arena arena = {0};
        const char *name = qn_table_name(&arena, m->schema, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", name != NULL ? name : "?",
                                              "dtype", qn_type_name(m->schema->columns[i].type),
                                              "used", m->plan->used[i]));
        qn_arena_free(&arena);
    }
    return json_pack("{s:o}", "columns", list);
}

static json_t *output_json(const struct quern_model *m)
{
    json_t *names = json_array(), *types = json_array();
    for (uint32_t i = 0; i < m->plan->n_outputs; i++) {
        const struct qn_port *p = &m->plan->outputs[i];
        json_array_append_new(names, qn_json_text(p->name, strlen(p->name)));
        json_array_append_new(
            types, json_string(qn_type_name(m->dtype == QUERN_STRING ? p->type : m->dtype)));
    }
    return json_pack("{s:s, s:b, s:o, s:o}", "dtype",
                     m->dtype == QUERN_STRING ? "object" : qn_type_name(m->dtype), "sparse",
                     m->sparse, "names", names, "dtypes", types);
}

json_t *qn_model_passes_json(const struct quern_model *m)
{
    int known = m->plan->passes_known;
    return json_pack("{s:o, s:o, s:i}", "fit",
                     known ? json_integer((json_int_t)m->plan->n_passes) : json_null(), "takes",
                     known ? qn_passes_json(m->plan) : json_null(), "transform", 1);
}

quern_status quern_model_passes(const quern_model *model, quern_passes *out)
{
    if (model == NULL || out == NULL) return qn_null_argument("quern_model_passes");
    quern_passes p = {.struct_size = sizeof p, .transform = 1};
    p.fit_known = model->plan->passes_known;
    p.fit = p.fit_known ? model->plan->n_passes : 0;
    qn_struct_out(out, &p, sizeof p);
    return QUERN_OK;
}

quern_status quern_model_inspect(const quern_model *model, char **json)
{
    if (model == NULL || json == NULL) return qn_null_argument("quern_model_inspect");
    json_t *steps = json_array(), *then = json_array();
    for (uint32_t i = 0; i < model->plan->n_blocks; i++)
        json_array_append_new(steps, step_json(model, &model->plan->steps[i]));
    if (model->plan->n_steps > model->plan->n_blocks) {
        json_decref(then);
        then = chain_json(&model->plan->steps[model->plan->n_blocks]);
    }
    json_t *root = json_pack("{s:i, s:o, s:o, s:o, s:o, s:i, s:o, s:O}", "quern", 1, "input",
                             input_json(model), "steps", steps, "then", then, "output",
                             output_json(model), "layers", (int)model->plan->n_layers, "passes",
                             qn_model_passes_json(model), "spec", model->spec->json);
    *json = root != NULL ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return *json != NULL ? QUERN_OK : qn_error_memory("inspect", 0);
}

/* ---- the table of estimators ---- */

static const char *kind_name(enum qn_param_kind kind)
{
    static const char *const names[] = {
        "bool",   "int",        "float",     "choice",     "pair",    "dtype",
        "scalar", "frequency",  "count",     "seed",       "amount",  "ints",
        "floats", "categories", "degree",    "knots",      "drop",    "expression",
        "maybe",  "score",      "auto_bool", "auto_float", "numbers", "edges"};
    return names[kind];
}

static json_t *param_json(const struct qn_param *p)
{
    json_t *initial = json_loads(p->initial, JSON_DECODE_ANY, NULL);
    json_t *one = json_pack("{s:s, s:s, s:o, s:s}", "name", p->name, "kind", kind_name(p->kind),
                            "default", initial, "doc", p->doc);
    if (one == NULL) return one;
    if ((p->kind == QN_PARAM_FLOAT || p->kind == QN_PARAM_INT) && p->least > -DBL_MAX)
        json_object_set_new(one, "least", json_real(p->least));
    if ((p->kind == QN_PARAM_FLOAT || p->kind == QN_PARAM_INT) && p->most < DBL_MAX)
        json_object_set_new(one, "most", json_real(p->most));
    if (p->choices == NULL) return one;
    json_t *choices = json_array();
    for (const char *at = p->choices; *at != '\0';) {
        size_t n = strcspn(at, "|");
        json_array_append_new(choices, json_stringn(at, n));
        at += n + (at[n] == '|');
    }
    json_object_set_new(one, "choices", choices);
    return one;
}

quern_status quern_estimators_json(char **json)
{
    uint32_t n;
    if (json == NULL) return qn_null_argument("quern_estimators_json");
    const struct qn_estimator_type *const *types = qn_estimator_types(&n);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_estimator_type *t = types[i];
        json_t *params = json_array();
        for (uint32_t k = 0; k < t->n_params; k++)
            json_array_append_new(params, param_json(&t->params[k]));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", t->name, "doc",
                                              t->doc, "input", t->input, "attributes",
                                              t->attributes, "params", params));
    }
    json_t *root = json_pack("{s:i, s:o}", "quern", 1, "estimators", list);
    *json = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    return *json != NULL ? QUERN_OK : qn_error_memory("estimators", 0);
}
