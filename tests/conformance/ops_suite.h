/* SPDX-License-Identifier: Apache-2.0
 * The conformance suite of the operations: what its files share. One program, so that devices are opened
 * and kernels compiled once. */
#ifndef QN_TEST_OPS_SUITE_H
#define QN_TEST_OPS_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/conformance/ops_fixture.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != QUERN_OK) fail_msg("%s: %s", #call, qn_error_text());                        \
    } while (0)

enum { DEVICES = 16, EVERY_TYPE = 11 };
extern struct ops_device devices[DEVICES];
extern uint32_t n_devices;
extern const uint32_t float32[1], float64[1], every_type[EVERY_TYPE];

/* The body for cases 0 … n - 1 on every device. A simulator, which is slow, gets one in `sparse`. */
void on_every_device(void (*body)(struct ops_device *, uint32_t), uint32_t n, uint32_t sparse);

/* ops_statistics.c */
void moments_equal_the_reference(void **state);
void weighted_moments_equal_the_reference(void **state);
void moments_of_classes_equal_those_of_the_cpu(void **state);
void moments_of_pairs_equal_the_reference(void **state);
void curves_of_powers_equal_the_reference(void **state);
void extremes_equal_the_reference(void **state);
void selected_ranks_are_those_of_the_sorted_column(void **state);
void histograms_count_every_key_once(void **state);
/* ops_programs.c */
void any_program_gives_the_oracles_bytes(void **state);
void norms_divide_by_the_rows_sum_in_its_order(void **state);
void columns_are_joined_with_the_cpus_bits(void **state);
void one_chain_for_all_columns_runs_generated(void **state);
/* ops_functions.c */
void functions_give_the_oracles_bytes(void **state);
void bins_give_the_oracles_bytes(void **state);
void splines_give_the_oracles_bytes(void **state);
/* ops_csr.c */
void sparse_rows_hold_what_the_dense_ones_do(void **state);
/* ops_arrays.c */
void lines_are_sorted_with_their_places(void **state);
void distinct_values_are_the_runs_of_the_sorted_line(void **state);
void places_in_a_sorted_line_count_what_is_smaller(void **state);
void lines_where_they_should_not_be_are_refused_with_sentences(void **state);
/* ops_moves.c */
void values_become_what_their_new_type_has_for_them(void **state);
void values_are_copied_from_any_strides_to_any(void **state);
void values_are_taken_by_their_places(void **state);
void values_are_kept_where_a_mask_is_not_zero(void **state);
void values_are_chosen_by_a_mask_and_stand_for_all(void **state);
void random_values_are_made_of_their_own_numbers(void **state);
void an_order_sorts_places_by_random_numbers(void **state);
/* ops_reduce.c */
void lines_are_reduced_in_the_order_of_the_definition(void **state);
void sums_on_the_way_are_those_of_one_by_one(void **state);
void values_are_counted_in_the_bin_whose_edges_they_lie_between(void **state);
/* ops_covariance.c */
void products_of_differences_are_added_in_the_order_of_the_definition(void **state);
void each_two_lines_have_the_values_in_common(void **state);
void covariances_are_refused_with_sentences(void **state);
/* ops_neighbours.c */
void cells_are_filled_with_the_cpus_bytes(void **state);
void neighbours_are_refused_with_sentences(void **state);
void a_search_ends_when_the_caller_says_so(void **state);

#endif
