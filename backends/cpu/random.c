/* SPDX-License-Identifier: Apache-2.0
 * Random values and orders in host memory. */
#include "host/ops/random.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/core/os.h"

enum {
    RANDOM_BLOCKS = 64, /* blocks of 128 bits that are made together */
    RANDOM_TASK = 1024  /* such portions of a task */
};

#define QN_BODY "backends/cpu/random_body.h"
#include "backends/cpu/isa_each.h"

static void make_words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t *words)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: blocks_avx512(seed, stream, first, words); return;
    case QN_ISA_AVX2: blocks_avx2(seed, stream, first, words); return;
    default: break;
    }
#endif
    blocks_baseline(seed, stream, first, words);
}

/* ---- values ---- */

struct fill {
    const struct qn_random_request *rq;
    uint32_t wide;  /* bytes of a value */
    uint64_t each;  /* values of a portion */
    uint64_t start; /* the first portion's first value, of the stream */
};

/* Values [from, to) of a portion's words. */
static void put(const struct fill *f, const uint32_t *words, uint64_t from, uint64_t to, char *at)
{
    const struct qn_random_request *rq = f->rq;
    for (uint64_t k = from; k < to; k++, at += rq->out.stride) {
        if (f->wide == 8) {
            uint64_t number = words[2 * k] | (uint64_t)words[2 * k + 1] << 32;
            uint64_t value = qn_random_wide(number, rq->kind, rq->low, rq->range);
            memcpy(at, &value, sizeof value);
        } else {
            uint32_t value = qn_random_narrow(words[k], rq->kind);
            memcpy(at, &value, sizeof value);
        }
    }
}

static void fill_task(void *user, uint32_t worker, uint64_t task)
{
    const struct fill *f = user;
    const struct qn_random_request *rq = f->rq;
    uint32_t words[4 * RANDOM_BLOCKS];
    uint64_t end = rq->first + rq->out.n;
    (void)worker;
    for (uint64_t p = task * RANDOM_TASK; p < (task + 1) * RANDOM_TASK; p++) {
        uint64_t low = f->start + p * f->each, high = low + f->each;
        uint64_t from = low < rq->first ? rq->first : low, to = high < end ? high : end;
        if (low >= end) return;
        make_words(rq->seed, rq->stream, low / (f->wide == 8 ? 2 : 4), words);
        put(f, words, from - low, to - low, qn_lines_at(&rq->out, 0, from - rq->first));
    }
}

quern_status qn_cpu_random(struct qn_threads *threads, const struct qn_random_request *rq)
{
    struct fill f = {.rq = rq,
                     .wide = rq->out.type == QN_T_U32 || rq->out.type == QN_T_F32 ? 4 : 8};
    if (rq->out.n == 0) return QUERN_OK;
    f.each = RANDOM_BLOCKS * (f.wide == 8 ? 2u : 4u);
    f.start = rq->first / f.each * f.each;
    uint64_t portions = (rq->first + rq->out.n - f.start + f.each - 1) / f.each;
    qn_threads_run(threads, (portions + RANDOM_TASK - 1) / RANDOM_TASK, fill_task, &f);
    return QUERN_OK;
}

/* ---- orders ---- */

quern_status qn_cpu_permutation(struct qn_threads *threads, const struct qn_permutation_request *rq)
{
    struct qn_random_request keys = {.seed = rq->seed, .stream = rq->stream};
    struct qn_sort_request sort = {.order = rq->out};
    size_t bytes = (size_t)rq->n * sizeof(uint64_t);
    if (rq->n == 0 || rq->out.n == 0) return QUERN_OK;
    keys.out = (struct qn_lines){.lines = 1, .n = rq->n, .stride = 8, .type = QN_T_U64};
    keys.out.data = qn_pages_alloc(bytes);
    if (keys.out.data == NULL) return qn_error_memory("a random order", bytes);
    sort.in = keys.out;
    quern_status status = qn_cpu_random(threads, &keys);
    if (status == QUERN_OK) status = qn_cpu_sort(threads, &sort);
    qn_pages_free(keys.out.data, bytes);
    return status;
}
