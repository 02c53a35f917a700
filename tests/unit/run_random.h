/* SPDX-License-Identifier: Apache-2.0
 * Random programs with their data: every stored type, layout, op and slot, from a seed. */
#ifndef QN_TEST_RUN_RANDOM_H
#define QN_TEST_RUN_RANDOM_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/requests.h"
#include "kernels/spline.h"

enum {
    RANDOM_LANES = 64,
    RANDOM_OPS = 1024,
    RANDOM_WORDS = 16384,
    RANDOM_OPERANDS = 5,
    RANDOM_SLOTS = 512
};

struct random_program {
    uint64_t s; /* generator */
    struct qn_batch batch;
    struct qn_lane lanes[RANDOM_LANES], operands[RANDOM_OPERANDS];
    struct qn_op ops[RANDOM_OPS];
    uint64_t words[RANDOM_WORDS];
    struct qn_slot slots[RANDOM_SLOTS];
    struct qn_norm_desc norms[2];
    uint32_t categories[RANDOM_LANES], final_work[RANDOM_LANES];
    uint32_t n_slots, n_norms;
    size_t out_bytes;
    void *memory[2 * RANDOM_LANES];
    uint32_t n_memory;
};

static inline uint64_t random_next(struct random_program *p)
{
    p->s ^= p->s << 13;
    p->s ^= p->s >> 7;
    p->s ^= p->s << 17;
    return p->s;
}

static inline uint32_t random_below(struct random_program *p, uint32_t n)
{
    return (uint32_t)((random_next(p) >> 20) % n);
}

static inline void *random_memory(struct random_program *p, size_t bytes)
{
    void *m = malloc(bytes + 64);
    if (m == NULL) abort();
    p->memory[p->n_memory++] = m;
    return m;
}

static inline double random_double(struct random_program *p)
{
    static const double special[] = {0.0,    -0.0,   1.0,  -1.0, 5e-324,
                                     1e-310, -1e-40, 1e38, 3e38, 0x1p53};
    uint32_t k = random_below(p, 64);
    if (k == 0) return random_below(p, 3) ? (double)NAN : -(double)NAN;
    if (k == 1) return random_below(p, 4) ? (double)(int)random_below(p, 5) : (double)INFINITY;
    if (k < 5) return special[random_below(p, 10)];
    if (k < 20) return (double)(int)random_below(p, 6) - 2;
    return ((double)(random_next(p) >> 11) * 0x1p-53 - 0.5) *
           ldexp(1.0, (int)random_below(p, 40) - 20);
}

static inline uint32_t random_size(uint32_t type)
{
    static const uint32_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    return sizes[type];
}

static inline void random_store(struct random_program *p, uint32_t type, uint32_t categories,
                                void *at)
{
    uint64_t u = random_next(p) >> 8;
    if (random_below(p, 3)) u %= 7;
    if (categories > 0) u = random_below(p, categories + 2);
    double d = random_double(p);
    float f = (float)d;
    switch (random_size(type)) {
    case 1: memcpy(at, &(uint8_t){type == QN_T_BOOL ? (uint8_t)(u & 1) : (uint8_t)u}, 1); break;
    case 2: memcpy(at, &(uint16_t){(uint16_t)u}, 2); break;
    case 4: memcpy(at, type == QN_T_F32 ? (void *)&f : (void *)&(uint32_t){(uint32_t)u}, 4); break;
    default: memcpy(at, type == QN_T_F64 ? (void *)&d : (void *)&u, 8);
    }
}

static inline uint32_t random_word_double(struct random_program *p, uint32_t work)
{
    double d = random_double(p);
    if (work == QN_W_F32) d = (double)(float)d;
    memcpy(&p->words[p->batch.n_words], &d, 8);
    return p->batch.n_words++;
}

static inline struct qn_op *random_push(struct random_program *p, uint32_t code, uint32_t work)
{
    struct qn_op *op = &p->ops[p->batch.n_ops++];
    *op = (struct qn_op){.code = code, .work = work, .arg = p->batch.n_words};
    return op;
}

/* FIND, REMAP and VALUE: two words of (first, count), then a table. */
static inline uint32_t random_table(struct random_program *p, uint32_t code, uint32_t work,
                                    uint32_t k)
{
    struct qn_op *op = random_push(p, code, work);
    p->words[op->arg] = op->arg + 2;
    p->words[op->arg + 1] = k;
    p->batch.n_words += 2;
    for (uint32_t i = 0; i < k; i++) {
        double d = code == QN_OP_VALUE ? random_double(p) : (double)i - 1;
        uint64_t w = code == QN_OP_REMAP ? random_below(p, k) : (uint64_t)((int64_t)i * 2 - 1);
        if (code == QN_OP_VALUE || (code == QN_OP_FIND && work != QN_W_I64)) memcpy(&w, &d, 8);
        p->words[p->batch.n_words++] = w;
    }
    return k;
}

static inline void random_word(struct random_program *p, double value)
{
    memcpy(&p->words[p->batch.n_words++], &value, 8);
}

/* BIN: k ascending edges, some of them equal; half the tables for float32 have edges that are floats. INTERP, INTERP_MEAN: k such knots and what goes with them. */
static inline void random_edges(struct random_program *p, uint32_t code, uint32_t work, uint32_t k)
{
    struct qn_op *op = random_push(p, code, work);
    p->words[op->arg] = op->arg + 2;
    p->words[op->arg + 1] = code == QN_OP_BIN ? k : 4 + 4 * k;
    p->batch.n_words += 2;
    if (code != QN_OP_BIN)
        for (int i = 0; i < 4; i++) random_word(p, i == 0 ? -2.9 : i == 1 ? 3.7 : 0.1 * i);
    int floats = code == QN_OP_BIN && work == QN_W_F32 && random_below(p, 2) == 0;
    double knot = -3;
    for (uint32_t i = 0; i < k; i++) {
        random_word(p, floats ? (double)(float)knot : knot);
        knot += 0.3 * random_below(p, 3);
    }
    for (uint32_t i = 0; code != QN_OP_BIN && i < 3 * k; i++) random_word(p, random_double(p));
}

/* SPLINE: a table of any kind, its knots ascending and some of them equal, and what goes with them. */
static inline void random_spline(struct random_program *p, uint32_t work)
{
    struct qn_op *op = random_push(p, QN_OP_SPLINE, work);
    uint32_t k = random_below(p, 5), b = 2 + random_below(p, random_below(p, 4) ? 9 : 40);
    uint32_t mode = random_below(p, 5);
    if (mode == QN_SPLINE_PERIODIC && b <= k) b = k + 1 + (k == 0);
    int even = random_below(p, 2) == 0;
    uint32_t words = (uint32_t)qn_spline_words(k, b, mode);
    uint64_t *head = &p->words[op->arg + 3];
    p->words[op->arg] = op->arg + 3;
    p->words[op->arg + 1] = words;
    p->words[op->arg + 2] = random_below(p, mode == QN_SPLINE_PERIODIC ? b - 1
                                            : b + k - 1 > 0            ? b + k - 1
                                                                       : 1);
    p->batch.n_words += 3;
    head[0] = k;
    head[1] = b;
    head[2] = mode | QN_SPLINE_SAFE;
    p->batch.n_words += 3;
    random_word(p, even ? 2.0 : 0.0);
    double knot = -3 - 0.5 * (double)k;
    for (uint32_t i = 0; i < b + 2 * k; i++) {
        random_word(p, knot);
        knot += even ? 0.5 : 0.3 * random_below(p, 3);
    }
    while (p->batch.n_words < op->arg + 3 + words) random_word(p, random_double(p));
}

/* One op that acts on `work`; the working type that it leaves. */
static inline uint32_t random_op(struct random_program *p, uint32_t l, uint32_t work)
{
    static const uint32_t floats[] = {QN_OP_FILL,    QN_OP_FILL_EQ, QN_OP_SUB,  QN_OP_ADD,
                                      QN_OP_MUL,     QN_OP_DIV,     QN_OP_CLIP, QN_OP_GREATER,
                                      QN_OP_MISSING, QN_OP_EQUAL};
    static const uint32_t ints[] = {QN_OP_FILL_EQ, QN_OP_SUB,     QN_OP_ADD,  QN_OP_MUL,
                                    QN_OP_CLIP,    QN_OP_GREATER, QN_OP_EQUAL};
    uint32_t k = random_below(p, 12);
    if (work == QN_W_CODE) {
        if (k < 6) {
            p->categories[l] =
                random_table(p, QN_OP_REMAP, work, p->categories[l] + random_below(p, 3));
            return work;
        }
        random_table(p, QN_OP_VALUE, work, p->categories[l] + random_below(p, 3));
        return QN_W_F64;
    }
    if (k == 0) {
        p->categories[l] = 1 + random_below(p, 9);
        random_table(p, QN_OP_FIND, work, p->categories[l]);
        return QN_W_CODE;
    }
    if (k == 1) {
        static const uint32_t to[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
        uint32_t t = random_below(p, 3);
        random_push(p, to[t], work);
        return t;
    }
    if (k == 3 && work <= QN_W_F64) {
        uint32_t code = QN_OP_BIN + random_below(p, 4), edges = 1 + random_below(p, 40);
        if (code == QN_OP_SPLINE) {
            random_spline(p, work);
            return work;
        }
        random_edges(p, code, work, edges);
        if (code != QN_OP_BIN) return work;
        p->categories[l] = edges;
        return QN_W_CODE;
    }
    if (work == QN_W_I64) {
        struct qn_op *op = random_push(p, ints[random_below(p, 7)], work);
        (void)op;
        p->words[p->batch.n_words++] = (uint64_t)((int64_t)random_below(p, 9) - 3);
        p->words[p->batch.n_words++] = (uint64_t)((int64_t)random_below(p, 9) - 1);
        return work;
    }
    uint32_t all = QN_OP_LOOK - QN_OP_EXP + 1; /* functions, and LOOK */
    uint32_t code = k == 2 ? QN_OP_EXP + random_below(p, all) : floats[random_below(p, 10)];
    random_push(p, code, work);
    random_word_double(p, work);
    random_word_double(p, work);
    return work;
}

static inline uint32_t random_work(struct random_program *p, uint32_t type)
{
    switch (type) {
    case QN_T_F32: return random_below(p, 2) ? QN_W_F32 : QN_W_F64;
    case QN_T_F64: return QN_W_F64;
    case QN_T_U8:
    case QN_T_U16:
    case QN_T_U32: return random_below(p, 3) ? QN_W_CODE : QN_W_F64;
    case QN_T_I64:
    case QN_T_U64: return random_below(p, 2) ? QN_W_I64 : QN_W_F64;
    default: return random_below(p, 3);
    }
}

static inline void random_data(struct random_program *p, uint32_t l, uint64_t rows)
{
    struct qn_lane *lane = &p->lanes[l];
    uint32_t size = random_size(lane->type);
    int64_t stride = size;
    if (random_below(p, 2))
        stride = (int64_t)(size * (1 + random_below(p, 5)) + random_below(p, 3));
    char *m = random_memory(p, rows * (size_t)stride + 8);
    char *first = m + random_below(p, 8);
    if (random_below(p, 6) == 0 && rows > 0) {
        first += (int64_t)(rows - 1) * stride;
        stride = -stride;
    }
    lane->data = first;
    lane->stride = stride;
    for (uint64_t i = 0; i < rows; i++)
        random_store(p, lane->type, lane->work == QN_W_CODE ? p->categories[l] : 0,
                     first + (int64_t)i * stride);
    if (lane->work <= QN_W_F64 && random_below(p, 3) == 0) {
        uint8_t *bits = random_memory(p, rows / 8 + 16);
        for (uint64_t i = 0; i < rows / 8 + 16; i++)
            bits[i] = random_below(p, 2) ? 0xff : (uint8_t)random_next(p);
        lane->validity = bits;
        lane->validity_offset = random_below(p, 30);
    }
}

/* Operands of both float types and of int64; a few lanes begin as one of them does. */
static inline void random_operands(struct random_program *p, uint64_t rows)
{
    static const uint32_t types[] = {QN_T_F32, QN_T_F64, QN_T_I64};
    uint32_t n = 3 + random_below(p, RANDOM_OPERANDS - 2);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t l = p->batch.n_lanes++, work = i < 3 ? i : random_below(p, 3);
        struct qn_lane *lane = &p->lanes[l];
        *lane = (struct qn_lane){.type = types[work], .work = work, .first_op = p->batch.n_ops};
        if (work == QN_W_F64 && random_below(p, 3) == 0) lane->type = QN_T_F32;
        random_data(p, l, rows);
        for (uint32_t k = random_below(p, 3); k > 0; k--) {
            random_push(p, random_below(p, 2) || work == QN_W_I64 ? QN_OP_MUL : QN_OP_LOG1P, work);
            random_word_double(p, work);
        }
        lane->n_ops = p->batch.n_ops - lane->first_op;
        p->operands[i] = *lane;
        if (random_below(p, 2))
            p->final_work[l] = work; /* the same chain as a lane */
        else
            p->batch.n_lanes--;
    }
    p->batch.operands = p->operands;
    p->batch.n_operands = n;
}

/* To the type that is wanted where a value is joined. */
static inline uint32_t random_convert(struct random_program *p, uint32_t work, uint32_t to)
{
    static const uint32_t codes[] = {QN_OP_TO_F32, QN_OP_TO_F64, QN_OP_TO_I64};
    if (work != to) random_push(p, codes[to], work);
    return to;
}

static inline uint32_t random_join(struct random_program *p, uint32_t work)
{
    for (;;) {
        uint32_t code = QN_OP_JOIN_ADD + random_below(p, QN_OP_JOIN_EQUAL - QN_OP_JOIN_ADD + 1);
        if (work != QN_W_I64 || QN_OP_JOINS_WHOLE(code)) return code;
    }
}

/* Some TAKE and JOIN_* ops, with ops between them; what is aside comes back. */
static inline void random_joins(struct random_program *p, uint32_t work)
{
    uint32_t aside[QN_ASIDE], depth = 0, n = random_below(p, 6);
    while (n > 0 || depth > 0) {
        uint32_t k = random_below(p, 3);
        if (n > 0 && (depth == 0 || k == 0) && depth < QN_ASIDE) {
            uint32_t o = random_below(p, p->batch.n_operands);
            random_push(p, QN_OP_TAKE, work)->arg = o;
            aside[depth++] = work;
            work = p->operands[o].work;
            n--;
        } else if (k == 1) {
            random_push(p, QN_OP_ADD, work);
            random_word_double(p, work);
        } else if (depth > 1 && aside[depth - 1] == aside[depth - 2] && random_below(p, 2)) {
            work = random_convert(p, work, aside[depth - 1]);
            random_push(p, QN_OP_JOIN_WHERE, work);
            depth -= 2;
        } else if (depth > 0) {
            work = random_convert(p, work, aside[--depth]);
            random_push(p, random_join(p, work), work);
        }
    }
}

static inline void random_lane(struct random_program *p, uint64_t rows)
{
    uint32_t l = p->batch.n_lanes++;
    struct qn_lane *lane = &p->lanes[l];
    *lane = (struct qn_lane){.type = random_below(p, 11), .first_op = p->batch.n_ops};
    if (random_below(p, 3) == 0) lane->type = random_below(p, 2) ? QN_T_F64 : QN_T_F32;
    lane->work = random_work(p, lane->type);
    p->categories[l] = lane->work == QN_W_CODE ? 1 + random_below(p, 20) : 0;
    random_data(p, l, rows);
    uint32_t work = lane->work;
    uint32_t n = random_below(p, 5);
    for (uint32_t i = 0; i < n; i++) work = random_op(p, l, work);
    if (p->batch.n_operands != 0 && work <= QN_W_I64) random_joins(p, work);
    lane->n_ops = p->batch.n_ops - lane->first_op;
    p->final_work[l] = work;
}

/* A group of float lanes that share a norm: some ops, the division, some more. */
static inline void random_norm(struct random_program *p, uint64_t rows)
{
    uint32_t g = p->n_norms++, n = 1 + random_below(p, 20), work = random_below(p, 2);
    p->norms[g] = (struct qn_norm_desc){.first_lane = p->batch.n_lanes,
                                        .n_lanes = n,
                                        .kind = 1 + random_below(p, 3),
                                        .order = random_below(p, 2)};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t l = p->batch.n_lanes++;
        p->lanes[l] = (struct qn_lane){.type = work == QN_W_F32 ? QN_T_F32 : QN_T_F64,
                                       .work = work,
                                       .first_op = p->batch.n_ops};
        random_data(p, l, rows);
        if (random_below(p, 2)) {
            random_push(p, QN_OP_FILL, work);
            random_word_double(p, work);
        }
        random_push(p, QN_OP_NORM, work)->arg = g;
        if (random_below(p, 2)) {
            random_push(p, QN_OP_MUL, work);
            random_word_double(p, work);
        }
        p->lanes[l].n_ops = p->batch.n_ops - p->lanes[l].first_op;
        p->final_work[l] = work;
    }
}

static inline void random_program_free(struct random_program *p)
{
    for (uint32_t i = 0; i < p->n_memory; i++) free(p->memory[i]);
    free(p);
}

/* Lanes, ops and words; slots come from one of the layouts below. */
static inline struct random_program *random_program(uint64_t seed, uint64_t rows)
{
    struct random_program *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    p->s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++) random_next(p);
    p->batch = (struct qn_batch){.rows = rows, .lanes = p->lanes, .ops = p->ops, .words = p->words};
    if (random_below(p, 3) == 0) random_norm(p, rows);
    if (random_below(p, 2)) random_operands(p, rows);
    uint32_t n = 1 + random_below(p, 12);
    for (uint32_t i = 0; i < n; i++) random_lane(p, rows);
    if (random_below(p, 5) == 0) random_norm(p, rows);
    return p;
}

/* Output columns in order: values, and one-hot blocks of code lanes. type QN_T_F64 + 1: any. */
static inline void random_slots(struct random_program *p, uint32_t type)
{
    uint32_t n = 1 + random_below(p, 2 * p->batch.n_lanes);
    p->n_slots = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t l = random_below(p, p->batch.n_lanes);
        uint32_t t = type <= QN_T_F64 ? type : random_below(p, 4) ? QN_T_F64 : random_below(p, 11);
        struct qn_slot slot = {.type = t, .lane = l, .match = QN_MATCH_VALUE};
        if (p->final_work[l] != QN_W_CODE || random_below(p, 4) == 0) {
            p->slots[p->n_slots++] = slot;
            continue;
        }
        uint32_t first = random_below(p, 2), k = p->categories[l] + random_below(p, 3);
        for (uint32_t m = first; m < k && p->n_slots < RANDOM_SLOTS - 1; m++) {
            slot.match = m;
            p->slots[p->n_slots++] = slot;
            if (random_below(p, 40) == 0) m++; /* a column left out */
        }
    }
}

/* Places for the slots: rows of all of them, columns, or a mixture with gaps. */
static inline void random_places(struct random_program *p, uint64_t rows)
{
    uint32_t kind = random_below(p, 4);
    uint64_t width = 0, at = random_below(p, 3) * 8;
    for (uint32_t s = 0; s < p->n_slots; s++) {
        struct qn_slot *slot = &p->slots[s];
        if (kind == 1 || (kind == 2 && random_below(p, 3) == 0)) continue;
        slot->stride = 1; /* in the rows */
        slot->offset = width;
        width += random_size(slot->type) + (kind == 3 && random_below(p, 4) == 0 ? 3 : 0);
    }
    uint64_t pitch = width + (random_below(p, 2) ? 5 : 0);
    for (uint32_t s = 0; s < p->n_slots; s++)
        if (p->slots[s].stride == 1) {
            p->slots[s].stride = pitch;
            p->slots[s].offset += at;
        }
    at += pitch * rows;
    for (uint32_t s = 0; s < p->n_slots; s++) {
        struct qn_slot *slot = &p->slots[s];
        if (slot->stride != 0) continue;
        slot->stride = random_size(slot->type) * (random_below(p, 3) ? 1u : 3u);
        slot->offset = at;
        at += slot->stride * rows + random_below(p, 9);
    }
    p->out_bytes = (size_t)at + 64;
    for (uint32_t s = p->n_slots; s > 1 && kind == 2; s--) { /* order does not matter */
        uint32_t o = random_below(p, s);
        struct qn_slot t = p->slots[s - 1];
        p->slots[s - 1] = p->slots[o];
        p->slots[o] = t;
    }
}

#endif
