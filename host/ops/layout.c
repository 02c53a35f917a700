/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/layout.h"

uint32_t qn_value_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

enum qn_plain qn_batch_plain(const struct qn_batch *batch)
{
    uint32_t type = batch->n_lanes != 0 ? batch->lanes[0].type : QN_T_BOOL;
    if (type != QN_T_F32 && type != QN_T_F64) return QN_PLAIN_NOT;
    for (uint32_t i = 0; i < batch->n_lanes; i++) {
        const struct qn_lane *lane = &batch->lanes[i];
        int exact = lane->work == QN_W_F64 || (lane->work == QN_W_F32 && type == QN_T_F32);
        if (lane->type != type || !exact || lane->n_ops != 0 || lane->valid_bit != QN_NO_VALIDITY)
            return QN_PLAIN_NOT;
    }
    return type == QN_T_F32 ? QN_PLAIN_F32 : QN_PLAIN_F64;
}

uint32_t qn_batch_strips(const struct qn_batch *batch)
{
    if (batch->n_lanes == 0) return 0;
    const struct qn_lane *first = batch->lanes;
    int64_t size = qn_value_bytes(first->type);
    if (size == 0 || first->stride < size || first->stride % size != 0) return 0;
    uint64_t d = (uint64_t)(first->stride / size);
    if (d > batch->n_lanes || batch->n_lanes % d != 0) return 0;
    for (uint32_t i = 0; i < batch->n_lanes; i++) {
        const struct qn_lane *lane = &first[i], *head = &first[i - i % d];
        if (lane->type != first->type || lane->stride != first->stride ||
            lane->offset != head->offset + i % d * (uint64_t)size)
            return 0;
    }
    return (uint32_t)d;
}

uint32_t qn_batch_by_rows(const struct qn_batch *batch)
{
    if (batch->n_lanes == 0) return 0;
    const struct qn_lane *first = batch->lanes;
    return first->stride != (int64_t)qn_value_bytes(first->type);
}
