/* SPDX-License-Identifier: Apache-2.0
 * Sparse tables: a borrowed view of CSR or CSC arrays, checked once, and the same entries grouped by
 * rows or by columns. Everything takes memory in proportion to the stored entries and the two sides of
 * the matrix, never to its area. */
#ifndef QN_SPARSE_H
#define QN_SPARSE_H

#include "host/core/threads.h"
#include "host/data/table.h"

/* Entries grouped by one side of the matrix (the major one); each has its place on the other side (the
 * minor one) and a value. Arrays are borrowed or owned. */
struct qn_compressed {
    uint64_t n;            /* majors */
    const uint64_t *ptr;   /* n + 1 */
    const uint32_t *minor; /* ptr[n] */
    const char *values;    /* ptr[n], `stride` bytes apart */
    uint32_t stride;
    int sorted; /* minors ascend within each major */
    void *owned[3];
};

/* What a sparse table looks at. */
struct qn_sparse_table {
    quern_sparse_layout layout;
    quern_type type;
    uint64_t nnz;
    struct qn_compressed entries; /* majors: rows of CSR, columns of CSC */
};

/* Checks the arrays before it follows them: pointers that do not descend, indices within the matrix,
 * no place twice. INVALID with the place. Values and 32-bit indices are borrowed. */
quern_status qn_sparse_open(quern_sparse_layout, uint64_t rows, uint32_t columns,
                            const void *indptr, const void *indices, uint32_t index_bits,
                            const void *data, quern_type type, struct qn_sparse_table *out);
void qn_sparse_close(struct qn_sparse_table *);

/* The entries grouped by the other side, of which there are n_minor. majors: those to take, in the order
 * that they shall count in (a major may be there twice); NULL: all n_majors. The result is sorted. */
quern_status qn_compressed_transpose(const struct qn_compressed *, const uint32_t *majors,
                                     uint64_t n_majors, uint64_t n_minor,
                                     struct qn_compressed *out);
/* The entries of some minors alone, sorted; the others have none. stored: how many each minor has. */
quern_status qn_compressed_pick(const struct qn_compressed *, struct qn_threads *,
                                const uint8_t *wanted, const uint64_t *stored, uint64_t n_minor,
                                struct qn_compressed *out);
/* Makes minors ascend. */
quern_status qn_compressed_sort(struct qn_compressed *, uint64_t n_minor);
void qn_compressed_free(struct qn_compressed *); /* what it owns; zeroed ones are accepted */

/* A CSC table's values by columns, each column's in the order of rows (of CSR: qn_compressed_pick). Borrows
 * where it can. */
quern_status qn_sparse_by_columns(const struct quern_table *, struct qn_compressed *out);
/* By rows, over the table's columns at[0 … n-1] (UINT32_MAX: a column without entries), sorted. */
quern_status qn_sparse_by_rows(const struct quern_table *, const uint32_t *at, uint32_t n,
                               struct qn_compressed *out);

/* UNSUPPORTED for a sparse table, in the name of a function that takes none. */
quern_status qn_refuse_sparse(const struct quern_table *, const char *function);

#endif
