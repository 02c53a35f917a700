/* SPDX-License-Identifier: Apache-2.0
 * The loops are written by type so that packed values are converted in vectors, and for each instruction
 * set (sort_keys_body.h). */
#include "backends/cpu/sort_keys.h"

#include <string.h>

#include "backends/cpu/isa.h"
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

#define QN_BODY "backends/cpu/sort_keys_body.h"
#include "backends/cpu/isa_each.h"

/* ---- the best that the processor has ---- */

void qn_sort_keys32(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint32_t *keys)
{
    QN_BEST(keys32)(lines, line, first, count, flags, keys);
}

void qn_sort_keys64(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                    uint32_t flags, uint64_t *keys)
{
    QN_BEST(keys64)(lines, line, first, count, flags, keys);
}

void qn_sort_values32(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint32_t *keys)
{
    QN_BEST(values32)(lines, line, first, count, flags, keys);
}

void qn_sort_values64(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t count,
                      uint32_t flags, const uint64_t *keys)
{
    QN_BEST(values64)(lines, line, first, count, flags, keys);
}
