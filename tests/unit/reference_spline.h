/* SPDX-License-Identifier: Apache-2.0
 * SPLINE as its definition says, without haste: kernels/spline.h has the layout of the table. */
#ifndef QN_REFERENCE_SPLINE_H
#define QN_REFERENCE_SPLINE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/spline.h"

static inline double reference_word(const uint64_t *words, uint64_t at)
{
    double value;
    memcpy(&value, &words[at], sizeof value);
    return value;
}

/* numpy.remainder(a, b) for b > 0. */
static inline double reference_modulo(double a, double b)
{
    volatile double r = fmod(a, b);
    if (r < 0) r = r + b;
    return r == 0 ? 0 : r;
}

/* Number of the stretch that x is in. */
static inline uint64_t reference_stretch(const uint64_t *table, double x)
{
    uint64_t first = QN_SPLINE_HEAD + table[0], at = 0;
    for (uint64_t i = 1; i + 1 < table[1]; i++)
        if (reference_word(table, first + i) <= x) at = i;
    return at;
}

/* All functions on a stretch: order after order, from a copy of the one before. */
static inline void reference_basis(const uint64_t *table, uint64_t stretch, double x, double *out)
{
    uint64_t k = table[0], t = QN_SPLINE_HEAD + k + stretch;
    double before[QN_SPLINE_DEGREE + 1];
    out[0] = 1;
    for (uint64_t j = 1; j <= k; j++) {
        memcpy(before, out, j * sizeof *out);
        out[0] = 0;
        for (uint64_t n = 1; n <= j; n++) {
            double above = reference_word(table, t + n), below = reference_word(table, t + n - j);
            out[n] = 0;
            if (above == below) continue;
            volatile double span = above - below, w = before[n - 1] / span;
            volatile double up = above - x, down = x - below, part = w * up,
                            sum = out[n - 1] + part;
            out[n - 1] = sum;
            part = w * down;
            out[n] = part;
        }
    }
}

static inline double reference_spline(const uint64_t *table, uint64_t j, double x, uint32_t *seen)
{
    uint64_t k = table[0], b = table[1], mode = table[2] & QN_SPLINE_MODE;
    uint64_t n = b - 1 + (mode == QN_SPLINE_PERIODIC ? 0 : k), t = QN_SPLINE_HEAD + k;
    double first = reference_word(table, t), last = reference_word(table, t + b - 1);
    double basis[QN_SPLINE_DEGREE + 1];
    if (isnan(x)) return 0;
    if (mode == QN_SPLINE_PERIODIC) {
        volatile double period = last - first, from = x - first;
        volatile double in = period > 0 ? first + reference_modulo(from, period) : 0;
        x = in;
    }
    int inside = x >= first && x <= last;
    if (mode == QN_SPLINE_ERROR && !inside) {
        if (seen != NULL) *seen |= QN_SEEN_UNKNOWN;
        return 0;
    }
    if ((mode == QN_SPLINE_CONSTANT || mode == QN_SPLINE_LINEAR) && !inside) {
        uint64_t ends = t + b + k, some = mode == QN_SPLINE_LINEAR && k < 2 ? k + 1 : k;
        int above = x > last;
        if (!above && !(x < first)) return 0;
        if (above ? j + some < n : j >= some) return 0;
        volatile double y = reference_word(table, ends + (above ? n : 0) + j);
        if (mode == QN_SPLINE_CONSTANT) return y;
        volatile double far_off = x - (above ? last : first);
        volatile double rise = far_off * reference_word(table, ends + (above ? 3 : 2) * n + j);
        return y + rise;
    }
    uint64_t at = reference_stretch(table, x);
    reference_basis(table, at, x, basis);
    volatile double y = 0;
    int plain = (table[2] & QN_SPLINE_SAFE) && inside;
    for (uint64_t i = 0; i <= k; i++) {
        int here = at + i == j || (mode == QN_SPLINE_PERIODIC && at + i == j + n);
        volatile double part = here ? basis[i] : plain ? 0 : 0 * basis[i];
        y = y + part;
    }
    return y;
}

#endif
