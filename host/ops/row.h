/* SPDX-License-Identifier: Apache-2.0
 * A program made ready for rows that come one at a time: a service that holds a fitted model. Making
 * it ready costs an allocation or two; running it costs none, takes no lock and writes nothing but the
 * output, so any number of threads share one. Bits are those of qn_cpu_run. */
#ifndef QN_OPS_ROW_H
#define QN_OPS_ROW_H

#include "host/ops/requests.h"

/* One lane's value after the load: f64 for F32 and F64 lanes (a float32 is widened, missing is NaN),
 * i64 and code for the others. */
union qn_row_value {
    double f64;
    int64_t i64;
    uint32_t code;
};

struct qn_row_program;

/* Copies what it needs; the lanes' memory and strides are not looked at. A slot's offset is its
 * place in the output row. */
quern_status qn_row_open(const struct qn_batch *, const struct qn_slot *, uint32_t n_slots,
                         const struct qn_norm_desc *, uint32_t n_norms,
                         struct qn_row_program **out);
void qn_row_close(struct qn_row_program *);

/* values: one per lane, then one per operand. Returns QN_SEEN_* of all lanes; `seen` (one word per lane, or NULL) gets each
 * lane's, OR-ed in. */
uint32_t qn_row_run(const struct qn_row_program *, const union qn_row_value *values, void *out_row,
                    uint32_t *seen);

#endif
