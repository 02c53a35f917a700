/* SPDX-License-Identifier: Apache-2.0
 * Curves of powers on the CPU (kernels/powers.h): blocks of 1024 rows, each with all lanes one after the
 * other; then the tree over the 64 blocks of each group.
 * Compiled like functions.c with -fno-math-errno and -fno-trapping-math, which change no value. */
#include <math.h>
#include <string.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/share.h"
#include "host/core/checked.h"
#include "kernels/powers_sums.h"

struct powers_loops {
    uint32_t (*fill)(uint32_t n, double pivot, double *x);
    void (*logs)(const struct qn_powers_at *, uint32_t n, const double *x, double *s);
    void (*exponentials)(const struct qn_powers_at *, uint32_t n, const double *s, double *e);
    void (*sums)(const struct qn_powers_at *, uint32_t n, const double *s, const double *e,
                 const struct qn_powers_terms *pivot, double (*to)[QN_BLOCK_LANES]);
};

#define QN_BODY "backends/cpu/powers_body.h"
#include "backends/cpu/isa_each.h"

static const struct powers_loops *loops(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &powers_loops_avx512;
    case QN_ISA_AVX2: return &powers_loops_avx2;
    default: break;
    }
#endif
    return &powers_loops_baseline;
}

/* What one thread works in. */
struct desk {
    union qn_tile tile;
    _Alignas(64) double s[QN_BLOCK_ROWS], e[QN_BLOCK_ROWS];
    struct qn_share share;
};

/* So many nodes of blocks wait for their tree at once (1 MB), or those of one group of blocks. */
enum { WAITING = 1 << 13 };

struct job {
    const struct qn_powers_request *request;
    const struct powers_loops *loops;
    struct desk *desks;
    struct qn_powers_node *nodes; /* [block][lane] of the groups at hand */
    uint64_t first, blocks;       /* the blocks at hand */
    uint32_t per_task;            /* blocks */
};

/* ---- one block ---- */

static void fold(double lanes[QN_POWERS_SUMS][QN_BLOCK_LANES], double sums[QN_POWERS_SUMS])
{
    for (uint32_t k = 0; k < QN_POWERS_SUMS; k++) {
        for (uint32_t h = QN_BLOCK_LANES / 2; h > 0; h /= 2)
            for (uint32_t l = 0; l < h; l++) lanes[k][l] += lanes[k][l + h];
        sums[k] = lanes[k][0];
    }
}

/* The tile's n doubles. What is missing, or lacks to a multiple of 16, counts as the first value: its terms
 * less the first's are 0. */
static void powers_block(const struct job *job, struct desk *desk, const struct qn_powers_at *at,
                         uint32_t n, struct qn_powers_node *out)
{
    struct qn_powers_terms pivot;
    double lanes[QN_POWERS_SUMS][QN_BLOCK_LANES], sums[QN_POWERS_SUMS], *x = desk->tile.f64;
    uint32_t first = 0, whole = n;
    while (first < n && x[first] != x[first]) first++;
    *out = (struct qn_powers_node){0};
    if (first == n) return;
    uint32_t count = job->loops->fill(n, x[first], x);
    while (whole % QN_BLOCK_LANES != 0) x[whole++] = x[first];
    job->loops->logs(at, whole, x, desk->s);
    job->loops->exponentials(at, whole, desk->s, desk->e);
    double inverse = desk->s[first] < 0.0 ? at->down_inverse : at->up_inverse;
    qn_powers_of(desk->s[first], desk->e[first], inverse, &pivot);
    job->loops->sums(at, whole, desk->s, desk->e, &pivot, lanes);
    fold(lanes, sums);
    qn_powers_finish(out, (double)count, &pivot, sums);
}

static void widen(uint32_t work, uint32_t n, union qn_tile *tile)
{
    if (work == QN_W_F32)
        for (uint32_t i = n; i-- > 0;) tile->f64[i] = (double)tile->f32[i];
    else
        qn_tile_widen(work, n, tile);
}

static void blocks_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    const struct qn_batch *batch = &job->request->batch;
    struct desk *desk = &job->desks[worker];
    uint64_t end = (task + 1) * job->per_task;
    for (uint64_t b = task * job->per_task; b < end && b < job->blocks; b++) {
        uint64_t row = (job->first + b) * QN_BLOCK_ROWS, left = batch->rows - row;
        uint32_t rows = left < QN_BLOCK_ROWS ? (uint32_t)left : QN_BLOCK_ROWS;
        qn_share_forget(&desk->share);
        for (uint32_t l = 0; l < batch->n_lanes; l++) {
            uint32_t work = qn_share_eval(batch, batch->lanes, l, batch->n_lanes, row, rows,
                                          &desk->share, &desk->tile);
            widen(work, rows, &desk->tile);
            powers_block(job, desk, &job->request->at[l], rows,
                         &job->nodes[b * batch->n_lanes + l]);
        }
    }
}

/* ---- the tree ---- */

static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

static void group_task(void *user, uint32_t worker, uint64_t group)
{
    const struct job *job = user;
    uint64_t n_lanes = job->request->batch.n_lanes, first = group * QN_GROUP_BLOCKS;
    uint64_t count = job->blocks - first < QN_GROUP_BLOCKS ? job->blocks - first : QN_GROUP_BLOCKS;
    struct qn_powers_node *nodes = job->nodes + first * n_lanes;
    struct qn_powers_node *out =
        job->request->nodes + (job->first / QN_GROUP_BLOCKS + group) * n_lanes;
    (void)worker;
    for (uint64_t l = 0; l < n_lanes; l++) {
        for (uint64_t width = 1; width < count; width *= 2)
            for (uint64_t i = 0; i + width < count; i += 2 * width)
                qn_powers_join(&nodes[i * n_lanes + l], &nodes[(i + width) * n_lanes + l]);
        out[l] = nodes[l];
        out[l].log_ = canonical(out[l].log_);
        for (uint32_t k = 0; k < QN_POWERS_TERMS; k++) {
            out[l].mean[k] = canonical(out[l].mean[k]);
            out[l].part[k] = canonical(out[l].part[k]);
        }
    }
}

quern_status qn_cpu_powers(struct qn_threads *threads, const struct qn_powers_request *request)
{
    const struct qn_batch *batch = &request->batch;
    struct job job = {.request = request, .loops = loops()};
    quern_status status = QUERN_OK;
    if (batch->rows == 0 || batch->n_lanes == 0) return QUERN_OK;
    uint64_t blocks = (batch->rows - 1) / QN_BLOCK_ROWS + 1;
    uint64_t groups = WAITING / QN_GROUP_BLOCKS / batch->n_lanes, most; /* at once */
    most = (groups != 0 ? groups : 1) * QN_GROUP_BLOCKS;
    if (most > blocks) most = blocks;
    size_t count;
    if (qn_mul_size((size_t)most, batch->n_lanes, &count))
        return qn_error_memory("powers", UINT64_MAX);
    job.per_task = batch->n_lanes < 8 ? 8 / batch->n_lanes : 1;
    job.nodes = qn_alloc(count, sizeof *job.nodes);
    job.desks = qn_alloc_aligned(qn_threads_size(threads), sizeof *job.desks);
    if (job.nodes == NULL || job.desks == NULL)
        QN_GO(qn_error_memory("powers", count * sizeof *job.nodes));
    for (; job.first < blocks; job.first += most) {
        job.blocks = blocks - job.first < most ? blocks - job.first : most;
        qn_threads_run(threads, (job.blocks - 1) / job.per_task + 1, blocks_task, &job);
        qn_threads_run(threads, (job.blocks - 1) / QN_GROUP_BLOCKS + 1, group_task, &job);
    }
cleanup:
    qn_free(job.nodes);
    qn_free(job.desks);
    return status;
}
