/* SPDX-License-Identifier: Apache-2.0
 * Makes the table that a launch reads (kernels/table.h) out of a batch and its slots, and checks the
 * program on the way: a kernel trusts every index in it. */
#ifndef QN_OPS_TABLE_H
#define QN_OPS_TABLE_H

#include "host/ops/requests.h"
#include "kernels/table.h"

struct qn_table_request {
    const struct qn_batch *batch;
    const struct qn_slot *slots; /* NULL with n_slots 0 for statistics */
    const struct qn_norm_desc *norms;
    uint32_t n_slots, n_norms;
};

/* *words is the caller's (qn_free), *n its length. QUERN_INVALID names the lane, op or slot. */
quern_status qn_table_build(const struct qn_table_request *, uint64_t **words, size_t *n);

/* The working type after an op that acts on `work`. */
uint32_t qn_op_result(uint32_t code, uint32_t work);

#endif
