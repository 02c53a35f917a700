/* SPDX-License-Identifier: Apache-2.0
 * Row norms of a tile, with the bits of kernels/norm.h. */
#ifndef QN_CPU_NORM_H
#define QN_CPU_NORM_H

#include <stddef.h>
#include <stdint.h>

/* Divides the first `rows` values of n columns by their rows' norms. work is QN_W_F32 or QN_W_F64. */
void qn_norm_tile(uint32_t work, uint32_t kind, uint32_t order, void *const *cols, uint32_t n,
                  uint32_t rows, void *scratch);
/* Bytes of scratch for n columns and up to `rows` rows. */
size_t qn_norm_scratch(uint32_t n, uint32_t rows);

#endif
