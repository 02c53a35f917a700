/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/columns.h"

#include <string.h>

#include "host/core/checked.h"

quern_status qn_columns_open(struct qn_columns *c, const struct qn_stage *stage, uint32_t least)
{
    const struct qn_rows_source *source = stage->source;
    uint32_t room = source->at_once > least ? source->at_once : least;
    size_t cells;
    *c = (struct qn_columns){.stage = stage, .room = room < stage->n_in ? room : stage->n_in};
    if (!qn_mul_size((size_t)source->rows, c->room, &cells))
        c->values = qn_alloc_aligned(cells, sizeof *c->values);
    return c->values != NULL
               ? QUERN_OK
               : qn_error_memory("the columns that a fit keeps", source->rows * c->room * 8);
}

static quern_status keep(void *user, const double *rows, uint64_t first, uint64_t n)
{
    const struct qn_columns *c = user;
    for (uint32_t k = 0; k < c->n; k++) {
        double *out = c->values + k * c->stage->source->rows + first;
        for (uint64_t i = 0; i < n; i++) out[i] = rows[i * c->n + k];
    }
    return QUERN_OK;
}

quern_status qn_columns_take(struct qn_columns *c, uint32_t i, const double **out)
{
    const struct qn_rows_source *source = c->stage->source;
    if (i < c->first || i - c->first >= c->n) {
        uint32_t left = c->stage->n_in - i;
        c->first = i;
        c->n = left < c->room ? left : c->room;
        QN_TRY(source->walk(source->user, c->first, c->n, keep, c));
    }
    *out = c->values + (i - c->first) * source->rows;
    return QUERN_OK;
}

void qn_columns_free(struct qn_columns *c)
{
    qn_free(c->values);
    c->values = NULL;
}
