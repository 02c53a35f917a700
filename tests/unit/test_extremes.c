/* SPDX-License-Identifier: Apache-2.0
 * Minimum, maximum and count against the reference, for every instruction set, layout, kind of values
 * and number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"
#include "tests/unit/sample_data.h"

static struct qn_threads *pools[2]; /* 2, 5 */

static struct qn_extremes empty(void)
{
    return (struct qn_extremes){(double)INFINITY, -(double)INFINITY, 0};
}

static struct qn_extremes expected(const double *x, uint64_t n)
{
    struct qn_extremes e = empty();
    for (uint64_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        if (x[i] < e.min) e.min = x[i];
        if (x[i] > e.max) e.max = x[i];
        e.count++;
    }
    e.min += 0.0;
    e.max += 0.0;
    return e;
}

/* Where any extremes would do: counts are right, and what is not finite is not lost. */
static void check_any(const struct sample *s, uint64_t rows, uint32_t lanes,
                      struct qn_threads *threads, const struct qn_extremes *exact)
{
    struct qn_extremes *out = malloc(lanes * sizeof *out);
    struct qn_extremes_request request = {.batch = s->batch, .out = out, .any = 1};
    int finite = rows != 0;
    if (out == NULL) abort();
    for (uint32_t l = 0; l < lanes; l++) {
        out[l] = empty();
        finite &= isfinite(exact[l].min) && isfinite(exact[l].max) && exact[l].count == rows;
    }
    assert_int_equal(qn_cpu_extremes(threads, &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l++) {
        assert_int_equal(out[l].count, exact[l].count);
        if (finite)
            assert_true(isfinite(out[l].min) && isfinite(out[l].max));
        else
            assert_true(out[l].min == exact[l].min && out[l].max == exact[l].max);
    }
    free(out);
}

static void check(enum sample_layout layout, enum sample_fill fill, uint32_t type, uint64_t rows,
                  uint32_t lanes, struct qn_threads *threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 17 + lanes);
    struct qn_extremes *out = malloc(lanes * sizeof *out);
    struct qn_extremes_request request = {.batch = s.batch, .out = out};
    if (out == NULL) abort();
    for (uint32_t l = 0; l < lanes; l++) out[l] = empty();
    assert_int_equal(qn_cpu_extremes(threads, &request), QUERN_OK);
    check_any(&s, rows, lanes, threads, out);
    for (uint32_t l = 0; l < lanes; l++) {
        double *x = sample_values(&s, l);
        struct qn_extremes want = expected(x, rows);
        if (!ref_same_bits(out[l].min, want.min) || !ref_same_bits(out[l].max, want.max) ||
            out[l].count != want.count)
            fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u: %a … %a, %llu instead of %a … %a, "
                     "%llu",
                     qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                     (unsigned long long)rows, lanes, l, out[l].min, out[l].max,
                     (unsigned long long)out[l].count, want.min, want.max,
                     (unsigned long long)want.count);
        free(x);
    }
    free(out);
    sample_free(&s);
}

static void every_layout_and_kind_of_value(void **unused)
{
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check((enum sample_layout)layout, (enum sample_fill)fill, type, 3001, 13, pools[0]);
}

static void any_number_of_rows_and_columns(void **unused)
{
    static const uint64_t rows[] = {0, 1, 2, 127, 128, 129, 1023, 1024, 1025, 3000, 70001};
    static const uint32_t lanes[] = {1, 2, 3, 5, 16, 50, 100, 257};
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof lanes / sizeof *lanes; k++) {
            if (rows[i] * lanes[k] > 400000) continue;
            check(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, rows[i], lanes[k], pools[1]);
            check(SAMPLE_GAPPED, SAMPLE_NORMAL, QN_T_F64, rows[i], lanes[k], pools[0]);
            check(SAMPLE_COLUMNS, SAMPLE_TINY, QN_T_F32, rows[i], lanes[k], pools[0]);
        }
    check(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, 700, 2000, pools[0]);
}

static void results_are_merged_into_what_is_there(void **unused)
{
    float x[5] = {3, -1, NAN, 7, 2};
    struct qn_lane lane = {.data = x, .stride = 4, .type = QN_T_F32, .work = QN_W_F32};
    struct qn_extremes out = {-4, 5, 10};
    struct qn_extremes_request request = {.batch = {.rows = 5, .lanes = &lane, .n_lanes = 1},
                                          .out = &out};
    (void)unused;
    assert_int_equal(qn_cpu_extremes(NULL, &request), QUERN_OK);
    assert_true(out.min == -4 && out.max == 7 && out.count == 14);
}

static void running_out_of_memory_is_reported(void **unused)
{
    struct sample s = sample_make(SAMPLE_CHAINS, SAMPLE_NORMAL, QN_T_F32, 3000, 7, 5);
    struct qn_extremes out[7];
    struct qn_extremes_request request = {.batch = s.batch, .out = out};
    (void)unused;
    for (uint64_t k = 1;; k++) {
        for (int l = 0; l < 7; l++) out[l] = empty();
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_cpu_extremes(NULL, &request);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            assert_true(k > 3);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    sample_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_and_kind_of_value),
        cmocka_unit_test(any_number_of_rows_and_columns),
        cmocka_unit_test(results_are_merged_into_what_is_there),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    if (qn_threads_open(2, &pools[0]) != QUERN_OK || qn_threads_open(5, &pools[1]) != QUERN_OK)
        return 1;
    int failed = RUN_PER_ISA(tests);
    qn_threads_close(pools[0]);
    qn_threads_close(pools[1]);
    return failed;
}
