/* SPDX-License-Identifier: Apache-2.0
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
 * as easy as 1, 2, 3" (SC '11): 128 bits that depend on a counter and a key alone, so that every work-item
 * computes its own, and the same.
 *
 * A seed is the key. A stream and the number of a block of 128 bits are the counter: words 0 and 1 are the
 * block's, 2 and 3 the stream's, low half first. Block b holds the stream's 32-bit words 4 b … 4 b + 3, and
 * its 64-bit numbers 2 b and 2 b + 1, low words first. */
#ifndef QN_PHILOX_H
#define QN_PHILOX_H

#include "kernels/dialect.h"
#include "kernels/program.h"

#define QN_PHILOX_M0 0xD2511F53u
#define QN_PHILOX_M1 0xCD9E8D57u
#define QN_PHILOX_W0 0x9E3779B9u
#define QN_PHILOX_W1 0xBB67AE85u
#define QN_PHILOX_ROUNDS 10

/* One round: the low halves of two products, and their high halves crossed with the other words. */
#define QN_PHILOX_ROUND(c0, c1, c2, c3, k0, k1)                                                    \
    do {                                                                                           \
        qn_u64 p0_ = (qn_u64)QN_PHILOX_M0 * (c0), p1_ = (qn_u64)QN_PHILOX_M1 * (c2);               \
        c0 = (qn_u32)(p1_ >> 32) ^ (c1) ^ (k0);                                                    \
        c2 = (qn_u32)(p0_ >> 32) ^ (c3) ^ (k1);                                                    \
        c1 = (qn_u32)p1_;                                                                          \
        c3 = (qn_u32)p0_;                                                                          \
    } while (0)

QN_FN void qn_philox(qn_u64 seed, qn_u64 stream, qn_u64 block, qn_u32 *out)
{
    qn_u32 c0 = (qn_u32)block, c1 = (qn_u32)(block >> 32);
    qn_u32 c2 = (qn_u32)stream, c3 = (qn_u32)(stream >> 32);
    qn_u32 k0 = (qn_u32)seed, k1 = (qn_u32)(seed >> 32);
    for (int r = 0; r < QN_PHILOX_ROUNDS; r++) {
        QN_PHILOX_ROUND(c0, c1, c2, c3, k0, k1);
        k0 += QN_PHILOX_W0;
        k1 += QN_PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* What is made of the numbers (host/ops/random.h). */
#define QN_RANDOM_BITS 0u
#define QN_RANDOM_UNIFORM 1u
#define QN_RANDOM_INTEGERS 2u

/* The high half of a product. */
QN_FN qn_u64 qn_random_high(qn_u64 a, qn_u64 b)
{
    qn_u64 al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    qn_u64 ll = al * bl, lh = al * bh, hl = ah * bl;
    qn_u64 mid = (ll >> 32) + (lh & 0xffffffffu) + (hl & 0xffffffffu);
    return ah * bh + (lh >> 32) + (hl >> 32) + (mid >> 32);
}

/* Bits of a value of 8 bytes from a number, and of 4 from a word. */
QN_FN qn_u64 qn_random_wide(qn_u64 number, qn_u32 kind, qn_u64 low, qn_u64 range)
{
    if (kind == QN_RANDOM_UNIFORM)
        return QN_BITS64((double)(number >> 11) * 1.1102230246251565e-16);
    return kind == QN_RANDOM_INTEGERS ? low + qn_random_high(number, range) : number;
}

QN_FN qn_u32 qn_random_narrow(qn_u32 word, qn_u32 kind)
{
    return kind == QN_RANDOM_UNIFORM ? QN_BITS32((float)(word >> 8) * 5.9604644775390625e-8f)
                                     : word;
}

#endif
