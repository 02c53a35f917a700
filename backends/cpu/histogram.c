/* SPDX-License-Identifier: Apache-2.0
 * Digit histograms of the lanes' order-preserving keys: one pass of a radix selection. Counting is
 * bound by the histogram's memory, so lanes are taken a few at a time, each thread counts for itself
 * in 32 bits, and a thread's counts are added to the request's between chunks. */
#include <string.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/columns.h"
#include "backends/cpu/order.h"

enum {
    PANEL = 16,           /* lanes taken together, at most */
    CHUNK_ROWS = 1 << 16, /* of a task */
    MATRIX_ROWS = 256,    /* transposed together */
    DESK_BYTES = 4 << 20  /* a thread's counts, unless one lane needs more */
};
static const uint64_t SLICE_ROWS = 1u << 31;

/* Lanes of one strip whose counts fit a desk. */
struct part {
    const struct qn_strip *strip;
    uint32_t column, columns;
};

struct desk {
    _Alignas(64) double panel[PANEL * MATRIX_ROWS];
    union qn_tile tile;
    uint32_t *counts; /* [column][target] << bits */
};

struct job {
    const struct qn_histogram_request *request;
    struct part part;     /* of this run … */
    uint64_t first, rows; /* … over these rows, few enough for 32-bit counts */
    struct desk *desks;
    uint32_t threads;
};

/* Counts keys KEY_OF(x[i]) of n values for each wanted target. */
#define COUNT_KEYS(T, KEY, KEY_OF)                                                                 \
    do {                                                                                           \
        const T *x = values;                                                                       \
        for (uint32_t t = 0; t < r->n_targets; t++, counts += (size_t)1 << r->bits) {              \
            if (prefix[t] == UINT64_MAX) continue;                                                 \
            uint64_t above = prefix[t];                                                            \
            if (r->shift + r->bits >= 8 * sizeof(KEY)) {                                           \
                for (uint32_t i = 0; i < n; i++) {                                                 \
                    KEY key = KEY_OF(x[i]);                                                        \
                    if (x[i] == x[i]) counts[(key >> r->shift) & mask]++;                          \
                }                                                                                  \
                continue;                                                                          \
            }                                                                                      \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                KEY key = KEY_OF(x[i]);                                                            \
                if (key >> (r->shift + r->bits) == above && x[i] == x[i])                          \
                    counts[(key >> r->shift) & mask]++;                                            \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* wide: the values are float64; keys32: the keys are float32's. A float32 column that works in
 * float64 has 64-bit keys. */
static void count_values(const struct qn_histogram_request *r, const uint64_t *prefix, int wide,
                         int keys32, const void *values, uint32_t n, uint32_t *counts)
{
    uint32_t mask = (1u << r->bits) - 1u;
    if (wide)
        COUNT_KEYS(double, uint64_t, qn_key_f64);
    else if (keys32)
        COUNT_KEYS(float, uint32_t, qn_key_f32);
    else
        COUNT_KEYS(float, uint64_t, (uint64_t)qn_key_f64);
}

static void count_lane(const struct job *job, struct desk *desk, uint32_t column, int wide,
                       const void *values, uint32_t n)
{
    const struct qn_histogram_request *r = job->request;
    uint32_t lane = job->part.strip->first + job->part.column + column;
    size_t per_lane = (size_t)r->n_targets << r->bits;
    count_values(r, r->prefix + (size_t)lane * r->n_targets, wide,
                 qn_lane_is_float(&r->batch, &r->batch.lanes[lane]), values, n,
                 desk->counts + column * per_lane);
}

static void chunk_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    const struct qn_batch *batch = &job->request->batch;
    const struct part *part = &job->part;
    const struct qn_strip *strip = part->strip;
    struct desk *desk = &job->desks[worker];
    uint64_t row = job->first + task * CHUNK_ROWS, end = job->first + job->rows;
    if (end - row > CHUNK_ROWS) end = row + CHUNK_ROWS;
    int wide = strip->kind == QN_STRIP_DOUBLE;
    size_t size = wide ? sizeof(double) : sizeof(float);
    if (strip->kind != QN_STRIP_CHAIN && strip->packed && strip->count == 1) {
        count_lane(job, desk, 0, wide, strip->base + (int64_t)row * strip->stride,
                   (uint32_t)(end - row));
        return;
    }
    while (row < end) {
        uint32_t most = strip->kind == QN_STRIP_CHAIN ? QN_TILE_ROWS : MATRIX_ROWS;
        uint32_t n = end - row < most ? (uint32_t)(end - row) : most;
        if (strip->kind != QN_STRIP_CHAIN)
            qn_columns_load(strip, row, n, part->column, part->columns, MATRIX_ROWS, desk->panel);
        for (uint32_t c = 0; c < part->columns; c++) {
            const void *values = (const char *)desk->panel + c * MATRIX_ROWS * size;
            if (strip->kind == QN_STRIP_CHAIN) {
                const struct qn_lane *lane = &batch->lanes[strip->first + part->column + c];
                uint32_t work = qn_chain_eval(batch, lane, row, n, &desk->tile, NULL);
                qn_tile_widen(work, n, &desk->tile);
                wide = work != QN_W_F32;
                values = &desk->tile;
            }
            count_lane(job, desk, c, wide, values, n);
        }
        row += n;
    }
}

/* One part over the job's rows. */
static void run_part(struct job *job, struct qn_threads *threads)
{
    const struct qn_histogram_request *r = job->request;
    size_t per_lane = (size_t)r->n_targets << r->bits, n = job->part.columns * per_lane;
    uint64_t *out = r->counts + (size_t)(job->part.strip->first + job->part.column) * per_lane;
    for (uint32_t t = 0; t < job->threads; t++)
        memset(job->desks[t].counts, 0, n * sizeof(uint32_t));
    qn_threads_run(threads, (job->rows + CHUNK_ROWS - 1) / CHUNK_ROWS, chunk_task, job);
    for (uint32_t t = 0; t < job->threads; t++)
        for (size_t i = 0; i < n; i++) out[i] += job->desks[t].counts[i];
}

static void run_strip(struct job *job, struct qn_threads *threads, const struct qn_strip *strip,
                      uint32_t room)
{
    for (uint32_t c = 0; c < strip->count; c += room) {
        uint32_t left = strip->count - c;
        job->part = (struct part){strip, c, left < room ? left : room};
        for (job->first = 0; job->first < job->request->batch.rows; job->first += job->rows) {
            job->rows = job->request->batch.rows - job->first;
            if (job->rows > SLICE_ROWS) job->rows = SLICE_ROWS;
            run_part(job, threads);
        }
    }
}

quern_status qn_cpu_histogram(struct qn_threads *threads,
                              const struct qn_histogram_request *request)
{
    struct job job = {.request = request, .threads = qn_threads_size(threads)};
    struct qn_strip *strips = NULL;
    uint32_t n_strips = 0, room;
    quern_status status = QUERN_OK;
    size_t per_lane, bytes;
    if (request->batch.rows == 0 || request->batch.n_lanes == 0) return QUERN_OK;
    if (request->bits == 0 || request->bits > 16)
        return qn_error(QUERN_INTERNAL, "histogram: digits of %u bits", request->bits);
    if (qn_mul_size(request->n_targets, sizeof(uint32_t) << request->bits, &per_lane) ||
        qn_mul_size(per_lane, PANEL, &bytes))
        return qn_error_memory("histogram", UINT64_MAX);
    for (room = PANEL; room > 1 && room * per_lane > DESK_BYTES;) room /= 2;
    job.desks = qn_alloc_aligned(job.threads, sizeof *job.desks);
    if (job.desks == NULL) return qn_error_memory("histogram", job.threads * sizeof *job.desks);
    for (uint32_t t = 0; t < job.threads; t++) job.desks[t].counts = NULL;
    for (uint32_t t = 0; t < job.threads; t++) {
        job.desks[t].counts = qn_alloc_aligned(room, per_lane);
        if (job.desks[t].counts == NULL) {
            status = qn_error_memory("histogram", room * per_lane);
            goto cleanup;
        }
    }
    QN_GO(qn_strips_make(&request->batch, &strips, &n_strips));
    for (uint32_t i = 0; i < n_strips; i++) run_strip(&job, threads, &strips[i], room);
cleanup:
    for (uint32_t t = 0; t < job.threads; t++) qn_free(job.desks[t].counts);
    qn_free(job.desks);
    qn_free(strips);
    return status;
}
