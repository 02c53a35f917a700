/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/tails.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tails_golden.h"

/* A few units in the last place: the worst seen among thousands of random arguments is 2e-15. */
static int is_near(double got, double want)
{
    return fabs(got - want) <= 4e-15 * want;
}

static void the_f_distribution_has_full_accuracy_out_to_the_smallest_tails(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof f_golden / sizeof *f_golden; i++) {
        double p = qn_f_tail(f_golden[i].d1, f_golden[i].d2, f_golden[i].f);
        if (!is_near(p, f_golden[i].p))
            fail_msg("F(%g, %g) > %g: %.17g, not %.17g", f_golden[i].d1, f_golden[i].d2,
                     f_golden[i].f, p, f_golden[i].p);
    }
}

static void chi_squared_has_full_accuracy_out_to_the_smallest_tails(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof chi2_golden / sizeof *chi2_golden; i++) {
        double p = qn_chi2_tail(chi2_golden[i].df, chi2_golden[i].x);
        if (!is_near(p, chi2_golden[i].p))
            fail_msg("chi2(%g) > %g: %.17g, not %.17g", chi2_golden[i].df, chi2_golden[i].x, p,
                     chi2_golden[i].p);
    }
}

static void what_is_no_statistic_has_no_probability(void **unused)
{
    (void)unused;
    assert_true(isnan(qn_f_tail(3, 10, (double)NAN)));
    assert_true(isnan(qn_f_tail(0, 10, 1)));
    assert_true(isnan(qn_f_tail(3, 0, 1)));
    assert_true(isnan(qn_chi2_tail(2, (double)NAN)));
    assert_true(isnan(qn_chi2_tail(0, 1)));
}

static void the_ends_are_certain(void **unused)
{
    (void)unused;
    assert_true(qn_f_tail(3, 10, 0) == 1.0 && qn_f_tail(3, 10, (double)INFINITY) == 0.0);
    assert_true(qn_chi2_tail(2, 0) == 1.0 && qn_chi2_tail(2, (double)INFINITY) == 0.0);
    assert_true(qn_f_tail(1, 1, 1.7e308) > 0.0);
    assert_true(qn_chi2_tail(2, 1e-310) == 1.0);
    assert_true(qn_f_tail(5, 1e6, 1e6) == 0.0);
}

static void tails_never_grow_with_the_statistic(void **unused)
{
    (void)unused;
    double last_f = 1.0, last_c = 1.0;
    for (uint32_t i = 128; i < 2048; i++) {
        double x = 0.001953125 * i;
        double f = qn_f_tail(7, 5000, x), c = qn_chi2_tail(9, 9 * x);
        assert_true(f <= last_f && c <= last_c);
        last_f = f;
        last_c = c;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_f_distribution_has_full_accuracy_out_to_the_smallest_tails),
        cmocka_unit_test(chi_squared_has_full_accuracy_out_to_the_smallest_tails),
        cmocka_unit_test(what_is_no_statistic_has_no_probability),
        cmocka_unit_test(the_ends_are_certain),
        cmocka_unit_test(tails_never_grow_with_the_statistic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
