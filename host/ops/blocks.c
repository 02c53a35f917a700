/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/blocks.h"

#include "host/ops/layout.h"

quern_status qn_blocks_nodes(struct qn_job *job, const struct qn_block_kernels *kernels,
                             const struct qn_batch *batch, struct qn_view table, struct qn_view own,
                             uint32_t blocks, struct qn_view nodes)
{
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
    struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table), qn_arg_view(own),
                            qn_arg_u64(batch->rows),  qn_arg_u32(blocks), qn_arg_u32(shape),
                            qn_arg_view(nodes)};
    struct qn_job_kernel kernel = {kernels->text, kernels->blocks[qn_batch_plain(batch)], NULL};
    return qn_job_launch(job, kernel, groups, groups_y, items, args, sizeof args / sizeof args[0]);
}

quern_status qn_blocks_fold(struct qn_job *job, const struct qn_block_kernels *kernels,
                            uint32_t blocks, uint32_t n_lanes, struct qn_view nodes,
                            struct qn_view out)
{
    uint32_t items = qn_job_cpu_shape(job->device) ? 1 : QN_ITEMS;
    struct qn_arg args[] = {qn_arg_view(nodes), qn_arg_u32(blocks), qn_arg_u32(n_lanes),
                            qn_arg_view(out)};
    return qn_job_launch(job, (struct qn_job_kernel){kernels->text, kernels->fold, NULL},
                         (blocks - 1) / QN_GROUP_BLOCKS + 1, (n_lanes - 1) / items + 1, items, args,
                         4);
}
