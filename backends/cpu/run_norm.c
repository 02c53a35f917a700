/* SPDX-License-Identifier: Apache-2.0
 * Normalizer on a row-major matrix: the tiles would turn rows into columns and back, so the rows are
 * summed where they lie. Without the vectors of run_norm_wide.c results go to a small block first and from
 * there to the output, past the caches if it is large; so the output may be the input. */
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/run.h"
#include "backends/cpu/run_norm_wide.h"
#include "backends/cpu/run_store.h"
#include "backends/cpu/store.h"
#include "host/core/checked.h"
#include "kernels/norm.h"

enum { BLOCK_BYTES = 16 << 10, TASK_BYTES = 1 << 19, ALONE_BYTES = 1 << 18 };

#define QN_SUFFIX baseline
#define NORM_F64 0
#include "backends/cpu/run_norm_body.h"
#define NORM_F64 1
#include "backends/cpu/run_norm_body.h"
#undef QN_SUFFIX

typedef void norm_rows_fn(uint32_t, const void *restrict, void *restrict, size_t, size_t,
                          uint32_t *);

struct norm_run {
    const char *in;
    char *out, *scratch; /* per worker: a block, then a word of `seen` per column */
    uint32_t kind, stream, marked;
    uint64_t rows, task_rows;
    size_t columns, row_bytes, block_rows, scratch_size;
    qn_norm_rows_fn *wide; /* or NULL, and: */
    norm_rows_fn *run;
};

static uint32_t *marks_of(const struct norm_run *n, uint32_t worker)
{
    return (uint32_t *)(void *)(n->scratch + (worker + 1) * n->scratch_size -
                                (n->columns + 15) / 16 * 64);
}

static void norm_task(void *user, uint32_t worker, uint64_t task)
{
    const struct norm_run *n = user;
    char *block = n->scratch + worker * n->scratch_size;
    uint64_t row = task * n->task_rows, end = row + n->task_rows;
    if (end > n->rows) end = n->rows;
    uint32_t *marks = n->marked ? marks_of(n, worker) : NULL;
    if (n->wide != NULL) {
        n->wide(&(struct qn_norm_rows){n->in + row * n->row_bytes, n->out + row * n->row_bytes,
                                       end - row, n->columns, n->kind, (int)n->stream, marks});
        row = end;
    }
    for (uint64_t some; row < end; row += some) {
        some = end - row < n->block_rows ? end - row : n->block_rows;
        const char *from = n->in + row * n->row_bytes;
        char *to = n->out + row * n->row_bytes;
        size_t bytes = some * n->row_bytes;
        for (size_t k = 0; n->stream && k < bytes; k += 64)
            __builtin_prefetch(from + bytes + k, 0, 3);
        n->run(n->kind, from, block, some, n->columns, marks);
        if (n->stream)
            qn_store()->stream(to, block, bytes);
        else
            memcpy(to, block, bytes);
    }
    if (n->stream) qn_store_fence();
}

/* One group over all columns, in row order, each lane its NORM op and nothing else. */
static int shape_fits(const struct qn_run_request *r)
{
    const struct qn_batch *b = &r->batch;
    if (r->n_norms != 1 || b->n_lanes == 0 || b->n_lanes != r->n_slots) return 0;
    const struct qn_norm_desc *g = &r->norms[0];
    if (g->order != QN_ORDER_ROWS || g->first_lane != 0 || g->n_lanes != b->n_lanes) return 0;
    if (g->kind < QN_NORM_L1 || g->kind > QN_NORM_MAX) return 0;
    if (!qn_run_is_matrix(r)) return 0;
    for (uint32_t j = 0; j < b->n_lanes; j++)
        if (b->lanes[j].n_ops != 1 || b->ops[b->lanes[j].first_op].code != QN_OP_NORM ||
            b->ops[b->lanes[j].first_op].arg != 0)
            return 0;
    return 1;
}

int qn_run_norm_rows(struct qn_threads *threads, const struct qn_run_request *r,
                     quern_status *status)
{
    if (!shape_fits(r)) return 0;
    const struct qn_lane *lane = &r->batch.lanes[0];
    struct norm_run n = {.in = lane->data,
                         .out = (char *)r->out_host + r->slots[0].offset,
                         .kind = r->norms[0].kind,
                         .marked = r->seen != NULL,
                         .rows = r->batch.rows,
                         .columns = r->batch.n_lanes,
                         .row_bytes = (size_t)lane->stride,
                         .wide = qn_norm_wide(lane->work)};
    n.run = lane->work == QN_W_F64 ? rows_f64_baseline : rows_f32_baseline;
    n.stream = r->stream != 0 && n.in != n.out;
    n.block_rows = BLOCK_BYTES / n.row_bytes + 1;
    n.task_rows = n.block_rows * (TASK_BYTES / (n.block_rows * n.row_bytes) + 1);
    if (n.rows < ALONE_BYTES / n.row_bytes) threads = NULL;
    uint32_t workers = qn_threads_size(threads);
    n.scratch_size = (n.block_rows * n.row_bytes + 63) / 64 * 64 + (n.columns + 15) / 16 * 64;
    n.scratch = qn_alloc_aligned(workers, n.scratch_size);
    if (n.scratch == NULL) {
        *status = qn_error_memory("rows of a norm", (uint64_t)workers * n.scratch_size);
        return 1;
    }
    for (uint32_t w = 0; w < workers; w++) memset(marks_of(&n, w), 0, n.columns * sizeof(uint32_t));
    qn_threads_run(threads, (n.rows + n.task_rows - 1) / n.task_rows, norm_task, &n);
    for (uint32_t w = 0; r->seen != NULL && w < workers; w++)
        for (size_t j = 0; j < n.columns; j++) r->seen[j] |= marks_of(&n, w)[j];
    qn_free(n.scratch);
    return 1;
}
