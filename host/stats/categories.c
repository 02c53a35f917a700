/* SPDX-License-Identifier: Apache-2.0
 * A set of categories: opening, finishing (sorting by value), reading, and sets made from values that
 * are sorted already. */
#include "host/stats/categories.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_hash.h"
#include "host/stats/categories_internal.h"

quern_status qn_categories_open(quern_type type, struct qn_categories **out)
{
    *out = NULL;
    if ((unsigned)type > (unsigned)QUERN_DATETIME)
        return qn_error(QUERN_INVALID, "no such type: %d", (int)type);
    struct qn_categories *set = qn_zalloc(1, sizeof *set);
    if (set == NULL) return qn_error_memory("categories", sizeof *set);
    set->type = type;
    set->key_class = qn_key_class(type);
    atomic_init(&set->bytes, sizeof *set);
    atomic_init(&set->distinct, 0);
    atomic_init(&set->text, 0);
    for (unsigned s = 0; s < SHARDS; s++) {
        if (pthread_mutex_init(&set->shards[s].lock, NULL) == 0) continue;
        while (s-- > 0) pthread_mutex_destroy(&set->shards[s].lock);
        qn_free(set);
        return qn_error(QUERN_INTERNAL, "a lock could not be made");
    }
    *out = set;
    return QUERN_OK;
}

static void free_finished(struct qn_categories *set)
{
    qn_free(set->keys);
    qn_free(set->offsets);
    qn_free(set->bytes_of);
    qn_free(set->counts);
    qn_free(set->slots);
    qn_free(set->lines);
    set->keys = NULL;
    set->offsets = NULL;
    set->bytes_of = NULL;
    set->counts = NULL;
    set->slots = NULL;
    set->lines = NULL;
    for (unsigned s = 0; s < SHARDS; s++) {
        qn_free(set->final_of[s]);
        set->final_of[s] = NULL;
    }
}

void qn_categories_free(struct qn_categories *set)
{
    if (set == NULL) return;
    qn_locals_free(set);
    qn_shards_free(set);
    free_finished(set);
    for (unsigned s = 0; s < SHARDS; s++) pthread_mutex_destroy(&set->shards[s].lock);
    qn_free(set);
}

void qn_categories_limit(struct qn_categories *set, uint64_t bytes)
{
    set->limit = bytes;
}

/* ---- finishing ---- */

/* All values of the shards: items[i].id is i; where[i] is the shard and the number in it. */
struct gathered {
    struct sortable *items, *scratch;
    struct string_ref *refs;
    uint64_t count, text;
};

static quern_status gather(const struct qn_categories *set, struct gathered *g)
{
    for (unsigned s = 0; s < SHARDS; s++) g->count += set->shards[s].count;
    if (g->count >= NO_CODE - 2)
        return qn_error(QUERN_UNSUPPORTED, "%llu distinct values are more than 32-bit codes hold",
                        (unsigned long long)g->count);
    g->items = qn_alloc((size_t)g->count, sizeof *g->items);
    g->scratch = qn_alloc((size_t)g->count, sizeof *g->scratch);
    if (set->key_class == CLASS_STRING) g->refs = qn_alloc((size_t)g->count, sizeof *g->refs);
    if (g->items == NULL || g->scratch == NULL || (set->key_class == CLASS_STRING && !g->refs))
        return qn_error_memory("sorting categories", g->count * 3 * sizeof *g->items);
    uint64_t n = 0;
    for (unsigned s = 0; s < SHARDS; s++) {
        const struct shard *shard = &set->shards[s];
        for (uint32_t i = 0; i < shard->count; i++, n++) {
            g->items[n] = (struct sortable){.key = shard->values[i].key, .id = n};
            if (set->key_class != CLASS_STRING) continue;
            g->refs[n] = (struct string_ref){.text = (const char *)(uintptr_t)shard->values[i].key,
                                             .length = shard->extents[i].length};
            g->text += shard->extents[i].length;
        }
    }
    return QUERN_OK;
}

/* Room for `count` values with `text` bytes in all. */
static quern_status alloc_values(struct qn_categories *set, uint64_t count, uint64_t text)
{
    size_t entries, bytes;
    if (qn_add_size((size_t)count, 1, &entries) || qn_add_size((size_t)text, SHORT_BYTES, &bytes))
        return qn_error_memory("categories", UINT64_MAX);
    set->counts = qn_zalloc(entries, sizeof *set->counts);
    if (set->key_class == CLASS_STRING) {
        set->offsets = qn_alloc(entries, sizeof *set->offsets);
        set->bytes_of = qn_zalloc(bytes, 1);
    } else {
        set->keys = qn_alloc(entries, sizeof *set->keys);
    }
    if (set->counts == NULL || (set->keys == NULL && set->offsets == NULL) ||
        (set->offsets != NULL && set->bytes_of == NULL))
        return qn_error_memory("categories", count * 16 + text);
    set->count = (uint32_t)count;
    return QUERN_OK;
}

static quern_status alloc_final_codes(struct qn_categories *set)
{
    for (unsigned s = 0; s < SHARDS; s++) {
        uint32_t n = set->shards[s].count;
        set->provisional[s] = n;
        set->final_of[s] = qn_alloc(n, sizeof **set->final_of);
        if (set->final_of[s] == NULL)
            return qn_error_memory("categories", (uint64_t)n * sizeof **set->final_of);
    }
    return QUERN_OK;
}

/* The sorted values take their places; every provisional number learns its code. */
static void place_values(struct qn_categories *set, const struct gathered *g)
{
    uint64_t first[SHARDS + 1] = {0}, end = 0;
    for (unsigned s = 0; s < SHARDS; s++) first[s + 1] = first[s] + set->shards[s].count;
    for (uint64_t code = 0; code < g->count; code++) {
        uint64_t id = g->items[code].id;
        unsigned s = 0;
        if (g->refs != NULL && code + 32 < g->count) { /* random reads: ask early */
            QN_PREFETCH(&g->refs[g->items[code + 32].id]);
            QN_PREFETCH(g->refs[g->items[code + 16].id].text);
        }
        while (id >= first[s + 1]) s++;
        uint64_t i = id - first[s];
        set->final_of[s][i] = (uint32_t)code;
        set->counts[code] = set->shards[s].values[i].rows;
        if (set->key_class == CLASS_STRING) {
            const struct string_ref *ref = &g->refs[id];
            set->offsets[code] = (int64_t)end;
            if (ref->length > 0) memcpy(set->bytes_of + end, ref->text, (size_t)ref->length);
            end += ref->length;
        } else {
            set->keys[code] = g->items[code].key;
        }
    }
    if (set->key_class == CLASS_STRING) set->offsets[g->count] = (int64_t)end;
}

static uint64_t finished_bytes(const struct qn_categories *set, uint64_t text)
{
    uint64_t bytes = sizeof *set + ((uint64_t)set->count + 1) * 16 + text;
    for (unsigned s = 0; s < SHARDS; s++) bytes += (uint64_t)set->provisional[s] * 4;
    if (set->slots != NULL) bytes += ((uint64_t)set->slot_mask + 1) * sizeof(struct slot);
    if (set->lines != NULL) bytes += ((uint64_t)set->line_mask + 1) * sizeof(struct line);
    return bytes;
}

quern_status qn_categories_finish(struct qn_categories *set)
{
    if (set->finished) return qn_error(QUERN_INVALID, "the categories are finished already");
    quern_status status = QUERN_OK;
    struct gathered g = {0};
    QN_GO(gather(set, &g));
    QN_GO(alloc_values(set, g.count, g.text));
    QN_GO(alloc_final_codes(set));
    if (set->key_class == CLASS_STRING)
        qn_sort_strings(g.items, g.scratch, g.count, g.refs);
    else
        qn_sort_numbers(g.items, g.scratch, g.count);
    place_values(set, &g);
    QN_GO(qn_categories_index(set));
    qn_locals_free(set);
    qn_shards_free(set);
    atomic_store(&set->bytes, finished_bytes(set, g.text));
    set->finished = 1;
cleanup:
    qn_free(g.items);
    qn_free(g.scratch);
    qn_free(g.refs);
    if (status != QUERN_OK) free_finished(set);
    return status;
}

/* ---- from given values ---- */

static quern_status take_block(struct qn_categories *set, struct block *b,
                               const quern_column *column, uint32_t first)
{
    b->rows = set->count - first < BLOCK_ROWS ? set->count - first : BLOCK_ROWS;
    qn_keys_load(b, column, first, set->key_class);
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t code = first + i;
        if (b->any_absent && b->absent[i])
            return qn_error(QUERN_INVALID, "NaN is not a category's value");
        set->keys[code] = b->key[i];
        if (code > 0 && set->keys[code] <= set->keys[code - 1])
            return qn_error(QUERN_INVALID, "categories must ascend: the value at %u does not",
                            code);
    }
    return QUERN_OK;
}

static quern_status take_numbers(struct qn_categories *set, const void *values)
{
    quern_status status = QUERN_OK;
    quern_column column = {.type = set->type, .data = values};
    struct block *b = qn_alloc(1, sizeof *b);
    if (b == NULL) return qn_error_memory("categories", sizeof *b);
    for (uint64_t first = 0; first < set->count; first += BLOCK_ROWS)
        QN_GO(take_block(set, b, &column, (uint32_t)first));
cleanup:
    qn_free(b);
    return status;
}

static quern_status take_strings(struct qn_categories *set, const char *bytes,
                                 const int64_t *offsets, uint64_t text)
{
    for (uint32_t i = 0; i <= set->count; i++) set->offsets[i] = offsets[i] - offsets[0];
    if (text > 0) memcpy(set->bytes_of, bytes + offsets[0], (size_t)text);
    for (uint32_t i = 1; i < set->count; i++) {
        const int64_t *o = set->offsets + i;
        uint64_t a = (uint64_t)(o[0] - o[-1]), b = (uint64_t)(o[1] - o[0]);
        int order = memcmp(set->bytes_of + o[-1], set->bytes_of + o[0], (size_t)(a < b ? a : b));
        if (order > 0 || (order == 0 && a >= b))
            return qn_error(QUERN_INVALID, "categories must ascend: the value at %u does not", i);
    }
    return QUERN_OK;
}

static quern_status check_offsets(uint32_t count, const int64_t *offsets)
{
    for (uint32_t i = 0; i < count; i++)
        if (offsets[i] < 0 || offsets[i + 1] < offsets[i])
            return qn_error(QUERN_INVALID, "the offsets of categories descend at %u", i);
    return QUERN_OK;
}

quern_status qn_categories_from(quern_type type, uint32_t count, const void *values,
                                const int64_t *offsets, struct qn_categories **out)
{
    *out = NULL;
    if (count >= NO_CODE - 2)
        return qn_error(QUERN_UNSUPPORTED, "%u categories are more than 32-bit codes hold", count);
    struct qn_categories *set;
    uint64_t text = 0;
    quern_status status;
    QN_TRY(qn_categories_open(type, &set));
    if (type == QUERN_STRING && count > 0) {
        QN_GO(check_offsets(count, offsets));
        text = (uint64_t)(offsets[count] - offsets[0]);
    }
    QN_GO(alloc_values(set, count, text));
    if (type == QUERN_STRING && count == 0)
        set->offsets[0] = 0;
    else if (type == QUERN_STRING)
        QN_GO(take_strings(set, values, offsets, text));
    else
        QN_GO(take_numbers(set, values));
    QN_GO(qn_categories_index(set));
    atomic_store(&set->bytes, finished_bytes(set, text));
    set->finished = 1;
    *out = set;
    set = NULL;
cleanup:
    qn_categories_free(set);
    return status;
}

/* ---- reading ---- */

uint32_t qn_categories_count(const struct qn_categories *set)
{
    if (set->finished) return set->count;
    uint64_t distinct = atomic_load(&set->distinct);
    return distinct < UINT32_MAX ? (uint32_t)distinct : UINT32_MAX;
}

uint64_t qn_categories_missing(const struct qn_categories *set)
{
    return set->missing;
}

uint64_t qn_categories_rows(const struct qn_categories *set, uint32_t code)
{
    return code < set->count ? set->counts[code] : 0;
}

uint64_t qn_categories_bytes(const struct qn_categories *set)
{
    return atomic_load(&set->bytes);
}

double qn_categories_f64(const struct qn_categories *set, uint32_t code)
{
    if (set->keys == NULL || code >= set->count) return 0;
    uint64_t key = set->keys[code];
    if (set->key_class == CLASS_FLOAT) return f64_of_key(key);
    return set->key_class == CLASS_SIGNED ? (double)i64_of_key(key) : (double)key;
}

/* Of a set of UINT64: the value's bits. */
int64_t qn_categories_i64(const struct qn_categories *set, uint32_t code)
{
    if (set->keys == NULL || code >= set->count) return 0;
    uint64_t key = set->keys[code];
    if (set->key_class == CLASS_SIGNED) return i64_of_key(key);
    if (set->key_class == CLASS_UNSIGNED) return (int64_t)key;
    double value = f64_of_key(key);
    const double two63 = 9223372036854775808.0;
    if (value >= two63) return INT64_MAX;
    return value < -two63 ? INT64_MIN : (int64_t)value;
}

const char *qn_categories_string(const struct qn_categories *set, uint32_t code, uint64_t *bytes)
{
    if (set->offsets == NULL || code >= set->count) {
        *bytes = 0;
        return "";
    }
    *bytes = (uint64_t)(set->offsets[code + 1] - set->offsets[code]);
    return set->bytes_of + set->offsets[code];
}

quern_type qn_categories_type(const struct qn_categories *set)
{
    return set->type;
}
