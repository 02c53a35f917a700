/* SPDX-License-Identifier: Apache-2.0
 * The loops of spline.c, compiled once per instruction set: QN_SUFFIX names the variant. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

static void FN(widen)(const float *restrict x, uint32_t n, double *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (double)x[i];
}

/* x as the recursion takes it; not 0 if a value is outside, or missing. */
static uint32_t FN(enter)(const struct spline *s, const double *restrict given, uint32_t n,
                          struct strip *restrict p)
{
    const double first = s->first, last = s->last, period = last - first;
    uint32_t outside = 0;
    if (s->mode == QN_SPLINE_PERIODIC)
        for (uint32_t i = 0; i < n; i++) {
            double d = given[i] - first;
            outside |= (uint32_t) !(d >= 0 && d < period);
            p->x[i] = first + d;
        }
    else
        for (uint32_t i = 0; i < n; i++) {
            outside |= (uint32_t) !(first <= given[i] && given[i] <= last);
            p->x[i] = given[i];
        }
    return outside;
}

/* As qn_spline_stretch: equally spaced knots make the guess right to one, which the table promises. */
static void FN(stretches)(const struct spline *s, uint32_t n, struct strip *restrict p)
{
    const uint64_t *base = s->base;
    const int32_t inner = s->b - 2;
    const double *x = p->x;
    int32_t *at = p->at;
    for (uint32_t i = 0; i < n; i++) at[i] = 0;
    if (inner <= FEW_KNOTS) {
        for (int32_t j = 1; j <= inner; j++) {
            const double knot = word_f64(base[j]);
            for (uint32_t i = 0; i < n; i++) at[i] += (int32_t)(knot <= x[i]);
        }
    } else if (s->per_unit > 0) {
        const double per_unit = s->per_unit, first = s->first, most = (double)inner;
        for (uint32_t i = 0; i < n; i++) {
            double guess = (x[i] - first) * per_unit;
            guess = guess >= most ? most : guess;
            int32_t a = (int32_t)(guess >= 1 ? guess : 0);
            a -= (int32_t)(a > 0 && !(word_f64(base[a]) <= x[i]));
            at[i] = a + (int32_t)(a < inner && word_f64(base[a + 1]) <= x[i]);
        }
    } else {
        for (int32_t left = inner; left > 1;) {
            const int32_t half = left / 2;
            const uint64_t *from = base + half;
            for (uint32_t i = 0; i < n; i++) at[i] += word_f64(from[at[i]]) <= x[i] ? half : 0;
            left -= half;
        }
        for (uint32_t i = 0; i < n; i++) at[i] += word_f64(base[at[i] + 1]) <= x[i] ? 1 : 0;
    }
}

/* The 2 k knots around each row's stretch. Few knots are chosen as the stretches are, by comparing with all of
 * them: a gather costs more than a dozen choices. */
static void FN(knots)(const struct spline *s, uint32_t n, struct strip *restrict p)
{
    const int32_t k = s->k, inner = s->b - 2;
    const double *restrict x = p->x;
    for (int32_t j = 0; j < 2 * k; j++) {
        const uint64_t *from = s->base - k + 1 + j;
        double *restrict knots = p->knots[j];
        if (inner > MOST_CHOICES) {
            for (uint32_t i = 0; i < n; i++) knots[i] = word_f64(from[p->at[i]]);
            continue;
        }
        const double lowest = word_f64(from[0]);
        for (uint32_t i = 0; i < n; i++) knots[i] = lowest;
        for (int32_t m = 1; m <= inner; m++) {
            const double edge = word_f64(s->base[m]), knot = word_f64(from[m]);
            for (uint32_t i = 0; i < n; i++) knots[i] = edge <= x[i] ? knot : knots[i];
        }
    }
}

/* qn_spline_basis of one row after the other, and for vectors of them at a time: K is a number. */
#define BASIS(K)                                                                                   \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        double h[(K) + 1], x = p->x[i];                                                            \
        h[0] = 1.0;                                                                                \
        _Pragma("GCC unroll 8") for (int32_t j = 1; j <= (K); j++)                                 \
        {                                                                                          \
            double carry = 0.0;                                                                    \
            _Pragma("GCC unroll 8") for (int32_t m = 0; m < j; m++)                                \
            {                                                                                      \
                const double xb = p->knots[(K) + m][i], xa = p->knots[(K) + m - j][i];             \
                const double w = h[m] / (xb - xa);                                                 \
                const double up = carry + w * (xb - x), down = w * (x - xa);                       \
                h[m] = xb != xa ? up : carry;                                                      \
                carry = xb != xa ? down : 0.0;                                                     \
            }                                                                                      \
            h[j] = carry;                                                                          \
        }                                                                                          \
        _Pragma("GCC unroll 8") for (int32_t j = 0; j <= (K); j++) p->h[j][i] = h[j];              \
    }

/* The same for any degree, a step for all rows at a time. */
static void FN(basis_any)(int32_t k, uint32_t n, struct strip *restrict p)
{
    const double *restrict x = p->x;
    double carry[STRIP];
    for (uint32_t i = 0; i < n; i++) p->h[0][i] = 1.0;
    for (int32_t j = 1; j <= k; j++) {
        for (uint32_t i = 0; i < n; i++) carry[i] = 0.0;
        for (int32_t m = 0; m < j; m++) {
            const double *restrict above = p->knots[k + m], *restrict below = p->knots[k + m - j];
            double *restrict h = p->h[m];
            for (uint32_t i = 0; i < n; i++) {
                const double xb = above[i], xa = below[i], w = h[i] / (xb - xa);
                const double up = carry[i] + w * (xb - x[i]), down = w * (x[i] - xa);
                h[i] = xb != xa ? up : carry[i];
                carry[i] = xb != xa ? down : 0.0;
            }
        }
        for (uint32_t i = 0; i < n; i++) p->h[j][i] = carry[i];
    }
}

static void FN(basis)(const struct spline *s, uint32_t n, struct strip *restrict p)
{
    FN(knots)(s, n, p);
    switch (s->k) {
    case 1: BASIS(1) break;
    case 2: BASIS(2) break;
    case 3: BASIS(3) break;
    default: FN(basis_any)(s->k, n, p); break;
    }
    if (s->folded)
        for (uint32_t i = 0; i < n; i++) p->h[0][i] += p->h[s->k][i];
}

static uint32_t FN(overflows)(const struct spline *s, uint32_t n, const struct strip *p)
{
    uint32_t found = 0;
    for (int32_t a = 0; a <= s->k; a++)
        for (uint32_t i = 0; i < n; i++) found |= (uint32_t)(p->h[a][i] - p->h[a][i] != 0);
    return found;
}

static void FN(narrow)(const struct spline *s, uint32_t n, struct strip *restrict p)
{
    for (int32_t a = 0; a <= s->k; a++)
        for (uint32_t i = 0; i < n; i++) p->h32[a][i] = (float)(p->h[a][i] + 0.0);
}

/* Function `number`: one of those that are not 0, or 0. A -0 becomes 0, as in a sum that begins with 0. */
#define PICK_FROM(H, ZERO, FIRST, COUNT, ELSE)                                                     \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        const int32_t at = p->at[i];                                                               \
        __typeof__(out[0]) y = ELSE;                                                               \
        _Pragma("GCC unroll 4") for (int32_t a = (FIRST); a < (FIRST) + (COUNT); a++) y =          \
            at == j - a || at == j - a + again ? p->H[a][i] ZERO : y;                              \
        out[i] = y;                                                                                \
    }
#define PICK(H, ZERO)                                                                              \
    do {                                                                                           \
        const int32_t j = (int32_t)number,                                                         \
                      again = s->mode == QN_SPLINE_PERIODIC ? s->functions : 0,                    \
                      count = s->folded ? s->k : s->k + 1;                                         \
        int32_t first = 0;                                                                         \
        if (count >= 4)                                                                            \
            PICK_FROM(H, ZERO, 0, 4, 0)                                                            \
        else if (count == 3)                                                                       \
            PICK_FROM(H, ZERO, 0, 3, 0)                                                            \
        else if (count == 2)                                                                       \
            PICK_FROM(H, ZERO, 0, 2, 0)                                                            \
        else                                                                                       \
            PICK_FROM(H, ZERO, 0, 1, 0)                                                            \
        for (first = count < 4 ? count : 4; first + 4 <= count; first += 4)                        \
            PICK_FROM(H, ZERO, first, 4, out[i])                                                   \
        for (; first < count; first++) PICK_FROM(H, ZERO, first, 1, out[i])                        \
    } while (0)

static void FN(pick_f32)(const struct spline *s, uint32_t number, uint32_t n,
                         const struct strip *restrict p, float *restrict out)
{
    PICK(h32, );
}

static void FN(pick_f64)(const struct spline *s, uint32_t number, uint32_t n,
                         const struct strip *restrict p, double *restrict out)
{
    PICK(h, +0.0);
}

static const struct spline_loops FN(spline_loops) = {FN(widen),    FN(enter),     FN(stretches),
                                                     FN(basis),    FN(overflows), FN(narrow),
                                                     FN(pick_f32), FN(pick_f64)};

#undef FN
#undef BASIS
#undef PICK
#undef PICK_FROM
