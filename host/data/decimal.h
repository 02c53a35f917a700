/* SPDX-License-Identifier: Apache-2.0
 * Text to numbers, exactly: the double nearest to the decimal (ties to even), as Python's float(),
 * whatever the locale. Blanks around a number are skipped, as pandas and Python do. */
#ifndef QN_DECIMAL_H
#define QN_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 128-bit powers of five, 5^-342 … 5^324; see pow5.c. Reading needs them to 5^308. */
enum { QN_POW5_MIN = -342, QN_POW5_MAX = 324, QN_DECIMAL_MAX = 308 };
extern const uint64_t qn_pow5[667][2];

/* All return 1 when the whole text is such a number, else 0 and leave *out alone. */
int qn_parse_i64(const char *text, size_t size, int64_t *out);
int qn_parse_u64(const char *text, size_t size, uint64_t *out);
/* Digits with an optional point and exponent, inf and infinity in any case; not nan. */
int qn_parse_f64(const char *text, size_t size, double *out);

/* Eight bytes in memory order, the first lowest. */
static inline uint64_t qn_load_le64(const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* The value of 1 … 8 decimal digits, given the bytes from their start on as qn_load_le64() gives them;
 * 0 if one of them is no digit. */
static inline int qn_parse_digits8(uint64_t bytes, unsigned size, uint64_t *out)
{
    /* Digits go to the high end, where the last has the least weight; zeros come in from below. */
    uint64_t x = (bytes ^ UINT64_C(0x3030303030303030)) << (64 - 8 * size);
    if (((x + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080)) return 0;
    x = (x * 10) + (x >> 8);
    *out = (((x & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064)) +
            (((x >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001))) >>
           32;
    return 1;
}

#endif
