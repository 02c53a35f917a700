/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/columns.h"

#include "backends/cpu/isa.h"

#if QN_X86
#include <immintrin.h>
#endif

#define QN_BODY "backends/cpu/columns_body.h"
#include "backends/cpu/isa_each.h"

typedef void transpose_fn(const char *base, int64_t stride, uint32_t rows, uint32_t columns,
                          uint32_t room, void *out);

void qn_columns_load(const struct qn_strip *strip, uint64_t row, uint32_t rows, uint32_t column,
                     uint32_t columns, uint32_t room, void *out)
{
    int wide = strip->kind == QN_STRIP_DOUBLE;
    transpose_fn *run = wide ? transpose_f64_baseline : transpose_f32_baseline;
#if QN_X86
    enum qn_isa isa = qn_cpu_isa_level();
    if (isa == QN_ISA_AVX512) run = wide ? transpose_f64_avx512 : transpose_f32_avx512;
    if (isa == QN_ISA_AVX2) run = wide ? transpose_f64_avx2 : transpose_f32_avx2;
#endif
    const char *base = strip->base + (int64_t)row * strip->stride +
                       (int64_t)column * (int64_t)(wide ? sizeof(double) : sizeof(float));
    run(base, strip->stride, rows, columns, room, out);
}
