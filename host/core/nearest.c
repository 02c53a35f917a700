/* SPDX-License-Identifier: Apache-2.0 */
#include "host/core/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static int lower(char c)
{
    return tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words of at most LONGEST bytes. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][LONGEST + 1];
    for (size_t j = 0; j <= m; j++) row[1][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[(i + 1) % 3], *before = row[i % 3], *older = row[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t cost = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return row[(n + 1) % 3][m];
}

const char *qn_nearest(const char *word, const char *const *words, size_t n)
{
    size_t length = strlen(word), best = length / 3 < 2 ? 3 : length / 3 + 1;
    const char *found = NULL;
    if (length == 0 || length > LONGEST) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(words[i]);
        if (other > LONGEST) continue;
        size_t d = distance(word, length, words[i], other);
        if (d < best) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

const char *qn_did_you_mean(char *out, size_t size, const char *word, const char *const *words,
                            size_t n)
{
    const char *near = qn_nearest(word, words, n);
    if (near != NULL)
        (void)snprintf(out, size, "; did you mean \"%s\"?", near);
    else
        out[0] = '\0';
    return out;
}
