/* SPDX-License-Identifier: Apache-2.0
 * The reference of curves of powers, written from docs/numbers.md alone; only the functions of one value are
 * the library's (tests/unit/reference_functions.h). */
#ifndef QN_TEST_REFERENCE_POWERS_H
#define QN_TEST_REFERENCE_POWERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/functions.h"
#include "kernels/powers.h"
#include "kernels/rows.h"
#include "tests/unit/reference.h"

enum { REF_TERMS = QN_POWERS_TERMS, REF_SUMS = 1 + 2 * QN_POWERS_TERMS };

/* s, then a_0 … a_6. */
static inline void ref_powers_terms(double x, const struct qn_powers_at *at, double *out)
{
    double log_ = at->box_cox != 0 ? qn_log(x) : copysign(qn_log1p(fabs(x)), x);
    double s = (log_ - at->shift) * at->scale;
    double r = s < 0 ? at->down : at->up, inverse = s < 0 ? at->down_inverse : at->up_inverse;
    double e = qn_exp(s * r);
    out[0] = s;
    out[1] = (e - 1) * inverse;
    for (int k = 1; k < REF_TERMS; k++) {
        e = e * s;
        e = e * (1.0 / k);
        out[1 + k] = (e - out[k]) * inverse;
    }
}

/* Coefficient k of the square, added to sum. */
static inline double ref_powers_square(const double *a, int k, double sum)
{
    for (int i = k / 2; i >= 0; i--) sum = fma(2 * i == k ? a[i] : 2 * a[i], a[k - i], sum);
    return sum;
}

static inline struct qn_powers_node ref_powers_block(const double *x, uint32_t n,
                                                     const struct qn_powers_at *at)
{
    struct qn_powers_node r = {0};
    double pivot[1 + REF_TERMS] = {0}, t[1 + REF_TERMS], lanes[QN_BLOCK_LANES][REF_SUMS] = {{0}};
    for (uint32_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        double *to = lanes[i % QN_BLOCK_LANES];
        ref_powers_terms(x[i], at, t);
        if (r.n == 0) memcpy(pivot, t, sizeof pivot);
        r.n += 1;
        for (int k = 0; k <= REF_TERMS; k++) to[k] += t[k] -= pivot[k];
        for (int k = 0; k < REF_TERMS; k++)
            to[1 + REF_TERMS + k] = ref_powers_square(t + 1, k, to[1 + REF_TERMS + k]);
    }
    if (r.n == 0) return r;
    for (uint32_t h = QN_BLOCK_LANES / 2; h > 0; h /= 2)
        for (uint32_t l = 0; l < h; l++)
            for (int k = 0; k < REF_SUMS; k++) lanes[l][k] += lanes[l + h][k];
    double m[1 + REF_TERMS];
    for (int k = 0; k <= REF_TERMS; k++) m[k] = lanes[0][k] / r.n;
    r.log_ = pivot[0] + m[0];
    for (int k = 0; k < REF_TERMS; k++) {
        r.mean[k] = pivot[1 + k] + m[1 + k];
        r.part[k] = fma(ref_powers_square(m + 1, k, 0), -r.n, lanes[0][1 + REF_TERMS + k]);
    }
    if (r.part[0] < 0) r.part[0] = 0;
    return r;
}

static inline struct qn_powers_node ref_powers_merge(struct qn_powers_node a,
                                                     struct qn_powers_node b)
{
    struct qn_powers_node r;
    double d[REF_TERMS];
    if (b.n == 0) return a;
    if (a.n == 0) return b;
    r.n = a.n + b.n;
    double share = b.n / r.n;
    r.log_ = fma(b.log_ - a.log_, share, a.log_);
    for (int k = 0; k < REF_TERMS; k++) {
        d[k] = b.mean[k] - a.mean[k];
        r.mean[k] = fma(d[k], share, a.mean[k]);
    }
    for (int k = 0; k < REF_TERMS; k++)
        r.part[k] = fma(ref_powers_square(d, k, 0), a.n * share, a.part[k] + b.part[k]);
    return r;
}

/* The subtree of `blocks` (a power of two) blocks; absent blocks have no node. */
static inline struct qn_powers_node ref_powers_tree(const double *x, uint64_t n, uint64_t blocks,
                                                    const struct qn_powers_at *at)
{
    if (blocks == 1)
        return ref_powers_block(x, n < QN_BLOCK_ROWS ? (uint32_t)n : QN_BLOCK_ROWS, at);
    uint64_t half = blocks / 2 * QN_BLOCK_ROWS;
    if (n <= half) return ref_powers_tree(x, n, blocks / 2, at);
    return ref_powers_merge(ref_powers_tree(x, half, blocks / 2, at),
                            ref_powers_tree(x + half, n - half, blocks / 2, at));
}

static inline struct qn_powers_node ref_powers(const double *x, uint64_t n,
                                               const struct qn_powers_at *at)
{
    uint64_t blocks = 1;
    while (blocks * QN_BLOCK_ROWS < n) blocks *= 2;
    return ref_powers_tree(x, n, blocks, at);
}

static inline int ref_same_powers(const struct qn_powers_node *a, const struct qn_powers_node *b)
{
    int same = ref_same_bits(a->n, b->n) && ref_same_bits(a->log_, b->log_);
    for (int k = 0; k < REF_TERMS; k++)
        same &= ref_same_bits(a->mean[k], b->mean[k]) && ref_same_bits(a->part[k], b->part[k]);
    return same;
}

/* Places as a search asks for them, one per lane: both transforms, exponents of any sign and size. */
static inline struct qn_powers_at ref_powers_place(uint32_t lane)
{
    static const double exponents[][2] = {
        {1.5, 0.75}, {0.03125, -0.03125}, {-2, -2}, {0.25, -3.5}, {-0.0625, -6},
        {9, 9},      {0.125, 0.0625},     {30, 0.5}};
    const double *r = exponents[lane % 8];
    return (struct qn_powers_at){.box_cox = lane % 3 == 2,
                                 .shift = lane % 3 == 2 ? 0.375 : 0,
                                 .scale = 1 / (1.0 + lane % 5),
                                 .up = r[0],
                                 .down = r[1],
                                 .up_inverse = 1 / r[0],
                                 .down_inverse = 1 / r[1]};
}

#endif
