/* SPDX-License-Identifier: Apache-2.0
 * Sums on the way along lines: a device gives every line an item. */
#include "host/ops/lines.h"
#include "host/ops/reductions.h"

enum { MANY_LINES = 64, LONG_LINE = 1 << 16 };

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_accumulate_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why == NULL) why = qn_refuse_device_lines(device, &rq->out);
    if (why != NULL) return why;
    if ((device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    if (rq->in.lines < MANY_LINES && rq->in.n > LONG_LINE)
        return "a few long lines are added up in their order, for which a processor is faster";
    return NULL;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_accumulate_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_accumulate(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_accumulate_request *rq = request;
    int cpu_shape = qn_job_cpu_shape(device);
    struct qn_job job;
    (void)threads;
    if (rq->in.lines == 0 || rq->in.n == 0) return QUERN_OK;
    uint64_t parts = qn_job_parts(device, rq->in.lines, 1, 1);
    uint64_t per_group = cpu_shape ? (rq->in.lines + parts - 1) / parts : (uint64_t)QN_ITEMS;
    struct qn_arg args[] = {qn_arg_view(rq->in.base),
                            qn_arg_u64(rq->in.offset),
                            qn_arg_u64((uint64_t)rq->in.line_stride),
                            qn_arg_u64((uint64_t)rq->in.stride),
                            qn_arg_u64(rq->in.lines),
                            qn_arg_u64(rq->in.n),
                            qn_arg_u64(per_group),
                            qn_arg_u32(rq->in.type),
                            qn_arg_u32(rq->product != 0),
                            qn_arg_u32(rq->skip != 0),
                            qn_arg_view(rq->out.base),
                            qn_arg_u64(rq->out.offset),
                            qn_arg_u64((uint64_t)rq->out.line_stride),
                            qn_arg_u64((uint64_t)rq->out.stride),
                            qn_arg_u32(rq->out.type)};
    qn_job_begin(&job, device, queue);
    quern_status status =
        qn_job_launch(&job, (struct qn_job_kernel){"reduce", "qn_accumulate", NULL},
                      (rq->in.lines + per_group - 1) / per_group, 1, cpu_shape ? 1 : QN_ITEMS, args,
                      sizeof args / sizeof args[0]);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_accumulate(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                              const struct qn_accumulate_request *request,
                              struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("accumulate", list, 2, device, threads, queue, request, outcome);
}
