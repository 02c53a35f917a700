/* SPDX-License-Identifier: Apache-2.0
 * What a fit learns of some rows alone: a step's rows are drawn (host/stats/draw.h), the cells that its
 * chains read are packed, from every chunk where there are several, and statistics are taken of these. They
 * are few, so the host does that whatever the device is. */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/core/side.h"
#include "host/pipeline/fit.h"
#include "host/stats/quantiles.h"

enum { ASIDE = 1 << 16 }; /* fewer rows are drawn from in no time */

/* The probes of one working type, since keys of a selection have one width. */
struct part {
    uint32_t *probes;
    uint32_t n, most; /* most: quantiles of a probe */
    struct qn_port *ports;
    struct qn_program program;
    struct qn_lane *lanes;
};

struct drawing {
    struct qn_fit_state *s;
    struct qn_plan_step *step;
    struct qn_arena arena;
    struct part parts[2]; /* float32, float64 */
    uint8_t *wanted;      /* cells */
    uint32_t *rows;       /* n of them, ascending */
    uint64_t n, taken;
    struct qn_frame drawn;
    struct qn_quantile *targets; /* of one probe, and which: */
    const struct qn_need *target_need;
    uint64_t target_count;
};

static int draws_rows(const struct qn_plan_step *step)
{
    return step->needs != NULL && step->n_probes != 0 && (step->needs[0].flags & QN_NEED_DRAWN);
}

/* ---- the draw ---- */

quern_status qn_draw_begin(const struct qn_draw *draw, const uint32_t *state, struct qn_twister *t)
{
    if (draw->seed >= 0 || state == NULL) {
        qn_twister_seed(t, draw->seed >= 0 ? (uint32_t)draw->seed : 0);
        return QUERN_OK;
    }
    memcpy(t->key, state, sizeof t->key);
    t->at = state[QN_TWISTER_WORDS];
    if (t->at <= QN_TWISTER_WORDS) return QUERN_OK;
    return qn_error(QUERN_INVALID, "the random state's position is %u, beyond its %d words", t->at,
                    QN_TWISTER_WORDS);
}

void qn_draw_end(const struct qn_draw *draw, uint32_t *state, const struct qn_twister *t)
{
    if (draw->seed >= 0 || state == NULL) return;
    memcpy(state, t->key, sizeof t->key);
    state[QN_TWISTER_WORDS] = t->at;
}

static quern_status draw_step(struct qn_fit_state *s, const struct qn_plan_step *step,
                              struct qn_twister *t, uint32_t *drawn)
{
    const struct qn_draw *draw = &step->draw;
    uint32_t rows = (uint32_t)s->feed->rows, n = (uint32_t)draw->n;
    if (!draw->replace) return qn_draw_without(t, rows, n, drawn);
    if (!s->plan->weighted) return qn_draw_with(t, rows, n, drawn);
    QN_TRY(qn_fit_weights(s));
    return qn_draw_weighted(t, s->weights, rows, n, drawn);
}

/* All steps' rows, one step after another: some go on with the table's generator. */
struct qn_draws {
    struct qn_fit_state *s;
    struct qn_side side;
    int done;
    struct qn_failure failure;
    uint32_t **rows;                          /* [step]; NULL: it draws none */
    struct qn_frame *frames;                  /* [step] of these rows, once they are taken */
    uint32_t *state, words[QN_TWISTER_STATE]; /* the table's, or NULL; a copy to go on with */
};

static void *draw_all(void *user)
{
    struct qn_draws *draws = user;
    struct qn_plan *plan = draws->s->plan;
    uint32_t *state = draws->state != NULL ? draws->words : NULL;
    quern_status status = QUERN_OK;
    for (uint32_t i = 0; i < plan->n_steps && status == QUERN_OK; i++) {
        struct qn_twister t;
        if (draws->rows[i] == NULL) continue;
        status = qn_draw_begin(&plan->steps[i].draw, state, &t);
        if (status == QUERN_OK) status = draw_step(draws->s, &plan->steps[i], &t, draws->rows[i]);
        if (status == QUERN_OK) qn_draw_end(&plan->steps[i].draw, state, &t);
    }
    draws->done = 1;
    qn_error_take(&draws->failure, status);
    return NULL;
}

static quern_status room_for(struct qn_draws *draws)
{
    const struct qn_plan *plan = draws->s->plan;
    draws->rows = qn_zalloc(plan->n_steps, sizeof *draws->rows);
    draws->frames = qn_zalloc(plan->n_steps, sizeof *draws->frames);
    if (draws->rows == NULL || draws->frames == NULL) return qn_error_memory_while("drawing rows");
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        if (!draws_rows(&plan->steps[i])) continue;
        if (draws->s->feed->rows > QN_DRAW_MOST)
            return qn_error(QUERN_UNSUPPORTED,
                            "%s: subsample draws among at most %u rows, and there are %llu; null: "
                            "learns from all",
                            plan->steps[i].where, QN_DRAW_MOST,
                            (unsigned long long)draws->s->feed->rows);
        draws->rows[i] = qn_alloc((size_t)plan->steps[i].draw.n, sizeof **draws->rows);
        if (draws->rows[i] == NULL) return qn_error_memory_while("drawing rows");
    }
    return QUERN_OK;
}

/* By weights it needs the rows, which others are reading. */
static int can_begin(const struct qn_fit_state *s)
{
    return !s->plan->weighted && qn_threads_size(s->x.cx->threads) > 1 && s->feed->rows >= ASIDE;
}

quern_status qn_draws_begin(struct qn_fit_state *s)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < s->plan->n_steps; i++) wanted += draws_rows(&s->plan->steps[i]) != 0;
    if (wanted == 0) return QUERN_OK;
    struct qn_draws *draws = s->draws = qn_zalloc(1, sizeof *draws);
    if (draws == NULL) return qn_error_memory_while("drawing rows");
    draws->s = s;
    draws->state = s->feed->table != NULL ? s->feed->table->random : NULL;
    if (draws->state != NULL) memcpy(draws->words, draws->state, sizeof draws->words);
    QN_TRY(room_for(draws));
    if (can_begin(s)) (void)qn_side_start(&draws->side, draw_all, draws);
    return QUERN_OK;
}

void qn_draws_end(struct qn_fit_state *s)
{
    struct qn_draws *draws = s->draws;
    if (draws == NULL) return;
    qn_side_wait(&draws->side);
    for (uint32_t i = 0; draws->rows != NULL && i < s->plan->n_steps; i++) qn_free(draws->rows[i]);
    for (uint32_t i = 0; draws->frames != NULL && i < s->plan->n_steps; i++)
        qn_frame_free(&s->x, &draws->frames[i]);
    qn_free(draws->rows);
    qn_free(draws->frames);
    qn_free(draws);
    s->draws = NULL;
}

/* ---- their cells ---- */

/* Every probe has a lane of its own, so that its ranks are the lane's. */
static quern_status open_part(struct drawing *d, uint32_t work, struct part *part)
{
    const struct qn_plan_step *step = d->step;
    part->probes = qn_arena_alloc(&d->arena, step->n_probes, sizeof *part->probes);
    part->ports = qn_arena_alloc(&d->arena, step->n_probes, sizeof *part->ports);
    if (part->probes == NULL || part->ports == NULL) return qn_error_memory_while("drawing rows");
    for (uint32_t k = 0; k < step->n_probes; k++) {
        struct qn_port *port = &part->ports[part->n];
        QN_TRY(qn_float_port(&d->arena, &step->probes[k], port));
        if (port->chain->work != work) continue;
        port->chain = qn_chain_copy(&d->arena, port->chain);
        if (port->chain == NULL) return qn_error_memory_while("drawing rows");
        if (step->needs[k].n_quantiles > part->most) part->most = step->needs[k].n_quantiles;
        part->probes[part->n++] = k;
    }
    if (part->n == 0) return QUERN_OK;
    QN_TRY(qn_program_make(&d->arena, qn_plan_layer(d->s->plan), part->ports, part->n, NULL,
                           &part->program));
    part->lanes =
        qn_arena_alloc(&d->arena, (size_t)part->n + part->program.n_operands, sizeof *part->lanes);
    return part->lanes != NULL ? QUERN_OK : qn_error_memory_while("drawing rows");
}

static quern_status open_drawn(struct drawing *d, const struct qn_frame *like)
{
    d->wanted = qn_arena_alloc(&d->arena, like->n_cells, 1);
    if (d->wanted == NULL) return qn_error_memory_while("drawing rows");
    for (int p = 0; p < 2; p++) {
        const struct qn_program *program = &d->parts[p].program;
        for (uint32_t i = 0; i < program->n_lanes + program->n_operands; i++)
            d->wanted[program->lanes[i].source] = 1;
    }
    return qn_frame_open_taken(like, d->wanted, d->n, &d->drawn);
}

/* The drawn rows of a chunk; d->rows of it are numbered from its first row then. */
static quern_status take_chunk(struct drawing *d, const struct quern_table *table,
                               uint64_t first_row)
{
    struct qn_frame scratch, *f;
    uint64_t from = d->taken, to = from;
    for (; to < d->n && d->rows[to] - first_row < table->rows; to++)
        d->rows[to] -= (uint32_t)first_row;
    if (to == from) return QUERN_OK;
    quern_status status = qn_fit_frame(d->s, table, first_row, &f, &scratch);
    if (status == QUERN_OK && d->drawn.cells == NULL) status = open_drawn(d, f);
    if (status == QUERN_OK)
        status = qn_frame_take(&d->s->x, f, d->rows + from, to - from, from, &d->drawn);
    qn_frame_free(&d->s->x, &scratch);
    d->taken = to;
    return status;
}

static quern_status take_rows(struct drawing *d)
{
    struct qn_feed *feed = d->s->feed;
    struct quern_context *cx = d->s->x.cx;
    qn_context_ledger(cx)->passes++;
    QN_TRY(qn_feed_rewind(feed));
    while (d->taken < d->n) {
        const struct quern_table *table;
        uint64_t first_row;
        QN_TRY(qn_feed_next(feed, &table, &first_row));
        if (table == NULL) return qn_error(QUERN_INTERNAL, "rows that were drawn are not there");
        if (qn_context_cancelled(cx)) return qn_context_stopped("the fit");
        QN_TRY(take_chunk(d, table, first_row));
        qn_context_progress(cx, "fit", first_row + table->rows, feed->rows);
    }
    return QUERN_OK;
}

/* ---- statistics of these ---- */

static quern_status take_extremes(struct drawing *d, struct part *part, struct qn_batch *batch)
{
    struct qn_extremes *ends = qn_arena_alloc(&d->arena, part->n, sizeof *ends);
    struct qn_extremes_request rq = {.out = ends};
    if (ends == NULL) return qn_error_memory_while("drawing rows");
    for (uint32_t i = 0; i < part->n; i++)
        ends[i] = (struct qn_extremes){.min = INFINITY, .max = -INFINITY};
    qn_frame_batch(&d->drawn, &part->program, part->lanes, batch);
    rq.batch = *batch;
    QN_TRY(qn_op_extremes(NULL, d->s->x.cx->threads, 0, &rq, NULL));
    for (uint32_t i = 0; i < part->n; i++)
        d->step->found[part->probes[i]].drawn = ends[part->program.slots[i].lane];
    return QUERN_OK;
}

/* The ranks of a probe's quantiles. Columns mostly want the same of equally many values. */
static const struct qn_quantile *targets_of(struct drawing *d, uint32_t probe)
{
    const struct qn_need *need = &d->step->needs[probe];
    uint64_t count = d->step->found[probe].drawn.count;
    if (d->target_need != NULL && d->target_need->percent == need->percent &&
        d->target_need->n_quantiles == need->n_quantiles &&
        d->target_need->method == need->method && d->target_count == count)
        return d->targets;
    d->target_need = need;
    d->target_count = count;
    for (uint32_t j = 0; j < need->n_quantiles; j++)
        d->targets[j] = qn_quantile_ranks_by(need->method, count, need->percent[j]);
    return d->targets;
}

static quern_status store_quantiles(struct drawing *d, const struct part *part, uint32_t work,
                                    const double *values)
{
    for (uint32_t i = 0; i < part->n; i++) {
        const struct qn_need *need = &d->step->needs[part->probes[i]];
        struct qn_found *found = &d->step->found[part->probes[i]];
        size_t lane = part->program.slots[i].lane;
        double *out = qn_arena_alloc(&d->s->plan->arena, need->n_quantiles, sizeof *out);
        if (out == NULL) return qn_error_memory_while("drawing rows");
        const struct qn_quantile *targets = targets_of(d, part->probes[i]);
        for (uint32_t j = 0; j < need->n_quantiles; j++) {
            const double *v = values + 2 * (lane * part->most + j);
            out[j] = found->drawn.count == 0 ? NAN
                                             : qn_quantile_value(targets[j], v[0], v[1],
                                                                 work == QN_W_F32 && need->as_f32);
        }
        found->quantile = out;
    }
    return QUERN_OK;
}

static void ask_ranks(struct drawing *d, const struct part *part, uint64_t *ranks, uint64_t *counts)
{
    for (uint32_t i = 0; i < part->n; i++) {
        uint32_t probe = part->probes[i], n = d->step->needs[probe].n_quantiles;
        size_t lane = part->program.slots[i].lane;
        uint64_t *own = ranks + 2 * lane * part->most;
        const struct qn_quantile *targets = targets_of(d, probe);
        counts[lane] = d->step->found[probe].drawn.count;
        for (uint32_t j = 0; j < part->most; j++) {
            int wanted = j < n && counts[lane] != 0;
            own[2 * j] = wanted ? targets[j].low : UINT64_MAX;
            own[2 * j + 1] = wanted ? targets[j].high : UINT64_MAX;
        }
    }
}

static quern_status take_quantiles(struct drawing *d, struct part *part, uint32_t work,
                                   const struct qn_batch *batch)
{
    size_t n;
    quern_status status = QUERN_OK;
    if (part->most == 0) return QUERN_OK;
    if (qn_mul_size(2 * (size_t)part->n, part->most, &n))
        return qn_error_memory_while("drawing rows");
    uint64_t *ranks = qn_alloc(n, sizeof *ranks);
    uint64_t *counts = qn_alloc(part->n, sizeof *counts);
    double *values = qn_alloc(n, sizeof *values);
    qn_free(d->targets);
    d->targets = qn_alloc(part->most, sizeof *d->targets);
    d->target_need = NULL;
    if (ranks == NULL || counts == NULL || values == NULL || d->targets == NULL)
        QN_GO(qn_error_memory_while("drawing rows"));
    ask_ranks(d, part, ranks, counts);
    struct qn_select_request rq = {.batch = *batch,
                                   .n_ranks = 2 * part->most,
                                   .ranks = ranks,
                                   .counts = counts,
                                   .values = values};
    QN_GO(qn_op_select(NULL, d->s->x.cx->threads, 0, &rq, NULL));
    status = store_quantiles(d, part, work, values);
cleanup:
    qn_free(ranks);
    qn_free(counts);
    qn_free(values);
    return status;
}

static quern_status learn_part(struct drawing *d, struct part *part, uint32_t work)
{
    struct qn_batch batch;
    if (part->n == 0) return QUERN_OK;
    QN_TRY(take_extremes(d, part, &batch));
    return take_quantiles(d, part, work, &batch);
}

static quern_status learn_step(struct qn_fit_state *s, uint32_t i)
{
    struct drawing d = {.s = s,
                        .step = &s->plan->steps[i],
                        .rows = s->draws->rows[i],
                        .n = s->plan->steps[i].draw.n};
    quern_status status = QUERN_OK;
    QN_GO(open_part(&d, QN_W_F32, &d.parts[0]));
    QN_GO(open_part(&d, QN_W_F64, &d.parts[1]));
    QN_GO(take_rows(&d));
    QN_GO(learn_part(&d, &d.parts[0], QN_W_F32));
    QN_GO(learn_part(&d, &d.parts[1], QN_W_F64));
    if ((d.step->needs[0].flags & QN_NEED_ROWS) == 0) goto cleanup;
    s->draws->frames[i] = d.drawn; /* who looks at each row finds them there */
    d.drawn = (struct qn_frame){0};
cleanup:
    qn_frame_free(&s->x, &d.drawn);
    qn_free(d.targets);
    qn_arena_free(&d.arena);
    return status;
}

const struct qn_frame *qn_drawn_frame(const struct qn_fit_state *s, const struct qn_plan_step *step)
{
    return &s->draws->frames[step - s->plan->steps];
}

quern_status qn_fit_drawn(struct qn_fit_state *s)
{
    struct qn_draws *draws = s->draws;
    if (draws == NULL) return QUERN_OK;
    qn_side_wait(&draws->side);
    if (!draws->done) (void)draw_all(draws);
    if (draws->failure.status != QUERN_OK) return qn_error_put(&draws->failure);
    if (draws->state != NULL) memcpy(draws->state, draws->words, sizeof draws->words);
    for (uint32_t i = 0; i < s->plan->n_steps; i++)
        if (draws->rows[i] != NULL) QN_TRY(learn_step(s, i));
    return QUERN_OK;
}
