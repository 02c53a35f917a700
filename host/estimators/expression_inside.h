/* SPDX-License-Identifier: Apache-2.0
 * What the files that lower an expression share: values (of nodes), and the steps that make them. */
#ifndef QN_EXPRESSION_INSIDE_H
#define QN_EXPRESSION_INSIDE_H

#include "host/estimators/expression.h"

/* What a node is: a number, or a step's value. */
struct qn_expr_value {
    int constant;
    double number;
    int64_t whole;
    int is_whole;    /* constant: an integer */
    quern_type type; /* else: NumPy's dtype; `work` may differ for BOOL */
    uint32_t step, work, port;
};

struct qn_expr_lowering {
    struct qn_stage *stage;
    const struct qn_expr *expr;
    int64_t each;
    struct qn_expr_steps *out;
    struct qn_expr_value *values; /* of the nodes */
    uint32_t at;                  /* of the node at hand, for messages */
};

#define QN_EXPR_WHO(l) ((l)->stage->estimator->type->name)
#define QN_EXPR_WRONG(l, ...) qn_expr_error(QN_EXPR_WHO(l), (l)->expr, (l)->at, __VA_ARGS__)

static inline struct qn_expr_value qn_expr_number(double x)
{
    return (struct qn_expr_value){.constant = 1, .number = x};
}

static inline struct qn_expr_value qn_expr_whole(int64_t x)
{
    return (struct qn_expr_value){.constant = 1, .number = (double)x, .whole = x, .is_whole = 1};
}

/* ---- expression_steps.c ---- */

/* A node of constants, and one of two. */
struct qn_expr_value qn_expr_fold(const struct qn_expr_node *node, const struct qn_expr_value *a);
struct qn_expr_value qn_expr_fold_two(const struct qn_expr_node *node, struct qn_expr_value a,
                                      struct qn_expr_value b);

/* *out: the new step. */
quern_status qn_expr_push(struct qn_expr_lowering *l, struct qn_expr_step step, uint32_t *out);
/* An op on the value, which becomes its result. */
quern_status qn_expr_apply(struct qn_expr_lowering *l, uint32_t op, uint64_t p0, uint64_t p1,
                           uint32_t work, struct qn_expr_value *v);
/* A constant as a parameter. */
uint64_t qn_expr_word_of(struct qn_expr_value c, uint32_t work);

/* The dtype of a column with a number, and of any two values. */
quern_type qn_expr_with_number(quern_type type, struct qn_expr_value c);
quern_type qn_expr_joint(struct qn_expr_value a, struct qn_expr_value b);
/* Errors: a constant that the dtype does not hold; a dtype that is not computed with. */
quern_status qn_expr_check_range(struct qn_expr_lowering *l, struct qn_expr_value c,
                                 quern_type type);
quern_status qn_expr_check_whole(struct qn_expr_lowering *l, quern_type type);

/* The value in a working type, and in a dtype. Constants stay as they are. */
quern_status qn_expr_convert(struct qn_expr_lowering *l, uint32_t work, struct qn_expr_value *v);
quern_status qn_expr_as(struct qn_expr_lowering *l, quern_type type, struct qn_expr_value *v);
/* A constant where a column is wanted: a column. like: a value beside it, of a column. */
quern_status qn_expr_fill(struct qn_expr_lowering *l, uint32_t work, struct qn_expr_value like,
                          struct qn_expr_value *v);
/* a op b, both of working type `work` or constants. */
quern_status qn_expr_join(struct qn_expr_lowering *l, uint32_t op, uint32_t work,
                          struct qn_expr_value a, struct qn_expr_value b, quern_type type,
                          struct qn_expr_value *out);
/* A column of one word, of the value's type. */
quern_status qn_expr_only(struct qn_expr_lowering *l, uint64_t word, struct qn_expr_value *v);

/* ---- expression_truth.c ---- */

/* bool: where the value is 0, and where it is not. */
quern_status qn_expr_is_zero(struct qn_expr_lowering *l, struct qn_expr_value *v);
quern_status qn_expr_truth(struct qn_expr_lowering *l, struct qn_expr_value *v);
quern_status qn_expr_compare(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value a, struct qn_expr_value b,
                             struct qn_expr_value *out);
quern_status qn_expr_logic(struct qn_expr_lowering *l, enum qn_expr_code code,
                           struct qn_expr_value a, struct qn_expr_value b,
                           struct qn_expr_value *out);
/* isinf, isfinite, isnan. */
quern_status qn_expr_kind_of(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value v, struct qn_expr_value *out);
/* minimum, maximum. */
quern_status qn_expr_extreme(struct qn_expr_lowering *l, enum qn_expr_code code,
                             struct qn_expr_value a, struct qn_expr_value b,
                             struct qn_expr_value *out);
/* clip and where, of three values. */
quern_status qn_expr_clip(struct qn_expr_lowering *l, const struct qn_expr_value *a,
                          struct qn_expr_value *out);
quern_status qn_expr_choice(struct qn_expr_lowering *l, const struct qn_expr_node *node,
                            const struct qn_expr_value *args, struct qn_expr_value *out);

#endif
