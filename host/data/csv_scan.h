/* SPDX-License-Identifier: Apache-2.0
 * Rows of bytes into cells, as Python's csv module cuts them (not strict): a quote opens a quoted
 * cell only where the cell starts; "" inside is one quote; what follows a closing quote is appended;
 * rows end at CR, LF or CRLF; blank lines are skipped; an unclosed quote ends with the text.
 *
 * The scanner works on 64 bytes at a time as bit masks of the bytes that can end a cell, made by a
 * loop that compilers turn into vector compares, and never reads outside [start, end). */
#ifndef QN_CSV_SCAN_H
#define QN_CSV_SCAN_H

#include "host/core/status.h"

/* One cell: offset from the batch's base in the low half, size in the high one. With the flag, the
 * extent is the raw text from the opening quote on, to be decoded by qn_csv_unquote(). */
#define QN_CELL_ESCAPED 0x80000000u
#define QN_CELL_ABSENT 0xffffffffu /* the row was too short */

static inline uint32_t qn_cell_offset(uint64_t cell)
{
    return (uint32_t)cell;
}

static inline uint32_t qn_cell_size(uint64_t cell)
{
    return (uint32_t)(cell >> 32);
}

/* A batch of rows; cell (row, column) is cells[column * stride + row]. */
struct qn_csv_cells {
    uint64_t *cells;
    uint32_t columns, capacity, stride;
    uint32_t rows;
    const char *base;
    uint64_t bytes; /* of text that the rows take */
};
/* Of as many rows as suit a cache, or `rows_max` if that is fewer. */
quern_status qn_csv_cells_open(uint32_t columns, uint64_t rows_max, struct qn_csv_cells *out);
void qn_csv_cells_close(struct qn_csv_cells *cells);

/* Where line numbers do not simply follow row numbers: row `row` starts on line `line`. */
struct qn_csv_mark {
    uint64_t row, line;
};
struct qn_csv_marks {
    struct qn_csv_mark *items;
    size_t n, room;
};
quern_status qn_csv_marks_add(struct qn_csv_marks *marks, uint64_t row, uint64_t line);

enum qn_csv_stop {
    QN_CSV_MORE,     /* the batch is full                       */
    QN_CSV_DONE,     /* the next row starts at or behind `stop` */
    QN_CSV_TOO_LONG, /* a row of more than 1 GiB                */
    QN_CSV_OUT_OF_MEMORY
};

/* Rows with more cells than columns; empty cells at a row's end that have no column do not count. */
struct qn_csv_wide {
    uint64_t rows, line; /* how many; the line on which the first of them starts */
    uint64_t columns;    /* cells of the widest                                  */
};

struct qn_csv_scan {
    const uint8_t *at;   /* start of the next row                                       */
    const uint8_t *stop; /* rows that start before it are read                          */
    const uint8_t *end;  /* of the text                                                 */
    uint8_t delimiter;
    uint64_t row, line;         /* of the next row, counted from the caller's start values */
    struct qn_csv_wide wide;    /* rows since the start                                    */
    struct qn_csv_marks *marks; /* NULL: not wanted                                        */
    int shifted;                /* lines were skipped since the last row                   */
    struct qn_csv_window {      /* 64 bytes as masks                                       */
        const uint8_t *block;
        uint64_t ends, quotes; /* bytes that can end a cell and are still ahead; all quotes */
    } window;
};

void qn_csv_scan_start(struct qn_csv_scan *scan, const uint8_t *at, const uint8_t *stop,
                       const uint8_t *end, uint8_t delimiter);
/* Up to `limit` (and the batch's capacity) rows into cells. Cells beyond the columns are only counted,
 * in `wide`. */
enum qn_csv_stop qn_csv_scan_rows(struct qn_csv_scan *scan, struct qn_csv_cells *cells,
                                  uint64_t limit);
/* The cells of the next row that is not blank, and past it; 0 cells at the end of the text. */
enum qn_csv_stop qn_csv_scan_width(struct qn_csv_scan *scan, uint32_t *columns);

/* Decodes raw quoted text; out holds at least `size` bytes; returns the bytes written. */
size_t qn_csv_unquote(const char *raw, size_t size, char *out);

#endif
