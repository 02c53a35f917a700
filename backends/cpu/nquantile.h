/* SPDX-License-Identifier: Apache-2.0
 * NQUANTILE of floats in fewer steps than its definition, and with the same bits. A quotient of two short
 * polynomials is so near the normal quantile of what is not far from the median that rounding to a float says, but
 * for one value in some thousand, what rounding the definition's result does. It is asked of both ends of what the
 * quotient's error leaves possible; where they differ, and in the tails, the definition is reckoned. */
#ifndef QN_CPU_NQUANTILE_H
#define QN_CPU_NQUANTILE_H

#include <stdint.h>

void qn_nquantiles_f32(uint32_t n, float *x);

#endif
