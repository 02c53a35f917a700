/* SPDX-License-Identifier: Apache-2.0
 * Fits and transforms of sparse tables. Only stored entries are looked at; what is not stored is 0
 * before and after every estimator that takes sparse input, and statistics count it. All of it is the
 * host's work (docs/host-only.txt): entries are few, scattered, and seen once. */
#ifndef QN_PIPELINE_SPARSE_H
#define QN_PIPELINE_SPARSE_H

#include "host/data/sparse.h"
#include "host/pipeline/transform.h"

/* The inputs of a layer: entries by rows, in the order of the table's columns. */
struct qn_sparse_frame {
    struct qn_compressed entries;
    uint32_t columns;
    quern_type type;         /* of every value, or: */
    const quern_type *types; /* of each column's; they lie 8 bytes apart */
};

/* Entries of each column of the table, for the plan: how sparse its output is. */
quern_status qn_sparse_count(struct qn_fit_state *, const struct quern_table *);
/* One pass of a fit, as qn_fit_pass. */
quern_status qn_sparse_pass(struct qn_fit_state *);

/* The frame of layer 0 over the table's columns at[0 … n-1], and of `layer` from the one before. */
quern_status qn_sparse_first(const struct quern_table *, const uint32_t *at, uint32_t n,
                             struct qn_sparse_frame *out);
quern_status qn_sparse_next(struct qn_exec *, const struct qn_sparse_frame *before, uint32_t layer,
                            struct qn_sparse_frame *out);
/* The frame of `layer` through all before it. */
quern_status qn_sparse_make(struct qn_exec *, const struct quern_table *, const uint32_t *at,
                            uint32_t n, uint32_t layer, struct qn_sparse_frame *out);
void qn_sparse_frame_free(struct qn_sparse_frame *);

/* A program over a frame into entries by rows, one column per slot, in the frame's order. type: of every
 * value then; or STRING: each slot's own, 8 bytes apart. */
quern_status qn_sparse_run(struct qn_exec *, const struct qn_sparse_frame *,
                           const struct qn_program *, const struct qn_port *ports, quern_type type,
                           struct qn_compressed *out);

/* The same where chains take in other columns or are constants (sparse_join.c): called by it. */
int qn_program_joins(const struct qn_program *, const struct qn_port *ports);
quern_status qn_sparse_join(struct qn_exec *, const struct qn_sparse_frame *,
                            const struct qn_program *, const struct qn_port *ports, quern_type type,
                            struct qn_compressed *out);

/* Transforms a sparse table into `csr` (empty; zeros that are not stored stay so), or into a row-major
 * matrix of the model's type. */
quern_status qn_sparse_transform(struct quern_context *, const struct quern_model *,
                                 const struct quern_table *, const struct qn_target *);

#endif
