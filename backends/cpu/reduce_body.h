/* SPDX-License-Identifier: Apache-2.0
 * The loops of reduce.c, compiled once per instruction set (QN_SUFFIX). They run over positions, part by
 * part and in a part line by line, which are contiguous in a packed matrix whatever its width; so plain
 * loops over small arrays in the nearest cache vectorise for every compiler. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

#define EACH(T, WHAT)                                                                              \
    for (size_t j = 0; j < periods; j++, data = (const char *)data + step) {                       \
        const T *restrict x = data;                                                                \
        for (size_t i = 0; i < n; i++) WHAT;                                                       \
    }
/* A loop of its own, where numbers and their count have different widths. */
#define COUNT_MISSING                                                                              \
    ;                                                                                              \
    for (size_t i = 0; i < n; i++) missing[i] += x[i] != x[i]

#define SUM_32(NAME, MISSING, VALUE)                                                               \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        double *restrict s = cells->a.f64;                                                         \
        uint32_t *restrict missing = cells->missing;                                               \
        (void)missing;                                                                             \
        EACH(float, {                                                                              \
            float v = x[i];                                                                        \
            s[i] += (double)(VALUE);                                                               \
        } MISSING)                                                                                 \
    }
SUM_32(sum_f32, , v)
SUM_32(sum_skip_f32, COUNT_MISSING, v == v ? v : 0.0f)
#undef SUM_32

#define SUM_64(NAME, MISSING, VALUE)                                                               \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        double *restrict s = cells->a.f64, *restrict e = cells->b;                                 \
        uint32_t *restrict missing = cells->missing;                                               \
        (void)missing;                                                                             \
        EACH(double, {                                                                             \
            double v = x[i];                                                                       \
            MISSING;                                                                               \
            double value = VALUE;                                                                  \
            QN_REDUCE_ADD(s[i], e[i], value);                                                      \
        })                                                                                         \
    }
SUM_64(sum_f64, (void)0, v)
SUM_64(sum_skip_f64, missing[i] += v != v, v == v ? v : 0.0)
#undef SUM_64

#define PRODUCT(NAME, T, MISSING, VALUE)                                                           \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        double *restrict p = cells->a.f64;                                                         \
        uint32_t *restrict missing = cells->missing;                                               \
        (void)missing;                                                                             \
        EACH(T, {                                                                                  \
            T v = x[i];                                                                            \
            MISSING;                                                                               \
            p[i] *= (double)(VALUE);                                                               \
        })                                                                                         \
    }
PRODUCT(product_f32, float, (void)0, v)
PRODUCT(product_skip_f32, float, missing[i] += v != v, v == v ? v : 1.0f)
PRODUCT(product_f64, double, (void)0, v)
PRODUCT(product_skip_f64, double, missing[i] += v != v, v == v ? v : 1.0)
#undef PRODUCT

/* A NaN loses every comparison. */
#define EXTREME(NAME, T, FIELD, COMPARE)                                                           \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        T *restrict m = cells->a.FIELD;                                                            \
        uint32_t *restrict missing = cells->missing;                                               \
        EACH(T, {                                                                                  \
            T v = x[i];                                                                            \
            m[i] = v COMPARE m[i] ? v : m[i];                                                      \
            missing[i] += v != v;                                                                  \
        })                                                                                         \
    }
EXTREME(min_f32, float, f32, <)
EXTREME(max_f32, float, f32, >)
EXTREME(min_f64, double, f64, <)
EXTREME(max_f64, double, f64, >)
EXTREME(min_i64, int64_t, i64, <)
EXTREME(max_i64, int64_t, i64, >)
#undef EXTREME

#define INTEGER(NAME, T, A, FIELD, WHAT)                                                           \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        A *restrict a = cells->a.FIELD;                                                            \
        EACH(T, a[i] = (A)(a[i] WHAT))                                                             \
    }
INTEGER(sum_i64, uint64_t, uint64_t, u64, +x[i])
INTEGER(product_i64, uint64_t, uint64_t, u64, *x[i])
INTEGER(count_i64, uint64_t, uint64_t, u64, +(x[i] != 0))
INTEGER(sum_u8, uint8_t, uint32_t, u32, +x[i])
INTEGER(count_u8, uint8_t, uint32_t, u32, +(x[i] != 0))
#undef INTEGER

#define COUNT(NAME, T, A, FIELD)                                                                   \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        A *restrict a = cells->a.FIELD;                                                            \
        uint32_t *restrict missing = cells->missing;                                               \
        EACH(T, {                                                                                  \
            a[i] += x[i] != 0;                                                                     \
            missing[i] += x[i] != x[i];                                                            \
        })                                                                                         \
    }
COUNT(count_f32, float, uint32_t, u32)
COUNT(count_f64, double, uint64_t, u64)
#undef COUNT
#undef EACH

/* The later half of n * 2 positions joins the earlier one. */
static void FN(halve)(size_t n, struct cells *cells)
{
    double *restrict s = cells->a.f64, *restrict e = cells->b;
    const double *restrict t = s + n, *restrict u = e + n;
    for (size_t i = 0; i < n; i++) {
        double value = t[i];
        e[i] += u[i];
        QN_REDUCE_ADD(s[i], e[i], value);
    }
}

/* One line, its parts in registers: so many vectors of doubles are the 16 parts. */
#define LANES (16 / VW)
#define LINE(NAME, T, TV, MISSING, TAKE)                                                           \
    static void FN(NAME)(const void *data, size_t n, size_t periods, ptrdiff_t step,               \
                         struct cells *cells)                                                      \
    {                                                                                              \
        FN(vec) s[LANES], e[LANES], lost = {0};                                                    \
        const T *x = data;                                                                         \
        uint64_t missing = 0;                                                                      \
        (void)n;                                                                                   \
        (void)step;                                                                                \
        (void)lost;                                                                                \
        (void)missing;                                                                             \
        for (int k = 0; k < LANES; k++) memcpy(&s[k], cells->a.f64 + k * VW, sizeof s[k]);         \
        for (int k = 0; k < LANES; k++) memcpy(&e[k], cells->b + k * VW, sizeof e[k]);             \
        for (size_t j = 0; j < periods; j++, x += 16) {                                            \
            for (int k = 0; k < LANES; k++) {                                                      \
                TV raw;                                                                            \
                memcpy(&raw, x + k * VW, sizeof raw);                                              \
                FN(vec) v = __builtin_convertvector(raw, FN(vec));                                 \
                MISSING;                                                                           \
                TAKE;                                                                              \
            }                                                                                      \
        }                                                                                          \
        for (int k = 0; k < LANES; k++) memcpy(cells->a.f64 + k * VW, &s[k], sizeof s[k]);         \
        for (int k = 0; k < LANES; k++) memcpy(cells->b + k * VW, &e[k], sizeof e[k]);             \
        FINISH_MISSING(MISSING)                                                                    \
    }
typedef double FN(vec) __attribute__((vector_size(VW * 8)));
typedef float FN(vec32) __attribute__((vector_size(VW * 4)));
typedef int64_t FN(mask) __attribute__((vector_size(VW * 8)));
#define FINISH_MISSING(MISSING)                                                                    \
    for (int k = 0; k < VW; k++) missing += (uint64_t) - (int64_t)lost[k];                         \
    cells->missing[0] += (uint32_t)missing;
/* Comparisons of vectors are masks of all ones, which are -1 as integers. */
#define SKIP                                                                                       \
    FN(mask) there = (FN(mask))(v == v);                                                           \
    FN(mask) bits;                                                                                 \
    memcpy(&bits, &v, sizeof bits);                                                                \
    bits &= there;                                                                                 \
    memcpy(&v, &bits, sizeof v);                                                                   \
    lost += __builtin_convertvector(~there, FN(vec))
#define PLAIN s[k] += v
#define EXACT QN_REDUCE_ADD_VECTOR(s[k], e[k], v)
#define QN_REDUCE_ADD_VECTOR(s, e, x)                                                              \
    do {                                                                                           \
        FN(vec) sum_ = (s) + (x), part_ = sum_ - (s);                                              \
        (e) += ((s) - (sum_ - part_)) + ((x)-part_);                                               \
        (s) = sum_;                                                                                \
    } while (0)
LINE(line_f32, float, FN(vec32), (void)0, PLAIN)
LINE(line_skip_f32, float, FN(vec32), SKIP, PLAIN)
LINE(line_f64, double, FN(vec), (void)0, EXACT)
LINE(line_skip_f64, double, FN(vec), SKIP, EXACT)
#undef LINE
#undef LANES
#undef FINISH_MISSING
#undef SKIP
#undef PLAIN
#undef EXACT
#undef QN_REDUCE_ADD_VECTOR

static const struct loops FN(loops) = {
    .sum = {{FN(sum_f32), FN(sum_skip_f32)}, {FN(sum_f64), FN(sum_skip_f64)}},
    .line = {{FN(line_f32), FN(line_skip_f32)}, {FN(line_f64), FN(line_skip_f64)}},
    .product = {{FN(product_f32), FN(product_skip_f32)}, {FN(product_f64), FN(product_skip_f64)}},
    .min = {FN(min_f32), FN(min_f64), FN(min_i64)},
    .max = {FN(max_f32), FN(max_f64), FN(max_i64)},
    .count = {FN(count_f32), FN(count_f64), FN(count_i64), FN(count_u8)},
    .sum_int = {FN(sum_i64), FN(sum_u8)},
    .product_int = FN(product_i64),
    .halve = FN(halve),
};

#undef FN
