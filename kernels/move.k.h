/* SPDX-License-Identifier: Apache-2.0
 * Values moved by places or by a mask (host/ops/moves.h). `kind` is a value's bytes, and bits above: see
 * each kernel. */
#include "kernels/move.h"

#define QN_MOVE_INNER 0x100u /* places are those of the inner dimension, not of the outer one */

/* out[o][i] = in[o][index[i]], or in[index[o]][i]. kind: bytes, QN_MOVE_INNER, the mode << 12 and the
 * index's type << 16. outside[0] becomes 1 where mode 0 finds an index outside of -n … n - 1. */
QN_KERNEL qn_take(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 in_offset, qn_u64 in_outer,
                  qn_u64 in_inner, qn_u64 length, QN_GLOBAL const unsigned char *QN_RESTRICT index,
                  qn_u64 index_offset, qn_u64 index_stride, qn_u64 n, qn_u64 inner, qn_u64 chunk,
                  qn_u32 kind, QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset,
                  qn_u64 out_outer, qn_u64 out_inner, QN_GLOBAL qn_u32 *QN_RESTRICT outside)
{
    qn_u32 size = kind & 0xffu, mode = kind >> 12 & 0xfu, type = kind >> 16;
    qn_i64 most = (qn_i64)length;
    QN_MOVE_EACH(e, n, chunk)
    {
        qn_u64 o = e / inner, i = e - o * inner, from;
        qn_u64 which = (kind & QN_MOVE_INNER) != 0u ? i : o;
        qn_i64 at = (qn_i64)qn_move_integer(index + index_offset + which * index_stride, type);
        if (mode == 2u) {
            at = at < 0 ? 0 : at >= most ? most - 1 : at;
        } else if (mode == 1u) {
            if (at < 0 || at >= most) {
                qn_i64 turns = at / most;
                at -= turns * most;
            }
            if (at < 0) at += most;
        } else {
            if (at < 0) at += most;
            if (at < 0 || at >= most) {
                QN_OR_GLOBAL(outside, 1u);
                at = 0;
            }
        }
        from = (kind & QN_MOVE_INNER) != 0u ? o * in_outer + (qn_u64)at * in_inner
                                            : (qn_u64)at * in_outer + i * in_inner;
        qn_move_write(out + offset + o * out_outer + i * out_inner, size,
                      qn_move_read(in + in_offset + from, size));
    }
}

/* marks[e]: 1 where the mask's value is not 0, counted line by line. */
QN_KERNEL qn_mask_mark(QN_GLOBAL const unsigned char *QN_RESTRICT mask, qn_u64 offset,
                       qn_u64 line_stride, qn_u64 stride, qn_u64 n, qn_u64 length, qn_u64 chunk,
                       qn_u32 type, QN_GLOBAL qn_u32 *QN_RESTRICT marks)
{
    QN_MOVE_EACH(e, n, chunk)
    {
        qn_u64 line = e / length, i = e - line * length;
        marks[e] = qn_move_is(mask + offset + line * line_stride + i * stride, type);
    }
}

QN_KERNEL qn_mask_places(QN_GLOBAL const qn_u32 *QN_RESTRICT marks,
                         QN_GLOBAL const qn_u64 *QN_RESTRICT starts, qn_u64 n, qn_u64 chunk,
                         QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset, qn_u64 stride)
{
    QN_MOVE_EACH(e, n, chunk)
    {
        if (marks[e] != 0u) *(QN_GLOBAL qn_u64 *)(out + offset + starts[e] * stride) = e;
    }
}

/* Values of `in` whose place along the masked dimension is marked. kind: bytes and QN_MOVE_INNER. */
QN_KERNEL qn_compress(QN_GLOBAL const qn_u32 *QN_RESTRICT marks,
                      QN_GLOBAL const qn_u64 *QN_RESTRICT starts,
                      QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 in_offset,
                      qn_u64 in_outer, qn_u64 in_inner, qn_u64 n, qn_u64 inner, qn_u64 chunk,
                      qn_u32 kind, QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset,
                      qn_u64 out_outer, qn_u64 out_inner)
{
    qn_u32 size = kind & 0xffu;
    QN_MOVE_EACH(e, n, chunk)
    {
        qn_u64 o = e / inner, i = e - o * inner;
        qn_u64 which = (kind & QN_MOVE_INNER) != 0u ? i : o;
        if (marks[which] != 0u) {
            qn_u64 to = (kind & QN_MOVE_INNER) != 0u ? o * out_outer + starts[which] * out_inner
                                                     : starts[which] * out_outer + i * out_inner;
            qn_move_write(out + offset + to, size,
                          qn_move_read(in + in_offset + o * in_outer + i * in_inner, size));
        }
    }
}

/* kind: bytes, and the mask's type << 16. */
QN_KERNEL qn_where(QN_GLOBAL const unsigned char *QN_RESTRICT mask, qn_u64 mask_offset,
                   qn_u64 mask_outer, qn_u64 mask_inner,
                   QN_GLOBAL const unsigned char *QN_RESTRICT a, qn_u64 a_offset, qn_u64 a_outer,
                   qn_u64 a_inner, QN_GLOBAL const unsigned char *QN_RESTRICT b, qn_u64 b_offset,
                   qn_u64 b_outer, qn_u64 b_inner, qn_u64 n, qn_u64 inner, qn_u64 chunk,
                   qn_u32 kind, QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset,
                   qn_u64 out_outer, qn_u64 out_inner)
{
    qn_u32 size = kind & 0xffu, type = kind >> 16;
    QN_MOVE_EACH(e, n, chunk)
    {
        qn_u64 o = e / inner, i = e - o * inner, word;
        if (qn_move_is(mask + mask_offset + o * mask_outer + i * mask_inner, type) != 0u)
            word = qn_move_read(a + a_offset + o * a_outer + i * a_inner, size);
        else
            word = qn_move_read(b + b_offset + o * b_outer + i * b_inner, size);
        qn_move_write(out + offset + o * out_outer + i * out_inner, size, word);
    }
}
