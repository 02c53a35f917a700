/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/append.h"

#include <string.h>

#include "host/core/checked.h"

/* One growing column. Strings: `data` are the bytes, `offsets` 64-bit. */
struct store {
    char *name;
    char *data;
    size_t bytes, room;
    int64_t *offsets;
    size_t offsets_room;
    uint8_t *validity;
    size_t validity_room;
    int any_missing;
};

struct qn_append {
    struct quern_table view;
    struct store *stores;
    int matrix; /* rows are kept row-major, in stores[0].data */
    double *weights;
    size_t weights_room;
};

static quern_status grow(void **memory, size_t *room, size_t wanted, size_t value)
{
    if (wanted <= *room) return QUERN_OK;
    size_t more = *room + *room / 2 > wanted ? *room + *room / 2 : wanted;
    void *bigger = qn_realloc(*memory, more, value);
    if (bigger == NULL) return qn_error_memory("table", (uint64_t)more * value);
    *memory = bigger;
    *room = more;
    return QUERN_OK;
}

quern_status qn_append_open(const struct quern_table *like, struct qn_append **out)
{
    uint32_t n = like->n_columns;
    *out = NULL;
    struct qn_append *a = qn_zalloc(1, sizeof *a);
    if (a == NULL) return qn_error_memory("table", sizeof *a);
    a->stores = qn_zalloc(n, sizeof *a->stores);
    a->view.columns = qn_zalloc(n, sizeof *a->view.columns);
    a->view.n_columns = n;
    if (a->stores == NULL || a->view.columns == NULL) {
        qn_append_free(a);
        return qn_error_memory("table", n);
    }
    a->view.has_names = like->has_names;
    a->view.is_matrix = a->matrix = like->is_matrix;
    for (uint32_t i = 0; i < n; i++) {
        a->view.columns[i].type = like->columns[i].type;
        a->view.columns[i].offset_bits = 64;
        if (like->columns[i].name == NULL) continue;
        a->stores[i].name = qn_strdup(like->columns[i].name);
        if (a->stores[i].name == NULL) {
            qn_append_free(a);
            return qn_error_memory("table", 0);
        }
        a->view.columns[i].name = a->stores[i].name;
    }
    *out = a;
    return QUERN_OK;
}

void qn_append_free(struct qn_append *a)
{
    if (a == NULL) return;
    for (uint32_t i = 0; a->stores != NULL && i < a->view.n_columns; i++) {
        qn_free(a->stores[i].name);
        qn_free(a->stores[i].data);
        qn_free(a->stores[i].offsets);
        qn_free(a->stores[i].validity);
    }
    qn_free(a->stores);
    qn_free(a->weights);
    qn_free(a->view.columns);
    qn_free(a);
}

static quern_status append_validity(struct store *s, const quern_column *c, uint64_t before,
                                    uint64_t rows)
{
    size_t bytes = (size_t)((before + rows) / 8 + 1);
    if (c->validity == NULL && !s->any_missing) return QUERN_OK;
    size_t had = s->validity_room;
    void *memory = s->validity;
    QN_TRY(grow(&memory, &s->validity_room, bytes, 1));
    s->validity = memory;
    if (!s->any_missing) {
        memset(s->validity, 0xff, s->validity_room);
        s->any_missing = 1;
    } else if (s->validity_room > had) {
        memset(s->validity + had, 0xff, s->validity_room - had);
    }
    for (uint64_t r = 0; r < rows; r++) {
        uint64_t bit = before + r;
        uint8_t mask = (uint8_t)(1u << (bit & 7));
        if (qn_column_valid(c, r))
            s->validity[bit >> 3] = (uint8_t)(s->validity[bit >> 3] | mask);
        else
            s->validity[bit >> 3] = (uint8_t)(s->validity[bit >> 3] & ~mask);
    }
    return QUERN_OK;
}

static quern_status append_strings(struct store *s, const quern_column *c, uint64_t before,
                                   uint64_t rows)
{
    size_t total = 0;
    for (uint64_t r = 0; r < rows; r++) {
        uint64_t bytes;
        (void)qn_column_string(c, r, &bytes);
        total += (size_t)bytes;
    }
    void *memory = s->data;
    QN_TRY(grow(&memory, &s->room, s->bytes + total + 1, 1));
    s->data = memory;
    memory = s->offsets;
    QN_TRY(grow(&memory, &s->offsets_room, (size_t)(before + rows) + 1, sizeof *s->offsets));
    s->offsets = memory;
    if (before == 0) s->offsets[0] = 0;
    for (uint64_t r = 0; r < rows; r++) {
        uint64_t bytes;
        const char *text = qn_column_string(c, r, &bytes);
        if (bytes != 0) memcpy(s->data + s->bytes, text, (size_t)bytes);
        s->bytes += (size_t)bytes;
        s->offsets[before + r + 1] = (int64_t)s->bytes;
    }
    return QUERN_OK;
}

static quern_status append_values(struct store *s, const quern_column *c, uint64_t before,
                                  uint64_t rows)
{
    size_t value = qn_type_bytes(c->type), wanted;
    int64_t stride = c->stride != 0 ? c->stride : (int64_t)value;
    if (qn_mul_size((size_t)(before + rows), value, &wanted))
        return qn_error_memory("table", UINT64_MAX);
    void *memory = s->data;
    QN_TRY(grow(&memory, &s->room, wanted, 1));
    s->data = memory;
    const char *from = c->data;
    char *to = s->data + (size_t)before * value;
    for (uint64_t r = 0; r < rows; r++) memcpy(to + r * value, from + (int64_t)r * stride, value);
    return QUERN_OK;
}

static quern_status append_matrix(struct qn_append *a, const struct quern_table *chunk)
{
    struct store *s = &a->stores[0];
    size_t row = a->view.n_columns * qn_type_bytes(chunk->columns[0].type), wanted;
    if (qn_mul_size((size_t)(a->view.rows + chunk->rows), row, &wanted))
        return qn_error_memory("table", UINT64_MAX);
    void *memory = s->data;
    QN_TRY(grow(&memory, &s->room, wanted, 1));
    s->data = memory;
    for (uint64_t r = 0; r < chunk->rows; r++)
        memcpy(s->data + (size_t)(a->view.rows + r) * row,
               (const char *)chunk->columns[0].data + (int64_t)r * chunk->columns[0].stride, row);
    return QUERN_OK;
}

quern_status qn_append_same(const struct quern_table *first, const struct quern_table *chunk)
{
    if (chunk->n_columns != first->n_columns)
        return qn_error(QUERN_INVALID, "the chunk has %u columns; the first had %u",
                        chunk->n_columns, first->n_columns);
    for (uint32_t i = 0; i < chunk->n_columns; i++) {
        const quern_column *c = &chunk->columns[i], *own = &first->columns[i];
        int same_name = (c->name == NULL) == (own->name == NULL) &&
                        (c->name == NULL || strcmp(c->name, own->name) == 0);
        if (c->type != own->type || !same_name)
            return qn_error(QUERN_INVALID, "column %u of the chunk is %s \"%s\"; it was %s \"%s\"",
                            i, qn_type_name(c->type), c->name != NULL ? c->name : "",
                            qn_type_name(own->type), own->name != NULL ? own->name : "");
    }
    return QUERN_OK;
}

/* All chunks have weights or none has. */
static quern_status append_weights(struct qn_append *a, const struct quern_table *chunk)
{
    uint64_t before = a->view.rows;
    if (before != 0 && (a->weights != NULL) != (chunk->weights != NULL))
        return qn_error(QUERN_INVALID, "%s",
                        a->weights != NULL ? "rows without weights follow rows with weights"
                                           : "rows with weights follow rows without weights");
    if (chunk->weights == NULL) return QUERN_OK;
    void *memory = a->weights;
    QN_TRY(grow(&memory, &a->weights_room, (size_t)(before + chunk->rows) + 1, sizeof *a->weights));
    a->weights = memory;
    if (chunk->rows != 0)
        memcpy(a->weights + before, chunk->weights, (size_t)chunk->rows * sizeof *a->weights);
    return QUERN_OK;
}

quern_status qn_append_table(struct qn_append *a, const struct quern_table *chunk)
{
    QN_TRY(qn_append_same(&a->view, chunk));
    if (chunk->is_matrix != a->matrix)
        return qn_error(QUERN_INVALID, "the chunk is %s; the first was %s",
                        chunk->is_matrix ? "a row-major matrix" : "of columns",
                        a->matrix ? "a row-major matrix" : "of columns");
    if (chunk->has_target)
        return qn_error(QUERN_UNSUPPORTED, "the target of rows that are pushed is one of their "
                                           "columns, which the spec's \"target\" names");
    QN_TRY(append_weights(a, chunk));
    if (a->matrix) {
        QN_TRY(append_matrix(a, chunk));
    } else {
        for (uint32_t i = 0; i < chunk->n_columns; i++) {
            const quern_column *c = &chunk->columns[i];
            QN_TRY(c->type == QUERN_STRING
                       ? append_strings(&a->stores[i], c, a->view.rows, chunk->rows)
                       : append_values(&a->stores[i], c, a->view.rows, chunk->rows));
            QN_TRY(append_validity(&a->stores[i], c, a->view.rows, chunk->rows));
        }
    }
    a->view.rows += chunk->rows;
    return QUERN_OK;
}

const struct quern_table *qn_append_view(struct qn_append *a)
{
    size_t value = a->matrix ? qn_type_bytes(a->view.columns[0].type) : 0;
    for (uint32_t i = 0; i < a->view.n_columns; i++) {
        quern_column *c = &a->view.columns[i];
        const struct store *s = &a->stores[i];
        if (a->matrix) {
            c->data = a->stores[0].data + i * value;
            c->stride = (int64_t)(value * a->view.n_columns);
            continue;
        }
        c->data = s->data;
        c->stride = (int64_t)qn_type_bytes(c->type);
        c->offsets = s->offsets;
        c->validity = s->any_missing ? s->validity : NULL;
    }
    a->view.weights = a->weights;
    return &a->view;
}
