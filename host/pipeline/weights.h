/* SPDX-License-Identifier: Apache-2.0
 * Sample weights: what a row counts in estimators that learn with weights. They come from the caller
 * (quern_table_set_weights) or from the column that the spec's `weight` names. */
#ifndef QN_WEIGHTS_H
#define QN_WEIGHTS_H

#include <float.h>

#include "host/pipeline/plan.h"

struct qn_weights {
    const double *values; /* one per row of the table                                     */
    double *owned;        /* a converted column                                           */
    int any;              /* one of them is not 0; OR-ed in, so that chunks may follow    */
};

static inline int qn_weight_good(double weight)
{
    return weight >= 0.0 && weight <= DBL_MAX;
}

/* 1 if fits of this spec and table have weights. */
int qn_weights_given(const struct qn_spec *, const struct quern_table *);
/* The weights of a table's rows, each finite and not negative: else INVALID with the row. first_row: of
 * the table in the whole data. What was there before is freed. */
quern_status qn_weights_of(const struct qn_spec *, const struct quern_table *, uint64_t first_row,
                           struct qn_weights *);
void qn_weights_free(struct qn_weights *);
/* After all rows: weights that are all 0 teach nothing. */
quern_status qn_weights_check(const struct qn_weights *);

#endif
