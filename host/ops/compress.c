/* SPDX-License-Identifier: Apache-2.0
 * Values where a mask is not 0: marked, numbered by a scan, and written. */
#include "host/ops/layout.h"
#include "host/ops/moves_shared.h"

enum { INNER = 0x100 }; /* as kernels/move.k.h */

struct marks {
    struct qn_view marks, starts;
    uint64_t n;
};

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_compress_request *rq = request;
    const struct qn_lines *lines[] = {&rq->mask, &rq->in, &rq->out};
    return qn_moves_refuse(device, lines, 3);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_compress_request *)request)->mask);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_compress(threads, request);
}

static quern_status mark(struct qn_job *job, const struct qn_lines *mask, struct marks *m)
{
    uint64_t chunk;
    struct qn_view sums;
    m->n = mask->lines * mask->n;
    (void)qn_lines_groups(job->device, m->n, &chunk);
    QN_TRY(qn_job_take(job, m->n * sizeof(uint32_t), &m->marks));
    QN_TRY(qn_job_take(job, m->n * sizeof(uint64_t), &m->starts));
    QN_TRY(qn_job_take(job, qn_lines_scan_sums(m->n), &sums));
    struct qn_arg args[] = {qn_arg_view(mask->base),
                            qn_arg_u64(mask->offset),
                            qn_arg_u64((uint64_t)mask->line_stride),
                            qn_arg_u64((uint64_t)mask->stride),
                            qn_arg_u64(m->n),
                            qn_arg_u64(mask->n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(mask->type),
                            qn_arg_view(m->marks)};
    QN_TRY(qn_moves_launch(job, "move", "qn_mask_mark", m->n, chunk, args, 9));
    return qn_lines_scan(job, m->marks, m->n, sums, m->starts);
}

static struct qn_view last_of(struct qn_view view, uint64_t n, uint64_t size)
{
    view.offset += (n - 1) * size;
    view.size -= (n - 1) * size;
    return view;
}

static quern_status count(struct qn_job *job, const struct marks *m, uint64_t *out)
{
    uint64_t before;
    uint32_t last;
    QN_TRY(qn_job_get(job, last_of(m->starts, m->n, sizeof before), sizeof before, &before));
    QN_TRY(qn_job_get(job, last_of(m->marks, m->n, sizeof last), sizeof last, &last));
    *out = before + last;
    return QUERN_OK;
}

static quern_status write_places(struct qn_job *job, const struct qn_lines *out,
                                 const struct marks *m)
{
    uint64_t chunk;
    (void)qn_lines_groups(job->device, m->n, &chunk);
    struct qn_arg args[] = {qn_arg_view(m->marks),
                            qn_arg_view(m->starts),
                            qn_arg_u64(m->n),
                            qn_arg_u64(chunk),
                            qn_arg_view(out->base),
                            qn_arg_u64(out->offset),
                            qn_arg_u64((uint64_t)out->stride)};
    return qn_moves_launch(job, "move", "qn_mask_places", m->n, chunk, args, 7);
}

static quern_status write_values(struct qn_job *job, const struct qn_compress_request *rq,
                                 const struct marks *m)
{
    int swapped = qn_moves_swapped(&rq->out);
    struct qn_lines in = qn_moves_turn(&rq->in, swapped), out = qn_moves_turn(&rq->out, swapped);
    uint32_t kind = qn_value_bytes(out.type) | (swapped ? 0u : (uint32_t)INNER);
    uint64_t n = in.lines * in.n, chunk;
    (void)qn_lines_groups(job->device, n, &chunk);
    struct qn_arg args[] = {qn_arg_view(m->marks),
                            qn_arg_view(m->starts),
                            qn_arg_view(in.base),
                            qn_arg_u64(in.offset),
                            qn_arg_u64((uint64_t)in.line_stride),
                            qn_arg_u64((uint64_t)in.stride),
                            qn_arg_u64(n),
                            qn_arg_u64(in.n),
                            qn_arg_u64(chunk),
                            qn_arg_u32(kind),
                            qn_arg_view(out.base),
                            qn_arg_u64(out.offset),
                            qn_arg_u64((uint64_t)out.line_stride),
                            qn_arg_u64((uint64_t)out.stride)};
    return qn_moves_launch(job, "move", "qn_compress", n, chunk, args, 14);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_compress_request *rq = request;
    struct marks m;
    struct qn_job job;
    quern_status status = QUERN_OK;
    (void)threads;
    if (rq->count != NULL) *rq->count = 0;
    if (rq->mask.lines == 0 || rq->mask.n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(mark(&job, &rq->mask, &m));
    if (rq->count != NULL) QN_GO(count(&job, &m, rq->count));
    if (!qn_lines_wanted(&rq->out) || rq->out.n == 0 || rq->out.lines == 0) goto cleanup;
    if (qn_lines_wanted(&rq->in))
        QN_GO(write_values(&job, rq, &m));
    else
        QN_GO(write_places(&job, &rq->out, &m));
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_compress(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const struct qn_compress_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("compress", list, 2, device, threads, queue, request, outcome);
}
