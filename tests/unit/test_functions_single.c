/* SPDX-License-Identifier: Apache-2.0
 * The forms for float32 of the functions of kernels/functions.h, as far as they are computed in float32: none
 * is further than its part of a unit in the last place from the true value, and special values are those of
 * C11's Annex F. What was the worst is printed. With QUERN_FULL set every float32 is tried. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/functions.h"

/* The float32 forms that are computed in float32, beside the float64 ones, which test_functions.c holds to MPFR. */
struct single {
    const char *name;
    float (*of)(float);
    double (*in_double)(double);
    double most; /* units in the last place of a float */
};

static const struct single singles[] = {
    {"exp", qn_exp_f32, qn_exp, 0.77},       {"expm1", qn_expm1_f32, qn_expm1, 0.72},
    {"log", qn_log_f32, qn_log, 0.92},       {"log2", qn_log2_f32, qn_log2, 0.74},
    {"log10", qn_log10_f32, qn_log10, 0.69}, {"log1p", qn_log1p_f32, qn_log1p, 0.92},
};

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Distance of `got` from `want` in units of a float. Where the rounded `want` is 0, NaN or infinite, `got`
 * is that, but for an overflow within half a unit. */
static double single_units(float got, double want)
{
    float rounded = (float)want;
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : (double)INFINITY;
    if (isinf(got) && (got > 0 ? want : -want) >= 0x1p128) return 0;
    if (want == 0 || isinf(want))
        return memcmp(&got, &rounded, sizeof got) == 0 ? 0 : (double)INFINITY;
    int exponent;
    (void)frexp(want, &exponent);
    exponent = exponent - 24 < -149 ? -149 : exponent - 24 > 104 ? 104 : exponent - 24;
    double distance = (isinf(got) ? copysign(0x1p128, (double)got) : (double)got) - want;
    return fabs(ldexp(distance, -exponent));
}

struct worst {
    double units, x;
};

static void note_single(const struct single *s, struct worst *w, uint32_t bits)
{
    float x = float_of_bits(bits);
    double units = single_units(s->of(x), s->in_double((double)x));
    if (units > w->units) *w = (struct worst){units, (double)x};
}

static void float32_forms_are_within_their_part_of_a_unit(void **state)
{
    static const float near_[] = {0,
                                  0x1p-126f,
                                  0x1p-149f,
                                  0.25f,
                                  0.5f,
                                  0.75f,
                                  1,
                                  1.5f,
                                  2,
                                  3,
                                  0x1p23f,
                                  0x1p24f,
                                  0x1.8p126f,
                                  0x1.8p127f,
                                  0x1.fffffep127f,
                                  17.328679f,
                                  0.34657359f,
                                  1.0397208f,
                                  87.33654f,
                                  88.722839f,
                                  88.376262f,
                                  103.2789292f,
                                  103.97208f,
                                  1e-10f,
                                  INFINITY};
    const uint64_t step = getenv("QUERN_FULL") != NULL ? 1 : 1021;
    (void)state;
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        const struct single *s = &singles[i];
        struct worst w = {0, 0};
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += step)
            note_single(s, &w, (uint32_t)bits);
        for (size_t k = 0; k < sizeof near_ / sizeof near_[0]; k++)
            for (uint32_t d = 0; d < 4000; d++) {
                uint32_t bits;
                memcpy(&bits, &near_[k], sizeof bits);
                note_single(s, &w, bits + d - 2000);
                note_single(s, &w, (bits + d - 2000) ^ 0x80000000u);
            }
        print_message("%-10s %.4f units at %a (float32)\n", s->name, w.units, w.x);
        if (w.units > s->most) fail_msg("%s(%a) is %g units off", s->name, w.x, w.units);
    }
}

static void same_bits(const char *what, float x, float got, float want)
{
    if (isnan(want) ? !isnan(got) : memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s(%a) is %a, not %a", what, (double)x, (double)got, (double)want);
}

static void special_values_of_float32_forms(void **state)
{
    static const struct {
        float (*of)(float);
        const char *name;
        float x, want;
    } cases[] = {
        {qn_exp_f32, "exp", NAN, NAN},
        {qn_exp_f32, "exp", INFINITY, INFINITY},
        {qn_exp_f32, "exp", -INFINITY, 0},
        {qn_exp_f32, "exp", 0, 1},
        {qn_exp_f32, "exp", -0.0f, 1},
        {qn_exp_f32, "exp", 88.72284f, INFINITY},
        {qn_exp_f32, "exp", -103.97209f, 0},
        {qn_exp_f32, "exp", -103.97208f, 0x1p-149f},
        {qn_exp_f32, "exp", -3e38f, 0},
        {qn_expm1_f32, "expm1", NAN, NAN},
        {qn_expm1_f32, "expm1", INFINITY, INFINITY},
        {qn_expm1_f32, "expm1", -INFINITY, -1},
        {qn_expm1_f32, "expm1", 0, 0},
        {qn_expm1_f32, "expm1", -0.0f, -0.0f},
        {qn_expm1_f32, "expm1", -0x1p-149f, -0x1p-149f},
        {qn_expm1_f32, "expm1", -1e30f, -1},
        {qn_expm1_f32, "expm1", 88.72284f, INFINITY},
        {qn_log_f32, "log", NAN, NAN},
        {qn_log_f32, "log", INFINITY, INFINITY},
        {qn_log_f32, "log", 0, -INFINITY},
        {qn_log_f32, "log", -0.0f, -INFINITY},
        {qn_log_f32, "log", 1, 0},
        {qn_log_f32, "log", -1, NAN},
        {qn_log_f32, "log", -0x1p-149f, NAN},
        {qn_log_f32, "log", -INFINITY, NAN},
        {qn_log2_f32, "log2", NAN, NAN},
        {qn_log2_f32, "log2", INFINITY, INFINITY},
        {qn_log2_f32, "log2", 0, -INFINITY},
        {qn_log2_f32, "log2", 1, 0},
        {qn_log2_f32, "log2", -2, NAN},
        {qn_log2_f32, "log2", 0x1p-149f, -149},
        {qn_log2_f32, "log2", 0x1p127f, 127},
        {qn_log10_f32, "log10", NAN, NAN},
        {qn_log10_f32, "log10", INFINITY, INFINITY},
        {qn_log10_f32, "log10", -0.0f, -INFINITY},
        {qn_log10_f32, "log10", 1, 0},
        {qn_log10_f32, "log10", 1e10f, 10},
        {qn_log10_f32, "log10", 1000, 3},
        {qn_log10_f32, "log10", -INFINITY, NAN},
        {qn_log1p_f32, "log1p", NAN, NAN},
        {qn_log1p_f32, "log1p", INFINITY, INFINITY},
        {qn_log1p_f32, "log1p", 0, 0},
        {qn_log1p_f32, "log1p", -0.0f, -0.0f},
        {qn_log1p_f32, "log1p", 0x1p-149f, 0x1p-149f},
        {qn_log1p_f32, "log1p", -0x1p-149f, -0x1p-149f},
        {qn_log1p_f32, "log1p", -1, -INFINITY},
        {qn_log1p_f32, "log1p", -1.0000001f, NAN},
        {qn_log1p_f32, "log1p", -INFINITY, NAN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        same_bits(cases[i].name, cases[i].x, cases[i].of(cases[i].x), cases[i].want);
}

/* Two to any whole number, and ten as far as a float holds it. */
static void powers_of_the_base_have_whole_logarithms_in_float32(void **state)
{
    (void)state;
    for (int k = -149; k < 128; k++) assert_true(qn_log2_f32(ldexpf(1, k)) == (float)k);
    float ten = 1;
    for (int k = 0; k <= 10; k++) {
        assert_true(qn_log10_f32(ten) == (float)k);
        ten *= 10;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_forms_are_within_their_part_of_a_unit),
        cmocka_unit_test(special_values_of_float32_forms),
        cmocka_unit_test(powers_of_the_base_have_whole_logarithms_in_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
