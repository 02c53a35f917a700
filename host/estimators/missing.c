/* SPDX-License-Identifier: Apache-2.0 */
#include "host/estimators/missing.h"

#include <math.h>
#include <string.h>

struct qn_marker qn_marker_of(const struct qn_estimator *e)
{
    const json_t *v = qn_param(e, "missing_values");
    struct qn_marker m = {0};
    if (qn_json_number(v, &m.number)) {
        m.is_nan = isnan(m.number);
    } else {
        m.is_text = 1;
        m.text = json_string_value(v);
    }
    return m;
}

quern_status qn_marker_refuse_zero(const struct qn_stage *stage)
{
    struct qn_marker m = qn_marker_of(stage->estimator);
    if (m.is_text || m.is_nan || m.number != 0) return QUERN_OK;
    return qn_stage_refuse_sparse(stage, "missing_values is 0; make the input dense");
}

quern_status qn_marker_port(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                            struct qn_port *out)
{
    struct qn_marker m = qn_marker_of(stage->estimator);
    QN_TRY(qn_port_convert(stage, in, type, out));
    if (m.is_nan || m.is_text) return QUERN_OK;
    QN_TRY(qn_port_refuse_nan(stage, out));
    if (out->chain->work == QN_W_I64) { /* integers have no NaN: look at them as doubles */
        struct qn_port real = *out;
        QN_TRY(qn_port_convert(stage, &real, QUERN_FLOAT64, out));
    }
    double number = out->chain->work == QN_W_F32 ? (double)(float)m.number : m.number;
    out->chain = qn_chain_add(stage->arena, out->chain, QN_OP_FILL_EQ, qn_word_f64(number),
                              qn_word_f64(NAN), out->chain->work);
    return out->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

void qn_marker_count(const struct qn_categories *set, const struct qn_marker *m, uint64_t *missing,
                     uint32_t *mode)
{
    uint64_t most = 0;
    *missing = m->is_text ? 0 : qn_categories_missing(set);
    *mode = UINT32_MAX;
    for (uint32_t i = 0; i < qn_categories_count(set); i++) {
        uint64_t bytes, rows = qn_categories_rows(set, i);
        const char *text = qn_categories_string(set, i, &bytes);
        if (m->is_text && bytes == strlen(m->text) && memcmp(text, m->text, bytes) == 0) {
            *missing += rows;
        } else if (rows > most) {
            most = rows;
            *mode = i;
        }
    }
}

quern_status qn_marker_check_raw(const struct qn_stage *stage, uint32_t i)
{
    struct qn_marker m = qn_marker_of(stage->estimator);
    const char *type = stage->estimator->type->name, *name = stage->in[i].name;
    if (!m.is_nan && !m.is_text)
        return qn_error(QUERN_INVALID,
                        "%s.missing_values: a number does not match string column \"%s\"", type,
                        name);
    if (m.is_text && stage->in[i].may_nan && qn_categories_missing(stage->found[i].categories) != 0)
        return qn_error(
            QUERN_INVALID,
            "%s: column \"%s\" has missing cells beside those that missing_values names", type,
            name);
    return QUERN_OK;
}

quern_status qn_marker_test(struct qn_stage *stage, struct qn_port *port)
{
    struct qn_marker m = qn_marker_of(stage->estimator);
    uint32_t work = port->chain->work;
    int whole = work == QN_W_I64;
    double number = work == QN_W_F32 ? (double)(float)m.number : m.number;
    if (m.is_nan && !whole) {
        port->chain = qn_chain_add(stage->arena, port->chain, QN_OP_MISSING, 0, 0, work);
    } else { /* an integer column has no NaN: an impossible marker gives 0 everywhere */
        int never = m.is_nan || (whole && m.number != floor(m.number));
        uint64_t word =
            whole ? qn_word_i64(never ? INT64_MIN : (int64_t)m.number) : qn_word_f64(number);
        port->chain = qn_chain_add(stage->arena, port->chain, QN_OP_EQUAL, word, 0, work);
    }
    return port->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

/* A raw column is looked up in a list that has the marker alone, or nothing. */
static quern_status raw_indicator(struct qn_stage *stage, const struct qn_port *in,
                                  struct qn_port *out)
{
    static const double nothing;
    struct qn_marker m = qn_marker_of(stage->estimator);
    struct qn_categories *lookup = NULL;
    const struct qn_chain *chain;
    int64_t offsets[2] = {0, 0};
    if (m.is_text) offsets[1] = (int64_t)strlen(m.text);
    QN_TRY(qn_categories_from(QUERN_STRING, (uint32_t)m.is_text,
                              m.is_text ? m.text : (const char *)&nothing, offsets, &lookup));
    QN_TRY(stage->add_encoding(stage->plan, in->source, lookup, &chain));
    uint64_t *table = qn_arena_alloc(stage->arena, 3, sizeof *table);
    if (table == NULL) return qn_stage_memory(stage);
    table[0] = qn_word_f64(1.0); /* text: the marker; else: a missing cell */
    table[1] = table[2] = qn_word_f64(0.0);
    out->raw = 0;
    out->type = QUERN_BOOL;
    out->chain =
        qn_chain_add_table(stage->arena, chain, QN_OP_VALUE, table, m.is_text ? 3 : 2, QN_W_F64);
    return out->chain != NULL ? QUERN_OK : qn_stage_memory(stage);
}

quern_status qn_marker_indicator(struct qn_stage *stage, uint32_t i, quern_type type,
                                 struct qn_port *out)
{
    const struct qn_port *in = &stage->in[i];
    *out = *in;
    if (in->raw) {
        QN_TRY(raw_indicator(stage, in, out));
    } else {
        QN_TRY(qn_port_convert(stage, in, type, out));
        if (!qn_marker_of(stage->estimator).is_nan) QN_TRY(qn_port_refuse_nan(stage, out));
        QN_TRY(qn_marker_test(stage, out));
    }
    out->may_nan = 0;
    out->known = NULL;
    out->drops_zeros = in->sparse;
    out->name = qn_arena_printf(stage->arena, "missingindicator_%s", in->name);
    return out->name != NULL ? QUERN_OK : qn_stage_memory(stage);
}
