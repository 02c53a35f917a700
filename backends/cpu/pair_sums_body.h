/* SPDX-License-Identifier: Apache-2.0
 * Sums of a few values of two panels of lines, compiled by isa_each.h. Vectors lie along the second panel's
 * lines, and each pair has sums of its own, to which the values are added one after another: neither the width
 * of a vector nor what is computed side by side can be seen. */
#define PAIR(name) QN_PASTE(name, QN_SUFFIX)

typedef double PAIR(v) __attribute__((vector_size(QN_VECTOR_BYTES), aligned(8), may_alias));
typedef int64_t PAIR(vi) __attribute__((vector_size(QN_VECTOR_BYTES), aligned(8), may_alias));
#define V PAIR(v)
#define VI PAIR(vi)
#define LANES ((size_t)(QN_VECTOR_BYTES / sizeof(double)))
#define AT(p) (*(const V *)(p))
#define WHERE(mask, x) ((V)((mask) & (VI)(x)))
#if QN_LEVEL == 2
#define ABREAST 4 /* lines of the first panel, as many as registers last for */
#define FMA(a, b, c) ((V)_mm512_fmadd_pd((a), (b), (c)))
#elif QN_LEVEL == 1
#define ABREAST 2
#define FMA(a, b, c) ((V)_mm256_fmadd_pd((a), (b), (c)))
#else
#define ABREAST 2
#define FMA(a, b, c)                                                                               \
    ((V){__builtin_fma((a)[0], (b)[0], (c)[0]), __builtin_fma((a)[1], (b)[1], (c)[1])})
#endif

/* A few lines of the first panel with a vector's of the second: where both have a value, their differences less the
 * pairs' shifts and how many, or the products of those. `has`, `also`: all bits where a value is there. */
static inline __attribute__((always_inline)) void
PAIR(pair_tile)(const double *p, const int64_t *has, const double *q, const int64_t *also,
                size_t rows, const double *shift, const int products, double *sums)
{
    const V zero = {0}, one = zero + 1;
    V a[ABREAST], b[ABREAST], x[ABREAST], y[ABREAST], z[ABREAST];
    for (int i = 0; i < ABREAST; i++) {
        a[i] = AT(shift + i * PAIR_PANEL);
        b[i] = AT(shift + PAIR_CELLS + i * PAIR_PANEL);
        x[i] = AT(sums + i * PAIR_PANEL);
        y[i] = AT(sums + PAIR_CELLS + i * PAIR_PANEL);
        z[i] = AT(sums + 2 * PAIR_CELLS + i * PAIR_PANEL);
    }
    for (size_t r = 0; r < rows;
         r++, p += PAIR_PANEL, has += PAIR_PANEL, q += PAIR_PANEL, also += PAIR_PANEL) {
        const V v = AT(q);
        const VI there = *(const VI *)also;
        for (int i = 0; i < ABREAST; i++) {
            const VI both = there & has[i];
            const V t = WHERE(both, p[i] - a[i]), w = WHERE(both, v - b[i]);
            if (products) {
                x[i] = FMA(t, w, x[i]);
                y[i] = FMA(t, t, y[i]);
                z[i] = FMA(w, w, z[i]);
            } else {
                x[i] += t;
                y[i] += w;
                z[i] += WHERE(both, one);
            }
        }
    }
    for (int i = 0; i < ABREAST; i++) {
        *(V *)(sums + i * PAIR_PANEL) = x[i];
        *(V *)(sums + PAIR_CELLS + i * PAIR_PANEL) = y[i];
        *(V *)(sums + 2 * PAIR_CELLS + i * PAIR_PANEL) = z[i];
    }
}

static void PAIR(pair_slice)(const double *p, const int64_t *has, const double *q,
                             const int64_t *also, size_t rows, const double *shift, int products,
                             double *sums)
{
    for (size_t i = 0; i < PAIR_PANEL; i += ABREAST)
        for (size_t j = 0; j < PAIR_PANEL; j += LANES) {
            const size_t cell = i * PAIR_PANEL + j;
            if (products) PAIR(pair_tile)
            (p + i, has + i, q + j, also + j, rows, shift + cell, 1, sums + cell);
            else PAIR(pair_tile)(p + i, has + i, q + j, also + j, rows, shift + cell, 0,
                                 sums + cell);
        }
}

#undef PAIR
#undef V
#undef VI
#undef LANES
#undef AT
#undef WHERE
#undef ABREAST
#undef FMA
