/* SPDX-License-Identifier: Apache-2.0
 * All threads at one line of keys that carry no places: equal ones cannot be told apart, so their order
 * is free, and nothing has to be counted before keys are scattered. Part of sort_body.h.
 *
 * Every bucket has a room in the result's memory, as large as the sample says, in blocks that workers
 * take as they need them; a bucket that outgrows its room goes on in blocks at the side. Then sizes are
 * known, and buckets are collected, sorted in a worker's own memory and stored. Where a bucket is stored
 * is not quite where its room is, so blocks that are in the way move to the side first. The line that is
 * read is left alone: where the side is not large enough, or a bucket is too large for a worker's memory,
 * nothing was done, and counting serves. */

enum {
    BLOCK = 2048,          /* elements of a block */
    ROOMS_LEAST = 1 << 18, /* elements from which rooms serve */
    NO_BLOCK = 0,
    MANY = 64,      /* times that each key occurs, from which bytes do not do for counts */
    HELD = 2 * LINE /* elements that a pen has of a bucket */
};

/* Blocks are numbered from 1: those of rooms, those at the side, and one for each worker to waste. */
struct rooms {
    struct team *t;
    uint64_t *room;          /* [n_buckets + 1]: its first block */
    uint32_t *prefix;        /* [n_buckets + 1]: its first prefix */
    uint64_t n_room, n_side; /* blocks */
    ELEM *base, *side;       /* of the rooms' first block, and of the side's */
    uint16_t *filled;        /* [block]: elements in it */
    uint32_t *next; /* [block]: the bucket's next block at the side, or the next free one */
    _Atomic uint64_t *taken; /* [bucket]: blocks asked for */
    _Atomic uint32_t *list;  /* [bucket]: its first block at the side */
    _Atomic uint64_t side_taken;
    atomic_int failed;
    uint64_t *range; /* [n_ranges + 1]: first bucket */
    uint32_t n_ranges;
    size_t work_bytes;
    char *pens; /* per worker: struct pen */
    ELEM *work; /* per worker: spare_room, and what sorting as many wants */
};

/* What a worker has of every bucket: a line of the cache, and where it goes. */
struct pen {
    ELEM held[BUCKETS][HELD];
    ELEM *at[BUCKETS];
    uint32_t block[BUCKETS];
    uint16_t left[BUCKETS]; /* of the block */
    int started;
};

enum { PEN_PITCH = (sizeof(struct pen) + 63) / 64 * 64 };

static ELEM *block_at(const struct rooms *r, uint64_t block)
{
    return block <= r->n_room ? r->base + (block - 1) * BLOCK
                              : r->side + (block - 1 - r->n_room) * BLOCK;
}

/* A block at the side, for any worker; NO_BLOCK, and failed, where none is left. */
static uint32_t take_at_side(struct rooms *r)
{
    uint64_t k = atomic_fetch_add_explicit(&r->side_taken, 1, memory_order_relaxed);
    if (k < r->n_side) return (uint32_t)(r->n_room + 1 + k);
    atomic_store_explicit(&r->failed, 1, memory_order_relaxed);
    return NO_BLOCK;
}

static void link_block(struct rooms *r, uint32_t bucket, uint32_t block)
{
    r->next[block] = atomic_exchange_explicit(&r->list[bucket], block, memory_order_relaxed);
}

static void next_block(struct rooms *r, struct pen *pen, uint32_t worker, uint32_t bucket)
{
    uint64_t k = atomic_fetch_add_explicit(&r->taken[bucket], 1, memory_order_relaxed);
    uint32_t block;
    if (k < r->room[bucket + 1] - r->room[bucket]) {
        block = (uint32_t)(r->room[bucket] + k);
    } else {
        block = take_at_side(r);
        if (block == NO_BLOCK)
            block = (uint32_t)(r->n_room + r->n_side + 1 + worker);
        else
            link_block(r, bucket, block);
    }
    r->filled[block] = BLOCK;
    pen->block[bucket] = block;
    pen->at[bucket] = block_at(r, block);
    pen->left[bucket] = BLOCK / HELD;
}

static struct pen *pen_of(const struct rooms *r, uint32_t worker)
{
    return (void *)(r->pens + worker * (uint64_t)PEN_PITCH);
}

/* What the pen holds of a bucket goes to memory when the next element comes, not when it is full: its last
 * element would still be on its way to the cache. */
static void flush(struct rooms *r, struct pen *pen, uint32_t worker, uint32_t b)
{
    uint32_t left = pen->left[b]--;
    if (left == BLOCK / HELD) return;
    for (uint64_t k = 0; k < HELD; k += LINE) write_line(pen->at[b] - HELD + k, pen->held[b] + k);
    if (left != 0) return;
    next_block(r, pen, worker, b);
    pen->left[b]--;
}

static inline void fill(struct rooms *r, struct pen *pen, uint32_t worker, const ELEM *e,
                        const PREFIX *prefixes, uint64_t m)
{
    const uint16_t *table = r->t->table;
    for (uint64_t i = 0; i < m; i++) {
        uint32_t b = table[prefixes[i]];
        uint64_t place = (uintptr_t)pen->at[b] % (HELD * sizeof(ELEM));
        if (place == 0) flush(r, pen, worker, b);
        memcpy((char *)pen->held[b] + place, e + i, sizeof(ELEM));
        pen->at[b]++;
    }
}

static void fill_chunk(void *user, uint32_t worker, uint64_t chunk)
{
    struct rooms *r = user;
    const struct team *t = r->t;
    struct pen *pen = pen_of(r, worker);
    if (!pen->started)
        for (uint32_t b = 0; b < t->n_buckets; b++) next_block(r, pen, worker, b);
    pen->started = 1;
    EACH_BLOCK(t, chunk, e, m, first, {
        PREFIX prefixes[QN_SORT_BLOCK];
        const char *soon = ahead(&t->source, first + QN_SORT_BLOCK);
        prefixes_of(t, e, m, prefixes);
        for (uint64_t i = 0; i < m; i += LINE) {
            QN_PREFETCH(soon + i * sizeof(ELEM));
            fill(r, pen, worker, e + i, prefixes + i, m - i < LINE ? m - i : (uint64_t)LINE);
        }
        if (atomic_load_explicit(&r->failed, memory_order_relaxed)) break;
    });
    write_fence();
}

/* What is left in a worker's pen goes to memory; its last blocks are not full. */
static void empty_pen(void *user, uint32_t worker, uint64_t task)
{
    struct rooms *r = user;
    struct pen *pen = pen_of(r, (uint32_t)task);
    (void)worker;
    if (!pen->started) return;
    for (uint32_t b = 0; b < r->t->n_buckets; b++) {
        uint64_t n = (uint64_t)(pen->at[b] - block_at(r, pen->block[b]));
        uint64_t held = n == 0 ? 0 : (n - 1) % HELD + 1;
        memcpy(pen->at[b] - held, pen->held[b], held * sizeof(ELEM));
        r->filled[pen->block[b]] = (uint16_t)n;
    }
}

/* ---- after scattering ---- */

/* The outer buckets also have what the sample missed, so that their keys have no bounds. */
static int is_inner(const struct team *t, uint32_t bucket)
{
    return bucket != 0 && bucket + 1 != t->n_buckets;
}

/* Whether n elements of so many prefixes can be counted in words, which holds nothing of them. */
static int is_countable(const struct team *t, uint32_t bucket, uint64_t prefixes, uint64_t n)
{
    return is_inner(t, bucket) && prefixes <= n / 4 >> t->shift;
}

/* Where every bucket begins in the sorted line, and what its worker has to hold. 0: one is too large. */
static int size_buckets(struct rooms *r)
{
    struct team *t = r->t;
    uint64_t sum = 0;
    t->spare_room = 0;
    for (uint32_t b = 0; b < t->n_buckets; b++) {
        t->starts[b] = sum;
        for (uint64_t k = r->room[b]; k < r->room[b + 1]; k++) sum += r->filled[k];
        for (uint32_t k = r->list[b]; k != NO_BLOCK; k = r->next[k]) sum += r->filled[k];
        uint64_t size = sum - t->starts[b], prefixes = r->prefix[b + 1] - r->prefix[b];
        if (size > LARGE / 2 && is_countable(t, b, prefixes, size)) size = prefixes << t->shift;
        if (size > t->spare_room) t->spare_room = size;
    }
    t->starts[t->n_buckets] = sum;
    return t->spare_room <= LARGE;
}

static void cut_ranges(struct rooms *r, uint32_t n_ranges)
{
    const struct team *t = r->t;
    uint32_t k = 0;
    for (uint32_t b = 0; b < t->n_buckets; b++)
        while (k < n_ranges && t->starts[b] >= t->source.n * k / n_ranges) r->range[k++] = b;
    while (k < n_ranges) r->range[k++] = t->n_buckets;
    r->range[n_ranges] = t->n_buckets;
    r->n_ranges = n_ranges;
}

/* Moves a room's block to a free one at the side. */
static void move_block(struct rooms *r, uint32_t bucket, uint64_t block, uint32_t *free_blocks)
{
    uint32_t to = *free_blocks;
    if (r->filled[block] == 0) return;
    if (to != NO_BLOCK)
        *free_blocks = r->next[to];
    else if ((to = take_at_side(r)) == NO_BLOCK)
        return;
    memcpy(block_at(r, to), block_at(r, block), r->filled[block] * sizeof(ELEM));
    r->filled[to] = r->filled[block];
    r->filled[block] = 0;
    link_block(r, bucket, to);
}

/* The number of rooms' blocks that begin before the at-th element of the result. */
static uint64_t blocks_before(const struct rooms *r, uint64_t at)
{
    uint64_t lead = (uint64_t)(r->base - (r->t->scratch + r->t->skew)), blocks;
    if (at <= lead) return 0;
    blocks = (at - lead + BLOCK - 1) / BLOCK;
    return blocks < r->n_room ? blocks : r->n_room;
}

/* Moves what ranges would write over of others, on both sides of where they meet. */
static void part_ranges(struct rooms *r)
{
    uint32_t none = NO_BLOCK;
    for (uint32_t k = 1; k < r->n_ranges; k++) {
        uint64_t bucket = r->range[k], met = r->room[bucket];
        uint64_t end =
            blocks_before(r, r->t->starts[bucket]); /* the last block that begins before */
        for (uint64_t block = met; block <= end; block++) {
            while (r->room[bucket + 1] <= block) bucket++;
            move_block(r, (uint32_t)bucket, block, &none);
        }
        bucket = r->range[k];
        for (uint64_t block = met; block-- > (end > 1 ? end : 1);) {
            while (r->room[bucket] > block) bucket--;
            move_block(r, (uint32_t)bucket, block, &none);
        }
    }
}

/* What is done with the elements of a bucket's blocks. */
#define EACH_PART(r, bucket, e, m, body)                                                           \
    do {                                                                                           \
        for (uint64_t k_ = (r)->room[bucket]; k_ < (r)->room[(bucket) + 1]; k_++) {                \
            const ELEM *e = block_at(r, k_);                                                       \
            uint64_t m = (r)->filled[k_];                                                          \
            body                                                                                   \
        }                                                                                          \
        for (uint32_t k_ = (r)->list[bucket]; k_ != NO_BLOCK; k_ = (r)->next[k_]) {                \
            const ELEM *e = block_at(r, k_);                                                       \
            uint64_t m = (r)->filled[k_];                                                          \
            body                                                                                   \
        }                                                                                          \
    } while (0)

static void collect(const struct rooms *r, uint32_t bucket, ELEM *to)
{
    EACH_PART(r, bucket, e, m, {
        memcpy(to, e, m * sizeof(ELEM));
        to += m;
    });
}

/* How a bucket's keys are counted. */
struct tally {
    enum { NOT_COUNTED, IN_BYTES, IN_WORDS } how;
    KEY low;
    uint64_t n, span;
    void *counts;
};

/* Not, where keys are not dense, or one occurs too often for a byte though most do not. */
static void take_tally(const struct rooms *r, uint32_t bucket, struct tally *y)
{
    const struct team *t = r->t;
    uint64_t first = r->prefix[bucket], end = r->prefix[bucket + 1];
    int wrapped = 0;
    y->how = NOT_COUNTED;
    if (!is_inner(t, bucket) || end - first > qn_sort_spread_keys() * y->n >> t->shift) return;
    y->low = t->low + ((KEY)first << t->shift);
    y->span = (end - first) << t->shift;
    if (y->n / MANY >= y->span ||
        (y->n > LARGE / 2 && is_countable(t, bucket, end - first, y->n))) {
        memset(y->counts, 0, y->span * QN_SORT_TALLIES * sizeof(uint32_t));
        EACH_PART(r, bucket, e, m, { TALLY_MANY(e, m, y->low, y->span, y->counts); });
        y->how = IN_WORDS;
        return;
    }
    memset(y->counts, 0, y->span);
    EACH_PART(r, bucket, e, m, { wrapped |= TALLY(e, m, y->low, y->counts); });
    if (!wrapped) y->how = IN_BYTES;
}

static void store_bytes(const struct rooms *r, uint64_t at, const struct tally *y)
{
    const struct team *t = r->t;
    ELEM keys[QN_SORT_SPREAD];
    uint64_t k = 0;
    while (k < y->span) {
        uint64_t m = SPREAD(y->counts, &k, y->span, y->n, y->low, keys);
        store_block(t->source.rq, t->source.line, at, keys, m);
        at += m;
    }
}

static void store_words(const struct rooms *r, uint64_t at, const struct tally *y)
{
    const struct team *t = r->t;
    const uint32_t *counts = y->counts;
    ELEM keys[QN_SORT_BLOCK];
    for (uint64_t k = 0; k < y->span; k++) {
        uint64_t left = 0;
        for (uint64_t i = 0; i < QN_SORT_TALLIES; i++) left += counts[i * y->span + k];
        for (uint64_t i = 0; i < left && i < QN_SORT_BLOCK; i++) keys[i] = y->low + (KEY)k;
        for (uint64_t m; left != 0; left -= m, at += m) {
            m = left < QN_SORT_BLOCK ? left : (uint64_t)QN_SORT_BLOCK;
            store_block(t->source.rq, t->source.line, at, keys, m);
        }
    }
}

/* A bucket's blocks at the side are free. */
static void release(struct rooms *r, uint32_t bucket, uint32_t *free_blocks)
{
    for (uint32_t k = r->list[bucket], next; k != NO_BLOCK; k = next) {
        next = r->next[k];
        r->next[k] = *free_blocks;
        *free_blocks = k;
    }
}

/* Moves blocks of the range's rooms that the sorted bucket would write over. */
static void clear_way(struct rooms *r, uint32_t bucket, uint32_t end, uint64_t *clear,
                      uint32_t *free_blocks)
{
    uint64_t last = blocks_before(r, r->t->starts[bucket + 1]);
    uint32_t owner = bucket + 1;
    if (*clear < r->room[bucket + 1]) *clear = r->room[bucket + 1];
    for (; *clear <= last && *clear < r->room[end]; ++*clear) {
        while (r->room[owner + 1] <= *clear) owner++;
        move_block(r, owner, *clear, free_blocks);
    }
}

static void sort_range(void *user, uint32_t worker, uint64_t task)
{
    struct rooms *r = user;
    const struct team *t = r->t;
    uint32_t free_blocks = NO_BLOCK, first = (uint32_t)r->range[task];
    uint32_t end = (uint32_t)r->range[task + 1];
    ELEM *work = r->work + worker * (SPARE(t->spare_room) + t->spare_room);
    uint64_t clear = r->room[first]; /* the range's blocks before it have been read, or moved */
    for (uint32_t b = first; b < end; b++) {
        uint64_t n = t->starts[b + 1] - t->starts[b];
        struct tally tally = {.n = n, .counts = work};
        take_tally(r, b, &tally);
        if (tally.how == NOT_COUNTED) collect(r, b, work);
        release(r, b, &free_blocks);
        if (t->borrowed) clear_way(r, b, end, &clear, &free_blocks);
        if (atomic_load_explicit(&r->failed, memory_order_relaxed)) return;
        if (tally.how == IN_BYTES) {
            store_bytes(r, t->starts[b], &tally);
        } else if (tally.how == IN_WORDS) {
            store_words(r, t->starts[b], &tally);
        } else if (n != 0) {
            sort_here(work, work + t->spare_room, (size_t)n);
            store(t->source.rq, t->source.line, t->starts[b], work, n);
        }
    }
}

/* ---- all of it ---- */

/* A room for every bucket by its part of the sample. */
static void plan_rooms(struct rooms *r, const uint32_t *weights)
{
    const struct team *t = r->t;
    uint64_t sum = 0, total = 0;
    uint32_t p = 0;
    for (uint32_t i = 0; i < t->n_prefixes; i++) total += weights[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
        r->room[b] = 1 + r->n_room * sum / total;
        r->prefix[b] = p;
        for (; p < t->n_prefixes && t->table[p] == b; p++) sum += weights[p];
    }
    r->room[t->n_buckets] = 1 + r->n_room;
    r->prefix[t->n_buckets] = t->n_prefixes;
}

/* 0: there is not the memory; counting takes less. */
static int make_rooms(struct rooms *r, uint32_t team, const uint32_t *weights)
{
    struct team *t = r->t;
    uint64_t n = t->source.n, lead;
    if (!borrow(t)) {
        t->scratch_room = n;
        t->scratch = qn_pages_alloc(n * sizeof(ELEM));
        if (t->scratch == NULL) return 0;
    }
    lead = (HELD - (uintptr_t)(t->scratch + t->skew) / sizeof(ELEM) % HELD) % HELD;
    r->n_room = (n - lead) / BLOCK;
    r->n_side = n / 4 / BLOCK + (uint64_t)team * t->n_buckets;
    uint64_t blocks = r->n_room + r->n_side + team + 1;
    r->room = qn_alloc(t->n_buckets + 1u, sizeof *r->room);
    r->prefix = qn_alloc(t->n_buckets + 1u, sizeof *r->prefix);
    r->taken = qn_zalloc(t->n_buckets, sizeof *r->taken);
    r->list = qn_zalloc(t->n_buckets, sizeof *r->list);
    r->filled = qn_zalloc(blocks, sizeof *r->filled);
    r->next = qn_alloc(blocks, sizeof *r->next);
    r->range = qn_alloc(team * 4u + 1, sizeof *r->range);
    r->pens = qn_alloc_aligned(team, PEN_PITCH);
    r->side = qn_pages_alloc((r->n_side + team) * BLOCK * sizeof(ELEM));
    if (r->room == NULL || r->prefix == NULL || r->taken == NULL || r->list == NULL ||
        r->filled == NULL || r->next == NULL || r->range == NULL || r->pens == NULL ||
        r->side == NULL)
        return 0;
    r->base = t->scratch + t->skew + lead;
    for (uint32_t w = 0; w < team; w++) pen_of(r, w)->started = 0;
    plan_rooms(r, weights);
    return 1;
}

static void free_rooms(struct rooms *r, uint32_t team)
{
    qn_pages_free(r->side, (r->n_side + team) * BLOCK * sizeof(ELEM));
    qn_pages_free(r->work, r->work_bytes);
    qn_free(r->pens);
    qn_free(r->range);
    qn_free(r->next);
    qn_free(r->filled);
    qn_free((void *)r->list);
    qn_free((void *)r->taken);
    qn_free(r->prefix);
    qn_free(r->room);
}

/* Whether rooms serve: everything is kept, no bucket is heavy but those of few keys, and the blocks that
 * workers begin are few beside those that they fill. */
static int suits_rooms(const struct team *t, uint32_t team, const uint32_t *weights)
{
    uint64_t n = t->source.n, total = 0;
    if (t->depth != 0 || n < ROOMS_LEAST || kept(t->source.rq) != n) return 0;
    if (n / BLOCK / t->n_buckets < 2 * team || n > UINT32_MAX) return 0; /* counts have 32 bits */
    for (uint32_t p = 0; p < t->n_prefixes; p++) total += weights[p];
    for (uint32_t p = 0, b = 0; b < t->n_buckets; b++) {
        uint64_t first = p, sum = 0;
        for (; p < t->n_prefixes && t->table[p] == b; p++) sum += weights[p];
        double size = (double)n * (double)sum / (double)total;
        if (size >= 0.5 * LARGE && !is_countable(t, b, p - first, (uint64_t)(size * 0.75)))
            return 0;
    }
    return 1;
}

/* 0: counting has to serve, and nothing was stored. */
static int sort_rooms(struct team *t, struct qn_threads *threads, const uint32_t *weights)
{
    struct rooms r = {.t = t};
    uint32_t team = qn_threads_size(threads);
    int served = 0;
    if (!make_rooms(&r, team, weights)) goto cleanup;
    qn_threads_run(threads, t->n_chunks, fill_chunk, &r);
    qn_threads_run(threads, team, empty_pen, &r);
    if (atomic_load(&r.failed) || !size_buckets(&r)) goto cleanup;
    r.work_bytes = (SPARE(t->spare_room) + t->spare_room) * team * sizeof(ELEM);
    r.work = qn_pages_alloc(r.work_bytes);
    if (r.work == NULL) goto cleanup;
    cut_ranges(&r, team * 4);
    if (t->borrowed) part_ranges(&r);
    if (!atomic_load(&r.failed)) qn_threads_run(threads, r.n_ranges, sort_range, &r);
    served = !atomic_load(&r.failed);
cleanup:
    if (!t->borrowed) qn_pages_free(t->scratch, t->scratch_room * sizeof(ELEM));
    t->scratch = NULL;
    t->borrowed = 0;
    free_rooms(&r, team);
    return served;
}
