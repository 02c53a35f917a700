/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sample_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/reference.h"

const char *sample_layout_name(enum sample_layout layout)
{
    static const char *const names[] = {"rows", "gapped rows", "columns", "fields", "chains"};
    return names[layout];
}

const char *sample_fill_name(enum sample_fill fill)
{
    static const char *const names[] = {"normal",   "some NaN", "most NaN", "all NaN",
                                        "constant", "few",      "sorted",   "epoch",
                                        "tiny",     "ends",     "rare"};
    return names[fill];
}

static double one_value(enum sample_fill fill, uint64_t row, uint64_t rows, uint64_t *state)
{
    uint64_t r = ref_random(state) >> 16;
    switch (fill) {
    case SAMPLE_SOME_NAN: return r % 10 == 0 ? (double)NAN : 5.0 + ref_normal(state);
    case SAMPLE_MOST_NAN: return r % 100 != 0 ? (double)NAN : 5.0 + ref_normal(state);
    case SAMPLE_ALL_NAN: return (double)NAN;
    case SAMPLE_CONSTANT: return 0.1;
    case SAMPLE_FEW: return r % 2 != 0 ? 1.0 : (double)(r / 2 % 7) - 3.0;
    case SAMPLE_SORTED: return (double)row - floor((double)rows / 3);
    case SAMPLE_EPOCH: return floor(1.7e9 + 86400.0 * ref_uniform(state));
    case SAMPLE_TINY: return r % 5 == 0 ? -0.0 : r % 5 == 1 ? 0.0 : (double)(r % 64) * 0x1p-149;
    case SAMPLE_ENDS:
        return r % 50 == 0 ? (double)INFINITY : r % 50 == 1 ? -(double)INFINITY : ref_normal(state);
    case SAMPLE_RARE:
        return row == 0 || r % 900 == 0 ? 1e4 * ref_uniform(state) : 0.25 + ref_normal(state);
    default: return 100.0 + 3.0 * ref_normal(state);
    }
}

/* Stored as `type` at p: integers get a value that fits. */
static void store(char *p, uint32_t type, double v)
{
    double bounded = isfinite(v) ? fmod(v * 7.0, 100.0) : 3.0;
    int64_t whole = (int64_t)bounded;
    switch (type) {
    case QN_T_F32: memcpy(p, &(float){(float)v}, 4); break;
    case QN_T_F64: memcpy(p, &v, 8); break;
    case QN_T_BOOL: memcpy(p, &(uint8_t){whole & 1}, 1); break;
    case QN_T_I8: memcpy(p, &(int8_t){(int8_t)whole}, 1); break;
    case QN_T_U8: memcpy(p, &(uint8_t){(uint8_t)(whole + 100)}, 1); break;
    case QN_T_I16: memcpy(p, &(int16_t){(int16_t)(whole * 300)}, 2); break;
    case QN_T_U16: memcpy(p, &(uint16_t){(uint16_t)(whole * 300 + 30000)}, 2); break;
    case QN_T_I32: memcpy(p, &(int32_t){(int32_t)(whole * 20000000)}, 4); break;
    case QN_T_U32: memcpy(p, &(uint32_t){(uint32_t)((whole + 100) * 20000000)}, 4); break;
    case QN_T_I64: memcpy(p, &(int64_t){whole * 90000000000000001}, 8); break;
    default: memcpy(p, &(uint64_t){(uint64_t)(whole + 100) * 90000000000000001u}, 8); break;
    }
}

static uint32_t type_size(uint32_t type)
{
    static const uint32_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    return sizes[type];
}

static uint64_t word(double v)
{
    uint64_t w;
    memcpy(&w, &v, sizeof w);
    return w;
}

/* Chains that statistics meet: a few per lane, chosen by its number. */
enum { CHAIN_OPS = 8, CHAIN_WORDS = 40 };
static struct qn_op chain_ops[CHAIN_OPS];
static uint64_t chain_words[CHAIN_WORDS];

static void make_chains(void)
{
    static const struct {
        uint32_t code, work, arg;
    } ops[CHAIN_OPS] = {
        {QN_OP_FILL, QN_W_F64, 0},    {QN_OP_SUB, QN_W_F64, 2},     {QN_OP_DIV, QN_W_F64, 4},
        {QN_OP_FILL_EQ, QN_W_F64, 6}, {QN_OP_TO_F32, QN_W_F64, 0},  {QN_OP_CLIP, QN_W_F32, 8},
        {QN_OP_FIND, QN_W_F32, 10},   {QN_OP_VALUE, QN_W_CODE, 12},
    };
    for (int i = 0; i < CHAIN_OPS; i++)
        chain_ops[i] = (struct qn_op){ops[i].code, ops[i].work, ops[i].arg, 0};
    double p[10] = {4.5, 0, 97.25, 0, 3.7, 0, 3.0, (double)NAN, -11.5, 8.25};
    for (int i = 0; i < 10; i++) chain_words[i] = word(p[i]);
    chain_words[10] = 16, chain_words[11] = 5; /* FIND: five values from word 16 on */
    chain_words[12] = 24, chain_words[13] = 7; /* VALUE: seven numbers from word 24 on */
    for (int i = 0; i < 5; i++) chain_words[16 + i] = word(-11.5 + 4.0 * i);
    for (int i = 0; i < 7; i++) chain_words[24 + i] = word(i == 5 ? (double)NAN : 1.5 * i);
}

static void make_chain_lane(struct sample *s, uint32_t l)
{
    struct qn_lane *lane = &s->lanes[l];
    static const uint32_t works[] = {QN_W_F64, QN_W_F32, QN_W_F64, QN_W_I64};
    lane->work = works[l % 4];
    if (lane->work == QN_W_F64) {
        lane->first_op = l % 3;
        lane->n_ops = l % 5 == 0 ? 0 : (l % 3 == 2 ? 6 : 4) - lane->first_op + (l % 7 == 0 ? 2 : 0);
        if (lane->first_op + lane->n_ops > CHAIN_OPS) lane->n_ops = CHAIN_OPS - lane->first_op;
    } else if (lane->work == QN_W_F32) {
        lane->first_op = 5;
        lane->n_ops = l % 3;
    }
    if (lane->work != QN_W_I64 && l % 2 == 0) {
        lane->validity = s->validity;
        lane->validity_offset = 3 + l;
    }
}

struct sample sample_make(enum sample_layout layout, enum sample_fill fill, uint32_t type,
                          uint64_t rows, uint32_t lanes, uint64_t seed)
{
    struct sample s = {.memory = NULL};
    uint64_t state = seed * 2 + 88172645463325253u;
    uint32_t wide = layout == SAMPLE_GAPPED   ? lanes + 3
                    : layout == SAMPLE_FIELDS ? 2 * lanes
                                              : lanes;
    size_t size = layout == SAMPLE_CHAINS ? 8 : type_size(type);
    s.memory = malloc((size_t)rows * wide * size + 64);
    s.validity = malloc((size_t)(rows + lanes) / 8 + 16);
    s.lanes = calloc(lanes + 1u, sizeof *s.lanes);
    if (s.memory == NULL || s.validity == NULL || s.lanes == NULL) abort();
    for (size_t i = 0; i < (size_t)(rows + lanes) / 8 + 16; i++)
        ((uint8_t *)s.validity)[i] = (uint8_t)(ref_random(&state) >> 20 | ref_random(&state) >> 30);
    make_chains();
    for (uint32_t l = 0; l < lanes; l++) {
        struct qn_lane *lane = &s.lanes[l];
        uint32_t column = layout == SAMPLE_FIELDS ? 2 * (lanes - 1 - l) : l;
        int apart = layout == SAMPLE_COLUMNS || (layout == SAMPLE_CHAINS && l % 3 != 0);
        lane->type = layout == SAMPLE_CHAINS ? l % 11 : type;
        lane->work = lane->type == QN_T_F32 ? QN_W_F32 : QN_W_F64;
        lane->data = (char *)s.memory + (apart ? column * rows * size : column * size);
        lane->stride = (int64_t)(apart ? size : wide * size);
        if (layout == SAMPLE_CHAINS) {
            lane->data =
                (char *)s.memory + column * rows * size; /* columns: types differ in size */
            lane->stride = l % 3 == 0 ? (int64_t)size : (int64_t)type_size(lane->type);
            make_chain_lane(&s, l);
        }
        for (uint64_t i = 0; i < rows; i++)
            store((char *)lane->data + (int64_t)i * lane->stride, lane->type,
                  one_value(fill, i, rows, &state));
    }
    s.batch = (struct qn_batch){.rows = rows,
                                .lanes = s.lanes,
                                .n_lanes = lanes,
                                .n_ops = CHAIN_OPS,
                                .n_words = CHAIN_WORDS,
                                .ops = chain_ops,
                                .words = chain_words};
    return s;
}

void sample_free(struct sample *s)
{
    free(s->memory);
    free(s->validity);
    free(s->lanes);
    memset(s, 0, sizeof *s);
}

double *sample_values(const struct sample *s, uint32_t lane)
{
    double *x = malloc((s->batch.rows + 1) * sizeof *x);
    if (x == NULL) abort();
    for (uint64_t i = 0; i < s->batch.rows; i++)
        x[i] = ref_double(ref_eval(&s->batch, &s->lanes[lane], i, NULL));
    return x;
}
