/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/stand_ins.h"

#include <string.h>

#include "host/core/checked.h"

enum { PART = 16, MOST_COLUMNS = 1 << 16 };

static quern_status no_memory(const struct qn_stand_ins *s)
{
    return qn_error_memory("the stand-ins for missing cells", s->total * 9 + s->rows * 4);
}

/* Where each column's bits and runs go, and how many cells that makes. */
static quern_status lay_out(struct qn_stand_ins *s, const uint64_t *missing, size_t *bits,
                            size_t *runs)
{
    uint64_t gapped = 0, all_runs = 0;
    s->missing = qn_alloc(s->columns, sizeof *s->missing);
    s->found = qn_zalloc(s->columns, sizeof *s->found);
    s->bits_at = qn_alloc(s->columns, sizeof *s->bits_at);
    s->run_at = qn_alloc(s->columns, sizeof *s->run_at);
    if (s->missing == NULL || s->found == NULL || s->bits_at == NULL || s->run_at == NULL)
        return no_memory(s);
    for (uint32_t k = 0; k < s->columns; k++) {
        s->missing[k] = missing[k];
        s->bits_at[k] = gapped * s->words;
        s->run_at[k] = all_runs;
        s->total += missing[k]; /* 2^16 columns of 2^32 at most */
        gapped += missing[k] != 0;
        all_runs += QN_GRAM_RUNS(missing[k]);
    }
    *runs = (size_t)all_runs;
    return qn_mul_size((size_t)gapped, (size_t)s->words, bits) ? no_memory(s) : QUERN_OK;
}

quern_status qn_stand_ins_open(struct qn_stand_ins *s, uint64_t rows, uint32_t columns,
                               const uint64_t *missing)
{
    size_t bits = 0, runs = 0;
    quern_status status = QUERN_OK;
    *s = (struct qn_stand_ins){.columns = columns, .rows = rows, .words = rows / 64 + 1};
    if (rows > UINT32_MAX || columns > MOST_COLUMNS)
        return qn_error(QUERN_UNSUPPORTED,
                        "rows with missing cells: at most 4294967295 of at most %d columns",
                        MOST_COLUMNS);
    QN_GO(lay_out(s, missing, &bits, &runs));
    s->origin = qn_alloc((size_t)(rows >> PART) + 1, sizeof *s->origin);
    s->start = qn_alloc((size_t)rows + 1, sizeof *s->start);
    s->low = qn_alloc((size_t)s->total, 1);
    s->high = columns > 256 ? qn_alloc((size_t)s->total, 1) : NULL;
    s->value = qn_alloc((size_t)s->total, sizeof *s->value);
    s->bits = qn_zalloc(bits, sizeof *s->bits);
    s->runs = qn_alloc(runs, sizeof *s->runs);
    if (s->origin == NULL || s->start == NULL || s->low == NULL || s->value == NULL ||
        s->bits == NULL || s->runs == NULL || (columns > 256 && s->high == NULL))
        status = no_memory(s);
cleanup:
    if (status != QUERN_OK) qn_stand_ins_free(s);
    return status;
}

void qn_stand_ins_free(struct qn_stand_ins *s)
{
    void *all[] = {s->origin, s->start, s->low,     s->high,   s->value, s->missing,
                   s->found,  s->bits,  s->bits_at, s->run_at, s->runs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) qn_free(all[i]);
    memset(s, 0, sizeof *s);
}

/* A part has 2^16 rows of at most 2^16 cells, and the last row begins before its end: 32 bits will do. */
void qn_stand_ins_row(struct qn_stand_ins *s, uint64_t row)
{
    if ((row & ((1u << PART) - 1)) == 0) s->origin[row >> PART] = s->n;
    s->start[row] = (uint32_t)(s->n - s->origin[row >> PART]);
}

int qn_stand_ins_add(struct qn_stand_ins *s, uint64_t row, uint32_t column)
{
    uint64_t number = s->found[column];
    if (number == s->missing[column]) return 0;
    if (number % QN_GRAM_ROWS == 0)
        s->runs[s->run_at[column] + number / QN_GRAM_ROWS] = (uint32_t)row;
    s->found[column]++;
    s->bits[s->bits_at[column] + row / 64] |= (uint64_t)1 << (row % 64);
    s->low[s->n] = (unsigned char)(column & 255);
    if (s->high != NULL) s->high[s->n] = (unsigned char)(column >> 8);
    s->n++;
    return 1;
}

int qn_stand_ins_end(struct qn_stand_ins *s, const double *initial)
{
    if (s->n != s->total) return 0;
    for (uint64_t i = 0; i < s->n; i++) s->value[i] = initial[QN_STAND_IN_COLUMN(s, i)];
    return 1;
}

struct qn_listed qn_stand_ins_rows(const struct qn_stand_ins *s, uint32_t column)
{
    return (struct qn_listed){.bits = s->bits + s->bits_at[column],
                              .runs = s->runs + s->run_at[column],
                              .n = s->missing[column]};
}

struct qn_filled qn_stand_ins_over(const struct qn_stand_ins *s,
                                   const struct qn_filled_column *column)
{
    return (struct qn_filled){.columns = s->columns,
                              .rows = s->rows,
                              .column = column,
                              .origin = s->origin,
                              .start = s->start,
                              .low = s->low,
                              .high = s->high,
                              .value = s->value};
}
