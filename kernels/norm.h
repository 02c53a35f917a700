/* SPDX-License-Identifier: Apache-2.0
 * The norm of one row, summed in exactly the order that NumPy sums it (docs/numbers-norms.md), so
 * that a device, the CPU's SIMD code and scikit-learn agree on every bit.
 *
 * The order is the owner's: the caller asks which value comes next and hands it over, from whatever
 * memory it lies in.
 *
 *     struct qn_norm_f32 s;
 *     qn_norm_begin_f32(&s, kind, order, n);
 *     for (i = 0; i < n; i++) qn_norm_add_f32(&s, value_of(qn_norm_next_f32(&s)));
 *     divisor = qn_norm_end_f32(&s);
 *
 * Plain C, OpenCL C and CUDA read this file. The two working types are made by one macro because
 * OpenCL C has no templates and a device without fp64 must not see `double` (it defines
 * QN_NO_F64). */
#ifndef QN_NORM_H
#define QN_NORM_H

#include "kernels/program.h"

#ifndef QN_FN
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define QN_FN static __device__ __forceinline__
#else
#define QN_FN static inline
#endif
#endif
/* Correctly rounded square roots; the dialect names the device's own. */
#ifndef QN_SQRT_F32
#if defined(__OPENCL_VERSION__)
#define QN_SQRT_F32(x) sqrt(x)
#define QN_SQRT_F64(x) sqrt(x)
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define QN_SQRT_F32(x) __fsqrt_rn(x)
#define QN_SQRT_F64(x) __dsqrt_rn(x)
#else
#include <math.h>
#define QN_SQRT_F32(x) sqrtf(x)
#define QN_SQRT_F64(x) sqrt(x)
#endif
#endif

/* A divisor below 10 epsilon is replaced by 1: such a row counts as zero and stays as it is. */
#define QN_NORM_TINY_F32 1.1920928955078125e-06f
#define QN_NORM_TINY_F64 2.220446049250313080847263336181640625e-15

/* Pairwise summation halves rows longer than a leaf; 16 levels reach 8 million values. */
#define QN_NORM_LEAF 128u
#define QN_NORM_LEVELS 16u
#define QN_NORM_MAX_LANES 4194304u

/* How the sum goes: one running value; SIMD lanes as einsum keeps them; pairwise leaves. */
#define QN_NORM_RUNNING 0u
#define QN_NORM_LANES 1u
#define QN_NORM_PAIRWISE 2u

/* The left part of a split of n > QN_NORM_LEAF values. */
QN_FN qn_u32 qn_norm_split(qn_u32 n)
{
    qn_u32 middle = n / 2u; /* `half` is a type of OpenCL C */
    return middle - middle % 8u;
}

/* Which value of n einsum takes at `step`: `lanes` SIMD lanes, four vectors a round, last first;
 * what is left over goes in ascending order. */
QN_FN qn_u32 qn_norm_place(qn_u32 step, qn_u32 n, qn_u32 lanes)
{
    qn_u32 round = 4u * lanes;
    if (step >= n - n % round) return step;
    qn_u32 in_round = step % round;
    return step - in_round + (3u - in_round / lanes) * lanes + in_round % lanes;
}

#define QN_NORM_DEFINE(NAME, REAL, LANES, SQRT, TINY)                                                \
    struct qn_norm_##NAME {                                                                          \
        REAL acc[8];                  /* running value in acc[0], SIMD lanes, or a leaf's eight */   \
        REAL left[QN_NORM_LEVELS];    /* finished left halves                                   */   \
        qn_u32 right[QN_NORM_LEVELS]; /* values of the right half still to come; 0: under way   */   \
        qn_u32 kind, mode, n, step;                                                                  \
        qn_u32 depth, leaf,                                                                          \
            leaf_step; /* pairwise: open splits, values in this leaf, so far     */                  \
    };                                                                                               \
                                                                                                     \
    QN_FN void qn_norm_leaf_##NAME(struct qn_norm_##NAME *s, qn_u32 n)                               \
    {                                                                                                \
        while (n > QN_NORM_LEAF) {                                                                   \
            qn_u32 first = qn_norm_split(n);                                                         \
            s->right[s->depth] = n - first;                                                          \
            s->depth++;                                                                              \
            n = first;                                                                               \
        }                                                                                            \
        s->leaf = n;                                                                                 \
        s->leaf_step = 0u;                                                                           \
        for (qn_u32 i = 0u; i < 8u; i++) s->acc[i] = 0;                                              \
    }                                                                                                \
                                                                                                     \
    /* n <= QN_NORM_MAX_LANES */                                                                     \
    QN_FN void qn_norm_begin_##NAME(struct qn_norm_##NAME *s, qn_u32 kind, qn_u32 order, qn_u32 n)   \
    {                                                                                                \
        s->kind = kind;                                                                              \
        s->n = n;                                                                                    \
        s->step = 0u;                                                                                \
        s->depth = 0u;                                                                               \
        s->mode = QN_NORM_RUNNING;                                                                   \
        if (order == QN_ORDER_ROWS && kind == QN_NORM_L2) s->mode = QN_NORM_LANES;                   \
        if (order == QN_ORDER_ROWS && kind == QN_NORM_L1) s->mode = QN_NORM_PAIRWISE;                \
        s->leaf = n;                                                                                 \
        s->leaf_step = 0u;                                                                           \
        for (qn_u32 i = 0u; i < 8u; i++) s->acc[i] = 0;                                              \
        if (s->mode == QN_NORM_PAIRWISE) qn_norm_leaf_##NAME(s, n);                                  \
    }                                                                                                \
                                                                                                     \
    /* The number of the value to add now. */                                                        \
    QN_FN qn_u32 qn_norm_next_##NAME(const struct qn_norm_##NAME *s)                                 \
    {                                                                                                \
        return s->mode == QN_NORM_LANES ? qn_norm_place(s->step, s->n, LANES) : s->step;             \
    }                                                                                                \
                                                                                                     \
    QN_FN REAL qn_norm_fold8_##NAME(const struct qn_norm_##NAME *s)                                  \
    {                                                                                                \
        return ((s->acc[0] + s->acc[1]) + (s->acc[2] + s->acc[3])) +                                 \
               ((s->acc[4] + s->acc[5]) + (s->acc[6] + s->acc[7]));                                  \
    }                                                                                                \
                                                                                                     \
    /* A leaf: eight sums over its multiple of eight, folded, then the rest one by one; the leaf's \
     * value ends in acc[0] and moves up the open splits. */ \
    QN_FN void qn_norm_pair_##NAME(struct qn_norm_##NAME *s, REAL magnitude)                         \
    {                                                                                                \
        qn_u32 body = s->leaf - s->leaf % 8u;                                                        \
        if (s->leaf_step < body) {                                                                   \
            s->acc[s->leaf_step % 8u] += magnitude;                                                  \
            if (s->leaf_step + 1u == body) s->acc[0] = qn_norm_fold8_##NAME(s);                      \
        } else                                                                                       \
            s->acc[0] += magnitude;                                                                  \
        s->leaf_step++;                                                                              \
        if (s->leaf_step < s->leaf) return;                                                          \
        REAL value = s->acc[0];                                                                      \
        while (s->depth > 0u && s->right[s->depth - 1u] == 0u) {                                     \
            s->depth--;                                                                              \
            value = s->left[s->depth] + value;                                                       \
        }                                                                                            \
        if (s->depth > 0u) {                                                                         \
            qn_u32 rest = s->right[s->depth - 1u];                                                   \
            s->right[s->depth - 1u] = 0u;                                                            \
            s->left[s->depth - 1u] = value;                                                          \
            qn_norm_leaf_##NAME(s, rest);                                                            \
        } else                                                                                       \
            s->acc[0] = value;                                                                       \
    }                                                                                                \
                                                                                                     \
    QN_FN void qn_norm_add_##NAME(struct qn_norm_##NAME *s, REAL x)                                  \
    {                                                                                                \
        REAL magnitude = x < 0 ? -x : x;                                                             \
        if (s->mode == QN_NORM_PAIRWISE)                                                             \
            qn_norm_pair_##NAME(s, magnitude);                                                       \
        else if (s->mode == QN_NORM_LANES)                                                           \
            s->acc[s->step % LANES] += x * x;                                                        \
        else if (s->kind == QN_NORM_L2)                                                              \
            s->acc[0] += x * x;                                                                      \
        else if (s->kind == QN_NORM_L1)                                                              \
            s->acc[0] += magnitude;                                                                  \
        else if (magnitude > s->acc[0] || magnitude != magnitude) /* a NaN, once in, stays */        \
            s->acc[0] = magnitude;                                                                   \
        s->step++;                                                                                   \
    }                                                                                                \
                                                                                                     \
    /* What the row's values are divided by. */                                                      \
    QN_FN REAL qn_norm_end_##NAME(const struct qn_norm_##NAME *s)                                    \
    {                                                                                                \
        REAL norm = s->acc[0];                                                                       \
        if (s->mode == QN_NORM_LANES) {                                                              \
            norm = norm + s->acc[1];                                                                 \
            if (LANES == 4u) norm = norm + (s->acc[2] + s->acc[3]);                                  \
        }                                                                                            \
        if (s->kind == QN_NORM_L2) norm = SQRT(norm);                                                \
        return norm < TINY ? 1 : norm;                                                               \
    }

QN_NORM_DEFINE(f32, float, 4u, QN_SQRT_F32, QN_NORM_TINY_F32)
#if !defined(QN_NO_F64)
QN_NORM_DEFINE(f64, double, 2u, QN_SQRT_F64, QN_NORM_TINY_F64)
#endif

#endif
