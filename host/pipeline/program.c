/* SPDX-License-Identifier: Apache-2.0
 * Ports -> lanes, ops, words, slots. Ports that share a chain share a lane, so a one-hot block is one
 * lane and many slots. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/plan.h"

/* Words that an op takes in the table. */
static uint32_t op_words(const struct qn_chain_op *op)
{
    if (op->code == QN_OP_NORM) return 0;
    return 2 + op->n_table;
}

static void count(const struct qn_port *ports, uint32_t n_ports, uint32_t *n_ops, uint32_t *n_words)
{
    *n_ops = *n_words = 0;
    for (uint32_t i = 0; i < n_ports; i++) {
        const struct qn_chain *chain = ports[i].chain;
        if (i > 0 && ports[i - 1].chain == chain) continue;
        *n_ops += chain->n_ops;
        for (uint32_t k = 0; k < chain->n_ops; k++) *n_words += op_words(&chain->ops[k]);
    }
}

static void add_op(struct qn_program *p, const struct qn_chain *chain, const struct qn_chain_op *op)
{
    struct qn_op *out = &p->ops[p->n_ops++];
    *out = (struct qn_op){.code = op->code, .work = op->work, .arg = p->n_words};
    if (op->code == QN_OP_NORM) {
        out->arg = (uint32_t)chain->norm;
        return;
    }
    uint64_t *words = p->words + p->n_words;
    p->n_words += op_words(op);
    words[0] = op->words[0];
    words[1] = op->words[1];
    if (op->table == NULL && op->n_table == 0 && op->code != QN_OP_FIND &&
        op->code != QN_OP_REMAP && op->code != QN_OP_VALUE)
        return;
    words[0] = (uint64_t)(p->n_words - op->n_table);
    words[1] = op->n_table;
    if (op->table != NULL) memcpy(words + 2, op->table, op->n_table * sizeof *words);
}

static uint32_t add_lane(struct qn_program *p, const struct qn_chain *chain)
{
    struct qn_program_lane *lane = &p->lanes[p->n_lanes];
    lane->source = chain->source;
    lane->work = chain->load_work;
    lane->first_op = p->n_ops;
    lane->n_ops = chain->n_ops;
    lane->refuse_nan = chain->refuse_nan;
    lane->refuse_unknown = chain->refuse_unknown;
    lane->blame = chain->blame;
    lane->chain = chain;
    if (chain->has_norm) {
        struct qn_norm_desc *norm = &p->norms[chain->norm];
        if (norm->n_lanes++ == 0) norm->first_lane = p->n_lanes;
    }
    for (uint32_t k = 0; k < chain->n_ops; k++) add_op(p, chain, &chain->ops[k]);
    return p->n_lanes++;
}

quern_status qn_program_make(struct qn_arena *arena, const struct qn_layer *layer,
                             const struct qn_port *ports, uint32_t n_ports, const quern_type *types,
                             struct qn_program *out)
{
    uint32_t n_ops, n_words;
    count(ports, n_ports, &n_ops, &n_words);
    memset(out, 0, sizeof *out);
    out->lanes = qn_arena_alloc(arena, n_ports, sizeof *out->lanes);
    out->slots = qn_arena_alloc(arena, n_ports, sizeof *out->slots);
    out->ops = qn_arena_alloc(arena, n_ops, sizeof *out->ops);
    out->words = qn_arena_alloc(arena, n_words, sizeof *out->words);
    out->norms = qn_arena_alloc(arena, layer->n_norms, sizeof *out->norms);
    if (out->lanes == NULL || out->slots == NULL || out->ops == NULL || out->words == NULL ||
        out->norms == NULL)
        return qn_error_memory_while("making a program");
    for (uint32_t i = 0; i < layer->n_norms; i++) out->norms[i] = layer->norms[i];
    out->n_norms = layer->n_norms;
    for (uint32_t i = 0; i < n_ports; i++) {
        int shared = i > 0 && ports[i - 1].chain == ports[i].chain;
        uint32_t lane = shared ? out->n_lanes - 1 : add_lane(out, ports[i].chain);
        out->slots[i] = (struct qn_program_slot){.lane = lane,
                                                 .match = ports[i].match,
                                                 .type = types != NULL ? types[i] : ports[i].type};
    }
    out->n_slots = n_ports;
    return QUERN_OK;
}
