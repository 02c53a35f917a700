/* SPDX-License-Identifier: Apache-2.0
 * OneHotEncoder: one column of 0 and 1 per category. Definition: scikit-learn,
 * preprocessing/_encoders.py. The order of grouping and dropping is scikit-learn's: categories are
 * grouped first, then a group is dropped. */
#include <math.h>
#include <string.h>

#include "host/estimators/encoder.h"

static const struct qn_param PARAMS[] = {
    {"categories", QN_PARAM_CATEGORIES, "\"auto\"", NULL, 0, 0,
     "\"auto\" (those of the data), or one list per column"},
    {"drop", QN_PARAM_DROP, "null", NULL, 0, 0,
     "leave a category out: null, \"first\", \"if_binary\", or one value per column"},
    {"sparse_output", QN_PARAM_BOOL, "true", NULL, 0, 0, "the block counts as sparse"},
    {"dtype", QN_PARAM_DTYPE, "\"float64\"", NULL, 0, 0, "of the output"},
    {"handle_unknown", QN_PARAM_CHOICE, "\"error\"", "error|ignore|infrequent_if_exist|warn", 0, 0,
     "what a category not seen at the fit becomes"},
    {"min_frequency", QN_PARAM_FREQUENCY, "null", NULL, 0, 0,
     "rarer categories share one column: a count, or a fraction of the rows"},
    {"max_categories", QN_PARAM_COUNT, "null", NULL, 0, 0,
     "the most columns per input column, the shared one included"},
};

enum { NO_DROP = -1 };

static int same_value(const struct qn_values *v, uint32_t k, const json_t *wanted)
{
    double number;
    if (k == v->count) return json_is_null(wanted);
    if (v->type == QUERN_STRING)
        return json_is_string(wanted) &&
               json_string_length(wanted) == (size_t)(v->offsets[k + 1] - v->offsets[k]) &&
               memcmp(json_string_value(wanted), v->text + v->offsets[k],
                      json_string_length(wanted)) == 0;
    if (json_is_boolean(wanted))
        number = json_is_true(wanted);
    else if (!json_is_number(wanted))
        return 0;
    else
        number = json_number_value(wanted);
    return qn_type_is_float(v->type) ? v->f64[k] == number : (double)v->i64[k] == number;
}

/* The group of column i that is dropped, or NO_DROP. */
static quern_status dropped_group(struct qn_stage *stage, uint32_t i, const struct qn_grouping *g,
                                  int64_t *out)
{
    const json_t *drop = qn_param(stage->estimator, "drop");
    const struct qn_values *v = &qn_attrs_find(stage->attrs, "categories_")->values[i];
    *out = NO_DROP;
    if (json_is_null(drop)) return QUERN_OK;
    if (json_is_string(drop)) {
        if (strcmp(json_string_value(drop), "first") == 0 || g->n_groups == 2) *out = 0;
        return QUERN_OK;
    }
    if (json_array_size(drop) != stage->n_in)
        return qn_error(QUERN_INVALID, "OneHotEncoder.drop has %zu values for %u columns",
                        json_array_size(drop), stage->n_in);
    const json_t *wanted = json_array_get(drop, i);
    for (uint32_t k = 0; k < g->n_categories; k++) {
        if (!same_value(v, k, wanted)) continue;
        if (g->has_infrequent && g->group[k] == g->infrequent)
            return qn_error(QUERN_INVALID,
                            "OneHotEncoder.drop: the category of column \"%s\" is infrequent",
                            stage->in[i].name);
        *out = (int64_t)g->group[k];
        return QUERN_OK;
    }
    char *text = json_dumps(wanted, JSON_ENCODE_ANY | JSON_COMPACT);
    quern_status status =
        qn_error(QUERN_INVALID, "OneHotEncoder.drop: column \"%s\" has no category %.80s",
                 stage->in[i].name, text != NULL ? text : "?");
    qn_free(text);
    return status;
}

/* The output column of every code value; UINT32_MAX: none. */
static uint64_t *column_table(struct qn_stage *stage, const struct qn_grouping *g, int64_t dropped,
                              const uint32_t *meaning, uint32_t n_codes)
{
    uint64_t *table = qn_arena_alloc(stage->arena, n_codes, sizeof *table);
    if (table == NULL) return NULL;
    int infrequent_if_exist =
        qn_param_is(stage->estimator, "handle_unknown", "infrequent_if_exist") ||
        qn_param_is(stage->estimator, "handle_unknown", "warn");
    for (uint32_t code = 0; code < n_codes; code++) {
        int64_t group = -1;
        if (meaning[code] != QN_CATEGORY_UNKNOWN)
            group = (int64_t)g->group[meaning[code]];
        else if (infrequent_if_exist && g->has_infrequent)
            group = (int64_t)g->infrequent;
        if (group < 0 || group == dropped)
            table[code] = UINT32_MAX;
        else
            table[code] = (uint64_t)(group - (dropped != NO_DROP && group > dropped));
    }
    return table;
}

static quern_status group_name(struct qn_stage *stage, uint32_t i, const struct qn_grouping *g,
                               uint32_t group, const char **out)
{
    const struct qn_values *v = &qn_attrs_find(stage->attrs, "categories_")->values[i];
    const char *text = NULL;
    if (g->has_infrequent && group == g->infrequent) {
        text = "infrequent_sklearn";
    } else {
        for (uint32_t k = 0; k < g->n_categories && text == NULL; k++)
            if (g->group[k] == group)
                text = qn_values_format(stage->arena, v, k, g->has_infrequent);
    }
    *out = text != NULL ? qn_arena_printf(stage->arena, "%s_%s", stage->in[i].name, text) : NULL;
    return *out != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status emit_block(struct qn_stage *stage, uint32_t i, quern_type dtype,
                               uint32_t *n_out)
{
    struct qn_grouping g;
    const struct qn_chain *chain;
    uint32_t *meaning, n_codes;
    int64_t dropped;
    QN_TRY(qn_encoder_grouping(stage, i, 0, &g));
    QN_TRY(dropped_group(stage, i, &g, &dropped));
    QN_TRY(qn_encoder_lookup(stage, i, &chain, &meaning, &n_codes));
    uint64_t *table = column_table(stage, &g, dropped, meaning, n_codes);
    if (table == NULL) return qn_stage_memory(stage);
    chain = qn_chain_add_table(stage->arena, chain, QN_OP_REMAP, table, n_codes, QN_W_CODE);
    if (chain == NULL) return qn_stage_memory(stage);
    if (qn_param_is(stage->estimator, "handle_unknown", "error"))
        QN_TRY(qn_encoder_refuse_unknown(stage, i, meaning, n_codes, &chain));
    uint32_t column = 0;
    for (uint32_t group = 0; group < g.n_groups; group++) {
        if ((int64_t)group == dropped) continue;
        struct qn_port *port = &stage->out[(*n_out)++];
        *port = (struct qn_port){.type = dtype,
                                 .chain = chain,
                                 .match = column++,
                                 .source = stage->in[i].source,
                                 .sparse = qn_param_bool(stage->estimator, "sparse_output")};
        QN_TRY(group_name(stage, i, &g, group, &port->name));
    }
    return QUERN_OK;
}

/* n_without_column_: rows that no column of the block marks, for the sparse decision. */
static quern_status one_hot_learn(struct qn_stage *stage)
{
    QN_TRY(qn_encoder_learn(stage));
    const struct qn_attr *values = qn_attrs_find(stage->attrs, "categories_");
    int64_t *lost = qn_attrs_i64(stage->attrs, "n_without_column_", stage->n_in);
    if (lost == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_values *v = &values->values[i];
        struct qn_grouping g;
        int64_t dropped;
        QN_TRY(qn_encoder_grouping(stage, i, 0, &g));
        QN_TRY(dropped_group(stage, i, &g, &dropped));
        lost[i] = (int64_t)stage->found[i].rows;
        for (uint32_t k = 0; k < g.n_categories; k++)
            if ((int64_t)g.group[k] != dropped) lost[i] -= v->rows[k];
    }
    return QUERN_OK;
}

static quern_status one_hot_emit(struct qn_stage *stage)
{
    const struct qn_attr *values = qn_attrs_find(stage->attrs, "categories_");
    quern_type dtype;
    uint32_t most = 0, n = 0;
    QN_TRY(qn_encoder_refuse_sparse(stage));
    QN_TRY(qn_dtype_parse(qn_param_text(stage->estimator, "dtype"), &dtype));
    for (uint32_t i = 0; i < stage->n_in; i++)
        most += values->values[i].count + (uint32_t)values->values[i].missing;
    QN_TRY(qn_stage_outputs(stage, most));
    for (uint32_t i = 0; i < stage->n_in; i++) QN_TRY(emit_block(stage, i, dtype, &n));
    stage->n_out = n;
    return QUERN_OK;
}

/* One for each row and input column, but for rows that no column of the block marks. */
static double stored_values(const struct qn_estimator *e, const struct qn_attrs *attrs,
                            uint64_t rows, uint32_t columns)
{
    (void)e;
    (void)columns;
    const struct qn_attr *lost = qn_attrs_find(attrs, "n_without_column_");
    double stored = 0;
    for (uint32_t i = 0; i < lost->n; i++) stored += (double)rows - (double)lost->i64[i];
    return stored;
}

const struct qn_estimator_type qn_one_hot_encoder = {
    .name = "OneHotEncoder",
    .doc = "One column of 0 and 1 for each category of each column.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "categories_ infrequent_",
    .input = "any",
    .traits = QN_TRAIT_COUNTS,
    .stored = stored_values,
    .need = qn_encoder_need,
    .learn = one_hot_learn,
    .emit = one_hot_emit,
};
