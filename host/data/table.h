/* SPDX-License-Identifier: Apache-2.0
 * Tables inside quern: the public quern_column views, equal in length, with what owns the memory. */
#ifndef QN_DATA_TABLE_H
#define QN_DATA_TABLE_H

#include "host/core/status.h"

/* Called once when the table is freed. */
typedef void qn_release_fn(void *owner);

struct qn_resident;
struct qn_sparse_table;

struct quern_table {
    uint64_t rows;
    uint32_t n_columns;
    quern_column *columns; /* owned array; what it points at belongs to `owner` or to the caller */
    int has_names;
    int is_matrix; /* the columns are a row-major matrix: one base, equal types and strides */
    void *owner;   /* what line_of_row and release need                                     */
    qn_release_fn *release;
    const char *source; /* for messages: the file's name, or NULL; owned by `owner` or static     */
    const char *warning; /* of the whole file, to be logged once, or NULL; owned by `owner`       */
    const struct qn_resident *resident; /* host/data/resident.h; NULL: in host memory */
    const double
        *weights;        /* the caller's: one per row, or NULL                                   */
    uint32_t *random;    /* the caller's: the state of a generator that draws go on with, or NULL */
    quern_column target; /* the caller's, beside the columns, if has_target                  */
    int has_target;
    const struct qn_sparse_table *sparse; /* host/data/sparse.h; NULL: columns have their values */
    int is_sparse;                        /* schemas: the values come from a sparse table */
    uint64_t first_row; /* of a slice: where it begins in the table that it was cut from */
    /* Text tables: 1-based line on which row r of the whole table starts, for messages; NULL
     * elsewhere. A view keeps `owner` for it, without owning it (release NULL). */
    uint64_t (*line_of_row)(const struct quern_table *, uint64_t row);
};

void qn_table_free(struct quern_table *table); /* with what it owns; NULL is accepted */

size_t qn_type_bytes(quern_type type); /* 0 for STRING */
const char *qn_type_name(quern_type type);
int qn_type_is_number(quern_type type); /* integers and floats; not bool */
int qn_type_is_integer(quern_type type);
int qn_type_is_float(quern_type type);

static inline int qn_column_valid(const quern_column *c, uint64_t row)
{
    if (c->validity == NULL) return 1;
    uint64_t bit = (uint64_t)c->validity_offset + row;
    return (c->validity[bit >> 3] >> (bit & 7)) & 1;
}

/* A cell of a number or bool column; missing: NaN. */
double qn_column_number(const quern_column *, uint64_t row);

/* The bytes of one string cell. */
static inline const char *qn_column_string(const quern_column *c, uint64_t row, uint64_t *bytes)
{
    const char *text = c->data;
    if (c->offset_bits == 64) {
        const int64_t *o = c->offsets;
        *bytes = (uint64_t)(o[row + 1] - o[row]);
        return text + o[row];
    }
    const int32_t *o = c->offsets;
    *bytes = (uint64_t)(uint32_t)(o[row + 1] - o[row]);
    return text + o[row];
}

#endif
