/* SPDX-License-Identifier: Apache-2.0
 * Values where a mask is not 0, and their places, in host memory: each part of the mask counts its own,
 * and then knows where they go. Along an axis of a matrix the places are found first, and then taken. */
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/move.h"
#include "backends/cpu/run_store.h"
#include "host/core/checked.h"

#if QN_X86
#include <immintrin.h>
#endif

struct compress {
    const struct qn_compress_request *rq;
    uint64_t n, part, *starts; /* of a line; values of a part; where each part's results go */
    uint32_t size;
    int stream;
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

#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
/* 16 words of 4 bytes, or 8 of 8, at a time, compressed in a register, because compressing stores are slow on some
 * processors. *done: how many values have been looked at; returns how many were kept. */
static uint64_t keep_wide(uint32_t size, uint64_t m, const uint8_t *mask, const char *from,
                          uint64_t first, char *made, uint64_t *done)
{
    const __m512i steps = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    uint64_t kept = 0, k = 0;
    if (size == 4)
        for (; k + 16 <= m; k += 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(mask + k));
            __mmask16 which = _mm_test_epi8_mask(bytes, bytes);
            __m512i x = _mm512_loadu_si512(from + k * 4);
            _mm512_storeu_si512(made + kept * 4, _mm512_maskz_compress_epi32(which, x));
            kept += (uint64_t)__builtin_popcount(which);
        }
    else
        for (; k + 8 <= m; k += 8) {
            __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(mask + k));
            __mmask8 which = (__mmask8)_mm_test_epi8_mask(bytes, bytes);
            __m512i x = from != NULL
                            ? _mm512_loadu_si512(from + k * 8)
                            : _mm512_add_epi64(_mm512_set1_epi64((int64_t)(first + k)), steps);
            _mm512_storeu_si512(made + kept * 8, _mm512_maskz_compress_epi64(which, x));
            kept += (uint64_t)__builtin_popcount(which);
        }
    *done = k;
    return kept;
}
QN_TARGET_END
#endif

/* The kept ones of m packed values, or of the places from `first` on; returns how many. made has room
 * for a vector more than m. */
static uint64_t keep(uint32_t size, uint64_t m, const uint8_t *restrict mask,
                     const char *restrict from, uint64_t first, char *restrict made)
{
    uint64_t kept = 0;
#if QN_X86
    uint64_t done;
    if (qn_cpu_isa_level() == QN_ISA_AVX512 && size >= 4) {
        kept = keep_wide(size, m, mask, from, first, made, &done);
        if (from != NULL) from += done * size;
        mask += done;
        first += done;
        m -= done;
    }
#endif
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

/* What has been kept, on its way to the result, from place `to` on. */
struct held {
    uint64_t to, n;
    char made[2 * QN_MOVE_BYTES + 64];
};

/* Writes what is held: all of it, or as much as ends with a cache line of the result. */
static void write_held(const struct compress *c, struct held *h, int all)
{
    const struct qn_lines *out = &c->rq->out;
    char *to = qn_lines_at(out, 0, h->to);
    uint64_t n = h->n, over = ((uintptr_t)to + n * c->size) % 64;
    if (!all && over % c->size == 0) n -= over / c->size;
    qn_move_put(to, out->stride, c->size, n, h->made, c->stream);
    memmove(h->made, h->made + n * c->size, (h->n - n) * c->size);
    h->to += n;
    h->n -= n;
}

static void keep_part(void *user, uint32_t worker, uint64_t task)
{
    const struct compress *c = user;
    const struct qn_lines *in = &c->rq->in;
    struct held h;
    char block[QN_MOVE_BYTES];
    uint8_t mask[QN_MOVE_BLOCK];
    (void)worker;
    h.to = c->starts[task];
    h.n = 0;
    BLOCKS(c, task, {
        const char *from = NULL;
        if (in->data != NULL)
            from = qn_move_get(qn_lines_at(in, 0, at), in->stride, c->size, m, block);
        h.n += keep(c->size, m, mask, from, at, h.made + h.n * c->size);
        if (h.n >= QN_MOVE_BLOCK) write_held(c, &h, 0);
    });
    write_held(c, &h, 1);
    if (c->stream) qn_store_fence();
}

static quern_status run_line(struct qn_threads *threads, const struct qn_compress_request *rq)
{
    struct compress c = {.rq = rq, .n = rq->mask.lines * rq->mask.n, .part = QN_MOVE_TASK};
    uint64_t parts = (c.n + c.part - 1) / c.part, sum = 0;
    c.size = rq->in.data != NULL ? qn_move_size(rq->in.type) : (uint32_t)sizeof(int64_t);
    c.stream = rq->out.n * c.size >= QN_MOVE_STREAM;
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
