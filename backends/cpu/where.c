/* SPDX-License-Identifier: Apache-2.0
 * One of two values, by a mask, in host memory: blocks of a line, by a loop without branches. */
#include <string.h>

#include "backends/cpu/move.h"
#include "backends/cpu/run_store.h"

struct where {
    struct qn_lines mask, a, b, out;
    uint32_t size;
    int stream;
};

/* What is one line, or one value a line, stands for all: with a stride of 0. */
static void spread(struct qn_lines *x, const struct qn_lines *out)
{
    if (x->lines == 1) x->line_stride = 0;
    if (x->n == 1) x->stride = 0;
    x->lines = out->lines;
    x->n = out->n;
}

/* m values from a block that may be one value many times. */
static const char *operand(const struct qn_lines *x, uint32_t size, uint64_t line, uint64_t i,
                           uint64_t m, char *block)
{
    return qn_move_get(qn_lines_at(x, line, i), x->stride, size, m, block);
}

#define CHOOSE(TYPE)                                                                               \
    for (uint64_t k = 0; k < m; k++) {                                                             \
        TYPE x, y;                                                                                 \
        memcpy(&x, a + k * sizeof x, sizeof x);                                                    \
        memcpy(&y, b + k * sizeof y, sizeof y);                                                    \
        x = mask[k] ? x : y;                                                                       \
        memcpy(to + k * sizeof x, &x, sizeof x);                                                   \
    }                                                                                              \
    break

static void choose(uint32_t size, uint64_t m, const uint8_t *restrict mask, const char *restrict a,
                   const char *restrict b, char *restrict to)
{
    switch (size) {
    case 1: CHOOSE(uint8_t);
    case 2: CHOOSE(uint16_t);
    case 4: CHOOSE(uint32_t);
    default: CHOOSE(uint64_t);
    }
}

static void run_task(void *user, uint32_t worker, uint64_t task)
{
    const struct where *w = user;
    char block_a[QN_MOVE_BYTES], block_b[QN_MOVE_BYTES], made[QN_MOVE_BYTES];
    uint8_t mask[QN_MOVE_BLOCK];
    uint64_t at = task * QN_MOVE_TASK, end = at + QN_MOVE_TASK, n = w->out.n;
    int direct = !w->stream && w->out.stride == (int64_t)w->size;
    (void)worker;
    if (end > w->out.lines * n) end = w->out.lines * n;
    uint64_t line = at / n, i = at % n;
    while (at < end) {
        uint64_t m = n - i < end - at ? n - i : end - at;
        char *to = qn_lines_at(&w->out, line, i);
        m = qn_move_some(to, w->size, m, w->stream);
        qn_move_mask(&w->mask, line, i, m, mask);
        choose(w->size, m, mask, operand(&w->a, w->size, line, i, m, block_a),
               operand(&w->b, w->size, line, i, m, block_b), direct ? to : made);
        if (!direct) qn_move_put(to, w->out.stride, w->size, m, made, w->stream);
        at += m;
        i += m;
        if (i == n) line++, i = 0;
    }
    if (w->stream) qn_store_fence();
}

quern_status qn_cpu_where(struct qn_threads *threads, const struct qn_where_request *rq)
{
    struct where w = {rq->mask, rq->a, rq->b, rq->out, qn_move_size(rq->out.type), 0};
    struct qn_lines *all[] = {&w.mask, &w.a, &w.b, &w.out};
    uint64_t values = rq->out.lines * rq->out.n;
    int swap = qn_move_swaps(&rq->out), join = 1;
    if (values == 0) return QUERN_OK;
    w.stream = values * w.size >= QN_MOVE_STREAM;
    for (int k = 0; k < 4; k++) {
        spread(all[k], &rq->out);
        if (swap) qn_move_swap(all[k]);
        join &= qn_move_joins(all[k]);
    }
    for (int k = 0; join && k < 4; k++) qn_move_join(all[k]);
    qn_threads_run(threads, (values + QN_MOVE_TASK - 1) / QN_MOVE_TASK, run_task, &w);
    return QUERN_OK;
}
