/* SPDX-License-Identifier: Apache-2.0
 * Moments of one block of weighted rows; part of moments_body.h, compiled with it. Plain loops over
 * positions, which the compiler makes vectors of: the sums of a row stay in the nearest cache. */

/* The first of the heaviest rows in which column c is not missing; `rows` if there is none. */
static uint32_t FN(heaviest)(const ELT *x, const double *w, uint32_t rows, size_t d, size_t c)
{
    uint32_t at = rows;
    double most = 0.0;
    for (uint32_t i = 0; i < rows; i++) {
        double v = (double)x[i * d + c];
        if (!(w[i] > most) || v != v) continue;
        most = w[i];
        at = i;
    }
    return at;
}

static void FN(weighted_pivots)(const ELT *x, const double *w, uint32_t rows, size_t d,
                                double *restrict pivot)
{
    uint32_t common = 0; /* of columns that are not missing there: all, mostly */
    for (uint32_t i = 1; i < rows; i++)
        if (w[i] > w[common]) common = i;
    for (size_t c = 0; c < d; c++) {
        double p = (double)x[common * d + c];
        if (p != p || w[common] == 0.0) {
            uint32_t at = FN(heaviest)(x, w, rows, d, c);
            p = at < rows ? (double)x[at * d + c] : 0.0;
        }
        pivot[c] = p;
    }
}

/* What `n` neighbouring positions add: one weight each, or the same one for all. */
#define WEIGH(WEIGHT)                                                                              \
    for (size_t i = 0; i < n; i++) {                                                               \
        double v = (double)x[i], each = (WEIGHT), t = v - p[i], g;                                 \
        int ok = (v == v) & (each != 0.0);                                                         \
        each = ok ? each : 0.0;                                                                    \
        t = ok ? t : 0.0;                                                                          \
        g = each * t;                                                                              \
        s0[i] += each;                                                                             \
        s1[i] += g;                                                                                \
        s2[i] = __builtin_fma(g, t, s2[i]);                                                        \
    }
static void FN(weigh_each)(const ELT *restrict x, const double *restrict w,
                           const double *restrict p, double *restrict s0, double *restrict s1,
                           double *restrict s2, size_t n)
{
    WEIGH(w[i])
}
static void FN(weigh_all)(const ELT *restrict x, double w, const double *restrict p,
                          double *restrict s0, double *restrict s1, double *restrict s2, size_t n)
{
    WEIGH(w)
}
#undef WEIGH

/* As moments_block, with one weight per row. Narrow rows have their weights copied to each position
 * of a period, so that loops are long enough to be worth a vector. */
static void FN(weighted_block)(const void *data, const double *w, uint32_t rows, size_t d,
                               double *restrict work, double *restrict out)
{
    enum { NARROW = 16 };
    size_t period = QN_BLOCK_LANES * d;
    const ELT *x = data;
    double *p = work, *s0 = work + period, *s1 = s0 + period, *s2 = s1 + period;
    double spread[QN_BLOCK_LANES * NARROW];
    FN(weighted_pivots)(x, w, rows, d, p);
    memset(s0, 0, 3 * period * sizeof *s0);
    for (uint32_t i = 0; i < rows; i += QN_BLOCK_LANES, x += period) {
        uint32_t lanes = rows - i < QN_BLOCK_LANES ? rows - i : QN_BLOCK_LANES;
        for (uint32_t l = 0; l < lanes && d < NARROW; l++)
            for (size_t c = 0; c < d; c++) spread[l * d + c] = w[i + l];
        if (i == 0)
            for (size_t f = d; f < period; f++) p[f] = p[f - d];
        if (d < NARROW) {
            FN(weigh_each)(x, spread, p, s0, s1, s2, lanes * d);
            continue;
        }
        for (uint32_t l = 0; l < lanes; l++)
            FN(weigh_all)(x + l * d, w[i + l], p, s0 + l * d, s1 + l * d, s2 + l * d, d);
    }
    FN(fold)(s0, d);
    FN(fold)(s1, d);
    FN(fold)(s2, d);
    for (size_t c = 0; c < d; c++) {
        double n = s0[c], m = n == 0.0 ? 0.0 : s1[c] / n;
        double hi = p[c] + m, z = hi - p[c], q = __builtin_fma(-m, s1[c], s2[c]);
        out[c] = n;
        out[d + c] = n == 0.0 ? 0.0 : hi;
        out[2 * d + c] = n == 0.0 ? 0.0 : (p[c] - (hi - z)) + (m - z);
        out[3 * d + c] = n == 0.0 ? 0.0 : q > 0.0 ? q : 0.0;
    }
}
