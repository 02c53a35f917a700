/* SPDX-License-Identifier: Apache-2.0
 * Sizes are computed here and nowhere else: 0 on success, 1 on overflow, as in C23's stdckdint. */
#ifndef QN_CHECKED_H
#define QN_CHECKED_H

#include <stddef.h>
#include <stdint.h>

#include "host/core/compiler.h"

static inline int qn_add_size(size_t a, size_t b, size_t *out)
{
    *out = a + b;
    return *out < a;
}

static inline int qn_mul_size(size_t a, size_t b, size_t *out)
{
    *out = a * b;
    return a != 0 && *out / a != b;
}

static inline int qn_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    *out = a + b;
    return *out < a;
}

static inline int qn_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    *out = a * b;
    return a != 0 && *out / a != b;
}

/* Rounds up to a power of two `align`; 1 on overflow. */
static inline int qn_align_size(size_t value, size_t align, size_t *out)
{
    if (qn_add_size(value, align - 1, out)) return 1;
    *out &= ~(align - 1);
    return 0;
}

/* malloc and friends for arrays: NULL on overflow as on exhaustion; never NULL for count 0.
 * Every allocation of the library goes through these four, so that tests can fail the k-th. */
void *qn_alloc(size_t count, size_t size) QN_MUST_CHECK;  /* uninitialised                       */
void *qn_zalloc(size_t count, size_t size) QN_MUST_CHECK; /* zeroed                              */
void *qn_realloc(void *old, size_t count, size_t size) QN_MUST_CHECK; /* old kept on failure     */
void *qn_alloc_aligned(size_t count, size_t size) QN_MUST_CHECK; /* 64-byte aligned, qn_free     */
void qn_free(void *memory);
char *qn_strdup(const char *text) QN_MUST_CHECK;
char *qn_strndup(const char *text, size_t bytes) QN_MUST_CHECK;

/* Tests: the k-th allocation from now fails (1 = the next); 0 turns this off. Returns how many
 * allocations were made since the last call. */
uint64_t qn_alloc_fail_at(uint64_t k);

#endif
