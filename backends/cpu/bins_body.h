/* SPDX-License-Identifier: Apache-2.0
 * The loops of bins.c, compiled once per instruction set (QN_SUFFIX, QN_LEVEL). */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

/* `x < e ? 0 : 1` of four edges at a time: NaN counts all. */
#define COUNT_EDGES(T, EDGE)                                                                       \
    do {                                                                                           \
        uint32_t j = 0;                                                                            \
        for (uint32_t i = 0; i < n; i++) out[i] = 0;                                               \
        for (; j + 4 <= k; j += 4) {                                                               \
            const T e0 = EDGE(edges[j]), e1 = EDGE(edges[j + 1]), e2 = EDGE(edges[j + 2]),         \
                    e3 = EDGE(edges[j + 3]);                                                       \
            for (uint32_t i = 0; i < n; i++)                                                       \
                out[i] += (uint32_t) !(x[i] < e0) + (uint32_t) !(x[i] < e1) +                      \
                          (uint32_t) !(x[i] < e2) + (uint32_t) !(x[i] < e3);                       \
        }                                                                                          \
        for (; j < k; j++) {                                                                       \
            const T e0 = EDGE(edges[j]);                                                           \
            for (uint32_t i = 0; i < n; i++) out[i] += (uint32_t) !(x[i] < e0);                    \
        }                                                                                          \
    } while (0)

/* The search of kernels/bins.h, a step for all values at a time: how long it takes depends on k alone. */
static void FN(search)(const uint64_t *edges, uint32_t k, uint32_t n, const double *restrict x,
                       int32_t *restrict at)
{
    for (uint32_t i = 0; i < n; i++) at[i] = 0;
    for (uint32_t left = k; left > 1;) {
        const int32_t half = (int32_t)(left / 2);
        const uint64_t *from = edges + half - 1;
        for (uint32_t i = 0; i < n; i++) at[i] += x[i] < word_f64(from[at[i]]) ? 0 : half;
        left -= (uint32_t)half;
    }
    for (uint32_t i = 0; i < n; i++) at[i] += x[i] < word_f64(edges[at[i]]) ? 0 : 1;
}

static void FN(codes_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *restrict x,
                          uint32_t *restrict out)
{
    int32_t at[QN_TILE_ROWS];
    if (k <= QN_FEW_EDGES) {
        COUNT_EDGES(double, word_f64);
        return;
    }
    FN(search)(edges, k, n, x, at);
    for (uint32_t i = 0; i < n; i++) out[i] = (uint32_t)at[i];
}

static void FN(codes_f32)(const uint64_t *edges, uint32_t k, uint32_t n, const float *restrict x,
                          uint32_t *restrict out)
{
    double wide[QN_TILE_ROWS];
    if (k <= QN_FEW_EDGES) {
        COUNT_EDGES(float, word_edge_f32);
        return;
    }
    for (uint32_t i = 0; i < n; i++) wide[i] = (double)x[i];
    FN(codes_f64)(edges, k, n, wide, out);
}

/* Cells of a start table. */
static void FN(cells_f32)(const struct qn_starts *from, uint32_t n, const float *restrict x,
                          int32_t *restrict at)
{
    const struct qn_starts copy = *from, *s = &copy; /* whose members no store can change */
    if (s->by_bits)
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_key(s, qn_key_f32(x[i]));
    else
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_width_f32(s, x[i]);
}

static void FN(cells_f64)(const struct qn_starts *from, uint32_t n, const double *restrict x,
                          int32_t *restrict at)
{
    const struct qn_starts copy = *from, *s = &copy;
    if (s->by_bits)
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_key(s, qn_key_f64(x[i]));
    else
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_width_f64(s, x[i]);
}

/* The map at v, whose place is `at`; *tie: it equals a knot, whose value it becomes instead. */
static inline __attribute__((always_inline)) double FN(map_one)(const struct map *m, double v,
                                                                int32_t at, int mean, uint64_t *tie)
{
    const int32_t j = at > 0 ? at - 1 : 0, next = j + 1 < m->k ? j + 1 : j;
    const double x0 = m->knots[j], x1 = m->knots[next], slope = m->slopes[j];
    const double y0 = m->values[j], y1 = m->values[next];
    double y = slope * (v - x0) + y0, back = slope * (v - x1) + y1;
    double left = y != y ? back : y; /* each is the other's way out */
    left = left != left && y0 == y1 ? y0 : left;
    double right = back != back ? y : back;
    right = right != right && y0 == y1 ? y0 : right;
    y = mean ? 0.5 * (left + right) : left;
    y = v > m->high ? m->y_high : y;
    y = v < m->low ? m->y_low : y;
    *tie = v == x0 && !(v > m->high) && !(v < m->low) ? 1 : 0;
    return v != v ? v : y;
}

/* A value that equals a knot is rare, so it is seen to afterwards. */
static void FN(interp)(const struct map *map, int mean, const int32_t *restrict at, uint32_t n,
                       double *restrict x)
{
    const struct map m = *map;
    uint64_t ties[QN_TILE_ROWS];
    for (uint32_t i = 0; i < n; i++) x[i] = FN(map_one)(&m, x[i], at[i], mean, &ties[i]);
    for (uint32_t i = 0; i < n; i += TIES) {
        uint64_t any = 0;
        const uint32_t end = n - i < TIES ? n : i + TIES;
        for (uint32_t l = i; l < end; l++) any |= ties[l];
        for (uint32_t l = i; any != 0 && l < end; l++)
            if (ties[l] != 0) x[l] = m.same[at[l] > 0 ? at[l] - 1 : 0];
    }
}

/* The knots about each place, and the slope between: a load of all three and a transpose, of as many places
 * at a time as a vector has doubles. */
#if QN_LEVEL == 2
enum { FN(TOGETHER) = 8 };
static inline __m512d FN(two_knots)(const struct qn_knot *a, const struct qn_knot *b)
{
    return _mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd(&a->x)),
                              _mm256_loadu_pd(&b->x), 1);
}
static inline void FN(look_at_some)(const struct qn_knot *k, const int32_t *at, double *x0,
                                    double *x1, double *slope)
{
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13),
                  odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512d a = FN(two_knots)(k + at[0], k + at[4]), b = FN(two_knots)(k + at[1], k + at[5]),
            c = FN(two_knots)(k + at[2], k + at[6]), d = FN(two_knots)(k + at[3], k + at[7]);
    __m512d ab = _mm512_unpacklo_pd(a, b), cd = _mm512_unpacklo_pd(c, d);
    _mm512_storeu_pd(x0, _mm512_permutex2var_pd(ab, even, cd));
    _mm512_storeu_pd(x1, _mm512_permutex2var_pd(ab, odd, cd));
    _mm512_storeu_pd(
        slope, _mm512_permutex2var_pd(_mm512_unpackhi_pd(a, b), even, _mm512_unpackhi_pd(c, d)));
}
#elif QN_LEVEL == 1
enum { FN(TOGETHER) = 4 };
static inline void FN(look_at_some)(const struct qn_knot *k, const int32_t *at, double *x0,
                                    double *x1, double *slope)
{
    __m256d a = _mm256_loadu_pd(&k[at[0]].x), b = _mm256_loadu_pd(&k[at[1]].x),
            c = _mm256_loadu_pd(&k[at[2]].x), d = _mm256_loadu_pd(&k[at[3]].x);
    __m256d ab = _mm256_unpacklo_pd(a, b), cd = _mm256_unpacklo_pd(c, d);
    _mm256_storeu_pd(x0, _mm256_permute2f128_pd(ab, cd, 0x20));
    _mm256_storeu_pd(x1, _mm256_permute2f128_pd(ab, cd, 0x31));
    _mm256_storeu_pd(
        slope, _mm256_permute2f128_pd(_mm256_unpackhi_pd(a, b), _mm256_unpackhi_pd(c, d), 0x20));
}
#else
enum { FN(TOGETHER) = 1 };
static inline void FN(look_at_some)(const struct qn_knot *k, const int32_t *at, double *x0,
                                    double *x1, double *slope)
{
    *x0 = k[*at].x;
    *x1 = k[*at + 1].x;
    *slope = k[*at].slope;
}
#endif

static void FN(look_up)(const struct qn_knot *knots, uint32_t n, struct found *f)
{
    uint32_t i = 0;
    for (; i + FN(TOGETHER) <= n; i += FN(TOGETHER))
        FN(look_at_some)(knots, f->at + i, f->x0 + i, f->x1 + i, f->slope + i);
    for (; i < n; i++) {
        const struct qn_knot *knot = &knots[f->at[i]];
        f->x0[i] = knot[0].x;
        f->x1[i] = knot[1].x;
        f->slope[i] = knot[0].slope;
    }
}

/* The same where nothing but a NaN gives NaN. Of the last knot and of values outside the result of the reckoning
 * is not used, so the place's stretch may be any. */
static inline __attribute__((always_inline)) double FN(map_regular)(const struct map *m, double v,
                                                                    int32_t at, double x0,
                                                                    double x1, double slope,
                                                                    int mean, int even)
{
    const double next = (double)at, j = next - 1;
    double y = slope * (v - x0) + (even ? j * m->y_step : m->values[at - 1]);
    if (mean) {
        const double e1 = next < (double)(m->k - 1) ? next * m->y_step : m->y_last;
        double back = slope * (v - x1) + (even ? e1 : m->values[at]);
        y = 0.5 * (y + back);
    }
    y = v > m->high ? m->y_high : y;
    return v < m->low ? m->y_low : y;
}

/* Up to TIES values; one that equals a knot is rare, and makes the loop look for it. */
#define MAP_SOME(T, count, mean, even)                                                             \
    do {                                                                                           \
        _Alignas(64) T y[TIES];                                                                    \
        uint64_t ties = 0;                                                                         \
        for (uint32_t l = 0; l < (count); l++) {                                                   \
            const double v = (double)x[l];                                                         \
            y[l] = (T)FN(map_regular)(&m, v, at[l], x0[l], x1[l], slope[l], mean, even);           \
            ties |= v == x0[l] ? 1 : 0;                                                            \
        }                                                                                          \
        for (uint32_t l = 0; ties != 0 && l < (count); l++) {                                      \
            const double v = (double)x[l];                                                         \
            if (v == x0[l] && v >= m.low && v <= m.high) y[l] = (T)m.same[at[l] - 1];              \
        }                                                                                          \
        memcpy(x, y, (count) * sizeof *x);                                                         \
    } while (0)

#define MAP(T, mean, even)                                                                         \
    do {                                                                                           \
        for (; n >= TIES; n -= TIES, x += TIES, at += TIES, x0 += TIES, x1 += TIES, slope += TIES) \
            MAP_SOME(T, TIES, mean, even);                                                         \
        if (n > 0) MAP_SOME(T, n, mean, even);                                                     \
    } while (0)

#define MAP_ALL(T)                                                                                 \
    do {                                                                                           \
        const struct map m = *map;                                                                 \
        const int32_t *at = f->at;                                                                 \
        const double *x0 = f->x0, *x1 = f->x1, *slope = f->slope;                                  \
        if (mean && even)                                                                          \
            MAP(T, 1, 1);                                                                          \
        else if (mean)                                                                             \
            MAP(T, 1, 0);                                                                          \
        else if (even)                                                                             \
            MAP(T, 0, 1);                                                                          \
        else                                                                                       \
            MAP(T, 0, 0);                                                                          \
    } while (0)

static void FN(map_f32)(const struct map *map, int mean, int even, uint32_t n,
                        const struct found *restrict f, float *restrict x)
{
    MAP_ALL(float);
}

static void FN(map_f64)(const struct map *map, int mean, int even, uint32_t n,
                        const struct found *restrict f, double *restrict x)
{
    MAP_ALL(double);
}

static const struct bin_loops FN(bin_loops) = {
    FN(codes_f32), FN(codes_f64), FN(interp),  FN(search),  FN(cells_f32),
    FN(cells_f64), FN(look_up),   FN(map_f32), FN(map_f64),
};

#undef FN
#undef COUNT_EDGES
#undef MAP
#undef MAP_SOME
#undef MAP_ALL
