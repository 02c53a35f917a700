/* SPDX-License-Identifier: Apache-2.0
 * Running a program over a batch: a kernel made for its chain where all columns share one, else the
 * interpreting kernel. */
#include "host/ops/run.h"

#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/layout.h"

enum { LOAD_BY_ROWS = 1, STORE_BY_COLUMNS = 2 }; /* as kernels/run.k.h */

static int slot_inside(const struct qn_run_request *rq, const struct qn_slot *slot)
{
    uint64_t end, reach;
    if (rq->batch.rows == 0) return 1;
    return !qn_mul_u64(rq->batch.rows - 1, slot->stride, &reach) &&
           !qn_add_u64(slot->offset, reach, &end) &&
           !qn_add_u64(end, qn_value_bytes(slot->type), &end) && end <= rq->out_base.size;
}

const char *qn_run_refuse_slots(const struct qn_run_request *rq)
{
    const struct qn_view *in = &rq->batch.base, *out = &rq->out_base;
    if (out->raw == NULL) return "the output lies in host memory";
    if (in->raw == out->raw && in->offset < out->offset + out->size &&
        out->offset < in->offset + in->size)
        return "the output overlaps the input";
    if (rq->n_slots > 65535 * QN_TILE) return "more than 2097120 output columns";
    for (uint32_t s = 0; s < rq->n_slots; s++) {
        uint64_t size = qn_value_bytes(rq->slots[s].type);
        if (size == 0) return "an output column's type has no device form";
        if (rq->slots[s].offset % size != 0 || rq->slots[s].stride % size != 0)
            return "an output column is not aligned to its type";
        if (!slot_inside(rq, &rq->slots[s]))
            return "an output column reaches outside of the output's memory";
    }
    return NULL;
}

quern_status qn_run_norms(struct qn_job *job, const struct qn_batch *batch, uint32_t n_norms,
                          struct qn_view table, struct qn_view *norms)
{
    struct qn_job_kernel kernel = {"run", "qn_norms", NULL};
    *norms = table;
    if (n_norms == 0) return QUERN_OK;
    QN_TRY(qn_job_take(job, n_norms * batch->rows * sizeof(uint64_t), norms));
    if (qn_job_cpu_shape(job->device)) {
        uint64_t parts = qn_job_parts(job->device, batch->rows, 256, n_norms);
        uint64_t chunk = (batch->rows + parts - 1) / parts;
        struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table),
                                qn_arg_u64(batch->rows), qn_arg_u64(chunk), qn_arg_view(*norms)};
        return qn_job_launch(job, kernel, (batch->rows + chunk - 1) / chunk, n_norms, 1, args, 5);
    }
    struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table), qn_arg_u64(batch->rows),
                            qn_arg_view(*norms)};
    return qn_job_launch(job, kernel, (batch->rows + QN_ITEMS - 1) / QN_ITEMS, n_norms, QN_ITEMS,
                         args, 4);
}

quern_status qn_run_seen(struct qn_job *job, struct qn_view from, uint32_t n_lanes, uint32_t *seen)
{
    quern_status status;
    if (seen == NULL || n_lanes == 0) return QUERN_OK;
    uint32_t *words = qn_alloc(n_lanes, sizeof *words);
    if (words == NULL) return qn_error_memory("what a run saw", n_lanes * sizeof *words);
    QN_GO(qn_job_get(job, from, n_lanes * sizeof *words, words));
    for (uint32_t i = 0; i < n_lanes; i++) seen[i] |= words[i];
cleanup:
    qn_free(words);
    return status;
}

quern_status qn_run_flags(struct qn_job *job, const struct qn_run_request *rq, struct qn_view *out)
{
    *out = rq->seen_base;
    if (out->raw != NULL) return QUERN_OK;
    return qn_job_zeros(job, rq->batch.n_lanes * sizeof(uint32_t), out);
}

static const char *refuse_interpreter(const struct qn_device *device, const void *request)
{
    const struct qn_run_request *rq = request;
    const char *why = qn_refuse_device(device, &rq->batch);
    return why != NULL ? why : qn_run_refuse_slots(rq);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_run_request *rq = request;
    const char *why = qn_refuse_host(&rq->batch);
    (void)device;
    if (why == NULL && rq->out_base.raw != NULL) why = "the output lies on the device";
    return why;
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_run(threads, request);
}

static quern_status interpret(struct qn_job *job, const struct qn_run_request *rq,
                              struct qn_view table, struct qn_view norms, struct qn_view seen)
{
    const struct qn_batch *batch = &rq->batch;
    struct qn_job_kernel kernel = {"run", "qn_run", NULL};
    uint32_t tiles = (rq->n_slots + QN_TILE - 1) / QN_TILE;
    if (qn_job_cpu_shape(job->device)) {
        uint64_t parts = qn_job_parts(job->device, batch->rows, 256, 1);
        uint64_t chunk = ((batch->rows + parts - 1) / parts + QN_TILE - 1) / QN_TILE * QN_TILE;
        struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table),
                                qn_arg_u64(batch->rows),  qn_arg_u64(chunk),
                                qn_arg_view(norms),       qn_arg_view(rq->out_base),
                                qn_arg_view(seen)};
        return qn_job_launch(job, kernel, (batch->rows + chunk - 1) / chunk, 1, 1, args, 7);
    }
    /* Several steps per group: fewer trips of the seen flags to global memory. */
    uint32_t steps = batch->rows >= 1u << 18 ? 8 : 1;
    uint32_t layout = qn_batch_by_rows(batch) ? LOAD_BY_ROWS : 0;
    if (rq->slots[0].stride == qn_value_bytes(rq->slots[0].type)) layout |= STORE_BY_COLUMNS;
    struct qn_arg args[] = {qn_arg_view(batch->base),  qn_arg_view(table), qn_arg_u64(batch->rows),
                            qn_arg_u32(steps),         qn_arg_u32(layout), qn_arg_view(norms),
                            qn_arg_view(rq->out_base), qn_arg_view(seen)};
    uint64_t rows_per_group = (uint64_t)steps * QN_TILE;
    return qn_job_launch(job, kernel, (batch->rows + rows_per_group - 1) / rows_per_group, tiles,
                         QN_ITEMS, args, 8);
}

static quern_status run_interpreter(struct qn_device *device, struct qn_threads *threads,
                                    uint32_t queue, const void *request)
{
    const struct qn_run_request *rq = request;
    struct qn_table_request program = {&rq->batch, rq->slots, rq->norms, rq->n_slots, rq->n_norms};
    struct qn_view table, norms, seen;
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (rq->batch.rows == 0 || rq->n_slots == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(qn_run_flags(&job, rq, &seen));
    QN_GO(qn_run_norms(&job, &rq->batch, rq->n_norms, table, &norms));
    QN_GO(interpret(&job, rq, table, norms, seen));
    status = qn_run_seen(&job, seen, rq->batch.n_lanes, rq->seen);
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_run(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                       const struct qn_run_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {
        {"device:splines", qn_splines_refuse, qn_splines_run},
        {"device:generated", qn_generated_refuse, qn_generated_run},
        {"device:interpreter", refuse_interpreter, run_interpreter},
        {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("run", list, 4, device, threads, queue, request, outcome);
}
