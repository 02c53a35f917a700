/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), which change no value: both
 * sides of a choice may be computed, else few of these loops would become vectors. */
#include "backends/cpu/bins.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "kernels/bins.h"

/* Up to so many edges each is compared with every value; beyond, the values are searched for. */
enum { FEW_EDGES = 24 };

struct bin_loops {
    void (*codes_f32)(const uint64_t *edges, uint32_t k, uint32_t n, const float *, uint32_t *);
    void (*codes_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *, uint32_t *);
    void (*interp)(const uint64_t *table, uint64_t words, int mean, uint32_t n, double *);
};

static inline double word_f64(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* The smallest float that is not below an edge: a float is below both or neither. */
static inline float edge_f32(uint64_t word)
{
    double edge = word_f64(word);
    float f = (float)edge;
    uint32_t bits;
    if (!((double)f < edge)) return f;
    memcpy(&bits, &f, sizeof bits);
    bits = f == 0 ? 1 : f > 0 ? bits + 1 : bits - 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#define QN_SUFFIX baseline
#include "backends/cpu/bins_body.h"
#undef QN_SUFFIX
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#include "backends/cpu/bins_body.h"
#undef QN_SUFFIX
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#include "backends/cpu/bins_body.h"
#undef QN_SUFFIX
QN_TARGET_END
#endif

static const struct bin_loops *loops(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &bin_loops_avx512;
    case QN_ISA_AVX2: return &bin_loops_avx2;
    default: break;
    }
#endif
    return &bin_loops_baseline;
}

void qn_bins_codes(uint32_t work, const uint64_t *edges, uint64_t k, uint32_t n,
                   union qn_tile *tile)
{
    union qn_tile old;
    memcpy(&old, tile, n * (work == QN_W_F32 ? sizeof(float) : sizeof(double)));
    if (work == QN_W_F32)
        loops()->codes_f32(edges, (uint32_t)k, n, old.f32, tile->code);
    else
        loops()->codes_f64(edges, (uint32_t)k, n, old.f64, tile->code);
}

void qn_bins_interp(uint32_t code, uint32_t work, const uint64_t *table, uint64_t words, uint32_t n,
                    union qn_tile *tile)
{
    union qn_tile wide;
    double *x = tile->f64;
    if (work == QN_W_F32) {
        x = wide.f64;
        for (uint32_t i = 0; i < n; i++) x[i] = (double)tile->f32[i];
    }
    loops()->interp(table, words, code == QN_OP_INTERP_MEAN, n, x);
    if (work == QN_W_F32)
        for (uint32_t i = 0; i < n; i++) tile->f32[i] = (float)x[i];
}
