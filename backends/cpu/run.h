/* SPDX-License-Identifier: Apache-2.0
 * The parts of the CPU's program executor, between its own files. qn_cpu_run (run.c) takes the first
 * that fits:
 *
 *   flat    every column has the same chain, row-major in, row-major out, one type: the matrix is one
 *           long vector with periodic parameters (run_flat.c)
 *   rows    a Normalizer over such a matrix: each row where it lies (run_norm.c)
 *   marks   which values of such a matrix, or of some of its columns, are NaN (run_marks.c)
 *   tiles   anything: rows in tiles that stay in cache, lanes evaluated once, rows assembled in
 *           cache and written out whole (run_tile.c, run_write.c) */
#ifndef QN_CPU_RUN_H
#define QN_CPU_RUN_H

#include "backends/cpu/chain.h"
#include "host/ops/requests.h"

/* 1: done (or failed, *status says); 0: not a request of this shape, nothing happened. */
int qn_run_norm_rows(struct qn_threads *, const struct qn_run_request *, quern_status *status);
int qn_run_marks(struct qn_threads *, const struct qn_run_request *, quern_status *status);
int qn_run_flat(struct qn_threads *, const struct qn_run_request *, quern_status *status);

/* Lanes and slots are the columns, in order, of two dense row-major matrices of one float type, its
 * values aligned. */
int qn_run_is_matrix(const struct qn_run_request *);

/* The lanes' types, ops and words are what program.h allows. */
quern_status qn_run_check(const struct qn_batch *);

uint32_t qn_type_size(uint32_t type); /* bytes of a stored value; 0: no such type */

#endif
