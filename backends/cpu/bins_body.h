/* SPDX-License-Identifier: Apache-2.0
 * The loops of bins.c, compiled once per instruction set: QN_SUFFIX names the variant. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

/* `x < e ? 0 : 1` of four edges at a time: NaN counts all. */
#define COUNT_EDGES(T, EDGE)                                                                       \
    do {                                                                                           \
        uint32_t j = 0;                                                                            \
        for (uint32_t i = 0; i < n; i++) out[i] = 0;                                               \
        for (; j + 4 <= k; j += 4) {                                                               \
            const T e0 = EDGE(edges[j]), e1 = EDGE(edges[j + 1]), e2 = EDGE(edges[j + 2]),         \
                    e3 = EDGE(edges[j + 3]);                                                       \
            for (uint32_t i = 0; i < n; i++)                                                       \
                out[i] += (uint32_t) !(x[i] < e0) + (uint32_t) !(x[i] < e1) +                      \
                          (uint32_t) !(x[i] < e2) + (uint32_t) !(x[i] < e3);                       \
        }                                                                                          \
        for (; j < k; j++) {                                                                       \
            const T e0 = EDGE(edges[j]);                                                           \
            for (uint32_t i = 0; i < n; i++) out[i] += (uint32_t) !(x[i] < e0);                    \
        }                                                                                          \
    } while (0)

/* The search of kernels/bins.h, a step for all values at a time: how long it takes depends on k alone. */
static void FN(search)(const uint64_t *edges, uint32_t k, uint32_t n, const double *restrict x,
                       int32_t *restrict at)
{
    for (uint32_t i = 0; i < n; i++) at[i] = 0;
    for (uint32_t left = k; left > 1;) {
        const int32_t half = (int32_t)(left / 2);
        const uint64_t *from = edges + half - 1;
        for (uint32_t i = 0; i < n; i++) at[i] += x[i] < word_f64(from[at[i]]) ? 0 : half;
        left -= (uint32_t)half;
    }
    for (uint32_t i = 0; i < n; i++) at[i] += x[i] < word_f64(edges[at[i]]) ? 0 : 1;
}

static void FN(codes_f64)(const uint64_t *edges, uint32_t k, uint32_t n, const double *restrict x,
                          uint32_t *restrict out)
{
    int32_t at[QN_TILE_ROWS];
    if (k <= FEW_EDGES) {
        COUNT_EDGES(double, word_f64);
        return;
    }
    FN(search)(edges, k, n, x, at);
    for (uint32_t i = 0; i < n; i++) out[i] = (uint32_t)at[i];
}

static void FN(codes_f32)(const uint64_t *edges, uint32_t k, uint32_t n, const float *restrict x,
                          uint32_t *restrict out)
{
    double wide[QN_TILE_ROWS];
    if (k <= FEW_EDGES) {
        COUNT_EDGES(float, edge_f32);
        return;
    }
    for (uint32_t i = 0; i < n; i++) wide[i] = (double)x[i];
    FN(codes_f64)(edges, k, n, wide, out);
}

static void FN(interp)(const uint64_t *table, uint64_t words, int mean, uint32_t n,
                       double *restrict x)
{
    const int32_t k = (int32_t)QN_INTERP_KNOTS(words);
    const uint64_t *knots = table + QN_INTERP_HEAD, *values = knots + k, *slopes = values + k,
                   *same = slopes + k;
    const double low = word_f64(table[0]), high = word_f64(table[1]), y_low = word_f64(table[2]),
                 y_high = word_f64(table[3]);
    int32_t at[QN_TILE_ROWS];
    FN(search)(knots, (uint32_t)k, n, x, at);
    for (uint32_t i = 0; i < n; i++) {
        const int32_t j = at[i] > 0 ? at[i] - 1 : 0, next = j + 1 < k ? j + 1 : j;
        const double v = x[i], x0 = word_f64(knots[j]), y0 = word_f64(values[j]),
                     x1 = word_f64(knots[next]), y1 = word_f64(values[next]),
                     slope = word_f64(slopes[j]), tie = word_f64(same[j]);
        double y = slope * (v - x0) + y0, back = slope * (v - x1) + y1;
        double left = y != y ? back : y; /* each is the other's way out */
        left = left != left && y0 == y1 ? y0 : left;
        double right = back != back ? y : back;
        right = right != right && y0 == y1 ? y0 : right;
        y = mean ? 0.5 * (left + right) : left;
        y = v == x0 ? tie : y;
        y = v > high ? y_high : y;
        y = v < low ? y_low : y;
        x[i] = v != v ? v : y;
    }
}

static const struct bin_loops FN(bin_loops) = {FN(codes_f32), FN(codes_f64), FN(interp)};

#undef FN
#undef COUNT_EDGES
