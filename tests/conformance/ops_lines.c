/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/ops_lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/layout.h"

struct block block_make(struct qn_device *d, uint64_t bytes)
{
    struct block b = {.bytes = (bytes + 7) & ~(uint64_t)7};
    b.memory = calloc(b.bytes + 8, 1);
    assert_non_null(b.memory);
    OK(qn_pool_take(d->pool, d->queue_numbers[0], b.bytes + 8, &b.span));
    return b;
}

void block_upload(struct qn_device *d, struct block *b)
{
    struct qn_view to = b->span.view;
    to.size = b->bytes;
    OK(qn_device_upload(d, 0, to, b->memory, 1, b->bytes, (int64_t)b->bytes, QN_TRAFFIC_INPUT));
}

/* The device's bytes are those of `want`. */
void block_check(struct qn_device *d, const struct block *b, const void *want, const char *what)
{
    struct qn_view from = b->span.view;
    unsigned char *got = malloc(b->bytes + 8);
    assert_non_null(got);
    from.size = b->bytes;
    OK(qn_device_download(d, 0, got, 1, b->bytes, (int64_t)b->bytes, from, QN_TRAFFIC_OUTPUT));
    if (memcmp(got, want, b->bytes) != 0) fail_msg("%s", what);
    free(got);
}

void block_free(struct qn_device *d, struct block *b)
{
    qn_pool_give(d->pool, d->queue_numbers[0], &b->span);
    free(b->memory);
}

void lines_fill(uint64_t *seed, uint32_t type, unsigned char *at)
{
    static const double odd[] = {0.0, -0.0, HUGE_VAL, -HUGE_VAL, 5e-324, 1.0, -1.0, 0.5};
    uint64_t r = ops_random(seed) >> 8, word = r & 16 ? ops_random(seed) : r % 5;
    double d = r & 1 ? odd[r >> 8 & 7] : (double)(r >> 20 & 255) - 100.0;
    if (r % 37 == 0) d = r & 64 ? (double)NAN : -(double)NAN;
    float f = (float)d;
    uint8_t bit = (uint8_t)(r >> 9 & 1);
    if (type == QN_T_F64)
        memcpy(at, &d, sizeof d);
    else if (type == QN_T_F32)
        memcpy(at, &f, sizeof f);
    else if (type == QN_T_BOOL)
        memcpy(at, &bit, 1);
    else
        memcpy(at, &word, qn_value_bytes(type));
}

struct qn_lines lines_there(const struct qn_lines *lines, const struct block *b)
{
    struct qn_lines there = *lines;
    there.data = NULL;
    there.base = b->span.view;
    return there;
}

const void *lines_at(const struct qn_lines *l, uint64_t line, uint64_t i)
{
    return (const char *)l->data + (int64_t)line * l->line_stride + (int64_t)i * l->stride;
}

double lines_double(uint32_t type, const void *at)
{
    double d;
    float f;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    uint16_t u16;
    uint32_t u32;
    switch (type) {
    case QN_T_F64: return memcpy(&d, at, 8), d;
    case QN_T_F32: return memcpy(&f, at, 4), (double)f;
    case QN_T_I8: return memcpy(&i8, at, 1), i8;
    case QN_T_I16: return memcpy(&i16, at, 2), i16;
    case QN_T_I32: return memcpy(&i32, at, 4), i32;
    case QN_T_U16: return memcpy(&u16, at, 2), u16;
    case QN_T_U32: return memcpy(&u32, at, 4), u32;
    default: return *(const uint8_t *)at;
    }
}
