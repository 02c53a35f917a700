/* SPDX-License-Identifier: Apache-2.0
 * One arithmetic operation on bit patterns, for the self test: the host computes what a device must
 * give, with this same text. float32 values are the low 32 bits of a word. */
#ifndef QN_ARITH_H
#define QN_ARITH_H

#include "kernels/dialect.h"
#include "kernels/program.h"

#define QN_ARITH_ADD32 0u
#define QN_ARITH_SUB32 1u
#define QN_ARITH_MUL32 2u
#define QN_ARITH_MULADD32 3u /* two roundings: contraction shows here */
#define QN_ARITH_LESS32 4u   /* subnormals that compare equal show here */
#define QN_ARITH_WIDEN32 5u  /* float32 to float64 */
#define QN_ARITH_NARROW64 6u /* float64 to float32 */
#define QN_ARITH_INTEGER 7u  /* 64-bit multiply, add, shift */
#define QN_ARITH_DIV32 8u
#define QN_ARITH_SQRT32 9u
#define QN_ARITH_ADD64 10u
#define QN_ARITH_SUB64 11u
#define QN_ARITH_MUL64 12u
#define QN_ARITH_MULADD64 13u
#define QN_ARITH_FMA64 14u
#define QN_ARITH_DIV64 15u
#define QN_ARITH_SQRT64 16u
#define QN_ARITH_LESS64 17u
#define QN_ARITH_FROM_I64 18u
#define QN_ARITH_OPS 19u

QN_FN qn_u64 qn_arith_f32(float x)
{
    return x != x ? 0x7fc00000u : QN_BITS32(x);
}

QN_FN qn_u64 qn_arith_f64(double x)
{
    return x != x ? 0x7ff8000000000000u : QN_BITS64(x);
}

QN_FN qn_u64 qn_arith_32(qn_u32 op, qn_u64 wa, qn_u64 wb, qn_u64 wc)
{
    float a = QN_F32((qn_u32)wa), b = QN_F32((qn_u32)wb), c = QN_F32((qn_u32)wc);
    if (op == QN_ARITH_ADD32) return qn_arith_f32(a + b);
    if (op == QN_ARITH_SUB32) return qn_arith_f32(a - b);
    if (op == QN_ARITH_MUL32) return qn_arith_f32(a * b);
    if (op == QN_ARITH_MULADD32) return qn_arith_f32(a * b + c);
    if (op == QN_ARITH_LESS32) return a < b ? 1u : 0u;
    if (op == QN_ARITH_WIDEN32) return qn_arith_f64((double)a);
    if (op == QN_ARITH_NARROW64) return qn_arith_f32((float)QN_F64(wa));
    if (op == QN_ARITH_DIV32) return qn_arith_f32(QN_DIV_F32(a, b));
    if (op == QN_ARITH_SQRT32) return qn_arith_f32(QN_SQRT_F32(a));
    return (wa * wb + wc) ^ (wa >> (wb & 63u));
}

QN_FN qn_u64 qn_arith_64(qn_u32 op, qn_u64 wa, qn_u64 wb, qn_u64 wc)
{
    double a = QN_F64(wa), b = QN_F64(wb), c = QN_F64(wc);
    if (op == QN_ARITH_ADD64) return qn_arith_f64(a + b);
    if (op == QN_ARITH_SUB64) return qn_arith_f64(a - b);
    if (op == QN_ARITH_MUL64) return qn_arith_f64(a * b);
    if (op == QN_ARITH_MULADD64) return qn_arith_f64(a * b + c);
    if (op == QN_ARITH_FMA64) return qn_arith_f64(QN_FMA(a, b, c));
    if (op == QN_ARITH_DIV64) return qn_arith_f64(a / b);
    if (op == QN_ARITH_SQRT64) return qn_arith_f64(QN_SQRT_F64(a));
    if (op == QN_ARITH_LESS64) return a < b ? 1u : 0u;
    return qn_arith_f64((double)(qn_i64)wa);
}

QN_FN qn_u64 qn_arith(qn_u32 op, qn_u64 a, qn_u64 b, qn_u64 c)
{
    return op < QN_ARITH_ADD64 ? qn_arith_32(op, a, b, c) : qn_arith_64(op, a, b, c);
}

#endif
