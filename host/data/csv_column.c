/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_column.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/decimal.h"

static int decode_cell(struct qn_csv_reading *reading, uint32_t bytes, const char **text,
                       size_t *size)
{
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

static inline int cell_text(struct qn_csv_reading *reading, const struct qn_csv_cells *cells,
                            uint64_t cell, const char **text, size_t *size)
{
    *text = cells->base + qn_cell_offset(cell);
    *size = qn_cell_size(cell);
    if (QN_LIKELY((qn_cell_size(cell) & QN_CELL_ESCAPED) == 0)) return 1;
    return decode_cell(reading, qn_cell_size(cell), text, size);
}

int qn_csv_cell_text(struct qn_csv_reading *reading, const struct qn_csv_cells *cells,
                     uint64_t cell, const char **text, size_t *size)
{
    return cell_text(reading, cells, cell, text, size);
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
    int there = cell_text(reading, cells, cell, &text, &size);
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
        int there = cell_text(reading, cells, cell[row], &text, &size);
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
    if (cell_text(reading, cells, cell, &text, &size) != 1) return 0;
    if (qn_csv_is_missing(reading->missing, text, size)) return 0;
    if (c->state == QN_CSV_UINT) return qn_parse_u64(text, size, out) && *out <= (uint64_t)c->high;
    if (!qn_parse_i64(text, size, &value) || value < c->low || value > c->high) return 0;
    if (value == 0 && memchr(text, '-', size) != NULL) c->negative_zero = 1;
    *out = (uint64_t)value;
    return 1;
}

/* May eight bytes be read from where any cell of the batch starts, and do digits always mean a
 * number? Then the quick ways serve; they take one to eight bytes, a sign included. */
static int is_quick(const struct qn_csv_reading *reading, const struct qn_csv_cells *cells)
{
    return !reading->missing->numeric &&
           reading->end - cells->base >= (ptrdiff_t)(cells->bytes + 8);
}

/* A short integer's magnitude; *minus: 1 if it has that sign. No branch on it: signs are random. */
static inline int quick_int(const char *base, uint64_t cell, uint64_t *value, uint64_t *minus)
{
    uint64_t bytes = qn_load_le64(base + qn_cell_offset(cell));
    uint32_t sign = (bytes & 0xff) == '-', size = qn_cell_size(cell);
    *minus = sign;
    if (QN_UNLIKELY((size - 1 >= 8) | (size == sign))) return 0;
    return qn_parse_digits8(bytes >> (8 * sign), size - sign, value);
}

static QN_NOINLINE uint32_t read_int(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                     const struct qn_csv_cells *cells, const uint64_t *cell,
                                     uint64_t *out, uint32_t row, uint32_t rows)
{
    const char *base = cells->base;
    const int quick = is_quick(reading, cells);
    const uint64_t high = (uint64_t)c->high;
    const int64_t low = c->low;
    uint64_t zeros = 0;
    for (; row < rows; row++) {
        uint64_t value, minus;
        if (QN_LIKELY(quick && quick_int(base, cell[row], &value, &minus) && value <= high)) {
            zeros |= minus & (value == 0);
            int64_t number = (int64_t)((value ^ (0 - minus)) + minus);
            if (QN_UNLIKELY(number < low)) break;
            out[row] = (uint64_t)number;
        } else if (!slow_int(c, reading, cells, cell[row], &out[row])) {
            break;
        }
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
    int there = cell_text(reading, cells, cell, &text, &size);
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
    const int quick = is_quick(reading, cells), empty = reading->missing->empty;
    uint64_t missing = 0;
    for (; row < rows; row++) {
        uint64_t bits, minus;
        if (QN_LIKELY(quick && quick_int(base, cell[row], &bits, &minus))) {
            double value = (double)(int64_t)bits; /* short integers are common */
            memcpy(&bits, &value, sizeof value);
            out[row] = bits | minus << 63;
        } else if (qn_cell_size(cell[row]) == 0 && empty) {
            out[row] = QN_CSV_NAN;
            missing++;
        } else if (!slow_float(c, reading, cells, cell[row], &out[row])) {
            break;
        }
    }
    c->missing += missing;
    return row;
}

static QN_NOINLINE uint32_t read_bool(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                      const struct qn_csv_cells *cells, const uint64_t *cell,
                                      uint64_t *out, uint32_t row, uint32_t rows)
{
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        uint8_t truth;
        int there = cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (!there || qn_csv_is_missing(reading->missing, text, size)) {
            out[row] = QN_CSV_MISSING_BOOL;
            c->missing++;
        } else {
            if (!qn_parse_bool(text, size, &truth)) return row;
            out[row] = truth;
        }
    }
    return row;
}

static QN_NOINLINE uint32_t read_date(struct qn_csv_column *c, struct qn_csv_reading *reading,
                                      const struct qn_csv_cells *cells, const uint64_t *cell,
                                      uint64_t *out, uint32_t row, uint32_t rows)
{
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        int64_t moment;
        int there = cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (!there || qn_csv_is_missing(reading->missing, text, size)) {
            out[row] = QN_CSV_MISSING_DATE;
            c->missing++;
        } else {
            if (!qn_parse_datetime(text, size, &moment)) return row;
            out[row] = (uint64_t)moment;
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
                                      uint32_t *out, uint32_t row, uint32_t rows)
{
    const int keep = !reading->only_infer;
    const ptrdiff_t safe = reading->end - cells->base - 16;
    for (; row < rows; row++) {
        const char *text;
        size_t size;
        int there = cell_text(reading, cells, cell[row], &text, &size);
        if (there < 0) return row;
        if (!there || qn_csv_is_missing(reading->missing, text, size)) {
            out[row] = QN_CSV_MISSING_TEXT | (uint32_t)c->text_size;
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
        out[row] = (uint32_t)c->text_size;
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
    } else if (was == QN_CSV_EMPTY && now == QN_CSV_TEXT) {
        uint32_t *ends = (uint32_t *)(void *)slots;
        for (uint64_t i = from; i < to; i++) ends[i] = QN_CSV_MISSING_TEXT;
    } else if (was == QN_CSV_EMPTY && now != QN_CSV_FLOAT) {
        uint64_t value = now == QN_CSV_DATE ? QN_CSV_MISSING_DATE : QN_CSV_MISSING_BOOL;
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
        case QN_CSV_BOOL: row = read_bool(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_DATE: row = read_date(c, reading, cells, cell, out, row, rows); break;
        case QN_CSV_TEXT:
            row =
                read_text(c, reading, cells, cell, (uint32_t *)(void *)c->slots + row0, row, rows);
            break;
        }
        if (QN_LIKELY(row == rows) || c->forced || reading->status != QUERN_OK) return row;
        enum kind kind = look(reading, cells, cell[row]);
        if (kind == FAILED) return row;
        widen(c, reading, kind, c->slots, row0 + row);
    }
}
