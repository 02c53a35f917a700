/* SPDX-License-Identifier: Apache-2.0
 * Quantiles, above the operation: which order statistics a quantile needs, how they become the number
 * that scikit-learn would learn, and their selection from histograms where the data comes in batches.
 * The order statistics themselves are unique, so any method gives the same bits. */
#ifndef QN_QUANTILES_H
#define QN_QUANTILES_H

#include "host/core/status.h"
#include "host/ops/requests.h"

/* A quantile of `count` values lies between two order statistics (0-based ranks). count 0: both are
 * UINT64_MAX and the value is NaN. */
struct qn_quantile {
    uint64_t low, high;
    double t; /* the weight of high, as NumPy computes it */
};

/* NumPy's names; the first nine of Hyndman and Fan (Sample Quantiles in Statistical Packages, The American
 * Statistician 50, 1996). */
enum qn_quantile_method {
    QN_QUANTILE_LINEAR,
    QN_QUANTILE_INVERTED_CDF,
    QN_QUANTILE_AVERAGED_INVERTED_CDF,
    QN_QUANTILE_CLOSEST_OBSERVATION,
    QN_QUANTILE_INTERPOLATED_INVERTED_CDF,
    QN_QUANTILE_HAZEN,
    QN_QUANTILE_WEIBULL,
    QN_QUANTILE_MEDIAN_UNBIASED,
    QN_QUANTILE_NORMAL_UNBIASED
};

/* percent in [0, 100], by a method; or a fraction in [0, 1]. */
struct qn_quantile qn_quantile_ranks_by(enum qn_quantile_method, uint64_t count, double percent);
struct qn_quantile qn_quantile_ranks_at(enum qn_quantile_method, uint64_t count, double fraction);
/* The same by the method "linear". */
struct qn_quantile qn_quantile_ranks(uint64_t count, double percent);
/* numpy.nanpercentile of a float32 (f32 != 0) or float64 column, which is float64 in both cases: a
 * float32 column's difference of the two values is rounded to float32, the rest is not. */
double qn_quantile_value(struct qn_quantile q, double low, double high, int f32);

/* The two middle ranks, equal for an odd count. */
struct qn_quantile qn_median_ranks(uint64_t count);
/* The median in the column's own type. MASKED is numpy.ma.median, which halves the sum of the two
 * middle values even where they are one (and overflows beyond half the largest number); PLAIN is
 * numpy.median. SimpleImputer uses the first, RobustScaler's nanmedian the first below
 * QN_NANMEDIAN_ROWS rows and the second from there on. */
enum qn_median_style { QN_MEDIAN_PLAIN, QN_MEDIAN_MASKED };
enum { QN_NANMEDIAN_ROWS = 600 };
double qn_median_value(struct qn_quantile q, double low, double high, int f32,
                       enum qn_median_style style);

/* ---- selection from histograms ---- */

/* For each of `lanes` columns and n_ranks ranks the value of that rank, digit by digit: a pass over
 * the data per digit, in batches of any size and order; histograms of parts of the data add up. */
struct qn_selector;

/* ranks: [lane * n_ranks + j], below the lane's count of values that are not missing, or UINT64_MAX
 * for "not wanted". wide: float64 keys, else float32. memory: bytes for the histograms; less memory
 * means more passes. */
quern_status qn_selector_open(uint32_t lanes, uint32_t n_ranks, const uint64_t *ranks, int wide,
                              uint64_t memory, struct qn_selector **out);
void qn_selector_free(struct qn_selector *);
/* How many passes there are in all, and whether one more is needed. */
uint32_t qn_selector_passes(const struct qn_selector *);
int qn_selector_needs_pass(const struct qn_selector *);
/* Fills in all of the request but the batch; every batch of the pass takes it once. */
void qn_selector_request(struct qn_selector *, struct qn_histogram_request *);
/* Adds the counts that another selector of the same plan, in the same pass, has gathered. */
quern_status qn_selector_add(struct qn_selector *into, const struct qn_selector *from);
/* All rows have been counted. QUERN_CORRUPT where a rank is not in the histogram: the data changed
 * between passes. */
quern_status qn_selector_end_pass(struct qn_selector *);
/* After the last pass. A rank that was not wanted gives NaN. */
double qn_selector_value(const struct qn_selector *, uint32_t lane, uint32_t j);

#endif
