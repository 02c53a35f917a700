/* SPDX-License-Identifier: Apache-2.0
 * The flat chain, once per instruction set and working type. run_flat.c sets QN_SUFFIX, FLAT_F64 (0 or
 * 1), FLAT_BYTES of a vector, FLAT_STREAM(p, v) and FLAT_ANY(mask) and includes this. Where
 * comparisons give masks rather than vectors it sets FLAT_MASKS, and in place of FLAT_ANY what is below.
 *
 * A block is eight vectors held in registers while the chain's ops are interpreted over them: the
 * interpreter costs one well-predicted jump per op and 256 bytes (AVX2), any chain runs at the
 * speed of memory, and no table of fused pairs is needed. */

#if FLAT_F64
#define T double
#define TI int64_t
#define ABS_BITS INT64_C(0x7fffffffffffffff)
#define INF_BITS INT64_C(0x7ff0000000000000)
#define NAN_BITS INT64_C(0x7ff8000000000000)
#define FLAT(name) QN_PASTE(name##_f64, QN_SUFFIX)
#else
#define T float
#define TI int32_t
#define ABS_BITS INT32_C(0x7fffffff)
#define INF_BITS INT32_C(0x7f800000)
#define NAN_BITS INT32_C(0x7fc00000)
#define FLAT(name) QN_PASTE(name##_f32, QN_SUFFIX)
#endif

typedef T FLAT(v) __attribute__((vector_size(FLAT_BYTES)));
typedef TI FLAT(vi) __attribute__((vector_size(FLAT_BYTES)));
typedef T FLAT(vu) __attribute__((vector_size(FLAT_BYTES), aligned(sizeof(T)), may_alias));
typedef TI FLAT(viu) __attribute__((vector_size(FLAT_BYTES), aligned(sizeof(T)), may_alias));

#define V FLAT(v)
#define VI FLAT(vi)
#define W ((size_t)(FLAT_BYTES / sizeof(T)))
#define LOAD(p) (*(const FLAT(vu) *)(p))
#define PARAM(p, k)                                                                                \
    (how & FLAT_COLUMN ? (V)SPLAT(*(const TI *)(const void *)(p)) : (V)LOAD((p) + (k)*W))
#define SPLAT(bits) ((VI){0} + (TI)(bits))
#define SELECT(mask, a, b) ((V)(((VI)(mask) & (VI)(a)) | (~(VI)(mask) & (VI)(b))))

/* PICK_LESS(x, y, a, b): x < y ? a : b; so the others. AT_LEAST(p, x): x < p ? p : x, a NaN stays.
 * FILLED(x, value): x, or value where it is NaN. GREATER_SIZE(a, b): of neither NaN. */
#if defined(FLAT_MASKS) && FLAT_F64
#define PICK(x, how, y, a, b)                                                                      \
    ((V)_mm512_mask_blend_pd(_mm512_cmp_pd_mask((x), (y), (how)), (V)(b), (V)(a)))
#define SPECIALS __mmask8
#define FILLED(x, value) ((V)_mm512_fixupimm_pd((value), (x), (__m512i)SPLAT(0x11111100), 0))
#define GREATER_SIZE(a, b) ((V)_mm512_range_pd((a), (b), 11))
#define OR_WHERE(mask, a, bits)                                                                    \
    ((VI)_mm512_mask_or_epi64((__m512i)(a), (mask), (__m512i)(a), (__m512i)SPLAT(bits)))
#define CLASS(x, kinds) _mm512_fpclass_pd_mask((x), (kinds))
#elif defined(FLAT_MASKS)
#define PICK(x, how, y, a, b)                                                                      \
    ((V)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((x), (y), (how)), (V)(b), (V)(a)))
#define SPECIALS __mmask16
#define FILLED(x, value) ((V)_mm512_fixupimm_ps((value), (x), (__m512i)SPLAT(0x11111100), 0))
#define GREATER_SIZE(a, b) ((V)_mm512_range_ps((a), (b), 11))
#define OR_WHERE(mask, a, bits)                                                                    \
    ((VI)_mm512_mask_or_epi32((__m512i)(a), (mask), (__m512i)(a), (__m512i)SPLAT(bits)))
#define CLASS(x, kinds) _mm512_fpclass_ps_mask((x), (kinds))
#endif
#if defined(FLAT_MASKS)
#define FLAT_FILLS 1
#define PICK_LESS(x, y, a, b) PICK(x, _CMP_LT_OS, y, a, b)
#define PICK_GREATER(x, y, a, b) PICK(x, _CMP_GT_OS, y, a, b)
#define PICK_EQUAL(x, y, a, b) PICK(x, _CMP_EQ_OQ, y, a, b)
#define PICK_NAN(x, a, b) PICK(x, _CMP_UNORD_Q, x, a, b)
#define SPECIAL(x) CLASS(x, 0x99) /* infinities and NaNs */
#define IS_NAN(x) CLASS(x, 0x81)
#define INFINITE(x) CLASS(x, 0x18)
#define ANY(m) ((m) != 0)
#else
#define FLAT_FILLS 0
#define PICK_LESS(x, y, a, b) SELECT((x) < (y), a, b)
#define PICK_GREATER(x, y, a, b) SELECT((x) > (y), a, b)
#define PICK_EQUAL(x, y, a, b) SELECT((x) == (y), a, b)
#define PICK_NAN(x, a, b) SELECT((x) != (x), a, b)
#define SPECIALS VI
#define SPECIAL(x) ((VI)(((VI)(x)&SPLAT(INF_BITS)) == SPLAT(INF_BITS)))
#define INFINITE(x) ((VI)(((VI)(x)&SPLAT(ABS_BITS)) == SPLAT(INF_BITS)))
#define ANY(m) FLAT_ANY(m)
#endif
#if defined(FLAT_CALL) && FLAT_F64 /* of equal ones, or where one is NaN, they take the second */
#define AT_LEAST(p, x) ((V)FLAT_CALL(max, pd)((p), (x)))
#define AT_MOST(p, x) ((V)FLAT_CALL(min, pd)((p), (x)))
#elif defined(FLAT_CALL)
#define AT_LEAST(p, x) ((V)FLAT_CALL(max, ps)((p), (x)))
#define AT_MOST(p, x) ((V)FLAT_CALL(min, ps)((p), (x)))
#else
#define AT_LEAST(p, x) PICK_LESS(x, p, p, x)
#define AT_MOST(p, x) PICK_GREATER(x, p, p, x)
#endif
#if defined(FLAT_WHOLE) && !FLAT_F64
#define LOG1P 1
#include "backends/cpu/run_flat_log1p_body.h"
#else
#define LOG1P 0
#endif
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* Which of a block's values are not finite, from its first column on; rare, or (imputing) a loop of its own. */
static QN_NOINLINE void FLAT(mark)(const T *in, TI *seen)
{
    for (size_t k = 0; k < FLAT_VECTORS; k++) {
        V x = LOAD(in + k * W);
        /* NOLINTNEXTLINE(misc-redundant-expression): only a NaN differs from itself */
        VI nan = (VI)(x != x), inf = (VI)(((VI)x & SPLAT(ABS_BITS)) == SPLAT(INF_BITS));
        FLAT(viu) *at = (FLAT(viu) *)(seen + k * W);
        *at |= (nan & SPLAT(QN_SEEN_NAN)) | (inf & SPLAT(QN_SEEN_INF));
    }
}

#if FLAT_FILLS
/* A column that is imputed has NaNs in most blocks. */
static inline void FLAT(mark_nans)(V x, TI *seen)
{
    FLAT(viu) *at = (FLAT(viu) *)seen;
    *at = OR_WHERE(IS_NAN(x), *at, QN_SEEN_NAN);
}
#endif

/* The number of edges less one for each that x is below; NaN is below none, and none is below an edge
 * that is NaN, which stands for one that a column lacks. Two vectors, whose sums do not wait for each other. */
static inline void FLAT(bin)(V *x0, V *x1, const T *p, const struct qn_flat_op *op, size_t extended)
{
    const V zero = {0}, less = zero - 1, a = *x0, b = *x1;
    V at0 = LOAD(p), at1 = LOAD(p + W);
    for (uint32_t j = 0; j < op->edges; j++) {
        p += extended;
        at0 += (V)((VI)(a < LOAD(p)) & (VI)less);
        at1 += (V)((VI)(b < LOAD(p + W)) & (VI)less);
    }
    *x0 = at0;
    *x1 = at1;
}

/* LOOK: which of a block's values became infinite on their way; rare. */
static QN_NOINLINE void FLAT(mark_made)(const T *now, TI *seen)
{
    for (size_t k = 0; k < FLAT_VECTORS * W; k += W) {
        VI inf = (VI)(((VI)LOAD(now + k) & SPLAT(ABS_BITS)) == SPLAT(INF_BITS));
        *(FLAT(viu) *)(seen + k) |= inf & SPLAT(QN_SEEN_MADE_INF);
    }
}

/* By cells (run_flat_bins.h). A NaN is in the last one, and below no edge. */
#if FLAT_CELLS
#if defined(FLAT_MASKS) && FLAT_F64
#define OP(name) _mm512_##name##_pd
#define WHOLE(t) _mm512_roundscale_pd(t, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define AT(base, at) _mm512_i32gather_pd(_mm512_cvttpd_epi32(at), base, 8)
#define AND_ONE(first, x, edge) PICK(x, _CMP_NLT_UQ, edge, (first) + 1, first)
#elif defined(FLAT_MASKS)
#define OP(name) _mm512_##name##_ps
#define WHOLE(t) _mm512_roundscale_ps(t, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define AT(base, at) _mm512_i32gather_ps(_mm512_cvttps_epi32(at), base, 4)
#define AND_ONE(first, x, edge) PICK(x, _CMP_NLT_UQ, edge, (first) + 1, first)
#elif FLAT_F64
#define OP(name) _mm256_##name##_pd
#define WHOLE(t) _mm256_round_pd(t, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define AT(base, at) _mm256_i32gather_pd(base, _mm256_cvttpd_epi32(at), 8)
#define AND_ONE(first, x, edge)                                                                    \
    ((first) + _mm256_and_pd(_mm256_cmp_pd(x, edge, _CMP_NLT_UQ), (V){0} + 1))
#else
#define OP(name) _mm256_##name##_ps
#define WHOLE(t) _mm256_round_ps(t, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define AT(base, at) _mm256_i32gather_ps(base, _mm256_cvttps_epi32(at), 4)
#define AND_ONE(first, x, edge)                                                                    \
    ((first) + _mm256_and_ps(_mm256_cmp_ps(x, edge, _CMP_NLT_UQ), (V){0} + 1))
#endif
static inline V FLAT(cell)(V x, const T *p, const struct qn_flat_op *op, size_t extended,
                           const T *edges, const T *before)
{
    const V zero = {0}, last = zero + (T)(op->cells - 1);
    V t = (x - LOAD(p)) * LOAD(p + extended);
    t = OP(max)(OP(min)(t, last), zero);
    const V cell = WHOLE(t), at = cell + LOAD(p + 2 * extended);
    const V first = before != NULL ? (V)AT(before, at) : cell;
    return AND_ONE(first, x, (V)AT(edges, at));
}
#undef OP
#undef WHOLE
#undef AT
#undef AND_ONE
#endif

#if LOG1P
/* A block again, with arguments of LOG1P that FLAT(log1p) does not know; rare. */
static void FLAT(wild_block)(const struct qn_flat_chain *f, const T *in, T *out, size_t pos,
                             TI *seen, int how);
#endif

static inline void FLAT(block)(const struct qn_flat_chain *f, const T *in, T *out, size_t pos,
                               TI *seen, const int how)
{
#define X(k) V x##k = LOAD(in + k * W);
    EACH(X)
#undef X
    const V zero = {0};
    const int marks = seen != NULL && f->goes_on == 0;
    /* imputed: NaNs are seen to below */
    const int fills = FLAT_FILLS && marks && f->ops[0].code == QN_OP_FILL;
    if (marks && !fills) {
        SPECIALS special = {0};
#define X(k) special |= SPECIAL(x##k);
        EACH(X)
#undef X
        if (QN_UNLIKELY(ANY(special))) FLAT(mark)(in, seen);
    }
    const T *params = (const T *)f->params + pos;
    for (uint32_t i = 0; i < f->n_ops; i++) {
        const T *p = params + f->ops[i].first;
        const T *q = p + f->extended;
        switch (f->ops[i].code) {
#define X(k) x##k = x##k - PARAM(p, k);
        case QN_OP_SUB: EACH(X) break;
#undef X
#define X(k) x##k = x##k + PARAM(p, k);
        case QN_OP_ADD: EACH(X) break;
#undef X
#define X(k) x##k = x##k * PARAM(p, k);
        case QN_OP_MUL: EACH(X) break;
#undef X
#define X(k) x##k = x##k / PARAM(p, k);
        case QN_OP_DIV: EACH(X) break;
#undef X
#define X(k) x##k = PICK_NAN(x##k, PARAM(p, k), x##k);
        case QN_OP_FILL:
#if FLAT_FILLS
            if (i == 0 && fills) {
                V most = {0};
#define Y(k) FLAT(mark_nans)(x##k, seen + k * W);
                if (!(how & FLAT_NANS_KNOWN)) {
                    EACH(Y)
                }
#undef Y
#define Y(k)                                                                                       \
    x##k = FILLED(x##k, PARAM(p, k));                                                              \
    most = GREATER_SIZE(most, x##k);
                EACH(Y)
#undef Y
                if (QN_UNLIKELY(ANY(INFINITE(most)))) FLAT(mark)(in, seen);
                break;
            }
#endif
            EACH(X)
            break;
#undef X
#define X(k) x##k = PICK_EQUAL(x##k, PARAM(p, k), PARAM(q, k), x##k);
        case QN_OP_FILL_EQ: EACH(X) break;
#undef X
#define X(k) x##k = AT_MOST(PARAM(q, k), AT_LEAST(PARAM(p, k), x##k));
        case QN_OP_CLIP: EACH(X) break;
#undef X
#define X(k) x##k = PICK_GREATER(x##k, PARAM(p, k), zero + 1, zero);
        case QN_OP_GREATER: EACH(X) break;
#undef X
#define X(k) x##k = PICK_NAN(x##k, zero + 1, zero);
        case QN_OP_MISSING: EACH(X) break;
#undef X
        case QN_OP_LOOK: {
            SPECIALS special = {0};
#define X(k) special |= INFINITE(x##k);
            EACH(X)
#undef X
            if (QN_LIKELY(seen == NULL || !ANY(special))) break;
            T now[FLAT_VECTORS * W];
#define X(k) *(FLAT(vu) *)(now + k * W) = x##k;
            EACH(X)
#undef X
            FLAT(mark_made)(now, seen);
            break;
        }
        case QN_OP_BIN:
#if FLAT_CELLS
            if (f->ops[i].cells != 0) {
                const struct qn_flat_op *op = &f->ops[i];
                const T *edges = (const T *)f->params + op->first + 3 * f->extended;
                const T *before = op->cells != op->edges ? edges + f->columns * op->cells : NULL;
#define X(k) x##k = FLAT(cell)(x##k, p + k * W, op, f->extended, edges, before);
                EACH(X)
#undef X
                break;
            }
#endif
            FLAT(bin)(&x0, &x1, p, &f->ops[i], f->extended);
            FLAT(bin)(&x2, &x3, p + 2 * W, &f->ops[i], f->extended);
            FLAT(bin)(&x4, &x5, p + 4 * W, &f->ops[i], f->extended);
            FLAT(bin)(&x6, &x7, p + 6 * W, &f->ops[i], f->extended);
            break;
#if LOG1P
        case QN_OP_LOG1P:
            if (how & FLAT_WILD) {
                T now[FLAT_VECTORS * W];
#define X(k) *(FLAT(vu) *)(now + k * W) = x##k;
                EACH(X)
#undef X
                qn_functions_f32(QN_OP_LOG1P, 0, FLAT_VECTORS * W, now);
#define X(k) x##k = LOAD(now + k * W);
                EACH(X)
#undef X
            } else {
                if (f->ops[i].limits) {
                    const T *s = params + f->ops[i].third, *t = s + f->extended;
#define X(k) x##k = AT_MOST(LOAD(t + k * W), AT_LEAST(LOAD(s + k * W), x##k));
                    EACH(X)
#undef X
                } else {
                    V low = zero + 1, high = low;
#define X(k) low = LOWER(x##k + 1, low), high = HIGHER(x##k + 1, high);
                    EACH(X)
#undef X
                    if (QN_UNLIKELY(!FLAT(log1p_knows)(low, high))) {
                        FLAT(wild_block)(f->plain, in, out, pos, seen, how);
                        return;
                    }
                }
                FLAT(log1p)(&x0, &x1, &x2, &x3);
                FLAT(log1p)(&x4, &x5, &x6, &x7);
                if (f->ops[i].scales) {
                    const T *s = params + f->ops[i].second, *t = s + f->extended;
#define X(k) x##k = FLAT(quotient)(x##k - LOAD(p + k * W), LOAD(s + k * W), LOAD(t + k * W));
                    EACH(X)
#undef X
                }
            }
            break;
#endif
#define X(k) x##k = PICK_EQUAL(x##k, PARAM(p, k), zero + 1, zero);
        default: EACH(X) break; /* QN_OP_EQUAL: the plan admits nothing else */
#undef X
        }
    }
    if (f->is_last && !f->no_nans) {
#define X(k) x##k = PICK_NAN(x##k, (V)SPLAT(NAN_BITS), x##k);
        EACH(X)
#undef X
    }
    if (how & FLAT_STREAMS) {
#define X(k) FLAT_STREAM(out + k * W, x##k);
        EACH(X)
#undef X
    } else {
#define X(k) *(FLAT(vu) *)(out + k * W) = x##k;
        EACH(X)
#undef X
    }
}

#if LOG1P
static QN_NOINLINE void FLAT(wild_block)(const struct qn_flat_chain *f, const T *in, T *out,
                                         size_t pos, TI *seen, int how)
{
    FLAT(block)(f, in, out, pos, seen, how | FLAT_WILD);
}
#endif

/* Fewer values than a block: through a buffer, padded with zeros. What those become is not marked. */
static inline void FLAT(part)(const struct qn_flat_chain *f, const T *in, T *out, size_t n,
                              size_t pos, TI *seen, const int how)
{
    T buffer[FLAT_VECTORS * W] = {0};
    TI marks[FLAT_VECTORS * W] = {0};
    memcpy(buffer, in, n * sizeof(T));
    FLAT(block)(f, buffer, buffer, pos, seen != NULL ? marks : NULL, how);
    memcpy(out, buffer, n * sizeof(T));
    for (size_t i = 0; seen != NULL && i < n; i++) seen[i] |= marks[i];
}

#define MARKS (seen != NULL ? seen + pos : NULL)
static void FLAT(run)(const struct qn_flat_chain *f, const void *from, void *to, size_t n,
                      size_t pos, void *marks, int how)
{
    const T *in = from;
    T *out = to;
    TI *seen = marks;
    const size_t block = FLAT_VECTORS * W;
    const int known = how & FLAT_NANS_KNOWN;
    if (how & FLAT_STREAMS) {
        size_t head = (size_t)(-(uintptr_t)out % FLAT_ALIGN) / sizeof(T);
        if (head > n) head = n;
        if (head > 0) {
            FLAT(part)(f, in, out, head, pos, MARKS, known);
            in += head, out += head, n -= head, pos += head;
            if (pos >= f->period) pos -= f->period;
        }
        for (; n >= block; n -= block, in += block, out += block) {
            for (size_t k = 0; k < FLAT_VECTORS * FLAT_BYTES; k += 64)
                __builtin_prefetch((const char *)in + k + FLAT_AHEAD, 0, 3);
            FLAT(block)(f, in, out, pos, MARKS, FLAT_STREAMS | known);
            pos += block;
            if (pos >= f->period) pos -= f->period;
        }
    } else
        for (; n >= block; n -= block, in += block, out += block) {
            FLAT(block)(f, in, out, pos, MARKS, known);
            pos += block;
            if (pos >= f->period) pos -= f->period;
        }
    if (n > 0) FLAT(part)(f, in, out, n, pos, MARKS, known);
}
#undef MARKS

/* A tile's column: the parameters are the same for each value. Returns what was seen. */
static uint32_t FLAT(column)(const struct qn_flat_chain *f, const void *from, void *to, size_t n,
                             int marked)
{
    const T *in = from;
    T *out = to;
    TI marks[FLAT_VECTORS * W] = {0}, all = 0;
    TI *seen = marked ? marks : NULL;
    const size_t block = FLAT_VECTORS * W;
    for (; n >= block; n -= block, in += block, out += block)
        FLAT(block)(f, in, out, 0, seen, FLAT_COLUMN);
    if (n > 0) FLAT(part)(f, in, out, n, 0, seen, FLAT_COLUMN);
    for (size_t i = 0; i < block; i++) all |= marks[i];
    return (uint32_t)all;
}

#undef LOG1P
#undef LOWER
#undef HIGHER
#undef V
#undef VI
#undef PARAM
#undef W
#undef LOAD
#undef SPLAT
#undef SELECT
#undef EACH
#undef AT_MOST
#undef AT_LEAST
#undef ANY
#undef INFINITE
#undef SPECIAL
#undef SPECIALS
#undef IS_NAN
#undef FILLED
#undef GREATER_SIZE
#undef OR_WHERE
#undef FLAT_FILLS
#undef PICK_NAN
#undef PICK_EQUAL
#undef PICK_GREATER
#undef PICK_LESS
#undef CLASS
#undef PICK
#undef T
#undef TI
#undef ABS_BITS
#undef INF_BITS
#undef NAN_BITS
#undef FLAT
#undef FLAT_F64
