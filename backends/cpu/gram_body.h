/* SPDX-License-Identifier: Apache-2.0
 * Products of columns over runs of rows, and regressions of a row. isa_each.h sets QN_SUFFIX and includes
 * this. What is summed lane by lane is summed in one order whatever the width of a vector. */
#define GRAM(name) QN_PASTE(name, QN_SUFFIX)
#define FILLED(name) QN_PASTE(name, QN_SUFFIX)
#include "backends/cpu/filled_body.h"

/* The sum of products in eight lanes, which are added as a tree. */
static double GRAM(dot)(const double *a, const double *x, uint32_t n)
{
    octet sum = {0};
    double lane[8], rest[2][8] = {{0}};
    size_t k = 0;
    for (; k + 8 <= n; k += 8) sum += OCTET(a + k) * OCTET(x + k);
    for (size_t i = 0; k + i < n; i++) {
        rest[0][i] = a[k + i];
        rest[1][i] = x[k + i];
    }
    sum += OCTET(rest[0]) * OCTET(rest[1]);
    memcpy(lane, &sum, sizeof lane);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Adds eight packed rows to the upper triangle, two of its rows at a time; a row of zeros adds nothing. */
static void GRAM(eight)(const double *p, size_t n, size_t width, double *products, double *sums)
{
    for (size_t l = 0; l < width; l += 8) {
        octet t = OCTET(sums + l);
        for (size_t i = 0; i < 8; i++) t += OCTET(p + i * width + l);
        OCTET(sums + l) = t;
    }
    for (size_t k = 0; k < n; k += 2) {
        double *g = products + k * width, *h = g + width;
        for (size_t l = k & ~(size_t)7; l < width; l += 8) {
            octet t = OCTET(g + l), u = OCTET(h + l);
            for (size_t i = 0; i < 8; i++) {
                octet x = OCTET(p + i * width + l);
                t += p[i * width + k] * x;
                u += p[i * width + k + 1] * x;
            }
            OCTET(g + l) = t;
            OCTET(h + l) = u;
        }
    }
}

static void GRAM(predict)(const struct qn_prediction *q, const uint32_t *rows, uint32_t n,
                          double *x, size_t width, double *products, double *sum)
{
    const struct qn_filled *f = q->filled;
    for (uint32_t i = 0; i < n; i++, x += width) {
        uint64_t at = stand_in(f, rows[i]);
        while (QN_STAND_IN_COLUMN(f, at) != q->target) at++;
        double old = x[q->target], now = GRAM(dot)(q->coefficients, x, f->columns) + q->intercept;
        if (now < q->least) now = q->least;
        if (now > q->most) now = q->most;
        q->changes[rows[i]] += now < old ? old - now : now - old;
        f->value[at] = x[q->target] = now;
        size_t k = 0;
        for (; k + 8 <= f->columns; k += 8) OCTET(products + k) += now * OCTET(x + k);
        for (; k < f->columns; k++) products[k] += now * x[k];
        *sum += now;
    }
}

static void GRAM(regress)(const struct qn_regressions *r, uint32_t n, const unsigned char *missing,
                          double *x)
{
    for (uint32_t s = 0; s < r->n_steps; s++) {
        uint32_t target = r->target[s];
        if (!missing[target]) continue;
        double now = GRAM(dot)(r->coefficients + (size_t)s * n, x, n) + r->intercepts[s];
        if (now < r->least) now = r->least;
        if (now > r->most) now = r->most;
        x[target] = now;
    }
}

#undef GRAM
#undef FILLED
