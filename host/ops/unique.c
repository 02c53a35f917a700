/* SPDX-License-Identifier: Apache-2.0
 * Distinct values of a line: sorted, the beginnings of runs marked, numbered by a scan, and written. */
#include "host/ops/layout.h"
#include "host/ops/lines.h"

/* What is left on the device for the host to fetch. */
struct runs {
    struct qn_view marks, starts, values, begins, first, inverse;
};

static quern_status find_runs(struct qn_job *job, const struct qn_unique_request *rq,
                              const struct qn_planes *planes, struct runs *r)
{
    int cpu_shape = qn_job_cpu_shape(job->device);
    uint64_t n = planes->n, chunk, groups = qn_lines_groups(job->device, n, &chunk);
    uint32_t items = cpu_shape ? 1 : QN_ITEMS, bytes = qn_value_bytes(rq->in.type);
    struct qn_view sums;
    QN_TRY(qn_job_take(job, n * sizeof(uint32_t), &r->marks));
    QN_TRY(qn_job_take(job, qn_lines_scan_sums(n), &sums));
    QN_TRY(qn_job_take(job, n * sizeof(uint64_t), &r->starts));
    QN_TRY(qn_job_take(job, n * bytes, &r->values));
    QN_TRY(qn_job_take(job, n * sizeof(uint64_t), &r->begins));
    QN_TRY(qn_job_take(job, planes->place != 0 ? n * sizeof(uint64_t) : 8, &r->first));
    QN_TRY(qn_job_take(job, planes->place != 0 ? n * sizeof(uint64_t) : 8, &r->inverse));
    struct qn_arg mark[] = {
        qn_arg_view(planes->words), qn_arg_u64(planes->pitch), qn_arg_u64(n),
        qn_arg_u64(chunk),          qn_arg_u32(rq->in.type),   qn_arg_view(r->marks)};
    struct qn_arg place[] = {
        qn_arg_view(planes->words), qn_arg_u64(planes->pitch), qn_arg_u64(n),
        qn_arg_u64(chunk),          qn_arg_u32(rq->in.type),   qn_arg_u32(planes->place),
        qn_arg_view(r->marks),      qn_arg_view(r->starts),    qn_arg_view(r->values),
        qn_arg_u32(bytes),          qn_arg_view(r->begins),    qn_arg_view(r->first),
        qn_arg_view(r->inverse)};
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_unique_mark", NULL}, groups, 1,
                         items, mark, 6));
    QN_TRY(qn_lines_scan(job, r->marks, n, sums, r->starts));
    return qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_unique_place", NULL}, groups, 1,
                         items, place, 13);
}

static quern_status fetch(struct qn_job *job, void *to, struct qn_view from, uint64_t bytes)
{
    from.size = bytes;
    return qn_device_download(job->device, job->queue, to, 1, bytes, (int64_t)bytes, from,
                              QN_TRAFFIC_OUTPUT);
}

static quern_status bring_home(struct qn_job *job, const struct qn_unique_request *rq, uint64_t n,
                               const struct runs *r)
{
    uint64_t before, sum, last = n - 1;
    uint32_t mark;
    struct qn_view at = r->starts, mark_at = r->marks;
    at.offset += last * sizeof before;
    at.size -= last * sizeof before;
    mark_at.offset += last * sizeof mark;
    mark_at.size -= last * sizeof mark;
    QN_TRY(qn_job_get(job, at, sizeof before, &before));
    QN_TRY(qn_job_get(job, mark_at, sizeof mark, &mark));
    sum = before + mark;
    QN_TRY(fetch(job, rq->values, r->values, sum * qn_value_bytes(rq->in.type)));
    if (rq->first != NULL) QN_TRY(fetch(job, rq->first, r->first, sum * sizeof(int64_t)));
    if (rq->inverse != NULL) QN_TRY(fetch(job, rq->inverse, r->inverse, n * sizeof(int64_t)));
    if (rq->counts != NULL) {
        QN_TRY(fetch(job, rq->counts, r->begins, sum * sizeof(int64_t)));
        for (uint64_t i = 0; i < sum; i++)
            rq->counts[i] = (i + 1 < sum ? rq->counts[i + 1] : (int64_t)n) - rq->counts[i];
    }
    *rq->n_values = sum;
    return QUERN_OK;
}

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_unique_request *rq = request;
    return qn_refuse_device_lines(device, &rq->in);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_unique_request *)request)->in);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_unique(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_unique_request *rq = request;
    struct qn_planes planes;
    struct runs runs;
    struct qn_job sorting, counting;
    quern_status status = QUERN_OK;
    (void)threads;
    *rq->n_values = 0;
    if (rq->in.n == 0) return QUERN_OK;
    qn_job_begin(&sorting, device, queue);
    qn_job_begin(&counting, device, queue);
    QN_GO(qn_lines_sort(&sorting, &rq->in, QN_SORT_PLUS_ZERO,
                        rq->first != NULL || rq->inverse != NULL, &planes));
    QN_GO(find_runs(&counting, rq, &planes, &runs));
    status = bring_home(&counting, rq, planes.n, &runs);
cleanup:
    qn_job_end(&counting);
    qn_job_end(&sorting);
    return status;
}

quern_status qn_op_unique(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_unique_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("unique", list, 2, device, threads, queue, request, outcome);
}
