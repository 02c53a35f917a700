/* SPDX-License-Identifier: Apache-2.0
 * Curves of powers (kernels/powers.h): nodes of blocks, then of groups of 64 blocks, all on the device. */
#include <math.h>

#include "host/core/checked.h"
#include "host/ops/blocks.h"
#include "host/ops/impl.h"
#include "host/ops/layout.h"

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_powers_request *rq = request;
    const char *why = qn_refuse_device(device, &rq->batch);
    return why != NULL ? why : qn_refuse_norms(&rq->batch);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_powers_request *rq = request;
    (void)device;
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_powers(threads, request);
}

static const struct qn_block_kernels kernels = {
    "powers", {"qn_powers_any", "qn_powers_f32", "qn_powers_f64"}, "qn_powers_fold"};

/* NaNs, which overflow makes, have different bits on different processors. */
static void canonical(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != x[i]) x[i] = (double)NAN;
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_powers_request *rq = request;
    const struct qn_batch *batch = &rq->batch;
    struct qn_table_request program = {.batch = batch};
    uint32_t blocks = (uint32_t)((batch->rows + QN_BLOCK_ROWS - 1) / QN_BLOCK_ROWS);
    uint64_t count = 0;
    struct qn_view table, at, nodes, out;
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (blocks == 0 || batch->n_lanes == 0) return QUERN_OK;
    count = ((blocks - 1) / QN_GROUP_BLOCKS + 1) * (uint64_t)batch->n_lanes;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(qn_job_put(&job, rq->at, batch->n_lanes * sizeof *rq->at, &at));
    QN_GO(qn_job_take(&job, (uint64_t)blocks * batch->n_lanes * sizeof *rq->nodes, &nodes));
    QN_GO(qn_job_take(&job, count * sizeof *rq->nodes, &out));
    QN_GO(qn_blocks_nodes(&job, &kernels, batch, table, at, blocks, nodes));
    QN_GO(qn_blocks_fold(&job, &kernels, blocks, batch->n_lanes, nodes, out));
    QN_GO(qn_job_get(&job, out, count * sizeof *rq->nodes, rq->nodes));
    for (uint64_t i = 0; i < count; i++) {
        canonical(&rq->nodes[i].log_, 1);
        canonical(rq->nodes[i].mean, QN_POWERS_TERMS);
        canonical(rq->nodes[i].part, QN_POWERS_TERMS);
    }
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_powers(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_powers_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("powers", list, 2, device, threads, queue, request, outcome);
}
