/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/pairs.h"

#include <math.h>

#include "host/stats/moments.h"

static double step(struct qn_node a, struct qn_node b)
{
    return (b.hi - a.hi) + (b.lo - a.lo);
}

struct qn_pair qn_pair_merge(struct qn_pair a, struct qn_pair b)
{
    if (b.value.n == 0.0) return a;
    if (a.value.n == 0.0) return b;
    struct qn_pair r;
    r.value = qn_node_merge(a.value, b.value);
    r.target = qn_node_merge(a.target, b.target);
    r.product = fma(step(a.value, b.value) * step(a.target, b.target),
                    a.value.n * (b.value.n / r.value.n), a.product + b.product);
    return r;
}

/* Products are with differences from the mean of all targets, which zeros add nothing to; so only that
 * mean moves, from the stored rows' to that of all. */
struct qn_pair qn_pair_zeros(struct qn_pair stored, struct qn_node all, uint64_t zeros)
{
    struct qn_node empty = {(double)zeros, 0.0, 0.0, 0.0};
    double sum = stored.value.n * (stored.value.hi + stored.value.lo);
    struct qn_pair r = {qn_node_merge(stored.value, empty), all, 0.0};
    if (stored.value.n != 0.0) r.product = fma(sum, step(all, stored.target), stored.product);
    return r;
}

static void merge_pairs(void *left, const void *right, uint32_t lanes)
{
    struct qn_pair *a = left;
    const struct qn_pair *b = right;
    for (uint32_t l = 0; l < lanes; l++) a[l] = qn_pair_merge(a[l], b[l]);
}

quern_status qn_pairs_open(uint32_t lanes, struct qn_tree *out)
{
    return qn_tree_open(sizeof(struct qn_pair), merge_pairs, lanes, 0, out);
}

/* Payloads of NaNs differ between machines; one form leaves this file. */
static double canonical(double x)
{
    return x == x ? x : (double)NAN;
}

struct qn_pair qn_pairs_result(const struct qn_tree *tree, uint32_t lane)
{
    struct qn_pair r = {{0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, 0.0};
    for (uint32_t i = tree->depth; i-- > 0;)
        r = qn_pair_merge(*(const struct qn_pair *)qn_tree_node(tree, i, lane), r);
    r.value.hi = canonical(r.value.hi);
    r.value.lo = canonical(r.value.lo);
    r.value.m2 = canonical(r.value.m2);
    r.product = canonical(r.product);
    return r;
}
