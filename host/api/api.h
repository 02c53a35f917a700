/* SPDX-License-Identifier: Apache-2.0
 * What the files behind include/quern/quern.h share. */
#ifndef QN_API_H
#define QN_API_H

#include "host/data/append.h"
#include "host/device/context.h"
#include "host/pipeline/fit.h"
#include "host/pipeline/model_file.h"
#include "host/pipeline/transform.h"

struct quern_pipeline {
    json_t *json;         /* the spec; checked whenever it changes */
    struct qn_spec *spec; /* the same, parsed: for input options */
    char *name;
    int from_file; /* name is a path */
};

/* A spec of its own for a fit, which takes it. */
quern_status qn_pipeline_spec(const struct quern_pipeline *, struct qn_spec **out);

/* Fit with the context's rule for falling back; rest as in qn_fit. */
quern_status qn_pipeline_fit(struct quern_context *, const struct quern_pipeline *,
                             const struct quern_table *, struct qn_fit_rest *rest,
                             struct quern_model **out);
/* Transform into a matrix or CSR, made when the caller gives none. */
quern_status qn_model_apply(struct quern_context *, const struct quern_model *,
                            const struct quern_table *, struct qn_fit_rest *rest, quern_matrix *out,
                            quern_csr *csr);

/* Its dense half for a table that is bound. step: what decisions call it; NULL: "transform". */
quern_status qn_model_dense(struct quern_context *, const struct quern_model *,
                            const struct quern_table *bound, struct qn_fit_rest *rest,
                            const char *step, quern_matrix *out);
/* INVALID when the caller's matrix is not what the model gives for the table. */
quern_status qn_matrix_check(const struct quern_model *, const struct quern_table *,
                             const quern_matrix *);

/* Bounded copy for structs that grew: `given` bytes of the caller's struct, the rest zero. */
void qn_struct_in(void *to, size_t size, const void *from, uint32_t given);
void qn_struct_out(void *to, const void *from, size_t size);

/* Options that read a table for a model; *wanted is what options->schema points to (qn_free). */
quern_status qn_model_csv_options(const struct quern_model *, struct qn_csv_options *out,
                                  quern_column **wanted);

quern_status qn_null_argument(const char *function);

/* {"fit": n or null, "takes": …, "transform": n}, as in quern_model_inspect. */
json_t *qn_model_passes_json(const struct quern_model *);

/* A JSON string of any bytes: what is not UTF-8 is shown as Latin-1. */
json_t *qn_json_text(const char *bytes, size_t n);

#endif
