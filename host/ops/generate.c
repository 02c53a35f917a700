/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/generate.h"

#include <stdio.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/device/device.h"
#include "host/ops/generate_text.h"
#include "host/ops/layout.h"
#include "host/ops/table.h"

/* ---- the shape of a request ---- */

static const char *chain_of(const struct qn_batch *batch, struct qn_chain_shape *s)
{
    const struct qn_lane *first = &batch->lanes[0];
    if (first->n_ops > QN_CHAIN_OPS) return "the chain is longer than 32 ops";
    if (first->n_ops > batch->n_ops || first->first_op > batch->n_ops - first->n_ops)
        return "the program is malformed";
    s->in_type = first->type;
    s->work = first->work;
    s->n_ops = first->n_ops;
    for (uint32_t k = 0; k < first->n_ops; k++) {
        const struct qn_op *op = &batch->ops[first->first_op + k];
        if (op->code == QN_OP_NORM) return "a norm needs the whole row";
        if (op->code >= QN_OP_TAKE) return "a chain takes in other columns";
        if ((QN_OP_IS_FUNCTION(op->code) || op->code == QN_OP_LOOK) && op->work > QN_W_F64)
            return "the program is malformed";
        if (QN_OP_IS_BIN(op->code) && op->work > QN_W_F64) return "the program is malformed";
        s->code[k] = op->code;
        s->op_work[k] = op->work;
        s->n_params += qn_op_params(op->code);
    }
    if ((s->in_type == QN_T_F32 || s->in_type == QN_T_F64) && s->work >= QN_W_I64)
        return "stored floats read as integers";
    for (uint32_t i = 0; i < batch->n_lanes; i++) {
        const struct qn_lane *lane = &batch->lanes[i];
        if (lane->type != s->in_type || lane->work != s->work || lane->n_ops != s->n_ops)
            return "the columns differ in type or chain";
        if (lane->valid_bit != QN_NO_VALIDITY) return "a column has a validity bitmap";
        if (lane->n_ops != 0 && lane->first_op > batch->n_ops - lane->n_ops)
            return "the program is malformed";
        for (uint32_t k = 0; k < s->n_ops; k++) {
            const struct qn_op *op = &batch->ops[lane->first_op + k];
            if (op->code != s->code[k] || op->work != s->op_work[k])
                return "the columns differ in their chain";
        }
    }
    return NULL;
}

enum side { SIDE_ROWS, SIDE_COLUMNS, SIDE_OTHER };

static enum side input_side(const struct qn_batch *batch)
{
    const struct qn_lane *first = &batch->lanes[0];
    int64_t size = qn_value_bytes(first->type);
    int rows = 1, columns = 1;
    for (uint32_t i = 0; i < batch->n_lanes; i++) {
        const struct qn_lane *lane = &batch->lanes[i];
        columns &= lane->stride == size;
        rows &= lane->stride == first->stride && lane->stride > 0 &&
                lane->offset == first->offset + i * (uint64_t)size;
    }
    return columns ? SIDE_COLUMNS : rows ? SIDE_ROWS : SIDE_OTHER;
}

static enum side output_side(const struct qn_run_request *rq)
{
    const struct qn_slot *first = &rq->slots[0];
    uint64_t size = qn_value_bytes(first->type);
    int rows = 1, columns = 1;
    for (uint32_t i = 0; i < rq->n_slots; i++) {
        const struct qn_slot *slot = &rq->slots[i];
        columns &= slot->stride == size;
        rows &= slot->stride == first->stride && slot->offset == first->offset + i * size;
    }
    return columns ? SIDE_COLUMNS : rows ? SIDE_ROWS : SIDE_OTHER;
}

const char *qn_chain_shape_of(const struct qn_run_request *rq, struct qn_chain_shape *out)
{
    memset(out, 0, sizeof *out);
    if (rq->n_slots == 0 || rq->n_slots != rq->batch.n_lanes)
        return "columns and output columns are not one to one";
    const char *why = chain_of(&rq->batch, out);
    if (why != NULL) return why;
    out->out_type = rq->slots[0].type;
    out->watch = rq->seen != NULL || rq->seen_base.raw != NULL;
    for (uint32_t i = 0; i < rq->n_slots; i++)
        if (rq->slots[i].lane != i || rq->slots[i].match != QN_MATCH_VALUE ||
            rq->slots[i].type != out->out_type)
            return "columns and output columns are not one to one";
    enum side in = input_side(&rq->batch), to = output_side(rq);
    if (in == SIDE_OTHER) return "the input is neither a matrix nor packed columns";
    if (to == SIDE_OTHER) return "the output is neither a matrix nor packed columns";
    out->turn = in == SIDE_ROWS ? (to == SIDE_ROWS ? QN_STRAIGHT_ROWS : QN_ROWS_TO_COLUMNS)
                                : (to == SIDE_ROWS ? QN_COLUMNS_TO_ROWS : QN_STRAIGHT_COLUMNS);
    return NULL;
}

/* ---- the text ---- */

static const char *const stored_names[] = {
    "unsigned char",  "signed char", "short",  "qn_i32", "qn_i64", "unsigned char",
    "unsigned short", "qn_u32",      "qn_u64", "float",  "double"};
static const char *const work_names[] = {"float", "double", "qn_i64", "qn_u32"};
static const char *const apply_names[] = {"qn_op_f32", "qn_op_f64", "qn_op_i64", "qn_op_code"};
static const char *const work_constants[] = {"QN_W_F32", "QN_W_F64", "QN_W_I64", "QN_W_CODE"};
static const char *const code_names[] = {
    "",          "QN_OP_FILL", "QN_OP_FILL_EQ", "QN_OP_SUB",     "QN_OP_ADD",  "QN_OP_MUL",
    "QN_OP_DIV", "QN_OP_CLIP", "QN_OP_GREATER", "QN_OP_MISSING", "QN_OP_EQUAL"};
static const char *const function_names[] = {"qn_exp",         "qn_expm1",
                                             "qn_log",         "qn_log1p",
                                             "qn_sqrt",        "qn_reciprocal",
                                             "qn_asinh",       "qn_sin",
                                             "qn_cos",         "qn_pow",
                                             "qn_ncdf",        "qn_nquantile",
                                             "qn_yeo_johnson", "qn_yeo_johnson_back",
                                             "qn_box_cox",     "qn_box_cox_back",
                                             "qn_log2",        "qn_log10",
                                             "qn_abs",         "qn_square",
                                             "qn_rdiv"};

static void put(struct qn_writer *w, const char *text, size_t bytes)
{
    if (w->failed) return;
    if (w->text == NULL || bytes + 1 > w->room - w->used) {
        size_t room = (w->used + bytes + 1) * 2;
        char *more = qn_realloc(w->text, room, 1);
        if (more == NULL) {
            w->failed = 1;
            return;
        }
        w->text = more;
        w->room = room;
    }
    memcpy(w->text + w->used, text, bytes);
    w->used += bytes;
    w->text[w->used] = '\0';
}

void qn_write_line(struct qn_writer *w, const char *format, va_list args)
{
    char text[512];
    int n = vsnprintf(text, sizeof text, format, args);
    if (n < 0 || (size_t)n >= sizeof text)
        w->failed = 1;
    else
        put(w, text, (size_t)n);
}

static void line(struct qn_writer *w, const char *format, ...) QN_PRINTF(2, 3);
static void line(struct qn_writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    qn_write_line(w, format, args);
    va_end(args);
}

/* The type that parameter words of an op are read as. */
static const char *param_type(uint32_t code, uint32_t work)
{
    return code >= QN_OP_FIND ? "qn_u64" : work_names[work];
}

/* One op: value k from value k - 1; `p` is its first parameter. */
static void write_op(struct qn_writer *w, uint32_t k, uint32_t code, uint32_t work, uint32_t p)
{
    uint32_t result = qn_op_result(code, work), v = k + 1;
    line(w, "    %s v%u = ", work_names[result], v);
    if (code <= QN_OP_EQUAL) {
        const char *zero = work == QN_W_F32 ? "0.0f" : work == QN_W_F64 ? "0.0" : "0u";
        uint32_t n = qn_op_params(code);
        char p0[16], p1[16];
        (void)snprintf(p0, sizeof p0, "p%u", p);
        (void)snprintf(p1, sizeof p1, "p%u", p + 1);
        line(w, "%s(%s, v%u, %s, %s);\n", apply_names[work], code_names[code], k, n > 0 ? p0 : zero,
             n > 1 ? p1 : zero);
    } else if (QN_OP_IS_FUNCTION(code)) {
        line(w, "%s%s(v%u", function_names[code - QN_OP_EXP], work == QN_W_F32 ? "_f32" : "", k);
        if (qn_op_params(code) > 0) line(w, ", p%u", p);
        line(w, ");\n");
    } else if (code == QN_OP_LOOK) {
        line(w, "v%u;\n", k);
        line(w, "    if ((%s(v%u) & QN_SEEN_INF) != 0u) *seen |= QN_SEEN_MADE_INF;\n",
             work == QN_W_F32 ? "qn_seen32" : "qn_seen64", v);
    } else if (code == QN_OP_TO_I64 && work <= QN_W_F64)
        line(w, "qn_to_i64((double)v%u);\n", k);
    else if (code <= QN_OP_TO_I64)
        line(w, "(%s)v%u;\n", work_names[result], k);
    else if (code == QN_OP_FIND) {
        line(w,
             work == QN_W_I64 ? "qn_find_i64(words + p%u, p%u, v%u);\n"
                              : "qn_find_f64(words + p%u, p%u, (double)v%u);\n",
             p, p + 1, k);
        line(w, "    if (v%u > (qn_u32)p%u) *seen |= QN_SEEN_UNKNOWN;\n", v, p + 1);
    } else if (code == QN_OP_BIN) {
        line(w, "qn_bin(words + p%u, p%u, (double)v%u);\n", p, p + 1, k);
    } else if (code == QN_OP_SPLINE) {
        line(w, "(%s)qn_spline(words + p%u, p%u, (double)v%u, seen);\n", work_names[work], p, p + 2,
             k);
    } else if (QN_OP_IS_BIN(code)) {
        line(w, "(%s)qn_interp(words + p%u, p%u, (double)v%u, %uu);\n", work_names[work], p, p + 1,
             k, code == QN_OP_INTERP_MEAN ? 1u : 0u);
    } else {
        const char *read = code == QN_OP_VALUE ? "QN_F64" : "(qn_u32)";
        line(w, "%s(words[p%u + (v%u < (qn_u32)p%u - 1u ? v%u : (qn_u32)p%u - 1u)]);\n", read, p, k,
             p + 1, k, p + 1);
    }
}

/* ---- for programs of whole rows (generate_rows.c) ---- */

void qn_write_text(struct qn_writer *w, const char *text, size_t bytes)
{
    put(w, text, bytes);
}

void qn_write_op(struct qn_writer *w, uint32_t k, uint32_t code, uint32_t work, uint32_t p)
{
    write_op(w, k, code, work, p);
}

uint32_t qn_op_words(uint32_t code)
{
    return qn_op_params(code);
}

const char *qn_op_word_type(uint32_t code, uint32_t work)
{
    return param_type(code, work);
}

const char *qn_work_name(uint32_t work)
{
    return work_names[work];
}

/* ---- one chain for all columns ---- */

/* The chain as a function of the stored value and the column's parameters. */
static void write_chain(struct qn_writer *w, const struct qn_chain_shape *s)
{
    static const char *const to_bits[] = {"QN_BITS32(%s)", "QN_BITS64(%s)", "(qn_u64)%s",
                                          "(qn_u64)%s"};
    uint32_t p = 0, work = s->work;
    char last[16], bits[48];
    line(w, "QN_FN QN_OUT qn_result(QN_IN x, QN_GLOBAL const qn_u64 *words");
    for (uint32_t k = 0; k < s->n_ops; k++)
        for (uint32_t i = 0; i < qn_op_params(s->code[k]); i++)
            line(w, ",\n                       %s p%u", param_type(s->code[k], s->op_work[k]), p++);
    line(w, ", qn_u32 *seen)\n{\n");
    line(w, s->in_type == QN_T_BOOL ? "    %s v0 = (%s)(x != 0);\n" : "    %s v0 = (%s)x;\n",
         work_names[work], work_names[work]);
    if (s->watch && work <= QN_W_F64)
        line(w, "    *seen |= %s(v0);\n", work == QN_W_F32 ? "qn_seen32" : "qn_seen64");
    p = 0;
    for (uint32_t k = 0; k < s->n_ops; k++) {
        write_op(w, k, s->code[k], s->op_work[k], p);
        p += qn_op_params(s->code[k]);
        work = qn_op_result(s->code[k], s->op_work[k]);
    }
    (void)snprintf(last, sizeof last, "v%u", s->n_ops);
    (void)snprintf(bits, sizeof bits, to_bits[work], last);
    line(w, "    return (QN_OUT)qn_store_bits(%s, %s, %uu);\n}\n", bits, work_constants[work],
         s->out_type);
}

static void write_words(struct qn_writer *w, const struct qn_chain_shape *s)
{
    static const char *const out_names[] = {
        "unsigned char",  "unsigned char", "unsigned short", "qn_u32", "qn_u64", "unsigned char",
        "unsigned short", "qn_u32",        "qn_u64",         "qn_u32", "qn_u64"};
    static const char *const turns[] = {"0", "0", "1", "2"};
    uint32_t p = 0;
    line(w, "#define QN_IN %s\n#define QN_OUT %s\n#define QN_TURN %s\n#define QN_WATCH %d\n",
         stored_names[s->in_type], out_names[s->out_type], turns[s->turn], s->watch);
    line(w, "#define QN_PARAMETERS(c)");
    for (uint32_t k = 0; k < s->n_ops; k++)
        for (uint32_t i = 0; i < qn_op_params(s->code[k]); i++, p++) {
            const char *type = param_type(s->code[k], s->op_work[k]);
            line(w, " \\\n    %s p%u = ((QN_GLOBAL const %s *)(params + %uu * pitch))[c];", type, p,
                 type, p);
        }
    line(w, "\n#define QN_RESULT(x) qn_result((x), words");
    for (uint32_t i = 0; i < p; i++) line(w, ", p%u", i);
    line(w, ", &seen)\n");
}

quern_status qn_generate(const struct qn_chain_shape *shape, char **text, size_t *bytes)
{
    const struct qn_source *chain = qn_kernel_source("chain"), *loops = qn_kernel_source("uniform");
    struct qn_writer w = {0};
    *text = NULL;
    *bytes = 0;
    if (chain == NULL || loops == NULL)
        return qn_error(QUERN_INTERNAL, "the texts for generated programs are missing");
    put(&w, chain->text, chain->bytes);
    write_words(&w, shape);
    write_chain(&w, shape);
    put(&w, loops->text, loops->bytes);
    if (w.failed) {
        qn_free(w.text);
        return qn_error_memory("a program's text", w.used);
    }
    *text = w.text;
    *bytes = w.used;
    return QUERN_OK;
}

/* ---- parameters ---- */

static void write_param(uint64_t *row, uint32_t place, uint32_t code, uint32_t work, uint64_t word)
{
    double number;
    memcpy(&number, &word, sizeof number);
    if (code < QN_OP_FIND && work == QN_W_F32)
        ((float *)(void *)row)[place] = (float)number;
    else if (code < QN_OP_FIND && work == QN_W_CODE)
        ((uint32_t *)(void *)row)[place] = (uint32_t)word;
    else
        row[place] = word;
}

quern_status qn_generate_params(const struct qn_chain_shape *s, const struct qn_batch *batch,
                                uint32_t places, uint64_t **table, size_t *words)
{
    size_t n;
    *table = NULL;
    *words = 0;
    if (qn_mul_size(s->n_params, places, &n)) return qn_error_memory("parameters", SIZE_MAX);
    uint64_t *out = qn_zalloc(n, sizeof *out);
    if (out == NULL) return qn_error_memory("parameters", n * sizeof *out);
    for (uint32_t place = 0; place < places; place++) {
        const struct qn_lane *lane = &batch->lanes[place % batch->n_lanes];
        uint64_t *row = out;
        for (uint32_t k = 0; k < s->n_ops; k++) {
            const struct qn_op *op = &batch->ops[lane->first_op + k];
            for (uint32_t i = 0; i < qn_op_params(op->code); i++, row += places)
                write_param(row, place, op->code, op->work, batch->words[op->arg + i]);
        }
    }
    *table = out;
    *words = n;
    return QUERN_OK;
}
