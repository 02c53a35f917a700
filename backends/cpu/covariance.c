/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of differences from the mean, for all pairs of columns. Columns are cut into panels;
 * a task is two panels over a group of rows, whose differences it packs block by block. Groups wait in a
 * wave and are then added in their order (docs/arrays.md). */
#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/reduce_load.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/reductions.h"
#if QN_X86
#include <immintrin.h>
#endif

enum {
    BLOCK = 256,
    GROUP = 64 * BLOCK,
    PANEL = 64,
    WAVE_BYTES = 1 << 26,
    STEP_COLUMNS = 16 /* a panel's width is a multiple of it */
};

#define EACH4(M) M(0) M(1) M(2) M(3)
#define EACH8(M) EACH4(M) M(4) M(5) M(6) M(7)

#define QN_SUFFIX baseline
#define VEC double
#define LANES 1
#define ABREAST 4
#define EACH EACH4
#define ZERO 0.0
#define SPREAD(x) (x)
#define LOAD(at) (*(at))
#define STORE(at, x) (*(at) = (x))
#define ADD(a, b) ((a) + (b))
#define FMA(a, b, c) __builtin_fma(a, b, c)
#include "backends/cpu/covariance_body.h"
#undef QN_SUFFIX
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define VEC __m256d
#define LANES 4
#define ABREAST 4
#define EACH EACH4
#define ZERO _mm256_setzero_pd()
#define SPREAD(x) _mm256_set1_pd(x)
#define LOAD(at) _mm256_loadu_pd(at)
#define STORE(at, x) _mm256_storeu_pd(at, x)
#define ADD(a, b) _mm256_add_pd(a, b)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#include "backends/cpu/covariance_body.h"
#undef QN_SUFFIX
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#define VEC __m512d
#define LANES 8
#define ABREAST 8
#define EACH EACH8
#define ZERO _mm512_setzero_pd()
#define SPREAD(x) _mm512_set1_pd(x)
#define LOAD(at) _mm512_loadu_pd(at)
#define STORE(at, x) _mm512_storeu_pd(at, x)
#define ADD(a, b) _mm512_add_pd(a, b)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#include "backends/cpu/covariance_body.h"
#undef QN_SUFFIX
QN_TARGET_END
#endif

typedef void panels_fn(const double *, const double *, int, size_t, size_t, double *);

static panels_fn *panels_of_isa(void)
{
    static panels_fn *const all[] = {
        panels_baseline,
#if QN_X86
        panels_avx2,
        panels_avx512
#endif
    };
#if QN_X86
    return all[qn_cpu_isa_level()];
#else
    return all[0];
#endif
}

struct job {
    const struct qn_covariance_request *rq;
    panels_fn *panels;
    double *hi, *lo;                 /* means in two words */
    size_t width, n_panels, n_pairs; /* a panel's columns, padded */
    uint64_t first, n_groups;        /* of the wave; in all */
    double *sums;                    /* [group of the wave][pair][width][width] */
    double *packed;                  /* [worker][2][BLOCK][width] */
};

/* ---- means ---- */

static quern_status find_means(struct job *job, struct qn_threads *threads)
{
    const struct qn_lines *in = &job->rq->in;
    struct qn_reduced *nodes = qn_alloc((size_t)in->lines, sizeof *nodes);
    if (nodes == NULL) return qn_error_memory("means", in->lines * sizeof *nodes);
    struct qn_reduce_request rq = {.in = *in, .kind = QN_REDUCE_SUM, .out = nodes};
    quern_status status = qn_cpu_reduce(threads, &rq);
    for (uint64_t c = 0; status == QUERN_OK && c < in->lines; c++)
        qn_covariance_mean(&nodes[c], (double)in->n, &job->hi[c], &job->lo[c]);
    qn_free(nodes);
    return status;
}

/* The mean of weighted rows is the mean of all and what their weighted differences from it have. */
static void shift_mean(void *user, uint32_t worker, uint64_t column)
{
    const struct job *job = user;
    const struct qn_lines *in = &job->rq->in;
    double values[BLOCK], hi = job->hi[column], lo = job->lo[column], total = 0.0;
    (void)worker;
    for (uint64_t at = 0; at < in->n; at += BLOCK) {
        size_t n = in->n - at < BLOCK ? (size_t)(in->n - at) : (size_t)BLOCK;
        double sum = 0.0;
        qn_reduce_load(in->type, QN_ELEMENT_F64, 0, qn_lines_at(in, column, at), in->stride, n,
                       values);
        for (size_t i = 0; i < n; i++)
            sum = __builtin_fma(job->rq->weights[at + i], (values[i] - hi) - lo, sum);
        total += sum;
    }
    qn_covariance_shift(total, job->rq->weight, &job->hi[column], &job->lo[column]);
}

/* ---- products ---- */

static uint64_t distance(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

/* Differences of a block's rows from the means, packed; the columns that pad a panel are 0. */
static void pack(const struct job *job, size_t panel, uint64_t row, size_t rows, double *to)
{
    const struct qn_lines *in = &job->rq->in;
    uint64_t first = panel * job->width;
    size_t width = job->width, n = in->lines - first < width ? (size_t)(in->lines - first) : width;
    const double *hi = job->hi + first, *lo = job->lo + first;
    double values[BLOCK];
    if (distance(in->line_stride) < distance(in->stride)) {
        for (size_t r = 0; r < rows; r++, to += width) {
            qn_reduce_load(in->type, QN_ELEMENT_F64, 0, qn_lines_at(in, first, row + r),
                           in->line_stride, n, to);
            for (size_t c = 0; c < n; c++) to[c] = (to[c] - hi[c]) - lo[c];
            for (size_t c = n; c < width; c++) to[c] = 0.0;
        }
        return;
    }
    if (n < width) memset(to, 0, rows * width * sizeof *to);
    for (size_t c = 0; c < n; c++) {
        qn_reduce_load(in->type, QN_ELEMENT_F64, 0, qn_lines_at(in, first + c, row), in->stride,
                       rows, values);
        for (size_t r = 0; r < rows; r++) to[r * width + c] = (values[r] - hi[c]) - lo[c];
    }
}

static void weigh(const struct job *job, uint64_t row, size_t rows, const double *from, double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < job->width; c++)
            to[r * job->width + c] = job->rq->weights[row + r] * from[r * job->width + c];
}

/* Pair k of panels, the first not after the second, row by row of the triangle. */
static void panels_of_pair(const struct job *job, uint64_t k, size_t *first, size_t *second)
{
    *first = 0;
    while (k >= job->n_panels - *first) k -= job->n_panels - (*first)++;
    *second = *first + (size_t)k;
}

static void run_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    size_t first, second, cells = job->width * job->width, block = BLOCK * job->width;
    uint64_t row = (job->first + task / job->n_pairs) * GROUP, n = job->rq->in.n,
             end = n - row < GROUP ? n : row + GROUP;
    double *a = job->packed + 2 * block * worker, *b = a + block, *sums = job->sums + task * cells;
    panels_of_pair(job, task % job->n_pairs, &first, &second);
    for (; row < end; row += BLOCK) {
        size_t rows = end - row < BLOCK ? (size_t)(end - row) : (size_t)BLOCK;
        const double *left = a, *right = a;
        pack(job, first, row, rows, a);
        if (second != first) {
            pack(job, second, row, rows, b);
            right = b;
            if (job->rq->weights != NULL) weigh(job, row, rows, a, a);
        } else if (job->rq->weights != NULL) {
            weigh(job, row, rows, a, b);
            left = b;
        }
        job->panels(left, right, first == second, job->width, rows, sums);
    }
}

static void unpack(const struct job *job, const double *total)
{
    size_t d = (size_t)job->rq->in.lines, width = job->width, first, second;
    for (size_t k = 0; k < job->n_pairs; k++) {
        const double *cells = total + k * width * width;
        panels_of_pair(job, k, &first, &second);
        for (size_t i = 0; i < width && first * width + i < d; i++)
            for (size_t j = first == second ? i : 0; j < width && second * width + j < d; j++) {
                size_t r = first * width + i, c = second * width + j;
                job->rq->out[r * d + c] = cells[i * width + j];
                job->rq->out[c * d + r] = cells[i * width + j];
            }
    }
}

static quern_status run_waves(struct job *job, struct qn_threads *threads)
{
    size_t size = job->n_pairs * job->width * job->width, cells;
    uint64_t wave = WAVE_BYTES / (size * sizeof(double));
    quern_status status = QUERN_OK;
    if (wave < 1) wave = 1;
    if (wave > job->n_groups) wave = job->n_groups;
    double *total = qn_zalloc(size, sizeof *total);
    if (!qn_mul_size((size_t)wave, size, &cells)) job->sums = qn_alloc(cells, sizeof *job->sums);
    if (total == NULL || job->sums == NULL) QN_GO(qn_error_memory("sums of products", size * 8));
    for (job->first = 0; job->first < job->n_groups; job->first += wave) {
        uint64_t n = job->n_groups - job->first < wave ? job->n_groups - job->first : wave;
        memset(job->sums, 0, (size_t)n * size * sizeof *job->sums);
        qn_threads_run(threads, n * job->n_pairs, run_task, job);
        for (uint64_t g = 0; g < n; g++)
            for (size_t i = 0; i < size; i++) total[i] += job->sums[g * size + i];
    }
    unpack(job, total);
cleanup:
    qn_free(total);
    qn_free(job->sums);
    return status;
}

quern_status qn_cpu_covariance(struct qn_threads *threads, const struct qn_covariance_request *rq)
{
    size_t d = (size_t)rq->in.lines, workers = threads != NULL ? qn_threads_size(threads) : 1;
    struct job job = {.rq = rq, .panels = panels_of_isa()};
    quern_status status = QUERN_OK;
    if (d == 0) return QUERN_OK;
    job.n_panels = (d + PANEL - 1) / PANEL;
    job.width = (d + job.n_panels - 1) / job.n_panels;
    job.width = (job.width + STEP_COLUMNS - 1) / STEP_COLUMNS * STEP_COLUMNS;
    job.n_panels = (d + job.width - 1) / job.width;
    job.n_pairs = job.n_panels * (job.n_panels + 1) / 2;
    job.n_groups = rq->in.n / GROUP + (rq->in.n % GROUP != 0);
    job.hi = qn_alloc(2 * d, sizeof *job.hi);
    job.packed = qn_alloc_aligned(workers * 2 * BLOCK * job.width, sizeof *job.packed);
    if (job.hi == NULL || job.packed == NULL)
        QN_GO(qn_error_memory("differences from means", workers * 2 * BLOCK * job.width * 8));
    job.lo = job.hi + d;
    QN_GO(find_means(&job, threads));
    if (rq->weights != NULL) qn_threads_run(threads, d, shift_mean, &job);
    status = run_waves(&job, threads);
cleanup:
    qn_free(job.hi);
    qn_free(job.packed);
    return status;
}
