/* SPDX-License-Identifier: Apache-2.0
 * Centred kernels: each value less its column's mean and its row's, plus the mean of all. Rows are taken
 * a few at a time, so that they are in the cache when their sums are known. Float32 steps are computed in
 * float64 and rounded once, which is what float32 gives and what NumPy does where means are float64. */
#include <string.h>

#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"
#include "kernels/norm.h"

enum { TILE_ROWS = 16, TILES = 16 /* of a task */ };

#define QN_REAL float
#define QN_CENTER(name) name##_f32
#include "backends/cpu/centering_body.h"
#undef QN_REAL
#undef QN_CENTER
#define QN_REAL double
#define QN_CENTER(name) name##_f64
#include "backends/cpu/centering_body.h"
#undef QN_REAL
#undef QN_CENTER

struct work {
    const struct qn_rows_request *rq;
    int is_float;
    size_t tile_bytes;
    char *tiles; /* [worker] */
};

static void rows_task(void *user, uint32_t worker, uint64_t task)
{
    const struct work *w = user;
    void *tile = w->tiles + worker * w->tile_bytes;
    for (uint64_t k = 0; k < TILES; k++) {
        uint64_t row = (task * TILES + k) * TILE_ROWS;
        if (row >= w->rq->rows) return;
        uint64_t left = w->rq->rows - row;
        uint32_t rows = left < TILE_ROWS ? (uint32_t)left : TILE_ROWS;
        if (w->is_float)
            center_rows_f32(w->rq, row, rows, tile);
        else
            center_rows_f64(w->rq, row, rows, tile);
    }
}

quern_status qn_cpu_centering(struct qn_threads *threads, const struct qn_rows_request *rq)
{
    uint32_t workers = threads != NULL ? qn_threads_size(threads) : 1;
    struct work w = {.rq = rq, .is_float = rq->op->type == QN_T_F32};
    size_t row = (size_t)rq->op->n_in * (w.is_float ? sizeof(float) : sizeof(double)), all;
    if (qn_mul_size(row, TILE_ROWS, &w.tile_bytes) || qn_mul_size(w.tile_bytes, workers, &all))
        return qn_error_memory("rows", UINT64_MAX);
    w.tiles = qn_alloc_aligned(all, 1);
    if (w.tiles == NULL) return qn_error_memory("rows", all);
    qn_threads_run(threads, rq->rows / ((uint64_t)TILE_ROWS * TILES) + 1, rows_task, &w);
    qn_free(w.tiles);
    return QUERN_OK;
}
