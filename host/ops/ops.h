/* SPDX-License-Identifier: Apache-2.0
 * The operations. Each is one call; behind it stands an ordered list of implementations, best first,
 * the CPU last (host/ops/<operation>.c). Each implementation may refuse a request with a sentence;
 * those sentences become the decision that users see. An op never moves a batch between host and
 * device: where the batch lies is the plan's business. So a batch on a device can only be refused by
 * everyone (QUERN_UNSUPPORTED, with the sentences), and the executor then runs the step on the CPU
 * from the caller's memory if the fallback policy allows. */
#ifndef QN_OPS_H
#define QN_OPS_H

#include "host/device/device.h"
#include "host/ops/requests.h"

/* Who ran: NULL-terminated name of the implementation ("cpu:avx512", "device:flat"), or the
 * sentences of all refusals. */
struct qn_outcome {
    const char *implementation; /* static text; NULL when nobody ran it */
    char reasons[256];
};

/* device NULL: host batches only. threads: the context's. outcome may be NULL. Batches are taken by
 * rules of qn_batch; device ops run on queue 0 … 1 as told, and return when host results are valid
 * (moments, powers, extremes, select, histogram, csr) or when the work is queued (run). */
quern_status qn_op_moments(struct qn_device *, struct qn_threads *, uint32_t queue,
                           const struct qn_moments_request *, struct qn_outcome *);
quern_status qn_op_powers(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_powers_request *, struct qn_outcome *);
quern_status qn_op_extremes(struct qn_device *, struct qn_threads *, uint32_t queue,
                            const struct qn_extremes_request *, struct qn_outcome *);
quern_status qn_op_select(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_select_request *, struct qn_outcome *);
quern_status qn_op_histogram(struct qn_device *, struct qn_threads *, uint32_t queue,
                             const struct qn_histogram_request *, struct qn_outcome *);
quern_status qn_op_run(struct qn_device *, struct qn_threads *, uint32_t queue,
                       const struct qn_run_request *, struct qn_outcome *);
quern_status qn_op_csr(struct qn_device *, struct qn_threads *, uint32_t queue,
                       const struct qn_csr_request *, struct qn_outcome *);
/* Rows in host memory alone: with a device, its implementations have said why not. */
/* 1 if the operation runs on the device, where the request's base has the columns. */
int qn_rows_stay(const struct qn_device *, const struct qn_rows_request *);
quern_status qn_op_rows(struct qn_device *, struct qn_threads *, uint32_t queue,
                        const struct qn_rows_request *, struct qn_outcome *);
/* For fits that work on a whole matrix. */
quern_status qn_op_gram(struct qn_threads *, const struct qn_gram *);
quern_status qn_op_predict(struct qn_threads *, const struct qn_prediction *);
quern_status qn_op_information(struct qn_threads *, const struct qn_information *);

#endif
