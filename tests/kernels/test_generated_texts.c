/* SPDX-License-Identifier: Apache-2.0
 * The generator's promises: one shape gives one text whatever the numbers are; what cannot share a
 * chain is refused with a sentence. With a folder as argument it writes its texts there, for the
 * compilers' checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/ops/generate.h"
#include "host/ops/generate_rows.h"
#include "host/ops/layout.h"
#include "kernels/bins.h"

enum { LANES = 5, OPS = 64, WORDS = 512 };

struct chain_op {
    uint32_t code, work;
};
struct chain {
    const char *name;
    uint32_t in, work, out;
    struct chain_op ops[8]; /* ends with code 0 */
};
static const struct chain chains[] = {
    {"scale_f32", QN_T_F32, QN_W_F32, QN_T_F32, {{QN_OP_SUB, QN_W_F32}, {QN_OP_DIV, QN_W_F32}}},
    {"impute_clip_scale_f64",
     QN_T_F64,
     QN_W_F64,
     QN_T_F64,
     {{QN_OP_FILL, QN_W_F64},
      {QN_OP_CLIP, QN_W_F64},
      {QN_OP_SUB, QN_W_F64},
      {QN_OP_DIV, QN_W_F64}}},
    {"minmax_f32_to_f64",
     QN_T_F32,
     QN_W_F32,
     QN_T_F64,
     {{QN_OP_MUL, QN_W_F32}, {QN_OP_ADD, QN_W_F32}, {QN_OP_TO_F64, QN_W_F32}}},
    {"encode_i64",
     QN_T_I64,
     QN_W_I64,
     QN_T_F64,
     {{QN_OP_FIND, QN_W_I64}, {QN_OP_VALUE, QN_W_CODE}}},
    {"encode_f32",
     QN_T_F32,
     QN_W_F32,
     QN_T_F32,
     {{QN_OP_FIND, QN_W_F32}, {QN_OP_REMAP, QN_W_CODE}, {QN_OP_VALUE, QN_W_CODE}}},
    {"codes_u16", QN_T_U16, QN_W_CODE, QN_T_F32, {{QN_OP_REMAP, QN_W_CODE}}},
    {"binarize_i8_to_i32",
     QN_T_I8,
     QN_W_F64,
     QN_T_I32,
     {{QN_OP_GREATER, QN_W_F64}, {QN_OP_TO_I64, QN_W_F64}, {QN_OP_FILL_EQ, QN_W_I64}}},
    {"functions_f32",
     QN_T_F32,
     QN_W_F32,
     QN_T_F32,
     {{QN_OP_LOG1P, QN_W_F32},
      {QN_OP_POW, QN_W_F32},
      {QN_OP_SIN, QN_W_F32},
      {QN_OP_SQRT, QN_W_F32},
      {QN_OP_RECIPROCAL, QN_W_F32},
      {QN_OP_NCDF, QN_W_F32}}},
    {"functions_f64",
     QN_T_F64,
     QN_W_F64,
     QN_T_F64,
     {{QN_OP_ASINH, QN_W_F64},
      {QN_OP_EXPM1, QN_W_F64},
      {QN_OP_COS, QN_W_F64},
      {QN_OP_EXP, QN_W_F64},
      {QN_OP_LOG, QN_W_F64},
      {QN_OP_NQUANTILE, QN_W_F64}}},
    {"powers_f32",
     QN_T_F32,
     QN_W_F32,
     QN_T_F32,
     {{QN_OP_YEO_JOHNSON, QN_W_F32}, {QN_OP_YEO_JOHNSON_BACK, QN_W_F32}}},
    {"powers_f64",
     QN_T_F64,
     QN_W_F64,
     QN_T_F64,
     {{QN_OP_BOX_COX, QN_W_F64},
      {QN_OP_BOX_COX_BACK, QN_W_F64},
      {QN_OP_YEO_JOHNSON, QN_W_F64},
      {QN_OP_YEO_JOHNSON_BACK, QN_W_F64}}},
    {"bins_f32",
     QN_T_F32,
     QN_W_F32,
     QN_T_F32,
     {{QN_OP_INTERP_MEAN, QN_W_F32}, {QN_OP_INTERP, QN_W_F32}, {QN_OP_BIN, QN_W_F32}}},
    {"bins_f64",
     QN_T_F64,
     QN_W_F64,
     QN_T_F64,
     {{QN_OP_INTERP_MEAN, QN_W_F64}, {QN_OP_BIN, QN_W_F64}}},
    {"spline_f32", QN_T_F32, QN_W_F32, QN_T_F32, {{QN_OP_SPLINE, QN_W_F32}}},
    {"spline_f64", QN_T_F64, QN_W_F64, QN_T_F64, {{QN_OP_SPLINE, QN_W_F64}, {QN_OP_SUB, QN_W_F64}}},
    {"flag_bool", QN_T_BOOL, QN_W_F32, QN_T_BOOL, {{QN_OP_MISSING, QN_W_F32}}},
};
enum { CHAINS = sizeof chains / sizeof chains[0] };

struct request {
    struct qn_run_request rq;
    struct qn_lane lanes[LANES];
    struct qn_op ops[OPS];
    uint64_t words[WORDS];
    struct qn_slot slots[LANES];
    uint32_t seen[LANES];
};

static void make(struct request *r, const struct chain *c, enum qn_turn turn, double number)
{
    uint64_t in = qn_value_bytes(c->in), out = qn_value_bytes(c->out), rows = 100;
    int rows_in = turn == QN_STRAIGHT_ROWS || turn == QN_ROWS_TO_COLUMNS;
    int rows_out = turn == QN_STRAIGHT_ROWS || turn == QN_COLUMNS_TO_ROWS;
    uint32_t n_ops = 0, n_words = QN_INTERP_LEAST; /* zeros, for lists */
    memset(r, 0, sizeof *r);
    memcpy(&r->words[0], &number, sizeof number);
    for (uint32_t i = 0; i < LANES; i++) {
        r->lanes[i] = (struct qn_lane){.offset = rows_in ? i * in : i * rows * in,
                                       .stride = (int64_t)(rows_in ? LANES * in : in),
                                       .valid_bit = QN_NO_VALIDITY,
                                       .type = c->in,
                                       .work = c->work,
                                       .first_op = n_ops};
        r->slots[i] = (struct qn_slot){.offset = rows_out ? i * out : i * rows * out,
                                       .stride = rows_out ? LANES * out : out,
                                       .type = c->out,
                                       .lane = i,
                                       .match = QN_MATCH_VALUE};
        for (const struct chain_op *op = c->ops; op->code != 0; op++, r->lanes[i].n_ops++) {
            r->ops[n_ops++] = (struct qn_op){.code = op->code, .work = op->work, .arg = n_words};
            r->words[n_words++] = 0;
            r->words[n_words++] = op->code > QN_OP_BIN
                                      ? QN_INTERP_LEAST
                                      : 1 + i % 2; /* a list of so many words at 0 */
        }
    }
    r->rq = (struct qn_run_request){.batch = {.rows = rows,
                                              .lanes = r->lanes,
                                              .n_lanes = LANES,
                                              .n_ops = n_ops,
                                              .n_words = n_words,
                                              .ops = r->ops,
                                              .words = r->words},
                                    .slots = r->slots,
                                    .n_slots = LANES,
                                    .seen = r->seen};
}

static char *text_of(const struct request *r)
{
    struct qn_chain_shape shape;
    size_t bytes;
    char *text;
    assert_null(qn_chain_shape_of(&r->rq, &shape));
    assert_int_equal(qn_generate(&shape, &text, &bytes), QUERN_OK);
    assert_int_equal(strlen(text), bytes);
    return text;
}

static void the_text_depends_on_the_shape_alone(void **state)
{
    static struct request one, two;
    (void)state;
    for (uint32_t k = 0; k < CHAINS; k++)
        for (int turn = QN_STRAIGHT_ROWS; turn <= QN_ROWS_TO_COLUMNS; turn++) {
            make(&one, &chains[k], (enum qn_turn)turn, 1.5);
            make(&two, &chains[k], (enum qn_turn)turn, -1e300);
            two.rq.batch.rows = 7;
            for (uint32_t i = 0; i < LANES; i++) two.slots[i].offset += 64;
            char *a = text_of(&one), *b = text_of(&two);
            assert_string_equal(a, b);
            assert_null(strstr(a, "#include"));
            qn_free(a);
            qn_free(b);
        }
}

static void chains_and_layouts_differ_in_their_text(void **state)
{
    static struct request r;
    char *texts[CHAINS * 3];
    uint32_t n = 0;
    (void)state;
    for (uint32_t k = 0; k < CHAINS; k++)
        for (int turn = QN_STRAIGHT_COLUMNS; turn <= QN_ROWS_TO_COLUMNS; turn++) {
            make(&r, &chains[k], (enum qn_turn)turn, 1.5);
            texts[n++] = text_of(&r);
        }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < i; j++) assert_string_not_equal(texts[i], texts[j]);
    for (uint32_t i = 0; i < n; i++) qn_free(texts[i]);
}

static void what_cannot_share_a_chain_is_refused(void **state)
{
    static struct request r;
    struct qn_chain_shape shape;
    (void)state;
    make(&r, &chains[0], QN_STRAIGHT_ROWS, 1);
    r.ops[r.lanes[3].first_op].code = QN_OP_ADD;
    assert_string_equal(qn_chain_shape_of(&r.rq, &shape), "the columns differ in their chain");
    make(&r, &chains[0], QN_STRAIGHT_ROWS, 1);
    r.lanes[2].valid_bit = 0;
    assert_string_equal(qn_chain_shape_of(&r.rq, &shape), "a column has a validity bitmap");
    make(&r, &chains[0], QN_STRAIGHT_ROWS, 1);
    r.slots[1].lane = 0;
    assert_non_null(strstr(qn_chain_shape_of(&r.rq, &shape), "not one to one"));
    make(&r, &chains[0], QN_STRAIGHT_ROWS, 1);
    r.lanes[4].offset += 4;
    assert_non_null(strstr(qn_chain_shape_of(&r.rq, &shape), "neither"));
    make(&r, &chains[0], QN_STRAIGHT_ROWS, 1);
    r.lanes[0].first_op = OPS;
    assert_string_equal(qn_chain_shape_of(&r.rq, &shape), "the program is malformed");
}

/* ---- chains that take in other columns ---- */

enum { JOINED_LANES = 8, JOINED_OPERANDS = 4, JOINED_OPS = 64, JOINED_WORDS = 64 };

struct joined {
    struct qn_run_request rq;
    struct qn_lane lanes[JOINED_LANES], operands[JOINED_OPERANDS];
    struct qn_op ops[JOINED_OPS];
    uint64_t words[JOINED_WORDS];
    struct qn_slot slots[2 * JOINED_LANES];
    uint32_t seen[JOINED_LANES], n_ops, n_words;
};

static void add_op(struct joined *j, struct qn_lane *lane, uint32_t code, uint32_t work, double p)
{
    uint32_t arg = j->n_words;
    if (code == QN_OP_TAKE) arg = (uint32_t)p;
    if (code == QN_OP_FIND || code == QN_OP_VALUE) {
        j->words[j->n_words++] = 0; /* where the list is, and how long */
        j->words[j->n_words++] = 3;
    } else if (code != QN_OP_TAKE && !QN_OP_IS_JOIN(code)) {
        memcpy(&j->words[j->n_words++], &p, sizeof p);
        j->words[j->n_words++] = 0;
    }
    if (lane->n_ops == 0) lane->first_op = j->n_ops;
    j->ops[j->n_ops++] = (struct qn_op){.code = code, .work = work, .arg = arg};
    lane->n_ops++;
}

/* Products and quotients of float32 and float64 columns, a code's block, whole numbers beside them. */
static void make_joined(struct joined *j, int by_rows, int watch, double number)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I16, QN_T_U16};
    static const uint32_t works[] = {QN_W_F32, QN_W_F64, QN_W_F64, QN_W_CODE};
    uint32_t n_slots = 0, codes = 0;
    memset(j, 0, sizeof *j);
    j->n_words = 3;
    for (uint32_t i = 0; i < JOINED_OPERANDS + JOINED_LANES; i++) {
        uint32_t kind = i % 4, work = works[kind];
        struct qn_lane *lane =
            i < JOINED_OPERANDS ? &j->operands[i] : &j->lanes[i - JOINED_OPERANDS];
        *lane = (struct qn_lane){.offset = (uint64_t)(i % 6) * 80000,
                                 .stride = qn_value_bytes(types[kind]),
                                 .valid_bit = i == 5 ? 640000 : QN_NO_VALIDITY,
                                 .type = types[kind],
                                 .work = work};
        if (kind == 1) add_op(j, lane, QN_OP_SUB, work, number);
        if (i < JOINED_OPERANDS && kind == 2) {
            add_op(j, lane, QN_OP_FIND, work, 0);
            add_op(j, lane, QN_OP_VALUE, QN_W_CODE, 0);
        }
        if (i < JOINED_OPERANDS || work == QN_W_CODE) {
            codes += i >= JOINED_OPERANDS;
            continue;
        }
        add_op(j, lane, QN_OP_TAKE, work, work == QN_W_F32 ? 0 : 1 + i / 4 % 2);
        if (kind == 2) add_op(j, lane, QN_OP_TAKE, work, 1);
        add_op(j, lane, QN_OP_JOIN_MUL, work, 0);
        if (kind == 2) add_op(j, lane, QN_OP_JOIN_RDIV, work, 0);
        if (kind == 0) add_op(j, lane, QN_OP_LOG1P, work, 0);
        if (kind == 2) add_op(j, lane, QN_OP_CLIP, work, -number);
    }
    for (uint32_t i = 0; i < JOINED_LANES; i++) {
        j->slots[n_slots++] =
            (struct qn_slot){.type = QN_T_F32, .lane = i, .match = QN_MATCH_VALUE};
        if (j->lanes[i].work == QN_W_CODE)
            j->slots[n_slots++] = (struct qn_slot){.type = QN_T_F32, .lane = i, .match = 1};
    }
    for (uint32_t k = 0; k < n_slots; k++) {
        j->slots[k].offset = by_rows ? 4 * k : 40000 * (uint64_t)k;
        j->slots[k].stride = by_rows ? 4 * n_slots : 4;
    }
    assert_int_equal(n_slots, JOINED_LANES + codes);
    j->rq = (struct qn_run_request){.batch = {.rows = 10000,
                                              .lanes = j->lanes,
                                              .n_lanes = JOINED_LANES,
                                              .operands = j->operands,
                                              .n_operands = JOINED_OPERANDS,
                                              .n_ops = j->n_ops,
                                              .n_words = j->n_words,
                                              .ops = j->ops,
                                              .words = j->words},
                                    .slots = j->slots,
                                    .n_slots = n_slots,
                                    .seen = watch ? j->seen : NULL};
}

static char *joined_text(const struct joined *j)
{
    struct qn_row_program program;
    assert_null(qn_row_program_refuse(&j->rq));
    assert_int_equal(qn_row_program_make(&j->rq, &program), QUERN_OK);
    assert_int_equal(strlen(program.text), program.bytes);
    char *text = program.text;
    program.text = NULL;
    qn_row_program_free(&program);
    return text;
}

static void a_text_for_rows_depends_on_the_shape_alone(void **state)
{
    static struct joined one, two;
    char *texts[4];
    (void)state;
    for (int k = 0; k < 4; k++) {
        make_joined(&one, k & 1, k >> 1, 1.5);
        make_joined(&two, k & 1, k >> 1, -1e300);
        two.rq.batch.rows = 20000;
        for (uint32_t i = 0; i < JOINED_LANES; i++) two.lanes[i].offset += 1 << 20;
        for (uint32_t i = 0; i < JOINED_OPERANDS; i++) two.operands[i].offset += 1 << 20;
        for (uint32_t i = 0; i < two.rq.n_slots; i++) two.slots[i].offset += 64;
        char *a = joined_text(&one), *b = joined_text(&two);
        assert_string_equal(a, b);
        assert_null(strstr(a, "#include"));
        texts[k] = a;
        qn_free(b);
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(texts[i], texts[k]);
    for (int i = 0; i < 4; i++) qn_free(texts[i]);
}

static void what_is_too_small_or_too_large_for_a_kernel_is_refused(void **state)
{
    static struct joined j;
    static struct qn_slot many[QN_ROW_STATEMENTS + 1];
    (void)state;
    make_joined(&j, 0, 1, 1);
    j.rq.batch.rows = QN_ROW_LEAST - 1;
    assert_non_null(strstr(qn_row_program_refuse(&j.rq), "fewer than 8192 rows"));
    make_joined(&j, 0, 1, 1);
    j.rq.slots = many;
    j.rq.n_slots = QN_ROW_STATEMENTS + 1;
    assert_non_null(strstr(qn_row_program_refuse(&j.rq), "more than 1024 statements"));
    make_joined(&j, 0, 1, 1);
    j.rq.batch.n_operands = QN_ROW_COLUMNS + 1;
    assert_non_null(strstr(qn_row_program_refuse(&j.rq), "more than 64"));
    make_joined(&j, 0, 1, 1);
    j.ops[0].code = QN_OP_NORM;
    assert_string_equal(qn_row_program_refuse(&j.rq), "a norm needs the whole row");
    make_joined(&j, 0, 1, 1);
    j.lanes[1].first_op = JOINED_OPS;
    assert_string_equal(qn_row_program_refuse(&j.rq), "the program is malformed");
}

static int write_text(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/program_%s.cl", folder, name);
    FILE *file = fopen(path, "wb");
    int bad = file == NULL || fputs(text, file) < 0;
    if (file != NULL && fclose(file) != 0) bad = 1;
    return bad;
}

static int write_joined(const char *folder)
{
    static const char *const names[] = {"joined_columns", "joined_rows", "joined_columns_watched",
                                        "joined_rows_watched"};
    static struct joined j;
    for (int k = 0; k < 4; k++) {
        struct qn_row_program program;
        make_joined(&j, k & 1, k >> 1, 1);
        if (qn_row_program_make(&j.rq, &program) != QUERN_OK) return 1;
        int bad = write_text(folder, names[k], program.text);
        qn_row_program_free(&program);
        if (bad) return 1;
    }
    return 0;
}

/* Writes the texts of all chains, each in one layout after another, and all layouts of the first. */
static int write_texts(const char *folder)
{
    static struct request r;
    for (uint32_t k = 0; k < CHAINS + 3; k++) {
        const struct chain *c = &chains[k < CHAINS ? k : 0];
        enum qn_turn turn = (enum qn_turn)(k < CHAINS ? k % 4 : k - CHAINS + 1);
        struct qn_chain_shape shape;
        char name[64], *text = NULL;
        size_t bytes;
        make(&r, c, turn, 1);
        if (qn_chain_shape_of(&r.rq, &shape) != NULL) return 1;
        if (qn_generate(&shape, &text, &bytes) != QUERN_OK) return 1;
        (void)snprintf(name, sizeof name, "%s_%d", c->name, (int)turn);
        int bad = write_text(folder, name, text);
        qn_free(text);
        if (bad) return 1;
    }
    return write_joined(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_depends_on_the_shape_alone),
        cmocka_unit_test(chains_and_layouts_differ_in_their_text),
        cmocka_unit_test(what_cannot_share_a_chain_is_refused),
        cmocka_unit_test(a_text_for_rows_depends_on_the_shape_alone),
        cmocka_unit_test(what_is_too_small_or_too_large_for_a_kernel_is_refused),
    };
    if (argc > 1) return write_texts(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
