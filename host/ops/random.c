/* SPDX-License-Identifier: Apache-2.0
 * Random values, and orders: places sorted by random keys. */
#include "host/ops/random.h"

#include "host/ops/layout.h"
#include "host/ops/moves_shared.h"

/* ---- values ---- */

static const char *refuse_values_device(const struct qn_device *device, const void *request)
{
    const struct qn_random_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->out);
    if (why == NULL && (device->caps.features & QN_FEATURE_F64) == 0)
        why = "the device has no float64 arithmetic with fma and denormals";
    return why;
}

static const char *refuse_values_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_random_request *)request)->out);
}

static quern_status values_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_random(threads, request);
}

static quern_status launch(struct qn_job *job, const struct qn_random_request *rq)
{
    uint32_t wide = qn_value_bytes(rq->out.type), each = wide == 8 ? 2 : 4;
    uint64_t n = rq->out.n, chunk, blocks;
    if (n == 0) return QUERN_OK;
    blocks = (rq->first % each + n + each - 1) / each;
    (void)qn_lines_groups(job->device, blocks, &chunk);
    struct qn_arg args[] = {qn_arg_u64(rq->seed),
                            qn_arg_u64(rq->stream),
                            qn_arg_u64(rq->first),
                            qn_arg_u64(n),
                            qn_arg_u64(blocks),
                            qn_arg_u64(chunk),
                            qn_arg_u32(wide),
                            qn_arg_u32(rq->kind),
                            qn_arg_u64(rq->low),
                            qn_arg_u64(rq->range),
                            qn_arg_view(rq->out.base),
                            qn_arg_u64(rq->out.offset),
                            qn_arg_u64((uint64_t)rq->out.stride)};
    return qn_moves_launch(job, "random", "qn_random", blocks, chunk, args, 13);
}

static quern_status values_device(struct qn_device *device, struct qn_threads *threads,
                                  uint32_t queue, const void *request)
{
    struct qn_job job;
    (void)threads;
    qn_job_begin(&job, device, queue);
    quern_status status = launch(&job, request);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_random(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_random_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_values_device, values_device},
                                          {NULL, refuse_values_cpu, values_cpu}};
    return qn_impl_run("random", list, 2, device, threads, queue, request, outcome);
}

/* ---- orders ---- */

static const char *refuse_order_device(const struct qn_device *device, const void *request)
{
    const struct qn_permutation_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->out);
    if (why == NULL && (device->caps.features & QN_FEATURE_F64) == 0)
        why = "the device has no float64 arithmetic with fma and denormals";
    if (why == NULL && rq->n > UINT32_MAX) why = "more than 4294967295 values";
    return why;
}

static const char *refuse_order_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_permutation_request *)request)->out);
}

static quern_status order_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                              const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_permutation(threads, request);
}

static quern_status order_device(struct qn_device *device, struct qn_threads *threads,
                                 uint32_t queue, const void *request)
{
    const struct qn_permutation_request *rq = request;
    struct qn_random_request keys = {.seed = rq->seed, .stream = rq->stream};
    struct qn_sort_request sort = {.order = rq->out};
    struct qn_job job;
    quern_status status = QUERN_OK;
    if (rq->n == 0 || rq->out.n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    keys.out = (struct qn_lines){.lines = 1, .n = rq->n, .stride = 8, .type = QN_T_U64};
    QN_GO(qn_job_take(&job, rq->n * sizeof(uint64_t), &keys.out.base));
    QN_GO(launch(&job, &keys));
    sort.in = keys.out;
    status = qn_op_sort(device, threads, queue, &sort, NULL);
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_permutation(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const struct qn_permutation_request *request,
                               struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_order_device, order_device},
                                          {NULL, refuse_order_cpu, order_cpu}};
    return qn_impl_run("permutation", list, 2, device, threads, queue, request, outcome);
}
