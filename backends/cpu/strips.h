/* SPDX-License-Identifier: Apache-2.0
 * How a batch's lanes lie in memory, seen once per request: runs of neighbouring lanes that one loop
 * can take together. Statistics depend on the rows alone, never on the layout, so the split into
 * strips is about speed only. */
#ifndef QN_CPU_STRIPS_H
#define QN_CPU_STRIPS_H

#include "host/ops/requests.h"

enum qn_strip_kind {
    QN_STRIP_FLOAT,  /* plain float32, neighbours in each row                                     */
    QN_STRIP_DOUBLE, /* plain float64, neighbours in each row                                     */
    QN_STRIP_CHAIN   /* anything else: each lane through its chain                                */
};

struct qn_strip {
    enum qn_strip_kind kind;
    uint32_t first, count; /* lanes                                                             */
    const char *base;      /* FLOAT, DOUBLE: row 0 of the first lane                            */
    int64_t stride;        /* from row to row                                                   */
    int packed;            /* FLOAT, DOUBLE: the rows follow each other without a gap           */
};

/* Splits the batch; *out is freed with qn_free. A strip with gaps between its rows has at most
 * QN_STRIP_GAPPED lanes, so that a block of its rows, packed, stays in the second-level cache. */
enum { QN_STRIP_GAPPED = 64 };
quern_status qn_strips_make(const struct qn_batch *batch, struct qn_strip **out, uint32_t *count);

/* Bytes that a row of the strip reads from memory; at least 1. */
uint64_t qn_strip_row_bytes(const struct qn_batch *batch, const struct qn_strip *strip);

/* Bytes of a stored value of QN_T_*. */
uint32_t qn_stored_bytes(uint32_t type);

/* Does the lane's final value have 32 bits (float32 work) or is it seen as a double? */
int qn_lane_is_float(const struct qn_batch *batch, const struct qn_lane *lane);

#endif
