/* SPDX-License-Identifier: Apache-2.0
 * BIN, INTERP and INTERP_MEAN over a tile (kernels/bins.h defines them). */
#ifndef QN_CPU_BINS_H
#define QN_CPU_BINS_H

#include "backends/cpu/chain.h"
#include "backends/cpu/starts.h"

/* Up to so many edges each is compared with every value; beyond, the values are searched for. */
enum { QN_FEW_EDGES = 24 };

/* F32 or F64 -> CODE, by k sorted edges. starts: of the same edges, or NULL. */
void qn_bins_codes(uint32_t work, const uint64_t *edges, uint64_t k, const struct qn_starts *starts,
                   uint32_t n, union qn_tile *);
/* F32 or F64, which it stays. */
void qn_bins_interp(uint32_t code, uint32_t work, const uint64_t *table, uint64_t words,
                    const struct qn_starts *starts, uint32_t n, union qn_tile *);

#endif
