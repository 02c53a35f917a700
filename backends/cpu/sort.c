/* SPDX-License-Identifier: Apache-2.0
 * Sorting lines in host memory: which kind of elements serves, and values of at most two bytes, which
 * are counted instead. Results depend on the values alone: not on threads, nor on an instruction set,
 * of which the loops that move elements, bound by memory and by chains of loads, have nothing. */
#include "backends/cpu/sort.h"

#include <string.h>

#include "host/core/checked.h"

/* ---- values of at most two bytes ---- */

enum { COUNTED = 1 << 16 };

struct tally {
    const struct qn_sort_request *rq;
    uint64_t line, chunk, n_chunks;
    uint32_t low;     /* least key of the type */
    uint32_t n;       /* keys that the type has */
    uint64_t *counts; /* [chunk][key] */
    uint64_t *starts; /* [key + 1] */
};

static void tally_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    const struct tally *t = user;
    uint32_t keys[QN_SORT_BLOCK];
    uint64_t *counts = t->counts + chunk * t->n, at = chunk * t->chunk, end = at + t->chunk;
    (void)worker;
    if (end > t->rq->in.n) end = t->rq->in.n;
    for (; at < end; at += QN_SORT_BLOCK) {
        uint64_t m = end - at < QN_SORT_BLOCK ? end - at : (uint64_t)QN_SORT_BLOCK;
        qn_sort_keys32(&t->rq->in, t->line, at, m, t->rq->flags, keys);
        for (uint64_t i = 0; i < m; i++) counts[keys[i] - t->low]++;
    }
}

/* The sorted line's values from chunk * t->chunk on: a run for every key that falls there. */
static void write_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    const struct tally *t = user;
    uint32_t keys[QN_SORT_BLOCK], key = 0;
    uint64_t at = chunk * t->chunk, end = at + t->chunk;
    (void)worker;
    if (end > t->rq->values.n) end = t->rq->values.n;
    while (at < end) {
        uint64_t m = end - at < QN_SORT_BLOCK ? end - at : (uint64_t)QN_SORT_BLOCK;
        for (uint64_t i = 0; i < m; i++) {
            while (t->starts[key + 1] <= at + i) key++;
            keys[i] = t->low + key;
        }
        qn_sort_values32(&t->rq->values, t->line, at, m, t->rq->flags, keys);
        at += m;
    }
}

static quern_status sort_counting(struct qn_threads *threads, const struct qn_sort_request *rq)
{
    struct tally t = {.rq = rq, .n_chunks = (uint64_t)qn_threads_size(threads) * 2};
    int is_short = rq->in.type == QN_T_I16 || rq->in.type == QN_T_U16;
    int is_signed = rq->in.type == QN_T_I16 || rq->in.type == QN_T_I8;
    uint32_t down = rq->flags & QN_SORT_DESCENDING ? UINT32_MAX : 0;
    t.n = is_short ? COUNTED : 256;
    t.low = is_signed ? 0x80000000u - t.n / 2 : 0;
    if (down != 0) t.low = ~(t.low + t.n - 1);
    t.chunk = (rq->in.n + t.n_chunks - 1) / t.n_chunks;
    t.counts = qn_alloc((size_t)t.n_chunks * t.n, sizeof *t.counts);
    t.starts = qn_alloc((size_t)t.n + 1, sizeof *t.starts);
    quern_status status = QUERN_OK;
    if (t.counts == NULL || t.starts == NULL)
        status = qn_error_memory("sorting", (uint64_t)t.n_chunks * t.n * sizeof *t.counts);
    for (; status == QUERN_OK && t.line < rq->in.lines; t.line++) {
        memset(t.counts, 0, (size_t)t.n_chunks * t.n * sizeof *t.counts);
        qn_threads_run(threads, t.n_chunks, tally_chunk, &t);
        uint64_t sum = 0;
        for (uint32_t key = 0; key < t.n; key++) {
            t.starts[key] = sum;
            for (uint64_t c = 0; c < t.n_chunks; c++) sum += t.counts[c * t.n + key];
        }
        t.starts[t.n] = sum;
        qn_threads_run(threads, t.n_chunks, write_chunk, &t);
    }
    qn_free(t.starts);
    qn_free(t.counts);
    return status;
}

/* ---- the operation ---- */

quern_status qn_cpu_sort(struct qn_threads *threads, const struct qn_sort_request *rq)
{
    uint32_t bytes_2 = rq->in.type == QN_T_I16 || rq->in.type == QN_T_U16;
    uint32_t bytes_1 = rq->in.type == QN_T_I8 || rq->in.type == QN_T_U8 || rq->in.type == QN_T_BOOL;
    if (rq->in.lines == 0 || rq->in.n == 0) return QUERN_OK;
    if (rq->order.data == NULL) {
        if ((bytes_1 && rq->in.n >= 4096) || (bytes_2 && rq->in.n >= QN_SORT_TEAM))
            return sort_counting(threads, rq);
        return qn_sort_is_wide(rq->in.type) ? qn_sort_lines_k64(threads, rq)
                                            : qn_sort_lines_k32(threads, rq);
    }
    if (qn_sort_is_wide(rq->in.type) || rq->in.n > UINT32_MAX)
        return qn_sort_lines_p64(threads, rq);
    return qn_sort_lines_p32(threads, rq);
}
