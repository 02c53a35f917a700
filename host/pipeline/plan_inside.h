/* SPDX-License-Identifier: Apache-2.0
 * What the files of the planner share. */
#ifndef QN_PLAN_INSIDE_H
#define QN_PLAN_INSIDE_H

#include "host/pipeline/plan.h"

/* plan_open.c: room for what a step's estimators learn. */
quern_status qn_plan_make_attrs(struct qn_plan *, struct qn_plan_step *);
/* plan_layer.c: ends the layer; every number port becomes a packed column, the input of the next. */
quern_status qn_plan_new_layer(struct qn_plan *);

/* plan_join.c, in this order: whether the joined output is sparse; one list of all blocks' ports; the
 * chain `then` over it; the output. */
void qn_plan_decide_sparse(struct qn_plan *);
quern_status qn_plan_join(struct qn_plan *);
quern_status qn_plan_open_then(struct qn_plan *);
quern_status qn_plan_finish(struct qn_plan *);

#endif
