/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QN_DIGAMMA_H
#define QN_DIGAMMA_H

#include <stdint.h>

/* The digamma function of 1 … n, to out[1 … n]: the n-th harmonic number's predecessor less Euler's
 * constant (Abramowitz and Stegun, 6.3.2), within a unit in the last place. */
void qn_digamma_table(uint64_t n, double *out);

#endif
