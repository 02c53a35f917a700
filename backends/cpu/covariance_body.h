/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of a few columns with a few others over the rows of a block, in registers.
 * covariance.c sets QN_SUFFIX and what a vector is, and includes this. Each pair of columns has one sum, to
 * which the rows are added one after another, so neither the tile nor the vector can be seen. */
#define COV(name) QN_PASTE(name, QN_SUFFIX)

#define START(i) VEC s##i = ZERO, t##i = ZERO;
#define STEP(i)                                                                                    \
    x = SPREAD(p[i]);                                                                              \
    s##i = FMA(x, y, s##i);                                                                        \
    t##i = FMA(x, z, t##i);
#define FINISH(i)                                                                                  \
    STORE(sums + (size_t)(i)*pitch, ADD(LOAD(sums + (size_t)(i)*pitch), s##i));                    \
    STORE(sums + (size_t)(i)*pitch + LANES, ADD(LOAD(sums + (size_t)(i)*pitch + LANES), t##i));

/* ABREAST columns of p with 2 * LANES of q, packed in rows of `pitch`. */
static void COV(tile)(const double *p, const double *q, size_t pitch, size_t rows, double *sums)
{
    EACH(START)
    for (size_t r = 0; r < rows; r++, p += pitch, q += pitch) {
        VEC y = LOAD(q), z = LOAD(q + LANES), x;
        EACH(STEP)
    }
    EACH(FINISH)
}

/* All pairs of two panels; of one with itself those on and above the diagonal, and a few below. */
static void COV(panels)(const double *p, const double *q, int same, size_t pitch, size_t rows,
                        double *sums)
{
    for (size_t i = 0; i < pitch; i += ABREAST)
        for (size_t j = 0; j < pitch; j += (size_t)2 * LANES)
            if (!same || j + (size_t)2 * LANES > i)
                COV(tile)(p + i, q + j, pitch, rows, sums + i * pitch + j);
}

#undef COV
#undef START
#undef STEP
#undef FINISH
#undef VEC
#undef LANES
#undef ABREAST
#undef EACH
#undef ZERO
#undef SPREAD
#undef LOAD
#undef STORE
#undef ADD
#undef FMA
