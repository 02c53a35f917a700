/* SPDX-License-Identifier: Apache-2.0
 * Moments by classes on the CPU (docs/numbers.md): one look at each row, whose values go to the sums of
 * the row's class. How a batch is cut into strips for that, and the memory of one thread. */
#ifndef QN_CPU_CLASSES_H
#define QN_CPU_CLASSES_H

#include "backends/cpu/chain.h"
#include "backends/cpu/strips.h"

enum {
    QN_CLASS_COLUMNS = 64, /* lanes of a strip of plain rows: its sums stay in the nearest cache */
    QN_CLASS_CHAINS = 32   /* of one whose values are computed or lie apart */
};

struct qn_class_desk {
    double *pivots;  /* [class][column] */
    double *sums;    /* lanes of the fold that wait for their sibling, S1 and S2 of each class */
    double *packed;  /* a block of rows whose values do not lie side by side */
    uint32_t *count; /* rows of each class in the block ... */
    uint32_t *first; /* ... and the first of them */
};

/* A block of rows: column c of row i is at data + i * stride, element c. */
struct qn_class_rows {
    const char *data;
    int64_t stride;
    uint32_t rows, columns, classes;
    const uint32_t *codes;
    struct qn_class_desk *desk;
};

/* The strips of a batch; *out is freed with qn_free. Plain rows may have gaps; lanes apart from each
 * other are chains. */
quern_status qn_class_strips(const struct qn_batch *, struct qn_strip **out, uint32_t *count);
/* Rows [row, row + rows) of a strip of chains as packed rows of doubles. */
void qn_class_pack(const struct qn_batch *, const struct qn_strip *, uint64_t row, uint32_t rows,
                   union qn_tile *tile, double *out);

/* 0: out of memory, and nothing is held. No classes: needs no memory. */
int qn_class_desk_open(uint32_t classes, struct qn_class_desk *);
void qn_class_desk_close(struct qn_class_desk *);

#endif
