/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/chain.h"

#include <string.h>

#include "backends/cpu/bins.h"
#include "backends/cpu/functions.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/spline.h"

/* The loops of one instruction set. */
struct chain_loops {
    void (*load)(const struct qn_lane *, const char *base, uint32_t n, union qn_tile *);
    uint32_t (*seen)(uint32_t work, uint32_t n, const union qn_tile *);
    void (*ops_f32)(uint32_t code, float p0, float p1, uint32_t n, float *);
    void (*ops_f64)(uint32_t code, double p0, double p1, uint32_t n, double *);
    void (*ops_i64)(uint32_t code, int64_t p0, int64_t p1, uint32_t n, int64_t *);
    void (*ops_code)(uint32_t code, uint32_t p0, uint32_t p1, uint32_t n, uint32_t *);
    void (*convert)(uint32_t code, uint32_t work, uint32_t n, union qn_tile *);
    uint32_t (*find)(uint32_t work, const uint64_t *table, uint64_t k, uint32_t n, union qn_tile *);
    void (*remap)(const uint64_t *table, uint64_t k, uint32_t n, union qn_tile *);
    void (*value)(const uint64_t *table, uint64_t k, uint32_t n, union qn_tile *);
    /* out may be neither of the others */
    void (*join_f32)(uint32_t code, uint32_t n, const float *aside, const float *x, float *out);
    void (*join_f64)(uint32_t code, uint32_t n, const double *aside, const double *x, double *out);
    void (*join_i64)(uint32_t code, uint32_t n, const int64_t *aside, const int64_t *x,
                     int64_t *out);
    void (*where)(uint32_t work, uint32_t n, const union qn_tile *truth, const union qn_tile *aside,
                  const union qn_tile *x, union qn_tile *out);
};

/* Stored values may lie at any address: a packed struct's field is a valid column. */
#define STORED(T) typedef T stored_##T __attribute__((aligned(1), may_alias))
STORED(int8_t);
STORED(int16_t);
STORED(int32_t);
STORED(int64_t);
STORED(uint8_t);
STORED(uint16_t);
STORED(uint32_t);
STORED(uint64_t);
STORED(float);
STORED(double);
#undef STORED

static inline double word_f64(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static inline int64_t word_i64(uint64_t word)
{
    return (int64_t)word;
}

static inline int64_t to_i64(double v)
{
    if (v >= -0x1p63 && v < 0x1p63) return (int64_t)v;
    return v != v ? 0 : v < 0 ? INT64_MIN : INT64_MAX;
}

#define QN_BODY "backends/cpu/chain_body.h"
#include "backends/cpu/isa_each.h"

static const struct chain_loops *loops(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &loops_avx512;
    case QN_ISA_AVX2: return &loops_avx2;
    default: break;
    }
#endif
    return &loops_baseline;
}

/* Arrow's bitmap: a cleared bit is a missing value. Whole bytes of ones are skipped. */
static void apply_validity(const struct qn_lane *lane, uint64_t row, uint32_t n,
                           union qn_tile *tile)
{
    static const float nan_f32 = __builtin_nanf("");
    static const double nan_f64 = __builtin_nan("");
    uint64_t first = (uint64_t)lane->validity_offset + row;
    for (uint32_t i = 0; i < n;) {
        uint64_t bit = first + i;
        uint32_t byte = lane->validity[bit >> 3];
        uint32_t end = i + (8u - (uint32_t)(bit & 7));
        if (end > n) end = n;
        if (byte == 0xffu) {
            i = end;
            continue;
        }
        for (byte >>= bit & 7; i < end; i++, byte >>= 1) {
            if (byte & 1u) continue;
            if (lane->work == QN_W_F32)
                tile->f32[i] = nan_f32;
            else
                tile->f64[i] = nan_f64;
        }
    }
}

void qn_chain_load(const struct qn_lane *lane, uint64_t row, uint32_t n, union qn_tile *tile)
{
    loops()->load(lane, (const char *)lane->data + (int64_t)row * lane->stride, n, tile);
    if (lane->validity != NULL && (lane->work == QN_W_F32 || lane->work == QN_W_F64))
        apply_validity(lane, row, n, tile);
}

uint32_t qn_chain_seen(uint32_t work, uint32_t n, const union qn_tile *tile)
{
    return loops()->seen(work, n, tile);
}

/* An operand takes in none itself; its number may not have been looked at yet. */
static uint32_t operand_work(const struct qn_batch *batch, uint32_t number, uint32_t work)
{
    return number < batch->n_operands ? qn_chain_final_work(batch, &batch->operands[number]) : work;
}

uint32_t qn_chain_op_work(const struct qn_batch *batch, const struct qn_op *op, uint32_t work)
{
    switch (op->code) {
    case QN_OP_TO_F32: return QN_W_F32;
    case QN_OP_TO_F64:
    case QN_OP_VALUE: return QN_W_F64;
    case QN_OP_TO_I64: return QN_W_I64;
    case QN_OP_FIND:
    case QN_OP_BIN:
    case QN_OP_REMAP: return QN_W_CODE;
    case QN_OP_TAKE: return operand_work(batch, op->arg, work);
    default: return work;
    }
}

/* A JOIN_* leaves the type that was there before its TAKE, which the ops between come back to. */
uint32_t qn_chain_final_work(const struct qn_batch *batch, const struct qn_lane *lane)
{
    uint32_t work = lane->work;
    for (uint32_t i = 0; i < lane->n_ops; i++) {
        const struct qn_op *op = &batch->ops[lane->first_op + i];
        if (op->code != QN_OP_TAKE && !QN_OP_IS_JOIN(op->code))
            work = qn_chain_op_work(batch, op, work);
    }
    return work;
}

/* What an op without words of its own reads, so that no op can reach through a null pointer. */
static const uint64_t no_words[3] = {0, 0};

/* EXP ... RDIV; those with an exponent have a word. */
static void apply_function(const struct qn_op *op, const uint64_t *p, uint32_t work, uint32_t n,
                           union qn_tile *tile)
{
    double p0 = QN_OP_HAS_EXPONENT(op->code) ? word_f64(p[0]) : 0;
    if (work == QN_W_F32) qn_functions_f32(op->code, (float)p0, n, tile->f32);
    if (work == QN_W_F64) qn_functions_f64(op->code, p0, n, tile->f64);
}

/* The ops that act on the value alone: p0 and p1 are of the working type. */
static void apply_plain(const struct chain_loops *f, const struct qn_op *op, const uint64_t *p,
                        int two, uint32_t work, uint32_t n, union qn_tile *tile)
{
    uint64_t w0 = p[0], w1 = two ? p[1] : 0;
    switch (work) {
    case QN_W_F32:
        f->ops_f32(op->code, (float)word_f64(w0), (float)word_f64(w1), n, tile->f32);
        break;
    case QN_W_F64: f->ops_f64(op->code, word_f64(w0), word_f64(w1), n, tile->f64); break;
    case QN_W_I64: f->ops_i64(op->code, word_i64(w0), word_i64(w1), n, tile->i64); break;
    default: f->ops_code(op->code, (uint32_t)w0, (uint32_t)w1, n, tile->code); break;
    }
}

static const struct qn_starts *starts_of(const struct qn_batch *batch, uint32_t op)
{
    return batch->starts != NULL ? &batch->starts[op] : NULL;
}

uint32_t qn_chain_apply(const struct qn_batch *batch, uint32_t first_op, uint32_t n_ops,
                        uint32_t work, uint32_t n, union qn_tile *tile, uint32_t *seen)
{
    const struct chain_loops *f = loops();
    for (uint32_t o = first_op; o < first_op + n_ops; o++) {
        const struct qn_op *op = &batch->ops[o];
        const uint64_t *p = batch->words != NULL ? batch->words + op->arg : no_words;
        if (QN_OP_IS_FUNCTION(op->code)) {
            apply_function(op, p, work, n, tile);
            continue;
        }
        switch (op->code) {
        case QN_OP_NORM: break;
        case QN_OP_LOOK:
            if (seen != NULL && (f->seen(work, n, tile) & QN_SEEN_INF)) *seen |= QN_SEEN_MADE_INF;
            break;
        case QN_OP_MISSING: apply_plain(f, op, no_words, 0, work, n, tile); break;
        case QN_OP_TO_F32:
        case QN_OP_TO_F64:
        case QN_OP_TO_I64: f->convert(op->code, work, n, tile); break;
        case QN_OP_FIND: {
            uint32_t unknown = f->find(work, batch->words + p[0], p[1], n, tile);
            if (seen != NULL) *seen |= unknown;
            break;
        }
        case QN_OP_REMAP: f->remap(batch->words + p[0], p[1], n, tile); break;
        case QN_OP_VALUE: f->value(batch->words + p[0], p[1], n, tile); break;
        case QN_OP_BIN:
            qn_bins_codes(work, batch->words + p[0], p[1], starts_of(batch, o), n, tile);
            break;
        case QN_OP_INTERP:
        case QN_OP_INTERP_MEAN:
            qn_bins_interp(op->code, work, batch->words + p[0], p[1], starts_of(batch, o), n, tile);
            break;
        case QN_OP_SPLINE: {
            uint32_t number = (uint32_t)p[2], outside = 0;
            qn_splines(work, batch->words + p[0], 1, &number, n, tile, &tile, &outside);
            if (seen != NULL) *seen |= outside;
            break;
        }
        case QN_OP_FILL_EQ:
        case QN_OP_CLIP: apply_plain(f, op, p, 1, work, n, tile); break;
        default: apply_plain(f, op, p, 0, work, n, tile); break;
        }
        work = qn_chain_op_work(batch, op, work);
    }
    return work;
}

/* ---- chains that take in other columns ---- */

/* The values of an operand: where they are, or evaluated into `own`. */
static const union qn_tile *operand_tile(const struct qn_batch *batch, uint32_t number, uint32_t n,
                                         union qn_tile *own, uint32_t *seen,
                                         const struct qn_operands *from)
{
    if (from->tiles != NULL) {
        if (seen != NULL) *seen |= from->seen[number];
        return (const union qn_tile *)(const void *)(from->tiles + number * from->pitch);
    }
    const struct qn_lane *lane = &batch->operands[number];
    qn_chain_load(lane, from->row, n, own);
    if (seen != NULL) *seen |= qn_chain_seen(lane->work, n, own);
    (void)qn_chain_apply(batch, lane->first_op, lane->n_ops, lane->work, n, own, seen);
    return own;
}

static void join(uint32_t code, uint32_t work, uint32_t n, const union qn_tile *aside,
                 const union qn_tile *x, union qn_tile *out)
{
    if (work == QN_W_I64)
        loops()->join_i64(code, n, aside->i64, x->i64, out->i64);
    else if (code == QN_OP_JOIN_POW && work == QN_W_F32)
        qn_powers_f32(n, aside->f32, x->f32, out->f32);
    else if (code == QN_OP_JOIN_POW)
        qn_powers_f64(n, aside->f64, x->f64, out->f64);
    else if (work == QN_W_F32)
        loops()->join_f32(code, n, aside->f32, x->f32, out->f32);
    else
        loops()->join_f64(code, n, aside->f64, x->f64, out->f64);
}

/* The value is in `now`: what was given, an operand's tile, the result's tile or the spare one. */
struct joining {
    const union qn_tile *now;
    union qn_tile *tile, aside[QN_ASIDE], operand, spare;
    uint32_t n, work, depth;
};

static void move(struct joining *j, union qn_tile *to)
{
    if (j->now != to)
        memcpy(to, j->now, j->n * (j->work == QN_W_F32 ? sizeof(float) : sizeof(double)));
    j->now = to;
}

static void join_with(struct joining *j, uint32_t code, const union qn_tile *aside,
                      const union qn_tile *x)
{
    union qn_tile *out = aside != j->tile && x != j->tile ? j->tile : &j->spare;
    if (code == QN_OP_JOIN_WHERE)
        loops()->where(j->work, j->n, &j->aside[--j->depth], aside, x, out);
    else
        join(code, j->work, j->n, aside, x, out);
    j->now = out;
}

uint32_t qn_chain_join(const struct qn_batch *batch, uint32_t first_op, uint32_t n_ops,
                       uint32_t work, uint32_t n, const union qn_tile *start, union qn_tile *tile,
                       uint32_t *seen, const struct qn_operands *from)
{
    struct joining j;
    j.now = start, j.tile = tile, j.n = n, j.work = work, j.depth = 0;
    for (uint32_t at = first_op, end = first_op + n_ops; at < end;) {
        const struct qn_op *op = &batch->ops[at];
        uint32_t plain = at;
        while (plain < end && batch->ops[plain].code < QN_OP_TAKE) plain++;
        if (plain > at) {
            move(&j, tile);
            j.work = qn_chain_apply(batch, at, plain - at, j.work, n, tile, seen);
            at = plain;
            continue;
        }
        at++;
        if (op->code != QN_OP_TAKE) {
            join_with(&j, op->code, &j.aside[--j.depth], j.now);
            continue;
        }
        if (j.now == &j.operand) move(&j, tile); /* the operand's place is wanted */
        const union qn_tile *x = operand_tile(batch, op->arg, n, &j.operand, seen, from);
        uint32_t taken = qn_chain_op_work(batch, op, j.work);
        if (at < end && QN_OP_IS_JOIN(batch->ops[at].code)) { /* at once: read where it is */
            join_with(&j, batch->ops[at++].code, j.now, x);
            continue;
        }
        move(&j, &j.aside[j.depth++]);
        j.now = x;
        j.work = taken;
    }
    move(&j, tile); /* what is elsewhere holds no codes: an operand or the result of a join */
    return j.work;
}

uint32_t qn_chain_eval(const struct qn_batch *batch, const struct qn_lane *lane, uint64_t row,
                       uint32_t n, union qn_tile *tile, uint32_t *seen)
{
    qn_chain_load(lane, row, n, tile);
    if (seen != NULL) *seen |= qn_chain_seen(lane->work, n, tile);
    if (lane->n_ops == 0) return lane->work;
    if (batch->n_operands == 0)
        return qn_chain_apply(batch, lane->first_op, lane->n_ops, lane->work, n, tile, seen);
    struct qn_operands rows = {.row = row};
    return qn_chain_join(batch, lane->first_op, lane->n_ops, lane->work, n, tile, tile, seen,
                         &rows);
}

void qn_tile_widen(uint32_t work, uint32_t n, union qn_tile *tile)
{
    if (work == QN_W_I64 || work == QN_W_CODE) loops()->convert(QN_OP_TO_F64, work, n, tile);
}
