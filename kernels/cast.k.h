/* SPDX-License-Identifier: Apache-2.0
 * Casts and copies (host/ops/moves.h): element by element where input and result are dense in the same
 * dimension, else tiles that are turned in local memory. */
#include "kernels/move.h"

QN_FN qn_u64 qn_cast_to_i64(double v)
{
    if (v >= -9223372036854775808.0 && v < 9223372036854775808.0) return (qn_u64)(qn_i64)v;
    return v != v ? 0u : v < 0.0 ? 0x8000000000000000u : 0x7fffffffffffffffu;
}

/* A float's bits as those of another type. */
QN_FN qn_u64 qn_cast_float(double v, qn_u32 to)
{
    if (to == QN_T_F64) return v != v ? 0x7ff8000000000000u : QN_BITS64(v);
    if (to == QN_T_F32) return v != v ? 0x7fc00000u : QN_BITS32((float)v);
    if (to == QN_T_BOOL) return v != 0.0 ? 1u : 0u;
    if (to == QN_T_U64 && v >= 9223372036854775808.0)
        return v < 18446744073709551616.0 ? (qn_u64)v : 0xffffffffffffffffu;
    return qn_cast_to_i64(v);
}

QN_FN qn_u64 qn_cast_integer(qn_u64 x, qn_u32 from, qn_u32 to)
{
    if (to == QN_T_BOOL) return x != 0u ? 1u : 0u;
    if (to == QN_T_F64)
        return from == QN_T_U64 ? QN_BITS64((double)x) : QN_BITS64((double)(qn_i64)x);
    if (to == QN_T_F32) return from == QN_T_U64 ? QN_BITS32((float)x) : QN_BITS32((float)(qn_i64)x);
    return x;
}

/* Bits of an integer type, all of them set that it has; of signed ones, but the sign. */
QN_FN qn_u64 qn_cast_most(qn_u32 to)
{
    qn_u32 bits = 8u * qn_move_size(to);
    if (to <= QN_T_I64) bits -= 1u;
    return 0xffffffffffffffffu >> (64u - bits);
}

QN_FN int qn_cast_float_fits(double v, qn_u32 from, qn_u32 to)
{
    double most;
    if (to == QN_T_BOOL || to == QN_T_F64) return 1;
    if (to == QN_T_F32) /* from 2^128 - 2^103 on it would be rounded to infinity */
        return from == QN_T_F32 || v != v || (v < 0.0 ? -v : v) < 3.4028235677973366e38 ||
               (v < 0.0 ? -v : v) > 1.7976931348623157e308;
    most = (double)(qn_cast_most(to) / 2u + 1u) * 2.0;
    if (to == QN_T_I64) return v >= -most && v < most;
    return v > (to <= QN_T_I64 ? -most - 1.0 : -1.0) && v < most;
}

QN_FN int qn_cast_integer_fits(qn_u64 x, qn_u32 from, qn_u32 to)
{
    int below = from != QN_T_U64 && (x >> 63) != 0u;
    if (to == QN_T_BOOL || to == QN_T_F32 || to == QN_T_F64) return 1;
    if (below) return to <= QN_T_I64 && ~x <= qn_cast_most(to);
    return x <= qn_cast_most(to);
}

/* kind: the type given, the type wanted << 8, and 0x10000 where what does not fit is to be told. */
QN_FN qn_u64 qn_cast_value(QN_GLOBAL const unsigned char *at, qn_u32 kind, QN_GLOBAL qn_u32 *unfit)
{
    qn_u32 from = kind & 0xffu, to = kind >> 8 & 0xffu;
    int fits = 1;
    qn_u64 word;
    if (from == to) return qn_move_read(at, qn_move_size(from));
    if (from == QN_T_F32 || from == QN_T_F64) {
        double v =
            from == QN_T_F32 ? (double)*(QN_GLOBAL const float *)at : *(QN_GLOBAL const double *)at;
        word = qn_cast_float(v, to);
        if ((kind & 0x10000u) != 0u) fits = qn_cast_float_fits(v, from, to);
    } else {
        qn_u64 x = qn_move_integer(at, from);
        word = qn_cast_integer(x, from, to);
        if ((kind & 0x10000u) != 0u) fits = qn_cast_integer_fits(x, from, to);
    }
    if (!fits) QN_OR_GLOBAL(unfit, 1u);
    return word;
}

QN_KERNEL qn_cast(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 in_offset, qn_u64 in_outer,
                  qn_u64 in_inner, qn_u64 n, qn_u64 inner, qn_u64 chunk, qn_u32 kind,
                  QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset, qn_u64 out_outer,
                  qn_u64 out_inner, QN_GLOBAL qn_u32 *QN_RESTRICT unfit)
{
    qn_u32 size = qn_move_size(kind >> 8 & 0xffu);
    QN_MOVE_EACH(e, n, chunk)
    {
        qn_u64 o = e / inner, i = e - o * inner;
        qn_move_write(out + offset + o * out_outer + i * out_inner, size,
                      qn_cast_value(in + in_offset + o * in_outer + i * in_inner, kind, unfit));
    }
}

/* Tiles of 32 x 32, `across` of them side by side in the outer dimension, in which the input is dense.
 * Group x takes `steps` tiles. */
QN_KERNEL qn_cast_turned(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 in_offset,
                         qn_u64 in_outer, qn_u64 in_inner, qn_u64 outer, qn_u64 inner,
                         qn_u64 across, qn_u64 tiles, qn_u32 steps, qn_u32 kind,
                         QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset, qn_u64 out_outer,
                         qn_u64 out_inner, QN_GLOBAL qn_u32 *QN_RESTRICT unfit)
{
#if defined(QN_CPU_SHAPE)
    qn_u64 tile[QN_TILE * QN_TILE];
    qn_u32 pitch = QN_TILE;
#else
    QN_SHARED qn_u64 tile[QN_TILE * (QN_TILE + 1u)];
    qn_u32 pitch = QN_TILE + 1u;
#endif
    qn_u32 size = qn_move_size(kind >> 8 & 0xffu);
    for (qn_u32 step = 0u; step < steps; step++) {
        qn_u64 t = (qn_u64)QN_GROUP() * steps + step, column = t / across;
        qn_u64 o = (t - column * across) * QN_TILE, i = column * QN_TILE;
        for (qn_u32 k = QN_MOVE_LANE; k < QN_TILE * QN_TILE; k += QN_MOVE_STEP) {
            qn_u32 r = k >> 5, c = k & 31u;
            if (t < tiles && o + c < outer && i + r < inner)
                tile[r * pitch + c] = qn_cast_value(
                    in + in_offset + (o + c) * in_outer + (i + r) * in_inner, kind, unfit);
        }
#if !defined(QN_CPU_SHAPE)
        QN_BARRIER();
#endif
        for (qn_u32 k = QN_MOVE_LANE; k < QN_TILE * QN_TILE; k += QN_MOVE_STEP) {
            qn_u32 r = k & 31u, c = k >> 5;
            if (t < tiles && o + c < outer && i + r < inner)
                qn_move_write(out + offset + (o + c) * out_outer + (i + r) * out_inner, size,
                              tile[r * pitch + c]);
        }
#if !defined(QN_CPU_SHAPE)
        QN_BARRIER();
#endif
    }
}
