/* SPDX-License-Identifier: Apache-2.0
 * sin and cos in float64, for every argument. */
#ifndef QN_FUNCTIONS_TRIG_H
#define QN_FUNCTIONS_TRIG_H

#include "kernels/functions_exp.h"

#define QN_HALF_PI 1.5707963267948966
#define QN_HALF_PI_LOW 6.123233995736766e-17
#define QN_HALF_PI_LAST -1.4973849048591698e-33

/* Up to here the argument is reduced by plain arithmetic. */
#define QN_NEAR_ANGLE 268435456.0

/* x = quarters (pi / 2) + r + low, |r| <= pi / 4; of quarters the last two bits count. */
struct qn_angle {
    qn_u64 quarters;
    double r, low;
};

/* |x| <= QN_NEAR_ANGLE. The first step is exact, and the third part of pi / 2 is enough for the double
 * that lies nearest to one of its multiples. */
QN_MATH struct qn_angle qn_angle_near(double x)
{
    struct qn_angle t;
    double moved = QN_FMA(x, 0.6366197723675814, QN_ROUNDER), n = moved - QN_ROUNDER;
    t.quarters = QN_BITS64(moved);
    double far_ = QN_FMA(-n, QN_HALF_PI, x);
    double part = n * QN_HALF_PI_LOW, part_low = QN_FMA(n, QN_HALF_PI_LOW, -part);
    t.r = far_ - part;
    double back = t.r - far_, lost = (far_ - (t.r - back)) + (-part - back);
    t.low = lost - QN_FMA(n, QN_HALF_PI_LAST, part_low);
    return t;
}

/* 2 / pi in words of 64 bits, the first one 0. */
QN_FN qn_u64 qn_two_over_pi(qn_u32 word)
{
    switch (word) {
    case 1u: return 0xa2f9836e4e441529u;
    case 2u: return 0xfc2757d1f534ddc0u;
    case 3u: return 0xdb6295993c439041u;
    case 4u: return 0xfe5163abdebbc561u;
    case 5u: return 0xb7246e3a424dd2e0u;
    case 6u: return 0x06492eea09d1921cu;
    case 7u: return 0xfe1deb1cb129a73eu;
    case 8u: return 0xe88235f52ebb4484u;
    case 9u: return 0xe99c7026b45f7e41u;
    case 10u: return 0x3991d639835339f4u;
    case 11u: return 0x9c845f8bbdf9283bu;
    case 12u: return 0x1ff897ffde05980fu;
    case 13u: return 0xef2f118b5a0a6d1fu;
    case 14u: return 0x6d367ecf27cb09b7u;
    case 15u: return 0x4f463f669e5fea2du;
    case 16u: return 0x7527bac7ebe5f17bu;
    case 17u: return 0x3d0739f78a5292eau;
    case 18u: return 0x6bfb5fb11f8d5d08u;
    case 19u: return 0x56033046fc7b6babu;
    default: return 0u;
    }
}

/* The 64 bits of 2 / pi from bit `first` on. */
QN_FN qn_u64 qn_two_over_pi_at(qn_u32 first)
{
    qn_u32 word = first >> 6, by = first & 63u;
    return (qn_two_over_pi(word) << by) | ((qn_two_over_pi(word + 1u) >> 1) >> (63u - by));
}

/* The upper 64 bits of a b. */
QN_FN qn_u64 qn_product_high(qn_u64 a, qn_u64 b)
{
    qn_u64 al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    qn_u64 middle = ah * bl + ((al * bl) >> 32);
    qn_u64 other = al * bh + (middle & 0xffffffffu);
    return ah * bh + (middle >> 32) + (other >> 32);
}

/* |x| > QN_NEAR_ANGLE. x is a whole number m times a power of two, so of 2 / pi only 192 bits matter:
 * those before them give multiples of 4, those behind less than 2^-128. The product modulo 4 is the
 * quarter in two bits and a fraction of 62 + 64 bits, which is cut into doubles. */
QN_FN struct qn_angle qn_angle_far(double x)
{
    struct qn_angle t;
    qn_u64 bits = QN_BITS64(x) & 0x7fffffffffffffffu;
    qn_u64 m = (bits & 0x000fffffffffffffu) | 0x0010000000000000u;
    /* m's last bit weighs 2^e; the bit of 2 / pi that makes it 2 is e - 1 behind the point. */
    qn_u32 first = (qn_u32)(bits >> 52) - 1013u; /* e - 1 + 63: after the word of zeros */
    qn_u64 w0 = qn_two_over_pi_at(first), w1 = qn_two_over_pi_at(first + 64u),
           w2 = qn_two_over_pi_at(first + 128u);
    qn_u64 p1 = m * w1, p2 = qn_product_high(m, w2);
    qn_u64 low = p1 + p2, high = m * w0 + qn_product_high(m, w1) + (low < p1 ? 1u : 0u);
    qn_u64 quarters = high >> 62, f = high & 0x3fffffffffffffffu;
    qn_u64 over = f >> 61, flip = 0u - over; /* a half or more: the next quarter, less the rest */
    quarters += over;
    low = (low ^ flip) + over;
    f = ((f ^ flip) & 0x3fffffffffffffffu) + (low == 0u ? over : 0u);
    /* 52, 10, 52 and 12 bits, each exact; most of the first 62 may be 0. */
    double a = (double)(qn_i64)(f >> 10) * 2.220446049250313e-16;
    double b = (double)(qn_i64)(f & 0x3ffu) * 2.168404344971009e-19;
    double c = (double)(qn_i64)(low >> 12) * 4.81482486096809e-35;
    double d = (double)(qn_i64)(low & 0xfffu) * 1.1754943508222875e-38;
    double whole = a + b, sum = whole + c;
    double rest = (c - (sum - whole)) + ((b - (whole - a)) + d);
    t.r = sum * QN_HALF_PI;
    t.low = QN_FMA(sum, QN_HALF_PI, -t.r) + QN_FMA(sum, QN_HALF_PI_LOW, rest * QN_HALF_PI);
    qn_u64 sign = (QN_BITS64(x) >> 63) ^ over;
    t.r = QN_F64(QN_BITS64(t.r) ^ (sign << 63));
    t.low = QN_F64(QN_BITS64(t.low) ^ (sign << 63));
    t.quarters = (QN_BITS64(x) >> 63) != 0u ? 0u - quarters : quarters;
    return t;
}

/* sin(x) for add = 0, cos(x) for add = 1, given x's angle. */
QN_MATH double qn_sine_of(struct qn_angle t, qn_u64 add)
{
    double r = t.r, z = r * r, z_low = QN_FMA(r, r, -z);
    double p = 1.5896197461845454e-10;
    p = QN_FMA(p, z, -2.505074721691918e-08);
    p = QN_FMA(p, z, 2.7557313618026136e-06);
    p = QN_FMA(p, z, -0.0001984126982958027);
    p = QN_FMA(p, z, 0.008333333333322108);
    p = QN_FMA(p, z, -0.1666666666666663);
    double q = -1.1358512684243248e-11;
    q = QN_FMA(q, z, 2.08757003910246e-09);
    q = QN_FMA(q, z, -2.755731417605218e-07);
    q = QN_FMA(q, z, 2.4801587288840743e-05);
    q = QN_FMA(q, z, -0.0013888888888873038);
    q = QN_FMA(q, z, 0.041666666666666595);
    double half_ = 0.5 * z, w = 1.0 - half_;
    double sine = r + QN_FMA(z * r, p, t.low * w);
    double cosine = w + (((1.0 - w) - half_) + (QN_FMA(z * z, q, -0.5 * z_low) - r * t.low));
    qn_u64 quarter = t.quarters + add;
    double value = (quarter & 1u) != 0u ? cosine : sine;
    return QN_F64(QN_BITS64(value) ^ ((quarter & 2u) << 62));
}

/* Of |x| <= QN_NEAR_ANGLE: what a loop over values that all are takes. */
QN_MATH double qn_sin_near(double x)
{
    double r = qn_sine_of(qn_angle_near(x), 0u);
    return x == 0.0 ? x : r;
}

QN_MATH double qn_cos_near(double x)
{
    return qn_sine_of(qn_angle_near(x), 1u);
}

QN_FN double qn_sin(double x)
{
    if (qn_magnitude(x) <= QN_NEAR_ANGLE) return qn_sin_near(x);
    if (!(qn_magnitude(x) < QN_INFINITY)) return QN_NOT_A_NUMBER;
    return qn_sine_of(qn_angle_far(x), 0u);
}

QN_FN double qn_cos(double x)
{
    if (qn_magnitude(x) <= QN_NEAR_ANGLE) return qn_cos_near(x);
    if (!(qn_magnitude(x) < QN_INFINITY)) return QN_NOT_A_NUMBER;
    return qn_sine_of(qn_angle_far(x), 1u);
}

#endif
