/* SPDX-License-Identifier: Apache-2.0
 * Curves of powers on the CPU: against the scalar definition, bit by bit, for every instruction set, layout, kind of
 * values and number of threads; and against the variance that they are curves of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/powers.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference_powers.h"
#include "tests/unit/sample_data.h"

enum { THREADS = 7 };
static struct qn_threads *pools[THREADS + 1];

static int open_pools(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= THREADS; i++)
        if (qn_threads_open(i, &pools[i]) != QUERN_OK) return -1;
    return 0;
}

static int close_pools(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= THREADS; i++) qn_threads_close(pools[i]);
    return 0;
}

/* All nodes against the definition. */
static void check(enum sample_layout layout, enum sample_fill fill, uint32_t type, uint64_t rows,
                  uint32_t lanes, uint32_t lane_step, uint32_t threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 131 + lanes);
    uint64_t groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    struct qn_powers_node *nodes = calloc(groups * lanes + 1, sizeof *nodes);
    struct qn_powers_at *at = calloc(lanes, sizeof *at);
    struct qn_powers_request request = {.batch = s.batch, .at = at, .nodes = nodes};
    assert_true(nodes != NULL && at != NULL);
    for (uint32_t l = 0; l < lanes; l++) at[l] = ref_powers_place(l);
    assert_int_equal(qn_cpu_powers(pools[threads], &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l += lane_step) {
        double *x = sample_values(&s, l);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t first = g * QN_GROUP_ROWS, left = rows - first;
            struct qn_powers_node want =
                ref_powers(x + first, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS, &at[l]);
            if (!ref_same_powers(&nodes[g * lanes + l], &want))
                fail_msg("%s, %s, %s, type %u, %llu x %u, %u threads: lane %u, group %llu: %a, %a "
                         "of %g instead of %a, %a of %g",
                         qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                         (unsigned long long)rows, lanes, threads, l, (unsigned long long)g,
                         nodes[g * lanes + l].log_, nodes[g * lanes + l].part[6],
                         nodes[g * lanes + l].n, want.log_, want.part[6], want.n);
        }
        free(x);
    }
    free(at);
    free(nodes);
    sample_free(&s);
}

static void every_layout_and_kind_of_value_gives_the_reference_bits(void **state)
{
    (void)state;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check((enum sample_layout)layout, (enum sample_fill)fill, type, 2003, 9, 1, 2);
}

static void any_number_of_rows_lanes_and_threads_gives_the_reference_bits(void **state)
{
    static const uint64_t rows[] = {0, 1, 2, 15, 16, 17, 1023, 1024, 1025, 9001, 65536, 66000};
    (void)state;
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check((enum sample_layout)(i % SAMPLE_LAYOUTS), SAMPLE_SOME_NAN, QN_T_F32 + i % 2, rows[i],
              1 + i % 3, 1, 1 + i % THREADS);
    for (uint32_t threads = 1; threads <= THREADS; threads++)
        check(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, 5000, 11, 1, threads);
    /* more nodes than wait at once */
    check(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, QN_GROUP_ROWS + 2000, 130, 43, 2);
}

/* The variance at some lambdas, in long doubles. */
static long double variance(const double *x, int n, long double r, long double down)
{
    long double mean = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            long double s = copysignl(log1pl(fabsl(x[i])), x[i]), p = s < 0 ? down : r;
            long double y = expm1l(p * s) / p;
            if (pass == 0)
                mean += y / n;
            else
                sum += (y - mean) * (y - mean);
        }
    return sum;
}

static void a_curve_is_that_of_the_variance(void **state)
{
    enum { N = 3000 };
    static double x[N];
    uint64_t seed = 3;
    struct qn_lane lane = {.data = x, .stride = 8, .type = QN_T_F64, .work = QN_W_F64};
    struct qn_powers_at at = {
        .scale = 1, .up = 0.7, .down = -1.3, .up_inverse = 1 / 0.7, .down_inverse = 1 / -1.3};
    struct qn_powers_node node;
    struct qn_powers_request rq = {
        .batch = {.rows = N, .lanes = &lane, .n_lanes = 1}, .at = &at, .nodes = &node};
    (void)state;
    for (int i = 0; i < N; i++) x[i] = 0.4 * ref_normal(&seed);
    assert_int_equal(qn_cpu_powers(pools[2], &rq), QUERN_OK);
    for (int i = -2; i <= 2; i++) {
        double d = 0.125 * i, sum = 0;
        long double want = variance(x, N, 0.7L + d, -1.3L + d);
        for (int k = QN_POWERS_ORDER; k >= 0; k--) sum = sum * d + node.part[k];
        assert_true(fabsl(sum - want) <= 2e-8L * want);
        if (i == 0) assert_true(fabsl(sum - want) <= 1e-14L * want);
    }
}

static void running_out_of_memory_is_reported(void **state)
{
    double x[4] = {1, 2, 3, 4};
    struct qn_lane lane = {.data = x, .stride = 8, .type = QN_T_F64, .work = QN_W_F64};
    struct qn_powers_at at = ref_powers_place(0);
    struct qn_powers_node node;
    struct qn_powers_request rq = {
        .batch = {.rows = 4, .lanes = &lane, .n_lanes = 1}, .at = &at, .nodes = &node};
    (void)state;
    for (uint64_t k = 1;; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_cpu_powers(NULL, &rq);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            assert_true(k > 2);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_and_kind_of_value_gives_the_reference_bits),
        cmocka_unit_test(any_number_of_rows_lanes_and_threads_gives_the_reference_bits),
        cmocka_unit_test(a_curve_is_that_of_the_variance),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    if (open_pools(NULL) != 0) return 1;
    int failed = RUN_PER_ISA(tests);
    close_pools(NULL);
    return failed;
}
