/* SPDX-License-Identifier: Apache-2.0
 * Nearest neighbours on a device (kernels/neighbours.k.h). What crosses are the donors, a word for each row,
 * which says whether it lacks something, and the list of those that do. Distances exist for some hundred
 * rows at a time, so that memory does not grow with the rows. */
#include "host/ops/neighbours.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/job.h"
#include "host/ops/layout.h"

enum { NEAR_BLOCK = 8, NEAR_TILE = QN_DONOR_TILE }; /* as kernels/neighbours.k.h */
/* Bytes of distances that are kept at a time: enough to do for a GPU; what a processor's cache has room for. */
static const uint64_t MOST_DISTANCES = (uint64_t)64 << 20, MOST_IN_CACHE = (uint64_t)1 << 20;

static uint64_t donor_bytes(const struct qn_rows_request *rq)
{
    const struct qn_neighbours *d = rq->op->data;
    return d->n_padded * rq->op->n_in * sizeof(double);
}

static uint64_t least_distances(const struct qn_neighbours *d)
{
    return d->n_padded * NEAR_BLOCK * sizeof(double);
}

static int inside(const struct qn_rows_request *rq, const uint64_t *at, uint32_t n)
{
    uint64_t value = qn_value_bytes(rq->op->type), bytes, end;
    if (qn_mul_u64(rq->rows, value, &bytes)) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (at[i] % value != 0 || qn_add_u64(at[i], bytes, &end) || end > rq->base.size) return 0;
    return 1;
}

const char *qn_refuse_neighbours(const struct qn_device *device, const struct qn_rows_request *rq)
{
    const struct qn_neighbours *d = rq->op->data;
    if (rq->base.raw == NULL) return "the rows lie in host memory";
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0) return "the device runs no kernels";
    if ((device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    if (rq->op->type != QN_T_F32 && rq->op->type != QN_T_F64) return "the rows are not floats";
    if (rq->rows > UINT32_MAX) return "more than 4294967295 rows in one batch";
    if (rq->op->n_in > 65535) return "more than 65535 columns";
    if (d->n_padded > INT32_MAX) return "more than 2147483647 training rows";
    if (!inside(rq, rq->in_at, rq->op->n_in) || !inside(rq, rq->out_at, rq->op->n_out))
        return "a column reaches outside of the batch's memory";
    if (donor_bytes(rq) > device->caps.max_alloc || least_distances(d) > device->caps.max_alloc)
        return "the training rows are larger than what the device allocates at once";
    if (donor_bytes(rq) + least_distances(d) > device->caps.memory_total / 2)
        return "the training rows do not fit into half of the device's memory";
    return NULL;
}

/* ---- what the kernels read ---- */

/* Columns of donors, NaN where there is nothing. */
static quern_status put_donors(struct qn_job *job, const struct qn_rows_request *rq,
                               struct qn_view *out)
{
    const struct qn_neighbours *d = rq->op->data;
    size_t cells = (size_t)d->n_padded * rq->op->n_in;
    double *values = qn_alloc(cells, sizeof *values);
    if (values == NULL) return qn_error_memory("nearest neighbours", cells * sizeof *values);
    for (size_t i = 0; i < cells; i++) values[i] = d->masks[i] != 0 ? d->values[i] : (double)NAN;
    quern_status status = qn_job_put(job, values, cells * sizeof *values, out);
    qn_free(values);
    return status;
}

static quern_status put_table(struct qn_job *job, const struct qn_rows_request *rq,
                              struct qn_view *out)
{
    const struct qn_neighbours *d = rq->op->data;
    uint32_t n_in = rq->op->n_in, n_out = rq->op->n_out;
    size_t words = n_in + (size_t)n_out * 5;
    uint64_t *table = qn_alloc(words, sizeof *table);
    if (table == NULL) return qn_error_memory("nearest neighbours", words * sizeof *table);
    memcpy(table, rq->in_at, n_in * sizeof *table);
    for (uint32_t k = 0; k < n_out; k++) {
        uint64_t *record = table + n_in + (size_t)k * 5;
        record[0] = rq->out_at[k];
        record[1] = rq->in_at[d->columns[k]];
        record[2] = d->columns[k];
        record[3] = d->empty[k] != 0;
        memcpy(&record[4], &d->fallback[d->columns[k]], sizeof *record);
    }
    quern_status status = qn_job_put(job, table, words * sizeof *table, out);
    qn_free(table);
    return status;
}

/* ---- the launches ---- */

struct search {
    struct qn_job job;
    const struct qn_rows_request *rq;
    struct qn_view table, lacks, donors, list, receivers, distances;
    uint32_t n_list, chunk; /* receivers in all, and at a time */
};

static quern_status launch(struct search *s, const char *name, uint64_t groups_x, uint32_t groups_y,
                           const struct qn_arg *args, uint32_t n)
{
    uint32_t items = qn_job_cpu_shape(s->job.device) ? 1 : QN_ITEMS;
    struct qn_job_kernel kernel = {"neighbours", name, NULL};
    return qn_job_launch(&s->job, kernel, groups_x, groups_y, items, args, n);
}

/* Groups over n things, one for each item, or a run of them for each in CPU shape. */
static uint64_t groups_over(const struct search *s, uint64_t n, uint32_t *per_item)
{
    *per_item = qn_job_cpu_shape(s->job.device) ? 1024 : 1;
    return (n - 1) / (*per_item == 1 ? QN_ITEMS : *per_item) + 1;
}

/* Copies what is there, and lists the rows that lack something. */
static quern_status list_receivers(struct search *s)
{
    const struct qn_rows_op *op = s->rq->op;
    uint32_t per_item, *lacks = qn_alloc((size_t)s->rq->rows, sizeof *lacks);
    uint64_t groups = groups_over(s, s->rq->rows, &per_item), bytes = s->rq->rows * sizeof *lacks;
    quern_status status = QUERN_OK;
    if (lacks == NULL) return qn_error_memory("nearest neighbours", bytes);
    QN_GO(qn_job_take(&s->job, bytes, &s->lacks));
    struct qn_arg args[] = {qn_arg_view(s->rq->base), qn_arg_view(s->table),
                            qn_arg_u64(s->rq->rows),  qn_arg_u32(op->n_in),
                            qn_arg_u32(op->n_out),    qn_arg_u32(op->type),
                            qn_arg_u32(per_item),     qn_arg_view(s->lacks)};
    QN_GO(launch(s, "qn_near_copy", groups, 1, args, sizeof args / sizeof *args));
    QN_GO(qn_job_get(&s->job, s->lacks, bytes, lacks));
    for (uint32_t row = 0; row < s->rq->rows; row++)
        if (lacks[row] != 0) lacks[s->n_list++] = row;
    if (s->n_list != 0) QN_GO(qn_job_put(&s->job, lacks, s->n_list * sizeof *lacks, &s->list));
cleanup:
    qn_free(lacks);
    return status;
}

static quern_status open_chunks(struct search *s)
{
    const struct qn_neighbours *d = s->rq->op->data;
    uint64_t room = qn_job_cpu_shape(s->job.device) ? MOST_IN_CACHE : MOST_DISTANCES;
    uint64_t most = room / (d->n_padded * sizeof(double)) / NEAR_BLOCK * NEAR_BLOCK;
    uint64_t all = ((uint64_t)s->n_list + NEAR_BLOCK - 1) / NEAR_BLOCK * NEAR_BLOCK;
    if (most < NEAR_BLOCK) most = NEAR_BLOCK;
    s->chunk = (uint32_t)(all < most ? all : most);
    QN_TRY(put_donors(&s->job, s->rq, &s->donors));
    QN_TRY(
        qn_job_take(&s->job, (uint64_t)s->chunk * s->rq->op->n_in * sizeof(double), &s->receivers));
    return qn_job_take(&s->job, s->chunk * d->n_padded * sizeof(double), &s->distances);
}

static quern_status measure(struct search *s, uint64_t first, uint32_t n)
{
    const struct qn_rows_op *op = s->rq->op;
    const struct qn_neighbours *d = op->data;
    uint32_t per_item, pitch = (n + NEAR_BLOCK - 1) / NEAR_BLOCK * NEAR_BLOCK;
    uint32_t tile = qn_job_cpu_shape(s->job.device) ? (uint32_t)NEAR_TILE : QN_ITEMS;
    uint64_t groups = groups_over(s, pitch, &per_item);
    struct qn_arg gather[] = {qn_arg_view(s->rq->base), qn_arg_view(s->table), qn_arg_view(s->list),
                              qn_arg_u64(first),        qn_arg_u32(n),         qn_arg_u32(pitch),
                              qn_arg_u32(op->n_in),     qn_arg_u32(op->type),  qn_arg_u32(per_item),
                              qn_arg_view(s->receivers)};
    struct qn_arg between[] = {qn_arg_view(s->donors),  qn_arg_view(s->receivers),
                               qn_arg_u64(d->n_padded), qn_arg_u32(pitch),
                               qn_arg_u32(op->n_in),    qn_arg_view(s->distances)};
    QN_TRY(launch(s, "qn_near_gather", groups, 1, gather, sizeof gather / sizeof *gather));
    return launch(s, "qn_near_distances", (d->n_padded - 1) / tile + 1, pitch / NEAR_BLOCK, between,
                  sizeof between / sizeof *between);
}

static quern_status fill(struct search *s, uint64_t first, uint32_t n)
{
    const struct qn_rows_op *op = s->rq->op;
    const struct qn_neighbours *d = op->data;
    uint64_t most = d->n_neighbours < d->n_donors ? d->n_neighbours : d->n_donors;
    struct qn_arg args[] = {
        qn_arg_view(s->rq->base),   qn_arg_view(s->table),  qn_arg_view(s->list),
        qn_arg_u64(first),          qn_arg_view(s->donors), qn_arg_view(s->distances),
        qn_arg_u64(d->n_padded),    qn_arg_u32(op->n_in),   qn_arg_u32((uint32_t)most),
        qn_arg_u32(d->by_distance), qn_arg_u32(op->type)};
    return launch(s, "qn_near_fill", n, op->n_out, args, sizeof args / sizeof *args);
}

quern_status qn_device_neighbours(struct qn_device *device, uint32_t queue,
                                  const struct qn_rows_request *rq)
{
    quern_status status = QUERN_OK;
    struct search s = {.rq = rq};
    if (rq->rows == 0 || rq->op->n_out == 0) return QUERN_OK;
    qn_job_begin(&s.job, device, queue);
    QN_GO(put_table(&s.job, rq, &s.table));
    QN_GO(list_receivers(&s));
    if (s.n_list == 0) goto cleanup;
    QN_GO(open_chunks(&s));
    for (uint64_t first = 0; first < s.n_list; first += s.chunk) {
        uint64_t left = s.n_list - first;
        uint32_t n = left < s.chunk ? (uint32_t)left : s.chunk;
        QN_GO(measure(&s, first, n));
        QN_GO(fill(&s, first, n));
        if (rq->go_on == NULL) continue;
        QN_GO(qn_device_finish(device, queue));
        QN_GO(rq->go_on(rq->user));
    }
cleanup:
    qn_job_end(&s.job);
    return status;
}
