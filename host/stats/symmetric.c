/* SPDX-License-Identifier: Apache-2.0
 * Householder's reduction to tridiagonal form and the QL method with implicit shifts (Golub and Van Loan,
 * Matrix Computations, 8.3). */
#include "host/stats/symmetric.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"

enum { MOST_SWEEPS = 60 };

/* ---- to tridiagonal form ---- */

/* The reflection that maps x [n] to (norm, 0, …): x becomes v with v[0] = 1. Returns tau; *norm as signed. */
static double reflection(double *x, uint32_t n, double *norm)
{
    double largest = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
    for (uint32_t i = 1; i < n; i++)
        sum += (x[i] / (largest != 0 ? largest : 1)) * (x[i] / (largest != 0 ? largest : 1));
    if (sum == 0) {
        *norm = x[0];
        x[0] = 1;
        return 0;
    }
    double first = x[0] / largest, length = sqrt(first * first + sum);
    double beta = first > 0 ? -length : length, scale = 1 / (first - beta);
    for (uint32_t i = 1; i < n; i++) x[i] = x[i] / largest * scale;
    x[0] = 1;
    *norm = beta * largest;
    return (beta - first) / beta;
}

/* a's trailing block [from …) becomes H a H for H = I - tau v v'. p: room for n. */
static void reflect_both(double *a, uint32_t n, uint32_t from, const double *v, double tau,
                         double *p)
{
    uint32_t m = n - from;
    double dot = 0;
    for (uint32_t i = 0; i < m; i++) {
        const double *row = a + (size_t)(from + i) * n + from;
        double sum = 0;
        for (uint32_t k = 0; k < m; k++) sum += row[k] * v[k];
        p[i] = tau * sum;
        dot += p[i] * v[i];
    }
    for (uint32_t i = 0; i < m; i++) p[i] -= tau / 2 * dot * v[i];
    for (uint32_t i = 0; i < m; i++) {
        double *row = a + (size_t)(from + i) * n + from;
        for (uint32_t k = 0; k < m; k++) row[k] -= v[i] * p[k] + p[i] * v[k];
    }
}

/* Diagonal d and subdiagonal e; z = Q' with a = Q T Q'. Column k of a keeps its reflection's v. */
static void tridiagonal(uint32_t n, double *a, double *d, double *e, double *z, double *v,
                        double *p)
{
    for (uint32_t k = 0; k + 2 < n; k++) {
        uint32_t m = n - k - 1;
        for (uint32_t i = 0; i < m; i++) v[i] = a[(size_t)(k + 1 + i) * n + k];
        double tau = reflection(v, m, &e[k]);
        if (tau != 0) reflect_both(a, n, k + 1, v, tau, p);
        for (uint32_t i = 0; i < m; i++) a[(size_t)(k + 1 + i) * n + k] = v[i];
        a[(size_t)k * n + n - 1] = tau; /* above the diagonal nothing is needed any more */
    }
    for (uint32_t i = 0; i < n; i++) d[i] = a[(size_t)i * n + i];
    if (n > 1) e[n - 2] = a[(size_t)(n - 1) * n + n - 2];
    memset(z, 0, (size_t)n * n * sizeof *z);
    for (uint32_t i = 0; i < n; i++) z[(size_t)i * n + i] = 1;
    for (uint32_t k = n > 2 ? n - 2 : 0; k-- > 0;) { /* rows of z are columns of Q */
        double tau = a[(size_t)k * n + n - 1];
        for (uint32_t c = k + 1; c < n && tau != 0; c++) {
            double *row = z + (size_t)c * n + k + 1, sum = 0;
            for (uint32_t i = 0; i < n - k - 1; i++) sum += a[(size_t)(k + 1 + i) * n + k] * row[i];
            for (uint32_t i = 0; i < n - k - 1; i++)
                row[i] -= tau * sum * a[(size_t)(k + 1 + i) * n + k];
        }
    }
}

/* ---- from there to diagonal form ---- */

static double hypotenuse(double a, double b)
{
    double large = fabs(a) > fabs(b) ? fabs(a) : fabs(b),
           small = fabs(a) > fabs(b) ? fabs(b) : fabs(a);
    if (large == 0) return 0;
    return large * sqrt(1 + (small / large) * (small / large));
}

static void rotate(double *restrict low, double *restrict high, uint32_t n, double c, double s)
{
    for (uint32_t k = 0; k < n; k++) {
        double f = high[k];
        high[k] = s * low[k] + c * f;
        low[k] = c * low[k] - s * f;
    }
}

/* One implicit QL step on rows l … m. */
static void ql_step(uint32_t n, uint32_t l, uint32_t m, double *d, double *e, double *z)
{
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypotenuse(g, 1), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
    for (uint32_t i = m; i-- > l;) {
        double f = s * e[i], b = c * e[i];
        r = hypotenuse(f, g);
        e[i + 1] = r;
        if (r == 0) {
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        rotate(z + (size_t)i * n, z + (size_t)(i + 1) * n, n, c, s);
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

/* What is left beside the diagonal counts as 0 where it is less than the rounding errors that the reduction
 * made: of the whole matrix, for one of less than full rank has clusters of values that are nothing else. */
static quern_status diagonal(uint32_t n, double *d, double *e, double *z)
{
    double norm = 0;
    for (uint32_t i = 0; i < n; i++) {
        double both = fabs(d[i]) + (i + 1 < n ? fabs(e[i]) : 0);
        norm = both > norm ? both : norm;
    }
    for (uint32_t l = 0; l < n; l++)
        for (int sweep = 0;; sweep++) {
            uint32_t m = l;
            while (m + 1 < n && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1])) &&
                   fabs(e[m]) > DBL_EPSILON / 8 * norm)
                m++;
            if (m == l) break;
            if (sweep == MOST_SWEEPS || !isfinite(norm))
                return qn_error(QUERN_INVALID, "the columns' products have no eigenvalues: values "
                                               "are too large");
            ql_step(n, l, m, d, e, z);
        }
    return QUERN_OK;
}

quern_status qn_symmetric_eigen(uint32_t n, double *a, double *values, double *vectors)
{
    quern_status status = QUERN_OK;
    double *e = qn_zalloc((size_t)n + 1, sizeof *e), *v = qn_alloc((size_t)n + 1, sizeof *v);
    double *p = qn_alloc((size_t)n + 1, sizeof *p);
    if (e == NULL || v == NULL || p == NULL)
        QN_GO(qn_error_memory("eigenvalues", 3 * n * sizeof *e));
    tridiagonal(n, a, values, e, vectors, v, p);
    status = diagonal(n, values, e, vectors);
cleanup:
    qn_free(e);
    qn_free(v);
    qn_free(p);
    return status;
}
