/* SPDX-License-Identifier: Apache-2.0
 * A file larger than memory: one pass finds types, rows and an index of where every few hundred rows
 * start; later passes know all of that, so their chunks start exactly and nothing is guessed. */
#include <string.h>

#include "host/core/checked.h"
#include "host/data/csv_feed.h"
#include "host/data/csv_inside.h"
#include "host/data/csv_split.h"

enum {
    WINDOW_MAX = 32 << 20, /* bytes of text that are looked at together */
    WINDOW_MIN = 1 << 20,
    CHUNK_BYTES = 512 << 10,
    MEMORY_SHARE = 8 /* of the memory allowed, one part is for the window */
};

struct place {
    uint64_t row, line, offset; /* line: 1-based */
};

struct qn_csv_stream {
    struct qn_csv_plan plan;
    struct qn_threads *threads;
    struct qn_csv_feed feed;
    struct quern_table schema;
    char *warning;
    enum qn_csv_state *states;
    uint64_t *missing, *text; /* by field, over the whole file */
    struct qn_csv_wide wide;
    struct place *places;
    size_t n_places, places_room;
    uint64_t rows, size; /* of the file: rows, and bytes of text */
    uint64_t window, chunk_bytes, max_memory;
    uint64_t next; /* row */
    uint32_t passes;
    int started; /* this pass has been counted */
};

/* ---- the first pass ---- */

static quern_status add_places(struct qn_csv_stream *s, const struct qn_csv_chunk *chunk,
                               const uint8_t *text, uint64_t offset, uint64_t line)
{
    size_t need = s->n_places + chunk->n_places;
    if (need > s->places_room) {
        size_t room = need * 2;
        struct place *places = qn_realloc(s->places, room, sizeof *places);
        if (places == NULL) return qn_error_memory("row index", room * sizeof *places);
        s->places = places;
        s->places_room = room;
    }
    for (size_t i = 0; i < chunk->n_places; i++) {
        const struct qn_csv_place *p = &chunk->places[i];
        s->places[s->n_places++] =
            (struct place){s->rows + p->row, line + p->line, offset + (uint64_t)(p->at - text)};
    }
    return QUERN_OK;
}

static void add_columns(struct qn_csv_stream *s, const struct qn_csv_chunk *chunk)
{
    for (uint32_t c = 0; c < s->plan.n_fields; c++) {
        const struct qn_csv_column *column = &chunk->columns[c];
        if (column->state == QN_CSV_SKIP) continue;
        s->states[c] = column->forced ? column->state : qn_csv_join(s->states[c], column->state);
        s->missing[c] += column->missing;
        s->text[c] += column->text_size;
    }
}

/* The start of the last row that surely ends in [at, end), if quotes pair up; NULL: none does. */
static const uint8_t *last_start(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *found = NULL;
    int inside = 0;
    for (const uint8_t *p = at; p + 1 < end; p++) {
        if (*p == '"') inside = !inside;
        if (inside || (*p != '\n' && *p != '\r')) continue;
        found = *p == '\r' && p[1] == '\n' ? NULL : p + 1;
        if (found == NULL && p + 2 < end) found = p + 2;
    }
    return found;
}

/* Reads the rows that start in the window at `*offset`; *done: it was the last. A window of text that
 * turns out to cut a row open is to be read again, larger: *again. */
static quern_status infer_window(struct qn_csv_stream *s, uint64_t *offset, uint64_t *line,
                                 int *done, int *again)
{
    quern_status status = QUERN_OK;
    struct qn_csv_split split = {.plan = &s->plan, .threads = s->threads, .hints = s->states};
    uint64_t rows, fault;
    int whole;
    QN_TRY(
        qn_csv_feed_get(&s->feed, *offset, *offset + s->window, &split.text, &split.end, &whole));
    split.stop = split.end;
    if ((uint64_t)(split.end - split.text) > s->window) split.stop = split.text + s->window;
    if (!whole) split.stop = last_start(split.text, split.end);
    *again = split.stop == NULL;
    if (*again) return QUERN_OK;
    split.job.only_infer = 1;
    split.job.keep_places = 1;
    QN_GO(qn_csv_split_open(&split, s->chunk_bytes, &rows));
    QN_GO(qn_csv_split_read(&split, &fault));
    for (uint64_t k = 0; k < split.n_chunks; k++) {
        const struct qn_csv_chunk *chunk = &split.chunks[k];
        int cut = !whole && chunk->finish == split.end;
        if (cut && k == 0) {
            *again = 1;
            goto cleanup;
        }
        if (cut) { /* what is before this chunk is sound */
            *offset += (uint64_t)(chunk->start - split.text);
            goto cleanup;
        }
        if (k == fault) {
            status = qn_csv_plan_fault(&s->plan, &chunk->fault, *line);
            goto cleanup;
        }
        QN_GO(add_places(s, chunk, split.text, *offset, *line));
        add_columns(s, chunk);
        qn_csv_wide_add(&s->wide, &chunk->wide, *line);
        s->rows += chunk->rows;
        *line += chunk->lines;
    }
    const uint8_t *finish = split.chunks[split.n_chunks - 1].finish;
    uint64_t from = *offset;
    *offset += (uint64_t)(finish - split.text);
    *done = whole && finish == split.end;
    qn_csv_feed_forget(&s->feed, from, *offset);
cleanup:
    qn_csv_split_close(&split);
    return status;
}

/* Doubles the window for a row that does not fit in it. */
static quern_status grow_window(struct qn_csv_stream *s, uint64_t line)
{
    s->window *= 2;
    if (s->max_memory != 0 && s->window > s->max_memory)
        return qn_error(
            QUERN_OUT_OF_MEMORY,
            "%s: line %llu: the row does not fit into the memory allowed (or a quote is "
            "not closed)",
            s->plan.source, (unsigned long long)line);
    return QUERN_OK;
}

/* Puts the stream before the first window. */
static quern_status start_inference(struct qn_csv_stream *s)
{
    uint32_t n = s->plan.n_fields;
    qn_free(s->states);
    qn_free(s->missing);
    qn_free(s->text);
    s->states = qn_zalloc(n, sizeof *s->states);
    s->missing = qn_zalloc(n, sizeof *s->missing);
    s->text = qn_zalloc(n, sizeof *s->text);
    if (s->states == NULL || s->missing == NULL || s->text == NULL)
        return qn_error_memory("columns", n * sizeof *s->states);
    for (uint32_t c = 0; c < n; c++) s->states[c] = s->plan.fields[c].start;
    s->n_places = 0;
    s->rows = 0;
    s->passes++;
    return QUERN_OK;
}

static quern_status infer_windows(struct qn_csv_stream *s)
{
    uint64_t offset = s->plan.body, line = s->plan.body_line, window = s->window;
    int done = 0;
    QN_TRY(start_inference(s));
    while (!done) {
        int again;
        QN_TRY(infer_window(s, &offset, &line, &done, &again));
        if (again)
            QN_TRY(grow_window(s, line));
        else
            s->window = window;
    }
    s->size = offset;
    return QUERN_OK;
}

static quern_status infer(struct qn_csv_stream *s, const struct qn_csv_options *options)
{
    for (int again = 1; again;) {
        QN_TRY(infer_windows(s));
        QN_TRY(qn_csv_plan_measure(&s->plan, options, &s->wide, &again));
        QN_TRY(qn_csv_feed_rewind(&s->feed));
    }
    for (uint32_t c = 0; c < s->plan.n_fields; c++) {
        struct qn_csv_field *field = &s->plan.fields[c];
        if (field->start == QN_CSV_SKIP) continue;
        if (s->states[c] == QN_CSV_EMPTY ||
            (s->states[c] == QN_CSV_INT && s->missing[c] > 0 && !field->forced))
            s->states[c] = QN_CSV_FLOAT;
        field->type = qn_csv_state_type(field, s->states[c]);
        field->forced = 1;
        field->start = s->states[c];
    }
    return QUERN_OK;
}

/* ---- opening ---- */

/* The header may be longer than the first window of a compressed file. */
static quern_status read_plan(struct qn_csv_stream *s, const char *path,
                              const struct qn_csv_options *options, int raw)
{
    for (int more = 1; more;) {
        const uint8_t *text, *end;
        int whole;
        QN_TRY(qn_csv_feed_get(&s->feed, 0, s->window, &text, &end, &whole));
        QN_TRY(qn_csv_plan_open(path, (const char *)text, (uint64_t)(end - text), whole, options,
                                raw, &s->plan, &more));
        if (!more) break;
        s->window *= 2;
        if (s->max_memory != 0 && s->window > s->max_memory)
            return qn_error(QUERN_OUT_OF_MEMORY,
                            "%s: the first row does not fit into the memory allowed", path);
    }
    return QUERN_OK;
}

static quern_status make_schema(struct qn_csv_stream *s)
{
    uint32_t n = s->plan.n_out;
    s->schema.columns = qn_zalloc(n, sizeof *s->schema.columns);
    if (s->schema.columns == NULL) return qn_error_memory("columns", n * sizeof(quern_column));
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_csv_field *field = &s->plan.fields[s->plan.out[i]];
        s->schema.columns[i].name = field->name;
        s->schema.columns[i].type = field->type;
    }
    s->schema.rows = s->rows;
    s->schema.n_columns = n;
    s->schema.has_names = 1;
    s->schema.source = s->plan.source;
    s->schema.warning = s->warning = s->plan.warning;
    s->plan.warning = NULL; /* of the file; the tables cut from it have none */
    return QUERN_OK;
}

static void choose_sizes(struct qn_csv_stream *s, const struct qn_csv_inside *inside)
{
    s->window = WINDOW_MAX;
    if (s->max_memory != 0 && s->max_memory / MEMORY_SHARE < WINDOW_MAX)
        s->window = s->max_memory / MEMORY_SHARE;
    if (s->window < WINDOW_MIN) s->window = WINDOW_MIN;
    if (inside->window != 0) s->window = inside->window;
    s->chunk_bytes = inside->chunk_bytes != 0 ? inside->chunk_bytes : CHUNK_BYTES;
}

quern_status qn_csv_open(const char *path, const struct qn_csv_options *options,
                         struct qn_threads *threads, struct qn_csv_stream **out)
{
    static const struct qn_csv_inside inside;
    return qn_csv_open_inside(path, options, &inside, threads, out);
}

quern_status qn_csv_open_inside(const char *path, const struct qn_csv_options *options,
                                const struct qn_csv_inside *inside, struct qn_threads *threads,
                                struct qn_csv_stream **out)
{
    static const struct qn_csv_options defaults;
    quern_status status = QUERN_OK;
    *out = NULL;
    if (options == NULL) options = &defaults;
    struct qn_csv_stream *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory("CSV stream", sizeof *s);
    s->threads = threads;
    s->max_memory = options->max_memory;
    choose_sizes(s, inside);
    QN_GO(qn_csv_feed_open(path, &s->feed));
    QN_GO(read_plan(s, path, options, inside->raw));
    QN_GO(infer(s, options));
    QN_GO(make_schema(s));
    *out = s;
    s = NULL;
cleanup:
    qn_csv_close(s);
    return status;
}

const struct quern_table *qn_csv_schema(const struct qn_csv_stream *s)
{
    return &s->schema;
}

/* At its peak: a slot per cell, text twice (as read and as packed), offsets. */
uint64_t qn_csv_row_bytes(const struct qn_csv_stream *s)
{
    uint64_t bytes = 1, rows = s->rows != 0 ? s->rows : 1;
    for (uint32_t i = 0; i < s->plan.n_out; i++) {
        uint32_t c = s->plan.out[i];
        bytes += sizeof(uint64_t);
        if (s->states[c] == QN_CSV_TEXT) bytes += 5 + (s->text[c] * 5 / 2 + rows - 1) / rows;
        if (s->states[c] == QN_CSV_BOOL) bytes += 2;
    }
    return bytes;
}

uint32_t qn_csv_passes(const struct qn_csv_stream *s)
{
    return s->passes;
}

quern_status qn_csv_rewind(struct qn_csv_stream *s)
{
    s->next = 0;
    s->started = 0;
    return qn_csv_feed_rewind(&s->feed);
}

void qn_csv_close(struct qn_csv_stream *s)
{
    if (s == NULL) return;
    qn_csv_feed_close(&s->feed);
    qn_csv_plan_close(&s->plan);
    qn_free(s->schema.columns);
    qn_free(s->warning);
    qn_free(s->states);
    qn_free(s->missing);
    qn_free(s->text);
    qn_free(s->places);
    qn_free(s);
}

/* ---- later passes ---- */

/* The number of the last place at or before a row. */
static size_t place_of(const struct qn_csv_stream *s, uint64_t row)
{
    size_t low = 0, high = s->n_places;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (s->places[mid].row <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static uint64_t place_offset(const struct qn_csv_stream *s, size_t place)
{
    return place < s->n_places ? s->places[place].offset : s->size;
}

static uint64_t place_row(const struct qn_csv_stream *s, size_t place)
{
    return place < s->n_places ? s->places[place].row : s->rows;
}

/* The rows of a table on their way from text. */
struct batch {
    struct qn_csv_stream *s;
    struct qn_csv_job job;
    struct qn_csv_chunk *chunks;
    uint64_t *first;            /* place at which a chunk starts; one more for the end */
    uint64_t n_chunks, window0; /* window0: first chunk of the window that is read */
};

/* Chunks of about chunk_bytes from the places that the rows [from, to) lie in. */
static quern_status cut_places(struct batch *b, uint64_t from, uint64_t to)
{
    struct qn_csv_stream *s = b->s;
    size_t place = place_of(s, from), end = place;
    while (place_row(s, end) < to) end++;
    b->chunks = qn_zalloc(end - place, sizeof *b->chunks);
    b->first = qn_zalloc(end - place + 1, sizeof *b->first);
    if (b->chunks == NULL || b->first == NULL)
        return qn_error_memory("CSV chunks", (end - place) * sizeof *b->chunks);
    while (place < end) {
        size_t next = place + 1;
        uint64_t start = place_row(s, place);
        while (next < end && place_offset(s, next) - place_offset(s, place) < s->chunk_bytes)
            next++;
        struct qn_csv_chunk *chunk = &b->chunks[b->n_chunks];
        uint64_t stop = place_row(s, next);
        chunk->skip = from > start ? from - start : 0;
        chunk->limit = (stop < to ? stop : to) - start - chunk->skip;
        chunk->slot0 = start + chunk->skip - from;
        b->first[b->n_chunks++] = place;
        place = next;
    }
    b->first[b->n_chunks] = end;
    return QUERN_OK;
}

static void read_task(void *user, uint32_t worker, uint64_t task)
{
    struct batch *b = user;
    qn_csv_chunk_read(&b->job, &b->chunks[b->window0 + task], worker);
}

static quern_status changed(const struct qn_csv_stream *s)
{
    return qn_error(QUERN_IO, "%s: the file changed while it was read", s->plan.source);
}

/* Reads the chunks from `*k` on whose text fits into one window. */
static quern_status read_window(struct batch *b, uint64_t *k, const struct qn_csv_slots *slots)
{
    struct qn_csv_stream *s = b->s;
    uint64_t first = *k, last = first + 1;
    uint64_t from = place_offset(s, b->first[first]);
    while (last < b->n_chunks && place_offset(s, b->first[last + 1]) - from <= s->window) last++;
    uint64_t to = place_offset(s, b->first[last]);
    const uint8_t *text, *end;
    int whole;
    QN_TRY(qn_csv_feed_get(&s->feed, from, to, &text, &end, &whole));
    if ((uint64_t)(end - text) < to - from) return changed(s);
    b->job.end = s->feed.source != NULL ? text + (to - from) : end;
    for (uint64_t i = first; i < last; i++) {
        struct qn_csv_chunk *chunk = &b->chunks[i];
        chunk->start = text + (place_offset(s, b->first[i]) - from);
        chunk->stop = text + (place_offset(s, b->first[i + 1]) - from);
        QN_TRY(qn_csv_plan_columns(&s->plan, NULL, &chunk->columns));
        for (uint32_t c = 0; c < s->plan.n_fields; c++)
            if (slots->of[c] != NULL) chunk->columns[c].slots = qn_csv_slot(slots, c, chunk->slot0);
    }
    b->window0 = first;
    qn_threads_run(s->threads, last - first, read_task, b);
    for (uint64_t i = first; i < last; i++) {
        struct qn_csv_chunk *chunk = &b->chunks[i];
        uint64_t line = s->places[b->first[i]].line;
        if (chunk->fault.kind != QN_CSV_NO_FAULT)
            return qn_csv_plan_fault(&s->plan, &chunk->fault, line);
        if (chunk->rows != chunk->limit) return changed(s);
        /* The chunk stopped at its last row; blank lines may stand between that and the next place. */
        if (b->first[i + 1] < s->n_places) chunk->lines = s->places[b->first[i + 1]].line - line;
    }
    qn_csv_feed_forget(&s->feed, from, to);
    *k = last;
    return QUERN_OK;
}

quern_status qn_csv_next(struct qn_csv_stream *s, uint64_t rows, struct quern_table **out)
{
    quern_status status = QUERN_OK;
    struct qn_csv_slots slots = {0};
    struct batch b = {.s = s};
    *out = NULL;
    if (!s->started) s->passes++;
    s->started = 1;
    if (rows > s->rows - s->next) rows = s->rows - s->next;
    if (rows == 0) return QUERN_OK;
    b.job.delimiter = s->plan.delimiter;
    b.job.columns = s->plan.n_fields;
    b.job.chunk_bytes = UINT64_MAX;
    QN_GO(qn_csv_job_open(&b.job, qn_threads_size(s->threads), &s->plan.missing));
    QN_GO(cut_places(&b, s->next, s->next + rows));
    QN_GO(qn_csv_slots_open(&s->plan, s->states, rows, &slots));
    for (uint64_t k = 0; k < b.n_chunks;) QN_GO(read_window(&b, &k, &slots));
    QN_GO(qn_csv_table_make(&s->plan, s->states, b.chunks, b.n_chunks, s->places[b.first[0]].line,
                            &slots, s->threads, out));
    s->next += rows;
cleanup:
    for (uint64_t k = 0; b.chunks != NULL && k < b.n_chunks; k++)
        qn_csv_chunk_clear(&b.chunks[k], s->plan.n_fields);
    qn_free(b.chunks);
    qn_free(b.first);
    qn_csv_slots_close(&slots);
    qn_csv_job_close(&b.job);
    return status;
}
