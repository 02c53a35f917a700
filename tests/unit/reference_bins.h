/* SPDX-License-Identifier: Apache-2.0
 * BIN and INTERP for the references: edge by edge, and numpy.interp as its documentation has it, once from
 * each side. */
#ifndef QN_TEST_REFERENCE_BINS_H
#define QN_TEST_REFERENCE_BINS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double reference_entry(const uint64_t *words, uint64_t i)
{
    double value;
    memcpy(&value, words + i, sizeof value);
    return value;
}

static inline uint32_t reference_bin(const uint64_t *edges, uint64_t k, double x)
{
    uint32_t n = 0;
    for (uint64_t i = 0; i < k; i++) n += isnan(x) || reference_entry(edges, i) <= x;
    return n;
}

static inline double reference_interp(const uint64_t *t, uint64_t words, double x, int mean)
{
    uint64_t k = (words - 4) / 4, j = 0;
    const uint64_t *knots = t + 4, *values = knots + k, *slopes = values + k, *same = slopes + k;
    if (isnan(x)) return x;
    if (x < reference_entry(t, 0)) return reference_entry(t, 2);
    if (x > reference_entry(t, 1)) return reference_entry(t, 3);
    for (uint64_t i = 0; i < k; i++)
        if (reference_entry(knots, i) <= x) j = i;
    if (reference_entry(knots, j) == x) return reference_entry(same, j);
    uint64_t next = j + 1 < k ? j + 1 : j;
    double slope = reference_entry(slopes, j), y0 = reference_entry(values, j);
    double y1 = reference_entry(values, next);
    double forth = slope * (x - reference_entry(knots, j)) + y0;
    double back = slope * (x - reference_entry(knots, next)) + y1;
    double a = isnan(forth) ? back : forth, b = isnan(back) ? forth : back;
    if (isnan(a) && y0 == y1) a = y0;
    if (isnan(b) && y0 == y1) b = y0;
    return mean ? 0.5 * (a + b) : a;
}

#endif
