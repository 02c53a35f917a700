/* SPDX-License-Identifier: Apache-2.0
 * Bucketizer: the number of the bin, of edges that are given, in which a value lies. Definitions: Spark ML's
 * Bucketizer (bins are closed on the left; the last is on both sides; other values are an error), and
 * pandas.cut with include_lowest for bins that are closed on the right. What lies outside can also have
 * bins of its own, as in numpy.digitize, or belong to the nearest, as in KBinsDiscretizer.
 *
 * One BIN op counts the thresholds that a value reaches; those of float32 columns are floats. Where values
 * outside are an error, the code goes through a FIND that does not know it: two looks into tables more for each
 * value, which take some six times as long as the bins alone (bench/column_cases.py). Where missing values are kept,
 * one more threshold, infinite, gives them a code of their own. */
#include <float.h>
#include <math.h>

#include "host/core/checked.h"
#include "host/estimators/floats.h"

static const struct qn_param PARAMS[] = {
    {"edges", QN_PARAM_EDGES, "null", NULL, 0, 0,
     "ascending, at least two: one list for all columns, or a list of lists; null at an end: no "
     "end"},
    {"encode", QN_PARAM_CHOICE, "\"ordinal\"", "ordinal|onehot|onehot-dense", 0, 0,
     "the bin's number, or a column of 0 and 1 for each bin (sparse or not)"},
    {"closed", QN_PARAM_CHOICE, "\"left\"", "left|right", 0, 0,
     "the side of a bin whose edge belongs to it; both at the outermost edge of the other side"},
    {"outside", QN_PARAM_CHOICE, "\"error\"", "error|clip|keep", 0, 0,
     "values outside of the edges: an error, in the nearest bin, or in two more, the first and the "
     "last"},
    {"handle_missing", QN_PARAM_CHOICE, "\"error\"", "error|keep", 0, 0,
     "missing values: an error, or kept (in no column of \"onehot\")"},
    {"dtype", QN_PARAM_FLOATS, "null", NULL, 0, 0, "of the output; null: the input's"},
};

enum outside { ERROR, CLIP, KEEP };

static enum outside outside_of(const struct qn_estimator *e)
{
    if (qn_param_is(e, "outside", "error")) return ERROR;
    return qn_param_is(e, "outside", "clip") ? CLIP : KEEP;
}

static int keeps_missing(const struct qn_estimator *e)
{
    return qn_param_is(e, "handle_missing", "keep");
}

/* ---- edges ---- */

static int is_per_column(const json_t *edges)
{
    return json_is_array(json_array_get(edges, 0));
}

static const json_t *edges_of(const struct qn_estimator *e, uint32_t i)
{
    const json_t *edges = qn_param(e, "edges");
    return is_per_column(edges) ? json_array_get(edges, i) : edges;
}

static double edge(const json_t *edges, size_t k)
{
    const json_t *one = json_array_get(edges, k);
    if (!json_is_null(one)) return json_number_value(one);
    return k == 0 ? -(double)INFINITY : (double)INFINITY;
}

static quern_status check_edges(const json_t *edges)
{
    size_t n = json_array_size(edges);
    if (!json_is_array(edges) || n < 2)
        return qn_error(QUERN_INVALID, "Bucketizer.edges: at least two edges make a bin");
    if (n > UINT32_MAX / 8)
        return qn_error(QUERN_INVALID, "Bucketizer.edges: %zu edges are too many", n);
    for (size_t k = 0; k < n; k++) {
        const json_t *one = json_array_get(edges, k);
        if (!json_is_number(one) && !(json_is_null(one) && (k == 0 || k + 1 == n)))
            return qn_error(QUERN_INVALID,
                            "Bucketizer.edges: edge %zu must be a number; only the first and the "
                            "last may be null",
                            k);
        if (k > 0 && !(edge(edges, k - 1) < edge(edges, k)))
            return qn_error(QUERN_INVALID, "Bucketizer.edges must ascend: %g is followed by %g",
                            edge(edges, k - 1), edge(edges, k));
    }
    return QUERN_OK;
}

static quern_status bucketizer_check(const struct qn_estimator *e)
{
    const json_t *edges = qn_param(e, "edges");
    if (!is_per_column(edges)) return check_edges(edges);
    for (size_t i = 0; i < json_array_size(edges); i++)
        QN_TRY(check_edges(json_array_get(edges, i)));
    return QUERN_OK;
}

/* The dtypes that values are compared in and that come out. */
static quern_status dtypes_of(const struct qn_stage *stage, quern_type *in, quern_type *out)
{
    const char *given = qn_param_text(stage->estimator, "dtype");
    const json_t *edges = qn_param(stage->estimator, "edges");
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, in));
    *out = *in;
    if (is_per_column(edges) && json_array_size(edges) != stage->n_in)
        return qn_error(QUERN_INVALID, "Bucketizer.edges has %zu lists for %u columns",
                        json_array_size(edges), stage->n_in);
    return given != NULL ? qn_dtype_parse(given, out) : QUERN_OK;
}

static quern_status bucketizer_need(struct qn_stage *stage)
{
    quern_type in, out;
    return dtypes_of(stage, &in, &out);
}

/* n_bins_ is no more than the edges say. */
static quern_status bucketizer_learn(struct qn_stage *stage)
{
    int64_t *n_bins = qn_attrs_i64(stage->attrs, "n_bins_", stage->n_in);
    if (n_bins == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++)
        n_bins[i] = (int64_t)json_array_size(edges_of(stage->estimator, i)) - 1 +
                    (outside_of(stage->estimator) == KEEP ? 2 : 0);
    return QUERN_OK;
}

/* ---- chains ---- */

/* The least number of the dtype that is not below a bound, or, beyond, that is above it. */
static double threshold(double bound, int beyond, quern_type dtype)
{
    if (isinf(bound)) return bound;
    if (dtype != QUERN_FLOAT32) return beyond ? nextafter(bound, (double)INFINITY) : bound;
    float f = (float)bound;
    int below = beyond ? (double)f <= bound : (double)f < bound;
    return (double)(below ? nextafterf(f, INFINITY) : f);
}

/* A value's code is the number of thresholds that it reaches. */
static uint64_t *thresholds(struct qn_stage *stage, const json_t *edges, quern_type dtype,
                            uint32_t *n)
{
    size_t last = json_array_size(edges) - 1;
    int inner_only = outside_of(stage->estimator) == CLIP;
    int right = qn_param_is(stage->estimator, "closed", "right");
    uint64_t *table = qn_arena_alloc(stage->arena, last + 2, sizeof *table);
    uint32_t at = 0;
    if (table == NULL) return NULL;
    if (!inner_only) table[at++] = qn_word_f64(threshold(edge(edges, 0), 0, dtype));
    for (size_t k = 1; k < last; k++)
        table[at++] = qn_word_f64(threshold(edge(edges, k), right, dtype));
    if (!inner_only) table[at++] = qn_word_f64(threshold(edge(edges, last), 1, dtype));
    *n = at;
    if (keeps_missing(stage->estimator)) table[at++] = qn_word_f64((double)INFINITY);
    return table;
}

/* The codes 1 … n become 0 … n - 1; 0 and n + 1 are unknown. A missing value's code becomes n. */
static quern_status refuse_outside(struct qn_stage *stage, uint32_t n_bins, struct qn_port *port)
{
    uint64_t *values = qn_arena_alloc(stage->arena, (size_t)n_bins + 3, sizeof *values);
    uint64_t *known = qn_arena_alloc(stage->arena, n_bins, sizeof *known);
    if (values == NULL || known == NULL) return qn_stage_memory(stage);
    for (uint32_t k = 0; k < n_bins; k++) {
        values[k + 1] = qn_word_f64((double)k);
        known[k] = qn_word_f64((double)k);
    }
    values[0] = values[n_bins + 1] = qn_word_f64(-1.0);
    values[n_bins + 2] = qn_word_f64((double)NAN);
    const struct qn_chain *chain =
        qn_chain_add_table(stage->arena, port->chain, QN_OP_VALUE, values, n_bins + 3, QN_W_F64);
    if (chain != NULL)
        chain = qn_chain_add_table(stage->arena, chain, QN_OP_FIND, known, n_bins, QN_W_CODE);
    struct qn_chain *own = chain != NULL ? qn_chain_copy(stage->arena, chain) : NULL;
    if (own == NULL) return qn_stage_memory(stage);
    own->unknown = "a value outside of the edges";
    own->blame = "Bucketizer";
    port->chain = own;
    return QUERN_OK;
}

/* The port of column i's codes: 0 … *n_codes - 1, and *n_codes for a missing value that is kept. */
static quern_status code_port(struct qn_stage *stage, uint32_t i, quern_type dtype,
                              uint32_t *n_codes, struct qn_port *port)
{
    const json_t *edges = edges_of(stage->estimator, i);
    uint32_t n, n_bins = (uint32_t)json_array_size(edges) - 1;
    uint64_t *table = thresholds(stage, edges, dtype, &n);
    if (table == NULL) return qn_stage_memory(stage);
    QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, port));
    if (!keeps_missing(stage->estimator)) QN_TRY(qn_port_refuse_nan(stage, port));
    *n_codes = n + 1;
    n += (uint32_t)keeps_missing(stage->estimator);
    port->chain = qn_chain_add_table(stage->arena, port->chain, QN_OP_BIN, table, n, QN_W_CODE);
    port->known = NULL;
    if (port->chain == NULL) return qn_stage_memory(stage);
    if (outside_of(stage->estimator) != ERROR) return QUERN_OK;
    *n_codes = n_bins;
    return refuse_outside(stage, n_bins, port);
}

/* Codes as numbers; a kept missing value is missing again. */
static quern_status emit_number(struct qn_stage *stage, quern_type dtype, uint32_t n_codes,
                                struct qn_port *port)
{
    uint32_t code = dtype == QUERN_FLOAT32 ? QN_OP_TO_F32 : QN_OP_TO_F64;
    port->may_nan &= keeps_missing(stage->estimator);
    if (keeps_missing(stage->estimator)) {
        uint64_t *values = qn_arena_alloc(stage->arena, (size_t)n_codes + 1, sizeof *values);
        if (values == NULL) return qn_stage_memory(stage);
        for (uint32_t k = 0; k < n_codes; k++) values[k] = qn_word_f64((double)k);
        values[n_codes] = qn_word_f64((double)NAN);
        port->chain = qn_chain_add_table(stage->arena, port->chain, QN_OP_VALUE, values,
                                         n_codes + 1, QN_W_F64);
        if (port->chain == NULL) return qn_stage_memory(stage);
        if (dtype != QUERN_FLOAT32) return QUERN_OK;
    }
    port->chain = qn_chain_add(stage->arena, port->chain, code, 0, 0, qn_work_of(dtype));
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

static quern_status emit_block(struct qn_stage *stage, uint32_t i, const struct qn_port *code,
                               uint32_t n_codes, struct qn_port *out)
{
    for (uint32_t k = 0; k < n_codes; k++) {
        out[k] = *code;
        out[k].match = k;
        out[k].may_nan = 0;
        out[k].sparse = qn_param_is(stage->estimator, "encode", "onehot");
        out[k].name = qn_arena_printf(stage->arena, "%s_%u", stage->in[i].name, k);
        if (out[k].name == NULL) return qn_stage_memory(stage);
    }
    return QUERN_OK;
}

static size_t most_outputs(const struct qn_stage *stage)
{
    size_t n = 0;
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (qn_add_size(n, json_array_size(edges_of(stage->estimator, i)) + 1, &n)) return SIZE_MAX;
    return n;
}

static quern_status bucketizer_emit(struct qn_stage *stage)
{
    int ordinal = qn_param_is(stage->estimator, "encode", "ordinal");
    uint32_t at = 0;
    quern_type in, dtype;
    QN_TRY(dtypes_of(stage, &in, &dtype));
    size_t most = ordinal ? stage->n_in : most_outputs(stage);
    if (most > UINT32_MAX / 2)
        return qn_error(QUERN_INVALID, "Bucketizer: %zu output columns are too many", most);
    QN_TRY(qn_stage_outputs(stage, (uint32_t)most));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port port = {0};
        uint32_t n_codes = 0;
        QN_TRY(code_port(stage, i, in, &n_codes, &port));
        port.type = dtype;
        if (ordinal) {
            QN_TRY(emit_number(stage, dtype, n_codes, &port));
            stage->out[at++] = port;
        } else {
            QN_TRY(emit_block(stage, i, &port, n_codes, stage->out + at));
            at += n_codes;
        }
    }
    stage->n_out = at;
    return QUERN_OK;
}

static int raises(const struct qn_estimator *e)
{
    return !keeps_missing(e);
}

/* One for each row and input column. */
static double stored_values(const struct qn_estimator *e, const struct qn_attrs *attrs,
                            uint64_t rows, uint32_t columns)
{
    (void)e;
    (void)columns;
    return (double)rows * (double)qn_attrs_find(attrs, "n_bins_")->n;
}

const struct qn_estimator_type qn_bucketizer = {
    .name = "Bucketizer",
    .doc = "The bin, of edges that are given, in which each value lies.",
    .params = PARAMS,
    .n_params = sizeof PARAMS / sizeof *PARAMS,
    .attributes = "n_bins_",
    .whole = "n_bins_",
    .input = "number",
    .traits = QN_TRAIT_STATELESS | QN_TRAIT_FINDS,
    .refuses_missing = raises,
    .stored = stored_values,
    .check = bucketizer_check,
    .need = bucketizer_need,
    .learn = bucketizer_learn,
    .emit = bucketizer_emit,
};
