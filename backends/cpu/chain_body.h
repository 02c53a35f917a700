/* SPDX-License-Identifier: Apache-2.0
 * The loops of chain.c, compiled once per instruction set: QN_SUFFIX names the variant. Plain loops
 * over fixed buffers, which gcc and clang vectorise on x86-64 and aarch64 alike. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

/* out[i] = EXPR of the stored value v, of type T. The packed loop is apart because it vectorises. */
#define LOAD(T, OUT, EXPR)                                                                         \
    do {                                                                                           \
        if (stride == (int64_t)sizeof(T)) {                                                        \
            const stored_##T *packed_ = (const stored_##T *)(const void *)base;                    \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                T v = packed_[i];                                                                  \
                (OUT)[i] = EXPR;                                                                   \
            }                                                                                      \
        } else {                                                                                   \
            const char *at_ = base;                                                                \
            for (uint32_t i = 0; i < n; i++, at_ += stride) {                                      \
                T v = *(const stored_##T *)(const void *)at_;                                      \
                (OUT)[i] = EXPR;                                                                   \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define LOAD_ALL(OUT, R, FROM_FLOAT)                                                               \
    switch (type) {                                                                                \
    case QN_T_BOOL: LOAD(uint8_t, OUT, (R)(v != 0)); break;                                        \
    case QN_T_I8: LOAD(int8_t, OUT, (R)v); break;                                                  \
    case QN_T_I16: LOAD(int16_t, OUT, (R)v); break;                                                \
    case QN_T_I32: LOAD(int32_t, OUT, (R)v); break;                                                \
    case QN_T_I64: LOAD(int64_t, OUT, (R)v); break;                                                \
    case QN_T_U8: LOAD(uint8_t, OUT, (R)v); break;                                                 \
    case QN_T_U16: LOAD(uint16_t, OUT, (R)v); break;                                               \
    case QN_T_U32: LOAD(uint32_t, OUT, (R)v); break;                                               \
    case QN_T_U64: LOAD(uint64_t, OUT, (R)v); break;                                               \
    case QN_T_F32: LOAD(float, OUT, FROM_FLOAT(v)); break;                                         \
    case QN_T_F64: LOAD(double, OUT, FROM_FLOAT(v)); break;                                        \
    default: break;                                                                                \
    }

static void FN(load_f32)(uint32_t type, const char *base, int64_t stride, uint32_t n,
                         float *restrict out)
{
#define KEEP(v) ((float)(v))
    LOAD_ALL(out, float, KEEP)
#undef KEEP
}

static void FN(load_f64)(uint32_t type, const char *base, int64_t stride, uint32_t n,
                         double *restrict out)
{
#define KEEP(v) ((double)(v))
    LOAD_ALL(out, double, KEEP)
#undef KEEP
}

static void FN(load_i64)(uint32_t type, const char *base, int64_t stride, uint32_t n,
                         int64_t *restrict out)
{
#define KEEP(v) to_i64((double)(v))
    LOAD_ALL(out, int64_t, KEEP)
#undef KEEP
}

static void FN(load_code)(uint32_t type, const char *base, int64_t stride, uint32_t n,
                          uint32_t *restrict out)
{
#define KEEP(v) ((uint32_t)to_i64((double)(v)))
    LOAD_ALL(out, uint32_t, KEEP)
#undef KEEP
}

static void FN(load)(const struct qn_lane *lane, const char *base, uint32_t n, union qn_tile *tile)
{
    switch (lane->work) {
    case QN_W_F32: FN(load_f32)(lane->type, base, lane->stride, n, tile->f32); break;
    case QN_W_F64: FN(load_f64)(lane->type, base, lane->stride, n, tile->f64); break;
    case QN_W_I64: FN(load_i64)(lane->type, base, lane->stride, n, tile->i64); break;
    default: FN(load_code)(lane->type, base, lane->stride, n, tile->code); break;
    }
}

/* Differences x - x are NaN for infinities and NaN alike and 0 otherwise, so one vector loop finds
 * out whether a second look is needed. */
static uint32_t FN(seen)(uint32_t work, uint32_t n, const union qn_tile *tile)
{
    uint32_t odd = 0, nan = 0;
    if (work == QN_W_F32) {
        for (uint32_t i = 0; i < n; i++) {
            float x = tile->f32[i];
            odd += (uint32_t)(x - x != 0.0f);
            nan += (uint32_t)(x != x);
        }
    } else if (work == QN_W_F64) {
        for (uint32_t i = 0; i < n; i++) {
            double x = tile->f64[i];
            odd += (uint32_t)(x - x != 0.0);
            nan += (uint32_t)(x != x);
        }
    }
    return (nan != 0 ? QN_SEEN_NAN : 0u) | (odd != nan ? QN_SEEN_INF : 0u);
}

#define EACH(T, EXPR)                                                                              \
    do {                                                                                           \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            T v = x[i];                                                                            \
            x[i] = EXPR;                                                                           \
        }                                                                                          \
    } while (0)

#define FLOAT_OPS(NAME, T, ZERO, ONE)                                                              \
    static void FN(NAME)(uint32_t code, T p0, T p1, uint32_t n, T *restrict x)                     \
    {                                                                                              \
        switch (code) {                                                                            \
        case QN_OP_FILL: EACH(T, v != v ? p0 : v); break;                                          \
        case QN_OP_FILL_EQ: EACH(T, v == p0 ? p1 : v); break;                                      \
        case QN_OP_SUB: EACH(T, v - p0); break;                                                    \
        case QN_OP_ADD: EACH(T, v + p0); break;                                                    \
        case QN_OP_MUL: EACH(T, v *p0); break;                                                     \
        case QN_OP_DIV: EACH(T, v / p0); break;                                                    \
        case QN_OP_CLIP:                                                                           \
            EACH(T, v < p0 ? p0 : v);                                                              \
            EACH(T, v > p1 ? p1 : v);                                                              \
            break;                                                                                 \
        case QN_OP_GREATER: EACH(T, v > p0 ? ONE : ZERO); break;                                   \
        case QN_OP_MISSING: EACH(T, v != v ? ONE : ZERO); break;                                   \
        case QN_OP_EQUAL: EACH(T, v == p0 ? ONE : ZERO); break;                                    \
        default: break;                                                                            \
        }                                                                                          \
    }
FLOAT_OPS(ops_f32, float, 0.0f, 1.0f)
FLOAT_OPS(ops_f64, double, 0.0, 1.0)

#define JOIN(EXPR)                                                                                 \
    do {                                                                                           \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            const __typeof__(*x) a = aside[i], v = x[i];                                           \
            out[i] = EXPR;                                                                         \
        }                                                                                          \
    } while (0)

#define COMPARISONS                                                                                \
    case QN_OP_JOIN_LESS: JOIN(a < v ? 1 : 0); break;                                              \
    case QN_OP_JOIN_LESS_EQUAL: JOIN(a <= v ? 1 : 0); break;                                       \
    case QN_OP_JOIN_GREATER: JOIN(a > v ? 1 : 0); break;                                           \
    case QN_OP_JOIN_GREATER_EQUAL: JOIN(a >= v ? 1 : 0); break;                                    \
    case QN_OP_JOIN_EQUAL:                                                                         \
        JOIN(a == v ? 1 : 0);                                                                      \
        break

#define JOIN_OPS(NAME, T)                                                                          \
    static void FN(NAME)(uint32_t code, uint32_t n, const T *aside, const T *x, T *restrict out)   \
    {                                                                                              \
        switch (code) {                                                                            \
            COMPARISONS;                                                                           \
        case QN_OP_JOIN_ADD: JOIN(a + v); break;                                                   \
        case QN_OP_JOIN_SUB: JOIN(a - v); break;                                                   \
        case QN_OP_JOIN_RSUB: JOIN(v - a); break;                                                  \
        case QN_OP_JOIN_MUL: JOIN(a *v); break;                                                    \
        case QN_OP_JOIN_DIV: JOIN(a / v); break;                                                   \
        case QN_OP_JOIN_RDIV: JOIN(v / a); break;                                                  \
        case QN_OP_JOIN_MIN: JOIN(a < v || a != a ? a : v); break;                                 \
        case QN_OP_JOIN_MAX: JOIN(a > v || a != a ? a : v); break;                                 \
        default: break;                                                                            \
        }                                                                                          \
    }
JOIN_OPS(join_f32, float)
JOIN_OPS(join_f64, double)

static void FN(join_i64)(uint32_t code, uint32_t n, const int64_t *aside, const int64_t *x,
                         int64_t *restrict out)
{
    switch (code) {
        COMPARISONS;
    case QN_OP_JOIN_ADD: JOIN((int64_t)((uint64_t)a + (uint64_t)v)); break;
    case QN_OP_JOIN_SUB: JOIN((int64_t)((uint64_t)a - (uint64_t)v)); break;
    case QN_OP_JOIN_RSUB: JOIN((int64_t)((uint64_t)v - (uint64_t)a)); break;
    case QN_OP_JOIN_MUL: JOIN((int64_t)((uint64_t)a * (uint64_t)v)); break;
    case QN_OP_JOIN_MIN: JOIN(a < v ? a : v); break;
    case QN_OP_JOIN_MAX: JOIN(a > v ? a : v); break;
    default: break;
    }
}

static void FN(where)(uint32_t work, uint32_t n, const union qn_tile *truth,
                      const union qn_tile *aside, const union qn_tile *x,
                      union qn_tile *restrict out)
{
#define WHERE(M)                                                                                   \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        const __typeof__(x->M[0]) a = aside->M[i], v = x->M[i];                                    \
        out->M[i] = truth->M[i] != 0 ? a : v;                                                      \
    }                                                                                              \
    break
    switch (work) {
    case QN_W_F32: WHERE(f32);
    case QN_W_F64: WHERE(f64);
    default: WHERE(i64);
    }
#undef WHERE
}

static void FN(ops_i64)(uint32_t code, int64_t p0, int64_t p1, uint32_t n, int64_t *restrict x)
{
    uint64_t u0 = (uint64_t)p0;
    switch (code) {
    case QN_OP_FILL_EQ: EACH(int64_t, v == p0 ? p1 : v); break;
    case QN_OP_SUB: EACH(int64_t, (int64_t)((uint64_t)v - u0)); break;
    case QN_OP_ADD: EACH(int64_t, (int64_t)((uint64_t)v + u0)); break;
    case QN_OP_MUL: EACH(int64_t, (int64_t)((uint64_t)v * u0)); break;
    case QN_OP_DIV:
        if (p0 == 0)
            EACH(int64_t, v & 0);
        else if (p0 == -1)
            EACH(int64_t, (int64_t)(0 - (uint64_t)v));
        else
            EACH(int64_t, v / p0);
        break;
    case QN_OP_CLIP:
        EACH(int64_t, v < p0 ? p0 : v);
        EACH(int64_t, v > p1 ? p1 : v);
        break;
    case QN_OP_GREATER: EACH(int64_t, v > p0); break;
    case QN_OP_MISSING: EACH(int64_t, v & 0); break;
    case QN_OP_EQUAL: EACH(int64_t, v == p0); break;
    default: break;
    }
}

static void FN(ops_code)(uint32_t code, uint32_t p0, uint32_t p1, uint32_t n, uint32_t *restrict x)
{
    switch (code) {
    case QN_OP_FILL_EQ: EACH(uint32_t, v == p0 ? p1 : v); break;
    case QN_OP_SUB: EACH(uint32_t, v - p0); break;
    case QN_OP_ADD: EACH(uint32_t, v + p0); break;
    case QN_OP_MUL: EACH(uint32_t, v * p0); break;
    case QN_OP_DIV: EACH(uint32_t, p0 != 0 ? v / p0 : 0); break;
    case QN_OP_CLIP:
        EACH(uint32_t, v < p0 ? p0 : v);
        EACH(uint32_t, v > p1 ? p1 : v);
        break;
    case QN_OP_GREATER: EACH(uint32_t, v > p0); break;
    case QN_OP_MISSING: EACH(uint32_t, v & 0); break;
    case QN_OP_EQUAL: EACH(uint32_t, v == p0); break;
    default: break;
    }
}

/* A conversion changes the width in place, so it reads from a copy. */
#define CONVERT(FROM, TO, EXPR)                                                                    \
    do {                                                                                           \
        memcpy(old.FROM, tile->FROM, n * sizeof old.FROM[0]);                                      \
        for (uint32_t i = 0; i < n; i++) tile->TO[i] = EXPR(old.FROM[i]);                          \
    } while (0)

static void FN(convert)(uint32_t code, uint32_t work, uint32_t n, union qn_tile *restrict tile)
{
    union qn_tile old;
#define AS_F32(v) ((float)(v))
#define AS_F64(v) ((double)(v))
#define AS_I64(v) ((int64_t)(v))
#define CUT_I64(v) to_i64((double)(v))
    if (code == QN_OP_TO_F32) {
        if (work == QN_W_F64) CONVERT(f64, f32, AS_F32);
        if (work == QN_W_I64) CONVERT(i64, f32, AS_F32);
        if (work == QN_W_CODE) CONVERT(code, f32, AS_F32);
    } else if (code == QN_OP_TO_F64) {
        if (work == QN_W_F32) CONVERT(f32, f64, AS_F64);
        if (work == QN_W_I64) CONVERT(i64, f64, AS_F64);
        if (work == QN_W_CODE) CONVERT(code, f64, AS_F64);
    } else {
        if (work == QN_W_F32) CONVERT(f32, i64, CUT_I64);
        if (work == QN_W_F64) CONVERT(f64, i64, CUT_I64);
        if (work == QN_W_CODE) CONVERT(code, i64, AS_I64);
    }
#undef AS_F32
#undef AS_F64
#undef AS_I64
#undef CUT_I64
}

/* Lower bound without branches: the loop's length depends on the table alone. */
#define SEARCH(T, LESS, SAME)                                                                      \
    do {                                                                                           \
        uint64_t at_ = 0, left_ = k;                                                               \
        while (left_ > 1) {                                                                        \
            uint64_t half_ = left_ / 2;                                                            \
            at_ += LESS(word_##T(table[at_ + half_ - 1])) ? half_ : 0;                             \
            left_ -= half_;                                                                        \
        }                                                                                          \
        found = k != 0 && SAME(word_##T(table[at_]));                                              \
        place = at_;                                                                               \
    } while (0)

static uint32_t FN(find)(uint32_t work, const uint64_t *table, uint64_t k, uint32_t n,
                         union qn_tile *restrict tile)
{
    union qn_tile old;
    uint32_t unknown = 0;
    memcpy(&old, tile, n * (work == QN_W_F32 ? sizeof(float) : sizeof(double)));
#define LESS(w) ((w) < v)
#define SAME(w) ((w) == v)
    for (uint32_t i = 0; i < n; i++) {
        int found;
        uint64_t place;
        if (work == QN_W_I64) {
            int64_t v = old.i64[i];
            SEARCH(i64, LESS, SAME);
        } else {
            double v = work == QN_W_F32 ? (double)old.f32[i] : old.f64[i];
            if (v != v) {
                tile->code[i] = (uint32_t)k;
                continue;
            }
            SEARCH(f64, LESS, SAME);
        }
        unknown |= (uint32_t)!found;
        tile->code[i] = (uint32_t)(found ? place : k + 1);
    }
#undef LESS
#undef SAME
    return unknown != 0 ? QN_SEEN_UNKNOWN : 0u;
}

static void FN(remap)(const uint64_t *table, uint64_t k, uint32_t n, union qn_tile *restrict tile)
{
    uint32_t last = (uint32_t)(k - 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = tile->code[i];
        tile->code[i] = (uint32_t)table[v < last ? v : last];
    }
}

static void FN(value)(const uint64_t *table, uint64_t k, uint32_t n, union qn_tile *restrict tile)
{
    union qn_tile old;
    uint32_t last = (uint32_t)(k - 1);
    memcpy(old.code, tile->code, n * sizeof old.code[0]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = old.code[i];
        tile->f64[i] = word_f64(table[v < last ? v : last]);
    }
}

static const struct chain_loops FN(loops) = {
    FN(load), FN(seen),  FN(ops_f32), FN(ops_f64),  FN(ops_i64),  FN(ops_code), FN(convert),
    FN(find), FN(remap), FN(value),   FN(join_f32), FN(join_f64), FN(join_i64), FN(where)};

#undef FN
#undef LOAD
#undef LOAD_ALL
#undef EACH
#undef FLOAT_OPS
#undef JOIN
#undef COMPARISONS
#undef JOIN_OPS
#undef CONVERT
#undef SEARCH
