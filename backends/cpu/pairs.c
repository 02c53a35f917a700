/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/pairs.h"

#include "backends/cpu/classes.h"

enum { VECTOR = 8 }; /* doubles that a vector may write beyond its end */

int qn_pair_desk_open(struct qn_pair_desk *desk)
{
    size_t period = (size_t)QN_BLOCK_LANES * QN_CLASS_COLUMNS;
    *desk = (struct qn_pair_desk){
        .pivots = qn_alloc_aligned(period, sizeof(double)),
        .sums = qn_alloc_aligned(3 * period, sizeof(double)),
        .targets = qn_alloc_aligned(QN_BLOCK_ROWS, sizeof(double)),
        .spread = qn_alloc_aligned(QN_BLOCK_LANES * QN_PAIR_NARROW + VECTOR, sizeof(double)),
        .packed = qn_alloc_aligned((size_t)QN_BLOCK_ROWS * QN_CLASS_CHAINS, sizeof(double))};
    if (desk->pivots != NULL && desk->sums != NULL && desk->targets != NULL &&
        desk->spread != NULL && desk->packed != NULL)
        return 1;
    qn_pair_desk_close(desk);
    return 0;
}

void qn_pair_desk_close(struct qn_pair_desk *desk)
{
    qn_free(desk->pivots);
    qn_free(desk->sums);
    qn_free(desk->targets);
    qn_free(desk->spread);
    qn_free(desk->packed);
    *desk = (struct qn_pair_desk){0};
}
