/* SPDX-License-Identifier: Apache-2.0
 * What IterativeImputer computes with rows: products of columns, a regression's predictions for many
 * rows, many regressions for a row. Sums over rows go in runs of QN_GRAM_ROWS, which threads share, and
 * then from run to run: one order for any number of threads. */
#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"

/* Eight doubles, in as many registers as they take. */
typedef double octet __attribute__((vector_size(64), aligned(8), may_alias));
#define OCTET(at) (*(octet *)(uintptr_t)(at))

enum { AHEAD = 16, LINE = 64 / sizeof(double) }; /* listed rows are asked for so many rows before */

static void ask_for(const double *matrix, uint64_t row, uint32_t columns)
{
    const double *at = matrix + (size_t)row * columns;
    for (uint32_t k = 0; k < columns; k += LINE) __builtin_prefetch(at + k, 1);
}

#define QN_BODY "backends/cpu/gram_body.h"
#include "backends/cpu/isa_each.h"

struct kernels {
    void (*eight)(const double *, size_t, size_t, double *, double *);
    void (*predict)(const struct qn_prediction *, uint64_t, uint64_t, double *, double *);
    void (*regress)(const struct qn_regressions *, uint32_t, const unsigned char *, double *);
};

static const struct kernels *kernels_of_isa(void)
{
    static const struct kernels all[] = {
        {eight_baseline, predict_baseline, regress_baseline},
#if QN_X86
        {eight_avx2, predict_avx2, regress_avx2},
        {eight_avx512, predict_avx512, regress_avx512},
#endif
    };
#if QN_X86
    return &all[qn_cpu_isa_level()];
#else
    return &all[0];
#endif
}

/* ---- runs of rows ---- */

enum { WAVE = 32 }; /* runs whose sums wait to be added */

/* Sums of `size` doubles for each run, some runs at a time. */
struct runs {
    uint64_t n, first; /* runs in all, the first of the wave */
    uint64_t n_rows;
    size_t size;
    double *sums; /* [WAVE][size] */
    const struct kernels *kernels;
    const void *request;
    double *packed; /* [worker][8 * width] */
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

static uint64_t runs_of(uint64_t rows)
{
    return rows / QN_GRAM_ROWS + (rows % QN_GRAM_ROWS != 0);
}

static void gram_task(void *user, uint32_t worker, uint64_t task)
{
    const struct runs *w = user;
    const struct qn_gram *q = w->request;
    uint64_t at = (w->first + task) * QN_GRAM_ROWS, end = at + QN_GRAM_ROWS;
    double *sums = w->sums + task * w->size, *packed = w->packed + (size_t)worker * 8 * w->width;
    if (end > w->n_rows) end = w->n_rows;
    for (; at < end; at += 8) {
        memset(packed, 0, (size_t)8 * w->width * sizeof *packed);
        for (uint64_t i = 0; i < 8 && at + i < end; i++) {
            uint64_t row = q->rows != NULL ? q->rows[at + i] : at + i;
            if (q->rows != NULL && at + i + AHEAD < end)
                ask_for(q->matrix, q->rows[at + i + AHEAD], q->columns);
            memcpy(packed + i * w->width, q->matrix + (size_t)row * q->columns,
                   q->columns * sizeof *packed);
        }
        w->kernels->eight(packed, q->columns, w->width, sums + w->width, sums);
    }
}

/* From the upper triangle in padded rows to the whole matrix. */
static void unpack(const struct qn_gram *q, const double *total, uint32_t width)
{
    memcpy(q->sums, total, q->columns * sizeof *total);
    for (uint32_t k = 0; k < q->columns; k++)
        for (uint32_t l = k; l < q->columns; l++) {
            double value = total[(size_t)(k + 1) * width + l];
            q->products[(size_t)k * q->columns + l] = value;
            q->products[(size_t)l * q->columns + k] = value;
        }
}

quern_status qn_cpu_gram(struct qn_threads *threads, const struct qn_gram *q)
{
    quern_status status = QUERN_OK;
    uint32_t workers = threads != NULL ? qn_threads_size(threads) : 1,
             width = (q->columns + 7) & ~7u;
    struct runs w = {.n = runs_of(q->n_rows),
                     .n_rows = q->n_rows,
                     .size = (size_t)(q->columns + 2) * width, /* sums, and rows in pairs */
                     .kernels = kernels_of_isa(),
                     .request = q,
                     .width = width};
    double *total = qn_alloc(w.size, sizeof *total);
    w.packed = qn_alloc((size_t)workers * 8 * width, sizeof *w.packed);
    if (total == NULL || w.packed == NULL)
        QN_GO(qn_error_memory("sums of products", w.size * sizeof *total));
    QN_GO(run_waves(&w, threads, gram_task, total));
    unpack(q, total, width);
cleanup:
    qn_free(total);
    qn_free(w.packed);
    return status;
}

static void predict_task(void *user, uint32_t worker, uint64_t task)
{
    const struct runs *w = user;
    const struct qn_prediction *q = w->request;
    uint64_t at = (w->first + task) * QN_GRAM_ROWS, end = at + QN_GRAM_ROWS;
    double *sums = w->sums + task * w->size;
    (void)worker;
    w->kernels->predict(q, at, end < w->n_rows ? end : w->n_rows, sums, sums + q->columns);
}

quern_status qn_cpu_predict(struct qn_threads *threads, const struct qn_prediction *q)
{
    quern_status status = QUERN_OK;
    struct runs w = {.n = runs_of(q->n_rows),
                     .n_rows = q->n_rows,
                     .size = (size_t)q->columns + 1,
                     .kernels = kernels_of_isa(),
                     .request = q};
    double *total = qn_alloc(w.size, sizeof *total);
    if (total == NULL) return qn_error_memory("sums of products", w.size * sizeof *total);
    QN_GO(run_waves(&w, threads, predict_task, total));
    memcpy(q->products, total, q->columns * sizeof *total);
    *q->sum = total[q->columns];
cleanup:
    qn_free(total);
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
