/* SPDX-License-Identifier: Apache-2.0
 * A chunk is a run of rows that one task reads: cells by batches, each batch by columns. */
#ifndef QN_CSV_CHUNK_H
#define QN_CSV_CHUNK_H

#include "host/core/threads.h"
#include "host/data/csv_column.h"

enum qn_csv_fault_kind {
    QN_CSV_NO_FAULT,
    QN_CSV_BAD_CELL, /* does not fit the type asked for    */
    QN_CSV_NO_VALUE, /* missing where the type has no such */
    QN_CSV_LONG_ROW,
    QN_CSV_FAILED /* memory; see `failure` */
};

/* Faults stay numbers until it is known where the chunk lies in the file. */
struct qn_csv_fault {
    enum qn_csv_fault_kind kind;
    uint64_t row, line; /* from the chunk's first */
    uint32_t column;
    char text[48];
    struct qn_failure failure;
};

/* The start of a row, to come back to. */
struct qn_csv_place {
    uint64_t row, line;
    const uint8_t *at;
};

struct qn_csv_chunk {
    const uint8_t *start, *stop; /* rows that start in [start, stop)                        */
    uint64_t skip, limit;        /* of them, pass over `skip`, then read at most `limit`    */
    uint64_t slot0, capacity;    /* where its rows go in the columns' slots                 */
    struct qn_csv_column *columns;
    const uint8_t *finish; /* start of the row behind the last                              */
    uint64_t rows, lines;
    struct qn_csv_wide wide;     /* its line: from the chunk's first                          */
    struct qn_csv_marks marks;   /* lines of rows                                             */
    struct qn_csv_place *places; /* job->keep_places: where each batch starts                */
    size_t n_places, places_room;
    struct qn_csv_fault fault;
};

struct qn_csv_worker {
    struct qn_csv_cells cells;
    struct qn_csv_reading reading;
    uint64_t *slots; /* only_infer: where values go to be forgotten */
};

struct qn_csv_job {
    const uint8_t *end;
    uint8_t delimiter;
    uint32_t columns;
    uint32_t n_workers;
    int only_infer;
    uint64_t chunk_bytes; /* of text, at most: no chunk starts more rows than that */
    struct qn_csv_worker *workers;
    int keep_places;
};

quern_status qn_csv_job_open(struct qn_csv_job *job, uint32_t n_workers,
                             const struct qn_csv_missing *missing);
void qn_csv_job_close(struct qn_csv_job *job);

/* Reads the chunk; the columns' states are set by the caller and left by it. */
void qn_csv_chunk_read(struct qn_csv_job *job, struct qn_csv_chunk *chunk, uint32_t worker);
void qn_csv_chunk_clear(struct qn_csv_chunk *chunk, uint32_t columns); /* frees what it made */

#endif
