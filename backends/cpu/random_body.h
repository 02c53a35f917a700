/* SPDX-License-Identifier: Apache-2.0
 * Blocks of Philox side by side, once per instruction set (QN_SUFFIX): loops that the compiler
 * vectorises. */
static void QN_PASTE(blocks, QN_SUFFIX)(uint64_t seed, uint64_t stream, uint64_t first,
                                        uint32_t *restrict words)
{
    uint32_t a[RANDOM_BLOCKS], b[RANDOM_BLOCKS], c[RANDOM_BLOCKS], d[RANDOM_BLOCKS];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t j = 0; j < RANDOM_BLOCKS; j++) {
        a[j] = (uint32_t)(first + j);
        b[j] = (uint32_t)((first + j) >> 32);
        c[j] = (uint32_t)stream;
        d[j] = (uint32_t)(stream >> 32);
    }
    for (int r = 0; r < QN_PHILOX_ROUNDS; r++) {
        for (uint32_t j = 0; j < RANDOM_BLOCKS; j++)
            QN_PHILOX_ROUND(a[j], b[j], c[j], d[j], k0, k1);
        k0 += QN_PHILOX_W0;
        k1 += QN_PHILOX_W1;
    }
    for (uint32_t j = 0; j < RANDOM_BLOCKS; j++) {
        words[4 * j] = a[j];
        words[4 * j + 1] = b[j];
        words[4 * j + 2] = c[j];
        words[4 * j + 3] = d[j];
    }
}
