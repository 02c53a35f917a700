/* SPDX-License-Identifier: Apache-2.0
 * From values to codes: the lookup tables of a finished set, whole columns, single values, and the
 * translation of provisional numbers. A finished set is read-only, so all threads share its tables. */
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_hash.h"
#include "host/stats/categories_internal.h"

/* ---- the tables ---- */

static const char *value_text(const struct qn_categories *set, uint32_t code, uint64_t *length)
{
    *length = (uint64_t)(set->offsets[code + 1] - set->offsets[code]);
    return set->bytes_of + set->offsets[code];
}

static uint64_t value_hash(const struct qn_categories *set, uint32_t code)
{
    if (set->key_class != CLASS_STRING) return hash_number(set->keys[code]);
    uint64_t length;
    const char *text = value_text(set, code, &length);
    return hash_string(text, length);
}

static void fill_lines(struct qn_categories *set)
{
    lines_clear(set->lines, (uint64_t)set->line_mask + 1);
    for (uint32_t code = 0; code < set->count; code++) {
        uint64_t length, hash = value_hash(set, code);
        const char *text = value_text(set, code, &length);
        uint64_t at = hash & set->line_mask;
        while (set->lines[at].length != UINT64_MAX) at = (at + 1) & set->line_mask;
        line_fill(&set->lines[at], text, length, hash, text);
        set->lines[at].code = code;
    }
}

/* A large table is filled in random order: places are asked for a few values ahead. */
static void fill_slots(struct qn_categories *set)
{
    uint64_t ahead[16], n = sizeof ahead / sizeof *ahead;
    for (uint64_t code = 0; code < set->count + n; code++) {
        if (code >= n) {
            uint64_t hash = ahead[code % n], at = hash & set->slot_mask;
            while (set->slots[at].number != 0) at = (at + 1) & set->slot_mask;
            set->slots[at] =
                (struct slot){.tag = (uint32_t)(hash >> 32), .number = (uint32_t)(code - n) + 1};
        }
        if (code >= set->count) continue;
        ahead[code % n] = value_hash(set, (uint32_t)code);
        QN_PREFETCH(&set->slots[ahead[code % n] & set->slot_mask]);
    }
}

static uint64_t table_size(uint32_t count, unsigned spread)
{
    uint64_t n = 16;
    while (n < (uint64_t)count * spread) n *= 2;
    return n;
}

quern_status qn_categories_index(struct qn_categories *set)
{
    if (set->key_class == CLASS_STRING && set->count <= FINAL_LINES_MOST) {
        uint64_t n = table_size(set->count, 4);
        set->lines = qn_alloc_aligned((size_t)n, sizeof *set->lines);
        if (set->lines == NULL) return qn_error_memory("categories", n * sizeof *set->lines);
        set->line_mask = (uint32_t)(n - 1);
        fill_lines(set);
        return QUERN_OK;
    }
    uint64_t n = table_size(set->count, 2);
    if (n > (uint64_t)1 << 32) n = (uint64_t)1 << 32;
    set->slots = qn_zalloc((size_t)n, sizeof *set->slots);
    if (set->slots == NULL) return qn_error_memory("categories", n * sizeof *set->slots);
    set->slot_mask = (uint32_t)(n - 1);
    fill_slots(set);
    return QUERN_OK;
}

/* ---- one value ---- */

static inline uint32_t slots_number(const struct qn_categories *set, uint64_t key, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t at = hash & set->slot_mask;; at = (at + 1) & set->slot_mask) {
        struct slot slot = set->slots[at];
        if (slot.number == 0) return NO_CODE;
        if (slot.tag == tag && set->keys[slot.number - 1] == key) return slot.number - 1;
    }
}

static inline uint32_t slots_string(const struct qn_categories *set, const char *text,
                                    uint64_t length, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t at = hash & set->slot_mask;; at = (at + 1) & set->slot_mask) {
        struct slot slot = set->slots[at];
        if (slot.number == 0) return NO_CODE;
        if (slot.tag != tag) continue;
        uint64_t bytes;
        const char *value = value_text(set, slot.number - 1, &bytes);
        if (bytes == length && (length == 0 || memcmp(value, text, (size_t)length) == 0))
            return slot.number - 1;
    }
}

uint32_t qn_categories_find_string(const struct qn_categories *set, const char *text,
                                   uint64_t bytes)
{
    uint32_t code = NO_CODE;
    if (set->key_class == CLASS_STRING && set->lines == NULL) {
        code = slots_string(set, text, bytes, hash_string(text, bytes));
    } else if (set->key_class == CLASS_STRING && bytes > SHORT_BYTES) {
        code = line_find_long(set->lines, set->line_mask, qn_hash_long(text, bytes), text, bytes)
                   ->code;
    } else if (set->key_class == CLASS_STRING) {
        uint64_t w[4];
        string_words_tail(w, text, bytes);
        uint64_t hash = hash_finish(hash_words4(w, bytes));
        code = line_find(set->lines, set->line_mask, hash, w, bytes, 4)->code;
    }
    return code != NO_CODE ? code : set->count + 1;
}

static uint32_t find_key(const struct qn_categories *set, uint64_t key, enum key_class from)
{
    uint32_t code = NO_CODE;
    if (set->key_class != CLASS_STRING && qn_key_convert(&key, from, set->key_class))
        code = slots_number(set, key, hash_number(key));
    return code != NO_CODE ? code : set->count + 1;
}

uint32_t qn_categories_find_f64(const struct qn_categories *set, double value)
{
    if (value != value) return set->count;
    return find_key(set, key_of_f64(value), CLASS_FLOAT);
}

uint32_t qn_categories_find_i64(const struct qn_categories *set, int64_t value)
{
    if (set->key_class == CLASS_UNSIGNED) return find_key(set, (uint64_t)value, CLASS_UNSIGNED);
    return find_key(set, key_of_i64(value), CLASS_SIGNED);
}

/* ---- columns ---- */

struct encode {
    const struct qn_categories *set;
    const quern_column *column;
    uint64_t rows;
    void *out;
    quern_type out_type;
    const char *end; /* strings: behind the last byte */
    _Atomic uint64_t unknown, first;
};

/* 32-bit codes to the width that is asked for. */
static void store_codes(void *out, quern_type type, uint64_t first, const uint32_t *codes,
                        uint32_t rows)
{
    if (type == QUERN_UINT8) {
        uint8_t *to = (uint8_t *)out + first;
        for (uint32_t i = 0; i < rows; i++) to[i] = (uint8_t)codes[i];
    } else if (type == QUERN_UINT16) {
        uint16_t *to = (uint16_t *)out + first;
        for (uint32_t i = 0; i < rows; i++) to[i] = (uint16_t)codes[i];
    } else {
        memcpy((uint32_t *)out + first, codes, rows * sizeof *codes);
    }
}

static inline uint32_t string_code(const struct qn_categories *set, const char *text,
                                   uint64_t length, const char *end, const int words)
{
    if (words == 4 && length > SHORT_BYTES)
        return line_find_long(set->lines, set->line_mask, qn_hash_long(text, length), text, length)
            ->code;
    uint64_t w[4];
    if (QN_LIKELY(end - text >= SHORT_BYTES))
        string_words(w, text, length, words);
    else
        string_words_tail(w, text, length);
    uint64_t hash = hash_finish(words == 4 ? hash_words4(w, length) : hash_words2(w, length));
    return line_find(set->lines, set->line_mask, hash, w, length, words)->code;
}

/* Where a large set's lookups will look, one round for each of the dependent misses. */
static void slots_prefetch(const struct qn_categories *set, const struct block *b)
{
    if (set->slot_mask < 1 << 15) return;
    for (uint32_t i = 0; i < b->rows; i++)
        QN_PREFETCH(&set->slots[b->miss_hash[i] & set->slot_mask]);
    for (int round = 0; round < (set->keys != NULL ? 1 : 2); round++) {
        for (uint32_t i = 0; i < b->rows; i++) {
            struct slot slot = set->slots[b->miss_hash[i] & set->slot_mask];
            if (slot.number == 0 || slot.tag != (uint32_t)(b->miss_hash[i] >> 32)) continue;
            if (set->keys != NULL)
                QN_PREFETCH(&set->keys[slot.number - 1]);
            else if (round == 0)
                QN_PREFETCH(&set->offsets[slot.number - 1]);
            else
                QN_PREFETCH(set->bytes_of + set->offsets[slot.number - 1]);
        }
    }
}

/* A set without lines: hashes first, so that the table's memory can be asked for early. */
static void strings_block_slots(const struct encode *e, struct block *b, uint64_t first)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t length;
        b->text[i] = qn_column_string(e->column, first + i, &length);
        b->key[i] = length;
        if (b->any_absent && b->absent[i]) {
            b->miss_hash[i] = 0;
        } else if (length <= SHORT_BYTES && e->end - b->text[i] >= SHORT_BYTES) {
            uint64_t w[4];
            string_words(w, b->text[i], length, 4);
            b->miss_hash[i] = hash_finish(hash_words4(w, length));
        } else {
            b->miss_hash[i] = hash_string(b->text[i], length);
        }
    }
    slots_prefetch(e->set, b);
    for (uint32_t i = 0; i < b->rows; i++)
        b->code[i] = b->any_absent && b->absent[i]
                         ? e->set->count
                         : slots_string(e->set, b->text[i], b->key[i], b->miss_hash[i]);
}

/* words: 2 if no string of the block is longer than 16 bytes. */
static inline void strings_block(const struct encode *e, struct block *b, uint64_t first,
                                 const int wide, const int words)
{
    const struct qn_categories *set = e->set;
    const char *base = e->column->data;
    const int64_t *o64 = (const int64_t *)e->column->offsets + (wide ? first : 0);
    const int32_t *o32 = (const int32_t *)e->column->offsets + (wide ? 0 : first);
    for (uint32_t i = 0; i < b->rows; i++) {
        int64_t from = wide ? o64[i] : o32[i];
        uint64_t length = (uint64_t)((wide ? o64[i + 1] : o32[i + 1]) - from);
        const char *text = base + from;
        if (b->any_absent && b->absent[i])
            b->code[i] = set->count;
        else
            b->code[i] = string_code(set, text, length, e->end, words);
    }
}

static inline uint64_t longest_string(const struct encode *e, uint32_t rows, uint64_t first,
                                      const int wide)
{
    uint64_t longest = 0;
    const int64_t *o64 = (const int64_t *)e->column->offsets + (wide ? first : 0);
    const int32_t *o32 = (const int32_t *)e->column->offsets + (wide ? 0 : first);
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t length = (uint64_t)(wide ? o64[i + 1] - o64[i] : o32[i + 1] - o32[i]);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static inline void strings_block_any(const struct encode *e, struct block *b, uint64_t first,
                                     const int wide)
{
    if (e->set->lines == NULL)
        strings_block_slots(e, b, first);
    else if (longest_string(e, b->rows, first, wide) <= 16)
        strings_block(e, b, first, wide, 2);
    else
        strings_block(e, b, first, wide, 4);
}

static void numbers_block(const struct encode *e, struct block *b, uint64_t first)
{
    const struct qn_categories *set = e->set;
    qn_keys_load(b, e->column, first, set->key_class);
    for (uint32_t i = 0; i < b->rows; i++) b->miss_hash[i] = hash_number(b->key[i]);
    slots_prefetch(set, b);
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t code = slots_number(set, b->key[i], b->miss_hash[i]);
        if (b->any_foreign && b->foreign[i]) code = NO_CODE;
        b->code[i] = b->any_absent && b->absent[i] ? set->count : code;
    }
}

/* NO_CODE becomes the code of unknown cells. */
static void note_unknown(struct encode *e, struct block *b, uint64_t first)
{
    uint32_t unknown = 0, at = b->rows;
    for (uint32_t i = 0; i < b->rows; i++) unknown += b->code[i] == NO_CODE;
    if (unknown == 0) return;
    for (uint32_t i = b->rows; i-- > 0;) {
        if (b->code[i] != NO_CODE) continue;
        b->code[i] = e->set->count + 1;
        at = i;
    }
    atomic_fetch_add_explicit(&e->unknown, unknown, memory_order_relaxed);
    uint64_t row = first + at, seen = atomic_load_explicit(&e->first, memory_order_relaxed);
    while (row < seen && !atomic_compare_exchange_weak(&e->first, &seen, row)) {
    }
}

static void encode_task(void *user, uint32_t worker, uint64_t task)
{
    struct encode *e = user;
    struct block b;
    uint64_t first = task * BLOCK_ROWS * TASK_BLOCKS;
    (void)worker;
    for (unsigned k = 0; k < TASK_BLOCKS && first < e->rows; k++, first += BLOCK_ROWS) {
        b.rows = e->rows - first < BLOCK_ROWS ? (uint32_t)(e->rows - first) : BLOCK_ROWS;
        if (e->set->key_class != CLASS_STRING) {
            numbers_block(e, &b, first);
        } else {
            qn_keys_validity(&b, e->column, first);
            if (e->column->offset_bits == 64)
                strings_block_any(e, &b, first, 1);
            else
                strings_block_any(e, &b, first, 0);
        }
        note_unknown(e, &b, first);
        store_codes(e->out, e->out_type, first, b.code, b.rows);
    }
}

/* `most` must fit the type. */
static quern_status check_codes(quern_type type, uint64_t most)
{
    uint64_t fits = type == QUERN_UINT8    ? UINT8_MAX
                    : type == QUERN_UINT16 ? UINT16_MAX
                                           : UINT32_MAX;
    if (type != QUERN_UINT8 && type != QUERN_UINT16 && type != QUERN_UINT32)
        return qn_error(QUERN_INVALID, "codes are uint8, uint16 or uint32, not %s",
                        qn_type_name(type));
    if (most > fits)
        return qn_error(QUERN_INVALID, "codes up to %llu do not fit %s", (unsigned long long)most,
                        qn_type_name(type));
    return QUERN_OK;
}

static int comparable(quern_type set, quern_type column)
{
    int as_they_are = set == QUERN_STRING || set == QUERN_DATETIME || column == QUERN_STRING ||
                      column == QUERN_DATETIME;
    return !as_they_are || set == column;
}

quern_status qn_categories_encode(const struct qn_categories *set, struct qn_threads *threads,
                                  const quern_column *column, uint64_t rows, void *out,
                                  quern_type out_type, uint64_t *unknown, uint64_t *first)
{
    *unknown = *first = 0;
    if (!set->finished) return qn_error(QUERN_INVALID, "the categories are not finished");
    QN_TRY(check_codes(out_type, (uint64_t)set->count + 1));
    if (!comparable(set->type, column->type))
        return qn_error(QUERN_INVALID, "a %s column cannot be looked up among %s categories",
                        qn_type_name(column->type), qn_type_name(set->type));
    if (rows == 0) return QUERN_OK;
    struct encode e = {
        .set = set, .column = column, .rows = rows, .out = out, .out_type = out_type};
    atomic_init(&e.unknown, 0);
    atomic_init(&e.first, UINT64_MAX);
    if (column->type == QUERN_STRING)
        e.end = (const char *)column->data + (column->offset_bits == 64
                                                  ? ((const int64_t *)column->offsets)[rows]
                                                  : ((const int32_t *)column->offsets)[rows]);
    uint64_t task_rows = (uint64_t)BLOCK_ROWS * TASK_BLOCKS;
    qn_threads_run(threads, (rows - 1) / task_rows + 1, encode_task, &e);
    *unknown = atomic_load(&e.unknown);
    if (*unknown > 0) *first = atomic_load(&e.first);
    return QUERN_OK;
}

/* ---- provisional numbers ---- */

struct renumber {
    const struct qn_categories *set;
    const uint32_t *codes;
    uint64_t rows;
    void *out;
    quern_type out_type;
};

static void renumber_task(void *user, uint32_t worker, uint64_t task)
{
    const struct renumber *r = user;
    uint32_t codes[BLOCK_ROWS];
    uint64_t first = task * BLOCK_ROWS * TASK_BLOCKS;
    (void)worker;
    for (unsigned k = 0; k < TASK_BLOCKS && first < r->rows; k++, first += BLOCK_ROWS) {
        uint32_t rows = r->rows - first < BLOCK_ROWS ? (uint32_t)(r->rows - first) : BLOCK_ROWS;
        for (uint32_t i = 0; i < rows; i++) {
            uint32_t code = r->codes[first + i];
            codes[i] =
                code == NO_CODE ? r->set->count : r->set->final_of[code % SHARDS][code / SHARDS];
        }
        store_codes(r->out, r->out_type, first, codes, rows);
    }
}

quern_status qn_categories_renumber(const struct qn_categories *set, struct qn_threads *threads,
                                    const uint32_t *codes, uint64_t rows, void *out,
                                    quern_type out_type)
{
    if (!set->finished) return qn_error(QUERN_INVALID, "the categories are not finished");
    QN_TRY(check_codes(out_type, set->count));
    if (rows == 0) return QUERN_OK;
    struct renumber r = {
        .set = set, .codes = codes, .rows = rows, .out = out, .out_type = out_type};
    uint64_t task_rows = (uint64_t)BLOCK_ROWS * TASK_BLOCKS;
    qn_threads_run(threads, (rows - 1) / task_rows + 1, renumber_task, &r);
    return QUERN_OK;
}
