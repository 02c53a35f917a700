/* SPDX-License-Identifier: Apache-2.0
 * Moments of pairs of a lane's value and the row's target on the CPU (docs/numbers.md): the memory of
 * one thread. Batches are cut into strips as those of classes are (backends/cpu/classes.h). */
#ifndef QN_CPU_PAIRS_H
#define QN_CPU_PAIRS_H

#include <stddef.h>
#include <stdint.h>

enum {
    QN_PAIR_FIELDS = 8, /* n, hi, lo, m2; the target's hi, lo, m2; the product */
    QN_PAIR_NARROW = 32 /* rows of fewer columns have their targets copied to each position */
};

struct qn_pair_desk {
    double *pivots;  /* of 16 lanes */
    double *sums;    /* S1, S2 and the products of 16 lanes */
    double *targets; /* of a block, less their pivot */
    double *spread;  /* of 16 rows, one for each position */
    double *packed;  /* a block of rows whose values do not lie side by side */
};

/* A block of rows: column c of row i is at data + i * stride, element c. */
struct qn_pair_rows {
    const char *data;
    int64_t stride;
    uint32_t rows, columns;
    const double *targets;
    const struct qn_pair_desk *desk;
};

/* 0: out of memory, and nothing is held. */
int qn_pair_desk_open(struct qn_pair_desk *);
void qn_pair_desk_close(struct qn_pair_desk *);

#endif
