/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/share.h"

#include <string.h>

#include "backends/cpu/columns.h"

enum { DIFFER = -1 };

static int same_values(const struct qn_lane *a, const struct qn_lane *b)
{
    return a->data == b->data && a->stride == b->stride && a->validity == b->validity &&
           a->validity_offset == b->validity_offset && a->type == b->type && a->work == b->work;
}

/* The words that tell one op from another; DIFFER: it has a table, takes in other lanes, or is not known. */
static int words_of(uint32_t code)
{
    if (QN_OP_IS_FUNCTION(code)) return QN_OP_HAS_EXPONENT(code) ? 1 : 0;
    switch (code) {
    case QN_OP_MISSING:
    case QN_OP_TO_F32:
    case QN_OP_TO_F64:
    case QN_OP_TO_I64: return 0;
    case QN_OP_FILL:
    case QN_OP_SUB:
    case QN_OP_ADD:
    case QN_OP_MUL:
    case QN_OP_DIV: return 1;
    case QN_OP_FILL_EQ:
    case QN_OP_CLIP: return 2;
    default: return DIFFER;
    }
}

static int same_op(const struct qn_batch *batch, const struct qn_op *a, const struct qn_op *b)
{
    int words = words_of(a->code);
    if (a->code != b->code || words == DIFFER) return 0;
    for (int k = 0; k < words; k++)
        if (batch->words[a->arg + (uint32_t)k] != batch->words[b->arg + (uint32_t)k]) return 0;
    return 1;
}

/* How many ops both begin with; DIFFER: they have other values to begin with. */
static int common_ops(const struct qn_batch *batch, const struct qn_lane *a,
                      const struct qn_lane *b)
{
    if (batch->n_operands != 0 || !same_values(a, b)) return DIFFER;
    uint32_t n = 0, most = a->n_ops < b->n_ops ? a->n_ops : b->n_ops;
    while (n < most && same_op(batch, &batch->ops[a->first_op + n], &batch->ops[b->first_op + n]))
        n++;
    return (int)n;
}

static void copy(union qn_tile *to, const union qn_tile *from, uint32_t work, uint32_t rows)
{
    memcpy(to, from, rows * (work == QN_W_F32 || work == QN_W_CODE ? 4u : 8u));
}

static void leave(struct qn_share *share, const struct qn_lane *lane, uint32_t n_ops, uint32_t work,
                  uint32_t rows, const union qn_tile *tile)
{
    copy(&share->tile, tile, work, rows);
    share->lane = lane;
    share->n_ops = n_ops;
    share->work = work;
}

/* ---- loads ---- */

static uint32_t float_size(const struct qn_lane *lane)
{
    if (lane->validity != NULL) return 0;
    if (lane->type == QN_T_F32 && (lane->work == QN_W_F32 || lane->work == QN_W_F64)) return 4;
    return lane->type == QN_T_F64 && lane->work == QN_W_F64 ? 8 : 0;
}

/* Neighbours among lanes[at] and those that follow; lanes of one column may follow each other. */
static uint32_t count_neighbours(const struct qn_lane *lanes, uint32_t at, uint32_t n,
                                 uint32_t size)
{
    const struct qn_lane *lane = &lanes[at];
    uint32_t count = 1, most = QN_TOGETHER_BYTES / (QN_TILE_ROWS * size);
    const char *last = lane->data;
    if (most > QN_TOGETHER_COLUMNS) most = QN_TOGETHER_COLUMNS;
    for (uint32_t k = at + 1; k < n && count < most; k++) {
        const struct qn_lane *next = &lanes[k];
        if (float_size(next) != size || next->stride != lane->stride) break;
        if ((uintptr_t)next->data == (uintptr_t)last) continue;
        if ((uintptr_t)next->data != (uintptr_t)last + size) break;
        last = next->data;
        count++;
    }
    return count;
}

static void gather(struct qn_together *t, const struct qn_lane *lanes, uint32_t at, uint32_t n,
                   uint64_t row, uint32_t rows)
{
    const struct qn_lane *lane = &lanes[at];
    uint32_t size = float_size(lane), count = 0;
    t->count = 0;
    if (size == 0 || (uintptr_t)lane->data % size != 0 || lane->stride % (int64_t)size != 0) return;
    count = count_neighbours(lanes, at, n, size);
    if (count < 4 || lane->stride < (int64_t)(count * size)) return;
    t->base = lane->data;
    t->stride = lane->stride;
    t->type = lane->type;
    t->count = count;
    struct qn_strip strip = {.kind = size == 8 ? QN_STRIP_DOUBLE : QN_STRIP_FLOAT,
                             .count = count,
                             .base = t->base,
                             .stride = t->stride};
    qn_columns_load(&strip, row, rows, 0, count, QN_TILE_ROWS, t->values);
}

/* The lane's column among those that were gathered; NULL: it is none of them. */
static const char *gathered(const struct qn_together *t, const struct qn_lane *lane)
{
    uint32_t size = float_size(lane);
    uintptr_t off = (uintptr_t)lane->data - (uintptr_t)t->base;
    if (t->count == 0 || size == 0 || lane->type != t->type || lane->stride != t->stride ||
        off % size != 0 || off / size >= t->count)
        return NULL;
    return t->values + off * QN_TILE_ROWS;
}

static void load(struct qn_share *share, const struct qn_lane *lanes, uint32_t at, uint32_t n,
                 uint64_t row, uint32_t rows, union qn_tile *tile)
{
    const struct qn_lane *lane = &lanes[at];
    const char *column = gathered(&share->together, lane);
    if (column == NULL) {
        gather(&share->together, lanes, at, n, row, rows);
        column = gathered(&share->together, lane);
    }
    if (column == NULL) {
        qn_chain_load(lane, row, rows, tile);
    } else if (lane->type == QN_T_F32 && lane->work == QN_W_F64) {
        const float *values = (const float *)(const void *)column;
        for (uint32_t i = 0; i < rows; i++) tile->f64[i] = (double)values[i];
    } else {
        memcpy(tile, column, rows * float_size(lane));
    }
}

void qn_share_forget(struct qn_share *share)
{
    share->lane = NULL;
    share->together.count = 0;
}

uint32_t qn_share_eval(const struct qn_batch *batch, const struct qn_lane *lanes, uint32_t at,
                       uint32_t n, uint64_t row, uint32_t rows, struct qn_share *share,
                       union qn_tile *tile)
{
    int last = at + 1 >= n;
    const struct qn_lane *lane = &lanes[at], *next = &lanes[last ? at : at + 1];
    int given = share->lane != NULL ? common_ops(batch, share->lane, lane) : DIFFER;
    int wanted = !last ? common_ops(batch, lane, next) : DIFFER;
    uint32_t done = 0, work = lane->work;
    if (batch->n_operands != 0) return qn_chain_eval(batch, lane, row, rows, tile, NULL);
    int have = given >= 0 && (uint32_t)given >= share->n_ops;
    if (have) {
        done = share->n_ops;
        work = share->work;
        copy(tile, &share->tile, work, rows);
    } else {
        load(share, lanes, at, n, row, rows, tile);
    }
    if (wanted > (int)done || (!have && wanted == 0)) {
        work = qn_chain_apply(batch, lane->first_op + done, (uint32_t)wanted - done, work, rows,
                              tile, NULL);
        done = (uint32_t)wanted;
        leave(share, lane, done, work, rows, tile);
    }
    return qn_chain_apply(batch, lane->first_op + done, lane->n_ops - done, work, rows, tile, NULL);
}
