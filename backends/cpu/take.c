/* SPDX-License-Identifier: Apache-2.0
 * Values along a line by their places, in host memory. Rows of a packed matrix are taken whole; else each
 * line is gathered, with places made into distances once where several lines need them. Memory is asked
 * for ahead, because where the next value lies is known and the processor cannot guess it. */
#include <stdatomic.h>
#include <string.h>

#include "backends/cpu/move.h"
#include "backends/cpu/run_store.h"
#include "host/core/checked.h"

enum {
    AHEAD = 64,           /* values */
    FAR = 1 << 20,        /* bytes of a line, from which on its values are asked for */
    ROWS_AHEAD = 24,      /* rows */
    ROW_LINES = 8,        /* cache lines of a row that are asked for */
    ROW_BLOCK = 16 << 10, /* bytes of rows that are put together before they are written */
    ROW_PIECE = 1 << 10   /* longer rows are written from where they lie */
};

struct take {
    const struct qn_take_request *rq;
    struct qn_lines in, out;
    uint32_t size;
    int stream, far, together;
    const int64_t *places; /* of all indices; NULL: they are read where they are needed */
    uint64_t parts, part;  /* of a line, and values of one */
    uint64_t lines;        /* of a task */
    _Atomic uint32_t outside;
};

/* ---- indices ---- */

#define INDICES(TYPE)                                                                              \
    for (uint64_t k = 0; k < m; k++, from += stride) {                                             \
        TYPE x;                                                                                    \
        memcpy(&x, from, sizeof x);                                                                \
        at[k] = (int64_t)x;                                                                        \
    }                                                                                              \
    break

static void read_indices(const struct qn_lines *index, uint64_t first, uint64_t m, int64_t *at)
{
    const char *from = qn_lines_at(index, 0, first);
    int64_t stride = index->stride;
    switch (index->type) {
    case QN_T_I8: INDICES(int8_t);
    case QN_T_I16: INDICES(int16_t);
    case QN_T_I32: INDICES(int32_t);
    case QN_T_U8: INDICES(uint8_t);
    case QN_T_U16: INDICES(uint16_t);
    case QN_T_U32: INDICES(uint32_t);
    default: INDICES(int64_t);
    }
}

/* Places 0 … n - 1. 1: some index was outside. */
static int resolve(const struct qn_take_request *rq, uint64_t first, uint64_t m, int64_t *at)
{
    int64_t n = (int64_t)rq->in.n;
    int outside = 0;
    read_indices(&rq->index, first, m, at);
    switch (rq->mode) {
    case QN_TAKE_CLIP:
        for (uint64_t k = 0; k < m; k++) at[k] = at[k] < 0 ? 0 : at[k] >= n ? n - 1 : at[k];
        break;
    case QN_TAKE_WRAP:
        for (uint64_t k = 0; k < m; k++) {
            int64_t x = at[k];
            if (x < 0 || x >= n) x %= n;
            at[k] = x < 0 ? x + n : x;
        }
        break;
    default:
        for (uint64_t k = 0; k < m; k++) {
            int64_t x = at[k] < 0 ? at[k] + n : at[k];
            int out = x < 0 || x >= n;
            outside |= out;
            at[k] = out ? 0 : x;
        }
    }
    return outside;
}

int qn_cpu_take_outside(const struct qn_lines *index, uint64_t n, uint64_t *place, int64_t *value)
{
    int64_t at[QN_MOVE_BLOCK], most = (int64_t)n;
    for (uint64_t first = 0; first < index->n; first += QN_MOVE_BLOCK) {
        uint64_t m = index->n - first < QN_MOVE_BLOCK ? index->n - first : (uint64_t)QN_MOVE_BLOCK;
        read_indices(index, first, m, at);
        for (uint64_t k = 0; k < m; k++)
            if (at[k] < -most || at[k] >= most) {
                *place = first + k;
                *value = at[k];
                return 1;
            }
    }
    return 0;
}

static const int64_t *places(struct take *t, uint64_t first, uint64_t m, int64_t *room)
{
    if (t->places != NULL) return t->places + first;
    if (resolve(t->rq, first, m, room)) atomic_store_explicit(&t->outside, 1, memory_order_relaxed);
    return room;
}

/* ---- values ---- */

#define GATHER(TYPE)                                                                               \
    do {                                                                                           \
        if (far)                                                                                   \
            for (uint64_t k = 0; k + AHEAD < m; k++) {                                             \
                QN_MOVE_ASK(from + at[k + AHEAD] * stride);                                        \
                memcpy(to + k * sizeof(TYPE), from + at[k] * stride, sizeof(TYPE));                \
            }                                                                                      \
        for (uint64_t k = far && m > AHEAD ? m - AHEAD : 0; k < m; k++)                            \
            memcpy(to + k * sizeof(TYPE), from + at[k] * stride, sizeof(TYPE));                    \
        return;                                                                                    \
    } while (0)

/* far: what is gathered is larger than a cache. */
static void gather(uint32_t size, int64_t stride, const char *from, const int64_t *at, uint64_t m,
                   int far, char *to)
{
    switch (size) {
    case 1: GATHER(uint8_t);
    case 2: GATHER(uint16_t);
    case 4: GATHER(uint32_t);
    default: GATHER(uint64_t);
    }
}

/* Short lines whose results follow each other are put together. */
static void take_short(struct take *t, uint64_t line, uint64_t last)
{
    char made[QN_MOVE_BYTES];
    uint64_t n = t->out.n, room = QN_MOVE_BLOCK / n;
    while (line < last) {
        uint64_t some = last - line < room ? last - line : room;
        for (uint64_t l = 0; l < some; l++)
            gather(t->size, t->in.stride, qn_lines_at(&t->in, line + l, 0), t->places, n, 0,
                   made + l * n * t->size);
        qn_move_put(qn_lines_at(&t->out, line, 0), t->out.stride, t->size, some * n, made,
                    t->stream);
        line += some;
    }
}

/* Task: one part of t->lines lines. */
static void take_values(void *user, uint32_t worker, uint64_t task)
{
    struct take *t = user;
    int64_t room[QN_MOVE_BLOCK];
    char made[QN_MOVE_BYTES];
    uint64_t line = task / t->parts * t->lines, last = line + t->lines;
    uint64_t from = task % t->parts * t->part, end = from + t->part;
    int direct = !t->stream && t->out.stride == (int64_t)t->size;
    (void)worker;
    if (last > t->out.lines) last = t->out.lines;
    if (end > t->out.n) end = t->out.n;
    if (t->together) {
        take_short(t, line, last);
        line = last;
    }
    for (; line < last; line++)
        for (uint64_t i = from, m; i < end; i += m) {
            char *to = qn_lines_at(&t->out, line, i);
            m = qn_move_some(to, t->size, end - i, t->stream);
            const int64_t *at = places(t, i, m, room);
            gather(t->size, t->in.stride, qn_lines_at(&t->in, line, 0), at, m, t->far,
                   direct ? to : made);
            if (!direct) qn_move_put(to, t->out.stride, t->size, m, made, t->stream);
        }
    if (t->stream) qn_store_fence();
}

/* ---- rows ---- */

static void ask(const char *row, uint64_t bytes)
{
    for (uint64_t k = 0; k < bytes && k < (uint64_t)ROW_LINES * 64; k += 64) QN_MOVE_ASK(row + k);
}

/* Task: rows [task * t->part, …). Short ones that follow each other are put together. */
static void take_rows(void *user, uint32_t worker, uint64_t task)
{
    struct take *t = user;
    int64_t room[QN_MOVE_BLOCK];
    _Alignas(64) char block[ROW_BLOCK];
    uint64_t from = task * t->part, end = from + t->part, bytes = t->out.lines * t->size;
    int together = t->stream && bytes <= ROW_PIECE && t->out.stride == (int64_t)bytes;
    (void)worker;
    if (end > t->out.n) end = t->out.n;
    for (uint64_t i = from, m; i < end; i += m) {
        m = end - i < QN_MOVE_BLOCK ? end - i : (uint64_t)QN_MOVE_BLOCK;
        const int64_t *at = places(t, i, m, room);
        char *to = qn_lines_at(&t->out, 0, i);
        uint64_t held = 0;
        for (uint64_t k = 0; k < m; k++) {
            const char *row = qn_lines_at(&t->in, 0, (uint64_t)at[k]);
            if (k + ROWS_AHEAD < m)
                ask(qn_lines_at(&t->in, 0, (uint64_t)at[k + ROWS_AHEAD]), bytes);
            if (together) {
                memcpy(block + held, row, bytes);
                held += bytes;
                if (held + bytes <= ROW_BLOCK && k + 1 < m) continue;
                qn_store()->stream(to, block, held);
                to += held;
                held = 0;
                continue;
            }
            if (t->stream)
                qn_store()->stream(to, row, bytes);
            else
                memcpy(to, row, bytes);
            to += t->out.stride;
        }
    }
    if (t->stream) qn_store_fence();
}

/* ---- the operation ---- */

static quern_status all_places(struct take *t, int64_t **out)
{
    int64_t *at = qn_alloc((size_t)t->out.n, sizeof *at);
    if (at == NULL) return qn_error_memory("places", t->out.n * sizeof *at);
    for (uint64_t i = 0; i < t->out.n; i += QN_MOVE_BLOCK) {
        uint64_t m = t->out.n - i < QN_MOVE_BLOCK ? t->out.n - i : (uint64_t)QN_MOVE_BLOCK;
        if (resolve(t->rq, i, m, at + i)) t->outside = 1;
    }
    *out = at;
    t->places = at;
    return QUERN_OK;
}

static quern_status run_values(struct qn_threads *threads, struct take *t)
{
    int64_t *made = NULL;
    if (t->out.lines > 1) QN_TRY(all_places(t, &made));
    t->far = t->in.n * qn_move_reach(t->in.stride) > FAR;
    t->together = t->places != NULL && t->out.n <= QN_MOVE_BLOCK / 2 &&
                  t->out.stride == (int64_t)t->size &&
                  t->out.line_stride == (int64_t)t->out.n * t->out.stride;
    t->part = t->out.n < QN_MOVE_TASK ? t->out.n : (uint64_t)QN_MOVE_TASK;
    t->parts = (t->out.n + t->part - 1) / t->part;
    t->lines = t->parts > 1 ? 1 : (QN_MOVE_TASK + t->part - 1) / t->part;
    qn_threads_run(threads, (t->out.lines + t->lines - 1) / t->lines * t->parts, take_values, t);
    qn_free(made);
    return QUERN_OK;
}

quern_status qn_cpu_take(struct qn_threads *threads, const struct qn_take_request *rq)
{
    uint32_t size = qn_move_size(rq->out.type);
    struct take t = {.rq = rq, .in = rq->in, .out = rq->out, .size = size};
    uint64_t values = rq->out.lines * rq->out.n;
    quern_status status = QUERN_OK;
    if (rq->mode == QN_TAKE_RAISE) *rq->outside = 0;
    if (values == 0) return QUERN_OK;
    t.stream = values * size >= QN_MOVE_STREAM;
    if (t.out.lines > 1 && t.in.line_stride == (int64_t)size &&
        t.out.line_stride == (int64_t)size) {
        t.part = QN_MOVE_TASK / t.out.lines + 1;
        qn_threads_run(threads, (t.out.n + t.part - 1) / t.part, take_rows, &t);
    } else {
        status = run_values(threads, &t);
    }
    if (rq->mode == QN_TAKE_RAISE) *rq->outside = atomic_load(&t.outside);
    return status;
}
