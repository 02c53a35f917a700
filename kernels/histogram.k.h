/* SPDX-License-Identifier: Apache-2.0
 * One radix pass: for every lane and target, how many keys that start with the target's prefix have
 * each value of the next `bits` bits. Keys are integers in the order of the values. Counts are
 * integers, so no order matters; a launch covers fewer than 2^32 rows, and the host adds up in 64
 * bits. Up to QN_LOCAL_BINS counters of a lane are kept in local memory, more in global memory. */
#include "kernels/chain.k.h"

#define QN_LOCAL_BINS 4096u
#define QN_NO_PREFIX 0xffffffffffffffffu

/* The key of row `row`, or 0 with *missing set. */
QN_FN qn_u64 qn_lane_key(QN_GLOBAL const unsigned char *in, QN_GLOBAL const qn_u64 *table,
                         qn_u32 lane, qn_u64 row, int *missing)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    qn_u32 work = QN_PART(struct qn_lane_end, table, ends)[lane].work, seen = 0u;
    struct qn_norm_source none = {table, 0u, row, in, table};
    qn_u64 x = qn_lane_load(in, l, row);
    if (l->n_ops != 0u)
        x = qn_chain(x, QN_PART(struct qn_op, table, ops) + l->first_op, l->n_ops,
                     QN_PART(qn_u64, table, words), none, &seen);
    if (work == QN_W_F32) {
        float f = QN_F32((qn_u32)x);
        qn_u32 bits = QN_BITS32(f == 0.0f ? 0.0f : f);
        *missing = f != f;
        return bits >> 31 ? (qn_u64)(~bits) : (qn_u64)(bits | 0x80000000u);
    }
    double f = QN_F64(x);
    qn_u64 bits = QN_BITS64(f == 0.0 ? 0.0 : f);
    *missing = f != f;
    return bits >> 63 ? ~bits : bits | 0x8000000000000000u;
}

/* Which counter a key goes to for target t, or -1. prefix: the lane's targets. */
#define QN_COUNT_KEY(key, prefix, n_targets, shift, bits, COUNT)                                   \
    for (qn_u32 t = 0u; t < (n_targets); t++) {                                                    \
        qn_u64 above = (shift) + (bits) < 64u ? (key) >> ((shift) + (bits)) : 0u;                  \
        if ((prefix)[t] != above || (prefix)[t] == QN_NO_PREFIX) continue;                         \
        COUNT((t << (bits)) + ((qn_u32)((key) >> (shift)) & ((1u << (bits)) - 1u)));               \
    }

#if !defined(QN_CPU_SHAPE)

/* Group x: rows [x * chunk, …) of lane first_lane + y. counts: [lane * n_targets + t] << bits. */
QN_KERNEL qn_histogram_local(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                             QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                             QN_GLOBAL const qn_u64 *QN_RESTRICT prefixes, qn_u32 n_targets,
                             qn_u32 shift, qn_u32 bits, QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    QN_SHARED qn_u32 bins[QN_LOCAL_BINS];
    qn_u32 item = QN_ITEM(), lane = QN_GROUP_Y(), n_bins = n_targets << bits;
    QN_GLOBAL const qn_u64 *prefix = prefixes + (qn_u64)lane * n_targets;
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;

    for (qn_u32 i = item; i < n_bins; i += QN_ITEMS) bins[i] = 0u;
    QN_BARRIER();
    for (qn_u64 row = from + item; row < to; row += QN_ITEMS) {
        int missing;
        qn_u64 key = qn_lane_key(in, table, lane, row, &missing);
        if (missing) continue;
#define COUNT(bin) QN_ADD_LOCAL(&bins[bin], 1u)
        QN_COUNT_KEY(key, prefix, n_targets, shift, bits, COUNT)
#undef COUNT
    }
    QN_BARRIER();
    for (qn_u32 i = item; i < n_bins; i += QN_ITEMS)
        if (bins[i] != 0u) QN_ADD_GLOBAL(&counts[(qn_u64)lane * n_bins + i], bins[i]);
}

QN_KERNEL qn_histogram_global(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                              QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                              QN_GLOBAL const qn_u64 *QN_RESTRICT prefixes, qn_u32 n_targets,
                              qn_u32 shift, qn_u32 bits, QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    qn_u32 lane = QN_GROUP_Y();
    QN_GLOBAL const qn_u64 *prefix = prefixes + (qn_u64)lane * n_targets;
    QN_GLOBAL qn_u32 *bins = counts + (((qn_u64)lane * n_targets) << bits);
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u64 row = from + QN_ITEM(); row < to; row += QN_ITEMS) {
        int missing;
        qn_u64 key = qn_lane_key(in, table, lane, row, &missing);
        if (missing) continue;
#define COUNT(bin) QN_ADD_GLOBAL(&bins[bin], 1u)
        QN_COUNT_KEY(key, prefix, n_targets, shift, bits, COUNT)
#undef COUNT
    }
}

#else /* QN_CPU_SHAPE */

/* Item x: rows [x * chunk, …) of lane y, counted in its own copy of the lane's bins (counts holds
 * `copies` of everything); the host adds the copies up. */
QN_KERNEL qn_histogram_each(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                            QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                            QN_GLOBAL const qn_u64 *QN_RESTRICT prefixes, qn_u32 n_targets,
                            qn_u32 shift, qn_u32 bits, QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    qn_u32 lane = QN_GROUP_Y();
    QN_GLOBAL const qn_u64 *prefix = prefixes + (qn_u64)lane * n_targets;
    QN_GLOBAL qn_u32 *bins =
        counts + ((((qn_u64)QN_GROUP() * QN_HEAD(table)->n_lanes + lane) * n_targets) << bits);
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u64 row = from; row < to; row++) {
        int missing;
        qn_u64 key = qn_lane_key(in, table, lane, row, &missing);
        if (missing) continue;
#define COUNT(bin) bins[bin] += 1u
        QN_COUNT_KEY(key, prefix, n_targets, shift, bits, COUNT)
#undef COUNT
    }
}

#endif
