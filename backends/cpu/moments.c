/* SPDX-License-Identifier: Apache-2.0
 * Canonical column moments on the CPU. Work is split into chunks of 1 … 64 blocks of one strip; a
 * chunk's nodes are merged along the perfect binary tree by its thread, the chunks of a group
 * afterwards. Which thread takes which chunk, and how large chunks are, cannot be seen in the result.
 * Weighted rows go the same way, only a block's sums differ; so do the moments of classes, where a block
 * has a node for each lane of a strip and each class. */
#include <math.h>
#include <string.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/classes.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/share.h"
#include "backends/cpu/strips.h"

#if QN_X86
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* How much of a block is read side by side, without and with a mask, and how much of the nearest cache the
 * accumulators of a row may take (bytes). */
enum { STRETCH_BYTES = 64 << 10, MASKED_BYTES = 256 << 10, NEAR_BYTES = 32 << 10 };

/* How a block is walked: a stretch of periods (a power of two) at a time, over all positions; each load
 * asks memory for what lies `ahead` of it (bytes). */
struct walk {
    uint32_t stretch;
    size_t ahead;
};

/* A stretch is read as parallel streams, each straight through memory, which is what memory is good at,
 * and asks for the next stretch. Where the accumulators of a row are too many to come and go, they stay
 * in registers over the whole block, and a tile asks for its neighbour. */
static struct walk walk(size_t period, size_t element, size_t tile, size_t most)
{
    struct walk w = {QN_BLOCK_ROWS / QN_BLOCK_LANES, tile * element};
    if (period * 3 * sizeof(double) > NEAR_BYTES) return w;
    while (w.stretch > 4 && w.stretch * period * element > most) w.stretch /= 2;
    w.ahead = w.stretch * period * element;
    return w;
}

#define QN_SUFFIX f32_baseline
#define QN_LEVEL 0
#define QN_IS_FLOAT 1
#define ELT float
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#define QN_SUFFIX f64_baseline
#define QN_IS_FLOAT 0
#define ELT double
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_IS_FLOAT
#undef ELT
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX f32_avx2
#define QN_LEVEL 1
#define QN_IS_FLOAT 1
#define ELT float
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#define QN_SUFFIX f64_avx2
#define QN_IS_FLOAT 0
#define ELT double
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_IS_FLOAT
#undef ELT
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX f32_avx512
#define QN_LEVEL 2
#define QN_IS_FLOAT 1
#define ELT float
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_IS_FLOAT
#undef ELT
#define QN_SUFFIX f64_avx512
#define QN_IS_FLOAT 0
#define ELT double
#include "backends/cpu/moments_body.h"
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_IS_FLOAT
#undef ELT
QN_TARGET_END
#endif

typedef void block_fn(const void *data, uint32_t rows, size_t d, double *work, double *out,
                      int *masked);
typedef void weighted_fn(const void *data, const double *weights, uint32_t rows, size_t d,
                         double *work, double *out);
typedef void class_fn(const struct qn_class_rows *, double *out);
typedef void merge_fn(double *a, const double *b, size_t d);

enum {
    CHUNK_BYTES = 1 << 20, /* read by one task: long enough to stream, short enough to balance */
    LEVELS = 8             /* nodes that wait for their sibling: 64 blocks are 7 levels */
};

/* A strip with its split into chunks. */
struct part {
    struct qn_strip strip;
    size_t width;    /* nodes of a block: lanes, times classes where there are some */
    uint32_t blocks; /* per chunk, a power of two */
    uint64_t chunks, first_task;
    double *nodes; /* [chunk][field][class][lane] */
};

/* What one thread works in. */
struct desk {
    double *work;  /* 64 d */
    double *stack; /* [LEVELS][field][class][lane] */
    char *packed;  /* a block of a gapped strip */
    struct qn_class_desk classes;
    union qn_tile tile;
    struct qn_share share;
    int masked; /* the last block had missing values: expect them in the next */
};

struct job {
    const struct qn_moments_request *request;
    struct part *parts;
    uint32_t n_parts;
    uint64_t tasks;
    struct desk *desks;
    uint32_t n_desks;
    double *memory; /* of all parts' nodes */
    block_fn *block_f32, *block_f64;
    weighted_fn *weighted_f32, *weighted_f64;
    class_fn *class_f32, *class_f64;
    merge_fn *merge;
};

static void choose_loops(struct job *job)
{
    job->block_f32 = moments_block_f32_baseline;
    job->block_f64 = moments_block_f64_baseline;
    job->weighted_f32 = weighted_block_f32_baseline;
    job->weighted_f64 = weighted_block_f64_baseline;
    job->class_f32 = class_block_f32_baseline;
    job->class_f64 = class_block_f64_baseline;
    job->merge = moments_merge_f32_baseline;
#if QN_X86
    enum qn_isa isa = qn_cpu_isa_level();
    if (isa == QN_ISA_AVX512) {
        job->block_f32 = moments_block_f32_avx512;
        job->block_f64 = moments_block_f64_avx512;
        job->weighted_f32 = weighted_block_f32_avx512;
        job->weighted_f64 = weighted_block_f64_avx512;
        job->class_f32 = class_block_f32_avx512;
        job->class_f64 = class_block_f64_avx512;
        job->merge = moments_merge_f32_avx512;
    } else if (isa == QN_ISA_AVX2) {
        job->block_f32 = moments_block_f32_avx2;
        job->block_f64 = moments_block_f64_avx2;
        job->weighted_f32 = weighted_block_f32_avx2;
        job->weighted_f64 = weighted_block_f64_avx2;
        job->class_f32 = class_block_f32_avx2;
        job->class_f64 = class_block_f64_avx2;
        job->merge = moments_merge_f32_avx2;
    }
#endif
}

/* ---- one block ---- */

/* Packed rows of d columns, the first of them row `row` of the batch. */
static void sum_block(const struct job *job, struct desk *desk, int is_float, const void *data,
                      uint64_t row, uint32_t rows, size_t d, double *out)
{
    const double *weights = job->request->weights;
    if (weights != NULL)
        (is_float ? job->weighted_f32 : job->weighted_f64)(data, weights + row, rows, d, desk->work,
                                                           out);
    else
        (is_float ? job->block_f32 : job->block_f64)(data, rows, d, desk->work, out, &desk->masked);
}

/* Lanes' blocks through their chains. */
static void chain_blocks(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                         uint64_t row, uint32_t rows, double *out)
{
    const struct qn_batch *batch = &job->request->batch;
    union qn_tile *tile = &desk->tile;
    desk->share.lane = NULL;
    for (uint32_t c = 0; c < strip->count; c++) {
        double node[4];
        uint32_t work = qn_share_eval(batch, &batch->lanes[strip->first], c, strip->count, row,
                                      rows, &desk->share, tile);
        if (work != QN_W_F32) qn_tile_widen(work, rows, tile);
        sum_block(job, desk, work == QN_W_F32, tile, row, rows, 1, node);
        for (uint32_t k = 0; k < 4; k++) out[(size_t)k * strip->count + c] = node[k];
    }
}

/* The rows of a strip by classes, where they lie; chains are first made into packed rows. */
static void class_block(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                        uint64_t row, uint32_t rows, double *out)
{
    const struct qn_moments_request *rq = job->request;
    struct qn_class_rows r = {.data = strip->base + (int64_t)row * strip->stride,
                              .stride = strip->stride,
                              .rows = rows,
                              .columns = strip->count,
                              .classes = rq->n_classes,
                              .codes = rq->codes + row,
                              .desk = &desk->classes};
    if (strip->kind == QN_STRIP_CHAIN) {
        qn_class_pack(&rq->batch, strip, row, rows, &desk->tile, desk->classes.packed);
        r.data = (const char *)desk->classes.packed;
        r.stride = (int64_t)(strip->count * sizeof(double));
    }
    (strip->kind == QN_STRIP_FLOAT ? job->class_f32 : job->class_f64)(&r, out);
}

static void block(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                  uint64_t row, uint32_t rows, double *out)
{
    if (job->request->n_classes != 0) {
        class_block(job, desk, strip, row, rows, out);
        return;
    }
    if (strip->kind == QN_STRIP_CHAIN) {
        chain_blocks(job, desk, strip, row, rows, out);
        return;
    }
    const char *data = strip->base + (int64_t)row * strip->stride;
    int is_float = strip->kind == QN_STRIP_FLOAT;
    if (!strip->packed) {
        size_t bytes = strip->count * (is_float ? sizeof(float) : sizeof(double));
        for (uint32_t i = 0; i < rows; i++)
            memcpy(desk->packed + i * bytes, data + (int64_t)i * strip->stride, bytes);
        data = desk->packed;
    }
    sum_block(job, desk, is_float, data, row, rows, strip->count, out);
}

/* ---- the tree ---- */

/* The node at the stack's top, of level `level`, joins its equals. */
static uint32_t settle(const struct job *job, double *stack, uint32_t *levels, uint32_t n, size_t d)
{
    for (; n > 1 && levels[n - 1] == levels[n - 2]; n--) {
        job->merge(stack + (n - 2) * 4 * d, stack + (n - 1) * 4 * d, d);
        levels[n - 2]++;
    }
    return n;
}

static void fold_stack(const struct job *job, double *stack, uint32_t n, size_t d)
{
    for (; n > 1; n--) job->merge(stack + (n - 2) * 4 * d, stack + (n - 1) * 4 * d, d);
}

static void chunk_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    struct desk *desk = &job->desks[worker];
    const struct part *part = job->parts;
    while (task >= part->first_task + part->chunks) part++;
    uint64_t chunk = task - part->first_task, total = job->request->batch.rows;
    size_t d = part->width;
    uint32_t n = 0, levels[LEVELS];
    for (uint32_t b = 0; b < part->blocks; b++) {
        uint64_t row = (chunk * part->blocks + b) * QN_BLOCK_ROWS;
        if (row >= total) break;
        uint64_t left = total - row;
        block(job, desk, &part->strip, row, left < QN_BLOCK_ROWS ? (uint32_t)left : QN_BLOCK_ROWS,
              desk->stack + n * 4 * d);
        levels[n++] = 0;
        n = settle(job, desk->stack, levels, n, d);
    }
    fold_stack(job, desk->stack, n, d);
    memcpy(part->nodes + chunk * 4 * d, desk->stack, 4 * d * sizeof(double));
}

static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

/* The chunks of one group of a part into the request's nodes, in place of the chunks' own. */
static void finish_group(const struct job *job, const struct part *part, uint64_t group)
{
    size_t d = part->width, lanes = part->strip.count, classes = d / lanes;
    uint32_t per_group = QN_GROUP_BLOCKS / part->blocks, n = 0, levels[LEVELS];
    uint64_t first = group * per_group;
    double *stack = part->nodes + first * 4 * d;
    for (uint32_t k = 0; k < per_group && first + k < part->chunks; k++) {
        if (n != k) memcpy(stack + n * 4 * d, stack + k * 4 * d, 4 * d * sizeof(double));
        levels[n++] = 0;
        n = settle(job, stack, levels, n, d);
    }
    fold_stack(job, stack, n, d);
    struct qn_node *out =
        job->request->nodes + (group * job->request->batch.n_lanes + part->strip.first) * classes;
    for (size_t c = 0; c < d; c++) {
        struct qn_node *node = &out[c % lanes * classes + c / lanes];
        node->n = stack[c];
        node->hi = canonical(stack[d + c]);
        node->lo = canonical(stack[2 * d + c]);
        node->m2 = canonical(stack[3 * d + c]);
    }
}

static void group_task(void *user, uint32_t worker, uint64_t group)
{
    const struct job *job = user;
    (void)worker;
    for (uint32_t i = 0; i < job->n_parts; i++) finish_group(job, &job->parts[i], group);
}

/* ---- the plan ---- */

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Chunks of about CHUNK_BYTES, but at least a few per thread. */
static void split(struct job *job, struct part *part, uint32_t threads)
{
    const struct qn_batch *batch = &job->request->batch;
    uint64_t bytes = qn_strip_row_bytes(batch, &part->strip) * QN_BLOCK_ROWS;
    uint64_t blocks = ceil_div(batch->rows, QN_BLOCK_ROWS);
    part->blocks = QN_GROUP_BLOCKS;
    while (part->blocks > 1 && (part->blocks * bytes > CHUNK_BYTES ||
                                ceil_div(blocks, part->blocks) * job->n_parts < 4ull * threads))
        part->blocks /= 2;
    part->chunks = ceil_div(blocks, part->blocks);
    part->first_task = job->tasks;
    job->tasks += part->chunks;
}

static quern_status open_nodes(struct job *job)
{
    size_t total = 0, bytes;
    for (uint32_t i = 0; i < job->n_parts; i++) {
        size_t count;
        if (qn_mul_size(job->parts[i].chunks, 4 * job->parts[i].width, &count) ||
            qn_add_size(total, count, &total))
            return qn_error_memory("moments", UINT64_MAX);
    }
    if (qn_mul_size(total, sizeof(double), &bytes)) return qn_error_memory("moments", UINT64_MAX);
    job->memory = qn_alloc_aligned(total, sizeof(double));
    if (job->memory == NULL) return qn_error_memory("moments", bytes);
    double *at = job->memory;
    for (uint32_t i = 0; i < job->n_parts; i++) {
        job->parts[i].nodes = at;
        at += job->parts[i].chunks * 4 * job->parts[i].width;
    }
    return QUERN_OK;
}

static quern_status open_desks(struct job *job, uint32_t threads)
{
    size_t widest = 1;
    int gapped = 0;
    for (uint32_t i = 0; i < job->n_parts; i++) {
        const struct qn_strip *strip = &job->parts[i].strip;
        if (job->parts[i].width > widest) widest = job->parts[i].width;
        if (strip->kind != QN_STRIP_CHAIN && !strip->packed) gapped = job->request->n_classes == 0;
    }
    size_t work = job->request->n_classes == 0 ? 64 : 0; /* classes have their own */
    size_t packed = (size_t)QN_BLOCK_ROWS * QN_STRIP_GAPPED * sizeof(double);
    job->desks = qn_alloc_aligned(threads, sizeof *job->desks);
    if (job->desks == NULL) return qn_error_memory("moments", threads * sizeof *job->desks);
    for (; job->n_desks < threads; job->n_desks++) {
        struct desk *desk = &job->desks[job->n_desks];
        size_t room;
        if (qn_mul_size(widest, work + 4 * LEVELS, &room))
            return qn_error_memory("moments", UINT64_MAX);
        desk->work = qn_alloc_aligned(room, sizeof(double));
        desk->packed = gapped ? qn_alloc_aligned(packed, 1) : NULL;
        desk->masked = 0;
        if (desk->work == NULL || (gapped && desk->packed == NULL) ||
            !qn_class_desk_open(job->request->n_classes, &desk->classes)) {
            qn_free(desk->work);
            qn_free(desk->packed);
            return qn_error_memory("moments", room * sizeof(double));
        }
        desk->stack = desk->work + work * widest;
    }
    return QUERN_OK;
}

static void close_job(struct job *job)
{
    for (uint32_t i = 0; i < job->n_desks; i++) {
        qn_free(job->desks[i].work);
        qn_free(job->desks[i].packed);
        qn_class_desk_close(&job->desks[i].classes);
    }
    qn_free(job->desks);
    qn_free(job->memory);
    qn_free(job->parts);
}

quern_status qn_cpu_moments(struct qn_threads *threads, const struct qn_moments_request *request)
{
    struct job job = {.request = request};
    struct qn_strip *strips = NULL;
    quern_status status = QUERN_OK;
    uint32_t size = qn_threads_size(threads);
    if (request->batch.rows == 0 || request->batch.n_lanes == 0) return QUERN_OK;

    choose_loops(&job);
    QN_GO(request->n_classes != 0 ? qn_class_strips(&request->batch, &strips, &job.n_parts)
                                  : qn_strips_make(&request->batch, &strips, &job.n_parts));
    job.parts = qn_zalloc(job.n_parts, sizeof *job.parts);
    if (job.parts == NULL) {
        status = qn_error_memory("moments", job.n_parts * sizeof *job.parts);
        goto cleanup;
    }
    for (uint32_t i = 0; i < job.n_parts; i++) {
        job.parts[i].strip = strips[i];
        job.parts[i].width = strips[i].count;
        if (request->n_classes != 0) job.parts[i].width *= request->n_classes;
        split(&job, &job.parts[i], size);
    }
    QN_GO(open_nodes(&job));
    QN_GO(open_desks(&job, size));
    qn_threads_run(threads, job.tasks, chunk_task, &job);
    qn_threads_run(threads, ceil_div(request->batch.rows, QN_GROUP_ROWS), group_task, &job);
cleanup:
    close_job(&job);
    qn_free(strips);
    return status;
}
