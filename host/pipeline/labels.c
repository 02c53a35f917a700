/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/labels.h"

#include "host/core/checked.h"
#include "host/pipeline/frame.h"

int qn_labels_given(const struct qn_spec *spec, const struct quern_table *table)
{
    return spec->target != NULL || (table != NULL && table->has_target);
}

void qn_labels_free(struct qn_labels *l)
{
    qn_categories_free(l->classes);
    qn_free(l->provisional);
    qn_free(l->codes);
    qn_free(l->copies);
    *l = (struct qn_labels){0};
}

static quern_status column_of(const struct qn_spec *spec, const struct quern_table *table,
                              const quern_column **out)
{
    if (spec->target != NULL && table->has_target)
        return qn_error(QUERN_INVALID,
                        "the spec names the target's column \"%s\", and the table has another "
                        "target",
                        spec->target);
    *out = &table->target;
    if (spec->target == NULL)
        return table->has_target
                   ? QUERN_OK
                   : qn_error(QUERN_INVALID, "rows without a target follow rows with one");
    int64_t at = qn_table_find(table, spec->target);
    if (at < 0) return qn_table_lacks(table, "target", spec->target);
    if (table->resident != NULL || table->sparse != NULL)
        return qn_error(QUERN_UNSUPPORTED,
                        "target: column \"%s\" lies on a device or in a sparse table; give the "
                        "target by quern_table_set_target",
                        spec->target);
    *out = &table->columns[at];
    return QUERN_OK;
}

static quern_status missing_at(const struct quern_table *table, uint64_t first_row, uint64_t row)
{
    char where[320];
    qn_place(table, row, first_row, where, sizeof where);
    return qn_error(QUERN_INVALID, "%s: the target is missing; leave out the rows without one",
                    where);
}

static int is_missing(const quern_column *c, uint64_t row)
{
    if (!qn_column_valid(c, row)) return 1;
    if (!qn_type_is_float(c->type)) return 0;
    double value = qn_column_number(c, row);
    return value != value;
}

static quern_status first_missing(const quern_column *c, const struct quern_table *table,
                                  uint64_t first_row)
{
    for (uint64_t row = 0; row < table->rows; row++)
        if (is_missing(c, row)) return missing_at(table, first_row, row);
    return QUERN_OK;
}

quern_status qn_labels_count(struct qn_labels *l, const struct qn_spec *spec,
                             struct qn_threads *threads, const struct quern_table *table,
                             uint64_t first_row)
{
    const quern_column *c = NULL;
    QN_TRY(column_of(spec, table, &c));
    if (l->classes == NULL) QN_TRY(qn_categories_open(c->type, &l->classes));
    if (l->whole) {
        l->provisional = qn_alloc((size_t)table->rows + 1, sizeof *l->provisional);
        if (l->provisional == NULL)
            return qn_error_memory("target", table->rows * sizeof(uint32_t));
    }
    quern_status status = qn_categories_push(l->classes, threads, c, table->rows, l->provisional);
    if (status != QUERN_OK) return qn_error_context(status, "target");
    return qn_categories_missing(l->classes) != 0 ? first_missing(c, table, first_row) : QUERN_OK;
}

quern_status qn_labels_counted(struct qn_labels *l)
{
    if (l->classes == NULL) return qn_error(QUERN_INVALID, "there is no row with a target");
    QN_TRY(qn_categories_finish(l->classes));
    if (qn_categories_count(l->classes) > QN_LABELS_CLASSES_MAX)
        return qn_error(QUERN_UNSUPPORTED,
                        "the target has %u distinct values, more than the %d classes that are told "
                        "apart",
                        qn_categories_count(l->classes), QN_LABELS_CLASSES_MAX);
    l->counted = 1;
    return QUERN_OK;
}

static quern_status reserve(void **memory, uint64_t *room, uint64_t rows, size_t size)
{
    if (rows <= *room && *memory != NULL) return QUERN_OK;
    void *more = qn_realloc(*memory, (size_t)rows + 1, size);
    if (more == NULL) return qn_error_memory("target", rows * size);
    *memory = more;
    *room = rows;
    return QUERN_OK;
}

quern_status qn_labels_codes(struct qn_labels *l, const struct qn_spec *spec,
                             struct qn_threads *threads, const struct quern_table *table,
                             uint64_t first_row)
{
    const quern_column *c = NULL;
    uint64_t unknown, first;
    void *memory = l->codes;
    QN_TRY(column_of(spec, table, &c));
    if (l->whole && l->codes != NULL) return QUERN_OK; /* they are there from an earlier round */
    QN_TRY(reserve(&memory, &l->room_codes, table->rows, sizeof *l->codes));
    l->codes = memory;
    if (l->whole)
        return qn_categories_renumber(l->classes, threads, l->provisional, table->rows, l->codes,
                                      QUERN_UINT32);
    QN_TRY(qn_categories_encode(l->classes, threads, c, table->rows, l->codes, QUERN_UINT32,
                                &unknown, &first));
    (void)first_row;
    return unknown == 0 ? QUERN_OK
                        : qn_error(QUERN_INVALID, "the target's values changed between two passes");
}

/* ---- numbers ---- */

enum { TASK_ROWS = 65536 };

struct reading {
    const quern_column *column;
    uint64_t rows;
    double *out;
};

static void read_task(void *user, uint32_t worker, uint64_t task)
{
    const struct reading *r = user;
    uint64_t row = task * TASK_ROWS, end = row + TASK_ROWS < r->rows ? row + TASK_ROWS : r->rows;
    (void)worker;
    for (; row < end; row++) r->out[row] = qn_column_number(r->column, row);
}

/* The numbers where they lie, or copies of them. */
static quern_status read_numbers(struct qn_labels *l, struct qn_threads *threads,
                                 const quern_column *c, uint64_t rows)
{
    void *memory = l->copies;
    l->numbers = c->data;
    if (c->type == QUERN_FLOAT64 && c->validity == NULL && (c->stride == 0 || c->stride == 8) &&
        (uintptr_t)c->data % sizeof(double) == 0)
        return QUERN_OK;
    QN_TRY(reserve(&memory, &l->room_copies, rows, sizeof *l->copies));
    l->numbers = l->copies = memory;
    struct reading reading = {c, rows, l->copies};
    qn_threads_run(threads, (rows + TASK_ROWS - 1) / TASK_ROWS, read_task, &reading);
    return QUERN_OK;
}

/* The first row from `row` on whose number is missing or infinite; `rows` if there is none. */
static uint64_t first_odd(const double *numbers, uint64_t row, uint64_t rows)
{
    enum { STRIDE = 1024 };
    for (; row < rows; row += STRIDE) {
        uint64_t end = rows - row < STRIDE ? rows : row + STRIDE;
        double odd[4] = {0};
        for (uint64_t i = row; i < end; i++) odd[i % 4] += numbers[i] * 0.0;
        for (uint64_t i = row; odd[0] + odd[1] + odd[2] + odd[3] != 0.0 && i < end; i++)
            if (numbers[i] * 0.0 != 0.0) return i;
    }
    return rows;
}

quern_status qn_labels_numbers(struct qn_labels *l, const struct qn_spec *spec,
                               struct qn_threads *threads, const struct quern_table *table,
                               uint64_t first_row)
{
    const quern_column *c = NULL;
    char where[320];
    QN_TRY(column_of(spec, table, &c));
    if (c->type >= QUERN_STRING)
        return qn_error(QUERN_INVALID, "the target is no number, and the score wants numbers");
    QN_TRY(read_numbers(l, threads, c, table->rows));
    uint64_t row = first_odd(l->numbers, 0, table->rows);
    if (row == table->rows) return QUERN_OK;
    if (is_missing(c, row)) return missing_at(table, first_row, row);
    qn_place(table, row, first_row, where, sizeof where);
    return qn_error(QUERN_INVALID, "%s: the target is infinite", where);
}
