/* SPDX-License-Identifier: Apache-2.0
 * OrdinalEncoder: the number of each cell's category. Definition: scikit-learn,
 * preprocessing/_encoders.py. The missing category is numbered by encoded_missing_value and takes no
 * part in the grouping of infrequent ones. */
#include <math.h>

#include "host/estimators/encoder.h"

static const struct qn_param PARAMS[] = {
    {"categories", QN_PARAM_CATEGORIES, "\"auto\"", NULL, 0, 0,
     "\"auto\" (those of the data), or one list per column"},
    {"dtype", QN_PARAM_DTYPE, "\"float64\"", NULL, 0, 0, "of the output"},
    {"handle_unknown", QN_PARAM_CHOICE, "\"error\"", "error|use_encoded_value", 0, 0,
     "what a category not seen at the fit becomes"},
    {"unknown_value", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "the number of unknown categories: an integer or \"nan\""},
    {"encoded_missing_value", QN_PARAM_SCALAR, "\"nan\"", NULL, 0, 0,
     "the number of missing cells: an integer or \"nan\""},
    {"min_frequency", QN_PARAM_FREQUENCY, "null", NULL, 0, 0,
     "rarer categories share one number: a count, or a fraction of the rows"},
    {"max_categories", QN_PARAM_COUNT, "null", NULL, 0, 0,
     "the most numbers per column, the shared one included, missing and unknown not"},
};

static quern_status ordinal_check(const struct qn_estimator *e)
{
    const json_t *unknown = qn_param(e, "unknown_value");
    const json_t *missing = qn_param(e, "encoded_missing_value");
    double number;
    quern_type dtype;
    QN_TRY(qn_dtype_parse(qn_param_text(e, "dtype"), &dtype));
    if (!qn_json_number(missing, &number) || (!isnan(number) && !json_is_integer(missing)))
        return qn_error(QUERN_INVALID,
                        "OrdinalEncoder.encoded_missing_value must be an integer or \"nan\"");
    if (qn_param_is(e, "handle_unknown", "error")) {
        if (json_is_null(unknown)) return QUERN_OK;
        return qn_error(QUERN_INVALID, "OrdinalEncoder.unknown_value may only be given when "
                                       "handle_unknown is \"use_encoded_value\"");
    }
    if (json_is_null(unknown) || !qn_json_number(unknown, &number) ||
        (!isnan(number) && !json_is_integer(unknown)))
        return qn_error(QUERN_INVALID,
                        "OrdinalEncoder.unknown_value must be an integer or \"nan\" when "
                        "handle_unknown is \"use_encoded_value\"");
    if (isnan(number) && !qn_type_is_float(dtype))
        return qn_error(QUERN_INVALID,
                        "OrdinalEncoder.unknown_value \"nan\" needs a float dtype, not %s",
                        qn_type_name(dtype));
    return QUERN_OK;
}

/* unknown_value and encoded_missing_value may not be numbers that categories have. */
static quern_status check_collisions(struct qn_stage *stage, uint32_t i, uint32_t used,
                                     int has_missing)
{
    const struct qn_estimator *e = stage->estimator;
    double unknown, missing;
    quern_type dtype;
    QN_TRY(qn_dtype_parse(qn_param_text(e, "dtype"), &dtype));
    if (qn_param_is(e, "handle_unknown", "use_encoded_value") &&
        qn_json_number(qn_param(e, "unknown_value"), &unknown) && unknown >= 0 && unknown < used)
        return qn_error(QUERN_INVALID,
                        "OrdinalEncoder.unknown_value %g is the number of a category of \"%s\"",
                        unknown, stage->in[i].name);
    if (!has_missing || !qn_json_number(qn_param(e, "encoded_missing_value"), &missing))
        return QUERN_OK;
    if (isnan(missing) && !qn_type_is_float(dtype))
        return qn_error(QUERN_INVALID,
                        "OrdinalEncoder: column \"%s\" has missing cells, and dtype %s has no NaN; "
                        "set encoded_missing_value or a float dtype",
                        stage->in[i].name, qn_type_name(dtype));
    if (missing >= 0 && missing < used)
        return qn_error(
            QUERN_INVALID,
            "OrdinalEncoder.encoded_missing_value %g is the number of a category of \"%s\"",
            missing, stage->in[i].name);
    return QUERN_OK;
}

static quern_status emit_column(struct qn_stage *stage, uint32_t i, quern_type dtype)
{
    const struct qn_values *v = &qn_attrs_find(stage->attrs, "categories_")->values[i];
    struct qn_port *port = &stage->out[i];
    struct qn_grouping g;
    const struct qn_chain *chain;
    uint32_t *meaning, n_codes;
    double unknown = NAN, missing = NAN;
    QN_TRY(qn_encoder_grouping(stage, i, 1, &g));
    /* scikit-learn counts the infrequent group out of the cardinality it checks against */
    QN_TRY(check_collisions(stage, i, g.n_groups - (uint32_t)g.has_infrequent, v->missing));
    QN_TRY(qn_encoder_lookup(stage, i, &chain, &meaning, &n_codes));
    (void)qn_json_number(qn_param(stage->estimator, "unknown_value"), &unknown);
    (void)qn_json_number(qn_param(stage->estimator, "encoded_missing_value"), &missing);
    uint64_t *table = qn_arena_alloc(stage->arena, n_codes, sizeof *table);
    if (table == NULL) return qn_stage_memory(stage);
    for (uint32_t code = 0; code < n_codes; code++) {
        uint32_t category = meaning[code];
        double value = unknown;
        if (category != QN_CATEGORY_UNKNOWN)
            value = category == v->count ? missing : (double)g.group[category];
        table[code] = qn_word_f64(dtype == QUERN_FLOAT32 ? (double)(float)value : value);
    }
    chain = qn_chain_add_table(stage->arena, chain, QN_OP_VALUE, table, n_codes, QN_W_F64);
    if (chain == NULL) return qn_stage_memory(stage);
    if (qn_param_is(stage->estimator, "handle_unknown", "error"))
        QN_TRY(qn_encoder_refuse_unknown(stage, i, meaning, n_codes, &chain));
    *port = stage->in[i];
    port->raw = 0;
    port->fill = NULL;
    port->known = NULL;
    port->chain = chain;
    port->type = dtype;
    port->sparse = 0;
    port->may_nan =
        (v->missing && isnan(missing)) ||
        (qn_param_is(stage->estimator, "handle_unknown", "use_encoded_value") && isnan(unknown));
    return QUERN_OK;
}

static quern_status ordinal_emit(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_encoder_refuse_sparse(stage));
    QN_TRY(qn_dtype_parse(qn_param_text(stage->estimator, "dtype"), &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) QN_TRY(emit_column(stage, i, dtype));
    return QUERN_OK;
}

const struct qn_estimator_type qn_ordinal_encoder = {
    .name = "OrdinalEncoder",
    .doc = "The number of each cell's category.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "categories_ infrequent_",
    .input = "any",
    .traits = QN_TRAIT_COUNTS,
    .check = ordinal_check,
    .need = qn_encoder_need,
    .learn = qn_encoder_learn,
    .emit = ordinal_emit,
};
