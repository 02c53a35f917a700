/* SPDX-License-Identifier: Apache-2.0
 * The self test: operations on bit patterns, one per item. A case is four words: op, a, b, c. */
#include "kernels/arith.h"

QN_KERNEL qn_selftest(QN_GLOBAL const qn_u64 *QN_RESTRICT cases, QN_GLOBAL qn_u64 *QN_RESTRICT out,
                      qn_u32 n, qn_u32 items)
{
    qn_u32 i = QN_GROUP() * items + QN_ITEM();
    if (i < n)
        out[i] = qn_arith((qn_u32)cases[4u * i], cases[4u * i + 1u], cases[4u * i + 2u],
                          cases[4u * i + 3u]);
}
