/* SPDX-License-Identifier: Apache-2.0
 * The loops of nquantile.c, compiled once per instruction set: QN_SUFFIX names the variant. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)
#if QN_LEVEL == 0 /* a fused one is a call, and the error is not of rounding */
#define STEP(p, z, a) ((p) * (z) + (a))
#else
#define STEP(p, z, a) QN_FMA(p, z, a)
#endif

/* x = c P(z) / Q(z) for p = 1/2 + c, z = c c, |c| <= 0.47: minimax in the relative error, which is below 2^-36.8
 * (Lawson's weights on a linearised fit; tests/unit/test_nquantile.c looks at every float). */
static inline double FN(quotient)(double c)
{
    const double z = c * c;
    double p = 52.2447686235193, q = 84.29849846415813;
    p = STEP(p, z, -426.82120634236395);
    q = STEP(q, z, -349.112737572028);
    p = STEP(p, z, 761.1344597431693);
    q = STEP(q, z, 471.61585534782984);
    p = STEP(p, z, -565.6759478616899);
    q = STEP(q, z, -296.6729376750029);
    p = STEP(p, z, 205.6784401632716);
    q = STEP(q, z, 96.0407399795567);
    p = STEP(p, z, -36.367258058235095);
    q = STEP(q, z, -15.55563440811391);
    p = STEP(p, z, 2.5066282746500095);
    q = STEP(q, z, 1.0);
    return c * p / q;
}

/* n <= TOGETHER */
static void FN(part)(uint32_t n, float *restrict x)
{
    _Alignas(64) float quick[TOGETHER], rest[TOGETHER];
    _Alignas(64) uint32_t unsure[TOGETHER];
    uint32_t index[TOGETHER], left = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double c = (double)x[i] - 0.5, y = FN(quotient)(c);
        const float less = (float)(y - 0x1p-36 * y), more = (float)(y + 0x1p-36 * y);
        quick[i] = less;
        unsure[i] = less == more && c >= -0.47 && c <= 0.47 ? 0 : 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        index[left] = i;
        left += unsure[i];
    }
    for (uint32_t k = 0; k < left; k++) rest[k] = x[index[k]];
    for (uint32_t k = left; k % VECTOR != 0; k++) rest[k] = 0.5f; /* no values one by one */
    for (uint32_t k = 0; k < left; k += VECTOR)
        for (uint32_t l = 0; l < VECTOR; l++) rest[k + l] = qn_nquantile_f32(rest[k + l]);
    for (uint32_t i = 0; i < n; i++) x[i] = quick[i];
    for (uint32_t k = 0; k < left; k++) x[index[k]] = rest[k];
}

#undef STEP
#undef FN
