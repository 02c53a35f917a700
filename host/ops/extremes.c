/* SPDX-License-Identifier: Apache-2.0
 * Extremes and counts: partial results of chunks of rows, merged on the device (GPU shape) or here. */
#include "host/ops/impl.h"
#include "host/ops/job.h"
#include "host/ops/layout.h"

#include "host/core/checked.h"

static const char *const group_kernels[] = {"qn_extremes_any", "qn_extremes_f32",
                                            "qn_extremes_f64"};
static const char *const strip_kernels[] = {"qn_extremes_each", "qn_extremes_strip_f32",
                                            "qn_extremes_strip_f64"};

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_extremes_request *rq = request;
    const char *why = qn_refuse_device(device, &rq->batch);
    return why != NULL ? why : qn_refuse_norms(&rq->batch);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_extremes_request *rq = request;
    (void)device;
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_extremes(threads, request);
}

/* Leaves one part per lane in *out. */
static quern_status by_groups(struct qn_job *job, const struct qn_batch *batch,
                              struct qn_view table, struct qn_view *out)
{
    uint32_t width = batch->n_lanes < 16 ? batch->n_lanes : 16, tiles = (batch->n_lanes + 15) / 16;
    uint64_t parts =
        qn_job_parts(job->device, batch->rows, (uint64_t)(QN_ITEMS / width) * 32, tiles);
    uint64_t chunk = (batch->rows + parts - 1) / parts;
    uint64_t row_bytes = batch->n_lanes * sizeof(struct qn_extremes);
    struct qn_view partial;
    parts = (batch->rows + chunk - 1) / chunk;
    QN_TRY(qn_job_take(job, parts * row_bytes, &partial));
    QN_TRY(qn_job_take(job, row_bytes, out));
    struct qn_arg first[] = {qn_arg_view(batch->base),
                             qn_arg_view(table),
                             qn_arg_u64(batch->rows),
                             qn_arg_u64(chunk),
                             qn_arg_u32(qn_batch_by_rows(batch)),
                             qn_arg_view(partial)};
    struct qn_arg second[] = {qn_arg_view(partial), qn_arg_u32((uint32_t)parts),
                              qn_arg_u32(batch->n_lanes), qn_arg_view(*out)};
    QN_TRY(qn_job_launch(
        job, (struct qn_job_kernel){"extremes", group_kernels[qn_batch_plain(batch)], NULL}, parts,
        tiles, QN_ITEMS, first, 6));
    return qn_job_launch(job, (struct qn_job_kernel){"extremes", "qn_extremes_merge", NULL},
                         batch->n_lanes, 1, QN_ITEMS, second, 4);
}

/* Leaves *parts results per lane in *out. */
static quern_status by_items(struct qn_job *job, const struct qn_batch *batch, struct qn_view table,
                             struct qn_view *out, uint64_t *parts)
{
    enum qn_plain plain = qn_batch_plain(batch);
    uint32_t d = plain != QN_PLAIN_NOT ? qn_batch_strips(batch) : 0;
    uint32_t strips = d != 0 ? batch->n_lanes / d : batch->n_lanes;
    *parts = qn_job_parts(job->device, batch->rows, 4096, strips);
    uint64_t chunk = (batch->rows + *parts - 1) / *parts;
    *parts = (batch->rows + chunk - 1) / chunk;
    QN_TRY(qn_job_take(job, *parts * batch->n_lanes * sizeof(struct qn_extremes), out));
    struct qn_arg args[10] = {qn_arg_view(batch->base), qn_arg_view(table), qn_arg_u64(batch->rows),
                              qn_arg_u64(chunk)};
    uint32_t n = 4;
    if (d != 0) {
        /* Rows are looked at a few together, so that the inner loop is long whatever d is. */
        uint32_t w = d * (d < 256 ? (255 + d) / d : 1);
        uint64_t positions = *parts * strips * w;
        struct qn_view bounds, counts;
        QN_TRY(qn_job_take(job, positions * 2 * qn_value_bytes(batch->lanes[0].type), &bounds));
        QN_TRY(qn_job_take(job, positions * sizeof(uint32_t), &counts));
        args[n++] = qn_arg_u32(d);
        args[n++] = qn_arg_u32(w);
        args[n++] = qn_arg_u32((uint32_t)*parts);
        args[n++] = qn_arg_view(bounds);
        args[n++] = qn_arg_view(counts);
    }
    args[n++] = qn_arg_view(*out);
    struct qn_job_kernel kernel = {"extremes", strip_kernels[d != 0 ? plain : QN_PLAIN_NOT], NULL};
    return qn_job_launch(job, kernel, *parts, strips, 1, args, n);
}

static void merge(struct qn_extremes *into, const struct qn_extremes *from)
{
    if (from->min < into->min) into->min = from->min;
    if (from->max > into->max) into->max = from->max;
    into->min += 0.0;
    into->max += 0.0;
    into->count += from->count;
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_extremes_request *rq = request;
    const struct qn_batch *batch = &rq->batch;
    struct qn_table_request program = {.batch = batch};
    struct qn_extremes *parts = NULL;
    uint64_t n_parts = 1, n;
    struct qn_view table, out;
    quern_status status;
    struct qn_job job;
    (void)threads;
    if (batch->rows == 0 || batch->n_lanes == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_job_table(&job, &program, &table));
    if (qn_job_cpu_shape(device))
        QN_GO(by_items(&job, batch, table, &out, &n_parts));
    else
        QN_GO(by_groups(&job, batch, table, &out));
    n = n_parts * batch->n_lanes;
    parts = qn_alloc(n, sizeof *parts);
    if (parts == NULL) {
        status = qn_error_memory("extremes", n * sizeof *parts);
        goto cleanup;
    }
    QN_GO(qn_job_get(&job, out, n * sizeof *parts, parts));
    for (uint64_t i = 0; i < n; i++) merge(&rq->out[i % batch->n_lanes], &parts[i]);
cleanup:
    qn_free(parts);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_extremes(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const struct qn_extremes_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("extremes", list, 2, device, threads, queue, request, outcome);
}
