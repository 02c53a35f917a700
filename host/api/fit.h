/* SPDX-License-Identifier: Apache-2.0
 * A fit by pushes, as its calls (fit.c) and its bytes (fit_bytes.c) see it. */
#ifndef QN_API_FIT_H
#define QN_API_FIT_H

#include "host/api/api.h"
#include "host/pipeline/mergeable.h"

struct quern_fit {
    quern_context *context;
    struct quern_pipeline *pipeline;
    const char *blame;          /* the estimator for whose sake rows are kept; NULL: none is */
    struct qn_mergeable *state; /* from the first push on */
    struct qn_append *rows;     /* the same where rows are kept */
};

#endif
