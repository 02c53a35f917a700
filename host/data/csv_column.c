/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_column.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/decimal.h"

int qn_csv_cell_text(struct qn_csv_reading *reading, const struct qn_csv_cells *cells,
                     uint64_t cell, const char **text, size_t *size)
{
    uint32_t bytes = qn_cell_size(cell);
    *text = cells->base + qn_cell_offset(cell);
    *size = bytes;
    if (QN_LIKELY((bytes & QN_CELL_ESCAPED) == 0)) return 1;
    *size = 0;
    if (bytes == QN_CELL_ABSENT) return 0;
    bytes &= ~QN_CELL_ESCAPED;
    if (bytes > reading->scratch_room) {
        char *scratch = qn_realloc(reading->scratch, bytes, 1);
        if (scratch == NULL) {
            reading->status = qn_error_memory("a quoted CSV cell", bytes);
            return -1;
        }
        reading->scratch = scratch;
        reading->scratch_room = bytes;
    }
    *size = qn_csv_unquote(*text, bytes, reading->scratch);
    *text = reading->scratch;
    return 1;
}

/* A cell looked at with no expectation. */
enum kind { MISSING, INT, FLOAT, BOOL, DATE, TEXT, FAILED };

static enum kind look(struct qn_csv_reading *reading, const struct qn_csv_cells *cells,
                      uint64_t cell)
{
    const char *text;
    size_t size;
    int64_t i;
    double f;
    uint8_t b;
    int there = qn_csv_cell_text(reading, cells, cell, &text, &size);
    if (there < 0) return FAILED;
    if (!there || qn_csv_is_missing(reading->missing, text, size)) return MISSING;
    if (qn_parse_i64(text, size, &i)) return INT;
    if (qn_parse_f64(text, size, &f)) return FLOAT;
    if (qn_parse_bool(text, size, &b)) return BOOL;
    if (qn_parse_datetime(text, size, &i)) return DATE;
    return TEXT;
}

/* The loops stay functions of their own, so that each has the registers to itself. */
static QN_NOINLINE uint32_t read_empty(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                       const struct qn_csv_cells *cells, const uint64_t *cell,
                                       uint64_t *out, uint32_t row, uint32_t rows)
{
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        int there = qn_csv_cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (there && !qn_csv_is_missing(reading->missing, text, size)) return row;
        out[row] = QN_CSV_NAN;
        c->missing++;
    }
    return row;
}

static int slow_int(struct qn_csv_column *c, struct qn_csv_reading *reading,
                    const struct qn_csv_cells *cells, uint64_t cell, uint64_t *out)
{
    const char *text;
    size_t size;
    int64_t value;
    if (qn_csv_cell_text(reading, cells, cell, &text, &size) != 1) return 0;
    if (qn_csv_is_missing(reading->missing, text, size)) return 0;
    if (c->state == QN_CSV_UINT) return qn_parse_u64(text, size, out) && *out <= (uint64_t)c->high;
    if (!qn_parse_i64(text, size, &value) || value < c->low || value > c->high) return 0;
    if (value == 0 && memchr(text, '-', size) != NULL) c->negative_zero = 1;
    *out = (uint64_t)value;
    return 1;
}

static QN_NOINLINE uint32_t read_int(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                     const struct qn_csv_cells *cells, const uint64_t *cell,
                                     uint64_t *out, uint32_t row, uint32_t rows)
{
    const char *base = cells->base;
    const int careful = reading->missing->numeric;
    const uint64_t high = (uint64_t)c->high;
    const int64_t low = c->low;
    uint32_t zeros = 0;
    /* Near the end of the text, where eight bytes cannot be read, the slow way serves. */
    const ptrdiff_t safe = reading->end - base - 9;
    for (; row < rows; row++) {
        uint32_t at = qn_cell_offset(cell[row]), size = qn_cell_size(cell[row]);
        uint64_t value;
        const char *text = base + at;
        if (size - 1 < 8 && (ptrdiff_t)at <= safe && !careful) {
            uint32_t minus =
                (uint32_t)(*text == '-') & (size > 1); /* no branch: signs are random */
            if (QN_LIKELY(qn_parse_digits8(text + minus, size - minus, &value) && value <= high)) {
                zeros |= minus & (value == 0);
                int64_t signed_value = (int64_t)((value ^ (0 - (uint64_t)minus)) + minus);
                if (QN_UNLIKELY(signed_value < low)) break;
                out[row] = (uint64_t)signed_value;
                continue;
            }
        }
        if (!slow_int(c, reading, cells, cell[row], &out[row])) break;
    }
    c->negative_zero |= (int)zeros;
    return row;
}

static int slow_float(struct qn_csv_column *c, struct qn_csv_reading *reading,
                      const struct qn_csv_cells *cells, uint64_t cell, uint64_t *out)
{
    const char *text;
    size_t size;
    double value;
    int there = qn_csv_cell_text(reading, cells, cell, &text, &size);
    if (there < 0) return 0;
    if (!there || qn_csv_is_missing(reading->missing, text, size)) {
        *out = QN_CSV_NAN;
        c->missing++;
        return 1;
    }
    if (!qn_parse_f64(text, size, &value)) return 0;
    if (reading->missing->n_values != 0 && qn_csv_missing_value(reading->missing, value)) {
        *out = QN_CSV_NAN;
        c->missing++;
        return 1;
    }
    memcpy(out, &value, sizeof value);
    return 1;
}

static QN_NOINLINE uint32_t read_float(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                       const struct qn_csv_cells *cells, const uint64_t *cell,
                                       uint64_t *out, uint32_t row, uint32_t rows)
{
    const char *base = cells->base;
    const int careful = reading->missing->numeric;
    const int empty = reading->missing->empty;
    const ptrdiff_t safe = reading->end - base - 9;
    for (; row < rows; row++) {
        uint32_t at = qn_cell_offset(cell[row]), size = qn_cell_size(cell[row]);
        if (size - 1 < 8 && (ptrdiff_t)at <= safe && !careful) { /* short integers are common */
            uint32_t minus = (uint32_t)(base[at] == '-') & (size > 1);
            uint64_t digits;
            if (qn_parse_digits8(base + at + minus, size - minus, &digits)) {
                double value = (double)(int64_t)digits;
                memcpy(&digits, &value, sizeof value);
                out[row] = digits | (uint64_t)minus << 63;
                continue;
            }
        } else if (size == 0 && empty) {
            out[row] = QN_CSV_NAN;
            c->missing++;
            continue;
        }
        if (!slow_float(c, reading, cells, cell[row], &out[row])) return row;
    }
    return row;
}

static QN_NOINLINE uint32_t read_words(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                       const struct qn_csv_cells *cells, const uint64_t *cell,
                                       uint64_t *out, uint32_t row, uint32_t rows)
{
    const int date = c->state == QN_CSV_DATE;
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        uint8_t truth;
        int64_t moment;
        int there = qn_csv_cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (!there || qn_csv_is_missing(reading->missing, text, size)) {
            out[row] = date ? QN_CSV_MISSING_DATE : QN_CSV_MISSING_BOOL;
            c->missing++;
        } else if (date) {
            if (!qn_parse_datetime(text, size, &moment)) return row;
            out[row] = (uint64_t)moment;
        } else {
            if (!qn_parse_bool(text, size, &truth)) return row;
            out[row] = truth;
        }
    }
    return row;
}

/* Room for `size` more bytes and 16 to spare, so that short copies may be of fixed size. */
static int text_room(struct qn_csv_column *c, struct qn_csv_reading *reading, size_t size)
{
    uint64_t need = c->text_size + size + 16;
    if (QN_LIKELY(need <= c->text_room)) return 1;
    uint64_t room = c->text_room * 2 > need ? c->text_room * 2 : need + need / 2;
    char *text = qn_realloc(c->text, room, 1);
    if (text == NULL) {
        reading->status = qn_error_memory("text of a CSV column", room);
        return 0;
    }
    c->text = text;
    c->text_room = room;
    return 1;
}

static QN_NOINLINE uint32_t read_text(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                      const struct qn_csv_cells *cells, const uint64_t *cell,
                                      uint64_t *out, uint32_t row, uint32_t rows)
{
    const int keep = !reading->only_infer;
    const ptrdiff_t safe = reading->end - cells->base - 16;
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        int there = qn_csv_cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (!there || qn_csv_is_missing(reading->missing, text, size)) {
            out[row] = QN_CSV_MISSING_TEXT | c->text_size;
            c->missing++;
            continue;
        }
        if (keep) {
            if (!text_room(c, reading, size)) return row;
            if (qn_cell_size(cell[row]) <= 16 && (ptrdiff_t)qn_cell_offset(cell[row]) <= safe)
                memcpy(c->text + c->text_size, text, 16);
            else
                memcpy(c->text + c->text_size, text, size);
        }
        c->text_size += size;
        out[row] = c->text_size;
    }
    return row;
}

enum qn_csv_state qn_csv_join(enum qn_csv_state a, enum qn_csv_state b)
{
    if (a == QN_CSV_AGAIN) a = QN_CSV_TEXT;
    if (b == QN_CSV_AGAIN) b = QN_CSV_TEXT;
    if (a == b || b == QN_CSV_EMPTY) return a;
    if (a == QN_CSV_EMPTY) return b;
    if ((a == QN_CSV_INT || a == QN_CSV_FLOAT) && (b == QN_CSV_INT || b == QN_CSV_FLOAT))
        return QN_CSV_FLOAT;
    return QN_CSV_TEXT;
}

void qn_csv_widen_slots(uint64_t *slots, uint64_t from, uint64_t to, enum qn_csv_state was,
                        enum qn_csv_state now, const struct qn_csv_missing *missing,
                        uint64_t *n_missing)
{
    if (was == QN_CSV_INT && now == QN_CSV_FLOAT) {
        for (uint64_t i = from; i < to; i++) {
            double value = (double)(int64_t)slots[i];
            memcpy(&slots[i], &value, sizeof value);
            if (missing->n_values != 0 && qn_csv_missing_value(missing, value)) {
                slots[i] = QN_CSV_NAN;
                (*n_missing)++;
            }
        }
    } else if (was == QN_CSV_EMPTY && now != QN_CSV_FLOAT) {
        uint64_t value = now == QN_CSV_DATE   ? QN_CSV_MISSING_DATE
                         : now == QN_CSV_BOOL ? QN_CSV_MISSING_BOOL
                                              : QN_CSV_MISSING_TEXT;
        for (uint64_t i = from; i < to; i++) slots[i] = value;
    }
}

/* The cell does not fit: the next state, and the `done` rows before it converted. */
static void widen(struct qn_csv_column *c, struct qn_csv_reading *reading, enum kind kind,
                  uint64_t *slots, uint64_t done)
{
    static const enum qn_csv_state states[] = {
        [MISSING] = QN_CSV_FLOAT, [INT] = QN_CSV_INT,   [FLOAT] = QN_CSV_FLOAT,
        [BOOL] = QN_CSV_BOOL,     [DATE] = QN_CSV_DATE, [TEXT] = QN_CSV_TEXT};
    enum qn_csv_state was = c->state, now = qn_csv_join(was, states[kind]);
    if (was == QN_CSV_EMPTY && kind == INT && c->missing > 0) now = QN_CSV_FLOAT;
    if (now == QN_CSV_TEXT && was != QN_CSV_EMPTY && (done > 0 || reading->only_infer)) {
        c->state = reading->only_infer ? QN_CSV_TEXT : QN_CSV_AGAIN;
        return;
    }
    c->state = now;
    if (was == QN_CSV_INT && c->negative_zero) c->reread = 1;
    qn_csv_widen_slots(slots, 0, done, was, now, reading->missing, &c->missing);
}

uint32_t qn_csv_column_read(struct qn_csv_column *c, struct qn_csv_reading *reading,
                            const struct qn_csv_cells *cells, uint32_t index, uint64_t row0)
{
    const uint64_t *cell = cells->cells + (size_t)index * cells->stride;
    uint32_t row = 0, rows = cells->rows;
    if (reading->only_infer) row0 = 0;
    uint64_t *out = c->slots + row0;
    for (;;) {
        switch (c->state) {
        case QN_CSV_SKIP:
        case QN_CSV_AGAIN: return rows;
        case QN_CSV_EMPTY: row = read_empty(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_INT:
        case QN_CSV_UINT: row = read_int(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_FLOAT: row = read_float(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_BOOL:
        case QN_CSV_DATE: row = read_words(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_TEXT: row = read_text(c, reading, cells, cell, out, row, rows); break;
        }
        if (QN_LIKELY(row == rows) || c->forced || reading->status != QUERN_OK) return row;
        enum kind kind = look(reading, cells, cell[row]);
        if (kind == FAILED) return row;
        widen(c, reading, kind, c->slots, row0 + row);
    }
}
