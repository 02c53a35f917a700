/* SPDX-License-Identifier: Apache-2.0
 * Scores of a column against a target, from moments: how far the classes' means lie apart, how well a
 * line through the target's numbers fits. Definitions: scikit-learn, f_classif, chi2, r_regression and
 * f_regression. There sums of squares and squares of sums are subtracted; here sums of squares about
 * means are what is there to begin with (docs/numbers.md). */
#ifndef QN_SCORES_H
#define QN_SCORES_H

#include <stdint.h>

#include "host/ops/requests.h"

struct qn_score {
    double score, p;
};

/* The F of a one-way analysis of variance: nodes of the column's rows by class, no class empty. */
struct qn_score qn_score_f_classif(const struct qn_node *classes, uint32_t n);
/* Chi-squared of the classes' sums against what the classes' sizes would have them be. */
struct qn_score qn_score_chi2(const struct qn_node *classes, uint32_t n);

/* Pearson's r. centered 0: about zero rather than about the means. NaN where a side does not vary; p is
 * always NaN. */
struct qn_score qn_score_r_regression(const struct qn_pair *, int centered);
/* The F of a regression on the column alone: infinite where the fit is perfect. */
struct qn_score qn_score_f_regression(const struct qn_pair *, int centered);

#endif
