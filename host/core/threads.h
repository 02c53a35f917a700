/* SPDX-License-Identifier: Apache-2.0
 * The thread pool: a fixed team that shares a counter of tasks. Written by hand because OpenMP's
 * runtime does not survive fork(): here a child process notices that its workers are gone and makes
 * new ones at its first run.
 *
 * A run is cheap (no allocation, one wake-up per worker) and dynamic: tasks are handed out one by
 * one, so a stolen core costs one task and not a share. Results must not depend on which worker runs
 * a task. Every worker, the caller included, runs with flush-to-zero and denormals-are-zero off and
 * rounding to nearest, and the caller's own settings are restored. */
#ifndef QN_THREADS_H
#define QN_THREADS_H

#include <stdint.h>

#include "host/core/status.h"

enum { QN_THREADS_MAX = 256 };

struct qn_threads;

/* worker is 0 … size-1; task is 0 … count-1, each exactly once. */
typedef void qn_task_fn(void *user, uint32_t worker, uint64_t task);

/* How many threads suit this process: QUERN_NUM_THREADS, else OMP_NUM_THREADS, else the CPUs of the
 * affinity mask and of the cgroup's quota, rounded up; at least 1. */
uint32_t qn_threads_default(void);

/* size 0 means the default. Workers start at the first run. */
quern_status qn_threads_open(uint32_t size, struct qn_threads **out);
void qn_threads_close(struct qn_threads *pool);
uint32_t qn_threads_size(const struct qn_threads *pool);

/* Runs `count` tasks and returns when all are done. pool NULL runs in the caller alone. Two threads
 * that use one pool wait for each other. A run started by a task of the same pool is done by that
 * task's worker alone, under its number, so per-worker scratch is safe, but nothing is gained. */
void qn_threads_run(struct qn_threads *pool, uint64_t count, qn_task_fn *body, void *user);

#endif
