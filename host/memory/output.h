/* SPDX-License-Identifier: Apache-2.0
 * Host memory of results. Large blocks that are given back are kept for the next result of about their
 * size: new memory has to be cleared by the kernel, which takes longer than most transforms.
 *
 * A block is used again for a result that fills at least three quarters of it. What is kept is
 *   - bounded: at most `limit` bytes, by default an eighth of the memory that the process may use, and
 *     1 GiB at most;
 *   - no addition to the peak: what is in use and what is kept are together never more than what was
 *     once in use at the same time (where a block that is used again counts whole). Before new memory is
 *     asked for, the oldest blocks go;
 *   - the kernel's for the asking: it may take the pages away (MADV_FREE);
 *   - dropped, all of it, when memory runs out, and in a child process after a fork.
 * Blocks are the heap's. Those below QN_OUTPUT_LARGE are its business alone.
 *
 * Thread class: one mutex; any thread. */
#ifndef QN_OUTPUT_H
#define QN_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "host/core/compiler.h"

#define QN_OUTPUT_LARGE ((size_t)1 << 20)
#define QN_OUTPUT_DEFAULT UINT64_MAX /* the default limit */

struct qn_output_stats {
    uint64_t limit, kept, kept_blocks; /* now                                         */
    uint64_t used, used_peak;          /* bytes of large blocks that are out          */
    uint64_t made, reused;             /* bytes handed out, new and again             */
    uint64_t makes, reuses;            /* how many                                    */
};

/* 64-byte aligned, uninitialised: what is in it may be an older result. NULL on exhaustion. */
void *qn_output_alloc(size_t count, size_t size) QN_MUST_CHECK;
/* As realloc, for blocks of these functions. A large block's end is given back. */
void *qn_output_realloc(void *old, size_t count, size_t size) QN_MUST_CHECK;
/* Also takes blocks of qn_alloc and its kin, which are freed. */
void qn_output_free(void *memory);

/* Returns what the limit was. 0: nothing is kept. */
uint64_t qn_output_limit(uint64_t bytes);
/* Frees the oldest kept blocks until at most `keep` bytes are left; returns the bytes freed. */
uint64_t qn_output_trim(uint64_t keep);
void qn_output_stats(struct qn_output_stats *out);
/* Tests: 1: every block handed out is filled with 0xA5. */
void qn_output_poison(int on);

#endif
