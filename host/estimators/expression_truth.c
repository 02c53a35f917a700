/* SPDX-License-Identifier: Apache-2.0
 * Comparisons, logic and choices -> steps. Devices compare with a number in two ways, x > c and x == c: the
 * others are made of them. */
#include <math.h>
#include <string.h>

#include "host/estimators/expression_inside.h"

/* ---- truth ---- */

quern_status qn_expr_is_zero(struct qn_expr_lowering *l, struct qn_expr_value *v)
{
    v->type = QUERN_BOOL;
    return qn_expr_apply(l, QN_OP_EQUAL, 0, 0, v->work, v); /* the word of 0 is that of 0.0 */
}

/* 1 where the value is not 0. */
quern_status qn_expr_truth(struct qn_expr_lowering *l, struct qn_expr_value *v)
{
    if (v->constant) {
        *v = qn_expr_whole(v->number != 0);
        return QUERN_OK;
    }
    if (v->type == QUERN_BOOL) return QUERN_OK;
    QN_TRY(qn_expr_is_zero(l, v));
    return qn_expr_is_zero(l, v);
}

/* The constant whose `x > it` is x >= c: the number before it. */
static uint64_t at_least(double c, uint32_t work)
{
    if (work == QN_W_F32) return qn_word_f64((double)nextafterf((float)c, -INFINITY));
    return qn_word_f64(nextafter(c, -INFINITY));
}

static enum qn_expr_code mirrored(enum qn_expr_code code)
{
    switch (code) {
    case QN_EXPR_LESS: return QN_EXPR_GREATER;
    case QN_EXPR_LESS_EQUAL: return QN_EXPR_GREATER_EQUAL;
    case QN_EXPR_GREATER: return QN_EXPR_LESS;
    case QN_EXPR_GREATER_EQUAL: return QN_EXPR_LESS_EQUAL;
    default: return code;
    }
}

/* x op c, integers: there is no NaN, so that each is another one's opposite. */
static quern_status compare_whole(struct qn_expr_lowering *l, enum qn_expr_code code,
                                  struct qn_expr_value c, struct qn_expr_value *v)
{
    int above_c = code == QN_EXPR_GREATER || code == QN_EXPR_LESS_EQUAL;
    if (!above_c && c.whole == INT64_MIN) { /* all are at least that */
        v->type = QUERN_BOOL;
        return qn_expr_only(l, qn_word_i64(code == QN_EXPR_GREATER_EQUAL), v);
    }
    QN_TRY(qn_expr_apply(l, QN_OP_GREATER, qn_word_i64(above_c ? c.whole : c.whole - 1), 0, v->work,
                         v));
    if (code == QN_EXPR_LESS || code == QN_EXPR_LESS_EQUAL) return qn_expr_is_zero(l, v);
    return QUERN_OK;
}

/* x op c, floats: less is greater of the negatives, or equal is greater than the number before. */
static quern_status compare_float(struct qn_expr_lowering *l, enum qn_expr_code code,
                                  struct qn_expr_value c, struct qn_expr_value *v)
{
    if (code == QN_EXPR_LESS || code == QN_EXPR_LESS_EQUAL) {
        QN_TRY(qn_expr_apply(l, QN_OP_MUL, qn_word_f64(-1), 0, v->work, v));
        c = qn_expr_number(-c.number);
    }
    uint64_t bound = code == QN_EXPR_LESS || code == QN_EXPR_GREATER ? qn_expr_word_of(c, v->work)
                                                                     : at_least(c.number, v->work);
    return qn_expr_apply(l, QN_OP_GREATER, bound, 0, v->work, v);
}

static quern_status compare_number(struct qn_expr_lowering *l, enum qn_expr_code code,
                                   struct qn_expr_value c, struct qn_expr_value *v)
{
    if (code == QN_EXPR_EQUAL || code == QN_EXPR_DIFFERENT) {
        QN_TRY(qn_expr_apply(l, QN_OP_EQUAL, qn_expr_word_of(c, v->work), 0, v->work, v));
        if (code == QN_EXPR_DIFFERENT) QN_TRY(qn_expr_is_zero(l, v));
    } else if (v->work == QN_W_I64) {
        QN_TRY(compare_whole(l, code, c, v));
    } else {
        QN_TRY(compare_float(l, code, c, v));
    }
    v->type = QUERN_BOOL;
    return QUERN_OK;
}

/* The word of an infinite bound has no number before or behind it; a NaN is none. */
static int is_plain(struct qn_expr_value c, uint32_t work)
{
    return c.constant &&
           (work == QN_W_I64 || isfinite(work == QN_W_F32 ? (double)(float)c.number : c.number));
}

quern_status qn_expr_compare(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value a, struct qn_expr_value b,
                             struct qn_expr_value *out)
{
    static const uint32_t ops[] = {QN_OP_JOIN_LESS,    QN_OP_JOIN_LESS_EQUAL,
                                   QN_OP_JOIN_GREATER, QN_OP_JOIN_GREATER_EQUAL,
                                   QN_OP_JOIN_EQUAL,   QN_OP_JOIN_EQUAL};
    quern_type type = qn_expr_joint(a, b);
    QN_TRY(qn_expr_check_whole(l, type));
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    uint32_t work = qn_work_of(type);
    if (is_plain(a, work) || is_plain(b, work)) {
        *out = a.constant ? b : a;
        return compare_number(l, a.constant ? mirrored(code) : code, a.constant ? a : b, out);
    }
    QN_TRY(qn_expr_join(l, ops[code - QN_EXPR_LESS], work, a, b, QUERN_BOOL, out));
    return code == QN_EXPR_DIFFERENT ? qn_expr_is_zero(l, out) : QUERN_OK;
}

quern_status qn_expr_logic(struct qn_expr_lowering *l, enum qn_expr_code code,
                           struct qn_expr_value a, struct qn_expr_value b,
                           struct qn_expr_value *out)
{
    QN_TRY(qn_expr_truth(l, &a));
    QN_TRY(qn_expr_truth(l, &b));
    if (a.constant || b.constant) { /* one of both decides, or does not matter */
        struct qn_expr_value c = a.constant ? a : b, v = a.constant ? b : a;
        *out = (c.whole != 0) == (code == QN_EXPR_AND) ? v : c;
        return QUERN_OK;
    }
    uint32_t work = a.work == b.work ? a.work : QN_W_F64;
    QN_TRY(qn_expr_convert(l, work, &a));
    QN_TRY(qn_expr_convert(l, work, &b));
    return qn_expr_join(l, code == QN_EXPR_AND ? QN_OP_JOIN_MUL : QN_OP_JOIN_MAX, work, a, b,
                        QUERN_BOOL, out);
}

/* isinf, isfinite, isnan. */
quern_status qn_expr_kind_of(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value v, struct qn_expr_value *out)
{
    *out = v;
    int is_float = v.work != QN_W_I64;
    if (code == QN_EXPR_ISINF && is_float) {
        QN_TRY(qn_expr_apply(l, QN_OP_ABS, 0, 0, v.work, out));
        QN_TRY(qn_expr_apply(l, QN_OP_EQUAL, qn_word_f64(INFINITY), 0, v.work, out));
    } else if (code == QN_EXPR_ISFINITE && is_float) { /* others times 0 are NaN */
        QN_TRY(qn_expr_apply(l, QN_OP_MUL, qn_word_f64(0), 0, v.work, out));
        QN_TRY(qn_expr_apply(l, QN_OP_EQUAL, qn_word_f64(0), 0, v.work, out));
    } else {
        QN_TRY(qn_expr_apply(l, QN_OP_MISSING, 0, 0, v.work, out));
        if (code == QN_EXPR_ISFINITE) QN_TRY(qn_expr_is_zero(l, out));
    }
    out->type = QUERN_BOOL;
    return QUERN_OK;
}

/* ---- choices ---- */

static uint64_t lowest(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(INT64_MIN) : qn_word_f64(-INFINITY);
}

static uint64_t highest(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(INT64_MAX) : qn_word_f64(INFINITY);
}

static int is_bound(struct qn_expr_value c)
{
    return c.constant && !isnan(c.number);
}

quern_status qn_expr_extreme(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value a, struct qn_expr_value b,
                             struct qn_expr_value *out)
{
    quern_type type = qn_expr_joint(a, b);
    uint32_t work = qn_work_of(type);
    QN_TRY(qn_expr_check_whole(l, type));
    QN_TRY(qn_expr_check_range(l, a, type));
    QN_TRY(qn_expr_check_range(l, b, type));
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    if (!is_bound(a) && !is_bound(b))
        return qn_expr_join(l, code == QN_EXPR_MIN ? QN_OP_JOIN_MIN : QN_OP_JOIN_MAX, work, a, b,
                            type, out);
    uint64_t bound = qn_expr_word_of(is_bound(a) ? a : b, work);
    *out = is_bound(a) ? b : a;
    if (code == QN_EXPR_MIN) return qn_expr_apply(l, QN_OP_CLIP, lowest(work), bound, work, out);
    return qn_expr_apply(l, QN_OP_CLIP, bound, highest(work), work, out);
}

/* The smaller of the greater, as NumPy has it. */
quern_status qn_expr_clip(struct qn_expr_lowering *l, const struct qn_expr_value *a,
                          struct qn_expr_value *out)
{
    static const struct qn_expr_node greater = {.code = QN_EXPR_MAX};
    struct qn_expr_value v = a[0];
    if (v.constant || !is_bound(a[1]) || !is_bound(a[2])) {
        if (v.constant && a[1].constant)
            v = qn_expr_fold_two(&greater, v, a[1]);
        else
            QN_TRY(qn_expr_extreme(l, QN_EXPR_MAX, a[0], a[1], &v));
        return qn_expr_extreme(l, QN_EXPR_MIN, v, a[2], out);
    }
    quern_type type = qn_expr_with_number(qn_expr_with_number(v.type, a[1]), a[2]);
    uint32_t work = qn_work_of(type);
    QN_TRY(qn_expr_check_whole(l, type));
    QN_TRY(qn_expr_check_range(l, a[1], type));
    QN_TRY(qn_expr_check_range(l, a[2], type));
    QN_TRY(qn_expr_as(l, type, &v));
    *out = v;
    return qn_expr_apply(l, QN_OP_CLIP, qn_expr_word_of(a[1], work), qn_expr_word_of(a[2], work),
                         work, out);
}

/* Whether two nodes are the same text in other words. */
static int same(const struct qn_expr *e, uint32_t a, uint32_t b)
{
    const struct qn_expr_node *x = &e->nodes[a], *y = &e->nodes[b];
    if (x->code != y->code || x->op != y->op || x->n_args != y->n_args) return 0;
    if (x->name != NULL && strcmp(x->name, y->name) != 0) return 0;
    if (x->code == QN_EXPR_NUMBER && x->number != y->number) return 0;
    for (uint32_t i = 0; i < x->n_args; i++)
        if (!same(e, x->args[i], y->args[i])) return 0;
    return 1;
}

/* where(isnan(v), c, v) */
static int is_filling(const struct qn_expr_lowering *l, const struct qn_expr_node *node)
{
    const struct qn_expr_node *condition = &l->expr->nodes[node->args[0]];
    const struct qn_expr_value *a = l->values;
    struct qn_expr_value c = a[node->args[1]], v = a[node->args[2]];
    return condition->code == QN_EXPR_ISNAN && c.constant && !v.constant &&
           qn_type_is_float(v.type) && same(l->expr, condition->args[0], node->args[2]);
}

quern_status qn_expr_choice(struct qn_expr_lowering *l, const struct qn_expr_node *node,
                            const struct qn_expr_value *args, struct qn_expr_value *out)
{
    struct qn_expr_value c = args[0], a = args[1], b = args[2];
    if (is_filling(l, node)) {
        *out = b;
        return qn_expr_apply(l, QN_OP_FILL, qn_expr_word_of(a, b.work), 0, b.work, out);
    }
    quern_type type = qn_expr_joint(a, b);
    uint32_t work = qn_work_of(type);
    QN_TRY(qn_expr_truth(l, &c));
    QN_TRY(qn_expr_check_range(l, a, type));
    QN_TRY(qn_expr_check_range(l, b, type));
    QN_TRY(qn_expr_as(l, type, &a));
    QN_TRY(qn_expr_as(l, type, &b));
    if (c.constant) {
        *out = c.whole != 0 ? a : b;
        return QUERN_OK;
    }
    QN_TRY(qn_expr_convert(l, work, &c));
    QN_TRY(qn_expr_fill(l, work, c, &a));
    QN_TRY(qn_expr_fill(l, work, c, &b));
    struct qn_expr_step step = {.kind = QN_STEP_JOIN,
                                .op = QN_OP_JOIN_WHERE,
                                .args = {c.step, a.step, b.step},
                                .work = work};
    *out = (struct qn_expr_value){.type = type, .work = work, .port = c.port};
    return qn_expr_push(l, step, &out->step);
}
