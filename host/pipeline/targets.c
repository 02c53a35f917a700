/* SPDX-License-Identifier: Apache-2.0
 * The targets of all rows together, as classes or as numbers, for estimators that learn from all rows at
 * once. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/fit.h"

static uint32_t wanted(const struct qn_plan *plan)
{
    uint32_t flags = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++)
            flags |= step->needs[k].flags;
    }
    return flags;
}

typedef quern_status chunk_fn(struct qn_fit_state *, const struct quern_table *,
                              uint64_t first_row);

static quern_status walk(struct qn_fit_state *s, chunk_fn *body)
{
    qn_context_ledger(s->x.cx)->passes++;
    QN_TRY(qn_feed_rewind(s->feed));
    for (;;) {
        const struct quern_table *table;
        uint64_t first_row;
        QN_TRY(qn_feed_next(s->feed, &table, &first_row));
        if (table == NULL) return QUERN_OK;
        if (qn_context_cancelled(s->x.cx)) return qn_context_stopped("the fit");
        QN_TRY(body(s, table, first_row));
    }
}

static quern_status count(struct qn_fit_state *s, const struct quern_table *table,
                          uint64_t first_row)
{
    return qn_labels_count(&s->labels, s->plan->spec, s->x.cx->threads, table, first_row);
}

static quern_status take_codes(struct qn_fit_state *s, const struct quern_table *table,
                               uint64_t first_row)
{
    QN_TRY(qn_labels_codes(&s->labels, s->plan->spec, s->x.cx->threads, table, first_row));
    memcpy(s->codes + first_row, s->labels.codes, (size_t)table->rows * sizeof *s->codes);
    return QUERN_OK;
}

static quern_status take_numbers(struct qn_fit_state *s, const struct quern_table *table,
                                 uint64_t first_row)
{
    QN_TRY(qn_labels_numbers(&s->labels, s->plan->spec, s->x.cx->threads, table, first_row));
    memcpy(s->numbers + first_row, s->labels.numbers, (size_t)table->rows * sizeof *s->numbers);
    return QUERN_OK;
}

quern_status qn_fit_targets(struct qn_fit_state *s)
{
    uint32_t flags = wanted(s->plan);
    size_t rows = (size_t)s->plan->rows;
    if (flags & QN_NEED_CODES && s->codes == NULL) {
        if (!s->labels.counted) {
            s->labels.whole = s->whole;
            QN_TRY(walk(s, count));
            QN_TRY(qn_labels_counted(&s->labels));
        }
        s->codes = qn_alloc(rows + 1, sizeof *s->codes);
        if (s->codes == NULL) return qn_error_memory("target", rows * sizeof *s->codes);
        QN_TRY(walk(s, take_codes));
    }
    if (flags & QN_NEED_NUMBERS && s->numbers == NULL) {
        s->numbers = qn_alloc(rows + 1, sizeof *s->numbers);
        if (s->numbers == NULL) return qn_error_memory("target", rows * sizeof *s->numbers);
        QN_TRY(walk(s, take_numbers));
    }
    for (uint32_t i = 0; i < s->plan->n_steps; i++) {
        struct qn_plan_step *step = &s->plan->steps[i];
        step->codes = s->codes;
        step->numbers = s->numbers;
        step->n_classes = s->codes != NULL ? qn_categories_count(s->labels.classes) : 0;
    }
    return QUERN_OK;
}
