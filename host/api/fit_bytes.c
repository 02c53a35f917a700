/* SPDX-License-Identifier: Apache-2.0
 * A fit's state as bytes (docs/fit-state.md): the spec, the columns and the statistics, little-endian,
 * in one canonical form, with a hash of the first two and a checksum over all. Reading takes them for
 * hostile: no length is believed before it is compared with what is there. */
#include <string.h>

#include <xxhash.h>

#include "host/api/fit.h"
#include "host/core/checked.h"

enum {
    VERSION = 1,
    AT_VERSION = 8,
    AT_FLAGS = 12,
    AT_SIZE = 16,
    AT_HASH = 24,
    AT_SPEC = 32,
    AT_COLUMNS = 36,
    HEAD = 40,
    CHECKSUM = 8,
    COLUMN = 12 /* of a column, before its name */
};
enum { FLAG_PUSHED = 1, FLAG_WEIGHTED = 2, FLAG_MATRIX = 4, FLAG_ANY_WEIGHT = 8 };
enum { COLUMN_NAMED = 1, COLUMN_NULLS = 2 };
static const char magic[9] = "QUERNFIT";

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;) value = value << 8 | at[i];
    return value;
}

/* ---- writing ---- */

static size_t columns_size(const struct quern_table *schema)
{
    size_t size = 0;
    for (uint32_t i = 0; schema != NULL && i < schema->n_columns; i++) {
        const char *name = schema->columns[i].name;
        size += COLUMN + (name != NULL ? strlen(name) : 0);
    }
    return size;
}

static uint8_t *put_columns(uint8_t *at, const struct qn_mergeable *m)
{
    for (uint32_t i = 0; i < m->schema->n_columns; i++) {
        const quern_column *c = &m->schema->columns[i];
        size_t bytes = c->name != NULL ? strlen(c->name) : 0;
        put(at, (uint64_t)c->type, 4);
        put(at + 4, (c->name != NULL ? COLUMN_NAMED : 0u) | (m->nulls[i] != 0 ? COLUMN_NULLS : 0u),
            4);
        put(at + 8, bytes, 4);
        if (bytes != 0) memcpy(at + COLUMN, c->name, bytes);
        at += COLUMN + bytes;
    }
    return at;
}

static uint32_t flags_of(const struct qn_mergeable *m)
{
    if (m == NULL) return 0;
    return FLAG_PUSHED | (m->weighted ? FLAG_WEIGHTED : 0u) |
           (m->schema->is_matrix ? FLAG_MATRIX : 0u) | (m->weights.any ? FLAG_ANY_WEIGHT : 0u);
}

/* Spec and columns, from HEAD on: which plan this is. */
static uint64_t plan_hash(const uint8_t *bytes, size_t size)
{
    return XXH3_64bits(bytes + HEAD, size);
}

static quern_status write_fit(const struct quern_fit *fit, const char *spec, void **bytes,
                              size_t *size)
{
    const struct qn_mergeable *m = fit->state;
    size_t text = strlen(spec), names = columns_size(m != NULL ? m->schema : NULL), total;
    size_t stats = m != NULL ? qn_running_size(m->stats) : 0;
    if (m != NULL && m->stats != NULL && stats == 0)
        return qn_error_memory("fit state", UINT64_MAX);
    if (text > UINT32_MAX || qn_add_size(HEAD + CHECKSUM, text, &total) ||
        qn_add_size(total, names, &total) || qn_add_size(total, stats, &total))
        return qn_error_memory("fit state", UINT64_MAX);
    uint8_t *out = qn_zalloc(total, 1);
    if (out == NULL) return qn_error_memory("fit state", total);
    memcpy(out, magic, sizeof magic - 1);
    put(out + AT_VERSION, VERSION, 4);
    put(out + AT_FLAGS, flags_of(m), 4);
    put(out + AT_SIZE, total, 8);
    put(out + AT_SPEC, text, 4);
    put(out + AT_COLUMNS, m != NULL ? m->schema->n_columns : 0, 4);
    memcpy(out + HEAD, spec, text);
    if (m != NULL) qn_running_write(m->stats, put_columns(out + HEAD + text, m));
    put(out + AT_HASH, plan_hash(out, text + names), 8);
    put(out + total - CHECKSUM, XXH3_64bits(out, total - CHECKSUM), 8);
    *bytes = out;
    *size = total;
    return QUERN_OK;
}

static quern_status refuse_unmergeable(const char *blame)
{
    return qn_error(QUERN_UNSUPPORTED,
                    "the state of this fit is its rows, for the sake of %s; only fits of one "
                    "StandardScaler, MinMaxScaler or MaxAbsScaler a column have another",
                    blame);
}

quern_status quern_fit_to_bytes(const quern_fit *fit, void **bytes, size_t *size)
{
    if (fit == NULL || bytes == NULL || size == NULL) return qn_null_argument("quern_fit_to_bytes");
    *bytes = NULL;
    *size = 0;
    if (fit->blame != NULL) return refuse_unmergeable(fit->blame);
    if (fit->state != NULL && qn_running_broken(fit->state->stats))
        return qn_error(QUERN_INVALID,
                        "an earlier push failed half way; there is no state to keep");
    char *spec = json_dumps(fit->pipeline->json, JSON_COMPACT);
    if (spec == NULL) return qn_error_memory("fit state", 0);
    quern_status status = write_fit(fit, spec, bytes, size);
    qn_free(spec);
    return status;
}

/* ---- reading ---- */

struct reader {
    const char *name;
    const uint8_t *bytes;
    size_t at, end; /* of what is not read yet, without the checksum */
    uint32_t flags, spec_bytes, n_columns;
};

static quern_status corrupt(const struct reader *r, size_t at, const char *what)
{
    return qn_error(QUERN_CORRUPT, "%s: byte %zu: %s", r->name, at, what);
}

static quern_status read_head(struct reader *r, size_t size)
{
    const uint8_t *b = r->bytes;
    if (size < HEAD + CHECKSUM || memcmp(b, magic, sizeof magic - 1) != 0)
        return corrupt(r, 0, "this is no state of a fit");
    if (get(b + AT_VERSION, 4) != VERSION)
        return corrupt(r, AT_VERSION, "the state is of a version that is not known here");
    if (get(b + AT_SIZE, 8) != size) return corrupt(r, AT_SIZE, "the state has another size");
    r->end = size - CHECKSUM;
    if (get(b + r->end, 8) != XXH3_64bits(b, r->end))
        return corrupt(r, r->end, "the checksum is that of other bytes");
    r->flags = (uint32_t)get(b + AT_FLAGS, 4);
    r->spec_bytes = (uint32_t)get(b + AT_SPEC, 4);
    r->n_columns = (uint32_t)get(b + AT_COLUMNS, 4);
    if (r->flags > (FLAG_PUSHED | FLAG_WEIGHTED | FLAG_MATRIX | FLAG_ANY_WEIGHT) ||
        ((r->flags & FLAG_PUSHED) == 0 && r->flags != 0))
        return corrupt(r, AT_FLAGS, "the flags are unknown");
    r->at = HEAD;
    if (r->spec_bytes > r->end - r->at)
        return corrupt(r, AT_SPEC, "the spec is longer than the state");
    if (((r->flags & FLAG_PUSHED) != 0) != (r->n_columns != 0))
        return corrupt(r, AT_COLUMNS, "the number of columns does not go with the flags");
    return QUERN_OK;
}

/* A copy of a name, which has no zero in it. */
static quern_status read_name(const struct reader *r, size_t at, size_t bytes, char **out)
{
    if (memchr(r->bytes + at, 0, bytes) != NULL) return corrupt(r, at, "a name with a zero in it");
    *out = qn_strndup((const char *)r->bytes + at, bytes);
    return *out != NULL ? QUERN_OK : qn_error_memory("fit state", bytes);
}

static quern_status read_column(struct reader *r, quern_column *column, char **name, uint8_t *nulls)
{
    size_t left = r->end - r->at;
    if (left < COLUMN) return corrupt(r, r->at, "the columns end here");
    uint64_t type = get(r->bytes + r->at, 4), flags = get(r->bytes + r->at + 4, 4);
    size_t bytes = (size_t)get(r->bytes + r->at + 8, 4);
    if (type > QUERN_DATETIME || flags > (COLUMN_NAMED | COLUMN_NULLS) || bytes > left - COLUMN ||
        (!(flags & COLUMN_NAMED) && bytes != 0))
        return corrupt(r, r->at, "a column that is none");
    /* what STRING columns must have beside a type is given later, with rows */
    *column = (quern_column){.type = (quern_type)type, .offset_bits = 32, .offsets = ""};
    *nulls = (flags & COLUMN_NULLS) != 0;
    if (*nulls && !qn_type_is_integer(column->type))
        return corrupt(r, r->at, "missing cells are told of a column that needs no telling");
    if (flags & COLUMN_NAMED) {
        QN_TRY(read_name(r, r->at + COLUMN, bytes, name));
        column->name = *name;
    }
    r->at += COLUMN + bytes;
    return QUERN_OK;
}

static quern_status read_columns(struct reader *r, quern_column *columns, char **names,
                                 uint8_t *nulls, quern_table **out)
{
    for (uint32_t i = 0; i < r->n_columns; i++)
        QN_TRY(read_column(r, &columns[i], &names[i], &nulls[i]));
    QN_TRY(quern_table_create(columns, r->n_columns, 0, out));
    (*out)->is_matrix = (r->flags & FLAG_MATRIX) != 0;
    return QUERN_OK;
}

static quern_status read_schema(struct reader *r, uint8_t **nulls, quern_table **out)
{
    quern_status status = QUERN_OK;
    quern_column *columns = NULL;
    char **names = NULL;
    if (r->n_columns > (r->end - r->at) / COLUMN)
        return corrupt(r, AT_COLUMNS, "there are more columns than the state has room for");
    columns = qn_zalloc(r->n_columns, sizeof *columns);
    names = qn_zalloc(r->n_columns, sizeof *names);
    *nulls = qn_zalloc(r->n_columns, 1);
    if (columns == NULL || names == NULL || *nulls == NULL)
        status = qn_error_memory("fit state", r->n_columns * sizeof *columns);
    else
        status = read_columns(r, columns, names, *nulls, out);
    for (uint32_t i = 0; names != NULL && i < r->n_columns; i++) qn_free(names[i]);
    qn_free(names);
    qn_free(columns);
    return status;
}

static quern_status read_state(struct reader *r, struct quern_fit *fit)
{
    quern_table *schema = NULL;
    uint8_t *nulls = NULL;
    const struct qn_spec *spec = fit->pipeline->spec;
    int weighted = (r->flags & FLAG_WEIGHTED) != 0;
    quern_status status = read_schema(r, &nulls, &schema);
    if (status == QUERN_OK && get(r->bytes + AT_HASH, 8) != plan_hash(r->bytes, r->at - HEAD))
        status = corrupt(r, AT_HASH, "the plan is not that of this spec and these columns");
    if (status == QUERN_OK && spec->weight != NULL && !weighted)
        status = corrupt(r, AT_FLAGS, "the spec names weights, the state has none");
    if (status == QUERN_OK) status = qn_mergeable_open(spec, schema, weighted, &fit->state);
    if (status == QUERN_OK) {
        memcpy(fit->state->nulls, nulls, r->n_columns);
        fit->state->weights.any = (r->flags & FLAG_ANY_WEIGHT) != 0;
        status =
            qn_running_read(fit->state->stats, r->name, r->bytes + r->at, r->end - r->at, r->at);
    }
    qn_table_free(schema);
    qn_free(nulls);
    return status;
}

static quern_status read_fit(struct reader *r, size_t size, struct quern_fit *fit)
{
    QN_TRY(read_head(r, size));
    QN_TRY(quern_pipeline_from_spec(r->name, (const char *)r->bytes + r->at, r->spec_bytes,
                                    &fit->pipeline));
    r->at += r->spec_bytes;
    fit->blame = qn_mergeable_blame(fit->pipeline->spec);
    if (fit->blame != NULL)
        return corrupt(r, HEAD, "the spec is one whose fits have no state but their rows");
    if (r->flags & FLAG_PUSHED) return read_state(r, fit);
    if (get(r->bytes + AT_HASH, 8) != plan_hash(r->bytes, r->at - HEAD))
        return corrupt(r, AT_HASH, "the plan is not that of this spec");
    return r->at == r->end ? QUERN_OK : corrupt(r, r->at, "bytes follow the spec");
}

quern_status quern_fit_from_bytes(quern_context *context, const char *name, const void *bytes,
                                  size_t size, quern_fit **out)
{
    if (context == NULL || bytes == NULL || out == NULL)
        return qn_null_argument("quern_fit_from_bytes");
    struct reader r = {.name = name != NULL ? name : "fit state", .bytes = bytes};
    *out = NULL;
    quern_fit *fit = qn_zalloc(1, sizeof *fit);
    if (fit == NULL) return qn_error_memory("fit", sizeof *fit);
    fit->context = context;
    quern_status status = read_fit(&r, size, fit);
    if (status == QUERN_OK) {
        *out = fit;
        return QUERN_OK;
    }
    quern_fit_cancel(fit);
    /* whatever the bytes break, they are at fault */
    return status == QUERN_OUT_OF_MEMORY ? status : QUERN_CORRUPT;
}
