/* SPDX-License-Identifier: Apache-2.0
 * The transposes of columns.c, compiled once per instruction set (QN_SUFFIX, QN_LEVEL). A panel is as
 * many rows as a vector has elements by as many columns as 16 bytes have: 16-byte pieces of rows are
 * loaded into the vectors' parts, two rounds of interleaving finish the columns. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

#if QN_LEVEL == 2
enum { FN(ROWS32) = 16, FN(ROWS64) = 8 };
/* Rows i, i + 4, i + 8, i + 12 side by side. */
static inline __m512 FN(pieces32)(const char *p, int64_t s)
{
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)(const void *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 4 * s)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 8 * s)), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(p + 12 * s)), 3);
}
static inline void FN(panel32)(const char *p, int64_t s, float *out, size_t room)
{
    __m512 a = FN(pieces32)(p, s), b = FN(pieces32)(p + s, s), c = FN(pieces32)(p + 2 * s, s),
           d = FN(pieces32)(p + 3 * s, s);
    __m512d ab0 = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
            ab1 = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
            cd0 = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
            cd1 = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    _mm512_store_ps(out, _mm512_castpd_ps(_mm512_unpacklo_pd(ab0, cd0)));
    _mm512_store_ps(out + room, _mm512_castpd_ps(_mm512_unpackhi_pd(ab0, cd0)));
    _mm512_store_ps(out + 2 * room, _mm512_castpd_ps(_mm512_unpacklo_pd(ab1, cd1)));
    _mm512_store_ps(out + 3 * room, _mm512_castpd_ps(_mm512_unpackhi_pd(ab1, cd1)));
}
static inline __m512d FN(pieces64)(const char *p, int64_t s)
{
    __m512d v = _mm512_castpd128_pd512(_mm_loadu_pd((const double *)(const void *)p));
    v = _mm512_insertf64x2(v, _mm_loadu_pd((const double *)(const void *)(p + 2 * s)), 1);
    v = _mm512_insertf64x2(v, _mm_loadu_pd((const double *)(const void *)(p + 4 * s)), 2);
    return _mm512_insertf64x2(v, _mm_loadu_pd((const double *)(const void *)(p + 6 * s)), 3);
}
static inline void FN(panel64)(const char *p, int64_t s, double *out, size_t room)
{
    __m512d a = FN(pieces64)(p, s), b = FN(pieces64)(p + s, s);
    _mm512_store_pd(out, _mm512_unpacklo_pd(a, b));
    _mm512_store_pd(out + room, _mm512_unpackhi_pd(a, b));
}
#elif QN_LEVEL == 1
enum { FN(ROWS32) = 8, FN(ROWS64) = 4 };
static inline __m256 FN(pieces32)(const char *p, int64_t s)
{
    __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)p));
    return _mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(const void *)(p + 4 * s)), 1);
}
static inline void FN(panel32)(const char *p, int64_t s, float *out, size_t room)
{
    __m256 a = FN(pieces32)(p, s), b = FN(pieces32)(p + s, s), c = FN(pieces32)(p + 2 * s, s),
           d = FN(pieces32)(p + 3 * s, s);
    __m256d ab0 = _mm256_castps_pd(_mm256_unpacklo_ps(a, b)),
            ab1 = _mm256_castps_pd(_mm256_unpackhi_ps(a, b)),
            cd0 = _mm256_castps_pd(_mm256_unpacklo_ps(c, d)),
            cd1 = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
    _mm256_store_ps(out, _mm256_castpd_ps(_mm256_unpacklo_pd(ab0, cd0)));
    _mm256_store_ps(out + room, _mm256_castpd_ps(_mm256_unpackhi_pd(ab0, cd0)));
    _mm256_store_ps(out + 2 * room, _mm256_castpd_ps(_mm256_unpacklo_pd(ab1, cd1)));
    _mm256_store_ps(out + 3 * room, _mm256_castpd_ps(_mm256_unpackhi_pd(ab1, cd1)));
}
static inline __m256d FN(pieces64)(const char *p, int64_t s)
{
    __m256d v = _mm256_castpd128_pd256(_mm_loadu_pd((const double *)(const void *)p));
    return _mm256_insertf128_pd(v, _mm_loadu_pd((const double *)(const void *)(p + 2 * s)), 1);
}
static inline void FN(panel64)(const char *p, int64_t s, double *out, size_t room)
{
    __m256d a = FN(pieces64)(p, s), b = FN(pieces64)(p + s, s);
    _mm256_store_pd(out, _mm256_unpacklo_pd(a, b));
    _mm256_store_pd(out + room, _mm256_unpackhi_pd(a, b));
}
#else
enum { FN(ROWS32) = 4, FN(ROWS64) = 2 };
static inline void FN(panel32)(const char *p, int64_t s, float *out, size_t room)
{
    for (int i = 0; i < 4; i++) {
        const float *x = (const float *)(const void *)(p + i * s);
        for (size_t c = 0; c < 4; c++) out[c * room + (size_t)i] = x[c];
    }
}
static inline void FN(panel64)(const char *p, int64_t s, double *out, size_t room)
{
    const double *a = (const double *)(const void *)p, *b = (const double *)(const void *)(p + s);
    out[0] = a[0], out[1] = b[0];
    out[room] = a[1], out[room + 1] = b[1];
}
#endif

#define TRANSPOSE(NAME, T, PANEL, ROWS, COLUMNS)                                                   \
    static void FN(NAME)(const char *base, int64_t stride, uint32_t rows, uint32_t columns,        \
                         uint32_t room, void *to)                                                  \
    {                                                                                              \
        T *out = to;                                                                               \
        uint32_t whole_rows = rows - rows % FN(ROWS), whole = columns - columns % COLUMNS;         \
        for (uint32_t i = 0; i < whole_rows; i += FN(ROWS)) {                                      \
            const char *p = base + (int64_t)i * stride;                                            \
            for (uint32_t c = 0; c < whole; c += COLUMNS)                                          \
                FN(PANEL)(p + c * sizeof(T), stride, out + (size_t)c * room + i, room);            \
        }                                                                                          \
        for (uint32_t c = 0; c < columns; c++) {                                                   \
            for (uint32_t i = c < whole ? whole_rows : 0; i < rows; i++)                           \
                out[(size_t)c * room + i] =                                                        \
                    ((const T *)(const void *)(base + (int64_t)i * stride))[c];                    \
        }                                                                                          \
    }
TRANSPOSE(transpose_f32, float, panel32, ROWS32, 4)
TRANSPOSE(transpose_f64, double, panel64, ROWS64, 2)

#undef TRANSPOSE
#undef FN
