/* SPDX-License-Identifier: Apache-2.0
 * Canonical moments: nodes of blocks, then of groups of 64 blocks, all on the device; what comes back
 * is one node per group and lane. */
#include <math.h>
#include <string.h>

#include "host/ops/blocks.h"
#include "host/ops/impl.h"
#include "host/ops/job.h"
#include "host/ops/layout.h"
#include "host/ops/pairs.h"

static const char *const group_kernels[] = {"qn_moments_any", "qn_moments_f32", "qn_moments_f64"};
/* Their nodes are merged as those without weights are. */
static const struct qn_block_kernels weighted_kernels = {
    "weighted", {"qn_weighted_any", "qn_weighted_f32", "qn_weighted_f64"}, NULL};
static const char *const strip_kernels[] = {"qn_moments_each", "qn_moments_strip_f32",
                                            "qn_moments_strip_f64"};

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_moments_request *rq = request;
    const char *why = qn_refuse_device(device, &rq->batch);
    if (why != NULL) return why;
    if (rq->weights != NULL) return "the weights lie in host memory";
    if (rq->weights_base.raw != NULL && rq->weights_base.size / sizeof(double) < rq->batch.rows)
        return "there are fewer weights than rows";
    if (rq->codes != NULL) return "the codes of the classes lie in host memory";
    if (rq->targets != NULL) return "the targets lie in host memory";
    if (rq->targets_base.raw != NULL && rq->targets_base.size / sizeof(double) < rq->batch.rows)
        return "there are fewer targets than rows";
    if (rq->n_classes != 0 && rq->codes_base.size / sizeof(uint32_t) < rq->batch.rows)
        return "there are fewer codes of classes than rows";
    return qn_refuse_norms(&rq->batch);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_moments_request *rq = request;
    (void)device;
    if (rq->weights_base.raw != NULL) return "the weights lie on the device";
    if (rq->codes_base.raw != NULL) return "the codes of the classes lie on the device";
    if (rq->targets_base.raw != NULL) return "the targets lie on the device";
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_moments(threads, request);
}

/* 256 items: 16 canonical lanes of up to 16 (block, column) pairs. */
static quern_status blocks_by_groups(struct qn_job *job, const struct qn_batch *batch,
                                     struct qn_view table, uint32_t blocks, struct qn_view nodes)
{
    uint32_t width = batch->n_lanes < 16 ? batch->n_lanes : 16;
    uint32_t per_group = QN_ITEMS / (16 * width), tiles = (batch->n_lanes + 15) / 16;
    struct qn_job_kernel kernel = {"moments", group_kernels[qn_batch_plain(batch)], NULL};
    struct qn_arg args[] = {qn_arg_view(batch->base),
                            qn_arg_view(table),
                            qn_arg_u64(batch->rows),
                            qn_arg_u32(blocks),
                            qn_arg_u32(qn_batch_by_rows(batch)),
                            qn_arg_view(nodes)};
    return qn_job_launch(job, kernel, ((uint64_t)blocks + per_group - 1) / per_group, tiles,
                         QN_ITEMS, args, sizeof args / sizeof args[0]);
}

/* Items of whole blocks: over packed matrices where the lanes are such, else lane by lane. */
static quern_status blocks_by_items(struct qn_job *job, const struct qn_batch *batch,
                                    struct qn_view table, uint32_t blocks, struct qn_view nodes)
{
    enum qn_plain plain = qn_batch_plain(batch);
    uint32_t d = plain != QN_PLAIN_NOT ? qn_batch_strips(batch) : 0;
    uint32_t strips = d != 0 ? batch->n_lanes / d : batch->n_lanes;
    uint64_t parts = qn_job_parts(job->device, blocks, 1, strips);
    uint32_t per_item = (uint32_t)((blocks + parts - 1) / parts);
    uint32_t items = (blocks + per_item - 1) / per_item;
    struct qn_job_kernel kernel = {"moments", strip_kernels[d != 0 ? plain : QN_PLAIN_NOT], NULL};
    struct qn_arg args[9] = {qn_arg_view(batch->base), qn_arg_view(table), qn_arg_u64(batch->rows),
                             qn_arg_u32(blocks), qn_arg_u32(per_item)};
    uint32_t n = 5;
    if (d != 0) {
        struct qn_view scratch;
        uint64_t bytes = (uint64_t)items * strips * 64 * d * sizeof(double);
        QN_TRY(qn_job_take(job, bytes, &scratch));
        args[n++] = qn_arg_u32(d);
        args[n++] = qn_arg_u32(items);
        args[n++] = qn_arg_view(scratch);
    }
    args[n++] = qn_arg_view(nodes);
    return qn_job_launch(job, kernel, items, strips, 1, args, n);
}

static quern_status merge_blocks(struct qn_job *job, uint32_t blocks, uint32_t n_lanes,
                                 struct qn_view nodes, struct qn_view out)
{
    uint32_t groups = (blocks + QN_GROUP_BLOCKS - 1) / QN_GROUP_BLOCKS;
    struct qn_arg args[] = {qn_arg_view(nodes), qn_arg_u32(blocks), qn_arg_u32(n_lanes),
                            qn_arg_view(out)};
    if (qn_job_cpu_shape(job->device))
        return qn_job_launch(job, (struct qn_job_kernel){"moments", "qn_moments_fold", NULL},
                             groups, 1, 1, args, 4);
    return qn_job_launch(job, (struct qn_job_kernel){"moments", "qn_moments_merge", NULL}, groups,
                         (n_lanes + 3) / 4, QN_ITEMS, args, 4);
}

/* Bytes of a class's results, so that a view of each can be made. */
static uint64_t class_bytes(const struct qn_device *device, uint64_t pairs)
{
    uint64_t align = device->caps.base_align > 256 ? device->caps.base_align : 256;
    return (pairs * sizeof(struct qn_node) + align - 1) / align * align;
}

/* One class after another: weights of 1 for its rows and 0 for the others, then the kernels of weighted
 * rows. `out`: the groups of one class after those of another, `bytes` apart. */
static quern_status class_blocks(struct qn_job *job, const struct qn_moments_request *rq,
                                 struct qn_view table, uint32_t blocks, struct qn_view nodes,
                                 struct qn_view out, uint64_t bytes)
{
    const struct qn_batch *batch = &rq->batch;
    uint32_t shape = qn_job_cpu_shape(job->device) ? QN_BLOCK_ROWS : 1;
    uint32_t items = shape == 1 ? QN_ITEMS : 1;
    struct qn_view weights;
    QN_TRY(qn_job_take(job, batch->rows * sizeof(double), &weights));
    for (uint32_t k = 0; k < rq->n_classes; k++) {
        struct qn_view part = {out.raw, out.offset + k * bytes, bytes};
        struct qn_arg args[] = {qn_arg_view(rq->codes_base), qn_arg_u64(batch->rows), qn_arg_u32(k),
                                qn_arg_u32(shape), qn_arg_view(weights)};
        QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"weighted", "qn_class_weights", NULL},
                             (batch->rows - 1) / ((uint64_t)shape * items) + 1, 1, items, args, 5));
        QN_TRY(qn_blocks_nodes(job, &weighted_kernels, batch, table, weights, blocks, nodes));
        QN_TRY(merge_blocks(job, blocks, batch->n_lanes, nodes, part));
    }
    return QUERN_OK;
}

/* From [class][group][lane] to what the request wants. */
static quern_status get_classes(struct qn_job *job, struct qn_view out, uint64_t bytes,
                                uint64_t pairs, const struct qn_moments_request *rq)
{
    uint64_t n = rq->n_classes;
    char *memory = qn_alloc((size_t)n, (size_t)bytes);
    if (memory == NULL) return qn_error_memory("moments", n * bytes);
    quern_status status = qn_job_get(job, out, n * bytes, memory);
    for (uint64_t k = 0; status == QUERN_OK && k < n; k++)
        for (uint64_t i = 0; i < pairs; i++)
            memcpy(&rq->nodes[i * n + k], memory + k * bytes + i * sizeof *rq->nodes,
                   sizeof *rq->nodes);
    qn_free(memory);
    return status;
}

static quern_status run_classes(struct qn_job *job, const struct qn_moments_request *rq,
                                struct qn_view table, uint32_t blocks, struct qn_view nodes)
{
    uint64_t groups = (blocks - 1) / QN_GROUP_BLOCKS + 1, pairs = groups * rq->batch.n_lanes;
    uint64_t bytes = class_bytes(job->device, pairs);
    struct qn_view out;
    QN_TRY(qn_job_take(job, rq->n_classes * bytes, &out));
    QN_TRY(class_blocks(job, rq, table, blocks, nodes, out, bytes));
    return get_classes(job, out, bytes, pairs, rq);
}

/* Infinities in the data make NaNs, whose bits differ between processors. */
static void canonical(struct qn_node *node)
{
    if (node->hi != node->hi) node->hi = (double)NAN;
    if (node->lo != node->lo) node->lo = (double)NAN;
    if (node->m2 != node->m2) node->m2 = (double)NAN;
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_moments_request *rq = request;
    const struct qn_batch *batch = &rq->batch;
    struct qn_table_request program = {.batch = batch};
    uint32_t blocks = (uint32_t)((batch->rows + QN_BLOCK_ROWS - 1) / QN_BLOCK_ROWS);
    uint64_t groups = (batch->rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    uint64_t row_bytes = batch->n_lanes * sizeof(struct qn_node);
    uint64_t count = groups * batch->n_lanes * (rq->n_classes != 0 ? rq->n_classes : 1);
    struct qn_view table, nodes, out;
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (blocks == 0 || batch->n_lanes == 0) return QUERN_OK;
    if (rq->targets_base.raw != NULL) return qn_device_pairs(device, queue, rq);
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(qn_job_take(&job, blocks * row_bytes, &nodes));
    if (rq->n_classes != 0) {
        QN_GO(run_classes(&job, rq, table, blocks, nodes));
        goto finish;
    }
    QN_GO(qn_job_take(&job, groups * row_bytes, &out));
    if (rq->weights_base.raw != NULL)
        QN_GO(qn_blocks_nodes(&job, &weighted_kernels, batch, table, rq->weights_base, blocks,
                              nodes));
    else if (qn_job_cpu_shape(device))
        QN_GO(blocks_by_items(&job, batch, table, blocks, nodes));
    else
        QN_GO(blocks_by_groups(&job, batch, table, blocks, nodes));
    QN_GO(merge_blocks(&job, blocks, batch->n_lanes, nodes, out));
    QN_GO(qn_job_get(&job, out, groups * row_bytes, rq->nodes));
finish:
    for (uint64_t i = 0; i < count; i++) canonical(&rq->nodes[i]);
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_moments(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                           const struct qn_moments_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("moments", list, 2, device, threads, queue, request, outcome);
}
