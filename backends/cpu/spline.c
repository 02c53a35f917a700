/* SPDX-License-Identifier: Apache-2.0
 * Strips of rows at a time, so that all that lies between x and the functions stays in the first-level cache.
 * Values that need more than arithmetic (missing, outside, overflowing) are left to kernels/spline.h.
 *
 * Compiled with -fno-math-errno and -fno-trapping-math (cmake/modules.cmake), which change no value: both
 * sides of a choice may be computed. */
#include "backends/cpu/spline.h"

#include <string.h>

#include "backends/cpu/isa.h"
#include "kernels/spline.h"

enum {
    STRIP = 64,
    FEW_KNOTS = 24,   /* up to so many are compared with every value; beyond, it is searched for */
    MOST_CHOICES = 12 /* … and so many to choose its knots */
};

struct strip {
    double x[STRIP];
    int32_t at[STRIP]; /* the stretch, that is the first function that is not 0 */
    double h[QN_SPLINE_DEGREE + 1][STRIP];
    double knots[2 * QN_SPLINE_DEGREE + 1][STRIP]; /* those around the stretch, gathered */
    float h32[QN_SPLINE_DEGREE + 1][STRIP];
    uint32_t odd[STRIP], n_odd; /* rows for the scalar function */
};

/* What a table says, read once. */
struct spline {
    const uint64_t *table, *base; /* base: the first base knot */
    int32_t k, b, functions;
    uint32_t mode;
    int safe, folded; /* folded: the first function that is not 0 is the last one too */
    double first, last, per_unit;
};

struct spline_loops {
    void (*widen)(const float *, uint32_t n, double *);
    uint32_t (*enter)(const struct spline *, const double *given, uint32_t n, struct strip *);
    void (*stretches)(const struct spline *, uint32_t n, struct strip *);
    void (*basis)(const struct spline *, uint32_t n, struct strip *);
    uint32_t (*overflows)(const struct spline *, uint32_t n, const struct strip *);
    void (*narrow)(const struct spline *, uint32_t n, struct strip *);
    void (*pick_f32)(const struct spline *, uint32_t number, uint32_t n, const struct strip *,
                     float *);
    void (*pick_f64)(const struct spline *, uint32_t number, uint32_t n, const struct strip *,
                     double *);
};

static inline double word_f64(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

#define QN_BODY "backends/cpu/spline_body.h"
#include "backends/cpu/isa_each.h"

static const struct spline_loops *loops(void)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return &spline_loops_avx512;
    case QN_ISA_AVX2: return &spline_loops_avx2;
    default: break;
    }
#endif
    return &spline_loops_baseline;
}

static struct spline read_table(const uint64_t *table)
{
    struct spline s = {.table = table, .base = table + QN_SPLINE_HEAD + table[0]};
    s.k = (int32_t)table[0];
    s.b = (int32_t)table[1];
    s.mode = (uint32_t)table[2] & QN_SPLINE_MODE;
    s.safe = (table[2] & QN_SPLINE_SAFE) != 0;
    s.functions = (int32_t)qn_spline_functions(table);
    s.folded = s.mode == QN_SPLINE_PERIODIC && s.functions == s.k && s.k > 0;
    s.first = word_f64(s.base[0]);
    s.last = word_f64(s.base[s.b - 1]);
    s.per_unit = word_f64(table[3]);
    return s;
}

static void note(struct strip *p, uint32_t row)
{
    p->odd[p->n_odd++] = row;
}

/* Not all rows are between the base knots. Periods are taken away; where the polynomials go on, the loops
 * do what is outside; other rows are odd, and their x becomes one that does no harm. */
static void find_odd(const struct spline *s, const double *given, uint32_t n, struct strip *p)
{
    for (uint32_t i = 0; i < n; i++) {
        double x = given[i];
        p->x[i] = x;
        if (s->mode == QN_SPLINE_PERIODIC && x == x) {
            p->x[i] = qn_spline_wrap(s->first, s->last, x);
            continue;
        }
        if (s->first <= x && x <= s->last) continue;
        if (s->mode == QN_SPLINE_CONTINUE && x == x) continue;
        note(p, i);
        p->x[i] = s->first;
    }
}

/* Rows in which a function overflowed, in order, merged with those that are odd already. */
static void find_overflows(const struct spline *s, uint32_t n, struct strip *p)
{
    uint32_t old[STRIP], n_old = p->n_odd, at = 0;
    memcpy(old, p->odd, n_old * sizeof *old);
    p->n_odd = 0;
    for (uint32_t i = 0; i < n; i++) {
        int bad = at < n_old && old[at] == i;
        at += (uint32_t)bad;
        for (int32_t a = 0; a <= s->k && !bad; a++) bad = p->h[a][i] - p->h[a][i] != 0;
        if (bad) note(p, i);
    }
}

static void odd_rows(const struct spline *s, uint32_t work, uint32_t n_numbers,
                     const uint32_t *numbers, const struct strip *p, const double *x, uint32_t from,
                     union qn_tile *const *out, uint32_t *seen)
{
    for (uint32_t i = 0; i < p->n_odd; i++) {
        uint32_t row = p->odd[i];
        for (uint32_t j = 0; j < n_numbers; j++) {
            double y = qn_spline(s->table, numbers[j], x[row], seen);
            if (work == QN_W_F32)
                out[j]->f32[from + row] = (float)y;
            else
                out[j]->f64[from + row] = y;
        }
    }
}

void qn_splines(uint32_t work, const uint64_t *table, uint32_t n_numbers, const uint32_t *numbers,
                uint32_t n, const union qn_tile *x, union qn_tile *const *out, uint32_t *seen)
{
    const struct spline_loops *f = loops();
    const struct spline s = read_table(table);
    struct strip p;
    double given[STRIP];
    for (uint32_t from = 0; from < n; from += STRIP) {
        uint32_t some = n - from < STRIP ? n - from : STRIP;
        if (work == QN_W_F32)
            f->widen(x->f32 + from, some, given);
        else
            memcpy(given, x->f64 + from, some * sizeof *given);
        p.n_odd = 0;
        int outside = f->enter(&s, given, some, &p) != 0;
        if (outside) find_odd(&s, given, some, &p);
        f->stretches(&s, some, &p);
        f->basis(&s, some, &p);
        if ((!s.safe || outside) && f->overflows(&s, some, &p)) find_overflows(&s, some, &p);
        if (work == QN_W_F32) f->narrow(&s, some, &p);
        for (uint32_t j = 0; j < n_numbers; j++)
            if (work == QN_W_F32)
                f->pick_f32(&s, numbers[j], some, &p, out[j]->f32 + from);
            else
                f->pick_f64(&s, numbers[j], some, &p, out[j]->f64 + from);
        if (p.n_odd != 0) odd_rows(&s, work, n_numbers, numbers, &p, given, from, out, seen);
    }
}
