/* SPDX-License-Identifier: Apache-2.0
 * Whether all values of a batch are finite: at the speed of memory, as no column is told from another. */
#include "backends/cpu/finite.h"

#include <stdatomic.h>

#include "backends/cpu/isa.h"
#include "backends/cpu/strips.h"
#include "host/core/checked.h"

enum { ABREAST = 8, CHUNK_BYTES = 1 << 20 /* read by one task */ };

typedef float floats __attribute__((vector_size(64), may_alias, aligned(4)));
typedef double doubles __attribute__((vector_size(64), may_alias, aligned(8)));

#define QN_BODY "backends/cpu/finite_body.h"
#include "backends/cpu/isa_each.h"

typedef int finite_fn(const void *data, size_t n);

struct job {
    const struct qn_strip *strip;
    uint64_t rows, each; /* of the batch, of a task */
    finite_fn *run;
    atomic_int *found; /* a value that is not finite */
};

static finite_fn *loop_for(int wide)
{
#if QN_X86
    switch (qn_cpu_isa_level()) {
    case QN_ISA_AVX512: return wide ? finite_f64_avx512 : finite_f32_avx512;
    case QN_ISA_AVX2: return wide ? finite_f64_avx2 : finite_f32_avx2;
    default: break;
    }
#endif
    return wide ? finite_f64_baseline : finite_f32_baseline;
}

static void check_task(void *user, uint32_t worker, uint64_t task)
{
    const struct job *job = user;
    const struct qn_strip *strip = job->strip;
    uint64_t row = task * job->each;
    uint64_t rows = job->rows - row < job->each ? job->rows - row : job->each;
    const char *data = strip->base + (int64_t)row * strip->stride;
    int finite = 1;
    (void)worker;
    if (atomic_load_explicit(job->found, memory_order_relaxed)) return;
    if (strip->packed)
        finite = job->run(data, (size_t)rows * strip->count);
    else
        for (uint64_t k = 0; k < rows && finite; k++, data += strip->stride)
            finite = job->run(data, strip->count);
    if (!finite) atomic_store_explicit(job->found, 1, memory_order_relaxed);
}

int qn_cpu_all_finite(struct qn_threads *threads, const struct qn_batch *batch)
{
    struct qn_strip *strips = NULL;
    uint32_t n = 0;
    atomic_int found = 0;
    if (qn_strips_make(batch, &strips, &n) != QUERN_OK) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (strips[i].kind == QN_STRIP_CHAIN) atomic_store(&found, 1);
    for (uint32_t i = 0; i < n && !atomic_load(&found); i++) {
        uint64_t each = CHUNK_BYTES / qn_strip_row_bytes(batch, &strips[i]) + 1;
        struct job job = {.strip = &strips[i],
                          .rows = batch->rows,
                          .each = each,
                          .run = loop_for(strips[i].kind == QN_STRIP_DOUBLE),
                          .found = &found};
        qn_threads_run(threads, (batch->rows + each - 1) / each, check_task, &job);
    }
    qn_free(strips);
    return !atomic_load(&found);
}
