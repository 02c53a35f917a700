/* SPDX-License-Identifier: Apache-2.0
 * Whole columns of the rows that a fit learns from (QN_NEED_ROWS), some at a time. */
#ifndef QN_COLUMNS_H
#define QN_COLUMNS_H

#include "host/estimators/estimator.h"

struct qn_columns {
    const struct qn_stage *stage;
    uint32_t room, first, n; /* so many can be held; those that are */
    double *values;          /* [n][rows]; missing is NaN */
};

/* least: so many are wanted together. */
quern_status qn_columns_open(struct qn_columns *, const struct qn_stage *, uint32_t least);
/* Column i; it stays until another is taken. In their order each is read once. */
quern_status qn_columns_take(struct qn_columns *, uint32_t i, const double **out);
void qn_columns_free(struct qn_columns *);

#endif
