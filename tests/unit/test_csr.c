/* SPDX-License-Identifier: Apache-2.0
 * qn_cpu_csr stores what the dense output of the same program holds that is not 0, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "backends/cpu/isa.h"
#include "tests/unit/run_oracle.h"
#include "tests/unit/run_random.h"

struct sparse {
    uint32_t *nnz;
    int64_t *indptr;
    int32_t *indices;
    unsigned char *data;
};

static void make_indptr(struct sparse *s, uint64_t rows, uint32_t size)
{
    s->indptr[0] = 3; /* absolute places: the batch need not be the first */
    for (uint64_t i = 0; i < rows; i++) s->indptr[i + 1] = s->indptr[i] + s->nnz[i];
    size_t total = (size_t)s->indptr[rows] + 3;
    s->indices = malloc(total * 4);
    s->data = malloc(total * size);
    memset(s->indices, 0x77, total * 4);
    memset(s->data, 0x77, total * size);
}

static int is_zero(const void *value, uint32_t type)
{
    if (type == QN_T_F32) {
        float v;
        memcpy(&v, value, 4);
        return v == 0;
    }
    if (type == QN_T_F64) {
        double v;
        memcpy(&v, value, 8);
        return v == 0;
    }
    int64_t v;
    memcpy(&v, value, 8);
    return v == 0;
}

static void check(uint64_t seed, struct random_program *p, uint64_t rows, uint32_t type,
                  struct qn_threads *team)
{
    const uint32_t size = random_size(type);
    struct oracle_value *values = calloc(p->batch.n_lanes, sizeof *values);
    uint32_t *want_seen = calloc(p->batch.n_lanes, 4), *seen = calloc(p->batch.n_lanes, 4);
    struct sparse s = {.nnz = malloc(rows * 4 + 4), .indptr = malloc((rows + 1) * 8)};
    struct qn_csr_request r = {.batch = p->batch,
                               .slots = p->slots,
                               .n_slots = p->n_slots,
                               .n_norms = p->n_norms,
                               .norms = p->norms,
                               .row_nnz = s.nnz,
                               .seen = seen};
    assert_int_equal(qn_cpu_csr(team, &r), QUERN_OK);
    make_indptr(&s, rows, size);
    r.indptr = s.indptr;
    r.indices = s.indices;
    r.data = s.data;
    assert_int_equal(qn_cpu_csr(team, &r), QUERN_OK);
    for (uint64_t row = 0; row < rows; row++) {
        oracle_row(&p->batch, p->norms, row, values, want_seen);
        int64_t at = s.indptr[row];
        for (uint32_t c = 0; c < p->n_slots; c++) {
            unsigned char want[8];
            oracle_slot(&p->slots[c], values, want);
            if (is_zero(want, type)) continue;
            if (at >= s.indptr[row + 1] || s.indices[at] != (int32_t)c ||
                memcmp(s.data + (size_t)at * size, want, size) != 0)
                fail_msg("seed %llu, row %llu, column %u", (unsigned long long)seed,
                         (unsigned long long)row, c);
            at++;
        }
        assert_int_equal(at, s.indptr[row + 1]);
    }
    for (uint32_t l = 0; l < p->batch.n_lanes; l++) assert_int_equal(seen[l], want_seen[l]);
    for (int i = 0; i < 3; i++) assert_int_equal(s.indices[i], 0x77777777);
    for (int64_t i = s.indptr[rows]; i < s.indptr[rows] + 3; i++)
        assert_int_equal(s.indices[i], 0x77777777);
    free(values);
    free(want_seen);
    free(seen);
    free(s.nnz);
    free(s.indptr);
    free(s.indices);
    free(s.data);
}

static void sparse_rows_hold_the_dense_rows_values(void **state)
{
    (void)state;
    static const uint32_t team_sizes[] = {1, 2, 7}, types[] = {QN_T_F32, QN_T_F64, QN_T_I64};
    struct qn_threads *teams[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(qn_threads_open(team_sizes[i], &teams[i]), QUERN_OK);
    for (uint64_t seed = 1; seed <= 240; seed++) {
        static const uint64_t sizes[] = {1, 2, 16, 17, 100, 333, 0};
        uint64_t rows = seed == 100 ? 40000 : sizes[seed % 7];
        if (!qn_cpu_isa_force((int)(seed / 3 % QN_ISA_COUNT))) continue;
        struct random_program *p = random_program(seed * 31, rows);
        uint32_t type = types[seed % 3];
        random_slots(p, type);
        check(seed, p, rows, type, teams[seed % 3]);
        random_program_free(p);
    }
    qn_cpu_isa_force(-1);
    for (int i = 0; i < 3; i++) qn_threads_close(teams[i]);
}

static void mixed_and_narrow_types_are_refused(void **state)
{
    (void)state;
    struct random_program *p = random_program(5, 4);
    random_slots(p, QN_T_F64);
    uint32_t nnz[4];
    struct qn_csr_request r = {.batch = p->batch,
                               .slots = p->slots,
                               .n_slots = p->n_slots,
                               .n_norms = p->n_norms,
                               .norms = p->norms,
                               .row_nnz = nnz};
    assert_int_equal(qn_cpu_csr(NULL, &r), QUERN_OK);
    p->slots[p->n_slots - 1].type = QN_T_F32;
    assert_int_equal(qn_cpu_csr(NULL, &r), p->n_slots > 1 ? QUERN_UNSUPPORTED : QUERN_OK);
    p->slots[0].type = QN_T_I32;
    assert_int_equal(qn_cpu_csr(NULL, &r), QUERN_UNSUPPORTED);
    random_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparse_rows_hold_the_dense_rows_values),
        cmocka_unit_test(mixed_and_narrow_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
