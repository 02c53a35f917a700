/* SPDX-License-Identifier: Apache-2.0
 * What the files categories*.c share.
 *
 * Building. Every value becomes a key: numbers an order-preserving 64-bit integer, strings their
 * bytes. A set holds SHARDS shards, chosen by the top bits of the hash, each with a lock, a table of
 * (tag, number) slots with linear probing, and its values in order of arrival. In front of them every
 * worker has a small table of its own, `lines`, that needs no lock: with few distinct values
 * practically every row ends there, with many it serves the frequent ones and the rest goes to the
 * shards in batches. So memory grows with the distinct values and not with the threads.
 *
 * A provisional number is (number in its shard) * SHARDS + shard.
 *
 * Finished. Values sorted, with a table of slots; strings of a small set also have lines, which hold
 * up to SHORT_BYTES bytes of the string itself, so that a lookup touches one cache line. */
#ifndef QN_CATEGORIES_INTERNAL_H
#define QN_CATEGORIES_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "host/stats/categories.h"
#include "host/stats/key.h"

enum {
    SHARDS = 16,
    SHORT_BYTES = 32,   /* strings up to here are compared as four words                        */
    BLOCK_ROWS = 1024,  /* rows that are looked up together                                     */
    TASK_BLOCKS = 16,   /* blocks of a task                                                     */
    LOCAL_FIRST = 64,   /* lines of a new local table                                           */
    LOCAL_MOST = 16384, /* … and of the largest                                                 */
    FINAL_LINES_MOST = 4096, /* values up to which a finished set of strings has lines           */
    SHARD_VALUES_MOST = (1 << 28) - 2
};
#define NO_CODE UINT32_MAX

/* How values compare: equal classes have comparable keys. */
enum key_class { CLASS_SIGNED, CLASS_UNSIGNED, CLASS_FLOAT, CLASS_STRING };

/* A string in one cache line. Up to SHORT_BYTES: `word` is the string, padded with zeros. Longer:
 * word[0] is its hash, word[1] the address of a copy that outlives the line. length UINT64_MAX: free. */
struct line {
    uint64_t word[4];
    uint64_t length;
    uint64_t count;
    uint32_t code, reserved;
    uint64_t padding;
};

/* A number with its code; code NO_CODE: free. */
struct number_line {
    uint64_t key, count;
    uint32_t code, reserved;
};

struct slot {
    uint32_t tag;    /* high half of the hash */
    uint32_t number; /* + 1; 0: free          */
};

struct text_chunk {
    struct text_chunk *next;
    uint64_t used, size;
};

/* A distinct value of a shard. key: the number, or the address of the string's bytes. */
struct value {
    uint64_t key, rows;
};
struct extent { /* strings only */
    uint64_t length, hash;
};

struct shard {
    pthread_mutex_t lock;
    struct slot *slots; /* NULL: none yet */
    uint32_t slot_mask; /* slots - 1      */
    uint32_t count, room;
    struct value *values;
    struct extent *extents;
    struct text_chunk *chunks;
};

/* One worker's table: `lines` or `numbers`. */
struct local {
    struct line *lines;
    struct number_line *numbers;
    uint32_t mask, used;
    uint32_t idle;    /* blocks to pass over: the table is full and of little use                 */
    uint64_t missing; /* rows, since the last flush                                               */
    struct block *block; /* scratch of the worker                                                 */
};

struct qn_categories {
    quern_type type;
    enum key_class key_class;
    int finished;
    uint64_t limit;
    _Atomic uint64_t bytes;    /* held */
    _Atomic uint64_t distinct; /* while building */
    _Atomic uint64_t text;     /* bytes of all distinct strings, while building */
    uint64_t missing;
    struct shard shards[SHARDS];
    struct local *locals;
    uint32_t n_locals;

    /* finished */
    uint32_t count;
    uint64_t *keys;   /* numbers */
    int64_t *offsets; /* strings: count + 1 */
    char *bytes_of;   /* strings, with SHORT_BYTES readable behind the last */
    uint64_t *counts;
    struct slot *slots;
    uint32_t slot_mask;
    struct line *lines; /* small sets of strings, or NULL */
    uint32_t line_mask;
    uint32_t *final_of[SHARDS]; /* provisional number in a shard -> code */
    uint32_t provisional[SHARDS];
};

/* ---- categories_keys.c: columns as blocks of keys ---- */

/* A block of rows on its way. Numbers fill keys; strings fill text and length. */
struct block {
    uint64_t key[BLOCK_ROWS];
    const char *text[BLOCK_ROWS];
    uint8_t absent[BLOCK_ROWS];  /* 1: missing; meaningful if any_absent                         */
    uint8_t foreign[BLOCK_ROWS]; /* 1: no key of the set's class can equal it                    */
    uint32_t code[BLOCK_ROWS];
    uint64_t miss_hash[BLOCK_ROWS];
    uint16_t miss_row[BLOCK_ROWS], by_shard[BLOCK_ROWS];
    uint32_t rows, misses;
    int any_absent, any_foreign;
};

enum key_class qn_key_class(quern_type type);
/* Numbers: keys of the column's rows [first, first + block->rows) in class `as`. */
void qn_keys_load(struct block *, const quern_column *, uint64_t first, enum key_class as);
/* absent[] from the validity bitmap alone. */
void qn_keys_validity(struct block *, const quern_column *, uint64_t first);
/* Where one key lands in another class; 0 if it has no equal there. */
int qn_key_convert(uint64_t *key, enum key_class from, enum key_class to);

static inline uint64_t key_of_i64(int64_t value)
{
    return (uint64_t)value ^ ((uint64_t)1 << 63);
}

static inline int64_t i64_of_key(uint64_t key)
{
    return (int64_t)(key ^ ((uint64_t)1 << 63));
}

/* ---- categories_shards.c ---- */

/* Counts `bytes` more as held; refused, with the count of values so far, beyond the limit. */
quern_status qn_categories_charge(struct qn_categories *, uint64_t bytes);
void qn_categories_discharge(struct qn_categories *, uint64_t bytes);
/* The number of a value in its shard, new if need be. The caller holds the lock. */
quern_status qn_shard_number(struct qn_categories *, struct shard *, uint64_t key, uint64_t hash,
                             uint32_t *number);
quern_status qn_shard_string(struct qn_categories *, struct shard *, const char *text,
                             uint64_t length, uint64_t hash, uint32_t *number);
/* Brings what lookups of these hashes will touch closer. */
void qn_shard_prefetch(const struct shard *, const uint64_t *hashes, const uint16_t *which,
                       uint32_t n);
void qn_shards_free(struct qn_categories *);

static inline unsigned shard_of(uint64_t hash)
{
    return (unsigned)(hash >> 60);
}

/* ---- categories_build.c ---- */
void qn_locals_free(struct qn_categories *);

/* ---- categories_sort.c ---- */

/* Something to sort: numbers by key; strings by bytes, text[id] of length[id], where key holds the
 * first bytes. */
struct sortable {
    uint64_t key;
    uint64_t id;
};
void qn_sort_numbers(struct sortable *items, struct sortable *scratch, uint64_t n);
struct string_ref {
    const char *text;
    uint64_t length;
};
void qn_sort_strings(struct sortable *items, struct sortable *scratch, uint64_t n,
                     const struct string_ref *refs);

/* ---- categories_encode.c ---- */
/* Fills slots and lines of a set whose values are in place. */
quern_status qn_categories_index(struct qn_categories *);

#endif
