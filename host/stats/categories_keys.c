/* SPDX-License-Identifier: Apache-2.0
 * Columns of numbers as blocks of 64-bit keys whose unsigned order is the order of the values, so that
 * one table, one sort and one lookup serve every type. */
#include <string.h>
#include <xxhash.h>

#include "host/stats/categories_hash.h"
#include "host/stats/categories_internal.h"

const unsigned char qn_string_mask[2 * SHORT_BYTES] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

uint64_t qn_hash_long(const char *text, uint64_t length)
{
    return hash_finish(XXH3_64bits(text, (size_t)length));
}

enum key_class qn_key_class(quern_type type)
{
    if (type == QUERN_STRING) return CLASS_STRING;
    if (type == QUERN_UINT64) return CLASS_UNSIGNED;
    return qn_type_is_float(type) ? CLASS_FLOAT : CLASS_SIGNED;
}

static int key_from_double(double value, enum key_class to, uint64_t *key)
{
    const double two63 = 9223372036854775808.0;
    if (to == CLASS_SIGNED) {
        if (!(value >= -two63 && value < two63) || (double)(int64_t)value != value) return 0;
        *key = key_of_i64((int64_t)value);
    } else {
        if (!(value >= 0 && value < 2 * two63) || (double)(uint64_t)value != value) return 0;
        *key = (uint64_t)value;
    }
    return 1;
}

int qn_key_convert(uint64_t *key, enum key_class from, enum key_class to)
{
    uint64_t k = *key;
    if (from == to) return 1;
    if (from == CLASS_FLOAT) return key_from_double(f64_of_key(k), to, key);
    if (to == CLASS_FLOAT) { /* equal only if the integer is exact in float64 */
        double value = from == CLASS_SIGNED ? (double)i64_of_key(k) : (double)k;
        uint64_t back = 0;
        if (!key_from_double(value, from, &back) || back != k) return 0;
        *key = key_of_f64(value);
        return 1;
    }
    if (k >> 63 != (from == CLASS_SIGNED)) return 0; /* negative, or beyond int64 */
    *key = k ^ (uint64_t)1 << 63;
    return 1;
}

void qn_keys_validity(struct block *b, const quern_column *column, uint64_t first)
{
    b->any_absent = 0;
    if (column->validity == NULL) return;
    uint8_t any = 0;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint8_t absent = (uint8_t)!qn_column_valid(column, first + i);
        b->absent[i] = absent;
        any |= absent;
    }
    b->any_absent = any;
}

/* One loop for each stored type; `value` is what was loaded. */
#define LOAD(type, expression)                                                                     \
    for (uint32_t i = 0; i < b->rows; i++) {                                                       \
        type value;                                                                                \
        memcpy(&value, base + (int64_t)i * stride, sizeof value);                                  \
        b->key[i] = (expression);                                                                  \
    }                                                                                              \
    break

#define LOAD_FLOAT(type)                                                                           \
    for (uint32_t i = 0; i < b->rows; i++) {                                                       \
        type value;                                                                                \
        memcpy(&value, base + (int64_t)i * stride, sizeof value);                                  \
        uint8_t is_nan = (uint8_t)(value != value);                                                \
        nan[i] = is_nan;                                                                           \
        any |= is_nan;                                                                             \
        b->key[i] = key_of_f64((double)value);                                                     \
    }                                                                                              \
    break

void qn_keys_load(struct block *b, const quern_column *column, uint64_t first, enum key_class as)
{
    size_t bytes = qn_type_bytes(column->type);
    int64_t stride = column->stride != 0 ? column->stride : (int64_t)bytes;
    const char *base = (const char *)column->data + (int64_t)first * stride;
    uint8_t nan[BLOCK_ROWS], any = 0;
    qn_keys_validity(b, column, first);
    switch (column->type) {
    case QUERN_BOOL: LOAD(uint8_t, key_of_i64(value != 0));
    case QUERN_INT8: LOAD(int8_t, key_of_i64(value));
    case QUERN_INT16: LOAD(int16_t, key_of_i64(value));
    case QUERN_INT32: LOAD(int32_t, key_of_i64(value));
    case QUERN_DATETIME:
    case QUERN_INT64: LOAD(int64_t, key_of_i64(value));
    case QUERN_UINT8: LOAD(uint8_t, key_of_i64(value));
    case QUERN_UINT16: LOAD(uint16_t, key_of_i64(value));
    case QUERN_UINT32: LOAD(uint32_t, key_of_i64(value));
    case QUERN_UINT64: LOAD(uint64_t, value);
    case QUERN_FLOAT32: LOAD_FLOAT(float);
    case QUERN_FLOAT64: LOAD_FLOAT(double);
    case QUERN_STRING: break;
    }
    if (any) {
        if (!b->any_absent) memset(b->absent, 0, b->rows);
        for (uint32_t i = 0; i < b->rows; i++) b->absent[i] |= nan[i];
        b->any_absent = 1;
    }
    enum key_class from = qn_key_class(column->type);
    b->any_foreign = from != as;
    if (!b->any_foreign) return;
    for (uint32_t i = 0; i < b->rows; i++) {
        int absent = b->any_absent && b->absent[i];
        b->foreign[i] = (uint8_t)(!absent && !qn_key_convert(&b->key[i], from, as));
    }
}
