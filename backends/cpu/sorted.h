/* SPDX-License-Identifier: Apache-2.0
 * A column in order, with the rows that its values came from: how many values lie within a distance of one,
 * and how far the k-th nearest is. */
#ifndef QN_CPU_SORTED_H
#define QN_CPU_SORTED_H

#include <stdint.h>

struct qn_keyed {
    uint64_t key;
    uint32_t row;
};

/* Sorts n < 2^32 values, none NaN: value[i] is the i-th smallest, -0 as 0, and row[i] its row; equal ones by
 * row. room: 2 n of them. */
void qn_sorted_make(const double *from, uint64_t n, struct qn_keyed *room, double *value,
                    uint32_t *row);

/* How many of n sorted values are at most r from that at place `at`, itself included. */
uint64_t qn_sorted_within(const double *value, uint64_t n, uint64_t at, double r);

/* How far the k-th nearest of n sorted values is from that at place `at`, 0 < k < n. */
double qn_sorted_radius(const double *value, uint64_t n, uint64_t at, uint64_t k);

#endif
