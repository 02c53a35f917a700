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

/* S1, S2 and products, of each position of 16 lanes. */
struct FN(pair_sums) {
    double *s1, *s2, *s3;
};

/* ---- narrow rows: vectors over the positions of a period ---- */

static void FN(pair_run)(const struct FN(pair_sums) * b, const ELT *x, const double *p,
                         const double *u, size_t n)
{
    size_t i = 0;
    for (; i + VW <= n; i += VW) {
        FN(vec) t = DIFFERENCE(LOAD(x + i), LOAD_DOUBLE(p + i));
        STORE(b->s1 + i, ADD(LOAD_DOUBLE(b->s1 + i), t));
        STORE(b->s2 + i, FMA(t, t, LOAD_DOUBLE(b->s2 + i)));
        STORE(b->s3 + i, FMA(t, LOAD_DOUBLE(u + i), LOAD_DOUBLE(b->s3 + i)));
    }
    for (; i < n; i++) {
        double t = (double)x[i] - p[i];
        b->s1[i] += t;
        b->s2[i] = __builtin_fma(t, t, b->s2[i]);
        b->s3[i] = __builtin_fma(t, u[i], b->s3[i]);
    }
}

static void FN(pair_flat)(const struct qn_pair_rows *r, const struct FN(pair_sums) * b)
{
    size_t d = r->columns, period = QN_BLOCK_LANES * d;
    double *p = r->desk->pivots, *u = r->desk->targets, *spread = r->desk->spread;
    const ELT *x = (const ELT *)(const void *)r->data;
    for (size_t f = d; f < period; f++) p[f] = p[f - d];
    memset(b->s1, 0, 3 * period * sizeof *b->s1);
    for (uint32_t i = 0; i < r->rows; i += QN_BLOCK_LANES, x += period) {
        uint32_t lanes = r->rows - i < QN_BLOCK_LANES ? r->rows - i : QN_BLOCK_LANES;
        for (uint32_t l = 0; l < lanes; l++)
            for (size_t c = 0; c < d; c += VW) STORE(spread + l * d + c, SET1(u[i + l]));
        FN(pair_run)(b, x, p, spread, lanes * d);
    }
}

/* ---- wide rows: one lane after another, the sums of some columns in registers ---- */

#if QN_LEVEL == 2
#define PAIR_TILE 4
#else
#define PAIR_TILE 2
#endif

/* The row that lies behind all others: what follows it may not be read. */
static inline uint32_t FN(pair_top)(const struct qn_pair_rows *r)
{
    return r->stride > 0 ? r->rows - 1 : 0;
}

/* `vecs` vectors of columns from c on. last: a copy of that row, followed by what may be read. */
static inline __attribute__((always_inline)) void
FN(pair_tile)(const struct qn_pair_rows *r, const struct FN(pair_sums) * b, const ELT *last,
              uint32_t lane, size_t c, size_t pitch, const uint32_t vecs)
{
    FN(vec) s1[PAIR_TILE], s2[PAIR_TILE], s3[PAIR_TILE], p[PAIR_TILE];
    int64_t soon = r->stride * (int64_t)(4 * QN_BLOCK_LANES); /* a row that this lane comes to */
    int64_t ahead = r->stride * (int64_t)QN_BLOCK_ROWS;       /* the same row of the next block */
    uint32_t top = FN(pair_top)(r);
    for (uint32_t k = 0; k < vecs; k++) {
        s1[k] = s2[k] = s3[k] = ZERO();
        p[k] = LOAD_DOUBLE(r->desk->pivots + c + k * VW);
    }
    for (uint32_t i = lane; i < r->rows; i += QN_BLOCK_LANES) {
        const char *row = r->data + (int64_t)i * r->stride;
        const ELT *x = (i != top ? (const ELT *)(const void *)row : last) + c;
        FN(vec) u = SET1(r->desk->targets[i]);
        for (uint32_t k = 0; k < vecs * VW * sizeof(ELT); k += 64) {
            uintptr_t at = (uintptr_t)row + c * sizeof(ELT) + k;
            __builtin_prefetch((const void *)(at + (uintptr_t)ahead), 0, 2);
            __builtin_prefetch((const void *)(at + (uintptr_t)soon), 0, 3);
        }
        for (uint32_t k = 0; k < vecs; k++) {
            FN(vec) t = DIFFERENCE(LOAD(x + k * VW), p[k]);
            s1[k] = ADD(s1[k], t);
            s2[k] = FMA(t, t, s2[k]);
            s3[k] = FMA(t, u, s3[k]);
        }
    }
    for (uint32_t k = 0; k < vecs; k++) {
        STORE(b->s1 + lane * pitch + c + k * VW, s1[k]);
        STORE(b->s2 + lane * pitch + c + k * VW, s2[k]);
        STORE(b->s3 + lane * pitch + c + k * VW, s3[k]);
    }
}

/* What is summed beyond d is not looked at. */
static void FN(pair_wide)(const struct qn_pair_rows *r, const struct FN(pair_sums) * b,
                          size_t pitch)
{
    ELT last[QN_CLASS_COLUMNS] = {0};
    memcpy(last, r->data + (int64_t)FN(pair_top)(r) * r->stride, r->columns * sizeof(ELT));
    for (uint32_t lane = 0; lane < QN_BLOCK_LANES; lane++) {
        size_t c = 0;
        for (; c + PAIR_TILE * VW <= pitch; c += PAIR_TILE * VW)
            FN(pair_tile)(r, b, last, lane, c, pitch, PAIR_TILE);
        switch ((pitch - c) / VW) { /* constants, so that the sums are registers */
        case 1: FN(pair_tile)(r, b, last, lane, c, pitch, 1); break;
#if PAIR_TILE == 4
        case 2: FN(pair_tile)(r, b, last, lane, c, pitch, 2); break;
        case 3: FN(pair_tile)(r, b, last, lane, c, pitch, 3); break;
#endif
        default: break;
        }
    }
}
#undef PAIR_TILE
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

/* The sums of all columns as if nothing were missing, folded: each at its column. */
static struct FN(pair_sums) FN(pair_block_sums)(const struct qn_pair_rows *r)
{
    size_t d = r->columns, pitch = (d + VW - 1) / VW * VW;
    int flat = d < QN_PAIR_NARROW;
    if (flat) pitch = d;
    size_t period = QN_BLOCK_LANES * pitch;
    double *sums = r->desk->sums;
    struct FN(pair_sums) b = {sums, sums + period, sums + 2 * period};
    for (size_t c = d; c < pitch; c++) r->desk->pivots[c] = 0.0;
    if (flat)
        FN(pair_flat)(r, &b);
    else
        FN(pair_wide)(r, &b, pitch);
    FN(fold)(b.s1, pitch);
    FN(fold)(b.s2, pitch);
    FN(fold)(b.s3, pitch);
    return b;
}

/* The nodes of a block, by field. */
static void FN(pair_block)(const struct qn_pair_rows *r, double *restrict out)
{
    size_t d = r->columns;
    double *p = r->desk->pivots;
    struct FN(targets) t = FN(targets_of)(r->targets, r->rows);
    double n = (double)r->rows, target[4], node[QN_PAIR_FIELDS];
    struct qn_pair_rows packed = *r;
    if (d < QN_PAIR_NARROW && r->stride != (int64_t)(d * sizeof(ELT))) { /* close the gaps */
        for (uint32_t i = 0; i < r->rows; i++)
            memcpy((char *)r->desk->packed + i * d * sizeof(ELT), r->data + (int64_t)i * r->stride,
                   d * sizeof(ELT));
        packed.data = (const char *)r->desk->packed;
        packed.stride = (int64_t)(d * sizeof(ELT));
        r = &packed;
    }
    for (size_t c = 0; c < d; c++) p[c] = (double)((const ELT *)(const void *)r->data)[c];
    for (uint32_t i = 0; i < r->rows; i++) r->desk->targets[i] = r->targets[i] - t.q;
    struct FN(pair_sums) b = FN(pair_block_sums)(r);
    const double *s1 = b.s1, *s3 = b.s3;
    FN(nodes)(&t.q, NULL, n, &t.t1, &t.t2, 1, target);
    FN(nodes)(p, NULL, n, s1, b.s2, d, out);
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
