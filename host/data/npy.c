/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/data/npy_text.h"

enum { HEADER_MAX = 1 << 20, MAGIC = 6, COLUMNS_MAX = 1 << 24 };

/* "datetime" values are microseconds here; NumPy's other units are refused, not rescaled. */
static const struct {
    const char *text;
    quern_type type;
} descriptions[] = {{"|b1", QUERN_BOOL},    {"|i1", QUERN_INT8},    {"<i2", QUERN_INT16},
                    {"<i4", QUERN_INT32},   {"<i8", QUERN_INT64},   {"|u1", QUERN_UINT8},
                    {"<u2", QUERN_UINT16},  {"<u4", QUERN_UINT32},  {"<u8", QUERN_UINT64},
                    {"<f4", QUERN_FLOAT32}, {"<f8", QUERN_FLOAT64}, {"<M8[us]", QUERN_DATETIME}};
enum { N_DESCRIPTIONS = sizeof descriptions / sizeof *descriptions };

const char *qn_npy_descr(quern_type type)
{
    for (int i = 0; i < N_DESCRIPTIONS; i++)
        if (descriptions[i].type == type) return descriptions[i].text;
    return NULL;
}

size_t qn_npy_head(char *out, const char *descr, uint32_t n_dims, const uint64_t *dims)
{
    char shape[64];
    int n = 0;
    for (uint32_t i = 0; i < n_dims; i++)
        n += snprintf(shape + n, sizeof shape - (size_t)n,
                      n_dims == 1 ? "%" PRIu64 ","
                      : i == 0    ? "%" PRIu64
                                  : ", %" PRIu64,
                      dims[i]);
    shape[n] = '\0';
    size_t prefix = MAGIC + 4;
    int text = snprintf(out + prefix, QN_NPY_HEAD - prefix,
                        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape);
    size_t used = prefix + (size_t)text + 1, padded = (used + 63) / 64 * 64;
    memset(out + used - 1, ' ', padded - used);
    out[padded - 1] = '\n';
    size_t length = padded - prefix;
    memcpy(out, "\x93NUMPY\x01\x00", MAGIC + 2);
    out[MAGIC + 2] = (char)(length & 0xff);
    out[MAGIC + 3] = (char)(length >> 8);
    return padded;
}

size_t qn_npy_header(char *out, quern_type type, uint64_t rows, uint64_t columns)
{
    const uint64_t dims[2] = {rows, columns};
    const char *descr = qn_npy_descr(type);
    return qn_npy_head(out, descr != NULL ? descr : "|V1", 2, dims);
}

quern_status qn_npy_write(struct qn_outfile *file, const void *data, quern_type type, uint64_t rows,
                          uint64_t columns, int64_t row_stride)
{
    enum { BUFFER = 256 << 10 };
    char head[QN_NPY_HEAD];
    size_t row, total;
    if (qn_npy_descr(type) == NULL)
        return qn_error(QUERN_UNSUPPORTED, "NPY: columns of type %s cannot be written",
                        qn_type_name(type));
    if (qn_mul_size(columns, qn_type_bytes(type), &row) || qn_mul_size(row, rows, &total))
        return qn_error(QUERN_INVALID, "NPY: %" PRIu64 " x %" PRIu64 " values are too many", rows,
                        columns);
    QN_TRY(qn_outfile_write(file, head, qn_npy_header(head, type, rows, columns)));
    if (row_stride == 0 || row_stride == (int64_t)row) return qn_outfile_write(file, data, total);
    quern_status status = QUERN_OK;
    size_t used = 0, room = row > BUFFER ? row : BUFFER;
    char *buffer = qn_alloc(room, 1);
    if (buffer == NULL) return qn_error_memory("NPY buffer", room);
    for (uint64_t i = 0; i < rows; i++) {
        if (used + row > room) {
            QN_GO(qn_outfile_write(file, buffer, used));
            used = 0;
        }
        memcpy(buffer + used, (const char *)data + (int64_t)i * row_stride, row);
        used += row;
    }
    QN_GO(qn_outfile_write(file, buffer, used));
cleanup:
    qn_free(buffer);
    return status;
}

/* ---- reading ---- */

struct head {
    quern_type type;
    int fortran, seen; /* seen: bit per key */
    uint32_t n_dims;
    uint64_t dims[2];
    uint64_t data; /* offset */
};

/* A cursor over the header's literal: blanks, quoted words, True and False, tuples of integers. */
struct literal {
    const char *name, *start, *at, *end;
};

static quern_status bad_head(const struct literal *l, const char *why)
{
    return qn_error(QUERN_CORRUPT, "%s: NPY header, byte %td: %s", l->name, l->at - l->start, why);
}

static int take(struct literal *l, char c)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\n' || *l->at == '\t')) l->at++;
    if (l->at == l->end || *l->at != c) return 0;
    l->at++;
    return 1;
}

static quern_status take_word(struct literal *l, char *out, size_t room)
{
    char quote = take(l, '\'') ? '\'' : take(l, '"') ? '"' : '\0';
    size_t n = 0;
    if (quote == '\0') return bad_head(l, "a quoted word is expected");
    while (l->at < l->end && *l->at != quote) {
        if (n + 1 == room || *l->at == '\\') return bad_head(l, "the word is not one of NumPy's");
        out[n++] = *l->at++;
    }
    if (l->at == l->end) return bad_head(l, "the word has no end");
    l->at++;
    out[n] = '\0';
    return QUERN_OK;
}

static quern_status take_shape(struct literal *l, struct head *head)
{
    if (!take(l, '(')) return bad_head(l, "the shape is not a tuple");
    while (!take(l, ')')) {
        uint64_t value = 0;
        const char *first;
        while (l->at < l->end && *l->at == ' ') l->at++;
        for (first = l->at; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++) {
            if (qn_mul_u64(value, 10, &value) ||
                qn_add_u64(value, (uint64_t)(*l->at - '0'), &value))
                return bad_head(l, "the shape is too large");
        }
        if (l->at == first) return bad_head(l, "the shape is not made of integers");
        if (l->at < l->end && *l->at == 'L') l->at++; /* as Python 2 wrote them */
        if (head->n_dims == 2)
            return qn_error(QUERN_UNSUPPORTED, "%s: the array has more than two dimensions",
                            l->name);
        head->dims[head->n_dims++] = value;
        if (!take(l, ',') && (l->at == l->end || *l->at != ')'))
            return bad_head(l, "the shape has no end");
    }
    return QUERN_OK;
}

static quern_status take_descr(struct literal *l, struct head *head)
{
    char word[32];
    while (l->at < l->end && *l->at == ' ') l->at++;
    if (l->at < l->end && *l->at == '[')
        return qn_error(QUERN_UNSUPPORTED, "%s: a structured array; plain numbers are expected",
                        l->name);
    QN_TRY(take_word(l, word, sizeof word));
    const char *kind = word[0] == '|' || word[0] == '<' || word[0] == '=' ? word + 1 : word;
    for (int i = 0; i < N_DESCRIPTIONS; i++) {
        if (strcmp(descriptions[i].text + 1, kind) == 0) {
            head->type = descriptions[i].type;
            return QUERN_OK;
        }
    }
    const char *why = word[0] == '>'                     ? " (big-endian)"
                      : strcmp(kind, "O") == 0           ? " (Python objects)"
                      : kind[0] == 'U' || kind[0] == 'S' ? " (text: use CSV)"
                      : strncmp(kind, "M8", 2) == 0      ? " (convert to datetime64[us])"
                                                         : "";
    return qn_error(QUERN_UNSUPPORTED, "%s: values of NumPy type '%s' are not supported%s", l->name,
                    word, why);
}

static quern_status take_entry(struct literal *l, struct head *head)
{
    char key[32];
    QN_TRY(take_word(l, key, sizeof key));
    if (!take(l, ':')) return bad_head(l, "a colon is expected");
    int bit = strcmp(key, "descr") == 0           ? 1
              : strcmp(key, "fortran_order") == 0 ? 2
              : strcmp(key, "shape") == 0         ? 4
                                                  : 0;
    if (bit == 0 || (head->seen & bit) != 0) return bad_head(l, "an unknown or repeated key");
    head->seen |= bit;
    if (bit == 1) return take_descr(l, head);
    if (bit == 4) return take_shape(l, head);
    while (l->at < l->end && *l->at == ' ') l->at++;
    if (l->end - l->at >= 5 && memcmp(l->at, "False", 5) == 0) {
        l->at += 5;
    } else if (l->end - l->at >= 4 && memcmp(l->at, "True", 4) == 0) {
        l->at += 4;
        head->fortran = 1;
    } else {
        return bad_head(l, "True or False is expected");
    }
    return QUERN_OK;
}

static quern_status read_head(const char *name, const unsigned char *bytes, uint64_t size,
                              struct head *head)
{
    memset(head, 0, sizeof *head);
    if (size < MAGIC + 4 || memcmp(bytes, "\x93NUMPY", MAGIC) != 0)
        return qn_error(QUERN_CORRUPT, "%s: is not an NPY file", name);
    unsigned major = bytes[MAGIC], prefix = major == 1 ? MAGIC + 4 : MAGIC + 6;
    if (major < 1 || major > 3)
        return qn_error(QUERN_UNSUPPORTED, "%s: NPY version %u is not known", name, major);
    if (size < prefix) return qn_error(QUERN_CORRUPT, "%s: ends in the NPY header", name);
    uint64_t length = (uint64_t)bytes[MAGIC + 2] | (uint64_t)bytes[MAGIC + 3] << 8;
    if (major > 1) length |= (uint64_t)bytes[MAGIC + 4] << 16 | (uint64_t)bytes[MAGIC + 5] << 24;
    if (length > size - prefix || length > HEADER_MAX)
        return qn_error(QUERN_CORRUPT, "%s: the NPY header claims %" PRIu64 " bytes", name, length);
    const char *text = (const char *)bytes + prefix;
    struct literal l = {name, (const char *)bytes, text, text + length};
    head->data = prefix + length;
    if (!take(&l, '{')) return bad_head(&l, "a dictionary is expected");
    while (!take(&l, '}')) {
        QN_TRY(take_entry(&l, head));
        if (!take(&l, ',') && (l.at == l.end || *l.at != '}'))
            return bad_head(&l, "the dictionary has no end");
    }
    (void)take(&l, '\0');
    if (l.at != l.end) return bad_head(&l, "something follows the dictionary");
    if (head->seen != 7) return bad_head(&l, "descr, fortran_order or shape is not given");
    if (head->n_dims == 0)
        return qn_error(QUERN_UNSUPPORTED, "%s: a single value, not an array", name);
    if (head->n_dims == 1) head->dims[1] = 1;
    return QUERN_OK;
}

/* What a table from an NPY file owns. */
struct store {
    struct qn_mapping mapping;
    void *copy;        /* values that had to be moved: not aligned in the file */
    uint8_t *validity; /* bitmaps of columns with NaT                          */
    char *source;
};

static void store_free(void *owner)
{
    struct store *store = owner;
    qn_unmap_file(&store->mapping);
    qn_free(store->copy);
    qn_free(store->validity);
    qn_free(store->source);
    qn_free(store);
}

static quern_status check_bools(const char *name, const struct head *head, const uint8_t *values,
                                uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (values[i] > 1)
            return qn_error(QUERN_CORRUPT, "%s: byte %" PRIu64 " is %u, not a truth value", name,
                            head->data + i, values[i]);
    return QUERN_OK;
}

static int64_t value_at(const quern_column *c, uint64_t row)
{
    int64_t value;
    memcpy(&value, (const char *)c->data + (int64_t)row * c->stride, sizeof value);
    return value;
}

/* NaT is a cleared bit here. */
static quern_status mark_missing(struct store *store, quern_column *columns, uint64_t rows,
                                 uint64_t n)
{
    size_t bytes = (size_t)(rows / 8 + 1), total;
    for (uint64_t c = 0; c < n; c++) {
        int any = 0;
        for (uint64_t r = 0; r < rows && !any; r++) any = value_at(&columns[c], r) == INT64_MIN;
        if (!any) continue;
        if (store->validity == NULL) {
            if (qn_mul_size(bytes, n, &total)) total = SIZE_MAX;
            store->validity = qn_zalloc(total, 1);
            if (store->validity == NULL) return qn_error_memory("validity bitmaps", total);
        }
        uint8_t *bits = store->validity + c * bytes;
        for (uint64_t r = 0; r < rows; r++)
            if (value_at(&columns[c], r) != INT64_MIN) bits[r / 8] |= (uint8_t)(1u << (r % 8));
        columns[c].validity = bits;
    }
    return QUERN_OK;
}

static quern_status make_columns(const struct head *head, const char *values,
                                 struct quern_table *table)
{
    uint64_t rows = head->dims[0], n = head->dims[1];
    size_t item = qn_type_bytes(head->type);
    table->columns = qn_zalloc(n, sizeof *table->columns);
    if (table->columns == NULL) return qn_error_memory("columns", n * sizeof *table->columns);
    for (uint64_t c = 0; c < n; c++) {
        quern_column *column = &table->columns[c];
        column->type = head->type;
        column->data = values + (head->fortran ? c * rows : c) * item;
        column->stride = (int64_t)(head->fortran ? item : n * item);
    }
    table->rows = rows;
    table->n_columns = (uint32_t)n;
    table->is_matrix = !head->fortran;
    return QUERN_OK;
}

/* The table of bytes; takes `mapping` over if it succeeds. */
static quern_status parse(const char *name, const void *bytes, uint64_t size,
                          struct qn_mapping *mapping, struct quern_table **out)
{
    quern_status status = QUERN_OK;
    struct head head;
    size_t count, total;
    *out = NULL;
    QN_TRY(read_head(name, bytes, size, &head));
    if (qn_mul_size(head.dims[0], head.dims[1], &count) ||
        qn_mul_size(count, qn_type_bytes(head.type), &total) || total > size - head.data)
        return qn_error(QUERN_CORRUPT,
                        "%s: %" PRIu64 " x %" PRIu64 " values of type %s are announced, %" PRIu64
                        " bytes are there",
                        name, head.dims[0], head.dims[1], qn_type_name(head.type),
                        size - head.data);
    /* Without rows the values do not bound the columns; the file's size still must. */
    if (head.dims[1] == 0 || head.dims[1] > COLUMNS_MAX || head.dims[1] > size)
        return qn_error(QUERN_UNSUPPORTED, "%s: a table cannot have %" PRIu64 " columns", name,
                        head.dims[1]);
    const char *values = (const char *)bytes + head.data;
    struct quern_table *table = qn_zalloc(1, sizeof *table);
    struct store *store = qn_zalloc(1, sizeof *store);
    if (table == NULL || store == NULL) {
        status = qn_error_memory("table", sizeof *table + sizeof *store);
        goto cleanup;
    }
    if (((uintptr_t)values & (qn_type_bytes(head.type) - 1)) != 0 && total > 0) {
        store->copy = qn_alloc(total, 1);
        if (store->copy == NULL) {
            status = qn_error_memory("NPY values", total);
            goto cleanup;
        }
        memcpy(store->copy, values, total);
        values = store->copy;
    }
    store->source = qn_strdup(name);
    if (store->source == NULL) {
        status = qn_error_memory("file name", strlen(name));
        goto cleanup;
    }
    if (head.type == QUERN_BOOL) QN_GO(check_bools(name, &head, (const uint8_t *)values, count));
    QN_GO(make_columns(&head, values, table));
    if (head.type == QUERN_DATETIME)
        QN_GO(mark_missing(store, table->columns, head.dims[0], head.dims[1]));
    if (mapping != NULL) {
        store->mapping = *mapping;
        mapping->data = NULL;
    }
    table->source = store->source;
    table->owner = store;
    table->release = store_free;
    store = NULL;
    *out = table;
    table = NULL;
cleanup:
    if (store != NULL) store_free(store);
    qn_table_free(table);
    return status;
}

quern_status qn_npy_parse(const char *name, const void *bytes, uint64_t size,
                          struct quern_table **out)
{
    return parse(name, bytes, size, NULL, out);
}

quern_status qn_npy_read(const char *path, struct quern_table **out)
{
    struct qn_mapping mapping;
    *out = NULL;
    QN_TRY(qn_map_file(path, &mapping));
    quern_status status = parse(path, mapping.data, mapping.size, &mapping, out);
    if (status != QUERN_OK) qn_unmap_file(&mapping);
    return status;
}
