/* SPDX-License-Identifier: Apache-2.0
 * Distinct values of a column, with counts, sorted by value as scikit-learn sorts them: numbers
 * ascending (-0 = +0, NaN is "missing", kept apart), strings by code point (which is the order of
 * their UTF-8 bytes), bool false before true, datetime ascending. The result never depends on
 * threads, chunks or hash order.
 *
 * A set is built by pushing columns (chunks of one column) and finished once; sets of the same type
 * merge. A finished set is read-only and may be shared. After a failed push or merge a set can only be
 * freed. */
#ifndef QN_CATEGORIES_H
#define QN_CATEGORIES_H

#include "host/core/threads.h"
#include "host/data/table.h"

struct qn_categories;

quern_status qn_categories_open(quern_type type, struct qn_categories **out);
void qn_categories_free(struct qn_categories *);
/* limit: most distinct values to accept; beyond it QUERN_OUT_OF_MEMORY, saying how many there are so
 * far and the limit in bytes (0: none). */
void qn_categories_limit(struct qn_categories *, uint64_t bytes);
/* Counts `rows` rows of the column, in parallel. With `codes` not NULL (uint32_t, rows entries) it
 * also remembers, for each row, the provisional number of its value; qn_categories_renumber turns
 * those into final codes after finish. */
quern_status qn_categories_push(struct qn_categories *, struct qn_threads *, const quern_column *,
                                uint64_t rows, uint32_t *codes);
quern_status qn_categories_merge(struct qn_categories *into, const struct qn_categories *from);
/* Sorts. After this: values are numbered 0 … count-1 in order. */
quern_status qn_categories_finish(struct qn_categories *);
/* provisional codes -> final codes, of out_type UINT8/16/32: 0 … k-1, k missing. */
quern_status qn_categories_renumber(const struct qn_categories *, struct qn_threads *,
                                    const uint32_t *codes, uint64_t rows, void *out,
                                    quern_type out_type);

uint32_t qn_categories_count(const struct qn_categories *);
uint64_t qn_categories_missing(const struct qn_categories *); /* rows with a missing value */
uint64_t qn_categories_rows(const struct qn_categories *, uint32_t code); /* rows of a value */
uint64_t qn_categories_bytes(const struct qn_categories *);               /* memory held */
/* Value `code`: numbers as double or int64 (by type), strings as bytes. int64 of a UINT64 set: the
 * value's bits, also in find_i64. */
double qn_categories_f64(const struct qn_categories *, uint32_t code);
int64_t qn_categories_i64(const struct qn_categories *, uint32_t code);
const char *qn_categories_string(const struct qn_categories *, uint32_t code, uint64_t *bytes);
quern_type qn_categories_type(const struct qn_categories *);

/* A finished set from given sorted values (a loaded model, categories=[…]): strings as offsets and
 * bytes, numbers as a packed array of the type (FLOAT32/64, INT64, BOOL, DATETIME). Copies. */
quern_status qn_categories_from(quern_type type, uint32_t count, const void *values,
                                const int64_t *offsets, struct qn_categories **out);

/* Codes of a column's rows: 0 … k-1, k missing, k + 1 unknown; out_type UINT8/16/32 holds k + 1.
 * *unknown is the number of unknown cells, *first the first such row. Parallel, hashed. A column of
 * another number type is compared by value (bool as 0 and 1); strings and datetimes only with their
 * own kind. */
quern_status qn_categories_encode(const struct qn_categories *, struct qn_threads *,
                                  const quern_column *, uint64_t rows, void *out,
                                  quern_type out_type, uint64_t *unknown, uint64_t *first);
/* The code of one value, for serving a row: k + 1 if unknown. */
uint32_t qn_categories_find_string(const struct qn_categories *, const char *text, uint64_t bytes);
uint32_t qn_categories_find_f64(const struct qn_categories *, double value);
uint32_t qn_categories_find_i64(const struct qn_categories *, int64_t value);

#endif
