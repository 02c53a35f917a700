/* SPDX-License-Identifier: Apache-2.0
 * What the fuzz targets share. The same target is run by libFuzzer (tests/fuzz/run) and, over the
 * committed inputs alone, by replay.c in every build tree. */
#ifndef QN_FUZZ_H
#define QN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <quern/quern.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with the sentence unless `holds`. */
void fuzz_must(int holds, const char *what);
/* The same for calls that may refuse their input: inputs are small, so running out of memory means that
 * a size was believed which the input does not bear out. Returns 1 for QUERN_OK. */
int fuzz_done(quern_status status);

/* A context on the CPU with that many threads, at most 3; opened once. fuzz_little: within so little
 * memory that files are read in passes. */
quern_context *fuzz_context(uint32_t threads);
quern_context *fuzz_little(void);

/* The cells of one row of a table in host memory. */
void fuzz_cells(const quern_table *table, uint64_t row, quern_cell *cells);
/* A small table with the model's columns, of values that tend to make trouble. Its own memory. */
struct fuzz_table {
    quern_table *table;
    void *memory;
};
struct fuzz_table fuzz_table_for(const quern_model *model);
void fuzz_table_free(struct fuzz_table *table);

/* Looks at everything a model can be asked: its description, its bytes (which must load and give the
 * same bytes), a transform of the table, and the server, whose rows must have the transform's bits and
 * be refused when, and only when, the transform refuses the table. */
void fuzz_model(const quern_model *model, const quern_table *table);
/* 1: the models have the same bytes. */
int fuzz_same_models(const quern_model *a, const quern_model *b);

#endif
