/* SPDX-License-Identifier: Apache-2.0
 * Eigenvalues and eigenvectors of small symmetric matrices, and the regression that is made of them. All
 * in the caller's thread and in one order, so that equal sums give equal bits. */
#ifndef QN_SYMMETRIC_H
#define QN_SYMMETRIC_H

#include <stdint.h>

#include "host/core/status.h"

/* a [n][n], symmetric, is used up; values [n], in no order; vectors [n][n]: a row for each value. */
quern_status qn_symmetric_eigen(uint32_t n, double *a, double *values, double *vectors);

/* Bayesian ridge regression (MacKay 1992; scikit-learn's BayesianRidge with its default parameters), from
 * sums about the means: products of the n features [n][n] (used up), of the features with y, of y with
 * itself, over `rows` rows. */
struct qn_ridge {
    double alpha, lambda; /* precisions of the noise and of the coefficients */
    uint32_t rounds;
};
quern_status qn_bayesian_ridge(uint32_t n, double *products, const double *with_y, double y_y,
                               double rows, double *coefficients, struct qn_ridge *out);

#endif
