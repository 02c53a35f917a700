/* SPDX-License-Identifier: Apache-2.0
 * Reductions of arrays, and what stands on them. The rules of quern/array.h hold, which includes this
 * file; docs/arrays.md says exactly what each function gives. */
#ifndef QUERN_ARRAY_REDUCE_H
#define QUERN_ARRAY_REDUCE_H

#include "quern/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In place of an axis: all values, row by row. */
#define QUERN_AXIS_ALL (-2147483647 - 1)

typedef enum quern_reduction {
    QUERN_REDUCE_SUM, /* of integers int64, of unsigned ones uint64, modulo 2^64; of bool int64; else as x */
    QUERN_REDUCE_PRODUCT, /* the same */
    QUERN_REDUCE_MEAN,    /* of integers and bool float64, else as x; so the next two */
    QUERN_REDUCE_VAR,
    QUERN_REDUCE_STD,
    QUERN_REDUCE_MIN, /* as x; so the next two */
    QUERN_REDUCE_MAX,
    QUERN_REDUCE_PTP,    /* the largest less the smallest; not of bool */
    QUERN_REDUCE_ARGMIN, /* the first place of the smallest, or of NaN; int64 */
    QUERN_REDUCE_ARGMAX,
    QUERN_REDUCE_COUNT,   /* how many are not NaN; int64 */
    QUERN_REDUCE_NONZERO, /* how many are not 0, NaN among them; int64 */
    QUERN_REDUCE_ANY,     /* whether some are not 0; bool */
    QUERN_REDUCE_ALL
} quern_reduction;

typedef struct quern_reduce_options {
    uint32_t struct_size;
    int skip_nan; /* NaN is left out; else the result of a line with NaN is NaN */
    double ddof;  /* var and std divide by the number of values less this */
} quern_reduce_options;

/* What `what` makes of every line along the axis: one dimension, of as many values as there are lines (one,
 * with one dimension or QUERN_AXIS_ALL). options NULL: all 0. INVALID where a line without values, or
 * with skip_nan without numbers, has no such result: min, max, ptp of no values; places of no values or
 * numbers. */
QUERN_API quern_status quern_array_reduce(quern_context *context, quern_reduction what,
                                          const quern_array *x, int axis,
                                          const quern_reduce_options *options, quern_array *out);

/* NumPy's methods of these names; QUERN_QUANTILE_MEDIAN is the mean of the middle two. */
typedef enum quern_quantile_method {
    QUERN_QUANTILE_LINEAR,
    QUERN_QUANTILE_INVERTED_CDF, /* this and CLOSEST_OBSERVATION give values of the array, in its type */
    QUERN_QUANTILE_AVERAGED_INVERTED_CDF,
    QUERN_QUANTILE_CLOSEST_OBSERVATION,
    QUERN_QUANTILE_INTERPOLATED_INVERTED_CDF,
    QUERN_QUANTILE_HAZEN,
    QUERN_QUANTILE_WEIBULL,
    QUERN_QUANTILE_MEDIAN_UNBIASED,
    QUERN_QUANTILE_NORMAL_UNBIASED,
    QUERN_QUANTILE_MEDIAN /* for float32 float32; the fractions are not looked at */
} quern_quantile_method;

typedef struct quern_quantile_options {
    uint32_t struct_size;
    int skip_nan;
    quern_quantile_method method;
    /* INVERTED_CDF alone: how much each value counts; NULL: all the same. float64 in host memory, of one
     * dimension, for every line, or of x's shape. Finite, not negative, not all 0. */
    const quern_array *weights;
} quern_quantile_options;

/* n quantiles of every line along the axis (or of all, QUERN_AXIS_ALL), of fractions from 0 to 1: n rows
 * with a value for each line. float64, but for methods that give values of x. Exact: no sketch, whatever
 * the size. options NULL: linear. INVALID where a line has no values, but with skip_nan and for medians
 * NaN. */
QUERN_API quern_status quern_array_quantile(quern_context *context, const quern_array *x, int axis,
                                            const double *fractions, uint32_t n,
                                            const quern_quantile_options *options,
                                            quern_array *out);

typedef enum quern_accumulation {
    QUERN_ACCUMULATE_SUM,
    QUERN_ACCUMULATE_PRODUCT
} quern_accumulation;

/* All sums (products) on the way along the axis, x's shape, or of all values row by row, one dimension:
 * of integers int64, of unsigned ones uint64, of bool int64, else x's type. Added one after another in
 * that type, as NumPy does. skip_nan: NaN adds nothing. out may not overlap x. */
QUERN_API quern_status quern_array_accumulate(quern_context *context, quern_accumulation what,
                                              const quern_array *x, int axis, int skip_nan,
                                              quern_array *out);

typedef struct quern_covariance_options {
    uint32_t struct_size;
    int correlation; /* each covariance over both deviations, within -1 and 1 */
    int narrow;      /* the result is float32: computed in float64, rounded once */
    double ddof;     /* the sums of products are divided by the number of observations less this */
    /* How much each observation counts, in place of 1: float64 in host memory, of one dimension. Finite, not
     * negative, not all 0; the divisor is their sum less ddof. NULL: all the same. */
    const quern_array *weights;
    /* Of each two variables the observations in which neither is NaN, whose number is then what ddof is taken
     * from; without weights. */
    int skip_nan;
    uint64_t min_periods; /* with skip_nan: fewer of them give NaN; none always do */
} quern_covariance_options;

/* Covariances of each two variables of x, whose observations lie along the axis: a square of float64, with
 * a row for each variable; of one dimension x is one variable. NaN makes what it is part of NaN, a divisor
 * that is not positive is 0. options NULL: covariances with ddof 1. Two passes, as numpy.cov; the same bits
 * on every device, for any number of threads. INVALID: weights or an axis that do not fit, ddof not
 * finite, weights with skip_nan. */
QUERN_API quern_status quern_array_covariance(quern_context *context, const quern_array *x,
                                              int axis, const quern_covariance_options *options,
                                              quern_array *out);

/* How many values of x lie between each two of n + 1 edges: edges[i] <= x < edges[i + 1], the last edge
 * included; int64, n of them. What lies outside, and NaN, is in no bin. With weights, of x's shape, their
 * sums: float64, weights added one after another in blocks of 65,536 values, row by row, and the blocks in
 * their order; all one after another for more than 65,536 bins. edges: ascending, n >= 1. edges and weights
 * are float64 in host memory. Values are compared as float64. */
QUERN_API quern_status quern_array_histogram(quern_context *context, const quern_array *x,
                                             const quern_array *edges, const quern_array *weights,
                                             quern_array *out);
/* How often each of 0, 1, … occurs in x, of bool or integers that are not negative; int64, or with weights
 * their sums, as above. As many as the largest value demands, and at least `least`. */
QUERN_API quern_status quern_array_bincount(quern_context *context, const quern_array *x,
                                            const quern_array *weights, uint64_t least,
                                            quern_array *out);

#ifdef __cplusplus
}
#endif
#endif
