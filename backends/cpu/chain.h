/* SPDX-License-Identifier: Apache-2.0
 * One lane over a tile of rows: load the stored values, then each op over the whole tile. A tile stays
 * in the first-level cache, so a chain of any length reads its column once. Row statistics and the
 * transform share this file; kernels/program.h defines every op and this is its CPU form.
 *
 * What the definition leaves to the plan is closed here, so that no input is undefined behaviour:
 * float to int64 of NaN is 0 and saturates outside the range; int64 arithmetic wraps, division by
 * zero gives 0; a stored BOOL other than 0 is 1. */
#ifndef QN_CPU_CHAIN_H
#define QN_CPU_CHAIN_H

#include "host/ops/requests.h"

enum { QN_TILE_ROWS = 1024 };

/* The accumulators of up to QN_TILE_ROWS rows; which member is live follows from the working type.
 * All members start at the first byte. */
union qn_tile {
    _Alignas(64) float f32[QN_TILE_ROWS];
    double f64[QN_TILE_ROWS];
    int64_t i64[QN_TILE_ROWS];
    uint32_t code[QN_TILE_ROWS];
};

/* Loads rows [row, row + n) of the batch's lane, n <= QN_TILE_ROWS, as lane->work. */
void qn_chain_load(const struct qn_lane *lane, uint64_t row, uint32_t n, union qn_tile *tile);

/* QN_SEEN_INF | QN_SEEN_NAN of the tile's values (F32 and F64; else 0). */
uint32_t qn_chain_seen(uint32_t work, uint32_t n, const union qn_tile *tile);

/* Applies ops [first_op, first_op + n_ops) of the batch to a tile that holds `work`, and returns the
 * working type it holds afterwards. NORM is not known here (it needs other lanes) and is skipped: the
 * caller stops before it. `seen` (may be NULL) gets QN_SEEN_UNKNOWN OR-ed in. */
uint32_t qn_chain_apply(const struct qn_batch *batch, uint32_t first_op, uint32_t n_ops,
                        uint32_t work, uint32_t n, union qn_tile *tile, uint32_t *seen);

/* Where the operands of TAKE ops are: evaluated, in tiles `pitch` bytes apart with what each saw; or,
 * tiles NULL, in the batch's rows from `row` on. */
struct qn_operands {
    const char *tiles;
    size_t pitch;
    const uint32_t *seen;
    uint64_t row;
};

/* The same for chains that may have TAKE and JOIN_* ops. start: the values to begin with, which stay as
 * they are; it may be `tile`, where the result goes. */
uint32_t qn_chain_join(const struct qn_batch *batch, uint32_t first_op, uint32_t n_ops,
                       uint32_t work, uint32_t n, const union qn_tile *start, union qn_tile *tile,
                       uint32_t *seen, const struct qn_operands *from);

/* All of it: load, what was seen (if `seen` is not NULL), all ops. Returns the final working type. */
uint32_t qn_chain_eval(const struct qn_batch *batch, const struct qn_lane *lane, uint64_t row,
                       uint32_t n, union qn_tile *tile, uint32_t *seen);

/* F64, I64 and CODE values to float64 in place: how statistics see a final value. F32 stays. */
void qn_tile_widen(uint32_t work, uint32_t n, union qn_tile *tile);

/* The working type after one op of the batch's that acts on `work`, and after all of a lane's ops. */
uint32_t qn_chain_op_work(const struct qn_batch *batch, const struct qn_op *op, uint32_t work);
uint32_t qn_chain_final_work(const struct qn_batch *batch, const struct qn_lane *lane);

#endif
