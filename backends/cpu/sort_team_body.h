/* SPDX-License-Identifier: Apache-2.0
 * All threads at one line: values go to buckets by samples of them, buckets are sorted alone. Part of
 * sort_body.h, and like it included once for each kind of element. */

struct team {
    struct source source;
    uint64_t base; /* place in the line of the first element, sorted */
    uint32_t depth;
    KEY low, high; /* of the sample, or exact where cut again */
    uint32_t shift, n_buckets, n_chunks;
    uint64_t chunk;
    uint32_t n_prefixes;
    uint16_t *table;   /* [n_prefixes]: buckets */
    uint64_t *counts;  /* [chunk][bucket]: how many, then where the next one goes */
    uint64_t *starts;  /* [n_buckets + 1] */
    uint32_t n_wanted; /* buckets that hold what is kept */
    ELEM *scratch;     /* the wanted buckets' elements, from the skew-th on */
    uint64_t scratch_room;
    uint64_t skew; /* so that the cache's lines begin at multiples of LINE */
    int borrowed;  /* scratch is the result's memory */
    ELEM *spare;   /* per worker: a bucket's */
    uint64_t spare_room;
    char *lines; /* per worker: a line of the cache and two places for each bucket */
    KEY *ranges; /* [chunk]: low and high */
};

/* An element's bucket is its prefix's in the table. */
static void prefixes_of(const struct team *t, const ELEM *e, uint64_t n, PREFIX *prefixes)
{
    PREFIXES_OF(words_of(e), STEP, n, (WORD)t->low << KEY_SHIFT, t->shift + KEY_SHIFT,
                t->n_prefixes - 1, prefixes);
}

static uint64_t chunk_size(const struct team *t, uint64_t chunk)
{
    uint64_t first = chunk * t->chunk;
    return t->source.n - first < t->chunk ? t->source.n - first : t->chunk;
}

/* The first-th element's memory, to be asked for; of strided lines what is fetched is too little. */
static const char *ahead(const struct source *s, uint64_t first)
{
    if (s->elements != NULL) return (const char *)(s->elements + first);
    return qn_lines_at(&s->rq->in, s->line, first);
}

/* What is done with the blocks of a chunk. */
#define EACH_BLOCK(t, chunk_number, e, m, first, body)                                             \
    do {                                                                                           \
        ELEM buffer_[QN_SORT_BLOCK];                                                               \
        uint64_t at_ = (chunk_number) * (t)->chunk, left_ = chunk_size((t), (chunk_number));       \
        while (left_ != 0) {                                                                       \
            uint64_t m = left_ < QN_SORT_BLOCK ? left_ : (uint64_t)QN_SORT_BLOCK, first = at_;     \
            const ELEM *e = load(&(t)->source, at_, m, buffer_);                                   \
            (void)first;                                                                           \
            body at_ += m;                                                                         \
            left_ -= m;                                                                            \
        }                                                                                          \
    } while (0)

static void range_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    struct team *t = user;
    WORD low = (WORD)-1, high = 0, range[2];
    (void)worker;
    EACH_BLOCK(t, chunk, e, m, first, {
        (void)RANGE_OF(words_of(e), STEP, m, range);
        low = range[0] < low ? range[0] : low;
        high = range[1] > high ? range[1] : high;
    });
    t->ranges[2 * chunk] = (KEY)(low >> KEY_SHIFT);
    t->ranges[2 * chunk + 1] = (KEY)(high >> KEY_SHIFT);
}

static void store_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    struct team *t = user;
    (void)worker;
    EACH_BLOCK(t, chunk, e, m, first,
               { store(t->source.rq, t->source.line, t->base + first, e, m); });
}

static void count_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    struct team *t = user;
    uint64_t *counts = t->counts + chunk * t->n_buckets;
    const uint16_t *table = t->table;
    (void)worker;
    memset(counts, 0, t->n_buckets * sizeof *counts);
    EACH_BLOCK(t, chunk, e, m, first, {
        PREFIX prefixes[QN_SORT_BLOCK];
        prefixes_of(t, e, m, prefixes);
        const char *soon = ahead(&t->source, first + QN_SORT_BLOCK);
        for (uint64_t i = 0; i < m; i++) {
            if (i % LINE == 0) QN_PREFETCH(soon + i * sizeof(ELEM));
            counts[table[prefixes[i]]]++;
        }
    });
}

static inline void write_line(ELEM *to, const ELEM *from)
{
#if defined(__SSE2__)
    const __m128i *f = (const void *)from;
    __m128i *d = (void *)to;
    for (int i = 0; i < 4; i++) _mm_stream_si128(d + i, _mm_load_si128(f + i));
#else
    memcpy(to, from, 64);
#endif
}

static inline void write_fence(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

/* Elements go to their bucket's line in the cache; a full line goes to memory. The first line of a
 * chunk's part may begin in the middle, the last may end there. */
static void scatter_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    struct team *t = user;
    uint64_t pitch = (uint64_t)BUCKETS * (64 + 2 * sizeof(uint64_t));
    ELEM(*lines)[LINE] = (void *)(t->lines + worker * pitch);
    const uint16_t *table = t->table;
    uint64_t *next = (void *)(t->lines + worker * pitch + (uint64_t)BUCKETS * 64);
    uint64_t *first_of = next + BUCKETS;
    for (uint32_t b = 0; b < t->n_buckets; b++)
        first_of[b] = next[b] = t->counts[chunk * t->n_buckets + b] + t->skew;
    EACH_BLOCK(t, chunk, e, m, first, {
        PREFIX prefixes[QN_SORT_BLOCK];
        prefixes_of(t, e, m, prefixes);
        const char *soon = ahead(&t->source, first + QN_SORT_BLOCK);
        for (uint64_t i = 0; i < m; i++) {
            if (i % LINE == 0) QN_PREFETCH(soon + i * sizeof(ELEM));
            uint32_t b = table[prefixes[i]];
            if (b >= t->n_wanted) continue;
            uint64_t at = next[b]++;
            lines[b][at % LINE] = e[i];
            if (at % LINE != LINE - 1) continue;
            at -= LINE - 1;
            if (at >= first_of[b])
                write_line(t->scratch + at, lines[b]);
            else
                memcpy(t->scratch + first_of[b], lines[b] + first_of[b] % LINE,
                       (LINE - first_of[b] % LINE) * sizeof(ELEM));
        }
    });
    for (uint32_t b = 0; b < t->n_wanted; b++) {
        uint64_t from = next[b] - next[b] % LINE;
        if (from < first_of[b]) from = first_of[b];
        memcpy(t->scratch + from, lines[b] + from % LINE, (next[b] - from) * sizeof(ELEM));
    }
    write_fence();
}

static void sort_bucket(void *user, uint32_t worker, uint64_t bucket)
{
    struct team *t = user;
    uint64_t from = t->starts[bucket], n = t->starts[bucket + 1] - from;
    if (n == 0 || n > LARGE) return;
    ELEM *elements = t->scratch + t->skew + from;
    sort_here(elements, t->spare + worker * SPARE(t->spare_room), (size_t)n);
    store(t->source.rq, t->source.line, t->base + from, elements, n);
}

/* ---- where to cut ---- */

static void take_sample(const struct team *t, KEY *sample, uint64_t runs)
{
    uint64_t step = t->source.n / runs, state = 88172645463325252u;
    ELEM buffer[QN_SORT_BLOCK];
    for (uint64_t r = 0; r < runs; r++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const ELEM *e =
            load(&t->source, r * step + state % (step - SAMPLE_RUN), SAMPLE_RUN, buffer);
        for (uint64_t i = 0; i < SAMPLE_RUN; i++) sample[r * SAMPLE_RUN + i] = KEY_OF(e[i]);
    }
}

/* Whether a bucket of so many prefixes and so much of the sample has enough. Where keys alone are many
 * beside the keys that there can be, it takes more, since they are counted. */
static int is_full(const struct team *t, uint64_t prefixes, uint64_t weight, uint64_t share,
                   double each)
{
    if (PLACES || weight < share) return weight >= share;
    double keys = ldexp((double)prefixes, (int)t->shift), elements = (double)weight * each;
    return elements <= keys || keys >= DENSE || elements >= DENSE;
}

/* Prefixes become buckets of about equal weight; one that is heavy has a bucket of its own. */
static void fill_table(struct team *t, const uint32_t *weights, uint64_t n_sample)
{
    uint64_t wanted = t->source.n / BUCKET, sum = 0, share;
    uint32_t bucket = 0, first = 0;
    double each = (double)t->source.n / (double)n_sample, heavy;
    if (wanted > BUCKETS / 2) wanted = BUCKETS / 2;
    share = n_sample / (wanted < 16 ? 16 : wanted);
    heavy = PLACES || (double)share * each > DENSE ? (double)share : DENSE / each;
    for (uint32_t p = 0; p < t->n_prefixes; p++) {
        int full = is_full(t, p - first, sum, share, each) || (weights[p] >= heavy && p > first);
        if (full && bucket < BUCKETS - 1) {
            bucket++;
            first = p;
            sum = 0;
        }
        t->table[p] = (uint16_t)bucket;
        sum += weights[p];
    }
    t->n_buckets = bucket + 1;
}

/* A sample that deceives costs a pass: the third time, buckets are of equal range. */
static void plan_buckets(struct team *t, KEY *sample, uint32_t *weights)
{
    uint64_t runs = t->source.n / 4096, least = t->source.n / 1024;
    if (least > SAMPLE_RUNS / 4) least = SAMPLE_RUNS / 4;
    runs = runs < least ? least : runs > SAMPLE_RUNS ? (uint64_t)SAMPLE_RUNS : runs;
    take_sample(t, sample, runs);
    if (t->depth == 0) {
        t->low = t->high = sample[0];
        for (uint64_t i = 0; i < runs * SAMPLE_RUN; i++) {
            t->low = sample[i] < t->low ? sample[i] : t->low;
            t->high = sample[i] > t->high ? sample[i] : t->high;
        }
    }
    uint32_t bits = bits_of(t->high - t->low), prefix_bits = bits_of((KEY)(t->n_prefixes - 1));
    t->shift = bits > prefix_bits ? bits - prefix_bits : 0;
    if (t->depth >= 2) {
        uint64_t prefixes = (uint64_t)((KEY)(t->high - t->low) >> t->shift) + 1;
        for (uint64_t p = 0; p < t->n_prefixes; p++)
            t->table[p] = (uint16_t)((p < prefixes ? p : prefixes - 1) * BUCKETS / prefixes);
        t->n_buckets = BUCKETS;
        return;
    }
    memset(weights, 0, t->n_prefixes * sizeof *weights);
    for (uint64_t i = 0; i < runs * SAMPLE_RUN; i++)
        weights[(KEY)(sample[i] - t->low) >> t->shift]++;
    fill_table(t, weights, runs * SAMPLE_RUN);
}

/* Counts become places; the buckets from which something is kept. */
static void place_buckets(struct team *t)
{
    uint64_t sum = 0, keep = kept(t->source.rq), largest = 0;
    t->n_wanted = 0;
    for (uint32_t b = 0; b < t->n_buckets; b++) {
        t->starts[b] = sum;
        if (t->base + sum < keep) t->n_wanted = b + 1;
        for (uint32_t c = 0; c < t->n_chunks; c++) {
            uint64_t *count = &t->counts[(uint64_t)c * t->n_buckets + b], n = *count;
            *count = sum;
            sum += n;
        }
        uint64_t size = sum - t->starts[b];
        if (size <= LARGE && size > largest) largest = size;
    }
    t->starts[t->n_buckets] = sum;
    t->scratch_room = t->starts[t->n_wanted];
    t->spare_room = largest;
}

/* Low and high of all, in a pass. */
static void find_range(struct team *t, struct qn_threads *threads)
{
    qn_threads_run(threads, t->n_chunks, range_chunk, t);
    t->low = (KEY)-1;
    t->high = 0;
    for (uint32_t c = 0; c < t->n_chunks; c++) {
        t->low = t->ranges[2 * c] < t->low ? t->ranges[2 * c] : t->low;
        t->high = t->ranges[2 * c + 1] > t->high ? t->ranges[2 * c + 1] : t->high;
    }
}

/* The result's memory as scratch, where it is packed, as wide as elements, wanted whole and not also
 * what is read: buckets are then sorted where they end. */
static int borrow(struct team *t)
{
    const struct qn_sort_request *rq = t->source.rq;
    const struct qn_lines *in = &rq->in, *to = PLACES ? &rq->order : &rq->values;
    if (t->depth != 0 || to->data == NULL || to->n != in->n || in->lines != 1 ||
        to->stride != (int64_t)sizeof(ELEM) || (uintptr_t)to->data % sizeof(ELEM) != 0)
        return 0;
    uintptr_t first = (uintptr_t)in->data, last = (uintptr_t)qn_lines_at(in, 0, in->n - 1);
    uintptr_t out = (uintptr_t)to->data, low = first < last ? first : last;
    uintptr_t high = (first < last ? last : first) + 8;
    if (out < high && low < out + in->n * sizeof(ELEM)) return 0;
    t->skew = out % 64 / sizeof(ELEM);
    t->scratch = (void *)(out - out % 64);
    t->borrowed = 1;
    return 1;
}

static quern_status sort_team(struct qn_threads *threads, struct source source, uint64_t base,
                              uint32_t depth);

static quern_status sort_buckets(struct team *t, struct qn_threads *threads)
{
    qn_threads_run(threads, t->n_chunks, scatter_chunk, t);
    qn_threads_run(threads, t->n_wanted, sort_bucket, t);
    for (uint32_t b = 0; b < t->n_wanted; b++) {
        uint64_t n = t->starts[b + 1] - t->starts[b];
        struct source part = t->source;
        if (n <= LARGE) continue;
        part.n = n;
        part.elements = t->scratch + t->skew + t->starts[b];
        QN_TRY(sort_team(threads, part, t->base + t->starts[b], t->depth + 1));
    }
    return QUERN_OK;
}

#if !PLACES
#include "backends/cpu/sort_rooms_body.h"
#endif

/* Sorts and stores. Extra memory, where the result's cannot be borrowed: the elements of buckets of
 * which something is kept, once; those of a bucket that is cut again are held once more. */
static quern_status sort_team(struct qn_threads *threads, struct source source, uint64_t base,
                              uint32_t depth)
{
    struct team t = {.source = source, .base = base, .depth = depth};
    uint32_t team = qn_threads_size(threads), *weights = NULL;
    KEY *sample = NULL;
    quern_status status = QUERN_OK;
    t.n_chunks = team * 4;
    t.chunk = (source.n + t.n_chunks - 1) / t.n_chunks;
    t.n_chunks = (uint32_t)((source.n + t.chunk - 1) / t.chunk);
    t.n_prefixes =
        1u << (sizeof(KEY) == 8 && source.n >= WIDE_LEAST ? PREFIX_BITS_WIDE : PREFIX_BITS);
    t.table = qn_alloc(t.n_prefixes, sizeof *t.table);
    t.counts = qn_alloc((size_t)t.n_chunks * BUCKETS, sizeof *t.counts);
    t.starts = qn_alloc(BUCKETS + 1, sizeof *t.starts);
    t.ranges = qn_alloc((size_t)t.n_chunks * 2, sizeof *t.ranges);
    t.lines = qn_alloc_aligned((size_t)team * BUCKETS, 64 + 2 * sizeof(uint64_t));
    sample = qn_alloc((size_t)SAMPLE_RUNS * SAMPLE_RUN, sizeof *sample);
    weights = qn_alloc(t.n_prefixes, sizeof *weights);
    if (t.table == NULL || t.counts == NULL || t.starts == NULL || t.ranges == NULL ||
        t.lines == NULL || sample == NULL || weights == NULL) {
        status = qn_error_memory_while("sorting");
        goto cleanup;
    }
    if (depth != 0) {
        find_range(&t, threads);
        if (t.low == t.high) {
            qn_threads_run(threads, t.n_chunks, store_chunk, &t);
            goto cleanup;
        }
    }
    plan_buckets(&t, sample, weights);
#if !PLACES
    if (suits_rooms(&t, team, weights) && sort_rooms(&t, threads, weights)) goto cleanup;
#endif
    qn_threads_run(threads, t.n_chunks, count_chunk, &t);
    place_buckets(&t);
    if (!borrow(&t)) t.scratch = qn_pages_alloc(t.scratch_room * sizeof(ELEM));
    t.spare = qn_alloc((size_t)team * SPARE(t.spare_room), sizeof(ELEM));
    if (t.scratch == NULL || t.spare == NULL)
        status = qn_error_memory("sorting", t.scratch_room * sizeof(ELEM));
    else
        status = sort_buckets(&t, threads);
cleanup:
    if (!t.borrowed) qn_pages_free(t.scratch, t.scratch_room * sizeof(ELEM));
    qn_free(t.spare);
    qn_free(weights);
    qn_free(sample);
    qn_free(t.lines);
    qn_free(t.ranges);
    qn_free(t.starts);
    qn_free(t.counts);
    qn_free(t.table);
    return status;
}
