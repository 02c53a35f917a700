/* SPDX-License-Identifier: Apache-2.0
 * Distinct values of a line in host memory: sorted, then every run of equal keys is one value. Each
 * chunk of the sorted line counts the runs that begin in it, and then knows where its own go. */
#include <string.h>

#include "backends/cpu/sort.h"
#include "host/core/checked.h"
#include "host/core/os.h"

struct runs {
    const struct qn_unique_request *rq;
    struct qn_lines sorted;
    const int64_t *order; /* NULL: not needed */
    int64_t *starts;      /* where runs begin; the result's counts; NULL: not wanted */
    uint64_t chunk, *counts;
    int write; /* the second time */
};

static void keys_of(const struct qn_lines *lines, uint64_t first, uint64_t count, uint64_t *keys)
{
    uint32_t narrow[QN_SORT_BLOCK];
    if (qn_sort_is_wide(lines->type)) {
        qn_sort_keys64(lines, 0, first, count, QN_SORT_PLUS_ZERO, keys);
        return;
    }
    qn_sort_keys32(lines, 0, first, count, QN_SORT_PLUS_ZERO, narrow);
    for (uint64_t i = 0; i < count; i++) keys[i] = narrow[i];
}

static void put_value(const struct runs *r, uint64_t at, uint64_t key)
{
    struct qn_lines to = r->sorted;
    uint32_t narrow = (uint32_t)key;
    to.data = r->rq->values;
    if (qn_sort_is_wide(to.type))
        qn_sort_values64(&to, 0, at, 1, 0, &key);
    else
        qn_sort_values32(&to, 0, at, 1, 0, &narrow);
}

static void run_begins(const struct runs *r, uint64_t at, uint64_t i, uint64_t key)
{
    put_value(r, at, key);
    if (r->starts != NULL) r->starts[at] = (int64_t)i;
    if (r->rq->first != NULL) r->rq->first[at] = r->order[i];
}

static void walk(void *user, uint32_t worker, uint64_t chunk)
{
    struct runs *r = user;
    uint64_t keys[QN_SORT_BLOCK], before = 0, i = chunk * r->chunk, end = i + r->chunk;
    uint64_t at = r->write ? r->counts[chunk] : 0;
    (void)worker;
    if (end > r->sorted.n) end = r->sorted.n;
    if (i != 0) keys_of(&r->sorted, i - 1, 1, &before);
    while (i < end) {
        uint64_t m = end - i < QN_SORT_BLOCK ? end - i : (uint64_t)QN_SORT_BLOCK;
        keys_of(&r->sorted, i, m, keys);
        for (uint64_t j = 0; j < m; j++, i++) {
            if (i == 0 || keys[j] != before) {
                if (r->write) run_begins(r, at, i, keys[j]);
                at++;
            }
            before = keys[j];
            if (r->write && r->rq->inverse != NULL) r->rq->inverse[r->order[i]] = (int64_t)at - 1;
        }
    }
    if (!r->write) r->counts[chunk] = at;
}

static void find_runs(struct qn_threads *threads, struct runs *r, uint64_t n_chunks)
{
    uint64_t sum = 0, n = r->sorted.n;
    qn_threads_run(threads, n_chunks, walk, r);
    for (uint64_t c = 0; c < n_chunks; c++) {
        uint64_t count = r->counts[c];
        r->counts[c] = sum;
        sum += count;
    }
    r->write = 1;
    qn_threads_run(threads, n_chunks, walk, r);
    *r->rq->n_values = sum;
    for (uint64_t i = 0; r->starts != NULL && i < sum; i++)
        r->starts[i] = (i + 1 < sum ? r->starts[i + 1] : (int64_t)n) - r->starts[i];
}

quern_status qn_cpu_unique(struct qn_threads *threads, const struct qn_unique_request *rq)
{
    uint64_t n = rq->in.n, n_chunks = (uint64_t)qn_threads_size(threads) * 4;
    size_t bytes = qn_sort_is_wide(rq->in.type) ? 8 : 4, values, order = 0;
    struct runs r = {.rq = rq, .starts = rq->counts, .chunk = (n + n_chunks - 1) / n_chunks};
    void *sorted = NULL;
    int64_t *places = NULL;
    quern_status status = QUERN_OK;
    *rq->n_values = 0;
    if (n == 0) return QUERN_OK;
    if (rq->in.type == QN_T_BOOL || rq->in.type == QN_T_I8 || rq->in.type == QN_T_U8) bytes = 1;
    if (rq->in.type == QN_T_I16 || rq->in.type == QN_T_U16) bytes = 2;
    values = (size_t)n * bytes;
    sorted = qn_pages_alloc(values);
    if (rq->first != NULL || rq->inverse != NULL) {
        order = (size_t)n * sizeof *places;
        places = qn_pages_alloc(order);
    }
    r.counts = qn_zalloc((size_t)n_chunks, sizeof *r.counts);
    if (sorted == NULL || r.counts == NULL || (order != 0 && places == NULL)) {
        status = qn_error_memory("unique values", values + order);
        goto cleanup;
    }
    r.sorted = (struct qn_lines){
        .data = sorted, .lines = 1, .n = n, .stride = (int64_t)bytes, .type = rq->in.type};
    r.order = places;
    struct qn_sort_request sort = {.in = rq->in, .values = r.sorted, .flags = QN_SORT_PLUS_ZERO};
    if (places != NULL)
        sort.order = (struct qn_lines){
            .data = places, .lines = 1, .n = n, .stride = sizeof *places, .type = QN_T_I64};
    QN_GO(qn_cpu_sort(threads, &sort));
    find_runs(threads, &r, (n + r.chunk - 1) / r.chunk);
cleanup:
    qn_free(r.counts);
    qn_pages_free(places, order);
    qn_pages_free(sorted, values);
    return status;
}
