/* SPDX-License-Identifier: Apache-2.0
 * The loops of select.c, compiled once per instruction set (QN_LEVEL) and element type (ELT, KEY;
 * QN_IS_FLOAT), named by QN_SUFFIX. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

/* V: a vector of VN elements. LT, LE: masks of x < y, x <= y (false for NaN). PACK: the elements of a
 * mask at `to` (a whole vector is written). */
#if QN_LEVEL == 2 && QN_IS_FLOAT
#define VN 16
#define V __m512
#define MASK uint32_t
#define LOAD(p) _mm512_loadu_ps(p)
#define ALL(x) _mm512_set1_ps(x)
#define LT(x, y) ((uint32_t)_mm512_cmp_ps_mask(x, y, _CMP_LT_OQ))
#define LE(x, y) ((uint32_t)_mm512_cmp_ps_mask(x, y, _CMP_LE_OQ))
#define PACK(to, m, x) _mm512_storeu_ps(to, _mm512_maskz_compress_ps((__mmask16)(m), x))
#elif QN_LEVEL == 2
#define VN 8
#define V __m512d
#define MASK uint32_t
#define LOAD(p) _mm512_loadu_pd(p)
#define ALL(x) _mm512_set1_pd(x)
#define LT(x, y) ((uint32_t)_mm512_cmp_pd_mask(x, y, _CMP_LT_OQ))
#define LE(x, y) ((uint32_t)_mm512_cmp_pd_mask(x, y, _CMP_LE_OQ))
#define PACK(to, m, x) _mm512_storeu_pd(to, _mm512_maskz_compress_pd((__mmask8)(m), x))
#elif QN_LEVEL == 1 && QN_IS_FLOAT
#define VN 8
#define V __m256
#define MASK uint32_t
#define LOAD(p) _mm256_loadu_ps(p)
#define ALL(x) _mm256_set1_ps(x)
#define LT(x, y) ((uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_LT_OQ)))
#define LE(x, y) ((uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_LE_OQ)))
#define PACK(to, m, x) _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(x, FN(places)(m)))
/* For mask m, the numbers of its bits in order, three bits each: pdep and pext spread and pick them. */
static inline __m256i FN(places)(uint32_t m)
{
    uint64_t bytes = _pdep_u64(m, 0x0101010101010101u) * 0xffu;
    uint64_t picked = _pext_u64(0x0706050403020100u, bytes);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)picked));
}
#elif QN_LEVEL == 1
#define VN 4
#define V __m256d
#define MASK uint32_t
#define LOAD(p) _mm256_loadu_pd(p)
#define ALL(x) _mm256_set1_pd(x)
#define LT(x, y) ((uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(x, y, _CMP_LT_OQ)))
#define LE(x, y) ((uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(x, y, _CMP_LE_OQ)))
#define PACK(to, m, x)                                                                             \
    _mm256_storeu_pd(                                                                              \
        to, _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(x), FN(places)(m))))
static inline __m256i FN(places)(uint32_t m)
{
    uint64_t bytes = _pdep_u64(m, 0x0001000100010001u) * 0xffffu;
    uint64_t picked = _pext_u64(0x0706050403020100u, bytes);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)picked));
}
#else
#define VN 1
#define V ELT
#define MASK uint32_t
#define LOAD(p) (*(p))
#define ALL(x) (x)
#define LT(x, y) ((uint32_t)((x) < (y)))
#define LE(x, y) ((uint32_t)((x) <= (y)))
#define PACK(to, m, x) (*(to) = (x))
#endif
#if QN_LEVEL > 0
#define COUNT(m) ((uint32_t)__builtin_popcount(m))
#else
#define COUNT(m) (m)
#endif

/* n values against `many` brackets: counts, and the values inside any bracket to `out`. The rest of
 * the last vector is filled up with NaN, which is in nothing. */
static inline __attribute__((always_inline)) size_t
FN(sift_some)(const ELT *x, size_t n, const struct bracket *brackets, const uint32_t many,
              const int ties, ELT *out, struct tally *tallies)
{
    V low[MAX_BRACKETS], high[MAX_BRACKETS];
    uint32_t c0[MAX_BRACKETS] = {0}, c1[MAX_BRACKETS] = {0}, c2[MAX_BRACKETS] = {0},
             c3[MAX_BRACKETS] = {0};
    size_t k = 0;
    ELT tail[VN];
    for (uint32_t j = 0; j < many; j++) {
        low[j] = ALL((ELT)brackets[j].low);
        high[j] = ALL((ELT)brackets[j].high);
    }
    for (size_t i = 0; i < n; i += VN) {
        const ELT *p = x + i;
        if (VN > 1 && n - i < VN) {
            for (size_t t = 0; t < VN; t++) tail[t] = t < n - i ? p[t] : (ELT)NAN;
            p = tail;
        }
        V v = LOAD(p);
        MASK in = 0;
        for (uint32_t j = 0; j < many; j++) {
            MASK lt_low = LT(v, low[j]), le_high = LE(v, high[j]);
            c0[j] += COUNT(lt_low);
            if (ties) {
                MASK le_low = LE(v, low[j]), lt_high = LT(v, high[j]);
                c1[j] += COUNT(le_low);
                c2[j] += COUNT(lt_high);
                in |= lt_high & ~le_low;
            } else {
                in |= le_high & ~lt_low;
            }
            c3[j] += COUNT(le_high);
        }
        PACK(out + k, in, v);
        k += COUNT(in);
    }
    for (uint32_t j = 0; j < many; j++) {
        tallies[j].lt_low += c0[j];
        tallies[j].le_low += c1[j];
        tallies[j].lt_high += c2[j];
        tallies[j].le_high += c3[j];
    }
    return k;
}

static size_t FN(sift)(const void *data, size_t n, const struct bracket *brackets, uint32_t many,
                       int ties, void *to, struct tally *tallies)
{
    const ELT *x = data;
    ELT *out = to;
    switch (many * 2 + (ties ? 1u : 0u)) {
    case 2: return FN(sift_some)(x, n, brackets, 1, 0, out, tallies);
    case 3: return FN(sift_some)(x, n, brackets, 1, 1, out, tallies);
    case 4: return FN(sift_some)(x, n, brackets, 2, 0, out, tallies);
    case 5: return FN(sift_some)(x, n, brackets, 2, 1, out, tallies);
    case 6: return FN(sift_some)(x, n, brackets, 3, 0, out, tallies);
    case 7: return FN(sift_some)(x, n, brackets, 3, 1, out, tallies);
    case 8: return FN(sift_some)(x, n, brackets, 4, 0, out, tallies);
    case 9: return FN(sift_some)(x, n, brackets, 4, 1, out, tallies);
    default: return FN(sift_some)(x, n, brackets, many, 1, out, tallies);
    }
}

/* The keys of those of n values that are inside one bracket. */
static size_t FN(extract)(const void *data, size_t n, const struct bracket *b, int ties, void *to)
{
    const ELT *x = data;
    KEY *out = to;
    ELT low = (ELT)b->low, high = (ELT)b->high;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        out[k] = KEY_OF(x[i]);
        k += ties ? (x[i] > low) & (x[i] < high) : (x[i] >= low) & (x[i] <= high);
    }
    return k;
}

#undef FN
#undef VN
#undef V
#undef MASK
#undef LOAD
#undef ALL
#undef LT
#undef LE
#undef PACK
#undef COUNT
