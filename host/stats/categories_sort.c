/* SPDX-License-Identifier: Apache-2.0
 * Sorting distinct values: radix passes over 64-bit keys, those of equal digits left out. Strings go
 * by eight bytes at a time; runs that still tie are sorted by the next eight, small or stubborn ones
 * by a merge sort that compares bytes. */
#include <string.h>

#include "host/stats/categories_internal.h"

enum {
    DIGIT_BITS = 8,
    DIGITS = 1 << DIGIT_BITS,
    SMALL_RUN = 48,
    DEEPEST = 64 /* bytes into the strings for which radix passes are tried */
};

void qn_sort_numbers(struct sortable *items, struct sortable *scratch, uint64_t n)
{
    static const unsigned passes = 64 / DIGIT_BITS;
    uint64_t histogram[64 / DIGIT_BITS][DIGITS] = {{0}};
    for (uint64_t i = 0; i < n; i++)
        for (unsigned p = 0; p < passes; p++)
            histogram[p][items[i].key >> (p * DIGIT_BITS) & (DIGITS - 1)]++;
    struct sortable *from = items, *to = scratch;
    for (unsigned p = 0; p < passes && n > 0; p++) {
        uint64_t *h = histogram[p];
        if (h[from[0].key >> (p * DIGIT_BITS) & (DIGITS - 1)] == n) continue;
        uint64_t sum = 0;
        for (unsigned d = 0; d < DIGITS; d++) {
            uint64_t here = h[d];
            h[d] = sum;
            sum += here;
        }
        for (uint64_t i = 0; i < n; i++)
            to[h[from[i].key >> (p * DIGIT_BITS) & (DIGITS - 1)]++] = from[i];
        struct sortable *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, (size_t)n * sizeof *items);
}

/* a before b; equal strings do not occur. */
static int before(const struct string_ref *a, const struct string_ref *b)
{
    uint64_t common = a->length < b->length ? a->length : b->length;
    int order = common > 0 ? memcmp(a->text, b->text, (size_t)common) : 0;
    return order != 0 ? order < 0 : a->length < b->length;
}

static void sort_inserting(struct sortable *items, uint64_t n, const struct string_ref *refs)
{
    for (uint64_t i = 1; i < n; i++) {
        struct sortable item = items[i];
        uint64_t at = i;
        for (; at > 0 && before(&refs[item.id], &refs[items[at - 1].id]); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void sort_merging(struct sortable *items, struct sortable *scratch, uint64_t n,
                         const struct string_ref *refs)
{
    for (uint64_t at = 0; at < n; at += SMALL_RUN)
        sort_inserting(items + at, n - at < SMALL_RUN ? n - at : SMALL_RUN, refs);
    for (uint64_t width = SMALL_RUN; width < n; width *= 2) {
        for (uint64_t at = 0; at < n; at += 2 * width) {
            uint64_t middle = n - at < width ? n : at + width;
            uint64_t end = n - at < 2 * width ? n : at + 2 * width;
            uint64_t a = at, b = middle;
            for (uint64_t out = at; out < end; out++) {
                int left =
                    b == end || (a < middle && !before(&refs[items[b].id], &refs[items[a].id]));
                scratch[out] = left ? items[a++] : items[b++];
            }
        }
        memcpy(items, scratch, (size_t)n * sizeof *items);
    }
}

/* Eight bytes from `depth` on, big-endian, zeros behind the end. */
static uint64_t key_at(const struct string_ref *ref, uint64_t depth)
{
    uint64_t key = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t at = depth + i;
        key = key << 8 | (at < ref->length ? (unsigned char)ref->text[at] : 0u);
    }
    return key;
}

static void sort_from(struct sortable *items, struct sortable *scratch, uint64_t n,
                      const struct string_ref *refs, uint64_t depth)
{
    for (uint64_t i = 0; i < n; i++) items[i].key = key_at(&refs[items[i].id], depth);
    qn_sort_numbers(items, scratch, n);
    for (uint64_t at = 0, end; at < n; at = end) {
        for (end = at + 1; end < n && items[end].key == items[at].key; end++) {
        }
        if (end - at == 1) continue;
        if (end - at <= SMALL_RUN)
            sort_inserting(items + at, end - at, refs);
        else if (depth + 8 >= DEEPEST)
            sort_merging(items + at, scratch, end - at, refs);
        else
            sort_from(items + at, scratch, end - at, refs, depth + 8);
    }
}

void qn_sort_strings(struct sortable *items, struct sortable *scratch, uint64_t n,
                     const struct string_ref *refs)
{
    sort_from(items, scratch, n, refs, 0);
}
