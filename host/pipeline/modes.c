/* SPDX-License-Identifier: Apache-2.0
 * The most frequent values of columns (QN_NEED_MODE): of a table in memory, some columns at a time, values
 * are counted where they are few, else sorted, and their longest runs found; of a table that comes in chunks
 * distinct values are counted (host/pipeline/distinct.c). */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/ops/arrays.h"
#include "host/pipeline/fit.h"

/* Columns of one working type that are sorted together. */
struct columns {
    struct qn_threads *threads;
    uint64_t rows;
    uint32_t n;
    int f32;
    void *values, *sorted;  /* [n][rows]; sorted has room for one */
    unsigned char *counted; /* [n] */
    struct qn_found *found;
    const double *run; /* [n_run][n], rows from `first` on, on their way to `values` */
    uint64_t first, n_run;
};

static void keep_column(void *user, uint32_t worker, uint64_t k)
{
    const struct columns *c = user;
    uint64_t at = k * c->rows + c->first;
    (void)worker;
    for (uint64_t i = 0; i < c->n_run && c->f32; i++)
        ((float *)c->values)[at + i] = (float)c->run[i * c->n + k];
    for (uint64_t i = 0; i < c->n_run && !c->f32; i++)
        ((double *)c->values)[at + i] = c->run[i * c->n + k];
}

static quern_status keep(void *user, const double *rows, uint64_t first, uint64_t n)
{
    struct columns *c = user;
    c->run = rows;
    c->first = first;
    c->n_run = n;
    qn_threads_run(c->threads, c->n, keep_column, c);
    return QUERN_OK;
}

/* ---- few values ---- */

enum { FEW = 256, PLACES = 1024 };

struct tally {
    double value;
    uint64_t rows; /* 0: free */
};

static double value_at(const struct columns *c, const void *values, uint64_t i)
{
    return c->f32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

static struct tally *find(struct tally *tallies, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t at = (uint32_t)((bits * 0x9e3779b97f4a7c15u) >> 54); /* of PLACES */
    while (tallies[at].rows != 0 && tallies[at].value != value) at = (at + 1) % PLACES;
    return &tallies[at];
}

static void note(struct qn_found *found, double mode, uint64_t count)
{
    found->mode = mode;
    if (!found->has_moments && !found->has_extremes) found->count = count;
}

/* Counts the values of column k; gives up when they are not few. */
static void count_column(void *user, uint32_t worker, uint64_t k)
{
    const struct columns *c = user;
    struct tally tallies[PLACES] = {{0}}, *last = tallies, best = {(double)NAN, 0};
    uint64_t first = k * c->rows, count = 0;
    uint32_t distinct = 0;
    (void)worker;
    c->counted[k] = 0;
    for (uint64_t i = 0; i < c->rows; i++) {
        double value = value_at(c, c->values, first + i) + 0.0;
        if (isnan(value)) continue;
        if (last->rows == 0 || last->value != value) last = find(tallies, value);
        if (last->rows == 0 && ++distinct > FEW) return;
        last->value = value;
        last->rows++;
        count++;
    }
    for (uint32_t i = 0; i < PLACES; i++)
        if (tallies[i].rows > best.rows ||
            (tallies[i].rows == best.rows && tallies[i].value < best.value))
            best = tallies[i];
    c->counted[k] = 1;
    note(&c->found[k], best.value, count);
}

/* ---- many ---- */

/* The least of the most frequent of sorted values, and how many there are. */
static void longest_run(const struct columns *c, struct qn_found *found)
{
    uint64_t end = c->rows, most = 0, next;
    double mode = NAN;
    while (end > 0 && isnan(value_at(c, c->sorted, end - 1))) end--;
    for (uint64_t at = 0; at < end; at = next) {
        double value = value_at(c, c->sorted, at);
        for (next = at + 1; next < end && value_at(c, c->sorted, next) == value; next++) {
        }
        if (next - at <= most) continue;
        most = next - at;
        mode = value + 0.0;
    }
    note(found, mode, end);
}

static quern_status sort_column(const struct columns *c, uint32_t k)
{
    size_t size = c->f32 ? sizeof(float) : sizeof(double);
    struct qn_lines line = {.data = (char *)c->values + k * c->rows * size,
                            .lines = 1,
                            .n = c->rows,
                            .stride = (int64_t)size,
                            .type = c->f32 ? QN_T_F32 : QN_T_F64};
    struct qn_sort_request rq = {.in = line, .values = line, .flags = QN_SORT_PLUS_ZERO};
    rq.values.data = c->sorted;
    QN_TRY(qn_cpu_sort(c->threads, &rq));
    longest_run(c, &c->found[k]);
    return QUERN_OK;
}

/* ---- columns, some at a time ---- */

static quern_status group(const struct qn_rows_source *source, uint32_t first, struct columns *c)
{
    QN_TRY(source->walk(source->user, first, c->n, keep, c));
    qn_threads_run(c->threads, c->n, count_column, c);
    for (uint32_t k = 0; k < c->n; k++)
        if (!c->counted[k]) QN_TRY(sort_column(c, k));
    return QUERN_OK;
}

static int is_f32(const struct qn_plan_step *step, uint32_t k)
{
    return step->probes[k].chain->work == QN_W_F32;
}

static int asks(const struct qn_plan_step *step, uint32_t k)
{
    return (step->needs[k].flags & QN_NEED_MODE) != 0;
}

static quern_status step_modes(struct qn_fit_state *s, struct qn_plan_step *step)
{
    const struct qn_rows_source *source = step->source;
    struct columns c = {.threads = s->x.cx->threads, .rows = source->rows};
    quern_status status = QUERN_OK;
    size_t cells;
    if (qn_mul_size((size_t)c.rows, source->at_once, &cells))
        return qn_error_memory("columns to be sorted", UINT64_MAX);
    c.values = qn_alloc_aligned(cells, sizeof(double));
    c.sorted = qn_alloc_aligned((size_t)c.rows, sizeof(double));
    c.counted = qn_alloc((size_t)2 * source->at_once, 1);
    if (c.values == NULL || c.sorted == NULL || c.counted == NULL)
        QN_GO(qn_error_memory("columns to be sorted", c.rows * (source->at_once + 1) * 8));
    for (uint32_t k = 0; k < step->n_probes; k += c.n != 0 ? c.n : 1) {
        c.f32 = asks(step, k) && is_f32(step, k);
        c.found = step->found + k;
        for (c.n = 0; k + c.n < step->n_probes && c.n < source->at_once << c.f32; c.n++)
            if (!asks(step, k + c.n) || is_f32(step, k + c.n) != c.f32) break;
        if (c.n != 0) QN_GO(group(source, k, &c));
    }
cleanup:
    qn_free(c.values);
    qn_free(c.sorted);
    qn_free(c.counted);
    return status;
}

quern_status qn_fit_modes(struct qn_fit_state *s)
{
    for (uint32_t i = 0; i < s->plan->n_steps && s->whole; i++) {
        struct qn_plan_step *step = &s->plan->steps[i];
        int any = 0;
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) any |= asks(step, k);
        if (!any) continue;
        QN_TRY(step_modes(s, step));
        QN_TRY(qn_context_decide(s->x.cx, s->x.step, "modes", "host", "host", ""));
    }
    return QUERN_OK;
}
