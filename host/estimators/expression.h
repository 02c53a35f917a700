/* SPDX-License-Identifier: Apache-2.0
 * Expressions over columns: text -> tree -> ops of a program (docs/expressions.md has the grammar).
 *
 * A text is parsed once, without any columns. For a step's columns a tree is then lowered to steps that
 * are typed as NumPy would (expression_lower.c, with expression_truth.c and expression_steps.c), and these
 * become the ops of one chain, in an order that sets few values aside (expression_emit.c). */
#ifndef QN_EXPRESSION_H
#define QN_EXPRESSION_H

#include "host/estimators/estimator.h"

enum qn_expr_code {
    QN_EXPR_NUMBER,
    QN_EXPR_NAME,   /* a column, or else x or a constant                                         */
    QN_EXPR_COLUMN, /* `a column`, col("a column")                                               */
    QN_EXPR_ADD,
    QN_EXPR_SUB,
    QN_EXPR_MUL,
    QN_EXPR_DIV,
    QN_EXPR_POW,
    QN_EXPR_NEGATE,
    QN_EXPR_LESS,
    QN_EXPR_LESS_EQUAL,
    QN_EXPR_GREATER,
    QN_EXPR_GREATER_EQUAL,
    QN_EXPR_EQUAL,
    QN_EXPR_DIFFERENT,
    QN_EXPR_AND,
    QN_EXPR_OR,
    QN_EXPR_NOT,
    QN_EXPR_WHERE,
    QN_EXPR_MIN,
    QN_EXPR_MAX,
    QN_EXPR_CLIP,
    QN_EXPR_ISNAN,
    QN_EXPR_ISINF,
    QN_EXPR_ISFINITE,
    QN_EXPR_ABS,
    QN_EXPR_SQUARE,
    QN_EXPR_FLOAT32,
    QN_EXPR_FLOAT64,
    QN_EXPR_FUNCTION /* of one number, to a float: `op` says which */
};

/* Arguments come before what uses them. */
struct qn_expr_node {
    enum qn_expr_code code;
    uint32_t op;   /* FUNCTION: QN_OP_*                                                           */
    uint32_t at;   /* bytes before it in the text                                                 */
    uint32_t size; /* NAME, COLUMN: bytes of it in the text                                       */
    uint32_t n_args, args[3];
    const char *name; /* NAME, COLUMN                                                          */
    double number;    /* NUMBER                                                                */
    int64_t whole;    /* … the same, where it was written as an integer                        */
    int is_whole;
};

struct qn_expr {
    const char *text; /* borrowed */
    struct qn_expr_node *nodes;
    uint32_t n_nodes; /* the last one is the expression */
};

enum {
    QN_EXPR_MOST_NODES = 512, /* so many recursions at most, too                                  */
    QN_EXPR_MOST_NESTED = 64, /* parentheses and the like                                         */
    QN_EXPR_MOST_POWER = 16,  /* of integers: products                                            */
    QN_EXPR_MOST_OPS = 1024   /* of a chain                                                       */
};

/* who: begins messages. */
quern_status qn_expr_parse(struct qn_arena *, const char *who, const char *text,
                           struct qn_expr *out);
/* An error that says where: qn_expr_error(who, e, at, "%s", …). */
quern_status qn_expr_error(const char *who, const struct qn_expr *, uint32_t at, const char *format,
                           ...) QN_PRINTF(4, 5);
/* Whether the bare name x stands in it. */
int qn_expr_has_x(const struct qn_expr *);
/* The text with `column` for each bare x. NULL on exhaustion. */
const char *qn_expr_name_for(struct qn_arena *, const struct qn_expr *, const char *column);

/* ---- lowering ---- */

/* A typed step: a column, a constant in a column's place, an op on one value, a join of two, a choice. */
enum qn_expr_kind {
    QN_STEP_LEAF,
    QN_STEP_CONSTANT,
    QN_STEP_OP,
    QN_STEP_JOIN, /* QN_OP_JOIN_WHERE has three */
};

struct qn_expr_step {
    enum qn_expr_kind kind;
    uint32_t op;      /* OP, JOIN: QN_OP_*                                               */
    uint32_t args[3]; /* steps before this one                                           */
    uint64_t p0, p1;  /* OP; CONSTANT: its word                                          */
    uint32_t work;    /* QN_W_* afterwards                                               */
    const struct qn_chain *leaf; /* LEAF, CONSTANT: what is loaded                                */
    uint32_t aside; /* values set aside while it is computed                           */
    int simple;     /* a column and ops: can be an operand                             */
    int swapped;    /* JOIN: the second argument is computed first                     */
};

struct qn_expr_steps {
    struct qn_expr_step *steps;
    uint32_t n, room;
};

/* What the last step gives. */
struct qn_expr_result {
    quern_type type;
    uint32_t step, port; /* port: the first one that it reads */
};

/* each: the port that x stands for, or -1: x is no more than a name. */
quern_status qn_expr_lower(struct qn_stage *, const struct qn_expr *, int64_t each,
                           struct qn_expr_steps *steps, struct qn_expr_result *out);

/* ---- emission ---- */

/* Columns that chains of the same step take in, each once. Zeroed to begin with. */
struct qn_expr_operands {
    const struct qn_chain **chains;
    uint32_t n, room;
};

/* All of it: a port without a name. */
quern_status qn_expr_emit(struct qn_stage *, const struct qn_expr *, int64_t each,
                          struct qn_expr_operands *, struct qn_port *out);

#endif
