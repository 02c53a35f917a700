/* SPDX-License-Identifier: Apache-2.0
 * Two walks over the same parts: the first sums up their sizes, the second fills them. */
#include "host/ops/table.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/core/status.h"
#include "kernels/bins.h"
#include "kernels/spline.h"

/* ---- checks ---- */

uint32_t qn_op_result(uint32_t code, uint32_t work)
{
    switch (code) {
    case QN_OP_TO_F32: return QN_W_F32;
    case QN_OP_TO_F64:
    case QN_OP_VALUE: return QN_W_F64;
    case QN_OP_TO_I64: return QN_W_I64;
    case QN_OP_FIND:
    case QN_OP_BIN: return QN_W_CODE;
    default: return work;
    }
}

static int op_takes(uint32_t code, uint32_t work)
{
    if (code == QN_OP_REMAP || code == QN_OP_VALUE) return work == QN_W_CODE;
    if (code == QN_OP_FIND) return work != QN_W_CODE;
    if (code == QN_OP_NORM || code == QN_OP_LOOK || QN_OP_IS_FUNCTION(code) || QN_OP_IS_BIN(code))
        return work == QN_W_F32 || work == QN_W_F64;
    return 1;
}

/* What is aside is looked at by check_aside. */
static quern_status check_join(const struct qn_table_request *rq, uint32_t lane,
                               const struct qn_op *op, uint32_t work)
{
    if (op->work != work || work > QN_W_I64 ||
        (QN_OP_IS_JOIN(op->code) && work == QN_W_I64 && !QN_OP_JOINS_WHOLE(op->code)))
        return qn_error(QUERN_INVALID, "lane %u: op %u does not take a value of type %u", lane,
                        op->code, work);
    if (op->code == QN_OP_TAKE && op->arg >= rq->batch->n_operands)
        return qn_error(QUERN_INVALID, "lane %u: operand %u of %u", lane, op->arg,
                        rq->batch->n_operands);
    return QUERN_OK;
}

/* Words of the shortest table that an op takes. */
static uint64_t least_table(uint32_t code)
{
    if (code == QN_OP_FIND || code == QN_OP_BIN) return 0;
    if (code == QN_OP_SPLINE) return QN_SPLINE_LEAST;
    return QN_OP_IS_BIN(code) ? QN_INTERP_LEAST : 1;
}

static quern_status check_op(const struct qn_table_request *rq, uint32_t lane, uint32_t index,
                             uint32_t work)
{
    const struct qn_batch *batch = rq->batch;
    const struct qn_op *op = &batch->ops[index];
    uint64_t end;
    if (op->code == QN_OP_TAKE || QN_OP_IS_JOIN(op->code)) return check_join(rq, lane, op, work);
    if (op->code < QN_OP_FILL || op->code > QN_OP_LAST)
        return qn_error(QUERN_INVALID, "lane %u: op code %u does not exist", lane, op->code);
    if (op->work != work || !op_takes(op->code, work))
        return qn_error(QUERN_INVALID, "lane %u: op %u does not take a value of type %u", lane,
                        op->code, work);
    if (op->code == QN_OP_NORM && op->arg >= rq->n_norms)
        return qn_error(QUERN_INVALID, "lane %u: norm group %u does not exist", lane, op->arg);
    uint32_t n = qn_op_params(op->code);
    if (n != 0 && (op->arg >= batch->n_words || batch->n_words - op->arg < n))
        return qn_error(QUERN_INVALID, "lane %u: op %u reads parameters beyond the end", lane,
                        op->code);
    if (op->code < QN_OP_FIND) return QUERN_OK;
    uint64_t first = batch->words[op->arg], count = batch->words[op->arg + 1];
    if (qn_add_u64(first, count, &end) || end > batch->n_words || count >= QN_MATCH_VALUE - 2u ||
        count < least_table(op->code))
        return qn_error(QUERN_INVALID, "lane %u: op %u reads a list beyond the end", lane,
                        op->code);
    if (op->code == QN_OP_SPLINE &&
        !qn_spline_fits(batch->words + first, count, batch->words[op->arg + 2]))
        return qn_error(QUERN_INVALID, "lane %u: the table of op %u is no spline's", lane,
                        op->code);
    return QUERN_OK;
}

/* The types of the values that are aside. */
struct aside {
    uint32_t n, work[QN_ASIDE];
};

/* Follows what is aside, and *work. operands NULL: none allowed. */
static quern_status check_aside(const struct qn_op *op, uint32_t index, const uint32_t *operands,
                                struct aside *aside, uint32_t *work)
{
    if (operands == NULL &&
        (op->code == QN_OP_NORM || op->code == QN_OP_TAKE || QN_OP_IS_JOIN(op->code)))
        return qn_error(QUERN_INVALID, "operand %u: op %u is not for operands", index, op->code);
    if (op->code == QN_OP_TAKE) {
        if (operands[op->arg] > QN_W_I64)
            return qn_error(QUERN_INVALID, "lane %u: operand %u holds codes", index, op->arg);
        if (aside->n == QN_ASIDE)
            return qn_error(QUERN_INVALID, "lane %u: more than %u values aside", index, QN_ASIDE);
        aside->work[aside->n++] = *work;
        *work = operands[op->arg];
    }
    if (!QN_OP_IS_JOIN(op->code)) return QUERN_OK;
    for (uint32_t k = op->code == QN_OP_JOIN_WHERE ? 2 : 1; k > 0; k--)
        if (aside->n == 0 || aside->work[--aside->n] != *work)
            return qn_error(QUERN_INVALID, "lane %u: op %u without a value of its type aside",
                            index, op->code);
    return QUERN_OK;
}

/* operands: the final types of the batch's operands; NULL: the lane is one of them. */
static quern_status check_lane(const struct qn_table_request *rq, const struct qn_lane *lane,
                               uint32_t index, const uint32_t *operands, struct qn_lane_end *end)
{
    const struct qn_batch *batch = rq->batch;
    uint32_t work = lane->work, joins = 0;
    struct aside aside = {0};
    if (lane->type > QN_T_F64 || work > QN_W_CODE)
        return qn_error(QUERN_INVALID, "lane %u: type %u as %u does not exist", index, lane->type,
                        work);
    if (lane->n_ops > batch->n_ops || lane->first_op > batch->n_ops - lane->n_ops)
        return qn_error(QUERN_INVALID, "lane %u: its ops end beyond the program", index);
    end->norm_ops = lane->n_ops;
    for (uint32_t k = 0; k < lane->n_ops; k++) {
        QN_TRY(check_op(rq, index, lane->first_op + k, work));
        if (batch->ops[lane->first_op + k].code == QN_OP_NORM && end->norm_ops == lane->n_ops)
            end->norm_ops = k;
        joins |= batch->ops[lane->first_op + k].code == QN_OP_TAKE;
        QN_TRY(check_aside(&batch->ops[lane->first_op + k], index, operands, &aside, &work));
        work = qn_op_result(batch->ops[lane->first_op + k].code, work);
    }
    end->work = work;
    if (aside.n != 0) return qn_error(QUERN_INVALID, "lane %u: a value is left aside", index);
    if (joins && end->norm_ops != lane->n_ops)
        return qn_error(QUERN_INVALID, "lane %u: a norm and other columns in one chain", index);
    return QUERN_OK;
}

static quern_status check_lanes(const struct qn_table_request *rq, struct qn_lane_end *ends)
{
    const struct qn_batch *batch = rq->batch;
    quern_status status = QUERN_OK;
    uint32_t *operands = qn_alloc((size_t)batch->n_operands + 1, sizeof *operands);
    if (operands == NULL) return qn_error_memory("operands", batch->n_operands);
    for (uint32_t i = 0; i < batch->n_operands; i++) {
        struct qn_lane_end end = {0};
        QN_GO(check_lane(rq, &batch->operands[i], i, NULL, &end));
        operands[i] = end.work;
    }
    for (uint32_t i = 0; i < batch->n_lanes; i++)
        QN_GO(check_lane(rq, &batch->lanes[i], i, operands, &ends[i]));
cleanup:
    qn_free(operands);
    return status;
}

static quern_status check_norm(const struct qn_table_request *rq, uint32_t index,
                               const struct qn_lane_end *ends)
{
    const struct qn_batch *batch = rq->batch;
    const struct qn_norm_desc *norm = &rq->norms[index];
    if (norm->n_lanes == 0 || norm->n_lanes > batch->n_lanes ||
        norm->first_lane > batch->n_lanes - norm->n_lanes || norm->kind < QN_NORM_L1 ||
        norm->kind > QN_NORM_MAX || norm->order > QN_ORDER_ROWS)
        return qn_error(QUERN_INVALID, "norm group %u is malformed", index);
    uint32_t work = QN_W_CODE;
    for (uint32_t i = norm->first_lane; i < norm->first_lane + norm->n_lanes; i++) {
        const struct qn_lane *lane = &batch->lanes[i];
        const struct qn_op *op = &batch->ops[lane->first_op + ends[i].norm_ops];
        if (ends[i].norm_ops == lane->n_ops || op->arg != index)
            return qn_error(QUERN_INVALID, "lane %u has no norm of its group %u", i, index);
        if (work != QN_W_CODE && op->work != work)
            return qn_error(QUERN_INVALID, "norm group %u mixes types", index);
        work = op->work;
    }
    return QUERN_OK;
}

static quern_status check_slot(const struct qn_table_request *rq, uint32_t index,
                               const struct qn_lane_end *ends)
{
    const struct qn_slot *slot = &rq->slots[index];
    if (slot->lane >= rq->batch->n_lanes || slot->type > QN_T_F64)
        return qn_error(QUERN_INVALID, "slot %u is malformed", index);
    if (slot->match != QN_MATCH_VALUE && ends[slot->lane].work != QN_W_CODE)
        return qn_error(QUERN_INVALID, "slot %u matches a code of a lane that has none", index);
    return QUERN_OK;
}

/* ---- parts ---- */

/* Reserves `n` things of `size` bytes and notes where they start, in words. */
static int reserve(uint64_t *words, uint32_t *at, uint64_t n, uint64_t size)
{
    *at = (uint32_t)*words;
    *words += (n * size + 7) / 8;
    return *words > UINT32_MAX;
}

static int lay_out(const struct qn_table_request *rq, struct qn_table_head *head, uint64_t *words)
{
    const struct qn_batch *batch = rq->batch;
    uint64_t tiles = ((uint64_t)rq->n_slots + QN_TILE - 1) / QN_TILE;
    *words = (sizeof *head + 7) / 8;
    return reserve(words, &head->lanes, batch->n_lanes, sizeof(struct qn_lane_desc)) ||
           reserve(words, &head->ends, batch->n_lanes, sizeof(struct qn_lane_end)) ||
           reserve(words, &head->ops, batch->n_ops, sizeof(struct qn_op)) ||
           reserve(words, &head->words, (uint64_t)batch->n_words + 2, sizeof(uint64_t)) ||
           reserve(words, &head->slots, rq->n_slots, sizeof(struct qn_slot_desc)) ||
           reserve(words, &head->tiles, tiles, sizeof(struct qn_tile_desc)) ||
           reserve(words, &head->places, tiles * QN_TILE, sizeof(uint32_t)) ||
           reserve(words, &head->picks, tiles * QN_TILE, sizeof(uint32_t)) ||
           reserve(words, &head->norms, rq->n_norms, sizeof(struct qn_norm_desc)) ||
           reserve(words, &head->spans, rq->n_slots, sizeof(struct qn_span_desc)) ||
           reserve(words, &head->operands, batch->n_operands, sizeof(struct qn_lane_desc));
}

static void fill_lanes(const struct qn_lane *lanes, uint32_t n, struct qn_lane_desc *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_lane *lane = &lanes[i];
        out[i] = (struct qn_lane_desc){.offset = lane->offset,
                                       .stride = (uint64_t)lane->stride,
                                       .valid_bit = lane->valid_bit,
                                       .type = lane->type,
                                       .work = lane->work,
                                       .first_op = lane->first_op,
                                       .n_ops = lane->n_ops};
    }
}

/* Ops without parameters read nothing of the caller's; the words end in two spare zeros, so that the
 * chain may read a pair for each op. */
static void fill_ops(const struct qn_batch *batch, struct qn_op *out)
{
    for (uint32_t i = 0; i < batch->n_ops; i++) {
        out[i] = batch->ops[i];
        if (out[i].code == QN_OP_NORM || out[i].code == QN_OP_TAKE) continue;
        if (qn_op_params(out[i].code) == 0) out[i].arg = batch->n_words;
        if (qn_op_params(out[i].code) != 0 && out[i].arg >= batch->n_words) out[i].arg = 0;
    }
}

static void fill_slots(const struct qn_table_request *rq, const struct qn_table_head *head,
                       uint64_t *table)
{
    struct qn_slot_desc *slots = (void *)(table + head->slots);
    struct qn_tile_desc *tiles = (void *)(table + head->tiles);
    uint32_t *places = (void *)(table + head->places), *picks = (void *)(table + head->picks);
    for (uint32_t s = 0; s < rq->n_slots; s++) {
        const struct qn_slot *slot = &rq->slots[s];
        struct qn_tile_desc *tile = &tiles[s / QN_TILE];
        uint32_t *tile_picks = picks + s / QN_TILE * QN_TILE, place = 0;
        slots[s] = (struct qn_slot_desc){slot->offset, slot->stride, slot->type,
                                         slot->lane,   slot->match,  0};
        while (place < tile->n_lanes && tile_picks[place] != slot->lane) place++;
        if (place == tile->n_lanes) tile_picks[tile->n_lanes++] = slot->lane;
        places[s] = place;
        tile->n_slots++;
    }
}

/* Slots of one lane with ascending matches are one span. */
static uint32_t fill_spans(const struct qn_table_request *rq, struct qn_span_desc *spans)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < rq->n_slots; s++) {
        const struct qn_slot *slot = &rq->slots[s];
        struct qn_span_desc *last = n != 0 ? &spans[n - 1] : NULL;
        if (last != NULL && slot->match != QN_MATCH_VALUE && last->match != QN_MATCH_VALUE &&
            last->lane == slot->lane && last->match + last->n_slots == slot->match)
            last->n_slots++;
        else
            spans[n++] = (struct qn_span_desc){slot->lane, s, slot->match, 1};
    }
    return n;
}

quern_status qn_table_build(const struct qn_table_request *rq, uint64_t **words, size_t *n)
{
    const struct qn_batch *batch = rq->batch;
    struct qn_table_head head = {.n_lanes = batch->n_lanes,
                                 .n_slots = rq->n_slots,
                                 .n_norms = rq->n_norms,
                                 .n_operands = batch->n_operands};
    quern_status status = QUERN_OK;
    uint64_t size = 0;
    *words = NULL;
    *n = 0;
    if (lay_out(rq, &head, &size))
        return qn_error(QUERN_UNSUPPORTED, "a program of more than 32 GiB");
    uint64_t *table = qn_zalloc(size, sizeof *table);
    if (table == NULL) return qn_error_memory("a program's table", size * sizeof *table);
    struct qn_lane_end *ends = (void *)(table + head.ends);
    QN_GO(check_lanes(rq, ends));
    for (uint32_t i = 0; i < rq->n_norms; i++) QN_GO(check_norm(rq, i, ends));
    for (uint32_t i = 0; i < rq->n_slots; i++) QN_GO(check_slot(rq, i, ends));
    fill_lanes(batch->lanes, batch->n_lanes, (void *)(table + head.lanes));
    fill_lanes(batch->operands, batch->n_operands, (void *)(table + head.operands));
    fill_ops(batch, (void *)(table + head.ops));
    if (batch->n_words != 0)
        memcpy(table + head.words, batch->words, (size_t)batch->n_words * sizeof(uint64_t));
    fill_slots(rq, &head, table);
    if (rq->n_norms != 0)
        memcpy(table + head.norms, rq->norms, rq->n_norms * sizeof(struct qn_norm_desc));
    head.n_spans = fill_spans(rq, (void *)(table + head.spans));
    memcpy(table, &head, sizeof head);
    *words = table;
    *n = size;
    return QUERN_OK;
cleanup:
    qn_free(table);
    return status;
}
