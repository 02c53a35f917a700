/* SPDX-License-Identifier: Apache-2.0
 * The writer's loops, once per instruction set (QN_SUFFIX, QN_LEVEL): plain loops that the compiler vectorises.
 * From level 1 on there are 32-byte vectors and their transposes. */
#define FN(name) QN_PASTE(name, QN_SUFFIX)

#define CONVERT(FROM, TYPE, EXPR)                                                                  \
    do {                                                                                           \
        TYPE *restrict to_ = out;                                                                  \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            __typeof__(tile->FROM[0]) v = tile->FROM[i];                                           \
            to_[i] = (TYPE)(EXPR);                                                                 \
        }                                                                                          \
    } while (0)

static void FN(convert_float)(uint32_t work, uint32_t type, uint32_t n,
                              const union qn_tile *restrict tile, void *restrict out)
{
#define BOTH(TYPE, EXPR)                                                                           \
    if (work == QN_W_F32)                                                                          \
        CONVERT(f32, TYPE, EXPR);                                                                  \
    else                                                                                           \
        CONVERT(f64, TYPE, EXPR);                                                                  \
    break
    switch (type) {
    case QN_T_BOOL: BOTH(uint8_t, v != 0);
    case QN_T_I8: BOTH(int8_t, qn_store_i64(v));
    case QN_T_I16: BOTH(int16_t, qn_store_i64(v));
    case QN_T_I32: BOTH(int32_t, qn_store_i64(v));
    case QN_T_I64: BOTH(int64_t, qn_store_i64(v));
    case QN_T_U8: BOTH(uint8_t, qn_store_i64(v));
    case QN_T_U16: BOTH(uint16_t, qn_store_i64(v));
    case QN_T_U32: BOTH(uint32_t, qn_store_i64(v));
    case QN_T_U64: BOTH(uint64_t, qn_store_u64(v));
    case QN_T_F32: BOTH(float, qn_store_f32((float)v));
    default: BOTH(double, qn_store_f64(v));
    }
#undef BOTH
}

static void FN(convert_int)(uint32_t work, uint32_t type, uint32_t n,
                            const union qn_tile *restrict tile, void *restrict out)
{
#define BOTH(TYPE, EXPR)                                                                           \
    if (work == QN_W_I64)                                                                          \
        CONVERT(i64, TYPE, EXPR);                                                                  \
    else                                                                                           \
        CONVERT(code, TYPE, EXPR);                                                                 \
    break
    switch (type) {
    case QN_T_BOOL: BOTH(uint8_t, v != 0);
    case QN_T_I8: BOTH(int8_t, v);
    case QN_T_I16: BOTH(int16_t, v);
    case QN_T_I32: BOTH(int32_t, v);
    case QN_T_I64: BOTH(int64_t, v);
    case QN_T_U8: BOTH(uint8_t, v);
    case QN_T_U16: BOTH(uint16_t, v);
    case QN_T_U32: BOTH(uint32_t, v);
    case QN_T_U64: BOTH(uint64_t, v);
    case QN_T_F32: BOTH(float, v);
    default: BOTH(double, v);
    }
#undef BOTH
}

static void FN(convert)(uint32_t work, uint32_t type, uint32_t n, const union qn_tile *tile,
                        void *out)
{
    if (work == QN_W_F32 || work == QN_W_F64)
        FN(convert_float)(work, type, n, tile, out);
    else
        FN(convert_int)(work, type, n, tile, out);
}

/* Stored NaNs are canonical; a tile that is stored as it is needs nothing else. */
static void FN(canonical)(uint32_t work, uint32_t n, union qn_tile *tile)
{
    if (work == QN_W_F32)
        for (uint32_t i = 0; i < n; i++) tile->f32[i] = qn_store_f32(tile->f32[i]);
    else if (work == QN_W_F64)
        for (uint32_t i = 0; i < n; i++) tile->f64[i] = qn_store_f64(tile->f64[i]);
}

/* Columns to rows: value (r, c) of n_rows x n_cols goes to out + r * pitch + c * size. */
#define SPREAD(TYPE)                                                                               \
    for (uint32_t c = c0; c < n_cols; c++) {                                                       \
        const TYPE *from_ = (const TYPE *)cols[c] + row;                                           \
        char *to_ = out + (size_t)c * sizeof(TYPE) + r0 * pitch;                                   \
        for (uint32_t r = r0; r < n_rows; r++, to_ += pitch) memcpy(to_, &from_[r], sizeof(TYPE)); \
    }

static void FN(spread)(uint32_t size, const void *const *cols, uint32_t c0, uint32_t n_cols,
                       uint32_t row, uint32_t r0, uint32_t n_rows, char *out, size_t pitch)
{
    switch (size) {
    case 1: SPREAD(uint8_t) break;
    case 2: SPREAD(uint16_t) break;
    case 4: SPREAD(uint32_t) break;
    default: SPREAD(uint64_t) break;
    }
}

#if QN_X86
/* A 4 x 4 block of 4-byte values. */
static inline void FN(block_quad)(const void *const *cols, uint32_t row, char *out, size_t pitch)
{
    __m128 a = _mm_loadu_ps((const float *)cols[0] + row);
    __m128 b = _mm_loadu_ps((const float *)cols[1] + row);
    __m128 c = _mm_loadu_ps((const float *)cols[2] + row);
    __m128 d = _mm_loadu_ps((const float *)cols[3] + row);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps((float *)(void *)out, a);
    _mm_storeu_ps((float *)(void *)(out + pitch), b);
    _mm_storeu_ps((float *)(void *)(out + 2 * pitch), c);
    _mm_storeu_ps((float *)(void *)(out + 3 * pitch), d);
}

/* 2 x 2 of 8-byte values. */
static inline void FN(block_pair)(const void *const *cols, uint32_t row, char *out, size_t pitch)
{
    __m128d a = _mm_loadu_pd((const double *)cols[0] + row);
    __m128d b = _mm_loadu_pd((const double *)cols[1] + row);
    _mm_storeu_pd((double *)(void *)out, _mm_unpacklo_pd(a, b));
    _mm_storeu_pd((double *)(void *)(out + pitch), _mm_unpackhi_pd(a, b));
}
#endif

#if QN_LEVEL > 0
/* 8 x 8 of 4-byte values. */
static inline void FN(block_oct)(const void *const *cols, uint32_t row, char *out, size_t pitch)
{
    __m256 a[8], b[8];
    for (int c = 0; c < 8; c++) a[c] = _mm256_loadu_ps((const float *)cols[c] + row);
    for (int c = 0; c < 4; c++) {
        b[2 * c] = _mm256_unpacklo_ps(a[2 * c], a[2 * c + 1]);
        b[2 * c + 1] = _mm256_unpackhi_ps(a[2 * c], a[2 * c + 1]);
    }
    for (int h = 0; h < 2; h++) {
        a[4 * h] = _mm256_shuffle_ps(b[4 * h], b[4 * h + 2], 0x44);
        a[4 * h + 1] = _mm256_shuffle_ps(b[4 * h], b[4 * h + 2], 0xee);
        a[4 * h + 2] = _mm256_shuffle_ps(b[4 * h + 1], b[4 * h + 3], 0x44);
        a[4 * h + 3] = _mm256_shuffle_ps(b[4 * h + 1], b[4 * h + 3], 0xee);
    }
    for (size_t r = 0; r < 4; r++) {
        _mm256_storeu_ps((float *)(void *)(out + r * pitch),
                         _mm256_permute2f128_ps(a[r], a[r + 4], 0x20));
        _mm256_storeu_ps((float *)(void *)(out + (r + 4) * pitch),
                         _mm256_permute2f128_ps(a[r], a[r + 4], 0x31));
    }
}

/* 4 x 4 of 8-byte values. */
static inline void FN(block_four)(const void *const *cols, uint32_t row, char *out, size_t pitch)
{
    __m256d a[4], b[4];
    for (int c = 0; c < 4; c++) a[c] = _mm256_loadu_pd((const double *)cols[c] + row);
    for (int c = 0; c < 2; c++) {
        b[2 * c] = _mm256_unpacklo_pd(a[2 * c], a[2 * c + 1]);
        b[2 * c + 1] = _mm256_unpackhi_pd(a[2 * c], a[2 * c + 1]);
    }
    for (size_t r = 0; r < 2; r++) {
        _mm256_storeu_pd((double *)(void *)(out + r * pitch),
                         _mm256_permute2f128_pd(b[r], b[r + 2], 0x20));
        _mm256_storeu_pd((double *)(void *)(out + (r + 2) * pitch),
                         _mm256_permute2f128_pd(b[r], b[r + 2], 0x31));
    }
}

#endif

/* Blocks of `side` columns from column c on; what they leave at the bottom goes value by value. */
#define BLOCKS(BLOCK, side)                                                                        \
    for (; c + (side) <= n_cols; c += (side)) {                                                    \
        uint32_t r = 0;                                                                            \
        char *to = out + (size_t)c * size;                                                         \
        for (; r + (side) <= n_rows; r += (side))                                                  \
            FN(BLOCK)(cols + c, row + r, to + r * pitch, pitch);                                   \
        FN(spread)(size, cols + c, 0, (side), row, r, n_rows, to, pitch);                          \
    }

static void FN(transpose)(uint32_t size, const void *const *cols, uint32_t n_cols, uint32_t row,
                          uint32_t n_rows, char *out, size_t pitch)
{
    uint32_t c = 0;
#if QN_LEVEL > 0
    if (size == 4) BLOCKS(block_oct, 8)
    if (size == 8) BLOCKS(block_four, 4)
#endif
#if QN_X86
    if (size == 4) BLOCKS(block_quad, 4)
    if (size == 8) BLOCKS(block_pair, 2)
#endif
    FN(spread)(size, cols, c, n_cols, row, 0, n_rows, out, pitch);
}

#if QN_LEVEL > 0
/* Past the caches, in whole lines: for outputs that will not be read soon. */
static void FN(stream)(char *to, const char *from, size_t bytes)
{
    size_t head = (size_t)(-(uintptr_t)to % 64);
    if (head > bytes) head = bytes;
    memcpy(to, from, head);
    to += head, from += head, bytes -= head;
    for (; bytes >= 64; bytes -= 64, to += 64, from += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)from);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
        _mm256_stream_si256((__m256i *)(void *)to, a);
        _mm256_stream_si256((__m256i *)(void *)(to + 32), b);
    }
    memcpy(to, from, bytes);
}
#else
static void FN(stream)(char *to, const char *from, size_t bytes)
{
#if QN_X86
    size_t head = (size_t)(-(uintptr_t)to % 64);
    if (head > bytes) head = bytes;
    memcpy(to, from, head);
    to += head, from += head, bytes -= head;
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16)
        _mm_stream_si128((__m128i *)(void *)to,
                         _mm_loadu_si128((const __m128i *)(const void *)from));
#endif
    memcpy(to, from, bytes);
}
#endif

static const struct qn_store FN(loops) = {FN(convert), FN(canonical), FN(transpose), FN(stream)};

#undef FN
#undef CONVERT
#undef SPREAD
#undef BLOCKS
