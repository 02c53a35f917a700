/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool joins three things that know nothing of each other: raw blocks from the driver (slabs),
 * bookkeeping of offsets in them (range.c), and who used what until when (stamps.c).
 *
 * Small requests share ordinary slabs; a request above half a slab has one of its own, rounded so
 * that the next chunk of nearly the same size fits it again. A small request goes into such a slab
 * only under pressure: it would pin it. */
#include "host/memory/pool.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "host/memory/range.h"
#include "host/memory/stamps.h"

#define DEFAULT_SLAB ((uint64_t)64 << 20)
#define OWN_ROUND ((uint64_t)2 << 20) /* own slabs of at least this are multiples of it */
#define TOUCH_BYTES ((uint64_t)4096)
#define POISON 0xA5A5A5A5u

struct note { /* about one block that is out */
    uint64_t asked;
    uint32_t generation; /* 0: not out */
};

struct slab {
    struct qn_raw *raw; /* NULL: the place is empty */
    uint64_t bytes;
    struct qn_range *range;
    struct note *notes; /* by block number */
    uint32_t n_notes;
    int own; /* made for one large request */
};

struct qn_pool {
    pthread_mutex_t lock;
    const struct qn_driver *driver;
    struct qn_dev *dev;
    struct qn_pool_config config;
    struct qn_stamps stamps;
    uint64_t align, slab_bytes, max_alloc;
    int lazy;
    struct slab *slabs;
    uint32_t n_slabs;
    uint32_t generation;
    uint64_t takes; /* counted for fail_at */
    uint64_t out;   /* blocks */
    struct qn_pool_stats stats;
    char refusal[192]; /* the driver's words when it last refused a slab */
};

/* One request on its way. */
struct wish {
    uint32_t queue;
    uint64_t size;
    uint32_t units;
    int large;
};

static void gauge_add(struct qn_gauge *g, uint64_t bytes)
{
    g->now += bytes;
    g->total += bytes;
    if (g->now > g->peak) g->peak = g->now;
}

static uint64_t round_up(uint64_t value, uint64_t step)
{
    uint64_t rest = value % step, sum;
    if (rest == 0) return value;
    return qn_add_u64(value, step - rest, &sum) ? UINT64_MAX / step * step : sum;
}

quern_status qn_pool_open(const struct qn_driver *driver, struct qn_dev *dev,
                          const struct qn_caps *caps, const struct qn_pool_config *config,
                          struct qn_pool **out)
{
    *out = NULL;
    struct qn_pool *pool = qn_zalloc(1, sizeof *pool);
    if (pool == NULL) return qn_error_memory("device pool", sizeof *pool);
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        qn_free(pool);
        return qn_error(QUERN_INTERNAL, "device pool: no mutex");
    }
    pool->driver = driver;
    pool->dev = dev;
    if (config != NULL) pool->config = *config;
    pool->align = 256;
    while (pool->align < caps->base_align) pool->align *= 2;
    pool->max_alloc = caps->max_alloc != 0 ? caps->max_alloc : UINT64_MAX;
    if (pool->max_alloc / pool->align >= UINT32_MAX)
        pool->max_alloc = pool->align * (UINT32_MAX - 1);
    pool->max_alloc -= pool->max_alloc % pool->align;
    pool->slab_bytes = pool->config.slab != 0 ? pool->config.slab : DEFAULT_SLAB;
    pool->slab_bytes = round_up(pool->slab_bytes, pool->align);
    if (pool->slab_bytes > pool->max_alloc) pool->slab_bytes = pool->max_alloc;
    pool->lazy = (caps->features & QN_FEATURE_LAZY_ALLOC) != 0;
    pool->stats.limit = pool->config.limit;
    qn_stamps_open(&pool->stamps, driver, dev, caps);
    *out = pool;
    return QUERN_OK;
}

quern_status qn_pool_queue(struct qn_pool *pool, struct qn_queue *queue, uint32_t *number)
{
    pthread_mutex_lock(&pool->lock);
    quern_status status = qn_stamps_queue(&pool->stamps, queue, number);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

void qn_pool_submitted(struct qn_pool *pool, uint32_t queue)
{
    pthread_mutex_lock(&pool->lock);
    if (queue < pool->stamps.n_queues) qn_stamps_submitted(&pool->stamps, queue);
    pthread_mutex_unlock(&pool->lock);
}

void qn_pool_finished(struct qn_pool *pool, uint32_t queue)
{
    pthread_mutex_lock(&pool->lock);
    if (queue < pool->stamps.n_queues) qn_stamps_finished(&pool->stamps, queue);
    pthread_mutex_unlock(&pool->lock);
}

quern_status qn_pool_order(struct qn_pool *pool, uint32_t queue, uint32_t other)
{
    quern_status status = QUERN_OK;
    pthread_mutex_lock(&pool->lock);
    if (queue >= pool->stamps.n_queues || other >= pool->stamps.n_queues)
        status =
            qn_error(QUERN_INVALID, "device pool: queue %" PRIu32 " or %" PRIu32 " is not known",
                     queue, other);
    else
        status = qn_stamps_wait(&pool->stamps, queue, qn_stamps_now(&pool->stamps, other));
    pthread_mutex_unlock(&pool->lock);
    return status;
}

/* ---- slabs ---- */

static void slab_free(struct qn_pool *pool, struct slab *slab)
{
    pool->driver->raw_free(pool->dev, slab->raw);
    qn_range_close(slab->range);
    qn_free(slab->notes);
    pool->stats.held.now -= slab->bytes;
    pool->stats.slabs--;
    *slab = (struct slab){0};
}

/* Hands idle slabs back, the last first, while more than `keep` bytes lie unused. `settle`: those
 * whose last work is still running too, after waiting for it. */
static uint64_t hand_back(struct qn_pool *pool, uint64_t keep, int settle)
{
    uint64_t freed = 0;
    for (uint32_t i = pool->n_slabs; i-- > 0;) {
        struct slab *slab = &pool->slabs[i];
        struct qn_stamp stamp;
        if (slab->raw == NULL || !qn_range_idle(slab->range, &stamp)) continue;
        uint64_t unused = pool->stats.held.now - pool->stats.used.now;
        if (unused < keep || unused - keep < slab->bytes) continue;
        if (!qn_stamps_ready(&pool->stamps, QN_STAMP_MANY, stamp) &&
            (!settle || qn_stamps_settle(&pool->stamps) != QUERN_OK))
            continue;
        freed += slab->bytes;
        slab_free(pool, slab);
    }
    if (freed != 0) pool->stats.trims++;
    return freed;
}

/* An allocation that the driver only promised is used at both ends, so that a refusal comes now and
 * not at some launch. */
static quern_status touch(struct qn_pool *pool, uint32_t queue, struct qn_raw *raw, uint64_t bytes)
{
    struct qn_queue *q = pool->stamps.queues[queue].queue;
    uint64_t piece = bytes < TOUCH_BYTES ? bytes : TOUCH_BYTES;
    QN_TRY(pool->driver->fill(q, (struct qn_view){raw, 0, piece}, 0));
    QN_TRY(pool->driver->fill(q, (struct qn_view){raw, bytes - piece, piece}, 0));
    QN_TRY(pool->driver->finish(q));
    qn_stamps_finished(&pool->stamps, queue);
    return QUERN_OK;
}

/* A block whose touching failed half way: what was queued on it ends first. The failure that is on
 * its way to the caller stays. */
static void drop_raw(struct qn_pool *pool, uint32_t queue, struct qn_raw *raw)
{
    struct qn_failure failure;
    qn_error_take(&failure, QUERN_INTERNAL);
    (void)pool->driver->finish(pool->stamps.queues[queue].queue);
    pool->driver->raw_free(pool->dev, raw);
    (void)qn_error_put(&failure);
}

static quern_status slab_place(struct qn_pool *pool, uint32_t *out)
{
    for (uint32_t i = 0; i < pool->n_slabs; i++) {
        if (pool->slabs[i].raw == NULL) {
            *out = i;
            return QUERN_OK;
        }
    }
    uint32_t n = pool->n_slabs + 8;
    struct slab *slabs = qn_realloc(pool->slabs, n, sizeof *slabs);
    if (slabs == NULL) return qn_error_memory("device pool", n * sizeof *slabs);
    memset(slabs + pool->n_slabs, 0, (n - pool->n_slabs) * sizeof *slabs);
    *out = pool->n_slabs;
    pool->slabs = slabs;
    pool->n_slabs = n;
    return QUERN_OK;
}

/* One slab of exactly `bytes`. QUERN_OUT_OF_MEMORY may be tried again with less. */
static quern_status slab_make(struct qn_pool *pool, const struct wish *wish, uint64_t bytes,
                              uint32_t *out)
{
    quern_status status = QUERN_OK;
    struct qn_raw *raw = NULL;
    struct qn_range *range = NULL;
    QN_GO(slab_place(pool, out));
    QN_GO(qn_range_open((uint32_t)(bytes / pool->align), &range));
    QN_GO(pool->driver->raw_alloc(pool->dev, bytes, &raw));
    if (pool->lazy) QN_GO(touch(pool, wish->queue, raw, bytes));
    pool->slabs[*out] =
        (struct slab){.raw = raw, .bytes = bytes, .range = range, .own = wish->large};
    pool->stats.slabs++;
    pool->stats.grows++;
    gauge_add(&pool->stats.held, bytes);
    return QUERN_OK;
cleanup:
    qn_range_close(range);
    if (raw != NULL) drop_raw(pool, wish->queue, raw);
    return status;
}

/* A new slab for the wish: the usual size, or what the limit leaves, or what the driver gives, but
 * never less than asked for. *slab UINT32_MAX: it cannot grow. */
static quern_status grow(struct qn_pool *pool, const struct wish *wish, uint32_t *slab)
{
    uint64_t least = (uint64_t)wish->units * pool->align, bytes = pool->slab_bytes;
    *slab = UINT32_MAX;
    if (wish->large) bytes = least >= OWN_ROUND ? round_up(least, OWN_ROUND) : least;
    if (bytes > pool->max_alloc) bytes = pool->max_alloc;
    if (pool->config.limit != 0) {
        uint64_t held = pool->stats.held.now;
        uint64_t left = pool->config.limit > held ? pool->config.limit - held : 0;
        left -= left % pool->align;
        if (bytes > left) bytes = left;
    }
    while (bytes >= least) {
        quern_status status = slab_make(pool, wish, bytes, slab);
        if (status == QUERN_OK) return QUERN_OK;
        *slab = UINT32_MAX;
        if (status != QUERN_OUT_OF_MEMORY) return status;
        (void)snprintf(pool->refusal, sizeof pool->refusal, "%s", qn_error_text());
        if (bytes == least) break;
        bytes = bytes / 2 > least ? round_up(bytes / 2, pool->align) : least;
    }
    return QUERN_OK;
}

/* ---- taking ---- */

struct asker {
    struct qn_pool *pool;
    uint32_t queue;
};

static int ready(void *user, struct qn_stamp stamp)
{
    const struct asker *asker = user;
    return qn_stamps_ready(&asker->pool->stamps, asker->queue, stamp);
}

/* The block becomes the caller's. */
static quern_status grant(struct qn_pool *pool, const struct wish *wish, uint32_t slab_number,
                          uint32_t block, struct qn_stamp stamp, struct qn_span *out)
{
    struct slab *slab = &pool->slabs[slab_number];
    if (block >= slab->n_notes) {
        uint32_t n = block < UINT32_MAX / 2 ? block * 2 + 32 : UINT32_MAX;
        struct note *notes = qn_realloc(slab->notes, n, sizeof *notes);
        if (notes == NULL) {
            qn_range_give(slab->range, block, stamp);
            return qn_error_memory("device pool", (uint64_t)n * sizeof *notes);
        }
        memset(notes + slab->n_notes, 0, (n - slab->n_notes) * sizeof *notes);
        slab->notes = notes;
        slab->n_notes = n;
    }
    if (++pool->generation == 0) pool->generation = 1;
    slab->notes[block] = (struct note){wish->size, pool->generation};
    uint64_t granted = qn_range_length(slab->range, block) * pool->align;
    *out = (struct qn_span){
        .view = {slab->raw, qn_range_offset(slab->range, block) * pool->align, wish->size},
        .granted = granted,
        .slab = slab_number,
        .block = block,
        .generation = pool->generation};
    gauge_add(&pool->stats.used, granted);
    gauge_add(&pool->stats.asked, wish->size);
    pool->out++;
    return QUERN_OK;
}

/* A block that may be used at once, from slabs of one kind. *found stays 0 if there is none. */
static quern_status take_ready(struct qn_pool *pool, struct wish *wish, int own_slabs,
                               struct qn_span *out, int *found)
{
    struct asker asker = {pool, wish->queue};
    for (uint32_t i = 0; i < pool->n_slabs; i++) {
        struct qn_stamp stamp;
        if (pool->slabs[i].raw == NULL || pool->slabs[i].own != own_slabs) continue;
        uint32_t block = qn_range_take(pool->slabs[i].range, wish->units, ready, &asker, &stamp);
        if (block == QN_RANGE_NONE) continue;
        QN_TRY(grant(pool, wish, i, block, stamp, out));
        if (stamp.epoch == 0)
            pool->stats.fresh++;
        else if (stamp.queue == wish->queue)
            pool->stats.same_queue++;
        else
            pool->stats.other_queue_done++;
        *found = 1;
        return QUERN_OK;
    }
    return QUERN_OK;
}

/* A block whose last user is still busy; this queue is made to wait for it. */
static quern_status take_busy(struct qn_pool *pool, struct wish *wish, struct qn_span *out,
                              int *found)
{
    for (uint32_t i = 0; i < pool->n_slabs; i++) {
        struct slab *slab = &pool->slabs[i];
        struct qn_stamp stamp;
        if (slab->raw == NULL) continue;
        uint32_t block = qn_range_take(slab->range, wish->units, NULL, NULL, &stamp);
        if (block == QN_RANGE_NONE) continue;
        quern_status status = qn_stamps_wait(&pool->stamps, wish->queue, stamp);
        if (status != QUERN_OK) {
            qn_range_give(slab->range, block, stamp);
            return status;
        }
        QN_TRY(grant(pool, wish, i, block, stamp, out));
        pool->stats.other_queue_wait++;
        *found = 1;
        return QUERN_OK;
    }
    return QUERN_OK;
}

static quern_status take_grown(struct qn_pool *pool, struct wish *wish, struct qn_span *out,
                               int *found)
{
    uint32_t slab;
    struct qn_stamp stamp;
    QN_TRY(grow(pool, wish, &slab));
    if (slab == UINT32_MAX) return QUERN_OK;
    uint32_t block = qn_range_take(pool->slabs[slab].range, wish->units, NULL, NULL, &stamp);
    if (block == QN_RANGE_NONE) return qn_error(QUERN_INTERNAL, "device pool: a new slab is full");
    QN_TRY(grant(pool, wish, slab, block, stamp, out));
    pool->stats.fresh++;
    *found = 1;
    return QUERN_OK;
}

/* The ladder of pool.h up to idle slabs. */
static quern_status take_once(struct qn_pool *pool, struct wish *wish, struct qn_span *out,
                              int *found)
{
    int moved = 0;
    QN_TRY(take_ready(pool, wish, wish->large, out, found));
    if (*found) return QUERN_OK;
    QN_TRY(qn_stamps_poll(&pool->stamps, &moved));
    if (moved) QN_TRY(take_ready(pool, wish, wish->large, out, found));
    if (!*found) QN_TRY(take_grown(pool, wish, out, found));
    if (!*found) QN_TRY(take_ready(pool, wish, !wish->large, out, found));
    if (!*found) QN_TRY(take_busy(pool, wish, out, found));
    if (*found || hand_back(pool, 0, 1) == 0) return QUERN_OK;
    pool->stats.retries++;
    return take_grown(pool, wish, out, found);
}

static uint64_t largest_free(const struct qn_pool *pool)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < pool->n_slabs; i++) {
        if (pool->slabs[i].raw == NULL) continue;
        uint64_t bytes = qn_range_largest(pool->slabs[i].range) * pool->align;
        if (bytes > largest) largest = bytes;
    }
    return largest;
}

static quern_status exhausted(struct qn_pool *pool, uint64_t size)
{
    char limit[32] = "none";
    const struct qn_pool_stats *s = &pool->stats;
    if (pool->config.limit != 0)
        (void)snprintf(limit, sizeof limit, "%" PRIu64, pool->config.limit);
    pool->stats.failures++;
    return qn_error(QUERN_OUT_OF_MEMORY,
                    "out of device memory: wanted %" PRIu64 " bytes; used %" PRIu64
                    ", held %" PRIu64 ", limit %s, largest free block %" PRIu64 ", slabs %" PRIu64
                    ", largest allocation %" PRIu64 "%s%s",
                    size, s->used.now, s->held.now, limit, largest_free(pool), s->slabs,
                    pool->max_alloc, pool->refusal[0] != '\0' ? "; the driver: " : "",
                    pool->refusal);
}

static quern_status take_locked(struct qn_pool *pool, struct wish *wish, struct qn_span *out)
{
    int found = 0;
    pool->stats.takes++;
    pool->refusal[0] = '\0';
    if (++pool->takes == pool->config.fail_at) {
        pool->stats.failures++;
        return qn_error(QUERN_OUT_OF_MEMORY,
                        "out of device memory: take %" PRIu64 " fails as the test asked",
                        pool->takes);
    }
    if (wish->size > pool->max_alloc ||
        (pool->config.limit != 0 && wish->size > pool->config.limit))
        return exhausted(pool, wish->size);
    uint64_t units = wish->size / pool->align + (wish->size % pool->align != 0);
    wish->units = units != 0 ? (uint32_t)units : 1;
    wish->large = wish->size > pool->slab_bytes / 2;
    QN_TRY(take_once(pool, wish, out, &found));
    if (!found && pool->config.on_full != NULL) {
        /* The callback gives blocks back, so it must not find the lock held. */
        pthread_mutex_unlock(&pool->lock);
        int again = pool->config.on_full(pool->config.user, wish->size);
        pthread_mutex_lock(&pool->lock);
        if (again) {
            pool->stats.retries++;
            QN_TRY(take_once(pool, wish, out, &found));
        }
    }
    return found ? QUERN_OK : exhausted(pool, wish->size);
}

quern_status qn_pool_take(struct qn_pool *pool, uint32_t queue, uint64_t size, struct qn_span *out)
{
    struct wish wish = {.queue = queue, .size = size};
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&pool->lock);
    quern_status status =
        queue < pool->stamps.n_queues
            ? take_locked(pool, &wish, out)
            : qn_error(QUERN_INVALID, "device pool: queue %" PRIu32 " is not known", queue);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

/* ---- giving ---- */

static void give_locked(struct qn_pool *pool, uint32_t queue, const struct qn_span *span)
{
    struct slab *slab = span->slab < pool->n_slabs ? &pool->slabs[span->slab] : NULL;
    if (queue >= pool->stamps.n_queues || span->generation == 0 || slab == NULL ||
        slab->raw == NULL || span->block >= slab->n_notes ||
        slab->notes[span->block].generation != span->generation) {
        pool->stats.refused++;
        return;
    }
    uint64_t granted = qn_range_length(slab->range, span->block) * pool->align;
    if (pool->config.poison) {
        struct qn_view all = {slab->raw, qn_range_offset(slab->range, span->block) * pool->align,
                              granted};
        if (pool->driver->fill(pool->stamps.queues[queue].queue, all, POISON) == QUERN_OK)
            qn_stamps_submitted(&pool->stamps, queue);
    }
    pool->stats.used.now -= granted;
    pool->stats.asked.now -= slab->notes[span->block].asked;
    slab->notes[span->block] = (struct note){0};
    pool->out--;
    qn_range_give(slab->range, span->block, qn_stamps_now(&pool->stamps, queue));
}

void qn_pool_give(struct qn_pool *pool, uint32_t queue, struct qn_span *span)
{
    if (span->view.raw == NULL) return;
    pthread_mutex_lock(&pool->lock);
    give_locked(pool, queue, span);
    pthread_mutex_unlock(&pool->lock);
    memset(span, 0, sizeof *span);
}

quern_status qn_pool_close(struct qn_pool *pool)
{
    if (pool == NULL) return QUERN_OK;
    pthread_mutex_lock(&pool->lock);
    uint64_t out = pool->out, bytes = pool->stats.used.now;
    pthread_mutex_unlock(&pool->lock);
    if (out != 0)
        return qn_error(QUERN_BUSY,
                        "device pool: %" PRIu64 " blocks (%" PRIu64 " bytes) are still in use", out,
                        bytes);
    (void)qn_stamps_settle(&pool->stamps); /* a lost device has nothing left to wait for */
    for (uint32_t i = 0; i < pool->n_slabs; i++)
        if (pool->slabs[i].raw != NULL) slab_free(pool, &pool->slabs[i]);
    qn_stamps_close(&pool->stamps);
    qn_free(pool->slabs);
    pthread_mutex_destroy(&pool->lock);
    qn_free(pool);
    return QUERN_OK;
}

/* ---- looking ---- */

uint64_t qn_pool_trim(struct qn_pool *pool, uint64_t keep)
{
    int moved;
    pthread_mutex_lock(&pool->lock);
    if (keep < pool->config.keep) keep = pool->config.keep;
    (void)qn_stamps_poll(&pool->stamps, &moved);
    uint64_t freed = hand_back(pool, keep, 0);
    pthread_mutex_unlock(&pool->lock);
    return freed;
}

void qn_pool_stats(struct qn_pool *pool, struct qn_pool_stats *out)
{
    pthread_mutex_lock(&pool->lock);
    *out = pool->stats;
    out->largest_free = largest_free(pool);
    pthread_mutex_unlock(&pool->lock);
}

void qn_pool_reset_peaks(struct qn_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stats.held.peak = pool->stats.held.now;
    pool->stats.used.peak = pool->stats.used.now;
    pool->stats.asked.peak = pool->stats.asked.now;
    pthread_mutex_unlock(&pool->lock);
}

struct pool_walk {
    qn_pool_walk_fn *visit;
    void *user;
    uint64_t align;
    uint32_t slab;
};

static void walk_range(void *user, uint32_t offset, uint32_t length, int used)
{
    struct pool_walk *walk = user;
    walk->visit(walk->user, walk->slab, offset * walk->align, length * walk->align, used);
}

void qn_pool_walk(struct qn_pool *pool, qn_pool_walk_fn *visit, void *user)
{
    pthread_mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < pool->n_slabs; i++) {
        struct pool_walk walk = {visit, user, pool->align, i};
        if (pool->slabs[i].raw != NULL) qn_range_walk(pool->slabs[i].range, walk_range, &walk);
    }
    pthread_mutex_unlock(&pool->lock);
}
