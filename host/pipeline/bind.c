/* SPDX-License-Identifier: Apache-2.0
 * Binding a table to a model: which of its columns are the model's, and whether their types will do. */
#include <stdio.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/core/nearest.h"
#include "host/pipeline/transform.h"

/* 1 when values of the stored type can be used where the model was fitted on another. */
static int fits(quern_type stored, quern_type wanted)
{
    if (stored == wanted) return 1;
    if (wanted == QUERN_FLOAT64) return stored == QUERN_BOOL || qn_type_is_integer(stored);
    if (qn_type_is_integer(wanted) && qn_type_is_integer(stored))
        return qn_result_type(stored, wanted) == wanted;
    return 0;
}

int qn_model_wants_integer(const struct quern_model *model, uint32_t column)
{
    const struct qn_layer *layer = &model->plan->layers[0];
    if (!qn_type_is_integer(model->schema->columns[column].type)) return 0;
    for (uint32_t i = 0; i < layer->n_outputs; i++) {
        const struct qn_chain *chain = layer->outputs[i].chain;
        if (chain->source == column && chain->load_work == QN_W_I64) return 1;
    }
    return 0;
}

static quern_status bind_error(const struct quern_table *table, const char *name)
{
    char hint[160] = "";
    const char **names = qn_zalloc(table->n_columns, sizeof *names);
    if (names != NULL) {
        for (uint32_t i = 0; i < table->n_columns; i++)
            names[i] = table->columns[i].name != NULL ? table->columns[i].name : "";
        (void)qn_did_you_mean(hint, sizeof hint, name, names, table->n_columns);
        qn_free(names);
    }
    return qn_error(QUERN_INVALID, "%s%sthe model needs column \"%s\"%s",
                    table->source != NULL ? table->source : "", table->source != NULL ? ": " : "",
                    name, hint);
}

/* The place of the model's column i in the table, or a number that is none. The same place is looked at
 * first: wide tables are searched by name in the order that they have. */
static int64_t place_of(const struct quern_model *model, const struct quern_table *table,
                        uint32_t i)
{
    const char *name = model->schema->columns[i].name;
    if (!model->schema->has_names || !table->has_names) return (int64_t)i;
    if (i < table->n_columns && strcmp(table->columns[i].name, name) == 0) return (int64_t)i;
    return qn_table_find(table, name);
}

static quern_status bind_column(const struct quern_model *model, const struct quern_table *table,
                                uint32_t i, quern_column *out)
{
    const quern_column *wanted = &model->schema->columns[i];
    int64_t at = place_of(model, table, i);
    char position[16];
    const char *name = wanted->name;
    if (name == NULL) {
        (void)snprintf(position, sizeof position, "x%u", i);
        name = position;
    }
    if (at < 0 || at >= table->n_columns) {
        if (!model->plan->used[i]) { /* nobody reads it: it need not be there */
            *out = (quern_column){.name = wanted->name, .type = QUERN_FLOAT64};
            return QUERN_OK;
        }
        return bind_error(table, name);
    }
    *out = table->columns[at];
    int integer = qn_model_wants_integer(model, i);
    quern_type type = qn_type_is_integer(wanted->type) && !integer ? QUERN_FLOAT64 : wanted->type;
    if (model->plan->used[i] && !fits(out->type, type))
        return qn_error(QUERN_INVALID, "column \"%s\" is of type %s; the model was fitted on %s",
                        name, qn_type_name(out->type), qn_type_name(wanted->type));
    if (model->plan->used[i] && integer && out->validity != NULL)
        for (uint64_t row = 0; row < table->rows; row++)
            if (!qn_column_valid(out, row))
                return qn_error(QUERN_INVALID,
                                "row %llu: column \"%s\" has a missing value; at the fit it was of "
                                "type %s, without any",
                                (unsigned long long)row, name, qn_type_name(wanted->type));
    return QUERN_OK;
}

quern_status qn_model_places(const struct quern_model *model, const struct quern_table *table,
                             uint32_t *at)
{
    for (uint32_t i = 0; i < model->schema->n_columns; i++) {
        quern_column ignored;
        int64_t place = place_of(model, table, i);
        QN_TRY(bind_column(model, table, i, &ignored));
        at[i] = place >= 0 && place < table->n_columns ? (uint32_t)place : UINT32_MAX;
    }
    return QUERN_OK;
}

quern_status qn_model_bind(const struct quern_model *model, const struct quern_table *table,
                           struct quern_table **out)
{
    uint32_t n = model->schema->n_columns;
    int same = n == table->n_columns;
    *out = NULL;
    if (!(model->schema->has_names && table->has_names) && table->n_columns < n)
        return qn_error(QUERN_INVALID, "the table has %u columns; the model was fitted on %u",
                        table->n_columns, n);
    struct quern_table *t = qn_zalloc(1, sizeof *t);
    quern_column *columns = qn_zalloc(n, sizeof *columns);
    if (t == NULL || columns == NULL) {
        qn_free(t);
        qn_free(columns);
        return qn_error_memory("transform", n);
    }
    *t = *table;
    t->columns = columns;
    t->n_columns = n;
    t->release = NULL;
    for (uint32_t i = 0; i < n; i++) {
        quern_status status = bind_column(model, table, i, &columns[i]);
        if (status != QUERN_OK) {
            qn_table_free(t);
            return status;
        }
        same &= i < table->n_columns && columns[i].data == table->columns[i].data;
    }
    if (!same) {
        t->is_matrix = 0; /* columns were moved or left out */
        t->resident = NULL;
    }
    if (table->resident != NULL && !same) {
        qn_table_free(t);
        return qn_error(QUERN_UNSUPPORTED,
                        "a table on a device must have the model's columns in the model's order");
    }
    *out = t;
    return QUERN_OK;
}
