/* SPDX-License-Identifier: Apache-2.0
 * Covariances of the values that two lines have in common: what is done with the sums of some pairs of panels,
 * wherever they are made. */
#ifndef QN_OPS_PAIR_SUMS_H
#define QN_OPS_PAIR_SUMS_H

#include "host/ops/reductions.h"

/* Makes rq->totals. */
typedef quern_status qn_pair_sums_fn(void *user, const struct qn_pair_sums *rq);

/* Fills out, counts and squares. means: first words, then second words, of the values that each line has;
 * present: how many those are. most: pairs of panels at a time. */
quern_status qn_covariance_pairs(const struct qn_covariance_request *, const double *means,
                                 const double *present, uint32_t most, qn_pair_sums_fn *,
                                 void *user);
/* Every line's mean and number of values, of their sums' nodes; whether some are missing. */
int qn_covariance_present(const struct qn_covariance_request *, const struct qn_reduced *nodes,
                          double *means, double *present);
/* counts and squares where none is missing, of out. */
void qn_covariance_whole(const struct qn_covariance_request *);

#endif
