/* SPDX-License-Identifier: Apache-2.0
 * What running.c and running_bytes.c share. */
#ifndef QN_RUNNING_INTERNAL_H
#define QN_RUNNING_INTERNAL_H

#include "host/pipeline/running.h"

/* The columns of one kind, as places in the open block's rows. */
struct qn_running_kind {
    uint32_t n;
    uint32_t *place;
    struct qn_moments *tree; /* moments and weighted moments */
};

struct qn_running {
    uint32_t n_columns, width;
    uint32_t *column; /* [width]: the table's columns that are looked at */
    struct qn_running_kind moments, weighted, extremes;
    struct qn_extremes *ends; /* [extremes.n] */
    uint64_t rows;
    double *open;          /* [room][width]: the rows of the block that is not full yet */
    double *open_weights;  /* [room], if any column is weighted */
    uint32_t room;         /* grows to QN_BLOCK_ROWS: bytes may claim many columns */
    struct qn_lane *lanes; /* [width]: room for a batch */
    struct qn_node *nodes; /* [room_nodes]: what an operation returns */
    size_t room_nodes;
    int broken;
};

/* Room for so many rows of the open block. */
quern_status qn_running_reserve(struct qn_running *, uint32_t rows);

#endif
