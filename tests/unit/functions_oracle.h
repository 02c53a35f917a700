/* SPDX-License-Identifier: Apache-2.0
 * How far a result is from the true value, by MPFR, in units in the last place of a double. */
#ifndef QN_TEST_FUNCTIONS_ORACLE_H
#define QN_TEST_FUNCTIONS_ORACLE_H

#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdint.h>

enum { ORACLE_BITS = 160 };

/* The true value of a function at (x, y), rounded to ORACLE_BITS. */
typedef void oracle_fn(mpfr_t out, double x, double y);

/* Distance of `got` from `want`. An overflow counts from where the next double would be. */
static inline double oracle_units(double got, mpfr_t want)
{
    static mpfr_t t;
    static int ready;
    if (!ready) mpfr_init2(t, ORACLE_BITS);
    ready = 1;
    double near_ = mpfr_get_d(want, MPFR_RNDN);
    if (isnan(got) || isnan(near_)) return isnan(got) && isnan(near_) ? 0 : INFINITY;
    if (isinf(got) && isinf(near_)) return got == near_ ? 0 : INFINITY;
    int exponent = mpfr_zero_p(want) ? -2000 : (int)mpfr_get_exp(want) - 53;
    if (exponent < -1074) exponent = -1074;
    if (exponent > 971) exponent = 971;
    if (isinf(got))
        mpfr_set_d(t, got > 0 ? 0x1p1023 : -0x1p1023, MPFR_RNDN), mpfr_mul_2ui(t, t, 1, MPFR_RNDN);
    else
        mpfr_set_d(t, got, MPFR_RNDN);
    mpfr_sub(t, t, want, MPFR_RNDN);
    mpfr_mul_2si(t, t, -exponent, MPFR_RNDN);
    return fabs(mpfr_get_d(t, MPFR_RNDN));
}

#define ORACLE_PLAIN(NAME)                                                                         \
    static inline void oracle_##NAME(mpfr_t out, double x, double y)                               \
    {                                                                                              \
        (void)y;                                                                                   \
        mpfr_set_d(out, x, MPFR_RNDN);                                                             \
        mpfr_##NAME(out, out, MPFR_RNDN);                                                          \
    }
ORACLE_PLAIN(exp)
ORACLE_PLAIN(expm1)
ORACLE_PLAIN(log)
ORACLE_PLAIN(log1p)
ORACLE_PLAIN(log2)
ORACLE_PLAIN(log10)
ORACLE_PLAIN(asinh)
ORACLE_PLAIN(sin)
ORACLE_PLAIN(cos)

static inline void oracle_pow(mpfr_t out, double x, double y)
{
    mpfr_t by;
    mpfr_init2(by, 53);
    mpfr_set_d(by, y, MPFR_RNDN);
    mpfr_set_d(out, x, MPFR_RNDN);
    mpfr_pow(out, out, by, MPFR_RNDN);
    mpfr_clear(by);
}

/* (x^y - 1) / y and its limit; below, u is x or 1 + |x|. */
static inline void oracle_box_cox_of(mpfr_t u, double y)
{
    mpfr_log(u, u, MPFR_RNDN);
    if (y == 0) return;
    mpfr_mul_d(u, u, y, MPFR_RNDN);
    mpfr_expm1(u, u, MPFR_RNDN);
    mpfr_div_d(u, u, y, MPFR_RNDN);
}

static inline void oracle_box_cox(mpfr_t out, double x, double y)
{
    mpfr_set_d(out, x, MPFR_RNDN);
    oracle_box_cox_of(out, y);
}

/* Exact in so many bits for all that the test tries: x from 2^-400 on. */
enum { ORACLE_MORE_BITS = 700 };

static inline void oracle_yeo_johnson(mpfr_t out, double x, double y)
{
    mpfr_t u, p;
    mpfr_inits2(ORACLE_MORE_BITS, u, p, (mpfr_ptr)0);
    mpfr_set_d(u, fabs(x), MPFR_RNDN);
    mpfr_log1p(u, u, MPFR_RNDN);
    mpfr_set_d(p, y, MPFR_RNDN);
    if (x < 0) mpfr_ui_sub(p, 2, p, MPFR_RNDN);
    if (!mpfr_zero_p(p)) {
        mpfr_mul(u, u, p, MPFR_RNDN);
        mpfr_expm1(u, u, MPFR_RNDN);
        mpfr_div(u, u, p, MPFR_RNDN);
    }
    if (x < 0) mpfr_neg(u, u, MPFR_RNDN);
    mpfr_set(out, u, MPFR_RNDN);
    mpfr_clears(u, p, (mpfr_ptr)0);
}

/* log1p(p |x|) / p */
static inline void oracle_power_log(mpfr_t u, double x, double y, int two_sided)
{
    mpfr_t p;
    mpfr_init2(p, ORACLE_MORE_BITS);
    mpfr_set_d(p, y, MPFR_RNDN);
    if (two_sided && x < 0) mpfr_ui_sub(p, 2, p, MPFR_RNDN);
    mpfr_set_d(u, two_sided ? fabs(x) : x, MPFR_RNDN);
    if (!mpfr_zero_p(p)) {
        mpfr_mul(u, u, p, MPFR_RNDN);
        mpfr_log1p(u, u, MPFR_RNDN);
        mpfr_div(u, u, p, MPFR_RNDN);
    }
    mpfr_clear(p);
}

static inline void oracle_box_cox_back(mpfr_t out, double x, double y)
{
    mpfr_t u;
    mpfr_init2(u, ORACLE_MORE_BITS);
    oracle_power_log(u, x, y, 0);
    mpfr_exp(out, u, MPFR_RNDN);
    mpfr_clear(u);
}

static inline void oracle_yeo_johnson_back(mpfr_t out, double x, double y)
{
    mpfr_t u;
    mpfr_init2(u, ORACLE_MORE_BITS);
    oracle_power_log(u, x, y, 1);
    mpfr_expm1(out, u, MPFR_RNDN);
    if (x < 0) mpfr_neg(out, out, MPFR_RNDN);
    mpfr_clear(u);
}

/* erfc(-x / sqrt 2) / 2. Its argument has 100 bits more than the result, since the tail is steep. */
static inline void oracle_ncdf(mpfr_t out, double x, double y)
{
    mpfr_t t;
    (void)y;
    mpfr_init2(t, ORACLE_BITS + 100);
    mpfr_set_ui(t, 2, MPFR_RNDN);
    mpfr_sqrt(t, t, MPFR_RNDN);
    mpfr_d_div(t, -x, t, MPFR_RNDN);
    mpfr_erfc(out, t, MPFR_RNDN);
    mpfr_div_2ui(out, out, 1, MPFR_RNDN);
    mpfr_clear(t);
}

/* By a step of Newton's from `got`, which is exact to more than 100 bits where got is near. */
static inline void oracle_nquantile_from(mpfr_t out, double p, double got)
{
    mpfr_t t;
    mpfr_init2(t, ORACLE_BITS + 100);
    oracle_ncdf(out, got, 0);
    mpfr_sub_d(out, out, p, MPFR_RNDN);
    mpfr_set_d(t, got, MPFR_RNDN);
    mpfr_sqr(t, t, MPFR_RNDN);
    mpfr_div_2ui(t, t, 1, MPFR_RNDN);
    mpfr_exp(t, t, MPFR_RNDN);
    mpfr_mul(out, out, t, MPFR_RNDN);
    mpfr_const_pi(t, MPFR_RNDN);
    mpfr_mul_2ui(t, t, 1, MPFR_RNDN);
    mpfr_sqrt(t, t, MPFR_RNDN);
    mpfr_mul(out, out, t, MPFR_RNDN);
    mpfr_d_sub(out, got, out, MPFR_RNDN);
    mpfr_clear(t);
}

#endif
