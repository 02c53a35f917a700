/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/sorted.h"

#include <string.h>

#include "backends/cpu/order.h"

enum { DIGITS = 8, BINS = 256 };

/* By digits, the last one first; digits that all keys share are left out. The result is in `a`. */
static void sort_keys(struct qn_keyed *a, struct qn_keyed *b, uint64_t n)
{
    uint64_t count[DIGITS][BINS] = {{0}};
    struct qn_keyed *from = a, *to = b;
    for (uint64_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++) count[d][a[i].key >> (8 * d) & (BINS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        uint64_t at = 0;
        if (count[d][from[0].key >> (8 * d) & (BINS - 1)] == n) continue;
        for (int bin = 0; bin < BINS; bin++) {
            uint64_t some = count[d][bin];
            count[d][bin] = at;
            at += some;
        }
        for (uint64_t i = 0; i < n; i++)
            to[count[d][from[i].key >> (8 * d) & (BINS - 1)]++] = from[i];
        struct qn_keyed *last = from;
        from = to;
        to = last;
    }
    if (from != a) memcpy(a, from, n * sizeof *a);
}

void qn_sorted_make(const double *from, uint64_t n, struct qn_keyed *room, double *value,
                    uint32_t *row)
{
    if (n == 0) return;
    for (uint64_t i = 0; i < n; i++) room[i] = (struct qn_keyed){qn_key_f64(from[i]), (uint32_t)i};
    sort_keys(room, room + n, n);
    for (uint64_t i = 0; i < n; i++) {
        value[i] = qn_unkey_f64(room[i].key);
        row[i] = room[i].row;
    }
}

/* Differences of doubles are rounded, but never out of order; so the places within r are neighbours. */
uint64_t qn_sorted_within(const double *value, uint64_t n, uint64_t at, double r)
{
    double x = value[at];
    uint64_t low = at, high = at, step;
    for (step = 1; low >= step && x - value[low - step] <= r; step *= 2) low -= step;
    for (; step > 0; step /= 2)
        while (low >= step && x - value[low - step] <= r) low -= step;
    for (step = 1; n - 1 - high >= step && value[high + step] - x <= r; step *= 2) high += step;
    for (; step > 0; step /= 2)
        while (n - 1 - high >= step && value[high + step] - x <= r) high += step;
    return high - low + 1;
}

double qn_sorted_radius(const double *value, uint64_t n, uint64_t at, uint64_t k)
{
    uint64_t low = at, high = at;
    double x = value[at], r = 0.0;
    for (uint64_t i = 0; i < k; i++) {
        int down = low > 0 && (high + 1 >= n || x - value[low - 1] <= value[high + 1] - x);
        r = down ? x - value[--low] : value[++high] - x;
    }
    return r;
}
