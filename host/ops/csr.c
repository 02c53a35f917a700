/* SPDX-License-Identifier: Apache-2.0
 * A program's output as compressed sparse rows. The first call counts the elements of each row; the
 * second counts again (a count is cheaper than a trip of the places over the bus), makes the counts
 * into places on the device, fills, and brings the elements home. */
#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/layout.h"
#include "host/ops/run.h"

enum { SCAN_ROWS = 1024 }; /* as kernels/csr.k.h */

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_csr_request *rq = request;
    const char *why = qn_refuse_device(device, &rq->batch);
    if (why != NULL) return why;
    if (rq->n_slots > INT32_MAX) return "more than 2147483647 output columns";
    for (uint32_t s = 0; s < rq->n_slots; s++) {
        uint32_t type = rq->slots[s].type;
        if (type != rq->slots[0].type || (type != QN_T_F32 && type != QN_T_F64 && type != QN_T_I64))
            return "the output columns are not all float32, all float64 or all int64";
    }
    return NULL;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_csr_request *rq = request;
    (void)device;
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_csr(threads, request);
}

static uint64_t groups_of(uint64_t rows, uint64_t per_group)
{
    return (rows + per_group - 1) / per_group;
}

/* starts[row] from counts[row]. */
static quern_status scan(struct qn_job *job, uint64_t rows, struct qn_view counts,
                         struct qn_view *starts)
{
    uint64_t groups = groups_of(rows, SCAN_ROWS);
    struct qn_view sums;
    QN_TRY(qn_job_take(job, groups * sizeof(uint64_t), &sums));
    QN_TRY(qn_job_take(job, rows * sizeof(uint64_t), starts));
    struct qn_arg up[] = {qn_arg_view(counts), qn_arg_u64(rows), qn_arg_view(sums)};
    struct qn_arg top[] = {qn_arg_view(sums), qn_arg_u32((uint32_t)groups)};
    struct qn_arg down[] = {qn_arg_view(counts), qn_arg_u64(rows), qn_arg_view(sums),
                            qn_arg_view(*starts)};
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_sums", NULL}, groups, 1,
                         QN_ITEMS, up, 3));
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_top", NULL}, 1, 1, QN_ITEMS,
                         top, 2));
    return qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_rows", NULL}, groups, 1,
                         QN_ITEMS, down, 4);
}

static quern_status fill(struct qn_job *job, const struct qn_csr_request *rq, struct qn_view table,
                         struct qn_view norms, struct qn_view counts)
{
    const struct qn_batch *batch = &rq->batch;
    uint64_t nnz = (uint64_t)(rq->indptr[batch->rows] - rq->indptr[0]), type = rq->slots[0].type;
    uint64_t size = qn_value_bytes((uint32_t)type), first = (uint64_t)rq->indptr[0];
    struct qn_view starts, indices, data;
    if (nnz == 0) return QUERN_OK;
    QN_TRY(scan(job, batch->rows, counts, &starts));
    QN_TRY(qn_job_take(job, nnz * sizeof(int32_t), &indices));
    QN_TRY(qn_job_take(job, nnz * size, &data));
    struct qn_arg args[] = {
        qn_arg_view(batch->base), qn_arg_view(table),   qn_arg_u64(batch->rows),
        qn_arg_view(norms),       qn_arg_view(starts),  qn_arg_u32((uint32_t)type),
        qn_arg_u64(nnz),          qn_arg_view(indices), qn_arg_view(data)};
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_csr_fill", NULL},
                         groups_of(batch->rows, QN_ITEMS), 1, QN_ITEMS, args, 9));
    indices.size = nnz * sizeof(int32_t);
    data.size = nnz * size;
    QN_TRY(qn_device_download(job->device, job->queue, rq->indices + first, 1, indices.size,
                              (int64_t)indices.size, indices, QN_TRAFFIC_OUTPUT));
    return qn_device_download(job->device, job->queue, (char *)rq->data + first * size, 1,
                              data.size, (int64_t)data.size, data, QN_TRAFFIC_OUTPUT);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_csr_request *rq = request;
    const struct qn_batch *batch = &rq->batch;
    struct qn_table_request program = {batch, rq->slots, rq->norms, rq->n_slots, rq->n_norms};
    struct qn_view table, norms, seen, counts;
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (batch->rows == 0 || rq->n_slots == 0) {
        for (uint64_t i = 0; rq->data == NULL && i < batch->rows; i++) rq->row_nnz[i] = 0;
        return QUERN_OK;
    }
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(qn_job_zeros(&job, batch->n_lanes * sizeof(uint32_t), &seen));
    QN_GO(qn_run_norms(&job, batch, rq->n_norms, table, &norms));
    QN_GO(qn_job_take(&job, batch->rows * sizeof(uint32_t), &counts));
    struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table),  qn_arg_u64(batch->rows),
                            qn_arg_view(norms),       qn_arg_view(counts), qn_arg_view(seen)};
    QN_GO(qn_job_launch(&job, (struct qn_job_kernel){"csr", "qn_csr_count", NULL},
                        groups_of(batch->rows, QN_ITEMS), 1, QN_ITEMS, args, 6));
    if (rq->data == NULL)
        QN_GO(qn_job_get(&job, counts, batch->rows * sizeof(uint32_t), rq->row_nnz));
    else
        QN_GO(fill(&job, rq, table, norms, counts));
    status = qn_run_seen(&job, seen, batch->n_lanes, rq->seen);
cleanup:
    qn_job_end(&job);
    return status;
}

quern_status qn_op_csr(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                       const struct qn_csr_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("csr", list, 2, device, threads, queue, request, outcome);
}
