/* SPDX-License-Identifier: Apache-2.0
 * The functions of one number that programs are made of, the same bits on every device (docs/numbers.md,
 * "Functions"). float64: within one unit in the last place or little more, special values as C11's
 * Annex F has them. float32: computed in float64 and rounded once. */
#ifndef QN_FUNCTIONS_H
#define QN_FUNCTIONS_H

#include "kernels/functions_exp.h"
#include "kernels/functions_log.h"
#include "kernels/functions_normal.h"
#include "kernels/functions_pow.h"
#include "kernels/functions_trig.h"

QN_MATH float qn_exp_f32(float x)
{
    return (float)qn_exp((double)x);
}

QN_MATH float qn_expm1_f32(float x)
{
    return (float)qn_expm1((double)x);
}

QN_MATH float qn_log_f32(float x)
{
    return (float)qn_log((double)x);
}

QN_MATH float qn_log1p_f32(float x)
{
    return (float)qn_log1p((double)x);
}

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

#endif
