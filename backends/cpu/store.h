/* SPDX-License-Identifier: Apache-2.0
 * How a lane's final value becomes a stored one, for one value: NumPy's astype where that is defined.
 * What NumPy leaves to the processor is closed here: NaN to an integer is 0, a float beyond int64
 * saturates, narrower integers keep the low bits; NaN to bool is true. Stored NaNs are canonical. */
#ifndef QN_CPU_STORE_H
#define QN_CPU_STORE_H

#include <stdint.h>

static inline int64_t qn_store_i64(double v)
{
    if (v >= -0x1p63 && v < 0x1p63) return (int64_t)v;
    return v != v ? 0 : v < 0 ? INT64_MIN : INT64_MAX;
}

static inline uint64_t qn_store_u64(double v)
{
    if (v >= 0x1p63) return v < 0x1p64 ? (uint64_t)v : UINT64_MAX;
    return (uint64_t)qn_store_i64(v);
}

static inline float qn_store_f32(float v)
{
    return v != v ? __builtin_nanf("") : v;
}

static inline double qn_store_f64(double v)
{
    return v != v ? __builtin_nan("") : v;
}

#endif
