/* SPDX-License-Identifier: Apache-2.0
 * The general form of a program on the CPU: rows in tiles, every lane of a tile evaluated once, norms
 * taken, and the values of each output type at hand as packed columns. Writers (run_write.c, csr.c)
 * take it from there. A plan is read-only while tasks run; each worker has its own scratch. */
#ifndef QN_CPU_RUN_TILE_H
#define QN_CPU_RUN_TILE_H

#include <stddef.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/run_flat.h"

/* A lane's final value as one stored type. */
struct qn_tile_column {
    uint32_t lane, type, size;
    size_t at; /* in scratch; the lane's own tile when nothing is to be converted */
};

struct qn_tile_lane {
    uint32_t before; /* ops before the NORM op; all of them without one */
    uint32_t group;  /* QN_TILE_NO_GROUP, or its norm group */
    uint32_t work_at_norm, final_work;
    uint32_t wanted;                /* some slot or norm needs it */
    uint32_t as_is;                 /* a slot stores the tile unconverted: NaNs must be canonical */
    uint32_t by_type[QN_T_F64 + 1]; /* column number + 1 */
    uint32_t run;    /* > 0: this many lanes from here on are neighbours in rows, loaded together */
    uint32_t in_run; /* loaded by the run's first lane */
    uint32_t start;  /* number of an operand + 1: the chain goes on from its tile */
    uint32_t joins;  /* has TAKE ops */
    uint32_t block; /* > 0: this many lanes from here on are functions of one spline at one value */
    uint32_t in_block; /* evaluated by the block's first lane */
    uint32_t fused;    /* number of its fused column + 1: all ops up to the norm, in registers */
    size_t at;         /* its tile in scratch */
};
#define QN_TILE_NO_GROUP 0xffffffffu

struct qn_tiles {
    const struct qn_batch *batch;
    const struct qn_norm_desc *norms;
    uint32_t n_norms, n_columns, widest_block;
    uint32_t rows; /* of a tile: a multiple of 16, at most QN_TILE_ROWS */
    struct qn_tile_lane *lanes;
    struct qn_tile_lane *operands; /* behind the lanes, of one allocation */
    struct qn_tile_column *columns;
    struct qn_flat_column *fused;
    uint32_t *slot_column; /* per slot: its column, or QN_MATCH_VALUE for one-hot slots */
    size_t pitch, raw_at;  /* from lane to lane; stored values of a run before their conversion */
    size_t block_at;       /* numbers of a block's functions, and their tiles */
    size_t norm_at, cols_at, seen_at, scratch; /* bytes; scratch is per worker */
};

/* Checks lanes, ops, slots and norms, and lays the scratch out. */
quern_status qn_tiles_open(struct qn_tiles *, const struct qn_batch *, const struct qn_slot *,
                           uint32_t n_slots, const struct qn_norm_desc *, uint32_t n_norms);
void qn_tiles_close(struct qn_tiles *);

/* Evaluates rows [row, row + n) of the batch, n <= rows. seen: one word per lane, or NULL. */
void qn_tiles_eval(const struct qn_tiles *, char *scratch, uint64_t row, uint32_t n,
                   uint32_t *seen);

static inline const union qn_tile *qn_tiles_lane(const struct qn_tiles *t, const char *scratch,
                                                 uint32_t lane)
{
    return (const union qn_tile *)(const void *)(scratch + t->lanes[lane].at);
}

static inline const void *qn_tiles_column(const struct qn_tiles *t, const char *scratch, uint32_t c)
{
    return scratch + t->columns[c].at;
}

#endif
