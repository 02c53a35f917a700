/* SPDX-License-Identifier: Apache-2.0
 * What OneHotEncoder and OrdinalEncoder share: categories_, infrequent groups, and the way from a
 * cell to the number of its category. */
#ifndef QN_ENCODER_H
#define QN_ENCODER_H

#include "host/estimators/estimator.h"

/* categories_ from statistics or from the parameter; checks unknown values at the fit. */
quern_status qn_encoder_learn(struct qn_stage *);
quern_status qn_encoder_need(struct qn_stage *);
quern_status qn_encoder_refuse_sparse(const struct qn_stage *);

/* How column i's categories are grouped. Category numbers count the missing one last. */
struct qn_grouping {
    uint32_t n_categories; /* the missing one included                                          */
    uint32_t n_groups;     /* after grouping                                                     */
    int has_infrequent;    /* group n_groups - 1 is the infrequent one (OneHot), see `infrequent` */
    uint32_t infrequent;   /* its number                                                         */
    uint32_t *group;       /* [n_categories] -> group                                            */
};
/* skip_missing: OrdinalEncoder keeps the missing category out of the grouping. */
quern_status qn_encoder_grouping(struct qn_stage *, uint32_t i, int skip_missing,
                                 struct qn_grouping *out);

/* The chain of port i up to a CODE, and for each code value (k categories of the lookup, missing,
 * unknown) the category that it means: QN_CATEGORY_UNKNOWN when none. */
#define QN_CATEGORY_UNKNOWN UINT32_MAX
quern_status qn_encoder_lookup(struct qn_stage *, uint32_t i, const struct qn_chain **chain,
                               uint32_t **meaning, uint32_t *n_codes);

/* The chain, marked so that unknown cells are an error naming the estimator. */
quern_status qn_encoder_refuse_unknown(struct qn_stage *, uint32_t i, const uint32_t *meaning,
                                       uint32_t n_codes, const struct qn_chain **chain);

#endif
