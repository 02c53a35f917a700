/* SPDX-License-Identifier: Apache-2.0
 * Reductions of lines, as plain data. Backends see this file. */
#ifndef QN_REDUCTIONS_H
#define QN_REDUCTIONS_H

#include "host/ops/arrays.h"
#include "host/ops/requests.h"
#include "kernels/reduce.h"

/* A node for each line (kernels/reduce.h). Sums and products of integers as floats are of the values
 * converted to float64; PRODUCT_INT and SUM_INT take integers. out is host memory. */
struct qn_reduce_request {
    struct qn_lines in;
    uint32_t kind, skip; /* QN_REDUCE_*; skip: NaN is left out */
    uint32_t places;     /* whether places of extremes are wanted */
    struct qn_reduced *out;
};

/* All sums or products on the way along each line, in the type of `out`: F32, F64, or I64 and U64, which
 * are one. */
struct qn_accumulate_request {
    struct qn_lines in, out;
    uint32_t product, skip;
};

quern_status qn_op_accumulate(struct qn_device *, struct qn_threads *, uint32_t queue,
                              const struct qn_accumulate_request *, struct qn_outcome *);
quern_status qn_op_reduce(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_reduce_request *, struct qn_outcome *);
/* The nodes of a line's blocks, joined in their order, with canonical NaN. */
struct qn_reduced qn_reduce_fold(uint32_t kind, const struct qn_reduced *blocks, uint64_t n,
                                 uint64_t step);

/* What the CPU backend offers, for lines in host memory. */
quern_status qn_cpu_reduce(struct qn_threads *, const struct qn_reduce_request *);
quern_status qn_cpu_accumulate(struct qn_threads *, const struct qn_accumulate_request *);
/* Moments of lines of at most QN_BLOCK_ROWS values, as of columns: a node for each. */
void qn_cpu_moments_lines(struct qn_threads *, const struct qn_lines *, struct qn_node *nodes);

#endif
