/* SPDX-License-Identifier: Apache-2.0
 * One of two values, by a mask. */
#include "host/ops/layout.h"
#include "host/ops/moves_shared.h"

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_where_request *rq = request;
    const struct qn_lines *lines[] = {&rq->out, &rq->mask, &rq->a, &rq->b};
    return qn_moves_refuse(device, lines, 4);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_where_request *)request)->out);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_where(threads, request);
}

/* What is one line, or one value a line, stands for all: with a stride of 0. */
static struct qn_lines operand(const struct qn_lines *x, int swapped)
{
    struct qn_lines y = *x;
    if (y.lines == 1) y.line_stride = 0;
    if (y.n == 1) y.stride = 0;
    return qn_moves_turn(&y, swapped);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_where_request *rq = request;
    int swapped = qn_moves_swapped(&rq->out);
    struct qn_lines m = operand(&rq->mask, swapped), a = operand(&rq->a, swapped),
                    b = operand(&rq->b, swapped), out = qn_moves_turn(&rq->out, swapped);
    uint64_t n = out.lines * out.n, chunk;
    struct qn_job job;
    (void)threads;
    if (n == 0) return QUERN_OK;
    (void)qn_lines_groups(device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(m.base),
                            qn_arg_u64(m.offset),
                            qn_arg_u64((uint64_t)m.line_stride),
                            qn_arg_u64((uint64_t)m.stride),
                            qn_arg_view(a.base),
                            qn_arg_u64(a.offset),
                            qn_arg_u64((uint64_t)a.line_stride),
                            qn_arg_u64((uint64_t)a.stride),
                            qn_arg_view(b.base),
                            qn_arg_u64(b.offset),
                            qn_arg_u64((uint64_t)b.line_stride),
                            qn_arg_u64((uint64_t)b.stride),
                            qn_arg_u64(n),
                            qn_arg_u64(out.n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(qn_value_bytes(out.type) | m.type << 16),
                            qn_arg_view(out.base),
                            qn_arg_u64(out.offset),
                            qn_arg_u64((uint64_t)out.line_stride),
                            qn_arg_u64((uint64_t)out.stride)};
    qn_job_begin(&job, device, queue);
    quern_status status = qn_moves_launch(&job, "move", "qn_where", n, chunk, args, 20);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_where(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                         const struct qn_where_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("where", list, 2, device, threads, queue, request, outcome);
}
