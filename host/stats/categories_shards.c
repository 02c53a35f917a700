/* SPDX-License-Identifier: Apache-2.0
 * The shards: where all distinct values of a set that is being built live, with their counts. */
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_hash.h"
#include "host/stats/categories_internal.h"

/* Memory that finishing will need for one value besides its bytes: sorting and the final arrays. It
 * is counted from the start, so that a set that was accepted can also be finished. */
enum { FINISH_BYTES = 96 };

/* ---- memory ---- */

quern_status qn_categories_charge(struct qn_categories *set, uint64_t bytes)
{
    uint64_t held = atomic_fetch_add_explicit(&set->bytes, bytes, memory_order_relaxed) + bytes;
    if (set->limit == 0) return QUERN_OK;
    uint64_t distinct = atomic_load_explicit(&set->distinct, memory_order_relaxed);
    uint64_t text = atomic_load_explicit(&set->text, memory_order_relaxed);
    if (held + distinct * FINISH_BYTES + text <= set->limit) return QUERN_OK;
    atomic_fetch_sub_explicit(&set->bytes, bytes, memory_order_relaxed);
    return qn_error(QUERN_OUT_OF_MEMORY,
                    "%llu distinct values so far, and more do not fit the limit of %llu bytes",
                    (unsigned long long)distinct, (unsigned long long)set->limit);
}

void qn_categories_discharge(struct qn_categories *set, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&set->bytes, bytes, memory_order_relaxed);
}

static quern_status grow_values(struct qn_categories *set, struct shard *shard)
{
    if (shard->room >= SHARD_VALUES_MOST)
        return qn_error(QUERN_UNSUPPORTED, "more than 2^32 distinct values");
    uint32_t room = shard->room == 0 ? 16 : shard->room * 2;
    if (room > SHARD_VALUES_MOST) room = SHARD_VALUES_MOST;
    int strings = set->key_class == CLASS_STRING;
    uint64_t each = sizeof(struct value) + (strings ? sizeof(struct extent) : 0);
    uint64_t bytes = each * (room - shard->room);
    QN_TRY(qn_categories_charge(set, bytes));
    struct value *values = qn_realloc(shard->values, room, sizeof *values);
    if (values == NULL) goto failed;
    shard->values = values; /* larger than `room` says if the next one fails: harmless */
    if (strings) {
        struct extent *extents = qn_realloc(shard->extents, room, sizeof *extents);
        if (extents == NULL) goto failed;
        shard->extents = extents;
    }
    shard->room = room;
    return QUERN_OK;
failed:
    qn_categories_discharge(set, bytes);
    return qn_error_memory("categories", each * room);
}

static uint64_t shard_hash(const struct qn_categories *set, const struct shard *shard, uint32_t i)
{
    return set->key_class == CLASS_STRING ? shard->extents[i].hash
                                          : hash_number(shard->values[i].key);
}

static quern_status grow_slots(struct qn_categories *set, struct shard *shard)
{
    uint64_t old = shard->slots != NULL ? (uint64_t)shard->slot_mask + 1 : 0;
    uint64_t n = old == 0 ? 32 : old * 2;
    QN_TRY(qn_categories_charge(set, n * sizeof(struct slot)));
    struct slot *slots = qn_zalloc((size_t)n, sizeof *slots);
    if (slots == NULL) {
        qn_categories_discharge(set, n * sizeof *slots);
        return qn_error_memory("categories", n * sizeof *slots);
    }
    uint64_t mask = n - 1;
    for (uint32_t i = 0; i < shard->count; i++) {
        uint64_t hash = shard_hash(set, shard, i), at = hash & mask;
        while (slots[at].number != 0) at = (at + 1) & mask;
        slots[at] = (struct slot){.tag = (uint32_t)(hash >> 32), .number = i + 1};
    }
    qn_free(shard->slots);
    qn_categories_discharge(set, old * sizeof *slots);
    shard->slots = slots;
    shard->slot_mask = (uint32_t)mask;
    return QUERN_OK;
}

/* A copy of the bytes that stays where it is until the set is finished. */
static quern_status keep_text(struct qn_categories *set, struct shard *shard, const char *text,
                              uint64_t length, const char **out)
{
    struct text_chunk *chunk = shard->chunks;
    if (chunk == NULL || chunk->size - chunk->used < length) {
        uint64_t size = chunk == NULL ? 256 : chunk->size < 1 << 19 ? chunk->size * 2 : 1 << 20;
        uint64_t bytes;
        if (size < length) size = length;
        if (qn_add_u64(size, sizeof *chunk, &bytes)) return qn_error_memory("categories", size);
        QN_TRY(qn_categories_charge(set, bytes));
        chunk = qn_alloc((size_t)bytes, 1);
        if (chunk == NULL) {
            qn_categories_discharge(set, bytes);
            return qn_error_memory("categories", bytes);
        }
        *chunk = (struct text_chunk){.next = shard->chunks, .size = size};
        shard->chunks = chunk;
    }
    char *place = (char *)(chunk + 1) + chunk->used;
    if (length > 0) memcpy(place, text, (size_t)length);
    chunk->used += length;
    *out = place;
    return QUERN_OK;
}

/* ---- shards; the caller holds the lock ---- */

static uint32_t shard_append(struct qn_categories *set, struct shard *shard, uint64_t key,
                             uint64_t length, uint64_t hash, uint64_t at)
{
    uint32_t i = shard->count++;
    shard->values[i] = (struct value){.key = key};
    if (set->key_class == CLASS_STRING) {
        shard->extents[i] = (struct extent){.length = length, .hash = hash};
        atomic_fetch_add_explicit(&set->text, length, memory_order_relaxed);
    }
    shard->slots[at] = (struct slot){.tag = (uint32_t)(hash >> 32), .number = i + 1};
    atomic_fetch_add_explicit(&set->distinct, 1, memory_order_relaxed);
    return i;
}

static quern_status shard_reserve(struct qn_categories *set, struct shard *shard)
{
    if (shard->count == shard->room) QN_TRY(grow_values(set, shard));
    if (shard->slots == NULL || shard->count >= (shard->slot_mask >> 1) + 1)
        QN_TRY(grow_slots(set, shard));
    return QUERN_OK;
}

quern_status qn_shard_number(struct qn_categories *set, struct shard *shard, uint64_t key,
                             uint64_t hash, uint32_t *number)
{
    QN_TRY(shard_reserve(set, shard));
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t at = hash & shard->slot_mask;; at = (at + 1) & shard->slot_mask) {
        struct slot slot = shard->slots[at];
        *number = slot.number - 1;
        if (slot.number == 0) {
            *number = shard_append(set, shard, key, 0, hash, at);
            return QUERN_OK;
        }
        if (slot.tag == tag && shard->values[*number].key == key) return QUERN_OK;
    }
}

static const char *shard_text(const struct shard *shard, uint32_t i)
{
    return (const char *)(uintptr_t)shard->values[i].key;
}

quern_status qn_shard_string(struct qn_categories *set, struct shard *shard, const char *text,
                             uint64_t length, uint64_t hash, uint32_t *number)
{
    QN_TRY(shard_reserve(set, shard));
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t at = hash & shard->slot_mask;; at = (at + 1) & shard->slot_mask) {
        struct slot slot = shard->slots[at];
        *number = slot.number - 1;
        if (slot.number == 0) {
            const char *kept = NULL;
            QN_TRY(keep_text(set, shard, text, length, &kept));
            *number = shard_append(set, shard, (uint64_t)(uintptr_t)kept, length, hash, at);
            return QUERN_OK;
        }
        if (slot.tag == tag && shard->extents[*number].length == length &&
            (length == 0 || memcmp(shard_text(shard, *number), text, (size_t)length) == 0))
            return QUERN_OK;
    }
}

/* A large table is three dependent misses away (slot, value, bytes): for a batch of lookups each
 * round fetches one of them for all. */
void qn_shard_prefetch(const struct shard *shard, const uint64_t *hashes, const uint16_t *which,
                       uint32_t n)
{
    if (shard->slots == NULL || shard->slot_mask < 4096) return;
    for (uint32_t j = 0; j < n; j++)
        QN_PREFETCH(&shard->slots[hashes[which[j]] & shard->slot_mask]);
    for (uint32_t j = 0; j < n; j++) {
        uint64_t hash = hashes[which[j]];
        struct slot slot = shard->slots[hash & shard->slot_mask];
        if (slot.number == 0 || slot.tag != (uint32_t)(hash >> 32)) continue;
        QN_PREFETCH(&shard->values[slot.number - 1]);
        if (shard->extents != NULL) QN_PREFETCH(&shard->extents[slot.number - 1]);
    }
    for (uint32_t j = 0; j < n && shard->extents != NULL; j++) {
        uint64_t hash = hashes[which[j]];
        struct slot slot = shard->slots[hash & shard->slot_mask];
        if (slot.number == 0 || slot.tag != (uint32_t)(hash >> 32)) continue;
        QN_PREFETCH(shard_text(shard, slot.number - 1));
    }
}

void qn_shards_free(struct qn_categories *set)
{
    for (unsigned s = 0; s < SHARDS; s++) {
        struct shard *shard = &set->shards[s];
        for (struct text_chunk *chunk = shard->chunks, *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            qn_free(chunk);
        }
        qn_free(shard->slots);
        qn_free(shard->values);
        qn_free(shard->extents);
        shard->chunks = NULL;
        shard->slots = NULL;
        shard->values = NULL;
        shard->extents = NULL;
        shard->count = shard->room = 0;
    }
}

/* ---- merging ---- */

static quern_status add_number(struct qn_categories *set, uint64_t key, uint64_t rows)
{
    uint64_t hash = hash_number(key);
    struct shard *shard = &set->shards[shard_of(hash)];
    uint32_t number;
    QN_TRY(qn_shard_number(set, shard, key, hash, &number));
    shard->values[number].rows += rows;
    return QUERN_OK;
}

static quern_status add_string(struct qn_categories *set, const char *text, uint64_t length,
                               uint64_t rows)
{
    uint64_t hash = hash_string(text, length);
    struct shard *shard = &set->shards[shard_of(hash)];
    uint32_t number;
    QN_TRY(qn_shard_string(set, shard, text, length, hash, &number));
    shard->values[number].rows += rows;
    return QUERN_OK;
}

static quern_status merge_finished(struct qn_categories *into, const struct qn_categories *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        if (from->key_class == CLASS_STRING) {
            uint64_t length = (uint64_t)(from->offsets[i + 1] - from->offsets[i]);
            QN_TRY(add_string(into, from->bytes_of + from->offsets[i], length, from->counts[i]));
        } else {
            QN_TRY(add_number(into, from->keys[i], from->counts[i]));
        }
    }
    return QUERN_OK;
}

static quern_status merge_shard(struct qn_categories *into, const struct qn_categories *from,
                                const struct shard *shard)
{
    for (uint32_t i = 0; i < shard->count; i++) {
        if (from->key_class == CLASS_STRING)
            QN_TRY(add_string(into, shard_text(shard, i), shard->extents[i].length,
                              shard->values[i].rows));
        else
            QN_TRY(add_number(into, shard->values[i].key, shard->values[i].rows));
    }
    return QUERN_OK;
}

quern_status qn_categories_merge(struct qn_categories *into, const struct qn_categories *from)
{
    if (into->finished) return qn_error(QUERN_INVALID, "the categories are finished already");
    if (into == from) return qn_error(QUERN_INVALID, "categories cannot be merged into themselves");
    if (into->type != from->type)
        return qn_error(QUERN_INVALID, "categories of type %s cannot be merged into type %s",
                        qn_type_name(from->type), qn_type_name(into->type));
    if (from->finished) {
        QN_TRY(merge_finished(into, from));
    } else {
        for (unsigned s = 0; s < SHARDS; s++) QN_TRY(merge_shard(into, from, &from->shards[s]));
    }
    into->missing += from->missing;
    return QUERN_OK;
}
