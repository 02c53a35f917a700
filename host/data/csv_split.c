/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_split.h"

#include <string.h>

#include "host/core/checked.h"

/* More flips of the guess than this mean that the file's quotes tell nothing. */
enum { FLIPS_MAX = 4 };

struct count {
    struct qn_csv_split *split;
    uint64_t chunk_bytes;
};

/* Newlines (CRLF once) and quotes in [p, end); the byte at `end` may be read if `peek`. In strips, so
 * that byte counters, which compilers make vectors of, do not overflow. */
static void count_bytes(const uint8_t *p, const uint8_t *end, int peek, struct edge *out)
{
    enum { STRIP = 128 };
    uint64_t newlines = 0, quotes = 0;
    while (end - p > STRIP) {
        uint8_t n = 0, q = 0;
        for (unsigned i = 0; i < STRIP; i++) {
            n = (uint8_t)(n + ((p[i] == '\n') | ((p[i] == '\r') & (p[i + 1] != '\n'))));
            q = (uint8_t)(q + (p[i] == '"'));
        }
        newlines += n;
        quotes += q;
        p += STRIP;
    }
    for (; p < end; p++) {
        newlines += *p == '\n' || (*p == '\r' && (p + 1 < end || peek ? p[1] != '\n' : 1));
        quotes += *p == '"';
    }
    out->newlines = newlines;
    out->quotes = quotes;
}

/* A newline at position i makes a row start at i + 1, so chunk k looks at the bytes one before its
 * own: those in front of which its rows' newlines stand. */
static void count_task(void *user, uint32_t worker, uint64_t k)
{
    struct count *count = user;
    struct qn_csv_split *split = count->split;
    const uint8_t *from = split->text + k * count->chunk_bytes;
    const uint8_t *to = k + 1 == split->n_chunks ? split->stop : from + count->chunk_bytes;
    (void)worker;
    split->chunks[k].start = from;
    split->chunks[k].stop = to;
    if (k > 0) from--;
    count_bytes(from, to - 1, 1, &split->edges[k]);
}

/* The first row start at or behind `at` (not the text's first), if the byte before it is in quotes as
 * `inside` says. */
static const uint8_t *guess_start(const struct qn_csv_split *split, const uint8_t *at, int inside)
{
    const uint8_t *end = split->end;
    for (at--; at < end; at++) {
        if (*at == '"') {
            inside = !inside;
        } else if (!inside && *at == '\n') {
            return at + 1;
        } else if (!inside && *at == '\r') {
            return at + 1 < end && at[1] == '\n' ? at + 2 : at + 1;
        }
    }
    return end;
}

quern_status qn_csv_split_open(struct qn_csv_split *split, uint64_t chunk_bytes, uint64_t *rows)
{
    quern_status status = QUERN_OK;
    uint64_t size = (uint64_t)(split->stop - split->text);
    split->n_chunks = size / chunk_bytes + (size == 0 || size % chunk_bytes != 0);
    split->chunks = qn_zalloc(split->n_chunks, sizeof *split->chunks);
    split->edges = qn_zalloc(split->n_chunks, sizeof *split->edges);
    if (split->chunks == NULL || split->edges == NULL)
        return qn_error_memory("CSV chunks", split->n_chunks * sizeof *split->chunks);
    split->job.end = split->end;
    split->job.delimiter = split->plan->delimiter;
    split->job.columns = split->plan->n_fields;
    split->job.chunk_bytes = chunk_bytes < size ? chunk_bytes : size;
    split->job.only_infer = split->slots == NULL && split->job.only_infer;
    QN_GO(qn_csv_job_open(&split->job, qn_threads_size(split->threads), &split->plan->missing));
    *rows = 0;
    if (size == 0) {
        split->chunks[0].start = split->chunks[0].stop = split->text;
        return QUERN_OK;
    }
    struct count count = {split, chunk_bytes};
    qn_threads_run(split->threads, split->n_chunks, count_task, &count);
    uint64_t quotes = 0;
    for (uint64_t k = 0; k < split->n_chunks; k++) {
        struct qn_csv_chunk *chunk = &split->chunks[k];
        split->edges[k].inside = (int)(quotes & 1);
        if (k > 0) chunk->start = guess_start(split, chunk->start, split->edges[k].inside);
        quotes += split->edges[k].quotes;
        chunk->limit = UINT64_MAX;
        chunk->slot0 = *rows;
        chunk->capacity = split->edges[k].newlines + (k == 0);
        *rows += chunk->capacity;
    }
cleanup:
    return status;
}

/* Puts a chunk before its first row; text buffers are kept for use. */
static quern_status reset(struct qn_csv_split *split, struct qn_csv_chunk *chunk)
{
    struct qn_csv_column *fresh;
    uint32_t n = split->plan->n_fields;
    QN_TRY(qn_csv_plan_columns(split->plan, split->hints, &fresh));
    for (uint32_t c = 0; c < n; c++) {
        if (split->slots != NULL && split->slots->of[c] != NULL)
            fresh[c].slots = qn_csv_slot(split->slots, c, chunk->slot0);
        if (chunk->columns == NULL) continue;
        fresh[c].text = chunk->columns[c].text;
        fresh[c].text_room = chunk->columns[c].text_room;
    }
    qn_free(chunk->columns);
    chunk->columns = fresh;
    return QUERN_OK;
}

struct run {
    struct qn_csv_split *split;
    uint64_t first;
};

static void read_task(void *user, uint32_t worker, uint64_t task)
{
    struct run *run = user;
    struct qn_csv_chunk *chunk = &run->split->chunks[run->first + task];
    quern_status status = reset(run->split, chunk);
    if (status == QUERN_OK) {
        qn_csv_chunk_read(&run->split->job, chunk, worker);
        return;
    }
    chunk->fault.kind = QN_CSV_FAILED;
    qn_error_take(&chunk->fault.failure, status);
}

static void read_from(struct qn_csv_split *split, uint64_t first, uint64_t n)
{
    struct run run = {split, first};
    qn_threads_run(split->threads, n, read_task, &run);
}

/* The quotes before chunk k counted wrong: from k on the guess is the other one. */
static void flip_from(struct qn_csv_split *split, uint64_t first)
{
    for (uint64_t k = first; k < split->n_chunks; k++) {
        split->edges[k].inside ^= 1;
        const uint8_t *from = split->chunks[k - 1].stop;
        split->chunks[k].start = guess_start(split, from, split->edges[k].inside);
    }
}

quern_status qn_csv_split_read(struct qn_csv_split *split, uint64_t *fault)
{
    int flips = 0;
    read_from(split, 0, split->n_chunks);
    for (uint64_t k = 0; k < split->n_chunks; k++) {
        struct qn_csv_chunk *chunk = &split->chunks[k];
        if (k > 0 && chunk->start != chunk[-1].finish) {
            chunk->start = chunk[-1].finish;
            read_from(split, k, 1);
            if (k + 1 < split->n_chunks && chunk->fault.kind == QN_CSV_NO_FAULT &&
                chunk[1].start != chunk->finish && flips++ < FLIPS_MAX) {
                flip_from(split, k + 1);
                read_from(split, k + 1, split->n_chunks - k - 1);
            }
        }
        if (chunk->fault.kind != QN_CSV_NO_FAULT) {
            *fault = k;
            return QUERN_OK;
        }
    }
    *fault = split->n_chunks;
    return QUERN_OK;
}

void qn_csv_split_close(struct qn_csv_split *split)
{
    for (uint64_t k = 0; split->chunks != NULL && k < split->n_chunks; k++)
        qn_csv_chunk_clear(&split->chunks[k], split->job.columns); /* the plan may have grown */
    qn_free(split->chunks);
    qn_free(split->edges);
    qn_csv_job_close(&split->job);
    split->chunks = NULL;
    split->edges = NULL;
}
