/* SPDX-License-Identifier: Apache-2.0
 * The functions of kernels/functions.h beside MPFR: no result is further than two units in the last place
 * from the true value, and special values are those of C11's Annex F. What was the worst is printed. With
 * QUERN_FULL set fifty times as many doubles are tried. Forms for float32: test_functions_single.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/functions.h"
#include "tests/unit/functions_oracle.h"

#define NONE ((double)NAN)
#define INF ((double)INFINITY)

static uint64_t generator;

static uint64_t next_bits(void)
{
    generator ^= generator << 13;
    generator ^= generator >> 7;
    generator ^= generator << 17;
    return generator;
}

static double next_unit(void)
{
    return (double)(next_bits() >> 11) * 0x1p-53;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int is_full(void)
{
    return getenv("QUERN_FULL") != NULL;
}

/* The double that lies k further up. */
static double moved(double x, int k)
{
    for (; k > 0; k--) x = nextafter(x, INF);
    for (; k < 0; k++) x = nextafter(x, -INF);
    return x;
}

struct range {
    double from, to; /* spread evenly; both 0: every double; SCALES: 2^from … 2^to, either sign */
    int kind;
};
enum { EVEN, SCALES, ALL };

static double next_of(const struct range *r)
{
    if (r->kind == ALL) return of_bits(next_bits());
    double x = r->from + (r->to - r->from) * next_unit();
    if (r->kind == EVEN) return x;
    double mantissa = 1 + next_unit();
    return ldexp(next_bits() & 1 ? mantissa : -mantissa, (int)x);
}

struct subject {
    const char *name;
    double (*of)(double);
    oracle_fn *oracle;
    struct range ranges[8];
    double near_[12]; /* places whose neighbours are tried; ends with 0, which always is one */
};

static double of_exp(double x)
{
    return qn_exp(x);
}
static double of_expm1(double x)
{
    return qn_expm1(x);
}
static double of_log(double x)
{
    return qn_log(x);
}
static double of_log2(double x)
{
    return qn_log2(x);
}
static double of_log10(double x)
{
    return qn_log10(x);
}
static double of_log1p(double x)
{
    return qn_log1p(x);
}
static double of_asinh(double x)
{
    return qn_asinh(x);
}
static double of_sin(double x)
{
    return qn_sin(x);
}
static double of_cos(double x)
{
    return qn_cos(x);
}
static double of_ncdf(double x)
{
    return qn_ncdf(x);
}
static double of_nquantile(double x)
{
    return qn_nquantile(x);
}

static const struct subject subjects[] = {
    {"exp",
     of_exp,
     oracle_exp,
     {{-1, 1, EVEN}, {-745.2, 709.8, EVEN}, {-745.2, -700, EVEN}, {-60, 10, SCALES}, {0, 0, ALL}},
     {709.782712893384, -708.3964185322641, -745.1332191019411, 0.34657359027997264,
      -0.34657359027997264, 710, -746}},
    {"expm1",
     of_expm1,
     oracle_expm1,
     {{-0.1, 0.1, EVEN},
      {-1, 1, EVEN},
      {1, 40, EVEN},
      {-40, -1, EVEN},
      {700, 709.8, EVEN},
      {-60, 10, SCALES},
      {0, 0, ALL}},
     {709.782712893384, 709.4, -37.42994775023705, -36.7, 0.34657359027997264, -0.34657359027997264,
      710, -40}},
    {"log",
     of_log,
     oracle_log,
     {{0.5, 2, EVEN},
      {0.99, 1.01, EVEN},
      {2, 100, EVEN},
      {0, 1e-310, EVEN},
      {-1074, 1023, SCALES},
      {0, 0, ALL}},
     {1, 0.7071067811865476, 1.4142135623730951, 2.2250738585072014e-308, 1.7e308, 2, 0.5}},
    {"log2",
     of_log2,
     oracle_log2,
     {{0.5, 2, EVEN},
      {0.99, 1.01, EVEN},
      {2, 100, EVEN},
      {0, 1e-310, EVEN},
      {-1074, 1023, SCALES},
      {0, 0, ALL}},
     {1, 0.7071067811865476, 1.4142135623730951, 2.2250738585072014e-308, 1.7e308, 2, 0.5}},
    {"log10",
     of_log10,
     oracle_log10,
     {{0.5, 2, EVEN},
      {0.99, 1.01, EVEN},
      {2, 1000, EVEN},
      {0, 1e-310, EVEN},
      {-1074, 1023, SCALES},
      {0, 0, ALL}},
     {1, 0.7071067811865476, 1.4142135623730951, 2.2250738585072014e-308, 1.7e308, 10, 1000}},
    {"log1p",
     of_log1p,
     oracle_log1p,
     {{-0.01, 0.01, EVEN},
      {-1, 2, EVEN},
      {-1, -0.999, EVEN},
      {0x1p50, 0x1p54, EVEN},
      {-60, 60, SCALES},
      {0, 0, ALL}},
     {-1, -0.2928932188134524, 0.4142135623730951, 1, 0x1p52, 0x1p53, 0x1p54, -0.5}},
    {"asinh",
     of_asinh,
     oracle_asinh,
     {{-0.1, 0.1, EVEN}, {-1, 1, EVEN}, {-30, 30, EVEN}, {-60, 60, SCALES}, {0, 0, ALL}},
     {0.3535533905932738, 1, 1073741824, 0x1p26, 0x1p-26, 0x1p-53, 1.3e154, 1.7e308}},
    {"sin",
     of_sin,
     oracle_sin,
     {{-3, 3, EVEN},
      {3.14159, 3.141593, EVEN},
      {-100000, 100000, EVEN},
      {-60, 30, SCALES},
      {20, 1023, SCALES},
      {0, 0, ALL}},
     {3.141592653589793, 1.5707963267948966, 0.7853981633974483, 268435456, 5.319372648326541e255,
      2.2e-308}},
    {"cos",
     of_cos,
     oracle_cos,
     {{-3, 3, EVEN},
      {1.57, 1.571, EVEN},
      {-100000, 100000, EVEN},
      {-60, 30, SCALES},
      {20, 1023, SCALES},
      {0, 0, ALL}},
     {3.141592653589793, 1.5707963267948966, 0.7853981633974483, 268435456, 5.319372648326541e255,
      2.2e-308}},
    {"ncdf",
     of_ncdf,
     oracle_ncdf,
     {{-1, 1, EVEN},
      {-5, 5, EVEN},
      {-38.6, 0, EVEN},
      {-38.6, -37, EVEN},
      {0, 9, EVEN},
      {-60, 5, SCALES},
      {0, 0, ALL}},
     {-38.48540833556734, -37.5193793471445, 8.3, -39, 1, -1, 5.75, -5.75}},
    {"nquantile",
     of_nquantile,
     NULL,
     {{0, 1, EVEN},
      {0.24, 0.26, EVEN},
      {0.49, 0.51, EVEN},
      {0.74, 0.76, EVEN},
      {0.999, 1, EVEN},
      {-1074, -1, SCALES},
      {-1074, -1000, SCALES}},
     {0.25, 0.75, 0.5, 1, 2.2250738585072014e-308, 0.15865525393145707, 1e-300}},
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

struct worst {
    double units, x, y;
};

static double units_of(const struct subject *s, double x, mpfr_t true_)
{
    double got = s->of(x);
    if (s->oracle == NULL && !(x > 0 && x < 1))
        return 0; /* nquantile: the table of special values */
    if (s->oracle == NULL)
        oracle_nquantile_from(true_, x, got);
    else
        s->oracle(true_, x, 0);
    return oracle_units(got, true_);
}

static void note(struct worst *w, double units, double x, double y)
{
    if (units > w->units) *w = (struct worst){units, x, y};
}

static void try_subject(const struct subject *s, struct worst *w, mpfr_t true_)
{
    const int count = is_full() ? 250000 : 5000, neighbours = is_full() ? 500 : 50;
    for (int r = 0; r < 8 && (s->ranges[r].kind == ALL || s->ranges[r].from < s->ranges[r].to); r++)
        for (int i = 0; i < count; i++) {
            double x = next_of(&s->ranges[r]);
            note(w, units_of(s, x, true_), x, 0);
        }
    for (int i = 0; i < 12; i++)
        for (int k = -neighbours; k <= neighbours; k++) {
            double x = moved(s->near_[i], k);
            note(w, units_of(s, x, true_), x, 0);
            note(w, units_of(s, -x, true_), -x, 0);
        }
}

/* The doubles next to multiples of pi / 2, small and very large ones. */
static void try_multiples(const struct subject *s, struct worst *w, mpfr_t true_)
{
    mpfr_t x;
    mpfr_init2(x, 1300);
    for (int i = 1; i < 4000; i++) {
        mpfr_const_pi(x, MPFR_RNDN);
        mpfr_div_2ui(x, x, 1, MPFR_RNDN);
        mpfr_mul_d(x, x, i < 2000 ? i : floor(ldexp(1 + next_unit(), 52)), MPFR_RNDN);
        if (i >= 2000) mpfr_mul_2ui(x, x, next_bits() % 960, MPFR_RNDN);
        double at = mpfr_get_d(x, MPFR_RNDN);
        note(w, units_of(s, at, true_), at, 0);
        note(w, units_of(s, -at, true_), -at, 0);
    }
    mpfr_clear(x);
}

static void results_are_within_two_units(void **state)
{
    mpfr_t true_;
    (void)state;
    mpfr_init2(true_, ORACLE_BITS);
    for (int i = 0; i < SUBJECTS; i++) {
        struct worst w = {0, 0, 0};
        generator = UINT64_C(0x9e3779b97f4a7c15);
        try_subject(&subjects[i], &w, true_);
        if (subjects[i].oracle == oracle_sin || subjects[i].oracle == oracle_cos)
            try_multiples(&subjects[i], &w, true_);
        print_message("%-10s %.3f units at %a\n", subjects[i].name, w.units, w.x);
        if (w.units > 2) fail_msg("%s(%a) is %g units off", subjects[i].name, w.x, w.units);
    }
    mpfr_clear(true_);
}

/* Pairs whose power is neither 0 nor infinite, and any pairs. */
static void next_pair(int way, double *x, double *y)
{
    *x = ldexp(1 + next_unit(), (int)(next_bits() % 2000) - 1000);
    if (way == 0) *x = 10 * next_unit();
    if (way == 1) *x = 1 + (next_unit() - 0.5) * ldexp(1, -(int)(next_bits() % 50));
    *y = (next_unit() * 1500 - 750) / log(*x);
    if (way == 0) *y = 20 * next_unit() - 10;
    if (way == 3) *y = (double)(int)(next_bits() % 40) - 20, *x = -*x;
    if (way == 4) *y = ((double)(int)(next_bits() % 17) - 8) / 4;
    if (way == 5) *x = of_bits(next_bits()), *y = of_bits(next_bits());
    if (way == 6) *x = ldexp(next_unit(), -1022), *y = next_unit() * 2 - 1;
}

static void powers_are_within_two_units(void **state)
{
    const int count = is_full() ? 500000 : 8000;
    struct worst w = {0, 0, 0};
    mpfr_t true_;
    (void)state;
    generator = 77777;
    mpfr_init2(true_, ORACLE_BITS);
    for (int way = 0; way < 7; way++)
        for (int i = 0; i < count; i++) {
            double x, y;
            next_pair(way, &x, &y);
            oracle_pow(true_, x, y);
            note(&w, oracle_units(qn_pow(x, y), true_), x, y);
        }
    mpfr_clear(true_);
    print_message("%-10s %.3f units at %a, %a\n", "pow", w.units, w.x, w.y);
    if (w.units > 2) fail_msg("pow(%a, %a) is %g units off", w.x, w.y, w.units);
}

static void same_bits(const char *what, double x, double y, double got, double want)
{
    if (isnan(want) ? !isnan(got) : memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s(%a, %a) is %a, not %a", what, x, y, got, want);
}

static double of_box_cox(double x, double y)
{
    return qn_box_cox(x, y);
}
static double of_box_cox_back(double x, double y)
{
    return qn_box_cox_back(x, y);
}
static double of_yeo_johnson(double x, double y)
{
    return qn_yeo_johnson(x, y);
}
static double of_yeo_johnson_back(double x, double y)
{
    return qn_yeo_johnson_back(x, y);
}

/* Data as it is met, and lambdas; near where a formula cancels; far out. */
static void next_power(int way, int any_sign, double *x, double *y)
{
    *x = exp(6 * next_unit() - 3);
    *y = 8 * next_unit() - 3;
    if (way == 1) *x = 1 + (next_unit() - 0.5) * ldexp(1, -(int)(next_bits() % 50));
    if (way == 2) *y = (next_unit() - 0.5) * ldexp(1, -(int)(next_bits() % 200));
    if (way == 3) *x = ldexp(1 + next_unit(), (int)(next_bits() % 600) - 300);
    if (way == 3) *y = (next_unit() * 1400 - 700) / fmax(log1p(*x), fabs(log(*x)));
    if (way == 4) *y = (double)(int)(next_bits() % 9) / 2 - 2;
    if (way == 5) *x = ldexp(1 + next_unit(), -(int)(next_bits() % 200));
    if (any_sign && (next_bits() & 1)) *x = -*x, *y = 2 - *y;
}

static void power_transforms_are_within_two_units_and_more_for_large_powers(void **state)
{
    static const struct {
        const char *name;
        double (*of)(double, double);
        oracle_fn *oracle;
        int any_sign, back;
    } them[] = {{"box_cox", of_box_cox, oracle_box_cox, 0, 0},
                {"box_cox_back", of_box_cox_back, oracle_box_cox_back, 0, 1},
                {"yeo_johnson", of_yeo_johnson, oracle_yeo_johnson, 1, 0},
                {"yeo_johnson_back", of_yeo_johnson_back, oracle_yeo_johnson_back, 1, 1}};
    const int count = is_full() ? 200000 : 4000;
    mpfr_t true_;
    (void)state;
    mpfr_init2(true_, ORACLE_BITS);
    for (int k = 0; k < 4; k++) {
        struct worst w = {0, 0, 0};
        generator = 4242;
        for (int i = 0; i < 6 * count; i++) {
            double x, y;
            next_power(i % 6, them[k].any_sign, &x, &y);
            if (them[k].back) x = them[k - 1].of(x, y);
            them[k].oracle(true_, x, y);
            double got = them[k].of(x, y);
            double exponent = log(fabs(them[k].back ? got : x)) * (them[k].back ? 1 : fabs(y) + 2);
            double more =
                isfinite(exponent) ? 1 + fabs(exponent) / 4 : 1; /* as good as the logarithm */
            note(&w, oracle_units(got, true_) / more, x, y);
        }
        print_message("%-16s %.3f units at %a, %a\n", them[k].name, w.units, w.x, w.y);
        if (w.units > 2) fail_msg("%s(%a, %a) is %g units off", them[k].name, w.x, w.y, w.units);
    }
    mpfr_clear(true_);
}

static void special_power_transforms(void **state)
{
    (void)state;
    same_bits("yeo_johnson", 0, 3, qn_yeo_johnson(0, 3), 0);
    same_bits("yeo_johnson", -0.0, -3, qn_yeo_johnson(-0.0, -3), -0.0);
    same_bits("yeo_johnson", NONE, 1, qn_yeo_johnson(NONE, 1), NONE);
    same_bits("yeo_johnson", 1, NONE, qn_yeo_johnson(1, NONE), NONE);
    same_bits("yeo_johnson", 3, 1, qn_yeo_johnson(3, 1), 3);
    same_bits("yeo_johnson", -3, 1, qn_yeo_johnson(-3, 1), -3);
    same_bits("yeo_johnson", INF, 2, qn_yeo_johnson(INF, 2), INF);
    same_bits("yeo_johnson", INF, -2, qn_yeo_johnson(INF, -2), 0.5);
    same_bits("yeo_johnson", 1, 0, qn_yeo_johnson(1, 0), qn_log1p(1));
    same_bits("yeo_johnson", -1, 2, qn_yeo_johnson(-1, 2), -qn_log1p(1));
    same_bits("yeo_johnson_back", -1, 2, qn_yeo_johnson_back(-1, 2), -qn_expm1(1));
    same_bits("yeo_johnson_back", 1, -2, qn_yeo_johnson_back(1, -2), NONE);
    same_bits("yeo_johnson_back", NONE, -2, qn_yeo_johnson_back(NONE, -2), NONE);
    same_bits("box_cox", 0, 2, qn_box_cox(0, 2), -0.5);
    same_bits("box_cox", 0, 0, qn_box_cox(0, 0), -INF);
    same_bits("box_cox", 0, -2, qn_box_cox(0, -2), -INF);
    same_bits("box_cox", -1, 2, qn_box_cox(-1, 2), NONE);
    same_bits("box_cox", INF, 0.5, qn_box_cox(INF, 0.5), INF);
    same_bits("box_cox", 1, 7, qn_box_cox(1, 7), 0);
    same_bits("box_cox_back", 2, 0, qn_box_cox_back(2, 0), qn_exp(2));
    same_bits("box_cox_back", -1, 2, qn_box_cox_back(-1, 2), NONE);
    same_bits("box_cox_back", -0.5, 2, qn_box_cox_back(-0.5, 2), 0);
}

static void special_values_are_those_of_annex_f(void **state)
{
    static const struct {
        double (*of)(double);
        const char *name;
        double x, want;
    } cases[] = {
        {of_exp, "exp", NONE, NONE},
        {of_exp, "exp", INF, INF},
        {of_exp, "exp", -INF, 0},
        {of_exp, "exp", 0, 1},
        {of_exp, "exp", -0.0, 1},
        {of_exp, "exp", 709.782712893385, INF},
        {of_exp, "exp", -745.1332191019413, 0},
        {of_exp, "exp", -745.1332191019411, 0x1p-1074},
        {of_exp, "exp", 1e308, INF},
        {of_exp, "exp", -1e308, 0},
        {of_expm1, "expm1", NONE, NONE},
        {of_expm1, "expm1", INF, INF},
        {of_expm1, "expm1", -INF, -1},
        {of_expm1, "expm1", 0, 0},
        {of_expm1, "expm1", -0.0, -0.0},
        {of_expm1, "expm1", -1e300, -1},
        {of_expm1, "expm1", 0x1p-1074, 0x1p-1074},
        {of_expm1, "expm1", 709.782712893385, INF},
        {of_log, "log", NONE, NONE},
        {of_log, "log", INF, INF},
        {of_log, "log", 0, -INF},
        {of_log, "log", -0.0, -INF},
        {of_log, "log", 1, 0},
        {of_log, "log", -1, NONE},
        {of_log, "log", -INF, NONE},
        {of_log, "log", -0x1p-1074, NONE},
        {of_log2, "log2", NONE, NONE},
        {of_log2, "log2", INF, INF},
        {of_log2, "log2", 0, -INF},
        {of_log2, "log2", 1, 0},
        {of_log2, "log2", -1, NONE},
        {of_log2, "log2", 0x1p-1074, -1074},
        {of_log2, "log2", 0x1p1023, 1023},
        {of_log10, "log10", NONE, NONE},
        {of_log10, "log10", INF, INF},
        {of_log10, "log10", -0.0, -INF},
        {of_log10, "log10", 1, 0},
        {of_log10, "log10", -INF, NONE},
        {of_log10, "log10", 1e22, 22},
        {of_log1p, "log1p", NONE, NONE},
        {of_log1p, "log1p", INF, INF},
        {of_log1p, "log1p", 0, 0},
        {of_log1p, "log1p", -0.0, -0.0},
        {of_log1p, "log1p", -1, -INF},
        {of_log1p, "log1p", -1.0000000000000002, NONE},
        {of_log1p, "log1p", -INF, NONE},
        {of_log1p, "log1p", -0x1p-1074, -0x1p-1074},
        {of_asinh, "asinh", NONE, NONE},
        {of_asinh, "asinh", INF, INF},
        {of_asinh, "asinh", -INF, -INF},
        {of_asinh, "asinh", 0, 0},
        {of_asinh, "asinh", -0.0, -0.0},
        {of_asinh, "asinh", 0x1p-1074, 0x1p-1074},
        {of_sin, "sin", NONE, NONE},
        {of_sin, "sin", INF, NONE},
        {of_sin, "sin", -INF, NONE},
        {of_sin, "sin", 0, 0},
        {of_sin, "sin", -0.0, -0.0},
        {of_sin, "sin", -0x1p-1074, -0x1p-1074},
        {of_cos, "cos", NONE, NONE},
        {of_cos, "cos", INF, NONE},
        {of_cos, "cos", -INF, NONE},
        {of_cos, "cos", 0, 1},
        {of_cos, "cos", -0.0, 1},
        {of_ncdf, "ncdf", NONE, NONE},
        {of_ncdf, "ncdf", INF, 1},
        {of_ncdf, "ncdf", -INF, 0},
        {of_ncdf, "ncdf", 0, 0.5},
        {of_ncdf, "ncdf", -0.0, 0.5},
        {of_ncdf, "ncdf", 40, 1},
        {of_ncdf, "ncdf", -1e300, 0},
        {of_nquantile, "nquantile", NONE, NONE},
        {of_nquantile, "nquantile", 0, -INF},
        {of_nquantile, "nquantile", -0.0, -INF},
        {of_nquantile, "nquantile", 1, INF},
        {of_nquantile, "nquantile", 0.5, 0},
        {of_nquantile, "nquantile", -0x1p-1074, NONE},
        {of_nquantile, "nquantile", 1.0000000000000002, NONE},
        {of_nquantile, "nquantile", INF, NONE},
        {of_nquantile, "nquantile", -INF, NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        same_bits(cases[i].name, cases[i].x, 0, cases[i].of(cases[i].x), cases[i].want);
}

/* F.10.4.4, and what plain powers are. */
static void special_powers_are_those_of_annex_f(void **state)
{
    static const double cases[][3] = {
        {0, -3, INF},
        {-0.0, -3, -INF},
        {0, -2, INF},
        {-0.0, -2, INF},
        {0, -2.5, INF},
        {-0.0, -2.5, INF},
        {0, -INF, INF},
        {-0.0, -INF, INF},
        {0, 3, 0},
        {-0.0, 3, -0.0},
        {0, 2, 0},
        {-0.0, 2, 0},
        {-0.0, 0.5, 0},
        {0, INF, 0},
        {-0.0, INF, 0},
        {-1, INF, 1},
        {-1, -INF, 1},
        {1, NONE, 1},
        {1, INF, 1},
        {NONE, 0, 1},
        {NONE, -0.0, 1},
        {0, 0, 1},
        {INF, 0, 1},
        {-2, 0.5, NONE},
        {-0x1p-1074, 1.5, NONE},
        {-1e308, -0.1, NONE},
        {0.5, -INF, INF},
        {-0.5, -INF, INF},
        {2, -INF, 0},
        {-2, -INF, 0},
        {0.5, INF, 0},
        {-0.5, INF, 0},
        {2, INF, INF},
        {-2, INF, INF},
        {-INF, -3, -0.0},
        {-INF, -2, 0},
        {-INF, -2.5, 0},
        {-INF, 3, -INF},
        {-INF, 2, INF},
        {-INF, 2.5, INF},
        {INF, -0.5, 0},
        {INF, 0.5, INF},
        {INF, INF, INF},
        {INF, -INF, 0},
        {-INF, INF, INF},
        {-INF, -INF, 0},
        {NONE, 1, NONE},
        {2, NONE, NONE},
        {NONE, NONE, NONE},
        {-1, NONE, NONE},
        {-2, 3, -8},
        {-2, 4, 16},
        {2, -1074, 0x1p-1074},
        {2, -1075, 0},
        {2, 1023, 0x1p1023},
        {2, 1024, INF},
        {-2, 1025, -INF},
        {-2, -1077, -0.0},
        {-1, 9007199254740991.0, -1},
        {-1, 9007199254740992.0, 1},
        {-1, 4503599627370497.0, -1},
        {-1, 1e300, 1},
        {3, 1, 3},
        {10, 2, 100},
        {0x1p-1074, 1, 0x1p-1074},
        {4, 0.5, 2},
        {1e300, 2, INF},
        {1e-300, 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        same_bits("pow", cases[i][0], cases[i][1], qn_pow(cases[i][0], cases[i][1]), cases[i][2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_within_two_units),
        cmocka_unit_test(powers_are_within_two_units),
        cmocka_unit_test(power_transforms_are_within_two_units_and_more_for_large_powers),
        cmocka_unit_test(special_power_transforms),
        cmocka_unit_test(special_values_are_those_of_annex_f),
        cmocka_unit_test(special_powers_are_those_of_annex_f),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
