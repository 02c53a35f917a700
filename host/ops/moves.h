/* SPDX-License-Identifier: Apache-2.0
 * Operations that move values, as plain data (as host/ops/arrays.h is for sorting), and the operations.
 * Backends see this file. What is moved keeps its bits; only a cast between types makes values. */
#ifndef QN_MOVES_H
#define QN_MOVES_H

#include "host/ops/arrays.h"

/* out[l][i] = in[l][i] in out's type: NumPy's astype where that is defined. A float becomes an integer by
 * truncation; beyond int64 (for uint64: beyond uint64) it saturates, NaN is 0, and narrower integers
 * keep the low bits, as they do of integers. NaN to bool is true. NaN between floats is written in one
 * form. Of one type: bits are copied. */
struct qn_cast_request {
    struct qn_lines in, out;
    uint32_t check;  /* whether *unfit is wanted */
    uint32_t *unfit; /* 1: some value had no place in out's type (qn_cast_fits) */
};

/* out[l][i] = in[l][index[i]]; in and out have one type and as many lines, index one line of an integer
 * type. RAISE: *outside becomes 1 where some index is not in -n … n - 1, and what is written there is
 * any value; negative ones count from the end. WRAP: modulo n. CLIP: negative ones are 0, larger ones
 * n - 1. n != 0 where there are indices. */
enum { QN_TAKE_RAISE, QN_TAKE_WRAP, QN_TAKE_CLIP };
struct qn_take_request {
    struct qn_lines in, index, out;
    uint32_t mode;
    uint32_t *outside; /* RAISE */
};

/* out[l][k] = in[l][place of the mask's k-th value that is not 0]. Without `in` out is one line of int64:
 * those places themselves, counted line by line where the mask has several. Without `out` they are only
 * counted; else out.n says how many there are. */
struct qn_compress_request {
    struct qn_lines mask, in, out;
    uint64_t *count; /* NULL: not wanted */
};

/* out[l][i] = mask[l][i] is not 0 ? a[l][i] : b[l][i]; a, b and out have one type. One line stands for
 * every line, and a line of one value for a line of such values. */
struct qn_where_request {
    struct qn_lines mask, a, b, out;
};

quern_status qn_op_cast(struct qn_device *, struct qn_threads *, uint32_t queue,
                        const struct qn_cast_request *, struct qn_outcome *);
quern_status qn_op_take(struct qn_device *, struct qn_threads *, uint32_t queue,
                        const struct qn_take_request *, struct qn_outcome *);
quern_status qn_op_compress(struct qn_device *, struct qn_threads *, uint32_t queue,
                            const struct qn_compress_request *, struct qn_outcome *);
quern_status qn_op_where(struct qn_device *, struct qn_threads *, uint32_t queue,
                         const struct qn_where_request *, struct qn_outcome *);

/* What the CPU backend offers, for lines in host memory. */
quern_status qn_cpu_cast(struct qn_threads *, const struct qn_cast_request *);
quern_status qn_cpu_take(struct qn_threads *, const struct qn_take_request *);
quern_status qn_cpu_compress(struct qn_threads *, const struct qn_compress_request *);
quern_status qn_cpu_where(struct qn_threads *, const struct qn_where_request *);
/* The first value of a line, by line and place, that does not fit a type, or the first index outside of
 * n values: for messages. 0: there is none. */
int qn_cpu_cast_unfit(const struct qn_lines *, uint32_t type, uint64_t *line, uint64_t *place);
int qn_cpu_take_outside(const struct qn_lines *index, uint64_t n, uint64_t *place, int64_t *value);

#endif
