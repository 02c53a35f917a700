/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/weights.h"

#include "host/core/checked.h"
#include "host/pipeline/frame.h"

int qn_weights_given(const struct qn_spec *spec, const struct quern_table *table)
{
    return spec->weight != NULL || (table != NULL && table->weights != NULL);
}

void qn_weights_free(struct qn_weights *w)
{
    qn_free(w->owned);
    w->owned = NULL;
    w->values = NULL;
}

static quern_status bad_weight(const struct quern_table *table, uint64_t first_row, uint64_t row,
                               double value)
{
    char where[320];
    qn_place(table, row, first_row, where, sizeof where);
    if (value != value)
        return qn_error(QUERN_INVALID,
                        "%s: the weight is missing; weights are finite numbers, 0 or more", where);
    return qn_error(QUERN_INVALID, "%s: the weight is %g; weights are finite numbers, 0 or more",
                    where, value);
}

/* What a weight may be, of eight rows at a time without a branch; the bad row is looked for when there
 * is one. Zero times a number that is not finite is NaN. */
static quern_status check_rows(const struct quern_table *table, uint64_t first_row,
                               struct qn_weights *w)
{
    enum { SIDE = 8 };
    double odd[SIDE] = {0}, low[SIDE] = {0}, high[SIDE] = {0};
    uint64_t row = 0;
    int bad = 0;
    for (; row + SIDE <= table->rows; row += SIDE)
        for (int j = 0; j < SIDE; j++) {
            double value = w->values[row + (uint64_t)j];
            odd[j] += value * 0.0;
            low[j] = value < low[j] ? value : low[j];
            high[j] = value > high[j] ? value : high[j];
        }
    for (; row < table->rows; row++) {
        double value = w->values[row];
        high[0] = value > high[0] ? value : high[0];
        bad |= !qn_weight_good(value);
    }
    for (int j = 0; j < SIDE; j++) {
        bad |= odd[j] != 0.0 || low[j] < 0.0;
        w->any |= high[j] > 0.0;
    }
    for (row = 0; bad && row < table->rows; row++)
        if (!qn_weight_good(w->values[row]))
            return bad_weight(table, first_row, row, w->values[row]);
    return QUERN_OK;
}

static quern_status from_column(const struct quern_table *table, const char *name,
                                struct qn_weights *w)
{
    int64_t at = qn_table_find(table, name);
    if (at < 0) return qn_table_lacks(table, "weight", name);
    const quern_column *c = &table->columns[at];
    if (!qn_type_is_number(c->type) && c->type != QUERN_BOOL)
        return qn_error(QUERN_INVALID, "weight: column \"%s\" is of type %s, not of numbers", name,
                        qn_type_name(c->type));
    if (table->resident != NULL)
        return qn_error(QUERN_UNSUPPORTED,
                        "weight: column \"%s\" lies on a device; give the weights by "
                        "quern_table_set_weights",
                        name);
    w->owned = qn_alloc((size_t)table->rows, sizeof *w->owned);
    if (w->owned == NULL) return qn_error_memory("weights", table->rows * sizeof *w->owned);
    for (uint64_t row = 0; row < table->rows; row++) w->owned[row] = qn_column_number(c, row);
    w->values = w->owned;
    return QUERN_OK;
}

quern_status qn_weights_of(const struct qn_spec *spec, const struct quern_table *table,
                           uint64_t first_row, struct qn_weights *w)
{
    qn_weights_free(w);
    if (spec->weight != NULL && table->weights != NULL)
        return qn_error(
            QUERN_INVALID,
            "the spec names the weights' column \"%s\", and the table has other weights",
            spec->weight);
    w->values = table->weights;
    if (spec->weight != NULL) QN_TRY(from_column(table, spec->weight, w));
    if (w->values == NULL)
        return qn_error(QUERN_INVALID, "rows without weights follow rows with weights");
    return check_rows(table, first_row, w);
}

quern_status qn_weights_check(const struct qn_weights *w)
{
    return w->any ? QUERN_OK : qn_error(QUERN_INVALID, "the weights of all rows are 0");
}
