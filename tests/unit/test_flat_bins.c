/* SPDX-License-Identifier: Apache-2.0
 * Bins of whole matrices are what counting the edges says, whether values are compared with all edges, looked up
 * by cells (backends/cpu/run_flat_bins.h) or searched for: edges of all kinds, values at them and beside. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu/run_flat_bins.h"
#include "tests/unit/isa_groups.h"
#include "tests/unit/reference.h"
#include "tests/unit/reference_bins.h"

enum { COLUMNS = 19, ROWS = 700, MOST = 300 };

enum shape {
    EQUAL_STEPS,
    QUANTILES,
    FAR_OFF,
    UNLIKE_NUMBERS,
    TWICE,
    UNBOUNDED,
    HUGE_RANGE,
    SHAPES
};

struct matrix {
    struct qn_lane lanes[COLUMNS];
    struct qn_slot slots[COLUMNS];
    struct qn_op ops[2 * COLUMNS];
    uint64_t words[COLUMNS * (MOST + 2)];
    struct qn_run_request request;
    union {
        float f32[ROWS * COLUMNS];
        double f64[ROWS * COLUMNS];
    } in, out;
    uint64_t state;
    uint32_t work, edges[COLUMNS];
};

static double unit(struct matrix *m)
{
    return ((double)(ref_random(&m->state) >> 11) + 0.5) * 0x1p-53;
}

static int by_size(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static double edge_of(struct matrix *m, enum shape shape, uint32_t i, uint32_t k, double first,
                      double step)
{
    switch (shape) {
    case QUANTILES: return tan(2.8 * ((i + 0.3 * unit(m) + 0.5) / k - 0.5));
    case FAR_OFF: return 1.5e9 + 3600.0 * i;
    case TWICE: return first + step * (i - i % 2);
    case UNBOUNDED: return i == 0 ? -(double)INFINITY : i + 1 == k ? (double)INFINITY : step * i;
    case HUGE_RANGE: return ldexp(2.0 * (i + 0.5) / k - 1, m->work == QN_W_F32 ? 127 : 1023);
    default: return first + step * i;
    }
}

/* Column j's edges; floats: as a fit on float32 leaves them. */
static void add_column(struct matrix *m, uint32_t j, enum shape shape, uint32_t k, int floats)
{
    const uint32_t size = m->work == QN_W_F32 ? 4 : 8, at = m->request.batch.n_words;
    if (shape == UNLIKE_NUMBERS) k = k > j % 3 ? k - j % 3 : 0;
    double first = 20 * unit(m) - 10, step = 0.01 + unit(m);
    m->edges[j] = k;
    m->words[at] = at + 2;
    m->words[at + 1] = k;
    for (uint32_t i = 0; i < k; i++) {
        double edge = edge_of(m, shape, i, k, first, step);
        if (floats) edge = (double)(float)edge;
        memcpy(&m->words[at + 2 + i], &edge, sizeof edge);
    }
    qsort(&m->words[at + 2], k, sizeof(double), by_size);
    m->ops[2 * j] = (struct qn_op){.code = QN_OP_BIN, .work = m->work, .arg = at};
    m->ops[2 * j + 1] = (struct qn_op){.code = m->work == QN_W_F32 ? QN_OP_TO_F32 : QN_OP_TO_F64,
                                       .work = QN_W_CODE};
    const uint32_t type = m->work == QN_W_F32 ? QN_T_F32 : QN_T_F64;
    m->lanes[j] = (struct qn_lane){.data = (const char *)&m->in + (size_t)j * size,
                                   .stride = COLUMNS * size,
                                   .type = type,
                                   .work = m->work,
                                   .first_op = 2 * j,
                                   .n_ops = 2};
    m->slots[j] = (struct qn_slot){.offset = (uint64_t)j * size,
                                   .stride = COLUMNS * size,
                                   .type = type,
                                   .lane = j,
                                   .match = QN_MATCH_VALUE};
    m->request.batch.n_words += k + 2;
    m->request.batch.n_ops += 2;
}

static double value_for(struct matrix *m, uint32_t j)
{
    static const double places[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, DBL_MAX, -1e-320, -1e300};
    const uint64_t *edges = m->words + m->ops[2 * j].arg + 2, kind = ref_random(&m->state) % 8;
    uint32_t k = m->edges[j];
    if (kind == 0 || k == 0) return places[ref_random(&m->state) % 8];
    double a = reference_entry(edges, ref_random(&m->state) % k);
    double b = reference_entry(edges, ref_random(&m->state) % k);
    int up = ref_random(&m->state) % 2 != 0;
    if (kind < 3) return a;
    if (kind == 3)
        return m->work == QN_W_F32 ? (double)nextafterf((float)a, up ? INFINITY : -INFINITY)
                                   : nextafter(a, up ? (double)INFINITY : -(double)INFINITY);
    return a + unit(m) * (b - a);
}

static void fill(struct matrix *m)
{
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++) {
        double x = value_for(m, i % COLUMNS);
        if (m->work == QN_W_F32)
            m->in.f32[i] = (float)x;
        else
            m->in.f64[i] = x;
    }
}

static void compare(const struct matrix *m, int shape, uint32_t k)
{
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++) {
        const uint32_t j = i % COLUMNS;
        double x = m->work == QN_W_F32 ? (double)m->in.f32[i] : m->in.f64[i];
        double got = m->work == QN_W_F32 ? (double)m->out.f32[i] : m->out.f64[i];
        uint32_t want = reference_bin(m->words + m->ops[2 * j].arg + 2, m->edges[j], x);
        if (got != (double)want)
            fail_msg("shape %d, %u edges: bin of %a is %g, not %u", shape, k, x, got, want);
    }
}

static uint32_t check(enum shape shape, uint32_t k, uint32_t work, int floats)
{
    struct matrix *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->state = 1000u * (uint32_t)shape + k + work;
    m->work = work;
    m->request = (struct qn_run_request){.batch = {.rows = ROWS,
                                                   .lanes = m->lanes,
                                                   .n_lanes = COLUMNS,
                                                   .ops = m->ops,
                                                   .words = m->words},
                                         .slots = m->slots,
                                         .n_slots = COLUMNS,
                                         .out_host = &m->out};
    for (uint32_t j = 0; j < COLUMNS; j++) add_column(m, j, shape, k, floats);
    fill(m);
    for (uint32_t stream = 0; stream < 2; stream++) {
        m->request.stream = stream;
        memset(&m->out, 0xa5, sizeof m->out);
        assert_int_equal(qn_cpu_run(NULL, &m->request), QUERN_OK);
        compare(m, (int)shape, k);
    }
    uint32_t cells = qn_flat_cells(&m->request.batch, 0, k);
    free(m);
    return cells;
}

static void bins_are_what_counting_the_edges_says(void **context)
{
    static const uint32_t counts[] = {0, 1, 2, 5, 6, 15, 16, 17, 31, 64, 100, 300};
    uint32_t alone = 0, two = 0;
    (void)context;
    for (int shape = 0; shape < SHAPES; shape++)
        for (uint32_t c = 0; c < 12 * 3; c++) {
            uint32_t k = counts[c / 3], work = c % 3 == 2 ? QN_W_F64 : QN_W_F32;
            uint32_t cells = check((enum shape)shape, k, work, c % 3 == 0);
            alone += cells != 0 && cells == k;
            two += cells != 0 && cells != k;
        }
    assert_true(alone > 20); /* both kinds of cells came up */
    assert_true(two > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bins_are_what_counting_the_edges_says)};
    return RUN_PER_ISA(tests);
}
