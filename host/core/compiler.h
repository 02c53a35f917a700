/* SPDX-License-Identifier: Apache-2.0
 * The only place outside backends/cpu that knows one compiler from another. */
#ifndef QN_COMPILER_H
#define QN_COMPILER_H

#if defined(__GNUC__)
#define QN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define QN_MUST_CHECK __attribute__((warn_unused_result))
#define QN_LIKELY(x) __builtin_expect(!!(x), 1)
#define QN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define QN_COLD __attribute__((cold))
#define QN_NOINLINE __attribute__((noinline))
#define QN_ALWAYS_INLINE inline __attribute__((always_inline))
#define QN_UNUSED __attribute__((unused))
/* Number of the highest and of the lowest set bit of a nonzero uint32_t. */
#define QN_HIGHEST_BIT(x) (31u - (unsigned)__builtin_clz(x))
#define QN_LOWEST_BIT(x) ((unsigned)__builtin_ctz(x))
#define QN_PREFETCH(address) __builtin_prefetch(address)
#else
#define QN_PRINTF(fmt, args)
#define QN_MUST_CHECK
#define QN_LIKELY(x) (x)
#define QN_UNLIKELY(x) (x)
#define QN_COLD
#define QN_NOINLINE
#define QN_ALWAYS_INLINE inline
#define QN_UNUSED
#define QN_PREFETCH(address) ((void)(address))
#endif

/* Bit scans and the 128-bit product, which standard C11 lacks. The scans want a value other than 0. */
#include <stdint.h>

static inline unsigned qn_lowest_bit(uint64_t value)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(value);
#else
    unsigned n = 0;
    while (!(value & 1)) value >>= 1, n++;
    return n;
#endif
}

static inline unsigned qn_leading_zeros(uint64_t value)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_clzll(value);
#else
    unsigned n = 0;
    while (!(value >> 63)) value <<= 1, n++;
    return n;
#endif
}

#if defined(__SSE2__)
#include <emmintrin.h>
#define QN_BYTE_MASKS 1
/* Which of 64 bytes are a, b or c: bit i is byte i. */
static inline uint64_t qn_bytes_among(const uint8_t *p, uint8_t a, uint8_t b, uint8_t c)
{
    __m128i x = _mm_set1_epi8((char)a), y = _mm_set1_epi8((char)b), z = _mm_set1_epi8((char)c);
    uint64_t mask = 0;
    for (unsigned i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, x), _mm_cmpeq_epi8(v, y)),
                                   _mm_cmpeq_epi8(v, z));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * i);
    }
    return mask;
}
#endif

/* Returns the low half of a * b and stores the high half. */
static inline uint64_t qn_mul_128(uint64_t a, uint64_t b, uint64_t *high)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl;
    uint64_t mid = (ll >> 32) + (lh & 0xffffffffu) + (hl & 0xffffffffu);
    *high = ah * bh + (lh >> 32) + (hl >> 32) + (mid >> 32);
    return (mid << 32) | (ll & 0xffffffffu);
#endif
}

#endif
