/* SPDX-License-Identifier: Apache-2.0
 * The function ops (EXP ... RDIV of kernels/program.h) over n values in place: vectors of the best
 * instruction set, the bits of kernels/functions.h. p0 is the exponent, or what RDIV
 * divides, of those that have one. */
#ifndef QN_CPU_FUNCTIONS_H
#define QN_CPU_FUNCTIONS_H

#include <stdint.h>

void qn_functions_f32(uint32_t code, float p0, uint32_t n, float *x);
void qn_functions_f64(uint32_t code, double p0, uint32_t n, double *x);

/* a to the power of x; out is neither of them. */
void qn_powers_f32(uint32_t n, const float *a, const float *x, float *out);
void qn_powers_f64(uint32_t n, const double *a, const double *x, double *out);

#endif
