/* SPDX-License-Identifier: Apache-2.0
 * Running a fitted pipeline over rows. */
#ifndef QN_TRANSFORM_H
#define QN_TRANSFORM_H

#include "host/pipeline/fit.h"

/* Where the output goes. */
enum qn_target_kind {
    QN_TARGET_MATRIX, /* row-major, all columns, one dtype: `data`, row_stride bytes              */
    QN_TARGET_COLUMNS, /* packed columns: columns[i] for number outputs, each of its own type      */
    QN_TARGET_CSR /* appended to `csr`                                                        */
};

struct qn_csr {
    uint64_t rows, nnz, room_rows, room_nnz;
    int64_t *indptr; /* rows + 1 */
    int32_t *indices;
    char *data;
    quern_type type; /* of the data: integers are gathered as int64 (qn_csr_narrow) */
};

struct qn_target {
    enum qn_target_kind kind;
    const char *step; /* for decisions; NULL: "transform" */
    void *data;
    int64_t row_stride;
    void **columns;
    struct qn_csr *csr;
    int continues; /* more rows of a pass that has been counted */
    struct qn_view
        device; /* MATRIX: the output stays here, on the device; raw NULL: `data` counts */
};

/* Transforms the table's rows into the target, which has room for them. The table has the model's
 * columns (qn_model_bind). rest: what the fit of this same table left, or NULL. Chunks are chosen here
 * by what device and host memory allow. */
quern_status qn_transform(struct quern_context *, const struct quern_model *,
                          const struct quern_table *table, struct qn_fit_rest *rest,
                          const struct qn_target *);

/* A view of the table with the model's columns in the model's order: by name when both have names,
 * else by position. Extra columns are left out; missing ones and wrong types are errors. */
quern_status qn_model_bind(const struct quern_model *, const struct quern_table *table,
                           struct quern_table **out);

/* The same as places in the table, one per column of the model; UINT32_MAX: not there, not needed. */
quern_status qn_model_places(const struct quern_model *, const struct quern_table *table,
                             uint32_t *at);

/* 1 when some chain computes with the column's values as integers, which cannot be missing. */
int qn_model_wants_integer(const struct quern_model *, uint32_t column);

void qn_csr_free(struct qn_csr *);
/* Brings the data to the type of the output, at the end. */
void qn_csr_narrow(struct qn_csr *, quern_type type);

#endif
