/* SPDX-License-Identifier: Apache-2.0
 * Blocks of a line, gathered into packed memory and put back: what the operations that move values share.
 * Values are words of 1, 2, 4 or 8 bytes; their alignment is not assumed. */
#ifndef QN_CPU_MOVE_H
#define QN_CPU_MOVE_H

#include "backends/cpu/sort_keys.h"
#include "host/ops/moves.h"

enum {
    QN_MOVE_BLOCK = 1024,     /* values at a time */
    QN_MOVE_TASK = 1 << 16,   /* values of a task */
    QN_MOVE_STREAM = 8 << 20, /* bytes of a result from which on it is written past the caches */
    QN_MOVE_BYTES = QN_MOVE_BLOCK * 8
};

uint32_t qn_move_size(uint32_t type); /* bytes of a value */

/* n values from `from` on, packed: where they lie, or gathered into `block`. */
const char *qn_move_get(const char *from, int64_t stride, uint32_t size, uint64_t n, char *block);
/* n packed values to `to` and on. */
void qn_move_put(char *to, int64_t stride, uint32_t size, uint64_t n, const char *packed,
                 int stream);
/* How many of at most `most` values make a block, so that blocks written past the caches are whole
 * lines of them. */
uint64_t qn_move_some(const char *to, uint32_t size, uint64_t most, int stream);
/* A line's values as 1 where they are not 0 (NaN is not), else 0. */
void qn_move_mask(const struct qn_lines *, uint64_t line, uint64_t first, uint64_t n,
                  uint8_t *mask);

/* Loops run along the dimension in which the result is dense: whether its dimensions, and then those of
 * all operands, are to be swapped, and whether lines follow each other, so that they can be joined. */
int qn_move_swaps(const struct qn_lines *out);
void qn_move_swap(struct qn_lines *);
int qn_move_joins(const struct qn_lines *);
void qn_move_join(struct qn_lines *);

/* Asks for memory ahead of its use: into the second-level cache, which waits for more lines at a time than
 * the first. */
#if defined(__GNUC__)
#define QN_MOVE_ASK(address) __builtin_prefetch((address), 0, 2)
#else
#define QN_MOVE_ASK(address) ((void)(address))
#endif

static inline uint64_t qn_move_reach(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

#endif
