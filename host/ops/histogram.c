/* SPDX-License-Identifier: Apache-2.0
 * Digit histograms. Counts of one launch fit 32 bits (a batch has fewer than 2^32 rows); they are
 * added up in 64 bits here. */
#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/radix.h"

/* The working type of a lane's final value. */
static uint32_t final_work(const struct qn_batch *batch, const struct qn_lane *lane)
{
    uint32_t work = lane->work;
    for (uint32_t k = 0; k < lane->n_ops && lane->first_op + k < batch->n_ops; k++)
        work = qn_op_result(batch->ops[lane->first_op + k].code, work);
    return work;
}

uint32_t qn_radix_key_bits(const struct qn_batch *batch)
{
    return batch->n_lanes != 0 && final_work(batch, batch->lanes) == QN_W_F32 ? 32 : 64;
}

const char *qn_radix_refuse(const struct qn_device *device, const struct qn_batch *batch)
{
    const char *why = qn_refuse_device(device, batch);
    if (why == NULL) why = qn_refuse_norms(batch);
    if (why != NULL) return why;
    uint32_t want = qn_radix_key_bits(batch) == 32 ? QN_W_F32 : QN_W_F64;
    for (uint32_t i = 0; i < batch->n_lanes; i++)
        if (final_work(batch, &batch->lanes[i]) != want)
            return "the columns are not all float32 or all float64";
    return NULL;
}

quern_status qn_radix_run(struct qn_device *device, uint32_t queue,
                          const struct qn_radix_pass *pass)
{
    const struct qn_batch *batch = pass->batch;
    int cpu_shape = qn_job_cpu_shape(device);
    uint64_t targets = (uint64_t)batch->n_lanes * pass->n_targets, bins = targets << pass->bits;
    int local = (uint64_t)pass->n_targets << pass->bits <= QN_RADIX_LOCAL_BINS;
    uint64_t parts = qn_job_parts(device, batch->rows, 16384, batch->n_lanes), copies, chunk;
    struct qn_view prefix, counts;
    uint32_t *fetched = NULL;
    quern_status status;
    struct qn_job job;
    if (batch->rows == 0 || bins == 0) return QUERN_OK;
    /* In CPU shape each part counts into its own copy; they should stay in the cache. */
    if (cpu_shape && bins * parts > 1u << 24) parts = bins > 1u << 24 ? 1 : (1u << 24) / bins;
    chunk = (batch->rows + parts - 1) / parts;
    parts = (batch->rows + chunk - 1) / chunk;
    copies = cpu_shape ? parts : 1;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_put(&job, pass->prefix, targets * sizeof(uint64_t), &prefix));
    QN_GO(qn_job_zeros(&job, bins * copies * sizeof(uint32_t), &counts));
    struct qn_arg args[] = {
        qn_arg_view(batch->base), qn_arg_view(pass->table), qn_arg_u64(batch->rows),
        qn_arg_u64(chunk),        qn_arg_view(prefix),      qn_arg_u32(pass->n_targets),
        qn_arg_u32(pass->shift),  qn_arg_u32(pass->bits),   qn_arg_view(counts)};
    struct qn_job_kernel kernel = {"histogram",
                                   cpu_shape ? "qn_histogram_each"
                                   : local   ? "qn_histogram_local"
                                             : "qn_histogram_global",
                                   NULL};
    QN_GO(qn_job_launch(&job, kernel, parts, batch->n_lanes, cpu_shape ? 1 : QN_ITEMS, args,
                        sizeof args / sizeof args[0]));
    fetched = qn_alloc(bins * copies, sizeof *fetched);
    if (fetched == NULL) {
        status = qn_error_memory("a histogram", bins * copies * sizeof *fetched);
        goto cleanup;
    }
    QN_GO(qn_job_get(&job, counts, bins * copies * sizeof *fetched, fetched));
    for (uint64_t copy = 0; copy < copies; copy++)
        for (uint64_t i = 0; i < bins; i++) pass->counts[i] += fetched[copy * bins + i];
cleanup:
    qn_free(fetched);
    qn_job_end(&job);
    return status;
}

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_histogram_request *rq = request;
    return qn_radix_refuse(device, &rq->batch);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_histogram_request *rq = request;
    (void)device;
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_histogram(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_histogram_request *rq = request;
    struct qn_table_request program = {.batch = &rq->batch};
    struct qn_radix_pass pass = {.batch = &rq->batch,
                                 .n_targets = rq->n_targets,
                                 .shift = rq->shift,
                                 .bits = rq->bits,
                                 .prefix = rq->prefix,
                                 .counts = rq->counts};
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (rq->bits == 0 || rq->bits > 16 || rq->shift + rq->bits > qn_radix_key_bits(&rq->batch))
        return qn_error(QUERN_INVALID, "a digit of %u bits at %u", rq->bits, rq->shift);
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &pass.table));
    status = qn_radix_run(device, queue, &pass);
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_histogram(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                             const struct qn_histogram_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("histogram", list, 2, device, threads, queue, request, outcome);
}
