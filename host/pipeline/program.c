/* SPDX-License-Identifier: Apache-2.0
 * Ports -> lanes, ops, words, slots. Ports that share a chain share a lane, so a one-hot block is one
 * lane and many slots. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/plan.h"

/* Words that an op takes beside its table. */
static uint32_t op_words(const struct qn_chain_op *op)
{
    if (op->code == QN_OP_NORM || op->code >= QN_OP_TAKE) return 0;
    return op->code == QN_OP_SPLINE ? 3 : 2;
}

/* The tables that were written last. Neighbouring columns often share one: those of a spline. */
enum { RECENT = 4 };
struct recent {
    const uint64_t *tables[RECENT];
    uint32_t words[RECENT];
    uint64_t at[RECENT];
    uint32_t next;
};

/* Where the table is; UINT64_MAX: not among the last, and henceforth at `at`. */
static uint64_t shared_table(struct recent *r, const uint64_t *table, uint32_t words, uint64_t at)
{
    for (uint32_t i = 0; table != NULL && i < RECENT; i++)
        if (r->tables[i] == table && r->words[i] == words) return r->at[i];
    r->tables[r->next] = table;
    r->words[r->next] = words;
    r->at[r->next] = at;
    r->next = (r->next + 1) % RECENT;
    return UINT64_MAX;
}

/* What the chains need in all, without their operands'; takes: TAKE ops. */
struct sizes {
    size_t ops, words, takes;
    struct recent recent;
};

static void count_chain(const struct qn_chain *chain, struct sizes *sizes)
{
    sizes->ops += chain->n_ops;
    for (uint32_t k = 0; k < chain->n_ops; k++) {
        const struct qn_chain_op *op = &chain->ops[k];
        sizes->words += op_words(op);
        if (op->n_table != 0 &&
            shared_table(&sizes->recent, op->table, op->n_table, 0) == UINT64_MAX)
            sizes->words += op->n_table;
        sizes->takes += op->code == QN_OP_TAKE;
    }
}

struct making {
    struct qn_program *program;
    const struct qn_chain **operands; /* of the ports' chains, each once */
    uint32_t found;                   /* the one that was found last */
    struct recent recent;
};

/* The place of an operand. Neighbouring columns often take in the same one. */
static uint32_t operand_of(struct making *m, const struct qn_chain *chain)
{
    uint32_t n = m->program->n_operands;
    if (m->found < n && m->operands[m->found] == chain) return m->found;
    for (m->found = 0; m->found < n; m->found++)
        if (m->operands[m->found] == chain) return m->found;
    m->operands[m->program->n_operands++] = chain;
    return m->found;
}

static void add_op(struct making *m, const struct qn_chain *chain, const struct qn_chain_op *op)
{
    struct qn_program *p = m->program;
    struct qn_op *out = &p->ops[p->n_ops++];
    *out = (struct qn_op){.code = op->code, .work = op->work, .arg = p->n_words};
    if (op->code == QN_OP_NORM) {
        out->arg = (uint32_t)chain->norm;
        return;
    }
    if (op->code >= QN_OP_TAKE) {
        out->arg = op->code == QN_OP_TAKE ? operand_of(m, op->operand) : 0;
        return;
    }
    uint64_t *words = p->words + p->n_words;
    p->n_words += op_words(op);
    words[0] = op->words[0];
    words[1] = op->words[1];
    if (op->table == NULL && op->n_table == 0 && op->code != QN_OP_FIND &&
        op->code != QN_OP_REMAP && op->code != QN_OP_VALUE && !QN_OP_IS_BIN(op->code))
        return;
    if (op->code == QN_OP_SPLINE) words[2] = op->words[0];
    words[0] = p->n_words;
    words[1] = op->n_table;
    if (op->n_table == 0) return;
    uint64_t there = shared_table(&m->recent, op->table, op->n_table, p->n_words);
    if (there != UINT64_MAX) {
        words[0] = there;
        return;
    }
    if (op->table != NULL) memcpy(p->words + p->n_words, op->table, op->n_table * sizeof *words);
    p->n_words += op->n_table;
}

static void fill_lane(struct making *m, const struct qn_chain *chain, uint32_t place)
{
    struct qn_program *p = m->program;
    struct qn_program_lane *lane = &p->lanes[place];
    lane->source = chain->source;
    lane->work = chain->load_work;
    lane->first_op = p->n_ops;
    lane->n_ops = chain->n_ops;
    lane->refuse_nan = chain->refuse_nan;
    lane->refuse_unknown = chain->refuse_unknown;
    lane->blame = chain->blame;
    lane->chain = chain;
    for (uint32_t k = 0; k < chain->n_ops; k++) add_op(m, chain, &chain->ops[k]);
}

static uint32_t add_lane(struct making *m, const struct qn_chain *chain)
{
    struct qn_program *p = m->program;
    if (chain->has_norm) {
        struct qn_norm_desc *norm = &p->norms[chain->norm];
        if (norm->n_lanes++ == 0) norm->first_lane = p->n_lanes;
    }
    fill_lane(m, chain, p->n_lanes);
    return p->n_lanes++;
}

/* Counts, and makes room for all of it. */
static quern_status make_room(struct qn_arena *arena, const struct qn_layer *layer,
                              const struct qn_port *ports, uint32_t n_ports, struct making *m)
{
    struct qn_program *p = m->program;
    struct sizes sizes = {0};
    for (uint32_t i = 0; i < n_ports; i++)
        if (i == 0 || ports[i - 1].chain != ports[i].chain) count_chain(ports[i].chain, &sizes);
    m->operands = qn_arena_alloc(arena, sizes.takes, sizeof *m->operands);
    if (m->operands == NULL) return qn_error_memory_while("making a program");
    for (uint32_t i = 0; i < n_ports; i++)
        for (uint32_t k = 0; k < ports[i].chain->n_ops; k++)
            if (ports[i].chain->ops[k].code == QN_OP_TAKE)
                (void)operand_of(m, ports[i].chain->ops[k].operand);
    for (uint32_t i = 0; i < p->n_operands; i++) count_chain(m->operands[i], &sizes);
    if (sizes.ops > UINT32_MAX || sizes.words > UINT32_MAX)
        return qn_error(QUERN_UNSUPPORTED, "a program of more than 4294967295 ops or parameters");
    p->lanes = qn_arena_alloc(arena, (size_t)n_ports + p->n_operands, sizeof *p->lanes);
    p->slots = qn_arena_alloc(arena, n_ports, sizeof *p->slots);
    p->ops = qn_arena_alloc(arena, sizes.ops, sizeof *p->ops);
    p->words = qn_arena_alloc(arena, sizes.words, sizeof *p->words);
    p->norms = qn_arena_alloc(arena, layer->n_norms, sizeof *p->norms);
    if (p->lanes == NULL || p->slots == NULL || p->ops == NULL || p->words == NULL ||
        p->norms == NULL)
        return qn_error_memory_while("making a program");
    return QUERN_OK;
}

quern_status qn_program_make(struct qn_arena *arena, const struct qn_layer *layer,
                             const struct qn_port *ports, uint32_t n_ports, const quern_type *types,
                             struct qn_program *out)
{
    struct making m = {.program = out};
    memset(out, 0, sizeof *out);
    QN_TRY(make_room(arena, layer, ports, n_ports, &m));
    for (uint32_t i = 0; i < layer->n_norms; i++) out->norms[i] = layer->norms[i];
    out->n_norms = layer->n_norms;
    for (uint32_t i = 0; i < n_ports; i++) {
        int shared = i > 0 && ports[i - 1].chain == ports[i].chain;
        uint32_t lane = shared ? out->n_lanes - 1 : add_lane(&m, ports[i].chain);
        out->slots[i] = (struct qn_program_slot){.lane = lane,
                                                 .match = ports[i].match,
                                                 .type = types != NULL ? types[i] : ports[i].type};
    }
    for (uint32_t i = 0; i < out->n_operands; i++) fill_lane(&m, m.operands[i], out->n_lanes + i);
    out->n_slots = n_ports;
    return QUERN_OK;
}
