/* SPDX-License-Identifier: Apache-2.0
 * One pass of a fit over a sparse table. The stored values of a column, in the order of rows, are a
 * packed column of their own, of which the ordinary operations take statistics; then the zeros that
 * are not stored are counted in (docs/numbers.md). One column is one task. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/sparse.h"
#include "host/pipeline/weights.h"
#include "host/stats/moments.h"
#include "host/stats/pairs.h"
#include "host/stats/quantiles.h"

enum {
    LARGE_COLUMN = 1 << 18,
    GROUP_BYTES = 32 << 20, /* of entries by columns that are held at a time, and */
    GROUP_SHARE = 16        /* this share of all */
};

/* A port that wants statistics. */
struct want {
    struct qn_plan_step *step;
    uint32_t index, lane;
    uint32_t work;       /* of its values: F32 or F64 */
    uint64_t stored;     /* entries */
    const uint32_t *row; /* of each entry */
    double *quantiles;   /* room for those that are wanted; lives as long as the plan */
    /* Some of the entries, and as many zeros as make up for the rest: what quantiles are of. */
    int draws;
    uint64_t n_drawn, drawn_zeros;
    char *drawn; /* packed values */
};

struct pass {
    struct qn_fit_state *s;
    struct qn_arena arena;
    struct want *wants;
    uint32_t n;
    struct qn_program program;
    struct qn_lane *lanes; /* one per want */
    uint64_t rows;
    struct qn_weights weights;
    double weight;               /* of all rows */
    struct qn_node *class_nodes; /* [want][class], or NULL */
    struct qn_node targets;      /* of all rows, where they are numbers */
    struct qn_failure failure;   /* of the first want that failed */
    uint32_t failed;
    struct qn_failure *failures; /* per worker, with the want's number: */
    uint32_t *failed_at;
    uint32_t first, end;    /* the wants whose columns are there */
    struct qn_twister draw; /* of the step whose columns draw */
};

/* ---- one column ---- */

static struct qn_batch batch_of(const struct pass *p, uint32_t i)
{
    return (struct qn_batch){.rows = p->wants[i].stored,
                             .lanes = &p->lanes[i],
                             .n_lanes = 1,
                             .ops = p->program.ops,
                             .n_ops = p->program.n_ops,
                             .words = p->program.words,
                             .n_words = p->program.n_words};
}

/* The sum of `n` weights, in their order, with what each addition lost added back; row NULL: 0 … n-1. */
static double sum_of(const double *weights, const uint32_t *row, uint64_t n)
{
    double sum = 0, lost = 0;
    for (uint64_t k = 0; k < n; k++) {
        double w = weights[row != NULL ? row[k] : k], next = sum + w, part = next - sum;
        lost += (sum - (next - part)) + (w - part);
        sum = next;
    }
    return sum + lost;
}

/* What the zeros that are not stored weigh: 1 each, or what the rows of the stored entries leave. */
static double weight_of_zeros(const struct pass *p, const struct want *w, int weighted)
{
    if (!weighted || w->stored == p->rows) return (double)(p->rows - w->stored);
    double left = p->weight - sum_of(p->weights.values, w->row, w->stored);
    return left > 0 ? left : 0.0;
}

/* weighted: rows count with the pass's weights, which the stored entries' are gathered from. */
static quern_status moments(const struct pass *p, uint32_t i, struct qn_threads *threads,
                            int weighted, struct qn_found *f)
{
    const struct want *want = &p->wants[i];
    uint64_t stored = want->stored, groups = stored / QN_GROUP_ROWS + 1;
    struct qn_moments *sums = NULL;
    quern_status status = QUERN_OK;
    double *weights = weighted ? qn_alloc((size_t)stored + 1, sizeof *weights) : NULL;
    struct qn_moments_request rq = {.batch = batch_of(p, i), .weights = weights};
    rq.nodes = qn_alloc((size_t)groups, sizeof *rq.nodes);
    if ((weighted && weights == NULL) || rq.nodes == NULL) QN_GO(qn_error_memory_while("fitting"));
    QN_GO(qn_moments_open(1, 0, &sums));
    for (uint64_t k = 0; weighted && k < stored; k++) weights[k] = p->weights.values[want->row[k]];
    if (stored != 0) QN_GO(qn_op_moments(NULL, threads, 0, &rq, NULL));
    QN_GO(qn_moments_push(sums, rq.nodes, stored));
    struct qn_node zeros = {weight_of_zeros(p, want, weighted), 0.0, 0.0, 0.0};
    f->moments = qn_node_merge(qn_moments_result(sums, 0), zeros);
    f->has_moments = 1;
    if (!weighted) f->count = (uint64_t)f->moments.n;
cleanup:
    qn_free(weights);
    qn_free(rq.nodes);
    qn_moments_free(sums);
    return status;
}

/* The classes' moments of the stored entries, then the zeros that are not stored of each. */
static quern_status classes(const struct pass *p, uint32_t i, struct qn_threads *threads,
                            struct qn_found *f)
{
    const struct want *want = &p->wants[i];
    uint32_t n = qn_categories_count(p->s->labels.classes);
    uint64_t stored = want->stored, groups = stored / QN_GROUP_ROWS + 1;
    struct qn_node *out = p->class_nodes + (size_t)i * n;
    struct qn_moments *sums = NULL;
    quern_status status = QUERN_OK;
    uint32_t *codes = qn_alloc((size_t)stored + 1, sizeof *codes);
    uint64_t *entries = qn_zalloc(n, sizeof *entries);
    struct qn_moments_request rq = {.batch = batch_of(p, i), .codes = codes, .n_classes = n};
    rq.nodes = qn_alloc((size_t)groups * n, sizeof *rq.nodes);
    if (codes == NULL || entries == NULL || rq.nodes == NULL)
        QN_GO(qn_error_memory_while("fitting"));
    QN_GO(qn_moments_open(n, 0, &sums));
    for (uint64_t k = 0; k < stored; k++) entries[codes[k] = p->s->labels.codes[want->row[k]]]++;
    if (stored != 0) QN_GO(qn_op_moments(NULL, threads, 0, &rq, NULL));
    QN_GO(qn_moments_push(sums, rq.nodes, stored));
    for (uint32_t k = 0; k < n; k++) {
        uint64_t rows = qn_categories_rows(p->s->labels.classes, k);
        struct qn_node zeros = {(double)(rows - entries[k]), 0.0, 0.0, 0.0};
        out[k] = qn_node_merge(qn_moments_result(sums, k), zeros);
    }
    f->classes = out;
    f->n_classes = n;
cleanup:
    qn_free(codes);
    qn_free(entries);
    qn_free(rq.nodes);
    qn_moments_free(sums);
    return status;
}

/* The pairs of the stored entries, then the zeros that are not stored. */
static quern_status pairs(const struct pass *p, uint32_t i, struct qn_threads *threads,
                          struct qn_found *f)
{
    const struct want *want = &p->wants[i];
    uint64_t stored = want->stored;
    struct qn_tree sums;
    quern_status status = QUERN_OK;
    QN_TRY(qn_pairs_open(1, &sums));
    double *targets = qn_alloc((size_t)stored + 1, sizeof *targets);
    struct qn_moments_request rq = {.batch = batch_of(p, i), .targets = targets};
    rq.pairs = qn_alloc((size_t)(stored / QN_GROUP_ROWS + 1), sizeof *rq.pairs);
    if (targets == NULL || rq.pairs == NULL) QN_GO(qn_error_memory_while("fitting"));
    for (uint64_t k = 0; k < stored; k++) targets[k] = p->s->labels.numbers[want->row[k]];
    if (stored != 0) QN_GO(qn_op_moments(NULL, threads, 0, &rq, NULL));
    QN_GO(qn_tree_push(&sums, rq.pairs, stored));
    f->pair = qn_pair_zeros(qn_pairs_result(&sums, 0), p->targets, p->rows - stored);
cleanup:
    qn_free(targets);
    qn_free(rq.pairs);
    qn_tree_close(&sums);
    return status;
}

static quern_status extremes(const struct pass *p, uint32_t i, struct qn_threads *threads,
                             struct qn_found *f)
{
    struct qn_extremes e = {.min = INFINITY, .max = -INFINITY};
    struct qn_extremes_request rq = {.batch = batch_of(p, i), .out = &e};
    uint64_t zeros = p->rows - p->wants[i].stored;
    QN_TRY(qn_op_extremes(NULL, threads, 0, &rq, NULL));
    f->stored = e.count;
    if (zeros != 0) {
        if (e.min > 0) e.min = 0;
        if (e.max < 0) e.max = 0;
        e.count += zeros;
    }
    f->extremes = e;
    f->count = e.count;
    f->has_extremes = 1;
    return QUERN_OK;
}

/* The value of rank k among stored values and zeros: stored value k where that is negative, stored
 * value k - zeros where that is positive, else 0. */
static double merged(double low, double high)
{
    if (low < 0) return low; /* NaN: there is no such value */
    return high > 0 ? high : 0.0;
}

static struct qn_quantile target_of(const struct qn_need *need, uint32_t j, uint64_t count)
{
    return need->median && j == 0 ? qn_median_ranks(count)
                                  : qn_quantile_ranks_by(need->method, count, need->percent[j]);
}

/* Rank k as it is and less the zeros, at ranks[2 * at] and the next. */
static void ask_rank(uint64_t *ranks, uint32_t at, uint64_t k, uint64_t stored, uint64_t zeros)
{
    ranks[2 * at] = k < stored ? k : UINT64_MAX;
    ranks[2 * at + 1] = k >= zeros && k - zeros < stored ? k - zeros : UINT64_MAX;
}

/* f->quantile from the values of ranks that ask_rank put in order. */
static void finish_quantiles(const struct qn_need *need, const double *values, int f32,
                             const struct qn_found *f, double *out)
{
    for (uint32_t j = 0; j < need->n_quantiles; j++) {
        struct qn_quantile q = target_of(need, j, f->count);
        const double *v = values + 4 * (size_t)j;
        double low = merged(v[0], v[1]), high = merged(v[2], v[3]);
        out[j] = f->count == 0            ? NAN
                 : need->median && j == 0 ? qn_median_value(q, low, high, f32, QN_MEDIAN_PLAIN)
                                          : qn_quantile_value(q, low, high, f32);
    }
}

/* The entries that were drawn, as a column of their own; f: what is known of it. */
static quern_status drawn_column(const struct pass *p, uint32_t i, struct qn_threads *threads,
                                 struct qn_batch *batch, struct qn_lane *lane, struct qn_found *f)
{
    struct qn_extremes e = {.min = INFINITY, .max = -INFINITY};
    *lane = p->lanes[i];
    lane->data = p->wants[i].drawn;
    lane->stride = (int64_t)qn_type_bytes((quern_type)lane->type);
    batch->rows = p->wants[i].n_drawn;
    batch->lanes = lane;
    struct qn_extremes_request rq = {.batch = *batch, .out = &e};
    if (batch->rows != 0) QN_TRY(qn_op_extremes(NULL, threads, 0, &rq, NULL));
    f->stored = e.count;
    f->count = e.count + p->wants[i].drawn_zeros;
    return QUERN_OK;
}

static quern_status quantiles(const struct pass *p, uint32_t i, struct qn_threads *threads,
                              const struct qn_need *need, struct qn_found *found)
{
    const struct want *w = &p->wants[i];
    uint64_t zeros = w->draws ? w->drawn_zeros : p->rows - w->stored;
    size_t n = 4 * (size_t)need->n_quantiles;
    quern_status status = QUERN_OK;
    struct qn_batch batch = batch_of(p, i);
    struct qn_found drawn = {0}, *f = w->draws ? &drawn : found;
    struct qn_lane lane;
    if (w->draws) QN_TRY(drawn_column(p, i, threads, &batch, &lane, f));
    uint64_t *ranks = qn_alloc(n, sizeof *ranks);
    double *values = qn_alloc(n, sizeof *values);
    if (ranks == NULL || values == NULL) {
        status = qn_error_memory_while("taking statistics");
        goto cleanup;
    }
    struct qn_select_request rq = {.batch = batch,
                                   .n_ranks = (uint32_t)n,
                                   .ranks = ranks,
                                   .counts = &f->stored,
                                   .values = values};
    for (size_t k = 0; k < n; k++) {
        ranks[k] = UINT64_MAX;
        values[k] = NAN;
    }
    for (uint32_t j = 0; j < need->n_quantiles && f->count != 0; j++) {
        struct qn_quantile q = target_of(need, j, f->count);
        ask_rank(ranks, 2 * j, q.low, f->stored, zeros);
        ask_rank(ranks, 2 * j + 1, q.high, f->stored, zeros);
    }
    if (f->stored != 0) QN_GO(qn_op_select(NULL, threads, 0, &rq, NULL));
    for (size_t k = 0; k < n; k++)
        if (ranks[k] == UINT64_MAX) values[k] = NAN;
    finish_quantiles(need, values, w->work == QN_W_F32, f, w->quantiles);
    found->quantile = w->quantiles;
cleanup:
    qn_free(ranks);
    qn_free(values);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The most frequent value, the smallest of equals; zeros that are not stored count with the others. */
static double mode_of(double *values, uint64_t n, uint64_t zeros)
{
    uint64_t most = zeros;
    double mode = zeros != 0 ? 0.0 : NAN;
    qsort(values, (size_t)n, sizeof *values, by_value);
    for (uint64_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && values[end] == values[i]; end++) {
        }
        uint64_t rows = end - i + (values[i] == 0 ? zeros : 0);
        if (rows < most || (rows == most && !(values[i] < mode))) continue;
        most = rows;
        mode = values[i] + 0.0;
    }
    return mode;
}

static quern_status mode(const struct pass *p, uint32_t i, struct qn_threads *threads,
                         struct qn_found *f)
{
    uint64_t stored = p->wants[i].stored, n = 0;
    double *values = qn_alloc((size_t)stored, sizeof *values);
    struct qn_slot slot = {.stride = sizeof *values, .type = QN_T_F64, .match = QN_MATCH_VALUE};
    struct qn_run_request rq = {
        .batch = batch_of(p, i), .slots = &slot, .n_slots = 1, .out_host = values};
    if (values == NULL) return qn_error_memory_while("fitting");
    quern_status status = stored != 0 ? qn_op_run(NULL, threads, 0, &rq, NULL) : QUERN_OK;
    if (status == QUERN_OK) {
        for (uint64_t k = 0; k < stored; k++)
            if (!isnan(values[k])) values[n++] = values[k];
        f->stored = n;
        f->count = n + (p->rows - stored);
        f->mode = mode_of(values, n, p->rows - stored);
    }
    qn_free(values);
    return status;
}

static quern_status column(const struct pass *p, uint32_t i, struct qn_threads *threads)
{
    const struct want *w = &p->wants[i];
    const struct qn_need *need = &w->step->needs[w->index];
    struct qn_found *f = &w->step->found[w->index];
    f->sparse = 1;
    if (need->flags & QN_NEED_MOMENTS) QN_TRY(moments(p, i, threads, 0, f));
    if (need->flags & QN_NEED_WEIGHTED) QN_TRY(moments(p, i, threads, 1, f));
    if (need->flags & QN_NEED_CLASSES) QN_TRY(classes(p, i, threads, f));
    if (need->flags & QN_NEED_PAIRS) QN_TRY(pairs(p, i, threads, f));
    if (need->flags & QN_NEED_EXTREMES) QN_TRY(extremes(p, i, threads, f));
    if (need->flags & QN_NEED_QUANTILES) QN_TRY(quantiles(p, i, threads, need, f));
    if (need->flags & QN_NEED_MODE) QN_TRY(mode(p, i, threads, f));
    return QUERN_OK;
}

/* ---- all columns ---- */

static void column_task(void *user, uint32_t worker, uint64_t i)
{
    struct pass *p = user;
    i += p->first;
    if (p->wants[i].stored > LARGE_COLUMN) return; /* those take all threads, one after another */
    quern_status status = column(p, (uint32_t)i, NULL);
    if (status == QUERN_OK || i >= p->failed_at[worker]) return;
    p->failed_at[worker] = (uint32_t)i;
    qn_error_take(&p->failures[worker], status);
}

static quern_status columns(struct pass *p)
{
    struct quern_context *cx = p->s->x.cx;
    uint32_t workers = qn_threads_size(cx->threads), first = 0;
    for (uint32_t w = 0; w < workers; w++) p->failed_at[w] = UINT32_MAX;
    qn_threads_run(cx->threads, p->end - p->first, column_task, p);
    for (uint32_t w = 1; w < workers; w++)
        if (p->failed_at[w] < p->failed_at[first]) first = w;
    if (p->failed_at[first] != UINT32_MAX) return qn_error_put(&p->failures[first]);
    for (uint32_t i = p->first; i < p->end; i++) {
        if (p->wants[i].stored <= LARGE_COLUMN) continue;
        if (qn_context_cancelled(cx)) return qn_context_stopped("the fit");
        QN_TRY(column(p, i, cx->threads));
    }
    return QUERN_OK;
}

static quern_status gather(struct pass *p)
{
    struct qn_plan *plan = p->s->plan;
    uint32_t room = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].needs != NULL) room += plan->steps[i].n_probes;
    struct qn_port *ports = qn_arena_alloc(&p->arena, room, sizeof *ports);
    p->wants = qn_arena_alloc(&p->arena, room, sizeof *p->wants);
    p->lanes = qn_arena_alloc(&p->arena, room, sizeof *p->lanes);
    uint32_t workers = qn_threads_size(p->s->x.cx->threads);
    p->failures = qn_arena_alloc(&p->arena, workers, sizeof *p->failures);
    p->failed_at = qn_arena_alloc(&p->arena, workers, sizeof *p->failed_at);
    if (ports == NULL || p->wants == NULL || p->lanes == NULL || p->failures == NULL ||
        p->failed_at == NULL)
        return qn_error_memory_while("fitting");
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            if (step->needs[k].flags == 0) continue;
            QN_TRY(qn_float_port(&p->arena, &step->probes[k], &ports[p->n]));
            p->wants[p->n] =
                (struct want){.step = step, .index = k, .work = ports[p->n].chain->work};
            p->wants[p->n].quantiles =
                qn_arena_alloc(&plan->arena, step->needs[k].n_quantiles, sizeof(double));
            if (p->wants[p->n].quantiles == NULL) return qn_error_memory_while("fitting");
            p->n++;
        }
    }
    QN_TRY(qn_program_make(&p->arena, qn_plan_layer(plan), ports, p->n, NULL, &p->program));
    for (uint32_t i = 0; i < p->n; i++) p->wants[i].lane = p->program.slots[i].lane;
    return QUERN_OK;
}

/* Of a table that is compressed by rows: the columns of as many wants as are held at a time. */
static quern_status next_columns(struct pass *p, struct qn_compressed *out)
{
    const struct quern_table *table = p->s->feed->table;
    const struct qn_sparse_table *t = table->sparse;
    const uint64_t *stored = p->s->plan->stored;
    uint64_t each = t->entries.stride + sizeof(uint32_t), bytes = 0,
             most = GROUP_BYTES + t->nnz * each / GROUP_SHARE;
    uint8_t *wanted = qn_zalloc(table->n_columns, 1);
    if (wanted == NULL) return qn_error_memory_while("fitting");
    for (; p->end < p->n; p->end++) {
        uint32_t column = p->program.lanes[p->wants[p->end].lane].source;
        if (!wanted[column]) bytes += stored[column] * each;
        if (bytes > most && p->end != p->first) break;
        wanted[column] = 1;
    }
    quern_status status =
        qn_compressed_pick(&t->entries, p->s->x.cx->threads, wanted, stored, table->n_columns, out);
    qn_free(wanted);
    return status;
}

/* The present layer's values by columns, and how to tell their types: those of the next wants, mostly of
 * all. */
static quern_status columns_of(struct pass *p, struct qn_compressed *out, const quern_type **types)
{
    struct qn_fit_state *s = p->s;
    const struct quern_table *table = s->feed->table;
    uint32_t layer = s->plan->n_layers - 1;
    *types = NULL;
    if (layer == 0 && table->sparse->layout == QUERN_SPARSE_CSR) return next_columns(p, out);
    p->end = p->n;
    if (layer == 0) return qn_sparse_by_columns(table, out);
    struct qn_arena arena = {0};
    struct qn_sparse_frame frame = {0};
    uint32_t *at = qn_arena_alloc(&arena, table->n_columns, sizeof *at);
    quern_status status = at != NULL ? QUERN_OK : qn_error_memory_while("fitting");
    for (uint32_t i = 0; at != NULL && i < table->n_columns; i++) at[i] = i;
    if (status == QUERN_OK)
        status = qn_sparse_make(&s->x, table, at, table->n_columns, layer, &frame);
    if (status == QUERN_OK)
        status = qn_compressed_transpose(&frame.entries, NULL, frame.entries.n, frame.columns, out);
    *types = s->plan->layers[layer].input_types;
    qn_sparse_frame_free(&frame);
    qn_arena_free(&arena);
    return status;
}

static void place_lanes(struct pass *p, const struct qn_compressed *c, const quern_type *types)
{
    for (uint32_t i = p->first; i < p->end; i++) {
        const struct qn_program_lane *lane = &p->program.lanes[p->wants[i].lane];
        quern_type type = types != NULL ? types[lane->source] : p->s->feed->table->sparse->type;
        uint64_t from = c->ptr[lane->source];
        p->wants[i].stored = c->ptr[lane->source + 1] - from;
        p->wants[i].row = c->minor + from;
        p->lanes[i] = (struct qn_lane){.data = c->values + from * c->stride,
                                       .stride = c->stride,
                                       .valid_bit = QN_NO_VALIDITY,
                                       .type = (uint32_t)type,
                                       .work = lane->work,
                                       .first_op = lane->first_op,
                                       .n_ops = lane->n_ops};
    }
}

static quern_status weigh(struct pass *p)
{
    const struct quern_table *table = p->s->feed->table;
    if (!p->s->plan->weighted) return QUERN_OK;
    if (table->weights == NULL)
        return qn_error(QUERN_UNSUPPORTED,
                        "the weights of a sparse table cannot be one of its columns; "
                        "give them apart");
    QN_TRY(qn_weights_of(p->s->plan->spec, table, 0, &p->weights));
    QN_TRY(qn_weights_check(&p->weights));
    p->weight = sum_of(p->weights.values, NULL, p->rows);
    return QUERN_OK;
}

/* scikit-learn draws from a column's entries where they are more than the rows that it wants, and of those so
 * many that their share stays. */
static quern_status draw_entries(struct pass *p, struct want *w, const struct qn_lane *lane,
                                 struct qn_twister *t)
{
    uint64_t n = w->step->draw.n;
    size_t bytes = qn_type_bytes((quern_type)lane->type);
    if (w->stored <= n) return QUERN_OK;
    if (w->stored > QN_DRAW_MOST)
        return qn_error(QUERN_UNSUPPORTED,
                        "%s: subsample draws among at most %u values of a column; null: learns "
                        "from all",
                        w->step->where, QN_DRAW_MOST);
    w->draws = 1;
    w->n_drawn = n * w->stored / p->rows; /* both are below 2^32: rows of sparse tables are */
    w->drawn_zeros = n - w->n_drawn;
    w->drawn = qn_arena_alloc(&p->arena, (size_t)w->n_drawn + 1, bytes);
    uint32_t *entries = qn_alloc((size_t)w->n_drawn + 1, sizeof *entries);
    quern_status status =
        w->drawn != NULL && entries != NULL
            ? qn_draw_without(t, (uint32_t)w->stored, (uint32_t)w->n_drawn, entries)
            : qn_error_memory_while("drawing rows");
    for (uint64_t k = 0; status == QUERN_OK && k < w->n_drawn; k++)
        memcpy(w->drawn + k * bytes, (const char *)lane->data + (int64_t)entries[k] * lane->stride,
               bytes);
    qn_free(entries);
    return status;
}

/* A step's columns draw one after another, with one generator. */
static quern_status draw_columns(struct pass *p)
{
    struct qn_twister *t = &p->draw;
    uint32_t *state = p->s->feed->table->random;
    for (uint32_t i = p->first; i < p->end; i++) {
        struct want *w = &p->wants[i];
        const struct qn_draw *draw = &w->step->draw;
        if (!(w->step->needs[w->index].flags & QN_NEED_DRAWN)) continue;
        if (i == 0 || w->step != p->wants[i - 1].step) QN_TRY(qn_draw_begin(draw, state, t));
        QN_TRY(draw_entries(p, w, &p->lanes[i], t));
        if (i + 1 == p->n || w->step != p->wants[i + 1].step) qn_draw_end(draw, state, t);
    }
    return QUERN_OK;
}

static int wanted(const struct pass *p, uint32_t flag)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->wants[i].step->needs[p->wants[i].index].flags & flag) return 1;
    return 0;
}

/* The numbers of all rows' targets, and their moments. */
static quern_status read_targets(struct pass *p)
{
    struct qn_fit_state *s = p->s;
    struct qn_moments *sums = NULL;
    quern_status status = QUERN_OK;
    if (!wanted(p, QN_NEED_PAIRS)) return QUERN_OK;
    QN_TRY(qn_labels_numbers(&s->labels, s->plan->spec, s->x.cx->threads, s->feed->table, 0));
    struct qn_lane lane = {.data = s->labels.numbers,
                           .stride = sizeof(double),
                           .valid_bit = QN_NO_VALIDITY,
                           .type = QN_T_F64,
                           .work = QN_W_F64};
    struct qn_moments_request rq = {.batch = {.rows = p->rows, .lanes = &lane, .n_lanes = 1}};
    rq.nodes = qn_alloc((size_t)(p->rows / QN_GROUP_ROWS + 1), sizeof *rq.nodes);
    if (rq.nodes == NULL) return qn_error_memory_while("fitting");
    QN_GO(qn_moments_open(1, 0, &sums));
    QN_GO(qn_op_moments(NULL, s->x.cx->threads, 0, &rq, NULL));
    QN_GO(qn_moments_push(sums, rq.nodes, p->rows));
    p->targets = qn_moments_result(sums, 0);
cleanup:
    qn_moments_free(sums);
    qn_free(rq.nodes);
    return status;
}

/* The codes of all rows, and room for what is learned of the classes. */
static quern_status tell_classes(struct pass *p)
{
    struct qn_fit_state *s = p->s;
    const struct quern_table *table = s->feed->table;
    size_t count;
    if (!wanted(p, QN_NEED_CLASSES)) return QUERN_OK;
    if (!s->labels.counted) {
        QN_TRY(qn_labels_count(&s->labels, s->plan->spec, s->x.cx->threads, table, 0));
        QN_TRY(qn_labels_counted(&s->labels));
    }
    QN_TRY(qn_labels_codes(&s->labels, s->plan->spec, s->x.cx->threads, table, 0));
    if (qn_mul_size(p->n, qn_categories_count(s->labels.classes), &count))
        return qn_error_memory_while("fitting");
    p->class_nodes = qn_arena_alloc(&s->plan->arena, count, sizeof *p->class_nodes);
    return p->class_nodes != NULL ? QUERN_OK : qn_error_memory_while("fitting");
}

quern_status qn_sparse_pass(struct qn_fit_state *s)
{
    quern_status status = QUERN_OK;
    struct pass p = {.s = s, .rows = s->plan->rows};
    struct qn_compressed values = {0};
    const quern_type *types;
    qn_context_ledger(s->x.cx)->passes++;
    QN_GO(gather(&p));
    QN_GO(weigh(&p));
    QN_GO(tell_classes(&p));
    QN_GO(read_targets(&p));
    for (; p.first < p.n; p.first = p.end) {
        if (qn_context_cancelled(s->x.cx)) QN_GO(qn_context_stopped("the fit"));
        QN_GO(columns_of(&p, &values, &types));
        place_lanes(&p, &values, types);
        QN_GO(draw_columns(&p));
        QN_GO(columns(&p));
        qn_compressed_free(&values);
    }
    QN_GO(qn_context_decide(s->x.cx, s->x.step, "sparse", "host", "host", ""));
cleanup:
    qn_weights_free(&p.weights);
    qn_compressed_free(&values);
    qn_arena_free(&p.arena);
    return status;
}

quern_status qn_sparse_count(struct qn_fit_state *s, const struct quern_table *table)
{
    const struct qn_compressed *c = &table->sparse->entries;
    uint64_t *stored = qn_arena_alloc(&s->plan->arena, table->n_columns, sizeof *stored);
    if (stored == NULL) return qn_error_memory_while("fitting");
    if (table->sparse->layout == QUERN_SPARSE_CSC)
        for (uint32_t i = 0; i < table->n_columns; i++) stored[i] = c->ptr[i + 1] - c->ptr[i];
    else
        for (uint64_t i = 0; i < table->sparse->nnz; i++) stored[c->minor[i]]++;
    s->plan->stored = stored;
    return QUERN_OK;
}
