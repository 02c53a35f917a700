/* SPDX-License-Identifier: Apache-2.0
 * Minimum, maximum and count of each lane. All three are free of order, so every thread keeps its own
 * and they are joined at the end. */
#include <math.h>
#include <string.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/finite.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/strips.h"

enum {
    AHEAD = 16384,           /* how far ahead memory is asked for, bytes */
    CHUNK_BYTES = 1 << 20,   /* read by one task */
    PERIOD = 128,            /* positions of a period, at least */
    CHUNK_ROWS = 1024 * 1024 /* counts of a chunk fit 32 bits */
};

#define QN_BODY "backends/cpu/extremes_body.h"
#include "backends/cpu/isa_each.h"

/* `periods` periods of `period` values, `step` bytes apart, into one minimum, maximum and count per
 * position (float32: float and uint32_t; float64: double and uint64_t). */
typedef void extremes_fn(const void *data, size_t period, size_t periods, ptrdiff_t step, void *min,
                         void *max, void *count);

struct part {
    struct qn_strip strip;
    uint64_t rows; /* per chunk */
    uint64_t chunks, first_task;
    uint32_t period_rows; /* packed strips: rows of a period */
};

struct desk {
    void *min, *max, *count;     /* one entry per position of the largest period */
    double *lane_min, *lane_max; /* what this thread has seen, per lane */
    uint64_t *lane_count;
    union qn_tile tile;
};

struct job {
    const struct qn_extremes_request *request;
    struct part *parts;
    uint32_t n_parts, n_desks;
    uint64_t tasks;
    size_t positions; /* room of a desk's arrays */
    struct desk *desks;
    extremes_fn *f32, *f64;
};

static void choose_loops(struct job *job)
{
    job->f32 = extremes_f32_baseline;
    job->f64 = extremes_f64_baseline;
#if QN_X86
    enum qn_isa isa = qn_cpu_isa_level();
    if (isa == QN_ISA_AVX512) {
        job->f32 = extremes_f32_avx512;
        job->f64 = extremes_f64_avx512;
    } else if (isa == QN_ISA_AVX2) {
        job->f32 = extremes_f32_avx2;
        job->f64 = extremes_f64_avx2;
    }
#endif
}

static void clear(struct desk *desk, int wide, size_t positions)
{
    if (wide) {
        double *min = desk->min, *max = desk->max;
        for (size_t i = 0; i < positions; i++)
            min[i] = (double)INFINITY, max[i] = -(double)INFINITY;
        memset(desk->count, 0, positions * sizeof(uint64_t));
    } else {
        float *min = desk->min, *max = desk->max;
        for (size_t i = 0; i < positions; i++) min[i] = INFINITY, max[i] = -INFINITY;
        memset(desk->count, 0, positions * sizeof(uint32_t));
    }
}

#define COLLECT(T, N)                                                                              \
    do {                                                                                           \
        const T *restrict low_ = desk->min, *restrict high_ = desk->max;                           \
        const N *restrict n_ = desk->count;                                                        \
        for (size_t at_ = 0; at_ < positions; at_ += d, low_ += d, high_ += d, n_ += d) {          \
            for (size_t c = 0; c < d; c++) {                                                       \
                double v_ = (double)low_[c], w_ = (double)high_[c];                                \
                min[c] = v_ < min[c] ? v_ : min[c];                                                \
                max[c] = w_ > max[c] ? w_ : max[c];                                                \
                count[c] += n_[c];                                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* The positions of a period, of d lanes from `first` on, into this thread's lanes. */
static void collect(struct desk *desk, int wide, size_t positions, uint32_t first, uint32_t d)
{
    double *restrict min = desk->lane_min + first, *restrict max = desk->lane_max + first;
    uint64_t *restrict count = desk->lane_count + first;
    if (wide)
        COLLECT(double, uint64_t);
    else
        COLLECT(float, uint32_t);
}

/* n contiguous values of a single lane. */
static void one_lane(const struct job *job, struct desk *desk, uint32_t lane, int wide,
                     const void *data, size_t n)
{
    size_t size = wide ? sizeof(double) : sizeof(float), rest = n % PERIOD;
    extremes_fn *run = wide ? job->f64 : job->f32;
    clear(desk, wide, PERIOD);
    run(data, PERIOD, n / PERIOD, (ptrdiff_t)(PERIOD * size), desk->min, desk->max, desk->count);
    run((const char *)data + (n - rest) * size, rest, 1, 0, desk->min, desk->max, desk->count);
    collect(desk, wide, PERIOD, lane, 1);
}

static void chain_rows(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                       uint64_t row, uint64_t rows)
{
    const struct qn_batch *batch = &job->request->batch;
    union qn_tile *tile = &desk->tile;
    for (uint64_t end = row + rows; row < end;) {
        uint32_t n = end - row < QN_TILE_ROWS ? (uint32_t)(end - row) : QN_TILE_ROWS;
        for (uint32_t l = strip->first; l < strip->first + strip->count; l++) {
            uint32_t work = qn_chain_eval(batch, &batch->lanes[l], row, n, tile, NULL);
            qn_tile_widen(work, n, tile);
            one_lane(job, desk, l, work != QN_W_F32, tile, n);
        }
        row += n;
    }
}

static void chunk_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    struct desk *desk = &job->desks[worker];
    const struct part *part = job->parts;
    while (task >= part->first_task + part->chunks) part++;
    const struct qn_strip *strip = &part->strip;
    uint64_t row = (task - part->first_task) * part->rows, left = job->request->batch.rows - row;
    uint64_t rows = left < part->rows ? left : part->rows;
    if (strip->kind == QN_STRIP_CHAIN) {
        chain_rows(job, desk, strip, row, rows);
        return;
    }
    int wide = strip->kind == QN_STRIP_DOUBLE;
    extremes_fn *run = wide ? job->f64 : job->f32;
    const char *data = strip->base + (int64_t)row * strip->stride;
    uint32_t per = strip->packed ? part->period_rows : 1;
    size_t positions = (size_t)per * strip->count;
    uint64_t rest = rows % per;
    clear(desk, wide, positions);
    run(data, positions, rows / per, (ptrdiff_t)per * strip->stride, desk->min, desk->max,
        desk->count);
    if (rest != 0)
        run(data + (int64_t)(rows - rest) * strip->stride, rest * strip->count, 1, 0, desk->min,
            desk->max, desk->count);
    collect(desk, wide, positions, strip->first, strip->count);
}

/* ---- the plan ---- */

static void split(struct job *job, struct part *part, uint32_t threads)
{
    const struct qn_batch *batch = &job->request->batch;
    uint64_t bytes = qn_strip_row_bytes(batch, &part->strip), per = 1, rows;
    while (per < 16 && (per * part->strip.count) % 16 != 0) per *= 2;
    while (per * part->strip.count < PERIOD) per *= 2;
    rows = CHUNK_BYTES / bytes;
    while (rows > QN_TILE_ROWS && rows * 4 * threads > batch->rows * job->n_parts) rows /= 2;
    rows = rows < per ? per : rows > CHUNK_ROWS ? CHUNK_ROWS : rows / per * per;
    part->period_rows = (uint32_t)per;
    part->rows = rows;
    part->chunks = batch->rows / rows + (batch->rows % rows != 0);
    part->first_task = job->tasks;
    job->tasks += part->chunks;
    if (per * part->strip.count > job->positions) job->positions = per * part->strip.count;
}

static quern_status open_desks(struct job *job, uint32_t threads)
{
    size_t lanes = job->request->batch.n_lanes;
    job->desks = qn_alloc_aligned(threads, sizeof *job->desks);
    if (job->desks == NULL) return qn_error_memory("extremes", threads * sizeof *job->desks);
    for (; job->n_desks < threads; job->n_desks++) {
        struct desk *desk = &job->desks[job->n_desks];
        desk->min = qn_alloc_aligned(job->positions, sizeof(double));
        desk->max = qn_alloc_aligned(job->positions, sizeof(double));
        desk->count = qn_alloc_aligned(job->positions, sizeof(uint64_t));
        desk->lane_min = qn_alloc_aligned(lanes, sizeof(double));
        desk->lane_max = qn_alloc_aligned(lanes, sizeof(double));
        desk->lane_count = qn_zalloc(lanes, sizeof(uint64_t));
        if (desk->min == NULL || desk->max == NULL || desk->count == NULL ||
            desk->lane_min == NULL || desk->lane_max == NULL || desk->lane_count == NULL) {
            job->n_desks++; /* what it did get is freed with the others */
            return qn_error_memory("extremes", (3 * job->positions + 3 * lanes) * sizeof(double));
        }
        for (size_t i = 0; i < lanes; i++) {
            desk->lane_min[i] = (double)INFINITY;
            desk->lane_max[i] = -(double)INFINITY;
        }
    }
    return QUERN_OK;
}

static void close_job(struct job *job)
{
    for (uint32_t i = 0; i < job->n_desks; i++) {
        qn_free(job->desks[i].min);
        qn_free(job->desks[i].max);
        qn_free(job->desks[i].count);
        qn_free(job->desks[i].lane_min);
        qn_free(job->desks[i].lane_max);
        qn_free(job->desks[i].lane_count);
    }
    qn_free(job->desks);
    qn_free(job->parts);
}

/* 0 is as good as any number. */
static void take_any(const struct qn_extremes_request *request)
{
    for (uint32_t i = 0; i < request->batch.n_lanes; i++) {
        struct qn_extremes *out = &request->out[i];
        out->min = 0.0 < out->min ? 0.0 : out->min;
        out->max = 0.0 > out->max ? 0.0 : out->max;
        out->count += request->batch.rows;
    }
}

quern_status qn_cpu_extremes(struct qn_threads *threads, const struct qn_extremes_request *request)
{
    struct job job = {.request = request, .positions = PERIOD};
    struct qn_strip *strips = NULL;
    quern_status status = QUERN_OK;
    uint32_t size = qn_threads_size(threads);
    if (request->batch.rows == 0 || request->batch.n_lanes == 0) return QUERN_OK;
    if (request->any && qn_cpu_all_finite(threads, &request->batch)) {
        take_any(request);
        return QUERN_OK;
    }

    choose_loops(&job);
    QN_GO(qn_strips_make(&request->batch, &strips, &job.n_parts));
    job.parts = qn_zalloc(job.n_parts, sizeof *job.parts);
    if (job.parts == NULL) {
        status = qn_error_memory("extremes", job.n_parts * sizeof *job.parts);
        goto cleanup;
    }
    for (uint32_t i = 0; i < job.n_parts; i++) {
        job.parts[i].strip = strips[i];
        split(&job, &job.parts[i], size);
    }
    QN_GO(open_desks(&job, size));
    qn_threads_run(threads, job.tasks, chunk_task, &job);
    for (uint32_t i = 0; i < request->batch.n_lanes; i++) {
        struct qn_extremes *out = &request->out[i];
        for (uint32_t t = 0; t < job.n_desks; t++) {
            const struct desk *desk = &job.desks[t];
            out->min = desk->lane_min[i] < out->min ? desk->lane_min[i] : out->min;
            out->max = desk->lane_max[i] > out->max ? desk->lane_max[i] : out->max;
            out->count += desk->lane_count[i];
        }
        out->min += 0.0; /* -0 and +0 are one value */
        out->max += 0.0;
    }
cleanup:
    close_job(&job);
    qn_free(strips);
    return status;
}
