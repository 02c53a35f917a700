/* SPDX-License-Identifier: Apache-2.0
 * From a tile's columns to the output. Slots that lie side by side in rows of one stride form a group:
 * its rows are put together in a small block that stays in the first-level cache and is copied out
 * whole, past the caches if the output is large. One-hot columns of a block are zero to begin with:
 * a row costs one store to set its one and one to take it back after the copy, however many
 * categories there are. Slots that stand alone (column-major outputs) are copied column by column. */
#ifndef QN_CPU_RUN_WRITE_H
#define QN_CPU_RUN_WRITE_H

#include "backends/cpu/run_tile.h"

struct write_item {
    uint32_t one_hot;     /* else values                                                         */
    uint32_t size, type;  /* of a stored value                                                   */
    uint32_t count;       /* columns                                                             */
    uint32_t lane, match; /* one-hot: its codes, the first column's                              */
    uint32_t first;       /* values: first place in the pointer table                            */
    size_t at;            /* in the row                                                          */
};

struct write_group {
    uint64_t offset, stride; /* of row 0 in the output                                           */
    size_t span;             /* bytes of a row                                                   */
    uint32_t first, n_items, rows;
    size_t block; /* in scratch */
};

struct qn_writer {
    const struct qn_tiles *tiles;
    char *out;
    uint32_t stream, n_items, n_groups, n_pointers;
    struct write_item *items;
    struct write_group *groups;
    uint32_t *columns; /* of the pointer table                                                   */
    size_t pointers, spare, scratch; /* in scratch, which begins with the tiles' own             */
    uint64_t row_bytes;
};

quern_status qn_writer_open(struct qn_writer *, const struct qn_tiles *, const struct qn_slot *,
                            uint32_t n_slots, void *out, uint32_t stream);
void qn_writer_close(struct qn_writer *);
/* Makes a worker's scratch ready (once), then writes evaluated rows [row, row + n). */
void qn_writer_begin(const struct qn_writer *, char *scratch);
void qn_writer_tile(const struct qn_writer *, char *scratch, uint64_t row, uint32_t n);

#endif
