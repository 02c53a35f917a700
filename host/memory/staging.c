/* SPDX-License-Identifier: Apache-2.0
 *
 * Each transfer is a stream of packed bytes, cut into blocks of the ring. While the device takes one
 * block, the next is packed by the thread pool; a block is used again when its event has passed.
 * Blocks are made at first use: a context that only moves parameters never page-locks megabytes. */
#include "host/memory/staging.h"

#include <string.h>

#define DEFAULT_BLOCK ((uint64_t)8 << 20)
enum { DEFAULT_DEPTH = 3, MOST_DEPTH = 64 };
/* Pieces of one packing task: enough to pay for waking a thread. */
#define TASK_BYTES ((uint64_t)256 << 10)

struct block {
    void *memory;
    struct qn_event *event;
    int busy; /* the event stands behind the last transfer */
};

struct qn_staging {
    const struct qn_driver *driver;
    struct qn_dev *dev;
    uint64_t block_bytes;
    uint32_t depth;
    int direct;       /* device memory is host memory: copy there and back */
    int asynchronous; /* queues run behind the host */
    int pinned;
    struct block *up, *down; /* two rings of `depth` */
    uint32_t next_up;
};

/* Where pieces lie on the host: `bytes` each, `stride` apart. As a stream they are packed. */
struct pieces {
    unsigned char *base;
    uint64_t bytes;
    int64_t stride;
};

/* ---- packing and unpacking ---- */

/* A constant size lets the compiler make one load and one store of the memcpy. */
#define COPY_PIECES(size)                                                                          \
    for (uint64_t i = 0; i < n; i++)                                                               \
    memcpy(to + (int64_t)i * to_step, from + (int64_t)i * from_step, size)

static void copy_pieces(unsigned char *to, int64_t to_step, const unsigned char *from,
                        int64_t from_step, uint64_t bytes, uint64_t n)
{
    switch (bytes) {
    case 1: COPY_PIECES(1); break;
    case 2: COPY_PIECES(2); break;
    case 4: COPY_PIECES(4); break;
    case 8: COPY_PIECES(8); break;
    default: COPY_PIECES(bytes); break;
    }
}

static unsigned char *piece_at(const struct pieces *p, uint64_t row)
{
    return p->base + (int64_t)row * p->stride;
}

/* Bytes [at, at + size) of the stream to or from `flat`. Ends may cut pieces. */
static void copy_stream(const struct pieces *p, uint64_t at, unsigned char *flat, uint64_t size,
                        int pack)
{
    while (size > 0) {
        uint64_t row = at / p->bytes, inside = at % p->bytes, whole = size / p->bytes;
        uint64_t n = p->bytes - inside < size ? p->bytes - inside : size;
        unsigned char *piece = piece_at(p, row);
        if (inside == 0 && whole > 0) {
            n = whole * p->bytes;
            if (pack)
                copy_pieces(flat, (int64_t)p->bytes, piece, p->stride, p->bytes, whole);
            else
                copy_pieces(piece, p->stride, flat, (int64_t)p->bytes, p->bytes, whole);
        } else if (pack) {
            memcpy(flat, piece + inside, n);
        } else {
            memcpy(piece + inside, flat, n);
        }
        at += n;
        flat += n;
        size -= n;
    }
}

struct packing {
    struct pieces pieces;
    uint64_t at, size;
    unsigned char *flat;
    int pack;
};

static void pack_task(void *user, uint32_t worker, uint64_t task)
{
    const struct packing *p = user;
    uint64_t first = task * TASK_BYTES, rest = p->size - first;
    (void)worker;
    copy_stream(&p->pieces, p->at + first, p->flat + first, rest < TASK_BYTES ? rest : TASK_BYTES,
                p->pack);
}

static void copy_parallel(struct qn_threads *threads, const struct pieces *pieces, uint64_t at,
                          void *flat, uint64_t size, int pack)
{
    struct packing p = {*pieces, at, size, flat, pack};
    qn_threads_run(threads, size / TASK_BYTES + (size % TASK_BYTES != 0), pack_task, &p);
}

/* ---- the rings ---- */

quern_status qn_staging_open(const struct qn_driver *driver, struct qn_dev *dev,
                             const struct qn_caps *caps, uint64_t block, uint32_t depth,
                             struct qn_staging **out)
{
    *out = NULL;
    if (depth == 0) depth = DEFAULT_DEPTH;
    if (depth > MOST_DEPTH)
        return qn_error(QUERN_INVALID, "staging: %u blocks asked for, %d are the most", depth,
                        MOST_DEPTH);
    struct qn_staging *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory("staging", sizeof *s);
    s->driver = driver;
    s->dev = dev;
    s->block_bytes = block != 0 ? block : DEFAULT_BLOCK;
    s->depth = depth;
    s->direct = (caps->features & QN_FEATURE_HOST_MEMORY) != 0 && QN_HAS(driver, raw_pointer);
    s->asynchronous = (caps->features & QN_FEATURE_ASYNC) != 0;
    s->pinned = (caps->features & QN_FEATURE_PINNED) != 0 && QN_HAS(driver, pinned_alloc) &&
                QN_HAS(driver, pinned_free);
    s->up = qn_zalloc(depth, sizeof *s->up);
    s->down = qn_zalloc(depth, sizeof *s->down);
    if (s->up == NULL || s->down == NULL) {
        qn_staging_close(s);
        return qn_error_memory("staging", 2 * depth * sizeof *s->up);
    }
    *out = s;
    return QUERN_OK;
}

static void block_free(struct qn_staging *s, struct block *b)
{
    if (b->busy) (void)s->driver->event_wait(b->event); /* the device may still read it */
    if (b->event != NULL) s->driver->event_close(s->dev, b->event);
    if (b->memory != NULL && s->pinned) s->driver->pinned_free(s->dev, b->memory);
    if (b->memory != NULL && !s->pinned) qn_free(b->memory);
}

void qn_staging_close(struct qn_staging *s)
{
    if (s == NULL) return;
    for (uint32_t i = 0; i < s->depth; i++) {
        if (s->up != NULL) block_free(s, &s->up[i]);
        if (s->down != NULL) block_free(s, &s->down[i]);
    }
    qn_free(s->up);
    qn_free(s->down);
    qn_free(s);
}

/* Waits until the block's last transfer is over. */
static quern_status block_settle(struct qn_staging *s, struct block *b, struct qn_ledger *ledger)
{
    if (!b->busy) return QUERN_OK;
    uint64_t start = qn_clock_ns();
    QN_TRY(s->driver->event_wait(b->event));
    b->busy = 0;
    if (ledger != NULL) ledger->wait_ns += qn_clock_ns() - start;
    return QUERN_OK;
}

static quern_status block_ready(struct qn_staging *s, struct block *b, struct qn_ledger *ledger)
{
    if (b->memory == NULL && s->pinned)
        QN_TRY(s->driver->pinned_alloc(s->dev, s->block_bytes, &b->memory));
    if (b->memory == NULL) {
        if (s->block_bytes <= SIZE_MAX) b->memory = qn_alloc_aligned((size_t)s->block_bytes, 1);
        if (b->memory == NULL) return qn_error_memory("staging", s->block_bytes);
    }
    if (b->event == NULL) QN_TRY(s->driver->event_open(s->dev, &b->event));
    return block_settle(s, b, ledger);
}

/* The event goes behind the transfer that was just queued. Without it the block could be used again
 * too early, so a failure here waits for the queue. */
static quern_status block_mark(struct qn_staging *s, struct block *b, struct qn_queue *queue)
{
    quern_status status = s->driver->event_record(queue, b->event);
    if (status == QUERN_OK) {
        b->busy = 1;
        if (QN_HAS(s->driver, flush)) status = s->driver->flush(queue);
    } else {
        struct qn_failure failure;
        qn_error_take(&failure, status);
        (void)s->driver->finish(queue);
        status = qn_error_put(&failure);
    }
    return status;
}

/* The packed size of a transfer, checked against the view. */
static quern_status stream_size(uint64_t rows, uint64_t bytes, const struct qn_view *view,
                                uint64_t *out)
{
    if (qn_mul_u64(rows, bytes, out) || *out > view->size)
        return qn_error(QUERN_INVALID, "staging: %llu pieces of %llu bytes do not fit %llu bytes",
                        (unsigned long long)rows, (unsigned long long)bytes,
                        (unsigned long long)view->size);
    return QUERN_OK;
}

static struct pieces pieces_of(const void *base, uint64_t rows, uint64_t bytes, int64_t stride)
{
    struct pieces p = {.bytes = bytes, .stride = stride};
    memcpy(&p.base, &base, sizeof p.base);                 /* packing only reads it */
    if ((uint64_t)stride == bytes) p.bytes = rows * bytes; /* one run */
    return p;
}

static struct qn_view part(struct qn_view view, uint64_t at, uint64_t size)
{
    return (struct qn_view){view.raw, view.offset + at, size};
}

/* Work that is queued may still use the memory that is about to be touched. */
static quern_status host_turn(struct qn_staging *s, struct qn_queue *queue,
                              struct qn_ledger *ledger)
{
    if (!s->asynchronous) return QUERN_OK;
    uint64_t start = qn_clock_ns();
    QN_TRY(s->driver->finish(queue));
    if (ledger != NULL) ledger->wait_ns += qn_clock_ns() - start;
    return QUERN_OK;
}

/* ---- up ---- */

static quern_status upload_ring(struct qn_staging *s, struct qn_threads *threads,
                                struct qn_queue *queue, struct qn_view to,
                                const struct pieces *from, uint64_t total, struct qn_ledger *ledger)
{
    for (uint64_t at = 0; at < total;) {
        uint64_t size = total - at < s->block_bytes ? total - at : s->block_bytes;
        struct block *b = &s->up[s->next_up];
        QN_TRY(block_ready(s, b, ledger));
        copy_parallel(threads, from, at, b->memory, size, 1);
        QN_TRY(s->driver->upload(queue, part(to, at, size), b->memory, QN_NO_WAIT));
        QN_TRY(block_mark(s, b, queue));
        s->next_up = (s->next_up + 1) % s->depth;
        at += size;
    }
    return QUERN_OK;
}

quern_status qn_staging_upload(struct qn_staging *s, struct qn_threads *threads,
                               struct qn_queue *queue, struct qn_view to, const void *from,
                               uint64_t rows, uint64_t bytes, int64_t from_stride,
                               struct qn_ledger *ledger, enum qn_traffic kind)
{
    uint64_t total;
    QN_TRY(stream_size(rows, bytes, &to, &total));
    if (total == 0) return QUERN_OK;
    struct pieces pieces = pieces_of(from, rows, bytes, from_stride);
    if (s->direct) {
        unsigned char *memory = s->driver->raw_pointer(to.raw);
        QN_TRY(host_turn(s, queue, ledger));
        copy_parallel(threads, &pieces, 0, memory + to.offset, total, 1);
    } else if (!s->pinned && pieces.bytes == total && total > s->block_bytes) {
        /* One long run and no page-locked memory: the driver's own staging is as good as ours. A
         * short one goes through a block all the same, since that need not wait for the queue. */
        QN_TRY(s->driver->upload(queue, part(to, 0, total), from, QN_WAIT));
    } else {
        QN_TRY(upload_ring(s, threads, queue, to, &pieces, total, ledger));
    }
    if (ledger != NULL) ledger->to_device[kind] += total;
    return QUERN_OK;
}

/* ---- down ---- */

/* Blocks are asked for up to `depth` ahead of the one being unpacked. */
static quern_status download_ring(struct qn_staging *s, struct qn_threads *threads,
                                  struct qn_queue *queue, const struct pieces *to,
                                  struct qn_view from, uint64_t total, struct qn_ledger *ledger)
{
    uint64_t asked = 0, done = 0;
    while (done < total) {
        while (asked < total && asked - done < s->depth * s->block_bytes) {
            uint64_t size = total - asked < s->block_bytes ? total - asked : s->block_bytes;
            struct block *b = &s->down[asked / s->block_bytes % s->depth];
            QN_TRY(block_ready(s, b, ledger));
            QN_TRY(s->driver->download(queue, b->memory, part(from, asked, size), QN_NO_WAIT));
            QN_TRY(block_mark(s, b, queue));
            asked += size;
        }
        uint64_t size = total - done < s->block_bytes ? total - done : s->block_bytes;
        struct block *b = &s->down[done / s->block_bytes % s->depth];
        QN_TRY(block_settle(s, b, ledger));
        copy_parallel(threads, to, done, b->memory, size, 0);
        done += size;
    }
    return QUERN_OK;
}

quern_status qn_staging_download(struct qn_staging *s, struct qn_threads *threads,
                                 struct qn_queue *queue, void *to, uint64_t rows, uint64_t bytes,
                                 int64_t to_stride, struct qn_view from, struct qn_ledger *ledger,
                                 enum qn_traffic kind)
{
    uint64_t total;
    QN_TRY(stream_size(rows, bytes, &from, &total));
    if (total == 0) return QUERN_OK;
    struct pieces pieces = pieces_of(to, rows, bytes, to_stride);
    if (s->direct) {
        unsigned char *memory = s->driver->raw_pointer(from.raw);
        QN_TRY(host_turn(s, queue, ledger));
        copy_parallel(threads, &pieces, 0, memory + from.offset, total, 0);
    } else if (!s->pinned && pieces.bytes == total) {
        uint64_t start = qn_clock_ns();
        QN_TRY(s->driver->download(queue, to, part(from, 0, total), QN_WAIT));
        if (ledger != NULL) ledger->wait_ns += qn_clock_ns() - start;
    } else {
        QN_TRY(download_ring(s, threads, queue, &pieces, from, total, ledger));
    }
    if (ledger != NULL) ledger->from_device[kind] += total;
    return QUERN_OK;
}
