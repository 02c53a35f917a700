/* SPDX-License-Identifier: Apache-2.0
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), which change no value: both
 * sides of a choice may be computed, else few of these loops would become vectors. */
#include "backends/cpu/bins.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "kernels/bins.h"

#if QN_X86
#include <immintrin.h>
#endif

enum {
    TIES = 32, /* so many values at a time are asked whether one of them equals a knot */
    STRETCH =
        256, /* values that are looked up before the next are: what is found stays in the nearest cache */
};

/* An INTERP's table, opened. */
struct map {
    const double *knots, *values, *slopes, *same; /* k each, one behind the other */
    double low, high, y_low, y_high;
    double y_step, y_last; /* of even values */
    int32_t k;
};

/* What the values of a stretch of the tile were found between. */
struct found {
    _Alignas(64) int32_t at[STRETCH];
    double x0[STRETCH], x1[STRETCH], slope[STRETCH];
};

struct bin_loops {
    void (*codes_f32)(const uint64_t *edges, uint32_t k, uint32_t n, const float *, uint32_t *);
    void (*codes_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *, uint32_t *);
    void (*interp)(const struct map *, int mean, const int32_t *at, uint32_t n, double *);
    void (*search_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *, int32_t *at);
    /* with a start table */
    void (*cells_f32)(const struct qn_starts *, uint32_t n, const float *, int32_t *at);
    void (*cells_f64)(const struct qn_starts *, uint32_t n, const double *, int32_t *at);
    void (*look_up)(const struct qn_knot *, uint32_t n, struct found *);
    void (*map_f32)(const struct map *, int mean, int even, uint32_t n, const struct found *,
                    float *);
    void (*map_f64)(const struct map *, int mean, int even, uint32_t n, const struct found *,
                    double *);
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

#define QN_BODY "backends/cpu/bins_body.h"
#include "backends/cpu/isa_each.h"

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

/* ---- searches by a start table ----
 * These loops are compiled for an instruction set without gathers: as many loads take less time. */

#define EACH_PLACE(STEPS)                                                                          \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        int32_t j = first[at[i]];                                                                  \
        STEPS                                                                                      \
        at[i] = j + (x[i] < all[j] ? 0 : 1);                                                       \
    }

/* at: the cells, and then the places, which of NaN and infinity may be above k. */
#define PLACES(numbers)                                                                            \
    do {                                                                                           \
        const uint16_t *first = s->first;                                                          \
        const __typeof__(*(numbers)) *all = numbers;                                               \
        const int32_t half = 1 << s->steps >> 1;                                                   \
        if (half == 1)                                                                             \
            EACH_PLACE()                                                                           \
        else if (half == 2)                                                                        \
            EACH_PLACE(j += x[i] < all[j + 1] ? 0 : 2;)                                            \
        else                                                                                       \
            EACH_PLACE(for (int32_t h = half; h > 1; h >>= 1) j += x[i] < all[j + h - 1] ? 0 : h;) \
    } while (0)

static void places_f32(const struct qn_starts *s, uint32_t n, const float *restrict x,
                       int32_t *restrict at)
{
    PLACES(s->f32);
}

static void places_f64(const struct qn_starts *s, uint32_t n, const double *restrict x,
                       int32_t *restrict at)
{
    PLACES(s->f64);
}

static void find_codes(uint32_t work, const struct qn_starts *s, uint32_t n,
                       const union qn_tile *old, union qn_tile *tile)
{
    const uint32_t k = s->k;
    int32_t at[QN_TILE_ROWS];
    if (work == QN_W_F32) {
        loops()->cells_f32(s, n, old->f32, at);
        places_f32(s, n, old->f32, at);
        for (uint32_t i = 0; i < n; i++)
            tile->code[i] = (uint32_t)at[i] > k || old->f32[i] != old->f32[i] ? k : (uint32_t)at[i];
    } else {
        loops()->cells_f64(s, n, old->f64, at);
        places_f64(s, n, old->f64, at);
        for (uint32_t i = 0; i < n; i++)
            tile->code[i] = (uint32_t)at[i] > k || old->f64[i] != old->f64[i] ? k : (uint32_t)at[i];
    }
}

void qn_bins_codes(uint32_t work, const uint64_t *edges, uint64_t k, const struct qn_starts *starts,
                   uint32_t n, union qn_tile *tile)
{
    union qn_tile old;
    memcpy(&old, tile, n * (work == QN_W_F32 ? sizeof(float) : sizeof(double)));
    if (usable(starts, work))
        find_codes(work, starts, n, &old, tile);
    else if (work == QN_W_F32)
        loops()->codes_f32(edges, (uint32_t)k, n, old.f32, tile->code);
    else
        loops()->codes_f64(edges, (uint32_t)k, n, old.f64, tile->code);
}

static struct map open_map(const uint64_t *table, uint64_t words, const struct qn_starts *starts)
{
    const size_t k = (size_t)QN_INTERP_KNOTS(words);
    const double *all = (const double *)(const void *)table, *knots = all + QN_INTERP_HEAD;
    const int even = starts != NULL && starts->even;
    return (struct map){.knots = knots,
                        .values = knots + k,
                        .slopes = knots + 2 * k,
                        .same = knots + 3 * k,
                        .low = all[0],
                        .high = all[1],
                        .y_low = all[2],
                        .y_high = all[3],
                        .y_step = even ? starts->y_step : 0,
                        .y_last = even ? starts->y_last : 0,
                        .k = (int32_t)k};
}

static void map_f32(const struct qn_starts *s, const struct map *map, int mean, uint32_t n,
                    float *x)
{
    struct found f;
    for (uint32_t some; n > 0; n -= some, x += some) {
        some = n < STRETCH ? n : STRETCH;
        loops()->cells_f32(s, some, x, f.at);
        places_f32(s, some, x, f.at);
        loops()->look_up(s->knots, some, &f);
        loops()->map_f32(map, mean, s->even, some, &f, x);
    }
}

static void map_f64(const struct qn_starts *s, const struct map *map, int mean, uint32_t n,
                    double *x)
{
    struct found f;
    for (uint32_t some; n > 0; n -= some, x += some) {
        some = n < STRETCH ? n : STRETCH;
        loops()->cells_f64(s, some, x, f.at);
        places_f64(s, some, x, f.at);
        loops()->look_up(s->knots, some, &f);
        loops()->map_f64(map, mean, s->even, some, &f, x);
    }
}

void qn_bins_interp(uint32_t code, uint32_t work, const uint64_t *table, uint64_t words,
                    const struct qn_starts *starts, uint32_t n, union qn_tile *tile)
{
    union qn_tile wide;
    int32_t at[QN_TILE_ROWS];
    double *x = tile->f64;
    const int mean = code == QN_OP_INTERP_MEAN,
              found = usable(starts, work) && starts->knots != NULL;
    const struct map map = open_map(table, words, found ? starts : NULL);
    if (found && work == QN_W_F32) {
        map_f32(starts, &map, mean, n, tile->f32);
        return;
    }
    if (found) {
        map_f64(starts, &map, mean, n, tile->f64);
        return;
    }
    if (work == QN_W_F32) {
        x = wide.f64;
        for (uint32_t i = 0; i < n; i++) x[i] = (double)tile->f32[i];
    }
    loops()->search_f64(table + QN_INTERP_HEAD, (uint32_t)map.k, n, x, at);
    loops()->interp(&map, mean, at, n, x);
    if (work == QN_W_F32)
        for (uint32_t i = 0; i < n; i++) tile->f32[i] = (float)x[i];
}
