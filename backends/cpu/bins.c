/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), which change no value: both
 * sides of a choice may be computed, else few of these loops would become vectors. */
#include "backends/cpu/bins.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "kernels/bins.h"

/* So many values at a time are asked whether one of them equals a knot. */
enum { TIES = 32 };

struct bin_loops {
    void (*codes_f32)(const uint64_t *edges, uint32_t k, uint32_t n, const float *, uint32_t *);
    void (*codes_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *, uint32_t *);
    void (*interp)(const uint64_t *table, uint64_t words, int mean, const struct qn_starts *,
                   const int32_t *at, uint32_t n, double *);
    void (*search_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *, int32_t *at);
    /* by a start table */
    void (*find_f32)(const struct qn_starts *, uint32_t n, const float *, int32_t *at);
    void (*find_f64)(const struct qn_starts *, uint32_t n, const double *, int32_t *at);
};

static inline double word_f64(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static inline float word_edge_f32(uint64_t word)
{
    return qn_edge_f32(word_f64(word));
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

static int usable(const struct qn_starts *s, uint32_t work)
{
    return s != NULL && s->first != NULL && (s->f32 != NULL) == (work == QN_W_F32);
}

void qn_bins_codes(uint32_t work, const uint64_t *edges, uint64_t k, const struct qn_starts *starts,
                   uint32_t n, union qn_tile *tile)
{
    union qn_tile old;
    int32_t at[QN_TILE_ROWS];
    memcpy(&old, tile, n * (work == QN_W_F32 ? sizeof(float) : sizeof(double)));
    if (usable(starts, work)) {
        if (work == QN_W_F32)
            loops()->find_f32(starts, n, old.f32, at);
        else
            loops()->find_f64(starts, n, old.f64, at);
        for (uint32_t i = 0; i < n; i++) tile->code[i] = (uint32_t)at[i];
        return;
    }
    if (work == QN_W_F32)
        loops()->codes_f32(edges, (uint32_t)k, n, old.f32, tile->code);
    else
        loops()->codes_f64(edges, (uint32_t)k, n, old.f64, tile->code);
}

void qn_bins_interp(uint32_t code, uint32_t work, const uint64_t *table, uint64_t words,
                    const struct qn_starts *starts, uint32_t n, union qn_tile *tile)
{
    union qn_tile wide;
    int32_t at[QN_TILE_ROWS];
    double *x = tile->f64;
    if (!usable(starts, work)) starts = NULL;
    if (starts != NULL && work == QN_W_F32) loops()->find_f32(starts, n, tile->f32, at);
    if (work == QN_W_F32) {
        x = wide.f64;
        for (uint32_t i = 0; i < n; i++) x[i] = (double)tile->f32[i];
    }
    if (starts == NULL)
        loops()->search_f64(table + QN_INTERP_HEAD, (uint32_t)QN_INTERP_KNOTS(words), n, x, at);
    else if (work == QN_W_F64)
        loops()->find_f64(starts, n, x, at);
    loops()->interp(table, words, code == QN_OP_INTERP_MEAN, starts, at, n, x);
    if (work == QN_W_F32)
        for (uint32_t i = 0; i < n; i++) tile->f32[i] = (float)x[i];
}
