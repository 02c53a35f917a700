/* SPDX-License-Identifier: Apache-2.0
 * Numbers to text. The digits are the shortest that read back as the same value, and of those the
 * nearest to it, found by Giulietti's Schubfach: the bounds of the rounding interval are multiplied
 * by a power of ten of 128 bits and rounded to odd, after which integer compares decide. The layout
 * is that of Python's repr and NumPy's str. */
#include <string.h>

#include "host/core/compiler.h"
#include "host/data/decimal.h"
#include "host/data/npy.h"

struct shortest {
    uint64_t digits;
    int exponent;
};

static uint64_t round_to_odd(const uint64_t power[2], uint64_t x)
{
    uint64_t a, high, low;
    (void)qn_mul_128(power[1], x, &a);
    low = qn_mul_128(power[0], x, &high);
    low += a;
    high += low < a;
    return high | (low > 1);
}

static int floor_shift(int value, int bits)
{
    return value >= 0 ? value >> bits : -((-value + (1 << bits) - 1) >> bits);
}

/* c * 2^q; closer_below: the neighbour below is half as far as the one above. */
static struct shortest shortest(uint64_t c, int q, int closer_below)
{
    uint64_t odd = c & 1;
    int k = floor_shift(q * 1262611 - (closer_below ? 524031 : 0), 22);
    int h = q + floor_shift(-k * 1741647, 19) + 1;
    uint64_t power[2] = {qn_pow5[-k - QN_POW5_MIN][0], qn_pow5[-k - QN_POW5_MIN][1]};
    if (-k < -27 || -k > 55) { /* the table rounds these down, the method wants them up */
        power[1]++;
        power[0] += power[1] == 0;
    }
    uint64_t below = round_to_odd(power, (4 * c - 2 + (uint64_t)closer_below) << h) + odd;
    uint64_t value = round_to_odd(power, (4 * c) << h);
    uint64_t above = round_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        int down = below <= 40 * tens, up = 40 * tens + 40 <= above;
        if (down != up) return (struct shortest){tens + (uint64_t)up, k + 1};
    }
    int down = below <= 4 * s, up = 4 * s + 4 <= above;
    if (down != up) return (struct shortest){s + (uint64_t)up, k};
    uint64_t mid = 4 * s + 2;
    return (struct shortest){s + (value > mid || (value == mid && (s & 1))), k};
}

static size_t put_digits(char *out, uint64_t value)
{
    char reversed[20];
    size_t n = 0;
    do reversed[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++) out[i] = reversed[n - 1 - i];
    return n;
}

size_t qn_format_i64(char *out, int64_t value)
{
    if (value >= 0) return put_digits(out, (uint64_t)value);
    *out = '-';
    return 1 + put_digits(out + 1, 0 - (uint64_t)value);
}

size_t qn_format_u64(char *out, uint64_t value)
{
    return put_digits(out, value);
}

/* Python writes an exponent below 1e-4 and from 1e16 on; NumPy's str of a float32 (2.4) too below
 * 1e-4, as the value compares, and already from 1e6 on. */
static size_t lay_out(char *out, struct shortest d, int plain)
{
    char digits[20];
    while (d.digits % 10 == 0) d.digits /= 10, d.exponent++;
    int n = (int)put_digits(digits, d.digits), point = n + d.exponent; /* digits before the point */
    char *p = out;
    if (plain && point <= 0) {
        *p++ = '0', *p++ = '.';
        for (int i = point; i < 0; i++) *p++ = '0';
        memcpy(p, digits, (size_t)n);
        return (size_t)(p + n - out);
    }
    if (plain) {
        for (int i = 0; i < point; i++) *p++ = i < n ? digits[i] : '0';
        *p++ = '.';
        for (int i = point; i < n; i++) *p++ = digits[i];
        if (n <= point) *p++ = '0';
        return (size_t)(p - out);
    }
    *p++ = digits[0];
    if (n > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, (size_t)(n - 1));
        p += n - 1;
    }
    int exponent = point - 1;
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    if (exponent < 0) exponent = -exponent;
    if (exponent < 10) *p++ = '0';
    p += put_digits(p, (uint64_t)exponent);
    return (size_t)(p - out);
}

static size_t put_text(char *out, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++) out[n] = text[n];
    return n;
}

size_t qn_format_f64(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7ff);
    size_t sign = (size_t)(bits >> 63);
    if (exponent == 0x7ff && fraction != 0) return put_text(out, "nan");
    if (sign) *out = '-';
    if (exponent == 0x7ff) return sign + put_text(out + sign, "inf");
    if (exponent == 0 && fraction == 0) return sign + put_text(out + sign, "0.0");
    uint64_t c = exponent == 0 ? fraction : fraction | UINT64_C(1) << 52;
    int q = (exponent == 0 ? 1 : exponent) - 1075;
    double size = sign ? -value : value;
    return sign + lay_out(out + sign, shortest(c, q, fraction == 0 && exponent > 1),
                          size >= 1e-4 && size < 1e16);
}

size_t qn_format_f32(char *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t fraction = bits & 0x7fffff;
    int exponent = (int)(bits >> 23 & 0xff);
    size_t sign = (size_t)(bits >> 31);
    if (exponent == 0xff && fraction != 0) return put_text(out, "nan");
    if (sign) *out = '-';
    if (exponent == 0xff) return sign + put_text(out + sign, "inf");
    if (exponent == 0 && fraction == 0) return sign + put_text(out + sign, "0.0");
    uint64_t c = exponent == 0 ? fraction : fraction | 0x800000u;
    int q = (exponent == 0 ? 1 : exponent) - 150;
    double size = sign ? -(double)value : (double)value;
    return sign + lay_out(out + sign, shortest(c, q, fraction == 0 && exponent > 1),
                          size >= 1e-4 && size < 1e6);
}

static char *put_padded(char *out, unsigned value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

size_t qn_format_datetime(char *out, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000, fraction = microseconds % 1000000;
    if (fraction < 0) fraction += 1000000, seconds--;
    int64_t days = seconds / 86400, second = seconds % 86400;
    if (second < 0) second += 86400, days--;
    int64_t z = days + 719468; /* from 1 March 0000, in eras of 400 years */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t day = in_era - (365 * year + year / 4 - year / 100), m = (5 * day + 2) / 153;
    unsigned month = (unsigned)(m < 10 ? m + 3 : m - 9);
    year += era * 400 + (month <= 2);
    char *p = out;
    if (year < 0) *p++ = '-', year = -year;
    if (year > 9999)
        p += put_digits(p, (uint64_t)year);
    else
        p = put_padded(p, (unsigned)year, 4);
    *p++ = '-';
    p = put_padded(p, month, 2);
    *p++ = '-';
    p = put_padded(p, (unsigned)(day - (153 * m + 2) / 5 + 1), 2);
    *p++ = 'T';
    p = put_padded(p, (unsigned)(second / 3600), 2);
    *p++ = ':';
    p = put_padded(p, (unsigned)(second / 60 % 60), 2);
    *p++ = ':';
    p = put_padded(p, (unsigned)(second % 60), 2);
    *p++ = '.';
    p = put_padded(p, (unsigned)fraction, 6);
    return (size_t)(p - out);
}
