/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of lines' differences from their means: the processor's work. */
#include "host/ops/lines.h"
#include "host/ops/reductions.h"

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    const struct qn_covariance_request *rq = request;
    return rq->in.base.raw != NULL ? "covariances of values on a device are left to the processor"
                                   : NULL;
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_covariance(threads, request);
}

quern_status qn_op_covariance(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                              const struct qn_covariance_request *request,
                              struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("covariance", list, 1, device, threads, queue, request, outcome);
}
