/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments: the CPU against the scalar definition, bit by bit, for every instruction set,
 * layout, kind of values and number of threads; the streaming tree; what StandardScaler learns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/moments.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"
#include "tests/unit/sample_data.h"

static struct qn_threads *pools[3]; /* 1, 2, 5 */

static int open_pools(void **state)
{
    static const uint32_t sizes[] = {1, 2, 5};
    (void)state;
    for (int i = 0; i < 3; i++)
        if (pools[i] == NULL && qn_threads_open(sizes[i], &pools[i]) != QUERN_OK) return -1;
    return 0;
}

static struct qn_node *run(const struct sample *s, struct qn_threads *threads, uint64_t *groups)
{
    *groups = (s->batch.rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    struct qn_node *nodes = calloc(*groups * s->batch.n_lanes + 1, sizeof *nodes);
    struct qn_moments_request request = {.batch = s->batch, .nodes = nodes};
    if (nodes == NULL) abort();
    assert_int_equal(qn_cpu_moments(threads, &request), QUERN_OK);
    return nodes;
}

/* All nodes of some lanes against the definition. */
static void check(enum sample_layout layout, enum sample_fill fill, uint32_t type, uint64_t rows,
                  uint32_t lanes, uint32_t lane_step, struct qn_threads *threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 131 + lanes);
    uint64_t groups;
    struct qn_node *nodes = run(&s, threads, &groups);
    for (uint32_t l = 0; l < lanes; l += lane_step) {
        double *x = sample_values(&s, l);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t first = g * QN_GROUP_ROWS, left = rows - first;
            struct qn_node got = nodes[g * lanes + l];
            struct qn_node want =
                ref_moments(x + first, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS);
            if (!ref_same_node(got, want))
                fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u, group %llu: n %g hi %a lo %a m2 "
                         "%a instead of n %g hi %a lo %a m2 %a",
                         qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                         (unsigned long long)rows, lanes, l, (unsigned long long)g, got.n, got.hi,
                         got.lo, got.m2, want.n, want.hi, want.lo, want.m2);
        }
        free(x);
    }
    free(nodes);
    sample_free(&s);
}

static void every_layout_and_kind_of_value_gives_the_reference_bits(void **unused)
{
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check((enum sample_layout)layout, (enum sample_fill)fill, type, 5003, 13, 1,
                      pools[1]);
}

static void any_number_of_rows_gives_the_reference_bits(void **unused)
{
    static const uint64_t rows[] = {0,    1,     2,     15,    16,    17,    31,
                                    1023, 1024,  1025,  1040,  2047,  2048,  3000,
                                    4097, 65535, 65536, 65537, 66561, 140000};
    (void)unused;
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, rows[i], 3, 1, pools[1]);
        check(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F64, rows[i], 2, 1, pools[1]);
        check(SAMPLE_COLUMNS, SAMPLE_MOST_NAN, QN_T_F32, rows[i], 2, 1, pools[2]);
        check(SAMPLE_CHAINS, SAMPLE_SOME_NAN, QN_T_F64, rows[i], 4, 1, pools[2]);
    }
}

static void any_number_of_columns_gives_the_reference_bits(void **unused)
{
    static const uint32_t lanes[] = {1,  2,  3,  4,  5,  7,   8,   16,  17,
                                     31, 33, 50, 64, 65, 100, 257, 2000};
    (void)unused;
    for (uint32_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        uint64_t rows = lanes[i] > 256 ? 1300 : 2500;
        uint32_t step = lanes[i] / 9 + 1;
        check(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F32, rows, lanes[i], step, pools[1]);
        check(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, rows, lanes[i], step, pools[1]);
        check(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F64, rows, lanes[i], step, pools[1]);
        check(SAMPLE_GAPPED, SAMPLE_SOME_NAN, QN_T_F64, rows, lanes[i], step, pools[1]);
    }
}

static void check_weighted(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                           uint64_t rows, uint32_t lanes, struct qn_threads *threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 7 + lanes);
    uint64_t groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    struct qn_node *nodes = calloc(groups * lanes + 1, sizeof *nodes);
    double *w = ref_weights(rows, rows + lanes);
    struct qn_moments_request request = {.batch = s.batch, .nodes = nodes, .weights = w};
    if (nodes == NULL || w == NULL) abort();
    if (rows > 3000) memset(w + 1024, 0, 1024 * sizeof *w); /* a block without a row */
    assert_int_equal(qn_cpu_moments(threads, &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l += lanes / 9 + 1) {
        double *x = sample_values(&s, l);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t first = g * QN_GROUP_ROWS, left = rows - first;
            struct qn_node want = ref_weighted_moments(x + first, w + first,
                                                       left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS);
            struct qn_node got = nodes[g * lanes + l];
            if (!ref_same_node(got, want))
                fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u, group %llu: n %a hi %a lo %a m2 "
                         "%a instead of n %a hi %a lo %a m2 %a",
                         qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                         (unsigned long long)rows, lanes, l, (unsigned long long)g, got.n, got.hi,
                         got.lo, got.m2, want.n, want.hi, want.lo, want.m2);
        }
        free(x);
    }
    free(nodes);
    free(w);
    sample_free(&s);
}

/* Codes of classes, the last of which nothing has, and one more that counts nowhere. */
static uint32_t *class_codes(uint64_t rows, uint32_t classes, uint64_t seed)
{
    uint32_t *codes = malloc((rows + 1) * sizeof *codes);
    if (codes == NULL) abort();
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t draw = (uint32_t)(ref_random(&seed) % (classes + 1));
        codes[i] = i > 2000 && draw == 0 ? 1 % classes : draw; /* a class that stops */
    }
    return codes;
}

static void check_classes(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                          uint64_t rows, uint32_t lanes, uint32_t classes,
                          struct qn_threads *threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 5 + lanes);
    uint64_t groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    struct qn_node *nodes = calloc(groups * lanes * classes + 1, sizeof *nodes);
    uint32_t *codes = class_codes(rows, classes, rows + lanes);
    double *w = calloc(rows + 1, sizeof *w);
    struct qn_moments_request request = {
        .batch = s.batch, .nodes = nodes, .codes = codes, .n_classes = classes};
    if (nodes == NULL || w == NULL) abort();
    assert_int_equal(qn_cpu_moments(threads, &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l += lanes / 9 + 1) {
        double *x = sample_values(&s, l);
        for (uint32_t k = 0; k < classes; k++) {
            for (uint64_t i = 0; i < rows; i++) w[i] = codes[i] == k ? 1.0 : 0.0;
            for (uint64_t g = 0; g < groups; g++) {
                uint64_t first = g * QN_GROUP_ROWS, left = rows - first;
                struct qn_node got = nodes[(g * lanes + l) * classes + k];
                struct qn_node want = ref_weighted_moments(
                    x + first, w + first, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS);
                if (!ref_same_node(got, want))
                    fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u, class %u of %u: n %a hi %a "
                             "lo %a m2 %a instead of n %a hi %a lo %a m2 %a",
                             qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                             (unsigned long long)rows, lanes, l, k, classes, got.n, got.hi, got.lo,
                             got.m2, want.n, want.hi, want.lo, want.m2);
            }
        }
        free(x);
    }
    free(nodes);
    free(codes);
    free(w);
    sample_free(&s);
}

static void classes_give_the_reference_bits_of_rows_that_weigh_one(void **unused)
{
    static const uint32_t lanes[] = {1, 2, 5, 16, 40, 65, 130};
    static const uint64_t rows[] = {0, 1, 15, 16, 1023, 1025, 2051, 66561};
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check_classes((enum sample_layout)layout, (enum sample_fill)fill, type, 3003, 13, 3,
                              pools[1]);
    for (uint32_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
        for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
            check_classes((enum sample_layout)layout, SAMPLE_SOME_NAN, QN_T_F32, 2500, lanes[i],
                          1 + i * 3, pools[1]);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_classes(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F64, rows[i], 3, 4, pools[2]);
}

static void check_pairs(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                        uint64_t rows, uint32_t lanes, struct qn_threads *threads)
{
    struct sample s = sample_make(layout, fill, type, rows, lanes, rows * 3 + lanes);
    uint64_t groups = (rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    struct qn_pair *pairs = calloc(groups * lanes + 1, sizeof *pairs);
    double *y = ref_targets(rows, rows + lanes);
    struct qn_moments_request request = {.batch = s.batch, .pairs = pairs, .targets = y};
    if (pairs == NULL || y == NULL) abort();
    assert_int_equal(qn_cpu_moments(threads, &request), QUERN_OK);
    for (uint32_t l = 0; l < lanes; l += lanes / 9 + 1) {
        double *x = sample_values(&s, l);
        for (uint64_t g = 0; g < groups; g++) {
            uint64_t first = g * QN_GROUP_ROWS, left = rows - first;
            struct qn_pair got = pairs[g * lanes + l];
            struct qn_pair want =
                ref_pairs(x + first, y + first, left < QN_GROUP_ROWS ? left : QN_GROUP_ROWS);
            if (!ref_same_pair(got, want))
                fail_msg("%s, %s, %s, type %u, %llu x %u: lane %u, group %llu: n %a mean %a %a "
                         "product %a instead of n %a mean %a %a product %a",
                         qn_cpu_isa(), sample_layout_name(layout), sample_fill_name(fill), type,
                         (unsigned long long)rows, lanes, l, (unsigned long long)g, got.value.n,
                         got.value.hi, got.target.hi, got.product, want.value.n, want.value.hi,
                         want.target.hi, want.product);
        }
        free(x);
    }
    free(pairs);
    free(y);
    sample_free(&s);
}

static void pairs_with_targets_give_the_reference_bits(void **unused)
{
    static const uint32_t lanes[] = {1, 2, 5, 16, 31, 32, 40, 65, 130};
    static const uint64_t rows[] = {0, 1, 15, 16, 1023, 1025, 2051, 66561};
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check_pairs((enum sample_layout)layout, (enum sample_fill)fill, type, 3003, 13,
                            pools[1]);
    for (uint32_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
        for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
            check_pairs((enum sample_layout)layout, SAMPLE_SOME_NAN, QN_T_F32, 2500, lanes[i],
                        pools[1]);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_pairs(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F64, rows[i], 3, pools[2]);
}

static void weighted_rows_give_the_reference_bits(void **unused)
{
    static const uint32_t lanes[] = {1, 2, 5, 15, 16, 17, 40, 257};
    static const uint64_t rows[] = {0, 1, 15, 16, 1023, 1025, 2051, 66561};
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++)
        for (uint32_t fill = 0; fill < SAMPLE_FILLS; fill++)
            for (uint32_t type = QN_T_F32; type <= QN_T_F64; type++)
                check_weighted((enum sample_layout)layout, (enum sample_fill)fill, type, 5003, 13,
                               pools[1]);
    for (uint32_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        check_weighted(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, 2500, lanes[i], pools[1]);
        check_weighted(SAMPLE_ROWS, SAMPLE_NORMAL, QN_T_F64, 2500, lanes[i], pools[1]);
    }
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_weighted(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F64, rows[i], 3, pools[2]);
}

static void the_number_of_threads_changes_nothing(void **unused)
{
    (void)unused;
    for (uint32_t layout = 0; layout < SAMPLE_LAYOUTS; layout++) {
        struct sample s =
            sample_make((enum sample_layout)layout, SAMPLE_SOME_NAN, QN_T_F32, 200003, 6, 77);
        uint64_t groups;
        struct qn_node *first = run(&s, NULL, &groups);
        for (int t = 0; t < 3; t++) {
            struct qn_node *nodes = run(&s, pools[t], &groups);
            assert_memory_equal(nodes, first, groups * 6 * sizeof *nodes);
            free(nodes);
        }
        free(first);
        sample_free(&s);
    }
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **unused)
{
    struct sample s = sample_make(SAMPLE_GAPPED, SAMPLE_NORMAL, QN_T_F32, 3000, 70, 5);
    struct qn_node nodes[70];
    struct qn_moments_request request = {.batch = s.batch, .nodes = nodes};
    (void)unused;
    for (uint64_t k = 1;; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_cpu_moments(NULL, &request);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            assert_true(k > 3);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    sample_free(&s);
}

/* ---- the tree over groups ---- */

static void pushing_in_pieces_gives_the_tree_over_all_rows(void **unused)
{
    enum { ROWS = 9 * QN_GROUP_ROWS + 1500, LANES = 2 };
    struct sample s = sample_make(SAMPLE_ROWS, SAMPLE_SOME_NAN, QN_T_F32, ROWS, LANES, 3);
    uint64_t groups, state = 11;
    struct qn_node *nodes = run(&s, pools[1], &groups), want[LANES];
    (void)unused;
    for (uint32_t l = 0; l < LANES; l++) {
        double *x = sample_values(&s, l);
        want[l] = ref_moments(x, ROWS);
        free(x);
    }
    for (int trial = 0; trial < 60; trial++) {
        struct qn_moments *parts[16] = {NULL};
        uint32_t n = 0;
        uint64_t row = 0;
        while (row < ROWS) { /* neighbouring states, each pushed in pieces */
            uint64_t end = trial < 20 ? ROWS : row + (1 + ref_random(&state) % 4) * QN_GROUP_ROWS;
            if (end > ROWS || n == 15) end = ROWS;
            assert_int_equal(qn_moments_open(LANES, row, &parts[n]), QUERN_OK);
            while (row < end) {
                uint64_t rows = (1 + ref_random(&state) % 3) * QN_GROUP_ROWS;
                if (row + rows > end) rows = end - row;
                assert_int_equal(
                    qn_moments_push(parts[n], nodes + row / QN_GROUP_ROWS * LANES, rows), QUERN_OK);
                row += rows;
            }
            n++;
        }
        for (; n > 1; n--) { /* joined in any order of neighbours */
            uint32_t at = (uint32_t)(ref_random(&state) % (n - 1));
            assert_int_equal(qn_moments_append(parts[at], parts[at + 1]), QUERN_OK);
            qn_moments_free(parts[at + 1]);
            memmove(&parts[at + 1], &parts[at + 2], (n - at - 2) * sizeof *parts);
        }
        assert_int_equal(qn_moments_rows(parts[0]), ROWS);
        for (uint32_t l = 0; l < LANES; l++)
            assert_true(ref_same_node(qn_moments_result(parts[0], l), want[l]));
        qn_moments_free(parts[0]);
    }
    free(nodes);
    sample_free(&s);
}

static void states_that_are_not_neighbours_are_refused(void **unused)
{
    struct qn_moments *a, *b, *none;
    struct qn_node node = {1, 2, 0, 0};
    (void)unused;
    assert_int_equal(qn_moments_open(1, 0, &a), QUERN_OK);
    assert_int_equal(qn_moments_open(1, 2 * QN_GROUP_ROWS, &b), QUERN_OK);
    assert_int_equal(qn_moments_open(1, 5, &none), QUERN_INTERNAL);
    assert_int_equal(qn_moments_push(a, &node, QN_GROUP_ROWS), QUERN_OK);
    assert_int_equal(qn_moments_append(a, b), QUERN_INTERNAL);
    assert_int_equal(qn_moments_push(a, &node, 10), QUERN_OK);
    assert_int_equal(qn_moments_push(a, &node, 10), QUERN_INTERNAL); /* the last batch was short */
    qn_moments_free(a);
    qn_moments_free(b);
}

/* ---- what is learned ---- */

static void standard_scaler_attributes_follow_scikit_learn(void **unused)
{
    static const struct {
        struct qn_node node;
        double mean, var, scale;
    } cases[] = {
        {{4, 2.5, 0, 5}, 2.5, 1.25, 1.118033988749895},
        {{1, 7, 0, 0}, 7, 0, 1},
        {{100, 0, 0, 0}, 0, 0, 1},
        {{10, 1e10, 0, 1e-11}, 1e10, 1e-12, 1},    /* lost in the rounding of the mean */
        {{10, 1, 0, 1e-11}, 1, 1e-12, 1e-6},       /* small, but real */
        {{1000, 0, 0, 1e-297}, 0, 1e-300, 1e-150}, /* tiny about zero: real */
    };
    struct qn_standard none = qn_node_standard((struct qn_node){0, 0, 0, 0});
    (void)unused;
    assert_true(isnan(none.mean) && isnan(none.var) && isnan(none.scale));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qn_standard got = qn_node_standard(cases[i].node);
        assert_true(got.mean == cases[i].mean);
        assert_true(fabs(got.var - cases[i].var) <= 4e-16 * cases[i].var);
        assert_true(fabs(got.scale - cases[i].scale) <= 4e-16 * cases[i].scale);
    }
}

static void imputed_values_are_merged_as_equal_values(void **unused)
{
    double x[2500];
    uint64_t state = 5, missing = 0;
    struct qn_node there, filled;
    (void)unused;
    for (int i = 0; i < 2500; i++) x[i] = i % 7 == 0 ? (double)NAN : 3 + ref_normal(&state);
    there = ref_moments(x, 2500);
    for (int i = 0; i < 2500; i++) {
        if (x[i] == x[i]) continue;
        x[i] = 2.75;
        missing++;
    }
    filled = qn_node_impute(there, missing, 2.75);
    struct qn_standard got = qn_node_standard(filled),
                       want = qn_node_standard(ref_moments(x, 2500));
    assert_true(got.count == 2500);
    assert_true(fabs(got.mean - want.mean) < 1e-14 && fabs(got.var / want.var - 1) < 1e-13);
    struct qn_node alone = qn_node_impute((struct qn_node){0, 0, 0, 0}, 4, 1.5);
    assert_true(alone.n == 4 && alone.hi == 1.5 && alone.m2 == 0);
    assert_true(ref_same_node(qn_node_impute(there, 0, 9.0), there));
}

static void large_offsets_lose_nothing(void **unused)
{
    enum { ROWS = 100000 };
    double *x = malloc(ROWS * sizeof *x), mean = 0, m2 = 0;
    uint64_t state = 21;
    struct qn_node node;
    struct qn_lane lane = {.data = x, .stride = 8, .type = QN_T_F64, .work = QN_W_F64};
    struct qn_moments_request request = {.batch = {.rows = ROWS, .lanes = &lane, .n_lanes = 1}};
    struct qn_node nodes[2];
    (void)unused;
    if (x == NULL) abort();
    for (int i = 0; i < ROWS; i++) x[i] = 1e9 + (double)(ref_random(&state) >> 40) * 0x1p-23;
    for (int i = 0; i < ROWS; i++) mean += (x[i] - 1e9) / ROWS; /* exact to 1e-13: small numbers */
    for (int i = 0; i < ROWS; i++) m2 += (x[i] - 1e9 - mean) * (x[i] - 1e9 - mean);
    request.nodes = nodes;
    assert_int_equal(qn_cpu_moments(pools[1], &request), QUERN_OK);
    node = qn_node_merge(nodes[0], nodes[1]);
    assert_true(fabs((node.hi - 1e9) + node.lo - mean) < 1e-12);
    assert_true(fabs(node.m2 / m2 - 1) < 1e-12);
    free(x);
}

/* A pivot that is the only value far off would cost the squares ten bits. */
static void a_rare_value_in_the_first_row_loses_nothing(void **unused)
{
    double x[1024], w[1024];
    uint64_t state = 31;
    struct qn_node node;
    struct qn_lane lane = {.data = x, .stride = 8, .type = QN_T_F64, .work = QN_W_F64};
    (void)unused;
    for (int trial = 0; trial < 400; trial++) {
        struct qn_moments_request request = {.batch = {.rows = 1024, .lanes = &lane, .n_lanes = 1},
                                             .weights = trial % 2 != 0 ? w : NULL,
                                             .nodes = &node};
        long double n = 0, mean = 0, m2 = 0;
        for (int i = 0; i < 1024; i++) {
            x[i] = i == 0 ? 1e3 * ref_uniform(&state) : ref_normal(&state) * 1e-2;
            w[i] = i == 0 ? 2.0 : 0.5 + ref_uniform(&state);
        }
        for (int i = 0; i < 1024; i++) {
            long double wi = trial % 2 != 0 ? (long double)w[i] : 1;
            n += wi;
            mean += wi * (long double)x[i];
        }
        mean /= n;
        for (int i = 0; i < 1024; i++)
            m2 += (trial % 2 != 0 ? (long double)w[i] : 1) * ((long double)x[i] - mean) *
                  ((long double)x[i] - mean);
        assert_int_equal(qn_cpu_moments(pools[1], &request), QUERN_OK);
        assert_true(fabsl((long double)node.m2 / m2 - 1) < 2e-15L);
    }
}

int main(void)
{
    const struct CMUnitTest per_isa[] = {
        cmocka_unit_test(every_layout_and_kind_of_value_gives_the_reference_bits),
        cmocka_unit_test(any_number_of_rows_gives_the_reference_bits),
        cmocka_unit_test(any_number_of_columns_gives_the_reference_bits),
        cmocka_unit_test(weighted_rows_give_the_reference_bits),
        cmocka_unit_test(classes_give_the_reference_bits_of_rows_that_weigh_one),
        cmocka_unit_test(pairs_with_targets_give_the_reference_bits),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(large_offsets_lose_nothing),
        cmocka_unit_test(a_rare_value_in_the_first_row_loses_nothing),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
        cmocka_unit_test(pushing_in_pieces_gives_the_tree_over_all_rows),
        cmocka_unit_test(states_that_are_not_neighbours_are_refused),
        cmocka_unit_test(standard_scaler_attributes_follow_scikit_learn),
        cmocka_unit_test(imputed_values_are_merged_as_equal_values),
    };
    if (open_pools(NULL) != 0) return 1;
    int failed = RUN_PER_ISA(per_isa) + cmocka_run_group_tests_name("states", once, NULL, NULL);
    for (int i = 0; i < 3; i++) qn_threads_close(pools[i]);
    return failed;
}
