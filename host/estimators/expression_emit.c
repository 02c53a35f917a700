/* SPDX-License-Identifier: Apache-2.0
 * Typed steps -> the ops of one chain. The value at hand is the accumulator; what waits for another one
 * is set aside. Which of two arguments comes first is what Sethi and Ullman (1970) say: the one that
 * sets more aside. A column with ops on it alone is an operand, evaluated once for all that take it. */
#include <string.h>

#include "host/estimators/expression.h"

/* A chain in the making. */
struct code {
    const struct qn_chain *source; /* NULL: nothing is loaded yet */
    struct qn_chain_op *ops;
    uint32_t n, room, work;
    int joins;
};

struct emission {
    struct qn_stage *stage;
    const struct qn_expr *expr;
    const struct qn_expr_steps *steps;
    struct qn_expr_operands *operands;
};

/* ---- what is set aside ---- */

static uint32_t more(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t mirrored(uint32_t op)
{
    switch (op) {
    case QN_OP_JOIN_SUB: return QN_OP_JOIN_RSUB;
    case QN_OP_JOIN_DIV: return QN_OP_JOIN_RDIV;
    case QN_OP_JOIN_LESS: return QN_OP_JOIN_GREATER;
    case QN_OP_JOIN_LESS_EQUAL: return QN_OP_JOIN_GREATER_EQUAL;
    case QN_OP_JOIN_GREATER: return QN_OP_JOIN_LESS;
    case QN_OP_JOIN_GREATER_EQUAL: return QN_OP_JOIN_LESS_EQUAL;
    default: return op; /* the others do not mind */
    }
}

static void order(struct qn_expr_step *steps, struct qn_expr_step *s)
{
    const struct qn_expr_step *a = &steps[s->args[0]], *b = &steps[s->args[1]];
    if (s->kind == QN_STEP_LEAF || s->kind == QN_STEP_CONSTANT) {
        s->simple = 1;
    } else if (s->kind == QN_STEP_OP) {
        s->simple = a->simple;
        s->aside = a->aside;
    } else if (s->op == QN_OP_JOIN_WHERE) {
        const struct qn_expr_step *c = &steps[s->args[2]];
        s->aside = more(a->aside, more(1 + b->aside, 2 + c->aside));
    } else {
        s->swapped = b->aside > a->aside && s->op != QN_OP_JOIN_POW;
        s->aside = s->swapped ? more(b->aside, 1 + a->aside) : more(a->aside, 1 + b->aside);
        if (s->swapped) s->op = mirrored(s->op);
    }
}

/* ---- ops ---- */

static quern_status put(struct emission *e, struct code *c, struct qn_chain_op op)
{
    if (c->n == QN_EXPR_MOST_OPS)
        return qn_error(QUERN_UNSUPPORTED, "%s: \"%.200s\" is more than %d operations",
                        e->stage->estimator->type->name, e->expr->text, QN_EXPR_MOST_OPS);
    if (c->n == c->room) {
        uint32_t room = c->room ? 2 * c->room : 8;
        struct qn_chain_op *ops = qn_arena_alloc(e->stage->arena, room, sizeof *ops);
        if (ops == NULL) return qn_stage_memory(e->stage);
        if (c->n != 0) memcpy(ops, c->ops, c->n * sizeof *ops);
        c->ops = ops;
        c->room = room;
    }
    op.work = c->work;
    c->ops[c->n++] = op;
    return QUERN_OK;
}

static quern_status put_op(struct emission *e, struct code *c, uint32_t op, uint64_t p0,
                           uint64_t p1, uint32_t work)
{
    QN_TRY(put(e, c, (struct qn_chain_op){.code = op, .words = {p0, p1}}));
    c->work = work;
    return QUERN_OK;
}

/* What infinities a column has are nobody's before this. */
static int takes_infinite(const struct qn_chain *c)
{
    return c->takes_infinite || (c->n_ops == 0 && !c->refuse_infinite);
}

static quern_status load(struct emission *e, struct code *c, const struct qn_chain *chain)
{
    for (uint32_t i = 0; i < chain->n_ops; i++) QN_TRY(put(e, c, chain->ops[i]));
    for (uint32_t i = 0; i < chain->n_ops; i++) c->ops[i].work = chain->ops[i].work;
    c->source = chain;
    c->work = chain->work;
    return QUERN_OK;
}

/* A column that is nothing but the constant. */
static quern_status load_constant(struct emission *e, struct code *c, const struct qn_expr_step *s)
{
    static const uint32_t to[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
    double value = qn_f64_word(s->p0);
    QN_TRY(load(e, c, s->leaf));
    if (c->work != s->work) QN_TRY(put_op(e, c, to[s->work], 0, 0, s->work));
    if (s->work != QN_W_I64 && value != value) return put_op(e, c, QN_OP_MUL, s->p0, 0, s->work);
    if (s->work != QN_W_I64) QN_TRY(put_op(e, c, QN_OP_FILL, s->p0, 0, s->work));
    return put_op(e, c, QN_OP_CLIP, s->p0, s->p0, s->work);
}

static quern_status finish(struct emission *e, const struct code *c, const struct qn_chain **out)
{
    struct qn_chain *chain = qn_chain_copy(e->stage->arena, c->source);
    if (chain == NULL) return qn_stage_memory(e->stage);
    chain->takes_infinite = takes_infinite(c->source);
    chain->computed = 1;
    chain->unseen |= c->work <= QN_W_F64;
    chain->ops = c->ops;
    chain->n_ops = c->n;
    chain->work = c->work;
    chain->joins |= c->joins;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct qn_chain *operand = c->ops[i].operand;
        if (operand == NULL) continue;
        chain->refuse_nan |= operand->refuse_nan;
        chain->refuse_unknown |= operand->refuse_unknown;
        if (chain->unknown == NULL) chain->unknown = operand->unknown;
        chain->unseen |= operand->unseen && c->work <= QN_W_F64;
        chain->takes_infinite &= operand->takes_infinite;
        if (chain->blame == NULL) chain->blame = operand->blame;
    }
    *out = chain;
    return QUERN_OK;
}

static int same_chain(const struct qn_chain *a, const struct qn_chain *b)
{
    if (a->source != b->source || a->load_work != b->load_work || a->n_ops != b->n_ops) return 0;
    for (uint32_t i = 0; i < a->n_ops; i++) {
        const struct qn_chain_op *x = &a->ops[i], *y = &b->ops[i];
        if (x->code != y->code || x->work != y->work || x->words[0] != y->words[0] ||
            x->words[1] != y->words[1] || x->table != y->table)
            return 0;
    }
    return 1;
}

/* Operands that are the same are one; the latest are looked at first. */
static quern_status share(struct emission *e, const struct qn_chain **chain)
{
    struct qn_expr_operands *o = e->operands;
    for (uint32_t i = o->n; i > 0; i--)
        if (same_chain(o->chains[i - 1], *chain)) {
            *chain = o->chains[i - 1];
            return QUERN_OK;
        }
    if (o->n == o->room) {
        uint32_t room = o->room ? 2 * o->room : 8;
        const struct qn_chain **chains = qn_arena_alloc(e->stage->arena, room, sizeof *chains);
        if (chains == NULL) return qn_stage_memory(e->stage);
        if (o->n != 0) memcpy(chains, o->chains, o->n * sizeof *chains);
        o->chains = chains;
        o->room = room;
    }
    o->chains[o->n++] = *chain;
    return QUERN_OK;
}

static quern_status build(struct emission *e, uint32_t step, struct code *c);

static quern_status build_operand(struct emission *e, uint32_t step, struct code *c)
{
    struct code own = {0};
    const struct qn_chain *chain;
    QN_TRY(build(e, step, &own));
    QN_TRY(finish(e, &own, &chain));
    QN_TRY(share(e, &chain));
    QN_TRY(put(e, c, (struct qn_chain_op){.code = QN_OP_TAKE, .operand = chain}));
    c->joins = 1;
    c->work = chain->work;
    return QUERN_OK;
}

/* Goes on with the step's value; what was at hand is set aside. */
static quern_status build(struct emission *e, uint32_t step, struct code *c)
{
    const struct qn_expr_step *s = &e->steps->steps[step];
    if (s->simple && c->source != NULL) return build_operand(e, step, c);
    switch (s->kind) {
    case QN_STEP_LEAF: return load(e, c, s->leaf);
    case QN_STEP_CONSTANT: return load_constant(e, c, s);
    case QN_STEP_OP:
        QN_TRY(build(e, s->args[0], c));
        return put_op(e, c, s->op, s->p0, s->p1, s->work);
    case QN_STEP_JOIN: break;
    }
    QN_TRY(build(e, s->args[s->swapped], c));
    QN_TRY(build(e, s->args[!s->swapped], c));
    if (s->op == QN_OP_JOIN_WHERE) QN_TRY(build(e, s->args[2], c));
    return put_op(e, c, s->op, 0, 0, s->work);
}

static quern_status too_deep(const struct qn_stage *stage, const struct qn_expr *expr, uint32_t n)
{
    return qn_error(QUERN_UNSUPPORTED,
                    "%s: \"%.200s\" has %u values waiting for another one, of at most %u; give a "
                    "part of it in a step of its own",
                    stage->estimator->type->name, expr->text, n, QN_ASIDE);
}

quern_status qn_expr_emit(struct qn_stage *stage, const struct qn_expr *expr, int64_t each,
                          struct qn_expr_operands *operands, struct qn_port *out)
{
    struct qn_expr_steps steps;
    struct qn_expr_result result;
    struct emission e = {.stage = stage, .expr = expr, .steps = &steps, .operands = operands};
    struct code c = {0};
    QN_TRY(qn_expr_lower(stage, expr, each, &steps, &result));
    for (uint32_t i = 0; i < steps.n; i++) order(steps.steps, &steps.steps[i]);
    if (steps.steps[result.step].aside > QN_ASIDE)
        return too_deep(stage, expr, steps.steps[result.step].aside);
    QN_TRY(build(&e, result.step, &c));
    *out = stage->in[result.port];
    QN_TRY(finish(&e, &c, &out->chain));
    out->type = result.type;
    out->match = QN_MATCH_VALUE;
    out->may_nan = qn_type_is_float(result.type) ||
                   (result.type == QUERN_BOOL && out->chain->work != QN_W_I64);
    out->sparse = out->drops_zeros = 0;
    out->known = NULL;
    return QUERN_OK;
}
