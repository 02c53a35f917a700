/* SPDX-License-Identifier: Apache-2.0
 * Scores of columns against the target, as fits of univariate selection have them (univariate.c): which
 * function a spec names, with what options, what it needs and what it learns. */
#ifndef QN_SCORING_H
#define QN_SCORING_H

#include "host/estimators/estimator.h"

/* What `score_func` may be. "other": the caller's own scores, which a model keeps but a fit cannot make. */
#define QN_SCORE_CHOICES                                                                           \
    "f_classif|chi2|f_regression|r_regression|mutual_info_classif|mutual_info_regression|other"

/* What a spec says of a score. */
enum qn_score_function {
    QN_F_CLASSIF,
    QN_CHI2,
    QN_F_REGRESSION,
    QN_R_REGRESSION,
    QN_MUTUAL_INFO_CLASSIF,
    QN_MUTUAL_INFO_REGRESSION,
    QN_OTHER_SCORE
};
struct qn_scoring {
    enum qn_score_function function;
    const char *name;
    int center, force_finite; /* regressions */
    uint32_t n_neighbors;     /* mutual information */
    uint64_t random_state;
    int prepare;
    const json_t *discrete; /* "auto", a truth value or positions; NULL: "auto" */
};

/* Names of options and what they may be; a score without p-values where a selection wants them. */
quern_status qn_scoring_check(const struct qn_estimator *, int wants_pvalues);
quern_status qn_scoring_need(struct qn_stage *);
/* scores_, and pvalues_ where the function gives some. */
quern_status qn_scoring_learn(struct qn_stage *);

/* ---- shared pieces ---- */
quern_status qn_scoring_of(const struct qn_estimator *, struct qn_scoring *);
/* The error that column i cannot be scored: it has `what`. */
quern_status qn_scoring_refuse(const struct qn_stage *, uint32_t i, const char *what);
/* mutual_information.c */
quern_status qn_information_need(struct qn_stage *, const struct qn_scoring *);
quern_status qn_information_learn(struct qn_stage *, const struct qn_scoring *, double *scores);

#endif
