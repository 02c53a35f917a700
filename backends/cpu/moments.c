/* SPDX-License-Identifier: Apache-2.0
 * Canonical column moments on the CPU. Work is split into chunks of 1 … 64 blocks of one strip; a
 * chunk's nodes are merged along the perfect binary tree by its thread, the chunks of a group
 * afterwards. Which thread takes which chunk, and how large chunks are, cannot be seen in the result.
 * Weighted rows go the same way, only a block's sums differ; so do the moments of classes, where a block
 * has a node for each lane of a strip and each class, and those of pairs, whose nodes have more fields. */
#include <math.h>
#include <string.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/classes.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/pairs.h"
#include "backends/cpu/reduce_load.h"
#include "backends/cpu/share.h"
#include "backends/cpu/sort_keys.h"
#include "backends/cpu/strips.h"
#include "host/ops/reductions.h"

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
typedef void pair_fn(const struct qn_pair_rows *, double *out);
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
    struct qn_pair_desk pairs;
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
    pair_fn *pair_f32, *pair_f64;
    merge_fn *merge;
    size_t fields; /* of a node */
};

static void choose_loops(struct job *job)
{
    job->block_f32 = moments_block_f32_baseline;
    job->block_f64 = moments_block_f64_baseline;
    job->weighted_f32 = weighted_block_f32_baseline;
    job->weighted_f64 = weighted_block_f64_baseline;
    job->class_f32 = class_block_f32_baseline;
    job->class_f64 = class_block_f64_baseline;
    job->pair_f32 = pair_block_f32_baseline;
    job->pair_f64 = pair_block_f64_baseline;
    job->merge = job->fields == 4 ? moments_merge_f32_baseline : pair_merge_f32_baseline;
#if QN_X86
    enum qn_isa isa = qn_cpu_isa_level();
    if (isa == QN_ISA_AVX512) {
        job->block_f32 = moments_block_f32_avx512;
        job->block_f64 = moments_block_f64_avx512;
        job->weighted_f32 = weighted_block_f32_avx512;
        job->weighted_f64 = weighted_block_f64_avx512;
        job->class_f32 = class_block_f32_avx512;
        job->class_f64 = class_block_f64_avx512;
        job->pair_f32 = pair_block_f32_avx512;
        job->pair_f64 = pair_block_f64_avx512;
        job->merge = job->fields == 4 ? moments_merge_f32_avx512 : pair_merge_f32_avx512;
    } else if (isa == QN_ISA_AVX2) {
        job->block_f32 = moments_block_f32_avx2;
        job->block_f64 = moments_block_f64_avx2;
        job->weighted_f32 = weighted_block_f32_avx2;
        job->weighted_f64 = weighted_block_f64_avx2;
        job->class_f32 = class_block_f32_avx2;
        job->class_f64 = class_block_f64_avx2;
        job->pair_f32 = pair_block_f32_avx2;
        job->pair_f64 = pair_block_f64_avx2;
        job->merge = job->fields == 4 ? moments_merge_f32_avx2 : pair_merge_f32_avx2;
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
    qn_share_forget(&desk->share);
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

/* The same with the rows' targets. */
static void pair_block(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                       uint64_t row, uint32_t rows, double *out)
{
    const struct qn_moments_request *rq = job->request;
    struct qn_pair_rows r = {.data = strip->base + (int64_t)row * strip->stride,
                             .stride = strip->stride,
                             .rows = rows,
                             .columns = strip->count,
                             .targets = rq->targets + row,
                             .desk = &desk->pairs};
    if (strip->kind == QN_STRIP_CHAIN) {
        qn_class_pack(&rq->batch, strip, row, rows, &desk->tile, desk->pairs.packed);
        r.data = (const char *)desk->pairs.packed;
        r.stride = (int64_t)(strip->count * sizeof(double));
    }
    (strip->kind == QN_STRIP_FLOAT ? job->pair_f32 : job->pair_f64)(&r, out);
}

static void block(const struct job *job, struct desk *desk, const struct qn_strip *strip,
                  uint64_t row, uint32_t rows, double *out)
{
    if (job->request->targets != NULL) {
        pair_block(job, desk, strip, row, rows, out);
        return;
    }
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
    size_t size = job->fields * d;
    for (; n > 1 && levels[n - 1] == levels[n - 2]; n--) {
        job->merge(stack + (n - 2) * size, stack + (n - 1) * size, d);
        levels[n - 2]++;
    }
    return n;
}

static void fold_stack(const struct job *job, double *stack, uint32_t n, size_t d)
{
    size_t size = job->fields * d;
    for (; n > 1; n--) job->merge(stack + (n - 2) * size, stack + (n - 1) * size, d);
}

static void chunk_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    struct desk *desk = &job->desks[worker];
    const struct part *part = job->parts;
    while (task >= part->first_task + part->chunks) part++;
    uint64_t chunk = task - part->first_task, total = job->request->batch.rows;
    size_t d = part->width, size = job->fields * d;
    uint32_t n = 0, levels[LEVELS];
    for (uint32_t b = 0; b < part->blocks; b++) {
        uint64_t row = (chunk * part->blocks + b) * QN_BLOCK_ROWS;
        if (row >= total) break;
        uint64_t left = total - row;
        block(job, desk, &part->strip, row, left < QN_BLOCK_ROWS ? (uint32_t)left : QN_BLOCK_ROWS,
              desk->stack + n * size);
        levels[n++] = 0;
        n = settle(job, desk->stack, levels, n, d);
    }
    fold_stack(job, desk->stack, n, d);
    memcpy(part->nodes + chunk * size, desk->stack, size * sizeof(double));
}

static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

/* A group's nodes, by field, to where the request wants them. */
static void put_nodes(const struct job *job, const struct part *part, uint64_t group,
                      const double *from)
{
    size_t d = part->width, lanes = part->strip.count, classes = d / lanes;
    uint64_t at = group * job->request->batch.n_lanes + part->strip.first;
    for (size_t c = 0; c < d; c++) {
        struct qn_node node = {from[c], canonical(from[d + c]), canonical(from[2 * d + c]),
                               canonical(from[3 * d + c])};
        if (job->fields == 4)
            job->request->nodes[at * classes + c % lanes * classes + c / lanes] = node;
        else
            job->request->pairs[at + c] =
                (struct qn_pair){node,
                                 {node.n, from[4 * d + c], from[5 * d + c], from[6 * d + c]},
                                 canonical(from[7 * d + c])};
    }
}

/* The chunks of one group of a part become its nodes, in place of the chunks' own. */
static void finish_group(const struct job *job, const struct part *part, uint64_t group)
{
    size_t d = part->width, size = job->fields * d;
    uint32_t per_group = QN_GROUP_BLOCKS / part->blocks, n = 0, levels[LEVELS];
    uint64_t first = group * per_group;
    double *stack = part->nodes + first * size;
    for (uint32_t k = 0; k < per_group && first + k < part->chunks; k++) {
        if (n != k) memcpy(stack + n * size, stack + k * size, size * sizeof(double));
        levels[n++] = 0;
        n = settle(job, stack, levels, n, d);
    }
    fold_stack(job, stack, n, d);
    put_nodes(job, part, group, stack);
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
        if (qn_mul_size(job->parts[i].chunks, job->fields * job->parts[i].width, &count) ||
            qn_add_size(total, count, &total))
            return qn_error_memory("moments", UINT64_MAX);
    }
    if (qn_mul_size(total, sizeof(double), &bytes)) return qn_error_memory("moments", UINT64_MAX);
    job->memory = qn_alloc_aligned(total, sizeof(double));
    if (job->memory == NULL) return qn_error_memory("moments", bytes);
    double *at = job->memory;
    for (uint32_t i = 0; i < job->n_parts; i++) {
        job->parts[i].nodes = at;
        at += job->parts[i].chunks * job->fields * job->parts[i].width;
    }
    return QUERN_OK;
}

static void close_desk(struct desk *desk)
{
    qn_free(desk->work);
    qn_free(desk->packed);
    qn_class_desk_close(&desk->classes);
    qn_pair_desk_close(&desk->pairs);
}

/* Classes and pairs have memory of their own beside the stack. */
static int open_desk(const struct job *job, struct desk *desk, size_t work, size_t stack,
                     size_t packed)
{
    *desk = (struct desk){.work = qn_alloc_aligned(work + stack, sizeof(double)),
                          .packed = packed != 0 ? qn_alloc_aligned(packed, 1) : NULL};
    if (desk->work != NULL && (packed == 0 || desk->packed != NULL) &&
        qn_class_desk_open(job->request->n_classes, &desk->classes) &&
        (job->request->targets == NULL || qn_pair_desk_open(&desk->pairs))) {
        desk->stack = desk->work + work;
        return 1;
    }
    close_desk(desk);
    return 0;
}

static quern_status open_desks(struct job *job, uint32_t threads)
{
    size_t widest = 1, packed = 0, stack;
    int plain = job->request->n_classes == 0 && job->request->targets == NULL;
    for (uint32_t i = 0; i < job->n_parts; i++) {
        const struct qn_strip *strip = &job->parts[i].strip;
        if (job->parts[i].width > widest) widest = job->parts[i].width;
        if (plain && strip->kind != QN_STRIP_CHAIN && !strip->packed)
            packed = (size_t)QN_BLOCK_ROWS * QN_STRIP_GAPPED * sizeof(double);
    }
    size_t work = plain ? 64 * widest : 0;
    job->desks = qn_alloc_aligned(threads, sizeof *job->desks);
    if (job->desks == NULL) return qn_error_memory("moments", threads * sizeof *job->desks);
    if (qn_mul_size(widest, (plain ? 64 : 0) + job->fields * LEVELS, &stack))
        return qn_error_memory("moments", UINT64_MAX);
    stack -= work;
    for (; job->n_desks < threads; job->n_desks++)
        if (!open_desk(job, &job->desks[job->n_desks], work, stack, packed))
            return qn_error_memory("moments", (work + stack) * sizeof(double));
    return QUERN_OK;
}

static void close_job(struct job *job)
{
    for (uint32_t i = 0; i < job->n_desks; i++) close_desk(&job->desks[i]);
    qn_free(job->desks);
    qn_free(job->memory);
    qn_free(job->parts);
}

quern_status qn_cpu_moments(struct qn_threads *threads, const struct qn_moments_request *request)
{
    struct job job = {.request = request, .fields = request->targets != NULL ? QN_PAIR_FIELDS : 4};
    struct qn_strip *strips = NULL;
    quern_status status = QUERN_OK;
    uint32_t size = qn_threads_size(threads);
    if (request->batch.rows == 0 || request->batch.n_lanes == 0) return QUERN_OK;

    choose_loops(&job);
    QN_GO(request->n_classes != 0 || request->targets != NULL
              ? qn_class_strips(&request->batch, &strips, &job.n_parts)
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

/* ---- many short lines ---- */

enum { LINES_BYTES = 1 << 18 }; /* read by one task */

struct lines_job {
    const struct qn_lines *in;
    const struct job *loops;
    struct qn_node *nodes;
    uint64_t per_task;
};

static void lines_task(void *user, uint32_t worker, uint64_t task)
{
    const struct lines_job *job = user;
    const struct qn_lines *in = job->in;
    uint64_t line = task * job->per_task, end = line + job->per_task;
    int is_float = in->type == QN_T_F32, masked = 0;
    enum qn_element as = is_float ? QN_ELEMENT_F32 : QN_ELEMENT_F64;
    double loaded[QN_BLOCK_ROWS], work[64], node[4];
    (void)worker;
    for (; line < end && line < in->lines; line++) {
        const void *data = qn_lines_at(in, line, 0);
        int lies_well = (uintptr_t)data % qn_element_bytes(as) == 0 &&
                        in->stride == (int64_t)qn_element_bytes(as);
        if (!(is_float || in->type == QN_T_F64) || !lies_well) {
            qn_reduce_load(in->type, as, 0, data, in->stride, (size_t)in->n, loaded);
            data = loaded;
        }
        (is_float ? job->loops->block_f32 : job->loops->block_f64)(data, (uint32_t)in->n, 1, work,
                                                                   node, &masked);
        job->nodes[line] =
            (struct qn_node){node[0], canonical(node[1]), canonical(node[2]), canonical(node[3])};
    }
}

void qn_cpu_moments_lines(struct qn_threads *threads, const struct qn_lines *in,
                          struct qn_node *nodes)
{
    struct job loops = {0};
    struct lines_job job = {in, &loops, nodes, 1};
    if (in->lines == 0 || in->n == 0) return;
    choose_loops(&loops);
    job.per_task = LINES_BYTES / (in->n * sizeof(double)) + 1;
    qn_threads_run(threads, ceil_div(in->lines, job.per_task), lines_task, &job);
}
