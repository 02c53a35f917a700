/* SPDX-License-Identifier: Apache-2.0
 * The table of estimators, and the making of one from a name and JSON parameters. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/estimators/estimator.h"

/* clang-format off */
static const struct qn_estimator_type *const TYPES[] = {
    &qn_binarizer,
    &qn_bucketizer,
    &qn_clipper,
    &qn_cyclical_features,
    &qn_function_transformer,
    &qn_generic_univariate_select,
    &qn_iterative_imputer,
    &qn_k_bins_discretizer,
    &qn_kernel_centerer,
    &qn_knn_imputer,
    &qn_max_abs_scaler,
    &qn_mean_normalization_scaler,
    &qn_min_max_scaler,
    &qn_missing_indicator,
    &qn_normalizer,
    &qn_one_hot_encoder,
    &qn_ordinal_encoder,
    &qn_polynomial_features,
    &qn_power_transformer,
    &qn_quantile_transformer,
    &qn_robust_scaler,
    &qn_select_fdr,
    &qn_select_fpr,
    &qn_select_fwe,
    &qn_select_k_best,
    &qn_select_percentile,
    &qn_simple_imputer,
    &qn_spline_transformer,
    &qn_standard_scaler,
    &qn_variance_threshold,
    &qn_winsorizer,
    &qn_passthrough,
};
/* clang-format on */
enum { N_TYPES = sizeof TYPES / sizeof *TYPES, MOST_PARAMS = 24 };

const struct qn_estimator_type *const *qn_estimator_types(uint32_t *count)
{
    *count = N_TYPES;
    return TYPES;
}

static const struct qn_estimator_type *find_type(const char *name)
{
    for (uint32_t i = 0; i < N_TYPES; i++)
        if (strcmp(TYPES[i]->name, name) == 0) return TYPES[i];
    return NULL;
}

int qn_json_number(const json_t *value, double *out)
{
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return 1;
    }
    if (json_is_null(value) ||
        (json_is_string(value) && strcmp(json_string_value(value), "nan") == 0)) {
        *out = NAN;
        return 1;
    }
    return 0;
}

quern_status qn_dtype_parse(const char *text, quern_type *out)
{
    static const char *const names[] = {
#define QN_DTYPE_NAME(name, value, bytes, word) word,
        QUERN_TYPE_MAP(QN_DTYPE_NAME)
#undef QN_DTYPE_NAME
    };
    for (uint32_t i = 0; i < QUERN_STRING; i++)
        if (strcmp(names[i], text) == 0) {
            *out = (quern_type)i;
            return QUERN_OK;
        }
    char hint[96];
    return qn_error(QUERN_INVALID, "\"%s\" is not a dtype%s", text,
                    qn_did_you_mean(hint, sizeof hint, text, names, QUERN_STRING));
}

static int is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        if (*at == '|') at++;
        if (strncmp(at, word, n) == 0 && (at[n] == '|' || at[n] == '\0')) return 1;
    }
    return 0;
}

static int is_degree(const struct qn_param *p, const json_t *v)
{
    const json_t *both[] = {v, v};
    if (json_is_array(v) && json_array_size(v) == 2)
        for (size_t i = 0; i < 2; i++) both[i] = json_array_get(v, i);
    for (size_t i = 0; i < 2; i++)
        if (!json_is_integer(both[i]) || json_number_value(both[i]) < p->least ||
            json_number_value(both[i]) > p->most)
            return 0;
    return 1;
}

static int are_ints(const json_t *v, double least)
{
    if (!json_is_array(v)) return json_is_integer(v) && json_number_value(v) >= least;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *one = json_array_get(v, i);
        if (!json_is_integer(one) || json_number_value(one) < least) return 0;
    }
    return 1;
}

/* A text, or (many) some of them, with names or without. */
static int are_expressions(const json_t *v, int many)
{
    const char *key;
    json_t *one;
    size_t i, n = 0;
    if (!many || !(json_is_array(v) || json_is_object(v))) return json_is_string(v);
    json_array_foreach(v, i, one) n += (size_t)json_is_string(one);
    json_object_foreach((json_t *)(uintptr_t)v, key, one) n += (size_t)json_is_string(one);
    return n != 0 && n == (json_is_array(v) ? json_array_size(v) : json_object_size(v));
}

/* A score function, or one with options; which those may be is for the estimator's check. */
static int is_score(const char *choices, const json_t *v)
{
    const char *key;
    json_t *options;
    if (json_is_string(v)) return is_choice(choices, json_string_value(v));
    if (json_object_size(v) != 1) return 0;
    json_object_foreach((json_t *)(uintptr_t)v, key, options)
    {
        if (!is_choice(choices, key) || !json_is_object(options)) return 0;
    }
    return 1;
}

static int are_rows(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *row = json_array_get(v, i);
        if (!json_is_array(row)) return 0;
        for (size_t c = 0; c < json_array_size(row); c++)
            if (!json_is_number(json_array_get(row, c))) return 0;
    }
    return json_is_array(v);
}

static int is_auto(const json_t *v)
{
    return json_is_string(v) && strcmp(json_string_value(v), "auto") == 0;
}

static int are_numbers(const json_t *v)
{
    if (!json_is_array(v)) return json_is_null(v) || json_is_number(v);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_null(json_array_get(v, i)) && !json_is_number(json_array_get(v, i))) return 0;
    return 1;
}

/* The sentence's end: what the parameter wants. NULL when the value is fine. */
static const char *complaint(const struct qn_param *p, const json_t *v)
{
    double number = json_number_value(v);
    quern_type type;
    switch (p->kind) {
    case QN_PARAM_BOOL: return json_is_boolean(v) ? NULL : "true or false";
    case QN_PARAM_INT:
        return json_is_integer(v) && number >= p->least && number <= p->most
                   ? NULL
                   : "an integer in its range";
    case QN_PARAM_FLOAT:
        return json_is_number(v) && number >= p->least && number <= p->most
                   ? NULL
                   : "a number in its range";
    case QN_PARAM_CHOICE:
        return json_is_string(v) && is_choice(p->choices, json_string_value(v)) ? NULL : p->choices;
    case QN_PARAM_PAIR:
        return json_is_array(v) && json_array_size(v) == 2 &&
                       json_is_number(json_array_get(v, 0)) && json_is_number(json_array_get(v, 1))
                   ? NULL
                   : "a list of two numbers";
    case QN_PARAM_DTYPE:
        return json_is_string(v) && qn_dtype_parse(json_string_value(v), &type) == QUERN_OK
                   ? NULL
                   : "a NumPy dtype such as \"float32\"";
    case QN_PARAM_SCALAR:
        return json_is_number(v) || json_is_string(v) || json_is_null(v)
                   ? NULL
                   : "a number, a string or null";
    case QN_PARAM_FREQUENCY:
        if (json_is_null(v) || (json_is_integer(v) && number >= 1)) return NULL;
        return json_is_real(v) && number > 0 && number < 1
                   ? NULL
                   : "null, an integer >= 1 or a fraction between 0 and 1";
    case QN_PARAM_COUNT:
        return json_is_null(v) || (json_is_integer(v) && number >= 1) ? NULL
                                                                      : "null or an integer >= 1";
    case QN_PARAM_SEED:
        return json_is_null(v) || (json_is_integer(v) && number >= 0 && number <= UINT32_MAX)
                   ? NULL
                   : "null or an integer from 0 to 4294967295";
    case QN_PARAM_AMOUNT:
        return (json_is_number(v) && number >= 0) ||
                       (json_is_string(v) && strcmp(json_string_value(v), "all") == 0)
                   ? NULL
                   : "a number, 0 or more, or \"all\"";
    case QN_PARAM_INTS:
        return are_ints(v, p->least) ? NULL : "an integer in its range, or one per column";
    case QN_PARAM_FLOATS:
        if (json_is_null(v)) return NULL;
        return json_is_string(v) && is_choice("float32|float64", json_string_value(v))
                   ? NULL
                   : "null, \"float32\" or \"float64\"";
    case QN_PARAM_CATEGORIES:
        return json_is_array(v) || (json_is_string(v) && strcmp(json_string_value(v), "auto") == 0)
                   ? NULL
                   : "\"auto\" or one list of categories per column";
    case QN_PARAM_DEGREE:
        return is_degree(p, v) ? NULL : "an integer or a list of two, each in its range";
    case QN_PARAM_KNOTS:
        if (json_is_string(v) && is_choice(p->choices, json_string_value(v))) return NULL;
        return are_rows(v) ? NULL : "\"uniform\", \"quantile\" or a list of numbers for each knot";
    case QN_PARAM_DROP:
        if (json_is_null(v) || json_is_array(v)) return NULL;
        return json_is_string(v) && is_choice("first|if_binary", json_string_value(v))
                   ? NULL
                   : "null, \"first\", \"if_binary\" or one value per column";
    case QN_PARAM_EXPRESSION:
        if (json_is_null(v) || are_expressions(v, p->most > 1)) return NULL;
        return p->most > 1 ? "null, an expression, a list of them or an object {name: expression}"
                           : "null or an expression";
    case QN_PARAM_MAYBE:
        return json_is_null(v) || json_is_boolean(v) ? NULL : "null, true or false";
    case QN_PARAM_SCORE: return is_score(p->choices, v) ? NULL : p->choices;
    case QN_PARAM_AUTO_BOOL:
        return json_is_boolean(v) || is_auto(v) ? NULL : "true, false or \"auto\"";
    case QN_PARAM_AUTO_FLOAT:
        return is_auto(v) || (json_is_number(v) && number >= p->least && number <= p->most)
                   ? NULL
                   : "\"auto\" or a number in its range";
    case QN_PARAM_NUMBERS: return are_numbers(v) ? NULL : "null, a number, or one per column";
    case QN_PARAM_EDGES:
        return json_is_null(v) || json_is_array(v) ? NULL : "a list of edges, or one per column";
    }
    return "a value of another kind";
}

static const struct qn_param *find_param(const struct qn_estimator_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->n_params; i++)
        if (strcmp(type->params[i].name, name) == 0) return &type->params[i];
    return NULL;
}

static quern_status check_given(const char *where, const struct qn_estimator_type *type,
                                const json_t *given)
{
    const char *key, *names[MOST_PARAMS];
    json_t *value;
    char hint[96];
    for (uint32_t i = 0; i < type->n_params; i++) names[i] = type->params[i].name;
    json_object_foreach((json_t *)(uintptr_t)given, key, value)
    {
        const struct qn_param *p = find_param(type, key);
        if (p == NULL)
            return qn_error(QUERN_INVALID, "%s: %s has no parameter \"%s\"%s", where, type->name,
                            key, qn_did_you_mean(hint, sizeof hint, key, names, type->n_params));
        const char *wanted = complaint(p, value);
        if (wanted == NULL) continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        quern_status status = qn_error(
            QUERN_INVALID, "%s: %s.%s is %.80s; it must be %s%s", where, type->name, key,
            text != NULL ? text : "?",
            p->kind == QN_PARAM_CHOICE || p->kind == QN_PARAM_SCORE ? "one of " : "", wanted);
        if (p->kind == QN_PARAM_INT || p->kind == QN_PARAM_FLOAT)
            status =
                qn_error(QUERN_INVALID, "%s: %s.%s is %.80s; it must be %s from %.15g to %.15g",
                         where, type->name, key, text != NULL ? text : "?",
                         p->kind == QN_PARAM_INT ? "an integer" : "a number", p->least, p->most);
        qn_free(text);
        return status;
    }
    return QUERN_OK;
}

quern_status qn_estimator_make(const char *where, const char *name, const json_t *given,
                               struct qn_estimator *out)
{
    out->type = NULL;
    out->params = NULL;
    const struct qn_estimator_type *type = find_type(name);
    if (type == NULL) {
        const char *names[N_TYPES];
        char hint[96];
        for (uint32_t i = 0; i < N_TYPES; i++) names[i] = TYPES[i]->name;
        return qn_error(QUERN_INVALID, "%s: there is no estimator \"%s\"%s", where, name,
                        qn_did_you_mean(hint, sizeof hint, name, names, N_TYPES));
    }
    if (given != NULL && !json_is_object(given))
        return qn_error(QUERN_INVALID, "%s: the parameters of %s must be an object", where, name);
    if (given != NULL) QN_TRY(check_given(where, type, given));
    json_t *params = json_object();
    if (params == NULL) return qn_error_memory("parameters", 0);
    for (uint32_t i = 0; i < type->n_params; i++) {
        const struct qn_param *p = &type->params[i];
        const json_t *own = given != NULL ? json_object_get(given, p->name) : NULL;
        json_t *value =
            own != NULL ? json_deep_copy(own) : json_loads(p->initial, JSON_DECODE_ANY, NULL);
        if (value == NULL || json_object_set_new(params, p->name, value) != 0) {
            json_decref(params);
            return qn_error_memory("parameters", 0);
        }
    }
    out->type = type;
    out->params = params;
    quern_status status = type->check != NULL ? type->check(out) : QUERN_OK;
    if (status != QUERN_OK) {
        qn_estimator_clear(out);
        return qn_error_context(status, "%s", where);
    }
    return QUERN_OK;
}

void qn_estimator_clear(struct qn_estimator *e)
{
    json_decref(e->params);
    e->params = NULL;
    e->type = NULL;
}

const json_t *qn_param(const struct qn_estimator *e, const char *name)
{
    return json_object_get(e->params, name);
}

int qn_param_bool(const struct qn_estimator *e, const char *name)
{
    return json_is_true(qn_param(e, name));
}

double qn_param_f64(const struct qn_estimator *e, const char *name)
{
    return json_number_value(qn_param(e, name));
}

const char *qn_param_text(const struct qn_estimator *e, const char *name)
{
    return json_string_value(qn_param(e, name));
}

struct qn_draw qn_param_draw(const struct qn_estimator *e, uint64_t rows)
{
    const json_t *n = qn_param(e, "subsample"), *seed = qn_param(e, "random_state");
    if (!json_is_integer(n) || (uint64_t)json_integer_value(n) >= rows) return (struct qn_draw){0};
    return (struct qn_draw){.n = (uint64_t)json_integer_value(n),
                            .seed = json_is_integer(seed) ? json_integer_value(seed) : -1};
}

int qn_param_is(const struct qn_estimator *e, const char *name, const char *choice)
{
    const char *text = qn_param_text(e, name);
    return text != NULL && strcmp(text, choice) == 0;
}

quern_status qn_stage_memory(const struct qn_stage *stage)
{
    return qn_error(QUERN_OUT_OF_MEMORY, "out of host memory while planning %s",
                    stage->estimator->type->name);
}

quern_status qn_stage_outputs(struct qn_stage *stage, uint32_t n)
{
    stage->out = qn_arena_alloc(stage->arena, n, sizeof *stage->out);
    if (stage->out == NULL) return qn_stage_memory(stage);
    stage->n_out = n;
    for (uint32_t i = 0; i < n; i++) stage->out[i].match = QN_MATCH_VALUE;
    return QUERN_OK;
}

int qn_refuses_missing(const struct qn_estimator *e)
{
    (void)e;
    return 1;
}

quern_status qn_stage_probes(struct qn_stage *stage, uint32_t n)
{
    QN_TRY(qn_stage_outputs(stage, n));
    stage->need = qn_arena_alloc(stage->arena, n, sizeof *stage->need);
    if (stage->need == NULL) return qn_stage_memory(stage);
    stage->n_probes = n;
    return QUERN_OK;
}

quern_status qn_stage_refuse_sparse(const struct qn_stage *stage, const char *advice)
{
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (stage->in[i].sparse)
            return qn_error(QUERN_UNSUPPORTED, "%s cannot work on sparse input (column \"%s\"): %s",
                            stage->estimator->type->name, stage->in[i].name, advice);
    return QUERN_OK;
}

quern_status qn_stage_dtype(const struct qn_stage *stage, int to_float, quern_type *out)
{
    quern_type type = QUERN_BOOL;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_port *p = &stage->in[i];
        if (p->raw)
            return qn_error(QUERN_UNSUPPORTED, "%s works on numbers; column \"%s\" is of type %s",
                            stage->estimator->type->name, p->name, qn_type_name(p->type));
        type = i == 0 ? p->type : qn_result_type(type, p->type);
    }
    if (to_float && !qn_type_is_float(type)) type = QUERN_FLOAT64;
    *out = type;
    return QUERN_OK;
}

/* Truth values that may be missing are doubles for as long as they may: integers have no NaN. */
static int keeps_nan(const struct qn_port *port, uint32_t work)
{
    return !qn_type_is_float(port->type) && port->may_nan && work == QN_W_I64 &&
           port->chain->work == QN_W_F64;
}

/* A load can make the conversion itself while there is no op yet; but float32 to float64 must not
 * skip over a float32 rounding that ops already did, so later it is an op of its own. */
quern_status qn_port_convert(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                             struct qn_port *out)
{
    *out = *in;
    out->type = type;
    uint32_t work = qn_work_of(type);
    if (in->chain->work == work || keeps_nan(in, work)) return QUERN_OK;
    if (in->chain->n_ops == 0 && in->match == QN_MATCH_VALUE && in->chain->work != QN_W_CODE &&
        work != QN_W_I64) {
        struct qn_chain *chain = qn_chain_copy(stage->arena, in->chain);
        if (chain == NULL) return qn_stage_memory(stage);
        chain->load_work = chain->work = work;
        out->chain = chain;
        return QUERN_OK;
    }
    return qn_port_convert_op(stage, in, type, out);
}

quern_status qn_port_convert_op(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                                struct qn_port *out)
{
    const struct qn_chain *chain = in->chain;
    uint32_t work = qn_work_of(type);
    *out = *in;
    out->type = type;
    if (chain->work == work || keeps_nan(in, work)) return QUERN_OK;
    uint32_t code = work == QN_W_F32   ? QN_OP_TO_F32
                    : work == QN_W_F64 ? QN_OP_TO_F64
                                       : QN_OP_TO_I64;
    out->chain = qn_chain_add(stage->arena, chain, code, 0, 0, work);
    return out->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

quern_status qn_port_refuse_nan(struct qn_stage *stage, struct qn_port *port)
{
    if (!port->may_nan || port->chain->refuse_nan) return QUERN_OK;
    struct qn_chain *chain = qn_chain_copy(stage->arena, port->chain);
    if (chain == NULL) return qn_stage_memory(stage);
    chain->refuse_nan = 1;
    chain->blame = stage->estimator->type->name;
    port->chain = chain;
    return QUERN_OK;
}
