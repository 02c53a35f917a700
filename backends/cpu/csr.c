/* SPDX-License-Identifier: Apache-2.0
 * A program's output as CSR. Nothing is made dense: a one-hot block, however wide, costs a row one
 * comparison and at most one element; a value column costs one comparison with zero. Tiles of rows
 * are evaluated as for a dense output; each row keeps a cursor and the columns come in order, so a
 * row's indices ascend. */
#include <string.h>

#include "backends/cpu/run.h"
#include "backends/cpu/run_tile.h"
#include "host/core/checked.h"

/* Consecutive slots: a one-hot block of one lane, or a single value column. */
struct csr_part {
    uint32_t one_hot, lane, match, count; /* one-hot */
    uint32_t column;                      /* values: number of the tile column */
    uint32_t first;                       /* first output column */
};

struct csr {
    const struct qn_csr_request *request;
    struct qn_tiles tiles;
    struct csr_part *parts;
    uint32_t n_parts, type;
    uint64_t task_rows;
    char *scratch;
    size_t cursors, words, scratch_size; /* per worker */
};

enum { TASK_ROWS = 16384, ALONE_ROWS = 2048 };

static quern_status find_parts(struct csr *c)
{
    const struct qn_csr_request *r = c->request;
    c->parts = qn_alloc(r->n_slots, sizeof *c->parts);
    if (c->parts == NULL)
        return qn_error_memory("columns", (uint64_t)r->n_slots * sizeof *c->parts);
    c->type = r->n_slots > 0 ? r->slots[0].type : QN_T_F64;
    if (c->type != QN_T_F32 && c->type != QN_T_F64 && c->type != QN_T_I64)
        return qn_error(QUERN_UNSUPPORTED, "sparse output of type %u", c->type);
    for (uint32_t s = 0; s < r->n_slots; s++) {
        const struct qn_slot *slot = &r->slots[s];
        if (slot->type != c->type)
            return qn_error(QUERN_UNSUPPORTED, "sparse output of types %u and %u", c->type,
                            slot->type);
        struct csr_part *last = c->n_parts > 0 ? &c->parts[c->n_parts - 1] : NULL;
        int one_hot = slot->match != QN_MATCH_VALUE;
        if (one_hot && last != NULL && last->one_hot && last->lane == slot->lane &&
            slot->match == last->match + last->count) {
            last->count++;
            continue;
        }
        c->parts[c->n_parts++] = (struct csr_part){.one_hot = (uint32_t)one_hot,
                                                   .lane = slot->lane,
                                                   .match = slot->match,
                                                   .count = 1,
                                                   .column = c->tiles.slot_column[s],
                                                   .first = s};
    }
    return QUERN_OK;
}

/* A NaN is not equal to 0 and so is stored. */
#define STORED(TYPE) (((const TYPE *)values)[i] != 0)

static void count_part(const struct csr *c, const struct csr_part *p, const char *scratch,
                       uint32_t *nnz, uint32_t n)
{
    if (p->one_hot) {
        const uint32_t *codes = qn_tiles_lane(&c->tiles, scratch, p->lane)->code;
        const uint32_t match = p->match, count = p->count;
        for (uint32_t i = 0; i < n; i++) nnz[i] += codes[i] - match < count;
        return;
    }
    const void *values = qn_tiles_column(&c->tiles, scratch, p->column);
    switch (c->type) {
    case QN_T_F32:
        for (uint32_t i = 0; i < n; i++) nnz[i] += STORED(float);
        break;
    case QN_T_F64:
        for (uint32_t i = 0; i < n; i++) nnz[i] += STORED(double);
        break;
    default:
        for (uint32_t i = 0; i < n; i++) nnz[i] += STORED(int64_t);
    }
}

#define FILL_ONES(TYPE)                                                                            \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        uint32_t k = codes[i] - match;                                                             \
        if (k >= count) continue;                                                                  \
        int64_t at = cursor[i]++;                                                                  \
        indices[at] = (int32_t)(first + k);                                                        \
        ((TYPE *)data)[at] = 1;                                                                    \
    }

#define FILL_VALUES(TYPE)                                                                          \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        if (!STORED(TYPE)) continue;                                                               \
        int64_t at = cursor[i]++;                                                                  \
        indices[at] = (int32_t)first;                                                              \
        ((TYPE *)data)[at] = ((const TYPE *)values)[i];                                            \
    }

static void fill_part(const struct csr *c, const struct csr_part *p, const char *scratch,
                      int64_t *restrict cursor, uint32_t n)
{
    int32_t *restrict indices = c->request->indices;
    void *restrict data = c->request->data;
    const uint32_t first = p->first;
    if (p->one_hot) {
        const uint32_t *codes = qn_tiles_lane(&c->tiles, scratch, p->lane)->code;
        const uint32_t match = p->match, count = p->count;
        if (c->type == QN_T_F32)
            FILL_ONES(float)
        else if (c->type == QN_T_F64)
            FILL_ONES(double)
        else
            FILL_ONES(int64_t)
        return;
    }
    const void *values = qn_tiles_column(&c->tiles, scratch, p->column);
    if (c->type == QN_T_F32)
        FILL_VALUES(float)
    else if (c->type == QN_T_F64)
        FILL_VALUES(double)
    else
        FILL_VALUES(int64_t)
}

static void csr_task(void *user, uint32_t worker, uint64_t task)
{
    const struct csr *c = user;
    const struct qn_csr_request *r = c->request;
    char *scratch = c->scratch + worker * c->scratch_size;
    uint32_t *seen = r->seen != NULL ? (uint32_t *)(void *)(scratch + c->words) : NULL;
    int64_t *cursor = (int64_t *)(void *)(scratch + c->cursors);
    uint64_t row = task * c->task_rows, end = row + c->task_rows;
    if (end > r->batch.rows) end = r->batch.rows;
    for (uint32_t n; row < end; row += n) {
        n = end - row < c->tiles.rows ? (uint32_t)(end - row) : c->tiles.rows;
        qn_tiles_eval(&c->tiles, scratch, row, n, seen);
        if (r->data == NULL) {
            memset(r->row_nnz + row, 0, n * sizeof *r->row_nnz);
            for (uint32_t i = 0; i < c->n_parts; i++)
                count_part(c, &c->parts[i], scratch, r->row_nnz + row, n);
        } else {
            memcpy(cursor, r->indptr + row, n * sizeof *cursor);
            for (uint32_t i = 0; i < c->n_parts; i++)
                fill_part(c, &c->parts[i], scratch, cursor, n);
        }
    }
}

quern_status qn_cpu_csr(struct qn_threads *threads, const struct qn_csr_request *r)
{
    const struct qn_batch *b = &r->batch;
    if (b->base.raw != NULL)
        return qn_error(QUERN_UNSUPPORTED, "cpu: the data are not in host memory");
    struct csr c = {.request = r};
    QN_TRY(qn_tiles_open(&c.tiles, b, r->slots, r->n_slots, r->norms, r->n_norms));
    quern_status status = QUERN_OK;
    QN_GO(find_parts(&c));
    c.task_rows = TASK_ROWS / c.tiles.rows * c.tiles.rows;
    if (b->rows <= ALONE_ROWS) threads = NULL;
    uint32_t workers = qn_threads_size(threads);
    c.cursors = c.tiles.scratch;
    c.words = c.cursors + c.tiles.rows * sizeof(int64_t);
    c.scratch_size = (c.words + b->n_lanes * sizeof(uint32_t) + 127) / 64 * 64;
    c.scratch = qn_alloc_aligned(workers, c.scratch_size);
    if (c.scratch == NULL) {
        status = qn_error_memory("tiles", (uint64_t)workers * c.scratch_size);
        goto cleanup;
    }
    for (uint32_t w = 0; w < workers; w++)
        memset(c.scratch + w * c.scratch_size + c.words, 0, b->n_lanes * sizeof(uint32_t));
    qn_threads_run(threads, (b->rows + c.task_rows - 1) / c.task_rows, csr_task, &c);
    for (uint32_t w = 0; r->seen != NULL && w < workers; w++)
        for (uint32_t l = 0; l < b->n_lanes; l++)
            r->seen[l] |=
                ((const uint32_t *)(const void *)(c.scratch + w * c.scratch_size + c.words))[l];
cleanup:
    qn_free(c.scratch);
    qn_free(c.parts);
    qn_tiles_close(&c.tiles);
    return status;
}
