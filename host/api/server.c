/* SPDX-License-Identifier: Apache-2.0
 * Serving one row at a time: the model's programs prepared once, then no lock and no allocation (rows
 * of more than STACK_LANES lanes or columns, and operations over rows, take their scratch from the
 * heap). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/ops/ops.h"
#include "host/ops/row.h"

enum { STACK_LANES = 512 };

/* Where a lane's value comes from. */
struct feed_in {
    uint32_t column; /* of the row, or output of the layer before               */
    const struct qn_categories
        *lookup;     /* a code column: cells are looked up here                 */
    quern_type type; /* stored type                                             */
    uint32_t work;
};

struct stage {
    struct qn_row_program *program;
    struct feed_in *feeds; /* one per lane */
    const struct qn_program_lane *lanes;
    uint32_t n_lanes, row_bytes;
    uint32_t n_values; /* lanes, then operands */
    uint32_t *offsets; /* of each input of the next layer in the row that this one leaves */
    struct qn_program made;
};

enum { ROW_VALUE = 8 }; /* bytes that each value of a row between two layers has */

struct quern_server {
    const struct quern_model *model;
    struct qn_arena arena;
    struct stage *stages;
    uint32_t n_stages, most_lanes, most_bytes;
};

static quern_status open_feeds(quern_server *s, const struct qn_layer *layer, struct stage *stage)
{
    const struct qn_program *p = &stage->made;
    stage->n_values = p->n_lanes + p->n_operands;
    stage->feeds = qn_arena_alloc(&s->arena, stage->n_values, sizeof *stage->feeds);
    if (stage->feeds == NULL) return qn_error_memory_while("opening a server");
    for (uint32_t i = 0; i < stage->n_values; i++) {
        uint32_t source = p->lanes[i].source;
        struct feed_in *f = &stage->feeds[i];
        f->work = p->lanes[i].work;
        f->column = source;
        if (source < layer->n_inputs) {
            f->type = layer->input_types[source];
            continue;
        }
        const struct qn_encoding *e = &layer->encodings[source - layer->n_inputs];
        f->lookup = e->lookup;
        f->column = e->source;
        f->type = e->type;
    }
    return QUERN_OK;
}

static quern_status open_stage(quern_server *s, uint32_t k)
{
    const struct qn_layer *layer = &s->model->plan->layers[k];
    struct stage *stage = &s->stages[k];
    int last = k + 1 == s->n_stages;
    uint32_t made_later = last ? 0 : (layer + 1)->n_inputs - layer->n_outputs;
    if (last) {
        stage->made = s->model->program;
    } else {
        QN_TRY(qn_program_make(&s->arena, layer, layer->outputs, layer->n_outputs, NULL,
                               &stage->made));
    }
    const struct qn_program *p = &stage->made;
    struct qn_slot *slots = qn_arena_alloc(&s->arena, p->n_slots, sizeof *slots);
    struct qn_lane *lanes =
        qn_arena_alloc(&s->arena, (size_t)p->n_lanes + p->n_operands, sizeof *lanes);
    stage->offsets =
        qn_arena_alloc(&s->arena, (size_t)p->n_slots + made_later, sizeof *stage->offsets);
    if (slots == NULL || lanes == NULL || stage->offsets == NULL)
        return qn_error_memory_while("opening a server");
    for (uint32_t i = 0; i < p->n_slots; i++) {
        uint32_t bytes = (uint32_t)qn_type_bytes(p->slots[i].type);
        /* the last row is packed as the output is; earlier ones are aligned */
        stage->offsets[i] = stage->row_bytes;
        slots[i] = (struct qn_slot){.offset = stage->row_bytes,
                                    .type = (uint32_t)p->slots[i].type,
                                    .lane = p->slots[i].lane,
                                    .match = p->slots[i].match};
        stage->row_bytes += last ? bytes : ROW_VALUE;
    }
    for (uint32_t i = 0; i < made_later; i++) { /* by operations over rows */
        stage->offsets[p->n_slots + i] = stage->row_bytes;
        stage->row_bytes += ROW_VALUE;
    }
    QN_TRY(open_feeds(s, layer, stage));
    for (uint32_t i = 0; i < stage->n_values; i++)
        lanes[i] = (struct qn_lane){.type = (uint32_t)stage->feeds[i].type,
                                    .work = p->lanes[i].work,
                                    .valid_bit = QN_NO_VALIDITY,
                                    .stride = 8,
                                    .first_op = p->lanes[i].first_op,
                                    .n_ops = p->lanes[i].n_ops};
    struct qn_batch batch = {.rows = 1,
                             .lanes = lanes,
                             .n_lanes = p->n_lanes,
                             .ops = p->ops,
                             .n_ops = p->n_ops,
                             .words = p->words,
                             .n_words = p->n_words,
                             .operands = lanes + p->n_lanes,
                             .n_operands = p->n_operands};
    stage->lanes = p->lanes;
    stage->n_lanes = p->n_lanes;
    if (stage->n_values > s->most_lanes) s->most_lanes = stage->n_values;
    if (!last && stage->row_bytes > s->most_bytes) s->most_bytes = stage->row_bytes;
    return qn_row_open(&batch, slots, p->n_slots, p->norms, p->n_norms, &stage->program);
}

quern_status quern_server_open(const quern_model *model, quern_server **out)
{
    if (model == NULL || out == NULL) return qn_null_argument("quern_server_open");
    *out = NULL;
    if (model->dtype == QUERN_STRING)
        return qn_error(QUERN_UNSUPPORTED, "string columns pass through; there is no number row");
    quern_server *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory_while("opening a server");
    s->model = model;
    s->n_stages = model->plan->n_layers;
    s->stages = qn_arena_alloc(&s->arena, s->n_stages, sizeof *s->stages);
    quern_status status = s->stages != NULL ? QUERN_OK : qn_error_memory_while("opening a server");
    for (uint32_t k = 0; status == QUERN_OK && k < s->n_stages; k++) status = open_stage(s, k);
    if (status != QUERN_OK) {
        quern_server_close(s);
        return status;
    }
    *out = s;
    return QUERN_OK;
}

void quern_server_close(quern_server *s)
{
    if (s == NULL) return;
    for (uint32_t k = 0; s->stages != NULL && k < s->n_stages; k++)
        qn_row_close(s->stages[k].program);
    qn_arena_free(&s->arena);
    qn_free(s);
}

/* ---- one row ---- */

/* A number that is given for an integer column: NaN and what is out of range have no integer. */
static int to_integer(const quern_cell *cell, int64_t *out)
{
    if (!cell->is_integer && !(cell->number >= -0x1p63 && cell->number < 0x1p63)) return 0;
    *out = cell->is_integer ? cell->integer : (int64_t)cell->number;
    return 1;
}

static uint32_t code_of(const struct feed_in *f, const quern_cell *cell)
{
    uint32_t n = qn_categories_count(f->lookup);
    int64_t whole;
    if (qn_categories_type(f->lookup) == QUERN_STRING)
        return cell->text == NULL ? n
                                  : qn_categories_find_string(f->lookup, cell->text, cell->bytes);
    if (!cell->is_integer && isnan(cell->number)) return n;
    return to_integer(cell, &whole) ? qn_categories_find_i64(f->lookup, whole) : n + 1;
}

static quern_status no_integer(const quern_server *s, uint32_t column)
{
    const char *name = s->model->schema->columns[column].name;
    return qn_error(QUERN_INVALID,
                    "column \"%s\" is of integers; the cell is missing or is not an integer's size",
                    name != NULL ? name : "?");
}

static quern_status load_cells(const quern_server *s, const struct stage *stage,
                               const quern_cell *cells, union qn_row_value *values)
{
    for (uint32_t i = 0; i < stage->n_values; i++) {
        const struct feed_in *f = &stage->feeds[i];
        const quern_cell *cell = &cells[f->column];
        if (f->lookup != NULL)
            values[i].code = code_of(f, cell);
        else if (f->work == QN_W_I64) {
            if (!to_integer(cell, &values[i].i64)) return no_integer(s, f->column);
        } else if (f->work == QN_W_F32)
            values[i].f64 =
                (double)(float)(cell->is_integer ? (double)cell->integer : cell->number);
        else
            values[i].f64 = cell->is_integer ? (double)cell->integer : cell->number;
    }
    return QUERN_OK;
}

static int64_t read_integer(quern_type type, const char *at)
{
    int64_t i64;
    int32_t i32;
    int16_t i16;
    switch (type) {
    case QUERN_INT8: return *(const int8_t *)at;
    case QUERN_BOOL:
    case QUERN_UINT8: return *(const uint8_t *)at;
    case QUERN_INT16: memcpy(&i16, at, sizeof i16); return i16;
    case QUERN_UINT16: memcpy(&i16, at, sizeof i16); return (uint16_t)i16;
    case QUERN_INT32: memcpy(&i32, at, sizeof i32); return i32;
    case QUERN_UINT32: memcpy(&i32, at, sizeof i32); return (uint32_t)i32;
    default: memcpy(&i64, at, sizeof i64); return i64;
    }
}

/* Lanes of a later layer read the row that the layer before made; raw columns are still the cells. */
static void load_row(const struct stage *before, const struct stage *stage, const quern_cell *cells,
                     const char *row, union qn_row_value *values)
{
    for (uint32_t i = 0; i < stage->n_values; i++) {
        const struct feed_in *f = &stage->feeds[i];
        if (f->lookup != NULL) {
            values[i].code = code_of(f, &cells[f->column]);
            continue;
        }
        const char *at = row + before->offsets[f->column];
        float f32;
        double f64;
        if (f->type == QUERN_FLOAT32) {
            memcpy(&f32, at, sizeof f32);
            f64 = (double)f32;
        } else if (f->type == QUERN_FLOAT64) {
            memcpy(&f64, at, sizeof f64);
        } else {
            int64_t whole = read_integer(f->type, at);
            if (f->work == QN_W_I64) {
                values[i].i64 = whole;
                continue;
            }
            f64 = (double)whole;
        }
        values[i].f64 = f->work == QN_W_F32 ? (double)(float)f64 : f64;
    }
}

/* The column of a lane, or that of an operand of it, whose value is no finite number. */
static uint32_t guilty(const struct stage *stage, uint32_t lane, const union qn_row_value *values)
{
    const struct qn_chain *chain = stage->lanes[lane].chain;
    if (!chain->joins || values[lane].f64 - values[lane].f64 != 0) return stage->feeds[lane].column;
    for (uint32_t i = stage->n_lanes; i < stage->n_values; i++) {
        if (values[i].f64 - values[i].f64 == 0) continue;
        for (uint32_t k = 0; k < chain->n_ops; k++) {
            if (chain->unknown != NULL && chain->ops[k].code == QN_OP_FIND) break;
            if (chain->ops[k].operand == stage->lanes[i].chain) return stage->feeds[i].column;
        }
    }
    return stage->feeds[lane].column;
}

/* The sentence for a row that may not pass. Slow: only when there is something to say. */
static quern_status check_row(const quern_server *s, const struct stage *stage,
                              const union qn_row_value *values, const uint32_t *seen)
{
    for (uint32_t i = 0; i < stage->n_values; i++) {
        const struct qn_program_lane *lane = &stage->lanes[i];
        const struct feed_in *f = &stage->feeds[i];
        uint32_t column = guilty(stage, i, values);
        const char *name =
            column < s->model->schema->n_columns ? s->model->schema->columns[column].name : NULL;
        uint32_t n = f->lookup != NULL ? qn_categories_count(f->lookup) : 0;
        int unknown = f->lookup != NULL ? values[i].code > n || (values[i].code == n &&
                                                                 lane->chain->refuse_missing_code)
                                        : (seen[i] & QN_SEEN_UNKNOWN) != 0;
        if (f->lookup != NULL && values[i].code == n && lane->chain->refuse_missing_code &&
            !lane->refuse_unknown)
            return qn_error(QUERN_INVALID,
                            "column \"%s\" has a missing value, which %s cannot take",
                            name != NULL ? name : "?", lane->blame);
        if ((seen[i] & QN_SEEN_UNKNOWN) && lane->chain->unknown != NULL)
            return qn_error(QUERN_INVALID, "%s: column \"%s\" has %s", lane->blame,
                            name != NULL ? name : "?", lane->chain->unknown);
        if (unknown && lane->refuse_unknown)
            return qn_error(QUERN_INVALID, "column \"%s\" has a category that %s did not see",
                            name != NULL ? name : "?", lane->blame);
        if ((seen[i] & QN_SEEN_NAN) && lane->refuse_nan)
            return qn_error(QUERN_INVALID,
                            "column \"%s\" has a missing value, which %s cannot take",
                            name != NULL ? name : "?", lane->blame);
        if (seen[i] & QN_SEEN_MADE_INF)
            return qn_error(QUERN_INVALID,
                            "an expression gives an infinite value, which %s cannot take",
                            lane->chain->looker);
        int looks = lane->n_ops != 0 && !lane->chain->takes_infinite;
        if ((seen[i] & QN_SEEN_INF) && (looks || lane->chain->refuse_infinite))
            return qn_error(QUERN_INVALID, "column \"%s\" has an infinite value",
                            name != NULL ? name : "?");
    }
    return QUERN_OK;
}

static int needs_check(const struct stage *stage, const union qn_row_value *values, uint32_t seen)
{
    if (seen != 0) return 1;
    for (uint32_t i = 0; i < stage->n_values; i++)
        if (stage->feeds[i].lookup != NULL &&
            (stage->lanes[i].refuse_unknown || stage->lanes[i].chain->refuse_missing_code) &&
            values[i].code >= qn_categories_count(stage->feeds[i].lookup))
            return 1;
    return 0;
}

/* The operations over rows in front of layer k + 1, on the one row. */
static quern_status run_rows(const quern_server *s, uint32_t k, char *row)
{
    const struct qn_layer *layer = &s->model->plan->layers[k + 1];
    for (uint32_t i = 0; i < layer->n_rows; i++) {
        const struct qn_layer_rows *lr = &layer->rows[i];
        struct qn_row_column *in = qn_alloc(lr->op->n_in, sizeof *in);
        void **out = qn_alloc(lr->op->n_out, sizeof *out);
        struct qn_rows_request rq = {.op = lr->op, .rows = 1, .in = in, .out = out};
        quern_status status = qn_error_memory_while("serving a row");
        if (in != NULL && out != NULL) {
            for (uint32_t c = 0; c < lr->op->n_in; c++)
                in[c] =
                    (struct qn_row_column){row + s->stages[k].offsets[lr->first_in + c], ROW_VALUE};
            for (uint32_t c = 0; c < lr->op->n_out; c++)
                out[c] = row + s->stages[k].offsets[lr->first_out + c];
            status = qn_op_rows(NULL, NULL, 0, &rq, NULL);
        }
        qn_free(in);
        qn_free(out);
        QN_TRY(status);
    }
    return QUERN_OK;
}

static quern_status run_stages(const quern_server *s, const quern_cell *cells,
                               union qn_row_value *values, uint32_t *seen, char *rows[2], void *out)
{
    for (uint32_t k = 0; k < s->n_stages; k++) {
        const struct stage *stage = &s->stages[k];
        char *to = k + 1 == s->n_stages ? (char *)out : rows[k & 1];
        if (k == 0)
            QN_TRY(load_cells(s, stage, cells, values));
        else
            load_row(&s->stages[k - 1], stage, cells, rows[(k + 1) & 1], values);
        uint32_t all = qn_row_run(stage->program, values, to, NULL);
        if (needs_check(stage, values, all)) {
            memset(seen, 0, stage->n_values * sizeof *seen);
            (void)qn_row_run(stage->program, values, to, seen);
            QN_TRY(check_row(s, stage, values, seen));
        }
        if (k + 1 < s->n_stages) QN_TRY(run_rows(s, k, to));
    }
    return QUERN_OK;
}

quern_status quern_server_row(const quern_server *s, const quern_cell *cells, void *out)
{
    union qn_row_value values[STACK_LANES];
    uint32_t seen[STACK_LANES];
    _Alignas(8) char first[8 * STACK_LANES], second[8 * STACK_LANES];
    char *rows[2] = {first, second};
    if (s->most_lanes <= STACK_LANES && s->most_bytes <= sizeof first)
        return run_stages(s, cells, values, seen, rows, out);
    union qn_row_value *v = qn_alloc(s->most_lanes, sizeof *v);
    uint32_t *w = qn_alloc(s->most_lanes, sizeof *w);
    char *heap = qn_alloc(s->most_bytes, 2);
    quern_status status = qn_error_memory_while("opening a server");
    if (v != NULL && w != NULL && heap != NULL) {
        rows[0] = heap;
        rows[1] = heap + s->most_bytes;
        status = run_stages(s, cells, v, w, rows, out);
    }
    qn_free(v);
    qn_free(w);
    qn_free(heap);
    return status;
}
