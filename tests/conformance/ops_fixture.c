/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/ops_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/ops/layout.h"

const char *const ops_layout_names[OPS_LAYOUTS] = {"columns", "rows", "wide rows", "records"};

/* ---- devices ---- */

/* On a simulator every block is memory of its own, so that its bounds are watched too. */
static int small(void)
{
    return getenv("QUERN_TEST_SMALL") != NULL;
}

static uint32_t open_driver(const struct qn_driver *driver, struct ops_device *out, uint32_t room)
{
    uint32_t count = 0, n = 0;
    const char *reason = NULL;
    if (driver->count(&count, &reason) != QUERN_OK) count = 0;
    for (uint32_t i = 0; i < count && n + 2 <= room; i++) {
        /* Small slabs: a sanitizer that guards them has less to do. */
        struct qn_device_config config = {.pool = {.slab = small() ? 256 : 1 << 20}};
        struct qn_device *device;
        struct qn_caps caps;
        if (driver->caps(i, &caps) != QUERN_OK || !(caps.features & QN_FEATURE_KERNELS)) continue;
        if (qn_device_open(driver, i, &config, &device) != QUERN_OK)
            fail_msg("%s:%u: %s", driver->name, i, qn_error_text());
        for (int shape = 0; shape < 2; shape++) {
            if (shape == 1 && !(device->caps.features & QN_FEATURE_CPU_SHAPE)) continue;
            out[n].device = device;
            out[n].cpu_shape = shape;
            (void)snprintf(out[n].name, sizeof out[n].name, "%s:%u, %s shape", driver->name, i,
                           shape ? "CPU" : "GPU");
            n++;
        }
    }
    if (n == 0) print_message("%s: %s\n", driver->name, reason ? reason : "no device with kernels");
    return n;
}

static int required(const char *driver)
{
    const char *list = getenv("QUERN_REQUIRE");
    const char *at = list != NULL ? strstr(list, driver) : NULL;
    size_t n = strlen(driver);
    return at != NULL && (at == list || at[-1] == ',') && (at[n] == '\0' || at[n] == ',');
}

uint32_t ops_devices_open(const struct qn_driver *only, struct ops_device *out, uint32_t room)
{
    uint32_t n_drivers = 0, n = 0;
    const struct qn_driver *const *drivers = qn_drivers(&n_drivers);
    const char *named = getenv("QUERN_TEST_DRIVER");
    if (only != NULL) return open_driver(only, out, room);
    for (uint32_t i = 0; i < n_drivers; i++) {
        if (strcmp(drivers[i]->name, "cpu") == 0) continue;
        if (named != NULL && strcmp(drivers[i]->name, named) != 0) continue;
        uint32_t more = open_driver(drivers[i], out + n, room - n);
        if (more == 0 && required(drivers[i]->name))
            fail_msg("QUERN_REQUIRE asks for %s, which is not here", drivers[i]->name);
        n += more;
    }
    return n;
}

void ops_devices_close(struct ops_device *devices, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!devices[i].cpu_shape) assert_int_equal(qn_device_close(devices[i].device), QUERN_OK);
}

void ops_device_shape(struct ops_device *entry)
{
    if (entry->cpu_shape)
        entry->device->caps.features |= QN_FEATURE_CPU_SHAPE;
    else
        entry->device->caps.features &= ~(uint32_t)QN_FEATURE_CPU_SHAPE;
}

/* ---- values ---- */

uint64_t ops_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t ops_word(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static double number(uint64_t *s, uint32_t nan_in_256, int odd)
{
    static const double odd_values[] = {0.0,  -0.0,  5e-324, -1e-310,  1e-40,
                                        3e38, -3e38, 1e300,  HUGE_VAL, -HUGE_VAL};
    uint64_t r = ops_random(s) >> 11;
    if (r % 256 < nan_in_256) return r & 256 ? (double)NAN : -(double)NAN;
    if (odd && r >> 8 & 15) return odd_values[(r >> 12) % 10];
    if (r >> 20 & 1) return (double)(int)(r >> 30 & 15) - 6.0;
    return ((double)(ops_random(s) >> 11) * 0x1p-53 - 0.4) * ldexp(1.0, (int)(r >> 24 & 15) - 4);
}

static void store(uint64_t *s, uint32_t type, void *at, uint32_t nan_in_256, int odd)
{
    double d = number(s, nan_in_256, odd && (*s & 7) == 0);
    float f = (float)d;
    uint64_t u = ops_random(s) >> 8;
    if (u & 0x100) u %= 9;
    switch (type) {
    case QN_T_BOOL: memcpy(at, &(uint8_t){(uint8_t)(u & 1)}, 1); return;
    case QN_T_F32: memcpy(at, &f, sizeof f); return;
    case QN_T_F64: memcpy(at, &d, sizeof d); return;
    default: memcpy(at, &u, qn_value_bytes(type)); return; /* little-endian */
    }
}

/* ---- batches ---- */

static uint32_t natural_work(uint32_t type)
{
    if (type == QN_T_F32) return QN_W_F32;
    if (type == QN_T_I64 || type == QN_T_U64) return QN_W_I64;
    return QN_W_F64;
}

/* Where lane i starts and how it steps; the bytes that all lanes take. */
static uint64_t place(struct ops_batch *b, uint64_t rows, uint32_t n_lanes, const uint32_t *types,
                      uint32_t n_types, enum ops_layout layout)
{
    uint64_t at = 16;
    for (uint32_t i = 0; i < n_lanes; i++) {
        struct qn_lane *lane = &b->lanes[i];
        uint64_t size = qn_value_bytes(types[i % n_types]), wide = n_lanes + 3u;
        lane->type = types[i % n_types];
        lane->work = natural_work(lane->type);
        lane->valid_bit = QN_NO_VALIDITY;
        switch (layout) {
        case OPS_COLUMNS:
            lane->offset = at;
            lane->stride = (int64_t)size;
            at = (at + rows * size + 15) / 8 * 8;
            break;
        case OPS_ROWS:
            lane->offset = 16 + i * size;
            lane->stride = (int64_t)(n_lanes * size);
            at = 16 + rows * n_lanes * size;
            break;
        case OPS_WIDE_ROWS:
            lane->offset = 16 + (i + 1) * size;
            lane->stride = (int64_t)(wide * size);
            at = 16 + (rows + 1) * wide * size;
            break;
        default:
            lane->offset = 16 + (uint64_t)i * 8;
            lane->stride = (int64_t)n_lanes * 8;
            at = 16 + rows * n_lanes * 8;
            break;
        }
    }
    return (at + 7) / 8 * 8;
}

uint64_t ops_rows(uint64_t rows, uint32_t n_lanes)
{
    uint64_t most = n_lanes == 1 ? 1030 : 40;
    return small() && rows > most ? most : rows;
}

void ops_batch_make(struct ops_batch *b, uint64_t seed, uint64_t rows, uint32_t n_lanes,
                    const uint32_t *types, uint32_t n_types, enum ops_layout layout,
                    uint32_t nan_in_256, int odd_values, int validity)
{
    memset(b, 0, sizeof *b);
    assert_true(n_lanes <= OPS_LANES);
    rows = ops_rows(rows, n_lanes);
    b->seed = seed * 0x9e3779b97f4a7c15u + 88172645463325252u;
    b->validity_at = place(b, rows, n_lanes, types, n_types, layout);
    uint64_t bitmap = rows / 8 + 8;
    b->bytes = b->validity_at + (validity ? n_lanes * bitmap : 0) + 64;
    b->memory = calloc(b->bytes, 1);
    assert_non_null(b->memory);
    for (uint32_t i = 0; i < n_lanes; i++) {
        struct qn_lane *lane = &b->lanes[i];
        unsigned char *first = b->memory + lane->offset;
        for (uint64_t r = 0; r < rows; r++)
            store(&b->seed, lane->type, first + (int64_t)r * lane->stride, nan_in_256, odd_values);
        lane->data = first;
        if (validity && i % 3 == 1 && lane->work <= QN_W_F64) {
            uint8_t *bits = b->memory + b->validity_at + i * bitmap;
            for (uint64_t k = 0; k < bitmap; k++)
                bits[k] = (uint8_t)(ops_random(&b->seed) >> 20 | 0x55);
            lane->validity = bits;
            lane->validity_offset = i % 7;
            lane->valid_bit = (b->validity_at + i * bitmap) * 8 + i % 7;
        }
    }
    b->host = (struct qn_batch){
        .rows = rows, .lanes = b->lanes, .n_lanes = n_lanes, .ops = b->ops, .words = b->words};
}

void ops_batch_upload(struct ops_batch *b, struct qn_device *device)
{
    struct qn_view view;
    b->at = device;
    if (small()) (void)qn_pool_trim(device->pool, 0);
    assert_int_equal(qn_pool_take(device->pool, device->queue_numbers[0], b->bytes, &b->span),
                     QUERN_OK);
    view = b->span.view;
    view.size = b->bytes;
    assert_int_equal(qn_device_put(device, 0, view, b->memory), QUERN_OK);
    b->device = b->host;
    b->device.base = view;
}

void ops_batch_leave(struct ops_batch *b)
{
    assert_int_equal(qn_device_finish(b->at, 0), QUERN_OK);
    qn_pool_give(b->at->pool, b->at->queue_numbers[0], &b->span);
    b->at = NULL;
}

void ops_batch_free(struct ops_batch *b)
{
    free(b->memory);
}

/* ---- chains ---- */

static struct qn_op *push(struct ops_batch *b, uint32_t lane, uint32_t code, uint32_t work)
{
    struct qn_lane *l = &b->lanes[lane];
    if (l->n_ops == 0) l->first_op = b->host.n_ops;
    assert_int_equal(l->first_op + l->n_ops, b->host.n_ops);
    assert_true(b->host.n_ops < OPS_OPS && b->host.n_words + 64 < OPS_WORDS);
    l->n_ops++;
    struct qn_op *op = &b->ops[b->host.n_ops++];
    *op = (struct qn_op){.code = code, .work = work, .arg = b->host.n_words};
    return op;
}

void ops_push(struct ops_batch *b, uint32_t lane, uint32_t code, uint32_t work, double p0,
              double p1)
{
    (void)push(b, lane, code, work);
    b->words[b->host.n_words++] = ops_word(work == QN_W_F32 ? (double)(float)p0 : p0);
    b->words[b->host.n_words++] = ops_word(work == QN_W_F32 ? (double)(float)p1 : p1);
}

void ops_push_i64(struct ops_batch *b, uint32_t lane, uint32_t code, int64_t p0, int64_t p1)
{
    (void)push(b, lane, code, QN_W_I64);
    b->words[b->host.n_words++] = (uint64_t)p0;
    b->words[b->host.n_words++] = (uint64_t)p1;
}

void ops_push_table(struct ops_batch *b, uint32_t lane, uint32_t code, uint32_t work,
                    const uint64_t *table, uint32_t n)
{
    (void)push(b, lane, code, work);
    b->words[b->host.n_words] = b->host.n_words + 2;
    b->words[b->host.n_words + 1] = n;
    b->host.n_words += 2;
    assert_true(b->host.n_words + n < OPS_WORDS);
    for (uint32_t i = 0; i < n; i++) b->words[b->host.n_words++] = table[i];
}

void ops_push_spline(struct ops_batch *b, uint32_t lane, uint32_t work, const uint64_t *table,
                     uint32_t n, uint32_t number, int again)
{
    static uint64_t there;
    (void)push(b, lane, QN_OP_SPLINE, work);
    uint64_t *words = b->words + b->host.n_words;
    b->host.n_words += 3;
    assert_true(b->host.n_words + n < OPS_WORDS);
    if (!again) {
        there = b->host.n_words;
        for (uint32_t i = 0; i < n; i++) b->words[b->host.n_words++] = table[i];
    }
    words[0] = there;
    words[1] = n;
    words[2] = number;
}

void ops_push_norm(struct ops_batch *b, uint32_t lane, uint32_t work, uint32_t group)
{
    push(b, lane, QN_OP_NORM, work)->arg = group;
}

void ops_push_take(struct ops_batch *b, uint32_t lane, uint32_t work, uint32_t operand)
{
    push(b, lane, QN_OP_TAKE, work)->arg = operand;
}

void ops_batch_operands(struct ops_batch *b, uint32_t n)
{
    b->host.operands = b->lanes;
    b->host.n_operands = n;
    b->host.lanes = b->lanes + n;
    b->host.n_lanes -= n;
}
