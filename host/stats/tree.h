/* SPDX-License-Identifier: Apache-2.0
 * Nodes that wait for their sibling: the perfect binary tree over block numbers (docs/numbers.md), row of
 * nodes by row of nodes as they come, for any kind of node. So the result depends on the rows and their
 * order alone. */
#ifndef QN_TREE_H
#define QN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "host/core/status.h"

/* left <- the node of both, `lanes` of each. */
typedef void qn_tree_merge(void *left, const void *right, uint32_t lanes);

enum { QN_TREE_DEPTH = 64 /* one node per level at most, of 64-bit row numbers */ };
struct qn_tree {
    size_t size; /* of a node */
    qn_tree_merge *merge;
    uint32_t lanes, depth;
    uint64_t first_row, end_row;
    struct {
        uint64_t first; /* block number */
        uint32_t level;
    } entry[QN_TREE_DEPTH];
    char *nodes;   /* [entry][lane] */
    uint32_t room; /* entries */
};

/* first_row: where the data of this state begins, a multiple of QN_GROUP_ROWS. */
quern_status qn_tree_open(size_t size, qn_tree_merge *, uint32_t lanes, uint64_t first_row,
                          struct qn_tree *);
void qn_tree_close(struct qn_tree *);
/* The nodes of the next `rows` rows, [group * lanes + lane]. Only the last push may have a number of
 * rows that is not a multiple of QN_GROUP_ROWS. */
quern_status qn_tree_push(struct qn_tree *, const void *nodes, uint64_t rows);
/* One node per lane over the next 2^level whole blocks (level <= 6). The rows so far are a multiple of as
 * many, so the subtree is one of the perfect tree's. */
quern_status qn_tree_push_blocks(struct qn_tree *, const void *nodes, uint32_t level);
/* `next` begins where `into` ends, at a multiple of QN_GROUP_ROWS. */
quern_status qn_tree_append(struct qn_tree *into, const struct qn_tree *next);
/* qn_tree_depth(rows) rows of nodes of whole blocks from row 0 on, into a tree that is new. */
uint32_t qn_tree_depth(uint64_t rows);
quern_status qn_tree_restore(struct qn_tree *, uint64_t rows, const void *nodes);
/* The waiting node of a lane at a place, 0 … depth-1; later ones come after it. */
const void *qn_tree_node(const struct qn_tree *, uint32_t place, uint32_t lane);

#endif
