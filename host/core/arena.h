/* SPDX-License-Identifier: Apache-2.0
 * A bump allocator for things that die together (a plan, a spec): nothing in it is freed alone. */
#ifndef QN_ARENA_H
#define QN_ARENA_H

#include <stddef.h>

#include "host/core/status.h"

struct qn_arena_chunk;
struct qn_arena {
    struct qn_arena_chunk *chunks; /* zeroed struct: an empty arena */
};

void *qn_arena_alloc(struct qn_arena *, size_t count, size_t size) QN_MUST_CHECK; /* zeroed */
char *qn_arena_strdup(struct qn_arena *, const char *text) QN_MUST_CHECK;
char *qn_arena_strndup(struct qn_arena *, const char *text, size_t bytes) QN_MUST_CHECK;
char *qn_arena_printf(struct qn_arena *, const char *format, ...) QN_PRINTF(2, 3) QN_MUST_CHECK;
void qn_arena_free(struct qn_arena *);

#endif
