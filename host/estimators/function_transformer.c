/* SPDX-License-Identifier: Apache-2.0
 * FunctionTransformer: columns by expressions (docs/expressions.md). scikit-learn's takes a callable of
 * Python (preprocessing/_function_transformer.py); this one takes what it would compute, as a text.
 *
 * An expression with x in it, where x is no column's name, is applied to each column: one output for
 * each. Any other gives one output. Nothing is learned. */
#include <string.h>

#include "host/estimators/expression.h"

static const struct qn_param FUNCTION_TRANSFORMER[] = {
    {"expression", QN_PARAM_EXPRESSION, "null", NULL, 1, 2,
     "what the columns become: an expression, a list of them or {name: expression}; null: as they "
     "are"},
    {"inverse", QN_PARAM_EXPRESSION, "null", NULL, 1, 1,
     "the way back: an expression in x, for one expression that is applied to each column"},
    {"each", QN_PARAM_MAYBE, "null", NULL, 0, 0,
     "whether x is each column; null: where no column is called x"},
};

/* Parses what is given, without columns. */
static quern_status check_text(const struct qn_estimator *e, struct qn_arena *arena,
                               const char *parameter, const json_t *text, struct qn_expr *out)
{
    quern_status status = qn_expr_parse(arena, e->type->name, json_string_value(text), out);
    return status == QUERN_OK ? QUERN_OK : qn_error_context(status, "%s", parameter);
}

static quern_status check_all(const struct qn_estimator *e, struct qn_arena *arena)
{
    const json_t *given = qn_param(e, "expression"), *inverse = qn_param(e, "inverse");
    struct qn_expr expr;
    const char *key;
    json_t *one;
    size_t i;
    json_array_foreach(given, i, one) QN_TRY(check_text(e, arena, "expression", one, &expr));
    json_object_foreach((json_t *)(uintptr_t)given, key, one)
        QN_TRY(check_text(e, arena, key, one, &expr));
    if (json_is_string(given)) QN_TRY(check_text(e, arena, "expression", given, &expr));
    if (json_is_null(inverse)) return QUERN_OK;
    QN_TRY(check_text(e, arena, "inverse", inverse, &expr));
    if (json_is_string(given) && qn_expr_has_x(&expr)) return QUERN_OK;
    return qn_error(QUERN_INVALID, "%s.inverse: it is an expression in x, beside one in expression",
                    e->type->name);
}

static quern_status function_check(const struct qn_estimator *e)
{
    struct qn_arena arena = {0};
    quern_status status = check_all(e, &arena);
    qn_arena_free(&arena);
    return status;
}

static quern_status function_need(struct qn_stage *stage)
{
    if (json_is_null(qn_param(stage->estimator, "expression"))) return QUERN_OK;
    return qn_stage_refuse_sparse(stage, "make it dense first");
}

static quern_status function_learn(struct qn_stage *stage)
{
    (void)stage;
    return QUERN_OK;
}

static quern_status as_they_are(struct qn_stage *stage)
{
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) stage->out[i] = stage->in[i];
    return QUERN_OK;
}

/* One of the expressions, and what its column is called. */
struct one {
    struct qn_expr expr;
    const char *name; /* {name: expression}, or NULL */
    int each;
};

static int is_each(const struct qn_stage *stage, const struct qn_expr *expr)
{
    const json_t *each = qn_param(stage->estimator, "each");
    if (json_is_boolean(each)) return json_is_true(each) && qn_expr_has_x(expr);
    if (!qn_expr_has_x(expr)) return 0;
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (strcmp(stage->in[i].name, "x") == 0) return 0;
    return 1;
}

static quern_status add_one(struct qn_stage *stage, const json_t *text, const char *name,
                            struct one *out)
{
    QN_TRY(qn_expr_parse(stage->arena, stage->estimator->type->name, json_string_value(text),
                         &out->expr));
    out->name = name;
    out->each = is_each(stage, &out->expr);
    return QUERN_OK;
}

/* The expressions in their order. */
static quern_status parse_all(struct qn_stage *stage, struct one **out, uint32_t *n)
{
    const json_t *given = qn_param(stage->estimator, "expression");
    size_t room = json_is_array(given)    ? json_array_size(given)
                  : json_is_object(given) ? json_object_size(given)
                                          : 1;
    const char *key;
    json_t *one;
    size_t i;
    *n = 0;
    *out = qn_arena_alloc(stage->arena, room, sizeof **out);
    if (*out == NULL) return qn_stage_memory(stage);
    json_array_foreach(given, i, one) QN_TRY(add_one(stage, one, NULL, &(*out)[(*n)++]));
    json_object_foreach((json_t *)(uintptr_t)given, key, one)
        QN_TRY(add_one(stage, one, key, &(*out)[(*n)++]));
    if (json_is_string(given)) QN_TRY(add_one(stage, given, NULL, &(*out)[(*n)++]));
    return QUERN_OK;
}

/* One expression for each column keeps the columns' names; several write the column for x. */
static const char *name_of(struct qn_stage *stage, const struct one *one, uint32_t column,
                           int alone)
{
    const char *in = stage->in[column].name;
    if (!one->each) return one->name != NULL ? one->name : one->expr.text;
    if (one->name != NULL) return qn_arena_printf(stage->arena, "%s_%s", one->name, in);
    return alone ? in : qn_expr_name_for(stage->arena, &one->expr, in);
}

static quern_status emit_all(struct qn_stage *stage, const struct one *list, uint32_t n)
{
    struct qn_expr_operands operands = {0};
    uint32_t at = 0, outputs = 0;
    for (uint32_t i = 0; i < n; i++) outputs += list[i].each ? stage->n_in : 1;
    QN_TRY(qn_stage_outputs(stage, outputs));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < (list[i].each ? stage->n_in : 1); k++, at++) {
            struct qn_port *out = &stage->out[at];
            QN_TRY(
                qn_expr_emit(stage, &list[i].expr, list[i].each ? (int64_t)k : -1, &operands, out));
            out->name = name_of(stage, &list[i], k, n == 1);
            if (out->name == NULL) return qn_stage_memory(stage);
        }
    return QUERN_OK;
}

static quern_status function_emit(struct qn_stage *stage)
{
    struct one *list;
    uint32_t n;
    if (json_is_null(qn_param(stage->estimator, "expression"))) return as_they_are(stage);
    QN_TRY(qn_stage_refuse_sparse(stage, "make it dense first"));
    QN_TRY(parse_all(stage, &list, &n));
    return emit_all(stage, list, n);
}

static quern_status function_invert(struct qn_stage *stage)
{
    const char *who = stage->estimator->type->name;
    const json_t *given = qn_param(stage->estimator, "expression");
    const json_t *inverse = qn_param(stage->estimator, "inverse");
    struct one one = {.each = 1};
    if (json_is_null(given)) return as_they_are(stage);
    if (json_is_null(inverse))
        return qn_error(QUERN_UNSUPPORTED, "%s has no inverse transform: inverse is not given",
                        who);
    QN_TRY(qn_expr_parse(stage->arena, who, json_string_value(given), &one.expr));
    if (!qn_expr_has_x(&one.expr))
        return qn_error(QUERN_UNSUPPORTED,
                        "%s has an inverse transform only where it is applied to each column", who);
    QN_TRY(qn_expr_parse(stage->arena, who, json_string_value(inverse), &one.expr));
    return emit_all(stage, &one, 1);
}

const struct qn_estimator_type qn_function_transformer = {
    .name = "FunctionTransformer",
    .doc = "Columns computed by expressions.",
    .params = FUNCTION_TRANSFORMER,
    .n_params = sizeof FUNCTION_TRANSFORMER / sizeof *FUNCTION_TRANSFORMER,
    .attributes = "",
    .input = "any",
    .joins = 1,
    .traits = QN_TRAIT_STATELESS,
    .check = function_check,
    .need = function_need,
    .learn = function_learn,
    .emit = function_emit,
    .invert = function_invert,
};
