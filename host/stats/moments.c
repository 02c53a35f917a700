/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/moments.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/stats/tree.h"

struct qn_moments {
    struct qn_tree tree;
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

static void merge_nodes(void *left, const void *right, uint32_t lanes)
{
    struct qn_node *a = left;
    const struct qn_node *b = right;
    for (uint32_t l = 0; l < lanes; l++) a[l] = qn_node_merge(a[l], b[l]);
}

quern_status qn_moments_open(uint32_t lanes, uint64_t first_row, struct qn_moments **out)
{
    *out = NULL;
    struct qn_moments *m = qn_zalloc(1, sizeof *m);
    if (m == NULL) return qn_error_memory("moments", sizeof *m);
    quern_status status =
        qn_tree_open(sizeof(struct qn_node), merge_nodes, lanes, first_row, &m->tree);
    if (status != QUERN_OK) {
        qn_free(m);
        return status;
    }
    *out = m;
    return QUERN_OK;
}

void qn_moments_free(struct qn_moments *m)
{
    if (m == NULL) return;
    qn_tree_close(&m->tree);
    qn_free(m);
}

uint64_t qn_moments_rows(const struct qn_moments *m)
{
    return m->tree.end_row - m->tree.first_row;
}

quern_status qn_moments_push(struct qn_moments *m, const struct qn_node *nodes, uint64_t rows)
{
    return qn_tree_push(&m->tree, nodes, rows);
}

quern_status qn_moments_push_blocks(struct qn_moments *m, const struct qn_node *nodes,
                                    uint32_t level)
{
    return qn_tree_push_blocks(&m->tree, nodes, level);
}

uint32_t qn_moments_depth(uint64_t rows)
{
    return qn_tree_depth(rows);
}

const struct qn_node *qn_moments_nodes(const struct qn_moments *m)
{
    return (const struct qn_node *)(const void *)m->tree.nodes;
}

quern_status qn_moments_restore(struct qn_moments *m, uint64_t rows, const struct qn_node *nodes)
{
    return qn_tree_restore(&m->tree, rows, nodes);
}

quern_status qn_moments_append(struct qn_moments *into, const struct qn_moments *next)
{
    return qn_tree_append(&into->tree, &next->tree);
}

struct qn_node qn_moments_result(const struct qn_moments *m, uint32_t lane)
{
    return qn_moments_result_with(m, lane, (struct qn_node){0.0, 0.0, 0.0, 0.0});
}

struct qn_node qn_moments_result_with(const struct qn_moments *m, uint32_t lane,
                                      struct qn_node open)
{
    struct qn_node r = open;
    for (uint32_t i = m->tree.depth; i-- > 0;)
        r = qn_node_merge(*(const struct qn_node *)qn_tree_node(&m->tree, i, lane), r);
    r.hi = canonical(r.hi);
    r.lo = canonical(r.lo);
    r.m2 = canonical(r.m2);
    return r;
}
