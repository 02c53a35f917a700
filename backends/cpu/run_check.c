/* SPDX-License-Identifier: Apache-2.0
 * Checks a program before it runs: its types, that ops fit the types they work on, and that the words and
 * operands that they name exist. */
#include "backends/cpu/chain.h"
#include "backends/cpu/run.h"
#include "kernels/bins.h"
#include "kernels/spline.h"

/* Whether the words that an op names exist: its parameters, and a table's entries. */
static int words_exist(const struct qn_batch *b, const struct qn_op *op)
{
    uint64_t n = qn_op_params(op->code);
    if (n == 0) return 1;
    if (op->arg >= b->n_words || b->n_words - op->arg < n) return 0;
    if (op->code < QN_OP_FIND) return 1;
    uint64_t first = b->words[op->arg], count = b->words[op->arg + 1];
    if (op->code == QN_OP_SPLINE)
        return first <= b->n_words && count <= b->n_words - first &&
               qn_spline_fits(b->words + first, count, b->words[op->arg + 2]);
    uint64_t least = op->code == QN_OP_FIND || op->code == QN_OP_BIN ? 0
                     : QN_OP_IS_BIN(op->code)                        ? QN_INTERP_LEAST
                                                                     : 1;
    return first <= b->n_words && count <= b->n_words - first && count >= least;
}

/* The types of the values that are aside. */
struct aside {
    uint32_t n, work[QN_ASIDE];
};

/* TAKE and JOIN_*: the types, the operand, and what is aside. */
static int joins_well(const struct qn_batch *b, const struct qn_op *op, uint32_t work,
                      struct aside *aside)
{
    if (work > QN_W_I64) return 0;
    if (op->code == QN_OP_TAKE) {
        if (op->arg >= b->n_operands || aside->n == QN_ASIDE) return 0;
        aside->work[aside->n++] = work;
        return qn_chain_final_work(b, &b->operands[op->arg]) <= QN_W_I64;
    }
    if (work == QN_W_I64 && !QN_OP_JOINS_WHOLE(op->code)) return 0;
    for (uint32_t k = op->code == QN_OP_JOIN_WHERE ? 2 : 1; k > 0; k--)
        if (aside->n == 0 || aside->work[--aside->n] != work) return 0;
    return 1;
}

static int op_fits(const struct qn_batch *b, const struct qn_op *op, uint32_t work, int operand,
                   struct aside *aside)
{
    if (operand && (op->code >= QN_OP_TAKE || op->code == QN_OP_NORM)) return 0;
    if (op->code == QN_OP_TAKE || QN_OP_IS_JOIN(op->code)) return joins_well(b, op, work, aside);
    int codes = op->code == QN_OP_REMAP || op->code == QN_OP_VALUE;
    return op->code >= QN_OP_FILL && op->code <= QN_OP_LAST && words_exist(b, op) &&
           !(codes && work != QN_W_CODE) &&
           !((QN_OP_IS_FUNCTION(op->code) || op->code == QN_OP_LOOK) && work > QN_W_F64) &&
           !(QN_OP_IS_BIN(op->code) && work > QN_W_F64) &&
           !(op->code == QN_OP_FIND && work == QN_W_CODE);
}

static quern_status check_lane(const struct qn_batch *b, const struct qn_lane *lane, uint32_t l,
                               int operand)
{
    const char *what = operand ? "operand" : "lane";
    if (qn_type_size(lane->type) == 0 || lane->work > QN_W_CODE)
        return qn_error(QUERN_INVALID, "%s %u: type %u as %u", what, l, lane->type, lane->work);
    if (lane->n_ops > b->n_ops || lane->first_op > b->n_ops - lane->n_ops)
        return qn_error(QUERN_INVALID, "%s %u: ops %u + %u of %u", what, l, lane->first_op,
                        lane->n_ops, b->n_ops);
    uint32_t work = lane->work;
    struct aside aside = {0};
    for (uint32_t i = 0; i < lane->n_ops; i++) {
        const struct qn_op *op = &b->ops[lane->first_op + i];
        if (!op_fits(b, op, work, operand, &aside))
            return qn_error(QUERN_INVALID, "%s %u: op %u on working type %u, words from %u of %u",
                            what, l, op->code, work, op->arg, b->n_words);
        work = qn_chain_op_work(b, op, work);
    }
    return aside.n == 0 ? QUERN_OK
                        : qn_error(QUERN_INVALID, "%s %u: a value is left aside", what, l);
}

quern_status qn_run_check(const struct qn_batch *b)
{
    for (uint32_t l = 0; l < b->n_operands; l++) QN_TRY(check_lane(b, &b->operands[l], l, 1));
    for (uint32_t l = 0; l < b->n_lanes; l++) QN_TRY(check_lane(b, &b->lanes[l], l, 0));
    return QUERN_OK;
}
