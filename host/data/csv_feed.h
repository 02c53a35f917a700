/* SPDX-License-Identifier: Apache-2.0
 * A file's text by ranges that only move forward, in bounded memory: a mapping whose pages are let go
 * behind the reader, or, for compressed files, a buffer that slides. */
#ifndef QN_CSV_FEED_H
#define QN_CSV_FEED_H

#include "host/data/source.h"

struct qn_csv_feed {
    char *path;
    struct qn_mapping mapping; /* plain files                                 */
    struct qn_source *source;  /* compressed ones                             */
    char *buffer;              /* their bytes [base, base + filled)           */
    uint64_t base;
    size_t filled, room;
    int ended; /* nothing follows the buffer                                  */
};

/* Standard input and pipes are refused: they cannot be read twice. */
quern_status qn_csv_feed_open(const char *path, struct qn_csv_feed *out);
/* Bytes [from, to) or up to the file's end; `from` is not before earlier ones. *end is where the
 * bytes that may be read end, *whole tells whether that is the file's end. Valid until the next call. */
quern_status qn_csv_feed_get(struct qn_csv_feed *feed, uint64_t from, uint64_t to,
                             const uint8_t **at, const uint8_t **end, int *whole);
/* Bytes before `to` are not needed again in this pass. */
void qn_csv_feed_forget(struct qn_csv_feed *feed, uint64_t from, uint64_t to);
quern_status qn_csv_feed_rewind(struct qn_csv_feed *feed);
void qn_csv_feed_close(struct qn_csv_feed *feed);

#endif
