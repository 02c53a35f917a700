/* SPDX-License-Identifier: Apache-2.0
 * Values counted in bins on the CPU. Every thread counts for itself; weights are added by blocks of
 * values, whose bins are joined in the blocks' order. */
#include <string.h>

#include "backends/cpu/reduce_load.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/ops/counts.h"

enum { BLOCK = 1024, TABLES = 4, NEAR = 4096 };

struct job {
    const struct qn_counts_request *rq;
    double scale;  /* bins for each unit, where edges are about equally far apart; else 0 */
    int tables;    /* of a worker: neighbours that are equal need not wait for each other */
    uint64_t wave; /* the first block of a wave, with weights */
    uint64_t n, blocks;
    uint64_t *counts; /* [worker][table][n_bins + 1], the last for values outside */
    double *sums;     /* [block of the wave][n_bins + 1] */
};

/* ---- bins ---- */

/* Whether every edge is found within a bin of where an equal division has it. */
static double scale_of(const double *edges, uint64_t n)
{
    double scale = (double)n / (edges[n] - edges[0]);
    if (!(scale > 0.0) || scale - scale != 0.0 || n > INT32_MAX / 2) return 0.0;
    for (uint64_t k = 0; k <= n; k++) {
        double at = (edges[k] - edges[0]) * scale - (double)k;
        if (!(at > -0.5 && at < 0.5)) return 0.0;
    }
    return scale;
}

static void bins_by_scale(const struct job *job, size_t n, const double *x, uint32_t *bin)
{
    const double *edges = job->rq->edges, first = edges[0], scale = job->scale;
    uint64_t n_bins = job->rq->n_bins;
    double last = edges[n_bins], top = (double)(n_bins - 1);
    for (size_t i = 0; i < n; i++) {
        int inside = x[i] >= first && x[i] <= last;
        double at = inside ? (x[i] - first) * scale : 0.0;
        bin[i] = (uint32_t)(int32_t)(at < top ? at : top);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t b = bin[i];
        b -= b > 0 && x[i] < edges[b];
        b += b + 1 < n_bins && x[i] >= edges[b + 1];
        bin[i] = x[i] >= first && x[i] <= last ? b : (uint32_t)n_bins;
    }
}

static void bins_by_search(const struct job *job, size_t n, const double *x, uint64_t *bin)
{
    const double *edges = job->rq->edges;
    uint64_t n_bins = job->rq->n_bins;
    for (size_t i = 0; i < n; i++) {
        uint64_t low = 0;
        for (uint64_t left = n_bins; left > 1; left -= left / 2)
            low += edges[low + left / 2] <= x[i] ? left / 2 : 0;
        bin[i] = x[i] >= edges[0] && x[i] <= edges[n_bins] ? low : n_bins;
    }
}

/* Bins of at most BLOCK values of a line. */
static void bins_of(const struct job *job, uint64_t line, uint64_t first, size_t n, uint64_t *bin)
{
    const struct qn_lines *in = &job->rq->in;
    const char *at = qn_lines_at(in, line, first);
    double x[BLOCK];
    uint32_t narrow[BLOCK];
    if (job->rq->edges == NULL) {
        qn_reduce_load(in->type, QN_ELEMENT_I64, 0, at, in->stride, n, bin);
        for (size_t i = 0; i < n; i++) bin[i] = bin[i] < job->rq->n_bins ? bin[i] : job->rq->n_bins;
        return;
    }
    qn_reduce_load(in->type, QN_ELEMENT_F64, 0, at, in->stride, n, x);
    if (job->scale == 0.0) {
        bins_by_search(job, n, x, bin);
        return;
    }
    bins_by_scale(job, n, x, narrow);
    for (size_t i = 0; i < n; i++) bin[i] = narrow[i];
}

/* ---- blocks of values, line by line ---- */

typedef void take_fn(const struct job *, uint64_t value, size_t n, const uint64_t *bin, void *into);

static void each(const struct job *job, uint64_t first, uint64_t end, take_fn *take, void *into)
{
    uint64_t length = job->rq->in.n, bin[BLOCK];
    while (length != 0 && first < end) {
        uint64_t line = first / length, at = first % length, n = length - at;
        if (n > end - first) n = end - first;
        if (n > BLOCK) n = BLOCK;
        bins_of(job, line, at, (size_t)n, bin);
        take(job, first, (size_t)n, bin, into);
        first += n;
    }
}

static void take_counts(const struct job *job, uint64_t value, size_t n, const uint64_t *bin,
                        void *into)
{
    uint64_t *counts = into, pitch = job->tables > 1 ? job->rq->n_bins + 1 : 0;
    (void)value;
    for (size_t i = 0; i < n; i++) counts[i % TABLES * pitch + bin[i]]++;
}

static void take_weights(const struct job *job, uint64_t value, size_t n, const uint64_t *bin,
                         void *into)
{
    double *sums = into;
    for (size_t i = 0; i < n; i++) sums[bin[i]] += job->rq->weights[value + i];
}

static void range(const struct job *job, uint64_t block, uint64_t *first, uint64_t *end)
{
    *first = block * QN_COUNTS_BLOCK;
    *end = job->n - *first < QN_COUNTS_BLOCK ? job->n : *first + QN_COUNTS_BLOCK;
}

static void count_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    uint64_t first, end;
    range(job, task, &first, &end);
    each(job, first, end, take_counts,
         job->counts + worker * (uint64_t)job->tables * (job->rq->n_bins + 1));
}

static void weigh_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    uint64_t first, end, room = job->rq->n_bins + 1;
    double *sums = job->sums + task * room;
    (void)worker;
    range(job, job->wave + task, &first, &end);
    memset(sums, 0, (size_t)room * sizeof *sums);
    each(job, first, end, take_weights, sums);
}

/* ---- the two ways ---- */

static quern_status count(struct job *job, struct qn_threads *threads)
{
    uint64_t room = job->rq->n_bins + 1, workers = threads != NULL ? qn_threads_size(threads) : 1;
    if (room > job->n / (2 * workers)) {
        threads = NULL; /* tables of their own would cost more than they bring */
        workers = 1;
    }
    job->tables = room <= NEAR ? TABLES : 1;
    job->counts = qn_zalloc((size_t)(workers * (uint64_t)job->tables), (size_t)room * 8);
    if (job->counts == NULL) return qn_error_memory("counts", workers * room * 8);
    qn_threads_run(threads, job->blocks, count_task, job);
    for (uint64_t t = 0; t < workers * (uint64_t)job->tables; t++)
        for (uint64_t i = 0; i + 1 < room; i++)
            job->rq->counts[i] += (int64_t)job->counts[t * room + i];
    qn_free(job->counts);
    return QUERN_OK;
}

static quern_status weigh(struct job *job, struct qn_threads *threads)
{
    uint64_t room = job->rq->n_bins + 1, workers = threads != NULL ? qn_threads_size(threads) : 1;
    int whole = job->rq->n_bins > QN_COUNTS_BLOCK;
    uint64_t wave = whole ? 1 : 2 * workers;
    job->sums = qn_zalloc((size_t)wave, (size_t)room * sizeof *job->sums);
    if (job->sums == NULL) return qn_error_memory("sums of weights", wave * room * 8);
    if (whole) {
        each(job, 0, job->n, take_weights, job->sums);
        for (uint64_t i = 0; i + 1 < room; i++) job->rq->sums[i] += job->sums[i];
    }
    for (; !whole && job->wave < job->blocks; job->wave += wave) {
        uint64_t blocks = job->blocks - job->wave < wave ? job->blocks - job->wave : wave;
        qn_threads_run(threads, blocks, weigh_task, job);
        for (uint64_t b = 0; b < blocks; b++)
            for (uint64_t i = 0; i + 1 < room; i++) job->rq->sums[i] += job->sums[b * room + i];
    }
    qn_free(job->sums);
    return QUERN_OK;
}

quern_status qn_cpu_counts(struct qn_threads *threads, const struct qn_counts_request *rq)
{
    struct job job = {.rq = rq, .n = rq->in.lines * rq->in.n};
    if (job.n == 0 || rq->n_bins == 0) return QUERN_OK;
    if (rq->edges != NULL) job.scale = scale_of(rq->edges, rq->n_bins);
    job.blocks = (job.n - 1) / QN_COUNTS_BLOCK + 1;
    return rq->sums != NULL ? weigh(&job, threads) : count(&job, threads);
}
