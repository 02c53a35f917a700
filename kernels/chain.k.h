/* SPDX-License-Identifier: Apache-2.0
 * One value of one lane: the typed load and the chain of ops, in accumulator style. The accumulator
 * is 64 bits wide and holds the working type's own bits, so int64 never goes through a double and a
 * float32 is rounded by each op; there is no array of registers, hence nothing to spill.
 *
 * What program.h leaves to the plan is closed as on the CPU: float to int64 of NaN is 0 and saturates,
 * int64 arithmetic wraps, division by zero gives 0, a stored BOOL other than 0 is 1. */
#ifndef QN_CHAIN_K_H
#define QN_CHAIN_K_H

#include "kernels/bins.h"
#include "kernels/dialect.h"
#include "kernels/functions.h"
#include "kernels/program.h"
#include "kernels/spline.h"
#include "kernels/table.h"

#define QN_NAN32 0x7fc00000u
#define QN_NAN64 0x7ff8000000000000u

#define QN_PART(T, table, part)                                                                    \
    ((QN_GLOBAL const T *)((table) + ((QN_GLOBAL const struct qn_table_head *)(table))->part))
#define QN_HEAD(table) ((QN_GLOBAL const struct qn_table_head *)(table))

QN_FN qn_i64 qn_to_i64(double x)
{
    if (x != x) return 0;
    if (x >= 9223372036854775808.0) return 0x7fffffffffffffff;
    if (x <= -9223372036854775808.0) return -0x7fffffffffffffff - 1;
    return (qn_i64)x;
}

QN_FN qn_u64 qn_to_u64(double x)
{
    if (x >= 18446744073709551616.0) return 0xffffffffffffffffu;
    return x >= 9223372036854775808.0 ? (qn_u64)x : (qn_u64)qn_to_i64(x);
}

QN_FN qn_u32 qn_canonical32(float x)
{
    qn_u32 bits = QN_BITS32(x);
    return (bits & 0x7fffffffu) > 0x7f800000u ? QN_NAN32 : bits;
}

QN_FN qn_u64 qn_canonical64(double x)
{
    qn_u64 bits = QN_BITS64(x);
    return (bits & 0x7fffffffffffffffu) > 0x7ff0000000000000u ? QN_NAN64 : bits;
}

/* QN_SEEN_* of a loaded value. */
QN_FN qn_u32 qn_seen32(float x)
{
    qn_u32 bits = QN_BITS32(x) & 0x7fffffffu;
    return bits > 0x7f800000u ? QN_SEEN_NAN : bits == 0x7f800000u ? QN_SEEN_INF : 0u;
}

QN_FN qn_u32 qn_seen64(double x)
{
    qn_u64 bits = QN_BITS64(x) & 0x7fffffffffffffffu;
    return bits > 0x7ff0000000000000u    ? QN_SEEN_NAN
           : bits == 0x7ff0000000000000u ? QN_SEEN_INF
                                         : 0u;
}

/* An int64, a uint64 or a double as the working type's bits. */
QN_FN qn_u64 qn_work_i64(qn_i64 x, qn_u32 work)
{
    if (work == QN_W_F32) return QN_BITS32((float)x);
    if (work == QN_W_F64) return QN_BITS64((double)x);
    if (work == QN_W_I64) return (qn_u64)x;
    return (qn_u64)x & 0xffffffffu;
}

QN_FN qn_u64 qn_work_u64(qn_u64 x, qn_u32 work)
{
    if (work == QN_W_F32) return QN_BITS32((float)x);
    if (work == QN_W_F64) return QN_BITS64((double)x);
    if (work == QN_W_I64) return x;
    return x & 0xffffffffu;
}

QN_FN qn_u64 qn_work_f64(double x, qn_u32 work)
{
    if (work == QN_W_F32) return QN_BITS32((float)x);
    if (work == QN_W_F64) return QN_BITS64(x);
    return qn_work_i64(qn_to_i64(x), work);
}

/* The stored value at p as the working type's bits. */
QN_FN qn_u64 qn_load(QN_GLOBAL const unsigned char *p, qn_u32 type, qn_u32 work)
{
    switch (type) {
    case QN_T_F32: {
        float x = *(QN_GLOBAL const float *)p;
        return work == QN_W_F32 ? (qn_u64)QN_BITS32(x) : qn_work_f64((double)x, work);
    }
    case QN_T_F64: return qn_work_f64(*(QN_GLOBAL const double *)p, work);
    case QN_T_BOOL: return qn_work_i64(*p != 0, work);
    case QN_T_I8: return qn_work_i64(*(QN_GLOBAL const signed char *)p, work);
    case QN_T_I16: return qn_work_i64(*(QN_GLOBAL const short *)p, work);
    case QN_T_I32: return qn_work_i64(*(QN_GLOBAL const qn_i32 *)p, work);
    case QN_T_I64: return qn_work_i64(*(QN_GLOBAL const qn_i64 *)p, work);
    case QN_T_U8: return qn_work_i64(*p, work);
    case QN_T_U16: return qn_work_i64(*(QN_GLOBAL const unsigned short *)p, work);
    case QN_T_U32: return qn_work_i64((qn_i64) * (QN_GLOBAL const qn_u32 *)p, work);
    default: return qn_work_u64(*(QN_GLOBAL const qn_u64 *)p, work);
    }
}

QN_FN qn_u32 qn_seen_bits(qn_u64 x, qn_u32 work)
{
    if (work == QN_W_F32) return qn_seen32(QN_F32((qn_u32)x));
    if (work == QN_W_F64) return qn_seen64(QN_F64(x));
    return 0u;
}

/* Row `row` of a lane, loaded. */
QN_FN qn_u64 qn_lane_load(QN_GLOBAL const unsigned char *in, QN_GLOBAL const struct qn_lane_desc *l,
                          qn_u64 row)
{
    qn_u64 x = qn_load(in + (l->offset + row * l->stride), l->type, l->work);
    if (l->valid_bit != QN_NO_VALIDITY) {
        qn_u64 bit = l->valid_bit + row;
        if ((((qn_u32)in[bit >> 3] >> (bit & 7u)) & 1u) == 0u) {
            if (l->work == QN_W_F32) x = QN_NAN32;
            if (l->work == QN_W_F64) x = QN_NAN64;
        }
    }
    return x;
}

/* Place of x in k sorted words, or k + 1: a lower bound whose length depends on k alone. */
QN_FN qn_u32 qn_find_f64(QN_GLOBAL const qn_u64 *words, qn_u64 k, double x)
{
    qn_u64 at = 0, left = k;
    if (x != x) return (qn_u32)k;
    while (left > 1u) {
        qn_u64 half_ = left >> 1;
        at += QN_F64(words[at + half_ - 1u]) < x ? half_ : 0u;
        left -= half_;
    }
    return k != 0u && QN_F64(words[at]) == x ? (qn_u32)at : (qn_u32)k + 1u;
}

QN_FN qn_u32 qn_find_i64(QN_GLOBAL const qn_u64 *words, qn_u64 k, qn_i64 x)
{
    qn_u64 at = 0, left = k;
    while (left > 1u) {
        qn_u64 half_ = left >> 1;
        at += (qn_i64)words[at + half_ - 1u] < x ? half_ : 0u;
        left -= half_;
    }
    return k != 0u && (qn_i64)words[at] == x ? (qn_u32)at : (qn_u32)k + 1u;
}

/* words[p0 + x], x limited to the p1 entries. */
QN_FN qn_u64 qn_entry(QN_GLOBAL const qn_u64 *words, qn_u32 arg, qn_u32 x)
{
    qn_u32 last = (qn_u32)words[arg + 1u] - 1u;
    return words[words[arg] + (x < last ? x : last)];
}

QN_FN float qn_op_f32(qn_u32 code, float x, float p0, float p1)
{
    switch (code) {
    case QN_OP_FILL: return x != x ? p0 : x;
    case QN_OP_FILL_EQ: return x == p0 ? p1 : x;
    case QN_OP_SUB: return x - p0;
    case QN_OP_ADD: return x + p0;
    case QN_OP_MUL: return x * p0;
    case QN_OP_DIV: return QN_DIV_F32(x, p0);
    case QN_OP_CLIP: x = x < p0 ? p0 : x; return x > p1 ? p1 : x;
    case QN_OP_GREATER: return x > p0 ? 1.0f : 0.0f;
    case QN_OP_MISSING: return x != x ? 1.0f : 0.0f;
    case QN_OP_EQUAL: return x == p0 ? 1.0f : 0.0f;
    default: return qn_function_f32(code, x, p0);
    }
}

QN_FN double qn_op_f64(qn_u32 code, double x, double p0, double p1)
{
    switch (code) {
    case QN_OP_FILL: return x != x ? p0 : x;
    case QN_OP_FILL_EQ: return x == p0 ? p1 : x;
    case QN_OP_SUB: return x - p0;
    case QN_OP_ADD: return x + p0;
    case QN_OP_MUL: return x * p0;
    case QN_OP_DIV: return x / p0;
    case QN_OP_CLIP: x = x < p0 ? p0 : x; return x > p1 ? p1 : x;
    case QN_OP_GREATER: return x > p0 ? 1.0 : 0.0;
    case QN_OP_MISSING: return x != x ? 1.0 : 0.0;
    case QN_OP_EQUAL: return x == p0 ? 1.0 : 0.0;
    default: return qn_function(code, x, p0);
    }
}

QN_FN qn_i64 qn_op_i64(qn_u32 code, qn_i64 x, qn_i64 p0, qn_i64 p1)
{
    qn_u64 u = (qn_u64)x, v = (qn_u64)p0;
    switch (code) {
    case QN_OP_FILL_EQ: return x == p0 ? p1 : x;
    case QN_OP_SUB: return (qn_i64)(u - v);
    case QN_OP_ADD: return (qn_i64)(u + v);
    case QN_OP_MUL: return (qn_i64)(u * v);
    case QN_OP_DIV: return p0 == 0 ? 0 : p0 == -1 ? (qn_i64)(0u - u) : x / p0;
    case QN_OP_CLIP: x = x < p0 ? p0 : x; return x > p1 ? p1 : x;
    case QN_OP_GREATER: return x > p0;
    case QN_OP_MISSING: return 0;
    case QN_OP_EQUAL: return x == p0;
    default: return x;
    }
}

QN_FN qn_u32 qn_op_code(qn_u32 code, qn_u32 x, qn_u32 p0, qn_u32 p1)
{
    switch (code) {
    case QN_OP_FILL_EQ: return x == p0 ? p1 : x;
    case QN_OP_SUB: return x - p0;
    case QN_OP_ADD: return x + p0;
    case QN_OP_MUL: return x * p0;
    case QN_OP_DIV: return p0 == 0u ? 0u : x / p0;
    case QN_OP_CLIP: x = x < p0 ? p0 : x; return x > p1 ? p1 : x;
    case QN_OP_GREATER: return x > p0;
    case QN_OP_MISSING: return 0u;
    case QN_OP_EQUAL: return x == p0;
    default: return x;
    }
}

/* What ops need beside the value: the norms that a NORM op divides by, [group * stride + row], the
 * working type's bits, and where TAKE finds its operands. */
struct qn_norm_source {
    QN_GLOBAL const qn_u64 *norms;
    qn_u64 stride, row;
    QN_GLOBAL const unsigned char *in;
    QN_GLOBAL const qn_u64 *table;
};

QN_FN qn_u64 qn_apply_norm(qn_u64 x, qn_u32 group, qn_u32 work, struct qn_norm_source from)
{
    qn_u64 norm = from.norms[group * from.stride + from.row];
    if (work == QN_W_F32) return QN_BITS32(QN_DIV_F32(QN_F32((qn_u32)x), QN_F32((qn_u32)norm)));
    return QN_BITS64(QN_F64(x) / QN_F64(norm));
}

/* TO_F32, TO_F64, TO_I64. */
QN_FN qn_u64 qn_convert(qn_u64 x, qn_u32 work, qn_u32 to)
{
    if (work == to) return x;
    if (work == QN_W_F32) return qn_work_f64((double)QN_F32((qn_u32)x), to);
    if (work == QN_W_F64) return qn_work_f64(QN_F64(x), to);
    return qn_work_i64((qn_i64)x, to);
}

/* Ops that leave the working type alone and take numbers. */
QN_FN qn_u64 qn_arithmetic(qn_u32 code, qn_u32 work, qn_u64 x, qn_u64 p0, qn_u64 p1)
{
    if (work == QN_W_F32)
        return QN_BITS32(qn_op_f32(code, QN_F32((qn_u32)x), (float)QN_F64(p0), (float)QN_F64(p1)));
    if (work == QN_W_F64) return QN_BITS64(qn_op_f64(code, QN_F64(x), QN_F64(p0), QN_F64(p1)));
    if (work == QN_W_I64) return (qn_u64)qn_op_i64(code, (qn_i64)x, (qn_i64)p0, (qn_i64)p1);
    return qn_op_code(code, (qn_u32)x, (qn_u32)p0, (qn_u32)p1);
}

/* BIN, INTERP, INTERP_MEAN. */
QN_FN qn_u64 qn_apply_bin(qn_u32 code, qn_u32 work, qn_u64 x, QN_GLOBAL const qn_u64 *words,
                          qn_u64 n)
{
    double v = work == QN_W_F32 ? (double)QN_F32((qn_u32)x) : QN_F64(x);
    if (code == QN_OP_BIN) return qn_bin(words, n, v);
    v = qn_interp(words, n, v, code == QN_OP_INTERP_MEAN);
    return work == QN_W_F32 ? (qn_u64)QN_BITS32((float)v) : QN_BITS64(v);
}

QN_FN qn_u64 qn_apply_spline(qn_u32 work, qn_u64 x, QN_GLOBAL const qn_u64 *table, qn_u64 j,
                             qn_u32 *seen)
{
    if (work == QN_W_F32)
        return QN_BITS32((float)qn_spline(table, j, (double)QN_F32((qn_u32)x), seen));
    return QN_BITS64(qn_spline(table, j, QN_F64(x), seen));
}

/* One op over x, TAKE and JOIN_* apart; *seen gets QN_SEEN_UNKNOWN and _MADE_INF. Parameters of all arithmetic ops
 * are two words, as the table is laid out by the host (host/ops/table.c pads its end). */
QN_FN qn_u64 qn_step(qn_u64 x, QN_GLOBAL const struct qn_op *op, QN_GLOBAL const qn_u64 *words,
                     struct qn_norm_source norms, qn_u32 *seen)
{
    qn_u32 code = op->code, work = op->work, arg = op->arg;
    if (code == QN_OP_LOOK) {
        if ((qn_seen_bits(x, work) & QN_SEEN_INF) != 0u) *seen |= QN_SEEN_MADE_INF;
        return x;
    }
    if (code < QN_OP_NORM) return qn_arithmetic(code, work, x, words[arg], words[arg + 1u]);
    if (code == QN_OP_NORM) return qn_apply_norm(x, arg, work, norms);
    if (code <= QN_OP_TO_I64)
        return qn_convert(x, work,
                          code == QN_OP_TO_F32   ? QN_W_F32
                          : code == QN_OP_TO_F64 ? QN_W_F64
                                                 : QN_W_I64);
    if (code == QN_OP_FIND) {
        qn_u64 k0 = words[arg], count = words[arg + 1u];
        qn_u32 place = work == QN_W_I64
                           ? qn_find_i64(words + k0, count, (qn_i64)x)
                           : qn_find_f64(words + k0, count,
                                         work == QN_W_F32 ? (double)QN_F32((qn_u32)x) : QN_F64(x));
        if (place > (qn_u32)count) *seen |= QN_SEEN_UNKNOWN;
        return place;
    }
    if (code == QN_OP_REMAP) return qn_entry(words, arg, (qn_u32)x) & 0xffffffffu;
    if (code == QN_OP_SPLINE)
        return qn_apply_spline(work, x, words + words[arg], words[arg + 2u], seen);
    if (QN_OP_IS_BIN(code)) return qn_apply_bin(code, work, x, words + words[arg], words[arg + 1u]);
    return qn_entry(words, arg, (qn_u32)x);
}

/* The final value of operand `arg`; *seen gets what was loaded. */
QN_FN qn_u64 qn_take(qn_u32 arg, QN_GLOBAL const qn_u64 *words, struct qn_norm_source from,
                     qn_u32 *seen)
{
    QN_GLOBAL const struct qn_lane_desc *l =
        QN_PART(struct qn_lane_desc, from.table, operands) + arg;
    QN_GLOBAL const struct qn_op *ops = QN_PART(struct qn_op, from.table, ops) + l->first_op;
    qn_u64 x = qn_lane_load(from.in, l, from.row);
    *seen |= qn_seen_bits(x, l->work);
    for (qn_u32 k = 0u; k < l->n_ops; k++) x = qn_step(x, &ops[k], words, from, seen);
    return x;
}

QN_FN float qn_join_f32(qn_u32 code, float a, float x)
{
    switch (code) {
    case QN_OP_JOIN_ADD: return a + x;
    case QN_OP_JOIN_SUB: return a - x;
    case QN_OP_JOIN_RSUB: return x - a;
    case QN_OP_JOIN_MUL: return a * x;
    case QN_OP_JOIN_DIV: return QN_DIV_F32(a, x);
    case QN_OP_JOIN_RDIV: return QN_DIV_F32(x, a);
    case QN_OP_JOIN_MIN: return a < x || a != a ? a : x;
    case QN_OP_JOIN_MAX: return a > x || a != a ? a : x;
    case QN_OP_JOIN_POW: return (float)qn_function(QN_OP_POW, (double)a, (double)x);
    case QN_OP_JOIN_LESS: return a < x ? 1.0f : 0.0f;
    case QN_OP_JOIN_LESS_EQUAL: return a <= x ? 1.0f : 0.0f;
    case QN_OP_JOIN_GREATER: return a > x ? 1.0f : 0.0f;
    case QN_OP_JOIN_GREATER_EQUAL: return a >= x ? 1.0f : 0.0f;
    default: return a == x ? 1.0f : 0.0f;
    }
}

QN_FN double qn_join_f64(qn_u32 code, double a, double x)
{
    switch (code) {
    case QN_OP_JOIN_ADD: return a + x;
    case QN_OP_JOIN_SUB: return a - x;
    case QN_OP_JOIN_RSUB: return x - a;
    case QN_OP_JOIN_MUL: return a * x;
    case QN_OP_JOIN_DIV: return a / x;
    case QN_OP_JOIN_RDIV: return x / a;
    case QN_OP_JOIN_MIN: return a < x || a != a ? a : x;
    case QN_OP_JOIN_MAX: return a > x || a != a ? a : x;
    case QN_OP_JOIN_POW: return qn_function(QN_OP_POW, a, x);
    case QN_OP_JOIN_LESS: return a < x ? 1.0 : 0.0;
    case QN_OP_JOIN_LESS_EQUAL: return a <= x ? 1.0 : 0.0;
    case QN_OP_JOIN_GREATER: return a > x ? 1.0 : 0.0;
    case QN_OP_JOIN_GREATER_EQUAL: return a >= x ? 1.0 : 0.0;
    default: return a == x ? 1.0 : 0.0;
    }
}

QN_FN qn_i64 qn_join_i64(qn_u32 code, qn_i64 a, qn_i64 x)
{
    qn_u64 u = (qn_u64)a, v = (qn_u64)x;
    switch (code) {
    case QN_OP_JOIN_ADD: return (qn_i64)(u + v);
    case QN_OP_JOIN_SUB: return (qn_i64)(u - v);
    case QN_OP_JOIN_RSUB: return (qn_i64)(v - u);
    case QN_OP_JOIN_MUL: return (qn_i64)(u * v);
    case QN_OP_JOIN_MIN: return a < x ? a : x;
    case QN_OP_JOIN_MAX: return a > x ? a : x;
    case QN_OP_JOIN_LESS: return a < x;
    case QN_OP_JOIN_LESS_EQUAL: return a <= x;
    case QN_OP_JOIN_GREATER: return a > x;
    case QN_OP_JOIN_GREATER_EQUAL: return a >= x;
    default: return a == x;
    }
}

/* Whether a value is not 0; a NaN is not. */
QN_FN int qn_truth(qn_u32 work, qn_u64 x)
{
    if (work == QN_W_F32) return QN_F32((qn_u32)x) != 0.0f;
    if (work == QN_W_F64) return QN_F64(x) != 0.0;
    return x != 0u;
}

QN_FN qn_u64 qn_join(qn_u32 code, qn_u32 work, qn_u64 a, qn_u64 x)
{
    if (work == QN_W_I64) return (qn_u64)qn_join_i64(code, (qn_i64)a, (qn_i64)x);
    if (work == QN_W_F32) return QN_BITS32(qn_join_f32(code, QN_F32((qn_u32)a), QN_F32((qn_u32)x)));
    return QN_BITS64(qn_join_f64(code, QN_F64(a), QN_F64(x)));
}

/* Ops [0, n) of a chain over x; *seen gets QN_SEEN_UNKNOWN and what operands loaded. Values aside are
 * four variables, not an array, so that they stay in registers. */
QN_FN qn_u64 qn_chain(qn_u64 x, QN_GLOBAL const struct qn_op *ops, qn_u32 n,
                      QN_GLOBAL const qn_u64 *words, struct qn_norm_source from, qn_u32 *seen)
{
    qn_u32 flags = 0u;
    qn_u64 a = 0u, b = 0u, c = 0u, d = 0u;
    for (qn_u32 k = 0u; k < n; k++) {
        qn_u32 code = ops[k].code;
        if (code < QN_OP_TAKE) {
            x = qn_step(x, &ops[k], words, from, &flags);
        } else if (code == QN_OP_TAKE) {
            d = c;
            c = b;
            b = a;
            a = x;
            x = qn_take(ops[k].arg, words, from, &flags);
        } else if (code == QN_OP_JOIN_WHERE) {
            x = qn_truth(ops[k].work, b) ? a : x;
            a = c;
            b = d;
        } else {
            x = qn_join(code, ops[k].work, a, x);
            a = b;
            b = c;
            c = d;
        }
    }
    *seen |= flags;
    return x;
}

/* A lane's final value as a double; NaN means missing. No NORM in the chain. */
QN_FN double qn_lane_value(QN_GLOBAL const unsigned char *in, QN_GLOBAL const qn_u64 *table,
                           qn_u32 lane, qn_u64 row)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    qn_u32 work = QN_PART(struct qn_lane_end, table, ends)[lane].work, seen = 0u;
    struct qn_norm_source none = {table, 0u, row, in, table};
    qn_u64 x = qn_chain(qn_lane_load(in, l, row), QN_PART(struct qn_op, table, ops) + l->first_op,
                        l->n_ops, QN_PART(qn_u64, table, words), none, &seen);
    if (work == QN_W_F32) return (double)QN_F32((qn_u32)x);
    if (work == QN_W_F64) return QN_F64(x);
    if (work == QN_W_I64) return (double)(qn_i64)x;
    return (double)(qn_u32)x;
}

/* A final value as the bits of a stored type: integers keep their low bits, floats are cut toward
 * zero and saturate at 64 bits, BOOL is whether the value is not 0. */
QN_FN qn_u64 qn_store_bits(qn_u64 x, qn_u32 work, qn_u32 type)
{
    if (type == QN_T_F32) {
        if (work == QN_W_F32) return qn_canonical32(QN_F32((qn_u32)x));
        if (work == QN_W_F64) return qn_canonical32((float)QN_F64(x));
        return QN_BITS32((float)(qn_i64)x);
    }
    if (type == QN_T_F64) {
        if (work == QN_W_F32) return qn_canonical64((double)QN_F32((qn_u32)x));
        if (work == QN_W_F64) return qn_canonical64(QN_F64(x));
        return QN_BITS64((double)(qn_i64)x);
    }
    if (work == QN_W_I64 || work == QN_W_CODE) return type == QN_T_BOOL ? x != 0u : x;
    double f = work == QN_W_F32 ? (double)QN_F32((qn_u32)x) : QN_F64(x);
    if (type == QN_T_BOOL) return f != 0.0;
    return type == QN_T_U64 ? qn_to_u64(f) : (qn_u64)qn_to_i64(f);
}

QN_FN void qn_store(QN_GLOBAL unsigned char *p, qn_u32 type, qn_u64 bits)
{
    switch (type) {
    case QN_T_BOOL:
    case QN_T_I8:
    case QN_T_U8: *p = (unsigned char)bits; return;
    case QN_T_I16:
    case QN_T_U16: *(QN_GLOBAL unsigned short *)p = (unsigned short)bits; return;
    case QN_T_I32:
    case QN_T_U32:
    case QN_T_F32: *(QN_GLOBAL qn_u32 *)p = (qn_u32)bits; return;
    default: *(QN_GLOBAL qn_u64 *)p = bits; return;
    }
}

#endif
