/* SPDX-License-Identifier: Apache-2.0
 * Values in their order with their weights: sorting, percentiles and k-means, against what a few lines say. */
#include "host/stats/weighed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/stats/kmeans.h"

enum { MANY = 5000 };

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [0, 1). */
static double unit(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* Of every size and sign, some of them many times, zeros of both signs, infinities and NaN of both. */
static double odd_value(uint64_t *state)
{
    switch (next_random(state) % 8) {
    case 0: return (double)(next_random(state) % 5);
    case 1: return -0.0;
    case 2: return next_random(state) % 2 ? (double)NAN : -(double)NAN;
    case 3: return next_random(state) % 2 ? (double)INFINITY : -(double)INFINITY;
    default: return ldexp(unit(state) - 0.5, (int)(next_random(state) % 2000) - 1000);
    }
}

/* What goes with a value is the place that it had: equal values stay in their order. */
static void sorting_is_stable_and_missing_values_are_last(void **unused)
{
    static double values[MANY], places[MANY], alone[MANY], before[MANY];
    uint64_t state = 7;
    (void)unused;
    for (int i = 0; i < MANY; i++) {
        before[i] = values[i] = alone[i] = odd_value(&state);
        places[i] = i;
    }
    assert_int_equal(qn_sort_doubles(values, places, MANY), QUERN_OK);
    assert_int_equal(qn_sort_doubles(alone, NULL, MANY), QUERN_OK);
    assert_memory_equal(values, alone, sizeof values);
    for (int i = 0; i < MANY; i++) {
        double was = before[(int)places[i]];
        assert_true(values[i] == was || (isnan(values[i]) && isnan(was)));
        if (i == 0) continue;
        assert_true(values[i - 1] <= values[i] || isnan(values[i]));
        if (values[i - 1] == values[i] || isnan(values[i - 1]))
            assert_true(places[i - 1] < places[i]);
    }
}

static double percentile(const double *values, const double *weights, uint64_t n, double percent,
                         int average, int f32)
{
    struct qn_weighed w;
    assert_int_equal(qn_weighed_open(&w, n, "testing"), QUERN_OK);
    memcpy(w.values, values, n * sizeof *values);
    memcpy(w.weights, weights, n * sizeof *weights);
    assert_int_equal(qn_weighed_sort(&w), QUERN_OK);
    qn_weighed_sum(&w);
    double found = qn_weighed_percentile(&w, percent, average, f32);
    qn_weighed_free(&w);
    return found;
}

/* scikit-learn 1.9's results. */
static void percentiles_step_where_the_weights_do(void **unused)
{
    static const double x[] = {30, 10, 40, 20, 50}, w[] = {1, 2, 0, 1, 4};
    static const struct {
        double percent, plain, average;
    } want[] = {{0, 10, 10},  {25, 10, 15}, {26, 20, 20}, {37.5, 20, 25},
                {50, 30, 40}, {51, 50, 50}, {100, 50, 50}};
    (void)unused;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        double plain = percentile(x, w, 5, want[i].percent, 0, 0);
        double average = percentile(x, w, 5, want[i].percent, 1, 0);
        if (plain != want[i].plain || average != want[i].average)
            fail_msg("%g%%: %g and %g, not %g and %g", want[i].percent, plain, average,
                     want[i].plain, want[i].average);
    }
}

static void rows_without_weight_are_nowhere(void **unused)
{
    static const double x[] = {-9, 1, 2, 99, (double)NAN}, w[] = {0, 1, 1, 0, 5};
    (void)unused;
    assert_true(percentile(x, w, 5, 0, 0, 0) == 1);
    assert_true(percentile(x, w, 5, 50, 0, 0) == 1);
    assert_true(percentile(x, w, 5, 50, 1, 0) == 1.5);
    assert_true(percentile(x, w, 5, 100, 1, 0) == 2);
    /* none left: the last is missing */
    static const double none[] = {0, 0, 0, 0, 5};
    assert_true(isnan(percentile(x, none, 5, 50, 0, 0)));
}

static void means_of_float32_values_are_float32(void **unused)
{
    const double a = (double)0.1f, b = (double)0.7f, x[] = {a, b}, w[] = {1, 1};
    (void)unused;
    assert_true(percentile(x, w, 2, 50, 1, 0) == (a + b) / 2);
    assert_true(percentile(x, w, 2, 50, 1, 1) == (double)(((float)a + (float)b) / 2));
}

/* ---- k-means ---- */

/* A value of weight 3 is three of them: the same sums, and here the same end of the search. */
static void weights_are_repetitions_to_k_means(void **unused)
{
    uint64_t state = 11;
    (void)unused;
    for (int trial = 0; trial < 200; trial++) {
        double values[60], weights[60], all[240], a[4], b[4];
        uint64_t n = 20 + next_random(&state) % 40, total = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t heap = next_random(&state) % 4; /* far apart: borders are not in doubt */
            values[i] = (double)heap * 1000 + (double)(next_random(&state) % 64) / 8;
            weights[i] = (double)(1 + next_random(&state) % 4);
            for (uint64_t k = 0; k < (uint64_t)weights[i]; k++) all[total++] = values[i];
        }
        for (int k = 0; k < 4; k++) a[k] = b[k] = k * 1000;
        assert_int_equal(qn_kmeans_line(values, weights, n, a, 4), QUERN_OK);
        assert_int_equal(qn_kmeans_line(all, NULL, total, b, 4), QUERN_OK);
        assert_memory_equal(a, b, sizeof a);
    }
}

/* The mean of each heap, with weights that no double holds exactly and values that nearly cancel. */
static void centers_are_weighted_means(void **unused)
{
    double values[] = {1e9 + 1, 1e9 + 2, 7, 8, 9}, weights[] = {0.1, 0.7, 1e-3, 0, 1e6},
           c[] = {0, 1e9};
    (void)unused;
    assert_int_equal(qn_kmeans_line(values, weights, 5, c, 2), QUERN_OK);
    assert_true(fabs(c[0] - (7 * 1e-3 + 9e6) / (1e6 + 1e-3)) < 1e-14);
    assert_true(fabs(c[1] - (1e9 + 1 + 0.7 / 0.8)) < 1e-6);
}

/* A cluster whose values weigh nothing takes the value that is farthest off; where that weighs nothing
 * either it goes to the heaviest cluster's center. */
static void clusters_that_weigh_nothing_find_another_place(void **unused)
{
    double values[] = {0, 1, 2, 50, 100}, weights[] = {1, 1, 1, 0, 4}, c[] = {0, 50, 100};
    double light[] = {0, 1, 2, 50, 1000}, none[] = {5, 5, 5, 0, 0}, d[] = {0, 60};
    (void)unused;
    assert_int_equal(qn_kmeans_line(values, weights, 5, c, 3), QUERN_OK);
    for (int k = 0; k < 3; k++) assert_true(isfinite(c[k]) && c[k] >= 0 && c[k] <= 100);
    assert_true(c[2] == 100);
    assert_int_equal(qn_kmeans_line(light, none, 5, d, 2), QUERN_OK);
    for (int k = 0; k < 2; k++) assert_true(isfinite(d[k]));
}

static void memory_that_is_not_there_is_an_error(void **unused)
{
    (void)unused;
    for (uint64_t k = 1; k < 100; k++) {
        double values[] = {5, 1, 9, 2}, weights[] = {1, 2, 3, 4}, centers[] = {1, 9};
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_kmeans_line(values, weights, 4, centers, 2);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) return;
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    fail_msg("%s", "no run came through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting_is_stable_and_missing_values_are_last),
        cmocka_unit_test(percentiles_step_where_the_weights_do),
        cmocka_unit_test(rows_without_weight_are_nowhere),
        cmocka_unit_test(means_of_float32_values_are_float32),
        cmocka_unit_test(weights_are_repetitions_to_k_means),
        cmocka_unit_test(centers_are_weighted_means),
        cmocka_unit_test(clusters_that_weigh_nothing_find_another_place),
        cmocka_unit_test(memory_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
