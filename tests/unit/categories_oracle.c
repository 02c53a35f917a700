/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/categories_oracle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- random columns ---- */

static uint64_t state = 1;

void draw_from(uint64_t seed)
{
    state = seed;
}

uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* The n-th possible value of a type: the awkward ones first. */
static void make_value(quern_type type, uint64_t n, int style, struct value *v)
{
    static const double odd[] = {-0.0, 0.0, INFINITY, -INFINITY, 5e-324, -5e-324, 1e308, 0.1};
    static const int64_t extreme[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MIN + 1, INT64_MAX - 1};
    memset(v, 0, sizeof *v);
    switch (type) {
    case QUERN_BOOL: v->i = (int64_t)(n & 1); break;
    case QUERN_INT8: v->i = (int8_t)n; break;
    case QUERN_UINT8: v->i = (uint8_t)n; break;
    case QUERN_INT16: v->i = (int16_t)(n * 77); break;
    case QUERN_UINT16: v->i = (uint16_t)(n * 77); break;
    case QUERN_INT32: v->i = (int32_t)(n * 2654435761u); break;
    case QUERN_UINT32: v->i = (uint32_t)(n * 2654435761u); break;
    case QUERN_INT64:
    case QUERN_DATETIME: v->i = n < 6 ? extreme[n] : (int64_t)(n * 0x9e3779b97f4a7c15u); break;
    case QUERN_UINT64: v->u = n < 2 ? UINT64_MAX - n : n * 0x9e3779b97f4a7c15u; break;
    case QUERN_FLOAT32:
        v->f = n < 8 ? (double)(float)odd[n] : (double)(float)((double)n * 0.37 - 9);
        break;
    case QUERN_FLOAT64: v->f = n < 8 ? odd[n] : (double)n * 0.37 - 9; break;
    case QUERN_STRING:
        if (style == 0) { /* any bytes, NUL and half characters among them, 0 … 7 of them */
            v->length = n % 8;
            for (uint64_t k = 0; k < v->length; k++)
                v->text[k] = (char)(n >> k ^ (k == 2 ? n * 37 : 0));
        } else { /* common beginnings, lengths on both sides of 16 and 32 */
            static const unsigned lengths[] = {8, 15, 16, 17, 31, 32, 33, 40, 80};
            v->length = lengths[n % 9];
            memset(v->text, 'x', (size_t)v->length);
            uint64_t where = (n / 9) % v->length;
            v->text[where] = (char)(n * 31);
            v->text[v->length - 1] = (char)(n / 9);
        }
        break;
    }
}

static void store(struct sample *s, uint64_t row, int64_t stride)
{
    char *at = s->data + (int64_t)row * stride;
    const struct value *v = &s->values[row];
#define PUT(type, from)                                                                            \
    {                                                                                              \
        type x = (type)(from);                                                                     \
        memcpy(at, &x, sizeof x);                                                                  \
        break;                                                                                     \
    }
    switch (s->type) {
    case QUERN_BOOL:
    case QUERN_UINT8: PUT(uint8_t, v->i)
    case QUERN_INT8: PUT(int8_t, v->i)
    case QUERN_INT16: PUT(int16_t, v->i)
    case QUERN_UINT16: PUT(uint16_t, v->i)
    case QUERN_INT32: PUT(int32_t, v->i)
    case QUERN_UINT32: PUT(uint32_t, v->i)
    case QUERN_INT64:
    case QUERN_DATETIME: PUT(int64_t, v->i)
    case QUERN_UINT64: PUT(uint64_t, v->u)
    case QUERN_FLOAT32: PUT(float, v->f)
    case QUERN_FLOAT64: PUT(double, v->f)
    case QUERN_STRING: break;
    }
#undef PUT
}

/* NaNs of several payloads and both signs. */
static void store_nan(struct sample *s, uint64_t row, int64_t stride)
{
    char *at = s->data + (int64_t)row * stride;
    if (s->type == QUERN_FLOAT32) {
        uint32_t bits = 0x7f800001u + (uint32_t)draw(1000) + ((uint32_t)draw(2) << 31);
        memcpy(at, &bits, sizeof bits);
    } else {
        uint64_t bits = 0x7ff0000000000001u + draw(1000) + (draw(2) << 63);
        memcpy(at, &bits, sizeof bits);
    }
}

void sample_make(struct sample *s, const struct shape *shape)
{
    memset(s, 0, sizeof *s);
    s->type = shape->type;
    s->rows = shape->rows;
    s->values = calloc(shape->rows + 1, sizeof *s->values);
    s->column = (quern_column){.name = "c", .type = shape->type};
    int is_float = shape->type == QUERN_FLOAT32 || shape->type == QUERN_FLOAT64;
    int64_t bytes = (int64_t)qn_type_bytes(shape->type);
    int64_t stride = shape->strided ? bytes * 3 : bytes;
    uint64_t skip = 3; /* validity that starts inside a byte */
    s->validity = calloc((shape->rows + skip) / 8 + 2, 1);
    uint64_t total = 0;
    for (uint64_t r = 0; r < shape->rows; r++) {
        make_value(shape->type, draw(shape->distinct), shape->style, &s->values[r]);
        s->values[r].missing = draw(100) < (uint64_t)shape->missing_percent;
        total += s->values[r].length;
    }
    /* Exactly as many bytes as needed, so that a read beyond them is seen by ASan. */
    s->data = calloc(
        shape->type == QUERN_STRING ? total + (total == 0) : shape->rows * (uint64_t)stride + 1, 1);
    s->offsets64 = calloc(shape->rows + 1, sizeof *s->offsets64);
    s->offsets32 = calloc(shape->rows + 1, sizeof *s->offsets32);
    for (uint64_t r = 0, at = 0; r < shape->rows; r++) {
        struct value *v = &s->values[r];
        if (shape->type == QUERN_STRING)
            memcpy(s->data + at, v->text, (size_t)v->length);
        else if (v->missing && is_float && draw(2))
            store_nan(s, r, stride);
        else
            store(s, r, stride);
        int by_nan = v->missing && is_float && shape->strided; /* some columns have no bitmap */
        if (by_nan) store_nan(s, r, stride);
        if (!v->missing) s->validity[(r + skip) >> 3] |= (uint8_t)(1u << ((r + skip) & 7));
        at += v->length;
        s->offsets64[r + 1] = (int64_t)at;
        s->offsets32[r + 1] = (int32_t)at;
    }
    s->column.data = s->data;
    s->column.stride = shape->strided ? stride : 0;
    s->column.offset_bits = shape->wide ? 64 : 32;
    s->column.offsets = shape->wide ? (const void *)s->offsets64 : (const void *)s->offsets32;
    if (shape->missing_percent > 0 && !(is_float && shape->strided)) {
        s->column.validity = s->validity;
        s->column.validity_offset = (int64_t)skip;
    }
}

void sample_free(struct sample *s)
{
    free(s->values);
    free(s->data);
    free(s->offsets64);
    free(s->offsets32);
    free(s->validity);
}

/* Rows [first, first + …) of the sample's column. */
quern_column cut(const struct sample *s, uint64_t first)
{
    quern_column c = s->column;
    int64_t bytes = (int64_t)qn_type_bytes(s->type);
    if (s->type == QUERN_STRING)
        c.offsets = c.offset_bits == 64 ? (const void *)(s->offsets64 + first)
                                        : (const void *)(s->offsets32 + first);
    else
        c.data = s->data + (int64_t)first * (c.stride != 0 ? c.stride : bytes);
    c.validity_offset += (int64_t)first;
    return c;
}

/* ---- the oracle ---- */

static quern_type comparing;

static int compare(const void *pa, const void *pb)
{
    const struct value *a = *(const struct value *const *)pa, *b = *(const struct value *const *)pb;
    if (comparing == QUERN_STRING) {
        for (uint64_t k = 0; k < a->length && k < b->length; k++) {
            unsigned char x = (unsigned char)a->text[k], y = (unsigned char)b->text[k];
            if (x != y) return x < y ? -1 : 1;
        }
        return a->length < b->length ? -1 : a->length > b->length;
    }
    if (comparing == QUERN_FLOAT32 || comparing == QUERN_FLOAT64)
        return a->f < b->f ? -1 : a->f > b->f;
    if (comparing == QUERN_UINT64) return a->u < b->u ? -1 : a->u > b->u;
    return a->i < b->i ? -1 : a->i > b->i;
}

void oracle_make(struct oracle *o, const struct sample *s)
{
    memset(o, 0, sizeof *o);
    comparing = s->type;
    const struct value **sorted = calloc(s->rows + 1, sizeof *sorted);
    o->distinct = calloc(s->rows + 1, sizeof *o->distinct);
    o->rows = calloc(s->rows + 1, sizeof *o->rows);
    o->codes = calloc(s->rows + 1, sizeof *o->codes);
    uint64_t n = 0;
    for (uint64_t r = 0; r < s->rows; r++)
        if (!s->values[r].missing) sorted[n++] = &s->values[r];
    o->missing = s->rows - n;
    qsort(sorted, n, sizeof *sorted, compare);
    for (uint64_t k = 0; k < n; k++) {
        if (k == 0 || compare(&sorted[k], &sorted[k - 1]) != 0) o->distinct[o->count++] = sorted[k];
        o->rows[o->count - 1]++;
        o->codes[sorted[k] - s->values] = o->count - 1;
    }
    for (uint64_t r = 0; r < s->rows; r++)
        if (s->values[r].missing) o->codes[r] = o->count;
    free(sorted);
}

void oracle_free(struct oracle *o)
{
    free(o->distinct);
    free(o->rows);
    free(o->codes);
}

/* ---- checks ---- */

static void check_value(const struct qn_categories *set, uint32_t code, const struct value *v,
                        quern_type type)
{
    if (type == QUERN_STRING) {
        uint64_t bytes;
        const char *text = qn_categories_string(set, code, &bytes);
        assert_int_equal(bytes, v->length);
        assert_memory_equal(text, v->text, v->length);
        assert_int_equal(qn_categories_find_string(set, v->text, v->length), code);
    } else if (type == QUERN_FLOAT32 || type == QUERN_FLOAT64) {
        double got = qn_categories_f64(set, code);
        assert_true(got == v->f && !(got == 0 && signbit(got)));
        assert_int_equal(qn_categories_find_f64(set, v->f), code);
    } else {
        int64_t want = type == QUERN_UINT64 ? (int64_t)v->u : v->i;
        assert_true(qn_categories_i64(set, code) == want);
        assert_int_equal(qn_categories_find_i64(set, want), code);
    }
}

void check_set(const struct qn_categories *set, const struct oracle *o, quern_type type,
               uint64_t times)
{
    assert_int_equal(qn_categories_count(set), o->count);
    assert_int_equal(qn_categories_missing(set), o->missing * times);
    assert_int_equal(qn_categories_type(set), type);
    for (uint32_t code = 0; code < o->count; code++) {
        assert_int_equal(qn_categories_rows(set, code), o->rows[code] * times);
        check_value(set, code, o->distinct[code], type);
    }
}

quern_type code_type(uint32_t count)
{
    return count + 1 <= UINT8_MAX    ? QUERN_UINT8
           : count + 1 <= UINT16_MAX ? QUERN_UINT16
                                     : QUERN_UINT32;
}

static uint32_t code_at(const void *codes, quern_type type, uint64_t row)
{
    if (type == QUERN_UINT8) return ((const uint8_t *)codes)[row];
    if (type == QUERN_UINT16) return ((const uint16_t *)codes)[row];
    return ((const uint32_t *)codes)[row];
}

void check_codes(const void *codes, quern_type type, const struct oracle *o, uint64_t rows)
{
    for (uint64_t r = 0; r < rows; r++)
        if (code_at(codes, type, r) != o->codes[r])
            fail_msg("row %llu: code %u, expected %u", (unsigned long long)r,
                     code_at(codes, type, r), o->codes[r]);
}
