/* SPDX-License-Identifier: Apache-2.0
 * Sums over the values that two lines have in common, for all pairs of lines of some pairs of panels
 * (docs/arrays.md). A task is two panels over a group of values; groups wait in a wave and are then added in
 * their order. */
#include <string.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/reduce_load.h"
#include "backends/cpu/sort_keys.h"
#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/reductions.h"

#if QN_X86
#include <immintrin.h>
#endif

enum {
    BLOCK = 256,
    GROUP = 64 * BLOCK,
    PAIR_PANEL = QN_PAIR_PANEL_LINES,
    PAIR_CELLS = PAIR_PANEL * PAIR_PANEL,
    SLICE = 64,                       /* values that are packed at a time */
    PACK = SLICE * PAIR_PANEL,        /* … of a panel */
    ROOM = 4 * PACK + 3 * PAIR_CELLS, /* in values of 8 bytes */
    WAVE_BYTES = 1 << 26
};

#define QN_BODY "backends/cpu/pair_sums_body.h"
#include "backends/cpu/isa_each.h"

typedef void slice_fn(const double *, const int64_t *, const double *, const int64_t *, size_t,
                      const double *, int, double *);

static slice_fn *slice_of_isa(void)
{
    static slice_fn *const all[] = {
        pair_slice_baseline,
#if QN_X86
        pair_slice_avx2,
        pair_slice_avx512
#endif
    };
#if QN_X86
    return all[qn_cpu_isa_level()];
#else
    return all[0];
#endif
}

struct job {
    const struct qn_pair_sums *rq;
    slice_fn *slice;
    uint64_t first;        /* group of the wave */
    double *sums, *packed; /* [group of the wave][pair][3][cells]; [worker][ROOM] */
};

/* Differences of a panel's lines from their means, and where they are. */
static void pack(const struct job *job, uint32_t panel, uint64_t row, size_t rows, double *to,
                 int64_t *has)
{
    const struct qn_lines *in = &job->rq->in;
    double values[SLICE];
    for (size_t c = 0; c < PAIR_PANEL; c++) {
        uint64_t line = (uint64_t)panel * PAIR_PANEL + c;
        if (line >= in->lines) {
            for (size_t r = 0; r < rows; r++) {
                to[r * PAIR_PANEL + c] = 0;
                has[r * PAIR_PANEL + c] = 0;
            }
            continue;
        }
        double hi = job->rq->means[line], lo = job->rq->means[in->lines + line];
        qn_reduce_load(in->type, QN_ELEMENT_F64, 0, qn_lines_at(in, line, row), in->stride, rows,
                       values);
        for (size_t r = 0; r < rows; r++) {
            to[r * PAIR_PANEL + c] = (values[r] - hi) - lo;
            has[r * PAIR_PANEL + c] = values[r] == values[r] ? -1 : 0;
        }
    }
}

static void run_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    const struct qn_pair_sums *rq = job->rq;
    uint32_t pair = (uint32_t)(task % rq->pairs), first = rq->first, second = rq->second + pair;
    uint64_t row = (job->first + task / rq->pairs) * GROUP, n = rq->in.n,
             end = n - row < GROUP ? n : row + GROUP;
    double *block = job->packed + (size_t)ROOM * worker, *p = block + 3 * PAIR_CELLS, *q = p + PACK,
           *to = job->sums + task * 3 * PAIR_CELLS;
    int64_t *has = (int64_t *)(void *)(q + PACK), *also = has + PACK;
    while (second >= rq->panels) second = second - rq->panels + ++first;
    memset(to, 0, 3 * PAIR_CELLS * sizeof *to);
    while (row < end) {
        uint64_t next = end - row < BLOCK ? end : row + BLOCK;
        memset(block, 0, 3 * PAIR_CELLS * sizeof *block);
        for (; row < next; row += SLICE) {
            size_t rows = next - row < SLICE ? (size_t)(next - row) : (size_t)SLICE;
            pack(job, first, row, rows, p, has);
            if (second != first) pack(job, second, row, rows, q, also);
            job->slice(p, has, second != first ? q : p, second != first ? also : has, rows,
                       rq->shifts + (size_t)pair * 2 * PAIR_CELLS, rq->products != 0, block);
        }
        row = next;
        for (size_t i = 0; i < 3 * PAIR_CELLS; i++) to[i] += block[i];
    }
}

quern_status qn_cpu_pair_sums(struct qn_threads *threads, const struct qn_pair_sums *rq)
{
    size_t workers = threads != NULL ? qn_threads_size(threads) : 1, size;
    struct job job = {.rq = rq, .slice = slice_of_isa()};
    uint64_t groups = (rq->in.n + GROUP - 1) / GROUP, wave;
    quern_status status = QUERN_OK;
    size = (size_t)rq->pairs * 3 * PAIR_CELLS;
    wave = WAVE_BYTES / (size * sizeof(double));
    if (wave < 1) wave = 1;
    if (wave > groups) wave = groups;
    job.sums = qn_alloc((size_t)wave * size, sizeof *job.sums);
    job.packed = qn_alloc_aligned(workers * ROOM, sizeof *job.packed);
    if (job.sums == NULL || job.packed == NULL)
        QN_GO(qn_error_memory("sums of pairs", (wave * size + workers * ROOM) * sizeof(double)));
    memset(rq->totals, 0, size * sizeof *rq->totals);
    for (job.first = 0; job.first < groups; job.first += wave) {
        uint64_t some = groups - job.first < wave ? groups - job.first : wave;
        qn_threads_run(threads, some * rq->pairs, run_task, &job);
        for (uint64_t g = 0; g < some; g++)
            for (size_t i = 0; i < size; i++) rq->totals[i] += job.sums[g * size + i];
    }
cleanup:
    qn_free(job.sums);
    qn_free(job.packed);
    return status;
}
