/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/run_write.h"

#include <stdlib.h>
#include <string.h>

#include "backends/cpu/run.h"
#include "backends/cpu/run_store.h"
#include "host/core/checked.h"

enum {
    BLOCK_BYTES = 16 << 10, /* a block of rows: half of a usual first-level cache               */
    STREAM_MIN = 512        /* shorter pieces are stored through the caches                     */
};

struct by_place {
    const struct qn_slot *slot;
    uint32_t number;
};

static int compare_place(const void *a, const void *b)
{
    const struct by_place *x = a, *y = b;
    if (x->slot->stride != y->slot->stride) return x->slot->stride < y->slot->stride ? -1 : 1;
    if (x->slot->offset != y->slot->offset) return x->slot->offset < y->slot->offset ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The slot continues the group: next in the row, and the row does not run into the next one. */
static int joins(const struct write_group *g, const struct qn_slot *s)
{
    size_t size = qn_type_size(s->type);
    return g->stride == s->stride && s->offset == g->offset + g->span && s->stride > size &&
           g->span + size <= g->stride;
}

static int extends(const struct write_item *item, const struct qn_slot *s, size_t at)
{
    if (item->type != s->type && (item->one_hot || item->size != qn_type_size(s->type))) return 0;
    if (item->at + (size_t)item->count * item->size != at) return 0;
    if (!item->one_hot) return s->match == QN_MATCH_VALUE;
    return s->match != QN_MATCH_VALUE && item->lane == s->lane &&
           s->match == item->match + item->count;
}

static void add_slot(struct qn_writer *w, const struct qn_slot *s, uint32_t number)
{
    uint32_t size = qn_type_size(s->type);
    struct write_group *g = w->n_groups > 0 ? &w->groups[w->n_groups - 1] : NULL;
    if (g == NULL || !joins(g, s)) {
        g = &w->groups[w->n_groups++];
        *g = (struct write_group){.offset = s->offset, .stride = s->stride, .first = w->n_items};
    }
    struct write_item *item = g->n_items > 0 ? &w->items[w->n_items - 1] : NULL;
    if (item == NULL || !extends(item, s, g->span)) {
        item = &w->items[w->n_items++];
        g->n_items++;
        *item = (struct write_item){.one_hot = s->match != QN_MATCH_VALUE,
                                    .size = size,
                                    .type = s->type,
                                    .lane = s->lane,
                                    .match = s->match,
                                    .first = w->n_pointers,
                                    .at = g->span};
    }
    item->count++;
    if (!item->one_hot) w->columns[w->n_pointers++] = w->tiles->slot_column[number];
    g->span += size;
    w->row_bytes += size;
}

static void lay_out(struct qn_writer *w)
{
    const uint32_t rows = w->tiles->rows;
    size_t at = w->tiles->scratch;
    w->pointers = at;
    at += (w->n_pointers * sizeof(void *) + 63) / 64 * 64;
    w->spare = at;
    at += rows * sizeof(double) + 64;
    for (uint32_t i = 0; i < w->n_groups; i++) {
        struct write_group *g = &w->groups[i];
        size_t n = BLOCK_BYTES / g->span;
        if (n >= 8) n -= n % (n >= 16 ? 16 : 8);
        if (n > rows) n = rows;
        g->rows = (uint32_t)(n > 0 ? n : 1);
        g->block = at;
        at +=
            (g->rows * g->span + 127) / 64 * 64; /* padded: vectors store past the last row's end */
    }
    w->scratch = at;
}

quern_status qn_writer_open(struct qn_writer *w, const struct qn_tiles *tiles,
                            const struct qn_slot *slots, uint32_t n_slots, void *out,
                            uint32_t stream)
{
    quern_status status = QUERN_OK;
    *w = (struct qn_writer){.tiles = tiles, .out = out, .stream = stream};
    struct by_place *order = qn_alloc(n_slots, sizeof *order);
    w->items = qn_alloc(n_slots, sizeof *w->items);
    w->groups = qn_alloc(n_slots, sizeof *w->groups);
    w->columns = qn_alloc(n_slots, sizeof *w->columns);
    if (order == NULL || w->items == NULL || w->groups == NULL || w->columns == NULL) {
        status = qn_error_memory("slots", (uint64_t)n_slots * sizeof *w->items);
        goto cleanup;
    }
    for (uint32_t s = 0; s < n_slots; s++) order[s] = (struct by_place){&slots[s], s};
    for (uint32_t s = 1; s < n_slots; s++)
        if (compare_place(&order[s - 1], &order[s]) > 0) { /* seldom: a plan lists them in order */
            qsort(order, n_slots, sizeof *order, compare_place);
            break;
        }
    for (uint32_t s = 0; s < n_slots; s++) add_slot(w, order[s].slot, order[s].number);
    lay_out(w);
cleanup:
    qn_free(order);
    if (status != QUERN_OK) qn_writer_close(w);
    return status;
}

void qn_writer_close(struct qn_writer *w)
{
    qn_free(w->items);
    qn_free(w->groups);
    qn_free(w->columns);
    w->items = NULL;
    w->groups = NULL;
    w->columns = NULL;
}

void qn_writer_begin(const struct qn_writer *w, char *scratch)
{
    const void **pointers = (const void **)(void *)(scratch + w->pointers);
    for (uint32_t i = 0; i < w->n_pointers; i++)
        pointers[i] = qn_tiles_column(w->tiles, scratch, w->columns[i]);
    for (uint32_t i = 0; i < w->n_groups; i++)
        memset(scratch + w->groups[i].block, 0, w->groups[i].rows * w->groups[i].span);
}

/* Sets the ones of a block's rows, or (value 0) takes them back. A code without a column goes to a
 * spare cell, because a jump would be mispredicted as often as such codes come. */
#define SCATTER(TYPE, ONE)                                                                         \
    do {                                                                                           \
        const TYPE value_ = set ? (TYPE)(ONE) : (TYPE)0;                                           \
        for (uint32_t r = 0; r < n; r++, to += pitch) {                                            \
            uint32_t k = codes[r] - match;                                                         \
            char *cell = k < count ? to + (size_t)k * sizeof(TYPE) : spare;                        \
            memcpy(cell, &value_, sizeof value_);                                                  \
        }                                                                                          \
    } while (0)

static void scatter(const struct write_item *item, const uint32_t *codes, uint32_t n, char *to,
                    size_t pitch, char *spare, int set)
{
    const uint32_t match = item->match, count = item->count;
    switch (item->type) {
    case QN_T_F32: SCATTER(float, 1.0f); break;
    case QN_T_F64: SCATTER(double, 1.0); break;
    default:
        switch (item->size) {
        case 1: SCATTER(uint8_t, 1); break;
        case 2: SCATTER(uint16_t, 1); break;
        case 4: SCATTER(uint32_t, 1); break;
        default: SCATTER(uint64_t, 1); break;
        }
    }
}

static void scatter_all(const struct qn_writer *w, const struct write_group *g, char *scratch,
                        uint32_t from, uint32_t n, int set)
{
    for (uint32_t i = 0; i < g->n_items; i++) {
        const struct write_item *item = &w->items[g->first + i];
        if (!item->one_hot) continue;
        const uint32_t *codes = qn_tiles_lane(w->tiles, scratch, item->lane)->code + from;
        scatter(item, codes, n, scratch + g->block + item->at, g->span, scratch + w->spare, set);
    }
}

static void copy_out(const struct qn_writer *w, const struct write_group *g, const char *block,
                     uint64_t row, uint32_t n)
{
    const struct qn_store *store = qn_store();
    char *to = w->out + g->offset + row * g->stride;
    size_t piece = g->span;
    if (g->span == g->stride) {
        piece *= n;
        n = 1;
    }
    for (uint32_t r = 0; r < n; r++, to += g->stride, block += piece)
        if (w->stream && piece >= STREAM_MIN)
            store->stream(to, block, piece);
        else
            memcpy(to, block, piece);
}

static void write_rows(const struct qn_writer *w, const struct write_group *g, char *scratch,
                       uint64_t row, uint32_t n)
{
    const struct qn_store *store = qn_store();
    const void *const *pointers = (const void *const *)(void *)(scratch + w->pointers);
    for (uint32_t from = 0; from < n; from += g->rows) {
        uint32_t some = n - from < g->rows ? n - from : g->rows;
        scatter_all(w, g, scratch, from, some, 1);
        for (uint32_t i = 0; i < g->n_items; i++) {
            const struct write_item *item = &w->items[g->first + i];
            if (item->one_hot) continue;
            store->transpose(item->size, pointers + item->first, item->count, from, some,
                             scratch + g->block + item->at, g->span);
        }
        copy_out(w, g, scratch + g->block, row + from, some);
        scatter_all(w, g, scratch, from, some, 0);
    }
}

/* A slot of its own: its column, packed or strided. */
static void write_column(const struct qn_writer *w, const struct write_group *g, char *scratch,
                         uint64_t row, uint32_t n)
{
    const struct qn_store *store = qn_store();
    const struct write_item *item = &w->items[g->first];
    const char *from;
    if (item->one_hot) { /* a block one column wide */
        char *spare = scratch + w->spare;
        memset(spare, 0, (size_t)n * item->size);
        scatter(item, qn_tiles_lane(w->tiles, scratch, item->lane)->code, n, spare, item->size,
                spare + (size_t)n * item->size, 1);
        from = spare;
    } else
        from = ((const void *const *)(void *)(scratch + w->pointers))[item->first];
    char *to = w->out + g->offset + row * g->stride;
    size_t bytes = (size_t)n * item->size;
    if (g->stride != item->size)
        store->transpose(item->size, (const void *const[]){from}, 1, 0, n, to, g->stride);
    else if (w->stream && bytes >= STREAM_MIN)
        store->stream(to, from, bytes);
    else
        memcpy(to, from, bytes);
}

void qn_writer_tile(const struct qn_writer *w, char *scratch, uint64_t row, uint32_t n)
{
    for (uint32_t i = 0; i < w->n_groups; i++) {
        const struct write_group *g = &w->groups[i];
        if (g->n_items == 1 && w->items[g->first].count == 1)
            write_column(w, g, scratch, row, n);
        else
            write_rows(w, g, scratch, row, n);
    }
    if (w->stream) qn_store_fence();
}
