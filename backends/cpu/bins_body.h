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
    if (k <= QN_FEW_EDGES) {
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
    if (k <= QN_FEW_EDGES) {
        COUNT_EDGES(float, word_edge_f32);
        return;
    }
    for (uint32_t i = 0; i < n; i++) wide[i] = (double)x[i];
    FN(codes_f64)(edges, k, n, wide, out);
}

/* The same by a start table. */
#define FIND(T, numbers)                                                                           \
    do {                                                                                           \
        const int32_t k = (int32_t)s->k, *first = s->first;                                        \
        const T *all = numbers;                                                                    \
        for (uint32_t i = 0; i < n; i++) at[i] = first[at[i]];                                     \
        for (int32_t half = 1 << s->steps >> 1; half > 0; half >>= 1)                              \
            for (uint32_t i = 0; i < n; i++) at[i] += x[i] < all[at[i] + half - 1] ? 0 : half;     \
        for (uint32_t i = 0; i < n; i++) at[i] = at[i] > k || x[i] != x[i] ? k : at[i];            \
    } while (0)

static void FN(find_f32)(const struct qn_starts *from, uint32_t n, const float *restrict x,
                         int32_t *restrict at)
{
    const struct qn_starts copy = *from, *s = &copy; /* whose members no store can change */
    if (s->by_bits)
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_key(s, qn_key_f32(x[i]));
    else
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_width_f32(s, x[i]);
    FIND(float, s->f32);
}

static void FN(find_f64)(const struct qn_starts *from, uint32_t n, const double *restrict x,
                         int32_t *restrict at)
{
    const struct qn_starts copy = *from, *s = &copy;
    if (s->by_bits)
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_key(s, qn_key_f64(x[i]));
    else
        for (uint32_t i = 0; i < n; i++) at[i] = qn_cell_of_width_f64(s, x[i]);
    FIND(double, s->f64);
}

/* What of an INTERP's table all values use. */
struct FN(map) {
    const uint64_t *knots, *values, *slopes;
    double low, high, y_low, y_high, y_step, y_last;
    int32_t k;
};

/* The map at v, whose place is `at`; *tie: it equals a knot, whose value it becomes instead. */
static inline __attribute__((always_inline)) double
FN(map_one)(const struct FN(map) * m, double v, int32_t at, int mean, int even, uint64_t *tie)
{
    const int32_t j = at > 0 ? at - 1 : 0, next = j + 1 < m->k ? j + 1 : j;
    const double x0 = word_f64(m->knots[j]), x1 = word_f64(m->knots[next]),
                 slope = word_f64(m->slopes[j]);
    const double dj = (double)j, dnext = (double)next, end = (double)(m->k - 1);
    const double e0 = dj < end ? dj * m->y_step : m->y_last,
                 e1 = dnext < end ? dnext * m->y_step : m->y_last;
    const double y0 = even ? e0 : word_f64(m->values[j]),
                 y1 = even ? e1 : word_f64(m->values[next]);
    double y = slope * (v - x0) + y0, back = slope * (v - x1) + y1;
    double left = y != y ? back : y; /* each is the other's way out */
    left = left != left && y0 == y1 ? y0 : left;
    double right = back != back ? y : back;
    right = right != right && y0 == y1 ? y0 : right;
    y = mean ? 0.5 * (left + right) : left;
    y = v > m->high ? m->y_high : y;
    y = v < m->low ? m->y_low : y;
    *tie = v == x0 && !(v > m->high) && !(v < m->low) ? 1 : 0;
    return v != v ? v : y;
}

/* A value that equals a knot is rare, so it is seen to afterwards. */
static void FN(interp)(const uint64_t *table, uint64_t words, int mean, const struct qn_starts *s,
                       const int32_t *restrict at, uint32_t n, double *restrict x)
{
    const int32_t k = (int32_t)QN_INTERP_KNOTS(words);
    const uint64_t *knots = table + QN_INTERP_HEAD, *same = knots + 3 * k;
    const int even = s != NULL && s->even;
    const struct FN(map) m = {.knots = knots,
                              .values = knots + k,
                              .slopes = knots + 2 * k,
                              .low = word_f64(table[0]),
                              .high = word_f64(table[1]),
                              .y_low = word_f64(table[2]),
                              .y_high = word_f64(table[3]),
                              .y_step = even ? s->y_step : 0,
                              .y_last = even ? s->y_last : 0,
                              .k = k};
    uint64_t ties[QN_TILE_ROWS];
    if (even && mean)
        for (uint32_t i = 0; i < n; i++) x[i] = FN(map_one)(&m, x[i], at[i], 1, 1, &ties[i]);
    else if (even)
        for (uint32_t i = 0; i < n; i++) x[i] = FN(map_one)(&m, x[i], at[i], 0, 1, &ties[i]);
    else
        for (uint32_t i = 0; i < n; i++) x[i] = FN(map_one)(&m, x[i], at[i], mean, 0, &ties[i]);
    for (uint32_t i = 0; i < n; i += TIES) {
        uint64_t any = 0;
        const uint32_t end = n - i < TIES ? n : i + TIES;
        for (uint32_t l = i; l < end; l++) any |= ties[l];
        for (uint32_t l = i; any != 0 && l < end; l++)
            if (ties[l] != 0) x[l] = word_f64(same[at[l] > 0 ? at[l] - 1 : 0]);
    }
}

static const struct bin_loops FN(bin_loops) = {FN(codes_f32), FN(codes_f64), FN(interp),
                                               FN(search),    FN(find_f32),  FN(find_f64)};

#undef FN
#undef COUNT_EDGES
#undef FIND
