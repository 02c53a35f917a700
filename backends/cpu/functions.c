/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), which change no value: a
 * square root need not set errno, and both sides of a choice may be computed. Without them most of these
 * loops would not become vectors. */
#include "backends/cpu/functions.h"

#include "backends/cpu/isa.h"
#include "backends/cpu/nquantile.h"
#include "kernels/functions.h"

struct function_loops {
    void (*f32)(uint32_t code, float p0, uint32_t n, float *);
    void (*f64)(uint32_t code, double p0, uint32_t n, double *);
    /* a to the power of x; out is neither of them */
    void (*powers_f32)(uint32_t n, const float *a, const float *x, float *out);
    void (*powers_f64)(uint32_t n, const double *a, const double *x, double *out);
};

/* Rows whose logarithms are kept between the two loops of a power transform. */
enum { POWER_ROWS = 256 };

#define QN_BODY "backends/cpu/functions_body.h"
#include "backends/cpu/isa_each.h"

static const struct function_loops *loops(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &function_loops_avx512;
    case QN_ISA_AVX2: return &function_loops_avx2;
    default: break;
    }
#endif
    return &function_loops_baseline;
}

void qn_functions_f32(uint32_t code, float p0, uint32_t n, float *x)
{
    if (code == QN_OP_NQUANTILE)
        qn_nquantiles_f32(n, x);
    else
        loops()->f32(code, p0, n, x);
}

void qn_functions_f64(uint32_t code, double p0, uint32_t n, double *x)
{
    loops()->f64(code, p0, n, x);
}

void qn_powers_f32(uint32_t n, const float *a, const float *x, float *out)
{
    loops()->powers_f32(n, a, x, out);
}

void qn_powers_f64(uint32_t n, const double *a, const double *x, double *out)
{
    loops()->powers_f64(n, a, x, out);
}
