/* SPDX-License-Identifier: Apache-2.0
 * Operations over whole rows, which no chain can express: what an estimator puts between two layers of
 * a plan, as plain data (docs/decisions/0013-layers-of-matrices.md). Such an operation takes n_in columns
 * of one float type and gives n_out columns of that type; every output row depends on its input row
 * and on the operation's own matrices alone, so that chunks, threads and single rows give one result.
 *
 * A new operation is a code here, its data, and an implementation in host/ops/rows.c's list. */
#ifndef QN_ROWS_H
#define QN_ROWS_H

#include "kernels/program.h"

#define QN_ROWS_NEIGHBOURS 1u
#define QN_ROWS_REGRESSIONS 2u
#define QN_ROWS_CENTERING 3u

/* Donor rows for nearest neighbours, by columns, padded with missing rows to a multiple of
 * QN_DONOR_TILE. A value that is missing is 0 and its mask 0; the mask of one that is there has all bits. */
#define QN_DONOR_TILE 64u
struct qn_neighbours {
    qn_u64 n_donors, n_padded;
    const double *values;   /* [column][n_padded] */
    const qn_u64 *masks;    /* [column][n_padded] */
    const qn_u64 *present;  /* [n_padded][words]: one bit for each column that is there */
    qn_u32 words;           /* of `present`, for each donor */
    qn_u32 n_neighbours;    /* at least 1; no more than n_donors are found */
    qn_u32 by_distance;     /* donors weigh 1 / distance; else they weigh the same */
    const double *fallback; /* for each column: where no donor shares a coordinate with the row */
    const qn_u32 *columns;  /* for each output: its input column */
    const unsigned char *empty; /* for each output: no donor has it, it is 0 everywhere */
};

/* Missing cells by linear regressions on the other columns, one after the other (IterativeImputer). A row's
 * columns are those that are kept; a missing cell begins as `initial`. */
struct qn_regressions {
    qn_u32 n_steps;
    const qn_u32 *columns; /* for each output: its input column */
    const double *initial; /* for each output */
    const unsigned char
        *empty;           /* for each output: the fit saw no value, it is `initial` everywhere */
    const qn_u32 *target; /* for each step: the output whose missing cell it gives */
    const double *coefficients; /* [step][output], 0 at the target */
    const double *intercepts;   /* for each step */
    double least, most;         /* what a cell may become */
};

/* x - the column's mean - the row's own + the mean of all, each rounded (KernelCenterer). A row's mean is its
 * sum, in the order in which NumPy sums a row that lies so in memory, divided by the columns. */
struct qn_centering {
    const double *columns; /* for each column */
    double all;
    qn_u32 order; /* QN_ORDER_* */
};

struct qn_rows_op {
    qn_u32 code; /* QN_ROWS_* */
    qn_u32 type; /* QN_T_F32 or QN_T_F64, of inputs and outputs */
    qn_u32 n_in, n_out;
    const void *data; /* struct qn_neighbours, qn_regressions, qn_centering */
};

/* ---- what fits of such operations compute on rows in host memory ---- */

/* Rows are summed in runs of so many, each in its order, and the runs in theirs. */
#define QN_GRAM_ROWS 4096u
#define QN_GRAM_RUNS(rows) ((rows) / QN_GRAM_ROWS + ((rows) % QN_GRAM_ROWS != 0))

/* Where a column's cells lie. */
struct qn_filled_column {
    const void *data; /* NULL: they are all 0 */
    qn_i64 stride;
    qn_u32 type; /* QN_T_*, a number */
    double shift;
};

/* Columns as they lie, each moved to shift less, and values (moved, too) that stand in for cells that are
 * missing there. The stand-ins of a row lie together, by column: those of row r are
 * [origin[r / 65536] + start[r], origin[(r + 1) / 65536] + start[r + 1]). */
struct qn_filled {
    qn_u32 columns; /* at most 65536 */
    qn_u64 rows;    /* less than 2^32 */
    const struct qn_filled_column *column;
    const qn_u64 *origin;
    const qn_u32 *start;
    const unsigned char *low, *high; /* of each stand-in: its column; high NULL: it is 0 */
    double *value;
};

/* The column of stand-in number `at`, of anything with low and high. */
#define QN_STAND_IN_COLUMN(s, at)                                                                  \
    ((s)->low[at] | ((s)->high != 0 ? (qn_u32)(s)->high[at] << 8 : 0u))

/* Some rows of it. */
struct qn_listed {
    const qn_u64 *bits; /* one for each row; NULL: the first n */
    const qn_u32 *runs; /* which row is number 0, QN_GRAM_ROWS, 2 * QN_GRAM_ROWS, ... of these */
    qn_u64 n;
};

/* Sums over rows of the products of columns, and of the columns. */
struct qn_gram {
    const struct qn_filled *filled;
    struct qn_listed rows;
    double *products; /* out, [columns][columns], symmetric */
    double *sums;     /* out, [columns] */
};

/* A regression's predictions for some rows, each of which has a stand-in in the target's column, into these,
 * and what qn_gram would say of that column over these rows afterwards. */
struct qn_prediction {
    const struct qn_filled *filled;
    struct qn_listed rows;
    qn_u32 target;
    const double *coefficients; /* [columns], 0 at the target */
    double intercept, least, most;
    double *changes;  /* for each row: |new - old| is added */
    double *products; /* out, [columns]: of the target with each */
    double *sum;      /* out: of the target */
};

/* Mutual information of each column and the target, in nats (backends/cpu/information.c). The columns are a
 * group of those that there are. */
struct qn_information {
    const double *values;          /* [columns][rows], finite */
    qn_u32 columns, first, all;    /* in the group; the number of its first; in all */
    qn_u64 rows;                   /* less than 2^32 */
    const unsigned char *discrete; /* for each column of the group */
    const double *target;          /* for each row a finite number, or NULL: */
    const qn_u32 *codes;           /* … its class, less than n_classes */
    qn_u32 n_classes;
    qn_u32 neighbours;     /* at least 1; less than the rows where two numbers meet */
    const double *digamma; /* of 1 … rows, from index 1 on */
    /* Numbers are divided by their scale, and get noise that tells equal ones apart, of `seed`. scales NULL:
     * they are taken as they are. */
    const double *scales; /* for each column of the group */
    double target_scale;
    qn_u64 seed;
    double *nats; /* out: for each column of the group; NaN where no two rows are of one class */
};

#endif
