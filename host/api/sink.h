/* SPDX-License-Identifier: Apache-2.0
 * Where a run writes: .npy, .npz or .csv, in one go or chunk by chunk. */
#ifndef QN_SINK_H
#define QN_SINK_H

#include "host/api/api.h"

struct qn_sink;

/* rows: of the whole output. path NULL: nothing is written, *out is NULL. */
quern_status qn_sink_open(const struct quern_model *, const char *path, uint64_t rows,
                          struct qn_sink **out);
/* Transforms the bound chunk and writes it. rest as in qn_transform. */
quern_status qn_sink_put(struct qn_sink *, struct quern_context *, const struct quern_table *bound,
                         struct qn_fit_rest *rest, quern_job_info *);
quern_status qn_sink_commit(struct qn_sink *, quern_job_info *); /* frees in any case */
void qn_sink_discard(struct qn_sink *);

/* The JSON of names and dtypes beside an output. */
quern_status qn_names_save(const struct quern_model *, const char *path);

#endif
