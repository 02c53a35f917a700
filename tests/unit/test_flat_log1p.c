/* SPDX-License-Identifier: Apache-2.0
 * Chains of floats with LOG1P give what the program gives one value at a time (run_oracle.h), whether what is
 * around it was fused with it (backends/cpu/run_flat_fuse.h) or not, for arguments with logarithms and without. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/run_flat_fuse.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"
#include "tests/unit/run_oracle.h"

enum { MOST_COLUMNS = 50, ROWS = 90, MOST_OPS = 9 };

enum parameter { FILLING, LOW, HIGH, MEAN, SCALE, PARAMETERS, NONE = PARAMETERS };
static const float usual[PARAMETERS] = {1.5f, 0.25f, 40, 0.75f, 1.25f};

/* f: FILL, c: CLIP, l: LOG1P, i: LOOK, s: SUB, d: DIV, m: MUL, e: EXP */
struct chain {
    const char *name, *ops;
    uint32_t fused;         /* ops of the fused chain (before EXP) */
    enum parameter unusual; /* in all columns or in one */
    float value;
    int one;
};

static const struct chain chains[] = {
    {"alone", "l", 1, NONE, 0, 0},
    {"looked at", "li", 1, NONE, 0, 0},
    {"scaled", "lisd", 1, NONE, 0, 0},
    {"looks between", "lisid", 1, NONE, 0, 0},
    {"limited", "cl", 1, NONE, 0, 0},
    {"filled", "fl", 2, NONE, 0, 0},
    {"all of it", "fclisd", 2, NONE, 0, 0},
    {"goes on", "fclisdm", 3, NONE, 0, 0},
    {"a quotient alone", "ld", 2, NONE, 0, 0},
    {"a difference alone", "lis", 2, NONE, 0, 0},
    {"twice", "clilisd", 2, NONE, 0, 0},
    {"after a function", "fclisdecl", 2, NONE, 0, 0},
    {"filled with NaN", "fclisd", 2, FILLING, NAN, 1},
    {"filled with infinity", "fclisd", 2, FILLING, INFINITY, 1},
    {"limits at -1", "fclisd", 3, LOW, -1, 1},
    {"limits below -1", "clisd", 2, LOW, -7, 1},
    {"limits next to -1", "clisd", 1, LOW, -1 + 0x1p-23f, 0},
    {"a high limit", "clisd", 1, HIGH, 0x1p125f, 1},
    {"too high a limit", "clisd", 2, HIGH, 0x1p127f, 1},
    {"crossed limits", "clisd", 1, LOW, 50, 1},
    {"a limit that is NaN", "clisd", 2, LOW, NAN, 1},
    {"a mean of zero", "lisd", 3, MEAN, 0, 1},
    {"a tiny mean", "lisd", 3, MEAN, 0x1p-39f, 1},
    {"a small mean", "lisd", 1, MEAN, -0x1p-38f, 0},
    {"an infinite mean", "lisd", 3, MEAN, INFINITY, 1},
    {"a mean that is NaN", "lisd", 3, MEAN, NAN, 1},
    {"a scale of zero", "lisd", 3, SCALE, 0, 1},
    {"a negative scale", "lisd", 3, SCALE, -1, 1},
    {"a tiny scale", "lisd", 1, SCALE, 0x1.8p-60f, 1},
    {"a scale near two", "lisd", 1, SCALE, 0x1.fffffep0f, 0},
    {"a subnormal scale", "lisd", 3, SCALE, 1e-40f, 1},
    {"a scale that is NaN", "lisd", 3, SCALE, NAN, 1},
};

/* A parameter of column j. */
static float parameter(const struct chain *c, uint32_t j, enum parameter which)
{
    return which == c->unusual && (!c->one || j == 1) ? c->value : usual[which];
}

enum data { USUAL, WITH_NANS, SELDOM_ODD, ANY_BITS, NEAR_ZERO, DATA };
static const char *const data_names[] = {"usual", "with NaNs", "seldom odd", "any bits",
                                         "near zero"};

struct matrix {
    struct qn_lane lanes[MOST_COLUMNS];
    struct qn_slot slots[MOST_COLUMNS];
    struct qn_op ops[MOST_OPS * MOST_COLUMNS];
    uint64_t words[2 * MOST_OPS * MOST_COLUMNS], state;
    uint32_t n_ops, n_words, columns;
    struct qn_run_request request;
    float in[ROWS * MOST_COLUMNS + 16], want[ROWS * MOST_COLUMNS], got[ROWS * MOST_COLUMNS + 16];
};

static float value(struct matrix *m, enum data data)
{
    static const float odd[] = {-1,       -1.5f, -INFINITY, INFINITY, NAN,    -0.0f,
                                0x1p126f, 3e38f, -3e38f,    0x1p125f, 1e-40f, -0x1.fffffep-1f};
    uint64_t r = ref_random(&m->state);
    float unit = (float)(r >> 40) * 0x1p-24f;
    uint32_t bits = (uint32_t)r;
    float any;
    memcpy(&any, &bits, sizeof any);
    switch (data) {
    case WITH_NANS: return (r & 15) == 0 ? NAN : expf(4 * unit - 2);
    case SELDOM_ODD: return (r & 127) == 0 ? odd[(r >> 10) % 12] : expf(4 * unit - 2) - 0.9f;
    case ANY_BITS: return any;
    case NEAR_ZERO: return ldexpf(unit - 0.5f, -(int)(r & 127));
    default: return expf(8 * unit - 3);
    }
}

static void push(struct matrix *m, uint32_t code, double p0, double p1)
{
    const double both[] = {p0, p1};
    m->ops[m->n_ops++] = (struct qn_op){code, QN_W_F32, m->n_words, 0};
    for (int i = 0; i < 2; i++) memcpy(&m->words[m->n_words++], &both[i], sizeof both[i]);
}

static void add_column(struct matrix *m, const struct chain *c, const float *in, uint32_t j)
{
    m->lanes[j] = (struct qn_lane){.data = in + j,
                                   .stride = 4 * (int64_t)m->columns,
                                   .type = QN_T_F32,
                                   .work = QN_W_F32,
                                   .first_op = m->n_ops};
    m->slots[j] = (struct qn_slot){.offset = 4 * (uint64_t)j,
                                   .stride = 4 * (uint64_t)m->columns,
                                   .type = QN_T_F32,
                                   .lane = j,
                                   .match = QN_MATCH_VALUE};
    for (const char *op = c->ops; *op != 0; op++) {
        float own = (float)j * 0x1p-10f; /* columns differ */
        switch (*op) {
        case 'f': push(m, QN_OP_FILL, (double)(parameter(c, j, FILLING) + own), 0); break;
        case 'c':
            push(m, QN_OP_CLIP, (double)parameter(c, j, LOW), (double)parameter(c, j, HIGH));
            break;
        case 'l': push(m, QN_OP_LOG1P, 0, 0); break;
        case 'i': push(m, QN_OP_LOOK, 0, 0); break;
        case 's': push(m, QN_OP_SUB, (double)parameter(c, j, MEAN), 0); break;
        case 'd': push(m, QN_OP_DIV, (double)parameter(c, j, SCALE), 0); break;
        case 'm': push(m, QN_OP_MUL, (double)(1 + own), 0); break;
        default: push(m, QN_OP_EXP, 0, 0); break;
        }
    }
    m->lanes[j].n_ops = m->n_ops - m->lanes[j].first_op;
}

static void compare(struct matrix *m, const char *what, const float *got, const uint32_t *seen,
                    const uint32_t *want_seen)
{
    for (size_t i = 0; i < (size_t)ROWS * m->columns; i++)
        if (memcmp(&got[i], &m->want[i], sizeof got[i]) != 0)
            fail_msg("%s: value %zu of %a is %a, not %a", what, i,
                     (double)((const float *)m->lanes[0].data)[i], (double)got[i],
                     (double)m->want[i]);
    for (uint32_t j = 0; j < m->columns; j++)
        if (seen[j] != want_seen[j])
            fail_msg("%s: of column %u was seen %u, not %u", what, j, seen[j], want_seen[j]);
}

/* at: values by which in- and outputs are off their cache lines */
static void check(struct matrix *m, const struct chain *c, enum data data, uint32_t columns,
                  uint32_t at)
{
    uint32_t want_seen[MOST_COLUMNS] = {0}, seen[MOST_COLUMNS];
    char what[128];
    memset(m, 0, sizeof *m);
    m->columns = columns;
    m->state = 77 * columns + data;
    for (size_t i = 0; i < sizeof m->in / sizeof m->in[0]; i++) m->in[i] = value(m, data);
    for (uint32_t j = 0; j < columns; j++) add_column(m, c, m->in + at, j);
    m->request = (struct qn_run_request){.batch = {.rows = ROWS,
                                                   .lanes = m->lanes,
                                                   .n_lanes = columns,
                                                   .ops = m->ops,
                                                   .n_ops = m->n_ops,
                                                   .words = m->words,
                                                   .n_words = m->n_words},
                                         .slots = m->slots,
                                         .n_slots = columns};
    oracle_run(&m->request, m->want, want_seen);
    for (uint32_t way = 0; way < 3; way++) {
        float *out = m->got + (way == 2 ? 3 : 0);
        memset(seen, 0, sizeof seen);
        memset(m->got, 0xa5, sizeof m->got);
        m->request.out_host = out;
        m->request.stream = way > 0;
        m->request.seen = seen;
        assert_int_equal(qn_cpu_run(NULL, &m->request), QUERN_OK);
        (void)snprintf(what, sizeof what, "%s, %s, %u columns, way %u", c->name, data_names[data],
                       columns, way);
        compare(m, what, out, seen, want_seen);
    }
}

static void chains_give_the_oracles_bits(void **state)
{
    static const uint32_t columns[] = {1, 2, 7, 16, 37, 50};
    struct matrix *m = malloc(sizeof *m);
    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        for (uint32_t k = 0; k < 6 * DATA; k++)
            check(m, &chains[i], (enum data)(k % DATA), columns[k / DATA], k % 4);
    free(m);
}

/* Ops of the chains as they are fused, so that the above compares what it says. */
static void what_is_fused_is_what_may_be(void **state)
{
    static const char letters[] = "fclisdm";
    static const uint32_t codes[] = {QN_OP_FILL, QN_OP_CLIP, QN_OP_LOG1P, QN_OP_LOOK,
                                     QN_OP_SUB,  QN_OP_DIV,  QN_OP_MUL};
    (void)state;
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        const struct chain *c = &chains[i];
        struct qn_flat_chain f = {.is_last = 1, .columns = 1, .period = 1, .extended = 1}, fused;
        float params[2 * QN_FLAT_MAX_OPS] = {0};
        for (const char *op = c->ops; *op != 0; op++) {
            const char *letter = strchr(letters, *op);
            if (letter == NULL) break; /* a function that begins another part */
            float *p = params + 2 * (size_t)f.n_ops;
            f.ops[f.n_ops] =
                (struct qn_flat_op){.code = codes[letter - letters], .first = 2 * (size_t)f.n_ops};
            f.n_ops++;
            p[0] = parameter(c, 1,
                             *op == 'f'   ? FILLING
                             : *op == 'c' ? LOW
                             : *op == 's' ? MEAN
                                          : SCALE);
            p[1] = *op == 'c' ? parameter(c, 1, HIGH) : 0;
        }
        qn_flat_fuse(&f, params, &fused);
        if (fused.n_ops != c->fused) fail_msg("%s: %u ops", c->name, fused.n_ops);
        int fills = c->ops[0] == 'f' && !isnan(parameter(c, 1, FILLING));
        if (!fills) assert_int_equal(fused.no_nans, 0);
        if (fills && fused.n_ops == 2) assert_int_equal(fused.no_nans, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_give_the_oracles_bits),
                                       cmocka_unit_test(what_is_fused_is_what_may_be)};
    return RUN_PER_ISA(tests);
}
