/* SPDX-License-Identifier: Apache-2.0
 * The values of a column in their order with what each weighs, and percentiles of them: what fits learn
 * of rows with weights where they learn order statistics.
 *
 * Equal values are in the order of their rows, so that sums of weights have one order. */
#ifndef QN_WEIGHED_H
#define QN_WEIGHED_H

#include <stdint.h>

#include "host/core/status.h"

struct qn_weighed {
    uint64_t n;
    double *values, *weights; /* [n] to be filled in after opening                               */
    double *up_to; /* [n] after qn_weighed_sum: the weights of this value and of all before */
};

/* Room for n >= 1 values. `what` they are for, in the sentence of an error. */
quern_status qn_weighed_open(struct qn_weighed *, uint64_t n, const char *what);
void qn_weighed_free(struct qn_weighed *);
/* Sorts values, missing ones last, and their weights with them. */
quern_status qn_weighed_sort(struct qn_weighed *);
/* After sorting: makes up_to. Missing values weigh nothing from here on. */
void qn_weighed_sum(struct qn_weighed *);

/* The percentile by the inverse of the weights' distribution function (R. J. Hyndman, Y. Fan, Sample
 * quantiles in statistical packages, Am. Stat. 50, 1996), as sklearn.utils.stats has it in float64;
 * average: the mean of two values where the function steps, in float32 with f32. NaN where the last value
 * is one and none weighs anything. */
double qn_weighed_percentile(const struct qn_weighed *, double percent, int average, int f32);

/* Sorts n doubles, and, unless it is NULL, another array with them; missing ones are last. */
quern_status qn_sort_doubles(double *values, double *with, uint64_t n);

#endif
