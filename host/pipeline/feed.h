/* SPDX-License-Identifier: Apache-2.0
 * Where the rows of a fit or transform come from: a table in memory, whole or in slices, or a text
 * file read again for each pass. */
#ifndef QN_FEED_H
#define QN_FEED_H

#include "host/data/csv.h"

struct qn_feed {
    const struct quern_table *table; /* in memory, or NULL: */
    struct qn_csv_stream *stream;
    uint64_t chunk; /* rows per chunk, of a fit a multiple of QN_GROUP_ROWS; 0: all at once */
    uint64_t rows;
    int stepwise; /* handle a table in memory as if it came in chunks */
    /* while a pass goes on */
    uint64_t at;
    struct quern_table *slice;   /* what next() made, freed by the next call */
    struct quern_table *current; /* the chunk from the stream */
};

quern_status qn_feed_rewind(struct qn_feed *);
/* *out NULL at the end. The chunk is valid until the next call. */
quern_status qn_feed_next(struct qn_feed *, const struct quern_table **out, uint64_t *first_row);
void qn_feed_close(struct qn_feed *); /* frees chunks; table and stream are the caller's */

/* Rows [first, first + rows) of a table as a view. */
quern_status qn_table_slice(const struct quern_table *, uint64_t first, uint64_t rows,
                            struct quern_table **out);

#endif
