/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of lines' differences from their means. On a device (kernels/covariance.k.h) the sums of
 * some pairs of panels over some groups of values are there at a time, so that memory does not grow with the
 * lines; what comes home are the sums of whole lines. */
#include "host/core/checked.h"
#include "host/ops/lines.h"
#include "host/ops/pair_sums.h"
#include "host/ops/reductions.h"

enum { BLOCK = 256, GROUP = 64 * BLOCK, GPU_PANEL = 64, CPU_PANEL = 32, MOST_GROUPS = 65535 };
static const uint64_t SCRATCH = (uint64_t)64 << 20;

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_covariance_request *rq = request;
    const char *why = qn_refuse_device_lines(device, &rq->in);
    if (why == NULL && (device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    return why;
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    (void)device;
    return qn_refuse_host_lines(&((const struct qn_covariance_request *)request)->in);
}

/* ---- pairs of lines of which values are missing ---- */

/* Numbers of lines: means in two words, and how many values there are. */
struct present {
    double *means, *present;
    int missing; /* some values are */
};

static quern_status find_present(struct qn_device *device, struct qn_threads *threads,
                                 uint32_t queue, const struct qn_covariance_request *rq,
                                 struct present *out)
{
    size_t d = (size_t)rq->in.lines;
    struct qn_reduced *nodes = qn_alloc(d, sizeof *nodes);
    out->means = qn_alloc(3 * d, sizeof *out->means);
    quern_status status = QUERN_OK;
    if (nodes == NULL || out->means == NULL) QN_GO(qn_error_memory("means", d * 56));
    out->present = out->means + 2 * d;
    struct qn_reduce_request sums = {.in = rq->in, .kind = QN_REDUCE_SUM, .skip = 1, .out = nodes};
    QN_GO(qn_op_reduce(device, threads, queue, &sums, NULL));
    out->missing = qn_covariance_present(rq, nodes, out->means, out->present);
cleanup:
    qn_free(nodes);
    return status;
}

/* How many pairs of panels are done at a time. */
static uint32_t pairs_at_a_time(const struct qn_covariance_request *rq)
{
    uint64_t unit = 3 * QN_PAIR_PANEL_LINES * QN_PAIR_PANEL_LINES * sizeof(double),
             scratch = rq->scratch != 0 ? rq->scratch : SCRATCH, pairs = scratch / unit / 2;
    return pairs < 1 ? 1 : (uint32_t)(pairs < 4096 ? pairs : 4096);
}

static quern_status sums_on_cpu(void *user, const struct qn_pair_sums *sums)
{
    return qn_cpu_pair_sums(user, sums);
}

static quern_status pairs_on_cpu(struct qn_threads *threads, const struct qn_covariance_request *rq,
                                 int *missing)
{
    struct present p = {0};
    quern_status status = QUERN_OK;
    if (rq->in.lines != 0 && rq->in.n != 0) {
        QN_GO(find_present(NULL, threads, 0, rq, &p));
        if (p.missing)
            QN_GO(qn_covariance_pairs(rq, p.means, p.present, pairs_at_a_time(rq), sums_on_cpu,
                                      threads));
    }
    *missing = p.missing;
cleanup:
    qn_free(p.means);
    return status;
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    const struct qn_covariance_request *rq = request;
    int missing = 0;
    if (rq->skip) {
        QN_TRY(pairs_on_cpu(threads, rq, &missing));
        if (missing) return QUERN_OK;
    }
    QN_TRY(qn_cpu_covariance(threads, rq));
    if (rq->skip) qn_covariance_whole(rq);
    return QUERN_OK;
}

struct stay {
    struct qn_job job;
    const struct qn_covariance_request *rq;
    double *hi, *lo; /* means in two words, one after the other */
    struct qn_view means, weights, sums, totals;
    uint32_t panel, panels;
    uint64_t cells, n_pairs, n_groups; /* of a pair of panels; in all */
    uint32_t pairs, groups;            /* … at a time */
};

/* Groups over n things, one for each item, or a run of them for each in CPU shape. */
static uint64_t groups_over(const struct qn_device *device, uint64_t n, uint64_t *per_item)
{
    *per_item = 1;
    if (!qn_job_cpu_shape(device)) return (n + QN_ITEMS - 1) / QN_ITEMS;
    uint64_t parts = qn_job_parts(device, n, 1, 1);
    *per_item = (n + parts - 1) / parts;
    return (n + *per_item - 1) / *per_item;
}

static quern_status launch(struct stay *s, const char *name, uint64_t x, uint64_t y,
                           const struct qn_arg *args, uint32_t n)
{
    struct qn_job_kernel kernel = {"covariance", name, NULL};
    uint32_t items = qn_job_cpu_shape(s->job.device) ? 1 : QN_ITEMS;
    return qn_job_launch(&s->job, kernel, x, (uint32_t)y, items, args, n);
}

/* ---- means ---- */

static quern_status find_means(struct stay *s)
{
    const struct qn_lines *in = &s->rq->in;
    struct qn_reduced *nodes = qn_alloc((size_t)in->lines, sizeof *nodes);
    if (nodes == NULL) return qn_error_memory("means", in->lines * sizeof *nodes);
    struct qn_reduce_request rq = {.in = *in, .kind = QN_REDUCE_SUM, .out = nodes};
    quern_status status = qn_op_reduce(s->job.device, NULL, s->job.queue, &rq, NULL);
    for (uint64_t c = 0; status == QUERN_OK && c < in->lines; c++)
        qn_covariance_mean(&nodes[c], (double)in->n, &s->hi[c], &s->lo[c]);
    qn_free(nodes);
    return status;
}

static quern_status launch_shift(struct stay *s, uint64_t first, uint64_t count, uint64_t blocks,
                                 struct qn_view sums)
{
    const struct qn_lines *in = &s->rq->in;
    uint64_t per_item, groups = groups_over(s->job.device, count, &per_item);
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(in->lines),
                            qn_arg_u64(in->n),
                            qn_arg_u32(in->type),
                            qn_arg_view(s->means),
                            qn_arg_view(s->weights),
                            qn_arg_u64(first),
                            qn_arg_u64(count),
                            qn_arg_u64(blocks),
                            qn_arg_u64(per_item),
                            qn_arg_view(sums)};
    return launch(s, "qn_cov_shift", groups, 1, args, sizeof args / sizeof args[0]);
}

/* Means of weighted values: the device adds up blocks, the host joins them. */
static quern_status shift_means(struct stay *s)
{
    const struct qn_lines *in = &s->rq->in;
    uint64_t blocks = (in->n + BLOCK - 1) / BLOCK, wave = SCRATCH / (blocks * sizeof(double));
    struct qn_view view;
    quern_status status = QUERN_OK;
    if (wave < 1) wave = 1;
    if (wave > in->lines) wave = in->lines;
    double *sums = qn_alloc((size_t)(wave * blocks), sizeof *sums);
    if (sums == NULL) return qn_error_memory("means", wave * blocks * sizeof *sums);
    QN_GO(qn_job_take(&s->job, wave * blocks * sizeof *sums, &view));
    for (uint64_t first = 0; first < in->lines; first += wave) {
        uint64_t lines = in->lines - first < wave ? in->lines - first : wave;
        QN_GO(launch_shift(s, first, lines * blocks, blocks, view));
        QN_GO(qn_job_get(&s->job, view, lines * blocks * sizeof *sums, sums));
        for (uint64_t c = 0; c < lines; c++) {
            double total = 0.0;
            for (uint64_t b = 0; b < blocks; b++) total += sums[c * blocks + b];
            qn_covariance_shift(total, s->rq->weight, &s->hi[first + c], &s->lo[first + c]);
        }
    }
cleanup:
    qn_free(sums);
    return status;
}

static quern_status put_means(struct stay *s)
{
    const struct qn_covariance_request *rq = s->rq;
    uint64_t bytes = 2 * rq->in.lines * sizeof *s->hi;
    QN_TRY(find_means(s));
    QN_TRY(qn_job_put(&s->job, s->hi, bytes, &s->means));
    s->weights = s->means;
    if (rq->weights == NULL) return QUERN_OK;
    QN_TRY(qn_job_put(&s->job, rq->weights, rq->in.n * sizeof(double), &s->weights));
    QN_TRY(shift_means(s));
    struct qn_view to = s->means;
    to.size = bytes;
    return qn_device_put(s->job.device, s->job.queue, to, s->hi);
}

/* ---- products ---- */

static int64_t distance(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

/* The sums of `pairs` pairs of panels from (first, second) on, over `groups` groups from `group` on. */
static quern_status launch_products(struct stay *s, const uint32_t at[2], uint32_t pairs,
                                    uint64_t group, uint32_t groups)
{
    const struct qn_lines *in = &s->rq->in;
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(in->lines),
                            qn_arg_u64(in->n),
                            qn_arg_u32(in->type),
                            qn_arg_u32(distance(in->line_stride) < distance(in->stride)),
                            qn_arg_view(s->means),
                            qn_arg_view(s->weights),
                            qn_arg_u32(s->rq->weights != NULL),
                            qn_arg_u32(s->panels),
                            qn_arg_u32(at[0]),
                            qn_arg_u32(at[1]),
                            qn_arg_u32(pairs),
                            qn_arg_u64(group),
                            qn_arg_view(s->sums)};
    return launch(s, "qn_cov_products", pairs, groups, args, sizeof args / sizeof args[0]);
}

static quern_status launch_total(struct stay *s, uint32_t pairs, uint32_t groups)
{
    uint64_t cells = pairs * s->cells, per_item, x = groups_over(s->job.device, cells, &per_item);
    struct qn_arg args[] = {qn_arg_view(s->sums), qn_arg_u64(cells), qn_arg_u32(groups),
                            qn_arg_u64(per_item), qn_arg_view(s->totals)};
    return launch(s, "qn_cov_total", x, 1, args, sizeof args / sizeof args[0]);
}

/* The pair after `at`, row by row of the triangle. */
static void next_pair(const struct stay *s, uint32_t at[2])
{
    if (++at[1] < s->panels) return;
    at[0]++;
    at[1] = at[0];
}

static void unpack(const struct stay *s, const uint32_t at[2], const double *cells)
{
    uint64_t d = s->rq->in.lines, row = (uint64_t)at[0] * s->panel,
             column = (uint64_t)at[1] * s->panel;
    for (uint64_t i = 0; i < s->panel && row + i < d; i++)
        for (uint64_t j = row == column ? i : 0; j < s->panel && column + j < d; j++) {
            double v = cells[i * s->panel + j];
            s->rq->out[(row + i) * d + column + j] = v;
            s->rq->out[(column + j) * d + row + i] = v;
        }
}

/* How much is done at a time: as many pairs as leave room for two groups, then as many groups. */
static void plan(struct stay *s)
{
    uint64_t d = s->rq->in.lines, scratch = s->rq->scratch != 0 ? s->rq->scratch : SCRATCH, units;
    s->panel = qn_job_cpu_shape(s->job.device) ? CPU_PANEL : GPU_PANEL;
    s->cells = (uint64_t)s->panel * s->panel;
    s->panels = (uint32_t)((d + s->panel - 1) / s->panel);
    s->n_pairs = (uint64_t)s->panels * (s->panels + 1) / 2;
    s->n_groups = (s->rq->in.n + GROUP - 1) / GROUP;
    units = scratch / (s->cells * sizeof(double));
    uint64_t pairs = units / 2 < 1 ? 1 : units / 2;
    if (pairs > s->n_pairs) pairs = s->n_pairs;
    if (pairs < 1) pairs = 1;
    uint64_t groups = units / pairs < 1 ? 1 : units / pairs;
    if (groups > s->n_groups) groups = s->n_groups;
    if (groups > MOST_GROUPS) groups = MOST_GROUPS;
    s->pairs = (uint32_t)pairs;
    s->groups = (uint32_t)groups;
}

static quern_status find_products(struct stay *s)
{
    uint64_t bytes = s->pairs * s->cells * sizeof(double);
    uint32_t at[2] = {0, 0};
    double *totals = qn_alloc((size_t)(s->pairs * s->cells), sizeof *totals);
    quern_status status = QUERN_OK;
    if (totals == NULL) return qn_error_memory("sums of products", bytes);
    QN_GO(qn_job_take(&s->job, bytes * s->groups, &s->sums));
    QN_GO(qn_job_take(&s->job, bytes, &s->totals));
    for (uint64_t pair = 0; pair < s->n_pairs; pair += s->pairs) {
        uint32_t pairs =
            s->n_pairs - pair < s->pairs ? (uint32_t)(s->n_pairs - pair) : (uint32_t)s->pairs;
        QN_GO(qn_device_fill(s->job.device, s->job.queue, s->totals, 0));
        for (uint64_t group = 0; group < s->n_groups; group += s->groups) {
            uint32_t groups =
                s->n_groups - group < s->groups ? (uint32_t)(s->n_groups - group) : s->groups;
            QN_GO(launch_products(s, at, pairs, group, groups));
            QN_GO(launch_total(s, pairs, groups));
        }
        QN_GO(qn_job_get(&s->job, s->totals, pairs * s->cells * sizeof *totals, totals));
        for (uint32_t k = 0; k < pairs; k++, next_pair(s, at)) unpack(s, at, totals + k * s->cells);
    }
cleanup:
    qn_free(totals);
    return status;
}

/* ---- pairs of lines ---- */

enum { PAIR_CELLS = QN_PAIR_PANEL_LINES * QN_PAIR_PANEL_LINES };

/* A job and its buffers for some pairs of panels over some groups. */
struct pair_stay {
    struct stay s;
    struct qn_view shifts;
};

static quern_status launch_pair_sums(struct pair_stay *p, const struct qn_pair_sums *sums,
                                     uint64_t group, uint32_t groups)
{
    const struct qn_lines *in = &sums->in;
    struct qn_arg args[] = {qn_arg_view(in->base),
                            qn_arg_u64(in->offset),
                            qn_arg_u64((uint64_t)in->line_stride),
                            qn_arg_u64((uint64_t)in->stride),
                            qn_arg_u64(in->lines),
                            qn_arg_u64(in->n),
                            qn_arg_u32(in->type),
                            qn_arg_u32(distance(in->line_stride) < distance(in->stride)),
                            qn_arg_view(p->s.means),
                            qn_arg_view(p->shifts),
                            qn_arg_u32(sums->products),
                            qn_arg_u32(sums->panels),
                            qn_arg_u32(sums->first),
                            qn_arg_u32(sums->second),
                            qn_arg_u32(sums->pairs),
                            qn_arg_u64(group),
                            qn_arg_view(p->s.sums)};
    struct qn_job_kernel kernel = {"pair_sums", "qn_pair_sums", NULL};
    uint32_t items = qn_job_cpu_shape(p->s.job.device) ? 1 : QN_ITEMS;
    return qn_job_launch(&p->s.job, kernel, sums->pairs, groups, items, args,
                         sizeof args / sizeof args[0]);
}

static quern_status sums_on_device(void *user, const struct qn_pair_sums *sums)
{
    struct pair_stay *p = user;
    struct stay *s = &p->s;
    struct qn_view shifts = p->shifts;
    shifts.size = (uint64_t)sums->pairs * 2 * PAIR_CELLS * sizeof(double);
    QN_TRY(qn_device_put(s->job.device, s->job.queue, shifts, sums->shifts));
    QN_TRY(qn_device_fill(s->job.device, s->job.queue, s->totals, 0));
    for (uint64_t group = 0; group < s->n_groups; group += s->groups) {
        uint32_t groups =
            s->n_groups - group < s->groups ? (uint32_t)(s->n_groups - group) : s->groups;
        QN_TRY(launch_pair_sums(p, sums, group, groups));
        QN_TRY(launch_total(s, sums->pairs, groups));
    }
    return qn_job_get(&s->job, s->totals, (uint64_t)sums->pairs * s->cells * sizeof(double),
                      sums->totals);
}

static quern_status pairs_on_device(struct qn_device *device, uint32_t queue,
                                    const struct qn_covariance_request *rq, int *missing)
{
    struct pair_stay p = {.s = {.rq = rq, .cells = 3 * PAIR_CELLS}};
    struct present there = {0};
    struct stay *s = &p.s;
    uint64_t panels = (rq->in.lines + QN_PAIR_PANEL_LINES - 1) / QN_PAIR_PANEL_LINES,
             all = panels * (panels + 1) / 2, unit = s->cells * sizeof(double),
             scratch = rq->scratch != 0 ? rq->scratch : SCRATCH;
    quern_status status = QUERN_OK;
    qn_job_begin(&s->job, device, queue);
    QN_GO(find_present(device, NULL, queue, rq, &there));
    *missing = there.missing;
    if (!there.missing) goto cleanup;
    s->n_groups = (rq->in.n + GROUP - 1) / GROUP;
    s->pairs = pairs_at_a_time(rq);
    if (s->pairs > all && all != 0) s->pairs = (uint32_t)all;
    uint64_t groups = scratch / unit / s->pairs;
    groups = groups < 1 ? 1 : groups < s->n_groups ? groups : s->n_groups;
    s->groups = (uint32_t)(groups < MOST_GROUPS ? groups : MOST_GROUPS);
    QN_GO(qn_job_put(&s->job, there.means, 2 * rq->in.lines * sizeof(double), &s->means));
    QN_GO(qn_job_take(&s->job, s->pairs * unit * s->groups, &s->sums));
    QN_GO(qn_job_take(&s->job, s->pairs * unit, &s->totals));
    QN_GO(qn_job_take(&s->job, (uint64_t)s->pairs * 2 * PAIR_CELLS * sizeof(double), &p.shifts));
    status = qn_covariance_pairs(rq, there.means, there.present, s->pairs, sums_on_device, &p);
cleanup:
    qn_free(there.means);
    qn_job_end(&s->job);
    return status;
}

/* ---- choosing ---- */

static quern_status products_on_device(struct qn_device *device, uint32_t queue,
                                       const struct qn_covariance_request *rq)
{
    struct stay s = {.rq = rq};
    size_t d = (size_t)s.rq->in.lines;
    quern_status status = QUERN_OK;
    qn_job_begin(&s.job, device, queue);
    s.hi = qn_alloc(2 * d, sizeof *s.hi);
    if (s.hi == NULL) QN_GO(qn_error_memory("means", 2 * d * sizeof *s.hi));
    s.lo = s.hi + d;
    QN_GO(put_means(&s));
    plan(&s);
    status = find_products(&s);
cleanup:
    qn_free(s.hi);
    qn_job_end(&s.job);
    return status;
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_covariance_request *rq = request;
    uint64_t d = rq->in.lines;
    int missing = 0;
    (void)threads;
    for (uint64_t i = 0; rq->in.n == 0 && i < d * d; i++) rq->out[i] = 0.0;
    if (d != 0 && rq->in.n != 0) {
        if (rq->skip) QN_TRY(pairs_on_device(device, queue, rq, &missing));
        if (!missing) QN_TRY(products_on_device(device, queue, rq));
    }
    if (rq->skip && !missing) qn_covariance_whole(rq);
    return QUERN_OK;
}

quern_status qn_op_covariance(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                              const struct qn_covariance_request *request,
                              struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("covariance", list, 2, device, threads, queue, request, outcome);
}
