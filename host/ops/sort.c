/* SPDX-License-Identifier: Apache-2.0
 * Sorted lines, and the places that values came from. */
#include "host/ops/lines.h"

static quern_status write_values(struct qn_job *job, const struct qn_sort_request *rq,
                                 const struct qn_planes *planes)
{
    const struct qn_lines *out = &rq->values, *in = &rq->in;
    int cpu_shape = qn_job_cpu_shape(job->device);
    uint64_t n = out->lines * out->n, chunk, groups = qn_lines_groups(job->device, n, &chunk);
    /* Places alone do not say that values are wanted from there: several lines have them anyway. */
    int from_keys = (rq->flags & QN_SORT_PLUS_ZERO) != 0 || !qn_lines_wanted(&rq->order);
    struct qn_arg args[] = {qn_arg_view(planes->words),
                            qn_arg_u64(planes->pitch),
                            qn_arg_u32(from_keys ? 0 : planes->place),
                            qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(n),
                            qn_arg_u64(in->n),
                            qn_arg_u64(out->n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(in->type),
                            qn_arg_u32(rq->flags),
                            qn_arg_view(out->base),
                            qn_arg_u64(out->offset),
                            qn_arg_u64((uint64_t)out->line_stride),
                            qn_arg_u64((uint64_t)out->stride)};
    return qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_sort_values", NULL}, groups, 1,
                         cpu_shape ? 1 : QN_ITEMS, args, sizeof args / sizeof args[0]);
}

static quern_status write_order(struct qn_job *job, const struct qn_sort_request *rq,
                                const struct qn_planes *planes)
{
    const struct qn_lines *out = &rq->order;
    int cpu_shape = qn_job_cpu_shape(job->device);
    uint64_t n = out->lines * out->n, chunk, groups = qn_lines_groups(job->device, n, &chunk);
    struct qn_view places = planes->words;
    places.offset += planes->place * planes->pitch * sizeof(uint32_t);
    places.size -= planes->place * planes->pitch * sizeof(uint32_t);
    struct qn_arg args[] = {qn_arg_view(places),
                            qn_arg_u64(n),
                            qn_arg_u64(rq->in.n),
                            qn_arg_u64(out->n),
                            qn_arg_u64(chunk),
                            qn_arg_view(out->base),
                            qn_arg_u64(out->offset),
                            qn_arg_u64((uint64_t)out->line_stride),
                            qn_arg_u64((uint64_t)out->stride)};
    return qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_sort_order", NULL}, groups, 1,
                         cpu_shape ? 1 : QN_ITEMS, args, sizeof args / sizeof args[0]);
}

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_sort_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why == NULL && qn_lines_wanted(&rq->values))
        why = qn_refuse_device_lines(device, &rq->values);
    if (why == NULL && qn_lines_wanted(&rq->order))
        why = qn_refuse_device_lines(device, &rq->order);
    return why;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_sort_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_sort(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_sort_request *rq = request;
    int places = qn_lines_wanted(&rq->order);
    struct qn_planes planes;
    quern_status status = QUERN_OK;
    struct qn_job job;
    (void)threads;
    if (rq->in.lines == 0 || rq->in.n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_lines_sort(&job, &rq->in, rq->flags | (places ? QN_SORT_PLUS_ZERO : 0u), places,
                        &planes));
    if (qn_lines_wanted(&rq->values)) QN_GO(write_values(&job, rq, &planes));
    if (places) QN_GO(write_order(&job, rq, &planes));
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_sort(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                        const struct qn_sort_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("sort", list, 2, device, threads, queue, request, outcome);
}
