/* SPDX-License-Identifier: Apache-2.0
 * KNNImputer: missing cells get the mean of the nearest training rows that have the column.
 * Definition: scikit-learn, impute/_knn.py. The training rows are what it learns; the search is an
 * operation over rows (kernels/rows.h, backends/cpu/neighbours.c). */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/estimators/row_imputer.h"

static const struct qn_param PARAMS[] = {
    {"missing_values", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "what counts as missing: null (NaN and empty cells) or a number"},
    {"n_neighbors", QN_PARAM_INT, "5", NULL, 1, INT32_MAX, "so many rows fill a cell"},
    {"weights", QN_PARAM_CHOICE, "\"uniform\"", "uniform|distance", 0, 0,
     "uniform: neighbours count the same; distance: nearer ones count more"},
    {"metric", QN_PARAM_CHOICE, "\"nan_euclidean\"", "nan_euclidean", 0, 0,
     "Euclidean over the columns that both rows have, scaled to all columns"},
    {"add_indicator", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "append a column of 0 and 1 for each column that had missing cells"},
    {"keep_empty_features", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "keep columns without any value, filled with 0"},
};

static quern_status knn_need(struct qn_stage *stage)
{
    quern_type type;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_row_imputer_port(stage, &stage->in[i], type, &stage->out[i]));
        stage->need[i].flags = QN_NEED_ROWS;
    }
    return QUERN_OK;
}

struct keeping {
    const struct qn_stage *stage;
    double *rows;
};

static quern_status keep(void *user, const double *rows, uint64_t first, uint64_t n)
{
    const struct keeping *k = user;
    uint32_t n_in = k->stage->n_in;
    double *out = k->rows + first * n_in;
    for (size_t i = 0; i < (size_t)n * n_in; i++) {
        if (isinf(rows[i]))
            return qn_error(QUERN_INVALID, "KNNImputer: column \"%s\" has infinite values",
                            k->stage->in[i % n_in].name);
        out[i] = isnan(rows[i]) ? NAN : rows[i];
    }
    return QUERN_OK;
}

static quern_status knn_learn(struct qn_stage *stage)
{
    const struct qn_rows_source *source = stage->source;
    struct keeping k = {stage, qn_attrs_matrix(stage->attrs, "fit_X_", stage->rows, stage->n_in)};
    if (k.rows == NULL) return qn_stage_memory(stage);
    return source->walk(source->user, 0, stage->n_in, keep, &k);
}

/* ---- the operation ---- */

/* What is known of a training column. */
struct donors {
    uint64_t present;
    double mean;
};

/* The mean of the values that are there, in order, with the rounding errors carried along (Neumaier). */
static struct donors look_at(const double *rows, uint64_t n, uint32_t columns, uint32_t column)
{
    struct donors found = {0};
    double sum = 0, rest = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = rows[i * columns + column];
        if (isnan(x)) continue;
        double next = sum + x;
        rest += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
        sum = next;
        found.present++;
    }
    found.mean = found.present != 0 ? (sum + rest) / (double)found.present : 0;
    return found;
}

static quern_status lay_out_donors(struct qn_stage *stage, const struct qn_attr *rows,
                                   struct qn_neighbours *d)
{
    uint32_t n = rows->n;
    size_t cells, bits;
    d->n_donors = rows->rows;
    d->n_padded = (rows->rows + QN_DONOR_TILE - 1) / QN_DONOR_TILE * QN_DONOR_TILE;
    d->words = (n + 63) / 64;
    if (qn_mul_size((size_t)d->n_padded, n, &cells) ||
        qn_mul_size((size_t)d->n_padded, d->words, &bits))
        return qn_stage_memory(stage);
    double *values = qn_arena_alloc(stage->arena, cells, sizeof *values);
    qn_u64 *masks = qn_arena_alloc(stage->arena, cells, sizeof *masks);
    qn_u64 *present = qn_arena_alloc(stage->arena, bits, sizeof *present);
    if (values == NULL || masks == NULL || present == NULL) return qn_stage_memory(stage);
    for (uint64_t row = 0; row < rows->rows; row++)
        for (uint32_t i = 0; i < n; i++) {
            double x = rows->f64[row * n + i];
            if (isnan(x)) continue;
            values[i * d->n_padded + row] = x;
            masks[i * d->n_padded + row] = UINT64_MAX;
            present[row * d->words + i / 64] |= (qn_u64)1 << (i % 64);
        }
    d->values = values;
    d->masks = masks;
    d->present = present;
    return QUERN_OK;
}

static quern_status make_op(struct qn_stage *stage, const struct qn_attr *rows, quern_type type,
                            const struct donors *donors, struct qn_rows_op *op)
{
    int keep = qn_param_bool(stage->estimator, "keep_empty_features");
    struct qn_neighbours *d = qn_arena_alloc(stage->arena, 1, sizeof *d);
    double *fallback = qn_arena_alloc(stage->arena, stage->n_in, sizeof *fallback);
    uint32_t *columns = qn_arena_alloc(stage->arena, stage->n_in, sizeof *columns);
    unsigned char *empty = qn_arena_alloc(stage->arena, stage->n_in, 1);
    if (d == NULL || fallback == NULL || columns == NULL || empty == NULL)
        return qn_stage_memory(stage);
    *op = (struct qn_rows_op){.code = QN_ROWS_NEIGHBOURS,
                              .type = type == QUERN_FLOAT32 ? QN_T_F32 : QN_T_F64,
                              .n_in = stage->n_in,
                              .data = d};
    d->n_neighbours = (uint32_t)qn_param_f64(stage->estimator, "n_neighbors");
    d->by_distance = (uint32_t)qn_param_is(stage->estimator, "weights", "distance");
    d->fallback = fallback;
    d->columns = columns;
    d->empty = empty;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        fallback[i] = donors[i].mean;
        if (donors[i].present == 0 && !keep) continue;
        empty[op->n_out] = donors[i].present == 0;
        columns[op->n_out++] = i;
    }
    return lay_out_donors(stage, rows, d);
}

static quern_status add_operation(struct qn_stage *stage, const struct qn_attr *rows,
                                  quern_type type, const struct donors *donors)
{
    struct qn_rows_op *op = qn_arena_alloc(stage->arena, 1, sizeof *op);
    struct qn_port *in = qn_arena_alloc(stage->arena, stage->n_in, sizeof *in);
    if (op == NULL || in == NULL) return qn_stage_memory(stage);
    QN_TRY(make_op(stage, rows, type, donors, op));
    for (uint32_t i = 0; i < stage->n_in; i++)
        QN_TRY(qn_row_imputer_port(stage, &stage->in[i], type, &in[i]));
    return op->n_out != 0 ? stage->add_rows(stage->plan, op, in) : QUERN_OK;
}

static quern_status knn_emit(struct qn_stage *stage)
{
    const struct qn_attr *rows = qn_attrs_find(stage->attrs, "fit_X_");
    int keep = qn_param_bool(stage->estimator, "keep_empty_features");
    int indicator = qn_param_bool(stage->estimator, "add_indicator");
    quern_type type;
    uint32_t n = 0;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    if (rows->n != stage->n_in || rows->rows == 0)
        return qn_error(QUERN_CORRUPT, "KNNImputer: fit_X_ has %u columns; the step has %u",
                        rows->n, stage->n_in);
    struct donors *donors = qn_arena_alloc(stage->arena, stage->n_in, sizeof *donors);
    if (donors == NULL) return qn_stage_memory(stage);
    QN_TRY(qn_stage_outputs(stage, 2 * stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        donors[i] = look_at(rows->f64, rows->rows, rows->n, i);
        if (donors[i].present != 0 || keep)
            qn_row_imputer_output(&stage->in[i], type, &stage->out[n++]);
        else
            QN_TRY(qn_row_imputer_left_out(stage, i));
    }
    for (uint32_t i = 0; indicator && i < stage->n_in; i++)
        if (donors[i].present != rows->rows)
            QN_TRY(qn_row_imputer_indicator(stage, &stage->in[i], type, &stage->out[n++]));
    stage->n_out = n;
    return add_operation(stage, rows, type, donors);
}

static const char *knn_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "fit_X_";
}

const struct qn_estimator_type qn_knn_imputer = {
    .name = "KNNImputer",
    .doc = "Fill missing cells with the mean of the nearest training rows.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "",
    .matrices = "fit_X_",
    .input = "number",
    .depends_on = knn_depends_on,
    .check = qn_row_imputer_check,
    .need = knn_need,
    .learn = knn_learn,
    .emit = knn_emit,
};
