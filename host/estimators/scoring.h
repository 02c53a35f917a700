/* SPDX-License-Identifier: Apache-2.0
 * Scores of columns against the target, as fits of univariate selection have them (univariate.c): which
 * function a spec names, with what options, what it needs and what it learns. */
#ifndef QN_SCORING_H
#define QN_SCORING_H

#include "host/estimators/estimator.h"

/* What `score_func` may be. "other": the caller's own scores, which a model keeps but a fit cannot make. */
#define QN_SCORE_CHOICES "f_classif|chi2|f_regression|r_regression|other"

/* Names of options and what they may be; a score without p-values where a selection wants them. */
quern_status qn_scoring_check(const struct qn_estimator *, int wants_pvalues);
quern_status qn_scoring_need(struct qn_stage *);
/* scores_, and pvalues_ where the function gives some. */
quern_status qn_scoring_learn(struct qn_stage *);

#endif
