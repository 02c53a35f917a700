/* SPDX-License-Identifier: Apache-2.0
 * Values that stand in for the missing cells of rows that stay where they are (struct qn_filled): made while
 * the rows are read once, in their order. Nine bytes a missing cell, four a row, and a bit a row for each
 * column that has missing cells. */
#ifndef QN_STAND_INS_H
#define QN_STAND_INS_H

#include "host/core/status.h"
#include "kernels/rows.h"

struct qn_stand_ins {
    uint32_t columns;
    uint64_t rows, total, n; /* so many there will be, and are */
    uint64_t *origin;
    uint32_t *start;
    unsigned char *low, *high;
    double *value;
    uint64_t *missing, *found; /* of each column: in the end, so far */
    uint64_t *bits;            /* one for each row, of the columns that have missing cells */
    uint64_t words;
    uint32_t *runs;             /* of these */
    uint64_t *bits_at, *run_at; /* where a column's begin */
};

/* missing: so many cells of each column, of fewer than 2^32 rows and at most 65536 columns: else UNSUPPORTED. */
quern_status qn_stand_ins_open(struct qn_stand_ins *, uint64_t rows, uint32_t columns,
                               const uint64_t *missing);
void qn_stand_ins_free(struct qn_stand_ins *);

/* Each row, and after all of them the row that is not there, before its cells; each missing cell, by column. 0:
 * the column has more of them than was said. */
void qn_stand_ins_row(struct qn_stand_ins *, uint64_t row);
int qn_stand_ins_add(struct qn_stand_ins *, uint64_t row, uint32_t column);
/* When all rows have come: 1 if all cells have. Each stand-in begins as its column's value. */
int qn_stand_ins_end(struct qn_stand_ins *, const double *initial);

/* The rows where a column is missing. */
struct qn_listed qn_stand_ins_rows(const struct qn_stand_ins *, uint32_t column);
/* Columns with their missing cells filled; borrows both. */
struct qn_filled qn_stand_ins_over(const struct qn_stand_ins *, const struct qn_filled_column *);

#endif
