/* SPDX-License-Identifier: Apache-2.0
 * The plan of the bracketed selection: wanted ranks in order, and brackets from a sample. */
#include <math.h>
#include <string.h>

#include "backends/cpu/order.h"
#include "backends/cpu/select.h"

enum {
    SMALL_ROWS = 16384, /* up to here everything is collected */
    SAMPLE_MIN = 8192,  /* rows of a sample … */
    SAMPLE_MAX = 65536, /* … */
    SAMPLE_PART = 32,   /* … one in so many */
    TOO_FEW = 64,       /* values that say nothing */
    TIES_PART = 128     /* an end that is more than one in so many of the sample is a tie */
};
/* Half a bracket's width in standard errors of the sample quantile: a miss is a matter of 1e-6. */
static const double WIDTH = 5.0;

/* ---- ranks in order ---- */

static quern_status plan_ranks(struct select_job *job)
{
    const struct qn_select_request *request = job->request;
    size_t lanes = request->batch.n_lanes, per = request->n_ranks, total;
    if (qn_mul_size(lanes, per, &total)) return qn_error_memory("selection", UINT64_MAX);
    job->rank_memory = qn_alloc(total, sizeof(uint64_t));
    job->slot_memory = qn_alloc(total, sizeof(uint32_t));
    if (job->rank_memory == NULL || job->slot_memory == NULL)
        return qn_error_memory("selection", total * sizeof(uint64_t));
    for (size_t l = 0; l < lanes; l++) {
        struct lane_plan *plan = &job->plans[l];
        uint32_t n = 0;
        plan->ranks = job->rank_memory + l * per;
        plan->slots = job->slot_memory + l * per;
        for (uint32_t j = 0; j < request->n_ranks; j++) {
            uint64_t rank = request->ranks[l * per + j];
            uint32_t at = n;
            request->values[l * per + j] = (double)NAN;
            if (rank == UINT64_MAX || rank >= request->counts[l]) continue;
            for (; at > 0 && plan->ranks[at - 1] > rank; at--) {
                plan->ranks[at] = plan->ranks[at - 1];
                plan->slots[at] = plan->slots[at - 1];
            }
            plan->ranks[at] = rank;
            plan->slots[at] = j;
            n++;
        }
        plan->n_ranks = n;
        plan->done = n == 0;
    }
    return QUERN_OK;
}

/* ---- brackets ---- */

static void bracket_all(struct lane_plan *plan, uint64_t count)
{
    plan->n_brackets = 1;
    plan->ties = 0;
    plan->brackets[0] = (struct bracket){-(double)INFINITY, (double)INFINITY};
    plan->first_rank[0] = 0;
    plan->first_rank[1] = plan->n_ranks;
    plan->expected = count;
}

/* Positions in the sorted sample of m values between which each rank lies; -1 and m: beyond. Returns
 * the number of brackets, or 0 if there are too many. */
static uint32_t positions(const struct lane_plan *plan, uint64_t count, double m,
                          double at[2 * MAX_BRACKETS], uint32_t first_rank[MAX_BRACKETS + 1])
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < plan->n_ranks; j++) {
        double q = ((double)plan->ranks[j] + 0.5) / (double)count;
        double w = WIDTH * sqrt(q * (1.0 - q) / m);
        double low = floor((q - w) * m) - 1.0, high = ceil((q + w) * m) + 1.0;
        low = low < 0.0 ? -1.0 : low;
        high = high >= m ? m : high;
        if (n > 0 && low <= at[2 * n - 1]) {
            at[2 * n - 1] = high;
            continue;
        }
        if (n == MAX_BRACKETS) return 0;
        at[2 * n] = low;
        at[2 * n + 1] = high;
        first_rank[n++] = j;
    }
    first_rank[n] = plan->n_ranks;
    return n;
}

/* The sample's order statistics at those positions. */
static void take_ends(struct select_desk *desk, int wide, size_t m, const double *at, uint32_t n,
                      double *ends)
{
    uint64_t ranks[2 * MAX_BRACKETS], out64[2 * MAX_BRACKETS];
    uint32_t out32[2 * MAX_BRACKETS], wanted = 0;
    for (uint32_t j = 0; j < n; j++)
        if (at[j] >= 0.0 && at[j] < (double)m) ranks[wanted++] = (uint64_t)at[j];
    if (wide)
        qn_order_u64(desk->keys, desk->spare, m, ranks, wanted, out64);
    else
        qn_order_u32(desk->keys, desk->spare, m, ranks, wanted, out32);
    wanted = 0;
    for (uint32_t j = 0; j < n; j++) {
        if (at[j] < 0.0)
            ends[j] = -(double)INFINITY;
        else if (at[j] >= (double)m)
            ends[j] = (double)INFINITY;
        else {
            ends[j] = wide ? qn_unkey_f64(out64[wanted]) : (double)qn_unkey_f32(out32[wanted]);
            wanted++;
        }
    }
}

static size_t count_equal(const void *values, int wide, size_t n, double v)
{
    size_t equal = 0;
    if (wide) {
        const double *x = values;
        for (size_t i = 0; i < n; i++) equal += x[i] == v;
    } else {
        const float *x = values, w = (float)v;
        for (size_t i = 0; i < n; i++) equal += x[i] == w;
    }
    return equal;
}

/* Brackets of one lane from its n sampled values (NaN among them are skipped). */
static void bracket_lane(struct select_job *job, struct select_desk *desk, uint32_t lane,
                         const void *values, size_t n)
{
    struct lane_plan *plan = &job->plans[lane];
    uint64_t count = job->request->counts[lane];
    double at[2 * MAX_BRACKETS], ends[2 * MAX_BRACKETS] = {0}, inside = 0.0;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (plan->wide) {
            double x = ((const double *)values)[i];
            ((uint64_t *)desk->keys)[m] = qn_key_f64(x);
            m += x == x;
        } else {
            float x = ((const float *)values)[i];
            ((uint32_t *)desk->keys)[m] = qn_key_f32(x);
            m += x == x;
        }
    }
    uint32_t many = m < TOO_FEW ? 0 : positions(plan, count, (double)m, at, plan->first_rank);
    if (many == 0) {
        bracket_all(plan, count);
        return;
    }
    take_ends(desk, plan->wide, m, at, 2 * many, ends);
    plan->n_brackets = many;
    plan->ties = many > 4;
    for (uint32_t j = 0; j < many; j++) {
        plan->brackets[j] = (struct bracket){ends[2 * j], ends[2 * j + 1]};
        inside += at[2 * j + 1] - at[2 * j] + 1.0;
        if (count_equal(values, plan->wide, n, ends[2 * j]) > m / TIES_PART ||
            count_equal(values, plan->wide, n, ends[2 * j + 1]) > m / TIES_PART)
            plan->ties = 1;
    }
    inside = inside / (double)m * (double)count;
    plan->expected = inside < (double)count ? (uint64_t)inside : count;
}

/* ---- the sample ---- */

/* A strip's lanes, SAMPLE_COLUMNS at a time (a chain: one at a time). */
struct sample_part {
    const struct qn_strip *strip;
    uint32_t column, columns;
};

struct sampling {
    struct select_job *job;
    struct sample_part *parts;
    uint64_t rows, step;
};

/* Row i of the sample: one from each of `rows` equal stretches, by a fixed scramble of i. */
static uint64_t sample_row(const struct sampling *s, uint64_t i)
{
    uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u;
    return i * s->step + (h >> 32) % s->step;
}

static void sample_matrix(const struct sampling *s, const struct sample_part *part, void *values)
{
    const struct qn_strip *strip = part->strip;
    for (uint64_t i = 0; i < s->rows; i++) {
        const char *row = strip->base + (int64_t)sample_row(s, i) * strip->stride;
        if (i + 8 < s->rows) /* the rows are far apart: ask for them early */
            __builtin_prefetch(strip->base + (int64_t)sample_row(s, i + 8) * strip->stride +
                                   (int64_t)part->column * (strip->kind == QN_STRIP_DOUBLE ? 8 : 4),
                               0, 3);
        for (uint32_t c = 0; c < part->columns; c++) {
            if (strip->kind == QN_STRIP_DOUBLE)
                ((double *)values)[c * s->rows + i] =
                    ((const double *)(const void *)row)[part->column + c];
            else
                ((float *)values)[c * s->rows + i] =
                    ((const float *)(const void *)row)[part->column + c];
        }
    }
}

static void sample_chain(const struct sampling *s, struct select_desk *desk, uint32_t lane,
                         void *values)
{
    const struct qn_batch *batch = &s->job->request->batch;
    for (uint64_t i = 0; i < s->rows; i++) {
        uint32_t work =
            qn_chain_eval(batch, &batch->lanes[lane], sample_row(s, i), 1, &desk->tile, NULL);
        qn_tile_widen(work, 1, &desk->tile);
        if (work == QN_W_F32)
            ((float *)values)[i] = desk->tile.f32[0];
        else
            ((double *)values)[i] = desk->tile.f64[0];
    }
}

static void sample_task(void *user, uint32_t worker, uint64_t task)
{
    const struct sampling *s = user;
    struct select_job *job = s->job;
    struct select_desk *desk = &job->desks[worker];
    const struct sample_part *part = &s->parts[task];
    uint32_t lane = part->strip->first + part->column;
    size_t size = qn_select_size(&job->plans[lane]), bytes = s->rows * size;
    int wanted = 0;
    for (uint32_t c = 0; c < part->columns; c++) wanted |= !job->plans[lane + c].done;
    if (!wanted) return;
    char *values = qn_alloc(part->columns, bytes);
    if (values == NULL)
        atomic_store(&job->out_of_memory, 1);
    else if (qn_select_scratch(job, desk, bytes)) {
        if (part->strip->kind == QN_STRIP_CHAIN)
            sample_chain(s, desk, lane, values);
        else
            sample_matrix(s, part, values);
        for (uint32_t c = 0; c < part->columns; c++)
            if (!job->plans[lane + c].done)
                bracket_lane(job, desk, lane + c, values + c * bytes, s->rows);
    }
    qn_free(values);
}

static quern_status plan_brackets(struct select_job *job, struct qn_threads *threads)
{
    uint64_t rows = job->request->batch.rows;
    struct sampling s = {.job = job, .rows = rows / SAMPLE_PART};
    uint64_t tasks = 0;
    s.rows = s.rows < SAMPLE_MIN ? SAMPLE_MIN : s.rows > SAMPLE_MAX ? SAMPLE_MAX : s.rows;
    s.step = rows / s.rows;
    s.parts = qn_alloc(job->request->batch.n_lanes, sizeof *s.parts);
    if (s.parts == NULL)
        return qn_error_memory("selection", job->request->batch.n_lanes * sizeof *s.parts);
    for (uint32_t i = 0; i < job->n_strips; i++) {
        const struct qn_strip *strip = &job->strips[i];
        uint32_t step = strip->kind == QN_STRIP_CHAIN ? 1 : SAMPLE_COLUMNS;
        for (uint32_t c = 0; c < strip->count; c += step) {
            uint32_t left = strip->count - c;
            s.parts[tasks++] = (struct sample_part){strip, c, left < step ? left : step};
        }
    }
    qn_threads_run(threads, tasks, sample_task, &s);
    qn_free(s.parts);
    if (atomic_load(&job->out_of_memory))
        return qn_error(QUERN_OUT_OF_MEMORY, "out of host memory: selection's sample");
    return QUERN_OK;
}

quern_status qn_select_plan(struct select_job *job, struct qn_threads *threads)
{
    const struct qn_batch *batch = &job->request->batch;
    for (uint32_t i = 0; i < job->n_strips; i++) {
        const struct qn_strip *strip = &job->strips[i];
        for (uint32_t l = strip->first; l < strip->first + strip->count; l++)
            job->plans[l].wide = strip->kind == QN_STRIP_CHAIN
                                     ? !qn_lane_is_float(batch, &batch->lanes[l])
                                     : strip->kind == QN_STRIP_DOUBLE;
    }
    QN_TRY(plan_ranks(job));
    if (batch->rows > SMALL_ROWS) return plan_brackets(job, threads);
    for (uint32_t l = 0; l < batch->n_lanes; l++)
        if (!job->plans[l].done) bracket_all(&job->plans[l], job->request->counts[l]);
    return QUERN_OK;
}
