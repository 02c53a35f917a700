/* SPDX-License-Identifier: Apache-2.0
 * The loops of functions.c, compiled once per instruction set: QN_SUFFIX names the variant. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

#define EACH(T, EXPR)                                                                              \
    do {                                                                                           \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            T v = x[i];                                                                            \
            x[i] = EXPR;                                                                           \
        }                                                                                          \
    } while (0)

/* Whether all angles are ones that plain arithmetic reduces: then the loop has no branches. */
static int FN(all_near_f32)(uint32_t n, const float *x)
{
    uint32_t far_ = 0;
    for (uint32_t i = 0; i < n; i++)
        far_ += (uint32_t) !(x[i] <= (float)QN_NEAR_ANGLE && x[i] >= -(float)QN_NEAR_ANGLE);
    return far_ == 0;
}

static int FN(all_near_f64)(uint32_t n, const double *x)
{
    uint32_t far_ = 0;
    for (uint32_t i = 0; i < n; i++)
        far_ += (uint32_t) !(x[i] <= QN_NEAR_ANGLE && x[i] >= -QN_NEAR_ANGLE);
    return far_ == 0;
}

static void FN(functions_f32)(uint32_t code, float p0, uint32_t n, float *restrict x)
{
    switch (code) {
    case QN_OP_EXP: EACH(float, qn_exp_f32(v)); break;
    case QN_OP_EXPM1: EACH(float, qn_expm1_f32(v)); break;
    case QN_OP_LOG: EACH(float, qn_log_f32(v)); break;
    case QN_OP_LOG1P: EACH(float, qn_log1p_f32(v)); break;
    case QN_OP_SQRT: EACH(float, qn_sqrt_f32(v)); break;
    case QN_OP_RECIPROCAL: EACH(float, qn_reciprocal_f32(v)); break;
    case QN_OP_ASINH: EACH(float, qn_asinh_f32(v)); break;
    case QN_OP_NCDF: EACH(float, qn_ncdf_f32(v)); break;
    case QN_OP_NQUANTILE: EACH(float, qn_nquantile_f32(v)); break;
    case QN_OP_POW: EACH(float, qn_pow_f32(v, p0)); break;
    case QN_OP_YEO_JOHNSON: EACH(float, qn_yeo_johnson_f32(v, p0)); break;
    case QN_OP_YEO_JOHNSON_BACK: EACH(float, qn_yeo_johnson_back_f32(v, p0)); break;
    case QN_OP_BOX_COX: EACH(float, qn_box_cox_f32(v, p0)); break;
    case QN_OP_BOX_COX_BACK: EACH(float, qn_box_cox_back_f32(v, p0)); break;
    case QN_OP_SIN:
        if (FN(all_near_f32)(n, x))
            EACH(float, (float)qn_sin_near((double)v));
        else
            EACH(float, qn_sin_f32(v));
        break;
    case QN_OP_COS:
        if (FN(all_near_f32)(n, x))
            EACH(float, (float)qn_cos_near((double)v));
        else
            EACH(float, qn_cos_f32(v));
        break;
    default: break;
    }
}

static void FN(functions_f64)(uint32_t code, double p0, uint32_t n, double *restrict x)
{
    switch (code) {
    case QN_OP_EXP: EACH(double, qn_exp(v)); break;
    case QN_OP_EXPM1: EACH(double, qn_expm1(v)); break;
    case QN_OP_LOG: EACH(double, qn_log(v)); break;
    case QN_OP_LOG1P: EACH(double, qn_log1p(v)); break;
    case QN_OP_SQRT: EACH(double, qn_sqrt(v)); break;
    case QN_OP_RECIPROCAL: EACH(double, qn_reciprocal(v)); break;
    case QN_OP_ASINH: EACH(double, qn_asinh(v)); break;
    case QN_OP_NCDF: EACH(double, qn_ncdf(v)); break;
    case QN_OP_NQUANTILE: EACH(double, qn_nquantile(v)); break;
    case QN_OP_POW: EACH(double, qn_pow(v, p0)); break;
    case QN_OP_YEO_JOHNSON: EACH(double, qn_yeo_johnson(v, p0)); break;
    case QN_OP_YEO_JOHNSON_BACK: EACH(double, qn_yeo_johnson_back(v, p0)); break;
    case QN_OP_BOX_COX: EACH(double, qn_box_cox(v, p0)); break;
    case QN_OP_BOX_COX_BACK: EACH(double, qn_box_cox_back(v, p0)); break;
    case QN_OP_SIN:
        if (FN(all_near_f64)(n, x))
            EACH(double, qn_sin_near(v));
        else
            EACH(double, qn_sin(v));
        break;
    case QN_OP_COS:
        if (FN(all_near_f64)(n, x))
            EACH(double, qn_cos_near(v));
        else
            EACH(double, qn_cos(v));
        break;
    default: break;
    }
}

static const struct function_loops FN(function_loops) = {FN(functions_f32), FN(functions_f64)};

#undef FN
#undef EACH
