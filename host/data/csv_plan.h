/* SPDX-License-Identifier: Apache-2.0
 * What to read from a CSV text: its dialect, its header's names, and for each of its columns the type
 * that is asked for and the place in the table. */
#ifndef QN_CSV_PLAN_H
#define QN_CSV_PLAN_H

#include "host/data/csv.h"
#include "host/data/csv_chunk.h"

struct qn_csv_field { /* a column of the file */
    char *name;
    enum qn_csv_state start; /* SKIP, EMPTY (to be inferred) or the state of the type asked for */
    int forced;
    quern_type type; /* forced */
};

struct qn_csv_plan {
    char *source; /* the file's name for messages */
    uint8_t delimiter;
    int raw; /* cells as they are: all text, no markers */
    uint32_t n_fields;
    struct qn_csv_field *fields;
    uint32_t n_out; /* columns of the table */
    uint32_t *out;  /* their fields, in the table's order */
    struct qn_csv_missing missing;
    uint64_t body, body_line; /* where the rows start: offset, 1-based line */
};

/* `name` decides the default delimiter. Only the head of the text needs to be in [text, text + size);
 * `whole`: it is all there is. *more is set instead of failing when the header may go on behind it. */
quern_status qn_csv_plan_open(const char *name, const char *text, uint64_t size, int whole,
                              const struct qn_csv_options *options, int raw,
                              struct qn_csv_plan *out, int *more);
void qn_csv_plan_close(struct qn_csv_plan *plan);

/* A chunk's columns as the plan wants them at the start; hints: states known to be reached, or NULL. */
quern_status qn_csv_plan_columns(const struct qn_csv_plan *plan, const enum qn_csv_state *hints,
                                 struct qn_csv_column **out);
/* The sentence for a fault; `line` is the chunk's first line. */
quern_status qn_csv_plan_fault(const struct qn_csv_plan *plan, const struct qn_csv_fault *fault,
                               uint64_t line);
quern_type qn_csv_state_type(const struct qn_csv_field *field, enum qn_csv_state state);
void qn_csv_force(struct qn_csv_column *column, quern_type type);

#endif
