/* SPDX-License-Identifier: Apache-2.0
 * Moments of one block of weighted rows; part of moments_body.h, compiled with it. Vectors run over the
 * positions of a period; the sums come and go, which the nearest cache bears: a row's weight is known only
 * when the row is. */

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

/* The values of `a` where v is not NaN and w not 0, else +0, which adds nothing. */
#if QN_LEVEL == 2
#define SET1(a) _mm512_set1_pd(a)
#define MUL(a, b) _mm512_mul_pd(a, b)
#define MASK(v, w)                                                                                 \
    __mmask8 mask = _mm512_cmp_pd_mask(v, v, _CMP_ORD_Q) &                                         \
                    _mm512_cmp_pd_mask(w, _mm512_setzero_pd(), _CMP_NEQ_UQ)
#define KEEP(a) _mm512_maskz_mov_pd(mask, a)
#elif QN_LEVEL == 1
#define SET1(a) _mm256_set1_pd(a)
#define MUL(a, b) _mm256_mul_pd(a, b)
#define MASK(v, w)                                                                                 \
    __m256d mask = _mm256_and_pd(_mm256_cmp_pd(v, v, _CMP_ORD_Q),                                  \
                                 _mm256_cmp_pd(w, _mm256_setzero_pd(), _CMP_NEQ_UQ))
#define KEEP(a) _mm256_and_pd(mask, a)
#else
#define SET1(a) ((FN(vec)){(a), (a)})
#define MUL(a, b) ((a) * (b))
#define MASK(v, w)                                                                                 \
    const int mask[2] = {(v)[0] == (v)[0] && (w)[0] != 0.0, (v)[1] == (v)[1] && (w)[1] != 0.0}
#define KEEP(a) ((FN(vec)){mask[0] ? (a)[0] : 0.0, mask[1] ? (a)[1] : 0.0})
#endif

/* Where the sums of a row are, one for each of its 16 d positions, and the pivots. */
struct FN(sums) {
    double *s0, *s1, *s2;
    const double *p;
};

static void FN(weigh_one)(const struct FN(sums) * b, const ELT *x, double w, size_t at)
{
    double v = (double)*x, t = v - b->p[at], g = w * t;
    if (v != v || w == 0.0) return;
    b->s0[at] += w;
    b->s1[at] += g;
    b->s2[at] = __builtin_fma(g, t, b->s2[at]);
}

/* What n neighbouring positions from `at` on add. w: a weight for each, or the same one for all. */
static inline __attribute__((always_inline)) void FN(weigh)(const struct FN(sums) * b, const ELT *x,
                                                            const double *w, const int same,
                                                            size_t at, size_t n)
{
    FN(vec) all = SET1(w[0]);
    size_t i = 0;
    for (; i + VW <= n; i += VW) {
        FN(vec) v = LOAD(x + i), each = same ? all : LOAD_DOUBLE(w + i), t, g;
        MASK(v, each);
        each = KEEP(each);
        t = SUB(v, LOAD_DOUBLE(b->p + at + i));
        t = KEEP(t);
        g = MUL(each, t);
        STORE(b->s0 + at + i, ADD(LOAD_DOUBLE(b->s0 + at + i), each));
        STORE(b->s1 + at + i, ADD(LOAD_DOUBLE(b->s1 + at + i), g));
        STORE(b->s2 + at + i, FMA(g, t, LOAD_DOUBLE(b->s2 + at + i)));
    }
    for (; i < n; i++) FN(weigh_one)(b, x + i, w[same ? 0 : i], at + i);
}
#undef MASK
#undef KEEP
#undef MUL

/* The weights of `lanes` rows, each d times: d columns wide. What a vector writes beyond its lane, the
 * next lane writes again. */
static void FN(spread)(const double *w, uint32_t lanes, size_t d, double *to)
{
    for (uint32_t l = 0; l < lanes; l++) {
        FN(vec) all = SET1(w[l]);
        for (size_t c = 0; c < d; c += VW) STORE(to + l * d + c, all);
    }
}
#undef SET1

/* The weighted sums of a block, folded. Narrow rows have their weights copied to each position of a
 * period, so that loops are long enough to be worth a vector. p: 16 d pivots, of which d are set. */
static void FN(weighted_sums)(const ELT *x, const double *w, uint32_t rows, size_t d,
                              double *restrict p, double *restrict sums)
{
    enum { NARROW = 32 };
    size_t period = QN_BLOCK_LANES * d;
    struct FN(sums) b = {sums, sums + period, sums + 2 * period, p};
    double each[QN_BLOCK_LANES * NARROW + VW];
    for (size_t f = d; f < period; f++) p[f] = p[f - d];
    memset(sums, 0, 3 * period * sizeof *sums);
    for (uint32_t i = 0; i < rows; i += QN_BLOCK_LANES, x += period) {
        uint32_t lanes = rows - i < QN_BLOCK_LANES ? rows - i : QN_BLOCK_LANES;
        if (d < NARROW) {
            FN(spread)(w + i, lanes, d, each);
            FN(weigh)(&b, x, each, 0, 0, lanes * d);
            continue;
        }
        for (uint32_t l = 0; l < lanes; l++) FN(weigh)(&b, x + l * d, w + i + l, 1, l * d, d);
    }
    for (size_t k = 0; k < 3; k++) FN(fold)(sums + k * period, d);
}

/* As moments_block, with one weight per row. */
static void FN(weighted_block)(const void *data, const double *w, uint32_t rows, size_t d,
                               double *restrict work, double *restrict out)
{
    size_t period = QN_BLOCK_LANES * d;
    double *s0 = work + period, *s1 = s0 + period, *s2 = s1 + period;
    FN(weighted_pivots)(data, w, rows, d, work);
    FN(weighted_sums)(data, w, rows, d, work, s0);
    if (FN(better_pivots)(work, s0, 0.0, s1, s2, d)) FN(weighted_sums)(data, w, rows, d, work, s0);
    FN(nodes)(work, s0, 0.0, s1, s2, d, out);
}
