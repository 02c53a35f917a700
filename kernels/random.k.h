/* SPDX-License-Identifier: Apache-2.0
 * Random values (kernels/philox.h), an item per block of 128 bits. */
#include "kernels/move.h"
#include "kernels/philox.h"

/* Values [0, n) of `wide` bytes, 8 or 4, made of the numbers or words from `first` on; blocks of the launch
 * are counted from that of `first`. */
QN_KERNEL qn_random(qn_u64 seed, qn_u64 stream, qn_u64 first, qn_u64 n, qn_u64 blocks, qn_u64 chunk,
                    qn_u32 wide, qn_u32 kind, qn_u64 low, qn_u64 range,
                    QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset, qn_u64 stride)
{
    qn_u32 words[4], each = wide == 8u ? 2u : 4u;
    QN_MOVE_EACH(b, blocks, chunk)
    {
        qn_u64 block = first / each + b;
        qn_philox(seed, stream, block, words);
        for (qn_u32 k = 0u; k < each; k++) {
            qn_u64 at = block * each + k - first; /* before the first: beyond every n */
            if (at < n) {
                QN_GLOBAL unsigned char *to = out + offset + at * stride;
                if (wide == 8u)
                    *(QN_GLOBAL qn_u64 *)to = qn_random_wide(
                        words[2u * k] | (qn_u64)words[2u * k + 1u] << 32, kind, low, range);
                else
                    *(QN_GLOBAL qn_u32 *)to = qn_random_narrow(words[k], kind);
            }
        }
    }
}
