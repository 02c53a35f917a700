/* SPDX-License-Identifier: Apache-2.0
 * Loading is planning: the spec and the schema come from the header, the attributes are put where the
 * fit put them, and the plan's rounds run to the end without a pass. What an estimator then finds
 * missing or of the wrong length is refused here, before it is looked at. */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/model_file.h"
#include "host/pipeline/plan_passes.h"

struct reader {
    const char *name;
    const unsigned char *data; /* tensors */
    size_t size;               /* of the data */
    size_t base;               /* where data starts in the file, for messages */
    json_t *header;
    struct qn_arena *arena;
};

static quern_status corrupt(const struct reader *r, size_t offset, const char *what)
{
    return qn_error(QUERN_CORRUPT, "%s: not a quern model: %s (at byte %zu)", r->name, what,
                    offset);
}

/* The tensor of that name: its place and element count. columns: NULL for a list, else it is a matrix. */
static quern_status find_tensor(const struct reader *r, const char *name, const char *dtype,
                                size_t value, const unsigned char **bytes, size_t *count,
                                uint32_t *columns)
{
    const json_t *entry = json_object_get(r->header, name);
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *shape = json_object_get(entry, "shape");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    char what[200];
    (void)snprintf(what, sizeof what, "tensor \"%.120s\" is missing or malformed", name);
    if (type == NULL || strcmp(type, dtype) != 0 || json_array_size(offsets) != 2 ||
        json_array_size(shape) != (columns != NULL ? 2 : 1))
        return corrupt(r, 8, what);
    json_int_t first = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    json_int_t n = json_integer_value(json_array_get(shape, 0)), width = 1;
    if (columns != NULL) {
        width = json_integer_value(json_array_get(shape, 1));
        if (width < 1 || width > UINT32_MAX / 2 || n > INT64_MAX / width)
            return corrupt(r, 8, what);
        *columns = (uint32_t)width;
        n *= width;
    }
    if (first < 0 || end < first || (uint64_t)end > r->size || n < 0 ||
        (uint64_t)n > (uint64_t)(end - first) || (size_t)(end - first) != (size_t)n * value)
        return corrupt(r, 8, what);
    *bytes = r->data + first;
    *count = (size_t)n;
    return QUERN_OK;
}

/* Copies, so that alignment does not matter. */
static quern_status read_tensor(const struct reader *r, const char *name, const char *dtype,
                                size_t value, void **out, size_t *count)
{
    const unsigned char *bytes = NULL;
    QN_TRY(find_tensor(r, name, dtype, value, &bytes, count, NULL));
    *out = qn_arena_alloc(r->arena, *count + 1, value);
    if (*out == NULL) return qn_error_memory_while("reading a model");
    if (*count != 0) memcpy(*out, bytes, *count * value);
    return QUERN_OK;
}

static int ascending_offsets(const int64_t *offsets, size_t n, size_t bytes)
{
    if (offsets[0] != 0 || (uint64_t)offsets[n] != bytes) return 0;
    for (size_t i = 0; i < n; i++)
        if (offsets[i + 1] < offsets[i]) return 0;
    return 1;
}

static quern_status read_values(const struct reader *r, const char *name, struct qn_values *v)
{
    char *part = qn_arena_printf(r->arena, "%s/values", name);
    char *kind = qn_arena_printf(r->arena, "%s/kind", name);
    char *bytes_name = qn_arena_printf(r->arena, "%s/bytes", name);
    void *about, *values, *bytes;
    size_t n, total;
    if (part == NULL || kind == NULL || bytes_name == NULL)
        return qn_error_memory_while("reading a model");
    QN_TRY(read_tensor(r, kind, "I64", 8, &about, &n));
    const int64_t *a = about;
    if (n != 2 || a[0] < 0 || a[0] > QUERN_DATETIME || a[1] < 0 || a[1] > 1)
        return corrupt(r, 8, "a category list has an unknown kind");
    v->type = (quern_type)a[0];
    v->missing = (int)a[1];
    if (v->type == QUERN_STRING) {
        QN_TRY(read_tensor(r, part, "I64", 8, &values, &n));
        QN_TRY(read_tensor(r, bytes_name, "U8", 1, &bytes, &total));
        if (n == 0 || !ascending_offsets(values, n - 1, total))
            return corrupt(r, 8, "a category list has broken offsets");
        v->offsets = values;
        v->text = bytes;
        n--;
    } else if (qn_type_is_float(v->type)) {
        QN_TRY(read_tensor(r, part, "F64", 8, &values, &n));
        v->f64 = values;
        for (size_t i = 0; i < n; i++)
            if (isnan(v->f64[i]) || (i > 0 && !(v->f64[i - 1] < v->f64[i])))
                return corrupt(r, 8, "a category list is not sorted");
    } else {
        QN_TRY(read_tensor(r, part, "I64", 8, &values, &n));
        v->i64 = values;
        for (size_t i = 1; i < n; i++)
            if (v->i64[i - 1] >= v->i64[i]) return corrupt(r, 8, "a category list is not sorted");
    }
    if (n > UINT32_MAX - 8) return corrupt(r, 8, "a category list is too long");
    v->count = (uint32_t)n;
    return QUERN_OK;
}

static quern_status read_text(const struct reader *r, const char *name, struct qn_attrs *attrs,
                              const char *attr, uint32_t wanted)
{
    char *part = qn_arena_printf(r->arena, "%s/offsets", name);
    char *bytes_name = qn_arena_printf(r->arena, "%s/bytes", name);
    char *present_name = qn_arena_printf(r->arena, "%s/present", name);
    void *offsets, *bytes, *present;
    size_t n, total, cells;
    if (part == NULL || bytes_name == NULL || present_name == NULL)
        return qn_error_memory_while("reading a model");
    QN_TRY(read_tensor(r, part, "I64", 8, &offsets, &n));
    QN_TRY(read_tensor(r, bytes_name, "U8", 1, &bytes, &total));
    QN_TRY(read_tensor(r, present_name, "U8", 1, &present, &cells));
    const int64_t *o = offsets;
    if (cells != wanted || n != cells + 1 || !ascending_offsets(o, cells, total))
        return corrupt(r, 8, "a list of strings has broken offsets");
    const char **text = qn_attrs_text(attrs, attr, wanted);
    if (text == NULL) return qn_error_memory_while("reading a model");
    for (uint32_t i = 0; i < wanted; i++) {
        if (!((const uint8_t *)present)[i]) continue;
        text[i] = qn_arena_strndup(r->arena, (const char *)bytes + o[i], (size_t)(o[i + 1] - o[i]));
        if (text[i] == NULL) return qn_error_memory_while("reading a model");
    }
    return QUERN_OK;
}

static int has_tensor(const struct reader *r, const char *name)
{
    return json_object_get(r->header, name) != NULL;
}

static quern_status read_numbers(const struct reader *r, const char *place, struct qn_attrs *attrs,
                                 const char *attr, int integers, uint32_t wanted, int any_length)
{
    char *name = qn_arena_printf(r->arena, "%s/%s", place, attr);
    void *values;
    size_t n;
    if (name == NULL) return qn_error_memory_while("reading a model");
    if (!has_tensor(r, name)) return QUERN_OK;
    QN_TRY(read_tensor(r, name, integers ? "I64" : "F64", 8, &values, &n));
    if (n > UINT32_MAX || (!any_length && n != wanted)) {
        char what[160];
        (void)snprintf(what, sizeof what, "%s has %zu values for %u columns", name, n, wanted);
        return corrupt(r, 8, what);
    }
    void *out = integers ? (void *)qn_attrs_i64(attrs, attr, (uint32_t)n)
                         : (void *)qn_attrs_f64(attrs, attr, (uint32_t)n);
    if (out == NULL) return qn_error_memory_while("reading a model");
    if (n != 0) memcpy(out, values, n * 8);
    return QUERN_OK;
}

/* The estimator knows how large its matrices must be; it looks when it emits. */
static quern_status read_matrix(const struct reader *r, const char *place,
                                const struct qn_estimator_type *type, struct qn_attrs *attrs,
                                const char *attr, uint32_t wanted)
{
    char *name = qn_arena_printf(r->arena, "%s/%s", place, attr);
    const unsigned char *bytes = NULL;
    uint32_t columns = 1;
    size_t count;
    (void)type;
    (void)wanted;
    if (name == NULL) return qn_error_memory_while("reading a model");
    if (!has_tensor(r, name)) return QUERN_OK;
    QN_TRY(find_tensor(r, name, "F64", sizeof(double), &bytes, &count, &columns));
    double *values = qn_attrs_matrix(attrs, attr, count / columns, columns);
    if (values == NULL) return qn_error_memory_while("reading a model");
    if (count != 0) memcpy(values, bytes, count * sizeof *values);
    return QUERN_OK;
}

/* Rows, or, of a weighted fit, the sum of their weights. */
static quern_status read_seen(const struct reader *r, const char *place, struct qn_attrs *attrs)
{
    char *name = qn_arena_printf(r->arena, "%s/n_samples_seen_", place);
    if (name == NULL) return qn_error_memory_while("reading a model");
    const char *dtype =
        json_string_value(json_object_get(json_object_get(r->header, name), "dtype"));
    int integers = dtype == NULL || strcmp(dtype, "F64") != 0;
    return read_numbers(r, place, attrs, "n_samples_seen_", integers, 1, 1);
}

static quern_status require(const struct reader *r, const struct qn_attrs *attrs, const char *place,
                            const char *attr)
{
    char what[200];
    if (qn_attrs_find(attrs, attr) != NULL) return QUERN_OK;
    (void)snprintf(what, sizeof what, "%.100s/%s is missing", place, attr);
    return corrupt(r, 8, what);
}

static quern_status read_categories(const struct reader *r, const char *place,
                                    struct qn_attrs *attrs, const struct qn_plan_step *step)
{
    uint64_t total = 0;
    struct qn_values *values = qn_attrs_values(attrs, "categories_", step->n_ports);
    if (values == NULL) return qn_error_memory_while("reading a model");
    for (uint32_t i = 0; i < step->n_ports; i++) {
        char *one = qn_arena_printf(r->arena, "%s/categories_/%u", place, i);
        if (one == NULL) return qn_error_memory_while("reading a model");
        QN_TRY(read_values(r, one, &values[i]));
        const struct qn_port *p = &step->ports[i];
        int text = values[i].type == QUERN_STRING || values[i].type == QUERN_DATETIME;
        if (text != p->raw || (p->raw && p->type != values[i].type))
            return corrupt(r, 8, "categories are of another type than their column");
        total += values[i].count + (uint64_t)values[i].missing;
    }
    QN_TRY(read_numbers(r, place, attrs, "infrequent_", 1, (uint32_t)total, 0));
    return read_numbers(r, place, attrs, "n_without_column_", 1, step->n_ports, 0);
}

/* Calls read for each word of a list that spaces separate. */
typedef quern_status read_word(const struct reader *, const char *place,
                               const struct qn_estimator_type *, struct qn_attrs *,
                               const char *word, uint32_t columns);

static quern_status each_word(const struct reader *r, const char *place,
                              const struct qn_estimator_type *type, struct qn_attrs *attrs,
                              const char *words, uint32_t columns, read_word *read)
{
    for (const char *at = words; *at != '\0';) {
        size_t length = strcspn(at, " ");
        const char *word = qn_arena_strndup(r->arena, at, length);
        if (word == NULL) return qn_error_memory_while("reading a model");
        QN_TRY(read(r, place, type, attrs, word, columns));
        at += length + strspn(at + length, " ");
    }
    return QUERN_OK;
}

static int is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, " ");
        if (n == length && memcmp(at, word, n) == 0) return 1;
        at += n + strspn(at + n, " ");
    }
    return 0;
}

/* A number for each column, but for what is counted. */
static quern_status read_attribute(const struct reader *r, const char *place,
                                   const struct qn_estimator_type *type, struct qn_attrs *attrs,
                                   const char *word, uint32_t columns)
{
    if (strcmp(word, "n_samples_seen_") == 0) return read_seen(r, place, attrs);
    return read_numbers(r, place, attrs, word, is_among(type->whole, word), columns,
                        is_among(type->lists, word));
}

static quern_status require_word(const struct reader *r, const char *place,
                                 const struct qn_estimator_type *type, struct qn_attrs *attrs,
                                 const char *word, uint32_t columns)
{
    (void)type;
    (void)columns;
    return require(r, attrs, place, word);
}

/* The attributes of one estimator, checked against the ports that it gets. */
static quern_status read_estimator(const struct reader *r, const char *place,
                                   const struct qn_plan_step *step, struct qn_attrs *attrs)
{
    const struct qn_estimator *e = &step->apply[step->at];
    uint32_t n = step->n_ports;
    if (n == 0) return QUERN_OK;
    if (strncmp(e->type->attributes, "categories_", strlen("categories_")) == 0)
        return read_categories(r, place, attrs, step);
    QN_TRY(each_word(r, place, e->type, attrs, e->type->attributes, n, read_attribute));
    if (e->type->matrices != NULL)
        QN_TRY(each_word(r, place, e->type, attrs, e->type->matrices, n, read_matrix));
    if (e->type->text != NULL) {
        char *text = qn_arena_printf(r->arena, "%s/%s", place, e->type->text);
        char *part = qn_arena_printf(r->arena, "%s/offsets", text != NULL ? text : "");
        if (text == NULL || part == NULL) return qn_error_memory_while("reading a model");
        if (has_tensor(r, part)) QN_TRY(read_text(r, text, attrs, e->type->text, n));
    }
    if (e->type->depends_on == NULL) return QUERN_OK;
    return each_word(r, place, e->type, attrs, e->type->depends_on(e), n, require_word);
}

/* ---- the header ---- */

/* Where the last tensor ends: nothing may follow it. Offsets that are nonsense are refused when their
 * tensor is asked for. */
static size_t end_of_tensors(const json_t *header)
{
    const char *name;
    json_t *entry;
    size_t end = 0;
    json_object_foreach((json_t *)(uintptr_t)header, name, entry)
    {
        json_int_t one =
            json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));
        if (one > 0 && (size_t)one > end) end = (size_t)one;
    }
    return end;
}

static quern_status read_header(struct reader *r, const unsigned char *bytes, size_t size)
{
    uint64_t length = 0;
    json_error_t where;
    if (size < 8) return corrupt(r, 0, "the file is shorter than a header");
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    if (length > size - 8) return corrupt(r, 0, "the header is longer than the file");
    if (length > ((uint64_t)1 << 30)) return corrupt(r, 0, "the header is too long");
    r->header = json_loadb((const char *)bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (r->header == NULL || !json_is_object(r->header))
        return corrupt(r,
                       8 + (r->header == NULL && where.position > 0 ? (size_t)where.position : 0),
                       "the header is not a JSON object");
    r->base = 8 + (size_t)length;
    r->data = bytes + r->base;
    r->size = size - r->base;
    size_t end = end_of_tensors(r->header);
    if (end < r->size) return corrupt(r, r->base + end, "bytes follow the last tensor");
    return QUERN_OK;
}

static const char *metadata(const struct reader *r, const char *key)
{
    return json_string_value(json_object_get(json_object_get(r->header, "__metadata__"), key));
}

struct schema_memory {
    struct qn_arena arena;
};

static void schema_release(void *owner)
{
    struct schema_memory *m = owner;
    qn_arena_free(&m->arena);
    qn_free(m);
}

static quern_status type_of(const struct reader *r, const char *word, quern_type *out)
{
    for (int t = 0; word != NULL && t <= QUERN_DATETIME; t++)
        if (strcmp(qn_type_name((quern_type)t), word) == 0) {
            *out = (quern_type)t;
            return QUERN_OK;
        }
    return corrupt(r, 8, "the input's schema names an unknown dtype");
}

static quern_status fill_schema(const struct reader *r, const json_t *list, struct schema_memory *m,
                                struct quern_table *t)
{
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        QN_TRY(type_of(r, json_string_value(json_object_get(one, "dtype")), &t->columns[i].type));
        if (name == NULL) continue;
        t->has_names = 1;
        t->columns[i].name = qn_arena_strdup(&m->arena, name);
        if (t->columns[i].name == NULL) return qn_error_memory_while("reading a model");
    }
    for (uint32_t i = 0; t->has_names && i < t->n_columns; i++)
        if (t->columns[i].name == NULL) return corrupt(r, 8, "a column has no name");
    return QUERN_OK;
}

static quern_status read_schema(const struct reader *r, struct quern_table **out)
{
    const char *text = metadata(r, "input"), *matrix = metadata(r, "matrix");
    json_t *list = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    *out = NULL;
    if (!json_is_array(list) || json_array_size(list) > UINT32_MAX / 2) {
        json_decref(list);
        return corrupt(r, 8, "the input's schema is missing");
    }
    size_t n = json_array_size(list);
    struct quern_table *t = qn_zalloc(1, sizeof *t);
    struct schema_memory *m = qn_zalloc(1, sizeof *m);
    quern_column *columns = qn_zalloc(n, sizeof *columns);
    if (t == NULL || m == NULL || columns == NULL) {
        qn_free(t);
        qn_free(m);
        qn_free(columns);
        json_decref(list);
        return qn_error_memory_while("reading a model");
    }
    *t = (struct quern_table){.n_columns = (uint32_t)n,
                              .columns = columns,
                              .owner = m,
                              .is_matrix = matrix != NULL && matrix[0] == '1',
                              .release = schema_release};
    quern_status status = fill_schema(r, list, m, t);
    json_decref(list);
    if (status != QUERN_OK) {
        qn_table_free(t);
        return status;
    }
    *out = t;
    return QUERN_OK;
}

/* How often the fit went over its rows; not in files of before quern 0.2. */
static quern_status read_passes(const struct reader *r, struct qn_plan *plan)
{
    quern_status status = QUERN_OK;
    const char *text = metadata(r, "passes");
    if (text == NULL) return QUERN_OK;
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    int good = qn_passes_parse(plan, list, &status);
    json_decref(list);
    return good ? status : corrupt(r, 8, "the passes of the fit are malformed");
}

static quern_status read_all(void *user, struct qn_plan *plan, struct qn_plan_step *step)
{
    struct reader *r = user;
    uint32_t i = (uint32_t)(step - plan->steps);
    char *place = i < plan->n_blocks ? qn_arena_printf(r->arena, "steps/%u/%u", i, step->at)
                                     : qn_arena_printf(r->arena, "then/%u", step->at);
    if (place == NULL) return qn_error_memory_while("reading a model");
    return read_estimator(r, place, step, &step->attrs[step->at]);
}

static quern_status build(struct reader *r, struct quern_model *m)
{
    int pending;
    const char *version = metadata(r, "quern_model"), *spec = metadata(r, "spec");
    const char *sparse = metadata(r, "sparse");
    if (version == NULL || strcmp(version, "1") != 0)
        return corrupt(r, 8, "the metadata does not say quern_model 1");
    if (spec == NULL) return corrupt(r, 8, "the metadata has no spec");
    QN_TRY(qn_spec_parse(r->name, spec, strlen(spec), &m->spec));
    QN_TRY(read_schema(r, &m->schema));
    QN_TRY(qn_plan_open(m->spec, m->schema, &m->plan));
    r->arena = &m->plan->arena;
    m->plan->rows = UINT64_MAX; /* of the fit: not known, not needed */
    m->plan->decided_sparse = m->sparse = sparse != NULL && sparse[0] == '1';
    m->plan->attributes = read_all;
    m->plan->attributes_user = r;
    QN_TRY(qn_plan_round(m->plan, 1, &pending));
    m->plan->attributes = NULL;
    QN_TRY(read_passes(r, m->plan));
    return qn_model_finish(m);
}

quern_status qn_model_parse(const char *name, const void *bytes, size_t size,
                            struct quern_model **out)
{
    struct reader r = {.name = name};
    *out = NULL;
    struct quern_model *m = qn_zalloc(1, sizeof *m);
    if (m == NULL) return qn_error_memory_while("reading a model");
    quern_status status = read_header(&r, bytes, size);
    if (status == QUERN_OK) status = build(&r, m);
    json_decref(r.header);
    if (status != QUERN_OK) {
        qn_model_free(m);
        /* whatever a file's contents break, the file is at fault */
        return status == QUERN_OUT_OF_MEMORY ? status : QUERN_CORRUPT;
    }
    *out = m;
    return QUERN_OK;
}

quern_status qn_model_load(const char *path, struct quern_model **out)
{
    struct qn_mapping file;
    *out = NULL;
    QN_TRY(qn_map_file(path, &file));
    quern_status status = qn_model_parse(path, file.data != NULL ? file.data : "", file.size, out);
    qn_unmap_file(&file);
    return status;
}
