/* SPDX-License-Identifier: Apache-2.0
 * Norms of a tile's rows from its columns: kernels/norm.h's order of additions, each done for all
 * rows at once. norm.c sets QN_SUFFIX, NORM_F64 and includes this. */
#if NORM_F64
#define T double
#define NORM(name) QN_PASTE(name##_f64, QN_SUFFIX)
#define NORM_LANES 2u
#define NORM_TINY QN_NORM_TINY_F64
#define NORM_SQRT(x) QN_SQRT_F64(x)
#else
#define T float
#define NORM(name) QN_PASTE(name##_f32, QN_SUFFIX)
#define NORM_LANES 4u
#define NORM_TINY QN_NORM_TINY_F32
#define NORM_SQRT(x) QN_SQRT_F32(x)
#endif

#define ROWS for (uint32_t r = 0; r < rows; r++)

static void NORM(square)(T *restrict acc, const T *restrict x, uint32_t rows)
{
    ROWS acc[r] += x[r] * x[r];
}

static void NORM(magnitude)(T *restrict acc, const T *restrict x, uint32_t rows)
{
    ROWS acc[r] += x[r] < 0 ? -x[r] : x[r];
}

static void NORM(largest)(T *restrict acc, const T *restrict x, uint32_t rows)
{
    ROWS
    {
        T m = x[r] < 0 ? -x[r] : x[r];
        acc[r] = m > acc[r] || m != m ? m : acc[r];
    }
}

static void NORM(plus)(T *restrict acc, const T *restrict x, uint32_t rows)
{
    ROWS acc[r] += x[r];
}

/* SIMD lanes of einsum: NORM_LANES accumulators of `rows` each, the first is the result. */
static void NORM(lanes)(const void *const *cols, uint32_t n, T *acc, uint32_t rows)
{
    for (uint32_t step = 0; step < n; step++) NORM(square)
    (acc + (step % NORM_LANES) * rows, cols[qn_norm_place(step, n, NORM_LANES)], rows);
    NORM(plus)(acc, acc + rows, rows);
#if !NORM_F64
    NORM(plus)(acc + 2 * rows, acc + 3 * rows, rows);
    NORM(plus)(acc, acc + 2 * rows, rows);
#endif
}

/* Pairwise: the result in acc[0 … rows); the left half's waits there while the right half is summed
 * further up. A leaf uses eight runs of rows from acc on. */
static void NORM(pairs)(const void *const *cols, uint32_t n, T *acc, uint32_t rows)
{
    if (n > QN_NORM_LEAF) {
        uint32_t left = qn_norm_split(n);
        NORM(pairs)(cols, left, acc, rows);
        NORM(pairs)(cols + left, n - left, acc + rows, rows);
        NORM(plus)(acc, acc + rows, rows);
        return;
    }
    uint32_t body = n - n % 8;
    memset(acc, 0, 8 * rows * sizeof *acc);
    for (uint32_t i = 0; i < body; i++) NORM(magnitude)(acc + (i % 8) * rows, cols[i], rows);
    if (body > 0)
        for (uint32_t half = 1; half < 8; half *= 2)
            for (uint32_t k = 0; k < 8; k += 2 * half)
                NORM(plus)(acc + k * rows, acc + (k + half) * rows, rows);
    for (uint32_t i = body; i < n; i++) NORM(magnitude)(acc, cols[i], rows);
}

static void NORM(tile)(uint32_t kind, uint32_t order, void *const *cols, uint32_t n, uint32_t rows,
                       void *scratch)
{
    T *acc = scratch;
    const void *const *in = (const void *const *)cols;
    memset(acc, 0, 8 * rows * sizeof *acc);
    if (order == QN_ORDER_ROWS && kind == QN_NORM_L2)
        NORM(lanes)(in, n, acc, rows);
    else if (order == QN_ORDER_ROWS && kind == QN_NORM_L1)
        NORM(pairs)(in, n, acc, rows);
    else
        for (uint32_t i = 0; i < n; i++)
            if (kind == QN_NORM_L2)
                NORM(square)(acc, in[i], rows);
            else if (kind == QN_NORM_L1)
                NORM(magnitude)(acc, in[i], rows);
            else
                NORM(largest)(acc, in[i], rows);
    if (kind == QN_NORM_L2) ROWS acc[r] = NORM_SQRT(acc[r]);
    ROWS acc[r] = acc[r] < NORM_TINY ? 1 : acc[r];
    for (uint32_t i = 0; i < n; i++) {
        T *restrict x = cols[i];
        const T *restrict by = acc;
        ROWS x[r] /= by[r];
    }
}

#undef T
#undef NORM
#undef NORM_LANES
#undef NORM_TINY
#undef NORM_SQRT
#undef NORM_F64
#undef ROWS
