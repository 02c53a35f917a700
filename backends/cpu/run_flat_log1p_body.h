/* SPDX-License-Identifier: Apache-2.0
 * qn_log1p_f32 (kernels/functions_single.h) of a vector: the same operations without those for arguments that
 * have no 1 + x above zero and below 2^126; log1p_knows() tells. Included by run_flat_body.h. */

#define FMA(a, b, c) ((V)FLAT_CALL(fmadd, ps)((a), (b), (c)))
#define FMS(a, b, c) ((V)FLAT_CALL(fmsub, ps)((a), (b), (c)))
#define NUMBER(c) ((V){0} + (c))

/* Of a NaN and b: b. */
#define LOWER(a, b) ((V)FLAT_CALL(min, ps)((a), (b)))
#define HIGHER(a, b) ((V)FLAT_CALL(max, ps)((a), (b)))

/* Four at a time, step by step: what is computed side by side need not wait. A NaN gives a NaN. */
static inline void FLAT(log1p)(V *x0, V *x1, V *x2, V *x3)
{
    static const float terms[] = {0.10470479f,  -0.131643668f, 0.144782841f, -0.166469648f,
                                  0.199908167f, -0.250001043f, 0.333334506f, -0.5f};
    const V x[4] = {*x0, *x1, *x2, *x3};
    V f[4], p[4], k[4], sum[4];
#define EACH4 for (int i = 0; i < 4; i++)
    EACH4
    {
        const VI cut = (SPLAT(0x3fbfffff) - (VI)(x[i] + 1.0f)) & SPLAT(INT32_MIN >> 8);
        const V scale = (V)(cut + SPLAT(0x3f800000));
        f[i] = FMS(x[i], scale, 1.0f - scale);
        k[i] = __builtin_convertvector(cut, V);
    }
    EACH4 p[i] = FMA(f[i], NUMBER(-0.045125898f), NUMBER(terms[0]));
    for (int term = 1; term < 8; term++) EACH4 p[i] = FMA(p[i], f[i], NUMBER(terms[term]));
    EACH4
    {
        const V high = FMA(k[i], NUMBER(-8.262941e-08f), f[i]);
        const V lost = f[i] - FMA(k[i], NUMBER(8.262941e-08f), high);
        const V low = FMA(k[i], NUMBER(-1.703032e-13f), lost);
        sum[i] = high + FMA(f[i] * f[i], p[i], low);
    }
#undef EACH4
    *x0 = sum[0];
    *x1 = sum[1];
    *x2 = sum[2];
    *x3 = sum[3];
}

/* Whether log1p() has the logarithms of all whose 1 + x lie between low and high, lane by lane. */
static inline int FLAT(log1p_knows)(V low, V high)
{
    return !FLAT_ANY((VI)(low <= 0.0f) | (VI)(high >= 0x1p126f));
}

/* x / n by the reciprocal r of n (run_norm_wide.c). */
static inline V FLAT(quotient)(V x, V n, V r)
{
    const V q = x * r;
    return (V)FLAT_CALL(fnmadd, ps)(FMS(q, n, x), r, q);
}

#undef FMA
#undef FMS
#undef NUMBER
