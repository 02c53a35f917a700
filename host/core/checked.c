/* SPDX-License-Identifier: Apache-2.0 */
#include "host/core/checked.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Counts allocations only while a test asked for a failure; otherwise one relaxed load. */
static _Atomic uint64_t fail_at;
static _Atomic uint64_t allocations;

static int must_fail(void)
{
    uint64_t k = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (QN_LIKELY(k == 0)) return 0;
    return atomic_fetch_add(&allocations, 1) + 1 == k;
}

uint64_t qn_alloc_fail_at(uint64_t k)
{
    atomic_store(&fail_at, k);
    return atomic_exchange(&allocations, 0);
}

void *qn_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes) || must_fail()) return NULL;
    return malloc(bytes != 0 ? bytes : 1);
}

void *qn_zalloc(size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes) || must_fail()) return NULL;
    return bytes != 0 ? calloc(1, bytes) : calloc(1, 1);
}

void *qn_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes) || must_fail()) return NULL;
    return realloc(old, bytes != 0 ? bytes : 1);
}

void *qn_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes) || qn_align_size(bytes, 64, &bytes) || must_fail())
        return NULL;
    if (bytes > PTRDIFF_MAX) return NULL; /* no object is larger; sanitizers end the program */
    return aligned_alloc(64, bytes != 0 ? bytes : 64);
}

void qn_free(void *memory)
{
    free(memory);
}

char *qn_strndup(const char *text, size_t bytes)
{
    size_t room;
    char *copy = qn_add_size(bytes, 1, &room) ? NULL : qn_alloc(room, 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *qn_strdup(const char *text)
{
    return qn_strndup(text, strlen(text));
}
