/* SPDX-License-Identifier: Apache-2.0
 * Neighbours on a line and in the plane are those of a search that tries every pair, ties and all; estimates
 * do not know the number of threads; the digamma function of whole numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/plane.h"
#include "backends/cpu/sorted.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"
#include "host/stats/digamma.h"
#include "tests/unit/reference.h"

enum { MOST = 700 };

/* Numbers of a kind: all different, some equal, all equal but one, in order. */
static double number(uint32_t kind, uint32_t i, uint64_t *state)
{
    switch (kind) {
    case 0: return ref_normal(state);
    case 1: return (double)(ref_random(state) % 5);
    case 2: return i == 3 ? 1 : -0.0;
    default: return i * 0.25;
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void the_plane_knows_the_distance_of_every_neighbour(void **unused)
{
    static const uint32_t sizes[] = {2, 3, 16, 17, 33, 64, 65, 200, MOST};
    static double d[MOST], best[MOST];
    (void)unused;
    for (uint32_t test = 0; test < 16 * sizeof sizes / sizeof *sizes; test++) {
        uint32_t n = sizes[test / 16];
        uint64_t state = test + 5;
        struct qn_point points[MOST];
        for (uint32_t i = 0; i < n; i++)
            points[i] =
                (struct qn_point){number(test % 4, i, &state), number(test / 4 % 4, i, &state), i};
        uint32_t depth = qn_plane_depth(n);
        struct qn_plane plane = {.x = calloc(n, sizeof(double)),
                                 .y = calloc(n, sizeof(double)),
                                 .row = calloc(n, sizeof(uint32_t)),
                                 .boxes = calloc(qn_plane_boxes(depth), sizeof(struct qn_box)),
                                 .n = n,
                                 .depth = depth};
        qn_plane_make(&plane, points);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t k = 1 + i % (n - 1), found = 0;
            for (uint32_t j = 0; j < n; j++)
                if (j != i)
                    d[found++] = fmax(fabs(plane.x[i] - plane.x[j]), fabs(plane.y[i] - plane.y[j]));
            qsort(d, found, sizeof *d, ascending);
            if (qn_plane_radius(&plane, i, k, best) != d[k - 1])
                fail_msg("test %u: neighbour %u of point %u of %u", test, k, i, n);
        }
        free(plane.x);
        free(plane.y);
        free(plane.row);
        free(plane.boxes);
    }
}

static void a_sorted_column_knows_how_many_are_how_near(void **unused)
{
    static double x[MOST], value[MOST], d[MOST];
    static struct qn_keyed room[2 * MOST];
    static uint32_t row[MOST];
    (void)unused;
    for (uint32_t test = 0; test < 4; test++) {
        uint64_t state = test + 1;
        for (uint32_t i = 0; i < MOST; i++) x[i] = number(test, i, &state);
        qn_sorted_make(x, MOST, room, value, row);
        for (uint32_t i = 0; i < MOST; i++) {
            uint32_t k = 1 + i % (MOST - 1), near = 0, found = 0;
            assert_true(value[i] == x[row[i]] && (i == 0 || value[i - 1] <= value[i]));
            for (uint32_t j = 0; j < MOST; j++)
                if (j != i) d[found++] = fabs(value[i] - value[j]);
            qsort(d, found, sizeof *d, ascending);
            double r = qn_sorted_radius(value, MOST, i, k);
            assert_true(r == d[k - 1]);
            for (uint32_t j = 0; j < MOST; j++) near += fabs(value[i] - value[j]) <= r;
            assert_int_equal(qn_sorted_within(value, MOST, i, r), near);
            assert_true(qn_sorted_within(value, MOST, i, 0.0) >= 1);
        }
    }
}

static void threads_and_groups_of_columns_cannot_be_seen_in_an_estimate(void **unused)
{
    enum { ROWS = 9001, COLUMNS = 3 };
    static double x[ROWS * COLUMNS], y[ROWS], digamma[ROWS + 1];
    static uint32_t codes[ROWS];
    static const unsigned char discrete[COLUMNS] = {0, 1, 0};
    static const double scales[COLUMNS] = {1.5, 1, 0.25};
    double nats[2][2][COLUMNS], group[COLUMNS - 1];
    uint64_t state = 9;
    (void)unused;
    for (uint32_t i = 0; i < ROWS; i++) {
        for (uint32_t c = 0; c < COLUMNS; c++) x[c * ROWS + i] = number(c % 2, i, &state);
        y[i] = x[i] + ref_normal(&state);
        codes[i] = y[i] > 0;
    }
    qn_digamma_table(ROWS, digamma);
    for (uint32_t several = 0; several < 2; several++) {
        struct qn_threads *threads;
        assert_int_equal(qn_threads_open(several ? 3 : 1, &threads), QUERN_OK);
        for (uint32_t numbers = 0; numbers < 2; numbers++) {
            struct qn_information q = {.values = x,
                                       .columns = COLUMNS,
                                       .all = COLUMNS,
                                       .rows = ROWS,
                                       .discrete = discrete,
                                       .target = numbers ? y : NULL,
                                       .codes = codes,
                                       .n_classes = 2,
                                       .neighbours = 3,
                                       .digamma = digamma,
                                       .scales = scales,
                                       .target_scale = 2,
                                       .seed = 1,
                                       .nats = nats[several][numbers]};
            assert_int_equal(qn_cpu_information(threads, &q), QUERN_OK);
            struct qn_information last = q;
            last.first = 1;
            last.columns = COLUMNS - 1;
            last.values += ROWS;
            last.discrete++;
            last.scales++;
            last.nats = group;
            assert_int_equal(qn_cpu_information(threads, &last), QUERN_OK);
            assert_memory_equal(group, q.nats + 1, sizeof group);
        }
        qn_threads_close(threads);
    }
    assert_memory_equal(nats[0], nats[1], sizeof nats[0]);
    for (uint32_t numbers = 0; numbers < 2; numbers++) {
        assert_true(nats[0][numbers][0] > 0.1);  /* log(2) / 2 of two normal numbers: 0.35 */
        assert_true(nats[0][numbers][2] < 0.05); /* nothing to be known */
    }
}

static void digamma_of_whole_numbers_is_right_to_the_last_place(void **unused)
{
    static const struct {
        uint32_t n;
        double value;
    } golden[] = {{1, -0.57721566490153286}, {2, 0.42278433509846714},
                  {3, 0.92278433509846714},  {10, 2.2517525890667210},
                  {100, 4.6001618527380874}, {12345, 9.4209658990048460}};
    static double table[12346];
    (void)unused;
    qn_digamma_table(12345, table);
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        if (!(fabs(table[golden[i].n] - golden[i].value) <= 2.3e-16 * fabs(golden[i].value)))
            fail_msg("digamma(%u) is %.17g, not %.17g", golden[i].n, table[golden[i].n],
                     golden[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plane_knows_the_distance_of_every_neighbour),
        cmocka_unit_test(a_sorted_column_knows_how_many_are_how_near),
        cmocka_unit_test(threads_and_groups_of_columns_cannot_be_seen_in_an_estimate),
        cmocka_unit_test(digamma_of_whole_numbers_is_right_to_the_last_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
