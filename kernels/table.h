/* SPDX-License-Identifier: Apache-2.0
 * The table: all that a launch needs to know, in one block of 64-bit words, so that a kernel takes
 * one pointer for it and a launch needs one small upload. Host and kernels read this file.
 *
 * The block starts with a qn_table_head; each part begins at the word that the head names. */
#ifndef QN_TABLE_H
#define QN_TABLE_H

#include "kernels/program.h"

struct qn_table_head {
    qn_u32 lanes;  /* struct qn_lane_desc [n_lanes]                                              */
    qn_u32 ends;   /* struct qn_lane_end [n_lanes]                                               */
    qn_u32 ops;    /* struct qn_op                                                               */
    qn_u32 words;  /* parameters                                                                 */
    qn_u32 slots;  /* struct qn_slot_desc [n_slots]                                              */
    qn_u32 tiles;  /* struct qn_tile_desc [ceil(n_slots / QN_TILE)]                              */
    qn_u32 places; /* u32 [n_slots]: which of its tile's lanes a slot reads                      */
    qn_u32 picks;  /* u32 [QN_TILE * tiles]: the lanes of each tile                              */
    qn_u32 norms;  /* struct qn_norm_desc [n_norms]                                              */
    qn_u32 spans;  /* struct qn_span_desc [n_spans]                                              */
    qn_u32 operands; /* struct qn_lane_desc [n_operands]                                         */
    qn_u32 n_lanes, n_slots, n_norms, n_spans, n_operands;
};

/* What a lane's chain ends in, and where a norm interrupts it. */
struct qn_lane_end {
    qn_u32 work;     /* working type of the final value                                          */
    qn_u32 norm_ops; /* ops before its NORM; n_ops if it has none                                */
};

/* 32 slots side by side: the lanes that they read, each once. */
#define QN_TILE 32u
struct qn_tile_desc {
    qn_u32 n_lanes, n_slots;
};

/* Neighbouring slots as one thing to test when a row's elements are counted: a lane's value, or the
 * columns match, match + 1, … of a one-hot block. */
struct qn_span_desc {
    qn_u32 lane, first_slot, match, n_slots;
};

/* Work-items per group of every kernel in GPU shape. */
#define QN_ITEMS 256u

#endif
