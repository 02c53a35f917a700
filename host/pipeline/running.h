/* SPDX-License-Identifier: Apache-2.0
 * Statistics of rows that come as they come: one at a time, or millions, cut anywhere. Moments, weighted
 * moments and extremes of table columns, each with the bits of one operation over all rows
 * (docs/numbers.md). What is kept does not grow with the rows: the tree's waiting nodes, and the rows of
 * the block that is not full yet.
 *
 * Whole blocks are handed to the CPU's operations where they lie; only the rows before the first and
 * after the last are copied. */
#ifndef QN_RUNNING_H
#define QN_RUNNING_H

#include "host/core/threads.h"
#include "host/data/table.h"
#include "host/ops/ops.h"
#include "host/stats/moments.h"

/* What is wanted of a column. */
enum { QN_RUN_MOMENTS = 1, QN_RUN_WEIGHTED = 2, QN_RUN_EXTREMES = 4 };

struct qn_running;

/* kinds: QN_RUN_* of each table column, or 0. */
quern_status qn_running_open(uint32_t n_columns, const uint8_t *kinds, struct qn_running **out);
void qn_running_free(struct qn_running *);
/* The next rows. columns: of the table, number columns where something is wanted; values of integer
 * columns count as doubles. weights: one per row; NULL when no column is weighted. An error (out of
 * memory) leaves a state that takes no more rows. */
quern_status qn_running_push(struct qn_running *, struct qn_threads *, const quern_column *columns,
                             uint64_t rows, const double *weights);
uint64_t qn_running_rows(const struct qn_running *);
int qn_running_broken(const struct qn_running *); /* a push failed half way */

/* Of one table column so far. */
struct qn_running_result {
    struct qn_node moments, weighted;
    struct qn_extremes extremes;
};
/* out: one per table column. More rows may follow. */
quern_status qn_running_result(const struct qn_running *, struct qn_threads *,
                               struct qn_running_result *out);

/* The state as little-endian bytes, equal for equal rows; the kinds are not in it. */
size_t qn_running_size(const struct qn_running *);
void qn_running_write(const struct qn_running *, uint8_t *out);
/* Into a state that is new. Bytes are hostile: CORRUPT, with what is wrong, at byte `base` + …. */
quern_status qn_running_read(struct qn_running *, const char *name, const uint8_t *bytes,
                             size_t size, size_t base);

#endif
