/* SPDX-License-Identifier: Apache-2.0 */
#include "host/core/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/core/checked.h"

enum { CHUNK = 16 * 1024 };

struct qn_arena_chunk {
    struct qn_arena_chunk *next;
    size_t used, size;
    max_align_t bytes[];
};

void *qn_arena_alloc(struct qn_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (qn_mul_size(count, size, &bytes) ||
        qn_align_size(bytes != 0 ? bytes : 1, alignof(max_align_t), &bytes))
        return NULL;
    struct qn_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        size_t room = bytes > CHUNK ? bytes : CHUNK, total;
        if (qn_add_size(room, sizeof *chunk, &total)) return NULL;
        chunk = qn_zalloc(1, total);
        if (chunk == NULL) return NULL;
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *out = (char *)chunk->bytes + chunk->used;
    chunk->used += bytes;
    return out;
}

char *qn_arena_strndup(struct qn_arena *arena, const char *text, size_t bytes)
{
    size_t room;
    char *copy = qn_add_size(bytes, 1, &room) ? NULL : qn_arena_alloc(arena, room, 1);
    if (copy != NULL && bytes != 0) memcpy(copy, text, bytes);
    return copy;
}

char *qn_arena_strdup(struct qn_arena *arena, const char *text)
{
    return qn_arena_strndup(arena, text, strlen(text));
}

char *qn_arena_printf(struct qn_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = bytes < 0 ? NULL : qn_arena_alloc(arena, (size_t)bytes + 1, 1);
    if (text != NULL) (void)vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    return text;
}

void qn_arena_free(struct qn_arena *arena)
{
    struct qn_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct qn_arena_chunk *next = chunk->next;
        qn_free(chunk);
        chunk = next;
    }
    arena->chunks = NULL;
}
