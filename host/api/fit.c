/* SPDX-License-Identifier: Apache-2.0
 * Fits by pushes: statistics are kept where the pipeline allows it (host/pipeline/mergeable.h), else
 * copies of the rows, one chunk after another. */
#include "host/api/fit.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/sparse.h"

quern_status quern_fit_begin(quern_context *context, const quern_pipeline *p, quern_fit **out)
{
    if (context == NULL || p == NULL || out == NULL) return qn_null_argument("quern_fit_begin");
    *out = NULL;
    if (p->spec == NULL) return qn_error(QUERN_INVALID, "the pipeline has no step");
    quern_fit *fit = qn_zalloc(1, sizeof *fit);
    char *text = json_dumps(p->json, JSON_COMPACT);
    quern_status status = fit != NULL && text != NULL ? QUERN_OK : qn_error_memory_while("fitting");
    if (status == QUERN_OK)
        status = quern_pipeline_from_spec(p->name, text, strlen(text), &fit->pipeline);
    qn_free(text);
    if (status != QUERN_OK) {
        qn_free(fit);
        return status;
    }
    fit->context = context;
    fit->blame = qn_mergeable_blame(fit->pipeline->spec);
    *out = fit;
    return QUERN_OK;
}

quern_status quern_fit_push(quern_fit *fit, const quern_table *chunk)
{
    if (fit == NULL || chunk == NULL) return qn_null_argument("quern_fit_push");
    if (chunk->resident != NULL)
        return qn_error(QUERN_UNSUPPORTED, "chunks of a fit must be in host memory");
    QN_TRY(qn_refuse_sparse(chunk, "quern_fit_push"));
    if (qn_context_cancelled(fit->context)) return qn_context_stopped("the fit");
    const struct qn_spec *spec = fit->pipeline->spec;
    if (fit->blame != NULL) {
        if (fit->rows == NULL) QN_TRY(qn_append_open(chunk, &fit->rows));
        return qn_append_table(fit->rows, chunk);
    }
    if (fit->state == NULL)
        QN_TRY(qn_mergeable_open(spec, chunk, qn_weights_given(spec, chunk), &fit->state));
    return qn_mergeable_push(fit->state, spec, fit->context->threads, chunk);
}

void quern_fit_cancel(quern_fit *fit)
{
    if (fit == NULL) return;
    qn_append_free(fit->rows);
    qn_mergeable_free(fit->state);
    quern_pipeline_free(fit->pipeline);
    qn_free(fit);
}

quern_status quern_fit_snapshot(quern_fit *fit, quern_model **out)
{
    struct qn_spec *spec;
    if (fit == NULL || out == NULL) return qn_null_argument("quern_fit_snapshot");
    *out = NULL;
    if (fit->rows == NULL && fit->state == NULL)
        return qn_error(QUERN_INVALID, "no rows were pushed; a fit needs at least one");
    if (fit->rows != NULL)
        return qn_pipeline_fit(fit->context, fit->pipeline, qn_append_view(fit->rows), NULL, out);
    QN_TRY(qn_pipeline_spec(fit->pipeline, &spec));
    return qn_mergeable_model(fit->state, fit->context, spec, out);
}

quern_status quern_fit_finish(quern_fit *fit, quern_model **out)
{
    if (fit == NULL || out == NULL) return qn_null_argument("quern_fit_finish");
    quern_status status = quern_fit_snapshot(fit, out);
    quern_fit_cancel(fit);
    return status;
}
