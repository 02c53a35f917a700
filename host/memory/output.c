/* SPDX-License-Identifier: Apache-2.0 */
#include "host/memory/output.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/core/os.h"

enum { KEPT = 32, ALIGNED = 64, POISON = 0xA5 };
#define MOST_LIMIT ((uint64_t)1 << 30)

struct block {
    void *memory; /* NULL: none */
    size_t bytes;
};

/* The large blocks that are out: open addressing, at most half full. A block that found no room here is
 * freed like any other. */
struct out {
    struct block *slots;
    size_t room, n; /* room: 0 or a power of two */
};

static struct {
    pthread_mutex_t lock;
    struct out out;
    struct block kept[KEPT]; /* the oldest first */
    size_t n_kept;
    int ready; /* 1: hooks are set; -1: they failed, or the library goes: nothing is kept */
    uint64_t limit;
    struct qn_output_stats stats;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = QN_OUTPUT_DEFAULT};

static _Atomic int poisoned;

/* ---- blocks that are out ---- */

static size_t place(const struct out *o, const void *memory)
{
    uint64_t h = ((uint64_t)(uintptr_t)memory >> 6) * UINT64_C(0x9E3779B97F4A7C15);
    size_t i = (size_t)(h >> 32) & (o->room - 1);
    while (o->slots[i].memory != NULL && o->slots[i].memory != memory) i = (i + 1) & (o->room - 1);
    return i;
}

static int out_grow(struct out *o)
{
    struct out more = {.room = o->room != 0 ? 2 * o->room : 64, .n = o->n};
    more.slots = qn_zalloc(more.room, sizeof *more.slots);
    if (more.slots == NULL) return 0;
    for (size_t i = 0; i < o->room; i++)
        if (o->slots[i].memory != NULL) more.slots[place(&more, o->slots[i].memory)] = o->slots[i];
    qn_free(o->slots);
    *o = more;
    return 1;
}

/* 0: there is no room to remember it. */
static int out_add(struct out *o, struct block b)
{
    if (2 * (o->n + 1) > o->room && !out_grow(o)) return 0;
    o->slots[place(o, b.memory)] = b;
    o->n++;
    return 1;
}

/* Its size; 0: not one of these. What stood behind it in a row of full slots moves up. */
static size_t out_remove(struct out *o, const void *memory)
{
    if (o->n == 0) return 0;
    size_t hole = place(o, memory), bytes = o->slots[hole].bytes;
    if (o->slots[hole].memory == NULL) return 0;
    o->slots[hole] = (struct block){0};
    o->n--;
    for (size_t i = (hole + 1) & (o->room - 1); o->slots[i].memory != NULL;
         i = (i + 1) & (o->room - 1)) {
        struct block b = o->slots[i];
        o->slots[i] = (struct block){0};
        o->slots[place(o, b.memory)] = b;
    }
    return bytes;
}

/* ---- blocks that are kept ---- */

static struct block kept_remove(size_t i)
{
    struct block b = g.kept[i];
    g.n_kept--;
    memmove(&g.kept[i], &g.kept[i + 1], (g.n_kept - i) * sizeof *g.kept);
    g.stats.kept -= b.bytes;
    return b;
}

/* Takes the oldest out until at most `most` bytes are kept in at most `blocks`: to be freed after the lock is
 * given back. */
static size_t kept_drop(uint64_t most, size_t blocks, struct block *gone)
{
    size_t n = 0;
    while (g.n_kept != 0 && (g.stats.kept > most || g.n_kept > blocks)) gone[n++] = kept_remove(0);
    return n;
}

static void free_blocks(const struct block *gone, size_t n)
{
    for (size_t i = 0; i < n; i++) qn_free(gone[i].memory);
}

/* The smallest that holds the bytes, if they are three quarters of it; memory NULL: none. */
static struct block kept_take(size_t bytes)
{
    size_t best = KEPT;
    for (size_t i = 0; i < g.n_kept; i++)
        if (g.kept[i].bytes >= bytes && g.kept[i].bytes - g.kept[i].bytes / 4 <= bytes &&
            (best == KEPT || g.kept[i].bytes < g.kept[best].bytes))
            best = i;
    return best != KEPT ? kept_remove(best) : (struct block){0};
}

/* ---- the process ---- */

static void before_fork(void)
{
    (void)pthread_mutex_lock(&g.lock);
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&g.lock);
}

/* Pages that parent and child share are copied when they are written, which is dearer than new ones. */
static void in_child(void)
{
    struct block gone[KEPT];
    size_t n = kept_drop(0, 0, gone);
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
}

/* At exit, and when the library is unloaded. */
static void at_end(void)
{
    struct block gone[KEPT];
    (void)pthread_mutex_lock(&g.lock);
    size_t n = kept_drop(0, 0, gone);
    struct block *slots = g.out.slots;
    g.out = (struct out){0};
    g.ready = -1;
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
    qn_free(slots);
}

/* With the lock. Whether blocks may be kept at all. */
static int recycling(void)
{
    if (g.limit == QN_OUTPUT_DEFAULT) {
        uint64_t share = qn_memory_total() / 8;
        g.limit = share < MOST_LIMIT ? share : MOST_LIMIT;
    }
    if (g.ready == 0)
        g.ready =
            pthread_atfork(before_fork, after_fork, in_child) == 0 && atexit(at_end) == 0 ? 1 : -1;
    return g.ready > 0 && g.limit != 0;
}

/* ---- handing out and taking back ---- */

static void *finish(void *memory, size_t bytes)
{
    if (memory != NULL && atomic_load_explicit(&poisoned, memory_order_relaxed))
        memset(memory, POISON, bytes);
    return memory;
}

static void count_used(size_t bytes)
{
    g.stats.used += bytes;
    if (g.stats.used > g.stats.used_peak) g.stats.used_peak = g.stats.used;
}

/* With the lock: what has to go before `bytes` more are asked for. The peak counts them already. */
static size_t make_way(size_t bytes, struct block *gone)
{
    uint64_t next = g.stats.used + bytes, peak = g.stats.used_peak;
    return kept_drop(next < peak ? peak - next : 0, KEPT, gone);
}

/* A new block, or what realloc makes of an old one; tried again without what is kept. */
static void *from_heap(void *old, size_t bytes)
{
    void *memory = old != NULL ? qn_realloc(old, bytes, 1) : qn_alloc_aligned(bytes, 1);
    if (memory != NULL || qn_output_trim(0) == 0) return memory;
    return old != NULL ? qn_realloc(old, bytes, 1) : qn_alloc_aligned(bytes, 1);
}

static void note_made(void *memory, size_t bytes)
{
    (void)pthread_mutex_lock(&g.lock);
    int aligned = (uintptr_t)memory % ALIGNED == 0; /* what realloc moved may not be */
    if (aligned && recycling() && out_add(&g.out, (struct block){memory, bytes})) {
        count_used(bytes);
        g.stats.made += bytes;
        g.stats.makes++;
    }
    (void)pthread_mutex_unlock(&g.lock);
}

static void *large(size_t bytes)
{
    struct block gone[KEPT];
    size_t n = 0;
    (void)pthread_mutex_lock(&g.lock);
    struct block again = kept_take(bytes);
    if (again.memory == NULL) {
        n = make_way(bytes, gone);
    } else if (out_add(&g.out, again)) {
        count_used(again.bytes);
        g.stats.reused += again.bytes;
        g.stats.reuses++;
    }
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
    if (again.memory != NULL) return again.memory;
    void *memory = from_heap(NULL, bytes);
    if (memory == NULL) return NULL;
    qn_pages_advise(memory, bytes);
    note_made(memory, bytes);
    return memory;
}

void *qn_output_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes)) return NULL;
    return finish(bytes < QN_OUTPUT_LARGE ? qn_alloc_aligned(bytes, 1) : large(bytes), bytes);
}

void *qn_output_realloc(void *old, size_t count, size_t size)
{
    struct block gone[KEPT];
    size_t bytes, n = 0;
    if (old == NULL) return qn_output_alloc(count, size);
    if (qn_mul_size(count, size, &bytes)) return NULL;
    (void)pthread_mutex_lock(&g.lock);
    size_t before = out_remove(&g.out, old);
    g.stats.used -= before;
    if (bytes > before) n = make_way(bytes, gone);
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
    void *memory = from_heap(old, bytes);
    if (memory != NULL && bytes > before) qn_pages_advise(memory, bytes);
    size_t now = memory != NULL ? bytes : before;
    if (now >= QN_OUTPUT_LARGE) note_made(memory != NULL ? memory : old, now);
    return memory;
}

void qn_output_free(void *memory)
{
    struct block b = {memory, 0}, gone[KEPT];
    size_t n;
    if (memory == NULL) return;
    (void)pthread_mutex_lock(&g.lock);
    b.bytes = out_remove(&g.out, memory);
    g.stats.used -= b.bytes;
    int keep = b.bytes != 0 && b.bytes <= g.limit;
    (void)pthread_mutex_unlock(&g.lock);
    if (!keep) {
        qn_free(memory);
        return;
    }
    qn_pages_spare(memory, b.bytes); /* not later: then it may be somebody's */
    (void)pthread_mutex_lock(&g.lock);
    if (b.bytes <= g.limit && recycling()) {
        n = kept_drop(g.limit - b.bytes, KEPT - 1, gone);
        g.kept[g.n_kept++] = b;
        g.stats.kept += b.bytes;
    } else {
        gone[0] = b;
        n = 1;
    }
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
}

/* ---- settings ---- */

uint64_t qn_output_limit(uint64_t bytes)
{
    struct block gone[KEPT];
    (void)pthread_mutex_lock(&g.lock);
    (void)recycling(); /* the default becomes a number */
    uint64_t before = g.limit;
    g.limit = bytes;
    (void)recycling();
    size_t n = kept_drop(g.limit, KEPT, gone);
    (void)pthread_mutex_unlock(&g.lock);
    free_blocks(gone, n);
    return before;
}

uint64_t qn_output_trim(uint64_t keep)
{
    struct block gone[KEPT];
    uint64_t bytes = 0;
    (void)pthread_mutex_lock(&g.lock);
    size_t n = kept_drop(keep, KEPT, gone);
    (void)pthread_mutex_unlock(&g.lock);
    for (size_t i = 0; i < n; i++) bytes += gone[i].bytes;
    free_blocks(gone, n);
    return bytes;
}

void qn_output_stats(struct qn_output_stats *out)
{
    (void)pthread_mutex_lock(&g.lock);
    (void)recycling();
    g.stats.limit = g.limit;
    g.stats.kept_blocks = g.n_kept;
    *out = g.stats;
    (void)pthread_mutex_unlock(&g.lock);
}

void qn_output_poison(int on)
{
    atomic_store(&poisoned, on);
}
