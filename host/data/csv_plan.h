/* SPDX-License-Identifier: Apache-2.0
 * What to read from a CSV text: its dialect, its header's names, and for each of its columns the type
 * that is asked for and the place in the table.
 *
 * How wide the table is, only the last row tells. A plan starts with the columns of the first row; the
 * first reading counts the rows that are wider, and if those matter the plan is made as wide as the
 * widest of them and the text is read again. So files without such rows pay nothing for them. */
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
    int measured;  /* a first reading has shown how wide rows are                        */
    int pending;   /* a column asked for is not in the first row, perhaps in a wider one */
    char *warning; /* of rows wider than the first, or NULL                              */
};

/* `name` decides the default delimiter. Only the head of the text needs to be in [text, text + size);
 * `whole`: it is all there is. *more is set instead of failing when the header may go on behind it. */
quern_status qn_csv_plan_open(const char *name, const char *text, uint64_t size, int whole,
                              const struct qn_csv_options *options, int raw,
                              struct qn_csv_plan *out, int *more);
void qn_csv_plan_close(struct qn_csv_plan *plan);

/* After a reading without faults that met the rows `wide`: makes the plan wider if they are to make
 * columns; *again: then n_fields has changed, and the text must be read again. */
quern_status qn_csv_plan_measure(struct qn_csv_plan *plan, const struct qn_csv_options *options,
                                 const struct qn_csv_wide *wide, int *again);
/* Adds rows of a part whose first line is `line`; parts come in the order of the text. */
void qn_csv_wide_add(struct qn_csv_wide *sum, const struct qn_csv_wide *part, uint64_t line);

/* A chunk's columns as the plan wants them at the start; hints: states known to be reached, or NULL. */
quern_status qn_csv_plan_columns(const struct qn_csv_plan *plan, const enum qn_csv_state *hints,
                                 struct qn_csv_column **out);
/* The sentence for a fault; `line` is the chunk's first line. */
quern_status qn_csv_plan_fault(const struct qn_csv_plan *plan, const struct qn_csv_fault *fault,
                               uint64_t line);
quern_type qn_csv_state_type(const struct qn_csv_field *field, enum qn_csv_state state);
void qn_csv_force(struct qn_csv_column *column, quern_type type);

#endif
