/* SPDX-License-Identifier: Apache-2.0
 * Sorting one kind of elements, for sort_k32.c and its siblings. They define ELEM, KEY (the key's type),
 * KEY_OF(e), PLACES (elements carry places: MAKE(key, place), PLACE_OF(e)), QN_SUFFIX and the conversions
 * KEYS and VALUES; WORD, of which an element has STEP and holds the key in the first, KEY_SHIFT bits up,
 * with the loops PREFIXES_OF (to type PREFIX) and RANGE_OF over them (sort_words.h); NETWORK where elements are words
 * (sort_network.c), and COUNTING where they are keys.
 *
 * A short line is sorted by one thread, a long one by all: a sample says where the values are, a table over
 * prefixes of keys cuts them into buckets that fit a core's cache, elements are scattered to their buckets
 * (through some lines of the cache for each, written past the caches when they are full), and every bucket
 * is sorted as a short line. Before elements with places are scattered a pass counts them, so that every
 * step is stable (sort_team_body.h); keys alone need no counts (sort_rooms_body.h). The method is known as
 * MSD radix sort; the sample takes the place of the most significant digit, which for floats is mostly an
 * exponent.
 *
 * A bucket, or short line, whose keys lie close together is sorted by counting each, which moves nothing;
 * others by a network after one step of division (sort_split_body.h), or by digits, least significant
 * first. A bucket that turned out too large, as where values repeat, is treated as the whole was, within
 * its own exact range. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/sort.h"
#include "backends/cpu/sort_words.h"
#include "host/core/compiler.h"
#include "host/core/os.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FN(name) QN_PASTE(name, QN_SUFFIX)

enum {
    INSERTION = 24,  /* up to here insertion beats digits */
    DIGIT = 11,      /* bits of a digit, at most */
    DIGITS = 6,      /* of a key */
    SAMPLE_RUN = 16, /* neighbours that are sampled together: about a line of the cache */
    SAMPLE_RUNS = 1 << 14,
    PREFIX_BITS = 16, /* more where a key has 64 bits: most are an exponent's */
    PREFIX_BITS_WIDE = 18,
    WIDE_LEAST = 1 << 22, /* elements from which they are worth the larger table */
    BUCKETS = 2048,       /* at most */
    BUCKET = 1 << 15,     /* elements that a bucket should have */
    DENSE = 1 << 18,      /* keys, or elements, of a bucket that is counted */
    LARGE = 1 << 20,      /* elements from which a bucket is cut again */
    LINE = 64 / sizeof(ELEM)
};

/* Where elements come from: values of a line, or elements that are there. */
struct source {
    const struct qn_sort_request *rq;
    uint64_t line, n;
    const ELEM *elements;
};

static const ELEM *load(const struct source *s, uint64_t first, uint64_t count, ELEM *buffer)
{
    if (s->elements != NULL) return s->elements + first;
#if PLACES
    KEY keys[QN_SORT_BLOCK];
    KEYS(&s->rq->in, s->line, first, count, s->rq->flags | QN_SORT_PLUS_ZERO, keys);
    for (uint64_t i = 0; i < count; i++) buffer[i] = MAKE(keys[i], first + i);
#else
    KEYS(&s->rq->in, s->line, first, count, s->rq->flags, buffer);
#endif
    return buffer;
}

/* ---- results ---- */

#if PLACES
/* The values themselves: a key does not tell -0 from +0. */
static void gather(const struct qn_sort_request *rq, uint64_t line, uint64_t at, const ELEM *e,
                   uint64_t count)
{
    KEY key;
    struct qn_lines one = rq->in;
    uint32_t flags = rq->flags & ~(uint32_t)QN_SORT_PLUS_ZERO;
    for (uint64_t i = 0; i < count; i++) {
        KEYS(&one, line, PLACE_OF(e[i]), 1, flags, &key);
        VALUES(&rq->values, line, at + i, 1, flags, &key);
    }
}

static void store_block(const struct qn_sort_request *rq, uint64_t line, uint64_t at, const ELEM *e,
                        uint64_t count)
{
    KEY keys[QN_SORT_BLOCK];
    if (rq->values.data != NULL && (rq->flags & QN_SORT_PLUS_ZERO) == 0)
        gather(rq, line, at, e, count);
    else if (rq->values.data != NULL) {
        for (uint64_t i = 0; i < count; i++) keys[i] = KEY_OF(e[i]);
        VALUES(&rq->values, line, at, count, rq->flags, keys);
    }
    if (rq->order.data == NULL) return;
    char *to = qn_lines_at(&rq->order, line, at);
    for (uint64_t i = 0; i < count; i++, to += rq->order.stride) {
        int64_t place = (int64_t)PLACE_OF(e[i]);
        memcpy(to, &place, sizeof place);
    }
}
#else
static void store_block(const struct qn_sort_request *rq, uint64_t line, uint64_t at, const ELEM *e,
                        uint64_t count)
{
    VALUES(&rq->values, line, at, count, rq->flags, e);
}
#endif

static uint64_t kept(const struct qn_sort_request *rq)
{
    return qn_lines_wanted(&rq->values) ? rq->values.n : rq->order.n;
}

/* Elements that are at their place: the at-th of the line and on. */
static void store(const struct qn_sort_request *rq, uint64_t line, uint64_t at, const ELEM *e,
                  uint64_t count)
{
    uint64_t keep = kept(rq);
    if (at >= keep) return;
    if (count > keep - at) count = keep - at;
    for (uint64_t i = 0; i < count; i += QN_SORT_BLOCK)
        store_block(rq, line, at + i, e + i,
                    count - i < QN_SORT_BLOCK ? count - i : (uint64_t)QN_SORT_BLOCK);
}

/* ---- one thread ---- */

static void insertion_sort(ELEM *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        ELEM x = e[i];
        size_t j = i;
        for (; j > 0 && KEY_OF(e[j - 1]) > KEY_OF(x); j--) e[j] = e[j - 1];
        e[j] = x;
    }
}

static inline void count_digits(const ELEM *e, size_t n, KEY low, uint32_t width, uint32_t passes,
                                uint32_t *counts)
{
    KEY mask = ((KEY)1 << width) - 1;
    for (size_t i = 0; i < n; i++) {
        KEY key = KEY_OF(e[i]) - low;
        for (uint32_t p = 0; p < passes; p++)
            counts[(p << width) + (uint32_t)(key >> (p * width) & mask)]++;
    }
}

/* 0: every element has the same digit, and nothing has to move. */
static int starts_of(uint32_t *counts, uint32_t n_digits, size_t n)
{
    uint32_t sum = 0;
    for (uint32_t d = 0; d < n_digits; d++) {
        uint32_t count = counts[d];
        if (count == n) return 0;
        counts[d] = sum;
        sum += count;
    }
    return 1;
}

static const WORD *words_of(const ELEM *e)
{
    return (const void *)e;
}

static uint32_t bits_of(KEY span)
{
    return span == 0 ? 0 : 64 - qn_leading_zeros(span);
}

/* Least significant digit first, over the bits that differ. The sorted elements are in the one of a
 * and b that is returned. n < 2^32. */
static ELEM *sort_digits(ELEM *a, ELEM *b, size_t n, KEY low, uint32_t bits)
{
    uint32_t counts[DIGITS << DIGIT], most = n < 4096 ? 8 : DIGIT;
    uint32_t passes = (bits + most - 1) / most, width = (bits + passes - 1) / passes;
    KEY mask = ((KEY)1 << width) - 1;
    memset(counts, 0, ((size_t)passes << width) * sizeof *counts);
    switch (passes) { /* the common ones unrolled */
    case 1: count_digits(a, n, low, width, 1, counts); break;
    case 2: count_digits(a, n, low, width, 2, counts); break;
    case 3: count_digits(a, n, low, width, 3, counts); break;
    default: count_digits(a, n, low, width, passes, counts); break;
    }
    for (uint32_t p = 0; p < passes; p++) {
        uint32_t *start = counts + (p << width), shift = p * width;
        if (!starts_of(start, 1u << width, n)) continue;
        for (size_t i = 0; i < n; i++)
            b[start[(uint32_t)((KEY_OF(a[i]) - low) >> shift & mask)]++] = a[i];
        ELEM *other = a;
        a = b;
        b = other;
    }
    return a;
}

#if defined(NETWORK)
#include "backends/cpu/sort_split_body.h"
#endif

/* Elements of room that sort_here wants for n. */
#if defined(NETWORK)
#define SPARE(n) (5 * (n))
#else
#define SPARE(n) (n)
#endif

/* Sorts a, with SPARE(n) elements of room at b. Where few keys lie between the least and the greatest, each
 * is counted. */
static void sort_here(ELEM *a, ELEM *b, size_t n)
{
    if (n <= INSERTION) {
        insertion_sort(a, n);
        return;
    }
    WORD range[2];
    if (!RANGE_OF(words_of(a), STEP, n, range)) return;
    KEY low = (KEY)(range[0] >> KEY_SHIFT), span = (KEY)(range[1] >> KEY_SHIFT) - low;
#if defined(COUNTING)
    if (span < 2 * n && COUNTING(a, n, low, (uint64_t)span + 1, (void *)b)) return;
#endif
#if defined(NETWORK)
    if (n >= SPLIT_LEAST && bits_of(span) > 16 && sort_split(a, b, n, low, bits_of(span))) return;
#endif
    ELEM *sorted = sort_digits(a, b, n, low, bits_of(span));
    if (sorted != a) memcpy(a, sorted, n * sizeof(ELEM));
}

#include "backends/cpu/sort_team_body.h"

/* ---- many lines ---- */

/* Neighbouring lines whose values lie closer together than a line's own are read and written
 * together. */
struct crowd {
    const struct qn_sort_request *rq;
    uint64_t group; /* lines of a task */
    size_t room_each;
    ELEM *room; /* per worker: a group's lines, and what sorting one of them wants */
};

static void sort_group(void *user, uint32_t worker, uint64_t task)
{
    const struct crowd *c = user;
    const struct qn_sort_request *rq = c->rq;
    uint64_t n = rq->in.n, first = task * c->group, keep = kept(rq);
    uint64_t lines = rq->in.lines - first < c->group ? rq->in.lines - first : c->group;
    ELEM *room = c->room + worker * c->room_each, block[QN_SORT_BLOCK];
    uint64_t step =
        c->group == 1 ? QN_SORT_BLOCK : 64; /* so that what is read stays in the cache */
    for (uint64_t at = 0; at < n; at += step)
        for (uint64_t g = 0; g < lines; g++) {
            struct source s = {rq, first + g, n, NULL};
            uint64_t m = n - at < step ? n - at : step;
            memcpy(room + g * n + at, load(&s, at, m, block), m * sizeof(ELEM));
        }
    for (uint64_t g = 0; g < lines; g++) sort_here(room + g * n, room + c->group * n, (size_t)n);
    for (uint64_t at = 0; at < keep; at += step)
        for (uint64_t g = 0; g < lines; g++)
            store(rq, first + g, at, room + g * n + at, keep - at < step ? keep - at : step);
}

#if defined(NETWORK)
/* Lines of at most QN_SORT_NETWORK values, side by side. Elements that differ in their places alone are
 * different words, so that the network, too, is stable. */
static void sort_abreast(void *user, uint32_t worker, uint64_t task)
{
    const struct crowd *c = user;
    const struct qn_sort_request *rq = c->rq;
    uint64_t n = rq->in.n, first = task * QN_SORT_ABREAST, keep = kept(rq);
    uint64_t lines = rq->in.lines - first, step = 64;
    ELEM *words = c->room + worker * c->room_each, block[QN_SORT_BLOCK];
    if (lines > QN_SORT_ABREAST) lines = QN_SORT_ABREAST;
    if (lines < QN_SORT_ABREAST) memset(words, 0, QN_SORT_ABREAST * n * sizeof *words);
    for (uint64_t at = 0; at < n; at += step)
        for (uint64_t g = 0; g < lines; g++) {
            struct source s = {rq, first + g, n, NULL};
            uint64_t m = n - at < step ? n - at : step;
            const ELEM *e = load(&s, at, m, block);
            for (uint64_t i = 0; i < m; i++) words[(at + i) * QN_SORT_ABREAST + g] = e[i];
        }
    NETWORK(words, n);
    for (uint64_t at = 0; at < keep; at += step)
        for (uint64_t g = 0; g < lines; g++) {
            uint64_t m = keep - at < step ? keep - at : step;
            for (uint64_t i = 0; i < m; i++) block[i] = words[(at + i) * QN_SORT_ABREAST + g];
            store(rq, first + g, at, block, m);
        }
}
#endif

static quern_status sort_crowd(struct qn_threads *threads, const struct qn_sort_request *rq)
{
    struct crowd c = {.rq = rq, .group = 1};
    uint64_t across = (uint64_t)(rq->in.line_stride < 0 ? -rq->in.line_stride : rq->in.line_stride);
    uint64_t along = (uint64_t)(rq->in.stride < 0 ? -rq->in.stride : rq->in.stride);
    uint32_t team = qn_threads_size(threads);
    size_t room;
    qn_task_fn *body = sort_group;
    if (across < along && across <= 8) c.group = 16;
#if defined(NETWORK)
    if (rq->in.lines > 1 && rq->in.n <= QN_SORT_NETWORK) {
        c.group = QN_SORT_ABREAST;
        body = sort_abreast;
    }
#endif
    if (qn_mul_size((size_t)c.group + SPARE(1), (size_t)rq->in.n, &c.room_each) ||
        qn_mul_size(c.room_each, team, &room))
        return qn_error_memory("sorting", UINT64_MAX);
    c.room = qn_alloc(room, sizeof(ELEM));
    if (c.room == NULL) return qn_error_memory("sorting", room * sizeof(ELEM));
    qn_threads_run(threads, (rq->in.lines + c.group - 1) / c.group, body, &c);
    qn_free(c.room);
    return QUERN_OK;
}

quern_status FN(qn_sort_lines)(struct qn_threads *threads, const struct qn_sort_request *rq)
{
    if (rq->in.n < QN_SORT_TEAM) return sort_crowd(threads, rq);
    for (uint64_t line = 0; line < rq->in.lines; line++) {
        struct source source = {rq, line, rq->in.n, NULL};
        QN_TRY(sort_team(threads, source, 0, 0));
    }
    return QUERN_OK;
}
