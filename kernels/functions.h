/* SPDX-License-Identifier: Apache-2.0
 * The functions of one number that programs are made of, the same bits on every device (docs/numbers.md,
 * "Functions"). Within one unit in the last place or little more, special values as C11's Annex F has
 * them. float32: exp, expm1 and the logarithms in float32 (functions_single.h), the others computed in float64
 * and rounded once. */
#ifndef QN_FUNCTIONS_H
#define QN_FUNCTIONS_H

#include "kernels/functions_bases.h"
#include "kernels/functions_exp.h"
#include "kernels/functions_log.h"
#include "kernels/functions_normal.h"
#include "kernels/functions_pow.h"
#include "kernels/functions_power.h"
#include "kernels/functions_single.h"
#include "kernels/functions_trig.h"

#if defined(QN_CUDA)
#define QN_CALLED static __device__ __noinline__
#elif defined(QN_OPENCL) && defined(__clang__)
#define QN_CALLED static __attribute__((noinline))
#else
#define QN_CALLED QN_FN
#endif

QN_MATH float qn_asinh_f32(float x)
{
    return (float)qn_asinh((double)x);
}

QN_FN float qn_sin_f32(float x)
{
    return (float)qn_sin((double)x);
}

QN_FN float qn_cos_f32(float x)
{
    return (float)qn_cos((double)x);
}

QN_MATH float qn_ncdf_f32(float x)
{
    return (float)qn_ncdf((double)x);
}

QN_MATH float qn_nquantile_f32(float x)
{
    return (float)qn_nquantile((double)x);
}

QN_MATH float qn_pow_f32(float x, float y)
{
    return (float)qn_pow((double)x, (double)y);
}

QN_MATH float qn_yeo_johnson_f32(float x, float lambda)
{
    return (float)qn_yeo_johnson((double)x, (double)lambda);
}

QN_MATH float qn_yeo_johnson_back_f32(float y, float lambda)
{
    return (float)qn_yeo_johnson_back((double)y, (double)lambda);
}

QN_MATH float qn_box_cox_f32(float x, float lambda)
{
    return (float)qn_box_cox((double)x, (double)lambda);
}

QN_MATH float qn_box_cox_back_f32(float y, float lambda)
{
    return (float)qn_box_cox_back((double)y, (double)lambda);
}

/* Square root and reciprocal of a float32 are exact roundings by way of doubles too. */
QN_MATH double qn_sqrt(double x)
{
    return QN_SQRT_F64(x);
}

QN_MATH float qn_sqrt_f32(float x)
{
    return QN_SQRT_F32(x);
}

QN_MATH double qn_reciprocal(double x)
{
    return 1.0 / x;
}

QN_MATH float qn_reciprocal_f32(float x)
{
    return QN_DIV_F32(1.0f, x);
}

QN_MATH double qn_abs(double x)
{
    return qn_magnitude(x);
}

QN_MATH float qn_abs_f32(float x)
{
    return (float)qn_magnitude((double)x);
}

QN_MATH double qn_square(double x)
{
    return x * x;
}

QN_MATH float qn_square_f32(float x)
{
    return x * x;
}

QN_MATH double qn_rdiv(double x, double y)
{
    return y / x;
}

QN_MATH float qn_rdiv_f32(float x, float y)
{
    return QN_DIV_F32(y, x);
}

/* Function op `code` of x; y is the exponent of POW and of the power
 * transforms, and what RDIV divides. Called, not inlined, on devices: it stands in every
 * kernel that interprets chains. */
QN_CALLED double qn_function(qn_u32 code, double x, double y)
{
    switch (code) {
    case QN_OP_EXP: return qn_exp(x);
    case QN_OP_EXPM1: return qn_expm1(x);
    case QN_OP_LOG: return qn_log(x);
    case QN_OP_LOG1P: return qn_log1p(x);
    case QN_OP_SQRT: return qn_sqrt(x);
    case QN_OP_RECIPROCAL: return qn_reciprocal(x);
    case QN_OP_ASINH: return qn_asinh(x);
    case QN_OP_SIN: return qn_sin(x);
    case QN_OP_COS: return qn_cos(x);
    case QN_OP_POW: return qn_pow(x, y);
    case QN_OP_NCDF: return qn_ncdf(x);
    case QN_OP_NQUANTILE: return qn_nquantile(x);
    case QN_OP_YEO_JOHNSON: return qn_yeo_johnson(x, y);
    case QN_OP_YEO_JOHNSON_BACK: return qn_yeo_johnson_back(x, y);
    case QN_OP_BOX_COX: return qn_box_cox(x, y);
    case QN_OP_BOX_COX_BACK: return qn_box_cox_back(x, y);
    case QN_OP_LOG2: return qn_log2(x);
    case QN_OP_LOG10: return qn_log10(x);
    case QN_OP_ABS: return qn_abs(x);
    case QN_OP_SQUARE: return qn_square(x);
    case QN_OP_RDIV: return qn_rdiv(x, y);
    default: return x;
    }
}

QN_CALLED float qn_function_f32(qn_u32 code, float x, float y)
{
    switch (code) {
    case QN_OP_EXP: return qn_exp_f32(x);
    case QN_OP_EXPM1: return qn_expm1_f32(x);
    case QN_OP_LOG: return qn_log_f32(x);
    case QN_OP_LOG1P: return qn_log1p_f32(x);
    case QN_OP_LOG2: return qn_log2_f32(x);
    case QN_OP_LOG10: return qn_log10_f32(x);
    default: return (float)qn_function(code, (double)x, (double)y);
    }
}

#endif
