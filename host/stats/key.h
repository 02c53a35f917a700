/* SPDX-License-Identifier: Apache-2.0
 * Words whose unsigned order is the order of doubles. */
#ifndef QN_KEY_H
#define QN_KEY_H

#include <stdint.h>

/* -0 is +0; not for NaN. */
static inline uint64_t key_of_f64(double value)
{
    union {
        double d;
        uint64_t u;
    } bits = {.d = value + 0.0};
    uint64_t sign = (uint64_t)1 << 63;
    return (bits.u & sign) ? ~bits.u : bits.u | sign;
}

static inline double f64_of_key(uint64_t key)
{
    uint64_t sign = (uint64_t)1 << 63;
    union {
        uint64_t u;
        double d;
    } bits = {.u = (key & sign) ? key ^ sign : ~key};
    return bits.d;
}

#endif
