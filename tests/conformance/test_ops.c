/* SPDX-License-Identifier: Apache-2.0
 * Every operation, on every device that is present and in both shapes of the kernels (ops_statistics.c,
 * ops_programs.c, ops_arrays.c, ops_moves.c, ops_reduce.c, ops_covariance.c, ops_neighbours.c), and what
 * operations refuse. */
#include "tests/conformance/ops_suite.h"

#include <stdlib.h>
#include <string.h>

struct ops_device devices[DEVICES];
uint32_t n_devices;
static struct ops_batch batch;

const uint32_t float32[1] = {QN_T_F32}, float64[1] = {QN_T_F64};
const uint32_t every_type[EVERY_TYPE] = {QN_T_F64, QN_T_F32, QN_T_BOOL, QN_T_I8,
                                         QN_T_I16, QN_T_I32, QN_T_I64,  QN_T_U8,
                                         QN_T_U16, QN_T_U32, QN_T_U64};

void on_every_device(void (*body)(struct ops_device *, uint32_t), uint32_t n, uint32_t sparse)
{
    if (n_devices == 0) skip();
    uint32_t step = getenv("QUERN_TEST_SMALL") == NULL ? 1 : sparse;
    const char *only = getenv("QUERN_TEST_CASE"); /* by hand: one case */
    for (uint32_t i = 0; i < n_devices; i++) {
        ops_device_shape(&devices[i]);
        for (uint32_t k = 0; k < n; k += step)
            if (only == NULL || (uint32_t)atoi(only) == k) body(&devices[i], k);
    }
}

/* ---- refusals ---- */

static void a_batch_where_it_should_not_be_is_refused_with_sentences(void **state)
{
    struct qn_extremes got[2] = {{0, 0, 0}};
    struct qn_outcome outcome;
    (void)state;
    if (n_devices == 0) skip();
    ops_batch_make(&batch, 1, 10, 2, float32, 1, OPS_ROWS, 0, 0, 0);
    ops_batch_upload(&batch, devices[0].device);
    struct qn_extremes_request rq = {.batch = batch.device, .out = got};
    assert_int_equal(qn_op_extremes(NULL, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_null(outcome.implementation);
    assert_non_null(strstr(outcome.reasons, "no device is open"));
    assert_non_null(strstr(outcome.reasons, "the rows lie on the device"));
    batch.device.base.size = 60;
    rq.batch = batch.device;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "reaches outside"));
    batch.device.base.size = batch.bytes;
    rq.batch = batch.device;
    batch.lanes[1].offset++;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, &outcome), QUERN_UNSUPPORTED);
    assert_non_null(strstr(outcome.reasons, "not aligned"));
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

static void a_malformed_program_is_an_error_that_names_the_lane(void **state)
{
    struct qn_extremes got[2] = {{0, 0, 0}};
    (void)state;
    if (n_devices == 0) skip();
    ops_batch_make(&batch, 1, 10, 2, float32, 1, OPS_ROWS, 0, 0, 0);
    ops_push(&batch, 1, QN_OP_SUB, QN_W_F32, 1, 1);
    ops_batch_upload(&batch, devices[0].device);
    struct qn_extremes_request rq = {.batch = batch.device, .out = got};
    batch.ops[0].arg = 99;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    assert_non_null(strstr(qn_error_text(), "lane 1"));
    batch.ops[0] = (struct qn_op){QN_OP_FIND, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.ops[0] = (struct qn_op){QN_OP_REMAP, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.ops[0] = (struct qn_op){QN_OP_POW, QN_W_F32, 99, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.ops[0] = (struct qn_op){QN_OP_EXP, QN_W_I64, 0, 0};
    batch.lanes[1].work = QN_W_I64;
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    batch.lanes[1].work = QN_W_F32;
    batch.ops[0] = (struct qn_op){99, QN_W_F32, 0, 0};
    assert_int_equal(qn_op_extremes(devices[0].device, NULL, 0, &rq, NULL), QUERN_INVALID);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

#if defined(QN_TEST_FIBERS)
extern const struct qn_driver qn_driver_fibers;
#define ONLY_DRIVER (&qn_driver_fibers)
#else
#define ONLY_DRIVER NULL
#endif

static int open_devices(void **state)
{
    (void)state;
    n_devices = ops_devices_open(ONLY_DRIVER, devices, DEVICES);
    for (uint32_t i = 0; i < n_devices; i++) print_message("on %s\n", devices[i].name);
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    ops_devices_close(devices, n_devices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_equal_the_reference),
        cmocka_unit_test(weighted_moments_equal_the_reference),
        cmocka_unit_test(moments_of_classes_equal_those_of_the_cpu),
        cmocka_unit_test(moments_of_pairs_equal_the_reference),
        cmocka_unit_test(curves_of_powers_equal_the_reference),
        cmocka_unit_test(extremes_equal_the_reference),
        cmocka_unit_test(selected_ranks_are_those_of_the_sorted_column),
        cmocka_unit_test(histograms_count_every_key_once),
        cmocka_unit_test(any_program_gives_the_oracles_bytes),
        cmocka_unit_test(norms_divide_by_the_rows_sum_in_its_order),
        cmocka_unit_test(columns_are_joined_with_the_cpus_bits),
        cmocka_unit_test(one_chain_for_all_columns_runs_generated),
        cmocka_unit_test(functions_give_the_oracles_bytes),
        cmocka_unit_test(bins_give_the_oracles_bytes),
        cmocka_unit_test(splines_give_the_oracles_bytes),
        cmocka_unit_test(sparse_rows_hold_what_the_dense_ones_do),
        cmocka_unit_test(lines_are_sorted_with_their_places),
        cmocka_unit_test(distinct_values_are_the_runs_of_the_sorted_line),
        cmocka_unit_test(places_in_a_sorted_line_count_what_is_smaller),
        cmocka_unit_test(lines_where_they_should_not_be_are_refused_with_sentences),
        cmocka_unit_test(values_become_what_their_new_type_has_for_them),
        cmocka_unit_test(values_are_copied_from_any_strides_to_any),
        cmocka_unit_test(values_are_taken_by_their_places),
        cmocka_unit_test(values_are_kept_where_a_mask_is_not_zero),
        cmocka_unit_test(values_are_chosen_by_a_mask_and_stand_for_all),
        cmocka_unit_test(random_values_are_made_of_their_own_numbers),
        cmocka_unit_test(an_order_sorts_places_by_random_numbers),
        cmocka_unit_test(lines_are_reduced_in_the_order_of_the_definition),
        cmocka_unit_test(sums_on_the_way_are_those_of_one_by_one),
        cmocka_unit_test(values_are_counted_in_the_bin_whose_edges_they_lie_between),
        cmocka_unit_test(products_of_differences_are_added_in_the_order_of_the_definition),
        cmocka_unit_test(each_two_lines_have_the_values_in_common),
        cmocka_unit_test(covariances_are_refused_with_sentences),
        cmocka_unit_test(cells_are_filled_with_the_cpus_bytes),
        cmocka_unit_test(neighbours_are_refused_with_sentences),
        cmocka_unit_test(a_search_ends_when_the_caller_says_so),
        cmocka_unit_test(a_batch_where_it_should_not_be_is_refused_with_sentences),
        cmocka_unit_test(a_malformed_program_is_an_error_that_names_the_lane),
    };
    if (getenv("QUERN_TEST") != NULL) cmocka_set_test_filter(getenv("QUERN_TEST"));
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
