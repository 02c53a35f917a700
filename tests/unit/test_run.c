/* SPDX-License-Identifier: Apache-2.0
 * qn_cpu_run gives the bits of a program run one value at a time (run_oracle.h): random programs,
 * layouts and slots, and the flat path's matrices, for every instruction set and thread count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "backends/cpu/isa.h"
#include "tests/unit/run_oracle.h"
#include "tests/unit/run_random.h"

static const uint32_t team_sizes[] = {1, 2, 7};
static struct qn_threads *teams[3];

static int open_teams(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        if (qn_threads_open(team_sizes[i], &teams[i]) != QUERN_OK) return 1;
    return 0;
}

static int close_teams(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) qn_threads_close(teams[i]);
    return 0;
}

/* Runs the request in every way and compares output and `seen` with the oracle's. `from`, if not
 * NULL, is what the output holds before (an in-place run). */
static void check_all(const char *what, uint64_t seed, struct qn_run_request *r, size_t bytes,
                      const void *from)
{
    uint32_t *want_seen = calloc(r->batch.n_lanes, 4), *seen = calloc(r->batch.n_lanes, 4);
    unsigned char *want = malloc(bytes), *got_raw = malloc(bytes + 64);
    unsigned char *got = got_raw + seed % 3 * 16;
    assert_true(want && got_raw && want_seen && seen);
    memset(want, 0xa5, bytes);
    oracle_run(r, want, want_seen);
    for (int isa = 0; isa < QN_ISA_COUNT; isa++) {
        if (!qn_cpu_isa_force(isa)) continue;
        for (int way = 0; way < 6; way++) {
            memset(got, 0xa5, bytes);
            memset(seen, 0, 4 * r->batch.n_lanes);
            struct qn_run_request run = *r;
            struct qn_lane *moved = NULL;
            if (from != NULL) {
                moved = malloc(sizeof *moved * r->batch.n_lanes);
                memcpy(got, from, bytes);
                for (uint32_t l = 0; l < r->batch.n_lanes; l++) {
                    moved[l] = r->batch.lanes[l];
                    moved[l].data = got + ((const char *)moved[l].data - (const char *)from);
                }
                run.batch.lanes = moved;
            }
            run.out_host = got;
            run.seen = way % 2 || seed % 2 ? seen : NULL;
            run.stream = way >= 3;
            assert_int_equal(qn_cpu_run(teams[way % 3], &run), QUERN_OK);
            free(moved);
            for (size_t i = 0; i < bytes; i++)
                if (got[i] != want[i])
                    fail_msg("%s, seed %llu, isa %d, way %d: byte %zu is %02x, not %02x", what,
                             (unsigned long long)seed, isa, way, i, got[i], want[i]);
            if (run.seen == NULL) continue;
            for (uint32_t l = 0; l < r->batch.n_lanes; l++)
                if (seen[l] != want_seen[l])
                    fail_msg("%s, seed %llu, isa %d, way %d: lane %u saw %u, not %u", what,
                             (unsigned long long)seed, isa, way, l, seen[l], want_seen[l]);
        }
    }
    qn_cpu_isa_force(-1);
    free(want);
    free(got_raw);
    free(want_seen);
    free(seen);
}

static void random_programs_give_the_oracles_bits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        static const uint64_t sizes[] = {1, 2, 15, 16, 17, 100, 333, 1500};
        uint64_t rows = sizes[seed % 8];
        struct random_program *p = random_program(seed, rows);
        random_slots(p, seed % 3 == 0 ? QN_T_F32 : seed % 3 == 1 ? QN_T_F64 : QN_T_F64 + 1);
        random_places(p, rows);
        struct qn_run_request r = {.batch = p->batch,
                                   .slots = p->slots,
                                   .n_slots = p->n_slots,
                                   .n_norms = p->n_norms,
                                   .norms = p->norms};
        check_all("program", seed, &r, p->out_bytes, NULL);
        random_program_free(p);
    }
}

/* A row-major matrix of one type, the same random chain for each column, row-major out. */
static void check_matrix(uint64_t seed, uint64_t rows, uint32_t d, uint32_t work, int in_place,
                         int norm)
{
    struct random_program *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->s = seed * UINT64_C(0x9e3779b97f4a7c15) + 7;
    p->batch = (struct qn_batch){.rows = rows, .lanes = p->lanes, .ops = p->ops, .words = p->words};
    uint32_t type = work == QN_W_F32 ? QN_T_F32 : QN_T_F64, size = random_size(type);
    size_t bytes = rows * d * size;
    char *in = (char *)random_memory(p, bytes + 64) + random_below(p, 4) * size;
    for (uint64_t i = 0; i < rows * d; i++) {
        random_store(p, type, 0, in + i * size);
        if (seed % 2 && i % 300 < 290) memset(in + i * size, 1, size); /* mostly finite */
    }
    static const uint32_t codes[] = {QN_OP_SUB,   QN_OP_DIV,     QN_OP_ADD,  QN_OP_MUL,
                                     QN_OP_FILL,  QN_OP_FILL_EQ, QN_OP_CLIP, QN_OP_MISSING,
                                     QN_OP_EQUAL, QN_OP_GREATER};
    uint32_t chain[6], n = random_below(p, 7), bins = seed % 3 == 0 && !norm ? 2 : 0;
    uint32_t edges = random_below(p, 18);
    static const uint32_t functions[] = {QN_OP_LOG1P, QN_OP_EXP, QN_OP_SQRT, QN_OP_NCDF,
                                         QN_OP_LOOK};
    for (uint32_t i = 0; i < n; i++) chain[i] = codes[random_below(p, seed % 4 ? 7 : 10)];
    for (uint32_t i = 0; i < n && seed % 5 < 2; i++) /* parts between functions, and too many */
        if (random_below(p, 2) == 0) chain[i] = functions[random_below(p, 5)];
    if (norm) {
        n = 1;
        p->n_norms = 1;
        p->norms[0] = (struct qn_norm_desc){
            .n_lanes = d, .kind = 1 + random_below(p, 3), .order = random_below(p, 5) != 0};
    }
    for (uint32_t j = 0; j < d; j++) {
        p->lanes[j] = (struct qn_lane){.data = in + j * size,
                                       .stride = (int64_t)d * size,
                                       .type = type,
                                       .work = work,
                                       .first_op = p->batch.n_ops,
                                       .n_ops = n + bins};
        p->slots[j] = (struct qn_slot){.offset = (uint64_t)j * size,
                                       .stride = (uint64_t)d * size,
                                       .type = type,
                                       .lane = j,
                                       .match = QN_MATCH_VALUE};
        for (uint32_t i = 0; i < n; i++) {
            if (norm) {
                random_push(p, QN_OP_NORM, work)->arg = 0;
                continue;
            }
            random_push(p, chain[i], work);
            random_word_double(p, work);
            random_word_double(p, work);
        }
        if (bins != 0) { /* of columns with unlike numbers of edges */
            random_edges(p, QN_OP_BIN, work, edges + random_below(p, 2));
            random_push(p, work == QN_W_F32 ? QN_OP_TO_F32 : QN_OP_TO_F64, QN_W_CODE);
        }
    }
    p->batch.n_lanes = d;
    struct qn_run_request r = {.batch = p->batch,
                               .slots = p->slots,
                               .n_slots = d,
                               .n_norms = p->n_norms,
                               .norms = p->norms};
    check_all(norm ? "normalizer" : "matrix", seed, &r, bytes, in_place ? in : NULL);
    random_program_free(p);
}

static void uniform_matrices_give_the_oracles_bits(void **state)
{
    (void)state;
    for (uint32_t d = 1; d <= RANDOM_LANES; d += d < 20 ? 1 : 11)
        for (uint32_t k = 0; k < 6; k++) {
            static const uint64_t sizes[] = {1, 3, 40, 129, 260, 1000};
            check_matrix(d * 6 + k, sizes[(d + k) % 6], d, k % 2, k > 3, 0);
        }
    check_matrix(5000, 9000, 17, QN_W_F32, 0, 0); /* several tasks */
    check_matrix(5001, 9001, 16, QN_W_F64, 0, 0);
    check_matrix(5002, 200000, 1, QN_W_F32, 0, 0);
}

static void normalizers_give_the_oracles_bits(void **state)
{
    (void)state;
    for (uint32_t d = 1; d <= RANDOM_LANES; d += d < 36 ? 1 : 7)
        for (uint32_t k = 0; k < 4; k++) check_matrix(d * 4 + k, 1 + d % 5 * 9, d, k % 2, k > 2, 1);
    check_matrix(6000, 3000, 16, QN_W_F32, 0, 1);
    check_matrix(6001, 3000, 21, QN_W_F64, 0, 1);
}

/* Neighbours in rows of another type than the working type, with columns of other kinds between. */
static void converted_matrices_give_the_oracles_bits(void **state)
{
    (void)state;
    static const struct {
        uint32_t type, work, out;
    } kinds[] = {
        {QN_T_F64, QN_W_F64, QN_T_F32}, {QN_T_F32, QN_W_F64, QN_T_F64},
        {QN_T_I32, QN_W_F64, QN_T_F64}, {QN_T_I64, QN_W_F64, QN_T_F32},
        {QN_T_I64, QN_W_I64, QN_T_I64}, {QN_T_U32, QN_W_CODE, QN_T_F64},
        {QN_T_F32, QN_W_F32, QN_T_F64}, {QN_T_I16, QN_W_F32, QN_T_F32},
        {QN_T_U64, QN_W_I64, QN_T_U64}, {QN_T_U8, QN_W_CODE, QN_T_U8},
    };
    for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (uint32_t d = 1; d <= 40; d += 1 + d / 3) {
            struct random_program *p = calloc(1, sizeof *p);
            assert_non_null(p);
            p->s = k * 100 + d + 1;
            uint64_t rows = 3 + 41 * (d % 7);
            uint32_t size = random_size(kinds[k].type), width = d + random_below(p, 4);
            p->batch = (struct qn_batch){
                .rows = rows, .lanes = p->lanes, .ops = p->ops, .words = p->words};
            char *in = random_memory(p, rows * width * size);
            for (uint64_t i = 0; i < rows * width; i++)
                random_store(p, kinds[k].type, 0, in + i * size);
            for (uint32_t j = 0; j < d; j++) {
                uint32_t first = p->batch.n_ops, work = kinds[k].work;
                if (j % 9 == 5) random_push(p, QN_OP_TO_F64, work), work = QN_W_F64;
                if (work <= QN_W_F64 && j % 4 != 3) {
                    random_push(p, QN_OP_SUB, work);
                    random_word_double(p, work);
                }
                p->final_work[j] = work;
                p->categories[j] = 5;
                p->lanes[j] = (struct qn_lane){.data = in + j * size,
                                               .stride = (int64_t)width * size,
                                               .type = kinds[k].type,
                                               .work = kinds[k].work,
                                               .first_op = first,
                                               .n_ops = p->batch.n_ops - first};
            }
            p->batch.n_lanes = d;
            random_slots(p, kinds[k].out);
            random_places(p, rows);
            struct qn_run_request r = {.batch = p->batch, .slots = p->slots, .n_slots = p->n_slots};
            check_all("converted", k * 100 + d, &r, p->out_bytes, NULL);
            random_program_free(p);
        }
}

static void bad_programs_are_refused(void **state)
{
    (void)state;
    struct random_program *p = random_program(3, 4);
    random_slots(p, QN_T_F64);
    random_places(p, 4);
    void *out = malloc(p->out_bytes);
    struct qn_run_request good = {.batch = p->batch,
                                  .slots = p->slots,
                                  .n_slots = p->n_slots,
                                  .n_norms = p->n_norms,
                                  .norms = p->norms,
                                  .out_host = out};
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_OK);
    struct qn_slot slot = p->slots[0];
    p->slots[0].lane = p->batch.n_lanes;
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_INVALID);
    p->slots[0] = slot;
    p->slots[0].type = 11;
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_INVALID);
    p->slots[0] = slot;
    p->lanes[0].first_op = p->batch.n_ops + 1;
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_INVALID);
    p->lanes[0].first_op = 0;
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_OK);
    uint32_t words = p->batch.n_words;
    good.batch.n_words = 1;
    assert_int_equal(qn_cpu_run(NULL, &good), words > 1 ? QUERN_INVALID : QUERN_OK);
    good.batch.n_words = words;
    for (uint32_t i = 0; i < p->batch.n_ops; i++) {
        struct qn_op op = p->ops[i];
        p->ops[i].code = QN_OP_LAST + 1;
        assert_int_equal(qn_cpu_run(NULL, &good), QUERN_INVALID);
        p->ops[i] = op;
        if (op.code < QN_OP_FIND || op.code >= QN_OP_TAKE) continue;
        uint64_t count = p->words[op.arg + 1];
        p->words[op.arg + 1] = UINT64_MAX;
        assert_int_equal(qn_cpu_run(NULL, &good), QUERN_INVALID);
        p->words[op.arg + 1] = count;
    }
    good.batch.base.raw = (struct qn_raw *)out;
    assert_int_equal(qn_cpu_run(NULL, &good), QUERN_UNSUPPORTED);
    free(out);
    random_program_free(p);
}

static void a_function_of_an_integer_is_refused(void **state)
{
    int64_t in[2] = {1, 2}, out[2];
    uint64_t word = 0;
    struct qn_op op = {QN_OP_EXP, QN_W_I64, 0, 0};
    struct qn_lane lane = {.data = in, .stride = 8, .type = QN_T_I64, .work = QN_W_I64, .n_ops = 1};
    struct qn_slot slot = {.stride = 8, .type = QN_T_I64, .match = QN_MATCH_VALUE};
    struct qn_run_request r = {.batch = {.rows = 2,
                                         .lanes = &lane,
                                         .n_lanes = 1,
                                         .ops = &op,
                                         .n_ops = 1,
                                         .words = &word,
                                         .n_words = 1},
                               .slots = &slot,
                               .n_slots = 1,
                               .out_host = out};
    (void)state;
    assert_int_equal(qn_cpu_run(NULL, &r), QUERN_INVALID);
    op.code = QN_OP_ADD;
    assert_int_equal(qn_cpu_run(NULL, &r), QUERN_OK);
}

static void no_rows_write_nothing(void **state)
{
    (void)state;
    struct random_program *p = random_program(9, 0);
    random_slots(p, QN_T_F32);
    random_places(p, 0);
    unsigned char out[64];
    memset(out, 7, sizeof out);
    struct qn_run_request r = {.batch = p->batch,
                               .slots = p->slots,
                               .n_slots = p->n_slots,
                               .n_norms = p->n_norms,
                               .norms = p->norms,
                               .out_host = out};
    assert_int_equal(qn_cpu_run(NULL, &r), QUERN_OK);
    for (size_t i = 0; i < sizeof out; i++) assert_int_equal(out[i], 7);
    random_program_free(p);
}

static void a_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct random_program *p = random_program(11, 50);
    random_slots(p, QN_T_F32);
    random_places(p, 50);
    void *out = malloc(p->out_bytes);
    struct qn_run_request r = {.batch = p->batch,
                               .slots = p->slots,
                               .n_slots = p->n_slots,
                               .n_norms = p->n_norms,
                               .norms = p->norms,
                               .out_host = out};
    qn_alloc_fail_at(UINT64_MAX); /* count only */
    assert_int_equal(qn_cpu_run(NULL, &r), QUERN_OK);
    uint64_t made = qn_alloc_fail_at(0);
    assert_true(made > 2);
    for (uint64_t k = 1; k <= made; k++) {
        qn_alloc_fail_at(k);
        assert_int_equal(qn_cpu_run(NULL, &r), QUERN_OUT_OF_MEMORY);
    }
    qn_alloc_fail_at(0);
    free(out);
    random_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_give_the_oracles_bits),
        cmocka_unit_test(uniform_matrices_give_the_oracles_bits),
        cmocka_unit_test(normalizers_give_the_oracles_bits),
        cmocka_unit_test(converted_matrices_give_the_oracles_bits),
        cmocka_unit_test(bad_programs_are_refused),
        cmocka_unit_test(a_function_of_an_integer_is_refused),
        cmocka_unit_test(no_rows_write_nothing),
        cmocka_unit_test(a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_teams, close_teams);
}
