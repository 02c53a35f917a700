/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/strips.h"

#include "backends/cpu/chain.h"

uint32_t qn_stored_bytes(uint32_t type)
{
    switch (type) {
    case QN_T_I16:
    case QN_T_U16: return 2;
    case QN_T_I32:
    case QN_T_U32:
    case QN_T_F32: return 4;
    case QN_T_I64:
    case QN_T_U64:
    case QN_T_F64: return 8;
    default: return 1;
    }
}

int qn_lane_is_float(const struct qn_batch *batch, const struct qn_lane *lane)
{
    return qn_chain_final_work(batch, lane) == QN_W_F32;
}

/* A float32 column that works in float64 has the same values in either. */
static enum qn_strip_kind lane_kind(const struct qn_lane *lane)
{
    if (lane->n_ops != 0 || lane->validity != NULL) return QN_STRIP_CHAIN;
    if (lane->type == QN_T_F32 && (lane->work == QN_W_F32 || lane->work == QN_W_F64) &&
        (uintptr_t)lane->data % sizeof(float) == 0 && lane->stride % (int64_t)sizeof(float) == 0)
        return QN_STRIP_FLOAT;
    if (lane->type == QN_T_F64 && lane->work == QN_W_F64 &&
        (uintptr_t)lane->data % sizeof(double) == 0 && lane->stride % (int64_t)sizeof(double) == 0)
        return QN_STRIP_DOUBLE;
    return QN_STRIP_CHAIN;
}

static int strided(const struct qn_lane *lane)
{
    return lane->stride != (int64_t)qn_stored_bytes(lane->type);
}

/* Does `next` continue the strip that so far ends before it? */
static int continues(const struct qn_strip *strip, const struct qn_lane *last,
                     const struct qn_lane *next)
{
    if (strip->kind != lane_kind(next)) return 0;
    if (strip->kind == QN_STRIP_CHAIN) /* strided chains share cache lines: block by block */
        return strip->count < QN_STRIP_GAPPED &&
               ((strided(last) && strided(next)) || last->data == next->data);
    int64_t bytes = (int64_t)qn_stored_bytes(next->type);
    return next->stride == strip->stride && last->work == next->work &&
           (const char *)next->data == strip->base + (int64_t)strip->count * bytes &&
           strip->stride >= (int64_t)(strip->count + 1) * bytes;
}

/* Appends lanes [first, first + count) as one strip, or as several narrow ones where rows have gaps. */
static uint32_t append(struct qn_strip *out, struct qn_strip strip, uint32_t bytes)
{
    strip.packed = strip.kind != QN_STRIP_CHAIN && strip.stride == (int64_t)strip.count * bytes;
    if (strip.packed || strip.count <= QN_STRIP_GAPPED) {
        out[0] = strip;
        return 1;
    }
    uint32_t n = 0;
    for (uint32_t at = 0; at < strip.count; at += QN_STRIP_GAPPED, n++) {
        uint32_t left = strip.count - at;
        out[n] = strip;
        out[n].first = strip.first + at;
        out[n].count = left < QN_STRIP_GAPPED ? left : QN_STRIP_GAPPED;
        out[n].base = strip.base + (int64_t)at * bytes;
    }
    return n;
}

quern_status qn_strips_make(const struct qn_batch *batch, struct qn_strip **out, uint32_t *count)
{
    *count = 0;
    *out = qn_alloc(batch->n_lanes, sizeof **out);
    if (*out == NULL) return qn_error_memory("statistics", (uint64_t)batch->n_lanes * sizeof **out);
    for (uint32_t i = 0; i < batch->n_lanes;) {
        const struct qn_lane *lane = &batch->lanes[i];
        struct qn_strip strip = {lane_kind(lane), i, 1, lane->data, lane->stride, 0};
        for (i++; i < batch->n_lanes && continues(&strip, &batch->lanes[i - 1], &batch->lanes[i]);
             i++)
            strip.count++;
        *count += append(*out + *count, strip, qn_stored_bytes(lane->type));
    }
    return QUERN_OK;
}

uint64_t qn_strip_row_bytes(const struct qn_batch *batch, const struct qn_strip *strip)
{
    uint64_t bytes = 0;
    for (uint32_t i = strip->first; i < strip->first + strip->count; i++)
        bytes += qn_stored_bytes(batch->lanes[i].type);
    return bytes != 0 ? bytes : 1;
}
