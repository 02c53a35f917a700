/* SPDX-License-Identifier: Apache-2.0
 * Order statistics of numbers that lie in memory, on order-preserving integer keys: sign set -> ~bits,
 * else bits | sign bit; -0 is made +0 first. */
#ifndef QN_CPU_ORDER_H
#define QN_CPU_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t qn_key_f32(float x)
{
    uint32_t u;
    x += 0.0f;
    memcpy(&u, &x, sizeof u);
    return u ^ ((uint32_t)((int32_t)u >> 31) | 0x80000000u);
}

static inline float qn_unkey_f32(uint32_t key)
{
    uint32_t u = (key & 0x80000000u) != 0 ? key ^ 0x80000000u : ~key;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint64_t qn_key_f64(double x)
{
    uint64_t u;
    x += 0.0;
    memcpy(&u, &x, sizeof u);
    return u ^ ((uint64_t)((int64_t)u >> 63) | 0x8000000000000000u);
}

static inline double qn_unkey_f64(uint64_t key)
{
    uint64_t u = (key & 0x8000000000000000u) != 0 ? key ^ 0x8000000000000000u : ~key;
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* out[j] = the ranks[j]-th smallest (0-based, < n) of n keys, ranks ascending. keys and spare (room
 * for n) are used up. A histogram over the keys' range says which buckets matter, those are kept and
 * looked at again: a few linear passes, whatever the values. */
void qn_order_u32(uint32_t *keys, uint32_t *spare, size_t n, const uint64_t *ranks, size_t n_ranks,
                  uint32_t *out);
void qn_order_u64(uint64_t *keys, uint64_t *spare, size_t n, const uint64_t *ranks, size_t n_ranks,
                  uint64_t *out);

#endif
