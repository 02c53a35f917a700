/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/run_tile.h"

#include <string.h>

#include "backends/cpu/norm.h"
#include "backends/cpu/run.h"
#include "backends/cpu/run_store.h"
#include "backends/cpu/spline.h"
#include "host/core/checked.h"
#include "kernels/norm.h"

enum {
    TILE_BYTES = 192 << 10, /* a tile's columns stay in the second-level cache */
    TILE_MIN_ROWS = 16,
    TILE_PAD = 64, /* columns a power of two apart would share one cache set */
    RUN_MIN = 4,
    RUN_RAW = 16, /* lanes of a run that is converted */
    RUN_ROWS = 64 /* rows turned at once */
};

uint32_t qn_type_size(uint32_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

/* Finds the NORM op and follows the working type. */
static quern_status open_lane(struct qn_tiles *t, uint32_t l)
{
    const struct qn_lane *lane = &t->batch->lanes[l];
    struct qn_tile_lane *out = &t->lanes[l];
    out->before = lane->n_ops;
    out->group = QN_TILE_NO_GROUP;
    uint32_t work = lane->work;
    for (uint32_t i = 0; i < lane->n_ops; i++) {
        const struct qn_op *op = &t->batch->ops[lane->first_op + i];
        if (op->code == QN_OP_NORM) {
            if (out->group != QN_TILE_NO_GROUP || op->arg >= t->n_norms || work > QN_W_F64)
                return qn_error(QUERN_INVALID, "lane %u: norm group %u of %u", l, op->arg,
                                t->n_norms);
            out->before = i;
            out->group = op->arg;
            out->work_at_norm = work;
        }
        out->joins |= op->code >= QN_OP_TAKE;
        work = qn_chain_op_work(t->batch, op, work);
    }
    out->final_work = work;
    if (out->joins && out->group != QN_TILE_NO_GROUP)
        return qn_error(QUERN_INVALID, "lane %u: a norm and other columns in one chain", l);
    return QUERN_OK;
}

static quern_status check_norm(const struct qn_tiles *t, uint32_t g)
{
    const struct qn_norm_desc *n = &t->norms[g];
    uint32_t lanes = t->batch->n_lanes;
    if (n->n_lanes == 0 || n->n_lanes > lanes || n->first_lane > lanes - n->n_lanes ||
        n->n_lanes > QN_NORM_MAX_LANES || n->kind < QN_NORM_L1 || n->kind > QN_NORM_MAX)
        return qn_error(QUERN_INVALID, "norm group %u: lanes %u + %u of %u, kind %u", g,
                        n->first_lane, n->n_lanes, lanes, n->kind);
    for (uint32_t i = 0; i < n->n_lanes; i++) {
        struct qn_tile_lane *lane = &t->lanes[n->first_lane + i];
        if (lane->group != g || lane->work_at_norm != t->lanes[n->first_lane].work_at_norm)
            return qn_error(QUERN_INVALID, "norm group %u: lane %u is not of it", g,
                            n->first_lane + i);
        lane->wanted = 1;
    }
    return QUERN_OK;
}

/* A lane that divides by a norm is one of those that make it. */
static quern_status check_members(const struct qn_tiles *t)
{
    for (uint32_t l = 0; l < t->batch->n_lanes; l++) {
        uint32_t g = t->lanes[l].group;
        if (g == QN_TILE_NO_GROUP) continue;
        if (l < t->norms[g].first_lane || l - t->norms[g].first_lane >= t->norms[g].n_lanes)
            return qn_error(QUERN_INVALID, "lane %u is outside its norm group %u", l, g);
    }
    return QUERN_OK;
}

static quern_status open_slot(struct qn_tiles *t, const struct qn_slot *slot, uint32_t s)
{
    if (slot->lane >= t->batch->n_lanes || qn_type_size(slot->type) == 0)
        return qn_error(QUERN_INVALID, "slot %u: lane %u of %u, type %u", s, slot->lane,
                        t->batch->n_lanes, slot->type);
    struct qn_tile_lane *lane = &t->lanes[slot->lane];
    lane->wanted = 1;
    t->slot_column[s] = QN_MATCH_VALUE;
    if (slot->match != QN_MATCH_VALUE) {
        if (lane->final_work != QN_W_CODE)
            return qn_error(QUERN_INVALID, "slot %u: one-hot of lane %u, which holds no codes", s,
                            slot->lane);
        return QUERN_OK;
    }
    if (lane->by_type[slot->type] == 0) {
        t->columns[t->n_columns] = (struct qn_tile_column){.lane = slot->lane, .type = slot->type};
        lane->by_type[slot->type] = ++t->n_columns;
    }
    t->slot_column[s] = lane->by_type[slot->type] - 1;
    return QUERN_OK;
}

static int stored_as_is(uint32_t work, uint32_t type)
{
    static const uint32_t own[] = {QN_T_F32, QN_T_F64, QN_T_I64, QN_T_U32};
    return own[work] == type;
}

/* The stored bits are the accumulator's. */
static int loads_as_is(const struct qn_lane *lane)
{
    switch (lane->work) {
    case QN_W_F32: return lane->type == QN_T_F32;
    case QN_W_F64: return lane->type == QN_T_F64;
    case QN_W_I64: return lane->type == QN_T_I64 || lane->type == QN_T_U64;
    default: return lane->type == QN_T_U32;
    }
}

/* Neighbours in the rows of one matrix are loaded together: a row's bytes are read once, in order,
 * and turned into columns. */
static void find_runs(const struct qn_lane *lanes, struct qn_tile_lane *plans, uint32_t n)
{
    for (uint32_t l = 0, end; l < n; l = end) {
        const struct qn_lane *a = &lanes[l];
        uint32_t size = qn_type_size(a->type), most = loads_as_is(a) ? UINT32_MAX : RUN_RAW;
        for (end = l + 1; end < n && end - l < most && plans[l].start == 0 && !plans[l].in_block;
             end++) {
            const struct qn_lane *b = &lanes[end];
            if (b->type != a->type || b->work != a->work || b->stride != a->stride ||
                b->validity != NULL || plans[end].start != 0 || plans[end].in_block ||
                (uintptr_t)b->data != (uintptr_t)a->data + (size_t)(end - l) * size)
                break; /* as numbers: the lanes of a server's row have no memory */
        }
        if (end - l < RUN_MIN || size < 4 || a->validity != NULL) {
            end = l + 1; /* the next lane may still begin one */
            continue;
        }
        plans[l].run = end - l;
        for (uint32_t i = l; i < end; i++) plans[i].in_run = 1;
    }
}

/* Chains of float ops run in one pass, from the column's own memory where its values lie packed. */
static quern_status fuse(struct qn_tiles *t)
{
    const struct qn_batch *b = t->batch;
    t->fused = qn_alloc((size_t)b->n_lanes + b->n_operands, sizeof *t->fused);
    if (t->fused == NULL) return qn_error_memory("chains", b->n_lanes * sizeof *t->fused);
    uint32_t n = 0;
    for (uint32_t l = 0; l < b->n_operands; l++)
        if (qn_flat_column_open(&t->fused[n], b, b->operands[l].first_op, b->operands[l].n_ops,
                                b->operands[l].work))
            t->operands[l].fused = ++n;
    for (uint32_t l = 0; l < b->n_lanes; l++)
        if (t->lanes[l].start == 0 && t->lanes[l].block == 0 && t->lanes[l].in_block == 0 &&
            qn_flat_column_open(&t->fused[n], b, b->lanes[l].first_op, t->lanes[l].before,
                                b->lanes[l].work))
            t->lanes[l].fused = ++n;
    return QUERN_OK;
}

static int same_op(const struct qn_batch *b, const struct qn_op *x, const struct qn_op *y)
{
    if (x->code != y->code || x->code >= QN_OP_FIND) return 0;
    if (b->n_words == 0 || x->arg == y->arg) return x->arg == y->arg;
    uint32_t n = x->code == QN_OP_CLIP || x->code == QN_OP_FILL_EQ ? 2 : 1;
    return x->arg + n <= b->n_words && y->arg + n <= b->n_words &&
           memcmp(&b->words[x->arg], &b->words[y->arg], n * sizeof *b->words) == 0;
}

static int begins_with(const struct qn_batch *b, const struct qn_lane *lane,
                       const struct qn_lane *operand)
{
    if (lane->data != operand->data || lane->type != operand->type || lane->work != operand->work ||
        lane->stride != operand->stride || lane->validity != operand->validity ||
        lane->validity_offset != operand->validity_offset || lane->n_ops < operand->n_ops)
        return 0;
    for (uint32_t i = 0; i < operand->n_ops; i++)
        if (!same_op(b, &b->ops[lane->first_op + i], &b->ops[operand->first_op + i])) return 0;
    return 1;
}

/* Lanes that begin as an operand does go on from its tile: products of columns load nothing. */
static void find_starts(struct qn_tiles *t)
{
    const struct qn_batch *b = t->batch;
    uint32_t o = 0;
    for (uint32_t l = 0; l < b->n_lanes && b->n_operands != 0; l++) {
        if (t->lanes[l].group != QN_TILE_NO_GROUP) continue;
        for (uint32_t tried = 0; tried < b->n_operands; tried++, o = (o + 1) % b->n_operands)
            if (begins_with(b, &b->lanes[l], &b->operands[o])) {
                t->lanes[l].start = o + 1;
                break;
            }
    }
}

/* The place of a lane's only SPLINE among its ops; n_ops without one. */
static uint32_t spline_at(const struct qn_batch *b, const struct qn_lane *lane)
{
    uint32_t at = lane->n_ops;
    for (uint32_t i = 0; i < lane->n_ops; i++) {
        uint32_t code = b->ops[lane->first_op + i].code;
        if (code >= QN_OP_TAKE || code == QN_OP_NORM) return lane->n_ops;
        if (code == QN_OP_SPLINE && at == lane->n_ops) at = i;
    }
    return at;
}

/* Ops that do the same: FIND ... SPLINE by the same table, whatever the number of the function. */
static int does_same(const struct qn_batch *b, const struct qn_op *x, const struct qn_op *y)
{
    if (x->code < QN_OP_FIND) return same_op(b, x, y);
    return x->code == y->code && b->words[x->arg] == b->words[y->arg] &&
           b->words[x->arg + 1] == b->words[y->arg + 1];
}

static int same_spline(const struct qn_batch *b, const struct qn_lane *x, const struct qn_lane *y,
                       uint32_t at)
{
    if (x->data != y->data || x->type != y->type || x->work != y->work || x->stride != y->stride ||
        x->validity != y->validity || x->validity_offset != y->validity_offset ||
        spline_at(b, y) != at)
        return 0;
    for (uint32_t i = 0; i <= at; i++)
        if (!does_same(b, &b->ops[x->first_op + i], &b->ops[y->first_op + i])) return 0;
    return 1;
}

/* Neighbours that are functions of one spline at one value are evaluated together. */
static void find_blocks(struct qn_tiles *t)
{
    const struct qn_batch *b = t->batch;
    for (uint32_t l = 0, end; l < b->n_lanes; l = end) {
        uint32_t at = spline_at(b, &b->lanes[l]);
        end = l + 1;
        if (at == b->lanes[l].n_ops || b->n_words == 0) continue;
        while (end < b->n_lanes && same_spline(b, &b->lanes[l], &b->lanes[end], at)) end++;
        if (end - l < 2) continue;
        t->lanes[l].block = end - l;
        if (end - l > t->widest_block) t->widest_block = end - l;
        for (uint32_t i = l + 1; i < end; i++) t->lanes[i].in_block = 1;
    }
}

/* Rows of a tile and the places of everything in a worker's scratch. */
static void lay_out(struct qn_tiles *t)
{
    const uint32_t n_lanes = t->batch->n_lanes;
    size_t converted = 0;
    for (uint32_t c = 0; c < t->n_columns; c++) {
        struct qn_tile_column *column = &t->columns[c];
        column->size = qn_type_size(column->type);
        struct qn_tile_lane *lane = &t->lanes[column->lane];
        if (stored_as_is(lane->final_work, column->type))
            lane->as_is = 1;
        else
            converted++;
    }
    const uint32_t n_operands = t->batch->n_operands;
    size_t per_row = ((size_t)n_lanes + n_operands + converted) * sizeof(double);
    size_t rows = TILE_BYTES / (per_row > 0 ? per_row : 1);
    if (rows > QN_TILE_ROWS) rows = QN_TILE_ROWS;
    if (rows > t->batch->rows) rows = (size_t)t->batch->rows;
    rows = (rows + TILE_MIN_ROWS - 1) / TILE_MIN_ROWS * TILE_MIN_ROWS;
    t->rows = (uint32_t)(rows > 0 ? rows : TILE_MIN_ROWS);
    size_t pitch = t->rows * sizeof(double) + TILE_PAD, at = 0;
    t->pitch = pitch;
    for (uint32_t l = 0; l < n_lanes; l++, at += pitch) t->lanes[l].at = at;
    for (uint32_t l = 0; l < n_operands; l++, at += pitch) t->operands[l].at = at;
    for (uint32_t c = 0; c < t->n_columns; c++) {
        struct qn_tile_column *column = &t->columns[c];
        column->at = t->lanes[column->lane].at;
        if (stored_as_is(t->lanes[column->lane].final_work, column->type)) continue;
        column->at = at;
        at += pitch;
    }
    t->raw_at = at;
    at += RUN_RAW * pitch;
    t->norm_at = at;
    uint32_t widest = 0;
    for (uint32_t g = 0; g < t->n_norms; g++)
        if (t->norms[g].n_lanes > widest) widest = t->norms[g].n_lanes;
    if (widest > 0) at += qn_norm_scratch(widest, t->rows);
    t->cols_at = at;
    t->block_at = at + widest * sizeof(void *);
    t->seen_at = t->block_at + t->widest_block * (sizeof(void *) + sizeof(uint32_t));
    t->scratch = (t->seen_at + n_operands * sizeof(uint32_t) + 63) / 64 * 64;
}

quern_status qn_tiles_open(struct qn_tiles *t, const struct qn_batch *batch,
                           const struct qn_slot *slots, uint32_t n_slots,
                           const struct qn_norm_desc *norms, uint32_t n_norms)
{
    QN_TRY(qn_run_check(batch));
    quern_status status = QUERN_OK;
    *t = (struct qn_tiles){.batch = batch, .norms = norms, .n_norms = n_norms};
    t->lanes = qn_zalloc((size_t)batch->n_lanes + batch->n_operands, sizeof *t->lanes);
    t->columns = qn_zalloc(n_slots, sizeof *t->columns);
    t->slot_column = qn_zalloc(n_slots, sizeof *t->slot_column);
    if (t->lanes == NULL || t->columns == NULL || t->slot_column == NULL) {
        status = qn_error_memory("program", (uint64_t)n_slots * sizeof *t->columns);
        goto cleanup;
    }
    t->operands = t->lanes + batch->n_lanes;
    for (uint32_t l = 0; l < batch->n_operands; l++) {
        t->operands[l].before = batch->operands[l].n_ops;
        t->operands[l].group = QN_TILE_NO_GROUP;
        t->operands[l].final_work = qn_chain_final_work(batch, &batch->operands[l]);
    }
    for (uint32_t l = 0; l < batch->n_lanes; l++) QN_GO(open_lane(t, l));
    for (uint32_t g = 0; g < n_norms; g++) QN_GO(check_norm(t, g));
    QN_GO(check_members(t));
    for (uint32_t s = 0; s < n_slots; s++) QN_GO(open_slot(t, &slots[s], s));
    find_starts(t);
    find_blocks(t);
    QN_GO(fuse(t));
    find_runs(batch->lanes, t->lanes, batch->n_lanes);
    find_runs(batch->operands, t->operands, batch->n_operands);
    lay_out(t);
    return QUERN_OK;
cleanup:
    qn_tiles_close(t);
    return status;
}

void qn_tiles_close(struct qn_tiles *t)
{
    qn_free(t->lanes);
    qn_free(t->columns);
    qn_free(t->slot_column);
    qn_free(t->fused);
    t->lanes = t->operands = NULL;
    t->columns = NULL;
    t->slot_column = NULL;
    t->fused = NULL;
}

static union qn_tile *tile_at(char *scratch, const struct qn_tile_lane *plan)
{
    return (union qn_tile *)(void *)(scratch + plan->at);
}

static union qn_tile *tile_of(const struct qn_tiles *t, char *scratch, uint32_t l)
{
    return (union qn_tile *)(void *)(scratch + t->lanes[l].at);
}

/* The next tile's column is asked for while this one is worked on: the visits are too short for
 * the processor to see the stream by itself. */
static void prefetch(const struct qn_lane *lane, uint64_t row, uint32_t n, uint64_t rows)
{
    if (lane->stride > 64 || lane->stride < 0 || row >= rows) return;
    if (n > rows - row) n = (uint32_t)(rows - row);
    const char *at = (const char *)lane->data + (int64_t)row * lane->stride;
    const char *end = at + (int64_t)n * lane->stride;
    for (; at < end; at += 64) __builtin_prefetch(at, 0, 2);
}

static void norm_group(const struct qn_tiles *t, char *scratch, uint32_t g, uint32_t n)
{
    const struct qn_norm_desc *norm = &t->norms[g];
    void **cols = (void **)(void *)(scratch + t->cols_at);
    for (uint32_t i = 0; i < norm->n_lanes; i++)
        cols[i] = tile_of(t, scratch, norm->first_lane + i);
    qn_norm_tile(t->lanes[norm->first_lane].work_at_norm, norm->kind, norm->order, cols,
                 norm->n_lanes, n, scratch + t->norm_at);
}

/* Rows [row, row + n) of a run: as they are into the lanes' tiles, else by way of the raw columns. */
static void load_run(const struct qn_tiles *t, char *scratch, const struct qn_lane *lanes,
                     const struct qn_tile_lane *plans, uint64_t row, uint32_t n)
{
    const uint32_t run = plans->run, size = qn_type_size(lanes->type);
    const int as_is = loads_as_is(lanes);
    const size_t pitch = t->pitch;
    char *to = scratch + (as_is ? plans->at : t->raw_at);
    const char *at = (const char *)lanes->data + (int64_t)row * lanes->stride;
    const int64_t ahead = t->batch->rows - row >= 2 * (uint64_t)n ? (int64_t)n * lanes->stride : 0;
    for (uint32_t from = 0; from < n; from += RUN_ROWS) {
        const void *rows[RUN_ROWS];
        uint32_t some = n - from < RUN_ROWS ? n - from : RUN_ROWS;
        for (uint32_t r = 0; r < some; r++, at += lanes->stride) {
            rows[r] = at;
            for (uint32_t k = 0; k < run * size; k += 64) __builtin_prefetch(at + ahead + k, 0, 2);
        }
        qn_store()->transpose(size, rows, some, 0, run, to + (size_t)from * size, pitch);
    }
    for (uint32_t l = 0; !as_is && l < run; l++) {
        struct qn_lane packed = lanes[l];
        packed.data = scratch + t->raw_at + l * pitch;
        packed.stride = size;
        qn_chain_load(&packed, 0, n, tile_at(scratch, &plans[l]));
    }
}

static struct qn_operands operands_of(const struct qn_tiles *t, const char *scratch)
{
    const char *tiles = t->batch->n_operands != 0 ? scratch + t->operands[0].at : NULL;
    return (struct qn_operands){.tiles = tiles,
                                .pitch = t->pitch,
                                .seen = (const uint32_t *)(const void *)(scratch + t->seen_at)};
}

static void join_lane(const struct qn_tiles *t, char *scratch, const struct qn_lane *lane,
                      union qn_tile *tile, uint32_t n, uint32_t *seen)
{
    struct qn_operands from = operands_of(t, scratch);
    qn_chain_join(t->batch, lane->first_op, lane->n_ops, lane->work, n, tile, tile, seen, &from);
}

/* A lane up to its norm. */
static void eval_lane(const struct qn_tiles *t, char *scratch, const struct qn_lane *lane,
                      const struct qn_tile_lane *plan, uint64_t row, uint32_t n, uint32_t *seen)
{
    const struct qn_batch *b = t->batch;
    const uint32_t size = qn_type_size(lane->type);
    union qn_tile *tile = tile_at(scratch, plan);
    const void *from = tile;
    if (!plan->in_run) {
        prefetch(lane, row + n, n, b->rows);
        if (plan->fused != 0 && lane->stride == size && loads_as_is(lane) &&
            lane->validity == NULL && (uintptr_t)lane->data % size == 0)
            from = (const char *)lane->data + row * size;
        else
            qn_chain_load(lane, row, n, tile);
    }
    if (plan->fused != 0) {
        uint32_t mark = qn_flat_column_run(&t->fused[plan->fused - 1], from, tile, n, seen != NULL);
        if (seen != NULL) *seen |= mark;
        return;
    }
    if (seen != NULL) *seen |= qn_chain_seen(lane->work, n, tile);
    if (plan->joins)
        join_lane(t, scratch, lane, tile, n, seen);
    else
        qn_chain_apply(b, lane->first_op, plan->before, lane->work, n, tile, seen);
}

/* A lane that begins where an operand ends. */
static void go_on(const struct qn_tiles *t, char *scratch, const struct qn_lane *lane,
                  const struct qn_tile_lane *plan, uint32_t n, uint32_t *seen)
{
    const struct qn_tile_lane *start = &t->operands[plan->start - 1];
    const struct qn_lane *operand = &t->batch->operands[plan->start - 1];
    struct qn_operands from = operands_of(t, scratch);
    if (seen != NULL) *seen |= from.seen[plan->start - 1];
    qn_chain_join(t->batch, lane->first_op + operand->n_ops, lane->n_ops - operand->n_ops,
                  start->final_work, n, tile_at(scratch, start), tile_at(scratch, plan), seen,
                  &from);
}

/* The lanes of a block: one load and one search for all of them, then what follows in each. */
static void eval_block(const struct qn_tiles *t, char *scratch, uint32_t first, uint64_t row,
                       uint32_t n, uint32_t *seen)
{
    const struct qn_batch *b = t->batch;
    const struct qn_lane *lane = &b->lanes[first];
    const struct qn_tile_lane *plan = &t->lanes[first];
    const uint32_t at = spline_at(b, lane), count = plan->block;
    union qn_tile **tiles = (union qn_tile **)(void *)(scratch + t->block_at);
    uint32_t *numbers = (uint32_t *)(void *)(tiles + count), mark = 0;
    union qn_tile *tile = tile_at(scratch, plan);
    if (!plan->in_run) {
        prefetch(lane, row + n, n, b->rows);
        qn_chain_load(lane, row, n, tile);
    }
    mark = qn_chain_seen(lane->work, n, tile);
    uint32_t work = qn_chain_apply(b, lane->first_op, at, lane->work, n, tile, &mark);
    for (uint32_t i = 0; i < count; i++) {
        tiles[i] = tile_at(scratch, &plan[i]);
        numbers[i] = (uint32_t)b->words[b->ops[lane[i].first_op + at].arg + 2];
    }
    const uint64_t *table = b->words + b->words[b->ops[lane->first_op + at].arg];
    qn_splines(work, table, count, numbers, n, tile, tiles, &mark);
    for (uint32_t i = 0; i < count; i++) {
        if (seen != NULL) seen[first + i] |= mark;
        qn_chain_apply(b, lane[i].first_op + at + 1, lane[i].n_ops - at - 1, work, n, tiles[i],
                       seen != NULL ? &seen[first + i] : NULL);
    }
}

static void eval_operands(const struct qn_tiles *t, char *scratch, uint64_t row, uint32_t n,
                          int marked)
{
    const struct qn_batch *b = t->batch;
    uint32_t *seen = (uint32_t *)(void *)(scratch + t->seen_at);
    for (uint32_t l = 0; l < b->n_operands; l++) {
        seen[l] = 0;
        if (t->operands[l].run > 0) load_run(t, scratch, &b->operands[l], &t->operands[l], row, n);
        eval_lane(t, scratch, &b->operands[l], &t->operands[l], row, n, marked ? &seen[l] : NULL);
    }
}

void qn_tiles_eval(const struct qn_tiles *t, char *scratch, uint64_t row, uint32_t n,
                   uint32_t *seen)
{
    const struct qn_batch *b = t->batch;
    const struct qn_store *store = qn_store();
    eval_operands(t, scratch, row, n, seen != NULL);
    for (uint32_t l = 0; l < b->n_lanes; l++) {
        const struct qn_tile_lane *plan = &t->lanes[l];
        uint32_t *mark = seen != NULL ? &seen[l] : NULL;
        if (plan->run > 0) load_run(t, scratch, &b->lanes[l], plan, row, n);
        if (plan->in_block || (!plan->wanted && seen == NULL && plan->block == 0)) continue;
        if (plan->block != 0)
            eval_block(t, scratch, l, row, n, seen);
        else if (plan->start != 0)
            go_on(t, scratch, &b->lanes[l], plan, n, mark);
        else
            eval_lane(t, scratch, &b->lanes[l], plan, row, n, mark);
    }
    for (uint32_t g = 0; g < t->n_norms; g++) norm_group(t, scratch, g, n);
    for (uint32_t l = 0; l < b->n_lanes; l++) {
        const struct qn_tile_lane *lane = &t->lanes[l];
        union qn_tile *tile = tile_of(t, scratch, l);
        if (lane->group != QN_TILE_NO_GROUP)
            qn_chain_apply(b, b->lanes[l].first_op + lane->before + 1,
                           b->lanes[l].n_ops - lane->before - 1, lane->work_at_norm, n, tile,
                           seen != NULL ? &seen[l] : NULL);
        if (lane->as_is && (lane->fused == 0 || lane->group != QN_TILE_NO_GROUP))
            store->canonical(lane->final_work, n, tile);
    }
    for (uint32_t c = 0; c < t->n_columns; c++) {
        const struct qn_tile_column *column = &t->columns[c];
        const struct qn_tile_lane *lane = &t->lanes[column->lane];
        if (column->at != lane->at)
            store->convert(lane->final_work, column->type, n, tile_of(t, scratch, column->lane),
                           scratch + column->at);
    }
}
