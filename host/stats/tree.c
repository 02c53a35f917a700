/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/tree.h"

#include <string.h>

#include "host/core/checked.h"
#include "kernels/program.h"

enum { GROUP_LEVEL = 6 /* a group is a subtree of 2^6 blocks */ };

quern_status qn_tree_open(size_t size, qn_tree_merge *merge, uint32_t lanes, uint64_t first_row,
                          struct qn_tree *t)
{
    *t = (struct qn_tree){
        .size = size, .merge = merge, .lanes = lanes, .first_row = first_row, .end_row = first_row};
    if (first_row % QN_GROUP_ROWS != 0)
        return qn_error(QUERN_INTERNAL, "moments begin at row %llu, not at a multiple of %u",
                        (unsigned long long)first_row, QN_GROUP_ROWS);
    return QUERN_OK;
}

void qn_tree_close(struct qn_tree *t)
{
    qn_free(t->nodes);
    t->nodes = NULL;
}

static char *row_at(const struct qn_tree *t, uint32_t place)
{
    return t->nodes + (size_t)place * t->lanes * t->size;
}

const void *qn_tree_node(const struct qn_tree *t, uint32_t place, uint32_t lane)
{
    return row_at(t, place) + lane * t->size;
}

static quern_status reserve(struct qn_tree *t, uint32_t entries)
{
    size_t count;
    if (entries <= t->room) return QUERN_OK;
    if (entries > QN_TREE_DEPTH || qn_mul_size(entries, t->lanes, &count))
        return qn_error(QUERN_INTERNAL, "moments: %u levels of %u columns", entries, t->lanes);
    char *nodes = qn_realloc(t->nodes, count, t->size);
    if (nodes == NULL) return qn_error_memory("moments", count * t->size);
    t->nodes = nodes;
    t->room = entries;
    return QUERN_OK;
}

/* The top two entries are siblings if they have one level and the left one's place in it is even. */
static int siblings(const struct qn_tree *t)
{
    if (t->depth < 2) return 0;
    uint32_t level = t->entry[t->depth - 2].level;
    return t->entry[t->depth - 1].level == level &&
           ((t->entry[t->depth - 2].first >> level) & 1) == 0;
}

/* Puts a row of nodes on the stack, whose place there is reserved, and joins what belongs together. */
static void put(struct qn_tree *t, const void *nodes, uint64_t first, uint32_t level)
{
    t->entry[t->depth].first = first;
    t->entry[t->depth].level = level;
    if (t->lanes != 0) memcpy(row_at(t, t->depth), nodes, t->lanes * t->size);
    t->depth++;
    while (siblings(t)) {
        t->merge(row_at(t, t->depth - 2), row_at(t, t->depth - 1), t->lanes);
        t->depth--;
        t->entry[t->depth - 1].level++;
    }
}

quern_status qn_tree_push(struct qn_tree *t, const void *nodes, uint64_t rows)
{
    uint64_t groups = rows / QN_GROUP_ROWS + (rows % QN_GROUP_ROWS != 0), end;
    if (rows == 0) return QUERN_OK;
    if (t->end_row % QN_GROUP_ROWS != 0 || qn_add_u64(t->end_row, rows, &end))
        return qn_error(QUERN_INTERNAL, "moments: rows after the last batch, at row %llu",
                        (unsigned long long)t->end_row);
    for (uint64_t g = 0; g < groups; g++) {
        QN_TRY(reserve(t, t->depth + 1));
        put(t, (const char *)nodes + g * t->lanes * t->size,
            t->end_row / QN_BLOCK_ROWS + g * QN_GROUP_BLOCKS, GROUP_LEVEL);
    }
    t->end_row = end;
    return QUERN_OK;
}

quern_status qn_tree_push_blocks(struct qn_tree *t, const void *nodes, uint32_t level)
{
    uint64_t rows = (uint64_t)QN_BLOCK_ROWS << level, end;
    if (level > GROUP_LEVEL || t->end_row % rows != 0 || qn_add_u64(t->end_row, rows, &end))
        return qn_error(QUERN_INTERNAL, "moments: a subtree of level %u at row %llu", level,
                        (unsigned long long)t->end_row);
    QN_TRY(reserve(t, t->depth + 1));
    put(t, nodes, t->end_row / QN_BLOCK_ROWS, level);
    t->end_row = end;
    return QUERN_OK;
}

uint32_t qn_tree_depth(uint64_t rows)
{
    uint32_t depth = 0;
    for (uint64_t blocks = rows / QN_BLOCK_ROWS; blocks != 0; blocks &= blocks - 1) depth++;
    return depth;
}

quern_status qn_tree_restore(struct qn_tree *t, uint64_t rows, const void *nodes)
{
    uint64_t blocks = rows / QN_BLOCK_ROWS, first = 0;
    if (t->end_row != 0 || rows % QN_BLOCK_ROWS != 0)
        return qn_error(QUERN_INTERNAL, "moments: %llu rows cannot be restored",
                        (unsigned long long)rows);
    QN_TRY(reserve(t, qn_tree_depth(rows)));
    for (uint32_t level = QN_TREE_DEPTH; level-- > 0;) {
        if (((blocks >> level) & 1) == 0) continue;
        put(t, (const char *)nodes + (size_t)t->depth * t->lanes * t->size, first, level);
        first += (uint64_t)1 << level;
    }
    t->end_row = rows;
    return QUERN_OK;
}

quern_status qn_tree_append(struct qn_tree *into, const struct qn_tree *next)
{
    if (into->lanes != next->lanes || into->end_row != next->first_row ||
        into->end_row % QN_GROUP_ROWS != 0)
        return qn_error(QUERN_INTERNAL,
                        "moments of %u columns to row %llu and of %u from row %llu "
                        "are not neighbours",
                        into->lanes, (unsigned long long)into->end_row, next->lanes,
                        (unsigned long long)next->first_row);
    QN_TRY(reserve(into, into->depth + next->depth));
    for (uint32_t i = 0; i < next->depth; i++)
        put(into, row_at(next, i), next->entry[i].first, next->entry[i].level);
    into->end_row = next->end_row;
    return QUERN_OK;
}
