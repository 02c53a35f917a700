/* SPDX-License-Identifier: Apache-2.0
 * What lowering is made of: constants, computed here by the functions that devices have, steps, and
 * dtypes. */
#include <math.h>
#include <string.h>

#include "host/estimators/expression_inside.h"
#include "kernels/functions.h"

/* ---- numbers ---- */

/* What stays below 2^53 stays an integer; in doubles it is exact. */
static int fold_whole(enum qn_expr_code code, int64_t a, int64_t b, int64_t *out)
{
    double x = (double)a, y = (double)b, r = 1;
    switch (code) {
    case QN_EXPR_ADD: r = x + y; break;
    case QN_EXPR_SUB: r = x - y; break;
    case QN_EXPR_MUL: r = x * y; break;
    case QN_EXPR_POW:
        if (b < 0) return 0;
        for (int64_t i = 0; i < b && fabs(r) < 0x1p53 && r != 0 && i < 64; i++) r *= x;
        if (b > 64 && fabs(x) > 1) return 0;
        if (b > 64 && x == -1) r = b % 2 == 0 ? 1 : -1;
        break;
    default: return 0;
    }
    if (!(fabs(r) < 0x1p53)) return 0;
    *out = (int64_t)r;
    return 1;
}

struct qn_expr_value qn_expr_fold_two(const struct qn_expr_node *node, struct qn_expr_value a,
                                      struct qn_expr_value b)
{
    double x = a.number, y = b.number;
    int64_t w;
    if (a.is_whole && b.is_whole && fold_whole(node->code, a.whole, b.whole, &w))
        return qn_expr_whole(w);
    switch (node->code) {
    case QN_EXPR_ADD: return qn_expr_number(x + y);
    case QN_EXPR_SUB: return qn_expr_number(x - y);
    case QN_EXPR_MUL: return qn_expr_number(x * y);
    case QN_EXPR_DIV: return qn_expr_number(x / y);
    case QN_EXPR_POW: return qn_expr_number(qn_pow(x, y));
    case QN_EXPR_LESS: return qn_expr_whole(x < y);
    case QN_EXPR_LESS_EQUAL: return qn_expr_whole(x <= y);
    case QN_EXPR_GREATER: return qn_expr_whole(x > y);
    case QN_EXPR_GREATER_EQUAL: return qn_expr_whole(x >= y);
    case QN_EXPR_EQUAL: return qn_expr_whole(x == y);
    case QN_EXPR_DIFFERENT: return qn_expr_whole(x != y);
    case QN_EXPR_AND: return qn_expr_whole(x != 0 && y != 0);
    case QN_EXPR_OR: return qn_expr_whole(x != 0 || y != 0);
    case QN_EXPR_MIN: return isnan(x) || x < y ? a : b;
    default: return isnan(x) || x > y ? a : b; /* MAX */
    }
}

static struct qn_expr_value fold_one(const struct qn_expr_node *node, struct qn_expr_value a)
{
    double x = a.number;
    int64_t w;
    switch (node->code) {
    case QN_EXPR_NEGATE:
        return a.is_whole && a.whole != INT64_MIN ? qn_expr_whole(-a.whole) : qn_expr_number(-x);
    case QN_EXPR_NOT: return qn_expr_whole(x == 0);
    case QN_EXPR_ISNAN: return qn_expr_whole(isnan(x));
    case QN_EXPR_ISINF: return qn_expr_whole(isinf(x));
    case QN_EXPR_ISFINITE: return qn_expr_whole(isfinite(x));
    case QN_EXPR_ABS:
        if (!a.is_whole || a.whole == INT64_MIN) return qn_expr_number(fabs(x));
        return qn_expr_whole(a.whole < 0 ? -a.whole : a.whole);
    case QN_EXPR_SQUARE:
        return a.is_whole && fold_whole(QN_EXPR_MUL, a.whole, a.whole, &w) ? qn_expr_whole(w)
                                                                           : qn_expr_number(x * x);
    case QN_EXPR_FLOAT32: return qn_expr_number((double)(float)x);
    case QN_EXPR_FLOAT64: return qn_expr_number(x);
    default: return qn_expr_number(qn_function(node->op, x, 0));
    }
}

struct qn_expr_value qn_expr_fold(const struct qn_expr_node *node, const struct qn_expr_value *a)
{
    if (node->n_args == 1) return fold_one(node, a[0]);
    if (node->n_args == 2) return qn_expr_fold_two(node, a[0], a[1]);
    if (node->code == QN_EXPR_WHERE) return a[0].number != 0 ? a[1] : a[2];
    struct qn_expr_node least = {.code = QN_EXPR_MAX}, most = {.code = QN_EXPR_MIN};
    return qn_expr_fold_two(&most, qn_expr_fold_two(&least, a[0], a[1]), a[2]); /* CLIP */
}

/* ---- steps ---- */

quern_status qn_expr_push(struct qn_expr_lowering *l, struct qn_expr_step step, uint32_t *out)
{
    struct qn_expr_steps *s = l->out;
    if (s->n == s->room) {
        uint32_t room = s->room ? 2 * s->room : 32;
        struct qn_expr_step *more = qn_arena_alloc(l->stage->arena, room, sizeof *more);
        if (more == NULL) return qn_stage_memory(l->stage);
        if (s->n != 0) memcpy(more, s->steps, s->n * sizeof *more);
        s->steps = more;
        s->room = room;
    }
    *out = s->n;
    s->steps[s->n++] = step;
    return QUERN_OK;
}

quern_status qn_expr_apply(struct qn_expr_lowering *l, uint32_t op, uint64_t p0, uint64_t p1,
                           uint32_t work, struct qn_expr_value *v)
{
    struct qn_expr_step step = {
        .kind = QN_STEP_OP, .op = op, .args = {v->step}, .p0 = p0, .p1 = p1, .work = work};
    v->work = work;
    return qn_expr_push(l, step, &v->step);
}

/* A float32 parameter is the double of the same value. */
uint64_t qn_expr_word_of(struct qn_expr_value c, uint32_t work)
{
    if (work == QN_W_I64) return qn_word_i64(c.whole);
    return qn_word_f64(work == QN_W_F32 ? (double)(float)c.number : c.number);
}

/* ---- types ---- */

quern_type qn_expr_with_number(quern_type type, struct qn_expr_value c)
{
    if (qn_type_is_float(type)) return type;
    if (!c.is_whole) return QUERN_FLOAT64;
    return type == QUERN_BOOL ? QUERN_INT64 : type;
}

quern_type qn_expr_joint(struct qn_expr_value a, struct qn_expr_value b)
{
    if (a.constant && b.constant) return a.is_whole && b.is_whole ? QUERN_INT64 : QUERN_FLOAT64;
    if (a.constant) return qn_expr_with_number(b.type, a);
    if (b.constant) return qn_expr_with_number(a.type, b);
    return qn_result_type(a.type, b.type);
}

/* NumPy refuses a Python integer that an array's dtype does not hold, too. */
quern_status qn_expr_check_range(struct qn_expr_lowering *l, struct qn_expr_value c,
                                 quern_type type)
{
    if (!c.constant || !qn_type_is_integer(type) || type == QUERN_BOOL) return QUERN_OK;
    unsigned bits = 8 * (unsigned)qn_type_bytes(type);
    int is_signed = type >= QUERN_INT8 && type <= QUERN_INT64;
    int64_t least = is_signed ? -1 - (int64_t)(UINT64_MAX >> (65 - bits)) : 0;
    int64_t most = is_signed    ? (int64_t)(UINT64_MAX >> (65 - bits))
                   : bits == 64 ? INT64_MAX
                                : (int64_t)(UINT64_MAX >> (64 - bits));
    if (c.whole >= least && c.whole <= most) return QUERN_OK;
    return QN_EXPR_WRONG(l, "%lld does not fit the column's %s", (long long)c.whole,
                         qn_type_name(type));
}

/* Integers are computed as int64, which does not hold all of uint64. */
quern_status qn_expr_check_whole(struct qn_expr_lowering *l, quern_type type)
{
    if (type != QUERN_UINT64) return QUERN_OK;
    return QN_EXPR_WRONG(
        l, "uint64 is not computed with as an integer; write float64(…) around the column");
}

quern_status qn_expr_convert(struct qn_expr_lowering *l, uint32_t work, struct qn_expr_value *v)
{
    static const uint32_t codes[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
    if (v->constant || v->work == work) return QUERN_OK;
    return qn_expr_apply(l, codes[work], 0, 0, work, v);
}

/* The value in a dtype; a column that is only loaded is loaded so. */
quern_status qn_expr_as(struct qn_expr_lowering *l, quern_type type, struct qn_expr_value *v)
{
    uint32_t work = qn_work_of(type);
    if (v->constant) return QUERN_OK;
    struct qn_expr_step *step = &l->out->steps[v->step];
    if (step->kind == QN_STEP_LEAF && v->work != work && work != QN_W_I64) {
        struct qn_port port;
        QN_TRY(qn_port_convert(l->stage, &l->stage->in[v->port], type, &port));
        struct qn_expr_step leaf = {.kind = QN_STEP_LEAF, .leaf = port.chain, .work = work};
        QN_TRY(qn_expr_push(l, leaf, &v->step));
        v->work = work;
    } else if (qn_type_is_float(type)) {
        QN_TRY(qn_expr_check_whole(l, v->type));
    }
    v->type = type;
    return qn_expr_convert(l, work, v);
}

/* A constant where a column is wanted: a column, of which nothing is left. `like`: a value beside it. */
quern_status qn_expr_fill(struct qn_expr_lowering *l, uint32_t work, struct qn_expr_value like,
                          struct qn_expr_value *v)
{
    if (!v->constant) return QUERN_OK;
    struct qn_expr_step step = {.kind = QN_STEP_CONSTANT,
                                .leaf = l->stage->in[like.port].chain,
                                .p0 = qn_expr_word_of(*v, work),
                                .work = work};
    v->constant = 0;
    v->work = work;
    v->port = like.port;
    return qn_expr_push(l, step, &v->step);
}

/* a op b, both of working type `work`. */
quern_status qn_expr_join(struct qn_expr_lowering *l, uint32_t op, uint32_t work,
                          struct qn_expr_value a, struct qn_expr_value b, quern_type type,
                          struct qn_expr_value *out)
{
    QN_TRY(qn_expr_fill(l, work, b, &a));
    QN_TRY(qn_expr_fill(l, work, a, &b));
    struct qn_expr_step step = {
        .kind = QN_STEP_JOIN, .op = op, .args = {a.step, b.step}, .work = work};
    *out = (struct qn_expr_value){.type = type, .work = work, .port = a.port};
    return qn_expr_push(l, step, &out->step);
}

/* A column of `c`, of the value's type. */
quern_status qn_expr_only(struct qn_expr_lowering *l, uint64_t word, struct qn_expr_value *v)
{
    if (v->work != QN_W_I64) QN_TRY(qn_expr_apply(l, QN_OP_FILL, word, 0, v->work, v));
    return qn_expr_apply(l, QN_OP_CLIP, word, word, v->work, v);
}
