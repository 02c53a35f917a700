/* SPDX-License-Identifier: Apache-2.0
 * A whole text at once: chunks are read optimistically in parallel into the table's own memory; then
 * what the chunks found about each column is joined, and only columns that some chunk had thought
 * narrower are converted or, where text was taken for numbers, read again. */
#include <string.h>

#include "host/core/checked.h"
#include "host/data/csv_inside.h"
#include "host/data/csv_split.h"
#include "host/data/source.h"

enum { SAMPLE = 64 << 10, CHUNK_MIN = 256 << 10, CHUNK_MAX = 4 << 20, CHUNKS_PER_THREAD = 8 };

/* Types reached in the first rows: where the chunks may start, since the join cannot be narrower. */
static quern_status sample(const struct qn_csv_plan *plan, const uint8_t *text, const uint8_t *end,
                           uint64_t bytes, enum qn_csv_state *hints)
{
    quern_status status = QUERN_OK;
    struct qn_csv_job job = {.end = end,
                             .delimiter = plan->delimiter,
                             .columns = plan->n_fields,
                             .chunk_bytes = bytes,
                             .only_infer = 1};
    struct qn_csv_chunk chunk = {.start = text, .stop = text, .limit = UINT64_MAX};
    if ((uint64_t)(end - text) < bytes) bytes = (uint64_t)(end - text);
    chunk.stop += bytes;
    QN_GO(qn_csv_job_open(&job, 1, &plan->missing));
    QN_GO(qn_csv_plan_columns(plan, NULL, &chunk.columns));
    qn_csv_chunk_read(&job, &chunk, 0); /* a fault will be found again */
    for (uint32_t c = 0; c < plan->n_fields; c++) hints[c] = chunk.columns[c].state;
cleanup:
    qn_csv_chunk_clear(&chunk, plan->n_fields);
    qn_csv_job_close(&job);
    return status;
}

struct settle {
    struct qn_csv_split *split;
    const enum qn_csv_state *states;
};

static int must_reread(const struct qn_csv_column *c, enum qn_csv_state now)
{
    if (c->state == QN_CSV_SKIP || c->forced) return 0;
    if (c->state == QN_CSV_AGAIN) return 1;
    if (now == QN_CSV_TEXT) return c->state != QN_CSV_TEXT && c->state != QN_CSV_EMPTY;
    return now == QN_CSV_FLOAT && (c->reread || (c->state == QN_CSV_INT && c->negative_zero));
}

/* Reads again the columns of a chunk that were taken for something narrower. */
static void reread(struct qn_csv_split *split, struct qn_csv_chunk *chunk,
                   const enum qn_csv_state *states, uint32_t worker)
{
    uint32_t n = split->plan->n_fields;
    struct qn_csv_chunk again = *chunk;
    memset(&again.marks, 0, sizeof again.marks);
    again.columns = qn_zalloc(n, sizeof *again.columns);
    if (again.columns == NULL) {
        chunk->fault.kind = QN_CSV_FAILED;
        qn_error_take(&chunk->fault.failure, qn_error_memory("columns", n * sizeof *again.columns));
        return;
    }
    for (uint32_t c = 0; c < n; c++) {
        again.columns[c] = chunk->columns[c];
        if (!must_reread(&chunk->columns[c], states[c])) {
            again.columns[c].state = QN_CSV_SKIP;
            continue;
        }
        again.columns[c].state = states[c];
        again.columns[c].missing = 0;
        again.columns[c].text_size = 0;
        again.columns[c].reread = 0;
        again.columns[c].negative_zero = 0;
    }
    qn_csv_chunk_read(&split->job, &again, worker);
    for (uint32_t c = 0; c < n; c++)
        if (again.columns[c].state != QN_CSV_SKIP) chunk->columns[c] = again.columns[c];
    if (again.fault.kind != QN_CSV_NO_FAULT) chunk->fault = again.fault;
    qn_free(again.marks.items);
    qn_free(again.columns);
}

static void settle_task(void *user, uint32_t worker, uint64_t k)
{
    struct settle *settle = user;
    struct qn_csv_split *split = settle->split;
    struct qn_csv_chunk *chunk = &split->chunks[k];
    int any = 0;
    for (uint32_t c = 0; c < split->plan->n_fields; c++) {
        struct qn_csv_column *column = &chunk->columns[c];
        enum qn_csv_state now = settle->states[c];
        if (must_reread(column, now)) {
            any = 1;
        } else if (column->state != now && column->state != QN_CSV_SKIP) {
            qn_csv_widen_slots(column->slots, 0, chunk->rows, column->state, now,
                               &split->plan->missing, &column->missing);
            column->state = now;
        }
    }
    if (any) reread(split, chunk, settle->states, worker);
}

static void join_states(const struct qn_csv_split *split, enum qn_csv_state *states)
{
    for (uint32_t c = 0; c < split->plan->n_fields; c++) {
        enum qn_csv_state state = split->plan->fields[c].start;
        uint64_t missing = 0;
        for (uint64_t k = 0; k < split->n_chunks; k++) {
            const struct qn_csv_column *column = &split->chunks[k].columns[c];
            state = column->forced ? column->state : qn_csv_join(state, column->state);
            missing += column->missing;
        }
        int forced = split->plan->fields[c].forced;
        if (state == QN_CSV_EMPTY || (state == QN_CSV_INT && missing > 0 && !forced))
            state = QN_CSV_FLOAT;
        states[c] = state;
    }
}

static uint64_t line_at(const struct qn_csv_split *split, uint64_t chunk)
{
    uint64_t line = split->plan->body_line;
    for (uint64_t k = 0; k < chunk; k++) line += split->chunks[k].lines;
    return line;
}

static quern_status first_fault(const struct qn_csv_split *split)
{
    for (uint64_t k = 0; k < split->n_chunks; k++)
        if (split->chunks[k].fault.kind != QN_CSV_NO_FAULT)
            return qn_csv_plan_fault(split->plan, &split->chunks[k].fault, line_at(split, k));
    return QUERN_OK;
}

/* Where a chunk had fewer rows than newlines, later rows move up. One task per column. */
static void close_gaps(void *user, uint32_t worker, uint64_t c)
{
    struct qn_csv_split *split = user;
    uint64_t row = 0;
    (void)worker;
    if (split->slots->of[c] == NULL) return;
    for (uint64_t k = 0; k < split->n_chunks; k++) {
        const struct qn_csv_chunk *chunk = &split->chunks[k];
        size_t size = chunk->columns[c].state == QN_CSV_TEXT ? sizeof(uint32_t) : sizeof(uint64_t);
        if (row != chunk->slot0 && chunk->rows > 0)
            memmove(qn_csv_slot(split->slots, (uint32_t)c, row),
                    qn_csv_slot(split->slots, (uint32_t)c, chunk->slot0), chunk->rows * size);
        row += chunk->rows;
    }
}

static uint64_t chunk_size(uint64_t bytes, const struct qn_threads *threads)
{
    uint64_t size = bytes / ((uint64_t)qn_threads_size(threads) * CHUNKS_PER_THREAD);
    if (size > CHUNK_MAX) return CHUNK_MAX;
    return size < CHUNK_MIN ? CHUNK_MIN : size;
}

struct text { /* and what is known of it */
    struct qn_csv_plan plan;
    const struct qn_csv_options *options;
    const uint8_t *rows, *end;
    uint64_t chunk; /* bytes */
    struct qn_threads *threads;
};

/* Does the plan hold, now that all rows have been seen? */
static quern_status measure(struct text *t, const struct qn_csv_split *split, int *again)
{
    struct qn_csv_wide wide = {0};
    uint64_t line = t->plan.body_line;
    for (uint64_t k = 0; k < split->n_chunks; k++) {
        qn_csv_wide_add(&wide, &split->chunks[k].wide, line);
        line += split->chunks[k].lines;
    }
    return qn_csv_plan_measure(&t->plan, t->options, &wide, again);
}

/* From chunks that have been read to a table. */
static quern_status join_chunks(struct qn_csv_split *split, enum qn_csv_state *states,
                                uint64_t rows, struct quern_table **out)
{
    const struct qn_csv_plan *plan = split->plan;
    join_states(split, states);
    struct settle settle = {split, states};
    qn_threads_run(split->threads, split->n_chunks, settle_task, &settle);
    QN_TRY(first_fault(split));
    uint64_t done = 0;
    for (uint64_t k = 0; k < split->n_chunks; k++) done += split->chunks[k].rows;
    if (done != rows) qn_threads_run(split->threads, plan->n_fields, close_gaps, split);
    return qn_csv_table_make(plan, states, split->chunks, split->n_chunks, plan->body_line,
                             split->slots, split->threads, out);
}

static quern_status read_rows(struct text *t, int *again, struct quern_table **out)
{
    quern_status status = QUERN_OK;
    struct qn_csv_slots slots = {0};
    const uint32_t n = t->plan.n_fields; /* the plan's may grow below */
    enum qn_csv_state *states = qn_zalloc(n, sizeof *states);
    if (states == NULL) return qn_error_memory("columns", n * sizeof *states);
    struct qn_csv_split split = {.plan = &t->plan,
                                 .threads = t->threads,
                                 .text = t->rows,
                                 .end = t->end,
                                 .stop = t->end,
                                 .hints = states};
    uint64_t rows, fault;
    QN_GO(sample(&t->plan, t->rows, t->end, t->chunk < SAMPLE ? t->chunk : SAMPLE, states));
    QN_GO(qn_csv_split_open(&split, t->chunk, &rows));
    QN_GO(qn_csv_slots_open(&t->plan, states, rows, &slots));
    split.slots = &slots;
    QN_GO(qn_csv_split_read(&split, &fault));
    QN_GO(first_fault(&split));
    QN_GO(measure(t, &split, again));
    if (!*again) QN_GO(join_chunks(&split, states, rows, out));
cleanup:
    qn_csv_split_close(&split);
    qn_csv_slots_close(&slots);
    qn_free(states);
    return status;
}

quern_status qn_csv_parse_inside(const char *name, const char *bytes, uint64_t size,
                                 const struct qn_csv_options *options,
                                 const struct qn_csv_inside *inside, struct qn_threads *threads,
                                 struct quern_table **out)
{
    static const struct qn_csv_options defaults;
    quern_status status = QUERN_OK;
    struct text t = {.options = options != NULL ? options : &defaults, .threads = threads};
    int more;
    *out = NULL;
    if (size == 0) bytes = ""; /* an empty mapping has no address */
    QN_TRY(qn_csv_plan_open(name, bytes, size, 1, t.options, inside->raw, &t.plan, &more));
    t.rows = (const uint8_t *)bytes + t.plan.body;
    t.end = (const uint8_t *)bytes + size;
    t.chunk = inside->chunk_bytes;
    if (t.chunk == 0) t.chunk = chunk_size(size - t.plan.body, threads);
    for (int again = 1; again;) QN_GO(read_rows(&t, &again, out));
cleanup:
    qn_csv_plan_close(&t.plan);
    return status;
}

quern_status qn_csv_parse(const char *name, const char *bytes, uint64_t size,
                          const struct qn_csv_options *options, struct qn_threads *threads,
                          struct quern_table **out)
{
    static const struct qn_csv_inside inside;
    return qn_csv_parse_inside(name, bytes, size, options, &inside, threads, out);
}

quern_status qn_csv_read(const char *path, const struct qn_csv_options *options,
                         struct qn_threads *threads, struct quern_table **out)
{
    struct qn_source_text text;
    *out = NULL;
    QN_TRY(qn_source_read(path, &text));
    quern_status status = qn_csv_parse(path, text.data, text.size, options, threads, out);
    qn_source_release(&text);
    return status;
}
