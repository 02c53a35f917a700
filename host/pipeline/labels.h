/* SPDX-License-Identifier: Apache-2.0
 * The target of supervised fits: what estimators are to tell from the columns, as classes or as numbers. It
 * comes from the column that the spec's `target` names, or from beside the table
 * (quern_table_set_target). */
#ifndef QN_LABELS_H
#define QN_LABELS_H

#include "host/core/threads.h"
#include "host/pipeline/plan.h"

enum { QN_LABELS_CLASSES_MAX = 65536 };

struct qn_labels {
    struct qn_categories *classes; /* distinct values, once all rows were counted               */
    int counted;
    int whole;             /* all rows are counted at once, so that none is looked up again ... */
    uint32_t *provisional; /* ... but has a number that qn_labels_codes brings in order        */
    uint32_t *codes;       /* of the rows at hand: their classes, by value */
    uint64_t room_codes;
    const double *
        numbers; /* of the rows at hand: their targets, where they are numbers; the table's own … */
    double *copies; /* … or these */
    uint64_t room_copies;
};

/* 1 if fits of this spec and table have a target. */
int qn_labels_given(const struct qn_spec *, const struct quern_table *);
/* Counts the distinct values of some rows; after all of them comes the end. A missing value is INVALID,
 * with the row. first_row: of the table in the whole data. */
quern_status qn_labels_count(struct qn_labels *, const struct qn_spec *, struct qn_threads *,
                             const struct quern_table *, uint64_t first_row);
quern_status qn_labels_counted(struct qn_labels *);
/* The codes of the table's rows, in `codes`. */
quern_status qn_labels_codes(struct qn_labels *, const struct qn_spec *, struct qn_threads *,
                             const struct quern_table *, uint64_t first_row);
/* The table's targets as numbers, in `numbers`. Text, and what is missing or infinite, is INVALID. */
quern_status qn_labels_numbers(struct qn_labels *, const struct qn_spec *, struct qn_threads *,
                               const struct quern_table *, uint64_t first_row);
void qn_labels_free(struct qn_labels *);

#endif
