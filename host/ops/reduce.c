/* SPDX-License-Identifier: Apache-2.0
 * Reductions of lines: a device makes a node per block, the host joins a line's blocks. */
#include "host/ops/reductions.h"

#include "host/core/checked.h"
#include "host/ops/lines.h"

/* Nodes of more pairs than this are made in several launches. */
enum { LAUNCH_PAIRS = 1 << 22 };

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_reduce_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why == NULL && (device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    return why;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_reduce_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_reduce(threads, request);
}

static int64_t distance(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

/* `lines` lines from line `first` on. */
static quern_status launch(struct qn_job *job, const struct qn_reduce_request *rq, uint64_t first,
                           uint64_t lines, uint64_t blocks, struct qn_view nodes)
{
    const struct qn_lines *in = &rq->in;
    uint64_t pairs = lines * blocks, groups, shape, per_group = QN_ITEMS / QN_REDUCE_PARTS;
    int cpu_shape = qn_job_cpu_shape(job->device);
    if (cpu_shape) {
        uint64_t parts = qn_job_parts(job->device, pairs, 1, 1);
        shape = (pairs + parts - 1) / parts; /* pairs of an item */
        groups = (pairs + shape - 1) / shape;
    } else {
        shape = lines > 1 && distance(in->line_stride) < distance(in->stride);
        groups = (pairs + per_group - 1) / per_group;
    }
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset + first * (uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(lines),
                            qn_arg_u64(in->n),
                            qn_arg_u64(blocks),
                            qn_arg_u64(shape),
                            qn_arg_u32(in->type),
                            qn_arg_u32(rq->kind),
                            qn_arg_u32(rq->skip),
                            qn_arg_view(nodes)};
    return qn_job_launch(job, (struct qn_job_kernel){"reduce", "qn_reduce_blocks", NULL}, groups, 1,
                         cpu_shape ? 1 : QN_ITEMS, args, sizeof args / sizeof args[0]);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_reduce_request *rq = request;
    uint64_t blocks = rq->in.n / QN_BLOCK_ROWS + (rq->in.n % QN_BLOCK_ROWS != 0);
    struct qn_reduced *memory = NULL;
    struct qn_view nodes;
    quern_status status = QUERN_OK;
    struct qn_job job;
    (void)threads;
    for (uint64_t i = 0; blocks == 0 && i < rq->in.lines; i++)
        rq->out[i] = qn_reduce_empty(rq->kind);
    if (blocks == 0 || rq->in.lines == 0) return QUERN_OK;
    uint64_t wave = LAUNCH_PAIRS / blocks + 1;
    if (wave > rq->in.lines) wave = rq->in.lines;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_take(&job, wave * blocks * sizeof *memory, &nodes));
    memory = qn_alloc((size_t)(wave * blocks), sizeof *memory);
    if (memory == NULL) QN_GO(qn_error_memory("a reduction", wave * blocks * sizeof *memory));
    for (uint64_t first = 0; first < rq->in.lines; first += wave) {
        uint64_t lines = rq->in.lines - first < wave ? rq->in.lines - first : wave;
        QN_GO(launch(&job, rq, first, lines, blocks, nodes));
        QN_GO(qn_job_get(&job, nodes, lines * blocks * sizeof *memory, memory));
        for (uint64_t i = 0; i < lines; i++)
            rq->out[first + i] = qn_reduce_fold(rq->kind, memory + i * blocks, blocks, 1);
    }
cleanup:
    qn_free(memory);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_reduce(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_reduce_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("reduce", list, 2, device, threads, queue, request, outcome);
}
