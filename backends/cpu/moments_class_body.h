/* SPDX-License-Identifier: Apache-2.0
 * Moments of one block by classes; part of moments_body.h, compiled with it. Vectors run over the columns
 * of a row, whose class says to which sums they go. The 16 canonical lanes are gone through one after
 * another, so that the sums of one lane stay in the nearest cache, in the order in which the fold wants
 * them: 0 and 8, 4 and 12, and so on. */

/* Sums and pivots of a class have room for whole vectors. */
static inline size_t FN(class_pitch)(size_t d)
{
    return d < VW ? d : (d + VW - 1) / VW * VW;
}

/* One row: t = x - p; S1 += t; S2 = fma(t, t, S2). Where `wide` is more than d, what follows the row goes to
 * sums that nobody reads. */
static inline __attribute__((always_inline)) void
FN(class_row)(const ELT *x, size_t d, size_t wide, const double *p, double *s1, double *s2)
{
    size_t i = 0;
    for (; i + VW <= wide; i += VW) {
        FN(vec) t = DIFFERENCE(LOAD(x + i), LOAD_DOUBLE(p + i));
        STORE(s1 + i, ADD(LOAD_DOUBLE(s1 + i), t));
        STORE(s2 + i, FMA(t, t, LOAD_DOUBLE(s2 + i)));
    }
    for (; i < d; i++) {
        double t = (double)x[i] - p[i];
        s1[i] += t;
        s2[i] = __builtin_fma(t, t, s2[i]);
    }
}

static void FN(class_lane)(const struct qn_class_rows *r, uint32_t lane, double *s1, double *s2)
{
    size_t d = r->columns, bytes = d * sizeof(ELT), pitch = FN(class_pitch)(d);
    int64_t ahead = r->stride * (int64_t)QN_BLOCK_ROWS;       /* the same row of the next block */
    int64_t soon = r->stride * (int64_t)(4 * QN_BLOCK_LANES); /* one that this lane comes to */
    memset(s1, 0, r->classes * pitch * sizeof *s1);
    memset(s2, 0, r->classes * pitch * sizeof *s2);
    for (uint32_t i = lane; i < r->rows; i += QN_BLOCK_LANES) {
        const char *row = r->data + (int64_t)i * r->stride;
        uint32_t code = r->codes[i];
        for (size_t k = 0; k < bytes; k += 64) {
            __builtin_prefetch((const void *)((uintptr_t)row + (uintptr_t)ahead + k), 0, 2);
            __builtin_prefetch((const void *)((uintptr_t)row + (uintptr_t)soon + k), 0, 3);
        }
        if (code >= r->classes) continue;
        FN(class_row)
        ((const ELT *)(const void *)row, d, i + 1 < r->rows ? pitch : d,
         r->desk->pivots + code * pitch, s1 + code * pitch, s2 + code * pitch);
    }
}

/* The sums of all lanes, folded, at the beginning of the desk's. */
static void FN(class_sums)(const struct qn_class_rows *r)
{
    size_t size = (size_t)r->classes * FN(class_pitch)(r->columns);
    double *top = r->desk->sums;
    for (uint32_t t = 0; t < QN_BLOCK_LANES; t++) {
        uint32_t lane = (t & 1u) << 3 | (t & 2u) << 1 | (t & 4u) >> 1 | t >> 3;
        FN(class_lane)(r, lane, top, top + size);
        top += 2 * size;
        for (uint32_t m = t; m & 1u; m >>= 1) {
            double *left = top - 4 * size, *right = top - 2 * size;
            size_t i = 0;
            for (; i + VW <= 2 * size; i += VW)
                STORE(left + i, ADD(LOAD_DOUBLE(left + i), LOAD_DOUBLE(right + i)));
            for (; i < 2 * size; i++) left[i] += right[i];
            top = right;
        }
    }
}

/* One class and column with whatever may be in it: missing values, a pivot far off. */
static void FN(class_column)(const struct qn_class_rows *r, uint32_t class, size_t c,
                             double node[4])
{
    double n[QN_BLOCK_LANES], s1[QN_BLOCK_LANES], s2[QN_BLOCK_LANES], p = 0.0;
    for (uint32_t again = 0; again < 2; again++) {
        int any = again != 0;
        memset(n, 0, sizeof n);
        memset(s1, 0, sizeof s1);
        memset(s2, 0, sizeof s2);
        for (uint32_t i = 0; i < r->rows; i++) {
            if (r->codes[i] != class) continue;
            double v = (double)((const ELT *)(const void *)(r->data + (int64_t)i * r->stride))[c];
            if (v != v) continue;
            if (!any) p = v;
            any = 1;
            double t = v - p;
            uint32_t at = i % QN_BLOCK_LANES;
            n[at] += 1.0;
            s1[at] += t;
            s2[at] = __builtin_fma(t, t, s2[at]);
        }
        FN(fold)(n, 1);
        FN(fold)(s1, 1);
        FN(fold)(s2, 1);
        if (again != 0 || !FN(better_pivots)(&p, n, 0.0, s1, s2, 1)) break;
    }
    FN(nodes)(&p, n, 0.0, s1, s2, 1, node);
}

static void FN(class_pivots)(const struct qn_class_rows *r)
{
    const struct qn_class_desk *desk = r->desk;
    size_t d = r->columns, pitch = FN(class_pitch)(d);
    memset(desk->count, 0, r->classes * sizeof *desk->count);
    for (uint32_t i = 0; i < r->rows; i++) {
        uint32_t code = r->codes[i];
        if (code >= r->classes || desk->count[code]++ != 0) continue;
        desk->first[code] = i;
    }
    for (uint32_t k = 0; k < r->classes; k++) {
        if (desk->count[k] == 0) continue;
        const char *row = r->data + (int64_t)desk->first[k] * r->stride;
        for (size_t c = 0; c < pitch; c++)
            desk->pivots[k * pitch + c] = c < d ? (double)((const ELT *)(const void *)row)[c] : 0.0;
    }
}

/* The nodes of a block, by field: n, hi, lo, m2 of [class][column]. */
static void FN(class_block)(const struct qn_class_rows *r, double *restrict out)
{
    size_t d = r->columns, size = (size_t)r->classes * d, pitch = FN(class_pitch)(d);
    const double *s1 = r->desk->sums, *s2 = s1 + r->classes * pitch;
    FN(class_pivots)(r);
    FN(class_sums)(r);
    for (size_t i = 0; i < size; i++) {
        uint32_t k = (uint32_t)(i / d);
        size_t c = i % d, at = k * pitch + c;
        double n = (double)r->desk->count[k], p = r->desk->pivots[at];
        double m = s1[at] / n, hi = p + m, z = hi - p;
        double q = __builtin_fma(-m, s1[at], s2[at]), kept = q > 0.0 ? q : 0.0;
        double node[4] = {n, hi, (p - (hi - z)) + (m - z), kept};
        if (n == 0.0)
            memset(node, 0, sizeof node);
        else if (s1[at] - s1[at] != 0.0 || m * s1[at] > 64.0 * kept)
            FN(class_column)(r, k, c, node);
        for (size_t f = 0; f < 4; f++) out[f * size + i] = node[f];
    }
}
