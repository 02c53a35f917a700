/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QN_NORMAL_H
#define QN_NORMAL_H

/* The standard normal quantile: Wichura, "Algorithm AS 241: The percentage points of the normal
 * distribution", Applied Statistics 37 (1988), PPND16; relative error about 1e-16. p = 0 and 1 give
 * -inf and inf, anything outside NaN. */
double qn_normal_quantile(double p);

#endif
