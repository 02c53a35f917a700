/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/moments.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"

enum {
    GROUP_LEVEL = 6, /* a group is a subtree of 2^6 blocks */
    DEPTH = 64       /* one node per level at most, of 64-bit row numbers */
};

struct qn_moments {
    uint32_t lanes, depth;
    uint64_t first_row, end_row;
    struct {
        uint64_t first; /* block number */
        uint32_t level;
    } entry[DEPTH];
    struct qn_node *nodes; /* [entry][lane] */
    uint32_t room;         /* entries */
};

/* Payloads of NaNs differ between machines; one form leaves this file. */
static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

struct qn_node qn_node_merge(struct qn_node a, struct qn_node b)
{
    if (b.n == 0.0) return a;
    if (a.n == 0.0) return b;
    struct qn_node r;
    double delta = (b.hi - a.hi) + (b.lo - a.lo), s, z;
    r.n = a.n + b.n;
    double share = b.n / r.n;
    s = fma(delta, share, a.lo);
    r.hi = a.hi + s;
    z = r.hi - a.hi;
    r.lo = (a.hi - (r.hi - z)) + (s - z);
    r.m2 = fma(delta * delta, a.n * share, a.m2 + b.m2);
    return r;
}

struct qn_node qn_node_impute(struct qn_node node, uint64_t missing, double value)
{
    struct qn_node filled = {(double)missing, value, 0.0, 0.0};
    return qn_node_merge(node, filled);
}

struct qn_standard qn_node_standard(struct qn_node node)
{
    struct qn_standard r = {node.n, (double)NAN, (double)NAN, (double)NAN};
    if (node.n == 0.0) return r;
    r.mean = canonical(node.hi + node.lo);
    r.var = canonical(node.m2 / node.n);
    double lost = node.n * r.mean * DBL_EPSILON;
    double bound = node.n * DBL_EPSILON * r.var + lost * lost;
    r.scale = r.var <= bound ? 1.0 : canonical(sqrt(r.var));
    return r;
}

quern_status qn_moments_open(uint32_t lanes, uint64_t first_row, struct qn_moments **out)
{
    *out = NULL;
    if (first_row % QN_GROUP_ROWS != 0)
        return qn_error(QUERN_INTERNAL, "moments begin at row %llu, not at a multiple of %u",
                        (unsigned long long)first_row, QN_GROUP_ROWS);
    struct qn_moments *m = qn_zalloc(1, sizeof *m);
    if (m == NULL) return qn_error_memory("moments", sizeof *m);
    m->lanes = lanes;
    m->first_row = first_row;
    m->end_row = first_row;
    *out = m;
    return QUERN_OK;
}

void qn_moments_free(struct qn_moments *m)
{
    if (m == NULL) return;
    qn_free(m->nodes);
    qn_free(m);
}

uint64_t qn_moments_rows(const struct qn_moments *m)
{
    return m->end_row - m->first_row;
}

static quern_status reserve(struct qn_moments *m, uint32_t entries)
{
    size_t count;
    if (entries <= m->room) return QUERN_OK;
    if (qn_mul_size(entries, m->lanes, &count)) return qn_error_memory("moments", UINT64_MAX);
    struct qn_node *nodes = qn_realloc(m->nodes, count, sizeof *nodes);
    if (nodes == NULL) return qn_error_memory("moments", count * sizeof *nodes);
    m->nodes = nodes;
    m->room = entries;
    return QUERN_OK;
}

/* The top two entries are siblings if they have one level and the left one's place in it is even. */
static int siblings(const struct qn_moments *m)
{
    if (m->depth < 2) return 0;
    uint32_t level = m->entry[m->depth - 2].level;
    return m->entry[m->depth - 1].level == level &&
           ((m->entry[m->depth - 2].first >> level) & 1) == 0;
}

/* Puts a row of nodes on the stack, whose place there is reserved, and joins what belongs together. */
static void put(struct qn_moments *m, const struct qn_node *nodes, uint64_t first, uint32_t level)
{
    m->entry[m->depth].first = first;
    m->entry[m->depth].level = level;
    if (m->lanes != 0)
        memcpy(m->nodes + (size_t)m->depth * m->lanes, nodes, m->lanes * sizeof *nodes);
    m->depth++;
    while (siblings(m)) {
        struct qn_node *right = m->nodes + (size_t)(m->depth - 1) * m->lanes;
        struct qn_node *left = right - m->lanes;
        for (uint32_t l = 0; l < m->lanes; l++) left[l] = qn_node_merge(left[l], right[l]);
        m->depth--;
        m->entry[m->depth - 1].level++;
    }
}

quern_status qn_moments_push(struct qn_moments *m, const struct qn_node *nodes, uint64_t rows)
{
    uint64_t groups = rows / QN_GROUP_ROWS + (rows % QN_GROUP_ROWS != 0), end;
    if (rows == 0) return QUERN_OK;
    if (m->end_row % QN_GROUP_ROWS != 0 || qn_add_u64(m->end_row, rows, &end))
        return qn_error(QUERN_INTERNAL, "moments: rows after the last batch, at row %llu",
                        (unsigned long long)m->end_row);
    for (uint64_t g = 0; g < groups; g++) {
        QN_TRY(reserve(m, m->depth + 1));
        put(m, nodes + g * m->lanes, m->end_row / QN_BLOCK_ROWS + g * QN_GROUP_BLOCKS, GROUP_LEVEL);
    }
    m->end_row = end;
    return QUERN_OK;
}

quern_status qn_moments_push_blocks(struct qn_moments *m, const struct qn_node *nodes,
                                    uint32_t level)
{
    uint64_t rows = (uint64_t)QN_BLOCK_ROWS << level, end;
    if (level > GROUP_LEVEL || m->end_row % rows != 0 || qn_add_u64(m->end_row, rows, &end))
        return qn_error(QUERN_INTERNAL, "moments: a subtree of level %u at row %llu", level,
                        (unsigned long long)m->end_row);
    QN_TRY(reserve(m, m->depth + 1));
    put(m, nodes, m->end_row / QN_BLOCK_ROWS, level);
    m->end_row = end;
    return QUERN_OK;
}

uint32_t qn_moments_depth(uint64_t rows)
{
    uint32_t depth = 0;
    for (uint64_t blocks = rows / QN_BLOCK_ROWS; blocks != 0; blocks &= blocks - 1) depth++;
    return depth;
}

const struct qn_node *qn_moments_nodes(const struct qn_moments *m)
{
    return m->nodes;
}

quern_status qn_moments_restore(struct qn_moments *m, uint64_t rows, const struct qn_node *nodes)
{
    uint64_t blocks = rows / QN_BLOCK_ROWS, first = 0;
    if (m->end_row != 0 || rows % QN_BLOCK_ROWS != 0)
        return qn_error(QUERN_INTERNAL, "moments: %llu rows cannot be restored",
                        (unsigned long long)rows);
    QN_TRY(reserve(m, qn_moments_depth(rows)));
    for (uint32_t level = DEPTH; level-- > 0;) {
        if (((blocks >> level) & 1) == 0) continue;
        put(m, nodes + (size_t)m->depth * m->lanes, first, level);
        first += (uint64_t)1 << level;
    }
    m->end_row = rows;
    return QUERN_OK;
}

quern_status qn_moments_append(struct qn_moments *into, const struct qn_moments *next)
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
        put(into, next->nodes + (size_t)i * next->lanes, next->entry[i].first,
            next->entry[i].level);
    into->end_row = next->end_row;
    return QUERN_OK;
}

struct qn_node qn_moments_result(const struct qn_moments *m, uint32_t lane)
{
    return qn_moments_result_with(m, lane, (struct qn_node){0.0, 0.0, 0.0, 0.0});
}

struct qn_node qn_moments_result_with(const struct qn_moments *m, uint32_t lane,
                                      struct qn_node open)
{
    struct qn_node r = open;
    for (uint32_t i = m->depth; i-- > 0;)
        r = qn_node_merge(m->nodes[(size_t)i * m->lanes + lane], r);
    r.hi = canonical(r.hi);
    r.lo = canonical(r.lo);
    r.m2 = canonical(r.m2);
    return r;
}
