/* SPDX-License-Identifier: Apache-2.0
 * Rows served one at a time have the bits of the same program run row by row by the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "backends/cpu/row.h"
#include "host/core/os.h"
#include "tests/unit/run_oracle.h"
#include "tests/unit/run_random.h"

static union qn_row_value row_value(const struct qn_lane *lane, uint64_t row)
{
    struct oracle_value x = oracle_load(lane, row);
    switch (lane->work) {
    case QN_W_F32: return (union qn_row_value){.f64 = (double)x.f32};
    case QN_W_F64: return (union qn_row_value){.f64 = x.f64};
    case QN_W_I64: return (union qn_row_value){.i64 = x.i64};
    default: return (union qn_row_value){.code = x.code};
    }
}

static void rows_have_the_oracles_bits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const uint64_t rows = 20;
        struct random_program *p = random_program(seed * 17, rows);
        random_slots(p, seed % 2 ? QN_T_F64 + 1 : QN_T_F32);
        random_places(p, 1);
        struct oracle_value values[RANDOM_LANES];
        union qn_row_value loaded[RANDOM_LANES + RANDOM_OPERANDS];
        unsigned char *want = malloc(p->out_bytes), *got = malloc(p->out_bytes);
        struct qn_row_program *program;
        assert_int_equal(
            qn_row_open(&p->batch, p->slots, p->n_slots, p->norms, p->n_norms, &program), QUERN_OK);
        for (uint64_t row = 0; row < rows; row++) {
            uint32_t want_seen[RANDOM_LANES] = {0}, seen[RANDOM_LANES] = {0}, all = 0;
            memset(want, 0xa5, p->out_bytes);
            memset(got, 0xa5, p->out_bytes);
            oracle_row(&p->batch, p->norms, row, values, want_seen);
            for (uint32_t s = 0; s < p->n_slots; s++)
                oracle_slot(&p->slots[s], values, want + p->slots[s].offset);
            for (uint32_t l = 0; l < p->batch.n_lanes; l++) {
                loaded[l] = row_value(&p->lanes[l], row);
                all |= want_seen[l];
            }
            for (uint32_t o = 0; o < p->batch.n_operands; o++)
                loaded[p->batch.n_lanes + o] = row_value(&p->operands[o], row);
            assert_int_equal(qn_row_run(program, loaded, got, seen), all);
            assert_memory_equal(seen, want_seen, sizeof seen);
            for (size_t i = 0; i < p->out_bytes; i++)
                if (got[i] != want[i])
                    fail_msg("seed %llu, row %llu, byte %zu", (unsigned long long)seed,
                             (unsigned long long)row, i);
        }
        qn_row_close(program);
        free(want);
        free(got);
        random_program_free(p);
    }
}

static void sixteen_scaled_columns_take_well_under_a_microsecond(void **state)
{
    (void)state;
    struct qn_lane lanes[16];
    struct qn_op ops[32];
    struct qn_slot slots[16];
    double words[32];
    union qn_row_value in[16];
    double out[16];
    for (uint32_t j = 0; j < 16; j++) {
        lanes[j] = (struct qn_lane){
            .type = QN_T_F64, .work = QN_W_F64, .first_op = 2 * j, .n_ops = 2, .stride = 8};
        ops[2 * j] = (struct qn_op){QN_OP_SUB, QN_W_F64, 2 * j, 0};
        ops[2 * j + 1] = (struct qn_op){QN_OP_DIV, QN_W_F64, 2 * j + 1, 0};
        slots[j] = (struct qn_slot){
            .offset = 8 * j, .stride = 128, .type = QN_T_F64, .lane = j, .match = QN_MATCH_VALUE};
        words[2 * j] = j;
        words[2 * j + 1] = 3;
        in[j].f64 = 100.0 + j;
    }
    uint64_t bits[32];
    memcpy(bits, words, sizeof bits);
    struct qn_batch batch = {.rows = 1,
                             .lanes = lanes,
                             .n_lanes = 16,
                             .n_ops = 32,
                             .n_words = 32,
                             .ops = ops,
                             .words = bits};
    struct qn_row_program *program;
    assert_int_equal(qn_row_open(&batch, slots, 16, NULL, 0, &program), QUERN_OK);
    uint64_t best = UINT64_MAX;
    for (int k = 0; k < 50; k++) {
        uint64_t t = qn_clock_ns();
        for (int i = 0; i < 100; i++) assert_true(qn_row_run(program, in, out, NULL) == 0);
        t = qn_clock_ns() - t;
        if (t < best) best = t;
    }
    assert_true(out[5] == 100.0 / 3);
    print_message("one row of 16 columns: %.0f ns\n", (double)best / 100);
    assert_true(best / 100 < 5000); /* sanitizers and busy machines included */
    qn_row_close(program);
}

static void a_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct random_program *p = random_program(21, 1);
    random_slots(p, QN_T_F32);
    random_places(p, 1);
    struct qn_row_program *program;
    for (uint64_t k = 1;; k++) {
        qn_alloc_fail_at(k);
        quern_status status =
            qn_row_open(&p->batch, p->slots, p->n_slots, p->norms, p->n_norms, &program);
        if (status == QUERN_OK) {
            assert_true(k > 5);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_null(program);
    }
    qn_alloc_fail_at(0);
    qn_row_close(program);
    random_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_the_oracles_bits),
        cmocka_unit_test(sixteen_scaled_columns_take_well_under_a_microsecond),
        cmocka_unit_test(a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
