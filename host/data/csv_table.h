/* SPDX-License-Identifier: Apache-2.0
 * From the slots and texts that chunks have filled to a table that owns its memory. */
#ifndef QN_CSV_TABLE_H
#define QN_CSV_TABLE_H

#include "host/data/csv_plan.h"

/* Slots of all fields in two regions: one stays in the table (8-byte columns are viewed in place),
 * one is let go when the table is made (columns that are known to end otherwise). */
struct qn_csv_slots {
    char **of;     /* by field; NULL: skipped                                       */
    uint8_t *size; /* of a slot, by field: 8; 4 where only strings will be          */
    void *kept, *passing;
    size_t kept_bytes, passing_bytes;
};
quern_status qn_csv_slots_open(const struct qn_csv_plan *plan, const enum qn_csv_state *hints,
                               uint64_t rows, struct qn_csv_slots *out);
/* Slot `row` of a field that is not skipped. */
uint64_t *qn_csv_slot(const struct qn_csv_slots *slots, uint32_t field, uint64_t row);
void qn_csv_slots_close(struct qn_csv_slots *slots);

/* states: the final state of each field. Chunks' rows stand one behind the other in the slots. On
 * success the table has taken what it needs of `slots`. `line`: 1-based line of the first chunk. */
quern_status qn_csv_table_make(const struct qn_csv_plan *plan, const enum qn_csv_state *states,
                               const struct qn_csv_chunk *chunks, uint64_t n_chunks, uint64_t line,
                               struct qn_csv_slots *slots, struct qn_threads *threads,
                               struct quern_table **out);

#endif
