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

/* The power transforms in two loops, which together take less time than one of so many registers. */
static void FN(power_logs)(uint32_t code, uint32_t n, const double *restrict x,
                           double *restrict high, double *restrict low)
{
    if (code == QN_OP_BOX_COX)
        for (uint32_t i = 0; i < n; i++) {
            struct qn_two_words l = qn_box_cox_log(x[i]);
            high[i] = l.high;
            low[i] = l.low;
        }
    else
        for (uint32_t i = 0; i < n; i++) {
            struct qn_two_words l = qn_yeo_johnson_log(x[i]);
            high[i] = l.high;
            low[i] = l.low;
        }
}

static void FN(power_of_logs)(uint32_t code, double p0, uint32_t n, const double *restrict high,
                              const double *restrict low, double *restrict x)
{
    if (code == QN_OP_BOX_COX)
        for (uint32_t i = 0; i < n; i++) {
            struct qn_two_words l = {high[i], low[i]};
            x[i] = qn_power_of_log(l, p0);
        }
    else
        for (uint32_t i = 0; i < n; i++) {
            struct qn_two_words l = {high[i], low[i]};
            x[i] = qn_yeo_johnson_of_log(x[i], l, p0);
        }
}

static void FN(power_f64)(uint32_t code, double p0, uint32_t n, double *restrict x)
{
    double high[POWER_ROWS], low[POWER_ROWS];
    for (uint32_t at = 0; at < n; at += POWER_ROWS) {
        uint32_t rows = n - at < POWER_ROWS ? n - at : POWER_ROWS;
        FN(power_logs)(code, rows, x + at, high, low);
        FN(power_of_logs)(code, p0, rows, high, low, x + at);
    }
}

/* The same of floats, which become doubles in the first loop and floats again in the second. */
static inline __attribute__((always_inline)) void
FN(power_part_f32)(uint32_t code, double p0, uint32_t n, float *restrict x, double *restrict wide,
                   double *restrict high, double *restrict low)
{
    for (uint32_t i = 0; i < n; i++) {
        double v = (double)x[i];
        struct qn_two_words l = code == QN_OP_BOX_COX ? qn_box_cox_log(v) : qn_yeo_johnson_log(v);
        wide[i] = v;
        high[i] = l.high;
        low[i] = l.low;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct qn_two_words l = {high[i], low[i]};
        x[i] = (float)(code == QN_OP_BOX_COX ? qn_power_of_log(l, p0)
                                             : qn_yeo_johnson_of_log(wide[i], l, p0));
    }
}

static void FN(power_f32)(uint32_t code, float p0, uint32_t n, float *restrict x)
{
    double wide[POWER_ROWS], high[POWER_ROWS], low[POWER_ROWS];
    for (uint32_t at = 0; at < n; at += POWER_ROWS) {
        uint32_t rows = n - at < POWER_ROWS ? n - at : POWER_ROWS;
        if (code == QN_OP_BOX_COX)
            FN(power_part_f32)(QN_OP_BOX_COX, (double)p0, rows, x + at, wide, high, low);
        else
            FN(power_part_f32)(QN_OP_YEO_JOHNSON, (double)p0, rows, x + at, wide, high, low);
    }
}

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
    case QN_OP_LOG2: EACH(float, qn_log2_f32(v)); break;
    case QN_OP_LOG10: EACH(float, qn_log10_f32(v)); break;
    case QN_OP_ABS: EACH(float, qn_abs_f32(v)); break;
    case QN_OP_SQUARE: EACH(float, qn_square_f32(v)); break;
    case QN_OP_RDIV: EACH(float, qn_rdiv_f32(v, p0)); break;
    case QN_OP_POW: EACH(float, qn_pow_f32(v, p0)); break;
    case QN_OP_YEO_JOHNSON_BACK: EACH(float, qn_yeo_johnson_back_f32(v, p0)); break;
    case QN_OP_YEO_JOHNSON:
    case QN_OP_BOX_COX: FN(power_f32)(code, p0, n, x); break;
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
    case QN_OP_LOG2: EACH(double, qn_log2(v)); break;
    case QN_OP_LOG10: EACH(double, qn_log10(v)); break;
    case QN_OP_ABS: EACH(double, qn_abs(v)); break;
    case QN_OP_SQUARE: EACH(double, qn_square(v)); break;
    case QN_OP_RDIV: EACH(double, qn_rdiv(v, p0)); break;
    case QN_OP_POW: EACH(double, qn_pow(v, p0)); break;
    case QN_OP_YEO_JOHNSON_BACK: EACH(double, qn_yeo_johnson_back(v, p0)); break;
    case QN_OP_YEO_JOHNSON:
    case QN_OP_BOX_COX: FN(power_f64)(code, p0, n, x); break;
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

static void FN(powers_f32)(uint32_t n, const float *a, const float *x, float *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = qn_pow_f32(a[i], x[i]);
}

static void FN(powers_f64)(uint32_t n, const double *a, const double *x, double *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = qn_pow(a[i], x[i]);
}

static const struct function_loops FN(function_loops) = {FN(functions_f32), FN(functions_f64),
                                                         FN(powers_f32), FN(powers_f64)};

#undef FN
#undef EACH
