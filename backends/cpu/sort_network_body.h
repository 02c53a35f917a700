/* SPDX-License-Identifier: Apache-2.0
 * The network for one instruction set (QN_SUFFIX) and type (WORD). */

/* Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M: Batcher's merge exchange, for any n. */
static void QN_PASTE(network, QN_SUFFIX)(WORD *words, uint64_t n)
{
    uint64_t top = 1;
    while (top * 2 < n) top *= 2;
    for (uint64_t p = top; p > 0; p /= 2) {
        uint64_t q = top, r = 0, d = p;
        for (;;) {
            for (uint64_t i = 0; i + d < n; i++) {
                if ((i & p) != r) continue;
                WORD *restrict a = words + i * QN_SORT_ABREAST;
                WORD *restrict b = words + (i + d) * QN_SORT_ABREAST;
#pragma GCC unroll 1 /* else it is unrolled before it can become vectors */
                for (int lane = 0; lane < QN_SORT_ABREAST; lane++) {
                    WORD x = a[lane], y = b[lane];
                    a[lane] = x < y ? x : y;
                    b[lane] = x < y ? y : x;
                }
            }
            if (q == p) break;
            d = q - p;
            q /= 2;
            r = p;
        }
    }
}
