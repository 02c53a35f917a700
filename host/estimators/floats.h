/* SPDX-License-Identifier: Apache-2.0
 * What estimators that compute with columns of floats have in common. */
#ifndef QN_FLOATS_H
#define QN_FLOATS_H

#include "host/estimators/estimator.h"

/* A value as an array of the dtype would hold it. */
double qn_in_dtype(double value, quern_type dtype);
/* Adds an op to a float port's chain, its parameters in the port's dtype. */
quern_status qn_port_add(struct qn_stage *, struct qn_port *, uint32_t code, double p0, double p1);
/* Makes the output ports: the inputs in the step's float dtype. */
quern_status qn_stage_floats(struct qn_stage *);
/* learn: INVALID where the extremes of an input are infinite. */
quern_status qn_stage_refuse_infinity(const struct qn_stage *);
/* QUERN_INVALID where a parameter that may be a list of numbers is one, but not of one for each input. */
quern_status qn_stage_per_column(const struct qn_stage *, const char *param);
/* Column i's number of a parameter of kind NUMBERS; `otherwise` where it is null. */
double qn_param_number(const struct qn_estimator *, const char *param, uint32_t i,
                       double otherwise);

#endif
