/* SPDX-License-Identifier: Apache-2.0
 * Sparse rows beside the dense ones of the oracle. */
#include "tests/conformance/ops_program.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/run_oracle.h"

static void csr_program(struct ops_device *d, uint32_t k)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I64};
    uint32_t type = types[k % 3], size = qn_value_bytes(type);
    memset(&program, 0, sizeof program);
    ops_batch_make(&batch, k + 500, 1 + 1300 * k, 15, every_type, 11, OPS_COLUMNS, 12, k == 3, 1);
    mixed_chains(k + 40);
    for (uint32_t s = 0; s < program.n_slots; s++) program.slots[s].type = type;
    lay_out_slots(OUT_ROWS);
    ops_batch_upload(&batch, d->device);

    uint64_t rows = batch.host.rows, nnz = 0;
    uint32_t seen[OPS_LANES] = {0}, want_seen[OPS_LANES] = {0};
    unsigned char *dense = malloc(program.out_bytes + 8);
    uint32_t *row_nnz = malloc(rows * sizeof *row_nnz);
    int64_t *indptr = malloc((rows + 1) * sizeof *indptr);
    struct qn_run_request oracle = {
        .batch = batch.host, .slots = program.slots, .n_slots = program.n_slots};
    oracle_run(&oracle, dense, want_seen);
    struct qn_csr_request rq = {.batch = batch.device,
                                .slots = program.slots,
                                .n_slots = program.n_slots,
                                .row_nnz = row_nnz,
                                .seen = seen};
    OK(qn_op_csr(d->device, NULL, 0, &rq, NULL));
    indptr[0] = 5; /* a batch in the middle of the data */
    for (uint64_t r = 0; r < rows; r++) indptr[r + 1] = indptr[r] + row_nnz[r];
    nnz = (uint64_t)indptr[rows];
    int32_t *indices = calloc(nnz + 1, sizeof *indices);
    unsigned char *data = calloc(nnz + 1, size);
    rq.indptr = indptr;
    rq.indices = indices;
    rq.data = data;
    OK(qn_op_csr(d->device, NULL, 0, &rq, NULL));
    uint64_t at = 5;
    for (uint64_t r = 0; r < rows; r++)
        for (uint32_t s = 0; s < program.n_slots; s++) {
            const unsigned char *cell = dense + r * size * program.n_slots + s * size;
            float f;
            double x;
            int64_t i;
            memcpy(&i, cell, size);
            memcpy(&f, cell, sizeof f);
            memcpy(&x, cell, size);
            int zero = type == QN_T_F32 ? f == 0.0f : type == QN_T_F64 ? x == 0.0 : i == 0;
            if (zero) continue;
            if (at >= nnz || indices[at] != (int32_t)s || memcmp(data + at * size, cell, size) != 0)
                fail_msg("%s: csr %u: row %llu column %u is not element %llu", d->name, k,
                         (unsigned long long)r, s, (unsigned long long)at);
            at++;
        }
    assert_int_equal(at, nnz);
    assert_memory_equal(seen, want_seen, sizeof seen);
    free(dense);
    free(row_nnz);
    free(indptr);
    free(indices);
    free(data);
    ops_batch_leave(&batch);
    ops_batch_free(&batch);
}

void sparse_rows_hold_what_the_dense_ones_do(void **state)
{
    (void)state;
    on_every_device(csr_program, 5, 1);
}
