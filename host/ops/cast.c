/* SPDX-License-Identifier: Apache-2.0
 * Casts and copies. */
#include "host/ops/layout.h"
#include "host/ops/moves_shared.h"
#include "kernels/table.h"

enum { CHECK = 0x10000 }; /* as kernels/cast.k.h */

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_cast_request *rq = request;
    const struct qn_lines *lines[] = {&rq->in, &rq->out};
    const char *why = qn_moves_refuse(device, lines, 2);
    if (why == NULL && (device->caps.features & QN_FEATURE_F64) == 0)
        why = "the device has no float64 arithmetic with fma and denormals";
    return why;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_cast_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_cast(threads, request);
}

static quern_status run_straight(struct qn_job *job, const struct qn_lines *in,
                                 const struct qn_lines *out, uint32_t kind, struct qn_view unfit)
{
    uint64_t n = out->lines * out->n, chunk;
    (void)qn_lines_groups(job->device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(n),
                            qn_arg_u64(out->n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(kind),
                            qn_arg_view(out->base),
                            qn_arg_u64(out->offset),
                            qn_arg_u64((uint64_t)out->line_stride),
                            qn_arg_u64((uint64_t)out->stride),
                            qn_arg_view(unfit)};
    return qn_moves_launch(job, "cast", "qn_cast", n, chunk, args, 13);
}

static quern_status run_crossed(struct qn_job *job, const struct qn_lines *in,
                                const struct qn_lines *out, uint32_t kind, struct qn_view unfit)
{
    uint64_t across = (out->lines + QN_TILE - 1) / QN_TILE;
    uint64_t tiles = (out->n + QN_TILE - 1) / QN_TILE * across;
    uint64_t parts = qn_job_parts(job->device, tiles, 1, 1), steps = (tiles + parts - 1) / parts;
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(out->lines),
                            qn_arg_u64(out->n),
                            qn_arg_u64(across),
                            qn_arg_u64(tiles),
                            qn_arg_u32((uint32_t)steps),
                            qn_arg_u32(kind),
                            qn_arg_view(out->base),
                            qn_arg_u64(out->offset),
                            qn_arg_u64((uint64_t)out->line_stride),
                            qn_arg_u64((uint64_t)out->stride),
                            qn_arg_view(unfit)};
    return qn_moves_launch(job, "cast", "qn_cast_turned", tiles, steps, args, 15);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_cast_request *rq = request;
    int swapped = qn_moves_swapped(&rq->out);
    struct qn_lines in = qn_moves_turn(&rq->in, swapped), out = qn_moves_turn(&rq->out, swapped);
    uint32_t kind = rq->in.type | rq->out.type << 8 | (rq->check ? CHECK : 0u);
    struct qn_view unfit;
    struct qn_job job;
    quern_status status = QUERN_OK;
    (void)threads;
    if (rq->check) *rq->unfit = 0;
    if (out.lines == 0 || out.n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_zeros(&job, sizeof(uint32_t), &unfit));
    if (qn_moves_crossed(&in, &out))
        QN_GO(run_crossed(&job, &in, &out, kind, unfit));
    else
        QN_GO(run_straight(&job, &in, &out, kind, unfit));
    if (rq->check) QN_GO(qn_job_get(&job, unfit, sizeof *rq->unfit, rq->unfit));
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_cast(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                        const struct qn_cast_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("cast", list, 2, device, threads, queue, request, outcome);
}
