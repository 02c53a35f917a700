/* SPDX-License-Identifier: Apache-2.0
 * Moments of one block of pairs; part of moments_body.h, compiled with it. What the targets alone give is
 * summed once for all columns; then vectors run over the columns of a row, or over the positions of a
 * period where rows are narrow. A column with missing values, or whose first value is far off, is done
 * again by itself. */

#if QN_LEVEL == 2
#define SET1(a) _mm512_set1_pd(a)
#elif QN_LEVEL == 1
#define SET1(a) _mm256_set1_pd(a)
#else
#define SET1(a) ((FN(vec)){(a), (a)})
#endif

/* The targets' pivot, and their sums about it. */
struct FN(targets) {
    double q, t1, t2;
};

static void FN(target_sums)(const double *y, uint32_t rows, struct FN(targets) * t)
{
    double t1[QN_BLOCK_LANES] = {0}, t2[QN_BLOCK_LANES] = {0};
    uint32_t i = 0;
    FN(vec) q = SET1(t->q);
    for (; i + QN_BLOCK_LANES <= rows; i += QN_BLOCK_LANES)
        for (uint32_t l = 0; l < QN_BLOCK_LANES; l += VW) {
            FN(vec) u = SUB(LOAD_DOUBLE(y + i + l), q);
            STORE(t1 + l, ADD(LOAD_DOUBLE(t1 + l), u));
            STORE(t2 + l, FMA(u, u, LOAD_DOUBLE(t2 + l)));
        }
    for (uint32_t l = 0; i < rows; i++, l++) {
        double u = y[i] - t->q;
        t1[l] += u;
        t2[l] = __builtin_fma(u, u, t2[l]);
    }
    FN(fold)(t1, 1);
    FN(fold)(t2, 1);
    t->t1 = t1[0];
    t->t2 = t2[0];
}

static struct FN(targets) FN(targets_of)(const double *y, uint32_t rows)
{
    struct FN(targets) t = {.q = y[0]};
    FN(target_sums)(y, rows, &t);
    if (FN(better_pivots)(&t.q, NULL, (double)rows, &t.t1, &t.t2, 1)) FN(target_sums)(y, rows, &t);
    return t;
}

/* Sums of `n` neighbouring positions. u: a target for each, or the same one for all. */
struct FN(pair_sums) {
    double *s1, *s2, *s3;
};
static inline __attribute__((always_inline)) void FN(pair_run)(const struct FN(pair_sums) * b,
                                                               const ELT *x, const double *p,
                                                               const double *u, const int same,
                                                               size_t at, size_t n)
{
    FN(vec) all = SET1(u[0]);
    size_t i = 0;
    for (; i + VW <= n; i += VW) {
        FN(vec) t = DIFFERENCE(LOAD(x + i), LOAD_DOUBLE(p + i));
        FN(vec) each = same ? all : LOAD_DOUBLE(u + i);
        STORE(b->s1 + at + i, ADD(LOAD_DOUBLE(b->s1 + at + i), t));
        STORE(b->s2 + at + i, FMA(t, t, LOAD_DOUBLE(b->s2 + at + i)));
        STORE(b->s3 + at + i, FMA(t, each, LOAD_DOUBLE(b->s3 + at + i)));
    }
    for (; i < n; i++) {
        double t = (double)x[i] - p[i];
        b->s1[at + i] += t;
        b->s2[at + i] = __builtin_fma(t, t, b->s2[at + i]);
        b->s3[at + i] = __builtin_fma(t, u[same ? 0 : i], b->s3[at + i]);
    }
}

/* The sums of all columns as if nothing were missing, folded. */
static void FN(pair_block_sums)(const struct qn_pair_rows *r, const struct FN(pair_sums) * b)
{
    size_t d = r->columns, period = QN_BLOCK_LANES * d;
    double *p = r->desk->pivots, *u = r->desk->targets, *spread = r->desk->spread;
    int flat = d < QN_PAIR_NARROW && r->stride == (int64_t)(d * sizeof(ELT));
    for (size_t f = d; flat && f < period; f++) p[f] = p[f - d];
    memset(b->s1, 0, 3 * period * sizeof *b->s1);
    for (uint32_t i = 0; i < r->rows; i += QN_BLOCK_LANES) {
        uint32_t lanes = r->rows - i < QN_BLOCK_LANES ? r->rows - i : QN_BLOCK_LANES;
        const char *row = r->data + (int64_t)i * r->stride;
        if (flat) {
            for (uint32_t l = 0; l < lanes; l++)
                for (size_t c = 0; c < d; c += VW) STORE(spread + l * d + c, SET1(u[i + l]));
            FN(pair_run)(b, (const ELT *)(const void *)row, p, spread, 0, 0, lanes * d);
            continue;
        }
        for (uint32_t l = 0; l < lanes; l++) FN(pair_run)
        (b, (const ELT *)(const void *)(row + (int64_t)l * r->stride), p, u + i + l, 1, l * d, d);
    }
    FN(fold)(b->s1, d);
    FN(fold)(b->s2, d);
    FN(fold)(b->s3, d);
}
#undef SET1

/* One column with whatever may be in it: missing values, a pivot far off. */
static void FN(pair_column)(const struct qn_pair_rows *r, size_t c, double node[QN_PAIR_FIELDS])
{
    enum { N, S1, S2, T1, T2, S3, SUMS };
    double sums[SUMS][QN_BLOCK_LANES], p = 0.0, q = 0.0, target[4];
    for (uint32_t again = 0; again < 2; again++) {
        int any = again != 0;
        memset(sums, 0, sizeof sums);
        for (uint32_t i = 0; i < r->rows; i++) {
            double v = (double)((const ELT *)(const void *)(r->data + (int64_t)i * r->stride))[c];
            if (v != v) continue;
            if (!any) p = v;
            if (!any) q = r->targets[i];
            any = 1;
            double t = v - p, u = r->targets[i] - q;
            uint32_t at = i % QN_BLOCK_LANES;
            sums[N][at] += 1.0;
            sums[S1][at] += t;
            sums[S2][at] = __builtin_fma(t, t, sums[S2][at]);
            sums[T1][at] += u;
            sums[T2][at] = __builtin_fma(u, u, sums[T2][at]);
            sums[S3][at] = __builtin_fma(t, u, sums[S3][at]);
        }
        for (uint32_t k = 0; k < SUMS; k++) FN(fold)(sums[k], 1);
        if (again != 0) break;
        int moved = FN(better_pivots)(&p, sums[N], 0.0, sums[S1], sums[S2], 1);
        moved |= FN(better_pivots)(&q, sums[N], 0.0, sums[T1], sums[T2], 1);
        if (!moved) break;
    }
    FN(nodes)(&p, sums[N], 0.0, sums[S1], sums[S2], 1, node);
    FN(nodes)(&q, sums[N], 0.0, sums[T1], sums[T2], 1, target);
    for (uint32_t k = 0; k < 3; k++) node[4 + k] = target[1 + k];
    double n = node[0], m = n == 0.0 ? 0.0 : sums[S1][0] / n;
    node[7] = n == 0.0 ? 0.0 : __builtin_fma(-m, sums[T1][0], sums[S3][0]);
}

/* The nodes of a block, by field. */
static void FN(pair_block)(const struct qn_pair_rows *r, double *restrict out)
{
    size_t d = r->columns, period = QN_BLOCK_LANES * d;
    double *p = r->desk->pivots, *s1 = r->desk->sums, *s2 = s1 + period, *s3 = s2 + period;
    struct FN(pair_sums) b = {s1, s2, s3};
    struct FN(targets) t = FN(targets_of)(r->targets, r->rows);
    double n = (double)r->rows, target[4], node[QN_PAIR_FIELDS];
    for (size_t c = 0; c < d; c++) p[c] = (double)((const ELT *)(const void *)r->data)[c];
    for (uint32_t i = 0; i < r->rows; i++) r->desk->targets[i] = r->targets[i] - t.q;
    FN(pair_block_sums)(r, &b);
    FN(nodes)(&t.q, NULL, n, &t.t1, &t.t2, 1, target);
    FN(nodes)(p, NULL, n, s1, s2, d, out);
    for (size_t c = 0; c < d; c++) {
        double m = s1[c] / n;
        for (size_t k = 0; k < 3; k++) out[(4 + k) * d + c] = target[1 + k];
        out[7 * d + c] = __builtin_fma(-m, t.t1, s3[c]);
        if (s1[c] - s1[c] == 0.0 && !(m * s1[c] > 64.0 * out[3 * d + c])) continue;
        FN(pair_column)(r, c, node);
        for (size_t k = 0; k < QN_PAIR_FIELDS; k++) out[k * d + c] = node[k];
    }
}

#if QN_IS_FLOAT
/* a <- the node of both, d columns each, fields apart; the branch-free form of qn_pair_merge. */
static void FN(pair_merge)(double *restrict a, const double *restrict b, size_t d)
{
    for (size_t c = 0; c < d; c++) {
        double an = a[c], bn = b[c], n = an + bn, r = bn / (n == 0.0 ? 1.0 : n), k = an * r;
        double step[2];
        for (size_t side = 0; side < 2; side++) { /* value, target */
            double *hi = a + (side == 0 ? 1 : 4) * d + c, *lo = hi + d, *m2 = lo + d;
            const double *bhi = b + (side == 0 ? 1 : 4) * d + c, *blo = bhi + d, *bm2 = blo + d;
            double delta = (*bhi - *hi) + (*blo - *lo);
            double s = __builtin_fma(delta, r, *lo), sum = *hi + s, z = sum - *hi;
            double rest = (*hi - (sum - z)) + (s - z);
            double squares = __builtin_fma(delta * delta, k, *m2 + *bm2);
            *hi = bn == 0.0 ? *hi : an == 0.0 ? *bhi : sum;
            *lo = bn == 0.0 ? *lo : an == 0.0 ? *blo : rest;
            *m2 = bn == 0.0 ? *m2 : an == 0.0 ? *bm2 : squares;
            step[side] = delta;
        }
        double product = __builtin_fma(step[0] * step[1], k, a[7 * d + c] + b[7 * d + c]);
        a[7 * d + c] = bn == 0.0 ? a[7 * d + c] : an == 0.0 ? b[7 * d + c] : product;
        a[c] = n;
    }
}
#endif
