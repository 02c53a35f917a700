/* SPDX-License-Identifier: Apache-2.0
 * Sums of a few values of two panels of lines, compiled by isa_each.h. */

/* One line of the first panel with eight of the second: where both have a value, their differences less the
 * pair's shifts, or the products of those. `has`, `also`: 1 where a value is there, else 0. */
static void QN_PASTE(pair_tile, QN_SUFFIX)(const double *p, const double *has, const double *q,
                                           const double *also, size_t rows, const double *shift,
                                           int products, double *sums)
{
    double a[8], b[8], x[8], y[8], z[8];
    for (int l = 0; l < 8; l++) {
        a[l] = shift[l];
        b[l] = shift[PAIR_CELLS + l];
        x[l] = sums[l];
        y[l] = sums[PAIR_CELLS + l];
        z[l] = sums[2 * PAIR_CELLS + l];
    }
    for (size_t r = 0; r < rows;
         r++, p += PAIR_PANEL, has += PAIR_PANEL, q += PAIR_PANEL, also += PAIR_PANEL) {
        if (*has == 0.0) continue;
        double u = *p;
        if (products)
            for (int l = 0; l < 8; l++) {
                double t = also[l] != 0.0 ? u - a[l] : 0.0, w = also[l] != 0.0 ? q[l] - b[l] : 0.0;
                x[l] = __builtin_fma(t, w, x[l]);
                y[l] = __builtin_fma(t, t, y[l]);
                z[l] = __builtin_fma(w, w, z[l]);
            }
        else
            for (int l = 0; l < 8; l++) {
                x[l] += also[l] != 0.0 ? u - a[l] : 0.0;
                y[l] += also[l] != 0.0 ? q[l] - b[l] : 0.0;
                z[l] += also[l];
            }
    }
    for (int l = 0; l < 8; l++) {
        sums[l] = x[l];
        sums[PAIR_CELLS + l] = y[l];
        sums[2 * PAIR_CELLS + l] = z[l];
    }
}

static void QN_PASTE(pair_slice, QN_SUFFIX)(const double *p, const double *has, const double *q,
                                            const double *also, size_t rows, const double *shift,
                                            int products, double *sums)
{
    for (size_t i = 0; i < PAIR_PANEL; i++)
        for (size_t j = 0; j < PAIR_PANEL; j += 8) QN_PASTE(pair_tile, QN_SUFFIX)
    (p + i, has + i, q + j, also + j, rows, shift + i * PAIR_PANEL + j, products,
     sums + i * PAIR_PANEL + j);
}
