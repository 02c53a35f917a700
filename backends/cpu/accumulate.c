/* SPDX-License-Identifier: Apache-2.0
 * Sums on the way along lines, in their order: lines side by side where they are columns, else one by one
 * through a block that stays in the cache. */
#include <math.h>
#include <string.h>

#include "backends/cpu/reduce_load.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/ops/reductions.h"

enum { WIDTH = 64, BLOCK = 1024, TASK_VALUES = 1 << 14 };

struct job {
    const struct qn_accumulate_request *rq;
    enum qn_element element;
    size_t width; /* lines side by side */
    uint64_t tiles, per_task;
};

union values {
    float f32[BLOCK];
    double f64[BLOCK];
    uint64_t u64[BLOCK];
};

static void start(const struct job *job, size_t n, union values *sums)
{
    for (size_t i = 0; i < n; i++) {
        if (job->element == QN_ELEMENT_F32)
            sums->f32[i] = job->rq->product ? 1.0f : 0.0f;
        else if (job->element == QN_ELEMENT_F64)
            sums->f64[i] = job->rq->product ? 1.0 : 0.0;
        else
            sums->u64[i] = job->rq->product ? 1 : 0;
    }
}

/* A step of lines side by side: sum i takes value i. */
#define ABREAST(T, FIELD, NONE)                                                                    \
    do {                                                                                           \
        T *restrict s = sums->FIELD;                                                               \
        const T *restrict x = values->FIELD;                                                       \
        T none = (T)(NONE);                                                                        \
        if (product)                                                                               \
            for (size_t i = 0; i < n; i++) s[i] *= skip && x[i] != x[i] ? none : x[i];             \
        else                                                                                       \
            for (size_t i = 0; i < n; i++) s[i] += skip && x[i] != x[i] ? none : x[i];             \
    } while (0)

static void step(const struct job *job, size_t n, const union values *values, union values *sums)
{
    int product = job->rq->product != 0, skip = job->rq->skip != 0;
    if (job->element == QN_ELEMENT_F32)
        ABREAST(float, f32, product);
    else if (job->element == QN_ELEMENT_F64)
        ABREAST(double, f64, product);
    else
        ABREAST(uint64_t, u64, product);
}

/* n values of one line become the sums on the way; *sums holds the one so far. */
#define ALONG(T, FIELD)                                                                            \
    do {                                                                                           \
        T s = sums->FIELD[0], *x = values->FIELD, none = (T)(product ? 1 : 0);                     \
        for (size_t i = 0; i < n; i++) {                                                           \
            T v = skip && x[i] != x[i] ? none : x[i];                                              \
            s = product ? s * v : s + v;                                                           \
            x[i] = s;                                                                              \
        }                                                                                          \
        sums->FIELD[0] = s;                                                                        \
    } while (0)

static void along(const struct job *job, size_t n, union values *values, union values *sums)
{
    int product = job->rq->product != 0, skip = job->rq->skip != 0;
    if (job->element == QN_ELEMENT_F32)
        ALONG(float, f32);
    else if (job->element == QN_ELEMENT_F64)
        ALONG(double, f64);
    else
        ALONG(uint64_t, u64);
}

/* To memory, n values `apart` bytes apart; NaN in one form. */
static void write_out(const struct job *job, const union values *from, size_t n, char *to,
                      ptrdiff_t apart)
{
    for (size_t i = 0; i < n; i++, to += apart) {
        if (job->element == QN_ELEMENT_F32) {
            float v = from->f32[i] == from->f32[i] ? from->f32[i] : NAN;
            memcpy(to, &v, sizeof v);
        } else if (job->element == QN_ELEMENT_F64) {
            double v = from->f64[i] == from->f64[i] ? from->f64[i] : (double)NAN;
            memcpy(to, &v, sizeof v);
        } else {
            memcpy(to, &from->u64[i], sizeof from->u64[i]);
        }
    }
}

static void tile(const struct job *job, uint64_t first, size_t width, union values *values,
                 union values *sums)
{
    const struct qn_accumulate_request *rq = job->rq;
    start(job, width, sums);
    if (job->width > 1) {
        for (uint64_t i = 0; i < rq->in.n; i++) {
            qn_reduce_load(rq->in.type, job->element, 0, qn_lines_at(&rq->in, first, i),
                           rq->in.line_stride, width, values);
            step(job, width, values, sums);
            write_out(job, sums, width, qn_lines_at(&rq->out, first, i), rq->out.line_stride);
        }
        return;
    }
    for (uint64_t i = 0; i < rq->in.n; i += BLOCK) {
        size_t n = rq->in.n - i < BLOCK ? (size_t)(rq->in.n - i) : (size_t)BLOCK;
        qn_reduce_load(rq->in.type, job->element, 0, qn_lines_at(&rq->in, first, i), rq->in.stride,
                       n, values);
        along(job, n, values, sums);
        write_out(job, values, n, qn_lines_at(&rq->out, first, i), rq->out.stride);
    }
}

static void run_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    uint64_t at = task * job->per_task, end = at + job->per_task;
    union values values = {{0}}, sums = {{0}};
    (void)worker;
    for (; at < end && at < job->tiles; at++) {
        uint64_t first = at * job->width, left = job->rq->in.lines - first;
        tile(job, first, left < job->width ? (size_t)left : job->width, &values, &sums);
    }
}

static uint64_t distance(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

quern_status qn_cpu_accumulate(struct qn_threads *threads, const struct qn_accumulate_request *rq)
{
    const struct qn_lines *in = &rq->in;
    struct job job = {.rq = rq, .width = 1, .element = QN_ELEMENT_I64};
    if (in->lines == 0 || in->n == 0) return QUERN_OK;
    if (rq->out.type == QN_T_F32) job.element = QN_ELEMENT_F32;
    if (rq->out.type == QN_T_F64) job.element = QN_ELEMENT_F64;
    if (in->lines > 1 && distance(in->line_stride) < distance(in->stride)) {
        uint64_t tiles = (in->lines + WIDTH - 1) / WIDTH, workers = qn_threads_size(threads);
        if (tiles < workers) tiles = in->lines < workers ? in->lines : workers;
        job.width = (size_t)((in->lines + tiles - 1) / tiles);
    }
    job.tiles = (in->lines + job.width - 1) / job.width;
    job.per_task = TASK_VALUES / (job.width * in->n) + 1;
    qn_threads_run(threads, (job.tiles + job.per_task - 1) / job.per_task, run_task, &job);
    return QUERN_OK;
}
