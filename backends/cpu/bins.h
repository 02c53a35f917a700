/* SPDX-License-Identifier: Apache-2.0
 * BIN, INTERP and INTERP_MEAN over a tile (kernels/bins.h defines them). */
#ifndef QN_CPU_BINS_H
#define QN_CPU_BINS_H

#include "backends/cpu/chain.h"

/* F32 or F64 -> CODE, by k sorted edges. */
void qn_bins_codes(uint32_t work, const uint64_t *edges, uint64_t k, uint32_t n, union qn_tile *);
/* F32 or F64, which it stays. */
void qn_bins_interp(uint32_t code, uint32_t work, const uint64_t *table, uint64_t words, uint32_t n,
                    union qn_tile *);

#endif
