/* SPDX-License-Identifier: Apache-2.0
 * The lambda whose likelihood is largest, from curves of powers (kernels/powers.h): each pass over the rows
 * tells how the negative log-likelihood goes on about one lambda, and so where it is least if that is near.
 * Where it is not, a step towards it, and the signs of the slopes enclose it: the likelihood has one
 * maximum.
 *
 * The search is for r, lambda times the range of the logarithms, which are divided by that: none of a
 * column's numbers is large then, whatever its values are. */
#ifndef QN_DESCENT_H
#define QN_DESCENT_H

#include <stdint.h>

#include "kernels/powers.h"

/* LOST: the rows do not tell, as where none differ. */
enum qn_descent_news { QN_DESCENT_GO_ON, QN_DESCENT_FOUND, QN_DESCENT_LOST };

struct qn_descent {
    double low_log, high_log, range;
    double two;         /* 2 range, where the negative values' exponent is r - 2 range; or 0 */
    double low, high;   /* r stays between them */
    double left, right; /* the minimum lies between them */
    double at, stride;
    uint32_t rounds;
};

/* low, high: of lambda. low_log, high_log: the extreme logarithms, with the signs of their values if both signs
 * occur. The search begins at 1. */
void qn_descent_open(struct qn_descent *, double low, double high, double low_log, double high_log,
                     int both_signs);
/* It begins where it is, on other rows; or where it was opened. */
void qn_descent_on(struct qn_descent *);
void qn_descent_again(struct qn_descent *);
/* What to ask of the rows. */
struct qn_powers_at qn_descent_ask(const struct qn_descent *, int box_cox);
/* Takes the answer. FOUND: to 3e-8, or 3e-12 / range where that is more; of a sample, rough, to a part of what
 * the sample leads astray. */
enum qn_descent_news qn_descent_take(struct qn_descent *, const struct qn_powers_node *, int rough);
/* The lambda, once it is FOUND; the best that is known else. */
double qn_descent_lambda(const struct qn_descent *);

#endif
