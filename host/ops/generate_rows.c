/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/generate_rows.h"

#include <stdio.h>
#include <string.h>

#include "host/core/arena.h"
#include "host/core/checked.h"
#include "host/device/device.h"
#include "host/ops/generate_text.h"
#include "host/ops/layout.h"
#include "host/ops/table.h"

/* ---- what can be written ---- */

static const char *count_chain(const struct qn_batch *batch, const struct qn_lane *lane,
                               uint32_t *statements)
{
    if (lane->n_ops > batch->n_ops || lane->first_op > batch->n_ops - lane->n_ops)
        return "the program is malformed";
    for (uint32_t k = 0; k < lane->n_ops && *statements <= QN_ROW_STATEMENTS; k++) {
        uint32_t code = batch->ops[lane->first_op + k].code;
        if (code == QN_OP_NORM) return "a norm needs the whole row";
        int called = QN_OP_IS_FUNCTION(code) || QN_OP_IS_BIN(code) || code == QN_OP_JOIN_POW;
        *statements += called ? QN_ROW_FUNCTION : 1;
    }
    return NULL;
}

const char *qn_row_program_refuse(const struct qn_run_request *rq)
{
    const struct qn_batch *batch = &rq->batch;
    uint32_t statements = rq->n_slots;
    if (batch->rows < QN_ROW_LEAST)
        return "chains take in other columns, and fewer than 8192 rows do not pay for a kernel";
    if (batch->n_operands > QN_ROW_COLUMNS) return "chains take in more than 64 other columns";
    for (uint32_t i = 0; i < batch->n_operands + batch->n_lanes; i++) {
        const struct qn_lane *lane =
            i < batch->n_operands ? &batch->operands[i] : &batch->lanes[i - batch->n_operands];
        const char *why = count_chain(batch, lane, &statements);
        if (why != NULL) return why;
        if (statements > QN_ROW_STATEMENTS)
            return "chains take in other columns, and they and the outputs are more than 1024 "
                   "statements";
    }
    return NULL;
}

/* ---- the shape ---- */

struct shape {
    const struct qn_run_request *rq;
    uint32_t *source;             /* of each operand, then of each lane: a column that is loaded */
    const struct qn_lane **first; /* [source] one of those that load it */
    uint32_t n_sources, n_flags;
    uint32_t *finds;   /* of each operand and lane: its flag for FIND, SPLINE and LOOK, or 0 */
    uint32_t *written; /* [lane] its chain is in the text already */
    int watch, tiled;
    uint32_t p; /* parameters so far */
};

static uint32_t n_chains(const struct shape *s)
{
    return s->rq->batch.n_operands + s->rq->batch.n_lanes;
}

static const struct qn_lane *chain_at(const struct shape *s, uint32_t i)
{
    const struct qn_batch *batch = &s->rq->batch;
    return i < batch->n_operands ? &batch->operands[i] : &batch->lanes[i - batch->n_operands];
}

static int same_column(const struct qn_lane *a, const struct qn_lane *b)
{
    return a->offset == b->offset && a->stride == b->stride && a->valid_bit == b->valid_bit &&
           a->type == b->type && a->work == b->work;
}

static uint32_t final_work(const struct qn_batch *batch, const struct qn_lane *lane)
{
    uint32_t work = lane->work;
    for (uint32_t k = 0; k < lane->n_ops; k++)
        work = qn_op_result(batch->ops[lane->first_op + k].code, work);
    return work;
}

/* Rows of the output are packed values of one type: neighbouring items should write neighbours. */
static int rows_outside(const struct qn_run_request *rq)
{
    const struct qn_slot *first = &rq->slots[0];
    uint64_t size = qn_value_bytes(first->type);
    for (uint32_t i = 0; i < rq->n_slots; i++)
        if (rq->slots[i].stride != first->stride || rq->slots[i].type != first->type ||
            rq->slots[i].offset != first->offset + i * size)
            return 0;
    return rq->n_slots > 1;
}

static quern_status find_sources(struct qn_arena *arena, struct shape *s)
{
    uint32_t n = n_chains(s);
    s->source = qn_arena_alloc(arena, n, sizeof *s->source);
    s->first = qn_arena_alloc(arena, n, sizeof(struct qn_lane *));
    s->finds = qn_arena_alloc(arena, n, sizeof *s->finds);
    s->written = qn_arena_alloc(arena, n, sizeof *s->written);
    if (s->source == NULL || s->first == NULL || s->finds == NULL || s->written == NULL)
        return qn_error_memory_while("writing a program");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < s->n_sources && !same_column(s->first[k], chain_at(s, i))) k++;
        if (k == s->n_sources) s->first[s->n_sources++] = chain_at(s, i);
        s->source[i] = k;
    }
    s->n_flags = s->n_sources;
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_lane *lane = chain_at(s, i);
        for (uint32_t k = 0; k < lane->n_ops && s->finds[i] == 0; k++) {
            uint32_t code = s->rq->batch.ops[lane->first_op + k].code;
            if (code == QN_OP_FIND || code == QN_OP_SPLINE || code == QN_OP_LOOK)
                s->finds[i] = s->n_flags++;
        }
    }
    return QUERN_OK;
}

/* ---- the text ---- */

static void line(struct qn_writer *w, const char *format, ...) QN_PRINTF(2, 3);
static void line(struct qn_writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    qn_write_line(w, format, args);
    va_end(args);
}

/* A value's bits, as qn_store_bits takes them; and back. */
static const char *to_bits(uint32_t work)
{
    static const char *const texts[] = {"QN_BITS32", "QN_BITS64", "(qn_u64)", "(qn_u64)"};
    return texts[work];
}

static const char *from_bits(uint32_t work)
{
    static const char *const texts[] = {"QN_F32((qn_u32)(", "QN_F64((", "(qn_i64)((", "(qn_u32)(("};
    return texts[work];
}

/* Parameters of all chains, in the order of qn_row_program's table. */
static void write_params(struct qn_writer *w, const struct shape *s)
{
    uint32_t p = 0;
    for (uint32_t i = 0; i < n_chains(s); i++) {
        const struct qn_lane *lane = chain_at(s, i);
        for (uint32_t k = 0; k < lane->n_ops; k++) {
            const struct qn_op *op = &s->rq->batch.ops[lane->first_op + k];
            const char *type = qn_op_word_type(op->code, op->work);
            for (uint32_t j = 0; j < qn_op_words(op->code); j++, p++) {
                int real = op->code < QN_OP_FIND && op->work <= QN_W_F64;
                line(w, "    const %s p%u = (%s)%stable[%uu]%s;\n", type, p, type,
                     real ? "QN_F64(" : "", p, real ? ")" : "");
            }
        }
    }
}

/* Column `k` of the row. */
static void write_load(struct qn_writer *w, const struct shape *s, uint32_t k)
{
    const struct qn_lane *lane = s->first[k];
    const char *name = qn_work_name(lane->work);
    line(w, "        qn_u64 b%u = qn_load(in + (places[%uu] + row * places[%uu]), %uu, %uu);\n", k,
         3 * k, 3 * k + 1, lane->type, lane->work);
    if (lane->valid_bit != QN_NO_VALIDITY && lane->work <= QN_W_F64) {
        line(w, "        qn_u64 m%u = places[%uu] + row;\n", k, 3 * k + 2);
        line(w, "        if ((((qn_u32)in[m%u >> 3] >> (m%u & 7u)) & 1u) == 0u) b%u = %s;\n", k, k,
             k, lane->work == QN_W_F32 ? "QN_NAN32" : "QN_NAN64");
    }
    line(w, "        const %s s%u = %sb%u));\n", name, k, from_bits(lane->work), k);
    if (s->watch && lane->work <= QN_W_F64)
        line(w, "        f%u |= %s(s%u);\n", k, lane->work == QN_W_F32 ? "qn_seen32" : "qn_seen64",
             k);
}

/* Chain i, as a block that leaves its value in `name`. */
static void write_chain(struct qn_writer *w, const struct shape *s, uint32_t i, uint32_t p,
                        const char *name)
{
    const struct qn_lane *lane = chain_at(s, i);
    static const char *const joins[] = {"f32", "f64", "i64"};
    uint32_t aside[QN_ASIDE + 1] = {0}, n_aside = 0;
    line(w, "        {\n    %s v0 = s%u;\n", qn_work_name(lane->work), s->source[i]);
    if (s->finds[i] != 0) line(w, "    qn_u32 *seen = &f%u;\n", s->finds[i]);
    for (uint32_t k = 0; k < lane->n_ops; k++) {
        const struct qn_op *op = &s->rq->batch.ops[lane->first_op + k];
        if (op->code == QN_OP_TAKE) {
            uint32_t taken = final_work(&s->rq->batch, &s->rq->batch.operands[op->arg]);
            aside[n_aside++] = k;
            line(w, "    %s v%u = o%u;\n", qn_work_name(taken), k + 1, op->arg);
        } else if (op->code == QN_OP_JOIN_WHERE) {
            n_aside -= 2;
            line(w, "    %s v%u = v%u != 0 ? v%u : v%u;\n", qn_work_name(op->work), k + 1,
                 aside[n_aside], aside[n_aside + 1], k);
        } else if (QN_OP_IS_JOIN(op->code)) {
            line(w, "    %s v%u = qn_join_%s(%uu, v%u, v%u);\n", qn_work_name(op->work), k + 1,
                 joins[op->work], op->code, aside[--n_aside], k);
        } else {
            qn_write_op(w, k, op->code, op->work, p);
        }
        p += qn_op_words(op->code);
    }
    line(w, "    %s = v%u;\n        }\n", name, lane->n_ops);
}

/* The first parameter of chain i. */
static uint32_t first_param(const struct shape *s, uint32_t i)
{
    uint32_t p = 0;
    for (uint32_t j = 0; j < i; j++) {
        const struct qn_lane *lane = chain_at(s, j);
        for (uint32_t k = 0; k < lane->n_ops; k++)
            p += qn_op_words(s->rq->batch.ops[lane->first_op + k].code);
    }
    return p;
}

static int is_taken(const struct shape *s, uint32_t operand)
{
    const struct qn_batch *batch = &s->rq->batch;
    for (uint32_t k = 0; k < batch->n_ops; k++)
        if (batch->ops[k].code == QN_OP_TAKE && batch->ops[k].arg == operand) return 1;
    return 0;
}

static void write_operands(struct qn_writer *w, const struct shape *s)
{
    const struct qn_batch *batch = &s->rq->batch;
    for (uint32_t i = 0; i < batch->n_operands; i++) {
        char name[16];
        if (!is_taken(s, i)) continue;
        (void)snprintf(name, sizeof name, "o%u", i);
        line(w, "        %s o%u;\n", qn_work_name(final_work(batch, &batch->operands[i])), i);
        write_chain(w, s, i, first_param(s, i), name);
    }
}

/* The lane's value, unless an earlier slot wanted it. */
static void write_lane(struct qn_writer *w, const struct shape *s, uint32_t lane)
{
    const struct qn_batch *batch = &s->rq->batch;
    uint32_t i = batch->n_operands + lane;
    char name[16];
    if (s->written[lane]) return;
    s->written[lane] = 1;
    (void)snprintf(name, sizeof name, "x%u", lane);
    line(w, "        %s x%u;\n", qn_work_name(final_work(batch, &batch->lanes[lane])), lane);
    write_chain(w, s, i, first_param(s, i), name);
}

/* What slot k stores. */
static void slot_bits(const struct shape *s, uint32_t k, char *out, size_t room)
{
    const struct qn_slot *slot = &s->rq->slots[k];
    uint32_t work = final_work(&s->rq->batch, &s->rq->batch.lanes[slot->lane]);
    const char *one = slot->type == QN_T_F32   ? "0x3f800000u"
                      : slot->type == QN_T_F64 ? "0x3ff0000000000000u"
                                               : "1u";
    if (slot->match != QN_MATCH_VALUE)
        (void)snprintf(out, room, "((qn_u32)x%u == %uu ? (qn_u64)%s : 0u)", slot->lane, slot->match,
                       one);
    else
        (void)snprintf(out, room, "qn_store_bits((qn_u64)%s(x%u), %uu, %uu)", to_bits(work),
                       slot->lane, work, slot->type);
}

static void write_store(struct qn_writer *w, const struct shape *s, uint32_t k)
{
    uint32_t at = 3 * s->n_sources + 2 * k;
    char bits[96];
    slot_bits(s, k, bits, sizeof bits);
    line(w, "        QN_WHERE qn_store(out + (places[%uu] + row * places[%uu]), %uu, %s);\n", at,
         at + 1, s->rq->slots[k].type, bits);
}

enum { TILE_SLOTS = 8 };

/* All slots, each where it belongs, or eight at a time through local memory. */
static void write_slots(struct qn_writer *w, const struct shape *s, int tiled)
{
    uint32_t n = s->rq->n_slots;
    memset(s->written, 0, s->rq->batch.n_lanes * sizeof *s->written);
    for (uint32_t k = 0; k < n; k++) {
        char bits[96];
        write_lane(w, s, s->rq->slots[k].lane);
        if (!tiled) {
            write_store(w, s, k);
            continue;
        }
        slot_bits(s, k, bits, sizeof bits);
        line(w, "        tile[%uu * (QN_ITEMS + 1u) + item] = (QN_OUT)%s;\n", k % TILE_SLOTS, bits);
        if (k % TILE_SLOTS != TILE_SLOTS - 1 && k + 1 != n) continue;
        line(w, "        qn_flush(tile, out, places[%uu], places[%uu], %uu, first, rows);\n",
             3 * s->n_sources + 2 * (k / TILE_SLOTS * TILE_SLOTS), 3 * s->n_sources + 1,
             k % TILE_SLOTS + 1);
    }
}

/* What both shapes begin with. */
static void write_top(struct qn_writer *w, const struct shape *s)
{
    uint32_t places = first_param(s, n_chains(s));
    line(w, "    QN_GLOBAL const qn_u64 *places = table + %uu;\n", places);
    if (s->watch)
        line(w, "    QN_GLOBAL const qn_u64 *links = places + %uu;\n",
             3 * s->n_sources + 2 * s->rq->n_slots);
    for (uint32_t k = s->watch ? 0 : s->n_sources; k < s->n_flags; k++)
        line(w, "    qn_u32 f%u = 0u;\n", k);
    write_params(w, s);
}

static void write_row(struct qn_writer *w, const struct shape *s, int tiled)
{
    for (uint32_t k = 0; k < s->n_sources; k++) write_load(w, s, k);
    write_operands(w, s);
    write_slots(w, s, tiled);
}

static void write_flags(struct qn_writer *w, const struct shape *s, int gpu)
{
    for (uint32_t k = 0; s->watch && k < s->n_flags; k++)
        line(w,
             gpu ? "    if (f%u != 0u) QN_OR_LOCAL(&flags[%u], f%u);\n"
                 : "    flags[%u] = f%u; (void)f%u;\n",
             k, k, k);
    if (!s->watch) return;
    if (gpu) line(w, "    QN_BARRIER();\n");
    line(w,
         "    for (qn_u32 lane = %s; lane < %uu; lane += %s) {\n"
         "        qn_u32 all = 0u;\n"
         "        for (qn_u64 k = links[lane]; k < links[lane + 1u]; k++)\n"
         "            all |= flags[(qn_u32)links[k]];\n"
         "        if (all != 0u) QN_OR_GLOBAL(&seen_out[lane], all);\n    }\n",
         gpu ? "item" : "0u", s->rq->batch.n_lanes, gpu ? "QN_ITEMS" : "1u");
}

#define ARGUMENTS                                                                                  \
    "QN_KERNEL qn_program(QN_GLOBAL const unsigned char *QN_RESTRICT in,\n"                        \
    "                     QN_GLOBAL const qn_u64 *QN_RESTRICT table,\n"                            \
    "                     QN_GLOBAL const qn_u64 *QN_RESTRICT words, qn_u64 rows, qn_u64 chunk,\n" \
    "                     QN_GLOBAL unsigned char *QN_RESTRICT out,\n"                             \
    "                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)\n{\n"

/* Group x: `chunk` times QN_ITEMS rows, an item one of each. */
static void write_gpu(struct qn_writer *w, const struct shape *s)
{
    static const char flush[] =
        "/* count columns of the group's rows, from local memory. */\n"
        "QN_FN void qn_flush(QN_LOCAL QN_OUT *tile, QN_GLOBAL unsigned char *out, qn_u64 place,\n"
        "                    qn_u64 stride, qn_u32 count, qn_u64 first, qn_u64 rows)\n{\n"
        "    QN_BARRIER();\n"
        "    for (qn_u32 i = QN_ITEM(); i < QN_ITEMS * count; i += QN_ITEMS) {\n"
        "        qn_u32 r = i / count, k = i - r * count;\n"
        "        if (first + r < rows)\n"
        "            *(QN_GLOBAL QN_OUT *)(out + (place + (first + r) * stride + k * "
        "sizeof(QN_OUT))) "
        "=\n                tile[k * (QN_ITEMS + 1u) + r];\n"
        "    }\n    QN_BARRIER();\n}\n";
    if (s->tiled) qn_write_text(w, flush, sizeof flush - 1);
    qn_write_text(w, ARGUMENTS, sizeof ARGUMENTS - 1);
    if (s->tiled) line(w, "    QN_SHARED QN_OUT tile[%u * (QN_ITEMS + 1u)];\n", TILE_SLOTS);
    if (s->watch) line(w, "    QN_SHARED qn_u32 flags[%u];\n", s->n_flags);
    line(w, "    qn_u32 item = QN_ITEM();\n");
    write_top(w, s);
    if (s->watch)
        line(w,
             "    for (qn_u32 k = item; k < %uu; k += QN_ITEMS) flags[k] = 0u;\n"
             "    QN_BARRIER();\n",
             s->n_flags);
    line(w, "    for (qn_u64 step = 0u; step < chunk; step++) {\n"
            "        qn_u64 first = ((qn_u64)QN_GROUP() * chunk + step) * QN_ITEMS;\n"
            "        qn_u64 row = first + item;\n"
            "        int inside = row < rows;\n"
            "        if (!inside) row = rows - 1u;\n");
    write_row(w, s, s->tiled);
    line(w, "        (void)inside;\n    }\n");
    write_flags(w, s, 1);
    line(w, "    (void)words; (void)seen_out;\n}\n");
}

/* Item x: rows [x * chunk, …). */
static void write_cpu(struct qn_writer *w, const struct shape *s)
{
    qn_write_text(w, ARGUMENTS, sizeof ARGUMENTS - 1);
    if (s->watch) line(w, "    qn_u32 flags[%u];\n", s->n_flags);
    write_top(w, s);
    line(w, "    qn_u64 from = (qn_u64)QN_GROUP() * chunk,\n"
            "           to = rows - from < chunk ? rows : from + chunk;\n"
            "    for (qn_u64 row = from; row < to; row++) {\n");
    write_row(w, s, 0);
    line(w, "    }\n");
    write_flags(w, s, 0);
    line(w, "    (void)words; (void)seen_out;\n}\n");
}

static quern_status write_text(const struct shape *s, struct qn_writer *w)
{
    static const char *const units[] = {"unsigned char", "unsigned short", "qn_u32", "qn_u64"};
    const struct qn_source *chain = qn_kernel_source("chain");
    uint32_t size = qn_value_bytes(s->rq->slots[0].type);
    if (chain == NULL)
        return qn_error(QUERN_INTERNAL, "the texts for generated programs are missing");
    qn_write_text(w, chain->text, chain->bytes);
    line(w, "#define QN_OUT %s\n#if !defined(QN_CPU_SHAPE)\n#define QN_WHERE if (inside)\n",
         units[size == 1   ? 0
               : size == 2 ? 1
               : size == 4 ? 2
                           : 3]);
    write_gpu(w, s);
    line(w, "#else\n#define QN_WHERE\n");
    write_cpu(w, s);
    line(w, "#endif\n");
    return w->failed ? qn_error_memory("a program's text", w->used) : QUERN_OK;
}

/* ---- the table ---- */

/* Every flag that tells of a lane: its column's, its operands', and those of their FINDs. */
static uint32_t links_of(const struct shape *s, uint32_t lane, uint64_t *out)
{
    const struct qn_batch *batch = &s->rq->batch;
    uint32_t n = 0, i = batch->n_operands + lane;
    const struct qn_lane *l = &batch->lanes[lane];
    int stored = 0;
    for (uint32_t k = 0; k < s->rq->n_slots; k++) stored |= s->rq->slots[k].lane == lane;
    if (!stored) return 0; /* nobody computes it */
    for (uint32_t k = 0; k <= l->n_ops; k++) {
        const struct qn_op *op = k < l->n_ops ? &batch->ops[l->first_op + k] : NULL;
        if (op != NULL && op->code != QN_OP_TAKE) continue;
        uint32_t chain = op != NULL ? op->arg : i;
        if (out != NULL) out[n] = s->source[chain];
        n++;
        if (s->finds[chain] == 0) continue;
        if (out != NULL) out[n] = s->finds[chain];
        n++;
    }
    return n;
}

static void fill_table(const struct shape *s, uint64_t *to)
{
    const struct qn_batch *batch = &s->rq->batch;
    uint64_t *at = to;
    for (uint32_t i = 0; i < n_chains(s); i++) {
        const struct qn_lane *lane = chain_at(s, i);
        for (uint32_t k = 0; k < lane->n_ops; k++) {
            const struct qn_op *op = &batch->ops[lane->first_op + k];
            for (uint32_t j = 0; j < qn_op_words(op->code); j++) *at++ = batch->words[op->arg + j];
        }
    }
    for (uint32_t k = 0; k < s->n_sources; k++) {
        *at++ = s->first[k]->offset;
        *at++ = (uint64_t)s->first[k]->stride;
        *at++ = s->first[k]->valid_bit;
    }
    for (uint32_t k = 0; k < s->rq->n_slots; k++) {
        *at++ = s->rq->slots[k].offset;
        *at++ = s->rq->slots[k].stride;
    }
    uint64_t *links = at;
    links[0] = (uint64_t)batch->n_lanes + 1;
    for (uint32_t i = 0; i < batch->n_lanes; i++)
        links[i + 1] = links[i] + links_of(s, i, links + links[i]);
}

static quern_status make_table(const struct shape *s, struct qn_row_program *out)
{
    uint64_t n_links = (uint64_t)s->rq->batch.n_lanes + 1;
    for (uint32_t i = 0; i < s->rq->batch.n_lanes; i++) n_links += links_of(s, i, NULL);
    out->n_words = first_param(s, n_chains(s)) + 3 * (size_t)s->n_sources +
                   2 * (size_t)s->rq->n_slots + n_links;
    out->table = qn_zalloc(out->n_words, sizeof *out->table);
    if (out->table == NULL) return qn_error_memory("a program's table", out->n_words * 8);
    fill_table(s, out->table);
    return QUERN_OK;
}

quern_status qn_row_program_make(const struct qn_run_request *rq, struct qn_row_program *out)
{
    struct shape s = {.rq = rq, .watch = rq->seen != NULL || rq->seen_base.raw != NULL};
    struct qn_arena arena = {0};
    struct qn_writer w = {0};
    quern_status status = QUERN_OK;
    memset(out, 0, sizeof *out);
    s.tiled = rows_outside(rq);
    QN_GO(find_sources(&arena, &s));
    QN_GO(write_text(&s, &w));
    QN_GO(make_table(&s, out)); /* the last that may fail */
    out->text = w.text;
    out->bytes = w.used;
    w.text = NULL;
cleanup:
    qn_free(w.text);
    qn_arena_free(&arena);
    return status;
}

void qn_row_program_free(struct qn_row_program *p)
{
    qn_free(p->text);
    qn_free(p->table);
    memset(p, 0, sizeof *p);
}
