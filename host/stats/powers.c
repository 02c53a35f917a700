/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/powers.h"

#include "kernels/powers_sums.h"

static void merge(void *left, const void *right, uint32_t lanes)
{
    struct qn_powers_node *a = left;
    const struct qn_powers_node *b = right;
    for (uint32_t l = 0; l < lanes; l++) qn_powers_join(&a[l], &b[l]);
}

quern_status qn_powers_open(uint32_t lanes, struct qn_tree *out)
{
    return qn_tree_open(sizeof(struct qn_powers_node), merge, lanes, 0, out);
}

struct qn_powers_node qn_powers_result(const struct qn_tree *tree, uint32_t lane)
{
    struct qn_powers_node r = {0};
    for (uint32_t i = tree->depth; i-- > 0;) {
        struct qn_powers_node a = *(const struct qn_powers_node *)qn_tree_node(tree, i, lane);
        qn_powers_join(&a, &r);
        r = a;
    }
    return r;
}
