/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/port.h"

#include <string.h>

struct qn_chain *qn_chain_copy(struct qn_arena *arena, const struct qn_chain *chain)
{
    struct qn_chain *copy = qn_arena_alloc(arena, 1, sizeof *copy);
    if (copy != NULL) *copy = *chain;
    return copy;
}

const struct qn_chain *qn_chain_source(struct qn_arena *arena, uint32_t source, uint32_t work)
{
    struct qn_chain *chain = qn_arena_alloc(arena, 1, sizeof *chain);
    if (chain == NULL) return NULL;
    chain->source = source;
    chain->load_work = chain->work = work;
    chain->norm = -1;
    return chain;
}

static const struct qn_chain *add(struct qn_arena *arena, const struct qn_chain *chain,
                                  const struct qn_chain_op *op, uint32_t n, uint32_t work_after)
{
    struct qn_chain *next = qn_chain_copy(arena, chain);
    struct qn_chain_op *ops = qn_arena_alloc(arena, (size_t)chain->n_ops + n, sizeof *ops);
    if (next == NULL || ops == NULL) return NULL;
    if (chain->n_ops != 0) memcpy(ops, chain->ops, chain->n_ops * sizeof *ops);
    memcpy(ops + chain->n_ops, op, n * sizeof *ops);
    next->ops = ops;
    next->n_ops = chain->n_ops + n;
    next->work = work_after;
    return next;
}

const struct qn_chain *qn_chain_add(struct qn_arena *arena, const struct qn_chain *chain,
                                    uint32_t code, uint64_t p0, uint64_t p1, uint32_t work_after)
{
    struct qn_chain_op op = {.code = code, .work = chain->work, .words = {p0, p1}};
    return add(arena, chain, &op, 1, work_after);
}

const struct qn_chain *qn_chain_add_table(struct qn_arena *arena, const struct qn_chain *chain,
                                          uint32_t code, const uint64_t *table, uint32_t n,
                                          uint32_t work_after)
{
    struct qn_chain_op op = {.code = code, .work = chain->work, .table = table, .n_table = n};
    return add(arena, chain, &op, 1, work_after);
}

const struct qn_chain *qn_chain_add_spline(struct qn_arena *arena, const struct qn_chain *chain,
                                           const uint64_t *table, uint32_t n, uint32_t number)
{
    struct qn_chain_op op = {.code = QN_OP_SPLINE,
                             .work = chain->work,
                             .words = {number, 0},
                             .table = table,
                             .n_table = n};
    return add(arena, chain, &op, 1, chain->work);
}

const struct qn_chain *qn_chain_add_join(struct qn_arena *arena, const struct qn_chain *chain,
                                         uint32_t join, const struct qn_chain *operand)
{
    struct qn_chain_op ops[] = {{.code = QN_OP_TAKE, .work = chain->work, .operand = operand},
                                {.code = join, .work = chain->work}};
    const struct qn_chain *joined = add(arena, chain, ops, 2, chain->work);
    struct qn_chain *own = joined != NULL ? qn_chain_copy(arena, joined) : NULL;
    if (own == NULL) return NULL;
    own->joins = 1;
    own->refuse_nan |= operand->refuse_nan;
    own->refuse_unknown |= operand->refuse_unknown;
    if (own->unknown == NULL) own->unknown = operand->unknown;
    if (own->blame == NULL) own->blame = operand->blame;
    return own;
}

void qn_raw_fill_apply(const struct qn_raw_fill *fill, const char **text, uint64_t *bytes)
{
    if (fill == NULL) return;
    qn_raw_fill_apply(fill->before, text, bytes);
    int hit = fill->match == NULL ? *text == NULL
                                  : *text != NULL && *bytes == fill->match_bytes &&
                                        memcmp(*text, fill->match, (size_t)*bytes) == 0;
    if (!hit) return;
    *text = fill->text;
    *bytes = fill->text_bytes;
}

uint64_t qn_word_f64(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

uint64_t qn_word_i64(int64_t value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

double qn_f64_word(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

uint32_t qn_work_of(quern_type type)
{
    if (type == QUERN_FLOAT32) return QN_W_F32;
    if (type == QUERN_FLOAT64) return QN_W_F64;
    return QN_W_I64;
}

/* Bits of value that an integer type needs in a float: float32 holds 8- and 16-bit integers. */
static quern_type with_float(quern_type number, quern_type real)
{
    if (real == QUERN_FLOAT64) return QUERN_FLOAT64;
    return qn_type_bytes(number) <= 2 ? QUERN_FLOAT32 : QUERN_FLOAT64;
}

static int is_signed(quern_type type)
{
    return type >= QUERN_INT8 && type <= QUERN_INT64;
}

static quern_type signed_of(size_t bytes)
{
    return bytes == 1   ? QUERN_INT8
           : bytes == 2 ? QUERN_INT16
           : bytes == 4 ? QUERN_INT32
                        : QUERN_INT64;
}

quern_type qn_result_type(quern_type a, quern_type b)
{
    if (a == b) return a;
    if (a == QUERN_STRING || b == QUERN_STRING || a == QUERN_DATETIME || b == QUERN_DATETIME)
        return QUERN_STRING;
    if (a == QUERN_BOOL) return b;
    if (b == QUERN_BOOL) return a;
    if (qn_type_is_float(a) && qn_type_is_float(b)) return QUERN_FLOAT64;
    if (qn_type_is_float(a)) return with_float(b, a);
    if (qn_type_is_float(b)) return with_float(a, b);
    size_t na = qn_type_bytes(a), nb = qn_type_bytes(b);
    if (is_signed(a) == is_signed(b)) return na > nb ? a : b;
    size_t ns = is_signed(a) ? na : nb, nu = is_signed(a) ? nb : na;
    if (ns > nu) return signed_of(ns);
    return nu == 8 ? QUERN_FLOAT64 : signed_of(2 * nu);
}
