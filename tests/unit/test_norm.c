/* SPDX-License-Identifier: Apache-2.0
 * The norms of kernels/norm.h have the bits that scikit-learn divides by: checksums of rows of 1 to
 * 20000 values in both memory layouts, made by tests/parity/norm_golden.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/norm.h"
#include "tests/unit/norm_golden.h"

enum { ROWS = 8 };

static uint64_t fnv(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void make_rows(double *x, uint32_t d)
{
    uint64_t s = d * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < (size_t)ROWS * d; i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double mantissa = (double)((int64_t)(s >> 40) - (1 << 23));
        x[i] = ldexp(mantissa, (int)((s >> 20) % 21) - 33);
    }
}

static float norm32(const double *row, uint32_t kind, uint32_t order, uint32_t n)
{
    struct qn_norm_f32 s;
    qn_norm_begin_f32(&s, kind, order, n);
    for (uint32_t i = 0; i < n; i++) qn_norm_add_f32(&s, (float)row[qn_norm_next_f32(&s)]);
    return qn_norm_end_f32(&s);
}

static double norm64(const double *row, uint32_t kind, uint32_t order, uint32_t n)
{
    struct qn_norm_f64 s;
    qn_norm_begin_f64(&s, kind, order, n);
    for (uint32_t i = 0; i < n; i++) qn_norm_add_f64(&s, row[qn_norm_next_f64(&s)]);
    return qn_norm_end_f64(&s);
}

static uint64_t checksum32(uint64_t h, const double *x, const struct golden *g, uint32_t d)
{
    float norms[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) norms[r] = norm32(x + r * d, g->kind, g->order, d);
    h = fnv(h, norms, sizeof norms);
    for (uint32_t r = 0; r < 2; r++)
        for (uint32_t j = 0; j < (d < 3 ? d : 3); j++) {
            float y = (float)x[r * d + j] / norms[r];
            h = fnv(h, &y, sizeof y);
        }
    return h;
}

static uint64_t checksum64(uint64_t h, const double *x, const struct golden *g, uint32_t d)
{
    double norms[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) norms[r] = norm64(x + r * d, g->kind, g->order, d);
    h = fnv(h, norms, sizeof norms);
    for (uint32_t r = 0; r < 2; r++)
        for (uint32_t j = 0; j < (d < 3 ? d : 3); j++) {
            double y = x[r * d + j] / norms[r];
            h = fnv(h, &y, sizeof y);
        }
    return h;
}

static void norms_have_the_bits_of_scikit_learn(void **state)
{
    (void)state;
    double *x = malloc(sizeof *x * ROWS * 20000);
    assert_non_null(x);
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *g = &goldens[i];
        uint64_t h = UINT64_C(0xcbf29ce484222325);
        for (uint32_t d = g->from; d < g->to; d++) {
            make_rows(x, d);
            h = g->work == QN_W_F32 ? checksum32(h, x, g, d) : checksum64(h, x, g, d);
        }
        if (h != g->checksum)
            fail_msg("work %u kind %u order %u, %u to %u values", g->work, g->kind, g->order,
                     g->from, g->to);
    }
    free(x);
}

static void every_value_is_asked_for_once(void **state)
{
    (void)state;
    static unsigned char asked[2000];
    for (uint32_t n = 1; n < 2000; n += n < 300 ? 1 : 37)
        for (uint32_t kind = QN_NORM_L1; kind <= QN_NORM_MAX; kind++) {
            struct qn_norm_f64 s;
            memset(asked, 0, sizeof asked);
            qn_norm_begin_f64(&s, kind, QN_ORDER_ROWS, n);
            for (uint32_t i = 0; i < n; i++) {
                uint32_t k = qn_norm_next_f64(&s);
                assert_true(k < n);
                assert_int_equal(asked[k]++, 0);
                qn_norm_add_f64(&s, 1.0);
            }
            double want = kind == QN_NORM_L1 ? n : kind == QN_NORM_L2 ? sqrt(n) : 1.0;
            assert_true(qn_norm_end_f64(&s) == want);
        }
}

static void tiny_norms_leave_the_row_alone(void **state)
{
    (void)state;
    static const struct {
        double value, want;
    } cases[] = {
        {0.0, 1.0},
        {-0.0, 1.0},
        {1e-16, 1.0},
        {QN_NORM_TINY_F64 / 2, 1.0},
        {QN_NORM_TINY_F64, QN_NORM_TINY_F64}, /* not below: kept */
        {-1e-10, 1e-10},
        {INFINITY, INFINITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t kind = QN_NORM_L1; kind <= QN_NORM_MAX; kind += 2)
            for (uint32_t order = 0; order < 2; order++)
                assert_true(norm64(&cases[i].value, kind, order, 1) == cases[i].want);
    double below = 1e-6, above = 1.3e-6;
    assert_true(norm32(&below, QN_NORM_MAX, 0, 1) == 1.0f);
    assert_true(norm32(&above, QN_NORM_MAX, 0, 1) == 1.3e-6f);
}

static void a_nan_stays_in_every_norm(void **state)
{
    (void)state;
    double row[20];
    for (uint32_t at = 0; at < 20; at++)
        for (uint32_t kind = QN_NORM_L1; kind <= QN_NORM_MAX; kind++)
            for (uint32_t order = 0; order < 2; order++) {
                for (uint32_t j = 0; j < 20; j++) row[j] = j;
                row[at] = NAN;
                assert_true(isnan(norm64(row, kind, order, 20)));
                assert_true(isnan(norm32(row, kind, order, 20)));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_have_the_bits_of_scikit_learn),
        cmocka_unit_test(every_value_is_asked_for_once),
        cmocka_unit_test(tiny_norms_leave_the_row_alone),
        cmocka_unit_test(a_nan_stays_in_every_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
