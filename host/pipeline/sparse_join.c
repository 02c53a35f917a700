/* SPDX-License-Identifier: Apache-2.0
 * Programs whose chains take in other columns, over the stored entries of a sparse table: a product is
 * stored in the rows in which all its columns are, as SciPy's products of sparse columns have it. A row
 * looks at the slots whose chain begins with one of its entries, once to count and once to fill. */
#include <stdio.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/memory/output.h"
#include "host/pipeline/sparse.h"
#include "kernels/chain.k.h"

enum { TASK_ROWS = 256 };

/* What a worker has of its own. */
struct worker {
    uint64_t *place; /* [column] the present row's entry and 1, or 0 */
    uint64_t row;    /* of the first entry that may not be there, or UINT64_MAX */
    uint32_t slot, column, seen;
};

struct run {
    const struct qn_sparse_frame *in;
    const struct qn_program *program;
    const struct qn_port *ports;
    const uint32_t *first,
        *slots;             /* slots[first[c] … first[c + 1]): their chains begin with column c */
    const uint32_t *always; /* slots that every row stores */
    uint32_t n_always, stride;
    uint64_t *ptr; /* of the result; while counting, ptr[row + 1] is the row's count */
    uint32_t *minor;
    char *values; /* NULL: counting */
    struct worker *workers;
};

int qn_program_joins(const struct qn_program *program, const struct qn_port *ports)
{
    for (uint32_t s = 0; s < program->n_slots; s++)
        if (program->lanes[program->slots[s].lane].chain->joins || ports[s].constant) return 1;
    return 0;
}

static const struct qn_program_lane *lane_of(const struct run *r, uint32_t slot)
{
    return &r->program->lanes[r->program->slots[slot].lane];
}

/* Column `lane->source`'s entry in this row, through the lane's own ops; `lane` may be an operand. */
static uint64_t entry(const struct run *r, struct worker *w, const struct qn_program_lane *lane,
                      uint32_t slot, uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    const struct qn_program_lane *own = lane_of(r, slot);
    uint64_t i = w->place[lane->source] - 1;
    quern_type type = r->in->types != NULL ? r->in->types[lane->source] : r->in->type;
    uint64_t x =
        qn_load((const unsigned char *)c->values + i * c->stride, (qn_u32)type, lane->work);
    uint32_t refused = QN_SEEN_INF | (own->refuse_nan ? QN_SEEN_NAN : 0u);
    uint32_t seen = own->n_ops != 0 ? qn_seen_bits(x, lane->work) & refused : 0;
    if (seen != 0 && row < w->row) {
        w->row = row;
        w->slot = slot;
        w->column = lane->source;
        w->seen = seen;
    }
    return x;
}

static uint64_t one_op(const struct run *r, const struct qn_op *op, uint64_t x)
{
    static const uint64_t empty[sizeof(struct qn_table_head) / sizeof(uint64_t) + 1];
    struct qn_norm_source none = {empty, 0, 0, (const unsigned char *)empty, empty};
    uint32_t ignored = 0;
    return qn_chain(x, op, 1, r->program->words, none, &ignored);
}

static uint64_t operand_value(const struct run *r, struct worker *w, uint32_t arg, uint32_t slot,
                              uint64_t row)
{
    const struct qn_program_lane *lane = &r->program->lanes[r->program->n_lanes + arg];
    uint64_t x = entry(r, w, lane, slot, row);
    for (uint32_t k = 0; k < lane->n_ops; k++)
        x = one_op(r, &r->program->ops[lane->first_op + k], x);
    return x;
}

/* The slot's value in this row, in which all its columns are stored. */
static uint64_t value_of(const struct run *r, struct worker *w, uint32_t slot, uint64_t row)
{
    const struct qn_program_lane *lane = lane_of(r, slot);
    uint64_t aside[QN_ASIDE] = {0}, x;
    uint32_t n = 0;
    if (r->ports[slot].constant)
        x = qn_work_f64(0, lane->work); /* whatever the column holds */
    else
        x = entry(r, w, lane, slot, row);
    for (uint32_t k = 0; k < lane->n_ops; k++) {
        const struct qn_op *op = &r->program->ops[lane->first_op + k];
        if (op->code == QN_OP_TAKE) {
            aside[n++] = x;
            x = operand_value(r, w, op->arg, slot, row);
        } else if (QN_OP_IS_JOIN(op->code)) {
            x = qn_join(op->code, op->work, aside[--n], x);
        } else {
            x = one_op(r, op, x);
        }
    }
    return x;
}

static int all_stored(const struct run *r, const struct worker *w, uint32_t slot)
{
    const struct qn_program_lane *lane = lane_of(r, slot);
    for (uint32_t k = 0; k < lane->n_ops; k++) {
        const struct qn_op *op = &r->program->ops[lane->first_op + k];
        if (op->code == QN_OP_TAKE &&
            w->place[r->program->lanes[r->program->n_lanes + op->arg].source] == 0)
            return 0;
    }
    return 1;
}

/* Counts the slot, or stores its value at `at`; 1 when it is an entry of the row. */
static uint64_t put(const struct run *r, struct worker *w, uint32_t slot, uint64_t row, uint64_t at)
{
    const struct qn_program_slot *s = &r->program->slots[slot];
    int drops = r->ports[slot].drops_zeros;
    if (r->values == NULL && !drops) return 1;
    uint64_t bits =
        qn_store_bits(value_of(r, w, slot, row), lane_of(r, slot)->chain->work, s->type);
    if (drops && bits == 0) return 0;
    if (r->values == NULL) return 1;
    r->minor[at] = slot;
    qn_store((unsigned char *)r->values + at * r->stride, s->type, bits);
    return 1;
}

static uint64_t one_row(const struct run *r, struct worker *w, uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    uint64_t begin = r->values != NULL ? r->ptr[row] : 0, at = begin;
    for (uint64_t i = c->ptr[row]; i < c->ptr[row + 1]; i++) w->place[c->minor[i]] = i + 1;
    for (uint32_t k = 0; k < r->n_always; k++) at += put(r, w, r->always[k], row, at);
    for (uint64_t i = c->ptr[row]; i < c->ptr[row + 1]; i++)
        for (uint32_t k = r->first[c->minor[i]]; k < r->first[c->minor[i] + 1]; k++)
            if (all_stored(r, w, r->slots[k])) at += put(r, w, r->slots[k], row, at);
    for (uint64_t i = c->ptr[row]; i < c->ptr[row + 1]; i++) w->place[c->minor[i]] = 0;
    return at - begin;
}

static void task(void *user, uint32_t worker, uint64_t number)
{
    struct run *r = user;
    uint64_t row = number * TASK_ROWS, end = row + TASK_ROWS;
    if (end > r->in->entries.n) end = r->in->entries.n;
    for (; row < end; row++) {
        uint64_t n = one_row(r, &r->workers[worker], row);
        if (r->values == NULL) r->ptr[row + 1] = n;
    }
}

static quern_status complain(const struct qn_exec *x, const struct run *r, const struct worker *w)
{
    struct qn_arena arena = {0};
    const char *blame = lane_of(r, w->slot)->blame, *name = NULL;
    uint32_t column = x->plan->n_layers == 1 ? w->column : r->ports[w->slot].column;
    name = qn_table_name(&arena, x->plan->schema, column);
    quern_status status =
        w->seen & QN_SEEN_INF
            ? qn_error(QUERN_INVALID, "row %llu: column \"%s\" has an infinite value",
                       (unsigned long long)w->row, name != NULL ? name : "?")
            : qn_error(QUERN_INVALID,
                       "row %llu: column \"%s\" has a missing value, which %s cannot take",
                       (unsigned long long)w->row, name != NULL ? name : "?", blame);
    qn_arena_free(&arena);
    return status;
}

/* All rows, in any order; the fault of the first row that has one. */
static quern_status walk(const struct qn_exec *x, struct run *r)
{
    struct qn_threads *threads = x->cx->threads;
    const struct worker *first = &r->workers[0];
    uint64_t n = r->in->entries.n;
    if (n != 0) qn_threads_run(threads, (n - 1) / TASK_ROWS + 1, task, r);
    for (uint32_t i = 1; i < qn_threads_size(threads); i++)
        if (r->workers[i].row < first->row) first = &r->workers[i];
    if (first->row != UINT64_MAX) return complain(x, r, first);
    return qn_context_cancelled(x->cx) ? qn_context_stopped(x->step) : QUERN_OK;
}

/* Slots by the column that their chains begin with, and those of every row. */
static quern_status sort_slots(struct run *r, struct qn_arena *arena)
{
    uint32_t n = r->program->n_slots, columns = r->in->columns;
    uint32_t *first = qn_arena_alloc(arena, (size_t)columns + 2, sizeof *first);
    uint32_t *slots = qn_arena_alloc(arena, n, sizeof *slots);
    uint32_t *always = qn_arena_alloc(arena, n, sizeof *always);
    if (first == NULL || slots == NULL || always == NULL)
        return qn_error_memory_while("running a sparse program");
    for (uint32_t s = 0; s < n; s++)
        if (!r->ports[s].constant) first[lane_of(r, s)->source + 2]++;
    for (uint32_t c = 0; c < columns; c++) first[c + 2] += first[c + 1];
    for (uint32_t s = 0; s < n; s++) {
        if (r->ports[s].constant)
            always[r->n_always++] = s;
        else
            slots[first[lane_of(r, s)->source + 1]++] = s;
    }
    r->first = first;
    r->slots = slots;
    r->always = always;
    return QUERN_OK;
}

static quern_status open_workers(struct run *r, struct qn_arena *arena, uint32_t n)
{
    r->workers = qn_arena_alloc(arena, n, sizeof *r->workers);
    if (r->workers == NULL) return qn_error_memory_while("running a sparse program");
    for (uint32_t i = 0; i < n; i++) {
        r->workers[i].row = UINT64_MAX;
        r->workers[i].place = qn_arena_alloc(arena, r->in->columns, sizeof(uint64_t));
        if (r->workers[i].place == NULL) return qn_error_memory_while("running a sparse program");
    }
    return QUERN_OK;
}

static quern_status open_output(struct run *r, struct qn_compressed *out)
{
    size_t bytes;
    uint64_t nnz = 0;
    for (uint64_t row = 0; row < r->in->entries.n; row++) r->ptr[row + 1] = nnz += r->ptr[row + 1];
    r->ptr[0] = 0;
    out->owned[1] = qn_output_alloc((size_t)nnz, sizeof(uint32_t));
    out->owned[2] = qn_mul_size((size_t)nnz, r->stride, &bytes) ? NULL : qn_output_alloc(bytes, 1);
    if (out->owned[1] == NULL || out->owned[2] == NULL)
        return qn_error_memory("sparse entries", nnz * 8);
    out->minor = r->minor = out->owned[1];
    out->values = r->values = out->owned[2];
    return QUERN_OK;
}

quern_status qn_sparse_join(struct qn_exec *x, const struct qn_sparse_frame *in,
                            const struct qn_program *program, const struct qn_port *ports,
                            quern_type type, struct qn_compressed *out)
{
    quern_status status = QUERN_OK;
    struct qn_arena arena = {0};
    struct run r = {.in = in, .program = program, .ports = ports};
    r.stride = type == QUERN_STRING ? 8 : (uint32_t)qn_type_bytes(type);
    *out = (struct qn_compressed){.n = in->entries.n, .stride = r.stride};
    if (program->n_norms != 0)
        QN_GO(qn_error(QUERN_UNSUPPORTED,
                       "products of sparse columns beside a Normalizer; make the input dense"));
    out->owned[0] = qn_zalloc((size_t)in->entries.n + 1, sizeof(uint64_t));
    if (out->owned[0] == NULL) QN_GO(qn_error_memory("sparse entries", in->entries.n * 8));
    out->ptr = r.ptr = out->owned[0];
    QN_GO(sort_slots(&r, &arena));
    QN_GO(open_workers(&r, &arena, qn_threads_size(x->cx->threads)));
    QN_GO(walk(x, &r)); /* counts */
    QN_GO(open_output(&r, out));
    QN_GO(walk(x, &r));
    QN_GO(qn_compressed_sort(out, program->n_slots));
    status = qn_context_decide(x->cx, x->step, "sparse", "host", "host", "");
cleanup:
    qn_arena_free(&arena);
    if (status != QUERN_OK) qn_compressed_free(out);
    return status;
}
