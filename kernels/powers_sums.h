/* SPDX-License-Identifier: Apache-2.0
 * How a block's values become a node of their curve (kernels/powers.h), and how two neighbours merge. */
#ifndef QN_POWERS_SUMS_H
#define QN_POWERS_SUMS_H

#include "kernels/functions_exp.h"
#include "kernels/functions_log.h"
#include "kernels/powers.h"

/* Of a value, or less those of the block's first value. */
struct qn_powers_terms {
    double s, a[QN_POWERS_TERMS];
};

/* The sums of a lane of a block: of s, of each a_k, and of the coefficients of the squares. */
enum { QN_POWERS_PARTS = 1 + QN_POWERS_TERMS, QN_POWERS_SUMS = 1 + 2 * QN_POWERS_TERMS };

QN_MATH double qn_powers_log(double x, double shift, double scale)
{
    double l = qn_log1p(qn_magnitude(x));
    return (qn_signed_as(l, x) - shift) * scale;
}

QN_MATH double qn_powers_log_box_cox(double x, double shift, double scale)
{
    return (qn_log(x) - shift) * scale;
}

QN_MATH double qn_powers_exp(double s, double up, double down)
{
    return qn_exp(s * (s < 0.0 ? down : up));
}

/* e: qn_powers_exp of s. inverse: of the r that belongs to s. */
QN_MATH void qn_powers_of(double s, double e, double inverse, struct qn_powers_terms *t)
{
    t->s = s;
    t->a[0] = (e - 1.0) * inverse;
    for (qn_u32 k = 1u; k < QN_POWERS_TERMS; k++) {
        e = e * s * (1.0 / (double)k);
        t->a[k] = (e - t->a[k - 1u]) * inverse;
    }
}

QN_MATH void qn_powers_less(struct qn_powers_terms *t, const struct qn_powers_terms *pivot)
{
    t->s -= pivot->s;
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) t->a[k] -= pivot->a[k];
}

/* q plus the coefficients of the square of a's polynomial, each from its middle. */
QN_MATH void qn_powers_square(const double *a, double *q)
{
    double a0 = a[0] + a[0], a1 = a[1] + a[1], a2 = a[2] + a[2];
    q[0] = QN_FMA(a[0], a[0], q[0]);
    q[1] = QN_FMA(a0, a[1], q[1]);
    q[2] = QN_FMA(a0, a[2], QN_FMA(a[1], a[1], q[2]));
    q[3] = QN_FMA(a0, a[3], QN_FMA(a1, a[2], q[3]));
    q[4] = QN_FMA(a0, a[4], QN_FMA(a1, a[3], QN_FMA(a[2], a[2], q[4])));
    q[5] = QN_FMA(a0, a[5], QN_FMA(a1, a[4], QN_FMA(a2, a[3], q[5])));
    q[6] = QN_FMA(a0, a[6], QN_FMA(a1, a[5], QN_FMA(a2, a[4], QN_FMA(a[3], a[3], q[6]))));
}

/* The sums, `hop` apart, with one more value's terms. */
QN_MATH void qn_powers_add(const struct qn_powers_terms *t, qn_u32 hop, double *sums)
{
    double q[QN_POWERS_TERMS];
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) q[k] = sums[(QN_POWERS_PARTS + k) * hop];
    qn_powers_square(t->a, q);
    sums[0] += t->s;
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) {
        sums[(1u + k) * hop] += t->a[k];
        sums[(QN_POWERS_PARTS + k) * hop] = q[k];
    }
}

/* part + times the square of a's polynomial: sums about another point. */
QN_FN void qn_powers_move(QN_GLOBAL double *part, const double *a, double times)
{
    double q[QN_POWERS_TERMS];
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) q[k] = 0.0;
    qn_powers_square(a, q);
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) part[k] = QN_FMA(q[k], times, part[k]);
}

/* The node of n values whose terms less the pivot's have these sums. */
QN_FN void qn_powers_finish(QN_GLOBAL struct qn_powers_node *r, double n,
                            const struct qn_powers_terms *pivot, const double *sums)
{
    double of = n == 0.0 ? 1.0 : n;
    double m[QN_POWERS_TERMS];
    r->n = n;
    r->log_ = n == 0.0 ? 0.0 : pivot->s + sums[0] / of;
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) {
        m[k] = sums[1u + k] / of;
        r->mean[k] = n == 0.0 ? 0.0 : pivot->a[k] + m[k];
        r->part[k] = sums[QN_POWERS_PARTS + k];
    }
    qn_powers_move(r->part, m, -n);
    r->part[0] = r->part[0] < 0.0 ? 0.0 : r->part[0];
}

/* a becomes both, a before b; an empty side changes nothing. */
QN_FN void qn_powers_join(QN_GLOBAL struct qn_powers_node *a,
                          QN_GLOBAL const struct qn_powers_node *b)
{
    if (b->n == 0.0) return;
    if (a->n == 0.0) {
        *a = *b;
        return;
    }
    double n = a->n + b->n, share = b->n / n, d[QN_POWERS_TERMS];
    a->log_ = QN_FMA(b->log_ - a->log_, share, a->log_);
    for (qn_u32 k = 0u; k < QN_POWERS_TERMS; k++) {
        d[k] = b->mean[k] - a->mean[k];
        a->mean[k] = QN_FMA(d[k], share, a->mean[k]);
        a->part[k] += b->part[k];
    }
    qn_powers_move(a->part, d, a->n * share);
    a->n = n;
}

#endif
