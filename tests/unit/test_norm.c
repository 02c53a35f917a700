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

#include "backends/cpu/isa.h"
#include "backends/cpu/run_norm_wide.h"
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

/* ---- quotients by vectors, beside divisions ---- */

enum {
    PAIRS = 64,
    PITCH = 20
}; /* rows of a matrix; its columns: a norm and values that are divided by it */

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 1 / odd modulo 2^64 (Newton's iteration doubles the bits that are right). */
static uint64_t inverse(uint64_t odd)
{
    uint64_t y = odd;
    for (int i = 0; i < 6; i++) y *= 2 - odd * y;
    return y;
}

/* The upper word of a product. */
static uint64_t high_product(uint64_t a, uint64_t b)
{
    uint64_t al = a & UINT32_MAX, ah = a >> 32, bl = b & UINT32_MAX, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (middle & UINT32_MAX);
    return ah * bh + (middle >> 32) + (other >> 32);
}

/* A divisor and a value of `bits` bits whose quotient is next to the middle of two neighbours:
 * n m + j = x 2^(bits + 1), where m has a bit more than a quotient and j is a small odd number. */
static void hard_pair(uint64_t *s, unsigned bits, double *n, double *x)
{
    uint64_t one = UINT64_C(1) << bits, whole = (next_random(s) % (one / 2)) | (one / 2) | 1u;
    uint64_t j = next_random(s) % 8 * 2 + 1, m = (0 - j) * inverse(whole) % (2 * one);
    if (next_random(s) % 2) j = 0 - j, m = (0 - j) * inverse(whole) % (2 * one);
    *n = (double)whole;
    uint64_t low = whole * m, sum = low + j, high = high_product(whole, m) + (j < one && sum < low);
    *x = (double)(high << (63 - bits) | sum >> (bits + 1));
}

/* Values at the ends of a binade, of all sizes, next to the bounds between the two ways, and zeros. */
static void any_pair(uint64_t *s, unsigned bits, int span, double *n, double *x)
{
    uint64_t one = UINT64_C(1) << (bits - 1), k = next_random(s);
    double a = (double)(k % 3 == 0 ? 2 * one - 1 - k / 3 % 4 : one + next_random(s) % one);
    double b = (double)(k % 5 == 0 ? 2 * one - 1 - k / 5 % 8 : one + next_random(s) % one);
    int up = (int)(next_random(s) % (unsigned)span), down = (int)(next_random(s) % (unsigned)span);
    *n = ldexp(a, (k % 7 ? 0 : up / 4) - (int)bits);
    *x = ldexp(b, (k % 11 ? 0 : -down) - (int)bits);
    if (k % 13 == 0) *x = 0;
    if (next_random(s) % 2) *x = -*x;
}

static void pair_of(uint64_t *s, unsigned bits, int span, double *n, double *x)
{
    if (next_random(s) % 2)
        hard_pair(s, bits, n, x);
    else
        any_pair(s, bits, span, n, x);
}

/* A matrix of rows whose largest magnitude comes first, so that MAX divides by it. */
static void check_quotients(uint64_t *s, uint32_t work)
{
    static double x64[PAIRS * PITCH], y64[PAIRS * PITCH];
    static float x32[PAIRS * PITCH], y32[PAIRS * PITCH];
    int wide = work == QN_W_F64;
    for (size_t r = 0; r < PAIRS; r++) {
        double n, x;
        pair_of(s, wide ? 53 : 24, wide ? 1000 : 120, &n, &x);
        for (size_t j = 0; j < PITCH; j++) {
            while (fabs(x) > n) x /= 2;
            x64[r * PITCH + j] = j == 0 ? n : x;
            if (j > 0) any_pair(s, wide ? 53 : 24, wide ? 1000 : 120, &(double){0}, &x);
        }
    }
    for (size_t i = 0; i < PAIRS * PITCH; i++) x32[i] = (float)x64[i];
    qn_norm_wide(work)(&(struct qn_norm_rows){.in = wide ? (void *)x64 : (void *)x32,
                                              .out = wide ? (void *)y64 : (void *)y32,
                                              .rows = PAIRS,
                                              .columns = PITCH,
                                              .kind = QN_NORM_MAX});
    for (size_t i = 0; i < PAIRS * PITCH; i++) {
        double want64 = x64[i] / x64[i / PITCH * PITCH];
        float want32 = x32[i] / x32[i / PITCH * PITCH];
        int same = wide ? memcmp(&want64, &y64[i], sizeof want64) == 0
                        : memcmp(&want32, &y32[i], sizeof want32) == 0;
        if (!same) fail_msg("%a / %a: not the rounded quotient", x64[i], x64[i / PITCH * PITCH]);
    }
}

static void quotients_are_those_of_a_division(void **state)
{
    (void)state;
    uint64_t s = 1, tries = getenv("QUERN_FULL") != NULL ? 40000 : 400;
    for (int level = QN_ISA_AVX2; level < QN_ISA_COUNT; level++) {
        if (!qn_cpu_isa_force(level)) continue;
        for (uint64_t i = 0; qn_norm_wide(QN_W_F32) != NULL && i < tries; i++) {
            check_quotients(&s, QN_W_F32);
            check_quotients(&s, QN_W_F64);
        }
    }
    (void)qn_cpu_isa_force(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_have_the_bits_of_scikit_learn),
        cmocka_unit_test(every_value_is_asked_for_once),
        cmocka_unit_test(tiny_norms_leave_the_row_alone),
        cmocka_unit_test(a_nan_stays_in_every_norm),
        cmocka_unit_test(quotients_are_those_of_a_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
