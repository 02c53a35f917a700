/* SPDX-License-Identifier: Apache-2.0
 * The loops of powers.c, compiled once per instruction set: QN_SUFFIX names the variant. In stages over a
 * block, which together take less time than one loop of so many registers. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

/* Puts the pivot in the place of what is missing; how many values there are. */
static uint32_t FN(fill)(uint32_t n, double pivot, double *restrict x)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        double v = x[i];
        count += v == v ? 1u : 0u;
        x[i] = v == v ? v : pivot;
    }
    return (uint32_t)count;
}

static void FN(logs)(const struct qn_powers_at *at, uint32_t n, const double *restrict x,
                     double *restrict s)
{
    double shift = at->shift, scale = at->scale;
    if (at->box_cox != 0.0)
        for (uint32_t i = 0; i < n; i++) s[i] = qn_powers_log_box_cox(x[i], shift, scale);
    else
        for (uint32_t i = 0; i < n; i++) s[i] = qn_powers_log(x[i], shift, scale);
}

static void FN(exponentials)(const struct qn_powers_at *at, uint32_t n, const double *restrict s,
                             double *restrict e)
{
    double up = at->up, down = at->down;
    for (uint32_t i = 0; i < n; i++) e[i] = qn_powers_exp(s[i], up, down);
}

/* n: a multiple of 16. A vector of lanes at a time, whose sums have room in registers. */
static void FN(sums)(const struct qn_powers_at *at, uint32_t n, const double *restrict s,
                     const double *restrict e, const struct qn_powers_terms *first,
                     double (*restrict to)[QN_BLOCK_LANES])
{
    enum { WIDTH = QN_VECTOR_BYTES / sizeof(double) };
    double up = at->up_inverse, down = at->down_inverse;
    struct qn_powers_terms pivot = *first;
    for (uint32_t begin = 0; begin < QN_BLOCK_LANES; begin += WIDTH) {
        double sums[QN_POWERS_SUMS * WIDTH] = {0};
        for (size_t i = begin; i < n; i += QN_BLOCK_LANES)
            for (size_t l = 0; l < WIDTH; l++) {
                struct qn_powers_terms t;
                double v = s[i + l];
                qn_powers_of(v, e[i + l], v < 0.0 ? down : up, &t);
                qn_powers_less(&t, &pivot);
                qn_powers_add(&t, WIDTH, sums + l);
            }
        for (uint32_t k = 0; k < QN_POWERS_SUMS; k++)
            memcpy(to[k] + begin, sums + (size_t)k * WIDTH, WIDTH * sizeof *sums);
    }
}

static const struct powers_loops FN(powers_loops) = {FN(fill), FN(logs), FN(exponentials),
                                                     FN(sums)};

#undef FN
