/* SPDX-License-Identifier: Apache-2.0
 * Decimal to double in three steps of rising cost: an exact product or quotient of two doubles
 * (Clinger), a 64 x 128-bit product that decides nearly always (Eisel and Lemire), and digit-by-digit
 * arithmetic that always does. The C library's strtod would serve only for the last, and it obeys the
 * locale. */
#include "host/data/decimal.h"

#include "host/core/compiler.h"

enum { DIGITS_MAX = 800 }; /* more digits than any tie between doubles has (767) */
/* Beyond this the result is 0 or infinite, however many digits precede. */
#define EXPONENT_MAX (INT64_C(1) << 50)

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void strip(const char **text, size_t *size)
{
    while (*size > 0 && is_blank((*text)[0])) (*text)++, (*size)--;
    while (*size > 0 && is_blank((*text)[*size - 1])) (*size)--;
}

static int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

int qn_parse_u64(const char *text, size_t size, uint64_t *out)
{
    strip(&text, &size);
    if (size > 0 && *text == '+') text++, size--;
    if (size == 0) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i])) return 0;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
}

int qn_parse_i64(const char *text, size_t size, int64_t *out)
{
    strip(&text, &size);
    int negative = size > 1 && *text == '-' && is_digit(text[1]);
    uint64_t value;
    if (!qn_parse_u64(text + negative, size - (size_t)negative, &value)) return 0;
    if (value > (uint64_t)INT64_MAX + (uint64_t)negative) return 0;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 1;
}

static double make_double(uint64_t mantissa, int biased)
{
    uint64_t bits = mantissa | (uint64_t)biased << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The double nearest to w * 10^q, or 0 when the product is too close to a tie to tell. */
static int eisel_lemire(uint64_t w, int64_t q, double *out)
{
    if (w == 0 || q < QN_POW5_MIN) return *out = 0, 1;
    if (q > QN_DECIMAL_MAX) return *out = make_double(0, 0x7ff), 1;
    int lead = (int)qn_leading_zeros(w);
    w <<= lead;
    const uint64_t *power = qn_pow5[q - QN_POW5_MIN];
    uint64_t high, low = qn_mul_128(w, power[0], &high);
    if ((high & 0x1ff) == 0x1ff) { /* the bits that decide may still carry */
        uint64_t more;
        (void)qn_mul_128(w, power[1], &more);
        low += more;
        if (more > low) high++;
        if (low == UINT64_MAX && (q < -27 || q > 55)) return 0;
    }
    int upper = (int)(high >> 63);
    uint64_t mantissa = high >> (upper + 9);
    int64_t exponent = ((217706 * q) >> 16) + 63 + upper - lead + 1023;
    if (exponent <= 0) { /* subnormal: the cut is elsewhere */
        if (exponent <= -63) return *out = 0, 1;
        mantissa >>= 1 - exponent;
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        *out = make_double(mantissa & ((UINT64_C(1) << 52) - 1), mantissa >> 52 ? 1 : 0);
        return 1;
    }
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high)
        mantissa &= ~UINT64_C(1); /* an exact tie goes to the even neighbour, here the lower */
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) mantissa = UINT64_C(1) << 52, exponent++;
    if (exponent >= 0x7ff) return *out = make_double(0, 0x7ff), 1;
    *out = make_double(mantissa & ((UINT64_C(1) << 52) - 1), (int)exponent);
    return 1;
}

/* 0.d1 d2 d3 … * 10^point, with room for every digit that can matter; `more`: non-zero digits were
 * dropped behind the last. */
struct digits {
    int n, more;
    int64_t point;
    uint8_t d[DIGITS_MAX];
};

static void trim(struct digits *a)
{
    while (a->n > 0 && a->d[a->n - 1] == 0) a->n--;
    if (a->n == 0) a->point = 0;
}

/* a *= 2^k, k at most 60 */
static void shift_left(struct digits *a, unsigned k)
{
    uint8_t extra[20];
    uint64_t carry = 0;
    int n_extra = 0;
    for (int i = a->n - 1; i >= 0; i--) {
        uint64_t value = ((uint64_t)a->d[i] << k) + carry; /* 9 * 2^60 + 2^60 stays below 2^64 */
        a->d[i] = (uint8_t)(value % 10);
        carry = value / 10;
    }
    while (carry > 0) extra[n_extra++] = (uint8_t)(carry % 10), carry /= 10;
    int n = a->n + n_extra;
    if (n > DIGITS_MAX) {
        for (int i = DIGITS_MAX - n_extra; i < a->n; i++) a->more |= a->d[i] != 0;
        n = DIGITS_MAX;
    }
    memmove(a->d + n_extra, a->d, (size_t)(n - n_extra));
    for (int i = 0; i < n_extra; i++) a->d[i] = extra[n_extra - 1 - i];
    a->n = n;
    a->point += n_extra;
    trim(a);
}

/* a /= 2^k, k at most 60 */
static void shift_right(struct digits *a, unsigned k)
{
    uint64_t mask = (UINT64_C(1) << k) - 1, value = 0;
    int read = 0, write = 0;
    while (value >> k == 0) { /* digits until the quotient's first */
        if (read < a->n) {
            value = value * 10 + a->d[read++];
        } else if (value == 0) {
            a->n = 0;
            return;
        } else {
            value *= 10;
            read++;
        }
    }
    a->point -= read - 1;
    for (; read < a->n; read++) {
        uint8_t digit = (uint8_t)(value >> k);
        value = (value & mask) * 10 + a->d[read];
        a->d[write++] = digit;
    }
    while (value > 0) {
        uint8_t digit = (uint8_t)(value >> k);
        value = (value & mask) * 10;
        if (write < DIGITS_MAX)
            a->d[write++] = digit;
        else
            a->more |= digit != 0;
    }
    a->n = write;
    trim(a);
}

/* The integer nearest to a (below 2^63), ties to even. */
static uint64_t round_integer(const struct digits *a)
{
    uint64_t value = 0;
    int64_t i;
    if (a->point < 0) return 0;
    for (i = 0; i < a->point; i++) value = value * 10 + (i < a->n ? a->d[i] : 0u);
    if (a->point >= a->n) return value;
    int up = a->d[a->point] >= 5;
    if (a->d[a->point] == 5 && a->point + 1 == a->n && !a->more) up = (int)(value & 1);
    return value + (uint64_t)up;
}

static double slow_double(struct digits *a)
{
    int exponent = 0; /* value = a * 2^exponent */
    trim(a);
    if (a->n == 0 || a->point < -330) return 0;
    if (a->point > 310) return make_double(0, 0x7ff);
    while (a->point > 0) { /* down to [0.5, 1) */
        unsigned k = a->point >= 18 ? 59 : (unsigned)(a->point * 3 + 1);
        shift_right(a, k);
        exponent += (int)k;
    }
    while (a->point < 0 || (a->point == 0 && a->d[0] < 5)) {
        unsigned k = a->point < -17 ? 56 : a->point < 0 ? (unsigned)(-a->point * 3) : 1;
        shift_left(a, k);
        exponent -= (int)k;
    }
    exponent--; /* [1, 2) */
    if (exponent < -1022) {
        int k = -1022 - exponent;
        exponent = -1022;
        for (; k > 0; k -= 59) shift_right(a, k > 59 ? 59u : (unsigned)k);
    }
    shift_left(a, 53);
    uint64_t mantissa = round_integer(a);
    if (mantissa >> 53) mantissa >>= 1, exponent++;
    if (exponent > 1023) return make_double(0, 0x7ff);
    if (mantissa >> 52 == 0) return make_double(mantissa, 0);
    return make_double(mantissa & ((UINT64_C(1) << 52) - 1), exponent + 1023);
}

/* The pieces of a decimal: value = w * 10^q, w exact unless `cut`. */
struct decimal {
    uint64_t w;
    int64_t q;
    int cut;
    const char *digits; /* first digit or point */
    size_t digits_size;
    int64_t exponent; /* as written */
};

static int read_exponent(const char *p, const char *end, int64_t *out)
{
    int negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return 0;
    int64_t value = 0;
    for (; p < end; p++) {
        if (!is_digit(*p)) return 0;
        if (value < EXPONENT_MAX) value = value * 10 + (*p - '0');
    }
    *out = negative ? -value : value;
    return 1;
}

static int read_decimal(const char *p, const char *end, struct decimal *out)
{
    uint64_t w = 0;
    int64_t q = 0;
    int n = 0, any = 0, point = 0, cut = 0; /* n: significant digits in w */
    out->digits = p;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)(*p - '0');
        if (digit < 10) {
            any = 1;
            if (n < 19) {
                w = w * 10 + digit;
                n += w != 0;
                q -= point;
            } else {
                cut |= digit != 0;
                q += !point;
            }
        } else if (*p == '.' && !point) {
            point = 1;
        } else {
            break;
        }
    }
    if (!any) return 0;
    out->digits_size = (size_t)(p - out->digits);
    out->exponent = 0;
    if (p < end) {
        if (*p != 'e' && *p != 'E') return 0;
        if (!read_exponent(p + 1, end, &out->exponent)) return 0;
    }
    out->w = w;
    out->q = q + out->exponent;
    out->cut = cut;
    return 1;
}

static double exact_double(const struct decimal *d)
{
    struct digits a = {0};
    int64_t point = 0;
    int after = 0;
    for (size_t i = 0; i < d->digits_size; i++) {
        char c = d->digits[i];
        if (c == '.') {
            after = 1;
            continue;
        }
        if (a.n == 0 && c == '0') {
            point -= after;
            continue;
        }
        point += !after;
        if (a.n < DIGITS_MAX)
            a.d[a.n++] = (uint8_t)(c - '0');
        else
            a.more |= c != '0';
    }
    a.point = point + d->exponent;
    return slow_double(&a);
}

static int same_letters(const char *text, const char *lower, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 0x20) != lower[i]) return 0;
    return 1;
}

static double to_double(const struct decimal *d)
{
    static const double tens[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double value, next;
    if (!d->cut && d->w <= UINT64_C(1) << 53 && d->q >= -22 && d->q <= 22)
        return d->q < 0 ? (double)d->w / tens[-d->q] : (double)d->w * tens[d->q];
    if (eisel_lemire(d->w, d->q, &value)) {
        if (!d->cut) return value;
        if (eisel_lemire(d->w + 1, d->q, &next) && next == value) return value;
    }
    return exact_double(d);
}

int qn_parse_f64(const char *text, size_t size, double *out)
{
    struct decimal d;
    strip(&text, &size);
    if (size == 0) return 0;
    const char *p = text, *end = text + size;
    int negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    size_t rest = (size_t)(end - p);
    double value;
    if ((rest == 3 && same_letters(p, "inf", 3)) || (rest == 8 && same_letters(p, "infinity", 8)))
        value = make_double(0, 0x7ff);
    else if (read_decimal(p, end, &d))
        value = to_double(&d);
    else
        return 0;
    *out = negative ? -value : value;
    return 1;
}
