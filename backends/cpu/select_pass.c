/* SPDX-License-Identifier: Apache-2.0
 * The pass of the bracketed selection: every active lane's values against its brackets. */
#include <math.h>
#include <string.h>

#include "backends/cpu/columns.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/order.h"
#include "backends/cpu/select.h"

#if QN_X86
#include <immintrin.h>
#endif

#define QN_LEVEL 0
#define QN_SUFFIX f32_baseline
#define QN_IS_FLOAT 1
#define ELT float
#define KEY uint32_t
#define KEY_OF qn_key_f32
#include "backends/cpu/select_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
#define QN_SUFFIX f64_baseline
#define QN_IS_FLOAT 0
#define ELT double
#define KEY uint64_t
#define KEY_OF qn_key_f64
#include "backends/cpu/select_body.h"
#undef QN_LEVEL
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_LEVEL 1
#define QN_SUFFIX f32_avx2
#define QN_IS_FLOAT 1
#define ELT float
#define KEY uint32_t
#define KEY_OF qn_key_f32
#include "backends/cpu/select_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
#define QN_SUFFIX f64_avx2
#define QN_IS_FLOAT 0
#define ELT double
#define KEY uint64_t
#define KEY_OF qn_key_f64
#include "backends/cpu/select_body.h"
#undef QN_LEVEL
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_LEVEL 2
#define QN_SUFFIX f32_avx512
#define QN_IS_FLOAT 1
#define ELT float
#define KEY uint32_t
#define KEY_OF qn_key_f32
#include "backends/cpu/select_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
#define QN_SUFFIX f64_avx512
#define QN_IS_FLOAT 0
#define ELT double
#define KEY uint64_t
#define KEY_OF qn_key_f64
#include "backends/cpu/select_body.h"
#undef QN_LEVEL
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#undef KEY
#undef KEY_OF
QN_TARGET_END
#endif

void qn_select_choose_loops(struct select_job *job)
{
    job->f32 = (struct select_loops){sift_f32_baseline, extract_f32_baseline};
    job->f64 = (struct select_loops){sift_f64_baseline, extract_f64_baseline};
#if QN_X86
    enum qn_isa isa = qn_cpu_isa_level();
    if (isa == QN_ISA_AVX512) {
        job->f32 = (struct select_loops){sift_f32_avx512, extract_f32_avx512};
        job->f64 = (struct select_loops){sift_f64_avx512, extract_f64_avx512};
    } else if (isa == QN_ISA_AVX2) {
        job->f32 = (struct select_loops){sift_f32_avx2, extract_f32_avx2};
        job->f64 = (struct select_loops){sift_f64_avx2, extract_f64_avx2};
    }
#endif
}

enum { CHUNK_BYTES = 1 << 20, LINE = 64 };

struct part {
    const struct qn_strip *strip;
    uint64_t rows, chunks, first_task;
};

struct pass {
    struct select_job *job;
    struct part *parts;
    uint64_t tasks;
};

/* Room for n more values; 0 where there is none (out of memory, or the lane's budget is used up). */
static int make_room(struct select_job *job, const struct lane_plan *plan, struct bin *bin,
                     size_t n)
{
    size_t size = qn_select_size(plan), need = bin->n + n + SIFT_SLACK;
    if (bin->full) return 0;
    if (need <= bin->room) return 1;
    if (bin->n > 3 * plan->expected + 65536) { /* the sample misjudged this lane */
        bin->full = 1;
        return 0;
    }
    size_t room = bin->room + bin->room / 2, share = plan->expected / job->threads;
    if (room < share + share / 8) room = share + share / 8;
    if (room < need) room = need;
    void *values = qn_realloc(bin->values, room, size);
    if (values == NULL) {
        atomic_store(&job->out_of_memory, 1);
        return 0;
    }
    bin->values = values;
    bin->room = room;
    return 1;
}

/* n contiguous values of a lane, of the lane's own width. */
static void sift(struct select_job *job, uint32_t worker, uint32_t lane, const void *values,
                 size_t n)
{
    const struct lane_plan *plan = &job->plans[lane];
    struct bin *bin = &job->bins[(size_t)worker * job->request->batch.n_lanes + lane];
    if (!make_room(job, plan, bin, n)) return;
    const struct select_loops *loops = plan->wide ? &job->f64 : &job->f32;
    bin->n += loops->sift(values, n, plan->brackets, plan->n_brackets, plan->ties,
                          (char *)bin->values + bin->n * qn_select_size(plan), bin->tallies);
}

static void chain_chunk(struct select_job *job, uint32_t worker, const struct qn_strip *strip,
                        uint64_t row, uint64_t rows)
{
    const struct qn_batch *batch = &job->request->batch;
    union qn_tile *tile = &job->desks[worker].tile;
    for (uint64_t end = row + rows; row < end;) {
        uint32_t n = end - row < QN_TILE_ROWS ? (uint32_t)(end - row) : QN_TILE_ROWS;
        for (uint32_t l = strip->first; l < strip->first + strip->count; l++) {
            if (!job->active[l]) continue;
            qn_tile_widen(qn_chain_eval(batch, &batch->lanes[l], row, n, tile, NULL), n, tile);
            sift(job, worker, l, tile, n);
        }
        row += n;
    }
}

static void packed_chunk(struct select_job *job, uint32_t worker, const struct qn_strip *strip,
                         uint64_t row, uint64_t rows)
{
    if (!job->active[strip->first]) return;
    for (uint64_t end = row + rows; row < end;) {
        uint64_t n = end - row < PANEL_VALUES ? end - row : PANEL_VALUES;
        sift(job, worker, strip->first, strip->base + (int64_t)row * strip->stride, n);
        row += n;
    }
}

static int any_active(const struct select_job *job, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (job->active[first + i]) return 1;
    return 0;
}

/* Row-major: panels of up to 16 columns are turned into columns. While one block of rows is worked
 * on, the next is asked for, a share of it per panel. */
static void matrix_chunk(struct select_job *job, uint32_t worker, const struct qn_strip *strip,
                         uint64_t row, uint64_t rows)
{
    double *panel = job->desks[worker].panel;
    uint32_t widest = strip->count < PANEL_COLUMNS ? strip->count : PANEL_COLUMNS;
    uint32_t room = PANEL_VALUES / widest / 16 * 16;
    if (room > QN_TILE_ROWS) room = QN_TILE_ROWS;
    uint32_t panels = (strip->count + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
    size_t size = strip->kind == QN_STRIP_DOUBLE ? sizeof(double) : sizeof(float);
    size_t block_bytes = (size_t)room * (size_t)strip->stride;
    size_t share = strip->packed ? block_bytes / panels + LINE : 0;
    for (uint64_t end = row + rows; row < end;) {
        uint32_t n = end - row < room ? (uint32_t)(end - row) : room;
        uintptr_t next = (uintptr_t)(strip->base + (int64_t)row * strip->stride) + block_bytes;
        for (uint32_t c = 0; c < strip->count; c += PANEL_COLUMNS, next += share) {
            uint32_t d = strip->count - c < PANEL_COLUMNS ? strip->count - c : PANEL_COLUMNS;
            if (!any_active(job, strip->first + c, d)) continue;
            for (size_t at = 0; at < share; at += LINE)
                __builtin_prefetch((const void *)(next + at), 0, 2);
            qn_columns_load(strip, row, n, c, d, room, panel);
            for (uint32_t k = 0; k < d; k++) {
                if (!job->active[strip->first + c + k]) continue;
                sift(job, worker, strip->first + c + k,
                     (const char *)panel + (size_t)k * room * size, n);
            }
        }
        row += n;
    }
}

static void chunk_task(void *user, uint32_t worker, uint64_t task)
{
    const struct pass *pass = user;
    const struct part *part = pass->parts;
    while (task >= part->first_task + part->chunks) part++;
    const struct qn_strip *strip = part->strip;
    uint64_t row = (task - part->first_task) * part->rows;
    uint64_t left = pass->job->request->batch.rows - row;
    uint64_t rows = left < part->rows ? left : part->rows;
    if (strip->kind == QN_STRIP_CHAIN)
        chain_chunk(pass->job, worker, strip, row, rows);
    else if (strip->packed && strip->count == 1)
        packed_chunk(pass->job, worker, strip, row, rows);
    else
        matrix_chunk(pass->job, worker, strip, row, rows);
}

quern_status qn_select_pass(struct select_job *job, struct qn_threads *threads)
{
    const struct qn_batch *batch = &job->request->batch;
    struct pass pass = {.job = job};
    pass.parts = qn_zalloc(job->n_strips, sizeof *pass.parts);
    if (pass.parts == NULL) return qn_error_memory("selection", job->n_strips * sizeof *pass.parts);
    for (uint32_t i = 0, n = 0; i < job->n_strips; i++) {
        const struct qn_strip *strip = &job->strips[i];
        struct part *part = &pass.parts[n];
        if (!any_active(job, strip->first, strip->count)) continue;
        uint64_t rows = CHUNK_BYTES / qn_strip_row_bytes(batch, strip);
        while (rows > QN_TILE_ROWS && rows * 4 * job->threads > batch->rows * job->n_strips)
            rows /= 2;
        part->strip = strip;
        part->rows = rows < QN_TILE_ROWS ? QN_TILE_ROWS : rows / QN_TILE_ROWS * QN_TILE_ROWS;
        part->chunks = batch->rows / part->rows + (batch->rows % part->rows != 0);
        part->first_task = pass.tasks;
        pass.tasks += part->chunks;
        n++;
    }
    qn_threads_run(threads, pass.tasks, chunk_task, &pass);
    qn_free(pass.parts);
    if (atomic_load(&job->out_of_memory))
        return qn_error(QUERN_OUT_OF_MEMORY, "out of host memory: selection's collected values");
    return QUERN_OK;
}
