/* SPDX-License-Identifier: Apache-2.0
 * The passes of a fit over its rows, as the plan has them: qn_plan.passes. */
#ifndef QN_PLAN_PASSES_H
#define QN_PLAN_PASSES_H

#include "host/pipeline/plan.h"

/* What a pass takes: QN_NEED_*, and: */
#define QN_PASS_LABELS 0x80000000u /* which classes the target has */

/* Adds the passes of the present round: of what the steps ask for. */
quern_status qn_plan_note_passes(struct qn_plan *);
/* Another plan for what one has learned. Their memory is the first one's. */
void qn_plan_share_passes(const struct qn_plan *from, struct qn_plan *to);

/* A list of lists of names, one for each pass; and back: 0 where that is none. */
json_t *qn_passes_json(const struct qn_plan *);
int qn_passes_parse(struct qn_plan *, const json_t *, quern_status *);

#endif
