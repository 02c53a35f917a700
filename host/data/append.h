/* SPDX-License-Identifier: Apache-2.0
 * Tables put one under another: copies of chunks that have the same columns. */
#ifndef QN_APPEND_H
#define QN_APPEND_H

#include "host/data/table.h"

struct qn_append;

/* Names and types of `like`; no rows yet. */
quern_status qn_append_open(const struct quern_table *like, struct qn_append **out);
/* Copies the chunk's rows below the others. INVALID when columns or types differ. */
quern_status qn_append_table(struct qn_append *, const struct quern_table *chunk);
/* All rows so far; valid until the next append. Chunks that were matrices make one matrix. */
const struct quern_table *qn_append_view(struct qn_append *);
/* A chunk's columns have the names and types of the first one's: else INVALID. */
quern_status qn_append_same(const struct quern_table *first, const struct quern_table *chunk);
void qn_append_free(struct qn_append *);

#endif
