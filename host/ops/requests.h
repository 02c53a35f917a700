/* SPDX-License-Identifier: Apache-2.0
 * What an operation is asked to do, as plain data: it can be checked, logged, replayed and given to
 * any implementation. Backends see this file, driver.h and kernels/.
 *
 * A batch is a run of rows of some lanes. On the host a lane points at its memory; on a device its
 * offset counts from the batch's base view (uploaded or wrapped). The first row of a batch is a
 * multiple of QN_GROUP_ROWS of the whole data; only the last batch of the data may have a length
 * that is not. */
#ifndef QN_REQUESTS_H
#define QN_REQUESTS_H

#include "host/device/driver.h"
#include "kernels/powers.h"
#include "kernels/program.h"
#include "kernels/rows.h"

struct qn_lane {
    const void *data;        /* host: row 0 of the batch                                         */
    int64_t stride;          /* bytes from row to row (never 0)                                  */
    const uint8_t *validity; /* host: Arrow bitmap or NULL                                       */
    int64_t validity_offset; /* bit of row 0                                                     */
    uint64_t offset;         /* device: bytes from the base of row 0                             */
    uint64_t valid_bit;      /* device: bit number from the base, QN_NO_VALIDITY for none        */
    uint32_t type, work;     /* QN_T_*, QN_W_* after the load                                    */
    uint32_t first_op, n_ops;
};

struct qn_starts;

/* How many parameter words an op reads, from words[arg] on. One list for the host and for backends. */
static inline uint32_t qn_op_params(uint32_t code)
{
    switch (code) {
    case QN_OP_MISSING:
    case QN_OP_EXP:
    case QN_OP_EXPM1:
    case QN_OP_LOG:
    case QN_OP_LOG1P:
    case QN_OP_SQRT:
    case QN_OP_RECIPROCAL:
    case QN_OP_ASINH:
    case QN_OP_SIN:
    case QN_OP_COS:
    case QN_OP_NCDF:
    case QN_OP_NQUANTILE:
    case QN_OP_LOG2:
    case QN_OP_LOG10:
    case QN_OP_ABS:
    case QN_OP_SQUARE:
    case QN_OP_LOOK:
    case QN_OP_NORM:
    case QN_OP_TO_F32:
    case QN_OP_TO_F64:
    case QN_OP_TO_I64:
    case QN_OP_TAKE:
    case QN_OP_JOIN_ADD:
    case QN_OP_JOIN_SUB:
    case QN_OP_JOIN_RSUB:
    case QN_OP_JOIN_MUL:
    case QN_OP_JOIN_DIV:
    case QN_OP_JOIN_RDIV:
    case QN_OP_JOIN_MIN:
    case QN_OP_JOIN_MAX:
    case QN_OP_JOIN_POW:
    case QN_OP_JOIN_LESS:
    case QN_OP_JOIN_LESS_EQUAL:
    case QN_OP_JOIN_GREATER:
    case QN_OP_JOIN_GREATER_EQUAL:
    case QN_OP_JOIN_EQUAL:
    case QN_OP_JOIN_WHERE: return 0;
    case QN_OP_FILL_EQ:
    case QN_OP_CLIP:
    case QN_OP_FIND:
    case QN_OP_REMAP:
    case QN_OP_VALUE:
    case QN_OP_BIN:
    case QN_OP_INTERP:
    case QN_OP_INTERP_MEAN: return 2;
    case QN_OP_SPLINE: return 3;
    default: return 1;
    }
}

struct qn_batch {
    uint64_t first_row, rows;
    const struct qn_lane *lanes;
    uint32_t n_lanes, n_ops, n_words;
    const struct qn_op *ops;
    const uint64_t *words;
    const struct qn_lane *operands; /* what TAKE ops name */
    uint32_t n_operands;
    struct qn_view base; /* raw NULL: host memory, lanes' data and validity count               */
    const struct qn_starts *starts; /* the CPU's own (backends/cpu/starts.h); NULL from outside */
};

/* Canonical moments (docs/numbers.md) of each lane's final value; missing rows are no-ops. */
struct qn_node {
    double n, hi, lo, m2; /* count, mean = hi + lo, sum of squares about it; n = 0: empty        */
};
/* Of a lane's value and the row's target: a node of each, over the rows whose value is not missing, and
 * the sum of the products of their differences from their means. */
struct qn_pair {
    struct qn_node value, target;
    double product;
};
struct qn_moments_request {
    struct qn_batch batch;
    struct qn_node *nodes; /* out, host: [group * n_lanes + lane], ceil(rows / QN_GROUP_ROWS)
                              groups, each the tree over its 64 blocks                           */
    /* Rows count with these weights, packed, finite and not negative, one per row of the batch; n is
     * then their sum, and a row of weight 0 is missing. Both NULL: every row counts once. */
    const double *weights;       /* a batch in host memory */
    struct qn_view weights_base; /* a batch on a device: row 0's is the view's first */
    /* By classes: a row counts only in the moments of the class that its code names, as if it had the
     * weight 1 there and 0 elsewhere; a code of n_classes or more counts nowhere. Never with weights.
     * nodes: [(group * n_lanes + lane) * n_classes + class]. n_classes 0: none of this. */
    const uint32_t *codes;     /* a batch in host memory */
    struct qn_view codes_base; /* a batch on a device */
    uint32_t n_classes;
    /* With targets, packed, finite, one per row, instead of `nodes`: [group * n_lanes + lane]. Never with
     * weights or classes. Both NULL: none of this. */
    struct qn_pair *pairs;
    const double *targets;       /* a batch in host memory */
    struct qn_view targets_base; /* a batch on a device */
};

/* Curves of powers (docs/numbers.md) of each lane's final value, missing rows left out. */
struct qn_powers_request {
    struct qn_batch batch;
    const struct qn_powers_at *at; /* per lane */
    struct qn_powers_node *nodes;  /* out, host: [group * n_lanes + lane], as of moments */
};

/* Extremes of each lane's final value. Empty lane: min = +inf, max = -inf, count = 0.
 * -0 counts as +0 (add +0.0 to the result); infinities take part. */
struct qn_extremes {
    double min, max;
    uint64_t count; /* rows that are not missing                                                 */
};
struct qn_extremes_request {
    struct qn_batch batch;
    struct qn_extremes *out; /* host, one per lane; merged INTO what is there (start from empty) */
    uint32_t any; /* a hint: if all values are finite, any finite numbers do for their extremes */
};

/* Order statistics, in memory: the whole data is this one batch. For lane l and rank number j:
 * the rank[l * n_ranks + j]-th smallest non-missing value (0-based), by value, -0 as +0.
 * rank UINT64_MAX: not wanted. counts come from extremes of the same data. */
struct qn_select_request {
    struct qn_batch batch;
    uint32_t n_ranks;
    const uint64_t *ranks;
    const uint64_t *counts; /* per lane */
    double *values;         /* out, host: [lane * n_ranks + j] */
};

/* One radix pass over the order-preserving integer keys of the lanes' final values: F32 has a
 * 32-bit key, F64 64-bit (key: sign set -> ~bits, else bits | sign bit; -0 first made +0; missing
 * rows are skipped). For lane l, target t: among keys whose bits above `shift + bits` equal
 * prefix[l * n_targets + t] (the key shifted right by shift + bits), histogram of the next `bits`
 * bits, ADDED to counts[(l * n_targets + t) << bits]. In the first pass there is nothing above and
 * prefix is 0. prefix UINT64_MAX: target not wanted. All lanes of a request have one work type. */
struct qn_histogram_request {
    struct qn_batch batch;
    uint32_t n_targets, shift, bits; /* bits <= 16 */
    const uint64_t *prefix;
    uint64_t *counts; /* in/out, host */
};

/* Runs a program over a batch: the lanes' values into the slots. */
struct qn_slot {
    uint64_t offset, stride; /* bytes from the output's base: row 0 of the batch, row to row     */
    uint32_t type, lane, match, reserved; /* as qn_slot_desc */
};
struct qn_run_request {
    struct qn_batch batch;
    const struct qn_slot *slots;
    uint32_t n_slots, n_norms;
    const struct qn_norm_desc *norms;
    void *out_host;          /* host output base, or NULL                                        */
    struct qn_view out_base; /* device output base                                               */
    uint32_t *seen;          /* host, one word per lane, QN_SEEN_* are OR-ed in; NULL: not wanted */
    struct qn_view
        seen_base;   /* device: the flags are left here (the caller zeroed them), so that the
                                 call need not wait for them; raw NULL: not wanted                   */
    uint32_t stream; /* a hint: the output is larger than the caches                     */
};

/* The same program to CSR: slots are columns 0 … n_slots-1 in order (offset and stride unused); an
 * element is stored if it is not 0 (NaN is stored), columns ascending. Two calls: first with
 * data NULL: row_nnz is filled. Then with indptr (rows + 1, absolute), indices and data at their
 * absolute places. All slots have one type, F32, F64 or I64. Outputs are host memory. */
struct qn_csr_request {
    struct qn_batch batch;
    const struct qn_slot *slots;
    uint32_t n_slots, n_norms;
    const struct qn_norm_desc *norms;
    uint32_t *row_nnz;     /* [rows] */
    const int64_t *indptr; /* [rows + 1] */
    int32_t *indices;
    void *data;
    uint32_t *seen;
};

/* An operation over whole rows (kernels/rows.h). In host memory the columns of a row may lie anywhere; on
 * a device all are packed columns of one base. Outputs are packed and overlap no input. */
struct qn_row_column {
    const void *data; /* row 0 */
    int64_t stride;
};
struct qn_rows_request {
    const struct qn_rows_op *op;
    uint64_t rows;
    const struct qn_row_column *in; /* op->n_in; NULL: the columns lie on the device alone */
    void *const *out;               /* op->n_out */
    struct qn_view base;            /* raw NULL: the columns lie in host memory alone */
    const uint64_t *in_at, *out_at; /* op->n_in, op->n_out: bytes of the base before each column */
    quern_status (*go_on)(
        void *); /* asked between launches: CANCELLED if the caller says so; NULL */
    void *user;  /* for go_on */
};

/* ---- what the CPU backend offers for host batches. Each is the last entry of its op's list and
 *      takes every request whose batch lies in host memory. ---- */
quern_status qn_cpu_moments(struct qn_threads *, const struct qn_moments_request *);
quern_status qn_cpu_powers(struct qn_threads *, const struct qn_powers_request *);
quern_status qn_cpu_extremes(struct qn_threads *, const struct qn_extremes_request *);
quern_status qn_cpu_select(struct qn_threads *, const struct qn_select_request *);
quern_status qn_cpu_histogram(struct qn_threads *, const struct qn_histogram_request *);
quern_status qn_cpu_run(struct qn_threads *, const struct qn_run_request *);
quern_status qn_cpu_csr(struct qn_threads *, const struct qn_csr_request *);
quern_status qn_cpu_neighbours(struct qn_threads *, const struct qn_rows_request *);
quern_status qn_cpu_regressions(struct qn_threads *, const struct qn_rows_request *);
quern_status qn_cpu_centering(struct qn_threads *, const struct qn_rows_request *);
quern_status qn_cpu_gram(struct qn_threads *, const struct qn_gram *);
quern_status qn_cpu_predict(struct qn_threads *, const struct qn_prediction *);
quern_status qn_cpu_information(struct qn_threads *, const struct qn_information *);
/* "avx512", "avx2", "baseline", "neon": what this process's choice was. */
const char *qn_cpu_isa(void);

#endif
