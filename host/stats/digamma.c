/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/digamma.h"

#include <math.h>

void qn_digamma_table(uint64_t n, double *out)
{
    /* Euler's constant, and what a double takes from it */
    double sum = -0.5772156649015329, lost = 4.942915152430645e-18;
    for (uint64_t k = 1; k <= n; k++) {
        out[k] = sum + lost;
        double x = (double)k, term = 1.0 / x, rest = fma(-term, x, 1.0) / x;
        double next = sum + term, part = next - sum;
        lost += (sum - (next - part)) + (term - part) + rest;
        sum = next;
    }
}
