/* SPDX-License-Identifier: Apache-2.0
 * Casts and copies of arrays in host memory, from any strides to any. Where values lie side by side in
 * the same direction on both sides, blocks of a line go through the first-level cache; where directions
 * differ, tiles are turned there. Large results are written past the caches. */
#include "backends/cpu/cast.h"

#include <stdatomic.h>
#include <string.h>

#include "backends/cpu/move.h"
#include "backends/cpu/run_store.h"

enum {
    TILE_BYTES = 16 << 10, /* of a tile that is turned: half of a usual first-level cache */
    TILE_SIDE = 64,        /* values that are read side by side, where there are many lines */
    TILE_LINES = 512,      /* the same, at most */
    TILE_VALUES = 256,     /* values that are written side by side, at most */
    TILES_TASK = 8
};

struct cast {
    struct qn_lines in, out;
    uint32_t from, to; /* bytes of a value */
    int same, stream, check;
    qn_cast_fn *loop;
    uint64_t tile, across; /* turned: values of a tile along a line, and lines of one */
    uint64_t shift, tiles_across, tiles;
    _Atomic uint32_t unfit;
};

/* m packed values, as the result's type: where they are, or in `room`. */
static const char *convert(struct cast *c, const char *from, uint64_t m, char *room)
{
    if (c->check && qn_cast_unfit(c->in.type, c->out.type, (uint32_t)m, from))
        atomic_store_explicit(&c->unfit, 1, memory_order_relaxed);
    if (c->same) return from;
    c->loop(c->out.type, (uint32_t)m, from, room);
    return room;
}

static void run_block(struct cast *c, const char *from, char *to, uint64_t m)
{
    char gathered[QN_MOVE_BYTES], made[QN_MOVE_BYTES];
    const char *packed = qn_move_get(from, c->in.stride, c->from, m, gathered);
    int direct = !c->stream && c->out.stride == (int64_t)c->to;
    const char *result = convert(c, packed, m, direct && !c->same ? to : made);
    if (result != to) qn_move_put(to, c->out.stride, c->to, m, result, c->stream);
}

/* Values [task * QN_MOVE_TASK, …) of all lines, one after another. */
static void run_task(void *user, uint32_t worker, uint64_t task)
{
    struct cast *c = user;
    uint64_t at = task * QN_MOVE_TASK, end = at + QN_MOVE_TASK, n = c->out.n;
    (void)worker;
    if (end > c->out.lines * n) end = c->out.lines * n;
    uint64_t line = at / n, i = at % n;
    while (at < end) {
        uint64_t m = n - i < end - at ? n - i : end - at;
        char *to = qn_lines_at(&c->out, line, i);
        m = qn_move_some(to, c->to, m, c->stream);
        run_block(c, qn_lines_at(&c->in, line, i), to, m);
        at += m;
        i += m;
        if (i == n) line++, i = 0;
    }
    if (c->stream) qn_store_fence();
}

/* ---- turned ---- */

/* Asks for what the next tile reads: the processor follows fewer streams than a tile has. */
static void ask(const char *from, uint64_t bytes)
{
    for (uint64_t k = 0; k < bytes; k += 64) QN_MOVE_ASK(from + k);
}

/* Lines [line, line + across), values [i, i + m): read along the lines' direction, written along i. */
static void run_tile(struct cast *c, uint64_t line, uint64_t across, uint64_t i, uint64_t m)
{
    char gathered[TILE_LINES * 8], made[TILE_BYTES], block[TILE_BYTES];
    const void *columns[TILE_VALUES];
    size_t pitch = (size_t)m * c->to;
    char *to = qn_lines_at(&c->out, line, i);
    for (uint64_t k = 0; k < m; k++) {
        const char *from = qn_lines_at(&c->in, line, i + k);
        char *room = made + k * across * c->to;
        const char *packed =
            qn_move_get(from, c->in.line_stride, c->from, across, c->same ? room : gathered);
        columns[k] = convert(c, packed, across, room);
        if (c->in.line_stride > 0) ask(from + across * c->from, across * c->from);
    }
    int dense = c->out.stride == (int64_t)c->to;
    if (dense && !c->stream && c->out.line_stride > 0) {
        qn_store()->transpose(c->to, columns, (uint32_t)m, 0, (uint32_t)across, to,
                              (size_t)c->out.line_stride);
        return;
    }
    qn_store()->transpose(c->to, columns, (uint32_t)m, 0, (uint32_t)across, block, pitch);
    if (dense && c->out.line_stride == (int64_t)pitch) { /* whole lines that follow each other */
        qn_move_put(to, c->out.stride, c->to, m * across, block, c->stream);
        return;
    }
    for (uint64_t l = 0; l < across; l++, to += c->out.line_stride)
        qn_move_put(to, c->out.stride, c->to, m, block + l * pitch, c->stream);
}

/* Tiles that lie side by side where they are read follow each other. The first of a line is cut so that
 * the others begin with a cache line, where lines allow that. */
static void run_tiles(void *user, uint32_t worker, uint64_t task)
{
    struct cast *c = user;
    uint64_t t = task * TILES_TASK, end = t + TILES_TASK < c->tiles ? t + TILES_TASK : c->tiles;
    (void)worker;
    for (; t < end; t++) {
        uint64_t line = t % c->tiles_across * c->across, i = t / c->tiles_across * c->tile;
        uint64_t across = c->out.lines - line, to = i + c->tile - c->shift;
        if (across > c->across) across = c->across;
        if (i != 0) i -= c->shift;
        if (to > c->out.n) to = c->out.n;
        run_tile(c, line, across, i, to - i);
    }
    if (c->stream) qn_store_fence();
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Short lines are tiles' whole lines; else what is read and what is written side by side is of use in
 * whole cache lines both. */
static void shape_tiles(struct cast *c)
{
    uint64_t values = TILE_BYTES / c->to;
    c->tile = least(c->out.n, TILE_VALUES);
    if (c->out.n > TILE_SIDE)
        c->tile = least(TILE_VALUES, values / least(c->out.lines, TILE_SIDE) / 16 * 16);
    c->across = least(least(c->out.lines, TILE_LINES), values / c->tile);
    if (c->across > 16) c->across -= c->across % 16 * (c->across < c->out.lines);
}

static void run_turned(struct qn_threads *threads, struct cast *c)
{
    uint64_t past = (uintptr_t)c->out.data % 64;
    shape_tiles(c);
    if (c->stream && past % c->to == 0 && c->out.n > c->tile) c->shift = past / c->to % c->tile;
    c->tiles_across = (c->out.lines + c->across - 1) / c->across;
    c->tiles = (c->out.n + c->shift + c->tile - 1) / c->tile * c->tiles_across;
    qn_threads_run(threads, (c->tiles + TILES_TASK - 1) / TILES_TASK, run_tiles, c);
}

/* ---- the operation ---- */

quern_status qn_cpu_cast(struct qn_threads *threads, const struct qn_cast_request *rq)
{
    struct cast c = {.in = rq->in,
                     .out = rq->out,
                     .from = qn_move_size(rq->in.type),
                     .to = qn_move_size(rq->out.type),
                     .same = rq->in.type == rq->out.type,
                     .check = rq->check && rq->in.type != rq->out.type};
    uint64_t values = rq->out.lines * rq->out.n;
    if (rq->check) *rq->unfit = 0;
    if (values == 0) return QUERN_OK;
    c.loop = qn_cast_from(c.in.type);
    c.stream = values * c.to >= QN_MOVE_STREAM;
    if (qn_move_swaps(&c.out)) {
        qn_move_swap(&c.in);
        qn_move_swap(&c.out);
    }
    if (qn_move_joins(&c.in) && qn_move_joins(&c.out)) {
        qn_move_join(&c.in);
        qn_move_join(&c.out);
    }
    if (c.out.lines > 1 && c.out.n > 1 &&
        qn_move_reach(c.in.line_stride) < qn_move_reach(c.in.stride))
        run_turned(threads, &c);
    else
        qn_threads_run(threads, (values + QN_MOVE_TASK - 1) / QN_MOVE_TASK, run_task, &c);
    if (rq->check) *rq->unfit = atomic_load(&c.unfit);
    return QUERN_OK;
}

int qn_cpu_cast_unfit(const struct qn_lines *in, uint32_t type, uint64_t *line, uint64_t *place)
{
    char word[8];
    uint32_t size = qn_move_size(in->type);
    if (in->type == type) return 0;
    for (*line = 0; *line < in->lines; ++*line)
        for (*place = 0; *place < in->n; ++*place) {
            memcpy(word, qn_lines_at(in, *line, *place), size);
            if (qn_cast_unfit(in->type, type, 1, word)) return 1;
        }
    return 0;
}
