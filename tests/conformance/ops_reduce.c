/* SPDX-License-Identifier: Apache-2.0
 * Reductions over types, strides, sizes and kinds: the CPU's nodes against the definition of
 * docs/arrays.md, value by value, and every device's against the CPU's; sums on the way, and counts. */
#include "tests/conformance/ops_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops/counts.h"
#include "host/ops/layout.h"
#include "host/ops/reductions.h"

struct shape {
    uint64_t lines, n;
    int columns, apart, backwards;
};
static const struct shape shapes[] = {
    {1, 1, 0, 1, 0},     {1, 15, 0, 1, 0},   {1, 17, 0, 3, 1},   {1, 1024, 0, 1, 0},
    {1, 5000, 0, 1, 0},  {7, 300, 0, 1, 0},  {300, 7, 1, 1, 0},  {33, 2100, 1, 1, 0},
    {70, 1030, 1, 1, 1}, {5, 1030, 1, 2, 0}, {130, 40, 0, 1, 1}, {3, 1025, 0, 2, 0},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void fill(uint64_t *seed, uint32_t type, unsigned char *at)
{
    static const double odd[] = {0.0, -0.0, HUGE_VAL, 5e-324, 1e17, -1e17, 0.1, 3.0};
    uint64_t r = ops_random(seed) >> 8, word = r & 16 ? ops_random(seed) : r % 5;
    double d = r & 1 ? odd[r >> 8 & 7] : (double)(r >> 20 & 255) / 7.0 - 10.0;
    if (d - d != 0.0 && (r >> 30 & 63) != 0) d = 1.0;
    if (r % 29 == 0) d = r & 64 ? (double)NAN : -(double)NAN;
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

/* ---- the oracle ---- */

static int is_float(uint32_t type)
{
    return type == QN_T_F32 || type == QN_T_F64;
}

static int is_signed(uint32_t type)
{
    return type >= QN_T_I8 && type <= QN_T_I64;
}

static uint64_t integer_at(uint32_t type, const void *at)
{
    uint64_t u = 0;
    uint32_t bits = 8 * qn_value_bytes(type);
    memcpy(&u, at, bits / 8); /* little-endian */
    if (is_signed(type) && bits < 64 && u >> (bits - 1)) u |= ~(uint64_t)0 << bits;
    return u;
}

static double float_at(uint32_t type, const void *at)
{
    double d;
    float f;
    if (type == QN_T_F64) return memcpy(&d, at, 8), d;
    if (type == QN_T_F32) return memcpy(&f, at, 4), (double)f;
    uint64_t u = integer_at(type, at);
    return is_signed(type) ? (double)(int64_t)u : (double)u;
}

static void take(const struct qn_reduce_request *rq, const void *at, uint64_t place,
                 struct qn_reduced *r)
{
    uint32_t type = rq->in.type, kind = rq->kind;
    double x = float_at(type, at), s, e;
    uint64_t u = is_float(type) ? 0 : integer_at(type, at);
    int missing = x != x;
    memcpy(&s, &r->a, 8);
    memcpy(&e, &r->b, 8);
    if (kind == QN_REDUCE_SUM || kind == QN_REDUCE_PRODUCT) {
        if (missing && rq->skip) {
            r->missing++;
            return;
        }
        double sum = s + x, part = sum - s;
        if (kind == QN_REDUCE_SUM && type != QN_T_F32) e += (s - (sum - part)) + (x - part);
        s = kind == QN_REDUCE_SUM ? sum : s * x;
        memcpy(&r->a, &s, 8);
        if (kind == QN_REDUCE_SUM) memcpy(&r->b, &e, 8);
        return;
    }
    r->missing += (uint64_t)missing;
    if (kind == QN_REDUCE_SUM_INT) r->a += u;
    if (kind == QN_REDUCE_PRODUCT_INT) r->a *= u;
    if (kind == QN_REDUCE_COUNT) r->a += is_float(type) ? x != 0.0 : u != 0;
    if (kind != QN_REDUCE_MIN && kind != QN_REDUCE_MAX) return;
    uint64_t key = is_signed(type) ? u ^ QN_REDUCE_TOP : u;
    if (is_float(type)) key = missing ? 0 : qn_reduce_key(x);
    if (kind == QN_REDUCE_MAX && !missing) key = ~key;
    if ((missing && rq->skip) || (r->place != UINT64_MAX && key >= r->a)) return;
    r->a = key;
    r->place = place;
}

static struct qn_reduced line_of(const struct qn_reduce_request *rq, uint64_t line)
{
    struct qn_reduced blocks[16];
    uint64_t n = 0;
    const char *data = (const char *)rq->in.data + (int64_t)line * rq->in.line_stride;
    for (uint64_t first = 0; first < rq->in.n; first += QN_BLOCK_ROWS, n++) {
        struct qn_reduced parts[16];
        for (int p = 0; p < 16; p++) parts[p] = qn_reduce_empty(rq->kind);
        for (uint64_t i = first; i < rq->in.n && i < first + QN_BLOCK_ROWS; i++)
            take(rq, data + (int64_t)i * rq->in.stride, i, &parts[i % 16]);
        for (int h = 8; h > 0; h /= 2)
            for (int p = 0; p < h; p++)
                parts[p] = qn_reduce_merge(rq->kind, parts[p], parts[p + h]);
        blocks[n] = parts[0];
    }
    return qn_reduce_fold(rq->kind, blocks, n, 1);
}

/* ---- tests ---- */

static struct shape shape_of(uint32_t k)
{
    struct shape s = shapes[k % SHAPES];
    if (getenv("QUERN_TEST_SMALL") == NULL) return s;
    if (s.n > 70) s.n = s.lines == 1 ? 70 : 20;
    if (s.lines > 7) s.lines = 7;
    return s;
}

/* NaN in what roundings lost depends on where infinity came in; the places of sums are nothing. */
static int same(uint32_t kind, const struct qn_reduced *a, const struct qn_reduced *b)
{
    int extreme = kind == QN_REDUCE_MIN || kind == QN_REDUCE_MAX;
    return a->a == b->a && a->missing == b->missing && (kind != QN_REDUCE_SUM || a->b == b->b) &&
           (!extreme || a->place == b->place);
}

/* Lines that lie as a case says, on the host and on a device. */
struct given {
    struct shape shape;
    struct qn_lines host, there;
    unsigned char *memory;
    struct qn_span span;
};

static struct given make(struct qn_device *d, uint32_t k)
{
    struct given g = {.shape = shape_of(k)};
    struct shape s = g.shape;
    uint32_t type = every_type[(k + k / SHAPES) % EVERY_TYPE];
    int64_t bytes = (int64_t)qn_value_bytes(type), apart = s.apart * bytes;
    uint64_t count = s.lines * s.n, size = (count * (uint64_t)apart + 7) / 8 * 8, seed = k + 1;
    g.memory = calloc(size, 1);
    assert_non_null(g.memory);
    for (uint64_t i = 0; i < count; i++) fill(&seed, type, g.memory + i * (uint64_t)apart);
    OK(qn_pool_take(d->pool, d->queue_numbers[0], size, &g.span));
    struct qn_view view = g.span.view;
    view.size = size;
    OK(qn_device_upload(d, 0, view, g.memory, 1, size, (int64_t)size, QN_TRAFFIC_INPUT));
    struct qn_lines lines = {.lines = s.lines, .n = s.n, .type = type};
    lines.stride = s.columns ? (int64_t)s.lines * apart : apart;
    lines.line_stride = s.columns ? apart : (int64_t)s.n * apart;
    if (s.backwards) {
        lines.offset = (s.n - 1) * (uint64_t)lines.stride;
        lines.stride = -lines.stride;
    }
    g.host = g.there = lines;
    g.host.data = g.memory + lines.offset;
    g.there.base = view;
    return g;
}

static void drop(struct qn_device *d, struct given *g)
{
    qn_pool_give(d->pool, d->queue_numbers[0], &g->span);
    free(g->memory);
}

static void reduce_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    struct given g = make(d, k);
    struct shape s = g.shape;
    uint32_t type = g.host.type;
    struct qn_reduced *host = malloc(s.lines * sizeof *host),
                      *there = malloc(s.lines * sizeof *there);
    assert_true(host != NULL && there != NULL);
    for (uint32_t kind = 0; kind <= QN_REDUCE_COUNT; kind++)
        for (uint32_t skip = 0; skip < 2; skip++) {
            struct qn_reduce_request rq = {
                .in = g.host, .kind = kind, .skip = skip, .places = 1, .out = host};
            if (is_float(type) && (kind == QN_REDUCE_SUM_INT || kind == QN_REDUCE_PRODUCT_INT))
                continue;
            OK(qn_op_reduce(NULL, NULL, 0, &rq, NULL));
            struct qn_reduce_request on_device = rq;
            on_device.in = g.there;
            on_device.out = there;
            OK(qn_op_reduce(d, NULL, 0, &on_device, NULL));
            for (uint64_t line = 0; line < s.lines; line++) {
                struct qn_reduced want = line_of(&rq, line);
                if (!same(kind, &want, &host[line]) || !same(kind, &want, &there[line]))
                    fail_msg("%s: case %u: type %u, kind %u, skip %u, line %llu of %llu, %llu "
                             "values: %s",
                             od->name, k, type, kind, skip, (unsigned long long)line,
                             (unsigned long long)s.lines, (unsigned long long)s.n,
                             same(kind, &want, &host[line]) ? "the device" : "the CPU");
            }
        }
    free(there);
    free(host);
    drop(d, &g);
}

void lines_are_reduced_in_the_order_of_the_definition(void **state)
{
    (void)state;
    on_every_device(reduce_case, SHAPES * EVERY_TYPE, 19);
}

/* Sums on the way: the CPU against values added one by one, the device against the CPU. */
static void accumulate_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    struct given g = make(d, k);
    uint32_t type = g.host.type, to = is_float(type) ? type : QN_T_I64;
    uint64_t width = qn_value_bytes(to), size = (g.shape.lines * g.shape.n * width + 7) / 8 * 8;
    unsigned char *host = calloc(size, 1), *there = calloc(size, 1);
    struct qn_span span;
    assert_true(host != NULL && there != NULL);
    OK(qn_pool_take(d->pool, d->queue_numbers[0], size, &span));
    struct qn_view view = span.view;
    view.size = size;
    OK(qn_device_fill(d, 0, view, 0));
    for (uint32_t form = 0; form < 4; form++) {
        struct qn_accumulate_request rq = {.in = g.host, .product = form & 1, .skip = form >> 1};
        rq.out = (struct qn_lines){.data = host,
                                   .lines = g.shape.lines,
                                   .n = g.shape.n,
                                   .line_stride = (int64_t)(g.shape.n * width),
                                   .stride = (int64_t)width,
                                   .type = to};
        OK(qn_op_accumulate(NULL, NULL, 0, &rq, NULL));
        for (uint64_t i = 0; to == QN_T_I64 && !rq.product && i < g.shape.n; i++) {
            uint64_t got, before = 0;
            memcpy(&got, host + i * 8, 8);
            if (i > 0) memcpy(&before, host + (i - 1) * 8, 8);
            assert_int_equal(got - before, integer_at(type, (const char *)g.host.data +
                                                                (int64_t)i * g.host.stride));
        }
        rq.in = g.there;
        rq.out.data = NULL;
        rq.out.base = view;
        OK(qn_op_accumulate(d, NULL, 0, &rq, NULL));
        OK(qn_device_download(d, 0, there, 1, size, (int64_t)size, view, QN_TRAFFIC_OUTPUT));
        OK(qn_device_finish(d, 0));
        if (memcmp(host, there, size) != 0)
            fail_msg("%s: case %u, form %u of type %u", od->name, k, form, type);
    }
    qn_pool_give(d->pool, d->queue_numbers[0], &span);
    free(there);
    free(host);
    drop(d, &g);
}

void sums_on_the_way_are_those_of_one_by_one(void **state)
{
    (void)state;
    on_every_device(accumulate_case, SHAPES * EVERY_TYPE, 19);
}

enum { BINS = 5000 }; /* more than fit local memory, and few */

static void counts_case(struct ops_device *od, uint32_t k)
{
    struct qn_device *d = od->device;
    struct given g = make(d, k);
    int64_t want[BINS] = {0}, host[BINS] = {0}, there[BINS] = {0};
    double edges[BINS + 1];
    uint64_t n_bins = k % 2 ? BINS : 7;
    struct qn_counts_request rq = {.in = g.host, .n_bins = n_bins, .counts = host};
    for (uint64_t i = 0; i <= n_bins; i++)
        edges[i] = k % 3 ? (double)i / 2.0 - 3.0 : (double)(i * i) / 8.0 - 3.0;
    if (is_float(g.host.type) || k % 5 < 3) rq.edges = edges;
    for (uint64_t line = 0; line < g.shape.lines; line++)
        for (uint64_t i = 0; i < g.shape.n; i++) {
            const char *at = (const char *)g.host.data + (int64_t)line * g.host.line_stride +
                             (int64_t)i * g.host.stride;
            double x = float_at(g.host.type, at);
            uint64_t bin = rq.edges == NULL ? integer_at(g.host.type, at) : 0;
            if (rq.edges != NULL && !(x >= edges[0] && x <= edges[n_bins])) bin = n_bins;
            while (rq.edges != NULL && bin + 1 < n_bins && x >= edges[bin + 1]) bin++;
            if (bin < n_bins) want[bin]++;
        }
    OK(qn_op_counts(NULL, NULL, 0, &rq, NULL));
    assert_memory_equal(want, host, sizeof want);
    rq.in = g.there;
    rq.counts = there;
    OK(qn_op_counts(d, NULL, 0, &rq, NULL));
    if (memcmp(want, there, sizeof want) != 0) fail_msg("%s: case %u", od->name, k);
    drop(d, &g);
}

void values_are_counted_in_the_bin_whose_edges_they_lie_between(void **state)
{
    (void)state;
    on_every_device(counts_case, 2 * SHAPES * EVERY_TYPE, 19);
}
