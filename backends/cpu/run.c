/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/run.h"

#include "backends/cpu/run_tile.h"
#include "backends/cpu/run_write.h"
#include "backends/cpu/starts.h"
#include "host/core/checked.h"

enum {
    TASK_BYTES =
        1 << 19, /* output bytes of a task: enough to hide its start, few enough to share */
    ALONE_BYTES = 1 << 17 /* in + out below this: a second thread costs more than it brings */
};

struct general {
    const struct qn_run_request *request;
    struct qn_tiles tiles;
    struct qn_writer writer;
    uint64_t task_rows;
    char *scratch;
    size_t
        scratch_size; /* per worker: the writer's, then a word of `seen` per lane, then 1 if begun */
};

static uint32_t *words_of(const struct general *g, uint32_t worker)
{
    return (uint32_t *)(void *)(g->scratch + worker * g->scratch_size + g->writer.scratch);
}

static void general_task(void *user, uint32_t worker, uint64_t task)
{
    const struct general *g = user;
    const struct qn_batch *b = &g->request->batch;
    char *scratch = g->scratch + worker * g->scratch_size;
    uint32_t *words = words_of(g, worker);
    if (words[b->n_lanes] == 0) {
        qn_writer_begin(&g->writer, scratch);
        words[b->n_lanes] = 1;
    }
    uint64_t row = task * g->task_rows, end = row + g->task_rows;
    if (end > b->rows) end = b->rows;
    while (row < end) {
        uint32_t n = g->tiles.rows;
        if (n > end - row) n = (uint32_t)(end - row);
        qn_tiles_eval(&g->tiles, scratch, row, n, g->request->seen != NULL ? words : NULL);
        qn_writer_tile(&g->writer, scratch, row, n);
        row += n;
    }
}

static quern_status run_tiles(struct qn_threads *threads, const struct qn_run_request *r)
{
    const struct qn_batch *b = &r->batch;
    struct general g = {.request = r};
    QN_TRY(qn_tiles_open(&g.tiles, b, r->slots, r->n_slots, r->norms, r->n_norms));
    quern_status status = QUERN_OK;
    QN_GO(qn_writer_open(&g.writer, &g.tiles, r->slots, r->n_slots, r->out_host, r->stream));
    uint64_t row_bytes = g.writer.row_bytes + b->n_lanes * sizeof(float);
    uint64_t tiles = TASK_BYTES / (row_bytes * g.tiles.rows + 1) + 1;
    g.task_rows = tiles * g.tiles.rows;
    uint64_t tasks = (b->rows + g.task_rows - 1) / g.task_rows;
    if (row_bytes < ALONE_BYTES && b->rows < ALONE_BYTES / (row_bytes + 1)) threads = NULL;
    uint32_t workers = qn_threads_size(threads);
    if (workers > tasks) workers = tasks > 0 ? (uint32_t)tasks : 1;
    if (workers == 1) threads = NULL;
    workers = qn_threads_size(threads);
    g.scratch_size = (g.writer.scratch + (b->n_lanes + 1u) * sizeof(uint32_t) + 127) / 64 * 64;
    g.scratch = qn_alloc_aligned(workers, g.scratch_size);
    if (g.scratch == NULL) {
        status = qn_error_memory("tiles", (uint64_t)workers * g.scratch_size);
        goto cleanup;
    }
    for (uint32_t w = 0; w < workers; w++)
        for (uint32_t l = 0; l <= b->n_lanes; l++) words_of(&g, w)[l] = 0;
    qn_threads_run(threads, tasks, general_task, &g);
    if (r->seen != NULL)
        for (uint32_t w = 0; w < workers; w++)
            for (uint32_t l = 0; l < b->n_lanes; l++) r->seen[l] |= words_of(&g, w)[l];
cleanup:
    qn_free(g.scratch);
    qn_writer_close(&g.writer);
    qn_tiles_close(&g.tiles);
    return status;
}

static quern_status run_general(struct qn_threads *threads, const struct qn_run_request *r)
{
    struct qn_run_request own = *r;
    struct qn_starts *starts;
    QN_TRY(qn_starts_open(&r->batch, &starts));
    own.batch.starts = starts;
    quern_status status = run_tiles(threads, &own);
    qn_starts_close(starts, r->batch.n_ops);
    return status;
}

quern_status qn_cpu_run(struct qn_threads *threads, const struct qn_run_request *r)
{
    if (r->batch.base.raw != NULL || (r->out_host == NULL && r->batch.rows > 0))
        return qn_error(QUERN_UNSUPPORTED, "cpu: the data are not in host memory");
    if (r->n_slots == 0 && r->seen == NULL) return QUERN_OK;
    quern_status status = QUERN_OK;
    QN_TRY(qn_run_check(&r->batch));
    if (qn_run_flat(threads, r, &status)) return status;
    if (qn_run_norm_rows(threads, r, &status)) return status;
    if (qn_run_marks(threads, r, &status)) return status;
    return run_general(threads, r);
}
