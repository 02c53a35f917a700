/* SPDX-License-Identifier: Apache-2.0
 * The function ops as vectors of every instruction set have the bits of one value after another, whatever
 * lies beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/functions.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"
#include "tests/unit/reference_functions.h"

enum { MANY = 2051 };

/* kind 0: any bits; 1: moderate numbers, all of them angles that plain arithmetic reduces; 2: both,
 * and places where the functions turn. */
static double argument(uint64_t *state, int kind)
{
    static const double places[] = {
        0.0,    -0.0, 1.0,   -1.0,   0.5,      0.25,      0.75, 5e-324, -1e-310, 709.783,
        -745.2, 1e22, 1e300, -1e300, INFINITY, -INFINITY, NAN,  3.0,    0x1p28,  0x1.0001p28};
    uint64_t bits = ref_random(state);
    double x, unit = (double)(ref_random(state) >> 11) * 0x1p-53;
    if (kind == 2) {
        if ((bits >> 40) % 4 == 0) return places[(bits >> 44) % (sizeof places / sizeof places[0])];
        kind = (bits >> 60) & 1;
    }
    memcpy(&x, &bits, sizeof x);
    return kind == 0 ? x : (unit - 0.5) * ldexp(1, (int)(bits >> 44 & 31) - 20);
}

static void check(uint32_t code, double p, int kind, uint32_t n)
{
    static double x[MANY], y[MANY];
    static float f[MANY], g[MANY];
    uint64_t state = code * 1000003u + (uint32_t)kind;
    for (uint32_t i = 0; i < n; i++) {
        x[i] = y[i] = argument(&state, kind);
        f[i] = g[i] = (float)x[i];
    }
    qn_functions_f64(code, p, n, y);
    qn_functions_f32(code, (float)p, n, g);
    for (uint32_t i = 0; i < n; i++) {
        double want = reference_function(code, x[i], p);
        float narrow = reference_function_f32(code, f[i], (float)p);
        if (!ref_same_bits(y[i], want))
            fail_msg("op %u of %a (%a): %a, not %a", code, x[i], p, y[i], want);
        if (!ref_same_bits((double)g[i], (double)narrow))
            fail_msg("op %u of float %a (%a): %a, not %a", code, (double)f[i], p, (double)g[i],
                     (double)narrow);
    }
}

static void vectors_have_the_bits_of_single_values(void **state)
{
    static const double exponents[] = {0.5, -1.5, 2, 3, 0, 1e-3, -7, 1e300, INFINITY, NAN};
    (void)state;
    for (uint32_t code = QN_OP_EXP; code <= QN_OP_LAST_FUNCTION; code++)
        for (int kind = 0; kind < 3; kind++)
            for (uint32_t e = 0; e < (QN_OP_HAS_EXPONENT(code) ? 10u : 1u); e++) {
                check(code, exponents[e], kind, MANY);
                for (uint32_t n = 0; n < 20; n++) check(code, exponents[e], kind, n);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_have_the_bits_of_single_values)};
    return RUN_PER_ISA(tests);
}
