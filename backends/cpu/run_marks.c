/* SPDX-License-Identifier: Apache-2.0
 * MissingIndicator on rows of floats: which values are NaN is one comparison for a whole row, from which the
 * outputs' bytes are picked. Columns without an output that are only looked at (host/estimators/indicator.c)
 * cost nothing more. The chains that it knows:
 *
 *   MISSING                                                    a column's marks
 *   MISSING, (TAKE, JOIN_MAX)*, FIND, VALUE, TAKE, JOIN_MAX    the last operand's marks, where all others are 0 */
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/run.h"
#include "host/core/checked.h"

enum { BLOCK_BYTES = 16 << 10, TASK_BYTES = 1 << 19, ALONE_BYTES = 1 << 18 };

typedef void marks_fn(const void *restrict, size_t, size_t, size_t, uint8_t *restrict,
                      uint8_t *restrict);

#define BODY "backends/cpu/run_marks_body.h"
#define F32_INFINITE 0x7f800000U
#define F64_INFINITE 0x7ff0000000000000U
#define QN_SUFFIX baseline
#define MARKS_NAME marks_f32
#define MARKS_T uint32_t
#define MARKS_INFINITE F32_INFINITE
#include BODY
#undef MARKS_NAME
#undef MARKS_T
#undef MARKS_INFINITE
#define MARKS_NAME marks_f64
#define MARKS_T uint64_t
#define MARKS_INFINITE F64_INFINITE
#include BODY
#undef MARKS_NAME
#undef MARKS_T
#undef MARKS_INFINITE
#undef QN_SUFFIX
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define MARKS_NAME marks_f32
#define MARKS_T uint32_t
#define MARKS_INFINITE F32_INFINITE
#include BODY
#undef MARKS_NAME
#undef MARKS_T
#undef MARKS_INFINITE
#define MARKS_NAME marks_f64
#define MARKS_T uint64_t
#define MARKS_INFINITE F64_INFINITE
#include BODY
#undef MARKS_NAME
#undef MARKS_T
#undef MARKS_INFINITE
#undef QN_SUFFIX
QN_TARGET_END
#endif

static marks_fn *choose(uint32_t work)
{
#if QN_X86
    if (qn_cpu_isa_level() >= QN_ISA_AVX2)
        return work == QN_W_F64 ? marks_f64_avx2 : marks_f32_avx2;
#endif
    return work == QN_W_F64 ? marks_f64_baseline : marks_f32_baseline;
}

struct marks_run {
    const struct qn_run_request *request;
    const char *first; /* the leftmost column that is read, row 0 */
    char *out;
    size_t size, pitch, width; /* of a value; of a row, and of what is read of it, in values */
    uint32_t *columns;         /* of each output, counted from the leftmost */
    int in_order;              /* the outputs are all that is read, in its order */
    size_t block_rows, scratch_size;
    uint64_t task_rows;
    char *scratch; /* per worker: a block's marks, then what was seen of each column */
    marks_fn *run;
};

/* ---- whether a request is of this kind ---- */

static const struct qn_op *op_at(const struct qn_batch *b, const struct qn_lane *lane, uint32_t k)
{
    return &b->ops[lane->first_op + k];
}

static int is_zeros(const struct qn_batch *b, const struct qn_op *op, uint32_t code, uint64_t n)
{
    if (op->code != code || b->words[op->arg + 1] != n) return 0;
    for (uint64_t k = 0; k < n; k++)
        if (b->words[b->words[op->arg] + k] != 0) return 0; /* 0.0 */
    return 1;
}

/* A MISSING, and perhaps a conversion of what it gave. */
static int is_mark(const struct qn_batch *b, const struct qn_lane *lane, int last)
{
    if (lane->n_ops == 0 || op_at(b, lane, 0)->code != QN_OP_MISSING) return 0;
    return lane->n_ops == 1 ||
           (last && lane->n_ops == 2 && op_at(b, lane, 1)->code == QN_OP_TO_F64);
}

static int takes_mark(const struct qn_batch *b, const struct qn_lane *lane, uint32_t k, int last)
{
    return k + 1 < lane->n_ops && op_at(b, lane, k)->code == QN_OP_TAKE &&
           op_at(b, lane, k + 1)->code == QN_OP_JOIN_MAX &&
           is_mark(b, &b->operands[op_at(b, lane, k)->arg], last);
}

/* The lane whose marks come out: itself, or an operand; NULL: another chain. */
static const struct qn_lane *marked(const struct qn_batch *b, const struct qn_lane *lane)
{
    uint32_t k = 1;
    if (lane->n_ops == 1) return is_mark(b, lane, 0) ? lane : NULL;
    if (lane->n_ops < 5 || op_at(b, lane, 0)->code != QN_OP_MISSING) return NULL;
    while (takes_mark(b, lane, k, 0)) k += 2;
    if (k + 4 != lane->n_ops || !is_zeros(b, op_at(b, lane, k), QN_OP_FIND, 1) ||
        !is_zeros(b, op_at(b, lane, k + 1), QN_OP_VALUE, 2) || !takes_mark(b, lane, k + 2, 1))
        return NULL;
    return &b->operands[op_at(b, lane, k + 2)->arg];
}

static int same_rows(const struct qn_lane *a, const struct qn_lane *b)
{
    return a->type == b->type && a->work == b->work && a->stride == b->stride &&
           a->validity == NULL;
}

/* The columns lie in the rows of one matrix of floats. Finds where it begins, and how much is read. */
static int find_rows(struct marks_run *m, const struct qn_batch *b)
{
    const struct qn_lane *one = &b->lanes[0];
    uintptr_t low = (uintptr_t)one->data, high = low;
    if (!(one->type == QN_T_F32 && one->work == QN_W_F32) &&
        !(one->type == QN_T_F64 && one->work == QN_W_F64))
        return 0;
    m->size = qn_type_size(one->type);
    for (uint32_t i = 0; i < b->n_lanes + b->n_operands; i++) {
        const struct qn_lane *lane = i < b->n_lanes ? &b->lanes[i] : &b->operands[i - b->n_lanes];
        uintptr_t at = (uintptr_t)lane->data;
        if (!same_rows(lane, one) || at % m->size != 0) return 0;
        if (at < low) low = at;
        if (at > high) high = at;
    }
    if (one->stride <= 0 || (size_t)one->stride % m->size != 0) return 0;
    m->first = (const char *)low;
    m->pitch = (size_t)one->stride / m->size;
    m->width = (high - low) / m->size + 1;
    /* columns that nobody asked for are read along: not many of them, and not beyond the row */
    return m->width <= m->pitch && m->width <= 2 * (size_t)(b->n_lanes + b->n_operands);
}

static int slots_fit(const struct qn_run_request *r)
{
    for (uint32_t j = 0; j < r->n_slots; j++) {
        const struct qn_slot *s = &r->slots[j];
        if (s->lane != j || s->type != QN_T_BOOL || s->match != QN_MATCH_VALUE ||
            s->offset != r->slots[0].offset + j || s->stride != r->n_slots)
            return 0;
    }
    return 1;
}

static uint32_t column_of(const struct marks_run *m, const struct qn_lane *lane)
{
    return (uint32_t)(((uintptr_t)lane->data - (uintptr_t)m->first) / m->size);
}

static int shape_fits(struct marks_run *m)
{
    const struct qn_run_request *r = m->request;
    const struct qn_batch *b = &r->batch;
    if (r->n_norms != 0 || b->n_lanes == 0 || b->n_lanes != r->n_slots) return 0;
    for (uint32_t j = 0; j < b->n_lanes; j++)
        if (marked(b, &b->lanes[j]) == NULL) return 0;
    return slots_fit(r) && find_rows(m, b);
}

/* ---- the rows ---- */

static uint8_t *seen_of(const struct marks_run *m, uint32_t worker)
{
    return (uint8_t *)m->scratch + (worker + 1) * m->scratch_size - (m->width + 63) / 64 * 64;
}

static void pick(const struct marks_run *m, const uint8_t *marks, size_t rows, uint8_t *out)
{
    const uint32_t *columns = m->columns, n = m->request->n_slots;
    for (size_t r = 0; r < rows; r++, marks += m->width, out += n)
        for (uint32_t j = 0; j < n; j++) out[j] = marks[columns[j]];
}

static void marks_task(void *user, uint32_t worker, uint64_t task)
{
    const struct marks_run *m = user;
    uint8_t *block = (uint8_t *)m->scratch + worker * m->scratch_size, *seen = seen_of(m, worker);
    uint64_t row = task * m->task_rows, end = row + m->task_rows, rows = m->request->batch.rows;
    if (end > rows) end = rows;
    for (uint64_t some; row < end; row += some) {
        some = end - row < m->block_rows ? end - row : m->block_rows;
        uint8_t *out = (uint8_t *)m->out + row * m->request->n_slots;
        m->run(m->first + row * m->pitch * m->size, (size_t)some, m->pitch, m->width,
               m->in_order ? out : block, seen);
        if (!m->in_order) pick(m, block, (size_t)some, out);
    }
}

/* What was seen of a column, in QN_SEEN_*. */
static uint32_t flags_of(const struct marks_run *m, const uint8_t *seen, const struct qn_lane *lane)
{
    uint8_t found = seen[column_of(m, lane)];
    return (found & 1 ? QN_SEEN_NAN : 0) | (found & 2 ? QN_SEEN_INF : 0);
}

/* A lane notes what it loaded and what its operands did; a NaN ahead of the FIND is unknown to it. */
static void note(const struct marks_run *m, const uint8_t *seen)
{
    const struct qn_batch *b = &m->request->batch;
    for (uint32_t j = 0; j < b->n_lanes; j++) {
        const struct qn_lane *lane = &b->lanes[j];
        uint32_t flags = flags_of(m, seen, lane), watched = flags;
        for (uint32_t k = 0; k < lane->n_ops; k++) {
            const struct qn_op *op = op_at(b, lane, k);
            if (op->code == QN_OP_FIND && (watched & QN_SEEN_NAN)) flags |= QN_SEEN_UNKNOWN;
            if (op->code == QN_OP_TAKE) watched |= flags_of(m, seen, &b->operands[op->arg]);
        }
        m->request->seen[j] |= flags | watched;
    }
}

static quern_status open_marks(struct marks_run *m, uint32_t workers)
{
    const struct qn_batch *b = &m->request->batch;
    m->columns = qn_alloc(b->n_lanes, sizeof *m->columns);
    m->scratch = qn_alloc_aligned(workers, m->scratch_size);
    if (m->columns == NULL || m->scratch == NULL)
        return qn_error_memory("marks", (uint64_t)workers * m->scratch_size);
    m->in_order = m->width == b->n_lanes;
    for (uint32_t j = 0; j < b->n_lanes; j++) {
        m->columns[j] = column_of(m, marked(b, &b->lanes[j]));
        m->in_order &= m->columns[j] == j;
    }
    for (uint32_t w = 0; w < workers; w++) memset(seen_of(m, w), 0, m->width);
    return QUERN_OK;
}

int qn_run_marks(struct qn_threads *threads, const struct qn_run_request *r, quern_status *status)
{
    struct marks_run m = {.request = r};
    if (!shape_fits(&m)) return 0;
    m.out = (char *)r->out_host + r->slots[0].offset;
    m.run = choose(r->batch.lanes[0].work);
    m.block_rows = BLOCK_BYTES / m.width + 1;
    m.task_rows = m.block_rows * (TASK_BYTES / (m.block_rows * m.width * m.size) + 1);
    m.scratch_size = (m.block_rows * m.width + 63) / 64 * 64 + (m.width + 63) / 64 * 64;
    if (r->batch.rows < ALONE_BYTES / (m.width * m.size)) threads = NULL;
    uint32_t workers = qn_threads_size(threads);
    *status = open_marks(&m, workers);
    if (*status == QUERN_OK) {
        uint64_t tasks = (r->batch.rows + m.task_rows - 1) / m.task_rows;
        qn_threads_run(threads, tasks, marks_task, &m);
        for (uint32_t w = 0; r->seen != NULL && w < workers; w++) note(&m, seen_of(&m, w));
    }
    qn_free(m.columns);
    qn_free(m.scratch);
    return 1;
}
