/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/move.h"

#include <string.h>

#include "backends/cpu/run_store.h"

uint32_t qn_move_size(uint32_t type)
{
    switch (type) {
    case QN_T_BOOL:
    case QN_T_I8:
    case QN_T_U8: return 1;
    case QN_T_I16:
    case QN_T_U16: return 2;
    case QN_T_I32:
    case QN_T_U32:
    case QN_T_F32: return 4;
    default: return 8;
    }
}

/* ---- packed and not ---- */

/* One value many times is a loop of its own, so that it is vectorised. */
#define GATHER(TYPE)                                                                               \
    if (stride == 0) {                                                                             \
        TYPE x;                                                                                    \
        memcpy(&x, from, sizeof x);                                                                \
        for (uint64_t i = 0; i < n; i++) memcpy(block + i * sizeof x, &x, sizeof x);               \
        break;                                                                                     \
    }                                                                                              \
    for (uint64_t i = 0; i < n; i++, from += stride)                                               \
        memcpy(block + i * sizeof(TYPE), from, sizeof(TYPE));                                      \
    break

const char *qn_move_get(const char *from, int64_t stride, uint32_t size, uint64_t n, char *block)
{
    if (stride == (int64_t)size) return from;
    switch (size) {
    case 1: GATHER(uint8_t);
    case 2: GATHER(uint16_t);
    case 4: GATHER(uint32_t);
    default: GATHER(uint64_t);
    }
    return block;
}

#define SCATTER(TYPE)                                                                              \
    for (uint64_t i = 0; i < n; i++, to += stride)                                                 \
        memcpy(to, packed + i * sizeof(TYPE), sizeof(TYPE));                                       \
    break

void qn_move_put(char *to, int64_t stride, uint32_t size, uint64_t n, const char *packed,
                 int stream)
{
    if (stride == (int64_t)size) {
        if (stream)
            qn_store()->stream(to, packed, n * size);
        else
            memcpy(to, packed, n * size);
        return;
    }
    switch (size) {
    case 1: SCATTER(uint8_t);
    case 2: SCATTER(uint16_t);
    case 4: SCATTER(uint32_t);
    default: SCATTER(uint64_t);
    }
}

uint64_t qn_move_some(const char *to, uint32_t size, uint64_t most, int stream)
{
    uint64_t some = QN_MOVE_BLOCK, past = (uintptr_t)to % 64;
    if (stream && past % size == 0) some -= past / size;
    return some < most ? some : most;
}

/* ---- masks ---- */

#define MASK(TYPE, SIGN)                                                                           \
    for (uint64_t i = 0; i < n; i++, from += stride) {                                             \
        TYPE x;                                                                                    \
        memcpy(&x, from, sizeof x);                                                                \
        mask[i] = (TYPE)(x & (TYPE) ~(SIGN)) != 0;                                                 \
    }                                                                                              \
    break

void qn_move_mask(const struct qn_lines *lines, uint64_t line, uint64_t first, uint64_t n,
                  uint8_t *mask)
{
    const char *from = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    if (stride == 1) { /* a loop of its own, so that it is vectorised */
        for (uint64_t i = 0; i < n; i++) mask[i] = from[i] != 0;
        return;
    }
    switch (lines->type) {
    case QN_T_F32: MASK(uint32_t, 0x80000000u);
    case QN_T_F64: MASK(uint64_t, 0x8000000000000000u);
    default:
        switch (qn_move_size(lines->type)) {
        case 1: MASK(uint8_t, 0);
        case 2: MASK(uint16_t, 0);
        case 4: MASK(uint32_t, 0);
        default: MASK(uint64_t, 0);
        }
    }
}

/* ---- dimensions ---- */

int qn_move_swaps(const struct qn_lines *out)
{
    if (out->lines <= 1) return 0;
    return out->n <= 1 || qn_move_reach(out->line_stride) < qn_move_reach(out->stride);
}

void qn_move_swap(struct qn_lines *a)
{
    struct qn_lines b = *a;
    a->lines = b.n;
    a->n = b.lines;
    a->line_stride = b.stride;
    a->stride = b.line_stride;
}

int qn_move_joins(const struct qn_lines *a)
{
    return a->lines <= 1 || a->line_stride == (int64_t)a->n * a->stride;
}

void qn_move_join(struct qn_lines *a)
{
    a->n *= a->lines;
    a->lines = 1;
}
