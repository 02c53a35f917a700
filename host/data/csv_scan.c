/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_scan.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/decimal.h"

enum { BLOCK = 64, CELLS_MAX = 24576, ROWS_MAX = 1024, ROWS_MIN = 8 };
#define ROW_BYTES_MAX ((ptrdiff_t)1 << 30) /* two of them fit 31 bits */

quern_status qn_csv_cells_open(uint32_t columns, uint64_t rows_max, struct qn_csv_cells *out)
{
    uint32_t rows = columns < CELLS_MAX / ROWS_MIN ? CELLS_MAX / columns : ROWS_MIN;
    memset(out, 0, sizeof *out);
    out->columns = columns;
    if (rows > ROWS_MAX) rows = ROWS_MAX;
    out->capacity = rows_max < rows ? (uint32_t)(rows_max > 0 ? rows_max : 1) : rows;
    out->stride = out->capacity + 8; /* columns must not fall onto the same cache sets */
    size_t cells;
    if (qn_mul_size(columns, out->stride, &cells)) cells = SIZE_MAX;
    out->cells = qn_alloc(cells, sizeof *out->cells);
    return out->cells != NULL ? QUERN_OK : qn_error_memory("cells of a CSV batch", cells);
}

void qn_csv_cells_close(struct qn_csv_cells *cells)
{
    qn_free(cells->cells);
    cells->cells = NULL;
}

quern_status qn_csv_marks_add(struct qn_csv_marks *marks, uint64_t row, uint64_t line)
{
    if (marks->n == marks->room) {
        size_t room = marks->room != 0 ? marks->room * 2 : 16;
        struct qn_csv_mark *items = qn_realloc(marks->items, room, sizeof *items);
        if (items == NULL) return qn_error_memory("line index", room * sizeof *items);
        marks->items = items;
        marks->room = room;
    }
    marks->items[marks->n++] = (struct qn_csv_mark){row, line};
    return QUERN_OK;
}

#if !defined(QN_BYTE_MASKS)
/* 64 bytes of 0 or 1 into 64 bits: one product gathers eight. */
static inline uint64_t gather(const uint8_t *flags)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t eight = qn_load_le64((const char *)flags + 8 * i);
        mask |= ((eight * UINT64_C(0x0102040810204080)) >> 56) << (8 * i);
    }
    return mask;
}

/* Which of 64 bytes are a, b or c. */
static inline uint64_t qn_bytes_among(const uint8_t *p, uint8_t a, uint8_t b, uint8_t c)
{
    uint8_t hit[BLOCK];
    for (unsigned i = 0; i < BLOCK; i++)
        hit[i] = (uint8_t)((p[i] == a) | (p[i] == b) | (p[i] == c));
    return gather(hit);
}
#endif

/* A window and what the scanner knows of the text, small enough to live in registers: no function
 * that is not inlined may be given its address. */
struct view {
    struct qn_csv_window w;
    const uint8_t *end;
    uint8_t delimiter;
};

static QN_ALWAYS_INLINE struct qn_csv_window classify(const uint8_t *p, const uint8_t *block,
                                                      uint8_t delimiter)
{
    return (struct qn_csv_window){block, qn_bytes_among(p, delimiter, '\n', '\r'),
                                  qn_bytes_among(p, '"', '"', '"')};
}

/* Behind the end of the text there are newlines, so that every cell has an end. */
static QN_NOINLINE struct qn_csv_window load_last(const uint8_t *block, const uint8_t *end,
                                                  uint8_t delimiter)
{
    uint8_t copy[BLOCK];
    memset(copy, '\n', sizeof copy);
    if (block < end) memcpy(copy, block, (size_t)(end - block));
    return classify(copy, block, delimiter);
}

static QN_NOINLINE struct qn_csv_window load(const uint8_t *block, const uint8_t *end,
                                             uint8_t delimiter)
{
    if (QN_LIKELY(end - block >= BLOCK)) return classify(block, block, delimiter);
    return load_last(block, end, delimiter);
}

static QN_ALWAYS_INLINE void advance(struct view *v)
{
    v->w = load(v->w.block + BLOCK, v->end, v->delimiter);
}

static QN_ALWAYS_INLINE const uint8_t *next_end(struct view *v)
{
    while (v->w.ends == 0) advance(v);
    const uint8_t *at = v->w.block + qn_lowest_bit(v->w.ends);
    v->w.ends &= v->w.ends - 1;
    return at;
}

/* Makes `at` the first byte that counts; it is in this block or right behind it. */
static QN_ALWAYS_INLINE void reach(struct view *v, const uint8_t *at)
{
    if (at - v->w.block >= BLOCK) advance(v);
    v->w.ends &= ~UINT64_C(0) << (at - v->w.block);
}

static QN_NOINLINE uint64_t count_lines(const uint8_t *at, const uint8_t *end)
{
    uint64_t n = 0;
    for (; at < end; at++) n += *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] != '\n'));
    return n;
}

static QN_ALWAYS_INLINE uint64_t make_cell(const uint8_t *base, const uint8_t *from,
                                           const uint8_t *to, uint32_t flag)
{
    return (uint64_t)(uint32_t)(from - base) | (uint64_t)((uint32_t)(to - from) | flag) << 32;
}

/* A cell that opens with the quote at `at`: makes the cell, returns where it ends. */
static QN_ALWAYS_INLINE const uint8_t *
quoted_cell(struct view *v, const uint8_t *at, const uint8_t *base, uint64_t *cell, uint64_t *lines)
{
    uint32_t escaped = 0;
    uint64_t inside = 0; /* not 0: bytes that end cells, newlines perhaps, are in the quotes */
    if (at - v->w.block >= BLOCK) advance(v);
    uint64_t quotes = v->w.quotes & ~((UINT64_C(2) << (at - v->w.block)) - 1);
    const uint8_t *close;
    for (;;) {
        while (quotes == 0) {
            inside |= v->w.ends;
            if (v->end - v->w.block <= BLOCK) { /* never closed */
                *lines += count_lines(at, v->end);
                v->w.ends = 0;
                *cell = make_cell(base, at + !escaped, v->end, escaped);
                return v->end;
            }
            advance(v);
            quotes = v->w.quotes;
        }
        close = v->w.block + qn_lowest_bit(quotes);
        quotes &= quotes - 1;
        if (close + 1 == v->end || close[1] != '"') break;
        escaped = QN_CELL_ESCAPED;
        if (close + 1 - v->w.block < BLOCK) {
            quotes &= quotes - 1;
        } else {
            inside |= v->w.ends;
            advance(v);
            quotes = v->w.quotes & ~UINT64_C(1);
        }
    }
    inside |= v->w.ends & ((UINT64_C(1) << (close - v->w.block)) - 1);
    if (QN_UNLIKELY(inside != 0)) *lines += count_lines(at, close);
    reach(v, close + 1);
    const uint8_t *end = next_end(v);
    if (QN_UNLIKELY(end != close + 1 || escaped))
        *cell = make_cell(base, at, end, QN_CELL_ESCAPED);
    else
        *cell = make_cell(base, at + 1, close, 0);
    return end;
}

static QN_ALWAYS_INLINE const uint8_t *
next_cell(struct view *v, const uint8_t *at, const uint8_t *base, uint64_t *cell, uint64_t *lines)
{
    if (at != v->end && *at == '"') return quoted_cell(v, at, base, cell, lines);
    const uint8_t *end = next_end(v);
    *cell = make_cell(base, at, end, 0);
    return end;
}

/* Past the newline at `at`, CRLF counting as one. */
static QN_ALWAYS_INLINE const uint8_t *past_newline(struct view *v, const uint8_t *at)
{
    if (at == v->end) return at;
    if (*at == '\r' && at + 1 < v->end && at[1] == '\n') {
        at++;
        reach(v, at + 1);
    }
    return at + 1;
}

void qn_csv_scan_start(struct qn_csv_scan *scan, const uint8_t *at, const uint8_t *stop,
                       const uint8_t *end, uint8_t delimiter)
{
    memset(scan, 0, sizeof *scan);
    scan->at = at;
    scan->stop = stop;
    scan->end = end;
    scan->delimiter = delimiter;
    scan->window = load(at, end, delimiter);
}

/* The rest of a row of line `line` that has more cells than columns, of which `*end` ended the first. */
static QN_NOINLINE void surplus(struct qn_csv_scan *scan, const uint8_t **end, const uint8_t *base,
                                uint32_t columns, uint64_t cell, uint64_t line)
{
    struct view v = {scan->window, scan->end, scan->delimiter};
    uint64_t fields = (uint64_t)columns + 1, width = qn_cell_size(cell) != 0 ? fields : 0;
    const uint8_t *at = *end;
    while (at != v.end && *at == v.delimiter) {
        at = next_cell(&v, at + 1, base, &cell, &scan->line);
        fields++;
        if (qn_cell_size(cell) != 0) width = fields;
    }
    scan->window = v.w;
    *end = at;
    if (width == 0) return;
    if (scan->wide.rows++ == 0) scan->wide.line = line;
    if (width > scan->wide.columns) scan->wide.columns = width;
}

static QN_NOINLINE enum qn_csv_stop mark_row(struct qn_csv_scan *scan, uint64_t row, uint64_t line)
{
    if (scan->marks != NULL && qn_csv_marks_add(scan->marks, row, line) != QUERN_OK)
        return QN_CSV_OUT_OF_MEMORY;
    return QN_CSV_MORE;
}

enum qn_csv_stop qn_csv_scan_rows(struct qn_csv_scan *scan, struct qn_csv_cells *cells,
                                  uint64_t limit)
{
    struct view v = {scan->window, scan->end, scan->delimiter};
    const uint32_t columns = cells->columns, stride = cells->stride;
    const uint8_t *at = scan->at, *const base = at, *const stop = scan->stop;
    uint32_t rows = 0, capacity = limit < cells->capacity ? (uint32_t)limit : cells->capacity;
    uint64_t line = scan->line; /* of the row at hand */
    int shifted = scan->shifted;
    enum qn_csv_stop result = QN_CSV_MORE;
    while (rows < capacity && at < stop && at - base < ROW_BYTES_MAX) {
        const uint8_t *const start = at, *end;
        uint64_t *cell = cells->cells + rows, value, lines = 1;
        uint32_t column = 0;
        for (;;) {
            end = next_cell(&v, at, base, &value, &lines);
            if (QN_UNLIKELY(column == columns)) {
                scan->window = v.w;
                scan->line = 0;
                surplus(scan, &end, base, columns, value, line);
                v.w = scan->window;
                lines += scan->line;
                break;
            }
            *cell = value;
            cell += stride;
            column++;
            if (end == v.end || *end != v.delimiter) break;
            at = end + 1;
        }
        if (end == start) { /* a blank line, or the end */
            at = past_newline(&v, end);
            line++;
            shifted = 1;
            continue;
        }
        if (QN_UNLIKELY(end - start > ROW_BYTES_MAX)) result = QN_CSV_TOO_LONG;
        if (QN_UNLIKELY(shifted)) {
            enum qn_csv_stop marked = mark_row(scan, scan->row + rows, line);
            if (marked != QN_CSV_MORE) result = marked;
        }
        if (QN_UNLIKELY(result != QN_CSV_MORE)) {
            at = start;
            break;
        }
        for (; QN_UNLIKELY(column < columns); column++, cell += stride)
            *cell = (uint64_t)QN_CELL_ABSENT << 32;
        shifted = lines != 1;
        at = past_newline(&v, end);
        line += lines;
        rows++;
    }
    scan->window = v.w;
    scan->at = at;
    scan->line = line;
    scan->row += rows;
    scan->shifted = shifted;
    cells->rows = rows;
    cells->base = (const char *)base;
    cells->bytes = (uint64_t)(at - base);
    if (result == QN_CSV_MORE && at >= stop) result = QN_CSV_DONE;
    return result;
}

enum qn_csv_stop qn_csv_scan_width(struct qn_csv_scan *scan, uint32_t *columns)
{
    struct view v = {scan->window, scan->end, scan->delimiter};
    enum qn_csv_stop result = QN_CSV_DONE;
    *columns = 0;
    while (scan->at < scan->end && result == QN_CSV_DONE) {
        const uint8_t *at = scan->at, *end;
        uint64_t n = 0, cell;
        for (;;) {
            end = next_cell(&v, at, scan->at, &cell, &scan->line);
            n++;
            if (end == v.end || *end != v.delimiter) break;
            at = end + 1;
        }
        if (end != scan->at) {
            result = end - scan->at > ROW_BYTES_MAX ? QN_CSV_TOO_LONG : QN_CSV_MORE;
            *columns = (uint32_t)n;
        }
        scan->at = past_newline(&v, end);
        scan->line++;
    }
    scan->window = v.w;
    return result;
}

size_t qn_csv_unquote(const char *raw, size_t size, char *out)
{
    size_t n = 0, i = 1;
    int open = 1;
    while (i < size) {
        char c = raw[i++];
        if (open && c == '"') {
            if (i < size && raw[i] == '"')
                i++;
            else {
                open = 0;
                continue;
            }
        }
        out[n++] = c;
    }
    return n;
}
