/* SPDX-License-Identifier: Apache-2.0
 * What this machine's memory can do, for benchmarks to be measured against: a plain read, a copy and a
 * fill with non-temporal stores, each by a given number of threads over memory of a given size.
 * bench_main.py compiles this into a shared library and calls it in the same run as what it times.
 *
 * Vectors are of GCC's portable kind, so one text serves AVX-512, AVX2, SSE2 and NEON; it is compiled
 * with -march=native. Where the compiler has no non-temporal store the plain one is used. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef long long vec __attribute__((vector_size(64), aligned(64), may_alias));

enum { MAX_THREADS = 256, UNROLL = 8 };

enum kind { READ, COPY, FILL };

struct part {
    enum kind kind;
    const vec *from;
    vec *to;
    size_t n; /* vectors */
    long long sum;
};

static inline void stream(vec *to, vec value)
{
#if defined(__AVX512F__)
    _mm512_stream_si512((void *)to, (__m512i)value);
#elif defined(__AVX__)
    typedef long long half __attribute__((vector_size(32), may_alias));
    const half *h = (const half *)&value;
    _mm256_stream_si256((__m256i *)to, (__m256i)h[0]);
    _mm256_stream_si256((__m256i *)to + 1, (__m256i)h[1]);
#elif defined(__SSE2__)
    typedef long long quarter __attribute__((vector_size(16), may_alias));
    const quarter *q = (const quarter *)&value;
    for (int i = 0; i < 4; i++) _mm_stream_si128((__m128i *)to + i, (__m128i)q[i]);
#else
    *to = value;
#endif
}

/* Eight sums, so that no addition waits for the one before it. */
static long long read_all(const vec *from, size_t n)
{
    vec sum[UNROLL] = {{0}};
    size_t i = 0;
    for (; i + UNROLL <= n; i += UNROLL)
        for (size_t k = 0; k < UNROLL; k++) sum[k] ^= from[i + k];
    for (; i < n; i++) sum[0] ^= from[i];
    for (size_t k = 1; k < UNROLL; k++) sum[0] ^= sum[k];
    long long all = 0;
    for (int k = 0; k < 8; k++) all ^= sum[0][k];
    return all;
}

static void *work(void *user)
{
    struct part *p = user;
    const vec zero = {0};
    if (p->kind == READ) {
        p->sum = read_all(p->from, p->n);
    } else if (p->kind == COPY) {
        for (size_t i = 0; i < p->n; i++) stream(p->to + i, p->from[i]);
    } else {
        for (size_t i = 0; i < p->n; i++) stream(p->to + i, zero);
    }
#if defined(__SSE2__)
    _mm_sfence();
#endif
    return NULL;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile long long sink;

/* Seconds of one pass; bytes is a multiple of 64, from and to are aligned to 64. */
static double timed(enum kind kind, const void *from, void *to, uint64_t bytes, unsigned threads)
{
    struct part parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    int made[MAX_THREADS];
    size_t n = (size_t)(bytes / sizeof(vec));
    if (threads < 1) threads = 1;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    double start = seconds();
    for (unsigned t = 0; t < threads; t++) {
        size_t first = n * t / threads, last = n * (t + 1) / threads;
        parts[t] = (struct part){.kind = kind, .n = last - first};
        if (from != NULL) parts[t].from = (const vec *)from + first;
        if (to != NULL) parts[t].to = (vec *)to + first;
    }
    for (unsigned t = 1; t < threads; t++)
        made[t] = pthread_create(&ids[t], NULL, work, &parts[t]) == 0;
    (void)work(&parts[0]);
    for (unsigned t = 1; t < threads; t++) {
        if (made[t])
            (void)pthread_join(ids[t], NULL);
        else
            (void)work(&parts[t]);
    }
    for (unsigned t = 0; t < threads; t++) sink ^= parts[t].sum;
    return seconds() - start;
}

double quern_limit_read(const void *from, uint64_t bytes, unsigned threads)
{
    return timed(READ, from, NULL, bytes, threads);
}

double quern_limit_copy(const void *from, void *to, uint64_t bytes, unsigned threads)
{
    return timed(COPY, from, to, bytes, threads);
}

double quern_limit_fill(void *to, uint64_t bytes, unsigned threads)
{
    return timed(FILL, NULL, to, bytes, threads);
}
