/* SPDX-License-Identifier: Apache-2.0
 * IterativeImputer: each column with missing cells is regressed on the others, in rounds. Definition:
 * scikit-learn, impute/_iterative.py, with its default regression, BayesianRidge. What is learned is the
 * sequence of regressions, which a transform applies to each row; it begins where SimpleImputer ends. */
#include <float.h>
#include <math.h>

#include "host/core/checked.h"
#include "host/estimators/iterative_imputer.h"

static const struct qn_param PARAMS[] = {
    {"missing_values", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "what counts as missing: null (NaN and empty cells) or a number"},
    {"max_iter", QN_PARAM_INT, "10", NULL, 0, INT32_MAX,
     "rounds at most; 0: cells stay as they begin"},
    {"tol", QN_PARAM_FLOAT, "0.001", NULL, 0, DBL_MAX,
     "rounds end when no row changes by more than this part of the largest value"},
    {"initial_strategy", QN_PARAM_CHOICE, "\"mean\"", "mean|median|most_frequent|constant", 0, 0,
     "what missing cells begin as"},
    {"fill_value", QN_PARAM_SCALAR, "null", NULL, 0, 0, "for constant; null is 0"},
    {"imputation_order", QN_PARAM_CHOICE, "\"ascending\"", "ascending|descending|roman|arabic", 0,
     0,
     "columns by their missing cells, fewest or most first; or as they come, from the first or the "
     "last"},
    {"skip_complete", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "learn nothing for columns without missing cells at the fit"},
    {"min_value", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "the least that a cell may become; null: no limit"},
    {"max_value", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "the most that a cell may become; null: no limit"},
    {"add_indicator", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "append a column of 0 and 1 for each column that had missing cells"},
    {"keep_empty_features", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "keep columns without any value, filled with 0 or fill_value"},
};

double qn_iterative_bound(const struct qn_estimator *e, const char *name, double infinity)
{
    double bound = NAN;
    (void)qn_json_number(qn_param(e, name), &bound);
    return isnan(bound) ? infinity : bound;
}

static quern_status iterative_check(const struct qn_estimator *e)
{
    static const char *const numbers[] = {"fill_value", "min_value", "max_value"};
    double number;
    QN_TRY(qn_row_imputer_check(e));
    for (int i = 0; i < 3; i++)
        if (!qn_json_number(qn_param(e, numbers[i]), &number))
            return qn_error(QUERN_INVALID,
                            "IterativeImputer.%s: it fills numbers; give a number or null",
                            numbers[i]);
    if (qn_iterative_bound(e, "min_value", -INFINITY) >=
        qn_iterative_bound(e, "max_value", INFINITY))
        return qn_error(QUERN_INVALID, "IterativeImputer: min_value must be less than max_value");
    return QUERN_OK;
}

/* ---- fit ---- */

static quern_status iterative_need(struct qn_stage *stage)
{
    const struct qn_estimator *e = stage->estimator;
    quern_type type;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_need *need = &stage->need[i];
        QN_TRY(qn_row_imputer_port(stage, &stage->in[i], type, &stage->out[i]));
        need->flags = QN_NEED_ROWS | QN_NEED_EXTREMES;
        if (qn_param_is(e, "initial_strategy", "mean")) need->flags |= QN_NEED_MOMENTS;
        if (qn_param_is(e, "initial_strategy", "most_frequent")) need->flags |= QN_NEED_MODE;
        if (qn_param_is(e, "initial_strategy", "median")) qn_need_median(need, type);
    }
    return QUERN_OK;
}

/* What SimpleImputer would fill the column with. */
static double initial_of(const struct qn_stage *stage, uint32_t i)
{
    const struct qn_estimator *e = stage->estimator;
    const struct qn_found *f = &stage->found[i];
    int keep = qn_param_bool(e, "keep_empty_features");
    double value = 0;
    if (f->extremes.count == 0 && !keep) return NAN;
    if (qn_param_is(e, "initial_strategy", "constant")) {
        (void)qn_json_number(qn_param(e, "fill_value"), &value);
        return isnan(value) ? 0 : value;
    }
    if (f->extremes.count == 0) return 0;
    if (qn_param_is(e, "initial_strategy", "mean")) return f->moments.hi + f->moments.lo;
    if (qn_param_is(e, "initial_strategy", "median")) return f->quantile[0];
    return f->mode;
}

static quern_status iterative_learn(struct qn_stage *stage)
{
    quern_type type;
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    double *initial = qn_attrs_f64(stage->attrs, "initial_", stage->n_in);
    int64_t *missing = qn_attrs_i64(stage->attrs, "n_missing_", stage->n_in);
    double *empty = qn_attrs_f64(stage->attrs, "empty_", stage->n_in);
    if (initial == NULL || missing == NULL || empty == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        if (f->extremes.count != 0 && (isinf(f->extremes.min) || isinf(f->extremes.max)))
            return qn_error(QUERN_INVALID, "IterativeImputer: column \"%s\" has infinite values",
                            stage->in[i].name);
        missing[i] = (int64_t)(f->rows - f->extremes.count);
        empty[i] = f->extremes.count == 0;
        initial[i] = initial_of(stage, i);
        if (type == QUERN_FLOAT32) initial[i] = (double)(float)initial[i];
    }
    return qn_iterative_fit(stage, initial, missing);
}

/* ---- the operation ---- */

static quern_status sequence_error(const char *what)
{
    return qn_error(QUERN_CORRUPT, "IterativeImputer: sequence_ %s", what);
}

/* The regressions on the columns that stay. at: where an input column is among them. */
static quern_status make_steps(struct qn_stage *stage, const struct qn_attr *sequence,
                               const struct qn_rows_op *op, const uint32_t *at,
                               struct qn_regressions *r)
{
    size_t cells;
    if (sequence->n != QN_SEQUENCE_HEAD + stage->n_in || sequence->rows > UINT32_MAX ||
        qn_mul_size((size_t)sequence->rows, op->n_out, &cells))
        return sequence_error("is not as wide as the step");
    uint32_t *target = qn_arena_alloc(stage->arena, (size_t)sequence->rows, sizeof *target);
    double *intercepts = qn_arena_alloc(stage->arena, (size_t)sequence->rows, sizeof *intercepts);
    double *coefficients = qn_arena_alloc(stage->arena, cells, sizeof *coefficients);
    if (target == NULL || intercepts == NULL || coefficients == NULL) return qn_stage_memory(stage);
    for (uint32_t s = 0; s < sequence->rows; s++) {
        const double *row = sequence->f64 + (size_t)s * sequence->n;
        double column = row[QN_SEQUENCE_TARGET];
        if (!(column >= 0 && column < stage->n_in) || column != floor(column) ||
            at[(uint32_t)column] == UINT32_MAX)
            return sequence_error("names a column that is not there");
        target[s] = at[(uint32_t)column];
        intercepts[s] = row[QN_SEQUENCE_INTERCEPT];
        for (uint32_t k = 0; k < op->n_out; k++)
            if (k != target[s])
                coefficients[(size_t)s * op->n_out + k] = row[QN_SEQUENCE_HEAD + r->columns[k]];
    }
    r->n_steps = (uint32_t)sequence->rows;
    r->target = target;
    r->intercepts = intercepts;
    r->coefficients = coefficients;
    return QUERN_OK;
}

static quern_status make_op(struct qn_stage *stage, quern_type type, struct qn_rows_op *op)
{
    const struct qn_attr *initial = qn_attrs_find(stage->attrs, "initial_");
    const struct qn_attr *empty_at = qn_attrs_find(stage->attrs, "empty_");
    struct qn_regressions *r = qn_arena_alloc(stage->arena, 1, sizeof *r);
    uint32_t *columns = qn_arena_alloc(stage->arena, stage->n_in, sizeof *columns);
    uint32_t *at = qn_arena_alloc(stage->arena, stage->n_in, sizeof *at);
    double *fill = qn_arena_alloc(stage->arena, stage->n_in, sizeof *fill);
    unsigned char *empty = qn_arena_alloc(stage->arena, stage->n_in, 1);
    if (r == NULL || columns == NULL || at == NULL || fill == NULL || empty == NULL)
        return qn_stage_memory(stage);
    *op = (struct qn_rows_op){.code = QN_ROWS_REGRESSIONS,
                              .type = type == QUERN_FLOAT32 ? QN_T_F32 : QN_T_F64,
                              .n_in = stage->n_in,
                              .data = r};
    for (uint32_t i = 0; i < stage->n_in; i++) {
        at[i] = UINT32_MAX;
        if (isnan(initial->f64[i])) continue;
        at[i] = op->n_out;
        fill[op->n_out] = initial->f64[i];
        empty[op->n_out] = empty_at->f64[i] != 0;
        columns[op->n_out++] = i;
    }
    r->columns = columns;
    r->initial = fill;
    r->empty = empty;
    r->least = qn_iterative_bound(stage->estimator, "min_value", -INFINITY);
    r->most = qn_iterative_bound(stage->estimator, "max_value", INFINITY);
    return make_steps(stage, qn_attrs_find(stage->attrs, "sequence_"), op, at, r);
}

static quern_status add_operation(struct qn_stage *stage, quern_type type)
{
    struct qn_rows_op *op = qn_arena_alloc(stage->arena, 1, sizeof *op);
    struct qn_port *in = qn_arena_alloc(stage->arena, stage->n_in, sizeof *in);
    if (op == NULL || in == NULL) return qn_stage_memory(stage);
    QN_TRY(make_op(stage, type, op));
    for (uint32_t i = 0; i < stage->n_in; i++)
        QN_TRY(qn_row_imputer_port(stage, &stage->in[i], type, &in[i]));
    return op->n_out != 0 ? stage->add_rows(stage->plan, op, in) : QUERN_OK;
}

static quern_status iterative_emit(struct qn_stage *stage)
{
    const struct qn_attr *initial = qn_attrs_find(stage->attrs, "initial_");
    const struct qn_attr *missing = qn_attrs_find(stage->attrs, "n_missing_");
    int indicator = qn_param_bool(stage->estimator, "add_indicator");
    quern_type type;
    uint32_t n = 0;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    QN_TRY(qn_stage_outputs(stage, 2 * stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        if (!isnan(initial->f64[i]))
            qn_row_imputer_output(&stage->in[i], type, &stage->out[n++]);
        else
            QN_TRY(qn_row_imputer_left_out(stage, i));
    }
    for (uint32_t i = 0; indicator && i < stage->n_in; i++)
        if (missing->i64[i] > 0)
            QN_TRY(qn_row_imputer_indicator(stage, &stage->in[i], type, &stage->out[n++]));
    stage->n_out = n;
    return add_operation(stage, type);
}

static const char *iterative_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "initial_ empty_ n_missing_ sequence_";
}

const struct qn_estimator_type qn_iterative_imputer = {
    .name = "IterativeImputer",
    .doc = "Fill missing cells by Bayesian ridge regressions on the other columns, in rounds.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "initial_ empty_ n_missing_",
    .whole = "n_missing_",
    .matrices = "sequence_ rounds_",
    .input = "number",
    .traits = QN_TRAIT_COUNTS,
    .depends_on = iterative_depends_on,
    .check = iterative_check,
    .need = iterative_need,
    .learn = iterative_learn,
    .emit = iterative_emit,
};
