/* SPDX-License-Identifier: Apache-2.0
 * Ops are decoded beforehand: one number names op and working type, parameters lie beside it in that
 * type, so a step is one jump. Each lane is evaluated and stored before the next; only the lanes of
 * a norm group are evaluated twice, which needs no memory for what lies between. */
#include "backends/cpu/row.h"

#include <string.h>

#include "backends/cpu/functions.h"
#include "backends/cpu/run.h"
#include "backends/cpu/run_tile.h"
#include "backends/cpu/store.h"
#include "host/core/checked.h"
#include "kernels/bins.h"
#include "kernels/norm.h"
#include "kernels/spline.h"

union cell {
    float f32;
    double f64;
    int64_t i64;
    uint32_t code;
};

struct step {
    uint32_t what; /* STEP(op, work) */
    uint32_t k;    /* entries of the table; SPLINE: the number of the function */
    union {
        union cell p[2];
        const uint64_t *table;
    } u;
};
#define STEP(op, work) ((op)*4u + (work))

struct store {
    uint64_t offset;
    uint32_t type, size;
    uint32_t one_hot, match, count;
};

struct row_lane {
    uint32_t work, final_work;
    uint32_t first_step, before, n_steps; /* `before` of them come ahead of the norm */
    uint32_t group, joins;
    uint32_t first_store, n_stores;
};

struct qn_row_program {
    uint32_t n_lanes;
    struct row_lane *lanes; /* operands behind them */
    struct step *steps;
    struct store *stores;
    struct qn_norm_desc *norms;
    uint64_t *words; /* tables point into this copy */
};

static union cell parameter(uint64_t word, uint32_t work)
{
    union cell p = {.i64 = (int64_t)word};
    double value;
    memcpy(&value, &word, sizeof value);
    if (work == QN_W_F32) p = (union cell){.f32 = (float)value};
    if (work == QN_W_F64) p = (union cell){.f64 = value};
    if (work == QN_W_CODE) p = (union cell){.code = (uint32_t)word};
    return p;
}

static struct step decode(const struct qn_row_program *p, const struct qn_op *op, uint32_t work)
{
    struct step s = {.what = STEP(op->code, work)};
    switch (op->code) {
    case QN_OP_MISSING:
    case QN_OP_EXP:
    case QN_OP_EXPM1:
    case QN_OP_LOG:
    case QN_OP_LOG1P:
    case QN_OP_SQRT:
    case QN_OP_RECIPROCAL:
    case QN_OP_ASINH:
    case QN_OP_SIN:
    case QN_OP_COS:
    case QN_OP_NCDF:
    case QN_OP_NQUANTILE:
    case QN_OP_LOG2:
    case QN_OP_LOG10:
    case QN_OP_ABS:
    case QN_OP_SQUARE:
    case QN_OP_LOOK:
    case QN_OP_NORM:
    case QN_OP_TO_F32:
    case QN_OP_TO_F64:
    case QN_OP_TO_I64:
    case QN_OP_JOIN_ADD:
    case QN_OP_JOIN_SUB:
    case QN_OP_JOIN_RSUB:
    case QN_OP_JOIN_MUL:
    case QN_OP_JOIN_DIV:
    case QN_OP_JOIN_RDIV:
    case QN_OP_JOIN_MIN:
    case QN_OP_JOIN_MAX:
    case QN_OP_JOIN_POW:
    case QN_OP_JOIN_LESS:
    case QN_OP_JOIN_LESS_EQUAL:
    case QN_OP_JOIN_GREATER:
    case QN_OP_JOIN_GREATER_EQUAL:
    case QN_OP_JOIN_EQUAL:
    case QN_OP_JOIN_WHERE: break;
    case QN_OP_TAKE: s.k = op->arg; break;
    case QN_OP_FIND:
    case QN_OP_REMAP:
    case QN_OP_VALUE:
    case QN_OP_BIN:
    case QN_OP_INTERP:
    case QN_OP_INTERP_MEAN:
        s.u.table = p->words + p->words[op->arg];
        s.k = (uint32_t)p->words[op->arg + 1];
        break;
    case QN_OP_SPLINE:
        s.u.table = p->words + p->words[op->arg];
        s.k = (uint32_t)p->words[op->arg + 2];
        break;
    case QN_OP_FILL_EQ:
    case QN_OP_CLIP: s.u.p[1] = parameter(p->words[op->arg + 1], work); /* fallthrough */
    default: s.u.p[0] = parameter(p->words[op->arg], work);
    }
    return s;
}

/* ---- making ready ---- */

static void add_steps(struct qn_row_program *p, const struct qn_tiles *t, const struct qn_batch *b)
{
    uint32_t at = 0;
    for (uint32_t l = 0; l < b->n_lanes + b->n_operands; l++) {
        const struct qn_lane *from = l < b->n_lanes ? &b->lanes[l] : &b->operands[l - b->n_lanes];
        struct row_lane *lane = &p->lanes[l];
        *lane = (struct row_lane){.work = from->work,
                                  .final_work = t->lanes[l].final_work,
                                  .first_step = at,
                                  .before = t->lanes[l].before,
                                  .n_steps = from->n_ops,
                                  .group = t->lanes[l].group,
                                  .joins = t->lanes[l].joins};
        uint32_t work = lane->work;
        for (uint32_t i = 0; i < lane->n_steps; i++) {
            const struct qn_op *op = &b->ops[from->first_op + i];
            p->steps[at++] = decode(p, op, work);
            work = qn_chain_op_work(b, op, work);
        }
    }
}

static void add_store(struct qn_row_program *p, const struct qn_slot *slot)
{
    struct row_lane *lane = &p->lanes[slot->lane];
    struct store *next = &p->stores[lane->first_store + lane->n_stores];
    uint32_t one_hot = slot->match != QN_MATCH_VALUE;
    if (one_hot && lane->n_stores > 0) {
        struct store *last = next - 1;
        if (last->one_hot && last->type == slot->type && slot->match == last->match + last->count &&
            slot->offset == last->offset + (uint64_t)last->count * last->size) {
            last->count++;
            return;
        }
    }
    *next = (struct store){.offset = slot->offset,
                           .type = slot->type,
                           .size = qn_type_size(slot->type),
                           .one_hot = one_hot,
                           .match = slot->match,
                           .count = 1};
    lane->n_stores++;
}

/* Each lane's stores lie together, in the slots' order; the columns of a one-hot block that lie side
 * by side become one. */
static void add_stores(struct qn_row_program *p, const struct qn_slot *slots, uint32_t n_slots)
{
    uint32_t at = 0;
    for (uint32_t s = 0; s < n_slots; s++) p->lanes[slots[s].lane].n_stores++;
    for (uint32_t l = 0; l < p->n_lanes; l++) {
        p->lanes[l].first_store = at;
        at += p->lanes[l].n_stores;
        p->lanes[l].n_stores = 0;
    }
    for (uint32_t s = 0; s < n_slots; s++) add_store(p, &slots[s]);
}

quern_status qn_row_open(const struct qn_batch *b, const struct qn_slot *slots, uint32_t n_slots,
                         const struct qn_norm_desc *norms, uint32_t n_norms,
                         struct qn_row_program **out)
{
    *out = NULL;
    struct qn_tiles tiles;
    QN_TRY(qn_tiles_open(&tiles, b, slots, n_slots, norms, n_norms)); /* checks everything */
    quern_status status = QUERN_OK;
    size_t n_steps = 0;
    for (uint32_t l = 0; l < b->n_lanes; l++) n_steps += b->lanes[l].n_ops;
    for (uint32_t l = 0; l < b->n_operands; l++) n_steps += b->operands[l].n_ops;
    struct qn_row_program *p = qn_zalloc(1, sizeof *p);
    if (p == NULL) goto memory;
    p->n_lanes = b->n_lanes;
    p->lanes = qn_alloc((size_t)b->n_lanes + b->n_operands, sizeof *p->lanes);
    p->steps = qn_alloc(n_steps, sizeof *p->steps);
    p->stores = qn_alloc(n_slots, sizeof *p->stores);
    p->norms = qn_alloc(n_norms, sizeof *p->norms);
    p->words = qn_alloc(b->n_words, sizeof *p->words);
    if (p->lanes == NULL || p->steps == NULL || p->stores == NULL || p->norms == NULL ||
        p->words == NULL)
        goto memory;
    if (b->n_words > 0) memcpy(p->words, b->words, b->n_words * sizeof *p->words);
    if (n_norms > 0) memcpy(p->norms, norms, n_norms * sizeof *p->norms);
    add_steps(p, &tiles, b);
    add_stores(p, slots, n_slots);
    *out = p;
    p = NULL;
    goto cleanup;
memory:
    status = qn_error_memory("row program", n_steps * sizeof(struct step));
cleanup:
    qn_row_close(p);
    qn_tiles_close(&tiles);
    return status;
}

void qn_row_close(struct qn_row_program *p)
{
    if (p == NULL) return;
    qn_free(p->lanes);
    qn_free(p->steps);
    qn_free(p->stores);
    qn_free(p->norms);
    qn_free(p->words);
    qn_free(p);
}

/* ---- running ---- */

static uint32_t find(const struct step *s, uint32_t work, union cell x, uint32_t *seen)
{
    double v = work == QN_W_F32 ? (double)x.f32 : x.f64;
    if (work != QN_W_I64 && v != v) return s->k;
    uint32_t at = 0;
    int found = 0;
    for (uint32_t left = s->k; left > 0;) {
        uint32_t half = left / 2;
        uint64_t word = s->u.table[at + half];
        double entry;
        memcpy(&entry, &word, sizeof entry);
        int less = work == QN_W_I64 ? (int64_t)word < x.i64 : entry < v;
        if (less) {
            at += half + 1;
            left -= half + 1;
        } else {
            found = work == QN_W_I64 ? (int64_t)word == x.i64 : entry == v;
            left = half;
        }
    }
    if (found) return at;
    *seen |= QN_SEEN_UNKNOWN;
    return s->k + 1;
}

/* EXP ... RDIV; qn_tiles_open has let no other op through. */
static union cell function(const struct step *s, union cell x)
{
    if (s->what % 4u == QN_W_F32) qn_functions_f32(s->what / 4u, s->u.p[0].f32, 1, &x.f32);
    if (s->what % 4u == QN_W_F64) qn_functions_f64(s->what / 4u, s->u.p[0].f64, 1, &x.f64);
    return x;
}

static int64_t divide(int64_t x, int64_t by)
{
    if (by == 0) return 0;
    return by == -1 ? (int64_t)(0 - (uint64_t)x) : x / by;
}

#define FLOAT_STEPS(W, M)                                                                          \
    case STEP(QN_OP_FILL, W): x.M = x.M != x.M ? p[0].M : x.M; break;                              \
    case STEP(QN_OP_FILL_EQ, W): x.M = x.M == p[0].M ? p[1].M : x.M; break;                        \
    case STEP(QN_OP_SUB, W): x.M = x.M - p[0].M; break;                                            \
    case STEP(QN_OP_ADD, W): x.M = x.M + p[0].M; break;                                            \
    case STEP(QN_OP_MUL, W): x.M = x.M * p[0].M; break;                                            \
    case STEP(QN_OP_DIV, W): x.M = x.M / p[0].M; break;                                            \
    case STEP(QN_OP_CLIP, W):                                                                      \
        x.M = x.M < p[0].M ? p[0].M : x.M;                                                         \
        x.M = x.M > p[1].M ? p[1].M : x.M;                                                         \
        break;                                                                                     \
    case STEP(QN_OP_GREATER, W): x.M = x.M > p[0].M ? 1 : 0; break;                                \
    case STEP(QN_OP_MISSING, W): x.M = x.M != x.M ? 1 : 0; break;                                  \
    case STEP(QN_OP_EQUAL, W):                                                                     \
        x.M = x.M == p[0].M ? 1 : 0;                                                               \
        break

#define WHOLE_STEPS(W, M, T, U)                                                                    \
    case STEP(QN_OP_FILL_EQ, W): x.M = x.M == p[0].M ? p[1].M : x.M; break;                        \
    case STEP(QN_OP_SUB, W): x.M = (T)((U)x.M - (U)p[0].M); break;                                 \
    case STEP(QN_OP_ADD, W): x.M = (T)((U)x.M + (U)p[0].M); break;                                 \
    case STEP(QN_OP_MUL, W): x.M = (T)((U)x.M * (U)p[0].M); break;                                 \
    case STEP(QN_OP_CLIP, W):                                                                      \
        x.M = x.M < p[0].M ? p[0].M : x.M;                                                         \
        x.M = x.M > p[1].M ? p[1].M : x.M;                                                         \
        break;                                                                                     \
    case STEP(QN_OP_GREATER, W): x.M = x.M > p[0].M; break;                                        \
    case STEP(QN_OP_MISSING, W): x.M = 0; break;                                                   \
    case STEP(QN_OP_EQUAL, W):                                                                     \
        x.M = x.M == p[0].M;                                                                       \
        break

#define CONVERSIONS(OP, M, FROM_FLOAT, T)                                                          \
    case STEP(OP, QN_W_F32): x = (union cell){.M = FROM_FLOAT(x.f32)}; break;                      \
    case STEP(OP, QN_W_F64): x = (union cell){.M = FROM_FLOAT(x.f64)}; break;                      \
    case STEP(OP, QN_W_I64): x = (union cell){.M = (T)x.i64}; break;                               \
    case STEP(OP, QN_W_CODE):                                                                      \
        x = (union cell){.M = (T)x.code};                                                          \
        break

#define AS_F32(v) ((float)(v))
#define AS_F64(v) ((double)(v))

static inline union cell apply(const struct step *s, const struct step *end, union cell x,
                               uint32_t *seen)
{
    for (; s < end; s++) {
        const union cell *p = s->u.p;
        switch (s->what) {
            FLOAT_STEPS(QN_W_F32, f32);
            FLOAT_STEPS(QN_W_F64, f64);
            WHOLE_STEPS(QN_W_I64, i64, int64_t, uint64_t);
            WHOLE_STEPS(QN_W_CODE, code, uint32_t, uint32_t);
            CONVERSIONS(QN_OP_TO_F32, f32, AS_F32, float);
            CONVERSIONS(QN_OP_TO_F64, f64, AS_F64, double);
            CONVERSIONS(QN_OP_TO_I64, i64, qn_store_i64, int64_t);
        case STEP(QN_OP_LOOK, QN_W_F32):
            if (x.f32 - x.f32 != 0 && x.f32 == x.f32) *seen |= QN_SEEN_MADE_INF;
            break;
        case STEP(QN_OP_LOOK, QN_W_F64):
            if (x.f64 - x.f64 != 0 && x.f64 == x.f64) *seen |= QN_SEEN_MADE_INF;
            break;
        case STEP(QN_OP_DIV, QN_W_I64): x.i64 = divide(x.i64, p[0].i64); break;
        case STEP(QN_OP_DIV, QN_W_CODE): x.code = p[0].code != 0 ? x.code / p[0].code : 0; break;
        case STEP(QN_OP_REMAP, QN_W_CODE):
            x.code = (uint32_t)s->u.table[x.code < s->k ? x.code : s->k - 1];
            break;
        case STEP(QN_OP_VALUE, QN_W_CODE):
            memcpy(&x.f64, &s->u.table[x.code < s->k ? x.code : s->k - 1], sizeof x.f64);
            break;
        case STEP(QN_OP_FIND, QN_W_F32): x.code = find(s, QN_W_F32, x, seen); break;
        case STEP(QN_OP_FIND, QN_W_F64): x.code = find(s, QN_W_F64, x, seen); break;
        case STEP(QN_OP_FIND, QN_W_I64): x.code = find(s, QN_W_I64, x, seen); break;
        case STEP(QN_OP_BIN, QN_W_F32):
            x = (union cell){.code = qn_bin(s->u.table, s->k, (double)x.f32)};
            break;
        case STEP(QN_OP_BIN, QN_W_F64):
            x = (union cell){.code = qn_bin(s->u.table, s->k, x.f64)};
            break;
        case STEP(QN_OP_INTERP, QN_W_F32):
        case STEP(QN_OP_INTERP_MEAN, QN_W_F32):
            x.f32 = (float)qn_interp(s->u.table, s->k, (double)x.f32,
                                     s->what / 4u == QN_OP_INTERP_MEAN);
            break;
        case STEP(QN_OP_INTERP, QN_W_F64):
        case STEP(QN_OP_INTERP_MEAN, QN_W_F64):
            x.f64 = qn_interp(s->u.table, s->k, x.f64, s->what / 4u == QN_OP_INTERP_MEAN);
            break;
        case STEP(QN_OP_SPLINE, QN_W_F32):
            x.f32 = (float)qn_spline(s->u.table, s->k, (double)x.f32, seen);
            break;
        case STEP(QN_OP_SPLINE, QN_W_F64): x.f64 = qn_spline(s->u.table, s->k, x.f64, seen); break;
        default: x = function(s, x); break;
        }
    }
    return x;
}

static inline union cell load(uint32_t work, union qn_row_value v, uint32_t *seen)
{
    union cell x = {.i64 = v.i64};
    if (work > QN_W_F64) return x;
    if (v.f64 - v.f64 != 0) *seen |= v.f64 != v.f64 ? QN_SEEN_NAN : QN_SEEN_INF;
    if (work == QN_W_F32) x.f32 = (float)v.f64;
    return x;
}

static inline union cell join(uint32_t what, union cell a, union cell x)
{
#define JOINS(W, M, T, U)                                                                          \
    case STEP(QN_OP_JOIN_ADD, W): x.M = (T)((U)a.M + (U)x.M); break;                               \
    case STEP(QN_OP_JOIN_SUB, W): x.M = (T)((U)a.M - (U)x.M); break;                               \
    case STEP(QN_OP_JOIN_RSUB, W): x.M = (T)((U)x.M - (U)a.M); break;                              \
    case STEP(QN_OP_JOIN_MUL, W): x.M = (T)((U)a.M * (U)x.M); break;                               \
    case STEP(QN_OP_JOIN_LESS, W): x.M = a.M < x.M ? 1 : 0; break;                                 \
    case STEP(QN_OP_JOIN_LESS_EQUAL, W): x.M = a.M <= x.M ? 1 : 0; break;                          \
    case STEP(QN_OP_JOIN_GREATER, W): x.M = a.M > x.M ? 1 : 0; break;                              \
    case STEP(QN_OP_JOIN_GREATER_EQUAL, W): x.M = a.M >= x.M ? 1 : 0; break;                       \
    case STEP(QN_OP_JOIN_EQUAL, W):                                                                \
        x.M = a.M == x.M ? 1 : 0;                                                                  \
        break
#define FLOAT_JOINS(W, M)                                                                          \
    case STEP(QN_OP_JOIN_DIV, W): x.M = a.M / x.M; break;                                          \
    case STEP(QN_OP_JOIN_RDIV, W): x.M = x.M / a.M; break;                                         \
    case STEP(QN_OP_JOIN_MIN, W): x.M = a.M < x.M || a.M != a.M ? a.M : x.M; break;                \
    case STEP(QN_OP_JOIN_MAX, W): x.M = a.M > x.M || a.M != a.M ? a.M : x.M; break
    switch (what) {
        JOINS(QN_W_F32, f32, float, float);
        JOINS(QN_W_F64, f64, double, double);
        JOINS(QN_W_I64, i64, int64_t, uint64_t);
        FLOAT_JOINS(QN_W_F32, f32);
        FLOAT_JOINS(QN_W_F64, f64);
    case STEP(QN_OP_JOIN_MIN, QN_W_I64): x.i64 = a.i64 < x.i64 ? a.i64 : x.i64; break;
    case STEP(QN_OP_JOIN_MAX, QN_W_I64): x.i64 = a.i64 > x.i64 ? a.i64 : x.i64; break;
    case STEP(QN_OP_JOIN_POW, QN_W_F32): {
        float power;
        qn_powers_f32(1, &a.f32, &x.f32, &power);
        x.f32 = power;
        break;
    }
    case STEP(QN_OP_JOIN_POW, QN_W_F64): {
        double power;
        qn_powers_f64(1, &a.f64, &x.f64, &power);
        x.f64 = power;
        break;
    }
    default: break;
    }
#undef JOINS
#undef FLOAT_JOINS
    return x;
}

static inline int is_true(uint32_t what, union cell x)
{
    if (what % 4u == QN_W_F32) return x.f32 != 0;
    return what % 4u == QN_W_F64 ? x.f64 != 0 : x.i64 != 0;
}

/* A chain that takes in operands, which are evaluated where they are taken. */
static union cell apply_joins(const struct qn_row_program *p, const struct row_lane *lane,
                              union cell x, const union qn_row_value *values, uint32_t *seen)
{
    union cell aside[QN_ASIDE];
    uint32_t depth = 0;
    const struct step *s = p->steps + lane->first_step, *end = s + lane->n_steps;
    for (; s < end; s++) {
        uint32_t code = s->what / 4u;
        if (code == QN_OP_JOIN_WHERE) {
            depth -= 2;
            if (is_true(s->what, aside[depth])) x = aside[depth + 1];
        } else if (QN_OP_IS_JOIN(code)) {
            x = join(s->what, aside[--depth], x);
        } else if (code == QN_OP_TAKE) {
            const struct row_lane *o = &p->lanes[p->n_lanes + s->k];
            const struct step *first = p->steps + o->first_step;
            aside[depth++] = x;
            x = load(o->work, values[p->n_lanes + s->k], seen);
            x = apply(first, first + o->n_steps, x, seen);
        } else
            x = apply(s, s + 1, x, seen);
    }
    return x;
}

/* The divisor of a group's lanes. */
static double group_norm(const struct qn_row_program *p, const struct qn_norm_desc *g,
                         const union qn_row_value *values)
{
    uint32_t ignored = 0;
    struct qn_norm_f32 narrow;
    struct qn_norm_f64 wide;
    const struct row_lane *first = &p->lanes[g->first_lane];
    /* Only F32 and F64 reach a norm, and TO_* ops before it decide which: the step says. */
    uint32_t work = p->steps[first->first_step + first->before].what % 4u;
    qn_norm_begin_f32(&narrow, g->kind, g->order, g->n_lanes);
    qn_norm_begin_f64(&wide, g->kind, g->order, g->n_lanes);
    for (uint32_t i = 0; i < g->n_lanes; i++) {
        uint32_t l = work == QN_W_F32 ? qn_norm_next_f32(&narrow) : qn_norm_next_f64(&wide);
        const struct row_lane *lane = first + l;
        const struct step *s = p->steps + lane->first_step;
        union cell x = load(lane->work, values[g->first_lane + l], &ignored);
        x = apply(s, s + lane->before, x, &ignored);
        if (work == QN_W_F32)
            qn_norm_add_f32(&narrow, x.f32);
        else
            qn_norm_add_f64(&wide, x.f64);
    }
    return work == QN_W_F32 ? (double)qn_norm_end_f32(&narrow) : qn_norm_end_f64(&wide);
}

static union cell divide_by(const struct step *s, union cell x, double norm)
{
    if (s->what % 4u == QN_W_F32)
        x.f32 = x.f32 / (float)norm;
    else
        x.f64 = x.f64 / norm;
    return x;
}

#define PUT(TYPE, VALUE)                                                                           \
    do {                                                                                           \
        TYPE put_ = (TYPE)(VALUE);                                                                 \
        memcpy(to, &put_, sizeof put_);                                                            \
        return;                                                                                    \
    } while (0)

static void put_float(uint32_t type, double v, char *to)
{
    switch (type) {
    case QN_T_BOOL: PUT(uint8_t, v != 0);
    case QN_T_I8:
    case QN_T_U8: PUT(uint8_t, qn_store_i64(v));
    case QN_T_I16:
    case QN_T_U16: PUT(uint16_t, qn_store_i64(v));
    case QN_T_I32:
    case QN_T_U32: PUT(uint32_t, qn_store_i64(v));
    case QN_T_I64: PUT(int64_t, qn_store_i64(v));
    case QN_T_U64: PUT(uint64_t, qn_store_u64(v));
    case QN_T_F32: PUT(float, qn_store_f32((float)v));
    default: PUT(double, qn_store_f64(v));
    }
}

static void put_whole(uint32_t type, int64_t v, char *to)
{
    switch (type) {
    case QN_T_BOOL: PUT(uint8_t, v != 0);
    case QN_T_I8:
    case QN_T_U8: PUT(uint8_t, v);
    case QN_T_I16:
    case QN_T_U16: PUT(uint16_t, v);
    case QN_T_I32:
    case QN_T_U32: PUT(uint32_t, v);
    case QN_T_F32: PUT(float, v);
    case QN_T_F64: PUT(double, v);
    default: PUT(int64_t, v);
    }
}

static inline void put(const struct store *s, uint32_t work, union cell x, char *out)
{
    char *to = out + s->offset;
    if (s->one_hot) {
        uint32_t k = x.code - s->match;
        memset(to, 0, (size_t)s->count * s->size);
        if (k < s->count) put_whole(s->type, 1, to + (size_t)k * s->size);
    } else if (work == QN_W_F64 && s->type == QN_T_F64) {
        x.f64 = qn_store_f64(x.f64);
        memcpy(to, &x.f64, sizeof x.f64);
    } else if (work == QN_W_F64)
        put_float(s->type, x.f64, to);
    else if (work == QN_W_F32)
        put_float(s->type, (double)x.f32, to);
    else
        put_whole(s->type, work == QN_W_I64 ? x.i64 : (int64_t)x.code, to);
}

uint32_t qn_row_run(const struct qn_row_program *p, const union qn_row_value *values, void *out_row,
                    uint32_t *seen)
{
    uint32_t all = 0, group = QN_TILE_NO_GROUP;
    double norm = 1;
    for (uint32_t l = 0; l < p->n_lanes; l++) {
        const struct row_lane *lane = &p->lanes[l];
        const struct step *s = p->steps + lane->first_step;
        uint32_t mark = 0;
        union cell x = load(lane->work, values[l], &mark);
        x = lane->joins ? apply_joins(p, lane, x, values, &mark)
                        : apply(s, s + lane->before, x, &mark);
        if (lane->group != QN_TILE_NO_GROUP) {
            if (lane->group != group) norm = group_norm(p, &p->norms[lane->group], values);
            group = lane->group;
            x = divide_by(s + lane->before, x, norm);
            x = apply(s + lane->before + 1, s + lane->n_steps, x, &mark);
        }
        for (uint32_t i = 0; i < lane->n_stores; i++)
            put(&p->stores[lane->first_store + i], lane->final_work, x, out_row);
        all |= mark;
        if (seen != NULL) seen[l] |= mark;
    }
    return all;
}
