/* SPDX-License-Identifier: Apache-2.0
 * Where the search in a table of BIN or INTERP starts (kernels/bins.h). The range of the sorted numbers is cut
 * into cells; each knows how many numbers lie in the cells before, so that one look leaves one to four steps of
 * the search where there would be ten. Cells are of equal width, or of equally many bit patterns, which
 * are narrow near 0, as a long tail wants them. The search's result is the same. */
#ifndef QN_CPU_STARTS_H
#define QN_CPU_STARTS_H

#include "host/ops/requests.h"

struct qn_knot {
    double x, slope;
};

struct qn_starts {
    /* per cell: how many numbers are in the cells before; NULL: there is no such table */
    uint16_t *first;
    uint32_t k, steps; /* numbers; steps that are left at most */
    uint32_t by_bits, low_key, shift;
    int32_t cells;
    double low, scale;
    float *f32; /* the numbers, one of the two, with 2^steps infinities behind them */
    double *f64;
    int even; /* INTERP: the values are y_step times 0, 1, 2, …, and y_last */
    double y_step, y_last;
    /* INTERP, by place: the knot before it and its slope, and a few more behind the last. NULL: a stretch
     * between unlike knots may give NaN, or an end is outside the knots. */
    struct qn_knot *knots;
};

/* For each op of the batch, if that pays for its rows; else *out is NULL. */
quern_status qn_starts_open(const struct qn_batch *, struct qn_starts **out);
void qn_starts_close(struct qn_starts *, uint32_t n_ops);

/* The least float that is not below an edge: a float is below both or neither. */
float qn_edge_f32(double edge);

/* A number's place in the order of all numbers, by its upper 32 bits; both zeros are one. */
static inline uint32_t qn_key_f32(float x)
{
    union {
        float f;
        uint32_t u;
    } bits = {x + 0.0f};
    return bits.u ^ (bits.u >> 31 != 0 ? 0xffffffffu : 0x80000000u);
}

static inline uint32_t qn_key_f64(double x)
{
    union {
        double f;
        uint64_t u;
    } bits = {x + 0.0};
    uint32_t high = (uint32_t)(bits.u >> 32);
    return high ^ (high >> 31 != 0 ? 0xffffffffu : 0x80000000u);
}

/* The cell; of NaN, some cell. Never falls as x grows. */
static inline int32_t qn_cell_of_key(const struct qn_starts *s, uint32_t key)
{
    uint32_t d = key > s->low_key ? key - s->low_key : 0, last = (uint32_t)s->cells - 1;
    d >>= s->shift;
    return (int32_t)(d < last ? d : last);
}

static inline int32_t qn_cell_of_width_f32(const struct qn_starts *s, float x)
{
    float t = (x - (float)s->low) * (float)s->scale, last = (float)(s->cells - 1);
    t = t > 0 ? t : 0;
    return (int32_t)(t < last ? t : last);
}

static inline int32_t qn_cell_of_width_f64(const struct qn_starts *s, double x)
{
    double t = (x - s->low) * s->scale, last = (double)(s->cells - 1);
    t = t > 0 ? t : 0;
    return (int32_t)(t < last ? t : last);
}

#endif
