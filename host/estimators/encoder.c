/* SPDX-License-Identifier: Apache-2.0
 * Definition: scikit-learn, preprocessing/_encoders.py (_BaseEncoder). */
#include "host/estimators/encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The type in which a port's values are told apart. */
static quern_type value_type(const struct qn_port *port)
{
    if (port->raw) return port->type;
    if (qn_type_is_float(port->type)) return port->type;
    return port->type == QUERN_BOOL ? QUERN_BOOL : QUERN_INT64;
}

quern_status qn_encoder_refuse_sparse(const struct qn_stage *stage)
{
    return qn_stage_refuse_sparse(stage, "make the input dense");
}

quern_status qn_encoder_need(struct qn_stage *stage)
{
    QN_TRY(qn_encoder_refuse_sparse(stage));
    for (uint32_t i = 0; i < stage->n_in; i++) stage->need[i].flags = QN_NEED_CATEGORIES;
    return QUERN_OK;
}

/* ---- categories given by the user ---- */

static quern_status given_error(const struct qn_stage *stage, uint32_t i, const char *what)
{
    return qn_error(QUERN_INVALID, "%s.categories, column \"%s\": %s", stage->estimator->type->name,
                    stage->in[i].name, what);
}

static quern_status given_strings(struct qn_stage *stage, uint32_t i, const json_t *list,
                                  struct qn_values *out)
{
    size_t n = json_array_size(list), total = 0;
    for (size_t k = 0; k < n; k++) {
        const json_t *v = json_array_get(list, k);
        if (json_is_null(v) && k + 1 == n) continue;
        if (!json_is_string(v))
            return given_error(stage, i, "must be strings (null last, if at all)");
        total += json_string_length(v);
    }
    out->missing = n != 0 && json_is_null(json_array_get(list, n - 1));
    out->count = (uint32_t)n - (uint32_t)out->missing;
    int64_t *offsets = qn_arena_alloc(stage->arena, n + 1, sizeof *offsets);
    char *text = qn_arena_alloc(stage->arena, total, 1);
    if (offsets == NULL || text == NULL) return qn_stage_memory(stage);
    for (uint32_t k = 0; k < out->count; k++) {
        const json_t *v = json_array_get(list, k);
        size_t bytes = json_string_length(v);
        memcpy(text + offsets[k], json_string_value(v), bytes);
        offsets[k + 1] = offsets[k] + (int64_t)bytes;
        for (uint32_t j = 0; j < k; j++)
            if (offsets[j + 1] - offsets[j] == (int64_t)bytes &&
                memcmp(text + offsets[j], text + offsets[k], bytes) == 0)
                return given_error(stage, i, "a category is given twice");
    }
    out->offsets = offsets;
    out->text = text;
    return QUERN_OK;
}

static quern_status given_numbers(struct qn_stage *stage, uint32_t i, const json_t *list,
                                  struct qn_values *out)
{
    size_t n = json_array_size(list);
    double *f64 = qn_arena_alloc(stage->arena, n, sizeof *f64);
    int64_t *i64 = qn_arena_alloc(stage->arena, n, sizeof *i64);
    if (f64 == NULL || i64 == NULL) return qn_stage_memory(stage);
    for (size_t k = 0; k < n; k++) {
        const json_t *v = json_array_get(list, k);
        double x;
        if (json_is_boolean(v)) {
            x = json_is_true(v);
        } else if (!qn_json_number(v, &x)) {
            return given_error(stage, i, "must be numbers");
        }
        if (isnan(x)) {
            if (k + 1 != n) return given_error(stage, i, "null must be the last category");
            out->missing = 1;
            break;
        }
        f64[k] = out->type == QUERN_FLOAT32 ? (double)(float)x : x;
        i64[k] = json_is_integer(v) ? (int64_t)json_integer_value(v) : (int64_t)x;
        if (k > 0 && f64[k] <= f64[k - 1])
            return given_error(stage, i,
                               f64[k] == f64[k - 1] ? "a category is given twice"
                                                    : "categories of numbers must be sorted");
        out->count = (uint32_t)k + 1;
    }
    if (qn_type_is_float(out->type))
        out->f64 = f64;
    else
        out->i64 = i64;
    return QUERN_OK;
}

static quern_status given_values(struct qn_stage *stage, uint32_t i, struct qn_values *out)
{
    const json_t *all = qn_param(stage->estimator, "categories");
    if (json_array_size(all) != stage->n_in)
        return qn_error(QUERN_INVALID, "%s.categories has %zu lists for %u columns",
                        stage->estimator->type->name, json_array_size(all), stage->n_in);
    const json_t *list = json_array_get(all, i);
    if (!json_is_array(list) || json_array_size(list) == 0)
        return given_error(stage, i, "must be a list of at least one category");
    memset(out, 0, sizeof *out);
    out->type = value_type(&stage->in[i]);
    if (out->type == QUERN_DATETIME) return given_error(stage, i, "datetimes cannot be given");
    return out->type == QUERN_STRING ? given_strings(stage, i, list, out)
                                     : given_numbers(stage, i, list, out);
}

/* The number of a found value among given ones: missing is the last; UNKNOWN if it is not there.
 * Given strings keep the user's order, so this is a search, not a bisection; lists are short. */
static uint32_t find_value(const struct qn_values *in, const struct qn_categories *set,
                           uint32_t code)
{
    if (code == qn_categories_count(set)) return in->missing ? in->count : QN_CATEGORY_UNKNOWN;
    if (in->type == QUERN_STRING) {
        uint64_t bytes;
        const char *text = qn_categories_string(set, code, &bytes);
        for (uint32_t k = 0; k < in->count; k++)
            if ((uint64_t)(in->offsets[k + 1] - in->offsets[k]) == bytes &&
                memcmp(in->text + in->offsets[k], text, bytes) == 0)
                return k;
        return QN_CATEGORY_UNKNOWN;
    }
    for (uint32_t k = 0; k < in->count; k++)
        if (qn_type_is_float(in->type) ? in->f64[k] == qn_categories_f64(set, code)
                                       : in->i64[k] == qn_categories_i64(set, code))
            return k;
    return QN_CATEGORY_UNKNOWN;
}

static quern_status unknown_at_fit(const struct qn_stage *stage, uint32_t i,
                                   const struct qn_categories *set, uint32_t code)
{
    struct qn_values v;
    const char *text = "nan";
    if (code < qn_categories_count(set)) {
        QN_TRY(qn_values_from(stage->arena, set, &v));
        text = qn_values_format(stage->arena, &v, code, 0);
    }
    return qn_error(QUERN_INVALID, "%s: column \"%s\" has the unknown category \"%s\" at the fit",
                    stage->estimator->type->name, stage->in[i].name, text != NULL ? text : "?");
}

static quern_status count_given(struct qn_stage *stage, uint32_t i, struct qn_values *v)
{
    const struct qn_categories *set = stage->found[i].categories;
    int64_t *rows = qn_arena_alloc(stage->arena, (size_t)v->count + 1, sizeof *rows);
    if (rows == NULL) return qn_stage_memory(stage);
    uint32_t n = qn_categories_count(set);
    for (uint32_t code = 0; code <= n; code++) {
        uint64_t count = code < n ? qn_categories_rows(set, code) : qn_categories_missing(set);
        if (count == 0) continue;
        uint32_t at = find_value(v, set, code);
        if (at != QN_CATEGORY_UNKNOWN)
            rows[at] += (int64_t)count;
        else if (qn_param_is(stage->estimator, "handle_unknown", "error"))
            return unknown_at_fit(stage, i, set, code);
    }
    v->rows = rows;
    return QUERN_OK;
}

/* ---- infrequent categories ---- */

struct counted {
    int64_t rows;
    uint32_t index;
};

static int by_rows_then_index(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    if (x->rows != y->rows) return x->rows < y->rows ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Marks infrequent categories among the first n; returns how many there are, or -1 on exhaustion. */
static int64_t mark_infrequent(struct qn_stage *stage, const int64_t *rows, uint32_t n,
                               uint64_t samples, int64_t *mark)
{
    const json_t *frequency = qn_param(stage->estimator, "min_frequency");
    const json_t *most = qn_param(stage->estimator, "max_categories");
    int64_t infrequent = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (json_is_integer(frequency))
            mark[k] = rows[k] < (int64_t)json_integer_value(frequency);
        else if (json_is_real(frequency))
            mark[k] = (double)rows[k] < (double)samples * json_real_value(frequency);
        infrequent += mark[k];
    }
    int64_t features = (int64_t)n - infrequent + 1;
    if (!json_is_integer(most) || (int64_t)json_integer_value(most) >= features) return infrequent;
    int64_t keep = (int64_t)json_integer_value(most) - 1;
    struct counted *order = qn_arena_alloc(stage->arena, n, sizeof *order);
    if (order == NULL) return -1;
    for (uint32_t k = 0; k < n; k++) order[k] = (struct counted){rows[k], k};
    qsort(order, n, sizeof *order, by_rows_then_index);
    for (int64_t k = 0; k < (int64_t)n - keep; k++) mark[order[k].index] = 1;
    infrequent = 0;
    for (uint32_t k = 0; k < n; k++) infrequent += mark[k];
    return infrequent;
}

static int infrequent_enabled(const struct qn_estimator *e)
{
    return !json_is_null(qn_param(e, "min_frequency")) ||
           !json_is_null(qn_param(e, "max_categories"));
}

/* infrequent_[i]: 1 per infrequent category; only when a parameter asks for groups. */
static quern_status learn_infrequent(struct qn_stage *stage, const struct qn_values *values,
                                     int skip_missing)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < stage->n_in; i++)
        total += values[i].count + (uint32_t)values[i].missing;
    int64_t *marks = qn_attrs_i64(stage->attrs, "infrequent_", total);
    if (marks == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        uint32_t all = values[i].count + (uint32_t)values[i].missing;
        uint32_t n = skip_missing ? values[i].count : all;
        if (mark_infrequent(stage, values[i].rows, n, stage->found[i].rows, marks) < 0)
            return qn_stage_memory(stage);
        marks += all;
    }
    return QUERN_OK;
}

/* Categories of truth values and integers that were counted as doubles. */
static quern_status as_integers(const struct qn_stage *stage, struct qn_values *v)
{
    if (qn_type_is_float(v->type) || v->f64 == NULL) return QUERN_OK;
    int64_t *whole = qn_arena_alloc(stage->arena, v->count, sizeof *whole);
    if (whole == NULL) return qn_stage_memory(stage);
    for (uint32_t k = 0; k < v->count; k++) whole[k] = (int64_t)v->f64[k];
    v->i64 = whole;
    v->f64 = NULL;
    return QUERN_OK;
}

quern_status qn_encoder_learn(struct qn_stage *stage)
{
    const json_t *given = qn_param(stage->estimator, "categories");
    struct qn_values *values = qn_attrs_values(stage->attrs, "categories_", stage->n_in);
    if (values == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        if (json_is_array(given)) {
            QN_TRY(given_values(stage, i, &values[i]));
            QN_TRY(count_given(stage, i, &values[i]));
            continue;
        }
        QN_TRY(qn_values_from(stage->arena, stage->found[i].categories, &values[i]));
        values[i].type = value_type(&stage->in[i]);
        QN_TRY(as_integers(stage, &values[i]));
        if (!stage->in[i].may_nan) values[i].missing = 0;
        for (uint32_t k = 0; qn_type_is_float(values[i].type) && k < values[i].count; k++)
            if (isinf(values[i].f64[k]))
                return qn_error(QUERN_INVALID, "%s: column \"%s\" has infinite values",
                                stage->estimator->type->name, stage->in[i].name);
    }
    if (!infrequent_enabled(stage->estimator)) return QUERN_OK;
    return learn_infrequent(stage, values, stage->estimator->type == &qn_ordinal_encoder);
}

quern_status qn_encoder_grouping(struct qn_stage *stage, uint32_t i, int skip_missing,
                                 struct qn_grouping *out)
{
    const struct qn_attr *values = qn_attrs_find(stage->attrs, "categories_");
    const struct qn_attr *marks = qn_attrs_find(stage->attrs, "infrequent_");
    const struct qn_values *v = &values->values[i];
    uint32_t all = v->count + (uint32_t)v->missing, first = 0;
    uint32_t n = skip_missing ? v->count : all;
    for (uint32_t k = 0; k < i; k++)
        first += values->values[k].count + (uint32_t)values->values[k].missing;
    uint32_t *group = qn_arena_alloc(stage->arena, (size_t)all + 1, sizeof *group);
    if (group == NULL) return qn_stage_memory(stage);
    uint32_t frequent = 0;
    *out = (struct qn_grouping){.n_categories = all, .group = group};
    for (uint32_t k = 0; k < n; k++) {
        if (marks != NULL && marks->i64[first + k])
            out->has_infrequent = 1;
        else
            group[k] = frequent++;
    }
    out->infrequent = frequent;
    for (uint32_t k = 0; marks != NULL && k < n; k++)
        if (marks->i64[first + k]) group[k] = frequent;
    out->n_groups = frequent + (uint32_t)out->has_infrequent;
    return QUERN_OK;
}

/* ---- from a cell to its category ---- */

static int compare_text(const struct qn_values *v, uint32_t k, const char *text, uint64_t bytes)
{
    uint64_t own = (uint64_t)(v->offsets[k + 1] - v->offsets[k]);
    int order = memcmp(v->text + v->offsets[k], text, own < bytes ? own : bytes);
    return order != 0 ? order : own < bytes ? -1 : own > bytes;
}

static int is_sorted(const struct qn_values *v)
{
    if (v->type != QUERN_STRING) return 0;
    for (uint32_t k = 1; k < v->count; k++)
        if (compare_text(v, k - 1, v->text + v->offsets[k],
                         (uint64_t)(v->offsets[k + 1] - v->offsets[k])) >= 0)
            return 0;
    return 1;
}

/* Learned categories are sorted and may be many; given ones keep the user's order and are few. */
static uint32_t category_of_text(const struct qn_values *v, int sorted, const char *text,
                                 uint64_t bytes)
{
    if (text == NULL) return v->missing ? v->count : QN_CATEGORY_UNKNOWN;
    uint32_t first = 0, end = sorted ? v->count : 0;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        int order = compare_text(v, middle, text, bytes);
        if (order == 0) return middle;
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    if (sorted) return QN_CATEGORY_UNKNOWN;
    for (uint32_t k = 0; k < v->count; k++)
        if ((uint64_t)(v->offsets[k + 1] - v->offsets[k]) == bytes &&
            memcmp(v->text + v->offsets[k], text, bytes) == 0)
            return k;
    return QN_CATEGORY_UNKNOWN;
}

/* The set that cells are looked up in: the categories and the markers that fills replace, sorted. */
static quern_status lookup_set(const struct qn_values *v, const struct qn_raw_fill *fill,
                               struct qn_categories **out)
{
    struct qn_categories *set = NULL;
    quern_status status = QUERN_OK;
    quern_column column = {
        .type = QUERN_STRING, .offset_bits = 64, .data = v->text, .offsets = v->offsets};
    if (v->type == QUERN_DATETIME) return qn_values_set(v, out);
    *out = NULL;
    QN_GO(qn_categories_open(QUERN_STRING, &set));
    QN_GO(qn_categories_push(set, NULL, &column, v->count, NULL));
    for (; fill != NULL; fill = fill->before) {
        if (fill->match == NULL) continue;
        int64_t offsets[2] = {0, (int64_t)fill->match_bytes};
        column.data = fill->match;
        column.offsets = offsets;
        QN_GO(qn_categories_push(set, NULL, &column, 1, NULL));
    }
    QN_GO(qn_categories_finish(set));
    *out = set;
    return QUERN_OK;
cleanup:
    qn_categories_free(set);
    return status;
}

/* An imputer with a marker of its own does not take cells that are really missing. */
static quern_status refuse_unfilled(const struct qn_stage *stage, const struct qn_port *port,
                                    const struct qn_chain **chain)
{
    const struct qn_raw_fill *first = port->fill;
    while (first != NULL && first->before != NULL) first = first->before;
    if (first == NULL || first->match == NULL) return QUERN_OK;
    struct qn_chain *copy = qn_chain_copy(stage->arena, *chain);
    if (copy == NULL) return qn_stage_memory(stage);
    copy->refuse_missing_code = 1;
    copy->blame = "SimpleImputer";
    *chain = copy;
    return QUERN_OK;
}

static quern_status raw_lookup(struct qn_stage *stage, uint32_t i, const struct qn_values *v,
                               const struct qn_chain **chain, uint32_t **meaning, uint32_t *n_codes)
{
    const struct qn_port *port = &stage->in[i];
    struct qn_categories *set;
    QN_TRY(lookup_set(v, port->fill, &set));
    uint32_t n = qn_categories_count(set);
    int sorted = is_sorted(v);
    uint32_t *means = qn_arena_alloc(stage->arena, (size_t)n + 2, sizeof *means);
    if (means == NULL) {
        qn_categories_free(set);
        return qn_stage_memory(stage);
    }
    for (uint32_t k = 0; k <= n; k++) {
        uint64_t bytes = 0;
        if (v->type == QUERN_DATETIME) {
            means[k] = k < n ? k : v->missing ? v->count : QN_CATEGORY_UNKNOWN;
            continue;
        }
        const char *text = k < n ? qn_categories_string(set, k, &bytes) : NULL;
        qn_raw_fill_apply(port->fill, &text, &bytes);
        means[k] = category_of_text(v, sorted, text, bytes);
    }
    means[n + 1] = QN_CATEGORY_UNKNOWN;
    *meaning = means;
    *n_codes = n + 2;
    QN_TRY(stage->add_encoding(stage->plan, port->source, set, chain)); /* takes the set */
    return refuse_unfilled(stage, port, chain);
}

/* Integers up to 2^53 are told apart as doubles too, and doubles can be missing: a column that was
 * complete at the fit may have empty cells later. */
static int exact_in_f64(const struct qn_values *v)
{
    const int64_t most = (int64_t)1 << 53;
    return v->count == 0 || (v->i64[0] > -most && v->i64[v->count - 1] < most);
}

static quern_status number_lookup(struct qn_stage *stage, uint32_t i, const struct qn_values *v,
                                  const struct qn_chain **chain, uint32_t **meaning,
                                  uint32_t *n_codes)
{
    struct qn_port port;
    quern_type type = v->type;
    int reals = qn_type_is_float(type) || type == QUERN_BOOL || exact_in_f64(v);
    if (reals && !qn_type_is_float(type)) type = QUERN_FLOAT64;
    QN_TRY(qn_port_convert(stage, &stage->in[i], type, &port));
    uint64_t *table = qn_arena_alloc(stage->arena, v->count, sizeof *table);
    uint32_t *means = qn_arena_alloc(stage->arena, (size_t)v->count + 2, sizeof *means);
    if (table == NULL || means == NULL) return qn_stage_memory(stage);
    for (uint32_t k = 0; k < v->count; k++) {
        table[k] = qn_type_is_float(v->type) ? qn_word_f64(v->f64[k])
                   : reals                   ? qn_word_f64((double)v->i64[k])
                                             : qn_word_i64(v->i64[k]);
        means[k] = k;
    }
    means[v->count] = v->missing ? v->count : QN_CATEGORY_UNKNOWN;
    means[v->count + 1] = QN_CATEGORY_UNKNOWN;
    *meaning = means;
    *n_codes = v->count + 2;
    *chain = qn_chain_add_table(stage->arena, port.chain, QN_OP_FIND, table, v->count, QN_W_CODE);
    return *chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

quern_status qn_encoder_lookup(struct qn_stage *stage, uint32_t i, const struct qn_chain **chain,
                               uint32_t **meaning, uint32_t *n_codes)
{
    const struct qn_attr *attr = qn_attrs_find(stage->attrs, "categories_");
    const struct qn_values *v = &attr->values[i];
    return stage->in[i].raw ? raw_lookup(stage, i, v, chain, meaning, n_codes)
                            : number_lookup(stage, i, v, chain, meaning, n_codes);
}

quern_status qn_encoder_refuse_unknown(struct qn_stage *stage, uint32_t i, const uint32_t *meaning,
                                       uint32_t n_codes, const struct qn_chain **chain)
{
    struct qn_chain *copy = qn_chain_copy(stage->arena, *chain);
    if (copy == NULL) return qn_stage_memory(stage);
    int missing_unknown = meaning[n_codes - 2] == QN_CATEGORY_UNKNOWN;
    copy->refuse_unknown = 1;
    copy->refuse_missing_code |= stage->in[i].raw && missing_unknown;
    copy->refuse_nan |= !stage->in[i].raw && missing_unknown &&
                        (stage->in[i].may_nan || qn_type_is_integer(stage->in[i].type));
    copy->blame = stage->estimator->type->name;
    *chain = copy;
    return QUERN_OK;
}
