/* SPDX-License-Identifier: Apache-2.0
 * Clipper: values below or above bounds that are given become these. Definition: pandas.DataFrame.clip, whose
 * words `lower` and `upper` are; feature-engine calls it ArbitraryOutlierCapper (outliers/artbitrary.py).
 * Missing values stay. Columns of integers stay integers where all bounds are whole numbers, as in
 * numpy.clip; those of uint64 and bool are computed in float64. */
#include <math.h>

#include "host/estimators/floats.h"

static const struct qn_param PARAMS[] = {
    {"lower", QN_PARAM_NUMBERS, "null", NULL, 0, 0,
     "smaller values become this: one number, or one (or null) per column; null: none"},
    {"upper", QN_PARAM_NUMBERS, "null", NULL, 0, 0, "greater values become this, in the same way"},
};

static const char ZEROS[] = "make the input dense";

static void bounds(const struct qn_estimator *e, uint32_t i, double *lower, double *upper)
{
    *lower = qn_param_number(e, "lower", i, -(double)INFINITY);
    *upper = qn_param_number(e, "upper", i, (double)INFINITY);
}

static int is_whole(double bound)
{
    return isinf(bound) || bound == floor(bound);
}

/* How many numbers the longer list has; the shorter, if it is a list, must have as many. */
static quern_status clipper_check(const struct qn_estimator *e)
{
    size_t n = 1, lengths[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        const json_t *given = qn_param(e, k == 0 ? "lower" : "upper");
        if (json_is_array(given)) n = lengths[k] = json_array_size(given);
    }
    if (lengths[0] != 0 && lengths[1] != 0 && lengths[0] != lengths[1])
        return qn_error(QUERN_INVALID, "Clipper: lower has %zu numbers and upper %zu", lengths[0],
                        lengths[1]);
    for (uint32_t i = 0; i < n; i++) {
        double lower, upper;
        bounds(e, i, &lower, &upper);
        if (lower > upper)
            return qn_error(QUERN_INVALID, "Clipper: lower is %g and upper %g: the one is greater",
                            lower, upper);
    }
    return QUERN_OK;
}

static quern_status clipper_dtype(const struct qn_stage *stage, quern_type *dtype)
{
    QN_TRY(qn_stage_per_column(stage, "lower"));
    QN_TRY(qn_stage_per_column(stage, "upper"));
    QN_TRY(qn_stage_dtype(stage, 0, dtype));
    if (qn_type_is_float(*dtype)) return QUERN_OK;
    int whole = *dtype != QUERN_BOOL && *dtype != QUERN_UINT64;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        double lower, upper;
        bounds(stage->estimator, i, &lower, &upper);
        whole &= is_whole(lower) && is_whole(upper);
    }
    if (!whole) *dtype = QUERN_FLOAT64;
    return QUERN_OK;
}

/* The least and the greatest value of an integer type that int64 holds. */
static void ends_of(quern_type type, double *least, double *most)
{
    int is_signed = type >= QUERN_INT8 && type <= QUERN_INT64;
    int bits = 8 * (int)qn_type_bytes(type);
    *least = is_signed ? -ldexp(1.0, bits - 1) : 0;
    *most = ldexp(1.0, is_signed ? bits - 1 : bits) - 1;
}

/* A bound that no value of the type reaches does nothing. */
static quern_status add_whole(struct qn_stage *stage, struct qn_port *port, double lower,
                              double upper)
{
    double least, most;
    ends_of(port->type, &least, &most);
    if (lower > most || upper < least)
        return qn_error(
            QUERN_INVALID,
            "Clipper: column \"%s\" of type %s cannot have the value %g; convert it first",
            port->name, qn_type_name(port->type), lower > most ? lower : upper);
    int64_t from = lower <= -0x1p63 ? INT64_MIN : (int64_t)lower;
    int64_t to = upper >= 0x1p63 ? INT64_MAX : (int64_t)upper;
    port->chain = qn_chain_add(stage->arena, port->chain, QN_OP_CLIP, qn_word_i64(from),
                               qn_word_i64(to), QN_W_I64);
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status clipper_need(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    return clipper_dtype(stage, &dtype);
}

static quern_status clipper_learn(struct qn_stage *stage)
{
    (void)stage;
    return QUERN_OK;
}

static quern_status clipper_emit(struct qn_stage *stage)
{
    quern_type dtype;
    QN_TRY(qn_stage_refuse_sparse(stage, ZEROS));
    QN_TRY(clipper_dtype(stage, &dtype));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *port = &stage->out[i];
        double lower, upper;
        bounds(stage->estimator, i, &lower, &upper);
        QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
        port->known = NULL;
        QN_TRY(port->chain->work == QN_W_I64 ? add_whole(stage, port, lower, upper)
                                             : qn_port_add(stage, port, QN_OP_CLIP, lower, upper));
    }
    return QUERN_OK;
}

const struct qn_estimator_type qn_clipper = {
    .name = "Clipper",
    .doc = "Limit columns to bounds that are given.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "",
    .input = "number",
    .traits = QN_TRAIT_STATELESS,
    .check = clipper_check,
    .need = clipper_need,
    .learn = clipper_learn,
    .emit = clipper_emit,
};
