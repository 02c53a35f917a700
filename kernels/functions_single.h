/* SPDX-License-Identifier: Apache-2.0
 * exp, expm1 and the logarithms of float32, in float32 and 32-bit integers alone: on vectors these are
 * twice as many values at a time as in float64, and on most GPUs float64 is dear. The rules are those of
 * functions_exp.h. Each result is a sum of a high and a low part that is rounded once, so that what
 * is lost before is a few hundredths of a unit. docs/numbers.md has the methods and the errors. */
#ifndef QN_FUNCTIONS_SINGLE_H
#define QN_FUNCTIONS_SINGLE_H

#include "kernels/functions_exp.h"

#define QN_INFINITY_F32 QN_F32(0x7f800000u)
#define QN_NOT_A_NUMBER_F32 QN_F32(0x7fc00000u)

/* 1.5 * 2^23: adding it rounds to a whole number, which then lies in the low bits. */
#define QN_ROUNDER_F32 12582912.0f

QN_MATH float qn_magnitude_f32(float x)
{
    return QN_F32(QN_BITS32(x) & 0x7fffffffu);
}

/* 2^-k as -k 2^23, k = 0 for u from 3/4 to 3/2. u: normal and positive. */
QN_MATH qn_u32 qn_log_cutting_f32(float u)
{
    return (0x3fbfffffu - QN_BITS32(u)) & 0xff800000u;
}

/* The sum of both is the logarithm; high alone is near it. */
struct qn_log_parts_f32 {
    float high, low;
};

/* log(1 + f), f between -1/4 and 1/2: f - f^2 / 2 in two words and f^3 times a polynomial. Both have the
 * sign of a zero. */
QN_MATH struct qn_log_parts_f32 qn_log_near_f32(float f)
{
    float p = 0.037673432f;
    p = QN_FMA_F32(p, f, -0.09116213f);
    p = QN_FMA_F32(p, f, 0.117006764f);
    p = QN_FMA_F32(p, f, -0.1272788f);
    p = QN_FMA_F32(p, f, 0.14276311f);
    p = QN_FMA_F32(p, f, -0.16655296f);
    p = QN_FMA_F32(p, f, 0.19999593f);
    p = QN_FMA_F32(p, f, -0.25000164f);
    p = QN_FMA_F32(p, f, 0.3333334f);
    struct qn_log_parts_f32 l;
    float half_ = -0.5f * f;
    l.high = QN_FMA_F32(half_, f, f);
    l.low = QN_FMA_F32(f * f * f, p, QN_FMA_F32(half_, f, -(l.high - f)));
    return l;
}

/* log(2^k (1 + f)) for cut = -k 2^23, f between -1/4 and 1/2: k ln 2 + f in two words and f^2 times a polynomial.
 * Its sign is f's where k = 0. */
QN_MATH float qn_log_sum_f32(qn_u32 cut, float f)
{
    /* ln 2 / 2^23 in two parts, of which the first times any k 2^23 is exact. */
    float k = (float)(qn_i32)cut, high = QN_FMA_F32(k, -8.262941e-08f, f);
    float lost = f - QN_FMA_F32(-k, -8.262941e-08f, high);
    float p = -0.045125898f;
    p = QN_FMA_F32(p, f, 0.10470479f);
    p = QN_FMA_F32(p, f, -0.131643668f);
    p = QN_FMA_F32(p, f, 0.144782841f);
    p = QN_FMA_F32(p, f, -0.166469648f);
    p = QN_FMA_F32(p, f, 0.199908167f);
    p = QN_FMA_F32(p, f, -0.250001043f);
    p = QN_FMA_F32(p, f, 0.333334506f);
    p = QN_FMA_F32(p, f, -0.5f);
    return high + QN_FMA_F32(f * f, p, QN_FMA_F32(k, -1.703032e-13f, lost));
}

/* r, or what the logarithm of an x that is no positive number is. */
QN_MATH float qn_log_settled_f32(float x, float r)
{
    float other = x == 0.0f ? -QN_INFINITY_F32 : QN_NOT_A_NUMBER_F32;
    r = x == QN_INFINITY_F32 ? x : r;
    return x > 0.0f ? r : other;
}

/* x = 2^k (1 + f). */
struct qn_log_cut_f32 {
    qn_u32 cut;
    float f;
};

QN_MATH struct qn_log_cut_f32 qn_log_cut_of_f32(float x)
{
    int tiny = x < 1.17549435e-38f;
    float u = tiny ? x * 8388608.0f : x;
    qn_u32 cut = qn_log_cutting_f32(u);
    struct qn_log_cut_f32 c;
    c.f = QN_F32(QN_BITS32(u) + cut) - 1.0f;
    c.cut = tiny ? cut + 0x0b800000u : cut;
    return c;
}

QN_MATH float qn_log_f32(float x)
{
    struct qn_log_cut_f32 c = qn_log_cut_of_f32(x);
    return qn_log_settled_f32(x, qn_log_sum_f32(c.cut, c.f));
}

/* f = 2^-k (1 + x) - 1 is exact: x and 1 - 2^k are within a factor of two where k is neither 0 nor so large
 * that x itself is all. -(1 - 2^-k), which is -0 for k = 0, leaves a -0 what it is. */
QN_MATH float qn_log1p_f32(float x)
{
    float u = 1.0f + x;
    qn_u32 cut = qn_log_cutting_f32(u);
    float scale = QN_F32(cut + 0x40800000u) * 0.25f; /* 2^-128 is subnormal */
    float f = QN_FMA_F32(x, scale, -(1.0f - scale));
    return qn_log_settled_f32(u, qn_log_sum_f32(cut, f));
}

/* log(x) (high + low) for a base whose logarithm of 2, over 2^23, is two + two_low. */
QN_MATH float qn_log_based_f32(float x, float high, float low, float two, float two_low)
{
    struct qn_log_cut_f32 c = qn_log_cut_of_f32(x);
    struct qn_log_parts_f32 l = qn_log_near_f32(c.f);
    float k = (float)(qn_i32)c.cut, whole = k * -two, near_ = l.high * high;
    float rest = QN_FMA_F32(l.low, high, QN_FMA_F32(l.high, low, QN_FMA_F32(l.high, high, -near_)));
    float sum = whole + near_;
    rest += QN_FMA_F32(k, -two_low, near_ - (sum - whole));
    return qn_log_settled_f32(x, sum + rest);
}

QN_MATH float qn_log2_f32(float x)
{
    return qn_log_based_f32(x, 1.442695f, 1.925963e-08f, 1.1920929e-07f, 0.0f);
}

QN_MATH float qn_log10_f32(float x)
{
    return qn_log_based_f32(x, 0.4342945f, -1.010305e-08f, 3.5885932e-08f, -3.6053127e-13f);
}

/* exp(x) = 2^n exp(r + lost), exp(r) = 1 + r + r^2 / 2 + r^3 cubic; |r| <= ln 2 / 2. */
struct qn_exp_parts_f32 {
    float n, r, lost, cubic;
};

/* |x| < 200; a NaN stays one. n: no less than `least`, if the result shall be good for larger ones only. */
QN_MATH struct qn_exp_parts_f32 qn_exp_parts_of_f32(float x, float least)
{
    struct qn_exp_parts_f32 e;
    e.n = QN_FMA_F32(x, 1.44269502f, QN_ROUNDER_F32) - QN_ROUNDER_F32;
    e.n = e.n < least ? least : e.n;
    float far_ = QN_FMA_F32(-e.n, 0.69314575f, x); /* exact */
    e.r = QN_FMA_F32(-e.n, 1.4286068e-06f, far_);
    e.lost = QN_FMA_F32(-e.n, 1.4286068e-06f, far_ - e.r);
    float p = 0.00019848018f;
    p = QN_FMA_F32(p, e.r, 0.0013940659f);
    p = QN_FMA_F32(p, e.r, 0.008333486f);
    p = QN_FMA_F32(p, e.r, 0.04166641f);
    e.cubic = QN_FMA_F32(p, e.r, 0.16666666f);
    return e;
}

/* 2^n for a whole n of -126 ... 127. */
QN_MATH float qn_two_to_f32(float n)
{
    return QN_F32(QN_BITS32(n + (QN_ROUNDER_F32 + 127.0f)) << 23);
}

/* 2^n in two factors, of which the first times a number near 1 is exact: one rounding where the result is
 * subnormal. */
QN_MATH float qn_exp_f32(float x)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    struct qn_exp_parts_f32 e = qn_exp_parts_of_f32(x, -200.0f);
    float sum = 1.0f + e.r, half_ = (e.n * 0.5f + QN_ROUNDER_F32) - QN_ROUNDER_F32;
    float rest = QN_FMA_F32(e.r * e.r, QN_FMA_F32(e.cubic, e.r, 0.5f), e.lost);
    sum += (e.r - (sum - 1.0f)) + rest;
    return sum * qn_two_to_f32(half_) * qn_two_to_f32(e.n - half_);
}

/* (2^n - 1) + 2^n (r + rest) at half the size, which 2^128 fits; 2^n - 1 is exact below 2^25 and from n = -24
 * on, where what is left is -1. */
QN_MATH float qn_expm1_f32(float x)
{
    float limited = x > 89.0f ? 89.0f : x;
    limited = limited < -17.5f ? -17.5f : limited;
    struct qn_exp_parts_f32 e = qn_exp_parts_of_f32(limited, -24.0f);
    float scale = qn_two_to_f32(e.n - 1.0f), whole = scale - 0.5f;
    float whole_low = (scale - whole) - 0.5f;
    float rest = QN_FMA_F32(0.5f * e.r, e.r, QN_FMA_F32(e.r * e.r * e.r, e.cubic, e.lost));
    float fine = e.r + rest, fine_low = rest - (fine - e.r);
    float add = scale * fine, sum = whole + add;
    float low = (add - (sum - whole)) + QN_FMA_F32(scale, fine_low, whole_low);
    float r = (sum + low) * 2.0f;
    return qn_magnitude_f32(x) < 1e-10f ? x : r;
}

#endif
