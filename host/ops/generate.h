/* SPDX-License-Identifier: Apache-2.0
 * Writes the kernel of a program in which every column runs the same chain (kernels/uniform.k.h has
 * the loops around it). The text depends on the shape alone: types, ops and layouts. Numbers are
 * parameters, one row of a table per parameter of the chain, one entry per column. */
#ifndef QN_GENERATE_H
#define QN_GENERATE_H

#include "host/ops/requests.h"

enum qn_turn { QN_STRAIGHT_ROWS, QN_STRAIGHT_COLUMNS, QN_COLUMNS_TO_ROWS, QN_ROWS_TO_COLUMNS };

enum { QN_CHAIN_OPS = 32, QN_CHAIN_PARAMS = 64 };

struct qn_chain_shape {
    uint32_t in_type, out_type, work; /* stored, stored, and after the load */
    uint32_t n_ops, n_params;
    uint32_t code[QN_CHAIN_OPS], op_work[QN_CHAIN_OPS];
    enum qn_turn turn;
    int watch; /* what the run saw is wanted */
};

/* NULL: the request has one shape for all columns, which is in *out. Else why not. */
const char *qn_chain_shape_of(const struct qn_run_request *, struct qn_chain_shape *out);

/* The complete text: dialect, chain, generated words, loops. The caller frees it (qn_free). */
quern_status qn_generate(const struct qn_chain_shape *, char **text, size_t *bytes);

/* The parameter table, `places` entries a row: place i holds those of column i % columns. */
quern_status qn_generate_params(const struct qn_chain_shape *, const struct qn_batch *,
                                uint32_t places, uint64_t **table, size_t *words);

#endif
