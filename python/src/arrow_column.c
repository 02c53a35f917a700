/* SPDX-License-Identifier: Apache-2.0
 * One column of Arrow's data. Plain numbers, times in microseconds and strings with offsets are read
 * where they are; what the library has no layout for (bits as bools, dictionaries, string views, half
 * precision, other units of time) and columns of several chunks are decoded into new memory. */
#include <math.h>
#include <string.h>

#include "arrow.h"

/* How values are stored. */
enum layout { PLAIN, BITS, HALF, NOTHING, SCALED, DAYS, NANOSECONDS, TEXT_32, TEXT_64, TEXT_VIEW };

struct column {
    const struct ArrowSchema *schema, *values; /* values: the dictionary's, or the same */
    const struct qn_py_piece *pieces;
    int64_t n_pieces, rows;
    enum layout layout;
    quern_type type;   /* of what is made */
    int64_t bytes;     /* of a stored value */
    int64_t factor;    /* SCALED, DAYS: microseconds in one */
    const char *fault; /* what is wrong with the data */
};

int qn_py_arrow_bit(const void *bits, int64_t i)
{
    return (((const uint8_t *)bits)[i >> 3] >> (i & 7)) & 1;
}

/* ---- formats ---- */

struct format {
    const char *text;
    enum layout layout;
    quern_type type;
    int64_t bytes, factor;
};
static const struct format formats[] = {
    {"c", PLAIN, QUERN_INT8, 1, 0},
    {"C", PLAIN, QUERN_UINT8, 1, 0},
    {"s", PLAIN, QUERN_INT16, 2, 0},
    {"S", PLAIN, QUERN_UINT16, 2, 0},
    {"i", PLAIN, QUERN_INT32, 4, 0},
    {"I", PLAIN, QUERN_UINT32, 4, 0},
    {"l", PLAIN, QUERN_INT64, 8, 0},
    {"L", PLAIN, QUERN_UINT64, 8, 0},
    {"f", PLAIN, QUERN_FLOAT32, 4, 0},
    {"g", PLAIN, QUERN_FLOAT64, 8, 0},
    {"e", HALF, QUERN_FLOAT32, 2, 0},
    {"b", BITS, QUERN_BOOL, 0, 0},
    {"n", NOTHING, QUERN_FLOAT64, 0, 0},
    {"u", TEXT_32, QUERN_STRING, 4, 0},
    {"U", TEXT_64, QUERN_STRING, 8, 0},
    {"vu", TEXT_VIEW, QUERN_STRING, 16, 0},
    {"tsu:", PLAIN, QUERN_DATETIME, 8, 0},
    {"tss:", SCALED, QUERN_DATETIME, 8, 1000000},
    {"tsm:", SCALED, QUERN_DATETIME, 8, 1000},
    {"tsn:", NANOSECONDS, QUERN_DATETIME, 8, 0},
    {"tdD", DAYS, QUERN_DATETIME, 4, INT64_C(86400000000)},
    {"tdm", SCALED, QUERN_DATETIME, 8, 1000},
};

static const char *name_of_kind(const char *format)
{
    switch (format[0]) {
    case 'd': return "decimal";
    case 'z':
    case 'Z':
    case 'w': return "binary";
    case 'v': return "binary view";
    case 't':
        return format[1] == 's'   ? "a timestamp with a time zone (make it UTC and drop the zone)"
               : format[1] == 'D' ? "duration"
               : format[1] == 't' ? "time of day"
                                  : "interval";
    case '+': return format[1] == 'r' ? "run-end encoded" : "nested";
    default: return "unknown";
    }
}

static int find_format(const struct qn_py_state *state, struct column *c)
{
    const char *format = c->values->format;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].text, format) != 0) continue;
        c->layout = formats[i].layout;
        c->type = formats[i].type;
        c->bytes = formats[i].bytes;
        c->factor = formats[i].factor;
        return 0;
    }
    PyErr_Format(state->unsupported, "column \"%s\": Arrow's type \"%s\" is not read: %s",
                 c->schema->name != NULL ? c->schema->name : "", format, name_of_kind(format));
    return -1;
}

static int64_t buffers_of(enum layout layout)
{
    return layout == NOTHING ? 0 : layout == TEXT_32 || layout == TEXT_64 ? 3 : 2;
}

/* Whether the buffers that values are read from are there; `index`: those of a dictionary's indices. */
static int has_buffers(const struct column *c, const struct ArrowArray *a, int index)
{
    int64_t wanted = index ? 2 : buffers_of(c->layout);
    if (a->n_buffers < wanted || (!index && c->layout == TEXT_VIEW && a->n_buffers < 3)) return 0;
    return wanted == 0 || a->buffers[1] != NULL;
}

static int check_pieces(struct column *c)
{
    for (int64_t k = 0; k < c->n_pieces; k++) {
        const struct qn_py_piece *p = &c->pieces[k];
        const struct ArrowArray *d = p->array->dictionary;
        if (p->length == 0) continue;
        c->fault = "buffers are missing";
        if (!has_buffers(c, p->array, c->values != c->schema)) return -1;
        c->fault = "a dictionary is missing";
        if ((c->values != c->schema) != (d != NULL)) return -1;
        if (d != NULL && d->length != 0 && !has_buffers(c, d, 0)) return -1;
    }
    c->fault = NULL;
    return 0;
}

/* ---- single values ---- */

/* Present: 1 with the array and place of the value; missing: 0; -1: fault. i counts from the buffers'
 * beginning. */
static int value_at(struct column *c, const struct ArrowArray *a, int64_t i,
                    const struct ArrowArray **values, int64_t *place)
{
    if (c->layout == NOTHING && c->values == c->schema) return 0;
    if (a->buffers[0] != NULL && a->null_count != 0 && !qn_py_arrow_bit(a->buffers[0], i)) return 0;
    *values = a;
    *place = i;
    if (c->values == c->schema) return 1;
    const struct ArrowArray *d = a->dictionary;
    int64_t index = 0;
    const char *from = a->buffers[1];
    switch (c->schema->format[0]) {
    case 'c': index = ((const int8_t *)from)[i]; break;
    case 'C': index = ((const uint8_t *)from)[i]; break;
    case 's': index = ((const int16_t *)from)[i]; break;
    case 'S': index = ((const uint16_t *)from)[i]; break;
    case 'i': index = ((const int32_t *)from)[i]; break;
    case 'I': index = ((const uint32_t *)from)[i]; break;
    default: index = ((const int64_t *)from)[i]; break; /* beyond 2^63: negative, refused */
    }
    if (index < 0 || index >= d->length) {
        c->fault = "an index leads out of the dictionary";
        return -1;
    }
    *values = d;
    *place = index + d->offset;
    if (c->layout == NOTHING) return 0;
    return d->buffers[0] == NULL || d->null_count == 0 || qn_py_arrow_bit(d->buffers[0], *place);
}

static float half(uint16_t bits)
{
    int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    float value = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                  : exponent == 0 ? ldexpf((float)fraction, -24)
                                  : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits & 0x8000 ? -value : value;
}

/* Time in microseconds; what does not fit, or would lose digits, is a fault. */
static int time_at(struct column *c, const char *from, int64_t *out)
{
    int64_t value;
    if (c->layout == DAYS) {
        int32_t days;
        memcpy(&days, from, sizeof days);
        *out = days * c->factor;
        return 0;
    }
    memcpy(&value, from, sizeof value);
    if (c->layout == NANOSECONDS) {
        c->fault = "times in nanoseconds that are no whole microseconds";
        if (value % 1000 != 0) return -1;
        *out = value / 1000;
    } else {
        c->fault = "a time that is out of range in microseconds";
        if (value > INT64_MAX / c->factor || value < INT64_MIN / c->factor) return -1;
        *out = value * c->factor;
    }
    c->fault = NULL;
    return 0;
}

static int number_at(struct column *c, const struct ArrowArray *a, int64_t i, char *to)
{
    const char *from = (const char *)a->buffers[1] + i * c->bytes;
    uint16_t bits;
    float single;
    int64_t time;
    switch (c->layout) {
    case BITS: *to = (char)qn_py_arrow_bit(a->buffers[1], i); return 0;
    case HALF:
        memcpy(&bits, from, sizeof bits);
        single = half(bits);
        memcpy(to, &single, sizeof single);
        return 0;
    case SCALED:
    case DAYS:
    case NANOSECONDS:
        if (time_at(c, from, &time) < 0) return -1;
        memcpy(to, &time, sizeof time);
        return 0;
    default: memcpy(to, from, (size_t)c->bytes); return 0;
    }
}

static int text_view_at(struct column *c, const struct ArrowArray *a, int64_t i, const char **text,
                        int64_t *size)
{
    const char *view = (const char *)a->buffers[1] + 16 * i;
    int32_t words[4]; /* size, prefix, buffer, offset; or size and up to twelve bytes */
    memcpy(words, view, sizeof words);
    *size = words[0];
    c->fault = "a string view that leads out of its buffers";
    if (words[0] < 0) return -1;
    *text = view + 4;
    if (words[0] > 12) {
        int64_t n = a->n_buffers - 3, bytes; /* the last buffer has the sizes of the others */
        if (words[2] < 0 || words[2] >= n || words[3] < 0) return -1;
        memcpy(&bytes, (const char *)a->buffers[n + 2] + 8 * (int64_t)words[2], sizeof bytes);
        if ((int64_t)words[3] + words[0] > bytes) return -1;
        *text = (const char *)a->buffers[2 + words[2]] + words[3];
    }
    c->fault = NULL;
    return 0;
}

static int text_at(struct column *c, const struct ArrowArray *a, int64_t i, const char **text,
                   int64_t *size)
{
    int64_t begin, end;
    if (c->layout == TEXT_VIEW) return text_view_at(c, a, i, text, size);
    if (c->layout == TEXT_32) {
        const int32_t *offsets = a->buffers[1];
        begin = offsets[i];
        end = offsets[i + 1];
    } else {
        const int64_t *offsets = a->buffers[1];
        begin = offsets[i];
        end = offsets[i + 1];
    }
    if (begin < 0 || end < begin) {
        c->fault = "offsets of strings that descend";
        return -1;
    }
    *text = (const char *)a->buffers[2] + begin;
    *size = end - begin;
    return 0;
}

/* ---- whole columns ---- */

struct made {
    char *values;     /* numbers, or the bytes of strings */
    int64_t *offsets; /* strings */
    uint8_t *valid;
    int64_t missing;
};

/* Plain numbers of one chunk in one go. */
static void copy_plain(const struct column *c, const struct qn_py_piece *p, int64_t row,
                       struct made *m)
{
    const struct ArrowArray *a = p->array;
    if (p->length == 0) return;
    memcpy(m->values + row * c->bytes, (const char *)a->buffers[1] + p->first * c->bytes,
           (size_t)(p->length * c->bytes));
    int all = a->buffers[0] == NULL || a->null_count == 0;
    for (int64_t i = 0; i < p->length; i++) {
        int present = all || qn_py_arrow_bit(a->buffers[0], p->first + i);
        m->missing += !present;
        if (present) m->valid[(row + i) >> 3] |= (uint8_t)(1u << ((row + i) & 7));
    }
}

static int copy_piece(struct column *c, const struct qn_py_piece *p, int64_t row, struct made *m)
{
    int64_t width = (int64_t)qn_py_type_bytes(c->type);
    for (int64_t i = 0; i < p->length; i++) {
        const struct ArrowArray *values;
        int64_t place, size = 0, at = row + i;
        const char *text;
        int present = value_at(c, p->array, p->first + i, &values, &place);
        if (present < 0) return -1;
        if (c->type == QUERN_STRING) {
            if (present && text_at(c, values, place, &text, &size) < 0) return -1;
            if (present && size != 0) memcpy(m->values + m->offsets[at], text, (size_t)size);
            m->offsets[at + 1] = m->offsets[at] + size;
        } else if (!present) {
            memset(m->values + at * width, 0, (size_t)width);
        } else if (number_at(c, values, place, m->values + at * width) < 0) {
            return -1;
        }
        m->missing += !present;
        if (present) m->valid[at >> 3] |= (uint8_t)(1u << (at & 7));
    }
    return 0;
}

static int copy_pieces(struct column *c, struct made *m)
{
    int64_t row = 0;
    memset(m->valid, 0, (size_t)(c->rows / 8 + 1));
    if (m->offsets != NULL) m->offsets[0] = 0;
    for (int64_t k = 0; k < c->n_pieces; k++) {
        if (c->layout == PLAIN && c->values == c->schema)
            copy_plain(c, &c->pieces[k], row, m);
        else if (copy_piece(c, &c->pieces[k], row, m) < 0)
            return -1;
        row += c->pieces[k].length;
    }
    return 0;
}

/* Bytes of all strings; -1: fault. */
static int64_t count_bytes(struct column *c)
{
    int64_t total = 0;
    for (int64_t k = 0; k < c->n_pieces; k++)
        for (int64_t i = 0; i < c->pieces[k].length; i++) {
            const struct ArrowArray *values;
            const char *text;
            int64_t place, size;
            int present = value_at(c, c->pieces[k].array, c->pieces[k].first + i, &values, &place);
            if (present < 0 || (present && text_at(c, values, place, &text, &size) < 0)) return -1;
            if (present) total += size;
            if (total > INT64_MAX / 4) return -1;
        }
    return total;
}

static int faulty(const struct column *c)
{
    PyErr_Format(PyExc_ValueError, "column \"%s\": Arrow data with a fault: %s",
                 c->schema->name != NULL ? c->schema->name : "",
                 c->fault != NULL ? c->fault : "strings of too many bytes");
    return -1;
}

static int decode(struct column *c, struct qn_py_keep *keep, quern_column *out)
{
    struct made m = {0};
    int64_t bytes = c->rows * (int64_t)qn_py_type_bytes(c->type);
    int failed;
    if (c->type == QUERN_STRING) {
        Py_BEGIN_ALLOW_THREADS;
        bytes = count_bytes(c);
        Py_END_ALLOW_THREADS;
        if (bytes < 0) return faulty(c);
        m.offsets = qn_py_keep_block(keep, (uint64_t)c->rows + 1, sizeof *m.offsets);
        if (m.offsets == NULL) return -1;
    }
    m.values = qn_py_keep_block(keep, (uint64_t)bytes, 1);
    if (m.values == NULL) return -1;
    m.valid = qn_py_keep_block(keep, (uint64_t)c->rows / 8 + 1, 1);
    if (m.valid == NULL) return -1;
    Py_BEGIN_ALLOW_THREADS;
    failed = copy_pieces(c, &m);
    Py_END_ALLOW_THREADS;
    if (failed < 0) return faulty(c);
    *out = (quern_column){.type = c->type,
                          .data = m.values,
                          .offsets = m.offsets,
                          .offset_bits = m.offsets != NULL ? 64 : 0,
                          .validity = m.missing != 0 ? m.valid : NULL};
    return 0;
}

/* A view of the only piece; 0: its layout does not allow one. */
static int view(struct column *c, quern_column *out)
{
    static const int64_t no_strings[2];
    const struct qn_py_piece *p = &c->pieces[0];
    const struct ArrowArray *a = p->array;
    int text = c->layout == TEXT_32 || c->layout == TEXT_64;
    if (c->n_pieces != 1 || c->values != c->schema || (c->layout != PLAIN && !text)) return 0;
    *out = (quern_column){.type = c->type, .offset_bits = (uint32_t)(text ? 8 * c->bytes : 0)};
    if (p->length == 0) {
        out->offsets = text ? no_strings : NULL;
        return 1;
    }
    const char *values = (const char *)a->buffers[1] + p->first * c->bytes;
    if ((uintptr_t)values % (uintptr_t)c->bytes != 0) return 0;
    out->data = text ? a->buffers[2] : values;
    out->offsets = text ? values : NULL;
    if (a->buffers[0] != NULL && a->null_count != 0) {
        out->validity = a->buffers[0];
        out->validity_offset = p->first;
    }
    if (text && qn_py_check_offsets(out->offsets, out->offset_bits, (uint64_t)p->length,
                                    UINT64_MAX) != QUERN_OK)
        c->fault = "offsets of strings that descend";
    return 1;
}

int qn_py_arrow_column(const struct qn_py_state *state, const struct ArrowSchema *schema,
                       const struct qn_py_piece *pieces, int64_t n_pieces, struct qn_py_keep *keep,
                       quern_column *out, int *viewed)
{
    struct column c = {.schema = schema,
                       .values = schema->dictionary != NULL ? schema->dictionary : schema,
                       .pieces = pieces,
                       .n_pieces = n_pieces};
    for (int64_t k = 0; k < n_pieces; k++) c.rows += pieces[k].length;
    if (find_format(state, &c) < 0) return -1;
    if (schema->dictionary != NULL &&
        (strchr("cCsSiIlL", schema->format[0]) == NULL || schema->format[1] != '\0'))
        c.fault = "indices of a dictionary that are no integers";
    if (c.fault != NULL || check_pieces(&c) < 0) return faulty(&c);
    if (!view(&c, out)) return decode(&c, keep, out);
    if (c.fault != NULL) return faulty(&c);
    *viewed = 1;
    return 0;
}
