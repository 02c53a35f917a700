/* SPDX-License-Identifier: Apache-2.0
 * The loops of finite.c, compiled once per instruction set (QN_SUFFIX). Zero times a number that is not
 * finite is NaN, and a sum with NaN in it stays NaN. Eight sums, so that no addition waits for the one
 * before. */
#define FINITE(NAME, T, VECTOR)                                                                    \
    static int QN_PASTE(NAME, QN_SUFFIX)(const void *data, size_t n)                               \
    {                                                                                              \
        enum { WIDTH = sizeof(VECTOR) / sizeof(T) };                                               \
        const T *x = data;                                                                         \
        VECTOR sum[ABREAST] = {{0}};                                                               \
        T rest = 0;                                                                                \
        size_t i = 0;                                                                              \
        for (; i + ABREAST * WIDTH <= n; i += ABREAST * WIDTH)                                     \
            for (size_t k = 0; k < ABREAST; k++)                                                   \
                sum[k] += *(const VECTOR *)(const void *)(x + i + k * WIDTH) * (T)0;               \
        for (; i < n; i++) rest += x[i] * (T)0;                                                    \
        for (size_t k = 1; k < ABREAST; k++) sum[0] += sum[k];                                     \
        for (size_t k = 0; k < WIDTH; k++) rest += sum[0][k];                                      \
        return rest == 0;                                                                          \
    }
FINITE(finite_f32, float, floats)
FINITE(finite_f64, double, doubles)
#undef FINITE
