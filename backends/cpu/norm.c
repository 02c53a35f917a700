/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/norm.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "kernels/norm.h"

#define QN_SUFFIX baseline
#define NORM_F64 0
#include "backends/cpu/norm_body.h"
#define NORM_F64 1
#include "backends/cpu/norm_body.h"
#undef QN_SUFFIX
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define NORM_F64 0
#include "backends/cpu/norm_body.h"
#define NORM_F64 1
#include "backends/cpu/norm_body.h"
#undef QN_SUFFIX
QN_TARGET_END
#endif

void qn_norm_tile(uint32_t work, uint32_t kind, uint32_t order, void *const *cols, uint32_t n,
                  uint32_t rows, void *scratch)
{
#if QN_X86
    if (qn_cpu_isa_level() >= QN_ISA_AVX2) {
        if (work == QN_W_F32)
            tile_f32_avx2(kind, order, cols, n, rows, scratch);
        else
            tile_f64_avx2(kind, order, cols, n, rows, scratch);
        return;
    }
#endif
    if (work == QN_W_F32)
        tile_f32_baseline(kind, order, cols, n, rows, scratch);
    else
        tile_f64_baseline(kind, order, cols, n, rows, scratch);
}

size_t qn_norm_scratch(uint32_t n, uint32_t rows)
{
    size_t levels = 8;
    for (; n > QN_NORM_LEAF; n = (n + 1) / 2 + 8) levels++;
    return levels * rows * sizeof(double);
}
