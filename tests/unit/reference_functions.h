/* SPDX-License-Identifier: Apache-2.0
 * The function ops for the references: one value at a time, for the host's plainest processor. */
#ifndef QN_TEST_REFERENCE_FUNCTIONS_H
#define QN_TEST_REFERENCE_FUNCTIONS_H

#include <math.h>

#include "kernels/functions.h"

static inline double reference_function(uint32_t code, double x, double p)
{
    switch (code) {
    case QN_OP_EXP: return qn_exp(x);
    case QN_OP_EXPM1: return qn_expm1(x);
    case QN_OP_LOG: return qn_log(x);
    case QN_OP_LOG1P: return qn_log1p(x);
    case QN_OP_SQRT: return sqrt(x);
    case QN_OP_RECIPROCAL: return 1 / x;
    case QN_OP_ASINH: return qn_asinh(x);
    case QN_OP_SIN: return qn_sin(x);
    case QN_OP_COS: return qn_cos(x);
    case QN_OP_POW: return qn_pow(x, p);
    case QN_OP_NCDF: return qn_ncdf(x);
    case QN_OP_NQUANTILE: return qn_nquantile(x);
    case QN_OP_YEO_JOHNSON: return qn_yeo_johnson(x, p);
    case QN_OP_YEO_JOHNSON_BACK: return qn_yeo_johnson_back(x, p);
    case QN_OP_BOX_COX: return qn_box_cox(x, p);
    case QN_OP_BOX_COX_BACK: return qn_box_cox_back(x, p);
    case QN_OP_LOG2: return qn_log2(x);
    case QN_OP_LOG10: return qn_log10(x);
    case QN_OP_ABS: return fabs(x);
    case QN_OP_SQUARE: return x * x;
    case QN_OP_RDIV: return p / x;
    default: return x;
    }
}

static inline float reference_function_f32(uint32_t code, float x, float p)
{
    switch (code) {
    case QN_OP_SQRT: return sqrtf(x);
    case QN_OP_RECIPROCAL: return 1 / x;
    case QN_OP_SQUARE: return x * x;
    case QN_OP_RDIV: return p / x;
    case QN_OP_EXP: return qn_exp_f32(x);
    case QN_OP_EXPM1: return qn_expm1_f32(x);
    case QN_OP_LOG: return qn_log_f32(x);
    case QN_OP_LOG1P: return qn_log1p_f32(x);
    case QN_OP_LOG2: return qn_log2_f32(x);
    case QN_OP_LOG10: return qn_log10_f32(x);
    default: return (float)reference_function(code, (double)x, (double)p);
    }
}

static inline double reference_join(uint32_t code, double a, double x)
{
    switch (code) {
    case QN_OP_JOIN_ADD: return a + x;
    case QN_OP_JOIN_SUB: return a - x;
    case QN_OP_JOIN_RSUB: return x - a;
    case QN_OP_JOIN_MUL: return a * x;
    case QN_OP_JOIN_DIV: return a / x;
    case QN_OP_JOIN_RDIV: return x / a;
    case QN_OP_JOIN_MIN: return isnan(a) || isnan(x) ? a + x : a < x ? a : x;
    case QN_OP_JOIN_MAX: return isnan(a) || isnan(x) ? a + x : a > x ? a : x;
    case QN_OP_JOIN_POW: return qn_pow(a, x);
    case QN_OP_JOIN_LESS: return a < x;
    case QN_OP_JOIN_LESS_EQUAL: return a <= x;
    case QN_OP_JOIN_GREATER: return a > x;
    case QN_OP_JOIN_GREATER_EQUAL: return a >= x;
    default: return a == x;
    }
}

static inline int64_t reference_join_i64(uint32_t code, int64_t a, int64_t x)
{
    switch (code) {
    case QN_OP_JOIN_ADD: return (int64_t)((uint64_t)a + (uint64_t)x);
    case QN_OP_JOIN_SUB: return (int64_t)((uint64_t)a - (uint64_t)x);
    case QN_OP_JOIN_RSUB: return (int64_t)((uint64_t)x - (uint64_t)a);
    case QN_OP_JOIN_MUL: return (int64_t)((uint64_t)a * (uint64_t)x);
    case QN_OP_JOIN_MIN: return a < x ? a : x;
    case QN_OP_JOIN_MAX: return a > x ? a : x;
    case QN_OP_JOIN_LESS: return a < x;
    case QN_OP_JOIN_LESS_EQUAL: return a <= x;
    case QN_OP_JOIN_GREATER: return a > x;
    case QN_OP_JOIN_GREATER_EQUAL: return a >= x;
    default: return a == x;
    }
}

#endif
