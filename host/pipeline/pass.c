/* SPDX-License-Identifier: Apache-2.0
 * One pass of a fit: whatever statistics the plan's steps asked for in this round, of all columns,
 * together. Moments and extremes of a chunk are taken while it is at hand; order statistics need the
 * counts first, so they follow (one more look at data in memory, passes of their own over a file).
 * Distinct values are counted on the host. */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/distinct.h"
#include "host/pipeline/fit.h"
#include "host/stats/moments.h"
#include "host/stats/pairs.h"
#include "host/stats/powers.h"
#include "host/stats/quantiles.h"

/* A number port that wants statistics. */
struct want {
    struct qn_plan_step *step;
    uint32_t index;
    struct qn_port port; /* in float32 or float64 work */
    uint32_t lane;
};

/* The wants of one kind, and the program whose lanes they are. */
struct group {
    struct want *wants;
    uint32_t n;
    struct qn_program program;
    struct qn_lane *lanes;
};

struct pass {
    struct qn_fit_state *s;
    struct qn_arena arena;
    struct group moments, weighted, classes, pairs, powers, sample, extremes, quantiles;
    struct qn_moments *sums, *weighted_sums, *class_sums;
    struct qn_tree pair_sums, power_sums, sample_sums;
    uint32_t n_classes;
    struct qn_weights weights; /* of the chunk at hand */
    struct qn_extremes *ends;  /* per lane of `extremes` */
    int counts_distinct;
};

static struct qn_found *found_of(const struct want *w)
{
    return &w->step->found[w->index];
}

static const struct qn_need *need_of(const struct want *w)
{
    return &w->step->needs[w->index];
}

/* ---- gathering ---- */

/* Integers are looked at as doubles, as scikit-learn does. */
quern_status qn_float_port(struct qn_arena *arena, const struct qn_port *in, struct qn_port *out)
{
    struct qn_stage stage = {.arena = arena};
    if (in->chain->work == QN_W_F32 || in->chain->work == QN_W_F64) {
        *out = *in;
        return QUERN_OK;
    }
    struct qn_port copy = *in;
    copy.match = QN_MATCH_VALUE;
    if (in->chain->work == QN_W_CODE) return qn_error(QUERN_INTERNAL, "statistics of codes");
    return qn_port_convert(&stage, &copy, QUERN_FLOAT64, out);
}

/* Curves are asked at places of their own, so those of equal chains have lanes of their own. */
static quern_status own_chain(struct pass *p, uint32_t flag, struct qn_port *port)
{
    if (!(flag & (QN_NEED_POWERS | QN_NEED_SAMPLE))) return QUERN_OK;
    port->chain = qn_chain_copy(&p->arena, port->chain);
    return port->chain != NULL ? QUERN_OK : qn_error_memory_while("taking statistics");
}

static quern_status gather(struct pass *p, uint32_t flag, struct group *g)
{
    struct qn_plan *plan = p->s->plan;
    uint32_t room = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].needs != NULL) room += plan->steps[i].n_probes;
    g->wants = qn_arena_alloc(&p->arena, room, sizeof *g->wants);
    struct qn_port *ports = qn_arena_alloc(&p->arena, room, sizeof *ports);
    if (g->wants == NULL || ports == NULL) return qn_error_memory_while("taking statistics");
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++) {
            if (!(step->needs[k].flags & flag) || step->probes[k].raw) continue;
            if (flag == QN_NEED_QUANTILES && (step->needs[k].flags & QN_NEED_DRAWN)) continue;
            struct want *w = &g->wants[g->n];
            w->step = step;
            w->index = k;
            QN_TRY(qn_float_port(&p->arena, &step->probes[k], &w->port));
            QN_TRY(own_chain(p, flag, &w->port));
            ports[g->n++] = w->port;
        }
    }
    if (g->n == 0) return QUERN_OK;
    QN_TRY(qn_program_make(&p->arena, qn_plan_layer(plan), ports, g->n, NULL, &g->program));
    for (uint32_t i = 0; i < g->n; i++) g->wants[i].lane = g->program.slots[i].lane;
    g->lanes = qn_arena_alloc(&p->arena, (size_t)g->program.n_lanes + g->program.n_operands,
                              sizeof *g->lanes);
    return g->lanes != NULL ? QUERN_OK : qn_error_memory_while("taking statistics");
}

/* ---- moments and extremes of one chunk ---- */

/* What each row has beside its values goes where the frame lies. */
static quern_status place(struct pass *p, const struct qn_frame *f, const void *values, size_t size,
                          struct qn_view *view, struct qn_span *span)
{
    struct qn_device *d = p->s->x.device;
    uint64_t bytes = f->rows * size;
    QN_TRY(qn_pool_take(d->pool, d->queue_numbers[f->queue], bytes, span));
    *view = (struct qn_view){span->view.raw, span->view.offset, bytes};
    return qn_device_upload(d, f->queue, *view, values, f->rows, size, (int64_t)size,
                            QN_TRAFFIC_INPUT);
}

static quern_status place_beside(struct pass *p, const struct group *g, const struct qn_frame *f,
                                 struct qn_moments_request *rq, struct qn_span *span)
{
    int host = f->base.raw == NULL;
    if (g == &p->weighted) {
        if (host) rq->weights = p->weights.values;
        return host ? QUERN_OK
                    : place(p, f, p->weights.values, sizeof(double), &rq->weights_base, span);
    }
    if (g == &p->pairs) {
        if (host) rq->targets = p->s->labels.numbers;
        return host ? QUERN_OK
                    : place(p, f, p->s->labels.numbers, sizeof(double), &rq->targets_base, span);
    }
    if (g != &p->classes) return QUERN_OK;
    rq->n_classes = p->n_classes;
    if (host) rq->codes = p->s->labels.codes;
    return host ? QUERN_OK
                : place(p, f, p->s->labels.codes, sizeof(uint32_t), &rq->codes_base, span);
}

static quern_status chunk_moments(struct pass *p, struct group *g, struct qn_moments *sums,
                                  const struct qn_frame *f, uint64_t rows)
{
    if (g->n == 0 || rows == 0) return QUERN_OK;
    uint32_t n = g->program.n_lanes;
    uint64_t groups = (rows - 1) / QN_GROUP_ROWS + 1;
    struct qn_moments_request rq = {0};
    struct qn_outcome outcome = {0};
    struct qn_span span = {0};
    struct qn_device *d = p->s->x.device;
    quern_status status = QUERN_OK;
    size_t count;
    if (qn_mul_size((size_t)groups * n, g == &p->classes ? p->n_classes : 1, &count))
        return qn_error_memory_while("taking statistics");
    rq.nodes = qn_alloc(count, sizeof *rq.nodes);
    if (rq.nodes == NULL) return qn_error_memory_while("taking statistics");
    qn_frame_batch(f, &g->program, g->lanes, &rq.batch);
    rq.batch.rows = rows;
    QN_GO(place_beside(p, g, f, &rq, &span));
    QN_GO(qn_op_moments(d, p->s->x.cx->threads, f->queue, &rq, &outcome));
    QN_GO(qn_exec_note(&p->s->x, "moments", &outcome));
    status = qn_moments_push(sums, rq.nodes, rows);
cleanup:
    if (span.view.raw != NULL) qn_pool_give(d->pool, d->queue_numbers[f->queue], &span);
    qn_free(rq.nodes);
    return status;
}

static quern_status chunk_pairs(struct pass *p, const struct qn_frame *f)
{
    struct group *g = &p->pairs;
    if (g->n == 0 || f->rows == 0) return QUERN_OK;
    uint64_t groups = (f->rows - 1) / QN_GROUP_ROWS + 1;
    struct qn_moments_request rq = {0};
    struct qn_outcome outcome = {0};
    struct qn_span span = {0};
    struct qn_device *d = p->s->x.device;
    quern_status status = QUERN_OK;
    rq.pairs = qn_alloc((size_t)groups * g->program.n_lanes, sizeof *rq.pairs);
    if (rq.pairs == NULL) return qn_error_memory_while("taking statistics");
    qn_frame_batch(f, &g->program, g->lanes, &rq.batch);
    QN_GO(place_beside(p, g, f, &rq, &span));
    QN_GO(qn_op_moments(d, p->s->x.cx->threads, f->queue, &rq, &outcome));
    QN_GO(qn_exec_note(&p->s->x, "moments", &outcome));
    status = qn_tree_push(&p->pair_sums, rq.pairs, f->rows);
cleanup:
    if (span.view.raw != NULL) qn_pool_give(d->pool, d->queue_numbers[f->queue], &span);
    qn_free(rq.pairs);
    return status;
}

static quern_status chunk_powers(struct pass *p, struct group *g, struct qn_tree *sums,
                                 const struct qn_frame *f, uint64_t rows)
{
    if (g->n == 0 || rows == 0) return QUERN_OK;
    uint32_t n = g->program.n_lanes;
    uint64_t groups = (rows - 1) / QN_GROUP_ROWS + 1;
    struct qn_powers_request rq = {0};
    struct qn_outcome outcome = {0};
    quern_status status = QUERN_OK;
    struct qn_powers_node *nodes = qn_alloc((size_t)groups * n, sizeof *nodes);
    struct qn_powers_at *at = qn_zalloc(n, sizeof *at);
    if (nodes == NULL || at == NULL) QN_GO(qn_error_memory_while("taking statistics"));
    for (uint32_t i = 0; i < g->n; i++) at[g->wants[i].lane] = need_of(&g->wants[i])->powers;
    rq.at = at;
    rq.nodes = nodes;
    qn_frame_batch(f, &g->program, g->lanes, &rq.batch);
    rq.batch.rows = rows;
    QN_GO(qn_op_powers(p->s->x.device, p->s->x.cx->threads, f->queue, &rq, &outcome));
    QN_GO(qn_exec_note(&p->s->x, "powers", &outcome));
    status = qn_tree_push(sums, nodes, rows);
cleanup:
    qn_free(at);
    qn_free(nodes);
    return status;
}

static quern_status chunk_extremes(struct pass *p, const struct qn_frame *f)
{
    struct group *g = &p->extremes;
    if (g->n == 0) return QUERN_OK;
    struct qn_extremes_request rq = {.out = p->ends, .any = 1};
    for (uint32_t i = 0; i < g->n; i++)
        rq.any &= (need_of(&g->wants[i])->flags & QN_NEED_DRAWN) != 0;
    struct qn_outcome outcome = {0};
    qn_frame_batch(f, &g->program, g->lanes, &rq.batch);
    QN_TRY(qn_op_extremes(p->s->x.device, p->s->x.cx->threads, f->queue, &rq, &outcome));
    return qn_exec_note(&p->s->x, "extremes", &outcome);
}

static quern_status open_results(struct pass *p)
{
    if (p->moments.n != 0) QN_TRY(qn_moments_open(p->moments.program.n_lanes, 0, &p->sums));
    if (p->weighted.n != 0)
        QN_TRY(qn_moments_open(p->weighted.program.n_lanes, 0, &p->weighted_sums));
    if (p->classes.n != 0) {
        size_t lanes;
        p->n_classes = qn_categories_count(p->s->labels.classes);
        if (qn_mul_size(p->classes.program.n_lanes, p->n_classes, &lanes) || lanes > UINT32_MAX)
            return qn_error_memory_while("taking statistics");
        QN_TRY(qn_moments_open((uint32_t)lanes, 0, &p->class_sums));
    }
    QN_TRY(qn_pairs_open(p->pairs.program.n_lanes, &p->pair_sums));
    QN_TRY(qn_powers_open(p->powers.program.n_lanes, &p->power_sums));
    QN_TRY(qn_powers_open(p->sample.program.n_lanes, &p->sample_sums));
    p->ends = qn_arena_alloc(&p->arena, p->extremes.program.n_lanes, sizeof *p->ends);
    if (p->ends == NULL) return qn_error_memory_while("taking statistics");
    for (uint32_t i = 0; i < p->extremes.program.n_lanes; i++)
        p->ends[i] = (struct qn_extremes){.min = INFINITY, .max = -INFINITY};
    return QUERN_OK;
}

static quern_status store_classes(struct pass *p)
{
    uint32_t n = p->n_classes;
    for (uint32_t i = 0; i < p->classes.n; i++) {
        struct qn_found *f = found_of(&p->classes.wants[i]);
        struct qn_node *nodes = qn_arena_alloc(&p->s->plan->arena, n, sizeof *nodes);
        if (nodes == NULL) return qn_error_memory_while("taking statistics");
        for (uint32_t k = 0; k < n; k++)
            nodes[k] = qn_moments_result(p->class_sums, p->classes.wants[i].lane * n + k);
        f->classes = nodes;
        f->n_classes = n;
    }
    return QUERN_OK;
}

static void store_powers(const struct group *g, const struct qn_tree *sums)
{
    for (uint32_t i = 0; i < g->n; i++)
        found_of(&g->wants[i])->powers = qn_powers_result(sums, g->wants[i].lane);
}

static quern_status store_results(struct pass *p)
{
    QN_TRY(store_classes(p));
    store_powers(&p->powers, &p->power_sums);
    store_powers(&p->sample, &p->sample_sums);
    for (uint32_t i = 0; i < p->extremes.n; i++) {
        struct qn_found *f = found_of(&p->extremes.wants[i]);
        f->extremes = p->ends[p->extremes.wants[i].lane];
        f->count = f->extremes.count;
        f->has_extremes = 1;
    }
    for (uint32_t i = 0; i < p->moments.n; i++) {
        struct qn_found *f = found_of(&p->moments.wants[i]);
        f->moments = qn_moments_result(p->sums, p->moments.wants[i].lane);
        f->count = (uint64_t)f->moments.n;
        f->has_moments = 1;
    }
    for (uint32_t i = 0; i < p->weighted.n; i++) {
        struct qn_found *f = found_of(&p->weighted.wants[i]);
        f->moments = qn_moments_result(p->weighted_sums, p->weighted.wants[i].lane);
        f->has_moments = 1;
    }
    for (uint32_t i = 0; i < p->pairs.n; i++)
        found_of(&p->pairs.wants[i])->pair = qn_pairs_result(&p->pair_sums, p->pairs.wants[i].lane);
    return p->weighted.n != 0 ? qn_weights_check(&p->weights) : QUERN_OK;
}

/* ---- a walk over the data ---- */

typedef quern_status chunk_fn(struct pass *p, const struct quern_table *table, uint64_t first_row,
                              void *user);

static int looks_at_rows(const struct pass *p)
{
    return p->moments.n != 0 || p->weighted.n != 0 || p->classes.n != 0 || p->pairs.n != 0 ||
           p->extremes.n != 0 || p->sample.n != 0 || p->powers.n != 0;
}

/* The row at which a pass may end: none, or that of the sample where nothing else is wanted. */
static uint64_t last_row(const struct pass *p)
{
    int all = p->moments.n != 0 || p->weighted.n != 0 || p->classes.n != 0 || p->pairs.n != 0 ||
              p->extremes.n != 0 || p->quantiles.n != 0 || p->counts_distinct || p->powers.n != 0 ||
              p->sample.n == 0;
    return all ? UINT64_MAX : QN_SAMPLE_ROWS;
}

static quern_status walk(struct pass *p, chunk_fn *body, void *user)
{
    struct qn_feed *feed = p->s->feed;
    struct quern_context *cx = p->s->x.cx;
    qn_context_ledger(cx)->passes++;
    QN_TRY(qn_feed_rewind(feed));
    for (;;) {
        const struct quern_table *table;
        uint64_t first_row;
        QN_TRY(qn_feed_next(feed, &table, &first_row));
        if (table == NULL) return QUERN_OK;
        if (qn_context_cancelled(cx)) return qn_context_stopped("the fit");
        QN_TRY(body(p, table, first_row, user));
        qn_context_progress(cx, "fit", first_row + table->rows, feed->rows);
        if (first_row + table->rows >= last_row(p)) return QUERN_OK;
    }
}

static quern_status count_labels(struct pass *p, const struct quern_table *table,
                                 uint64_t first_row, void *user)
{
    (void)user;
    return qn_labels_count(&p->s->labels, p->s->plan->spec, p->s->x.cx->threads, table, first_row);
}

/* Which classes there are is known before their rows are summed: a look at the target alone. */
static quern_status know_classes(struct pass *p)
{
    if (p->classes.n == 0 || p->s->labels.counted) return QUERN_OK;
    p->s->labels.whole = p->s->whole;
    QN_TRY(walk(p, count_labels, NULL));
    return qn_labels_counted(&p->s->labels);
}

static quern_status first_look(struct pass *p, const struct quern_table *table, uint64_t first_row,
                               void *user)
{
    struct qn_frame scratch, *f;
    struct qn_distinct *distinct = user;
    QN_TRY(qn_distinct_chunk(distinct, table, first_row));
    if (!looks_at_rows(p)) return QUERN_OK;
    if (p->weighted.n != 0) QN_TRY(qn_weights_of(p->s->plan->spec, table, first_row, &p->weights));
    if (p->classes.n != 0)
        QN_TRY(qn_labels_codes(&p->s->labels, p->s->plan->spec, p->s->x.cx->threads, table,
                               first_row));
    if (p->pairs.n != 0)
        QN_TRY(qn_labels_numbers(&p->s->labels, p->s->plan->spec, p->s->x.cx->threads, table,
                                 first_row));
    quern_status status = qn_fit_frame(p->s, table, first_row, &f, &scratch);
    uint64_t sample = table->rows < QN_SAMPLE_ROWS ? table->rows : QN_SAMPLE_ROWS;
    if (status == QUERN_OK) status = chunk_moments(p, &p->moments, p->sums, f, f->rows);
    if (status == QUERN_OK) status = chunk_moments(p, &p->weighted, p->weighted_sums, f, f->rows);
    if (status == QUERN_OK) status = chunk_moments(p, &p->classes, p->class_sums, f, f->rows);
    if (status == QUERN_OK) status = chunk_pairs(p, f);
    if (status == QUERN_OK) status = chunk_powers(p, &p->powers, &p->power_sums, f, f->rows);
    if (status == QUERN_OK && first_row == 0)
        status = chunk_powers(p, &p->sample, &p->sample_sums, f, sample);
    if (status == QUERN_OK) status = chunk_extremes(p, f);
    qn_frame_free(&p->s->x, &scratch);
    return status;
}

/* ---- order statistics ---- */

/* The wants of one working type, since keys of a request have one width. */
struct select_part {
    struct group g;
    struct qn_quantile *targets; /* n * most */
    uint32_t most;               /* quantiles of a want */
    uint32_t work;
};

static quern_status plan_part(struct pass *p, uint32_t work, struct select_part *part)
{
    const struct group *all = &p->quantiles;
    struct qn_port *ports = qn_arena_alloc(&p->arena, all->n, sizeof *ports);
    part->g.wants = qn_arena_alloc(&p->arena, all->n, sizeof *part->g.wants);
    part->work = work;
    if (ports == NULL || part->g.wants == NULL) return qn_error_memory_while("taking statistics");
    for (uint32_t i = 0; i < all->n; i++)
        if (all->wants[i].port.chain->work == work &&
            need_of(&all->wants[i])->n_quantiles > part->most)
            part->most = need_of(&all->wants[i])->n_quantiles;
    size_t n_targets;
    if (qn_mul_size(all->n, part->most, &n_targets)) return qn_error_memory("quantiles", SIZE_MAX);
    part->targets = qn_arena_alloc(&p->arena, n_targets, sizeof *part->targets);
    if (part->targets == NULL) return qn_error_memory_while("taking statistics");
    for (uint32_t i = 0; i < all->n; i++) {
        if (all->wants[i].port.chain->work != work) continue;
        struct want *w = &part->g.wants[part->g.n];
        *w = all->wants[i];
        const struct qn_need *need = need_of(w);
        for (uint32_t j = 0; j < need->n_quantiles; j++)
            part->targets[(size_t)part->g.n * part->most + j] =
                need->median && j == 0
                    ? qn_median_ranks(found_of(w)->count)
                    : qn_quantile_ranks_by(need->method, found_of(w)->count, need->percent[j]);
        ports[part->g.n++] = w->port;
    }
    if (part->g.n == 0) return QUERN_OK;
    /* every want has a lane of its own, so that its ranks are the lane's */
    for (uint32_t i = 1; i < part->g.n; i++) {
        if (ports[i].chain != ports[i - 1].chain) continue;
        ports[i].chain = qn_chain_copy(&p->arena, ports[i].chain);
        if (ports[i].chain == NULL) return qn_error_memory_while("taking statistics");
    }
    QN_TRY(qn_program_make(&p->arena, qn_plan_layer(p->s->plan), ports, part->g.n, NULL,
                           &part->g.program));
    part->g.lanes = qn_arena_alloc(&p->arena, (size_t)part->g.n + part->g.program.n_operands,
                                   sizeof *part->g.lanes);
    return part->g.lanes != NULL ? QUERN_OK : qn_error_memory_while("taking statistics");
}

/* Memory of a selection over chunks: more of it means fewer passes. */
enum { HISTOGRAM_BYTES = 16 << 20 };

static void ranks_of(const struct select_part *part, uint64_t *ranks, uint64_t *counts)
{
    for (uint32_t i = 0; i < part->g.n; i++) {
        const struct qn_need *need = need_of(&part->g.wants[i]);
        counts[i] = found_of(&part->g.wants[i])->count;
        for (uint32_t j = 0; j < part->most; j++) {
            size_t at = (size_t)i * part->most + j;
            const struct qn_quantile *q = &part->targets[at];
            int wanted = j < need->n_quantiles && counts[i] != 0;
            ranks[2 * at] = wanted ? q->low : UINT64_MAX;
            ranks[2 * at + 1] = wanted ? q->high : UINT64_MAX;
        }
    }
}

/* SimpleImputer takes numpy.ma.median, RobustScaler numpy.nanmedian, which is the same up to a number
 * of rows. */
static enum qn_median_style median_style(const struct qn_need *need, uint64_t rows)
{
    return need->masked_median || rows < QN_NANMEDIAN_ROWS ? QN_MEDIAN_MASKED : QN_MEDIAN_PLAIN;
}

/* The quantiles live as long as the plan. */
static quern_status store_quantiles(const struct select_part *part, const double *values,
                                    struct qn_plan *plan)
{
    for (uint32_t i = 0; i < part->g.n; i++) {
        struct qn_found *f = found_of(&part->g.wants[i]);
        const struct qn_need *need = need_of(&part->g.wants[i]);
        double *out = qn_arena_alloc(&plan->arena, need->n_quantiles, sizeof *out);
        if (out == NULL) return qn_error_memory_while("taking statistics");
        f->quantile = out;
        for (uint32_t j = 0; j < need->n_quantiles; j++) {
            size_t at = (size_t)i * part->most + j;
            struct qn_quantile q = part->targets[at];
            const double *v = values + 2 * at;
            int f32 = part->work == QN_W_F32 && need->as_f32; /* else widened before, over there */
            if (f->count == 0)
                out[j] = NAN;
            else if (need->median && j == 0)
                out[j] = qn_median_value(q, v[0], v[1], f32, median_style(need, plan->rows));
            else
                out[j] = qn_quantile_value(q, v[0], v[1], f32);
        }
    }
    return QUERN_OK;
}

/* All rows at hand: one operation. */
static quern_status select_whole(struct pass *p, const struct select_part *part,
                                 const struct quern_table *table, const uint64_t *ranks,
                                 const uint64_t *counts, double *values)
{
    struct qn_frame scratch, *f;
    struct qn_outcome outcome = {0};
    struct qn_select_request rq = {
        .n_ranks = 2 * part->most, .ranks = ranks, .counts = counts, .values = values};
    QN_TRY(qn_fit_frame(p->s, table, 0, &f, &scratch));
    qn_frame_batch(f, &part->g.program, part->g.lanes, &rq.batch);
    quern_status status =
        qn_op_select(p->s->x.device, p->s->x.cx->threads, f->queue, &rq, &outcome);
    qn_frame_free(&p->s->x, &scratch);
    QN_TRY(status);
    return qn_exec_note(&p->s->x, "select", &outcome);
}

struct radix {
    const struct select_part *part;
    struct qn_selector *machine;
};

static quern_status radix_chunk(struct pass *p, const struct quern_table *table, uint64_t first_row,
                                void *user)
{
    struct radix *r = user;
    struct qn_frame scratch, *f;
    struct qn_outcome outcome = {0};
    struct qn_histogram_request rq = {0};
    quern_status status = qn_fit_frame(p->s, table, first_row, &f, &scratch);
    if (status == QUERN_OK) {
        qn_frame_batch(f, &r->part->g.program, r->part->g.lanes, &rq.batch);
        qn_selector_request(r->machine, &rq);
        status = qn_op_histogram(p->s->x.device, p->s->x.cx->threads, f->queue, &rq, &outcome);
    }
    qn_frame_free(&p->s->x, &scratch);
    QN_TRY(status);
    return qn_exec_note(&p->s->x, "histogram", &outcome);
}

static quern_status select_chunked(struct pass *p, const struct select_part *part,
                                   const uint64_t *ranks, double *values)
{
    struct radix r = {.part = part};
    uint32_t n_ranks = 2 * part->most;
    QN_TRY(qn_selector_open(part->g.n, n_ranks, ranks, part->work == QN_W_F64, HISTOGRAM_BYTES,
                            &r.machine));
    quern_status status = QUERN_OK;
    while (status == QUERN_OK && qn_selector_needs_pass(r.machine)) {
        status = walk(p, radix_chunk, &r);
        if (status == QUERN_OK) status = qn_selector_end_pass(r.machine);
    }
    for (size_t i = 0; status == QUERN_OK && i < (size_t)part->g.n * n_ranks; i++)
        values[i] = qn_selector_value(r.machine, (uint32_t)(i / n_ranks), (uint32_t)(i % n_ranks));
    qn_selector_free(r.machine);
    return status;
}

static quern_status select_part(struct pass *p, uint32_t work)
{
    struct select_part part = {0};
    QN_TRY(plan_part(p, work, &part));
    if (part.g.n == 0) return QUERN_OK;
    size_t n_ranks = 2 * (size_t)part.most; /* no overflow: there are as many targets */
    uint64_t *ranks = qn_arena_alloc(&p->arena, part.g.n * n_ranks, sizeof *ranks);
    uint64_t *counts = qn_arena_alloc(&p->arena, part.g.n, sizeof *counts);
    double *values = qn_arena_alloc(&p->arena, part.g.n * n_ranks, sizeof *values);
    if (ranks == NULL || counts == NULL || values == NULL)
        return qn_error_memory_while("taking statistics");
    ranks_of(&part, ranks, counts);
    if (p->s->whole) {
        qn_context_ledger(p->s->x.cx)->passes++;
        QN_TRY(select_whole(p, &part, p->s->feed->table, ranks, counts, values));
    } else {
        QN_TRY(select_chunked(p, &part, ranks, values));
    }
    return store_quantiles(&part, values, p->s->plan);
}

quern_status qn_fit_pass(struct qn_fit_state *s)
{
    quern_status status = QUERN_OK;
    struct pass p = {.s = s};
    struct qn_distinct *distinct = NULL;
    QN_GO(gather(&p, QN_NEED_MOMENTS, &p.moments));
    QN_GO(gather(&p, QN_NEED_WEIGHTED, &p.weighted));
    QN_GO(gather(&p, QN_NEED_SAMPLE, &p.sample));
    QN_GO(gather(&p, QN_NEED_CLASSES, &p.classes));
    QN_GO(gather(&p, QN_NEED_PAIRS, &p.pairs));
    QN_GO(gather(&p, QN_NEED_POWERS, &p.powers));
    QN_GO(gather(&p, QN_NEED_EXTREMES, &p.extremes));
    QN_GO(gather(&p, QN_NEED_QUANTILES, &p.quantiles));
    QN_GO(qn_draws_begin(s));
    QN_GO(know_classes(&p));
    QN_GO(open_results(&p));
    QN_GO(qn_distinct_open(s, &distinct));
    p.counts_distinct = qn_distinct_wanted(distinct);
    if (looks_at_rows(&p) || p.counts_distinct) QN_GO(walk(&p, first_look, distinct));
    QN_GO(store_results(&p));
    QN_GO(qn_distinct_finish(distinct));
    QN_GO(select_part(&p, QN_W_F32));
    QN_GO(select_part(&p, QN_W_F64));
    QN_GO(qn_fit_drawn(s));
    QN_GO(qn_fit_targets(s));
    QN_GO(qn_fit_rows_begin(s));
    status = qn_fit_modes(s);
cleanup:
    qn_distinct_close(distinct);
    qn_moments_free(p.sums);
    qn_moments_free(p.weighted_sums);
    qn_moments_free(p.class_sums);
    qn_tree_close(&p.pair_sums);
    qn_tree_close(&p.power_sums);
    qn_tree_close(&p.sample_sums);
    qn_weights_free(&p.weights);
    qn_arena_free(&p.arena);
    return status;
}
