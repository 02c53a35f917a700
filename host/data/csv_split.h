/* SPDX-License-Identifier: Apache-2.0
 * A text cut into chunks that are read at the same time.
 *
 * Where a row starts cannot be known without reading everything before it: a newline may stand in
 * quotes. So each chunk starts where the parity of the quotes before it says a row starts, and the
 * guess is checked: chunk k is right if chunk k-1, itself right, ends where k starts. Wrong ones are
 * read again, so the result never depends on the guess. */
#ifndef QN_CSV_SPLIT_H
#define QN_CSV_SPLIT_H

#include "host/data/csv_table.h"

struct qn_csv_split {
    const struct qn_csv_plan *plan;
    struct qn_csv_job job;
    struct qn_threads *threads;
    const uint8_t *text, *end; /* the rows: text … end is all that may be read          */
    const uint8_t *stop;       /* rows that start before it are wanted (end, if whole)  */
    uint64_t n_chunks;
    struct qn_csv_chunk *chunks;
    struct edge { /* per chunk */
        uint64_t quotes, newlines;
        int inside; /* the guess: the chunk's first byte is in quotes        */
    } * edges;
    const enum qn_csv_state *hints; /* where columns start, or NULL                     */
    struct qn_csv_slots *slots;     /* NULL while only inferring                        */
};

/* Cuts the text; counts newlines and quotes. *rows: no fewer than there are. */
quern_status qn_csv_split_open(struct qn_csv_split *split, uint64_t chunk_bytes, uint64_t *rows);
/* Reads all chunks. Afterwards n_chunks counts those up to the first fault; *fault is its chunk's
 * number, or n_chunks when there is none. */
quern_status qn_csv_split_read(struct qn_csv_split *split, uint64_t *fault);
void qn_csv_split_close(struct qn_csv_split *split);

#endif
