/* SPDX-License-Identifier: Apache-2.0
 * Reading CSV and TSV: typed, parallel, in one go or in chunks.
 *
 * Dialect: RFC 4180 as Python's csv module reads it: fields may be quoted anywhere they start with a
 * quote, "" inside quotes is one quote, quoted fields hold delimiters and newlines (CR, LF, CRLF);
 * a byte-order mark is skipped; the last line needs no newline; blank lines are skipped. Any
 * one-byte delimiter (default: tab for .tsv, else comma). Bytes after a closing quote that Python's
 * csv would also keep and other oddities follow docs/csv.md. UTF-16 is recognised by its mark and
 * refused by name; text that is not UTF-8 is kept as bytes in string columns.
 *
 * Ragged rows: the table is as wide as the widest row. Cells that are not there are missing; columns
 * beyond the header are called "Unnamed: 5" (the position from 0; ".1", … appended if the header has
 * that name), without a header x5. Empty cells at a row's end that have no column do not count. With
 * a schema extra cells are ignored. Rows wider than the header are told of in the table's `warning`
 * (chunked: that of the schema), for the caller to log once.
 *
 * Types are inferred over the whole column, never from the first rows only: int64; an integer column
 * with missing cells is float64; float64; bool (true and false in any case, as pandas);
 * datetime only for separated ISO 8601 (date, or date and time with space or T, optional fraction up
 * to microseconds); else string. A quoted cell counts like an unquoted one, as in pandas.
 * Missing: pandas' default markers (unless keep_default_na is 0) plus na_values.
 * Integers outside int64 make the column float64 (as text that NumPy would read as float). */
#ifndef QN_CSV_H
#define QN_CSV_H

#include "host/core/os.h"
#include "host/core/threads.h"
#include "host/data/table.h"

struct qn_csv_dtype {
    const char *column; /* name, or position as text when there is no header */
    quern_type type;
};

struct qn_csv_options {  /* zero: the default                                             */
    char delimiter;      /* 0: by the file's ending                                       */
    int no_header;       /* columns are named x0, x1, …                                   */
    int drop_default_na; /* 1: keep_default_na is false                                   */
    const char *const *na_values;
    uint32_t n_na_values;
    const struct qn_csv_dtype *dtypes; /* forced types                                          */
    uint32_t n_dtypes;
    /* transform: names and types are known. When set, no inference: cells that do not parse are an
     * error with line and column name; columns not listed are skipped without parsing. Names NULL:
     * by position. An int64 column with a missing cell is an error unless the type is FLOAT64. */
    const quern_column *schema;
    uint32_t n_schema;
    uint64_t max_memory; /* chunked reader: bytes it may hold at once (its own buffers + table)   */
};

/* The whole file as one owned table. path "-" is standard input; .gz and .zst are decompressed
 * (recognised by content, so that "-" may be compressed too). Duplicate headers are an error. */
quern_status qn_csv_read(const char *path, const struct qn_csv_options *, struct qn_threads *,
                         struct quern_table **out);
/* The same from memory (not copied; may be freed after the call). `name` is for messages. */
quern_status qn_csv_parse(const char *name, const char *bytes, uint64_t size,
                          const struct qn_csv_options *, struct qn_threads *,
                          struct quern_table **out);

/* Chunked reading, for tables larger than memory. Opening makes one pass to infer types, and another
 * if rows wider than the header make columns (the schema is then complete: names, types, rows); next() gives tables of at most `rows` rows, every
 * one but the last exactly `rows`; rewind starts over. "-" cannot be rewound: an error at open. */
struct qn_csv_stream;
quern_status qn_csv_open(const char *path, const struct qn_csv_options *, struct qn_threads *,
                         struct qn_csv_stream **out);
const struct quern_table *qn_csv_schema(const struct qn_csv_stream *); /* rows; no data */
uint64_t qn_csv_row_bytes(const struct qn_csv_stream *); /* mean bytes of a row in memory, parsed */
quern_status qn_csv_next(struct qn_csv_stream *, uint64_t rows,
                         struct quern_table **out); /* NULL: end */
quern_status qn_csv_rewind(struct qn_csv_stream *);
/* How many passes over the file were made so far, the inference included. */
uint32_t qn_csv_passes(const struct qn_csv_stream *);
void qn_csv_close(struct qn_csv_stream *);

#endif
