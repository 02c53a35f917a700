/* SPDX-License-Identifier: Apache-2.0
 * Normalizer, Binarizer and passthrough: nothing is learned. Definitions: scikit-learn,
 * preprocessing/_data.py. */
#include <float.h>
#include <math.h>

#include "host/estimators/estimator.h"

/* Statistics that a stateless estimator's fit wants: none, but its input is checked as it runs. */
static quern_status need_numbers(struct qn_stage *stage)
{
    quern_type dtype;
    return qn_stage_dtype(stage, 0, &dtype);
}

static quern_status learn_nothing(struct qn_stage *stage)
{
    (void)stage;
    return QUERN_OK;
}

/* ---- Normalizer ---- */

static const struct qn_param NORMALIZER[] = {
    {"norm", QN_PARAM_CHOICE, "\"l2\"", "l1|l2|max", 0, 0, "the norm that each row is divided by"},
};

static quern_status normalizer_emit(struct qn_stage *stage)
{
    quern_type dtype;
    int64_t group;
    uint32_t kind = qn_param_is(stage->estimator, "norm", "l1")   ? QN_NORM_L1
                    : qn_param_is(stage->estimator, "norm", "l2") ? QN_NORM_L2
                                                                  : QN_NORM_MAX;
    QN_TRY(qn_stage_dtype(stage, 1, &dtype));
    QN_TRY(stage->add_norm(stage->plan, kind, (uint32_t)stage->rows_in_memory_order, &group));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
        QN_TRY(qn_port_refuse_nan(stage, port));
        port->known = NULL;
        const struct qn_chain *chain =
            qn_chain_add(stage->arena, port->chain, QN_OP_NORM, 0, 0, port->chain->work);
        struct qn_chain *own = chain != NULL ? qn_chain_copy(stage->arena, chain) : NULL;
        if (own == NULL) return qn_stage_memory(stage);
        own->has_norm = 1;
        own->norm = group;
        port->chain = own;
    }
    return QUERN_OK;
}

const struct qn_estimator_type qn_normalizer = {
    .name = "Normalizer",
    .doc = "Divide each row by its norm.",
    .params = NORMALIZER,
    .n_params = sizeof NORMALIZER / sizeof *NORMALIZER,
    .attributes = "",
    .input = "number",
    .traits = QN_TRAIT_STATELESS,
    .refuses_missing = qn_refuses_missing,
    .need = need_numbers,
    .learn = learn_nothing,
    .emit = normalizer_emit,
};

/* ---- Binarizer ---- */

static const struct qn_param BINARIZER[] = {
    {"threshold", QN_PARAM_FLOAT, "0.0", NULL, -DBL_MAX, DBL_MAX, "greater values become 1"},
};

/* x > t for an integer x is x > floor(t), also where t is beyond the integers. */
static uint64_t integer_threshold(double t)
{
    double f = floor(t);
    if (f >= 9223372036854775807.0) return qn_word_i64(INT64_MAX);
    if (f < -9223372036854775808.0) return qn_word_i64(INT64_MIN);
    return qn_word_i64((int64_t)f);
}

static quern_status binarizer_emit(struct qn_stage *stage)
{
    quern_type dtype;
    double t = qn_param_f64(stage->estimator, "threshold");
    QN_TRY(qn_stage_dtype(stage, 0, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        if (stage->in[i].sparse && t < 0)
            return qn_error(QUERN_UNSUPPORTED,
                            "Binarizer: a threshold below 0 cannot be applied to sparse input");
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
        QN_TRY(qn_port_refuse_nan(stage, port));
        port->known = NULL;
        port->drops_zeros = port->sparse;
        /* NumPy compares a float32 array with a Python float in float32 */
        uint64_t word = port->chain->work == QN_W_I64   ? integer_threshold(t)
                        : port->chain->work == QN_W_F32 ? qn_word_f64((double)(float)t)
                                                        : qn_word_f64(t);
        port->chain =
            qn_chain_add(stage->arena, port->chain, QN_OP_GREATER, word, 0, port->chain->work);
        if (port->chain == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

const struct qn_estimator_type qn_binarizer = {
    .name = "Binarizer",
    .doc = "1 where a value is greater than the threshold, else 0.",
    .params = BINARIZER,
    .n_params = sizeof BINARIZER / sizeof *BINARIZER,
    .attributes = "",
    .input = "number",
    .traits = QN_TRAIT_STATELESS | QN_TRAIT_AFTER_NORM,
    .refuses_missing = qn_refuses_missing,
    .need = need_numbers,
    .learn = learn_nothing,
    .emit = binarizer_emit,
};

/* ---- passthrough ---- */

static quern_status need_nothing(struct qn_stage *stage)
{
    (void)stage;
    return QUERN_OK;
}

static quern_status passthrough_emit(struct qn_stage *stage)
{
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) stage->out[i] = stage->in[i];
    return QUERN_OK;
}

const struct qn_estimator_type qn_passthrough = {
    .name = "passthrough",
    .doc = "Columns as they are.",
    .params = NULL,
    .n_params = 0,
    .attributes = "",
    .input = "any",
    .traits = QN_TRAIT_STATELESS,
    .need = need_nothing,
    .learn = learn_nothing,
    .emit = passthrough_emit,
    .invert = passthrough_emit,
};
