/* SPDX-License-Identifier: Apache-2.0
 * Counting the distinct values of a column: the workers' local tables in front of the shards
 * (categories_internal.h has the picture). */
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_hash.h"
#include "host/stats/categories_internal.h"

/* ---- a worker's own table ---- */

void qn_locals_free(struct qn_categories *set)
{
    for (uint32_t w = 0; w < set->n_locals; w++) {
        qn_free(set->locals[w].lines);
        qn_free(set->locals[w].numbers);
        qn_free(set->locals[w].block);
    }
    qn_free(set->locals);
    set->locals = NULL;
    set->n_locals = 0;
}

static uint64_t local_bytes(const struct qn_categories *set, uint64_t lines)
{
    return lines *
           (set->key_class == CLASS_STRING ? sizeof(struct line) : sizeof(struct number_line));
}

static uint64_t line_hash(const struct line *line)
{
    if (line->length > SHORT_BYTES) return line->word[0];
    return hash_finish(hash_words4(line->word, line->length));
}

static quern_status local_grow_strings(struct local *local, uint32_t lines)
{
    struct line *larger = qn_alloc_aligned(lines, sizeof *larger);
    if (larger == NULL) return qn_error_memory("categories", (uint64_t)lines * sizeof *larger);
    lines_clear(larger, lines);
    for (uint64_t i = 0; local->lines != NULL && i <= local->mask; i++) {
        const struct line *line = &local->lines[i];
        if (line->length == UINT64_MAX) continue;
        uint64_t at = line_hash(line) & (lines - 1);
        while (larger[at].length != UINT64_MAX) at = (at + 1) & (lines - 1);
        larger[at] = *line;
    }
    qn_free(local->lines);
    local->lines = larger;
    local->mask = lines - 1;
    return QUERN_OK;
}

static struct number_line *number_find(struct number_line *numbers, uint32_t mask, uint64_t key,
                                       uint64_t hash)
{
    uint64_t at = hash & mask;
    while (numbers[at].key != key && numbers[at].code != NO_CODE) at = (at + 1) & mask;
    /* A free line has key 0, which is also a value: whoever finds a line looks at its code. */
    return &numbers[at];
}

static quern_status local_grow_numbers(struct local *local, uint32_t lines)
{
    struct number_line *larger = qn_alloc(lines, sizeof *larger);
    if (larger == NULL) return qn_error_memory("categories", (uint64_t)lines * sizeof *larger);
    memset(larger, 0, (size_t)lines * sizeof *larger);
    for (uint32_t i = 0; i < lines; i++) larger[i].code = NO_CODE;
    for (uint64_t i = 0; local->numbers != NULL && i <= local->mask; i++) {
        const struct number_line *line = &local->numbers[i];
        if (line->code == NO_CODE) continue;
        *number_find(larger, lines - 1, line->key, hash_number(line->key)) = *line;
    }
    qn_free(local->numbers);
    local->numbers = larger;
    local->mask = lines - 1;
    return QUERN_OK;
}

/* Room for one more value: at most a quarter of a small table and half of the largest is used. 0 if
 * the table is as large as it may be. */
static quern_status local_room(struct qn_categories *set, struct local *local, int *room)
{
    uint32_t lines = local->mask + 1;
    *room = local->used < (lines == LOCAL_MOST ? lines / 2 : lines / 4);
    if (*room || lines == LOCAL_MOST) return QUERN_OK;
    uint64_t more = local_bytes(set, (uint64_t)lines * 4) - local_bytes(set, lines);
    if (set->limit != 0 && more > set->limit / 16) return QUERN_OK; /* the shards need it more */
    QN_TRY(qn_categories_charge(set, more));
    quern_status status = set->key_class == CLASS_STRING ? local_grow_strings(local, lines * 4)
                                                         : local_grow_numbers(local, lines * 4);
    if (status != QUERN_OK) qn_categories_discharge(set, more);
    *room = status == QUERN_OK;
    return status;
}

static quern_status locals_open(struct qn_categories *set, uint32_t n)
{
    if (n <= set->n_locals) return QUERN_OK;
    struct local *locals = qn_realloc(set->locals, n, sizeof *locals);
    if (locals == NULL) return qn_error_memory("categories", (uint64_t)n * sizeof *locals);
    set->locals = locals;
    while (set->n_locals < n) {
        struct local *local = &locals[set->n_locals];
        memset(local, 0, sizeof *local);
        QN_TRY(qn_categories_charge(set, local_bytes(set, LOCAL_FIRST) + sizeof *local->block));
        set->n_locals++; /* from here on qn_locals_free looks after it */
        local->block = qn_alloc(1, sizeof *local->block);
        if (local->block == NULL) return qn_error_memory("categories", sizeof *local->block);
        QN_TRY(set->key_class == CLASS_STRING ? local_grow_strings(local, LOCAL_FIRST)
                                              : local_grow_numbers(local, LOCAL_FIRST));
    }
    return QUERN_OK;
}

/* The counts of the local tables go to the shards. Alone, after the workers. */
static void locals_flush(struct qn_categories *set)
{
    for (uint32_t w = 0; w < set->n_locals; w++) {
        struct local *local = &set->locals[w];
        set->missing += local->missing;
        local->missing = 0;
        for (uint64_t i = 0; local->lines != NULL && i <= local->mask; i++) {
            struct line *line = &local->lines[i];
            if (line->count == 0) continue;
            set->shards[line->code % SHARDS].values[line->code / SHARDS].rows += line->count;
            line->count = 0;
        }
        for (uint64_t i = 0; local->numbers != NULL && i <= local->mask; i++) {
            struct number_line *line = &local->numbers[i];
            if (line->count == 0) continue;
            set->shards[line->code % SHARDS].values[line->code / SHARDS].rows += line->count;
            line->count = 0;
        }
    }
}

/* ---- a block ---- */

static void miss(struct block *b, uint32_t row, uint64_t hash)
{
    b->miss_row[b->misses] = (uint16_t)row;
    b->miss_hash[b->misses++] = hash;
}

struct strings {
    const char *text, *end; /* the buffer that the offsets point into, and where it ends */
    const void *offsets;
    uint64_t first;
};

static inline int64_t offset_at(const struct strings *s, uint64_t row, const int wide)
{
    return wide ? ((const int64_t *)s->offsets)[row] : ((const int32_t *)s->offsets)[row];
}

/* The local lookup of every row. words: 2 if no string of the block is longer than 16 bytes. */
static inline void block_strings(struct block *b, struct local *local, const struct strings *s,
                                 const int wide, const int words)
{
    struct line *lines = local->lines;
    const uint32_t mask = local->mask;
    for (uint32_t i = 0; i < b->rows; i++) {
        int64_t from = offset_at(s, s->first + i, wide);
        uint64_t length = (uint64_t)(offset_at(s, s->first + i + 1, wide) - from), hash;
        const char *text = s->text + from;
        struct line *line;
        if (b->any_absent && b->absent[i]) {
            b->code[i] = NO_CODE;
            continue;
        }
        if (words == 4 && length > SHORT_BYTES) {
            hash = qn_hash_long(text, length);
            line = line_find_long(lines, mask, hash, text, length);
        } else {
            uint64_t w[4];
            if (QN_LIKELY(s->end - text >= SHORT_BYTES))
                string_words(w, text, length, words);
            else
                string_words_tail(w, text, length);
            hash = hash_finish(words == 4 ? hash_words4(w, length) : hash_words2(w, length));
            line = line_find(lines, mask, hash, w, length, words);
        }
        if (QN_UNLIKELY(line->length == UINT64_MAX)) {
            miss(b, i, hash);
        } else {
            line->count++;
            b->code[i] = line->code;
        }
    }
}

static inline uint64_t block_longest(const struct block *b, const struct strings *s, const int wide)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t length =
            (uint64_t)(offset_at(s, s->first + i + 1, wide) - offset_at(s, s->first + i, wide));
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* A line of a two-word lookup may hold a longer string: the length tells them apart. */
static inline void block_strings_any(struct block *b, struct local *local, const struct strings *s,
                                     const int wide)
{
    if (block_longest(b, s, wide) <= 16)
        block_strings(b, local, s, wide, 2);
    else
        block_strings(b, local, s, wide, 4);
}

static void block_numbers(struct block *b, struct local *local)
{
    struct number_line *numbers = local->numbers;
    const uint32_t mask = local->mask;
    for (uint32_t i = 0; i < b->rows; i++) {
        if (b->any_absent && b->absent[i]) {
            b->code[i] = NO_CODE;
            continue;
        }
        uint64_t key = b->key[i], hash = hash_number(key);
        struct number_line *line = number_find(numbers, mask, key, hash);
        if (QN_UNLIKELY(line->code == NO_CODE)) {
            miss(b, i, hash);
        } else {
            line->count++;
            b->code[i] = line->code;
        }
    }
}

/* The rows of a local table that is full and of little use go straight to the shards. */
static void block_all_miss(struct block *b, const struct strings *s, const int wide)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        if (b->any_absent && b->absent[i]) {
            b->code[i] = NO_CODE;
            continue;
        }
        if (s == NULL) {
            miss(b, i, hash_number(b->key[i]));
            continue;
        }
        int64_t from = offset_at(s, s->first + i, wide);
        uint64_t length = (uint64_t)(offset_at(s, s->first + i + 1, wide) - from), w[4];
        const char *text = s->text + from;
        if (length > SHORT_BYTES || s->end - text < SHORT_BYTES) {
            miss(b, i, hash_string(text, length));
        } else {
            string_words(w, text, length, 4);
            miss(b, i, hash_finish(hash_words4(w, length)));
        }
    }
}

struct push {
    struct qn_categories *set;
    const quern_column *column;
    uint64_t rows;
    uint32_t *codes;
    struct strings strings;
    pthread_mutex_t lock; /* guards failure */
    struct qn_failure failure;
    _Atomic int failed;
};

static const char *row_text(const struct push *p, uint64_t row, uint64_t *length)
{
    return qn_column_string(p->column, row, length);
}

/* Keeps a value in the worker's table, so that it is found there from now on. key: the number, or
 * where the shard keeps the string. */
static quern_status local_keep(struct push *p, struct local *local, uint64_t row, uint64_t key,
                               uint64_t hash, uint32_t code)
{
    int room;
    QN_TRY(local_room(p->set, local, &room));
    if (!room) return QUERN_OK;
    if (p->set->key_class != CLASS_STRING) {
        struct number_line *line = number_find(local->numbers, local->mask, key, hash);
        if (line->code != NO_CODE) return QUERN_OK; /* another row of the block brought it */
        *line = (struct number_line){.key = key, .code = code};
        local->used++;
        return QUERN_OK;
    }
    uint64_t length;
    const char *text = row_text(p, row, &length);
    struct line *line;
    if (length > SHORT_BYTES) {
        line = line_find_long(local->lines, local->mask, hash, text, length);
    } else {
        uint64_t w[4];
        string_words_tail(w, text, length);
        line = line_find(local->lines, local->mask, hash, w, length, 4);
    }
    if (line->length != UINT64_MAX) return QUERN_OK;
    line_fill(line, text, length, hash, (const char *)(uintptr_t)key);
    line->code = code;
    local->used++;
    return QUERN_OK;
}

/* Misses of one shard, under its lock. */
static quern_status shard_misses(struct push *p, struct shard *shard, unsigned s, struct block *b,
                                 const uint16_t *misses, uint32_t n, uint64_t first)
{
    quern_status status = QUERN_OK;
    int strings = p->set->key_class == CLASS_STRING;
    pthread_mutex_lock(&shard->lock);
    qn_shard_prefetch(shard, b->miss_hash, misses, n);
    for (uint32_t j = 0; j < n && status == QUERN_OK; j++) {
        uint32_t row = b->miss_row[misses[j]], number = 0;
        uint64_t hash = b->miss_hash[misses[j]], length;
        if (strings) {
            const char *text = row_text(p, first + row, &length);
            status = qn_shard_string(p->set, shard, text, length, hash, &number);
        } else {
            status = qn_shard_number(p->set, shard, b->key[row], hash, &number);
        }
        if (status != QUERN_OK) break;
        shard->values[number].rows++;
        b->key[row] = shard->values[number].key;
        b->code[row] = number * SHARDS + s;
    }
    pthread_mutex_unlock(&shard->lock);
    return status;
}

static quern_status block_misses(struct push *p, struct local *local, struct block *b,
                                 uint64_t first)
{
    uint32_t start[SHARDS + 1] = {0}, at[SHARDS];
    for (uint32_t j = 0; j < b->misses; j++) start[shard_of(b->miss_hash[j]) + 1]++;
    for (unsigned s = 0; s < SHARDS; s++) {
        at[s] = start[s];
        start[s + 1] += start[s];
    }
    for (uint32_t j = 0; j < b->misses; j++)
        b->by_shard[at[shard_of(b->miss_hash[j])]++] = (uint16_t)j;
    for (unsigned s = 0; s < SHARDS; s++) {
        uint32_t n = start[s + 1] - start[s];
        if (n == 0) continue;
        QN_TRY(shard_misses(p, &p->set->shards[s], s, b, b->by_shard + start[s], n, first));
    }
    if (local->idle > 0) return QUERN_OK;
    for (uint32_t j = 0; j < b->misses; j++) {
        uint32_t row = b->miss_row[j];
        QN_TRY(local_keep(p, local, first + row, b->key[row], b->miss_hash[j], b->code[row]));
    }
    return QUERN_OK;
}

static void block_lookup(struct push *p, struct local *local, struct block *b, uint64_t first)
{
    const struct strings *s = NULL;
    struct strings strings = p->strings;
    strings.first = first;
    if (p->set->key_class == CLASS_STRING) {
        s = &strings;
        qn_keys_validity(b, p->column, first);
    } else {
        qn_keys_load(b, p->column, first, p->set->key_class);
    }
    b->misses = 0;
    int wide = p->column->offset_bits == 64;
    if (local->idle > 0) {
        if (wide)
            block_all_miss(b, s, 1);
        else
            block_all_miss(b, s, 0);
        local->idle--;
    } else {
        if (s == NULL)
            block_numbers(b, local);
        else if (wide)
            block_strings_any(b, local, s, 1);
        else
            block_strings_any(b, local, s, 0);
        /* A full table that serves less than an eighth of the rows is left alone for a while. */
        if (local->used == LOCAL_MOST / 2 && b->misses > b->rows - b->rows / 8) local->idle = 31;
    }
    for (uint32_t i = 0; b->any_absent && i < b->rows; i++) local->missing += b->absent[i];
}

static void push_task(void *user, uint32_t worker, uint64_t task)
{
    struct push *p = user;
    struct local *local = &p->set->locals[worker];
    struct block *b = local->block;
    uint64_t first = task * BLOCK_ROWS * TASK_BLOCKS;
    for (unsigned k = 0; k < TASK_BLOCKS && first < p->rows; k++, first += BLOCK_ROWS) {
        if (atomic_load_explicit(&p->failed, memory_order_relaxed)) return;
        b->rows = p->rows - first < BLOCK_ROWS ? (uint32_t)(p->rows - first) : BLOCK_ROWS;
        block_lookup(p, local, b, first);
        quern_status status = b->misses > 0 ? block_misses(p, local, b, first) : QUERN_OK;
        if (QN_UNLIKELY(status != QUERN_OK)) {
            pthread_mutex_lock(&p->lock);
            if (!atomic_exchange(&p->failed, 1)) qn_error_take(&p->failure, status);
            pthread_mutex_unlock(&p->lock);
            return;
        }
        if (p->codes != NULL) memcpy(p->codes + first, b->code, b->rows * sizeof *b->code);
    }
}

quern_status qn_categories_push(struct qn_categories *set, struct qn_threads *threads,
                                const quern_column *column, uint64_t rows, uint32_t *codes)
{
    if (set->finished) return qn_error(QUERN_INVALID, "the categories are finished already");
    if (column->type != set->type)
        return qn_error(QUERN_INVALID, "a %s column among categories of type %s",
                        qn_type_name(column->type), qn_type_name(set->type));
    if (rows == 0) return QUERN_OK;
    QN_TRY(locals_open(set, qn_threads_size(threads)));
    struct push p = {.set = set, .column = column, .rows = rows, .codes = codes};
    if (column->type == QUERN_STRING) {
        p.strings = (struct strings){.text = column->data, .offsets = column->offsets};
        p.strings.end = p.strings.text + offset_at(&p.strings, rows, column->offset_bits == 64);
    }
    if (pthread_mutex_init(&p.lock, NULL) != 0)
        return qn_error(QUERN_INTERNAL, "a lock could not be made");
    uint64_t task_rows = (uint64_t)BLOCK_ROWS * TASK_BLOCKS;
    qn_threads_run(threads, (rows - 1) / task_rows + 1, push_task, &p);
    pthread_mutex_destroy(&p.lock);
    locals_flush(set);
    return atomic_load(&p.failed) ? qn_error_put(&p.failure) : QUERN_OK;
}
