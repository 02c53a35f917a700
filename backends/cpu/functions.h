/* SPDX-License-Identifier: Apache-2.0
 * The function ops (EXP ... BOX_COX_BACK of kernels/program.h) over n values in place: vectors of the best
 * instruction set, the bits of kernels/functions.h. p0 is the exponent, of those that have one. */
#ifndef QN_CPU_FUNCTIONS_H
#define QN_CPU_FUNCTIONS_H

#include <stdint.h>

void qn_functions_f32(uint32_t code, float p0, uint32_t n, float *x);
void qn_functions_f64(uint32_t code, double p0, uint32_t n, double *x);

#endif
