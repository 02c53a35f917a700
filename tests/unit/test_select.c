/* SPDX-License-Identifier: Apache-2.0
 * Order statistics: bracketed selection, digit histograms and the selector that is built on them,
 * against sorting; quantile and median arithmetic against NumPy's and scikit-learn's numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/order.h"
#include "host/core/checked.h"
#include "host/stats/quantiles.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/quantile_golden.h"
#include "tests/unit/reference.h"
#include "tests/unit/sample_data.h"

static struct qn_threads *pools[2]; /* 2, 5 */

/* Sorted values of every lane, their counts, and ranks that are worth asking for. */
struct problem {
    struct sample sample;
    double **sorted;
    uint64_t *counts, *ranks;
    double *values;
    uint32_t n_ranks;
};

static struct problem make_problem(struct sample sample, uint32_t n_ranks)
{
    uint32_t lanes = sample.batch.n_lanes;
    struct problem p = {.sample = sample, .n_ranks = n_ranks};
    p.sorted = calloc(lanes, sizeof *p.sorted);
    p.counts = calloc(lanes, sizeof *p.counts);
    p.ranks = calloc((size_t)lanes * n_ranks, sizeof *p.ranks);
    p.values = calloc((size_t)lanes * n_ranks, sizeof *p.values);
    if (p.sorted == NULL || p.counts == NULL || p.ranks == NULL || p.values == NULL) abort();
    for (uint32_t l = 0; l < lanes; l++) {
        p.sorted[l] = sample_values(&sample, l);
        p.counts[l] = ref_sort(p.sorted[l], sample.batch.rows);
        for (uint32_t j = 0; j < n_ranks; j++) { /* neighbours at quantiles, unordered, with gaps */
            uint64_t *rank = &p.ranks[l * n_ranks + j];
            double q = (double)((j / 2 * 37 + l) % 101) / 100.0;
            *rank = (uint64_t)(q * (double)(p.counts[l] - (p.counts[l] > 0))) + j % 2;
            if (j % 11 == 10)
                *rank = UINT64_MAX;
            else if (*rank >= p.counts[l])
                *rank = p.counts[l] > 0 ? p.counts[l] - 1 : UINT64_MAX;
        }
    }
    return p;
}

static void free_problem(struct problem *p)
{
    for (uint32_t l = 0; l < p->sample.batch.n_lanes; l++) free(p->sorted[l]);
    free(p->sorted);
    free(p->counts);
    free(p->ranks);
    free(p->values);
    sample_free(&p->sample);
}

static double wanted(const struct problem *p, uint32_t lane, uint32_t j)
{
    uint64_t rank = p->ranks[lane * p->n_ranks + j];
    return rank == UINT64_MAX ? (double)NAN : p->sorted[lane][rank];
}

static void check_select(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                         uint64_t rows, uint32_t lanes, uint32_t n_ranks,
                         struct qn_threads *threads)
{
    struct problem p =
        make_problem(sample_make(layout, fill, type, rows, lanes, rows + lanes), n_ranks);
    struct qn_select_request request = {p.sample.batch, n_ranks, p.ranks, p.counts, p.values};
    assert_int_equal(qn_cpu_select(threads, &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l++)
        for (uint32_t j = 0; j < n_ranks; j++)
            if (!ref_same_bits(p.values[l * n_ranks + j], wanted(&p, l, j)))
                fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u, rank %llu of %llu: %a instead "
                         "of %a",
                         qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                         (unsigned long long)rows, lanes, l,
                         (unsigned long long)p.ranks[l * n_ranks + j],
                         (unsigned long long)p.counts[l], p.values[l * n_ranks + j],
                         wanted(&p, l, j));
    free_problem(&p);
}

static void every_layout_and_kind_of_value(void **unused)
{
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check_select((enum sample_layout)layout, (enum sample_fill)fill, type,
                             layout == SAMPLE_CHAINS ? 17000 : 20011, 3, 6, pools[0]);
}

static void any_number_of_rows_columns_and_ranks(void **unused)
{
    static const uint64_t rows[] = {0, 1, 2, 15, 16, 17, 255, 1024, 1025, 3000, 16385, 40000};
    static const uint32_t lanes[] = {1, 2, 5, 17, 50}, ranks[] = {1, 2, 6, 24, 90};
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < 5; k++) {
            if (rows[i] * lanes[k] > 200000) continue;
            check_select(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, rows[i], lanes[k], ranks[k],
                         pools[0]);
            check_select(SAMPLE_GAPPED, SAMPLE_NORMAL, QN_T_F64, rows[i], lanes[k], ranks[4 - k],
                         pools[1]);
            check_select(SAMPLE_COLUMNS, SAMPLE_FEW, QN_T_F32, rows[i], lanes[k], ranks[k],
                         pools[0]);
        }
    check_select(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, 500, 2000, 2, pools[0]);
}

static void a_sample_that_misleads_costs_time_only(void **unused)
{
    enum { ROWS = 60000 };
    float *x = malloc(ROWS * sizeof *x);
    uint64_t ranks[2] = {ROWS / 2 - 1, ROWS / 2}, counts[1] = {ROWS};
    double values[2];
    struct qn_lane lane = {.data = x, .stride = 4, .type = QN_T_F32, .work = QN_W_F32};
    struct qn_select_request request = {
        {.rows = ROWS, .lanes = &lane, .n_lanes = 1}, 2, ranks, counts, values};
    (void)unused;
    if (x == NULL) abort();
    for (uint32_t above = 0; above < 2; above++) {
        /* the rows that the sample takes (one in seven) lie apart from all others */
        uint64_t step = ROWS / 8192;
        for (uint64_t i = 0; i < ROWS; i++) x[i] = (float)i;
        for (uint64_t i = 0; i < 8192; i++) {
            uint64_t row = i * step + (((i + 1) * 0x9e3779b97f4a7c15u) >> 32) % step;
            x[row] = above ? 1e6f + (float)i : -1e6f - (float)i;
        }
        double *sorted = malloc(ROWS * sizeof *sorted);
        if (sorted == NULL) abort();
        for (int i = 0; i < ROWS; i++) sorted[i] = (double)x[i];
        (void)ref_sort(sorted, ROWS);
        assert_int_equal(qn_cpu_select(pools[0], &request), QUERN_OK);
        assert_true(values[0] == sorted[ranks[0]] && values[1] == sorted[ranks[1]]);
        free(sorted);
    }
    free(x);
}

static void wrong_counts_give_no_wrong_memory(void **unused)
{
    float x[100];
    uint64_t ranks[2] = {150, 99}, counts[1] = {400};
    double values[2];
    struct qn_lane lane = {.data = x, .stride = 4, .type = QN_T_F32, .work = QN_W_F32};
    struct qn_select_request request = {
        {.rows = 100, .lanes = &lane, .n_lanes = 1}, 2, ranks, counts, values};
    (void)unused;
    for (int i = 0; i < 100; i++) x[i] = (float)i;
    assert_int_equal(qn_cpu_select(NULL, &request), QUERN_OK);
    assert_true(values[1] == 99.0);
}

static void running_out_of_memory_is_reported(void **unused)
{
    struct problem p =
        make_problem(sample_make(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, 20000, 5, 9), 4);
    struct qn_select_request request = {p.sample.batch, 4, p.ranks, p.counts, p.values};
    (void)unused;
    for (uint64_t k = 1;; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_cpu_select(NULL, &request);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            assert_true(k > 8);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    free_problem(&p);
}

/* ---- in memory ---- */

static void keys_are_selected_as_if_sorted(void **unused)
{
    enum { N = 30000 };
    static uint32_t keys[N], spare[N], out[100];
    static uint64_t wide[N], wide_spare[N], wide_out[100];
    static double sorted[N];
    uint64_t state = 3, ranks[100];
    (void)unused;
    for (int kind = 0; kind < 5; kind++) {
        for (uint32_t n_ranks = 1; n_ranks <= 100; n_ranks += 33) {
            for (int i = 0; i < N; i++) {
                uint32_t r = (uint32_t)(ref_random(&state) >> 20);
                keys[i] = kind == 0   ? r
                          : kind == 1 ? r % 3
                          : kind == 2 ? (r % 64 != 0 ? 5u : r)
                          : kind == 3 ? UINT32_MAX - (uint32_t)i % 1000
                                      : 7u;
                wide[i] = (uint64_t)keys[i] << 20; /* exact in a double */
                sorted[i] = (double)wide[i];
            }
            for (uint32_t j = 0; j < n_ranks; j++) ranks[j] = (uint64_t)j * (N - 1) / 100 + j % 2;
            (void)ref_sort(sorted, N);
            qn_order_u32(keys, spare, N, ranks, n_ranks, out);
            qn_order_u64(wide, wide_spare, N, ranks, n_ranks, wide_out);
            for (uint32_t j = 0; j < n_ranks; j++) {
                assert_true((double)((uint64_t)out[j] << 20) == sorted[ranks[j]]);
                assert_true((double)wide_out[j] == sorted[ranks[j]]);
            }
        }
    }
}

/* ---- digit by digit, in batches ---- */

/* Rows [first, first + rows) of the batch. */
static struct qn_batch part_of(const struct qn_batch *batch, struct qn_lane *lanes, uint64_t first,
                               uint64_t rows)
{
    struct qn_batch part = *batch;
    for (uint32_t l = 0; l < batch->n_lanes; l++) {
        lanes[l] = batch->lanes[l];
        lanes[l].data = (const char *)lanes[l].data + (int64_t)first * lanes[l].stride;
        lanes[l].validity_offset += (int64_t)first;
    }
    part.first_row = first;
    part.rows = rows;
    part.lanes = lanes;
    return part;
}

enum { SELECTOR_ROWS = 9000, SELECTOR_LANES = 5, SELECTOR_RANKS = 5 };

static struct qn_selector *open_selector(const struct problem *p, uint32_t type, uint64_t memory)
{
    struct qn_selector *s;
    assert_int_equal(
        qn_selector_open(SELECTOR_LANES, SELECTOR_RANKS, p->ranks, type == QN_T_F64, memory, &s),
        QUERN_OK);
    return s;
}

/* One pass over rows [first, last) in chunks. */
static void count_rows(const struct problem *p, struct qn_selector *s, uint64_t first,
                       uint64_t last)
{
    enum { CHUNK = 2100 };
    struct qn_lane lanes[SELECTOR_LANES];
    for (; first < last; first += CHUNK) {
        uint64_t n = last - first < CHUNK ? last - first : CHUNK;
        struct qn_histogram_request request = {.batch = part_of(&p->sample.batch, lanes, first, n)};
        qn_selector_request(s, &request);
        assert_int_equal(qn_cpu_histogram(pools[first % 2], &request), QUERN_OK);
    }
}

/* The rows are counted in two places; after each pass the one place's counts join the other's. */
static void check_selector(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                           uint64_t memory, uint32_t passes)
{
    struct problem p = make_problem(
        sample_make(layout, fill, type, SELECTOR_ROWS, SELECTOR_LANES, 31), SELECTOR_RANKS);
    struct qn_selector *a = open_selector(&p, type, memory);
    struct qn_selector *b = open_selector(&p, type, memory);
    uint32_t done = 0;
    if (passes != 0) assert_int_equal(qn_selector_passes(a), passes);
    for (; qn_selector_needs_pass(a); done++) {
        count_rows(&p, a, 0, SELECTOR_ROWS / 3);
        count_rows(&p, b, SELECTOR_ROWS / 3, SELECTOR_ROWS);
        assert_int_equal(qn_selector_add(a, b), QUERN_OK);
        count_rows(&p, b, 0, SELECTOR_ROWS / 3);
        assert_int_equal(qn_selector_end_pass(a), QUERN_OK);
        assert_int_equal(qn_selector_end_pass(b), QUERN_OK);
    }
    assert_int_equal(done, qn_selector_passes(a));
    for (uint32_t l = 0; l < SELECTOR_LANES; l++)
        for (uint32_t j = 0; j < SELECTOR_RANKS; j++)
            if (!ref_same_bits(qn_selector_value(a, l, j), wanted(&p, l, j)) ||
                !ref_same_bits(qn_selector_value(b, l, j), wanted(&p, l, j)))
                fail_msg("%s, %s, type %u: lane %u, rank %u: %a instead of %a",
                         sample_layout_name(layout), sample_fill_name(fill), type, l, j,
                         qn_selector_value(a, l, j), wanted(&p, l, j));
    qn_selector_free(a);
    qn_selector_free(b);
    free_problem(&p);
}

static void histograms_of_parts_select_the_same_values(void **unused)
{
    (void)unused;
    for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++) {
        for (uint32_t layout = 0; layout < SAMPLE_CHAINS; layout++) {
            check_selector((enum sample_layout)layout, (enum sample_fill)fill, QN_T_F32, 1 << 20,
                           3);
            check_selector((enum sample_layout)layout, (enum sample_fill)fill, QN_T_F64, 1 << 20,
                           0);
        }
    }
    check_selector(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, 1u << 30, 2);
    check_selector(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F64, 1u << 30, 4);
    check_selector(SAMPLE_COLUMNS, SAMPLE_NORMAL, QN_T_F64, 0, 16);
}

static void data_that_changes_between_passes_is_noticed(void **unused)
{
    float x[4] = {1, 2, 3, 4};
    uint64_t rank = 2;
    struct qn_lane lane = {.data = x, .stride = 4, .type = QN_T_F32, .work = QN_W_F32};
    struct qn_histogram_request request = {.batch = {.rows = 4, .lanes = &lane, .n_lanes = 1}};
    struct qn_selector *s;
    (void)unused;
    assert_int_equal(qn_selector_open(1, 1, &rank, 0, 1 << 20, &s), QUERN_OK);
    qn_selector_request(s, &request);
    assert_int_equal(qn_cpu_histogram(NULL, &request), QUERN_OK);
    assert_int_equal(qn_selector_end_pass(s), QUERN_OK);
    for (int i = 0; i < 4; i++) x[i] = -5;
    qn_selector_request(s, &request);
    assert_int_equal(qn_cpu_histogram(NULL, &request), QUERN_OK);
    assert_int_equal(qn_selector_end_pass(s), QUERN_CORRUPT);
    qn_selector_free(s);
}

/* ---- arithmetic ---- */

static double golden_at(size_t column, uint64_t rank)
{
    return golden_values[(uint64_t)golden_columns[column].first + rank];
}

static void quantiles_and_medians_are_those_of_numpy_and_scikit_learn(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < sizeof golden_columns / sizeof *golden_columns; c++) {
        uint64_t n = (uint64_t)golden_columns[c].count;
        for (int wide = 0; wide < 2; wide++) {
            const struct golden *g = &golden_columns[c].as[wide];
            for (size_t i = 0; i < sizeof golden_percents / sizeof *golden_percents; i++) {
                struct qn_quantile q = qn_quantile_ranks(n, golden_percents[i]);
                double low = n ? golden_at(c, q.low) : 0, high = n ? golden_at(c, q.high) : 0;
                double got = qn_quantile_value(q, low, high, !wide);
                if (!ref_same_bits(got, g->percentiles[i]))
                    fail_msg("column %zu, %g %%: %a instead of %a", c, golden_percents[i], got,
                             g->percentiles[i]);
            }
            struct qn_quantile m = qn_median_ranks(n);
            double low = n ? golden_at(c, m.low) : 0, high = n ? golden_at(c, m.high) : 0;
            double plain = qn_median_value(m, low, high, !wide, QN_MEDIAN_PLAIN);
            double masked = qn_median_value(m, low, high, !wide, QN_MEDIAN_MASKED);
            if (!ref_same_bits(plain, g->long_median) || !ref_same_bits(masked, g->short_median) ||
                !ref_same_bits(masked, g->imputed))
                fail_msg("column %zu: medians %a, %a instead of %a, %a, %a", c, plain, masked,
                         g->long_median, g->short_median, g->imputed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest per_isa[] = {
        cmocka_unit_test(every_layout_and_kind_of_value),
        cmocka_unit_test(any_number_of_rows_columns_and_ranks),
        cmocka_unit_test(a_sample_that_misleads_costs_time_only),
        cmocka_unit_test(wrong_counts_give_no_wrong_memory),
        cmocka_unit_test(histograms_of_parts_select_the_same_values),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(keys_are_selected_as_if_sorted),
        cmocka_unit_test(data_that_changes_between_passes_is_noticed),
        cmocka_unit_test(quantiles_and_medians_are_those_of_numpy_and_scikit_learn),
    };
    if (qn_threads_open(2, &pools[0]) != QUERN_OK || qn_threads_open(5, &pools[1]) != QUERN_OK)
        return 1;
    int failed = RUN_PER_ISA(per_isa) + cmocka_run_group_tests_name("once", once, NULL, NULL);
    qn_threads_close(pools[0]);
    qn_threads_close(pools[1]);
    return failed;
}
