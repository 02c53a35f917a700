/* SPDX-License-Identifier: Apache-2.0
 * NQUANTILE of floats in the CPU's loops has the bits of its definition: some million floats between 0 and 1, and
 * what else a float can be. With QUERN_FULL set every float of those that have a shorter way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/functions.h"
#include "kernels/functions.h"
#include "tests/unit/isa_groups.h"

enum { MANY = 4099 };

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? 0x7fc00000u : bits;
}

static void compare(uint32_t n, const uint32_t *bits)
{
    static float x[MANY];
    memcpy(x, bits, n * sizeof *x);
    qn_functions_f32(QN_OP_NQUANTILE, 0, n, x);
    for (uint32_t i = 0; i < n; i++) {
        float p;
        memcpy(&p, &bits[i], sizeof p);
        if (bits_of(x[i]) != bits_of(qn_nquantile_f32(p)))
            fail_msg("quantile of %a is %a, not %a", (double)p, (double)x[i],
                     (double)qn_nquantile_f32(p));
    }
}

/* Bit patterns from `from` to `to`, each `step`th. */
static void sweep(uint64_t from, uint64_t to, uint64_t step)
{
    static uint32_t bits[MANY];
    uint32_t n = 0;
    for (uint64_t b = from; b <= to; b += step) {
        bits[n++] = (uint32_t)b;
        if (n == MANY || b + step > to) {
            compare(n, bits);
            n = 0;
        }
    }
}

static void floats_have_the_definitions_bits(void **context)
{
    const int full = getenv("QUERN_FULL") != NULL;
    (void)context;
    sweep(0x3cf00000u, 0x3f800000u, full ? 1 : 61); /* 0.03 to 1 */
    sweep(0, UINT32_MAX, full ? 499 : 20011);
    sweep(0x3f7ff000u, 0x3f800800u, 1);
    sweep(0x3efffff0u, 0x3f000010u, 1); /* about a half */
}

static void any_number_of_values_will_do(void **context)
{
    (void)context;
    for (uint32_t n = 0; n < 70; n++) {
        uint32_t bits[70] = {0};
        for (uint32_t i = 0; i < n; i++) bits[i] = 0x3d000000u + i * 0x00098765u * (n % 5 + 1);
        compare(n, bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(floats_have_the_definitions_bits),
                                       cmocka_unit_test(any_number_of_values_will_do)};
    return RUN_PER_ISA(tests);
}
