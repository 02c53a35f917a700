/* SPDX-License-Identifier: Apache-2.0
 * One column of one chunk: from cells to values, the type found on the way.
 *
 * The type of the rows so far is a state. A batch is read in a loop made for that state; a cell that
 * does not fit widens the state, and what was stored is converted where the stored value tells all
 * (int to float), else the column of this chunk is marked to be read again as text. So a column of
 * one kind is parsed once, and nothing is decided from a sample.
 *
 * Values stand in 8-byte slots: integers and doubles as they are, truth values 0 and 1, datetimes in
 * microseconds. Strings take the first half of their chunk's slots, as an array of 32-bit ends of
 * their bytes in this chunk's text. */
#ifndef QN_CSV_COLUMN_H
#define QN_CSV_COLUMN_H

#include "host/data/csv_cell.h"
#include "host/data/csv_scan.h"

enum qn_csv_state {
    QN_CSV_SKIP,  /* not wanted                      */
    QN_CSV_EMPTY, /* no value yet, perhaps missing ones */
    QN_CSV_INT,
    QN_CSV_UINT, /* only by demand */
    QN_CSV_FLOAT,
    QN_CSV_BOOL,
    QN_CSV_DATE,
    QN_CSV_TEXT,
    QN_CSV_AGAIN /* text, found too late: the chunk's rows must be read again as text */
};

/* Slots of missing cells (floats: NaN). */
#define QN_CSV_MISSING_DATE ((uint64_t)INT64_MIN)
#define QN_CSV_MISSING_BOOL UINT64_C(2)
#define QN_CSV_MISSING_TEXT 0x80000000u
#define QN_CSV_NAN UINT64_C(0x7ff8000000000000)

struct qn_csv_column {
    enum qn_csv_state state;
    int forced;        /* a cell that does not fit is an error              */
    int negative_zero; /* an integer was written -0: as a float it is -0.0  */
    int reread;        /* such a zero lost its sign: the rows must be read again as float */
    int64_t low, high; /* of forced integers; uint64: `high` as bits        */
    uint64_t missing;
    uint64_t *slots; /* of the chunk's first row; when only inferring: of the batch's */
    char *text;
    uint64_t text_size, text_room;
};

struct qn_csv_reading { /* what all columns of a task share */
    const struct qn_csv_missing *missing;
    const char *end; /* of the text; eight bytes may be read before end - 8 */
    int only_infer;  /* nothing is kept                                      */
    char *scratch;   /* decoded cell                                         */
    size_t scratch_room;
    quern_status status; /* not OK: out of memory, text set                  */
};

/* Reads the column's cells of a batch whose first row is row `row0` of the chunk. Returns the number
 * of rows done: less than the batch's when a forced cell does not fit (or memory ran out). */
uint32_t qn_csv_column_read(struct qn_csv_column *column, struct qn_csv_reading *reading,
                            const struct qn_csv_cells *cells, uint32_t index, uint64_t row0);

/* What two parts of a column are together. `missing`: there are missing cells in either. */
enum qn_csv_state qn_csv_join(enum qn_csv_state a, enum qn_csv_state b);
/* Slots [from, to) become what the wider state stores. Text from anything but EMPTY cannot be made. */
void qn_csv_widen_slots(uint64_t *slots, uint64_t from, uint64_t to, enum qn_csv_state was,
                        enum qn_csv_state now, const struct qn_csv_missing *missing,
                        uint64_t *n_missing);

/* The text of a cell, decoded if need be; 0: absent, -1: no memory. */
int qn_csv_cell_text(struct qn_csv_reading *reading, const struct qn_csv_cells *cells,
                     uint64_t cell, const char **text, size_t *size);

#endif
