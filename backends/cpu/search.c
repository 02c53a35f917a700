/* SPDX-License-Identifier: Apache-2.0
 * Places of values in a sorted line: binary search on keys, sixteen values side by side, so that the
 * loads of one do not wait for those of another. No branch depends on the values. */
#include <string.h>

#include "backends/cpu/sort.h"
#include "host/core/checked.h"

enum { SIDE_BY_SIDE = 16 };

struct search {
    const struct qn_search_request *rq;
    void *keys; /* of the sorted line, 4 or 8 bytes each */
    uint64_t n, parts, part;
};

/* How many of n keys are smaller than each of m wanted. */
#define SEARCH(KEY, name)                                                                          \
    static void name(const KEY *keys, uint64_t n, const KEY *wanted, uint64_t m, uint64_t *at)     \
    {                                                                                              \
        for (uint64_t j = 0; j < m; j++) at[j] = 0;                                                \
        if (n == 0) return;                                                                        \
        for (uint64_t left = n; left > 1; left -= left / 2)                                        \
            for (uint64_t j = 0; j < m; j++)                                                       \
                at[j] += keys[at[j] + left / 2 - 1] < wanted[j] ? left / 2 : 0;                    \
        for (uint64_t j = 0; j < m; j++) at[j] += keys[at[j]] < wanted[j];                         \
    }
SEARCH(uint32_t, search_32)
SEARCH(uint64_t, search_64)

static void put(const struct search *s, uint64_t line, uint64_t first, uint64_t m,
                const uint64_t *at)
{
    char *to = qn_lines_at(&s->rq->out, line, first);
    for (uint64_t j = 0; j < m; j++, to += s->rq->out.stride) {
        int64_t place = (int64_t)(s->rq->flip ? s->n - at[j] : at[j]);
        memcpy(to, &place, sizeof place);
    }
}

/* right: what is not larger than k is what is smaller than k + 1; everything, for the largest key. */
#define PART(KEY, KEYS, SEARCH_KEYS, MAX)                                                          \
    do {                                                                                           \
        KEY wanted[SIDE_BY_SIDE];                                                                  \
        KEYS(&s->rq->in, line, first, m, QN_SORT_PLUS_ZERO, wanted);                               \
        for (uint64_t j = 0; j < m; j++) {                                                         \
            all[j] = s->rq->right && wanted[j] == MAX;                                             \
            wanted[j] += s->rq->right && wanted[j] != MAX;                                         \
        }                                                                                          \
        SEARCH_KEYS(s->keys, s->n, wanted, m, at);                                                 \
    } while (0)

static void search_part(void *user, uint32_t worker, uint64_t task)
{
    const struct search *s = user;
    uint64_t line = task / s->parts, from = task % s->parts * s->part, end = from + s->part;
    (void)worker;
    if (end > s->rq->in.n) end = s->rq->in.n;
    for (uint64_t first = from; first < end; first += SIDE_BY_SIDE) {
        uint64_t m = end - first < SIDE_BY_SIDE ? end - first : (uint64_t)SIDE_BY_SIDE;
        uint64_t at[SIDE_BY_SIDE];
        int all[SIDE_BY_SIDE];
        if (qn_sort_is_wide(s->rq->in.type))
            PART(uint64_t, qn_sort_keys64, search_64, UINT64_MAX);
        else
            PART(uint32_t, qn_sort_keys32, search_32, UINT32_MAX);
        for (uint64_t j = 0; j < m; j++) at[j] = all[j] ? s->n : at[j];
        put(s, line, first, m, at);
    }
}

quern_status qn_cpu_search(struct qn_threads *threads, const struct qn_search_request *rq)
{
    struct search s = {.rq = rq, .n = rq->sorted.n, .part = 8192};
    int wide = qn_sort_is_wide(rq->in.type);
    if (rq->in.lines == 0 || rq->in.n == 0) return QUERN_OK;
    s.parts = (rq->in.n + s.part - 1) / s.part;
    s.keys = qn_alloc((size_t)s.n, wide ? 8 : 4);
    if (s.keys == NULL) return qn_error_memory("a search", s.n * 8);
    if (wide)
        qn_sort_keys64(&rq->sorted, 0, 0, s.n, QN_SORT_PLUS_ZERO, s.keys);
    else
        qn_sort_keys32(&rq->sorted, 0, 0, s.n, QN_SORT_PLUS_ZERO, s.keys);
    qn_threads_run(threads, rq->in.lines * s.parts, search_part, &s);
    qn_free(s.keys);
    return QUERN_OK;
}
