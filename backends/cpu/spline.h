/* SPDX-License-Identifier: Apache-2.0
 * Values of B-spline basis functions over a tile (SPLINE, kernels/spline.h): the stretch that a value lies in
 * is found once, and the few functions that are not 0 there are computed once, for all functions wanted. */
#ifndef QN_CPU_SPLINE_H
#define QN_CPU_SPLINE_H

#include "backends/cpu/chain.h"

/* out[i] becomes function numbers[i] at the n values of x, which may be one of them. work: F32 or F64, of
 * x and out. *seen gets QN_SEEN_UNKNOWN OR-ed in. */
void qn_splines(uint32_t work, const uint64_t *table, uint32_t n_numbers, const uint32_t *numbers,
                uint32_t n, const union qn_tile *x, union qn_tile *const *out, uint32_t *seen);

#endif
