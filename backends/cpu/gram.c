/* SPDX-License-Identifier: Apache-2.0
 * What IterativeImputer computes with rows: products of columns, a regression's predictions for many
 * rows, many regressions for a row. Sums over rows go in runs of QN_GRAM_ROWS, which threads share, and
 * then from run to run: one order for any number of threads. */
#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "host/core/checked.h"
#include "host/core/compiler.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"

/* Eight doubles, in as many registers as they take. */
typedef double octet __attribute__((vector_size(64), aligned(8), may_alias));
#define OCTET(at) (*(octet *)(uintptr_t)(at))
typedef float floats __attribute__((vector_size(32), aligned(1), may_alias));
typedef double doubles __attribute__((vector_size(64), aligned(1), may_alias));
#define FLOATS(at) (*(const floats *)(uintptr_t)(at))
#define DOUBLES(at) (*(const doubles *)(uintptr_t)(at))

/* What is known of rows before they are gathered: where all columns are one row-major matrix, its type, else
 * 0, and then the shifts side by side. */
struct filled {
    const struct qn_filled *filled;
    uint32_t type;
    double *shift;
};

static inline uint64_t stand_in(const struct qn_filled *f, uint64_t row)
{
    return f->origin[row >> 16] + f->start[row];
}

#define QN_BODY "backends/cpu/gram_body.h"
#include "backends/cpu/isa_each.h"

struct kernels {
    void (*eight)(const double *, size_t, size_t, double *, double *);
    void (*gather)(const struct filled *, const uint32_t *, uint64_t, uint32_t, double *, size_t);
    void (*predict)(const struct qn_prediction *, const uint32_t *, uint32_t, double *, size_t,
                    double *, double *);
    void (*regress)(const struct qn_regressions *, uint32_t, const unsigned char *, double *);
};

static const struct kernels *kernels_of_isa(void)
{
    static const struct kernels all[] = {
        {eight_baseline, gather_baseline, predict_baseline, regress_baseline},
#if QN_X86
        {eight_avx2, gather_avx2, predict_avx2, regress_avx2},
        {eight_avx512, gather_avx512, predict_avx512, regress_avx512},
#endif
    };
#if QN_X86
    return &all[qn_cpu_isa_level()];
#else
    return &all[0];
#endif
}

/* ---- runs of rows ---- */

enum { WAVE = 32 /* runs whose sums wait to be added */, AHEAD = 16, LINE = 64 };

/* Sums of `size` doubles for each run, some runs at a time. */
struct runs {
    struct filled filled;
    struct qn_listed rows;
    uint64_t n, first; /* runs in all, the first of the wave */
    size_t size;
    double *sums; /* [WAVE][size] */
    const struct kernels *kernels;
    const void *request;
    double *packed;   /* [worker][8 * width] */
    uint32_t *listed; /* [worker][QN_GRAM_ROWS], where rows are listed */
    uint32_t width;
};

static void add_up(const struct runs *w, uint64_t count, double *total)
{
    for (uint64_t run = 0; run < count; run++)
        for (size_t i = 0; i < w->size; i++) total[i] += w->sums[run * w->size + i];
}

static quern_status run_waves(struct runs *w, struct qn_threads *threads, qn_task_fn *task,
                              double *total)
{
    uint64_t wave = w->n < WAVE ? w->n : WAVE;
    size_t cells;
    w->sums = NULL;
    if (!qn_mul_size((size_t)wave, w->size, &cells)) w->sums = qn_alloc(cells, sizeof *w->sums);
    if (w->sums == NULL) return qn_error_memory("sums of products", wave * w->size * 8);
    memset(total, 0, w->size * sizeof *total);
    for (w->first = 0; w->first < w->n; w->first += wave) {
        uint64_t count = w->n - w->first < wave ? w->n - w->first : wave;
        memset(w->sums, 0, (size_t)count * w->size * sizeof *w->sums);
        qn_threads_run(threads, count, task, w);
        add_up(w, count, total);
    }
    qn_free(w->sums);
    return QUERN_OK;
}

/* The type of the matrix whose rows the columns are. */
static uint32_t matrix_of(const struct qn_filled *f)
{
    uint32_t type = f->column->type, bytes = type == QN_T_F32 ? 4 : 8;
    const char *data = f->column->data;
    if (data == NULL || (type != QN_T_F32 && type != QN_T_F64)) return 0;
    for (uint32_t k = 1; k < f->columns; k++)
        if (f->column[k].data != data + (size_t)k * bytes || f->column[k].type != type ||
            f->column[k].stride != f->column->stride)
            return 0;
    return type;
}

static quern_status open_runs(struct runs *w, struct qn_threads *threads, const struct qn_filled *f,
                              const struct qn_listed *rows)
{
    size_t workers = threads != NULL ? qn_threads_size(threads) : 1;
    w->filled = (struct filled){.filled = f, .type = matrix_of(f)};
    w->rows = *rows;
    w->n = QN_GRAM_RUNS(rows->n);
    w->width = (f->columns + 7) & ~7u;
    w->kernels = kernels_of_isa();
    w->filled.shift = qn_alloc(f->columns, sizeof *w->filled.shift);
    w->packed = qn_zalloc(workers * 8 * w->width, sizeof *w->packed);
    if (rows->bits != NULL) w->listed = qn_alloc(workers * QN_GRAM_ROWS, sizeof *w->listed);
    if (w->filled.shift == NULL || w->packed == NULL || (rows->bits != NULL && w->listed == NULL))
        return qn_error_memory("rows", workers * 8 * w->width * sizeof *w->packed);
    for (uint32_t k = 0; k < f->columns; k++) w->filled.shift[k] = f->column[k].shift;
    return QUERN_OK;
}

static void close_runs(struct runs *w)
{
    qn_free(w->filled.shift);
    qn_free(w->packed);
    qn_free(w->listed);
}

/* The rows of a run; returns how many. *rows NULL: those from *first on. */
static uint32_t rows_of_run(const struct runs *w, uint32_t worker, uint64_t run,
                            const uint32_t **rows, uint64_t *first)
{
    uint64_t left = w->rows.n - run * QN_GRAM_ROWS;
    uint32_t n = left < QN_GRAM_ROWS ? (uint32_t)left : QN_GRAM_ROWS, found = 0;
    *rows = NULL;
    *first = run * QN_GRAM_ROWS;
    if (w->rows.bits == NULL) return n;
    uint32_t *out = w->listed + (size_t)worker * QN_GRAM_ROWS, row = w->rows.runs[run];
    uint64_t word = row / 64, bits = w->rows.bits[word] >> (row % 64) << (row % 64);
    for (;; bits = w->rows.bits[++word])
        for (; bits != 0; bits &= bits - 1) {
            out[found++] = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
            if (found < n) continue;
            *rows = out;
            return n;
        }
}

/* Listed rows are asked for some rows before their turn. Inlined: a function that does nothing but asking for
 * memory is one without effects to GCC, and goes. */
static QN_ALWAYS_INLINE void ask_for(const struct runs *w, uint64_t row)
{
    const struct qn_filled *f = w->filled.filled;
    const char *at = (const char *)f->column->data + (int64_t)row * f->column->stride;
    size_t bytes = (size_t)f->columns * (w->filled.type == QN_T_F32 ? 4 : 8);
    uint64_t own = stand_in(f, row);
    __builtin_prefetch(f->low + own);
    __builtin_prefetch(f->value + own, 1);
    if (w->filled.type == 0) return;
    for (size_t k = 0; k < bytes; k += LINE) __builtin_prefetch(at + k);
    __builtin_prefetch(at + bytes - 1);
}

/* Up to eight rows of a run from number `at` on, packed, rows of zeros after them. */
static uint32_t take_eight(const struct runs *w, const uint32_t *rows, uint64_t first, uint32_t at,
                           uint32_t n, double *packed)
{
    uint32_t some = n - at < 8 ? n - at : 8;
    for (uint32_t i = at + AHEAD; rows != NULL && i < at + AHEAD + 8 && i < n; i++)
        ask_for(w, rows[i]);
    w->kernels->gather(&w->filled, rows != NULL ? rows + at : NULL, first + at, some, packed,
                       w->width);
    memset(packed + (size_t)some * w->width, 0, (size_t)(8 - some) * w->width * sizeof *packed);
    return some;
}

static void gram_task(void *user, uint32_t worker, uint64_t task)
{
    const struct runs *w = user;
    double *sums = w->sums + task * w->size, *packed = w->packed + (size_t)worker * 8 * w->width;
    const uint32_t *rows;
    uint64_t first;
    uint32_t n = rows_of_run(w, worker, w->first + task, &rows, &first);
    for (uint32_t at = 0; at < n; at += 8) {
        take_eight(w, rows, first, at, n, packed);
        w->kernels->eight(packed, w->filled.filled->columns, w->width, sums + w->width, sums);
    }
}

/* From the upper triangle in padded rows to the whole matrix. */
static void unpack(const struct qn_gram *q, const double *total, uint32_t width)
{
    uint32_t columns = q->filled->columns;
    memcpy(q->sums, total, columns * sizeof *total);
    for (uint32_t k = 0; k < columns; k++)
        for (uint32_t l = k; l < columns; l++) {
            double value = total[(size_t)(k + 1) * width + l];
            q->products[(size_t)k * columns + l] = value;
            q->products[(size_t)l * columns + k] = value;
        }
}

quern_status qn_cpu_gram(struct qn_threads *threads, const struct qn_gram *q)
{
    quern_status status = QUERN_OK;
    struct runs w = {.request = q};
    double *total = NULL;
    QN_GO(open_runs(&w, threads, q->filled, &q->rows));
    w.size = (size_t)(q->filled->columns + 2) * w.width; /* sums, and rows in pairs */
    total = qn_alloc(w.size, sizeof *total);
    if (total == NULL) QN_GO(qn_error_memory("sums of products", w.size * sizeof *total));
    QN_GO(run_waves(&w, threads, gram_task, total));
    unpack(q, total, w.width);
cleanup:
    qn_free(total);
    close_runs(&w);
    return status;
}

static void predict_task(void *user, uint32_t worker, uint64_t task)
{
    const struct runs *w = user;
    const struct qn_prediction *q = w->request;
    double *sums = w->sums + task * w->size, *packed = w->packed + (size_t)worker * 8 * w->width;
    const uint32_t *rows;
    uint64_t first;
    uint32_t n = rows_of_run(w, worker, w->first + task, &rows, &first);
    for (uint32_t at = 0; at < n; at += 8) {
        uint32_t some = take_eight(w, rows, first, at, n, packed);
        w->kernels->predict(q, rows + at, some, packed, w->width, sums, sums + q->filled->columns);
    }
}

quern_status qn_cpu_predict(struct qn_threads *threads, const struct qn_prediction *q)
{
    quern_status status = QUERN_OK;
    uint32_t columns = q->filled->columns;
    struct runs w = {.request = q, .size = (size_t)columns + 1};
    double *total = NULL;
    QN_GO(open_runs(&w, threads, q->filled, &q->rows));
    total = qn_alloc(w.size, sizeof *total);
    if (total == NULL) QN_GO(qn_error_memory("sums of products", w.size * sizeof *total));
    QN_GO(run_waves(&w, threads, predict_task, total));
    memcpy(q->products, total, columns * sizeof *total);
    *q->sum = total[columns];
cleanup:
    qn_free(total);
    close_runs(&w);
    return status;
}

/* ---- many regressions for a row ---- */

enum { TASK_ROWS = 512 };

struct filling {
    const struct qn_rows_request *rq;
    const struct qn_regressions *r;
    const struct kernels *kernels;
    double *x;              /* [worker][n_out] */
    unsigned char *missing; /* [worker][n_out] */
};

static double load(const struct qn_rows_request *rq, uint32_t column, uint64_t row)
{
    const char *at = (const char *)rq->in[column].data + (int64_t)row * rq->in[column].stride;
    float f32;
    double f64;
    if (rq->op->type == QN_T_F32) {
        memcpy(&f32, at, sizeof f32);
        return (double)f32;
    }
    memcpy(&f64, at, sizeof f64);
    return f64;
}

static void store(const struct qn_rows_request *rq, uint32_t output, uint64_t row, double value)
{
    if (rq->op->type == QN_T_F32)
        ((float *)rq->out[output])[row] = (float)value;
    else
        ((double *)rq->out[output])[row] = value;
}

static void fill_task(void *user, uint32_t worker, uint64_t task)
{
    const struct filling *f = user;
    const struct qn_regressions *r = f->r;
    uint32_t n = f->rq->op->n_out;
    uint64_t row = task * TASK_ROWS, end = row + TASK_ROWS;
    double *x = f->x + (size_t)worker * n;
    unsigned char *missing = f->missing + (size_t)worker * n;
    for (; row < end && row < f->rq->rows; row++) {
        int any = 0;
        for (uint32_t i = 0; i < n; i++) {
            x[i] = load(f->rq, r->columns[i], row);
            missing[i] = (unsigned char)(isnan(x[i]) && !r->empty[i]);
            if (missing[i] || r->empty[i]) x[i] = r->initial[i];
            any |= missing[i];
        }
        if (any) f->kernels->regress(r, n, missing, x);
        for (uint32_t i = 0; i < n; i++) store(f->rq, i, row, x[i]);
    }
}

quern_status qn_cpu_regressions(struct qn_threads *threads, const struct qn_rows_request *rq)
{
    quern_status status = QUERN_OK;
    size_t workers = threads != NULL ? qn_threads_size(threads) : 1;
    struct filling f = {.rq = rq, .r = rq->op->data, .kernels = kernels_of_isa()};
    f.x = qn_alloc(workers * rq->op->n_out, sizeof *f.x);
    f.missing = qn_alloc(workers * rq->op->n_out, 1);
    if (f.x == NULL || f.missing == NULL)
        QN_GO(qn_error_memory("regressions", workers * rq->op->n_out * 9));
    qn_threads_run(threads, (rq->rows - 1) / TASK_ROWS + 1, fill_task, &f);
cleanup:
    qn_free(f.x);
    qn_free(f.missing);
    return status;
}
