/* SPDX-License-Identifier: Apache-2.0
 * The CSV reader with its inner sizes in the caller's hand: tests cut small files into many chunks,
 * and look at cells before any meaning is read into them. */
#ifndef QN_CSV_INSIDE_H
#define QN_CSV_INSIDE_H

#include "host/data/csv.h"

struct qn_csv_inside {    /* zero: as everyone gets it */
    int raw;              /* every column is text; nothing is a missing marker; short rows' absent
                             cells are missing */
    uint64_t chunk_bytes; /* text of a task */
    uint64_t window;      /* chunked reading: text looked at together */
};

quern_status qn_csv_parse_inside(const char *name, const char *bytes, uint64_t size,
                                 const struct qn_csv_options *, const struct qn_csv_inside *,
                                 struct qn_threads *, struct quern_table **out);
quern_status qn_csv_open_inside(const char *path, const struct qn_csv_options *,
                                const struct qn_csv_inside *, struct qn_threads *,
                                struct qn_csv_stream **out);

#endif
