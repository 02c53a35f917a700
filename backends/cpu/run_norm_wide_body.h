/* SPDX-License-Identifier: Apache-2.0
 * Norms and quotients of a matrix's rows. run_norm_wide.c sets QN_SUFFIX, QN_LEVEL, NORM_F64 and includes
 * this.
 *
 * Four rows are summed at a time, in kernels/norm.h's order, so that their chains of additions overlap;
 * some fours are a group. Then the group's values are divided, whole cache lines of the output after one
 * another, whichever rows they belong to: a line is written once, from registers. (Written to memory and
 * read back, a line would wait for all stores before it, and those past the caches are slow.) What does
 * not fill a line waits for the next group. */
#if NORM_F64
#define T double
#define NORM(name) QN_PASTE(name##_f64, QN_SUFFIX)
#define NORM_FABS(x) __builtin_fabs(x)
#define NORM_TINY QN_NORM_TINY_F64
#define NORM_CANON(x) qn_store_f64(x)
#define SMALL SMALL_F64
#define LARGE LARGE_F64
typedef __m256d NORM(quad); /* of four rows */
#define Q(op) _mm256_##op##_pd
#else
#define T float
#define NORM(name) QN_PASTE(name##_f32, QN_SUFFIX)
#define NORM_FABS(x) __builtin_fabsf(x)
#define NORM_TINY QN_NORM_TINY_F32
#define NORM_CANON(x) qn_store_f32(x)
#define SMALL SMALL_F32
#define LARGE LARGE_F32
typedef __m128 NORM(quad);
#define Q(op) _mm_##op##_ps
#endif

/* ---- norms of four rows ---- */

#if NORM_F64
#define V(op) _mm_##op##_pd
#define LANES 2u
#define REST(p, n) _mm_load_sd(p)
#else
#define V(op) _mm_##op##_ps
#define LANES 4u
#define REST(p, n)                                                                                 \
    _mm_maskload_ps(p, _mm_loadu_si128((const __m128i *)(const void *)(first_32 + 8 - (n))))
#endif
#define SQUARES(at)                                                                                \
    for (int k = 0; k < QUAD; k++) {                                                               \
        __typeof__(s[0]) v_ = V(loadu)(x[k] + (at));                                               \
        s[k] = V(add)(s[k], V(mul)(v_, v_));                                                       \
    }

static inline NORM(quad) NORM(squares)(const T *const *x, size_t d)
{
    __typeof__(V(setzero)()) s[QUAD] = {V(setzero)(), V(setzero)(), V(setzero)(), V(setzero)()};
    size_t i = 0;
    for (; i + 4 * LANES <= d; i += 4 * LANES) {
        SQUARES(i + 3 * LANES)
        SQUARES(i + 2 * LANES)
        SQUARES(i + LANES)
        SQUARES(i)
    }
    for (; i + LANES <= d; i += LANES) SQUARES(i)
    for (int k = 0; i < d && k < QUAD; k++) {
        __typeof__(s[0]) v = REST(x[k] + i, d - i);
        s[k] = V(add)(s[k], V(mul)(v, v));
    }
#if NORM_F64
    return _mm256_set_m128d(_mm_hadd_pd(s[2], s[3]), _mm_hadd_pd(s[0], s[1]));
#else
    return _mm_hadd_ps(_mm_hadd_ps(s[0], s[1]), _mm_hadd_ps(s[2], s[3]));
#endif
}
#undef V
#undef LANES
#undef REST
#undef SQUARES

/* Eight sums of a row, folded as kernels/norm.h folds them. */
#if NORM_F64
static inline NORM(quad) NORM(eights)(const T *const *x, size_t body)
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    __m256d lo[QUAD], hi[QUAD];
    for (int k = 0; k < QUAD; k++) lo[k] = hi[k] = _mm256_setzero_pd();
    for (size_t i = 0; i < body; i += 8)
        for (int k = 0; k < QUAD; k++) {
            lo[k] = _mm256_add_pd(lo[k], _mm256_andnot_pd(sign, _mm256_loadu_pd(x[k] + i)));
            hi[k] = _mm256_add_pd(hi[k], _mm256_andnot_pd(sign, _mm256_loadu_pd(x[k] + i + 4)));
        }
    for (int k = 0; k < QUAD; k++) lo[k] = _mm256_hadd_pd(lo[k], hi[k]); /* 01 45 23 67 */
    for (int k = 0; k < QUAD; k += 2)
        lo[k] = _mm256_add_pd(_mm256_permute2f128_pd(lo[k], lo[k + 1], 0x20),
                              _mm256_permute2f128_pd(lo[k], lo[k + 1], 0x31));
    return _mm256_permute4x64_pd(_mm256_hadd_pd(lo[0], lo[2]), 0xd8); /* rows 0 2 1 3 */
}
#else
static inline NORM(quad) NORM(eights)(const T *const *x, size_t body)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 s[QUAD];
    __m128 t[QUAD];
    for (int k = 0; k < QUAD; k++) s[k] = _mm256_setzero_ps();
    for (size_t i = 0; i < body; i += 8)
        for (int k = 0; k < QUAD; k++)
            s[k] = _mm256_add_ps(s[k], _mm256_andnot_ps(sign, _mm256_loadu_ps(x[k] + i)));
    for (int k = 0; k < QUAD; k++)
        t[k] = _mm_hadd_ps(_mm256_castps256_ps128(s[k]), _mm256_extractf128_ps(s[k], 1));
    return _mm_hadd_ps(_mm_hadd_ps(t[0], t[1]), _mm_hadd_ps(t[2], t[3]));
}
#endif

static NORM(quad) NORM(magnitudes)(const T *const *x, size_t d)
{
    if (d > QN_NORM_LEAF) {
        size_t left = qn_norm_split((qn_u32)d);
        const T *right[QUAD] = {x[0] + left, x[1] + left, x[2] + left, x[3] + left};
        return Q(add)(NORM(magnitudes)(x, left), NORM(magnitudes)(right, d - left));
    }
    size_t body = d - d % 8;
    NORM(quad) sum = NORM(eights)(x, body);
    for (size_t i = body; i < d; i++)
        sum = Q(add)(sum, Q(setr)(NORM_FABS(x[0][i]), NORM_FABS(x[1][i]), NORM_FABS(x[2][i]),
                                  NORM_FABS(x[3][i])));
    return sum;
}

/* Magnitudes as integers keep their order, and a NaN is above them all. */
#if NORM_F64
static inline __m256d NORM(larger)(__m256d a, __m256d b)
{
    __m256i above = _mm256_cmpgt_epi64(_mm256_castpd_si256(b), _mm256_castpd_si256(a));
    return _mm256_blendv_pd(a, b, _mm256_castsi256_pd(above));
}

static inline NORM(quad) NORM(maxima)(const T *const *x, size_t d)
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    __m256d m[QUAD];
    size_t i = 0;
    for (int k = 0; k < QUAD; k++) m[k] = _mm256_setzero_pd();
    for (; i + 4 <= d; i += 4)
        for (int k = 0; k < QUAD; k++)
            m[k] = NORM(larger)(m[k], _mm256_andnot_pd(sign, _mm256_loadu_pd(x[k] + i)));
    __m256d ab = NORM(larger)(_mm256_unpacklo_pd(m[0], m[1]), _mm256_unpackhi_pd(m[0], m[1]));
    __m256d ce = NORM(larger)(_mm256_unpacklo_pd(m[2], m[3]), _mm256_unpackhi_pd(m[2], m[3]));
    __m256d most =
        NORM(larger)(_mm256_permute2f128_pd(ab, ce, 0x20), _mm256_permute2f128_pd(ab, ce, 0x31));
    for (; i < d; i++)
        most = NORM(larger)(
            most, _mm256_andnot_pd(sign, _mm256_setr_pd(x[0][i], x[1][i], x[2][i], x[3][i])));
    return most;
}
#else
static inline __m128 NORM(larger)(__m128 a, __m128 b)
{
    return _mm_castsi128_ps(_mm_max_epi32(_mm_castps_si128(a), _mm_castps_si128(b)));
}

static inline NORM(quad) NORM(maxima)(const T *const *x, size_t d)
{
    const __m128 sign = _mm_set1_ps(-0.0f);
    __m128 m[QUAD];
    size_t i = 0;
    for (int k = 0; k < QUAD; k++) m[k] = _mm_setzero_ps();
    for (; i + 4 <= d; i += 4)
        for (int k = 0; k < QUAD; k++)
            m[k] = NORM(larger)(m[k], _mm_andnot_ps(sign, _mm_loadu_ps(x[k] + i)));
    _MM_TRANSPOSE4_PS(m[0], m[1], m[2], m[3]);
    __m128 most = NORM(larger)(NORM(larger)(m[0], m[1]), NORM(larger)(m[2], m[3]));
    for (; i < d; i++)
        most = NORM(larger)(most,
                            _mm_andnot_ps(sign, _mm_setr_ps(x[0][i], x[1][i], x[2][i], x[3][i])));
    return most;
}
#endif

/* ---- lines of the output ---- */

#if QN_LEVEL == 2 && NORM_F64
#define W 8u
typedef __m512d NORM(vec);
typedef __m512i NORM(index);
#define V(op) _mm512_##op##_pd
#define PERMUTE(by, at) _mm512_permutexvar_pd(at, by)
#define CUT(first, second, n) _mm512_mask_blend_pd((__mmask8)(0xffu << (n)), first, second)
#define IS_SMALL(v)                                                                                \
    _mm512_mask_cmp_pd_mask(_mm512_cmp_pd_mask(_mm512_abs_pd(v), V(set1)(SMALL), _CMP_LT_OQ), v,   \
                            V(setzero)(), _CMP_NEQ_OQ)
#elif QN_LEVEL == 2
#define W 16u
typedef __m512 NORM(vec);
typedef __m512i NORM(index);
#define V(op) _mm512_##op##_ps
#define PERMUTE(by, at) _mm512_permutexvar_ps(at, by)
#define CUT(first, second, n) _mm512_mask_blend_ps((__mmask16)(0xffffu << (n)), first, second)
#define IS_SMALL(v)                                                                                \
    _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(_mm512_abs_ps(v), V(set1)(SMALL), _CMP_LT_OQ), v,   \
                            V(setzero)(), _CMP_NEQ_OQ)
#elif NORM_F64
#define W 4u
typedef __m256d NORM(vec);
typedef __m256i NORM(index); /* pairs of words */
#define V(op) _mm256_##op##_pd
#define PERMUTE(by, at)                                                                            \
    _mm256_castsi256_pd(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(by), at))
#define CUT(first, second, n)                                                                      \
    _mm256_blendv_pd(first, second,                                                                \
                     _mm256_loadu_pd((const double *)(const void *)(from_64 + 4 - (n))))
#define IS_SMALL(v)                                                                                \
    _mm256_movemask_pd(_mm256_and_pd(                                                              \
        _mm256_cmp_pd(_mm256_andnot_pd(V(set1)(-0.0), v), V(set1)(SMALL), _CMP_LT_OQ),             \
        _mm256_cmp_pd(v, V(setzero)(), _CMP_NEQ_OQ)))
#else
#define W 8u
typedef __m256 NORM(vec);
typedef __m256i NORM(index);
#define V(op) _mm256_##op##_ps
#define PERMUTE(by, at) _mm256_permutevar8x32_ps(by, at)
#define CUT(first, second, n)                                                                      \
    _mm256_blendv_ps(first, second,                                                                \
                     _mm256_loadu_ps((const float *)(const void *)(from_32 + 8 - (n))))
#define IS_SMALL(v)                                                                                \
    _mm256_movemask_ps(_mm256_and_ps(                                                              \
        _mm256_cmp_ps(_mm256_andnot_ps(V(set1)(-0.0f), v), V(set1)(SMALL), _CMP_LT_OQ),            \
        _mm256_cmp_ps(v, V(setzero)(), _CMP_NEQ_OQ)))
#endif

struct NORM(rows) {
    const struct qn_norm_rows *job;
    const T *x;
    T *y;
    size_t d, group;  /* columns; rows of a group */
    struct place at;  /* of the next value */
    int divide, late; /* a norm of this group, or of the last, is out of bounds */
    T by[W + GROUP + W],
        over[W + GROUP + W]; /* norms of the group from W on, before them the last ones */
    int32_t index[W][2 * W]; /* rows narrower than a vector: whose norm a lane has, by phase */
};

/* The norms of up to four rows, the group's from `at` on. */
static inline void NORM(four)(struct NORM(rows) * s, size_t first, size_t rows, size_t at)
{
    const T *x[QUAD];
    NORM(quad) norm, one = Q(set1)(1);
    for (size_t k = 0; k < QUAD; k++) x[k] = s->x + (first + (k < rows ? k : rows - 1)) * s->d;
    if (s->job->kind == QN_NORM_L2)
        norm = Q(sqrt)(NORM(squares)(x, s->d));
    else
        norm = s->job->kind == QN_NORM_L1 ? NORM(magnitudes)(x, s->d) : NORM(maxima)(x, s->d);
    norm = Q(blendv)(norm, one, Q(cmp)(norm, Q(set1)(NORM_TINY), _CMP_LT_OQ));
    Q(storeu)(s->by + W + at, norm);
    Q(storeu)(s->over + W + at, Q(div)(one, norm));
    if (Q(movemask)(Q(cmp)(norm, Q(set1)(LARGE), _CMP_NLE_UQ)) == 0) return;
    s->divide = 1;
    /* A norm that is not finite says that a row may hold something that is not. */
    for (size_t k = 0; s->job->seen != NULL && k < rows; k++)
        for (size_t j = 0; s->by[W + at + k] - s->by[W + at + k] != 0 && j < s->d; j++)
            if (x[k][j] - x[k][j] != 0)
                s->job->seen[j] |= x[k][j] != x[k][j] ? QN_SEEN_NAN : QN_SEEN_INF;
}

/* Values that make no whole vector. */
static void NORM(single)(struct NORM(rows) * s, size_t n)
{
    for (; n > 0; n--) {
        s->y[s->at.done] = NORM_CANON(s->x[s->at.done] / s->by[s->at.row]);
        step(&s->at, 1, s->d);
    }
}

static inline NORM(vec) NORM(spread)(const struct NORM(rows) * s, struct place at, const T *of)
{
    of += at.row;
    if (s->d < W) {
        NORM(index) whose;
        memcpy(&whose, s->index[at.phase], sizeof whose);
        return PERMUTE(V(loadu)(of), whose);
    }
    NORM(vec) first = V(set1)(of[0]);
    size_t left = s->d - at.phase;
    return left >= W ? first : CUT(first, V(set1)(of[1]), left);
}

/* True quotients, for what could leave the range of the others. */
static __attribute__((noinline)) NORM(vec) NORM(divided)(NORM(vec) x, NORM(vec) n)
{
    T each[W];
    V(storeu)(each, V(div)(x, n));
    for (size_t k = 0; k < W; k++) each[k] = NORM_CANON(each[k]);
    return V(loadu)(each);
}

/* Whole vectors before value `limit`. */
static void NORM(lines)(struct NORM(rows) * s, size_t limit)
{
    struct place at = s->at;
    const T *x = s->x;
    T *y = s->y;
    int divide = s->divide || s->late, stream = s->job->stream;
    for (; at.done + W <= limit; step(&at, W, s->d)) {
        NORM(vec) v = V(loadu)(x + at.done);
        NORM(vec) n = NORM(spread)(s, at, s->by), r = NORM(spread)(s, at, s->over);
        NORM(vec) q = V(mul)(v, r), e = V(fmsub)(q, n, v);
        q = V(fnmadd)(e, r, q);
        if (divide || IS_SMALL(v)) q = NORM(divided)(v, n);
        __builtin_prefetch((const void *)((uintptr_t)(x + at.done) + AHEAD), 0, 2);
        if (stream)
            V(stream)(y + at.done, q);
        else
            V(storeu)(y + at.done, q);
    }
    s->at = at;
}

static void NORM(begin)(struct NORM(rows) * s, const struct qn_norm_rows *job)
{
    size_t bytes = job->columns * sizeof(T);
    s->job = job;
    s->x = job->in;
    s->y = job->out;
    s->d = job->columns;
    s->at = (struct place){.row = W};
    s->divide = s->late = 0;
    s->group = bytes < GROUP_BYTES ? GROUP_BYTES / bytes : 1;
    if (s->group > GROUP) s->group = GROUP;
    if (s->group > QUAD) s->group -= s->group % QUAD;
    for (size_t i = 0; i < 2 * W + GROUP; i++) s->by[i] = s->over[i] = 1;
    for (size_t phase = 0; s->d < W && phase < s->d; phase++)
        for (size_t k = 0; k < W; k++) {
            int32_t row = (int32_t)((phase + k) / s->d);
#if NORM_F64 && QN_LEVEL == 1
            s->index[phase][2 * k] = 2 * row;
            s->index[phase][2 * k + 1] = 2 * row + 1;
#elif NORM_F64
            s->index[phase][2 * k] = row;
            s->index[phase][2 * k + 1] = 0;
#else
            s->index[phase][k] = row;
#endif
        }
}

static void NORM(rows)(const struct qn_norm_rows *job)
{
    struct NORM(rows) s;
    NORM(begin)(&s, job);
    size_t total = job->rows * s.d, kept = s.d < W ? W : 1;
    for (size_t row = 0, rows; row < job->rows; row += rows) {
        rows = job->rows - row < s.group ? job->rows - row : s.group;
        for (size_t at = 0; at < rows; at += QUAD)
            NORM(four)(&s, row + at, rows - at < QUAD ? rows - at : (size_t)QUAD, at);
        if (row == 0) {
            size_t head = (size_t)(-(uintptr_t)s.y % 64) / sizeof(T);
            NORM(single)(&s, head < rows * s.d ? head : rows * s.d);
        }
        NORM(lines)(&s, (row + rows) * s.d);
        if (row + rows == job->rows) break;
        for (size_t i = W - kept; i < W; i++) {
            s.by[i] = s.by[i + rows];
            s.over[i] = s.over[i + rows];
        }
        s.at.row -= rows;
        s.late = s.divide;
        s.divide = 0;
    }
    NORM(single)(&s, total - s.at.done);
}

#undef T
#undef NORM
#undef NORM_FABS
#undef NORM_TINY
#undef NORM_CANON
#undef SMALL
#undef LARGE
#undef NORM_F64
#undef Q
#undef V
#undef W
#undef PERMUTE
#undef CUT
#undef IS_SMALL
