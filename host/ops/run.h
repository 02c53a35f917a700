/* SPDX-License-Identifier: Apache-2.0
 * What the implementations of "run a program" and of CSR share. */
#ifndef QN_OPS_RUN_H
#define QN_OPS_RUN_H

#include "host/ops/job.h"

/* Why the slots cannot be written on this device; NULL: they can. */
const char *qn_run_refuse_slots(const struct qn_run_request *);

/* The divisors of all norm groups, row by row; *norms is `table` when there are none. */
quern_status qn_run_norms(struct qn_job *, const struct qn_batch *, uint32_t n_norms,
                          struct qn_view table, struct qn_view *norms);

/* Fetches what a launch saw and ORs it into `seen` (NULL: nothing to do). */
/* Where the run's flags go: the caller's place, or zeroed memory of the job. */
quern_status qn_run_flags(struct qn_job *, const struct qn_run_request *, struct qn_view *out);
quern_status qn_run_seen(struct qn_job *, struct qn_view from, uint32_t n_lanes, uint32_t *seen);

/* A program of splines alone (host/ops/splines.c). */
const char *qn_splines_refuse(const struct qn_device *, const void *request);
quern_status qn_splines_run(struct qn_device *, struct qn_threads *, uint32_t queue,
                            const void *request);

/* The generated program of host/ops/generate.c as an implementation. */
const char *qn_generated_refuse(const struct qn_device *, const void *request);
quern_status qn_generated_run(struct qn_device *, struct qn_threads *, uint32_t queue,
                              const void *request);

#endif
