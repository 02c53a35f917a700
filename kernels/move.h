/* SPDX-License-Identifier: Apache-2.0
 * What kernels that move values share: every element of a launch, where it lies, and words of 1, 2, 4 or
 * 8 bytes. Elements are numbered along the inner dimension, that in which the result is dense. */
#ifndef QN_MOVE_H
#define QN_MOVE_H

#include "kernels/dialect.h"
#include "kernels/table.h"

#if defined(QN_CPU_SHAPE)
#define QN_MOVE_LANE 0u
#define QN_MOVE_STEP 1u
#else
#define QN_MOVE_LANE QN_ITEM()
#define QN_MOVE_STEP QN_ITEMS
#endif
/* Every e of this group's part of n. */
#define QN_MOVE_EACH(e, n, chunk)                                                                  \
    for (qn_u64 e = (qn_u64)QN_GROUP() * (chunk) + QN_MOVE_LANE,                                   \
                end_ = (n) - (qn_u64)QN_GROUP() * (chunk) < (chunk)                                \
                           ? (n)                                                                   \
                           : (qn_u64)(QN_GROUP() + 1u) * (chunk);                                  \
         e < end_; e += QN_MOVE_STEP)

QN_FN qn_u64 qn_move_read(QN_GLOBAL const unsigned char *at, qn_u32 size)
{
    switch (size) {
    case 1u: return *at;
    case 2u: return *(QN_GLOBAL const unsigned short *)at;
    case 4u: return *(QN_GLOBAL const qn_u32 *)at;
    default: return *(QN_GLOBAL const qn_u64 *)at;
    }
}

QN_FN void qn_move_write(QN_GLOBAL unsigned char *to, qn_u32 size, qn_u64 word)
{
    switch (size) {
    case 1u: *to = (unsigned char)word; break;
    case 2u: *(QN_GLOBAL unsigned short *)to = (unsigned short)word; break;
    case 4u: *(QN_GLOBAL qn_u32 *)to = (qn_u32)word; break;
    default: *(QN_GLOBAL qn_u64 *)to = word;
    }
}

QN_FN qn_u32 qn_move_size(qn_u32 type)
{
    switch (type) {
    case QN_T_BOOL:
    case QN_T_I8:
    case QN_T_U8: return 1u;
    case QN_T_I16:
    case QN_T_U16: return 2u;
    case QN_T_I32:
    case QN_T_U32:
    case QN_T_F32: return 4u;
    default: return 8u;
    }
}

/* An integer as 64 bits, with its sign; a bool as 0 or 1. */
QN_FN qn_u64 qn_move_integer(QN_GLOBAL const unsigned char *at, qn_u32 type)
{
    qn_u64 x = qn_move_read(at, qn_move_size(type));
    switch (type) {
    case QN_T_BOOL: return x != 0u ? 1u : 0u;
    case QN_T_I8: return (x ^ 0x80u) - 0x80u;
    case QN_T_I16: return (x ^ 0x8000u) - 0x8000u;
    case QN_T_I32: return (x ^ 0x80000000u) - 0x80000000u;
    default: return x;
    }
}

/* Whether a value is not 0; NaN is not. */
QN_FN qn_u32 qn_move_is(QN_GLOBAL const unsigned char *at, qn_u32 type)
{
    qn_u64 x = qn_move_read(at, qn_move_size(type));
    if (type == QN_T_F32) x &= 0x7fffffffu;
    if (type == QN_T_F64) x &= 0x7fffffffffffffffu;
    return x != 0u ? 1u : 0u;
}

#endif
