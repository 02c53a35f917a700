/* SPDX-License-Identifier: Apache-2.0 */
#include "host/core/utf8.h"

#include "host/core/checked.h"

/* Bytes of the sequence that starts here, 0 if none does. What the second byte may be depends on the
 * first; the others are 80…bf. */
static size_t sequence(const unsigned char *at, size_t left)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (n <= 1) return n;
    if (first > 0xf4 || n > left) return 0;
    if (first == 0xe0) low = 0xa0;  /* shorter forms exist */
    if (first == 0xed) high = 0x9f; /* surrogates */
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f; /* beyond U+10FFFF */
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return n;
}

int qn_utf8_valid(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0, n; i < bytes; i += n) {
        n = sequence(at + i, bytes - i);
        if (n == 0) return 0;
    }
    return 1;
}

char *qn_utf8_from_latin1(const char *text, size_t bytes, size_t *size)
{
    size_t room, n = 0;
    *size = 0;
    if (qn_mul_size(bytes, 2, &room) || qn_add_size(room, 1, &room)) return NULL;
    char *out = qn_alloc(room, 1);
    if (out == NULL) return NULL;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) out[n++] = (char)(0xc0 | (c >> 6));
        out[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    out[n] = '\0';
    *size = n;
    return out;
}
