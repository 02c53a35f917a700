/* SPDX-License-Identifier: Apache-2.0
 * A tree over a step's columns -> typed steps. Types are NumPy's (NEP 50): what is computed of two
 * dtypes is of their joint one, a number in the text takes the column's, functions of integers are
 * float64, comparisons give bool. Integers are computed in 64 bits, whatever is stored. Whatever has no
 * column in it is computed here, by the functions that devices have. */
#include <math.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/estimators/expression.h"
#include "kernels/functions.h"

/* What a node is: a number, or a step's value. */
struct value {
    int constant;
    double number;
    int64_t whole;
    int is_whole;    /* constant: an integer */
    quern_type type; /* else: NumPy's dtype; `work` may differ for BOOL */
    uint32_t step, work, port;
};

struct lowering {
    struct qn_stage *stage;
    const struct qn_expr *expr;
    int64_t each;
    struct qn_expr_steps *out;
    struct value *values; /* of the nodes */
    uint32_t at;          /* of the node at hand, for messages */
};

#define WHO(l) ((l)->stage->estimator->type->name)
#define WRONG(l, ...) qn_expr_error(WHO(l), (l)->expr, (l)->at, __VA_ARGS__)

/* ---- numbers ---- */

static struct value number(double x)
{
    return (struct value){.constant = 1, .number = x};
}

static struct value whole(int64_t x)
{
    return (struct value){.constant = 1, .number = (double)x, .whole = x, .is_whole = 1};
}

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

static struct value fold_two(const struct qn_expr_node *node, struct value a, struct value b)
{
    double x = a.number, y = b.number;
    int64_t w;
    if (a.is_whole && b.is_whole && fold_whole(node->code, a.whole, b.whole, &w)) return whole(w);
    switch (node->code) {
    case QN_EXPR_ADD: return number(x + y);
    case QN_EXPR_SUB: return number(x - y);
    case QN_EXPR_MUL: return number(x * y);
    case QN_EXPR_DIV: return number(x / y);
    case QN_EXPR_POW: return number(qn_pow(x, y));
    case QN_EXPR_LESS: return whole(x < y);
    case QN_EXPR_LESS_EQUAL: return whole(x <= y);
    case QN_EXPR_GREATER: return whole(x > y);
    case QN_EXPR_GREATER_EQUAL: return whole(x >= y);
    case QN_EXPR_EQUAL: return whole(x == y);
    case QN_EXPR_DIFFERENT: return whole(x != y);
    case QN_EXPR_AND: return whole(x != 0 && y != 0);
    case QN_EXPR_OR: return whole(x != 0 || y != 0);
    case QN_EXPR_MIN: return isnan(x) || x < y ? a : b;
    default: return isnan(x) || x > y ? a : b; /* MAX */
    }
}

static struct value fold_one(const struct qn_expr_node *node, struct value a)
{
    double x = a.number;
    int64_t w;
    switch (node->code) {
    case QN_EXPR_NEGATE: return a.is_whole && a.whole != INT64_MIN ? whole(-a.whole) : number(-x);
    case QN_EXPR_NOT: return whole(x == 0);
    case QN_EXPR_ISNAN: return whole(isnan(x));
    case QN_EXPR_ISINF: return whole(isinf(x));
    case QN_EXPR_ISFINITE: return whole(isfinite(x));
    case QN_EXPR_ABS:
        if (!a.is_whole || a.whole == INT64_MIN) return number(fabs(x));
        return whole(a.whole < 0 ? -a.whole : a.whole);
    case QN_EXPR_SQUARE:
        return a.is_whole && fold_whole(QN_EXPR_MUL, a.whole, a.whole, &w) ? whole(w)
                                                                           : number(x * x);
    case QN_EXPR_FLOAT32: return number((double)(float)x);
    case QN_EXPR_FLOAT64: return number(x);
    default: return number(qn_function(node->op, x, 0));
    }
}

static struct value fold(const struct qn_expr_node *node, const struct value *a)
{
    if (node->n_args == 1) return fold_one(node, a[0]);
    if (node->n_args == 2) return fold_two(node, a[0], a[1]);
    if (node->code == QN_EXPR_WHERE) return a[0].number != 0 ? a[1] : a[2];
    struct qn_expr_node least = {.code = QN_EXPR_MAX}, most = {.code = QN_EXPR_MIN};
    return fold_two(&most, fold_two(&least, a[0], a[1]), a[2]); /* CLIP */
}

/* ---- steps ---- */

static quern_status push(struct lowering *l, struct qn_expr_step step, uint32_t *out)
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

static quern_status apply(struct lowering *l, uint32_t op, uint64_t p0, uint64_t p1, uint32_t work,
                          struct value *v)
{
    struct qn_expr_step step = {
        .kind = QN_STEP_OP, .op = op, .args = {v->step}, .p0 = p0, .p1 = p1, .work = work};
    v->work = work;
    return push(l, step, &v->step);
}

/* A float32 parameter is the double of the same value. */
static uint64_t word_of(struct value c, uint32_t work)
{
    if (work == QN_W_I64) return qn_word_i64(c.whole);
    return qn_word_f64(work == QN_W_F32 ? (double)(float)c.number : c.number);
}

static uint64_t real_word(double x)
{
    return qn_word_f64(x);
}

/* ---- types ---- */

static quern_type float_of(quern_type type)
{
    return type == QUERN_FLOAT32 ? QUERN_FLOAT32 : QUERN_FLOAT64;
}

static quern_type with_number(quern_type type, struct value c)
{
    if (qn_type_is_float(type)) return type;
    if (!c.is_whole) return QUERN_FLOAT64;
    return type == QUERN_BOOL ? QUERN_INT64 : type;
}

static quern_type joint(struct value a, struct value b)
{
    if (a.constant && b.constant) return a.is_whole && b.is_whole ? QUERN_INT64 : QUERN_FLOAT64;
    if (a.constant) return with_number(b.type, a);
    if (b.constant) return with_number(a.type, b);
    return qn_result_type(a.type, b.type);
}

/* NumPy refuses a Python integer that an array's dtype does not hold, too. */
static quern_status check_range(struct lowering *l, struct value c, quern_type type)
{
    if (!c.constant || !qn_type_is_integer(type) || type == QUERN_BOOL) return QUERN_OK;
    unsigned bits = 8 * (unsigned)qn_type_bytes(type);
    int is_signed = type >= QUERN_INT8 && type <= QUERN_INT64;
    int64_t least = is_signed ? -1 - (int64_t)(UINT64_MAX >> (65 - bits)) : 0;
    int64_t most = is_signed    ? (int64_t)(UINT64_MAX >> (65 - bits))
                   : bits == 64 ? INT64_MAX
                                : (int64_t)(UINT64_MAX >> (64 - bits));
    if (c.whole >= least && c.whole <= most) return QUERN_OK;
    return WRONG(l, "%lld does not fit the column's %s", (long long)c.whole, qn_type_name(type));
}

/* Integers are computed as int64, which does not hold all of uint64. */
static quern_status check_whole(struct lowering *l, quern_type type)
{
    if (type != QUERN_UINT64) return QUERN_OK;
    return WRONG(l,
                 "uint64 is not computed with as an integer; write float64(…) around the column");
}

static quern_status convert(struct lowering *l, uint32_t work, struct value *v)
{
    static const uint32_t codes[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
    if (v->constant || v->work == work) return QUERN_OK;
    return apply(l, codes[work], 0, 0, work, v);
}

/* The value in a dtype; a column that is only loaded is loaded so. */
static quern_status as(struct lowering *l, quern_type type, struct value *v)
{
    uint32_t work = qn_work_of(type);
    if (v->constant) return QUERN_OK;
    struct qn_expr_step *step = &l->out->steps[v->step];
    if (step->kind == QN_STEP_LEAF && v->work != work && work != QN_W_I64) {
        struct qn_port port;
        QN_TRY(qn_port_convert(l->stage, &l->stage->in[v->port], type, &port));
        struct qn_expr_step leaf = {.kind = QN_STEP_LEAF, .leaf = port.chain, .work = work};
        QN_TRY(push(l, leaf, &v->step));
        v->work = work;
    } else if (qn_type_is_float(type)) {
        QN_TRY(check_whole(l, v->type));
    }
    v->type = type;
    return convert(l, work, v);
}

/* A constant where a column is wanted: a column, of which nothing is left. `like`: a value beside it. */
static quern_status fill(struct lowering *l, uint32_t work, struct value like, struct value *v)
{
    if (!v->constant) return QUERN_OK;
    struct qn_expr_step step = {.kind = QN_STEP_CONSTANT,
                                .leaf = l->stage->in[like.port].chain,
                                .p0 = word_of(*v, work),
                                .work = work};
    v->constant = 0;
    v->work = work;
    v->port = like.port;
    return push(l, step, &v->step);
}

/* a op b, both of working type `work`. */
static quern_status join(struct lowering *l, uint32_t op, uint32_t work, struct value a,
                         struct value b, quern_type type, struct value *out)
{
    QN_TRY(fill(l, work, b, &a));
    QN_TRY(fill(l, work, a, &b));
    struct qn_expr_step step = {
        .kind = QN_STEP_JOIN, .op = op, .args = {a.step, b.step}, .work = work};
    *out = (struct value){.type = type, .work = work, .port = a.port};
    return push(l, step, &out->step);
}

/* ---- arithmetic ---- */

static uint64_t minus_one(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(-1) : qn_word_f64(-1);
}

static quern_status negate(struct lowering *l, struct value *v)
{
    if (v->type == QUERN_BOOL) return WRONG(l, "bool has no minus; write not");
    QN_TRY(check_whole(l, v->type));
    return apply(l, QN_OP_MUL, minus_one(v->work), 0, v->work, v);
}

static quern_status sum(struct lowering *l, enum qn_expr_code code, struct value a, struct value b,
                        struct value *out)
{
    quern_type type = joint(a, b);
    uint32_t work = qn_work_of(type);
    if (type == QUERN_BOOL && code == QN_EXPR_SUB)
        return WRONG(l, "bool less bool is nothing; write != for one of both");
    QN_TRY(check_whole(l, type));
    QN_TRY(check_range(l, a, type));
    QN_TRY(check_range(l, b, type));
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    int mul = code == QN_EXPR_MUL;
    if (a.constant && code != QN_EXPR_SUB) {
        *out = b;
        return apply(l, mul ? QN_OP_MUL : QN_OP_ADD, word_of(a, work), 0, work, out);
    }
    if (a.constant) { /* c - x is -x + c, to the bit */
        *out = b;
        QN_TRY(negate(l, out));
        return apply(l, QN_OP_ADD, word_of(a, work), 0, work, out);
    }
    if (b.constant) {
        *out = a;
        return apply(l,
                     mul                   ? QN_OP_MUL
                     : code == QN_EXPR_ADD ? QN_OP_ADD
                                           : QN_OP_SUB,
                     word_of(b, work), 0, work, out);
    }
    uint32_t op = mul                   ? QN_OP_JOIN_MUL
                  : type == QUERN_BOOL  ? QN_OP_JOIN_MAX /* NumPy: or */
                  : code == QN_EXPR_ADD ? QN_OP_JOIN_ADD
                                        : QN_OP_JOIN_SUB;
    return join(l, op, work, a, b, type, out);
}

static quern_status quotient(struct lowering *l, struct value a, struct value b, struct value *out)
{
    quern_type type = float_of(joint(a, b));
    uint32_t work = qn_work_of(type);
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    *out = a.constant ? b : a;
    if (a.constant) return apply(l, QN_OP_RDIV, word_of(a, work), 0, work, out);
    if (b.constant) return apply(l, QN_OP_DIV, word_of(b, work), 0, work, out);
    return join(l, QN_OP_JOIN_DIV, work, a, b, type, out);
}

/* A column of `c`, of the value's type. */
static quern_status only(struct lowering *l, uint64_t word, struct value *v)
{
    if (v->work != QN_W_I64) QN_TRY(apply(l, QN_OP_FILL, word, 0, v->work, v));
    return apply(l, QN_OP_CLIP, word, word, v->work, v);
}

static quern_status square(struct lowering *l, struct value *v)
{
    if (v->type == QUERN_BOOL) QN_TRY(as(l, QUERN_INT64, v));
    if (v->work != QN_W_I64) return apply(l, QN_OP_SQUARE, 0, 0, v->work, v);
    QN_TRY(check_whole(l, v->type));
    return join(l, QN_OP_JOIN_MUL, v->work, *v, *v, v->type, v);
}

/* Products, as many as it takes: an integer's power is one. */
static quern_status whole_power(struct lowering *l, int64_t n, struct value *v)
{
    QN_TRY(check_whole(l, v->type));
    if (n < 0) return WRONG(l, "an integer to a negative power; write float64(…) around it");
    if (n > QN_EXPR_MOST_POWER)
        return WRONG(l, "an integer to a power above %d; write %lld.0", QN_EXPR_MOST_POWER,
                     (long long)n);
    if (n == 0) return only(l, qn_word_i64(1), v);
    struct value base = *v;
    for (int64_t i = 1; i < n; i++) QN_TRY(join(l, QN_OP_JOIN_MUL, v->work, *v, base, v->type, v));
    return QUERN_OK;
}

/* The exponents that NumPy's ** has shorter ways for. */
static quern_status power_of(struct lowering *l, double c, struct value *v)
{
    if (c == 1) return QUERN_OK;
    if (c == 0) return only(l, real_word(1), v);
    if (c == 2) return apply(l, QN_OP_SQUARE, 0, 0, v->work, v);
    if (c == 0.5) return apply(l, QN_OP_SQRT, 0, 0, v->work, v);
    if (c == -1) return apply(l, QN_OP_RECIPROCAL, 0, 0, v->work, v);
    return apply(l, QN_OP_POW, word_of(number(c), v->work), 0, v->work, v);
}

static quern_status power(struct lowering *l, struct value a, struct value b, struct value *out)
{
    quern_type type = joint(a, b);
    if (type == QUERN_BOOL) type = QUERN_INT64;
    if (!qn_type_is_float(type) && !b.constant)
        return WRONG(l, "an integer to the power of a column; write float64(…) around it");
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    *out = a;
    if (!qn_type_is_float(type)) return whole_power(l, b.whole, out);
    if (b.constant) return power_of(l, b.number, out);
    return join(l, QN_OP_JOIN_POW, qn_work_of(type), a, b, type, out);
}

/* ---- truth ---- */

static quern_status is_zero(struct lowering *l, struct value *v)
{
    v->type = QUERN_BOOL;
    return apply(l, QN_OP_EQUAL, 0, 0, v->work, v); /* the word of 0 is that of 0.0 */
}

/* 1 where the value is not 0. */
static quern_status truth(struct lowering *l, struct value *v)
{
    if (v->constant) {
        *v = whole(v->number != 0);
        return QUERN_OK;
    }
    if (v->type == QUERN_BOOL) return QUERN_OK;
    QN_TRY(is_zero(l, v));
    return is_zero(l, v);
}

/* The constant whose `x > it` is x >= c: the number before it. */
static uint64_t at_least(double c, uint32_t work)
{
    if (work == QN_W_F32) return real_word((double)nextafterf((float)c, -INFINITY));
    return real_word(nextafter(c, -INFINITY));
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
static quern_status compare_whole(struct lowering *l, enum qn_expr_code code, struct value c,
                                  struct value *v)
{
    int above_c = code == QN_EXPR_GREATER || code == QN_EXPR_LESS_EQUAL;
    if (!above_c && c.whole == INT64_MIN) { /* all are at least that */
        v->type = QUERN_BOOL;
        return only(l, qn_word_i64(code == QN_EXPR_GREATER_EQUAL), v);
    }
    QN_TRY(apply(l, QN_OP_GREATER, qn_word_i64(above_c ? c.whole : c.whole - 1), 0, v->work, v));
    if (code == QN_EXPR_LESS || code == QN_EXPR_LESS_EQUAL) return is_zero(l, v);
    return QUERN_OK;
}

/* x op c, floats: less is greater of the negatives, or equal is greater than the number before. */
static quern_status compare_float(struct lowering *l, enum qn_expr_code code, struct value c,
                                  struct value *v)
{
    if (code == QN_EXPR_LESS || code == QN_EXPR_LESS_EQUAL) {
        QN_TRY(apply(l, QN_OP_MUL, minus_one(v->work), 0, v->work, v));
        c = number(-c.number);
    }
    uint64_t bound = code == QN_EXPR_LESS || code == QN_EXPR_GREATER ? word_of(c, v->work)
                                                                     : at_least(c.number, v->work);
    return apply(l, QN_OP_GREATER, bound, 0, v->work, v);
}

static quern_status compare_number(struct lowering *l, enum qn_expr_code code, struct value c,
                                   struct value *v)
{
    if (code == QN_EXPR_EQUAL || code == QN_EXPR_DIFFERENT) {
        QN_TRY(apply(l, QN_OP_EQUAL, word_of(c, v->work), 0, v->work, v));
        if (code == QN_EXPR_DIFFERENT) QN_TRY(is_zero(l, v));
    } else if (v->work == QN_W_I64) {
        QN_TRY(compare_whole(l, code, c, v));
    } else {
        QN_TRY(compare_float(l, code, c, v));
    }
    v->type = QUERN_BOOL;
    return QUERN_OK;
}

/* The word of an infinite bound has no number before or behind it; a NaN is none. */
static int is_plain(struct value c, uint32_t work)
{
    return c.constant &&
           (work == QN_W_I64 || isfinite(work == QN_W_F32 ? (double)(float)c.number : c.number));
}

static quern_status compare(struct lowering *l, enum qn_expr_code code, struct value a,
                            struct value b, struct value *out)
{
    static const uint32_t ops[] = {QN_OP_JOIN_LESS,    QN_OP_JOIN_LESS_EQUAL,
                                   QN_OP_JOIN_GREATER, QN_OP_JOIN_GREATER_EQUAL,
                                   QN_OP_JOIN_EQUAL,   QN_OP_JOIN_EQUAL};
    quern_type type = joint(a, b);
    QN_TRY(check_whole(l, type));
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    uint32_t work = qn_work_of(type);
    if (is_plain(a, work) || is_plain(b, work)) {
        *out = a.constant ? b : a;
        return compare_number(l, a.constant ? mirrored(code) : code, a.constant ? a : b, out);
    }
    QN_TRY(join(l, ops[code - QN_EXPR_LESS], work, a, b, QUERN_BOOL, out));
    return code == QN_EXPR_DIFFERENT ? is_zero(l, out) : QUERN_OK;
}

static quern_status logic(struct lowering *l, enum qn_expr_code code, struct value a,
                          struct value b, struct value *out)
{
    QN_TRY(truth(l, &a));
    QN_TRY(truth(l, &b));
    if (a.constant || b.constant) { /* one of both decides, or does not matter */
        struct value c = a.constant ? a : b, v = a.constant ? b : a;
        *out = (c.whole != 0) == (code == QN_EXPR_AND) ? v : c;
        return QUERN_OK;
    }
    uint32_t work = a.work == b.work ? a.work : QN_W_F64;
    QN_TRY(convert(l, work, &a));
    QN_TRY(convert(l, work, &b));
    return join(l, code == QN_EXPR_AND ? QN_OP_JOIN_MUL : QN_OP_JOIN_MAX, work, a, b, QUERN_BOOL,
                out);
}

/* isinf, isfinite, isnan. */
static quern_status kind(struct lowering *l, enum qn_expr_code code, struct value v,
                         struct value *out)
{
    *out = v;
    int is_float = v.work != QN_W_I64;
    if (code == QN_EXPR_ISINF && is_float) {
        QN_TRY(apply(l, QN_OP_ABS, 0, 0, v.work, out));
        QN_TRY(apply(l, QN_OP_EQUAL, real_word(INFINITY), 0, v.work, out));
    } else if (code == QN_EXPR_ISFINITE && is_float) { /* others times 0 are NaN */
        QN_TRY(apply(l, QN_OP_MUL, real_word(0), 0, v.work, out));
        QN_TRY(apply(l, QN_OP_EQUAL, real_word(0), 0, v.work, out));
    } else {
        QN_TRY(apply(l, QN_OP_MISSING, 0, 0, v.work, out));
        if (code == QN_EXPR_ISFINITE) QN_TRY(is_zero(l, out));
    }
    out->type = QUERN_BOOL;
    return QUERN_OK;
}

/* ---- choices ---- */

static uint64_t lowest(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(INT64_MIN) : real_word(-INFINITY);
}

static uint64_t highest(uint32_t work)
{
    return work == QN_W_I64 ? qn_word_i64(INT64_MAX) : real_word(INFINITY);
}

static int is_bound(struct value c)
{
    return c.constant && !isnan(c.number);
}

static quern_status extreme(struct lowering *l, enum qn_expr_code code, struct value a,
                            struct value b, struct value *out)
{
    quern_type type = joint(a, b);
    uint32_t work = qn_work_of(type);
    QN_TRY(check_whole(l, type));
    QN_TRY(check_range(l, a, type));
    QN_TRY(check_range(l, b, type));
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    if (!is_bound(a) && !is_bound(b))
        return join(l, code == QN_EXPR_MIN ? QN_OP_JOIN_MIN : QN_OP_JOIN_MAX, work, a, b, type,
                    out);
    uint64_t bound = word_of(is_bound(a) ? a : b, work);
    *out = is_bound(a) ? b : a;
    if (code == QN_EXPR_MIN) return apply(l, QN_OP_CLIP, lowest(work), bound, work, out);
    return apply(l, QN_OP_CLIP, bound, highest(work), work, out);
}

/* The smaller of the greater, as NumPy has it. */
static quern_status clip(struct lowering *l, const struct value *a, struct value *out)
{
    static const struct qn_expr_node greater = {.code = QN_EXPR_MAX};
    struct value v = a[0];
    if (v.constant || !is_bound(a[1]) || !is_bound(a[2])) {
        if (v.constant && a[1].constant)
            v = fold_two(&greater, v, a[1]);
        else
            QN_TRY(extreme(l, QN_EXPR_MAX, a[0], a[1], &v));
        return extreme(l, QN_EXPR_MIN, v, a[2], out);
    }
    quern_type type = with_number(with_number(v.type, a[1]), a[2]);
    uint32_t work = qn_work_of(type);
    QN_TRY(check_whole(l, type));
    QN_TRY(check_range(l, a[1], type));
    QN_TRY(check_range(l, a[2], type));
    QN_TRY(as(l, type, &v));
    *out = v;
    return apply(l, QN_OP_CLIP, word_of(a[1], work), word_of(a[2], work), work, out);
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
static int is_filling(const struct lowering *l, const struct qn_expr_node *node)
{
    const struct qn_expr_node *condition = &l->expr->nodes[node->args[0]];
    const struct value *a = l->values;
    struct value c = a[node->args[1]], v = a[node->args[2]];
    return condition->code == QN_EXPR_ISNAN && c.constant && !v.constant &&
           qn_type_is_float(v.type) && same(l->expr, condition->args[0], node->args[2]);
}

static quern_status choice(struct lowering *l, const struct qn_expr_node *node,
                           const struct value *args, struct value *out)
{
    struct value c = args[0], a = args[1], b = args[2];
    if (is_filling(l, node)) {
        *out = b;
        return apply(l, QN_OP_FILL, word_of(a, b.work), 0, b.work, out);
    }
    quern_type type = joint(a, b);
    uint32_t work = qn_work_of(type);
    QN_TRY(truth(l, &c));
    QN_TRY(check_range(l, a, type));
    QN_TRY(check_range(l, b, type));
    QN_TRY(as(l, type, &a));
    QN_TRY(as(l, type, &b));
    if (c.constant) {
        *out = c.whole != 0 ? a : b;
        return QUERN_OK;
    }
    QN_TRY(convert(l, work, &c));
    QN_TRY(fill(l, work, c, &a));
    QN_TRY(fill(l, work, c, &b));
    struct qn_expr_step step = {.kind = QN_STEP_JOIN,
                                .op = QN_OP_JOIN_WHERE,
                                .args = {c.step, a.step, b.step},
                                .work = work};
    *out = (struct value){.type = type, .work = work, .port = c.port};
    return push(l, step, &out->step);
}

/* ---- names ---- */

static quern_status leaf(struct lowering *l, uint32_t i, struct value *out)
{
    struct qn_stage *stage = l->stage;
    const struct qn_port *in = &stage->in[i];
    struct qn_port port = *in;
    if (in->raw)
        return WRONG(l, "column \"%.80s\" is of type %s; expressions are of numbers", in->name,
                     qn_type_name(in->type));
    /* integers that may be missing are doubles */
    if (!qn_type_is_float(in->type) && in->type != QUERN_BOOL && in->chain->work != QN_W_I64)
        QN_TRY(qn_port_convert(stage, in, QUERN_FLOAT64, &port));
    struct qn_expr_step step = {.kind = QN_STEP_LEAF, .leaf = port.chain, .work = port.chain->work};
    *out = (struct value){.type = port.type, .work = step.work, .port = i};
    return push(l, step, &out->step);
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

static quern_status no_column(struct lowering *l, const char *name)
{
    char hint[160];
    if (strcmp(name, "x") == 0)
        return WRONG(l, "the step has no column \"x\"; with each: true, x is each of its columns");
    const char **names = qn_arena_alloc(l->stage->arena, l->stage->n_in, sizeof *names);
    if (names == NULL) return qn_stage_memory(l->stage);
    for (uint32_t i = 0; i < l->stage->n_in; i++) names[i] = l->stage->in[i].name;
    return WRONG(l, "the step has no column \"%.80s\"%s", name,
                 qn_did_you_mean(hint, sizeof hint, name, names, l->stage->n_in));
}

static quern_status name(struct lowering *l, const struct qn_expr_node *node, struct value *out)
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
            *out = number(constants[k].value);
            return QUERN_OK;
        }
    return no_column(l, node->name);
}

/* ---- nodes ---- */

static quern_status magnitude(struct lowering *l, struct value *v)
{
    struct value minus = *v;
    if (v->work != QN_W_I64) return apply(l, QN_OP_ABS, 0, 0, v->work, v);
    if (v->type < QUERN_INT8 || v->type > QUERN_INT64) return QUERN_OK;
    QN_TRY(negate(l, &minus));
    return join(l, QN_OP_JOIN_MAX, v->work, *v, minus, v->type, v);
}

static quern_status lower_one(struct lowering *l, const struct qn_expr_node *node, struct value v,
                              struct value *out)
{
    *out = v;
    switch (node->code) {
    case QN_EXPR_NEGATE: return negate(l, out);
    case QN_EXPR_NOT: QN_TRY(truth(l, out)); return is_zero(l, out);
    case QN_EXPR_ISNAN:
    case QN_EXPR_ISINF:
    case QN_EXPR_ISFINITE: return kind(l, node->code, v, out);
    case QN_EXPR_ABS: return magnitude(l, out);
    case QN_EXPR_SQUARE: return square(l, out);
    case QN_EXPR_FLOAT32: return as(l, QUERN_FLOAT32, out);
    case QN_EXPR_FLOAT64: return as(l, QUERN_FLOAT64, out);
    default: QN_TRY(as(l, float_of(v.type), out)); return apply(l, node->op, 0, 0, out->work, out);
    }
}

static quern_status lower_node(struct lowering *l, const struct qn_expr_node *node,
                               struct value *out)
{
    struct value a[3];
    int constant = node->n_args != 0;
    l->at = node->at;
    for (uint32_t i = 0; i < node->n_args; i++) {
        a[i] = l->values[node->args[i]];
        constant &= a[i].constant;
    }
    if (node->code == QN_EXPR_NUMBER) {
        *out = node->is_whole ? whole(node->whole) : number(node->number);
        return QUERN_OK;
    }
    if (node->n_args == 0) return name(l, node, out);
    if (constant) {
        *out = fold(node, a);
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
    case QN_EXPR_OR: return logic(l, node->code, a[0], a[1], out);
    case QN_EXPR_MIN:
    case QN_EXPR_MAX: return extreme(l, node->code, a[0], a[1], out);
    case QN_EXPR_CLIP: return clip(l, a, out);
    case QN_EXPR_WHERE: return choice(l, node, a, out);
    default: return compare(l, node->code, a[0], a[1], out);
    }
}

/* The first column of numbers: what a constant fills. */
static quern_status any_column(struct lowering *l, struct value *out)
{
    for (uint32_t i = 0; i < l->stage->n_in; i++)
        if (!l->stage->in[i].raw) {
            *out = (struct value){.port = i};
            return QUERN_OK;
        }
    return qn_error(QUERN_INVALID, "%s: \"%.200s\" needs a column of numbers", WHO(l),
                    l->expr->text);
}

quern_status qn_expr_lower(struct qn_stage *stage, const struct qn_expr *expr, int64_t each,
                           struct qn_expr_steps *steps, struct qn_expr_result *out)
{
    struct lowering l = {.stage = stage, .expr = expr, .each = each, .out = steps};
    *steps = (struct qn_expr_steps){0};
    l.values = qn_arena_alloc(stage->arena, expr->n_nodes, sizeof *l.values);
    if (l.values == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < expr->n_nodes; i++)
        QN_TRY(lower_node(&l, &expr->nodes[i], &l.values[i]));
    struct value v = l.values[expr->n_nodes - 1], like = v;
    if (v.constant) {
        QN_TRY(any_column(&l, &like));
        v.type = v.is_whole ? QUERN_INT64 : QUERN_FLOAT64;
        QN_TRY(fill(&l, qn_work_of(v.type), like, &v));
    }
    /* truth is kept as a float while it may be missing, and is so at an expression's end no more */
    if (v.type == QUERN_BOOL && steps->steps[v.step].kind != QN_STEP_LEAF)
        QN_TRY(convert(&l, QN_W_I64, &v));
    *out = (struct qn_expr_result){.type = v.type, .step = v.step, .port = v.port};
    return QUERN_OK;
}
