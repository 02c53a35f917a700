/* SPDX-License-Identifier: Apache-2.0
 * Places of values in a sorted line. */
#include "host/ops/lines.h"

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_search_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why == NULL) why = qn_refuse_device_lines(device, &rq->sorted);
    return why != NULL ? why : qn_refuse_device_lines(device, &rq->out);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_search_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_search(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_search_request *rq = request;
    uint64_t n = rq->in.lines * rq->in.n, chunk;
    struct qn_job job;
    (void)threads;
    if (n == 0) return QUERN_OK;
    uint64_t groups = qn_lines_groups(device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(rq->sorted.base),
                            qn_arg_u64(rq->sorted.offset),
                            qn_arg_u64((uint64_t)rq->sorted.stride),
                            qn_arg_u64(rq->sorted.n),
                            qn_arg_view(rq->in.base),
                            qn_arg_u64(rq->in.offset),
                            qn_arg_u64((uint64_t)rq->in.line_stride),
                            qn_arg_u64((uint64_t)rq->in.stride),
                            qn_arg_u64(n),
                            qn_arg_u64(rq->in.n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(rq->in.type),
                            qn_arg_u32(rq->right),
                            qn_arg_u32(rq->flip),
                            qn_arg_view(rq->out.base),
                            qn_arg_u64(rq->out.offset),
                            qn_arg_u64((uint64_t)rq->out.line_stride),
                            qn_arg_u64((uint64_t)rq->out.stride)};
    qn_job_begin(&job, device, queue);
    quern_status status =
        qn_job_launch(&job, (struct qn_job_kernel){"sort", "qn_search_sorted", NULL}, groups, 1,
                      qn_job_cpu_shape(device) ? 1 : QN_ITEMS, args, sizeof args / sizeof args[0]);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_search(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_search_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("search", list, 2, device, threads, queue, request, outcome);
}
