/* SPDX-License-Identifier: Apache-2.0
 * A value of any type as an integer, modulo 2^64, or as float64. */
#ifndef QN_VALUE_H
#define QN_VALUE_H

#include "kernels/dialect.h"
#include "kernels/program.h"

QN_FN qn_u64 qn_value_integer(QN_GLOBAL const unsigned char *at, qn_u32 type)
{
    switch (type) {
    case QN_T_BOOL: return *at != 0u ? 1u : 0u;
    case QN_T_U8: return *at;
    case QN_T_I8: return (qn_u64)(qn_i64)(signed char)*at;
    case QN_T_U16: return *(QN_GLOBAL const unsigned short *)at;
    case QN_T_I16: return (qn_u64)(qn_i64) * (QN_GLOBAL const short *)at;
    case QN_T_U32: return *(QN_GLOBAL const qn_u32 *)at;
    case QN_T_I32: return (qn_u64)(qn_i64) * (QN_GLOBAL const int *)at;
    default: return *(QN_GLOBAL const qn_u64 *)at;
    }
}

QN_FN double qn_value_double(QN_GLOBAL const unsigned char *at, qn_u32 type)
{
    if (type == QN_T_F32) return (double)*(QN_GLOBAL const float *)at;
    if (type == QN_T_F64) return *(QN_GLOBAL const double *)at;
    qn_u64 u = qn_value_integer(at, type);
    return type == QN_T_U64 ? (double)u : (double)(qn_i64)u;
}

#endif
