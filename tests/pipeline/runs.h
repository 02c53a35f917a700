/* SPDX-License-Identifier: Apache-2.0
 * A spec fitted to a matrix of doubles and applied to it, again and again: models and outputs must have
 * the same bytes on every device, with any number of threads and any instruction set, and a served row
 * those of its batch. */
#ifndef QN_PIPELINE_RUNS_H
#define QN_PIPELINE_RUNS_H

#include "tests/pipeline/fixture.h"

struct runs {
    const char *spec;
    const double *x; /* rows × columns */
    uint64_t rows;
    uint32_t columns;
};
struct runs_result {
    quern_model *model;
    quern_matrix out;
};

quern_context *runs_context(const char *device, uint32_t threads);
struct runs_result runs_once(const struct runs *, const char *device, uint32_t threads);
void runs_drop(struct runs_result *);

/* One thread of the CPU and three threads of cpu, opencl:0 or cuda:0 (which: 0, 1, 2). Skips without
 * the device, so nothing may be allocated before: make gives what is to be run, and drop frees it. */
void runs_devices_agree(size_t which, struct runs (*make)(void), void (*drop)(struct runs *));
void runs_instruction_sets_agree(const struct runs *);
/* The first `rows` of them, one at a time, by the model after a trip through its bytes. */
void runs_rows_alone_agree(const struct runs *, uint64_t rows);

#endif
