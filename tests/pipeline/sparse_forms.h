/* SPDX-License-Identifier: Apache-2.0
 * One random matrix in all the forms that a table may view: dense, CSR and CSC, 32-bit and 64-bit. */
#ifndef QN_SPARSE_FORMS_H
#define QN_SPARSE_FORMS_H

#include "tests/pipeline/fixture.h"

struct sparse {
    uint64_t rows;
    uint32_t columns;
    double *dense; /* rows × columns */
    uint64_t nnz;
    int64_t *row_ptr, *column_ptr;
    int32_t *row_ptr32, *by_row, *by_column; /* indices of CSR and of CSC */
    int64_t *by_column64;
    double *row_values, *column_values;
};

/* Column 0 is full, column 1 empty, the rest are stored with `percent`; some values are NaN. */
void sparse_make(struct sparse *, uint64_t rows, uint32_t columns, uint32_t percent, int missing);
void sparse_free(struct sparse *);
quern_table *sparse_csr(const struct sparse *);
quern_table *sparse_csc(const struct sparse *);
quern_table *sparse_dense(const struct sparse *);
void *sparse_room(uint64_t n); /* n + 1 zeroed words */
uint64_t sparse_mix(uint64_t); /* a hash */

#endif
