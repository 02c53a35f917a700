/* SPDX-License-Identifier: Apache-2.0
 * What the imputers that look at whole rows have in common: KNNImputer and IterativeImputer. */
#ifndef QN_ROW_IMPUTER_H
#define QN_ROW_IMPUTER_H

#include "host/estimators/estimator.h"

/* missing_values must be NaN (null) or a number: they work on numbers alone. */
quern_status qn_row_imputer_check(const struct qn_estimator *);
/* The port in the float type of the step, with marked cells made NaN; infinite ones are refused. */
quern_status qn_row_imputer_port(struct qn_stage *, const struct qn_port *in, quern_type type,
                                 struct qn_port *out);
/* 1 where the cell is missing, else 0, in the step's type. */
quern_status qn_row_imputer_indicator(struct qn_stage *, const struct qn_port *in, quern_type type,
                                      struct qn_port *out);
/* An output that an operation over rows will give: the port's name and type, and no chain yet. */
void qn_row_imputer_output(const struct qn_port *in, quern_type type, struct qn_port *out);
/* A column without any value at the fit is left out: says so. */
quern_status qn_row_imputer_left_out(struct qn_stage *, uint32_t column);

#endif
