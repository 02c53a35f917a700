/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/pairs.h"

#include <math.h>

#include "host/core/checked.h"
#include "host/ops/job.h"
#include "host/ops/layout.h"

/* As the kernels have it. */
struct packed_pair {
    struct qn_node value;
    double target_hi, target_lo, target_m2, product;
};

static quern_status pair_blocks(struct qn_job *job, const struct qn_moments_request *rq,
                                struct qn_view table, uint32_t blocks, struct qn_view nodes)
{
    static const char *const kernels[] = {"qn_paired_any", "qn_paired_f32", "qn_paired_f64"};
    const struct qn_batch *batch = &rq->batch;
    uint32_t width = batch->n_lanes < 16 ? batch->n_lanes : 16, shape = qn_batch_by_rows(batch);
    uint64_t groups = 1 + (blocks - 1) / (QN_ITEMS / (16 * width));
    uint32_t groups_y = (batch->n_lanes + 15) / 16, items = QN_ITEMS;
    if (qn_job_cpu_shape(job->device)) {
        uint64_t parts = qn_job_parts(job->device, blocks, 1, batch->n_lanes);
        shape = (uint32_t)((blocks + parts - 1) / parts); /* blocks per item */
        groups = (blocks + shape - 1) / shape;
        groups_y = batch->n_lanes;
        items = 1;
    }
    struct qn_arg args[] = {
        qn_arg_view(batch->base), qn_arg_view(table), qn_arg_view(rq->targets_base),
        qn_arg_u64(batch->rows),  qn_arg_u32(blocks), qn_arg_u32(shape),
        qn_arg_view(nodes)};
    struct qn_job_kernel kernel = {"paired", kernels[qn_batch_plain(batch)], NULL};
    return qn_job_launch(job, kernel, groups, groups_y, items, args, sizeof args / sizeof args[0]);
}

static quern_status fold_pairs(struct qn_job *job, uint32_t blocks, uint32_t n_lanes,
                               struct qn_view nodes, struct qn_view out)
{
    uint32_t items = qn_job_cpu_shape(job->device) ? 1 : QN_ITEMS;
    struct qn_arg args[] = {qn_arg_view(nodes), qn_arg_u32(blocks), qn_arg_u32(n_lanes),
                            qn_arg_view(out)};
    return qn_job_launch(job, (struct qn_job_kernel){"paired", "qn_paired_fold", NULL},
                         (blocks - 1) / QN_GROUP_BLOCKS + 1, (n_lanes - 1) / items + 1, items, args,
                         4);
}

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
    QN_GO(pair_blocks(&job, rq, table, blocks, nodes));
    QN_GO(fold_pairs(&job, blocks, batch->n_lanes, nodes, out));
    QN_GO(qn_job_get(&job, out, count * sizeof *found, found));
    for (uint64_t i = 0; i < count; i++) rq->pairs[i] = unpack(&found[i]);
cleanup:
    qn_job_end(&job);
    qn_free(found);
    return status;
}
