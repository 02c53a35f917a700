/* SPDX-License-Identifier: Apache-2.0
 * Categories against a naive oracle: sorted distinct values with counts, found by comparing. Random
 * columns of every type, with missing values, strides and awkward values, are pushed with several
 * thread counts and cuts, merged, encoded and looked up. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/stats/categories.h"

/* ---- random columns ---- */

static uint64_t state = 1;

static uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

enum { ROWS_MOST = 40000, TEXT_MOST = 100 };

/* One value in a form that the oracle compares without quern's help. */
struct value {
    int missing;
    double f;        /* floats */
    int64_t i;       /* integers up to int64, bool, datetime */
    uint64_t u;      /* uint64 */
    uint64_t length; /* strings */
    char text[TEXT_MOST];
};

struct sample {
    quern_type type;
    uint64_t rows;
    struct value *values;
    quern_column column;
    char *data;
    int64_t *offsets64;
    int32_t *offsets32;
    uint8_t *validity;
};

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

struct shape {
    quern_type type;
    uint64_t rows, distinct;
    int style, missing_percent, wide, strided;
};

static void sample_make(struct sample *s, const struct shape *shape)
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

static void sample_free(struct sample *s)
{
    free(s->values);
    free(s->data);
    free(s->offsets64);
    free(s->offsets32);
    free(s->validity);
}

/* Rows [first, first + …) of the sample's column. */
static quern_column cut(const struct sample *s, uint64_t first)
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

struct oracle {
    const struct value **distinct; /* sorted */
    uint64_t *rows;
    uint32_t count;
    uint64_t missing;
    uint32_t *codes; /* of the sample's rows */
};

static void oracle_make(struct oracle *o, const struct sample *s)
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

static void oracle_free(struct oracle *o)
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

static void check_set(const struct qn_categories *set, const struct oracle *o, quern_type type,
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

static quern_type code_type(uint32_t count)
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

static void check_codes(const void *codes, quern_type type, const struct oracle *o, uint64_t rows)
{
    for (uint64_t r = 0; r < rows; r++)
        if (code_at(codes, type, r) != o->codes[r])
            fail_msg("row %llu: code %u, expected %u", (unsigned long long)r,
                     code_at(codes, type, r), o->codes[r]);
}

static struct qn_threads *pools[3];
static const uint32_t pool_sizes[] = {1, 2, 7};

static void check_sample(const struct shape *shape, struct qn_threads *threads, uint64_t piece)
{
    struct sample s;
    struct oracle o;
    struct qn_categories *set;
    uint64_t unknown, first;
    sample_make(&s, shape);
    oracle_make(&o, &s);
    uint32_t *provisional = calloc(s.rows + 1, sizeof *provisional);
    uint32_t *codes = calloc(s.rows + 1, sizeof *codes);
    assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
    for (uint64_t at = 0; at < s.rows; at += piece) {
        quern_column c = cut(&s, at);
        uint64_t rows = s.rows - at < piece ? s.rows - at : piece;
        assert_int_equal(qn_categories_push(set, threads, &c, rows, provisional + at), QUERN_OK);
    }
    assert_int_equal(qn_categories_count(set), o.count);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    check_set(set, &o, s.type, 1);
    quern_type type = code_type(o.count);
    assert_int_equal(qn_categories_renumber(set, threads, provisional, s.rows, codes, type), 0);
    check_codes(codes, type, &o, s.rows);
    memset(codes, 0xab, s.rows * sizeof *codes);
    assert_int_equal(
        qn_categories_encode(set, threads, &s.column, s.rows, codes, type, &unknown, &first), 0);
    assert_int_equal(unknown, 0);
    check_codes(codes, type, &o, s.rows);
    qn_categories_free(set);
    free(provisional);
    free(codes);
    oracle_free(&o);
    sample_free(&s);
}

/* ---- tests ---- */

static void random_columns_agree_with_the_oracle(void **unused)
{
    static const uint64_t pieces[] = {ROWS_MOST, 1, 999, 1024, 16384};
    (void)unused;
    for (unsigned trial = 0; trial < 260; trial++) {
        static const uint64_t distinct[] = {1, 2, 5, 40, 300, 5000, 100000};
        static const uint64_t rows[] = {1, 3, 100, 1024, 1025, 5000, 20000, ROWS_MOST};
        state = trial;
        struct shape shape = {.type = (quern_type)(trial % 13),
                              .rows = rows[draw(8)],
                              .distinct = distinct[draw(7)],
                              .style = (int)draw(2),
                              .missing_percent = draw(2) ? (int)draw(101) : 0,
                              .wide = (int)draw(2),
                              .strided = (int)draw(2)};
        uint64_t piece = pieces[draw(5)];
        if (shape.rows / piece > 2000) piece = 999;
        check_sample(&shape, pools[draw(3)], piece);
    }
}

static void large_dictionaries_agree_with_the_oracle(void **unused)
{
    static const quern_type types[] = {QUERN_STRING, QUERN_INT64, QUERN_FLOAT64};
    (void)unused;
    for (unsigned t = 0; t < 3; t++) {
        for (int style = 0; style < 2; style++) {
            struct shape shape = {
                .type = types[t], .rows = 200000, .distinct = 1 << 30, .style = style};
            state = t;
            check_sample(&shape, pools[1], 65536);
        }
    }
}

static void all_missing_gives_no_category(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 13; t++) {
        struct shape shape = {
            .type = (quern_type)t, .rows = 3000, .distinct = 5, .missing_percent = 100};
        check_sample(&shape, pools[1], 3000);
    }
}

static void no_rows_give_an_empty_set(void **unused)
{
    struct qn_categories *set;
    quern_column column = {.type = QUERN_STRING, .offset_bits = 32};
    uint64_t unknown, first;
    uint8_t code;
    (void)unused;
    assert_int_equal(qn_categories_open(QUERN_STRING, &set), QUERN_OK);
    assert_int_equal(qn_categories_push(set, pools[1], &column, 0, NULL), QUERN_OK);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    assert_int_equal(qn_categories_count(set), 0);
    assert_int_equal(qn_categories_find_string(set, "a", 1), 1);
    int32_t offsets[] = {0, 1};
    column.offsets = offsets;
    column.data = "a";
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 1, &code, QUERN_UINT8, &unknown, &first), 0);
    assert_int_equal(code, 1);
    assert_int_equal(unknown, 1);
    qn_categories_free(set);
}

static void merged_sets_equal_one_set(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 13; t++) {
        struct shape shape = {.type = (quern_type)t,
                              .rows = 6000,
                              .distinct = 700,
                              .style = 1,
                              .missing_percent = 10};
        struct sample s;
        struct oracle o;
        struct qn_categories *a, *b, *c;
        state = t;
        sample_make(&s, &shape);
        oracle_make(&o, &s);
        assert_int_equal(qn_categories_open(s.type, &a), QUERN_OK);
        assert_int_equal(qn_categories_open(s.type, &b), QUERN_OK);
        assert_int_equal(qn_categories_open(s.type, &c), QUERN_OK);
        quern_column tail = cut(&s, 2500);
        assert_int_equal(qn_categories_push(a, pools[1], &s.column, 2500, NULL), QUERN_OK);
        assert_int_equal(qn_categories_push(b, pools[2], &tail, 3500, NULL), QUERN_OK);
        assert_int_equal(qn_categories_push(c, NULL, &s.column, 6000, NULL), QUERN_OK);
        assert_int_equal(qn_categories_finish(c), QUERN_OK);
        assert_int_equal(qn_categories_merge(a, b), QUERN_OK);
        assert_int_equal(qn_categories_merge(a, c),
                         QUERN_OK); /* a finished one, everything again */
        assert_int_equal(qn_categories_finish(a), QUERN_OK);
        check_set(a, &o, s.type, 2);
        assert_int_equal(qn_categories_merge(a, b), QUERN_INVALID);
        assert_int_equal(qn_categories_merge(b, b), QUERN_INVALID);
        qn_categories_free(a);
        qn_categories_free(b);
        qn_categories_free(c);
        oracle_free(&o);
        sample_free(&s);
    }
}

static void given_values_encode_and_flag_unknown_ones(void **unused)
{
    const int64_t offsets[] = {2, 2, 4, 6, 40};
    const char *bytes = "??"
                        "a\0"
                        "ab"
                        "b234567890123456789012345678901234";
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_STRING, 4, bytes, offsets, &set), QUERN_OK);
    assert_int_equal(qn_categories_find_string(set, "", 0), 0);
    assert_int_equal(qn_categories_find_string(set, "a\0", 2), 1);
    assert_int_equal(qn_categories_find_string(set, "a", 1), 5);
    assert_int_equal(qn_categories_find_string(set, "ab", 2), 2);
    assert_int_equal(qn_categories_find_string(set, bytes + 6, 34), 3);
    assert_int_equal(qn_categories_find_string(set, bytes + 6, 33), 5);
    const int32_t cells[] = {0, 2, 2, 3, 5};
    const uint8_t validity = 0x7;
    quern_column column = {.type = QUERN_STRING,
                           .offset_bits = 32,
                           .data = "abbab",
                           .offsets = cells,
                           .validity = &validity};
    uint16_t codes[4];
    uint64_t unknown, first;
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 4, codes, QUERN_UINT16, &unknown, &first), 0);
    assert_int_equal(codes[0], 2);
    assert_int_equal(codes[1], 0);
    assert_int_equal(codes[2], 5);
    assert_int_equal(codes[3], 4);
    assert_int_equal(unknown, 1);
    assert_int_equal(first, 2);
    qn_categories_free(set);
}

static void given_values_must_ascend(void **unused)
{
    const double twice[] = {1, 1}, nan_last[] = {1, NAN}, zeros[] = {-0.0, 0.0};
    const int64_t down[] = {3, 2}, offsets[] = {0, 1, 2}, bad_offsets[] = {0, 2, 1};
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, twice, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, nan_last, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, zeros, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_INT64, 2, down, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_STRING, 2, "ba", offsets, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_STRING, 2, "ab", bad_offsets, &set), QUERN_INVALID);
    assert_null(set);
}

/* Padded with zeros these are all the same words. */
static void strings_of_zeros_differ_by_length(void **unused)
{
    enum { LENGTHS = 60, FIRSTS = 4 };
    static char bytes[FIRSTS * LENGTHS * LENGTHS];
    int64_t offsets[FIRSTS * LENGTHS + 1] = {0};
    uint32_t n = 0;
    (void)unused;
    for (int first = 0; first < FIRSTS; first++) {
        for (int length = first > 0; length < LENGTHS; length++, n++) {
            offsets[n + 1] = offsets[n] + length;
            if (length > 0) bytes[offsets[n]] = (char)first;
        }
    }
    quern_column column = {
        .type = QUERN_STRING, .offset_bits = 64, .data = bytes, .offsets = offsets};
    struct qn_categories *set;
    uint32_t codes[FIRSTS * LENGTHS];
    uint64_t unknown, first_unknown;
    assert_int_equal(qn_categories_open(QUERN_STRING, &set), QUERN_OK);
    for (int again = 0; again < 2; again++)
        assert_int_equal(qn_categories_push(set, NULL, &column, n, NULL), QUERN_OK);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    assert_int_equal(qn_categories_count(set), n);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, n, codes, QUERN_UINT32, &unknown, &first_unknown),
        QUERN_OK);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(codes[i], i);
        assert_int_equal(qn_categories_rows(set, i), 2);
    }
    qn_categories_free(set);
}

/* A column may have another number type than the categories: values are compared, not bits. */
static void numbers_of_other_types_are_compared_by_value(void **unused)
{
    const int64_t ints[] = {-3, 0, 7, INT64_MAX};
    const double floats[] = {-3, 0, 7, 7.5, 9223372036854775807.0, NAN, -0.0, INFINITY};
    const uint32_t expected[] = {0, 1, 2, 5, 5, 4, 1, 5};
    const uint64_t unsigned_values[] = {0, 7, UINT64_MAX, INT64_MAX};
    const uint8_t unsigned_expected[] = {1, 2, 5, 3};
    struct qn_categories *set;
    uint8_t codes[8];
    uint64_t unknown, first;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_INT64, 4, ints, NULL, &set), QUERN_OK);
    quern_column column = {.type = QUERN_FLOAT64, .data = floats};
    assert_int_equal(
        qn_categories_encode(set, pools[1], &column, 8, codes, QUERN_UINT8, &unknown, &first), 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(codes[i], expected[i]);
        assert_int_equal(qn_categories_find_f64(set, floats[i]), expected[i]);
    }
    assert_int_equal(unknown, 3);
    assert_int_equal(first, 3);
    column = (quern_column){.type = QUERN_UINT64, .data = unsigned_values};
    assert_int_equal(
        qn_categories_encode(set, pools[1], &column, 4, codes, QUERN_UINT8, &unknown, &first), 0);
    assert_memory_equal(codes, unsigned_expected, 4);
    column = (quern_column){.type = QUERN_DATETIME, .data = ints};
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 4, codes, QUERN_UINT8, &unknown, &first),
        QUERN_INVALID);
    qn_categories_free(set);
    const double given[] = {-0.0, 9007199254740992.0};
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, given, NULL, &set), QUERN_OK);
    assert_int_equal(qn_categories_find_i64(set, 0), 0);
    assert_int_equal(qn_categories_find_i64(set, 9007199254740992), 1);
    assert_int_equal(qn_categories_find_i64(set, 9007199254740993), 3);
    assert_int_equal(qn_categories_find_f64(set, NAN), 2);
    qn_categories_free(set);
}

static void codes_that_do_not_fit_are_refused(void **unused)
{
    int64_t values[300];
    uint8_t codes[300];
    uint64_t unknown, first;
    struct qn_categories *set;
    (void)unused;
    for (int i = 0; i < 300; i++) values[i] = i;
    quern_column column = {.type = QUERN_INT64, .data = values};
    assert_int_equal(qn_categories_from(QUERN_INT64, 255, values, NULL, &set), QUERN_OK);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 9, codes, QUERN_UINT8, &unknown, &first),
        QUERN_INVALID);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 9, codes, QUERN_INT32, &unknown, &first),
        QUERN_INVALID);
    qn_categories_free(set);
    assert_int_equal(qn_categories_from(QUERN_INT64, 254, values, NULL, &set), QUERN_OK);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 300, codes, QUERN_UINT8, &unknown, &first), 0);
    assert_int_equal(codes[253], 253);
    assert_int_equal(codes[254], 255);
    assert_int_equal(unknown, 46);
    assert_int_equal(first, 254);
    qn_categories_free(set);
}

static void pushing_another_type_or_after_the_end_is_refused(void **unused)
{
    int64_t values[] = {1, 2};
    quern_column column = {.type = QUERN_INT64, .data = values};
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_open(QUERN_INT32, &set), QUERN_OK);
    assert_int_equal(qn_categories_push(set, NULL, &column, 2, NULL), QUERN_INVALID);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    column.type = QUERN_INT32;
    assert_int_equal(qn_categories_push(set, NULL, &column, 2, NULL), QUERN_INVALID);
    assert_int_equal(qn_categories_finish(set), QUERN_INVALID);
    qn_categories_free(set);
}

static void a_limit_refuses_with_the_count(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 2; t++) {
        struct shape shape = {.type = t ? QUERN_STRING : QUERN_INT64,
                              .rows = ROWS_MOST,
                              .distinct = 1 << 30,
                              .style = 1};
        struct sample s;
        struct qn_categories *set;
        sample_make(&s, &shape);
        assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
        qn_categories_limit(set, 1 << 20);
        assert_int_equal(qn_categories_push(set, pools[1], &s.column, s.rows, NULL),
                         QUERN_OUT_OF_MEMORY);
        assert_non_null(strstr(qn_error_text(), "distinct values so far"));
        assert_non_null(strstr(qn_error_text(), "1048576 bytes"));
        assert_true(qn_categories_bytes(set) <= 1 << 20);
        uint32_t count = qn_categories_count(set);
        assert_in_range(count, 1000, ROWS_MOST - 1);
        qn_categories_free(set);
        /* A set that was not refused keeps to the limit to the end. */
        assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
        qn_categories_limit(set, 1 << 20);
        assert_int_equal(qn_categories_push(set, NULL, &s.column, count / 2, NULL), QUERN_OK);
        assert_int_equal(qn_categories_finish(set), QUERN_OK);
        assert_true(qn_categories_bytes(set) <= 1 << 20);
        qn_categories_free(set);
        sample_free(&s);
    }
}

/* Builds, merges, finishes and encodes; whatever fails, nothing leaks and the reason is memory. */
static quern_status whole_life(const struct sample *s, uint32_t *codes)
{
    struct qn_categories *a = NULL, *b = NULL;
    uint64_t unknown, first;
    quern_status status;
    QN_GO(qn_categories_open(s->type, &a));
    QN_GO(qn_categories_open(s->type, &b));
    QN_GO(qn_categories_push(a, pools[1], &s->column, s->rows, codes));
    QN_GO(qn_categories_push(b, NULL, &s->column, s->rows / 2, NULL));
    QN_GO(qn_categories_merge(b, a));
    QN_GO(qn_categories_finish(b));
    QN_GO(qn_categories_encode(b, pools[1], &s->column, s->rows, codes, QUERN_UINT32, &unknown,
                               &first));
cleanup:
    qn_categories_free(a);
    qn_categories_free(b);
    return status;
}

static void every_failing_allocation_is_reported(void **unused)
{
    static const quern_type types[] = {QUERN_STRING, QUERN_INT64};
    (void)unused;
    for (unsigned t = 0; t < 2; t++) {
        struct shape shape = {.type = types[t], .rows = 3000, .distinct = 900, .style = 1};
        struct sample s;
        sample_make(&s, &shape);
        uint32_t *codes = calloc(s.rows, sizeof *codes);
        uint64_t k = 1;
        for (;; k++) {
            (void)qn_alloc_fail_at(k);
            quern_status status = whole_life(&s, codes);
            uint64_t made = qn_alloc_fail_at(0);
            if (status == QUERN_OK) {
                assert_true(made < k);
                break;
            }
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        }
        assert_true(k > 50);
        free(codes);
        sample_free(&s);
    }
    const int64_t offsets[] = {0, 1, 2};
    struct qn_categories *set = NULL;
    for (uint64_t k = 1; set == NULL; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_categories_from(QUERN_STRING, 2, "ab", offsets, &set);
        (void)qn_alloc_fail_at(0);
        assert_true(status == (set != NULL ? QUERN_OK : QUERN_OUT_OF_MEMORY));
    }
    qn_categories_free(set);
}

static int open_pools(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++)
        if (qn_threads_open(pool_sizes[p], &pools[p]) != QUERN_OK) return 1;
    return 0;
}

static int close_pools(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) qn_threads_close(pools[p]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_columns_agree_with_the_oracle),
        cmocka_unit_test(large_dictionaries_agree_with_the_oracle),
        cmocka_unit_test(all_missing_gives_no_category),
        cmocka_unit_test(no_rows_give_an_empty_set),
        cmocka_unit_test(merged_sets_equal_one_set),
        cmocka_unit_test(given_values_encode_and_flag_unknown_ones),
        cmocka_unit_test(given_values_must_ascend),
        cmocka_unit_test(strings_of_zeros_differ_by_length),
        cmocka_unit_test(numbers_of_other_types_are_compared_by_value),
        cmocka_unit_test(codes_that_do_not_fit_are_refused),
        cmocka_unit_test(pushing_another_type_or_after_the_end_is_refused),
        cmocka_unit_test(a_limit_refuses_with_the_count),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_pools, close_pools);
}
