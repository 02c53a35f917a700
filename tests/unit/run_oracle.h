/* SPDX-License-Identifier: Apache-2.0
 * A program, one value at a time, written from kernels/program.h alone: what the executors are
 * compared with, bit for bit. Slow, plain, and sharing nothing with backends/cpu. */
#ifndef QN_TEST_RUN_ORACLE_H
#define QN_TEST_RUN_ORACLE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/requests.h"
#include "kernels/norm.h"
#include "tests/unit/reference_bins.h"
#include "tests/unit/reference_functions.h"
#include "tests/unit/reference_spline.h"

struct oracle_value {
    uint32_t work;
    float f32;
    double f64;
    int64_t i64;
    uint32_t code;
};

static inline int64_t oracle_cut(double v)
{
    if (v != v) return 0;
    if (v >= 9223372036854775808.0) return INT64_MAX;
    if (v < -9223372036854775808.0) return INT64_MIN;
    return (int64_t)v;
}

static inline double oracle_word(const struct qn_batch *b, uint64_t at)
{
    double v;
    memcpy(&v, &b->words[at], sizeof v);
    return v;
}

static inline struct oracle_value oracle_load(const struct qn_lane *lane, uint64_t row)
{
    struct oracle_value x = {.work = lane->work};
    const char *p = (const char *)lane->data + (int64_t)row * lane->stride;
    int64_t i = 0;
    double d = 0;
    int is_float = 0;
    uint64_t u = 0;
    switch (lane->type) {
    case QN_T_BOOL: i = *(const uint8_t *)p != 0; break;
    case QN_T_I8: i = *(const int8_t *)p; break;
    case QN_T_I16: {
        int16_t v;
        memcpy(&v, p, 2);
        i = v;
        break;
    }
    case QN_T_I32: {
        int32_t v;
        memcpy(&v, p, 4);
        i = v;
        break;
    }
    case QN_T_I64: memcpy(&i, p, 8); break;
    case QN_T_U8: i = *(const uint8_t *)p; break;
    case QN_T_U16: {
        uint16_t v;
        memcpy(&v, p, 2);
        i = v;
        break;
    }
    case QN_T_U32: {
        uint32_t v;
        memcpy(&v, p, 4);
        i = v;
        break;
    }
    case QN_T_U64: memcpy(&u, p, 8); break;
    case QN_T_F32: {
        float v;
        memcpy(&v, p, 4);
        d = (double)v;
        is_float = 1;
        break;
    }
    default: memcpy(&d, p, 8); is_float = 1;
    }
    int is_u64 = lane->type == QN_T_U64;
    switch (lane->work) {
    case QN_W_F32: x.f32 = is_float ? (float)d : is_u64 ? (float)u : (float)i; break;
    case QN_W_F64: x.f64 = is_float ? d : is_u64 ? (double)u : (double)i; break;
    case QN_W_I64: x.i64 = is_float ? oracle_cut(d) : is_u64 ? (int64_t)u : i; break;
    default: x.code = is_float ? (uint32_t)oracle_cut(d) : is_u64 ? (uint32_t)u : (uint32_t)i;
    }
    if (lane->validity != NULL) {
        uint64_t bit = (uint64_t)lane->validity_offset + row;
        if (!(lane->validity[bit / 8] >> (bit % 8) & 1)) x.f32 = NAN, x.f64 = (double)NAN;
    }
    return x;
}

static inline uint32_t oracle_find(const struct qn_batch *b, const struct qn_op *op,
                                   const struct oracle_value *x, uint32_t *seen)
{
    uint64_t first = b->words[op->arg], k = b->words[op->arg + 1];
    double d = x->work == QN_W_F32 ? (double)x->f32 : x->f64;
    if (x->work != QN_W_I64 && d != d) return (uint32_t)k;
    for (uint64_t i = 0; i < k; i++)
        if (x->work == QN_W_I64 ? (int64_t)b->words[first + i] == x->i64
                                : oracle_word(b, first + i) == d)
            return (uint32_t)i;
    *seen |= QN_SEEN_UNKNOWN;
    return (uint32_t)(k + 1);
}

#define ORACLE_FLOAT_OPS(X, T)                                                                     \
    do {                                                                                           \
        T p0 = (T)oracle_word(b, op->arg), p1 = two ? (T)oracle_word(b, op->arg + 1) : 0;          \
        switch (op->code) {                                                                        \
        case QN_OP_FILL:                                                                           \
            if (X != X) X = p0;                                                                    \
            break;                                                                                 \
        case QN_OP_FILL_EQ:                                                                        \
            if (X == p0) X = p1;                                                                   \
            break;                                                                                 \
        case QN_OP_SUB: X = X - p0; break;                                                         \
        case QN_OP_ADD: X = X + p0; break;                                                         \
        case QN_OP_MUL: X = X * p0; break;                                                         \
        case QN_OP_DIV: X = X / p0; break;                                                         \
        case QN_OP_CLIP:                                                                           \
            if (X < p0) X = p0;                                                                    \
            if (X > p1) X = p1;                                                                    \
            break;                                                                                 \
        case QN_OP_GREATER: X = X > p0 ? 1 : 0; break;                                             \
        case QN_OP_EQUAL: X = X == p0 ? 1 : 0; break;                                              \
        default: break;                                                                            \
        }                                                                                          \
    } while (0)

static inline void oracle_int(const struct qn_batch *b, const struct qn_op *op, int two, int64_t *x)
{
    int64_t p0 = (int64_t)b->words[op->arg], p1 = two ? (int64_t)b->words[op->arg + 1] : 0;
    switch (op->code) {
    case QN_OP_FILL_EQ:
        if (*x == p0) *x = p1;
        break;
    case QN_OP_SUB: *x = (int64_t)((uint64_t)*x - (uint64_t)p0); break;
    case QN_OP_ADD: *x = (int64_t)((uint64_t)*x + (uint64_t)p0); break;
    case QN_OP_MUL: *x = (int64_t)((uint64_t)*x * (uint64_t)p0); break;
    case QN_OP_CLIP:
        if (*x < p0) *x = p0;
        if (*x > p1) *x = p1;
        break;
    case QN_OP_GREATER: *x = *x > p0; break;
    case QN_OP_EQUAL: *x = *x == p0; break;
    default: break;
    }
}

static inline void oracle_convert(struct oracle_value *x, uint32_t to)
{
    double d = x->work == QN_W_F32 ? (double)x->f32 : x->f64;
    int from_float = x->work == QN_W_F32 || x->work == QN_W_F64;
    int64_t i = x->work == QN_W_CODE ? (int64_t)x->code : x->i64;
    if (to == QN_W_F32 && x->work != QN_W_F32) x->f32 = from_float ? (float)d : (float)i;
    if (to == QN_W_F64) x->f64 = from_float ? d : (double)i;
    if (to == QN_W_I64) x->i64 = from_float ? oracle_cut(d) : i;
    x->work = to;
}

/* Ops [first, first + n) of a lane; NORM divides by `norm`. */
static inline void oracle_ops(const struct qn_batch *b, uint32_t first, uint32_t n,
                              struct oracle_value *x, double norm, uint32_t *seen)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_op *op = &b->ops[first + i];
        int two = op->code == QN_OP_FILL_EQ || op->code == QN_OP_CLIP;
        switch (op->code) {
        case QN_OP_MISSING:
            x->f32 = x->f32 != x->f32;
            x->f64 = x->f64 != x->f64;
            break;
        case QN_OP_LOOK:
            if (isinf(x->work == QN_W_F32 ? (double)x->f32 : x->f64)) *seen |= QN_SEEN_MADE_INF;
            break;
        case QN_OP_TO_F32: oracle_convert(x, QN_W_F32); break;
        case QN_OP_TO_F64: oracle_convert(x, QN_W_F64); break;
        case QN_OP_TO_I64: oracle_convert(x, QN_W_I64); break;
        case QN_OP_FIND:
            x->code = oracle_find(b, op, x, seen);
            x->work = QN_W_CODE;
            break;
        case QN_OP_REMAP: {
            uint64_t k = b->words[op->arg + 1];
            x->code = (uint32_t)b->words[b->words[op->arg] + (x->code < k ? x->code : k - 1)];
            break;
        }
        case QN_OP_VALUE: {
            uint64_t k = b->words[op->arg + 1];
            x->f64 = oracle_word(b, b->words[op->arg] + (x->code < k ? x->code : k - 1));
            x->work = QN_W_F64;
            break;
        }
        case QN_OP_BIN:
            x->code = reference_bin(b->words + b->words[op->arg], b->words[op->arg + 1],
                                    x->work == QN_W_F32 ? (double)x->f32 : x->f64);
            x->work = QN_W_CODE;
            break;
        case QN_OP_INTERP:
        case QN_OP_INTERP_MEAN: {
            double v = x->work == QN_W_F32 ? (double)x->f32 : x->f64;
            v = reference_interp(b->words + b->words[op->arg], b->words[op->arg + 1], v,
                                 op->code == QN_OP_INTERP_MEAN);
            x->f32 = (float)v;
            x->f64 = v;
            break;
        }
        case QN_OP_SPLINE: {
            double v = x->work == QN_W_F32 ? (double)x->f32 : x->f64;
            v = reference_spline(b->words + b->words[op->arg], b->words[op->arg + 2], v, seen);
            x->f32 = (float)v;
            x->f64 = v;
            break;
        }
        case QN_OP_NORM:
            if (x->work == QN_W_F32)
                x->f32 = x->f32 / (float)norm;
            else
                x->f64 = x->f64 / norm;
            break;
        default:
            if (QN_OP_IS_FUNCTION(op->code)) {
                double p = QN_OP_HAS_EXPONENT(op->code) ? oracle_word(b, op->arg) : 0;
                x->f32 = reference_function_f32(op->code, x->f32, (float)p);
                x->f64 = reference_function(op->code, x->f64, p);
            } else if (x->work == QN_W_F32)
                ORACLE_FLOAT_OPS(x->f32, float);
            else if (x->work == QN_W_F64)
                ORACLE_FLOAT_OPS(x->f64, double);
            else if (x->work == QN_W_I64)
                oracle_int(b, op, two, &x->i64);
        }
    }
}

static inline void oracle_store(const struct oracle_value *x, uint32_t type, void *out)
{
    double d = x->work == QN_W_F32 ? (double)x->f32 : x->f64;
    int from_float = x->work == QN_W_F32 || x->work == QN_W_F64;
    int64_t i = x->work == QN_W_CODE ? (int64_t)x->code : x->i64;
    uint64_t u = (uint64_t)i;
    if (from_float) {
        i = oracle_cut(d);
        u = d >= 18446744073709551616.0  ? UINT64_MAX
            : d >= 9223372036854775808.0 ? (uint64_t)d
                                         : (uint64_t)i;
    }
    switch (type) {
    case QN_T_BOOL: *(uint8_t *)out = from_float ? d != 0 : i != 0; return;
    case QN_T_I8:
    case QN_T_U8: memcpy(out, &(uint8_t){(uint8_t)i}, 1); return;
    case QN_T_I16:
    case QN_T_U16: memcpy(out, &(uint16_t){(uint16_t)i}, 2); return;
    case QN_T_I32:
    case QN_T_U32: memcpy(out, &(uint32_t){(uint32_t)i}, 4); return;
    case QN_T_I64: memcpy(out, &i, 8); return;
    case QN_T_U64: memcpy(out, &u, 8); return;
    case QN_T_F32: {
        float f = x->work == QN_W_F32 ? x->f32 : from_float ? (float)d : (float)i;
        uint32_t bits = 0x7fc00000u;
        memcpy(out, f != f ? (void *)&bits : (void *)&f, 4);
        return;
    }
    default: {
        double f = from_float ? d : (double)i;
        uint64_t bits = UINT64_C(0x7ff8000000000000);
        memcpy(out, f != f ? (void *)&bits : (void *)&f, 8);
    }
    }
}

static inline uint32_t oracle_norm_at(const struct qn_batch *b, const struct qn_lane *lane)
{
    for (uint32_t i = 0; i < lane->n_ops; i++)
        if (b->ops[lane->first_op + i].code == QN_OP_NORM) return i;
    return lane->n_ops;
}

static inline double oracle_norm(const struct qn_batch *b, const struct qn_norm_desc *g,
                                 uint64_t row)
{
    struct qn_norm_f32 s;
    struct qn_norm_f64 t;
    uint32_t ignored = 0;
    int narrow = 0;
    qn_norm_begin_f32(&s, g->kind, g->order, g->n_lanes);
    qn_norm_begin_f64(&t, g->kind, g->order, g->n_lanes);
    for (uint32_t i = 0; i < g->n_lanes; i++)
        for (int wide = 0; wide < 2; wide++) {
            uint32_t l = g->first_lane + (wide ? qn_norm_next_f64(&t) : qn_norm_next_f32(&s));
            const struct qn_lane *lane = &b->lanes[l];
            struct oracle_value x = oracle_load(lane, row);
            oracle_ops(b, lane->first_op, oracle_norm_at(b, lane), &x, 1, &ignored);
            narrow = x.work == QN_W_F32;
            if (wide)
                qn_norm_add_f64(&t, x.f64);
            else
                qn_norm_add_f32(&s, x.f32);
        }
    return narrow ? (double)qn_norm_end_f32(&s) : qn_norm_end_f64(&t);
}

static inline int oracle_truth(const struct oracle_value *x)
{
    if (x->work == QN_W_F32) return x->f32 != 0;
    return x->work == QN_W_F64 ? x->f64 != 0 : x->i64 != 0;
}

static inline struct oracle_value oracle_begin(const struct qn_lane *lane, uint64_t row,
                                               uint32_t *seen)
{
    struct oracle_value x = oracle_load(lane, row);
    double d = x.work == QN_W_F32 ? (double)x.f32 : x.work == QN_W_F64 ? x.f64 : 0;
    if (d != d) *seen |= QN_SEEN_NAN;
    if (isinf(d)) *seen |= QN_SEEN_INF;
    return x;
}

/* A chain, one op at a time. A product of two float32 numbers is exact in double, and a sum, a
 * difference and a quotient round to float32 the same by way of double. */
static inline void oracle_chain(const struct qn_batch *b, const struct qn_lane *lane, uint64_t row,
                                struct oracle_value *x, double norm, uint32_t *seen)
{
    struct oracle_value aside[QN_ASIDE];
    uint32_t depth = 0;
    for (uint32_t i = lane->first_op; i < lane->first_op + lane->n_ops; i++) {
        const struct qn_op *op = &b->ops[i];
        if (op->code == QN_OP_TAKE) {
            const struct qn_lane *o = &b->operands[op->arg];
            aside[depth++] = *x;
            *x = oracle_begin(o, row, seen);
            oracle_ops(b, o->first_op, o->n_ops, x, 1, seen);
        } else if (op->code == QN_OP_JOIN_WHERE) {
            depth -= 2;
            if (oracle_truth(&aside[depth])) *x = aside[depth + 1];
        } else if (QN_OP_IS_JOIN(op->code)) {
            const struct oracle_value *a = &aside[--depth];
            if (x->work == QN_W_F32)
                x->f32 = (float)reference_join(op->code, (double)a->f32, (double)x->f32);
            else if (x->work == QN_W_I64)
                x->i64 = reference_join_i64(op->code, a->i64, x->i64);
            else
                x->f64 = reference_join(op->code, a->f64, x->f64);
        } else
            oracle_ops(b, i, 1, x, norm, seen);
    }
}

/* Final values of one row's lanes. seen: a word per lane. */
static inline void oracle_row(const struct qn_batch *b, const struct qn_norm_desc *norms,
                              uint64_t row, struct oracle_value *values, uint32_t *seen)
{
    for (uint32_t l = 0; l < b->n_lanes; l++) {
        const struct qn_lane *lane = &b->lanes[l];
        struct oracle_value x = oracle_begin(lane, row, &seen[l]);
        uint32_t at = oracle_norm_at(b, lane);
        double norm = 1;
        if (at < lane->n_ops) norm = oracle_norm(b, &norms[b->ops[lane->first_op + at].arg], row);
        oracle_chain(b, lane, row, &x, norm, &seen[l]);
        values[l] = x;
    }
}

static inline void oracle_slot(const struct qn_slot *slot, const struct oracle_value *values,
                               void *out)
{
    struct oracle_value x = values[slot->lane];
    if (slot->match != QN_MATCH_VALUE) x.code = x.code == slot->match;
    oracle_store(&x, slot->type, out);
}

static inline void oracle_run(const struct qn_run_request *r, void *out, uint32_t *seen)
{
    struct oracle_value *values = calloc(r->batch.n_lanes + 1u, sizeof *values);
    for (uint64_t row = 0; row < r->batch.rows; row++) {
        oracle_row(&r->batch, r->norms, row, values, seen);
        for (uint32_t s = 0; s < r->n_slots; s++)
            oracle_slot(&r->slots[s], values,
                        (char *)out + r->slots[s].offset + row * r->slots[s].stride);
    }
    free(values);
}

#endif
