/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QN_CPU_FINITE_H
#define QN_CPU_FINITE_H

#include "host/ops/requests.h"

/* 1: all values of the batch are there and finite. 0: some are not, or it would take more than a look at
 * them to tell. */
int qn_cpu_all_finite(struct qn_threads *, const struct qn_batch *);

#endif
