/* SPDX-License-Identifier: Apache-2.0
 * The way back: a fitted pipeline's estimators undone, last first. The result is a model of its own,
 * whose input is the pipeline's output and whose program is made by the estimators' `invert`; it runs
 * as any other, on any device. */
#ifndef QN_INVERSE_H
#define QN_INVERSE_H

#include "host/pipeline/fit.h"

/* table: what is to be brought back, one column per output of the model, by position; its types decide
 * the dtypes. The outputs of the result are the input columns that the model's steps take, in the
 * order of the model's input. UNSUPPORTED where an estimator has no way back, or a column two. */
quern_status qn_inverse_make(const struct quern_model *, const struct quern_table *table,
                             struct quern_model **out);

#endif
