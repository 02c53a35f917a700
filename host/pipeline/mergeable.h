/* SPDX-License-Identifier: Apache-2.0
 * Fits that keep statistics instead of rows. Of some pipelines the planner knows beforehand that all they
 * learn are moments and extremes of the table's own columns: every step's chain has at most one
 * estimator whose statistics merge (QN_TRAIT_MERGES), nothing but passthrough before it, and those that
 * learn nothing (QN_TRAIT_STATELESS) after it or alone; `then` has only these. Their statistics
 * (running.h) are gathered push by push, and the model is made of them whenever it is wanted. */
#ifndef QN_MERGEABLE_H
#define QN_MERGEABLE_H

#include "host/pipeline/fit.h"
#include "host/pipeline/running.h"

/* NULL if the spec's fits are mergeable, else the name of the estimator that is in the way. */
const char *qn_mergeable_blame(const struct qn_spec *);

struct qn_mergeable {
    struct quern_table *schema; /* names and types of the first chunk, no data */
    uint8_t *nulls;             /* [column]: an integer column has had missing cells */
    struct qn_running *stats;
    int weighted;              /* the rows have weights … */
    int weighs;                /* … and an estimator looks at them */
    struct qn_weights weights; /* of the chunk at hand; whether any was not 0 */
};

/* The plan is bound here, once. schema: of the first chunk; its data does not matter. */
quern_status qn_mergeable_open(const struct qn_spec *, const struct quern_table *schema,
                               int weighted, struct qn_mergeable **out);
void qn_mergeable_free(struct qn_mergeable *);
/* The next rows. A chunk with other columns, or with weights where there were none, is INVALID. */
quern_status qn_mergeable_push(struct qn_mergeable *, const struct qn_spec *, struct qn_threads *,
                               const struct quern_table *chunk);
/* The model of the rows so far. Takes the spec. */
quern_status qn_mergeable_model(const struct qn_mergeable *, struct quern_context *,
                                struct qn_spec *, struct quern_model **out);

#endif
