/* SPDX-License-Identifier: Apache-2.0
 * Distinct values of columns during a fit pass. The rows of a column are hashed once per fit, however
 * many steps and estimators ask: what an estimator earlier in the chain makes of a column follows from
 * the distinct values alone. Always on the host (docs/devices.md lists the host-only work). */
#ifndef QN_DISTINCT_H
#define QN_DISTINCT_H

#include "host/pipeline/fit.h"

struct qn_distinct;

quern_status qn_distinct_open(struct qn_fit_state *, struct qn_distinct **out);
int qn_distinct_wanted(const struct qn_distinct *); /* 1: a walk over the rows is needed */
quern_status qn_distinct_chunk(struct qn_distinct *, const struct quern_table *,
                               uint64_t first_row);
/* Sets found->categories of every port that asked. */
quern_status qn_distinct_finish(struct qn_distinct *);
void qn_distinct_close(struct qn_distinct *);

#endif
