/* SPDX-License-Identifier: Apache-2.0
 * IterativeImputer's two halves: the descriptor (iterative_imputer.c) and the fit (iterative_fit.c). */
#ifndef QN_ITERATIVE_IMPUTER_H
#define QN_ITERATIVE_IMPUTER_H

#include "host/estimators/row_imputer.h"

/* A row of the attribute sequence_: what is in front of the coefficients of the step's columns. */
enum {
    QN_SEQUENCE_TARGET,
    QN_SEQUENCE_INTERCEPT,
    QN_SEQUENCE_ALPHA,
    QN_SEQUENCE_LAMBDA,
    QN_SEQUENCE_ROUNDS,
    QN_SEQUENCE_HEAD
};

/* What missing cells begin as, for each column: NaN where it has no value and is left out. missing: so
 * many cells. Learns sequence_ and rounds_ from the stage's rows. */
quern_status qn_iterative_fit(struct qn_stage *, const double *initial, const int64_t *missing);

/* The bound as a number; without one, infinity of that sign. */
double qn_iterative_bound(const struct qn_estimator *, const char *name, double infinity);

#endif
