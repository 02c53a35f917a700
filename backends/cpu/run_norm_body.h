/* SPDX-License-Identifier: Apache-2.0
 * Norms along the rows of a row-major matrix, in kernels/norm.h's order. run_norm.c sets QN_SUFFIX,
 * NORM_F64 and includes this. Vectors of 16 bytes are the order itself (NumPy's baseline), not a
 * choice. Processors with wider ones have run_norm_wide_body.h. */
#if NORM_F64
#define T double
#define TI int64_t
#define NORM_ABS INT64_MAX
#define NORM_FABS(x) __builtin_fabs(x)
#define NORM(name) QN_PASTE(name##_f64, QN_SUFFIX)
#define NORM_TINY QN_NORM_TINY_F64
#define NORM_SQRT(x) QN_SQRT_F64(x)
#define NORM_CANON(x) qn_store_f64(x)
#else
#define T float
#define TI int32_t
#define NORM_ABS INT32_MAX
#define NORM_FABS(x) __builtin_fabsf(x)
#define NORM(name) QN_PASTE(name##_f32, QN_SUFFIX)
#define NORM_TINY QN_NORM_TINY_F32
#define NORM_SQRT(x) QN_SQRT_F32(x)
#define NORM_CANON(x) qn_store_f32(x)
#endif

typedef T NORM(v) __attribute__((vector_size(16)));
typedef T NORM(vu) __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));
#define L (16 / sizeof(T))
#define LOAD(p) ((NORM(v))(*(const NORM(vu) *)(p)))

static inline T NORM(squares)(const T *x, size_t d)
{
    NORM(v) sum = {0};
    size_t i = 0;
    for (; i + 4 * L <= d; i += 4 * L) {
        NORM(v) a = LOAD(x + i), b = LOAD(x + i + L), c = LOAD(x + i + 2 * L);
        NORM(v) e = LOAD(x + i + 3 * L);
        sum += e * e;
        sum += c * c;
        sum += b * b;
        sum += a * a;
    }
    for (; i + L <= d; i += L) sum += LOAD(x + i) * LOAD(x + i);
    if (i < d) {
#if NORM_F64
        NORM(v) rest = {x[i], 0};
#else
        NORM(v) rest = {x[i], i + 1 < d ? x[i + 1] : 0, i + 2 < d ? x[i + 2] : 0, 0};
#endif
        sum += rest * rest;
    }
#if NORM_F64
    return sum[0] + sum[1];
#else
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
#endif
}

static T NORM(magnitudes)(const T *x, size_t d)
{
    if (d > QN_NORM_LEAF) {
        size_t left = qn_norm_split((qn_u32)d);
        return NORM(magnitudes)(x, left) + NORM(magnitudes)(x + left, d - left);
    }
    T r[8] = {0}, sum = 0;
    size_t body = d - d % 8;
    for (size_t i = 0; i < body; i += 8)
        for (size_t k = 0; k < 8; k++) r[k] += NORM_FABS(x[i + k]);
    if (body > 0) sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (size_t i = body; i < d; i++) sum += NORM_FABS(x[i]);
    return sum;
}

/* Magnitudes as integers keep their order, and a NaN is above them all. */
static T NORM(maximum)(const T *x, size_t d)
{
    TI most = 0;
    for (size_t i = 0; i < d; i++) {
        TI bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= NORM_ABS;
        most = bits > most ? bits : most;
    }
    T norm;
    memcpy(&norm, &most, sizeof norm);
    return norm;
}

/* n rows from `in` to `out`, which do not overlap. A norm that is not finite says that a row may
 * hold something that is not; only such rows are looked at value by value. */
static void NORM(rows)(uint32_t kind, const void *restrict in, void *restrict out, size_t n,
                       size_t d, uint32_t *seen)
{
    const T *restrict x = in;
    T *restrict y = out;
    for (size_t r = 0; r < n; r++, x += d, y += d) {
        T norm;
        if (kind == QN_NORM_L2)
            norm = NORM_SQRT(NORM(squares)(x, d));
        else
            norm = kind == QN_NORM_L1 ? NORM(magnitudes)(x, d) : NORM(maximum)(x, d);
        if (seen != NULL && !(norm - norm == 0))
            for (size_t j = 0; j < d; j++)
                if (x[j] - x[j] != 0) seen[j] |= x[j] != x[j] ? QN_SEEN_NAN : QN_SEEN_INF;
        norm = norm < NORM_TINY ? 1 : norm;
        for (size_t j = 0; j < d; j++) y[j] = NORM_CANON(x[j] / norm);
    }
}

#undef T
#undef TI
#undef NORM_ABS
#undef NORM_FABS
#undef L
#undef LOAD
#undef NORM
#undef NORM_TINY
#undef NORM_SQRT
#undef NORM_CANON
#undef NORM_F64
