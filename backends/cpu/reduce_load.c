/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/reduce_load.h"

#include <string.h>

#include "kernels/program.h"

#define LOAD(T, TO, VALUE)                                                                         \
    do {                                                                                           \
        TO *restrict out = to;                                                                     \
        if (step == (ptrdiff_t)sizeof(T)) {                                                        \
            for (size_t i = 0; i < n; i++) {                                                       \
                T v;                                                                               \
                memcpy(&v, from + i * sizeof v, sizeof v);                                         \
                out[i] = (TO)(VALUE);                                                              \
            }                                                                                      \
        } else {                                                                                   \
            for (size_t i = 0; i < n; i++, from += step) {                                         \
                T v;                                                                               \
                memcpy(&v, from, sizeof v);                                                        \
                out[i] = (TO)(VALUE);                                                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void load_f64(uint32_t type, const char *from, ptrdiff_t step, size_t n, void *to)
{
    switch (type) {
    case QN_T_BOOL: LOAD(uint8_t, double, v != 0); break;
    case QN_T_U8: LOAD(uint8_t, double, v); break;
    case QN_T_I8: LOAD(int8_t, double, v); break;
    case QN_T_U16: LOAD(uint16_t, double, v); break;
    case QN_T_I16: LOAD(int16_t, double, v); break;
    case QN_T_U32: LOAD(uint32_t, double, v); break;
    case QN_T_I32: LOAD(int32_t, double, v); break;
    case QN_T_U64: LOAD(uint64_t, double, v); break;
    case QN_T_I64: LOAD(int64_t, double, v); break;
    case QN_T_F32: LOAD(float, double, v); break;
    default: LOAD(double, double, v); break;
    }
}

static void load_i64(uint32_t type, int flip, const char *from, ptrdiff_t step, size_t n, void *to)
{
    uint64_t top = flip ? (uint64_t)1 << 63 : 0;
    switch (type) {
    case QN_T_BOOL: LOAD(uint8_t, int64_t, v != 0); break;
    case QN_T_U8: LOAD(uint8_t, int64_t, v); break;
    case QN_T_I8: LOAD(int8_t, int64_t, v); break;
    case QN_T_U16: LOAD(uint16_t, int64_t, v); break;
    case QN_T_I16: LOAD(int16_t, int64_t, v); break;
    case QN_T_U32: LOAD(uint32_t, int64_t, v); break;
    case QN_T_I32: LOAD(int32_t, int64_t, v); break;
    case QN_T_U64: LOAD(uint64_t, uint64_t, v ^ top); break;
    default: LOAD(int64_t, int64_t, v); break;
    }
}

void qn_reduce_load(uint32_t type, enum qn_element as, int flip, const char *from, ptrdiff_t step,
                    size_t n, void *to)
{
    if (as == QN_ELEMENT_F32)
        LOAD(float, float, v);
    else if (as == QN_ELEMENT_U8)
        LOAD(uint8_t, uint8_t, v);
    else if (as == QN_ELEMENT_F64)
        load_f64(type, from, step, n, to);
    else
        load_i64(type, flip, from, step, n, to);
}
