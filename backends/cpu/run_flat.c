/* SPDX-License-Identifier: Apache-2.0
 * Uniform chains over a row-major matrix, seen as one long vector. Parameters are repeated to a period
 * that is a multiple of the column count and at least a block long, plus one block, so that a block
 * at any position reads them with plain vector loads and the position wraps by one subtraction.
 *
 * Functions such as EXP cut a chain into parts. They are the same for all columns, so they go over pieces
 * of the vector that stay in the nearest cache. LOG1P of floats, which often makes counts and amounts ready to be
 * scaled, is an op like others: a chain with it is nearly as fast as memory (run_flat_log1p_body.h). */
#include <math.h>
#include <string.h>

#include "backends/cpu/functions.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/run.h"
#include "backends/cpu/run_flat.h"
#include "backends/cpu/run_flat_bins.h"
#include "backends/cpu/run_flat_fuse.h"
#include "host/core/checked.h"

#if QN_X86
#include <immintrin.h>
#endif

enum {
    FLAT_VECTORS = 8,       /* registers of a block                                             */
    FLAT_BLOCK_BYTES = 512, /* a block of the widest vectors                                    */
    FLAT_ALIGN = 64,        /* a cache line: streamed stores fill whole ones                    */
    FLAT_AHEAD = 2048,      /* bytes that a streaming loop prefetches ahead                     */
    FLAT_TASK_BYTES = 1 << 19,
    FLAT_PIECE_BYTES =
        1 << 11, /* that functions go over at a time                                 */
    FLAT_CELL_VALUES = 1 << 13, /* fewer are sooner compared with all edges                     */
    FLAT_LONG = 1024,           /* values of a parameter, repeated for their places' sake */
    FLAT_FUNCTIONS = 4, /* of a chain, at most                                              */
    FLAT_ALONE_BYTES = 1 << 18 /* below this a second thread costs more than it brings           */
};

/* How a block is gone over. */
enum {
    FLAT_STREAMS = 1,    /* it is not read again soon                               */
    FLAT_COLUMN = 2,     /* one parameter for all                                   */
    FLAT_WILD = 4,       /* LOG1P has arguments that FLAT(log1p) does not know      */
    FLAT_NANS_KNOWN = 8, /* each column is known to have NaNs                       */
};

typedef void flat_run_fn(const struct qn_flat_chain *, const void *, void *, size_t, size_t, void *,
                         int);
typedef uint32_t flat_column_fn(const struct qn_flat_chain *, const void *, void *, size_t, int);

struct flat {
    /* what is between functions; all have the shape and the parameters of the first */
    struct qn_flat_chain parts[FLAT_FUNCTIONS + 1], plain[FLAT_FUNCTIONS + 1];
    uint32_t functions[FLAT_FUNCTIONS], n_functions;
    int has_log1p; /* among the ops */
    uint32_t is_f64, size, stream;
    size_t columns;
    void *params;
    /* what the tasks share */
    const char *in;
    char *out;
    size_t total, lead, task; /* values: all, before the first aligned boundary, per task        */
    char *seen;               /* `extended` integers per worker, or NULL                         */
    flat_run_fn *run;
};

#define FLAT_FENCE() ((void)0)
#define QN_SUFFIX baseline
#define FLAT_BYTES 16
#if QN_X86
#undef FLAT_FENCE
#define FLAT_FENCE() _mm_sfence()
#define FLAT_STREAM(p, v) _mm_stream_si128((__m128i *)(void *)(p), (__m128i)(v))
#define FLAT_ANY(m) (_mm_movemask_epi8((__m128i)(m)) != 0)
#define FLAT_CALL(name, type) _mm_##name##_##type
#else
typedef int64_t any_pair __attribute__((vector_size(16)));
#define FLAT_STREAM(p, v) (*(__typeof__(v) *)(p) = (v))
#define FLAT_ANY(m) ((((any_pair)(m))[0] | ((any_pair)(m))[1]) != 0)
#endif
#define FLAT_CELLS 0
#define FLAT_F64 0
#include "backends/cpu/run_flat_body.h"
#define FLAT_F64 1
#include "backends/cpu/run_flat_body.h"
#undef QN_SUFFIX
#undef FLAT_BYTES
#undef FLAT_CELLS
#undef FLAT_STREAM
#undef FLAT_ANY
#undef FLAT_CALL

#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define FLAT_BYTES 32
#define FLAT_CELLS 1
#define FLAT_STREAM(p, v) _mm256_stream_si256((__m256i *)(void *)(p), (__m256i)(v))
#define FLAT_ANY(m) (!_mm256_testz_si256((__m256i)(m), (__m256i)(m)))
#define FLAT_CALL(name, type) _mm256_##name##_##type
#define FLAT_WHOLE __m256i
#define FLAT_F64 0
#include "backends/cpu/run_flat_body.h"
#define FLAT_F64 1
#include "backends/cpu/run_flat_body.h"
#undef QN_SUFFIX
#undef FLAT_BYTES
#undef FLAT_CELLS
#undef FLAT_STREAM
#undef FLAT_ANY
#undef FLAT_CALL
#undef FLAT_WHOLE
QN_TARGET_END

QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#define FLAT_BYTES 64
#define FLAT_CELLS 1
#define FLAT_STREAM(p, v) _mm512_stream_si512((__m512i *)(void *)(p), (__m512i)(v))
#define FLAT_ANY(m) (_mm512_movepi32_mask((__m512i)(m)) != 0)
#define FLAT_CALL(name, type) _mm512_##name##_##type
#define FLAT_WHOLE __m512i
#define FLAT_MASKS
#define FLAT_F64 0
#include "backends/cpu/run_flat_body.h"
#define FLAT_F64 1
#include "backends/cpu/run_flat_body.h"
#undef QN_SUFFIX
#undef FLAT_BYTES
#undef FLAT_CELLS
#undef FLAT_STREAM
#undef FLAT_ANY
#undef FLAT_CALL
#undef FLAT_WHOLE
#undef FLAT_MASKS
QN_TARGET_END
#endif

static flat_run_fn *choose_run(uint32_t is_f64, int functions)
{
#if QN_X86
    /* Without functions memory is the limit, and wider vectors lose: streamed 64-byte stores reach 85 % of
     * a copy, pairs of 32 all. */
    if (qn_cpu_isa_level() == QN_ISA_AVX512 && functions)
        return is_f64 ? run_f64_avx512 : run_f32_avx512;
    if (qn_cpu_isa_level() >= QN_ISA_AVX2) return is_f64 ? run_f64_avx2 : run_f32_avx2;
#endif
    return is_f64 ? run_f64_baseline : run_f32_baseline;
}

static flat_column_fn *choose_column(uint32_t is_f64)
{
#if QN_X86
    if (qn_cpu_isa_level() == QN_ISA_AVX512) return is_f64 ? column_f64_avx512 : column_f32_avx512;
    if (qn_cpu_isa_level() >= QN_ISA_AVX2) return is_f64 ? column_f64_avx2 : column_f32_avx2;
#endif
    return is_f64 ? column_f64_baseline : column_f32_baseline;
}

static int known_op(uint32_t code)
{
    switch (code) {
    case QN_OP_FILL:
    case QN_OP_FILL_EQ:
    case QN_OP_SUB:
    case QN_OP_ADD:
    case QN_OP_MUL:
    case QN_OP_DIV:
    case QN_OP_CLIP:
    case QN_OP_GREATER:
    case QN_OP_MISSING:
    case QN_OP_LOOK:
    case QN_OP_EQUAL: return 1;
    default: return 0;
    }
}

/* Functions that the flat kernel has; others cut the chain. */
static int is_in_registers(uint32_t code, uint32_t work)
{
    return code == QN_OP_LOG1P && work == QN_W_F32 && qn_cpu_isa_level() != QN_ISA_BASELINE;
}

static uint32_t count_words(uint32_t code)
{
    if (code == QN_OP_MISSING || code == QN_OP_LOOK || code == QN_OP_LOG1P) return 0;
    return code == QN_OP_FILL_EQ || code == QN_OP_CLIP ? 2 : 1;
}

int qn_run_is_matrix(const struct qn_run_request *r)
{
    const struct qn_lane *lanes = r->batch.lanes;
    uint32_t d = r->batch.n_lanes;
    if (d == 0 || d != r->n_slots) return 0;
    if (!(lanes[0].type == QN_T_F32 && lanes[0].work == QN_W_F32) &&
        !(lanes[0].type == QN_T_F64 && lanes[0].work == QN_W_F64))
        return 0;
    uint32_t size = lanes[0].work == QN_W_F64 ? 8 : 4;
    for (uint32_t j = 0; j < d; j++) {
        const struct qn_lane *lane = &lanes[j];
        const struct qn_slot *slot = &r->slots[j];
        if (lane->type != lanes[0].type || lane->work != lanes[0].work || lane->validity != NULL)
            return 0;
        if ((const char *)lane->data != (const char *)lanes[0].data + (size_t)j * size) return 0;
        if (lane->stride != (int64_t)((uint64_t)d * size)) return 0;
        if (slot->lane != j || slot->match != QN_MATCH_VALUE || slot->type != lane->type) return 0;
        if (slot->offset != r->slots[0].offset + (uint64_t)j * size) return 0;
        if (slot->stride != (uint64_t)d * size) return 0;
    }
    uintptr_t both = (uintptr_t)lanes[0].data | ((uintptr_t)r->out_host + r->slots[0].offset);
    return both % size == 0;
}

/* Bins whose number becomes a float of the chain's type at once: BIN, TO_F32 or TO_F64. */
static int is_bins(const struct qn_batch *b, const struct qn_lane *lane, uint32_t i)
{
    const struct qn_op *op = &b->ops[lane->first_op + i];
    if (op->code != QN_OP_BIN || i + 1 == lane->n_ops) return 0;
    if (op[1].code != (lane->work == QN_W_F64 ? QN_OP_TO_F64 : QN_OP_TO_F32) ||
        b->words[op->arg + 1] > UINT16_MAX)
        return 0;
    for (uint64_t k = 0; k < b->words[op->arg + 1]; k++)
        if (isnan(qn_flat_edge(b, lane, i, k))) return 0; /* hand-made */
    return 1;
}

static uint32_t most_edges(const struct qn_batch *b, uint32_t op)
{
    uint64_t most = 0;
    for (uint32_t j = 0; j < b->n_lanes; j++) {
        uint64_t n = qn_flat_edges(b, &b->lanes[j], op);
        if (n > most) most = n;
    }
    return (uint32_t)most;
}

/* Cells of an op that is bins; 0: none, or too few values to look for them. */
static uint32_t cells_of(const struct qn_batch *b, uint32_t op)
{
    if (choose_run(0, 0) == run_f32_baseline || b->rows < FLAT_CELL_VALUES / b->n_lanes) return 0;
    return qn_flat_cells(b, op, most_edges(b, op));
}

/* Of many edges without cells the tiles are sooner done. */
static int bins_fit(const struct qn_batch *b)
{
    for (uint32_t i = 0; i < b->lanes[0].n_ops; i++)
        if (is_bins(b, &b->lanes[0], i) && most_edges(b, i) > QN_FLAT_LINES && cells_of(b, i) == 0)
            return 0;
    return 1;
}

static int is_function(uint32_t code)
{
    return QN_OP_IS_FUNCTION(code) && !QN_OP_HAS_EXPONENT(code);
}

static int same_chains(const struct qn_batch *b)
{
    const struct qn_lane *first = &b->lanes[0];
    uint32_t functions = 0;
    if (first->n_ops > QN_FLAT_MAX_OPS) return 0;
    for (uint32_t i = 0; i < first->n_ops; i++) {
        if (is_bins(b, first, i))
            i++;
        else if (is_function(b->ops[first->first_op + i].code) && functions < FLAT_FUNCTIONS)
            functions++;
        else if (!known_op(b->ops[first->first_op + i].code))
            return 0;
    }
    for (uint32_t j = 1; j < b->n_lanes; j++) {
        if (b->lanes[j].n_ops != first->n_ops) return 0;
        for (uint32_t i = 0; i < first->n_ops; i++)
            if (b->ops[b->lanes[j].first_op + i].code != b->ops[first->first_op + i].code ||
                is_bins(b, first, i) != is_bins(b, &b->lanes[j], i))
                return 0;
    }
    return 1;
}

static void put_param(const struct flat *f, size_t at, double value)
{
    if (f->is_f64)
        ((double *)f->params)[at] = value;
    else
        ((float *)f->params)[at] = (float)value;
}

/* What stands for the columns, again and again over the extended period. */
static void repeat(const struct flat *f, size_t at)
{
    char *first = (char *)f->params + at * f->size;
    for (size_t j = f->columns; j < f->parts[0].extended; j++)
        memcpy(first + j * f->size, first + (j - f->columns) * f->size, f->size);
}

/* Numbers of edges, then the columns' first edges, their second ones, … */
static void spread_edges(const struct flat *f, const struct qn_batch *b, uint32_t op, size_t at,
                         uint32_t most)
{
    for (uint32_t k = 0; k <= most; k++, at += f->parts[0].extended) {
        for (size_t j = 0; j < f->columns; j++) {
            const struct qn_lane *lane = &b->lanes[j];
            uint64_t edges = qn_flat_edges(b, lane, op);
            double value = k == 0      ? (double)edges
                           : k > edges ? (double)NAN
                                       : qn_flat_edge(b, lane, op, k - 1);
            put_param(f, at + j, value);
        }
        repeat(f, at);
    }
}

/* The columns' low ends, scales and first cells; then edges, and what is before them. */
static quern_status spread_cells(const struct flat *f, const struct qn_batch *b, uint32_t op,
                                 size_t at, uint32_t cells)
{
    const size_t extended = f->parts[0].extended, all = f->columns * cells;
    double *edges = qn_alloc(2 * (size_t)cells, sizeof *edges);
    if (edges == NULL) return qn_error_memory("cells of bins", 16 * (uint64_t)cells);
    for (size_t j = 0; j < f->columns; j++) {
        struct qn_flat_cut cut =
            qn_flat_fill_cells(b, &b->lanes[j], op, cells, edges, edges + cells);
        put_param(f, at + j, cut.low);
        put_param(f, at + extended + j, cut.scale);
        put_param(f, at + 2 * extended + j, (double)(j * cells));
        for (size_t c = 0; c < cells; c++) {
            put_param(f, at + 3 * extended + j * cells + c, edges[c]);
            put_param(f, at + 3 * extended + all + j * cells + c, edges[cells + c]);
        }
    }
    for (size_t k = 0; k < 3; k++) repeat(f, at + k * extended);
    qn_free(edges);
    return QUERN_OK;
}

/* One parameter of one op, for all columns, repeated over the extended period. */
static void spread(const struct flat *f, const struct qn_batch *b, uint32_t op, uint32_t word,
                   size_t at)
{
    for (size_t j = 0; j < f->columns; j++) {
        const struct qn_op *o = &b->ops[b->lanes[j].first_op + op];
        double value;
        memcpy(&value, &b->words[o->arg + word], sizeof value);
        put_param(f, at + j, value);
    }
    repeat(f, at);
}

/* The op of the program that becomes op n of a part. */
struct origin {
    uint32_t part, n, op;
};

/* Parts and functions; values: of all parameters, spread. */
static uint32_t cut(struct flat *f, const struct qn_batch *b, struct origin *from, size_t *values)
{
    const struct qn_lane *first = &b->lanes[0];
    uint32_t count = 0;
    *values = 0;
    for (uint32_t i = 0; i < first->n_ops; i++) {
        uint32_t code = b->ops[first->first_op + i].code;
        if (is_in_registers(code, first->work)) {
            f->has_log1p = 1;
        } else if (is_function(code)) {
            f->functions[f->n_functions++] = code;
            continue;
        }
        struct qn_flat_chain *part = &f->parts[f->n_functions];
        int bins = is_bins(b, first, i);
        uint32_t edges = bins ? most_edges(b, i) : 0, cells = bins ? cells_of(b, i) : 0;
        from[count++] = (struct origin){f->n_functions, part->n_ops, i};
        part->ops[part->n_ops++] =
            (struct qn_flat_op){.code = code, .edges = edges, .cells = cells, .first = *values};
        *values += f->parts[0].extended * (cells != 0 ? 3u : bins ? 1u + edges : count_words(code));
        if (code == QN_OP_DIV) *values += f->parts[0].extended; /* reciprocals */
        *values += 2 * f->columns * cells;
        i += (uint32_t)bins;
    }
    return count;
}

/* Whole rows and, unless that makes it long, whole cache lines: a vector that lies in two is loaded twice. */
static size_t period_of(size_t columns, size_t line, size_t block)
{
    size_t whole = columns;
    while (whole % line != 0 && whole <= FLAT_LONG) whole += columns;
    if (whole > FLAT_LONG) whole = columns;
    return whole * ((block + whole - 1) / whole);
}

static quern_status set_params(struct flat *f, const struct qn_batch *b)
{
    const size_t block = FLAT_BLOCK_BYTES / f->size;
    struct origin from[QN_FLAT_MAX_OPS];
    size_t values;
    f->columns = b->n_lanes;
    f->parts[0].period = period_of(f->columns, FLAT_ALIGN / f->size, block);
    f->parts[0].extended = f->parts[0].period + block;
    uint32_t count = cut(f, b, from, &values);
    values += f->parts[0].extended; /* at least one run, so that there is something to point at */
    f->params = qn_alloc_aligned(values, f->size);
    if (f->params == NULL) return qn_error_memory("parameters of a chain", values * f->size);
    for (uint32_t i = 0; i <= f->n_functions; i++) {
        f->parts[i].columns = f->columns;
        f->parts[i].period = f->parts[0].period;
        f->parts[i].extended = f->parts[0].extended;
        f->parts[i].params = f->params;
        f->parts[i].goes_on = i > 0;
        f->parts[i].is_last = i == f->n_functions;
    }
    for (uint32_t k = 0; k < count; k++) {
        const struct qn_flat_op *op = &f->parts[from[k].part].ops[from[k].n];
        if (op->cells != 0)
            QN_TRY(spread_cells(f, b, from[k].op, op->first, op->cells));
        else if (op->code == QN_OP_BIN)
            spread_edges(f, b, from[k].op, op->first, op->edges);
        for (uint32_t w = 0; op->code != QN_OP_BIN && w < count_words(op->code); w++)
            spread(f, b, from[k].op, w, op->first + w * f->parts[0].extended);
    }
    for (uint32_t i = 0; f->has_log1p && i <= f->n_functions; i++) {
        f->plain[i] = f->parts[i];
        qn_flat_fuse(&f->plain[i], f->params, &f->parts[i]);
        f->parts[i].plain = &f->plain[i];
    }
    return QUERN_OK;
}

/* `n` values from `at` on, few enough for the nearest cache, through all parts. */
static void piece(const struct flat *f, size_t at, size_t n, size_t pos, char *seen, int how)
{
    _Alignas(64) union {
        float f32[FLAT_PIECE_BYTES / sizeof(float)];
        double f64[FLAT_PIECE_BYTES / sizeof(double)];
    } now;
    const char *in = f->in + at * f->size;
    for (uint32_t i = 0; i < f->n_functions; i++) {
        f->run(&f->parts[i], in, &now, n, pos, seen, how & ~FLAT_STREAMS);
        if (f->is_f64)
            qn_functions_f64(f->functions[i], 0, (uint32_t)n, now.f64);
        else
            qn_functions_f32(f->functions[i], 0, (uint32_t)n, now.f32);
        in = (const char *)&now;
    }
    f->run(&f->parts[f->n_functions], in, f->out + at * f->size, n, pos, seen, how);
}

/* Values [from, to) in pieces of whole cache lines, but for the first; each asks for what comes after it. */
static void pieces(const struct flat *f, size_t from, size_t to, char *seen, int how)
{
    const size_t most = FLAT_PIECE_BYTES / f->size;
    size_t pos = from % f->parts[0].period, n;
    for (; from < to; from += n) {
        n = from < f->lead ? f->lead - from : most;
        if (n > to - from) n = to - from;
        for (size_t line = 0; line < n * f->size; line += FLAT_ALIGN)
            __builtin_prefetch(f->in + from * f->size + FLAT_AHEAD + line, 0, 3);
        piece(f, from, n, pos, seen, how);
        for (pos += n; pos >= f->parts[0].period;) pos -= f->parts[0].period;
    }
}

/* Whether what a worker has seen has NaNs in all columns: then it need not look for more. */
static int knows_nans(const struct flat *f, const char *seen)
{
    for (size_t i = 0; i < f->columns; i++) {
        uint64_t word = f->is_f64 ? ((const uint64_t *)(const void *)seen)[i]
                                  : ((const uint32_t *)(const void *)seen)[i];
        if (!(word & QN_SEEN_NAN)) return 0;
    }
    return 1;
}

static void flat_task(void *user, uint32_t worker, uint64_t task)
{
    const struct flat *f = user;
    size_t from = task == 0 ? 0 : f->lead + (size_t)task * f->task;
    size_t to = f->lead + (size_t)(task + 1) * f->task;
    if (to > f->total) to = f->total;
    char *seen = f->seen != NULL ? f->seen + worker * f->parts[0].extended * f->size : NULL;
    int how = f->stream ? FLAT_STREAMS : 0;
    if (seen != NULL && knows_nans(f, seen)) how |= FLAT_NANS_KNOWN;
    if (f->n_functions == 0)
        f->run(&f->parts[0], f->in + from * f->size, f->out + from * f->size, to - from,
               from % f->parts[0].period, seen, how);
    else
        pieces(f, from, to, seen, how);
    if (f->stream) FLAT_FENCE();
}

static void gather_seen(const struct flat *f, uint32_t workers, uint32_t *seen)
{
    for (uint32_t w = 0; w < workers; w++)
        for (size_t i = 0; i < f->parts[0].extended; i++) {
            size_t at = w * f->parts[0].extended + i;
            seen[i % f->columns] |= f->is_f64
                                        ? (uint32_t)((const uint64_t *)(const void *)f->seen)[at]
                                        : ((const uint32_t *)(const void *)f->seen)[at];
        }
}

int qn_run_flat(struct qn_threads *threads, const struct qn_run_request *r, quern_status *status)
{
    struct flat f = {0};
    if (r->n_norms != 0 || !qn_run_is_matrix(r) || !same_chains(&r->batch)) return 0;
    f.is_f64 = r->batch.lanes[0].work == QN_W_F64;
    f.size = f.is_f64 ? 8 : 4;
    if (!bins_fit(&r->batch)) return 0;
    *status = set_params(&f, &r->batch);
    if (*status != QUERN_OK) goto cleanup;
    f.in = r->batch.lanes[0].data;
    f.out = (char *)r->out_host + r->slots[0].offset;
    f.total = (size_t)r->batch.rows * f.columns;
    f.stream = r->stream != 0 && f.in != f.out; /* in place the line is in cache already */
    f.lead = (size_t)(-(uintptr_t)f.out % FLAT_ALIGN) / f.size;
    f.task = FLAT_TASK_BYTES / f.size;
    if (f.total * f.size < FLAT_ALONE_BYTES) threads = NULL;
    uint32_t workers = qn_threads_size(threads);
    if (r->seen != NULL) {
        f.seen = qn_alloc_aligned((size_t)workers * f.parts[0].extended, f.size);
        if (f.seen == NULL) {
            *status = qn_error_memory("marks of a chain",
                                      (uint64_t)workers * f.parts[0].extended * f.size);
            goto cleanup;
        }
        memset(f.seen, 0, (size_t)workers * f.parts[0].extended * f.size);
    }
    f.run = choose_run(f.is_f64, f.n_functions != 0 || f.has_log1p);
    size_t rest = f.total > f.lead ? f.total - f.lead : 0;
    uint64_t tasks = (rest + f.task - 1) / f.task;
    qn_threads_run(threads, tasks > 0 ? tasks : 1, flat_task, &f);
    if (r->seen != NULL) gather_seen(&f, workers, r->seen);
cleanup:
    qn_free(f.seen);
    qn_free(f.params);
    return 1;
}

int qn_flat_column_open(struct qn_flat_column *c, const struct qn_batch *b, uint32_t first_op,
                        uint32_t n_ops, uint32_t work)
{
    if (work > QN_W_F64 || n_ops > QN_FLAT_MAX_OPS) return 0;
    *c = (struct qn_flat_column){
        .chain = {.n_ops = n_ops, .is_last = 1, .columns = 1, .extended = 1}};
    for (uint32_t i = 0; i < n_ops; i++) {
        const struct qn_op *op = &b->ops[first_op + i];
        if (!known_op(op->code)) return 0;
        c->chain.ops[i] = (struct qn_flat_op){.code = op->code, .first = 2 * (size_t)i};
        for (uint32_t k = 0; k < count_words(op->code); k++) {
            double value;
            memcpy(&value, &b->words[op->arg + k], sizeof value);
            if (work == QN_W_F64)
                c->params.f64[2 * i + k] = value;
            else
                c->params.f32[2 * i + k] = (float)value;
        }
    }
    c->is_f64 = work == QN_W_F64;
    return 1;
}

uint32_t qn_flat_column_run(const struct qn_flat_column *c, const void *in, void *out, size_t n,
                            int marked)
{
    struct qn_flat_chain chain = c->chain; /* the struct may have been moved since it was made */
    chain.params = &c->params;
    return choose_column(c->is_f64)(&chain, in, out, n, marked);
}
