/* SPDX-License-Identifier: Apache-2.0
 * Bayesian ridge regression by its evidence (MacKay, Bayesian interpolation, 1992), with the starting values,
 * priors and stopping rule of scikit-learn's BayesianRidge (linear_model/_bayes.py). Where that factorises
 * the data, here the eigenvectors of the products of the columns do: in their basis coefficients, the sum of
 * squared errors and the number of well-determined coefficients are sums over eigenvalues. */
#include <float.h>
#include <math.h>

#include "host/core/checked.h"
#include "host/stats/symmetric.h"

#define PRIOR 1e-6     /* alpha_1, alpha_2, lambda_1, lambda_2 */
#define TOLERANCE 1e-3 /* tol */
enum { MOST_ROUNDS = 300 };

struct work {
    uint32_t n;
    double *values, *vectors, *z; /* z: products with y in the eigenvectors' basis */
    double y_y, rows;
};

/* Coefficients for the present precisions; *errors: the sum of squared errors, *size: of squared coefficients. */
static void solve(const struct work *w, const struct qn_ridge *ridge, double *coefficients,
                  double *errors, double *size)
{
    double ratio = ridge->lambda / ridge->alpha;
    *errors = w->y_y;
    *size = 0;
    for (uint32_t k = 0; k < w->n; k++) coefficients[k] = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        double c = w->z[i] / (w->values[i] + ratio);
        *errors -= c * c * (w->values[i] + 2 * ratio);
        *size += c * c;
        for (uint32_t k = 0; k < w->n; k++) coefficients[k] += c * w->vectors[(size_t)i * w->n + k];
    }
    if (*errors < 0) *errors = 0; /* a perfect fit, but for rounding errors */
}

static void reweigh(const struct work *w, double errors, double size, struct qn_ridge *ridge)
{
    double gamma = 0;
    for (uint32_t i = 0; i < w->n; i++)
        gamma += ridge->alpha * w->values[i] / (ridge->lambda + ridge->alpha * w->values[i]);
    ridge->lambda = (gamma + 2 * PRIOR) / (size + 2 * PRIOR);
    ridge->alpha = (w->rows - gamma + 2 * PRIOR) / (errors + 2 * PRIOR);
}

static void iterate(const struct work *w, double *coefficients, double *before,
                    struct qn_ridge *ridge)
{
    double errors, size;
    ridge->alpha = 1 / (w->y_y / w->rows + DBL_EPSILON);
    ridge->lambda = 1;
    for (ridge->rounds = 1; ridge->rounds <= MOST_ROUNDS; ridge->rounds++) {
        double change = 0;
        solve(w, ridge, coefficients, &errors, &size);
        reweigh(w, errors, size, ridge);
        for (uint32_t k = 0; k < w->n; k++) {
            change += fabs(before[k] - coefficients[k]);
            before[k] = coefficients[k];
        }
        if (ridge->rounds > 1 && change < TOLERANCE) break;
    }
    if (ridge->rounds > MOST_ROUNDS) ridge->rounds = MOST_ROUNDS;
    solve(w, ridge, coefficients, &errors, &size);
}

quern_status qn_bayesian_ridge(uint32_t n, double *products, const double *with_y, double y_y,
                               double rows, double *coefficients, struct qn_ridge *out)
{
    quern_status status = QUERN_OK;
    struct work w = {.n = n, .y_y = y_y > 0 ? y_y : 0, .rows = rows};
    double *before = qn_zalloc(n, sizeof *before);
    w.values = qn_alloc(n, sizeof *w.values);
    w.vectors = qn_alloc((size_t)n * n, sizeof *w.vectors);
    w.z = qn_alloc(n, sizeof *w.z);
    if (before == NULL || w.values == NULL || w.vectors == NULL || w.z == NULL)
        QN_GO(qn_error_memory("a regression", (uint64_t)n * n * sizeof(double)));
    QN_GO(qn_symmetric_eigen(n, products, w.values, w.vectors));
    for (uint32_t i = 0; i < n; i++) {
        if (w.values[i] < 0) w.values[i] = 0; /* sums of squares have none below */
        w.z[i] = 0;
        for (uint32_t k = 0; k < n; k++) w.z[i] += w.vectors[(size_t)i * n + k] * with_y[k];
    }
    iterate(&w, coefficients, before, out);
cleanup:
    qn_free(before);
    qn_free(w.values);
    qn_free(w.vectors);
    qn_free(w.z);
    return status;
}
