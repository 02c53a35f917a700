/* SPDX-License-Identifier: Apache-2.0
 * Values where a mask is not 0, and their places, in host memory: each part of the mask counts its own,
 * and then knows where they go. Along an axis of a matrix the places are found first, and then taken. */
#include <string.h>

#include "backends/cpu/move.h"
#include "backends/cpu/run_store.h"
#include "host/core/checked.h"

struct compress {
    const struct qn_compress_request *rq;
    uint64_t n, part, *starts; /* of a line; values of a part; where each part's results go */
    uint32_t size;
};

/* Calls body for blocks of part `task`, whose values are in one line each. */
#define BLOCKS(c, task, body)                                                                      \
    do {                                                                                           \
        uint64_t at = (task) * (c)->part, end = at + (c)->part, n = (c)->rq->mask.n;               \
        if (end > (c)->n) end = (c)->n;                                                            \
        while (at < end) {                                                                         \
            uint64_t line = at / n, i = at % n, m = n - i < end - at ? n - i : end - at;           \
            if (m > QN_MOVE_BLOCK) m = QN_MOVE_BLOCK;                                              \
            qn_move_mask(&(c)->rq->mask, line, i, m, mask);                                        \
            body at += m;                                                                          \
        }                                                                                          \
    } while (0)

static void count_part(void *user, uint32_t worker, uint64_t task)
{
    const struct compress *c = user;
    uint8_t mask[QN_MOVE_BLOCK];
    uint64_t sum = 0;
    (void)worker;
    BLOCKS(c, task, {
        uint32_t some = 0;
        for (uint64_t k = 0; k < m; k++) some += mask[k];
        sum += some;
    });
    c->starts[task] = sum;
}

#define KEEP(TYPE, VALUE)                                                                          \
    for (uint64_t k = 0; k < m; k++) {                                                             \
        TYPE x;                                                                                    \
        VALUE;                                                                                     \
        memcpy(made + kept * sizeof x, &x, sizeof x);                                              \
        kept += mask[k];                                                                           \
    }                                                                                              \
    break

/* The kept ones of m packed values, or of the places from `first` on; returns how many. made has room
 * for one more than m. */
static uint64_t keep(uint32_t size, uint64_t m, const uint8_t *restrict mask,
                     const char *restrict from, uint64_t first, char *restrict made)
{
    uint64_t kept = 0;
    if (from == NULL) size = 0;
    switch (size) {
    case 0: KEEP(int64_t, x = (int64_t)(first + k));
    case 1: KEEP(uint8_t, memcpy(&x, from + k * sizeof x, sizeof x));
    case 2: KEEP(uint16_t, memcpy(&x, from + k * sizeof x, sizeof x));
    case 4: KEEP(uint32_t, memcpy(&x, from + k * sizeof x, sizeof x));
    default: KEEP(uint64_t, memcpy(&x, from + k * sizeof x, sizeof x));
    }
    return kept;
}

static void keep_part(void *user, uint32_t worker, uint64_t task)
{
    const struct compress *c = user;
    const struct qn_lines *in = &c->rq->in, *out = &c->rq->out;
    char block[QN_MOVE_BYTES], made[QN_MOVE_BYTES + 8];
    uint8_t mask[QN_MOVE_BLOCK];
    uint64_t to = c->starts[task];
    (void)worker;
    BLOCKS(c, task, {
        const char *from = NULL;
        if (in->data != NULL)
            from = qn_move_get(qn_lines_at(in, 0, at), in->stride, c->size, m, block);
        uint64_t kept = keep(c->size, m, mask, from, at, made);
        qn_move_put(qn_lines_at(out, 0, to), out->stride, c->size, kept, made, 0);
        to += kept;
    });
}

static quern_status run_line(struct qn_threads *threads, const struct qn_compress_request *rq)
{
    struct compress c = {.rq = rq, .n = rq->mask.lines * rq->mask.n, .part = QN_MOVE_TASK};
    uint64_t parts = (c.n + c.part - 1) / c.part, sum = 0;
    c.size = rq->in.data != NULL ? qn_move_size(rq->in.type) : (uint32_t)sizeof(int64_t);
    c.starts = qn_alloc((size_t)parts, sizeof *c.starts);
    if (c.starts == NULL) return qn_error_memory("a mask", parts * sizeof *c.starts);
    qn_threads_run(threads, parts, count_part, &c);
    for (uint64_t p = 0; p < parts; p++) {
        uint64_t some = c.starts[p];
        c.starts[p] = sum;
        sum += some;
    }
    if (rq->count != NULL) *rq->count = sum;
    if (rq->out.data != NULL) qn_threads_run(threads, parts, keep_part, &c);
    qn_free(c.starts);
    return QUERN_OK;
}

quern_status qn_cpu_compress(struct qn_threads *threads, const struct qn_compress_request *rq)
{
    if (rq->count != NULL) *rq->count = 0;
    if (rq->mask.lines * rq->mask.n == 0) return QUERN_OK;
    if (rq->in.data == NULL || rq->in.lines == 1 || rq->out.data == NULL)
        return run_line(threads, rq);
    struct qn_lines places = {.lines = 1, .n = rq->out.n, .stride = 8, .type = QN_T_I64};
    places.data = qn_alloc((size_t)places.n, sizeof(int64_t));
    if (places.data == NULL) return qn_error_memory("places", places.n * sizeof(int64_t));
    struct qn_compress_request find = {.mask = rq->mask, .out = places, .count = rq->count};
    struct qn_take_request take = {rq->in, places, rq->out, QN_TAKE_CLIP, NULL};
    quern_status status = run_line(threads, &find);
    if (status == QUERN_OK) status = qn_cpu_take(threads, &take);
    qn_free(places.data);
    return status;
}
