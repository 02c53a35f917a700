/* SPDX-License-Identifier: Apache-2.0
 * What a run saw and may not pass over: infinities, missing values where an estimator refuses them,
 * categories that the fit did not see. Runs only note that something was there; the place is looked
 * for here, on the host, when there is something to say. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/pipeline/frame.h"
#include "kernels/chain.k.h"

static double cell_number(const struct qn_cells *c, uint64_t row)
{
    quern_column column = {.type = c->type,
                           .data = c->data,
                           .stride = c->stride,
                           .validity = c->validity,
                           .validity_offset = c->validity_offset};
    return qn_column_number(&column, row);
}

void qn_place(const struct quern_table *table, uint64_t row, uint64_t first_row, char *out,
              size_t size)
{
    uint64_t number = (first_row > table->first_row ? first_row : table->first_row) + row;
    if (table->line_of_row != NULL && table->source != NULL)
        (void)snprintf(out, size, "%s, line %llu", table->source,
                       (unsigned long long)table->line_of_row(table, table->first_row + row));
    else
        (void)snprintf(out, size, "row %llu", (unsigned long long)number);
}

static const char *name_of(const struct quern_table *table, uint32_t column, char *out, size_t size)
{
    if (table->columns[column].name != NULL) return table->columns[column].name;
    (void)snprintf(out, size, "x%u", column);
    return out;
}

/* One FIND looks at several columns, each of which must be 0 on its way there. */
static int looks_at_many(const struct qn_program_lane *lane)
{
    return lane->chain->unknown != NULL && lane->chain->joins;
}

static int ends_look(const struct qn_op *op, int many)
{
    return op->code == QN_OP_NORM || op->code >= QN_OP_TAKE || (many && op->code == QN_OP_FIND);
}

/* Whether the lane's ops, as far as they take in no other column, find x unknown. many: for a FIND that
 * looks at several. */
static int is_unknown(const struct qn_program *p, const struct qn_program_lane *lane, double x,
                      int many)
{
    /* a table without norms and operands: these ops need none */
    static const uint64_t empty[sizeof(struct qn_table_head) / sizeof(uint64_t) + 1];
    struct qn_norm_source none = {empty, 0, 0, (const unsigned char *)empty, empty};
    const struct qn_op *op = p->ops + lane->first_op;
    uint64_t value = qn_work_f64(x, lane->work);
    uint32_t seen = 0, k = 0;
    for (; k < lane->n_ops && !ends_look(&op[k], many); k++)
        value = qn_step(value, &op[k], p->words, none, &seen);
    if (!many) return (seen & QN_SEEN_UNKNOWN) != 0;
    uint32_t work = k < lane->n_ops ? op[k].work : lane->chain->work;
    return work == QN_W_F32 ? QN_F32((qn_u32)value) != 0 : QN_F64(value) != 0;
}

enum wanted { INFINITE, MISSING, UNKNOWN };

/* The first row of a number column that has what was seen; `rows` when it cannot be told. */
static uint64_t find_row(const struct qn_frame *f, const struct qn_program *p,
                         const struct qn_program_lane *lane, enum wanted what, int many)
{
    const struct qn_cells *c = &f->cells[lane->source];
    if (c->data == NULL || lane->source >= f->n_inputs) return f->rows;
    for (uint64_t row = 0; row < f->rows; row++) {
        double x = cell_number(c, row);
        if (what == INFINITE ? isinf(x) : what == MISSING ? isnan(x) : is_unknown(p, lane, x, many))
            return row;
    }
    return f->rows;
}

/* Which of the columns that a lane reads it was: its own, or an operand's. */
static const struct qn_cells *guilty(const struct qn_frame *f, const struct qn_program *p,
                                     const struct qn_program_lane *lane, enum wanted what,
                                     uint64_t *row)
{
    int many = what == UNKNOWN && looks_at_many(lane);
    *row = find_row(f, p, lane, what, many);
    for (uint32_t k = 0; *row == f->rows && k < lane->n_ops; k++) {
        const struct qn_op *op = &p->ops[lane->first_op + k];
        if (many && op->code == QN_OP_FIND) break; /* what comes later is not looked at */
        if (op->code != QN_OP_TAKE) continue;
        const struct qn_program_lane *operand = &p->lanes[p->n_lanes + op->arg];
        *row = find_row(f, p, operand, what, many);
        if (*row != f->rows) return &f->cells[operand->source];
    }
    return &f->cells[lane->source];
}

static quern_status complain(const struct quern_table *table, const struct qn_frame *f,
                             uint32_t layer, const struct qn_program *p,
                             const struct qn_program_lane *lane, enum wanted what)
{
    char where[320] = "", own[32];
    uint64_t row;
    const struct qn_cells *c = guilty(f, p, lane, what, &row);
    const char *name = layer == 0 ? name_of(table, c->table_column, own, sizeof own) : "(derived)";
    if (row < f->rows && layer == 0) qn_place(table, row, f->first_row, where, sizeof where);
    const char *glue = where[0] != '\0' ? ": " : "";
    if (what == INFINITE)
        return qn_error(QUERN_INVALID, "%s%scolumn \"%s\" has an infinite value", where, glue,
                        name);
    if (what == MISSING)
        return qn_error(QUERN_INVALID,
                        "%s%scolumn \"%s\" has a missing value, which %s cannot take", where, glue,
                        name, lane->blame);
    if (lane->chain->unknown != NULL)
        return qn_error(QUERN_INVALID, "%s%s%s: column \"%s\" has %s", where, glue, lane->blame,
                        name, lane->chain->unknown);
    return qn_error(QUERN_INVALID,
                    "%s%scolumn \"%s\" has a category that %s did not see at the fit", where, glue,
                    name, lane->blame);
}

static quern_status unknown_text(const struct quern_table *table, const struct qn_frame *f,
                                 const struct qn_cells *c, const char *blame, uint64_t row)
{
    char where[320], own[32];
    const quern_column *column = &table->columns[c->table_column];
    const char *name = name_of(table, c->table_column, own, sizeof own);
    qn_place(table, row, f->first_row, where, sizeof where);
    if (!qn_column_valid(column, row))
        return qn_error(QUERN_INVALID,
                        "%s: column \"%s\" has a missing value, which %s did not see at the fit",
                        where, name, blame);
    uint64_t bytes = 0;
    const char *text = column->type == QUERN_STRING ? qn_column_string(column, row, &bytes) : "?";
    return qn_error(QUERN_INVALID,
                    "%s: column \"%s\" has the category \"%.*s\", which %s did not see at the fit",
                    where, name, bytes > 80 ? 80 : (int)bytes, text, blame);
}

/* Code columns carry what the lookup noticed while it made them. */
static quern_status check_codes(const struct quern_table *table, const struct qn_frame *f,
                                const struct qn_program_lane *lane)
{
    const struct qn_cells *c = &f->cells[lane->source];
    if (lane->refuse_unknown && c->unknown != 0)
        return unknown_text(table, f, c, lane->blame, c->first_unknown);
    if (!lane->chain->refuse_missing_code || table->columns[c->table_column].validity == NULL)
        return QUERN_OK;
    for (uint64_t row = 0; row < f->rows; row++)
        if (!qn_column_valid(&table->columns[c->table_column], row))
            return unknown_text(table, f, c, lane->blame, row);
    return QUERN_OK;
}

quern_status qn_frame_check(struct qn_exec *x, const struct quern_table *table,
                            const struct qn_frame *f, uint32_t layer, const struct qn_program *p,
                            const uint32_t *seen)
{
    for (uint32_t i = 0; i < p->n_lanes + p->n_operands; i++) {
        const struct qn_program_lane *lane = &p->lanes[i];
        int codes = lane->source >= f->n_inputs;
        if (codes && (lane->refuse_unknown || lane->chain->refuse_missing_code))
            QN_TRY(check_codes(table, f, lane));
        if (i >= p->n_lanes || (codes && !lane->chain->joins) || seen[i] == 0) continue;
        if (x->device != NULL) QN_TRY(qn_device_finish(x->device, f->queue));
        int looks = lane->n_ops != 0 && !lane->chain->takes_infinite;
        if ((seen[i] & QN_SEEN_INF) && (looks || lane->chain->refuse_infinite))
            return complain(table, f, layer, p, lane, INFINITE);
        if (seen[i] & QN_SEEN_MADE_INF)
            return qn_error(QUERN_INVALID,
                            "an expression gives an infinite value, which %s cannot take",
                            lane->chain->looker);
        if ((seen[i] & QN_SEEN_NAN) && lane->refuse_nan)
            return complain(table, f, layer, p, lane, MISSING);
        if ((seen[i] & QN_SEEN_UNKNOWN) && (lane->refuse_unknown || lane->chain->unknown != NULL))
            return complain(table, f, layer, p, lane, UNKNOWN);
    }
    return QUERN_OK;
}
