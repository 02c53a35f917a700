/* SPDX-License-Identifier: Apache-2.0
 * Values counted in bins. Sums of weights have an order and are left to the processor. */
#include "host/ops/counts.h"

#include "host/core/checked.h"
#include "host/ops/lines.h"

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_counts_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why != NULL) return why;
    if ((device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    return rq->sums != NULL ? "weights are added up in their order, by the processor" : NULL;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_counts_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_counts(threads, request);
}

static quern_status launch(struct qn_job *job, const struct qn_counts_request *rq,
                           struct qn_view edges, struct qn_view counts)
{
    int cpu_shape = qn_job_cpu_shape(job->device);
    uint64_t n = rq->in.lines * rq->in.n, chunk, groups = qn_lines_groups(job->device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(rq->in.base),
                            qn_arg_u64(rq->in.offset),
                            qn_arg_u64((uint64_t)rq->in.line_stride),
                            qn_arg_u64((uint64_t)rq->in.stride),
                            qn_arg_u64(n),
                            qn_arg_u64(rq->in.n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(rq->in.type),
                            qn_arg_view(edges),
                            qn_arg_u32(rq->edges != NULL),
                            qn_arg_u64(rq->n_bins),
                            qn_arg_view(counts)};
    return qn_job_launch(job, (struct qn_job_kernel){"counts", "qn_counts", NULL}, groups, 1,
                         cpu_shape ? 1 : QN_ITEMS, args, sizeof args / sizeof args[0]);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_counts_request *rq = request;
    static const double none[2] = {0.0, 0.0};
    uint32_t *words = NULL;
    struct qn_view edges, counts;
    quern_status status = QUERN_OK;
    struct qn_job job;
    (void)threads;
    if (rq->in.lines == 0 || rq->in.n == 0 || rq->n_bins == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_put(&job, rq->edges != NULL ? rq->edges : none,
                     rq->edges != NULL ? (rq->n_bins + 1) * sizeof(double) : sizeof none, &edges));
    QN_GO(qn_job_zeros(&job, rq->n_bins * sizeof *words, &counts));
    words = qn_alloc((size_t)rq->n_bins, sizeof *words);
    if (words == NULL) QN_GO(qn_error_memory("counts", rq->n_bins * sizeof *words));
    QN_GO(launch(&job, rq, edges, counts));
    QN_GO(qn_job_get(&job, counts, rq->n_bins * sizeof *words, words));
    for (uint64_t i = 0; i < rq->n_bins; i++) rq->counts[i] += words[i];
cleanup:
    qn_free(words);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_counts(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_counts_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("counts", list, 2, device, threads, queue, request, outcome);
}
