/* SPDX-License-Identifier: Apache-2.0
 * Writes the kernel of a program whose chains take in other columns: an item goes through whole rows.
 * Every column is loaded once a row and every operand computed once, into variables; the chains follow
 * one after another without loops. As for uniform programs (generate.h) the text depends on the shape
 * alone: types, ops, which column feeds what. Numbers and places in memory are in a table. */
#ifndef QN_GENERATE_ROWS_H
#define QN_GENERATE_ROWS_H

#include "host/device/device.h"
#include "host/ops/requests.h"

/* Beyond these the interpreter serves: compiling would take longer than it saves, and variables would
 * not stay in registers. */
enum {
    QN_ROW_STATEMENTS = 1024, /* ops and stores; a function counts as QN_ROW_FUNCTION */
    QN_ROW_FUNCTION = 16,
    QN_ROW_COLUMNS = 64, /* columns that are loaded, and operands */
    QN_ROW_LEAST = 8192  /* rows of a batch that pay for a compilation */
};

/* NULL: a kernel can be written for the request; else why not. */
const char *qn_row_program_refuse(const struct qn_run_request *);

struct qn_row_program {
    char *text;
    size_t bytes;
    uint64_t *table; /* parameters, places in memory, and which flags tell of which lane */
    size_t n_words;
};

/* The request has passed qn_table_build's checks. */
quern_status qn_row_program_make(const struct qn_run_request *, struct qn_row_program *out);
void qn_row_program_free(struct qn_row_program *);

/* Runs it (generated_rows.c). */
quern_status qn_row_program_run(struct qn_device *, uint32_t queue, const struct qn_run_request *,
                                const char *options);

#endif
