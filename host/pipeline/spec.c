/* SPDX-License-Identifier: Apache-2.0
 * Every key is checked here, so that a misspelt word is an error with its place and the nearest valid
 * word, and never a silently ignored wish. */
#include "host/pipeline/spec.h"

#include <stdio.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/core/os.h"

/* Words that an object at `where` may have. */
static quern_status check_keys(const char *where, const json_t *object, const char *const *words,
                               size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        int known = 0;
        char hint[96];
        for (size_t i = 0; i < n && !known; i++) known = strcmp(words[i], key) == 0;
        if (!known)
            return qn_error(QUERN_INVALID, "%s: unknown key \"%s\"%s", where, key,
                            qn_did_you_mean(hint, sizeof hint, key, words, n));
    }
    return QUERN_OK;
}

static quern_status want(const char *where, const char *what)
{
    return qn_error(QUERN_INVALID, "%s: must be %s", where, what);
}

/* ---- input ---- */

static quern_status parse_texts(struct qn_spec *spec, const char *where, const json_t *list,
                                const char *const **out, uint32_t *n)
{
    size_t count = json_array_size(list);
    const char **texts = qn_arena_alloc(&spec->arena, count, sizeof *texts);
    if (texts == NULL) return qn_error_memory_while("reading the spec");
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        if (json_is_string(v)) {
            texts[i] = json_string_value(v);
        } else if (json_is_integer(v)) {
            texts[i] = qn_arena_printf(&spec->arena, "%lld", (long long)json_integer_value(v));
        } else {
            return want(where, "a list of strings");
        }
        if (texts[i] == NULL) return qn_error_memory_while("reading the spec");
    }
    *out = texts;
    *n = (uint32_t)count;
    return QUERN_OK;
}

static quern_status parse_dtypes(struct qn_spec *spec, const json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    struct qn_csv_dtype *types = qn_arena_alloc(&spec->arena, n, sizeof *types);
    const char *key;
    json_t *value;
    if (types == NULL) return qn_error_memory_while("reading the spec");
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const char *word = json_string_value(value);
        if (word == NULL) return want("input.dtypes", "an object of column names and dtype words");
        types[i].column = key;
        if (strcmp(word, "string") == 0)
            types[i].type = QUERN_STRING;
        else if (strcmp(word, "datetime") == 0)
            types[i].type = QUERN_DATETIME;
        else {
            quern_status status = qn_dtype_parse(word, &types[i].type);
            if (status != QUERN_OK) return qn_error_context(status, "input.dtypes.%s", key);
        }
        i++;
    }
    spec->input.dtypes = types;
    spec->input.n_dtypes = (uint32_t)n;
    return QUERN_OK;
}

static quern_status parse_input(struct qn_spec *spec, const json_t *input)
{
    static const char *const words[] = {"delimiter", "header", "na_values", "keep_default_na",
                                        "dtypes"};
    if (input == NULL) return QUERN_OK;
    if (!json_is_object(input)) return want("input", "an object");
    QN_TRY(check_keys("input", input, words, sizeof words / sizeof *words));
    const json_t *v = json_object_get(input, "delimiter");
    if (v != NULL) {
        const char *text = json_string_value(v);
        if (text == NULL || strlen(text) != 1 || strchr("\"\r\n", text[0]) != NULL)
            return want("input.delimiter", "one byte that is not a quote or a line's end");
        spec->input.delimiter = text[0];
    }
    if ((v = json_object_get(input, "header")) != NULL) {
        if (!json_is_boolean(v)) return want("input.header", "true or false");
        spec->input.no_header = json_is_false(v);
    }
    if ((v = json_object_get(input, "keep_default_na")) != NULL) {
        if (!json_is_boolean(v)) return want("input.keep_default_na", "true or false");
        spec->input.drop_default_na = json_is_false(v);
    }
    if ((v = json_object_get(input, "na_values")) != NULL) {
        if (!json_is_array(v)) return want("input.na_values", "a list of strings");
        QN_TRY(parse_texts(spec, "input.na_values", v, &spec->input.na_values,
                           &spec->input.n_na_values));
    }
    if ((v = json_object_get(input, "dtypes")) != NULL) {
        if (!json_is_object(v)) return want("input.dtypes", "an object");
        QN_TRY(parse_dtypes(spec, v));
    }
    return QUERN_OK;
}

/* ---- columns ---- */

static quern_status parse_list(struct qn_spec *spec, const char *where, const json_t *list,
                               struct qn_select *out)
{
    size_t n = json_array_size(list);
    struct qn_select_item *items = qn_arena_alloc(&spec->arena, n, sizeof *items);
    if (items == NULL) return qn_error_memory_while("reading the spec");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (json_is_string(v))
            items[i].name = json_string_value(v);
        else if (json_is_integer(v))
            items[i].position = (int64_t)json_integer_value(v);
        else
            return want(where, "a list of names (strings) and positions (integers)");
    }
    out->kind = QN_SELECT_LIST;
    out->items = items;
    out->n_items = (uint32_t)n;
    return QUERN_OK;
}

static quern_status parse_columns(struct qn_spec *spec, const char *where, const json_t *columns,
                                  struct qn_select *out)
{
    static const char *const words[] = {"dtype", "pattern"};
    static const char *const types[] = {"number", "string", "bool", "datetime", "category"};
    char place[128], hint[96];
    (void)snprintf(place, sizeof place, "%s.columns", where);
    if (columns == NULL) return want(place, "given");
    if (json_is_array(columns)) return parse_list(spec, place, columns, out);
    if (json_is_string(columns)) {
        if (strcmp(json_string_value(columns), "*") != 0)
            return want(place, "a list, a selector object, or \"*\"");
        out->kind = QN_SELECT_ALL;
        return QUERN_OK;
    }
    if (!json_is_object(columns) || json_object_size(columns) != 1)
        return want(place,
                    "a list of names and positions, {\"dtype\": …}, {\"pattern\": …} or \"*\"");
    QN_TRY(check_keys(place, columns, words, 2));
    const json_t *dtype = json_object_get(columns, "dtype");
    const char *word =
        json_string_value(dtype != NULL ? dtype : json_object_get(columns, "pattern"));
    if (word == NULL) return want(place, "a selector with a string");
    out->kind = dtype != NULL ? QN_SELECT_DTYPE : QN_SELECT_PATTERN;
    out->word = word;
    if (dtype == NULL) return QUERN_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], word) == 0) return QUERN_OK;
    return qn_error(QUERN_INVALID,
                    "%s.dtype: \"%s\" is none of number, string, bool, datetime, "
                    "category%s",
                    place, word, qn_did_you_mean(hint, sizeof hint, word, types, 5));
}

/* ---- estimators ---- */

static quern_status parse_estimator(const char *where, const json_t *v, struct qn_estimator *out)
{
    if (json_is_string(v)) return qn_estimator_make(where, json_string_value(v), NULL, out);
    if (!json_is_object(v) || json_object_size(v) != 1)
        return want(where, "an estimator's name, or an object {name: parameters}");
    void *at = json_object_iter((json_t *)(uintptr_t)v);
    return qn_estimator_make(where, json_object_iter_key(at), json_object_iter_value(at), out);
}

static quern_status parse_chain(struct qn_spec *spec, const char *where, const json_t *chain,
                                struct qn_estimator **out, uint32_t *n)
{
    char place[160];
    int single = json_is_string(chain) || json_is_object(chain);
    if (!single && !json_is_array(chain)) return want(where, "a list of estimators");
    size_t count = single ? 1 : json_array_size(chain);
    if (count == 0) return want(where, "a list of at least one estimator");
    *out = qn_arena_alloc(&spec->arena, count, sizeof **out);
    if (*out == NULL) return qn_error_memory_while("reading the spec");
    *n = (uint32_t)count; /* estimators not made yet are empty, so freeing is safe */
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(place, sizeof place, single ? "%s" : "%s[%zu]", where, i);
        QN_TRY(parse_estimator(place, single ? chain : json_array_get(chain, i), &(*out)[i]));
    }
    return QUERN_OK;
}

static quern_status parse_step(struct qn_spec *spec, size_t i, const json_t *v)
{
    static const char *const words[] = {"name", "columns", "apply"};
    struct qn_spec_step *step = &spec->steps[i];
    char place[160];
    step->where = qn_arena_printf(&spec->arena, "steps[%zu]", i);
    if (step->where == NULL) return qn_error_memory_while("reading the spec");
    if (!json_is_object(v)) return want(step->where, "an object");
    QN_TRY(check_keys(step->where, v, words, 3));
    const json_t *name = json_object_get(v, "name");
    if (name != NULL && !json_is_null(name)) {
        step->name = json_string_value(name);
        if (step->name == NULL || step->name[0] == '\0') {
            (void)snprintf(place, sizeof place, "%s.name", step->where);
            return want(place, "a string");
        }
        for (size_t k = 0; k < i; k++)
            if (spec->steps[k].name != NULL && strcmp(spec->steps[k].name, step->name) == 0)
                return qn_error(QUERN_INVALID, "%s.name: \"%s\" is the name of %s too", step->where,
                                step->name, spec->steps[k].where);
    }
    QN_TRY(parse_columns(spec, step->where, json_object_get(v, "columns"), &step->select));
    (void)snprintf(place, sizeof place, "%s.apply", step->where);
    const json_t *apply = json_object_get(v, "apply");
    if (apply == NULL) return want(place, "given");
    return parse_chain(spec, place, apply, &step->apply, &step->n_apply);
}

static quern_status parse_steps(struct qn_spec *spec, const json_t *steps)
{
    if (!json_is_array(steps) || json_array_size(steps) == 0)
        return want("steps", "a list of at least one step");
    size_t n = json_array_size(steps);
    spec->steps = qn_arena_alloc(&spec->arena, n, sizeof *spec->steps);
    if (spec->steps == NULL) return qn_error_memory_while("reading the spec");
    spec->n_steps = (uint32_t)n;
    for (size_t i = 0; i < n; i++) QN_TRY(parse_step(spec, i, json_array_get(steps, i)));
    return QUERN_OK;
}

/* ---- output and the rest ---- */

static quern_status parse_output(struct qn_spec *spec, const json_t *output)
{
    static const char *const words[] = {"dtype", "sparse", "sparse_threshold"};
    spec->sparse_threshold = 0.3;
    if (output == NULL) return QUERN_OK;
    if (!json_is_object(output)) return want("output", "an object");
    QN_TRY(check_keys("output", output, words, 3));
    const json_t *v = json_object_get(output, "dtype");
    if (v != NULL && !json_is_null(v)) {
        if (!json_is_string(v)) return want("output.dtype", "a NumPy dtype");
        quern_status status = qn_dtype_parse(json_string_value(v), &spec->dtype);
        if (status != QUERN_OK) return qn_error_context(status, "output.dtype");
        spec->has_dtype = 1;
    }
    if ((v = json_object_get(output, "sparse")) != NULL) {
        if (json_is_boolean(v))
            spec->sparse = json_is_true(v) ? QN_SPARSE_YES : QN_SPARSE_NO;
        else if (!json_is_string(v) || strcmp(json_string_value(v), "auto") != 0)
            return want("output.sparse", "true, false or \"auto\"");
    }
    if ((v = json_object_get(output, "sparse_threshold")) != NULL) {
        spec->sparse_threshold = json_number_value(v);
        if (!json_is_number(v) || !(spec->sparse_threshold >= 0 && spec->sparse_threshold <= 1))
            return want("output.sparse_threshold", "a number from 0 to 1");
    }
    return QUERN_OK;
}

static quern_status parse_name(const json_t *root, const char *key, const char **out)
{
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v)) return QUERN_OK;
    if (!json_is_string(v)) return want(key, "a column's name or null");
    *out = json_string_value(v);
    return QUERN_OK;
}

static quern_status parse_root(struct qn_spec *spec)
{
    static const char *const words[] = {"quern", "input",     "target", "weight",
                                        "steps", "remainder", "then",   "output"};
    const json_t *root = spec->json;
    if (!json_is_object(root)) return want("the spec", "a JSON object");
    QN_TRY(check_keys("the spec", root, words, sizeof words / sizeof *words));
    const json_t *version = json_object_get(root, "quern");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return want("quern", "1, the version of the spec format");
    QN_TRY(parse_input(spec, json_object_get(root, "input")));
    QN_TRY(parse_name(root, "target", &spec->target));
    QN_TRY(parse_name(root, "weight", &spec->weight));
    QN_TRY(parse_steps(spec, json_object_get(root, "steps")));
    const json_t *remainder = json_object_get(root, "remainder");
    if (remainder != NULL) {
        const char *word = json_string_value(remainder);
        if (word == NULL || (strcmp(word, "drop") != 0 && strcmp(word, "passthrough") != 0))
            return want("remainder", "\"drop\" or \"passthrough\"");
        spec->passthrough_remainder = word[0] == 'p';
    }
    const json_t *then = json_object_get(root, "then");
    if (then != NULL && !(json_is_array(then) && json_array_size(then) == 0))
        QN_TRY(parse_chain(spec, "then", then, &spec->then, &spec->n_then));
    return parse_output(spec, json_object_get(root, "output"));
}

quern_status qn_spec_parse(const char *name, const char *text, size_t bytes, struct qn_spec **out)
{
    json_error_t where;
    *out = NULL;
    struct qn_spec *spec = qn_zalloc(1, sizeof *spec);
    if (spec == NULL) return qn_error_memory("spec", sizeof *spec);
    spec->json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
    quern_status status = QUERN_OK;
    if (spec->json == NULL)
        status =
            qn_error(QUERN_INVALID, "line %d, column %d: %s", where.line, where.column, where.text);
    else
        status = parse_root(spec);
    if (status != QUERN_OK) {
        qn_spec_free(spec);
        return qn_error_context(status, "%s", name);
    }
    *out = spec;
    return QUERN_OK;
}

quern_status qn_spec_load(const char *path, struct qn_spec **out)
{
    struct qn_mapping file;
    *out = NULL;
    QN_TRY(qn_map_file(path, &file));
    quern_status status = qn_spec_parse(path, file.data != NULL ? file.data : "", file.size, out);
    qn_unmap_file(&file);
    return status;
}

static void clear_chain(struct qn_estimator *chain, uint32_t n)
{
    for (uint32_t i = 0; chain != NULL && i < n; i++) qn_estimator_clear(&chain[i]);
}

void qn_spec_free(struct qn_spec *spec)
{
    if (spec == NULL) return;
    for (uint32_t i = 0; i < spec->n_steps; i++)
        clear_chain(spec->steps[i].apply, spec->steps[i].n_apply);
    clear_chain(spec->then, spec->n_then);
    json_decref(spec->json);
    qn_arena_free(&spec->arena);
    qn_free(spec);
}
