/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/sparse_forms.h"

#include <math.h>
#include <stdlib.h>

uint64_t sparse_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

void *sparse_room(uint64_t n)
{
    void *p = calloc(n + 1, 8);
    assert_non_null(p);
    return p;
}

static void put_row(struct sparse *s, uint64_t r, uint64_t *at)
{
    uint64_t from = *at;
    for (uint32_t c = 0; c < s->columns; c++) {
        if (s->dense[r * s->columns + c] == 0) continue;
        s->by_row[*at] = (int32_t)c;
        s->row_values[(*at)++] = s->dense[r * s->columns + c];
    }
    for (uint64_t i = from, k = *at; r % 3 == 1 && i + 1 < k; i++, k--) { /* some rows backwards */
        int32_t index = s->by_row[i];
        double value = s->row_values[i];
        s->by_row[i] = s->by_row[k - 1];
        s->row_values[i] = s->row_values[k - 1];
        s->by_row[k - 1] = index;
        s->row_values[k - 1] = value;
    }
}

void sparse_make(struct sparse *s, uint64_t rows, uint32_t columns, uint32_t percent, int missing)
{
    *s = (struct sparse){.rows = rows, .columns = columns};
    s->dense = sparse_room(rows * columns);
    for (uint64_t i = 0; i < rows * columns; i++) {
        uint64_t h = sparse_mix(i + 1);
        uint32_t c = (uint32_t)(i % columns);
        double value = (double)(int64_t)(h >> 40 & 1023) / 64 - 7;
        if (value == 0) value = 1;
        if (c == 1 || (c > 1 && h % 100 >= percent)) value = 0;
        s->dense[i] = missing && value != 0 && h >> 50 == 5 ? NAN : value;
        s->nnz += s->dense[i] != 0;
    }
    s->row_ptr = sparse_room(rows);
    s->row_ptr32 = sparse_room(rows);
    s->column_ptr = sparse_room(columns);
    s->by_row = sparse_room(s->nnz);
    s->by_column = sparse_room(s->nnz);
    s->by_column64 = sparse_room(s->nnz);
    s->row_values = sparse_room(s->nnz);
    s->column_values = sparse_room(s->nnz);
    uint64_t at = 0;
    for (uint64_t r = 0; r < rows; r++) {
        put_row(s, r, &at);
        s->row_ptr[r + 1] = (int64_t)at;
        s->row_ptr32[r + 1] = (int32_t)at;
    }
    at = 0;
    for (uint32_t c = 0; c < columns; c++) {
        for (uint64_t r = 0; r < rows; r++) {
            if (s->dense[r * columns + c] == 0) continue;
            s->by_column[at] = (int32_t)r;
            s->by_column64[at] = (int64_t)r;
            s->column_values[at++] = s->dense[r * columns + c];
        }
        s->column_ptr[c + 1] = (int64_t)at;
    }
}

void sparse_free(struct sparse *s)
{
    free(s->dense);
    free(s->row_ptr);
    free(s->row_ptr32);
    free(s->column_ptr);
    free(s->by_row);
    free(s->by_column);
    free(s->by_column64);
    free(s->row_values);
    free(s->column_values);
}

quern_table *sparse_csr(const struct sparse *s)
{
    quern_table *table;
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, s->rows, s->columns, s->row_ptr32, s->by_row, 32,
                               s->row_values, QUERN_FLOAT64, NULL, &table));
    return table;
}

quern_table *sparse_csc(const struct sparse *s)
{
    quern_table *table;
    OK(quern_table_from_sparse(QUERN_SPARSE_CSC, s->rows, s->columns, s->column_ptr, s->by_column64,
                               64, s->column_values, QUERN_FLOAT64, NULL, &table));
    return table;
}

quern_table *sparse_dense(const struct sparse *s)
{
    quern_table *table;
    OK(quern_table_from_matrix(s->dense, QUERN_FLOAT64, s->rows, s->columns, 0, NULL, &table));
    return table;
}
