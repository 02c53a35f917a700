/* SPDX-License-Identifier: Apache-2.0
 * Batches for the tests of row statistics: every memory layout, every kind of value that makes
 * trouble, and chains of ops over every stored type. The same seed gives the same bytes everywhere. */
#ifndef QN_TEST_SAMPLE_DATA_H
#define QN_TEST_SAMPLE_DATA_H

#include "host/ops/requests.h"

enum sample_layout {
    SAMPLE_ROWS,    /* packed row-major */
    SAMPLE_GAPPED,  /* row-major, three more columns in memory than lanes */
    SAMPLE_COLUMNS, /* packed columns, apart */
    SAMPLE_FIELDS,  /* every second column of a row-major matrix, last first */
    SAMPLE_CHAINS,  /* stored types, validity and ops that change from lane to lane */
    SAMPLE_LAYOUTS
};

enum sample_fill {
    SAMPLE_NORMAL,
    SAMPLE_SOME_NAN, /* one in ten */
    SAMPLE_MOST_NAN, /* 99 in 100 */
    SAMPLE_ALL_NAN,
    SAMPLE_CONSTANT,
    SAMPLE_FEW,    /* a handful of values, one of them in half the rows */
    SAMPLE_SORTED, /* ascending */
    SAMPLE_EPOCH,  /* seconds since 1970, large against their spread */
    SAMPLE_TINY,   /* denormals and both zeros */
    SAMPLE_ENDS,   /* infinities among numbers */
    SAMPLE_RARE,   /* few values far off, the first of them in row 0 */
    SAMPLE_FILLS
};

struct sample {
    struct qn_batch batch;
    void *memory, *validity;
    struct qn_lane *lanes;
};

/* type: QN_T_F32 or QN_T_F64 (SAMPLE_CHAINS uses all types). Fails the test on lack of memory. */
struct sample sample_make(enum sample_layout, enum sample_fill, uint32_t type, uint64_t rows,
                          uint32_t lanes, uint64_t seed);
void sample_free(struct sample *);
const char *sample_layout_name(enum sample_layout);
const char *sample_fill_name(enum sample_fill);

/* A lane's final values as doubles, by the reference; NaN is missing. The caller frees them. */
double *sample_values(const struct sample *, uint32_t lane);

#endif
