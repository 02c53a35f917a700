/* SPDX-License-Identifier: Apache-2.0
 * Values by their places. */
#include "host/ops/layout.h"
#include "host/ops/moves_shared.h"

enum { INNER = 0x100 }; /* as kernels/move.k.h */

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_take_request *rq = request;
    const struct qn_lines *lines[] = {&rq->out, &rq->in, &rq->index};
    return qn_moves_refuse(device, lines, 3);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_take_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_take(threads, request);
}

static quern_status launch(struct qn_job *job, const struct qn_take_request *rq,
                           struct qn_view outside)
{
    int swapped = qn_moves_swapped(&rq->out);
    struct qn_lines in = qn_moves_turn(&rq->in, swapped), out = qn_moves_turn(&rq->out, swapped);
    uint32_t kind = qn_value_bytes(out.type) | (swapped ? 0u : (uint32_t)INNER) | rq->mode << 12 |
                    rq->index.type << 16;
    uint64_t n = out.lines * out.n, chunk;
    (void)qn_lines_groups(job->device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(in.base),
                            qn_arg_u64(in.offset),
                            qn_arg_u64((uint64_t)in.line_stride),
                            qn_arg_u64((uint64_t)in.stride),
                            qn_arg_u64(rq->in.n),
                            qn_arg_view(rq->index.base),
                            qn_arg_u64(rq->index.offset),
                            qn_arg_u64((uint64_t)rq->index.stride),
                            qn_arg_u64(n),
                            qn_arg_u64(out.n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(kind),
                            qn_arg_view(out.base),
                            qn_arg_u64(out.offset),
                            qn_arg_u64((uint64_t)out.line_stride),
                            qn_arg_u64((uint64_t)out.stride),
                            qn_arg_view(outside)};
    return qn_moves_launch(job, "move", "qn_take", n, chunk, args, 17);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_take_request *rq = request;
    struct qn_view outside;
    struct qn_job job;
    quern_status status = QUERN_OK;
    (void)threads;
    if (rq->mode == QN_TAKE_RAISE) *rq->outside = 0;
    if (rq->out.lines == 0 || rq->out.n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_zeros(&job, sizeof(uint32_t), &outside));
    QN_GO(launch(&job, rq, outside));
    if (rq->mode == QN_TAKE_RAISE)
        QN_GO(qn_job_get(&job, outside, sizeof *rq->outside, rq->outside));
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_take(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                        const struct qn_take_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("take", list, 2, device, threads, queue, request, outcome);
}
