/* SPDX-License-Identifier: Apache-2.0
 * Mutual information as a score. Definition: scikit-learn, feature_selection/_mutual_info.py; the work is an
 * operation on all rows (kernels/rows.h, backends/cpu/information.c). Numbers are divided by their standard
 * deviation and get noise of 1e-10 of their size, as there, so that equal ones differ; the noise is the
 * library's own (docs/decisions), and `prepare` false leaves both to the caller. */
#include <math.h>

#include "host/core/checked.h"
#include "host/estimators/columns.h"
#include "host/estimators/scoring.h"
#include "host/stats/digamma.h"
#include "host/stats/moments.h"

/* Moments give the scales, and say whether a value is missing or infinite. */
quern_status qn_information_need(struct qn_stage *stage, const struct qn_scoring *s)
{
    uint32_t flags = s->function == QN_MUTUAL_INFO_CLASSIF ? QN_NEED_MOMENTS | QN_NEED_CODES
                                                           : QN_NEED_PAIRS | QN_NEED_NUMBERS;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    for (uint32_t i = 0; i < stage->n_in; i++) stage->need[i].flags = flags | QN_NEED_ROWS;
    return QUERN_OK;
}

static quern_status mark_discrete(const struct qn_stage *stage, const struct qn_scoring *s,
                                  unsigned char *out)
{
    for (uint32_t i = 0; i < stage->n_in; i++) out[i] = json_is_true(s->discrete);
    for (size_t i = 0; i < json_array_size(s->discrete); i++) {
        json_int_t at = json_integer_value(json_array_get(s->discrete, i));
        if (at >= stage->n_in)
            return qn_error(QUERN_INVALID,
                            "%s.score_func: discrete_features names column %lld of %u",
                            stage->estimator->type->name, (long long)at, stage->n_in);
        out[at] = 1;
    }
    return QUERN_OK;
}

static quern_status check_columns(const struct qn_stage *stage, const struct qn_scoring *s,
                                  const struct qn_information *q, double *scales)
{
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        struct qn_node node = s->function == QN_MUTUAL_INFO_CLASSIF ? f->moments : f->pair.value;
        if (node.n != (double)stage->rows) return qn_scoring_refuse(stage, i, "missing values");
        if (node.hi * 0.0 != 0.0) return qn_scoring_refuse(stage, i, "infinite values");
        scales[i] = qn_node_standard(node).scale;
        if (q->target == NULL || q->discrete[i] || q->neighbours < stage->rows) continue;
        return qn_error(QUERN_INVALID,
                        "%s.score_func: %u neighbours of a row want more rows than the %llu that "
                        "there are",
                        stage->estimator->type->name, q->neighbours,
                        (unsigned long long)stage->rows);
    }
    return QUERN_OK;
}

/* Some columns at a time: as many as are held together. */
static quern_status all_columns(struct qn_stage *stage, const struct qn_information *all)
{
    quern_status status = QUERN_OK;
    struct qn_columns columns = {0};
    QN_TRY(qn_columns_open(&columns, stage, stage->workers));
    for (uint32_t first = 0; first < stage->n_in; first += columns.n) {
        struct qn_information q = *all;
        QN_GO(stage->go_on(stage->plan));
        QN_GO(qn_columns_take(&columns, first, &q.values));
        q.columns = columns.n;
        q.first = first;
        q.discrete += first;
        if (q.scales != NULL) q.scales += first;
        q.nats += first;
        QN_GO(stage->information(stage->plan, &q));
    }
cleanup:
    qn_columns_free(&columns);
    return status;
}

quern_status qn_information_learn(struct qn_stage *stage, const struct qn_scoring *s,
                                  double *scores)
{
    quern_status status = QUERN_OK;
    unsigned char *discrete = qn_arena_alloc(stage->arena, stage->n_in, 1);
    double *scales = qn_arena_alloc(stage->arena, stage->n_in, sizeof *scales);
    double *digamma = qn_alloc((size_t)stage->rows + 1, sizeof *digamma);
    struct qn_information q = {.all = stage->n_in,
                               .rows = stage->rows,
                               .discrete = discrete,
                               .neighbours = s->n_neighbors,
                               .digamma = digamma,
                               .seed = s->random_state,
                               .nats = scores};
    if (discrete == NULL || scales == NULL || digamma == NULL) {
        status = qn_stage_memory(stage);
        goto cleanup;
    }
    if (s->function == QN_MUTUAL_INFO_CLASSIF) {
        q.codes = stage->codes;
        q.n_classes = stage->n_classes;
    } else {
        q.target = stage->numbers;
        q.target_scale = qn_node_standard(stage->found[0].pair.target).scale;
    }
    QN_GO(mark_discrete(stage, s, discrete));
    QN_GO(check_columns(stage, s, &q, scales));
    if (s->prepare) q.scales = scales;
    qn_digamma_table(stage->rows, digamma);
    QN_GO(all_columns(stage, &q));
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (isnan(scores[i]))
            QN_GO(qn_scoring_refuse(stage, discrete[i] ? i : 0,
                                    "no information: of no class there are two rows"));
cleanup:
    qn_free(digamma);
    return status;
}
