/* SPDX-License-Identifier: Apache-2.0
 * MissingIndicator: truth values that say which cells are missing. Definition: scikit-learn,
 * impute/_base.py. SimpleImputer's add_indicator gives the same columns beside the imputed ones
 * (host/estimators/missing.h).
 *
 * error_on_new: columns that had no missing cell at the fit have no output, but are looked at. They ride
 * along in the first output's chain: the greatest of their indicators must be 0, the only value that a
 * FIND there knows; what it gives is 0 and leaves the output as it is. */
#include <math.h>
#include <string.h>

#include "host/estimators/missing.h"

static const struct qn_param PARAMS[] = {
    {"missing_values", QN_PARAM_SCALAR, "null", NULL, 0, 0,
     "what counts as missing: null (NaN and empty cells), a number or a string"},
    {"features", QN_PARAM_CHOICE, "\"missing-only\"", "missing-only|all", 0, 0,
     "a column for those that had missing cells at the fit, or for all"},
    {"sparse", QN_PARAM_AUTO_BOOL, "\"auto\"", NULL, 0, 0,
     "whether the output counts as sparse: true, false or \"auto\", as the input"},
    {"error_on_new", QN_PARAM_BOOL, "true", NULL, 0, 0,
     "missing cells in a column that had none at the fit are an error (\"missing-only\")"},
};

static int wants_all(const struct qn_estimator *e)
{
    return qn_param_is(e, "features", "all");
}

static quern_status check_port(const struct qn_stage *stage, uint32_t i)
{
    const struct qn_port *port = &stage->in[i];
    if (port->type != QUERN_BOOL && port->type != QUERN_DATETIME) return QUERN_OK;
    return qn_error(QUERN_UNSUPPORTED, "MissingIndicator: column \"%s\" is of type %s", port->name,
                    qn_type_name(port->type));
}

/* Of numbers that share a dtype, that; each column's own beside strings. */
static quern_status indicator_dtype(const struct qn_stage *stage, uint32_t i, quern_type *dtype)
{
    *dtype = stage->in[i].type;
    for (uint32_t k = 0; k < stage->n_in; k++)
        if (stage->in[k].raw) return QUERN_OK;
    return qn_stage_dtype(stage, 0, dtype);
}

static quern_status indicator_need(struct qn_stage *stage)
{
    QN_TRY(qn_marker_refuse_zero(stage));
    QN_TRY(qn_stage_outputs(stage, stage->n_in)); /* the ports that the statistics are taken of */
    for (uint32_t i = 0; i < stage->n_in; i++) {
        quern_type dtype;
        QN_TRY(check_port(stage, i));
        QN_TRY(indicator_dtype(stage, i, &dtype));
        stage->need[i].flags = stage->in[i].raw ? QN_NEED_CATEGORIES : QN_NEED_EXTREMES;
        stage->out[i] = stage->in[i];
        if (!stage->in[i].raw) QN_TRY(qn_marker_port(stage, &stage->in[i], dtype, &stage->out[i]));
    }
    return QUERN_OK;
}

static quern_status count_missing(const struct qn_stage *stage, uint32_t i, int64_t *missing)
{
    const struct qn_found *f = &stage->found[i];
    struct qn_marker m = qn_marker_of(stage->estimator);
    uint64_t n = f->rows - f->count;
    uint32_t mode;
    if (stage->in[i].raw) {
        QN_TRY(qn_marker_check_raw(stage, i));
        qn_marker_count(f->categories, &m, &n, &mode);
    } else if (f->count != 0 && (isinf(f->extremes.min) || isinf(f->extremes.max))) {
        return qn_error(QUERN_INVALID, "MissingIndicator: column \"%s\" has infinite values",
                        stage->in[i].name);
    }
    *missing = (int64_t)n;
    return QUERN_OK;
}

static quern_status indicator_learn(struct qn_stage *stage)
{
    int all = wants_all(stage->estimator);
    uint32_t n = 0;
    int64_t *missing = qn_attrs_i64(stage->attrs, "n_missing_", stage->n_in);
    if (missing == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(count_missing(stage, i, &missing[i]));
        n += all || missing[i] != 0;
    }
    int64_t *features = qn_attrs_i64(stage->attrs, "features_", n);
    if (features == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0, at = 0; i < stage->n_in; i++)
        if (all || missing[i] != 0) features[at++] = i;
    return QUERN_OK;
}

/* Attributes from a file: columns, ascending. */
static quern_status check_features(const struct qn_stage *stage, const struct qn_attr *features)
{
    for (uint32_t k = 0; k < features->n; k++)
        if (features->i64[k] < 0 || features->i64[k] >= stage->n_in ||
            (k > 0 && features->i64[k] <= features->i64[k - 1]))
            return qn_error(QUERN_INVALID, "MissingIndicator: features_ names column %lld of %u",
                            (long long)features->i64[k], stage->n_in);
    return QUERN_OK;
}

static quern_status emit_feature(struct qn_stage *stage, uint32_t i, struct qn_port *out)
{
    const json_t *sparse = qn_param(stage->estimator, "sparse");
    quern_type dtype;
    QN_TRY(check_port(stage, i));
    QN_TRY(indicator_dtype(stage, i, &dtype));
    if (json_is_false(sparse) && stage->in[i].sparse)
        return qn_error(QUERN_UNSUPPORTED,
                        "MissingIndicator: sparse input gives sparse output (column \"%s\"); leave "
                        "`sparse` \"auto\" and make the output dense",
                        stage->in[i].name);
    QN_TRY(qn_marker_indicator(stage, i, dtype, out));
    out->type = QUERN_BOOL;
    if (json_is_true(sparse)) out->sparse = out->drops_zeros = 1;
    return QUERN_OK;
}

/* Column i's indicator in the working type that all of the watch has. */
static quern_status indicator_in(struct qn_stage *stage, uint32_t i, quern_type type,
                                 struct qn_port *out)
{
    struct qn_port own;
    quern_type dtype;
    QN_TRY(check_port(stage, i));
    QN_TRY(indicator_dtype(stage, i, &dtype));
    QN_TRY(qn_marker_indicator(stage, i, dtype, &own));
    return qn_port_convert_op(stage, &own, type, out);
}

/* The greatest of the indicators of the columns without output, which must be 0: 1 is unknown to FIND. */
static quern_status watch(struct qn_stage *stage, const struct qn_attr *features, quern_type type,
                          struct qn_port *out)
{
    uint32_t k = 0, n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port other;
        if (k < features->n && features->i64[k] == i) {
            k++;
            continue;
        }
        QN_TRY(indicator_in(stage, i, type, n == 0 ? out : &other));
        if (n++ == 0) continue;
        out->chain = qn_chain_add_join(stage->arena, out->chain, QN_OP_JOIN_MAX, other.chain);
        if (out->chain == NULL) return qn_stage_memory(stage);
    }
    uint64_t *zeros = qn_arena_alloc(stage->arena, 2, sizeof *zeros); /* 0.0 */
    if (zeros == NULL) return qn_stage_memory(stage);
    out->chain = qn_chain_add_table(stage->arena, out->chain, QN_OP_FIND, zeros, 1, QN_W_CODE);
    if (out->chain != NULL)
        out->chain = qn_chain_add_table(stage->arena, out->chain, QN_OP_VALUE, zeros, 2, QN_W_F64);
    return out->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* The first output's chain begins with the columns that have none. */
static quern_status watch_others(struct qn_stage *stage, const struct qn_attr *features)
{
    struct qn_port first = {0}, *port = &stage->out[0], watched = {0};
    quern_type type = QUERN_FLOAT32;
    if (features->n == stage->n_in) return QUERN_OK;
    QN_TRY(qn_stage_refuse_sparse(stage, "set error_on_new to false"));
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (stage->in[i].type != QUERN_FLOAT32) type = QUERN_FLOAT64;
    QN_TRY(watch(stage, features, type, &watched));
    QN_TRY(indicator_in(stage, (uint32_t)features->i64[0], QUERN_FLOAT64, &first));
    const struct qn_chain *chain =
        qn_chain_add_join(stage->arena, watched.chain, QN_OP_JOIN_MAX, first.chain);
    struct qn_chain *own = chain != NULL ? qn_chain_copy(stage->arena, chain) : NULL;
    if (own == NULL) return qn_stage_memory(stage);
    own->unknown = "a missing value, and had none at the fit";
    own->blame = "MissingIndicator";
    port->chain = own;
    return QUERN_OK;
}

static quern_status indicator_emit(struct qn_stage *stage)
{
    const struct qn_attr *features = qn_attrs_find(stage->attrs, "features_");
    QN_TRY(qn_marker_refuse_zero(stage));
    QN_TRY(check_features(stage, features));
    QN_TRY(qn_stage_outputs(stage, features->n));
    for (uint32_t k = 0; k < features->n; k++)
        QN_TRY(emit_feature(stage, (uint32_t)features->i64[k], &stage->out[k]));
    if (features->n == 0 || wants_all(stage->estimator) ||
        !qn_param_bool(stage->estimator, "error_on_new"))
        return QUERN_OK;
    return watch_others(stage, features);
}

static const char *indicator_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "features_";
}

/* NaN beside another marker of missing cells. */
static int has_other_marker(const struct qn_estimator *e)
{
    return !qn_marker_of(e).is_nan;
}

static double stored_values(const struct qn_estimator *e, const struct qn_attrs *attrs,
                            uint64_t rows, uint32_t columns)
{
    (void)e;
    (void)columns;
    const struct qn_attr *missing = qn_attrs_find(attrs, "n_missing_");
    double n = 0;
    (void)rows;
    for (uint32_t i = 0; i < missing->n; i++) n += (double)missing->i64[i];
    return n;
}

const struct qn_estimator_type qn_missing_indicator = {
    .name = "MissingIndicator",
    .doc = "Truth values that say which cells are missing.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "features_ n_missing_",
    .whole = "features_ n_missing_",
    .lists = "features_",
    .input = "any",
    .joins = 1,
    .traits = QN_TRAIT_FINDS,
    .refuses_missing = has_other_marker,
    .stored = stored_values,
    .depends_on = indicator_depends_on,
    .need = indicator_need,
    .learn = indicator_learn,
    .emit = indicator_emit,
};
