/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_chunk.h"

#include <string.h>

#include "host/core/checked.h"

quern_status qn_csv_job_open(struct qn_csv_job *job, uint32_t n_workers,
                             const struct qn_csv_missing *missing)
{
    quern_status status = QUERN_OK;
    job->workers = qn_zalloc(n_workers, sizeof *job->workers);
    if (job->workers == NULL)
        return qn_error_memory("CSV workers", n_workers * sizeof *job->workers);
    job->n_workers = n_workers;
    for (uint32_t i = 0; i < n_workers; i++) {
        struct qn_csv_worker *w = &job->workers[i];
        QN_GO(qn_csv_cells_open(job->columns, job->chunk_bytes, &w->cells));
        w->reading.missing = missing;
        w->reading.only_infer = job->only_infer;
        if (!job->only_infer) continue;
        w->slots = qn_alloc(w->cells.capacity, sizeof *w->slots);
        if (w->slots == NULL) {
            status = qn_error_memory("CSV batch", w->cells.capacity * sizeof *w->slots);
            goto cleanup;
        }
    }
cleanup:
    if (status != QUERN_OK) qn_csv_job_close(job);
    return status;
}

void qn_csv_job_close(struct qn_csv_job *job)
{
    for (uint32_t i = 0; job->workers != NULL && i < job->n_workers; i++) {
        qn_csv_cells_close(&job->workers[i].cells);
        qn_free(job->workers[i].reading.scratch);
        qn_free(job->workers[i].slots);
    }
    qn_free(job->workers);
    job->workers = NULL;
}

static void describe_cell(struct qn_csv_fault *fault, struct qn_csv_worker *w, uint64_t cell)
{
    const char *text;
    size_t size;
    fault->kind = QN_CSV_BAD_CELL;
    int there = qn_csv_cell_text(&w->reading, &w->cells, cell, &text, &size);
    if (there != 1 || qn_csv_is_missing(w->reading.missing, text, size)) {
        fault->kind = QN_CSV_NO_VALUE;
        return;
    }
    size_t n = size < sizeof fault->text - 4 ? size : sizeof fault->text - 4;
    while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* whole characters */
    for (size_t i = 0; i < n; i++)
        fault->text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    memcpy(fault->text + n, n < size ? "..." : "", n < size ? 4 : 1);
}

/* Line of row `row` of the batch whose first row is `row0`. */
static uint64_t line_of(const struct qn_csv_chunk *chunk, uint64_t row)
{
    uint64_t line = row;
    for (size_t i = 0; i < chunk->marks.n && chunk->marks.items[i].row <= row; i++)
        line = chunk->marks.items[i].line + (row - chunk->marks.items[i].row);
    return line;
}

/* Reads a batch by columns; 0 at a fault. */
static int read_batch(struct qn_csv_job *job, struct qn_csv_chunk *chunk, struct qn_csv_worker *w)
{
    uint32_t first = w->cells.rows, column = 0;
    for (uint32_t c = 0; c < job->columns; c++) {
        struct qn_csv_column *col = &chunk->columns[c];
        if (col->state == QN_CSV_SKIP || col->state == QN_CSV_AGAIN) continue;
        if (job->only_infer) col->slots = w->slots;
        uint32_t done = qn_csv_column_read(col, &w->reading, &w->cells, c, chunk->rows);
        if (w->reading.status != QUERN_OK) break;
        if (done < first) {
            first = done;
            column = c;
        }
    }
    if (first == w->cells.rows && w->reading.status == QUERN_OK) return 1;
    struct qn_csv_fault fault = {.kind = QN_CSV_FAILED, .row = chunk->rows + first};
    if (w->reading.status == QUERN_OK) {
        fault.column = column;
        fault.line = line_of(chunk, chunk->skip + fault.row);
        describe_cell(&fault, w, w->cells.cells[(size_t)column * w->cells.stride + first]);
    }
    if (w->reading.status != QUERN_OK) {
        fault.kind = QN_CSV_FAILED;
        qn_error_take(&fault.failure, w->reading.status);
        w->reading.status = QUERN_OK;
    }
    chunk->fault = fault;
    return 0;
}

static void scan_fault(struct qn_csv_chunk *chunk, const struct qn_csv_scan *scan,
                       enum qn_csv_stop stop)
{
    struct qn_csv_fault fault = {.kind = QN_CSV_LONG_ROW, .row = chunk->rows, .line = scan->line};
    if (stop == QN_CSV_OUT_OF_MEMORY) {
        fault.kind = QN_CSV_FAILED;
        qn_error_take(&fault.failure, QUERN_OUT_OF_MEMORY);
    }
    chunk->fault = fault;
}

static quern_status keep_place(struct qn_csv_chunk *chunk, const struct qn_csv_scan *scan)
{
    if (chunk->n_places == chunk->places_room) {
        size_t room = chunk->places_room != 0 ? chunk->places_room * 2 : 16;
        struct qn_csv_place *places = qn_realloc(chunk->places, room, sizeof *places);
        if (places == NULL) return qn_error_memory("row index", room * sizeof *places);
        chunk->places = places;
        chunk->places_room = room;
    }
    chunk->places[chunk->n_places++] = (struct qn_csv_place){scan->row, scan->line, scan->at};
    return QUERN_OK;
}

void qn_csv_chunk_read(struct qn_csv_job *job, struct qn_csv_chunk *chunk, uint32_t worker)
{
    struct qn_csv_worker *w = &job->workers[worker];
    struct qn_csv_scan scan;
    w->reading.end = (const char *)job->end;
    chunk->rows = 0;
    chunk->marks.n = 0;
    chunk->n_places = 0;
    chunk->fault.kind = QN_CSV_NO_FAULT;
    qn_csv_scan_start(&scan, chunk->start, chunk->stop, job->end, job->delimiter);
    scan.marks = &chunk->marks;
    uint64_t skip = chunk->skip;
    enum qn_csv_stop stop = QN_CSV_MORE;
    while (stop == QN_CSV_MORE && (skip > 0 || chunk->rows < chunk->limit)) {
        if (job->keep_places && keep_place(chunk, &scan) != QUERN_OK) {
            chunk->fault.kind = QN_CSV_FAILED;
            qn_error_take(&chunk->fault.failure, QUERN_OUT_OF_MEMORY);
            break;
        }
        stop = qn_csv_scan_rows(&scan, &w->cells, skip > 0 ? skip : chunk->limit - chunk->rows);
        if (skip > 0) {
            skip -= w->cells.rows;
        } else {
            if (!read_batch(job, chunk, w)) break;
            chunk->rows += w->cells.rows;
        }
        if (stop != QN_CSV_MORE && stop != QN_CSV_DONE) {
            scan_fault(chunk, &scan, stop);
            break;
        }
    }
    chunk->wide = scan.wide;
    chunk->finish = scan.at;
    chunk->lines = scan.line;
}

void qn_csv_chunk_clear(struct qn_csv_chunk *chunk, uint32_t columns)
{
    for (uint32_t c = 0; chunk->columns != NULL && c < columns; c++)
        qn_free(chunk->columns[c].text);
    qn_free(chunk->columns);
    qn_free(chunk->marks.items);
    qn_free(chunk->places);
    memset(chunk, 0, sizeof *chunk);
}
