/* SPDX-License-Identifier: Apache-2.0
 * Reductions of lines on the CPU: some lines side by side (all of a narrow matrix), some blocks of them a
 * task. Values that lie as the loops want them are read where they are, others are brought into 16 rows
 * of a small array first. Every block becomes a node of each line; a line's nodes are joined at the end. */
#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/reduce_load.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/ops/reductions.h"

enum {
    PARTS = QN_REDUCE_PARTS,
    WIDTH = 64,            /* lines side by side, at most */
    ALONE = 128,           /* positions of one line, where the order is free */
    CELLS = PARTS * WIDTH, /* positions, and values that are brought at a time; a block's rows */
    TASK_BYTES = 1 << 20,  /* read by one task */
    NODES = 1 << 18        /* waiting to be joined, or WIDTH lines' */
};

/* What a position has gathered. */
struct cells {
    union {
        double f64[CELLS];
        float f32[CELLS];
        int64_t i64[CELLS];
        uint64_t u64[CELLS];
        uint32_t u32[CELLS]; /* counts of float32; sums and counts of bytes */
    } a;
    double b[CELLS];
    uint32_t missing[CELLS];
    union {
        double f64[CELLS];
        float f32[CELLS];
        int64_t i64[CELLS];
        uint8_t u8[CELLS];
    } loaded;
};

/* `periods` periods of n values, `step` bytes apart, into n cells. */
typedef void loop_fn(const void *data, size_t n, size_t periods, ptrdiff_t step, struct cells *);
struct loops {
    loop_fn *sum[2][2], *line[2][2], *product[2][2]; /* by element and whether NaN is skipped */
    loop_fn *min[3], *max[3], *count[4], *sum_int[2], *product_int;
    void (*halve)(size_t n, struct cells *);
};

#define VW (QN_VECTOR_BYTES / 8)
#define QN_BODY "backends/cpu/reduce_body.h"
#include "backends/cpu/isa_each.h"

static const struct loops *loops_of_isa(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &loops_avx512;
    case QN_ISA_AVX2: return &loops_avx2;
    default: break;
    }
#endif
    return &loops_baseline;
}

struct job {
    const struct qn_reduce_request *rq;
    const struct loops *loops;
    loop_fn *loop, *line; /* line: of 16 positions of one line, where order counts */
    enum qn_element element;
    int direct, flip; /* direct: values are read where they lie */
    uint64_t top;     /* what makes an int64 of the loops its type's key */
    uint64_t first;   /* line of the wave */
    uint64_t lines, width, tiles, tiles_per_task;
    uint64_t blocks, per_task, runs; /* blocks of a line; of a task; tasks of a tile */
    struct qn_reduced *nodes;        /* [line of the wave][block]; of one block: the request's */
    struct cells *desks;
};

/* ---- what loop ---- */

static int ordered(uint32_t kind)
{
    return kind == QN_REDUCE_SUM || kind == QN_REDUCE_PRODUCT;
}

static int is_extreme(uint32_t kind)
{
    return kind == QN_REDUCE_MIN || kind == QN_REDUCE_MAX;
}

static enum qn_element element_of(uint32_t kind, uint32_t type)
{
    if (type == QN_T_F32) return QN_ELEMENT_F32;
    if (type == QN_T_F64 || ordered(kind)) return QN_ELEMENT_F64;
    int byte = type == QN_T_U8 || type == QN_T_BOOL;
    if (byte && (kind == QN_REDUCE_COUNT || kind == QN_REDUCE_SUM_INT)) return QN_ELEMENT_U8;
    return QN_ELEMENT_I64;
}

static void choose(struct job *job)
{
    const struct loops *l = job->loops;
    uint32_t kind = job->rq->kind, skip = job->rq->skip != 0, e = job->element;
    job->line = NULL;
    if (kind == QN_REDUCE_SUM) {
        job->loop = l->sum[e][skip];
        job->line = l->line[e][skip];
    } else if (kind == QN_REDUCE_PRODUCT) {
        job->loop = l->product[e][skip];
    } else if (kind == QN_REDUCE_SUM_INT && job->rq->in.type == QN_T_BOOL) {
        job->loop = l->count[e]; /* any byte but 0 is true */
    } else if (kind == QN_REDUCE_SUM_INT) {
        job->loop = l->sum_int[e == QN_ELEMENT_U8];
    } else if (kind == QN_REDUCE_PRODUCT_INT) {
        job->loop = l->product_int;
    } else {
        job->loop = (kind == QN_REDUCE_MIN ? l->min : kind == QN_REDUCE_MAX ? l->max : l->count)[e];
    }
}

static int is_float(const struct job *job)
{
    return job->element == QN_ELEMENT_F32 || job->element == QN_ELEMENT_F64;
}

/* ---- cells ---- */

static void clear(const struct job *job, size_t n, struct cells *c)
{
    uint32_t kind = job->rq->kind;
    memset(c->missing, 0, n * sizeof *c->missing);
    if (kind == QN_REDUCE_SUM) memset(c->b, 0, n * sizeof *c->b);
    if (kind == QN_REDUCE_PRODUCT) {
        for (size_t i = 0; i < n; i++) c->a.f64[i] = 1.0;
    } else if (kind == QN_REDUCE_PRODUCT_INT) {
        for (size_t i = 0; i < n; i++) c->a.u64[i] = 1;
    } else if (!is_extreme(kind)) {
        memset(&c->a, 0, n * sizeof *c->a.u64);
    } else if (job->element == QN_ELEMENT_F32) {
        for (size_t i = 0; i < n; i++) c->a.f32[i] = kind == QN_REDUCE_MIN ? INFINITY : -INFINITY;
    } else if (job->element == QN_ELEMENT_F64) {
        double far = kind == QN_REDUCE_MIN ? (double)INFINITY : -(double)INFINITY;
        for (size_t i = 0; i < n; i++) c->a.f64[i] = far;
    } else {
        for (size_t i = 0; i < n; i++) c->a.i64[i] = kind == QN_REDUCE_MIN ? INT64_MAX : INT64_MIN;
    }
}

/* The key of a cell, as the kernels have it. */
static uint64_t key_of(const struct job *job, const struct cells *c, size_t at)
{
    uint64_t key = job->element == QN_ELEMENT_F32   ? qn_reduce_key((double)c->a.f32[at])
                   : job->element == QN_ELEMENT_F64 ? qn_reduce_key(c->a.f64[at])
                                                    : c->a.u64[at] ^ job->top;
    return job->rq->kind == QN_REDUCE_MAX ? ~key : key;
}

/* The first place in n values of a line with this key, which is there; 0 is that of NaN. */
static uint64_t place_of(const struct job *job, uint64_t line, uint64_t first, uint64_t n,
                         uint64_t wanted, struct cells *c)
{
    const struct qn_lines *in = &job->rq->in;
    qn_reduce_load(in->type, job->element, job->flip, qn_lines_at(in, line, first), in->stride, n,
                   &c->loaded);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key = 0;
        if (job->element == QN_ELEMENT_I64) {
            key = (uint64_t)c->loaded.i64[i] ^ job->top;
        } else {
            double x = job->element == QN_ELEMENT_F32 ? (double)c->loaded.f32[i] : c->loaded.f64[i];
            if (x != x && wanted != 0) continue;
            if (x != x) return first + i;
            if (wanted == 0) continue;
            key = qn_reduce_key(x);
        }
        if ((job->rq->kind == QN_REDUCE_MAX ? ~key : key) == wanted) return first + i;
    }
    return first;
}

/* Sums and counts of `parts` positions, `width` apart. */
static uint64_t total_of(const struct job *job, size_t parts, size_t width, size_t w,
                         const struct cells *c)
{
    uint64_t total = 0;
    if (job->element == QN_ELEMENT_U8 || job->element == QN_ELEMENT_F32)
        for (size_t p = 0; p < parts; p++) total += c->a.u32[p * width + w];
    else
        for (size_t p = 0; p < parts; p++) total += c->a.u64[p * width + w];
    return total;
}

/* Line w of `width`, whose parts are `width` positions apart, after join_parts. */
static struct qn_reduced node_of(const struct job *job, uint64_t first, uint64_t rows, size_t parts,
                                 size_t width, size_t w, const struct cells *c)
{
    uint32_t kind = job->rq->kind;
    struct qn_reduced r = qn_reduce_empty(kind);
    if (is_float(job)) r.missing = c->missing[w];
    if (ordered(kind)) {
        r.a = c->a.u64[w];
        r.b = kind == QN_REDUCE_SUM ? QN_BITS64(c->b[w]) : 0;
    } else if (is_extreme(kind)) {
        if (r.missing == rows && job->rq->skip) return r;
        r.place = first; /* where to look for it */
        r.a = r.missing != 0 && !job->rq->skip ? 0 : key_of(job, c, w);
    } else if (kind == QN_REDUCE_PRODUCT_INT) {
        for (size_t p = 0; p < parts; p++) r.a *= c->a.u64[p * width + w];
    } else {
        r.a = total_of(job, parts, width, w, c);
    }
    return r;
}

/* The later of n * 2 positions join the earlier ones. */
static void halve(const struct job *job, size_t n, struct cells *c)
{
    uint32_t kind = job->rq->kind;
    size_t bytes = qn_element_bytes(job->element);
    if (is_float(job))
        for (size_t i = 0; i < n; i++) c->missing[i] += c->missing[i + n];
    if (kind == QN_REDUCE_SUM)
        job->loops->halve(n, c);
    else if (kind == QN_REDUCE_PRODUCT)
        for (size_t i = 0; i < n; i++) c->a.f64[i] *= c->a.f64[i + n];
    else if (is_extreme(kind)) /* an extreme is a value like any other, and not NaN */
        job->loop((const char *)&c->a + n * bytes, n, 1, 0, c);
}

/* What is not made a sum by node_of, joined; the number of parts is a power of two. */
static void join_parts(const struct job *job, size_t parts, size_t width, struct cells *c)
{
    if (!is_float(job) && !is_extreme(job->rq->kind)) return;
    for (size_t h = parts / 2; h > 0; h /= 2) halve(job, h * width, c);
}

/* ---- blocks ---- */

/* Rows first … first + rows of `width` lines side by side, `parts` rows at a time. */
static void block_of_lines(const struct job *job, uint64_t line, uint64_t first, uint64_t rows,
                           size_t parts, size_t width, struct cells *c)
{
    const struct qn_lines *in = &job->rq->in;
    const char *data = qn_lines_at(in, line, first);
    size_t bytes = qn_element_bytes(job->element), row_bytes = width * bytes;
    if (job->direct && (in->stride == (int64_t)row_bytes || parts == 1)) {
        size_t periods = rows / parts, rest = rows % parts;
        ptrdiff_t step = (ptrdiff_t)parts * in->stride;
        job->loop(data, parts * width, periods, step, c);
        job->loop(data + (ptrdiff_t)periods * step, rest * width, 1, 0, c);
        return;
    }
    for (uint64_t i = 0; i < rows; i += PARTS) {
        size_t n = rows - i < PARTS ? (size_t)(rows - i) : (size_t)PARTS;
        char *to = (char *)&c->loaded;
        for (size_t k = 0; k < n; k++, data += in->stride, to += row_bytes) {
            if (job->direct)
                memcpy(to, data, row_bytes);
            else
                qn_reduce_load(in->type, job->element, job->flip, data, in->line_stride, width, to);
        }
        if (parts == PARTS)
            job->loop(&c->loaded, n * width, 1, 0, c);
        else
            job->loop(&c->loaded, width, n, (ptrdiff_t)row_bytes, c);
    }
}

/* How many rows side by side: what a packed matrix has contiguous, or what the order demands; else one. */
static size_t parts_of(const struct job *job, uint64_t rows, uint64_t width)
{
    int64_t row_bytes = (int64_t)(width * qn_element_bytes(job->element));
    size_t parts = ALONE;
    if (ordered(job->rq->kind)) return PARTS;
    if (job->width > 1) return job->direct && job->rq->in.stride == row_bytes ? PARTS : 1;
    while (parts > 1 && parts * 4 > rows) parts /= 2;
    return parts;
}

/* The same of one line, in `parts` parts. */
static void block_of_line(const struct job *job, uint64_t line, uint64_t first, uint64_t rows,
                          size_t parts, struct cells *c)
{
    const struct qn_lines *in = &job->rq->in;
    size_t bytes = qn_element_bytes(job->element), periods = rows / parts, rest = rows % parts;
    const char *data = qn_lines_at(in, line, first);
    if (!job->direct) {
        qn_reduce_load(in->type, job->element, job->flip, data, in->stride, rows, &c->loaded);
        data = (const char *)&c->loaded;
    }
    (job->line != NULL ? job->line : job->loop)(data, parts, periods, (ptrdiff_t)(parts * bytes),
                                                c);
    if (rest != 0) job->loop(data + periods * parts * bytes, rest, 1, 0, c);
}

/* Where the extreme of a finished line is, within the block that its node names. */
static void find_place(const struct job *job, uint64_t line, struct qn_reduced *r, struct cells *c)
{
    uint64_t n = job->rq->in.n - r->place;
    if (!job->rq->places || r->place == UINT64_MAX) return;
    r->place =
        place_of(job, line, r->place, n < QN_BLOCK_ROWS ? n : (uint64_t)QN_BLOCK_ROWS, r->a, c);
}

/* A block of some lines into their nodes. */
static void block_task(const struct job *job, uint64_t at, uint64_t width, uint64_t block,
                       struct cells *c)
{
    uint64_t first = block * QN_BLOCK_ROWS, left = job->rq->in.n - first;
    uint64_t rows = left < QN_BLOCK_ROWS ? left : (uint64_t)QN_BLOCK_ROWS;
    size_t parts = parts_of(job, rows, width);
    clear(job, parts * width, c);
    if (job->width > 1)
        block_of_lines(job, job->first + at, first, rows, parts, width, c);
    else
        block_of_line(job, job->first + at, first, rows, parts, c);
    join_parts(job, parts, width, c);
    for (size_t w = 0; w < width; w++) {
        struct qn_reduced *node = &job->nodes[(at + w) * job->blocks + block];
        *node = node_of(job, first, rows, parts, width, w, c);
        if (job->blocks == 1) *node = qn_reduce_fold(job->rq->kind, node, 1, 1);
    }
    /* While the block is near. */
    for (size_t w = 0; job->blocks == 1 && w < width; w++)
        find_place(job, job->first + at + w, &job->nodes[at + w], c);
}

static void run_task(void *user, uint32_t worker, uint64_t number)
{
    const struct job *job = user;
    uint64_t block = number % job->runs * job->per_task, end = block + job->per_task;
    uint64_t tile = number / job->runs * job->tiles_per_task, last = tile + job->tiles_per_task;
    if (end > job->blocks) end = job->blocks;
    if (last > job->tiles) last = job->tiles;
    for (; tile < last; tile++) {
        uint64_t at = tile * job->width, left = job->lines - at;
        for (uint64_t b = block; b < end; b++)
            block_task(job, at, left < job->width ? left : job->width, b, &job->desks[worker]);
    }
}

static void fold_task(void *user, uint32_t worker, uint64_t line)
{
    const struct job *job = user;
    struct qn_reduced *out = &job->rq->out[job->first + line];
    *out = qn_reduce_fold(job->rq->kind, job->nodes + line * job->blocks, job->blocks, 1);
    find_place(job, job->first + line, out, &job->desks[worker]);
}

/* ---- the plan ---- */

static uint64_t distance(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

static void plan(struct job *job)
{
    const struct qn_lines *in = &job->rq->in;
    job->loops = loops_of_isa();
    job->element = element_of(job->rq->kind, in->type);
    job->flip =
        in->type == QN_T_U64 && (job->rq->kind == QN_REDUCE_MIN || job->rq->kind == QN_REDUCE_MAX);
    int is_narrow = in->type == QN_T_BOOL || (in->type >= QN_T_U8 && in->type <= QN_T_U32);
    job->top = is_narrow ? 0 : QN_REDUCE_TOP;
    choose(job);
    size_t bytes = qn_element_bytes(job->element);
    int native = in->type == QN_T_F32 || in->type == QN_T_F64 ? 1
                 : job->element == QN_ELEMENT_U8              ? 1
                 : job->element == QN_ELEMENT_I64 ? in->type == QN_T_I64 || in->type == QN_T_U64
                                                  : 0;
    int side_by_side = in->lines > 1 && distance(in->line_stride) < distance(in->stride);
    uint64_t tiles = (in->lines + WIDTH - 1) / WIDTH;
    job->width = side_by_side ? (in->lines + tiles - 1) / tiles : 1;
    int aligned =
        ((uintptr_t)in->data | (uintptr_t)in->stride | (uintptr_t)in->line_stride) % bytes == 0;
    job->direct = native && aligned && !job->flip &&
                  (job->width > 1 ? in->line_stride : in->stride) == (int64_t)bytes;
    job->blocks = in->n / QN_BLOCK_ROWS + (in->n % QN_BLOCK_ROWS != 0);
    uint64_t block = job->width * bytes * (in->n < QN_BLOCK_ROWS ? in->n : (uint64_t)QN_BLOCK_ROWS);
    job->per_task = TASK_BYTES / block + 1;
    if (job->per_task > job->blocks) job->per_task = job->blocks;
    job->runs = (job->blocks + job->per_task - 1) / job->per_task;
    job->tiles_per_task = job->runs > 1 ? 1 : TASK_BYTES / (block * job->blocks) + 1;
}

static void run_wave(struct job *job, struct qn_threads *threads)
{
    job->tiles = (job->lines + job->width - 1) / job->width;
    uint64_t tasks = (job->tiles + job->tiles_per_task - 1) / job->tiles_per_task * job->runs;
    qn_threads_run(threads, tasks, run_task, job);
    if (job->blocks > 1) qn_threads_run(threads, job->lines, fold_task, job);
}

quern_status qn_cpu_reduce(struct qn_threads *threads, const struct qn_reduce_request *rq)
{
    struct job job = {.rq = rq};
    uint64_t wave = rq->in.lines;
    struct qn_reduced *nodes = NULL;
    quern_status status = QUERN_OK;
    for (uint64_t i = 0; rq->in.n == 0 && i < rq->in.lines; i++)
        rq->out[i] = qn_reduce_empty(rq->kind);
    if (rq->in.n == 0 || rq->in.lines == 0) return QUERN_OK;
    plan(&job);
    job.desks = qn_alloc(threads != NULL ? qn_threads_size(threads) : 1, sizeof *job.desks);
    if (job.desks == NULL) QN_GO(qn_error_memory("a reduction", sizeof *job.desks));
    if (job.blocks > 1) {
        wave = NODES / job.blocks / WIDTH * WIDTH + WIDTH;
        if (wave > rq->in.lines) wave = rq->in.lines;
        nodes = qn_alloc((size_t)(wave * job.blocks), sizeof *nodes);
        if (nodes == NULL) QN_GO(qn_error_memory("a reduction", wave * job.blocks * sizeof *nodes));
    }
    for (; job.first < rq->in.lines; job.first += wave) {
        job.lines = rq->in.lines - job.first < wave ? rq->in.lines - job.first : wave;
        job.nodes = nodes != NULL ? nodes : rq->out;
        run_wave(&job, threads);
    }
cleanup:
    qn_free(nodes);
    qn_free(job.desks);
    return status;
}
