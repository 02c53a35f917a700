/* SPDX-License-Identifier: Apache-2.0
 * The oracle of the tests: load, chain and the statistics, one value at a time, written from
 * kernels/program.h and docs/numbers.md alone. Slow and plain on purpose; shares no code with what it
 * judges. */
#ifndef QN_TEST_REFERENCE_H
#define QN_TEST_REFERENCE_H

#include "host/ops/requests.h"

/* An accumulator: the member that `work` names is live. */
struct ref_value {
    uint32_t work;
    float f32;
    double f64;
    int64_t i64;
    uint32_t code;
};

/* Row `row` of the lane (host memory), loaded; QN_SEEN_* of the loaded value OR-ed into *seen. */
struct ref_value ref_load(const struct qn_lane *lane, uint64_t row, uint32_t *seen);
/* One op that is not NORM. */
struct ref_value ref_op(const struct qn_batch *batch, const struct qn_op *op, struct ref_value x,
                        uint32_t *seen);
/* Load and all ops but NORM. seen may be NULL. */
struct ref_value ref_eval(const struct qn_batch *batch, const struct qn_lane *lane, uint64_t row,
                          uint32_t *seen);
/* The value as a double; NaN is missing. */
double ref_double(struct ref_value x);

/* ---- canonical moments ---- */

/* A block of up to 1024 values; merge of neighbours; the tree over any number of blocks. */
struct qn_node ref_block(const double *x, uint32_t n);
struct qn_node ref_merge(struct qn_node a, struct qn_node b);
/* The tree over rows [0, n) of x: recursive, by the definition of a perfect tree. */
struct qn_node ref_moments(const double *x, uint64_t n);
/* The same with one weight per row; w NULL: without. */
struct qn_node ref_weighted_block(const double *x, const double *w, uint32_t n);
struct qn_node ref_weighted_moments(const double *x, const double *w, uint64_t n);
/* Of a column and its targets. */
struct qn_pair ref_pairs(const double *x, const double *y, uint64_t n);
int ref_same_pair(struct qn_pair a, struct qn_pair b);
/* Targets whose first one is far off in every second block; malloc'ed. */
double *ref_targets(uint64_t rows, uint64_t seed);
/* Weights with many equal ones and zeros among them; malloc'ed. */
double *ref_weights(uint64_t rows, uint64_t seed);
/* NaNs of any kind compare equal, everything else by its bits. */
int ref_same_node(struct qn_node a, struct qn_node b);
int ref_same_bits(double a, double b);

/* ---- order ---- */

/* Sorts ascending by value, NaN dropped, -0 made +0; returns how many are left. */
uint64_t ref_sort(double *x, uint64_t n);

/* ---- data: xorshift, the same numbers everywhere ---- */
uint64_t ref_random(uint64_t *state);
double ref_uniform(uint64_t *state); /* [0, 1) */
double ref_normal(uint64_t *state);  /* about N(0, 1) */

#endif
