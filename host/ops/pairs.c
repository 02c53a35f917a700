/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/pairs.h"

#include <math.h>

#include "host/core/checked.h"
#include "host/ops/blocks.h"
#include "host/ops/layout.h"

/* As the kernels have it. */
struct packed_pair {
    struct qn_node value;
    double target_hi, target_lo, target_m2, product;
};

static const struct qn_block_kernels kernels = {
    "paired", {"qn_paired_any", "qn_paired_f32", "qn_paired_f64"}, "qn_paired_fold"};

/* NaNs, which infinities make, have different bits on different processors. */
static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

static struct qn_pair unpack(const struct packed_pair *p)
{
    struct qn_node value = {p->value.n, canonical(p->value.hi), canonical(p->value.lo),
                            canonical(p->value.m2)};
    struct qn_node target = {p->value.n, p->target_hi, p->target_lo, p->target_m2};
    return (struct qn_pair){value, target, canonical(p->product)};
}

quern_status qn_device_pairs(struct qn_device *device, uint32_t queue,
                             const struct qn_moments_request *rq)
{
    const struct qn_batch *batch = &rq->batch;
    struct qn_table_request program = {.batch = batch};
    uint32_t blocks = (uint32_t)((batch->rows + QN_BLOCK_ROWS - 1) / QN_BLOCK_ROWS);
    uint64_t count = ((blocks - 1) / QN_GROUP_BLOCKS + 1) * (uint64_t)batch->n_lanes;
    struct packed_pair *found = qn_alloc((size_t)count, sizeof *found);
    struct qn_view table, nodes, out;
    quern_status status;
    struct qn_job job;
    if (found == NULL) return qn_error_memory("moments", count * sizeof *found);
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(qn_job_take(&job, (uint64_t)blocks * batch->n_lanes * sizeof *found, &nodes));
    QN_GO(qn_job_take(&job, count * sizeof *found, &out));
    QN_GO(qn_blocks_nodes(&job, &kernels, batch, table, rq->targets_base, blocks, nodes));
    QN_GO(qn_blocks_fold(&job, &kernels, blocks, batch->n_lanes, nodes, out));
    QN_GO(qn_job_get(&job, out, count * sizeof *found, found));
    for (uint64_t i = 0; i < count; i++) rq->pairs[i] = unpack(&found[i]);
cleanup:
    qn_job_end(&job);
    qn_free(found);
    return status;
}
