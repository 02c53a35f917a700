/* SPDX-License-Identifier: Apache-2.0
 * SimpleImputer: missing cells get the column's mean, median, most frequent value, or a constant.
 * Definition: scikit-learn, impute/_base.py. Indicator columns (add_indicator) follow the imputed
 * ones, for the columns that had missing cells at the fit. */
#include <math.h>
#include <string.h>

#include "host/estimators/missing.h"

static const struct qn_param PARAMS[] = {
    {"missing_values", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "what counts as missing: null (NaN and empty cells), a number or a string"},
    {"strategy", QN_PARAM_CHOICE, "\"mean\"", "mean|median|most_frequent|constant", 0, 0,
     "what missing cells become"},
    {"fill_value", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "for strategy constant; null is 0, or \"missing_value\" in string columns"},
    {"add_indicator", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "append a column of 0 and 1 for each column that had missing cells"},
    {"keep_empty_features", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "keep columns without any value, filled with 0 or fill_value"},
};

enum strategy { MEAN, MEDIAN, MOST_FREQUENT, CONSTANT };

static enum strategy strategy_of(const struct qn_estimator *e)
{
    if (qn_param_is(e, "strategy", "mean")) return MEAN;
    if (qn_param_is(e, "strategy", "median")) return MEDIAN;
    return qn_param_is(e, "strategy", "constant") ? CONSTANT : MOST_FREQUENT;
}

/* The step's dtype: floats for mean and median, else what the columns share. */
static quern_status imputer_dtype(const struct qn_stage *stage, quern_type *dtype, int *raw)
{
    enum strategy s = strategy_of(stage->estimator);
    *raw = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_port *p = &stage->in[i];
        if (p->raw && p->type == QUERN_DATETIME)
            return qn_error(QUERN_UNSUPPORTED, "SimpleImputer: column \"%s\" is of type datetime",
                            p->name);
        *raw |= p->raw;
    }
    if (*raw && (s == MEAN || s == MEDIAN)) {
        for (uint32_t i = 0; i < stage->n_in; i++)
            if (stage->in[i].raw)
                return qn_error(QUERN_UNSUPPORTED,
                                "SimpleImputer: strategy \"%s\" needs numbers; column \"%s\" is of "
                                "type string",
                                s == MEAN ? "mean" : "median", stage->in[i].name);
    }
    *dtype = QUERN_STRING; /* mixed with strings: every column keeps its own type */
    if (!*raw) QN_TRY(qn_stage_dtype(stage, s == MEAN || s == MEDIAN, dtype));
    if (*dtype == QUERN_BOOL)
        return qn_error(QUERN_UNSUPPORTED, "SimpleImputer: column \"%s\" is of type bool",
                        stage->in[0].name);
    return QUERN_OK;
}

static quern_type own_dtype(const struct qn_port *port, quern_type step)
{
    return step == QUERN_STRING ? port->type : step;
}

void qn_need_median(struct qn_need *need, quern_type type)
{
    static const double half[] = {50.0};
    need->flags |= QN_NEED_QUANTILES;
    need->n_quantiles = 1;
    need->percent = half;
    need->median = need->masked_median = 1;
    need->as_f32 = type == QUERN_FLOAT32;
}

static quern_status imputer_need(struct qn_stage *stage)
{
    quern_type dtype;
    int raw;
    enum strategy s = strategy_of(stage->estimator);
    QN_TRY(qn_marker_refuse_zero(stage));
    QN_TRY(imputer_dtype(stage, &dtype, &raw));
    QN_TRY(qn_stage_outputs(stage, stage->n_in)); /* the ports that the statistics are taken of */
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_need *need = &stage->need[i];
        if (stage->in[i].raw) {
            stage->out[i] = stage->in[i];
            need->flags = QN_NEED_CATEGORIES;
            continue;
        }
        QN_TRY(
            qn_marker_port(stage, &stage->in[i], own_dtype(&stage->in[i], dtype), &stage->out[i]));
        need->flags = s == MEAN            ? QN_NEED_MOMENTS
                      : s == MOST_FREQUENT ? QN_NEED_MODE
                                           : QN_NEED_EXTREMES;
        if (s == MEDIAN) qn_need_median(need, dtype);
    }
    return QUERN_OK;
}

/* The constant as a number for a number port. */
static quern_status constant_number(const struct qn_stage *stage, const struct qn_port *port,
                                    quern_type dtype, double *out)
{
    const json_t *fill = qn_param(stage->estimator, "fill_value");
    if (json_is_null(fill)) {
        *out = 0;
        if (!stage->object) return QUERN_OK;
        return qn_error(QUERN_UNSUPPORTED,
                        "SimpleImputer: number column \"%s\" beside string columns would be filled "
                        "with \"missing_value\"; give fill_value, or make a step of its own",
                        port->name);
    }
    if (!qn_json_number(fill, out))
        return qn_error(QUERN_INVALID,
                        "SimpleImputer.fill_value: \"%s\" cannot fill number column \"%s\"",
                        json_string_value(fill), port->name);
    if (qn_type_is_integer(dtype) && (json_is_real(fill) || isnan(*out)))
        return qn_error(QUERN_INVALID,
                        "SimpleImputer.fill_value: %g cannot fill column \"%s\" of type %s", *out,
                        port->name, qn_type_name(dtype));
    return QUERN_OK;
}

static quern_status learn_number(struct qn_stage *stage, uint32_t i, quern_type dtype, double *stat,
                                 int64_t *missing)
{
    const struct qn_found *f = &stage->found[i];
    enum strategy s = strategy_of(stage->estimator);
    int keep = qn_param_bool(stage->estimator, "keep_empty_features");
    *missing = (int64_t)(f->rows - f->count);
    if (f->count != 0 && (isinf(f->extremes.min) || isinf(f->extremes.max)))
        return qn_error(QUERN_INVALID, "SimpleImputer: column \"%s\" has infinite values",
                        stage->in[i].name);
    if (s == CONSTANT) {
        QN_TRY(constant_number(stage, &stage->in[i], own_dtype(&stage->in[i], dtype), stat));
        /* scikit-learn looks at what is stored when it asks whether a column has a value */
        if (!keep && (f->sparse ? f->stored : f->count) == 0) *stat = NAN;
        return QUERN_OK;
    }
    if (f->count == 0) {
        *stat = keep ? 0 : NAN;
        return QUERN_OK;
    }
    *stat = s == MEAN ? f->moments.hi + f->moments.lo : s == MEDIAN ? f->quantile[0] : f->mode;
    if (!isfinite(*stat))
        return qn_error(QUERN_INVALID, "SimpleImputer: column \"%s\" has infinite values",
                        stage->in[i].name);
    return QUERN_OK;
}

static quern_status learn_raw(struct qn_stage *stage, uint32_t i, const char **stat,
                              int64_t *missing)
{
    const struct qn_categories *set = stage->found[i].categories;
    struct qn_marker m = qn_marker_of(stage->estimator);
    uint64_t n_missing;
    uint32_t mode;
    QN_TRY(qn_marker_check_raw(stage, i));
    qn_marker_count(set, &m, &n_missing, &mode);
    *missing = (int64_t)n_missing;
    *stat = NULL;
    int empty = mode == UINT32_MAX, keep = qn_param_bool(stage->estimator, "keep_empty_features");
    if (strategy_of(stage->estimator) == CONSTANT) {
        const json_t *fill = qn_param(stage->estimator, "fill_value");
        if (!json_is_null(fill) && !json_is_string(fill))
            return qn_error(QUERN_UNSUPPORTED,
                            "SimpleImputer.fill_value: a number cannot fill string column \"%s\"",
                            stage->in[i].name);
        if (!empty || keep)
            *stat = qn_arena_strdup(stage->arena,
                                    json_is_null(fill) ? "missing_value" : json_string_value(fill));
        return QUERN_OK;
    }
    if (empty) {
        if (!keep) return QUERN_OK;
        return qn_error(QUERN_UNSUPPORTED,
                        "SimpleImputer: string column \"%s\" has no value to be kept with",
                        stage->in[i].name);
    }
    uint64_t bytes;
    const char *text = qn_categories_string(set, mode, &bytes);
    if (memchr(text, '\0', bytes) != NULL)
        return qn_error(QUERN_UNSUPPORTED, "SimpleImputer: column \"%s\" has NUL bytes",
                        stage->in[i].name);
    *stat = qn_arena_strndup(stage->arena, text, bytes);
    return *stat != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status imputer_learn(struct qn_stage *stage)
{
    uint32_t n = stage->n_in;
    quern_type dtype;
    int raw;
    QN_TRY(imputer_dtype(stage, &dtype, &raw));
    double *stat = qn_attrs_f64(stage->attrs, "statistics_", n);
    const char **text = raw ? qn_attrs_text(stage->attrs, "statistics_text_", n) : NULL;
    int64_t *missing = qn_attrs_i64(stage->attrs, "n_missing_", n);
    if (stat == NULL || missing == NULL || (raw && text == NULL)) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < n; i++) {
        stat[i] = NAN;
        if (text != NULL && stage->in[i].raw)
            QN_TRY(learn_raw(stage, i, &text[i], &missing[i]));
        else
            QN_TRY(learn_number(stage, i, dtype, &stat[i], &missing[i]));
    }
    return QUERN_OK;
}

static quern_status emit_raw(struct qn_stage *stage, uint32_t i, struct qn_port *out)
{
    const struct qn_attr *text = qn_attrs_find(stage->attrs, "statistics_text_");
    struct qn_marker m = qn_marker_of(stage->estimator);
    struct qn_raw_fill *fill = qn_arena_alloc(stage->arena, 1, sizeof *fill);
    if (fill == NULL) return qn_stage_memory(stage);
    *out = stage->in[i];
    fill->before = out->fill;
    fill->text = text->text[i];
    fill->text_bytes = strlen(fill->text);
    if (m.is_text) {
        fill->match = m.text;
        fill->match_bytes = strlen(m.text);
    } else {
        out->may_nan = 0;
    }
    out->fill = fill;
    return QUERN_OK;
}

/* Statistics of the filled column, for a scaler that follows: no second pass over the data. */
static const struct qn_known *known_after(struct qn_stage *stage, uint32_t i, double value)
{
    if (stage->found == NULL) return NULL;
    const struct qn_found *f = &stage->found[i];
    struct qn_known *known = qn_arena_alloc(stage->arena, 1, sizeof *known);
    if (known == NULL) return NULL;
    uint64_t missing = f->rows - f->count;
    known->has_moments = f->has_moments;
    known->moments = qn_node_impute(f->moments, missing, value);
    known->has_extremes = f->has_extremes;
    known->extremes = f->extremes;
    if (missing != 0) {
        double v = value + 0.0;
        if (v < known->extremes.min) known->extremes.min = v;
        if (v > known->extremes.max) known->extremes.max = v;
        known->extremes.count = f->rows;
    }
    return known;
}

static quern_status emit_number(struct qn_stage *stage, uint32_t i, quern_type dtype, double value,
                                struct qn_port *out)
{
    struct qn_marker m = qn_marker_of(stage->estimator);
    QN_TRY(qn_port_convert(stage, &stage->in[i], own_dtype(&stage->in[i], dtype), out));
    uint32_t work = out->chain->work;
    double v = work == QN_W_F32 ? (double)(float)value : value;
    if (m.is_nan) {
        if (work != QN_W_I64) {
            out->chain =
                qn_chain_add(stage->arena, out->chain, QN_OP_FILL, qn_word_f64(v), 0, work);
            if (out->chain == NULL) return qn_stage_memory(stage);
        }
        out->may_nan = out->may_nan && isnan(v);
    } else if (!m.is_text) {
        QN_TRY(qn_port_refuse_nan(stage, out));
        int whole = work == QN_W_I64;
        if (whole && m.number != floor(m.number)) return QUERN_OK; /* no integer equals it */
        double number = work == QN_W_F32 ? (double)(float)m.number : m.number;
        out->chain = qn_chain_add(stage->arena, out->chain, QN_OP_FILL_EQ,
                                  whole ? qn_word_i64((int64_t)m.number) : qn_word_f64(number),
                                  whole ? qn_word_i64((int64_t)v) : qn_word_f64(v), work);
        if (out->chain == NULL) return qn_stage_memory(stage);
    }
    out->known = isnan(v) ? NULL : known_after(stage, i, v);
    return QUERN_OK;
}

/* 1 where the cell was missing, in the dtype that scikit-learn's stacked array has. */
static quern_status emit_indicator(struct qn_stage *stage, uint32_t i, quern_type dtype,
                                   struct qn_port *out)
{
    const struct qn_port *in = &stage->in[i];
    QN_TRY(qn_marker_indicator(stage, i, own_dtype(in, dtype), out));
    if (in->raw || dtype != QUERN_STRING) return QUERN_OK;
    struct qn_port flag = *out; /* in an array of objects: True and False */
    QN_TRY(qn_port_convert_op(stage, &flag, QUERN_FLOAT64, out));
    out->type = QUERN_BOOL;
    return QUERN_OK;
}

/* Whether a statistic of NaN is the filler, and not the mark of a column without values. */
static int fills_nan(const struct qn_estimator *e)
{
    return strategy_of(e) == CONSTANT && qn_param_bool(e, "keep_empty_features");
}

static quern_status imputer_emit(struct qn_stage *stage)
{
    const struct qn_attr *stat = qn_attrs_find(stage->attrs, "statistics_");
    const struct qn_attr *text = qn_attrs_find(stage->attrs, "statistics_text_");
    const struct qn_attr *missing = qn_attrs_find(stage->attrs, "n_missing_");
    int indicator = qn_param_bool(stage->estimator, "add_indicator"), raw;
    quern_type dtype;
    QN_TRY(qn_marker_refuse_zero(stage));
    QN_TRY(imputer_dtype(stage, &dtype, &raw));
    QN_TRY(qn_stage_outputs(stage, 2 * stage->n_in));
    uint32_t n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        int empty = stage->in[i].raw ? text == NULL || text->text[i] == NULL
                                     : isnan(stat->f64[i]) && !fills_nan(stage->estimator);
        if (empty && qn_marker_of(stage->estimator).is_nan && !stage->in[i].raw &&
            stage->in[i].chain->refuse_nan)
            return qn_error(QUERN_INVALID, "column \"%s\" has missing values, which %s cannot take",
                            stage->in[i].name, stage->in[i].chain->blame);
        if (empty) {
            char *line = qn_arena_printf(
                stage->arena, "SimpleImputer: column \"%s\" has no value and is left out",
                stage->in[i].name);
            if (line == NULL) return qn_stage_memory(stage);
            stage->warn(stage->plan, line);
            continue;
        }
        if (stage->in[i].raw)
            QN_TRY(emit_raw(stage, i, &stage->out[n]));
        else
            QN_TRY(emit_number(stage, i, dtype, stat->f64[i], &stage->out[n]));
        n++;
    }
    for (uint32_t i = 0; indicator && i < stage->n_in; i++)
        if (missing->i64[i] > 0) QN_TRY(emit_indicator(stage, i, dtype, &stage->out[n++]));
    stage->n_out = n;
    return QUERN_OK;
}

static const char *imputer_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "statistics_ n_missing_";
}

/* NaN beside another marker of missing cells. */
static int has_other_marker(const struct qn_estimator *e)
{
    return !qn_marker_of(e).is_nan;
}

const struct qn_estimator_type qn_simple_imputer = {
    .name = "SimpleImputer",
    .doc = "Fill missing cells with the column's mean, median, most frequent value or a constant.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "statistics_ n_missing_",
    .whole = "n_missing_",
    .text = "statistics_text_",
    .input = "any",
    .traits = QN_TRAIT_COUNTS,
    .tells_known = 1,
    .refuses_missing = has_other_marker,
    .depends_on = imputer_depends_on,
    .need = imputer_need,
    .learn = imputer_learn,
    .emit = imputer_emit,
};
