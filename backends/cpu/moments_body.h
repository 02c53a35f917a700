/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments of one block of a packed row-major matrix, compiled once per instruction set and
 * element type: ELT is the element, QN_SUFFIX names the variant, QN_LEVEL says which instructions.
 *
 * Position f of a period of 16 rows is (lane f / d, column f mod d), and a period's positions are
 * contiguous in memory: so vectors run over positions whatever d is, accumulators of a few vectors
 * stay in registers over all periods of the block (a tile), and every canonical lane still sees its
 * rows in ascending order. A packed column is the matrix of one column.
 *
 * First try: no value is missing. NaN and infinity poison their column's sum, which is noticed at the
 * end, and the block is done again with a mask. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

#if QN_LEVEL == 2
#define VW 8
#define TILE 8
#define MASKED_TILE 6
typedef __m512d FN(vec);
#define LOAD_FLOAT(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define LOAD_DOUBLE(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define ZERO() _mm512_setzero_pd()
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUB(a, b) _mm512_sub_pd(a, b)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define FMS(a, b, c) _mm512_fmsub_pd(a, b, c)
#define ONES() _mm512_set1_pd(1.0)
#elif QN_LEVEL == 1
#define VW 4
#define TILE 4
#define MASKED_TILE 3
typedef __m256d FN(vec);
#define LOAD_FLOAT(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define LOAD_DOUBLE(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define ZERO() _mm256_setzero_pd()
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUB(a, b) _mm256_sub_pd(a, b)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define FMS(a, b, c) _mm256_fmsub_pd(a, b, c)
#define ONES() _mm256_set1_pd(1.0)
#else
#define VW 2
#define TILE 4
#define MASKED_TILE 3
typedef double FN(vec) __attribute__((vector_size(16)));
#define LOAD_FLOAT(p) ((FN(vec)){(double)(p)[0], (double)(p)[1]})
#define LOAD_DOUBLE(p) ((FN(vec)){(p)[0], (p)[1]})
#define STORE(p, v) ((p)[0] = (v)[0], (p)[1] = (v)[1])
#define ZERO() ((FN(vec)){0.0, 0.0})
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#if defined(__aarch64__)
#define FMA(a, b, c) vfmaq_f64(c, a, b)
#else
#define FMA(a, b, c)                                                                               \
    ((FN(vec)){__builtin_fma((a)[0], (b)[0], (c)[0]), __builtin_fma((a)[1], (b)[1], (c)[1])})
#endif
#endif

#if QN_IS_FLOAT
#define LOAD(p) LOAD_FLOAT(p)
#else
#define LOAD(p) LOAD_DOUBLE(p)
#endif

/* x - p. Widening float32 already loads the adders of some processors, whose multipliers then have
 * room: x * 1 - p, rounded once, is the same number. */
#if QN_IS_FLOAT && QN_LEVEL > 0
#define DIFFERENCE(x, p) FMS(x, ONES(), p)
#else
#define DIFFERENCE(x, p) SUB(x, p)
#endif

/* What the tiles of a block read and write. */
struct FN(block) {
    const ELT *x;
    size_t period; /* elements of 16 rows */
    uint32_t periods;
    struct walk walk;
    const double *pivot; /* per position */
    double *s1, *s2, *n;
};

#define ASK(x, vecs)                                                                               \
    do {                                                                                           \
        uintptr_t ahead_ = (uintptr_t)(x) + b->walk.ahead;                                         \
        for (uint32_t k_ = 0; k_ < ((vecs)*VW * sizeof(ELT) + 63) / 64; k_++)                      \
            __builtin_prefetch((const void *)(ahead_ + k_ * 64u), 0, 2);                           \
    } while (0)

/* t = x - p; S1 += t; S2 = fma(t, t, S2), over `vecs` vectors of positions from `at` on and the periods
 * from..to-1. */
static inline __attribute__((always_inline)) void
FN(tile)(const struct FN(block) * b, size_t at, const uint32_t vecs, uint32_t from, uint32_t to)
{
    FN(vec) s1[TILE], s2[TILE], p[TILE];
    const ELT *x = b->x + at + from * b->period;
    for (uint32_t k = 0; k < vecs; k++) {
        s1[k] = from == 0 ? ZERO() : LOAD_DOUBLE(b->s1 + at + k * VW);
        s2[k] = from == 0 ? ZERO() : LOAD_DOUBLE(b->s2 + at + k * VW);
        p[k] = LOAD_DOUBLE(b->pivot + at + k * VW);
    }
    for (uint32_t j = from; j < to; j++, x += b->period) {
        ASK(x, vecs);
        for (uint32_t k = 0; k < vecs; k++) {
            FN(vec) t = DIFFERENCE(LOAD(x + k * VW), p[k]);
            s1[k] = ADD(s1[k], t);
            s2[k] = FMA(t, t, s2[k]);
        }
    }
    for (uint32_t k = 0; k < vecs; k++) {
        STORE(b->s1 + at + k * VW, s1[k]);
        STORE(b->s2 + at + k * VW, s2[k]);
    }
}

/* The same where x is not NaN, with counts. A missing row adds +0, which changes nothing: sums that
 * start at +0 are never -0. */
static inline __attribute__((always_inline)) void FN(masked_tile)(const struct FN(block) * b,
                                                                  size_t at, const uint32_t vecs,
                                                                  uint32_t from, uint32_t to)
{
    FN(vec) s1[MASKED_TILE], s2[MASKED_TILE], p[MASKED_TILE], n[MASKED_TILE];
    const ELT *x = b->x + at + from * b->period;
    for (uint32_t k = 0; k < vecs; k++) {
        s1[k] = from == 0 ? ZERO() : LOAD_DOUBLE(b->s1 + at + k * VW);
        s2[k] = from == 0 ? ZERO() : LOAD_DOUBLE(b->s2 + at + k * VW);
        n[k] = from == 0 ? ZERO() : LOAD_DOUBLE(b->n + at + k * VW);
        p[k] = LOAD_DOUBLE(b->pivot + at + k * VW);
    }
    for (uint32_t j = from; j < to; j++, x += b->period) {
        ASK(x, vecs);
        for (uint32_t k = 0; k < vecs; k++) {
            FN(vec) v = LOAD(x + k * VW), t;
#if QN_LEVEL == 2
            __mmask8 m = _mm512_cmp_pd_mask(v, v, _CMP_ORD_Q);
            t = _mm512_maskz_sub_pd(m, v, p[k]);
            n[k] = _mm512_mask_add_pd(n[k], m, n[k], _mm512_set1_pd(1.0));
#elif QN_LEVEL == 1
            __m256d m = _mm256_cmp_pd(v, v, _CMP_ORD_Q);
            t = _mm256_and_pd(m, SUB(v, p[k]));
            n[k] = ADD(n[k], _mm256_and_pd(m, _mm256_set1_pd(1.0)));
#else
            t = SUB(v, p[k]);
            t = (FN(vec)){v[0] == v[0] ? t[0] : 0.0, v[1] == v[1] ? t[1] : 0.0};
            n[k] = ADD(n[k], ((FN(vec)){v[0] == v[0] ? 1.0 : 0.0, v[1] == v[1] ? 1.0 : 0.0}));
#endif
            s1[k] = ADD(s1[k], t);
            s2[k] = FMA(t, t, s2[k]);
        }
    }
    for (uint32_t k = 0; k < vecs; k++) {
        STORE(b->s1 + at + k * VW, s1[k]);
        STORE(b->s2 + at + k * VW, s2[k]);
        STORE(b->n + at + k * VW, n[k]);
    }
}

/* All positions: whole tiles, then what is left (a constant number of vectors per case, so that the
 * accumulators are registers). */
#define TILES(NAME, WIDTH)                                                                         \
    do {                                                                                           \
        uint32_t from_ = 0, to_;                                                                   \
        do { /* at least once: the sums of no period are zeros */                                  \
            size_t at_ = 0;                                                                        \
            to_ = from_ + b->walk.stretch < b->periods ? from_ + b->walk.stretch : b->periods;     \
            for (; at_ + WIDTH * VW < b->period; at_ += WIDTH * VW)                                \
                FN(NAME)(b, at_, WIDTH, from_, to_);                                               \
            switch ((b->period - at_) / VW) {                                                      \
                TILE_CASES(NAME, WIDTH)                                                            \
            default: break;                                                                        \
            }                                                                                      \
            from_ = to_;                                                                           \
        } while (from_ < b->periods);                                                              \
    } while (0)
#define TILE_CASE(NAME, K, WIDTH)                                                                  \
    case K:                                                                                        \
        FN(NAME)(b, at_, K <= WIDTH ? K : WIDTH, from_, to_);                                      \
        break;
#define TILE_CASES_3(NAME, WIDTH)                                                                  \
    TILE_CASE(NAME, 1, WIDTH) TILE_CASE(NAME, 2, WIDTH) TILE_CASE(NAME, 3, WIDTH)

static __attribute__((noinline)) void FN(tiles)(const struct FN(block) * b)
{
#if TILE == 8
#define TILE_CASES(NAME, WIDTH)                                                                    \
    TILE_CASES_3(NAME, WIDTH)                                                                      \
    TILE_CASE(NAME, 4, WIDTH)                                                                      \
    TILE_CASE(NAME, 5, WIDTH)                                                                      \
    TILE_CASE(NAME, 6, WIDTH) TILE_CASE(NAME, 7, WIDTH) TILE_CASE(NAME, 8, WIDTH)
#else
#define TILE_CASES(NAME, WIDTH) TILE_CASES_3(NAME, WIDTH) TILE_CASE(NAME, 4, WIDTH)
#endif
    TILES(tile, TILE); /* NOLINT(bugprone-branch-clone): the widest case's ?: has equal sides */
#undef TILE_CASES
}

static __attribute__((noinline)) void FN(masked_tiles)(const struct FN(block) * b)
{
#if MASKED_TILE == 6
#define TILE_CASES(NAME, WIDTH)                                                                    \
    TILE_CASES_3(NAME, WIDTH)                                                                      \
    TILE_CASE(NAME, 4, WIDTH) TILE_CASE(NAME, 5, WIDTH) TILE_CASE(NAME, 6, WIDTH)
#else
#define TILE_CASES(NAME, WIDTH) TILE_CASES_3(NAME, WIDTH)
#endif
    TILES(masked_tile, MASKED_TILE); /* NOLINT(bugprone-branch-clone): as above */
#undef TILE_CASES
}

/* Rows that fill no whole period, one position at a time. */
static void FN(rest)(const struct FN(block) * b, size_t elements, int masked)
{
    const ELT *x = b->x + b->period * b->periods;
    for (size_t i = 0; i < elements; i++) {
        double v = (double)x[i];
        if (masked && v != v) continue;
        double t = v - b->pivot[i];
        b->s1[i] += t;
        b->s2[i] = __builtin_fma(t, t, b->s2[i]);
        if (masked) b->n[i] += 1.0;
    }
}

/* The lanes' tree: position i and its partner h lanes further on. */
static void FN(fold)(double *restrict a, size_t d)
{
    for (size_t h = QN_BLOCK_LANES / 2; h > 0; h /= 2) {
        size_t w = h * d;
        for (size_t i = 0; i < w; i++) a[i] += a[i + w];
    }
}

static void FN(pivots)(const ELT *x, uint32_t rows, size_t d, double *restrict pivot)
{
    for (size_t c = 0; c < d; c++) {
        double p = (double)x[c];
        for (uint32_t i = 1; i < rows && p != p; i++) p = (double)x[i * d + c];
        pivot[c] = p == p ? p : 0.0;
    }
}

/* Each pivot, or the mean where that is much better (qn_node_pivot of the kernels); whether any moved.
 * n: a count per column, or NULL for `rows` each. */
static int FN(better_pivots)(double *restrict p, const double *n, double rows, const double *s1,
                             const double *s2, size_t d)
{
    double moved = 0.0;
    for (size_t c = 0; c < d; c++) {
        double count = n != NULL ? n[c] : rows, m = count == 0.0 ? 0.0 : s1[c] / count;
        double q = __builtin_fma(-m, s1[c], s2[c]), mean = p[c] + m;
        double kept = q > 0.0 ? q : 0.0, better = m * s1[c] > 64.0 * kept ? mean : p[c];
        better = mean - mean == 0.0 ? better : p[c];
        moved += better != p[c] ? 1.0 : 0.0;
        p[c] = better;
    }
    return moved != 0.0;
}

/* d nodes from sums about the pivots p, stored by field: n, hi, lo, m2. */
static void FN(nodes)(const double *p, const double *n, double rows, const double *s1,
                      const double *s2, size_t d, double *restrict out)
{
    for (size_t c = 0; c < d; c++) {
        double count = n != NULL ? n[c] : rows, m = count == 0.0 ? 0.0 : s1[c] / count;
        double hi = p[c] + m, z = hi - p[c], q = __builtin_fma(-m, s1[c], s2[c]);
        out[c] = count;
        out[d + c] = count == 0.0 ? 0.0 : hi;
        out[2 * d + c] = count == 0.0 ? 0.0 : (p[c] - (hi - z)) + (m - z);
        out[3 * d + c] = count == 0.0 ? 0.0 : q > 0.0 ? q : 0.0;
    }
}

/* The sums of a block, folded, about the pivots of work[0..d-1]. Whether they hold: what is summed as
 * if nothing were missing does not when something is. */
static int FN(block_sums)(struct FN(block) * b, size_t d, size_t left, int masked, double *pivot)
{
    double odd = 0.0;
    for (size_t f = d; f < b->period; f++) pivot[f] = pivot[f - d];
    b->walk = masked ? walk(b->period, sizeof(ELT), MASKED_TILE * VW, MASKED_BYTES)
                     : walk(b->period, sizeof(ELT), TILE * VW, STRETCH_BYTES);
    if (masked)
        FN(masked_tiles)(b);
    else
        FN(tiles)(b);
    FN(rest)(b, left, masked);
    FN(fold)(b->s1, d);
    for (size_t c = 0; !masked && c < d; c++) odd += b->s1[c] * 0.0;
    if (odd != odd) return 0;
    FN(fold)(b->s2, d);
    if (masked) FN(fold)(b->n, d);
    return 1;
}

/* One block of `rows` packed rows of d columns -> d nodes, stored by field: n, hi, lo, m2. work has
 * room for 64 d doubles. *masked says how to begin, and is left for the next block. */
static void FN(moments_block)(const void *data, uint32_t rows, size_t d, double *restrict work,
                              double *restrict out, int *masked)
{
    size_t period = QN_BLOCK_LANES * d, left = (rows % QN_BLOCK_LANES) * d;
    struct FN(block) b = {.x = data,
                          .period = period,
                          .periods = rows / QN_BLOCK_LANES,
                          .pivot = work,
                          .s1 = work + period,
                          .s2 = work + 2 * period,
                          .n = work + 3 * period};
    int some = *masked; /* may be missing */
    FN(pivots)(b.x, rows, d, work);
    if (!FN(block_sums)(&b, d, left, some, work)) {
        some = 1;
        (void)FN(block_sums)(&b, d, left, some, work);
    }
    const double *n = some ? b.n : NULL;
    if (some) {
        double all = 0.0;
        for (size_t c = 0; c < d; c++) all += b.n[c];
        *masked = all != (double)rows * (double)d;
    }
    /* columns that keep their pivot get the same sums */
    if (FN(better_pivots)(work, n, (double)rows, b.s1, b.s2, d))
        (void)FN(block_sums)(&b, d, left, some, work);
    FN(nodes)(work, n, (double)rows, b.s1, b.s2, d, out);
}

#include "backends/cpu/moments_weighted_body.h"

#include "backends/cpu/moments_class_body.h"

#include "backends/cpu/moments_pair_body.h"

#if QN_IS_FLOAT
/* a <- merge(a, b), d columns each, fields apart; the branch-free form of qn_node_merge. */
static void FN(moments_merge)(double *restrict a, const double *restrict b, size_t d)
{
    for (size_t c = 0; c < d; c++) {
        double an = a[c], ahi = a[d + c], alo = a[2 * d + c], am2 = a[3 * d + c];
        double bn = b[c], bhi = b[d + c], blo = b[2 * d + c], bm2 = b[3 * d + c];
        double n = an + bn, r = bn / (n == 0.0 ? 1.0 : n), delta = (bhi - ahi) + (blo - alo);
        double s = __builtin_fma(delta, r, alo), hi = ahi + s, z = hi - ahi;
        double lo = (ahi - (hi - z)) + (s - z);
        double m2 = __builtin_fma(delta * delta, an * r, am2 + bm2);
        a[c] = n;
        a[d + c] = bn == 0.0 ? ahi : an == 0.0 ? bhi : hi;
        a[2 * d + c] = bn == 0.0 ? alo : an == 0.0 ? blo : lo;
        a[3 * d + c] = bn == 0.0 ? am2 : an == 0.0 ? bm2 : m2;
    }
}
#endif

#undef FN
#undef VW
#undef TILE
#undef MASKED_TILE
#undef LOAD_FLOAT
#undef LOAD_DOUBLE
#undef LOAD
#undef STORE
#undef ZERO
#undef ADD
#undef SUB
#undef FMA
#undef FMS
#undef ONES
#undef DIFFERENCE
#undef ASK
#undef TILES
#undef TILE_CASE
#undef TILE_CASES_3
