/* SPDX-License-Identifier: Apache-2.0
 * Lanes that share their beginning (backends/cpu/share.h) have the bits of each lane alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/share.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"

enum { ROWS = 1000, LANES = 24, OPS = 5, WIDE = 11 };

struct program {
    double columns[2][ROWS];
    float floats[ROWS], matrix[ROWS * WIDE];
    double doubles[ROWS * WIDE];
    struct qn_lane lanes[LANES];
    struct qn_op ops[LANES * OPS];
    uint64_t words[LANES * OPS * 2];
    struct qn_batch batch;
};

/* Few ops and few parameters, so that neighbours often begin alike. */
static void add_op(struct program *p, struct qn_lane *lane, uint64_t *state)
{
    static const uint32_t codes[] = {QN_OP_YEO_JOHNSON, QN_OP_YEO_JOHNSON, QN_OP_BOX_COX,
                                     QN_OP_LOG1P,       QN_OP_SUB,         QN_OP_CLIP,
                                     QN_OP_TO_F64,      QN_OP_MUL};
    static const double numbers[] = {0.5, -1.25};
    uint32_t at = lane->first_op + lane->n_ops++, work = lane->work;
    for (uint32_t i = lane->first_op; i < at; i++)
        if (p->ops[i].code == QN_OP_TO_F64) work = QN_W_F64;
    p->ops[at] = (struct qn_op){.code = codes[ref_random(state) % 8], .work = work, .arg = 2 * at};
    memcpy(&p->words[2 * at], &numbers[ref_random(state) % 2], sizeof(double));
    memcpy(&p->words[2 * at + 1], &numbers[0], sizeof(double));
}

static void make(struct program *p, uint64_t *state)
{
    for (uint32_t l = 0; l < LANES; l++) {
        struct qn_lane *lane = &p->lanes[l];
        *lane =
            (struct qn_lane){.first_op = l * OPS, .work = QN_W_F64, .type = QN_T_F64, .stride = 8};
        lane->data = p->columns[ref_random(state) % 4 == 0];
        if (ref_random(state) % 4 == 0) {
            lane->data = p->floats;
            lane->type = QN_T_F32;
            lane->work = ref_random(state) % 2 ? QN_W_F32 : QN_W_F64;
            lane->stride = 4;
        }
        if (ref_random(state) % 2 == 0) { /* a column of a matrix */
            int wide = (int)(ref_random(state) / 2 % 5 == 0);
            lane->type = wide ? QN_T_F64 : QN_T_F32;
            lane->work = wide || ref_random(state) % 2 ? QN_W_F64 : QN_W_F32;
            lane->stride = (wide ? 8 : 4) * WIDE;
            lane->data = wide ? (const void *)&p->doubles[l % WIDE] : &p->matrix[l % WIDE];
        }
        if (l > 0 && ref_random(state) % 3 == 0) { /* begins as the one before */
            *lane = p->lanes[l - 1];
            lane->first_op = l * OPS;
            lane->n_ops = (uint32_t)(ref_random(state) % (lane->n_ops + 1u));
            for (uint32_t i = 0; i < lane->n_ops; i++) {
                p->ops[lane->first_op + i] = p->ops[p->lanes[l - 1].first_op + i];
                p->ops[lane->first_op + i].arg = 2 * (lane->first_op + i);
                memcpy(&p->words[2 * (lane->first_op + i)],
                       &p->words[2 * (p->lanes[l - 1].first_op + i)], 2 * sizeof *p->words);
            }
        }
        while (lane->n_ops < OPS && ref_random(state) % 4 != 0) add_op(p, lane, state);
    }
    p->batch = (struct qn_batch){.rows = ROWS,
                                 .lanes = p->lanes,
                                 .n_lanes = LANES,
                                 .ops = p->ops,
                                 .n_ops = LANES * OPS,
                                 .words = p->words,
                                 .n_words = LANES * OPS * 2};
}

static void lanes_that_share_have_their_own_bits(void **context)
{
    static struct program p;
    static struct qn_share share;
    static union qn_tile alone, shared;
    uint64_t state = 5;
    (void)context;
    for (uint32_t i = 0; i < ROWS; i++) {
        p.columns[0][i] = (double)(int64_t)ref_random(&state) * 0x1p-61;
        p.columns[1][i] = (double)(ref_random(&state) >> 20);
        p.floats[i] = (float)p.columns[0][i];
    }
    for (uint32_t i = 0; i < ROWS * WIDE; i++) {
        p.doubles[i] = (double)(int64_t)ref_random(&state) * 0x1p-62;
        p.matrix[i] = (float)p.doubles[i];
    }
    for (int round = 0; round < 400; round++) {
        make(&p, &state);
        qn_share_forget(&share);
        for (uint32_t l = 0; l < LANES; l++) {
            uint32_t work = qn_chain_eval(&p.batch, &p.lanes[l], 0, ROWS, &alone, NULL);
            assert_int_equal(qn_share_eval(&p.batch, p.lanes, l, LANES, 0, ROWS, &share, &shared),
                             work);
            for (uint32_t i = 0; i < ROWS; i++)
                if (work == QN_W_F32)
                    assert_true(ref_same_bits((double)alone.f32[i], (double)shared.f32[i]));
                else
                    assert_true(ref_same_bits(alone.f64[i], shared.f64[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lanes_that_share_have_their_own_bits)};
    return RUN_PER_ISA(tests);
}
