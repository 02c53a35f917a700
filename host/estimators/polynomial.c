/* SPDX-License-Identifier: Apache-2.0
 * PolynomialFeatures: products of columns. Definition: scikit-learn, preprocessing/_polynomial.py.
 *
 * The columns of degree d are the combinations of d input columns, in lexicographic order. scikit-learn
 * makes each from one of degree d - 1 that begins later, times the combination's first column; so a
 * product runs from the last column to the first, and is rounded after each multiplication. Of sparse
 * columns a product is stored where all of them are (host/pipeline/sparse_join.c), and there it runs from
 * the first column to the last. */
#include <math.h>
#include <string.h>

#include "host/estimators/estimator.h"

enum { MOST_DEGREE = 65535, MOST_OPS = 1 << 26 };

static const struct qn_param POLYNOMIAL_FEATURES[] = {
    {"degree", QN_PARAM_DEGREE, "2", NULL, 0, MOST_DEGREE,
     "the greatest degree, or [least, greatest]"},
    {"interaction_only", QN_PARAM_BOOL, "false", NULL, 0, 0,
     "only products of columns that differ"},
    {"include_bias", QN_PARAM_BOOL, "true", NULL, 0, 0, "begin with a column of ones"},
};

struct degrees {
    uint32_t least, most; /* least is 1 at least: the bias is a question of its own */
    int distinct, bias;
};

static struct degrees degrees_of(const struct qn_estimator *e)
{
    const json_t *given = qn_param(e, "degree");
    json_int_t least = 0, most = json_integer_value(given);
    if (json_is_array(given)) {
        least = json_integer_value(json_array_get(given, 0));
        most = json_integer_value(json_array_get(given, 1));
    }
    return (struct degrees){.least = least > 1 ? (uint32_t)least : 1,
                            .most = (uint32_t)most,
                            .distinct = qn_param_bool(e, "interaction_only"),
                            .bias = qn_param_bool(e, "include_bias")};
}

static quern_status polynomial_check(const struct qn_estimator *e)
{
    const json_t *given = qn_param(e, "degree");
    struct degrees d = degrees_of(e);
    if (json_is_array(given) && json_integer_value(json_array_get(given, 0)) > (json_int_t)d.most)
        return qn_error(QUERN_INVALID, "PolynomialFeatures: the least degree of degree is greater "
                                       "than the greatest");
    if (d.most == 0 && !d.bias)
        return qn_error(QUERN_INVALID, "PolynomialFeatures: degree 0 without include_bias leaves "
                                       "no column");
    return QUERN_OK;
}

static quern_status polynomial_need(struct qn_stage *stage)
{
    quern_type dtype;
    return qn_stage_dtype(stage, 1, &dtype);
}

static quern_status polynomial_learn(struct qn_stage *stage)
{
    (void)stage;
    return QUERN_OK;
}

/* Combinations of k of n columns. */
static double count(uint32_t n, uint32_t k, int distinct)
{
    double c = 1, from = distinct ? n : (double)n + k - 1;
    if (distinct && k > n) return 0;
    for (uint32_t i = 0; i < k && c < 1e18; i++) c = c * (from - i) / (i + 1);
    return floor(c + 0.5);
}

/* How many output columns there are; an error when planning them would take for ever. */
static quern_status count_outputs(const struct qn_stage *stage, struct degrees d, uint32_t *n)
{
    double outputs = d.bias, ops = 2;
    for (uint32_t k = d.least; k <= d.most && ops <= MOST_OPS; k++) {
        double some = count(stage->n_in, k, d.distinct);
        if (some == 0) break;
        outputs += some;
        ops += some * (2 * (double)k + 1);
    }
    if (ops > MOST_OPS)
        return qn_error(QUERN_UNSUPPORTED,
                        "PolynomialFeatures: degree %u of %u columns gives too many products",
                        d.most, stage->n_in);
    *n = (uint32_t)outputs;
    return QUERN_OK;
}

/* The next combination in lexicographic order; 0 after the last. */
static int next(uint32_t *c, uint32_t k, uint32_t n, int distinct)
{
    for (uint32_t i = k; i > 0; i--) {
        uint32_t last = distinct ? n - 1 - (k - i) : n - 1;
        if (c[i - 1] >= last) continue;
        c[i - 1]++;
        for (uint32_t j = i; j < k; j++) c[j] = distinct ? c[j - 1] + 1 : c[j - 1];
        return 1;
    }
    return 0;
}

/* "a", "a^2 b": each column of the combination once. */
static const char *name_of(struct qn_stage *stage, const uint32_t *c, uint32_t k)
{
    const char *name = NULL;
    for (uint32_t i = 0, end; i < k; i = end) {
        const char *column = stage->in[c[i]].name, *space = name != NULL ? " " : "";
        for (end = i + 1; end < k && c[end] == c[i];) end++;
        name = end - i > 1 ? qn_arena_printf(stage->arena, "%s%s%s^%u", name != NULL ? name : "",
                                             space, column, end - i)
                           : qn_arena_printf(stage->arena, "%s%s%s", name != NULL ? name : "",
                                             space, column);
        if (name == NULL) return NULL;
    }
    return name;
}

static quern_status product(struct qn_stage *stage, const struct qn_port *in, const uint32_t *c,
                            uint32_t k, struct qn_port *out)
{
    int forward = in[c[0]].sparse;
    *out = in[forward ? c[0] : c[k - 1]];
    for (uint32_t i = 1; i < k; i++) {
        const struct qn_port *factor = &in[forward ? c[i] : c[k - 1 - i]];
        out->chain = qn_chain_add_join(stage->arena, out->chain, QN_OP_JOIN_MUL, factor->chain);
        if (out->chain == NULL) return qn_stage_memory(stage);
        out->may_nan |= factor->may_nan;
    }
    out->may_nan |= k > 2; /* a product that overflowed, times 0 */
    out->name = name_of(stage, c, k);
    out->known = NULL;
    return out->name != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* A column of ones, whatever the first column holds. */
static quern_status bias(struct qn_stage *stage, const struct qn_port *in, struct qn_port *out)
{
    uint64_t one = qn_word_f64(1);
    *out = *in;
    out->chain = qn_chain_add(stage->arena, in->chain, QN_OP_FILL, one, 0, in->chain->work);
    if (out->chain == NULL) return qn_stage_memory(stage);
    out->chain = qn_chain_add(stage->arena, out->chain, QN_OP_CLIP, one, one, in->chain->work);
    if (out->chain == NULL) return qn_stage_memory(stage);
    out->name = "1";
    out->may_nan = 0;
    out->constant = out->sparse;
    out->known = NULL;
    return QUERN_OK;
}

static quern_status products(struct qn_stage *stage, const struct qn_port *in, struct degrees d,
                             uint32_t at)
{
    uint32_t most = d.most, n = stage->n_in;
    if (d.distinct && most > n) most = n;
    uint32_t *c = qn_arena_alloc(stage->arena, most, sizeof *c);
    if (c == NULL) return qn_stage_memory(stage);
    for (uint32_t k = d.least; k <= most; k++) {
        for (uint32_t i = 0; i < k; i++) c[i] = d.distinct ? i : 0;
        do {
            QN_TRY(product(stage, in, c, k, &stage->out[at++]));
        } while (next(c, k, n, d.distinct));
    }
    return QUERN_OK;
}

static quern_status polynomial_emit(struct qn_stage *stage)
{
    struct degrees d = degrees_of(stage->estimator);
    quern_type dtype;
    uint32_t n_out = 0;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(count_outputs(stage, d, &n_out));
    struct qn_port *in = qn_arena_alloc(stage->arena, stage->n_in, sizeof *in);
    if (in == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &in[i]));
        QN_TRY(qn_port_refuse_nan(stage, &in[i]));
    }
    QN_TRY(qn_stage_outputs(stage, n_out));
    if (d.bias) QN_TRY(bias(stage, &in[0], &stage->out[0]));
    return products(stage, in, d, (uint32_t)d.bias);
}

const struct qn_estimator_type qn_polynomial_features = {
    .name = "PolynomialFeatures",
    .doc = "Products of columns up to a degree.",
    .params = POLYNOMIAL_FEATURES,
    .n_params = sizeof POLYNOMIAL_FEATURES / sizeof *POLYNOMIAL_FEATURES,
    .attributes = "",
    .input = "number",
    .joins = 1,
    .traits = QN_TRAIT_STATELESS,
    .refuses_missing = qn_refuses_missing,
    .check = polynomial_check,
    .need = polynomial_need,
    .learn = polynomial_learn,
    .emit = polynomial_emit,
};
