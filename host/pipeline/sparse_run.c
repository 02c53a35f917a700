/* SPDX-License-Identifier: Apache-2.0
 * Chains over the stored entries of a sparse table, row by row, with the arithmetic that the kernels
 * have (kernels/chain.k.h). */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/memory/output.h"
#include "host/pipeline/sparse.h"
#include "kernels/chain.k.h"

enum { TASK_ENTRIES = 1 << 15 };
#define NO_SLOT UINT32_MAX

static quern_status memory_error(uint64_t entries)
{
    return qn_error_memory("sparse entries", entries * 8);
}

/* The first entry that may not be there; rows are compared, so that threads do not decide. */
struct fault {
    uint64_t row;
    uint32_t slot, seen;
};

/* What a worker has of its own. */
struct worker {
    struct fault fault;
    double *norms;     /* per norm group */
    uint64_t *pending; /* values of a row that wait for its norm */
};

/* A slot with its chain: all that an entry needs, small, because entries jump from column to column and
 * wide tables do not fit a cache. Parameters of a chain of one arithmetic op are here too. */
struct path {
    const struct qn_op *ops;
    uint64_t words[2];          /* of the one op */
    uint32_t n_ops, before;     /* before: ops ahead of the norm; all of them without one */
    uint32_t group;             /* of the norm */
    uint8_t one_op;             /* its code, or 0 */
    uint8_t load, at_norm, end; /* working types */
    uint8_t kind;               /* of the norm */
    uint8_t stored;             /* type */
    uint8_t refused;            /* QN_SEEN_* */
    uint8_t has_norm : 1, drops_zeros : 1;
};

struct run {
    const struct qn_sparse_frame *in;
    const struct qn_program *program;
    const struct qn_port *ports;
    struct path *paths;      /* per slot */
    const uint32_t *slot_of; /* per column of the frame */
    uint32_t stride;
    uint64_t task_rows;
    uint64_t *count; /* entries of each row: ptr[row + 1] of the result */
    uint32_t *minor;
    char *values;
    struct worker *workers;
};

static const struct qn_program_lane *lane_of(const struct run *r, uint32_t slot)
{
    return &r->program->lanes[r->program->slots[slot].lane];
}

static struct path path_of(const struct run *r, uint32_t slot)
{
    const struct qn_program_lane *lane = lane_of(r, slot);
    struct path p = {.ops = r->program->ops + lane->first_op,
                     .n_ops = lane->n_ops,
                     .before = lane->n_ops,
                     .load = (uint8_t)lane->work,
                     .end = (uint8_t)lane->chain->work,
                     .stored = (uint8_t)r->program->slots[slot].type,
                     .has_norm = lane->chain->has_norm != 0,
                     .drops_zeros = r->ports[slot].drops_zeros != 0};
    p.refused =
        (uint8_t)((lane->n_ops != 0 ? QN_SEEN_INF : 0) | (lane->refuse_nan ? QN_SEEN_NAN : 0));
    if (p.n_ops == 1 && p.ops->code < QN_OP_NORM) {
        p.one_op = (uint8_t)p.ops->code;
        p.words[0] = r->program->words[p.ops->arg];
        p.words[1] = r->program->words[p.ops->arg + 1];
    }
    if (!p.has_norm) return p;
    p.before = 0;
    while (p.ops[p.before].code != QN_OP_NORM) p.before++;
    p.at_norm = (uint8_t)p.ops[p.before].work;
    p.group = (uint32_t)lane->chain->norm;
    p.kind = (uint8_t)r->program->norms[p.group].kind;
    return p;
}

/* ---- one row ---- */

/* The entry's value, loaded; what may not be there is noted. */
static uint64_t load(const struct run *r, struct worker *w, uint64_t i, const struct path *p,
                     uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    quern_type type = r->in->types != NULL ? r->in->types[c->minor[i]] : r->in->type;
    uint64_t x = qn_load((const unsigned char *)c->values + i * c->stride, (qn_u32)type, p->load);
    uint32_t seen = qn_seen_bits(x, p->load) & p->refused;
    if (seen != 0 && row < w->fault.row)
        w->fault = (struct fault){.row = row, .slot = (uint32_t)(p - r->paths), .seen = seen};
    return x;
}

/* Ops [from, to), none of them a norm. */
static uint64_t apply(const struct run *r, const struct path *p, uint32_t from, uint32_t to,
                      uint64_t x)
{
    /* a table without norms and operands: such programs have none */
    static const uint64_t empty[sizeof(struct qn_table_head) / sizeof(uint64_t) + 1];
    struct qn_norm_source none = {empty, 0, 0, (const unsigned char *)empty, empty};
    uint32_t ignored = 0;
    if (from == to) return x;
    if (p->one_op) return qn_arithmetic(p->one_op, p->load, x, p->words[0], p->words[1]);
    return qn_chain(x, p->ops + from, to - from, r->program->words, none, &ignored);
}

/* The result's entry `at`; 0 when it is not to be stored. */
static uint64_t store(const struct run *r, uint64_t at, const struct path *p, uint64_t x)
{
    uint64_t bits = qn_store_bits(x, p->end, p->stored);
    if (bits == 0 && p->drops_zeros) return 0;
    r->minor[at] = (uint32_t)(p - r->paths);
    qn_store((unsigned char *)r->values + at * r->stride, p->stored, bits);
    return 1;
}

static uint64_t plain_row(const struct run *r, struct worker *w, uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    uint64_t at = c->ptr[row];
    for (uint64_t i = c->ptr[row]; i < c->ptr[row + 1]; i++) {
        uint32_t slot = r->slot_of[c->minor[i]];
        if (slot == NO_SLOT) continue;
        const struct path *p = &r->paths[slot];
        at += store(r, at, p, apply(r, p, 0, p->n_ops, load(r, w, i, p, row)));
    }
    return at - c->ptr[row];
}

/* scikit-learn sums the norms of sparse rows in float64, entry by entry (a square is rounded to the
 * values' own type first), and leaves rows alone whose norm is 0. */
static void add_to_norm(double *norm, const struct path *p, uint64_t x)
{
    double value = p->at_norm == QN_W_F32 ? (double)QN_F32((uint32_t)x) : QN_F64(x);
    if (p->kind == QN_NORM_L1)
        *norm += fabs(value);
    else if (p->kind == QN_NORM_MAX)
        *norm = fabs(value) > *norm ? fabs(value) : *norm;
    else if (p->at_norm == QN_W_F32)
        *norm += (double)(QN_F32((uint32_t)x) * QN_F32((uint32_t)x));
    else
        *norm += value * value;
}

static uint64_t divided(uint64_t x, uint32_t work, double norm)
{
    if (norm == 0.0) return x;
    if (work == QN_W_F32) return QN_BITS32((float)((double)QN_F32((uint32_t)x) / norm));
    return QN_BITS64(QN_F64(x) / norm);
}

static void gather_norms(const struct run *r, struct worker *w, uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    memset(w->norms, 0, r->program->n_norms * sizeof *w->norms);
    for (uint64_t i = c->ptr[row], k = 0; i < c->ptr[row + 1]; i++, k++) {
        uint32_t slot = r->slot_of[c->minor[i]];
        if (slot == NO_SLOT) continue;
        const struct path *p = &r->paths[slot];
        uint64_t x = load(r, w, i, p, row);
        if (p->has_norm) {
            x = apply(r, p, 0, p->before, x);
            add_to_norm(&w->norms[p->group], p, x);
        }
        w->pending[k] = x;
    }
    for (uint32_t g = 0; g < r->program->n_norms; g++)
        if (r->program->norms[g].kind == QN_NORM_L2) w->norms[g] = sqrt(w->norms[g]);
}

static uint64_t normed_row(const struct run *r, struct worker *w, uint64_t row)
{
    const struct qn_compressed *c = &r->in->entries;
    uint64_t at = c->ptr[row];
    gather_norms(r, w, row);
    for (uint64_t i = c->ptr[row], k = 0; i < c->ptr[row + 1]; i++, k++) {
        uint32_t slot = r->slot_of[c->minor[i]], from = 0;
        if (slot == NO_SLOT) continue;
        const struct path *p = &r->paths[slot];
        uint64_t x = w->pending[k];
        if (p->has_norm) {
            from = p->before + 1;
            x = divided(x, p->at_norm, w->norms[p->group]);
        }
        at += store(r, at, p, apply(r, p, from, p->n_ops, x));
    }
    return at - c->ptr[row];
}

static void task(void *user, uint32_t worker, uint64_t number)
{
    const struct run *r = user;
    uint64_t row = number * r->task_rows, end = row + r->task_rows;
    if (end > r->in->entries.n) end = r->in->entries.n;
    for (; row < end; row++)
        r->count[row] = r->program->n_norms != 0 ? normed_row(r, &r->workers[worker], row)
                                                 : plain_row(r, &r->workers[worker], row);
}

/* ---- all rows ---- */

static quern_status complain(const struct qn_exec *x, const struct run *r, const struct fault *f)
{
    char own[32];
    const struct qn_port *port = &r->ports[f->slot];
    const char *name = x->plan->schema->columns[port->column].name;
    if (name == NULL) {
        (void)snprintf(own, sizeof own, "x%u", port->column);
        name = own;
    }
    if (f->seen & QN_SEEN_INF)
        return qn_error(QUERN_INVALID, "row %llu: column \"%s\" has an infinite value",
                        (unsigned long long)f->row, name);
    return qn_error(QUERN_INVALID,
                    "row %llu: column \"%s\" has a missing value, which %s cannot take",
                    (unsigned long long)f->row, name, lane_of(r, f->slot)->blame);
}

static uint64_t longest_row(const struct qn_compressed *c)
{
    uint64_t most = 0;
    for (uint64_t i = 0; i < c->n; i++)
        if (c->ptr[i + 1] - c->ptr[i] > most) most = c->ptr[i + 1] - c->ptr[i];
    return most;
}

static quern_status open_workers(struct run *r, struct qn_arena *arena, uint32_t n)
{
    uint64_t longest = r->program->n_norms != 0 ? longest_row(&r->in->entries) : 0;
    r->workers = qn_arena_alloc(arena, n, sizeof *r->workers);
    if (r->workers == NULL) return memory_error(n);
    for (uint32_t i = 0; i < n; i++) {
        r->workers[i].fault.row = UINT64_MAX;
        r->workers[i].norms = qn_arena_alloc(arena, r->program->n_norms, sizeof(double));
        r->workers[i].pending = qn_arena_alloc(arena, (size_t)longest, sizeof(uint64_t));
        if (r->workers[i].norms == NULL || r->workers[i].pending == NULL)
            return memory_error(longest);
    }
    return QUERN_OK;
}

/* Rows lie where the input's lay; entries that were not stored leave gaps, which close here. count
 * becomes the pointers of the result. */
static void close_gaps(struct run *r, uint64_t *ptr)
{
    const struct qn_compressed *c = &r->in->entries;
    uint64_t at = 0;
    for (uint64_t row = 0; row < c->n; row++) {
        uint64_t n = r->count[row], from = c->ptr[row];
        if (n != 0 && at != from) {
            memmove(r->minor + at, r->minor + from, (size_t)n * sizeof *r->minor);
            memmove(r->values + at * r->stride, r->values + from * r->stride,
                    (size_t)n * r->stride);
        }
        at += n;
        r->count[row] = at;
    }
    ptr[0] = 0; /* count is ptr + 1 */
}

static quern_status run_rows(struct qn_exec *x, struct run *r, struct qn_arena *arena,
                             struct qn_compressed *out)
{
    const struct qn_compressed *c = &r->in->entries;
    struct qn_threads *threads = x->cx->threads;
    uint64_t nnz = c->ptr[c->n], *ptr = (uint64_t *)out->owned[0];
    uint32_t n = qn_threads_size(threads);
    r->task_rows = nnz == 0 ? c->n + 1 : TASK_ENTRIES * (c->n / nnz + 1);
    while (r->task_rows > 1 && nnz / (c->n / r->task_rows + 1) > 2 * TASK_ENTRIES)
        r->task_rows /= 2;
    QN_TRY(open_workers(r, arena, n));
    if (c->n != 0) qn_threads_run(threads, (c->n - 1) / r->task_rows + 1, task, r);
    const struct fault *first = &r->workers[0].fault;
    for (uint32_t i = 1; i < n; i++)
        if (r->workers[i].fault.row < first->row) first = &r->workers[i].fault;
    if (first->row != UINT64_MAX) return complain(x, r, first);
    close_gaps(r, ptr);
    return QUERN_OK;
}

/* Memory for as many entries as the input has. */
static quern_status open_output(struct run *r, struct qn_compressed *out)
{
    size_t bytes;
    uint64_t n = r->in->entries.n, nnz = r->in->entries.ptr[n];
    *out = (struct qn_compressed){.n = n, .stride = r->stride, .sorted = 1};
    out->owned[0] = qn_output_alloc((size_t)n + 1, sizeof(uint64_t));
    out->owned[1] = qn_output_alloc((size_t)nnz, sizeof(uint32_t));
    out->owned[2] = qn_mul_size((size_t)nnz, r->stride, &bytes) ? NULL : qn_output_alloc(bytes, 1);
    if (out->owned[0] == NULL || out->owned[1] == NULL || out->owned[2] == NULL)
        return memory_error(nnz);
    out->ptr = out->owned[0];
    out->minor = out->owned[1];
    out->values = out->owned[2];
    r->count = (uint64_t *)out->owned[0] + 1;
    r->minor = out->owned[1];
    r->values = out->owned[2];
    return QUERN_OK;
}

/* ---- columns and slots ---- */

/* Where each column of the frame goes; 0 when one goes to several slots. *sorted: entries of a row come
 * out in the order of slots. */
static int one_slot_each(const struct run *r, uint32_t *slot_of, int *sorted)
{
    int64_t before = -1;
    *sorted = 1;
    for (uint32_t i = 0; i < r->in->columns; i++) slot_of[i] = NO_SLOT;
    for (uint32_t s = 0; s < r->program->n_slots; s++) {
        int64_t source = lane_of(r, s)->source;
        if (slot_of[source] != NO_SLOT) return 0;
        *sorted &= source > before;
        before = source;
        slot_of[source] = s;
    }
    return 1;
}

/* The slots in the order of the columns that they look at. */
static void by_source(const struct run *r, const uint32_t *first, uint32_t *slots)
{
    uint32_t *next = slots + r->program->n_slots; /* room for one per column of the frame */
    memcpy(next, first, r->in->columns * sizeof *next);
    for (uint32_t s = 0; s < r->program->n_slots; s++) slots[next[lane_of(r, s)->source]++] = s;
}

/* The frame with a column for each slot, in the order of the columns that it has: rows are summed in
 * that order, as SciPy leaves them when columns are taken in another. */
static quern_status repeat_columns(const struct run *r, struct qn_arena *arena, uint32_t *slot_of,
                                   struct qn_sparse_frame *out)
{
    uint32_t n = r->program->n_slots;
    const struct qn_sparse_frame *in = r->in;
    struct qn_compressed columns;
    uint32_t *slots = qn_arena_alloc(arena, (size_t)n + in->columns, sizeof *slots);
    uint32_t *first = qn_arena_alloc(arena, (size_t)in->columns + 1, sizeof *first);
    uint32_t *sources = qn_arena_alloc(arena, n, sizeof *sources);
    quern_type *types = qn_arena_alloc(arena, n, sizeof *types);
    if (slots == NULL || first == NULL || sources == NULL || types == NULL) return memory_error(n);
    for (uint32_t s = 0; s < n; s++) first[lane_of(r, s)->source + 1]++;
    for (uint32_t i = 0; i < in->columns; i++) first[i + 1] += first[i];
    by_source(r, first, slots);
    for (uint32_t k = 0; k < n; k++) {
        slot_of[k] = slots[k];
        sources[k] = lane_of(r, slots[k])->source;
        types[k] = in->types != NULL ? in->types[sources[k]] : in->type;
    }
    *out = (struct qn_sparse_frame){.columns = n, .types = types};
    QN_TRY(qn_compressed_transpose(&in->entries, NULL, in->entries.n, in->columns, &columns));
    quern_status status =
        qn_compressed_transpose(&columns, sources, n, in->entries.n, &out->entries);
    qn_compressed_free(&columns);
    return status;
}

quern_status qn_sparse_run(struct qn_exec *x, const struct qn_sparse_frame *in,
                           const struct qn_program *program, const struct qn_port *ports,
                           quern_type type, struct qn_compressed *out)
{
    if (qn_program_joins(program, ports)) return qn_sparse_join(x, in, program, ports, type, out);
    quern_status status = QUERN_OK;
    struct qn_arena arena = {0};
    struct qn_sparse_frame own = {0};
    struct run r = {.in = in, .program = program, .ports = ports};
    int sorted = 0;
    uint32_t widest = in->columns > program->n_slots ? in->columns : program->n_slots;
    uint32_t *slot_of = qn_arena_alloc(&arena, widest, sizeof *slot_of);
    r.paths = qn_arena_alloc(&arena, program->n_slots, sizeof *r.paths);
    memset(out, 0, sizeof *out);
    r.stride = type == QUERN_STRING ? 8 : (uint32_t)qn_type_bytes(type);
    r.slot_of = slot_of;
    if (slot_of == NULL || r.paths == NULL) {
        status = memory_error(widest);
        goto cleanup;
    }
    for (uint32_t i = 0; i < program->n_slots; i++) r.paths[i] = path_of(&r, i);
    if (!one_slot_each(&r, slot_of, &sorted)) {
        sorted = 0;
        QN_GO(repeat_columns(&r, &arena, slot_of, &own));
        r.in = &own;
    }
    QN_GO(open_output(&r, out));
    QN_GO(run_rows(x, &r, &arena, out));
    out->sorted = sorted && in->entries.sorted;
    status = qn_context_decide(x->cx, x->step, "sparse", "host", "host", "");
cleanup:
    qn_compressed_free(&own.entries);
    qn_arena_free(&arena);
    if (status != QUERN_OK) qn_compressed_free(out);
    return status;
}

/* ---- frames ---- */

void qn_sparse_frame_free(struct qn_sparse_frame *f)
{
    qn_compressed_free(&f->entries);
}

quern_status qn_sparse_first(const struct quern_table *table, const uint32_t *at, uint32_t n,
                             struct qn_sparse_frame *out)
{
    *out = (struct qn_sparse_frame){.columns = n, .type = table->sparse->type};
    return qn_sparse_by_rows(table, at, n, &out->entries);
}

quern_status qn_sparse_next(struct qn_exec *x, const struct qn_sparse_frame *before, uint32_t layer,
                            struct qn_sparse_frame *out)
{
    const struct qn_layer *from = &x->plan->layers[layer - 1];
    struct qn_arena arena = {0};
    struct qn_program program;
    memset(out, 0, sizeof *out);
    quern_status status =
        qn_program_make(&arena, from, from->outputs, from->n_outputs, NULL, &program);
    if (status == QUERN_OK)
        status = qn_sparse_run(x, before, &program, from->outputs, QUERN_STRING, &out->entries);
    out->columns = from->n_outputs;
    out->types = x->plan->layers[layer].input_types;
    qn_arena_free(&arena);
    return status;
}

quern_status qn_sparse_make(struct qn_exec *x, const struct quern_table *table, const uint32_t *at,
                            uint32_t n, uint32_t layer, struct qn_sparse_frame *out)
{
    QN_TRY(qn_sparse_first(table, at, n, out));
    for (uint32_t k = 1; k <= layer; k++) {
        struct qn_sparse_frame before = *out;
        quern_status status = qn_sparse_next(x, &before, k, out);
        qn_sparse_frame_free(&before);
        if (status != QUERN_OK) return status;
    }
    return QUERN_OK;
}
