/* SPDX-License-Identifier: Apache-2.0
 * The loops are written by type so that packed values are converted in vectors. */
#include "backends/cpu/sort_keys.h"

#include <string.h>

#include "backends/cpu/store.h"

int qn_sort_is_wide(uint32_t type)
{
    return type == QN_T_I64 || type == QN_T_U64 || type == QN_T_F64;
}

/* ---- one value ---- */

static inline uint32_t key_f32(float x, uint32_t plus_zero, uint32_t down)
{
    uint32_t u, key;
    if (plus_zero) x += 0.0f;
    memcpy(&u, &x, sizeof u);
    key = u ^ ((uint32_t)((int32_t)u >> 31) | 0x80000000u);
    return (u & 0x7fffffffu) > 0x7f800000u ? UINT32_MAX : key ^ down;
}

static inline uint64_t key_f64(double x, uint32_t plus_zero, uint64_t down)
{
    uint64_t u, key;
    if (plus_zero) x += 0.0;
    memcpy(&u, &x, sizeof u);
    key = u ^ ((uint64_t)((int64_t)u >> 63) | 0x8000000000000000u);
    return (u & 0x7fffffffffffffffu) > 0x7ff0000000000000u ? UINT64_MAX : key ^ down;
}

static inline float value_f32(uint32_t key, uint32_t down)
{
    uint32_t k = key ^ down, u = k >> 31 ? k ^ 0x80000000u : ~k;
    float x;
    if (key == UINT32_MAX) u = 0x7fc00000u;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline double value_f64(uint64_t key, uint64_t down)
{
    uint64_t k = key ^ down, u = k >> 63 ? k ^ 0x8000000000000000u : ~k;
    double x;
    if (key == UINT64_MAX) u = 0x7ff8000000000000u;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- blocks ---- */

#define KEYS(TYPE, KEY)                                                                            \
    do {                                                                                           \
        if (stride == (int64_t)sizeof(TYPE)) {                                                     \
            for (uint64_t i = 0; i < count; i++) {                                                 \
                TYPE x;                                                                            \
                memcpy(&x, from + i * sizeof x, sizeof x);                                         \
                keys[i] = KEY;                                                                     \
            }                                                                                      \
        } else {                                                                                   \
            for (uint64_t i = 0; i < count; i++, from += stride) {                                 \
                TYPE x;                                                                            \
                memcpy(&x, from, sizeof x);                                                        \
                keys[i] = KEY;                                                                     \
            }                                                                                      \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

void qn_sort_keys32(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint32_t *keys)
{
    const char *from = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint32_t down = flags & QN_SORT_DESCENDING ? UINT32_MAX : 0, plus = flags & QN_SORT_PLUS_ZERO;
    uint32_t sign = down ^ 0x80000000u;
    switch (lines->type) {
    case QN_T_BOOL: KEYS(uint8_t, (uint32_t)(x != 0) ^ down);
    case QN_T_U8: KEYS(uint8_t, x ^ down);
    case QN_T_U16: KEYS(uint16_t, x ^ down);
    case QN_T_U32: KEYS(uint32_t, x ^ down);
    case QN_T_I8: KEYS(int8_t, (uint32_t)x ^ sign);
    case QN_T_I16: KEYS(int16_t, (uint32_t)x ^ sign);
    case QN_T_I32: KEYS(int32_t, (uint32_t)x ^ sign);
    default: KEYS(float, key_f32(x, plus, down));
    }
}

void qn_sort_keys64(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint64_t *keys)
{
    const char *from = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint64_t down = flags & QN_SORT_DESCENDING ? UINT64_MAX : 0;
    uint64_t sign = down ^ 0x8000000000000000u;
    uint32_t plus = flags & QN_SORT_PLUS_ZERO;
    switch (lines->type) {
    case QN_T_U64: KEYS(uint64_t, x ^ down);
    case QN_T_I64: KEYS(int64_t, (uint64_t)x ^ sign);
    default: KEYS(double, key_f64(x, plus, down));
    }
}

#define VALUES(TYPE, VALUE)                                                                        \
    do {                                                                                           \
        if (stride == (int64_t)sizeof(TYPE)) {                                                     \
            for (uint64_t i = 0; i < count; i++) {                                                 \
                TYPE x = (TYPE)(VALUE);                                                            \
                memcpy(to + i * sizeof x, &x, sizeof x);                                           \
            }                                                                                      \
        } else {                                                                                   \
            for (uint64_t i = 0; i < count; i++, to += stride) {                                   \
                TYPE x = (TYPE)(VALUE);                                                            \
                memcpy(to, &x, sizeof x);                                                          \
            }                                                                                      \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

void qn_sort_values32(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint32_t *keys)
{
    char *to = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint32_t down = flags & QN_SORT_DESCENDING ? UINT32_MAX : 0, sign = down ^ 0x80000000u;
    switch (lines->type) {
    case QN_T_BOOL:
    case QN_T_U8: VALUES(uint8_t, keys[i] ^ down);
    case QN_T_U16: VALUES(uint16_t, keys[i] ^ down);
    case QN_T_U32: VALUES(uint32_t, keys[i] ^ down);
    case QN_T_I8: VALUES(int8_t, keys[i] ^ sign);
    case QN_T_I16: VALUES(int16_t, keys[i] ^ sign);
    case QN_T_I32: VALUES(int32_t, keys[i] ^ sign);
    default: VALUES(float, value_f32(keys[i], down));
    }
}

void qn_sort_values64(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint64_t *keys)
{
    char *to = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint64_t down = flags & QN_SORT_DESCENDING ? UINT64_MAX : 0;
    uint64_t sign = down ^ 0x8000000000000000u;
    switch (lines->type) {
    case QN_T_U64: VALUES(uint64_t, keys[i] ^ down);
    case QN_T_I64: VALUES(int64_t, keys[i] ^ sign);
    default: VALUES(double, value_f64(keys[i], down));
    }
}
