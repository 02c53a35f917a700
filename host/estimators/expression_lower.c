/* SPDX-License-Identifier: Apache-2.0
 * A tree over a step's columns -> typed steps. Types are NumPy's (NEP 50): what is computed of two
 * dtypes is of their joint one, a number in the text takes the column's, functions of integers are
 * float64, comparisons give bool. Integers are computed in 64 bits, whatever is stored. Whatever has no
 * column in it is computed at once, by the functions that devices have (expression_steps.c). */
#include <math.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/estimators/expression_inside.h"

/* ---- arithmetic ---- */

static quern_type float_of(quern_type type)
{
    return type == QUERN_FLOAT32 ? QUERN_FLOAT32 : QUERN_FLOAT64;
}

static uint64_t minus_one(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(-1) : qn_word_f64(-1);
}

static quern_status negate(struct qn_expr_lowering *l, struct qn_expr_value *v)
{
    if (v->type == QUERN_BOOL) return QN_EXPR_WRONG(l, "bool has no minus; write not");
    QN_TRY(qn_expr_check_whole(l, v->type));
    return qn_expr_apply(l, QN_OP_MUL, minus_one(v->work), 0, v->work, v);
}

static quern_status sum(struct qn_expr_lowering *l, enum qn_expr_code code, struct qn_expr_value a,
                        struct qn_expr_value b, struct qn_expr_value *out)
{
    quern_type type = qn_expr_joint(a, b);
    uint32_t work = qn_work_of(type);
    if (type == QUERN_BOOL && code == QN_EXPR_SUB)
        return QN_EXPR_WRONG(l, "bool less bool is nothing; write != for one of both");
    QN_TRY(qn_expr_check_whole(l, type));
    QN_TRY(qn_expr_check_range(l, a, type));
    QN_TRY(qn_expr_check_range(l, b, type));
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    int mul = code == QN_EXPR_MUL;
    if (a.constant && code != QN_EXPR_SUB) {
        *out = b;
        return qn_expr_apply(l, mul ? QN_OP_MUL : QN_OP_ADD, qn_expr_word_of(a, work), 0, work,
                             out);
    }
    if (a.constant) { /* c - x is -x + c, to the bit */
        *out = b;
        QN_TRY(negate(l, out));
        return qn_expr_apply(l, QN_OP_ADD, qn_expr_word_of(a, work), 0, work, out);
    }
    if (b.constant) {
        *out = a;
        return qn_expr_apply(l,
                             mul                   ? QN_OP_MUL
                             : code == QN_EXPR_ADD ? QN_OP_ADD
                                                   : QN_OP_SUB,
                             qn_expr_word_of(b, work), 0, work, out);
    }
    uint32_t op = mul                   ? QN_OP_JOIN_MUL
                  : type == QUERN_BOOL  ? QN_OP_JOIN_MAX /* NumPy: or */
                  : code == QN_EXPR_ADD ? QN_OP_JOIN_ADD
                                        : QN_OP_JOIN_SUB;
    return qn_expr_join(l, op, work, a, b, type, out);
}

static quern_status quotient(struct qn_expr_lowering *l, struct qn_expr_value a,
                             struct qn_expr_value b, struct qn_expr_value *out)
{
    quern_type type = float_of(qn_expr_joint(a, b));
    uint32_t work = qn_work_of(type);
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    *out = a.constant ? b : a;
    if (a.constant) return qn_expr_apply(l, QN_OP_RDIV, qn_expr_word_of(a, work), 0, work, out);
    if (b.constant) return qn_expr_apply(l, QN_OP_DIV, qn_expr_word_of(b, work), 0, work, out);
    return qn_expr_join(l, QN_OP_JOIN_DIV, work, a, b, type, out);
}

static quern_status square(struct qn_expr_lowering *l, struct qn_expr_value *v)
{
    if (v->type == QUERN_BOOL) QN_TRY(qn_expr_as(l, QUERN_INT64, v));
    if (v->work != QN_W_I64) return qn_expr_apply(l, QN_OP_SQUARE, 0, 0, v->work, v);
    QN_TRY(qn_expr_check_whole(l, v->type));
    return qn_expr_join(l, QN_OP_JOIN_MUL, v->work, *v, *v, v->type, v);
}

/* Products, as many as it takes: an integer's power is one. */
static quern_status whole_power(struct qn_expr_lowering *l, int64_t n, struct qn_expr_value *v)
{
    QN_TRY(qn_expr_check_whole(l, v->type));
    if (n < 0)
        return QN_EXPR_WRONG(l, "an integer to a negative power; write float64(…) around it");
    if (n > QN_EXPR_MOST_POWER)
        return QN_EXPR_WRONG(l, "an integer to a power above %d; write %lld.0", QN_EXPR_MOST_POWER,
                             (long long)n);
    if (n == 0) return qn_expr_only(l, qn_word_i64(1), v);
    struct qn_expr_value base = *v;
    for (int64_t i = 1; i < n; i++)
        QN_TRY(qn_expr_join(l, QN_OP_JOIN_MUL, v->work, *v, base, v->type, v));
    return QUERN_OK;
}

/* The exponents that NumPy's ** has shorter ways for. */
static quern_status power_of(struct qn_expr_lowering *l, double c, struct qn_expr_value *v)
{
    if (c == 1) return QUERN_OK;
    if (c == 0) return qn_expr_only(l, qn_word_f64(1), v);
    if (c == 2) return qn_expr_apply(l, QN_OP_SQUARE, 0, 0, v->work, v);
    if (c == 0.5) return qn_expr_apply(l, QN_OP_SQRT, 0, 0, v->work, v);
    if (c == -1) return qn_expr_apply(l, QN_OP_RECIPROCAL, 0, 0, v->work, v);
    return qn_expr_apply(l, QN_OP_POW, qn_expr_word_of(qn_expr_number(c), v->work), 0, v->work, v);
}

static quern_status power(struct qn_expr_lowering *l, struct qn_expr_value a,
                          struct qn_expr_value b, struct qn_expr_value *out)
{
    quern_type type = qn_expr_joint(a, b);
    if (type == QUERN_BOOL) type = QUERN_INT64;
    if (!qn_type_is_float(type) && !b.constant)
        return QN_EXPR_WRONG(l, "an integer to the power of a column; write float64(…) around it");
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    *out = a;
    if (!qn_type_is_float(type)) return whole_power(l, b.whole, out);
    if (b.constant) return power_of(l, b.number, out);
    return qn_expr_join(l, QN_OP_JOIN_POW, qn_work_of(type), a, b, type, out);
}

/* ---- names ---- */

static quern_status leaf(struct qn_expr_lowering *l, uint32_t i, struct qn_expr_value *out)
{
    struct qn_stage *stage = l->stage;
    const struct qn_port *in = &stage->in[i];
    struct qn_port port = *in;
    if (in->raw)
        return QN_EXPR_WRONG(l, "column \"%.80s\" is of type %s; expressions are of numbers",
                             in->name, qn_type_name(in->type));
    /* integers that may be missing are doubles */
    if (!qn_type_is_float(in->type) && in->type != QUERN_BOOL && in->chain->work != QN_W_I64)
        QN_TRY(qn_port_convert(stage, in, QUERN_FLOAT64, &port));
    struct qn_expr_step step = {.kind = QN_STEP_LEAF, .leaf = port.chain, .work = port.chain->work};
    *out = (struct qn_expr_value){.type = port.type, .work = step.work, .port = i};
    return qn_expr_push(l, step, &out->step);
}

static int find_column(const struct qn_stage *stage, const char *name, uint32_t *out)
{
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (strcmp(stage->in[i].name, name) == 0) {
            *out = i;
            return 1;
        }
    return 0;
}

static quern_status no_column(struct qn_expr_lowering *l, const char *name)
{
    char hint[160];
    if (strcmp(name, "x") == 0)
        return QN_EXPR_WRONG(
            l, "the step has no column \"x\"; with each: true, x is each of its columns");
    const char **names = qn_arena_alloc(l->stage->arena, l->stage->n_in, sizeof *names);
    if (names == NULL) return qn_stage_memory(l->stage);
    for (uint32_t i = 0; i < l->stage->n_in; i++) names[i] = l->stage->in[i].name;
    return QN_EXPR_WRONG(l, "the step has no column \"%.80s\"%s", name,
                         qn_did_you_mean(hint, sizeof hint, name, names, l->stage->n_in));
}

static quern_status name(struct qn_expr_lowering *l, const struct qn_expr_node *node,
                         struct qn_expr_value *out)
{
    static const struct {
        const char *name;
        double value;
    } constants[] = {
        {"e", 2.718281828459045}, {"inf", INFINITY}, {"nan", NAN}, {"pi", 3.141592653589793}};
    uint32_t i;
    int bare = node->code == QN_EXPR_NAME;
    if (bare && l->each >= 0 && strcmp(node->name, "x") == 0)
        return leaf(l, (uint32_t)l->each, out);
    if (find_column(l->stage, node->name, &i)) return leaf(l, i, out);
    for (size_t k = 0; bare && k < sizeof constants / sizeof *constants; k++)
        if (strcmp(constants[k].name, node->name) == 0) {
            *out = qn_expr_number(constants[k].value);
            return QUERN_OK;
        }
    return no_column(l, node->name);
}

/* ---- nodes ---- */

static quern_status magnitude(struct qn_expr_lowering *l, struct qn_expr_value *v)
{
    struct qn_expr_value minus = *v;
    if (v->work != QN_W_I64) return qn_expr_apply(l, QN_OP_ABS, 0, 0, v->work, v);
    if (v->type < QUERN_INT8 || v->type > QUERN_INT64) return QUERN_OK;
    QN_TRY(negate(l, &minus));
    return qn_expr_join(l, QN_OP_JOIN_MAX, v->work, *v, minus, v->type, v);
}

static quern_status lower_one(struct qn_expr_lowering *l, const struct qn_expr_node *node,
                              struct qn_expr_value v, struct qn_expr_value *out)
{
    *out = v;
    switch (node->code) {
    case QN_EXPR_NEGATE: return negate(l, out);
    case QN_EXPR_NOT: QN_TRY(qn_expr_truth(l, out)); return qn_expr_is_zero(l, out);
    case QN_EXPR_ISNAN:
    case QN_EXPR_ISINF:
    case QN_EXPR_ISFINITE: return qn_expr_kind_of(l, node->code, v, out);
    case QN_EXPR_ABS: return magnitude(l, out);
    case QN_EXPR_SQUARE: return square(l, out);
    case QN_EXPR_FLOAT32: return qn_expr_as(l, QUERN_FLOAT32, out);
    case QN_EXPR_FLOAT64: return qn_expr_as(l, QUERN_FLOAT64, out);
    default:
        QN_TRY(qn_expr_as(l, float_of(v.type), out));
        return qn_expr_apply(l, node->op, 0, 0, out->work, out);
    }
}

static quern_status lower_node(struct qn_expr_lowering *l, const struct qn_expr_node *node,
                               struct qn_expr_value *out)
{
    struct qn_expr_value a[3];
    int constant = node->n_args != 0;
    l->at = node->at;
    for (uint32_t i = 0; i < node->n_args; i++) {
        a[i] = l->values[node->args[i]];
        constant &= a[i].constant;
    }
    if (node->code == QN_EXPR_NUMBER) {
        *out = node->is_whole ? qn_expr_whole(node->whole) : qn_expr_number(node->number);
        return QUERN_OK;
    }
    if (node->n_args == 0) return name(l, node, out);
    if (constant) {
        *out = qn_expr_fold(node, a);
        return QUERN_OK;
    }
    if (node->n_args == 1) return lower_one(l, node, a[0], out);
    switch (node->code) {
    case QN_EXPR_ADD:
    case QN_EXPR_SUB:
    case QN_EXPR_MUL: return sum(l, node->code, a[0], a[1], out);
    case QN_EXPR_DIV: return quotient(l, a[0], a[1], out);
    case QN_EXPR_POW: return power(l, a[0], a[1], out);
    case QN_EXPR_AND:
    case QN_EXPR_OR: return qn_expr_logic(l, node->code, a[0], a[1], out);
    case QN_EXPR_MIN:
    case QN_EXPR_MAX: return qn_expr_extreme(l, node->code, a[0], a[1], out);
    case QN_EXPR_CLIP: return qn_expr_clip(l, a, out);
    case QN_EXPR_WHERE: return qn_expr_choice(l, node, a, out);
    default: return qn_expr_compare(l, node->code, a[0], a[1], out);
    }
}

/* The first column of numbers: what a constant fills. */
static quern_status any_column(struct qn_expr_lowering *l, struct qn_expr_value *out)
{
    for (uint32_t i = 0; i < l->stage->n_in; i++)
        if (!l->stage->in[i].raw) {
            *out = (struct qn_expr_value){.port = i};
            return QUERN_OK;
        }
    return qn_error(QUERN_INVALID, "%s: \"%.200s\" needs a column of numbers", QN_EXPR_WHO(l),
                    l->expr->text);
}

quern_status qn_expr_lower(struct qn_stage *stage, const struct qn_expr *expr, int64_t each,
                           struct qn_expr_steps *steps, struct qn_expr_result *out)
{
    struct qn_expr_lowering l = {.stage = stage, .expr = expr, .each = each, .out = steps};
    *steps = (struct qn_expr_steps){0};
    l.values = qn_arena_alloc(stage->arena, expr->n_nodes, sizeof *l.values);
    if (l.values == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < expr->n_nodes; i++)
        QN_TRY(lower_node(&l, &expr->nodes[i], &l.values[i]));
    struct qn_expr_value v = l.values[expr->n_nodes - 1], like = v;
    if (v.constant) {
        QN_TRY(any_column(&l, &like));
        v.type = v.is_whole ? QUERN_INT64 : QUERN_FLOAT64;
        QN_TRY(qn_expr_fill(&l, qn_work_of(v.type), like, &v));
    }
    /* truth is kept as a float while it may be missing, and is so at an expression's end no more */
    if (v.type == QUERN_BOOL && steps->steps[v.step].kind != QN_STEP_LEAF)
        QN_TRY(qn_expr_convert(&l, QN_W_I64, &v));
    *out = (struct qn_expr_result){.type = v.type, .step = v.step, .port = v.port};
    return QUERN_OK;
}
