/* SPDX-License-Identifier: Apache-2.0
 * Any program: the interpreting kernel. 32 rows of up to 32 neighbouring slots at a time: first the
 * lanes that these slots read, each once (a one-hot block evaluates its chain once per tile), then
 * the slots, turned in local memory, so that loads follow the input's layout and stores the output's.
 * Norms come first, row by row, from a kernel of their own. */
#include "kernels/chain.k.h"
#include "kernels/norm.h"

#define QN_LOAD_BY_ROWS 1u     /* neighbouring items load neighbouring lanes of a row           */
#define QN_STORE_BY_COLUMNS 2u /* neighbouring items store neighbouring rows of a slot          */

/* Lane `lane` at `row`, ops [0, n_ops). */
QN_FN qn_u64 qn_run_value(QN_GLOBAL const unsigned char *in, QN_GLOBAL const qn_u64 *table,
                          qn_u32 lane, qn_u32 n_ops, qn_u64 row, struct qn_norm_source norms,
                          qn_u32 *seen)
{
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes) + lane;
    qn_u64 x = qn_lane_load(in, l, row);
    *seen |= qn_seen_bits(x, l->work);
    if (n_ops == 0u) return x;
    return qn_chain(x, QN_PART(struct qn_op, table, ops) + l->first_op, n_ops,
                    QN_PART(qn_u64, table, words), norms, seen);
}

/* What slot `s` stores, given its lane's final value. */
QN_FN qn_u64 qn_slot_bits(qn_u64 x, qn_u32 work, qn_u32 type, qn_u32 match)
{
    if (match == QN_MATCH_VALUE) return qn_store_bits(x, work, type);
    if ((qn_u32)x != match) return 0u;
    if (type == QN_T_F32) return 0x3f800000u;
    if (type == QN_T_F64) return 0x3ff0000000000000u;
    return 1u;
}

/* The divisor of `row` in norm group y. */
QN_FN void qn_norm_row(QN_GLOBAL const unsigned char *in, QN_GLOBAL const qn_u64 *table,
                       qn_u64 rows, qn_u64 row, qn_u32 group, QN_GLOBAL qn_u64 *norms)
{
    QN_GLOBAL const struct qn_norm_desc *d = QN_PART(struct qn_norm_desc, table, norms) + group;
    QN_GLOBAL const struct qn_lane_end *ends = QN_PART(struct qn_lane_end, table, ends);
    QN_GLOBAL const struct qn_lane_desc *l = QN_PART(struct qn_lane_desc, table, lanes);
    qn_u32 first = d->first_lane, n = d->n_lanes, seen = 0u;
    struct qn_norm_source none = {table, 0u, row, in, table};
    /* The working type before the NORM: that of its op. */
    qn_u32 work = QN_PART(struct qn_op, table, ops)[l[first].first_op + ends[first].norm_ops].work;
    if (work == QN_W_F32) {
        struct qn_norm_f32 s;
        qn_norm_begin_f32(&s, d->kind, d->order, n);
        for (qn_u32 i = 0u; i < n; i++) {
            qn_u32 lane = first + qn_norm_next_f32(&s);
            qn_u64 x = qn_run_value(in, table, lane, ends[lane].norm_ops, row, none, &seen);
            qn_norm_add_f32(&s, QN_F32((qn_u32)x));
        }
        norms[group * rows + row] = QN_BITS32(qn_norm_end_f32(&s));
    } else {
        struct qn_norm_f64 s;
        qn_norm_begin_f64(&s, d->kind, d->order, n);
        for (qn_u32 i = 0u; i < n; i++) {
            qn_u32 lane = first + qn_norm_next_f64(&s);
            qn_u64 x = qn_run_value(in, table, lane, ends[lane].norm_ops, row, none, &seen);
            qn_norm_add_f64(&s, QN_F64(x));
        }
        norms[group * rows + row] = QN_BITS64(qn_norm_end_f64(&s));
    }
}

#if !defined(QN_CPU_SHAPE)

/* One item per row; y: norm group. */
QN_KERNEL qn_norms(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows,
                   QN_GLOBAL qn_u64 *QN_RESTRICT norms)
{
    qn_u64 row = (qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM();
    if (row < rows) qn_norm_row(in, table, rows, row, QN_GROUP_Y(), norms);
}

/* Group x: `steps` times 32 rows; y: tile of slots. */
QN_KERNEL qn_run(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                 QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u32 steps,
                 qn_u32 layout, QN_GLOBAL const qn_u64 *QN_RESTRICT norms,
                 QN_GLOBAL unsigned char *QN_RESTRICT out, QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    QN_SHARED qn_u64 value[QN_TILE * (QN_TILE + 1u)];
    QN_SHARED qn_u32 seen[QN_TILE];
    qn_u32 item = QN_ITEM(), first_slot = QN_GROUP_Y() * QN_TILE;
    QN_GLOBAL const qn_u32 *picks = QN_PART(qn_u32, table, picks) + first_slot;
    QN_GLOBAL const qn_u32 *places = QN_PART(qn_u32, table, places) + first_slot;
    QN_GLOBAL const struct qn_slot_desc *slots =
        QN_PART(struct qn_slot_desc, table, slots) + first_slot;
    QN_GLOBAL const struct qn_lane_end *ends = QN_PART(struct qn_lane_end, table, ends);
    qn_u32 n_lanes = QN_PART(struct qn_tile_desc, table, tiles)[QN_GROUP_Y()].n_lanes;
    qn_u32 n_slots = QN_PART(struct qn_tile_desc, table, tiles)[QN_GROUP_Y()].n_slots;
    qn_u32 by_rows = layout & QN_LOAD_BY_ROWS, by_columns = layout & QN_STORE_BY_COLUMNS;

    if (item < QN_TILE) seen[item] = 0u;
    QN_BARRIER();
    for (qn_u32 step = 0u; step < steps; step++) {
        qn_u64 first_row = ((qn_u64)QN_GROUP() * steps + step) * QN_TILE;
        for (qn_u32 i = item; i < QN_TILE * n_lanes; i += QN_ITEMS) {
            qn_u32 k = i >> 5, r = i & 31u;
            if (by_rows) {
                r = i / n_lanes;
                k = i - r * n_lanes;
            }
            qn_u64 row = first_row + r;
            if (row < rows) {
                qn_u32 lane = picks[k], flags = 0u;
                struct qn_norm_source from = {norms, rows, row, in, table};
                value[k * (QN_TILE + 1u) + r] = qn_run_value(
                    in, table, lane, QN_PART(struct qn_lane_desc, table, lanes)[lane].n_ops, row,
                    from, &flags);
                if (flags != 0u) QN_OR_LOCAL(&seen[k], flags);
            }
        }
        QN_BARRIER();
        for (qn_u32 i = item; i < QN_TILE * n_slots; i += QN_ITEMS) {
            qn_u32 s = i >> 5, r = i & 31u;
            if (!by_columns) {
                r = i / n_slots;
                s = i - r * n_slots;
            }
            qn_u64 row = first_row + r;
            if (row < rows) {
                qn_u64 x = value[places[s] * (QN_TILE + 1u) + r];
                qn_store(out + (slots[s].offset + row * slots[s].stride), slots[s].type,
                         qn_slot_bits(x, ends[slots[s].lane].work, slots[s].type, slots[s].match));
            }
        }
        QN_BARRIER();
    }
    if (item < n_lanes && seen[item] != 0u) QN_OR_GLOBAL(&seen_out[picks[item]], seen[item]);
}

#else /* QN_CPU_SHAPE */

/* Item x: rows [x * chunk, …); y: norm group. */
QN_KERNEL qn_norms(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                   QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                   QN_GLOBAL qn_u64 *QN_RESTRICT norms)
{
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u64 row = from; row < to; row++) qn_norm_row(in, table, rows, row, QN_GROUP_Y(), norms);
}

/* Item x: rows [x * chunk, …), all slots, in tiles of 32 rows. */
QN_KERNEL qn_run(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                 QN_GLOBAL const qn_u64 *QN_RESTRICT table, qn_u64 rows, qn_u64 chunk,
                 QN_GLOBAL const qn_u64 *QN_RESTRICT norms,
                 QN_GLOBAL unsigned char *QN_RESTRICT out, QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    qn_u64 value[QN_TILE * QN_TILE];
    QN_GLOBAL const struct qn_slot_desc *slots = QN_PART(struct qn_slot_desc, table, slots);
    QN_GLOBAL const struct qn_lane_end *ends = QN_PART(struct qn_lane_end, table, ends);
    QN_GLOBAL const struct qn_tile_desc *tiles = QN_PART(struct qn_tile_desc, table, tiles);
    QN_GLOBAL const qn_u32 *picks = QN_PART(qn_u32, table, picks);
    QN_GLOBAL const qn_u32 *places = QN_PART(qn_u32, table, places);
    qn_u32 n_slots = QN_HEAD(table)->n_slots;
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;

    for (qn_u64 first_row = from; first_row < to; first_row += QN_TILE) {
        qn_u32 n = to - first_row < QN_TILE ? (qn_u32)(to - first_row) : QN_TILE;
        for (qn_u32 tile = 0u; tile * QN_TILE < n_slots; tile++) {
            for (qn_u32 k = 0u; k < tiles[tile].n_lanes; k++) {
                qn_u32 lane = picks[tile * QN_TILE + k], flags = 0u;
                qn_u32 n_ops = QN_PART(struct qn_lane_desc, table, lanes)[lane].n_ops;
                for (qn_u32 r = 0u; r < n; r++) {
                    struct qn_norm_source norm = {norms, rows, first_row + r, in, table};
                    value[k * QN_TILE + r] =
                        qn_run_value(in, table, lane, n_ops, first_row + r, norm, &flags);
                }
                if (flags != 0u) QN_OR_GLOBAL(&seen_out[lane], flags);
            }
            for (qn_u32 r = 0u; r < n; r++)
                for (qn_u32 s = tile * QN_TILE; s < tile * QN_TILE + tiles[tile].n_slots; s++) {
                    qn_u64 x = value[places[s] * QN_TILE + r];
                    qn_store(
                        out + (slots[s].offset + (first_row + r) * slots[s].stride), slots[s].type,
                        qn_slot_bits(x, ends[slots[s].lane].work, slots[s].type, slots[s].match));
                }
        }
    }
}

#endif
