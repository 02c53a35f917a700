/* SPDX-License-Identifier: Apache-2.0
 * The node of a reduction (docs/arrays.md): what is known of some values of a line, and how two nodes
 * become one. Host and kernels read this file.
 *
 * Values of a line are cut into blocks of 1024; value i of a block belongs to part i mod 16. A part goes
 * through its values in order, the parts are joined in halves (8 to 8, 4 to 4, 2 to 2, 1 to 1), and the
 * blocks in their order. Sums and products of floats need that order; the others are free of it. */
#ifndef QN_REDUCE_H
#define QN_REDUCE_H

#include "kernels/dialect.h"
#include "kernels/program.h"

#define QN_REDUCE_SUM 0u     /* of floats: a the sum, b what its roundings lost, both float64 */
#define QN_REDUCE_SUM_INT 1u /* modulo 2^64 */
#define QN_REDUCE_PRODUCT 2u /* a: float64 */
#define QN_REDUCE_PRODUCT_INT 3u
#define QN_REDUCE_MIN 4u   /* a: the key; place: the first of it, or of NaN */
#define QN_REDUCE_MAX 5u   /* the same of complemented keys */
#define QN_REDUCE_COUNT 6u /* a: values that are not 0, NaN among them */

#define QN_REDUCE_PARTS 16u
#define QN_REDUCE_TOP 0x8000000000000000u

struct qn_reduced {
    qn_u64 a, b;
    qn_u64 place;   /* in the line; all ones: none */
    qn_u64 missing; /* NaN; where sums and products do not skip them they are not counted */
};

QN_FN struct qn_reduced qn_reduce_empty(qn_u32 kind)
{
    struct qn_reduced r = {0u, 0u, 0xffffffffffffffffu, 0u};
    if (kind == QN_REDUCE_PRODUCT) r.a = 0x3ff0000000000000u;
    if (kind == QN_REDUCE_PRODUCT_INT) r.a = 1u;
    if (kind == QN_REDUCE_MIN || kind == QN_REDUCE_MAX) r.a = 0xffffffffffffffffu;
    return r;
}

/* s += x, and what that loses goes to e (Knuth's two-sum). */
#define QN_REDUCE_ADD(s, e, x)                                                                     \
    do {                                                                                           \
        double sum_ = (s) + (x), part_ = sum_ - (s);                                               \
        (e) += ((s) - (sum_ - part_)) + ((x)-part_);                                               \
        (s) = sum_;                                                                                \
    } while (0)

/* a before b. */
QN_FN struct qn_reduced qn_reduce_merge(qn_u32 kind, struct qn_reduced a, struct qn_reduced b)
{
    a.missing += b.missing;
    if (kind == QN_REDUCE_SUM) {
        double s = QN_F64(a.a), e = QN_F64(a.b) + QN_F64(b.b), x = QN_F64(b.a);
        QN_REDUCE_ADD(s, e, x);
        a.a = QN_BITS64(s);
        a.b = QN_BITS64(e);
    } else if (kind == QN_REDUCE_PRODUCT) {
        double product = QN_F64(a.a) * QN_F64(b.a);
        a.a = QN_BITS64(product);
    } else if (kind == QN_REDUCE_PRODUCT_INT) {
        a.a *= b.a;
    } else if (kind == QN_REDUCE_MIN || kind == QN_REDUCE_MAX) {
        if (b.a < a.a || (b.a == a.a && b.place < a.place)) {
            a.a = b.a;
            a.place = b.place;
        }
    } else {
        a.a += b.a;
    }
    return a;
}

/* The key of a value that is not NaN: float64 by value, -0 as +0. 0 and all ones are never keys. */
QN_FN qn_u64 qn_reduce_key(double x)
{
    qn_u64 u = QN_BITS64(x + 0.0);
    return u >> 63 ? ~u : u | QN_REDUCE_TOP;
}

#endif
