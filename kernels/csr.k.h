/* SPDX-License-Identifier: Apache-2.0
 * A program's output as compressed sparse rows: count the elements of each row, make the counts into
 * places by an exclusive scan in three launches (no group waits for another), then fill. An item
 * takes a row; a one-hot block is one span, looked at once whatever its width. */
#include "kernels/chain.k.h"

#define QN_SCAN_ROWS 1024u /* rows per group of a scan: four per item */

/* The element of span `s` at `row`: its column and stored bits, or 0 elements. */
QN_FN qn_u32 qn_csr_element(QN_GLOBAL const unsigned char *in, QN_GLOBAL const qn_u64 *table,
                            qn_u32 s, qn_u64 row, struct qn_norm_source norms, qn_u32 *column,
                            qn_u64 *bits, qn_u32 *seen)
{
    QN_GLOBAL const struct qn_span_desc *span = QN_PART(struct qn_span_desc, table, spans) + s;
    QN_GLOBAL const struct qn_lane_desc *l =
        QN_PART(struct qn_lane_desc, table, lanes) + span->lane;
    qn_u32 work = QN_PART(struct qn_lane_end, table, ends)[span->lane].work;
    qn_u32 type = QN_PART(struct qn_slot_desc, table, slots)[span->first_slot].type;
    qn_u64 x = qn_lane_load(in, l, row);

    *seen |= qn_seen_bits(x, l->work);
    x = qn_chain(x, QN_PART(struct qn_op, table, ops) + l->first_op, l->n_ops,
                 QN_PART(qn_u64, table, words), norms, seen);
    *column = span->first_slot;
    if (span->match != QN_MATCH_VALUE) {
        qn_u32 at = (qn_u32)x - span->match;
        *column += at;
        *bits = type == QN_T_F32 ? 0x3f800000u : type == QN_T_F64 ? 0x3ff0000000000000u : 1u;
        return at < span->n_slots ? 1u : 0u;
    }
    *bits = qn_store_bits(x, work, type);
    if (type == QN_T_F32) return (*bits & 0x7fffffffu) != 0u ? 1u : 0u;
    if (type == QN_T_F64) return (*bits & 0x7fffffffffffffffu) != 0u ? 1u : 0u;
    return *bits != 0u ? 1u : 0u;
}

QN_KERNEL qn_csr_count(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                       QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows,
                       QN_GLOBAL const qn_u64 *QN_RESTRICT norms,
                       QN_GLOBAL qn_u32 *QN_RESTRICT counts, QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    qn_u64 row = (qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM();
    if (row < rows) {
        struct qn_norm_source from = {norms, rows, row, in, table};
        qn_u32 n = 0u;
        for (qn_u32 s = 0u; s < QN_HEAD(table)->n_spans; s++) {
            qn_u32 column, seen = 0u;
            qn_u64 bits;
            n += qn_csr_element(in, table, s, row, from, &column, &bits, &seen);
            if (seen != 0u)
                QN_OR_GLOBAL(&seen_out[QN_PART(struct qn_span_desc, table, spans)[s].lane], seen);
        }
        counts[row] = n;
    }
}

/* Sum of 1024 counts per group. */
QN_KERNEL qn_scan_sums(QN_GLOBAL const qn_u32 *QN_RESTRICT counts, qn_u64 rows,
                       QN_GLOBAL qn_u64 *QN_RESTRICT sums)
{
    QN_SHARED qn_u64 part[QN_ITEMS];
    qn_u32 item = QN_ITEM();
    qn_u64 sum = 0u;
    for (qn_u32 i = item; i < QN_SCAN_ROWS; i += QN_ITEMS) {
        qn_u64 row = (qn_u64)QN_GROUP() * QN_SCAN_ROWS + i;
        sum += row < rows ? counts[row] : 0u;
    }
    part[item] = sum;
    QN_BARRIER();
    for (qn_u32 h = QN_ITEMS / 2u; h > 0u; h >>= 1) {
        if (item < h) part[item] += part[item + h];
        QN_BARRIER();
    }
    if (item == 0u) sums[QN_GROUP()] = part[0];
}

/* part[item] becomes the sum of part[0 … item]. */
QN_FN void qn_scan_group(QN_LOCAL qn_u64 *part, qn_u32 item)
{
    for (qn_u32 h = 1u; h < QN_ITEMS; h <<= 1) {
        qn_u64 add = item >= h ? part[item - h] : 0u;
        QN_BARRIER();
        part[item] += add;
        QN_BARRIER();
    }
}

/* One group: sums[0 … n) become exclusive sums, in place. */
QN_KERNEL qn_scan_top(QN_GLOBAL qn_u64 *QN_RESTRICT sums, qn_u32 n)
{
    QN_SHARED qn_u64 part[QN_ITEMS];
    qn_u32 item = QN_ITEM();
    qn_u64 carry = 0u;
    for (qn_u32 from = 0u; from < n; from += QN_ITEMS) {
        qn_u64 mine = from + item < n ? sums[from + item] : 0u;
        part[item] = mine;
        QN_BARRIER();
        qn_scan_group(part, item);
        if (from + item < n) sums[from + item] = carry + part[item] - mine;
        carry += part[QN_ITEMS - 1u];
        QN_BARRIER();
    }
}

/* starts[row]: the elements before row; four neighbouring rows per item. */
QN_KERNEL qn_scan_rows(QN_GLOBAL const qn_u32 *QN_RESTRICT counts, qn_u64 rows,
                       QN_GLOBAL const qn_u64 *QN_RESTRICT sums,
                       QN_GLOBAL qn_u64 *QN_RESTRICT starts)
{
    QN_SHARED qn_u64 part[QN_ITEMS];
    qn_u32 item = QN_ITEM();
    qn_u64 first = (qn_u64)QN_GROUP() * QN_SCAN_ROWS + 4u * item, sum = 0u;
    for (qn_u64 row = first; row < first + 4u; row++) sum += row < rows ? counts[row] : 0u;
    part[item] = sum;
    QN_BARRIER();
    qn_scan_group(part, item);
    qn_u64 at = sums[QN_GROUP()] + part[item] - sum;
    for (qn_u64 row = first; row < first + 4u; row++)
        if (row < rows) {
            starts[row] = at;
            at += counts[row];
        }
}

/* indices and data of a batch, from its first element. */
QN_KERNEL qn_csr_fill(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                      QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows,
                      QN_GLOBAL const qn_u64 *QN_RESTRICT norms,
                      QN_GLOBAL const qn_u64 *QN_RESTRICT starts, qn_u32 type, qn_u64 room,
                      QN_GLOBAL qn_i32 *QN_RESTRICT indices,
                      QN_GLOBAL unsigned char *QN_RESTRICT data)
{
    qn_u64 row = (qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM();
    if (row < rows) {
        struct qn_norm_source from = {norms, rows, row, in, table};
        qn_u64 at = starts[row];
        for (qn_u32 s = 0u; s < QN_HEAD(table)->n_spans; s++) {
            qn_u32 column, seen = 0u;
            qn_u64 bits;
            if (qn_csr_element(in, table, s, row, from, &column, &bits, &seen) && at < room) {
                indices[at] = (qn_i32)column;
                qn_store(data + at * (type == QN_T_F32 ? 4u : 8u), type, bits);
                at++;
            }
        }
    }
}
