/* SPDX-License-Identifier: Apache-2.0
 * The loops of extremes.c, compiled once per instruction set (QN_SUFFIX). They run over positions of a
 * period of rows, which are contiguous in a packed matrix whatever its width, so plain loops over
 * small arrays in the first-level cache vectorise for every compiler. A NaN loses every comparison. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

#define EXTREMES(NAME, T, N)                                                                       \
    static void FN(NAME)(const void *data, size_t period, size_t periods, ptrdiff_t step,          \
                         void *low, void *high, void *count)                                       \
    {                                                                                              \
        T *restrict min = low, *restrict max = high;                                               \
        N *restrict n = count;                                                                     \
        const char *at = data;                                                                     \
        for (size_t j = 0; j < periods; j++, at += step) {                                         \
            const T *restrict x = (const T *)(const void *)at;                                     \
            for (size_t k = 0; k < period * sizeof(T); k += 64)                                    \
                __builtin_prefetch((const void *)((uintptr_t)at + k + AHEAD), 0, 2);               \
            for (size_t i = 0; i < period; i++) {                                                  \
                T v = x[i];                                                                        \
                min[i] = v < min[i] ? v : min[i];                                                  \
                max[i] = v > max[i] ? v : max[i];                                                  \
                n[i] += (N)(v == v);                                                               \
            }                                                                                      \
        }                                                                                          \
    }
EXTREMES(extremes_f32, float, uint32_t)
EXTREMES(extremes_f64, double, uint64_t)

#undef EXTREMES
#undef FN
