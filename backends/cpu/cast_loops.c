/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/cast.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/move.h"
#include "backends/cpu/store.h"

#define QN_BODY "backends/cpu/cast_body.h"
#include "backends/cpu/isa_each.h"

qn_cast_fn *qn_cast_from(uint32_t type)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return casts_avx512[type];
    case QN_ISA_AVX2: return casts_avx2[type];
    default: break;
    }
#endif
    return casts_baseline[type];
}

/* ---- what fits ---- */

#define UNFIT(TYPE, EXPR)                                                                          \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        TYPE v;                                                                                    \
        memcpy(&v, from + i * sizeof v, sizeof v);                                                 \
        unfit |= (EXPR);                                                                           \
    }                                                                                              \
    break

/* Truncated, a float is from low on and below high; NaN is not. */
static int float_unfit(uint32_t type, uint32_t to, uint32_t n, const char *from)
{
    static const double low[] = {
        [QN_T_I8] = -129.0, [QN_T_I16] = -32769.0, [QN_T_I32] = -2147483649.0, [QN_T_I64] = -0x1p63,
        [QN_T_U8] = -1.0,   [QN_T_U16] = -1.0,     [QN_T_U32] = -1.0,          [QN_T_U64] = -1.0};
    static const double high[] = {
        [QN_T_I8] = 0x1p7, [QN_T_I16] = 0x1p15, [QN_T_I32] = 0x1p31, [QN_T_I64] = 0x1p63,
        [QN_T_U8] = 0x1p8, [QN_T_U16] = 0x1p16, [QN_T_U32] = 0x1p32, [QN_T_U64] = 0x1p64};
    int unfit = 0;
    if (to == QN_T_BOOL || to == QN_T_F64) return 0;
    if (to == QN_T_F32) {
        if (type == QN_T_F32) return 0;
        for (uint32_t i = 0; i < n; i++) {
            double v;
            memcpy(&v, from + i * sizeof v, sizeof v);
            /* Rounded to float32, from 2^128 - 2^103 on it is infinite. */
            unfit |= (v >= 0x1.ffffffp127 && v < (double)INFINITY) ||
                     (v <= -0x1.ffffffp127 && v > -(double)INFINITY);
        }
        return unfit;
    }
    double l = low[to], h = high[to];
    if (to == QN_T_I64) /* the only type whose least value has no double just below */
        switch (type) {
        case QN_T_F32: UNFIT(float, !((double)v >= l && (double)v < h));
        default: UNFIT(double, !(v >= l && v < h));
        }
    else
        switch (type) {
        case QN_T_F32: UNFIT(float, !((double)v > l && (double)v < h));
        default: UNFIT(double, !(v > l && v < h));
        }
    return unfit;
}

int qn_cast_unfit(uint32_t type, uint32_t to, uint32_t n, const char *from)
{
    static const int64_t low[] = {[QN_T_I8] = INT8_MIN,
                                  [QN_T_I16] = INT16_MIN,
                                  [QN_T_I32] = INT32_MIN,
                                  [QN_T_I64] = INT64_MIN,
                                  [QN_T_U64] = 0};
    static const uint64_t high[] = {
        [QN_T_I8] = INT8_MAX,    [QN_T_I16] = INT16_MAX, [QN_T_I32] = INT32_MAX,
        [QN_T_I64] = INT64_MAX,  [QN_T_U8] = UINT8_MAX,  [QN_T_U16] = UINT16_MAX,
        [QN_T_U32] = UINT32_MAX, [QN_T_U64] = UINT64_MAX};
    int unfit = 0;
    if (type == QN_T_F32 || type == QN_T_F64) return float_unfit(type, to, n, from);
    if (to == QN_T_BOOL || to == QN_T_F32 || to == QN_T_F64 || type == QN_T_BOOL) return 0;
    int64_t l = low[to];
    uint64_t h = high[to];
    switch (type) {
    case QN_T_I8: UNFIT(int8_t, v < l || (v > 0 && (uint64_t)v > h));
    case QN_T_I16: UNFIT(int16_t, v < l || (v > 0 && (uint64_t)v > h));
    case QN_T_I32: UNFIT(int32_t, v < l || (v > 0 && (uint64_t)v > h));
    case QN_T_I64: UNFIT(int64_t, v < l || (v > 0 && (uint64_t)v > h));
    case QN_T_U8: UNFIT(uint8_t, v > h);
    case QN_T_U16: UNFIT(uint16_t, v > h);
    case QN_T_U32: UNFIT(uint32_t, v > h);
    default: UNFIT(uint64_t, v > h);
    }
    return unfit;
}
